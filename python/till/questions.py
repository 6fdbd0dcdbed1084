"""What may be asked, as maps of the protocol (PROTOCOL.md, 6.1 and 6.6). Pure: the keyword arguments of both clients become requests."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypedDict

from . import wire
from .columns import Column

Value = str | int | Decimal | date | datetime | None
Condition = tuple[str, str, Any] | Mapping[str, Any]
Period = str | tuple[Value, Value] | Mapping[str, Any]
Order = str | tuple[str, str] | Mapping[str, Any]

SCAN_PAGE_ROWS = 10_000
ROWS_MAX = 100_000  # of one answer


class Freshness(TypedDict, total=False):
    """How fresh an answer has to be."""

    max_lag: int  # at most so many records that Kafka holds and that are not counted yet
    after: Sequence[Any]  # events that must be counted: certificates {edge, run, kind, seq}, or what Producer.send returned
    timeout_ms: int  # wait so long for max_lag and after; default 1,000; then Refused with code "timeout"


class Refined(Freshness, total=False):
    """Fewer and coarser rows (PROTOCOL.md, 6.6 and 6.9)."""

    where: Sequence[Condition] | Condition  # all must hold: ("currency", "=", "GBP"), ("product_id", "in", [...])
    group_by: Sequence[str]  # roll up by these: group fields, coarser buckets (hour, day, week, month, weekday …), joined columns
    range: Period  # of the view's time: "7d", (date(2010, 12, 1), date(2010, 12, 8)), either None
    join: str  # a table whose columns are added
    with_missing: bool  # rows of zeros for what the table has and the view lacks
    staged: bool  # of the views that are staged (6.8)


class GetOptions(Refined, total=False):
    """Of `get`."""

    compare: Period  # "7d": with so much earlier; (from, to): with another period; adds `previous` and `difference`


class TopOptions(Refined, total=False):
    """Of `top`."""

    compare: Period
    order: str  # "desc" (default) or "asc"
    cumulative: bool  # adds `share` and `cumulative_share`
    until_share: Value  # ends with the row that reaches it, such as Decimal("0.8"); up to 10,000 rows


class ScanOptions(Refined, total=False):
    """Of `scan` and `scan_pages`."""

    compare: Period
    from_: Sequence[Value] | Value  # the first key, or the beginning of one; inclusive
    to: Sequence[Value] | Value  # where to stop; exclusive
    limit: int  # at most so many rows in all
    page_rows: int  # rows a question; default 10,000
    order_by: Sequence[Order] | Order  # "total_revenue", ("total_revenue", "desc"); at most 100,000 rows, `cut` says if there are more


class BandsOptions(Refined, total=False):
    """Of `bands`; one of the two."""

    edges: Sequence[Value]  # ascending
    count: int  # of equal width


_CONVERTED = {"from_": "from"}
_OF_PAGES = ("limit", "page_rows")


def check_names(options: Collection[str], allowed: type) -> None:
    """Raises TypeError as Python does of an unknown argument, naming what was meant."""
    names = allowed.__annotations__  # with those of what it extends
    for name in options:
        if name not in names and f"{name}_" not in names:
            near = difflib.get_close_matches(name, names, 1)
            raise TypeError(f"unexpected argument {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def certificates(given: Sequence[Any]) -> list[dict[str, Any]]:
    """Of `after`: certificates, and acks as the certificates of what they acknowledge."""
    made: list[dict[str, Any]] = []
    for each in [given] if isinstance(given, Mapping) or hasattr(given, "certificates") else given:
        made += each.certificates() if hasattr(each, "certificates") else [dict(each)]
    return made


def _converted(columns: Sequence[Column], name: str, given: Any) -> Any:
    if name == "where":
        return wire.conditions(columns, given)
    if name == "range":
        return wire.period(given)
    if name == "compare":
        return wire.comparison(given)
    if name == "order_by":
        return wire.order(given)
    if name in ("from_", "from", "to"):
        return wire.values(given)
    if name == "edges":
        return [wire.value(each) for each in given]
    if name == "until_share":
        return wire.value(given)
    if name == "after":
        return certificates(given)
    return list(given) if name == "group_by" else given


def refined(query: str, view: str, columns: Sequence[Column], options: Mapping[str, Any]) -> dict[str, Any]:
    """A request of `get`, `top`, `scan` or `bands`; options that are None are left out."""
    made: dict[str, Any] = {"query": query, "view": view}
    for name, given in options.items():
        if given is not None and name not in _OF_PAGES:
            made[_CONVERTED.get(name, name)] = _converted(columns, name, given)
    return made


def page_limit(options: Mapping[str, Any], left: int | None) -> int:
    """Rows to ask for next, when so many are left to be had."""
    wanted = ROWS_MAX if "order_by" in options else options.get("page_rows") or SCAN_PAGE_ROWS
    return wanted if left is None else min(wanted, left)


def filtered(query: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """A request whose keys are the options that are given."""
    return {"query": query} | {name: given for name, given in options.items() if given is not None}


def waits_s(request: Mapping[str, Any]) -> float:
    """How long the aggregator may wait before it answers."""
    if "max_lag" not in request and "after" not in request:
        return 0.0
    return float(request.get("timeout_ms", 1000)) / 1000
