"""The columns of a view or table, their types, and a cell's way from an answer into Python. The one definition: of the client,
of files, of databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from .errors import BadAnswer

# Sums are 128 bits of millionths: 38 digits in all, six of them behind the point.
MONEY_DIGITS = 38
MONEY_PLACES = 6


class Type(Enum):
    """What a cell is. The value is how answers to `views` and `tables` call it, where they do."""

    TEXT = "text"
    INTEGER = "integer"  # up to 128 bits
    MONEY = "money"  # Decimal, at most six places
    DECIMAL = "decimal"  # averages and ratios: Decimal, at most six places
    TIME = "time"  # an instant: datetime in UTC
    INSTANT_BUCKET = "minute, hour"  # the start of a minute or hour: datetime with the view's offset
    DATE_BUCKET = "day, week, month"  # the first day: date


@dataclass(frozen=True)
class Column:
    name: str
    type: Type
    is_key: bool


_BUCKETS = {"minute": Type.INSTANT_BUCKET, "hour": Type.INSTANT_BUCKET, "day": Type.DATE_BUCKET, "week": Type.DATE_BUCKET,
            "month": Type.DATE_BUCKET}
_INTEGER_BUCKETS = ("weekday", "hour_of_day")


def _type_of(name: str, said: str) -> Type:
    try:
        said_type = Type(said)
    except ValueError as error:
        raise BadAnswer(f"column {name!r} is of type {said!r}, which this version does not know") from error
    return _BUCKETS.get(name, said_type) if said_type is Type.TIME else said_type


def columns_of_view(view: Mapping[str, Any]) -> tuple[Column, ...]:
    """`view` is an element of the answer to `views`."""
    keys = zip(view["group_by"], view["group_types"], strict=True)
    measures = zip(view["measures"], view["measure_types"], strict=True)
    return (*(Column(name, _type_of(name, said), True) for name, said in keys),
            *(Column(name, Type(said), False) for name, said in measures))


def columns_of_table(table: Mapping[str, Any]) -> tuple[Column, ...]:
    """`table` is an element of the answer to `tables`. Keys of tables are text."""
    return (*(Column(name, Type.TEXT, True) for name in table["key"]),
            *(Column(name, Type(said), False) for name, said in zip(table["columns"], table["column_types"], strict=True)))


def rolled_up(columns: Sequence[Column], group_by: Sequence[str]) -> tuple[Column, ...]:
    """The columns of rows that are merged by these: some of the view's own, of a joined table's, or coarser buckets of its time."""
    known = {column.name: column for column in columns}
    keys = []
    for name in group_by:
        if name in known:
            keys.append(Column(name, known[name].type, True))
        elif name in _BUCKETS:
            keys.append(Column(name, _BUCKETS[name], True))
        elif name in _INTEGER_BUCKETS:
            keys.append(Column(name, Type.INTEGER, True))
    if "currency" in known and known["currency"].is_key and "currency" not in group_by and any(
            column.type is Type.MONEY for column in columns if not column.is_key):
        keys.append(known["currency"])
    return (*keys, *(column for column in columns if not column.is_key and column.name not in group_by))


def cell(column: Column, value: Any) -> Any:
    """A cell of an answer as what Python calculates with; None stays None."""
    if value is None:
        return None
    try:
        if column.type in (Type.MONEY, Type.DECIMAL):
            return Decimal(value)
        if column.type is Type.INTEGER:
            return int(value)
        if column.type is Type.DATE_BUCKET:
            return date.fromisoformat(value if len(value) == len("2010-12-01") else f"{value}-01")
        if column.type in (Type.TIME, Type.INSTANT_BUCKET):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise BadAnswer(f"column {column.name!r} of type {column.type.name.lower()} has the value {value!r}") from error
    return value
