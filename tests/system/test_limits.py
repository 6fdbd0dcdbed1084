"""One peer that asks for more than it may is told so and counted; others don't notice."""
from harness import Sender, sum_metric


def order(number):
    return {"order_id": f"o{number}", "product_id": "tea", "quantity": 1, "unit_price": "1.00"}


def test_a_producer_that_floods_is_told_busy_and_others_are_served(pipeline):
    line = pipeline(options={"till-edge": ["limits.frames=50"]})
    line.start_aggregator()
    flooder, honest = Sender(line.endpoint("store-1")), Sender(line.endpoint("store-1"))
    flood, ours = 3000, 40
    for number in range(flood):
        flooder.send([order(number)])
    for number in range(ours):  # one after the other, in the middle of it
        assert honest.ask([order(flood + number)])["ok"]
    answers = [flooder.receive() for _ in range(flood)]
    taken = [each for each in answers if each["ok"]]
    busy = [each["error"] for each in answers if not each["ok"]]
    assert {error["code"] for error in busy} == {"busy"} and all(error["retry_after_ms"] > 0 for error in busy)
    assert len(taken) >= 100 and len(busy) > flood / 2  # its burst, and what its rate allowed meanwhile

    line.wait_settled()
    metrics = line.edges["store-1"].metrics()
    assert sum_metric(metrics, "till_edge_events_refused_total", code="busy") == len(busy)
    assert sum_metric(metrics, "till_edge_events_received_total") == flood + ours
    rows = line.client.rows("get", view="products", key=["tea"])
    assert [row["order_count"] for row in rows] == [len(taken) + ours]
