"""`till archive run`: reads the log, and commits what it read every so often. A manifest is the commit; whatever happens before it is on
the disk never was, for the next start reads from where the manifest ends."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..command import Stop
from ..errors import NotReached, TillError
from ..kafka import Moved, Partition
from . import collect, log
from .compact import compact
from .log import Log, Recreated
from .manifest import Folder, State

_LOOK_S = 10.0  # for new topics and partitions
_RESTARTS = 5


@dataclass(frozen=True)
class Plan:
    """What `run` shall do. `kinds` of topics; `compact_s` None: never."""

    brokers: str
    kinds: Mapping[str, str]
    suffix: str = "parquet"
    every_s: float = 60.0
    rows: int = 500_000
    bytes: int = 256 * 1024 * 1024
    once: bool = False
    compact_s: float | None = None
    compact_bytes: int = 128 * 1024 * 1024
    accepted: Sequence[str] = ()
    settings: Mapping[str, str] | None = None
    timeout_s: float = 30.0


@dataclass
class Done:
    """What a run did, for those who look."""

    commits: int = 0
    records: int = 0
    seconds: float = 0.0


Say = Callable[[str], None]


class Restart(Exception):
    """Begin anew with what the manifest says now."""


class Archiver:
    """One life of a writer; the caller has the lock."""

    def __init__(self, folder: Folder, plan: Plan, say: Say) -> None:
        self.folder, self.plan, self.say = folder, plan, say
        self.state: State = folder.open()
        self.log = Log(plan.brokers, list(plan.kinds), plan.settings or {}, plan.timeout_s)
        self.collector = self._new_collector()
        self.ends: dict[Partition, int] = {}  # where `once` stops
        self.done = Done()

    def _new_collector(self) -> collect.Collector:
        return collect.Collector(self.state.sets, dict(self.plan.kinds))

    def close(self) -> None:
        self.log.close()

    def begin(self) -> None:
        """Judges the log, and reads from where the manifest ends."""
        report = self.log.report()
        verdict = log.judge(self.state, report, self.plan.accepted)
        change = log.opening(self.state, report, verdict)
        if change is not None:
            self.folder.commit(self.state, change, _now())
        for topic in self.plan.kinds:
            if topic not in report.topics:
                self.say(f"there is no topic {topic} yet" + ("" if self.plan.once else "; looking for it again"))
        self._read(verdict.start, report)
        self.ends = log.ends_of(report, verdict.start)

    def _read(self, start: Mapping[Partition, int], report: log.Report) -> None:
        for part, at in start.items():
            self.collector.begin_at(part, at)
        for words in self.log.read_from(start, self.state.partitions, report.marks):
            self.say(words)

    def look(self) -> None:
        """Takes up topics and partitions that are new."""
        report = self.log.report(but=self.log.reader.assigned)
        if not report.marks:
            return
        known = {part: at for part, at in self.state.partitions.items() if part in report.marks}
        verdict = log.judge(State(cluster=self.state.cluster, partitions=known), report, self.plan.accepted)
        self.commit()
        change = log.opening(self.state, report, verdict)
        if change is not None:
            self.folder.commit(self.state, change, _now())
        self._read(verdict.start, report)

    def step(self) -> int:
        """Takes what has come; how many records."""
        try:
            places = self.log.poll()
        except (Moved, Recreated) as moved:
            self.commit()
            self._decide(moved)
            return 0
        self.collector.take(places)
        for part, end in self.log.reader.ends.items():
            self.collector.reach(part, end)
        self.done.records += len(places)
        return len(places)

    def _decide(self, moved: Moved | Recreated) -> None:
        """The log moved away beneath the reader: what is missing is said, or was accepted before; then it is read anew."""
        report = self.log.report()
        verdict = log.judge(self.state, report, self.plan.accepted, [moved.topic] if isinstance(moved, Recreated) else ())
        change = log.opening(self.state, report, verdict)
        if change is not None:
            self.folder.commit(self.state, change, _now())
        raise Restart(f"Kafka has other records than before at {moved}")

    def is_full(self) -> bool:
        return self.collector.read >= self.plan.rows or self.collector.bytes >= self.plan.bytes

    def has_all(self) -> bool:
        """Was everything read that the log held at the start?"""
        return all(self.collector.ranges[part][1] >= end or part in self.log.reader.ends for part, end in self.ends.items())

    def commit(self) -> None:
        """Files, then the manifest. Nothing to do: nothing is done."""
        collector = self.collector
        if collector.is_empty():
            return
        number = self.state.number + 1
        change = collector.change()
        change.add = collect.write_files(self.folder.root, number, self.plan.suffix, self.state.epoch, collector)
        try:
            self.folder.commit(self.state, change, _now())
        except OSError:
            if not self.folder.delta(number).exists():
                collect.discard(self.folder.root, change.add)
            raise
        self.done.commits += 1
        self.collector = self._new_collector()
        for part, (_, following) in collector.ranges.items():
            self.collector.begin_at(part, following)


def _now() -> datetime:
    return datetime.now(UTC)


def run(root: Path, plan: Plan, stop: Stop, say: Say) -> Done:
    """Until stopped, or until the log's end."""
    folder = Folder(root)
    total = Done()
    with folder.locked():
        for left in range(_RESTARTS, 0, -1):
            archiver = Archiver(folder, plan, say)
            try:
                _loop(archiver, plan, stop)
                break
            except Restart as restart:
                if left == 1:
                    raise TillError(str(restart)) from restart
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise TillError(f"{root}: the disk is full; nothing of this commit is kept, {archiver.collector.read} records will be read "
                                "again once there is room") from error
            finally:
                archiver.close()
                total.commits += archiver.done.commits
                total.records += archiver.done.records
                total.seconds += archiver.done.seconds
    return total


def _loop(archiver: Archiver, plan: Plan, stop: Stop) -> None:
    begun = time.monotonic()
    archiver.begin()
    committed = looked = compacted = moved = time.monotonic()
    while not stop and not (plan.once and archiver.has_all()):
        now = time.monotonic()
        if archiver.step():
            moved = now
        if plan.once and now - moved > plan.timeout_s:
            archiver.commit()
            raise NotReached(f"Kafka at {plan.brokers}", plan.timeout_s)
        if archiver.is_full() or (now - committed >= plan.every_s and not plan.once):
            archiver.commit()
            committed = now
        if not plan.once and now - looked >= _LOOK_S:
            looked = now
            _look(archiver)
        if plan.compact_s is not None and now - compacted >= plan.compact_s:
            archiver.commit()
            compact(archiver.folder, archiver.state, plan.compact_bytes, _now)
            compacted = now
    archiver.commit()
    archiver.done.seconds = time.monotonic() - begun


def _look(archiver: Archiver) -> None:
    try:
        archiver.look()
    except NotReached as error:  # the consumer goes on by itself once Kafka is there again
        archiver.say(str(error))
