"""What an edge does with a backlog: new sales first, the backlog within its rate, and nothing lost or counted twice."""
import pytest
from harness import Pipeline, Program, Sender, free_port, sum_metric, till, wait_until
from test_kill import assert_books_add_up
from test_spine import order

BACKLOG = 3000  # orders: some 450 kB of events


@pytest.fixture
def pipe(tmp_path):
    devbroker = Program("till-devbroker", ["-o", "devbroker.topics=orders,cart_events,page_views"], tmp_path / "devbroker.log")
    pipe = Pipeline(tmp_path, devbroker.ready["bootstrap"], "", edges=(),
                    options={"till-edge": ["edge.drain_rate=48KiB", "edge.drain=0ms"]})
    pipe.start_aggregator()
    yield pipe
    pipe.stop()
    devbroker.kill()


def sell(sender, product, count, frame=10):
    for first in range(0, count, frame):
        reply = sender.ask([order(f"{product}-{first + n}", product_id=product) for n in range(frame)])
        assert reply["accepted"] == frame, reply


def counted(pipe, product):
    rows = pipe.client.rows("get", view="products", key=[product, "XXX"])
    return rows[0]["order_count"] if rows and rows[0] else 0


def restart(pipe, *options):
    """As after a power failure: all that lies on disk is a backlog."""
    edge = pipe.edges["store-1"]
    edge.kill()
    set_before = [arg for arg in edge.args if arg != "-o" and not arg.startswith("edge.bridges=")]
    edge.args = [arg for option in (*set_before, f"edge.bridges={pipe.bridge_endpoints()}", *options) for arg in ("-o", option)]
    edge.start()
    return edge


def backlog_of(edge):
    return sum_metric(edge.metrics(), "till_edge_backlog_events")


def sell_into_backlog(pipe, product, rounds):
    """Each sale is in the totals while older ones still wait."""
    edge = pipe.edges["store-1"]
    sender = Sender(edge.ready["listen"][0])
    for number in range(1, rounds + 1):
        sell(sender, product, 10)
        wait_until(lambda number=number: counted(pipe, product) == 10 * number, "the new sales in the totals")
    assert backlog_of(edge) > 0, "the backlog was gone before the new sales came"
    sender.close()


def test_new_sales_arrive_while_a_backlog_drains(pipe):
    edge = pipe.start_edge("store-1", bridges=f"tcp://127.0.0.1:{free_port()}")
    sender = Sender(edge.ready["listen"][0])
    sell(sender, "yesterday", BACKLOG)
    edge = restart(pipe)
    assert backlog_of(edge) > BACKLOG / 2
    wait_until(lambda: counted(pipe, "yesterday") > 0, "a first part of the backlog")
    sell_into_backlog(pipe, "today", 5)
    wait_until(lambda: sum_metric(edge.metrics(), "till_edge_spool_events") < BACKLOG, "a part of it deleted")
    assert counted(pipe, "yesterday") < BACKLOG
    edge = restart(pipe)  # with a half-drained backlog
    assert 0 < backlog_of(edge) < BACKLOG
    sell_into_backlog(pipe, "tomorrow", 3)
    pipe.wait_settled()
    values = edge.metrics()
    assert sum_metric(values, "till_edge_backlog_events") == 0
    assert values["till_edge_oldest_spooled_seconds"] == 0
    assert [counted(pipe, product) for product in ("yesterday", "today", "tomorrow")] == [BACKLOG, 50, 30]
    assert_books_add_up(pipe)


def test_without_live_first_new_sales_wait_for_the_backlog(pipe):
    edge = pipe.start_edge("store-1", bridges=f"tcp://127.0.0.1:{free_port()}")
    sell(Sender(edge.ready["listen"][0]), "yesterday", BACKLOG // 5)
    edge = restart(pipe, "edge.live_first=no")
    sell(Sender(edge.ready["listen"][0]), "today", 10)
    wait_until(lambda: counted(pipe, "today") > 0, "the new sales in the totals")
    assert counted(pipe, "yesterday") == BACKLOG // 5
    pipe.wait_settled()
    assert_books_add_up(pipe)


def file_bytes(edge):
    return edge.metrics()["till_edge_spool_file_bytes"]


def test_a_drained_spool_gives_its_room_back_to_the_disk(tmp_path):
    devbroker = Program("till-devbroker", ["-o", "devbroker.topics=orders,cart_events,page_views"], tmp_path / "devbroker.log")
    pipe = Pipeline(tmp_path, devbroker.ready["bootstrap"], "", edges=())
    try:
        edge = pipe.start_edge("store-1", bridges=f"tcp://127.0.0.1:{free_port()}")
        sender = Sender(edge.ready["listen"][0])
        for number in range(200):
            reply = sender.ask([order(f"{number}-{n}", note="x" * 20000) for n in range(20)])
            assert reply["accepted"] == 20, reply
        full = wait_until(lambda: file_bytes(edge) > 70e6 and file_bytes(edge), "a large file")
        edge = restart(pipe)
        pipe.wait_drained()
        wait_until(lambda: edge.metrics()["till_edge_spool_compactions_total"] == 1, "the file made small")
        assert file_bytes(edge) < full / 64
        assert (tmp_path / "edge-store_1" / "data.mdb").stat().st_size < full / 64
        assert till("verify", "spool", tmp_path / "edge-store_1").returncode == 0  # beside the running edge
        sender = Sender(edge.ready["listen"][0])
        reply = sender.ask([order("after")])
        assert reply["accepted"] == 1
        edge.kill()
        edge.start()
        pipe.wait_drained()
        assert edge.metrics()["till_edge_spool_compactions_failed_total"] == 0
    finally:
        pipe.stop()
        devbroker.kill()
