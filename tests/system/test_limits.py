"""One peer that asks for more than it may is told so and counted; others don't notice."""
import json

from harness import Client, Sender, sum_metric, wait_until


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


def flood_queries(client, count, **query):
    """The codes of the answers; "ok" where there is none."""
    for number in range(count):
        client.socket.send_multipart([str(number).encode(), b"", json.dumps(query).encode()])
    codes = []
    for _ in range(count):
        assert client.socket.poll(60000)
        answer = json.loads(client.socket.recv_multipart()[-1])
        codes.append("ok" if answer["ok"] else answer["error"]["code"])
    return codes


def test_a_reader_that_floods_is_told_busy_and_others_are_answered(pipeline):
    line = pipeline(options={"till-aggregator": ["limits.queries=50", "limits.waiting=3"]})
    line.start_aggregator()
    wait_until(lambda: line.client.ask("status")["ok"], "an answer")
    endpoint = line.aggregator.ready["listen"][0]
    flooder, honest = Client(endpoint), Client(endpoint)
    for number in range(2000):
        flooder.socket.send_multipart([str(number).encode(), b"", b'{"query":"views"}'])
    assert [honest.ask("views")["ok"] for _ in range(40)] == 40 * [True]
    codes = [json.loads(flooder.socket.recv_multipart()[-1]) for _ in range(2000)]
    busy = [each for each in codes if not each["ok"]]
    assert {each["error"]["code"] for each in busy} == {"busy"} and len(busy) > 1000
    assert line.aggregator.metric("till_aggregator_queries_total") >= 2040

    waiter = Client(endpoint)
    after = [{"edge": "nobody", "run": 1, "kind": "order", "seq": 1}]
    codes = flood_queries(waiter, 10, query="get", view="products", key=["tea"], after=after, timeout_ms=1000)
    assert codes.count("busy") == 7 and len(set(codes)) == 2
    codes = flood_queries(waiter, 3, query="get", view="products", key=["tea"], after=after, timeout_ms=1000)
    assert "busy" not in codes  # their places are free again
