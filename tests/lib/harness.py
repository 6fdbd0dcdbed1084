"""Drives the real programs: start, wait until ready, ask, kill, stop. No test sleeps: everything waits for an event with a
deadline. Times are seconds."""
import contextlib
import fcntl
import json
import os
import random
import re
import select
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgpack
import query_schema
import zmq

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("TILL_BUILD", ROOT / "build"))
SANITIZED = "sanitize" in BUILD.name
WRITE_AND_DIE = signal.SIGRTMAX - 7  # to programs built for coverage: gcov_at_kill.c
WRITE_DEADLINE = 3.0
# Sanitizers and instrumentation slow programs down; deadlines are generous because nothing waits for them when all is well.
DEADLINE = 60.0 if not SANITIZED else 120.0
CONTEXT = zmq.Context.instance()


def program(name):
    folder = {"till-edge": "edge", "till-bridge": "bridge", "till-aggregator": "aggregator", "till": "cli",
              "till-devbroker": "deploy/devbroker"}[name]
    return BUILD / folder / name


def wait_until(condition, what, deadline=DEADLINE, every=0.02):
    """Waits for a condition that only polling can see; returns its first true value."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline:.0f} s for {what}; last seen: {value!r}")
        select.select([], [], [], every)


class Program:
    """One process with --ready-fd. `args` follow the program's name; `wrap` is what comes before it (ip netns exec …)."""

    def __init__(self, name, args, log, env=None, wait_ready=True, ready_deadline=DEADLINE, wrap=()):
        self.name = name
        self.wrap = list(wrap)
        self.log = Path(log)
        self.args = [str(arg) for arg in args]
        self.env = {**os.environ, **(env or {})}
        self.ready = None
        self.process = None
        self.start(wait_ready, ready_deadline)

    def start(self, wait_ready=True, deadline=DEADLINE, is_held=False):
        """(Re)starts with the same arguments. `is_held`: the pipe is full, so that it stands still in saying that it is ready until
        wait_ready is called."""
        read_end, write_end = os.pipe()
        if is_held:
            size = fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
            os.write(write_end, b" " * size)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.wrap, str(program(self.name)), *self.args, "--ready-fd", str(write_end)], pass_fds=[write_end],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env)
        os.close(write_end)
        self.ready_fd = read_end
        self.ready = None
        if wait_ready:
            self.wait_ready(deadline)
        return self

    def is_held(self):
        return Path(f"/proc/{self.pid}/wchan").read_text().endswith("pipe_write")

    def wait_ready(self, deadline=DEADLINE):
        data, end = b"", time.monotonic() + deadline
        while not data.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.ready_fd], [], [], left)[0]:
                self.kill()
                raise AssertionError(f"{self.name} was not ready after {deadline:.0f} s\n{self.log_tail()}")
            chunk = os.read(self.ready_fd, 65536)
            if not chunk:
                code = self.process.wait(DEADLINE)
                raise AssertionError(f"{self.name} ended with {code} before it was ready\n{self.log_tail()}")
            data += chunk
        os.close(self.ready_fd)
        self.ready = json.loads(data)
        return self.ready

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9. A program that counts what it runs (build-sanitize) may write that first."""
        if self.running() and SANITIZED:
            self.process.send_signal(WRITE_AND_DIE)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(WRITE_DEADLINE)
        if self.running():
            self.process.kill()
        self.process.wait(DEADLINE)

    def stop(self, deadline=DEADLINE):
        """SIGTERM; returns the exit code."""
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        return self.wait(deadline)

    def wait(self, deadline=DEADLINE):
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            raise AssertionError(f"{self.name} did not end in {deadline:.0f} s\n{self.log_tail()}") from error

    def signal(self, number):
        self.process.send_signal(number)

    def restart(self):
        self.kill()
        return self.start()

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_tail(self, lines=40):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def http(self, path, timeout=30.0):
        """(status, body) of a GET."""
        try:
            with urllib.request.urlopen(f"http://{self.ready['http']}{path}", timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self):
        """{'name{labels}': value}; {} while the program does not answer."""
        try:
            status, text = self.http("/metrics")
        except OSError:
            return {}
        assert status == 200, text
        return parse_metrics(text)

    def metric(self, name):
        """Sum over all series of a family."""
        return sum_metric(self.metrics(), name)


def parse_metrics(text):
    values = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            values[series] = float(value)
    return values


def sum_metric(values, name, **labels):
    total = 0.0
    for series, value in values.items():
        if series == name or series.startswith(name + "{"):
            if all(f'{key}="{label}"' in series for key, label in labels.items()):
                total += value
    return total


class Broker:
    """A real Kafka: deploy/kafka, `nodes` processes under `folder`."""

    def __init__(self, folder, nodes=1, options=()):
        self.folder = Path(folder)
        self.nodes = nodes
        self.options = [arg for option in options for arg in ("-o", option)]
        self.bootstrap = self.up()

    def run(self, *args, deadline=700):
        done = subprocess.run([str(ROOT / "deploy/kafka/kafka"), *map(str, args)], capture_output=True, text=True,
                              timeout=deadline, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"kafka {args}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def up(self):
        return self.run("up", "--nodes", self.nodes, "--dir", self.folder, *self.options).strip().splitlines()[-1]

    def pid(self, node=1):
        return int((self.folder / f"node-{node}" / "pid").read_text())

    def kill(self, node=1):
        with contextlib.suppress(ProcessLookupError):  # it is dead already
            os.kill(self.pid(node), signal.SIGKILL)

    def signal(self, number, node=1):
        os.kill(self.pid(node), number)

    def start(self, node=1):
        return self.run("start", "--dir", self.folder, "--node", node)

    def tool(self, *args, deadline=180):
        return self.run("tool", *args, deadline=deadline)

    def topics(self, *args):
        return self.tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.bootstrap, *args)

    def down(self):
        self.run("down", "--dir", self.folder)


def show_keys(socket, keys):
    """CURVE for a client's socket, before it connects: (own secret, own public, the server's public); None: plain."""
    if keys is not None:
        socket.curve_secretkey, socket.curve_publickey, socket.curve_serverkey = (key.encode() for key in keys)


class Client:
    """A plain query client: one DEALER, JSON, a deadline for each answer."""

    def __init__(self, endpoint, keys=None):
        self.endpoint = endpoint
        self.keys = keys
        self.socket = None
        self.id = 0
        self.connect()

    def connect(self):
        if self.socket is not None:
            self.socket.close(0)
        self.socket = CONTEXT.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        show_keys(self.socket, self.keys)
        self.socket.connect(self.endpoint)

    def ask(self, query, **rest):
        """Any answer, also {"ok": false …}."""
        request = {"query": query, **rest}
        timeout = max(10.0, DEADLINE / 3, rest.get("timeout_ms", 0) / 1000 + 5)
        self.id += 1
        tag = str(self.id).encode()
        self.socket.send_multipart([tag, b"", json.dumps(request).encode()])
        end = time.monotonic() + timeout
        while self.socket.poll(max(0, int((end - time.monotonic()) * 1000))):
            frames = self.socket.recv_multipart()
            if frames[0] == tag:
                answer = json.loads(frames[-1])
                query_schema.check(request, answer)
                return answer
        self.connect()
        raise TimeoutError(f"no answer to {request} in {timeout:.0f} s")

    def rows(self, query, **rest):
        answer = self.ask(query, **rest)
        assert answer["ok"], answer
        return answer["rows"]

    def scan(self, view, **rest):
        """All rows of a view, by its cursors."""
        rows, cursor = [], None
        while True:
            more = {"cursor": cursor} if cursor else {}
            answer = self.ask("scan", view=view, limit=10000, **rest, **more)
            assert answer["ok"], answer
            rows += answer["rows"]
            cursor = answer.get("next")
            if not cursor:
                return rows

    def close(self):
        self.socket.close(0)


class Sender:
    """A producer: frames out, replies in, JSON or msgpack."""

    def __init__(self, endpoint, encoding="msgpack", keys=None):
        self.encoding = encoding
        self.socket = CONTEXT.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        show_keys(self.socket, keys)
        self.socket.connect(endpoint)

    def pack(self, value):
        return msgpack.packb(value) if self.encoding == "msgpack" else json.dumps(value).encode()

    def send(self, events, header=None):
        frames = [b""] + ([self.pack(header)] if header is not None else []) + [self.pack(events)]
        self.socket.send_multipart(frames)

    def send_raw(self, *frames):
        self.socket.send_multipart([b"", *frames])

    def receive(self, deadline=DEADLINE):
        if not self.socket.poll(int(deadline * 1000)):
            raise TimeoutError(f"the edge did not reply in {deadline:.0f} s")
        frame = self.socket.recv_multipart()[-1]
        return json.loads(frame) if frame[:1] == b"{" else msgpack.unpackb(frame)

    def ask(self, events, header=None):
        self.send(events, header)
        return self.receive()

    def ask_raw(self, *frames):
        self.send_raw(*frames)
        return self.receive()

    def close(self):
        self.socket.close(0)


class Pipeline:
    """Everything between a till and a total, on free ports, in one folder; topics of its own on a shared broker."""

    def __init__(self, folder, bootstrap, prefix, edges=("store-1",), bridges=1, partitions=4, options=None, env=None):
        self.folder = Path(folder)
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.options = options or {}
        self.env = env or {}
        self.partitions = partitions
        self.edges, self.bridges, self.aggregator, self.client = {}, [], None, None
        self.others = {}  # topics that others write, and how many partitions they have
        for number in range(bridges):
            self.start_bridge(number)
        for edge in edges:
            self.start_edge(edge)

    def settings(self, program_name):
        return [arg for option in self.options.get(program_name, ()) for arg in ("-o", option)]

    def topics(self, section):
        return [arg for kind, name in (("order", "orders"), ("cart", "cart_events"), ("view", "page_views"),
                                         ("telemetry", "telemetry"))
                for arg in ("-o", f"{section}.topic.{kind}={self.prefix}{name}")]

    def start_bridge(self, number=0, port=0, host="127.0.0.1", bootstrap=None, wrap=()):
        """`host` is where it listens, when it is `wrap`ped into another network than ours."""
        self.bridges.append(Program("till-bridge", [
            "-o", f"bridge.listen=tcp://{host}:{port or free_port()}", "-o", f"bridge.brokers={bootstrap or self.bootstrap}",
            "-o", f"bridge.partitions={self.partitions}", "-o", f"http.listen={host}:0",
            *self.topics("bridge"), *self.settings("till-bridge")], self.folder / f"bridge-{number}.log", self.env, wrap=wrap))
        return self.bridges[-1]

    def bridge_endpoints(self):
        return ",".join(bridge.ready["listen"][0] for bridge in self.bridges)

    def start_edge(self, name, bridges=None, host="127.0.0.1", wrap=()):
        slug = re.sub(r"\W", "_", name)
        data = self.folder / f"edge-{slug}"
        data.mkdir(exist_ok=True)
        self.edges[name] = Program("till-edge", [
            "-o", f"edge.id={name}", "-o", f"edge.data={data}", "-o", f"edge.listen=tcp://{host}:{free_port()}",
            "-o", f"edge.bridges={bridges or self.bridge_endpoints()}", "-o", f"http.listen={host}:0",
            *self.settings("till-edge")], self.folder / f"edge-{slug}.log", self.env, wrap=wrap)
        return self.edges[name]

    def start_aggregator(self, *extra, wait_ready=True, bootstrap=None):
        data = self.folder / "store"
        data.mkdir(exist_ok=True)
        self.aggregator = Program("till-aggregator", [
            "-o", f"aggregator.data={data}", "-o", f"aggregator.brokers={bootstrap or self.bootstrap}",
            "-o", f"aggregator.listen=tcp://127.0.0.1:{free_port()}",
            "-o", f"aggregator.publish=tcp://127.0.0.1:{free_port()}", "-o", "http.listen=127.0.0.1:0",
            *self.topics("aggregator"), *self.settings("till-aggregator"), *extra],
            self.folder / "aggregator.log", self.env, wait_ready=wait_ready)
        if wait_ready:
            self.client = Client(self.aggregator.ready["listen"][0])
        return self.aggregator

    def endpoint(self, edge):
        return self.edges[edge].ready["listen"][0]

    def wait_drained(self, deadline=DEADLINE):
        """Until nothing is left on any edge's disk."""
        for edge in self.edges.values():
            wait_until(lambda edge=edge: edge.running() and sum_metric(m := edge.metrics(), "till_edge_spool_events") == 0
                       and "till_edge_spool_bytes" in m, f"an empty spool of {edge.name}", deadline, every=0.05)

    def log_ends(self):
        """{(topic, partition): the offset that the next record gets}, as Kafka itself says."""
        topics = [f"{self.prefix}{name}{suffix}" for name in ("orders", "cart_events", "page_views")
                  for suffix in ("", ".dlq")]
        counts = {**{topic: self.partitions for topic in topics}, **self.others}
        asked = [arg for topic, count in counts.items() for part in range(count) for arg in ("-t", f"{topic}:{part}:-1")]

        def ask():  # a topic made a moment ago may not have its leader yet
            done = subprocess.run(["kcat", "-Q", "-b", self.bootstrap, *asked], capture_output=True, text=True,
                                  timeout=60, check=False)
            return done if done.returncode == 0 else None
        done = wait_until(ask, "the ends of the log", every=0.1)
        found = re.findall(r"^(\S+) \[(\d+)\] offset (\d+)$", done.stdout, re.M)
        return {(topic, int(part)): int(offset) for topic, part, offset in found}

    def wait_applied(self, deadline=DEADLINE):
        """Until all that Kafka holds now can be read in an answer."""
        ends = {place: end for place, end in self.log_ends().items() if end > 0}

        def applied():
            status = self.client.ask("status")
            at = {(each["topic"], each["partition"]): each["next"] for each in status.get("partitions", ())}
            return status.get("as_of", {}).get("lag") == 0 and all(at.get(place, 0) >= end for place, end in ends.items())
        wait_until(applied, "all records applied", deadline, every=0.05)

    def wait_settled(self, deadline=DEADLINE):
        """Until everything that was accepted can be read in an answer."""
        self.wait_drained(deadline)
        self.wait_applied(deadline)

    def books(self, part):
        """Sum over the partitions of one of read, counted, rejected, duplicates, foreign, unreadable: kept by the store."""
        return sum(each[part] for each in self.client.ask("status")["partitions"])

    def stop(self):
        for each in [*self.edges.values(), *self.bridges, self.aggregator]:
            if each is not None and each.process is not None:
                each.kill()
        if self.client is not None:
            self.client.close()


# Below those that the kernel gives out of its own accord, and those that deploy/kafka picks from.
PORTS = range(2000, 10000)
PORTS_CLAIMED_MAX = 300  # each costs a descriptor, and select() knows 1,024
_claims = {}  # port -> the socket whose name keeps other runs of tests off it as long as we live


def free_port():
    """A port that a restarted program can have again."""
    while True:
        port = random.choice(PORTS)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0till-port-{port}")
            with socket.socket() as probe:
                probe.bind(("", port))
        except OSError:
            claim.close()
            continue
        _claims[port] = claim
        if len(_claims) > PORTS_CLAIMED_MAX:  # the oldest were used long ago
            _claims.pop(next(iter(_claims))).close()
        return port


def till(*args, deadline=DEADLINE, **kwargs):
    """Runs the command line tool to its end: a CompletedProcess with text."""
    return subprocess.run([str(program("till")), *map(str, args)], capture_output=True, text=True, timeout=deadline,
                          stdin=kwargs.pop("stdin", subprocess.DEVNULL), check=False, **kwargs)
