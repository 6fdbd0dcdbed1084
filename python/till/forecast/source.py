"""Where series come from: a view with a bucket of time, rolled up to days or hours by the aggregator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ..client import AsOf, Client
from ..columns import Type
from ..wire import instant
from .errors import Declined
from .series import DAY, Moment, Series, Step, filled

BUCKETS = {"day": ("day", "hour", "minute"), "hour": ("hour", "minute")}  # what is coarse enough to begin with, coarsest first
SHIPPED_OF_ALL = "sales_per_minute"
EVENT_TS_AHEAD_MAX = timedelta(days=1)


@dataclass(frozen=True)
class Source:
    """A view and what to read of it."""

    view: str
    bucket: str  # its own finest one
    step: Step
    measure: str
    currency: str | None  # that the rows are limited to
    has_product: bool


@dataclass(frozen=True)
class History:
    """Series of one source, which all end with the last finished bucket."""

    shop: Series
    as_of: AsOf
    notes: tuple[str, ...]


def declaration(step: Step) -> str:
    """The view that a forecast of products wants, as its section in the aggregator's configuration."""
    return (f"[view.product_{step.name}s]\nkind = order\ngroup_by = product_id, {step.name}(ts)\n"
            "measures = order_count = count(), total_quantity = sum(quantity), total_revenue = sum(revenue)")


def _bucket_of(view: Mapping[str, Any], step: Step) -> str | None:
    return next((name for name in BUCKETS[step.name] if name in view["group_by"]), None)


def find_view(views: Iterable[Mapping[str, Any]], *, step: Step, measure: str, of_products: bool) -> Mapping[str, Any]:
    """The view that answers with the least work: rows that are not forgotten after a while, few group fields, a coarse bucket."""
    def work(view: Mapping[str, Any]) -> tuple[Any, ...]:
        return (view["retain_ms"] is not None, view["name"] != SHIPPED_OF_ALL and not of_products, len(view["group_by"]),
                BUCKETS[step.name].index(_bucket_of(view, step) or ""), view["name"])
    fitting = [view for view in views if view["kind"] == "order" and measure in view["measures"] and _bucket_of(view, step)
               and (not of_products or "product_id" in view["group_by"])]
    if fitting:
        return min(fitting, key=work)
    if of_products:
        raise Declined(f"no view has {measure} by product_id and {step.name}, which a forecast of products is made from. Declare one in "
                       f"the aggregator's configuration and start it anew; it is filled from the log:\n\n{declaration(step)}")
    raise Declined(f"no view of orders has {measure} by {' or '.join(BUCKETS[step.name])}; the shipped {SHIPPED_OF_ALL} has")


def named_view(views: Iterable[Mapping[str, Any]], name: str, *, step: Step, measure: str, of_products: bool) -> Mapping[str, Any]:
    """The view that was asked for, if it will do."""
    view = next((view for view in views if view["name"] == name), None)
    if view is None:
        raise Declined(f"no view {name!r}; `till query '{{\"query\":\"views\"}}'` lists them")
    if _bucket_of(view, step) is None:
        raise Declined(f"the view {name} is not grouped by {' or '.join(BUCKETS[step.name])}: there is no series by {step.name} in it")
    if measure not in view["measures"]:
        raise Declined(f"the view {name} has no measure {measure}; it has {', '.join(view['measures'])}")
    if of_products and "product_id" not in view["group_by"]:
        raise Declined(f"the view {name} is not grouped by product_id. One that is:\n\n{declaration(step)}")
    return view


def source_of(client: Client, view: Mapping[str, Any], step: Step, measure: str, currency: str | None) -> Source:
    """Money is of one currency; which one must be said where there are several."""
    column = next(each for each in client.columns(view["name"]) if each.name == measure)
    if column.type not in (Type.INTEGER, Type.MONEY):
        raise Declined(f"{measure} of the view {view['name']} is no sum: the buckets of a series are added up")
    if "currency" not in view["group_by"]:
        currency = None
    elif column.type is Type.MONEY and currency is None:
        found = sorted({row["currency"] for row in client.scan(view["name"], group_by=["currency"])})
        if len(found) > 1:
            raise Declined(f"{measure} is in {', '.join(found)}, which can't be added: choose one with --currency")
        currency = found[0] if found else None
    return Source(view["name"], _bucket_of(view, step) or "", step, measure, currency, "product_id" in view["group_by"])


def _conditions(source: Source, product: str | None) -> dict[str, Any]:
    wanted = [{"field": name, "op": "=", "value": value} for name, value in (("product_id", product), ("currency", source.currency))
              if value is not None]
    return {"where": wanted} if wanted else {}


def _rows(client: Client, source: Source, product: str | None) -> tuple[list[tuple[Moment, Decimal | int]], AsOf]:
    rows = client.scan(source.view, group_by=[source.step.name], **_conditions(source, product))
    return [(row[source.step.name], row[source.measure]) for row in rows], rows.as_of


def _parsed(text: str, step: Step) -> Moment:
    """The start of a bucket as an answer writes it."""
    moment = datetime.fromisoformat(text)
    if step is DAY:
        return moment.date()
    return moment.replace(minute=0) if moment.tzinfo else moment.replace(minute=0, tzinfo=UTC)


def _unfinished(client: Client, source: Source) -> Moment:
    """The bucket that holds as_of.event_ts, in the zone of the view, which the aggregator knows."""
    last = {"day": "1d", "hour": "1h"}[source.step.name]
    explained = client.ask({"query": "scan", "view": source.view, "range": {"last": last}, "explain": True})
    return _parsed(explained["explain"]["range"]["from"], source.step)


def _floor(now: datetime, like: Moment) -> Moment:
    if isinstance(like, datetime):
        return now.astimezone(like.tzinfo).replace(minute=0, second=0, microsecond=0)
    return now.astimezone(UTC).date()


def history(client: Client, source: Source, now: datetime) -> History:
    """All that was sold. What a till with a wrong clock sold in the future is left out, and that is said."""
    rows, as_of = _rows(client, source, None)
    if not rows or as_of.event_ts is None:
        raise Declined(f"the view {source.view} has no row{f' in {source.currency}' if source.currency else ''}: nothing was counted yet")
    end, notes = _unfinished(client, source), []
    if instant(as_of.event_ts) > now + EVENT_TS_AHEAD_MAX:
        end = min(end, _floor(now, end))
        late = sum(moment > end for moment, _ in rows)
        notes.append(f"{late} {source.step.name}{'' if late == 1 else 's'} with sales after now ({now:%Y-%m-%d %H:%M}) left out: "
                     "the clock of a till is ahead")
    return History(filled(rows, end, source.step), as_of, tuple(notes))


def of_product(client: Client, source: Source, product: str, end: Moment) -> Series:
    """From the product's first sale on."""
    rows, _ = _rows(client, source, product)
    if not rows:
        raise Declined(f"product {product}: no forecast: the view {source.view} has no sale of it")
    return filled(rows, end, source.step)


def leading(client: Client, source: Source, count: int) -> Sequence[str]:
    """The products that sold most of the measure. Of pieces a product has a row for each currency, which are added up here."""
    sums: dict[str, Decimal] = {}
    for row in client.scan(source.view, group_by=["product_id"], **_conditions(source, None)):
        sums[row["product_id"]] = sums.get(row["product_id"], Decimal(0)) + row[source.measure]
    return sorted(sums, key=lambda product: (-sums[product], product))[:count]
