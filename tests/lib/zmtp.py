"""A peer that speaks ZMTP 3 by hand, as far as it cares to: for what no ZeroMQ library would send."""
import socket
import struct

MORE, LONG, COMMAND = 1, 2, 4
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)


def property_of(name, value):
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


def ready(socket_type=b"DEALER", identity=b"", more=b""):
    return command(b"\x05READY" + property_of(b"Socket-Type", socket_type) + property_of(b"Identity", identity) + more)


def command(body):
    return header(COMMAND, len(body)) + body


def header(flags, size):
    return bytes([flags, size]) if size < 256 else bytes([flags | LONG]) + struct.pack(">Q", size)


def frame(body, more=False):
    return header(MORE if more else 0, len(body)) + body


def connect(endpoint):
    host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=60)


def receive(peer, size):
    data = b""
    while len(data) < size:
        more = peer.recv(size - len(data))
        if not more:
            raise ConnectionError("the other end closed")
        data += more
    return data


def join(endpoint, socket_type=b"DEALER", identity=b""):
    """A connection that is through the handshake."""
    peer = connect(endpoint)
    peer.sendall(GREETING + ready(socket_type, identity))
    receive(peer, 64)
    flags, size = receive(peer, 2)
    assert flags == COMMAND
    receive(peer, size)
    return peer


def is_closed(peer, timeout=60):
    """Waits until the other end has closed; whatever it says before is read."""
    peer.settimeout(timeout)
    try:
        while peer.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True
