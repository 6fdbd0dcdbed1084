"""A view that no single answer holds: its pages and its live changes are one moment."""
from decimal import Decimal

import pytest
from harness import wait_until
from mart_rig import Sales, Witness, state_of
from till import Client, columns
from till.mart import reader as mart_reader
from till.mart.plan import Target, Wish, resolve
from till.mart.reader import Reader

PRODUCTS = 400


@pytest.fixture
def shop(pipeline):
    """Sells so many products that its view takes pages of a few rows."""
    pipe = pipeline(edges=("store-a", "store-b"))
    pipe.start_aggregator()
    pipe.sales = [Sales(pipe.endpoint(f"store-{name}"), name, products=PRODUCTS) for name in "ab"]
    for each in pipe.sales:
        each.thread.start()
    wait_until(lambda: len(pipe.client.scan("products")) > PRODUCTS, "rows for many pages")
    yield pipe
    for each in pipe.sales:
        each.is_over.set()


def mart_of(client):
    view = next(each for each in client.views() if each["name"] == "products")
    return resolve(Wish("products", Target("ProductSales")), columns.columns_of_view(view), {})


def test_pages_and_changes_are_one_moment_while_sales_go_on(shop, monkeypatch):
    monkeypatch.setattr(mart_reader, "PAGE_ROWS", 50)
    witness = Witness(shop)
    with Client(shop.aggregator.ready["listen"][0]) as client:
        reader, mart = Reader(client, rows_max=PRODUCTS // 2), mart_of(client)
        cuts = [reader.cut(mart) for _ in range(8)]
        for each in shop.sales:
            each.stop()
        shop.wait_settled()
        cuts.append(reader.cut(mart))
    witness.stop()
    counts = []
    for cut in cuts:
        rows = {row[0]: (row[1], row[2]) for row in cut.rows.values()}
        counts.append(state_of(shop.sales, rows))
        witness.assert_between(cut.store, cut.commit, sum(counts[-1]))
    assert counts == sorted(counts)
    assert len({tuple(each) for each in counts}) > 3
    assert counts[-1] == [each.sent for each in shop.sales]


def counted(shop):
    """Events of each store in an answer."""
    rows = shop.client.scan("products")
    return [sum(row["order_count"] for row in rows if row["product_id"].startswith(each.name)) for each in shop.sales]


def test_pages_alone_would_not_be(shop):
    """What the test above would see without the changes: behind the first page every product is sold twice more."""
    rows, cursor = {}, None
    with Client(shop.aggregator.ready["listen"][0]) as client:
        while cursor or not rows:
            answer = client.ask({"query": "scan", "view": "products", "limit": 50, **({"cursor": cursor} if cursor else {})})
            if not rows:
                enough = [count + 2 * PRODUCTS for count in counted(shop)]
                wait_until(lambda enough=enough: all(now >= then for now, then in zip(counted(shop), enough, strict=True)), "more sales")
            rows |= {row["product_id"]: (row["total_quantity"], Decimal(row["total_revenue"])) for row in answer["rows"]}
            cursor = answer.get("next")
    with pytest.raises(AssertionError, match="no totals of the first"):
        state_of(shop.sales, rows)
