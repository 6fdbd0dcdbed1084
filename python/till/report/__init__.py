"""A report of sales: figures.py draws, page.py writes, both from what data.py asked. `till report` is command.py. Drawing wants the extra
`report`."""

from .data import Absent, Facts, Period, currencies, gather

__all__ = ["Absent", "Facts", "Period", "currencies", "gather"]
