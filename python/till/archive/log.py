"""Kafka's log as the archive reads it: by offsets of its own, without a consumer group; whatever is not the log that was read before
stops it, with words that name what is missing."""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..command import NotInstalled
from ..errors import NotReached, TillError
from .manifest import Change, NeedsDecision, Partition, Position, State, partition_text
from .rows import Place

try:
    from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
    from confluent_kafka.admin import AdminClient
except ImportError as error:
    raise NotInstalled("confluent-kafka", "archive") from error

REFUSED_SETTINGS = ("group.id", "enable.auto.commit", "enable.auto.offset.store", "auto.offset.reset", "isolation.level",
                    "enable.partition.eof", "allow.auto.create.topics")
_BATCH = 10_000
_WAIT_S = 0.5
_AGAIN_S = 0.2


@dataclass(frozen=True)
class Marks:
    """What a partition of the log has: offsets from `low` to below `high`."""

    low: int
    high: int


@dataclass
class Report:
    """The log as Kafka tells it now."""

    cluster: str
    topics: dict[str, str | None] = field(default_factory=dict)  # those that are there, and their ids
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


def _is_there(error: Any) -> bool:
    """Of a topic; raises where that can't be told now."""
    if error is None or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return error is None
    raise KafkaException(error)


class Log:
    """A consumer of its own."""

    def __init__(self, brokers: str, topics: Sequence[str], settings: Mapping[str, str], timeout_s: float) -> None:
        self.brokers, self.topics, self.timeout_s = brokers, list(topics), timeout_s
        common: dict[str, Any] = {"bootstrap.servers": brokers, "log_level": 2, **settings}
        self.consumer = Consumer({
            **common, "group.id": "till-archive", "enable.auto.commit": False, "enable.auto.offset.store": False,
            "auto.offset.reset": "error", "isolation.level": "read_committed", "enable.partition.eof": True,
            "allow.auto.create.topics": False, "check.crcs": True, "topic.metadata.refresh.interval.ms": 10_000,
            "queued.max.messages.kbytes": 64 * 1024, "fetch.queue.backoff.ms": 50})
        self.admin = AdminClient(dict(common))
        self.anchors: dict[Partition, Any] = {}  # the last record that was read before, by partition, until it is seen again
        self.ends: dict[Partition, int] = {}  # where a partition was read to its end
        self.assigned: set[Partition] = set()

    def close(self) -> None:
        self.consumer.close()

    def report(self, but: Container[Partition] = ()) -> Report:
        """But for those partitions. Raises NotReached."""
        end = time.monotonic() + self.timeout_s
        while True:
            try:
                return self._report(but)
            except KafkaException as error:  # leaders move; so a topic made a moment ago has none yet
                if time.monotonic() > end:
                    raise _unreached(self.brokers, self.timeout_s, error) from error
                time.sleep(_AGAIN_S)

    def _report(self, but: Container[Partition]) -> Report:
        told = self.consumer.list_topics(timeout=self.timeout_s)
        there = [topic for topic in self.topics if topic in told.topics and _is_there(told.topics[topic].error)]
        found = Report(told.cluster_id or "", self._ids(there))
        for topic in there:
            for number in told.topics[topic].partitions:
                if (topic, number) not in but:
                    low, high = self.consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=self.timeout_s)
                    found.marks[topic, number] = Marks(low, high)
        return found

    def _ids(self, topics: Sequence[str]) -> dict[str, str | None]:
        """Kafka's own ids of topics; brokers that can't tell are none the worse."""
        ids: dict[str, str | None] = dict.fromkeys(topics)
        if topics:
            for topic, told in self.admin.describe_topics(TopicCollection(list(topics)), request_timeout=self.timeout_s).items():
                try:
                    ids[topic] = str(told.result(self.timeout_s).topic_id)
                except (KafkaException, ValueError):
                    ids[topic] = None
        return ids

    def read_from(self, start: Mapping[Partition, int], known: Mapping[Partition, Position], marks: Mapping[Partition, Marks]) -> list[str]:
        """Begins; returns words on partitions whose last record is gone, so that it can't be compared."""
        notices, places = [], []
        for part, following in start.items():
            last = known[part].last if part in known else None
            at = following
            if last is not None and known[part].next == following and following > 0:
                if last.offset >= marks[part].low:
                    self.anchors[part], at = last, last.offset
                else:
                    notices.append(f"{partition_text(part)}: the last record that was read is gone, nothing is missing")
            places.append(TopicPartition(*part, at))
        self.consumer.incremental_assign(places)
        self.assigned |= start.keys()
        return notices

    def poll(self) -> list[Place]:
        """What has come; raises NeedsDecision where the log moved away."""
        places: list[Place] = []
        add = places.append
        messages: Sequence[Any] = self.consumer.consume(_BATCH, _WAIT_S)
        for message in messages:
            problem = message.error()
            if problem is not None:
                self._hear(problem, message)
                continue
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

    def _hear(self, problem: Any, message: Any) -> None:
        part = (message.topic(), message.partition())
        if problem.code() == KafkaError._PARTITION_EOF:
            self.ends[part] = message.offset()
        elif problem.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise Moved(part)
        elif problem.fatal() or problem.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED):
            raise TillError(f"Kafka at {self.brokers}: {problem.str()}")


class Moved(Exception):
    """The log no longer has what comes next; whoever reads looks at what it has."""

    def __init__(self, part: Partition) -> None:
        super().__init__(partition_text(part))
        self.part = part


class Recreated(Exception):
    """Another record lies where the last one was."""

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.topic = topic


def _unreached(brokers: str, timeout_s: float, error: KafkaException) -> TillError:
    unreached = NotReached(brokers, timeout_s)
    unreached.args = (f"{brokers}: {error.args[0].str()}; does Kafka run, and is this its address?",)
    return unreached


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
