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
}
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


def compression_seeds(vectors):
    for line in (vectors / "wire.ndjson").read_text(encoding="utf-8").splitlines():
        message = json.loads(line).get("message", {})
        if "plain_size" in message:
            yield message["plain_size"].to_bytes(3, "little") + bytes.fromhex(message["events"])


def http_seeds(vectors):
    """Authorization, Content-Type, Content-Encoding, Accept, Idempotency-Key, kind, body."""
    events = [vector["in_json"] for vector in map(json.loads, (vectors / "events.ndjson").read_text(encoding="utf-8")
                                                  .splitlines()) if vector.get("in_json")]
    for body in events:
        yield f"Bearer x\0application/json; charset=utf-8\0identity\0*/*\0\"k-1\"\0cart\0{body}".encode()
    yield "\0".join(["", "application/x-ndjson", "", "application/msgpack;q=0.5", '"a\\"b"', "view",
                     "\r\n".join(events[:20])]).encode()


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


def debezium_seeds(vectors):
    """Settings, the size of the key in two bytes, key, value."""
    for line in (vectors / "debezium.ndjson").read_text(encoding="utf-8").splitlines():
        vector = json.loads(line)
        if "order" not in vector:
            key, value = (bytes.fromhex(vector[half + "_hex"]) if half + "_hex" in vector else (vector[half] or "").encode()
                          for half in ("key", "value"))
            yield bytes([2 if vector.get("types") else 0]) + len(key).to_bytes(2, "little") + key + value


def config_seeds(root):
    yield from (path.read_bytes() for path in sorted((root / "deploy").rglob("*.conf")))
    yield b"[key]\npublic = Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\n[rights]\nedges = a, b\nviews = *\nstores = a\nsend = yes\nadmin = no\n"


def session_seeds(vectors):
    """Steps of session.h: each of the vectors' frames after a HELLO or a WELCOME, and what makes something of them."""
    frames = [bytes.fromhex(vector["hex"]) for vector in map(json.loads, (vectors / "wire.ndjson").read_text(encoding="utf-8").splitlines())
              if vector.get("message") and len(vector["hex"]) < 4000]

    for first in [frame for frame in frames if frame[1] in (1, 2)][:4]:
        begin = step(5, b"\x0c") + step(5, b"\x0d") + step(3) + step(1, first)
        for frame in frames:
            yield b"\0" + begin + step(1, frame) + step(3, b"\xff") + step(2, b"\x0a") + step(1, frame) + step(0, frame, 1)
    for choices in range(32):
        yield bytes([choices]) + b"".join(step(1, frame) + step(act, b"\x01") for act, frame in enumerate(frames[:16]))


def step(act, body=b"\0", whom=0):
    """Of a script (script.h)."""
    return bytes([act | whom << 4]) + len(body).to_bytes(2, "little") + body


def content_seeds(act_count):
    """Each act of the content targets, alone and after the others."""
    bodies = [b"meta", b"\4rootx", b"\3key\0\0\0\0value", b"\1\0", b"\1\0", b"\2\3\5", b"\0\1\2\3\7\x08", b"\0", b"identity"]
    steps = [step(act, body) for act in range(act_count) for body in bodies]
    yield from (b"\0" + each for each in steps)
    yield b"\0" + b"".join(step(act, bodies[act]) for act in range(act_count))
    yield b"\1" + b"".join(steps)


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


def write(folder, all_seeds):
    folder.mkdir(parents=True, exist_ok=True)
    for seed in all_seeds:
        (folder / hashlib.sha1(seed).hexdigest()[:16]).write_bytes(seed)


def main():
    vectors, out = Path(sys.argv[1]), Path(sys.argv[2])
    for target, sources in TARGETS.items():
        write(out / target, seeds(vectors, sources))
    write(out / "record", record_seeds(vectors))
    write(out / "compression", compression_seeds(vectors))
    write(out / "http", http_seeds(vectors))
    write(out / "mqtt", mqtt_seeds(vectors))
    write(out / "mqtt_topic", mqtt_topic_seeds(vectors))
    write(out / "mqtt_session", mqtt_session_seeds(vectors))
    write(out / "line", line_seeds(vectors))
    write(out / "debezium", debezium_seeds(vectors))
    for target in ("session_bridge", "session_edge"):
        write(out / target, session_seeds(vectors))
    write(out / "page", page_seeds())
    write(out / "spool_content", content_seeds(6))
    write(out / "store_content", (seed[1:] for seed in content_seeds(8)))
    write(out / "config", config_seeds(vectors.parents[1]))


main()
