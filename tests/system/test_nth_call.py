"""Calls of the operating system fail, one in each round, in a program that does its work (SQLite's way): no order that was told ok
is lost, none counts twice, and nothing of ours crashes. A sample; bench/long_nth.py does every N.

TILL_SEED=N replays one sample."""
import collections
import os
import random

import nth
import pytest
from faults import PRELOAD

SEED = int(os.environ.get("TILL_SEED", random.SystemRandom().randrange(2**32)))
# How many of the allocations fail, and how many of each other kind of call. An edge takes its time to find a bridge again.
SAMPLE = {"till-edge": (16, 3), "till-bridge": (6, 1), "till-aggregator": (12, 2), "till": (8, 2)}


@pytest.fixture(scope="module")
def rigs(broker, tmp_path_factory):
    made = nth.Rigs(tmp_path_factory.mktemp("nth"), broker.bootstrap, f"n{os.getpid()}-")
    yield made
    made.stop()


def sample(name, call, calls, chance):
    """The first, and some of the others."""
    count = SAMPLE[name][0 if call == "alloc" else 1]
    return sorted(chance.sample(range(2, calls + 1), min(calls - 1, count - 1)) + [1]) if calls else []


@pytest.mark.plain_only
@pytest.mark.skipif(not PRELOAD.exists(), reason="the shim does not go with sanitizers")
@pytest.mark.parametrize("name", nth.RIGS)
def test_a_call_that_fails_loses_nothing_and_doubles_nothing(rigs, name):
    print(f"seed {SEED}: TILL_SEED={SEED} tests/run system")
    chance = random.Random(f"{SEED} {name}")
    outcomes = collections.Counter()
    for call, calls in rigs.count(name).items():
        for number in sample(name, call, calls, chance):
            injected, _, outcome = rigs.round(name, call, number)
            outcomes[outcome] += injected
    print(f"{name}: {dict(outcomes)}")
    assert sum(outcomes.values()) >= 10
