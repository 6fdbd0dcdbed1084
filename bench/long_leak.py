"""Does anything grow with what comes and goes? Thousands of connections, sessions, questions, refused and broken frames, one sort at a
time, in minutes: after each round malloc says what is in use. Tables fill in the first rounds, and a queue takes a block more now and
then; what grows from most rounds to the next, by some bytes for each that came and went, is a leak.
"""
import gc
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import heaps
from harness import DEADLINE, Broker, Client, Pipeline, Sender, sum_metric, wait_until
from relay import Relay
from tills import Till

ROUNDS = 12  # of each sort
WARM = 4  # of them are not judged: buffers double until they hold the largest batch
SETTLED_S = 1.0  # libzmq frees what is closed a little later
ORDERS = 50  # the same again and again: an open basket is kept, some 250 bytes each
BYTES_EACH_MAX = 4  # a leak is a block of 16 bytes at least


class Rig:
    """A chain with one link that can be cut, and a way to ask each program for its heap."""

    def __init__(self, folder, seed):
        self.folder, self.chance = folder, random.Random(seed)
        self.kafka = Broker(folder / "kafka")
        self.pipe = Pipeline(folder, self.kafka.bootstrap, "", edges=(), env=heaps.environment(folder))
        port = int(self.pipe.bridges[0].ready["listen"][0].rsplit(":", 1)[1])
        self.link = Relay(("127.0.0.1", port))
        self.edge = self.pipe.start_edge("store", bridges=f"tcp://{self.link.address}")
        self.aggregator = self.pipe.start_aggregator()
        self.till = Till(self.pipe, "store")
        self.programs = {"edge": self.edge, "bridge": self.pipe.bridges[0], "aggregator": self.aggregator}

    # ---- what comes and goes; each returns how often

    def connect_tills(self, count=400):
        for _ in range(count):
            sender = Sender(self.pipe.endpoint("store"))
            reply = sender.ask([{"kind": "view", "page": "/"}])
            assert reply["ok"], reply
            sender.close()
        return count

    def refuse_frames(self, count=2000):
        sender = Sender(self.pipe.endpoint("store"))
        for _ in range(count):
            reply = sender.ask_raw(b"[" + self.chance.randbytes(self.chance.randrange(1, 2048)))
            assert not reply["ok"], reply
        sender.close()
        return count

    def keep_dead_letters(self, count=1000):
        sender = Sender(self.pipe.endpoint("store"))
        for _ in range(count):
            assert sender.ask([{"order_id": "1"}])["invalid"] == 1
        sender.close()
        return count

    def repeat_frames(self, count=2000):
        sender = Sender(self.pipe.endpoint("store"))
        for _ in range(count):
            assert sender.ask([{"kind": "view", "page": "/"}], {"producer": "again", "n": 1})["ok"]
        sender.close()
        return count

    def sell(self, count=1000):
        for _ in range(count):
            self.till.next %= ORDERS
            self.till.sell(5)
        return count

    def cut_links(self, count=40):
        for _ in range(count):
            before = sum_metric(self.edge.metrics(), "till_edge_sessions_total")
            self.link.break_off()
            wait_until(lambda before=before: sum_metric(self.edge.metrics(), "till_edge_sessions_total") > before
                       and self.edge.http("/readyz")[1].startswith("ready"), "the next session", every=0.01)
            self.sell(1)
        return count

    def ask_and_go(self, count=400):
        for _ in range(count):
            client = Client(self.aggregator.ready["listen"][0])
            assert client.ask("top", view="products", by="order_count")["ok"]
            client.close()
        return count

    def ask_nonsense(self, count=1000):
        client = Client(self.aggregator.ready["listen"][0])
        for number in range(count):
            assert not client.ask("get", view=f"view-{number}", key=["1"])["ok"]
        client.close()
        return count

    def read_metrics(self, count=100):
        for _ in range(count):
            for each in self.programs.values():
                each.metrics()
        return count

    # ---- what is left of it

    def held(self):
        self.pipe.wait_settled(3 * DEADLINE)
        gc.collect()
        time.sleep(SETTLED_S)
        return {name: heaps.heap(each) for name, each in self.programs.items()}

    def stop(self):
        self.till.close()
        self.pipe.stop()
        self.link.close()
        self.kafka.down()


SORTS = ("connect_tills", "refuse_frames", "keep_dead_letters", "repeat_frames", "sell", "cut_links", "ask_and_go", "ask_nonsense",
         "read_metrics")


def growth(samples):
    """From one round that is judged to the next; a block that a queue takes now and then is in few of them."""
    judged = samples[WARM - 1:]
    return statistics.median(after - before for before, after in zip(judged, judged[1:]))


def try_sort(rig, sort):
    """{program: growth in bytes for each that came and went}."""
    held, anonymous, count = {name: [] for name in rig.programs}, {name: [] for name in rig.programs}, 0
    for _ in range(ROUNDS):
        count = getattr(rig, sort)()
        for name, heap in rig.held().items():
            held[name].append(heap.held)
            anonymous[name].append(heaps.anonymous_bytes(rig.programs[name].pid))
    each = {name: growth(samples) / count for name, samples in held.items()}
    for name, samples in held.items():
        print(f"{sort}: {name}: {samples[0]:,} to {samples[-1]:,} in use, {each[name]:+.1f} for each of {count} a round; of the kernel's "
              f"{anonymous[name][0]:,} to {anonymous[name][-1]:,}", flush=True)
        assert each[name] < BYTES_EACH_MAX, f"{sort}: the {name} keeps {each[name]:.1f} bytes of each: {samples}"
    return each


def rounds(seed, deadline):
    folder = Path(tempfile.mkdtemp(prefix="till-leak-"))
    rig = Rig(folder, seed)
    try:
        while time.monotonic() < deadline:
            for sort in SORTS:
                each = try_sort(rig, sort)
                yield {"rounds": 1, "bytes_each_max": round(max(each.values()), 2)}
                if time.monotonic() >= deadline:
                    break
    except Exception as error:
        raise AssertionError(f"bench/long leak --seed {seed}, files in {folder}: {error}") from error
    finally:
        rig.stop()
    shutil.rmtree(folder)
