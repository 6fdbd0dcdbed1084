"""Files of the archive: written beside their place, on the disk before they are named, read back in the order of the log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import disk
from ..command import NotInstalled
from ..errors import TillError
from . import rows

try:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]
except ImportError as error:
    raise NotInstalled("pyarrow", "archive") from error

ROW_GROUP_ROWS = 32 * 1024
_GROUP_ROWS_LEAST = 2048  # a partition's rows begin a row group of their own, but for tiny ones
_TEMPORARY = ".writing-"
_NO_DICTIONARY = ("record", "offset", "seq", "ts", "appended", "extra")
_CHUNK = 1 << 20


class Damaged(TillError):
    """A file is not what the manifest says of it."""


@dataclass(frozen=True)
class Span:
    """What a file has of a partition: rows from `begin` on, of offsets `first` to `last`."""

    topic: str
    partition: int
    first: int
    last: int
    begin: int
    rows: int


@dataclass(frozen=True)
class File:
    """As the manifest names it. `epoch` counts how often the log began anew: offsets mean something within one."""

    path: str  # from the archive's folder
    kind: str  # of events; "" of what was set aside
    day: str
    rows: int
    bytes: int
    sha256: str
    epoch: int
    spans: tuple[Span, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        return {"path": self.path, "kind": self.kind, "day": self.day, "rows": self.rows, "bytes": self.bytes, "sha256": self.sha256,
                "epoch": self.epoch, "spans": [[s.topic, s.partition, s.first, s.last, s.begin, s.rows] for s in self.spans]}

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> File:
        return cls(**{**said, "spans": tuple(Span(*span) for span in said["spans"])})

    @property
    def format(self) -> str:
        return self.path.rpartition(".")[2]


def make_folders(folder: Path) -> None:
    """With every name on the disk, up to what was there."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    disk.sync_folder(folder.parent)


def write_whole(path: Path, content: Any) -> None:
    """The bytes are on the disk before the name is; the caller puts the folder there."""
    disk.replace_whole(path, content, path.with_name(_TEMPORARY + path.name))


def is_temporary(path: Path) -> bool:
    return path.name.startswith(_TEMPORARY)


def spans_of(table: Any) -> tuple[Span, ...]:
    """Of rows in the order of the log."""
    found = table.select(["topic", "partition", "offset"]).group_by(["topic", "partition"], use_threads=False).aggregate(
        [("offset", "min"), ("offset", "max"), ("offset", "count")])
    spans, begin = [], 0
    for row in sorted(found.to_pylist(), key=lambda row: (row["topic"], row["partition"])):
        spans.append(Span(row["topic"], row["partition"], row["offset_min"], row["offset_max"], begin, row["offset_count"]))
        begin += row["offset_count"]
    return tuple(spans)


def _groups(spans: Sequence[Span], total: int) -> Iterator[tuple[int, int]]:
    """Row groups as begin and end: bounded, and beginning anew with a partition where that is not wasteful."""
    begin = 0
    for edge in [*(span.begin for span in spans[1:]), total]:
        while edge - begin > ROW_GROUP_ROWS:
            yield begin, begin + ROW_GROUP_ROWS
            begin += ROW_GROUP_ROWS
        if edge - begin >= _GROUP_ROWS_LEAST:
            yield begin, edge
            begin = edge
    if begin < total:
        yield begin, total


def _parquet(table: Any, spans: Sequence[Span]) -> Any:
    sink = pa.BufferOutputStream()
    plain = [name for name in table.schema.names if name not in _NO_DICTIONARY and not pa.types.is_map(table.schema.field(name).type)]
    with pq.ParquetWriter(sink, table.schema, compression="zstd", compression_level=1, use_dictionary=plain,
                          write_page_checksum=True) as writer:
        for begin, end in _groups(spans, len(table)):
            writer.write_table(table.slice(begin, end - begin), row_group_size=end - begin)
    return sink.getvalue()


def write(root: Path, path: str, table: Any, kind: str, day: str, epoch: int) -> File:
    """Rows in the order of the log become a file, named and on the disk but for its folder's entry."""
    spans = spans_of(table)
    content = _parquet(table, spans) if path.endswith(".parquet") else b"".join(rows.json_lines(table))
    make_folders((root / path).parent)
    write_whole(root / path, content)
    return File(path, kind, day, len(table), len(content), hashlib.sha256(content).hexdigest(), epoch, spans)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def check(root: Path, file: File) -> None:
    """Raises Damaged; FileNotFoundError where there is none."""
    path = root / file.path
    size = path.stat().st_size
    if size != file.bytes:
        raise Damaged(f"{path} has {size} bytes, the manifest says {file.bytes}")
    if sha256_of(path) != file.sha256:
        raise Damaged(f"{path} is not what was written: its checksum is another one than the manifest's")


def read(root: Path, file: File, names: Sequence[str], span: Span | None = None) -> Iterator[Any]:
    """Tables of these columns, each a bounded part of the file; with a span, exactly its rows."""
    schema = rows.ROWS if file.kind else rows.ASIDE
    begin, end = (span.begin, span.begin + span.rows) if span else (0, file.rows)
    parts = _read_parquet(root / file.path, names, begin, end) if file.format == "parquet" else _read_lines(
        root / file.path, schema, names, begin, end)
    for at, table in parts:
        first, last = max(begin - at, 0), min(end - at, len(table))
        yield table.slice(first, last - first)


def _read_parquet(path: Path, names: Sequence[str], begin: int, end: int) -> Iterator[tuple[int, Any]]:
    with pq.ParquetFile(path) as opened:
        at = 0
        for group in range(opened.metadata.num_row_groups):
            size = opened.metadata.row_group(group).num_rows
            if at < end and at + size > begin:
                yield at, opened.read_row_group(group, columns=list(names), use_threads=False)
            at += size


def _read_lines(path: Path, schema: Any, names: Sequence[str], begin: int, end: int) -> Iterator[tuple[int, Any]]:
    with path.open("rb") as opened:
        at = 0
        lines: list[bytes] = []
        for number, line in enumerate(opened):
            if begin <= number < end:
                at = at if lines else number
                lines.append(line)
            if len(lines) == 4096 or (lines and number >= end):
                yield at, rows.table_of_lines(lines, schema, names)
                lines = []
            if number >= end:
                return
        if lines:
            yield at, rows.table_of_lines(lines, schema, names)
