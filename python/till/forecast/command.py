"""till forecast: demand of the next days, in total or by product."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .. import command
from ..client import Client
from .errors import Declined
from .series import LEVEL, STEPS, Step
from .source import History, Source, find_view, history, leading, named_view, of_product, source_of
from .text import json_of, text_of

if TYPE_CHECKING:  # it needs statsmodels
    from .predict import Forecast

NAME = "forecast"
HORIZON_MAX_S = 8 * 7 * 86400
EPILOG = """\
Without --product or --top: of all that is sold. Of products it needs a view grouped by product_id and day (or hour); docs/FORECAST.md
shows its section. The method is chosen by a back-test, whose error against the naive seasonal forecast is told. The last bucket, which
is not over, is left out; buckets without sales count as 0. Exit code 1 where nothing can be forecast."""


@dataclass
class Outcome:
    """What was forecast, and what was not and why."""

    made: list[tuple[str | None, Forecast]] = field(default_factory=list)
    declined: list[tuple[str | None, str]] = field(default_factory=list)


def _level(text: str) -> float:
    try:
        percent = float(text)
    except ValueError:
        percent = 0.0
    if not 1 <= percent <= 99:
        raise argparse.ArgumentTypeError(f"{text!r} is no level: percent, from 1 to 99")
    return percent / 100


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 1000")
    return int(text)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command.parser(NAME, "Demand of the next days, with intervals, and how far off such forecasts were.", EPILOG)
    command.add_aggregator_options(parser)
    parser.add_argument("--view", help="default: the one that fits best; of all: sales_per_minute")
    parser.add_argument("--product", metavar="ID", action="append", help="of this product; may be repeated")
    parser.add_argument("--top", metavar="N", type=_count, help="of the N products that sold most")
    parser.add_argument("--horizon", metavar="TIME", type=command.span_s, default="7d", help="how far ahead, default 7d; at most 56d")
    parser.add_argument("--by", choices=sorted(STEPS), default="day", help="buckets, default day")
    parser.add_argument("--measure", metavar="NAME", default="total_quantity", help="default total_quantity; total_revenue is another")
    parser.add_argument("--currency", metavar="CODE", help="where sales are in several")
    parser.add_argument("--level", metavar="PERCENT", type=_level, default=LEVEL, help=f"of the intervals, default {100 * LEVEL:.0f}")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.product and options.top:
        raise command.UsageError("--product and --top: one of them")
    return options


def _horizon(options: argparse.Namespace, step: Step) -> int:
    count, rest = divmod(options.horizon, step.length.total_seconds())
    if rest or not 0 < options.horizon <= HORIZON_MAX_S:
        raise command.UsageError(f"--horizon: whole {step.name}s, at most 56d")
    return int(count)


def _source(client: Client, options: argparse.Namespace, step: Step) -> Source:
    views, of_products = client.views(), bool(options.product or options.top)
    found = (named_view(views, options.view, step=step, measure=options.measure, of_products=of_products) if options.view else
             find_view(views, step=step, measure=options.measure, of_products=of_products))
    return source_of(client, found, step, options.measure, options.currency)


def _forecasts(client: Client, source: Source, past: History, options: argparse.Namespace, horizon: int) -> Outcome:
    """Of each that is asked for; one that can't be forecast stops no other."""
    from .predict import forecast

    asked: Sequence[str | None] = options.product or (leading(client, source, options.top) if options.top else [None])
    outcome, end = Outcome(), past.shop.at(len(past.shop))
    for product in asked:
        try:
            series = past.shop if product is None else of_product(client, source, product, end)
            shop = None if product is None else past.shop
            what = "all that is sold" if product is None else f"product {product}"
            outcome.made.append((product, forecast(what, series, horizon, shop=shop, level=options.level)))
        except Declined as declined:
            outcome.declined.append((product, str(declined)))
    return outcome


def _as_json(source: Source, past: History, outcome: Outcome) -> dict[str, Any]:
    as_of = past.as_of
    return {"view": source.view, "by": source.step.name, "measure": source.measure, "currency": source.currency,
            "forecasts": [json_of(*each) for each in outcome.made],
            "declined": [{"product_id": product, "message": words} for product, words in outcome.declined], "notes": list(past.notes),
            "as_of": {"store": as_of.store, "commit": as_of.commit, "event_ts": as_of.event_ts, "lag": as_of.lag}}


def _as_text(source: Source, past: History, outcome: Outcome) -> str:
    of_view = f"{source.measure} by {source.step.name}{f' in {source.currency}' if source.currency else ''}, view {source.view}"
    parts = [text_of(f"{'All that is sold' if product is None else f'Product {product}'}: {of_view}", made, "expected")
             for product, made in outcome.made]
    as_of = past.as_of
    parts.append(f"as of store {as_of.store}, commit {as_of.commit}, lag {'unknown' if as_of.lag is None else as_of.lag}")
    return "\n\n".join(parts)


def forecast_command(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    step = STEPS[options.by]
    horizon = _horizon(options, step)
    with command.open_client(options) as client:
        source = _source(client, options, step)
        past = history(client, source, datetime.now(UTC))
        outcome = _forecasts(client, source, past, options, horizon)
    for note in past.notes:
        command.say(NAME, note)
    for _, words in outcome.declined:
        command.say(NAME, words)
    if options.json:
        print(json.dumps(_as_json(source, past, outcome), indent=1))
    elif outcome.made:
        print(_as_text(source, past, outcome))
    return command.DONE if outcome.made else command.FAILED


def main() -> None:
    sys.exit(command.run(NAME, forecast_command))
