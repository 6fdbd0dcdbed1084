"""What rules ask an aggregator, and instants as its questions write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from ..columns import Column
from ..errors import TillError
from ..wire import instant
from .finding import Row

BUCKETS = ("minute", "hour", "day")
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
STEP_MS = {"minute": MINUTE_MS, "hour": HOUR_MS, "day": DAY_MS}


class Misfit(TillError):
    """A rule asks of a view what it has not; says what there is."""


class Ask(Protocol):
    """The questions of rules; `runner.Asker` has the real ones, tests have made ones."""

    def scan(self, view: str, **more: Any) -> Sequence[Row]: ...

    def columns(self, view: str) -> Sequence[Column]: ...

    def kept(self, name: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What `make` gave when this name was last asked for: for history, which hardly changes."""
        ...


@dataclass(frozen=True)
class Need:
    """What a rule wants of a view: `option` is where the view's name stands; key columns and measures by option or fixed name."""

    option: str
    view: str
    keys: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()  # one of these
    measures: tuple[tuple[str, str], ...] = ()  # (option or "", name)


def bucket_of(columns: Sequence[Column], view: str) -> str:
    """The view's bucket of time."""
    for column in columns:
        if column.is_key and column.name in BUCKETS:
            return column.name
    raise Misfit(f'view "{view}" is not by minute, hour or day')


def local(ms: int, zone: ZoneInfo) -> datetime:
    return instant(ms).astimezone(zone)


def ms_of(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def floor(ms: int, step: int) -> int:
    return ms - ms % step


def bound(ms: int, bucket: str, zone: ZoneInfo) -> str:
    """The bucket that holds this instant, as `range` takes it."""
    if bucket == "day":
        return local(ms, zone).date().isoformat()
    return instant(floor(ms, STEP_MS[bucket])).strftime("%Y-%m-%dT%H:%MZ")


def between(start_ms: int, end_ms: int, bucket: str, zone: ZoneInfo) -> dict[str, str]:
    """A `range`: from the bucket that holds the start up to the one that holds the end, without it."""
    return {"from": bound(start_ms, bucket, zone), "to": bound(end_ms, bucket, zone)}


def days_before(ms: int, days: int, zone: ZoneInfo) -> int:
    """The same time by the wall clock, so many days earlier."""
    moment = local(ms, zone).replace(tzinfo=None) - timedelta(days=days)
    return ms_of(moment.replace(tzinfo=zone))


def day_start(day: date, zone: ZoneInfo) -> int:
    return ms_of(datetime(day.year, day.month, day.day, tzinfo=zone))
