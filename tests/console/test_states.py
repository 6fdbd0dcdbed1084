"""What the console says when something is not in order, each made to happen: Kafka away, records that nobody may read yet, a full
disk, a damaged store, one that is counted anew, an aggregator that fell silent, a tab that nobody looks at."""
import contextlib
import os

import pytest
from harness import Pipeline, Sender, free_port, wait_until
from relay import Relay
from small_disk import Ballast, needs_root, small_disk
from web_client import lone_aggregator

STORE = "corner shop"
LATER_MS = 7000  # than which the server says something again
LEFT_MS = 61000  # a tab that nobody looks at for so long needs no answers
REFUSED = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "ERR_CONNECTION_RESET", "status of 503", "status of 500")


class Shop:
    """A pipeline of one partition whose store lies on a disk of its own."""

    def __init__(self, folder, disk, bootstrap, prefix):
        self.disk, self.sold = disk, 0
        self.pipe = Pipeline(folder, bootstrap, prefix, edges=(STORE,), partitions=1, options={"till-aggregator": (
            f"aggregator.data={disk}/store", f"http.listen=127.0.0.1:{free_port()}")})
        (disk / "store").mkdir()
        self.pipe.start_aggregator()
        self.address = f"http://{self.pipe.aggregator.ready['http']}"
        self.sender = Sender(self.pipe.endpoint(STORE))
        self.sell(10)
        self.pipe.wait_settled()

    def sell(self, count=1):
        """Each to another user: the store grows."""
        assert self.sender.ask([{"order_id": f"o{self.sold + number}", "product_id": "needle-in-the-store", "quantity": 1, "unit_price": "1.00",
                                 "currency": "GBP", "user_id": f"u{self.sold + number}"} for number in range(count)])["ok"]
        self.sold += count

    def stop(self):
        self.sender.close()
        self.pipe.stop()


@pytest.fixture(scope="module")
def shop(broker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("states")
    with small_disk("tmpfs", folder / "disk", 16) as disk:
        made = Shop(folder, disk, broker.bootstrap, f"s{os.getpid()}-")
        yield made
        made.stop()


@pytest.fixture
def at(browser):
    """at(address, place): a page, which may complain of nothing but a server that is away."""
    with contextlib.ExitStack() as stack:

        def go(address, place="sales", **settings):
            made = browser.open(address, **settings)
            stack.callback(made.close)
            made.page.goto(f"{address}/#/{place}")
            return made

        yield go


@pytest.fixture
def empty(tmp_path):
    """Its Kafka is nowhere, and it has counted nothing."""
    made = lone_aggregator(tmp_path)
    yield f"http://{made.ready['http']}"
    made.kill()


@pytest.mark.parametrize("place, words", [
    ("sales", "Nothing has been counted yet"), ("stores", "No edge has been heard of"), ("pipeline", "No partition is read yet"),
    ("topics", "Kafka was not reached since the aggregator started"), ("explore", "No row meets this")])
def test_nothing_counted_and_no_kafka(at, empty, place, words):
    page = at(empty, place)
    page.wait_text("main", words)
    page.wait_text("#link", "Without Kafka")
    page.wait_text("#fresh", "lag unknown")
    assert page.axe() == [] and page.errors == []


def test_records_that_may_not_be_read_yet(at, shop, admin):
    page = at(shop.address)
    page.wait_text("#link", "Live")
    topic = f"{shop.pipe.prefix}orders"
    admin.open_transaction(name=shop.pipe.prefix, topic=topic, partition=0)
    try:
        shop.sell()
        page.wait_text("#link", "Catching up")
        page.wait_text("#fresh", "to read")
        page.wait_text("#problems", f"{topic}/0 stands at")
        assert page.axe() == []
    finally:
        admin.end_transaction(name=shop.pipe.prefix)
    page.wait_figure("revenue", f"{shop.sold}.00")
    page.wait_text("#link", "Live")
    page.page.locator("#problems").wait_for(state="hidden")
    assert page.errors == []


@needs_root
def test_a_full_disk(at, shop):
    page = at(shop.address)
    page.wait_text("#link", "Live")
    ballast = Ballast(shop.disk)
    ballast.fill()
    try:
        for _ in range(20):
            shop.sell(500)
        page.wait_text("#link", "Disk full")
        page.wait_text("#problems", "reading pauses, answers go on")
        page.wait_figure("revenue", f"{shop.sold}.00")
        assert page.axe() == []
    finally:
        ballast.drop()
    page.wait_text("#link", "Live")
    assert page.errors == []


def test_a_damaged_store_and_one_that_is_counted_anew(at, shop):
    page = at(shop.address)
    page.wait_figure("revenue", f"{shop.sold}.00")
    aggregator = shop.pipe.aggregator
    aggregator.stop()
    page.wait_text("#link", "Disconnected")
    data = shop.disk / "store" / "data.mdb"
    spoil(data if data.exists() else next((shop.disk / "store").rglob("data.mdb")), b"needle-in-the-store")
    aggregator.start()
    page.wait_text("#link", "Broken")
    page.wait_text("#problems", "corrupt: view")
    page.wait_text('[data-panel="products"] .state', "a row of view products in the store is corrupt")
    aggregator.kill()
    page.wait_text("#link", "Disconnected")
    aggregator.args.append("--rebuild")
    aggregator.start()
    page.wait_text("#link", "Live")
    page.wait_figure("revenue", f"{shop.sold}.00")
    page.page.locator("#problems").wait_for(state="hidden")
    aggregator.args.remove("--rebuild")
    assert all(any(each in error for each in REFUSED) for error in page.errors), page.errors


def spoil(path, name):
    """A bit of each row under this name, behind its key."""
    data = bytearray(path.read_bytes())
    at = data.find(name)
    assert at >= 0
    while at >= 0:
        data[at + 30] ^= 1
        at = data.find(name, at + 1)
    path.write_bytes(data)


def test_a_network_that_passes_nothing_and_one_that_is_cut(at, console):
    host, port = console.pipe.aggregator.ready["http"].rsplit(":", 1)
    relay = Relay((host, int(port)))
    try:
        page = at(f"http://{relay.address}")
        page.wait_text("#link", "Live")
        page.page.clock.install()
        page.page.reload()
        page.wait_text("#link", "Live")
        relay.freeze()
        page.page.clock.run_for(LATER_MS)
        page.wait_text("#link", "fell silent")
        relay.thaw()
        page.page.clock.run_for(LATER_MS)
        page.wait_text("#link", "Live")
        assert page.errors == []
        relay.cut()
        page.wait_text("#link", "Disconnected")
        console.sell(unit_price="3.00")
        relay.restore()
        page.wait_figure("revenue", f"{console.revenue():.2f}")
        page.wait_text("#link", "Live")
        assert all(any(each in error for each in REFUSED) for error in page.errors), page.errors
    finally:
        relay.cut()


def test_a_tab_that_nobody_looks_at(at, console):
    lookers = console.pipe.aggregator.metric("till_aggregator_sse_clients")
    page = at(console.address)
    page.page.clock.install()
    page.page.reload()
    page.wait_figure("revenue", f"{console.revenue():.2f}")
    hide(page, True)
    page.page.clock.run_for(LEFT_MS)
    wait_until(lambda: console.pipe.aggregator.metric("till_aggregator_sse_clients") == lookers, "that its stream is closed")
    console.sell(unit_price="4.00")
    hide(page, False)
    page.wait_figure("revenue", f"{console.revenue():.2f}")
    page.wait_text("#link", "Live")
    assert page.errors == []


def hide(page, is_hidden):
    page.page.evaluate("""hidden => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event("visibilitychange"));
    }""", is_hidden)
