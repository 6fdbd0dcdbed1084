"""Records become rows: each is judged once, by the rules of record.py and by the counted sets; what a commit takes waits here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import disk
from ..kafka import Partition
from ..record import Event, Foreign, Stream, Unreadable, read
from . import files, rows
from .counted import CountedSets
from .files import File
from .manifest import COUNTS, Change, Last
from .rows import Place

try:
    import pyarrow as pa  # type: ignore[import-untyped]
except ImportError as error:
    from ..command import NotInstalled
    raise NotInstalled("pyarrow", "archive") from error

_REASON_SIZE = 300
_PLACE_OVERHEAD = 300  # bytes of a row beside its record, about


@dataclass
class Collector:
    """What was read since the last commit."""

    sets: CountedSets
    kinds: dict[str, str]  # of topics
    row_batches: list[Any] = field(default_factory=list)
    aside_batches: list[Any] = field(default_factory=list)
    ranges: dict[Partition, tuple[int, int]] = field(default_factory=dict)
    counts: dict[Partition, dict[str, int]] = field(default_factory=dict)
    last: dict[Partition, Last] = field(default_factory=dict)
    read: int = 0
    bytes: int = 0

    def take(self, places: Sequence[Place]) -> None:
        """Records in the order of each partition."""
        events: list[Event] = []
        streams: list[Stream] = []
        kept: list[Place] = []
        reasons: list[tuple[str, str]] = []
        aside: list[Place] = []
        part: Partition = ("", -1)
        counts: dict[str, int] = {}
        place = places[0] if places else None
        for following in places:
            if following.partition != part[1] or following.topic != part[0]:
                self._end(part, place)
                part = (following.topic, following.partition)
                counts = self._begin(part, following)
            place = following
            counts["read"] += 1
            self.bytes += len(place.value or b"") + _PLACE_OVERHEAD
            try:
                stream, event = read(self.kinds[place.topic], place.key, place.value, place.headers)
            except Foreign as error:
                counts["foreign"] += 1
                reasons.append(("foreign", str(error)[:_REASON_SIZE]))
                aside.append(place)
            except Unreadable as error:
                counts["unreadable"] += 1
                reasons.append(("unreadable", _plain(error)))
                aside.append(place)
            else:
                if self.sets.add(stream, event.seq):
                    counts["archived"] += 1
                    events.append(event)
                    streams.append(stream)
                    kept.append(place)
                else:
                    counts["duplicates"] += 1
        self._end(part, place)
        self.read += len(places)
        if events:
            self.row_batches.append(rows.batch_of_rows(events, streams, kept))
        if aside:
            self.aside_batches.append(rows.batch_of_aside(reasons, aside))

    def _begin(self, part: Partition, place: Place) -> dict[str, int]:
        """Records of a partition follow; what is counted of them."""
        self.begin_at(part, place.offset)
        return self.counts.setdefault(part, dict.fromkeys(COUNTS, 0))

    def _end(self, part: Partition, place: Place | None) -> None:
        """This was the last of them, for now."""
        if place is not None and part[1] >= 0:
            self.reach(part, place.offset + 1)
            self.last[part] = Last(place.offset, place.appended, place.key, place.value)

    def begin_at(self, part: Partition, offset: int) -> None:
        """The first offset that was asked for: what lies between it and the first record is no record."""
        if part not in self.ranges:
            self.ranges[part] = (offset, offset)

    def reach(self, part: Partition, following: int) -> None:
        """Nothing is left to read below: aborted and compacted records have offsets, too."""
        first, known = self.ranges[part]
        self.ranges[part] = (first, max(known, following))

    def is_empty(self) -> bool:
        return all(first == following for first, following in self.ranges.values())

    def change(self) -> Change:
        """What the manifest shall say, but for the files."""
        moved = {part: span for part, span in self.ranges.items() if span[0] != span[1]}
        return Change(ranges=moved, counts=self.counts, last=self.last, counted=self.sets.take_added())


def _plain(error: Exception) -> str:
    """Words that any file can hold: the bytes that could not be read may be in them."""
    return str(error).encode("utf-8", "replace").decode()[:_REASON_SIZE].replace("\0", "?")


def write_files(root: Path, number: int, suffix: str, epoch: int, collector: Collector) -> list[File]:
    """The files of a commit, each on the disk under its name. On a failure none is left."""
    written: list[File] = []
    try:
        if collector.row_batches:
            table = rows.sorted_rows(pa.Table.from_batches(collector.row_batches), "kind", "day")
            for kind, day, part in _days(table):
                path = f"data/kind={kind}/day={day}/part-{number:010}-{len(written)}.{suffix}"
                written.append(files.write(root, path, part, kind, day, epoch))
        if collector.aside_batches:
            table = rows.sorted_rows(pa.Table.from_batches(collector.aside_batches), "day")
            for _, day, part in _days(table):
                path = f"aside/day={day}/part-{number:010}-{len(written)}.{suffix}"
                written.append(files.write(root, path, part, "", day, epoch))
        settle(root, written)
    except BaseException:
        discard(root, written)
        raise
    return written


def _days(table: Any) -> list[tuple[str, str, Any]]:
    """(kind, day, rows) of rows in that order."""
    names = [name for name in ("kind", "day") if name in table.schema.names]
    found = table.select(names).group_by(names, use_threads=False).aggregate([([], "count_all")])
    parts, begin = [], 0
    for row in sorted(found.to_pylist(), key=lambda row: [row[name] for name in names]):
        parts.append((row.get("kind", ""), rows.day_text(row["day"]), table.slice(begin, row["count_all"])))
        begin += row["count_all"]
    return parts


def settle(root: Path, written: Sequence[File]) -> None:
    """Their names are on the disk, too."""
    for folder in sorted({(root / file.path).parent for file in written}):
        disk.sync_folder(folder)


def discard(root: Path, written: Sequence[File]) -> None:
    for file in written:
        (root / file.path).unlink(missing_ok=True)
