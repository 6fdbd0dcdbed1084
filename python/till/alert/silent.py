"""silent_till: an edge that has sold nothing for longer than it usually does at this time of the week."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from zoneinfo import ZoneInfo

from . import options
from .asking import HOUR_MS, STEP_MS, Ask, Need, between, bucket_of, days_before, floor, local, ms_of
from .finding import Finding, Row, fine, not_judged, off, quantile, span_words
from .options import Option

Sales = Mapping[str, Sequence[int]]  # of each edge, when buckets with sales end, ascending


@dataclass(frozen=True)
class SilentTill:
    """A till's silence, at a moment, is the time since its last sale. Off: it is longer now than `factor` times what it did not exceed at
    `share` of all moments within `window` around the same time of the week, in those of the last `weeks` in which the till sold anything
    there; and longer than `minimum`. Sold nothing there in any of these weeks: closed. In fewer than `min_weeks`: not judged."""

    view: str
    measure: str
    weeks: int
    min_weeks: int
    window: int
    lookback: int
    share: Decimal
    factor: Decimal
    minimum: int
    zone: ZoneInfo

    OPTIONS: ClassVar[tuple[Option, ...]] = (
        Option("view", options.text, "edge_minutes", "view of sales by edge and minute (or hour)"),
        Option("measure", options.text, "order_count", "its measure that counts sales"),
        Option("weeks", options.whole(1, 52), "4", "look back so many weeks"),
        Option("min_weeks", options.whole(1, 52), "3", "judged only if the till sold at this time of the week in so many of them"),
        Option("window", options.some_span, "1h", "what is the same time of the week: so long before and after"),
        Option("lookback", options.some_span, "12h", "longer silences count as so long"),
        Option("share", options.share, "0.99", "which quantile of its silences is usual"),
        Option("factor", options.positive, "2", "off above so many times that"),
        Option("minimum", options.some_span, "10min", "never off below"),
        Option("zone", options.zone, "UTC", "the till's time zone, which decides what the same time of the week is"))

    def needs(self) -> list[Need]:
        return [Need("view", self.view, ("edge",), ("minute", "hour"), (("measure", self.measure),))]

    def look(self, ask: Ask, now_ms: int) -> list[Finding]:
        bucket = bucket_of(ask.columns(self.view), self.view)
        step, hour = STEP_MS[bucket], floor(now_ms, HOUR_MS)
        weeks = []
        for week in range(1, self.weeks + 1):
            around = days_before(hour, 7 * week, self.zone)
            start, end = around - self.window - self.lookback, around + HOUR_MS + self.window + step
            weeks.append(ask.kept(("silent", self.view, self.measure, bucket, start, end),
                                  lambda start=start, end=end: self._sales(ask, start, end, bucket)))  # type: ignore[misc]
        recent = self._sales(ask, now_ms - self.lookback - step, now_ms + step, bucket)
        return self.judge(recent, weeks, now_ms, step)

    def _sales(self, ask: Ask, start_ms: int, end_ms: int, bucket: str) -> Sales:
        rows = ask.scan(self.view, range=between(start_ms, end_ms, bucket, self.zone))
        return sales_of((row for row in rows if row[self.measure] > 0), bucket)

    def judge(self, recent: Sales, weeks: Sequence[Sales], now_ms: int, step: int) -> list[Finding]:
        """`weeks[0]` are sales around the same time a week ago, and so on."""
        moments = [days_before(now_ms, 7 * (number + 1), self.zone) for number in range(len(weeks))]
        edges = sorted({*recent, *(edge for week in weeks for edge in week)})
        dated = list(zip(weeks, moments, strict=True))
        return [self._of_edge(edge, recent.get(edge, ()), [(week.get(edge, ()), moment) for week, moment in dated], now_ms, step)
                for edge in edges]

    def _of_edge(self, edge: str, recent: Sequence[int], weeks: Iterable[tuple[Sequence[int], int]], now_ms: int, step: int) -> Finding:
        key = (("edge", edge),)
        opened = [(sales, moment) for sales, moment in weeks if self._is_open(sales, moment)]
        if len(opened) < self.min_weeks:
            return not_judged(key, "closed" if not opened else "short history")
        usual = quantile([self._silence(sales, moment, step) for sales, around in opened
                          for moment in range(around - self.window, around + self.window + 1, step)], self.share)
        limit = max(Decimal(self.minimum), self.factor * usual)
        silence = self._silence(recent, now_ms, step)
        if silence <= limit:
            return fine(key)
        since = f"since {self._clock(now_ms - silence)}" if silence < self.lookback else f"for {span_words(silence)} or longer"
        return off(key, f"{edge} has sold nothing {since}; usual at this time of the week is at most {span_words(usual)}, "
                        f"alarming {span_words(int(limit))}", silence_ms=silence, usual_ms=usual, limit_ms=int(limit))

    def _is_open(self, sales: Sequence[int], moment: int) -> bool:
        return bisect_right(sales, moment + self.window) > bisect_right(sales, moment - self.window)

    def _silence(self, sales: Sequence[int], moment: int, step: int) -> int:
        """In the bucket of a sale it is none, and before what claims to be sold later it is not known of."""
        place = bisect_right(sales, moment + step)
        return min(self.lookback, max(0, moment - sales[place - 1])) if place else self.lookback

    def _clock(self, ms: int) -> str:
        return local(ms, self.zone).strftime("%Y-%m-%d %H:%M")


def sales_of(rows: Iterable[Row], bucket: str) -> Sales:
    """Ends of the buckets in which each edge sold something: the sale was at most so late."""
    found: dict[str, set[int]] = {}
    for row in rows:
        start: datetime = row[bucket]
        found.setdefault(row["edge"], set()).add(ms_of(start) + STEP_MS[bucket])
    return {edge: sorted(times) for edge, times in found.items()}
