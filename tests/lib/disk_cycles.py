"""Disks that fill, drain and fill again, under an edge and under an aggregator. A few cycles in the suite, hundreds in
bench/long_os.py."""
import contextlib
import signal

from harness import sum_metric, wait_until
from small_disk import Ballast
from tills import Till

NOTE = "x" * 20000
BUSY_USERS = 400


class EdgeCycles:
    """An edge whose bridge stops listening until the disk is full, and then takes all of it."""

    def __init__(self, pipe, edge):
        self.pipe, self.edge = pipe, pipe.edges[edge]
        self.till = Till(pipe, edge)
        self.refused = 0

    def fill(self):
        """Until the edge pushes back; what was refused is sold later under its number."""
        self.pipe.bridges[0].signal(signal.SIGSTOP)
        try:
            for _ in range(1000):
                if not self.offer():
                    return
            raise AssertionError("the disk never filled")
        finally:
            self.pipe.bridges[0].signal(signal.SIGCONT)

    def offer(self):
        self.till.frame += 1
        events = [{"order_id": f"o-{self.till.next + number}", "product_id": "tea", "quantity": 1, "unit_price": "1.00",
                   "ts": "2010-12-01T08:26:00Z", "note": NOTE} for number in range(5)]
        reply = self.till.ask(events, {"producer": "cycles", "n": self.till.frame}, 60)
        if reply["ok"]:
            assert reply["accepted"] == len(events), reply
            self.till.next += len(events)
            self.till.told += len(events)
            self.till.revenue += len(events)
            return True
        assert reply["error"]["code"] == "spool_full" and reply["error"]["retry_after_ms"] > 0, reply
        self.refused += 1
        return False

    def cycle(self):
        told = self.till.told
        self.fill()
        assert self.till.told > told, "nothing was taken: the edge is wedged"
        wait_until(lambda: self.edge.metric("till_edge_spool_events") == 0, "an empty spool", 120)
        assert self.edge.running(), self.edge.log_tail()


class AggregatorCycles:
    """Something else fills the aggregator's disk and goes away again."""

    def __init__(self, pipe, edge, disk):
        self.pipe, self.till, self.ballast = pipe, Till(pipe, edge), Ballast(disk)
        self.users = 0

    def sell_to_new_users(self):
        """Rows that the store has not had: it must grow."""
        self.till.frame += 1
        events = [{"order_id": f"o-{self.till.next + number}", "product_id": "tea", "quantity": 1, "unit_price": "1.00",
                   "user_id": f"user-{self.users + number}", "ts": "2010-12-01T08:26:00Z"} for number in range(BUSY_USERS)]
        self.users += BUSY_USERS
        reply = self.till.ask(events, {"producer": "cycles", "n": self.till.frame}, 60)
        assert reply["ok"] and reply["accepted"] == BUSY_USERS, reply
        self.till.next += BUSY_USERS
        self.till.told += BUSY_USERS
        self.till.revenue += BUSY_USERS

    def is_full(self):
        status, text = self.pipe.aggregator.http("/readyz")
        return status == 503 and "disk full" in text

    def counted(self):
        return sum(row["order_count"] for row in self.pipe.client.rows("scan", view="stores"))

    def cycle(self):
        aggregator = self.pipe.aggregator
        self.ballast.fill()
        try:
            while not self.is_full():
                self.sell_to_new_users()
                with contextlib.suppress(AssertionError):
                    wait_until(self.is_full, "", 0.5)
            wait_until(lambda: self.counted() == self.till.told, "answers with what came after the disk was full")
        finally:
            self.ballast.drop()
        wait_until(lambda: aggregator.http("/readyz")[0] == 200, "ready by itself", 120)
        wait_until(lambda: sum_metric(aggregator.metrics(), "till_aggregator_uncommitted_events") == 0, "all committed", 120)
        assert aggregator.running(), aggregator.log_tail()
