"""Kafka Connect, standalone, with Debezium's connector for PostgreSQL, on the class path: one worker, one connector. It reads the
configuration that docs/CDC.md shows, with this test's own addresses in it."""
import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from harness import ROOT, free_port, wait_until
from postgres import PASSWORD

HERE = Path(__file__).with_name("connect")
JAVA = ["java", "-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+PerfDisableSharedMem", "-Djava.awt.headless=true",
        "-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.clients=warn"]


def find_jars():
    """Fetched once by Maven; without it, or java, the test is left out."""
    version = re.search("<debezium.version>(.*)</debezium.version>", (HERE / "pom.xml").read_text())[1]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "till"
    jars = cache / f"connect-{version}"
    if shutil.which("java") is None:
        pytest.skip("no java is installed (Debian: openjdk-17-jre-headless)")
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "connect.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            if shutil.which("mvn") is None:
                pytest.skip(f"neither {jars} nor Maven is there, which fetches Debezium's jars (Debian: maven)")
            part = cache / f"connect-{version}.part"
            shutil.rmtree(part, ignore_errors=True)
            done = subprocess.run(["mvn", "-B", "-q", "-f", HERE / "pom.xml", "dependency:copy-dependencies", "-DincludeScope=runtime",
                                   f"-DoutputDirectory={part}"], capture_output=True, text=True, timeout=600, check=False)
            if done.returncode != 0:
                pytest.skip(f"Maven could not fetch Debezium {version}: {done.stdout[-500:]}")
            part.rename(jars)
    return jars


def documented(name):
    """The lines of the block of docs/CDC.md that begins with "# NAME"."""
    blocks = re.findall(r"```properties\n(.*?)```", (ROOT / "docs" / "CDC.md").read_text(), re.S)
    return next(block for block in blocks if block.startswith(f"# {name}\n"))


def with_values(text, values):
    """The same with other values; a key that is not there is added."""
    lines = [line for line in text.splitlines() if line.partition("=")[0] not in values]
    return "\n".join([*lines, *(f"{key}={value}" for key, value in values.items())]) + "\n"


class Connect:
    """`connectors`: {name: (its prefix of topics, what is set otherwise than in the text)}. All are of one database, each with its
    own slot and publication."""

    def __init__(self, folder, bootstrap, database, connectors):
        self.folder, self.database, self.jars = Path(folder), database, find_jars()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.slots = [f"{database.name}_{name}" for name in connectors]
        (self.folder / "secret.properties").write_text(f"password={PASSWORD}\n")
        self.worker = self.write("worker", {"bootstrap.servers": bootstrap, "offset.storage.file.filename": self.folder / "offsets",
                                            "offset.flush.interval.ms": 500, "listeners": f"http://127.0.0.1:{free_port()}"})
        self.connectors = [self.write("shop", {
            "name": slot, "database.hostname": "127.0.0.1", "database.port": database.server.port, "database.user": "postgres",
            "database.password": f"${{file:{self.folder}/secret.properties:password}}", "database.dbname": database.name,
            "topic.prefix": prefix, "slot.name": slot, "publication.name": slot, "topic.creation.default.replication.factor": 1, **more},
            to=slot) for slot, (prefix, more) in zip(self.slots, connectors.values())]
        self.process, self.begun_at = None, None

    def write(self, name, values, to=None):
        path = self.folder / f"{to or name}.properties"
        path.write_text(with_values(documented(f"{name}.properties"), values))
        return path

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([*JAVA, "-cp", f"{self.jars}/*", "org.apache.kafka.connect.cli.ConnectStandalone",
                                             self.worker, *self.connectors], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def slots_where(self, condition):
        names = ", ".join(f"'{slot}'" for slot in self.slots)
        return self.database.sql(f"SELECT slot_name FROM pg_replication_slots WHERE slot_name IN ({names}) AND {condition}")

    def wait_streaming(self):
        """Until all read the database's log; that is behind their snapshots."""
        def read():
            assert self.process.poll() is None, f"Connect ended with {self.process.returncode}: {self.log_tail()}"
            return len(self.slots_where("active")) == len(self.slots)
        try:
            wait_until(read, "Debezium to read the database's log", 180, every=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log_tail()}") from error
        self.begun_at = self.begun_at or self.database.sql("SELECT pg_current_wal_lsn()")[0][0]

    def log_tail(self, lines=30):
        return "\n".join((self.folder / "log").read_text(errors="replace").splitlines()[-lines:])

    def freeze_while_noted(self):
        """Stops it when it has noted a place behind its snapshot, and is not about to overwrite the note: it truncates that file
        first. Killed before or then, it would begin with a new snapshot, which does not tell of rows deleted in the meantime."""
        wait_until(lambda: len(self.slots_where(f"confirmed_flush_lsn > '{self.begun_at}'")) == len(self.slots),
                   "Connect to note how far it is", 180, every=0.2)

        def is_frozen():
            self.process.send_signal(signal.SIGSTOP)
            if (self.folder / "offsets").stat().st_size > 0:
                return True
            self.process.send_signal(signal.SIGCONT)
            return False
        wait_until(is_frozen, "a whole note", 60)

    def kill(self):
        """kill -9; until PostgreSQL has noticed."""
        self.freeze_while_noted()
        self.end()

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        wait_until(lambda: not self.slots_where("active"), "its slots to be free", 60, every=0.1)

    def close(self):
        """Also what it left in the database, which would keep its log for ever."""
        if self.process is not None:
            self.end()
            for slot, in self.slots_where("true"):
                self.database.sql(f"SELECT pg_drop_replication_slot('{slot}')")
