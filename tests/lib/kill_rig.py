"""Kills the parts of a whole chain again and again, at random moments and at named points (failpoints_preload.c), while simulated
tills sell and rows of a database change (kill_views.py); at the end everything lives, and what the tills were told, what the log
has, and the rows that there are, are held against the totals of all views: of one aggregator, and of one with four shards.

A death is a round. Every part is always on its way to its next one, so parts die together too. All follows from the seed but the
operating system's timing.
"""
import json
import math
import os
import random
import select
import signal
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

import kill_views
from harness import Client, Pipeline, program, sum_metric, wait_until

# Part -> points: (CALL:WHEN or "moment", what it is called in reports, the greatest number of calls to the death).
POINTS = {
    "edge": [("moment", "any moment", 0),
             ("mdb_txn_commit:before", "before the spool's commit", 200),
             ("mdb_txn_commit:after", "after the commit, before the reply", 200),
             ("mdb_put:after", "inside the spool's transaction", 800),
             ("zmq_msg_send:after", "after a frame was sent", 1500)],
    "bridge": [("moment", "any moment", 0),
               ("rd_kafka_produce:after", "after produce", 1200),
               ("rd_kafka_event_message_next:after", "after the report, before the ACK", 1200),
               ("zmq_msg_send:before", "before an ACK is sent", 600)],
    "aggregator": [("moment", "any moment", 0),
                   ("mdb_put:after", "inside the store's transaction", 200),
                   ("mdb_txn_commit:before", "before the store's commit", 4),
                   ("mdb_txn_commit:after", "after the store's commit", 4)],
}
LIFE_MAX_S = 4.0  # a point that is not met by then becomes a kill at any moment
ROWS_EVERY_S = 0.25  # rows of the database change so often
BROKER_EVERY_S = 25.0  # a node of Kafka's dies so often, where there are three
TALLIES = {"repeats": "till_edge_events_repeated_total", "resends": "till_edge_batches_resent_total",
           "failovers": "till_edge_bridge_failovers_total"}


@dataclass
class Part:
    kind: str
    process: object  # harness.Program
    point: tuple = ()
    since: float = 0.0
    life_s: float = 0.0


class KillRig:
    def __init__(self, folder, bootstrap, prefix, seed, admin, rate=400, edges=3, shim=None, kafka=None):  # pylint: disable=too-many-arguments
        self.chance = random.Random(seed)
        self.shim = shim or str(program("till-edge").parents[1] / "tests" / "lib" / "libfailpoints-preload.so")
        self.kafka = kafka  # a Broker of three nodes, which may lose one, or None
        self.names = [f"store-{number}" for number in range(1, edges + 1)]
        self.tables = kill_views.Tables(admin, prefix, seed, copies=kafka.nodes if kafka else 1)
        self.rows_due = 0.0
        self.pipe, self.four = self.start_pipes(folder, bootstrap, prefix)
        self.parts = [*(Part("edge", each) for each in self.pipe.edges.values()), *(Part("bridge", each) for each in self.pipe.bridges),
                      Part("aggregator", self.pipe.aggregator), Part("aggregator", self.four.aggregator)]
        self.turns = {kind: [] for kind in POINTS}
        self.points, self.lives, self.rounds = Counter(), {}, 0
        self.broker_faults, self.broker_thread = 0, None
        self.broker_due = time.monotonic() + BROKER_EVERY_S
        self.sold = folder / "sold.json"
        self.tills = subprocess.Popen(
            [program("till"), "simulate", *[arg for name in self.names for arg in ("--to", self.pipe.endpoint(name))],
             "--rate", str(rate), "--seed", str(seed), "--invalid", "0.01", "--ledger", str(self.sold), "--timeout", "forever"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)

    def start_pipes(self, folder, bootstrap, prefix):
        """The chain, and another aggregator of four shards that reads the same topics."""
        (folder / "four").mkdir()
        options = {"till-aggregator": kill_views.OPTIONS}
        pipe = Pipeline(folder, bootstrap, prefix, edges=self.names, bridges=2, options=options)
        four = Pipeline(folder / "four", bootstrap, prefix, edges=(), bridges=0, options=options)
        conf = kill_views.write_conf(folder, prefix)
        pipe.start_aggregator("-c", conf)
        four.start_aggregator("-c", conf, "-o", "aggregator.shards=4")
        pipe.others = four.others = self.tables.topics()
        return pipe, four

    # ---- dying

    def arm(self, part):
        """Draws how the part's next life ends, and begins it."""
        if not self.turns[part.kind]:  # each point as often as the others
            self.turns[part.kind] = self.chance.sample(POINTS[part.kind], len(POINTS[part.kind]))
        call, name, most = self.turns[part.kind].pop()
        part.point = (call, name)
        part.process.env.pop("TILL_FAILPOINT", None)
        part.process.env["LD_PRELOAD"] = self.shim
        if call != "moment":  # most die early, some late
            part.process.env["TILL_FAILPOINT"] = f"{call}:{int(math.exp(self.chance.uniform(0, math.log(most))))}"
        part.life_s = self.chance.uniform(0, LIFE_MAX_S) if call == "moment" else LIFE_MAX_S
        part.since = time.monotonic()
        part.process.start(wait_ready=False)

    def bury(self, part):
        """Counts a death. Another end than by SIGKILL is what this looks for."""
        process = part.process
        code = process.process.wait(30)
        assert code == -signal.SIGKILL, f"{process.name} ended by itself with {code}\n{process.log_tail()}"
        if process.ready is None:
            os.close(process.ready_fd)
        self.rounds += 1
        self.points[f"{part.kind}, {part.point[1] if part.point else 'any moment'}"] += 1

    def step(self):
        """Whatever has died lives again; whatever has lived long enough dies."""
        for part in self.parts:
            if not part.process.running():
                self.bury(part)
                self.arm(part)
            elif time.monotonic() - part.since > part.life_s:
                part.point = ("moment", "any moment")
                part.process.process.kill()
            elif part.kind == "edge":
                self.note(part.process)
        assert self.tills.poll() is None, f"the tills ended: {self.tills.communicate()}"
        if time.monotonic() > self.rows_due:
            self.tables.step()
            self.rows_due = time.monotonic() + ROWS_EVERY_S
        if self.kafka is not None and time.monotonic() > self.broker_due:
            self.fault_broker()

    def run(self, rounds, deadline=math.inf):
        """So many deaths more, or fewer if the time is over."""
        end = self.rounds + rounds
        while self.rounds < end and time.monotonic() < deadline:
            self.step()
            select.select([], [], [], 0.005)

    def fault_broker(self):
        """One node at a time dies, and is started again in a thread of its own."""
        if self.broker_thread is not None and self.broker_thread.is_alive():
            return
        node = self.chance.randrange(1, 4)
        self.kafka.kill(node)
        self.broker_faults += 1
        self.broker_thread = threading.Thread(target=self.kafka.start, args=(node,))
        self.broker_thread.start()
        self.broker_due = time.monotonic() + BROKER_EVERY_S

    # ---- counting what the deaths provoked

    def note(self, process):
        """What an edge has counted in this life, now and then."""
        if process.ready is None and not is_readable(process.ready_fd):
            return
        if self.chance.random() < 0.02:
            try:
                values = process.wait_ready(5) and process.metrics() if process.ready is None else process.metrics()
            except (AssertionError, OSError, ValueError):
                return  # it died meanwhile
            for what, name in TALLIES.items():
                self.lives[process.pid, what] = max(self.lives.get((process.pid, what), 0), sum_metric(values, name))

    def tally(self, what):
        return int(sum(value for (_, each), value in self.lives.items() if each == what))

    # ---- living

    def settle(self, deadline=240):
        """Everything lives, the tills have got all their answers, all is counted."""
        for part in self.parts:
            part.process.kill()
            if part.process.ready is None:
                os.close(part.process.ready_fd)
                part.process.ready = {}
            for name in ("LD_PRELOAD", "TILL_FAILPOINT"):
                part.process.env.pop(name, None)
        if self.broker_thread is not None:
            self.broker_thread.join()
        for part in self.parts:
            part.process.start()
        for pipe in (self.pipe, self.four):
            pipe.client.close()
            pipe.client = Client(pipe.aggregator.ready["listen"][0])
        self.tills.terminate()
        out, err = self.tills.communicate(timeout=deadline)
        assert self.tills.returncode == 0, f"{out}{err}"
        self.tables.step()
        self.pipe.wait_settled(deadline)
        self.four.wait_applied(deadline)
        for part in self.parts:
            if part.kind == "edge":
                for what, name in TALLIES.items():
                    self.lives[part.process.pid, what] = sum_metric(part.process.metrics(), name)

    def judge(self):
        """Exactly what the tills were told: every product, every store, every dead letter; every view is what follows from the log and
        from the rows that there are; the books add up."""
        sold, client = json.loads(self.sold.read_text()), self.pipe.client
        products = {row["product_id"]: [row["order_count"], row["total_quantity"], Decimal(row["total_revenue"])]
                    for row in client.scan("products")}
        assert products == {key: [count, quantity, Decimal(revenue)] for key, (count, quantity, revenue) in sold["products"].items()}
        told = sum(sold["accepted"].values()) + sum(sold["invalid"].values())
        log = kill_views.Log(self.pipe)
        for each in (self.pipe, self.four):
            wait_until(lambda each=each: each.client.ask("status")["ok"], "an answer")
            self.judge_books(each, told)
            kill_views.assert_views(each.client, log, self.tables)
            kill_views.assert_baskets(each.client, log)
        for edge in self.pipe.edges.values():
            values = edge.metrics()
            assert sum_metric(values, "till_edge_events_received_total") == sum(
                sum_metric(values, f"till_edge_events_{part}_total") for part in ("accepted", "invalid", "refused", "repeated"))

    def judge_books(self, pipe, told):
        books = pipe.client.ask("status")["partitions"]
        for each in books:
            assert each["read"] == sum(each[part] for part in ("counted", "rejected", "duplicates", "foreign", "unreadable")), each
        sales = [each for each in books if each["topic"] not in self.tables.topics()]
        assert sum(each["counted"] for each in sales) == told, (sales, told)
        assert sum(each["rejected"] + each["unreadable"] for each in books) == 0, books
        assert not pipe.client.ask("status")["problems"]

    def rebuild(self):
        """A store made anew from the log has the same bytes, four shards have the same rows."""
        old = self.pipe.client.ask("status")["as_of"]["store"]
        before = self.dump(self.pipe)
        aggregator = self.pipe.aggregator
        aggregator.args.append("--rebuild")
        aggregator.start()
        client = Client(aggregator.ready["listen"][0])
        wait_until(lambda: client.ask("status").get("as_of", {}).get("store", old) != old, "the rebuilt store", 240, every=0.1)
        client.close()
        aggregator.args.remove("--rebuild")
        assert self.dump(self.pipe) == before, "the rebuilt store differs"
        assert rows_of(self.dump(self.four)) == rows_of(before), "four shards differ from one"

    def dump(self, pipe):
        """Stops the aggregator."""
        pipe.aggregator.stop()
        return subprocess.run([program("till-aggregator"), *pipe.aggregator.args, "--dump"], capture_output=True, text=True, timeout=120,
                              check=True).stdout

    def figures(self):
        changes = {f"rows: {act}": count for act, count in sorted(self.tables.acts.items())}
        return {"rounds": self.rounds, **changes, "broker_faults": self.broker_faults, "duplicates": self.pipe.books("duplicates"),
                **{what: self.tally(what) for what in TALLIES}, **{f"at {name}": count for name, count in sorted(self.points.items())}}

    def stop(self):
        if self.tills.poll() is None:
            self.tills.kill()
            self.tills.communicate()
        if self.broker_thread is not None:
            self.broker_thread.join()
        self.pipe.stop()
        self.four.stop()


def rows_of(dump):
    """Without sums over shards: a row of a view may be in several of them."""
    return [line for line in dump.splitlines() if '"row":' in line]


def is_readable(fd):
    return bool(select.select([fd], [], [], 0)[0])
