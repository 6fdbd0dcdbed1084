"""What is in the archive: a chain of numbered manifests, of which each is one commit. A manifest says what was read (offset ranges), what
was written (files with their checksums), what was counted (seqs that are new) and bears a checksum of its own and of the one before. A
checkpoint is the sum of all up to its number, so that neither a start nor the folder grows with every commit."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import disk
from ..errors import TillError
from ..kafka import Partition, partition_text
from ..record import Stream
from . import files
from .counted import CountedSets, Intervals
from .files import Damaged, File

VERSION = 1
COUNTS = ("read", "archived", "duplicates", "foreign", "unreadable")
_NAME = re.compile(r"([0-9]{10})(\.checkpoint)?\.json")
_PART = re.compile(r"part-([0-9]{10})-[0-9]+\.(parquet|ndjson)")
_CHECKPOINT_BYTES_LEAST = 64 * 1024
_CHECKPOINT_DELTAS_MOST = 500
_TRIES = 10


class NeedsDecision(TillError):
    """Going on is for a person to decide; exit code 4."""


class InUse(TillError):
    """Somebody else writes into this archive."""


class NoArchive(TillError):
    """There is no manifest in this folder."""


@dataclass(frozen=True)
class Last:
    """The last record that was read of a partition, archived or not: is it still the same log?"""

    offset: int
    appended: int | None
    key: bytes | None
    value: bytes | None

    def as_json(self) -> list[Any]:
        return [self.offset, self.appended, *(None if part is None else base64.b64encode(part).decode() for part in (self.key, self.value))]

    @classmethod
    def from_json(cls, said: Sequence[Any]) -> Last:
        key, value = (None if part is None else base64.b64decode(part) for part in said[2:])
        return cls(said[0], said[1], key, value)


@dataclass
class Position:
    """Of a partition: it was read from `begin` up to `next`; what was read is what the counts say."""

    begin: int = 0
    next: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    last: Last | None = None


def partition_of(text: str) -> Partition:
    topic, _, number = text.rpartition("/")
    return topic, int(number)


@dataclass
class Change:
    """One commit, before it has a number. `ranges` are what was read: first and next offset, by partition."""

    ranges: dict[Partition, tuple[int, int]] = field(default_factory=dict)
    counts: dict[Partition, dict[str, int]] = field(default_factory=dict)
    last: dict[Partition, Last] = field(default_factory=dict)
    add: list[File] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    counted: dict[Stream, Intervals] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    cluster: str | None = None
    topics: dict[str, str | None] = field(default_factory=dict)
    is_new_log: list[str] = field(default_factory=list)  # topics that begin anew at 0


@dataclass
class State:
    """The sum of all manifests."""

    number: int = 0
    head: str = ""  # checksum of the manifest of that number
    cluster: str = ""
    epoch: int = 0
    topics: dict[str, str | None] = field(default_factory=dict)
    partitions: dict[Partition, Position] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    sets: CountedSets = field(default_factory=CountedSets)
    gaps: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)  # what the last compaction replaced
    damages: list[str] = field(default_factory=list)  # of checkpoints that were not needed
    deltas: int = 0  # since the last checkpoint
    delta_bytes: int = 0
    checkpoint_bytes: int = 0


# JSON of both kinds.


def _counted_json(sets: Mapping[Stream, Intervals]) -> list[Any]:
    return [[stream.edge, stream.run, stream.kind, [list(interval) for interval in intervals]]
            for stream, intervals in sorted(sets.items(), key=lambda item: item[0])]


def _partition_json(first: int, following: int, counts: Mapping[str, int], last: Last | None) -> dict[str, Any]:
    return {"range": [first, following], "counts": dict(counts), "last": last.as_json() if last else None}


def delta_json(state: State, change: Change, at: datetime) -> dict[str, Any]:
    return {"till_archive": VERSION, "number": state.number + 1, "previous": state.head, "at": at.astimezone(UTC).isoformat(),
            "cluster": change.cluster, "topics": change.topics, "new_log": change.is_new_log, "gaps": change.gaps,
            "partitions": {partition_text(part): _partition_json(*change.ranges[part], change.counts.get(part, {}), change.last.get(part))
                           for part in sorted(change.ranges)},
            "add": [file.as_json() for file in change.add], "remove": change.remove, "counted": _counted_json(change.counted)}


def checkpoint_json(state: State, at: datetime) -> dict[str, Any]:
    return {"till_archive": VERSION, "number": state.number, "head": state.head, "at": at.astimezone(UTC).isoformat(),
            "cluster": state.cluster, "epoch": state.epoch, "topics": state.topics, "gaps": state.gaps,
            "partitions": {partition_text(part): _partition_json(at.begin, at.next, at.counts, at.last)
                           for part, at in sorted(state.partitions.items())},
            "files": [file.as_json() for file in state.files.values()], "retired": state.retired, "counted": _counted_json(state.sets.of)}


def sealed(body: Mapping[str, Any]) -> tuple[bytes, str]:
    """A line of JSON, and a line with its checksum."""
    line = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    digest = hashlib.sha256(line).hexdigest()
    return line + digest.encode() + b"\n", digest


def unsealed(path: Path) -> tuple[dict[str, Any], str, int]:
    """(body, checksum, size); raises Damaged."""
    content = path.read_bytes()
    line, _, seal = content.partition(b"\n")
    digest = hashlib.sha256(line + b"\n").hexdigest()
    if seal != digest.encode() + b"\n":
        raise Damaged(f"{path} is damaged: its checksum is not that of its content")
    body: dict[str, Any] = json.loads(line)
    if body.get("till_archive") != VERSION:
        raise Damaged(f"{path} is of version {body.get('till_archive')}, this program reads {VERSION}")
    return body, digest, len(content)


def _count(state: State, said: Sequence[Any]) -> None:
    edge, run, kind, intervals = said
    if not state.sets.merge(Stream(edge, run, kind), [(first, last) for first, last in intervals]):
        raise Damaged(f"manifest {state.number} counts seqs of {edge}, {run}, {kind} again")


def apply_checkpoint(body: Mapping[str, Any]) -> State:
    state = State(body["number"], body["head"], body["cluster"], body["epoch"], dict(body["topics"]), gaps=list(body["gaps"]),
                  retired=list(body["retired"]))
    for text, said in body["partitions"].items():
        last = Last.from_json(said["last"]) if said["last"] else None
        state.partitions[partition_of(text)] = Position(said["range"][0], said["range"][1], dict(said["counts"]), last)
    state.files = {said["path"]: File.from_json(said) for said in body["files"]}
    for said in body["counted"]:
        _count(state, said)
    return state


def apply_delta(state: State, body: Mapping[str, Any], digest: str) -> None:
    if body["number"] != state.number + 1 or body["previous"] != state.head:
        raise Damaged(f"manifest {body['number']} does not follow manifest {state.number}")
    state.number, state.head = body["number"], digest
    state.cluster = body["cluster"] or state.cluster
    state.topics.update(body["topics"])
    state.gaps += body["gaps"]
    if body["new_log"]:
        state.epoch += 1
        for part in [part for part in state.partitions if part[0] in body["new_log"]]:
            old = state.partitions[part]
            state.partitions[part] = Position(0, 0, old.counts)
    for text, said in body["partitions"].items():
        _advance(state, text, said)
    for path in body["remove"]:
        del state.files[path]
    if body["remove"]:
        state.retired = list(body["remove"])
    for said in body["add"]:
        file = File.from_json(said)
        state.files[file.path] = file
    for said in body["counted"]:
        _count(state, said)


def _advance(state: State, text: str, said: Mapping[str, Any]) -> None:
    first, following = said["range"]
    part = partition_of(text)
    known = state.partitions.get(part)
    if known is None:
        known = state.partitions[part] = Position(first, first)
    if first != known.next and f"{text}:{known.next}-{first - 1}" not in state.gaps:
        raise Damaged(f"manifest {state.number} begins {text} at {first}, but the one before ends at {known.next}")
    known.next = following
    for name, count in said["counts"].items():
        known.counts[name] += count
    known.last = Last.from_json(said["last"]) if said["last"] else known.last


# The folder.


class Folder:
    """An archive's folder: what it says, and the only way to make it say more."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifests = root / "manifest"

    def load(self) -> State:
        """The newest state. A writer may take old manifests away meanwhile: then it is read again."""
        for left in range(_TRIES, 0, -1):
            try:
                return self._load()
            except FileNotFoundError:
                if left == 1:
                    raise
        raise AssertionError

    def _names(self) -> tuple[list[int], list[int]]:
        """Numbers of deltas and of checkpoints, rising."""
        found = [_NAME.fullmatch(path.name) for path in self.manifests.iterdir()] if self.manifests.is_dir() else []
        deltas = sorted(int(name[1]) for name in found if name and not name[2])
        return deltas, sorted(int(name[1]) for name in found if name and name[2])

    def _load(self) -> State:
        deltas, checkpoints = self._names()
        if not deltas and not checkpoints:
            raise NoArchive(f"{self.root} holds no archive: there is no manifest in {self.manifests}")
        state, damages = State(), []
        for number in reversed(checkpoints):
            try:
                body, _, size = unsealed(self.checkpoint(number))
                state = apply_checkpoint(body)
                state.checkpoint_bytes = size
                break
            except Damaged as error:
                damages.append(str(error))
        state.damages = damages
        for number in range(state.number + 1, (deltas[-1] if deltas else 0) + 1):
            if number not in deltas:
                raise Damaged(f"{self.delta(number)} is missing" + "".join(f"; {damage}" for damage in damages))
            body, digest, size = unsealed(self.delta(number))
            apply_delta(state, body, digest)
            state.deltas, state.delta_bytes = state.deltas + 1, state.delta_bytes + size
        return state

    def delta(self, number: int) -> Path:
        return self.manifests / f"{number:010}.json"

    def checkpoint(self, number: int) -> Path:
        return self.manifests / f"{number:010}.checkpoint.json"

    def commit(self, state: State, change: Change, at: datetime) -> None:
        """Once this returns, the change is in the archive; until then nothing of it is. The caller has the lock."""
        body = delta_json(state, change, at)
        content, digest = sealed(body)
        files.make_folders(self.manifests)
        files.write_whole(self.delta(body["number"]), content)
        disk.sync_folder(self.manifests)
        apply_delta(state, {**body, "counted": []}, digest)  # its sets are in memory already
        state.deltas, state.delta_bytes = state.deltas + 1, state.delta_bytes + len(content)
        if state.deltas >= _CHECKPOINT_DELTAS_MOST or state.delta_bytes > max(_CHECKPOINT_BYTES_LEAST, state.checkpoint_bytes):
            self.write_checkpoint(state, at)

    def write_checkpoint(self, state: State, at: datetime) -> None:
        """And forget what the one before does not need; that one stays, should this be damaged one day."""
        content, _ = sealed(checkpoint_json(state, at))
        files.write_whole(self.checkpoint(state.number), content)
        disk.sync_folder(self.manifests)
        state.deltas, state.delta_bytes, state.checkpoint_bytes = 0, 0, len(content)
        deltas, checkpoints = self._names()
        if len(checkpoints) < 2:
            return
        for number in checkpoints[:-2]:
            self.checkpoint(number).unlink()
        for number in deltas:
            if number <= checkpoints[-2]:
                self.delta(number).unlink()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """By one writer at a time."""
        files.make_folders(self.root)
        with (self.root / "lock").open("a", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = (self.root / "lock").read_text(encoding="ascii").strip()
                raise InUse(f"{self.root} is being written by another process ({holder or 'of unknown number'}); one archive has one "
                            "writer, and compaction is one") from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def open(self) -> State:
        """The newest state, for a writer: what a killed one left behind is taken away first."""
        try:
            state = self.load()
        except NoArchive:
            state = State()
        self.clean(state)
        return state

    def data_files(self) -> Iterator[Path]:
        for name in ("data", "aside"):
            for folder, _, names in os.walk(self.root / name):
                yield from (Path(folder) / each for each in names)

    def clean(self, state: State) -> list[str]:
        """Takes away what no manifest names because its writer was killed: temporary files, files of the commit that never was, and
        files that a compaction has replaced. Anything else that looks like ours is no such thing: somebody must decide."""
        gone: dict[str, Path] = {}
        retired = set(state.retired) - state.files.keys()
        for path in [*self.data_files(), *(self.manifests.iterdir() if self.manifests.is_dir() else ())]:
            name = str(path.relative_to(self.root))
            part = _PART.fullmatch(path.name)
            if files.is_temporary(path) or name in retired or (
                    part and name not in state.files and int(part[1]) == state.number + 1):
                gone[name] = path
            elif part and name not in state.files:
                raise NeedsDecision(f"{path} is of commit {int(part[1])}, but the manifest ends at {state.number} and does not name it: is "
                                    "the manifest an old copy? Put the right one in its place, or take that file away")
        for path in gone.values():
            path.unlink()
        return list(gone)

