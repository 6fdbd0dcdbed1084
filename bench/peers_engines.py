"""The engines that bench/run peers has count one topic, each behind the same three calls: how far it has come durably, seen from outside;
what its totals are; end."""
import itertools
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from harness import BUILD, Broker, Pipeline
from peers_fetch import HERE

EVERY_S = 0.02
ROUNDING = 100  # Spark shares a batch out among the partitions, and rounds each share down
SOURCE = """
[source.sales]
topic = {topic}
format = plain
kind = order
fields = order_id:order_id, product_id:product_id, quantity:quantity, unit_price:unit_price

[view.products]
kind = order
group_by = product_id
measures = order_count = count(), total_revenue = sum(revenue)
"""
# What Flink's own scripts give a JVM of version 17.
OPENS = [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in (
    "java.lang", "java.net", "java.io", "java.nio", "java.text", "java.time", "java.util", "java.lang.reflect", "java.util.concurrent",
    "java.util.concurrent.atomic", "java.util.concurrent.locks", "sun.nio.ch")]
JAVA = ["java", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]


@dataclass
class Place:
    """Where one run of one engine is."""

    folder: Path  # of its own
    kafka: Broker
    topic: str
    number: int  # of the run
    warm: int  # records that warm
    jars: Path
    classes: Path


def tree(pid):
    """A process and all that it started."""
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def read_totals(path):
    """{product: (count, cents)} of a file with three columns."""
    lines = (line.split("\t") for line in Path(path).read_text().splitlines())
    return {product: (int(count), int(cents)) for product, count, cents in lines}


class Process:
    """A program of others, which ends when its input does, and whose words go into a file."""

    def __init__(self, command, log, env=None):
        self.log = Path(log)
        with open(log, "ab") as out:
            self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=out, stderr=out,
                                            env={**os.environ, **(env or {})}, start_new_session=True)
        self.pid = self.process.pid

    def check(self):
        if self.process.poll() not in (None, 0):
            self.fail(f"ended with {self.process.returncode}")

    def fail(self, what):
        self.kill()
        raise SystemExit(f"{self.log.stem} {what}:\n" + "\n".join(self.log.read_text(errors="replace").splitlines()[-30:]))

    def finish(self, seconds=180):
        self.process.stdin.close()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.fail(f"did not end in {seconds} s")
        self.check()

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(60)


def watch(check, kafka, topic, count, group=None):
    """(seconds, records) whenever a group's commits, or a topic itself, have grown, and each second; ends at `count`, or where `check`, which is
    called meanwhile, finds that nobody is at work any more."""
    command = [BUILD / "bench/till-progress", "--brokers", kafka.bootstrap, "--topic", topic, "--count", count]
    if group:
        command += ["--group", group]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as watcher:
        try:
            for line in watcher.stdout:
                check()
                at_us, records = map(int, line.split())
                yield at_us / 1e6, records
            if watcher.wait(60) != 0:
                raise SystemExit(f"{topic} did not come to {count:,} records")
        finally:
            watcher.terminate()


class Till:
    """till-aggregator. Durable is what is read and not uncommitted: in the store, fsynced."""

    name = "till"

    def __init__(self, place):
        self.topic = place.topic
        (place.folder / "sales.conf").write_text(SOURCE.format(topic=place.topic))
        self.pipe = Pipeline(place.folder, place.kafka.bootstrap, "peers-", edges=(), bridges=0)
        self.pipe.start_aggregator("-c", place.folder / "sales.conf")
        self.pid = self.pipe.aggregator.pid

    def status(self):
        """(records read, records of those that are not on disk yet)"""
        status = self.pipe.client.ask("status")
        assert status["ok"], status
        return sum(each["read"] for each in status["partitions"] if each["topic"] == self.topic), status["uncommitted"]

    def read(self):
        return self.status()[0]

    def progress(self, count):
        durable = last = 0
        while durable < count:
            read, uncommitted = self.status()
            durable = read - uncommitted
            if durable > last:
                last = durable
                yield time.monotonic(), durable
            time.sleep(EVERY_S)

    def totals(self):
        return {row["product_id"]: (row["order_count"], int(Decimal(str(row["total_revenue"])).scaleb(2)))
                for row in self.pipe.client.scan("products")}

    def end(self):
        self.pipe.stop()


class Streams:
    """Kafka Streams. Durable is what its group has committed: with exactly_once_v2 the offsets are in the transaction of the totals."""

    name = "Kafka Streams"

    def __init__(self, place):
        self.place, self.group, self.out = place, f"streams-{place.number}", place.folder / "totals"
        self.process = Process([*JAVA, "-Xms1g", "-Xmx1g", "-cp", f"{place.classes}/streams:{place.jars}/streams/*", "StreamsTotals",
                                place.kafka.bootstrap, place.topic, self.group, place.folder / "state", self.out], place.folder / "streams.log")
        self.pid = self.process.pid

    def progress(self, count):
        return watch(self.process.check, self.place.kafka, self.place.topic, count, self.group)

    def totals(self):
        self.process.finish()
        return read_totals(self.out)

    def end(self):
        self.process.kill()


class Flink:
    """Flink SQL. Durable is what its group has committed: Flink commits the offsets of a checkpoint when that is complete."""

    name = "Flink SQL"

    def __init__(self, place):
        self.place, self.group, self.out = place, f"flink-{place.number}", f"flink-totals-{place.number}"
        place.kafka.topics("--create", "--topic", self.out, "--partitions", "4", "--replication-factor", "1",
                           "--config", "cleanup.policy=compact")
        names = {"bootstrap": place.kafka.bootstrap, "topic": place.topic, "group": self.group, "out": self.out,
                 "folder": place.folder}
        self.process = Process([*JAVA, *OPENS, "-Xms2g", "-Xmx2g", "-cp", f"{place.classes}/flink:{place.jars}/flink/*", "FlinkTotals",
                                HERE / "totals.sql", *(f"{name}={value}" for name, value in names.items())], place.folder / "flink.log")
        self.pid = self.process.pid

    def progress(self, count):
        return watch(self.process.check, self.place.kafka, self.place.topic, count, self.group)

    def totals(self):
        """The last row of each product in the topic into which it writes."""
        self.process.finish()
        done = subprocess.run(["kcat", "-C", "-b", self.place.kafka.bootstrap, "-t", self.out, "-o", "beginning", "-e", "-q"],
                              capture_output=True, text=True, timeout=300, check=True)
        rows = {}
        for line in done.stdout.splitlines():
            row = json.loads(line, parse_float=Decimal)
            rows[row["product_id"]] = (row["order_count"], int(Decimal(row["total_revenue"]).scaleb(2)))
        return rows

    def end(self):
        self.process.kill()


class Spark:
    """Spark Structured Streaming. Durable are the batches of which its checkpoint says that they are committed."""

    name = "Spark"

    def __init__(self, place):
        self.folder, self.topic, self.out = place.folder, place.topic, place.folder / "totals"
        jars = ",".join(map(str, sorted((place.jars / "spark").glob("*.jar"))))
        self.process = Process([place.jars / "python/bin/python", HERE / "spark_totals.py", place.kafka.bootstrap, place.topic, place.folder,
                                place.warm + ROUNDING, self.out, jars], place.folder / "spark.log")
        self.pid = self.process.pid

    def read_until(self, batch):
        """Its offsets file: two lines of its own, then one a source."""
        offsets = json.loads((self.folder / f"checkpoint/offsets/{batch}").read_text().splitlines()[2])
        return sum(offsets[self.topic].values())

    def progress(self, count):
        for batch in itertools.count():
            while not (self.folder / f"checkpoint/commits/{batch}").exists():
                self.process.check()
                time.sleep(EVERY_S)
            durable = self.read_until(batch)
            yield time.monotonic(), durable
            if durable >= count:
                return

    def totals(self):
        self.process.finish()
        return read_totals(self.out)

    def end(self):
        self.process.kill()


ENGINES = {"till": Till, "flink": Flink, "streams": Streams, "spark": Spark}
