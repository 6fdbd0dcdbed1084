"""What must outlive the runner, in one SQLite file: causes, announcements that a sink has not taken yet, silences. A transaction holds what
an evaluation changed and what is to be announced of it, so that neither is there without the other, whenever the runner is killed."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import TillError
from .engine import Cause, Notice

VERSION = 1
BUSY_SECONDS = 10.0
LOG_PAGES = 100  # of 4 KiB, until the log is written into the file: both stay small
_SCHEMA = """
CREATE TABLE causes (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
                     batch TEXT NOT NULL DEFAULT '', UNIQUE (sink, id));
CREATE TABLE silences (target TEXT PRIMARY KEY, since_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL);
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class StateError(TillError):
    """The state can't be read or written; says which file and why."""


@dataclass(frozen=True)
class Silence:
    """`target` is a cause's id, a rule's name, RULE:EDGE, or *:EDGE."""

    target: str
    since_ms: int
    until_ms: int
    who: str
    why: str

    def covers(self, cause: Cause) -> bool:
        rule, colon, edge = self.target.partition(":")
        if not colon:
            return self.target in (cause.id, cause.rule)
        return rule in ("*", cause.rule) and dict(cause.key).get("edge") == edge


@dataclass(frozen=True)
class Waiting:
    number: int
    id: str
    body: dict[str, Any]


def _make(path: Path) -> None:
    """For its owner only; SQLite would make it readable by all. What is there is not opened: to close it would take the locks from under
    this process's other connections, and the next process that ends would throw away what they write."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


class State:
    """One connection; each thread has its own."""

    def __init__(self, path: Path | str, *, may_create: bool = True) -> None:
        self.path = Path(path)
        try:
            if may_create:
                _make(self.path)
            elif not self.path.exists():
                raise StateError(f"{self.path}: is not there; has till alert run been started with this configuration?")
            self._db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        except (OSError, sqlite3.Error) as error:
            raise StateError(f"{self.path}: {error}") from error
        self._prepare()

    def close(self) -> None:
        self._db.close()

    def _prepare(self) -> None:
        with self._writing():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {VERSION}")
            elif version != VERSION:
                raise StateError(f"{self.path}: is no state of this version (it says {version}, not {VERSION}); move it away to begin anew")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StateError(f"{self.path}: {error}") from error

    def _read(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StateError(f"{self.path}: {error}") from error

    def causes(self) -> dict[str, Cause]:
        return {name: Cause.from_json(body) for name, body in self._read("SELECT id, body FROM causes ORDER BY id")}

    def commit(self, causes: Iterable[Cause], notices: Sequence[Notice], sinks: Sequence[tuple[str, Sequence[str]]], queue: int) -> None:
        """The causes as they are now, and each notice for each sink that wants its severity: (name, severities). A sink that has more than
        `queue` waiting loses the oldest, which is counted."""
        with self._writing():
            kept = {cause.id: cause.as_json() for cause in causes}
            there = dict(self._db.execute("SELECT id, body FROM causes"))
            self._db.executemany("DELETE FROM causes WHERE id = ?", [(name,) for name in there if name not in kept])
            changed = [item for item in kept.items() if there.get(item[0]) != item[1]]
            self._db.executemany("INSERT OR REPLACE INTO causes VALUES (?, ?)", changed)
            for sink, severities in sinks:
                self._db.executemany("INSERT OR IGNORE INTO outbox (sink, id, body) VALUES (?, ?, ?)", [
                    (sink, notice.id, json.dumps(notice.body, ensure_ascii=False)) for notice in notices if notice.severity in severities])
                self._give_up(sink, queue)

    def _give_up(self, sink: str, queue: int) -> None:
        gone = self._db.execute("DELETE FROM outbox WHERE sink = ? AND number <= (SELECT number FROM outbox WHERE sink = ? "
                                "ORDER BY number DESC LIMIT 1 OFFSET ?)", (sink, sink, queue)).rowcount
        if gone:
            self._count(f"given_up:{sink}", gone)

    def _count(self, name: str, more: int) -> None:
        self._db.execute("INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value", (name, more))

    def counters(self) -> dict[str, int]:
        return dict(self._read("SELECT name, value FROM counters"))

    def waiting(self) -> dict[str, int]:
        return dict(self._read("SELECT sink, count(*) FROM outbox GROUP BY sink"))

    def next_batch(self, sink: str, most: int) -> tuple[str, list[Waiting]]:
        """The oldest that wait, at most so many, and the batch's name. Written down before it is tried, so that what is tried again is the
        same batch under the same name."""
        first = self._read("SELECT number, batch FROM outbox WHERE sink = ? ORDER BY number LIMIT 1", sink)
        if not first:
            return "", []
        number, batch = first[0]
        if not batch:
            batch = f"{number}-{os.urandom(6).hex()}"
            with self._writing():
                self._db.execute("UPDATE outbox SET batch = ? WHERE number IN (SELECT number FROM outbox WHERE sink = ? AND batch = '' "
                                 "ORDER BY number LIMIT ?)", (batch, sink, most))
        rows = self._read("SELECT number, id, body FROM outbox WHERE sink = ? AND batch = ? ORDER BY number", sink, batch)
        return batch, [Waiting(number, name, json.loads(body)) for number, name, body in rows]

    def taken(self, sink: str, batch: str) -> None:
        with self._writing():
            gone = self._db.execute("DELETE FROM outbox WHERE sink = ? AND batch = ?", (sink, batch)).rowcount
            self._count(f"delivered:{sink}", gone)

    def forget_sinks(self, names: Sequence[str]) -> int:
        """Announcements for sinks that are no longer configured are given up."""
        marks = ",".join("?" * len(names))
        with self._writing():
            gone = self._db.execute(f"DELETE FROM outbox WHERE sink NOT IN ({marks})", tuple(names)).rowcount
            if gone:
                self._count("given_up:(not configured)", gone)
        return gone

    def silences(self, now_ms: int) -> list[Silence]:
        """Those in force."""
        return [Silence(*row) for row in self._read(
            "SELECT target, since_ms, until_ms, who, why FROM silences WHERE until_ms > ? ORDER BY target", now_ms)]

    def silence(self, silence: Silence) -> None:
        """In the place of one of the same target; those that are over go."""
        with self._writing():
            self._db.execute("DELETE FROM silences WHERE until_ms <= ?", (silence.since_ms,))
            self._db.execute("INSERT OR REPLACE INTO silences VALUES (?, ?, ?, ?, ?)",
                             (silence.target, silence.since_ms, silence.until_ms, silence.who, silence.why))

    def unsilence(self, target: str) -> bool:
        with self._writing():
            return self._db.execute("DELETE FROM silences WHERE target = ?", (target,)).rowcount > 0
