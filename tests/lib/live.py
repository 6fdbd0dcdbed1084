"""A reader of the live socket as PROTOCOL.md, 6.7 describes it: joins snapshot and stream, and sees its gaps. Written from the
text alone, so that it holds the aggregator and libtill against the same words."""
import json
import time

import msgpack
import zmq
from harness import CONTEXT, DEADLINE, show_keys


def topic(view, encoding="j"):
    return f"{encoding}/{view}\0".encode()


class Subscription:
    """Messages of some topics as they come."""

    def __init__(self, endpoint, *topics, keys=None, queue=1000):
        self.socket = CONTEXT.socket(zmq.SUB)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVHWM, queue)
        if queue == 1:
            self.socket.setsockopt(zmq.RCVBUF, 4096)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 20)
        show_keys(self.socket, keys)
        for each in topics:
            self.socket.subscribe(each)
        self.socket.connect(endpoint)

    def next(self, deadline=DEADLINE):
        """(topic, message); None when nothing came in time."""
        if not self.socket.poll(int(deadline * 1000)):
            return None
        name, payload = self.socket.recv_multipart()
        return name, msgpack.unpackb(payload) if name[:1] == b"m" else json.loads(payload)

    def wait(self, condition, what, deadline=DEADLINE):
        """The first message that meets a condition."""
        end = time.monotonic() + deadline
        seen = []
        while time.monotonic() < end:
            got = self.next(max(0, end - time.monotonic()))
            if got is None:
                break
            seen.append(got)
            if condition(got[1]):
                return got[1]
        raise AssertionError(f"no {what} in {deadline:.0f} s; last seen: {seen[-3:]}")

    def close(self):
        self.socket.close(0)


class Replica:
    """One view, kept equal to the aggregator's by its stream. `key_of` is what names a row."""

    def __init__(self, pipe, view, key_of, encoding="j", keys=None):
        self.pipe, self.view, self.key_of = pipe, view, key_of
        self.topic = topic(view, encoding)
        self.subscription = Subscription(pipe.aggregator.ready["publish"], self.topic, keys=keys)
        self.stream, self.n = None, None
        self.rows = {}  # key -> (row, n as of which it was read)
        self.kept = []  # messages that came while the view was read
        self.is_whole = False
        self.joins, self.gaps, self.messages = 0, 0, 0

    def follows(self, message):
        """Does it follow the last one without a gap?"""
        if message["stream"] != self.stream:
            return False
        return message["n"] == self.n + (message["type"] in ("rows", "reset"))

    def take(self, message):
        self.messages += 1
        if message["type"] == "error":
            raise AssertionError(message["error"])
        if self.stream is None or not self.follows(message) or message["type"] == "reset":
            self.gaps += self.stream is not None
            self.stream, self.n, self.is_whole, self.kept = message["stream"], message["n"], False, []
            if message["type"] != "rows":
                return
        self.n = message["n"]
        if message["type"] == "rows":
            if self.is_whole:
                self.apply(message)
            else:
                self.kept.append(message)

    def apply(self, message):
        n = message["n"]
        for row in message["rows"]:
            key = self.key_of(row)
            if key not in self.rows or self.rows[key][1] < n:
                self.rows[key] = (row, n)
        for key in map(tuple, message["gone"]):
            if key in self.rows and self.rows[key][1] < n:
                del self.rows[key]

    def drain(self, wait=0.0):
        """Takes what has come."""
        got = self.subscription.next(wait)
        while got is not None:
            if got[0] == self.topic:
                self.take(got[1])
            got = self.subscription.next(0)

    def read(self):
        """The snapshot, page by page; false when the stream is another one by now."""
        self.rows, cursor = {}, None
        while True:
            more = {"cursor": cursor} if cursor else {}
            answer = self.pipe.client.ask("scan", view=self.view, limit=50, **more)
            if not answer["ok"] or answer.get("live", {}).get("stream") != self.stream:
                return False
            for row in answer["rows"]:
                self.rows[self.key_of(row)] = (row, answer["live"]["n"])
            self.drain()
            cursor = answer.get("next")
            if not cursor:
                return True

    def step(self, wait=0.05):
        """Goes on by whatever is to be done."""
        self.drain(wait)
        if self.stream is None or self.is_whole:
            return
        stream, gaps = self.stream, self.gaps
        try:
            is_read = self.read()
        except (TimeoutError, zmq.ZMQError):
            is_read = False
        if is_read and (self.stream, self.gaps) == (stream, gaps):
            for message in self.kept:
                self.apply(message)
            self.is_whole, self.kept = True, []
            self.joins += 1

    def values(self):
        return {key: row for key, (row, _) in self.rows.items()}

    def close(self):
        self.subscription.close()
