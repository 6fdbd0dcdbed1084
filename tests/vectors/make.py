#!/usr/bin/python3
"""Writes the conformance vectors (*.ndjson) beside this file.

An implementation of PROTOCOL.md's rules of its own, on Python's decimal, datetime and zoneinfo and the packer below; it
never asks till. What it can't compute (events in, events out) is written out by hand. Run it after a change of the
protocol, read the difference, and commit both.
"""
import datetime
import json
import random
import re
import struct
from decimal import ROUND_HALF_EVEN, Decimal, getcontext
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

from make_queries import query_vectors

getcontext().prec = 100
HERE = Path(__file__).parent
random.seed(20101201)


# --- msgpack and JSON ---------------------------------------------------------------------------------------------

class Money(str):
    """Decimal digits: text in msgpack, a number in JSON."""


class Bin(bytes):
    pass


class Raw(bytes):
    """Encoded already."""


class Pairs(list):
    """A map in order, duplicates allowed."""


def head(fix, fix_max, wide, size):
    if size <= fix_max:
        return bytes([fix | size])
    for code, width, limit in wide:
        if size < limit:
            return bytes([code]) + size.to_bytes(width, "big")
    raise ValueError(size)


def pack_int(value):
    if 0 <= value < 128:
        return bytes([value])
    if -32 <= value < 0:
        return struct.pack("b", value)
    forms = [(0xcc, 1), (0xcd, 2), (0xce, 4), (0xcf, 8)] if value >= 0 else [(0xd0, 1), (0xd1, 2), (0xd2, 4), (0xd3, 8)]
    for code, width in forms:
        try:
            return bytes([code]) + value.to_bytes(width, "big", signed=value < 0)
        except OverflowError:
            pass
    raise ValueError(value)


def pack(value):
    if isinstance(value, Raw):
        return bytes(value)
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return pack_int(value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode()
        return head(0xa0, 31, [(0xd9, 1, 1 << 8), (0xda, 2, 1 << 16), (0xdb, 4, 1 << 32)], len(data)) + data
    if isinstance(value, (Bin, bytes)):
        return head(0, -1, [(0xc4, 1, 1 << 8), (0xc5, 2, 1 << 16), (0xc6, 4, 1 << 32)], len(value)) + value
    if isinstance(value, dict):
        value = Pairs(value.items())
    if isinstance(value, Pairs):
        body = b"".join(pack(k) + pack(v) for k, v in value)
        return head(0x80, 15, [(0xde, 2, 1 << 16), (0xdf, 4, 1 << 32)], len(value)) + body
    return head(0x90, 15, [(0xdc, 2, 1 << 16), (0xdd, 4, 1 << 32)], len(value)) + b"".join(map(pack, value))


def to_json(value):
    if isinstance(value, Money):
        return str(value)
    if isinstance(value, dict):
        value = Pairs(value.items())
    if isinstance(value, Pairs):
        return "{" + ",".join(to_json(k) + ":" + to_json(v) for k, v in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(to_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def normal_json(pairs):
    """Kafka's JSON: integers past 2^53 are text."""
    return to_json(Pairs((k, str(v) if type(v) is int and abs(v) > 2 ** 53 else v) for k, v in pairs))


def float32(value):
    return Raw(b"\xca" + struct.pack(">f", value))


def write(name, vectors):
    with open(HERE / f"{name}.ndjson", "w", encoding="utf-8") as out:
        for vector in vectors:
            out.write(json.dumps(vector, ensure_ascii=False, separators=(",", ":")) + "\n")


# --- money --------------------------------------------------------------------------------------------------------

LIMIT = Decimal(10) ** 12
MICRO = Decimal("0.000001")


def money_text(text):
    found = re.fullmatch(r"[+-]?([0-9]+)(\.[0-9]+)?", text, re.ASCII)
    if not found:
        return "syntax"
    return micros(Decimal(text)) if len(found[1]) <= 12 else "range"


def micros(value):
    if abs(value) > LIMIT:
        return "range"
    if value != value.quantize(MICRO, rounding=ROUND_HALF_EVEN):
        return "precision"
    return int(value * 1000000)


def money_float(value):
    if value != value or value in (float("inf"), float("-inf")):
        return "syntax"
    exact = Decimal(value)
    if abs(exact) > LIMIT:
        return "range"
    rounded = exact.quantize(MICRO, rounding=ROUND_HALF_EVEN)
    if abs(rounded - exact) > abs(exact) * Decimal("1e-9"):
        return "precision"
    return int(rounded * 1000000)


def money_out(amount):
    sign, amount = ("-" if amount < 0 else ""), abs(amount)
    digits = f"{amount % 1000000:06d}".rstrip("0")
    return f"{sign}{amount // 1000000}.{digits.ljust(2, '0')}"


def average_out(total, count):
    return money_out(round(Fraction(total, count)))  # Python rounds halves to even


def outcome(result):
    return {"error": result} if isinstance(result, str) else {"micros": result, "out": money_out(result)}


def money_vectors():
    texts = ["0", "1", "+1", "-1", "2.55", "-2.550", "+0.5", "0.000001", "-0.000001", "1.0000000", "1.00000010", "00012.5",
             "999999999999.999999", "1000000000000", "0.0000001", "2,55", ".5", "1.", "", "-", "+-1", "1e3", " 1", "1 ",
             "0x10", "NaN", "inf", "1.2.3", "1_000", "٣"]
    texts += [f"{random.choice(['', '-', '+'])}{random.randrange(10 ** random.randint(1, 12))}"
              f".{random.randrange(10 ** random.randint(1, 8))}" for _ in range(30)]
    for text in texts:
        yield {"text": text, **outcome(money_text(text))}
    for digits in ["0", "-0", "0.0", "2.55", "255e-2", "1.5E+3", "1e0", "1e12", "1000000000000", "1000000000000.000001",
                   "1e13", "1e300", "1e-6", "1e-7", "10e-7", "-2.5e-1", "0e999999999", "1e-999999999", "0.10000000000",
                   "123456789.123456", "123456789.1234567", "9007199254740993e-6"]:
        yield {"number": digits, **outcome(micros_of_number(digits))}
    for units in [0, 1, -1, 10 ** 12, -10 ** 12, 10 ** 12 + 1, 2 ** 63 - 1, -2 ** 63]:
        result = units * 1000000 if abs(units) <= 10 ** 12 else "range"
        yield {"integer": str(units), **outcome(result)}
    floats = [0.0, -0.0, 2.55, 0.1, -0.3, 1e-6, 1e-7, 0.0000015, 12345678.9, 999999999999.5, 1e12, 1e13, 1e300, 4.35,
              float("inf"), float("nan"), 1.0000005, 3.1415926535]
    floats += [round(random.uniform(-5000, 5000), random.randint(0, 4)) for _ in range(20)]
    for value in floats:
        yield {"float64": struct.pack(">d", value).hex(), **outcome(money_float(value))}
    for amount in [0, 1, 10, 100000, 1000000, -1, -1500000, 2 ** 63, -2 ** 127, 2 ** 127 - 1]:
        yield {"sum": str(amount), "out": money_out(amount)}
    averages = [(1, 2), (3, 2), (5, 2), (-1, 2), (-3, 2), (10000000, 3), (20000000, 3), (2 ** 127 - 1, 7), (0, 5), (1, 2 ** 63)]
    for total, count in averages:
        yield {"average": str(total), "count": count, "out": average_out(total, count)}


def micros_of_number(digits):
    mantissa, _, exponent = digits.lower().partition("e")
    if Decimal(mantissa) == 0:
        return 0
    if abs(int(exponent or 0)) > 1000:
        return "range" if int(exponent) > 0 else "precision"
    return micros(Decimal(digits))


# --- time ---------------------------------------------------------------------------------------------------------

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def ms_of(moment):
    return (moment - EPOCH) // datetime.timedelta(milliseconds=1)


def utc(*parts):
    return ms_of(datetime.datetime(*parts, tzinfo=datetime.timezone.utc))


def time_vectors():
    for number, ms in [(0, 0), (1, 1000), (1291191960, utc(2010, 12, 1, 8, 26)), (99999999999, 99999999999000),
                       (100000000000, 100000000000), (1291191960000, utc(2010, 12, 1, 8, 26)),
                       (99999999999999, 99999999999999), (100000000000000, 100000000000),
                       (1291191960000123, 1291191960000), (99999999999999999, 99999999999999)]:
        yield {"integer": str(number), "ms": ms}
    for number in [-1, 10 ** 17, 2 ** 63 - 1, -2 ** 63]:
        yield {"integer": str(number), "error": "range"}
    for value, ms in [(1291191960.0, utc(2010, 12, 1, 8, 26)), (1291191960.25, utc(2010, 12, 1, 8, 26) + 250),
                      (1291191960000.0, utc(2010, 12, 1, 8, 26)), (0.0, 0)]:
        yield {"float64": struct.pack(">d", value).hex(), "ms": ms}
    yield {"float64": struct.pack(">d", float("nan")).hex(), "error": "syntax"}
    yield {"float64": struct.pack(">d", 1e300).hex(), "error": "range"}
    for text, ms in [("2010-12-01T08:26", utc(2010, 12, 1, 8, 26)), ("2010-12-01 08:26:00", utc(2010, 12, 1, 8, 26)),
                     ("2010-12-01T08:26:00Z", utc(2010, 12, 1, 8, 26)),
                     ("2010-12-01T09:26:00+01:00", utc(2010, 12, 1, 8, 26)),
                     ("2010-12-01T09:26:00+0100", utc(2010, 12, 1, 8, 26)),
                     ("2010-11-30T22:56-0930", utc(2010, 12, 1, 8, 26)),
                     ("2010-12-01T08:26:07.5", utc(2010, 12, 1, 8, 26, 7, 500000)),
                     ("2010-12-01T08:26:07.123999999", utc(2010, 12, 1, 8, 26, 7, 123000)),
                     ("2012-02-29T00:00", utc(2012, 2, 29)), ("1970-01-01T00:00Z", 0),
                     ("9999-12-31T23:59:59.999Z", 253402300799999)]:
        yield {"text": text, "ms": ms}
    for text in ["", "yesterday", "2010-12-01", "2010-12-01T08", "2010-12-01T8:26", "2010-13-01T08:26", "2010-12-32T08:26",
                 "2010-12-01T24:00", "2010-12-01T08:60", "2010-12-01T08:26:60", "2011-02-29T08:26", "2010-12-01T08:26 ",
                 "2010-12-01T08:26+1", "2010-12-01T08:26:00.", "2010/12/01 08:26", "01.12.2010 08:26", "10-12-01T08:26"]:
        yield {"text": text, "error": "syntax"}
    yield {"text": "1969-12-31T23:59", "error": "range"}
    berlin, london = ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/London")
    for zone, parts in [(berlin, (2010, 12, 1, 9, 26)), (berlin, (2010, 7, 1, 10, 26)), (london, (2040, 7, 1, 9, 0)),
                        (berlin, (2010, 10, 31, 2, 30))]:  # twice: the first
        moment = datetime.datetime(*parts, tzinfo=zone, fold=0)
        yield {"text": moment.strftime("%Y-%m-%dT%H:%M"), "zone": zone.key, "ms": ms_of(moment)}
    yield {"text": "2010-03-28T02:30", "zone": "Europe/Berlin", "error": "no_such_time"}
    yield from bucket_vectors()
    yield from span_vectors()


def earlier_by(ms, count, unit, zone):
    """So many units before: elapsed time, or the wall clock of a zone (a day that a month lacks is its last; a time skipped the skip)."""
    if unit in ("min", "h"):
        return ms - count * {"min": 60000, "h": 3600000}[unit]
    local = (EPOCH + datetime.timedelta(milliseconds=ms)).astimezone(zone).replace(tzinfo=None)
    if unit in ("d", "w"):
        local -= datetime.timedelta(days=count * {"d": 1, "w": 7}[unit])
    else:
        month = local.year * 12 + local.month - 1 - count * {"mo": 1, "y": 12}[unit]
        last = (datetime.date((month + 1) // 12, (month + 1) % 12 + 1, 1) - datetime.timedelta(days=1)).day
        local = local.replace(year=month // 12, month=month % 12 + 1, day=min(local.day, last))
    moment = local.replace(tzinfo=zone, fold=0)
    back = moment.astimezone(datetime.timezone.utc).astimezone(zone)
    if back.replace(tzinfo=None) != local:  # skipped: the instant at which it was
        low, high = ms_of(moment) - 86400000, ms_of(moment) + 86400000
        before = (EPOCH + datetime.timedelta(milliseconds=low)).astimezone(zone).utcoffset()
        while high - low > 1:
            middle = (low + high) // 2
            same = (EPOCH + datetime.timedelta(milliseconds=middle)).astimezone(zone).utcoffset() == before
            low, high = (middle, high) if same else (low, middle)
        return high
    return ms_of(moment)


def span_vectors():
    for zone_name in ["UTC", "Europe/Berlin", "Australia/Lord_Howe"]:
        zone = ZoneInfo(zone_name)
        for ms in [utc(2010, 12, 1, 8, 26, 31), utc(2011, 3, 27, 23, 30), utc(2011, 3, 28, 0, 30), utc(2010, 10, 31, 1, 30), utc(2010, 11, 7, 0, 30),
                   utc(2012, 2, 29, 12), utc(2011, 3, 31, 10), utc(2011, 4, 3, 15, 15), utc(2000, 1, 1)]:
            for count, unit in [(90, "min"), (25, "h"), (1, "d"), (7, "d"), (2, "w"), (1, "mo"), (13, "mo"), (1, "y")]:
                yield {"span": f"{count}{unit}", "before_ms": ms, "zone": zone_name, "ms": earlier_by(ms, count, unit, zone)}
    for text in ["", "7", "d", "0d", "-1d", "1.5d", "7 d", "7D", "1m", "10001d", "834y", "99999999999999999999d", "1dd"]:
        yield {"span": text, "error": "syntax"}


def bucket_vectors():
    for zone_name in ["UTC", "Europe/Berlin", "Asia/Kathmandu"]:
        zone = ZoneInfo(zone_name)
        for ms in [utc(2010, 12, 1, 8, 26, 31), utc(2010, 10, 31, 0, 30), utc(2010, 10, 31, 1, 30), utc(2010, 1, 3, 23, 59),
                   utc(2012, 2, 29, 18, 20), 0, utc(2039, 12, 31, 23, 59)]:
            local = (EPOCH + datetime.timedelta(milliseconds=ms)).astimezone(zone)
            offset = local.strftime("%z")
            offset = "" if zone_name == "UTC" else f"{offset[:3]}:{offset[3:5]}"
            monday = local.date() - datetime.timedelta(days=local.isoweekday() - 1)
            for bucket, text in [("minute", local.strftime("%Y-%m-%dT%H:%M") + offset),
                                 ("hour", local.strftime("%Y-%m-%dT%H:00") + offset), ("day", str(local.date())),
                                 ("week", str(monday)), ("month", local.strftime("%Y-%m")),
                                 ("weekday", str(local.isoweekday())), ("hour_of_day", str(local.hour))]:
                yield {"bucket": bucket, "of_ms": ms, "zone": zone_name, "text": text}


# --- partitions and hashes ----------------------------------------------------------------------------------------

def murmur2(data):
    m, mask = 0x5bd1e995, 0xffffffff
    h = 0x9747b28c ^ len(data)
    for at in range(0, len(data) // 4 * 4, 4):
        k = int.from_bytes(data[at:at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    tail = data[len(data) // 4 * 4:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def siphash128(data):
    mask = (1 << 64) - 1
    v = [0x736f6d6570736575, 0x646f72616e646f6d ^ 0xee, 0x6c7967656e657261, 0x7465646279746573]

    def rotate(x, by):
        return (x << by | x >> 64 - by) & mask

    def rounds(count):
        for _ in range(count):
            v[0] = v[0] + v[1] & mask; v[1] = rotate(v[1], 13) ^ v[0]; v[0] = rotate(v[0], 32)
            v[2] = v[2] + v[3] & mask; v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = v[0] + v[3] & mask; v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = v[2] + v[1] & mask; v[1] = rotate(v[1], 17) ^ v[2]; v[2] = rotate(v[2], 32)

    words = data + bytes(7 - len(data) % 8) + bytes([len(data) & 255])
    for at in range(0, len(words), 8):
        word = int.from_bytes(words[at:at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xee
    rounds(4)
    first = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xdd
    rounds(4)
    return first.to_bytes(8, "little") + (v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, "little")


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def hash_vectors():
    known = {"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
             "a-little-bit-longer-string": -1486304829}  # as Kafka's own tests have them
    topics = "".join(f"{name} 4\n" for name in ["orders", "cart_events", "page_views", "orders.dlq", "cart_events.dlq",
                                                "page_views.dlq"])
    for key in [*known, "", "a", "ab", "abc", "abcd", "United Kingdom", "berlin-1", "Österreich", "x" * 64, topics]:
        data = key.encode()
        hashed = murmur2(data)
        signed = hashed - (1 << 32) if hashed >> 31 else hashed
        assert known.get(key, signed) == signed
        yield {"key": key, "murmur2": signed, "partition": {str(p): (hashed & 0x7fffffff) % p for p in (1, 3, 4, 12, 64, 1000)},
               "hash128": siphash128(data).hex(), "crc32c": f"{crc32c(data):08x}"}


# --- events -------------------------------------------------------------------------------------------------------

CERTIFICATE = {"edge": "uk", "run": 4711, "seq": 17}
RECEIVED = utc(2010, 12, 1, 8, 26)


def accepted(name, given, kind, fields, currency="GBP"):
    """`given` is a Python value (packed), or JSON text; `fields` is normal form after the certificate."""
    normal = Pairs([("kind", kind), *CERTIFICATE.items(), *fields])
    return {"name": name, **source(given), "currency": currency, "received_ms": RECEIVED, "kind": kind,
            "msgpack": pack(normal).hex(), "json": normal_json(normal)}


def source(given):
    return {"in_json": given} if isinstance(given, str) else {"in_hex": pack(given).hex()}


def refused(name, given, code, field="", kind="order"):
    return {"name": name, **source(given), "code": code, "field": field, "kind": kind}


def order(**more):
    return {"order_id": "o", "product_id": "p", "unit_price": "1", **more}


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def event_vectors():
    ts = ("ts", RECEIVED)
    line = [ts, ("order_id", "536365"), ("product_id", "85123A"), ("quantity", 6), ("unit_price", Money("2.55")), ("currency", "GBP")]
    yield accepted("the example of PROTOCOL.md",
                   '{"id":536365,"sku":"85123A","qty":"6","price":2.55,"ts":"2010-12-01 08:26","Country":"United Kingdom"}',
                   "order", [*line, ("Country", "United Kingdom")])
    yield accepted("the same as msgpack", {"order_id": 536365, "product_id": "85123A", "quantity": 6, "unit_price": 2.55},
                   "order", line)
    yield accepted("every field, in any order", Pairs([
        ("page", "/p"), ("action", "buy"), ("payment_method", "card"), ("sales_channel", "web"), ("category", "lights"),
        ("customer_id", 17850.0), ("currency", "EUR"), ("tax", "1"), ("discount", "-0.50"), ("total_price", "15.3000"),
        ("price", 3), ("qty", -1), ("product", 7), ("id", "x"), ("event_id", "e"), ("timestamp", 1291191960), ("type", "order")]),
        "order", [ts, ("event_id", "e"), ("order_id", "x"), ("product_id", "7"), ("quantity", -1), ("unit_price", Money("3.00")),
                  ("amount", Money("15.30")), ("discount", Money("-0.50")), ("tax", Money("1.00")), ("currency", "EUR"),
                  ("user_id", "17850"), ("category", "lights"), ("channel", "web"), ("payment", "card"), ("action", "buy"),
                  ("page", "/p")])
    yield accepted("a cart event", {"kind": "cart_event", "sku": "p", "action": "remove_from_cart", "qty": 2}, "cart",
                   [ts, ("product_id", "p"), ("quantity", 2), ("action", "remove")])
    yield accepted("a page view of nothing but its kind", {"kind": "page_view"}, "view", [ts])
    yield accepted("another name of views", '{"type":"product_view","product":"p","user_id":"u"}', "view",
                   [ts, ("product_id", "p"), ("user_id", "u")])
    yield accepted("no currency configured", order(), "order",
                   [ts, ("order_id", "o"), ("product_id", "p"), ("quantity", 1), ("unit_price", Money("1.00")), ("currency", "XXX")],
                   currency="XXX")
    yield accepted("a field that the kind does not have is carried", {"kind": "view", "unit_price": float32(2.55), "id": 5}, "view",
                   [ts]) | {"msgpack": pack(Pairs([("kind", "view"), *CERTIFICATE.items(), ts, ("unit_price", float32(2.55)), ("id", 5)])).hex(),
                            "json": None}
    yield accepted("unknown fields keep their order and their bytes", Pairs([
        ("z", Raw(b"\xcd\x00\x05")), ("kind", "view"), ("a", [1, None, True, {"k": Bin(b"\x00\xff")}])]), "view",
        [ts]) | {"msgpack": pack(Pairs([("kind", "view"), *CERTIFICATE.items(), ts, ("z", Raw(b"\xcd\x00\x05")),
                                        ("a", [1, None, True, {"k": Bin(b"\x00\xff")}])])).hex(),
                 "json": '{"kind":"view","edge":"uk","run":4711,"seq":17,"ts":%d,"z":5,"a":[1,null,true,{"k":"AP8="}]}' % RECEIVED}
    yield accepted("JSON numbers of unknown fields", '{"kind":"view","i":1e2,"f":0.5,"big":9223372036854775807,"e":"\\u00e9"}', "view",
                   [ts, ("i", 100), ("f", 0.5), ("big", 2 ** 63 - 1), ("e", "é")])
    yield accepted("nil and empty text are absent", Pairs([
        ("order_id", "o"), ("product_id", "p"), ("unit_price", None), ("price", "1"), ("ts", ""), ("user_id", None), ("kind", None)]),
        "order", [ts, ("order_id", "o"), ("product_id", "p"), ("quantity", 1), ("unit_price", Money("1.00")), ("currency", "GBP")])
    yield accepted("a name and its alias agree", Pairs([
        ("order_id", "5"), ("id", 5), ("sku", "p"), ("unit_price", 2.5), ("price", "2.50"), ("quantity", "2"), ("qty", 2),
        ("kind", "order"), ("type", "order")]), "order",
        [ts, ("order_id", "5"), ("product_id", "p"), ("quantity", 2), ("unit_price", Money("2.50")), ("currency", "GBP")])
    yield accepted("text that looks like a float is an id of its own", order(order_id="17850.0", product_id=-0.0), "order",
                   [ts, ("order_id", "17850.0"), ("product_id", "0"), ("quantity", 1), ("unit_price", Money("1.00")), ("currency", "GBP")])
    yield accepted("the largest values", order(order_id="i" * 128, category="c" * 1024, quantity=10 ** 9, unit_price=10 ** 12,
                                               user_id=2 ** 63 - 1), "order",
                   [ts, ("order_id", "i" * 128), ("product_id", "p"), ("quantity", 10 ** 9), ("unit_price", Money("1000000000000.00")),
                    ("currency", "GBP"), ("user_id", "9223372036854775807"), ("category", "c" * 1024)])
    yield accepted("eight containers within each other", {"kind": "view", "x": nested(7)}, "view", [ts, ("x", nested(7))])
    yield accepted("microseconds, and text of a number", {"kind": "view", "event_time": "1291191960000000"}, "view", [ts])

    for name, given in [("cut short", Raw(pack(order())[:-1])), ("a byte too many", Raw(pack(order()) + b"\x00")),
                        ("byte c1", Raw(b"\x81\xa1a\xc1")), ("nothing", Raw(b"")),
                        ("2^32-1 pairs declared", Raw(b"\xdf\xff\xff\xff\xff")), ("JSON cut short", '{"kind":"view"'),
                        ("JSON with NaN", '{"kind":"view","x":NaN}'), ("JSON with a comma too many", '{"kind":"view",}'),
                        ("half a surrogate", '{"kind":"view","x":"\\ud800"}'), ("an escaped NUL", '{"kind":"view","x":"\\u0000"}')]:
        yield refused(name, given, "bad_frame")
    yield refused("nine containers within each other", {"kind": "view", "x": nested(8)}, "too_deep")
    yield refused("no map", [1], "bad_type")
    yield refused("a key that is no text", Raw(b"\x81\x01\x01"), "bad_value")
    yield refused("a key twice", Pairs([("kind", "view"), ("a", 1), ("a", 1)]), "bad_value", "a")
    yield refused("text that is not UTF-8", Raw(b"\x82\xa4kind\xa4view\xa1x\xa1\xff"), "bad_value")
    yield refused("text with NUL", Raw(b"\x82\xa4kind\xa4view\xa1x\xa1\x00"), "bad_value")
    yield refused("an unknown kind", {"kind": "sale"}, "unknown_kind", "kind")
    yield refused("a dead letter's kind", {"kind": "order.dlq"}, "unknown_kind", "kind")
    yield refused("a kind that is no text", {"kind": 1}, "bad_type", "kind")
    yield refused("two kinds", {"kind": "order", "type": "view"}, "bad_value", "kind")
    for field in ["edge", "run", "seq", "rejected"]:
        yield refused(f"{field} from a producer", {"kind": "view", field: None}, "reserved_field", field, "view")
    for field in ["order_id", "product_id", "unit_price"]:
        yield refused(f"no {field}", {k: v for k, v in order().items() if k != field}, "missing_field", field)
    yield refused("a cart event without action", {"kind": "cart", "sku": "p"}, "missing_field", "action", "cart")
    yield refused("a cart event without product", {"kind": "cart", "action": "add"}, "missing_field", "product_id", "cart")
    yield refused("a cart event that neither adds nor removes", {"kind": "cart", "sku": "p", "action": "buy"}, "bad_value", "action", "cart")
    yield refused("a name and its alias differ", order(price="2"), "bad_value", "unit_price")
    yield refused("two aliases differ", order(timestamp=1, event_time=2), "bad_value", "ts")
    for value, code in [("2,55", "bad_value"), (float("nan"), "bad_value"), (float("inf"), "bad_value"), (1e300, "bad_value"),
                        (-1, "bad_value"), ("-0.01", "bad_value"), (10 ** 12 + 1, "bad_value"), (2 ** 64 - 1, "bad_value"),
                        ("0.0000001", "bad_value"), (1e-7, "bad_value"), (True, "bad_type"), ([], "bad_type"), (Bin(b"1"), "bad_type"),
                        (float32(2.55), "float32_money"), (float32(2.0), "float32_money")]:
        yield refused(f"unit_price {value!r}", order(unit_price=value), code, "unit_price")
    yield refused("unit_price 1e300 in JSON", '{"id":"o","sku":"p","price":1e300}', "bad_value", "unit_price")
    for value, code in [(0, "bad_value"), (1.5, "bad_value"), ("two", "bad_value"), (10 ** 9 + 1, "bad_value"), (-10 ** 9 - 1, "bad_value"),
                        (2 ** 63, "bad_value"), (float("nan"), "bad_value"), (False, "bad_type"), ({}, "bad_type")]:
        yield refused(f"quantity {value!r}", order(quantity=value), code, "quantity")
    for value, code in [(1.5, "bad_value"), (2 ** 63, "bad_value"), (1e300, "bad_value"), ("i" * 129, "bad_value"), (True, "bad_type"),
                        (Bin(b"o"), "bad_type"), ([], "bad_type")]:
        yield refused(f"order_id {str(value)[:20]}", order(order_id=value), code, "order_id")
    yield refused("an event_id of 65 bytes", order(event_id="e" * 65), "bad_value", "event_id")
    yield refused("a category that is a number", order(category=5), "bad_type", "category")
    yield refused("a category of 1025 bytes", order(category="c" * 1025), "bad_value", "category")
    for value, code in [("gbp", "bad_value"), ("EURO", "bad_value"), ("GB", "bad_value"), (978, "bad_type")]:
        yield refused(f"currency {value}", order(currency=value), code, "currency")
    for value, code in [("yesterday", "bad_value"), (-1, "bad_value"), (10 ** 17, "bad_value"), (float("nan"), "bad_value"),
                        ("2010-02-30T00:00", "bad_value"), (True, "bad_type"), ([], "bad_type")]:
        yield refused(f"ts {value}", order(ts=value), code, "ts")
    # In normal form, with an edge of 64 bytes and the widest run and seq: 125 bytes and the text.
    repeat = {"head": '{"kind":"view","ts":1291191960000,"x":"', "fill": "0", "tail": '"}'}
    yield {"name": "64 KiB in normal form", "in_repeat": {**repeat, "count": 65536 - 125}, "kind": "view"}
    yield {"name": "a byte more", "in_repeat": {**repeat, "count": 65536 - 124}, "code": "too_large", "field": "", "kind": "view"}
    yield {"name": "256 KiB and a byte as received", "in_repeat": {"head": "{}", "fill": " ", "tail": "", "count": 262143}, "code": "too_large", "field": "", "kind": "order"}


def normal_form_vectors():
    def good(name, pairs, **meaning):
        return {"name": name, "msgpack": pack(pairs).hex(), "json": normal_json(pairs), **meaning}

    def bad(name, pairs, code, field, with_json=True):
        return {"name": name, "msgpack": pack(pairs).hex(), "json": to_json(pairs) if with_json else None, "code": code, "field": field}

    certificate = [("kind", "order"), *CERTIFICATE.items()]
    body = [("ts", 1), ("order_id", "o"), ("product_id", "p"), ("quantity", -2), ("unit_price", Money("2.55")), ("currency", "GBP")]
    meaning = {"kind": "order", "edge": "uk", "run": 4711, "seq": 17}
    yield good("an order", Pairs(certificate + body), **meaning, revenue="-5.10", extras=0,
               fields={"ts": "1", "order_id": "o", "product_id": "p", "quantity": "-2", "unit_price": "2.55", "currency": "GBP"})
    yield good("any order of fields", Pairs([("x", 1)] + body[::-1] + certificate[::-1]), **meaning, revenue="-5.10", extras=1,
               fields={"ts": "1", "order_id": "o", "product_id": "p", "quantity": "-2", "unit_price": "2.55", "currency": "GBP"})
    yield good("the amount wins", Pairs(certificate + body[:5] + [("amount", Money("-1.00"))] + body[5:]), **meaning, revenue="-1.00", extras=0,
               fields={"ts": "1", "order_id": "o", "product_id": "p", "quantity": "-2", "unit_price": "2.55", "amount": "-1.00", "currency": "GBP"})
    yield good("an alias is a foreign name here", Pairs(certificate + body + [("price", "2,55")]), **meaning, revenue="-5.10", extras=1)
    yield good("a view", Pairs([("kind", "view"), ("edge", "United Kingdom"), ("run", 2 ** 53 - 1), ("seq", 2 ** 53), ("ts", 0)]),
               kind="view", edge="United Kingdom", run=2 ** 53 - 1, seq=2 ** 53, revenue="0.00", extras=0, fields={"ts": "0"})
    yield good("a marker", Pairs(certificate + [("rejected", "bad_value")]), **meaning, rejected="bad_value")
    yield good("a marker of a dead letter", Pairs([("kind", "order.dlq")] + certificate[1:] + [("rejected", "too_large")]),
               **{**meaning, "kind": "order.dlq"}, rejected="too_large")
    yield good("a marker with a code of tomorrow", Pairs(certificate + [("rejected", "eclipse")]), **meaning, rejected="internal")

    for name, change in [("no kind", {"kind": None}), ("no edge", {"edge": None}), ("an edge with a space before it", {"edge": " uk"}),
                         ("an edge of 65 bytes", {"edge": "e" * 65}), ("an edge with a control character", {"edge": "u\x7fk"}),
                         ("run 0", {"run": 0}), ("run 2^53", {"run": 2 ** 53}), ("run -1", {"run": -1}), ("seq 0", {"seq": 0}),
                         ("seq 2^63", {"seq": 2 ** 63}), ("an unknown kind", {"kind": "cart_event"}), ("a letter that is no marker", {"kind": "order.dlq"})]:
        field = next(iter(change))
        pairs = [(k, change.get(k, v)) for k, v in certificate]
        pairs = Pairs([(k, v) for k, v in pairs if v is not None] + body)
        yield bad(name, pairs, "bad_certificate", field)
    yield bad("a marker without a code", Pairs(certificate + [("rejected", 5)]), "bad_type", "rejected")
    for drop in ["ts", "order_id", "product_id", "quantity", "unit_price", "currency"]:
        yield bad(f"no {drop}", Pairs(certificate + [(k, v) for k, v in body if k != drop]), "missing_field", drop)
    for field, value, code in [("ts", -1, "bad_value"), ("ts", 253402300800000, "bad_value"), ("ts", "2010-12-01T08:26", "bad_type"),
                               ("order_id", 5, "bad_type"), ("quantity", 0, "bad_value"), ("quantity", 1.5, "bad_value"),
                               ("unit_price", "2,55", "bad_value"), ("unit_price", Money("-1.00"), "bad_value"), ("currency", "gbp", "bad_value")]:
        vector = bad(f"{field} {value}", Pairs(certificate + [(k, value if k == field else v) for k, v in body]), code, field)
        yield vector
    yield bad("money as an integer", Pairs(certificate + [(k, 2 if k == "unit_price" else v) for k, v in body]), "bad_type", "unit_price", False)
    yield bad("money as a float", Pairs(certificate + [(k, 2.5 if k == "unit_price" else v) for k, v in body]), "bad_type", "unit_price", False)
    yield bad("an action's alias", Pairs([("kind", "cart"), *CERTIFICATE.items(), ("ts", 1), ("product_id", "p"), ("quantity", 1),
                                          ("action", "add_to_cart")]), "bad_value", "action")


# --- messages -----------------------------------------------------------------------------------------------------

def reply_vectors():
    def good(name, reply):
        return {"name": name, "reply": reply, "json": to_json(reply), "msgpack": pack(reply).hex()}

    counts = {"ok": True, "accepted": 2, "invalid": 0}
    tail = {"durable": True, "edge": "berlin-1", "run": 4711}
    yield good("accepted", {**counts, "repeated": False, **tail, "seq": {"order": [17, 18]}})
    yield good("repeated", {**counts, "repeated": True, "last_n": 12, **tail, "seq": {"order": [17, 18]}})
    yield good("an older n", {"ok": True, "accepted": 0, "invalid": 0, "repeated": True, "last_n": 12, **tail, "seq": {}})
    yield good("known by their event_id", {"ok": True, "accepted": 0, "invalid": 0, "repeated_events": 2, "repeated": False, **tail, "durable": False, "seq": {}})
    yield good("invalid", {"ok": False, "accepted": 1, "invalid": 2, "repeated": False, **tail, "seq": {"cart": [1, 1], "order.dlq": [2, 3]},
                           "errors": [{"index": 1, "code": "bad_value", "field": "unit_price", "message": 'unit_price "2,55" is not a decimal number'},
                                      {"index": 2, "code": "too_deep", "message": "containers"}]})
    yield good("refused", {"ok": False, "accepted": 0, "invalid": 0, "error": {"code": "spool_full", "message": "the spool is full", "retry_after_ms": 1000}})
    yield good("refused for good", {"ok": False, "accepted": 0, "invalid": 0, "error": {"code": "bad_frame", "message": "cut short"}})
    for name, text in [("no map", "[]"), ("no ok", '{"accepted":0,"invalid":0}'), ("neither edge nor error", '{"ok":true,"accepted":1,"invalid":0}'),
                       ("a negative count", '{"ok":true,"accepted":-1,"invalid":0,"error":{"code":"bad_frame","message":""}}')]:
        yield {"name": name, "in_json": text, "code": "bad_frame"}


def header_vectors():
    for producer, n in [("till-7", 1), ("x" * 64, 2 ** 63 - 1), ("Österreich", 300)]:
        header = {"producer": producer, "n": n}
        yield {"name": producer[:10], "producer": producer, "n": n, "json": to_json(header), "msgpack": pack(header).hex()}
    for given, code, field in [({}, "missing_field", "producer"), ({"producer": "a"}, "missing_field", "n"), ({"producer": "", "n": 1}, "bad_value", "producer"),
                               ({"producer": "x" * 65, "n": 1}, "bad_value", "producer"), ({"producer": 1, "n": 1}, "bad_type", "producer"),
                               ({"producer": "a", "n": 0}, "bad_value", "n"), ({"producer": "a", "n": 1.5}, "bad_type", "n"),
                               ({"producer": "a", "n": 2 ** 63}, "bad_type", "n"), ({"producer": "a", "n": 1, "more": 1}, "bad_frame", ""),
                               ([1], "bad_frame", "")]:
        yield {"name": str(given)[:40], "in_hex": pack(given).hex(), "code": code, "field": field}


LANES = 6


def zstd_frame(*blocks, size=None, window=None):
    """A frame of RFC 8878 without any compression in it: blocks are bytes as they are, or (byte, count) to be repeated."""
    size = sum(len(block) if isinstance(block, bytes) else block[1] for block in blocks) if size is None else size
    head = bytes([0x80, window]) + size.to_bytes(4, "little") if window is not None else b"\xa0" + size.to_bytes(4, "little")
    body = b""
    for number, block in enumerate(blocks):
        raw = isinstance(block, bytes)
        header = (len(block) if raw else block[1]) << 3 | (0 if raw else 2) | (number == len(blocks) - 1)
        body += header.to_bytes(3, "little") + (block if raw else bytes([block[0]]))
    return bytes.fromhex("28b52ffd") + head + body


def compression_vectors(session):
    """Compressed batches. Whoever sends is free in how it compresses; whoever receives must get `plain` (left out where it is long)."""
    event = pack({"kind": "order", "note": "x" * 400})
    tail = event[-400:]
    head = event[:-400]

    def batch(frame, size, count=1):
        return [3, session, 1, 0, count, Bin(frame), size]

    def good(name, frame, plain):
        return {"name": name, "hex": pack(batch(frame, len(plain))).hex(), **({"plain": plain.hex()} if len(plain) < 1000 else {}),
                "message": {"type": "batch", "session": hex(session), "number": 1, "lane": 0, "count": 1, "events": frame.hex(), "plain_size": len(plain)}}

    frame = zstd_frame(head, (ord("x"), 400))
    yield good("one segment", frame, event)
    yield good("three blocks", zstd_frame(head + tail[:7], (ord("x"), 300), (ord("x"), 93)), event)
    yield good("a window of 256 KiB", zstd_frame(head, (ord("x"), 400), window=8 << 3), event)
    yield good("a window of 1 KiB", zstd_frame(head, (ord("x"), 400), window=0), event)
    yield good("the largest batch", zstd_frame(head + bytes(300), *[(ord("x"), 131072)], (ord("y"), 131072 - 300 - len(head))),
               head + bytes(300) + b"x" * 131072 + b"y" * (131072 - 300 - len(head)))
    bomb = zstd_frame((0, 131072), (0, 131072))
    for name, frame, size in [("plain size of one more", frame, len(event) + 1), ("plain size of one less", frame, len(event) - 1),
                              ("a frame that says more than it holds", zstd_frame(head, (ord("x"), 399), size=len(event)), len(event)),
                              ("a frame that says less than it holds", zstd_frame(head, (ord("x"), 401), size=len(event)), len(event)),
                              ("a size of 4 GiB", zstd_frame(head, (ord("x"), 400), size=2 ** 32 - 1), len(event)),
                              ("a window of 288 KiB", zstd_frame(head, (ord("x"), 400), window=8 << 3 | 1), len(event)),
                              ("a byte behind the frame", frame + b"\x00", len(event)), ("two frames", frame + zstd_frame(b""), len(event)),
                              ("a frame to be skipped before it", bytes.fromhex("502a4d1800000000") + frame, len(event)),
                              ("a frame without its last byte", frame[:-1], len(event)), ("a frame without its last block", frame[:-4], len(event)),
                              ("a dictionary", frame[:4] + b"\xa1\x01" + frame[5:], len(event)), ("no frame", b"garbage" * 3, len(event)),
                              ("not smaller than plain", zstd_frame(b"\x80"), len(zstd_frame(b"\x80"))), ("more events than plain bytes", frame, len(event)),
                              ("too small for what it holds", bomb, 262144), ("a batch too large", bomb + bytes(500), 262145), ("a plain size of 0", frame, 0)]:
        yield {"name": name, "hex": pack(batch(frame, size, len(event) + 1 if name.startswith("more events") else 1)).hex(), "code": "bad_frame"}


def wire_vectors():
    session = 0xfedcba9876543210
    credit = [1 << 20, 0, 1, 2 ** 31, 5, 2 ** 63 - 1]
    lanes = [None, [5000, RECEIVED, "topic cart_events is missing"], None, None, None, [0, 0, ""]]

    def good(frame, **message):
        return {"hex": pack(frame).hex(), "message": message}

    yield good([1, 1, "United Kingdom", 2 ** 53 - 1, session, "till-edge 0.1.0"], type="hello", version=1, edge="United Kingdom",
               run=2 ** 53 - 1, session=hex(session), program="till-edge 0.1.0")
    yield good([1, 1, "e", 1, session, "", ["zstd"]], type="hello", version=1, edge="e", run=1, session=hex(session), program="", codecs=["zstd"])
    yield {**good([1, 1, "e", 1, session, "", ["lz9", "zstd", "eclipse"]], type="hello", version=1, edge="e", run=1, session=hex(session), program="",
                  codecs=["zstd"]), "only_decodes": True}
    yield {**good([1, 1, "e", 1, session, "", []], type="hello", version=1, edge="e", run=1, session=hex(session), program=""), "only_decodes": True}
    yield good([2, 1, session, "c", 1, credit, 262144, "zstd"], type="welcome", version=1, session=hex(session), cluster="c", topics_hash="0x1", credit=credit,
               batch_size_max=262144, codec="zstd")
    yield good([2, 1, session, "5L6g3nShT-eMCtK--X86sw", 2 ** 64 - 1, credit, 262144], type="welcome", version=1, session=hex(session),
               cluster="5L6g3nShT-eMCtK--X86sw", topics_hash=hex(2 ** 64 - 1), credit=credit, batch_size_max=262144)
    yield good([1, 1, "e", 1, session, "", ["zstd", "reports"]], type="hello", version=1, edge="e", run=1, session=hex(session), program="",
               codecs=["zstd"], reports=True)
    yield good([1, 1, "e", 1, session, "", ["reports"]], type="hello", version=1, edge="e", run=1, session=hex(session), program="", reports=True)
    for codec, more in [("zstd", {"codec": "zstd"}), ("none", {})]:
        yield good([2, 1, session, "c", 1, credit, 262144, codec, 1000], type="welcome", version=1, session=hex(session), cluster="c", topics_hash="0x1",
                   credit=credit, batch_size_max=262144, report_ms=1000, **more)
    yield good([1, 1, "e", 1, session, "", ["reports", "ages"]], type="hello", version=1, edge="e", run=1, session=hex(session), program="", reports=True, ages=True)
    for codec, pace, more in [("zstd", 1000, {"codec": "zstd", "report_ms": 1000}), ("none", 0, {})]:
        yield good([2, 1, session, "c", 1, credit, 262144, codec, pace, 1], type="welcome", version=1, session=hex(session), cluster="c", topics_hash="0x1",
                   credit=credit, batch_size_max=262144, ages=True, **more)
    yield good([3, session, 1, 0, 2, Bin(b"\x80\x80"), 0, 0, 0], type="batch", session=hex(session), number=1, lane=0, count=2, events="8080", sent_ms=0, age_ms=0)
    yield good([3, session, 7, 2, 1, Bin(b"\x80"), 0, 2 ** 63 - 1, 315619200000], type="batch", session=hex(session), number=7, lane=2, count=1, events="80",
               sent_ms=2 ** 63 - 1, age_ms=315619200000)
    yield good([8, session, Bin(b"\x80")], type="report", session=hex(session), report="80")
    yield good([3, session, 1, 0, 2, Bin(b"\x80\x80")], type="batch", session=hex(session), number=1, lane=0, count=2, events="8080")
    yield good([3, 1, 2 ** 63 - 1, 5, 1, Bin(b"\x80" + bytes(300))], type="batch", session="0x1", number=2 ** 63 - 1, lane=5, count=1,
               events=(b"\x80" + bytes(300)).hex())
    yield good([4, session, [1, 3, 5, 5, 7, 2 ** 63 - 1], credit], type="ack", session=hex(session), ranges=[1, 3, 5, 5, 7, 2 ** 63 - 1], credit=credit)
    yield good([4, session, [], credit], type="ack", session=hex(session), ranges=[], credit=credit)
    yield good([5, session, [2, 2], 3, 1000], type="nack", session=hex(session), ranges=[2, 2], code="topic_refused", retry_after_ms=1000)
    yield good([6, session, lanes], type="state", session=hex(session), lanes=lanes)
    yield good([7, 0, 2, "say HELLO first"], type="bye", session="0x0", code="no_session", words="say HELLO first")
    yield {"hex": pack([1, 2, "of tomorrow"]).hex(), "message": {"type": "hello", "version": 2}, "only_decodes": True}
    yield from compression_vectors(session)
    batch = [3, 1, 1, 0, 1, Bin(b"\x80")]
    for name, frame in [("no array", {}), ("empty", []), ("type 0", [0]), ("type 8", [8]), ("an element too many", batch + [1]),
                        ("an element too few", batch[:-1]), ("bytes after it", Raw(pack(batch) + b"\x00")), ("session 0", [3, 0, 1, 0, 1, Bin(b"\x80")]),
                        ("number 0", [3, 1, 0, 0, 1, Bin(b"\x80")]), ("lane 6", [3, 1, 1, 6, 1, Bin(b"\x80")]), ("no event", [3, 1, 1, 0, 0, Bin(b"\x80")]),
                        ("more events than bytes", [3, 1, 1, 0, 2, Bin(b"\x80")]), ("events as text", [3, 1, 1, 0, 1, "a"]),
                        ("falling ranges", [4, 1, [5, 6, 1, 2], [0] * LANES]), ("a range backwards", [4, 1, [2, 1], [0] * LANES]),
                        ("half a range", [4, 1, [1], [0] * LANES]), ("five lanes of credit", [4, 1, [], [0] * 5]), ("a NACK of nothing", [5, 1, [], 1, 0]),
                        ("a NACK code that is none", [5, 1, [1, 1], 5, 0]), ("retry after more than an hour", [5, 1, [1, 1], 1, 3600001]),
                        ("an edge id with a control character", [1, 1, "a\nb", 1, 1, ""]), ("run 0", [1, 1, "e", 0, 1, ""]),
                        ("codecs that are no array", [1, 1, "e", 1, 1, "", "zstd"]), ("nine codecs", [1, 1, "e", 1, 1, "", ["a"] * 9]),
                        ("a codec of 17 bytes", [1, 1, "e", 1, 1, "", ["x" * 17]]), ("an element behind the codecs", [1, 1, "e", 1, 1, "", [], 0]),
                        ("no codec, and no pace of reports", [2, 1, 1, "c", 1, [0] * LANES, 262144, "none"]),
                        ("an element behind the ages", [2, 1, 1, "c", 1, [0] * LANES, 262144, "none", 0, 1, 1]),
                        ("ages of 0", [2, 1, 1, "c", 1, [0] * LANES, 262144, "none", 0, 0]), ("half an age", [*batch, 0, 1]),
                        ("more than ten years", [*batch, 0, 1, 315619200001]), ("a negative age", [*batch, 0, 1, -1]), ("sent before all time", [*batch, 0, -1, 1]),
                        ("a plain size without compression", [*batch, 1, 1, 1]), ("an element behind the age", [*batch, 0, 1, 1, 1]),
                        ("a pace of 0", [2, 1, 1, "c", 1, [0] * LANES, 262144, "none", 0]), ("a report of nothing", [8, 1, Bin(b"")]),
                        ("a report of 8193 bytes", [8, 1, Bin(bytes(8193))]), ("type 9", [9, 1, Bin(b"\x80")]),
                        ("a codec that nobody knows", [2, 1, 1, "c", 1, [0] * LANES, 262144, "eclipse"]),
                        ("batches smaller than a dead letter", [2, 1, 1, "c", 1, [0] * LANES, 131071]), ("no cluster", [2, 1, 1, "", 1, [0] * LANES, 262144])]:
        yield {"name": name, "hex": pack(frame).hex(), "code": "bad_frame"}


def dead_letter_vectors():
    letter = Pairs([("kind", "cart.dlq"), *CERTIFICATE.items(), ("received_ms", RECEIVED), ("source", "zmq"), ("refused_by", "edge"),
                    ("code", "bad_value"), ("field", "action"), ("message", "action \"take\" is none"), ("bytes", Bin(b"\xff\x00{"))])
    headers = {"till.edge": "uk", "till.run": "4711", "till.kind": "cart.dlq", "till.seq": "17", "till.received_ms": str(RECEIVED), "till.source": "zmq",
               "till.refused_by": "edge", "__connect.errors.topic": "cart_events", "__connect.errors.exception.class.name": "bad_value",
               "__connect.errors.exception.message": "action \"take\" is none"}
    meaning = {"kind": "cart.dlq", "edge": "uk", "run": 4711, "seq": 17, "received_ms": RECEIVED, "source": "zmq", "refused_by": "edge",
               "code": "bad_value", "message": "action \"take\" is none"}
    yield {"name": "an envelope", "envelope": pack(letter).hex(), "letter": {**meaning, "field": "action", "bytes": "ff007b"}}
    yield {"name": "headers of the edge's", "headers": headers, "letter": meaning}
    yield {"name": "headers of the bridge's", "headers": {**headers, "till.kind": "order", "till.refused_by": "bridge"},
           "letter": {**meaning, "kind": "order", "refused_by": "bridge"}}
    yield {"name": "a code of tomorrow", "headers": {**headers, "__connect.errors.exception.class.name": "eclipse"}, "letter": {**meaning, "code": "internal"}}
    for index, (key, _) in enumerate(letter):
        wanted = "bad_type" if key == "bytes" else "missing_field"
        yield {"name": f"an envelope without {key}", "envelope": pack(Pairs(letter[:index] + letter[index + 1:])).hex(), "refused": wanted}
    yield {"name": "an envelope of a plain kind", "envelope": pack(Pairs([("kind", "cart")] + letter[1:])).hex(), "refused": "bad_certificate"}
    for key, value, code in [("till.run", "0", "bad_certificate"), ("till.run", "x", "bad_value"), ("till.seq", "-1", "bad_value"), ("till.edge", " uk", "bad_certificate"),
                             ("till.kind", "cart", "bad_certificate"), ("till.refused_by", "me", "bad_value"), ("till.seq", "", "missing_field")]:
        yield {"name": f"{key} {value!r}", "headers": {**headers, key: value}, "refused": code}


write("money", money_vectors())
write("time", time_vectors())
write("hashes", hash_vectors())
write("events", event_vectors())
write("normal_form", normal_form_vectors())
write("replies", reply_vectors())
write("headers", header_vectors())
write("wire", wire_vectors())
write("queries", query_vectors(lambda request: {"json": to_json(request), "msgpack": pack(request).hex()}))
write("dead_letters", dead_letter_vectors())
