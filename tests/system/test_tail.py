"""Files that are followed: rotated, copied, emptied, deleted, full of garbage, while the edge is killed. Each line counts once."""
import json
import os
import random
import shutil

import pytest
from harness import SANITIZED, Program, free_port, sum_metric, till, wait_until

KILLS = int(os.environ.get("TILL_KILLS", "20"))
SEED = int(os.environ.get("TILL_SEED", random.SystemRandom().randrange(1 << 32)))


class Follower:
    """An edge whose bridge does not exist: what it took can be read from its spool."""

    def __init__(self, folder, *options, edge=()):
        self.folder = folder
        self.data = folder / "spool"
        self.logs = folder / "logs"
        self.data.mkdir()
        self.logs.mkdir()
        self.edge = Program("till-edge", [
            "-o", "edge.id=store-1", "-o", f"edge.data={self.data}", "-o", f"edge.listen=tcp://127.0.0.1:{free_port()}",
            "-o", f"edge.bridges=tcp://127.0.0.1:{free_port()}", "-o", "http.listen=127.0.0.1:0",
            "-o", "source.pos.type=tail", "-o", "source.pos.settle=200ms",
            *[arg for option in options for arg in ("-o", f"source.pos.{option}")],
            *[arg for option in edge for arg in ("-o", option)]], folder / "edge.log")

    def metric(self, name):
        return sum_metric(self.edge.metrics(), name, source="pos")

    def wait_metric(self, name, value):
        wait_until(lambda: self.metric(name) == value, f"{name} = {value}; log: {self.edge.log_tail(5)}")

    def events(self, lane="order"):
        done = till("spool", "export", self.data, "--lane", lane)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def ids(self):
        return sorted(int(event["order_id"]) for event in self.events())

    def wait_ids(self, count):
        """All of 0 … count-1, each once, and nothing else."""
        wait_until(lambda: len(self.ids()) >= count, f"{count} lines; log: {self.edge.log_tail(8)}", every=0.1)
        assert self.ids() == list(range(count))


@pytest.fixture
def follower(tmp_path):
    made = []

    def make(*options, **more):
        made.append(Follower(tmp_path, *options, **more))
        return made[-1]

    yield make
    for each in made:
        each.edge.kill()


def line(number, **more):
    return json.dumps({"order_id": str(number), "product_id": "tea", "quantity": 1, "unit_price": "2.55", **more}) + "\n"


class Journal:
    """A program's file, and the logrotate beside it."""

    def __init__(self, path, chance):
        self.path = path
        self.chance = chance
        self.count = 0

    def write(self, lines):
        with open(self.path, "a", encoding="utf-8") as file:
            for _ in range(lines):
                text = line(self.count)
                cut = self.chance.randrange(1, len(text))
                for part in (text[:cut], text[cut:]):  # a line may be seen half
                    file.write(part)
                    if self.chance.random() < 0.05:
                        file.flush()
                self.count += 1

    def shift(self):
        numbers = sorted((int(each.suffix[1:]) for each in self.path.parent.glob(f"{self.path.name}.*")), reverse=True)
        for number in numbers:
            os.rename(f"{self.path}.{number}", f"{self.path}.{number + 1}")

    def rotate(self):
        if not self.path.exists():
            return
        self.shift()
        if self.chance.random() < 0.7:
            os.rename(self.path, f"{self.path}.1")
        else:
            shutil.copyfile(self.path, f"{self.path}.1")
            os.truncate(self.path, 0)


def storm(files, journal, steps):
    """Lines, rotations, and now and then a stopped edge that comes back; kills it `steps` times."""
    chance = journal.chance
    for _ in range(steps):
        for _ in range(chance.randrange(1, 6)):
            journal.write(chance.randrange(1, 200))
            if chance.random() < 0.4:
                journal.rotate()
        files.edge.kill()
        if chance.random() < 0.5:  # several rotations nobody watched
            journal.write(chance.randrange(1, 50))
            journal.rotate()
            journal.write(chance.randrange(1, 50))
            journal.rotate()
        files.edge.start()


@pytest.mark.kill
def test_each_line_counts_once_through_rotations_and_kills(follower, tmp_path):
    print(f"TILL_SEED={SEED} TILL_KILLS={KILLS}")
    files = follower(f"path={tmp_path}/logs/*.ndjson", "batch_events=97")
    journal = Journal(files.logs / "pos.ndjson", random.Random(SEED))
    storm(files, journal, KILLS)
    journal.write(1)
    files.wait_ids(journal.count)
    files.wait_metric("till_edge_tail_lag_bytes", 0)
    assert files.events("order.dlq") == []


def test_a_full_spool_makes_files_wait_and_loses_nothing(follower, tmp_path):
    files = follower(f"path={tmp_path}/logs/*.ndjson", edge=["edge.spool_max=4MiB"])
    journal = Journal(files.logs / "pos.ndjson", random.Random(1))
    journal.write(60000)
    os.rename(journal.path, f"{journal.path}.1")
    journal.write(1000)
    wait_until(lambda: len(files.ids()) > 1000, "some lines")
    kept = []

    def waits():  # two looks that show the same
        before, kept[:] = list(kept), files.ids()
        return before == kept
    wait_until(waits, "a reader that waits", every=0.3)
    assert files.metric("till_edge_tail_lag_bytes") > 0
    assert kept == list(range(len(kept))) and len(kept) < 60000
    files.edge.args += ["-o", "edge.spool_max=1GiB"]
    files.edge.restart()
    files.wait_ids(61000)


def test_a_file_is_read_on_after_it_was_rotated(follower, tmp_path):
    files = follower(f"path={tmp_path}/logs/*.ndjson")
    journal = Journal(files.logs / "pos.ndjson", random.Random(1))
    journal.write(100)
    files.wait_ids(100)
    journal.rotate()
    journal.write(50)
    journal.rotate()
    journal.write(1)
    files.wait_ids(151)
    files.wait_metric("till_edge_tail_lag_bytes", 0)
    assert files.metric("till_edge_tail_lost_bytes_total") == 0


def test_what_was_emptied_unread_is_counted_and_named(follower, tmp_path):
    files = follower(f"path={tmp_path}/logs/pos.ndjson")
    path = files.logs / "pos.ndjson"
    path.write_text(line(0) + line(1) + '{"order_id":"2"')
    files.wait_ids(2)
    wait_until(lambda: files.metric("till_edge_tail_lag_bytes") > 0, "the half line seen")
    os.truncate(path, 0)
    files.wait_metric("till_edge_tail_truncations_total", 1)
    files.wait_metric("till_edge_tail_lost_bytes_total", len('{"order_id":"2"'))
    assert "went before they were read" in files.edge.log_text()
    with open(path, "a", encoding="utf-8") as file:
        file.write(line(2))
    files.wait_ids(3)


def test_a_file_that_is_deleted_is_read_to_its_end(follower, tmp_path):
    files = follower(f"path={tmp_path}/logs/pos.ndjson")
    path = files.logs / "pos.ndjson"
    path.write_text(line(0))
    files.wait_ids(1)
    with open(path, "a", encoding="utf-8") as file:
        path.unlink()
        file.write(line(1) + line(2).rstrip())
        file.flush()
        files.wait_ids(3)
    path.write_text(line(3))
    files.wait_ids(4)


def test_a_symlink_that_is_switched_leads_to_the_next_file(follower, tmp_path):
    files = follower(f"path={tmp_path}/logs/current", "format=ndjson", "poll=100ms")
    (files.logs / "monday").write_text(line(0))
    (files.logs / "current").symlink_to("monday")
    files.wait_ids(1)
    with open(files.logs / "monday", "a", encoding="utf-8") as file:
        file.write(line(1))
    (files.logs / "tuesday").write_text(line(2))
    (files.logs / "next").symlink_to("tuesday")
    os.rename(files.logs / "next", files.logs / "current")
    files.wait_ids(3)


def test_a_path_that_is_not_configured_any_more_is_left_alone(follower, tmp_path):
    files = follower(f"path={tmp_path}/logs/a.ndjson", "poll=100ms")
    (files.logs / "a.ndjson").write_text(line(0))
    files.wait_ids(1)
    files.edge.args = [arg.replace("logs/a.ndjson", "logs/b.ndjson") for arg in files.edge.args]
    files.edge.restart()
    with open(files.logs / "a.ndjson", "a", encoding="utf-8") as file:
        file.write(line(666))
    os.rename(files.logs / "a.ndjson", files.logs / "a.ndjson.1")
    (files.logs / "b.ndjson").write_text(line(1))
    files.wait_ids(2)
    files.edge.args = [arg.replace("logs/b.ndjson", "logs/a.ndjson") for arg in files.edge.args]
    files.edge.restart()
    wait_until(lambda: files.ids() == [0, 1, 666], "the line that waited")


def test_a_folder_that_appears_later_is_found(follower, tmp_path):
    files = follower(f"path={tmp_path}/later/pos.ndjson", "poll=100ms")
    files.wait_metric("till_edge_tail_files_missing", 1)
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "pos.ndjson").write_text(line(0))
    files.wait_ids(1)
    files.wait_metric("till_edge_tail_files_missing", 0)


def test_the_end_is_where_the_first_start_begins(follower, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a.ndjson").write_text(line(900) + line(901))
    files = follower(f"path={tmp_path}/old/*.ndjson", "start=end")
    files.wait_metric("till_edge_tail_files", 1)
    with open(tmp_path / "old" / "a.ndjson", "a", encoding="utf-8") as file:
        file.write(line(0))
    (tmp_path / "old" / "b.ndjson").write_text(line(1))
    files.wait_ids(2)


def test_rows_of_csv_are_mapped_and_bad_ones_are_dead_letters(follower, tmp_path):
    files = follower(f"path={tmp_path}/logs/pos.csv", "map=order_id=Invoice,product_id=Item,unit_price=Price", "set=channel=till")
    (files.logs / "pos.csv").write_bytes(
        b"Invoice,Item,Price,Note\n0,tea,2.55,\"two\nlines\"\n1,tea\n1,tea,2.55,\n2,\"tea\"x,1,\n2,\xff,1,\n2,tea,1,ok\n")
    files.wait_ids(3)
    first = files.events()[0]
    assert (first["channel"], first["Note"], first["unit_price"]) == ("till", "two\nlines", "2.55")
    assert len(files.events("order.dlq")) == 3
    with open(files.logs / "pos.csv", "a", encoding="utf-8") as file:
        files.edge.restart()
        file.write("3,tea,1,\n")
    files.wait_ids(4)


def test_columns_that_don_t_fit_stop_a_file_and_lose_nothing(follower, tmp_path):
    files = follower(f"path={tmp_path}/logs/pos.csv", "map=order_id=Invoce")
    (files.logs / "pos.csv").write_text("Invoice,product_id,unit_price\n0,tea,1\n")
    files.wait_metric("till_edge_tail_files_stuck", 1)
    assert "pos.csv can't be read" in files.edge.http("/readyz")[1]
    assert 'no column \\"Invoce\\"' in files.edge.log_text()
    files.edge.args = [arg.replace("Invoce", "Invoice") for arg in files.edge.args]
    files.edge.restart()
    files.wait_ids(1)


def peak_kib(edge):
    with open(f"/proc/{edge.pid}/status", encoding="ascii") as status:
        return int(next(each for each in status if each.startswith("VmHWM")).split()[1])


@pytest.mark.plain_too
def test_a_line_of_ten_gigabytes_is_passed_over_in_bounded_memory(follower, tmp_path):
    files = follower(f"path={tmp_path}/logs/pos.ndjson")
    path = files.logs / "pos.ndjson"
    path.write_text(line(0))
    files.wait_ids(1)
    before = peak_kib(files.edge)
    with open(path, "ab") as file:
        file.write(b'{"order_id":"')
        file.truncate(10 << 30)
        file.seek(0, os.SEEK_END)
        file.write(b"x" * (5 << 20) + b"\n" + line(1).encode())
    files.wait_ids(2)
    files.wait_metric("till_edge_tail_lines_too_long_total", 1)
    assert SANITIZED or peak_kib(files.edge) < before + 32 * 1024
    (letter,) = files.events("order.dlq")
    assert "too_large" in json.dumps(letter)


@pytest.mark.parametrize("ending", ["ndjson", "csv"])
def test_garbage_is_dead_letters_and_hurts_no_neighbour(follower, tmp_path, ending):
    chance = random.Random(7)
    files = follower(f"path={tmp_path}/logs/*", f"format={ending}")
    with open(files.logs / "garbage", "wb") as file:
        file.write(b"order_id,b\n" + b"".join(
            bytes(chance.choices(b'\n\n"",,{}[]\x00\xff\\a1', k=chance.randrange(1, 3000))) for _ in range(200)))
    good = files.logs / "good"
    good.write_text("order_id,product_id,unit_price\n0,tea,1\n" if ending == "csv" else line(0))
    wait_until(lambda: files.metric("till_edge_tail_files") == 2 and files.metric("till_edge_tail_lag_bytes") < 256 * 1024, "all read")
    metrics = files.edge.metrics()
    received = sum_metric(metrics, "till_edge_source_received_total", source="pos")
    assert received > 100
    assert sum_metric(metrics, "till_edge_source_events_total", source="pos") == received
    with open(good, "a", encoding="utf-8") as file:
        file.write("77,tea,1\n" if ending == "csv" else line(77))
    wait_until(lambda: "77" in [event["order_id"] for event in files.events()], "the neighbour's line")


def test_a_thousand_files_take_a_bounded_number_of_descriptors(follower, tmp_path):
    files = follower(f"path={tmp_path}/logs/*.ndjson")
    for number in range(1000):
        (files.logs / f"{number}.ndjson").write_text(line(number))
    files.wait_ids(1000)
    assert files.metric("till_edge_tail_files_open") <= 128
    assert len(os.listdir(f"/proc/{files.edge.pid}/fd")) < 256
    for number in range(1000):
        with open(files.logs / f"{number}.ndjson", "a", encoding="utf-8") as file:
            file.write(line(1000 + number))
    files.wait_ids(2000)
