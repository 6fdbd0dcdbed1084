"""What a Kafka record is: an event, a marker that the bridge left instead of one, a dead letter, somebody else's record, or bytes that
can't be read. The rules are those of aggregator/books/record.c and proto/event_decode.c (PROTOCOL.md, 1, 2 and 5): whatever the aggregator
counts is archived, and a row of a mart's table of events, and nothing else is, for a record that took its seq in one of them alone would
make their sums differ. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, NamedTuple

import msgpack  # type: ignore[import-untyped]

KINDS = ("order", "cart", "view")
LETTER = ".dlq"
_ALL_KINDS = frozenset((*KINDS, *(kind + LETTER for kind in KINDS)))
TS_MAX = 253402300799999
RUN_MAX = 2**53 - 1
INT64_MAX = 2**63 - 1
_EVENT_SIZE_MAX, _JSON_SIZE_MAX = 64 * 1024, 6 * 64 * 1024
_NESTING_MAX = 8
_ID_SIZE_MAX, _TEXT_SIZE_MAX, _EVENT_ID_SIZE_MAX, _EDGE_SIZE_MAX = 128, 1024, 64, 64
_QUANTITY_MAX = 10**9
_MICROS_MAX = 10**18
_SOURCE_SIZE_MAX, _MESSAGE_SIZE_MAX = 192, 287
_MONEY = re.compile(r"([+-]?)([0-9]{1,12})(?:\.([0-9]+))?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DIGITS = re.compile(rb"[0-9]+")
_CERTIFICATE = ("kind", "edge", "run", "seq")
_OF_ALL = ("ts", "event_id", "product_id", "user_id", "category", "channel", "payment", "action", "page")
_OF_KIND = {"order": frozenset((*_CERTIFICATE, *_OF_ALL, "order_id", "quantity", "unit_price", "amount", "discount", "tax", "currency")),
            "cart": frozenset((*_CERTIFICATE, *_OF_ALL, "quantity")), "view": frozenset((*_CERTIFICATE, *_OF_ALL))}
_CLASS, _MESSAGE = "__connect.errors.exception.class.name", "__connect.errors.exception.message"
_LETTER_HEADERS = frozenset((
    "till.edge", "till.run", "till.kind", "till.seq", "till.received_ms", "till.source", "till.refused_by", "__connect.errors.topic",
    _CLASS, _MESSAGE))


class Foreign(Exception):
    """Readable and not ours, or lying where an event of its kind or edge can't be; says why."""


class Unreadable(Exception):
    """Can't be read, or bears a certificate and breaks a rule; says why."""


class Stream(NamedTuple):
    """Whose seqs are counted together. `kind` is the certificate's; letters of the bridge bear the certificate of the event that they
    replace, and so have sets of their own: `order.refused`, as the aggregator calls them."""

    edge: str
    run: int
    kind: str


class Event(NamedTuple):
    """What a record says, but for where it lies in Kafka. Money is in millionths. With `rejected` it is a marker or a dead letter."""

    kind: str
    edge: str
    run: int
    seq: int
    ts: int | None
    order_id: str | None = None
    product_id: str | None = None
    quantity: int | None = None
    unit_price: int | None = None
    amount: int | None = None
    discount: int | None = None
    tax: int | None = None
    currency: str | None = None
    user_id: str | None = None
    category: str | None = None
    channel: str | None = None
    payment: str | None = None
    action: str | None = None
    page: str | None = None
    event_id: str | None = None
    rejected: str | None = None
    refused_by: str | None = None
    message: str | None = None
    extra: str | None = None


class _Number(str):
    """The digits of a JSON number that is no integer."""


Headers = Sequence[tuple[str, bytes | None]]


def read(kind: str, key: bytes | None, value: bytes | None, headers: Headers | None) -> tuple[Stream, Event]:
    """A record of the topic of this kind (`order.dlq`: of dead letters). Raises Foreign or Unreadable."""
    if kind.endswith(LETTER):
        return _read_letter(kind, key, headers or ())
    event = read_event(value, kind)
    if key is None or key != event.edge.encode():
        raise Foreign("the record's key is not its edge")
    return Stream(event.edge, event.run, event.kind), event


def read_event(value: bytes | None, kind: str) -> Event:
    if not value:
        raise Foreign("an empty record")
    is_json = value[0] in b"{[ \t\n\r"
    if len(value) > (_JSON_SIZE_MAX if is_json else _EVENT_SIZE_MAX):
        raise Unreadable(f"{len(value)} bytes are more than an event has")
    event = _json(value) if is_json else _msgpack(value)
    if type(event) is not dict:
        raise Foreign(f"an event is a map, not {type(event).__name__}")
    try:
        return _event(event, kind, value, is_json)
    except Unreadable as error:
        if _is_strictly_read(value, is_json) and not any(name in event for name in ("edge", "run", "seq")):
            raise Foreign(str(error)) from None
        raise


# Values as they lie there.


def _msgpack(value: bytes) -> Any:
    try:
        event = msgpack.unpackb(value)
    except Exception as error:  # the library raises whatever its parts raise: for the reader all are one
        raise Unreadable(f"no msgpack: {error or type(error).__name__}") from None
    if type(event) is dict and len(event) != _pairs(value):
        raise Unreadable("a key twice in one map")
    return event


def _pairs(value: bytes) -> int:
    """How many pairs the outermost map says that it has."""
    head = value[0]
    if head < 0x90:
        return head & 0x0F
    return int.from_bytes(value[1:3 if head == 0xDE else 5], "big")


def _json(value: bytes) -> Any:
    try:
        return json.loads(value.decode(), parse_float=_Number, parse_constant=_no_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no JSON: {error}") from None


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _once(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice in one map")
    return found


def _is_strictly_read(value: bytes, is_json: bool) -> bool:
    """Is it a document by PROTOCOL.md 1.1, down to its leaves?"""
    try:
        if is_json:
            _check_values(_json(value), 1)
        else:
            _check_values(msgpack.unpackb(value, object_pairs_hook=_once), 1)
    except Exception:  # as above
        return False
    return True


def _check_values(value: Any, depth: int) -> None:
    kind = type(value)
    if kind is str:
        _check_text(value)
    elif kind is dict or kind is list:
        if depth > _NESTING_MAX:
            raise Unreadable(f"more than {_NESTING_MAX} containers within one another")
        for inner in value.values() if kind is dict else value:
            _check_values(inner, depth + 1)
        for name in value if kind is dict else ():
            if type(name) is not str:
                raise Unreadable("a key that is no text")
            _check_text(name)


def _check_text(text: str) -> None:
    if "\0" in text or (not text.isascii() and re.search("[\ud800-\udfff]", text)):
        raise Unreadable("text with NUL or half of a surrogate pair")


# Fields.


def _event(event: dict[Any, Any], kind: str, raw: bytes, is_json: bool) -> Event:
    get = event.get
    named, edge = get("kind"), get("edge")
    if type(named) is not str or named not in _ALL_KINDS:
        raise Unreadable("the certificate's kind is none that there is")
    if type(edge) is not str or not _is_edge(edge):
        raise Unreadable("the certificate's edge is no edge id")
    run, seq = _number(get("run"), is_json), _number(get("seq"), is_json)
    if run is None or not 1 <= run <= RUN_MAX:
        raise Unreadable("the certificate's run is out of range")
    if seq is None or not 1 <= seq <= INT64_MAX:
        raise Unreadable("the certificate's seq is out of range")
    if "rejected" in event:
        _check_strictly(raw, is_json)
        if type(get("rejected")) is not str:
            raise Unreadable("rejected must be text")
        _check_place(named, kind)
        return Event(named, edge, run, seq, None, rejected=get("rejected"))
    if named not in KINDS:
        raise Unreadable("the certificate's kind is a dead letter's")
    known = _OF_KIND[named]
    left_over = event.keys() - known
    extra = _extra(event, left_over, raw, is_json) if left_over else None
    order_id = quantity = price = amount = discount = tax = currency = None
    if named == "order":
        order_id, quantity, price, currency = (_text(get("order_id"), _ID_SIZE_MAX), _quantity(get("quantity"), is_json),
                                               _money(get("unit_price"), is_json), _currency(get("currency")))
        amount = None if (value := get("amount")) is None else _money(value, is_json)
        discount = None if (value := get("discount")) is None else _money(value, is_json)
        tax = None if (value := get("tax")) is None else _money(value, is_json)
    elif named == "cart":
        quantity = _quantity(get("quantity"), is_json)
    found = Event(
        named, edge, run, seq, _ts(get("ts"), is_json), order_id, _text(get("product_id"), _ID_SIZE_MAX), quantity, price, amount, discount,
        tax, currency, None if (value := get("user_id")) is None else _text(value, _ID_SIZE_MAX),
        None if (value := get("category")) is None else _text(value, _TEXT_SIZE_MAX),
        None if (value := get("channel")) is None else _text(value, _TEXT_SIZE_MAX),
        None if (value := get("payment")) is None else _text(value, _TEXT_SIZE_MAX),
        None if (value := get("action")) is None else _text(value, _TEXT_SIZE_MAX),
        None if (value := get("page")) is None else _text(value, _TEXT_SIZE_MAX),
        None if (value := get("event_id")) is None else _text(value, _EVENT_ID_SIZE_MAX), None, None, None, extra)
    _check_required(found)
    _check_place(named, kind)
    return found


def _check_place(named: str, kind: str) -> None:
    if named != kind:
        raise Foreign(f"a record of kind {named} in the topic of {kind}")


def _check_required(event: Event) -> None:
    kind = event.kind
    if event.ts is None:
        raise Unreadable("ts is missing")
    if kind == "order":
        if event.order_id is None or event.product_id is None or event.quantity is None or event.currency is None or (
                event.unit_price is None and event.amount is None):
            raise Unreadable("a field that every order has is missing")
        if event.unit_price is not None and event.unit_price < 0:
            raise Unreadable("unit_price is negative")
    elif kind == "cart":
        if event.product_id is None or event.quantity is None:
            raise Unreadable("a field that every cart event has is missing")
        if event.action not in ("add", "remove"):
            raise Unreadable("action is neither add nor remove")


@lru_cache(65536)
def _is_edge(edge: str) -> bool:
    return 1 <= len(edge.encode(errors="replace")) <= _EDGE_SIZE_MAX and edge[0] != " " and edge[-1] != " " and (
        _CONTROL.search(edge) is None and re.search("[\ud800-\udfff]", edge) is None)


def _number(value: Any, is_json: bool) -> int | None:
    """An integer as normal form has it; None: there is none."""
    if type(value) is int:
        return value
    if is_json and type(value) is _Number:
        return _integer_of_number(value)
    if is_json and type(value) is str and re.fullmatch(r"[+-]?[0-9]{1,800}", value):  # past 2^53
        return int(value)
    return None


def _integer_of_number(digits: str) -> int | None:
    try:
        number = Decimal(digits)
    except InvalidOperation:
        return None
    if number == 0:
        return 0
    return int(number) if number.adjusted() < 20 and number == number.to_integral_value() else None


def _text(value: Any, size_max: int) -> str | None:
    if value is None or value == "":
        return None
    if type(value) is not str:
        raise Unreadable("a field that is text is none")
    if len(value) > size_max or (not value.isascii() and len(value.encode(errors="replace")) > size_max):
        raise Unreadable(f"text of more than {size_max} bytes")
    if "\0" in value or not value.isascii():
        _check_text(value)
    return value


def _currency(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if type(value) is not str or _CURRENCY.fullmatch(value) is None:
        raise Unreadable("currency is not three capital letters")
    return value


def _ts(value: Any, is_json: bool) -> int | None:
    if value is None or value == "":
        return None
    number = value if type(value) is int else _number(value, is_json)
    if number is None or not 0 <= number <= TS_MAX:
        raise Unreadable("ts is no time")
    return number


def _quantity(value: Any, is_json: bool) -> int | None:
    if value is None or value == "":
        return None
    number = value if type(value) is int else _number(value, is_json)
    if number is None or number == 0 or not -_QUANTITY_MAX <= number <= _QUANTITY_MAX:
        raise Unreadable("quantity is no integer that is allowed")
    return number


def _money(value: Any, is_json: bool) -> int | None:
    """In millionths."""
    if value is None or value == "":
        return None
    micros = None
    if type(value) is str:
        micros = _micros_of_text(value)
    elif is_json and (type(value) is _Number or type(value) is int):
        micros = _micros_of_number(str(value))
    if micros is None or not -_MICROS_MAX <= micros <= _MICROS_MAX:
        raise Unreadable("money is no decimal number that is allowed")
    return micros


@lru_cache(65536)
def _micros_of_text(text: str) -> int | None:
    if text in ("1000000000000.00", "-1000000000000.00"):  # the one with thirteen digits
        return _MICROS_MAX if text[0] != "-" else -_MICROS_MAX
    found = _MONEY.fullmatch(text)
    if found is None:
        return None
    sign, whole, fraction = found[1], found[2], found[3] or ""
    if fraction[6:].strip("0"):
        return None
    micros = int(whole) * 10**6 + int(fraction[:6].ljust(6, "0"))
    return -micros if sign == "-" else micros


@lru_cache(65536)
def _micros_of_number(digits: str) -> int | None:
    try:
        number = Decimal(digits)
    except InvalidOperation:
        return None
    if number == 0:
        return 0
    if number.adjusted() > 12 or len(number.as_tuple().digits) > 800:
        return None
    numerator, denominator = number.as_integer_ratio() if number.adjusted() > -7 else (1, 3)
    micros, rest = divmod(numerator * 10**6, denominator)
    return None if rest else micros


# Dead letters.


def _read_letter(kind: str, key: bytes | None, headers: Headers) -> tuple[Stream, Event]:
    raw = {name: value for name, value in headers if name in _LETTER_HEADERS and value}
    if "till.edge" not in raw and "till.seq" not in raw:
        raise Foreign("a record without till's headers in a dead-letter topic")
    try:
        text = {name: value.decode() for name, value in raw.items()}
    except UnicodeDecodeError:
        raise Unreadable("a header of the dead letter is not UTF-8") from None
    if any("\0" in value for value in text.values()):
        raise Unreadable("a header of the dead letter has NUL")
    run, seq, received_ms = (_decimal(raw, name) for name in ("till.run", "till.seq", "till.received_ms"))
    named, edge, refused_by = text.get("till.kind", ""), text.get("till.edge", ""), text.get("till.refused_by", "")
    if refused_by not in ("edge", "bridge"):
        raise Unreadable("till.refused_by is neither edge nor bridge")
    if _CLASS not in text or len(raw.get("till.source", b"")) > _SOURCE_SIZE_MAX or len(raw.get(_MESSAGE, b"")) > _MESSAGE_SIZE_MAX:
        raise Unreadable("the dead letter's code is missing, or its source or message too long")
    if named not in _ALL_KINDS or (refused_by == "edge" and not named.endswith(LETTER)):
        raise Unreadable("till.kind is no kind of a dead letter")
    if not edge or not _is_edge(edge) or not 1 <= run <= RUN_MAX or seq < 1:
        raise Unreadable("the dead letter's certificate breaks a rule")
    _check_place(named if named.endswith(LETTER) else named + LETTER, kind)
    if key is None or key != edge.encode():
        raise Foreign("the record's key is not its edge")
    stream = Stream(edge, run, named if named.endswith(LETTER) else named + ".refused")
    return stream, Event(kind, edge, run, seq, received_ms if received_ms <= TS_MAX else None, rejected=text[_CLASS],
                         refused_by=refused_by, message=text.get(_MESSAGE))


def _decimal(raw: Mapping[str, bytes], name: str) -> int:
    digits = raw.get(name, b"")
    if _DIGITS.fullmatch(digits) is None or len(digits) > 40 or int(digits) > INT64_MAX:
        raise Unreadable(f"{name} is missing or no number")
    return int(digits)


# Unknown fields.


def _check_strictly(value: bytes, is_json: bool) -> None:
    """Keys twice in a map within: msgpack's reader says nothing of them unless it is asked, and asking makes it slow."""
    if not _is_strictly_read(value, is_json):
        raise Unreadable("a value within breaks a rule: depth, text, or a key twice")


def _extra(event: dict[Any, Any], names: Any, raw: bytes, is_json: bool) -> str:
    parts = []
    is_deep = False
    for name in event if len(names) > 1 else names:
        if name in names:
            value = event[name]
            kind = type(value)
            if kind is str:
                if "\0" in value or not value.isascii():
                    _check_text(value)
                parts.append(_name_json(name) + encode_basestring(value))
            else:
                if (kind is dict or kind is list) and not is_deep:
                    _check_strictly(raw, is_json)
                    is_deep = True
                parts.append(_name_json(name) + to_json(value))
    return "{" + ",".join(parts) + "}"


@lru_cache(4096)
def _name_json(name: Any) -> str:
    if type(name) is not str:
        raise Unreadable("a key that is no text")
    _check_text(name)
    return encode_basestring(name) + ":"


def to_json(value: Any) -> str:
    """As PROTOCOL.md 2.2 writes a carried value in JSON."""
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    kind = type(value)
    if kind is _Number:
        return str(value)
    if kind is str:
        return encode_basestring(value)
    if kind is int:
        return str(value) if -(2**53) <= value <= 2**53 else f'"{value}"'
    if kind is float:
        return repr(value) if value - value == 0 else "null"
    if kind is bytes:
        return f'"{base64.b64encode(value).decode()}"'
    if kind is list:
        return "[" + ",".join(map(to_json, value)) + "]"
    if kind is dict:
        return "{" + ",".join(f"{encode_basestring(name)}:{to_json(inner)}" for name, inner in value.items()) + "}"
    return "null"  # an extension
