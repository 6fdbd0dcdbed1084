"""The file that keeps a producer's numbers and its unacknowledged frames over a restart: written whole beside, synced, renamed, so that
it is always the old one or the new one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]

from .disk import replace_whole, sync_folder
from .errors import TillError

VERSION = 1


class StateFileError(TillError):
    """The state file can't be used; says why and what to do."""


@dataclass(frozen=True)
class Frame:
    """Events as they are sent, under a number; whether that is the caller's own."""

    n: int
    body: bytes
    count: int
    is_callers: bool = False


@dataclass(frozen=True)
class State:
    """The last number given, and the frames without an ack, each with the name of its lane."""

    producer: str
    n: int = 0
    pending: Sequence[tuple[str, Frame]] = field(default_factory=tuple)


def _written(state: State) -> bytes:
    made: bytes = msgpack.packb({"version": VERSION, "producer": state.producer, "n": state.n,
                                 "pending": [[name, frame.n, frame.count, frame.body] for name, frame in state.pending]})
    return made


def _read(text: bytes) -> State:
    told = msgpack.unpackb(text)
    if told["version"] != VERSION:
        raise ValueError(f"it is of version {told['version']}")
    return State(told["producer"], told["n"], [(name, Frame(n, body, count)) for name, n, count, body in told["pending"]])


class StateFile:
    """Held by one producer at a time."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = self._locked()

    def _locked(self) -> Any:
        import fcntl

        handle = self.path.with_name(f"{self.path.name}.lock").open("ab")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.close()
            raise StateFileError(f"{self.path}: another producer uses it; two that send under one name would lose sales") from error
        return handle

    def read(self, producer: str) -> State:
        """What it holds; a new one where there is no file. Raises StateFileError where it can't be read or is another producer's."""
        try:
            state = _read(self.path.read_bytes())
        except FileNotFoundError:
            return State(producer)
        except (OSError, ValueError, KeyError, TypeError, msgpack.exceptions.UnpackException) as error:
            raise StateFileError(f"{self.path}: is no state file of a producer ({error}); if it can't be had back, move it away "
                                 "and send under another name, for the edge remembers the numbers of this one") from error
        if state.producer != producer:
            raise StateFileError(f"{self.path}: holds the numbers of producer {state.producer!r}, not of {producer!r}")
        return state

    def write(self, state: State) -> None:
        """Returns when it is on disk. Raises OSError; the old state holds then."""
        replace_whole(self.path, _written(state), self.path.with_name(f"{self.path.name}.new"))
        sync_folder(self.path.parent)

    def close(self) -> None:
        self._lock.close()
