"""Pictures of what data.py asked. Floats appear here for the first time, and only to draw with."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.dates as mdates
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from .data import Absent, Bands, Boxes, Facts, Products, Returns, Timeline
from .style import COLOUR_MAP, CYCLE, DPI, HEIGHT_IN, NAME_MAX, WEEKDAYS, WIDTH_IN, Theme, axis_amount, money_text, short_amount, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BARS = 15
LETTER_IN = 0.078  # of a bar's number
ARTICLE = {"hour": "an"}
HISTORY_SHOWN = 35  # days before a forecast
SYMLOG_FROM = 12  # a largest basket so many times the upper quartile is drawn on a logarithmic axis
MINUTE = timedelta(minutes=1)
_AMOUNTS = FuncFormatter(lambda value, _: axis_amount(value))


def _figure(height: float = HEIGHT_IN) -> Figure:
    figure = Figure(figsize=(WIDTH_IN, height), dpi=DPI, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1, wspace=0.06)  # type: ignore[call-arg, union-attr]
    FigureCanvasAgg(figure)
    return figure


def _of(facts: Facts) -> str:
    return f" ({facts.currency})" if facts.currency else ""


def _amount_axis(axis: Any, label: str) -> None:
    axis.set_major_formatter(_AMOUNTS)
    axis.set_major_locator(MaxNLocator(nbins=6))
    axis.set_label_text(label)
    axis.grid(True)


def grid_of(facts: Facts) -> Any:
    """Revenue by weekday and hour, 7 x 24; masked where nothing was sold."""
    grid = np.ma.array(np.zeros((7, 24)), mask=True)
    for (weekday, hour), revenue in facts.hours.items():
        grid[weekday - 1, hour] = float(revenue)
    return grid


def heatmap(facts: Facts, theme: Theme) -> Figure:
    figure = _figure(4.3)
    axes = figure.add_subplot()
    mesh = axes.pcolormesh(grid_of(facts), cmap=mpl.colormaps[COLOUR_MAP], edgecolors=theme.ground, linewidth=1.5)
    axes.set_facecolor(theme.empty)
    axes.set_xticks(np.arange(24) + 0.5, [str(hour) for hour in range(24)])
    axes.set_yticks(np.arange(7) + 0.5, WEEKDAYS)
    axes.invert_yaxis()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(mesh, ax=axes, pad=0.015, aspect=28)
    _amount_axis(bar.ax.yaxis, f"revenue{_of(facts)}")
    bar.ax.grid(False)
    bar.outline.set_visible(False)
    axes.set_xlabel("hour of the day (8: from 8:00 to 8:59); grey: nothing sold")
    axes.set_title(f"Revenue by weekday and hour{_of(facts)}")
    return figure


def surface(facts: Facts, theme: Theme) -> Figure:
    figure = Figure(figsize=(WIDTH_IN, 6.4), dpi=DPI)  # the layout engine knows nothing of three dimensions
    FigureCanvasAgg(figure)
    axes: Any = figure.add_axes((-0.04, 0.0, 1.0, 0.95), projection="3d")
    hours, weekdays = np.meshgrid(np.arange(24), np.arange(1, 8))
    grid = grid_of(facts).filled(0.0)
    axes.plot_surface(hours, weekdays, grid, cmap=mpl.colormaps[COLOUR_MAP], rstride=1, cstride=1, edgecolor=theme.ground, linewidth=0.3,
                      antialiased=True)
    axes.set_box_aspect((1.7, 1.0, 0.75), zoom=1.08)
    axes.view_init(elev=34, azim=-62)
    axes.set_xticks(range(0, 24, 3))
    axes.set_yticks(range(1, 8), WEEKDAYS)
    axes.zaxis.set_major_formatter(_AMOUNTS)
    axes.zaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.set_xlabel("hour of the day", labelpad=12)
    axes.set_ylabel("weekday", labelpad=12)
    longest = max(len(axis_amount(float(round(value)))) for value in (grid.min(), grid.max()))
    axes.set_zlabel(f"revenue{_of(facts)}", labelpad=18 + 2 * max(0, longest - 7))
    axes.tick_params(axis="z", pad=8)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.pane.set_facecolor(theme.ground)
        axis.pane.set_edgecolor(theme.faint)
    figure.suptitle(f"Revenue over weekday and hour, as a surface{_of(facts)}", x=0.03, y=0.97, ha="left", fontsize=13, fontweight="bold")
    return figure


def _bars(axes: Axes, names: Sequence[str], values: Sequence[Decimal | int], colour: str, words: Sequence[str],
          width: float) -> None:
    """Horizontal, the first on top, with its number at its end; the axes are `width` inches wide."""
    drawn = axes.barh(range(len(names)), [float(value) for value in values], color=colour, height=0.72)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.bar_label(drawn, labels=list(words), padding=4, fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=axes.spines["left"].get_edgecolor(), linewidth=0.8)
    low, high = float(min(*values, 0)), float(max(*values, 0))
    room = min(0.6, (LETTER_IN * max(map(len, words)) + 0.1) / width)  # for the numbers, which stand outside
    length = (high - low) / (1 - room * (2 if low < 0 < high else 1)) if high > low else 1.0
    axes.set_xlim(low - room * length if low < 0 else 0, high + room * length if high > 0 or low == 0 else 0)


def reach(products: Products, share: Decimal = Decimal("0.8")) -> int | None:
    """How many of the leading products make up this share; None where there is no whole to share."""
    return next((rank for rank, row in enumerate(products.rows, 1)
                 if row.cumulative_share is not None and row.cumulative_share >= share), None)


def pareto(facts: Facts, theme: Theme) -> Figure:
    products = _present(facts.products, Products)
    figure = _figure(5.2)
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    shown = products.rows[:BARS]
    _bars(left, [shortened(row.product_id) for row in shown], [row.revenue for row in shown], theme.main,
          [money_text(row.revenue) for row in shown], 3.2)
    _amount_axis(left.xaxis, f"revenue{_of(facts)}")
    left.xaxis.set_major_locator(MaxNLocator(nbins=4))
    left.set_title(f"The {len(shown)} products with most revenue" if len(shown) > 1 else "The product with most revenue")
    _curve(right, products, theme)
    return figure


def _curve(axes: Axes, products: Products, theme: Theme) -> None:
    shares = [float(row.cumulative_share) for row in products.rows if row.cumulative_share is not None]
    axes.set_title("Share of all revenue")
    if not shares:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "No shares: the revenue of all products\ntogether is not above 0.", ha="center", va="center",
                  transform=axes.transAxes)
        return
    ranks = np.arange(1, len(shares) + 1)
    axes.plot(ranks, 100 * np.array(shares), color=theme.main, linewidth=2.2, marker="o" if len(shares) < 20 else None, label="cumulative")
    axes.axhline(80, color=theme.accent, linestyle="--", linewidth=1.4)
    rank = reach(products)
    axes.set_ylim(0, max(105.0, 105 * max(shares)))
    axes.set_xlim(0, max(len(shares) * 1.02, 2))
    if rank is not None:
        axes.plot([rank, rank], [0, 80], color=theme.accent, linestyle=":", linewidth=1.4)
        axes.text(0.97, 0.06, f"80 % of the revenue:\n{rank:,} of {products.count:,} products\n({100 * rank / products.count:.0f} %)",
                  transform=axes.transAxes, ha="right", va="bottom", bbox={"facecolor": theme.ground, "edgecolor": "none", "pad": 3})
    axes.yaxis.set_major_locator(MultipleLocator(20))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} %"))
    axes.xaxis.set_major_formatter(_AMOUNTS)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.set_xlabel("products, most revenue first")
    axes.grid(True)


def _starts(bucket: str, first: date, last: date) -> Iterator[datetime]:
    """Of all buckets of these days, and the end of the last."""
    at, end = datetime(first.year, first.month, first.day), datetime(last.year, last.month, last.day) + timedelta(days=1)
    if bucket == "week":
        at -= timedelta(days=at.weekday())
    elif bucket == "month":
        at = at.replace(day=1)
    lengths = {"minute": MINUTE, "hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
    while at < end:
        yield at
        at = (at.replace(day=28) + timedelta(days=4)).replace(day=1) if bucket == "month" else at + lengths[bucket]
    yield at


def stairs_of(line: Timeline, first: date, last: date) -> tuple[list[datetime], list[float]]:
    """Edges and values of a gapless line, by the clock on the wall: what has no row is 0, the hour that clocks showed twice is one."""
    sums: dict[datetime, Decimal] = {}
    for moment, revenue in line.rows:
        wall = moment.replace(tzinfo=None) if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day)
        sums[wall] = sums.get(wall, Decimal(0)) + revenue
    edges = list(_starts(line.bucket, first, last))
    return edges, [float(sums.get(edge, 0)) for edge in edges[:-1]]


def _date_axis(axes: Axes) -> None:
    locator = mdates.AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    words = ["%Y", "%b %Y", "%-d %b", "%H:%M", "%H:%M", "%H:%M"]
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(  # type: ignore[no-untyped-call]
        locator, formats=words, zero_formats=["", "%b %Y", "%-d %b", "%-d %b", "%H:%M", "%H:%M"], show_offset=False))


def _stairs(axes: Axes, edges: Sequence[datetime], values: Sequence[float], theme: Theme) -> None:
    numbers = mdates.date2num(list(edges))  # type: ignore[no-untyped-call]
    axes.stairs(values, numbers, fill=True, color=theme.main)
    axes.xaxis_date()
    _date_axis(axes)
    axes.set_xlim(numbers[0], numbers[-1])
    axes.margins(y=0.08)


def timeline(facts: Facts, theme: Theme) -> Figure:
    line = _present(facts.timeline, Timeline)
    if facts.first_day is None or facts.last_day is None:
        raise ValueError("a line of no days")
    figure = _figure(4.0)
    axes = figure.add_subplot()
    edges, values = stairs_of(line, facts.first_day, facts.last_day)
    _stairs(axes, edges, values, theme)
    _amount_axis(axes.yaxis, f"revenue {ARTICLE.get(line.bucket, 'a')} {line.bucket}{_of(facts)}")
    axes.set_title(f"Revenue by {line.bucket}, {_span(facts.first_day, facts.last_day)}{_of(facts)}")
    return figure


def _span(first: date, last: date) -> str:
    return first.isoformat() if first == last else f"{first} to {last}"


def minutes(facts: Facts, theme: Theme) -> Figure:
    if isinstance(facts.busiest, Absent):
        raise ValueError(facts.busiest.why)
    day, line = facts.busiest
    figure = _figure(3.8)
    axes = figure.add_subplot()
    edges, values = stairs_of(line, day, day)
    sold = [number for number, value in enumerate(values) if value]
    first, last = (sold[0] // 60 * 60, -(-(sold[-1] + 1) // 60) * 60) if sold else (0, len(values))
    _stairs(axes, edges[first:last + 1], values[first:last], theme)
    hours = max(1, (last - first) // 60 // 10)
    axes.xaxis.set_major_locator(mdates.HourLocator(interval=hours))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(mdates.DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
    _amount_axis(axes.yaxis, f"revenue a minute{_of(facts)}")
    axes.set_xlabel("time of day")
    axes.set_title(f"Minute by minute on the day with most revenue, {WEEKDAYS[day.weekday()]} {day}{_of(facts)}")
    return figure


def boxes(facts: Facts, theme: Theme) -> Figure:
    found = _present(facts.boxes, Boxes)
    figure = _figure(max(3.2, 1.7 + 0.42 * len(found.rows)))
    axes = figure.add_subplot()
    stats = [{"label": f"{shortened(box.channel)} · {shortened(box.payment)}\n{box.count:,} basket{'' if box.count == 1 else 's'}",
              "whislo": float(box.minimum), "q1": float(box.q25), "med": float(box.q50), "q3": float(box.q75), "whishi": float(box.maximum),
              "mean": float(box.average), "fliers": []} for box in found.rows]
    drawn = axes.bxp(stats, orientation="horizontal", showfliers=False, showmeans=True, patch_artist=True, widths=0.6,
                     medianprops={"color": theme.ink, "linewidth": 2},
                     meanprops={"marker": "D", "markerfacecolor": theme.ground, "markeredgecolor": theme.ink, "markersize": 6},
                     whiskerprops={"color": theme.ink}, capprops={"color": theme.ink}, boxprops={"edgecolor": theme.ink})
    channels = list(dict.fromkeys(box.channel for box in found.rows))
    for patch, box in zip(drawn["boxes"], found.rows, strict=True):
        patch.set_facecolor(CYCLE[channels.index(box.channel) % len(CYCLE)])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0, labelsize=9.5)
    _amount_axis(axes.xaxis, f"value of a basket{_of(facts)}; box: the middle half, line: median, diamond: average, "
                             "whiskers: least and greatest")
    axes.xaxis.label.set_fontsize(9.5)
    upper = max(float(box.q75) for box in found.rows)
    if upper > 0 and max(float(box.maximum) for box in found.rows) > SYMLOG_FROM * upper:
        axes.set_xscale("symlog", linthresh=10 ** math.floor(math.log10(upper)))
        axes.xaxis.set_major_formatter(_AMOUNTS)
    axes.grid(False, axis="y")
    axes.set_title(f"Values of baskets by channel and payment{_of(facts)}")
    return figure


def band_name(start: Decimal | None, end: Decimal | None) -> str:
    if start is None:
        return "below 0" if end == 0 else f"below {short_amount(float(end or 0))}"
    if end is None:
        return f"{short_amount(float(start))} and more"
    return f"{short_amount(float(start))} to {short_amount(float(end))}"


def bands(facts: Facts, theme: Theme) -> Figure:
    found = _present(facts.bands, Bands)
    figure = _figure(max(3.4, 1.5 + 0.33 * len(found.rows)))
    left, right = figure.subplots(1, 2, sharey=True)
    names = [band_name(band.start, band.end) for band in found.rows]
    _bars(left, names, [band.customers for band in found.rows], theme.main, [f"{band.customers:,}" for band in found.rows], 3.6)
    _amount_axis(left.xaxis, "customers")
    left.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    left.set_ylabel(f"spent in all{_of(facts)}")
    left.set_title("Customers by what they spent")
    _bars(right, names, [band.revenue for band in found.rows], theme.accent, [money_text(band.revenue) for band in found.rows], 3.6)
    left.set_ylim(len(names) - 0.5, -0.5)  # both turned the one axis that they share
    _amount_axis(right.xaxis, f"revenue{_of(facts)}")
    right.xaxis.set_major_locator(MaxNLocator(nbins=4))
    right.tick_params(axis="y", labelleft=False)
    right.set_title("What they brought")
    for axes in (left, right):
        axes.grid(False, axis="y")
    return figure


def returns(facts: Facts, theme: Theme) -> Figure:
    found = _present(facts.returns, Returns)
    figure = _figure(max(3.0, 1.5 + 0.32 * len(found.rows)))
    axes = figure.add_subplot()
    _bars(axes, [shortened(row.product_id) for row in found.rows], [-row.revenue for row in found.rows], theme.accent,
          [f"{money_text(-row.revenue)}  ({-row.quantity:,} piece{'' if row.quantity == -1 else 's'})" for row in found.rows], 7.0)
    _amount_axis(axes.xaxis, f"given back{_of(facts)}")
    axes.grid(False, axis="y")
    axes.set_title(f"Returns that cost most{_of(facts)}")
    return figure


def forecast(facts: Facts, theme: Theme) -> Figure:
    made = facts.forecast
    figure = _figure(4.2)
    axes = figure.add_subplot()
    past = [(made.history.at(index), float(value)) for index, value in enumerate(made.history.values)][-HISTORY_SHOWN:]
    ahead = [point.at for point in made.points]
    axes.plot([at for at, _ in past], [value for _, value in past], color=theme.main, linewidth=1.8, marker="o", markersize=3.5,
              label="sold")
    axes.fill_between(ahead, [point.low for point in made.points], [point.high for point in made.points], color=theme.accent, alpha=0.25,
                      linewidth=0, label=f"{100 * made.level:.0f} % interval")
    axes.plot(ahead, [point.mean for point in made.points], color=theme.accent, linewidth=1.8, linestyle="--", marker="D", markersize=4,
              label="expected")
    axes.set_ylim(bottom=min(0.0, *(value for _, value in past)))
    _date_axis(axes)
    _amount_axis(axes.yaxis, f"revenue a day{_of(facts)}")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    axes.set_title(f"What the {len(ahead)} days from {ahead[0]} on will probably bring{_of(facts)}")
    return figure


def _present(found: Any, kind: type[Any]) -> Any:
    if not isinstance(found, kind):
        raise ValueError(found.why)
    return found


def drawn(draw: Callable[[Facts, Theme], Figure], facts: Facts, theme: Theme) -> Figure:
    with mpl.rc_context(theme.settings):
        return draw(facts, theme)


def png(figure: Figure, theme: Theme, facts: Facts) -> bytes:
    """With a line that says of when it is: a picture goes where its page does not."""
    out = io.BytesIO()
    newest = facts.as_of.event_time
    when = "" if newest is None else f", newest sale {newest:%Y-%m-%d %H:%M} UTC"
    with mpl.rc_context(theme.settings):
        figure.savefig(out, format="png", metadata={"Software": None, "Description": f"till, store {facts.as_of.store}, commit "
                                                    f"{facts.as_of.commit}{when}"})
    return out.getvalue()


__all__ = ["NAME_MAX", "bands", "boxes", "drawn", "forecast", "grid_of", "heatmap", "minutes", "pareto", "png", "reach",
           "returns", "stairs_of", "surface", "timeline"]
