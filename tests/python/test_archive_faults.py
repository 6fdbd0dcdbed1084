"""What can happen to an archive: a full disk, a second writer, a log that moved away, damaged, missing and foreign files."""
import fcntl
import json
import re
import shutil
from datetime import UTC, datetime

import pytest
from archive_rig import Topics, archive, assert_each_once, expected, order, stream_of, totals
from harness import free_port
from small_disk import Ballast, needs_root, small_disk
from till.archive import verify
from till.archive.counted import Intervals, Stream
from till.archive.manifest import Change, Folder, Last, State

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def topics(broker, prefix):
    return Topics(broker.bootstrap, prefix)


def put(topics, first, last, partition=0):
    events = [order("berlin-1", 1, seq) for seq in range(first, last + 1)]
    for event in events:
        topics.put("order", partition, event)
    topics.flush()
    return events


@needs_root
@pytest.mark.parametrize("pages", [0, 6, 15])
def test_a_full_disk_keeps_nothing_of_a_commit_and_harms_nothing_before_it(topics, tmp_path, pages):
    with small_disk("tmpfs", tmp_path / "disk", 2) as disk:
        events = put(topics, 1, 100)
        archive("run", disk / "archive", *topics.options(), "--once")
        events += put(topics, 101, 5000)
        ballast = Ballast(disk)
        ballast.fill()
        with ballast.path.open("r+b") as file:
            file.truncate(ballast.path.stat().st_size - pages * 4096)
        done = archive("run", disk / "archive", *topics.options(), "--once", code=1)
        assert b"the disk is full" in done.stderr
        assert b"4900 records will be read again" in done.stderr
        ballast.drop()
        assert archive("verify", disk / "archive").returncode == 0
        assert totals(disk / "archive") == expected(events[:100])
        archive("run", disk / "archive", *topics.options(), "--once")
        assert totals(disk / "archive") == expected(events)
        assert_each_once(disk / "archive")


def test_two_writers_refuse_each_other(topics, tmp_path):
    put(topics, 1, 3)
    folder = tmp_path / "archive"
    archive("run", folder, *topics.options(), "--once")
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (["run", folder, *topics.options(), "--once"], ["compact", folder]):
            done = archive(*command, code=1)
            assert re.search(rb"is being written by another process \([0-9]+\)", done.stderr)
        assert archive("verify", folder).returncode == 0


def test_what_retention_took_is_named_and_accepted_by_exactly_its_name(topics, admin, tmp_path):
    folder, events = tmp_path / "archive", put(topics, 1, 10)
    archive("run", folder, *topics.options(), "--once")
    put(topics, 11, 20)
    admin.purge(topic=topics.names[0], partition=0, before=16)
    gap = f"{topics.names[0]}/0:10-15"
    for wrong in ([], ["--accept-gap", gap[:-1] + "6"], ["--accept-gap", f"{topics.names[0]}/0:10-14"]):
        done = archive("run", folder, *topics.options(), "--once", *wrong, code=4)
        assert f" {gap}. " in done.stderr.decode()
    archive("run", folder, *topics.options(), "--once", "--accept-gap", gap)
    events += [order("berlin-1", 1, seq) for seq in range(17, 21)]
    assert totals(folder) == expected(events)
    assert json.loads(archive("status", folder, "--json").stdout)["gaps"] == [gap]
    archive("run", folder, *topics.options(), "--once")  # it was accepted for good
    admin.purge(topic=topics.names[0], partition=0)
    archive("run", folder, *topics.options(), "--once")  # the last record is gone, nothing is missing
    fresh = archive("run", tmp_path / "new", *topics.options(), "--once", code=4)
    assert f"{topics.names[0]}/0:0-19" in fresh.stderr.decode()


def test_a_topic_that_was_made_anew_is_another_log(topics, admin, tmp_path):
    folder, events = tmp_path / "archive", put(topics, 1, 10)
    archive("run", folder, *topics.options(), "--once")
    admin.delete(topic=topics.names[0])
    admin.create(topic=topics.names[0], partitions=2, settings={"message.timestamp.type": "LogAppendTime"})
    topics.producer = topics.new_producer()
    events += put(topics, 5, 30)[6:]  # as many, and six of them again
    done = archive("run", folder, *topics.options(), "--once", code=4)
    assert f"topic:{topics.names[0]} re-created" in done.stderr.decode()
    archive("run", folder, *topics.options(), "--once", "--accept-gap", f"topic:{topics.names[0]} re-created")
    assert totals(folder) == expected(events)
    assert_each_once(folder)
    assert archive("verify", folder).returncode == 0
    assert b"--epoch 0" in archive("cat", folder, code=4).stderr
    for epoch, offsets in ((0, range(10)), (1, range(6, 26))):
        assert [record[2] for record in stream_of(folder, "--epoch", epoch)[1]] == list(offsets)


def test_verify_finds_what_is_damaged_missing_and_too_much(topics, tmp_path):
    folder = tmp_path / "archive"
    put(topics, 1, 50)
    topics.put("order", 1, b"\xc1 nothing of ours", b"x")
    topics.flush()
    archive("run", folder, *topics.options(), "--once", "--format", "ndjson")
    whole = tmp_path / "whole"
    shutil.copytree(folder, whole)

    def broken(path, change):
        """What verify says of a copy in which this file is changed."""
        shutil.rmtree(folder)
        shutil.copytree(whole, folder)
        change(folder / path)
        return "".join(f"{problem}\n" for problem in verify.problems(folder))

    def flip(path):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    data, aside, manifest = (sorted(path.relative_to(whole) for path in whole.glob(pattern))[-1]
                             for pattern in ("data/*/*/*", "aside/*/*", "manifest/*"))
    for path in (data, aside):
        assert "its checksum is another one" in broken(path, flip)
        assert f"{folder / path} is missing" in broken(path, lambda file: file.unlink())
        assert "has 0 bytes, the manifest says" in broken(path, lambda file: file.write_bytes(b""))
    assert "is damaged" in broken(manifest, flip)
    assert "is not in the manifest" in broken(data, lambda file: shutil.copy(file, file.with_name("copy.ndjson")))
    flipped = broken(data, flip)
    assert archive("verify", folder, code=1).stdout.decode() == flipped
    assert flipped.count("\n") == 1
    assert b"its checksum is another one" in archive("cat", folder, code=1).stderr


def test_an_old_manifest_beside_newer_files_is_a_decision(topics, tmp_path):
    folder = tmp_path / "archive"
    put(topics, 1, 5)
    archive("run", folder, *topics.options(), "--once")
    shutil.copytree(folder / "manifest", tmp_path / "old")
    for first in (6, 11):
        put(topics, first, first + 4)
        archive("run", folder, *topics.options(), "--once")
    shutil.rmtree(folder / "manifest")
    shutil.copytree(tmp_path / "old", folder / "manifest")
    files = sorted(folder.glob("data/*/*/*"))
    assert b"old copy" in archive("run", folder, *topics.options(), "--once", code=4).stderr
    assert sorted(folder.glob("data/*/*/*")) == files


def test_what_can_not_be_is_said(topics, tmp_path):
    nobody = ["--brokers", f"127.0.0.1:{free_port()}", "--timeout", "500ms"]
    assert b"does Kafka run" in archive("run", tmp_path / "a", *nobody, "--once", code=3).stderr
    refused = archive("run", tmp_path / "a", *topics.options(), "--kafka", "auto.offset.reset=latest", code=2)
    assert b"would switch a guarantee off" in refused.stderr
    unknown = archive("run", tmp_path / "a", *topics.options(), "--kafka", "no.such=1", code=2)
    assert b'No such configuration property: "no.such"' in unknown.stderr
    assert b"Traceback" not in unknown.stderr
    assert b"holds no archive" in archive("verify", tmp_path, code=1).stderr
    assert b"no place in the log" in archive("cat", tmp_path, "--from", "orders:3", code=2).stderr


def test_manifests_stay_few_and_say_the_same_by_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)
    folder, state = Folder(tmp_path), State()
    part, most = ("orders", 0), 0
    for number in range(1000):
        fresh = Intervals([(3 * number + 1, 3 * number + 1 + number % 3)])
        state.sets.merge(Stream("berlin-1", 1, "order"), fresh)
        folder.commit(state, Change(ranges={part: (number, number + 1)}, counts={part: {"read": 1, "archived": 1}}, cluster="c",
                                    last={part: Last(number, number, b"k", b"v" * 100)},
                                    counted={Stream("berlin-1", 1, "order"): fresh}), NOW)
        most = max(most, sum(path.stat().st_size for path in folder.manifests.iterdir())) if number % 100 == 0 else most
    assert len(list(folder.manifests.iterdir())) < 600
    assert most < 250_000  # all deltas together are more than 500,000
    loaded = Folder(tmp_path).load()
    assert (loaded.number, loaded.partitions, loaded.sets.of) == (1000, state.partitions, state.sets.of)
    assert loaded.sets.of[Stream("berlin-1", 1, "order")].size == sum(1 + number % 3 for number in range(1000))
    newest = max(folder.manifests.glob("*.checkpoint.json"))
    newest.write_bytes(newest.read_bytes().replace(b"berlin", b"munich"))
    again = Folder(tmp_path).load()  # the one before and the deltas since say the same
    assert (again.partitions, again.sets.of) == (state.partitions, state.sets.of)
    assert [str(newest) in damage for damage in again.damages] == [True]
