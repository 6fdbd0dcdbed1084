"""Kafka's log as the archive reads it: by offsets of its own, without a consumer group; whatever is not the log that was read before
stops it, with words that name what is missing."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import kafka
from ..kafka import Marks, Partition, partition_text
from .manifest import Change, NeedsDecision, Position, State
from .rows import Place

_BATCH = 10_000


@dataclass
class Report:
    """The log as Kafka tells it now."""

    cluster: str
    topics: dict[str, str | None] = field(default_factory=dict)  # those that are there, and Kafka's ids of them
    marks: dict[Partition, Marks] = field(default_factory=dict)


@dataclass
class Verdict:
    """Where to read on, and what an operator agreed to lose."""

    start: dict[Partition, int] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    new_logs: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def judge(state: State, report: Report, accepted: Sequence[str], recreated: Sequence[str] = ()) -> Verdict:
    """Is it the log that was read before, and does it hold what comes next? `recreated`: topics known to be. Raises NeedsDecision
    with all that is missing. Pure."""
    verdict = Verdict()

    def ask(text: str) -> bool:
        (verdict.gaps if text in accepted else verdict.missing).append(text)
        return text in accepted

    if state.cluster and report.cluster != state.cluster:
        if ask(f"cluster:{state.cluster}->{report.cluster}"):
            verdict.new_logs = sorted({part[0] for part in state.partitions})
    else:
        verdict.new_logs = [topic for topic in report.topics if (
            topic in recreated or _is_recreated(state, report, topic)) and ask(_recreated(state, topic))]
    if not verdict.missing:
        for part, marks in sorted(report.marks.items()):
            known = state.partitions.get(part)
            following = known.next if known and part[0] not in verdict.new_logs else 0
            if marks.low > following and ask(f"{partition_text(part)}:{following}-{marks.low - 1}"):
                following = marks.low
            verdict.start[part] = following
    if verdict.missing:
        raise missing(verdict.missing)
    return verdict


def missing(texts: Sequence[str]) -> NeedsDecision:
    accept = " ".join(f"--accept-gap '{text}'" for text in texts)
    return NeedsDecision(f"the log is not what was read before, or no longer has what comes next: {', '.join(texts)}. The archive can't "
                         f"have it any more; to go on without it: {accept}")


def _recreated(state: State, topic: str) -> str:
    """What was accepted before is used up: the same words would let the next one pass unseen."""
    text, time_ = f"topic:{topic} re-created", 1
    while text in state.gaps:
        time_ += 1
        text = f"topic:{topic} re-created ({time_})"
    return text


def _is_recreated(state: State, report: Report, topic: str) -> bool:
    old, new = state.topics.get(topic), report.topics[topic]
    if old and new and old != new:
        return True
    marks = report.marks
    return any(part not in marks or marks[part].high < known.next
               for part, known in state.partitions.items() if part[0] == topic and known.next > 0)


class Log:
    """The topics of the archive."""

    def __init__(self, brokers: str, topics: Sequence[str], settings: Mapping[str, str], timeout_s: float) -> None:
        self.topics = list(topics)
        self.reader = kafka.Reader(brokers, "till-archive", "archive", settings, timeout_s)
        self.anchors: dict[Partition, Any] = {}  # the last record that was read before, by partition, until it is seen again

    def close(self) -> None:
        self.reader.close()

    def report(self, but: Container[Partition] = ()) -> Report:
        """But for those partitions. Raises NotReached."""
        return self.reader.insist(lambda: self._report(but))

    def _report(self, but: Container[Partition]) -> Report:
        seen = self.reader.look(self.topics, but)
        return Report(seen.cluster, self.reader.ids(seen.topics), seen.marks)

    def read_from(self, start: Mapping[Partition, int], known: Mapping[Partition, Position], marks: Mapping[Partition, Marks]) -> list[str]:
        """Begins; returns words on partitions whose last record is gone, so that it can't be compared."""
        notices, places = [], {}
        for part, following in start.items():
            last = known[part].last if part in known else None
            at = following
            if last is not None and known[part].next == following and following > 0:
                if last.offset >= marks[part].low:
                    self.anchors[part], at = last, last.offset
                else:
                    notices.append(f"{partition_text(part)}: the last record that was read is gone, nothing is missing")
            places[part] = at
        self.reader.read_from(places)
        return notices

    def poll(self) -> list[Place]:
        """What has come. Raises Moved, and Recreated where the log is another one."""
        places: list[Place] = []
        add = places.append
        for message in self.reader.poll(_BATCH):
            kind, at = message.timestamp()
            place = Place(message.topic(), message.partition(), message.offset(), at if kind else None, message.key(), message.value(),
                          message.headers())
            if self.anchors and (place.topic, place.partition) in self.anchors and not self._compare(place):
                continue
            add(place)
        return places

    def _compare(self, place: Place) -> bool:
        """Is the first record the one that was read last? True: it is a record behind that one."""
        last = self.anchors.pop((place.topic, place.partition))
        if place.offset > last.offset:  # compacted or deleted by hand: nothing to compare
            return True
        if (place.key, place.value) != (last.key, last.value):
            raise Recreated(place.topic)
        return False


class Recreated(Exception):
    """Another record lies where the last one was."""

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.topic = topic


def opening(state: State, report: Report, verdict: Verdict) -> Change | None:
    """What must be in the manifest before anything is read: the log's identity, gaps that were accepted. None: it is there."""
    topics: dict[str, str | None] = {topic: told for topic, told in report.topics.items() if told and state.topics.get(topic) != told}
    cluster = report.cluster if report.cluster != state.cluster else None
    ranges = {}
    for part, start in verdict.start.items():
        known = state.partitions.get(part)
        following = known.next if known is not None and part[0] not in verdict.new_logs else 0
        if start > following:
            ranges[part] = (start, start)
    if not (topics or cluster or verdict.gaps or ranges):
        return None
    return Change(ranges=ranges, gaps=verdict.gaps, cluster=cluster, topics=topics, is_new_log=verdict.new_logs)


def ends_of(report: Report, parts: Iterable[Partition]) -> dict[Partition, int]:
    return {part: report.marks[part].high for part in parts if part in report.marks}
