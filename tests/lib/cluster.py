"""A real Kafka of several nodes, and everything that can go wrong with it or be done to its topics; and what its log says by
itself, against the totals."""
import base64
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pypi
from harness import Broker, wait_until

ADMIN = Path(__file__).with_name("kafka_admin.py")
HEAP = "-Xms128m -Xmx384m"
USER, PASSWORD = "till", "till-in-trials"
IN_SYNC_S = 600  # as for a start: on a busy machine
OPTIONS = (
    # Rules are kept, and as long as there are none for a topic anybody may do anything. Who says no name is the administrator.
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found=true",
    "super.users=User:ANONYMOUS",
    "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,NAMED:SASL_PLAINTEXT",
    "sasl.enabled.mechanisms=PLAIN",
    "listener.name.named.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
    f'user_{USER}="{PASSWORD}";',
    # Frozen and killed nodes are noticed soon.
    "replica.lag.time.max.ms=3000",
    "controller.quorum.election.timeout.ms=500",
    "controller.quorum.fetch.timeout.ms=1000",
    "log.index.size.max.bytes=65536",
)


class Admin:
    """The administrator's hand: admin.create(topic="orders", partitions=4). See kafka_admin.py for what there is."""

    def __init__(self, bootstrap, log):
        with open(log, "ab") as stderr:
            self.process = subprocess.Popen([str(pypi.python()), str(ADMIN), bootstrap], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=stderr, text=True)
        self.lock = threading.Lock()

    def ask(self, do, **arguments):
        with self.lock:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        assert line, f"the administrator ended at {do} {arguments}"
        answer = json.loads(line)
        assert answer["ok"], f"{do} {arguments}: {answer['error']}"
        return answer["value"]

    def __getattr__(self, do):
        return lambda **arguments: self.ask(do, **arguments)

    def produce(self, topic, partition, records, **more):
        """records: [(key, value)] in bytes."""
        text = [[base64.b64encode(part).decode() for part in record] for record in records]
        return self.ask("produce", topic=topic, partition=partition, records=text, **more)

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def free_decade():
    """The first digits of ten ports below those that the kernel gives out, free now: 2481 of 24810 to 24819."""
    while True:
        decade = random.randrange(1100, 3200)
        try:
            for last in range(10):
                socket.create_server(("127.0.0.1", 10 * decade + last)).close()
            return decade
        except OSError:
            continue


class Cluster(Broker):
    """Three nodes, each broker and controller, within a heap of 384 MB each. Serves in about ten seconds."""

    def __init__(self, folder, nodes=3, options=()):
        os.environ["KAFKA_JAVA_OPTS"] = f"{os.environ.get('KAFKA_JAVA_OPTS', '')} {HEAP}"  # deploy/kafka reads it at every start of a node
        os.environ["KAFKA_START_SECONDS"] = "600"  # on a busy machine, and while the others are frozen
        self.ports = {name: free_decade() for name in ("PLAINTEXT", "CONTROLLER", "NAMED")}
        super().__init__(folder, nodes, [*OPTIONS, *self.listeners(nodes), *options])
        self.bootstrap = self.addresses("PLAINTEXT")
        self.admin = Admin(self.bootstrap, self.folder / "admin.log")

    def listeners(self, nodes):
        """Two for clients: by one they are nobody in particular, by the other USER, whom rules concern."""
        at = {name: f"{name}://127.0.0.1:{port}%N" for name, port in self.ports.items()}
        voters = ",".join(f"{node}@127.0.0.1:{self.ports['CONTROLLER']}{node}" for node in range(1, nodes + 1))
        return (f"listeners={','.join(at.values())}", f"advertised.listeners={at['PLAINTEXT']},{at['NAMED']}",
                f"controller.quorum.voters={voters}")

    def addresses(self, listener):
        return ",".join(f"127.0.0.1:{self.ports[listener]}{node}" for node in self.all_nodes())

    def as_user(self, folder):
        """What a program's configuration says to come as USER: (bootstrap, options)."""
        secret = Path(folder) / "kafka-password"
        secret.write_text(PASSWORD)
        secret.chmod(0o600)
        return self.addresses("NAMED"), ["kafka.security.protocol=SASL_PLAINTEXT", "kafka.sasl.mechanism=PLAIN",
                                         f"kafka.sasl.username={USER}", f"kafka.sasl.password_file={secret}"]

    def all_nodes(self):
        return range(1, self.nodes + 1)

    def is_alive(self, node):
        with contextlib.suppress(OSError, ValueError):
            return b"kafka.Kafka" in Path(f"/proc/{self.pid(node)}/cmdline").read_bytes()
        return False

    def freeze(self, node):
        self.signal(signal.SIGSTOP, node)

    def thaw(self, node):
        self.signal(signal.SIGCONT, node)

    def heal(self, prefix=""):
        """Everybody runs and is in sync."""
        alive = [node for node in self.all_nodes() if self.is_alive(node)]
        for node in alive:
            self.thaw(node)
        if len(alive) < self.nodes:
            self.up()
        unknown = () if prefix else (None,)  # topics with a prefix are there, though a node that just started may not know them
        wait_until(lambda: self.admin.behind(prefix=prefix) in (0, *unknown), "all copies in sync", IN_SYNC_S, every=0.1)

    def down(self):
        for node in self.all_nodes():
            with contextlib.suppress(OSError, ValueError):
                self.thaw(node)
        self.admin.close()
        super().down()


def money(micros):
    """Millionths as till writes money: at least two fraction digits, no further zeros."""
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    whole, part = divmod(micros, 10**6)
    return f"{sign}{whole}.{f'{part:06}'.rstrip('0').ljust(2, '0')}"


def totals_of(client):
    """{product: (count, quantity, revenue)}, as an aggregator answers."""
    return {row["product_id"]: (row["order_count"], row["total_quantity"], row["total_revenue"])
            for row in client.scan("products")}


def assert_totals_are_the_logs(pipe, admin):
    """What is counted is what an independent reader finds in the log, to the cent; returns what it found."""
    log = admin.scan(topic=f"{pipe.prefix}orders")
    told = totals_of(pipe.client)
    assert told == {product: (count, quantity, money(revenue)) for product, (count, quantity, revenue) in log["products"].items()}
    return log
