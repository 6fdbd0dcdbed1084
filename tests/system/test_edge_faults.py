"""The edge's disk: full, corrupt, foreign, cloned. Refused with a clear word, never lost in silence."""
import os
import shutil
import subprocess

import msgpack
import pytest
import zmq
from harness import CONTEXT, DEADLINE, Program, Sender, free_port, sum_metric, till, wait_until
from test_kill import assert_books_add_up
from test_spine import order

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system: needs root")


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def lone_edge(folder, data, *options, **more):
    """An edge whose bridge does not exist."""
    return Program("till-edge", [
        "-o", "edge.id=store-1", "-o", f"edge.data={data}", "-o", f"edge.listen=tcp://127.0.0.1:{free_port()}",
        "-o", f"edge.bridges=tcp://127.0.0.1:{free_port()}", "-o", "http.listen=127.0.0.1:0",
        *[arg for option in options for arg in ("-o", option)]], folder / "edge.log", **more)


def fill(sender, size=20000, most=3000):
    """Sends until the edge pushes back; returns (accepted, the refusal)."""
    accepted = 0
    for number in range(most):
        reply = sender.ask([order(number, note="x" * size)])
        if not reply["ok"]:
            return accepted, reply
        accepted += 1
    raise AssertionError("the spool never filled")


@needs_root
def test_a_full_disk_pushes_back_and_takes_up_work_again(pipeline, small_disk, tmp_path):
    pipe = pipeline(edges=())
    pipe.start_aggregator()
    edge = lone_edge(tmp_path, small_disk)
    sender = Sender(edge.ready["listen"][0])
    accepted, refusal = fill(sender)
    assert accepted > 50
    assert refusal["error"]["code"] == "spool_full" and refusal["error"]["retry_after_ms"] > 0, refusal
    assert edge.running(), edge.log_tail()
    edge.kill()
    edge.args = [arg.replace(edge.args[7].split("=", 1)[1], pipe.bridge_endpoints()) if "edge.bridges" in arg else arg
                 for arg in edge.args]
    edge.start()
    pipe.edges["store-1"] = edge
    pipe.wait_settled()
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == accepted
    assert Sender(edge.ready["listen"][0]).ask([order(9999)])["ok"], "space came back"
    pipe.wait_settled()
    assert_books_add_up(pipe)


def test_a_full_quota_pushes_back_and_other_lanes_have_their_share(tmp_path):
    edge = lone_edge(tmp_path, tmp_path / "spool", "edge.spool_max=4MiB")
    sender = Sender(edge.ready["listen"][0])
    view = {"kind": "view", "page": "x" * 1000}
    refused = None
    for _ in range(2000):
        reply = sender.ask([view] * 10)
        if not reply["ok"]:
            refused = reply
            break
    assert refused and refused["error"]["code"] == "spool_full", "views end at their own share"
    accepted, _ = fill(sender)
    assert accepted > 20, "orders still had room"
    values = edge.metrics()
    assert sum_metric(values, "till_edge_events_refused_total") >= 2
    assert edge.stop() == 0


def test_a_second_live_run_of_one_edge_id_raises_the_alarm_and_loses_nothing(pipeline, tmp_path):
    pipe = pipeline()
    pipe.start_aggregator()
    assert Sender(pipe.endpoint("store-1")).ask([order(1)])["ok"]
    pipe.wait_settled()
    twin = Program("till-edge", [
        "-o", "edge.id=store-1", "-o", f"edge.data={tmp_path}/twin", "-o", f"edge.listen=tcp://127.0.0.1:{free_port()}",
        "-o", f"edge.bridges={pipe.bridge_endpoints()}", "-o", "http.listen=127.0.0.1:0"], tmp_path / "twin.log")
    try:
        assert Sender(twin.ready["listen"][0]).ask([order(2)])["ok"]
        assert Sender(pipe.endpoint("store-1")).ask([order(3)])["ok"]
        wait_until(lambda: pipe.bridges[0].metric("till_bridge_edge_id_conflicts_total") >= 1, "the alarm")
        assert pipe.bridges[0].metric("till_edge_id_conflict") == 2, "both runs of the one edge"
        wait_until(lambda: twin.metric("till_edge_spool_events") == 0, "the twin's event delivered")
        pipe.wait_settled()
        assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 3
    finally:
        twin.kill()


def test_an_edge_whose_run_another_process_takes_over_begins_a_new_one(pipeline):
    """A machine that was cloned while it ran: both would give the same certificates."""
    pipe = pipeline()
    pipe.start_aggregator()
    edge, sender = pipe.edges["store-1"], Sender(pipe.endpoint("store-1"))
    before = sender.ask([order(1)])
    wait_until(lambda: edge.metric("till_edge_bridge_connected") == 1, "a session")
    clone = CONTEXT.socket(zmq.DEALER)
    clone.setsockopt(zmq.LINGER, 0)
    clone.connect(pipe.bridges[0].ready["listen"][0])
    clone.send(msgpack.packb([1, 1, "store-1", before["run"], 4711, "till-edge clone"]))  # HELLO: PROTOCOL.md, 4
    assert clone.poll(10000) and msgpack.unpackb(clone.recv())[0] == 2, "WELCOME"
    wait_until(lambda: edge.metric("till_edge_id_conflicts_total") >= 1, "the alarm")
    after = wait_until(lambda: (reply := sender.ask([order(2)]))["run"] != before["run"] and reply, "a new run")
    assert after["seq"]["order"] == [1, 1]
    clone.send(msgpack.packb([7, 4711, 1, "bye"]))
    clone.close()
    pipe.wait_settled()
    counted = pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"]
    assert counted == edge.metric("till_edge_events_accepted_total")


def test_two_edges_never_share_one_spool(tmp_path):
    edge = lone_edge(tmp_path, tmp_path / "spool")
    second = lone_edge(tmp_path, tmp_path / "spool", wait_ready=False)
    assert second.wait() in (1, 4)
    assert "in use" in second.log_text() or "another" in second.log_text(), second.log_tail()
    assert edge.stop() == 0


def spool_file(folder):
    return next(path for path in folder.rglob("data.mdb"))


def test_a_corrupt_block_is_set_aside_and_the_rest_is_delivered(pipeline, tmp_path):
    pipe = pipeline(edges=())
    pipe.start_aggregator()
    spool = tmp_path / "spool"
    edge = lone_edge(tmp_path, spool)
    sender = Sender(edge.ready["listen"][0])
    for number in range(20):
        assert sender.ask([order(number, note=f"needle-{number:02}")])["ok"]
    edge.kill()
    path = spool_file(spool)
    data = bytearray(path.read_bytes())
    # LMDB copies pages on write: old copies of the block may lie about too, so every copy is damaged.
    at, hits = data.find(b"needle-07"), 0
    while at >= 0:
        data[at] ^= 0x20
        hits += 1
        at = data.find(b"needle-07", at)
    assert hits
    path.write_bytes(data)
    shown = till("verify", "spool", spool)
    assert shown.returncode == 1 and "corrupt" in (shown.stdout + shown.stderr), shown
    edge.args = [f"edge.bridges={pipe.bridge_endpoints()}" if "edge.bridges" in arg else arg for arg in edge.args]
    edge.start()
    pipe.edges["store-1"] = edge
    pipe.wait_settled()
    values = edge.metrics()
    corrupt = sum_metric(values, "till_edge_spool_corrupt_events_total")
    assert sum_metric(values, "till_edge_spool_corrupt_blocks_total") >= 1 and corrupt >= 1
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 20 - corrupt
    assert_books_add_up(pipe)


@pytest.mark.parametrize("content", [b"not a database" * 1000, os.urandom(65536), b""], ids=["text", "noise", "empty"])
def test_a_foreign_spool_file_is_refused_clearly(tmp_path, content):
    edge = lone_edge(tmp_path, tmp_path / "spool")
    edge.stop()
    path = spool_file(tmp_path / "spool")
    path.write_bytes(content)
    edge.start(wait_ready=False)
    if content:
        assert edge.wait(DEADLINE) == 4, edge.log_tail()
        assert str(path.parent) in edge.log_text()
        assert path.read_bytes() == content, "the foreign file is left as it is"
    else:
        edge.wait_ready()  # an empty file is a new spool
        edge.stop()


def test_a_spool_cut_short_is_refused_or_read_but_never_crashes(tmp_path):
    edge = lone_edge(tmp_path, tmp_path / "spool")
    sender = Sender(edge.ready["listen"][0])
    for number in range(50):
        assert sender.ask([order(number, note="x" * 3000)])["ok"]
    edge.kill()
    path = spool_file(tmp_path / "spool")
    whole = path.read_bytes()
    for size in (4096, 8192, len(whole) // 2):
        path.write_bytes(whole[:size])
        edge.start(wait_ready=False)
        try:
            edge.wait_ready()
            assert edge.stop() == 0
        except AssertionError:
            assert edge.wait() == 4, edge.log_tail()


def test_a_spool_that_belongs_to_another_edge_is_refused(tmp_path):
    edge = lone_edge(tmp_path, tmp_path / "spool")
    edge.stop()
    edge.args = ["edge.id=store-2" if arg == "edge.id=store-1" else arg for arg in edge.args]
    edge.start(wait_ready=False)
    assert edge.wait() == 4 and "store-1" in edge.log_text(), edge.log_tail()


def test_an_edge_that_is_asked_to_stop_says_what_stays(tmp_path):
    edge = lone_edge(tmp_path, tmp_path / "spool", "edge.drain=1s")
    assert Sender(edge.ready["listen"][0]).ask([order(1), order(2)])["accepted"] == 2
    assert edge.stop() == 0
    assert "spool_events=2" in edge.log_text(), edge.log_tail()
    shutil.rmtree(tmp_path / "spool")


def test_not_loopback_without_keys_is_refused(tmp_path):
    edge = lone_edge(tmp_path, tmp_path / "spool", "edge.listen=tcp://0.0.0.0:0", wait_ready=False)
    assert edge.wait() == 2 and "insecure" in edge.log_text(), edge.log_tail()
    edge = lone_edge(tmp_path, tmp_path / "spool", "edge.listen=tcp://0.0.0.0:0", "security.insecure=yes")
    assert edge.stop() == 0
