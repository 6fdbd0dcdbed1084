"""What bridges report of themselves, on a real Kafka, and what `bridges`, `status` and the metrics say by it."""
import re
import socket
import subprocess

from harness import Sender, sum_metric, wait_until
from test_spine import order

COUNTS = {"events": "till_bridge_events_received_total", "delivered": "till_bridge_records_delivered_total", "acked": "till_bridge_batches_acked_total",
          "event_bytes": "till_bridge_received_event_bytes_total", "wire_bytes": "till_bridge_received_wire_bytes_total"}


def bridges_of(pipe):
    """{name: its row}"""
    return {row["bridge"]: row for row in pipe.client.ask("bridges")["bridges"]}


def name_of(bridge):
    """As PROTOCOL.md and OPERATIONS.md say it is called where nobody gave it a name."""
    return f"{socket.gethostname()}:{bridge.ready['listen'][0].rpartition(':')[2]}"


def told(pipe, bridge):
    """Its row, once what it reports is what it counts."""
    metrics = bridge.metrics()
    wanted = {count: sum_metric(metrics, metric) for count, metric in COUNTS.items()}
    row = bridges_of(pipe).get(name_of(bridge))
    return row if row and {**{count: row[count] for count in COUNTS}, "events": row["events"] + row["letters"]} == wanted else None


def newest_report(pipe):
    """The bytes of a bridge's report."""
    done = subprocess.run(["kcat", "-C", "-e", "-q", "-o", "-100", "-b", pipe.bootstrap, "-t", f"{pipe.prefix}telemetry", "-f", "%k %S\\n%s\\n"],
                          capture_output=True, timeout=60, check=True)
    begin = re.search(rb"^\S+/bridge (\d+)\n", done.stdout, re.M)
    return done.stdout[begin.end():begin.end() + int(begin[1])]


def test_bridges_are_known_by_what_they_report_through_kills_of_either_side(pipeline, admin):
    every_second = {"till-bridge": ["bridge.telemetry_interval=1s"], "till-edge": ["edge.telemetry_interval=1s"]}
    pipe = pipeline(edges=("berlin",), bridges=2, options=every_second)
    sender = Sender(pipe.endpoint("berlin"))
    assert sender.ask([order(number) for number in range(7)])["ok"]
    sender.ask([{**order(7), "unit_price": "dear"}])
    pipe.start_aggregator()
    pipe.wait_settled()
    rows = [wait_until(lambda bridge=bridge: told(pipe, bridge), f"what {name_of(bridge)} counts in `bridges`", every=0.1) for bridge in pipe.bridges]
    assert sum(row["events"] for row in rows) == 7 and sum(row["letters"] for row in rows) == 1 and sum(row["delivered"] for row in rows) == 8
    wait_until(lambda: [(row["state"], row["problems"], row["recent"] is not None) for row in bridges_of(pipe).values()] == [("ok", [], True)] * 2,
               "two reports of each", every=0.1)
    assert sorted(row["edges"] for row in bridges_of(pipe).values()) == [0, 1]
    assert pipe.client.ask("status")["problems"] == []

    used, other = sorted(pipe.bridges, key=lambda bridge: bridges_of(pipe)[name_of(bridge)]["edges"], reverse=True)
    before = bridges_of(pipe)[name_of(used)]
    used.kill()
    pipe.aggregator.kill()  # nothing of it is in the store: the topic keeps it
    pipe.aggregator.start()
    pipe.client.connect()
    kept = ("bridge", "run", "program", "edges", *COUNTS)
    wait_until(lambda: name_of(used) in bridges_of(pipe), "the bridge that was killed, as it was", every=0.1)
    after = bridges_of(pipe)[name_of(used)]
    assert after["number"] >= before["number"] and [after[key] for key in kept] == [before[key] for key in kept]
    wait_until(lambda: bridges_of(pipe)[name_of(used)]["state"] == "silent", "its silence to be noticed", every=0.2)
    problem = f"bridge {name_of(used)} is silent; edges were connected to it when it last reported"
    wait_until(lambda: pipe.client.ask("status")["problems"] == [problem], "status to name it", every=0.1)
    assert problem in pipe.aggregator.http("/readyz")[1] and pipe.aggregator.http("/readyz")[0] == 200
    assert sum_metric(pipe.aggregator.metrics(), "till_aggregator_bridges", state="silent") == 1
    assert bridges_of(pipe)[name_of(other)]["state"] == "ok"
    assert sender.ask([order(number) for number in range(8, 11)])["ok"]
    wait_until(lambda: bridges_of(pipe)[name_of(other)]["events"] >= 3, "the edge's way by the other one", every=0.1)

    used.start()
    anew = wait_until(lambda: (row := bridges_of(pipe)[name_of(used)])["state"] == "ok" and row, "it to be back", every=0.1)
    assert anew["run"] != before["run"] and anew["events"] == 0 and anew["problems"] == []
    wait_until(lambda: pipe.client.ask("status")["problems"] == [], "nothing to name", every=0.1)
    for key in (b"nobody/bridge", b"nobody/7"):  # what is no report, and one under another's key, are counted and change nothing
        admin.produce(topic=f"{pipe.prefix}telemetry", partition=0, records=[(key, b"\x80"), (key, newest_report(pipe))])
    wait_until(lambda: pipe.aggregator.metric("till_aggregator_edge_reports_unreadable_total") == 4, "what is no report to be counted", every=0.1)
    assert set(bridges_of(pipe)) == {name_of(used), name_of(other)}
    other.stop()
    wait_until(lambda: bridges_of(pipe)[name_of(other)]["state"] == "stopped", "the word of a bridge that stopped in order", every=0.1)
    assert pipe.client.ask("status")["problems"] == []
