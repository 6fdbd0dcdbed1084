"""bench/run peers: till beside what people use today, in one run on one machine, the same bytes, the same Kafka, the same partitions.
Kafka Streams, Flink SQL and Spark count order_count and total_revenue per product from the topic that till-aggregator reads; rsyslog
brings the file into Kafka that till's edge and bridge bring. docs/PERFORMANCE.md says how it is measured and how each is set."""
import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import tempfile
from pathlib import Path

import peers_fetch
from chain import create_topic, cpu_seconds, fsync_seconds, run_json
from harness import BUILD, ROOT, Broker
from peers_engines import ENGINES, Place, read_totals, tree
from peers_files import WAYS

PARTITIONS = 4


def cpu_of(pids):
    total = 0
    for each in (each for pid in pids for each in tree(pid)):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended since
            total += cpu_seconds(each)
    return total


def rate(runner, pids, arguments):
    """Records a second, and microseconds of processor time of each, from the moment when the part that warms is durable to the
    moment when all are. The first look that sees `warm` or more is where it begins, with what is durable then."""
    begin = end = None
    for at_s, records in runner.progress(arguments.warm + arguments.count):
        if records >= arguments.warm:
            end = at_s, records, cpu_of(pids)
            begin = begin or end
    if begin is None or end[1] - begin[1] < arguments.count / 2:
        raise SystemExit(f"{runner.name} was done before it was seen at {arguments.warm:,} records: --count is too small for it")
    records = end[1] - begin[1]
    return {"per_second": records / (end[0] - begin[0]), "cpu_us": (end[2] - begin[2]) * 1e6 / records, "seconds": end[0] - begin[0]}


def compare(name, totals, wanted):
    wrong = sorted(product for product in {*totals, *wanted} if totals.get(product) != wanted.get(product))
    if wrong:
        raise SystemExit(f"{name}: {len(wrong)} of {len(wanted)} products are wrong, such as {wrong[0]}: {totals.get(wrong[0])}, "
                         f"not {wanted.get(wrong[0])}")


def measure(runner, pids, wanted, arguments):
    """One run, of which all totals are compared to the last cent."""
    try:
        result = rate(runner, pids, arguments)
        compare(runner.name, runner.totals(), wanted)
        return result
    finally:
        runner.end()


def place_of(folder, kafka, topic, number, arguments, peers):
    folder.mkdir()
    return Place(folder, kafka, topic, number, arguments.warm, *peers)


def count_topic(folder, kafka, wanted, arguments, peers):
    """{engine: [runs]}, the engines in turns."""
    runs = {name: [] for name in arguments.engines}
    for number in range(arguments.runs):
        for name in arguments.engines:
            engine = ENGINES[name](place_of(folder / f"{name}-{number}", kafka, "sales", number, arguments, peers))
            runs[name].append(measure(engine, [engine.pid], wanted, arguments))
            say(engine.name, runs[name][-1], arguments)
    return runs


def bring_file(folder, kafka, wanted, arguments, peers):
    runs = {name: [] for name in arguments.ways}
    for number in range(arguments.runs):
        for name in arguments.ways:
            topic = f"{name}-{number}-orders"
            place = place_of(folder / f"file-{name}-{number}", kafka, topic, number, arguments, peers)
            way = WAYS[name](place, folder / "sales.ndjson")
            runs[name].append(measure(way, way.pids, wanted, arguments))
            say(way.name, runs[name][-1], arguments)
            kafka.topics("--delete", "--topic", topic)
    return runs


def say(name, run, arguments):
    if not arguments.json:
        print(f"  {name:20} {run['per_second']:11,.0f} /s in {run['seconds']:.1f} s, {run['cpu_us']:.2f} µs of processor time each", flush=True)


def fill(folder, kafka, arguments):
    """The topic and the file, each from the same numbers. What the totals must be comes from the generator."""
    shape = ["--count", arguments.warm + arguments.count, "--users", arguments.users, "--products", arguments.products,
             "--edges", arguments.edges, "--partitions", PARTITIONS]
    create_topic(kafka, "sales", PARTITIONS)
    for topic in ("orders", "cart_events", "page_views"):
        create_topic(kafka, f"peers-{topic}", PARTITIONS)
    program = BUILD / "bench/till-fill"
    into = {"topic": run_json(program, "--brokers", kafka.bootstrap, "--topic", "sales", "--totals", folder / "totals", *shape)}
    if arguments.ways:
        into["file"] = run_json(program, "--file", folder / "sales.ndjson", *shape)
    return into


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown")
    git = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    commit = git.stdout.strip()
    java = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr.splitlines()[0]
    return {"cores": os.cpu_count(), "processor": model, "kernel": platform.release(), "load": os.getloadavg()[0], "commit": commit,
            "java": java}


def main():
    parser = argparse.ArgumentParser(prog="bench/run peers")
    parser.add_argument("--count", type=int, default=3_000_000, help="events that are measured")
    parser.add_argument("--warm", type=int, default=1_000_000, help="events before them, in the same topic, that are not")
    parser.add_argument("--runs", type=int, default=3, help="of each, in turns")
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--edges", type=int, default=50)
    parser.add_argument("--engines", nargs="*", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--ways", nargs="*", choices=list(WAYS), default=list(WAYS), help="from a file into Kafka")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    peers = peers_fetch.peers()
    with tempfile.TemporaryDirectory(prefix="till-bench-", dir=os.environ.get("TILL_BENCH_DIR")) as name:
        folder = Path(name)
        kafka = Broker(folder / "kafka")
        try:
            result = {"machine": machine(), "versions": peers_fetch.versions(), "events": arguments.count, "warm": arguments.warm,
                      "fsync_seconds": fsync_seconds(folder), "fill": fill(folder, kafka, arguments)}
            wanted = read_totals(folder / "totals")
            result["engines"] = count_topic(folder, kafka, wanted, arguments, peers)
            result["ways"] = bring_file(folder, kafka, wanted, arguments, peers)
        finally:
            kafka.down()
    report(result, arguments)


def report_runs(title, names, runs):
    print(f"\n{title:42}{'median /s':>12}{'least':>12}{'most':>12}{'µs each':>10}{'till is × it':>14}")
    rates = {name: sorted(run["per_second"] for run in each) for name, each in runs.items()}
    for name, each in rates.items():
        median = statistics.median(each)
        ratio = f"{statistics.median(rates['till']) / median:14.2f}" if "till" in rates else ""
        cpu_us = statistics.median(run["cpu_us"] for run in runs[name])
        print(f"{names[name].name:42}{median:12,.0f}{each[0]:12,.0f}{each[-1]:12,.0f}{cpu_us:10.2f}{ratio}")


def report(result, arguments):
    if arguments.json:
        print(json.dumps(result))
        return
    here = result["machine"]
    print(f"\n{here['cores']} cores of {here['processor']}, Linux {here['kernel']}, {here['java']}; load {here['load']:.1f} at the start; "
          f"till {here['commit']}")
    print(", ".join(f"{name} {version}" for name, version in result["versions"].items()))
    print(f"fsync of 64 KiB: {result['fsync_seconds'] * 1000:.2f} ms")
    for name, each in result["fill"].items():
        print(f"generator into the {name}: {each['per_second']:,.0f} /s, {each['cpu_seconds'] * 1e6 / each['records']:.2f} µs each, "
              f"{each['bytes_per_record']:.0f} bytes each")
    print(f"{result['warm']:,} events warm, {result['events']:,} are measured; all totals of all runs are right to the cent")
    if result["engines"]:
        report_runs("order_count and total_revenue by product", ENGINES, result["engines"])
    if result["ways"]:
        report_runs("from a file into Kafka", WAYS, result["ways"])


if __name__ == "__main__":
    main()
