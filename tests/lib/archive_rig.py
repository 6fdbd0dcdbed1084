"""An archive's surroundings: topics of one test, records put into them by hand with confluent-kafka, and the command itself."""
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb
import msgpack
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from forks import forks
from harness import wait_until

COMMAND = Path(sys.executable).with_name("till-archive")
KINDS = {"order": "orders", "cart": "cart_events", "view": "page_views"}
DAY_MS = 86_400_000
START_MS = 1_291_161_600_000  # 2010-12-01
DEADLINE = 120.0


def order(edge, run, seq, **more):
    """A line of an order in normal form, as an edge writes it; every seq has another price."""
    event = {"kind": "order", "edge": edge, "run": run, "seq": seq, "ts": START_MS + (seq % 5) * DAY_MS + seq, "order_id": f"o{seq // 3}",
             "product_id": f"p{seq % 7}", "quantity": 1 + seq % 4 if seq % 11 else -2, "unit_price": f"{seq % 90}.{seq % 100:02}",
             "currency": "GBP"}
    return {**event, **more}


def revenue(event):
    if event.get("amount") is not None:
        return Decimal(event["amount"])
    return event["quantity"] * Decimal(event["unit_price"])


def letter(edge, run, kind, seq, refused_by="edge", code="bad_value"):
    """Headers of a dead letter."""
    return [("till.edge", edge.encode()), ("till.run", str(run).encode()), ("till.kind", kind.encode()), ("till.seq", str(seq).encode()),
            ("till.received_ms", str(START_MS).encode()), ("till.source", b"zmq"), ("till.refused_by", refused_by.encode()),
            ("__connect.errors.topic", b"orders"), ("__connect.errors.exception.class.name", code.encode()),
            ("__connect.errors.exception.message", "unit_price \"2,55\" is not a decimal number".encode())]


class Topics:
    """The six topics of one test."""

    def __init__(self, bootstrap, prefix, partitions=2):
        self.bootstrap, self.prefix, self.partitions = bootstrap, prefix, partitions
        self.admin = AdminClient({"bootstrap.servers": bootstrap})
        self.names = [f"{prefix}{name}{suffix}" for name in KINDS.values() for suffix in ("", ".dlq")]
        self.create(*self.names)
        self.producer = self.new_producer()

    def new_producer(self):
        return Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5, "enable.idempotence": True, "log_level": 0})

    def create(self, *names):
        made = self.admin.create_topics([NewTopic(name, self.partitions, 1, config={"message.timestamp.type": "LogAppendTime"})
                                         for name in names])
        for future in made.values():
            future.result(60)

    def grow(self, name, partitions):
        """More partitions than before, known to the producer."""
        self.admin.create_partitions([NewPartitions(name, partitions)])[name].result(60)
        wait_until(lambda: len(self.admin.list_topics(name, timeout=30).topics[name].partitions) == partitions, "new partitions")
        self.producer = self.new_producer()

    def put(self, kind, partition, value, key=None, headers=None):
        """`value`: bytes, or an event, whose edge is then the key."""
        topic = self.prefix + KINDS[kind.removesuffix(".dlq")] + (".dlq" if kind.endswith(".dlq") else "")
        if isinstance(value, dict):
            key = value["edge"].encode() if key is None else key
            value = msgpack.packb(value)
        self.producer.produce(topic, value, key, partition, headers=headers)

    def flush(self):
        assert self.producer.flush(60) == 0

    def options(self):
        return ["--brokers", self.bootstrap, *(part for kind, name in KINDS.items() for part in (f"--topic.{kind}", f"{self.prefix}{name}"))]


def archive(*arguments, code=0, deadline=DEADLINE):
    """Runs `till archive` to its end; the exit code is as said."""
    done = forks("archive").run(*arguments, deadline=deadline)
    assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done


def source(folder, *arguments):
    """What DuckDB reads FROM."""
    return archive("list", folder, "--duckdb", *arguments).stdout.decode().strip()


def ask(folder, query, *arguments):
    """DuckDB's rows; ARCHIVE stands for the files that the manifest names."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(query.replace("ARCHIVE", source(folder, *arguments))).fetchall()


def assert_each_once(folder):
    """No certificate twice."""
    twice = ask(folder, "SELECT stream, edge, run, seq, count(*) FROM ARCHIVE GROUP BY ALL HAVING count(*) > 1")
    assert twice == []


def totals(folder):
    """{edge: (lines, revenue)} as DuckDB adds them up."""
    rows = ask(folder, "SELECT edge, count(*), sum(revenue) FROM ARCHIVE WHERE rejected IS NULL GROUP BY edge", "--kind", "order")
    return {edge: (count, total) for edge, count, total in rows}


def counted(pipe):
    """The same as the aggregator answers it."""
    return {row["edge"]: (row["order_count"], Decimal(row["total_revenue"])) for row in pipe.client.scan("stores")}


def expected(events):
    """The same by plain addition."""
    found, lines = Counter(), Counter()
    for event in events:
        found[event["edge"]] += revenue(event)
        lines[event["edge"]] += 1
    return {edge: (lines[edge], found[edge]) for edge in lines}


def stream_of(folder, *arguments):
    """(head, records, end) of `cat`."""
    values = list(unpacked(archive("cat", folder, *arguments).stdout))
    return values[0], values[1:-1], values[-1]


def unpacked(content):
    unpacker = msgpack.Unpacker(max_buffer_size=0)
    unpacker.feed(content)
    return unpacker
