"""Tables: the newest row of each key of a topic, asked, watched, deleted, and the same after a kill, a rebuild, over more shards."""
import csv
import json
import random
import subprocess
from collections import defaultdict
from decimal import Decimal

import pytest
from cluster import Admin
from harness import DEADLINE, Pipeline, Program, program, till, wait_until
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
SLIPS = """
[source.slips]
topic = slips
format = plain
kind = order
fields = bon:order_id, sku:product_id, who:user_id, eur:amount, cur:currency
"""


@pytest.fixture
def devbroker(tmp_path):
    made = Program("till-devbroker", ["-o", f"devbroker.partitions={PARTITIONS}", "-o",
                                      "devbroker.topics=orders,cart_events,page_views,users,goods,slips"], tmp_path / "devbroker.log")
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


def start(tmp_path, devbroker, name, *more, declared=DECLARED):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "tables.conf").write_text(declared)
    pipe = Pipeline(folder, devbroker.ready["bootstrap"], "", edges=(), partitions=PARTITIONS, bridges=0)
    pipe.start_aggregator("-c", str(folder / "tables.conf"), *more)
    return pipe


def people(client):
    return {row["user_id"]: row for row in client.scan("table.users")}


def forget(pipe, users, *names):
    """Who is forgotten is in no table, and what comes of him does not bring him back."""
    there = set(people(pipe.client))
    for name in names:
        done = till("forget", pipe.aggregator.ready["listen"][0], name)
        assert done.returncode == 0 and name in there and "forgotten: 1 rows" in done.stdout, done
        users.rows.pop(name, None)
    for name in names:
        users.put(name, {"country": "Atlantis"})
        users.rows.pop(name)
    users.send()
    wait_read(pipe.client, users)
    answered = {each["name"]: each for each in pipe.client.ask("tables")["tables"]}
    assert set(people(pipe.client)) == set(users.rows) and answered["users"]["stored_rows"] == len(users.rows)


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
        gone = sorted(users.rows)[2:6:2]
        forget(pipe, users, *gone)
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
        forget(pipe, users, *gone)
        pipe.aggregator.stop()
        assert dump(pipe) == before
    finally:
        pipe.stop()


def pages(client, **question):
    """All rows of a scan, a few a page."""
    rows, cursor = [], {}
    while True:
        answer = client.ask("scan", limit=7, **question, **cursor)
        assert answer["ok"], answer
        rows += answer["rows"]
        if "next" not in answer:
            return rows
        cursor = {"cursor": answer["next"]}


def test_answers_carry_what_tables_say_and_zeros_for_whom_there_is_nothing(tmp_path, devbroker, hand):
    chance = random.Random(20101201)
    users, goods = Rows(hand, "users", "user_id"), Rows(hand, "goods", "sku")
    for number in range(60):
        users.put(f"u{number:02}", {"country": chance.choice(("Norway", "Iceland")), "credit": f"{number}.50"})
    for number in range(30):
        goods.put(f"p{number:02}", {"item name": f"thing {number}", "sort": chance.choice(("toys", "food", ""))})
    users.put("u07", None)
    goods.put("p03", None)
    sales = [{"bon": f"b{number}", "sku": f"p{chance.randrange(33):02}", "who": f"u{chance.randrange(70):02}",
              "eur": f"{chance.randrange(9999)}.25", "cur": chance.choice(("EUR", "GBP"))} for number in range(150)]
    users.send()
    goods.send()
    for part in range(PARTITIONS):
        hand.produce(topic="slips", partition=part, records=[(b"", json.dumps(sale).encode()) for sale in sales[part::PARTITIONS]])
    slips = Rows(hand, "slips", "bon")
    slips.count = len(sales)
    spent, sorts, lines = defaultdict(Decimal), defaultdict(Decimal), defaultdict(int)
    for sale in sales:
        spent[sale["who"], sale["cur"]] += Decimal(sale["eur"])
        lines[sale["who"], sale["cur"]] += 1
        sorts[goods.rows.get(sale["sku"], {}).get("sort") or None, sale["cur"]] += Decimal(sale["eur"])
    bought = {who for who, _ in spent}
    every = sorted([(who, cur, lines[who, cur], amount) for (who, cur), amount in spent.items()] +
                   [(who, "", 0, Decimal(0)) for who in users.rows if who not in bought])
    for shards in (1, 4):
        pipe = start(tmp_path, devbroker, f"shards-{shards}", "-o", f"aggregator.shards={shards}", declared=DECLARED + SLIPS)
        try:
            client = pipe.client
            wait_read(client, users, goods, slips)
            rows = pages(client, view="users", join="users", with_missing=True)
            assert [(row["user_id"], row["currency"] or "", row["order_count"], Decimal(row["total_revenue"])) for row in rows] == every
            for row in rows:
                known = users.rows.get(row["user_id"])
                assert row.get("country") == (known and known["country"]) and ("credit" in row) == (known is not None)
                assert (row["last_order"] is None) == (row["order_count"] == 0)
            named = [[who] for who in ("u07", "u11", "nobody", *sorted(set(users.rows) - bought)[:2])]
            assert client.rows("get", view="users", join="users", with_missing=True, keys=named) == [
                row for [who] in named for row in rows if row["user_id"] == who]
            norway = [{"field": "country", "op": "=", "value": "Norway"}, {"field": "credit", "op": "<", "value": "40"}]
            assert client.rows("scan", view="users", join="users", with_missing=True, limit=999, where=norway) == [
                row for row in rows if row.get("country") == "Norway" and Decimal(row["credit"]) < 40]
            assert client.rows("scan", view="users", join="users", limit=999, order_by=[{"by": "country", "order": "desc"}, {"by": "user_id"}],
                               where=norway[:1]) == [row for row in rows if row.get("country") == "Norway" and row["order_count"]]
            rolled = client.rows("scan", view="products", join="products", group_by=["category"])
            assert {(row["category"], row["currency"]): Decimal(row["total_revenue"]) for row in rolled} == sorts
            assert client.rows("get", view="products", join="products", group_by=["category"], key=["toys", "EUR"]) == [
                row for row in rolled if (row["category"], row["currency"]) == ("toys", "EUR")]
        finally:
            pipe.stop()


def change(op, lsn, row):
    source = {"connector": "postgresql", "lsn": lsn, "txId": lsn, "ts_ms": 1000, "snapshot": "false"}
    return json.dumps({"before": None, "after": row, "source": source, "op": op, "ts_ms": 1000}).encode()


def test_a_table_follows_the_rows_of_a_database(tmp_path, devbroker, hand):
    def key(number):
        return json.dumps({"user_id": number}).encode()

    first = [(key(number), change("c", 100 + number, {"user_id": number, "country": "Norway", "credit": None})) for number in range(6)]
    later = [(key(1), change("u", 201, {"user_id": 1, "country": "Iceland"})), (key(2), change("d", 202, None)), (key(2), b"")]
    hand.produce(topic="users", partition=0, records=first + later + first)  # the connector begins again: all is delivered once more
    pipe = start(tmp_path, devbroker, "database", declared=DECLARED.replace("format = plain", "format = debezium", 1))
    try:
        users = Rows(hand, "users", "user_id")
        users.count = 2 * len(first) + len(later)
        wait_read(pipe.client, users)
        assert {who: row["country"] for who, row in people(pipe.client).items()} == {
            "0": "Norway", "1": "Iceland", "3": "Norway", "4": "Norway", "5": "Norway"}
        books = next(each for each in pipe.client.ask("status")["partitions"] if each["topic"] == "users" and each["partition"] == 0)
        assert (books["counted"], books["duplicates"], books["foreign"]) == (len(first) + 2, len(first), 1)
    finally:
        pipe.stop()


def test_changes_of_a_table_are_told_to_who_listens(tmp_path, devbroker, hand):
    users = Rows(hand, "users", "user_id")
    for number in range(5):
        users.put(f"u{number}", {"country": "Norway"})
    users.send()
    pipe = start(tmp_path, devbroker, "live")
    lines = tmp_path / "lines"
    with open(lines, "w", encoding="utf-8") as out:
        watching = subprocess.Popen([program("till"), "watch", pipe.aggregator.ready["listen"][0], "--table", "users", "--json"], stdout=out)

    def told():
        rows = {}
        for line in lines.read_text().splitlines(keepends=True):
            change = json.loads(line) if line.endswith("\n") else {}
            if "gone" in change:
                rows.pop(change["gone"][0], None)
            elif "row" in change:
                rows[change["row"]["user_id"]] = change["row"]["country"]
        return rows

    def is_told():
        return told() == {key: row["country"] for key, row in users.rows.items()}

    try:
        wait_read(pipe.client, users)
        wait_until(is_told, "the rows told")
        users.put("u1", {"country": "Iceland"})
        users.put("u2", None)
        users.put("u9", {"country": "Iceland"})
        users.send()
        wait_until(is_told, "the changes told")
    finally:
        watching.kill()
        watching.wait()
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
            ("money", "mony", 4, 'did you mean "money"?'), ("table = users", "table = usres", 8, 'did you mean "users"?'),
            ("key = user_id", "keys = user_id", 3, 'unknown key; did you mean "key"?'), ("key = user_id", "names = user_id", 3, "unknown key; a table has key, columns"),
            ("sku as product_id", "sku money", 11, "columns of a key are text"),
            ("table = users", "kind = order\nfields = a:order_id, b:product_id, c:amount", 3, "nothing fills [table.users]")):
        code, said = check(tmp_path, DECLARED.replace(wrong, right, 1))
        assert code == 2 and words in said and (line is None or f"bad.conf:{line}" in said), said
