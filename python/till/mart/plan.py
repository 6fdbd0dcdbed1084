"""What a mart is: which view or table it shows, under which columns. Pure: what the command line wished, held against what there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..columns import Column, cell
from ..errors import TillError

CURRENCY = "currency"
USERS = "users"
# Marts that are known by the name of their table: (column, what of the view it may be, the first that is there).
SHIPPED: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "UserOrders": (("user_id", ("user_id",)), ("total_orders", ("total_orders", "basket_count")),
                   ("total_amount", ("total_amount", "total_revenue")), ("last_order_date", ("last_order_date", "last_order"))),
    "ProductSales": (("product_id", ("product_id",)), ("total_sold", ("total_sold", "total_quantity")),
                     ("total_revenue", ("total_revenue",))),
}


class PlanError(TillError):
    """What was wished can't be had of this view; says why, and what can."""


@dataclass(frozen=True)
class Target:
    """A table of the user's, perhaps in a schema of his."""

    name: str
    schema: str | None = None

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Wish:
    """What the command line says of one mart."""

    view: str  # or table.NAME
    target: Target
    columns: tuple[tuple[str, str], ...] | None = None  # (mart's, view's)
    currency: str | None = None
    with_currency: bool = False
    join: str | None = None

    @property
    def is_of_table(self) -> bool:
        return self.view.startswith("table.")


@dataclass(frozen=True)
class MartColumn:
    name: str
    source: Column

    @property
    def is_key(self) -> bool:
        return self.source.is_key


@dataclass(frozen=True)
class Mart:
    """A wish that can be had."""

    target: Target
    view: str
    columns: tuple[MartColumn, ...]  # keys first
    question: Mapping[str, Any] = field(default_factory=dict)  # beside `query` and `view`
    view_keys: tuple[str, ...] = ()  # all of the view's, also one that is left out
    drops_currency: bool = False

    @property
    def keys(self) -> tuple[MartColumn, ...]:
        return tuple(each for each in self.columns if each.is_key)

    @property
    def declaration(self) -> str:
        """What the table shows, in words that are equal when it is the same."""
        question = "".join(f" {name}={value}" for name, value in sorted(self.question.items()))
        return f"{self.view}: {', '.join(f'{each.name}={each.source.name}' for each in self.columns)}{question}"


Row = tuple[Any, ...]


def _named(columns: Sequence[Column], wanted: Sequence[tuple[str, str]], view: str) -> list[MartColumn]:
    known = {column.name: column for column in columns}
    missing = sorted({source for _, source in wanted if source not in known})
    if missing:
        raise PlanError(f"view {view} has no column {', '.join(missing)}; it has {', '.join(known)}")
    names = [name for name, _ in wanted]
    if len(set(names)) < len(names):
        raise PlanError(f"--columns names a column twice: {', '.join(names)}")
    return [MartColumn(name, known[source]) for name, source in wanted]


def _shipped(wish: Wish, columns: Sequence[Column]) -> list[tuple[str, str]] | None:
    """The columns of a mart that is known by its name; None of others."""
    known, wanted = {column.name for column in columns}, []
    for name, sources in SHIPPED.get(wish.target.name, ()):
        found = [source for source in sources if source in known]
        if not found:
            raise PlanError(f"{wish.target} needs a column {' or '.join(sources)} for its {name}, and view {wish.view} has "
                            f"{', '.join(sorted(known))}; say which with --columns {name}=…")
        wanted.append((name, found[0]))
    return wanted or None


def _joined(wish: Wish, columns: Sequence[Column], tables: Mapping[str, Sequence[Column]]) -> str | None:
    """The table whose rows are all there, with zeros where nothing was counted."""
    keys = {column.name for column in columns if column.is_key}
    if wish.join is not None:
        if wish.join not in tables:
            raise PlanError(f"no table {wish.join} is declared; there are {', '.join(sorted(tables)) or 'none'}")
        if not {column.name for column in tables[wish.join] if column.is_key} <= keys:
            raise PlanError(f"view {wish.view} has not the key of table {wish.join}, so it can't be joined")
        return wish.join
    declared = [column.name for column in tables.get(USERS, ()) if column.is_key]
    return USERS if wish.target.name == "UserOrders" and declared == ["user_id"] else None


def resolve(wish: Wish, columns: Sequence[Column], tables: Mapping[str, Sequence[Column]]) -> Mart:
    """`columns` are the view's, `tables` those declared. Raises PlanError."""
    shipped = None if wish.columns is not None else _shipped(wish, columns)
    wanted = list(wish.columns or shipped or [(column.name, column.name) for column in columns])
    named = {source for _, source in wanted}
    has_currency = any(column.name == CURRENCY and column.is_key for column in columns)
    keeps_currency = has_currency and (wish.with_currency or CURRENCY in named)
    for column in columns:  # a key names a row, so it is there; the currency is if it is wished
        if column.is_key and column.name not in named and (column.name != CURRENCY or keeps_currency):
            wanted.append((column.name, column.name))
    chosen = _named(columns, wanted, wish.view)
    join = _joined(wish, columns, tables)
    if join is not None and keeps_currency and wish.currency is None:
        raise PlanError(f"rows of {join} without sales have no currency, so {wish.target} can't have both: say --currency, "
                        "or leave one out")
    question: dict[str, Any] = {} if join is None else {"join": join, "with_missing": True}
    if wish.currency is not None and has_currency:
        question["where"] = [{"field": CURRENCY, "op": "=", "value": wish.currency}]
    ordered = tuple(sorted(chosen, key=lambda column: not column.is_key))
    view_keys = tuple(column.name for column in columns if column.is_key)
    return Mart(wish.target, wish.view, ordered, question, view_keys, has_currency and not keeps_currency)


def _one_currency(mart: Mart, rows: Sequence[Mapping[str, Any]]) -> None:
    found = sorted({row[CURRENCY] for row in rows if row.get(CURRENCY) is not None})
    if len(found) > 1:
        raise PlanError(f"view {mart.view} has amounts in {', '.join(found)}, and {mart.target} has no column for the currency: choose "
                        f"one with --currency {found[0]}, or have a row for each with --with-currency")


def rows_of(mart: Mart, rows: Sequence[Mapping[str, Any]]) -> dict[Row, Row]:
    """{key: the whole row}, of an answer's rows."""
    if mart.drops_currency:
        _one_currency(mart, rows)
    key_size = len(mart.keys)
    made = (tuple(cell(column.source, row.get(column.source.name)) for column in mart.columns) for row in rows)
    return {row[:key_size]: row for row in made}
