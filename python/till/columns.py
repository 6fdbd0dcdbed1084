"""The columns of a view or table, their types, and a cell's way from an answer into Python. The one definition: of the client,
of files, of databases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    DECIMAL = "decimal"  # averages, ratios and shares: Decimal, at most six places
    TIME = "time"  # an instant: datetime in UTC
    INSTANT_BUCKET = "minute, hour"  # the start of a minute or hour: datetime with the view's offset
    DATE_BUCKET = "day, week, month"  # the first day: date


@dataclass(frozen=True)
class Column:
    """`inside` names the map of a row that the cell lies in, as `measure` of it: `previous` and `difference` of a comparison. The name
    is `previous_NAME` then, so that names of a flat table are never two of a kind."""

    name: str
    type: Type
    is_key: bool
    inside: str | None = None
    measure: str | None = None

    def of(self, row: Mapping[str, Any]) -> Any:
        """The cell of a row, None where the row lacks it: rows whose key a joined table does not have lack its columns."""
        if self.inside is None:
            return row.get(self.name)
        return (row.get(self.inside) or {}).get(self.measure)


_BUCKETS = {"minute": Type.INSTANT_BUCKET, "hour": Type.INSTANT_BUCKET, "day": Type.DATE_BUCKET, "week": Type.DATE_BUCKET,
            "month": Type.DATE_BUCKET}
_INTEGER_BUCKETS = ("weekday", "hour_of_day")
_SUBTRACTED = (Type.INTEGER, Type.MONEY, Type.DECIMAL)
SHARES = ("share", "cumulative_share")


def _type_of(name: str, said: str) -> Type:
    try:
        return Type(said)
    except ValueError as error:
        raise BadAnswer(f"column {name!r} is of type {said!r}, which this version does not know") from error


def _group_type(name: str, said: str) -> Type:
    said_type = _type_of(name, said)
    return _BUCKETS.get(name, said_type) if said_type is Type.TIME else said_type


def columns_of_view(view: Mapping[str, Any]) -> tuple[Column, ...]:
    """`view` is an element of the answer to `views`."""
    keys = zip(view["group_by"], view["group_types"], strict=True)
    measures = zip(view["measures"], view["measure_types"], strict=True)
    return (*(Column(name, _group_type(name, said), True) for name, said in keys),
            *(Column(name, _type_of(name, said), False) for name, said in measures))


def columns_of_table(table: Mapping[str, Any]) -> tuple[Column, ...]:
    """`table` is an element of the answer to `tables`. Keys of tables are text."""
    return (*(Column(name, Type.TEXT, True) for name in table["key"]),
            *(Column(name, _type_of(name, said), False) for name, said in zip(table["columns"], table["column_types"], strict=True)))


def columns_by_name(views: Iterable[Mapping[str, Any]], tables: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Column, ...]]:
    """Of all that the answers to `views` and `tables` list; a table is called `table.NAME`, as questions call it."""
    return {**{each["name"]: columns_of_view(each) for each in views},
            **{f"table.{each['name']}": columns_of_table(each) for each in tables}}


def _key(known: Mapping[str, Column], name: str) -> Iterator[Column]:
    if name in known:
        yield Column(name, known[name].type, True)
    elif name in _BUCKETS:
        yield Column(name, _BUCKETS[name], True)
    elif name in _INTEGER_BUCKETS:
        yield Column(name, Type.INTEGER, True)


def rolled_up(columns: Sequence[Column], group_by: Sequence[str], table: Sequence[Column] = ()) -> tuple[Column, ...]:
    """The columns of rows that are merged by these: some of the view's own, of a joined table's, or coarser buckets of its time. A row
    has the other columns of the table only where it still has the table's key (PROTOCOL.md, 6.9)."""
    joined = tuple(column for column in table if not column.is_key)
    known = {column.name: column for column in (*columns, *joined)}
    measures = tuple(column for column in columns if not column.is_key)
    keys = [key for name in group_by for key in _key(known, name)]
    has_currency = "currency" in known and known["currency"].is_key
    if has_currency and "currency" not in group_by and any(column.type is Type.MONEY for column in measures):
        keys.append(known["currency"])
    names = {key.name for key in keys}
    if not all(column.name in names for column in table if column.is_key):
        joined = ()
    return (*keys, *measures, *(column for column in joined if column.name not in names))


def compared(columns: Sequence[Column], joined: Sequence[Column] = ()) -> tuple[Column, ...]:
    """And what a comparison adds: each measure as it was, and by how much it differs, where it can be subtracted."""
    others = {column.name for column in joined}
    measures = [column for column in columns if not column.is_key and column.name not in others]
    return (*columns, *(Column(f"previous_{each.name}", each.type, False, "previous", each.name) for each in measures),
            *(Column(f"difference_{each.name}", each.type, False, "difference", each.name) for each in measures
              if each.type in _SUBTRACTED))


def with_shares(columns: Sequence[Column]) -> tuple[Column, ...]:
    """And the two of `cumulative`."""
    return (*columns, *(Column(name, Type.DECIMAL, False) for name in SHARES))


def of_bands(by: Column, has_currency: bool) -> tuple[Column, ...]:
    """The columns of `bands`; `by` is the measure."""
    edge = Type.MONEY if by.type is Type.MONEY else Type.INTEGER
    currency = (Column("currency", Type.TEXT, True),) if has_currency and by.type is Type.MONEY else ()
    return (*currency, Column("from", edge, True), Column("to", edge, True), Column("rows", Type.INTEGER, False),
            Column("row_share", Type.DECIMAL, False), Column("sum", edge, False), Column("share", Type.DECIMAL, False))


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


def typed(columns: Sequence[Column], row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of an answer with its cells converted, those of a comparison's maps, too. What no column is known of stays as it came:
    clients carry what they don't know."""
    known = {column.name: column for column in columns if column.inside is None}
    made = {name: cell(known[name], value) if name in known else value for name, value in row.items()}
    for inside in ("previous", "difference"):
        told = row.get(inside)
        if isinstance(told, Mapping) and inside not in known:
            made[inside] = {name: cell(known[name], value) if name in known else value for name, value in told.items()}
    return made
