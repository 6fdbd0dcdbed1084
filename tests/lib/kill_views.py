"""What is in play beside sales while everything is killed (kill_rig.py): tables of a database whose rows change, as Debezium tells
it, in topics of their own; and every view that is shipped, computed from the log by view_oracle.py.

  wishes  rows that count as cart events; three partitions
  looks   rows that count as page views; one partition, so that they can be truncated
  goods   rows of [table.goods]; likewise
"""
import itertools
import json
import random
from collections import Counter, defaultdict
from decimal import Decimal

import basket_rig
import view_oracle
from debezium import Table
from harness import ROOT, till, wait_until

HORIZON_MS, MEMORY_MS = 1000, 3_600_000
TRIES = 10  # of half a minute each
BATCH = 40  # changes between two looks at the log
DECLARED = """
[source.wishes]
topic = {prefix}wishes
format = debezium
kind = cart
fields = sku:product_id, act:action, n:quantity, who:user_id, at:ts
types = at:timestamp_us

[source.looks]
topic = {prefix}looks
format = debezium
kind = view
fields = sku:product_id, sort:category, who:user_id, at:ts
types = at:timestamp_us

[source.goods]
topic = {prefix}goods
format = debezium
table = goods
fields = id:id, title:name, price:price
types = price:decimal(2)

[table.goods]
key = id as product_id
columns = name, price money as list_price

[view.wished]
kind = cart
group_by = user_id, day(ts)
measures = rows = count(), pieces = sum(quantity), mean = average(quantity), half = quantile(quantity, 0.5)
where = edge = wishes

[view.looked]
kind = view
group_by = category
measures = rows = count(), in_tea = count() where product_id = p1
where = edge = looks
"""
SOURCES = {"wishes": (3, "cart"), "looks": (1, "view"), "goods": (1, None)}  # partitions, kind
OPTIONS = [f"aggregator.basket_horizon={HORIZON_MS}ms", f"aggregator.basket_memory={MEMORY_MS}ms"]


def write_conf(folder, prefix):
    path = folder / "everything.conf"
    path.write_text((ROOT / "deploy" / "views.conf").read_text() + DECLARED.format(prefix=prefix))
    return path


class Tables:
    """Changes of rows, told in batches: now and then what was told comes again, as from a connector that was killed."""

    ACTS = {"insert": 8, "update": 8, "delete": 5, "rename": 2, "repeat": 0.4, "snapshot": 0.1, "truncate": 0.3}

    def __init__(self, admin, prefix, seed, copies=1):
        self.admin, self.prefix, self.chance = admin, prefix, random.Random(seed)
        self.tables = {name: Table(partitions) for name, (partitions, _) in SOURCES.items()}
        self.sent = {name: [0] * partitions for name, (partitions, _) in SOURCES.items()}
        self.streamed = {name: [0] * partitions for name, (partitions, _) in SOURCES.items()}  # from where on it may be told again
        self.numbers, self.acts = itertools.count(1), Counter()
        for topic, partitions in self.topics().items():
            admin.create(topic=topic, partitions=partitions, copies=copies)

    def topics(self):
        return {self.prefix + name: partitions for name, (partitions, _) in SOURCES.items()}

    def draw_row(self):
        draw = self.chance
        return {"sku": f"p{draw.randrange(12)}", "price": Decimal(draw.randrange(10 ** 5)) / 100, "title": f"name {draw.randrange(10 ** 6)}",
                "who": f"u{draw.randrange(30)}" if draw.random() < 0.9 else None, "at": (1_291_000_000 + draw.randrange(10 ** 6)) * 10 ** 6,
                "act": draw.choice(("add", "remove")), "n": draw.choice((1, 2, 3, 40)), "sort": draw.choice(("tea", "salt", None))}

    def draw_key(self, name):
        """Rows of the table are named by what names a product, others by a number that no row had before."""
        return f"p{self.chance.randrange(200)}" if name == "goods" else next(self.numbers)

    def change(self, name):
        table, key = self.tables[name], self.draw_key(name)
        act = self.chance.choices(list(self.ACTS), list(self.ACTS.values()))[0]
        if act == "insert" and key in table.rows:
            act = "update"
        elif (act in ("update", "delete") and not table.rows) or (act == "rename" and (not table.rows or key in table.rows)):
            act = "repeat"
        elif act == "truncate" and len(table.logs) > 1:
            act = "snapshot"
        getattr(self, act)(name, table, key)
        self.acts[act] += 1

    def insert(self, _, table, key):
        table.insert(key, self.draw_row())

    def update(self, _, table, __):
        table.update(self.chance.choice(list(table.rows)), **self.draw_row())

    def delete(self, _, table, __):
        table.delete(self.chance.choice(list(table.rows)))

    def rename(self, _, table, key):
        table.rename(self.chance.choice(list(table.rows)), key)

    def truncate(self, _, table, __):
        table.truncate()

    def snapshot(self, name, table, _):
        """What was streamed before a snapshot is never told again behind it."""
        self.send()
        self.streamed[name] = list(map(len, table.logs))
        table.snapshot()

    def repeat(self, name, table, _):
        count = self.chance.randrange(1, 30)
        for log, start in zip(table.logs, self.streamed[name]):
            log.extend(log[max(start, len(log) - count):])

    def send(self):
        """Where Kafka did not answer for all, all of it comes again: that, too, is what a connector does."""
        for name, table in self.tables.items():
            for part, log in enumerate(table.logs):
                at = self.sent[name][part]
                if len(log) > at:
                    self.produce(self.prefix + name, part, log[at:])
                self.sent[name][part] = len(log)

    def produce(self, topic, partition, records):
        for left in reversed(range(TRIES)):
            try:
                return self.admin.produce(topic=topic, partition=partition, records=records, ordered=True)
            except AssertionError:
                if not left:
                    raise
                self.acts["sent again"] += 1

    def step(self, changes=BATCH):
        for _ in range(changes):
            self.change(self.chance.choice(list(self.tables)))
        self.send()

    def events(self):
        """The rows that there are, as the events that they count as."""
        for name, (_, kind) in SOURCES.items():
            for row in self.tables[name].rows.values() if kind else ():
                common = {"kind": kind, "edge": name, "product_id": row["sku"], "user_id": row["who"], "ts_ms": row["at"] // 1000}
                yield {**common, **({"action": row["act"], "quantity": row["n"]} if kind == "cart" else {"category": row["sort"]})}

    def goods(self):
        return {key: (row["title"], row["price"]) for key, row in self.tables["goods"].rows.items()}


# ---- the log, and what follows from it


class Log:
    """What Kafka holds of what edges took: each certificate once, the first record of it; and the baskets that follow from when it was
    appended where."""

    def __init__(self, pipe):
        self.pipe, self.seen = pipe, set()
        self.events, self.letters = [], []
        self.baskets = view_oracle.Baskets(HORIZON_MS, MEMORY_MS)
        for topic in ("orders", "cart_events", "page_views"):
            for record in self.records(topic):
                self.read(topic, record)
            for record in self.records(topic + ".dlq"):
                self.read_letter(record["headers"])

    def records(self, topic):
        shown = till("tail", self.pipe.prefix + topic, "--brokers", self.pipe.bootstrap, "--from", "beginning", "--until-end", "--json")
        assert shown.returncode == 0, shown
        read = [json.loads(line, parse_float=Decimal) for line in shown.stdout.splitlines()]
        return sorted(read, key=lambda each: (each["partition"], each["offset"]))

    def is_new(self, *certificate):
        is_new = certificate not in self.seen
        self.seen.add(certificate)
        return is_new

    def read(self, topic, record):
        event = {name: Decimal(value) if name in ("unit_price", "amount") else value for name, value in record["event"].items()}
        is_new = self.is_new(topic, event["edge"], event["run"], event["seq"])
        if topic == "orders":
            self.baskets.pass_time(record["partition"], record["timestamp_ms"])
        if not is_new:
            return
        self.events.append({**event, "ts_ms": event["ts"]})
        if topic == "orders":
            self.baskets.read(record["partition"], record["timestamp_ms"], event)

    def read_letter(self, headers):
        if self.is_new("letter", headers["till.edge"], headers["till.run"], headers["till.kind"], headers["till.seq"]):
            self.letters.append((headers["till.kind"], headers["__connect.errors.exception.class.name"], headers["till.edge"]))


def assert_views(client, log, tables):
    """Every shipped view but baskets, those of changed rows, and the table."""
    rows = list(tables.events())
    columns = {each["name"]: each["group_by"] for each in client.ask("views")["views"]}
    for name, wanted in view_oracle.shipped([*log.events, *rows], log.letters).items():
        assert view_oracle.as_found(name, columns[name], client.scan(name)) == wanted, name
    assert_wished(client, [each for each in rows if each["kind"] == "cart"])
    looked = defaultdict(list)
    for each in rows:
        if each["kind"] == "view" and each["category"]:
            looked[each["category"]].append(each["product_id"])
    told = {row["category"]: (row["rows"], row["in_tea"]) for row in client.scan("looked")}
    assert told == {sort: (len(each), each.count("p1")) for sort, each in looked.items()}
    told = {row["product_id"]: (row["name"], Decimal(row["list_price"])) for row in client.scan("table.goods")}
    assert told == tables.goods()


def assert_wished(client, carts):
    wished = defaultdict(list)
    for each in carts:
        if each["user_id"]:
            wished[each["user_id"], view_oracle.day_in(each)].append(each["quantity"])
    told = {(row["user_id"], row["day"]): (row["rows"], row["pieces"], Decimal(row["mean"]), row["half"]) for row in client.scan("wished")}
    assert told == {key: (len(each), sum(each), view_oracle.average(list(map(Decimal, each))), view_oracle.quantile(each, 500_000))
                    for key, each in wished.items()}


def assert_baskets(client, log):
    basket_rig.wait_closed(client, log.baskets)
    basket_rig.assert_rows(client, log.baskets)
