"""bench/run store: what a store costs: bytes a row of each view, bytes written by the process an order and view, processor time an order;
with four views and with all shipped ones, in one run on one log. Then how long each of 500 `get` a second takes while 100,000 orders a
second come in, beside the same without any, and in turns with it how long a process takes that does nothing but send back what it is
asked: that much is the machine's. What an order costs the counting alone: till-count."""
import argparse
import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from pathlib import Path

import msgpack
import zmq
from chain import cpu_seconds, create_topic, run_json
from harness import BUILD, Broker, Pipeline, wait_until

FOUR = """
[view.products]
group_by = product_id
measures = order_count = count(), total_quantity = sum(quantity), total_revenue = sum(revenue)

[view.users]
group_by = user_id
measures = basket_count = distinct(basket), order_count = count(), total_quantity = sum(quantity), total_revenue = sum(revenue), last_order = last(ts)

[view.sales_per_minute]
group_by = minute(ts)
measures = order_count = count(), total_quantity = sum(quantity), total_revenue = sum(revenue)

[view.stores]
group_by = edge
measures = order_count = count(), total_revenue = sum(revenue), basket_count = distinct(basket)
"""
WINDOW_S = 10


def written_bytes(pid):
    """What the process had the disk write."""
    lines = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(lines["write_bytes"])


def used_bytes(folder):
    return sum(path.stat().st_blocks * 512 for path in Path(folder).rglob("data.mdb"))


def start(folder, kafka, views):
    """An aggregator on the log; the shipped views where none are given."""
    folder.mkdir()
    pipe = Pipeline(folder, kafka.bootstrap, "store-", edges=(), bridges=0)
    (folder / "views.conf").write_text(views)
    pipe.start_aggregator("-c", folder / "views.conf")
    return pipe


def counted(pipe):
    return sum(row["order_count"] for row in pipe.client.ask("scan", view="stores").get("rows", ()))


def measure(folder, kafka, views, count):
    """Counts the whole log from its start into a new store."""
    begun = time.monotonic()
    pipe = start(folder, kafka, views)
    try:
        wait_until(lambda: counted(pipe) >= count, f"{count} orders", 900, every=0.05)
        seconds = time.monotonic() - begun
        wait_until(lambda: pipe.client.ask("status")["uncommitted"] == 0, "the last commit", 60)
        shown = [each for each in pipe.client.ask("views")["views"] if each["kind"] == "order"]
        rows = sum(each["stored_rows"] for each in shown)
        pid = pipe.aggregator.pid
        return {"views": len(shown), "rows": rows, "store_bytes": used_bytes(folder), "written_bytes": written_bytes(pid), "cpu_s": cpu_seconds(pid),
                "seconds": seconds}
    finally:
        pipe.stop()


def send_back(sender):
    """A process that answers each question with the question."""
    socket = zmq.Context().socket(zmq.REP)
    sender.send(f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}")
    while True:
        socket.send(socket.recv())


class Asker:
    """Milliseconds of each answer over one connection: `alone` from the question to its answer, `waits` with the time for which a
    question had to wait for the answer before it: a pause is not seen by a single question, but by all that would have come meanwhile."""

    def __init__(self, endpoint):
        self.socket, self.alone, self.waits, self.answered = zmq.Context.instance().socket(zmq.REQ), [], [], 0
        self.socket.connect(endpoint)

    def ask(self, request, due):
        if self.answered < due:
            time.sleep(max(0, due - time.perf_counter()))
            due = time.perf_counter()
        asked = time.perf_counter()
        self.socket.send(request)
        answer = self.socket.recv()
        self.answered = time.perf_counter()
        self.alone.append((self.answered - asked) * 1000)
        self.waits.append((self.answered - due) * 1000)
        return answer

    def percentiles(self):
        self.socket.close(0)
        alone, waits = sorted(self.alone), sorted(self.waits)
        return {"p50_ms": alone[len(alone) // 2], "p99_ms": alone[len(alone) * 99 // 100], "max_ms": alone[-1],
                "p99_with_waits_ms": waits[len(waits) * 99 // 100], "asked": len(alone)}


def ask_for(endpoints, users, seconds, rate):
    """Of `get` and of what sends back, in turns, so many of both a second."""
    get, echo = (Asker(endpoint) for endpoint in endpoints)
    begun = time.perf_counter()
    for number in range(0, int(seconds * rate), 2):
        request = msgpack.packb({"query": "get", "view": "users", "key": [f"u{number * 7919 % users}"]})
        assert msgpack.unpackb(get.ask(request, begun + number / rate))["ok"]
        assert echo.ask(request, begun + (number + 1) / rate) == request
    return {"get": get.percentiles(), "echo": echo.percentiles()}


def measure_gets(folder, kafka, arguments, shape, views=FOUR):
    """In quiet, then under load."""
    receiver, sender = multiprocessing.Pipe(False)
    echo = multiprocessing.get_context("spawn").Process(target=send_back, args=(sender,), daemon=True)
    echo.start()
    pipe = start(folder, kafka, views)
    try:
        wait_until(lambda: counted(pipe) >= arguments.count, "all orders", 900, every=0.05)
        endpoints = pipe.aggregator.ready["listen"][0], receiver.recv()
        quiet = ask_for(endpoints, arguments.users, WINDOW_S, arguments.asks)
        load = subprocess.Popen([str(each) for each in (
            BUILD / "bench" / "till-load", "--brokers", kafka.bootstrap, "--topic", "store-orders", "--edge", "bench-2", *shape, "--count",
            arguments.rate * (WINDOW_S + 4), "--rate", arguments.rate)], stdout=subprocess.PIPE, text=True)
        wait_until(lambda: counted(pipe) > arguments.count + arguments.rate, "the load", 60, every=0.05)
        begun, before = time.monotonic(), counted(pipe)
        busy = ask_for(endpoints, arguments.users, WINDOW_S, arguments.asks)
        busy["orders_per_second"] = (counted(pipe) - before) / (time.monotonic() - begun)
        load.communicate(timeout=120)
        return {"quiet": quiet, "busy": busy}
    finally:
        pipe.stop()
        echo.kill()


def main():
    parser = argparse.ArgumentParser(prog="bench/run store")
    parser.add_argument("--count", type=int, default=2_000_000, help="orders")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--products", type=int, default=5_000)
    parser.add_argument("--rate", type=int, default=100_000, help="orders a second while it is asked")
    parser.add_argument("--asks", type=int, default=1000, help="questions a second meanwhile, of both kinds")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    shape = ["--users", arguments.users, "--products", arguments.products]
    with tempfile.TemporaryDirectory(prefix="till-bench-", dir=os.environ.get("TILL_BENCH_DIR")) as name:
        folder = Path(name)
        kafka = Broker(folder / "kafka")
        try:
            for topic in ("store-orders", "store-cart_events", "store-page_views"):
                create_topic(kafka, topic, 4)
            run_json(BUILD / "bench" / "till-load", "--brokers", kafka.bootstrap, "--topic", "store-orders", *shape, "--count", arguments.count)
            shipped = (Path(__file__).resolve().parents[1] / "deploy" / "views.conf").read_text()
            result = {"orders": arguments.count, "four": measure(folder / "four", kafka, FOUR, arguments.count),
                      "shipped": measure(folder / "shipped", kafka, shipped, arguments.count),
                      "gets": {"four": measure_gets(folder / "get-four", kafka, arguments, shape),
                               "shipped": measure_gets(folder / "get-shipped", kafka, arguments, shape, shipped)}, "apply": run_json(BUILD / "bench" / "till-count")}
        finally:
            kafka.down()
    report(result, arguments)


def report(result, arguments):
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"{result['orders']:,} orders of {arguments.users:,} users and {arguments.products:,} products, {os.cpu_count()} cores")
    for name in ("four", "shipped"):
        each, orders = result[name], result["orders"]
        print(f"{each['views']:2} views of orders  {each['store_bytes'] / each['rows']:8.0f} bytes a row, members, streams and free pages with it; {each['rows']:,} rows")
        print(f"                   {each['written_bytes'] / orders:8.1f} bytes written an order, {each['written_bytes'] / orders / each['views']:.2f} an order and view")
        print(f"                   {each['cpu_s'] * 1e6 / orders:8.2f} µs of processor time an order, {each['cpu_s'] * 1e6 / orders / each['views']:.2f} an order and view")
    print(f"shipped / four     {result['shipped']['written_bytes'] / result['four']['written_bytes']:8.2f} bytes written, "
          f"{result['shipped']['cpu_s'] / result['four']['cpu_s']:.2f} processor time")
    for views, measured in result["gets"].items():
        for name in ("quiet", "busy"):
            for asked in ("get", "echo"):
                each = measured[name][asked]
                print(f"{views:8}{name:6}{asked:5}{each['p50_ms']:8.3f} ms median, {each['p99_ms']:.3f} ms p99, {each['max_ms']:.1f} ms at most, of {each['asked']:,}; "
                      f"{each['p99_with_waits_ms']:.3f} ms p99 with waits for answers before")
        print(f"                   while {measured['busy']['orders_per_second']:,.0f} orders a second came in")


if __name__ == "__main__":
    main()
