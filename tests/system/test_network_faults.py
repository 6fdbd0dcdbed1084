"""The network between edge and bridge, bridge and Kafka, Kafka and aggregator: cut, frozen, one-way, thin, lossy, and with
bytes that come twice. While it is broken tills go on selling and are told ok. Afterwards all catches up without a
person's hand, and what tills were told is counted, to the cent. Each fault has a link and an edge of its own, all at once."""
import contextlib
import os
import signal
from decimal import Decimal

import pytest
from harness import DEADLINE, Broker, Pipeline, free_port, wait_until
from keys import Keys
from netns import Namespace, why_not
from relay import Relay, add_listeners
from test_kill import assert_books_add_up
from tills import Till, assert_told_is_counted

pytestmark = pytest.mark.plain_only
SALES = 40  # a frame: its BATCH is large enough to be cut in its middle
MANY_SALES, RECORDS_SIZE = 2000, 8192  # a frame; a chunk of Kafka's answers this large is records, which bear a checksum, not their head


class Fault:
    """What is done to a link (a Relay or a Namespace), and how it shows before it is mended."""

    def __init__(self, do, shows):
        self.do, self.shows = do, shows


class Broken:
    """A fault, its link, and the till that sells by way of it."""

    def __init__(self, name, fault, link, till):
        self.name, self.fault, self.link, self.till = name, fault, link, till
        self.acked_before, self.sold_since, self.has_shown = 0, 0, False

    def metric(self, name):
        return self.till.program.metric(name)

    def do(self):
        self.acked_before = self.metric("till_edge_batches_acked_total")
        self.fault.do(self.link)

    def sell_until_shown(self):
        if not self.has_shown:
            self.till.sell(SALES)
            self.sold_since += 1
            self.has_shown = self.fault.shows(self)
        return self.has_shown


def is_apart(broken):
    return broken.metric("till_edge_bridge_connected") == 0


def stands_still(broken):
    return broken.sold_since >= 5 and broken.metric("till_edge_unacked_batches") > 0


def flows(broken):
    return broken.metric("till_edge_batches_acked_total") >= broken.acked_before + 2


def trick(direction, what, done, times):
    def flow(link):
        return getattr(link, direction)
    return Fault(lambda link: getattr(flow(link), what)(times), lambda broken: getattr(flow(broken.link), done) >= times)


def slow(direction, name, value):
    return Fault(lambda link: setattr(getattr(link, direction), name, value), flows)


RELAYED = {
    "a partition": Fault(Relay.cut, is_apart),
    "a half-open link": Fault(Relay.freeze, is_apart),
    "nothing passes to the bridge": Fault(lambda link: link.there.freeze(), is_apart),
    "nothing passes from the bridge": Fault(lambda link: link.back.freeze(), is_apart),
    "batches are cut in their middle": trick("there", "cut_inside", "cut", 3),
    "answers are cut in their middle": trick("back", "cut_inside", "cut", 2),
    "batches come twice": trick("there", "double", "doubled", 2),
    "answers come twice": trick("back", "double", "doubled", 2),
    "stalls of two seconds": slow("there", "delay_s", 2.0),
    "answers two seconds late": slow("back", "delay_s", 2.0),
    "byte by byte": slow("there", "chunk_size", 1),
    "20 kB a second": slow("there", "bytes_per_s", 20000),
}
CABLED = {
    "nothing reaches the other host": Fault(Namespace.drop_outgoing, is_apart),
    "nothing comes from the other host": Fault(Namespace.drop_incoming, is_apart),
    "a third of all packets is lost": Fault(lambda host: host.lose(30), lambda broken: flows(broken) and broken.link.lost() > 5),
    "the cable is out": Fault(Namespace.unplug, is_apart),
    "no route": Fault(Namespace.blackhole, is_apart),
}
# Between a bridge and Kafka. What Kafka answers is cut, delayed and kept back, not damaged: its answers bear no checksum.
KAFKA_RELAYED = {
    "a partition": Fault(Relay.cut, stands_still),
    "a half-open link": Fault(Relay.freeze, stands_still),
    "nothing passes to Kafka": Fault(lambda link: link.there.freeze(), stands_still),
    "nothing passes from Kafka": Fault(lambda link: link.back.freeze(), stands_still),
    "requests are cut in their middle": trick("there", "cut_inside", "cut", 3),
    "answers are cut in their middle": trick("back", "cut_inside", "cut", 3),
    "requests come twice": trick("there", "double", "doubled", 2),
    "requests have a bit turned": trick("there", "flip", "flipped", 2),
    "stalls of two seconds": slow("there", "delay_s", 2.0),
    "20 kB a second": slow("there", "bytes_per_s", 20000),
}
KAFKA_CABLED = {
    "nothing reaches Kafka's host": Fault(Namespace.drop_outgoing, stands_still),
    "nothing comes from Kafka's host": Fault(Namespace.drop_incoming, stands_still),
    "a fifth of all packets is lost": Fault(lambda host: host.lose(20), lambda broken: flows(broken) and broken.link.lost() > 5),
}
# Between Kafka and the aggregator, one after the other.
READING = {
    "a partition": Relay.cut,
    "a half-open link": Relay.freeze,
    "nothing passes to Kafka": lambda link: link.there.freeze(),
    "nothing passes from Kafka": lambda link: link.back.freeze(),
}


def break_and_mend(pipe, broken):
    for each in broken:
        each.till.sell(SALES)
    pipe.wait_drained()
    for each in broken:
        each.do()
    wait_until(lambda: not (hidden := [each.name for each in broken if not each.sell_until_shown()]) or print(hidden),
               "every fault to show (see what is printed)", 4 * DEADLINE, every=0.2)
    for each in broken:
        each.link.mend()


class Outcome:
    """What came of it, fault by fault."""

    def __init__(self, pipe, broken):
        self.pipe = pipe
        self.broken = {each.name: each for each in broken}
        self.counted = {row["edge"]: (row["order_count"], Decimal(row["total_revenue"]))
                        for row in pipe.client.scan("stores")}

    def assert_told_is_counted(self, name):
        if name not in self.broken:
            pytest.skip(why_not())
        till = self.broken[name].till
        assert self.counted[till.edge] == (till.told, till.revenue), till.program.log_tail()

    def assert_books_add_up(self):
        assert self.pipe.client.scan("dead_letters") == [] and self.pipe.books("rejected") == 0
        assert_books_add_up(self.pipe)


@pytest.fixture(scope="module")
def namespaces():
    """As many as either half of this file needs, or none."""
    made = [] if why_not() else [Namespace() for _ in range(max(len(CABLED), len(KAFKA_CABLED)))]
    yield made
    for each in made:
        each.remove()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("network")


def relayed_edges(pipe):
    port = int(pipe.bridges[0].ready["listen"][0].rsplit(":", 1)[1])
    for name, fault in RELAYED.items():
        relay = Relay(("127.0.0.1", port))
        pipe.start_edge(name, bridges=f"tcp://{relay.address}")
        yield Broken(name, fault, relay, Till(pipe, name))


def cabled_edges(pipe, namespaces):
    port = pipe.bridges[0].ready["listen"][0].rsplit(":", 1)[1]
    for (name, fault), host in zip(CABLED.items(), namespaces, strict=False):
        pipe.start_edge(name, bridges=f"tcp://{host.there}:{port}", host=host.here, wrap=host.wrap)
        yield Broken(name, fault, host, Till(pipe, name))


@pytest.fixture(scope="module")
def edge_links(broker, folder, namespaces):
    insecure = ["security.insecure=yes"]
    pipe = Pipeline(folder, broker.bootstrap, f"net{os.getpid()}-", edges=(), bridges=0,
                    options={"till-edge": insecure, "till-bridge": insecure})
    broken = []
    try:
        pipe.start_bridge(host="0.0.0.0")
        pipe.start_aggregator()
        broken += [*relayed_edges(pipe), *cabled_edges(pipe, namespaces)]
        break_and_mend(pipe, broken)
        pipe.wait_settled(3 * DEADLINE)
        yield Outcome(pipe, broken)
    finally:
        for each in broken:
            each.link.mend()
            each.till.close()
        pipe.stop()
        for each in broken:
            if isinstance(each.link, Relay):
                each.link.close()


@pytest.mark.parametrize("name", [*RELAYED, *CABLED])
def test_between_edge_and_bridge(edge_links, name):
    edge_links.assert_told_is_counted(name)


def test_the_books_add_up_after_the_faults_between_edge_and_bridge(edge_links):
    edge_links.assert_books_add_up()


def test_with_keys_a_turned_bit_costs_a_connection_and_no_cent(pipeline, tmp_path):
    """Without keys only TCP's checksum stands between a broken router and a price."""
    keys = Keys(tmp_path)
    keys.make("bridge")
    keys.make("store-1", "--edges", "store-1")
    pipe = pipeline(edges=(), options={
        "till-bridge": [f"security.key_file={keys.secret('bridge')}",
                        f"security.authorized={keys.directory('bridge', 'store-1')}"],
        "till-edge": [f"security.key_file={keys.secret('store-1')}", f"security.bridge_keys={keys.public('bridge')}"]})
    pipe.start_aggregator()
    link = Relay(("127.0.0.1", port_of(pipe.bridges[0].ready["listen"][0])))
    edge = pipe.start_edge("store-1", bridges=f"tcp://{link.address}")
    till = Till(pipe, "store-1")
    for flow, times in ((link.there, 5), (link.back, 3)):
        wait_until(lambda: edge.metric("till_edge_bridge_connected") == 1, "a session")
        flow.flip(times)

        def sell_and_look(flow=flow, times=times):
            till.sell(SALES)
            return flow.flipped >= times
        wait_until(sell_and_look, "bits turned", every=0.1)
    assert_told_is_counted(pipe, [till])
    assert edge.metric("till_edge_sessions_total") >= 3, "what has a turned bit ends the connection"
    link.close()


def port_of(address):
    return int(address.rsplit(":", 1)[1])


@pytest.fixture(scope="module")
def kafka(folder, namespaces):
    """(a broker, its relays for bridges, the addresses that namespaces know it by, a relay for an aggregator)"""
    broker = Broker(folder / "kafka")
    relays = [Relay(("127.0.0.1", free_port())) for _ in [*KAFKA_RELAYED, "the aggregator's"]]
    cabled = [f"{host.there}:{free_port()}" for host in namespaces[:len(KAFKA_CABLED)]]
    try:
        add_listeners(broker, [(*relay.target, relay.address) for relay in relays] +
                      [(address.split(":")[0], port_of(address), address) for address in cabled])
        yield broker, relays[:-1], cabled, relays[-1]
    finally:
        for relay in relays:
            relay.close()
        broker.down()


def bridge_and_edge(pipe, name, fault, link, bridge):
    """`bridge`: how it is started. Its only edge comes to it directly."""
    started = pipe.start_bridge(len(pipe.bridges), **bridge)
    wait_until(lambda: started.metric("till_bridge_kafka_connected") == 1, f"the bridge of {name} with Kafka")
    pipe.start_edge(name, bridges=started.ready["listen"][0])
    return Broken(name, fault, link, Till(pipe, name))


@pytest.fixture(scope="module")
def kafka_links(kafka, folder, namespaces):
    broker, relays, cabled, reading = kafka
    (folder / "bridges").mkdir()
    pipe = Pipeline(folder / "bridges", broker.bootstrap, "", edges=(), bridges=0,
                    options={"till-edge": ["security.insecure=yes"], "till-bridge": ["security.insecure=yes"]})
    broken = []
    try:
        for (name, fault), relay in zip(KAFKA_RELAYED.items(), relays, strict=True):
            broken.append(bridge_and_edge(pipe, name, fault, relay, {"bootstrap": relay.address}))
        for (name, fault), host, address in zip(KAFKA_CABLED.items(), namespaces, cabled, strict=False):
            broken.append(bridge_and_edge(pipe, name, fault, host,
                                          {"bootstrap": address, "host": host.here, "wrap": host.wrap}))
        pipe.start_aggregator(bootstrap=reading.address)
        break_and_mend(pipe, broken)
        pipe.wait_settled(3 * DEADLINE)
        yield Outcome(pipe, broken)
    finally:
        for each in broken:
            each.link.mend()
            each.till.close()
        pipe.stop()


@pytest.mark.parametrize("name", [*KAFKA_RELAYED, *KAFKA_CABLED])
def test_between_bridge_and_kafka(kafka_links, name):
    kafka_links.assert_told_is_counted(name)


def test_the_books_add_up_after_the_faults_between_bridge_and_kafka(kafka_links):
    kafka_links.assert_books_add_up()


def counted(pipe):
    return sum(row["order_count"] for row in pipe.client.scan("products"))


def start_again(aggregator):
    """As its unit does: Kafka's answers bear no checksum, and librdkafka ends the program where a length in one is damaged."""
    if not aggregator.running():
        assert aggregator.process.returncode == -signal.SIGABRT and "rdbuf.c" in aggregator.log_tail(3), aggregator.log_tail()
        aggregator.start()


def test_between_kafka_and_the_aggregator(kafka_links, kafka):
    pipe, link = kafka_links.pipe, kafka[3]
    till = next(iter(kafka_links.broken.values())).till
    for name, do in READING.items():
        before = counted(pipe)
        do(link)
        for _ in range(2):  # a request for records that Kafka already has may still be answered, one
            till.sell(SALES)
            pipe.wait_drained()
        assert counted(pipe) < before + 2 * SALES, f"{name}: answered from what is there"
        link.mend()
        wait_until(lambda before=before: counted(pipe) == before + 2 * SALES, f"what came during {name}", 3 * DEADLINE)
    for name, what, size in (("cut_inside", "cut", {}), ("flip", "flipped", {"size_min": RECORDS_SIZE}), ("double", "doubled", {})):
        getattr(link.back, name)(2, **size)

        def sell_and_look(what=what):
            start_again(pipe.aggregator)
            till.sell(MANY_SALES)
            return getattr(link.back, what) >= 2
        wait_until(sell_and_look, f"records {what}", 4 * DEADLINE, every=0.2)

    def all_is_counted():
        start_again(pipe.aggregator)
        with contextlib.suppress(TimeoutError):
            return counted(pipe) == sum(each.till.told for each in kafka_links.broken.values())
    # A flipped bit in the head of an answer may cost librdkafka a minute: it waits for the answer that it then does not know.
    wait_until(all_is_counted, "all that tills were told", 4 * DEADLINE, every=0.2)
    pipe.wait_settled()
    counts = {row["edge"]: (row["order_count"], Decimal(row["total_revenue"])) for row in pipe.client.scan("stores")}
    assert counts[till.edge] == (till.told, till.revenue)
    kafka_links.assert_books_add_up()
