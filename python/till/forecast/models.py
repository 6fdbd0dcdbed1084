"""Ways to go on with a series of numbers. Each returns the expected values and an interval around each; none looks at a clock."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from ..command import NotInstalled

__all__ = ["HOLT_WINTERS", "METHODS", "NAIVE", "Method", "Numbers", "Path", "closed_slots", "go_on", "np"]

try:
    import numpy as np
    import pandas as pd  # type: ignore[import-untyped, unused-ignore]
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel  # type: ignore[import-untyped, unused-ignore]
except ImportError as error:
    raise NotInstalled("statsmodels", "forecast") from error

Numbers = Any  # numpy's array of floats


@dataclass(frozen=True)
class Path:
    """What is expected, and the bounds between which a value lies with the asked probability."""

    mean: Numbers
    low: Numbers
    high: Numbers


@dataclass(frozen=True)
class Method:
    name: str
    go_on: Callable[[Numbers, int, int, float], Path]  # (values, season, horizon, level)


def seasonal_naive(values: Numbers, season: int, horizon: int, level: float) -> Path:
    """What it was a season ago: what every other method has to beat."""
    ahead = np.arange(horizon)
    mean = values[len(values) - season + ahead % season]
    errors = values[season:] - values[:-season]
    spread = math.sqrt(float(np.mean(errors ** 2))) if len(errors) else 0.0
    width = NormalDist().inv_cdf(0.5 + level / 2) * spread * np.sqrt(ahead // season + 1)
    return Path(mean, mean - width, mean + width)


def _start(values: Numbers, season: int) -> tuple[float, float, Numbers]:
    """Level, trend and season of the first two seasons: where the smoothing begins."""
    first, second = float(values[:season].mean()), float(values[season:2 * season].mean())
    shape = ((values[:season] - first) + (values[season:2 * season] - second)) / 2
    return first, (second - first) / season, shape - shape.mean()


def _smoothing(has_trend: bool, has_season: bool) -> Callable[[Numbers, int, int, float], Path]:
    """Exponential smoothing with additive errors, whose intervals are exact (Hyndman, Koehler, Ord, Snyder, 2008)."""
    def go_on(values: Numbers, season: int, horizon: int, level: float) -> Path:
        size = float(np.abs(values).mean())  # the optimiser's tolerances are made for numbers about 1
        level_0, trend_0, season_0 = _start(values / size, season)
        settings: dict[str, Any] = {"initialization_method": "known", "initial_level": level_0, "error": "add"}
        if has_trend:
            settings |= {"trend": "add", "damped_trend": True, "initial_trend": trend_0}
        if has_season and season > 1:
            settings |= {"seasonal": "add", "seasonal_periods": season, "initial_seasonal": season_0}
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # a fit that does not converge shows in the back-test
            fitted = ETSModel(pd.Series(values / size), **settings).fit(disp=False)
            ahead = fitted.get_prediction(start=len(values), end=len(values) + horizon - 1).summary_frame(alpha=1 - level)
        return Path(*(ahead[name].to_numpy() * size for name in ("mean", "pi_lower", "pi_upper")))
    return go_on


NAIVE = Method("seasonal naive: as a week before", seasonal_naive)
HOLT_WINTERS = Method("Holt-Winters: damped trend, weekly season", _smoothing(True, True))
METHODS = (HOLT_WINTERS, Method("exponential smoothing, weekly season", _smoothing(False, True)),
           Method("exponential smoothing, no season", _smoothing(False, False)), NAIVE)
CLOSED_SEASONS_MIN, CLOSED_SEASONS = 4, 8


def closed_slots(shop: Numbers, season: int) -> frozenset[int]:
    """Places in the season at which nothing at all was sold of late: Sundays, nights. Counted from the series' start."""
    seasons = min(len(shop) // season, CLOSED_SEASONS)
    if seasons < CLOSED_SEASONS_MIN:
        return frozenset()
    first = len(shop) - seasons * season
    return frozenset((first + slot) % season for slot in range(season) if not shop[first + slot::season].any())


def go_on(method: Method, values: Numbers, shop: Numbers, season: int, horizon: int, level: float) -> Path:
    """With the method, on what is sold while the shop is open: closed hours are 0 to come, and teach nothing about the others.
    Never below 0."""
    closed = closed_slots(shop, season)
    is_open = np.array([slot not in closed for slot in range(season)])
    then, ahead = (is_open[np.arange(begin, end) % season] for begin, end in ((0, len(values)), (len(values), len(values) + horizon)))
    parts = [np.zeros(horizon) for _ in range(3)]
    known, count = values[then], int(ahead.sum())
    if count and np.ptp(known) == 0:
        path = Path(*(np.full(count, known[0]) for _ in range(3)))  # nothing to estimate, and no error to estimate it from
    elif count:
        path = method.go_on(known, int(is_open.sum()), count, level)
    if count:
        for part, found in zip(parts, (path.mean, path.low, path.high), strict=True):
            part[ahead] = np.maximum(found, 0)
    return Path(*parts)
