"""All shipped views, views of two zones, quantiles, shares and bands against a calculation of their own (tests/lib/view_oracle.py, plain
Python with Decimal) over 2 million simulated events on a real Kafka: late ones, returns, invalid ones, orders of several lines, two
currencies, both changes of the clocks. The aggregator is killed in the middle. Then a second one with four shards must say the same, and
a rebuild must give the same dump. A piece is a new chain."""
import os
import random
import shutil
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import basket_rig
import view_oracle
import view_rig
from harness import Broker, Client, Pipeline
from query_model import share

EVENTS = int(os.environ.get("TILL_EVENTS", "2000000"))
PIECE_S = 1200  # what one takes, about
DEADLINE_S = 900
EDGES = view_rig.EDGES
HORIZON_MS, MEMORY_MS = 1000, 3_600_000
SPANS = [f"aggregator.basket_horizon={HORIZON_MS}ms", f"aggregator.basket_memory={MEMORY_MS}ms"]
BANDS = ["0", "1000", "100000", "10000000"]
# distinct(user_id) may be of several shards' users: one that has shards refuses it
OF_ONE_SHARD = view_rig.OWN[view_rig.OWN.index("[view.recent_pages]"):]


def rounds(seed, deadline):
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="till-views-"))
    kafka = Broker(folder / "kafka")
    number = 0
    try:
        while number == 0 or time.monotonic() + PIECE_S < deadline:
            number += 1
            yield piece(folder / f"piece-{number}", kafka, f"v{number}-", chance.randrange(2**32))
            shutil.rmtree(folder / f"piece-{number}")
    finally:
        kafka.down()
    shutil.rmtree(folder)  # kept if anything failed


def piece(folder, kafka, prefix, seed):
    folder.mkdir()
    conf = folder / "views.conf"
    conf.write_text(view_rig.SHIPPED + view_rig.OWN)
    pipe = Pipeline(folder, kafka.bootstrap, prefix, edges=EDGES, options={"till-aggregator": SPANS})
    try:
        pipe.start_aggregator("-c", conf)
        source = view_rig.Simulated(seed, EVENTS)
        count_with_a_kill(pipe, source)
        rows = judge(pipe.client, source)
        basket_rig.assert_same(pipe, *basket_rig.count_by_hand(pipe, HORIZON_MS, MEMORY_MS))
        compare_shards(folder, kafka, prefix, pipe.client)
        view_rig.rebuild(pipe, DEADLINE_S)
        return {"rounds": 1, "events": len(source.events), "invalid": len(source.letters), "rows": rows}
    except Exception as error:
        raise AssertionError(f"TILL_EVENTS={EVENTS} bench/long views, piece of seed {seed} in {folder}: {error}") from error
    finally:
        pipe.stop()


def count_with_a_kill(pipe, source):
    half = len(source.frames) // 2
    view_rig.send(pipe, source.frames[:half])
    pipe.aggregator.restart()  # kill -9
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    view_rig.send(pipe, source.frames[half:])
    pipe.wait_settled(DEADLINE_S)


def judge(client, source):
    """How many rows were equal to what was computed."""
    view_rig.assert_shipped(client, source)
    view_rig.assert_zones(client, source)
    view_rig.assert_quantiles(client, source)
    view_rig.assert_recent(client, source)
    orders = [each for each in source.events if each["kind"] == "order"]
    judge_shares(client, view_oracle.group(orders, ["product_id"], True, view_oracle.totals))
    judge_bands(client, view_oracle.group(orders, ["user_id"], True, view_oracle.totals))
    return sum(each["stored_rows"] for each in client.ask("views")["views"])


def judge_shares(client, products):
    """Up to the product that makes four fifths of what was sold in euros."""
    rows = sorted((row for row in products.values() if row["currency"] == "EUR"), key=lambda row: (-row["total_revenue"], row["product_id"].encode()))
    whole, so_far, expected = sum(row["total_revenue"] for row in rows), 0, []
    for row in rows:
        so_far += row["total_revenue"]
        expected.append((row["product_id"], share(row["total_revenue"], whole), share(so_far, whole)))
        if Decimal(expected[-1][2]) >= Decimal("0.8"):
            break
    found = client.rows("top", view="products", by="total_revenue", until_share="0.80", where=[{"field": "currency", "op": "=", "value": "EUR"}])
    assert [(row["product_id"], row["share"], row["cumulative_share"]) for row in found] == expected, "shares of products"


def judge_bands(client, users):
    """Customers by what they spent, each currency for itself."""
    edges, expected = list(map(Decimal, BANDS)), []
    for currency in sorted({row["currency"] for row in users.values()}):
        spent = [row["total_revenue"] for row in users.values() if row["currency"] == currency]
        for at in range(len(edges) + 1):
            members = [each for each in spent if (at == 0 or each >= edges[at - 1]) and (at == len(edges) or each < edges[at])]
            expected.append((currency, len(members), sum(members, Decimal(0)), share(sum(members), sum(spent))))
    found = client.rows("bands", view="users", by="total_revenue", edges=BANDS)
    assert [(row["currency"], row["rows"], Decimal(row["sum"]), row["share"]) for row in found] == expected, "bands of users"


def compare_shards(folder, kafka, prefix, client):
    """Another aggregator of four shards reads the same topics."""
    other = folder / "four"
    other.mkdir()
    conf = other / "views.conf"
    conf.write_text(view_rig.SHIPPED + view_rig.OWN.replace(OF_ONE_SHARD, ""))
    four = Pipeline(other, kafka.bootstrap, prefix, edges=(), bridges=0, options={"till-aggregator": ["aggregator.shards=4", *SPANS]})
    try:
        four.start_aggregator("-c", conf)
        four.wait_applied(DEADLINE_S)
        for view in four.client.ask("views")["views"]:
            assert four.client.scan(view["name"]) == client.scan(view["name"]), f"{view['name']}: four shards say otherwise than one"
    finally:
        four.stop()
