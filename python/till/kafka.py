"""Kafka's log, read by confluent-kafka from places that the caller keeps: without a consumer group, and where the log no longer has what
comes next, that is said and not passed over."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .command import UsageError
from .errors import NotInstalled, NotReached, TillError

Partition = tuple[str, int]
# Settings that would take records from us in silence, give them twice, or make topics.
OURS = frozenset(("bootstrap.servers", "group.id", "enable.auto.commit", "enable.auto.offset.store", "auto.offset.reset", "isolation.level",
                  "enable.partition.eof", "allow.auto.create.topics"))
_WAIT_S = 0.5
_AGAIN_S = 0.2
Result = TypeVar("Result")


def partition_text(partition: Partition) -> str:
    return f"{partition[0]}/{partition[1]}"


@dataclass(frozen=True)
class Marks:
    """What a partition of the log has: offsets from `low` to below `high`."""

    low: int
    high: int


@dataclass
class Seen:
    """The log as Kafka tells it now. `topics`: those that are there."""

    cluster: str
    topics: list[str]
    marks: dict[Partition, Marks] = field(default_factory=dict)


class Moved(Exception):
    """The log no longer has what comes next; whoever reads looks at what it has."""

    def __init__(self, part: Partition) -> None:
        super().__init__(partition_text(part))
        self.part = part


class Reader:
    """A consumer of its own. `extra` names the package's extra that has what it needs."""

    def __init__(self, brokers: str, group: str, extra: str, settings: Mapping[str, str], timeout_s: float) -> None:
        try:
            import confluent_kafka
        except ImportError as error:
            raise NotInstalled("confluent-kafka", extra) from error
        self._kafka = confluent_kafka
        self.brokers, self.timeout_s = brokers, timeout_s
        self._common: dict[str, Any] = {"bootstrap.servers": brokers, "log_level": 2, **settings}
        try:
            self._consumer = confluent_kafka.Consumer({
                **self._common, "group.id": group, "enable.auto.commit": False, "enable.auto.offset.store": False,
                "auto.offset.reset": "error", "isolation.level": "read_committed", "enable.partition.eof": True,
                "allow.auto.create.topics": False, "check.crcs": True, "topic.metadata.refresh.interval.ms": 10_000,
                "queued.max.messages.kbytes": 64 * 1024, "fetch.queue.backoff.ms": 50})
        except confluent_kafka.KafkaException as error:
            raise UsageError(f"a property of librdkafka: {error.args[0].str()}") from error
        self._admin: Any = None
        self.ends: dict[Partition, int] = {}  # where a partition was read to its end
        self.assigned: set[Partition] = set()

    def close(self) -> None:
        self._consumer.close()

    def insist(self, what: Callable[[], Result]) -> Result:
        """Asks again until the time is over: leaders move, and a topic made a moment ago has none yet. Raises NotReached."""
        end = time.monotonic() + self.timeout_s
        while True:
            try:
                return what()
            except self._kafka.KafkaException as error:
                if time.monotonic() > end:
                    unreached = NotReached(self.brokers, self.timeout_s)
                    unreached.args = (f"Kafka at {self.brokers}: {error.args[0].str()}; does Kafka run, and is this its address?",)
                    raise unreached from error
                time.sleep(_AGAIN_S)

    def look(self, topics: Sequence[str], but: Container[Partition] = ()) -> Seen:
        """At these topics, but for those partitions. Raises KafkaException; `insist` on it."""
        told = self._consumer.list_topics(timeout=self.timeout_s)
        seen = Seen(told.cluster_id or "", [topic for topic in topics if topic in told.topics and self._is_there(told.topics[topic].error)])
        for topic in seen.topics:
            for number in told.topics[topic].partitions:
                if (topic, number) not in but:
                    place = self._kafka.TopicPartition(topic, number)
                    seen.marks[topic, number] = Marks(*self._consumer.get_watermark_offsets(place, timeout=self.timeout_s))
        return seen

    def ids(self, topics: Sequence[str]) -> dict[str, str | None]:
        """Kafka's own ids of topics; brokers that can't tell are none the worse."""
        from confluent_kafka import TopicCollection
        from confluent_kafka.admin import AdminClient

        ids: dict[str, str | None] = dict.fromkeys(topics)
        if topics:
            self._admin = self._admin or AdminClient(dict(self._common))
            for topic, told in self._admin.describe_topics(TopicCollection(list(topics)), request_timeout=self.timeout_s).items():
                try:
                    ids[topic] = str(told.result(self.timeout_s).topic_id)
                except (self._kafka.KafkaException, ValueError):
                    ids[topic] = None
        return ids

    def _is_there(self, error: Any) -> bool:
        """Of a topic; raises where that can't be told now."""
        if error is None or error.code() == self._kafka.KafkaError.UNKNOWN_TOPIC_OR_PART:
            return error is None
        raise self._kafka.KafkaException(error)

    def read_from(self, places: Mapping[Partition, int]) -> None:
        """These partitions, too."""
        self._consumer.incremental_assign([self._kafka.TopicPartition(*part, at) for part, at in places.items()])
        self.assigned |= places.keys()

    def poll(self, most: int) -> list[Any]:
        """The records that have come. Raises Moved, and what no waiting mends."""
        records = []
        messages: Sequence[Any] = self._consumer.consume(most, _WAIT_S)
        for message in messages:
            problem = message.error()
            if problem is None:
                records.append(message)
            else:
                self._hear(problem, (message.topic(), message.partition()), message.offset())
        return records

    def _hear(self, problem: Any, part: Partition, offset: int) -> None:
        errors = self._kafka.KafkaError
        if problem.code() == errors._PARTITION_EOF:
            self.ends[part] = offset
        elif problem.code() in (errors._AUTO_OFFSET_RESET, errors.OFFSET_OUT_OF_RANGE):
            raise Moved(part)
        elif problem.fatal() or problem.code() in (errors.TOPIC_AUTHORIZATION_FAILED, errors.GROUP_AUTHORIZATION_FAILED):
            raise TillError(f"Kafka at {self.brokers}: {problem.str()}")
