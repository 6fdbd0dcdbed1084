"""Rules of till alert as pure functions: made histories in, verdicts out, at and beside each border."""
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from till.alert.finding import Verdict, median, median_distance, quantile
from till.alert.ini import Place, Section, Value
from till.alert.rules import rule_of

UTC = ZoneInfo("UTC")
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def judge(kind, **options):
    place = Place("test.conf", 1)
    return rule_of("r", Section("rule.r", place, {name: Value(str(text), place) for name, text in {"type": kind, **options}.items()})).judge


def ms(*when, zone=UTC):
    return round(datetime(*when, tzinfo=zone).timestamp() * 1000)


def verdicts(findings):
    return {tuple(value for _, value in each.key): each.verdict.value if each.verdict is not Verdict.NOT_JUDGED else each.reason
            for each in findings}


# ---- statistics


@pytest.mark.parametrize(("values", "middle", "distance"), [
    (["3"], "3", "0"), (["1", "2"], "1.5", "0.5"), (["1", "1", "1", "100"], "1", "0"), (["1", "2", "4", "8", "16"], "4", "3")])
def test_medians_are_exact(values, middle, distance):
    values = [Decimal(value) for value in values]
    assert median(values) == Decimal(middle)
    assert median_distance(values, Decimal(middle)) == Decimal(distance)


@pytest.mark.parametrize(("count", "share", "wanted"), [(100, "0.99", 99), (101, "0.99", 100), (1, "0.99", 1), (10, "0.5", 5),
                                                      (10, "1", 10)])
def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed(count, share, wanted):
    assert quantile(range(1, count + 1), Decimal(share)) == wanted


# ---- invalid_share


@pytest.mark.parametrize(("valid", "invalid", "wanted"), [
    (95, 5, "ok"), (94, 6, "off"), (950_000, 50_000, "ok"), (949_999, 50_001, "off"),  # exactly the share is not above it
    (0, 99, "few events"), (0, 100, "off"), (100, 0, "ok")])
def test_invalid_share_is_off_above_its_share(valid, invalid, wanted):
    rule = judge("invalid_share", share="0.05", min_events=100)
    found = rule.judge([{"edge": "uk", "event_count": valid}] if valid else [],
                       [{"edge": "uk", "code": "bad_value", "invalid_count": invalid}] if invalid else [])
    assert verdicts(found) == {("uk",): wanted}


def test_letters_of_all_codes_count_and_the_most_frequent_is_named():
    rule = judge("invalid_share", share="0.05", min_events=100)
    letters = [{"edge": "uk", "code": code, "invalid_count": count} for code, count in (("bad_type", 2), ("missing_field", 4))]
    found = rule.judge([{"edge": "uk", "event_count": 94}, {"edge": "fr", "event_count": 100}], letters)
    assert verdicts(found) == {("uk",): "off", ("fr",): "ok"}
    words = next(each.words for each in found if each.verdict is Verdict.OFF)
    assert words == "6 of 100 events of uk were invalid: 6 %, more than 5 %; most often missing_field"


# ---- silent_till


NOW = ms(2026, 3, 4, 14, 0)  # a Wednesday


def selling(first, last, every=5 * MINUTE):
    """Ends of the minutes with a sale."""
    return list(range(first, last + 1, every))


def weeks_of(count, sales_of_week):
    return [{"uk": sales_of_week(NOW - number * 7 * DAY)} for number in range(1, count + 1)]


def every_five_minutes(around):
    return selling(around - 12 * HOUR, around + 2 * HOUR)


@pytest.mark.parametrize(("silence", "wanted"), [(0, "ok"), (10 * MINUTE, "ok"), (10 * MINUTE + 1, "off"), (3 * HOUR, "off"),
                                                  (None, "off")])
def test_a_till_is_silent_when_it_is_so_for_twice_as_long_as_it_ever_was(silence, wanted):
    """A sale each five minutes: its silence is 0 to 3 minutes at whole ones; 99 of 100 do not exceed 3; twice that is below the minimum."""
    recent = {} if silence is None else {"uk": selling(NOW - silence - HOUR, NOW - silence)}
    assert verdicts(judge("silent_till").judge(recent, weeks_of(4, every_five_minutes), NOW, MINUTE)) == {("uk",): wanted}


@pytest.mark.parametrize(("silence", "wanted"), [(36 * MINUTE, "ok"), (36 * MINUTE + 1, "off")])
def test_the_limit_is_a_multiple_of_its_own_quantile(silence, wanted):
    """A sale each twenty minutes: silences are 0 to 18 minutes, so that the limit is twice 18."""
    def history(around):
        return selling(around - 12 * HOUR, around + 2 * HOUR, 20 * MINUTE)
    rule = judge("silent_till", factor=2)
    assert verdicts(rule.judge({"uk": [NOW - silence]}, weeks_of(4, history), NOW, MINUTE)) == {("uk",): wanted}


@pytest.mark.parametrize(("end", "wanted"), [(NOW + MINUTE, "ok"), (NOW + MINUTE + 1, "off")])
def test_the_minute_that_is_not_over_counts_and_the_future_does_not(end, wanted):
    """A sale of just now ends the silence; one of a till whose clock is ahead does not hide it."""
    found = judge("silent_till").judge({"uk": [NOW - HOUR, end]}, weeks_of(4, every_five_minutes), NOW, MINUTE)
    assert verdicts(found) == {("uk",): wanted}


def test_a_till_that_was_closed_at_this_hour_in_all_weeks_is_not_silent():
    def closed_since_noon(around):
        return selling(around - 8 * HOUR, around - 2 * HOUR)
    found = judge("silent_till").judge({"uk": [NOW - 2 * HOUR]}, weeks_of(4, closed_since_noon), NOW, MINUTE)
    assert verdicts(found) == {("uk",): "closed"}


@pytest.mark.parametrize(("open_weeks", "wanted"), [(0, "closed"), (2, "short history"), (3, "off"), (4, "off")])
def test_it_is_judged_only_by_enough_weeks_in_which_it_was_open(open_weeks, wanted):
    history = [{"uk": every_five_minutes(NOW - number * 7 * DAY)} if number <= open_weeks else {} for number in range(1, 5)]
    assert verdicts(judge("silent_till", min_weeks=3).judge({"uk": [NOW - 5 * HOUR]}, history, NOW, MINUTE)) == {("uk",): wanted}


def test_closing_time_is_no_alarm_and_a_till_that_does_not_open_is_one():
    """Open from 9 to 20 on the same weekday in all weeks; looked at each quarter of an hour of a day on which it sells until 20 again,
    and of one on which it never opens."""
    rule, day = judge("silent_till"), ms(2026, 3, 4)

    def opened(midnight):
        return selling(midnight + 9 * HOUR, midnight + 20 * HOUR)
    history = [{"uk": sorted(opened(day - 7 * week * DAY - DAY) + opened(day - 7 * week * DAY))} for week in range(1, 5)]
    moments = range(day, day + DAY, 15 * MINUTE)
    for today, off_from in ((opened(day), None), ([], 10.0)):
        recent = sorted([*opened(day - DAY), *today])
        alarms = [moment for moment in moments
                  if verdicts(rule.judge({"uk": [each for each in recent if each <= moment]}, history, moment, MINUTE))[("uk",)] == "off"]
        assert (alarms[0] - day) / HOUR == off_from if off_from else alarms == []


def test_the_same_hour_of_the_week_goes_by_the_clock_on_the_wall():
    """On 2026-03-29 Berlin's clocks go forward: 14:00 of the Wednesday after is an hour less from 14:00 a week before."""
    berlin = ZoneInfo("Europe/Berlin")
    now = ms(2026, 4, 1, 14, 0, zone=berlin)
    opens = [ms(2026, 4, 1, 13, 30, zone=berlin) - 7 * week * DAY + HOUR for week in range(1, 5)]  # 13:30 on the wall, in winter
    history = [{"uk": selling(start, start + HOUR, MINUTE)} for start in opens]
    assert verdicts(judge("silent_till", window="15min", zone="Europe/Berlin").judge({"uk": []}, history, now, MINUTE)) == {("uk",): "off"}
    assert verdicts(judge("silent_till", window="15min", zone="UTC").judge({"uk": []}, history, now, MINUTE)) == {("uk",): "closed"}


# ---- price


TODAY = date(2026, 3, 4)


def priced(day, price, product="tea", count=3):
    return {"day": day, "product_id": product, "currency": "EUR", "line_count": count, "average_price": Decimal(price),
            "max_price": Decimal(price) + 1}


def price_history(prices):
    """The last of them yesterday."""
    return [priced(TODAY - timedelta(days=len(prices) - place), price) for place, price in enumerate(prices)]


@pytest.mark.parametrize(("price", "wanted"), [("2.50", "ok"), ("3.00", "ok"), ("3.000001", "off"), ("2.00", "ok"), ("1.999999", "off"),
                                              ("25", "off")])
def test_a_price_that_never_moved_is_off_beyond_its_least_change(price, wanted):
    rows = [*price_history(["2.50"] * 10), priced(TODAY, price)]
    assert verdicts(judge("price", min_change="0.2").judge(rows, ["product_id", "currency"], TODAY)) == {("tea", "EUR"): wanted}


@pytest.mark.parametrize(("price", "wanted"), [("17.413", "ok"), ("17.4131", "off"), ("2.587", "ok"), ("2.5869", "off")])
def test_a_price_that_moves_is_off_beyond_five_deviations(price, wanted):
    """9 and 11 by turns: median 10, MAD 1, so that five deviations are 7.413."""
    rows = [*price_history(["9", "11"] * 5), priced(TODAY, price)]
    assert verdicts(judge("price", factor=5, min_change="0.01").judge(rows, ["product_id", "currency"], TODAY)) == {("tea", "EUR"): wanted}


@pytest.mark.parametrize(("days", "wanted"), [(6, "short history"), (7, "off"), (28, "off")])
def test_a_price_wants_days_of_history(days, wanted):
    rows = [*price_history(["2.50"] * days), priced(TODAY, "99")]
    assert verdicts(judge("price", min_days=7).judge(rows, ["product_id", "currency"], TODAY)) == {("tea", "EUR"): wanted}


def test_history_ends_so_many_days_before():
    far = [priced(TODAY - timedelta(days=29 + number), "2.50") for number in range(20)]
    rule = judge("price", days=28)
    assert verdicts(rule.judge([*far, priced(TODAY, "99")], ["product_id", "currency"], TODAY)) == {("tea", "EUR"): "short history"}


def test_yesterday_is_judged_where_nothing_was_sold_today_and_no_day_before():
    rows = price_history(["2.50"] * 10 + ["99"])
    assert verdicts(judge("price").judge(rows, ["product_id", "currency"], TODAY)) == {("tea", "EUR"): "off"}
    assert verdicts(judge("price").judge(rows, ["product_id", "currency"], TODAY + timedelta(days=1))) == {}


def test_each_price_is_held_against_its_own():
    rows = [*price_history(["2.50"] * 10), {**priced(TODAY, "2.50"), "max_price": Decimal("9.99")}]
    assert verdicts(judge("price").judge(rows, ["product_id", "currency"], TODAY)) == {("tea", "EUR"): "ok"}
    found = judge("price", measures="average_price, max_price").judge(rows, ["product_id", "currency"], TODAY)
    assert [(each.verdict, each.values["measure"]) for each in found] == [(Verdict.OFF, "max_price")]


# ---- revenue_drop


def takings(edge, amount, currency="EUR"):
    return {"edge": edge, "currency": currency, "total_revenue": Decimal(amount)}


@pytest.mark.parametrize(("now", "before", "wanted"), [
    ("500.01", "1000", "ok"), ("500.00", "1000", "off"), ("0", "1000", "off"), ("-10", "1000", "off"), ("0", "999.99", "little revenue"),
    ("3000", "1000", "ok"), (None, "1000", "off"), ("1000", None, "little revenue")])
def test_revenue_is_off_when_it_fell_by_its_share(now, before, wanted):
    rule = judge("revenue_drop", drop="0.5", min_revenue="1000")
    found = rule.judge([takings("uk", now)] if now else [], [takings("uk", before)] if before else [], ["currency"])
    assert verdicts(found) == {("uk", "EUR"): wanted, ("EUR",): wanted}


def test_the_total_is_of_all_edges_and_currencies_do_not_mix():
    rule = judge("revenue_drop")
    found = rule.judge([takings("uk", 400), takings("fr", 5000), takings("us", 1, "USD")],
                       [takings("uk", 1000), takings("fr", 5000), takings("us", 2000, "USD")], ["currency"])
    assert verdicts(found) == {("uk", "EUR"): "off", ("fr", "EUR"): "ok", ("us", "USD"): "off", ("EUR",): "ok", ("USD",): "off"}


@pytest.mark.parametrize(("bucket", "end"), [("hour", (2026, 3, 4, 14)), ("day", (2026, 3, 4)), ("minute", (2026, 3, 4, 14, 59))])
def test_the_week_begins_on_monday_and_only_what_is_over_counts(bucket, end):
    berlin = ZoneInfo("Europe/Berlin")
    rule = judge("revenue_drop", zone="Europe/Berlin")
    assert rule.span(ms(2026, 3, 4, 14, 59, 30, zone=berlin), bucket) == (ms(2026, 3, 2, zone=berlin), ms(*end, zone=berlin))


# ---- threshold


@pytest.mark.parametrize(("options", "row", "wanted"), [
    ({"above": 5}, {"n": 5}, "ok"), ({"above": 5}, {"n": 6}, "off"), ({"below": "-0.5"}, {"n": Decimal("-0.5")}, "ok"),
    ({"below": "-0.5"}, {"n": Decimal("-0.500001")}, "off"), ({"above": 5, "below": 1}, {"n": 0}, "off"),
    ({"above": 5}, {"n": None}, "no value"),
    ({"below": -3, "of": "difference", "compare": "7d"}, {"n": 1, "previous": {"n": 5}, "difference": {"n": -4}}, "off"),
    ({"below": "-0.8", "of": "change", "compare": "7d"}, {"n": 1, "previous": {"n": 5}, "difference": {"n": -4}}, "ok"),
    ({"below": "-0.79", "of": "change", "compare": "7d"}, {"n": 1, "previous": {"n": "5.00"}, "difference": {"n": "-4.00"}}, "off"),
    ({"below": "-0.5", "of": "change", "compare": "7d"}, {"n": 1, "previous": {"n": 0}, "difference": {"n": 1}}, "no value")])
def test_a_threshold_is_off_beyond_its_number(options, row, wanted):
    rule = judge("threshold", view="v", measure="n", **options)
    assert verdicts(rule.judge([{"edge": "uk", **row}], ["edge"])) == {("uk",): wanted}
