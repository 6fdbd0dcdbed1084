"""Topics that others write, declared as [source.NAME]: their records are counted once, whatever kills the aggregator."""
import json
import random
import subprocess
from collections import defaultdict
from decimal import Decimal

from harness import DEADLINE, Sender, program, wait_until
from test_aggregator_faults import dump
from test_kill import assert_books_add_up
from test_spine import order

PARTITIONS, ROUNDS, ROUND = 3, 4, 150


def declaration(topic, **more):
    keys = {"topic": topic, "format": "plain", "kind": "order", "fields": "bon:order_id, sku:product_id, qty:quantity, eur:unit_price", **more}
    return "[source.slips]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())


def slip(number):
    """A record as a home-made producer writes it; every 50th is broken."""
    if number % 50 == 49:
        return b'{"bon":'
    return json.dumps({"bon": number, "sku": f"p{number % 7}", "qty": number % 4 + 1, "eur": f"{number % 90}.{number % 100:02}", "note": "x"}).encode()


def revenue(numbers):
    totals = defaultdict(Decimal)
    for number in numbers:
        if number % 50 != 49:
            totals[f"p{number % 7}"] += (number % 4 + 1) * Decimal(f"{number % 90}.{number % 100:02}")
    return totals


def partitions_of(pipe, topic):
    return [each for each in pipe.client.ask("status").get("partitions", ()) if each["topic"] == topic]


def wait_read(pipe, topic, count):
    wait_until(lambda: sum(each["next"] for each in partitions_of(pipe, topic)) == count, f"{count} records of {topic} read")


def test_records_of_home_made_producers_are_counted_once(pipeline, admin, tmp_path):
    pipe, chance = pipeline(), random.Random(20101201)
    topic = f"{pipe.prefix}slips"
    admin.create(topic=topic, partitions=PARTITIONS)
    (tmp_path / "sources.conf").write_text(declaration(topic))
    pipe.start_aggregator("-c", str(tmp_path / "sources.conf"))
    sender = Sender(pipe.endpoint("store-1"))
    for each in range(ROUNDS):
        for part in range(PARTITIONS):
            numbers = range(each * ROUND + part, (each + 1) * ROUND, PARTITIONS)
            admin.produce(topic=topic, partition=part, records=[(b"", slip(number)) for number in numbers])
        assert sender.ask([order(each, product="p0", price="1.00", quantity=1)])["ok"]
        wait_until(lambda: sum(each["next"] for each in partitions_of(pipe, topic)) > chance.randrange(1, ROUND), "some were read")
        pipe.aggregator.restart()
    sender.close()
    pipe.wait_settled()
    wait_read(pipe, topic, ROUNDS * ROUND)
    wanted = revenue(range(ROUNDS * ROUND))
    wanted["p0"] += ROUNDS
    got = {row["product_id"]: Decimal(row["total_revenue"]) for row in pipe.client.scan("products")}
    assert got == wanted
    books = [sum(each[part] for each in partitions_of(pipe, topic)) for part in ("read", "counted", "unreadable")]
    assert books == [ROUNDS * ROUND, ROUNDS * ROUND * 49 // 50, ROUNDS * ROUND // 50]
    assert_books_add_up(pipe)
    pipe.aggregator.stop()
    before, store = dump(pipe), pipe.aggregator.start() and pipe.client.ask("status")["as_of"]["store"]
    pipe.aggregator.stop()
    pipe.aggregator.args.append("--rebuild")
    pipe.aggregator.start()
    wait_until(lambda: pipe.client.ask("status").get("as_of", {}).get("store", store) != store, "the rebuilt store switched in")
    pipe.aggregator.stop()
    pipe.aggregator.args.remove("--rebuild")
    assert dump(pipe) == before


def check(tmp_path, text):
    path = tmp_path / "bad.conf"
    path.write_text(text)
    done = subprocess.run([program("till-aggregator"), "-c", str(path), "-o", "aggregator.data=/x", "-o", "aggregator.brokers=x", "--check"],
                          capture_output=True, text=True, timeout=DEADLINE, check=False)
    return done.returncode, done.stderr


def test_a_bad_declaration_is_refused_before_anything_starts(tmp_path):
    assert check(tmp_path, declaration("slips"))[0] == 0
    code, words = check(tmp_path, declaration("slips", fields="bon:ordr_id"))
    assert code == 2 and "bad.conf:5" in words and 'did you mean "order_id"?' in words, words
    code, words = check(tmp_path, declaration("orders"))
    assert code == 2 and "bad.conf:2: [source.slips] topic" in words and "read already" in words, words
    code, words = check(tmp_path, declaration("slips", fields="bon:order_id, sku:product_id"))
    assert code == 2 and "unit_price" in words, words
