"""Brings announcements to sinks: a thread for each, so that one that is down stops no other, nor the evaluation."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..errors import TillError
from .state import State, StateError, Waiting

FIRST_PAUSE_S = 1.0
LOOK_S = 5.0  # how often a thread looks by itself: another process may have written


class NotTaken(TillError):
    """A sink did not take a batch; says which and why, without secrets."""


class Sink(Protocol):
    name: str
    batch: int  # announcements at a time
    backoff_s: float  # the longest pause

    def send(self, batch: str, messages: Sequence[dict[str, Any]]) -> str:
        """Raises NotTaken. Returns when the receiver has them; what is to be said of it, mostly nothing."""
        ...


@dataclass
class Tally:
    """Of one sink, since the start; read by metrics."""

    delivered: int = 0
    failures: int = 0
    failing: bool = False


def pause_s(failures: int, longest: float) -> float:
    return float(min(longest, FIRST_PAUSE_S * 2 ** min(failures - 1, 20)))


@dataclass
class Courier:
    """Delivers what waits for one sink, in order."""

    sink: Sink
    path: Path
    say: Callable[[str], None]
    tally: Tally = field(default_factory=Tally)
    _taken: str | None = None  # a batch that was taken, but not yet struck out

    def deliver_one(self, state: State) -> bool:
        """One batch; False where nothing waits. Raises NotTaken, StateError."""
        batch, waiting = state.next_batch(self.sink.name, self.sink.batch)
        if not waiting:
            return False
        if batch != self._taken:  # else it was sent before, and only striking it out failed
            self._send(batch, waiting)
        self._taken = batch
        state.taken(self.sink.name, batch)
        return True

    def _send(self, batch: str, waiting: Sequence[Waiting]) -> None:
        try:
            words = self.sink.send(batch, [each.body for each in waiting])
        except NotTaken:
            self.tally.failures += 1
            raise
        if words:
            self.say(f"sink {self.sink.name}: {words}")
        self.tally.delivered += len(waiting)

    def drain(self, state: State) -> None:
        """Until nothing waits. Raises at the first failure."""
        while self.deliver_one(state):
            pass

    def run(self, wake: threading.Event, stop: threading.Event) -> None:
        """A thread's work until `stop`."""
        state, failures = None, 0
        while not stop.is_set():
            wake.clear()
            try:
                state = state or State(self.path)
                self.drain(state)
                if failures:
                    self.say(f"sink {self.sink.name} takes announcements again")
                failures = 0
            except (NotTaken, StateError) as error:
                failures += 1
                if failures == 1:
                    self.say(f"{error}; tried again until it is taken")
            self.tally.failing = failures > 0
            if failures:
                stop.wait(pause_s(failures, self.sink.backoff_s))
            else:
                wake.wait(LOOK_S)
        if state is not None:
            state.close()
