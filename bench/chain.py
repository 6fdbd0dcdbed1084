"""bench/run chain: orders a second from the edge's socket to totals that a query shows, through a real Kafka, beside what the
parts can do alone in the same run: librdkafka's raw produce and consume, the disk's fsync, the load generator's cost."""
import argparse
import json
import os
import multiprocessing
import subprocess
import tempfile
import time
from pathlib import Path

import zmq
from harness import BUILD, Broker, Pipeline, wait_until
from keys import Keys

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def run_json(*command, deadline=900):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=deadline, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def fsync_seconds(folder, rounds=200, size=64 * 1024):
    """Median time of one append of a spool-sized block and its fdatasync."""
    times = []
    with open(Path(folder) / "fsync", "wb", buffering=0) as file:
        for _ in range(rounds):
            start = time.perf_counter()
            file.write(bytes(size))
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    return sorted(times)[rounds // 2]


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def create_topic(kafka, name, partitions):
    kafka.topics("--create", "--topic", name, "--partitions", str(partitions), "--replication-factor", "1",
                 "--config", "message.timestamp.type=LogAppendTime")


def key_options(folder):
    """CURVE between edge and bridge: what each has in [security]."""
    keys = Keys(folder)
    keys.make("bridge")
    keys.make("bench-1", "--edges", "bench-1")
    return {"till-bridge": [f"security.key_file={keys.secret('bridge')}",
                            f"security.authorized={keys.directory('bridge', 'bench-1')}"],
            "till-edge": [f"security.key_file={keys.secret('bench-1')}", f"security.bridge_keys={keys.public('bridge')}"]}


def listen(endpoint, count):
    """So many subscribers of two views, each a connection of its own, that read all and keep nothing."""
    context, poller = zmq.Context(), zmq.Poller()
    for _ in range(count):
        socket = context.socket(zmq.SUB)
        for view in ("products", "users"):
            socket.subscribe(f"m/{view}\0".encode())
        socket.connect(endpoint)
        poller.register(socket, zmq.POLLIN)
    while True:
        for socket, _ in poller.poll():
            socket.recv_multipart()


def measure_chain(kafka, folder, arguments, shape, with_keys=False, subscribers=0):
    count, frame = arguments.count, arguments.frame
    folder = folder / (("keys" if with_keys else "plain") + f"-{subscribers}")
    folder.mkdir()
    options = key_options(folder) if with_keys else {"till-edge": []}
    options["till-edge"].append("edge.spool_max=4GiB")
    pipe = Pipeline(folder, kafka.bootstrap, f"{folder.name}-", edges=("bench-1",), options=options)
    try:
        pipe.start_aggregator()
        listener = multiprocessing.get_context("fork").Process(
            target=listen, args=(pipe.aggregator.ready["publish"], subscribers), daemon=True)
        if subscribers > 0:
            listener.start()
            wait_until(lambda: pipe.aggregator.metric("till_aggregator_live_subscribers") == subscribers, "subscribers")
        programs = {"till-edge": pipe.edges["bench-1"].pid, "till-bridge": pipe.bridges[0].pid,
                    "till-aggregator": pipe.aggregator.pid, "kafka": kafka.pid()}
        before = {name: cpu_seconds(pid) for name, pid in programs.items()}
        start = time.monotonic()
        push = run_json(BUILD / "bench" / "till-push", "--to", pipe.endpoint("bench-1"), "--count", count, "--frame",
                        frame, *shape)
        accepted_s = time.monotonic() - start

        def counted():
            rows = pipe.client.ask("get", view="stores", key=["bench-1", "XXX"]).get("rows")
            return rows and rows[0]["order_count"] >= count and rows
        rows = wait_until(counted, f"{count} orders in the totals", 900, every=0.005)
        total_s = time.monotonic() - start
        assert rows[0]["order_count"] == count, f"{rows[0]['order_count']} of {count}: counted more than once"
        cpu = {name: cpu_seconds(pid) - before[name] for name, pid in programs.items()}
        cpu["till-push"] = push["cpu_seconds"]
        live = {name: pipe.aggregator.metric(f"till_aggregator_live_{name}_total") for name in ("messages", "rows", "conflated")}
        if subscribers > 0:
            listener.kill()
        return {"live": live, "seconds": total_s, "per_second": count / total_s, "accepted_per_second": count / accepted_s, "cpu": cpu}
    finally:
        pipe.stop()


def main():
    parser = argparse.ArgumentParser(prog="bench/run chain")
    parser.add_argument("--count", type=int, default=1_000_000, help="orders")
    parser.add_argument("--frame", type=int, default=100, help="orders in a producer's frame")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--products", type=int, default=5_000)
    parser.add_argument("--keys", action="store_true", help="once more, with CURVE between edge and bridge")
    parser.add_argument("--subscribers", type=int, nargs="*", default=[],
                        help="once more for each of these numbers, with so many subscribers of two views")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    shape = ["--users", arguments.users, "--products", arguments.products]
    with tempfile.TemporaryDirectory(prefix="till-bench-", dir=os.environ.get("TILL_BENCH_DIR")) as folder:
        kafka = Broker(Path(folder) / "kafka")
        try:
            create_topic(kafka, "raw", 4)
            load = [BUILD / "bench" / "till-load", "--brokers", kafka.bootstrap, "--topic", "raw", *shape, "--count"]
            run_json(*load, 100_000)  # the broker's code is warm for both
            load.append(arguments.count)
            result = {"orders": arguments.count, "frame": arguments.frame, "fsync_seconds": fsync_seconds(folder),
                      "raw_produce": run_json(*load), "raw_consume": run_json(*load, "--mode", "consume"),
                      "chain": measure_chain(kafka, Path(folder), arguments, shape)}
            result["chain_with_subscribers"] = {
                count: measure_chain(kafka, Path(folder), arguments, shape, subscribers=count) for count in arguments.subscribers}
            if arguments.keys:
                result["chain_with_keys"] = measure_chain(kafka, Path(folder), arguments, shape, with_keys=True)
        finally:
            kafka.down()
    report(result, arguments.json)


def report_keys(result):
    with_keys, chain = result.get("chain_with_keys"), result["chain"]
    if with_keys is None:
        return
    print(f"chain with keys      {with_keys['per_second']:12,.0f} /s   CURVE between edge and bridge")
    print(f"with keys / without  {with_keys['per_second'] / chain['per_second']:12.2f}")
    for name in ("till-edge", "till-bridge"):
        more = with_keys["cpu"][name] - chain["cpu"][name]
        print(f"  cpu {name:16} {more * 1e6 / result['orders']:9.2f} µs an order more")


def report_subscribers(result):
    for count, measured in result["chain_with_subscribers"].items():
        print(f"{count:3} subscribers      {measured['per_second']:12,.0f} /s   "
              f"{measured['per_second'] / result['chain']['per_second']:.2f} of it; "
              f"{measured['live']['messages']:,.0f} messages, {measured['live']['rows']:,.0f} rows")
        more = measured["cpu"]["till-aggregator"] - result["chain"]["cpu"]["till-aggregator"]
        print(f"  cpu till-aggregator  {more * 1e6 / result['orders']:9.2f} µs an order more")


def report(result, as_json):
    chain, produce, consume = result["chain"], result["raw_produce"], result["raw_consume"]
    result["ratio_to_raw_produce"] = chain["per_second"] / produce["per_second"]
    if as_json:
        print(json.dumps(result))
        return
    print(f"{result['orders']:,} orders, {result['frame']} a frame, {os.cpu_count()} cores")
    print(f"raw produce          {produce['per_second']:12,.0f} /s   librdkafka alone, idempotent, acks=all")
    print(f"raw consume          {consume['per_second']:12,.0f} /s   librdkafka alone")
    print(f"fsync                {result['fsync_seconds'] * 1000:12.2f} ms   64 KiB appended, median")
    print(f"accepted by the edge {chain['accepted_per_second']:12,.0f} /s   durable, replied")
    print(f"chain                {chain['per_second']:12,.0f} /s   from the edge's socket to queryable totals")
    print(f"chain / raw produce  {result['ratio_to_raw_produce']:12.2f}")
    report_keys(result)
    report_subscribers(result)
    for name, seconds in sorted(chain["cpu"].items(), key=lambda item: -item[1]):
        print(f"  cpu {name:16} {seconds * 1e6 / result['orders']:9.2f} µs an order")


if __name__ == "__main__":
    main()
