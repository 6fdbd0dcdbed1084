"""Rounds: every mart of every database, one after the other; what fails keeps none of the others from being written."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from .. import command
from ..command import UsageError
from ..errors import NotReached, TillError
from .books import Books
from .database import Address, Database, DatabaseError, Reason
from .mysql import Mysql
from .plan import Wish
from .postgres import Postgres
from .reader import Reader
from .writer import UNCHANGED, Outcome, Surroundings, Writer

UNRECORDED_MAX = 1000


class Job(Protocol):
    """What keeps one table of a database up to date."""

    @property
    def name(self) -> str: ...

    def run(self, database: Database) -> str:
        """What was done, in words. Raises TillError."""


def open_database(address: Address) -> Database:
    return Postgres(address) if address.scheme == "postgresql" else Mysql(address)


def words_of(outcome: Outcome) -> str:
    shown, changes = outcome.shown, outcome.changes
    where = f"store {shown.store} commit {shown.commit}"
    if changes.mode == UNCHANGED:
        return f"unchanged; {where}"
    return (f"{changes.mode}, {changes.rows} rows: {changes.inserted} inserted, {changes.updated} updated, {changes.deleted} deleted; "
            f"{where}")


@dataclass
class MartJob:
    """A view or a table of the aggregator."""

    wish: Wish
    reader: Reader
    around: Surroundings

    @property
    def name(self) -> str:
        return str(self.wish.target)

    def run(self, database: Database) -> str:
        return words_of(Writer(database, self.reader, self.around).refresh(self.wish))


@dataclass
class Place:
    """A database, the connection to it while there is one, and failures that it has not been told of yet."""

    address: Address
    database: Database | None = None
    unrecorded: deque[tuple[str, str, datetime, datetime]] = field(default_factory=lambda: deque(maxlen=UNRECORDED_MAX))

    def opened(self) -> Database:
        if self.database is None:
            self.database = open_database(self.address)
        return self.database

    def close(self) -> None:
        if self.database is not None:
            database, self.database = self.database, None
            database.close()

    def tell(self) -> None:
        """What failed while the database was away goes into its books."""
        if not self.unrecorded:
            return
        books = Books(self.opened())
        books.ensure()
        while self.unrecorded:
            books.note_failure(*self.unrecorded[0])
            self.unrecorded.popleft()


def code_of(error: TillError) -> int:
    is_away = isinstance(error, NotReached) or (isinstance(error, DatabaseError) and error.reason is Reason.AWAY)
    return command.NOT_REACHED if is_away else command.FAILED


class Runner:
    def __init__(self, addresses: Sequence[Address], jobs: Sequence[Job], stop: command.Stop, now: Callable[[], datetime]) -> None:
        self._places = [Place(address) for address in addresses]
        self._jobs, self._stop, self._now = jobs, stop, now

    def round(self) -> int:
        """The code of the first failure, 0 without."""
        codes = [self._run(place, job) for place in self._places for job in self._jobs if not self._stop]
        return next((code for code in codes if code != command.DONE), command.DONE)

    def _run(self, place: Place, job: Job) -> int:
        begun = self._now()
        try:
            place.tell()
            print(f"{place.address.label} {job.name}: {job.run(place.opened())}", flush=True)
        except TillError as error:
            command.say("mart", f"{job.name}: {error}")
            if isinstance(error, DatabaseError) and error.reason is Reason.AWAY:
                place.unrecorded.append((job.name, str(error), begun, self._now()))
            place.close()
            return code_of(error)
        return command.DONE

    def close(self) -> None:
        for place in self._places:
            place.close()


def addresses_of(options: argparse.Namespace, read: Callable[[str, str | None], Address]) -> list[Address]:
    files = options.password_file or []
    if len(files) not in (0, 1, len(options.to)):
        raise UsageError("--password-file: give it once for all databases, or once for each --to, in their order")
    return [read(url, files[min(number, len(files) - 1)] if files else None) for number, url in enumerate(options.to)]
