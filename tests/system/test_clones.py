"""Copies of what was running: an image of memory that is resumed, spools and stores that are put back."""
import shutil
import subprocess
from decimal import Decimal

import pytest
from harness import Client, sum_metric, wait_until
from scripted_edge import ScriptedEdge
from tills import Till, assert_told_is_counted

RUN = 4711


def counted(pipe):
    return {row["product_id"]: row["order_count"] for row in pipe.client.rows("scan", view="products")}


def test_a_resumed_memory_image_is_an_alarm_and_its_sales_are_set_aside(pipeline):
    """The same edge and run, the same numbers, other sales: what the first image sold is counted, the rest is named."""
    pipe = pipeline(edges=())
    bridge = pipe.bridges[0].ready["listen"][0]
    pipe.start_aggregator()
    first = ScriptedEdge(bridge, "store-1", RUN, 1)
    first.send(range(1, 21), "tea")
    first.close()
    pipe.wait_applied()
    resumed = ScriptedEdge(bridge, "store-1", RUN, 2)
    resumed.send(range(11, 31), "salt")
    resumed.send(range(1, 6), "tea")  # what it had sent before: the same bytes
    resumed.close()
    pipe.wait_applied()
    assert counted(pipe) == {"tea": 20, "salt": 10}
    values = pipe.aggregator.metrics()
    assert values["till_aggregator_certificate_conflicts_total"] == 10
    assert values["till_aggregator_duplicates_uncompared_total"] == 0
    assert pipe.books("duplicates") == 5 and pipe.books("unreadable") == 10
    assert pipe.books("read") == 45
    words = f"certificate_conflict: stream store-1/{RUN}/order"
    assert words in pipe.aggregator.http("/readyz")[1]
    assert "certificate_conflict" in pipe.aggregator.log_text() and "seq=11 " in pipe.aggregator.log_text()
    pipe.aggregator.restart()
    assert words in wait_until(lambda: (answer := pipe.aggregator.http("/readyz"))[0] == 200 and answer[1], "ready again")


@pytest.mark.plain_only
def test_an_edge_put_back_from_a_copy_sends_again_and_nothing_counts_twice(pipeline, tmp_path):
    """Twice: from a copy of the stopped edge, and beside the one that it was copied from, as a clone."""
    pipe = pipeline(options={"till-edge": ["edge.drain=0s"]})
    pipe.start_aggregator()
    edge, till = pipe.edges["store-1"], Till(pipe, "store-1")
    data = pipe.folder / "edge-store_1"
    till.sell(20)
    pipe.wait_drained()
    pipe.bridges[0].kill()
    till.sell(20)  # these lie in the spool when it is copied
    assert edge.stop() == 0
    shutil.copytree(data, tmp_path / "copy")
    edge.start()
    pipe.bridges[0].start()
    pipe.wait_drained()
    assert edge.stop() == 0
    shutil.rmtree(data)
    shutil.copytree(tmp_path / "copy", data)
    edge.start()
    till.sell(20)
    clone = pipe.start_edge("clone")
    clone.stop()
    clone.args = ["edge.id=store-1" if arg == "edge.id=clone" else arg for arg in clone.args]
    shutil.rmtree(pipe.folder / "edge-clone")
    shutil.copytree(tmp_path / "copy", pipe.folder / "edge-clone")
    clone.start()
    till.sell(20)
    assert_told_is_counted(pipe, [till])
    assert pipe.books("duplicates") == 40, "each copy sent its 20 once more"
    till.close()


@pytest.mark.plain_only
def test_an_aggregator_put_back_from_a_backup_ends_with_the_same_totals(pipeline, tmp_path):
    """mdb_copy of the running store, as OPERATIONS.md, section 10, says."""
    if shutil.which("mdb_copy") is None:
        pytest.skip("mdb_copy (lmdb-utils) is not installed")
    pipe = pipeline()
    pipe.start_aggregator()
    till = Till(pipe, "store-1")
    store = pipe.folder / "store"
    till.sell(50)
    pipe.wait_settled()
    wait_until(lambda: sum_metric(pipe.aggregator.metrics(), "till_aggregator_uncommitted_events") == 0, "a store to copy")
    shard = next(path.parent for path in store.rglob("data.mdb"))
    backup = tmp_path / "backup"
    backup.mkdir()
    till.sell(50)  # some of this may be in the copy, some not
    subprocess.run(["mdb_copy", shard, backup], check=True)
    till.sell(50)
    pipe.wait_settled()
    before = pipe.client.scan("products")
    assert sum(Decimal(row["total_revenue"]) for row in before) == till.revenue
    pipe.aggregator.kill()
    shutil.rmtree(shard)
    shutil.copytree(backup, shard)
    pipe.aggregator.start()
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    assert_told_is_counted(pipe, [till])
    assert pipe.client.scan("products") == before
    till.close()
