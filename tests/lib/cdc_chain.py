"""PostgreSQL, Debezium in several modes at once, Kafka and an aggregator, set up as docs/CDC.md says; and what SQL, the topics and
the aggregator say of the same tables."""
import base64
import contextlib
import json
import re
import signal
import subprocess
from decimal import Decimal

from broker_faults import rebuilt_dump
from connect import Connect
from harness import ROOT, program, till, wait_until

TEXT = (ROOT / "docs" / "CDC.md").read_text()
CATCH_UP = 240.0
USERS, PRODUCTS = 30, 12
JSON = "org.apache.kafka.connect.json.JsonConverter"
BARE = {"key.converter": JSON, "key.converter.schemas.enable": "false", "value.converter": JSON, "value.converter.schemas.enable": "false"}
TRUNCATING = {"skipped.operations": "none", "topic.creation.default.partitions": "1"}
# How a connector may write: what is set at it, and what then must be declared of (orders, order_details).
MODES = {
    "rich": ({}, ("", "")),
    "bare": (BARE, ("amount:decimal(2), order_date:timestamp_us", "unit_price:decimal(2)")),
    "text": ({**BARE, **TRUNCATING, "decimal.handling.mode": "string", "time.precision.mode": "connect"},
             ("amount:text, order_date:timestamp_ms", "unit_price:text")),
}
TABLES = ("orders", "order_details")
USER_ORDERS = """SELECT user_id, count(order_id), coalesce(sum(amount), 0), to_char(max(order_date), 'YYYY-MM-DD"T"HH24:MI'), name, country
                 FROM customers LEFT JOIN orders USING (user_id) GROUP BY user_id"""
PRODUCT_SALES = "SELECT product_id, sum(quantity), sum(quantity * unit_price) FROM order_details GROUP BY product_id"
# Changes of many rows at once, of keys too; each leaves tables that can be changed further.
REWRITES = (
    "UPDATE orders SET order_id = -order_id WHERE order_id % 3 = 0",
    "UPDATE order_details SET order_id = -order_id, unit_price = unit_price + 0.01 WHERE order_id % 3 = 0",
    "DELETE FROM order_details WHERE product_id = (SELECT min(product_id) FROM order_details)",
    "DELETE FROM orders WHERE user_id = 1 + (SELECT count(*) FROM orders) % 30",
    "UPDATE orders SET amount = -99999999.99, order_date = '1999-12-31 23:59' WHERE order_id = (SELECT max(order_id) FROM orders)",
    "UPDATE orders SET user_id = 1 + user_id % 5 WHERE order_id % 2 = 0",
    "INSERT INTO customers VALUES (-1, 'never orders', 'Österreich') ON CONFLICT (user_id) DO UPDATE SET name = customers.name || '!'",
    "BEGIN; DELETE FROM orders; ROLLBACK",
    "BEGIN; CREATE TEMP TABLE kept AS SELECT * FROM order_details; DELETE FROM order_details; INSERT INTO order_details SELECT * FROM kept; COMMIT",
)


def declarations(prefixes):
    """The page's sources and views, once for each mode."""
    text = re.search(r"```ini\n\[aggregator\].*?\n\n(.*?)```", TEXT, re.S)[1]
    for mode, prefix in prefixes.items():
        mine = re.sub(r"^\[(source|view|table)\.(\w+)\]", rf"[\1.\2_{mode}]", text, flags=re.M)
        mine = re.sub(r"(edge|^table) = (\w+)", rf"\1 = \2_{mode}", mine, flags=re.M).replace("= shop.", f"= {prefix}.")
        for table, types in zip(TABLES, MODES[mode][1]):
            if types:
                mine = re.sub(rf"^(topic = {prefix}\.public\.{table})$", rf"\1\ntypes = {types}", mine, flags=re.M)
        yield mine


def by_sql(database):
    users = {user: (int(count), Decimal(amount), *more) for user, count, amount, *more in database.sql(USER_ORDERS)}
    return users, {product: (int(sold), Decimal(revenue)) for product, sold, revenue in database.sql(PRODUCT_SALES)}


def by_till(client, mode):
    last = {row["user_id"]: row["minute"] for row in client.scan(f"user_order_minutes_{mode}")}  # a user's rows are in order of time
    users = {row["user_id"]: (row["total_orders"], Decimal(row["total_amount"]), last.get(row["user_id"]), row["name"], row["country"])
             for row in client.scan(f"user_orders_{mode}", join=f"customers_{mode}", with_missing=True)}
    return users, {row["product_id"]: (row["total_sold"], Decimal(row["total_revenue"])) for row in client.scan(f"product_sales_{mode}")}


def simulate(database, *args):
    done = till("simulate", "--to", database.address, "--users", USERS, "--products", PRODUCTS, "--rate", 0, *args, deadline=180)
    assert done.returncode == 0, done.stderr


def amount_of(value):
    """As `precise` or `string` writes what has two places."""
    text = re.fullmatch(r"-?\d+\.\d\d", value)
    return Decimal(value) if text else Decimal(int.from_bytes(base64.b64decode(value), "big", signed=True)) / 100


def difference(told, wanted):
    """Of two dicts: how many keys differ, and some of them with both values."""
    keys = [key for key in {**told, **wanted} if told.get(key) != wanted.get(key)]
    return f"{len(keys)} of {len(wanted)} differ: {[(key, told.get(key), wanted.get(key)) for key in keys[:5]]}" if keys else ""


class Chain:
    def __init__(self, pipe, database, admin):
        self.pipe, self.database, self.working = pipe, database, None
        simulate(database, "--seed", 1, "--count", 100)  # what the snapshot finds
        self.prefixes = {mode: f"{pipe.prefix}{mode}" for mode in MODES}
        self.connect = Connect(pipe.folder / "connect", pipe.bootstrap, database,
                               {mode: (self.prefixes[mode], MODES[mode][0]) for mode in MODES})
        self.connect.start()
        self.connect.wait_streaming()
        wanted = {self.topic(mode, table) for mode in MODES for table in (*TABLES, "customers")}
        wait_until(lambda: wanted <= set(admin.leaders(prefix=pipe.prefix)), "topics of the tables", 120, every=0.2)
        conf = pipe.folder / "sources.conf"
        conf.write_text("\n".join(declarations(self.prefixes)))
        pipe.start_aggregator("-c", str(conf))

    def topic(self, mode, table):
        return f"{self.prefixes[mode]}.public.{table}"

    @contextlib.contextmanager
    def changing(self, rate, seed):
        """Transactions all the while, so many a second."""
        self.working = subprocess.Popen([program("till"), "simulate", "--to", self.database.address, "--users", str(USERS), "--products",
                                         str(PRODUCTS), "--rate", str(rate), "--seed", str(seed)], stdout=subprocess.DEVNULL)
        try:
            yield
            self.working.send_signal(signal.SIGINT)
            assert self.working.wait(60) == 0
        finally:
            self.working.kill()
            self.working.wait(60)

    def wait_changes(self):
        """Until the aggregator has read some that it had not."""
        before = self.pipe.books("read")
        wait_until(lambda: self.pipe.books("read") > before + 20, "changes to arrive", CATCH_UP, every=0.1)

    def is_equal(self):
        wanted = by_sql(self.database)
        return all(by_till(self.pipe.client, mode) == wanted for mode in MODES)

    def assert_equal(self):
        """Nobody changes the tables any more: sooner or later the totals are SQL's, and stay so when all is read."""
        with contextlib.suppress(AssertionError):
            wait_until(self.is_equal, "totals as SQL has them", CATCH_UP, every=0.3)
        for mode in MODES:
            self.assert_topics_hold_the_tables(mode)
            for told, wanted in zip(by_till(self.pipe.client, mode), by_sql(self.database)):
                assert not (found := difference(told, wanted)), f"{mode}: totals: {found}"

    def assert_truncation_is_followed(self, mode="text"):
        """By the one whose connector tells of it, in topics of one partition; rows come behind it, under keys of before."""
        self.database.sql("CREATE TABLE kept AS SELECT * FROM order_details WHERE order_id % 2 = 0")
        self.database.sql("TRUNCATE order_details")
        self.database.sql("INSERT INTO order_details SELECT * FROM kept")
        wanted = by_sql(self.database)
        wait_until(lambda: by_till(self.pipe.client, mode) == wanted, "totals without what was truncated", CATCH_UP, every=0.3)

    def rows_in_log(self, mode, table):
        """{key: row} as the topic's records leave them, read without any of till."""
        done = subprocess.run(["kcat", "-C", "-e", "-q", "-o", "beginning", "-b", self.pipe.bootstrap, "-t", self.topic(mode, table),
                               "-f", "%k\t%s\n"], capture_output=True, text=True, timeout=120, check=True)
        rows = {}
        for line in done.stdout.splitlines():
            key, value = (json.loads(part) if part else None for part in line.split("\t"))
            if value is None:
                continue  # a tombstone
            key, value = (part.get("payload", part) for part in (key, value))
            if value["op"] == "d":
                rows.pop(tuple(key.values()), None)
            else:
                rows[tuple(key.values())] = value["after"]
        return rows

    def assert_topics_hold_the_tables(self, mode):
        """So that a difference is known for Debezium's or for ours."""
        told = {key: (row["user_id"], amount_of(row["amount"])) for key, row in self.rows_in_log(mode, "orders").items()}
        wanted = {(int(order),): (int(user), Decimal(amount)) for order, user, amount in
                  self.database.sql("SELECT order_id, user_id, amount FROM orders")}
        assert not (found := difference(told, wanted)), f"{mode}: topic of orders: {found}\n{self.connect.log_tail()}"
        told = {key: (row["product_id"], row["quantity"], amount_of(row["unit_price"]))
                for key, row in self.rows_in_log(mode, "order_details").items()}
        wanted = {(int(order), int(line)): (product, int(quantity), Decimal(price)) for order, line, product, quantity, price in
                  self.database.sql("SELECT order_id, line, product_id, quantity, unit_price FROM order_details")}
        assert not (found := difference(told, wanted)), f"{mode}: topic of order_details: {found}\n{self.connect.log_tail()}"

    def assert_rebuild_is_the_same(self):
        def dump():
            return subprocess.run([program("till-aggregator"), *self.pipe.aggregator.args, "--dump"], capture_output=True, text=True,
                                  timeout=120, check=True).stdout
        before, after = rebuilt_dump(self.pipe, dump)
        assert before == after

    def close(self):
        self.connect.close()
