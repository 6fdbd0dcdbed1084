"""revenue_drop: this week so far against the same span of the week before, by edge and in total."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar
from zoneinfo import ZoneInfo

from . import options
from .asking import DAY_MS, STEP_MS, Ask, Need, between, bucket_of, day_start, days_before, floor, local
from .finding import Finding, Key, Row, fine, key_of, not_judged, off, percent
from .options import Option


@dataclass(frozen=True)
class RevenueDrop:
    """Off: revenue fell by `drop` or more of what it was, where that was `min_revenue` at least. The week begins on Monday; only
    buckets that are over count. Not by `compare`, whose answers lack edges that sold nothing at all this week: those that matter most."""

    view: str
    measure: str
    by: tuple[str, ...]
    drop: Decimal
    min_revenue: Decimal
    zone: ZoneInfo

    OPTIONS: ClassVar[tuple[Option, ...]] = (
        Option("view", options.text, "edge_hours", "view of revenue by edge and hour (or day, or minute)"),
        Option("measure", options.text, "total_revenue", "its measure of money"),
        Option("by", options.words, "edge", "key columns that are judged each for itself, beside the total; empty: only the total"),
        Option("drop", options.share, "0.5", "off from this share on"),
        Option("min_revenue", options.positive, "1000", "what took less in the week before is not judged"),
        Option("zone", options.zone, "UTC", "when Monday begins; for a view by day, its zone"))

    def needs(self) -> list[Need]:
        return [Need("view", self.view, self.by, ("hour", "day", "minute"), (("measure", self.measure),))]

    def look(self, ask: Ask, now_ms: int) -> list[Finding]:
        columns = ask.columns(self.view)
        bucket = bucket_of(columns, self.view)
        start, end = self.span(now_ms, bucket)
        if start >= end:
            return []
        currency = [column.name for column in columns if column.is_key and column.name == "currency"]
        asked = [*dict.fromkeys((*self.by, *currency))]
        now, before = (ask.scan(self.view, group_by=asked, range=between(*span, bucket, self.zone)) for span in (
            (start, end), (days_before(start, 7, self.zone), days_before(end, 7, self.zone))))
        return self.judge(now, before, currency)

    def span(self, now_ms: int, bucket: str) -> tuple[int, int]:
        """From Monday to the end of the last bucket that is over."""
        moment = local(now_ms, self.zone)
        monday = day_start(moment.date() - timedelta(days=moment.weekday()), self.zone)
        end = day_start(moment.date(), self.zone) if STEP_MS[bucket] == DAY_MS else floor(now_ms, STEP_MS[bucket])
        return monday, end

    def judge(self, now: Iterable[Row], before: Iterable[Row], currency: Iterable[str]) -> list[Finding]:
        """Rows of both spans, by the columns of `by` and the currency."""
        currency = tuple(currency)
        now, before = list(now), list(before)
        found: list[Finding] = []
        for columns in dict.fromkeys(((*self.by, *currency), currency)):
            columns = tuple(dict.fromkeys(columns))
            sums_now, sums_before = self._sums(now, columns), self._sums(before, columns)
            found += [self._of_key(key, sums_now.get(key, Decimal(0)), sums_before.get(key, Decimal(0)))
                      for key in sorted({*sums_now, *sums_before})]
        return found

    def _sums(self, rows: Iterable[Row], columns: tuple[str, ...]) -> dict[Key, Decimal]:
        sums: dict[Key, Decimal] = {}
        for row in rows:
            key = key_of(row, columns)
            sums[key] = sums.get(key, Decimal(0)) + (row[self.measure] or 0)
        return sums

    def _of_key(self, key: Key, now: Decimal, before: Decimal) -> Finding:
        if before < self.min_revenue:
            return not_judged(key, "little revenue")
        if now > before * (1 - self.drop):
            return fine(key)
        who = " ".join(value for name, value in key if name != "currency") or "all together"
        unit = dict(key).get("currency", "")
        return off(key, f"{who}: {now} {unit} this week so far, {before} {unit} in the same span a week ago: "
                        f"{percent((before - now) / before)} less".replace("  ", " "), now=now, before=before)
