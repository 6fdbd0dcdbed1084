"""`till archive compact`: small files of one kind and day become one. A manifest makes the new file take the place of the old ones, which
are deleted after it; a writer that is killed in between leaves what the next one takes away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from ..command import NotInstalled
from . import collect, files, rows
from .files import File
from .manifest import Change, Folder, State

try:
    import pyarrow as pa  # type: ignore[import-untyped]
except ImportError as error:
    raise NotInstalled("pyarrow", "archive") from error

_FILES_A_COMMIT = 64


@dataclass
class Compacted:
    before: int = 0
    after: int = 0


def groups(state: State, bytes_most: int) -> Iterator[list[File]]:
    """Files that become one: of one kind, day, format and epoch, together not larger than that; in the order of the log. Pure."""
    def where(file: File) -> tuple[str, str, str, int]:
        return file.kind, file.day, file.format, file.epoch

    for _, found in groupby(sorted(state.files.values(), key=lambda file: (*where(file), file.path)), where):
        group: list[File] = []
        for file in found:
            if group and sum(each.bytes for each in group) + file.bytes > bytes_most:
                if len(group) > 1:
                    yield group
                group = []
            group.append(file)
        if len(group) > 1:
            yield group


def compact(folder: Folder, state: State, bytes_most: int, now: Callable[[], datetime]) -> Compacted:
    """The caller has the lock."""
    done = Compacted()
    pending = list(groups(state, bytes_most))
    while pending:
        part, pending = pending[:_FILES_A_COMMIT], pending[_FILES_A_COMMIT:]
        done.before += sum(map(len, part))
        done.after += len(part)
        _replace(folder, state, part, now)
    return done


def _replace(folder: Folder, state: State, part: list[list[File]], now: Callable[[], datetime]) -> None:
    written: list[File] = []
    number = state.number + 1
    try:
        for group in part:
            written.append(_join(folder.root, group, number, len(written)))
        collect.settle(folder.root, written)
        old = [file.path for group in part for file in group]
        folder.commit(state, Change(add=written, remove=old), now())
    except BaseException:
        if not folder.delta(number).exists():
            collect.discard(folder.root, written)
        raise
    for path in old:
        (folder.root / path).unlink(missing_ok=True)


def _join(root: Path, group: list[File], number: int, index: int) -> File:
    first = group[0]
    schema = rows.ROWS if first.kind else rows.ASIDE
    parts = []
    for file in group:
        files.check(root, file)
        parts += [table.select(schema.names) for table in files.read(root, file, schema.names)]
    table = rows.sorted_rows(pa.concat_tables(parts))
    if len(table) != sum(file.rows for file in group):
        raise files.Damaged(f"{root / first.path} and those beside it have {len(table)} rows, the manifest says otherwise")
    path = f"{Path(first.path).parent}/part-{number:010}-{index}.{first.format}"
    return files.write(root, path, table, first.kind, first.day, first.epoch)
