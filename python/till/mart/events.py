"""Raw events as rows of a table, each once by its certificate. The places in Kafka up to which they were read are kept in the
database, in the transaction of the rows: so a killed writer neither leaves one out nor writes one twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import TillError
from ..kafka import Marks
from .books import NAME_SIZE, Books, Changes, Shown
from .database import Database, DatabaseError
from .plan import Mart, PlanError, Row, Target
from .records import CERTIFICATE, Record, Verdict, mart_of, read_record
from .topic import Gap, Topic
from .writer import Surroundings

OFFSETS, REJECTED = Target("till_mart_offsets"), Target("till_mart_rejected")
_TALLIES = ("records", "inserted", "rejected", "duplicates", "foreign_records", "unreadable")
_KEYS_PER_QUERY = 500


@dataclass
class Place:
    """Up to where a partition was read, and what its records were: records = the sum of the others."""

    next: int = 0
    tally: Counter[str] = field(default_factory=Counter)


@dataclass
class EventsJob:
    kind: str
    target: Target
    open_topic: Callable[[], Topic]
    accepted_gaps: Sequence[str]
    around: Surroundings

    @property
    def name(self) -> str:
        return str(self.target)

    def run(self, database: Database) -> str:
        topic = self.open_topic()
        try:
            return _Copy(self, database, topic).run()
        finally:
            topic.close()


class _Copy:
    """One run."""

    def __init__(self, job: EventsJob, database: Database, topic: Topic) -> None:
        self._job, self._database, self._topic, self._around = job, database, topic, job.around
        self._mart: Mart = mart_of(job.kind, job.target)
        self._table = database.quoted(job.target)
        self._books = Books(database)
        self._kept = _Kept(database, self._books, job.name)
        self._done: Counter[str] = Counter()

    def run(self) -> str:
        job, database = self._job, self._database
        self._books.ensure()
        self._kept.ensure()
        database.lock(job.name)
        database.commit()
        number = self._books.begin(job.name, self._around.now())
        try:
            self._copy(number)
        except TillError as error:
            database.rollback()
            self._fail(number, error)
            raise
        database.unlock(job.name)
        database.commit()
        tally = ", ".join(f"{self._done[name]} {name.replace('_', ' ')}" for name in _TALLIES)
        return f"events of {self._topic.topic}: {tally}"

    def _fail(self, number: int, failure: TillError) -> None:
        try:
            self._books.fail(number, str(failure), self._around.now())
        except DatabaseError:
            self._database.rollback()

    def _copy(self, number: int) -> None:
        self._ensure_table()
        cluster, log = self._topic.marks()
        shown = self._books.shown(self._job.name)
        if shown.store not in (None, cluster):
            raise PlanError(f"{self._job.name} has events of Kafka cluster {shown.store}, and this is {cluster}: name another table")
        places = self._kept.places(self._topic.topic)
        begins = {partition: self._begin(partition, places.get(partition), marks) for partition, marks in log.items()}
        ends = {partition: marks.high for partition, marks in log.items()}
        self._database.commit()
        for records in self._topic.batches(begins, ends):
            self._write(records, places)
            self._show(cluster, places)
            self._database.commit()
        self._show(cluster, places)
        changes = Changes("events", sum(place.tally["inserted"] for place in places.values()), self._done["inserted"])
        if self._done["records"]:
            self._books.end(number, Shown(cluster), changes, self._around.now())
        else:
            self._books.check(self._job.name, number, self._around.now())
        self._database.commit()

    def _show(self, cluster: str, places: dict[int, Place]) -> None:
        rows = sum(place.tally["inserted"] for place in places.values())
        self._books.show(self._job.name, Shown(cluster, declaration=f"{self._mart.view} of {self._topic.topic}"), rows, self._around.now())

    def _ensure_table(self) -> None:
        there = self._database.columns_of(self._job.target)
        wanted = [column.name for column in self._mart.columns]
        if there and there != wanted:
            raise PlanError(f"table {self._job.name} has the columns {', '.join(there)}, that of events has {', '.join(wanted)}: "
                            "name another")
        self._database.check_engine(self._job.target)
        if not there:  # what was read of it went with it
            self._kept.forget()
            self._database.commit()
            self._database.create(self._mart, self._table)
            self._database.commit()
        elif not self._kept.places(self._topic.topic) and self._database.query(f"SELECT 1 FROM {self._table} LIMIT 1"):
            raise PlanError(f"table {self._job.name} holds rows that no mart wrote: name another table, or empty it")

    def _begin(self, partition: int, place: Place | None, marks: Marks) -> int:
        if place is None:
            return marks.low
        where = f"{self._topic.topic}/{partition}"
        if place.next > marks.high:
            raise Gap(f"{where} ends at {marks.high}, and was read up to {place.next}: it was made anew; name another table")
        missing = f"{where}:{place.next}-{marks.low - 1}"
        if place.next < marks.low and missing not in self._job.accepted_gaps:
            raise Gap(f"Kafka no longer has {missing}, which was not read yet; to go on without it: --accept-gap {missing}")
        return max(place.next, marks.low)

    def _write(self, messages: Sequence[Any], places: dict[int, Place]) -> None:
        """The first record of a certificate decides, be it an event or a marker."""
        read = [(message, read_record(self._job.kind, message.partition(), message.offset(), message.key(), message.value()))
                for message in messages]
        known = self._known(record.certificate for _, record in read if record.certificate)
        rows: list[Row] = []
        markers: list[Record] = []
        for message, record in read:
            word = record.verdict.value
            if record.certificate:
                if record.certificate in known:
                    word = "duplicates"
                known.add(record.certificate)
            if word == Verdict.EVENT.value:
                rows.append(record.row)
            elif word == Verdict.MARKER.value:
                markers.append(record)
            place = places.setdefault(message.partition(), Place())
            place.next = message.offset() + 1
            place.tally.update([word, "records"])
            self._done.update([word, "records"])
        self._database.insert(self._mart, self._table, rows)
        self._kept.reject(markers)
        self._kept.save(self._topic.topic, {partition: places[partition] for partition in {each.partition() for each in messages}})

    def _known(self, certificates: Iterable[Row]) -> set[Row]:
        """Which of them are in the table, or were rejected."""
        asked = sorted(set(certificates))
        known: set[Row] = set()
        for at in range(0, len(asked), _KEYS_PER_QUERY):
            some = asked[at:at + _KEYS_PER_QUERY]
            known |= self._kept.find(self._table, "", (), some)
            known |= self._kept.find(self._database.quoted(REJECTED), "mart = %s AND ", (self._job.name,), some)
        return known


class _Kept:
    """The tables of places and of markers, for one mart."""

    def __init__(self, database: Database, books: Books, name: str) -> None:
        self._database, self._books, self._name = database, books, name
        self._offsets, self._rejected = database.quoted(OFFSETS), database.quoted(REJECTED)
        self._certificate = ", ".join(database.quote(column) for column in CERTIFICATE)

    def ensure(self) -> None:
        database = self._database
        mart, edge, kind = database.text_key(NAME_SIZE), database.text_key(64), database.text_key(16)
        tallies = ", ".join(f"{database.quote(name)} BIGINT NOT NULL" for name in _TALLIES)
        tables = {
            OFFSETS: f"mart {mart}, topic {database.text_key(249)}, kafka_partition BIGINT, next_offset BIGINT NOT NULL, {tallies}, "
                     "PRIMARY KEY (mart, topic, kafka_partition)",
            REJECTED: f"mart {mart}, edge {edge}, run BIGINT, kind {kind}, seq BIGINT, code {database.text_key(64)} NOT NULL, "
                      "PRIMARY KEY (mart, edge, run, kind, seq)",
        }
        for target, columns in tables.items():
            if not database.columns_of(target):
                self._books.make(target, [columns])
        database.commit()

    def forget(self) -> None:
        for table in (self._offsets, self._rejected):
            self._database.change(f"DELETE FROM {table} WHERE mart = %s", [self._name])

    def places(self, topic: str) -> dict[int, Place]:
        names = ", ".join(self._database.quote(name) for name in _TALLIES)
        rows = self._database.query(f"SELECT kafka_partition, next_offset, {names} FROM {self._offsets} WHERE mart = %s AND topic = %s",
                                    [self._name, topic])
        return {row[0]: Place(row[1], Counter(dict(zip(_TALLIES, row[2:], strict=True)))) for row in rows}

    def save(self, topic: str, places: dict[int, Place]) -> None:
        for partition in places:
            self._database.change(f"DELETE FROM {self._offsets} WHERE mart = %s AND topic = %s AND kafka_partition = %s",
                                  [self._name, topic, partition])
        marks = ", ".join(["%s"] * (4 + len(_TALLIES)))
        self._database.change_many(f"INSERT INTO {self._offsets} VALUES ({marks})", [
            (self._name, topic, partition, place.next, *(place.tally[name] for name in _TALLIES)) for partition, place in places.items()])

    def reject(self, markers: Sequence[Record]) -> None:
        self._database.change_many(f"INSERT INTO {self._rejected} VALUES (%s, %s, %s, %s, %s, %s)",
                                   [(self._name, *marker.certificate, marker.code[:64]) for marker in markers])

    def find(self, table: str, more: str, values: Row, certificates: Sequence[Row]) -> set[Row]:
        marks = ", ".join(["(%s, %s, %s, %s)"] * len(certificates))
        found = self._database.query(f"SELECT {self._certificate} FROM {table} WHERE {more}({self._certificate}) IN ({marks})",
                                     [*values, *(cell for certificate in certificates for cell in certificate)])
        return {tuple(row) for row in found}
