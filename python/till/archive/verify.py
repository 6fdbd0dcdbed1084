"""`till archive verify`: is everything there that the manifest says, is it what was written, and do the books add up? The counted sets are
made once more from the certificates in the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ..kafka import Partition, partition_text
from ..record import Stream
from . import files, rows
from .counted import CountedSets, Intervals
from .files import Damaged, File
from .manifest import Folder, State


def problems(root: Path) -> Iterator[str]:
    """One sentence each, as they are found."""
    folder = Folder(root)
    try:
        state = folder.load()
    except Damaged as error:
        yield str(error)
        return
    yield from state.damages
    yield from _books(state)
    yield from _extra(folder, state)
    sets, rows_of, aside_of = CountedSets(), Counter[Partition](), Counter[Partition]()
    is_whole = True
    for file in state.files.values():
        try:
            files.check(root, file)
        except FileNotFoundError:
            yield f"{root / file.path} is missing"
            is_whole = False
            continue
        except Damaged as error:
            yield str(error)
            is_whole = False
            continue
        yield from _file(root, file, sets, rows_of if file.kind else aside_of)
    if is_whole:
        yield from _sums(state, sets, rows_of, aside_of)


def _books(state: State) -> Iterator[str]:
    for part, at in sorted(state.partitions.items()):
        counts = at.counts
        parts = sum(counts[name] for name in ("archived", "duplicates", "foreign", "unreadable"))
        if counts["read"] != parts:
            yield f"{partition_text(part)}: {counts['read']} records were read, but {parts} were archived, repeated or set aside"
    archived = sum(at.counts["archived"] for at in state.partitions.values())
    counted = sum(intervals.size for intervals in state.sets.of.values())
    if archived != counted:
        yield f"{archived} records are archived, but the counted sets have {counted} seqs"


def _extra(folder: Folder, state: State) -> Iterator[str]:
    for path in sorted(folder.data_files()):
        if str(path.relative_to(folder.root)) not in state.files:
            yield f"{path} is not in the manifest: whoever reads folders instead of the manifest reads it, too"


def _file(root: Path, file: File, sets: CountedSets, counts: Counter[Partition]) -> Iterator[str]:
    names = rows.CERTIFICATE_COLUMNS if file.kind else ("topic", "partition", "offset")
    found: Counter[Partition] = Counter()
    for table in files.read(root, file, names):
        columns = {name: table[name].to_pylist() for name in names}
        found.update(zip(columns["topic"], columns["partition"], strict=True))
        if file.kind:
            for edge, run, stream, seq in zip(*(columns[name] for name in ("edge", "run", "stream", "seq")), strict=True):
                if not sets.add(Stream(edge, run, stream), seq):
                    yield f"{root / file.path} has {edge}, {run}, {stream}, {seq}, which is there already"
    sets.added.clear()
    counts.update(found)
    if found != {(span.topic, span.partition): span.rows for span in file.spans} or found.total() != file.rows:
        yield f"{root / file.path} has {found.total()} rows of other partitions than the manifest says, which has {file.rows}"


def _sums(state: State, sets: CountedSets, rows_of: Counter[Partition], aside_of: Counter[Partition]) -> Iterator[str]:
    for stream in sorted(sets.of.keys() | state.sets.of.keys()):
        in_files, in_manifest = sets.of.get(stream, Intervals()), state.sets.of.get(stream, Intervals())
        if in_files != in_manifest:
            yield (f"{stream.edge}, {stream.run}, {stream.kind}: the files have {in_files.size} seqs ({_shown(in_files)}), "
                   f"the manifest counts {in_manifest.size} ({_shown(in_manifest)})")
    for part, at in sorted(state.partitions.items()):
        if rows_of[part] != at.counts["archived"]:
            yield f"{partition_text(part)}: the files have {rows_of[part]} rows, the manifest counts {at.counts['archived']}"
        aside = at.counts["foreign"] + at.counts["unreadable"]
        if aside_of[part] != aside:
            yield f"{partition_text(part)}: the files have {aside_of[part]} records set aside, the manifest counts {aside}"


def _shown(intervals: Intervals) -> str:
    shown = [f"{first}-{last}" for first, last in intervals]
    return ", ".join(shown[:5]) + (" …" if len(shown) > 5 else "")
