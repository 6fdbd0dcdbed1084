"""The client against a real aggregator."""
from decimal import Decimal

import pytest
import till
from harness import Sender

LINES = [{"order_id": f"o{number}", "product_id": f"p{number % 3}", "quantity": 1 + number, "unit_price": "1.05", "currency": "EUR",
          "ts": 1_291_193_160_000 + number} for number in range(7)]


@pytest.fixture
def served(pipeline):
    """A pipeline that has counted LINES."""
    pipe = pipeline()
    pipe.start_aggregator()
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask(LINES)["ok"]
    sender.close()
    pipe.wait_settled()
    return pipe


def test_rows_are_exact_and_typed(served):
    with till.Client(served.aggregator.ready["listen"][0]) as client:
        rows = client.top("products", by="total_revenue", limit=2)
        wanted = {f"p{product}": sum(Decimal("1.05") * line["quantity"] for line in LINES if line["product_id"] == f"p{product}")
                  for product in range(3)}
        best = sorted(wanted.items(), key=lambda item: -item[1])[:2]
        assert [(row["product_id"], row["total_revenue"]) for row in rows] == best
        assert [column.name for column in rows.columns] == ["product_id", "currency", "order_count", "total_quantity", "total_revenue"]
        assert rows.as_of.lag == 0
        assert client.scan("products")[0]["total_quantity"] == sum(line["quantity"] for line in LINES if line["product_id"] == "p0")


def test_a_refusal_says_what_was_meant(served):
    with till.Client(served.aggregator.ready["listen"][0]) as client, pytest.raises(till.Refused, match="products") as refused:
        client.ask({"query": "top", "view": "prodcts", "by": "total_revenue"})
    assert refused.value.code == "unknown_view"


def test_nobody_there_ends_in_time():
    with till.Client("tcp://127.0.0.1:9", timeout=0.2) as client, pytest.raises(till.NotReached, match=r"tcp://127\.0\.0\.1:9"):
        client.status()
