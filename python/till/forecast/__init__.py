"""Demand of the next days: series in, forecast out. `till forecast` is command.py; `till.forecast.predict` wants the extra `forecast`,
the rest does not."""

from .errors import Declined, TooShort
from .series import DAY, HOUR, Series, Step, filled

__all__ = ["DAY", "HOUR", "Declined", "Series", "Step", "TooShort", "filled"]
