"""`till export` when things go wrong: killed in the middle, a full disk, an aggregator that is away or becomes another."""
import contextlib
import json
import threading
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet
import pytest
from between_pages import BetweenPages
from export_rig import Exporting, till_export
from harness import DEADLINE, Client, Sender, wait_until
from small_disk import Ballast, needs_root, small_disk

PRODUCTS = 40


def lines(first, count=PRODUCTS):
    return [{"order_id": f"o{number}", "product_id": f"p{number % PRODUCTS:02}", "quantity": 1, "unit_price": "0.35", "currency": "EUR",
             "ts": 1_291_193_160_000 + number} for number in range(first, first + count)]


class Shop:
    """A pipeline, and how often each product was sold in it."""

    def __init__(self, pipe):
        self.pipe, self.sold = pipe, 0
        pipe.start_aggregator()
        self.sell()

    @property
    def at(self):
        return self.pipe.aggregator.ready["listen"][0]

    def sell(self):
        """One more of each product."""
        sender = Sender(self.pipe.endpoint("store-1"))
        assert sender.ask(lines(self.sold * PRODUCTS))["ok"]
        sender.close()
        self.sold += 1
        self.pipe.wait_settled()

    def csv(self, times=None):
        """The file that is to be there when each product was sold so often."""
        count = times or self.sold
        rows = [f"p{number:02},EUR,{count},{count},{Decimal('0.35') * count:.2f}" for number in range(PRODUCTS)]
        return "\r\n".join(["product_id,currency,order_count,total_quantity,total_revenue", *rows, ""])


@pytest.fixture
def shop(pipeline):
    return Shop(pipeline())


@pytest.fixture
def between(shop):
    made = BetweenPages(shop.at, page_rows=7)
    yield made
    made.close()


def text_of(path):
    return Path(path).read_bytes().decode()


def names_in(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def hidden(folder):
    return [name for name in names_in(folder) if name.startswith(".")]


class Held:
    """Page 3 of a scan stays away until it is released."""

    def __init__(self, between):
        self.reached, self.released, self.between = threading.Event(), threading.Event(), between
        between.pages, between.before_page = 0, self.before_page

    def before_page(self, number):
        if number == 3:
            self.reached.set()
            self.released.wait(DEADLINE)

    def wait(self):
        assert self.reached.wait(DEADLINE), "page 3 was never asked for"

    def release(self):
        self.released.set()
        self.between.before_page = lambda _: None


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_kill_in_the_middle_of_writing_leaves_the_old_file_whole(shop, between, tmp_path, form):
    folder, path = tmp_path / "out", tmp_path / "out" / f"products.{form}"
    assert till_export("--view", "products", "--to", path, at=shop.at).returncode == 0
    before, names = path.read_bytes(), names_in(folder)
    shop.sell()
    held = Held(between)
    exporting = Exporting(tmp_path / "log", "--view", "products", "--to", path, "--timeout", "1min", at=between.endpoint)
    held.wait()
    assert len(hidden(folder)) == 1, "it writes beside the file"
    assert till_export("--view", "users", "--to", folder, at=shop.at).returncode == 0
    assert len(hidden(folder)) == 1, "what another one is writing is no left over"
    exporting.kill()
    held.release()
    assert path.read_bytes() == before
    done = till_export("--view", "products", "--to", path, at=shop.at)
    assert done.returncode == 0, done.stderr
    assert "was left by a run that was killed: removed" in done.stderr
    assert names_in(folder) == sorted([*names, "users.csv", "users.csv.as_of.json"])
    if form == "csv":
        assert text_of(path) == shop.csv()
    else:
        assert set(pyarrow.parquet.read_table(path).column("total_revenue").to_pylist()) == {Decimal("0.70")}


def test_a_kill_in_the_middle_of_a_snapshot_leaves_the_latest_one_whole(shop, between, tmp_path):
    folder = tmp_path / "out"
    arguments = ("--view", "products", "--view", "users", "--to", folder, "--snapshots")
    assert till_export(*arguments, at=shop.at).returncode == 0
    first = (folder / "latest").readlink()
    shop.sell()
    held = Held(between)
    exporting = Exporting(tmp_path / "log", *arguments, "--timeout", "1min", at=between.endpoint)
    held.wait()
    exporting.kill()
    held.release()
    assert (folder / "latest").readlink() == first
    assert text_of(folder / "latest" / "products.csv") == shop.csv(1)
    assert len(hidden(folder)) == 1
    done = till_export(*arguments, at=shop.at)
    assert done.returncode == 0, done.stderr
    assert "was left by a run that was killed: removed" in done.stderr
    assert hidden(folder) == []
    assert text_of(folder / "latest" / "products.csv") == shop.csv(2)
    assert text_of(folder / first / "products.csv") == shop.csv(1), "the snapshot before is still there"


@needs_root
def test_a_full_disk_leaves_the_old_file_whole_and_is_said(shop, tmp_path):
    with small_disk("tmpfs", tmp_path / "disk", 4) as disk:
        path = disk / "products.csv"
        assert till_export("--view", "products", "--to", path, at=shop.at).returncode == 0
        shop.sell()
        ballast = Ballast(disk)
        ballast.fill()
        names = names_in(disk)
        for form in ("csv", "parquet"):
            done = till_export("--view", "products", "--to", path, "--format", form, at=shop.at)
            assert done.returncode == 1
            assert "No space left on device" in done.stderr
            assert str(path) in done.stderr
            assert done.stderr.count("\n") == 1, done.stderr
        assert text_of(path) == shop.csv(1)
        assert names_in(disk) == names, "nothing is left beside it"
        done = till_export("--view", "products", "--to", disk, "--snapshots", at=shop.at)
        assert (done.returncode, names_in(disk)) == (1, names)
        ballast.drop()
        assert till_export("--view", "products", "--to", path, at=shop.at).returncode == 0
        assert text_of(path) == shop.csv(2)


def test_rounds_go_on_when_the_aggregator_is_back_and_over_a_rebuild(shop, tmp_path):
    path, pipe = tmp_path / "out" / "products.csv", shop.pipe
    exporting = Exporting(tmp_path / "log", "--view", "products", "--to", path, "--every", "100ms", "--timeout", "500ms", at=shop.at)
    with contextlib.closing(exporting):
        exporting.wait_said("40 rows")
        store = json.loads(text_of(f"{path}.as_of.json"))["last"]["store"]
        pipe.aggregator.stop()
        exporting.wait_said("did not answer")
        assert text_of(path) == shop.csv(1), "what was there stays there"
        pipe.aggregator.args.append("--rebuild")
        pipe.aggregator.start()
        pipe.client = Client(shop.at)
        wait_until(lambda: pipe.client.ask("status").get("as_of", {}).get("store", store) != store, "the rebuilt store")
        shop.sell()
        wait_until(lambda: text_of(path) == shop.csv(2), "a round after the rebuild")
        wait_until(lambda: json.loads(text_of(f"{path}.as_of.json"))["last"]["store"] != store, "the new store beside the file")
        assert exporting.stop() == 0, exporting.said()
        pipe.aggregator.stop()
    alone = till_export("--view", "products", "--to", path, "--timeout", "200ms", at=shop.at)
    assert alone.returncode == 3
    assert text_of(path) == shop.csv(2)


def test_rows_of_two_stores_are_never_one_file(shop, between, tmp_path):
    def other_store(number, answer):
        if number == 2:
            answer["as_of"] = {**answer["as_of"], "store": "another"}
    between.change = other_store
    done = till_export("--view", "products", "--to", tmp_path / "x.csv", at=between.endpoint)
    assert done.returncode == 0, done.stderr
    assert "reading anew" in done.stderr
    assert between.pages > 6, "all pages came again"
    assert text_of(tmp_path / "x.csv") == shop.csv()


def test_who_is_stopped_in_the_middle_leaves_nothing(between, tmp_path):
    held = Held(between)
    exporting = Exporting(tmp_path / "log", "--view", "products", "--to", tmp_path / "out" / "x.csv", "--timeout", "1min",
                          at=between.endpoint)
    held.wait()
    exporting.process.terminate()
    held.release()
    assert exporting.process.wait(DEADLINE) == 1
    assert "nothing was written" in exporting.said()
    assert names_in(tmp_path / "out") == []


def test_who_is_told_to_come_later_comes_later(between, tmp_path, shop):
    def busy_once(number, answer):
        if number in (1, 3):
            answer.clear()
            answer.update(ok=False, error={"code": "busy", "message": "too much at once", "retry_after_ms": 30})
    between.change = busy_once
    done = till_export("--view", "products", "--to", tmp_path / "x.csv", at=between.endpoint)
    assert done.returncode == 0, done.stderr
    assert text_of(tmp_path / "x.csv") == shop.csv()


def test_snapshots_are_kept_in_number_and_latest_is_the_last(shop, tmp_path):
    folder = tmp_path / "out"
    (folder / "mine").mkdir(parents=True)
    exporting = Exporting(tmp_path / "log", "--view", "products", "--to", folder, "--snapshots", "--keep", "2", "--every", "50ms",
                          at=shop.at)
    with contextlib.closing(exporting):
        exporting.wait_said("40 rows", times=5)
        assert exporting.stop() == 0
    snapshots = sorted(path.name for path in folder.iterdir() if "commit" in path.name)
    assert len(snapshots) == 2
    assert str((folder / "latest").readlink()) == snapshots[-1]
    assert names_in(folder) == sorted([*snapshots, "latest", "mine"]), "other folders are none of its business"
    for name in ("latest", snapshots[0]):
        assert text_of(folder / name / "products.csv") == shop.csv()
        assert json.loads(text_of(folder / name / "products.csv.as_of.json"))["file"] == "products.csv"
