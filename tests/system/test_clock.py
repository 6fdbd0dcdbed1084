"""Wall clocks leap by hours, days and years, stand still, or are wrong from the start. Timers, ids, numbers and windows do not go by
them. TILL_SEED=N replays one order of leaps."""
import os
import random

import pytest
from clocks import DAY_S, LEAPS_S, YEAR_S, give, needs_faketime
from harness import Client, wait_until
from test_spine import order
from tills import Till, assert_told_is_counted

pytestmark = [pytest.mark.plain_only, needs_faketime]
SEED = int(os.environ.get("TILL_SEED", random.SystemRandom().randrange(2**32)))
STEPS = 10


def counted(pipe):
    answer = pipe.client.ask("scan", view="stores")
    return answer["ok"] and sum(row["order_count"] for row in answer["rows"])


def test_clocks_that_leap_stall_nothing_and_lose_nothing(pipeline, tmp_path):
    print(f"seed {SEED}: TILL_SEED={SEED} tests/run system")
    chance = random.Random(SEED)
    pipe = pipeline()
    pipe.start_aggregator()
    till = Till(pipe, "store-1")
    till.sell(3)
    programs = {"edge": pipe.edges["store-1"], "bridge": pipe.bridges[0], "aggregator": pipe.aggregator}
    clocks = {name: give(program, tmp_path / f"{name}.clock") for name, program in programs.items()}
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    for step in range(STEPS):
        name = chance.choice(list(clocks))
        if step % 4 == 3:
            clocks[name].freeze()
        else:
            clocks[name].leap(chance.choice(LEAPS_S))
        if chance.random() < 0.3:
            programs[name].restart()
        till.sell(3)
        wait_until(lambda: counted(pipe) == till.told, f"{till.told} orders counted after a leap of the {name}'s clock")
    assert_told_is_counted(pipe, [till])
    till.close()


@pytest.mark.parametrize("years", [10, -10])
def test_what_an_edge_remembers_outlives_a_leap_and_a_restart(pipeline, tmp_path, years):
    """A number, and an event_id: far within their ttl and their window, whatever the clock says."""
    pipe = pipeline()
    pipe.start_aggregator()
    edge, till = pipe.edges["store-1"], Till(pipe, "store-1")
    clock = give(edge, tmp_path / "edge.clock")
    header = {"producer": "till-7", "n": 1}
    assert till.ask([order(1)], header, 60)["accepted"] == 1
    assert till.ask([order(2, event_id="sale-2")], None, 60)["accepted"] == 1
    clock.leap(years * YEAR_S)
    edge.restart()
    for number in range(30):  # each commit forgets some of what is too old
        assert till.ask([order(100 + number)], {"producer": "till-8", "n": number + 1}, 60)["ok"]
    clock.leap(years * YEAR_S + DAY_S)
    edge.restart()
    for number in range(30):
        assert till.ask([order(200 + number)], {"producer": "till-9", "n": number + 1}, 60)["ok"]
    assert till.ask([order(1)], header, 60)["repeated"]
    assert till.ask([order(2, event_id="sale-2")], None, 60)["accepted"] == 0
    pipe.wait_settled()
    assert counted(pipe) == 62
    till.close()
