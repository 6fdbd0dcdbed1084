"""The two ways from a file into Kafka that bench/run peers compares: till's edge (type = tail, each batch fsynced) with a bridge, and rsyslog
with a queue on disk. How far they are is seen in the topic alone, and what is there then is counted by a till-aggregator."""
from decimal import Decimal

from harness import Pipeline, wait_until
from peers_engines import SOURCE, Process, Till, watch
from peers_fetch import HERE


class TillFile:
    name = "till edge + bridge"

    def __init__(self, place, file):
        self.place = place
        self.pipe = Pipeline(place.folder, place.kafka.bootstrap, place.topic.removesuffix("orders"), edges=(), options={
            "till-edge": ["edge.spool_max=8GiB", "source.journal.type=tail", f"source.journal.path={file}"]})
        self.edge, self.bridge = self.pipe.start_edge("file"), self.pipe.bridges[0]
        self.pids = [self.edge.pid, self.bridge.pid]

    def check(self):
        for each in (self.edge, self.bridge):
            assert each.running(), each.log_tail()

    def progress(self, count):
        return watch(self.check, self.place.kafka, self.place.topic, count)

    def totals(self):
        (self.place.folder / "views.conf").write_text(SOURCE[SOURCE.index("[view"):])
        self.pipe.start_aggregator("-c", self.place.folder / "views.conf")
        self.pipe.wait_applied(600)
        return {row["product_id"]: (row["order_count"], int(Decimal(str(row["total_revenue"])).scaleb(2)))
                for row in self.pipe.client.scan("products")}

    def end(self):
        self.pipe.stop()


class Rsyslog:
    name = "rsyslog"

    def __init__(self, place, file):
        self.place = place
        place.kafka.topics("--create", "--topic", place.topic, "--partitions", "4", "--replication-factor", "1")
        text = (HERE / "rsyslog.conf").read_text()
        for name, value in {"folder": place.folder, "file": file, "bootstrap": place.kafka.bootstrap, "topic": place.topic}.items():
            text = text.replace(f"@{name}@", str(value))
        (place.folder / "rsyslog.conf").write_text(text)
        root, libraries = place.jars / "rsyslog", "usr/lib/x86_64-linux-gnu"
        self.process = Process([root / "usr/sbin/rsyslogd", "-n", "-f", place.folder / "rsyslog.conf", "-i", place.folder / "pid", "-M",
                                root / libraries / "rsyslog"], place.folder / "rsyslog.log", {"LD_LIBRARY_PATH": str(root / libraries)})
        self.pids = [self.process.pid]

    def progress(self, count):
        return watch(self.process.check, self.place.kafka, self.place.topic, count)

    def totals(self):
        """Of all that the topic holds once rsyslog has gone: one that came twice would show."""
        self.process.kill()
        count = max(records for _, records in watch(lambda: None, self.place.kafka, self.place.topic, 1))
        reader = Till(self.place)
        try:
            wait_until(lambda: reader.read() >= count, f"{count} records", 600, every=0.1)
            return reader.totals()
        finally:
            reader.end()

    def end(self):
        self.process.kill()


WAYS = {"till": TillFile, "rsyslog": Rsyslog}
