"""till simulate --to postgresql://…: a shop that changes in a real PostgreSQL, the same for the same seed."""
import json

from harness import till

DUMP = {"customers": "user_id", "products": "product_id", "orders": "order_id", "order_details": "order_id, line"}


def simulate(database, *args):
    done = till("simulate", "--to", database.address, "--rate", 0, "--users", 40, "--products", 20, "--json", *args)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def everything(database):
    return {table: database.sql(f"SELECT * FROM {table} ORDER BY {key}") for table, key in DUMP.items()}


def test_the_same_seed_leaves_the_same_rows_and_every_amount_is_its_lines(postgres, database):
    other = postgres.new_database(f"{database.name}_other")
    told = simulate(database, "--seed", 4711, "--count", 400)
    assert told["transactions"] + told["rolled_back"] == 400 and told["rolled_back"] > 0
    assert simulate(other, "--seed", 4711, "--count", 400)["inserted"] == told["inserted"]
    assert everything(database) == everything(other)
    rows = sum(int(database.sql(f"SELECT count(*) FROM {table}")[0][0]) for table in DUMP)
    assert rows == 40 + 20 + told["inserted"] - told["deleted"]
    database.sql("DELETE FROM orders WHERE order_id > 20")
    again = simulate(database, "--seed", 4711, "--count", 100)
    assert again["inserted"] > 0, "it goes on behind the numbers that are there, of lines without an order too"
    assert database.sql("SELECT order_id FROM orders o WHERE amount <> (SELECT coalesce(sum(quantity * unit_price), 0) FROM order_details d "
                        "WHERE d.order_id = o.order_id)") == []


def test_it_ends_after_its_time_and_refuses_what_is_of_edges(database):
    assert simulate(database, "--seconds", "1")["seconds"] >= 1
    done = till("simulate", "--to", database.address, "--stores", 3)
    assert done.returncode == 2 and "--stores" in done.stderr
