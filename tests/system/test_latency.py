"""How long an event takes from an edge's receipt to Kafka's confirmation and to an answer: what the programs measure, held against the test's own clock."""
import time

import pytest
from clocks import HOUR_S, give, needs_faketime
from harness import Sender, sum_metric, wait_until
from test_spine import order

EVENTS = 40


def sell(pipe, count=EVENTS):
    """The monotonic time before it."""
    sender, began = Sender(pipe.endpoint("store-1")), time.monotonic()
    assert sender.ask([order(number) for number in range(count)])["ok"]
    sender.close()
    return began


def summary(pipe):
    return pipe.client.ask("vitals")["vitals"]["summary"]


def assert_measured(pipe, count, at_least_ms, at_most_ms):
    """Both histograms and vitals speak of these events, and of such a time."""
    wait_until(lambda: summary(pipe)["latency_count"] == count, "every event's latency")
    told = summary(pipe)
    assert told["counted"] == count and told["duplicates"] == 0
    assert at_least_ms <= told["latency_avg_ms"] <= told["latency_max_ms"] <= at_most_ms
    assert at_least_ms * 15 / 16 <= told["latency_p50_ms"] <= told["latency_p99_ms"] <= told["latency_max_ms"]
    wait_until(lambda: pipe.bridges[-1].metric("till_bridge_ack_seconds_count") == count, "every event's confirmation")
    acked, answered = pipe.bridges[-1].metrics(), pipe.aggregator.metrics()
    assert answered["till_aggregator_end_to_end_seconds_count"] == count
    assert round(answered["till_aggregator_end_to_end_seconds_sum"] * 1000) == round(told["latency_avg_ms"] * count)
    assert at_least_ms * count <= acked["till_bridge_ack_seconds_sum"] * 1000 <= at_most_ms * count
    assert sum_metric(answered, "till_aggregator_receipts_bad_total") == sum_metric(acked, "till_bridge_batches_ageless_total") == 0


def elapsed_ms(began):
    return (time.monotonic() - began) * 1000 + 2  # both ends of a latency are cut to whole milliseconds


def test_latency_is_measured_from_receipt_to_confirmation_and_to_an_answer(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    began = sell(pipe)
    wait_until(lambda: summary(pipe)["counted"] == EVENTS, "all counted")
    assert_measured(pipe, EVENTS, 0, elapsed_ms(began))


def test_what_waited_on_an_edges_disk_was_on_its_way_all_that_time(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    pipe.bridges[0].kill()
    began = sell(pipe)
    wait_until(lambda: time.monotonic() - began >= 1.5, "a while without a bridge", every=0.1)
    waited = (time.monotonic() - began) * 1000 - 300  # the answer came a little after the receipt
    pipe.bridges[0].start()
    wait_until(lambda: summary(pipe)["counted"] == EVENTS, "all counted")
    assert_measured(pipe, EVENTS, waited, elapsed_ms(began))


@pytest.mark.plain_only  # libfaketime and sanitizers are not for one process
@needs_faketime
def test_an_edges_wrong_clock_is_nothing_to_it(pipeline, tmp_path):
    pipe = pipeline()
    pipe.start_aggregator()
    clock = give(pipe.edges["store-1"], tmp_path / "edge.clock")
    for number, leap in enumerate((HOUR_S, -HOUR_S)):
        clock.leap(leap)
        before = summary(pipe)["latency_max_ms"] or 0
        began = sell(pipe)
        count = EVENTS * (number + 1)
        wait_until(lambda count=count: summary(pipe)["counted"] == count, "all counted")
        assert_measured(pipe, count, 0, max(before, elapsed_ms(began)))
