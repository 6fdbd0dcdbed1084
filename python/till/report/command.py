"""till report: pictures and a page of what was sold."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from .. import command
from ..client import Client
from .data import Absent, Facts, NoSuchData, Period, currencies, gather, last_days
from .folder import MANIFEST, write_folder

NAME = "report"
FORECAST_DAYS = 7
EPILOG = """\
Writes index.html, which needs no other file, and its pictures as PNG into DIR, all at once: a report that is there is replaced. Sales in
several currencies give a report each, in a folder of its name. Views without time (products, users, returns, baskets) can't be limited
to a period; docs/REPORT.md names views that can."""


def _day(words: str) -> date:
    try:
        return date.fromisoformat(words)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{words!r} is no day, such as 2010-12-01") from error


def _span(words: str) -> str:
    if re.fullmatch(r"[1-9][0-9]{0,3}(d|w|mo|y)", words) is None:
        raise argparse.ArgumentTypeError(f"{words!r} is no number of days, weeks, months or years, such as 28d, 4w, 1mo or 1y")
    return words


def _currency(words: str) -> str:
    if re.fullmatch(r"[A-Z]{3}", words) is None:
        raise argparse.ArgumentTypeError(f"{words!r} is no currency, such as EUR")
    return words


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command.parser(NAME, "Pictures and a page of what was sold: when, what, by whom, what came back, what is expected.", EPILOG)
    command.add_aggregator_options(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="the folder to write, or to replace")
    parser.add_argument("--last", metavar="SPAN", type=_span, help="of the last days before the newest sale: 28d, 4w, 1mo, 1y")
    parser.add_argument("--from", metavar="DAY", dest="start", type=_day, help="from this day on")
    parser.add_argument("--to", metavar="DAY", dest="end", type=_day, help="to before this day")
    parser.add_argument("--currency", metavar="CODE", type=_currency, help="of this one; default: all, each for itself")
    parser.add_argument("--title", default="Sales", help="default Sales")
    options = parser.parse_args(arguments)
    if options.last and (options.start or options.end):
        raise command.UsageError("--last goes without --from and --to")
    if options.start and options.end and options.start >= options.end:
        raise command.UsageError("--to must be after --from")
    return options


def _asked_currencies(client: Client, period: Period, wanted: str | None) -> list[str]:
    there = currencies(client, period)
    if wanted is None:
        return there or [""]
    if wanted not in there:
        raise NoSuchData(f"nothing was sold in {wanted}" + (f"; there is {', '.join(there)}" if there else ", nor in any other currency"))
    return [wanted]


def _forecast(client: Client, currency: str, now: datetime) -> Any:
    """Of the revenue a day, or why there is none."""
    from ..forecast.errors import Declined
    from ..forecast.series import DAY
    from ..forecast.source import find_view, history, source_of

    try:
        from ..forecast.predict import forecast

        found = find_view(client.views(), step=DAY, measure="total_revenue", of_products=False)
        past = history(client, source_of(client, found, DAY, "total_revenue", currency or None), now)
        return forecast("revenue", past.shop, FORECAST_DAYS)
    except (Declined, command.NotInstalled) as error:
        words = str(error)
        return Absent(words[0].upper() + words[1:] + ".")


def _manifest(title: str, facts: Facts, names: Sequence[str], now: datetime) -> bytes:
    """For programs, and the sign that the folder is a report."""
    as_of, average = facts.as_of, facts.average
    return json.dumps({
        "title": title, "currency": facts.currency or None, "made": now.isoformat(timespec="seconds"), "files": list(names),
        "from": facts.first_day and facts.first_day.isoformat(), "to": facts.last_day and facts.last_day.isoformat(),
        "revenue": format(facts.revenue, "f"), "orders": None if isinstance(facts.orders, Absent) else facts.orders,
        "average_basket": None if average is None else format(average, "f"), "lines": facts.lines,
        "as_of": {"store": as_of.store, "commit": as_of.commit, "event_ts": as_of.event_ts, "lag": as_of.lag, "gaps": list(as_of.gaps)},
    }, indent=1).encode()


def files_of(title: str, facts: Facts, now: datetime) -> dict[str, bytes]:
    """The files of one currency's report, by name."""
    from . import figures
    from .page import page
    from .panels import panels_of
    from .style import DARK, LIGHT

    panels, pictures, files = panels_of(facts), {}, {}
    for panel in panels:
        if panel.draw:
            pictures[panel.name] = tuple(figures.png(figures.drawn(panel.draw, facts, theme), theme, facts) for theme in (LIGHT, DARK))
            files[f"{panel.name}.png"] = pictures[panel.name][0]
    files["index.html"] = page(title, facts, panels, pictures, now).encode()  # type: ignore[arg-type]
    files[MANIFEST] = _manifest(title, facts, [*files, MANIFEST], now)
    return files


def _all_files(client: Client, options: argparse.Namespace, now: datetime) -> dict[str, bytes]:
    from .page import index

    period = last_days(client, options.last) if options.last else Period(options.start, options.end)
    wanted = _asked_currencies(client, period, options.currency)
    reports = {}
    for currency in wanted:
        facts = replace(gather(client, currency, period), forecast=_forecast(client, currency, now))
        reports[currency] = files_of(f"{options.title}, {currency}" if len(wanted) > 1 else options.title, facts, now)
    if len(wanted) == 1:
        return reports[wanted[0]]
    files = {f"{currency}/{name}": content for currency, each in reports.items() for name, content in each.items()}
    files["index.html"] = index(options.title, wanted).encode()
    files[MANIFEST] = json.dumps({"title": options.title, "reports": wanted, "files": [*files, MANIFEST]}, indent=1).encode()
    return files


def report_command(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    from . import style  # noqa: F401  # says at once if matplotlib is missing

    with command.open_client(options) as client:
        files = _all_files(client, options, datetime.now(UTC))
    write_folder(options.out, files)
    for name in files:
        if name.endswith("index.html"):
            print(options.out / name)
    return command.DONE


def main() -> None:
    sys.exit(command.run(NAME, report_command))


__all__ = ["files_of", "main", "report_command"]
