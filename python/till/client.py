"""Questions to an aggregator, one at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import msgpack  # type: ignore[import-untyped]
import zmq

from .columns import Column, columns_of_table, columns_of_view, rolled_up, typed
from .errors import BadAnswer, NotReached, Refused
from .keys import Keys

DEFAULT_ENDPOINT = "tcp://127.0.0.1:7172"
DEFAULT_TIMEOUT_S = 10.0
PAGE_ROWS = 10_000


@dataclass(frozen=True)
class AsOf:
    """How fresh an answer is (PROTOCOL.md, 6.3)."""

    store: str
    commit: int
    event_ts: int | None
    lag: int | None
    gaps: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rows(Sequence[Mapping[str, Any]]):
    """Rows of an answer: maps of column to value, money as Decimal, buckets and times as date and datetime."""

    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Any], ...]
    as_of: AsOf

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.rows)


def _as_of(answer: Mapping[str, Any]) -> AsOf:
    said = answer["as_of"]
    return AsOf(said["store"], said["commit"], said["event_ts"], said["lag"], tuple(said.get("gaps", ())),
                tuple(said.get("partial", ())))


class Client:
    """A connection to one aggregator. Not for several threads at once: each wants its own."""

    def __init__(self, endpoint: str = DEFAULT_ENDPOINT, *, timeout: float = DEFAULT_TIMEOUT_S, keys: Keys | None = None) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        self._keys = keys
        self._socket: zmq.Socket[bytes] | None = None
        self._asked = 0
        self._columns: dict[str, tuple[Column, ...]] = {}
        self._columns_of_store: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close(0)
            self._socket = None

    def _connected(self) -> zmq.Socket[bytes]:
        if self._socket is None:
            self._socket = zmq.Context.instance().socket(zmq.DEALER)
            self._socket.set(zmq.LINGER, 0)
            if self._keys is not None:
                self._socket.set(zmq.CURVE_SECRETKEY, self._keys.secret)
                self._socket.set(zmq.CURVE_PUBLICKEY, self._keys.public)
                self._socket.set(zmq.CURVE_SERVERKEY, self._keys.server)
            self._socket.connect(self.endpoint)
        return self._socket

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request as PROTOCOL.md writes both. Raises Refused, NotReached, BadAnswer."""
        socket = self._connected()
        self._asked += 1
        tag = self._asked.to_bytes(8, "big")
        socket.send_multipart([tag, b"", msgpack.packb(dict(request))])
        end = time.monotonic() + self.timeout
        while socket.poll(max(0, int((end - time.monotonic()) * 1000))):
            frames = socket.recv_multipart()
            if frames[0] == tag:
                return self._checked(frames[-1])
        self.close()  # what comes late would answer nobody's question
        raise NotReached(self.endpoint, self.timeout)

    def _checked(self, body: bytes) -> dict[str, Any]:
        try:
            answer = msgpack.unpackb(body)
            if answer["ok"]:
                return dict(answer)
            error = answer["error"]
            refusal = Refused(error["code"], error["message"], error.get("retry_after_ms"))
        except (ValueError, KeyError, TypeError) as error:
            raise BadAnswer(f"{self.endpoint}: what came is no answer of an aggregator") from error
        raise refusal

    def views(self) -> list[dict[str, Any]]:
        """The views, as `{"query":"views"}` answers them."""
        return list(self.ask({"query": "views"})["views"])

    def tables(self) -> list[dict[str, Any]]:
        return list(self.ask({"query": "tables"})["tables"])

    def status(self) -> dict[str, Any]:
        return self.ask({"query": "status"})

    def columns(self, view: str) -> tuple[Column, ...]:
        """Of a view, or of a table (`table.NAME`); asked for once a store."""
        if view not in self._columns:
            views, tables = self.ask({"query": "views"}), self.ask({"query": "tables"})
            self._columns = {each["name"]: columns_of_view(each) for each in views["views"]}
            self._columns |= {f"table.{each['name']}": columns_of_table(each) for each in tables["tables"]}
            self._columns_of_store = views["as_of"]["store"]
        if view not in self._columns:
            raise Refused("unknown_view", f"no view {view!r}; there are {', '.join(sorted(self._columns))}")
        return self._columns[view]

    def _rows(self, request: Mapping[str, Any]) -> tuple[Rows, dict[str, Any]]:
        answer = self.ask(request)
        as_of = _as_of(answer)
        if as_of.store != self._columns_of_store:  # another store may have other views
            self._columns = {}
        columns = self.columns(request["view"])
        table = self.columns(f"table.{request['join']}") if "join" in request else ()
        if "group_by" in request:
            columns = rolled_up(columns, request["group_by"], table)
        else:
            columns = (*columns, *(each for each in table if not each.is_key))
        rows = tuple(typed(columns, row) for row in answer["rows"])
        return Rows(columns, rows, as_of), answer

    def get(self, view: str, key: Sequence[Any], **more: Any) -> Rows:
        """The rows of a key: several where it leaves the currency out, none where there is none."""
        return self._rows({"query": "get", "view": view, "key": list(key), **more})[0]

    def top(self, view: str, by: str, limit: int = 10, **more: Any) -> Rows:
        """The leading rows by a measure, largest first."""
        return self._rows({"query": "top", "view": view, "by": by, "limit": limit, **more})[0]

    def scan(self, view: str, **more: Any) -> Rows:
        """All rows, by as many questions as it takes; `as_of` is the last one's."""
        rows: list[Mapping[str, Any]] = []
        cursor = None
        while True:
            page, answer = self._rows({"query": "scan", "view": view, "limit": PAGE_ROWS, **more,
                                       **({"cursor": cursor} if cursor else {})})
            rows += page.rows
            cursor = answer.get("next")
            if not cursor:
                return Rows(page.columns, tuple(rows), page.as_of)
