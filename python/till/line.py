"""A connection's parts that need no socket: what to set on one, tags of questions, what the monitor tells. Pure; client.py and aio.py do
the input and output."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from typing import Any

import msgpack  # type: ignore[import-untyped]
import zmq

from .errors import KeyRefused
from .keys import Keys

RECONNECT_MS, RECONNECT_MAX_MS = 50, 2_000
HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS = 2_000, 6_000  # a peer that stands still is cut off, and looked for anew
# A server that ends in the middle of a handshake looks like one with another key, but not so often.
FAILURES_BY_CHANCE = 3
EVENTS = (zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
          | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_DISCONNECTED)


def set_up(socket: Any, keys: Keys | None) -> None:
    """Before it connects."""
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.set(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
    socket.set(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.set(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    socket.set(zmq.HANDSHAKE_IVL, 10_000)
    if keys is not None:
        socket.set(zmq.CURVE_SECRETKEY, keys.secret)
        socket.set(zmq.CURVE_PUBLICKEY, keys.public)
        socket.set(zmq.CURVE_SERVERKEY, keys.server)


_monitors = itertools.count(1)


def monitor_address() -> str:
    """Of a monitor, never the same: pyzmq's own are made of a descriptor's number, which the next socket may have, too."""
    return f"inproc://till-monitor-{next(_monitors)}"


class Handshakes:
    """What the monitor of a socket told."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._failures = 0
        self.is_up = False
        self.was_lost = False  # since it was up first

    def take(self, event: int) -> bool:
        """True when the connection is up again after it was lost, so that what was sent before is gone. Raises KeyRefused."""
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.is_up, self._failures = True, 0
            return self.was_lost
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            raise KeyRefused(self._endpoint, True)
        if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:  # libzmq does not try again: one hears of it once
            raise KeyRefused(self._endpoint, False)
        if event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            self._failures += 1
            if self._failures >= FAILURES_BY_CHANCE:
                raise KeyRefused(self._endpoint, False)
        if event == zmq.EVENT_DISCONNECTED:
            self.was_lost |= self.is_up
            self.is_up = False
        return False


class Tags:
    """Each question bears a number of its own, so that a late answer to an earlier one answers no later one; they begin anywhere, so that
    those of a connection before this one answer nothing either."""

    def __init__(self) -> None:
        self._last = int.from_bytes(os.urandom(6), "big")

    def next(self) -> bytes:
        self._last += 1
        return self._last.to_bytes(8, "big")


def packed(request: Mapping[str, Any]) -> bytes:
    """A request as it is sent."""
    made: bytes = msgpack.packb(dict(request))
    return made
