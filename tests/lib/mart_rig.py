"""What tests of `till mart` share: how it is run, and what its tables hold, as text of the database's own client."""
import json
import os
import random
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path

import mariadb
import postgres
import psycopg
import pymysql
from forks import forks
from harness import DEADLINE, Client, Sender

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
    done = forks("mart").run_text(*arguments(pipe, databases, *options)[1:], deadline=DEADLINE, env=env or environment())
    assert done.returncode in (code if isinstance(code, tuple) else (code,)), (done.returncode, done.stdout, done.stderr)
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


class Sales:
    """Events in a known order, each of one piece, so that how many were counted says which: a thread sends them to one edge."""

    def __init__(self, endpoint, name, products=7):
        self.endpoint, self.name, self.products = endpoint, name, products
        self.sent, self.is_over = 0, threading.Event()
        self.thread = threading.Thread(target=self.send, daemon=True)

    def event(self, number):
        return {"order_id": f"{self.name}-{number // 3}", "product_id": f"{self.name}{number % self.products}", "user_id": f"u{number % 5}",
                "quantity": 1, "unit_price": f"{1 + number % 90}.{number % 100:02d}", "currency": "EUR", "ts": 1_291_193_160_000 + number}

    def totals(self, count):
        """Of the first `count`, by product."""
        totals = {}
        for number in range(count):
            event = self.event(number)
            sold, revenue = totals.get(event["product_id"], (0, Decimal(0)))
            totals[event["product_id"]] = (sold + 1, revenue + Decimal(event["unit_price"]))
        return totals

    def send(self):
        sender, chance = Sender(self.endpoint), random.Random(self.name)
        while not self.is_over.wait(0.01):
            size = chance.randrange(1, 20)
            assert sender.ask([self.event(self.sent + number) for number in range(size)])["ok"]
            self.sent += size
        sender.close()

    def stop(self):
        self.is_over.set()
        self.thread.join(DEADLINE)
        assert not self.thread.is_alive()


def state_of(sales, rows):
    """How many events of each of `sales` these rows {product: (sold, revenue)} tell; they are nothing but the totals of so many."""
    counts, expected = [], {}
    for each in sales:
        counts.append(sum(sold for product, (sold, _) in rows.items() if product.startswith(each.name)))
        expected |= each.totals(counts[-1])
    assert rows == expected, f"{rows} are no totals of the first {counts} events"
    return counts


def connect(database):
    """By the driver, for a reader of a test."""
    if address_of(database).startswith("mysql"):
        return pymysql.connect(host="127.0.0.1", port=database.server.port, user="till", password=mariadb.PASSWORD, database=database.name,
                               autocommit=True, charset="utf8mb4")
    return psycopg.connect(database.address, autocommit=True)


class Onlooker:
    """Reads a mart of ProductSales and what it says that it shows again and again, in one statement: (store, commit, rows)."""

    def __init__(self, database):
        self.statement = (f"SELECT s.*, m.store, m.commit FROM {quote(database, 'ProductSales')} s, till_marts m "
                          "WHERE m.mart = 'ProductSales'")
        self.database, self.connection, self.seen, self.absent = database, connect(database), [], 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.is_over.wait(0.005):
            try:
                with self.connection.cursor() as cursor:
                    cursor.execute(self.statement)
                    rows = cursor.fetchall()
            except (psycopg.errors.UndefinedTable, pymysql.err.ProgrammingError):
                assert not self.seen, "the mart was gone"
                self.absent += 1
                continue
            self.take(rows)

    def take(self, rows):
        found = {row[0]: (int(row[1]), row[2]) for row in rows}
        state = (rows[0][3], rows[0][4], found) if rows else (None, None, {})
        if not self.seen or self.seen[-1] != state:
            self.seen.append(state)

    def stop(self):
        self.is_over.set()
        self.thread.join(DEADLINE)
        self.connection.close()
        return self.seen


class Witness:
    """Asks the aggregator again and again: {store: [(commit, events counted)]}, as answers say it."""

    def __init__(self, pipe):
        self.endpoint, self.answers, self.is_over = pipe.aggregator.ready["listen"][0], {}, threading.Event()
        self.thread = threading.Thread(target=self.ask, daemon=True)
        self.thread.start()

    def ask(self):
        client = Client(self.endpoint)
        while not self.is_over.wait(0.005):
            try:
                answer = client.ask("scan", view="products", limit=1000)
            except TimeoutError:
                continue
            if answer["ok"]:
                counted = sum(row["order_count"] for row in answer["rows"])
                self.answers.setdefault(answer["as_of"]["store"], []).append((answer["as_of"]["commit"], counted))
        client.close()

    def stop(self):
        self.is_over.set()
        self.thread.join(DEADLINE)

    def assert_between(self, store, commit, counted):
        """No answer before that commit tells more, none after it less."""
        for at, count in self.answers.get(store, ()):
            assert at >= commit or count <= counted, (store, commit, counted, at, count)
            assert at <= commit or count >= counted, (store, commit, counted, at, count)
