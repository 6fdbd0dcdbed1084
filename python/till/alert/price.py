"""price: a product's price of today held against its own of the days before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from . import options
from .asking import HOUR_MS, Ask, Need, floor, local
from .finding import MAD_TO_SIGMA, Finding, Key, Row, fine, key_of, key_text, median, median_distance, not_judged, off
from .options import Option


@dataclass(frozen=True)
class Price:
    """Off: a price of the day is further from the median of those of the last `days` than `factor` standard deviations (1.4826 × MAD), and
    than `min_change` of the median. A product with sales on fewer than `min_days` of them is not judged. The day is today, or yesterday
    where nothing was sold today."""

    view: str
    measures: tuple[str, ...]
    count: str
    days: int
    min_days: int
    min_count: int
    factor: Decimal
    min_change: Decimal
    zone: ZoneInfo

    OPTIONS: ClassVar[tuple[Option, ...]] = (
        Option("view", options.text, "price_per_day", "view by day and product"),
        Option("measures", options.words, "average_price", "its prices that are judged, each against its own: separated by commas"),
        Option("count", options.text, "line_count", "its measure that counts sales"),
        Option("days", options.whole(2, 400), "28", "history: so many days before"),
        Option("min_days", options.whole(2, 400), "7", "a product that was sold on fewer is not judged"),
        Option("min_count", options.whole(1, 10**12), "1", "a day with fewer sales is neither judged nor history"),
        Option("factor", options.positive, "5", "off above so many standard deviations"),
        Option("min_change", options.share, "0.2", "and above this share of the usual price"),
        Option("zone", options.zone, "UTC", "the view's zone: which day is today"))

    def needs(self) -> list[Need]:
        return [Need("view", self.view, (), ("day",), (*(("measures", name) for name in self.measures), ("count", self.count)))]

    def look(self, ask: Ask, now_ms: int) -> list[Finding]:
        today = local(now_ms, self.zone).date()
        keys = [column.name for column in ask.columns(self.view) if column.is_key and column.name != "day"]
        yesterday, first = today - timedelta(days=1), today - timedelta(days=self.days + 1)
        before = ask.kept(("price", self.view, today, floor(now_ms, HOUR_MS)), lambda: self._rows(ask, first, yesterday))
        return self.judge([*before, *self._rows(ask, yesterday, today + timedelta(days=1))], keys, today)

    def _rows(self, ask: Ask, start: date, end: date) -> list[Row]:
        return list(ask.scan(self.view, range={"from": start.isoformat(), "to": end.isoformat()}))

    def judge(self, rows: Iterable[Row], keys: Iterable[str], today: date) -> list[Finding]:
        """`rows` are of single days; `keys` their other key columns, such as product_id and currency."""
        keys = tuple(keys)
        by_key: dict[Key, dict[date, Row]] = {}
        for row in rows:
            if row[self.count] >= self.min_count:
                by_key.setdefault(key_of(row, keys), {})[row["day"]] = row
        found = []
        for key, days in sorted(by_key.items()):
            day = next((each for each in (today, today - timedelta(days=1)) if each in days), None)
            if day is not None:
                first = day - timedelta(days=self.days)
                found.append(self._of_key(key, days[day], [row for each, row in days.items() if first <= each < day]))
        return found

    def _of_key(self, key: Key, now: Row, before: list[Row]) -> Finding:
        worst: tuple[Decimal, Finding] | None = None
        is_judged = False
        for measure in self.measures:
            history = [row[measure] for row in before if row[measure] is not None]
            if len(history) < self.min_days or now[measure] is None:
                continue
            is_judged = True
            excess = self._excess(key, measure, now, history)
            if excess is not None and (worst is None or excess[0] > worst[0]):
                worst = excess
        if worst is not None:
            return worst[1]
        return fine(key) if is_judged else not_judged(key, "short history")

    def _excess(self, key: Key, measure: str, now: Row, history: list[Decimal]) -> tuple[Decimal, Finding] | None:
        usual: Any = median(history)
        limit = max(self.factor * MAD_TO_SIGMA * median_distance(history, usual), self.min_change * abs(usual))
        distance = abs(now[measure] - usual)
        if distance <= limit:
            return None
        words_of = f"{measure} of {key_text(key)} was {now[measure]} on {now['day']}; usual of {len(history)} days before is {usual}, " \
                   f"at most {limit.quantize(Decimal('0.01'))} off"
        return distance - limit, off(key, words_of, measure=measure, day=now["day"], value=now[measure], usual=usual, limit=limit)
