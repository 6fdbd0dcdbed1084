"""A view that no single answer holds, as it was at one moment: its pages, and the changes that came while they were read
(PROTOCOL.md, 6.7).

Pages are of different moments. While they are read, the view's changes are listened to. When the last page is there, a second
listener is opened: whatever it hears was said after all pages. The first thing that it hears behind which no change waits to be told
is the moment: `idle`, or `rows` that filled neither of a message's bounds. Pages and all changes up to it are the view as it was then."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import zmq

from ..client import Client
from ..errors import TillError
from ..keys import Keys

PAGE_ROWS = 20_000
# A message ends with the first row past this, and has no more rows than that (PROTOCOL.md, 6.7). In JSON, which decides for both.
FULL_BYTES = 256 * 1024
FULL_ROWS = 1000
ATTEMPTS = 3
QUIET_S = 5.0  # `idle` comes every second


class NotOneMoment(TillError):
    """What was read is not of one moment, and reading it again will hardly help."""


class Torn(Exception):
    """Messages were lost, or the store became another one: it is to be read again."""


def live_endpoint(asked: str, published: str) -> str:
    """Where the aggregator publishes: at the address that it says, or, where it listens at every address, at that which we ask."""
    said = urlsplit(published)
    return f"tcp://{urlsplit(asked).hostname}:{said.port}" if said.hostname in ("0.0.0.0", "*", "::") else published


@dataclass
class Pages:
    """Rows by key, and the number of the last message that was told before each was read. Pure."""

    keys: tuple[str, ...]
    stream: str
    rows: dict[tuple[Any, ...], tuple[int, Mapping[str, Any]]] = field(default_factory=dict)

    def add(self, answer: Mapping[str, Any]) -> None:
        live = answer.get("live") or {}
        if live.get("stream") != self.stream:
            raise Torn
        for row in answer["rows"]:
            self.rows[self._key(row)] = (live["n"], row)

    def _key(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.keys)

    def apply(self, message: Mapping[str, Any]) -> None:
        number = message["n"]
        for row in message["rows"]:
            key = self._key(row)
            if key not in self.rows or self.rows[key][0] < number:
                self.rows[key] = (number, row)
        for gone in message["gone"]:
            key = tuple(gone)
            if key in self.rows and self.rows[key][0] < number:
                del self.rows[key]


def is_whole(message: Mapping[str, Any], size: int) -> bool:
    """Does no change wait to be told behind it?"""
    if message["type"] == "idle":
        return True
    return message["type"] == "rows" and len(message["rows"]) + len(message["gone"]) < FULL_ROWS and size < FULL_BYTES


class _Listener:
    """Messages of one view in order; a hole in their numbers is Torn."""

    def __init__(self, endpoint: str, view: str, keys: Keys | None) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set(zmq.RCVHWM, 0)
        if keys is not None:
            self._socket.set(zmq.CURVE_SECRETKEY, keys.secret)
            self._socket.set(zmq.CURVE_PUBLICKEY, keys.public)
            self._socket.set(zmq.CURVE_SERVERKEY, keys.server)
        self._socket.subscribe(f"j/{view}\0".encode())
        self._socket.connect(endpoint)
        self.endpoint, self.stream, self.number = endpoint, "", -1

    def close(self) -> None:
        self._socket.close(0)

    def next(self, wait_s: float) -> tuple[dict[str, Any], int] | None:
        """A message and its size; None when nothing came in time."""
        if not self._socket.poll(int(wait_s * 1000)):
            return None
        payload = self._socket.recv_multipart()[1]
        message = dict(json.loads(payload))
        self._follow(message)
        return message, len(payload)

    def _follow(self, message: Mapping[str, Any]) -> None:
        if message["type"] in ("error", "reset"):
            raise Torn
        number = message["n"]
        expected = self.number + (message["type"] == "rows")
        if self.number >= 0 and (message["stream"] != self.stream or number != expected):
            raise Torn
        self.stream, self.number = message["stream"], number

    def heard(self, deadline: float) -> tuple[dict[str, Any], int]:
        got = self.next(max(0.0, min(QUIET_S, deadline - time.monotonic())))
        if got is None:
            raise NotOneMoment(f"{self.endpoint} says nothing of the view; is this the aggregator's live socket ([aggregator] publish), "
                               "and may this key listen there?")
        return got


def read_large(client: Client, view: str, keys: tuple[str, ...], live: str, secret: Keys | None) -> tuple[
        list[Mapping[str, Any]], Mapping[str, Any]]:
    """(rows, as_of) of one moment. Raises NotOneMoment."""
    for _ in range(ATTEMPTS):
        listener = _Listener(live, view, secret)
        try:
            return _attempt(client, view, keys, listener, secret)
        except Torn:
            continue
        finally:
            listener.close()
    raise NotOneMoment(f"view {view} has more rows than one answer holds, and messages about their changes were lost {ATTEMPTS} times")


def _attempt(client: Client, view: str, keys: tuple[str, ...], listener: _Listener, secret: Keys | None) -> tuple[
        list[Mapping[str, Any]], Mapping[str, Any]]:
    timeout_s = client.timeout
    listener.heard(time.monotonic() + timeout_s)
    kept: list[dict[str, Any]] = []
    pages = Pages(keys, listener.stream)
    cursor = None
    while True:
        answer = client.ask({"query": "scan", "view": view, "limit": PAGE_ROWS, **({"cursor": cursor} if cursor else {})})
        pages.add(answer)
        while (got := listener.next(0)) is not None:
            kept.append(got[0])
        cursor = answer.get("next")
        if not cursor:
            break
    moment = _moment(_Listener(listener.endpoint, view, secret), pages.stream, timeout_s)
    deadline = time.monotonic() + timeout_s
    while listener.number < moment["n"]:
        kept.append(listener.heard(deadline)[0])
    for message in kept:
        if message["type"] == "rows" and message["n"] <= moment["n"]:
            pages.apply(message)
    return [row for _, row in pages.rows.values()], moment["as_of"]


def _moment(second: _Listener, stream: str, timeout_s: float) -> Mapping[str, Any]:
    deadline = time.monotonic() + timeout_s
    try:
        while time.monotonic() < deadline:
            message, size = second.heard(deadline)
            if message["stream"] != stream:
                raise Torn
            if is_whole(message, size):
                return message
    finally:
        second.close()
    raise NotOneMoment(f"more rows change at once than {FULL_ROWS} for each message, for {timeout_s:g} s: raise --timeout, or [aggregator] "
                       "live_rate")
