"""bench/run compression: what batches weigh on the link with and without compression, and what it costs, on real sales
(TILL_DATA, else ../shared/data).

First by level and by events in a batch: the very events that a till-edge has in its spool, packed by the code of edge and
bridge. Then a trickle over a thin link: frames of one order at an even pace, ACKs that come after a way there and back, with
`compress` off and on; counted is what the two programs write to each other, without TCP's and IP's own."""
import argparse
import json
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import msgpack
import zmq
from harness import BUILD, CONTEXT, ROOT, Program, Sender, free_port, program

DATA = Path(os.environ.get("TILL_DATA", ROOT.parent / "shared" / "data")) / "online-retail" / "2010-12.csv"
MAPPING = ("order_id=InvoiceNo,product_id=StockCode,quantity=Quantity,unit_price=UnitPrice,ts=InvoiceDate,"
           "user_id=CustomerID")
HELLO, WELCOME, BATCH, ACK = 1, 2, 3, 4
LANES = 6
CREDIT = 8 << 20
# A way of ZMTP 3.1: two bytes before a short frame, nine before a long one.
SHORT, LONG = 2, 9


def zmtp_size(frame):
    return len(frame) + (SHORT if len(frame) < 256 else LONG)


class Bridge:
    """Speaks the bridge's half of the protocol, acknowledges after `way_s`, and keeps what came."""

    def __init__(self, codec, way_s=0.0, keep=None):
        self.codec, self.way_s, self.keep = codec, way_s, keep
        self.socket = CONTEXT.socket(zmq.ROUTER)
        self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.batches = self.events = self.event_bytes = self.frame_bytes = self.ack_bytes = 0
        self.ends = False
        self.due = []  # (when, peer, session, number)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def take(self, peer, frame):
        message = msgpack.unpackb(frame)
        if message[0] == HELLO:
            codec = [self.codec] if self.codec else []
            self.socket.send_multipart([peer, msgpack.packb([WELCOME, 1, message[4], "bench", 1, [CREDIT] * LANES, 262144, *codec])])
        elif message[0] == BATCH:
            self.batches += 1
            self.events += message[4]
            self.event_bytes += len(message[5])
            self.frame_bytes += zmtp_size(frame)
            if self.keep is not None:
                self.keep.write(message[5])
            self.due.append((time.monotonic() + self.way_s, peer, message[1], message[2]))

    def acknowledge(self):
        """All that is due goes in one ACK, as from the real one."""
        ready = [each for each in self.due if each[0] <= time.monotonic()]
        if ready:
            self.due = self.due[len(ready):]
            frame = msgpack.packb([ACK, ready[-1][2], [ready[0][3], ready[-1][3]], [CREDIT] * LANES])
            self.ack_bytes += zmtp_size(frame)
            self.socket.send_multipart([ready[-1][1], frame])

    def run(self):
        while not self.ends:
            if self.socket.poll(1):
                self.take(*self.socket.recv_multipart())
            self.acknowledge()
        self.socket.close(0)

    def close(self):
        self.ends = True
        self.thread.join()


def start_edge(folder, bridge, compress, sync, gather_ms=0):
    return Program("till-edge", [arg for option in (
        "edge.id=United Kingdom", f"edge.data={folder}/spool", f"edge.compress={compress}", f"edge.gather={gather_ms}ms", f"edge.sync={sync}",
        f"edge.bridges=tcp://127.0.0.1:{bridge.port}", f"edge.listen=tcp://127.0.0.1:{free_port()}",
        "http.listen=127.0.0.1:0") for arg in ("-o", option)], folder / "edge.log")


def spool_events(folder, csv):
    """What an edge makes of the sales, in a file."""
    path = folder / "events"
    with open(path, "wb") as keep:
        bridge = Bridge(None, keep=keep)
        edge = start_edge(folder, bridge, "no", "never")
        done = subprocess.run([program("till"), "send", "--to", edge.ready["listen"][0], "--csv", "--map", MAPPING, "--set",
                               "currency=GBP", "--json", csv], capture_output=True, text=True, timeout=300, check=True)
        count = json.loads(done.stdout)["sent_ok"]
        while bridge.events < count:
            time.sleep(0.01)
        edge.stop()
        bridge.close()
    return path


def pack(events, level, batch):
    done = subprocess.run([BUILD / "bench" / "till-pack", "--events", events, "--level", str(level), "--batch", str(batch)],
                          capture_output=True, text=True, timeout=600, check=True)
    return json.loads(done.stdout)


def trickle(folder, compress, gather_ms, rate, way_s, arguments):
    bridge = Bridge("zstd" if compress != "no" else None, way_s)
    cell = Path(tempfile.mkdtemp(dir=folder))
    edge = start_edge(cell, bridge, compress, arguments.sync, gather_ms)
    sender, count = Sender(edge.ready["listen"][0]), rate * arguments.seconds
    start = time.monotonic()
    for number in range(count):
        wait = start + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        sender.send([{"order_id": str(536365 + number // 20), "product_id": f"{22000 + number * 7919 % 3000}", "quantity": number % 12 + 1,
                      "unit_price": f"{number % 9}.{number * 31 % 100:02}", "user_id": f"{17850 - number // 20 % 900}.0",
                      "Description": f"WHITE HANGING HEART {number * 7919 % 3000}", "currency": "GBP"}])
        while sender.socket.poll(0):
            sender.receive()
    while bridge.events < count:
        time.sleep(0.01)
    edge.stop()
    bridge.close()
    sender.close()
    return {"compress": compress, "gather_ms": gather_ms, "rate": rate, "way_seconds": way_s, "events": bridge.events, "batches": bridge.batches,
            "bytes_per_event": bridge.frame_bytes / count, "ack_bytes_per_event": bridge.ack_bytes / count,
            "events_per_batch": count / bridge.batches}


def report(result):
    print(f"{'level':>6}{'events/batch':>14}{'plain B/event':>15}{'packed':>9}{'ratio':>8}{'pack µs/event':>15}{'unpack':>9}{'longest':>11}")
    for each in result["packed"]:
        per_batch = each["events"] / each["batches"]
        print(f"{each['level']:6}{per_batch:14,.0f}{each['plain_bytes']:15.1f}{each['wire_bytes']:9.1f}"
              f"{each['plain_bytes'] / each['wire_bytes']:8.1f}{each['pack_ns'] / 1000:15.2f}{each['unpack_ns'] / 1000:9.2f}"
              f"{each['longest_ms']:8.2f} ms")
    print(f"\n{'compress':>9}{'gather':>10}{'events/s':>10}{'there and back':>16}{'events/batch':>14}{'B/event':>9}{'ACK B/event':>13}")
    for each in result["trickle"]:
        print(f"{each['compress']:>9}{each['gather_ms']:7} ms{each['rate']:10}{each['way_seconds'] * 1000:13.0f} ms{each['events_per_batch']:14.1f}"
              f"{each['bytes_per_event']:9.1f}{each['ack_bytes_per_event']:13.1f}")


def main():
    parser = argparse.ArgumentParser(prog="bench/run compression")
    parser.add_argument("--levels", type=int, nargs="+", default=[1, 3, 6, 9])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 10, 100, 1000, 0], help="events; 0: as many as fit")
    parser.add_argument("--rates", type=int, nargs="*", default=[5, 50, 500], help="of the trickle, events a second")
    parser.add_argument("--ways", type=int, nargs="+", default=[40, 600], help="of the trickle, there and back, ms")
    parser.add_argument("--gather", type=int, nargs="+", default=[0, 1000], help="[edge] gather of the trickle, ms")
    parser.add_argument("--seconds", type=int, default=10, help="of each cell of the trickle")
    parser.add_argument("--sync", default="always", help="of the trickle: [edge] sync")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not DATA.exists():
        raise SystemExit(f"{DATA.name} is not there: TILL_DATA names the folder that holds online-retail/")
    with tempfile.TemporaryDirectory(prefix="till-bench-", dir=os.environ.get("TILL_BENCH_DIR")) as name:
        folder = Path(name)
        events = spool_events(folder, DATA)
        result = {"packed": [pack(events, level, batch) for level in arguments.levels for batch in arguments.batches],
                  "trickle": [trickle(folder, compress, gather, rate, way / 1000, arguments) for way in arguments.ways
                              for rate in arguments.rates for gather in arguments.gather for compress in ("no", "zstd")]}
    print(json.dumps(result)) if arguments.json else report(result)


if __name__ == "__main__":
    main()
