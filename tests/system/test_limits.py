"""One peer that asks for more than it may is told so and counted; others don't notice."""
import json
import time

import zmq
from harness import CONTEXT, Client, Sender, free_port, show_keys, sum_metric, till, wait_until
from keys import Keys


def order(number):
    return {"order_id": f"o{number}", "product_id": "tea", "quantity": 1, "unit_price": "1.00"}


def most(rate, begun):
    """Its burst, and what its rate allowed meanwhile."""
    return 2 * rate + rate * (time.monotonic() - begun) + 1


def test_a_producer_that_floods_is_told_busy_and_others_are_served(pipeline):
    line = pipeline(options={"till-edge": ["limits.frames=50"]})
    line.start_aggregator()
    flooder, honest = Sender(line.endpoint("store-1")), Sender(line.endpoint("store-1"))
    flood, ours = 3000, 40
    begun = time.monotonic()
    for number in range(flood):
        flooder.send([order(number)])
    for number in range(ours):  # one after the other, in the middle of it
        assert honest.ask([order(flood + number)])["ok"]
    answers = [flooder.receive() for _ in range(flood)]
    taken = [each for each in answers if each["ok"]]
    busy = [each["error"] for each in answers if not each["ok"]]
    assert {error["code"] for error in busy} == {"busy"} and all(error["retry_after_ms"] > 0 for error in busy)
    assert 100 <= len(taken) <= most(50, begun) and len(taken) < flood

    line.wait_settled()
    metrics = line.edges["store-1"].metrics()
    assert sum_metric(metrics, "till_edge_events_refused_total", code="busy") == len(busy)
    assert sum_metric(metrics, "till_edge_events_received_total") == flood + ours
    rows = line.client.rows("get", view="products", key=["tea"])
    assert [row["order_count"] for row in rows] == [len(taken) + ours]


def pusher(endpoint, keys):
    socket = CONTEXT.socket(zmq.PUSH)
    socket.setsockopt(zmq.LINGER, 0)
    show_keys(socket, keys)
    socket.connect(endpoint)
    return socket


def test_a_pusher_that_floods_waits_and_others_are_served(pipeline, tmp_path):
    """Nobody can tell a PUSH to wait but by not reading: nothing is lost, and the honest one has its turn between the others'."""
    keys, port = Keys(tmp_path), free_port()
    keys.make("edge")
    for name in ("flooder", "honest"):
        keys.make(name, "--send")
    directory = keys.directory("edge", "flooder", "honest")
    line = pipeline(options={"till-edge": [
        "limits.frames=100", f"edge.listen_push=tcp://127.0.0.1:{port}", f"security.key_file={keys.secret('edge')}",
        f"security.authorized={directory}"]})
    line.start_aggregator()
    edge, endpoint = line.edges["store-1"], f"tcp://127.0.0.1:{port}"
    flooder, honest = (pusher(endpoint, keys.pair(name, "edge")) for name in ("flooder", "honest"))
    flood, ours = 4000, 80
    flooder.setsockopt(zmq.SNDHWM, flood)
    for number in range(flood):
        flooder.send_json([order(number)])
    wait_until(lambda: edge.metric("till_edge_push_delayed_total") > 0, "a flood that waits")
    for number in range(ours):
        honest.send_json([{**order(flood + number), "product_id": "coffee"}])

    def count(product):
        rows = line.client.rows("get", view="products", key=[product])
        return rows[0]["order_count"] if rows else 0
    wait_until(lambda: count("coffee") == ours, "the honest one's orders")
    assert 200 <= count("tea") < flood  # its burst, and what its rate allowed meanwhile; the rest waits

    def held():
        values = edge.metrics()
        taken = sum_metric(values, "till_edge_source_events_total", source="push", outcome="accepted")
        assert taken < flood + ours and sum_metric(values, "till_edge_events_refused_total") == 0
        return sum_metric(values, "till_edge_received_by_push_total") - taken
    wait_until(lambda: held() in (0, 1), "one frame at most to be held: what is on its way to the disk comes there, the others are still in the socket")
    for socket in (flooder, honest):
        socket.close()


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
    begun, codes = time.monotonic(), []
    for _ in range(4):
        for number in range(500):  # so many answers have room in the queues of both sides, however late they are read
            flooder.socket.send_multipart([str(number).encode(), b"", b'{"query":"views"}'])
        assert [honest.ask("views")["ok"] for _ in range(10)] == 10 * [True]
        codes += [json.loads(flooder.socket.recv_multipart()[-1]) for _ in range(500)]
    busy = [each for each in codes if not each["ok"]]
    assert {each["error"]["code"] for each in busy} == {"busy"} and 2000 - len(busy) <= most(50, begun)
    assert all(100 <= each["error"]["retry_after_ms"] <= 60000 for each in busy)
    assert line.aggregator.metric("till_aggregator_queries_total") >= 2040

    waiter = Client(endpoint)
    after = [{"edge": "nobody", "run": 1, "kind": "order", "seq": 1}]
    codes = flood_queries(waiter, 10, query="get", view="products", key=["tea"], after=after, timeout_ms=3000)
    assert codes.count("busy") == 7 and len(set(codes)) == 2
    codes = flood_queries(waiter, 3, query="get", view="products", key=["tea"], after=after, timeout_ms=100)
    assert "busy" not in codes  # their places are free again


def test_a_command_that_hears_busy_asks_again_in_time(pipeline, tmp_path):
    """A key has one share, whoever asks with it; the first answer uses up that of seconds."""
    keys = Keys(tmp_path)
    keys.make("aggregator")
    keys.make("boss", "--views", "*")
    directory = keys.directory("aggregator", "boss")
    line = pipeline(edges=(), bridges=0, options={"till-aggregator": [
        "limits.answer_bytes=200", f"security.key_file={keys.secret('aggregator')}", f"security.authorized={directory}"]})
    line.start_aggregator()
    endpoint = line.aggregator.ready["listen"][0]
    client = Client(endpoint, keys.pair("boss", "aggregator"))

    def ask():
        """How often one command had to ask."""
        codes = flood_queries(client, 20, query="status")
        assert codes[-1] == "busy"
        before = line.aggregator.metric("till_aggregator_queries_total")
        done = till("query", endpoint, '{"query":"status"}', "--timeout", "60s", *keys.flags("boss", "aggregator"))
        assert done.returncode == 0 and json.loads(done.stdout)["ok"], done.stderr
        return line.aggregator.metric("till_aggregator_queries_total") - before
    assert any(ask() > 1 for _ in range(5))  # once, but where the machine starts a command in seconds only
