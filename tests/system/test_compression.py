"""Batches on a thin link: fewer bytes where edge and bridge agree on it, and the same totals whoever knows nothing of it."""
import subprocess
import threading
from decimal import Decimal

import msgpack
import pytest
import zmq
from harness import CONTEXT, Sender, program, wait_until
from relay import Relay
from test_retail import MAPPING

HELLO, BATCH, BYE = 1, 3, 7
BAD_FRAME = 3


def orders(first, count):
    return [{"order_id": f"o-{number}", "product_id": f"p-{number % 7}", "quantity": 1, "unit_price": "2.50",
             "ts": "2010-12-01T08:26:00Z"} for number in range(first, first + count)]


def send(pipe, edge, first, count):
    sender = Sender(pipe.endpoint(edge))
    reply = sender.ask(orders(first, count))
    assert reply["ok"] and reply["accepted"] == count, reply
    sender.close()


def order_count(pipe):
    return sum(row["order_count"] for row in pipe.client.scan("products"))


@pytest.fixture
def link():
    """link(bridge): a relay to it, which counts."""
    made = []

    def make(bridge):
        host, port = bridge.ready["listen"][0].removeprefix("tcp://").split(":")
        made.append(Relay((host, int(port))))
        return made[-1]

    yield make
    for each in made:
        each.close()


def start_edge(pipe, name, bridges, compress):
    pipe.options["till-edge"] = [f"edge.compress={compress}"]
    return pipe.start_edge(name, bridges=bridges)


def test_real_sales_need_a_fraction_of_the_link_and_give_the_same_totals(pipeline, retail, link):
    csv, totals = retail
    pipe = pipeline(edges=())
    pipe.start_aggregator()
    links = {name: link(pipe.bridges[0]) for name in ("no", "zstd")}
    for name, each in links.items():
        start_edge(pipe, name, f"tcp://{each.address}", name)
    senders = [start_sender_of_all(pipe.endpoint(name), csv) for name in links]
    for sender in senders:
        out, err = sender.communicate(timeout=120)
        assert sender.returncode == 0, f"{out}{err}"
    pipe.wait_settled()
    products = {row["product_id"]: (row["order_count"], row["total_quantity"], Decimal(row["total_revenue"]))
                for row in pipe.client.scan("products")}
    assert products == {key: (2 * count, 2 * quantity, 2 * Decimal(revenue))
                        for key, (count, quantity, revenue) in totals["products"].items()}
    stores = {row["edge"]: (row["order_count"], row["total_revenue"]) for row in pipe.client.scan("stores")}
    assert stores["no"] == stores["zstd"]
    check_books_of_bytes(pipe, links)


def start_sender_of_all(endpoint, csv):
    """All countries' sales by one edge."""
    return subprocess.Popen([str(program("till")), "send", "--to", endpoint, "--csv", "--map", MAPPING, "--set",
                             "currency=GBP", "--json", str(csv)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, stdin=subprocess.DEVNULL)


def check_books_of_bytes(pipe, links):
    """What edges and bridge say that they sent and got is what the link carried, but for the frames around it."""
    edges = {name: pipe.edges[name].metrics() for name in links}
    for name, values in edges.items():
        sent = values["till_edge_sent_wire_bytes_total"]
        frames = 200 * values["till_edge_batches_sent_total"] + 100_000  # heads, heartbeats, the handshake
        assert sent <= links[name].bytes_there <= sent + frames, name
    assert edges["no"]["till_edge_batches_compressed_total"] == 0 == edges["no"]["till_edge_bridge_compression"]
    assert edges["no"]["till_edge_sent_wire_bytes_total"] == edges["no"]["till_edge_sent_event_bytes_total"]
    assert edges["zstd"]["till_edge_batches_compressed_total"] > 0 and edges["zstd"]["till_edge_bridge_compression"] == 1
    bridge = pipe.bridges[0]
    for what in ("event", "wire"):
        sent = sum(values[f"till_edge_sent_{what}_bytes_total"] for values in edges.values())
        assert bridge.metric(f"till_bridge_received_{what}_bytes_total") == sent, what
    plain, packed = links["no"].bytes_there, links["zstd"].bytes_there
    print(f"to the bridge: {plain:,} bytes plain, {packed:,} compressed: {plain / packed:.1f} to 1; back: "
          f"{links['no'].bytes_back:,} and {links['zstd'].bytes_back:,}")
    assert 2 * packed < plain


def test_an_edge_compresses_for_the_bridge_that_takes_it_and_not_for_the_other(pipeline):
    pipe = pipeline(edges=(), bridges=0)
    pipe.options["till-bridge"] = []
    knows = pipe.start_bridge(0)
    pipe.options["till-bridge"] = ["bridge.compress=no"]
    does_not = pipe.start_bridge(1)
    pipe.start_aggregator()
    edge = start_edge(pipe, "store-1", None, "zstd:9")
    send(pipe, "store-1", 0, 500)
    pipe.wait_settled()
    assert knows.metric("till_bridge_batches_compressed_total") >= 1
    knows.kill()
    wait_until(lambda: edge.metric("till_edge_bridge_failovers_total") >= 1, "the other bridge")
    send(pipe, "store-1", 500, 500)
    pipe.wait_settled()
    assert does_not.metric("till_bridge_batches_compressed_total") == 0
    assert does_not.metric("till_bridge_batches_received_total") >= 1
    assert edge.metric("till_edge_bridge_compression") == 0
    assert edge.metric("till_edge_codec_refusals_total") == 0
    assert order_count(pipe) == 1000


def test_what_was_in_flight_when_the_bridge_died_comes_again_and_is_counted_once(pipeline):
    pipe = pipeline(edges=())
    pipe.start_aggregator()
    edge = start_edge(pipe, "store-1", None, "zstd")
    bridge = pipe.bridges[0]
    for first in range(0, 5000, 100):
        send(pipe, "store-1", first, 100)
        if first % 1000 == 500:
            bridge.kill()
            bridge.start()
    pipe.wait_settled()
    assert edge.metric("till_edge_batches_compressed_total") > 0
    assert order_count(pipe) == 5000


class Meddler:
    """Between an edge and its bridge, message by message: `meddle(frame)` returns what goes on to the bridge in place of
    an edge's frame, or a BYE as a list, which goes back to the edge."""

    def __init__(self, bridge, meddle):
        self.meddle = meddle
        self.target = bridge.ready["listen"][0]
        self.edges = CONTEXT.socket(zmq.ROUTER)
        self.port = self.edges.bind_to_random_port("tcp://127.0.0.1")
        self.links = {}  # routing id of an edge's connection -> a DEALER to the bridge
        self.ending = CONTEXT.socket(zmq.PAIR)
        self.ending.bind(f"inproc://meddler-{self.port}")
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @property
    def address(self):
        return f"tcp://127.0.0.1:{self.port}"

    def link_of(self, peer):
        if peer not in self.links:
            self.links[peer] = CONTEXT.socket(zmq.DEALER)
            self.links[peer].setsockopt(zmq.LINGER, 0)
            self.links[peer].connect(self.target)
        return self.links[peer]

    def take(self, peer, frame):
        answer = self.meddle(frame)
        if isinstance(answer, list):
            self.edges.send_multipart([peer, msgpack.packb(answer)])
        else:
            self.link_of(peer).send(answer)

    def run(self):
        end = CONTEXT.socket(zmq.PAIR)
        end.connect(f"inproc://meddler-{self.port}")
        while True:
            readable = zmq.select([end, self.edges, *self.links.values()], [], [])[0]
            if end in readable:
                break
            if self.edges in readable:
                self.take(*self.edges.recv_multipart())
            for peer, each in list(self.links.items()):
                if each in readable:
                    self.edges.send_multipart([peer, each.recv()])
        for each in (end, self.edges, *self.links.values()):
            each.close(0)

    def close(self):
        self.ending.send(b"")
        self.thread.join(30)
        self.ending.close(0)


@pytest.fixture
def meddler():
    made = []

    def make(bridge, meddle):
        made.append(Meddler(bridge, meddle))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_bridge_from_before_compression_is_served_uncompressed(pipeline, meddler):
    """It counts the elements of HELLO, and refuses one too many."""
    pipe = pipeline(edges=())
    pipe.start_aggregator()
    refused = []

    def like_an_old_bridge(frame):
        if frame[:2] == bytes([0x97, HELLO]):
            refused.append(frame)
            return [BYE, 0, BAD_FRAME, "a frame is no message of version 1: its length is wrong"]
        return frame
    edge = start_edge(pipe, "store-1", meddler(pipe.bridges[0], like_an_old_bridge).address, "zstd")
    send(pipe, "store-1", 0, 300)
    pipe.wait_settled()
    assert len(refused) == 1 == edge.metric("till_edge_codec_refusals_total")
    assert edge.metric("till_edge_batches_compressed_total") == 0
    assert order_count(pipe) == 300


def test_a_codec_that_is_broken_on_the_way_stops_nothing(pipeline, meddler):
    """The bridge can't decompress what comes: it says so, and the same events come as they are."""
    pipe = pipeline(edges=())
    pipe.start_aggregator()

    def break_codec(frame):
        if frame[:2] == bytes([0x99, BATCH]):
            return frame[:-60] + bytes(4) + frame[-56:]
        return frame
    edge = start_edge(pipe, "store-1", meddler(pipe.bridges[0], break_codec).address, "zstd")
    send(pipe, "store-1", 0, 300)
    pipe.wait_settled()
    bridge = pipe.bridges[0].metrics()
    assert bridge["till_bridge_compressed_bad_total"] == bridge["till_bridge_frames_bad_total"] == 1
    assert bridge["till_bridge_batches_compressed_total"] == 0
    assert "can't be decompressed" in pipe.bridges[0].log_text()
    assert "code=bad_frame" in edge.log_text()
    assert edge.metric("till_edge_codec_refusals_total") == 1
    assert order_count(pipe) == 300
