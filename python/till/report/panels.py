"""What each panel of a report says: its heading, sentences, a picture's alternative in words, and a table. Exact amounts only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from . import figures
from .data import Absent, Facts
from .style import WEEKDAYS, Theme, money_text

TABLE_ROWS = 50
NOTHING_SOLD = Absent("Nothing was sold.")


@dataclass(frozen=True)
class Table:
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers_from: int = 1  # columns from here on are numbers


@dataclass(frozen=True)
class Panel:
    """`name` is the picture's, without .png. Without `draw` there is no picture: `words` say why."""

    name: str
    heading: str
    words: tuple[str, ...]
    alt: str = ""
    draw: Callable[[Facts, Theme], Any] | None = None
    table: Table | None = None


def _absent(name: str, heading: str, absent: Absent) -> Panel:
    return Panel(name, heading, (absent.why,))


def _unit(facts: Facts) -> str:
    return f" {facts.currency}" if facts.currency else ""


def _percent(share: Any) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"


def _heatmap(facts: Facts) -> Panel:
    heading = "When it is sold"
    if not facts.hours:
        return _absent("heatmap", heading, NOTHING_SOLD)
    (weekday, hour), best = max(facts.hours.items(), key=lambda item: (item[1], item[0]))
    words = f"Most revenue: {WEEKDAYS[weekday - 1]}, {hour}:00 to {hour}:59, {money_text(best)}{_unit(facts)}."
    hours = sorted({hour for _, hour in facts.hours})
    rows = tuple((f"{hour}:00", *(money_text(facts.hours[day, hour]) if (day, hour) in facts.hours else "" for day in range(1, 8)))
                 for hour in hours)
    return Panel("heatmap", heading, (words,), f"Heat map of revenue by weekday and hour of the day. {words}", figures.heatmap,
                 Table(("hour", *WEEKDAYS), rows))


def _surface(facts: Facts) -> Panel:
    if not facts.hours:
        return _absent("surface", "The week as a surface", NOTHING_SOLD)
    return Panel("surface", "The week as a surface", ("The same numbers: hour to the right, weekday to the back, revenue upwards.",),
                 "Surface of revenue over hour of the day and weekday, with the numbers of the table above.", figures.surface)


def _pareto(facts: Facts) -> Panel:
    heading, found = "What is sold", facts.products
    if isinstance(found, Absent):
        return _absent("pareto", heading, found)
    rank = figures.reach(found)
    words = ("The revenue of all products together is not above 0, so there are no shares of it." if rank is None else
             f"{rank:,} of {found.count:,} products ({100 * rank / found.count:.0f} %) bring 80 % of the revenue.")
    falls = ("The curve falls at its end, where more came back than was sold.",) if found.rows[-1].revenue < 0 else ()
    rows = tuple((str(number), row.product_id, f"{row.quantity:,}", money_text(row.revenue), _percent(row.cumulative_share))
                 for number, row in enumerate(found.rows[:TABLE_ROWS], 1))
    return Panel("pareto", heading, (words, *falls, *([found.note] if found.note else [])),
                 f"Bars of the products with most revenue, and the curve of their cumulative share with a line at 80 %. {words}",
                 figures.pareto, Table(("", "product", "pieces", "revenue", "share so far"), rows, 2))


def _timeline(facts: Facts) -> Panel:
    heading, found = "From day to day", facts.timeline
    if isinstance(found, Absent):
        return _absent("timeline", heading, found)
    moment, best = max(found.rows, key=lambda row: row[1])
    words = f"By {found.bucket}; most in the {found.bucket} that began {_moment(moment)}: {money_text(best)}{_unit(facts)}."
    return Panel("timeline", heading, (words,), f"Revenue over time by {found.bucket}. {words}", figures.timeline)


def _moment(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if hasattr(moment, "hour") else f"{moment}"


def _minutes(facts: Facts) -> Panel:
    heading = "Sales per minute"
    if isinstance(facts.busiest, Absent):
        return _absent("minutes", heading, facts.busiest)
    day, line = facts.busiest
    total = sum(revenue for _, revenue in line.rows)
    best = sorted(line.rows, key=lambda row: (-row[1], str(row[0])))[:10]
    words = (f"The day with most revenue, {WEEKDAYS[day.weekday()]} {day}: {money_text(total)}{_unit(facts)} in {len(line.rows):,} "  # type: ignore[arg-type]
             f"minute{'' if len(line.rows) == 1 else 's'} with sales.")
    return Panel("minutes", heading, (words,), f"Revenue by minute. {words}", figures.minutes,
                 Table(("minute", "revenue"), tuple((_moment(moment), money_text(revenue)) for moment, revenue in best)))


def _boxes(facts: Facts) -> Panel:
    heading, found = "Baskets by channel and payment", facts.boxes
    if isinstance(found, Absent):
        return _absent("boxes", heading, found)
    words = [f"Closed baskets: {sum(box.count for box in found.rows):,}. Quartiles are at most 0.8 % off, the other numbers exact."]
    if found.left_out:
        words.append(f"{found.left_out:,} more groups, with fewer baskets, are not shown.")
    rows = tuple((box.channel, box.payment, f"{box.count:,}", *(money_text(value) for value in (
        box.average, box.minimum, box.q25, box.q50, box.q75, box.maximum))) for box in found.rows)
    return Panel("boxes", heading, (*words, *([found.note] if found.note else [])),
                 f"Box plots of the values of baskets, one for each of {len(found.rows)} pairs of channel and payment; the table has their "
                 "numbers.", figures.boxes, Table(("channel", "payment", "baskets", "average", "least", "lower quartile", "median",
                                                   "upper quartile", "greatest"), rows, 2))


def _bands(facts: Facts) -> Panel:
    heading, found = "Customers by what they spent", facts.bands
    if isinstance(found, Absent):
        return _absent("bands", heading, found)
    customers = sum(band.customers for band in found.rows)
    words = [f"{customers:,} customers brought {money_text(sum(band.revenue for band in found.rows))}{_unit(facts)}."]  # type: ignore[arg-type]
    if found.unmatched:
        words.append(f"Sales without a customer are in no band ({found.unmatched:,} lines of all sales).")
    rows = tuple((figures.band_name(band.start, band.end), f"{band.customers:,}", money_text(band.revenue), _percent(band.share))
                 for band in found.rows)
    return Panel("bands", heading, (*words, *([found.note] if found.note else [])),
                 f"Bars of how many customers spent how much, and what each band brought. {words[0]}", figures.bands,
                 Table(("spent in all", "customers", "revenue", "share"), rows))


def _returns(facts: Facts) -> Panel:
    heading, found = "What came back", facts.returns
    if isinstance(found, Absent):
        return _absent("returns", heading, found)
    words = (f"{found.lines:,} line{'' if found.lines == 1 else 's'} of {-found.quantity:,} pieces: "
             f"{money_text(-found.revenue)}{_unit(facts)} given back.")
    rows = tuple((row.product_id, f"{row.lines:,}", f"{-row.quantity:,}", money_text(-row.revenue)) for row in found.rows)
    return Panel("returns", heading, (words, *([found.note] if found.note else [])),
                 f"Bars of the {len(found.rows)} products whose returns cost most. {words}", figures.returns,
                 Table(("product", "lines", "pieces", "given back"), rows))


def _forecast(facts: Facts) -> Panel:
    heading, made = "The next days", facts.forecast
    if made is None or isinstance(made, Absent):
        return _absent("forecast", heading, made or Absent("No forecast was asked for."))
    test = made.back_test
    against = ("the naive seasonal forecast was never wrong" if test.ratio is None else
               f"{test.ratio:.2f} of the error of \"as a week before\"{'' if test.ratio < 1 else ', which is no better'}")
    mase = "" if test.mase is None else f"MASE {test.mase:.2f}, "
    words = (f"An estimate, by {made.method}. Back-test over {test.rounds} rounds of {test.horizon} days: {mase}sMAPE {test.smape:.1f} %, "
             f"{against}; {100 * test.coverage:.0f} % of the values lay within their {100 * made.level:.0f} % interval.")
    rows = tuple((f"{WEEKDAYS[point.at.weekday()]} {point.at}", *(f"{value:,.0f}" for value in (point.mean, point.low, point.high)))
                 for point in made.points)
    return Panel("forecast", heading, (words,), f"Revenue of the last weeks, and what is expected of the next {len(made.points)} days.",
                 figures.forecast, Table(("day", "expected", "at least", "at most"), rows))


def panels_of(facts: Facts) -> Sequence[Panel]:
    return [make(facts) for make in (_heatmap, _surface, _pareto, _timeline, _minutes, _boxes, _bands, _returns, _forecast)]
