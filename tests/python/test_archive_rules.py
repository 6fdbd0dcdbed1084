"""What a record is: the archive's judgement against the aggregator's, value by value; and sets of seqs against plain ones."""
import json
import math
import random

import msgpack
import pytest
from archive_rig import START_MS, Topics, archive, letter, order
from till.archive.counted import Intervals

FIELDS = ("kind", "edge", "run", "seq", "ts", "order_id", "product_id", "quantity", "unit_price", "amount", "discount", "currency",
          "user_id",
          "category", "action", "event_id", "rejected", "note")
DEEP = [[[[[[[1]]]]]]]
VALUES = (
    None, "", 0, 1, -1, 17, True, False, 1.5, 2.0, -0.5, "1", "17", "+1", "1.0", "+1.5", "-0.5", "1e3", " 1", "01.50", "1.", ".5",
    "1.0000000",
    "0.0000001", "1.2345678", "999999999999.999999", "1000000000000.00", "-1000000000000.00", "1000000000000", "1000000000000.01",
    "0000000000001.00", 10**9, 10**9 + 1, -(10**9), 10**12, 2**53 - 1, 2**53, 2**63 - 1, 2**63, -(2**63), 253402300799999, 253402300800000,
    "order", "cart", "view", "order.dlq", "order_event", "GBP", "gbp", "add", "remove", "store 1", " store", "store ", "st\x07ore",
    "x\0y", "é" * 32,
    "é" * 33, "é" * 64, "é" * 65, "x" * 128, "x" * 129, "x" * 1024, "x" * 1025, "٣", "１", [], {}, [1], {"a": 1}, DEEP, [DEEP], {"x\0": 1})
MSGPACK_ONLY = (b"", b"x", msgpack.ExtType(5, b"x"), {1: 2}, {b"k": 1})
JSON_ONLY = ("1e2", "1E+2", "0.0", "-0", "0.000001", "1e-7", "255e-2", "1.000000000000000000000", "100000000000000000000", "1e300",
             "1e-300",
             '"\\u00e9"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"', "NaN", "Infinity", "01", "1.", '{"a":1,"a":2}', '[1,]',
             '"9007199254740993"',
             '"1.5"', "12345678901234567890", "1291193160000.0", "1.29119316e12")
ABSENT = object()


def mutants_of(field, seq):
    """Orders of which one field has another value; also as JSON."""
    for value in (*VALUES, *MSGPACK_ONLY, ABSENT):
        event = order("store-1", 4711, next(seq))
        event[field] = value
        if value is ABSENT:
            del event[field]
        yield msgpack.packb(event)
    plain = [json.dumps(value) for value in VALUES if not isinstance(value, bytes)]
    for text in (*plain, *JSON_ONLY):
        event = order("store-1", 4711, next(seq))
        event["unit_price"] = 2.5
        event[field] = "\x01"
        yield json.dumps(event).replace('"\\u0001"', text).encode()


def garbage(seq):
    """Bytes of anybody."""
    chance = random.Random(3)
    whole = msgpack.packb(order("store-1", 4711, next(seq)))
    yield from (b"", b"\xc1", b"{", b"[]", b"[1]", b"{}", b"\x80", b"\x90", b"\xc0", b" \n", b"\xef\xbb\xbf{}", b'{"a":1}', b"{} x",
    b"null", b"17")
    yield from (whole + b"\0", whole[:-1], whole[:1], b"\xde\xff\xff", b"\xdd\xff\xff\xff\xff", msgpack.packb({"a": 1}),
                msgpack.packb({"seq": 1}), msgpack.packb({"a": {"seq": 1}}), msgpack.packb([{"edge": "x"}]))
    yield from (whole[:at] + bytes([chance.randrange(256)]) + whole[at + 1:] for at in range(0, len(whole), 3))
    pairs = list(order("store-1", 4711, next(seq)).items())
    for twice in (("seq", 5), ("note", 1), ("note", [{"a": 1}])):
        yield bytes([0x80 + len(pairs) + 2]) + b"".join(map(msgpack.packb, (*(part for pair in pairs for part in pair), *twice, *twice)))
    event = msgpack.packb(order("store-1", 4711, next(seq)) | {"note": {"a": 1, "b": 2}})
    yield event.replace(msgpack.packb({"a": 1, "b": 2}), b"\x82\xa1a\x01\xa1a\x02")
    yield msgpack.packb(order("store-1", 4711, next(seq)) | {"blob": "x" * 65536})
    yield msgpack.packb(order("store-1", 4711, next(seq)) | {"blob": b"x" * 65000})


def letters():
    """Headers of dead letters: good, and each with something wrong."""
    good = dict(letter("store-1", 4711, "order.dlq", 1))
    yield from ([], list(good.items()), [("till.edge", b"x")], list(good.items()))
    for number, (name, value) in enumerate([(name, value) for name in good for value in (
            b"", b"\xff", b"x\0", b"0", b"17", b"-1", b"9223372036854775808", b"x" * 200, b"x" * 290, b"edge", b"bridge", b"order",
            b"cart.dlq", None)]):
        headers = {**good, "till.seq": str(100 + number).encode(), name: value}
        yield list(headers.items())
    yield letter("store-1", 4711, "order", 1, "bridge")
    yield [*letter("store-1", 4711, "order.dlq", 900), ("till.seq", b"901")]


def test_what_the_aggregator_counts_is_archived_and_nothing_else(broker, prefix, pipeline, tmp_path):
    topics = Topics(broker.bootstrap, prefix, partitions=len(FIELDS) + 2)
    seq = iter(range(1, 10**6))
    for partition, field in enumerate(FIELDS):
        for value in mutants_of(field, seq):
            topics.put("order", partition, value, b"store-1")
    for value in garbage(seq):
        topics.put("order", len(FIELDS), value, b"store-1")
    for kind in ("cart", "view"):
        for value in (order("store-1", 1, 1), {"kind": kind, "edge": "store-1", "run": 1, "seq": 2, "ts": START_MS, "product_id": "p",
                                               "quantity": 1, "action": "add", "unit_price": {"a": 1}},
                      {"kind": kind, "edge": "store-1", "run": 1, "seq": 3, "ts": START_MS}):
            topics.put(kind, 0, value)
    for key in (None, b"", b"other"):
        topics.put("order", len(FIELDS) + 1, msgpack.packb(order("store-1", 4711, next(seq))), key)
    topics.producer.produce(topics.names[0], None, b"store-1", len(FIELDS) + 1)
    for headers in letters():
        topics.put("order.dlq", 0, b"whatever", b"store-1", headers)
    topics.flush()
    archive("run", tmp_path / "a", *topics.options(), "--once")
    pipe = pipeline(bridges=0, edges=(), partitions=len(FIELDS) + 2)
    pipe.start_aggregator()
    pipe.wait_applied()
    own = {(each["topic"], each["partition"]): [each[name] for name in ("read", "archived", "duplicates", "foreign", "unreadable")]
           for each in json.loads(archive("status", tmp_path / "a", "--json").stdout)["partitions"]}
    theirs = {(each["topic"], each["partition"]): [each["read"], each["counted"] + each["rejected"], each["duplicates"], each["foreign"],
                                                   each["unreadable"]]
              for each in pipe.client.ask("status")["partitions"]}
    names = {(topics.names[0], number): name for number, name in enumerate((*FIELDS, "garbage", "keys"))}
    for name in ("seq", "garbage"):  # some have one certificate and other bytes: the aggregator looks, the archive takes a repeat for one
        for books in (own, theirs):
            books[topics.names[0], (*FIELDS, "garbage").index(name)][2:] = [sum(books[part][2:]) for part in names if names[part] == name]
    different = {names.get(part, part): (own[part], theirs[part]) for part in own if own[part] != theirs.get(part, [0] * 5)}
    assert different == {}
    assert sum(each[0] for each in own.values()) > 3000
    assert archive("verify", tmp_path / "a").returncode == 0


@pytest.mark.parametrize("seed", range(20))
def test_intervals_are_a_set(seed):
    chance, intervals, plain = random.Random(seed), Intervals(), set()
    for _ in range(600):
        seq = chance.randint(1, 40 if seed % 2 else 400)
        assert intervals.add(seq) == (seq not in plain)
        plain.add(seq)
    assert intervals.size == len(plain)
    assert {seq for first, last in intervals for seq in range(first, last + 1)} == plain
    assert all(math.isfinite(first) and (last + 1) not in plain and (first - 1) not in plain for first, last in intervals)
    assert all((seq in intervals) == (seq in plain) for seq in range(1, 402))
    assert Intervals(intervals) == intervals
    first = chance.randint(1, 380)
    others = set(range(first, first + 12))
    assert intervals.add_interval(first, first + 11) == (not others & plain)
