#!/usr/bin/python3
"""Writes debezium.ndjson beside this file: changes as Debezium and Kafka Connect's JsonConverter write them, and the event in
normal form that each becomes; changes that are refused; and pairs of positions in order.

An encoder of its own after Debezium's and Kafka Connect's documentation (Java's BigInteger bytes, epoch days, milli-, micro-
and nanoseconds), on Python's decimal and datetime; it never asks till.
"""
import base64
import datetime
import json
import random
import struct
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).parent
random.seed(20101201)
EPOCH = datetime.datetime(1970, 1, 1)
CONNECT, DEBEZIUM = "org.apache.kafka.connect.data.", "io.debezium."
SECONDS = 1291191960
RECEIVED = 1291191999000


# --- what Kafka Connect writes ------------------------------------------------------------------------------------

class Digits(str):
    """A JSON number with these digits."""


def to_json(value):
    if isinstance(value, Digits):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(key) + ":" + to_json(one) for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(to_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def unscaled(amount, scale):
    """BigDecimal.unscaledValue().toByteArray(): the shortest two's complement, big-endian."""
    number = int(amount.scaleb(scale))
    assert Decimal(number).scaleb(-scale) == amount
    size = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return base64.b64encode(number.to_bytes(size, "big", signed=True)).decode()


def java_double(amount):
    """Double.toString where it has neither too many digits nor an exponent."""
    return Digits(repr(float(amount)))


# mode -> (amount, places) to (value, schema, declaration)
DECIMALS = {
    "precise": lambda a, s: (unscaled(a, s), {"type": "bytes", "name": CONNECT + "Decimal", "version": 1,
                                              "parameters": {"scale": str(s), "connect.decimal.precision": "18"}}, f"decimal({s})"),
    "variable": lambda a, s: ({"scale": s, "value": unscaled(a, s)},
                              {"type": "struct", "name": DEBEZIUM + "data.VariableScaleDecimal", "version": 1, "fields": []}, "variable_decimal"),
    "numeric": lambda a, s: (Digits(str(a)), {"type": "bytes", "name": CONNECT + "Decimal", "version": 1, "parameters": {"scale": str(s)}},
                             f"decimal({s})"),
    "string": lambda a, s: (str(a), {"type": "string"}, "text"),
    "double": lambda a, s: (java_double(a), {"type": "double"}, "double"),
}
DAYS = {"date", "connect_date", "iso_date"}
# mode -> microseconds since the epoch to (value, schema, declaration)
TIMES = {
    "adaptive_ms": lambda us: (us // 1000, {"type": "int64", "name": DEBEZIUM + "time.Timestamp", "version": 1}, "timestamp_ms"),
    "micro": lambda us: (us, {"type": "int64", "name": DEBEZIUM + "time.MicroTimestamp", "version": 1}, "timestamp_us"),
    "nano": lambda us: (us * 1000 + 999, {"type": "int64", "name": DEBEZIUM + "time.NanoTimestamp", "version": 1}, "timestamp_ns"),
    "connect": lambda us: (us // 1000, {"type": "int64", "name": CONNECT + "Timestamp", "version": 1}, "timestamp_ms"),
    "zoned": lambda us: ((EPOCH + datetime.timedelta(microseconds=us)).isoformat() + "Z",
                         {"type": "string", "name": DEBEZIUM + "time.ZonedTimestamp", "version": 1}, "zoned_timestamp"),
    "iso": lambda us: ((EPOCH + datetime.timedelta(microseconds=us)).isoformat() + "Z",
                       {"type": "string", "name": DEBEZIUM + "time.IsoTimestamp", "version": 1}, "iso_timestamp"),
    "date": lambda us: (us // 86400000000, {"type": "int32", "name": DEBEZIUM + "time.Date", "version": 1}, "date"),
    "connect_date": lambda us: (us // 86400000000, {"type": "int32", "name": CONNECT + "Date", "version": 1}, "date"),
    "iso_date": lambda us: ((EPOCH + datetime.timedelta(microseconds=us)).strftime("%Y-%m-%dZ"),
                            {"type": "string", "name": DEBEZIUM + "time.IsoDate", "version": 1}, "iso_date"),
}


def postgresql(lsn, snapshot="false", tx=1):
    return {"version": "3.3.0.Final", "connector": "postgresql", "name": "shop", "ts_ms": 1291192000123, "snapshot": snapshot, "db": "shop",
            "sequence": f'["{lsn - 8}","{lsn}"]', "schema": "public", "table": "order_details", "txId": tx, "lsn": lsn, "xmin": None}


def mysql(file, pos, row=0, gtid=None, server=1, snapshot="false", connector="mysql"):
    return {"version": "3.3.0.Final", "connector": connector, "name": "shop", "ts_ms": 1291192000123, "snapshot": snapshot, "db": "shop",
            "table": "order_details", "server_id": server, "gtid": gtid, "file": file, "pos": pos, "row": row, "thread": 7, "query": None}


def struct_schema(columns, name):
    return {"type": "struct", "optional": True, "name": name,
            "fields": [{**schema, "optional": True, "field": column} for column, (_, schema, _) in columns.items()]}


def record(columns, key, op="c", source=None, schemas=True, before=None, registry=False):
    """A record's key and value as text. `columns` are column: (value, schema, declaration)."""
    row = None if columns is None else {column: value for column, (value, _, _) in columns.items()}
    envelope = {"before": before, "after": row, "source": source or postgresql(26_000_000), "op": op, "ts_ms": 1291192000456, "transaction": None}
    identity = {column: value for column, (value, _, _) in key.items()}
    if schemas:
        table = struct_schema(columns or key, "shop.public.order_details.Value")
        fields = [{"type": "struct", "fields": [], "field": "before"}, {**table, "field": "after"}, {"type": "struct", "fields": [], "field": "source"},
                  {"type": "string", "optional": False, "field": "op"}]
        envelope = {"schema": {"type": "struct", "fields": fields, "name": "shop.public.order_details.Envelope"}, "payload": envelope}
        identity = {"schema": struct_schema(key, "shop.public.order_details.Key"), "payload": identity}
    texts = to_json(identity), to_json(envelope)
    return tuple("\0\0\0\0\x07" + text for text in texts) if registry else texts


# --- what it means ------------------------------------------------------------------------------------------------

def pack(value):
    if isinstance(value, dict):
        return bytes([0x80 | len(value)]) + b"".join(pack(key) + pack(value[key]) for key in sorted(value, key=str.encode))
    if isinstance(value, str):
        data = value.encode()
        assert len(data) < 32
        return bytes([0xa0 | len(data)]) + data
    assert 0 <= value < 1 << 32
    for least, head, form in ((1 << 16, 0xce, ">I"), (1 << 8, 0xcd, ">H"), (1 << 7, 0xcc, ">B")):
        if value >= least:
            return bytes([head]) + struct.pack(form, value)
    return bytes([value])


def money(amount):
    whole, _, places = f"{amount:f}".partition(".")
    return Digits(f"{whole}.{places.rstrip('0').ljust(2, '0')}")


def normal(**fields):
    return to_json({"kind": "order", "edge": "uk", "run": 4711, "seq": 17, **fields})


FIELDS = "order_id:order_id, product_id:product_id, quantity:quantity, price:unit_price, created_at:ts"
ID = {"id": (7, {"type": "int32"}, "")}


def line(name, texts, **more):
    halves = {}
    for half, text in zip(("key", "value"), texts):
        if text is not None and text.startswith("\0"):  # JSON has no NUL in till
            halves[half + "_hex"] = text.encode().hex()
        else:
            halves[half] = text
    return {"name": name, **halves, "fields": FIELDS, "kind": "order", **more}


def row(price=None, created=None, product="85123A", quantity=6):
    return {"id": (7, {"type": "int32"}, ""), "order_id": (536365, {"type": "int64"}, ""), "product_id": (product, {"type": "string"}, ""),
            "quantity": (quantity, {"type": "int32"}, ""),
            "price": price or DECIMALS["precise"](Decimal("9.99"), 2), "created_at": created or TIMES["micro"](SECONDS * 1_000_000)}


def types_of(columns):
    return ", ".join(f"{column}:{declared}" for column, (_, _, declared) in columns.items() if declared)


def meaning(columns, amount, ms, op="c", position=None, **more):
    return {"op": op, "id": pack({"id": 7}).hex(), "ts_ms": 1291192000123, **(position or {"log": "26000000"}),
            "normal": normal(ts=ms, order_id="536365", product_id=columns["product_id"][0], quantity=columns["quantity"][0],
                             unit_price=money(amount), currency="EUR", **more)}


def good_decimals():
    for mode, write in DECIMALS.items():
        amounts = [("9.99", 2), ("0.00", 2), ("0.05", 2), ("1234567.80", 2), ("2.5500", 4), ("0.000001", 6), ("999999999.999999", 6), ("128", 0),
                   ("32768.00", 2), ("255", 0)]
        if mode != "double":
            amounts += [("999999999999.999999", 6), ("0.290000000000000000", 18), ("1.5", 1)]
        amounts += [(f"{random.randrange(10**7)}.{random.randrange(10**4):04}", 4) for _ in range(4)]
        for schemas in (True, False):
            for text, scale in amounts[:None if not schemas else 4]:
                columns = row(write(Decimal(text), scale))
                yield line(f"{text} {mode}{'' if schemas else ', no schema'}", record(columns, ID, schemas=schemas),
                           types="" if schemas else types_of(columns), **meaning(columns, Decimal(text), SECONDS * 1000))


def good_times():
    for mode, write in TIMES.items():
        for us in (SECONDS * 1_000_000, 0, 86_400_000_000 * 366 + 123_456, 253402300799_999_999, 951_782_400_000_000):
            if mode == "nano" and us > 1 << 53:
                continue  # 64 bits of nanoseconds end in 2262
            ms = us // 86_400_000_000 * 86_400_000 if mode in DAYS else us // 1000
            for schemas in (True, False):
                columns = row(created=write(us))
                yield line(f"{us} {mode}{'' if schemas else ', no schema'}", record(columns, ID, schemas=schemas),
                           types="" if schemas else types_of(columns), **meaning(columns, Decimal("9.99"), ms))


def good_shapes():
    columns, amount, ms = row(), Decimal("9.99"), SECONDS * 1000
    yield line("an update of a full replica identity", record(columns, ID, "u", before={"id": 7}), **meaning(columns, amount, ms, "u"))
    yield line("a row that a snapshot found", record(columns, ID, "r", postgresql(5, "last")),
               **meaning(columns, amount, ms, "r", {"log": "5", "snapshot": True}))
    yield line("MySQL", record(columns, ID, source=mysql("mysql-bin.000003", 154, 2)), **meaning(columns, amount, ms, "c", {"log": "3", "offset": "154"}))
    yield line("Confluent's five bytes", record(columns, ID, schemas=False, registry=True), types=types_of(columns), **meaning(columns, amount, ms))
    yield line("foreign fields are carried", record(columns, ID), **{**meaning(columns, amount, ms, line_id=7), "fields": FIELDS + ", id:line_id"})
    negative = row(quantity=-3)
    yield line("a return", record(negative, ID), **meaning(negative, amount, ms))
    decimal = {**columns, "quantity": ({"scale": 0, "value": unscaled(Decimal(6), 0)}, DECIMALS["variable"](Decimal(6), 0)[1], "")}
    yield line("a quantity that is a decimal", record(decimal, ID), **meaning(columns, amount, ms))
    nothing = {"op": "d", "id": pack({"id": 7}).hex(), "ts_ms": 1291192000123, "log": "26000000"}
    yield line("a delete", record(None, ID, "d", before={"id": 7}), **nothing)
    yield line("a delete without before", record(None, ID, "d"), **nothing)
    key, _ = record(columns, ID)
    yield line("a tombstone", (key, None), op="tombstone", id=pack({"id": 7}).hex())
    yield line("a tombstone of a converter that writes null", (key, "null"), op="tombstone", id=pack({"id": 7}).hex())
    yield line("a tombstone with a schema", (key, '{"schema":null,"payload":null}'), op="tombstone", id=pack({"id": 7}).hex())
    yield line("a truncated table", (None, record(None, {}, "t")[1]), op="t", log="26000000", ts_ms=1291192000123)
    yield line("a message", (None, record(None, {}, "m")[1]), op="m", log="26000000", ts_ms=1291192000123)
    two = {"b": ("x", {"type": "string"}, ""), "a": (300, {"type": "int32"}, "")}
    yield line("a key of two columns, sorted", record(columns, two), **{**meaning(columns, amount, ms), "id": pack({"a": 300, "b": "x"}).hex()})
    yield line("a key of a decimal", record(columns, {"id": DECIMALS["precise"](Decimal("7.50"), 2)}),
               **{**meaning(columns, amount, ms), "id": pack({"id": "7.5"}).hex()})
    wanted = {**meaning(columns, amount, ms), "id": pack({"order_id": 536365, "product_id": "85123A"}).hex()}
    yield line("a key by configuration", (None, record(columns, ID)[1]), **wanted, key_columns="product_id:, order_id:")
    null = {**columns, "user_id": (None, {"type": "string"}, "")}
    yield line("null is absent", record(null, ID), **{**meaning(columns, amount, ms), "fields": FIELDS + ", user_id:user_id, gone:channel"})


def bad():
    def line_of(name, columns, code, says, schemas=True, **more):
        return line(name, record(columns, ID, schemas=schemas), code=code, says=says, **more)

    micro, price = TIMES["micro"](SECONDS * 1_000_000), DECIMALS["precise"](Decimal("9.99"), 2)
    for text in ("1000000000.01", "0.30000000000000004", "1.0E9"):
        yield line_of(f"a double of {text}", row((Digits(text), {"type": "double"}, "double")), "bad_value", "decimal.handling.mode")
        yield line_of(f"a double of {text}, no schema", row((Digits(text), None, "")), "bad_value", "decimal.handling.mode", False,
                      types="created_at:timestamp_us")
    yield line_of("a float", row((Digits("9.99"), {"type": "float"}, "")), "float32_money", "numeric")
    yield line_of("base64 without schema", row((price[0], None, "")), "bad_value", "types", False, types="created_at:timestamp_us")
    yield line_of("base64 that looks like digits", row(("1000", None, "")), "bad_value", "schemas.enable", False, types="created_at:timestamp_us")
    yield line_of("days or seconds without schema", row(created=(14944, None, "")), "bad_value", "types", False, types="price:decimal(2)")
    yield line_of("no base64", row(("A+c", price[1], "")), "bad_value", "decimal.handling.mode")
    yield line_of("base64 of nothing", row(("", price[1], "")), "bad_value", "decimal.handling.mode")
    yield line_of("more than 128 bits", row((unscaled(Decimal(2) ** 127, 0), DECIMALS["precise"](Decimal(1), 0)[1], "")), "bad_value",
                  "decimal.handling.mode=string")
    yield line_of("the 39th place", row(({"scale": 39, "value": unscaled(Decimal(1), 0)}, DECIMALS["variable"](Decimal(1), 0)[1], "")), "bad_value",
                  "decimal.handling.mode=string")
    yield line_of("a seventh place", row(DECIMALS["precise"](Decimal("0.0000001"), 7)), "bad_value", "unit_price")
    yield line_of("money in bytes", row(("AAA=", {"type": "bytes"}, "")), "bad_value", "bytes")
    yield line_of("a time of day", row(created=(1, {"type": "int64", "name": DEBEZIUM + "time.MicroTime"}, "")), "bad_value", "time of day")
    yield line_of("before 1970", row(created=(-1, micro[1], "")), "bad_value", "1970-9999")
    yield line_of("infinity", row(created=(9223372036825200000, micro[1], "")), "bad_value", "1970-9999")
    yield line_of("text where a number should be", row(created=("2010", micro[1], "")), "bad_value", "time.precision.mode")
    yield line_of("a large value that was not sent", row(product="__debezium_unavailable_value"), "missing_field", "REPLICA IDENTITY FULL")
    key, value = record(row(), ID)
    yield line("Avro", (key, "\0\0\0\0\x07\x02\x0e"), code="bad_frame", says="value.converter=org.apache.kafka.connect.json.JsonConverter")
    yield line("a key in Avro", ("\0\0\0\0\x07\x02", value), code="bad_frame", says="key.converter=org.apache.kafka.connect.json.JsonConverter")
    yield line("no key", (None, value), code="missing_field", says="message.key.columns")
    yield line("a key that is no map", ('{"schema":{"type":"int32"},"payload":7}', value), code="missing_field", says="message.key.columns")
    yield line("a null in the key", record(row(), {"id": (None, {"type": "int32"}, "")}), code="missing_field", says="key of the source")
    yield line("a row without its envelope", (key, '{"id":7,"price":"9.99"}'), code="missing_field", says="ExtractNewRecordState")
    yield line("another op", (key, value.replace('"op":"c"', '"op":"x"')), code="bad_value", says="op")
    yield line("no after", record(None, ID), code="missing_field", says="after")
    yield line("no position", record(row(), ID, source={"connector": "postgresql"}), code="missing_field", says="lsn")
    yield line("another database", record(row(), ID, source={"connector": "oracle", "scn": "1"}), code="bad_value", says="oracle")
    yield line("a binlog without number", record(row(), ID, source=mysql("binlog", 4)), code="missing_field", says="file")
    yield line("no JSON", (key, value[:-1]), code="bad_frame", says="")
    yield line("an array", (key, "[]"), code="missing_field", says="op")


def orders():
    pg, gtid = postgresql, "3e11fa47-71ca-11e1-9e33-c80aa9429562:"
    other = "aaaaaaaa-71ca-11e1-9e33-c80aa9429562:"
    for name, kept, following, order in [
            ("a later LSN", pg(10), pg(11), "newer"), ("the same again", pg(10), pg(10), "same"), ("redelivered", pg(11), pg(10), "older"),
            ("streamed after its snapshot", pg(10, "true"), pg(11), "newer"),
            ("open while the snapshot was taken", pg(10, "last"), pg(9), "newer"),
            ("the snapshot again", pg(10, "true"), pg(10, "true"), "same"), ("a newer snapshot", pg(10, "true"), pg(12, "first"), "newer"),
            ("an older snapshot", pg(12, "true"), pg(10, "true"), "older"), ("a snapshot after changes", pg(10), pg(11, "incremental"), "newer"),
            ("a snapshot from before the change", pg(10), pg(9, "true"), "older"),
            ("another binlog file", mysql("b.000009", 900), mysql("b.000010", 4), "newer"), ("a later place", mysql("b.1", 9), mysql("b.1", 10), "newer"),
            ("another row of an event", mysql("b.1", 9, 1), mysql("b.1", 9, 0), "older"), ("the same place", mysql("b.1", 9), mysql("b.1", 9), "same"),
            ("streamed after MySQL's snapshot", mysql("b.1", 9, server=0, snapshot="true"), mysql("b.1", 10), "newer"),
            ("a later transaction", mysql("b.9", 9, 0, gtid + "17"), mysql("b.1", 4, 0, gtid + "18", 2), "newer"),
            ("an earlier transaction", mysql("b.1", 4, 0, gtid + "18"), mysql("b.1", 9, 0, gtid + "17"), "older"),
            ("within a transaction", mysql("b.1", 4, 0, gtid + "18"), mysql("b.1", 9, 0, gtid + "18"), "newer"),
            ("transactions of two servers", mysql("b.1", 4, 0, gtid + "18"), mysql("b.1", 2, 0, other + "3", 2), "unordered"),
            ("files of two servers", mysql("b.2", 4), mysql("b.1", 4, server=2), "unordered"),
            ("MariaDB, after a failover", mysql("b.7", 4, 0, "0-1-100", connector="mariadb"), mysql("b.1", 4, 0, "0-2-101", 2, connector="mariadb"), "newer"),
            ("two databases", pg(10), mysql("b.1", 4), "unordered")]:
        yield {"name": name, "kept": kept, "next": following, "order": order}


def orders_after():
    """What was streamed after a snapshot stays later than that snapshot, whatever the numbers say."""
    yield {"name": "the snapshot again, after a change with a smaller LSN", "snapshot": postgresql(10, "last"), "kept": postgresql(9),
           "next": postgresql(10, "last"), "order": "older"}
    yield {"name": "a second snapshot, after a change with a smaller LSN", "snapshot": postgresql(10, "last"), "kept": postgresql(9),
           "next": postgresql(12, "last"), "order": "newer"}


def main():
    with open(HERE / "debezium.ndjson", "w", encoding="utf-8") as out:
        for vectors in (good_decimals, good_times, good_shapes, bad, orders, orders_after):
            for vector in vectors():
                out.write(json.dumps(vector, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
