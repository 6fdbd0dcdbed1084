"""Faults of the operating system under the real programs, drawn from a seed: fsync that fails or takes its time, disks that fill and
drain, too few descriptors and too little memory, clocks that leap, programs that stand still for a minute, spools and stores that are
put back. After each round what tills were told is counted, after each thirty to the cent and with all books."""
import concurrent.futures
import contextlib
import os
import random
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import ledger
import nth
from clocks import FOUND, LEAPS_S, give
from disk_cycles import AggregatorCycles, EdgeCycles
from faults import Faults
from harness import Broker, Client, Pipeline, Program, free_port, wait_until
from small_disk import KINDS, small_disk
from tills import Till, assert_told_is_counted

STOP_S = 60
AUDIT_EVERY = 30
SYNC_PLANS = ("calls=sync nth=1 errno=EIO", "calls=sync from=1 errno=EIO", "calls=pwrite nth=1 errno=EIO dsync",
              "calls=fdatasync from=1 delay_ms=1000")
LIMITS = {"nofile": (4, 320), "data": (1 << 20, 128 << 20), "as": (32 << 20, 1 << 30)}
# How often each comes: as often as all runs together are meant to show it. Stops take a minute each.
WEIGHTS = {**ledger.WANTED["os"], "limit": 200, "stop": 10}


def counted(pipe):
    answer = pipe.client.ask("scan", view="stores")
    return answer["ok"] and sum(row["order_count"] for row in answer["rows"])


def settle(pipe, till):
    wait_until(lambda: counted(pipe) == till.told, f"{till.told} orders counted", 180)


class World:
    """A pipeline and a till, with the programs by name."""

    def __init__(self, folder, bootstrap, prefix, **arguments):
        folder.mkdir()
        self.folder = folder
        self.pipe = Pipeline(folder, bootstrap, prefix, **arguments)
        self.pipe.start_aggregator()
        self.till = Till(self.pipe, "store-1") if self.pipe.edges else None

    def program(self, name):
        return {"edge": self.pipe.edges["store-1"], "bridge": self.pipe.bridges[0], "aggregator": self.pipe.aggregator}[name]

    def data(self, name):
        return (self.folder / {"edge": "edge-store_1", "aggregator": "store"}[name]).resolve()

    def ask_again(self):
        self.pipe.client.close()
        self.pipe.client = Client(self.pipe.aggregator.ready["listen"][0])


class Rounds:
    def __init__(self, folder, chance):
        self.folder, self.chance = folder, chance
        self.broker = Broker(folder / "kafka")
        self.ends = contextlib.ExitStack()
        self.ends.callback(self.broker.down)
        self.worlds = {}

    def world(self, name, make=None, **arguments):
        if name not in self.worlds:
            world = World(self.folder / name, self.broker.bootstrap, f"{name}-", **arguments)
            self.ends.callback(world.pipe.stop)
            if make is not None:
                make(world)
            self.worlds[name] = world
        return self.worlds[name]

    # -- one round of each

    def sync(self):
        world, name = self.world("sync"), self.chance.choice(("edge", "aggregator"))
        plan, victim = self.chance.choice(SYNC_PLANS), world.program(name)
        assert victim.stop() == 0
        faults = Faults(world.folder, f"{plan} under={world.data(name)} armed")
        victim.env = faults.environment
        victim.start()
        world.ask_again()
        faults.arm()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            sold = pool.submit(world.till.sell, 5, 5)
            if "errno" in plan:
                assert victim.wait() == 1, victim.log_tail()
            else:
                wait_until(lambda: faults.injected, "an fsync that takes its time")
                faults.arm(False)
                sold.result()
            victim.env = None
            victim.restart()
            sold.result()
        world.ask_again()
        settle(world.pipe, world.till)

    def on_disk(self, kind):
        def make(world):
            disk = self.ends.enter_context(small_disk(kind, world.folder / "disk", 8 if kind == "tmpfs" else 16))
            world.pipe.edges["store-1"] = Program("till-edge", [
                "-o", "edge.id=store-1", "-o", f"edge.data={disk}/spool", "-o", f"edge.listen=tcp://127.0.0.1:{free_port()}",
                "-o", f"edge.bridges={world.pipe.bridge_endpoints()}", "-o", "http.listen=127.0.0.1:0"], world.folder / "edge.log")
            self.ends.callback(world.pipe.stop)
            world.cycles = EdgeCycles(world.pipe, "store-1")
            world.till = world.cycles.till
        return make

    def edge_disk(self):
        kind = self.chance.choice(KINDS)
        world = self.world(f"edge-{kind}", self.on_disk(kind), edges=())
        world.cycles.cycle()
        settle(world.pipe, world.till)

    def aggregator_disk(self):
        kind = self.chance.choice(KINDS)
        name = f"aggregator-{kind}"
        if name not in self.worlds:
            disk = self.ends.enter_context(small_disk(kind, self.folder / f"{name}-disk", 64))
            (disk / "store").mkdir()
            world = self.world(name, options={"till-aggregator": [f"aggregator.data={disk}/store"]})
            world.cycles = AggregatorCycles(world.pipe, "store-1", disk)
            world.till = world.cycles.till
        self.worlds[name].cycles.cycle()
        settle(self.worlds[name].pipe, self.worlds[name].till)

    def limit(self):
        if "limits" not in self.worlds:
            (self.folder / "limits").mkdir()
            self.worlds["limits"] = nth.Rigs(self.folder / "limits", self.broker.bootstrap, "limits-")
            self.ends.callback(self.worlds["limits"].stop)
        name = self.chance.choice(("till-edge", "till-bridge", "till-aggregator"))
        what = self.chance.choice(list(LIMITS))
        amount = self.chance.randrange(*LIMITS[what])
        self.worlds["limits"].round_limited(name, f"--{what}={amount}:{amount}")

    def leap(self):
        def make(world):
            world.till.sell(1)
            world.clocks = {name: give(world.program(name), world.folder / f"{name}.clock") for name in ("edge", "bridge", "aggregator")}
            world.ask_again()
        world = self.world("clock", make)
        name = self.chance.choice(list(world.clocks))
        if self.chance.random() < 0.2:
            world.clocks[name].freeze()
        else:
            world.clocks[name].leap(self.chance.choice(LEAPS_S))
        if self.chance.random() < 0.2:
            world.program(name).restart()
        world.till.sell(5)
        settle(world.pipe, world.till)

    def stop(self):
        world = self.world("stop", bridges=2)
        name = self.chance.choice(("edge", "bridge", "aggregator", "kafka"))
        pid = self.broker.pid() if name == "kafka" else world.program(name).pid
        with concurrent.futures.ThreadPoolExecutor() as pool:
            os.kill(pid, signal.SIGSTOP)
            try:
                sold = pool.submit(world.till.sell, 5, 2 * STOP_S)
                select.select([], [], [], STOP_S)
            finally:
                os.kill(pid, signal.SIGCONT)
            sold.result()
        settle(world.pipe, world.till)

    def restore(self):
        world = self.world("restore")
        world.till.sell(5)
        if self.chance.random() < 0.5:
            self.restore_edge(world)
        else:
            self.restore_store(world)
        world.till.sell(5)
        settle(world.pipe, world.till)

    def restore_edge(self, world):
        """From a copy of the stopped spool, which may have what is sent already."""
        edge, copy = world.program("edge"), world.folder / "edge-copy"
        edge.kill()
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(world.data("edge"), copy)
        edge.start()
        world.pipe.wait_drained()
        edge.kill()
        shutil.rmtree(world.data("edge"))
        shutil.copytree(copy, world.data("edge"))
        edge.start()

    def restore_store(self, world):
        shard = next(path.parent for path in world.data("aggregator").rglob("data.mdb"))
        backup = world.folder / "backup"
        shutil.rmtree(backup, ignore_errors=True)
        backup.mkdir()
        subprocess.run(["mdb_copy", shard, backup], check=True)
        world.till.sell(5)
        settle(world.pipe, world.till)
        world.pipe.aggregator.kill()
        shutil.rmtree(shard)
        shutil.copytree(backup, shard)
        world.pipe.aggregator.start()
        world.ask_again()

    def audit(self):
        for name, world in self.worlds.items():
            if name != "limits":
                assert_told_is_counted(world.pipe, [world.till], 300)


def choices():
    able = {name: weight for name, weight in WEIGHTS.items() if name != "leap" or FOUND}
    return {name: weight for name, weight in able.items() if not name.endswith("_disk") or os.geteuid() == 0}


def rounds(seed, deadline):
    chance = random.Random(seed)
    weights = choices()
    with tempfile.TemporaryDirectory(prefix="till-os-") as folder:
        work = Rounds(Path(folder), chance)
        with work.ends:
            done = 0
            while time.monotonic() < deadline:
                name = chance.choices(list(weights), weights.values())[0]
                try:
                    getattr(work, name)()
                    done += 1
                    if done % AUDIT_EVERY == 0:
                        work.audit()
                except Exception as error:
                    raise AssertionError(f"bench/long os --seed {seed}, round {done + 1}, {name}: {error}") from error
                yield {"rounds": 1, name: 1}
            work.audit()
