"""Rows of a view as they were at one moment, and the store and commit that the moment is after."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..client import Client
from ..columns import Column, columns_by_name
from ..keys import Keys
from ..moment import NoMoment, Pages, Patience, publish_endpoint, read_at_one_moment
from .books import Shown
from .plan import Mart, Row, rows_of

# One answer is one moment (PROTOCOL.md, 6.1 and 6.2).
ANSWER_ROWS_MAX = 100_000
PAGE_ROWS = 20_000


@dataclass(frozen=True)
class Declared:
    """What the aggregator has, by name."""

    store: str
    views: Mapping[str, tuple[Column, ...]]
    tables: Mapping[str, tuple[Column, ...]]


@dataclass(frozen=True)
class Cut:
    """The rows of one moment. They hold all that commit `commit` of `store` holds, and nothing that the next commit does not."""

    rows: Mapping[Row, Row]
    store: str
    commit: int
    event_ts: int | None
    gaps: tuple[str, ...] = ()


class Reader:
    def __init__(self, client: Client, keys: Keys | None = None, live: str | None = None, rows_max: int = ANSWER_ROWS_MAX) -> None:
        self.client, self._keys, self._live, self._rows_max = client, keys, live, rows_max

    def declared(self) -> Declared:
        views, tables = self.client.ask({"query": "views"}), self.client.ask({"query": "tables"})
        by_name = columns_by_name(views["views"], tables["tables"])
        return Declared(views["as_of"]["store"], by_name, {each["name"]: by_name[f"table.{each['name']}"] for each in tables["tables"]})

    def position(self) -> str | None:
        """Names what has been read so far: while it is the same, so are all rows. None where it can't be told, as with peers."""
        status = self.client.ask({"query": "status"})
        as_of = status["as_of"]
        if "partial" in as_of:
            return None
        places = sorted((each["topic"], each["partition"], each["next"]) for each in status["partitions"])
        return hashlib.sha256(json.dumps([as_of["store"], as_of["commit"], places]).encode()).hexdigest()[:32]

    def cut(self, mart: Mart) -> Cut:
        answer = self.client.ask({"query": "scan", "view": mart.view, "limit": self._rows_max, **mart.question})
        if not answer.get("next"):
            return cut_of(mart, answer["rows"], answer["as_of"])
        if mart.question:
            raise NoMoment(f"view {mart.view} has more rows than one answer holds ({ANSWER_ROWS_MAX} or 8 MiB), and then it "
                           "can neither be joined nor be of one currency of several")
        endpoint = self._live or publish_endpoint(self.client.endpoint, self.client.status().get("publish"))
        return cut_of(mart, *read_at_one_moment(lambda: self._pages(mart.view), mart.view, mart.view_keys, endpoint, self._keys,
                                                Patience(self.client.timeout, f"view {mart.view}")))

    def _pages(self, view: str) -> Pages:
        cursor = None
        while True:
            answer = self.client.ask({"query": "scan", "view": view, "limit": PAGE_ROWS, **({"cursor": cursor} if cursor else {})})
            yield answer["rows"], answer.get("live")
            cursor = answer.get("next")
            if not cursor:
                return


def cut_of(mart: Mart, rows: Sequence[Mapping[str, Any]], as_of: Mapping[str, Any]) -> Cut:
    if as_of.get("partial"):
        raise NoMoment("a peer of the aggregator did not answer, so rows or parts of rows are missing; what the mart shows is kept")
    return Cut(rows_of(mart, rows), as_of["store"], as_of["commit"], as_of["event_ts"], tuple(as_of.get("gaps", ())))


def shown_of(cut: Cut, mart: Mart, position: str | None) -> Shown:
    return Shown(cut.store, cut.commit, cut.event_ts, mart.declaration, position, ", ".join(cut.gaps) or None)
