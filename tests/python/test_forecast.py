"""Forecasts of generated series, whose season and noise are known."""
import math
import random
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from till.forecast import DAY, HOUR, Series, TooShort, filled
from till.forecast.predict import forecast, needed

MONDAY = date(2024, 1, 1)
NOISE = 8.0
WEEK = (0, 5, 10, 15, 40, 60, -30)
DAYS = 731


def two_years(seed, noise=NOISE):
    """Pieces a day: 200, a week's and a year's season, and noise."""
    draw = random.Random(seed)
    return tuple(Decimal(max(0, round(200 + WEEK[day % 7] + 40 * math.sin(2 * math.pi * day / 365.25) + draw.gauss(0, noise))))
                 for day in range(DAYS))


def days(values):
    return Series(MONDAY, DAY, tuple(map(Decimal, values)))


def naive_error(values, rounds, horizon):
    """Mean error of "as a week before" over the last rounds, by hand."""
    errors = []
    for back in range(rounds):
        origin = len(values) - horizon - 7 * back
        errors += [abs(values[origin + ahead] - values[origin - 7 + ahead % 7]) for ahead in range(horizon)]
    return float(sum(errors)) / len(errors)


def test_two_years_are_forecast_better_than_by_the_week_before_and_intervals_hold_what_they_say():
    covered, rounds = [], 0
    for seed in range(4):
        values = two_years(seed)
        made = forecast("all", days(values), 7, level=0.8)
        test = made.back_test
        assert test.ratio < 1
        assert test.mase < 1
        # The best possible forecast is off by the noise alone: sigma * sqrt(2 / pi) on average.
        told = test.ratio * naive_error(values, test.rounds, 7)
        assert 0.75 < told / (NOISE * math.sqrt(2 / math.pi)) < 1.4, (seed, told)
        assert [point.at for point in made.points] == [date(2026, 1, day) for day in range(1, 8)]
        assert (len(made.history), made.history.values) == (728, values[3:])
        truth = [200 + WEEK[day % 7] + 40 * math.sin(2 * math.pi * day / 365.25) for day in range(DAYS, DAYS + 7)]
        assert max(abs(point.mean - wanted) for point, wanted in zip(made.points, truth, strict=True)) < 3 * NOISE
        covered.append(test.coverage)
        rounds += test.rounds
        print(f"seed {seed}: {made.method}; {test}")
    # 168 values; those of a round share their level's error, which counts them as half as many: 3 standard deviations of a share of 0.8.
    bound = 3 * math.sqrt(0.8 * 0.2 / (rounds * 7 / 2))
    assert abs(sum(covered) / len(covered) - 0.8) < bound, (covered, bound)


def test_no_round_of_the_back_test_has_seen_its_future():
    """A series that repeats itself to the piece, but for its last week, which is three times as high."""
    shape = (10, 20, 30, 40, 50, 60, 70)
    made = forecast("all", days([*shape * 9, *(3 * each for each in shape)]), 7)
    assert made.back_test.rounds == 8
    assert made.back_test.smape == pytest.approx(100 / 8, rel=1e-3)  # 200 |3x - x| / 4x = 100 %, in one round of eight
    assert made.back_test.coverage == pytest.approx(7 / 8)


def test_hours_of_a_shop_that_closes_are_zeros_and_certain():
    """Open from 8 to 20, closed on Sundays; by hour."""
    draw = random.Random(5)
    is_open = [8 <= hour % 24 < 20 and hour // 24 % 7 != 6 for hour in range(24 * 7 * 8)]
    values = [max(1, round(30 + 5 * (hour // 24 % 7) + draw.gauss(0, 4))) if shop else 0 for hour, shop in enumerate(is_open)]
    start = datetime(2024, 1, 1, tzinfo=UTC)
    made = forecast("all", Series(start, HOUR, tuple(map(Decimal, values))), 168)
    for point, shop in zip(made.points, is_open, strict=False):
        if shop:
            assert point.mean > 10
            assert point.low < point.mean < point.high
        else:
            assert (point.mean, point.low, point.high) == (0, 0, 0), point
    assert made.points[0].at == datetime(2024, 2, 26, tzinfo=UTC)
    assert made.back_test.ratio < 1


def test_a_constant_series_goes_on_and_its_error_is_nobodys():
    made = forecast("all", days([5] * 50), 7)
    assert {(point.mean, point.low, point.high) for point in made.points} == {(5, 5, 5)}
    assert (made.back_test.mase, made.back_test.ratio, made.back_test.smape, made.back_test.coverage) == (None, None, 0, 1)
    assert made.method.startswith("seasonal naive")  # of equal ones the simplest


def test_nothing_but_zeros_forecasts_nothing_but_zeros():
    made = forecast("all", days([0] * 50), 14)
    assert made.total == 0
    assert {(point.low, point.high) for point in made.points} == {(0, 0)}
    assert made.back_test.smape == 0


def test_demand_that_falls_is_never_below_zero():
    made = forecast("all", days([max(0, 300 - 6 * day) for day in range(50)]), 14)
    assert all(0 <= point.low <= point.mean <= point.high for point in made.points)


def test_returns_may_make_a_day_negative():
    draw = random.Random(1)
    made = forecast("all", days([draw.randrange(-3, 6) for _ in range(60)]), 7)
    assert min(point.low for point in made.points) == 0


@pytest.mark.parametrize("count", [0, 1, 22, 34])
def test_too_little_is_declined_with_what_there_is_and_what_is_needed(count):
    with pytest.raises(TooShort, match=rf"product tea: no forecast: .* {count} finished days?, and 35 are needed") as declined:
        forecast("product tea", days([3] * count), 7)
    assert (declined.value.there, declined.value.needed) == (count, 35)


def test_just_enough_is_enough():
    assert needed(DAY, 7) == 35
    assert forecast("all", days(range(35)), 7).back_test.rounds == 3
    assert needed(DAY, 14) == 42
    assert needed(HOUR, 168) == 35 * 24


def test_days_without_a_sale_are_zeros_and_the_unfinished_one_is_left_out():
    rows = [(date(2024, 1, 2), 5), (date(2024, 1, 5), Decimal("2.5")), (date(2024, 1, 2), 1), (date(2024, 1, 7), 99)]
    series = filled(rows, date(2024, 1, 7), DAY)
    assert (series.start, series.values) == (date(2024, 1, 2), (6, 0, 0, Decimal("2.5"), 0))
    assert len(filled([], date(2024, 1, 7), DAY)) == 0
    assert len(filled([(date(2024, 1, 7), 1)], date(2024, 1, 7), DAY)) == 0
