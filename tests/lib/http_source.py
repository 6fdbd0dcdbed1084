"""Clients of an edge's source of type http, and an edge that has one."""
import http.client
import json
import socket
import threading
import time
from urllib.parse import urlsplit

from harness import DEADLINE, Program, free_port

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
MSGPACK = {"Content-Type": "application/msgpack"}


def source_options(*more, name="web", port=0):
    """Options of an edge with one source of this type."""
    return ["-o", f"source.{name}.type=http", "-o", f"source.{name}.listen=127.0.0.1:{port}",
            *[arg for option in more for arg in ("-o", f"source.{name}.{option}")]]


def lone_edge(folder, *options, bridges=None, **more):
    """An edge whose bridge does not exist unless it is named, with a source `web`. `options` are the source's, or KEY=VALUE
    of another section."""
    own = [option for option in options if "." not in option.split("=")[0]]
    other = [arg for option in options if option not in own for arg in ("-o", option)]
    data = folder / "spool"
    data.mkdir(exist_ok=True)
    return Program("till-edge", [
        "-o", "edge.id=store-1", "-o", f"edge.data={data}", "-o", "edge.listen=tcp://127.0.0.1:0",
        "-o", f"edge.bridges={bridges or f'tcp://127.0.0.1:{free_port()}'}", "-o", "http.listen=127.0.0.1:0",
        *source_options(*own, port=free_port()), *other], folder / "edge.log", **more)


def url_of(edge, name="web"):
    return edge.ready["sources"][name][0]


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Web:
    """One connection that is kept."""

    def __init__(self, edge, name="web", tls=None):
        parts = urlsplit(url_of(edge, name))
        self.path = parts.path
        self.connection = (http.client.HTTPSConnection(parts.hostname, parts.port, context=tls, timeout=DEADLINE) if tls
                           else http.client.HTTPConnection(parts.hostname, parts.port, timeout=DEADLINE))

    def ask(self, body, headers=JSON, method="POST", path=None):
        body = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        self.connection.request(method, path or self.path, body, headers)
        answer = self.connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def close(self):
        self.connection.close()


def dial(edge, name="web"):
    parts = urlsplit(url_of(edge, name))
    return socket.create_connection((parts.hostname, parts.port), timeout=DEADLINE)


def read_all(connection):
    data = b""
    while True:
        try:
            chunk = connection.recv(65536)
        except ConnectionResetError:
            return data
        if not chunk:
            return data
        data += chunk


class Insister(threading.Thread):
    """Posts one order after the other, each under a key of its own, and repeats it until it is answered: 200."""

    def __init__(self, edge, name, count, make_order):
        super().__init__(daemon=True)
        self.edge, self.name, self.count, self.make_order = edge, name, count, make_order
        self.answered, self.asked, self.repeated, self.other = 0, 0, 0, []

    def ask(self, web, number):
        self.asked += 1
        key = {"Idempotency-Key": f'"{self.name}-{number}"', **JSON}
        answer = web.ask(self.make_order(f"{self.name}-{number}"), key)
        if answer.status not in (200, 429, 503):
            self.other.append(answer)
        self.repeated += answer.status == 200 and answer.json["repeated"]
        return answer.status == 200

    def run(self):
        web = Web(self.edge)
        for number in range(self.count):
            end = time.monotonic() + DEADLINE
            while time.monotonic() < end:
                try:
                    if self.ask(web, number):
                        self.answered += 1
                        break
                except (OSError, http.client.HTTPException):
                    web.close()
