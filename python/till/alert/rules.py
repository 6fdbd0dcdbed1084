"""The kinds of rules, and what all have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from .asking import Ask, Need
from .finding import Finding
from .ini import ConfigError, Section, suggestion
from .invalid import InvalidShare
from .options import Option, one_of, span, text, values_of, whole
from .price import Price
from .revenue import RevenueDrop
from .silent import SilentTill
from .threshold import Threshold

AGGREGATOR = "aggregator"


class Judge(Protocol):
    """One kind of rule, with its options."""

    OPTIONS: ClassVar[tuple[Option, ...]]

    def needs(self) -> list[Need]: ...

    def look(self, ask: Ask, now_ms: int) -> list[Finding]: ...


@dataclass(frozen=True)
class Aggregator:
    """aggregator: it does not answer, is not ready, is behind, or can't answer a rule. The runner finds that itself."""

    max_lag: int

    OPTIONS: ClassVar[tuple[Option, ...]] = (
        Option("max_lag", whole(0, 10**12), "10000", "totals that are more records behind Kafka are too old to judge"),)

    def needs(self) -> list[Need]:
        return []

    def look(self, ask: Ask, now_ms: int) -> list[Finding]:  # noqa: ARG002
        return []


JUDGES: dict[str, type[Judge]] = {"invalid_share": InvalidShare, "silent_till": SilentTill, "price": Price, "revenue_drop": RevenueDrop,
                                  "threshold": Threshold, AGGREGATOR: Aggregator}
COMMON = (Option("type", one_of(*JUDGES), "", "the kind of rule"),
          Option("for", span, "5min", "announced when it has held so long"),
          Option("remind", span, "0", "announced again after so long while it holds; 0: never"),
          Option("severity", one_of("info", "warning", "critical"), "warning", "is in every announcement"),
          Option("note", text, "", "what to do; is in every announcement"))


@dataclass(frozen=True)
class Rule:
    name: str
    type: str
    for_ms: int
    remind_ms: int
    severity: str
    note: str
    judge: Judge
    section: Section

    def place_of(self, option: str) -> str:
        value = self.section.values.get(option)
        return str(value.place if value else self.section.place)


def rule_of(name: str, section: Section) -> Rule:
    """Raises ConfigError."""
    given = section.values.get("type")
    if given is None:
        raise ConfigError(f"{section.place}: [{section.name}] type is required: one of {', '.join(JUDGES)}")
    if given.text not in JUDGES:
        raise ConfigError(f'{given.place}: [{section.name}] unknown type "{given.text}"; {suggestion(given.text, JUDGES)}')
    kind = JUDGES[given.text]
    common = values_of(section, COMMON, [option.key for option in kind.OPTIONS])
    judge = kind(**values_of(section, kind.OPTIONS, [option.key for option in COMMON]))
    rule = Rule(name, common["type"], common["for"], common["remind"], common["severity"], common["note"], judge, section)
    wrong = judge.wrong() if isinstance(judge, Threshold) else None
    if wrong is not None:
        raise ConfigError(f"{rule.place_of(wrong[0])}: [{section.name}] {wrong[0]} {wrong[1]}")
    return rule
