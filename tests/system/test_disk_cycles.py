"""Disks fill, drain and fill again: never wedged, nothing lost, and no person's hand. bench/long_os.py does hundreds of cycles."""
import pytest
from disk_cycles import AggregatorCycles, EdgeCycles
from harness import Program, free_port, wait_until
from small_disk import KINDS, needs_root, small_disk
from tills import assert_told_is_counted

pytestmark = [pytest.mark.plain_only, needs_root]
EDGE_CYCLES, AGGREGATOR_CYCLES = 7, 3  # of each kind of disk


def edge_on(pipe, disk):
    pipe.edges["store-1"] = Program("till-edge", [
        "-o", "edge.id=store-1", "-o", f"edge.data={disk}/spool", "-o", f"edge.listen=tcp://127.0.0.1:{free_port()}",
        "-o", f"edge.bridges={pipe.bridge_endpoints()}", "-o", "http.listen=127.0.0.1:0"], pipe.folder / "edge.log")


@pytest.mark.parametrize("kind", KINDS)
def test_an_edges_disk_fills_and_drains_again_and_again(pipeline, tmp_path, kind):
    pipe = pipeline(edges=())
    pipe.start_aggregator()
    with small_disk(kind, tmp_path / "disk", 8 if kind == "tmpfs" else 16) as disk:
        edge_on(pipe, disk)
        cycles = EdgeCycles(pipe, "store-1")
        for _ in range(EDGE_CYCLES):
            cycles.cycle()
        assert cycles.refused == EDGE_CYCLES
        assert_told_is_counted(pipe, [cycles.till])
        pipe.edges["store-1"].kill()


@pytest.mark.parametrize("kind", KINDS)
def test_an_aggregators_disk_is_full_and_it_recovers_by_itself(pipeline, tmp_path, kind):
    with small_disk(kind, tmp_path / "disk", 16) as disk:
        (disk / "store").mkdir()
        pipe = pipeline(options={"till-aggregator": [f"aggregator.data={disk}/store"]})
        pipe.start_aggregator()
        cycles = AggregatorCycles(pipe, "store-1", disk)
        for _ in range(AGGREGATOR_CYCLES):
            cycles.cycle()
        assert_told_is_counted(pipe, [cycles.till])
        pipe.aggregator.kill()


def test_an_aggregator_without_room_pauses_reading_and_answers(pipeline, tmp_path):
    """A small overlay: once it is full no more is read from Kafka, and lag says so."""
    with small_disk("tmpfs", tmp_path / "disk", 16) as disk:
        (disk / "store").mkdir()
        pipe = pipeline(options={"till-aggregator": [f"aggregator.data={disk}/store", "aggregator.overlay_size=1MiB"]})
        pipe.start_aggregator()
        cycles = AggregatorCycles(pipe, "store-1", disk)
        cycles.sell_to_new_users()
        wait_until(lambda: cycles.counted() == cycles.till.told, "the first orders")
        assert 1024 * 1024 < pipe.client.ask("status")["disk_room"] <= 16 * 1024 * 1024
        cycles.ballast.fill()
        assert pipe.client.ask("status")["disk_room"] < 1024 * 1024
        assert pipe.aggregator.metric("till_aggregator_disk_room_bytes") < 1024 * 1024
        for _ in range(40):
            cycles.sell_to_new_users()
        wait_until(lambda: pipe.aggregator.metric("till_aggregator_lag_records") > 0 and cycles.is_full(), "a pause")
        assert 0 < cycles.counted() < cycles.till.told, "answers go on"
        told = cycles.till.told
        for _ in range(10):
            cycles.sell_to_new_users()
        wait_until(lambda: pipe.aggregator.metric("till_aggregator_lag_records") >= cycles.till.told - told, "all of them unread")
        cycles.ballast.drop()
        assert_told_is_counted(pipe, [cycles.till])
        pipe.aggregator.kill()
