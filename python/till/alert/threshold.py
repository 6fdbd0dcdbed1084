"""threshold: any measure of any view, above or below a number; or its change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from ..columns import Column, Type
from .asking import Ask, Misfit, Need
from .finding import Finding, Row, fine, key_of, key_text, not_judged, off
from .options import Option, conditions, decimal, one_of, text, words


def maybe_decimal(value: str) -> Decimal | None:
    return decimal(value) if value else None


@dataclass(frozen=True)
class Threshold:
    """Off: `of` (the value, or with `compare` previous, difference, or change: difference / previous) is above `above` or below `below`.
    A row that is not there is not judged: below a number can only be what there is."""

    view: str
    measure: str
    where: tuple[tuple[str, str, str], ...]
    group_by: tuple[str, ...]
    range: tuple[str, ...]
    compare: str
    of: str
    above: Decimal | None
    below: Decimal | None

    OPTIONS: ClassVar[tuple[Option, ...]] = (
        Option("view", text, "", "the view"),
        Option("measure", text, "", "the measure that is judged"),
        Option("where", conditions, "", "conditions, such as edge = uk and order_count > 5"),
        Option("group_by", words, "", "roll up to these columns; empty: the view's own rows; -: one row of everything"),
        Option("range", words, "", "last so much (24h, 7d), or FROM, TO as questions have them"),
        Option("compare", text, "", "with the same so much earlier (7d)"),
        Option("of", one_of("value", "previous", "difference", "change"), "value", "what is judged; all but value need compare"),
        Option("above", maybe_decimal, "", "off above this"),
        Option("below", maybe_decimal, "", "off below this"))

    def wrong(self) -> tuple[str, str] | None:
        """What options say together that can't be: (option, words)."""
        if not self.view or not self.measure:
            return ("view" if not self.view else "measure"), "is required"
        if self.above is None and self.below is None:
            return "above", "is required, or below, or both"
        if self.of != "value" and not self.compare:
            return "of", f"{self.of} needs compare, such as compare = 7d"
        if len(self.range) > 2:
            return "range", "is one span (24h) or two bounds (FROM, TO)"
        return None

    def needs(self) -> list[Need]:
        return [Need("view", self.view, measures=(("measure", self.measure),))]

    def question(self, columns: Sequence[Column]) -> dict[str, Any]:
        """What is asked, beside view and query. Raises Misfit."""
        more: dict[str, Any] = {}
        if self.where:
            more["where"] = [{"field": name, "op": sign, "value": _typed(columns, name, value)} for name, sign, value in self.where]
        if self.group_by:
            more["group_by"] = [] if self.group_by == ("-",) else list(self.group_by)
        if len(self.range) == 1:
            more["range"] = {"last": self.range[0]}
        elif self.range:
            more["range"] = {name: value for name, value in zip(("from", "to"), self.range, strict=True) if value != "-"}
        if self.compare:
            more["compare"] = {"shift": self.compare}
        return more

    def look(self, ask: Ask, now_ms: int) -> list[Finding]:  # noqa: ARG002
        columns = ask.columns(self.view)
        keys = [column.name for column in columns if column.is_key]
        if self.group_by:
            money = any(column.type is Type.MONEY for column in columns if not column.is_key)
            keys = [name for name in self.group_by if name != "-"] + (["currency"] if money and "currency" in keys else [])
        return self.judge(ask.scan(self.view, **self.question(columns)), dict.fromkeys(keys))

    def judge(self, rows: Iterable[Row], keys: Iterable[str]) -> list[Finding]:
        keys = tuple(keys)
        return [self._of_row(row, keys) for row in rows]

    def _of_row(self, row: Row, keys: tuple[str, ...]) -> Finding:
        key, value = key_of(row, keys), self._value(row)
        if value is None:
            return not_judged(key, "no value")
        what = f"{self.measure} of {key_text(key)}" if self.of == "value" else f"{self.of} of {self.measure} of {key_text(key)}"
        if self.above is not None and value > self.above:
            return off(key, f"{what} is {value}, above {self.above}", value=value)
        if self.below is not None and value < self.below:
            return off(key, f"{what} is {value}, below {self.below}", value=value)
        return fine(key)

    def _value(self, row: Row) -> Decimal | None:
        if self.of == "value":
            found = row.get(self.measure)
        elif self.of == "change":
            previous, difference = (_number(row[name].get(self.measure)) for name in ("previous", "difference"))
            found = None if not previous or difference is None else (difference / previous).quantize(Decimal("0.000001"))
        else:
            found = row[self.of].get(self.measure)
        return _number(found)


def _number(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def _typed(columns: Sequence[Column], name: str, value: str) -> Any:
    """As `where` wants it: whole numbers for integers, text for all else."""
    type_of = {column.name: column.type for column in columns} | {"weekday": Type.INTEGER, "hour_of_day": Type.INTEGER}
    if type_of.get(name) is Type.INTEGER:
        try:
            return int(value)
        except ValueError as error:
            raise Misfit(f'{name} is a whole number, "{value}" is none') from error
    return value
