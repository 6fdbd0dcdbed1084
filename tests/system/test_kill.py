"""kill -9 of everything, in random order, while batches are unacknowledged; afterwards the totals are exact.

TILL_KILLS=300 runs it longer by hand, TILL_SEED=N replays one order of kills.
"""
import contextlib
import os
import random

import pytest
from harness import Broker, sum_metric, wait_until
from test_retail import assert_equals_truth, start_sender

KILLS = int(os.environ.get("TILL_KILLS", "40"))
SEED = int(os.environ.get("TILL_SEED", random.SystemRandom().randrange(2**32)))
VICTIMS = ("edge", "bridge", "aggregator", "sender", "broker")
BUSY = "United Kingdom"  # nine lines in ten: its sender is the one that lasts
# A round - wait for work in flight, kill, restart, wait for the first acknowledgement - takes at most about this long on a
# busy machine. The rate only has to make the data last: what is left is sent at full speed.
ROUND_S = 10.0


class Tally:
    """What the kills provoked, summed over every life of every program."""

    NAMES = {"repeats": "till_edge_events_repeated_total", "resends": "till_edge_batches_resent_total"}

    def __init__(self):
        self.lives = {}

    def note(self, program):
        if program.running():
            values = program.metrics()
            for what, name in self.NAMES.items():
                key = (program.name, program.pid, what)
                self.lives[key] = max(self.lives.get(key, 0), sum_metric(values, name))

    def total(self, what):
        return int(sum(value for (_, _, each), value in self.lives.items() if each == what))


class Rig:
    def __init__(self, pipe, kafka, csv, countries, rate, seed):
        self.pipe, self.kafka, self.csv, self.countries = pipe, kafka, csv, countries
        self.chance = random.Random(seed)
        self.tally = Tally()
        self.senders = {country: self.sender(country, rate) for country in countries}
        self.rate = rate

    def sender(self, country, rate=None):
        more = ["--producer", f"kill-test-{country}"[:64], "--timeout", "forever"]
        return start_sender(self.pipe.endpoint(country), self.csv, country, *more, *(["--rate", rate] if rate else []))

    def note_all(self):
        for edge in self.pipe.edges.values():
            self.tally.note(edge)

    def unacked(self):
        sender = self.senders[BUSY]
        assert sender.poll() is None, f"the sender ended with {sender.returncode}: {sender.communicate()}"
        return self.pipe.edges[BUSY].metric("till_edge_unacked_batches") > 0

    def acked(self):
        return self.pipe.edges[BUSY].metric("till_edge_batches_acked_total")

    def kill(self, victim):
        wait_until(self.unacked, f"unacknowledged batches before a kill of {victim}", every=0.001)
        getattr(self, "kill_" + victim)()
        before = self.acked()
        wait_until(lambda: self.acked() > before or self.senders[BUSY].poll() is not None,
                   f"an acknowledgement after a kill of {victim}", 120)

    def kill_edge(self):
        edge = self.pipe.edges[BUSY if self.chance.random() < 0.7 else self.chance.choice(self.countries)]
        self.tally.note(edge)
        edge.restart()

    def kill_bridge(self):
        self.chance.choice(self.pipe.bridges).restart()

    def kill_aggregator(self):
        self.pipe.aggregator.restart()

    def kill_sender(self):
        self.restart_sender(self.rate)

    def restart_sender(self, rate):
        self.senders[BUSY].kill()
        self.senders[BUSY].communicate()
        self.senders[BUSY] = self.sender(BUSY, rate)

    def kill_broker(self):
        self.kafka.kill()
        self.kafka.start()

    def report(self):
        """What the kills provoked so far; 0 where that is not known for the moment."""
        with contextlib.suppress(TimeoutError, KeyError):
            return {what: self.tally.total(what) for what in Tally.NAMES} | {"duplicates": self.pipe.books("duplicates")}
        return {"duplicates": 0}

    def finish(self):
        """The rest of the data at full speed."""
        self.restart_sender(None)
        for country, sender in self.senders.items():
            out, err = sender.communicate(timeout=300)
            assert sender.returncode == 0, f"{country}: {out}{err}"

    def stop(self):
        for sender in self.senders.values():
            if sender.poll() is None:
                sender.kill()
                sender.communicate()


@pytest.mark.kill
def test_kill_everything_and_lose_nothing(pipeline, retail, tmp_path):
    csv, totals = retail
    print(f"seed {SEED}, {KILLS} kills: TILL_SEED={SEED} TILL_KILLS={KILLS} tests/run system")
    plan = [VICTIMS[number % len(VICTIMS)] for number in range(KILLS)]
    random.Random(SEED).shuffle(plan)
    assert all(plan.count(victim) >= KILLS // len(VICTIMS) for victim in VICTIMS)
    kafka = Broker(tmp_path / "kafka")
    rig = None
    try:
        countries = sorted(totals["stores"])
        pipe = pipeline(bootstrap=kafka.bootstrap, edges=countries, bridges=2)
        pipe.start_aggregator()
        rate = max(10, int(totals["stores"][BUSY] / (KILLS * ROUND_S)))
        rig = Rig(pipe, kafka, csv, countries, rate, SEED)
        for victim in plan:
            rig.kill(victim)
            rig.note_all()
        kills = KILLS
        while not all(rig.report().values()) and kills < 5 * KILLS:  # chance has not met each of them yet
            rig.kill(rig.chance.choice(VICTIMS))
            rig.note_all()
            kills += 1
        assert rig.senders[BUSY].poll() is None, "the data ran out before the kills: lower the rate"
        rig.finish()
        pipe.wait_settled(240)
        rig.note_all()
        assert_equals_truth(pipe.client, totals)
        assert_books_add_up(pipe)
        report = rig.report()
        print(f"{kills} kills ({', '.join(f'{plan.count(each)} {each}' for each in VICTIMS)}): {report}")
        assert all(report.values()), f"the kills provoked too little: {report}"
    finally:
        if rig is not None:
            rig.stop()
        kafka.down()


def assert_books_add_up(pipe):
    """The store's over its whole life, each edge process's over its own, and the aggregator's check of itself holds."""
    parts = sum(pipe.books(part) for part in ("counted", "rejected", "duplicates", "foreign", "unreadable"))
    assert pipe.books("read") == parts
    assert pipe.aggregator.metric("till_aggregator_self_check_failures_total") == 0
    assert pipe.aggregator.http("/readyz")[0] == 200
    for edge in pipe.edges.values():
        values = edge.metrics()
        received = sum_metric(values, "till_edge_events_received_total")
        answered = sum(sum_metric(values, f"till_edge_events_{part}_total")
                       for part in ("accepted", "invalid", "refused", "repeated"))
        assert received == answered, edge.name
