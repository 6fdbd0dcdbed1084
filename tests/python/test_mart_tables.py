"""Declared tables in a database, with their deletions; and users without orders, as SQL's LEFT JOIN has them."""
import json
from decimal import Decimal

import pytest
from harness import Sender, wait_until
from mart_rig import history, instant_text, quote, run_mart, table, user_orders


@pytest.fixture
def shop(pipeline, admin, prefix):
    """A shop whose users are a table; put(users): rows of theirs, None deletes."""
    topic = f"{prefix}users"
    admin.create(topic=topic, partitions=1)
    pipe = pipeline(options={"till-aggregator": (
        "table.users.key=user_id", "table.users.columns=name, credit money, since time, visits integer", f"source.people.topic={topic}",
        "source.people.format=plain", "source.people.table=users")})
    pipe.start_aggregator()
    put = [0]

    def put_users(users):
        records = [(user.encode(), b"" if row is None else json.dumps({"user_id": user, **row}).encode()) for user, row in users]
        admin.produce(topic, 0, records)
        put[0] += len(records)

        def is_read():
            return sum(each["next"] for each in pipe.client.ask("status")["partitions"] if each["topic"] == topic) >= put[0]
        wait_until(is_read, "the users")

    pipe.put_users = put_users
    return pipe


def send(pipe, lines):
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask([{"order_id": order, "product_id": product, "user_id": user, "quantity": quantity, "unit_price": price, "ts": ts}
                       for order, product, user, quantity, price, ts in lines])["ok"]
    sender.close()
    pipe.wait_settled()


LINES = [("o1", "tea", "u1", 2, "1.25", 1_291_193_160_000), ("o1", "cup", "u1", 1, "3.10", 1_291_193_160_500),
         ("o2", "tea", "u2", -1, "1.25", 1_291_193_170_000), ("o3", "tea", "u1", 1, "0.000001", 1_291_193_180_000)]


def test_users_without_orders_are_there_with_zeros(shop, sql_database):
    """UserOrders, against SQL over the raw orders and the users that lie in the same database."""
    shop.put_users([(f"u{number}", {"name": f"n{number}"}) for number in range(1, 5)])
    send(shop, LINES)
    run_mart(shop, sql_database, "--view", "users=UserOrders", "--table", "users", "--events", "order", "--brokers", shop.bootstrap,
             "--topic", f"{shop.prefix}orders")
    found = sql_database.sql("SELECT u.user_id, count(DISTINCT o.order_id), coalesce(sum(o.quantity * o.unit_price), 0), max(o.ts) "
                             "FROM users u LEFT JOIN order_events o ON o.user_id = u.user_id GROUP BY u.user_id")
    wanted = {user: (int(orders), Decimal(amount), last and instant_text(last)) for user, orders, amount, last in found}
    assert wanted["u3"] == (0, 0, None)
    assert user_orders(sql_database) == wanted
    assert wanted["u1"] == (2, Decimal("5.600001"), "2010-12-01 08:46:20")
    shop.put_users([("u3", None), ("u9", {"name": "n9"})])
    run_mart(shop, sql_database, "--view", "users=UserOrders")
    assert set(user_orders(sql_database)) == {"u1", "u2", "u4", "u9"}
    last = history(sql_database)[-1]
    assert (last["inserted"], last["updated"], last["deleted"]) == (1, 0, 1)


def test_a_table_is_copied_with_its_changes_and_deletions(shop, sql_database):
    shop.put_users([("a", {"name": "Ada", "credit": "12.5", "since": "2010-12-01T08:00:00.250Z", "visits": 9_007_199_254_740_993}),
                    ("A", {"name": "other Ada"}), ("b", {"name": "Eva \\ 'x' 🍵"})])
    run_mart(shop, sql_database, "--table", "users=people")
    moment = "2010-12-01 08:00:00.25+00" if quote(sql_database, "") == '""' else "2010-12-01 08:00:00.250"
    rows = {row[0]: row[1:] for row in table(sql_database, "people", "user_id, credit, since, visits")}
    assert rows == {"a": ["12.500000", moment, "9007199254740993"], "A": [None, None, None], "b": [None, None, None]}
    shop.put_users([("A", None), ("b", {"name": "Eva", "visits": 1}), ("c", {"name": "Cy"})])
    run_mart(shop, sql_database, "--table", "users=people")
    assert {tuple(row) for row in table(sql_database, "people", "user_id, name")} == {("a", "Ada"), ("b", "Eva"), ("c", "Cy")}
    assert [(run["inserted"], run["updated"], run["deleted"]) for run in history(sql_database)] == [(3, 0, 0), (1, 1, 1)]


def test_a_join_of_products_shows_what_was_never_sold(shop, sql_database):
    shop.put_users([("u1", {"name": "x"}), ("u7", {"name": "y"})])
    send(shop, LINES)
    run_mart(shop, sql_database, "--view", "users=spent", "--columns", "spent=total_revenue", "--join", "users")
    assert sorted(table(sql_database, "spent")) == [["u1", "5.600001"], ["u2", "-1.250000"], ["u7", "0.000000"]]
    refused = run_mart(shop, sql_database, "--view", "users=both", "--join", "users", "--with-currency", code=1)
    assert "no currency" in refused.stderr
    assert "no table shops" in run_mart(shop, sql_database, "--view", "users=other", "--join", "shops", code=1).stderr
