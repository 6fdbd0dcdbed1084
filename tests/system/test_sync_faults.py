"""fsync takes a second, or fails. A commit that failed leaves open what is on disk: the program says so and ends, and the next start
reads the truth. What was told ok is there; what was not is asked again."""
import concurrent.futures
import time

import pytest
from faults import PRELOAD, Faults
from harness import Client, Sender, sum_metric, wait_until
from test_spine import order
from tills import Till, assert_told_is_counted

pytestmark = [pytest.mark.plain_only, pytest.mark.skipif(not PRELOAD.exists(), reason="the shim does not go with sanitizers")]

# An fsync of the data, once and from then on; the write of the meta page, after which LMDB gives up.
PLANS = {"once": "calls=sync nth=1 errno=EIO", "for-ever": "calls=sync from=1 errno=EIO",
         "meta-page": "calls=pwrite nth=1 errno=EIO dsync"}


def restart_with(program, folder, plan):
    """The program again, its calls as in the plan from when the result is armed."""
    assert program.stop() == 0
    faults = Faults(folder, plan + " armed")
    program.env = faults.environment
    program.start()
    return faults


def in_peace(program):
    program.env = None
    return program.start()


def folder_of(pipe, name):
    return (pipe.folder / name).resolve()


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_an_edge_whose_fsync_fails_says_so_ends_and_loses_nothing(pipeline, tmp_path, plan):
    pipe = pipeline()
    pipe.start_aggregator()
    edge, till = pipe.edges["store-1"], Till(pipe, "store-1")
    till.sell(5)
    faults = restart_with(edge, tmp_path, f"{plan} under={folder_of(pipe, 'edge-store_1')}")
    till.sell(5)
    faults.arm()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        sold = pool.submit(till.sell, 5, 3)  # hears nothing, and asks again
        assert edge.wait() == 1, edge.log_tail()
        assert "what is on disk is read anew" in edge.log_text()
        in_peace(edge)
        sold.result()
    till.sell(5)
    assert_told_is_counted(pipe, [till])
    till.close()


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_an_aggregator_whose_fsync_fails_says_so_ends_and_reads_the_truth(pipeline, tmp_path, plan):
    pipe = pipeline()
    pipe.start_aggregator()
    aggregator, till = pipe.aggregator, Till(pipe, "store-1")
    till.sell(5)
    pipe.wait_settled()
    faults = restart_with(aggregator, tmp_path, f"{plan} under={folder_of(pipe, 'store')}")
    faults.arm()
    till.sell(5)
    assert aggregator.wait() == 1, aggregator.log_tail()
    assert faults.injected and "Input/output error" in aggregator.log_text(), aggregator.log_tail()
    in_peace(aggregator)
    till.sell(5)
    pipe.client = Client(aggregator.ready["listen"][0])
    assert_told_is_counted(pipe, [till])
    till.close()


def test_while_an_edges_fsync_takes_a_second_many_tills_share_it(pipeline, tmp_path):
    """Replies wait for it, none fails, and the bridge's session lasts."""
    pipe = pipeline()
    pipe.start_aggregator()
    edge = pipe.edges["store-1"]
    faults = restart_with(edge, tmp_path, f"calls=fdatasync from=1 delay_ms=1000 under={folder_of(pipe, 'edge-store_1')}")
    senders = [Sender(pipe.endpoint("store-1")) for _ in range(12)]
    assert senders[0].ask([order(99)])["ok"]
    pipe.wait_drained()
    before = edge.metrics()
    faults.arm()
    for number, sender in enumerate(senders):
        sender.send([order(number)], {"producer": f"till-{number}", "n": 1})
    assert all(sender.receive()["ok"] for sender in senders)
    after = edge.metrics()

    def more(name):
        return sum_metric(after, name) - sum_metric(before, name)
    commits = more("till_edge_commit_seconds_count")
    assert faults.injected >= 1 and 1 <= commits < len(senders), "one fsync serves all that waited"
    assert more("till_edge_commit_seconds_sum") >= 1, "the metric shows it"
    pipe.wait_settled()
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 13
    assert edge.metric("till_edge_sessions_total") == sum_metric(before, "till_edge_sessions_total")
    for sender in senders:
        sender.close()


def test_while_the_aggregators_fsync_takes_seconds_answers_are_fresh(pipeline, tmp_path):
    pipe = pipeline()
    pipe.start_aggregator()
    aggregator, till = pipe.aggregator, Till(pipe, "store-1")
    till.sell(5)
    pipe.wait_settled()
    faults = restart_with(aggregator, tmp_path, f"calls=fdatasync nth=1 held under={folder_of(pipe, 'store')}")
    pipe.client = Client(aggregator.ready["listen"][0])
    commits = aggregator.metric("till_aggregator_commits_total")
    faults.arm()
    till.sell(5)
    wait_until(lambda: faults.injected, "a commit that takes its time")
    begun = time.monotonic()
    till.sell(5)

    def counted():
        answer = pipe.client.ask("scan", view="stores")
        return answer["ok"] and sum(row["order_count"] for row in answer["rows"])
    wait_until(lambda: counted() == 15, "an answer with all orders")
    assert aggregator.metric("till_aggregator_commits_total") == commits, "answered before the commit ended"
    assert aggregator.metric("till_aggregator_uncommitted_events") == 10
    held_s = time.monotonic() - begun
    faults.arm(False)
    wait_until(lambda: aggregator.metrics().get("till_aggregator_uncommitted_events") == 0, "all committed")
    assert sum_metric(aggregator.metrics(), "till_aggregator_commit_seconds_sum") >= held_s
    assert_told_is_counted(pipe, [till])
    till.close()
