"""Every libFuzzer target in turn, some minutes each, over the corpus that it has gathered so far (in the build folder); the ledger
keeps how often each was run. What it finds stays beside the corpus, and the failure names the file."""
import os
import random
import re
import subprocess
import time

import suites

SLICE_S = 60


def rounds(seed, deadline):
    chance = random.Random(seed)
    targets = suites.fuzz_targets()
    while time.monotonic() < deadline:
        for target in chance.sample(targets, len(targets)):
            seconds = int(min(SLICE_S, deadline - time.monotonic()))
            if seconds < 5:
                return
            runs = fuzz(target, seconds, chance.randrange(1, 2**31))
            yield {"rounds": runs, f"runs of {target.name.removeprefix('fuzz-')}": runs}


def fuzz(target, seconds, seed):
    work = target.parent / f"{target.name}.corpus"
    work.mkdir(exist_ok=True)
    seeds = [str(each) for each in (target.parent / "corpus" / target.name.removeprefix("fuzz-"),) if each.is_dir()]
    command = [str(target), f"-max_total_time={seconds}", f"-seed={seed}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
               f"-artifact_prefix={work}/", str(work), *seeds]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **suites.SANITIZER_ENV})
    runs = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    if done.returncode != 0 or not runs:
        raise AssertionError(f"{' '.join(command)}: {done.stderr[-1500:]}")
    return int(runs[1])
