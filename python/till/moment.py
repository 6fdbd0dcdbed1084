"""All rows of a view as they were at one moment, though they come page by page while events come in.

PROTOCOL.md, 6.7: whoever subscribes to a view while reading it hears of every row that changed after its page, and one thread of the
aggregator makes pages and messages in one order. A message tells what has changed up to its own moment, unless it was full; an `idle`
says that nothing waits to be told. So the rows of the pages, with the messages up to such a one applied, are the view at the moment of
that message, and its `as_of` is theirs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import zmq

from .errors import Refused, TillError
from .keys import Keys
from .line import set_up
from .live import reachable

Row = Mapping[str, Any]
# A page's rows as its answer has them, and its `live`: where it stands in the stream of changes.
Pages = Iterable[tuple[list[Row], Mapping[str, Any] | None]]

# A message that reaches one of these may have left something for the next one.
_FULL_ROWS = 1_000
_FULL_BYTES = 256 * 1024
_ATTEMPTS = 3
_WAIT_S = 0.2


class NoMoment(TillError):
    """The rows of one moment can't be had."""


class Again(Exception):
    """Messages were lost, or the view changed in ways that they don't tell: read it anew."""


def go_on() -> None:
    """For who is never asked to stop."""


def publish_endpoint(asked: str, published: str | None) -> str:
    """Where to subscribe: an address that stands for all of a machine is reached where we asked."""
    if not published:
        raise NoMoment("the aggregator publishes no changes ([aggregator] publish is not set), and without them the rows of several "
                       "answers can't be brought to one moment")
    return reachable(published, asked)


def tells_all(message: Mapping[str, Any], size: int) -> bool:
    """Does nothing wait to be told behind it?"""
    if message["type"] == "rows":
        return len(message["rows"]) + len(message["gone"]) < _FULL_ROWS and size < _FULL_BYTES
    return bool(message["type"] == "idle")


@dataclass
class Follower:
    """The rows so far, and where in the stream of changes we are. No sockets, no clocks."""

    keys: tuple[str, ...]
    stream: str = ""
    n: int = -1
    kept: list[Mapping[str, Any]] = field(default_factory=list)
    rows: dict[tuple[Any, ...], tuple[Row, int]] = field(default_factory=dict)
    read_up_to: int = -1  # the number that the last page bears
    is_read: bool = False  # are all pages there?

    def hear(self, message: Mapping[str, Any], size: int, is_after: bool) -> Mapping[str, Any] | None:
        """The as_of of the moment when this message makes one. `is_after`: it was surely made after the last page."""
        if message["type"] == "error":
            raise Refused(message["error"]["code"], message["error"]["message"])
        if not self.stream:
            self.stream, self.n = message["stream"], message["n"]
            return None
        is_next = message["type"] in ("rows", "reset")
        if message["type"] == "reset" or (message["stream"], message["n"]) != (self.stream, self.n + is_next):
            raise Again
        self.n = message["n"]
        if message["type"] == "rows":
            self.kept.append(message)
        is_moment = self.is_read and tells_all(message, size) and (is_after or self.n > self.read_up_to)
        return dict(message["as_of"]) if is_moment else None

    def take(self, rows: list[Row], live: Mapping[str, Any] | None) -> None:
        """A page. It was read after the message whose number it bears."""
        if live is None or live["stream"] != self.stream:
            raise Again
        self.read_up_to = live["n"]
        for row in rows:
            self.rows[tuple(row[key] for key in self.keys)] = (row, live["n"])

    def settle(self) -> list[Row]:
        """The rows at the moment."""
        for message in self.kept:
            n = message["n"]
            changes = [(tuple(row[key] for key in self.keys), row) for row in message["rows"]]
            changes += [(tuple(key), None) for key in message["gone"]]
            for key, row in changes:
                if key in self.rows and self.rows[key][1] >= n:
                    continue
                if row is None:
                    self.rows.pop(key, None)
                else:
                    self.rows[key] = (row, n)
        return [row for row, _ in self.rows.values()]


class _Live:
    """The socket of one view's changes, in JSON: of all encodings it makes the largest messages, so one that is not full in it is full
    in none."""

    def __init__(self, endpoint: str, view: str, keys: Keys | None) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        set_up(self._socket, keys)
        self._socket.set(zmq.RCVHWM, 0)  # we read them after the pages; that is soon
        self._topic, self._barrier = f"j/{view}\0".encode(), f"m/{view}\0".encode()
        self._socket.subscribe(self._topic)
        self._socket.connect(endpoint)
        self.is_past_barrier = False

    def raise_barrier(self) -> None:
        """Subscribes to the same view in the other encoding, too. Whatever comes behind its first message was made after this call, and
        so after all answers that we have: a connection keeps its order. Without it, an old `idle` could be taken for a new one."""
        self._socket.subscribe(self._barrier)

    def next(self, wait_s: float) -> tuple[Mapping[str, Any], int] | None:
        if not self._socket.poll(int(wait_s * 1000)):
            return None
        topic, payload = self._socket.recv_multipart()
        if topic == self._barrier:
            self.is_past_barrier = True
            return None
        return json.loads(payload), len(payload)

    def close(self) -> None:
        self._socket.close(0)


@dataclass(frozen=True)
class Patience:
    """How long to wait for the first message and, behind the last page, for the moment. Reading may take as long as it takes."""

    seconds: float
    what: str
    check: Callable[[], None] = go_on  # raises when it is time to stop
    now: Callable[[], float] = time.monotonic

    def wait_for(self, found: Callable[[], Any]) -> Any:
        end = self.now() + self.seconds
        while (value := found()) is None:
            self.check()
            if self.now() > end:
                raise NoMoment(f"{self.what}: in {self.seconds:g} s its changes gave no moment that all rows could be brought to; are "
                               "there more of them than the aggregator tells ([aggregator] live_rate), can its publish address not be "
                               "reached, or may this key not listen there?")
        return value


def _attempt(pages: Pages, follower: Follower, live: _Live, patience: Patience) -> tuple[list[Row], Mapping[str, Any]]:
    def hear() -> Mapping[str, Any] | None:
        got = live.next(_WAIT_S)
        return follower.hear(*got, is_after=live.is_past_barrier) if got else None

    def hear_first() -> bool | None:
        hear()
        return True if follower.stream else None

    patience.wait_for(hear_first)
    for rows, position in pages:
        follower.take(rows, position)
    follower.is_read = True
    live.raise_barrier()
    as_of = patience.wait_for(hear)
    return follower.settle(), as_of


def read_at_one_moment(pages: Callable[[], Pages], view: str, key_columns: tuple[str, ...], endpoint: str, keys: Keys | None,
                       patience: Patience) -> tuple[list[Row], Mapping[str, Any]]:
    """The rows, those of the pages in their order and then those that came to be meanwhile, and their `as_of`. `pages` reads the view
    from its start; it is called again where messages were lost. Raises NoMoment, and what `pages` raises."""
    for _ in range(_ATTEMPTS):
        live = _Live(endpoint, view, keys)
        try:
            return _attempt(pages(), Follower(key_columns), live, patience)
        except Again:
            patience.check()
        finally:
            live.close()
    raise NoMoment(f"{patience.what}: messages about its changes were lost {_ATTEMPTS} times; is the reader too slow, or is the store "
                   "being rebuilt?")
