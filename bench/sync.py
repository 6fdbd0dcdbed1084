"""bench/run sync: what reaches the disk for one event, by `sync` and by events a second. Each cell is a till-edge of its own
on a fresh ext4 on a loop device, with a bridge that acknowledges (so events are written, and deleted again), fed with frames
of one order at an even pace. Counted are the bytes that the process caused (/proc/PID/io) and those that the file system
wrote to its device, journal and inodes included (/sys/block): what a card sees. Needs root."""
import argparse
import json
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from harness import Program, Sender, free_port

MODES = ("always", "interval:100ms", "interval:1s", "never")
SECTOR = 512
SETTLE_S = 2


def run(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout.strip()


class Card:
    """A file system on a device of its own."""

    def __init__(self, folder, size_mib=256):
        self.image, self.mount = folder / "card.img", folder / "card"
        self.mount.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(size_mib << 20)
        # Without lazy initialisation: the kernel would go on writing inode tables behind the measurement.
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.device = run("losetup", "--find", "--show", self.image)
        run("mount", self.device, self.mount)

    def written(self):
        run("sync", "-f", self.mount)
        return int(Path(f"/sys/block/{Path(self.device).name}/stat").read_text().split()[6]) * SECTOR

    def remove(self):
        run("umount", self.mount)
        run("losetup", "-d", self.device)
        self.image.unlink()
        self.mount.rmdir()


def process_written(pid):
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    raise AssertionError("no write_bytes")


def feed(endpoint, rate, seconds):
    """Orders at an even pace, like tills that do not wait for each other; returns how many, and the slowest reply."""
    sender, sent_at, slowest = Sender(endpoint), [], [0.0]
    count = rate * seconds

    def listen():
        for number in range(count):
            reply = listener_take(sender)
            assert reply["ok"], reply
            slowest[0] = max(slowest[0], time.monotonic() - sent_at[number])

    lock = threading.Lock()

    def listener_take(from_sender):
        while True:
            with lock:
                if from_sender.socket.poll(0):
                    return from_sender.receive()
            time.sleep(0.0005)

    listener = threading.Thread(target=listen)
    listener.start()
    start = time.monotonic()
    for number in range(count):
        wait = start + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        sent_at.append(time.monotonic())
        with lock:
            sender.send([{"order_id": f"o-{number}", "product_id": f"p-{number % 500}", "quantity": 2, "unit_price": "2.50",
                          "user_id": f"u-{number % 1000}"}])
    listener.join()
    sender.close()
    return count, slowest[0]


def measure(folder, bridge, mode, rate, seconds):
    card = Card(folder)
    try:
        edge = Program("till-edge", [arg for option in (
            "edge.id=bench", f"edge.data={card.mount}/spool", f"edge.sync={mode}", f"edge.bridges={bridge}",
            f"edge.listen=tcp://127.0.0.1:{free_port()}", "http.listen=127.0.0.1:0") for arg in ("-o", option)],
            folder / "edge.log")
        try:
            feed(edge.ready["listen"][0], 10, SETTLE_S)  # the file has its first pages, the spool its bridge
            time.sleep(SETTLE_S)
            before_process, before_card = process_written(edge.pid), card.written()
            commits = edge.metric("till_edge_commits_total")
            count, slowest = feed(edge.ready["listen"][0], rate, seconds)
            time.sleep(SETTLE_S)  # the last interval, the last deletions
            result = {"sync": mode, "rate": rate, "events": count, "slowest_reply_seconds": slowest,
                      "commits_per_event": (edge.metric("till_edge_commits_total") - commits) / count,
                      "process_bytes_per_event": (process_written(edge.pid) - before_process) / count,
                      "card_bytes_per_event": (card.written() - before_card) / count}
        finally:
            edge.stop()
    finally:
        card.remove()
    return result


def report(results):
    least = min(each["card_bytes_per_event"] for each in results)
    print(f"{'sync':16}{'events/s':>9}{'commits/event':>15}{'process B/event':>17}{'card B/event':>14}{'× least':>9}{'slowest reply':>15}")
    for each in results:
        print(f"{each['sync']:16}{each['rate']:9}{each['commits_per_event']:15.2f}{each['process_bytes_per_event']:17,.0f}"
              f"{each['card_bytes_per_event']:14,.0f}{each['card_bytes_per_event'] / least:9.1f}"
              f"{each['slowest_reply_seconds'] * 1000:12.1f} ms")


def main():
    parser = argparse.ArgumentParser(prog="bench/run sync")
    parser.add_argument("--rates", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--modes", nargs="+", default=MODES)
    parser.add_argument("--seconds", type=int, default=20, help="of each cell")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("bench/run sync mounts a loop device: needs root")
    results = []
    with tempfile.TemporaryDirectory(prefix="till-bench-", dir=os.environ.get("TILL_BENCH_DIR")) as name:
        folder = Path(name)
        devbroker = Program("till-devbroker", ["-o", "devbroker.topics=orders,cart_events,page_views"], folder / "devbroker.log")
        bridge = Program("till-bridge", ["-o", f"bridge.brokers={devbroker.ready['bootstrap']}", "-o", "http.listen=127.0.0.1:0",
                                         "-o", f"bridge.listen=tcp://127.0.0.1:{free_port()}"], folder / "bridge.log")
        try:
            for mode in arguments.modes:
                for rate in arguments.rates:
                    results.append(measure(folder, bridge.ready["listen"][0], mode, rate, arguments.seconds))
        finally:
            bridge.kill()
            devbroker.kill()
    print(json.dumps(results)) if arguments.json else report(results)


if __name__ == "__main__":
    main()
