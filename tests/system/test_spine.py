"""The main job: what a till sends is counted once and can be asked."""
from decimal import Decimal

import pytest
from harness import Sender, sum_metric, wait_until

pytestmark = pytest.mark.plain_too


def order(number, product="tea", quantity=2, price="2.50", **more):
    return {"order_id": f"o-{number}", "product_id": product, "quantity": quantity, "unit_price": price,
            "user_id": "u1", "ts": "2010-12-01T08:26:00Z", **more}


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_an_order_becomes_a_total(pipeline, encoding):
    pipe = pipeline()
    pipe.start_aggregator()
    sender = Sender(pipe.endpoint("store-1"), encoding)
    reply = sender.ask([order(1), order(2, quantity=3), order(3, product="salt", price="0.333333")])
    assert reply["ok"] and reply["accepted"] == 3 and reply["invalid"] == 0 and reply["durable"], reply
    assert reply["edge"] == "store-1" and reply["seq"]["order"] == [1, 3]
    pipe.wait_settled()
    rows = pipe.client.rows("get", view="products", keys=[["tea", "XXX"], ["salt", "XXX"]])
    assert {row["product_id"]: (row["order_count"], row["total_quantity"], row["total_revenue"]) for row in rows} == {
        "tea": (2, 5, "12.50"), "salt": (1, 2, "0.666666")}
    minute = pipe.client.rows("scan", view="sales_per_minute")
    assert [(row["minute"], row["order_count"], row["total_revenue"]) for row in minute] == [
        ("2010-12-01T08:26", 3, "13.166666")]


def test_three_kinds_and_dead_letters_are_counted_apart(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    sender = Sender(pipe.endpoint("store-1"))
    reply = sender.ask([order(1), {"kind": "cart", "product_id": "tea", "action": "add"},
                        {"type": "page_view", "page": "/tea"}, order(2, price="2,55")])
    assert not reply["ok"] and (reply["accepted"], reply["invalid"]) == (3, 1), reply
    assert [(error["index"], error["code"], error["field"]) for error in reply["errors"]] == [
        (3, "bad_value", "unit_price")]
    assert "2,55" in reply["errors"][0]["message"]
    pipe.wait_settled()
    rows = pipe.client.rows("scan", view="dead_letters")
    assert [(row["kind"], row["code"], row["edge"], row["count"]) for row in rows] == [
        ("order.dlq", "bad_value", "store-1", 1)]
    values = pipe.aggregator.metrics()
    for kind, count in (("order", 1), ("cart", 1), ("view", 1), ("order.dlq", 1)):
        assert sum_metric(values, "till_aggregator_counted_total", kind=kind) == count


def test_a_repeated_frame_is_counted_once(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    sender = Sender(pipe.endpoint("store-1"))
    first = sender.ask([order(1)], {"producer": "till-7", "n": 1})
    again = sender.ask([order(1)], {"producer": "till-7", "n": 1})
    assert first["accepted"] == again["accepted"] == 1
    assert not first.get("repeated") and again["repeated"]
    assert again["seq"] == first["seq"]
    pipe.edges["store-1"].restart()
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask([order(1)], {"producer": "till-7", "n": 1})["repeated"], "remembered across kill -9"
    assert not sender.ask([order(2)], {"producer": "till-7", "n": 2}).get("repeated")
    pipe.wait_settled()
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 2


def test_an_event_id_is_counted_once(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask([order(1, event_id="a"), order(2, event_id="b"), order(3, event_id="a")])["accepted"] == 2
    pipe.edges["store-1"].restart()
    sender = Sender(pipe.endpoint("store-1"))
    reply = sender.ask([order(1, event_id="a"), order(4, event_id="c")])
    assert reply["ok"] and reply["accepted"] == 1 and reply["repeated_events"] == 1, reply
    pipe.wait_settled()
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 3


def test_push_is_taken_without_replies(pipeline):
    from harness import CONTEXT, free_port
    import msgpack
    import zmq
    pipe = pipeline(options={"till-edge": [f"edge.listen_push=tcp://127.0.0.1:{free_port()}"]})
    pipe.start_aggregator()
    push = CONTEXT.socket(zmq.PUSH)
    push.connect(pipe.edges["store-1"].ready["listen_push"][0])
    for number in range(100):
        push.send(msgpack.packb(order(number)))
    push.send(b"\xc1 is no msgpack")
    wait_until(lambda: pipe.edges["store-1"].metric("till_edge_received_by_push_total") >= 101, "101 pushed events")
    pipe.wait_settled()
    push.close(0)
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 100
    assert pipe.client.rows("scan", view="dead_letters")[0]["code"] == "bad_frame"


def test_totals_survive_kill_and_restart_of_the_aggregator(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    sender = Sender(pipe.endpoint("store-1"))
    for number in range(20):
        assert sender.ask([order(number, price="0.10")])["ok"]
    pipe.wait_settled()
    before = pipe.client.scan("products")
    pipe.aggregator.restart()
    wait_until(lambda: pipe.client.ask("status").get("as_of", {}).get("lag") == 0, "caught up")
    assert pipe.client.scan("products") == before
    assert Decimal(before[0]["total_revenue"]) == Decimal("4.00")


def test_json_records_in_kafka_count_the_same(pipeline):
    pipe = pipeline(options={"till-bridge": ["bridge.format=json", "bridge.headers=yes"]})
    pipe.start_aggregator()
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask([order(1, price="19.99", note={"gift": True}, big=2**60)])["ok"]
    pipe.wait_settled()
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["total_revenue"] == "39.98"


def test_several_edges_share_the_totals(pipeline):
    stores = ["Berlin", "United Kingdom", "Zürich"]
    pipe = pipeline(edges=stores)
    pipe.start_aggregator()
    for store in stores:
        assert Sender(pipe.endpoint(store)).ask([order(number) for number in range(50)])["ok"]
    pipe.wait_settled()
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 150
    rows = pipe.client.scan("stores")
    assert {row["edge"]: (row["order_count"], row["basket_count"]) for row in rows} == {
        store: (50, 50) for store in stores}
    answer = pipe.client.ask("edges")
    assert answer["ok"] and {row["edge"] for row in answer["edges"]} == set(stores), answer
