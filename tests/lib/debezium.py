"""A table whose changes are told as Debezium tells them (tests/vectors/debezium_recorded.ndjson has real ones), and a log of
them that may tell again what it told before, as a connector does that is killed."""
import base64
import itertools
import json
import zlib

TYPES = "price:decimal(2), at:timestamp_us"


def unscaled(amount):
    """A numeric(…, 2) as Connect's Decimal: base64 of the unscaled integer, big-endian, two's complement."""
    number = int(amount.scaleb(2))
    return base64.b64encode(number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)).decode()


class Table:
    """Rows by primary key, and per partition what Kafka would have of their changes: [(key, value)]."""

    def __init__(self, partitions=1):
        self.rows = {}
        self.logs = [[] for _ in range(partitions)]
        self.lsn = itertools.count(22383472, 56)
        self.read = set()  # keys whose last change was read by a snapshot

    def key(self, name):
        return json.dumps({"id": name}).encode()

    def append(self, name, value):
        key = self.key(name)
        self.logs[zlib.crc32(key) % len(self.logs)].append((key, value))

    def tell(self, name, op, row=None, lsn=None):
        (self.read.add if op == "r" else self.read.discard)(self.key(name))
        after = row and {"id": name, **row, "price": unscaled(row["price"])}
        self.append(name, self.envelope(op, after, lsn, {"id": name} if op == "d" else None))

    def envelope(self, op, after, lsn=None, before=None):
        source = {"version": "3.3.0.Final", "connector": "postgresql", "name": "shop", "ts_ms": 1795298112595,
                  "snapshot": "true" if op == "r" else "false", "db": "postgres", "schema": "public", "table": "order_details",
                  "txId": 750, "lsn": lsn or next(self.lsn), "xmin": None}
        return json.dumps({"before": before, "after": after, "source": source, "transaction": None, "op": op, "ts_ms": 1795298113367}).encode()

    def insert(self, name, row):
        self.tell(name, "c", row)
        self.rows[name] = row

    def update(self, name, **columns):
        self.rows[name] = {**self.rows[name], **columns}
        self.tell(name, "u", self.rows[name])

    def delete(self, name):
        self.tell(name, "d")
        self.append(name, b"")  # a tombstone
        del self.rows[name]

    def rename(self, name, other):
        """Another primary key: Debezium tells a delete and an insert of one position."""
        lsn = next(self.lsn)
        self.tell(name, "d", lsn=lsn)
        self.append(name, b"")
        self.rows[other] = self.rows.pop(name)
        self.tell(other, "c", self.rows[other], lsn=lsn)

    def truncate(self, lsn=None):
        """Told to one partition, under no key."""
        where = zlib.crc32(b"") % len(self.logs)
        self.logs[where].append((b"", self.envelope("t", None, lsn)))
        self.rows.clear()

    def snapshot(self):
        lsn = next(self.lsn)
        for name, row in self.rows.items():
            self.tell(name, "r", row, lsn=lsn)

    def begin_again(self, count):
        """Tells the first changes of every partition again, and stops there. Not of rows that a snapshot read last: whatever is
        streamed behind a snapshot is later than it, as PostgreSQL's positions have it."""
        for log in self.logs:
            log.extend([record for record in log[:count] if record[0] not in self.read])

    def repeat(self, count):
        """Tells the last changes of every partition again."""
        for log in self.logs:
            log.extend(log[-count:])
