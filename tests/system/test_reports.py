"""What edges report of themselves, on a real Kafka: the topic that the bridge makes for it, and what a ledger knows by it."""
import subprocess

from harness import Sender, till, wait_until
from test_spine import order


def sell(pipe, edge, count):
    """The run that numbered them."""
    sender = Sender(pipe.endpoint(edge))
    reply = sender.ask([order(number) for number in range(count)])
    sender.close()
    assert reply["ok"], reply
    return reply["run"]


def rows_of(pipe, edge):
    """{run: (numbered, counted, unread, on disk, missing)} of its orders, as the ledger has them."""
    ledger = pipe.client.ask("ledger", edge=edge, kind="order")["ledger"]
    return {row["run"]: tuple(row[name] for name in ("numbered", "counted", "unread", "on_disk", "missing_count")) for row in ledger}


def wait_rows(pipe, edge, rows):
    wait_until(lambda: rows_of(pipe, edge) == rows, f"the ledger of {edge} to have {rows}", every=0.1)


def reports_in(pipe, topic):
    """Keys of edges' records, the oldest first."""
    done = subprocess.run(["kcat", "-C", "-e", "-q", "-o", "beginning", "-b", pipe.bootstrap, "-t", topic, "-f", "%k\n"],
                          capture_output=True, text=True, timeout=60, check=True)
    return [key for key in done.stdout.splitlines() if not key.endswith("/bridge")]


def test_reports_are_kept_in_a_compacted_topic_and_read_again_by_an_aggregator_that_was_killed(pipeline, admin):
    pipe = pipeline(edges=("berlin", "paris"), options={"till-edge": ["edge.telemetry_interval=1s"]})
    topic = f"{pipe.prefix}telemetry"
    runs = {edge: sell(pipe, edge, count) for edge, count in (("berlin", 5), ("paris", 3))}
    pipe.start_aggregator()
    wait_rows(pipe, "berlin", {runs["berlin"]: (5, 5, 0, 0, 0)})
    wait_rows(pipe, "paris", {runs["paris"]: (3, 3, 0, 0, 0)})
    settings = admin.settings(topic=topic)
    assert len(admin.leaders(prefix=topic)[topic]) == 1
    assert {name: settings[name] for name in ("cleanup.policy", "message.timestamp.type", "segment.bytes")} == {
        "cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime", "segment.bytes": "67108864"}
    assert set(reports_in(pipe, topic)) == {f"{edge}/{run}" for edge, run in runs.items()}

    pipe.aggregator.kill()
    pipe.edges["berlin"].restart()  # another run, whose first report comes while nobody reads
    later = sell(pipe, "berlin", 2)
    sell(pipe, "paris", 4)
    pipe.wait_drained()
    before, wanted = len(reports_in(pipe, topic)), (f"berlin/{later}", f"paris/{runs['paris']}")
    wait_until(lambda: all(reports_in(pipe, topic)[before:].count(each) > 1 for each in wanted), "new reports of both", every=0.1)
    pipe.edges["paris"].kill()  # from now on nobody but the topic says how far it had come
    pipe.aggregator.start()
    pipe.client.connect()
    wait_rows(pipe, "berlin", {runs["berlin"]: (5, 5, 0, 0, 0), later: (2, 2, 0, 0, 0)})
    wait_rows(pipe, "paris", {runs["paris"]: (7, 7, 0, 0, 0)})
    assert {each["edge"] for each in pipe.client.ask("edges")["edges"]} == {"berlin", "paris"}
    table = till("ledger", "--at", pipe.aggregator.ready["listen"][0])
    assert table.returncode == 0 and "missing:" not in table.stdout and len(table.stdout.splitlines()) >= 4, table

    pipe.bridges[0].kill()  # what is on a disk is told by the last report that got through
    sell(pipe, "berlin", 6)
    assert rows_of(pipe, "berlin")[later] == (2, 2, 0, 0, 0)
    pipe.bridges[0].start()
    wait_rows(pipe, "berlin", {runs["berlin"]: (5, 5, 0, 0, 0), later: (8, 8, 0, 0, 0)})
    assert pipe.aggregator.metric("till_aggregator_edge_reports_unreadable_total") == 0
    wait_until(lambda: pipe.bridges[0].metric("till_bridge_telemetry_delivered_total") > 0, "the report of a report that Kafka has")
