"""bench/run sse: how fast orders are counted while browsers look at live answers, against how fast without, in turns of one
run. The aggregator stands still while its topic is filled; then it counts what is there as fast as it goes, and in every
second turn as many clients as asked for have /events open, each with the queries of one page."""
import argparse
import json
import os
import selectors
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from chain import cpu_seconds, create_topic
from harness import BUILD, DEADLINE, Broker, Pipeline, sum_metric, wait_until
from web_client import events_path

PAGE = [
    {"query": "top", "view": "products", "by": "total_revenue", "limit": 20},
    {"query": "top", "view": "users", "by": "total_revenue", "limit": 20},
    {"query": "scan", "view": "weekday_hour", "limit": 200},
    {"query": "scan", "view": "stores", "limit": 100},
    {"query": "scan", "view": "channels", "limit": 100},
    {"query": "status"},
]


class Lookers(threading.Thread):
    """So many connections to /events; what comes is read and counted, by one thread."""

    def __init__(self, aggregator, count):
        super().__init__(daemon=True)
        host, port = aggregator.ready["http"].rsplit(":", 1)
        self.selector, self.bytes, self.answers, self.is_over = selectors.DefaultSelector(), 0, 0, False
        for _ in range(count):
            connection = socket.create_connection((host, int(port)), timeout=DEADLINE)
            connection.sendall(f"GET {events_path(*PAGE)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            connection.setblocking(False)
            self.selector.register(connection, selectors.EVENT_READ)
        self.start()

    def run(self):
        while not self.is_over:
            for key, _ in self.selector.select(0.1):
                data = key.fileobj.recv(1 << 18)
                assert data, "the aggregator hung up"
                self.bytes += len(data)
                self.answers += data.count(b"event: answer")

    def close(self):
        self.is_over = True
        self.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()


def counted(pipe):
    return pipe.client.ask("status")["kinds"]["order"]["counted"]


def rate(pipe, seconds):
    """Orders a second from now on, and microseconds of the aggregator's processor time each; None: there were not enough left."""
    begun, before, cpu = time.monotonic(), counted(pipe), cpu_seconds(pipe.aggregator.pid)
    time.sleep(seconds)
    passed, after, spent = time.monotonic() - begun, pipe.client.ask("status"), cpu_seconds(pipe.aggregator.pid) - cpu
    orders = after["kinds"]["order"]["counted"] - before
    return None if after["as_of"]["lag"] == 0 else (orders / passed, spent * 1e6 / orders)


def fill(kafka, pipe, count):
    subprocess.run([str(each) for each in (
        BUILD / "bench" / "till-load", "--brokers", kafka.bootstrap, "--topic", f"{pipe.prefix}orders", "--count", count,
        "--users", 100000, "--lines", 3, "--partitions", 4)], check=True, stdout=subprocess.DEVNULL)


def measure(folder, arguments):
    kafka = Broker(folder / "kafka")
    pipe = Pipeline(folder, kafka.bootstrap, "sse-", edges=(), bridges=0)
    rates, costs = {"without": [], "with": []}, {"without": [], "with": []}
    seen = {"answers": 0, "bytes": 0, "seconds": 0.0}
    try:
        for name in ("orders", "cart_events", "page_views"):
            create_topic(kafka, f"{pipe.prefix}{name}", 4)
        aggregator = pipe.start_aggregator()
        wait_until(lambda: aggregator.http("/readyz")[0] == 200, "an aggregator that answers")
        aggregator.signal(signal.SIGSTOP)
        fill(kafka, pipe, arguments.orders)
        aggregator.signal(signal.SIGCONT)
        wait_until(lambda: counted(pipe) > arguments.orders / 50, "that it counts", 120)
        while True:
            without = rate(pipe, arguments.turn)
            lookers = Lookers(aggregator, arguments.clients)
            time.sleep(1)  # their first answers are made for all of them at once
            answers, size, begun = lookers.answers, lookers.bytes, time.monotonic()
            with_ = rate(pipe, arguments.turn)
            seen["answers"] += lookers.answers - answers
            seen["bytes"] += lookers.bytes - size
            seen["seconds"] += time.monotonic() - begun
            lookers.close()
            wait_until(lambda: aggregator.metric("till_aggregator_sse_clients") == 0, "that they are gone")
            if without is None or with_ is None:
                break
            for name, (orders, cost) in (("without", without), ("with", with_)):
                rates[name].append(orders)
                costs[name].append(cost)
        metrics = aggregator.metrics()
        return {"clients": arguments.clients, "orders": arguments.orders, "turns": len(rates["with"]), "orders_per_second": rates, "cpu_us_per_order": costs,
                "ratio": statistics.mean(rates["with"]) / statistics.mean(rates["without"]) if rates["with"] else None,
                "answers_per_client_and_second": seen["answers"] / seen["seconds"] / arguments.clients,
                "bytes_per_second": seen["bytes"] / seen["seconds"],
                "evaluations": sum_metric(metrics, "till_aggregator_sse_evaluations_total"),
                "evaluation_seconds": sum_metric(metrics, "till_aggregator_sse_evaluation_seconds_total"),
                "postponed": sum_metric(metrics, "till_aggregator_sse_postponed_total")}
    finally:
        pipe.stop()
        kafka.down()


def main():
    parser = argparse.ArgumentParser(prog="bench/run sse")
    parser.add_argument("--orders", type=int, default=12_000_000)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--turn", type=float, default=2.0, help="seconds with and without them, in turns")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="till-bench-", dir=os.environ.get("TILL_BENCH_DIR")) as name:
        result = measure(Path(name), arguments)
    if arguments.json:
        print(json.dumps(result))
        return
    for name in ("without", "with"):
        print(f"{name:8} " + " ".join(f"{each:>9.2f}" for each in result["cpu_us_per_order"][name]) + " µs of processor time an order")
        print(f"{name:8} " + " ".join(f"{each:>9,.0f}" for each in result["orders_per_second"][name]) + " orders/s")
    print(f"ratio {result['ratio']:.3f} in {result['turns']} turns, {result['clients']} clients")
    costs = [statistics.mean(result["cpu_us_per_order"][name]) for name in ("without", "with")]
    print(f"processor time an order {costs[0]:.2f} µs without, {costs[1]:.2f} with: {costs[1] / costs[0]:.3f}")
    print(f"each had {result['answers_per_client_and_second']:.1f} answers a second, all {result['bytes_per_second'] / 1e6:.1f} MB/s; "
          f"{result['evaluations']:.0f} were made in {result['evaluation_seconds']:.2f} s, {result['postponed']:.0f} put off")


if __name__ == "__main__":
    main()
