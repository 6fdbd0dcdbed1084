"""A record of Kafka as a row of events, a marker, or neither (PROTOCOL.md, 2.2, 5.2, 5.4). Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

import msgpack  # type: ignore[import-untyped]

from ..columns import Column, Type
from .plan import Mart, MartColumn, Row, Target

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RUN_MAX = 2**53 - 1
_SEQ_MAX = 2**63 - 1
_JSON_BEGINS = b"{[ \t\n\r"
CERTIFICATE = ("edge", "run", "kind", "seq")
_TEXTS = ("event_id", "order_id", "product_id", "currency", "user_id", "category", "channel", "payment", "action", "page")
_MONEY = ("unit_price", "amount", "discount", "tax")
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
    return Type.INTEGER if name in ("run", "seq", "quantity", "kafka_partition", "kafka_offset") else Type.TEXT


def mart_of(kind: str, target: Target) -> Mart:
    """The table of a kind's events: its certificate is its key; `extra` has what is no known field, as JSON."""
    names = (*CERTIFICATE, *FIELDS[kind], "extra", "kafka_partition", "kafka_offset")
    columns = tuple(MartColumn(name, Column(name, _type_of(name), name in CERTIFICATE)) for name in names)
    return Mart(target, f"events of kind {kind}", columns)


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse(word: str) -> Any:
    raise ValueError(word)


def decoded(value: bytes) -> Any:
    """The value of a record. Raises ValueError."""
    if value[:1] and value[:1] in _JSON_BEGINS:
        return json.loads(value, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_unique)
    try:
        return msgpack.unpackb(value, object_pairs_hook=_unique)
    except (msgpack.UnpackException, msgpack.ExtraData, TypeError) as error:
        raise ValueError(str(error)) from error


def _whole(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r} is no whole number from {least} to {most}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"{value!r} is no text")
    return value


def _money(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{value!r} is no amount")
    try:
        amount = Decimal(value)
    except InvalidOperation as error:
        raise ValueError(f"{value!r} is no amount") from error
    if not amount.is_finite() or amount != round(amount, 6):
        raise ValueError(f"{value!r} has more than six places")
    return amount


def _cell(name: str, value: Any) -> Any:
    if value is None:
        return None
    type_ = _type_of(name)
    if type_ is Type.TIME:
        return _EPOCH + timedelta(milliseconds=_whole(value, 0, 253_402_300_799_999))
    if type_ is Type.MONEY:
        return _money(value)
    return _whole(value, -10**9, 10**9) if type_ is Type.INTEGER else _text(value)


def _plain(value: Any) -> Any:
    """As JSON has it (PROTOCOL.md, 2.2)."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | None) else None


def _extra(kind: str, event: Mapping[str, Any]) -> str | None:
    rest = {name: _plain(value) for name, value in event.items() if name not in CERTIFICATE and name not in FIELDS[kind]}
    return json.dumps(rest, ensure_ascii=False, separators=(",", ":")) if rest else None


def read_record(kind: str, partition: int, offset: int, value: bytes | None) -> Record:
    """What a record of the kind's topic is to its table."""
    if not value:
        return Record(Verdict.FOREIGN)
    try:
        event = decoded(value)
        if not isinstance(event, dict) or not all(name in event for name in CERTIFICATE):
            return Record(Verdict.FOREIGN)
        certificate = (_text(event["edge"]), _whole(event["run"], 1, _RUN_MAX), _text(event["kind"]), _whole(event["seq"], 1, _SEQ_MAX))
        if certificate[2] != kind:
            return Record(Verdict.FOREIGN)
        if "rejected" in event:
            return Record(Verdict.MARKER, certificate, code=_text(event["rejected"]))
        cells = tuple(_cell(name, event.get(name)) for name in FIELDS[kind])
        return Record(Verdict.EVENT, certificate, (*certificate, *cells, _extra(kind, event), partition, offset))
    except (ValueError, RecursionError):
        return Record(Verdict.UNREADABLE)
