"""A store whose edge has every kind of source at once: two of each kind where sections allow it, one to be flooded and one to
be probed. A probe hands in one event and waits until it is acknowledged in its source's own way."""
import json
import urllib.parse
from http.client import HTTPConnection
from pathlib import Path

from fake_mqtt import PUBACK, FakeBroker
from floods import order
from harness import DEADLINE, Program, Sender, free_port, sum_metric, wait_until


class Store:
    def __init__(self, folder, *options, bridges=None, kinds=("mqtt", "http", "tail", "drop")):
        self.folder, self.kinds = Path(folder), kinds
        for name in ("spool", "outside", "drop", "drop-flood"):
            (self.folder / name).mkdir(parents=True)
        for name in ("tail", "tail-flood"):
            (self.folder / f"{name}.ndjson").touch()
        self.brokers = {name: FakeBroker() for name in ("mqtt", "mqtt-flood")}
        self.ports = {name: free_port() for name in ("zmq", "push", "http", "http-flood")}
        self.edge = Program("till-edge", [arg for option in (*self.options(bridges), *options) for arg in ("-o", option)],
                            self.folder / "edge.log")
        for broker in self.brokers.values() if "mqtt" in kinds else ():
            broker.accept()

    def options(self, bridges):
        yield "edge.id=store-1"
        yield f"edge.data={self.folder}/spool"
        yield f"edge.bridges={bridges or f'tcp://127.0.0.1:{free_port()}'}"
        yield f"edge.listen=tcp://127.0.0.1:{self.ports['zmq']}"
        yield f"edge.listen_push=tcp://127.0.0.1:{self.ports['push']}"
        yield "http.listen=127.0.0.1:0"
        for kind in self.kinds:
            for name in (kind, f"{kind}-flood"):
                yield f"source.{name}.type={kind}"
                yield from (f"source.{name}.{option}" for option in self.settings(name))

    def settings(self, name):
        if name.startswith("mqtt"):
            return (f"brokers=tcp://{self.brokers[name].address}", "topics=stores/+/orders", "keep_alive=1h")
        if name.startswith("http"):
            return (f"listen=127.0.0.1:{self.ports[name]}",)
        if name.startswith("drop"):
            return (f"dir={self.folder}/{name}", "settle=0s")
        return (f"path={self.folder}/{name}.ndjson",)

    def flood_target(self, kind):
        """What a flood of this kind is given."""
        if kind == "mqtt":  # a flood that was killed has left half a packet behind
            self.brokers["mqtt-flood"].accept()
        return {"zmq": self.endpoint("zmq"), "push": self.endpoint("push"), "mqtt": self.brokers["mqtt-flood"],
                "http": self.url("http-flood"), "tail": str(self.folder / "tail-flood.ndjson"),
                "drop": str(self.folder / "drop-flood")}[kind]

    def endpoint(self, name):
        return f"tcp://127.0.0.1:{self.ports[name]}"

    def url(self, name):
        return f"http://127.0.0.1:{self.ports[name]}/events"

    def flood_frames(self, kind):
        """What has come of the floods of a kind: frames, or requests that need no look inside to be refused."""
        values, name = self.edge.metrics(), kind if kind in ("zmq", "push") else f"{kind}-flood"
        return sum_metric(values, "till_edge_http_requests_total" if kind == "http" else "till_edge_source_frames_total",
                          source=name)

    def outcome(self, name, outcome):
        return sum_metric(self.edge.metrics(), "till_edge_source_events_total", source=name, outcome=outcome)

    def close(self):
        self.edge.kill()
        for broker in self.brokers.values():
            broker.close()


OUTCOMES = ("accepted", "invalid", "refused", "repeated")


def assert_source_books(edge):
    """Each source's add up, and all of them together are the edge's. Returns {source: {outcome: events}}."""
    values = edge.metrics()
    names = sorted({part.split('"')[1] for series in values for part in series.split(",") if series.startswith("till_edge_source_")
                    and 'source="' in part})
    books = {name: {outcome: sum_metric(values, "till_edge_source_events_total", source=name, outcome=outcome)
                    for outcome in OUTCOMES} for name in names}
    for name, book in books.items():
        assert sum_metric(values, "till_edge_source_received_total", source=name) == sum(book.values()), (name, book)
    for outcome in OUTCOMES:
        assert sum_metric(values, f"till_edge_events_{outcome}_total") == sum(book[outcome] for book in books.values()), outcome
    return books


def soon(condition, what, every=0.001):
    wait_until(condition, what, every=every)


class Zmq:
    def __init__(self, store):
        self.sender = Sender(store.endpoint("zmq"))

    def ask(self, number):
        reply = self.sender.ask([order(number, "zmq")])
        assert reply["ok"], reply


class Mqtt:
    def __init__(self, store):
        self.broker = store.brokers["mqtt"]

    def ask(self, number):
        packet = number % 60000 + 1
        self.broker.publish("stores/a/orders", json.dumps(order(number, "mqtt")).encode(), qos=1, packet=packet)
        self.broker.expect(PUBACK, packet)


class Http:
    def __init__(self, store):
        self.url = urllib.parse.urlparse(store.url("http"))

    def ask(self, number):
        connection = HTTPConnection(self.url.hostname, self.url.port, timeout=DEADLINE)
        connection.request("POST", self.url.path, json.dumps(order(number, "http")), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status == 200, body


class Tail:
    """A position is not seen from outside: it counts when the source's books have the line."""

    def __init__(self, store):
        self.store = store
        self.path = store.folder / "tail.ndjson"
        self.taken = store.outcome("tail", "accepted")

    def ask(self, number):
        with open(self.path, "ab", buffering=0) as file:
            file.write(json.dumps(order(number, "tail")).encode() + b"\n")
        self.taken += 1
        soon(lambda: self.store.outcome("tail", "accepted") >= self.taken, "a line taken", every=0.01)


class Drop:
    """Done when the file lies in done/."""

    def __init__(self, store):
        self.folder = store.folder / "drop"

    def ask(self, number):
        name = f"probe-{number}.ndjson"
        outside = self.folder.parent / "outside" / name
        outside.write_text(json.dumps(order(number, "drop")) + "\n")
        outside.rename(self.folder / name)
        soon(lambda: any((self.folder / "done").glob(f"*{name}*")), f"{name} in done/")


PROBES = {"zmq": Zmq, "mqtt": Mqtt, "http": Http, "tail": Tail, "drop": Drop}
