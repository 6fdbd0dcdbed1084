"""A TCP relay between a program and Kafka, or an edge and its bridge, that does what networks do: each direction of its
own can be frozen (half-open: connections stand, nothing passes), slowed down, delayed, doubled, damaged, or cut at a
certain byte; connections can be broken, refused, and let back. It counts what passes and what it broke.

    relay.cut(), relay.restore()          nobody listens; all connections end            a partition that is noticed
    relay.freeze(), relay.thaw()          nothing passes, both ways                      a partition that is not
    relay.there.freeze(), .back.freeze()  nothing passes, one way                        a one-way partition
    relay.break_off()                     all connections end, new ones are welcome      a cut
    relay.there.cut_inside()              … in the middle of the next chunk of bytes     a cut inside a frame
    relay.there.double(), .flip()         the next chunk passes twice, or a bit of it is turned
    relay.there.delay_s, .bytes_per_s, .chunk_size                                       a thin, slow, or dripping link
"""
import contextlib
import re
import select
import socket
import threading

from harness import free_port

CHUNK_SIZE = 65536
FRAME_SIZE_MIN = 40  # a chunk this large has a frame of events or of acknowledgements in it, not a heartbeat alone


class Flow:
    """One direction of all connections of a relay."""

    def __init__(self):
        self.passes = threading.Event()
        self.passes.set()
        self.lock = threading.Lock()
        self.delay_s = 0.0
        self.bytes_per_s = 0
        self.chunk_size = CHUNK_SIZE  # 1: byte by byte
        self.tricks = []  # [what, how many times, chunk's size at least], each for the next chunk that is large enough
        self.bytes, self.doubled, self.flipped, self.cut = 0, 0, 0, 0
        self.offered = 0  # bytes that came, whether they passed or not

    def freeze(self):
        self.passes.clear()

    def thaw(self):
        self.passes.set()

    def cut_inside(self, times=1):
        self.tricks.append(["cut", times, FRAME_SIZE_MIN])

    def double(self, times=1):
        self.tricks.append(["double", times, FRAME_SIZE_MIN])

    def flip(self, times=1, size_min=FRAME_SIZE_MIN):
        self.tricks.append(["flip", times, size_min])

    def mend(self):
        """As a good network does it again. What was done to bytes stays done."""
        with self.lock:
            self.tricks.clear()
        self.delay_s, self.bytes_per_s, self.chunk_size = 0.0, 0, CHUNK_SIZE
        self.thaw()

    def trick_for(self, data):
        with self.lock:
            if not self.tricks or len(data) < self.tricks[0][2]:
                return None
            trick = self.tricks[0]
            trick[1] -= 1
            if trick[1] == 0:
                self.tricks.pop(0)
            return trick[0]

    def carry(self, data, sink):
        """False: the connection is to end here."""
        with self.lock:
            self.offered += len(data)
        self.passes.wait()
        self.wait_turn(len(data))
        trick = self.trick_for(data)
        middle = len(data) // 2
        if trick == "cut":
            data = data[:middle]
        elif trick == "double":
            data += data
        elif trick == "flip":
            data = data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1:]
        sink.sendall(data)
        with self.lock:
            self.bytes += len(data)
            self.cut += trick == "cut"
            self.doubled += trick == "double"
            self.flipped += trick == "flip"
        return trick != "cut"

    def wait_turn(self, size):
        wait_s = self.delay_s + (size / self.bytes_per_s if self.bytes_per_s else 0)
        if wait_s > 0:
            select.select([], [], [], wait_s)


class Relay:
    def __init__(self, target, host="127.0.0.1"):
        self.target = target  # (host, port)
        self.host = host
        self.port = free_port()
        self.there, self.back = Flow(), Flow()  # towards the target, and from it
        self.lock = threading.Lock()
        self.sockets = set()
        self.broken = 0  # connections that break_off and cut ended
        self.accepted = 0
        self.listener = None
        self.restore()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def bytes_there(self):
        return self.there.bytes

    @property
    def bytes_back(self):
        return self.back.bytes

    @property
    def cuts(self):
        """Connections ended so far, inside a frame or anywhere."""
        return self.broken + self.there.cut + self.back.cut

    def restore(self):
        """Listens again, on the same port."""
        if self.listener is None:
            self.listener = socket.create_server((self.host, self.port), backlog=512)
            threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def refuse(self):
        """Takes no more connections; those that stand go on."""
        if self.listener is not None:
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept; close alone would not
            self.listener.close()
            self.listener = None

    def break_off(self):
        with self.lock:
            for each in self.sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            self.broken += len(self.sockets) // 2

    def cut(self):
        self.refuse()
        self.break_off()

    def freeze(self):
        self.there.freeze()
        self.back.freeze()

    def thaw(self):
        self.there.thaw()
        self.back.thaw()

    def mend(self):
        self.there.mend()
        self.back.mend()
        self.restore()

    def close(self):
        self.there.mend()
        self.back.mend()
        self.cut()

    def accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target)
            except OSError:
                near.close()
                continue
            with self.lock:
                self.accepted += 1
                self.sockets |= {near, far}
            for each in (near, far):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for flow in ((near, far, self.there), (far, near, self.back)):
                threading.Thread(target=self.pump, args=flow, daemon=True).start()

    def pump(self, source, sink, flow):
        with contextlib.suppress(OSError):
            while data := source.recv(flow.chunk_size):
                if not flow.carry(data, sink):
                    break
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with self.lock:
            self.sockets.discard(source)
        source.close()


def add_listeners(broker, listeners):
    """`listeners`: (host, port, the address that it advertises), for a broker of one node, which is restarted. Clients
    stay with the address that a broker advertises, so what is to go by way of a relay needs a listener of its own."""
    properties = broker.folder / "node-1" / "server.properties"
    text = properties.read_text()
    more = {"listeners": [f"OWN{i}://{host}:{port}" for i, (host, port, _) in enumerate(listeners)],
            "advertised.listeners": [f"OWN{i}://{address}" for i, (_, _, address) in enumerate(listeners)],
            "listener.security.protocol.map": [f"OWN{i}:PLAINTEXT" for i in range(len(listeners))]}
    for key, added in more.items():
        before = re.findall(rf"^{re.escape(key)}=(.*)$", text, re.M)[-1]
        text += f"{key}={','.join([before, *added])}\n"  # a later line wins
    broker.kill()
    properties.write_text(text)
    broker.start()


def relay_to(broker):
    """A relay to a broker of one node, which is restarted."""
    relay = Relay(("127.0.0.1", free_port()))
    add_listeners(broker, [(*relay.target, relay.address)])
    return relay
