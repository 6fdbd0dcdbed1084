"""bench/run limits: what libraries and machine give to a program that does nothing else, to set other benches beside: librdkafka produces and
consumes through a real Kafka, LMDB takes a commit's rows and syncs them, a question goes over ZeroMQ and back, records are copied once."""
import argparse
import json
import os
import tempfile
from pathlib import Path

from chain import create_topic, fsync_seconds, run_json
from harness import BUILD, Broker


def measure(folder, arguments):
    store = folder / "store"
    store.mkdir()
    result = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "fsync_seconds": fsync_seconds(folder),
              **run_json(BUILD / "bench/till-limit", "--folder", store, "--rows", arguments.rows)}
    kafka = Broker(folder / "kafka")
    try:
        create_topic(kafka, "raw", 4)
        load = [BUILD / "bench/till-load", "--brokers", kafka.bootstrap, "--topic", "raw", "--count"]
        run_json(*load, 100_000)  # the broker's code is warm for both
        load.append(arguments.count)
        return {**result, "produce": run_json(*load), "consume": run_json(*load, "--mode", "consume")}
    finally:
        kafka.down()


def report(result):
    lmdb, zmq, copy = result["lmdb"], result["zmq"], result["copy"]
    print(f"{result['cores']} cores, load {result['load']:.1f} at the start")
    print(f"fsync            {result['fsync_seconds'] * 1000:12.2f} ms   64 KiB appended, median")
    print(f"LMDB             {lmdb['puts_per_second']:12,.0f} /s   rows changed, {lmdb['rows']:,} in a commit of "
          f"{lmdb['commit_seconds'] * 1000:.1f} ms, synced, median")
    print(f"ZeroMQ           {zmq['round_trips_per_second']:12,.0f} /s   questions and answers, one at a time; {zmq['p50_us']} µs median, "
          f"{zmq['p99_us']} µs p99")
    print(f"copy             {copy['records_per_second']:12,.0f} /s   records of {copy['bytes_per_record']} bytes copied, each byte looked at")
    print(f"librdkafka       {result['produce']['per_second']:12,.0f} /s   produced, idempotent, acks=all")
    print(f"librdkafka       {result['consume']['per_second']:12,.0f} /s   consumed, checksums checked")


def main():
    parser = argparse.ArgumentParser(prog="bench/run limits")
    parser.add_argument("--count", type=int, default=1_000_000, help="orders through Kafka")
    parser.add_argument("--rows", type=int, default=20_000, help="of LMDB's commit")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="till-bench-", dir=os.environ.get("TILL_BENCH_DIR")) as name:
        result = measure(Path(name), arguments)
    print(json.dumps(result)) if arguments.json else report(result)


if __name__ == "__main__":
    main()
