"""The MQTT source on real brokers: every QoS and encoding, TLS, restarts of either side, a broker that is gone, words that help."""
import json
import os
import subprocess
from collections import Counter

import msgpack
import pytest
from harness import Program, free_port, program, sum_metric, till, wait_until
from mosquitto import Certificates
from mqtt_ledger import judge

ORDER = {"order_id": "1", "product_id": "tea", "quantity": 2, "unit_price": "2.55"}


class Listener:
    """An edge with a source "shop", whose bridge does not exist: what it took can be read from its spool."""

    def __init__(self, folder, brokers, *options, wait_connected=True):
        self.data = folder / "edge"
        self.data.mkdir()
        self.edge = Program("till-edge", [
            "-o", "edge.id=store-1", "-o", f"edge.data={self.data}", "-o", f"edge.listen=tcp://127.0.0.1:{free_port()}",
            "-o", f"edge.bridges=tcp://127.0.0.1:{free_port()}", "-o", "http.listen=127.0.0.1:0",
            *source(",".join(brokers), *options)], folder / "edge.log")
        if wait_connected:
            self.wait_connected()

    def metric(self, name):
        return sum_metric(self.edge.metrics(), f"till_edge_{name}", source="shop")

    def wait_connected(self):
        wait_until(lambda: self.metric("mqtt_connected") == 1, f"a connection; log: {self.edge.log_tail(8)}")

    def events(self, lane="order"):
        done = till("spool", "export", self.data, "--lane", lane)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def wait_orders(self, count):
        wait_until(lambda: self.metric("source_received_total") >= count,
                   f"{count} orders; log: {self.edge.log_tail(8)}")

    def wait_ready_says(self, words):
        wait_until(lambda: words in self.edge.http("/readyz")[1], f"/readyz with {words!r}: {self.edge.http('/readyz')[1]}")

    def counted(self):
        """{publisher's name: {number: times}} as mqtt_ledger.counted gives of an aggregator."""
        numbers = {}
        for event in self.events():
            name, _, number = event["product_id"].rpartition("/")
            numbers.setdefault(name, Counter())[int(number)] += 1
        return numbers


def source(brokers, *options):
    settings = ["type=mqtt", f"brokers={brokers}", "topics=stores/{store}/orders", *options]
    return [arg for setting in settings for arg in ("-o", f"source.shop.{setting}")]


@pytest.fixture
def listener(tmp_path):
    made = []

    def make(brokers, *options, **more):
        made.append(Listener(tmp_path, brokers, *options, **more))
        return made[-1]

    yield make
    for each in made:
        each.edge.kill()


def tcp(broker):
    return f"tcp://127.0.0.1:{broker.port}"


def test_every_qos_and_encoding_is_in_the_totals(pipeline, mosquitto, publisher):
    broker = mosquitto()
    pipe = pipeline(options={"till-edge": [arg for arg in source(tcp(broker)) if arg != "-o"]})
    pipe.start_aggregator()
    edge = pipe.edges["store-1"]
    wait_until(lambda: edge.metric("till_edge_mqtt_connected") == 1, "a connection")
    publishers = [publisher(broker.port, "one", qos=1, client="mosquitto_pub", count=300),
                  publisher(broker.port, "two", qos=2, version=5, encoding="msgpack", event_id="property", count=300)]
    for number in range(20):
        broker.publish("stores/zero/orders", json.dumps({**ORDER, "product_id": f"zero/{number}"}).encode(), "-q", "0")
    broker.publish("stores/many/orders", msgpack.packb([{**ORDER, "product_id": f"many/{n}"} for n in range(50)]))
    for each in publishers:
        each.wait()
    wait_until(lambda: edge.metric("till_edge_events_received_total") == 670, "all events")
    pipe.wait_settled()
    products = {row["product_id"]: row["order_count"] for row in pipe.client.scan("products")}
    assert products == {f"{name}/{n}": 1 for name, first, end in (("one", 1, 301), ("two", 1, 301), ("zero", 0, 20), ("many", 0, 50))
                        for n in range(first, end)}


def test_tls_with_certificates_on_both_sides(mosquitto, listener, tmp_path):
    made = Certificates(tmp_path / "certificates", clients=True)
    certificate, key = made.client()
    os.chmod(key, 0o600)
    broker = mosquitto(tls=made)
    trust = f"tls_ca={made.authority}"
    edge = listener([f"ssl://localhost:{broker.tls_port}"], trust, f"tls_cert={certificate}", f"tls_key={key}")
    big = {**ORDER, "note": "n" * 60000}
    for _ in range(20):
        broker.publish("stores/berlin/orders", json.dumps(big).encode(), "-q", "2")
    edge.wait_orders(20)
    assert {(event["store"], len(event["note"])) for event in edge.events()} == {("berlin", 60000)}
    assert edge.edge.stop() == 0
    wait_until(lambda: broker.count("Received DISCONNECT from till-store-1-shop"), "DISCONNECT", every=0.05)


def test_a_stranger_at_the_brokers_place_is_named(mosquitto, listener, tmp_path):
    """The edge trusts another authority: it says so, and takes what its other sources bring. Files are read anew for each
    connection."""
    made, other = Certificates(tmp_path / "made"), Certificates(tmp_path / "other")
    broker = mosquitto(tls=made)
    edge = listener([f"ssl://localhost:{broker.tls_port}"], f"tls_ca={other.authority}", wait_connected=False)
    edge.wait_ready_says("set tls_ca to the file of the CA that signed it")
    assert edge.edge.http("/readyz")[0] == 200
    other.authority.write_bytes(made.authority.read_bytes())
    edge.wait_connected()


def test_files_and_brokers_that_can_not_be_used_fail_the_check(tmp_path):
    made = Certificates(tmp_path / "made")
    certificate, key = made.client()
    os.chmod(key, 0o644)
    for brokers, options, words in (
            ("ssl://localhost", [f"tls_cert={certificate}", f"tls_key={key}"], f"chmod 600 {key}"),
            ("ssl://localhost", [f"tls_ca={tmp_path}/none.pem"], "No such file"),
            ("tcp://broker.example", [], "use ssl://"),
            ("tcp://localhost", ["set=seq=1"], "seq is for the edge alone to set")):
        done = subprocess.run([program("till-edge"), "-o", "edge.id=x", "-o", "edge.data=/x", *source(brokers, *options),
                               "--check"], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr and "[source.shop]" in done.stderr


def test_restarts_of_edge_and_broker_lose_and_double_nothing(mosquitto, listener, publisher):
    broker = mosquitto()
    edge = listener([tcp(broker)])
    publishers = [publisher(broker.port, "one", qos=1, event_id="payload", rate=300),
                  publisher(broker.port, "two", qos=2, rate=300)]
    publishers[1].wait_acknowledged(100)
    assert edge.edge.stop() == 0
    publishers[0].wait_acknowledged(250)
    edge.edge.start()
    edge.wait_connected()
    assert broker.stop() == 0
    broker.start()
    edge.wait_connected()
    publishers[1].wait_acknowledged(500)
    for each in publishers:
        each.finish()
    expected = sum(len(each.acknowledged()) for each in publishers)
    wait_until(lambda: len(edge.events()) >= expected, f"{expected} orders; log: {edge.edge.log_tail(8)}", every=0.2)
    for each in publishers:
        verdict = judge(each, edge.counted())
        assert not verdict.lost and not verdict.foreign and verdict.surplus == 0, verdict


def test_a_topic_that_is_configured_no_more_is_unsubscribed(mosquitto, listener):
    broker = mosquitto()
    edge = listener([tcp(broker)])
    assert edge.edge.stop() == 0
    edge.edge.args = [arg.replace("stores/{store}", "shops/{store}") for arg in edge.edge.args]
    edge.edge.start()
    wait_until(lambda: broker.count("Received UNSUBSCRIBE from till-store-1-shop"), "UNSUBSCRIBE", every=0.05)
    edge.wait_connected()
    broker.publish("stores/berlin/orders", json.dumps(ORDER).encode())
    broker.publish("shops/berlin/orders", json.dumps(ORDER).encode())
    edge.wait_orders(1)
    assert [event["store"] for event in edge.events()] == ["berlin"]
    assert edge.metric("source_received_total") == 1


def test_the_other_broker_takes_over(mosquitto, listener):
    first, second = mosquitto(), mosquitto()
    edge = listener([tcp(first), tcp(second)])
    first.publish("stores/first/orders", json.dumps(ORDER).encode())
    edge.wait_orders(1)
    first.kill()
    wait_until(lambda: second.count("Received SUBSCRIBE from till-store-1-shop"), "the second broker", every=0.05)
    edge.wait_connected()
    second.publish("stores/second/orders", json.dumps(ORDER).encode())
    edge.wait_orders(2)
    assert sorted(event["store"] for event in edge.events()) == ["first", "second"]
    second.kill()
    edge.wait_ready_says("source shop: mqtt broker tcp://127.0.0.1:")


def test_what_is_no_order_is_kept_with_its_topic(mosquitto, listener):
    broker = mosquitto()
    edge = listener([tcp(broker)])
    for payload in (b"garbage", b" ", b'{"order_id":"1"}', b"\xc1", b"[" * 500, b"x" * (5 << 20)):
        broker.publish("stores/berlin/orders", payload)
    broker.publish("stores/berlin/orders", json.dumps(ORDER).encode())
    edge.wait_orders(7)
    assert len(edge.events()) == 1
    wait_until(lambda: sum_metric(edge.edge.metrics(), "till_edge_spool_events", lane="order.dlq") == 6, "six letters")
    assert edge.metric("mqtt_too_large_total") == 1
