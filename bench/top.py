"""bench/run top: how long `top` 10 of 100,000 products takes while 100,000 orders a second come in, beside `get` and a process that does
nothing but send back what it is asked, in turns; and beside `top` 101, which walks all rows as every `top` would without the rows that
lead, a few times only, for each holds up the counting."""
import argparse
import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from pathlib import Path

import msgpack
from chain import create_topic, run_json
from harness import BUILD, Broker, sum_metric, wait_until
from store import FOUR, WINDOW_S, Asker, counted, send_back, start


def ask_in_turns(endpoints, arguments):
    """A walk comes every two seconds; of all others so many a second."""
    kinds = ("top", "get", "echo", "walk")
    asked = {kind: Asker(endpoints[kind == "echo"]) for kind in kinds}
    requests = {"top": {"query": "top", "view": "products", "by": "total_revenue", "limit": 10},
                "walk": {"query": "top", "view": "products", "by": "total_revenue", "limit": 101}}
    begun, walked = time.perf_counter(), 0
    for number in range(int(WINDOW_S * arguments.asks)):
        kind = kinds[number % 3]
        requests["get"] = requests["echo"] = {"query": "get", "view": "products", "key": [f"p{number * 7919 % arguments.products}"]}
        answer = asked[kind].ask(msgpack.packb(requests[kind]), begun + number / arguments.asks)
        assert kind == "echo" or msgpack.unpackb(answer)["ok"]
        if time.perf_counter() - begun > 2 * (walked + 1):
            walked += 1
            asked["walk"].ask(msgpack.packb(requests["walk"]), time.perf_counter())
    return {kind: asker.percentiles() for kind, asker in asked.items()}


def measure(folder, arguments):
    kafka = Broker(folder / "kafka")
    shape = ["--users", 100_000, "--products", arguments.products]
    receiver, sender = multiprocessing.Pipe(False)
    echo = multiprocessing.get_context("spawn").Process(target=send_back, args=(sender,), daemon=True)
    echo.start()
    pipe = None
    try:
        for topic in ("store-orders", "store-cart_events", "store-page_views"):
            create_topic(kafka, topic, 4)
        run_json(BUILD / "bench" / "till-load", "--brokers", kafka.bootstrap, "--topic", "store-orders", *shape, "--count", arguments.count)
        pipe = start(folder / "top", kafka, FOUR)
        wait_until(lambda: counted(pipe) >= arguments.count, "all orders", 900, every=0.05)
        endpoints = pipe.aggregator.ready["listen"][0], receiver.recv()
        quiet = ask_in_turns(endpoints, arguments)
        load = subprocess.Popen([str(each) for each in (
            BUILD / "bench" / "till-load", "--brokers", kafka.bootstrap, "--topic", "store-orders", "--edge", "bench-2", *shape, "--count",
            arguments.rate * (WINDOW_S + 4), "--rate", arguments.rate)], stdout=subprocess.DEVNULL)
        wait_until(lambda: counted(pipe) > arguments.count + arguments.rate, "the load", 60, every=0.05)
        begun, before = time.monotonic(), counted(pipe)
        busy = ask_in_turns(endpoints, arguments)
        rate = (counted(pipe) - before) / (time.monotonic() - begun)
        load.wait(120)
        metrics = pipe.aggregator.metrics()
        return {"quiet": quiet, "busy": busy, "orders_per_second": rate,
                "by_leaders": sum_metric(metrics, "till_aggregator_top_answers_total", by="leaders"),
                "by_walk": sum_metric(metrics, "till_aggregator_top_answers_total", by="walk")}
    finally:
        if pipe is not None:
            pipe.stop()
        echo.kill()
        kafka.down()


def main():
    parser = argparse.ArgumentParser(prog="bench/run top")
    parser.add_argument("--count", type=int, default=2_000_000, help="orders before it is asked")
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=100_000, help="orders a second while it is asked")
    parser.add_argument("--asks", type=int, default=300, help="questions a second meanwhile, of all kinds")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="till-bench-", dir=os.environ.get("TILL_BENCH_DIR")) as name:
        result = measure(Path(name), arguments)
    if arguments.json:
        print(json.dumps(result))
        return
    for name in ("quiet", "busy"):
        for kind, each in result[name].items():
            print(f"{name:6}{kind:5}{each['p50_ms']:9.3f} ms median, {each['p99_ms']:.3f} ms p99, {each['max_ms']:.1f} ms at most, of {each['asked']:,}")
    print(f"busy: {result['orders_per_second']:,.0f} orders a second came in; {result['by_leaders']:.0f} answers out of leaders, {result['by_walk']:.0f} by a walk")


if __name__ == "__main__":
    main()
