"""`till archive cat`: the archived records as one stream of msgpack values, for `till-aggregator --rebuild --archive -`. Memory is bounded
by the files whose offsets overlap in a partition, a row group each; nothing is read before it is its turn."""

from __future__ import annotations

import heapq
import resource
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]

from ..errors import TillError
from ..kafka import Partition, partition_text
from . import files, rows
from .files import Damaged, File, Span
from .manifest import Folder, NeedsDecision, Position, State

_LEFT_OUT = ("duplicates", "foreign", "unreadable")
_TRIES = 10


def head(state: State, begin: Mapping[Partition, int], epoch: int) -> dict[str, Any]:
    """What lies below a partition's next offset is in the stream, or counted here; but for what was not asked for."""
    def counted(part: Partition, at: Position) -> dict[str, Any]:
        told: dict[str, Any] = {name: at.counts[name] for name in _LEFT_OUT}
        if epoch == state.epoch == 0:  # else they are the sums of several logs
            told["archived"] = at.counts["archived"]
        if begin.get(part):
            told["from"] = begin[part]
        place = f"{partition_text(part)}:"
        gaps = [[int(each) for each in text.removeprefix(place).split("-")] for text in state.gaps if text.startswith(place)]
        return told | ({"gaps": gaps} if gaps else {})

    return {"till_archive": 1, "cluster": state.cluster,
            "partitions": [[part[0], part[1], at.next, counted(part, at), *_last(at)] for part, at in sorted(state.partitions.items())]}


def _last(at: Position) -> list[Any]:
    return [at.last.offset, at.last.value, at.last.appended or 0] if at.last else [None, None, None]


def _raise_descriptors() -> None:
    """A day's file each may be open, of years."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Reader:
    """The records of a state of the archive, partition by partition, by rising offset."""

    def __init__(self, folder: Folder, epoch: int | None = None) -> None:
        self.folder = folder
        self.state = folder.load()
        if epoch is None and self.state.epoch > 0:
            raise NeedsDecision(f"{folder.root}: the log began anew {self.state.epoch} times, and its offsets with it: {self.state.gaps}. "
                                f"A stream has one log: ask for --epoch 0 … {self.state.epoch}, of which the last is the log of today")
        self.epoch = self.state.epoch if epoch is None else epoch
        self.checked: set[str] = set()

    def spans(self) -> dict[Partition, list[tuple[Span, File]]]:
        found: dict[Partition, list[tuple[Span, File]]] = {}
        for file in self.state.files.values():
            if file.kind and file.epoch == self.epoch:
                for span in file.spans:
                    found.setdefault((span.topic, span.partition), []).append((span, file))
        return found

    def records(self, begin: Mapping[Partition, int]) -> Iterator[list[Any]]:
        """[topic, partition, offset, timestamp, key, value, headers] of every partition. A compaction may take files away meanwhile: what
        follows is then read from those that took their place."""
        following = dict(begin)
        for part in sorted(self.spans()):
            for left in range(_TRIES, 0, -1):
                try:
                    for record in self._of(part, following.get(part, 0)):
                        following[part] = record[2] + 1
                        yield record
                    break
                except FileNotFoundError:
                    newer = self.folder.load()
                    if left == 1 or newer.number == self.state.number:
                        raise
                    self._move_to(newer)

    def _move_to(self, newer: State) -> None:
        """Files of the newer state, but nothing that was read after the head was written."""
        self.state.files = newer.files

    def _of(self, part: Partition, begin: int) -> Iterator[list[Any]]:
        end = self.state.partitions[part].next if self.epoch == self.state.epoch else 2**63
        waiting = [(max(span.first, begin), number, span, file) for number, (span, file) in enumerate(self.spans().get(part, ()))
                   if span.last >= begin and span.first < end]
        heapq.heapify(waiting)
        at = begin - 1
        opened: dict[int, Iterator[list[Any]]] = {}
        ahead: dict[int, list[Any]] = {}
        while waiting:
            _, number, span, file = heapq.heappop(waiting)
            if number not in opened:
                opened[number] = self._of_file(span, file, begin)
                record = next(opened[number], None)
            else:
                record = ahead.pop(number)
            limit = waiting[0][0] if waiting else 2**63
            while record is not None and record[2] <= limit:
                if record[2] >= end:
                    record = None
                    break
                if record[2] <= at:
                    raise Damaged(f"{self.folder.root / file.path} has {partition_text(part)} at {record[2]}, and another file has it, too")
                at = record[2]
                yield record
                record = next(opened[number], None)
            if record is None:
                del opened[number]
            else:
                ahead[number] = record
                heapq.heappush(waiting, (record[2], number, span, file))

    def _of_file(self, span: Span, file: File, begin: int) -> Iterator[list[Any]]:
        if file.path not in self.checked:
            files.check(self.folder.root, file)
            self.checked.add(file.path)
        for table in files.read(self.folder.root, file, rows.STREAM_COLUMNS, span):
            columns = [rows.milliseconds(table[name]) if name == "appended" else table[name].to_pylist()
                       for name in rows.STREAM_COLUMNS]
            for topic, partition, offset, appended, key, value, headers in zip(*columns, strict=True):
                if offset >= begin:
                    yield [topic, partition, offset, appended or 0, key, value, dict(headers) if headers else None]


def write(root: Path, begin: Mapping[Partition, int], epoch: int | None, out: Any) -> int:
    """The whole stream; how many records."""
    _raise_descriptors()
    reader = Reader(Folder(root), epoch)
    unknown = sorted(set(begin) - reader.state.partitions.keys())
    if unknown:
        there = ", ".join(map(partition_text, sorted(reader.state.partitions)))
        raise TillError(f"{root} has no {partition_text(unknown[0])}; it has {there}")
    packer = msgpack.Packer(autoreset=False)
    packer.pack(head(reader.state, begin, reader.epoch))
    count = 0
    for record in reader.records(begin):
        packer.pack(record)
        count += 1
        if count % 1024 == 0:
            out.write(packer.getbuffer())
            packer.reset()
    _expect(reader.state, begin, reader.epoch, count)
    packer.pack({"end": True, "records": count})
    out.write(packer.getbuffer())
    out.flush()
    return count


def _expect(state: State, begin: Mapping[Partition, int], epoch: int, count: int) -> None:
    """Where nothing was skipped, the manifest knows how many there are."""
    archived = sum(at.counts["archived"] for at in state.partitions.values())
    if not begin and epoch == state.epoch == 0 and count != archived:
        raise Damaged(f"the manifest counts {archived} archived records, the files have {count}")


def begins(texts: Sequence[str]) -> dict[Partition, int]:
    """orders/3:1200 of --from."""
    found = {}
    for text in texts:
        place, _, offset = text.rpartition(":")
        topic, _, number = place.rpartition("/")
        if not topic or not number.isdecimal() or not offset.isdecimal():
            raise ValueError(f"--from {text!r} is no place in the log, such as orders/3:1200")
        found[topic, int(number)] = int(offset)
    return found
