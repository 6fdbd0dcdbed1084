"""Processes that send to one source of an edge as fast as they are let: events, or garbage. Each runs until it is killed."""
import json
import multiprocessing
import os
import signal
import socket
import threading
import urllib.parse
from pathlib import Path

import msgpack
import zmq

EVENTS = 100  # of a frame
GARBAGE_SIZE = 20000
LINES = 1_000_000  # of a file


def order(number, source):
    return {"order_id": f"{source}-{number}", "product_id": source, "quantity": 1, "unit_price": "1.25",
            "ts": 1_700_000_000_000 + number}


def frame():
    return [order(number, "flood") for number in range(EVENTS)]


def zmq_router(endpoint, garbage):
    out = zmq.Context().socket(zmq.DEALER)
    out.connect(endpoint)
    events, window = os.urandom(GARBAGE_SIZE) if garbage else msgpack.packb(frame()), 0
    while True:
        out.send_multipart([b"", events])
        window += 1
        while window >= 64 or out.poll(0):
            out.recv_multipart()
            window -= 1


def zmq_push(endpoint, garbage):
    out = zmq.Context().socket(zmq.PUSH)
    out.connect(endpoint)
    events = os.urandom(GARBAGE_SIZE) if garbage else msgpack.packb(frame())
    while True:
        out.send(events)


def mqtt(broker, garbage):
    """On a connection that was made before. What the edge says is read in a thread of its own, as a broker does."""
    link, packet = broker.link, 0
    link.settimeout(None)
    threading.Thread(target=lambda: [None for _ in iter(lambda: link.recv(65536), b"")], daemon=True).start()
    body = os.urandom(GARBAGE_SIZE) if garbage else msgpack.packb(frame())
    while True:
        packet = packet % 60000 + 1
        broker.publish("stores/flood/orders", body, qos=1, packet=packet)


def http(url, garbage):
    where = urllib.parse.urlparse(url)
    body = os.urandom(GARBAGE_SIZE) if garbage else json.dumps(frame()).encode()
    request = (f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: application/json\r\n"
               f"Content-Length: {len(body)}\r\n\r\n").encode() + body
    links = []
    while True:
        try:
            links = links or [socket.create_connection((where.hostname, where.port)) for _ in range(16)]
            for link in links:
                link.sendall(request)
            if not all(link.recv(65536) for link in links):
                links = []
        except OSError:
            links = []


def write_lines(path, garbage, count):
    """The same line again and again, which is another in each file: the drop source skips a file that it has had."""
    line = os.urandom(1000).replace(b"\n", b"") if garbage else json.dumps(order(1, f"flood-{Path(path).name}")).encode()
    with open(path, "ab", buffering=0) as file:
        for _ in range(count // 1000):
            file.write((line + b"\n") * 1000)


def tail(path, garbage):
    write_lines(path, garbage, LINES // (10 if garbage else 1))
    signal.pause()


def drop(folder, garbage):
    folder = Path(folder)
    for number in range(10):
        outside = folder.parent / "outside" / f"flood-{os.getpid()}-{number}.ndjson"
        write_lines(outside, garbage, LINES // (100 if garbage else 10))
        outside.rename(folder / outside.name)
    signal.pause()


KINDS = {"zmq": zmq_router, "push": zmq_push, "mqtt": mqtt, "http": http, "tail": tail, "drop": drop}


class Flood:
    """One of KINDS, until `stop`."""

    def __init__(self, kind, target, garbage=False):
        # Not forked: libzmq's threads are not, either.
        self.process = multiprocessing.get_context("spawn").Process(target=KINDS[kind], args=(target, garbage), daemon=True)
        self.process.start()

    def stop(self):
        self.process.kill()
        self.process.join(30)
