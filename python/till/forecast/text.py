"""A forecast as a person reads it, and as one JSON object."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from .series import DAY, HOUR, Moment, Step

if TYPE_CHECKING:  # it needs statsmodels
    from .predict import BackTest, Forecast

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def moment_text(moment: Moment) -> str:
    if isinstance(moment, datetime):
        offset = moment.utcoffset()
        return moment.isoformat(timespec="minutes") if offset else moment.strftime("%Y-%m-%dT%H:%M")
    return moment.isoformat()


def count_of(number: int, step: Step) -> str:
    return f"{number:,} {step.name}{'' if number == 1 else 's'}"


def error_words(test: BackTest, step: Step, level: float) -> str:
    """The error in a sentence."""
    mase = "MASE -" if test.mase is None else f"MASE {test.mase:.2f}"
    against = ("the naive seasonal forecast is never wrong here" if test.ratio is None else
               f"{test.ratio:.2f} of the naive seasonal forecast's error{'' if test.ratio < 1 else ', which is no better'}")
    return (f"{test.rounds} rounds of {count_of(test.horizon, step)}: {mase}, sMAPE {test.smape:.1f} %; {against}; "
            f"{100 * test.coverage:.0f} % of the values lay within the {100 * level:.0f} % interval")


def text_of(title: str, made: Forecast, unit: str) -> str:
    history, step = made.history, made.history.step
    zeros = sum(value == 0 for value in history.values)
    lines = [title,
             f"  history    {moment_text(history.start)} to {moment_text(history.at(len(history) - 1))}: {count_of(len(history), step)}, "
             f"{zeros:,} of them without a sale",
             f"  method     {made.method}",
             f"  back-test  {error_words(made.back_test, step, made.level)}", ""]
    head = f"{100 * made.level:.0f} % interval"
    lines.append(f"  {step.name:<{16 if step is HOUR else 14}} {unit:>14}   {head:>25}")
    for point in made.points:
        name = f"{WEEKDAYS[point.at.weekday()]} {moment_text(point.at)}" if step is DAY else moment_text(point.at)
        lines.append(f"  {name:<{16 if step is HOUR else 14}} {point.mean:>14,.1f}   {point.low:>11,.1f} .. {point.high:>10,.1f}")
    lines.append(f"  {'in all':<{16 if step is HOUR else 14}} {made.total:>14,.1f}")
    return "\n".join(lines)


def json_of(product: str | None, made: Forecast) -> dict[str, Any]:
    history, test = made.history, made.back_test
    return {"product_id": product, "method": made.method, "level": made.level,
            "history": {"from": moment_text(history.start), "to": moment_text(history.at(len(history))), "buckets": len(history)},
            "back_test": {"rounds": test.rounds, "horizon": test.horizon, "mase": test.mase, "smape": test.smape, "ratio": test.ratio,
                          "coverage": test.coverage},
            "rows": [{history.step.name: moment_text(point.at), "expected": point.mean, "low": point.low, "high": point.high}
                     for point in made.points]}
