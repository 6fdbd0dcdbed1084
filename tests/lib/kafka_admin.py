"""Topics, rights, leaders and records of a Kafka, by another client library than till's: a program that serves one request a
line, {"do": NAME, ...}, with one answer a line, {"ok": ..., "value" or "error": ...}. It answers in milliseconds, where
Kafka's own tools start a JVM each. Started by cluster.py in the environment of pypi.py."""
import base64
import contextlib
import json
import sys
import time

import msgpack
from confluent_kafka import Consumer, ElectionType, IsolationLevel, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient, AlterConfigOpType,
                                   ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourcePatternType,
                                   ResourceType)

ANSWER_S = 30
PATIENCE_S = 90
REPEATABLE = ("allow", "behind", "cluster", "configure", "deny", "ends", "leaders", "purge", "records", "scan", "settings")
EVERYBODY = "User:*"


class Hand:
    """What can be asked for: each public method is a request's name."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "socket.timeout.ms": 20000, "log_level": 0})
        self.producers = {}  # open transactions
        self.in_order = None

    def create(self, topic, partitions=4, copies=1, settings=None, assignment=None):
        where = {"replica_assignment": assignment} if assignment else {"replication_factor": copies}
        new = NewTopic(topic, len(assignment) if assignment else partitions, config=settings or {}, **where)
        end = time.monotonic() + ANSWER_S
        while True:  # a topic of this name may be about to go
            try:
                return self.admin.create_topics([new], operation_timeout=ANSWER_S)[topic].result(ANSWER_S)
            except KafkaException:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def delete(self, topic):
        self.admin.delete_topics([topic], operation_timeout=ANSWER_S)[topic].result(ANSWER_S)

    def partitions(self, topic, total):
        self.admin.create_partitions([NewPartitions(topic, total)])[topic].result(ANSWER_S)

    def configure(self, topic, **settings):
        entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()]
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
        self.admin.incremental_alter_configs([resource])[resource].result(ANSWER_S)

    def purge(self, topic, partition, before=-1):
        """Deletes the records below an offset, as retention would; -1: all."""
        place = TopicPartition(topic, partition, before)
        self.admin.delete_records([place])[place].result(ANSWER_S)

    def deny(self, topic, operation):
        """Nobody may do this with the topic; everything else stays allowed."""
        for what, permission in (("ALL", "ALLOW"), (operation, "DENY")):
            rule = AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, EVERYBODY, "*", AclOperation[what],
                              AclPermissionType[permission])
            self.admin.create_acls([rule])[rule].result(ANSWER_S)

    def allow(self, topic):
        """Forgets what was denied."""
        rules = AclBindingFilter(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, None, None, AclOperation.ANY,
                                 AclPermissionType.ANY)
        self.admin.delete_acls([rules])[rules].result(ANSWER_S)

    def leaders(self, prefix=""):
        """{topic: [[leader, in sync], …]} by partition."""
        topics = self.admin.list_topics(timeout=ANSWER_S).topics
        return {name: [[part.leader, sorted(part.isrs)] for _, part in sorted(topic.partitions.items())]
                for name, topic in topics.items() if name.startswith(prefix)}

    def behind(self, prefix=""):
        """How many partitions have no leader or a copy that is behind; None: no such topic is known."""
        topics = [topic for name, topic in self.admin.list_topics(timeout=ANSWER_S).topics.items() if name.startswith(prefix)]
        parts = [part for topic in topics for part in topic.partitions.values()]
        return sum(part.leader < 0 or len(part.isrs) < len(part.replicas) for part in parts) if topics else None

    def elect(self, topic=None, partition=None, unclean=False):
        """Leaders become the preferred replicas again, of one partition or of all; soon: the answer may come much later."""
        places = None if topic is None else [TopicPartition(topic, partition)]
        kind = ElectionType.UNCLEAN if unclean else ElectionType.PREFERRED
        with contextlib.suppress(TimeoutError, KafkaException):
            self.admin.elect_leaders(kind, places).result(0.2)

    def ends(self, topics):
        """{topic: {partition: end}}, of records that may not be read yet, too."""
        known = self.leaders()
        asked = {TopicPartition(topic, part): OffsetSpec.latest() for topic in topics for part in range(len(known.get(topic, ())))}
        if not asked:
            return {}
        told = self.admin.list_offsets(asked, isolation_level=IsolationLevel.READ_UNCOMMITTED)
        ends = {}
        for place, future in told.items():
            ends.setdefault(place.topic, {})[place.partition] = future.result(ANSWER_S).offset
        return ends

    def settings(self, topic):
        """{name: value} of all, the defaults too."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        return {name: entry.value for name, entry in self.admin.describe_configs([resource])[resource].result(ANSWER_S).items()}

    def ordered(self):
        """One for all, as long as it does not fail."""
        self.in_order = self.in_order or Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 1, "enable.idempotence": True})
        return self.in_order

    def produce(self, topic, partition, records, later_s=0, ordered=False):
        """records: [[key, value]], both in base64; `later_s`: what they say of the time, where the topic believes producers;
        `ordered`: whatever is tried again stays where it was."""
        failed = []
        producer = self.ordered() if ordered else Producer({"bootstrap.servers": self.bootstrap, "acks": "all", "linger.ms": 5})
        for key, value in records:
            producer.produce(topic, base64.b64decode(value), base64.b64decode(key), partition,
                             timestamp=int((time.time() + later_s) * 1000), on_delivery=lambda error, _: failed.append(str(error)) if error else None)
        left = producer.flush(ANSWER_S)
        if failed or left:
            self.in_order = None
            producer.purge()  # nothing of it comes later, behind what is told instead
            producer.flush(ANSWER_S)
            raise RuntimeError(f"{left} not delivered, {len(failed)} failed: {failed[:1]}")

    def open_transaction(self, name, topic, partition, value="foreign"):
        """A transaction with one record, which stays open: what comes behind it can't be read."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "transactional.id": name, "transaction.timeout.ms": 600000})
        producer.init_transactions(ANSWER_S)
        producer.begin_transaction()
        producer.produce(topic, value.encode(), b"somebody", partition)
        producer.flush(ANSWER_S)
        self.producers[name] = producer

    def end_transaction(self, name, commit=False):
        producer = self.producers.pop(name)
        (producer.commit_transaction if commit else producer.abort_transaction)(ANSWER_S)

    def messages(self, topic):
        """All that can be read now."""
        low_to_high = {}
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "scan", "enable.auto.commit": False,
                             "auto.offset.reset": "error", "enable.partition.eof": True, "check.crcs": True})
        try:
            for partition in range(len(self.leaders()[topic])):
                low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=ANSWER_S)
                low_to_high[partition] = (low, high)
            left = {part for part, (low, high) in low_to_high.items() if high > low}
            consumer.assign([TopicPartition(topic, part, low_to_high[part][0]) for part in left])
            end = time.monotonic() + ANSWER_S
            while left:
                message = consumer.poll(1.0)
                if message is None and time.monotonic() > end:
                    raise RuntimeError(f"{topic}: no end of {left}")
                if message is None or message.error():
                    left -= {message.partition()} if message and message.error().code() == -191 else set()
                    continue
                yield message
        finally:
            consumer.close()

    def records(self, topic):
        """[[partition, offset, append time, key, value, {header: value} or None]], bytes in base64."""
        def text(value):
            return None if value is None else base64.b64encode(value).decode()

        return [[each.partition(), each.offset(), each.timestamp()[1], text(each.key()), text(each.value()),
                 {name: text(value) for name, value in each.headers()} if each.headers() else None] for each in self.messages(topic)]

    def cluster(self):
        return self.admin.list_topics(timeout=ANSWER_S).cluster_id

    def scan(self, topic):
        """What the log says by itself: each certificate once, the first record of it decides; totals a product."""
        seen, products, counts = set(), {}, {"records": 0, "duplicates": 0, "foreign": 0, "rejected": 0}
        for message in self.messages(topic):
            counts["records"] += 1
            event = read_event(message.value())
            if event is None:
                counts["foreign"] += 1
                continue
            certificate = (event["edge"], event["run"], event["kind"], event["seq"])
            if certificate in seen:
                counts["duplicates"] += 1
                continue
            seen.add(certificate)
            if "rejected" in event:
                counts["rejected"] += 1
                continue
            sums = products.setdefault(event["product_id"], [0, 0, 0])
            for at, amount in enumerate((1, event["quantity"], event["quantity"] * micros(event["unit_price"]))):
                sums[at] += amount
        return {**counts, "events": sum(each[0] for each in products.values()), "products": products}


def micros(text):
    """Money as decimal text, in millionths."""
    whole, _, part = text.partition(".")
    sign = -1 if whole.startswith("-") else 1
    return int(whole) * 10**6 + sign * int(part.ljust(6, "0")[:6] or 0)


def read_event(value):
    """The certified event in a record's bytes; None: somebody else's."""
    try:
        event = msgpack.unpackb(value)
    except (ValueError, TypeError, msgpack.UnpackException):
        return None
    return event if isinstance(event, dict) and "edge" in event and "seq" in event else None


def serve(hand, do, request):
    """What may be asked again is asked until the brokers have a leader again."""
    end = time.monotonic() + (PATIENCE_S if do in REPEATABLE else 0)
    while True:
        try:
            return getattr(hand, do)(**request)
        except (KafkaException, RuntimeError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def main():
    hand = Hand(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": True, "value": serve(hand, request.pop("do"), request)}
        except Exception as error:  # whatever it is, the one who asked shall know
            answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
