"""What the records of a topic say of baskets, against what the aggregator says."""
import json
import subprocess
from decimal import Decimal

import view_oracle
from harness import program, wait_until


def books(pipe):
    return pipe.client.ask("status")["baskets"]


def records(pipe):
    """Of the topic of orders, those of a partition in their order; the topic may be large."""
    command = [program("till"), "tail", f"{pipe.prefix}orders", "--brokers", pipe.bootstrap, "--from", "beginning", "--until-end", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tail:
        yield from map(json.loads, tail.stdout)
    assert tail.returncode == 0, command


def as_event(event):
    return {name: Decimal(value) if name in ("unit_price", "amount") else value for name, value in event.items()}


def count_by_hand(pipe, horizon_ms, memory_ms):
    hand, count, read_to = view_oracle.Baskets(horizon_ms, memory_ms), 0, {}
    for each in records(pipe):
        partition = each["partition"]
        assert read_to.get(partition, -1) < each["offset"]
        read_to[partition] = each["offset"]
        hand.read(partition, each["timestamp_ms"], as_event(each["event"]))
        count += 1
    return hand, count


def wait_closed(client, hand):
    """Until what is open, over and late is what it is by hand."""
    def is_same():
        status = client.ask("status")["baskets"]
        return (status["closed"], status["open"], status["late"]) == (len(hand.closed), hand.open_count(), hand.late)
    wait_until(is_same, f"{len(hand.closed)} closed baskets, {hand.open_count()} open ones and {hand.late} late lines", every=0.05)


def assert_rows(client, hand):
    """How many baskets are in none of them."""
    amounts, unmatched = view_oracle.of_baskets(hand.closed)
    rows = client.scan("baskets")
    assert {(row["channel"], row["payment"], row["currency"]) for row in rows} == set(amounts)
    for row in rows:
        numbers = amounts[row["channel"], row["payment"], row["currency"]]
        assert row["basket_count"] == len(numbers)
        assert Decimal(row["average"]) == view_oracle.average(numbers), row
        assert (Decimal(row["min"]), Decimal(row["max"])) == (min(numbers), max(numbers)), row
        for name, millionths in (("q25", 250_000), ("q50", 500_000), ("q75", 750_000)):
            exact = view_oracle.quantile(numbers, millionths)
            assert abs(Decimal(row[name]) - exact) <= abs(exact) / 128, (row, name, exact)
    return unmatched


def assert_same(pipe, hand, count):
    """Rows, the lines that were late, and the books."""
    wait_closed(pipe.client, hand)
    wait_until(lambda: pipe.client.ask("status")["uncommitted"] == 0, "sums of views, which are those of the last commit", every=0.05)
    status = books(pipe)
    assert (status["late"], status["lines"]) == (hand.late, count - hand.late)
    assert (status["closed"], status["open"]) == (len(hand.closed), hand.open_count())
    unmatched = assert_rows(pipe.client, hand)
    view = next(each for each in pipe.client.ask("views")["views"] if each["name"] == "baskets")
    assert view["unmatched"] == unmatched > 0
