"""Files of rows: CSV and NDJSON line by line, Parquet and Arrow in batches. A writer gets pages and writes to something that is open."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..columns import Column, Type, typed
from ..command import UsageError
from ..errors import NotInstalled
from ..frames import arrow_schema, to_arrow
from .reading import cells

ENDINGS = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet", ".arrow": "arrow"}
FORMATS = ("csv", "ndjson", "parquet", "arrow")
ROW_GROUP_ROWS = 131_072  # of Parquet: large enough for readers to skip by, small enough to hold
METADATA_KEY = b"till"
_BARE = (Type.MONEY, Type.DECIMAL)


class Sink(Protocol):
    """What is written to."""

    def write(self, data: bytes, /) -> int: ...


class Writer(Protocol):
    """Of one file."""

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None: ...

    def finish(self, metadata: Mapping[str, Any]) -> None: ...


def csv_cell(value: Any) -> str:
    """RFC 4180. A null is an empty cell, an empty text is two quotes."""
    if value is None:
        return ""
    text = str(value)
    if text and not any(character in text for character in '",\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'


class CsvWriter:
    """A line of names, then a line a row, each ended by CR LF; the cells are the texts of the answers."""

    def __init__(self, sink: Sink, columns: tuple[Column, ...]) -> None:
        self._sink = sink
        self._columns = columns
        self._line([column.name for column in columns])

    def _line(self, values: Sequence[Any]) -> None:
        self._sink.write((",".join(map(csv_cell, values)) + "\r\n").encode())

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            self._line(cells(self._columns, row))

    def finish(self, metadata: Mapping[str, Any]) -> None:
        """A CSV has no place for it: it lies beside the file."""


class NdjsonWriter:
    """A map a line, with every column. Money is text as in answers, or with `is_numeric` a number with exactly these digits."""

    def __init__(self, sink: Sink, columns: tuple[Column, ...], is_numeric: bool) -> None:
        self._sink = sink
        self._columns = columns
        self._bare = [is_numeric and column.type in _BARE for column in columns]
        self._names = [json.dumps(column.name, ensure_ascii=False) for column in columns]

    def _member(self, name: str, value: Any, is_bare: bool) -> str:
        text = str(value) if is_bare and value is not None else json.dumps(value, ensure_ascii=False)
        return f"{name}:{text}"

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            members = map(self._member, self._names, cells(self._columns, row), self._bare)
            self._sink.write(("{" + ",".join(members) + "}\n").encode())

    def finish(self, metadata: Mapping[str, Any]) -> None:
        """Lines are rows, all of them: it lies beside the file."""


def _arrow(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise NotInstalled("pyarrow", "arrow") from error


def _table(columns: tuple[Column, ...], rows: Sequence[Mapping[str, Any]]) -> Any:
    for row in rows:
        cells(columns, row)  # refuses what no column is known of
    return to_arrow(columns, [typed(columns, row) for row in rows])


class ParquetWriter:
    """Compressed by zstd; what the rows are of stands in the file's key-value metadata."""

    def __init__(self, sink: Sink, columns: tuple[Column, ...]) -> None:
        self._arrow, self._columns = _arrow("pyarrow"), columns
        self._held: list[Any] = []
        self._count = 0
        self._file = _arrow("pyarrow.parquet").ParquetWriter(sink, arrow_schema(columns), compression="zstd")

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._held.append(_table(self._columns, rows))
        self._count += len(rows)
        if self._count >= ROW_GROUP_ROWS:
            self._write()

    def _write(self) -> None:
        self._file.write_table(self._arrow.concat_tables(self._held), row_group_size=ROW_GROUP_ROWS)
        self._held, self._count = [], 0

    def finish(self, metadata: Mapping[str, Any]) -> None:
        if self._held:
            self._write()
        self._file.add_key_value_metadata({METADATA_KEY: json.dumps(metadata).encode()})
        self._file.close()


class ArrowWriter:
    """An IPC file, as Feather 2 is. Its schema, with the metadata, comes first, and so the rows are held until all are there."""

    def __init__(self, sink: Sink, columns: tuple[Column, ...]) -> None:
        self._arrow, self._ipc, self._sink, self._columns = _arrow("pyarrow"), _arrow("pyarrow.ipc"), sink, columns
        self._held = [_table(columns, ())]

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._held.append(_table(self._columns, rows))

    def finish(self, metadata: Mapping[str, Any]) -> None:
        schema = arrow_schema(self._columns).with_metadata({METADATA_KEY: json.dumps(metadata).encode()})
        with self._ipc.new_file(self._sink, schema) as file:
            for batch in self._arrow.concat_tables(self._held).combine_chunks().to_batches(max_chunksize=ROW_GROUP_ROWS):
                file.write_batch(batch.replace_schema_metadata(schema.metadata))


def has_place_for_metadata(form: str) -> bool:
    return form in ("parquet", "arrow")


def open_writer(form: str, sink: Sink, columns: tuple[Column, ...], *, is_numeric: bool = False) -> Writer:
    if form == "csv":
        return CsvWriter(sink, columns)
    if form == "ndjson":
        return NdjsonWriter(sink, columns, is_numeric)
    return ParquetWriter(sink, columns) if form == "parquet" else ArrowWriter(sink, columns)


def form_of(name: str) -> str | None:
    """The format that the ending of a name tells."""
    return next((form for ending, form in ENDINGS.items() if name.lower().endswith(ending)), None)


def check_form(form: str) -> str:
    if form not in FORMATS:
        raise UsageError(f"--format wants {', '.join(FORMATS)}, not {form!r}")
    return form
