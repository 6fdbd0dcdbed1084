"""A program that stands still (SIGSTOP, a paused virtual machine, a disk that hangs) and goes on: nothing lost, nothing doubled, and
others take over where there are others. As long as the protocol's own timeouts need; bench/long_os.py stops them for a minute."""
import concurrent.futures
import signal

import pytest
from harness import Client, wait_until
from tills import Till, assert_told_is_counted

pytestmark = pytest.mark.plain_only


def counted(pipe):
    answer = pipe.client.ask("scan", view="stores")
    return answer["ok"] and sum(row["order_count"] for row in answer["rows"])


def test_an_edge_that_stands_still_answers_when_it_goes_on(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    edge, till = pipe.edges["store-1"], Till(pipe, "store-1")
    till.sell(5)
    pipe.wait_settled()
    edge.signal(signal.SIGSTOP)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        sold = pool.submit(till.sell, 5, 6)  # hears nothing for 6 s, and asks again by another connection
        wait_until(lambda: till.asked > 1 or sold.done(), "a till that asks again")
        edge.signal(signal.SIGCONT)
        sold.result()
    till.sell(5)
    assert_told_is_counted(pipe, [till])
    till.close()


def test_a_bridge_that_stands_still_is_left_for_another_and_doubles_nothing_later(pipeline):
    pipe = pipeline(bridges=2)
    pipe.start_aggregator()
    edge, till = pipe.edges["store-1"], Till(pipe, "store-1")
    till.sell(5)
    pipe.wait_settled()
    stopped = next(bridge for bridge in pipe.bridges if bridge.metric("till_bridge_sessions") > 0)
    sessions = edge.metric("till_edge_sessions_total")
    stopped.signal(signal.SIGSTOP)
    try:
        till.sell(5)
        wait_until(lambda: counted(pipe) == till.told, "the orders by way of the other bridge")
        assert edge.metric("till_edge_sessions_total") > sessions
    finally:
        stopped.signal(signal.SIGCONT)
    till.sell(5)
    assert_told_is_counted(pipe, [till])
    till.close()


def test_an_aggregator_that_stands_still_reads_on_and_answers_fresh(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    till = Till(pipe, "store-1")
    till.sell(5)
    pipe.wait_settled()
    pipe.aggregator.signal(signal.SIGSTOP)
    for _ in range(5):
        till.sell(5)
    pipe.wait_drained()
    coming = {**till.last, "seq": till.last["seq"] + 5}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = pool.submit(Client(pipe.aggregator.ready["listen"][0]).ask, "scan", view="stores", after=[coming], timeout_ms=60000)
        pipe.aggregator.signal(signal.SIGCONT)
        till.sell(5)
        assert asked.result()["rows"][0]["order_count"] == till.told
    assert_told_is_counted(pipe, [till])
    till.close()
