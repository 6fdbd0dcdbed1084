"""`till export --consistent`: all rows of one moment, while sales come in between the pages.

One edge is one partition, read in order, and the sales' times rise: so the moment of the rows is told by `event_ts`, and the rows must be
what plain counting makes of the sales up to then."""
import json
import threading
from collections import Counter

import pytest
import till
from between_pages import BetweenPages
from export_rig import till_export
from harness import Sender, wait_until
from till.export import export

PRODUCTS, START = 60, 1_291_193_160_000


def sale(number):
    """Products of all pages take turns; some come to be only later."""
    return {"order_id": f"o{number}", "product_id": f"p{number * 7 % (PRODUCTS if number > 500 else PRODUCTS // 2):02}", "quantity": 1,
            "unit_price": "0.35", "currency": "EUR", "ts": START + number}


def counted(event_ts):
    """{product: sales} up to a moment."""
    return dict(Counter(sale(number)["product_id"] for number in range(event_ts - START + 1)))


class Sales:
    """Sells without end in a thread of its own, a few at a time."""

    def __init__(self, pipe):
        self.sender, self.number, self.is_over = Sender(pipe.endpoint("store-1")), 0, threading.Event()
        self.sell(200)
        self.thread = threading.Thread(target=self.run)

    def sell(self, count):
        assert self.sender.ask([sale(number) for number in range(self.number, self.number + count)])["ok"]
        self.number += count

    def run(self):
        while not self.is_over.is_set():
            self.sell(9)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()
        self.sender.close()


@pytest.fixture
def selling(pipeline):
    """(pipeline, what stands between its pages) while sales come in."""
    pipe = pipeline(options={"till-edge": ["edge.sync=never"]})
    pipe.start_aggregator()
    with Sales(pipe):
        wait_until(lambda: pipe.client.ask("scan", view="products").get("rows"), "the first sales")
        between = BetweenPages(pipe.aggregator.ready["listen"][0], page_rows=5)
        yield pipe, between
        between.close()


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def wait_for_sales(pipe, behind):
    wait_until(lambda: pipe.client.ask("status")["as_of"]["event_ts"] > behind, "more sales")


def test_all_rows_are_of_one_moment(selling, tmp_path):
    pipe, between = selling
    path, moments = tmp_path / "products.ndjson", []

    def sell_between(number):  # noqa: ARG001
        wait_for_sales(pipe, pipe.client.ask("status")["as_of"]["event_ts"])
    between.before_page = sell_between
    for _ in range(4):
        done = till_export("--view", "products", "--to", path, "--consistent", at=between.endpoint)
        assert done.returncode == 0, done.stderr
        told = json.loads((tmp_path / "products.ndjson.as_of.json").read_text())
        assert told["consistent"]
        assert {row["product_id"]: row["order_count"] for row in rows_of(path)} == counted(told["last"]["event_ts"])
        moments.append(told["last"]["event_ts"])
    assert moments == sorted(set(moments)), "time went on"
    assert between.pages >= 4 * 6


def test_without_it_the_moments_of_the_pages_are_told(selling, tmp_path):
    pipe, between = selling
    between.before_page = lambda number: wait_for_sales(pipe, pipe.client.ask("status")["as_of"]["event_ts"])  # noqa: ARG005
    with till.Client(between.endpoint) as client:
        assert not export(client, "products", tmp_path / "x.ndjson").is_consistent
    told = json.loads((tmp_path / "x.ndjson.as_of.json").read_text())
    assert not told["consistent"]
    found = {row["product_id"]: row["order_count"] for row in rows_of(tmp_path / "x.ndjson")}
    first, last = counted(told["first"]["event_ts"]), counted(told["last"]["event_ts"])
    assert all(first[product] <= found[product] <= last[product] for product in first)
    assert found not in (first, last), "nothing was sold between the pages: this shows nothing"


def test_lost_messages_are_noticed_and_all_is_read_anew(selling, tmp_path):
    _, between = selling

    def another_stream(number, answer):
        if number == 2:
            answer["live"] = {**answer["live"], "stream": "0" * 16}
    between.change = another_stream
    done = till_export("--view", "products", "--to", tmp_path / "x.ndjson", "--consistent", at=between.endpoint)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "x.ndjson.as_of.json").read_text())
    assert {row["product_id"]: row["order_count"] for row in rows_of(tmp_path / "x.ndjson")} == counted(told["last"]["event_ts"])
    assert between.pages >= 2 + 6


def test_what_is_one_page_is_asked_for_once(selling, tmp_path):
    _, between = selling
    between.page_rows = None
    done = till_export("--view", "products", "--to", tmp_path / "x.ndjson", "--consistent", at=between.endpoint)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "x.ndjson.as_of.json").read_text())
    assert {row["product_id"]: row["order_count"] for row in rows_of(tmp_path / "x.ndjson")} == counted(told["last"]["event_ts"])
    assert between.pages == 1


def test_what_can_not_be_of_one_moment_is_refused(selling, tmp_path):
    pipe, between = selling
    filtered = ("--view", "products", "--where", "order_count>=1", "--consistent", "--to", tmp_path / "x.csv")
    refused = till_export(*filtered, at=between.endpoint)
    assert refused.returncode == 1
    assert "--consistent can't be had" in refused.stderr
    assert list(tmp_path.glob("x.csv*")) == []
    done = till_export(*filtered, at=pipe.aggregator.ready["listen"][0])
    assert done.returncode == 0, "one answer is of one moment"
    assert json.loads((tmp_path / "x.csv.as_of.json").read_text())["consistent"]
