"""A Kafka of three nodes that are killed, frozen, full, slow, short of copies, or that refuse: what is promised holds, and all recovers by
itself. One that promised more than it kept is found out."""
import os
import random
import shutil
import subprocess

import pytest
from broker_faults import Faults, Tills, assert_equals_ledger, rebuilt_dump
from harness import DEADLINE, Sender, program, sum_metric, wait_until
from test_kill import assert_books_add_up

from test_topic_surgery import assert_refused_until_accepted, count_of, send

pytestmark = pytest.mark.plain_only
VIEW = {"kind": "view", "page": "/tea"}


@pytest.fixture
def pipe(pipeline, cluster, tmp_path):
    """Comes to the brokers as somebody whom rules concern."""
    bootstrap, options = cluster.as_user(tmp_path)
    made = pipeline(bootstrap=bootstrap, bridges=2, options={"till-bridge": options, "till-aggregator": options})
    made.start_aggregator()
    made.bootstrap = cluster.bootstrap  # for who only looks
    made.wait_applied()
    return made


def waits(pipe, lane, why):
    """Some bridge says so of the lane."""
    return any(line.startswith(f"{lane} waits") and why in line for bridge in pipe.bridges
               for line in bridge.http("/readyz")[1].splitlines())


def spooled(pipe, lane):
    return sum_metric(pipe.edges["store-1"].metrics(), "till_edge_spool_events", lane=lane)


def dump(pipe):
    return subprocess.run([program("till-aggregator"), *pipe.aggregator.args, "--dump"], capture_output=True, text=True,
                          timeout=DEADLINE, check=True).stdout


def test_rounds_of_broker_faults_leave_totals_log_and_ledger_equal(pipe, cluster):
    """A sample of bench/long broker."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    tills, faults = Tills(pipe, seed), Faults(cluster, pipe, random.Random(seed))
    with tills:
        for name in ("kill_leader", "freeze_leader", "deny_write", "too_few_in_sync", "move_leaders"):
            faults.do(name)
        faults.wait_started()
    log = assert_equals_ledger(pipe, tills, cluster)
    print(f"{faults.done}: {log['events']} events, {log['duplicates']} duplicates")
    assert_books_add_up(pipe)
    before, after = rebuilt_dump(pipe, lambda: dump(pipe))
    assert before == after


def test_nothing_is_acknowledged_that_too_few_brokers_have(pipe, cluster):
    topic = f"{pipe.prefix}orders"
    send(pipe, 0, 20)
    pipe.wait_settled()
    cluster.admin.configure(topic=topic, **{"min.insync.replicas": "3"})
    cluster.kill(3)
    wait_until(lambda: any(len(in_sync) < 3 for _, in_sync in cluster.admin.leaders(prefix=topic).get(topic, ())), "a copy less", 60)
    send(pipe, 20, 30)
    assert Sender(pipe.endpoint("store-1")).ask([VIEW] * 5)["ok"]
    wait_until(lambda: spooled(pipe, "view") == 0, "the other lanes to flow")
    wait_until(lambda: waits(pipe, "order", ""), "a word about orders")
    assert spooled(pipe, "order") == 30
    assert count_of(pipe) == 20, "what is in too few logs is nobody's to read"
    cluster.start(3)
    pipe.wait_settled(180)
    assert count_of(pipe) == 50
    assert_books_add_up(pipe)


def views_flow(pipe):
    assert Sender(pipe.endpoint("store-1")).ask([VIEW] * 5)["ok"]
    wait_until(lambda: sum_metric(pipe.aggregator.metrics(), "till_aggregator_counted_total", kind="view") == 5, "views counted")


def assert_goes_on(pipe, cluster, count):
    cluster.admin.allow(topic=f"{pipe.prefix}orders")
    wait_until(lambda: count_of(pipe) == count, "all counted", 120)
    wait_until(lambda: pipe.aggregator.http("/readyz") == (200, "ok\n"), "all well")
    assert_books_add_up(pipe)


def test_a_right_to_write_that_is_revoked_stops_its_topic_alone_and_comes_back(pipe, cluster):
    send(pipe, 0, 20)
    pipe.wait_settled()
    cluster.admin.deny(topic=f"{pipe.prefix}orders", operation="WRITE")
    sent = 20

    def is_refused():  # brokers hear of the rule one after the other
        nonlocal sent
        send(pipe, sent, 1)
        sent += 1
        return waits(pipe, "order", "TOPIC_AUTHORIZATION_FAILED")
    wait_until(is_refused, "a word of the bridge", every=0.2)
    send(pipe, sent, 30)
    views_flow(pipe)
    assert spooled(pipe, "order") >= 30
    assert_goes_on(pipe, cluster, sent + 30)


def test_a_right_to_read_that_is_revoked_stops_its_topic_alone_and_comes_back(pipe, cluster):
    topic = f"{pipe.prefix}orders"
    send(pipe, 0, 20)
    pipe.wait_settled()
    cluster.admin.deny(topic=topic, operation="READ")
    place = next(part for part, end in cluster.admin.ends(topics=[topic])[topic].items() if end > 0)
    wait_until(lambda: f"{topic}/{place} is not read: Broker: Topic authorization failed" in pipe.aggregator.http("/readyz")[1],
               "a word of the aggregator")
    send(pipe, 20, 30)
    views_flow(pipe)
    assert count_of(pipe) == 20
    assert_goes_on(pipe, cluster, 50)


def test_an_acknowledged_record_that_brokers_lost_is_never_passed_over(pipeline, cluster):
    """A leader that lacks what the one before had confirmed: what an operator allows with unclean elections, or a power failure makes."""
    pipe = pipeline(bootstrap=cluster.bootstrap, partitions=1, edges=(), bridges=0)
    topic = f"{pipe.prefix}orders"
    cluster.admin.create(topic=topic, assignment=[[1, 2]], settings={
        "min.insync.replicas": "1", "unclean.leader.election.enable": "true", "message.timestamp.type": "LogAppendTime"})
    pipe.start_bridge()
    pipe.start_edge("store-1")
    pipe.start_aggregator()
    send(pipe, 0, 20)
    pipe.wait_settled()
    cluster.kill(2)
    wait_until(lambda: cluster.admin.leaders(prefix=topic)[topic] == [[1, [1]]], "node 1 alone to have it", 60)
    send(pipe, 20, 30)
    pipe.wait_settled()
    assert count_of(pipe) == 50
    pipe.aggregator.stop()
    cluster.kill(1)
    cluster.start(2)
    wait_until(lambda: cluster.admin.leaders(prefix=topic).get(topic, [[0]])[0][0] == 2, "node 2 to lead, with 20 records", 60)
    send(pipe, 50, 60)
    pipe.wait_drained()
    pipe.aggregator.start(wait_ready=False)
    assert_refused_until_accepted(pipe, f"topic:{topic} re-created")
    assert count_of(pipe) == 110, "what was counted stays, also what Kafka has lost"
    assert cluster.admin.scan(topic=topic)["events"] == 80
    assert_books_add_up(pipe)
    cluster.start(1)


def test_a_broker_that_is_told_to_be_slow_delays_and_fails_nothing(pipe, cluster):
    """A quota of Kafka: it answers late."""
    send(pipe, 0, 20)
    pipe.wait_settled()
    quota = ("kafka.admin.ConfigCommand", "--bootstrap-server", cluster.bootstrap, "--alter", "--entity-type", "users",
             "--entity-name", "till")
    cluster.tool(*quota, "--add-config", "producer_byte_rate=10000", deadline=120)
    try:
        for first in range(20, 520, 100):
            send(pipe, first, 100, note="x" * 300)
            pipe.wait_drained(180)  # each is a request of its own: the quota holds up the one after those that were too many
        pipe.wait_settled(180)
        assert count_of(pipe) == 520
        values = [bridge.metrics() for bridge in pipe.bridges]
        assert sum(sum_metric(each, "till_bridge_records_failed_total") for each in values) == 0
        slow = sum(sum_metric(each, "till_bridge_delivery_seconds_count") -
                   sum_metric(each, "till_bridge_delivery_seconds_bucket", le="1") for each in values)
        assert slow > 0, "the quota has slowed nothing down"
    finally:
        cluster.tool(*quota, "--delete-config", "producer_byte_rate", deadline=120)
    assert_books_add_up(pipe)


@pytest.fixture
def small_disk(cluster):
    """Node 3 with a disk of its own, which can be filled: fill(), and free()."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    data = cluster.folder / "node-3" / "data"
    kept = data.with_name("data-kept")
    cluster.run("stop", "--node", 3, "--dir", cluster.folder)
    data.rename(kept)
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", data], check=True)
    shutil.copytree(kept, data, dirs_exist_ok=True)
    cluster.start(3)
    cluster.heal()
    yield data / "filler"
    (data / "filler").unlink(missing_ok=True)
    cluster.run("stop", "--node", 3, "--dir", cluster.folder)
    shutil.rmtree(kept)
    shutil.copytree(data, kept)
    subprocess.run(["umount", data], check=True)
    data.rmdir()
    kept.rename(data)
    cluster.start(3)


def fill(filler):
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            pass
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            pass


def test_a_broker_whose_disk_is_full_ends_and_the_others_go_on(pipe, cluster, small_disk):
    send(pipe, 0, 20)
    pipe.wait_settled()
    fill(small_disk)
    sent = 20
    while cluster.is_alive(3) and sent < 20000:
        send(pipe, sent, 200, note="x" * 500)
        sent += 200
    wait_until(lambda: not cluster.is_alive(3), "the broker to give up")
    send(pipe, sent, 20)
    pipe.wait_settled(180)
    assert count_of(pipe) == sent + 20
    small_disk.unlink()
    cluster.start(3)
    cluster.heal(pipe.prefix)
    send(pipe, sent + 20, 20)
    pipe.wait_settled()
    assert count_of(pipe) == sent + 40
    assert cluster.admin.scan(topic=f"{pipe.prefix}orders")["events"] == sent + 40
    assert_books_add_up(pipe)


def test_a_bridge_that_is_started_at_another_cluster_gets_nothing(pipeline, cluster):
    pipe = pipeline()
    edge, port = pipe.edges["store-1"], pipe.bridges[0].ready["listen"][0].rsplit(":", 1)[1]
    send(pipe, 0, 20)
    pipe.wait_drained()
    pipe.bridges[0].stop()
    pipe.bootstrap, home = cluster.bootstrap, pipe.bootstrap
    other = pipe.start_bridge(1, port)
    send(pipe, 20, 30)
    wait_until(lambda: "another Kafka" in edge.http("/readyz")[1], "a word about the other cluster")
    assert edge.metric("till_edge_spool_events") == 30 and other.metric("till_bridge_batches_received_total") == 0
    other.stop()
    pipe.bootstrap = home
    pipe.start_bridge(2, port)
    pipe.wait_drained()
