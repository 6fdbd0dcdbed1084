"""Publishes numbered orders over MQTT and keeps a ledger of what the broker acknowledged. A process of its own, run with the
environment of pypi.py; what it must do is one JSON object on its command line (mqtt_ledger.py writes it).

The ledger has a line for each number and each thing that happened to it, on disk before the next begins to matter:
    P n      is about to be handed to the client library
    A n      the broker acknowledged it (PUBACK, PUBCOMP)
    N n      … and said that nobody is subscribed (MQTT 5 only)
    R n why  the broker refused it (MQTT 5 only)
SIGTERM: nothing new; it ends with 0 when all is acknowledged.
"""
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

NO_SUBSCRIBER = 0x10
FAILURE = 0x80


@dataclass
class Plan:
    name: str
    client: str  # paho | mosquitto_pub
    host: str
    port: int
    ledger: str
    topic: str  # {name}, {n} are filled in
    version: int = 4  # 4: MQTT 3.1.1; 5
    qos: int = 1
    encoding: str = "json"
    event_id: str = ""  # "" | payload | property | topic (then its {n} is the id's)
    rate: float = 200.0  # a second
    count: int = 0  # 0: until told to stop
    window: int = 100  # unacknowledged at most
    retain: bool = False
    padding: int = 0  # bytes of a note in each order

    def event_id_of(self, n):
        return f"{self.name}-{n}"

    def topic_of(self, n):
        return self.topic.format(name=self.name, n=n)

    def payload_of(self, n):
        order = {"order_id": f"{self.name}-{n}", "product_id": f"{self.name}/{n}", "quantity": 1 + n % 5,
                 "unit_price": "1.25", "ts": 1_700_000_000_000 + n}
        if self.event_id == "payload":
            order["event_id"] = self.event_id_of(n)
        if self.padding:
            order["note"] = "x" * self.padding
        if self.encoding == "json":
            return json.dumps(order, separators=(",", ":")).encode()
        import msgpack
        return msgpack.packb(order)


class Ledger:
    def __init__(self, path):
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.dirty = False

    def note(self, what, n, why=""):
        os.write(self.file, f"{what} {n}{' ' if why else ''}{why}\n".encode())
        self.dirty = True

    def sync(self):
        if self.dirty:
            os.fdatasync(self.file)
            self.dirty = False


class Paho:
    """paho-mqtt keeps what is unacknowledged and sends it again, marked as such, when it has a connection again."""

    def __init__(self, plan):
        import paho.mqtt.client as mqtt
        from paho.mqtt.enums import CallbackAPIVersion
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties
        # No SimpleQueue: in CPython 3.11 a signal in the last moment of its get(timeout) makes it wait for ever.
        self.plan, self.acknowledged, self.numbers = plan, queue.Queue(), {}
        self.properties = lambda: Properties(PacketTypes.PUBLISH)
        more = {"clean_session": False} if plan.version == 4 else {}
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=plan.name, protocol=plan.version, **more)
        self.client.max_inflight_messages_set(plan.window)
        self.client.reconnect_delay_set(0.05, 0.2)
        # Called under paho's own locks: only handed over.
        self.client.on_publish = lambda client, data, mid, code, properties: self.acknowledged.put((mid, code))
        session = {}
        if plan.version == 5:
            session["properties"] = Properties(PacketTypes.CONNECT)
            session["properties"].SessionExpiryInterval = 3600
        self.client.connect_async(plan.host, plan.port, keepalive=10, **session)
        self.client.loop_start()

    def publish(self, n):
        properties = None
        if self.plan.event_id == "property":
            properties = self.properties()
            properties.UserProperty = ("event_id", self.plan.event_id_of(n))
        sent = self.client.publish(self.plan.topic_of(n), self.plan.payload_of(n), self.plan.qos, self.plan.retain,
                                   properties)
        self.numbers[sent.mid] = n

    def wait(self, seconds):
        """(n, MQTT's reason code) of one acknowledgement, or None."""
        try:
            mid, code = self.acknowledged.get(timeout=max(0.0005, seconds))
        except queue.Empty:
            return None
        return self.numbers.pop(mid), code.value

    def close(self):
        self.client.disconnect()
        return 0  # without loop_stop: it may wait for ever for a thread that is between two connections


class MosquittoPub:
    """mosquitto_pub reads a message a line and names packet ids in order, from 1; what it says shows its acknowledgements."""

    def __init__(self, plan):
        assert not plan.event_id or plan.event_id == "payload", "one topic and one set of properties for all lines"
        assert plan.encoding == "json", "a message is a line"
        self.plan, self.acknowledged, self.published = plan, queue.Queue(), 0
        version = {4: "mqttv311", 5: "mqttv5"}[plan.version]
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", "mosquitto_pub", "-d", "-l", "-h", plan.host, "-p", str(plan.port), "-i", plan.name, "-V", version,
             "-q", str(plan.qos), "-t", plan.topic_of(0)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        last = {1: "PUBACK", 2: "PUBCOMP"}[self.plan.qos]
        for line in self.process.stdout:
            if found := re.search(rf"received {last} \(Mid: (\d+), RC:(\d+)\)", line):
                self.acknowledged.put((int(found[1]), int(found[2])))

    def publish(self, n):
        self.published += 1
        assert n == self.published < 65535, "packet ids would begin anew"
        self.process.stdin.write(self.plan.payload_of(n).decode() + "\n")
        self.process.stdin.flush()

    def wait(self, seconds):
        try:
            return self.acknowledged.get(timeout=max(0.0005, seconds))
        except queue.Empty:
            return None

    def close(self):
        self.process.stdin.close()
        return self.process.wait(30)


def enter(ledger, n, code):
    if code >= FAILURE:
        ledger.note("R", n, code)
    else:
        ledger.note("N" if code == NO_SUBSCRIBER else "A", n)


def main():
    plan = Plan(**json.loads(sys.argv[1]))
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ending.set())
    ledger = Ledger(plan.ledger)
    client = {"paho": Paho, "mosquitto_pub": MosquittoPub}[plan.client](plan)
    published = answered = 0
    due = time.monotonic()
    while True:
        more = not ending.is_set() and not (plan.count and published == plan.count)
        if not more and answered == published:
            break
        now = time.monotonic()
        if more and now >= due and published - answered < plan.window:
            published += 1
            ledger.note("P", published)
            client.publish(published)
            due = max(due + 1 / plan.rate, now - 1)
        wait_s = due - now if more and published - answered < plan.window else 0.1
        if (answer := client.wait(min(0.1, wait_s))) is not None:
            answered += 1
            enter(ledger, *answer)
        else:
            ledger.sync()
    ledger.sync()
    return client.close()


if __name__ == "__main__":
    sys.exit(main())
