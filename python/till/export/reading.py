"""Rows as they come: page after page of one request, with the columns that they have and the moments that they are of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .. import answers
from ..client import PAGE_ROWS, Client
from ..columns import Column, columns_by_name
from ..errors import BadAnswer, Refused, TillError
from ..moment import go_on
from .questions import ROWS_OF_ONE_ANSWER, Question, view_of


class StoreChanged(TillError):
    """Another store took the place of the one that earlier pages are of (a rebuild): rows of both are no export."""


class Interrupted(TillError):
    """We were asked to stop before all was read."""

    def __init__(self) -> None:
        super().__init__("stopped before all was read; nothing was written")


@dataclass(frozen=True)
class Page:
    """Rows as an answer has them: money is text."""

    rows: list[Mapping[str, Any]]
    as_of: Mapping[str, Any]
    live: Mapping[str, Any] | None = None  # its place in the stream of changes, while somebody is subscribed


@dataclass
class Moments:
    """Which moments the pages so far are of."""

    rows: int = 0
    pages: int = 0
    first: Mapping[str, Any] | None = None
    last: Mapping[str, Any] | None = None
    is_consistent: bool = False

    def add(self, page: Page) -> None:
        if self.first is not None and self.first["store"] != page.as_of["store"]:
            raise StoreChanged(f"store {self.first['store']} became {page.as_of['store']} while it was read: it was rebuilt or restored")
        self.first = self.first or page.as_of
        self.last = page.as_of
        self.rows += len(page.rows)
        self.pages += 1


def columns_of(client: Client, request: Mapping[str, Any]) -> tuple[Column, ...]:
    """Those of the rows that answer a request. Asked for at each reading: a rebuilt store may have other views."""
    known = columns_by_name(client.views(), client.tables())
    view = view_of(request)
    if view not in known:
        raise Refused("unknown_view", f"no view {view!r}; there are {', '.join(sorted(known))}")
    return answers.columns_of({"by": None, **request}, known[view], known.get(f"table.{request.get('join')}", ()))


def pages(client: Client, question: Question, check: Callable[[], None] = go_on) -> Iterator[Page]:
    """The answers, one after another. `check` is called before each and raises when it is time to stop."""
    if not question.is_scan:
        answer = client.ask(question.request)
        _no_more(question, answer)
        yield Page(answer["rows"], answer["as_of"])
        return
    left, cursor = question.limit, None
    while left is None or left > 0:
        check()
        answer = client.ask({**question.request, "limit": _page_size(question, left), **({"cursor": cursor} if cursor else {})})
        _no_more(question, answer)
        yield Page(answer["rows"], answer["as_of"], answer.get("live"))
        cursor = answer.get("next")
        left = None if left is None else left - len(answer["rows"])
        if not cursor:
            return


def _page_size(question: Question, left: int | None) -> int:
    size = ROWS_OF_ONE_ANSWER if "order_by" in question.request else PAGE_ROWS  # an ordered answer has no second page
    return size if left is None else min(size, left)


def _no_more(question: Question, answer: Mapping[str, Any]) -> None:
    """An answer in the order of a column has no next page: what it leaves out is said, unless that was asked for."""
    is_bounded = question.limit is not None and len(answer["rows"]) >= question.limit
    if answer.get("cut") and question.is_scan and not is_bounded:
        raise Refused("too_large", f"{question.name}: more rows than the {len(answer['rows'])} that one answer can put in an order; leave "
                      "--order-by out, or say with --limit how many are wanted")


def cells(columns: tuple[Column, ...], row: Mapping[str, Any]) -> list[Any]:
    """The cells of a row in the order of the columns, as the answer has them; None where it lacks one."""
    known = {column.inside or column.name for column in columns}
    for name in row:
        if name not in known:
            raise BadAnswer(f"a row has the column {name!r}, which was not announced; is the aggregator newer than this program?")
    return [column.of(row) for column in columns]
