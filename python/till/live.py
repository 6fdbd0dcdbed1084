"""A view and its changes, without input and output: joins a snapshot and the stream of PROTOCOL.md, 6.7, and sees its gaps.

`Replica` is the state; `Follower` says what is to be done next. Both clients drive it: client.py by waiting, aio.py by awaiting."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgpack  # type: ignore[import-untyped]

from .answers import AsOf, Rows, as_of
from .columns import Column, typed
from .core import Ask, Core, Pause
from .errors import BadAnswer, NoStream, NotReached, Refused

SILENCE_S = 3.0  # a message comes each second: who hears nothing for so long is cut off
QUEUE = 10_000  # messages that wait for us; what does not fit leaves a gap, and the view is read anew

Key = tuple[Any, ...]
Told = dict[Key, tuple[Mapping[str, Any] | None, int]]


@dataclass(frozen=True)
class Change:
    """What happened to a view. `rows` are whole, `gone` are keys (of the columns that are keys) of rows that are no more.

    - `snapshot`: `rows` are all there are; what was known before holds no more. It comes first, and again (`why`: `gap`, `reset`, `stream`)
      whenever messages were lost, the aggregator says that it can't tell the changes, or another process answers.
    - `changes`: `rows` replace those of their keys.
    - `cut_off`: nothing was heard for three seconds. It comes once; when the connection is back, what was missed comes as a change."""

    kind: Literal["snapshot", "changes", "cut_off"]
    rows: tuple[Mapping[str, Any], ...] = ()
    gone: tuple[Key, ...] = ()
    as_of: AsOf | None = None
    why: str | None = None


@dataclass(frozen=True)
class Subscribe:
    """Wants to hear a topic of an endpoint from now on; another one than before where it changed."""

    endpoint: str
    topic: bytes


@dataclass(frozen=True)
class Hear:
    """Wants the next message, or None after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Tell:
    """Has something for the reader."""

    change: Change


Want = Ask | Pause | Subscribe | Hear | Tell
Steps = Generator[Want, Any, Any]


def topic_of(view: str) -> bytes:
    """The NUL belongs to it: `products` begins `products2`."""
    return b"m/" + view.encode() + b"\0"


def decoded(frames_of_message: Sequence[bytes]) -> dict[str, Any]:
    """The payload of a message."""
    try:
        message = msgpack.unpackb(frames_of_message[-1])
        if message["type"] != "error":
            message["stream"], message["n"], message["as_of"]["store"]
        return dict(message)
    except (ValueError, KeyError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise BadAnswer("what was published is no message of an aggregator") from error


class Replica:
    """Rows by key, each with the number as of which it was read; messages that come while the view is read are kept: of each key the
    last word."""

    def __init__(self) -> None:
        self.rows: dict[Key, tuple[Mapping[str, Any], int]] = {}
        self.stream: str | None = None
        self.n = 0
        self.is_whole = False
        self.why: str | None = None  # it has to be read anew
        self.beginnings = 0  # how often it had to be read anew
        self._kept: Told = {}
        self._first_read: int | None = None  # the number that the first page bears

    def take(self, message: Mapping[str, Any], told: Mapping[Key, Mapping[str, Any] | None]) -> Told:
        """A message with its rows by key, None for one that is gone. Returns what it changed: nothing while it is kept for later, and
        what was read already."""
        kind, stream, n = message["type"], message["stream"], message["n"]
        is_next = stream == self.stream and n == self.n + (kind in ("rows", "reset"))
        if not is_next or kind == "reset":
            why = None if self.stream is None else "stream" if stream != self.stream else "reset" if is_next else "gap"
            self._begin(stream, why)
        self.n = n
        numbered = {key: (row, n) for key, row in told.items()}
        if self.is_whole:
            return self._apply(numbered)
        self._kept |= numbered
        return {}

    def _begin(self, stream: str, why: str | None) -> None:
        self.stream, self.is_whole, self.why, self._kept = stream, False, why or self.why, {}
        self.beginnings += 1

    def forget_stream(self) -> None:
        """Begins with the next message that comes."""
        self.stream, self.is_whole, self._kept = None, False, {}

    def begin_reading(self) -> None:
        self.rows, self._first_read = {}, None

    def page(self, rows: Mapping[Key, Mapping[str, Any]], live: Mapping[str, Any] | None, stream: str) -> bool:
        """A page of the view. False: it was not read beside the stream that we hear, so that it is to be read again."""
        if live is None or live["stream"] != stream or self.stream != stream:
            return False
        if self._first_read is None:
            self._first_read = live["n"]
        self.rows |= {key: (row, live["n"]) for key, row in rows.items()}
        return True

    def end_reading(self) -> None:
        """What the messages said that were kept goes over what was read, where it is newer."""
        self._apply(self._kept)
        self._kept, self.is_whole, self.why = {}, True, None

    def _apply(self, told: Told) -> Told:
        """A row that no page had is newer than the pages only if it was told after the first of them."""
        first = self._first_read or 0
        newer = {key: (row, n) for key, (row, n) in told.items() if n > (self.rows[key][1] if key in self.rows else first)}
        for key, (row, n) in newer.items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = (row, n)
        return newer


class Follower:
    """A subscription's logic: yields what it wants done, `Tell` being what it is there for."""

    def __init__(self, core: Core, view: str, publish: str | None, host_of: str) -> None:
        self.view = view
        self.columns: tuple[Column, ...] = ()
        self.as_of: AsOf | None = None
        self.is_cut_off = False
        self.replica = Replica()
        self._core, self._given, self._asked_at = core, publish, host_of
        self._names: tuple[str, ...] = ()
        self._publish: str | None = None

    def rows(self) -> Rows | None:
        """All rows as they are known now; None before the first snapshot and while the view is read anew."""
        if not self.replica.is_whole or self.as_of is None:
            return None
        return Rows(self.columns, tuple(row for row, _ in self.replica.rows.values()), self.as_of)

    def steps(self) -> Steps:
        """Never ends by itself."""
        yield from self._find()
        while True:
            message = yield from self._hear(SILENCE_S)
            if message is None:
                yield from self._cut_off()
                continue
            self.is_cut_off = False
            change = yield from self._take(message)
            if change is not None:
                yield Tell(change)
            elif self.replica.stream is not None and not self.replica.is_whole:
                yield from self._read()

    def _find(self) -> Generator[Want, Any, None]:
        """Where the changes are published, and what the columns are."""
        self.columns = yield from self._core.columns(self.view)
        self._names = tuple(column.name for column in self.columns if column.is_key)
        status: Mapping[str, Any] = {} if self._given else (yield from self._core.ask({"query": "status"}))
        publish = self._given or status.get("publish")
        if not publish:
            raise NoStream("this aggregator publishes no changes: it wants `publish` in its configuration, or subscribe(…, publish=…) the "
                           "endpoint")
        found = reachable(str(publish), self._asked_at)
        if found != self._publish:
            self._publish = found
            self.replica.forget_stream()
            yield Subscribe(found, topic_of(self.view))

    def _hear(self, seconds: float) -> Generator[Want, Any, dict[str, Any] | None]:
        message = yield Hear(seconds)
        return None if message is None else decoded(message)

    def _cut_off(self) -> Generator[Want, Any, None]:
        if not self.is_cut_off:
            self.is_cut_off = True
            yield Tell(Change("cut_off", as_of=self.as_of))
        try:
            yield from self._find()  # it may have come back at another address
        except (NotReached, Refused):
            return

    def _keyed(self, rows: Iterable[Mapping[str, Any]]) -> dict[Key, Mapping[str, Any]]:
        return {tuple(row.get(name) for name in self._names): row for row in rows}

    def _gone(self, keys: Sequence[Sequence[Any]]) -> list[Key]:
        return [tuple(typed(self.columns, dict(zip(self._names, key, strict=True))).values()) for key in keys]

    def _take(self, message: Mapping[str, Any]) -> Generator[Want, Any, Change | None]:
        if message["type"] == "error":
            raise Refused(message["error"]["code"], message["error"]["message"])
        said = as_of(message)
        if self.as_of is not None and said.store != self.as_of.store:  # its views may be others
            self.columns = yield from self._core.renewed(self.view, said.store)
            self._names = tuple(column.name for column in self.columns if column.is_key)
        self.as_of = said
        told: dict[Key, Mapping[str, Any] | None] = {**dict.fromkeys(self._gone(message.get("gone", ()))),
                                                     **self._keyed([typed(self.columns, row) for row in message.get("rows", ())])}
        changed = self.replica.take(message, told)
        if not changed:
            return None
        return Change("changes", tuple(row for row, _ in changed.values() if row is not None),
                      tuple(key for key, (row, _) in changed.items() if row is None), said)

    def _read(self) -> Generator[Want, Any, None]:
        """The view beside its stream. Where that fails, the next message (one comes each second) leads here again."""
        replica = self.replica
        stream, beginnings = replica.stream, replica.beginnings
        assert stream is not None
        replica.begin_reading()
        pages = self._core.pages(self.view, {})
        try:
            while (page := (yield from pages.next())) is not None:
                if not replica.page(self._keyed(page), page.live, stream):
                    return
                self.as_of = page.as_of
                while (message := (yield from self._hear(0))) is not None:  # what has come meanwhile, lest it is lost
                    yield from self._take(message)
                if replica.beginnings != beginnings:
                    return
        except (NotReached, Refused):
            return
        why = replica.why
        replica.end_reading()
        yield Tell(Change("snapshot", tuple(row for row, _ in replica.rows.values()), (), self.as_of, why))


def reachable(publish: str, asked_at: str) -> str:
    """An address as it can be connected to: where it is published on all interfaces, the host that answered our questions."""
    for anywhere in ("tcp://0.0.0.0:", "tcp://*:", "tcp://[::]:"):
        if publish.startswith(anywhere) and asked_at.startswith("tcp://"):
            return f"{asked_at.rpartition(':')[0]}:{publish.removeprefix(anywhere)}"
    return publish
