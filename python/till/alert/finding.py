"""What a rule says of each thing that it looks at, and the little statistics that it needs. No I/O, no clocks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any

Row = Mapping[str, Any]
Key = tuple[tuple[str, str], ...]  # (("edge", "berlin-1"), …): what is looked at

# A median's distance times this is a standard deviation where values are distributed normally.
MAD_TO_SIGMA = Decimal("1.4826")


class Verdict(Enum):
    OK = "ok"
    OFF = "off"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True)
class Finding:
    """`words` is a sentence for a person; `reason` why it is not judged, one of a few words, for counting."""

    key: Key
    verdict: Verdict
    words: str = ""
    reason: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


def off(key: Key, words: str, **values: Any) -> Finding:
    return Finding(key, Verdict.OFF, words, values={name: str(value) for name, value in values.items()})


def fine(key: Key) -> Finding:
    return Finding(key, Verdict.OK)


def not_judged(key: Key, reason: str) -> Finding:
    return Finding(key, Verdict.NOT_JUDGED, reason=reason)


def key_of(row: Row, columns: Iterable[str]) -> Key:
    return tuple((name, "" if row.get(name) is None else str(row[name])) for name in columns)


def key_text(key: Key) -> str:
    """`berlin-1`, or `85123A GBP`: short, for people."""
    return " ".join(value for _, value in key) or "in total"


def median(values: Sequence[Decimal]) -> Decimal:
    """The middle one, or half way between the two in the middle: exact."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def median_distance(values: Sequence[Decimal], centre: Decimal) -> Decimal:
    """MAD: the median of how far they are from the centre; one wild value does not move it."""
    return median([abs(value - centre) for value in values])


def quantile(values: Sequence[int], share: Decimal) -> int:
    """The smallest value that at least this share of the values does not exceed."""
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


def percent(part: Decimal) -> str:
    return f"{(part * 100).quantize(Decimal('0.1')).normalize():f} %"


def span_words(ms: int) -> str:
    """Two units at most: "2 h 5 min"."""
    parts: list[tuple[int, str]] = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)):
        count, ms = divmod(ms, size)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count) or "0 s"
