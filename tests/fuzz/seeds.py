#!/usr/bin/python3
"""Makes seed corpora out of the conformance vectors and the shipped configuration: DIR/TARGET/… for the targets that
read them.

usage: seeds.py VECTORS DIR
"""
import hashlib
import json
import sys
from pathlib import Path

# target -> (file, keys of hex, keys of text)
TARGETS = {
    "event": [("events", ["in_hex", "msgpack"], []), ("normal_form", ["msgpack"], [])],
    "event_json": [("events", [], ["in_json", "json"]), ("normal_form", [], ["json"])],
    "msgpack": [("events", ["in_hex", "msgpack"], [])],
    "json": [("events", [], ["in_json", "json"])],
    "wire": [("wire", ["hex"], [])],
    "query": [("queries", ["msgpack"], ["json"])],
    "producer": [("headers", ["in_hex", "msgpack"], ["json"]), ("replies", ["msgpack"], ["json", "in_json"])],
    "dead_letter": [("dead_letters", ["envelope"], [])],
    "answer": [("queries", ["msgpack"], ["json"]), ("replies", ["msgpack"], ["json"])],
    "money": [("money", ["float64"], ["text", "number", "integer", "sum"])],
    "timestamp": [("time", [], ["text", "zone"])],
    "framing": [("events", ["in_hex", "msgpack"], ["in_json"])],
}
LANES = ("order", "cart", "view", "order.dlq", "cart.dlq", "view.dlq")
KINDS = ("order", "cart", "view")  # as the first byte of fuzz_record's inputs says; + 3: its dead letters


def seeds(vectors, sources):
    for name, hex_keys, text_keys in sources:
        for line in (vectors / f"{name}.ndjson").read_text(encoding="utf-8").splitlines():
            vector = json.loads(line)
            yield from (bytes.fromhex(vector[key]) for key in hex_keys if vector.get(key))
            yield from (vector[key].encode() for key in text_keys if vector.get(key))
            if "headers" in vector:
                yield "\0".join(vector["headers"].values()).encode()


def record_seeds(vectors):
    for line in (vectors / "events.ndjson").read_text(encoding="utf-8").splitlines():
        vector = json.loads(line)
        if vector.get("msgpack") and vector.get("kind") in KINDS:
            yield bytes([KINDS.index(vector["kind"])]) + bytes.fromhex(vector["msgpack"])
    for line in (vectors / "dead_letters.ndjson").read_text(encoding="utf-8").splitlines():
        headers = json.loads(line).get("headers")
        if headers:
            letter = "\0".join(headers.values()).encode() + b"\0{}"
            yield from (bytes([topic]) + letter for topic in (3, 4, 5))


def record_view_seeds(vectors):
    """Events, changes and what is neither, in both encodings, with and without key and header."""
    values = [seed[1:] for seed in record_seeds(vectors)]
    values += [vector["in_json"].encode() for vector in map(json.loads, (vectors / "events.ndjson").read_text(encoding="utf-8").splitlines())
               if vector.get("in_json")]
    change = {"op": "u", "before": None, "after": {"id": 1, "price": "A+c="}, "source": {"lsn": 7}, "ts_ms": 1}
    foreign = json.dumps({"a": [1, 2.5, None, True, "x"]}).encode()
    values += [json.dumps(change).encode(), json.dumps({"schema": {}, "payload": change}).encode(), foreign, b"\0\0\0\0\7" + foreign,
               b"", b"\xff\xfe", b"\x82\x01\x02\x03\xc0", b"[" * 20]
    for number, value in enumerate(values):
        yield bytes([number % 8]) + value


def compression_seeds(vectors):
    for line in (vectors / "wire.ndjson").read_text(encoding="utf-8").splitlines():
        message = json.loads(line).get("message", {})
        if "plain_size" in message:
            yield message["plain_size"].to_bytes(3, "little") + bytes.fromhex(message["events"])


def web_rules_seeds():
    """What is configured, then Host, Origin, Sec-Fetch-Site and Authorization; those that are left out did not come."""
    hosts = ["localhost", "LocalHost:9172", "127.0.0.1:9172", "127.9.9.9", "192.0.2.1:80", "[::1]:9172", "[::ffff:127.0.0.1]", "[2001:db8::1]:1", "[1:2:3:4:5:6:7:8]",
             "[1:2:3:4:5:6:1.2.3.4]", "[1:2:3::7]", "[::]", "till.example:443", "Other.Example", "evil.example", "localhost.evil.example", "localhost:evil", "127.0.0.1:1:2",
             "[::1]x:1", "[::1", "[1::2::3]", "01.2.3.4", "256.0.0.1", ""]
    tokens = ["Bearer reader of the tests", "bearer  admin of the tests\t", "Bearer guessed", "Basic dTpw"]
    for number, host in enumerate(hosts):
        for settings in (0, 1 | 2, 4 | 8, 8 | 16 | 32, 32, 1 | 64):
            here, token = f"{('http', 'https', 'HTTP', 'file')[number % 4]}://{host}", tokens[number % 4]
            for texts in ([host], [host, here], [host, here, "same-origin", token], [host, "http://evil.example", "cross-site"]):
                yield bytes([settings]) + "\0".join([*texts, ""]).encode()


def http_seeds(vectors):
    """Authorization, Content-Type, Content-Encoding, Accept, Idempotency-Key, kind, body."""
    events = [vector["in_json"] for vector in map(json.loads, (vectors / "events.ndjson").read_text(encoding="utf-8")
                                                  .splitlines()) if vector.get("in_json")]
    for body in events:
        yield f"Bearer x\0application/json; charset=utf-8\0identity\0*/*\0\"k-1\"\0cart\0{body}".encode()
    yield "\0".join(["", "application/x-ndjson", "", "application/msgpack;q=0.5", '"a\\"b"', "view",
                     "\r\n".join(events[:20])]).encode()
    head = b"\0".join([b"", b"application/x-ndjson", b"", b"", b"", b"", b""])
    yield from (head + body for body in (b"{}\n" * 10001, b'{"a":"' + b"x" * 140000 + b'"}\n{}\n', b"{" + b"x" * 1100000, b"\n\n", b"", b"x\n{}\n[]\n"))
    for kind in ("text/csv", "application/msgpack", "application/json", "application/vnd.msgpack", "text/plain", "application/json; charset=latin1", ""):
        for body in (b"", b"a,b\n1,2\n", b"\x80", b"{}", b"[]", b"{}\n{}"):
            yield b"\0".join([b"Basic eDp5", kind.encode(), b"gzip" if body == b"" else b"", b"text/html", b"k", b"no kind" if body == b"[]" else b"", body])


def mqtt_seeds(vectors):
    for line in (vectors / "mqtt.ndjson").read_text(encoding="utf-8").splitlines():
        vector = json.loads(line)
        if "says" not in vector:
            yield bytes([7 if vector["version"] == "5" else 6]) + bytes.fromhex(vector["hex"])
    # Too large: 550,000 bytes, of which few come from the fuzzer.
    yield bytes([0x87]) + bytes.fromhex("32f0c821" + "000161" + "0005" + "00")
    yield bytes([0x87]) + bytes.fromhex("32f0c821" + "000161" + "0005" + "808010" + "26")
    yield bytes([0x86]) + bytes.fromhex("34f0c821" + "000161" + "0005")


def mqtt_topic_seeds(vectors):
    for line in (vectors / "mqtt_topics.ndjson").read_text(encoding="utf-8").splitlines():
        vector = json.loads(line)
        yield f'{vector["pattern"]}\0{vector.get("topic", "a/b")}'.encode()


def mqtt_session_seeds(vectors):
    """Operations of fuzz_mqtt_session: up; then a message of each QoS, kept, repeated, released, failed."""
    durable, fail, lost, later = b"\x06", b"\x07", b"\x08", b"\x05\xff"
    message, released = b"\x03\x04\x05x", b"\x04\x05"
    again = lost + later + b"\x01\x01\x02"
    flows = [b"\x03\x00\x00x" + durable, b"\x03\x02\x05x" + durable, message + durable + released + durable,
             message + again + message + durable, message + durable + again + message + released + again + released + durable,
             message + fail + later + b"\x01\x01\x02" + message, message + durable + released + fail + later, b"\x09" + message + b"\x09",
             b"\x03\x05\x05x" + released, b"\x00\x02\xd0\x00", b"\x00\x03\xe0\x01\x8b", message + b"\x0b" + durable]
    for choices in (0x00, 0x02, 0x04, 0x05, 0x14, 0x2a):
        for flow in flows:
            yield bytes([choices, 10, 255]) + b"\x01\x00" + durable + b"\x02" + flow
    heard = [b"\x20\x06\0\0\3\x13\0\5", b"\x20\x08\0\0\5\x11\0\0\0\1", b"\x20\3\0\x87\0", b"\x20\2\0\5", b"\x20\2\2\0", b"\x20\3\2\0\0", b"\xd0\1\0", b"\xd1\0",
             b"\x30\5\0\1a\x80\1", b"\x32\5\0\1a\0\0", b"\x36\5\0\1a\0\1", b"\x30\7\0\1#\0abc", b"\x90\3\0\1\x80", b"\x90\4\0\1\0\x87", b"\x90\4\0\7\0\2", b"\x90\5\0\1\0\2\2",
             b"\x62\2\0\0", b"\x62\3\0\1\x92", b"\x40\2\0\1", b"\x70\2\0\1", b"\xe0\0", b"\xf0\0", b"\xb0\4\xff\xff\0\x80", b"\x30\x0a\0\1a\3\x01\1\x26xxx"]
    for choices in (0x00, 0x02, 0x04, 0x2a):
        for packet in heard:
            yield bytes([choices, 10, 255]) + b"\0" + bytes([len(packet)]) + packet
            yield bytes([choices, 10, 255]) + b"\x01\x00" + durable + b"\x02" + b"\0" + bytes([len(packet)]) + packet + durable + later + message
    dropping = b"\x01\x01" + durable + b"\x02" + b"\x0c" + durable
    yield from (bytes([choices, 10, 255]) + dropping + message + durable for choices in (0xc0, 0xc4, 0xc8))


def line_seeds(vectors):
    """Format and window's size, then the lines of a file."""
    events = [json.loads(line) for line in (vectors / "events.ndjson").read_text(encoding="utf-8").splitlines()]
    lines = [vector["in_json"].encode() for vector in events if vector.get("in_json")][:40]
    yield b"\x00\x1f" + b"\n".join(lines)
    yield b"\x01\x07a,b\n1,2\n\n\"x\ny\",4\n\"z\"5,6\n\"open,1\n7,8"
    yield b"\x02\x1f" + b"".join(bytes.fromhex(vector["msgpack"]) for vector in events if vector.get("msgpack"))[:4000]
    yield b"\x80\x03{\"b\":\"1\"}\n{\"order_id\":2}\nx\n"
    for rules in range(0, 256, 16):
        yield bytes([rules, 3]) + b'{"a":"1","b":"2","channel":"web","shelf":3}\n{"a":1,"b":[1]}\n{"a":"2"}\n{"kind":"view","a":"1","channel":"till"}\n{}\n[1]\n'
        yield bytes([rules + (1 - rules) % 3, 9]) + b"a,b,channel\n1,2,web\n1,,till\n2,3,web\n1\n"
        yield bytes([rules + (1 - rules) % 3, 9]) + b"b,c\n1,2\n"
        yield bytes([rules + (1 - rules) % 3, 9]) + b"a,b,a\n1,2,3\n"
        yield bytes([rules + (1 - rules) % 3, 9]) + b"a,b,order_id\n1,2,3\n"
        yield bytes([rules + (1 - rules) % 3, 9]) + b"a,\xff\n1,2\n"
        yield bytes([rules + (2 - rules) % 3, 9]) + pack({"a": "1", "b": 2, "channel": "web"}) + pack({"a": 1}) + b"\x80\xc0\x91\x80" + b"\xc1\0\0"


def debezium_seeds(vectors):
    """Settings, the size of the key in two bytes, key, value."""
    for line in [line for name in ("debezium", "debezium_recorded")
                 for line in (vectors / f"{name}.ndjson").read_text(encoding="utf-8").splitlines()]:
        vector = json.loads(line)
        if "order" not in vector:
            key, value = (bytes.fromhex(vector[half + "_hex"]) if half + "_hex" in vector else (vector[half] or "").encode()
                          for half in ("key", "value"))
            yield bytes([2 if vector.get("types") else 0]) + len(key).to_bytes(2, "little") + key + value
        else:  # of two places in a database's log
            for place in ("kept", "next"):
                for more in ({}, {"snapshot": True}, {"gtid": "3e11fa47-71ca-11e1-9e33-c80aa9429562:23"}, {"gtid": "0-7-23"}, {"gtid": "x:y"}, {"file": "x"}, {"pos": "x"}):
                    row = {"order_id": 1, "product_id": "tea", "quantity": 1, "price": "1.00", "created_at": 0}
                    change = {"before": None, "after": row, "source": {**vector[place], **more}, "op": "c", "ts_ms": 1291192000123}
                    yield from (bytes([settings]) + (8).to_bytes(2, "little") + b'{"id":1}' + json.dumps(change).encode() for settings in ((0,) if more else (0, 4, 9, 15)))


def config_seeds(root):
    yield from (path.read_bytes() for path in sorted((root / "deploy").rglob("*.conf")))
    yield b"[key]\npublic = Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\n[rights]\nedges = a, b\nviews = *\nstores = a\nsend = yes\nproducers = a, b\nkinds = order\nadmin = no\n"


def session_seeds(vectors):
    """Steps of session.h: each of the vectors' frames after a HELLO or a WELCOME, and what makes something of them."""
    frames = [bytes.fromhex(vector["hex"]) for vector in map(json.loads, (vectors / "wire.ndjson").read_text(encoding="utf-8").splitlines())
              if vector.get("message") and len(vector["hex"]) < 4000]

    for first in [frame for frame in frames if frame[1] in (1, 2)][:4]:
        begin = step(5, b"\x0c") + step(5, b"\x0d") + step(3) + step(1, first)
        for frame in frames:
            yield b"\0" + begin + step(1, frame) + step(3, b"\xff") + step(2, b"\x0a") + step(1, frame) + step(0, frame, 1)
    yield from bridge_seeds(vectors)
    for choices in range(32):
        yield bytes([choices]) + b"".join(step(1, frame) + step(act, b"\x01") for act, frame in enumerate(frames[:16]))


def batch_frame(lane, events, plain_size=None, count=None):
    body = b"".join(events)
    parts = [b"\3", b"\1", b"\1", bytes([lane]), pack(len(events) if count is None else count), b"\xc5" + big(len(body), 2) + body]
    return bytes([0x90 + len(parts) + (plain_size is not None)]) + b"".join(parts) + (pack(plain_size) if plain_size is not None else b"")


def bridge_seeds(vectors):
    """Batches of the vectors' events and dead letters from the edge that they name; delivered, failed, refused."""
    by_kind = {}
    for name, key in (("normal_form", "msgpack"), ("events", "msgpack"), ("dead_letters", "envelope")):
        for vector in map(json.loads, (vectors / f"{name}.ndjson").read_text(encoding="utf-8").splitlines()):
            kind = vector.get("kind") or vector.get("letter", {}).get("kind")
            if vector.get(key) and len(vector[key]) < 4000:
                by_kind.setdefault(LANES.index(kind) if kind in LANES else 3, []).append(bytes.fromhex(vector[key]))
    hello = b"\x97\1\1" + pack("uk") + pack(4711) + b"\1" + pack("seed") + b"\x91" + pack("zstd")
    outcomes = [step(3, b"\xff"), step(4, b"\1") + step(4, b"\1") + step(3, b"\xff"), step(4, b"\0") + step(4, b"\0"), step(4, b"\2"), step(4, b"\4"), step(11), step(10) + step(3, b"\xff") + step(10)]
    for lane, events in by_kind.items():
        groups = [events[at:at + 4] for at in range(0, len(events), 4)]
        for at, group in enumerate(groups):
            for sink in (0, 2) if at < 4 else (0,):
                told = step(0, hello) + step(7, bytes([sink])) + step(1, batch_frame(lane, group)) + outcomes[at % len(outcomes)] + step(2, b"\x0a")
                yield bytes([at % 2]) + told + step(1, batch_frame((lane + 1) % 6, group)) + step(3, b"\xff") + step(5, b"\1") + step(0, hello, 1)
    some = next(iter(by_kind.values()))[:2]
    for frame in (batch_frame(0, some, count=9), batch_frame(0, some, plain_size=40), batch_frame(0, [b"\xc1"]), batch_frame(0, some, count=1)):
        for choices in (0, 2):
            yield bytes([choices]) + step(0, hello) + step(1, frame) + step(3, b"\xff")
    for change in (step(12), step(9, b"\0"), step(9, b"\3"), step(8), step(10)):
        yield b"\0" + change + step(0, hello) + step(1, batch_frame(0, some)) + change + step(0, hello) + step(1, batch_frame(0, some))
    for state in (b"\1", b"\2"):
        yield b"\0" + step(0, hello) + step(5, state) + step(0, hello.replace(pack(4711), pack(4712)), 1) + step(0, hello, 1) + step(0, hello) + step(6) + step(0, hello)
    yield b"\0" + step(0, hello[:2] + b"\2" + hello[3:]) + step(0, b"\x80") + step(0, hello) + step(0, b"\x80")


def step(act, body=b"\0", whom=0):
    """Of a script (script.h)."""
    return bytes([act | whom << 4]) + len(body).to_bytes(2, "little") + body


def content_seeds(act_count):
    """Each act of the content targets, alone and after the others."""
    bodies = [b"meta", b"\4rootx", b"\3key\0\0\0\0value", b"\1\0", b"\1\0", b"\2\3\5", b"\0\1\2\3\7\x08", b"\0", b"identity"]
    steps = [step(act, body) for act in range(act_count) for body in bodies]
    yield from (b"\0" + each for each in steps)
    yield b"\0" + b"".join(step(act, bodies[act % len(bodies)]) for act in range(act_count))
    yield b"\1" + b"".join(steps)


def table_seeds():
    """Rows of each table of a store, whole and broken."""
    keys = (b"key", b"entries", b"offsets", b"ledger", b"\0\0\0\0\1", b"root")
    for table in range(8):
        for key in keys:
            for size in (0, 3, 16, 40):
                yield b"\0" + step(4, b"\1\0") + step(3, bytes([table, 0])) + step(2, bytes([len(key)]) + key + b"\1" * size)


class Page:
    """A page of LMDB 0.9 on a machine whose numbers begin with their low byte; small, where LMDB's own have 4096 bytes."""
    SIZE = 256

    def __init__(self, number, kind):
        self.number, self.kind, self.nodes = number, kind, []

    def add(self, key, value, flags=0):
        """Of a leaf; value: (size, page) where it has pages of its own."""
        size, rest = (value[0], value[1].to_bytes(8, "little")) if isinstance(value, tuple) else (len(value), value)
        self.nodes.append(size.to_bytes(4, "little") + flags.to_bytes(2, "little") + len(key).to_bytes(2, "little") + key + rest)

    def add_child(self, key, page):
        self.nodes.append(page.to_bytes(6, "little") + len(key).to_bytes(2, "little") + key)

    def bytes(self):
        places, body, at = b"", b"", self.SIZE
        for node in self.nodes:
            node += b"\0" * (len(node) % 2)
            at -= len(node)
            places, body = places + at.to_bytes(2, "little"), node + body
        head = self.number.to_bytes(8, "little") + b"\0\0" + self.kind.to_bytes(2, "little")
        head += (16 + len(places)).to_bytes(2, "little") + at.to_bytes(2, "little") + places
        return head.ljust(at, b"\0") + body


def lmdb_tree(flags, depth, branches, leaves, large, rows, root, unused=0):
    return (unused.to_bytes(4, "little") + flags.to_bytes(2, "little") + depth.to_bytes(2, "little")
            + b"".join(each.to_bytes(8, "little") for each in (branches, leaves, large, rows, root)))


def lmdb_meta(number, transaction, last_page, free_list, main):
    head = number.to_bytes(8, "little") + b"\0\0" + (8).to_bytes(2, "little") + b"\0" * 4
    body = (0xBEEFC0DE).to_bytes(4, "little") + (1).to_bytes(4, "little") + b"\0" * 8 + (1 << 20).to_bytes(8, "little")
    return (head + body + free_list + main + last_page.to_bytes(8, "little") + transaction.to_bytes(8, "little")).ljust(Page.SIZE, b"\0")


def page_seeds():
    """Files of LMDB: without a table; with one of few rows; with a branch, a large value and free pages."""
    none = 2**64 - 1
    empty, no_free = lmdb_tree(0, 0, 0, 0, 0, 0, none), lmdb_tree(8, 0, 0, 0, 0, 0, none, Page.SIZE)
    yield b"\0" + lmdb_meta(0, 0, 1, no_free, empty) + lmdb_meta(1, 0, 1, no_free, empty)

    tables, rows = Page(2, 2), Page(3, 2)
    rows.add(b"a", b"1")
    rows.add(b"b", b"two")
    tables.add(b"meta", lmdb_tree(0, 1, 0, 1, 0, 2, 3), 2)
    main = lmdb_tree(0, 1, 0, 1, 0, 1, 2)
    few = lmdb_meta(0, 2, 3, no_free, main) + lmdb_meta(1, 1, 3, no_free, empty) + tables.bytes() + rows.bytes()
    yield from (bytes([transaction]) + few for transaction in (0, 2, 3))

    tables, branch, left, right, free = Page(2, 2), Page(3, 1), Page(4, 2), Page(5, 2), Page(8, 2)
    for key in (b"aa", b"ab", b"ac"):
        left.add(key, b"x" * 20)
    right.add(b"ba", (300, 6), 1)
    right.add(b"bb", b"")
    branch.add_child(b"", 4)
    branch.add_child(b"b", 5)
    large_pages = (6).to_bytes(8, "little") + b"\0\0" + (4).to_bytes(2, "little") + (2).to_bytes(4, "little") + b"v" * (2 * Page.SIZE - 16)
    free.add((1).to_bytes(8, "little"), b"".join(each.to_bytes(8, "little") for each in (2, 10, 9)))
    tables.add(b"blocks", lmdb_tree(0, 2, 1, 2, 2, 5, 3), 2)
    tables.add(b"none", empty, 2)
    metas = [lmdb_meta(number, 4 - number, 10, lmdb_tree(8, 1, 0, 1, 0, 1, 8, Page.SIZE), lmdb_tree(0, 1, 0, 1, 0, 2, 2)) for number in (0, 1)]
    pages = [tables.bytes(), branch.bytes(), left.bytes(), right.bytes(), large_pages, free.bytes(), b"\0" * 2 * Page.SIZE]
    yield from (bytes([transaction]) + b"".join(metas + pages) for transaction in (0, 4, 5))


def varint(number):
    out = b""
    while number >= 0x80:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def big(number, size=8):
    return (number % 2 ** (8 * size)).to_bytes(size, "big")


def sized(text):
    return varint(len(text)) + text


def pack(value):
    """msgpack, as far as it is needed here."""
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return bytes([value]) if 0 <= value < 0x80 else b"\xcf" + big(value)
    if isinstance(value, str):
        return b"\xd9" + bytes([len(value.encode())]) + value.encode()
    if isinstance(value, bytes):
        return b"\xc5" + big(len(value), 2) + value
    if isinstance(value, dict):
        return b"\xde" + big(len(value), 2) + b"".join(pack(each) for pair in value.items() for each in pair)
    return b"\xdc" + big(len(value), 2) + b"".join(map(pack, value))


def many_keys():
    """Maps of more keys than are compared one by one; with one of them twice."""
    for count in (32, 33, 34, 70):
        for names in ([f"key {i}" for i in range(count)], [f"the same beginning {i % (count - 1)}" for i in range(count)]):
            body = b"".join(pack(name) + b"\1" for name in names)
            yield b"\xde" + big(count, 2) + body
            yield ("{" + ",".join(f'"{name}":1' for name in names) + "}").encode()


def framing_seeds():
    maps = [{}, {"a": 1}, {"b": "text", "c": [1, 2]}]
    yield from (pack(maps[:count]) for count in range(4))
    yield bytes([0x93]) + b"\x80\x80\x80"
    yield b"\xdd" + big(2, 4) + b"\x80\x80"
    yield b"\xdf" + big(1, 4) + pack("a") + b"\xc0"
    values = (b"\xc2\xc3\xc4\1x\xc5\0\1x\xc6\0\0\0\1x\xc7\1\5x\xc8\0\1\5x\xc9\0\0\0\1\5x\xca\0\0\0\0\xcb" + b"\0" * 8 + b"\xcc\1\xcd\0\1\xce" + b"\0" * 4
              + b"\xcf" + b"\0" * 8 + b"\xd0\1\xd1\0\1\xd2" + b"\0" * 4 + b"\xd3" + b"\0" * 8 + b"\xd4\1x\xd5\1xx\xd6\1xxxx\xd7\1" + b"x" * 8
              + b"\xd8\1" + b"x" * 16 + b"\xd9\1x\xda\0\1x\xdb\0\0\0\1x\xdc\0\1\1\xdd\0\0\0\1\1\xde\0\1\1\1\xdf\0\0\0\1\1\1\xe0")
    yield b"\x91\x81\xa1k\xdc" + big(33, 2) + b"\xc0" + values
    for text in ("[]", "[{}]", "{}", ' [ {"a":1} , {"b":[{}]} ]\n', "[1]", "[{},]", "[{}", '[{"a":"]\\""}]', "[{}]x", "", " ", "\t[\r\n{}]", "[{}{}]", "[{},1]"):
        yield text.encode()
    yield b"\x91\1"
    yield b"\x92\x80"
    yield b"\x91\x80\x80"
    yield b"\xc1"


def mark_seeds():
    """tail_mark, drop_state, drop_error; the keys of marks of files and of MQTT; rows of event ids and producers."""
    for offset, head in ((0, b""), (3, b"abc"), (300, b"h" * 256)):
        yield pack([1, "/var/log/x.ndjson", 500, 17, 0, 1, offset, 5, 6, head])
    yield pack([1, "x" * 250, 500, 17, 0, 2, 0, 5, 6, b""])
    digest = b"d" * 16
    for ranges, outcome, out in (([], 0, 0), ([[4711, 0, 1, 9, 9]], 1, 0), ([[1, kind % 6, kind + 1, kind + 1, 1] for kind in range(40)], 2, 1), ([[1, 1, 1, 1, 1]], 3, 1)):
        yield pack([1, "a.csv", "", "why", 1, 2, 3, 4, 5, 6, 7, 8, 9, 100, digest, digest, out, 1291191960000, 1291191961000, 1291191962000 * out, outcome, ranges])
    yield pack([1, "a.csv", "", "w" * 220, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, digest, digest, 0, 0, 0, 0, 1, []])
    yield pack([1, "a.csv", "", "w", 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, digest, b"d", 0, 0, 0, 0, 1, []])
    yield pack([17, "bad_value", "unit_price", 'unit_price "2,55" is not a decimal number'])
    yield pack([17, "no such code", "", ""])
    yield b"f" + b"\1" * 24
    yield b"f" + b"\1" * 25
    yield from (b"a:1\0c\0" + id for id in (b"\0\1", b"", b"\0\1\2", b"\xff\xff"))
    yield from (b"a:1\0d\0\0\1", b"b:1\0c\0\0\1", b"old/#\0a\0\0b", b"m" + b"a:1\0c\0\0\1")
    yield from (big(0), big(0) + b"kept", big(7), big(7) + b"reply", big(0) + b"\0\0\0\0", b"short")
    yield b"\1" + big(7) + big(1291191960000) + b"\0" * 4 + b"reply"


def stored_seeds():
    anchor = big(5) + big(1291191960000) + big(0xABCDEF, 4)
    none = big(-1) + big(0) + big(0, 4)
    books = b"".join(map(varint, (10, 4, 3, 2, 1, 0)))
    yield from (big(9) + first + second + anchor + books for first in (anchor, none) for second in (anchor, none))
    yield big(3) + anchor * 3 + books
    yield big(-1) + none * 3 + books
    yield from (b"orders\0" + big(3, 4), b"uk\0\0" + big(4711), b"uk\0\x0b" + big(1), b"uk\0\x0c" + big(1), b"x" * 70 + b"\0\0" + big(1))
    for intervals in ([], [(1, 0)], [(1, 9), (2, 0)], [(3, 5), (2, 2), (900, 2**40)], [(0, 1)], [(1, 1), (1, 1)], [(1, 2**64 - 1)], [(2, 0)] * 4097, [(2, 0)] * 40, [(2, 0)] * 4096):
        yield varint(7) + varint(2) + varint(0) + varint(len(intervals)) + b"".join(varint(a) + varint(b) for a, b in intervals)
    tallies = sized(b"cluster") + bytes([12]) + b"".join(varint(n) for n in range(36))
    texts = [varint(0), varint(2) + sized(b"orders/3:1200-1499") + sized(b""), varint(1) + sized(b"x" * 1100)]
    for text in texts:
        yield big(4) + big(1291191960000) + big(1) + tallies + text + text
        yield big(4) + big(1291191960000) + big(1) + tallies + text + text + text + varint(9)
    yield big(4) + big(0) + big(1) + sized(b"c" * 200) + tallies
    yield sized(b"orders") + big(3, 4) + big(17) + big(1291191960000) + sized(b"bad_frame") + sized(b"uk") + varint(2000) + sized(b"v" * 600)
    yield sized(b"orders") + big(3, 4) + big(17) + big(1291191960000) + sized(b"bad_frame") + sized(b"") + varint(2) + sized(b"v") + b"more"
    for generations in ((0, 0, 0), (1, 0, 0), (3, 2, 1)):
        yield big(17) + big(2) * 2 + b"".join(big(number, 4) + big(5) * (16 if number else 0) for number in generations)


def packed(value):
    """As msgpack, for what an archive's stream has."""
    if isinstance(value, (list, dict)):
        parts = value if isinstance(value, list) else [part for pair in value.items() for part in pair]
        return bytes([(0x90 if isinstance(value, list) else 0x80) | len(value)]) + b"".join(map(packed, parts))
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return b"\xd3" + big(value)
    return b"\xd9" + bytes([len(value)]) + value.encode() if isinstance(value, str) else b"\xc5" + big(len(value), 2) + value


def archive_seeds():
    """Streams of archives: whole, cut off, and each part replaced by what it must not be."""
    left_out = {"duplicates": 1, "foreign": 2, "unreadable": 3, "archived": 1, "from": 4, "gaps": [[1, 2], [6, 6]]}
    letter = {"till.edge": b"uk", "till.run": b"7", "till.seq": b"17", "other": None}
    partitions = [["orders", 3, 20, left_out, 19, b"last", 1291191960000], ["carts", 0, 0, {}, None, None, None]]
    records = [["orders", 3, 4, 1291191960000, b"uk", b"{}", None], ["orders.dlq", 0, 9, 1291191960009, None, None, letter]]
    end = {"end": True, "records": 2}

    def stream(head, records, end):
        return b"".join(map(packed, [head, *records, end]))

    def head(held=None, version=1, cluster="kafka-A"):
        return {"till_archive": version, "cluster": cluster, "partitions": partitions if held is None else held}

    whole = stream(head(), records, end)
    yield whole
    yield from (whole[:size] for size in range(0, len(whole), 9))
    yield stream(head([]), [], {"end": True, "records": 0})
    yield stream(head([]), records, {"end": True, "records": 3})
    yield stream(head([]), records, {"end": False, "records": 2})
    yield stream(head([]), records, {"end": True}) + b"more"
    yield whole + b"more"
    for wrong in (head(version=2), head(cluster=""), head(cluster="a\0b"), head("none"), head([[]]), {"till_archive": 1}, head([[*partitions[0][:3], {"counted": 1}, None, None, None]])):
        yield stream(wrong, records, end)
    for at, wrong in ((0, ""), (0, None), (1, -1), (2, 2**63 - 1), (3, "now"), (4, "text"), (5, True), (6, [1]), (6, {"a": "text"})):
        yield stream(head([]), [[*records[0][:at], wrong, *records[0][at + 1:]]], end)
    for lengths in ("c6ffffffff", "dbffffffff", "ddffffffff", "dfffffffff", "dd00210000", "c7", "cb0000000000000000", "dc0002", "de0001", "da0001", "cc01", "cd0001", "d0ff", "e0", "c1"):
        yield packed(head([])) + bytes.fromhex(lengths) + b"x" * 40
    yield packed(head([]))[:-1] + bytes.fromhex("dd00010001")
    yield packed(head([]))[:-1] + bytes.fromhex("dc0000") + packed(end)


def query_seeds():
    """Refinements of the target's own view (edge, minute; n, m, f, newest) and table (edge; name, credit, since, visits)."""
    for more in ({}, {"group_by": ["credit", "edge"]}, {"group_by": ["visits", "day"]}, {"group_by": ["since"], "range": {"last": "1d"}, "compare": {"shift": "1d"}},
                 {"group_by": ["name"], "where": [{"field": "day", "op": "=", "value": "2010-12-01"}]}, {"group_by": ["minute"]}, {"compare": {"shift": "1d"}},
                 {"group_by": ["name", "day"], "where": [{"field": "day", "op": "=", "value": "2010-12-01"}, {"field": "credit", "op": "<", "value": "0"}]},
                 {"where": [{"field": "name", "op": "=", "value": "y"}]}, {"where": [{"field": "currency", "op": "=", "value": "GBP"}, {"field": "edge", "op": "=", "value": "a"}]}):
        for query in ({"query": "scan"}, {"query": "get", "key": [None, "a"]}, {"query": "top", "by": "m", "until_share": "0.8"}, {"query": "bands", "by": "n", "count": 3}):
            yield json.dumps({**query, "view": "v", "join": "t", "with_missing": True, **more}).encode()


def telemetry(**other):
    numbers = ("run", "number", "started_ms", "now_ms", "interval_ms", "received", "accepted", "invalid", "refused", "repeated", "spool_bytes",
               "spool_max", "disk_room", "oldest_ms", "aside_unknown")
    return {"kind": "telemetry", "edge": "uk", "program": "till-edge 0.1.0", "numbered": [17, 0, 0, 0, 0, 1], "disk": [], "aside": [], "cut": False, "stopping": False,
            **{name: 100 + place for place, name in enumerate(numbers)}, **other}


def bridge_report(**other):
    numbers = ("run", "number", "started_ms", "now_ms", "uptime_ms", "interval_ms", "edges", "waiting_batches", "waiting_records", "waiting_bytes", "waiting_ms", "events",
               "letters", "delivered", "rejected", "retried", "batches", "acked", "nacked", "event_bytes", "wire_bytes")
    return {"kind": "bridge", "bridge": "kafka1:7171", "program": "till-bridge 0.1.0", "lanes_ms": [0] * 6, "errors": [], "cut": False, "connected": False, "stopping": False,
            **{name: 100 + place for place, name in enumerate(numbers)}, **other}


def telemetry_seeds():
    yield from (pack(telemetry(**other)) for other in (
        {}, {"disk": [[4711, 0, 18, 20], [4710, 3, 1, 1]], "aside": [[4711, 0, 5, 5]], "cut": True, "stopping": True}, {"disk": [[1, 0, 1, 1]] * 64},
        {"disk": [[1, 0, 1, 1]] * 60, "aside": [[1, 0, 1, 1]] * 5}, {"disk": [[1, 0, 2**62, 2**63 - 1]] * 5}, {"kind": "order"}, {"kind": 1}, {"edge": " uk"}, {"edge": 7},
        {"program": "x" * 65}, {"numbered": [1]}, {"numbered": [1, 2, 3, 4, 5, "6"]}, {"disk": 1}, {"disk": [[1, 0, 2, 1]]}, {"disk": [[1, 6, 1, 1]]}, {"disk": [[1, 0, 1]]},
        {"disk": [[1, 0, 1, "1"]]}, {"aside": [[0, 0, 1, 1]]}, {"cut": 1}, {"stopping": 1}, {"run": 0}, {"run": 2**53}, {"number": 0}, {"now_ms": "1"}, {"more": 1}))
    yield from (pack([telemetry()]), pack(telemetry(padding=b"x" * 8192)), b"")
    yield from (pack(bridge_report(**other)) for other in (
        {}, {"errors": [["kafka", "_MSG_TIMED_OUT", 9], ["nack", "busy", 8], ["rejected", "bad_value", 1]], "cut": True, "stopping": True}, {"connected": True},
        {"errors": [["kafka", "x" * 64, 1]] * 16}, {"errors": [["kafka", "x", 1]] * 17}, {"errors": [["other", "x", 1]]}, {"errors": [["nack", "x" * 65, 1]]},
        {"errors": [["nack", "x"]]}, {"errors": [["nack", "x", "1"]]}, {"errors": 1}, {"lanes_ms": [0] * 5}, {"lanes_ms": [0, 0, 5000, 0, 0, 1]}, {"lanes_ms": [-1] * 6},
        {"bridge": " k"}, {"bridge": 7}, {"program": "x" * 65}, {"run": 0}, {"run": 2**53}, {"number": 0}, {"uptime_ms": "1"}, {"events": -1}, {"cut": 1}, {"connected": 1},
        {"stopping": 1}, {"waiting_ms": 60000}, {"now_ms": 2**63 - 1}, {"more": 1}))


def database_position(flags):
    return bytes([flags]) + b"".join(map(varint, (7, 4096, 2, 1))) + big(5) + varint(9) + varint(3)


def entry_seeds():
    # baskets
    head = varint(1291191960000) + varint(1291191960000) + big(4711) + varint(17)
    amount = sized(b"GBP") + big(0) + big(2550000) + big(6) + varint(2)
    minus = sized(b"EUR") + big(-1) + big(-5) + big(-1) + varint(1)
    for count in (0, 1, 2, 64, 65):
        for user in (b"", b"17850"):
            yield b"\0" + head + sized(b"web") + sized(b"card") + sized(user) + varint(5) + bytes([user == b""]) + varint(count) + (minus + amount * 70)[:len(amount) * count + (count > 0) * (len(minus) - len(amount))]
    yield from (b"\0" + head, b"\0" + head + sized(b"web") + varint(200) + b"x", b"\0bo12345678uk\0o1", b"\0")
    # rows of sources whose rows change
    event = bytes([0]) + varint(0b11111) + varint(2 * 1291191960000) + sized(b"e") + sized(b"o1") + sized(b"p") + varint(12)
    whole = bytes([0]) + varint(2**17 - 1) + b"".join(varint(2) + b"x" for _ in range(20))
    for flags in (0, 1, 2, 3, 4):
        yield from (b"\1" + database_position(flags) + rest for rest in (b"\0", b"\2", b"\3", b"\4", b"\1" + varint(7) + event, b"\5" + varint(8) + event, b"\1" + varint(7) + whole))
    yield from (b"\1" + database_position(0) + b"\1" + varint(7) + rest for rest in (
        b"\3" + varint(1), b"\0" + varint(2**40), b"\0" + varint(8) + sized(b"x" * 1025), b"\0" + varint(0), b"\0" + varint(1) + b"\xff" * 10))
    # rows of tables
    log = big(1291191960000) + big(7, 4) + big(1, 4) + big(12)
    database = b"".join(map(varint, (7, 4096, 2, 1, 5, 9, 3)))
    longs = (100).to_bytes(2, "little") + b"l" * 100
    there = [sized(b"") + b"\0" * 4, sized(longs) + b"\1" + sized(b"Ada") + b"\1" + big(-2500000) + b"\1" + big(1291191960000) + b"\1" + big(7), sized(b"") + b"\1\x03ab"]
    for flags, stand in ((0, log), (2, database), (4 + 2, database), (8 + 2, database), (14, database)):
        yield b"\2" + bytes([flags]) + stand
        yield b"\2" + bytes([flags + 16 + 32]) + stand + sized(b"17850")
        yield from (b"\2" + bytes([flags + 1]) + stand + rest for rest in there)
        yield b"\2" + bytes([flags + 1 + 16]) + stand + sized(b"17850") + there[1]
    yield from (b"\2\x40" + log, b"\2\0" + log + b"more", b"\2\0")


def row_seeds():
    """Keys behind the size of their first part; values of every size about that of the target's view."""
    number = big(2**63 + 5)
    longs = (100).to_bytes(2, "little") + b"l" * 100
    hashed, rest = b"p" * 64 + b"\xff" + b"h" * 16, number * 2 + b"EUR\0"  # a view that measures money has currency as its last group
    keys = [(b"p\0" + rest, b""), (hashed + rest, longs), (b"p", b""), (b"p\0" + number, b""), (b"p" * 64 + b"\xffh", longs), (hashed + rest, longs[:50]),
            (hashed + rest, b"l"), (b"p\0" + rest, b"more")]
    yield from (bytes([len(key)]) + key + rest for key, rest in keys)
    stamp = b"\1" * 24 + b"\0\2uk"
    bins = b"\2\0\0\0\5\1"
    for fixed in range(64, 96):
        for first, last in ((b"", b""), (stamp + b"web", stamp + b"\0" * 16), (stamp + b"web", stamp), (b"\1" * 24 + b"\x09\2uk", b"")):
            yield (b"\0" * fixed + longs + b"".join(len(each).to_bytes(2, "little") + each for each in (first, last)) + (bins * 2 if first else b"\0" * 8))


def zone_seeds():
    root = Path("/usr/share/zoneinfo")
    for name in ("UTC", "Europe/London", "Europe/Berlin", "Africa/Casablanca", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Scoresbysund", "Asia/Gaza"):
        if (root / name).is_file():
            file = (root / name).read_bytes()
            yield file
            yield file[:4] + b"\0" + file[5:]  # as version 1
    for rule in ("UTC0", "GMT0BST,M3.5.0/1,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0/3", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                 "EST5EDT,J60/2:30:15,J300", "EST5EDT,59,299/-167", "EST5EDT4:30,M13.1.0,M1.1.0", "EST5EDT", "E5", "EST", "EST25", "EST5EDT,M3.6.0,M1.1.0", "EST5EDT,J0,J366",
                 "EST5EDT,366,0", "<+>5", "<abc5", "EST5EDT,M3.2.0,", "EST5EDT,M3.2.0/168,M11.1.0", "EST5:60", "EST5EDT,M3.2.7,M11.1.0", "EST5EDT,M0.2.0,M11.1.0", "EST5EDT,M3.2.0,M11.1.0x"):
        yield rule.encode()


def block_seeds(vectors):
    events = [bytes.fromhex(vector["msgpack"]) for vector in map(json.loads, (vectors / "events.ndjson").read_text(encoding="utf-8").splitlines())
              if vector.get("msgpack")]
    for run in (events[:1], events[:5], events[5:9]):
        body = b"".join(run)
        yield b"\1\0\0\0" + big(len(run), 4) + big(4711) + big(17) + big(1291191960000) * 2 + big(len(body), 4) + b"\0" * 8 + body
    yield b"till-spool\0\0" + big(1, 4) + big(42) + sized(b"uk") + sized(b"cluster") + b"\0" * 4
    for version in (2, 3):
        yield b"till-spool\0\0" + big(version, 4) + big(42) + sized(b"uk") + sized(b"cluster") + b"\0" * 4
    yield b"till-spool\0\0" + big(1, 4) + big(42) + sized(b"u" * 70) + sized(b"cluster") + b"\0" * 4
    yield b"\0" + big(7)


def view_seeds(root):
    for section in (root / "deploy" / "views.conf").read_text().split("\n[")[1:]:
        yield "\n".join(line for line in section.splitlines()[1:] if line and not line.startswith("#")).encode()


def csv_seeds():
    yield from (b"\0\1" + body for body in (
        b"a,b\r\n1,2\r\n", b'"a ""b""",c\n', b'"a\nb",c\n', b"\xef\xbb\xbfa,b\n", b'"open,1\n2', b'"a"b,c\nd\n', b'a"b\n', b"\n\n,,\n", b"a\rb\n", b"," * 300 + b"\n",
        b"a," * 1100 + b"\n1\n", b"x" * 70000 + b"\n", b'"' + b"x" * 70000 + b'"\n', b'"a"\r', b'"a"\rb\n', b'"', b"a,b", b'"a",'))


def by_hand(root, noun):
    """The parts of seeds/NOUN.txt, between lines of %%; each without its last newline, too: an option of a command line has none."""
    for part in (root / "tests" / "fuzz" / "seeds" / f"{noun}.txt").read_text(encoding="utf-8").split("\n%%\n"):
        yield from (part.encode(), part.rstrip("\n").encode() + b"\n")


def write(folder, all_seeds):
    folder.mkdir(parents=True, exist_ok=True)
    for seed in all_seeds:
        (folder / hashlib.sha1(seed).hexdigest()[:16]).write_bytes(seed)


def main():
    vectors, out = Path(sys.argv[1]), Path(sys.argv[2])
    for target, sources in TARGETS.items():
        write(out / target, seeds(vectors, sources))
    write(out / "record", record_seeds(vectors))
    write(out / "record_view", record_view_seeds(vectors))
    write(out / "compression", compression_seeds(vectors))
    write(out / "http", http_seeds(vectors))
    write(out / "web_rules", web_rules_seeds())
    write(out / "mqtt", mqtt_seeds(vectors))
    write(out / "mqtt_topic", mqtt_topic_seeds(vectors))
    write(out / "mqtt_session", mqtt_session_seeds(vectors))
    write(out / "line", line_seeds(vectors))
    write(out / "debezium", debezium_seeds(vectors))
    for target in ("session_bridge", "session_edge"):
        write(out / target, session_seeds(vectors))
    write(out / "page", page_seeds())
    write(out / "framing", framing_seeds())
    for target in ("event", "json", "msgpack", "event_json"):
        write(out / target, many_keys())
    write(out / "mark", mark_seeds())
    write(out / "stored", stored_seeds())
    write(out / "archive_stream", archive_seeds())
    write(out / "query", query_seeds())
    write(out / "telemetry", telemetry_seeds())
    write(out / "entry", entry_seeds())
    write(out / "row", row_seeds())
    write(out / "zone", zone_seeds())
    write(out / "block", block_seeds(vectors))
    write(out / "csv", csv_seeds())
    write(out / "view", view_seeds(vectors.parents[1]))
    for noun in ("config", "view"):
        write(out / noun, by_hand(vectors.parents[1], noun))
    write(out / "spool_content", content_seeds(7))
    write(out / "store_content", (seed[1:] for seed in [*content_seeds(10), *table_seeds()]))
    write(out / "config", config_seeds(vectors.parents[1]))


main()
