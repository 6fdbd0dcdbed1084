"""Rows of a database that change, as Debezium tells it: totals are those of the table, whatever is told again or killed."""
import itertools
import os
import random
import signal
import subprocess
from collections import defaultdict
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from debezium import TYPES, Table
from harness import BUILD, DEADLINE, wait_until
from test_aggregator_faults import dump
from test_declared_sources import check, partitions_of, wait_read
from test_kill import assert_books_add_up

PARTITIONS, STEPS, KILLS = 3, 700, 3
TRUNCATED = 5000
FAILPOINTS = str(BUILD / "tests" / "lib" / "libfailpoints-preload.so")
VIEWS = """
[view.product_sales]
kind = order
group_by = product_id
measures = rows = count(), total_sold = sum(quantity), total_revenue = sum(revenue), mean = average(unit_price), middle = quantile(unit_price, 0.5)

[view.user_orders]
kind = order
group_by = user_id
measures = total_orders = count(), total_amount = sum(revenue)

[view.user_days]
kind = order
group_by = user_id, day(ts)
measures = total_orders = count()
"""


def declaration(topic, views=VIEWS, **more):
    keys = {"topic": topic, "format": "debezium", "kind": "order", "types": TYPES,
            "fields": "order_id:order_id, sku:product_id, who:user_id, n:quantity, price:unit_price, at:ts", **more}
    return "[source.shop]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) + views


def draw_row(chance):
    at = datetime(2010, 12, 1, tzinfo=timezone.utc) + timedelta(minutes=chance.randrange(40000))
    return {"order_id": chance.randrange(10 ** 6), "sku": f"p{chance.randrange(9)}", "who": f"u{chance.randrange(7)}" if chance.random() < 0.9 else None,
            "n": chance.choice((-1, 1, 2, 3)), "price": Decimal(chance.randrange(10 ** 5)) / 100, "at": int(at.timestamp()) * 10 ** 6}


def change(table, chance, number):
    if not table.rows or chance.random() < 0.4:
        table.insert(number, draw_row(chance))
        return
    name = chance.choice(list(table.rows))
    act = chance.randrange(10)
    if act < 5:
        drawn = draw_row(chance)
        table.update(name, **{column: drawn[column] for column in chance.sample(list(drawn), 2)})
    elif act < 8:
        table.delete(name)
    elif act < 9:
        table.rename(name, number)
    elif chance.random() < 0.2:
        table.snapshot()
    else:
        table.repeat(chance.randrange(1, 30))


def rows_of(text):
    """Without sums over shards: a row of a view may be in several of them."""
    return [line for line in text.splitlines() if '"row":' in line]


def sales(rows):
    sums = defaultdict(lambda: [0, 0, Decimal(0)])
    for row in rows:
        for place, share in enumerate((1, row["n"], row["n"] * row["price"])):
            sums[row["sku"]][place] += share
    return dict(sums)


def orders(rows):
    sums = defaultdict(lambda: [0, Decimal(0), date.min])
    for row in rows:
        if row["who"]:
            of = sums[row["who"]]
            day = datetime.fromtimestamp(row["at"] // 10 ** 6, timezone.utc).date()
            sums[row["who"]] = [of[0] + 1, of[1] + row["n"] * row["price"], max(of[2], day)]
    return dict(sums)


def told_sales(client):
    return {row["product_id"]: [row["rows"], row["total_sold"], Decimal(row["total_revenue"])] for row in client.scan("product_sales")}


def told_orders(client):
    last = {row["user_id"]: date.fromisoformat(row["day"]) for row in client.scan("user_days")}  # in order of days
    return {row["user_id"]: [row["total_orders"], Decimal(row["total_amount"]), last[row["user_id"]]] for row in client.scan("user_orders")}


class Shop:
    """A table, and the topic that its changes go to."""

    def __init__(self, pipe, admin, tmp_path, partitions=PARTITIONS, **more):
        self.pipe, self.admin, self.table = pipe, admin, Table(partitions)
        self.topic, self.sent = f"{pipe.prefix}shop", [0] * partitions
        admin.create(topic=self.topic, partitions=partitions)
        self.conf = tmp_path / "shop.conf"
        self.conf.write_text(declaration(self.topic, **more))

    def send(self):
        for part, log in enumerate(self.table.logs):
            if len(log) > self.sent[part]:
                self.admin.produce(topic=self.topic, partition=part, records=log[self.sent[part]:])
                self.sent[part] = len(log)

    def wait_read(self):
        wait_read(self.pipe, self.topic, sum(self.sent))

    def assert_equal(self):
        assert told_sales(self.pipe.client) == sales(self.table.rows.values())
        assert told_orders(self.pipe.client) == orders(self.table.rows.values())

    def books(self):
        return {part: sum(each[part] for each in partitions_of(self.pipe, self.topic))
                for part in ("read", "counted", "rejected", "duplicates", "foreign", "unreadable")}


def assert_sound_and_rebuilt(pipe):
    """Stops the aggregator; what a rebuild dumps is what it has, and is returned."""
    assert_books_add_up(pipe)
    status = pipe.client.ask("status")
    assert not status["problems"]
    pipe.aggregator.stop()
    before = dump(pipe)
    pipe.aggregator.args.append("--rebuild")
    pipe.aggregator.start()
    wait_until(lambda: pipe.client.ask("status").get("as_of", {}).get("store", status["as_of"]["store"]) != status["as_of"]["store"],
               "the rebuilt store switched in")
    pipe.aggregator.stop()
    pipe.aggregator.args.remove("--rebuild")
    assert dump(pipe) == before
    return before


def test_totals_follow_rows_that_change_whatever_is_told_again_or_killed(pipeline, admin, tmp_path):
    pipe, chance = pipeline(edges=(), bridges=0), random.Random(20101201)
    shop = Shop(pipe, admin, tmp_path)
    pipe.start_aggregator("-c", str(shop.conf), "-o", "aggregator.check_interval=1s")
    for number in range(STEPS):
        change(shop.table, chance, number)
        if number % (STEPS // KILLS) == 100:
            shop.send()
            wait_until(lambda: shop.books()["read"] > 0, "some were read")
            pipe.aggregator.restart()
    for name in list(shop.table.rows):
        if shop.table.rows[name]["sku"] == "p0":  # a row of a view goes for good
            shop.table.delete(name)
    shop.table.repeat(40)
    shop.table.begin_again(60)
    shop.send()
    shop.wait_read()
    shop.assert_equal()
    assert "p0" not in told_sales(pipe.client)
    books = shop.books()
    assert books["read"] == sum(shop.sent) == books["counted"] + books["duplicates"] and books["duplicates"] > PARTITIONS * 100, books
    before = assert_sound_and_rebuilt(pipe)
    (tmp_path / "four").mkdir()
    pipe.start_aggregator("-c", str(shop.conf), "-o", f"aggregator.data={tmp_path / 'four'}", "-o", "aggregator.shards=4")
    shop.wait_read()
    shop.assert_equal()
    pipe.aggregator.stop()
    assert rows_of(dump(pipe)) == rows_of(before)


def test_what_is_kept_of_a_forgotten_users_rows_names_him_no_more(pipeline, admin, tmp_path):
    pipe = pipeline(edges=(), bridges=0)
    shop, chance = Shop(pipe, admin, tmp_path), random.Random(5)
    pipe.start_aggregator("-c", str(shop.conf), "-o", "aggregator.check_interval=1s")
    for number in range(40):
        shop.table.insert(number, {**draw_row(chance), "who": "grace-hopper" if number % 2 else "u1"})
    shop.send()
    shop.wait_read()
    assert pipe.client.ask("forget", user="grace-hopper")["ok"]
    assert "grace-hopper" not in told_orders(pipe.client)
    for number in range(1, 20, 2):
        shop.table.delete(number)
    shop.table.update(21, n=3)
    shop.send()
    shop.wait_read()
    assert told_sales(pipe.client) == sales(shop.table.rows.values())
    assert set(told_orders(pipe.client)) == {"u1"}
    assert pipe.client.ask("status")["forgotten"]["held"]["user_orders"] == sum(row["who"] != "u1" for row in shop.table.rows.values())
    for number in list(shop.table.rows):
        shop.table.delete(number)
    shop.send()
    shop.wait_read()
    assert not pipe.client.scan("product_sales") and not pipe.client.scan("user_orders")
    assert not pipe.client.ask("status")["forgotten"]["held"].get("user_orders")
    pipe.aggregator.stop()
    assert not any(b"grace-hopper" in line for line in dump(pipe).encode().splitlines())


GOODS = """
[source.goods]
topic = {topic}
format = debezium
table = goods
types = price:decimal(2)

[table.goods]
key = sku as product_id
columns = price money as list_price, who
"""


class Truncated:
    """Rows that are counted, and rows of a table, of two tables that are truncated; a topic of one partition each."""

    def __init__(self, pipe, admin, tmp_path):
        self.pipe, self.admin, self.chance = pipe, admin, random.Random(11)
        self.shop, self.goods, self.topic, self.sent = Shop(pipe, admin, tmp_path, partitions=1), Table(), f"{pipe.prefix}goods", 0
        self.more = itertools.count(TRUNCATED)
        admin.create(topic=self.topic, partitions=1)
        self.shop.conf.write_text(self.shop.conf.read_text() + GOODS.format(topic=self.topic))

    def insert(self, numbers, more=0):
        for number in numbers:
            self.shop.table.insert(number, draw_row(self.chance))
            self.goods.insert(number, {"sku": f"p{number}", "price": Decimal(number + more) / 100, "who": None})

    def insert_one(self):
        self.insert([next(self.more)])
        self.send()

    def truncate(self):
        self.shop.table.truncate()
        self.goods.truncate()

    def send(self):
        self.shop.send()
        self.admin.produce(topic=self.topic, partition=0, records=self.goods.logs[0][self.sent:])
        self.sent = len(self.goods.logs[0])

    def wait_done(self):
        self.shop.wait_read()
        wait_read(self.pipe, self.topic, self.sent)
        wait_until(lambda: self.pipe.client.ask("status")["as_of"]["lag"] == 0, "all rows to go")

    def assert_equal(self):
        self.shop.assert_equal()
        told = {row["product_id"]: Decimal(row["list_price"]) for row in self.pipe.client.scan("table.goods")}
        assert told == {row["sku"]: row["price"] for row in self.goods.rows.values()}


@pytest.mark.plain_only
def test_a_truncated_table_is_let_go_whatever_kills_on_the_way(pipeline, admin, tmp_path):
    """More rows than one step of it takes, killed behind this and that commit until some kills were on the way; some rows come again
    behind it, by their old keys, and some changes of before are told again."""
    pipe = pipeline(edges=(), bridges=0)
    tables = Truncated(pipe, admin, tmp_path)
    aggregator = pipe.start_aggregator("-c", str(tables.shop.conf), "-o", "aggregator.check_interval=1s", "-o", "aggregator.commit_interval=10ms",
                                       "-o", "aggregator.overlay_size=1MiB")
    kills_on_the_way = 0
    for commit in (3, 4, 2) * 5:
        tables.insert(range(TRUNCATED))
        tables.send()
        tables.wait_done()
        aggregator.kill()
        tables.truncate()
        tables.insert(range(0, TRUNCATED, 7), more=commit)
        tables.shop.table.repeat(TRUNCATED // 5)
        tables.send()
        die_behind_a_commit(aggregator, commit, tables.insert_one)
        kills_on_the_way += is_being_let_go(pipe)
        aggregator.start()
        tables.wait_done()
        tables.assert_equal()
        tables.truncate()
        if kills_on_the_way == 2:
            break
    assert kills_on_the_way > 0
    tables.insert(range(40))
    tables.send()
    tables.wait_done()
    tables.assert_equal()
    before = assert_sound_and_rebuilt(pipe)
    (tmp_path / "four").mkdir()
    pipe.start_aggregator("-c", str(tables.shop.conf), "-o", f"aggregator.data={tmp_path / 'four'}", "-o", "aggregator.shards=4")
    tables.wait_done()
    pipe.aggregator.stop()
    assert rows_of(dump(pipe)) == rows_of(before)


def die_behind_a_commit(aggregator, number, give_more):
    """Another commit comes as long as there is something to count."""
    aggregator.env.update(LD_PRELOAD=FAILPOINTS, TILL_FAILPOINT=f"mdb_txn_commit:after:{number}")
    aggregator.start(wait_ready=False)

    def has_died():
        if aggregator.running():
            give_more()
        return not aggregator.running()
    wait_until(has_died, f"commit {number}", every=0.2)
    assert aggregator.process.wait() == -signal.SIGKILL, aggregator.log_tail()
    os.close(aggregator.ready_fd)
    for name in ("LD_PRELOAD", "TILL_FAILPOINT"):
        aggregator.env.pop(name)


def is_being_let_go(pipe):
    """Does the store say that a truncated table has rows that must go?"""
    dumped = subprocess.run(["mdb_dump", "-s", "entries.1", pipe.folder / "store" / "shard-0"], capture_output=True, text=True, check=True)
    keys = dumped.stdout.split("HEADER=END\n")[1].splitlines()[::2]
    return any(key.startswith(f" {ord('u'):x}") for key in keys)


def test_a_truncated_table_is_named_with_what_to_do(pipeline, admin, tmp_path):
    pipe = pipeline(edges=(), bridges=0)
    shop = Shop(pipe, admin, tmp_path)
    pipe.start_aggregator("-c", str(shop.conf))
    row = draw_row(random.Random(1))
    shop.table.insert(1, row)
    shop.table.truncate()
    shop.send()
    shop.wait_read()
    problems = pipe.client.ask("status")["problems"]
    assert len(problems) == 1 and "source shop was truncated" in problems[0] and "new topic of one partition" in problems[0], problems
    assert pipe.client.ask("status")["state"] == "broken"
    assert shop.books()["unreadable"] == 1 and len(told_sales(pipe.client)) == 1


def test_a_view_that_can_not_follow_changes_is_refused_by_name(tmp_path):
    def words(views):
        code, said = check(tmp_path, declaration("shop", views=views))
        assert code == 2
        return said

    assert check(tmp_path, declaration("shop"))[0] == 0
    said = words(VIEWS + "\n[view.last]\nkind = order\ngroup_by = user_id\nmeasures = n = count(), last_order = last(ts)\n")
    assert "bad.conf:26" in said and "last_order" in said and "[source.shop]" in said, said
    said = words(VIEWS + "\n[view.week]\nkind = order\ngroup_by = day(ts)\nmeasures = n = count()\nretain = 7d\n")
    assert "retain" in said and "[source.shop]" in said, said
    said = words(VIEWS + "\n[view.purchases]\nkind = basket\ngroup_by = channel\nmeasures = n = count()\n")
    assert "a closed basket" in said and "[source.shop]" in said, said
    said = words("")  # the shipped views
    assert "can't be taken back" in said, said
    assert check(tmp_path, declaration("shop", views="", kind="view", types="at:timestamp_us", fields="sku:product_id, at:ts"))[0] == 0
