"""bench/ledger.ndjson: what long runs have shown so far, a line a run: what, seed, commit, day, rounds, seconds, and figures of
the runner's own, which are sums (names that end in _max: the greatest). A run that failed has `failed`, the words of its failure."""
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATH = ROOT / "bench" / "ledger.ndjson"
# What a runner is meant to reach, over all its runs: figure -> how many.
WANTED = {
    "sim": {"rounds": 1_000_000},
    "broker": {"broker_faults": 500},
    "surgery": {"rounds": 20},
    "power": {"images": 100_000},
    "flips": {"flips": 100_000},
    "views": {"events": 2_000_000},
    "kill": {"rounds": 10_000, "broker_faults": 500, "failovers": 2_000},
    "net": {"partitions": 1_000, "cuts": 10_000, "failovers": 2_000},
    "nth": {"injections": 5_000},
    "os": {"sync": 1_000, "edge_disk": 200, "aggregator_disk": 200, "leap": 200, "restore": 500},
    "fuzz": {f"runs of {path.stem.removeprefix('fuzz_')}": 10_000_000 for path in (ROOT / "tests" / "fuzz").glob("fuzz_*.c")},
}


def entries(what=None, path=PATH):
    lines = path.read_text().splitlines() if path.exists() else []
    found = [json.loads(line) for line in lines if line]
    return [entry for entry in found if what in (None, entry["what"])]


def append(entry, path=PATH):
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(entry, separators=(", ", ": ")) + "\n")


def add_figures(total, figures):
    """Numbers are added, maxima kept, the rest is the last one's."""
    for name, value in figures.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            total[name] = value
        elif name.endswith("_max"):
            total[name] = max(total.get(name, value), value)
        else:
            total[name] = total.get(name, 0) + value
    return total


def sums(path=PATH):
    """{what: {"runs": , "failed": , "rounds": , "seconds": , figures}} of all entries."""
    totals = {}
    for entry in entries(path=path):
        total = totals.setdefault(entry["what"], {"runs": 0, "failed": 0})
        total["runs"] += 1
        total["failed"] += "failed" in entry
        add_figures(total, {key: entry[key] for key in ("rounds", "seconds")})
        add_figures(total, entry.get("figures", {}))
    return totals
