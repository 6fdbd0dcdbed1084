"""A chain that lives, with a fault every few seconds that kills nothing: links cut or frozen, programs stopped for a while,
garbage, tills and askers that come and go. Totals are exact at the end. Sampled are, of each program, descriptors, its heap in use by
malloc's word and its memory that is no file's; of each spool and store the bytes of its tables. When a run took an hour or more, none
of these may grow by 1 % an hour over its last half. Every run says what of it grew most.

Left out of the slopes, and why:
- Mapped files: the kernel takes them back.
- The first half, and what is reached before it: buffers of a frame's largest size (4 MiB), LMDB's lists of pages (3 MiB an environment)
  and librdkafka's queues are reserved at the start and touched by the first that needs so much. `warm_up` needs it at once.
- The store's `fingerprints`: 7 bytes for each event by design, up to 1,048,576 rows (aggregator/books/fingerprints.h). Told apart, as bytes
  of them for each event.
- What is there for a moment (messages under way on a heap, events under way in a spool): of each piece of the last half its least is
  taken. A heap's growth is held against the whole memory of the program. bench/long_leak.py judges the heap in bytes for each thing that comes and goes.
- Free pages of LMDB's files, which are used again: files never shrink, so their size is the greatest backlog that ever was.
"""
import os
import random
import shutil
import signal
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import heaps
import lmdb_tables
from harness import DEADLINE, Broker, Client, Pipeline, Sender
from relay import Relay
from tills import Till

SALES = 5  # a frame
WARM_FRAMES = 20
BOUNDED = ("fingerprints",)
PASSING = ("heap", "tables")
PURCHASES = 5000  # order ids of one till, again and again: a store keeps each one that it has seen
SAMPLE_S = 5.0
SETTLE_S = 60.0
FAULT_MAX_S = 5.0
PIECES = 12
SLOPE_MAX_PERCENT = 1.0  # an hour
JUDGED_FROM_S = 3600.0  # a shorter run is noise


def slope_percent(samples):
    """Growth an hour of [(seconds, value)] by least squares, in percent of the mean."""
    count = len(samples)
    mean_t, mean_v = sum(t for t, _ in samples) / count, sum(v for _, v in samples) / count
    square = sum((t - mean_t) ** 2 for t, _ in samples)
    if square == 0 or mean_v == 0:
        return 0.0
    return sum((t - mean_t) * (v - mean_v) for t, v in samples) / square * 3600 / mean_v * 100


def mean(samples):
    return sum(value for _, value in samples) / len(samples)


def least(samples):
    """Of each piece, its least."""
    size = -(-len(samples) // PIECES)
    return [min(samples[at:at + size], key=lambda sample: sample[1]) for at in range(0, len(samples), size)]


class Soak:
    def __init__(self, folder, seed):
        self.folder, self.chance = folder, random.Random(seed)
        self.kafka = Broker(folder / "kafka")
        self.pipe = Pipeline(folder, self.kafka.bootstrap, "", edges=(), bridges=1, env=heaps.environment(folder))
        port = int(self.pipe.bridges[0].ready["listen"][0].rsplit(":", 1)[1])
        self.links = [Relay(("127.0.0.1", port)) for _ in range(2)]
        for number, link in enumerate(self.links):
            self.pipe.start_edge(f"store-{number}", bridges=f"tcp://{link.address}")
        self.pipe.start_aggregator()
        self.tills = [Till(self.pipe, name) for name in self.pipe.edges]
        self.programs = [*self.pipe.edges.values(), self.pipe.bridges[0], self.pipe.aggregator]
        self.faults, self.samples, self.begun = 0, {}, time.monotonic()

    def sample(self):
        now = time.monotonic() - self.begun
        measured = {}
        for each in self.programs:
            name = f"{each.name} {each.pid}"
            measured[f"heap of {name}"] = heaps.heap(each).held
            measured[f"memory of {name}"] = heaps.anonymous_bytes(each.pid)
            measured[f"descriptors of {name}"] = len(os.listdir(f"/proc/{each.pid}/fd"))
        for folder in sorted({path.parent for path in self.folder.glob("*/**/data.mdb")} - {self.kafka.folder}):
            for table, (_, taken) in lmdb_tables.tables(folder).items():
                sort = "bounded" if table in BOUNDED else "tables"
                measured[f"{sort} of {folder.relative_to(self.folder)}: {table}"] = taken
        for what, value in measured.items():
            self.samples.setdefault(what, []).append((now, value))

    def warm_up(self):
        """Once as much of everything as may come: what is reserved and not yet touched would count as growth."""
        self.pipe.bridges[0].signal(signal.SIGSTOP)
        for till in self.tills:
            for _ in range(WARM_FRAMES):
                till.next = 0
                till.sell(PURCHASES, DEADLINE)
        self.pipe.bridges[0].signal(signal.SIGCONT)
        self.pipe.wait_settled(3 * DEADLINE)
        for view in ("products", "users", "stores"):
            self.pipe.client.scan(view)

    # ---- what goes wrong; nothing dies

    def cut_link(self):
        self.chance.choice(self.links).break_off()

    def freeze_link(self):
        link = self.chance.choice(self.links)
        link.freeze()
        self.sell_for(self.chance.uniform(0.5, 3))
        link.thaw()

    def stop_program(self):
        each = self.chance.choice(self.programs)
        each.signal(signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.2, 2))
        each.signal(signal.SIGCONT)

    def send_garbage(self):
        sender = Sender(self.chance.choice(list(self.pipe.edges.values())).ready["listen"][0])
        sender.send_raw(self.chance.randbytes(self.chance.randrange(1, 4096)))
        sender.close()

    def ask(self):
        client = Client(self.pipe.aggregator.ready["listen"][0])
        client.ask("top", view="products")
        client.close()

    def sell_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for till in self.tills:
                till.next %= PURCHASES
                till.sell(SALES, DEADLINE)
            time.sleep(0.05)

    def run_until(self, deadline):
        self.warm_up()
        sampled = 0.0
        while time.monotonic() < deadline:
            self.chance.choice([self.cut_link, self.freeze_link, self.stop_program, self.send_garbage, self.ask])()
            self.faults += 1
            self.sell_for(self.chance.uniform(0.2, FAULT_MAX_S))
            if time.monotonic() - sampled > SAMPLE_S:
                sampled = time.monotonic()
                self.sample()

    # ---- the end

    def judge(self):
        """Told is counted; the slopes of the last half."""
        self.pipe.wait_settled(3 * DEADLINE)
        counted = {row["edge"]: (row["order_count"], Decimal(row["total_revenue"])) for row in self.pipe.client.scan("stores")}
        assert counted == {till.edge: (till.told, till.revenue) for till in self.tills}
        return self.judge_slopes()

    def judge_slopes(self):
        """A line for whatever grew; the steepest of each sort, the tables of one folder taken together."""
        slopes = {}
        for what, samples in sorted(self.samples.items()):
            slope = slope_percent(samples[len(samples) // 2:])
            if slope:
                print(f"{what}: {samples[0][1]:,} to {samples[-1][1]:,}, {slope:+.2f} % an hour over the last half", flush=True)
        for what, samples in self.summed().items():
            sort, of = what.split(" of ")
            last = samples[len(samples) // 2:]
            slope = slope_percent(least(last) if sort in PASSING else last)
            if sort == "heap":
                slope *= mean(samples) / mean(self.samples[f"memory of {of}"])
            slopes[sort] = max(slope, slopes.get(sort, slope))
        judged = {sort: slope for sort, slope in slopes.items() if sort != "bounded"}
        if time.monotonic() - self.begun > JUDGED_FROM_S:
            assert max(judged.values()) < SLOPE_MAX_PERCENT, slopes
        return {f"{sort}_percent_an_hour": round(slope, 2) for sort, slope in slopes.items()}

    def summed(self):
        """{what: samples}, with the tables of a folder added up: a few rows more in a small one are many percent."""
        sums = {}
        for what, samples in self.samples.items():
            at = sums.setdefault(what.split(":")[0], {})
            for seconds, value in samples:
                at[seconds] = at.get(seconds, 0) + value
        return {what: sorted(at.items()) for what, at in sums.items()}

    def stop(self):
        for till in self.tills:
            till.close()
        self.pipe.stop()
        for link in self.links:
            link.close()
        self.kafka.down()


def rounds(seed, deadline):
    folder = Path(tempfile.mkdtemp(prefix="till-soak-"))
    soak = Soak(folder, seed)
    try:
        soak.run_until(deadline - SETTLE_S)
        yield {"rounds": soak.faults, "sold": sum(till.told for till in soak.tills), "slopes": soak.judge()}
    except Exception as error:
        raise AssertionError(f"bench/long soak --seed {seed}, files in {folder}: {error}") from error
    finally:
        soak.stop()
    shutil.rmtree(folder)
