"""Peers that no library would make, at every port that we listen on: without end, without sense, without number. Their memory
is bounded, processors rest when they stop, and honest tills and questions are served meanwhile and after."""
import re
import resource
import socket
import threading
import time

import pytest
import zmq
import zmtp
from harness import Program, Sender, free_port, sum_metric, wait_until
from test_kill import assert_books_add_up
from test_spine import order
from tills import Till, assert_told_is_counted

pytestmark = pytest.mark.plain_only  # bounds of memory are those of the plain build
MEMORY_MAX_MIB = 640  # the daemons' 512, and what comes between two looks
CONNECTS = 10000
FILES = 256


@pytest.fixture
def pipe(pipeline):
    made = pipeline(options={"till-edge": [f"edge.listen_push=tcp://127.0.0.1:{free_port()}"]})
    made.start_aggregator()
    return made


def ports(pipe):
    """{what: (endpoint, the program behind it, which ZeroMQ socket a peer should say it is)}"""
    edge, bridge = pipe.edges["store-1"], pipe.bridges[0]
    return {"edge": (edge.ready["listen"][0], edge, b"DEALER"), "push": (edge.ready["listen_push"][0], edge, b"PUSH"),
            "bridge": (bridge.ready["listen"][0], bridge, b"DEALER"),
            "queries": (pipe.aggregator.ready["listen"][0], pipe.aggregator, b"DEALER"),
            "live": (pipe.aggregator.ready["publish"], pipe.aggregator, b"SUB")}


def programs(pipe):
    return [pipe.edges["store-1"], pipe.bridges[0], pipe.aggregator]


def anonymous_mib(program):
    with open(f"/proc/{program.pid}/status", encoding="utf-8") as status:
        return int(re.search(r"^RssAnon:\s+(\d+) kB", status.read(), re.M)[1]) / 1024


class Flood(threading.Thread):
    """Sends the same bytes again and again until the other end has enough of it."""

    def __init__(self, endpoint, socket_type, data):
        super().__init__(daemon=True)
        self.peer = zmtp.join(endpoint, socket_type)
        self.data, self.sent, self.is_cut = data, 0, False
        self.start()

    def run(self):
        try:
            while True:
                self.peer.sendall(self.data)
                self.sent += len(self.data)
        except OSError:
            self.is_cut = True
        self.peer.close()


FLOODS = {"frames of nothing": zmtp.frame(b"", True) * 200000, "frames of one byte": zmtp.frame(b"x", True) * 200000,
          "large frames": zmtp.frame(bytes(60000), True) * 16}


@pytest.mark.parametrize("what", FLOODS)
def test_a_message_without_end_is_ended(pipe, what):
    till = Till(pipe, "store-1")
    till.sell(10)
    floods = [Flood(endpoint, kind, FLOODS[what]) for endpoint, _, kind in ports(pipe).values()]
    most = dict.fromkeys(programs(pipe), 0)

    def all_cut():
        till.sell(1)
        assert pipe.client.ask("views")["ok"]
        for program in most:
            most[program] = max(most[program], anonymous_mib(program))
        return all(flood.is_cut for flood in floods)
    wait_until(all_cut, "every flood to be cut")
    assert max(most.values()) < MEMORY_MAX_MIB, {program.name: mib for program, mib in most.items()}
    for program in programs(pipe):
        cut = sum_metric(program.metrics(), "till_peers_cut_total")
        mine = [port for port, (_, behind, _) in ports(pipe).items() if behind is program]
        if what == "large frames":  # subscriptions are small: libzmq itself ends who sends more
            mine = [port for port in mine if port != "live"]
        assert cut == len(mine), program.log_tail()
        wait_until(lambda program=program: anonymous_mib(program) < 200, f"{program.name} to give the memory back")
    assert_told_is_counted(pipe, [till])
    assert_books_add_up(pipe)


def more_files():
    """As many as we may have; how many connections that makes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(CONNECTS, hard - 1000)


def test_ten_thousand_connections_are_borne(pipe):
    till = Till(pipe, "store-1")
    till.sell(10)
    edge = pipe.edges["store-1"]
    before = edge.metric("process_open_fds")
    count = more_files()
    peers = [zmtp.connect(ports(pipe)["edge"][0]) for _ in range(count - 2000)]
    peers += [zmtp.join(ports(pipe)["edge"][0]) for _ in range(2000)]
    till.sell(10)
    assert Sender(pipe.endpoint("store-1")).ask([order(1)], {"producer": "newcomer", "n": 1})["ok"], "a new till is served too"
    assert anonymous_mib(edge) < MEMORY_MAX_MIB
    assert edge.metric("till_peers_cut_total") == 0, "there is room for all of them"
    for peer in peers:
        peer.close()
    wait_until(lambda: edge.metric("process_open_fds") <= before + 10, "their descriptors to be free again")
    till.sell(10)
    pipe.wait_settled()
    assert_books_add_up(pipe)


def cpu_share(program, seconds=2.0):
    """Of a processor, over some time."""
    def now():
        return time.monotonic(), program.metric("process_cpu_seconds_total")
    began, used = now()
    wait_until(lambda: time.monotonic() > began + seconds, "some time to pass", seconds + 5)
    ended, more = now()
    return (more - used) / (ended - began)


@pytest.fixture
def small_edge(pipe, tmp_path):
    """One that may open few files."""
    edge = Program("till-edge", [
        "-o", "edge.id=small", "-o", f"edge.data={tmp_path}/small", "-o", f"edge.listen=tcp://127.0.0.1:{free_port()}",
        "-o", f"edge.bridges={pipe.bridge_endpoints()}", "-o", "http.listen=127.0.0.1:0"], tmp_path / "small.log",
        wrap=["prlimit", f"--nofile={FILES}:{FILES}"])
    pipe.edges["small"] = edge
    return edge


def test_without_free_descriptors_it_rests_and_serves_those_it_knows(pipe, small_edge):
    edge = small_edge
    till = Till(pipe, "small")
    till.sell(10)
    crowd = [zmtp.connect(edge.ready["listen"][0]) for _ in range(2 * FILES)]
    wait_until(lambda: sum_metric(edge.metrics(), "till_peers_cut_total", why="files") >= FILES, "the surplus to be cut")
    assert edge.metric("process_open_fds") <= FILES
    till.sell(10)
    share = cpu_share(edge)
    assert share < 0.2, f"{share:.2f} of a processor with a crowd that says nothing"
    pipe.bridges[0].restart()  # a new link needs descriptors, too
    till.sell(10)
    pipe.wait_drained()
    for peer in crowd:
        peer.close()
    assert Sender(edge.ready["listen"][0]).ask([order(1)])["ok"], "newcomers are served again"
    assert edge.stop() == 0


def test_one_machine_with_all_connections_leaves_room_for_others(pipe, small_edge):
    """Each of them speaks, answers heartbeats, and comes again when it is ended: none looks less honest than a newcomer."""
    more_files()
    endpoint = small_edge.ready["listen"][0]
    context = zmq.Context()
    context.linger = 0
    context.max_sockets = 2000
    crowd = [context.socket(zmq.DEALER) for _ in range(FILES * 3 // 2)]
    for peer in crowd:
        peer.connect(endpoint.replace("tcp://", "tcp://127.0.0.2:0;"))
        peer.send_multipart([b"", b"{}"])
    wait_until(lambda: sum_metric(small_edge.metrics(), "till_peers_cut_total", why="files") >= FILES, "the surplus to be cut")
    honest = [Sender(endpoint) for _ in range(20)]
    for number, sender in enumerate(honest):
        assert sender.ask([order(number)], {"producer": f"honest-{number}", "n": 1})["ok"]
    for sender in honest:
        assert sender.ask([order(100)])["ok"], "and it stays"
    assert small_edge.metric("till_peers") > FILES / 2, "the crowd is still there"
    for peer in crowd:
        peer.close()
    context.term()


def test_a_daemon_that_may_open_too_few_files_says_so(tmp_path):
    edge = Program("till-edge", ["-o", "edge.id=x", "-o", f"edge.data={tmp_path}/x"], tmp_path / "few.log", wait_ready=False,
                   wrap=["prlimit", "--nofile=128:128"])
    assert edge.wait() == 2
    assert "128" in edge.log_text() and "256" in edge.log_text() and "LimitNOFILE" in edge.log_text(), edge.log_tail()


LONGEST = b"\x02" + b"\x7f" + b"\xff" * 7
# Bytes that a peer may begin with, and whether we end the connection for them (else it is only of no use).
BEGINNINGS = {
    "text": (b"hello\r\n" * 20, True),
    "a request of HTTP": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20, True),
    "another mechanism": (zmtp.GREETING.replace(b"NULL".ljust(20, b"\0"), b"CURVE".ljust(20, b"\0")), True),
    "no mechanism": (zmtp.GREETING.replace(b"NULL", b"\xff" * 4), True),
    "a socket type that is none": (zmtp.GREETING + zmtp.ready(b"TOASTER"), True),
    "an id of 255 bytes": (zmtp.GREETING + zmtp.ready(identity=b"i" * 255), False),
    "an id that begins with zero": (zmtp.GREETING + zmtp.ready(identity=b"\0\0\0\0\1"), False),
    "metadata without end": (zmtp.GREETING + zmtp.header(zmtp.COMMAND, 9 << 20) + b"\x05READY" + bytes(9 << 20), True),
    "8 MB of metadata": (zmtp.GREETING + zmtp.ready(more=zmtp.property_of(b"X-Much", bytes(7 << 20))), False),
    "metadata that says it is longer": (zmtp.GREETING + zmtp.command(b"\x05READY\x0bSocket-Type\x7f\xff\xff\xffDEALER"), True),
    "a frame of 2^63-1 bytes": (zmtp.GREETING + zmtp.ready() + LONGEST, True),
    "a frame of 2^64-1 bytes": (zmtp.GREETING + zmtp.ready() + b"\x02" + b"\xff" * 8, True),
    "ten thousand empty messages": (zmtp.GREETING + zmtp.ready() + zmtp.frame(b"") * 10000, False),
    "a command that is none": (zmtp.GREETING + zmtp.ready() + zmtp.command(b"\x03FOO" + bytes(100)), False),
    "half a greeting": (zmtp.GREETING[:12], True),
    "a greeting and no more": (zmtp.GREETING, True),
}


def begin(endpoint, data):
    peer = zmtp.connect(endpoint)
    try:
        peer.sendall(data)
    except OSError:
        pass  # ended before it was through
    return peer


def test_nonsense_is_ended_and_disturbs_nobody(pipe):
    till = Till(pipe, "store-1")
    till.sell(10)
    peers = {(name, port): begin(endpoint, data) for name, (data, _) in BEGINNINGS.items()
             for port, (endpoint, _, _) in ports(pipe).items()}
    till.sell(10)
    for (name, port), peer in peers.items():
        if BEGINNINGS[name][1]:
            assert zmtp.is_closed(peer), f"{name} at {port}"
        peer.close()
    for program in programs(pipe):
        assert anonymous_mib(program) < 200
    assert sum(program.metric("till_peers_cut_total") for program in programs(pipe)) == 0, "libzmq does it alone"
    till.sell(10)
    pipe.wait_settled()
    assert counted(pipe) == till.told
    assert_books_add_up(pipe)


def counted(pipe):
    return sum(row["order_count"] for row in pipe.client.scan("stores"))


def test_the_ports_for_health_bear_it_too(pipe):
    for program in programs(pipe):
        host, port = program.ready["http"].rsplit(":", 1)
        endless = socket.create_connection((host, int(port)), timeout=2)  # when nobody reads on, it has sent enough
        try:
            for _ in range(1000):
                endless.sendall(b"GET /metrics HTTP/1.1\r\nX-Long: " + b"x" * 65536)
        except OSError:
            pass
        crowd = [socket.create_connection((host, int(port)), timeout=60) for _ in range(300)]
        for peer in crowd:
            peer.close()
        wait_until(lambda program=program: program.metrics(), f"{program.name} to answer")
        assert anonymous_mib(program) < 200
        endless.close()
