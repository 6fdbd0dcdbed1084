"""What is asked for: requests of PROTOCOL.md (6.1) from the options of a command line, which are spelt as those of `till scan`."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..command import UsageError

ROWS_OF_ONE_ANSWER = 100_000  # what `scan` gives at most (PROTOCOL.md, 8)
_ROW_QUERIES = ("get", "top", "scan", "bands")
# The longest first: "<=" begins with "<". The sign that comes first in the text parts it: a value may hold any.
_SIGN = re.compile(r"!=|<=|>=|=|<|>| in | prefix ")


@dataclass(frozen=True)
class Question:
    """A request for rows, without cursor; `name` is what its file is called after. `limit` bounds a scan as a whole, over its pages."""

    name: str
    request: Mapping[str, Any]
    limit: int | None = None

    @property
    def is_scan(self) -> bool:
        return bool(self.request["query"] == "scan")


def view_of(request: Mapping[str, Any]) -> str:
    """The view that a request is about; a table is the view `table.NAME`."""
    return str(request["view"]) if "view" in request else f"table.{request['table']}"


def _condition(text: str) -> dict[str, Any]:
    found = _SIGN.search(text)
    if found is None or not text[:found.start()].strip():
        raise UsageError(f"--where wants a condition such as total_revenue>=100.00, not {text!r}")
    op, value = found[0].strip(), text[found.end():].strip()
    return {"field": text[:found.start()].strip(), "op": op, "value": _items(value) if op == "in" else value}


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",")]


def _order(text: str) -> list[dict[str, str]]:
    parts = [item.partition(":") for item in _items(text)]
    return [{"by": column, "order": order} if colon else {"by": column} for column, colon, order in parts]


def _comparison(text: str) -> dict[str, Any]:
    begin, dots, end = text.partition("..")
    return {"to": {"from": begin, "to": end}} if dots else {"shift": text}


def add_filter_options(to: argparse._ArgumentGroup) -> None:
    """Those of `till scan`, with its words; only the end of a period is `--until` here, for `--to` says where the file goes."""
    to.add_argument("--where", metavar="CONDITION", action="append", default=[],
                    help='COLUMN=VALUE, != < <= > >=, "COLUMN in A,B", "COLUMN prefix TEXT"; repeatable')
    to.add_argument("--group-by", metavar="COLUMNS",
                    help="merge rows: some of the view's columns, of a joined table's, or day, week, month … of its time")
    to.add_argument("--join", metavar="TABLE", help="columns of a table beside the view's")
    to.add_argument("--with-missing", action="store_true", help="with --join: zeros for what the table has and the view has not")
    to.add_argument("--from", metavar="TIME", dest="begin", help="rows from then on")
    to.add_argument("--until", metavar="TIME", help="rows before then (the --to of till scan)")
    to.add_argument("--last", metavar="SPAN", help="the last 30min, 24h, 7d, 2w, 1mo, 1y, up to the newest event")
    to.add_argument("--compare", metavar="SPAN|FROM..TO", help="beside each row what it was so much earlier, or in that period")
    to.add_argument("--order-by", metavar="COLUMNS",
                    help="the first rows by these, such as total_revenue:desc,edge; default: all rows, by key")
    to.add_argument("-n", "--limit", metavar="N", type=int, help="so many rows at most; default: all")


def filters(options: argparse.Namespace) -> dict[str, Any]:
    """The keys that they bring into a request."""
    if options.with_missing and options.join is None:
        raise UsageError("--with-missing wants --join TABLE: the table whose rows may be missing")
    if options.last and (options.begin or options.until):
        raise UsageError("--last and --from or --until don't go together")
    if options.limit is not None and options.limit < 1:
        raise UsageError(f"--limit wants a number of rows above 0, not {options.limit}")
    bounds = {"from": options.begin, "to": options.until, "last": options.last}
    keys = {"where": [_condition(text) for text in options.where], "join": options.join, "with_missing": options.with_missing,
            "group_by": None if options.group_by is None else _items(options.group_by) if options.group_by else [],
            "range": {key: value for key, value in bounds.items() if value},
            "compare": _comparison(options.compare) if options.compare else None,
            "order_by": _order(options.order_by) if options.order_by else None}
    return {key: value for key, value in keys.items() if value or (key == "group_by" and value is not None)}


def of_view(view: str, keys: Mapping[str, Any] | None = None, limit: int | None = None) -> Question:
    """All rows of a view, or of a table (`table.NAME`)."""
    return Question(view.removeprefix("table."), {"query": "scan", "view": view, **(keys or {})}, limit)


def of_request(request: Mapping[str, Any]) -> Question:
    """A request as PROTOCOL.md writes it. A scan is asked page by page, so its own limit bounds the whole."""
    if request.get("query") not in _ROW_QUERIES:
        raise UsageError(f"a query wants one of {', '.join(_ROW_QUERIES)}, not {request.get('query')!r}")
    if request.get("staged"):
        raise UsageError("of staged views no answer tells the types; export them when they are accepted")
    if ("view" in request) == ("table" in request):
        raise UsageError("a query wants a view or a table, and not both")
    if request.get("explain"):
        raise UsageError("explain answers no rows: till query asks it")
    name = view_of(request).removeprefix("table.")
    if request["query"] != "scan":
        return Question(name, dict(request))
    if "cursor" in request:
        raise UsageError("a scan is exported from its beginning: leave cursor out")
    return Question(name, {key: value for key, value in request.items() if key != "limit"}, request.get("limit"))


def _read(text: str) -> dict[str, Any]:
    try:
        request = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--query is no JSON: {error}") from error
    if not isinstance(request, dict):
        raise UsageError('--query wants a map such as {"query":"top","view":"products","by":"total_revenue"}')
    return request


def of_options(options: argparse.Namespace) -> list[Question]:
    """One for each --view, --table and --query, in this order."""
    keys = filters(options)
    if options.query and (keys or options.limit):
        raise UsageError("--query says all by itself: --where, --limit and their like are for --view and --table")
    asked = [of_view(view, keys, options.limit) for view in options.view]
    asked += [of_view(f"table.{table}", keys, options.limit) for table in options.table]
    asked += [of_request(_read(text)) for text in options.query]
    if not asked:
        raise UsageError("what is to be exported? --view VIEW, --table TABLE or --query JSON is missing")
    return _distinct(asked)


def _distinct(asked: Sequence[Question]) -> list[Question]:
    names = [question.name for question in asked]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UsageError(f"{', '.join(sorted(twice))} would be written twice: one file has one name; export them by themselves")
    return list(asked)
