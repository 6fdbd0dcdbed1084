"""A topic of Kafka up to where it ends when we look, for tables of events."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import kafka
from ..command import UsageError
from ..errors import NotReached, TillError
from ..kafka import Marks, Moved

BATCH_RECORDS = 2000


class Gap(TillError):
    """The log no longer has what is to be read next."""


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
        if not sign or name in kafka.OURS:
            raise UsageError(f"--kafka-config {path}, line {number}: {name} is {'set by till mart' if sign else 'no property = value'}")
        found[name] = value
    return found


class Topic:
    def __init__(self, brokers: str, topic: str, settings: Mapping[str, str], timeout_s: float) -> None:
        self.topic = topic
        self._reader = kafka.Reader(brokers, "till-mart", "sql", settings, timeout_s)

    def close(self) -> None:
        self._reader.close()

    def marks(self) -> tuple[str, dict[int, Marks]]:
        """The cluster's identity, and what the partitions hold now."""
        seen = self._reader.insist(lambda: self._reader.look([self.topic]))
        if not seen.topics:
            raise TillError(f"Kafka at {self._reader.brokers} has no topic {self.topic}")
        return seen.cluster, {number: marks for (_, number), marks in sorted(seen.marks.items())}

    def batches(self, begins: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[Sequence[Any]]:
        """Records from `begins` on, until all `ends` are reached."""
        reader = self._reader
        waiting = {number for number, begin in begins.items() if begin < ends[number]}
        reader.read_from({(self.topic, number): begins[number] for number in waiting})
        deadline = time.monotonic() + reader.timeout_s
        while waiting:
            try:
                records = reader.poll(BATCH_RECORDS)
            except Moved as moved:
                raise Gap(f"{moved}: the log has lost what was to be read") from moved
            waiting -= {number for _, number in reader.ends}
            waiting -= {message.partition() for message in records if message.offset() + 1 >= ends[message.partition()]}
            if records:
                deadline = time.monotonic() + reader.timeout_s
                yield records
            elif waiting and time.monotonic() > deadline:
                raise NotReached(f"Kafka at {reader.brokers}", reader.timeout_s)
