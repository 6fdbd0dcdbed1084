"""What a store's network, disk and broker do to the MQTT source. Nothing that was acknowledged is lost, and it goes on by
itself."""
import json
import re

import pytest
from fake_mqtt import PUBACK, PUBCOMP, PUBREC, FakeBroker, user_property
from harness import wait_until
from mosquitto import Certificates
from mqtt_ledger import counted, judge
from relay import Relay
from test_edge_faults import lone_edge
from test_kill import assert_books_add_up
from test_mqtt_kill import CLIENT, json_order, show, source, subscribed
from test_spine import order

Q2 = {"qos": 2, "version": 5}


@pytest.fixture
def fake():
    broker = FakeBroker()
    yield broker
    broker.close()


def payload(number, **more):
    return json.dumps({**order(number), "product_id": f"fake/{number}", **more}).encode()


def accepted(edge):
    return edge.metric("till_edge_events_accepted_total")


def assert_exact(pipe, publishers, times=1):
    verdicts = {each.name: judge(each, counted(pipe.client)) for each in publishers}
    show(verdicts)
    for name, verdict in verdicts.items():
        assert not verdict.lost and not verdict.foreign and verdict.surplus == 0, (name, verdict)


def finish(pipe, broker, publishers):
    """Until all that was published has been counted: the broker delivers in order, and this comes last."""
    for each in publishers:
        each.finish()
    broker.publish("stores/last/orders", json_order("last/1"))
    wait_until(lambda: "last" in counted(pipe.client), "the last message counted", every=0.1)
    pipe.wait_settled()


def test_a_network_that_is_cut_or_half_open_costs_nothing(pipeline, mosquitto, publisher):
    broker = mosquitto()
    relay = Relay(("127.0.0.1", broker.port))
    pipe = pipeline(edges=(), options={"till-edge": source(broker, "keep_alive=5s", address=f"tcp://{relay.address}")})
    pipe.start_aggregator()
    edge = pipe.start_edge("store-1")
    wait_until(lambda: subscribed(broker, CLIENT), "a subscription")
    pub = publisher(broker.port, "cut", rate=200, **Q2)
    try:
        for fault, repair in ((relay.cut, relay.restore), (relay.freeze, relay.thaw), (relay.cut, relay.restore)):
            before = accepted(edge)
            wait_until(lambda before=before: accepted(edge) > before, "messages taken")
            fault()
            pub.wait_acknowledged(len(pub.acknowledged()) + 50)
            repair()
        finish(pipe, broker, [pub])
    finally:
        relay.close()
    assert_exact(pipe, [pub])
    print(f"connections of the edge: {broker.count(f'as {CLIENT} ')}")
    assert broker.count(f"as {CLIENT} ") >= 3
    assert_books_add_up(pipe)


def test_a_new_message_under_an_old_id_is_not_taken_for_a_repeat(tmp_path, fake):
    """QoS 2: the edge remembers ids that it acknowledged until they are released. A broker that has lost the session, or
    came back from an older state of it, begins with the same ids for other messages."""
    edge = lone_edge(tmp_path, tmp_path / "spool", *source(fake))
    fake.accept(session_present=False)
    for packet in (1, 2, 3):
        fake.publish("stores/a/orders", payload(packet), qos=2, packet=packet)
        fake.expect(PUBREC, packet)
    edge.kill()
    edge.start()
    fake.accept(session_present=True)
    fake.publish("stores/a/orders", payload(1), qos=2, packet=1, dup=True)  # PUBREC was lost: a repeat
    fake.expect(PUBREC, 1)
    fake.publish("stores/a/orders", payload(102), qos=2, packet=2)  # an older broker's next message
    fake.expect(PUBREC, 2)
    fake.pubrel(1)
    fake.expect(PUBCOMP, 1)
    wait_until(lambda: accepted(edge) == 1, "the new message taken, the repeat not")
    fake.publish("stores/a/orders", payload(103), qos=2, packet=1)  # released: the id is free
    fake.expect(PUBREC, 1)
    fake.accept(session_present=False)
    for packet in (1, 2, 3):  # byte for byte what these ids were last used for, but in a new session: sold again
        fake.publish("stores/a/orders", payload({1: 103, 2: 102, 3: 3}[packet]), qos=2, packet=packet)
        fake.expect(PUBREC, packet)
    wait_until(lambda: accepted(edge) == 5, "all of the new session taken")
    assert edge.stop() == 0


def test_nothing_is_acknowledged_before_it_is_on_disk_and_repeats_are_answered(tmp_path, fake):
    edge = lone_edge(tmp_path, tmp_path / "spool", *source(fake))
    fake.accept()
    for number in range(1, 51):
        fake.publish("stores/a/orders", payload(number), qos=1, packet=number)
        fake.expect(PUBACK, number)
        edge.kill()  # at once: what was acknowledged is in the spool
        edge.start()
        fake.accept(session_present=True)
        if number == 5:
            break
    assert edge.metric("till_edge_spool_events") == 5
    edge.kill()


def test_an_event_id_may_come_from_payload_property_or_topic(tmp_path, fake):
    edge = lone_edge(tmp_path, tmp_path / "spool", *source(fake))
    fake.accept()
    assert fake.version == 5
    ways = [("stores/a/orders", payload(1, event_id="one"), b""), ("stores/a/orders", payload(2), user_property("event_id", "two")),
            ("stores/a/orders/three", payload(3), b"")]
    for packet, (topic, body, properties) in enumerate(ways * 2, 1):
        fake.publish(topic, body, qos=1, packet=packet, properties=properties)
        fake.expect(PUBACK, packet)
    assert accepted(edge) == 3
    assert edge.metric("till_edge_events_repeated_total") == 3
    assert edge.stop() == 0


def test_a_full_spool_leaves_messages_with_the_broker_and_goes_on_by_itself(pipeline, mosquitto, publisher, tmp_path):
    broker = mosquitto()
    pipe = pipeline(edges=())
    pipe.start_aggregator()
    edge = lone_edge(tmp_path, tmp_path / "spool", "edge.spool_max=4MiB", *source(broker))
    wait_until(lambda: subscribed(broker, CLIENT), "a subscription")
    pubs = [publisher(broker.port, name, rate=1000, count=400, padding=20000, **plan)
            for name, plan in (("full-q1", {"qos": 1, "event_id": "payload"}), ("full-q2", Q2))]
    for each in pubs:
        each.wait()  # the broker has them all
    held = wait_until(lambda: accepted(edge) > 50 and accepted(edge) == len(broker.acknowledged(CLIENT)) and accepted(edge),
                      "the edge to stop")
    print(f"{int(held)} of 800 taken and acknowledged, the rest waits at the broker")
    assert held < 800 and edge.running()
    edge.kill()
    edge.args = [f"edge.bridges={pipe.bridge_endpoints()}" if "edge.bridges" in arg else arg for arg in edge.args]
    edge.start()
    pipe.edges["store-1"] = edge
    finish(pipe, broker, [])
    assert_exact(pipe, pubs)
    assert_books_add_up(pipe)


def test_an_edge_that_is_asked_to_stop_acknowledges_what_it_took(pipeline, mosquitto, publisher):
    broker = mosquitto()
    pipe = pipeline(edges=(), options={"till-edge": source(broker)})
    pipe.start_aggregator()
    edge = pipe.start_edge("store-1")
    wait_until(lambda: subscribed(broker, CLIENT), "a subscription")
    pubs = [publisher(broker.port, "stop-q1", rate=200, qos=1), publisher(broker.port, "stop-q2", rate=200, **Q2)]
    for _ in range(3):
        before = accepted(edge)
        wait_until(lambda before=before: accepted(edge) > before + 20, "messages taken")
        assert edge.stop() == 0, edge.log_tail()
        edge.start()
    finish(pipe, broker, pubs)
    again = sum(dup for dup, *_ in broker.sendings(CLIENT))
    verdicts = {each.name: judge(each, counted(pipe.client)) for each in pubs}
    show(verdicts)
    print(f"sent again: {again}")
    for verdict in verdicts.values():
        assert not verdict.lost and not verdict.foreign
    assert verdicts["stop-q2"].surplus == 0 and verdicts["stop-q1"].surplus <= again
    assert broker.count(f"Received DISCONNECT from {CLIENT}") == 3, "it said good-bye each time"
    assert_books_add_up(pipe)


def test_retained_messages_are_not_sold_again_at_each_connection(mosquitto, tmp_path):
    broker = mosquitto()
    broker.publish("stores/a/orders", json_order("retained/1"), "-r")
    edge = lone_edge(tmp_path, tmp_path / "spool", *source(broker))
    wait_until(lambda: subscribed(broker, CLIENT), "a subscription")
    broker.publish("stores/a/orders", json_order("fresh/1"))
    wait_until(lambda: accepted(edge) >= 1, "the fresh one")
    for number in range(3):
        edge.restart()
        wait_until(lambda number=number: broker.count(f"Sending SUBACK to {CLIENT}") >= number + 2, "subscribed again")
    broker.publish("stores/a/orders", json_order("fresh/2"))
    wait_until(lambda: edge.metric("till_edge_spool_events") >= 2, "the second fresh one")
    assert edge.metric("till_edge_spool_events") == 2, "retained ones are a topic's state, not sales"
    assert edge.stop() == 0


def test_two_edges_under_one_client_id_are_said_and_make_no_storm(mosquitto, publisher, tmp_path):
    """The broker throws out one for the other; mosquitto 2.0.11 does so without a word."""
    broker = mosquitto()
    edges = []
    try:
        for number in (1, 2):
            folder = tmp_path / f"twin-{number}"
            folder.mkdir()
            edges.append(lone_edge(folder, folder / "spool", *source(broker)))
        wait_until(lambda: any("client_id" in edge.log_text() for edge in edges), "a word about it")
        start = broker.count(f"as {CLIENT} ")
        pub = publisher(broker.port, "twins", rate=100, count=300, qos=1)
        pub.wait()
        wait_until(lambda: sum(accepted(edge) for edge in edges) >= 300, "all of it taken by one or the other")
        connects = broker.count(f"as {CLIENT} ") - start
        print(f"{connects} connections while 300 messages were published and taken")
        assert connects <= 40
    finally:
        for edge in edges:
            edge.kill()


TLS_FAULTS = {
    "good": ({}, None),
    "another-authority": ({}, "self-signed|authority"),
    "another-name": ({"names": "DNS:elsewhere.example"}, "name|mismatch|match"),
    "expired": ({"days": -1}, "expired"),
}


@pytest.mark.parametrize("fault", TLS_FAULTS)
def test_a_broker_is_only_trusted_by_its_certificate(mosquitto, tmp_path, fault):
    more, word = TLS_FAULTS[fault]
    tls = Certificates(tmp_path / "tls", **more)
    ours = Certificates(tmp_path / "other").authority if fault == "another-authority" else tls.authority
    broker = mosquitto(tls=tls)
    edge = lone_edge(tmp_path, tmp_path / "spool", *source(broker, f"tls_ca={ours}", address=f"ssl://127.0.0.1:{broker.tls_port}"))
    if word is None:
        wait_until(lambda: subscribed(broker, CLIENT), "a subscription")
        broker.publish("stores/a/orders", json_order("tls/1"))
        wait_until(lambda: accepted(edge) == 1, "a message over TLS")
    else:
        wait_until(lambda: re.search(word, edge.log_text()), f"a word about {fault}")
        assert not subscribed(broker, CLIENT)
    assert edge.stop() == 0


@pytest.mark.parametrize("receive_maximum, count", [(20, 300), (1000, 2500)], ids=["small", "default"])
def test_a_broker_that_sends_more_than_it_was_asked_for_is_still_heard(pipeline, mosquitto, publisher, receive_maximum, count):
    """mosquitto 2.0.11 counts a message of QoS 2 as done at PUBREC, and so overruns MQTT 5's receive maximum whenever much
    is queued."""
    broker = mosquitto(settings=("autosave_on_changes false",))  # with much queued, each change would write all of it
    pipe = pipeline(edges=(), options={"till-edge": source(broker, f"receive_maximum={receive_maximum}")})
    pipe.start_aggregator()
    edge = pipe.start_edge("store-1")
    wait_until(lambda: subscribed(broker, CLIENT), "a subscription")
    edge.kill()
    pub = publisher(broker.port, "overrun", rate=5000, count=count, **Q2)
    pub.wait()
    edge.start()
    finish(pipe, broker, [pub])
    assert_exact(pipe, [pub])
    print(f"connections of the edge: {broker.count(f'as {CLIENT} ')}")
    assert broker.count(f"as {CLIENT} ") == 2, "before the kill, and after"
