"""Marts while events come in: their writer is killed at random moments, the aggregator rebuilt, the database taken away."""
import contextlib
import itertools
import random
import signal
import subprocess

import pytest
from harness import Client, wait_until
from mart_rig import (
    Onlooker,
    Sales,
    Witness,
    address_of,
    connect,
    history,
    product_sales,
    quote,
    run_mart,
    start_mart,
    state_of,
    user_orders,
)

KILLS = 6


@pytest.fixture
def shop(pipeline):
    """Two stores that sell all the time, and an aggregator that counts."""
    pipe = pipeline(edges=("store-a", "store-b"))
    pipe.start_aggregator()
    pipe.sales = [Sales(pipe.endpoint(f"store-{name}"), name) for name in "ab"]
    for each in pipe.sales:
        each.thread.start()
    wait_until(lambda: len(pipe.client.scan("products")) == sum(each.products for each in pipe.sales), "a sale of every product")
    yield pipe
    for each in pipe.sales:
        each.is_over.set()


def rebuild(pipe):
    old = pipe.client.ask("status")["as_of"]["store"]
    pipe.aggregator.args.append("--rebuild")
    pipe.aggregator.restart()
    pipe.aggregator.args.remove("--rebuild")
    client = Client(pipe.aggregator.ready["listen"][0])
    wait_until(lambda: client.ask("status").get("as_of", {}).get("store", old) != old, "the rebuilt store")
    client.close()


def settle(pipe):
    for each in pipe.sales:
        each.stop()
    pipe.client.connect()
    pipe.wait_settled()
    wait_until(lambda: pipe.client.ask("status")["uncommitted"] == 0, "all committed")


def kill_one(pipe, database, log, delay, after=lambda _writer: None):
    """A writer that lives from nothing to seconds, or so much longer than what it is waited for."""
    writer = start_mart(pipe, database, "--view", "products=ProductSales", "--every", "50ms", log=log)
    after(writer)
    with contextlib.suppress(subprocess.TimeoutExpired):
        writer.wait(delay)
    assert writer.poll() in (None, 0), log.read_text()[-2000:]
    writer.kill()
    writer.wait()


def kill_at_random(pipe, onlooker, log, kills, seed):
    """Every other one lives on after it has shown something new, however long a slow machine takes to start it."""
    chance = random.Random(seed)

    def until_seen(writer):
        seen = len(onlooker.seen)
        wait_until(lambda: len(onlooker.seen) > seen or writer.poll() is not None, "a new state of the mart")

    for number in range(kills):
        kill_one(pipe, onlooker.database, log, chance.uniform(0.0, 2.0), *[until_seen] * (number % 2))


def kill_in_a_run(pipe, onlooker, log):
    """Until one was hit while it wrote: what a killed run leaves stands there as running."""
    seeds = itertools.count(100)

    def is_hit():
        kill_at_random(pipe, onlooker, log, 2, next(seeds))
        return "running" in [run["outcome"] for run in history(onlooker.database)]
    wait_until(is_hit, "a kill in the middle of a run")


@pytest.mark.kill
def test_every_state_that_a_mart_shows_is_one_moment_though_its_writer_is_killed(shop, sql_database, tmp_path):
    onlooker, witness = Onlooker(sql_database), Witness(shop)
    kill_at_random(shop, onlooker, tmp_path / "mart.log", KILLS, seed=1)
    before = len(onlooker.seen)
    rebuild(shop)
    kill_at_random(shop, onlooker, tmp_path / "mart.log", KILLS // 2, seed=2)
    kill_in_a_run(shop, onlooker, tmp_path / "mart.log")
    settle(shop)
    run_mart(shop, sql_database, "--view", "products=ProductSales", "--view", "users=UserOrders")
    witness.stop()
    seen = onlooker.stop()
    judge(shop, witness, seen)
    assert len(seen) > before >= KILLS // 2
    assert len({store for store, _, _ in seen}) == 2
    rows = product_sales(sql_database)
    assert state_of(shop.sales, rows) == [each.sent for each in shop.sales]
    answers = {row["product_id"]: row for row in shop.client.scan("products")}
    assert {product: str(sold) for product, (sold, _) in rows.items()} == {
        product: str(row["total_quantity"]) for product, row in answers.items()}
    assert sum(orders for orders, _, _ in user_orders(sql_database).values()) > 0
    outcomes = [run["outcome"] for run in history(sql_database)]
    assert outcomes.count("killed") > 0
    assert outcomes.count("done") >= len(seen)
    assert "running" not in outcomes


def judge(pipe, witness, seen):
    """Each state is the totals of so many events of each store, no fewer than before, and lies between the commit that it names
    and the next one."""
    last = {}
    for store, commit, rows in seen:
        assert rows, "the mart was empty"
        counts = state_of(pipe.sales, rows)
        witness.assert_between(store, commit, sum(counts))
        assert all(now >= before for now, before in zip(counts, last.get(store, [0, 0]), strict=True)), (counts, last)
        last[store] = counts
    assert sum(len(answers) for answers in witness.answers.values()) > 50


def test_a_database_that_goes_away_is_told_later_what_failed_meanwhile(shop, mariadb, tmp_path):
    database = mariadb.new_database("away")
    log = tmp_path / "mart.log"
    writer = start_mart(shop, database, "--view", "products=ProductSales", "--every", "100ms", log=log)
    wait_until(lambda: "created" in log.read_text(), "a first run")
    mariadb.process.kill()
    mariadb.process.wait()
    wait_until(lambda: "can't be reached" in log.read_text(), "a run that fails")
    written = log.read_text().count(" rows: ")
    mariadb.start()
    wait_until(lambda: log.read_text().count(" rows: ") > written + 1, "runs that succeed again")
    settle(shop)
    wait_until(lambda: state_of(shop.sales, product_sales(database)) == [each.sent for each in shop.sales], "all sales in the mart")
    writer.send_signal(signal.SIGTERM)
    assert writer.wait(30) == 0
    failed = [run for run in history(database) if run["outcome"] == "failed"]
    assert failed
    assert all("can't be reached" in run["error"] for run in failed)


def test_a_deadlock_is_tried_again(shop, sql_database, tmp_path):
    """Another transaction holds one row and wants another that the writer holds: one of the two is ended by the database."""
    settle(shop)
    run_mart(shop, sql_database, "--view", "products=ProductSales")
    sales = quote(sql_database, "ProductSales")
    sql_database.sql(f"UPDATE {sales} SET total_sold = 0")
    sql_database.sql("UPDATE till_marts SET position = 'another'")
    other = connect(sql_database)
    cursor = other.cursor()
    cursor.execute("BEGIN")
    cursor.execute(f"UPDATE {sales} SET total_sold = 1 WHERE product_id = 'b6'")
    if address_of(sql_database).startswith("mysql"):  # the lighter transaction is ended: ours must not be it
        cursor.execute("CREATE TABLE IF NOT EXISTS ballast (n INT)")
        cursor.execute("BEGIN")
        cursor.execute(f"UPDATE {sales} SET total_sold = 1 WHERE product_id = 'b6'")
        cursor.executemany("INSERT INTO ballast VALUES (%s)", [(number,) for number in range(2000)])
    else:
        cursor.execute("SET deadlock_timeout = '600s'")  # the writer finds it first
    writer = start_mart(shop, sql_database, "--view", "products=ProductSales", log=tmp_path / "mart.log")
    try:
        wait_until(lambda: waits_for_lock(sql_database), "a row to be waited for", every=0.3)  # MariaDB looks anew every 0.1 s
        cursor.execute(f"UPDATE {sales} SET total_sold = 2 WHERE product_id = 'a0'")
        other.commit()
        assert writer.wait(60) == 0
    finally:
        writer.kill()
        other.close()
    assert state_of(shop.sales, product_sales(sql_database)) == [each.sent for each in shop.sales]


def waits_for_lock(database):
    if address_of(database).startswith("mysql"):
        return database.sql("SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'") != [["0"]]
    waiting = database.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'till-mart'")
    return waiting != [["0"]]


def test_two_writers_take_turns(shop, sql_database, tmp_path):
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    writers = [start_mart(shop, sql_database, "--view", "products=ProductSales", "--every", "20ms", log=log) for log in logs]
    onlooker, witness = Onlooker(sql_database), Witness(shop)
    wait_until(lambda: all(log.read_text().count(" rows: ") > 5 for log in logs), "runs of both")
    for writer in writers:
        writer.send_signal(signal.SIGTERM)
    assert [writer.wait(30) for writer in writers] == [0, 0], [log.read_text()[-1000:] for log in logs]
    settle(shop)
    witness.stop()
    judge(shop, witness, onlooker.stop())


def test_what_a_database_does_not_allow_is_said(shop, sql_database):
    run_mart(shop, sql_database, "--view", "products=ProductSales")
    before = product_sales(sql_database)
    reader_of(sql_database)
    address = address_of(sql_database).replace("postgres@", "looker@").replace("till@", "looker@")
    denied = run_mart(shop, address, "--view", "products=ProductSales", code=1)
    assert "does not allow" in denied.stderr
    assert "denied" in denied.stderr
    assert product_sales(sql_database) == before


def reader_of(database):
    """The user looker may read, no more."""
    if address_of(database).startswith("mysql"):
        database.sql(f"CREATE OR REPLACE USER 'looker'@'127.0.0.1' IDENTIFIED BY 'till-in-trials'; GRANT SELECT ON `{database.name}`.* TO "
                     "'looker'@'127.0.0.1'")
    else:
        with contextlib.suppress(AssertionError):  # made for another test
            database.sql("CREATE ROLE looker LOGIN PASSWORD 'till-in-trials'")
        database.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker")
