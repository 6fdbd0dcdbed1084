"""What may be done to a topic under running programs, again and again on a real Kafka: deleted and made anew with fewer and with more
records, twice, for good; partitions added; emptied by retention, compacted, held up by an open transaction; a clock that jumped; another
cluster. Each round is one of each, as tests/system has them."""
import os
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = ("tests/system/test_topic_surgery.py", "tests/system/test_aggregator_faults.py")
CASES = "topic or retention or removed or cluster or partitions or compaction or transaction or jumped"
ROUND_S = 240  # what one takes, about


def rounds(seed, deadline):
    """`seed`: nothing is drawn."""
    del seed
    number = 0
    while number == 0 or time.monotonic() + ROUND_S < deadline:
        number += 1
        yield {"rounds": 1, "operations": operate()}


def operate():
    """How many there were, all of them right."""
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *FILES, "-k", CASES]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "lib"), "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory(prefix="till-surgery-") as folder:
        report = Path(folder) / "report.xml"
        done = subprocess.run([*command, f"--junitxml={report}"], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(command[2:])}: {done.stdout[-1500:]}")
        return sum(int(suite.get("tests")) - int(suite.get("skipped")) for suite in ET.parse(report).getroot().iter("testsuite"))
