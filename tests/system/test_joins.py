"""Joins, roll-ups by what a table says, and what is missing of it, against SQL (SQLite) over the real transactions of a shop and a table of
products of which some were never sold."""
import csv
import json
import os
import random
from decimal import Decimal

import pytest
from harness import Pipeline, till
from join_model import COLUMNS, Shop, draw_question, micros
from query_rig import ask_all
from test_tables import PARTITIONS, Rows, devbroker, hand, wait_read  # noqa: F401 - fixtures

DECLARED = """
[view.goods]
group_by = product_id
measures = n = count(), units = sum(quantity), revenue = sum(revenue), most = max(quantity), mean = average(quantity)

[view.sold]
group_by = product_id, channel, day(ts)
measures = n = count(), units = sum(quantity), revenue = sum(revenue), most = max(quantity), mean = average(quantity)

[table.products]
key = sku as product_id
columns = name, category, weight integer, listed money, since time, organic
[source.goods]
topic = goods
format = plain
table = products

[source.slips]
topic = slips
format = plain
kind = order
fields = bon:order_id, sku:product_id, at:ts, qty:quantity, price:unit_price, cur:currency, way:channel
"""
LONG = " of a name that is longer than what a key holds, and so is told by its beginning and a hash of all of it"


def read_sales(path, every=40):
    with open(path, encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if int(line["Quantity"]) and Decimal(line["UnitPrice"]) >= 0]
    return lines[::every]


def make_products(dice, sales):
    """Of most products that were sold, and of some that never were; of each column some say nothing."""
    keys = sorted({sale["StockCode"] for sale in sales})
    for key in [key for key in keys if dice.random() < 0.9] + [f"never-{number}" for number in range(60)]:
        row = {"name": f"thing {dice.randrange(40)}" + (LONG if dice.random() < 0.1 else ""),
               "category": dice.choice(["toys", "food", "tools", "never sold"]) if key.startswith("never") else dice.choice(["toys", "food", "tools"]),
               "weight": dice.choice([-5, 0, 7, 2 ** 62]), "listed": dice.choice(["0.00", "-1.50", "9.99", "0.000001", "123456789012.50"]),
               "since": dice.choice(["2010-01-01T00:00:00.000Z", "2010-12-09T12:30:00.250Z", "1999-12-31T23:59:59.999Z"]),
               "organic": dice.choice([True, False])}
        yield {"product_id": key, **{name: None if dice.random() < 0.15 else value for name, value in row.items()}}


def flat(row):
    """As text columns tell a truth value."""
    return {name: json.dumps(value) if isinstance(value, bool) else value for name, value in row.items()}


def fill(hand, retail):  # noqa: F811
    dice = random.Random(20101209)
    sales = read_sales(retail[0])
    products, slips = Rows(hand, "goods", "sku"), Rows(hand, "slips", "bon")
    table = list(make_products(dice, sales))
    for row in table:
        products.put(row["product_id"], {name: row[name] for name in COLUMNS})
    products.put("gone", {"category": "gone"})
    products.put("gone", None)
    counted = []
    for number, sale in enumerate(sales):
        slip = {"sku": sale["StockCode"], "at": sale["InvoiceDate"], "qty": int(sale["Quantity"]), "price": sale["UnitPrice"],
                "cur": dice.choice(["GBP", "GBP", "EUR"]), "way": dice.choice(["web", "store", "phone"])}
        slips.put(f"b{number}", slip)
        counted.append((slip["sku"], slip["way"], slip["at"][:10], slip["cur"], slip["qty"], slip["qty"] * micros(slip["price"])))
    products.send()
    slips.send()
    return Shop(counted, [flat(row) for row in table]), products, slips


def check_questions(client, shop, seed, count):
    dice = random.Random(seed)
    seen = {"rows": 0, "zeros": 0, "compared": 0}
    for number in range(count):
        request = draw_question(dice, shop)
        answer, wanted = ask_all(client, request), shop.answer(request)
        where = f"question {number} of seed {seed}: {json.dumps(request)}"
        assert answer["ok"], f"{where}: {answer}"
        assert answer["rows"] == wanted, f"{where}\ngot    {[r for r in answer['rows'] if r not in wanted][:3]}\nwanted {[r for r in wanted if r not in answer['rows']][:3]}"
        seen["rows"] += len(wanted)
        seen["zeros"] += sum(row["n"] == 0 for row in wanted)
        seen["compared"] += sum("previous" in row for row in wanted)
    return seen


def start(tmp_path, devbroker, shards):  # noqa: F811
    folder = tmp_path / f"shards-{shards}"
    folder.mkdir()
    (folder / "joins.conf").write_text(DECLARED)
    pipe = Pipeline(folder, devbroker.ready["bootstrap"], "", edges=(), partitions=PARTITIONS, bridges=0)
    pipe.start_aggregator("-c", str(folder / "joins.conf"), "-o", f"aggregator.shards={shards}")
    return pipe


def test_random_joins_are_answered_as_sql_does(tmp_path, devbroker, hand, retail):  # noqa: F811
    """TILL_QUESTIONS asks more, TILL_SEED others."""
    seed, count = int(os.environ.get("TILL_SEED", "1")), int(os.environ.get("TILL_QUESTIONS", "100"))
    shop, products, slips = fill(hand, retail)
    for shards in (1, 4):
        pipe = start(tmp_path, devbroker, shards)
        try:
            wait_read(pipe.client, products, slips)
            seen = check_questions(pipe.client, shop, seed + shards, count)
            assert min(seen.values()) > 0, seen
            check_dashboard(pipe.client, shop)
            check_refusals(pipe.client)
        finally:
            pipe.stop()


def check_refusals(client):
    """What has no meaning is told so."""
    asked = {"query": "scan", "view": "sold", "join": "products", "with_missing": True}
    for more, words in (({"group_by": ["channel"]}, "needs a column of the joined table"),
                        ({"range": {"last": "7d"}, "compare": {"shift": "7d"}}, "in rows of no point in time only"),
                        ({"group_by": ["category", "week"], "range": {"last": "2w"}, "compare": {"shift": "1w"}}, "in rows of no point in time only")):
        answer = client.ask(**asked, **more)
        assert answer["error"]["code"] == "bad_request" and words in answer["error"]["message"], answer


def check_dashboard(client, shop):
    """Revenue of this week by category, compared with last week, categories without a sale shown with zero, ordered by revenue."""
    week = {"from": "2010-12-13", "to": "2010-12-20"}
    request = {"query": "scan", "view": "sold", "join": "products", "with_missing": True, "group_by": ["category"], "range": week,
               "compare": {"shift": "7d"}, "order_by": [{"by": "revenue", "order": "desc"}], "limit": 100}
    rows = client.rows(**request)
    assert rows == shop.answer(request)
    zeros = [row for row in rows if row["category"] == "never sold"]
    assert [(row["currency"], row["n"], row["revenue"], row["difference"]["revenue"]) for row in zeros] == [(None, 0, "0.00", "0.00")]
    of_one = {**request, "where": [{"field": "currency", "op": "=", "value": "EUR"}]}
    assert [row["currency"] for row in client.rows(**of_one)] == ["EUR"] * 5, "four categories and none"
    asked = ["scan", client.endpoint, "sold", "--join", "products", "--with-missing", "--group-by", "category", "--from", week["from"], "--to", week["to"], "--compare", "7d",
             "--order-by", "revenue:desc"]
    assert json.loads(till(*asked, "--json").stdout)["rows"] == rows
    assert "never sold  -" in till(*asked).stdout
    done = till("scan", client.endpoint, "sold", "--with-missing")
    assert done.returncode == 2 and "wants --join" in done.stderr, done


@pytest.mark.plain_only
def test_a_table_is_walked_to_its_end_whatever_its_size(tmp_path, devbroker, hand):  # noqa: F811
    """More rows than one read transaction may live for: the walk goes on in the next, and the view's beside it."""
    count = 52000
    products, slips = Rows(hand, "goods", "sku"), Rows(hand, "slips", "bon")
    for number in range(count):
        products.put(f"p{number:05}", {"weight": number})
    for number in range(0, count, 997):
        slips.put(f"b{number}", {"sku": f"p{number:05}", "at": "2010-12-01 08:26:00", "qty": 1, "price": "1.50", "cur": "EUR", "way": "web"})
    products.send()
    slips.send()
    pipe = start(tmp_path, devbroker, 1)
    try:
        wait_read(pipe.client, products, slips)
        sold = [f"p{number:05}" for number in range(0, count, 997)]
        zeros = [f"p{number:05}" for number in range(8) if number]
        rows = pipe.client.rows("scan", view="goods", join="products", with_missing=True, limit=len(sold) + len(zeros), order_by=[{"by": "n", "order": "desc"}])
        assert [(row["product_id"], row["weight"], row["n"]) for row in rows] == [(key, int(key[1:]), 1) for key in sold] + [
            (key, int(key[1:]), 0) for key in zeros]
        rolled = pipe.client.rows("scan", view="goods", join="products", with_missing=True, group_by=["weight"], order_by=[{"by": "weight", "order": "desc"}], limit=3)
        assert [(row["weight"], row["n"]) for row in rolled] == [(count - 1, 0), (count - 2, 0), (count - 3, 0)]
    finally:
        pipe.stop()
