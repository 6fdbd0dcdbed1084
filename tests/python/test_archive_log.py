"""A log that is not the one that was read: of another cluster, cut beneath a writer that runs, and what an archive lacks because of it."""
import json
import os
import signal
from datetime import UTC, datetime

import pytest
from archive_rig import Topics, archive, counted, expected, order, totals
from forks import forks
from harness import wait_until
from till.archive.log import Report, judge, opening
from till.archive.manifest import Change, Folder, NeedsDecision, Position, State
from till.kafka import Marks

PART = ("orders", 0)


@pytest.fixture
def topics(broker, prefix):
    return Topics(broker.bootstrap, prefix)


def put(topics, first, last):
    events = [order("berlin-1", 1, seq) for seq in range(first, last + 1)]
    for event in events:
        topics.put("order", 0, event)
    topics.flush()
    return events


def test_another_cluster_is_another_log():
    """It has the topic, and more records in it than were read."""
    state = State(cluster="OLD", topics={"orders": "1"}, partitions={PART: Position(next=10)})
    there = Report("NEW", {"orders": "2"}, {PART: Marks(0, 500)})
    for wrong in ((), ("cluster:OLD->OTHER",), ("topic:orders re-created",)):
        with pytest.raises(NeedsDecision, match=r"--accept-gap 'cluster:OLD->NEW'"):
            judge(state, there, wrong)
    verdict = judge(state, there, ["cluster:OLD->NEW"])
    assert (verdict.start, verdict.new_logs, verdict.gaps) == ({PART: 0}, ["orders"], ["cluster:OLD->NEW"])
    change = opening(state, there, verdict)
    assert (change.cluster, change.topics, change.is_new_log) == ("NEW", {"orders": "2"}, ["orders"])


def test_an_archive_of_another_cluster_says_so(topics, tmp_path):
    """The manifest names a cluster that Kafka is not."""
    folder = Folder(tmp_path / "archive")
    with folder.locked():
        state = folder.open()
        folder.commit(state, Change(cluster="OLD"), datetime.now(UTC))
    put(topics, 1, 3)
    said = archive("run", folder.root, *topics.options(), "--once", code=4).stderr.decode()
    (words,) = {word.strip("'.,") for word in said.split() if "cluster:OLD->" in word}
    archive("run", folder.root, *topics.options(), "--once", "--accept-gap", words)
    assert totals(folder.root) == expected([order("berlin-1", 1, seq) for seq in (1, 2, 3)])


def test_a_log_that_is_cut_beneath_a_writer_ends_it_and_a_rebuild_asks_for_the_same_gap(topics, admin, pipeline, tmp_path):
    folder, err, events = tmp_path / "archive", tmp_path / "err", put(topics, 1, 10)
    pid = forks("archive").start("run", folder, *topics.options(), "--every", "20ms", "--kafka", "fetch.wait.max.ms=5", err=err)
    wait_until(lambda: any((folder / "data").rglob("part-*")), "a commit")
    os.kill(pid, signal.SIGSTOP)  # no fetch of its waits in Kafka by the time when there is a topic more
    admin.create(topic=f"{topics.prefix}later", partitions=1)
    put(topics, 11, 20)
    admin.purge(topic=topics.names[0], partition=0, before=16)
    os.kill(pid, signal.SIGCONT)
    gap = f"{topics.names[0]}/0:10-15"
    assert forks("archive").wait(pid) == 4, err.read_text()
    assert f"--accept-gap '{gap}'" in err.read_text()
    assert totals(folder) == expected(events)
    archive("run", folder, *topics.options(), "--once", "--accept-gap", gap)
    events += [order("berlin-1", 1, seq) for seq in range(17, 21)]
    assert totals(folder) == expected(events)
    assert json.loads(archive("status", folder, "--json").stdout)["gaps"] == [gap]
    assert archive("verify", folder).returncode == 0
    stream = tmp_path / "stream"
    stream.write_bytes(archive("cat", folder).stdout)
    pipe = pipeline(bridges=0, edges=(), partitions=2)
    pipe.start_aggregator("--archive", stream, wait_ready=False)
    assert pipe.aggregator.wait() == 4
    assert f'--accept-gap "{gap}"' in pipe.aggregator.log_text()
    pipe.start_aggregator("--archive", stream, "--accept-gap", gap)
    pipe.wait_applied()
    assert counted(pipe) == expected(events)
    assert pipe.client.ask("status")["as_of"]["gaps"] == [gap]
