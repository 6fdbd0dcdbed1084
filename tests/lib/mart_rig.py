"""What tests of `till mart` share: how it is run, and what its tables hold, as text of the database's own client."""
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import mariadb
import postgres
from harness import DEADLINE

TILL_MART = str(Path(sys.executable).parent / "till-mart")


def address_of(database):
    """Without a password: that comes by the environment."""
    return database.address.replace(f":{postgres.PASSWORD}@", "@")


def environment(**more):
    return {**os.environ, "PGPASSWORD": postgres.PASSWORD, "MYSQL_PWD": mariadb.PASSWORD, **more}


def arguments(pipe, databases, *options):
    endpoint = pipe.aggregator.ready["listen"][0] if pipe is not None else "tcp://127.0.0.1:9"
    to = [arg for each in databases for arg in ("--to", each if isinstance(each, str) else address_of(each))]
    return [TILL_MART, *to, "--at", endpoint, *map(str, options)]


def run_mart(pipe, database, *options, code=0, env=None):
    """Runs it to its end; its CompletedProcess."""
    databases = database if isinstance(database, list | tuple) else [database]
    done = subprocess.run(arguments(pipe, databases, *options), capture_output=True, text=True, timeout=DEADLINE, check=False,
                          env=env or environment(), stdin=subprocess.DEVNULL)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def start_mart(pipe, database, *options, log, env=None):
    databases = database if isinstance(database, list | tuple) else [database]
    with Path(log).open("ab") as out:
        return subprocess.Popen(arguments(pipe, databases, *options), stdout=out, stderr=out, env=env or environment(),
                                stdin=subprocess.DEVNULL)


def quote(database, name):
    return f"`{name}`" if address_of(database).startswith("mysql") else f'"{name}"'


def table(database, name, columns="*"):
    """All rows."""
    return database.sql(f"SELECT {columns} FROM {quote(database, name)}")


def product_sales(database, name="ProductSales"):
    return {product: (int(sold), Decimal(revenue)) for product, sold, revenue in table(database, name)}


def instant_text(text):
    """Without the zone that PostgreSQL shows (it is UTC), and without a fraction that is 0."""
    seconds, _, fraction = text.removesuffix("+00").partition(".")
    return f"{seconds}.{fraction:0<3}" if fraction.strip("0") else seconds


def user_orders(database, name="UserOrders"):
    return {user: (int(orders), Decimal(amount), None if last is None else instant_text(last))
            for user, orders, amount, last in table(database, name)}


def shown(database, name):
    """(store, commit) that a mart says it shows."""
    rows = database.sql(f"SELECT store, {quote(database, 'commit')} FROM till_marts WHERE mart = '{name}'")
    return (rows[0][0], int(rows[0][1])) if rows else None


def history(database):
    """Oldest first."""
    done = run_mart(None, database, "--history", "--json", "--limit", 1000)
    return [json.loads(line) for line in done.stdout.splitlines()]
