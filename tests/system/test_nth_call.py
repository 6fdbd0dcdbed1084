"""Calls of the operating system fail, one in each round, in a program that does its work (SQLite's way): no order that was told ok
is lost, none counts twice, and nothing of ours crashes. A sample; bench/long_nth.py does every N.

TILL_SEED=N replays one sample."""
import collections
import os
import random
import signal
import subprocess

import nth
import pytest
from faults import PRELOAD, Faults, place_of_death

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


def test_whose_death_it_was_is_read_among_what_other_threads_log():
    log_text = ("<6>what=listening\n<4>what=half\nfaults_preload: signal 6\n<6>what=another thread=yes\n"
                "faults_preload: frame libfaults-preload.so(+0x1f3)\nfaults_preload: frame libc.so.6(+0x3c050)\n"
                "<6>what=slow (fsync)[0x12]\n<6>what=cutfaults_preload: frame libzmq.so.5(+0x1234)\n"
                "faults_preload: frame till-edge(+0x77)\n<6>what=last\n")
    assert place_of_death(log_text) == (6, "libzmq.so.5")
    assert place_of_death(log_text + "\nfaults_preload: signal 11\nfaults_preload: frame libc.so.6(+0x1)\n") == (11, "?")
    assert place_of_death("<6>what=listening\n") is None


@pytest.mark.plain_only
@pytest.mark.skipif(not PRELOAD.exists(), reason="the shim does not go with sanitizers")
def test_the_shim_says_where_a_program_died(tmp_path):
    child = subprocess.run(["dash", "-c", "kill -ABRT $$"], env=Faults(tmp_path, "calls=accept").environment,
                           stderr=subprocess.PIPE, text=True, timeout=60)
    assert child.returncode == -signal.SIGABRT
    assert place_of_death(child.stderr) == (signal.SIGABRT, "dash"), child.stderr
