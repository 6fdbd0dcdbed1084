"""A record of Kafka as a row of a table of events. What the record is, record.py says; here it gets a database's types. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from .. import record
from ..columns import Column, Type
from ..record import Event
from ..wire import instant
from .plan import Mart, MartColumn, Row, Target

CERTIFICATE = ("edge", "run", "kind", "seq")
_MONEY = ("unit_price", "amount", "discount", "tax")
_INTEGERS = ("run", "seq", "quantity", "kafka_partition", "kafka_offset")
# The columns of each kind's table, behind the certificate.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "order": ("ts", "order_id", "product_id", "quantity", "unit_price", "amount", "discount", "tax", "currency", "user_id", "category",
              "channel", "payment", "action", "page", "event_id"),
    "cart": ("ts", "product_id", "quantity", "user_id", "category", "channel", "payment", "action", "page", "event_id"),
    "view": ("ts", "product_id", "user_id", "category", "channel", "payment", "action", "page", "event_id"),
}
TOPICS = {"order": "orders", "cart": "cart_events", "view": "page_views"}


class Verdict(Enum):
    EVENT = "inserted"
    MARKER = "rejected"
    FOREIGN = "foreign_records"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Record:
    verdict: Verdict
    certificate: Row = ()
    row: Row = ()  # of an event
    code: str = ""  # of a marker


def _type_of(name: str) -> Type:
    if name == "ts":
        return Type.TIME
    if name in _MONEY:
        return Type.MONEY
    return Type.INTEGER if name in _INTEGERS else Type.TEXT


def mart_of(kind: str, target: Target) -> Mart:
    """The table of a kind's events: its certificate is its key; `extra` has what is no known field, as JSON."""
    names = (*CERTIFICATE, *FIELDS[kind], "extra", "kafka_partition", "kafka_offset")
    columns = tuple(MartColumn(name, Column(name, _type_of(name), name in CERTIFICATE)) for name in names)
    return Mart(target, f"events of kind {kind}", columns)


def _cell(event: Event, name: str) -> Any:
    value = getattr(event, name)
    if value is None:
        return None
    if name == "ts":
        return instant(value)
    return Decimal(value).scaleb(-6) if name in _MONEY else value


def read_record(kind: str, partition: int, offset: int, key: bytes | None, value: bytes | None) -> Record:
    """What a record of the kind's topic is to its table."""
    try:
        _, event = record.read(kind, key, value, None)
    except record.Foreign:
        return Record(Verdict.FOREIGN)
    except record.Unreadable:
        return Record(Verdict.UNREADABLE)
    certificate = (event.edge, event.run, event.kind, event.seq)
    if event.rejected is not None:
        return Record(Verdict.MARKER, certificate, code=event.rejected)
    cells = (_cell(event, name) for name in FIELDS[kind])
    return Record(Verdict.EVENT, certificate, (*certificate, *cells, event.extra, partition, offset))
