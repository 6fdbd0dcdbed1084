"""The live socket: announcements as they are made, and to each new subscriber what fires now.

ZeroMQ XPUB. A message has two frames: the rule's name and a NUL, and JSON. Subscribe to `quiet\\0`, or to nothing for all rules."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import zmq

from ..errors import TillError
from .delivery import LOOK_S, Courier
from .engine import Cause, described, when
from .state import State, StateError

POLL_MS = 100
HELD_MAX = 10_000  # messages that one slow subscriber may be behind


class NotBound(TillError):
    """The address is taken, or none of this machine."""


class Live:
    """A sink, and an answer to subscriptions. What is handed to the socket counts as taken: who is not there hears it in the snapshot."""

    name = "live"
    batch = 100
    backoff_s = 60.0

    def __init__(self, endpoint: str, rules: Sequence[str], fires: Callable[[], Sequence[Cause]]) -> None:
        self._rules = rules
        self._fires = fires
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.XPUB)
        self._socket.set(zmq.LINGER, 1000)
        self._socket.set(zmq.XPUB_VERBOSE, 1)  # a second subscriber of a topic is told what fires, too
        self._socket.set(zmq.SNDHWM, HELD_MAX)
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            self._socket.close(0)
            raise NotBound(f"can't listen on {endpoint}: {error}") from error
        self.endpoint: str = self._socket.get(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()

    def send(self, batch: str, messages: Sequence[dict[str, Any]]) -> str:  # noqa: ARG002
        for message in messages:
            self._publish(message["rule"], message)
        return ""

    def _publish(self, rule: str, message: dict[str, Any]) -> None:
        self._socket.send_multipart([rule.encode() + b"\0", json.dumps(message, ensure_ascii=False).encode()])

    def _subscribed(self, frame: bytes) -> None:
        if frame[:1] != b"\1":
            return
        fires = self._fires()
        for rule in self._rules:
            if (rule.encode() + b"\0").startswith(frame[1:]):
                self._publish(rule, {"type": "snapshot", "rule": rule, "at": when(round(time.time() * 1000)),
                                     "firing": [described(cause) for cause in fires if cause.rule == rule]})

    def run(self, courier: Courier, wake: threading.Event, stop: threading.Event) -> None:
        """A thread's work until `stop`; the socket is this thread's alone from then on."""
        state, look, said = State(courier.path), 0.0, ""
        while not stop.is_set():
            if self._socket.poll(POLL_MS):
                self._subscribed(self._socket.recv())
            if wake.is_set() or time.monotonic() >= look:
                wake.clear()
                look = time.monotonic() + LOOK_S
                try:
                    courier.drain(state)
                    said = ""
                except StateError as error:
                    if str(error) != said:
                        said = str(error)
                        courier.say(said)
        state.close()
        self._socket.close()
