"""A series of sales without holes: a bucket in which nothing was sold has no row in a view, and is a zero here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

LEVEL = 0.8  # of intervals, where nothing else is said
Moment = date | datetime  # days are dates; hours are datetimes


@dataclass(frozen=True)
class Step:
    """How far buckets lie apart, and how many make a week, the season of every shop."""

    name: str
    length: timedelta
    season: int
    rounds_max: int  # of the back-test: hours take longer to fit, and have 24 values where days have one
    seasons_max: int  # older ones teach little, and cost time


DAY = Step("day", timedelta(days=1), 7, 8, 104)
HOUR = Step("hour", timedelta(hours=1), 168, 4, 26)
STEPS = {step.name: step for step in (DAY, HOUR)}


def steps_between(start: Moment, end: Moment, step: Step) -> int:
    """How many buckets; both are dates, or both are datetimes."""
    later: Any = end
    return int((later - start) // step.length)


@dataclass(frozen=True)
class Series:
    """`values[i]` is what was sold in the bucket that begins at `at(i)`."""

    start: Moment
    step: Step
    values: tuple[Decimal, ...]

    def __len__(self) -> int:
        return len(self.values)

    def at(self, index: int) -> Moment:
        return self.start + index * self.step.length

    def since(self, start: Moment) -> Series:
        """Without what lies before."""
        return Series(start, self.step, self.values[steps_between(self.start, start, self.step):])


def filled(rows: Iterable[tuple[Moment, Decimal | int]], end: Moment, step: Step) -> Series:
    """From the first row to `end`, which is the bucket that is not over yet and does not belong to it. Rows of one bucket are added up."""
    sums: dict[Moment, Decimal] = {}
    for moment, value in rows:
        if moment < end:
            sums[moment] = sums.get(moment, Decimal(0)) + value
    if not sums:
        return Series(end, step, ())
    start = min(sums)
    values = [Decimal(0)] * max(0, steps_between(start, end, step))
    for moment, value in sums.items():
        values[steps_between(start, moment, step)] += value
    return Series(start, step, tuple(values))
