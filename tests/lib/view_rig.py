"""Sales of any kind, sent to a pipeline, and every declared view held against view_oracle.py: for tests/system/test_views.py and
bench/long_views.py."""
import csv
import random
import subprocess
import time
from datetime import datetime, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import view_oracle
from harness import DEADLINE, ROOT, Client, Sender, program, wait_until

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


def money(text):
    return Decimal(text).quantize(Decimal("0.000001"))


class Simulated:
    """Orders of several lines, returns, late ones, carts and page views, in two currencies around both changes of clocks; some invalid."""

    def __init__(self, seed, count):
        self.draw = random.Random(seed)
        self.now_ms = int(time.time() * 1000)
        self.events, self.letters, self.frames, self.numbers = [], [], [], {}
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

    def number(self, edge):
        """Of an order; now and then of an earlier one, of which more lines come."""
        earlier = self.numbers.setdefault(edge, [])
        if not earlier or self.draw.random() < 0.97:
            earlier.append(self.draw.randrange(10 ** 9))
            return earlier[-1]
        return self.draw.choice(earlier)

    def add_frame(self):
        edge, frame = self.draw.choice(EDGES), []
        while len(frame) < FRAME:
            number, ts_ms = self.number(edge), self.time_ms()
            made = [self.order(number, line, ts_ms) for line in range(self.draw.randrange(1, 5))]
            made += [self.other() for _ in range(self.draw.randrange(3))]
            for event in made:
                event["edge"] = edge
            self.events += made
            frame += made
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
                by_edge.setdefault(edge, []).append(event)
        for edge, sent in by_edge.items():
            self.frames += [(edge, sent[i:i + FRAME]) for i in range(0, len(sent), FRAME)]


def as_sent(event):
    """As a producer writes it; what is none of ours goes as it is."""
    if "ts_ms" not in event:
        return event
    sent = {name: str(value) if isinstance(value, Decimal) else value for name, value in event.items()
            if value is not None and name not in ("edge", "ts_ms")}
    return {**sent, "ts": event["ts_ms"]}


def send(pipe, frames):
    senders = {edge: Sender(pipe.endpoint(edge)) for edge in pipe.edges}
    for edge, frame in frames:
        reply = senders[edge].ask([as_sent(event) for event in frame])
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
    return subprocess.run([program("till-aggregator"), *pipe.aggregator.args, "--dump"], capture_output=True, text=True, timeout=600,
                          check=True).stdout


def rebuild(pipe, deadline=DEADLINE):
    """Counts all anew: the dump is the same."""
    old = pipe.client.ask("status")["as_of"]["store"]
    before = dump_of(pipe)
    pipe.aggregator.args.append("--rebuild")
    pipe.aggregator.start()
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    wait_until(lambda: pipe.client.ask("status").get("as_of", {}).get("store", old) != old, "the rebuilt store", deadline, every=0.1)
    pipe.aggregator.args.remove("--rebuild")
    assert dump_of(pipe) == before
