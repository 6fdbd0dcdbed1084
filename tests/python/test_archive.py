"""The archive against a real Kafka and a real aggregator: what it holds is what was counted, each once, byte by byte."""
import json
import os
import random
import re
import subprocess
from decimal import Decimal

import msgpack
import pytest
from archive_rig import (
    COMMAND,
    DEADLINE,
    START_MS,
    Topics,
    archive,
    ask,
    assert_each_once,
    counted,
    expected,
    letter,
    order,
    stream_of,
    totals,
)
from harness import BUILD, ROOT


@pytest.fixture
def topics(broker, prefix):
    return Topics(broker.bootstrap, prefix)


def put_all(topics, seed=7):
    """Orders of three edges with repeats near and far, markers, letters, carts, views, JSON. Returns the orders that count."""
    chance, kept = random.Random(seed), []
    for number, edge in enumerate(("berlin-1", "Ulm Süd", "paris-2")):
        events = [order(edge, 4711 + number, seq) for seq in range(1, 400)]
        events[20] |= {"amount": "1.234567", "discount": "0.50", "tax": "0.19", "user_id": "u1", "Country": "Österreich", "n": 2**60}
        kept += events
        for event in events:
            topics.put("order", number % 2, event)
            if chance.random() < 0.2:
                topics.put("order", number % 2, chance.choice(events[:event["seq"]]))
        marker = {"kind": "order", "edge": edge, "run": 4711 + number, "seq": 400, "rejected": "bad_value"}
        for _ in range(2):
            topics.put("order", number % 2, marker)
            topics.put("order.dlq", 1, b"as it came \xff", edge.encode(), letter(edge, 4711 + number, "order", 400, "bridge"))
            topics.put("order.dlq", 0, b"{", edge.encode(), letter(edge, 4711 + number, "order.dlq", 400))
        topics.put("cart", 0, {"kind": "cart", "edge": edge, "run": 5, "seq": 1, "ts": START_MS, "product_id": "p", "quantity": 1,
                               "action": "add"})
        topics.put("view", 1, {"kind": "view", "edge": edge, "run": 5, "seq": 9, "ts": START_MS, "page": "/"})
    text = order("json", 3, 1)
    text["unit_price"] = 0.125
    topics.put("order", 1, json.dumps(text).encode(), b"json")
    kept.append({**text, "unit_price": "0.125"})
    topics.flush()
    return kept


@pytest.mark.parametrize("form", ["parquet", "ndjson"])
def test_files_hold_what_the_aggregator_counts_each_once(topics, pipeline, tmp_path, form):
    kept = put_all(topics)
    folder = tmp_path / "archive"
    archive("run", folder, *topics.options(), "--once", "--format", form, "--rows", 300)
    pipe = pipeline(bridges=0, edges=(), partitions=2)
    pipe.start_aggregator()
    pipe.wait_applied()
    assert totals(folder) == expected(kept) == counted(pipe)
    assert_each_once(folder)
    status = json.loads(archive("status", folder, "--json").stdout)
    for part in pipe.client.ask("status")["partitions"]:
        if part["read"]:
            (own,) = [each for each in status["partitions"] if (each["topic"], each["partition"]) == (part["topic"], part["partition"])]
            assert {name: own[name] for name in ("next", "read", "duplicates", "foreign", "unreadable")} == {
                name: part[name] for name in ("next", "read", "duplicates", "foreign", "unreadable")}
    letters = ask(folder, "SELECT stream, rejected, refused_by, count(*) FROM ARCHIVE GROUP BY ALL ORDER BY 1", "--kind", "order.dlq")
    assert letters == [("order.dlq", "bad_value", "edge", 3), ("order.refused", "bad_value", "bridge", 3)]
    assert ask(folder, "SELECT count(*) FROM ARCHIVE WHERE rejected = 'bad_value' AND stream = 'order'") == [(3,)]
    assert archive("verify", folder).stdout.decode().endswith("all as the manifest says\n")


def test_columns_are_typed_and_a_record_is_there_as_it_came(topics, tmp_path):
    event = order("berlin-1", 9, 1, ts=1_291_193_160_123, amount="12345678901.000001", channel="web", note={"a": [1, b"\x01", None]},
                  big=2**60)
    topics.put("order", 0, event)
    topics.flush()
    archive("run", tmp_path / "a", *topics.options(), "--once")
    archive("run", tmp_path / "b", *topics.options(), "--once", "--format", "ndjson")
    for folder in (tmp_path / "a", tmp_path / "b"):
        (row,) = ask(folder, """SELECT kind, day::VARCHAR, edge, run, seq, epoch_ms(ts), quantity, amount, revenue,
                             typeof(revenue), channel, user_id, extra, topic,
                             "partition", "offset", epoch_ms(appended) > 1600000000000 FROM ARCHIVE""")
        assert row[:7] == ("order", "2010-12-01", "berlin-1", 9, 1, 1_291_193_160_123, event["quantity"])
        assert [str(cell) for cell in row[7:10]] == ["12345678901.000001", "12345678901.000001", "DECIMAL(38,6)"]
        assert row[10:12] == ("web", None)
        assert json.loads(row[12]) == {"note": {"a": [1, "AQ==", None]}, "big": str(2**60)}
        assert row[13:] == (topics.names[0], 0, 0, True)
    assert ask(tmp_path / "a", "SELECT record FROM ARCHIVE") == [(msgpack.packb(event),)]
    assert ask(tmp_path / "b", "SELECT from_base64(record) FROM ARCHIVE") == [(msgpack.packb(event),)]


@pytest.mark.parametrize("form", ["parquet", "ndjson"])
def test_the_stream_is_the_log_without_what_was_left_out(topics, tmp_path, form):
    put_all(topics)
    folder = tmp_path / "archive"
    archive("run", folder, *topics.options(), "--once", "--format", form, "--rows", 100)
    seen, log = set(), {}
    for place in read_log(topics):
        key = (place[0].endswith(".dlq"), place[4]) if not place[0].endswith(".dlq") else tuple(map(tuple, place[5]))
        if key not in seen:
            log.setdefault(place[:2], []).append(place)
        seen.add(key)
    for compacted in (False, True):
        if compacted:
            archive("compact", folder)
        head, records, end = stream_of(folder)
        assert list(head) == ["till_archive", "cluster", "partitions"]
        assert end == {"end": True, "records": len(records)}
        streamed = {}
        for topic, partition, offset, timestamp, key, value, headers in records:
            assert timestamp > 1_600_000_000_000
            streamed.setdefault((topic, partition), []).append(
                (topic, partition, offset, key, value, list(headers.items()) if headers else None))
        assert streamed == log
        left_out = {(part[0], part[1]): part[3]["duplicates"] for part in head["partitions"]}
        ends = {(part[0], part[1]): part[2] for part in head["partitions"]}
        assert all(ends[part] - left_out[part] == len(places) for part, places in log.items())
    part, places = next((part, places) for part, places in sorted(log.items()) if len(places) > 100)
    _, records, _ = stream_of(folder, "--from", f"{part[0]}/{part[1]}:{places[50][2]}")
    assert [record[2] for record in records if (record[0], record[1]) == part] == [place[2] for place in places[50:]]


def read_log(topics):
    """Everything in the six topics: (topic, partition, offset, key, value, headers)."""
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({"bootstrap.servers": topics.bootstrap, "group.id": "test", "enable.partition.eof": True,
                         "auto.offset.reset": "error", "enable.auto.commit": False})
    left = {(name, part) for name in topics.names for part in range(topics.partitions)}
    consumer.assign([TopicPartition(*part, 0) for part in left])
    while left:
        for message in consumer.consume(1000, 1.0):
            if message.error():
                left.discard((message.topic(), message.partition()))
            else:
                yield (message.topic(), message.partition(), message.offset(), message.key(), message.value(), message.headers())
    consumer.close()


def test_late_days_come_as_new_files_and_compaction_makes_them_one(topics, tmp_path):
    folder, events = tmp_path / "archive", []
    for seq in range(1, 31):
        events.append(order("berlin-1", 1, seq))
        topics.put("order", 0, events[-1])
        if seq % 10 == 0:
            topics.flush()
            archive("run", folder, *topics.options(), "--once")
    listed = archive("list", folder).stdout.decode().split()
    assert len(listed) == 15  # of five days, each day's in three files
    assert len(archive("list", folder, "--from", "2010-12-02", "--to", "2010-12-03").stdout.split()) == 3
    archive("compact", folder)
    listed = archive("list", folder).stdout.decode().split()
    assert len(listed) == 5
    assert sorted(map(str, folder.glob("data/kind=*/day=*/*"))) == sorted(listed)
    assert totals(folder) == expected(events)
    assert archive("verify", folder).returncode == 0


def test_a_new_partition_is_taken_up_and_a_second_run_reads_only_what_is_new(topics, tmp_path):
    folder = tmp_path / "archive"
    topics.put("order", 0, order("a", 1, 1))
    topics.flush()
    archive("run", folder, *topics.options(), "--once")
    topics.grow(topics.names[0], 3)
    topics.put("order", 0, order("a", 1, 2))
    topics.put("order", 2, order("b", 1, 1))
    topics.flush()
    done = archive("run", folder, *topics.options(), "--once")
    assert b"2 records in 1 commits" in done.stderr
    assert totals(folder) == expected([order("a", 1, 1), order("a", 1, 2), order("b", 1, 1)])


def test_the_page_s_example_runs(topics, tmp_path):
    events = [order("berlin-1", 1, seq) for seq in range(1, 21)]
    for event in events:
        topics.put("order", 0, event)
    topics.flush()
    script = re.search(r"## Example.*?```sh\n(.*?)```", (ROOT / "docs/ARCHIVE.md").read_text(), re.DOTALL)[1]
    script = script.replace("/srv/archive", str(tmp_path / "archive")).replace("--brokers 127.0.0.1:9092", " ".join(topics.options()))
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=DEADLINE, check=False,
                          env={**os.environ, "PATH": f"{COMMAND.parent}:{BUILD / 'cli'}:{os.environ['PATH']}"})
    assert done.returncode == 0, done.stderr
    (_, total), = expected(events).values()
    shown = re.findall(r"2010-12-0[1-5] .*? ([0-9]+) .*? (-?[0-9.]+) ", done.stdout.replace("│", " "))
    assert len(shown) == 5
    assert sum(int(lines) for lines, _ in shown) == 20
    assert sum(Decimal(part) for _, part in shown) == total
    assert done.stdout.endswith("all as the manifest says\n")


def test_a_store_is_rebuilt_from_the_archive_where_retention_has_cut_the_log(topics, admin, pipeline, tmp_path):
    kept = put_all(topics)
    folder = tmp_path / "archive"
    archive("run", folder, *topics.options(), "--once", "--rows", 300)
    archive("compact", folder)
    for name in topics.names[:2]:
        for partition in range(2):
            admin.purge(topic=name, partition=partition)
    late = order("berlin-1", 4711, 401)
    topics.put("order", 0, late)
    topics.flush()
    (tmp_path / "stream").write_bytes(archive("cat", folder).stdout)
    pipe = pipeline(bridges=0, edges=(), partitions=2)
    pipe.start_aggregator("--archive", str(tmp_path / "stream"))
    pipe.wait_applied()
    assert counted(pipe) == expected([*kept, late])
    assert pipe.books("duplicates") == sum(
        part["duplicates"] for part in json.loads(archive("status", folder, "--json").stdout)["partitions"])
