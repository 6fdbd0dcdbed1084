"""An archive's stream (aggregator/log/archive_stream.h) out of what topics hold now, written by hand: each certificate once, the first record of
it decides; what is left out is counted. And a Kafka log that is cut behind it."""
import base64
import os
import threading
from dataclasses import dataclass, field

import msgpack

KINDS = {"orders": "order", "cart_events": "cart", "page_views": "view"}


@dataclass
class Part:
    """What is known of one partition."""

    next: int = 0
    left_out: dict = field(default_factory=lambda: {"duplicates": 0, "foreign": 0, "unreadable": 0})
    last: list = field(default_factory=lambda: [None, None, None])


def unpacked(value):
    try:
        return msgpack.unpackb(value)
    except (ValueError, TypeError, msgpack.UnpackException):
        return None


def certificate(topic, key, value, headers):
    """Of one of till's records, with what it is; else the fate of what it is."""
    if topic.endswith(".dlq"):
        headers = headers or {}
        return tuple(headers[f"till.{name}"] for name in ("edge", "run", "kind", "seq")) if "till.edge" in headers else "foreign"
    event = unpacked(value)
    if not isinstance(event, dict) or not {"edge", "run", "kind", "seq"} & event.keys():
        return "foreign" if isinstance(event, dict) else "unreadable"
    if not isinstance(event.get("seq"), int):
        return "unreadable"
    return (event["edge"], event["run"], event["kind"], event["seq"]) if event["edge"].encode() == key else "foreign"


class Stream:
    """parts: {(topic, partition): Part}; records as the stream has them."""

    def __init__(self, admin, topics, cluster=None):
        self.cluster = cluster or admin.cluster()
        self.parts, self.records, seen = {}, [], set()
        for topic in topics:
            for partition in range(len(admin.leaders()[topic])):
                self.parts[topic, partition] = Part()
            for record in admin.records(topic=topic):
                self.take(topic, record, seen)

    def take(self, topic, record, seen):
        partition, offset, appended, *texts, headers = record
        key, value = (None if each is None else base64.b64decode(each) for each in texts)
        headers = headers and {name: base64.b64decode(text) for name, text in headers.items()}
        part = self.parts[topic, partition]
        part.next, part.last = offset + 1, [offset, value, appended]
        found = certificate(topic, key, value, headers)
        if isinstance(found, str) or found in seen:
            part.left_out[found if isinstance(found, str) else "duplicates"] += 1
            return
        seen.add(found)
        self.records.append([topic, partition, offset, appended, key, value, headers])

    def head(self, **counts):
        return msgpack.packb({"till_archive": 1, "cluster": self.cluster, "partitions": [
            [*place, part.next, {**part.left_out, **counts}, *part.last] for place, part in sorted(self.parts.items())]})

    def end(self, more=0):
        return msgpack.packb({"end": True, "records": len(self.records) + more})

    def whole(self):
        return self.head() + b"".join(map(msgpack.packb, self.records)) + self.end()

    def left_out(self, fate):
        return sum(part.left_out[fate] for part in self.parts.values())


def cut(admin, stream):
    """Kafka keeps nothing of what the stream holds."""
    for (topic, partition), part in stream.parts.items():
        if part.next > 0:
            admin.purge(topic=topic, partition=partition, before=part.next)


class Pipe:
    """A FIFO whose writer goes on when it is told to."""

    def __init__(self, path):
        self.path = path
        os.mkfifo(path)
        self.file = None

    def write(self, data):
        """All of it: in a thread, for the other side need not read."""
        def work():
            self.file = self.file or open(self.path, "wb", buffering=0)  # noqa: SIM115
            left = memoryview(data)
            while left:
                left = left[self.file.write(left):]
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    def close(self):
        if self.file is not None:
            self.file.close()
            self.file = None
