"""Tables: the newest row of each key of a topic, asked, watched, deleted, and the same after a kill, a rebuild, over more shards."""
import csv
import json
import subprocess

import pytest
from cluster import Admin
from harness import DEADLINE, Pipeline, Program, program, wait_until
from test_aggregator_faults import dump

PARTITIONS = 2
DECLARED = """
[table.users]
key = user_id
columns = country, first_seen time as since, credit money
[source.people]
topic = users
format = plain
table = users

[table.products]
key = sku as product_id
columns = "item name" as name, sort as category
[source.goods]
topic = goods
format = plain
table = products
"""


@pytest.fixture
def devbroker(tmp_path):
    made = Program("till-devbroker", ["-o", f"devbroker.partitions={PARTITIONS}", "-o",
                                      "devbroker.topics=orders,cart_events,page_views,users,goods"], tmp_path / "devbroker.log")
    yield made
    made.kill()


@pytest.fixture
def hand(devbroker, tmp_path):
    made = Admin(devbroker.ready["bootstrap"], tmp_path / "hand.log")
    yield made
    made.close()


class Rows:
    """Records of one table's topic, and what must be in it."""

    def __init__(self, hand, topic, key):
        self.hand, self.topic, self.key = hand, topic, key
        self.rows, self.waiting, self.count = {}, [[] for _ in range(PARTITIONS)], 0

    def put(self, key, row):
        """row None: a deletion."""
        self.waiting[sum(key.encode()) % PARTITIONS].append((key.encode(), b"" if row is None else json.dumps({self.key: key, **row}).encode()))
        self.count += 1
        self.rows.pop(key, None)
        if row is not None:
            self.rows[key] = row

    def send(self):
        for partition, records in enumerate(self.waiting):
            self.hand.produce(topic=self.topic, partition=partition, records=records)
        self.waiting = [[] for _ in range(PARTITIONS)]


def wait_read(client, *topics):
    def read(topic):
        return sum(each["next"] for each in client.ask("status").get("partitions", ()) if each["topic"] == topic.topic)
    for topic in topics:
        wait_until(lambda each=topic: read(each) == each.count, f"{topic.count} records of {topic.topic} read")


def start(tmp_path, devbroker, name, *more):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "tables.conf").write_text(DECLARED)
    pipe = Pipeline(folder, devbroker.ready["bootstrap"], "", edges=(), partitions=PARTITIONS)
    pipe.start_aggregator("-c", str(folder / "tables.conf"), *more)
    return pipe


def people(client):
    return {row["user_id"]: row for row in client.scan("table.users")}


def test_tables_hold_the_newest_row_of_each_key(tmp_path, devbroker, hand, retail):
    users, goods = Rows(hand, "users", "user_id"), Rows(hand, "goods", "sku")
    with open(retail[0], encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if users.count > 3000:
                break
            if line["CustomerID"]:
                users.put(line["CustomerID"], {"country": line["Country"], "first_seen": line["InvoiceDate"], "credit": line["UnitPrice"]})
            goods.put(line["StockCode"], {"item name": line["Description"], "sort": line["StockCode"][:2]})
    for key in sorted(users.rows)[::7]:
        users.put(key, None)
    for key in sorted(goods.rows)[::11]:
        goods.put(key, None)
    users.send()
    pipe = start(tmp_path, devbroker, "one")
    try:
        goods.send()
        client = pipe.client
        wait_read(client, users, goods)
        got = people(client)
        assert set(got) == set(users.rows)
        for key, row in users.rows.items():
            assert got[key] == {"user_id": key, "country": row["country"], "since": row["first_seen"].replace(" ", "T") + ".000Z",
                                "credit": got[key]["credit"]}
            assert float(got[key]["credit"]) == float(row["credit"])
        assert {row["product_id"]: (row["name"], row["category"]) for row in client.scan("table.products")} == {
            key: (row["item name"] or None, row["sort"]) for key, row in goods.rows.items()}
        answered = {each["name"]: each for each in client.ask("tables")["tables"]}
        assert answered["users"]["stored_rows"] == len(users.rows) and answered["products"]["key"] == ["product_id"]
        # asked as a view is
        some = sorted(users.rows)[5]
        assert client.rows("get", table="users", key=[some]) == [got[some]]
        assert client.rows("get", table="users", key=["nobody"]) == []
        british = [row for row in got.values() if row["country"] == "United Kingdom" and float(row["credit"]) > 2]
        asked = client.rows("scan", table="users", limit=10000, order_by=[{"by": "credit", "order": "desc"}, {"by": "user_id"}],
                            where=[{"field": "country", "op": "=", "value": "United Kingdom"}, {"field": "credit", "op": ">", "value": "2"}])
        assert asked == sorted(british, key=lambda row: (-float(row["credit"]), row["user_id"]))
        best = client.rows("top", table="users", by="credit", limit=1)[0]
        assert float(best["credit"]) == max(float(row["credit"]) for row in got.values())
        # a kill, and a change after it
        pipe.aggregator.kill()
        users.put(some, {"country": "Norway"})
        users.put("new", {"country": "Iceland"})
        users.put(sorted(users.rows)[0], None)
        users.send()
        pipe.aggregator.start()
        wait_read(client, users, goods)
        assert set(people(client)) == set(users.rows) and people(client)[some]["country"] == "Norway"
        assert people(client)[some]["credit"] is None
        pipe.aggregator.stop()
        before = dump(pipe)
        assert before.count('{"table":"users"') == len(users.rows)
        # a rebuild, and as many shards as partitions
        pipe.aggregator.start()
        store = client.ask("status")["as_of"]["store"]
        pipe.aggregator.stop()
        pipe.aggregator.args.append("--rebuild")
        pipe.aggregator.start()
        wait_until(lambda: client.ask("status").get("as_of", {}).get("store", store) != store, "the rebuilt store switched in")
        pipe.aggregator.stop()
        pipe.aggregator.args.remove("--rebuild")
        assert dump(pipe) == before
    finally:
        pipe.stop()
    pipe = start(tmp_path, devbroker, "shards", "-o", "aggregator.shards=4")
    try:
        wait_read(pipe.client, users, goods)
        pipe.aggregator.stop()
        assert dump(pipe) == before
    finally:
        pipe.stop()


def check(tmp_path, text):
    path = tmp_path / "bad.conf"
    path.write_text(text)
    done = subprocess.run([program("till-aggregator"), "-c", str(path), "-o", "aggregator.data=/x", "-o", "aggregator.brokers=x", "--check"],
                          capture_output=True, text=True, timeout=DEADLINE, check=False)
    return done.returncode, done.stderr


def test_a_bad_table_is_refused_before_anything_starts(tmp_path):
    assert check(tmp_path, DECLARED)[0] == 0
    for wrong, right, line, words in (
            ("money", "mony", 4, 'did you mean "money"?'), ("table = users", "table = usres", None, 'did you mean "users"?'),
            ("key = user_id", "keys = user_id", 3, "a table has key and columns"),
            ("sku as product_id", "sku money", 11, "columns of a key are text")):
        code, said = check(tmp_path, DECLARED.replace(wrong, right, 1))
        assert code == 2 and words in said and (line is None or f"bad.conf:{line}" in said), said
