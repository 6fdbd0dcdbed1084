"""Kafka away, slow, frozen, or refusing one topic: the edge keeps accepting, nothing is lost, all catches up."""
import re
import secrets
import shutil
import signal
import subprocess

import pytest
from harness import BUILD, DEADLINE, Broker, Sender, free_port, sum_metric, wait_until
from relay import relay_to
from test_aggregator_faults import dump
from test_kill import assert_books_add_up
from test_spine import order
from tills import Till, assert_told_is_counted


@pytest.fixture
def own_broker(tmp_path):
    kafka = Broker(tmp_path / "kafka")
    yield kafka
    for node in range(1, kafka.nodes + 1):
        try:
            kafka.signal(signal.SIGCONT, node)
        except (OSError, ValueError):
            pass
    kafka.down()


@pytest.fixture
def relay(own_broker):
    made = relay_to(own_broker)
    yield made
    made.close()


def send_many(pipe, first, count, edge="store-1"):
    sender = Sender(pipe.endpoint(edge))
    for number in range(first, first + count):
        assert sender.ask([order(number)])["ok"]
    sender.close()


def assert_counted(pipe, count):
    pipe.wait_settled(180)
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == count
    assert_books_add_up(pipe)


def test_a_broker_that_is_down_at_start(pipeline, own_broker):
    own_broker.kill()
    pipe = pipeline(bootstrap=own_broker.bootstrap)
    pipe.start_aggregator()
    send_many(pipe, 0, 50)
    assert "waiting for Kafka" in pipe.bridges[0].http("/readyz")[1]
    assert pipe.client.ask("status")["as_of"]["lag"] is None, "an unreachable Kafka has no known lag"
    own_broker.start()
    assert_counted(pipe, 50)


def test_a_broker_that_goes_away_and_comes_back(pipeline, own_broker):
    pipe = pipeline(bootstrap=own_broker.bootstrap)
    pipe.start_aggregator()
    send_many(pipe, 0, 50)
    pipe.wait_settled()
    own_broker.kill()
    send_many(pipe, 50, 200)
    edge = pipe.edges["store-1"]
    wait_until(lambda: edge.metric("till_edge_spool_events") >= 150, "a backlog on the edge's disk")
    status, text = edge.http("/readyz")
    assert status == 200, text
    wait_until(lambda: "waiting for Kafka" in pipe.bridges[0].http("/readyz")[1], "the bridge says what it waits for")
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] >= 50
    own_broker.start()
    assert_counted(pipe, 250)


def test_a_frozen_broker(pipeline, own_broker):
    pipe = pipeline(bootstrap=own_broker.bootstrap)
    pipe.start_aggregator()
    send_many(pipe, 0, 50)
    pipe.wait_settled()
    own_broker.signal(signal.SIGSTOP)
    send_many(pipe, 50, 200)
    edge = pipe.edges["store-1"]
    wait_until(lambda: edge.metric("till_edge_unacked_batches") > 0, "batches without acknowledgement")
    own_broker.signal(signal.SIGCONT)
    assert_counted(pipe, 250)


def replace_cluster(kafka, topics):
    """Another cluster behind the same address, with the topics that till wants."""
    kafka.kill()
    properties = kafka.folder / "node-1" / "server.properties"
    shutil.rmtree(re.search(r"^log\.dirs=(.*)$", properties.read_text(), re.M).group(1))
    kafka.tool("kafka.tools.StorageTool", "format", "--cluster-id", f"k{secrets.token_hex(10)}", "--config", properties)
    kafka.start()
    for topic in topics:
        kafka.topics("--create", "--topic", topic, "--partitions", "4")


def test_nothing_is_acknowledged_that_another_cluster_took(pipeline, own_broker):
    pipe = pipeline(bootstrap=own_broker.bootstrap)
    edge, bridge = pipe.edges["store-1"], pipe.bridges[0]
    pipe.start_aggregator()
    send_many(pipe, 0, 20)
    pipe.wait_settled()
    own_broker.kill()
    send_many(pipe, 20, 500)
    wait_until(lambda: edge.metric("till_edge_unacked_batches") > 0, "batches without acknowledgement")
    for process in (bridge, pipe.aggregator):
        process.signal(signal.SIGSTOP)  # so that they meet the new cluster before they had time to notice
    try:
        replace_cluster(own_broker, [f"{pipe.prefix}orders", f"{pipe.prefix}orders.dlq"])
        subprocess.run([BUILD / "bench/till-load", "--brokers", own_broker.bootstrap, "--topic", f"{pipe.prefix}orders",
                        "--edge", "store-2", "--count", "20000", "--partitions", "4"], check=True, timeout=DEADLINE)
    finally:
        pipe.aggregator.signal(signal.SIGCONT)
        bridge.signal(signal.SIGCONT)
    wait_until(lambda: "another Kafka" in edge.http("/readyz")[1], "a word about the other cluster")
    assert edge.metric("till_edge_spool_events") == 500
    assert pipe.aggregator.wait() == 4, "the aggregator asks for a decision, too"
    assert re.search(r"^missing: cluster:\S+->\S+ ", pipe.aggregator.log_text(), re.M), pipe.aggregator.log_tail()
    counted = dump(pipe)
    assert "store-1" in counted and "store-2" not in counted, "nothing of the other cluster's was counted"


def test_an_edge_without_a_bridge_buffers_and_says_so(pipeline):
    pipe = pipeline(bridges=0, edges=())
    edge = pipe.start_edge("store-1", bridges=f"tcp://127.0.0.1:{free_port()}")
    send_many(pipe, 0, 50)
    wait_until(lambda: "buffering, bridge unreachable since" in edge.http("/readyz")[1], "a word about the bridge")
    assert edge.http("/readyz")[0] == 200 and edge.http("/livez")[0] == 200
    assert edge.metric("till_edge_spool_events") == 50
    assert edge.stop() == 0
    assert "spool_events=50" in edge.log_text(), edge.log_tail()


def test_failover_to_the_other_bridge(pipeline):
    pipe = pipeline(bridges=2)
    pipe.start_aggregator()
    edge = pipe.edges["store-1"]
    send_many(pipe, 0, 20)
    pipe.wait_settled()
    active = next(bridge for bridge in pipe.bridges if bridge.metric("till_bridge_sessions") == 1)
    active.signal(signal.SIGSTOP)  # half-open: the connection stands, nobody is there
    try:
        send_many(pipe, 20, 20)
        wait_until(lambda: edge.metric("till_edge_bridge_failovers_total") >= 1, "a move to the other bridge")
        assert_counted(pipe, 40)
    finally:
        active.signal(signal.SIGCONT)


@pytest.mark.parametrize("break_off, mend, compress", [("cut", "restore", "no"), ("freeze", "thaw", "zstd")])
def test_an_edge_moves_to_the_bridge_that_still_reaches_kafka(pipeline, own_broker, relay, break_off, mend, compress):
    pipe = pipeline(bootstrap=relay.address, bridges=1, edges=(), options={"till-edge": [f"edge.compress={compress}"]})
    pipe.bootstrap = own_broker.bootstrap
    pipe.start_bridge(1)
    cut_off, other = pipe.bridges
    wait_until(lambda: cut_off.metric("till_bridge_kafka_connected") == 1, "a bridge that edges may come to")
    edge = pipe.start_edge("store-1")
    pipe.start_aggregator()
    send_many(pipe, 0, 20)
    pipe.wait_settled()
    assert cut_off.metric("till_bridge_sessions") == 1
    getattr(relay, break_off)()
    send_many(pipe, 20, 50)
    pipe.wait_drained()  # else never: how soon it moves is for bench/long net to say
    assert edge.metric("till_edge_bridge_failovers_total") >= 1, edge.log_tail()
    wait_until(lambda: (other.metric("till_bridge_sessions"), cut_off.metric("till_bridge_sessions")) == (1, 0), "a session with the other bridge alone")
    assert edge.metric("till_edge_bridge_compression") == (compress == "zstd"), "agreed on by the probe, too"
    send_many(pipe, 70, 30)
    pipe.wait_settled()
    # Who knows only the bridge without Kafka keeps what it has, and says why.
    wait_until(lambda: "waiting for Kafka" in cut_off.http("/readyz")[1], "the bridge says what it waits for")
    lone = pipe.start_edge("store-2", bridges=cut_off.ready["listen"][0])
    send_many(pipe, 100, 30, "store-2")
    wait_until(lambda: "the bridge is not ready since" in lone.http("/readyz")[1], "a word about the bridge")
    assert lone.http("/readyz")[0] == 200 and lone.metric("till_edge_spool_events") == 30
    getattr(relay, mend)()
    assert_counted(pipe, 130)
    wait_until(lambda: pipe.books("duplicates") > 0, "what the cut-off bridge still had, counted once")
    assert_counted(pipe, 130)


def test_one_refused_topic_never_stops_the_others(pipeline, own_broker):
    pipe = pipeline(bootstrap=own_broker.bootstrap)
    pipe.start_aggregator()
    sender = Sender(pipe.endpoint("store-1"))
    view = {"kind": "view", "page": "/tea"}
    assert sender.ask([order(1), view])["ok"]
    pipe.wait_settled()
    pipe.bridges[0].stop()
    own_broker.topics("--delete", "--topic", f"{pipe.prefix}page_views")
    pipe.options["till-bridge"] = ["bridge.create_topics=no"]
    port = pipe.bridges[0].ready["listen"][0].rsplit(":", 1)[1]
    pipe.bridges.clear()
    pipe.start_bridge(0, port)
    edge = pipe.edges["store-1"]
    assert sender.ask([view] * 10)["ok"]
    for number in range(2, 102):
        assert sender.ask([order(number)])["ok"]
    wait_until(lambda: sum_metric(edge.metrics(), "till_edge_spool_events", lane="order") == 0, "orders delivered")
    wait_until(lambda: pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 101, "101 orders")
    assert sum_metric(edge.metrics(), "till_edge_spool_events", lane="view") == 10, "views wait on the edge's disk"


def test_a_bridge_asked_for_more_partitions_than_the_topic_has(pipeline, own_broker):
    for name in ("orders", "cart_events", "page_views", "orders.dlq", "cart_events.dlq", "page_views.dlq"):
        own_broker.topics("--create", "--topic", name, "--partitions", "2", "--replication-factor", "1")
    pipe = pipeline(bootstrap=own_broker.bootstrap, partitions=4)
    pipe.prefix = ""
    pipe.bridges[0].stop()
    pipe.bridges.clear()
    bridge = pipe.start_bridge(1)
    pipe.edges["store-1"].stop()
    pipe.start_edge("store-1")
    assert Sender(pipe.endpoint("store-1")).ask([order(1)])["ok"]
    wait_until(lambda: "partitions" in bridge.http("/readyz")[1] or "partitions" in bridge.log_text(), "the reason")
    assert pipe.edges["store-1"].metric("till_edge_spool_events") == 1


def test_a_record_that_kafka_refuses_is_a_dead_letter_and_its_neighbours_count(pipeline, broker):
    pipe = pipeline()
    pipe.start_aggregator()
    send_many(pipe, 0, 1)
    pipe.wait_settled()
    broker.tool("kafka.admin.ConfigCommand", "--bootstrap-server", broker.bootstrap, "--alter", "--entity-type", "topics",
                "--entity-name", f"{pipe.prefix}orders", "--add-config", "max.message.bytes=5000")
    sender = Sender(pipe.endpoint("store-1"))
    large = {**order(1), "note": "x" * 20000}
    assert sender.ask([*[order(number) for number in range(2, 52)], large, *[order(number) for number in range(52, 101)]])["ok"]
    assert_counted(pipe, 100)
    letters = pipe.client.rows("scan", view="dead_letters")
    assert [(row["code"], row["count"]) for row in letters] == [("refused_by_kafka", 1)], letters


@pytest.mark.plain_only
def test_a_producer_that_gives_up_is_made_anew_and_nothing_is_lost(pipeline):
    """A fatal error in librdkafka's idempotent producer: what it had under way may be in the log or not."""
    pipe = pipeline()
    pipe.start_aggregator()
    bridge, till = pipe.bridges[0], Till(pipe, "store-1")
    bridge.stop()
    bridge.env["LD_PRELOAD"] = str(BUILD / "tests" / "lib" / "libfatal-preload.so")
    bridge.start()
    for times in range(1, 4):
        pipe.wait_drained()  # so there is a producer that works
        for _ in range(10):
            till.sell(100)
        bridge.signal(signal.SIGRTMAX - 7)
        till.sell(100)
        wait_until(lambda times=times: bridge.metric("till_bridge_producer_rebuilds_total") >= times, "a new producer")
    assert_told_is_counted(pipe, [till])
    assert_books_add_up(pipe)
    reports = bridge.metric("till_bridge_telemetry_delivered_total")
    pipe.edges["store-1"].restart()  # its last words, and its first
    wait_until(lambda: bridge.metric("till_bridge_telemetry_delivered_total") > reports, "edges' reports, whose producer gave up, too")
    till.close()
