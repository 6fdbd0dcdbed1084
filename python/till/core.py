"""What both clients do, without input and output: each method is a generator that yields what it wants done (`Ask`, `Pause`) and is sent
what came of it. client.py does it by waiting, aio.py by awaiting."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from . import questions, wire
from .answers import Rows, columns_of, rows_of
from .columns import Column, columns_by_name
from .errors import BadAnswer, Refused

# Questions that change nothing may be asked twice, so when a connection is lost they are asked again.
CHANGING = ("forget", "accept_staged", "drop_staged")


@dataclass(frozen=True)
class Ask:
    """Wants the answer to a request. Refused, NotReached and the like are thrown into the generator."""

    request: Mapping[str, Any]

    @property
    def may_repeat(self) -> bool:
        return self.request.get("query") not in CHANGING


@dataclass(frozen=True)
class Pause:
    """Wants to be woken after so long. The answer is whether there is time for it: what a question may take, its pauses included, is
    bounded."""

    seconds: float


Result = TypeVar("Result")
Steps = Generator[Ask | Pause, Any, Result]
Answer = dict[str, Any]


class Core:
    """Knows the columns of views and tables, and how to ask for rows."""

    def __init__(self) -> None:
        self._columns: dict[str, tuple[Column, ...]] = {}
        self._store: str | None = None

    def ask(self, request: Mapping[str, Any]) -> Steps[Answer]:
        """An answer. One that is `busy` is waited for as long as it says, within the time that a question has."""
        while True:
            try:
                answer: Answer = yield Ask(request)
            except Refused as refusal:
                if refusal.code != "busy" or refusal.retry_after_ms is None or not (yield Pause(refusal.retry_after_ms / 1000)):
                    raise
            else:
                return answer

    def part(self, request: Mapping[str, Any], name: str) -> Steps[Any]:
        """One element of an answer."""
        answer = yield from self.ask(request)
        if name not in answer:
            raise BadAnswer(f"the answer to {request['query']!r} has no {name!r}")
        return answer[name]

    def _learn(self) -> Steps[None]:
        views = yield from self.ask({"query": "views"})
        tables = yield from self.ask({"query": "tables"})
        try:
            self._columns = columns_by_name(views["views"], tables["tables"])
            self._store = views["as_of"]["store"]
        except (KeyError, TypeError, ValueError) as error:
            raise BadAnswer("the answer to 'views' or 'tables' does not describe them") from error

    def columns(self, view: str, is_staged: bool = False) -> Steps[tuple[Column, ...]]:
        """Of a view, or of a table (`table.NAME`)."""
        if view not in self._columns:
            yield from self._learn()
        if view not in self._columns and not is_staged:
            raise Refused("unknown_view", f"no view {view!r}; there are {', '.join(sorted(self._columns))}")
        return self._columns.get(view, ())

    def renewed(self, view: str, store: str) -> Steps[tuple[Column, ...]]:
        """The columns, asked for again where they were of another store."""
        if self._store != store:
            self._columns = {}
        return (yield from self.columns(view))

    def rows(self, request: Mapping[str, Any]) -> Steps[tuple[Rows, Answer]]:
        """Rows, typed."""
        answer = yield from self.ask(request)
        is_staged = bool(request.get("staged"))
        if not is_staged and answer.get("as_of", {}).get("store") != self._store:
            self._columns = {}  # another store may have other views
        view = yield from self.columns(request["view"], is_staged)
        table = (yield from self.columns(f"table.{request['join']}")) if "join" in request else ()
        return rows_of(columns_of(request, view, table) if view else (), request, answer), answer

    def _request(self, query: str, view: str, options: Mapping[str, Any], allowed: type) -> Steps[dict[str, Any]]:
        questions.check_names(options, allowed)
        columns = yield from self.columns(view, bool(options.get("staged")))
        if options.get("join"):
            columns = (*columns, *(yield from self.columns(f"table.{options['join']}")))
        return questions.refined(query, view, columns, options)

    def get(self, view: str, key: Any, options: Mapping[str, Any]) -> Steps[Rows]:
        request = yield from self._request("get", view, options, questions.GetOptions)
        return (yield from self.rows({**request, "key": wire.values(key)}))[0]

    def get_many(self, view: str, keys: Sequence[Any], options: Mapping[str, Any]) -> Steps[Rows]:
        request = yield from self._request("get", view, options, questions.GetOptions)
        return (yield from self.rows({**request, "keys": [wire.values(key) for key in keys]}))[0]

    def top(self, view: str, by: str, limit: int | None, options: Mapping[str, Any]) -> Steps[Rows]:
        request = yield from self._request("top", view, options, questions.TopOptions)
        if limit is None:  # until_share alone tells where to end
            limit = 10_000 if "until_share" in request else 10
        return (yield from self.rows({**request, "by": by, "limit": limit}))[0]

    def bands(self, view: str, by: str, options: Mapping[str, Any]) -> Steps[Rows]:
        request = yield from self._request("bands", view, options, questions.BandsOptions)
        return (yield from self.rows({**request, "by": by}))[0]

    def pages(self, view: str, options: Mapping[str, Any]) -> Pages:
        questions.check_names(options, questions.ScanOptions)
        return Pages(self, view, options)

    def scan(self, view: str, options: Mapping[str, Any]) -> Steps[Rows]:
        pages = self.pages(view, options)
        found: list[Mapping[str, Any]] = []
        while True:
            page: Rows | None = yield from pages.next()
            if page is not None:
                last = page
                found += page.rows
            if page is None or pages.is_at_end:
                return Rows(last.columns, tuple(found), last.as_of, last.cut, last.live)


class Pages:
    """A scan, page by page."""

    def __init__(self, core: Core, view: str, options: Mapping[str, Any]) -> None:
        self._core, self._view, self._options = core, view, options
        self._request: dict[str, Any] | None = None
        self._cursor: str | None = None
        self._left: int | None = options.get("limit")
        self.is_at_end = False

    def next(self) -> Steps[Rows | None]:
        """None when there are no more. The first page is there even if it has no rows."""
        if self.is_at_end:
            return None
        if self._request is None:
            self._request = yield from self._core._request("scan", self._view, self._options, questions.ScanOptions)
        request = {**self._request, "limit": questions.page_limit(self._options, self._left)}
        if self._cursor is not None:
            request["cursor"] = self._cursor
            request.pop("after", None)  # what was waited for once is there
        page, answer = yield from self._core.rows(request)
        self._cursor = answer.get("next")
        if self._left is not None:
            self._left -= len(page)
        self.is_at_end = self._cursor is None or self._left == 0
        if self._left == 0 and self._cursor is not None:
            page = Rows(page.columns, page.rows, page.as_of, True, page.live)
        return page
