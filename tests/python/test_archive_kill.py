"""Writers and compactions that are killed at any moment: each event is in the archive once, and the sums are those of the aggregator."""
import contextlib
import os
import random
import signal
import time
from pathlib import Path

import pytest
from archive_rig import Topics, archive, assert_each_once, counted, expected, order, totals
from forks import alive, forks
from harness import DEADLINE

pytestmark = pytest.mark.kill


def entries(folder):
    """Names of files, temporary ones too."""
    return {f"{base}/{name}" for base, _, names in os.walk(folder) for name in names}


def versions(folder):
    """Files that are told apart from others of the same name."""
    found = set()
    for name in entries(folder):
        with contextlib.suppress(FileNotFoundError):
            found.add((name, Path(name).stat().st_mtime_ns))
    return found


def kill_after(pid, folder, changes, deadline=DEADLINE):
    """kill -9 once so many names have come or gone, or when it has ended by itself."""
    before, end = versions(folder), time.monotonic() + deadline
    while len(versions(folder) ^ before) < changes and alive(pid):
        assert time.monotonic() < end, f"{changes} changes of {folder} did not come; {len(versions(folder) ^ before)} did"
    if alive(pid):
        os.kill(pid, signal.SIGKILL)
    assert forks("archive").wait(pid) in (0, -9)


def orphans(folder):
    """Files that no manifest names."""
    if not any((folder / "manifest").glob("*.json")):
        return entries(folder / "data")
    return entries(folder / "data") - set(archive("list", folder).stdout.decode().split())


@pytest.mark.parametrize(("form", "kills", "seed"), [
    ("parquet", 12, 1), ("ndjson", 12, 2), pytest.param("parquet", 50, 3, marks=pytest.mark.long)])
def test_kills_lose_nothing_and_double_nothing(broker, prefix, pipeline, tmp_path, form, kills, seed):
    topics, folder, chance = Topics(broker.bootstrap, prefix, partitions=3), tmp_path / "archive", random.Random(seed)
    folder.mkdir()
    kept, torn = [], 0
    for round_ in range(kills):
        for number in range(90):
            edge = number % 3
            event = order(f"store-{edge}", 100 + edge, 30 * round_ + number // 3 + 1)
            kept.append(event)
            topics.put("order", edge, event)
            if chance.random() < 0.15:
                again = chance.choice(kept)
                topics.put("order", int(again["edge"][-1]), again)
        topics.flush()
        if round_ % 5 == 4:
            pid = forks("archive").start("compact", folder)
        else:
            pid = forks("archive").start("run", folder, *topics.options(), "--every", "10ms", "--format", form)
        kill_after(pid, folder, chance.randint(1, 6))
        torn += round_ % 5 == 3 and bool(orphans(folder))
    archive("run", folder, *topics.options(), "--once", "--format", form)
    assert orphans(folder) == set()
    assert torn > 0, "no kill came between a file and its manifest: the test shows nothing"
    pipe = pipeline(bridges=0, edges=(), partitions=3)
    pipe.start_aggregator()
    pipe.wait_applied()
    assert totals(folder) == expected(kept) == counted(pipe)
    assert_each_once(folder)
    assert archive("verify", folder).returncode == 0
