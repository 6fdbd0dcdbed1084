"""bench/run sources: one edge with every kind of source at once, one of them flooded or fed garbage, each in turn. How long the
others then wait for an acknowledgement, beside how long they wait when all is quiet, in the same run."""
import argparse
import json
import os
import tempfile
import threading
import time
from pathlib import Path

from every_source import PROBES, Store
from floods import KINDS, Flood
from harness import sum_metric, wait_until

PAUSE_S = 0.02  # between two questions of a probe


class Stopwatch(threading.Thread):
    """Asks a probe again and again, and keeps how long each answer took."""

    def __init__(self, probe, first):
        super().__init__(daemon=True)
        self.probe, self.number, self.seconds = probe, first, []
        self.ending = threading.Event()
        self.start()

    def run(self):
        while not self.ending.wait(PAUSE_S):
            start = time.perf_counter()
            self.probe.ask(self.number)
            self.seconds.append(time.perf_counter() - start)
            self.number += 1

    def end(self):
        self.ending.set()
        self.join()
        return self


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class Trial:
    def __init__(self, store, names, seconds):
        self.store, self.seconds = store, seconds
        self.probes = {name: PROBES[name](store) for name in names}
        self.next = dict.fromkeys(names, 1)

    def measure(self):
        """{probe: [seconds]} of one phase."""
        watches = {name: Stopwatch(probe, self.next[name]) for name, probe in self.probes.items()}
        threading.Event().wait(self.seconds)
        for name, watch in watches.items():
            self.next[name] = watch.end().number
        return {name: watch.seconds for name, watch in watches.items()}

    def flood(self, kind, garbage):
        frames, before, start = self.store.flood_frames(kind), self.received(), time.monotonic()
        flood = Flood(kind, self.store.flood_target(kind), garbage)
        wait_until(lambda: self.store.flood_frames(kind) > frames, f"the flood of {kind}")
        try:
            seconds = self.measure()
        finally:
            flood.stop()
        elapsed_s = time.monotonic() - start
        rates = (self.store.flood_frames(kind) - frames) / elapsed_s, (self.received() - before) / elapsed_s
        self.settle()
        return seconds, *rates

    def received(self):
        return sum_metric(self.store.edge.metrics(), "till_edge_events_received_total")

    def settle(self):
        """Until what the flood left behind has been taken."""
        seen = []

        def quiet():
            seen.append(self.received())
            return len(seen) > 5 and seen[-1] == seen[-5]
        wait_until(quiet, "quiet", 300, every=0.1)


def main():
    parser = argparse.ArgumentParser(prog="bench/run sources")
    parser.add_argument("--seconds", type=float, default=8, help="of each phase")
    parser.add_argument("--probes", default=",".join(PROBES))
    parser.add_argument("--floods", default=",".join(KINDS))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="till-bench-", dir=os.environ.get("TILL_BENCH_DIR")) as folder:
        probes, floods = arguments.probes.split(","), arguments.floods.split(",")
        kinds = [kind for kind in KINDS if kind in probes + floods and kind not in ("zmq", "push")]
        store = Store(Path(folder), "edge.spool_max=8GiB", "edge.spool_max.order.dlq=100%", kinds=kinds)
        try:
            trial = Trial(store, probes, arguments.seconds)
            trial.measure()  # warm
            result = {"quiet": {"seconds": trial.measure()}}
            for kind in floods:
                for garbage in (False, True):
                    seconds, frames, events = trial.flood(kind, garbage)
                    result[f"{kind} {'garbage' if garbage else 'flood'}"] = {
                        "seconds": seconds, "frames_per_second": frames, "events_per_second": events}
        finally:
            store.close()
    report(result, arguments.json)


def report(result, as_json):
    quiet = result["quiet"]["seconds"]
    for phase in result.values():
        phase["p50"], phase["p99"] = ({name: quantile(each, share) for name, each in phase["seconds"].items()} for share in (0.5, 0.99))
        phase["answers"] = {name: len(each) for name, each in phase.pop("seconds").items()}
    if as_json:
        print(json.dumps(result))
        return
    print(f"{os.cpu_count()} cores. Quiet: ms until acknowledged, p50/p99; under each flood: times that.")
    names = list(quiet)
    base = result.pop("quiet")
    print(f"{'':16}{'frames/s':>11}{'events/s':>11}" + "".join(f"{name:>16}" for name in names))
    print(f"{'quiet':16}{'':>22}" + "".join(f"{base['p50'][name] * 1e3:9.1f}/{base['p99'][name] * 1e3:6.1f}" for name in names))
    for title, phase in result.items():
        ratios = "".join(f"{phase['p50'][name] / base['p50'][name]:9.1f}/{phase['p99'][name] / base['p99'][name]:6.1f}"
                         for name in names)
        print(f"{title:16}{phase['frames_per_second']:11,.0f}{phase['events_per_second']:11,.0f}{ratios}")


if __name__ == "__main__":
    main()
