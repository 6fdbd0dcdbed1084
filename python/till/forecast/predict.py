"""A forecast of a series: rounds of a back-test choose the method and say how far off it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import Declined, TooShort
from .models import HOLT_WINTERS, METHODS, NAIVE, Method, Numbers, Path, go_on, np
from .series import LEVEL, Moment, Series, Step

TRAINING_SEASONS_MIN, ROUNDS_MIN = 2, 3


@dataclass(frozen=True)
class Point:
    """Of a bucket to come: what is expected, and the interval."""

    at: Moment
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class BackTest:
    """How far off the forecast would have been: `rounds` times `horizon` values, each forecast from what lay before its round alone, by the
    method that had done best in earlier rounds. `mase`: error in units of the naive seasonal forecast's error in training; `smape` in
    percent; `ratio`: error divided by the naive seasonal forecast's in the same rounds, below 1 is better; `coverage`: share of values
    within their interval. None where the divisor is 0: there the naive forecast is never wrong."""

    rounds: int
    horizon: int
    mase: float | None
    smape: float
    ratio: float | None
    coverage: float


@dataclass(frozen=True)
class Forecast:
    method: str
    level: float
    points: tuple[Point, ...]
    back_test: BackTest
    history: Series

    @property
    def total(self) -> float:
        """Of all buckets. Intervals do not add up, so that it has none."""
        return sum(point.mean for point in self.points)


def needed(step: Step, horizon: int) -> int:
    """Two weeks to learn from, and three rounds of back-test, each a week further than the one before."""
    return TRAINING_SEASONS_MIN * step.season + horizon + (ROUNDS_MIN - 1) * step.season


def _rounds(count: int, step: Step, horizon: int) -> list[int]:
    """Where the rounds of the back-test begin, oldest first."""
    possible = 1 + (count - horizon - TRAINING_SEASONS_MIN * step.season) // step.season
    return [count - horizon - back * step.season for back in reversed(range(min(possible, step.rounds_max)))]


def _error(path: Path, actual: Numbers) -> float:
    error = float(np.abs(path.mean - actual).sum())
    return error if np.isfinite(error) else float("inf")


def _best(errors: dict[Method, float]) -> Method:
    """The least error; of equal ones the simplest method, which is the last."""
    return min(reversed(METHODS), key=errors.__getitem__)


def _smape(mean: Numbers, actual: Numbers) -> float:
    size = np.abs(mean) + np.abs(actual)
    return float(np.mean(200 * np.abs(mean - actual) / np.where(size > 0, size, 1)))


def _divided(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator > 0 else None


def _back_test(values: Numbers, shop: Numbers, step: Step, horizon: int, level: float) -> tuple[Method, BackTest]:
    errors = dict.fromkeys(METHODS, 0.0)
    means, actuals, scaled, within, error_sum = [], [], [], [], 0.0
    origins = _rounds(len(values), step, horizon)
    for number, origin in enumerate(origins):
        actual = values[origin:origin + horizon]
        paths = {method: go_on(method, values[:origin], shop[:origin], step.season, horizon, level) for method in METHODS}
        chosen = _best(errors) if number else HOLT_WINTERS
        error, path = _error(paths[chosen], actual), paths[chosen]
        if not np.isfinite(error):  # no fit was found
            path = paths[NAIVE]
            error = _error(path, actual)
        scale = float(np.abs(values[step.season:origin] - values[:origin - step.season]).mean())
        scaled.append(_divided(error / horizon, scale))
        error_sum += error
        means.append(path.mean)
        actuals.append(actual)
        within.append((path.low <= actual) & (actual <= path.high))
        for method in METHODS:
            errors[method] += _error(paths[method], actual)
    known = [each for each in scaled if each is not None]
    test = BackTest(len(origins), horizon, sum(known) / len(known) if known else None,
                    _smape(np.concatenate(means), np.concatenate(actuals)), _divided(error_sum, errors[NAIVE]),
                    float(np.concatenate(within).mean()))
    return _best(errors), test


def _floats(values: Sequence[object]) -> Numbers:
    return np.array([float(str(value)) for value in values])


def forecast(what: str, series: Series, horizon: int, *, shop: Series | None = None, level: float = LEVEL) -> Forecast:
    """Of the `horizon` buckets after the series' end. `shop`: all that was sold, in the same buckets to the same end, where the series is
    of one product: it tells when the shop is closed. `what` is how errors call the series. Raises TooShort."""
    step = series.step
    if len(series) < needed(step, horizon):
        raise TooShort(what, len(series), needed(step, horizon), step.name,
                       f"two weeks to learn from, and {ROUNDS_MIN} rounds of back-test over {horizon} {step.name}s, each a week further")
    recent = series.since(series.at(max(0, len(series) - step.seasons_max * step.season)))
    of_shop = recent if shop is None else shop.since(recent.start)
    if len(of_shop) != len(recent):
        raise Declined(f"{what}: the series of the shop has {len(of_shop)} buckets since {recent.start}, its own {len(recent)}")
    values, shop_values = _floats(recent.values), _floats(of_shop.values)
    method, test = _back_test(values, shop_values, step, horizon, level)
    path = go_on(method, values, shop_values, step.season, horizon, level)
    if not np.isfinite(path.mean).all():
        method, path = NAIVE, go_on(NAIVE, values, shop_values, step.season, horizon, level)
    points = tuple(Point(recent.at(len(recent) + ahead), float(path.mean[ahead]), float(path.low[ahead]), float(path.high[ahead]))
                   for ahead in range(horizon))
    return Forecast(method.name, level, points, test, recent)
