"""Rows as tables of pyarrow, pandas and polars; each is imported when it is asked for.

| Type | Arrow | |
|---|---|---|
| MONEY, DECIMAL | decimal128(38, 6) | exact; never a float |
| INTEGER | int64 | |
| TIME, INSTANT_BUCKET | timestamp("ms", "UTC") | the instant; the offset of a view's zone is not kept: rows have it, and `weekday` and `hour_of_day` group by the zone's clock |
| DATE_BUCKET | date32 | the first day of the day, week or month, in the view's zone |
| TEXT | string | |

What a comparison adds lies flat: `previous_NAME`, `difference_NAME`."""  # noqa: E501

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .columns import MONEY_DIGITS, MONEY_PLACES, Column, Type
from .errors import NotInstalled, TillError

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]
    import polars
    import pyarrow  # type: ignore[import-untyped]


class NotInArrow(TillError):
    """A value has no place in the Arrow type of its column, such as an integer past 64 bits."""


def _module(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NotInstalled(name, extra) from error


def arrow_type(of: Type) -> pyarrow.DataType:
    """The Arrow type of a column's type."""
    arrow = _module("pyarrow", "arrow")
    if of in (Type.MONEY, Type.DECIMAL):
        return arrow.decimal128(MONEY_DIGITS, MONEY_PLACES)
    if of is Type.INTEGER:
        return arrow.int64()
    if of in (Type.TIME, Type.INSTANT_BUCKET):
        return arrow.timestamp("ms", "UTC")
    return arrow.date32() if of is Type.DATE_BUCKET else arrow.string()


def arrow_schema(columns: Sequence[Column]) -> pyarrow.Schema:
    """The schema of rows with these columns. All may be null: a joined row may lack its table, an average its events."""
    arrow = _module("pyarrow", "arrow")
    return arrow.schema([arrow.field(column.name, arrow_type(column.type)) for column in columns])


def _array(column: Column, rows: Sequence[Mapping[str, Any]]) -> Any:
    arrow = _module("pyarrow", "arrow")
    try:
        return arrow.array([column.of(row) for row in rows], arrow_type(column.type))
    except (arrow.ArrowException, OverflowError) as error:
        raise NotInArrow(f"column {column.name!r}: {error}; its Arrow type is {arrow_type(column.type)}") from error


def to_arrow(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> pyarrow.Table:
    """Rows as a table; of no rows one with all columns. Needs pyarrow (`till[arrow]`)."""
    arrow = _module("pyarrow", "arrow")
    return arrow.Table.from_arrays([_array(column, rows) for column in columns], schema=arrow_schema(columns))


def to_pandas(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    """Rows as a DataFrame of Arrow-backed columns (`pandas.ArrowDtype`): sums of money stay exact decimals. Needs pandas and pyarrow
    (`till[pandas]`)."""
    frames = _module("pandas", "pandas")
    return to_arrow(columns, rows).to_pandas(types_mapper=frames.ArrowDtype)


def to_polars(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> polars.DataFrame:
    """Rows as a DataFrame of polars; money is `Decimal(38, 6)`. Needs polars and pyarrow (`till[polars]`)."""
    frames = _module("polars", "polars")
    made: polars.DataFrame = frames.from_arrow(to_arrow(columns, rows))
    return made
