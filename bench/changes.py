"""bench/run changes: what a change of a row costs the aggregator (Debezium): processor time for rows that come, that change, that
are told again, and that go, in four views; beside the same rows as plain JSON records, in the same run."""
import argparse
import json
import os
import subprocess
import tempfile
from decimal import Decimal
from pathlib import Path

from chain import cpu_seconds, create_topic
from debezium import TYPES, Table
from harness import Broker, Pipeline, wait_until

PARTITIONS = 4
FIELDS = "order_id:order_id, sku:product_id, who:user_id, n:quantity, price:unit_price, at:ts"
VIEWS = """
[view.product_sales]
kind = order
group_by = product_id
measures = rows = count(), total_sold = sum(quantity), total_revenue = sum(revenue)

[view.user_orders]
kind = order
group_by = user_id
measures = total_orders = count(), total_amount = sum(revenue)

[view.days]
kind = order
group_by = day(ts)
measures = total_orders = count(), total_amount = sum(revenue), mean = average(unit_price)

[view.hours]
kind = order
group_by = weekday(ts), hour_of_day(ts)
measures = total_orders = count(), total_amount = sum(revenue)
"""
SOURCES = {"changes": f"[source.shop]\ntopic = bench-changes\nformat = debezium\nkind = order\ntypes = {TYPES}\nfields = {FIELDS}\n",
           "plain": f"[source.shop]\ntopic = bench-plain\nformat = plain\nkind = order\nfields = {FIELDS}\n"}


def row_of(number, turn):
    return {"order_id": number // 3, "sku": f"p{number * 7919 % 5000}", "who": f"u{number // 3 * 31 % 100000}", "n": 1 + (number + turn) % 5,
            "price": Decimal(number % 9973 + turn) / 100, "at": 1291161600000000 + number * 1000000}


def make_phases(count):
    """Name -> the log's share of each partition."""
    table = Table(PARTITIONS)
    steps = {"rows that come": lambda: [table.insert(number, row_of(number, 0)) for number in range(count)],
             "rows that change": lambda: [table.update(number, **row_of(number, 1)) for number in range(count)],
             "changes told again": lambda: table.repeat(count // PARTITIONS),
             "rows that go": lambda: [table.tell(number, "d") for number in range(count)]}
    for name, act in steps.items():
        before = [len(log) for log in table.logs]
        act()
        yield name, [log[begin:] for log, begin in zip(table.logs, before)]


def plain_rows(count):
    logs = [[] for _ in range(PARTITIONS)]
    for number in range(count):
        row = row_of(number, 0)
        logs[number % PARTITIONS].append((str(number).encode(), json.dumps({**row, "price": str(row["price"]), "at": row["at"] // 1000}).encode()))
    return logs


def produce(kafka, topic, logs):
    for partition, log in enumerate(logs):
        text = b"".join(key + b"\t" + value + b"\n" for key, value in log)
        subprocess.run(["kcat", "-P", "-b", kafka.bootstrap, "-t", topic, "-p", str(partition), "-K", "\t", "-X", "linger.ms=50"], input=text,
                       check=True, timeout=300)


def read_so_far(pipe, topic):
    return sum(each["read"] for each in pipe.client.ask("status")["partitions"] if each["topic"] == topic)


def measure(folder, kafka, which, phases):
    """Microseconds of the aggregator's processor time a record, its commits with it."""
    topic, results, total = f"bench-{which}", {}, 0
    create_topic(kafka, topic, PARTITIONS)
    folder.mkdir()
    (folder / "shop.conf").write_text(SOURCES[which] + VIEWS)
    pipe = Pipeline(folder, kafka.bootstrap, "bench-", edges=(), bridges=0)
    try:
        pipe.start_aggregator("-c", folder / "shop.conf")
        for name, logs in phases:
            count, before = sum(map(len, logs)), cpu_seconds(pipe.aggregator.pid)
            produce(kafka, topic, logs)
            total += count
            wait_until(lambda: read_so_far(pipe, topic) >= total, f"{total} records", 300, every=0.1)
            wait_until(lambda: pipe.client.ask("status")["uncommitted"] == 0, "the last commit", 60)
            results[name] = {"records": count, "us": (cpu_seconds(pipe.aggregator.pid) - before) * 1e6 / count}
    finally:
        pipe.stop()
    return results


def main():
    parser = argparse.ArgumentParser(prog="bench/run changes")
    parser.add_argument("--count", type=int, default=200_000, help="rows")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="till-bench-", dir=os.environ.get("TILL_BENCH_DIR")) as name:
        kafka = Broker(Path(name) / "kafka")
        try:
            for topic in ("bench-orders", "bench-cart_events", "bench-page_views"):
                create_topic(kafka, topic, PARTITIONS)
            result = {"rows": arguments.count, **measure(Path(name) / "plain", kafka, "plain", [("plain records", plain_rows(arguments.count))]),
                      **measure(Path(name) / "changes", kafka, "changes", make_phases(arguments.count))}
        finally:
            kafka.down()
    report(result, arguments)


def report(result, arguments):
    if arguments.json:
        print(json.dumps(result))
        return
    plain = result["plain records"]["us"]
    print(f"{result['rows']:,} rows of an order's lines, 4 views, {os.cpu_count()} cores")
    for name, each in result.items():
        if name != "rows":
            print(f"{name:20} {each['us']:6.2f} µs of processor time each, {1e6 / each['us']:9,.0f} a second of a core, {each['us'] / plain:.2f} of a plain record")


if __name__ == "__main__":
    main()
