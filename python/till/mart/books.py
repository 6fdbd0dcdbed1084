"""What a database knows of its marts: `till_marts`, which state each shows, and `till_mart_runs`, how it came to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..wire import instant
from .database import Database, DatabaseError, Reason
from .plan import Row, Target

MARTS, RUNS = Target("till_marts"), Target("till_mart_runs")
NAME_SIZE = 200
RUNNING, DONE, FAILED, KILLED = "running", "done", "failed", "killed"
_ERROR_SIZE = 2000
RUN_COLUMNS = ("run", "mart", "outcome", "mode", "started_at", "ended_at", "store", "commit", "rows_shown", "inserted", "updated",
               "deleted", "error")


@dataclass(frozen=True)
class Shown:
    """The state that a mart shows; `store` None: none yet."""

    store: str | None = None
    commit: int | None = None
    event_ts: int | None = None
    declaration: str | None = None
    position: str | None = None
    gaps: str | None = None  # what an operator accepted as missing


@dataclass(frozen=True)
class Changes:
    """What a run did."""

    mode: str
    rows: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0


class Books:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._quoted = {"marts": database.quoted(MARTS), "runs": database.quoted(RUNS), "commit": database.quote("commit")}

    def _sql(self, statement: str) -> str:
        return statement.format_map(self._quoted)

    def ensure(self) -> None:
        """Both tables, made where they are not there. Whoever may not make tables needs none made for him."""
        database = self._database
        text, time = database.text_key(NAME_SIZE), database.text_time
        tables: Mapping[Target, Sequence[str]] = {
            MARTS: (f"mart {text} PRIMARY KEY", f"declaration {database.text()}", "store VARCHAR(64)", f"{self._quoted['commit']} BIGINT",
                    f"event_ts {time}", "rows_shown BIGINT", f"position {database.text_key(64)}", f"changed_at {time}",
                    f"checked_at {time}", f"gaps {database.text()}"),
            RUNS: (f"run {database.text_number} PRIMARY KEY", f"mart {text} NOT NULL", "outcome VARCHAR(16) NOT NULL", "mode VARCHAR(16)",
                   f"started_at {time} NOT NULL", f"ended_at {time}", "store VARCHAR(64)", f"{self._quoted['commit']} BIGINT",
                   "rows_shown BIGINT", "inserted BIGINT", "updated BIGINT", "deleted BIGINT", f"error {database.text()}"),
        }
        for target, columns in tables.items():
            if not database.columns_of(target):
                self.make(target, columns)
        database.commit()

    def make(self, target: Target, columns: Sequence[str]) -> None:
        try:
            self._database.change(f"CREATE TABLE {self._database.quoted(target)} ({', '.join(columns)}){self._database.table_options}")
            self._database.commit()
        except DatabaseError as error:  # another writer may have made it just now
            self._database.rollback()
            if error.reason is not Reason.OTHER or not self._database.columns_of(target):
                raise

    def begin(self, mart: str, now: datetime) -> int:
        """The number of a run that all can see. Who holds the mart's lock is its only writer, so what runs by the books was killed."""
        database = self._database
        database.change(self._sql("UPDATE {runs} SET outcome = %s, ended_at = %s WHERE mart = %s AND outcome = %s"),
                        [KILLED, now, mart, RUNNING])
        database.change(self._sql("INSERT INTO {runs} (mart, outcome, started_at) VALUES (%s, %s, %s)"), [mart, RUNNING, now])
        number = database.query(self._sql("SELECT max(run) FROM {runs} WHERE mart = %s AND outcome = %s"), [mart, RUNNING])[0][0]
        database.commit()
        return int(number)

    def shown(self, mart: str) -> Shown:
        found = self._database.query(self._sql("SELECT store, {commit}, declaration, position FROM {marts} WHERE mart = %s"), [mart])
        if not found:
            return Shown()
        store, commit, declaration, position = found[0]
        return Shown(store, commit, None, declaration, position)

    def show(self, mart: str, shown: Shown, rows: int, now: datetime) -> None:
        event_time = None if shown.event_ts is None else instant(shown.event_ts)
        values = [shown.declaration, shown.store, shown.commit, event_time, rows, shown.position, shown.gaps, now, now, mart]
        changed = self._database.change(self._sql(
            "UPDATE {marts} SET declaration = %s, store = %s, {commit} = %s, event_ts = %s, rows_shown = %s, position = %s, gaps = %s, "
            "changed_at = %s, checked_at = %s WHERE mart = %s"), values)
        if changed == 0:
            self._database.change(self._sql("INSERT INTO {marts} (declaration, store, {commit}, event_ts, rows_shown, position, "
                                            "gaps, changed_at, checked_at, mart) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"), values)

    def check(self, mart: str, run: int, now: datetime) -> None:
        """Nothing has changed: that is no run."""
        self._database.change(self._sql("UPDATE {marts} SET checked_at = %s WHERE mart = %s"), [now, mart])
        self._database.change(self._sql("DELETE FROM {runs} WHERE run = %s"), [run])

    def end(self, run: int, shown: Shown, changes: Changes, now: datetime) -> None:
        values = [DONE, changes.mode, now, shown.store, shown.commit, changes.rows, changes.inserted, changes.updated, changes.deleted, run]
        self._database.change(self._sql(
            "UPDATE {runs} SET outcome = %s, mode = %s, ended_at = %s, store = %s, {commit} = %s, rows_shown = %s, inserted = %s, "
            "updated = %s, deleted = %s WHERE run = %s"), values)

    def fail(self, run: int, words: str, now: datetime) -> None:
        self._database.change(self._sql("UPDATE {runs} SET outcome = %s, ended_at = %s, error = %s WHERE run = %s"),
                              [FAILED, now, words[:_ERROR_SIZE], run])
        self._database.commit()

    def note_failure(self, mart: str, words: str, begun: datetime, ended: datetime) -> None:
        """Of a run that could not be begun, as the database was away."""
        self._database.change(self._sql("INSERT INTO {runs} (mart, outcome, started_at, ended_at, error) VALUES (%s, %s, %s, %s, %s)"),
                              [mart, FAILED, begun, ended, words[:_ERROR_SIZE]])
        self._database.commit()

    def prune(self, mart: str, before: datetime) -> None:
        self._database.change(self._sql("DELETE FROM {runs} WHERE mart = %s AND started_at < %s"), [mart, before])

    def history(self, limit: int) -> list[dict[str, Any]]:
        """The newest runs first; none where no mart was ever written."""
        if not self._database.columns_of(RUNS):
            return []
        names = ", ".join(self._database.quote(name) for name in RUN_COLUMNS)
        rows: list[Row] = self._database.query(self._sql(f"SELECT {names} FROM {{runs}} ORDER BY run DESC LIMIT %s"), [limit])
        return [dict(zip(RUN_COLUMNS, row, strict=True)) for row in rows]
