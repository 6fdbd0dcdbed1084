"""Marts in a real PostgreSQL and a real MariaDB: shipped columns, exact values, changes, deletions, refusals, history."""
import csv
import json
import subprocess
from collections import defaultdict
from decimal import Decimal

import pytest
from harness import Sender, till, wait_until
from mart_rig import TILL_MART, address_of, environment, history, product_sales, quote, run_mart, shown, table, user_orders

DAY_MS = 86_400_000
START_MS = 1_291_193_160_000


def line(number, **more):
    return {"order_id": f"o{number // 2}", "product_id": f"p{number % 3}", "user_id": f"u{number % 4}", "quantity": 1 + number % 5,
            "unit_price": "1.05", "currency": "EUR", "ts": START_MS + number, **more}


def send(pipe, events, edge="store-1"):
    sender = Sender(pipe.endpoint(edge))
    assert sender.ask(events)["ok"]
    sender.close()
    pipe.wait_settled()


@pytest.fixture
def pipe(pipeline):
    made = pipeline()
    made.start_aggregator()
    return made


@pytest.fixture(scope="module")
def sold_once(lasting_pipeline):
    """One sale, for who asks only."""
    made = lasting_pipeline()
    made.start_aggregator()
    send(made, [line(0)])
    return made


def amount_of(event):
    return Decimal(event["unit_price"]) * event["quantity"]


def expected_products(events):
    totals = defaultdict(lambda: [0, Decimal(0)])
    for event in events:
        total = totals[event["product_id"]]
        total[0] += event["quantity"]
        total[1] += amount_of(event)
    return {product: tuple(total) for product, total in totals.items()}


def test_shipped_marts_equal_sql_over_the_raw_orders(pipe, sql_database, retail):
    path, totals = retail
    done = till("send", "--to", pipe.endpoint("store-1"), "--csv", "--map", "order_id=InvoiceNo,product_id=StockCode,quantity=Quantity,"
                "unit_price=UnitPrice,ts=InvoiceDate,user_id=CustomerID", "--set", "currency=GBP", path)
    assert done.returncode == 0, done.stderr
    pipe.wait_settled()
    run_mart(pipe, sql_database, "--view", "users=UserOrders", "--view", "products=ProductSales")
    assert product_sales(sql_database) == {code: (sold, Decimal(revenue)) for code, (_, sold, revenue) in totals["products"].items()}
    by_sql = sql_over_raw_orders(sql_database, path)
    assert len(by_sql) > 500
    assert user_orders(sql_database) == by_sql


def sql_over_raw_orders(database, path):
    """The same numbers from the lines themselves, in the database."""
    number = "NUMERIC(20,4)" if quote(database, "") == '""' else "DECIMAL(20,4)"
    database.sql(f"CREATE TABLE raw_lines (invoice VARCHAR(20), quantity BIGINT, at VARCHAR(30), price {number}, customer VARCHAR(20))")
    with path.open(newline="", encoding="utf-8") as file:
        rows = [f"('{row['InvoiceNo']}', {row['Quantity']}, '{row['InvoiceDate']}', {row['UnitPrice']}, '{row['CustomerID']}')"
                for row in csv.DictReader(file) if row["CustomerID"]]
    for at in range(0, len(rows), 2000):
        database.sql(f"INSERT INTO raw_lines VALUES {', '.join(rows[at:at + 2000])}")
    found = database.sql("SELECT customer, count(DISTINCT invoice), sum(quantity * price), max(at) FROM raw_lines GROUP BY customer")
    return {user: (int(orders), Decimal(amount), last) for user, orders, amount, last in found}


def test_tables_have_exact_types_and_the_views_key(pipe, sql_database):
    send(pipe, [line(number) for number in range(10)])
    run_mart(pipe, sql_database, "--view", "users=UserOrders", "--view", "products=ProductSales", "--view", "stores_per_day=per day",
             "--view", "sales_per_minute=per_minute")
    is_postgres = quote(sql_database, "") == '""'
    amount, moment = ("numeric(38,6)", "timestamp with time zone") if is_postgres else ("decimal(38,6)", "datetime(3)")
    text = "text" if is_postgres else "varchar(128)"
    count = "bigint" if is_postgres else "bigint(20)"
    assert sql_database.columns("UserOrders") == {"user_id": text, "total_orders": count, "total_amount": amount, "last_order_date": moment}
    assert sql_database.columns("ProductSales") == {"product_id": text, "total_sold": count, "total_revenue": amount}
    assert sql_database.columns("per day")["day"] == "date"
    assert sql_database.columns("per_minute")["minute"] == moment
    minutes = table(sql_database, "per_minute", "minute, order_count")
    assert [(minute[:16], count) for minute, count in minutes] == [("2010-12-01 08:46", "10")]
    with pytest.raises(AssertionError, match=r"(?i)duplicate"):
        sql_database.sql(f"INSERT INTO {quote(sql_database, 'ProductSales')} VALUES ('p1', 1, 1)")


def test_keys_differ_by_case_spaces_and_accents(pipe, sql_database):
    names = ["tea", "Tea", "tea ", "téa", "TEA", "茶", "tea'; DROP", "te%sa", "te\\a", "🍵"]
    events = [line(0, product_id=name, quantity=number + 1) for number, name in enumerate(names)]
    send(pipe, events)
    run_mart(pipe, sql_database, "--view", "products=ProductSales")
    rows = sql_database.sql(f"SELECT sum(total_sold), count(*) FROM {quote(sql_database, 'ProductSales')}")
    assert rows == [[str(sum(range(1, len(names) + 1))), str(len(names))]]
    send(pipe, events[:3])
    run_mart(pipe, sql_database, "--view", "products=ProductSales")
    found = {int(sold) for _, sold, _ in table(sql_database, "ProductSales")}
    assert found == {2, 4, 6, *range(4, len(names) + 1)}
    assert [(run["inserted"], run["updated"], run["deleted"]) for run in history(sql_database)] == [(len(names), 0, 0), (0, 3, 0)]


def test_only_what_changed_is_written_and_what_was_tampered_with_is_mended(pipe, sql_database):
    events = [line(number) for number in range(12)]
    send(pipe, events)
    wait_until(lambda: pipe.client.ask("status")["uncommitted"] == 0, "all committed")
    run_mart(pipe, sql_database, "--view", "products=ProductSales")
    first = shown(sql_database, "ProductSales")
    # What edges report is committed, too: such a commit changes no row of a view, and the mart notes it.
    wait_until(lambda: "unchanged" in run_mart(pipe, sql_database, "--view", "products=ProductSales").stdout, "two runs at one commit")
    assert {(run["inserted"], run["updated"], run["deleted"]) for run in history(sql_database)[1:]} <= {(0, 0, 0)}
    sales = quote(sql_database, "ProductSales")
    sql_database.sql(f"DELETE FROM {sales} WHERE product_id = 'p0'")
    sql_database.sql(f"INSERT INTO {sales} VALUES ('p9', 1, 1)")
    events.append(line(1))
    send(pipe, events[-1:])
    run_mart(pipe, sql_database, "--view", "products=ProductSales")
    assert product_sales(sql_database) == expected_products(events)
    last = history(sql_database)[-1]
    assert (last["mode"], last["inserted"], last["updated"], last["deleted"], last["rows_shown"]) == ("changed", 1, 1, 1, 3)
    wait_until(lambda: pipe.client.ask("status")["uncommitted"] == 0, "all committed")
    before = pipe.client.ask("scan", view="products")["as_of"]
    run_mart(pipe, sql_database, "--view", "products=ProductSales")
    after = pipe.client.ask("scan", view="products")["as_of"]
    store, commit = shown(sql_database, "ProductSales")
    assert first[0] == before["store"] == store == after["store"]
    assert before["commit"] <= commit <= after["commit"]


def test_another_store_is_a_full_refresh(pipe, sql_database):
    events = [line(number) for number in range(9)]
    send(pipe, events)
    run_mart(pipe, sql_database, "--view", "products=ProductSales")
    old = shown(sql_database, "ProductSales")
    sql_database.sql(f"UPDATE {quote(sql_database, 'ProductSales')} SET total_sold = 0")
    pipe.aggregator.args.append("--rebuild")
    pipe.aggregator.restart()
    pipe.client.close()
    pipe.client = type(pipe.client)(pipe.aggregator.ready["listen"][0])
    wait_until(lambda: pipe.client.ask("status").get("as_of", {}).get("store", old[0]) != old[0], "the rebuilt store")
    done = run_mart(pipe, sql_database, "--view", "products=ProductSales")
    assert "refreshed" in done.stdout
    assert product_sales(sql_database) == expected_products(events)
    assert shown(sql_database, "ProductSales")[0] != old[0]


def test_several_currencies_are_refused_until_one_is_chosen(pipe, sql_database):
    send(pipe, [line(0), line(1, currency="GBP"), line(2)])
    refused = run_mart(pipe, sql_database, "--view", "users=UserOrders", code=1)
    assert "--currency EUR" in refused.stderr
    assert "--with-currency" in refused.stderr
    assert history(sql_database)[-1]["outcome"] == "failed"
    run_mart(pipe, sql_database, "--view", "users=UserOrders", "--currency", "GBP")
    assert user_orders(sql_database) == {"u1": (1, Decimal("2.10"), "2010-12-01 08:46:00.001")}
    run_mart(pipe, sql_database, "--view", "users=both", "--columns", "total_orders=basket_count,total_revenue", "--with-currency")
    assert sorted(table(sql_database, "both")) == [["u0", "EUR", "1", "1.050000"], ["u1", "GBP", "1", "2.100000"],
                                                   ["u2", "EUR", "1", "3.150000"]]


def test_a_table_of_others_is_not_overwritten(pipe, sql_database):
    send(pipe, [line(0)])
    sales = quote(sql_database, "ProductSales")
    sql_database.sql(f"CREATE TABLE {sales} (product_id VARCHAR(20), total_sold INT, total_revenue DECIMAL(20,2))")
    sql_database.sql(f"INSERT INTO {sales} VALUES ('mine', 1, 1)")
    refused = run_mart(pipe, sql_database, "--view", "products=ProductSales", code=1)
    assert "no mart wrote" in refused.stderr
    assert table(sql_database, "ProductSales") == [["mine", "1", "1.00"]]
    sql_database.sql(f"CREATE TABLE {quote(sql_database, 'odd')} (product_id VARCHAR(20))")
    assert "drop the table" in run_mart(pipe, sql_database, "--view", "products=odd", code=1).stderr


def test_two_databases_are_written_and_one_that_is_away_stops_not_the_other(pipe, postgres, mariadb):
    first, second = postgres.new_database("mart_of_two"), mariadb.new_database("mart_of_two")
    events = [line(number) for number in range(5)]
    send(pipe, events)
    run_mart(pipe, [first, second], "--view", "products=ProductSales")
    assert product_sales(first) == product_sales(second) == expected_products(events)
    events.append(line(5))
    send(pipe, events[-1:])
    away = address_of(first).replace(f":{postgres.port}/", ":9/")
    done = run_mart(pipe, [away, second], "--view", "products=ProductSales", code=3)
    assert "can't be reached" in done.stderr
    assert product_sales(second) == expected_products(events)


@pytest.mark.parametrize(("to", "words"), [
    ("postgresql://u:secret@h/d", "ps"), ("mysql://u:secret@h/d", "ps"), ("postgresql://u@h/d?password=secret", "ps"),
    ("oracle://u@h/d", "postgresql://"), ("mysql://u@h", "database"), ("mysql://u@h:port/d", "postgresql://")])
def test_addresses_are_checked_and_passwords_never_repeated(to, words):
    done = subprocess.run([TILL_MART, "--to", to, "--view", "products=x"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert words in done.stderr
    assert "secret" not in done.stderr


def test_a_wrong_password_is_said_and_a_file_may_hold_the_right_one(pipe, sql_database, tmp_path):
    send(pipe, [line(0)])
    wrong, right = tmp_path / "wrong", tmp_path / "right"
    wrong.write_text("no\n")
    right.write_text("till-in-trials\n")
    bare = {name: value for name, value in environment().items() if name not in ("PGPASSWORD", "MYSQL_PWD")}
    denied = run_mart(pipe, sql_database, "--view", "products=ProductSales", "--password-file", wrong, code=1, env=bare)
    assert "does not allow" in denied.stderr
    run_mart(pipe, sql_database, "--view", "products=ProductSales", "--password-file", right, env=bare)
    assert len(table(sql_database, "ProductSales")) == 1


def test_history_shows_runs_with_times_rows_and_errors(pipe, sql_database):
    send(pipe, [line(number) for number in range(4)])
    run_mart(pipe, sql_database, "--view", "products=ProductSales")
    run_mart(pipe, sql_database, "--view", "no_such=other", code=1)
    shown_table = run_mart(None, sql_database, "--history").stdout.splitlines()
    assert shown_table[0].split() == ["started", "seconds", "mart", "outcome", "mode", "rows", "inserted", "updated", "deleted", "commit"]
    assert shown_table[1].split()[2:8] == ["ProductSales", "done", "created", "3", "3", "0"]
    assert "no view no_such" in shown_table[3]
    runs = [json.loads(text) for text in run_mart(None, sql_database, "--history", "--json").stdout.splitlines()]
    assert [run["outcome"] for run in runs] == ["done", "failed"]
    assert all(run["started_at"] <= run["ended_at"] for run in runs)


@pytest.mark.parametrize("name", ['sales "of" `all`', "100%s; DROP TABLE till_marts", "Verkäufe 茶", "select"])
def test_names_are_the_users_own(sold_once, sql_database, name):
    run_mart(sold_once, sql_database, "--view", f"products={name}", "--columns", f"product_id,{name}=total_quantity")
    run_mart(sold_once, sql_database, "--view", f"products={name}", "--columns", f"product_id,{name}=total_quantity")
    is_postgres = quote(sql_database, "") == '""'
    quoted = '"' + name.replace('"', '""') + '"' if is_postgres else "`" + name.replace("`", "``") + "`"
    assert sql_database.sql(f"SELECT product_id, {quoted} FROM {quoted}") == [["p0", "1"]]
    assert sql_database.sql("SELECT mart FROM till_marts") == [[name]]


def test_names_that_would_be_cut_and_tables_without_transactions_are_refused(sold_once, sql_database):
    assert "can't be a name" in run_mart(sold_once, sql_database, "--view", f"products={'x' * 65}", code=1).stderr
    if quote(sql_database, "") == "``":
        sql_database.sql("CREATE TABLE ProductSales (product_id VARCHAR(9), total_sold INT, total_revenue DECIMAL(9,2)) ENGINE=MyISAM")
        assert "U+FFFF" in run_mart(sold_once, sql_database, "--view", "products=🍵", code=1).stderr
        assert "knows no transactions" in run_mart(sold_once, sql_database, "--view", "products=ProductSales", code=1).stderr


def test_a_schema_may_be_named_and_a_value_that_does_not_fit_is_not_cut(pipe, sql_database):
    send(pipe, [line(0, category="c" * 1000)])
    schema = f"{sql_database.name}_more"
    sql_database.sql(f"CREATE SCHEMA {schema}")
    run_mart(pipe, sql_database, "--view", f"products={schema}.ProductSales")
    assert len(sql_database.sql(f"SELECT * FROM {schema}.{quote(sql_database, 'ProductSales')}")) == 1
    if quote(sql_database, "") == '""':
        run_mart(pipe, sql_database, "--view", "categories=categories")
        assert len(table(sql_database, "categories", "category")[0][0]) == 1000
    else:
        assert "too long" in run_mart(pipe, sql_database, "--view", "categories=categories", code=1).stderr
