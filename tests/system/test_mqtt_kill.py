"""Publishers send through mosquitto while programs are killed -9. What mosquitto acknowledged to them is held against what
the aggregator counted, number by number.

TILL_KILLS=200 kills the edge that often, TILL_SEED=N replays one order of waits.
"""
import json
import os
import random
import select
from collections import Counter

import pytest
from harness import sum_metric, wait_until
from mqtt_ledger import counted, judge
from test_kill import assert_books_add_up
from test_spine import order

KILLS = int(os.environ.get("TILL_KILLS", "20"))
BROKER_KILLS = max(5, KILLS // 10)
SEED = int(os.environ.get("TILL_SEED", random.SystemRandom().randrange(2**32)))
CLIENT = "till-store-1"
RATE = 100  # a second and publisher
# Each is a publisher: once says that repeats must not be counted, whatever is killed between publisher and edge.
PUBLISHERS = {
    "paho-q1": {"qos": 1},
    "paho-q1-payload": {"qos": 1, "event_id": "payload"},
    "paho-q1-property": {"qos": 1, "version": 5, "encoding": "msgpack", "event_id": "property"},
    "paho-q1-topic": {"qos": 1, "event_id": "topic", "topic": "stores/{name}/orders/{name}-{n}"},
    "pub-q1-payload": {"qos": 1, "client": "mosquitto_pub", "event_id": "payload"},
    "paho-q2": {"qos": 2, "version": 5, "encoding": "msgpack"},
    "paho-q2-payload": {"qos": 2, "event_id": "payload"},
    "pub-q2": {"qos": 2, "client": "mosquitto_pub", "version": 5},
}
ONCE = [name for name, plan in PUBLISHERS.items() if plan.get("event_id")]
EXACT = [name for name, plan in PUBLISHERS.items() if plan["qos"] == 2]


def source(broker, *more, name="shop", address=None):
    """Options of till-edge for a source that takes what PUBLISHERS send."""
    return [f"source.{name}.{option}" for option in (
        "type=mqtt", f"brokers={address or 'tcp://' + broker.address}", f"client_id={CLIENT}", "qos=2",
        "topics=stores/+/orders,stores/+/orders/{event_id}", *more)]


class Shop:
    """A whole chain with one MQTT source, and publishers on its broker."""

    def __init__(self, pipe, broker, publisher):
        self.pipe, self.broker, self.publisher = pipe, broker, publisher
        self.publishers = {}
        self.redelivered = 0

    def open(self, plans, rate=RATE):
        edge = self.pipe.edges["store-1"]
        wait_until(lambda: subscribed(self.broker, CLIENT), "a subscription of the edge")
        assert edge.running()
        for name, plan in plans.items():
            self.publishers[name] = self.publisher(self.broker.port, name, rate=rate, **plan)
        for each in self.publishers.values():
            each.wait_acknowledged(1)

    def settle(self):
        """Until all that the broker holds has been counted: it delivers in order, and this comes last."""
        for each in self.publishers.values():
            each.finish()
        self.broker.publish("stores/last/orders", json_order("last/1"))
        wait_until(lambda: "last" in counted(self.pipe.client), "the last message counted", 120, every=0.2)
        self.pipe.wait_settled()

    def verdicts(self):
        numbers = counted(self.pipe.client)
        return {name: judge(each, numbers) for name, each in self.publishers.items()}


def json_order(product):
    return json.dumps({**order(1), "product_id": product}).encode()


def subscribed(broker, client):
    return f"Sending SUBACK to {client}" in broker.log_text()


@pytest.fixture
def shop(pipeline, mosquitto, publisher):
    def make(*more, settings=()):
        broker = mosquitto(settings=settings)
        pipe = pipeline(edges=(), options={"till-edge": source(broker, *more)})
        pipe.start_aggregator()
        pipe.start_edge("store-1")
        return Shop(pipe, broker, publisher)
    return make


def show(verdicts):
    for name, verdict in verdicts.items():
        print(f"  {name:18} {verdict}")


def pause(chance, most_s):
    """A random moment, not an event."""
    select.select([], [], [], chance.random() * most_s)


@pytest.mark.kill
def test_an_edge_that_is_killed_loses_nothing_that_a_broker_acknowledged(shop):
    print(f"\nseed {SEED}, {KILLS} kills: TILL_SEED={SEED} TILL_KILLS={KILLS}")
    chance = random.Random(SEED)
    # The broker lives on, and may save when it likes: else it reads one acknowledgement for each save.
    here = shop(settings=("autosave_on_changes false",))
    here.open(PUBLISHERS)
    edge = here.pipe.edges["store-1"]
    for number in range(KILLS):
        before = edge.metric("till_edge_events_received_total")
        if number % 4:
            wait_until(lambda: edge.metric("till_edge_events_received_total") > before, "messages taken", every=0.001)
        pause(chance, 0.2)
        edge.restart()
    here.settle()
    verdicts = here.verdicts()
    again = Counter(topic for dup, _, _, _, topic in here.broker.sendings(CLIENT) if dup)
    finished = here.broker.sent_after_release(CLIENT)
    print(f"{KILLS} kills of the edge; the broker sent {sum(again.values())} messages again, "
          f"{sum(finished.values())} of them after their PUBREC")
    show(verdicts)
    for name, verdict in verdicts.items():
        assert not verdict.lost and not verdict.foreign, (name, verdict)
        assert verdict.published == verdict.acknowledged
        topic = f"stores/{name}/orders"
        if name in ONCE:
            assert not verdict.repeated, (name, verdict)
        else:
            assert verdict.surplus <= (finished if name in EXACT else again)[topic], (name, verdict)
    assert sum(again.values()) > 0, "no kill met a message under way"
    assert_books_add_up(here.pipe)


def test_what_a_killed_broker_still_has_is_counted(shop):
    """mosquitto loses a little of what it acknowledged (docs/SOURCES.md): how much is shown. But nothing that the edge
    acknowledged is missing, also where the broker comes back from an older state and gives packet ids anew."""
    print(f"\nseed {SEED}, {BROKER_KILLS} kills of the broker: TILL_SEED={SEED}")
    chance = random.Random(SEED)
    plans = {name: {**plan, "topic": "stores/{name}/orders/{name}-{n}"} for name, plan in PUBLISHERS.items()
             if plan.get("client") != "mosquitto_pub" and name != "paho-q1-topic"}
    here = shop("topics=stores/+/orders,stores/+/orders/+")
    here.open(plans)
    for _ in range(BROKER_KILLS):
        counts = {name: len(each.acknowledged()) for name, each in here.publishers.items()}
        wait_until(lambda counts=counts: any(len(each.acknowledged()) > counts[name] + 5 for name, each in here.publishers.items()),
                   "messages acknowledged", every=0.005)
        pause(chance, 0.2)
        here.broker.restart()
    here.settle()
    verdicts = here.verdicts()
    print(f"{BROKER_KILLS} kills of mosquitto")
    show(verdicts)
    taken = set(here.broker.acknowledged(CLIENT))
    for name, verdict in verdicts.items():
        assert not verdict.foreign
        swallowed = [number for number in verdict.lost if f"stores/{name}/orders/{name}-{number}" in taken]
        assert not swallowed, f"{name}: acknowledged by the edge and not counted"
        assert len(verdict.lost) < verdict.published / 2, f"{name}: {verdict}"
        if name in ONCE:
            assert not verdict.repeated, (name, verdict)
    assert sum_metric(here.pipe.edges["store-1"].metrics(), "till_edge_events_accepted_total") > 0
    assert_books_add_up(here.pipe)
