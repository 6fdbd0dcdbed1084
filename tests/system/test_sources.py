"""One store with every kind of source at once. Whatever one of them is sent, the others are served, and the books of each add
up to the edge's."""
import shutil

import pytest
from every_source import PROBES, Store, assert_source_books
from floods import Flood
from harness import sum_metric, wait_until

ASKED = 10  # of each probe, while a flood goes on
# Rounds of the desk, each a commit, until an event is acknowledged: it is in the next one or two, and asking takes its time.
# A tail's end is only seen in its series, which are shown ten times a second.
ROUNDS = {"zmq": 20, "mqtt": 20, "http": 20, "drop": 20}
# What a flood may get through for each event of the others: a round is shared, and short while it is.
FLOODED_EVENTS = 40_000
FLOODS = [(kind, garbage) for kind in ("zmq", "push", "mqtt", "http", "tail", "drop") for garbage in (False, True)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    here = Store(tmp_path_factory.mktemp("store"), "edge.spool_max=4GiB")
    yield here
    here.close()
    shutil.rmtree(here.folder)  # gigabytes


class Asker:
    """A probe and how often it has asked."""

    def __init__(self, probe, edge):
        self.probe, self.edge, self.asked = probe, edge, 0

    def ask(self, times):
        """Returns (rounds that passed, events that came in from anywhere) for each answer."""
        before = self.edge.metrics()
        for _ in range(times):
            self.asked += 1
            self.probe.ask(self.asked)
        after = self.edge.metrics()
        return tuple((sum_metric(after, name) - sum_metric(before, name)) / times
                     for name in ("till_edge_commits_total", "till_edge_events_received_total"))


@pytest.fixture(scope="module")
def askers(store):
    return {name: Asker(probe(store), store.edge) for name, probe in PROBES.items()}


@pytest.mark.parametrize("kind, garbage", FLOODS, ids=[f"{kind}-{'garbage' if garbage else 'flood'}" for kind, garbage in FLOODS])
def test_a_flood_of_one_source_leaves_the_others_their_turn(store, askers, kind, garbage):
    before = store.flood_frames(kind)
    flood = Flood(kind, store.flood_target(kind), garbage)
    try:
        wait_until(lambda: store.flood_frames(kind) > before, f"the flood of {kind}")
        waits = {name: asker.ask(ASKED) for name, asker in askers.items()}
        frames = int(store.flood_frames(kind) - before)
    finally:
        flood.stop()
    print(f"{kind} {'garbage' if garbage else 'flood'}: {frames} frames of it; rounds/events until an event of the others was "
          "acknowledged: " + ", ".join(f"{name} {rounds:.1f}/{events:.0f}" for name, (rounds, events) in waits.items()))
    assert store.edge.running(), store.edge.log_tail()
    for name, most in ROUNDS.items():
        rounds, events = waits[name]
        assert rounds <= most and events <= FLOODED_EVENTS, (name, waits)
    books = assert_source_books(store.edge)
    for name in set(PROBES) - {"zmq"}:  # which is flooded through the very socket that is probed
        assert books[name] == {"accepted": askers[name].asked, "invalid": 0, "refused": 0, "repeated": 0}, name
