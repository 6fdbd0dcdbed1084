"""What comes and goes leaves nothing on a program's heap; a sample of bench/long_leak.py."""
import statistics

import heaps
import pytest
from harness import Sender, sum_metric, wait_until

CONNECTIONS = 150
ROUNDS = 6
WARM = 2  # tables and queues take their first blocks


def visit(edge, number):
    """Connections that send a frame which is refused, and end."""
    for _ in range(number):
        sender = Sender(edge.ready["listen"][0])
        assert not sender.ask_raw(b"[xx")["ok"]
        sender.close()
    wait_until(lambda: sum_metric(edge.metrics(), "till_peers") == 0, "the end of all connections", every=0.1)


@pytest.mark.plain_only
def test_connections_that_come_and_go_leave_nothing(pipeline, tmp_path):
    edge = pipeline(env=heaps.environment(tmp_path)).edges["store-1"]
    held = []
    for _ in range(ROUNDS):
        visit(edge, CONNECTIONS)
        held.append(heaps.heap(edge).held)
    steps = [after - before for before, after in zip(held[WARM - 1:], held[WARM:])]
    grown = statistics.median_low(steps)  # a leak is there in every round; a buffer that doubles is not, nor what is there at one look alone
    assert grown < 4 * CONNECTIONS, f"a block of 16 bytes is the least that malloc gives: {held}"
