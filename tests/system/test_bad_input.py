"""What must not get in: each case gets a clear word to its sender, nothing of it is counted, and the books add up."""
import json
import socket
import struct

import msgpack
import pytest
from harness import CONTEXT, Sender, sum_metric, wait_until
from test_kill import assert_books_add_up
from test_spine import order


@pytest.fixture
def pipe(pipeline):
    made = pipeline()
    made.start_aggregator()
    return made


def still_works(pipe, sender):
    """The honest order after the bad one is counted, alone."""
    assert sender.ask([order(1)])["ok"]
    pipe.wait_settled()
    assert [(row["product_id"], row["order_count"]) for row in pipe.client.scan("products")] == [("tea", 1)]
    assert_books_add_up(pipe)


BAD_FRAMES = {
    "broken msgpack": (b"\x91\x82\xa8order_id", "bad_frame"),
    "never used msgpack byte": (b"\xc1", "bad_frame"),
    "broken json": (b'[{"order_id":"1",]', "bad_frame"),
    "empty frame": (b"", "bad_frame"),
    "empty array": (b"\x90", "bad_frame"),
    "no map": (b"\x2a", "bad_frame"),
    "bytes after the end": (msgpack.packb([order(1)]) + b"\x00", "bad_frame"),
    "declared array of 2^32-1": (b"\xdd\xff\xff\xff\xff" + msgpack.packb(order(1)), "bad_frame"),
    "declared text of 4 GiB": (b"\x91\x81\xa8order_id\xdb\xff\xff\xff\xffx", "bad_frame"),
    "10,001 events": (msgpack.packb([order(1)] * 10001), "too_large"),
    "5 MiB": (msgpack.packb([order(1, note="x" * (5 << 20))]), "too_large"),
}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_a_bad_frame_is_refused_whole(pipe, name):
    frame, code = BAD_FRAMES[name]
    sender = Sender(pipe.endpoint("store-1"))
    reply = sender.ask_raw(frame)
    assert not reply["ok"] and reply["accepted"] == 0, reply
    assert reply["error"]["code"] == code and reply["error"]["message"], reply
    still_works(pipe, sender)


def float32(value):
    return b"\xca" + struct.pack(">f", value)


def raw_order(field, packed):
    """An order whose one field is these msgpack bytes."""
    fields = {"order_id": "1", "product_id": "tea", "quantity": 1, "unit_price": "1.00"}
    fields.pop(field, None)
    body = b"".join(msgpack.packb(key) + msgpack.packb(value) for key, value in fields.items())
    return bytes([0x80 + len(fields) + 1]) + body + msgpack.packb(field) + packed


BAD_EVENTS = {
    "nesting of 10,000": (raw_order("note", b"\x91" * 10000 + b"\xc0"), "too_deep", ""),
    "wrong type of price": (raw_order("unit_price", msgpack.packb([1])), "bad_type", "unit_price"),
    "wrong type of id": (raw_order("order_id", msgpack.packb(True)), "bad_type", "order_id"),
    "missing product": (msgpack.packb({"order_id": "1", "quantity": 1, "unit_price": "1"}), "missing_field", "product_id"),
    "missing price": (msgpack.packb({"order_id": "1", "product_id": "tea"}), "missing_field", "unit_price"),
    "NaN": (raw_order("unit_price", msgpack.packb(float("nan"))), "bad_value", "unit_price"),
    "float32 money": (raw_order("unit_price", float32(2.5)), "float32_money", "unit_price"),
    "price 1e300": (raw_order("unit_price", msgpack.packb(1e300)), "bad_value", "unit_price"),
    "price -1": (raw_order("unit_price", msgpack.packb("-1")), "bad_value", "unit_price"),
    "price 2,55": (raw_order("unit_price", msgpack.packb("2,55")), "bad_value", "unit_price"),
    "seventh digit": (raw_order("unit_price", msgpack.packb("0.0000001")), "bad_value", "unit_price"),
    "quantity past 2^63": (raw_order("quantity", msgpack.packb(2**63 + 1)), "bad_value", "quantity"),
    "quantity 0": (raw_order("quantity", msgpack.packb(0)), "bad_value", "quantity"),
    "invalid UTF-8": (raw_order("order_id", b"\xa2\xc3\x28"), "bad_value", ""),
    "NUL in text": (raw_order("order_id", msgpack.packb("a\0b")), "bad_value", ""),
    "id of 129 bytes": (raw_order("order_id", msgpack.packb("x" * 129)), "bad_value", "order_id"),
    "duplicate keys": (b"\x82" + (msgpack.packb("note") + b"\x01") * 2, "bad_value", ""),
    "reserved field": (raw_order("seq", b"\x07"), "reserved_field", "seq"),
    "name and alias differ": (raw_order("price", msgpack.packb("9.99")), "bad_value", ""),
    "unknown kind": (raw_order("kind", msgpack.packb("refund")), "unknown_kind", "kind"),
    "time out of range": (raw_order("ts", msgpack.packb("0999-01-01T00:00")), "bad_value", "ts"),
    "no map": (b"\x2a", "bad_type", ""),
    "over 64 KiB": (raw_order("note", msgpack.packb("x" * 70000)), "too_large", ""),
}


@pytest.mark.parametrize("name", BAD_EVENTS)
def test_a_bad_event_is_a_dead_letter_and_its_neighbour_counts(pipe, name):
    event, code, field = BAD_EVENTS[name]
    sender = Sender(pipe.endpoint("store-1"))
    reply = sender.ask_raw(b"\x92" + event + msgpack.packb(order(1)))
    assert not reply["ok"] and (reply["accepted"], reply["invalid"]) == (1, 1), reply
    error = reply["errors"][0]
    assert error["index"] == 0 and error["code"] == code and error["message"], error
    if field:
        assert error["field"] == field, error
    pipe.wait_settled()
    assert [(row["code"], row["count"]) for row in pipe.client.scan("dead_letters")] == [(code, 1)]
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 1
    assert_books_add_up(pipe)


def test_json_numbers_are_read_from_their_digits(pipe):
    sender = Sender(pipe.endpoint("store-1"), "json")
    body = ('[{"order_id":1,"product_id":"a","unit_price":0.1},{"order_id":2,"product_id":"a","unit_price":1e300},'
            '{"order_id":3,"product_id":"a","unit_price":255e-2},{"order_id":4,"product_id":"a","unit_price":NaN}]')
    reply = sender.ask_raw(body.encode())
    assert (reply["accepted"], reply["invalid"]) == (2, 2), reply
    assert [(error["index"], error["code"]) for error in reply["errors"]] == [(1, "bad_value"), (3, "bad_frame")]
    pipe.wait_settled()
    assert pipe.client.rows("get", view="products", key=["a", "XXX"])[0]["total_revenue"] == "2.65"


def test_a_frame_of_100_mb_ends_only_its_own_connection(pipe):
    honest, hostile = Sender(pipe.endpoint("store-1")), Sender(pipe.endpoint("store-1"))
    monitor = hostile.socket.get_monitor_socket()
    hostile.send_raw(bytes(100 << 20))
    import zmq
    from zmq.utils.monitor import recv_monitor_message
    while recv_monitor_message(monitor)["event"] != zmq.EVENT_DISCONNECTED:
        pass
    hostile.socket.disable_monitor()
    hostile.close()
    still_works(pipe, honest)


def test_a_producer_that_stops_mid_message_disturbs_nobody(pipe):
    host, port = pipe.endpoint("store-1").removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"\xff\0\0\0\0\0\0\0\1\x7f\3")  # the first bytes of a ZMTP greeting, and no more
        with socket.create_connection((host, int(port))) as garbage:
            garbage.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
            still_works(pipe, Sender(pipe.endpoint("store-1")))


def test_an_unknown_wire_version_is_told_and_not_served(pipe):
    import zmq
    peer = CONTEXT.socket(zmq.DEALER)
    peer.connect(pipe.bridges[0].ready["listen"][0])
    # HELLO of version 99: PROTOCOL.md, "Edge to bridge".
    peer.send(msgpack.packb([1, 99, "store-x", 7, 12345, "till-edge 99"]))
    assert peer.poll(10000)
    answer = msgpack.unpackb(peer.recv())
    assert answer[0] == 7 and answer[2] == 4, f"BYE wrong_version, got {answer}"
    peer.send(b"\xc1 garbage")
    peer.close(0)
    still_works(pipe, Sender(pipe.endpoint("store-1")))
    wait_until(lambda: pipe.bridges[0].metric("till_bridge_frames_bad_total") >= 1, "the bad frame in its counter")


def test_foreign_and_unreadable_records_in_the_topic_are_passed_and_counted(pipe):
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask([order(1)])["ok"]
    pipe.wait_settled()
    import subprocess
    for value in (b"\xc1 not msgpack", b'{"some":"json"}', msgpack.packb({"order_id": "x", "product_id": "y"}), b"\x01"):
        subprocess.run(["kcat", "-P", "-b", pipe.bootstrap, "-t", f"{pipe.prefix}orders", "-p", "1", "-D", "\x02"],
                       input=value, check=True, timeout=60)
    wait_until(lambda: sum(pipe.aggregator.metric(f"till_aggregator_{each}_total") for each in ("foreign", "unreadable"))
               == 4, "four records that are not ours")
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask([order(2)])["ok"]
    pipe.wait_settled()
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 2
    assert_books_add_up(pipe)


@pytest.mark.parametrize("request_bytes,code", [
    (b"{", "bad_request"), (b"\xc1", "bad_request"), (b"[]", "bad_request"), (b'{"query":"drop"}', "unknown_query"),
    (b'{"query":"get","view":"prodcts","key":["x"]}', "unknown_view"),
    (b'{"query":"get","view":"products","key":[]}', "bad_request"),
    (b'{"query":"get","view":"products","key":["a","b","c","d"]}', "bad_key"),
    (b'{"query":"top","view":"products","by":"totl_revenue"}', "unknown_field"),
    (b'{"query":"top","view":"products","by":"total_revenue","limit":100000000}', "too_large"),
    (b'{"query":"top","view":"products","limt":1}', "bad_request"),
    (b'{"query":"views","pad":"' + b"x" * 70000 + b'"}', "too_large"),
    (b"{" * 5000, "bad_request"),
])
def test_a_bad_query_gets_a_code_and_a_sentence(pipe, request_bytes, code):
    socket_ = pipe.client.socket
    socket_.send_multipart([b"bad", b"", request_bytes])
    assert socket_.poll(10000)
    frames = socket_.recv_multipart()
    answer = json.loads(frames[-1]) if frames[-1][:1] == b"{" else msgpack.unpackb(frames[-1])
    assert frames[0] == b"bad" and not answer["ok"] and answer["error"]["code"] == code, answer
    assert len(answer["error"]["message"]) > 10
    assert pipe.client.ask("views")["ok"]
