"""Brings one mart of one database to what the aggregator answers, in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..errors import TillError
from .books import Books, Changes, Shown
from .database import Database, DatabaseError, Reason
from .plan import Mart, PlanError, Row, Target, Wish, resolve
from .reader import Reader, shown_of

ATTEMPTS = 6
UNCHANGED, CREATED, REFRESHED, CHANGED = "unchanged", "created", "refreshed", "changed"


class Moved(TillError):
    """The aggregator's store became another one meanwhile; the same again will do."""


@dataclass(frozen=True)
class Difference:
    """What makes one set of rows into another."""

    inserted: list[Row]
    updated: list[Row]
    deleted: list[Row]  # keys


def difference(old: Mapping[Row, Row], new: Mapping[Row, Row]) -> Difference:
    return Difference([row for key, row in new.items() if key not in old],
                      [row for key, row in new.items() if key in old and old[key] != row],
                      [key for key in old if key not in new])


@dataclass(frozen=True)
class Outcome:
    shown: Shown
    changes: Changes


@dataclass(frozen=True)
class Surroundings:
    """Time, and how to wait between two attempts; true: to end instead."""

    now: Callable[[], datetime]
    wait: Callable[[float], bool]
    keep_history: timedelta


class Writer:
    def __init__(self, database: Database, reader: Reader, around: Surroundings) -> None:
        self._database, self._reader, self._around = database, reader, around
        self._books = Books(database)

    def refresh(self, wish: Wish) -> Outcome:
        """Raises TillError, and then the mart is as it was; the books have it where the database can be reached."""
        name = str(wish.target)
        self._books.ensure()
        self._database.lock(name)
        self._database.commit()
        run = self._books.begin(name, self._around.now())
        try:
            outcome = self._attempts(wish, run)
        except TillError as error:
            self._database.rollback()
            self._record(run, error)
            raise
        finally:
            self._database.rollback()
        self._database.unlock(name)
        self._database.commit()
        return outcome

    def _record(self, run: int, failure: TillError) -> None:
        try:
            self._books.fail(run, str(failure), self._around.now())
            # The lock goes with the connection, which whoever saw this closes.
        except DatabaseError:
            self._database.rollback()  # the failure itself is what is told

    def _attempts(self, wish: Wish, run: int) -> Outcome:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._write(wish, run)
            except (DatabaseError, Moved) as error:
                self._database.rollback()
                passes = isinstance(error, Moved) or error.reason is Reason.CONFLICT
                if not passes or attempt == ATTEMPTS or self._around.wait(0.05 * 2 ** attempt):
                    raise
        raise AssertionError("unreachable")

    def _write(self, wish: Wish, run: int) -> Outcome:
        declared = self._reader.declared()
        if wish.view not in declared.views:
            raise PlanError(f"no view {wish.view}; there are {', '.join(sorted(declared.views))}")
        mart = resolve(wish, declared.views[wish.view], declared.tables)
        shown, place = self._books.shown(str(mart.target)), self._place(mart)
        is_new = place != mart.target or not self._database.columns_of(mart.target)
        position = self._reader.position()
        if not is_new and position is not None and (shown.position, shown.declaration) == (position, mart.declaration):
            return self._leave(mart, run, shown)
        if is_new:
            self._create(mart, place)
        cut = self._reader.cut(mart)
        if cut.store != declared.store:
            raise Moved(f"the aggregator's store {declared.store} became {cut.store}")
        now_shown = shown_of(cut, mart, position)
        table = self._database.quoted(place)
        old = self._database.read(mart, table)
        if not is_new and shown.store is None and old:
            raise PlanError(f"table {mart.target} holds rows that no mart wrote: name another table, or empty it")
        parts = difference(old, cut.rows)
        self._apply(mart, table, parts)
        mode = CREATED if is_new else CHANGED if (shown.store, shown.declaration) == (cut.store, mart.declaration) else REFRESHED
        changes = Changes(mode, len(cut.rows), len(parts.inserted), len(parts.updated), len(parts.deleted))
        self._finish(mart, run, now_shown, changes)
        if place != mart.target:
            self._database.change(f"RENAME TABLE {table} TO {self._database.quoted(mart.target)}")
        return Outcome(now_shown, changes)

    def _leave(self, mart: Mart, run: int, shown: Shown) -> Outcome:
        self._books.check(str(mart.target), run, self._around.now())
        self._database.commit()
        return Outcome(shown, Changes(UNCHANGED))

    def _place(self, mart: Mart) -> Target:
        """Where to write: the mart's table; or, where making a table ends a transaction, one that takes its name when it is full."""
        there = self._database.columns_of(mart.target)
        wanted = [column.name for column in mart.columns]
        if there and set(there) != set(wanted):
            raise PlanError(f"table {mart.target} has the columns {', '.join(there)}, the mart has {', '.join(wanted)}: drop the table, "
                            "name another one, or choose with --columns")
        self._database.check_engine(mart.target)
        if there or self._database.makes_tables_in_transactions:
            return mart.target
        return Target("till_mart_new_" + hashlib.sha256(str(mart.target).encode()).hexdigest()[:16], mart.target.schema)

    def _create(self, mart: Mart, place: Target) -> None:
        if place != mart.target:  # one that a writer left who was killed
            self._database.change(f"DROP TABLE IF EXISTS {self._database.quoted(place)}")
        self._database.create(mart, self._database.quoted(place))

    def _apply(self, mart: Mart, table: str, parts: Difference) -> None:
        self._database.delete(mart, table, parts.deleted)
        self._database.update(mart, table, parts.updated)
        self._database.insert(mart, table, parts.inserted)

    def _finish(self, mart: Mart, run: int, shown: Shown, changes: Changes) -> None:
        """The rows, and whose they are: one transaction."""
        now = self._around.now()
        self._books.show(str(mart.target), shown, changes.rows, now)
        self._books.end(run, shown, changes, now)
        self._books.prune(str(mart.target), now - self._around.keep_history)
        self._database.commit()
