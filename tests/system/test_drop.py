"""Whole files in a folder: each line counts once, each file gets its report, whatever is killed and whatever is in it."""
import json
import os
import random
import subprocess

import msgpack
import pytest
from harness import Program, free_port, sum_metric, till, wait_until
from test_edge_faults import needs_root
from test_tail import line, peak_kib

KILLS = int(os.environ.get("TILL_KILLS", "20"))
SEED = int(os.environ.get("TILL_SEED", random.SystemRandom().randrange(1 << 32)))


class Dropper:
    """An edge whose bridge does not exist: what it took can be read from its spool."""

    def __init__(self, folder, *options, edge=(), wait_ready=True):
        self.data, self.inbox = folder / "spool", folder / "inbox"
        self.data.mkdir()
        self.inbox.mkdir(exist_ok=True)
        self.edge = Program("till-edge", [
            "-o", "edge.id=store-1", "-o", f"edge.data={self.data}", "-o", f"edge.listen=tcp://127.0.0.1:{free_port()}",
            "-o", f"edge.bridges=tcp://127.0.0.1:{free_port()}", "-o", "http.listen=127.0.0.1:0",
            "-o", "source.in.type=drop", "-o", f"source.in.dir={self.inbox}", "-o", "source.in.settle=50ms",
            *[arg for option in options for arg in ("-o", f"source.in.{option}")],
            *[arg for option in edge for arg in ("-o", option)]], folder / "edge.log",
            wait_ready=wait_ready)

    def metric(self, name, **labels):
        return sum_metric(self.edge.metrics(), name, source="in", **labels)

    def drop(self, name, content, modified_s=None):
        """As the manual asks for: under a name that is passed over, then renamed."""
        data = content if isinstance(content, bytes) else content.encode()
        hidden = self.inbox / f".{name}"
        hidden.write_bytes(data)
        if modified_s is not None:
            os.utime(hidden, (modified_s, modified_s))
        os.rename(hidden, self.inbox / name)

    def report(self, name, place="done"):
        path = self.inbox / place / f"{name}.report.json"
        wait_until(lambda: path.exists() and not (self.inbox / name).exists(), f"{path.name}; log: {self.edge.log_tail(5)}")
        return json.loads(path.read_text())

    def events(self, lane="order"):
        done = till("spool", "export", self.data, "--lane", lane)
        assert done.returncode == 0, done.stderr
        return [json.loads(text) for text in done.stdout.splitlines()]

    def ids(self):
        return sorted(int(event["order_id"]) for event in self.events())


@pytest.fixture
def dropper(tmp_path):
    made = []

    def make(*options, **more):
        made.append(Dropper(tmp_path, *options, **more))
        return made[-1]

    yield make
    for each in made:
        each.edge.kill()


def assert_counts(report, lines, accepted, invalid, repeated=0):
    found = {key: report[key] for key in ("lines", "accepted", "invalid", "repeated")}
    assert found == {"lines": lines, "accepted": accepted, "invalid": invalid, "repeated": repeated}


def test_a_file_is_counted_reported_and_moved(dropper):
    folder = dropper()
    folder.drop("a.ndjson", line(0) + "garbage\n" + line(1) + '{"order_id":"x"}\n' + line(2))
    report = folder.report("a.ndjson")
    assert_counts(report, 5, 3, 2)
    assert [(each["line"], each["code"]) for each in report["errors"]] == [(2, "bad_frame"), (4, "missing_field")]
    assert report["outcome"] == "done" and report["edge"] == "store-1" and report["source"] == "in"
    seqs = {each["kind"]: each for each in report["seq"]}
    assert (seqs["order"]["first"], seqs["order"]["last"], seqs["order"]["count"]) == (1, 3, 3)
    assert seqs["order.dlq"]["count"] == 2
    assert (folder.inbox / "done" / "a.ndjson").exists()
    assert folder.ids() == [0, 1, 2]
    assert sorted(os.listdir(folder.inbox)) == ["done", "failed"]


def test_each_format_is_known_by_its_ending(dropper):
    folder = dropper("set=channel=file")
    head = "order_id,product_id,unit_price\n"
    folder.drop("a.csv", head + "0,tea,1\n1,tea\n2,tea,1\n")
    folder.drop("b.tsv", head.replace(",", "\t") + "3\ttea\t1\n")
    folder.drop("c.msgpack", b"".join(msgpack.packb({"order_id": str(n), "product_id": "tea", "unit_price": "1"}) for n in (4, 5)) + b"\xc1")
    folder.drop("d.jsonl", line(6))
    folder.drop("e.unknown", "x")
    assert_counts(folder.report("a.csv"), 4, 2, 1)
    assert folder.report("a.csv")["errors"][0]["line"] == 3
    assert_counts(folder.report("b.tsv"), 2, 1, 0)
    assert_counts(folder.report("c.msgpack"), 3, 2, 1)
    assert_counts(folder.report("d.jsonl"), 1, 1, 0)
    assert folder.ids() == [0, 2, 3, 4, 5, 6]
    assert {event["channel"] for event in folder.events()} == {"file"}
    wait_until(lambda: folder.metric("till_edge_drop_files_ignored") == 1, "the unknown file seen")
    assert (folder.inbox / "e.unknown").exists()


def test_what_can_t_be_read_fails_and_says_why(dropper):
    folder = dropper("map=order_id=Invoice")
    folder.drop("a.csv", 'a,"b\n1,2\n')
    folder.drop("b.csv", "product_id\ntea\n")
    folder.drop("c.msgpack", b"\xc1\xc1")
    folder.drop("d.ndjson", "garbage\n")
    folder.drop("e.ndjson", "")
    assert "should name the columns" in folder.report("a.csv", "failed")["why"]
    assert 'no column "Invoice"' in folder.report("b.csv", "failed")["why"]
    assert folder.report("c.msgpack", "failed")["why"] == "no line was accepted"
    assert_counts(folder.report("d.ndjson", "failed"), 1, 0, 1)
    assert_counts(folder.report("e.ndjson"), 0, 0, 0)


def test_the_same_content_is_counted_once_unless_asked_for(dropper):
    folder = dropper()
    folder.drop("a.ndjson", line(0))
    assert folder.report("a.ndjson")["accepted"] == 1
    folder.drop("b.ndjson", line(0))
    report = folder.report("b.ndjson")
    assert report["outcome"] == "repeated" and report["counted_before"] and report["accepted"] == 0
    folder.edge.restart()
    folder.drop("c.ndjson", line(0))
    assert folder.report("c.ndjson")["outcome"] == "repeated"
    folder.edge.args += ["-o", "source.in.repeated_files=count"]
    folder.edge.restart()
    folder.drop("d.ndjson", line(0))
    assert folder.report("d.ndjson")["accepted"] == 1
    assert folder.ids() == [0, 0]


def test_a_name_that_is_taken_gets_a_number(dropper):
    folder = dropper()
    for number in range(3):
        folder.drop("a.ndjson", line(number))
        wait_until(lambda: not (folder.inbox / "a.ndjson").exists(), "the file moved")
        wait_until(lambda n=number: len(folder.ids()) == n + 1, "its line")
    for name in ("a.ndjson", "a.ndjson.1", "a.ndjson.2"):
        assert folder.report(name)["accepted"] == 1
        assert (folder.inbox / "done" / name).exists()


def test_names_links_and_folders_that_are_not_meant_stay_where_they_are(dropper, tmp_path):
    (tmp_path / "secret.ndjson").write_text(line(666))
    folder = dropper()
    for name in (".hidden.ndjson", "half.ndjson.tmp", "half.ndjson.part"):
        (folder.inbox / name).write_text(line(1))
    (folder.inbox / "link.ndjson").symlink_to(tmp_path / "secret.ndjson")
    (folder.inbox / "folder.ndjson").mkdir()
    os.mkfifo(folder.inbox / "pipe.ndjson")
    folder.drop("a.ndjson", line(0))
    assert folder.report("a.ndjson")["accepted"] == 1
    assert folder.ids() == [0]
    assert len(os.listdir(folder.inbox)) == 8


def test_a_file_that_is_written_on_waits_until_it_is_still(dropper):
    folder = dropper("settle=400ms")
    path = folder.inbox / "slow.ndjson"
    with open(path, "w", encoding="utf-8") as file:
        for number in range(30):
            file.write(line(number))
            file.flush()
            folder.edge.http("/livez")
    assert_counts(folder.report("slow.ndjson"), 30, 30, 0)


def test_a_long_line_is_one_dead_letter(dropper):
    folder = dropper()
    before = peak_kib(folder.edge)
    folder.drop("a.ndjson", line(0) + "x" * (30 << 20) + "\n" + line(1))
    report = folder.report("a.ndjson")
    assert_counts(report, 3, 2, 1)
    assert (report["errors"][0]["line"], report["errors"][0]["code"]) == (2, "too_large")
    assert peak_kib(folder.edge) < before + 64 * 1024
    folder.drop("b.ndjson", "x" * (1 << 20))
    assert_counts(folder.report("b.ndjson", "failed"), 1, 0, 1)


def test_a_report_that_can_t_be_written_waits(dropper):
    folder = dropper()
    (folder.inbox / "done").rmdir()
    folder.drop("a.ndjson", line(0))
    wait_until(lambda: folder.metric("till_edge_drop_files_stuck") == 1, "a file that waits")
    assert "a.ndjson" in folder.edge.http("/readyz")[1]
    assert folder.ids() == [0]
    folder.edge.restart()
    assert_counts(folder.report("a.ndjson"), 1, 1, 0)
    assert folder.ids() == [0]


def half_counted(dropper):
    """A file that the spool has room for a part of; (folder, path, lines counted)."""
    folder = dropper("batch_events=500", edge=["edge.spool_max=4MiB"])
    folder.drop("a.ndjson", "".join(line(number) for number in range(60000)))
    kept = []

    def waits():  # two looks that show the same
        before, kept[:] = list(kept), folder.ids()
        return kept and before == kept
    wait_until(waits, "a reader that waits", every=0.3)
    assert kept == list(range(len(kept))) and 500 <= len(kept) < 60000
    return folder, folder.inbox / "a.ndjson", len(kept)


def make_room(folder):
    folder.edge.kill()
    folder.edge.args += ["-o", "edge.spool_max=1GiB"]
    folder.edge.start()


def test_a_full_spool_makes_a_file_wait_and_loses_nothing(dropper):
    folder, path, _ = half_counted(dropper)
    assert path.exists() and os.listdir(folder.inbox / "done") == []
    make_room(folder)
    assert_counts(folder.report("a.ndjson"), 60000, 60000, 0)
    assert folder.ids() == list(range(60000))


def test_a_file_that_grew_meanwhile_is_read_on(dropper):
    folder, path, _ = half_counted(dropper)
    with open(path, "a", encoding="utf-8") as file:
        file.write(line(60000))
    make_room(folder)
    assert_counts(folder.report("a.ndjson"), 60001, 60001, 0)
    assert folder.ids() == list(range(60001))


def test_a_file_that_is_another_meanwhile_fails_and_says_how_much_was_counted(dropper):
    folder, path, counted = half_counted(dropper)
    with open(path, "r+", encoding="utf-8") as file:
        file.write('{"order_id":"9"')
    make_room(folder)
    report = folder.report("a.ndjson", "failed")
    assert_counts(report, counted, counted, 0)
    assert report["why"] == f"it was changed when {counted} lines of it were counted"
    assert folder.ids() == list(range(counted))


def test_a_file_that_goes_meanwhile_still_gets_its_report(dropper):
    folder, path, counted = half_counted(dropper)
    path.unlink()
    make_room(folder)
    report = folder.report("a.ndjson", "failed")
    assert report["why"] == f"it vanished when {counted} lines of it were counted"
    folder.drop("b.ndjson", line(counted))
    assert_counts(folder.report("b.ndjson"), 1, 1, 0)
    assert folder.ids() == list(range(counted + 1))


def test_a_name_that_comes_again_meanwhile_is_another_file(dropper):
    folder, path, counted = half_counted(dropper)
    folder.drop("other.tmp", line(counted))
    os.rename(folder.inbox / "other.tmp", path)
    make_room(folder)
    assert folder.report("a.ndjson", "failed")["why"] == f"it was replaced when {counted} lines of it were counted"
    assert_counts(folder.report("a.ndjson"), 1, 1, 0)
    assert folder.ids() == list(range(counted + 1))


@needs_root
def test_a_full_disk_makes_the_report_wait(dropper, tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    try:
        folder = dropper()
        filler = folder.inbox / ".filler"
        folder.drop("a.ndjson", line(0))
        folder.report("a.ndjson")
        folder.inbox.joinpath("b.tmp").write_text("garbage\n" + line(1))
        with open(filler, "wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        os.rename(folder.inbox / "b.tmp", folder.inbox / "b.ndjson")
        wait_until(lambda: folder.metric("till_edge_drop_files_stuck") == 1, "a report that waits")
        assert "No space left" in folder.edge.log_text()
        filler.unlink()
        assert_counts(folder.report("b.ndjson"), 2, 1, 1)
        assert folder.ids() == [0, 1]
    finally:
        subprocess.run(["umount", "-l", tmp_path / "inbox"], check=True)


@pytest.mark.kill
def test_each_line_counts_once_and_each_report_is_right_through_kills(dropper):
    print(f"TILL_SEED={SEED} TILL_KILLS={KILLS}")
    chance = random.Random(SEED)
    folder = dropper("batch_events=50")
    expected, count = {}, 0
    for kill in range(KILLS):
        for number in range(chance.randrange(1, 5)):
            name, bad = f"{kill}-{number}.ndjson", set()
            size = chance.choice((1, 10, 500, 3000))
            text = []
            for at in range(size):
                if chance.random() < 0.01:
                    bad.add(at + 1)
                    text.append(f"garbage {kill} {number}\n")
                else:
                    text.append(line(count))
                    count += 1
            expected[name] = (size, sorted(bad))
            folder.drop(name, "".join(text))
        enough = chance.randrange(len(expected)) - 3
        wait_until(lambda least=enough: len(list(folder.inbox.glob("done/*.json"))) > least, "progress", every=0.005)
        folder.edge.restart()
    for name, (size, bad) in expected.items():
        report = folder.report(name, "failed" if len(bad) == size else "done")
        assert_counts(report, size, size - len(bad), len(bad))
        assert [each["line"] for each in report["errors"]] == bad[:100]
        assert sum(each["count"] for each in report["seq"]) == size
    assert folder.ids() == list(range(count))
    wait_until(lambda: folder.metric("till_edge_drop_files_active") == 0, "all through")
    assert sorted(os.listdir(folder.inbox)) == ["done", "failed"]
    left = {each.name for place in ("done", "failed") for each in (folder.inbox / place).iterdir()}
    assert left == set(expected) | {f"{name}.report.json" for name in expected}


def test_many_small_files_are_taken_in_order(dropper):
    folder = dropper()
    for number in range(500):
        folder.drop(f"{number:05}.ndjson", line(number), modified_s=number)
    wait_until(lambda: folder.metric("till_edge_drop_files_total", outcome="done") == 500, "all files", every=0.2)
    assert folder.ids() == list(range(500))
