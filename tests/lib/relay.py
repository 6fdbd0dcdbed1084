"""A TCP relay between a program and Kafka, or an edge and its bridge: it can be cut (connections end, nobody listens) and
frozen (half-open: they stand, nothing passes), and it counts what passes."""
import contextlib
import re
import socket
import threading

from harness import free_port


class Relay:
    def __init__(self, target):
        self.target = target  # (host, port)
        self.port = free_port()
        self.flows = threading.Event()
        self.flows.set()
        self.lock = threading.Lock()
        self.sockets = set()
        self.bytes_there, self.bytes_back = 0, 0  # towards the target, and from it
        self.listener = None
        self.restore()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def restore(self):
        """Listens again, on the same port."""
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def cut(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept; close alone would not
        self.listener.close()
        with self.lock:
            for each in self.sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def freeze(self):
        self.flows.clear()

    def thaw(self):
        self.flows.set()

    def close(self):
        self.thaw()
        with contextlib.suppress(OSError):
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
            for flow in ((near, far, True), (far, near, False)):
                threading.Thread(target=self.pump, args=flow, daemon=True).start()

    def count(self, size, is_there):
        with self.lock:
            if is_there:
                self.bytes_there += size
            else:
                self.bytes_back += size

    def pump(self, source, sink, is_there):
        with self.lock:
            self.sockets.add(source)
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.flows.wait()
                self.count(len(data), is_there)
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        with self.lock:
            self.sockets.discard(source)
        source.close()


def relay_to(broker):
    """A relay to a broker of one node. Clients stay with the address that a broker advertises, so it gets a listener of
    its own, which advertises the relay."""
    port = free_port()
    relay = Relay(("127.0.0.1", port))
    properties = broker.folder / "node-1" / "server.properties"
    text = properties.read_text()
    more = []
    for key, extra in (("listeners", f"RELAYED://127.0.0.1:{port}"),
                       ("advertised.listeners", f"RELAYED://{relay.address}"),
                       ("listener.security.protocol.map", "RELAYED:PLAINTEXT")):
        more.append(f"{key}={re.findall(rf'^{re.escape(key)}=(.*)$', text, re.M)[-1]},{extra}\n")
    broker.kill()
    properties.write_text(text + "".join(more))  # a later line wins
    broker.start()
    return relay
