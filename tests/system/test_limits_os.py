"""Too few file descriptors, too little memory: from the start, and while it works. A clear word, a code, and nothing lost."""
import os
import resource

import nth
import pytest
from faults import PRELOAD
from harness import Sender, wait_until
from test_spine import order
from tills import Till, assert_told_is_counted

pytestmark = pytest.mark.plain_only
MIB = 1 << 20
LIMITS = {"nofile": (4, 8, 14, 22), "data": (MIB, 4 * MIB, 24 * MIB, 64 * MIB), "as": (64 * MIB, 512 * MIB)}
SPARE_FDS = 3


@pytest.fixture(scope="module")
def rigs(broker, tmp_path_factory):
    made = nth.Rigs(tmp_path_factory.mktemp("limits"), broker.bootstrap, f"l{os.getpid()}-")
    yield made
    made.stop()


@pytest.mark.skipif(not PRELOAD.exists(), reason="the shim does not go with sanitizers")
@pytest.mark.parametrize("name", ["till-edge", "till-bridge", "till-aggregator"])
def test_a_program_that_is_given_too_little_says_so_and_loses_nothing(rigs, name):
    outcomes = {f"{what}={amount}": rigs.round_limited(name, f"--{what}={amount}:{amount}")
                for what, amounts in LIMITS.items() for amount in amounts}
    print(f"{name}: {outcomes}")
    assert any(outcome != "survived" for outcome in outcomes.values())


def open_files(program):
    return len(os.listdir(f"/proc/{program.pid}/fd"))


def test_an_edge_out_of_descriptors_serves_who_is_there_and_later_the_others(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    edge, till = pipe.edges["store-1"], Till(pipe, "store-1")
    till.sell(5)
    pipe.wait_drained()
    before = resource.prlimit(edge.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(edge.pid, resource.RLIMIT_NOFILE, (open_files(edge) + SPARE_FDS, before[1]))
    others = [Sender(pipe.endpoint("store-1")) for _ in range(3 * SPARE_FDS)]
    for number, other in enumerate(others):
        other.send([order(number)], {"producer": f"other-{number}", "n": 1})
    for _ in range(10):
        till.sell(5)
    assert not all(other.socket.poll(0) for other in others), "not all found a place"
    resource.prlimit(edge.pid, resource.RLIMIT_NOFILE, before)
    assert all(other.receive()["ok"] for other in others)
    pipe.wait_settled()
    assert pipe.client.rows("scan", view="stores")[0]["order_count"] == till.told + len(others)
    for other in others:
        other.close()
    till.close()


@pytest.mark.parametrize("who", ["bridge", "aggregator"])
def test_kafka_comes_back_while_there_are_no_descriptors_for_it(pipeline, who):
    """librdkafka has no place for new connections for a while; later it has."""
    pipe = pipeline()
    pipe.start_aggregator()
    till = Till(pipe, "store-1")
    till.sell(5)
    pipe.wait_settled()
    program = pipe.bridges[0] if who == "bridge" else pipe.aggregator
    before = resource.prlimit(program.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (open_files(program), before[1]))
    pipe.edges["store-1"].restart()  # wants a new connection to the bridge
    till.sell(5)
    assert program.running(), program.log_tail()
    resource.prlimit(program.pid, resource.RLIMIT_NOFILE, before)
    assert_told_is_counted(pipe, [till])
    till.close()


@pytest.mark.parametrize("who", ["edge", "bridge", "aggregator"])
def test_memory_that_runs_out_at_work_loses_nothing(pipeline, who):
    pipe = pipeline()
    pipe.start_aggregator()
    till = Till(pipe, "store-1")
    till.sell(5)
    pipe.wait_settled()
    program = {"edge": pipe.edges["store-1"], "bridge": pipe.bridges[0], "aggregator": pipe.aggregator}[who]
    resource.prlimit(program.pid, resource.RLIMIT_DATA, (MIB, MIB))
    sender = Sender(pipe.endpoint("store-1"))
    events = [order(number, note="x" * 3000) for number in range(300)]
    for frame in range(1, 6):  # more than what is free in its heap
        sender.send(events, {"producer": "much", "n": frame})
    # An answer, its end, or neither: what libzmq has no memory for it drops, with the connection.
    nth.passes_in(nth.PATIENCE_S, lambda: sender.socket.poll(0), program)
    if not program.running():
        assert program.wait() in (1, -6), program.log_tail()  # libzmq and librdkafka abort
        assert program.log_text()
    program.restart()
    sender.close()
    sender = Sender(pipe.endpoint("store-1"))
    for frame in range(1, 6):
        assert sender.ask(events, {"producer": "much", "n": frame})["ok"]
    pipe.wait_drained()
    wait_until(lambda: pipe.client.rows("scan", view="stores")[0]["order_count"] == till.told + 5 * len(events), "all counted")
    sender.close()
    till.close()
