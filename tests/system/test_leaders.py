"""`top` out of the rows that lead, held to what a scan before and one after it say while orders come in, and to the cent when none do."""
import itertools
import random
import threading
from decimal import Decimal

from harness import Sender, sum_metric, wait_until

LIMIT = 10


class Sales(threading.Thread):
    """A few of 100 products sell much more than others; some sales are taken back by a negative quantity."""

    def __init__(self, pipe, edge):
        super().__init__(daemon=True)
        self.sender, self.dice, self.is_ended, self.error = Sender(pipe.endpoint(edge)), random.Random(5), False, None
        self.start()

    def run(self):
        try:
            for frame in itertools.count():
                if self.is_ended:
                    return
                reply = self.sender.ask([self.sale(40 * frame + number) for number in range(40)])
                assert reply["ok"] and reply["accepted"] == 40, reply
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def sale(self, number):
        product = min(int(self.dice.paretovariate(0.5)), 99)
        return {"order_id": f"o{number}", "product_id": f"p{product:03}", "quantity": self.dice.choice((1, 2, 5, -2)), "user_id": f"u{number % 11}",
                "unit_price": f"{self.dice.randrange(1, 900) / 100:.2f}", "ts": "2010-12-01T08:26:00Z"}

    def end(self):
        self.is_ended = True
        self.join()
        self.sender.close()
        assert self.error is None, self.error


def number(row, by):
    return Decimal(row[by])


def first_of(rows, by):
    """By the number, the greatest first, then by key."""
    return sorted(rows, key=lambda row: (-number(row, by), row["product_id"]))[:LIMIT]


def check_counts(pipe):
    """A count never falls, so each row of `top` lies between the scans; and so does the last row's number."""
    before = {row["product_id"]: row["order_count"] for row in pipe.client.scan("products")}
    top = pipe.client.rows("top", view="products", by="order_count", limit=LIMIT)
    after = {row["product_id"]: row["order_count"] for row in pipe.client.scan("products")}
    if len(before) < LIMIT:
        return False
    assert len(top) == LIMIT
    assert [(row["order_count"], row["product_id"]) for row in top] == sorted(
        ((row["order_count"], row["product_id"]) for row in top), key=lambda each: (-each[0], each[1]))
    for row in top:
        assert before.get(row["product_id"], 0) <= row["order_count"] <= after[row["product_id"]], row
    shown = {row["product_id"] for row in top}
    assert all(count <= top[-1]["order_count"] for product, count in before.items() if product not in shown), "a row that leads is missing"
    return True


def check_at_rest(pipe):
    """All that was counted, committed or not."""
    rows = pipe.client.scan("products")
    for by in ("order_count", "total_quantity", "total_revenue"):
        for _ in range(2):
            assert pipe.client.rows("top", view="products", by=by, limit=LIMIT) == first_of(rows, by)


def test_the_first_rows_are_those_of_a_scan_under_load_and_after_a_kill(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    edge = next(iter(pipe.edges))
    pipe.wait_settled()
    for _ in range(2):
        sales = Sales(pipe, edge)
        checks = 0
        commit = pipe.client.ask("status")["as_of"]["commit"]

        def has_checked(commit=commit):
            """Over a few commits, so that they were led on."""
            nonlocal checks
            checks += check_counts(pipe)
            return checks >= 6 and pipe.client.ask("status")["as_of"]["commit"] >= commit + 3

        wait_until(has_checked, "answers over some commits", every=0)
        metrics = pipe.aggregator.metrics()
        assert sum_metric(metrics, "till_aggregator_top_answers_total", by="leaders") > 0
        pipe.aggregator.kill()
        pipe.aggregator.start()
        sales.end()
        pipe.wait_settled()
        check_at_rest(pipe)
