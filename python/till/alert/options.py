"""Options: their types, defaults and what they mean, in one table for each kind of section; read from an INI file's values."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..command import span_s
from .ini import ConfigError, Section, suggestion

REQUIRED = object()


@dataclass(frozen=True)
class Option:
    """`default` is what would be written in the file; REQUIRED where there is none."""

    key: str
    read: Callable[[str], Any]
    default: Any
    what: str


def text(value: str) -> str:
    return value


def span(value: str) -> int:
    """In milliseconds; 0 is none."""
    if value == "0":
        return 0
    try:
        return round(span_s(value) * 1000)
    except argparse.ArgumentTypeError as error:
        raise ValueError(str(error)) from error


def some_span(value: str) -> int:
    if value == "0":
        raise ValueError("0 is too short; say 30s, 5min, 1h or 7d")
    return span(value)


def yes_no(value: str) -> bool:
    if value not in ("yes", "no"):
        raise ValueError(f'"{value}" is not yes or no')
    return value == "yes"


def decimal(value: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValueError(f'"{value}" is no decimal number such as 0.05 or 1000')
    return number


def positive(value: str) -> Decimal:
    number = decimal(value)
    if number <= 0:
        raise ValueError(f"{value} is not above 0")
    return number


def share(value: str) -> Decimal:
    number = decimal(value)
    if not 0 < number <= 1:
        raise ValueError(f"{value} is no share: above 0, at most 1 (0.05 is 5 %)")
    return number


def whole(least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", value) or not least <= int(value) <= most:
            raise ValueError(f'"{value}" is no whole number from {least} to {most}')
        return int(value)
    return read


def one_of(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in words:
            raise ValueError(f'"{value}" is none of {", ".join(words)}; {suggestion(value, words)}')
        return value
    return read


def words(value: str) -> tuple[str, ...]:
    """Separated by commas."""
    return tuple(word.strip() for word in value.split(",") if word.strip())


def zone(value: str) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f'"{value}" is no time zone such as Europe/Berlin') from error


_CONDITION = re.compile(r"\s*([A-Za-z0-9_]+)\s*(!=|<=|>=|=|<|>)\s*(\S.*?)\s*")
OPERATORS = ("=", "!=", "<", "<=", ">", ">=")


def conditions(value: str) -> tuple[tuple[str, str, str], ...]:
    """`edge = uk and total_revenue > 100.00`: (field, operator, value) of each."""
    found = []
    for part in re.split(r"\s+and\s+", value) if value else ():
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise ValueError(f'"{part}" is no condition such as edge = uk; several are joined by "and"')
        found.append((match[1], match[2], match[3]))
    return tuple(found)


def values_of(section: Section, options: Sequence[Option], beside: Sequence[str] = ()) -> dict[str, Any]:
    """Each option's value. `beside` are keys that somebody else reads. Raises ConfigError."""
    known = {option.key for option in options}
    for key, value in section.values.items():
        if key not in known and key not in beside:
            raise ConfigError(f'{value.place}: [{section.name}] unknown key "{key}"; {suggestion(key, [*known, *beside])}')
    return {option.key: _value_of(section, option) for option in options}


def _value_of(section: Section, option: Option) -> Any:
    given = section.values.get(option.key)
    if given is None and option.default is REQUIRED:
        raise ConfigError(f"{section.place}: [{section.name}] {option.key} is required: {option.what}")
    try:
        return option.read(given.text if given else option.default)
    except ValueError as error:
        raise ConfigError(f"{given.place if given else section.place}: [{section.name}] {option.key}: {error}") from error


def written(options: Sequence[Option], values: Mapping[str, str]) -> list[str]:
    """`key = value` of each as a file would have it, defaults too."""
    return [f"{option.key} = {values.get(option.key, option.default)}" for option in options]
