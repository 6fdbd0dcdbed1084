"""Values of Python as the protocol writes them in a question or an event (PROTOCOL.md, 1 and 6). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from .columns import Column, Type

OPS = ("=", "!=", "<", "<=", ">", ">=", "in", "prefix")
MONEY_FIELDS = ("unit_price", "price", "amount", "total_price", "discount", "tax")
TIME_FIELDS = ("ts", "timestamp", "event_time_ms", "event_time")
_SPAN = re.compile(r"[0-9]+(min|h|d|w|mo|y)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONEY_MAX = Decimal(10) ** 12
_MICRO = Decimal("0.000001")


def decimal_text(amount: Decimal) -> str:
    """With its digits and no exponent; what has more than six places, or is no number, has no place in the protocol."""
    if not amount.is_finite():
        raise ValueError(f"{amount} is no amount")
    if amount != 0 and amount.adjusted() > 40:
        raise ValueError(f"{amount} is too large for an amount")
    text = format(amount, "f")
    whole, _, places = text.partition(".")
    places = places.rstrip("0")
    if len(places) > 6:
        raise ValueError(f"{text} has more than six decimal places; round it first, for instance with .quantize(Decimal('0.01'))")
    return f"{whole}.{places}" if places else whole


def value(given: Any) -> Any:
    """A cell of a key, a bound or a condition. A `datetime` with a zone is that instant; without one it is the view's local time."""
    if isinstance(given, bool) or not isinstance(given, (str, int, Decimal, date, datetime, type(None))):
        hint = "; floats are not exact: write Decimal('2.55') or '2.55'" if isinstance(given, float) else ""
        raise TypeError(f"{given!r} is no value of a row: text, int, Decimal, date and datetime are{hint}")
    if isinstance(given, Decimal):
        return decimal_text(given)
    if isinstance(given, datetime):
        return given.isoformat(timespec="milliseconds" if given.microsecond else "minutes" if given.second == 0 else "seconds")
    return given.isoformat() if isinstance(given, date) else given


def values(given: Sequence[Any] | str | int | Decimal | date | None) -> list[Any]:
    """A key or a bound; of one column it may be the value itself."""
    if isinstance(given, (str, bytes)) or not isinstance(given, Sequence):
        return [value(given)]
    return [value(each) for each in given]


def _as_column(column: Column | None, given: Any) -> Any:
    """As the column is typed: 100 for money is "100", Decimal(3) for a count is 3."""
    if column is not None and isinstance(given, (int, Decimal)) and not isinstance(given, bool):
        if column.type is Type.INTEGER:
            if given != int(given):
                raise ValueError(f"{column.name} is a whole number, {given} is none")
            return int(given)
        if column.type in (Type.MONEY, Type.DECIMAL, Type.TEXT):
            return decimal_text(Decimal(given))
    return value(given)


def condition(columns: Mapping[str, Column], given: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """("total_revenue", ">=", Decimal("100")), or the protocol's own map."""
    if isinstance(given, Mapping):
        field, op, wanted = given["field"], given["op"], given["value"]
    else:
        if isinstance(given, str) or len(given) != 3:
            raise ValueError(f"{given!r} is no condition; one is (field, op, value), such as (\"total_revenue\", \">=\", Decimal(\"100\"))")
        field, op, wanted = given
    op = "=" if op == "==" else op
    if op not in OPS:
        raise ValueError(f"{op!r} is no comparison; there are {', '.join(OPS)}")
    column = columns.get(field)
    if op == "in":
        return {"field": field, "op": op, "value": [_as_column(column, each) for each in wanted]}
    return {"field": field, "op": op, "value": _as_column(column, wanted)}


def conditions(columns: Sequence[Column], given: Sequence[Any]) -> list[dict[str, Any]]:
    """All must hold; one may stand alone."""
    known = {column.name: column for column in columns if column.inside is None}
    if given and isinstance(given, tuple) and isinstance(given[0], str):
        return [condition(known, given)]
    return [condition(known, each) for each in ([given] if isinstance(given, Mapping) else given)]


def period(given: str | Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    """A range: "7d" (the last seven days), (from, to) where either may be None, or the protocol's map."""
    if isinstance(given, str):
        if not _SPAN.fullmatch(given):
            raise ValueError(f"{given!r} is no span; 30min, 24h, 7d, 2w, 1mo and 1y are, and (from, to) is a range")
        return {"last": given}
    if isinstance(given, Mapping):
        return {name: value(each) for name, each in given.items()}
    if len(given) != 2:
        raise ValueError(f"{given!r} is no range; (from, to) is, where either may be None")
    return {name: value(each) for name, each in zip(("from", "to"), given, strict=True) if each is not None}


def comparison(given: str | Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    """What to compare with: "7d" (so much earlier), (from, to) of another period, or the protocol's map."""
    if isinstance(given, str):
        return {"shift": period(given)["last"]}
    if isinstance(given, Mapping):
        return {name: period(each) if name == "to" else each for name, each in given.items()}
    return {"to": period(given)}


def order(given: str | Sequence[Any] | Mapping[str, Any]) -> list[dict[str, str]]:
    """"total_revenue" (ascending), ("total_revenue", "desc"), the protocol's map, or a list of these."""
    if isinstance(given, str):
        return [{"by": given}]
    if isinstance(given, Mapping):
        return [dict(given)]
    if isinstance(given, tuple) and len(given) == 2 and given[1] in ("asc", "desc"):
        return [{"by": given[0], "order": given[1]}]
    return [made for each in given for made in order(each)]


def milliseconds(moment: datetime) -> int:
    """Since the epoch. A moment needs a zone: the edge's may be another than this machine's."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no zone; say which, for instance with datetime.now(tz=UTC) or .astimezone()")
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def instant(ms: int) -> datetime:
    """The other way: milliseconds since the epoch, as events and answers have them."""
    return _EPOCH + timedelta(milliseconds=ms)


def _money(name: str, given: Any) -> Any:
    if isinstance(given, float):
        raise TypeError(f"{name} is the float {given!r}, which is not exactly what the till rang up; send Decimal('{given!r}') or text")
    if isinstance(given, Decimal):
        text = decimal_text(given)
        if abs(given) > _MONEY_MAX:
            raise ValueError(f"{name} is {text}; amounts are at most 10^12")
        return text
    return given


def event(given: Mapping[str, Any]) -> dict[str, Any]:
    """An event as it is sent: Decimal as text, moments as milliseconds; money in floats is refused. The rest goes as it is: what the edge
    can't take it names in its reply."""
    made: dict[str, Any] = {}
    for name, each in given.items():
        if name in MONEY_FIELDS:
            made[name] = _money(name, each)
        elif isinstance(each, datetime):
            made[name] = milliseconds(each) if name in TIME_FIELDS else each.isoformat()
        elif isinstance(each, date):
            made[name] = each.isoformat()
        elif isinstance(each, Decimal):
            made[name] = int(each) if name in ("quantity", "qty") and each == int(each) else decimal_text(each)
        else:
            made[name] = each
    return made
