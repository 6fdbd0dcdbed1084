"""Every shipped view against an independent calculation, over real sales and over simulated ones; what changes of the declared views do;
and what a store says of itself."""
import csv
import os
import random
import subprocess
import time
from datetime import datetime, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
import view_oracle
from harness import ROOT, Client, Pipeline, Program, Sender, program, till, wait_until

EVENTS = int(os.environ.get("TILL_EVENTS", "24000"))
FRAME = 5000
DAY_MS = 86_400_000
EDGES = ("berlin", "new york", "paris")
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
SHIPPED = (ROOT / "deploy" / "views.conf").read_text()
OWN = """
[view.berlin_hours]
group_by = hour(ts)
measures = order_count = count(), total_revenue = sum(revenue)
zone = Europe/Berlin

[view.new_york_days]
group_by = day(ts)
measures = order_count = count(), total_revenue = sum(revenue)
zone = America/New_York

[view.spread]
group_by = channel
measures = q25 = quantile(revenue, 0.25), q50 = quantile(revenue, 0.5), q95 = quantile(revenue, 0.95), pieces = quantile(quantity, 0.9)

[view.recent_pages]
kind = view
group_by = page, day(ts)
measures = view_count = count(), visitors = distinct(user_id)
retain = 3d
"""


@pytest.fixture
def rig(tmp_path):
    """A pipeline on till-devbroker: rig(views=text of the declared views)."""
    made = []

    def make(views, edges):
        conf = tmp_path / "views.conf"
        conf.write_text(views)
        broker = Program("till-devbroker", ["-o", "devbroker.topics=orders,cart_events,page_views"], tmp_path / "devbroker.log")
        pipe = Pipeline(tmp_path, broker.ready["bootstrap"], "", edges=edges, options={"till-bridge": ["bridge.create_topics=no"]})
        made.extend((pipe.stop, broker.kill))
        pipe.conf = conf
        pipe.start_aggregator("-c", conf)
        return pipe

    yield make
    for end in made:
        end()


def money(text):
    return Decimal(text).quantize(Decimal("0.000001"))


class Simulated:
    """Orders of several lines, returns, late ones, carts and page views, in two currencies around both changes of clocks; some invalid."""

    def __init__(self, seed, count):
        self.draw = random.Random(seed)
        self.now_ms = int(time.time() * 1000)
        self.events, self.letters, self.frames = [], [], []
        while len(self.events) < count:
            self.add_frame()

    def time_ms(self):
        change = self.draw.choice((datetime(2024, 10, 27, tzinfo=timezone.utc), datetime(2024, 3, 31, tzinfo=timezone.utc),
                                   datetime(2024, 11, 3, 6, tzinfo=timezone.utc)))
        late = self.draw.randrange(300) * DAY_MS if self.draw.random() < 0.05 else 0
        return int(change.timestamp()) * 1000 + self.draw.randrange(-DAY_MS, DAY_MS) - late

    def order(self, number, line, ts_ms):
        draw = self.draw
        event = {"kind": "order", "order_id": f"o{number}", "product_id": f"p{draw.randrange(300)}", "ts_ms": ts_ms + line,
                 "quantity": draw.choice((1, 1, 2, 3, 12, 200, -1, -2)), "unit_price": money(f"{draw.randrange(1, 90000)}.{draw.randrange(100):02d}"),
                 "currency": draw.choice(("EUR", "USD")), "user_id": f"u{draw.randrange(2000)}" if draw.random() < 0.8 else None,
                 "category": draw.choice(("tea", "salt", "Käse", None)), "channel": draw.choice(("web", "shop", "phone")),
                 "payment": draw.choice(("card", "cash", None))}
        if draw.random() < 0.2:
            event["amount"] = money(f"{draw.choice(('', '-'))}{draw.randrange(1000)}.{draw.randrange(1_000_000):06d}")
        return event

    def other(self):
        draw = self.draw
        if draw.random() < 0.5:
            return {"kind": "cart", "product_id": f"p{draw.randrange(300)}", "action": draw.choice(("add", "remove")), "ts_ms": self.time_ms()}
        age = draw.choice((0, 1, 2, 6, 7, 30))
        return {"kind": "view", "page": f"/{draw.randrange(5)}", "product_id": f"p{draw.randrange(300)}", "category": draw.choice(("tea", None)),
                "user_id": f"u{draw.randrange(50)}", "ts_ms": self.now_ms - age * DAY_MS}

    def add_frame(self):
        edge, frame = self.draw.choice(EDGES), []
        while len(frame) < FRAME:
            number, ts_ms = self.draw.randrange(10 ** 9), self.time_ms()
            made = [self.order(number, line, ts_ms) for line in range(self.draw.randrange(1, 5))]
            made += [self.other() for _ in range(self.draw.randrange(3))]
            for event in made:
                event["edge"] = edge
            self.events += made
            frame += map(as_sent, made)
            if self.draw.random() < 0.01:
                frame.append({"product_id": "p", "quantity": 1, "unit_price": "2,55", "order_id": "x"})
                self.letters.append(("order.dlq", "bad_value", edge))
        self.frames.append((edge, frame))


class Retail:
    """Real sales; a store of its own for the two largest countries."""

    def __init__(self, path):
        self.events, self.letters, self.frames = [], [], []
        by_edge = {}
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                edge = {"United Kingdom": "berlin", "Germany": "paris"}.get(row["Country"], "new york")
                at = datetime.strptime(row["InvoiceDate"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
                event = {"kind": "order", "edge": edge, "order_id": row["InvoiceNo"], "product_id": row["StockCode"], "currency": "GBP",
                         "quantity": int(row["Quantity"]), "unit_price": Decimal(row["UnitPrice"]), "user_id": row["CustomerID"] or None,
                         "channel": "web", "ts_ms": int(at.timestamp()) * 1000}
                self.events.append(event)
                by_edge.setdefault(edge, []).append(as_sent(event))
        for edge, sent in by_edge.items():
            self.frames += [(edge, sent[i:i + FRAME]) for i in range(0, len(sent), FRAME)]


def as_sent(event):
    sent = {name: str(value) if isinstance(value, Decimal) else value for name, value in event.items()
            if value is not None and name not in ("edge", "ts_ms")}
    return {**sent, "ts": event["ts_ms"]}


def send(pipe, frames):
    senders = {edge: Sender(pipe.endpoint(edge)) for edge in pipe.edges}
    for edge, frame in frames:
        reply = senders[edge].ask(frame)
        assert reply["accepted"] + reply["invalid"] == len(frame), reply
    for sender in senders.values():
        sender.close()


def key_columns(views, name):
    return next(each["group_by"] for each in views if each["name"] == name)


def assert_shipped(client, source):
    wait_until(lambda: client.ask("status")["uncommitted"] == 0, "sums of views, which are those of the last commit", every=0.05)
    views = client.ask("views")["views"]
    expected = view_oracle.shipped(source.events, source.letters)
    for name, rows in expected.items():
        found = view_oracle.as_found(name, key_columns(views, name), client.scan(name))
        assert found == rows, name
    for each in views:
        if each["name"] in ("users", "categories"):
            field = each["group_by"][0]
            absent = sum(event["kind"] == "order" and not event.get(field) for event in source.events)
            assert each["unmatched"] == absent, each


def assert_zones(client, source):
    orders = [each for each in source.events if each["kind"] == "order"]
    for view, column, start in (("berlin_hours", "hour", lambda each: view_oracle.hour_in(each, BERLIN)),
                                ("new_york_days", "day", lambda each: view_oracle.day_in(each, NEW_YORK))):
        expected = {}
        for each in orders:
            count, total = expected.get((start(each), each["currency"]), (0, 0))
            expected[start(each), each["currency"]] = (count + 1, total + view_oracle.revenue(each))
        found = {(row[column], row["currency"]): (row["order_count"], Decimal(row["total_revenue"])) for row in client.scan(view)}
        assert found == expected, view


def assert_quantiles(client, source):
    orders = [each for each in source.events if each["kind"] == "order"]
    for row in client.scan("spread"):
        members = [each for each in orders if each["channel"] == row["channel"] and each["currency"] == row["currency"]]
        for name, millionths in (("q25", 250_000), ("q50", 500_000), ("q95", 950_000)):
            exact = view_oracle.quantile(map(view_oracle.revenue, members), millionths)
            assert abs(Decimal(row[name]) - exact) <= abs(exact) / 128, (row, name, exact)
        exact = view_oracle.quantile((each["quantity"] for each in members), 900_000)
        assert abs(row["pieces"] - exact) <= abs(exact) / 128, (row, exact)


def assert_recent(client, source):
    """Rows of the last days only; all else is expired, and nothing is lost."""
    pages = [each for each in source.events if each["kind"] == "view"]
    kept = [each for each in pages if source.now_ms - each["ts_ms"] < 3 * DAY_MS]
    expected = {}
    for each in kept:
        expected.setdefault((each["page"], view_oracle.day_in(each)), []).append(each["user_id"])
    found = {(row["page"], row["day"]): (row["view_count"], row["visitors"]) for row in client.scan("recent_pages")}
    assert found == {key: (len(users), len(set(users))) for key, users in expected.items()}
    expired = len(pages) - len(kept)
    wait_until(lambda: next(each for each in client.ask("views")["views"] if each["name"] == "recent_pages")["expired"] == expired,
               "all expired events to be counted as such", every=0.1)


def dump_of(pipe):
    pipe.aggregator.stop()
    return subprocess.run([program("till-aggregator"), *pipe.aggregator.args, "--dump"], capture_output=True, text=True, timeout=120,
                          check=True).stdout


def rebuild(pipe):
    old = pipe.client.ask("status")["as_of"]["store"]
    before = dump_of(pipe)
    pipe.aggregator.args.append("--rebuild")
    pipe.aggregator.start()
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    wait_until(lambda: pipe.client.ask("status").get("as_of", {}).get("store", old) != old, "the rebuilt store", every=0.1)
    pipe.aggregator.args.remove("--rebuild")
    assert dump_of(pipe) == before


def test_simulated_sales_are_in_every_view_to_the_cent(rig):
    """Killed on the way; then counted anew, and the same to the byte."""
    source = Simulated(7, EVENTS)
    pipe = rig(SHIPPED + OWN, EDGES)
    half = len(source.frames) // 2
    send(pipe, source.frames[:half])
    pipe.aggregator.restart()
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    send(pipe, source.frames[half:])
    pipe.wait_settled()
    assert_shipped(pipe.client, source)
    assert_zones(pipe.client, source)
    assert_quantiles(pipe.client, source)
    assert_recent(pipe.client, source)
    rebuild(pipe)


def test_real_sales_are_in_every_view_to_the_cent(rig, retail):
    source = Retail(retail[0])
    pipe = rig(SHIPPED, EDGES)
    for begin in range(0, len(source.frames), 2):  # till-devbroker forgets what is more than some megabytes old
        send(pipe, source.frames[begin:begin + 2])
        pipe.wait_settled()
    assert_shipped(pipe.client, source)


def test_a_store_with_fewer_views_gets_the_new_ones_by_itself(rig):
    """A configuration that declares more: the old views answer on, the new ones come from the log, whoever dies meanwhile."""
    source = Simulated(8, 3 * FRAME)
    pipe = rig("[view.products]\ngroup_by = product_id\nmeasures = order_count = count()\n", EDGES)
    send(pipe, source.frames)
    pipe.wait_settled()
    old = pipe.client.ask("status")["as_of"]["store"]
    assert [each["name"] for each in pipe.client.ask("views")["views"]] == ["products"]
    pipe.aggregator.stop()
    pipe.conf.write_text(SHIPPED + OWN)
    pipe.aggregator.start()
    pipe.aggregator.restart()  # kill -9: it goes on with the shadow
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    wait_until(lambda: pipe.client.ask("status").get("as_of", {}).get("store", old) != old, "the new views", every=0.1)
    assert "till_aggregator_rebuild_progress_ratio 1" in pipe.aggregator.http("/metrics")[1]
    assert_shipped(pipe.client, source)
    assert_quantiles(pipe.client, source)


@pytest.mark.parametrize("line, words", [
    ("measures = n = quantile(revenu, 0.5)", 'did you mean "revenue"?'),
    ("measures = n = quantile(revenue, 50)", "it lies between 0 and 1, as 0.95 does"),
    ("measures = n = count() where acton = add", 'did you mean "action"?'),
    ("measures = n = count()\nretain = 7d", "add day(ts) to group_by"),
    ("measures = n = count()\nretain = a week", "no time span such as 36h or 7d"),
])
def test_a_bad_declaration_is_refused_with_file_line_and_what_was_meant(tmp_path, line, words):
    conf = tmp_path / "views.conf"
    conf.write_text(f"[aggregator]\ndata = {tmp_path}\nbrokers = localhost:1\n\n[view.mine]\ngroup_by = edge\n{line}\n")
    done = subprocess.run([program("till-aggregator"), "-c", conf, "--check"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert str(conf) in done.stderr and words in done.stderr, done.stderr
    assert any(f"{conf}:{number}" in done.stderr for number in (5, 6, 7, 8)), done.stderr


# --- views that are staged ---

STAGED = """
[view.products]
group_by = product_id
measures = order_count = count(), total_quantity = sum(quantity), total_revenue = sum(revenue), dearest = max(unit_price)
where = channel != phone

[view.by_channel]
group_by = channel
measures = order_count = count(), total_revenue = sum(revenue)
"""


def staged_rig(rig, tmp_path, source):
    """Sales are counted; then views are staged and killed on the way, and read what the live ones have read."""
    pipe = rig(SHIPPED, EDGES)
    send(pipe, source.frames)
    pipe.wait_settled()
    pipe.aggregator.stop()
    (tmp_path / "staged.conf").write_text(STAGED)
    pipe.aggregator.args += ["-o", f"aggregator.stage={tmp_path / 'staged.conf'}"]
    pipe.aggregator.start()
    pipe.aggregator.restart()  # kill -9
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    wait_until(lambda: (place := pipe.client.ask("staged").get("staged")) and place["caught_up"] and not place["live_ahead"], "what is staged", every=0.1)
    return pipe


def differences(client, view):
    """What a staged view says otherwise, over all pages."""
    pages, cursor = [], {}
    while True:
        answer = client.ask("staged", view=view, limit=10000, **cursor)
        assert answer["ok"], answer
        pages.append(answer["difference"])
        if "next" not in answer:
            return pages
        cursor = {"cursor": answer["next"]}


def assert_difference(client, live, staged):
    """Against the rows that both sides show."""
    [page] = differences(client, "products")
    columns = ("order_count", "total_quantity", "total_revenue")
    rows = [{(row["product_id"], row["currency"]): {name: row[name] for name in columns} for row in side} for side in (live, staged)]
    assert page["compared"] == list(columns) and page["group_by"] == ["product_id", "currency"]
    assert page["equal"] == sum(rows[1].get(key) == row for key, row in rows[0].items())
    assert page["differing"] == sum(rows[1].get(key, row) != row for key, row in rows[0].items())
    assert page["only_live"] == len(rows[0].keys() - rows[1].keys()) and page["only_staged"] == 0
    told = {tuple(each["key"]): each for each in page["rows"]}
    assert set(told) == {key for key, row in rows[0].items() if rows[1].get(key) != row}
    assert all({name: each["live"][name] for name in columns} == rows[0][key] for key, each in told.items())
    for each in page["sums"]:
        for side, found in (("live", rows[0]), ("staged", rows[1])):
            assert Decimal(each[side]) == sum(Decimal(row[each["measure"]]) for key, row in found.items() if key[1] == each["currency"]), each


def test_staged_views_are_counted_beside_the_live_ones_and_compared(rig, tmp_path):
    """Over a kill; they are no answer of any question that does not ask for them, follow new sales, and take the live ones' place when
    they are accepted."""
    source = Simulated(9, 3 * FRAME)
    pipe = staged_rig(rig, tmp_path, source)
    client, old = pipe.client, pipe.client.ask("status")["as_of"]["store"]
    changes = {each["view"]: each["change"] for each in client.ask("staged")["staged"]["views"]}
    assert {name for name, change in changes.items() if change != "same"} == {"products", "by_channel"} and changes["by_channel"] == "new"
    assert_shipped(client, source)  # the live ones are as they were
    assert client.ask("scan", view="by_channel")["error"]["code"] == "unknown_view"
    live, staged = client.scan("products"), client.scan("products", staged=True)
    assert all("dearest" in row for row in staged) and not any("dearest" in row for row in live)
    assert_difference(client, live, staged)
    assert sum(each["order_count"] for each in client.scan("by_channel", staged=True)) == sum(each["order_count"] for each in live)
    refused = client.ask("staged", view="by_channel")
    assert refused["error"]["code"] == "bad_request" and "it is new" in refused["error"]["message"]
    send(pipe, [source.frames[0]])  # again: other certificates, other sales
    pipe.wait_settled()
    wait_until(lambda: client.ask("staged")["staged"]["live_ahead"] == 0, "the staged ones to follow", every=0.1)
    assert_difference(client, client.scan("products"), staged := client.scan("products", staged=True))
    done = till("staged", pipe.aggregator.ready["listen"][0], "--accept")
    assert done.returncode == 0, done.stderr
    assert client.ask("status")["as_of"]["store"] != old and client.scan("products") == staged
    assert client.ask("staged")["error"]["code"] == "bad_request"
    before = dump_of(pipe)
    pipe.aggregator.start()  # the file is still named: nothing is counted anew
    assert dump_of(pipe) == before


def test_staged_views_that_are_dropped_leave_nothing(rig, tmp_path):
    source = Simulated(10, FRAME)
    pipe = staged_rig(rig, tmp_path, source)
    endpoint, store = pipe.aggregator.ready["listen"][0], pipe.client.ask("status")["as_of"]["store"]
    shown = till("staged", endpoint, "--view", "products")
    assert shown.returncode == 0 and "differing" in shown.stdout, shown
    assert till("staged", endpoint, "--drop").returncode == 0
    wait_until(lambda: pipe.client.ask("staged")["ok"] is False, "nothing staged")
    assert pipe.client.ask("scan", view="products", staged=True)["error"]["code"] == "bad_request"
    assert till("staged", endpoint, "--accept").returncode == 1
    status = pipe.client.ask("status")
    assert status["as_of"]["store"] == store and status["state"] == "serving" and "staging_progress" not in status
    assert_shipped(pipe.client, source)
