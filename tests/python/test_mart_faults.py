"""What a database refuses, for a while or for good: tried again, or said; the mart is as it was."""
import shutil

import pytest
from harness import Sender
from mariadb import Mariadb
from mart_rig import address_of, history, product_sales, quote, run_mart, shown
from postgres import Postgres
from small_disk import Ballast, needs_root, small_disk


@pytest.fixture
def shop(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    pipe.count = 0
    return pipe


def sell(shop, count):
    sender = Sender(shop.endpoint("store-1"))
    for at in range(0, count, 5000):
        numbers = range(shop.count + at, shop.count + min(at + 5000, count))
        assert sender.ask([{"order_id": f"o{number}", "product_id": f"p{number}", "quantity": 1, "unit_price": "1.25"}
                           for number in numbers])["ok"]
    sender.close()
    shop.count += count
    shop.wait_settled()


def raise_at_insert(database, code, times=None):
    """The database refuses rows of ProductSales with this error: always, or the first few times (a sequence is not rolled back)."""
    sales = quote(database, "ProductSales")
    if address_of(database).startswith("mysql"):
        database.sql(f"CREATE TRIGGER refusal BEFORE INSERT ON {sales} FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {code}, "
                     "MESSAGE_TEXT = 'as the test wants it'")
        return
    condition = "" if times is None else f"IF nextval('refusals') <= {times} THEN "
    database.sql("CREATE SEQUENCE IF NOT EXISTS refusals")
    database.sql(f"CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {condition} RAISE EXCEPTION "
                 f"'as the test wants it' USING ERRCODE = '{code}'; {'END IF; RETURN NEW;' if condition else ''} END $$")
    database.sql(f"CREATE TRIGGER refusal BEFORE INSERT ON {sales} FOR EACH ROW EXECUTE FUNCTION refuse()")


def test_a_serialization_failure_is_tried_again(shop, database):
    sell(shop, 3)
    run_mart(shop, database, "--view", "products=ProductSales")
    raise_at_insert(database, "40001", times=3)
    sell(shop, 1)
    run_mart(shop, database, "--view", "products=ProductSales")
    assert len(product_sales(database)) == 4
    assert database.sql("SELECT last_value FROM refusals") == [["4"]]
    assert [run["outcome"] for run in history(database)] == ["done", "done"]


@pytest.mark.parametrize("reason", ["conflict", "full"])
def test_what_does_not_pass_is_said_and_written_down(shop, sql_database, reason):
    codes = {"conflict": ("40P01", "1213"), "full": ("53100", "1021")}[reason]
    words = {"conflict": "another transaction was in the way", "full": "no room left"}[reason]
    sell(shop, 3)
    run_mart(shop, sql_database, "--view", "products=ProductSales")
    before = product_sales(sql_database), shown(sql_database, "ProductSales")
    raise_at_insert(sql_database, codes[address_of(sql_database).startswith("mysql")])
    sell(shop, 1)
    failed = run_mart(shop, sql_database, "--view", "products=ProductSales", code=1)
    assert words in failed.stderr
    assert "as the test wants it" in failed.stderr
    assert (product_sales(sql_database), shown(sql_database, "ProductSales")) == before
    assert words in history(sql_database)[-1]["error"]


@needs_root
def test_a_full_disk_keeps_the_mart_in_mariadb_as_it_was(shop):
    """The folder of the database is a disk of its own. MariaDB may end itself when it is full; started where there is room again, it has
    what was there before."""
    server = Mariadb()
    try:
        database, folder = server.new_database("full"), server.data / "full"
        with small_disk("tmpfs", folder, 32, is_there=True):
            shutil.chown(folder, server.folder.owner())
            sell(shop, 2000)
            run_mart(shop, database, "--view", "products=ProductSales")
            before = product_sales(database)
            ballast = Ballast(folder)
            ballast.fill()
            sell(shop, 20_000)
            failed = run_mart(shop, database, "--view", "products=ProductSales", code=(1, 3))
            assert ("no room left" if failed.returncode == 1 else "can't be reached") in failed.stderr
            ballast.drop()
            server.stop(for_good=False)
            server.start()
            assert product_sales(database) == before
            run_mart(shop, database, "--view", "products=ProductSales")
            assert len(product_sales(database)) == 22_000
            server.stop()
    finally:
        server.stop()


@needs_root
def test_a_full_disk_keeps_the_mart_as_it_was(shop):
    """A PostgreSQL whose disk is full, and has room again."""
    server = Postgres()
    try:
        database = server.new_database("full")
        with small_disk("tmpfs", server.folder / "space", 24) as space:
            shutil.chown(space, server.folder.owner())
            server.sql(f"CREATE TABLESPACE small LOCATION '{space}'")
            server.sql("ALTER DATABASE \"full\" SET TABLESPACE small")
            sell(shop, 2000)
            run_mart(shop, database, "--view", "products=ProductSales")
            before = product_sales(database)
            ballast = Ballast(space)
            ballast.fill()
            sell(shop, 20_000)
            failed = run_mart(shop, database, "--view", "products=ProductSales", code=1)
            assert "no room left" in failed.stderr
            assert product_sales(database) == before
            ballast.drop()
            run_mart(shop, database, "--view", "products=ProductSales")
            assert len(product_sales(database)) == 22_000
            server.stop()
    finally:
        server.stop()
