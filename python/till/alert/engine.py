"""From verdicts to causes: what begins, goes on and ends, and what is to be announced of it. Pure: verdicts, causes and a time in, causes
and announcements out.

A cause is a rule and the thing that it found off. It is pending until it has held for the rule's `for`, then it fires until it was fine for
as long; what comes back soon after it ended must be fine for twice as long each time. It is announced once when it fires, once when it
ends, and in between as often as the rule reminds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from ..wire import instant
from .finding import Finding, Key, Verdict
from .rules import Rule

PENDING, FIRING, ENDED = "pending", "firing", "ended"
QUIET_LEAST_MS = 60_000  # what flaps is quiet for multiples of this even where a rule has for = 0


@dataclass(frozen=True)
class Cause:
    id: str
    rule: str
    key: Key
    phase: str
    since_ms: int  # when it was first found off
    seen_ms: int  # when it was last judged
    words: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    severity: str = ""
    note: str = ""
    fine_ms: int | None = None  # firing, but found fine since
    announced_ms: int | None = None  # its beginning
    reminded_ms: int = 0
    reminders: int = 0
    ended_ms: int | None = None  # the last time that it did
    flaps: int = 0

    def as_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        values = json.loads(text)
        values["key"] = tuple((name, value) for name, value in values["key"])
        return cls(**values)


@dataclass(frozen=True)
class Notice:
    """One announcement. Its id is of the cause, its beginning and its type: who gets it again can tell."""

    id: str
    type: str  # begin, remind, end
    severity: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Patience:
    flap_ms: int
    keep_ms: int


def cause_id(rule: str, key: Key) -> str:
    """`quiet/1f0c63a2b9`: short enough to be typed, the same in every run."""
    return f"{rule}/{hashlib.sha256(json.dumps([rule, key]).encode()).hexdigest()[:10]}"


IsSilenced = Callable[[Cause], bool]


def step(rule: Rule, causes: Iterable[Cause], findings: Iterable[Finding], now_ms: int, patience: Patience,
         is_silenced: IsSilenced) -> tuple[list[Cause], list[Notice]]:
    """The rule's causes after this evaluation. What is not among the findings was not judged."""
    known = {cause.id: _not_in_future(cause, now_ms) for cause in causes}
    found = {cause_id(rule.name, finding.key): finding for finding in findings}
    after: list[Cause] = []
    notices: list[Notice] = []
    for each in sorted({*known, *(name for name, finding in found.items() if finding.verdict is Verdict.OFF)}):
        cause = _judged(rule, each, known.get(each), found.get(each), now_ms, patience)
        if cause is not None:
            cause, said = _announced(rule, cause, now_ms, is_silenced)
            after.append(cause)
            notices += said
    return after, notices


def without_rule(causes: Iterable[Cause], now_ms: int) -> list[Notice]:
    """Of causes whose rule is no longer configured: they end."""
    return [_notice("end", replace(cause, words=f"{cause.words} (the rule is no longer configured)"), now_ms)
            for cause in causes if cause.phase == FIRING and cause.announced_ms is not None]


def _not_in_future(cause: Cause, now_ms: int) -> Cause:
    """After the clock was set back."""
    return replace(cause, since_ms=min(cause.since_ms, now_ms), seen_ms=min(cause.seen_ms, now_ms),
                   reminded_ms=min(cause.reminded_ms, now_ms),
                   fine_ms=None if cause.fine_ms is None else min(cause.fine_ms, now_ms),
                   ended_ms=None if cause.ended_ms is None else min(cause.ended_ms, now_ms))


def _judged(rule: Rule, name: str, cause: Cause | None, finding: Finding | None, now_ms: int, patience: Patience) -> Cause | None:
    """None: nothing is left to remember."""
    verdict = finding.verdict if finding else Verdict.NOT_JUDGED
    if verdict is Verdict.OFF and finding is not None:
        return _off(rule, name, cause, finding, now_ms, patience)
    if cause is None:
        return None
    if cause.phase == ENDED:
        return cause if cause.ended_ms is not None and now_ms - cause.ended_ms < patience.flap_ms else None
    if verdict is Verdict.OK:
        return _fine(rule, cause, now_ms, patience)
    if now_ms - cause.seen_ms < patience.keep_ms:
        return cause
    return _ended(replace(cause, words=f"{cause.words} (it can't be judged any more)"), now_ms)


def _off(rule: Rule, name: str, cause: Cause | None, finding: Finding, now_ms: int, patience: Patience) -> Cause:
    if cause is None or cause.phase == ENDED:
        is_soon = cause is not None and cause.ended_ms is not None and now_ms - cause.ended_ms < patience.flap_ms
        cause = Cause(name, rule.name, finding.key, PENDING, now_ms, now_ms, ended_ms=cause.ended_ms if cause else None,
                      flaps=cause.flaps + 1 if cause and is_soon else 0)
    phase = FIRING if now_ms - cause.since_ms >= rule.for_ms else cause.phase
    return replace(cause, phase=phase, seen_ms=now_ms, fine_ms=None, words=finding.words, values=dict(finding.values),
                   severity=rule.severity, note=rule.note)


def _fine(rule: Rule, cause: Cause, now_ms: int, patience: Patience) -> Cause | None:
    if cause.phase == PENDING:  # never announced; what was, before, is still remembered
        return replace(cause, phase=ENDED) if cause.ended_ms is not None else None
    fine_ms = now_ms if cause.fine_ms is None else cause.fine_ms
    cause = replace(cause, seen_ms=now_ms, fine_ms=fine_ms)
    return _ended(cause, now_ms) if now_ms - fine_ms >= quiet_ms(rule.for_ms, cause.flaps, patience.flap_ms) else cause


def quiet_ms(for_ms: int, flaps: int, most_ms: int) -> int:
    """How long it must be fine until it has ended."""
    if flaps == 0:
        return for_ms
    return max(for_ms, min(most_ms, max(for_ms, QUIET_LEAST_MS) << min(flaps, 20)))


def _ended(cause: Cause, now_ms: int) -> Cause | None:
    if cause.phase == PENDING:
        return None
    return replace(cause, phase=ENDED, ended_ms=now_ms)


def _announced(rule: Rule, cause: Cause, now_ms: int, is_silenced: IsSilenced) -> tuple[Cause, list[Notice]]:
    if cause.phase == ENDED:  # an end is told although silenced: it closes what was told
        if cause.announced_ms is None:
            return cause, []
        return replace(cause, announced_ms=None), [_notice("end", cause, now_ms)]
    if cause.phase != FIRING or is_silenced(cause):
        return cause, []
    if cause.announced_ms is None:
        cause = replace(cause, announced_ms=now_ms, reminded_ms=now_ms, reminders=0)
        return cause, [_notice("begin", cause, now_ms)]
    if rule.remind_ms and cause.fine_ms is None and now_ms - cause.reminded_ms >= rule.remind_ms:
        cause = replace(cause, reminded_ms=now_ms, reminders=cause.reminders + 1)
        return cause, [_notice("remind", cause, now_ms)]
    return cause, []


def when(ms: int) -> str:
    return instant(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def described(cause: Cause) -> dict[str, Any]:
    """A cause as announcements, the live socket and `list --json` show it."""
    return {"cause": cause.id, "rule": cause.rule, "key": dict(cause.key), "severity": cause.severity, "since": when(cause.since_ms),
            "text": cause.words, "values": dict(cause.values), "note": cause.note}


def _notice(kind: str, cause: Cause, now_ms: int) -> Notice:
    number = f"-{cause.reminders}" if kind == "remind" else ""
    name = f"{cause.id}@{cause.since_ms}/{kind}{number}"
    return Notice(name, kind, cause.severity, {"id": name, "type": kind, "at": when(now_ms), **described(cause)})


def firing(causes: Iterable[Cause]) -> Sequence[Cause]:
    return [cause for cause in causes if cause.phase == FIRING]
