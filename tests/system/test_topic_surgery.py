"""What may be done to a topic while till reads and writes it, or while it is down. The aggregator refuses to go on, in the words that
--accept-gap takes, or goes on and has lost nothing; never does it count wrong, which an independent reader of the log checks."""
import re
import signal
import subprocess

import pytest
from cluster import assert_totals_are_the_logs, totals_of
from harness import BUILD, DEADLINE, Client, Sender, wait_until
from test_kill import assert_books_add_up
from test_spine import order

pytestmark = pytest.mark.plain_only


@pytest.fixture
def pipe(pipeline):
    made = pipeline(partitions=1)
    made.start_aggregator()
    return made


def send(pipe, first, count, **more):
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask([order(number, **more) for number in range(first, first + count)])["ok"]
    sender.close()


def load(pipe, count, edge="store-2", bootstrap=None):
    """So many orders of another edge at once, into the topic as it is."""
    subprocess.run([BUILD / "bench/till-load", "--brokers", bootstrap or pipe.bootstrap, "--topic", f"{pipe.prefix}orders", "--edge", edge,
                    "--count", str(count), "--partitions", "1"], check=True, timeout=DEADLINE)


def stop_writing(pipe):
    """The bridge would make a topic anew by itself."""
    pipe.wait_drained()
    for each in (*pipe.edges.values(), *pipe.bridges):
        each.stop()


def make_anew(pipe, admin, count):
    admin.delete(topic=f"{pipe.prefix}orders")
    admin.create(topic=f"{pipe.prefix}orders", partitions=1, settings={"message.timestamp.type": "LogAppendTime"})
    load(pipe, count)


def refused(pipe):
    """It ended because it needs a decision: the words for --accept-gap."""
    assert pipe.aggregator.wait() == 4, pipe.aggregator.log_tail()
    return re.findall(r'^missing: (.*) \(to go on without it: --accept-gap "\1"\)$', pipe.aggregator.log_text(), re.M)[-1]


def start_again(pipe, *accepted):
    for text in accepted:
        pipe.aggregator.args += ["--accept-gap", text]
    pipe.aggregator.start()
    for _ in accepted:
        del pipe.aggregator.args[-2:]
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    pipe.wait_applied()


def assert_refused_until_accepted(pipe, text):
    """The same at every start, whatever else is accepted; then exactly this is."""
    assert refused(pipe) == text
    pipe.aggregator.args += ["--accept-gap", f"{pipe.prefix}orders/0:1-2"]
    pipe.aggregator.start(wait_ready=False)
    assert refused(pipe) == text
    del pipe.aggregator.args[-2:]
    start_again(pipe, text)
    assert text in pipe.client.ask("status")["as_of"]["gaps"]


def count_of(pipe):
    return sum(row["order_count"] for row in pipe.client.scan("stores"))


@pytest.mark.parametrize("when", ["frozen", "down"])
@pytest.mark.parametrize("count", [10, 200])
def test_a_topic_made_anew_is_refused_with_fewer_and_with_more_records(pipe, admin, count, when):
    """Frozen: it comes back in the middle of its reading, with the topic filled past its place or not."""
    send(pipe, 0, 100)
    pipe.wait_settled()
    stop_writing(pipe)
    if when == "frozen":
        wait_until(lambda: pipe.aggregator.metric("till_aggregator_commits_total") > 0, "a commit")
        pipe.aggregator.signal(signal.SIGSTOP)
        make_anew(pipe, admin, count)
        pipe.aggregator.signal(signal.SIGCONT)
    else:
        pipe.aggregator.stop()
        make_anew(pipe, admin, count)
        pipe.aggregator.start(wait_ready=False)
    assert_refused_until_accepted(pipe, f"topic:{pipe.prefix}orders re-created")
    assert count_of(pipe) == 100 + count
    log = admin.scan(topic=f"{pipe.prefix}orders")
    assert log["events"] == count
    assert {product: sums for product, sums in totals_of(pipe.client).items() if product != "tea"} == {
        product: sums for product, sums in totals_of(pipe.client).items() if product in log["products"]}
    assert_books_add_up(pipe)


def test_a_topic_that_is_made_anew_a_second_time_is_refused_again(pipe, admin):
    """Also where the first acceptance still stands on the command line, as it may in a unit."""
    first = f"topic:{pipe.prefix}orders re-created"
    send(pipe, 0, 100)
    pipe.wait_settled()
    stop_writing(pipe)
    pipe.aggregator.stop()
    make_anew(pipe, admin, 10)
    pipe.aggregator.args += ["--accept-gap", first]
    start_again(pipe)
    assert count_of(pipe) == 110
    pipe.aggregator.stop()
    make_anew(pipe, admin, 20)
    pipe.aggregator.start(wait_ready=False)
    second = refused(pipe)
    assert second == f"{first} (2)"
    start_again(pipe, second)
    assert count_of(pipe) == 130
    assert pipe.client.ask("status")["as_of"]["gaps"] == [first, second]


def test_a_bridge_goes_on_in_a_topic_that_was_made_anew(pipe, admin):
    """It makes the topic itself; what it was told before is gone with the old one, which the aggregator says."""
    send(pipe, 0, 100)
    pipe.wait_settled()
    pipe.aggregator.stop()
    admin.delete(topic=f"{pipe.prefix}orders")
    send(pipe, 100, 50)
    pipe.wait_drained()
    pipe.aggregator.start(wait_ready=False)
    assert_refused_until_accepted(pipe, f"topic:{pipe.prefix}orders re-created")
    pipe.wait_settled()
    assert count_of(pipe) == 150
    assert admin.scan(topic=f"{pipe.prefix}orders")["events"] == 50
    assert_books_add_up(pipe)


def test_a_topic_that_is_gone_is_said(pipe, admin):
    send(pipe, 0, 10)
    pipe.wait_settled()
    stop_writing(pipe)
    admin.delete(topic=f"{pipe.prefix}orders")
    wait_until(lambda: f"topic {pipe.prefix}orders is gone" in pipe.aggregator.http("/readyz")[1], "a word about the topic")
    assert count_of(pipe) == 10
    pipe.aggregator.args.append("--rebuild")
    pipe.aggregator.restart()
    wait_until(lambda: f"rebuild: topic {pipe.prefix}orders is gone" in pipe.aggregator.http("/readyz")[1], "a word about the rebuild")
    wait_until(lambda: "a topic that was read is gone" in pipe.aggregator.log_text(), "the same in the log")
    assert Client(pipe.aggregator.ready["listen"][0]).rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 10


def test_partitions_that_were_added_are_read(pipe, admin):
    send(pipe, 0, 20)
    pipe.wait_settled()
    admin.partitions(topic=f"{pipe.prefix}orders", total=3)
    wait_until(lambda: "of which till uses 1" in pipe.bridges[0].log_text(), "a warning of the bridge", 30)
    send(pipe, 20, 20)
    foreign = [(b"store-9", b"\xc0")]
    admin.produce(f"{pipe.prefix}orders", 2, foreign)
    wait_until(lambda: pipe.aggregator.metric("till_aggregator_foreign_total") == 1, "the record in the new partition")
    pipe.aggregator.stop()
    admin.partitions(topic=f"{pipe.prefix}orders", total=4)
    admin.produce(f"{pipe.prefix}orders", 3, foreign)
    start_again(pipe)
    wait_until(lambda: pipe.books("foreign") == 2, "the record in the partition that was added while it was down")
    assert assert_totals_are_the_logs(pipe, admin)["events"] == 40
    assert_books_add_up(pipe)


@pytest.mark.parametrize("when", ["running", "down"])
def test_a_quiet_topic_that_retention_empties_is_no_gap(pipe, admin, when):
    send(pipe, 0, 20)
    pipe.wait_settled()
    if when == "down":
        pipe.aggregator.stop()
    admin.purge(topic=f"{pipe.prefix}orders", partition=0)
    if when == "running":
        pipe.aggregator.stop()
    start_again(pipe)
    wait_until(lambda: "anchor gone, nothing missing" in pipe.aggregator.log_text(), "a word about it")
    assert pipe.client.ask("status")["as_of"]["gaps"] == []
    send(pipe, 20, 20)
    pipe.wait_settled()
    assert count_of(pipe) == 40
    assert admin.scan(topic=f"{pipe.prefix}orders")["events"] == 20
    assert_books_add_up(pipe)


def test_an_open_transaction_of_somebody_else_is_said_and_passed_when_it_ends(pipe, admin):
    send(pipe, 0, 20)
    pipe.wait_settled()
    admin.open_transaction(name=pipe.prefix, topic=f"{pipe.prefix}orders", partition=0)
    send(pipe, 20, 30)
    pipe.wait_drained()
    wait_until(lambda: f"{pipe.prefix}orders/0 stands at 20" in pipe.aggregator.http("/readyz")[1], "a word about it")
    assert "open transaction" in pipe.aggregator.http("/readyz")[1]
    assert pipe.aggregator.metric("till_aggregator_lag_records") >= 30
    assert pipe.client.ask("status")["as_of"]["lag"] >= 30
    assert count_of(pipe) == 20
    admin.end_transaction(name=pipe.prefix)
    wait_until(lambda: count_of(pipe) == 50, "all that lay behind it")
    wait_until(lambda: pipe.aggregator.http("/readyz") == (200, "ok\n"), "all well")
    assert_totals_are_the_logs(pipe, admin)
    pipe.wait_applied()
    assert_books_add_up(pipe)


def test_records_that_compaction_removed_are_said(pipe, admin):
    """Of each key only the last record is left: a topic with cleanup.policy=compact is none for till."""
    topic = f"{pipe.prefix}orders"
    send(pipe, 0, 20)
    pipe.wait_settled()
    pipe.aggregator.signal(signal.SIGSTOP)
    try:
        for number in range(20, 40):
            send(pipe, number, 1)
        pipe.wait_drained()
        admin.configure(topic=topic, **{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.001",
                                        "segment.ms": "100", "delete.retention.ms": "0"})
        send(pipe, 40, 1)
        pipe.wait_drained()
        wait_until(lambda: admin.scan(topic=topic)["records"] < 20, "a compaction", every=0.5)
    finally:
        pipe.aggregator.signal(signal.SIGCONT)
    wait_until(lambda: pipe.aggregator.metric("till_aggregator_offsets_skipped_total") > 0, "a count of what was skipped")
    wait_until(lambda: "offsets without records" in pipe.aggregator.log_text(), "the same in the log")


def test_a_log_with_times_of_a_clock_that_jumped_is_no_other_log(pipe, admin):
    """A broker was a day ahead for a while: what is older than that looks as if it had been written after it."""
    topic = f"{pipe.prefix}orders"
    send(pipe, 0, 20)
    pipe.wait_settled()
    admin.configure(topic=topic, **{"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": str(2**62)})
    admin.produce(topic, 0, [(b"store-9", b"\xc0")] * 5, later_s=86400)
    admin.configure(topic=topic, **{"message.timestamp.type": "LogAppendTime"})
    sold = 20

    def sell(times=4):
        nonlocal sold
        for _ in range(times):
            send(pipe, sold, 10)
            sold += 10
            pipe.wait_settled()

    def is_compared_in_another_life():
        """Its anchor must lie behind the odd records before: it moves with Kafka's reports, which may be late."""
        sell()
        pipe.aggregator.restart()
        pipe.client = Client(pipe.aggregator.ready["listen"][0])
        sell()
        try:
            return wait_until(lambda: pipe.aggregator.metric("till_aggregator_reader_restarts_total") > 0, "a comparison", DEADLINE / 6)
        except AssertionError:
            return False
    wait_until(is_compared_in_another_life, "a comparison of the anchor", 2 * DEADLINE)
    sell(1)
    assert count_of(pipe) == sold and pipe.books("foreign") == 5 and pipe.books("duplicates") == 0
    assert pipe.aggregator.running() and pipe.client.ask("status")["as_of"]["gaps"] == []
    assert assert_totals_are_the_logs(pipe, admin)["events"] == sold
