"""bench/run restart: how long an aggregator takes from its start to its first right answer, with few users and with many in its
store, one order each: after a stop, after kill -9, and without the note that says that its file was looked at whole, as after
a crash of the machine. In one run, in turns; and what a start costs in processor time and pages of memory until it says ready."""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from chain import create_topic
from harness import BUILD, Broker, Client, Pipeline, wait_until
from process import start_work

FEW = 1000
KINDS = ("stop", "kill", "crash")


class Store:
    """An aggregator with so many users."""

    def __init__(self, folder, kafka, users):
        folder.mkdir()
        self.users = users
        self.pipe = Pipeline(folder, kafka.bootstrap, f"restart-{users}-", edges=(), bridges=0)
        for name in ("orders", "cart_events", "page_views"):
            create_topic(kafka, f"{self.pipe.prefix}{name}", 4)
        subprocess.run([str(each) for each in (
            BUILD / "bench" / "till-load", "--brokers", kafka.bootstrap, "--topic", f"{self.pipe.prefix}orders", "--count", users,
            "--users", users, "--lines", 1, "--partitions", 4)], check=True, stdout=subprocess.DEVNULL)
        self.aggregator = self.pipe.start_aggregator()
        wait_until(lambda: self.pipe.client.ask("status").get("as_of", {}).get("lag") == 0, f"{users} orders", 900, every=0.05)
        wait_until(lambda: self.pipe.client.ask("status")["uncommitted"] == 0, "the last commit", 60)

    def end(self, kind):
        if kind == "stop":
            assert self.aggregator.stop() == 0
        else:
            self.aggregator.kill()
        if kind == "crash":
            for note in self.pipe.folder.rglob("looked"):
                note.unlink()

    def measure(self, kind):
        """Ends it so and starts it again; stops and starts it once more, as kills in a row count."""
        self.end(kind)
        begun = time.perf_counter()
        self.aggregator.start()
        ready_s, work = time.perf_counter() - begun, start_work(self.aggregator.pid)
        client = Client(self.aggregator.ready["listen"][0])
        wait_until(lambda: client.ask("get", view="users", key=[f"u{self.users - 1}", "XXX"]).get("rows"), "the first answer", every=0.002)
        answer_s = time.perf_counter() - begun
        client.close()
        self.end("stop")
        self.aggregator.start()
        self.pipe.client.connect()
        return {"ready_s": ready_s, "answer_s": answer_s, **work}


def medians(measured):
    return {name: statistics.median(each[name] for each in measured) for name in measured[0]}


def main():
    parser = argparse.ArgumentParser(prog="bench/run restart")
    parser.add_argument("--users", type=int, default=5_000_000)
    parser.add_argument("--starts", type=int, default=9, help="of each kind")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="till-bench-", dir=os.environ.get("TILL_BENCH_DIR")) as name:
        folder = Path(name)
        kafka = Broker(folder / "kafka")
        stores = []
        try:
            for users in (FEW, arguments.users):
                stores.append(Store(folder / f"users-{users}", kafka, users))
            result = {}
            for kind in KINDS:
                turns = [[store.measure(kind) for store in stores] for _ in range(arguments.starts)]
                result[kind] = {name: medians(each) for name, each in zip(("few", "many"), zip(*turns))}
        finally:
            for store in stores:
                store.pipe.stop()
            kafka.down()
    report(result, arguments)


def report(result, arguments):
    if arguments.json:
        print(json.dumps({"users": arguments.users, **result}))
        return
    print(f"medians of {arguments.starts} starts each, {FEW:,} and {arguments.users:,} users, {os.cpu_count()} cores")
    for kind in KINDS:
        few, many = result[kind]["few"], result[kind]["many"]
        print(f"after a {kind:6} first answer {few['answer_s'] * 1000:7.0f} ms and {many['answer_s'] * 1000:7.0f} ms, ratio {many['answer_s'] / few['answer_s']:.2f}; "
              f"ready {few['ready_s'] * 1000:.0f} and {many['ready_s'] * 1000:.0f} ms")
        print(f"               until ready {few['cpu_s'] * 1000:7.1f} and {many['cpu_s'] * 1000:7.1f} ms of processor time, "
              f"{few['pages']:,.0f} and {many['pages']:,.0f} pages of memory met")


if __name__ == "__main__":
    main()
