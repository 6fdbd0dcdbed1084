"""Why there is no forecast."""

from __future__ import annotations

from ..errors import TillError


class Declined(TillError):
    """There is no forecast of this; says why and what would help."""


class TooShort(Declined):
    """The history is too short to learn from and to test on. `there` and `needed` are buckets."""

    def __init__(self, what: str, there: int, needed: int, unit: str, why: str) -> None:
        super().__init__(f"{what}: no forecast: there {'is' if there == 1 else 'are'} {there} finished {unit}{'' if there == 1 else 's'}, "
                         f"and {needed} are needed ({why})")
        self.there = there
        self.needed = needed
