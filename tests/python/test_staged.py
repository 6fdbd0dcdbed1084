"""Views that are staged, asked by the Python client: what the live views tell of types is typed, the rest comes as it is."""
from decimal import Decimal

import till
from harness import Sender, wait_until

STAGED = """
[view.products]
group_by = product_id
measures = order_count = count(), total_revenue = sum(revenue), dearest = max(unit_price)
where = channel != phone

[view.by_channel]
group_by = channel
measures = order_count = count(), total_revenue = sum(revenue)
"""
LINES = [{"order_id": f"o{number}", "product_id": f"p{number % 2}", "quantity": 1, "unit_price": "1.25", "currency": "EUR",
          "channel": "phone" if number == 3 else "web"} for number in range(5)]


def test_rows_of_staged_views_have_the_types_that_are_known(pipeline, tmp_path):
    (tmp_path / "staged.conf").write_text(STAGED)
    pipe = pipeline()
    pipe.start_aggregator("-o", f"aggregator.stage={tmp_path / 'staged.conf'}")
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask(LINES)["ok"]
    sender.close()
    pipe.wait_settled()
    with till.Client(pipe.aggregator.ready["listen"][0]) as client:
        wait_until(lambda: (told := client.staged()["staged"])["caught_up"] and not told["live_ahead"], "what is staged")
        changes = {each["view"]: each["change"] for each in client.staged()["staged"]["views"]}
        assert (changes["products"], changes["by_channel"]) == ("changed", "new")
        (difference,) = [each for each in client.staged("products")["difference"]["rows"] if each["key"] == ["p1", "EUR"]]
        assert (difference["live"]["order_count"], difference["staged"]["order_count"]) == (2, 1)
        rows = {row["product_id"]: row for row in client.scan("products", staged=True)}
        assert rows["p1"] == {"product_id": "p1", "currency": "EUR", "order_count": 1, "total_revenue": Decimal("1.25"), "dearest": "1.25"}
        assert rows["p0"]["total_revenue"] == Decimal("3.75")
        assert isinstance(rows["p0"]["total_revenue"], Decimal)
        assert {row["product_id"]: row["order_count"] for row in client.scan("products")} == {"p0": 3, "p1": 2}
        channels = {row["channel"]: (row["order_count"], row["total_revenue"]) for row in client.scan("by_channel", staged=True)}
        assert channels == {"web": (4, "5.00"), "phone": (1, "1.25")}
