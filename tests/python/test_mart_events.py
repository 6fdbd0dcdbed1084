"""Raw events as rows of a database: each once by its certificate, whatever Kafka holds and whoever is killed."""
import contextlib
import json
import random
import subprocess
from collections import defaultdict
from decimal import Decimal

import confluent_kafka
import msgpack
import pytest
from harness import Sender, wait_until
from mart_rig import Sales, history, quote, run_mart, start_mart, table

COLUMNS = "order_id, product_id, quantity, unit_price, user_id, extra"


def order(number, **more):
    return {"kind": "order", "edge": "uk", "run": 4711, "seq": number, "ts": 1_291_191_960_123, "order_id": f"o{number}",
            "product_id": "tea", "quantity": 2, "unit_price": "2.55", "currency": "GBP", **more}


@pytest.fixture
def log(broker, admin, prefix):
    """write(values, partition): records of a topic of two partitions."""
    topic = f"{prefix}orders"
    admin.create(topic=topic, partitions=2)
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap})

    def write(values, partition=0, key=b"uk"):
        for value in values:
            producer.produce(topic, value if isinstance(value, bytes) else msgpack.packb(value), key=key, partition=partition)
        assert producer.flush(60) == 0

    write.options = ("--events", "order=Orders", "--brokers", broker.bootstrap, "--topic", topic)
    write.topic = topic
    return write


def tallies(database):
    rows = database.sql("SELECT sum(records), sum(inserted), sum(rejected), sum(duplicates), sum(foreign_records), sum(unreadable) "
                        "FROM till_mart_offsets")
    return dict(zip(("records", "inserted", "rejected", "duplicates", "foreign", "unreadable"), map(int, rows[0]), strict=True))


def test_each_record_becomes_what_it_is(log, sql_database):
    log([order(1, unit_price="0.000001", Country="United Kingdom", weight=0.5), order(2, user_id="Jürgen 🍵"), order(1, quantity=9),
         {"kind": "order", "edge": "uk", "run": 4711, "seq": 3, "rejected": "bad_value"}, order(3), b"garbage", b"\xc1", {"foreign": 1},
         {**order(4), "kind": "cart", "action": "add"}, order(5, unit_price="2,55"), b"", order(6, quantity=-4)])
    log([json.dumps(order(7, edge="fr")).replace('"2.55"', "1234567890.123456").encode(),
         b'{"kind":"order","edge":"fr","edge":"de","run":1,"seq":8,"ts":1}'], partition=1, key=b"fr")
    done = run_mart(None, sql_database, *log.options)
    assert tallies(sql_database) == {"records": 14, "inserted": 4, "rejected": 1, "duplicates": 2, "foreign": 3, "unreadable": 4}
    assert "14 records, 4 inserted, 1 rejected, 2 duplicates, 3 foreign records, 4 unreadable" in done.stdout
    rows = {row[0]: row[1:] for row in table(sql_database, "Orders", COLUMNS)}
    assert json.loads(rows["o1"][4]) == {"Country": "United Kingdom", "weight": 0.5}
    assert {name: row[:4] for name, row in rows.items()} == {
        "o1": ["tea", "2", "0.000001", None], "o2": ["tea", "2", "2.550000", "Jürgen 🍵"], "o6": ["tea", "-4", "2.550000", None],
        "o7": ["tea", "2", "1234567890.123456", None]}
    assert [text[:23] for (text,) in table(sql_database, "Orders", "ts")] == ["2010-12-01 08:26:00.123"] * 4
    log([order(2), order(8)])
    run_mart(None, sql_database, *log.options)
    assert tallies(sql_database)["duplicates"] == 3
    assert len(table(sql_database, "Orders", "seq")) == 5
    runs = len(history(sql_database))
    assert "0 records" in run_mart(None, sql_database, *log.options).stdout
    assert len(history(sql_database)) == runs


def test_carried_numbers_keep_their_digits(log, sql_database):
    digits = '{"weight":0.12345678901234567890123456789,"gauge":[1e400,-0.10]}'
    log([json.dumps(order(1))[:-1].encode() + b"," + digits[1:].encode()])
    run_mart(None, sql_database, *log.options)
    assert table(sql_database, "Orders", "extra") == [[digits]]


def test_a_record_under_another_key_than_its_edge_is_foreign(log, sql_database):
    """Where the aggregator does not look for an edge, none of its events is counted, nor here."""
    for number, key in enumerate((None, b"", b"de"), 1):
        log([order(number)], key=key)
    log([order(1)])
    run_mart(None, sql_database, *log.options)
    assert tallies(sql_database) == {"records": 4, "inserted": 1, "rejected": 0, "duplicates": 0, "foreign": 3, "unreadable": 0}


def test_a_table_that_was_dropped_is_written_anew(log, sql_database):
    log([order(1), {"kind": "order", "edge": "uk", "run": 4711, "seq": 2, "rejected": "bad_value"}])
    run_mart(None, sql_database, *log.options)
    sql_database.sql(f"DROP TABLE {quote(sql_database, 'Orders')}")
    run_mart(None, sql_database, *log.options)
    assert len(table(sql_database, "Orders", "seq")) == 1
    assert tallies(sql_database)["records"] == 2


def test_what_the_log_has_lost_is_named_and_not_passed_over_in_silence(log, admin, sql_database):
    log([order(number) for number in range(1, 11)])
    run_mart(None, sql_database, *log.options)
    log([order(number) for number in range(11, 31)])
    admin.purge(topic=log.topic, partition=0, before=25)
    gap = f"{log.topic}/0:10-24"
    assert gap in run_mart(None, sql_database, *log.options, code=1).stderr
    assert gap in history(sql_database)[-1]["error"]
    run_mart(None, sql_database, *log.options, "--accept-gap", gap)
    assert sorted(int(seq) for (seq,) in table(sql_database, "Orders", "seq")) == [*range(1, 11), *range(26, 31)]


@pytest.mark.kill
def test_events_are_there_once_though_the_writer_is_killed(pipeline, sql_database, tmp_path):
    """What a till sold, with every edge's records and duplicates beside them: SQL over the rows is the aggregator's answer."""
    pipe = pipeline(edges=("store-a", "store-b"))
    pipe.start_aggregator()
    sales = [Sales(pipe.endpoint(f"store-{name}"), name) for name in "ab"]
    for each in sales:
        each.thread.start()
    options = ("--events", "order", "--brokers", pipe.bootstrap, "--topic", f"{pipe.prefix}orders", "--every", "50ms")
    chance = random.Random(5)
    wait_until(lambda: pipe.books("counted") > 0, "sales that are counted")
    for _ in range(6):
        writer = start_mart(pipe, sql_database, *options, log=tmp_path / "mart.log")
        with contextlib.suppress(subprocess.TimeoutExpired):
            writer.wait(chance.uniform(0.3, 2.0))
        assert writer.poll() is None, (tmp_path / "mart.log").read_text()[-2000:]
        writer.kill()
        writer.wait()
    for each in sales:
        each.stop()
    repeat_some(pipe)
    pipe.wait_settled()
    run_mart(pipe, sql_database, *options[:-2])
    wanted = defaultdict(lambda: (0, Decimal(0)), {product: total for each in sales for product, total in each.totals(each.sent).items()})
    found = sql_database.sql("SELECT product_id, sum(quantity), sum(quantity * unit_price) FROM order_events GROUP BY product_id")
    assert {product: (int(sold), Decimal(revenue)) for product, sold, revenue in found} == dict(wanted)
    told = tallies(sql_database)
    assert told["inserted"] == sum(each.sent for each in sales) == pipe.books("counted")
    assert told["duplicates"] == pipe.books("duplicates") == 50
    assert [run["outcome"] for run in history(sql_database)].count("killed") > 0


def repeat_some(pipe):
    """As a lost acknowledgement makes an edge do it."""
    topic = f"{pipe.prefix}orders"
    consumer = confluent_kafka.Consumer({"bootstrap.servers": pipe.bootstrap, "group.id": "again", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    records = []
    wait_until(lambda: records.extend(consumer.consume(50 - len(records), 1)) or len(records) == 50, "records")
    consumer.close()
    producer = confluent_kafka.Producer({"bootstrap.servers": pipe.bootstrap})
    for each in records:
        producer.produce(topic, each.value(), key=each.key(), partition=each.partition())
    assert producer.flush(60) == 0


def test_kinds_topics_and_settings_are_checked(sql_database, tmp_path):
    assert "order, cart, view" in run_mart(None, sql_database, "--events", "orders", code=2).stderr
    config = tmp_path / "kafka"
    config.write_text("enable.auto.commit = true\n")
    assert "set by till mart" in run_mart(None, sql_database, "--events", "order", "--kafka-config", config, code=2).stderr
    away = run_mart(None, sql_database, "--events", "order", "--brokers", "127.0.0.1:9", "--timeout", "1s", code=3)
    assert "Kafka at 127.0.0.1:9" in away.stderr


def test_carts_have_a_table_of_their_own(pipeline, sql_database):
    pipe = pipeline()
    pipe.start_aggregator()
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask([{"kind": "cart", "product_id": "tea", "action": "add", "user_id": "u1", "ts": 1_291_191_960_000}])["ok"]
    sender.close()
    pipe.wait_settled()
    run_mart(pipe, sql_database, "--events", "cart=carts", "--brokers", pipe.bootstrap, "--topic", f"{pipe.prefix}cart_events")
    assert table(sql_database, "carts", "product_id, action, quantity, user_id") == [["tea", "add", "1", "u1"]]
