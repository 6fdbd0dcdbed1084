"""Random faults of the network, from a seed, on a whole pipeline: edges that know two bridges, a real Kafka, an aggregator,
a relay on every link. While links break, tills sell; after each round all is mended and what tills were told must be
counted, to the cent, and the books must add up.

A cut is a connection that was ended, at any byte. A partition is a link over which nothing passes, in one direction or both,
until the edge has left it. A failover is a session of an edge with another bridge than before, as edges count them.
"""
import random
import tempfile
import time
from pathlib import Path

from harness import DEADLINE, Broker, Pipeline, free_port, wait_until
from ledger import add_figures
from relay import Relay, add_listeners
from tills import Till, assert_told_is_counted

EDGES, BRIDGES = 10, 2
SALES = 10  # a frame
CUTS_A_ROUND, KILLS_A_ROUND = 25, 4


class Rig:
    """The pipeline and its links: links[edge][bridge], and one for each program that talks to Kafka."""

    def __init__(self, folder, seed):
        self.chance = random.Random(seed)
        self.kafka = Broker(folder / "kafka")
        self.kafka_links = [Relay(("127.0.0.1", free_port())) for _ in range(BRIDGES + 1)]
        add_listeners(self.kafka, [(*link.target, link.address) for link in self.kafka_links])
        self.pipe = Pipeline(folder, self.kafka.bootstrap, "", edges=(), bridges=0)
        for number in range(BRIDGES):
            bridge = self.pipe.start_bridge(number, bootstrap=self.kafka_links[number].address)
            wait_until(lambda bridge=bridge: bridge.metric("till_bridge_kafka_connected") == 1, "a bridge with Kafka")
        self.pipe.start_aggregator(bootstrap=self.kafka_links[-1].address)
        ports = [int(bridge.ready["listen"][0].rsplit(":", 1)[1]) for bridge in self.pipe.bridges]
        self.links, self.tills = {}, []
        for number in range(EDGES):
            self.add_edge(f"store-{number}", ports)

    def add_edge(self, name, ports):
        self.links[name] = [Relay(("127.0.0.1", port)) for port in ports]
        self.pipe.start_edge(name, bridges=",".join(f"tcp://{link.address}" for link in self.links[name]))
        self.tills.append(Till(self.pipe, name))

    def all_links(self):
        return [*self.kafka_links, *(link for links in self.links.values() for link in links)]

    def sell(self):
        for till in self.tills:
            till.sell(SALES, 2 * DEADLINE)

    def is_connected(self, till):
        return till.program.metric("till_edge_bridge_connected") == 1

    def wait_connected(self):
        for till in self.tills:
            wait_until(lambda till=till: self.is_connected(till), f"a session of {till.edge}", 2 * DEADLINE)

    def failovers(self):
        return sum(int(till.program.metric("till_edge_bridge_failovers_total")) for till in self.tills)

    def told(self):
        return sum(till.told for till in self.tills)

    def cuts(self):
        return sum(link.cuts for link in self.all_links())

    def mend(self):
        for link in self.all_links():
            link.mend()

    def settle(self):
        self.mend()
        assert_told_is_counted(self.pipe, self.tills, 6 * DEADLINE)
        parts = sum(self.pipe.books(part) for part in ("counted", "rejected", "duplicates", "foreign", "unreadable"))
        assert self.pipe.books("read") == parts
        assert self.pipe.aggregator.metric("till_aggregator_self_check_failures_total") == 0

    def stop(self):
        for till in self.tills:
            till.close()
        self.pipe.stop()
        for link in self.all_links():
            link.close()
        self.kafka.down()


def watch_moves(rig, tills, before):
    """Until each of these edges has a session with another bridge; how many, how many within 5 s, and the slowest.
    Times are what polling sees, so a little more than they are."""
    began, took = time.monotonic(), {}

    def all_moved():
        for till in tills:
            if till.edge not in took and moves(till) > before[till.edge]:
                took[till.edge] = time.monotonic() - began
        return len(took) == len(tills)
    wait_until(all_moved, f"{len(tills)} edges to move; {sorted(took)} did", 2 * DEADLINE)
    return {"moves": len(took), "moves_within_5_s": sum(each <= 5 for each in took.values()),
            "move_s_max": round(max(took.values(), default=0), 2)}


def moves(till):
    return till.program.metric("till_edge_bridge_failovers_total")


def cut_links(rig):
    """Connections end, at any byte, as fast as they come back; those to Kafka too."""
    for _ in range(CUTS_A_ROUND):
        link = rig.chance.choice(rig.all_links())
        flow = rig.chance.choice([link.there, link.back])
        getattr(flow, rig.chance.choice(["cut_inside", "cut_inside", "double"]))()
        for link in rig.chance.sample(rig.all_links(), len(rig.all_links()) // 2):
            link.break_off()
        rig.sell()
    return {}


def part_links(rig):
    """Every edge loses the link that it uses: both ways or one, noticed or half-open; so it moves."""
    rig.wait_connected()
    parted, before = [], {till.edge: moves(till) for till in rig.tills}
    for till in rig.tills:
        used = [link for link in rig.links[till.edge] if link.sockets]
        if len(used) == 1:
            rig.chance.choice([used[0].cut, used[0].freeze, used[0].there.freeze, used[0].back.freeze])()
            parted.append(till)
    rig.sell()
    return {"partitions": len(parted), **watch_moves(rig, parted, before)}


def part_kafka(rig):
    """Nothing passes between a bridge, or the aggregator, and Kafka, while edges sell."""
    links = rig.chance.sample(rig.kafka_links, 2)
    for link in links:
        rig.chance.choice([link.cut, link.freeze, link.there.freeze, link.back.freeze])()
    for _ in range(5):
        rig.sell()
    return {"partitions": len(links)}


def kill_bridges(rig):
    """Alternate kills, the one after the other's edges are back."""
    figures = {"kills": 0}
    for kill in range(KILLS_A_ROUND):
        rig.wait_connected()
        bridge = rig.pipe.bridges[kill % BRIDGES]
        before = {till.edge: moves(till) for till in rig.tills}
        on_it = [till for till in rig.tills if rig.links[till.edge][kill % BRIDGES].sockets]
        bridge.kill()
        rig.sell()
        add_figures(figures, {"kills": 1, **watch_moves(rig, on_it, before)})
        bridge.start()
        wait_until(lambda bridge=bridge: bridge.metric("till_bridge_kafka_connected") == 1, "a bridge with Kafka")
    return figures


ROUNDS = [*[cut_links] * 5, *[part_links] * 2, part_kafka, kill_bridges]


def play(rig, number):
    do = rig.chance.choice(ROUNDS)
    cuts, failovers, told = rig.cuts(), rig.failovers(), rig.told()
    try:
        figures = do(rig)
        rig.settle()
    except AssertionError as error:
        raise AssertionError(f"round {number} ({do.__name__}): {error}") from error
    return {"rounds": 1, **figures, "cuts": rig.cuts() - cuts, "failovers": rig.failovers() - failovers,
            "sales": rig.told() - told}


def rounds(seed, deadline):
    with tempfile.TemporaryDirectory(prefix="till-net-") as folder:
        rig = Rig(Path(folder), seed)
        try:
            number = 0
            while time.monotonic() < deadline:
                number += 1
                yield play(rig, number)
        except AssertionError as error:
            raise AssertionError(f"{error}\nreplay: bench/long net --seed {seed}") from error
        finally:
            rig.stop()
