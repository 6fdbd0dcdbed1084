"""bench/run web: events in by HTTP, each answered after an fsync, beside two plain limits of the same run: how often this
disk can be synced by a program that does nothing else, and the same events in by ZeroMQ. The bridge does not exist."""
import argparse
import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import msgpack
from harness import Sender
from http_source import lone_edge, url_of


def make_order(number):
    return {"order_id": f"o-{number}", "product_id": f"p-{number % 500}", "quantity": 2, "unit_price": "2.50",
            "user_id": f"u-{number % 1000}"}


def syncs_a_second(folder, seconds):
    """Appends of a page, each synced: what one client that waits for each answer could have at most."""
    with open(folder / "plain", "wb", buffering=0) as file:
        count, start = 0, time.monotonic()
        while time.monotonic() < start + seconds:
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            count += 1
        return count / (time.monotonic() - start)


def requests_a_second(edge, folder, clients, count, seconds):
    """hey: each of the clients waits for its answer before it asks again."""
    body = folder / "body.json"
    body.write_text(json.dumps([make_order(number) for number in range(count)] if count > 1 else make_order(1)))
    commits = edge.metric("till_edge_commits_total")
    done = subprocess.run(["hey", "-z", f"{seconds}s", "-c", str(clients), "-m", "POST", "-T", "application/json", "-D",
                           str(body), url_of(edge)], capture_output=True, text=True, check=True)
    statuses = {int(status): int(served) for status, served in re.findall(r"\[(\d{3})\]\s+(\d+) responses", done.stdout)}
    assert set(statuses) == {200}, done.stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])
    return rate, statuses[200] / (edge.metric("till_edge_commits_total") - commits)


def zeromq_events_a_second(edge, count, seconds):
    """One producer that keeps a few frames on the way."""
    sender = Sender(edge.ready["listen"][0])
    frame, sent, start = msgpack.packb([make_order(number) for number in range(count)]), 0, time.monotonic()
    for _ in range(4):
        sender.send_raw(frame)
    while time.monotonic() < start + seconds:
        assert sender.receive()["ok"]
        sender.send_raw(frame)
        sent += 1
    for _ in range(4):
        sender.receive()
    sender.close()
    return sent * count / (time.monotonic() - start)


def measure(folder, seconds):
    edge = lone_edge(folder, "connections_max=1000", "edge.spool_max=16GiB")
    try:
        result = {"syncs_per_second": syncs_a_second(folder, seconds), "single": [], "arrays": []}
        for clients in (1, 16, 64, 256):
            rate, shared = requests_a_second(edge, folder, clients, 1, seconds)
            result["single"].append({"clients": clients, "requests_per_second": rate, "requests_per_commit": shared})
        for clients in (1, 4):
            rate, _ = requests_a_second(edge, folder, clients, 1000, seconds)
            result["arrays"].append({"clients": clients, "events_per_second": rate * 1000})
        result["zeromq_events_per_second"] = zeromq_events_a_second(edge, 1000, seconds)
        return result
    finally:
        edge.stop()


def report(result):
    plain, zeromq = result["syncs_per_second"], result["zeromq_events_per_second"]
    print(f"{'':34}{'a second':>12}{'× plain syncs':>16}{'a commit':>11}")
    print(f"{'plain: write a page, fdatasync':34}{plain:12,.0f}{1:16.2f}")
    for each in result["single"]:
        print(f"{'requests of one order, %d clients' % each['clients']:34}{each['requests_per_second']:12,.0f}"
              f"{each['requests_per_second'] / plain:16.2f}{each['requests_per_commit']:11.1f}")
    print(f"\n{'':34}{'events/s':>12}{'× ZeroMQ':>16}")
    print(f"{'ZeroMQ, msgpack, arrays of 1000':34}{zeromq:12,.0f}{1:16.2f}")
    for each in result["arrays"]:
        print(f"{'HTTP, JSON, arrays of 1000, %d cl.' % each['clients']:34}{each['events_per_second']:12,.0f}"
              f"{each['events_per_second'] / zeromq:16.2f}")


def main():
    parser = argparse.ArgumentParser(prog="bench/run web")
    parser.add_argument("--seconds", type=int, default=5, help="of each row")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="till-bench-", dir=os.environ.get("TILL_BENCH_DIR")) as name:
        result = measure(Path(name), arguments.seconds)
    print(json.dumps(result)) if arguments.json else report(result)


if __name__ == "__main__":
    main()
