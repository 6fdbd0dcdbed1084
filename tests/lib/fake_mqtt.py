"""An MQTT broker that does what a test says, packet by packet: what a real one can't be brought to do at a given moment.
One client at a time. Written after the standard, apart from the source that it tests."""
import socket
import struct

from harness import DEADLINE, free_port

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK = range(1, 10)
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14


def length(size):
    out = bytearray()
    while True:
        size, digit = size >> 7, size & 0x7f
        out.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(out)


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


class FakeBroker:
    def __init__(self):
        self.port = free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.listener.settimeout(DEADLINE)
        self.link = None
        self.version = 0

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def accept(self, session_present=False, subscribe=True):
        """The next connection, up to where messages may flow; returns the CONNECT's body."""
        self.hang_up()
        self.link, _ = self.listener.accept()
        self.link.settimeout(DEADLINE)
        connect = self.expect(CONNECT)
        self.version = connect[6]
        self.send(CONNACK, bytes([session_present, 0]) + (b"\0" if self.version == 5 else b""))
        if subscribe:
            self.answer_subscribe()
        return connect

    def answer_subscribe(self):
        body = self.expect(SUBSCRIBE)
        at, granted = 2, bytearray()
        if self.version == 5:
            at += 1 + body[2]  # properties, shorter than 128 bytes
        while at < len(body):
            at += 2 + struct.unpack_from(">H", body, at)[0]
            granted.append(body[at] & 3)
            at += 1
        self.send(SUBACK, body[:2] + (b"\0" if self.version == 5 else b"") + bytes(granted))

    def send(self, kind, body, flags=0):
        self.link.sendall(bytes([kind << 4 | flags]) + length(len(body)) + body)

    def publish(self, topic, payload, qos=1, packet=0, dup=False, retain=False, properties=b""):
        body = text(topic) + (struct.pack(">H", packet) if qos else b"")
        if self.version == 5:
            body += length(len(properties)) + properties
        self.send(PUBLISH, body + payload, dup << 3 | qos << 1 | retain)

    def pubrel(self, packet):
        self.send(PUBREL, struct.pack(">H", packet), 2)

    def read(self, size):
        data = bytearray()
        while len(data) < size:
            more = self.link.recv(size - len(data))
            if not more:
                raise EOFError("the client closed its connection")
            data += more
        return bytes(data)

    def receive(self):
        """(type, body) of the next packet; pings are answered."""
        while True:
            kind = self.read(1)[0] >> 4
            size = shift = 0
            while True:
                digit = self.read(1)[0]
                size |= (digit & 0x7f) << shift
                shift += 7
                if not digit & 0x80:
                    break
            body = self.read(size)
            if kind != PINGREQ:
                return kind, body
            self.send(PINGRESP, b"")

    def expect(self, wanted, packet=None):
        """The body of the next packet, which must be of this type (and about this packet id)."""
        kind, body = self.receive()
        assert kind == wanted, f"packet type {kind}, not {wanted}: {body!r}"
        if packet is not None:
            assert struct.unpack_from(">H", body)[0] == packet, f"about another packet id: {body!r}"
        return body

    def hang_up(self):
        if self.link is not None:
            self.link.close()
            self.link = None

    def close(self):
        self.hang_up()
        self.listener.close()


def user_property(name, value):
    return b"\x26" + text(name) + text(value)
