"""What is answered: decoded, checked, typed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgpack  # type: ignore[import-untyped]

from . import frames
from .columns import Column, Type, compared, of_bands, rolled_up, typed, with_shares
from .errors import BadAnswer, Refused
from .wire import instant

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]
    import polars
    import pyarrow  # type: ignore[import-untyped]


@dataclass(frozen=True)
class AsOf:
    """How fresh an answer is (PROTOCOL.md, 6.3): which store and commit, the newest event counted (milliseconds since the epoch), how many
    records of Kafka are still to be counted (None: Kafka can't be reached), what an operator accepted as missing, and
    whether a peer did not answer."""

    store: str
    commit: int
    event_ts: int | None
    lag: int | None
    gaps: tuple[str, ...] = ()
    partial: bool = False

    @property
    def event_time(self) -> datetime | None:
        """`event_ts` as a moment."""
        return None if self.event_ts is None else instant(self.event_ts)


@dataclass(frozen=True)
class Rows(Sequence[Mapping[str, Any]]):
    """Rows of an answer: maps of column to value, money as Decimal, buckets and times as date and datetime. `cut`: there were more.
    `live`: where the answer stands in the view's stream (PROTOCOL.md, 6.7)."""

    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Any], ...]
    as_of: AsOf
    cut: bool = False
    live: Mapping[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.rows)

    def flat(self) -> Iterator[dict[str, Any]]:
        """The rows with every column there is, those of a comparison as `previous_NAME` and `difference_NAME`."""
        return ({column.name: column.of(row) for column in self.columns} for row in self.rows)

    def to_arrow(self) -> pyarrow.Table:
        """As a table of pyarrow; money is decimal128(38, 6), instants are UTC. Needs `till[arrow]`."""
        return frames.to_arrow(self.columns, self.rows)

    def to_pandas(self) -> pandas.DataFrame:
        """As a DataFrame of Arrow-backed columns, so that money stays exact. Needs `till[pandas]`."""
        return frames.to_pandas(self.columns, self.rows)

    def to_polars(self) -> polars.DataFrame:
        """As a DataFrame of polars. Needs `till[polars]`."""
        return frames.to_polars(self.columns, self.rows)


def as_of(answer: Mapping[str, Any]) -> AsOf:
    """How fresh an answer says it is."""
    said = answer["as_of"]
    return AsOf(said["store"], said["commit"], said["event_ts"], said["lag"], tuple(said.get("gaps", ())), said.get("partial", False))


def checked(endpoint: str, body: bytes) -> dict[str, Any]:
    """The answer in a frame. Raises Refused where it says no, BadAnswer where it is none."""
    try:
        answer = msgpack.unpackb(body)
        if answer["ok"] is True:
            return dict(answer)
        error = answer["error"]
        refusal = Refused(error["code"], error["message"], error.get("retry_after_ms"))
    except (ValueError, KeyError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise BadAnswer(f"{endpoint}: what came is no answer of an aggregator") from error
    raise refusal


def columns_of(request: Mapping[str, Any], view: tuple[Column, ...], table: tuple[Column, ...]) -> tuple[Column, ...]:
    """Those of the rows that answer a request for a view with these columns, and a joined table with those."""
    joined = tuple(column for column in table if not column.is_key)
    columns = rolled_up(view, request["group_by"], table) if "group_by" in request else (*view, *joined)
    if request["query"] == "bands":
        by = next((column for column in view if column.name == request["by"]), None)
        return columns if by is None else of_bands(by, any(column.name == "currency" for column in view))
    if "compare" in request:
        columns = compared(columns, joined)
    return with_shares(columns) if request.get("cumulative") or "until_share" in request else columns


def of_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Of rows whose view nobody describes: a staged one that is new. Money can't be told from text there."""
    first = rows[0] if rows else {}
    return tuple(Column(name, Type.INTEGER if isinstance(value, int) else Type.TEXT, False) for name, value in first.items())


def _staged(columns: Sequence[Column], row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A view that is staged may type a column otherwise than the live one does; then it stays as it came."""
    try:
        return typed(columns, row)
    except BadAnswer:
        return dict(row)


def rows_of(columns: tuple[Column, ...], request: Mapping[str, Any], answer: Mapping[str, Any]) -> Rows:
    """The typed rows of an answer."""
    try:
        told: Sequence[Mapping[str, Any]] = answer["rows"]
        fresh = as_of(answer)
    except (KeyError, TypeError) as error:
        raise BadAnswer(f"the answer to {request['query']!r} has no rows, or does not say as of when") from error
    convert = _staged if request.get("staged") else typed
    columns = columns or of_rows(told)
    return Rows(columns, tuple(convert(columns, row) for row in told), fresh, answer.get("cut", False), answer.get("live"))
