"""Is everything there? till ledger, till trace and till reconcile, against the real programs on a till-devbroker."""
import json
import re
import subprocess

import msgpack
import pytest
from harness import Pipeline, Program, Sender, till, wait_until
from scripted_edge import ScriptedEdge

DAY_MS = 1291193160000  # 2010-12-01T08:46Z
VIEWS = """
[view.stores_per_day]
group_by = edge, day(ts)
measures = order_count = count(), total_revenue = sum(revenue)
[view.orders_per_store_day]
group_by = edge, day(ts), order_id
measures = order_count = count(), total_revenue = sum(revenue)
"""


@pytest.fixture
def shop(tmp_path):
    """A bridge on a broker of its own; edges and aggregator are the test's to start."""
    (tmp_path / "views.conf").write_text(VIEWS)
    devbroker = Program("till-devbroker", ["-o", "devbroker.topics=orders,cart_events,page_views,telemetry"], tmp_path / "devbroker.log")
    pipe = Pipeline(tmp_path, devbroker.ready["bootstrap"], "", edges=("berlin",),
                    options={"till-edge": ["edge.telemetry_interval=1s"]})
    yield pipe
    pipe.stop()
    devbroker.kill()


def start_aggregator(pipe, *extra):
    return pipe.start_aggregator("-c", pipe.folder / "views.conf", *extra)


def order(number, price="2.50", **more):
    return {"order_id": f"r-{number}", "product_id": "tea", "quantity": 1, "unit_price": price, "currency": "EUR", "ts": DAY_MS, **more}


def sell(pipe, events, edge="berlin"):
    """The run that numbered them."""
    sender = Sender(pipe.endpoint(edge))
    reply = sender.ask(events)
    sender.close()
    assert reply["ok"], reply
    return reply["run"]


def ask(pipe, *args):
    """(exit code, the JSON on stdout)"""
    done = till(*args, "--at", pipe.aggregator.ready["listen"][0], "--json")
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def test_a_closing_report_is_held_against_the_totals_order_by_order(shop, tmp_path):
    sell(shop, [order(1), order(1, "0.10"), order(2, "17.333333"), order(3, ts=DAY_MS + 86400000)])
    start_aggregator(shop)
    shop.wait_settled()
    code, closing = ask(shop, "reconcile", "berlin", "2010-12-01", "--expected", "19.933333", "--lines", 3)
    assert (code, closing["equal"], closing["counted"], closing["currency"]) == (0, True, "19.933333", "EUR"), closing
    code, closing = ask(shop, "reconcile", "berlin", "2010-12-01", "--expected", "22.43", "--lines", 3)
    assert (code, closing["equal"], closing["difference"]) == (1, False, "-2.496667"), closing
    assert ask(shop, "reconcile", "berlin", "2010-12-01", "--expected", "19.933333", "--lines", 4)[0] == 1
    code, closing = ask(shop, "reconcile", "berlin", "1999-12-01", "--expected", "0")
    assert (code, closing["lines_counted"]) == (0, 0)

    report = tmp_path / "report.csv"
    report.write_text("till,order_id,amount\n7,r-1,2.60\n7,r-2,17.333333\n")
    code, closing = ask(shop, "reconcile", "berlin", "2010-12-01", "--report", report)
    assert (code, closing["orders"]) == (0, []), closing
    report.write_text("order_id,amount\nr-2,17.33\nr-9,5\nr-1,1.60\nr-1,1\n")
    code, closing = ask(shop, "reconcile", "berlin", "2010-12-01", "--report", report)
    assert code == 1
    assert closing["orders"] == [{"order_id": "r-2", "expected": "17.33", "counted": "17.333333"},
                                 {"order_id": "r-9", "expected": "5.00", "counted": None}], closing
    words = till("reconcile", "berlin", "2010-12-01", "--report", report, "--at", shop.aggregator.ready["listen"][0])
    assert words.stdout.splitlines() == [
        "berlin 2010-12-01: expected 24.93, counted 19.933333 EUR in 3 lines: different by -4.996667",
        "order r-2: 17.33 in the report, 17.333333 counted", "order r-9: 5.00 in the report, nothing counted"]
    refused = till("reconcile", "berlin", "2010-12-01", "--expected", "12,50")
    assert refused.returncode == 2 and "no amount" in refused.stderr


def test_a_trace_says_what_was_counted_and_where_kafka_has_it(shop):
    run = sell(shop, [order(number) for number in range(5)])
    start_aggregator(shop)
    shop.wait_settled()
    code, found = ask(shop, "trace", "berlin", run, "order", 3, "--brokers", shop.bootstrap)
    assert (code, found["place"]) == (0, "counted"), found
    kafka = found["kafka"]
    assert kafka["found"] and kafka["topic"] == "orders"
    seen = till("tail", "orders", "--brokers", shop.bootstrap, "--partition", kafka["partition"], "--from", kafka["offset"],
                "--count", 1, "--json")
    assert json.loads(seen.stdout)["event"]["seq"] == 3, seen.stdout
    code, found = ask(shop, "trace", "berlin", run, "order", 6)
    assert (code, found["place"], found["kafka"]) == (1, "unknown", None), found
    assert till("trace", "berlin", run, "orders", 6).returncode == 2


def test_without_an_aggregator_a_trace_still_looks_into_kafka(shop):
    run = sell(shop, [order(1)])
    shop.wait_drained()
    nowhere = ["--at", "tcp://127.0.0.1:1", "--timeout", "500ms"]
    done = till("trace", "berlin", run, "order", 1, "--brokers", shop.bootstrap, *nowhere)
    assert done.returncode == 0 and "in Kafka: orders, partition " in done.stdout, done
    assert till("trace", "berlin", run, "order", 1, *nowhere).returncode == 3


def wait_rows(pipe, wanted, what, edge="berlin"):
    """The ledger's rows of orders, once they are as wanted."""
    def look():
        rows = pipe.client.ask("ledger", edge=edge, kind="order")["ledger"]
        return rows if wanted(rows) else None
    return wait_until(look, what)


def only_report(pipe):
    edges, ledger = ({**pipe.client.ask(query)["reports"][0], "heard_ms": 0} for query in ("edges", "ledger"))
    assert edges.keys() == ledger.keys() and edges["edge"] == "berlin"
    return edges


def test_the_books_add_up_from_the_disk_to_the_totals(shop):
    """While there is no bridge only the disk knows of an event; then Kafka has it, then the totals, and the edge's report is met."""
    bridge = shop.bridges[0]
    bridge.kill()
    run = sell(shop, [order(number) for number in range(5)])
    nowhere = ["--at", "tcp://127.0.0.1:1", "--timeout", "500ms"]
    spool = ["--spool", shop.folder / "edge-berlin"]
    done = till("trace", "berlin", run, "order", 5, *spool, *nowhere)
    assert done.returncode == 0 and "order 5 is on the edge's disk" in done.stdout, done
    done = till("trace", "berlin", run, "order", 6, *spool, *nowhere)
    assert done.returncode == 1 and "order 6 is unknown" in done.stdout, done
    bridge.start()
    shop.wait_drained()
    done = till("trace", "berlin", run, "order", 5, *spool, "--brokers", shop.bootstrap, *nowhere)
    assert done.returncode == 0 and "in Kafka: orders, partition " in done.stdout, done
    start_aggregator(shop)
    rows = wait_rows(shop, lambda rows: rows and rows[0]["numbered"] == 5 == rows[0]["counted"], "a report, and what it says")
    assert [rows[0][key] for key in ("run", "unread", "on_disk", "damaged", "missing")] == [run, 0, 0, 0, []], rows
    code, found = ask(shop, "trace", "berlin", run, "order", 5, *spool)
    assert (code, found["place"]) == (0, "counted"), found
    report = only_report(shop)
    assert (report["run"], report["accepted"], report["waiting"], report["oldest_ms"], report["stopping"]) == (run, 5, 0, None, False), report
    assert report["program"].startswith("till-edge ") and report["spool_bytes"] < report["spool_max"], report
    assert shop.edges["berlin"].stop() == 0
    wait_until(lambda: only_report(shop)["stopping"], "the run's last report")
    table = till("ledger", "berlin", "--run", run, "--at", shop.aggregator.ready["listen"][0])
    assert table.returncode == 0 and ["berlin", str(run), "order", "5", "5", "0", "0", "0", "0", "0"] in [
        line.split() for line in table.stdout.splitlines()], table
    for misspelt in (["berln"], ["berlin", "--run", "1"]):
        none = till("ledger", *misspelt, "--at", shop.aggregator.ready["listen"][0])
        assert none.returncode == 1 and "nothing was heard of edge" in none.stderr, none
    shown = till("status", shop.aggregator.ready["listen"][0])
    assert "\nedges\n  1 report, " in shown.stdout, shown


def kcat(pipe, *args, **kwargs):
    return subprocess.run(["kcat", "-q", "-b", pipe.bootstrap, *args], capture_output=True, text=True, timeout=60, check=True, **kwargs).stdout


def test_a_hole_in_the_log_is_named(shop):
    """The aggregator reads a log from which somebody has removed three records; the edge had them confirmed."""
    shop.bridges[0].kill()
    shop.bridges.clear()
    shop.options["till-bridge"] = ["bridge.format=json"]
    shop.start_bridge(port=int(shop.edges["berlin"].args[7].rsplit(":", 1)[1]))
    run = sell(shop, [order(number) for number in range(9)])
    shop.wait_drained()
    records = [line for line in kcat(shop, "-C", "-t", "orders", "-e", "-f", "%p %s\\n").splitlines() if line]
    assert len(records) == 9
    for record in records:
        partition, value = record.split(" ", 1)
        if json.loads(value)["seq"] not in (3, 4, 5):
            kcat(shop, "-P", "-t", "kept", "-k", "berlin", "-p", partition, input=value)
    start_aggregator(shop, "-o", "aggregator.topic.order=kept")
    rows = wait_rows(shop, lambda rows: rows and rows[0]["numbered"] == 9 and rows[0]["missing_count"] == 3, "the hole in the ledger")
    assert (rows[0]["numbered"], rows[0]["counted"], rows[0]["missing"]) == (9, 6, [[3, 5]]), rows
    table = till("ledger", "--at", shop.aggregator.ready["listen"][0])
    assert table.returncode == 1 and table.stdout.splitlines()[-1] == f"missing: berlin {run} order 3-5 (3)", table
    assert rows[0]["judged_by"] == run and rows[0]["reported_ms"] > 0, rows
    assert [ask(shop, "trace", "berlin", run, "order", seq)[1]["place"] for seq in (2, 3, 5, 6)] == ["counted", "missing", "missing", "counted"]
    assert ask(shop, "trace", "berlin", run, "order", 4, "--brokers", shop.bootstrap)[0] == 0, "it is in Kafka, though in another topic"
    shop.edges["berlin"].stop()
    shop.edges["berlin"].start()
    rows = wait_rows(shop, lambda rows: rows and rows[0]["judged_by"] not in (run, None), "a report of the next run, which may be of another disk")
    table = till("ledger", "--at", shop.aggregator.ready["listen"][0])
    assert re.search(rf"^missing: berlin {run} order 3-5 \(3\); not on the disk of run {rows[0]['judged_by']}; run {run} has not reported since 20\S+Z$",
                     table.stdout, re.M), table


def test_what_the_bridge_refused_is_rejected(shop):
    """A certified event that breaks a rule: no edge of ours would send it."""
    scripted = ScriptedEdge(shop.bridges[0].ready["listen"][0], "oslo", 77, 1)
    good = scripted.event

    def event(seq, product):
        fields = msgpack.unpackb(good(seq, product))
        first = {key: fields[key] for key in ("kind", "edge", "run", "seq")}  # where the bridge looks for a certificate
        return msgpack.packb({**first, **fields, "quantity": seq % 2})
    scripted.event = event
    scripted.send([1, 2], "tea")
    start_aggregator(shop)
    wait_rows(shop, lambda rows: rows and rows[0]["counted"] + rows[0]["rejected"] == 2, "both", "oslo")
    assert ask(shop, "trace", "oslo", 77, "order", 1)[1]["place"] == "counted"
    wait_until(lambda: ask(shop, "trace", "oslo", 77, "order", 2)[1]["place"] == "rejected", "the bridge's letter")
    scripted.close()
