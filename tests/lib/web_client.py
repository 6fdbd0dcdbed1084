"""An aggregator over HTTP: one without Kafka, one question, and a stream of live answers."""
import http.client
import json
import time
import urllib.parse

from harness import DEADLINE, Program, free_port

JSON = {"Content-Type": "application/json"}


def lone_aggregator(folder, *options, listen="127.0.0.1:0", **more):
    """One whose Kafka does not exist: it answers from its empty store. Files that hold secrets are `closed`."""
    data = folder / "store"
    data.mkdir(exist_ok=True)
    return Program("till-aggregator", [
        "-o", f"aggregator.data={data}", "-o", "aggregator.brokers=127.0.0.1:1", "-o", f"aggregator.listen=tcp://127.0.0.1:{free_port()}",
        "-o", "aggregator.publish=", "-o", f"http.listen={listen}", *[arg for option in options for arg in ("-o", option)]],
        folder / "aggregator.log", **more)


def closed(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """"ok", or the error's."""
        return "ok" if self.json["ok"] else self.json["error"]["code"]

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Http:
    """One connection that is kept."""

    def __init__(self, aggregator):
        self.connection = http.client.HTTPConnection(aggregator.ready["http"], timeout=DEADLINE)

    def ask(self, path, body=None, method=None, **headers):
        body = json.dumps(body).encode() if isinstance(body, dict) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and "Content-Type" not in named:
            named.update(JSON)
        self.connection.request(method or ("GET" if body is None else "POST"), path, body, named)
        return Answer(self.connection.getresponse())

    def query(self, query, **more):
        return self.ask("/query", {"query": query, **more})

    def close(self):
        self.connection.close()


def ask(aggregator, path, body=None, method=None, **headers):
    """On a connection of its own."""
    web = Http(aggregator)
    try:
        return web.ask(path, body, method, **headers)
    finally:
        web.close()


def events_path(*queries):
    return "/events?" + "&".join("q=" + urllib.parse.quote(q if isinstance(q, str) else json.dumps(q)) for q in queries)


class Events:
    """A stream of server-sent events: next() waits for one of the given name."""

    def __init__(self, aggregator, *queries, **headers):
        self.connection = http.client.HTTPConnection(aggregator.ready["http"], timeout=DEADLINE)
        self.connection.request("GET", events_path(*queries), headers=headers)
        self.response = self.connection.getresponse()
        self.status = self.response.status

    def any(self):
        """(name, data); None: the stream ended."""
        name, data = None, []
        for line in iter(self.response.readline, b""):
            line = line.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data.append(line[6:])
            elif not line and name is not None:
                return name, json.loads("\n".join(data))
        return None

    def next(self, name, fits=lambda _: True):
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            event = self.any()
            assert event is not None, "the stream ended"
            if event[0] == name and fits(event[1]):
                return event[1]
        raise TimeoutError(f"no {name} that fits")

    def answer(self, number, fits=lambda _: True):
        return self.next("answer", lambda data: data["q"] == number and fits(data["answer"]))["answer"]

    def close(self):
        self.response.close()
        self.connection.close()
