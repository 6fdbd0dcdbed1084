"""What people open Kafka's own consoles for: topics, records and dead letters, asked of the aggregator, against what another client
library sees in the same Kafka."""
import base64
import contextlib
import json
import signal

import msgpack
import pytest
from harness import Client, Sender, till, wait_until

ORDER = {"order_id": "4711", "product_id": "tea", "quantity": 2, "unit_price": "2.50", "currency": "EUR"}
REFUSED = [({**ORDER, "quantity": 0}, "bad_value"), ({**ORDER, "unit_price": "2,50"}, "bad_value"), ({"product_id": "tea"}, "missing_field")]


@pytest.fixture
def shop(pipeline):
    """A pipeline through which 60 orders went, and six that were refused."""
    pipe = pipeline(edges=("berlin", "oslo"))
    pipe.start_aggregator()
    for edge in pipe.edges:
        with contextlib.closing(Sender(pipe.endpoint(edge))) as sender:
            assert sender.ask([{**ORDER, "order_id": f"{edge}-{number}"} for number in range(30)])["ok"]
            sender.ask([event for event, _ in REFUSED])
    pipe.wait_settled()
    return pipe


def topic_of(answer, name):
    return next(topic for topic in answer["topics"] if topic["name"] == name)


def ours(answer):
    return {topic["name"]: topic for topic in answer["topics"] if topic["role"] != "other"}


def test_topics_are_what_kafka_says_and_how_far_they_are_read(shop, admin, prefix):
    kinds = {"orders": "order", "cart_events": "cart", "page_views": "view"}
    admin.configure(topic=f"{prefix}orders", **{"retention.ms": "86400000"})
    answer = shop.client.ask("topics")
    assert answer["ok"] and answer["kafka"]["reachable"] and answer["kafka"]["error"] is None
    assert answer["cluster"]["id"] == admin.cluster()
    assert [f"{broker['host']}:{broker['port']}" for broker in answer["cluster"]["brokers"]] == [shop.bootstrap]
    there = set(admin.leaders())
    assert {topic["name"] for topic in answer["topics"]} <= {name for name in there if not name.startswith("__")}
    assert set(answer["internal"]) <= {name for name in there if name.startswith("__")}
    # Of very many some are left out, and counted; ours never.
    assert len(answer["topics"]) + len(answer["internal"]) + answer["left_out"] == len(there)

    found = ours(answer)
    assert {name: (topic["role"], topic["kind"]) for name, topic in found.items()} == {
        **{prefix + name: ("events", kind) for name, kind in kinds.items()},
        **{f"{prefix}{name}.dlq": ("dead_letters", f"{kind}.dlq") for name, kind in kinds.items()},
        f"{prefix}telemetry": ("telemetry", None)}
    leaders, ends = admin.leaders(prefix=prefix), admin.ends(topics=list(found))
    for name, topic in found.items():
        assert [[part["leader"], part["in_sync"]] for part in topic["partitions"]] == leaders[name]
        if name != f"{prefix}telemetry":  # it goes on growing
            assert {str(part["partition"]): part["latest"] for part in topic["partitions"]} == {str(key): end for key, end in ends[name].items()}
            assert all(part["position"] == part["latest"] and part["lag"] == 0 and part["earliest"] == 0 for part in topic["partitions"])
        else:
            assert {part["position"] for part in topic["partitions"]} == {None}
        known = admin.settings(topic=name)
        assert all(known[setting["name"]] == setting["value"] for setting in topic["settings"])
    settings = {each["name"]: (each["value"], each["source"]) for each in topic_of(answer, f"{prefix}orders")["settings"]}
    assert settings["retention.ms"] == ("86400000", "topic")
    assert settings["message.timestamp.type"] == ("LogAppendTime", "topic")
    assert "segment.bytes" not in settings  # a default of Kafka's


def test_records_are_read_from_anywhere_and_decoded(shop, admin, prefix):
    topic = f"{prefix}orders"
    part = next(part for part, end in admin.ends(topics=[topic])[topic].items() if end == 30)
    part = int(part)
    newest = shop.client.ask("records", topic=topic, partition=part, limit=7)
    assert [record["offset"] for record in newest["records"]] == list(range(23, 30))
    assert (newest["earliest"], newest["latest"], newest["next"], newest["complete"]) == (0, 30, 30, True)
    first = newest["records"][0]
    assert first["as"] == "event" and first["reason"] is None
    edge = first["key"]
    assert first["value"]["order_id"] == f"{edge}-23" and first["value"]["edge"] == edge and first["value"]["unit_price"] == "2.50"

    page = shop.client.ask("records", topic=topic, partition=part, offset=0, limit=10)
    assert [record["value"]["order_id"] for record in page["records"]] == [f"{edge}-{number}" for number in range(10)]
    assert page["next"] == 10
    again = shop.client.ask("records", topic=topic, partition=part, **{"from": first["appended_ms"]}, limit=100)
    assert again["records"][-1]["offset"] == 29 and all(each["appended_ms"] >= first["appended_ms"] for each in again["records"])
    assert shop.client.ask("records", topic=topic, partition=part, offset=99)["records"] == []
    later = shop.client.ask("records", topic=topic, partition=part, **{"from": first["appended_ms"] + 10**9})
    assert later["records"] == [] and later["next"] == 30

    wrong = shop.client.ask("records", topic=topic, partition=99)
    assert wrong["error"]["code"] == "bad_key" and "99" in wrong["error"]["message"]
    assert shop.client.ask("records", topic="__consumer_offsets", partition=0)["error"]["code"] == "forbidden"


def test_what_is_no_event_is_shown_as_what_it_is(shop, admin, prefix):
    topic = f"{prefix}cart_events"
    change = {"schema": None, "payload": {"op": "c", "before": None, "after": {"id": 1}, "source": {"ts_ms": 1}}}
    values = [json.dumps({"a": [1, {"b": 2.5}]}).encode(), msgpack.packb({"x": b"\x00\xff"}), json.dumps(change).encode(), b"\xff\x00 no value",
              b"", b"\x00\x00\x00\x00\x07" + json.dumps(change["payload"]).encode(), b"\xc1" + b"x" * 5000, b"{" * 400000]
    admin.produce(topic, 0, [(b"\xff\xfe", value) for value in values])
    answer = shop.client.ask("records", topic=topic, partition=0)
    assert [record["as"] for record in answer["records"]] == ["json", "msgpack", "change", "bytes", "nothing", "change", "bytes", "bytes"]
    records = answer["records"]
    assert records[0]["value"] == {"a": [1, {"b": 2.5}]} and records[0]["reason"]
    assert records[1]["value"] == {"x": base64.b64encode(b"\x00\xff").decode()}
    assert records[2]["value"] == change["payload"] == records[5]["value"]
    assert base64.b64decode(records[3]["value"]) == values[3] and records[3]["reason"]
    assert base64.b64decode(records[6]["value"]) == values[6][:4096] and records[6]["size"] == 5001
    assert "too large" in records[7]["reason"] and records[7]["size"] == 400000
    assert all(base64.b64decode(record["key"]["bytes"]) == b"\xff\xfe" for record in records)


def test_letters_are_told_by_reason_with_the_newest_of_each(shop, prefix):
    answer = shop.client.ask("letters")
    assert (answer["in_log"], answer["scanned"], answer["unreadable"], answer["complete"]) == (6, 6, 0, True)
    assert {code["code"]: code["count"] for code in answer["codes"]} == {"bad_value": 4, "missing_field": 2}
    assert len(answer["letters"]) == 6
    times = [letter["appended_ms"] for letter in answer["letters"]]
    assert times == sorted(times, reverse=True)
    for code in answer["codes"]:
        of_code = [letter for letter in answer["letters"] if letter["code"] == code["code"]]
        assert code["newest"] in [letter["place"] for letter in of_code if letter["appended_ms"] == code["newest_ms"]]
        assert code["newest_ms"] == max(letter["appended_ms"] for letter in of_code)
    known = {json.loads(line)["offset"]: json.loads(line) for line in till(
        "dlq", "list", "--json", "--brokers", shop.bootstrap, "--topic", f"{prefix}orders", "--edge", "oslo").stdout.splitlines()}
    only = shop.client.ask("letters", edge="oslo", code="missing_field")
    assert [letter["offset"] for letter in only["letters"]] == [2] and {code["code"] for code in only["codes"]} == {"bad_value", "missing_field"}
    letter = only["letters"][0]
    assert letter["value"] == known[2]["event"] == REFUSED[2][0]
    assert letter["message"] == known[2]["headers"]["__connect.errors.exception.message"] and letter["replayable"]
    assert letter["place"] == f"{prefix}orders.dlq/{letter['partition']}/2" and letter["refused_by"] == "edge" and letter["source"] == "zmq"
    assert len(shop.client.ask("letters", limit=1)["letters"]) == 1
    assert shop.client.ask("letters", edge="bonn")["letters"] == []


def test_one_looks_at_a_time_and_who_asks_the_same_shares_it(shop, admin, prefix):
    """While the look is held up, another hears busy; the same question is answered with the one that is under way."""
    topic = f"{prefix}orders"
    first, second = Client(shop.client.endpoint), Client(shop.client.endpoint)
    request = {"query": "records", "topic": topic, "partition": 0}
    broker = shop.aggregator.metrics
    for client, tag in ((first, b"1"), (second, b"2")):
        client.socket.send_multipart([tag, b"", json.dumps(request).encode()])
    # sent in one go, before the first can be answered: the second finds it under way or over, and is answered in any case
    answers = [json.loads(client.socket.recv_multipart()[-1]) for client in (first, second)]
    assert all(answer["ok"] for answer in answers)
    sent = [{**request, "partition": number % 4, "limit": 1 + number} for number in range(8)]
    for number, each in enumerate(sent):
        first.socket.send_multipart([str(number).encode(), b"", json.dumps(each).encode()])
    codes = []
    for _ in sent:
        answer = json.loads(first.socket.recv_multipart()[-1])
        codes.append("ok" if answer["ok"] else answer["error"]["code"])
        assert answer["ok"] or answer["error"]["retry_after_ms"] > 0
    assert set(codes) <= {"ok", "busy"} and "busy" in codes
    values = broker()
    assert values['till_aggregator_looks_total{result="busy"}'] == codes.count("busy")
    assert values['till_aggregator_looks_total{result="failed"}'] == 0
    first.close()
    second.close()


def test_while_kafka_is_away_the_last_that_was_known_is_shown(shop, broker, prefix):
    """Frozen, as behind a cable that was cut: nothing is refused, nothing is answered. The loop answers all the while."""
    known = shop.client.ask("topics")
    broker.signal(signal.SIGSTOP)
    try:
        away = wait_until(lambda: (answer := shop.client.ask("topics")) and not answer["kafka"]["reachable"] and answer, "a survey that fails")
        assert away["kafka"]["unreachable_since_ms"] >= away["kafka"]["seen_ms"] >= known["kafka"]["seen_ms"] and away["kafka"]["error"]
        assert ours(away).keys() == ours(known).keys() and away["cluster"] == known["cluster"]
        again = shop.client.ask("topics")
        assert again["kafka"]["unreachable_since_ms"] == away["kafka"]["unreachable_since_ms"]
        shop.client.socket.send_multipart([b"r", b"", json.dumps({"query": "records", "topic": f"{prefix}orders", "partition": 0}).encode()])
        status = Client(shop.client.endpoint)
        assert status.ask("status")["ok"]  # not behind what waits for Kafka
        status.close()
        late = json.loads(shop.client.socket.recv_multipart()[-1])
        assert late["error"]["code"] == "timeout" and "Kafka" in late["error"]["message"]
    finally:
        broker.signal(signal.SIGCONT)
    back = wait_until(lambda: (answer := shop.client.ask("topics")) and answer["kafka"]["reachable"] and answer, "Kafka's return")
    assert back["kafka"]["unreachable_since_ms"] is None and back["kafka"]["seen_ms"] > away["kafka"]["seen_ms"]
