"""How pictures look: sizes, colours that people with any kind of colour vision tell apart, and words for numbers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..command import NotInstalled

try:
    import matplotlib as mpl  # noqa: F401
except ImportError as error:
    raise NotInstalled("matplotlib", "report") from error

DPI = 144
WIDTH_IN, HEIGHT_IN = 10.0, 4.8
COLOUR_MAP = "cividis"
# Okabe and Ito's colours.
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
CYCLE = (SKY, ORANGE, GREEN, PURPLE, VERMILLION, BLUE)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NAME_MAX = 22


@dataclass(frozen=True)
class Theme:
    name: str
    ground: str
    ink: str
    faint: str  # grid
    empty: str  # cells without a sale
    main: str
    accent: str

    @property
    def settings(self) -> Any:
        """matplotlib's."""
        return {"figure.facecolor": self.ground, "axes.facecolor": self.ground, "savefig.facecolor": self.ground, "text.color": self.ink,
                "axes.edgecolor": self.ink, "axes.labelcolor": self.ink, "xtick.color": self.ink, "ytick.color": self.ink,
                "grid.color": self.faint, "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "font.size": 11,
                "axes.titlesize": 13, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 10,
                "font.family": "DejaVu Sans", "text.parse_math": False,  # a product may be called $5$
                "figure.dpi": DPI, "savefig.dpi": DPI, "figure.constrained_layout.use": False}


LIGHT = Theme("light", "#ffffff", "#1c1c1c", "#dddddd", "#ececec", BLUE, VERMILLION)
DARK = Theme("dark", "#16181c", "#e8e8e8", "#3a3d44", "#30333a", SKY, ORANGE)


def shortened(name: str, most: int = NAME_MAX) -> str:
    """In one line, without what can't be drawn."""
    shown = "".join(letter if letter.isprintable() else " " for letter in name)
    return shown if len(shown) <= most else f"{shown[:most - 1]}…"


def money_text(amount: Decimal) -> str:
    """All its digits, at least two behind the point, thousands apart."""
    exponent = amount.normalize().as_tuple().exponent
    return f"{amount:,.{max(2, -exponent if isinstance(exponent, int) else 2)}f}"


def short_amount(value: float) -> str:
    """For axes: 1,200 or 0.25, never 1e3."""
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.10f}".rstrip("0")


def axis_amount(value: float) -> str:
    """For ticks: large ones in millions, lest one stands on the next."""
    for size, word in ((1e12, "tn"), (1e9, "bn"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:,.6g} {word}"
    return short_amount(value)
