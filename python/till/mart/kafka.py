"""A topic of Kafka, read from places that the caller keeps, by confluent-kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..command import NotInstalled, UsageError
from ..errors import NotReached, TillError

BATCH_RECORDS = 2000
# What would take records from us in silence, or give them twice.
_OURS = {"group.id", "enable.auto.commit", "enable.auto.offset.store", "auto.offset.reset", "enable.partition.eof", "isolation.level",
         "bootstrap.servers"}


class Gap(TillError):
    """The log no longer has what is to be read next."""


@dataclass(frozen=True)
class Span:
    """Of a partition: the first offset there is, and the one that the next record gets."""

    first: int
    end: int


def read_settings(path: str | None) -> dict[str, str]:
    """Lines of `property = value` for librdkafka, such as TLS and passwords, which are nothing for a command line."""
    if path is None:
        return {}
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--kafka-config {path}: {error}") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, sign, value = (part.strip() for part in line.partition("="))
        if not name or name.startswith("#"):
            continue
        if not sign or name in _OURS:
            raise UsageError(f"--kafka-config {path}, line {number}: {name} is {'set by till mart' if sign else 'no property = value'}")
        found[name] = value
    return found


class Topic:
    def __init__(self, brokers: str, topic: str, settings: Mapping[str, str], timeout_s: float) -> None:
        try:
            import confluent_kafka
        except ImportError as error:
            raise NotInstalled("confluent-kafka", "sql") from error
        self._kafka = confluent_kafka
        self.brokers, self.topic, self._timeout_s = brokers, topic, timeout_s
        try:
            self._consumer = confluent_kafka.Consumer({
                "bootstrap.servers": brokers, "group.id": "till-mart", "enable.auto.commit": False, "enable.auto.offset.store": False,
                "auto.offset.reset": "error", "enable.partition.eof": True, "log_level": 0, **settings})
        except confluent_kafka.KafkaException as error:
            raise UsageError(f"--kafka-config: {error}") from error

    def close(self) -> None:
        self._consumer.close()

    def _asked(self, what: Callable[[], Any]) -> Any:
        try:
            return what()
        except self._kafka.KafkaException as error:
            raise NotReached(f"Kafka at {self.brokers} ({error.args[0].str() if error.args else error})", self._timeout_s) from error

    def spans(self) -> tuple[str, dict[int, Span]]:
        """The cluster's identity, and what the partitions hold now."""
        found = self._asked(lambda: self._consumer.list_topics(self.topic, timeout=self._timeout_s))
        told = found.topics[self.topic]
        if told.error is not None:
            raise TillError(f"Kafka at {self.brokers} has no topic {self.topic}: {told.error.str()}")
        spans = {}
        for number in sorted(told.partitions):
            place = self._kafka.TopicPartition(self.topic, number)
            spans[number] = Span(*self._asked(partial(self._consumer.get_watermark_offsets, place, timeout=self._timeout_s)))
        return str(found.cluster_id), spans

    def batches(self, begins: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[Sequence[Any]]:
        """Records from `begins` on, until all `ends` are reached. A batch may be empty."""
        places = [self._kafka.TopicPartition(self.topic, number, begin) for number, begin in begins.items() if begin < ends[number]]
        waiting = {place.partition for place in places}
        self._consumer.assign(places)
        deadline = time.monotonic() + self._timeout_s
        while waiting:
            records = []
            for message in self._asked(lambda: self._consumer.consume(BATCH_RECORDS, timeout=0.5)):
                if message.error() is None:
                    records.append(message)
                self._note(message, ends, waiting)
            if records:
                deadline = time.monotonic() + self._timeout_s
                yield records
            elif waiting and time.monotonic() > deadline:
                raise NotReached(f"Kafka at {self.brokers}", self._timeout_s)

    def _note(self, message: Any, ends: Mapping[int, int], waiting: set[int]) -> None:
        error = message.error()
        if error is None:
            if message.offset() + 1 >= ends[message.partition()]:
                waiting.discard(message.partition())
        elif error.code() == self._kafka.KafkaError._PARTITION_EOF:
            waiting.discard(message.partition())
        elif error.code() in (self._kafka.KafkaError._AUTO_OFFSET_RESET, self._kafka.KafkaError.OFFSET_OUT_OF_RANGE):
            raise Gap(f"{self.topic}/{message.partition()}: the log has lost what was to be read: {error.str()}")
        elif error.code() not in (self._kafka.KafkaError._ALL_BROKERS_DOWN, self._kafka.KafkaError._TRANSPORT):
            raise TillError(f"Kafka at {self.brokers}: {error.str()}")
