"""Seeds of the simulator (tests/sim), on all cores, each once: a run begins where the ledger says that the ones before ended.

The seed of bench/long is not used. Distinct states are counted for one run of bench/long, by joining the sketches of its pieces
(HyperLogLog: within 2 %); faults are counted by kind. A seed that fails ends the run, with the command that replays it.
"""
import concurrent.futures
import itertools
import math
import os
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import ledger

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build-sim"
# A fifth faster than the build of the tests: a million seeds take hours.
OPTIONS = ["--buildtype=release", "-Db_lto=true",
           "-Dc_args=-fno-semantic-interposition -march=native -fprofile-partial-training -Wno-missing-profile"]
FIRST = 2 * 10**12  # those of the suites lie below
SEEDS_A_PIECE = 2000
SEEDS_TO_LEARN_FROM = "1-300"
SUMS = re.compile(r"(\d+) runs, 0 failed, (\d+) sales, (\d+) events .* (\d+) faults .* drained within ([\d.]+) s")


def meson(*command):
    subprocess.run(["meson", *command], cwd=ROOT, env={**os.environ, "CC": "gcc"}, check=True, capture_output=True)


def fast_program():
    """till-sim, built from this commit as the compiler does best once it has seen it run; built once a commit."""
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    dirty = subprocess.run(["git", "-C", ROOT, "status", "--porcelain", "--", "*.[ch]", "*meson.build"], capture_output=True, text=True, check=True).stdout
    program, built = BUILD / "tests" / "sim" / "till-sim", BUILD / "built"
    if not dirty and built.exists() and built.read_text() == commit:
        return program
    shutil.rmtree(BUILD, ignore_errors=True)
    for pgo in ("generate", "use"):
        meson(*(["configure", BUILD] if BUILD.exists() else ["setup", BUILD, *OPTIONS]), f"-Db_pgo={pgo}")
        meson("compile", "-C", BUILD, "tests/sim/till-sim:executable")
        subprocess.run([program, "--seeds", SEEDS_TO_LEARN_FROM], check=True, capture_output=True)
    built.write_text(commit)
    return program


class Pieces:
    """Children that run seeds, and all of them ended when the with block is."""

    def __init__(self):
        self.program = fast_program()
        self.lock, self.children, self.ended = threading.Lock(), set(), False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self.lock:
            self.ended = True
            for child in self.children:
                child.kill()

    def run(self, first):
        """What the piece from this seed on printed."""
        last = first + SEEDS_A_PIECE - 1
        with self.lock:
            if self.ended:
                raise RuntimeError("ended before it began")
            child = subprocess.Popen([self.program, "--seeds", f"{first}-{last}", "--sketch"], stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)
            self.children.add(child)
        words = child.communicate()[0]
        with self.lock:
            self.children.discard(child)
        if child.returncode != 0 or not SUMS.search(words):
            raise RuntimeError(f"till-sim --seeds {first}-{last} ended with {child.returncode}: {words[:1500]}")
        return last, words


def figures(last, words):
    runs, sales, events, faults, drained_s = SUMS.search(words).groups()
    kinds = re.findall(r"([a-z-]+) (\d+)", re.search(r"^faults: (.*)$", words, re.M)[1])
    return {"rounds": int(runs), "sales": int(sales), "events": int(events), "faults": int(faults),
            **{f"faults.{kind}": int(count) for kind, count in kinds}, "drained_s_max": float(drained_s), "seed_max": last}


def estimate(sketch):
    """How many distinct states a sketch has seen."""
    places = len(sketch)
    raw = 0.7213 / (1 + 1.079 / places) * places**2 / sum(2.0**-zeros for zeros in sketch)
    empty = sketch.count(0)
    return round(places * math.log(places / empty) if empty and raw < 2.5 * places else raw)


def next_seed():
    return max([FIRST - 1, *(entry["figures"]["seed_max"] for entry in ledger.entries("sim") if "seed_max" in entry["figures"])]) + 1


def rounds(_seed, deadline):
    jobs = os.cpu_count() or 1
    firsts = itertools.count(next_seed(), SEEDS_A_PIECE)
    sketch = bytes(1)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool, Pieces() as pieces:
        running = {pool.submit(pieces.run, next(firsts)) for _ in range(jobs)}
        while running:
            done, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for piece in done:
                last, words = piece.result()
                other = bytes.fromhex(re.search(r"^sketch: (\w+)$", words, re.M)[1])
                sketch = bytes(map(max, sketch * len(other) if len(sketch) == 1 else sketch, other))
                yield {**figures(last, words), "states_max": estimate(sketch)}
                if time.monotonic() < deadline:
                    running.add(pool.submit(pieces.run, next(firsts)))
