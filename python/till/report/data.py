"""What a report shows, as the aggregator answered it: exact, of one currency. Nothing here draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from ..client import AsOf, Client, Rows
from ..errors import TillError

RETURNS_SHOWN = 12
GROUPS_SHOWN = 16
TOP_LIMIT_MAX = 10_000
# The finest bucket that still gives a line that can be read: it is taken while no more days than this are shown.
TIMELINE_DAYS = (("minute", 1), ("hour", 31), ("day", 800), ("week", 5000))
BAND_STEPS = (1, 2, 5)


class NoSuchData(TillError):
    """The aggregator has nothing that a report of this kind could be made from; says what."""


@dataclass(frozen=True)
class Absent:
    """Why a panel has nothing to show, as a sentence."""

    why: str


@dataclass(frozen=True)
class Period:
    """From this day to before that one, in the zone of the views; None, None: all."""

    start: date | None = None
    end: date | None = None

    @property
    def is_all(self) -> bool:
        return self.start is None and self.end is None

    def as_range(self) -> dict[str, Any]:
        bounds = {name: day.isoformat() for name, day in (("from", self.start), ("to", self.end)) if day is not None}
        return {"range": bounds} if bounds else {}


@dataclass(frozen=True)
class Timeline:
    bucket: str
    rows: tuple[tuple[date | datetime, Decimal], ...]  # those with sales: the others are 0


@dataclass(frozen=True)
class Product:
    product_id: str
    quantity: int
    revenue: Decimal
    cumulative_share: Decimal | None


@dataclass(frozen=True)
class Products:
    """Largest revenue first. `count` of them there are; the shares are of all."""

    rows: tuple[Product, ...]
    count: int
    note: str | None


@dataclass(frozen=True)
class Box:
    channel: str
    payment: str
    count: int
    average: Decimal
    minimum: Decimal
    q25: Decimal
    q50: Decimal
    q75: Decimal
    maximum: Decimal


@dataclass(frozen=True)
class Boxes:
    rows: tuple[Box, ...]
    left_out: int  # groups with the fewest baskets
    note: str | None


@dataclass(frozen=True)
class Band:
    start: Decimal | None
    end: Decimal | None
    customers: int
    revenue: Decimal
    share: Decimal | None


@dataclass(frozen=True)
class Bands:
    rows: tuple[Band, ...]
    unmatched: int  # lines without a customer, of all currencies
    note: str | None


@dataclass(frozen=True)
class Return:
    product_id: str
    lines: int
    quantity: int
    revenue: Decimal


@dataclass(frozen=True)
class Returns:
    """The costliest first; the totals are of all products."""

    rows: tuple[Return, ...]
    lines: int
    quantity: int
    revenue: Decimal
    note: str | None


@dataclass(frozen=True)
class Facts:
    """All of one report."""

    currency: str  # "" where nothing was sold
    period: Period
    first_day: date | None
    last_day: date | None
    revenue: Decimal
    lines: int
    orders: int | Absent
    hours: Mapping[tuple[int, int], Decimal]  # (weekday 1-7, hour 0-23): those with sales
    timeline: Timeline | Absent
    busiest: tuple[date, Timeline] | Absent
    products: Products | Absent
    boxes: Boxes | Absent
    bands: Bands | Absent
    returns: Returns | Absent
    as_of: AsOf
    commits: tuple[int, int]  # of the first and the last answer
    forecast: Any = field(default=None)  # till.forecast.predict.Forecast, or Absent

    @property
    def average(self) -> Decimal | None:
        """Of an order, to the cent."""
        return None if isinstance(self.orders, Absent) or not self.orders else (self.revenue / self.orders).quantize(Decimal("0.01"))


class _Asked:
    """The questions of one report: they share a currency, a period and the list of views, and it is noted how fresh each answer was."""

    def __init__(self, client: Client, currency: str, period: Period) -> None:
        self.client = client
        self.period = period
        self.views = {view["name"]: view for view in client.views()}
        self.of_currency: dict[str, Any] = {"where": [{"field": "currency", "op": "=", "value": currency}]} if currency else {}
        self.as_ofs: list[AsOf] = []

    def scan(self, view: str, **more: Any) -> Rows:
        return self.noted(self.client.scan(view, **self.of_currency, **more))

    def top(self, view: str, by: str, limit: int, **more: Any) -> Rows:
        return self.noted(self.client.top(view, by=by, limit=limit, **self.of_currency, **more))

    def noted(self, rows: Rows) -> Rows:
        self.as_ofs.append(rows.as_of)
        return rows

    def by_day(self, columns: Sequence[str], measures: Sequence[str], kind: str = "order") -> str | None:
        """A view that has the measures by these columns and day."""
        return next((name for name, view in sorted(self.views.items()) if view["kind"] == kind
                     and {*columns, "day"} <= set(view["group_by"]) and set(measures) <= set(view["measures"])), None)

    def choose(self, view: str, columns: Sequence[str], measures: Sequence[str],
               what: str) -> tuple[str, dict[str, Any], str | None] | Absent:
        """Where to read something: (view, range, note). A view without time can't be of a period: then it is of all sales, and says so."""
        if not self.period.is_all:
            with_days = self.by_day(columns, measures)
            if with_days:
                return with_days, self.period.as_range(), None
        if view not in self.views:
            return Absent(f"The aggregator keeps no view {view}, which {what} would come from.")
        note = None if self.period.is_all else f"Of all sales, not of the period alone: no view has {what} by day."
        return view, {}, note


def time_view(views: Sequence[Mapping[str, Any]]) -> str:
    """The view that has revenue by the finest time; the shipped one where it is there."""
    fitting = [view for view in views if view["kind"] == "order" and "total_revenue" in view["measures"]
               and {"minute", "hour"} & set(view["group_by"])]
    if not fitting:
        raise NoSuchData("no view has total_revenue by minute or hour, which a report is made from; the shipped sales_per_minute has")
    return str(min(fitting, key=lambda view: (view["name"] != "sales_per_minute", view["retain_ms"] is not None, len(view["group_by"]),
                                              view["name"]))["name"])


def currencies(client: Client, period: Period) -> list[str]:
    """Those in which something was sold."""
    rows = client.scan(time_view(client.views()), group_by=["currency"], **period.as_range())
    return sorted(row["currency"] for row in rows)


def last_days(client: Client, span: str) -> Period:
    """The days that `span` (28d, 4w, 1mo, 1y) reaches back from the newest sale, as the aggregator counts them."""
    asked = {"query": "scan", "view": time_view(client.views()), "range": {"last": span}, "explain": True}
    bounds = client.ask(asked)["explain"]["range"]
    return Period(*(date.fromisoformat(bounds[name][:10]) for name in ("from", "to")))


def _of_time(asked: _Asked, view: str) -> tuple[list[tuple[date, Decimal, int]], dict[tuple[int, int], Decimal]]:
    within = asked.period.as_range()
    days = [(row["day"], row["total_revenue"], row["order_count"]) for row in asked.scan(view, group_by=["day"], **within)]
    hours = {(row["weekday"], row["hour_of_day"]): row["total_revenue"]
             for row in asked.scan(view, group_by=["weekday", "hour_of_day"], **within)}
    return days, hours


def _line(asked: _Asked, view: str, days: Sequence[tuple[date, Decimal, int]]) -> Timeline | Absent:
    if not days:
        return Absent("Nothing was sold.")
    span = (days[-1][0] - days[0][0]).days + 1
    finest = "minute" if "minute" in asked.views[view]["group_by"] else "hour"
    bucket = next((name for name, most in TIMELINE_DAYS if span <= most and not (name == "minute" and finest == "hour")), "month")
    rows = asked.scan(view, group_by=[bucket], **asked.period.as_range())
    return Timeline(bucket, tuple((row[bucket], row["total_revenue"]) for row in rows))


def _busiest(asked: _Asked, view: str, days: Sequence[tuple[date, Decimal, int]]) -> tuple[date, Timeline] | Absent:
    """The day with the most revenue, minute by minute."""
    if not days:
        return Absent("Nothing was sold.")
    if "minute" not in asked.views[view]["group_by"]:
        return Absent(f"The view {view} has no minutes.")
    day = max(days, key=lambda each: each[1])[0]
    rows = asked.scan(view, group_by=["minute"], range={"from": day.isoformat(), "to": (day + timedelta(days=1)).isoformat()})
    return day, Timeline("minute", tuple((row["minute"], row["total_revenue"]) for row in rows))


def _products(asked: _Asked) -> Products | Absent:
    chosen = asked.choose("products", ["product_id"], ["total_quantity", "total_revenue"], "products")
    if isinstance(chosen, Absent):
        return chosen
    view, within, note = chosen
    rows = asked.top(view, "total_revenue", TOP_LIMIT_MAX, cumulative=True, group_by=["product_id"], **within)
    if not rows:
        return Absent("Nothing was sold.")
    products = tuple(Product(row["product_id"], row["total_quantity"], row["total_revenue"],
                             None if row["cumulative_share"] is None else Decimal(row["cumulative_share"])) for row in rows)
    count = len(products)
    if count == TOP_LIMIT_MAX:
        count = len(asked.scan(view, group_by=["product_id"], **within))
        if count > TOP_LIMIT_MAX:
            cut = f"The first {TOP_LIMIT_MAX:,} of {count:,} products."
            note = cut if note is None else f"{note} {cut}"
    return Products(products, count, note)


def _boxes(asked: _Asked) -> Boxes | Absent:
    measures = ("average", "min", "q25", "q50", "q75", "max", "basket_count")
    if "baskets" not in asked.views or not {"channel", "payment"} <= set(asked.views["baskets"]["group_by"]):
        return Absent("The aggregator keeps no view baskets by channel and payment, which the box plots would come from.")
    if not set(measures) <= set(asked.views["baskets"]["measures"]):
        return Absent(f"The view baskets lacks one of {', '.join(measures)}.")
    rows = asked.scan("baskets")
    if not rows:
        lacking = asked.views["baskets"]["unmatched"]
        return Absent("No closed basket names a channel and a payment"
                      + (f": {lacking:,} baskets lack one of the two." if lacking else "."))
    boxes = sorted((Box(row["channel"], row["payment"], row["basket_count"], row["average"], row["min"], row["q25"], row["q50"], row["q75"],
                        row["max"]) for row in rows), key=lambda box: -box.count)
    shown = sorted(boxes[:GROUPS_SHOWN], key=lambda box: (box.channel, box.payment))
    note = None if asked.period.is_all else "Of all sales, not of the period alone: the view baskets has no time."
    return Boxes(tuple(shown), len(boxes) - len(shown), note)


def band_edges(average: Decimal) -> list[Decimal]:
    """Round amounts from a tenth of the average to ten times it: 1, 2 and 5 of each power of ten."""
    power = average.adjusted()
    steps = [Decimal(step).scaleb(exponent) for exponent in range(power - 2, power + 3) for step in BAND_STEPS]
    return [Decimal(0), *(step for step in steps if average / 10 <= step <= average * 10)]


def _amount(said: str | None) -> Decimal | None:
    return None if said is None else Decimal(said)


def _bands(asked: _Asked, currency: str) -> Bands | Absent:
    chosen = asked.choose("users", ["user_id"], ["total_revenue"], "customers")
    if isinstance(chosen, Absent):
        return chosen
    view, within, note = chosen
    asks = {"query": "bands", "view": view, "by": "total_revenue", **asked.of_currency, **within, "group_by": ["user_id", "currency"]}
    unmatched = asked.views[view]["unmatched"]
    whole = [row for row in asked.client.ask({**asks, "edges": ["0"]})["rows"] if row["currency"] == currency]
    customers, revenue = sum(row["rows"] for row in whole), sum((Decimal(row["sum"]) for row in whole), Decimal(0))
    if not customers:
        return Absent("No sale names a customer" + (f": {unmatched:,} lines lack one." if unmatched else "."))
    edges = band_edges(max(revenue / customers, Decimal("0.01")))
    rows = asked.client.ask({**asks, "edges": [format(edge, "f") for edge in edges]})["rows"]
    return Bands(tuple(Band(_amount(row["from"]), _amount(row["to"]), row["rows"], Decimal(row["sum"]), _amount(row["share"]))
                       for row in rows if row["currency"] == currency), unmatched, note)


def _returns(asked: _Asked) -> Returns | Absent:
    chosen = asked.choose("returns", ["product_id"], ["return_count", "returned_quantity", "returned_revenue"], "returns")
    if isinstance(chosen, Absent):
        return chosen
    view, within, note = chosen
    whole = asked.scan(view, group_by=[], **within)
    if not whole:
        return Absent("Nothing came back.")
    rows = asked.top(view, "returned_revenue", RETURNS_SHOWN, order="asc", group_by=["product_id"], **within)
    return Returns(tuple(Return(row["product_id"], row["return_count"], row["returned_quantity"], row["returned_revenue"]) for row in rows),
                   whole[0]["return_count"], whole[0]["returned_quantity"], whole[0]["returned_revenue"], note)


def _orders(asked: _Asked) -> int | Absent:
    """Distinct orders of all stores; of a period only where a view has baskets by day."""
    if not asked.period.is_all:
        view = asked.by_day([], ["basket_count"], kind="basket")
        if view is None:
            return Absent("no view has baskets by day")
        return _sum(asked.scan(view, group_by=["day"], **asked.period.as_range()))
    if "stores" not in asked.views or "basket_count" not in asked.views["stores"]["measures"]:
        return Absent("the aggregator keeps no view stores with basket_count")
    return _sum(asked.scan("stores"))


def _sum(rows: Rows) -> int:
    return sum(int(row["basket_count"]) for row in rows)


def gather(client: Client, currency: str, period: Period) -> Facts:
    """Asks for all panels, one after the other: events that come in between are in the later answers, and `commits` tells."""
    asked = _Asked(client, currency, period)
    view = time_view(list(asked.views.values()))
    days, hours = _of_time(asked, view)
    return Facts(currency, period, days[0][0] if days else None, days[-1][0] if days else None,
                 sum((revenue for _, revenue, _ in days), Decimal(0)), sum(lines for _, _, lines in days), _orders(asked), hours,
                 _line(asked, view, days), _busiest(asked, view, days), _products(asked), _boxes(asked), _bands(asked, currency),
                 _returns(asked), asked.as_ofs[-1], (asked.as_ofs[0].commit, asked.as_ofs[-1].commit))
