"""Every part dies by kill -9, at random moments and at the named points between promise and proof, while tills sell and rows of a
database change; afterwards the totals of all views are exact, and a rebuild gives the same bytes.

TILL_ROUNDS=1000 does more of it by hand, TILL_SEED=N replays one order of draws; `bench/long kill` does it for hours on three nodes
of Kafka."""
import os
import random

import pytest
from kill_rig import POINTS, KillRig

ROUNDS = int(os.environ.get("TILL_ROUNDS", "120"))
SEED = int(os.environ.get("TILL_SEED", random.SystemRandom().randrange(2**32)))


def missed(rig):
    """Where nobody has died yet, and what no death has provoked."""
    names = [f"{kind}, {name}" for kind, points in POINTS.items() for _, name, _ in points]
    return [name for name in names if not rig.points[name]] + [what for what in ("resends", "failovers") if not rig.tally(what)]


@pytest.mark.kill
@pytest.mark.plain_only
def test_death_at_any_point_loses_and_doubles_nothing(broker, admin, prefix, tmp_path):
    print(f"seed {SEED}, {ROUNDS} rounds: TILL_SEED={SEED} TILL_ROUNDS={ROUNDS}")
    rig = KillRig(tmp_path, broker.bootstrap, prefix, SEED, admin)
    try:
        rig.run(ROUNDS)
        while missed(rig) and rig.rounds < 10 * ROUNDS:  # a slow machine comes to some points late
            rig.run(10)
        assert not missed(rig), rig.figures()
        rig.settle()
        rig.judge()
        print(rig.figures())
        rig.rebuild()
    finally:
        rig.stop()
