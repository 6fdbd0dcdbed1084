"""invalid_share: how much of what an edge was sent did not fit, over the last hours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from . import options
from .asking import Ask, Need, between, bucket_of
from .finding import Finding, Row, fine, not_judged, off, percent
from .options import Option


@dataclass(frozen=True)
class InvalidShare:
    """Off: more than `share` of at least `min_events` events were invalid."""

    view: str
    letters: str
    measure: str
    letters_measure: str
    window: int
    share: Decimal
    min_events: int

    OPTIONS: ClassVar[tuple[Option, ...]] = (
        Option("view", options.text, "events_per_hour", "view of what was accepted, by edge and time"),
        Option("measure", options.text, "event_count", "its measure that counts events"),
        Option("letters", options.text, "invalid_per_hour", "view of dead letters, by edge and time"),
        Option("letters_measure", options.text, "invalid_count", "its measure that counts dead letters"),
        Option("window", options.some_span, "24h", "look at so much time up to now"),
        Option("share", options.share, "0.05", "off above this share"),
        Option("min_events", options.whole(1, 10**12), "100", "an edge that was sent less is not judged"))

    def needs(self) -> list[Need]:
        return [Need("view", self.view, ("edge",), ("minute", "hour", "day"), (("measure", self.measure),)),
                Need("letters", self.letters, ("edge",), ("minute", "hour", "day"), (("letters_measure", self.letters_measure),))]

    def look(self, ask: Ask, now_ms: int) -> list[Finding]:
        accepted = self._rows(ask, now_ms, self.view)
        codes = [each.name for each in ask.columns(self.letters) if each.name == "code"]
        letters = self._rows(ask, now_ms, self.letters, *codes)
        return self.judge(accepted, letters)

    def _rows(self, ask: Ask, now_ms: int, view: str, *more: str) -> Iterable[Row]:
        bucket = bucket_of(ask.columns(view), view)
        start = between(now_ms - self.window, now_ms, bucket, options.zone("UTC"))["from"]
        return ask.scan(view, group_by=["edge", *more], range={"from": start})

    def judge(self, accepted: Iterable[Row], letters: Iterable[Row]) -> list[Finding]:
        """One of each edge; `letters` may have several rows of an edge, by code."""
        valid: dict[str, int] = {}
        invalid: dict[str, dict[str, int]] = {}
        for row in accepted:
            valid[row["edge"]] = valid.get(row["edge"], 0) + row[self.measure]
        for row in letters:
            codes = invalid.setdefault(row["edge"], {})
            codes[row.get("code") or ""] = codes.get(row.get("code") or "", 0) + row[self.letters_measure]
        return [self._of_edge(edge, valid.get(edge, 0), invalid.get(edge, {})) for edge in sorted({*valid, *invalid})]

    def _of_edge(self, edge: str, valid: int, codes: dict[str, int]) -> Finding:
        key, bad = (("edge", edge),), sum(codes.values())
        if valid + bad < self.min_events:
            return not_judged(key, "few events")
        found = Decimal(bad) / (valid + bad)
        if bad <= self.share * (valid + bad):
            return fine(key)
        most = max(sorted(codes), key=lambda code: codes[code])
        return off(key, f"{bad} of {valid + bad} events of {edge} were invalid: {percent(found)}, more than {percent(self.share)}"
                        + (f"; most often {most}" if most else ""),
                   invalid=bad, events=valid + bad, share=found.quantize(Decimal("0.000001")))
