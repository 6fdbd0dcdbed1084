"""Rows of the archive as Arrow has them: typed columns for people, and the record as Kafka had it, byte by byte, for a rebuild. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from ..command import NotInstalled
from ..record import Event, Headers, Stream

try:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.compute as pc  # type: ignore[import-untyped]
except ImportError as error:
    raise NotInstalled("pyarrow", "archive") from error

MONEY = pa.decimal128(38, 6)
_MICROS = pa.decimal128(19, 6)
_HEADERS = pa.map_(pa.string(), pa.binary())
_PLACE = [("topic", pa.string()), ("partition", pa.int32()), ("offset", pa.int64()), ("appended", pa.timestamp("ms", "UTC")),
          ("key", pa.binary()), ("record", pa.binary()), ("headers", _HEADERS)]
ROWS = pa.schema([
    ("kind", pa.string()), ("day", pa.date32()), ("stream", pa.string()), ("edge", pa.string()), ("run", pa.int64()), ("seq", pa.int64()),
    ("ts", pa.timestamp("ms", "UTC")), ("order_id", pa.string()), ("product_id", pa.string()), ("quantity", pa.int64()),
    ("unit_price", MONEY), ("amount", MONEY), ("discount", MONEY), ("tax", MONEY), ("revenue", MONEY), ("currency", pa.string()),
    ("user_id", pa.string()), ("category", pa.string()), ("channel", pa.string()), ("payment", pa.string()), ("action", pa.string()),
    ("page", pa.string()), ("event_id", pa.string()), ("rejected", pa.string()), ("refused_by", pa.string()), ("message", pa.string()),
    ("extra", pa.string()), *_PLACE])
ASIDE = pa.schema([("day", pa.date32()), ("class", pa.string()), ("reason", pa.string()), *_PLACE])
# What a reader of the stream needs, and what verify does.
STREAM_COLUMNS = ("topic", "partition", "offset", "appended", "key", "record", "headers")
CERTIFICATE_COLUMNS = ("stream", "edge", "run", "seq", "topic", "partition", "offset")
_EPOCH = date(1970, 1, 1)
_DAY_MS = 86_400_000


class Place(NamedTuple):
    """Where a record lies in Kafka, and what it is there."""

    topic: str
    partition: int
    offset: int
    appended: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers | None


def _money(micros: Sequence[int | None]) -> Any:
    """Millionths as decimals: the same bits under another name."""
    digits = pa.array(micros, pa.int64()).cast(pa.decimal128(19, 0))
    return pa.Array.from_buffers(_MICROS, len(digits), digits.buffers(), digits.null_count)


def _place_columns(places: Sequence[Place]) -> list[Any]:
    columns: list[Sequence[Any]] = list(zip(*places, strict=True)) if places else [()] * len(_PLACE)
    return [pa.array(column, kind) for column, (_, kind) in zip(columns, _PLACE, strict=True)]


def _days(moments: Sequence[int | None], appended: Sequence[int | None]) -> list[int]:
    """The day of the event in UTC; of what has no time of its own, the day on which Kafka got it."""
    return [(ts if ts is not None else at or 0) // _DAY_MS for ts, at in zip(moments, appended, strict=True)]


def batch_of_rows(events: Sequence[Event], streams: Sequence[Stream], places: Sequence[Place]) -> Any:
    """A RecordBatch of the schema ROWS."""
    of = dict(zip(Event._fields, zip(*events, strict=True) if events else [()] * len(Event._fields), strict=True))
    quantity = pa.array(of["quantity"], pa.int64())
    amount = _money(of["amount"])
    price = _money(of["unit_price"])
    pieces = quantity.cast(pa.decimal128(19, 0)).cast(pa.decimal128(10, 0))  # 19 + 10 + 1 digits hold every product
    revenue = pc.coalesce(amount.cast(MONEY), pc.multiply(price, pieces).cast(MONEY))
    made = {"day": pa.array(_days(of["ts"], [place.appended for place in places]), pa.int32()).cast(pa.date32()),
            "stream": pa.array([stream.kind for stream in streams], pa.string()), "quantity": quantity, "amount": amount.cast(MONEY),
            "unit_price": price.cast(MONEY), "discount": _money(of["discount"]).cast(MONEY), "tax": _money(of["tax"]).cast(MONEY),
            "revenue": revenue}
    own = len(ROWS) - len(_PLACE)
    columns = [made[field.name] if field.name in made else pa.array(of[field.name], field.type) for field in list(ROWS)[:own]]
    return pa.RecordBatch.from_arrays([*columns, *_place_columns(places)], schema=ROWS)


def batch_of_aside(reasons: Sequence[tuple[str, str]], places: Sequence[Place]) -> Any:
    """A RecordBatch of the schema ASIDE; `reasons` are class and words."""
    days = pa.array(_days([None] * len(places), [place.appended for place in places]), pa.int32()).cast(pa.date32())
    classes, words = pa.array([each[0] for each in reasons], pa.string()), pa.array([each[1] for each in reasons], pa.string())
    return pa.RecordBatch.from_arrays([days, classes, words, *_place_columns(places)], schema=ASIDE)


def sorted_rows(table: Any, *first: str) -> Any:
    """In the order of the log within `first`."""
    return table.sort_by([(name, "ascending") for name in (*first, "topic", "partition", "offset")]).combine_chunks()


def day_text(day: date) -> str:
    return day.isoformat()


# NDJSON: one object a line; money and instants as text, bytes in base64, so that nothing is rounded by whoever reads.


def _json_cell(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):  # headers
        return [[name, None if inner is None else base64.b64encode(inner).decode()] for name, inner in value]
    return value


def json_lines(table: Any) -> Iterator[bytes]:
    for batch in table.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            cells = {name: _json_cell(value) for name, value in row.items() if value is not None}
            yield json.dumps(cells, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _arrow_cell(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if pa.types.is_binary(kind):
        return base64.b64decode(value)
    if pa.types.is_decimal(kind):
        return Decimal(value)
    if pa.types.is_timestamp(kind):
        return datetime.fromisoformat(value)
    if pa.types.is_date(kind):
        return date.fromisoformat(value)
    if pa.types.is_map(kind):
        return [(name, None if inner is None else base64.b64decode(inner)) for name, inner in value]
    return value


def table_of_lines(lines: Sequence[bytes], schema: Any, names: Sequence[str] | None = None) -> Any:
    """Lines of NDJSON as a table again, of these columns."""
    fields = [field for field in schema if names is None or field.name in names]
    rows = [json.loads(line) for line in lines]
    return pa.table([pa.array([_arrow_cell(field.type, row.get(field.name)) for row in rows], field.type) for field in fields],
                    schema=pa.schema(fields))


def milliseconds(column: Any) -> list[int | None]:
    """Timestamps as numbers."""
    return column.cast(pa.int64()).to_pylist()  # type: ignore[no-any-return]


def day_of_ms(ms: int) -> date:
    return _EPOCH + timedelta(days=ms // _DAY_MS)
