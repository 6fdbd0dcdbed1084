"""Runs the suites: each has a build, a command and a time budget. Called by tests/run.

A suite's results are read from what its runner wrote (meson's testlog.json with TAP subtests, pytest's JUnit XML), never
guessed from an exit code alone: a suite that dies, overruns its budget or runs nothing is a failure.
"""
import argparse
import concurrent.futures
import contextlib
import fcntl
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

import fuzzing
import guards
import pypi
import wheel

ROOT = Path(__file__).resolve().parents[2]
COVERED = ("proto", "runtime", "client", "edge", "bridge", "aggregator", "cli")
COVERAGE_MIN_PERCENT = 85  # of each
COVERAGE_WHOLE_MIN_PERCENT = 90
# Sanitizers: the first finding ends the program, and exit code 99 is no exit code of ours.
SANITIZER_ENV = {
    "ASAN_OPTIONS": "abort_on_error=0:exitcode=99:detect_leaks=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99:print_stacktrace=1",
    "LSAN_OPTIONS": f"suppressions={ROOT}/tests/lib/lsan.supp:print_suppressions=0",
}
THREAD_ENV = {
    "TSAN_OPTIONS": f"halt_on_error=1:exitcode=99:allocator_may_return_null=1:suppressions={ROOT}/tests/lib/tsan.supp",
    "LD_PRELOAD": str(ROOT / "build-thread" / "tests" / "lib" / "libthrd-preload.so"),
    "TILL_TEST_ROUNDS_PERCENT": "20",  # tests/unit/rounds.h
}
VALGRIND_ENV = {"TILL_TEST_VALGRIND": "1", "TILL_TEST_ROUNDS_PERCENT": "20"}


@dataclass
class Result:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    notes: list = field(default_factory=list)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.notes += other.notes


@dataclass
class Suite:
    name: str
    budget_s: int
    what: str
    run: object
    long: bool = False
    # Runs beside the others, where these leave time, behind those of the same lane: "work" needs processors and no clock; "python" has
    # programs of its own, and waits for them.
    beside: str = ""


BUILDS = {
    "plain": ["--buildtype=debugoptimized"],
    # Instrumented for coverage too: a build and a round of all tests less.
    "sanitize": ["--buildtype=debugoptimized", "-Db_sanitize=address,undefined", "-Db_coverage=true"],
    "fuzz": ["--buildtype=debugoptimized", "-Dfuzz=true", "-Db_lundef=false",
             "-Db_sanitize=address,undefined"],
    # A part of all executions: what is undefined traps, memory is not looked at, and comparisons steer nothing; several times as fast.
    "fuzz-fast": ["--buildtype=debugoptimized", "-Dfuzz=true", "-Db_lundef=false",
                  "-Dc_args=-fsanitize=undefined -fsanitize-trap=undefined -fno-sanitize-coverage=trace-cmp"],
    "thread": ["--buildtype=debugoptimized", "-Db_sanitize=thread"],
}


# Of some builds not everything is wanted, or more; programs would not even link in the last one, which has no sanitizer's library.
BUILT = {"sanitize": ["all", "replays"], "fuzz": ["fuzzers"], "fuzz-fast": ["fuzzers"]}


def setup_command(folder, kind):
    """deploy/quickstart may have configured the plain build before, without tests."""
    if (folder / "build.ninja").exists():
        return ["meson", "configure", folder, "-Dtests=true"]
    return ["meson", "setup", folder, *BUILDS[kind]]


def build(kind):
    """Configures and builds once, silently unless it fails; the folder is build-KIND ("build" for plain)."""
    folder = ROOT / ("build" if kind == "plain" else f"build-{kind}")
    folder.mkdir(exist_ok=True)
    with open(folder / "suites.lock", "w", encoding="utf-8") as lock:  # suites that run beside others build, too
        fcntl.flock(lock, fcntl.LOCK_EX)
        return build_in(folder, kind)


def build_in(folder, kind):
    env = dict(os.environ)
    if kind.startswith("fuzz"):
        env["CC"] = "clang"
    for command in ([*setup_command(folder, kind)], ["ninja", "-C", folder, "--quiet", *BUILT.get(kind, [])]):
        done = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            print(done.stdout[-10000:] + done.stderr[-10000:], flush=True)
            raise subprocess.CalledProcessError(done.returncode, command)
    return folder


def run_meson(kind, *suites, env=None):
    folder = build(kind)
    log = folder / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    command = ["meson", "test", "-C", str(folder), "--no-rebuild", "--timeout-multiplier", "16"]
    for suite in suites:
        command += ["--suite", suite]
    done = subprocess.run(command, env={**os.environ, **(env or {})}, check=False,
                          capture_output=True, text=True)
    result = Result()
    if not log.exists():
        return Result(failed=1, notes=[done.stdout[-2000:] + done.stderr[-2000:]])
    for line in log.read_text().splitlines():
        test = json.loads(line)
        points = re.findall(r"^(not ok|ok) \d+(.*)$", test.get("stdout") or "", re.M)
        bad = [name for verdict, name in points if verdict == "not ok"]
        skipped = sum("# SKIP" in name for _, name in points)
        result.failed += len(bad)
        result.skipped += skipped
        result.passed += len(points) - len(bad) - skipped
        if test["result"] == "OK":
            result.passed += not points
        elif not bad:
            result.failed += 1
        if test["result"] != "OK":
            tail = ((test.get("stdout") or "") + (test.get("stderr") or ""))[-3000:]
            result.notes.append(f"{test['name']}: {test['result']}\n{tail}")
    return result


def run_pytest(kind, *paths, env=None, options=(), interpreter="/usr/bin/python3"):
    folder = build(kind)
    try:
        pypi.python()  # here, lest a download counts as some test's time
    except pypi.NoRegistry as error:
        print(error, flush=True)  # the tests that need it fail with the same words; the others run
    report = folder / f"pytest-{Path(paths[0]).name}.xml"
    report.unlink(missing_ok=True)
    done = subprocess.run(
        [interpreter, "-m", "pytest", "-q", "-x" if os.environ.get("TILL_FAIL_FAST") else "-q",
         "-p", "no:cacheprovider", "--durations=10", f"--junitxml={report}", *options, *paths],
        cwd=ROOT, env={**os.environ, "TILL_BUILD": str(folder), "PYTHONDONTWRITEBYTECODE": "1",
                       "PYTHONPATH": str(ROOT / "tests" / "lib"), **(env or {})}, check=False)
    if not report.exists():
        return Result(failed=1, notes=[f"pytest ended with {done.returncode} and wrote no report"])
    result = Result()
    for suite in ET.parse(report).getroot().iter("testsuite"):
        total, skipped = int(suite.get("tests")), int(suite.get("skipped"))
        failed = int(suite.get("failures")) + int(suite.get("errors"))
        result.failed += failed
        result.skipped += skipped
        result.passed += total - failed - skipped
    return result


def style():
    return run_meson("plain", "style")


def unit():
    return run_meson("plain", "unit")


def unit_sanitize():
    return run_meson("sanitize", "unit", env=SANITIZER_ENV)


def measured():
    """What the suites under sanitizers have covered so far."""
    return list((ROOT / "build-sanitize").rglob("*.gcda"))


def forget_measured():
    for data in measured():
        data.unlink()


def unit_thread():
    return run_meson("thread", "unit", env=THREAD_ENV)


def unit_valgrind():
    folder = build("plain")
    result = Result()
    for test in sorted((folder / "tests" / "unit").glob("*/test-*")):
        if test.is_file() and os.access(test, os.X_OK):
            done = subprocess.run(
                ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite",
                 str(test)], capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, **VALGRIND_ENV})
            result.passed += done.returncode == 0
            if done.returncode != 0:
                result.failed += 1
                result.notes.append(f"{test.name}:\n{done.stderr[-2000:]}")
    return result


def system():
    """The others run under sanitizers: each test once, and with the build that shows most."""
    return run_pytest("plain", "tests/system", options=("-m", "plain_only or kill or plain_too"))


def system_plain():
    return run_pytest("plain", "tests/system")


def system_sanitize():
    return run_pytest("sanitize", "tests/system", env=SANITIZER_ENV, options=("-m", "not plain_only and not kill"))


def python(which="not long"):
    """From an environment that holds the package as it is installed; what can't be installed there is a failure of its own."""
    try:
        interpreter = wheel.python()
    except pypi.NoRegistry as error:
        return Result(failed=1, notes=[str(error)])
    return run_pytest("plain", "tests/python", interpreter=interpreter, options=("-m", which))


def python_long():
    return python("long")


def console():
    """In the environment of requirements.txt, which has what drives the browser."""
    try:
        interpreter = pypi.python()
    except pypi.NoRegistry as error:
        return Result(failed=1, notes=[str(error)])
    return run_pytest("plain", "tests/console", interpreter=interpreter)


def coverage():
    """The share of lines that the unit and system tests reached under sanitizers is printed and held."""
    folder = build("sanitize")
    result = Result()
    if not measured():  # this suite alone was asked for
        for tests in (unit_sanitize(), system_sanitize()):
            result.failed += tests.failed
    summary = folder / "coverage.json"
    subprocess.run(["gcovr", "-r", str(ROOT), str(folder), "--json-summary", str(summary), "--gcov-ignore-parse-errors",
                    *[arg for name in COVERED for arg in ("-f", f"{ROOT}/{name}/")]],
                   check=True, cwd=folder, capture_output=True)
    files = json.loads(summary.read_text())["files"]
    for name in COVERED:
        mine = [entry for entry in files if entry["filename"].startswith(f"{name}/")]
        hold_covered(result, name, mine, COVERAGE_MIN_PERCENT)
    hold_covered(result, "the whole", files, COVERAGE_WHOLE_MIN_PERCENT)
    return result


def hold_covered(result, name, entries, least_percent):
    total = sum(entry["line_total"] for entry in entries)
    percent = 100 * sum(entry["line_covered"] for entry in entries) / total if total else 0
    print(f"coverage of {name}: {percent:.1f} % of {total} lines")
    if percent < least_percent:
        result.failed += 1
        result.notes.append(f"{name}: {percent:.1f} % of lines, at least {least_percent} % are wanted")
    else:
        result.passed += 1


def guarded():
    """Each test that docs/RELIABILITY.md names fails when the line is gone that guards it."""
    build("plain")  # what the tests need beside the tree's own build
    result = Result()
    for guard, fault in guards.run():
        result.passed += fault is None
        if fault is not None:
            result.failed += 1
            result.notes.append(f"{guard.test}: {guard.file}: {fault}")
    return result


# What the simulator is there for, and the share of its lines that its runs must reach. Codecs, settings, pages and queries that it
# links as well have tests of their own.
SIM_CORES = re.compile(
    r"edge/(backlog|courier|desk|draft|idmap|intake|intake_repeats|offer|probe|producers|removals|sender|sender_turn|spool_block|spool_index"
    r"|throttle|window)\.c|proto/wire_(encode|decode)\.c|bridge/(bridge|credit|lane|pipeline|post|ranges|rounds|sessions|tracker|upkeep|verdict)\.c"
    r"|aggregator/(?:\w+/)?(aggregator|books|commit|counted|feed|fingerprints|gap|ledger|measure|measure_row|opening|overlay\w*|pipeline|pipeline_judge"
    r"|position|proof|shard|store_lmdb|commit_lmdb|sealed_lmdb|stores|stream|streams|baskets?|shard_baskets|generations)\.c")
# What the cores do for what no run has: keys and their rights.
NOT_SIMULATED = {
    "aggregator/aggregator.c": ("admits", "taken"),
}
SIM_CORES_MIN_PERCENT = 95
SIM_COVERAGE_SEEDS = 1500


def sim_reached(folder):
    """Runs seeds in a build with coverage; gcovr's entries of the cores. What they reached is kept beside the build, apart from
    what its other tests did, in a folder as deep: names of sources are relative."""
    apart = folder.with_name(folder.name + "-sim")
    shutil.rmtree(apart, ignore_errors=True)
    subprocess.run([folder / "tests" / "sim" / "till-sim", "--seeds", f"1-{SIM_COVERAGE_SEEDS}"], check=True, capture_output=True,
                   env={**os.environ, **SANITIZER_ENV, "GCOV_PREFIX": str(apart), "GCOV_PREFIX_STRIP": str(len(folder.parts) - 1)})
    for data in apart.rglob("*.gcda"):
        notes = data.with_suffix(".gcno")
        notes.symlink_to(folder / notes.relative_to(apart))
    summary = apart / "coverage.json"
    subprocess.run(["gcovr", "-r", str(ROOT), str(apart), "--json", str(summary), "--gcov-ignore-parse-errors"],
                   check=True, cwd=apart, capture_output=True)
    return [entry for entry in json.loads(summary.read_text())["files"] if SIM_CORES.fullmatch(entry["file"])]


def lines_of(file, names):
    """The numbers of the lines in these functions, each of which must be there: clang-format ends them with a brace in the first column."""
    numbers, inside, found = set(), False, set()
    for number, line in enumerate((ROOT / file).read_text().splitlines(), 1):
        begin = re.match(r"\w[\w \*]*?\b(\w+)\(", line)
        if begin and not line.endswith(";"):
            inside = begin[1] in names
            found |= {begin[1]} & set(names)
        if inside:
            numbers.add(number)
        if line == "}":
            inside = False
    assert found == set(names), f"{file} has no {set(names) - found}: tests/lib/suites.py, NOT_SIMULATED"
    return numbers


def reached(entry):
    """Lines of a core that runs could reach, and those that they did."""
    apart = lines_of(entry["file"], NOT_SIMULATED.get(entry["file"], ()))
    lines = [line for line in entry["lines"] if not line.get("gcovr/noncode") and line["line_number"] not in apart]
    return len(lines), sum(line["count"] > 0 for line in lines)


def sim_coverage():
    """The simulator under sanitizers: the share of the cores' lines that it reaches is printed and held."""
    entries = [(entry["file"], *reached(entry)) for entry in sim_reached(build("sanitize"))]
    total = sum(lines for _, lines, _ in entries)
    percent = 100 * sum(covered for _, _, covered in entries) / total if total else 0
    for name, lines, covered in sorted(entries, key=lambda entry: entry[2] - entry[1])[:5]:
        print(f"  {name}: {covered} of {lines} lines")
    print(f"not simulated, and not among them: {sum(map(len, NOT_SIMULATED.values()))} functions for keys and rights")
    print(f"coverage of {len(entries)} cores by the simulator: {percent:.1f} % of {total} lines")
    if percent < SIM_CORES_MIN_PERCENT:
        return Result(failed=1, notes=[f"the simulator reaches {percent:.1f} % of its cores, at least {SIM_CORES_MIN_PERCENT} % are wanted"])
    return Result(passed=1)


FUZZ_LIMITS = ["-runs=20000", "-max_total_time=12"]  # of a target, whichever is reached first
DECODERS_MIN_PERCENT = 95


def run_fuzz(limits):
    result = Result()
    for target, runs, failure in fuzzing.run_all(build("fuzz"), limits, SANITIZER_ENV):
        if failure is None:
            result.passed += 1
            print(f"{target.name}: {runs:,} executions", flush=True)
        else:
            result.failed += 1
            result.notes.append(failure)
    if not result.passed + result.failed:
        result.failed = 1
        result.notes.append("no fuzz target was built")
    return result


def fuzz():
    return run_fuzz(FUZZ_LIMITS)


def fuzz_long():
    return run_fuzz(["-max_total_time=60"])


def fuzz_coverage():
    """The share of the decoders' lines that the fuzz targets' corpora reach is printed and held."""
    folder = build("sanitize")
    apart, failures = fuzzing.replay(folder, SANITIZER_ENV)
    entries = fuzzing.reached(folder, apart)
    total = sum(lines for _, _, lines, _ in entries)
    percent = 100 * sum(covered for _, covered, _, _ in entries) / total if total else 0
    for name, covered, lines, missed in sorted(entries, key=lambda entry: -len(entry[3]))[:5]:
        print(f"  {name}: {covered} of {lines} lines; not {', '.join(map(str, missed))}")
    print(f"coverage of {len(entries)} decoders by the fuzz targets' corpora: {percent:.1f} % of {total} lines")
    if percent < DECODERS_MIN_PERCENT:
        failures.append(f"the corpora reach {percent:.1f} % of the decoders, at least {DECODERS_MIN_PERCENT} % are wanted")
    return Result(passed=0 if failures else 1, failed=len(failures), notes=failures)


# A planted bug -> within how many seeds the simulator must find it: some ten times what it needs.
PLANTED = {"early-ack": 10, "no-numbers": 15, "offset-first": 80, "stored-run": 80, "late-ack": 500, "restamped": 80,
           "mark-first": 200, "window": 20, "merge": 10,
           "shared-reports": 1000, "no-sync": 30,
           "rebuild-short": 100, "gap-silent": 800, "unchecked": 150, "conflict-repeat": 600, "told-early": 30,
           "ids-first": 50, "no-anchor": 1500,
           "share-kept": 80, "delete-ignored": 80, "remembered": 200, "live-skips": 80, "disk-untold": 1500, "uncounted": 10,
           "misplaced": 20, "unheld": 2500}
SIM_FRESH_FROM = 10**6  # the fixed set lies below


def sim_job(program, *arguments):
    """Runs that were right, and what is to be said of them; the last two lines are the sums and the faults."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **SANITIZER_ENV})
    lines = done.stdout.splitlines()
    sums = re.search(r"(\d+) runs, (\d+) failed", done.stdout)
    if done.returncode != 0 or not sums:
        return 0, [f"till-sim {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"]
    if "--find" in arguments:
        print(lines[-1], flush=True)
        return 1, []
    print(lines[-2], flush=True)
    return int(sums[1]), []


def sim_seeds(first, count, jobs):
    """The seeds in as many pieces as there are to run at a time."""
    size = -(-count // jobs)
    return [f"{start}-{min(start + size, first + count) - 1}" for start in range(first, first + count, size)]


def bugs_of(program):
    """Those that it knows, by its own words."""
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    return re.search(r"bugs:(.*)", done.stderr)[1].split()


def run_sim(kind, count):
    """`count` fixed seeds, as many fresh ones, and every planted bug."""
    program = build(kind) / "tests" / "sim" / "till-sim"
    jobs = os.cpu_count() or 1
    fresh = random.SystemRandom().randrange(SIM_FRESH_FROM, 10**12)
    runs = [("--seeds", seeds) for first in (1, fresh) for seeds in sim_seeds(first, count, jobs)]
    runs += [("--seeds", f"1-{limit}", "--bug", bug, "--find") for bug, limit in PLANTED.items()]
    result = Result()
    if sorted(PLANTED) != sorted(bugs_of(program)):
        result.add(Result(failed=1, notes=["PLANTED says of other bugs than till-sim has within how many seeds they are to be found"]))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for passed, notes in pool.map(lambda arguments: sim_job(program, *arguments), runs):
            result.passed += passed
            result.failed += len(notes)
            result.notes += notes
    return result


def sim():
    return run_sim("plain", 4000)


SUITES = [
    Suite("style", 300, "layers, lengths, formatting and words of the source", style),
    Suite("unit", 300, "cmocka, the pure modules and their rims; conformance vectors", unit),
    Suite("sim", 300, "edge, bridge and aggregator simulated with faults, 8,000 seeds; planted bugs are found", sim, beside="work"),
    Suite("system", 1500, "pytest on the real programs and a real Kafka: what kills, takes away, or says little under sanitizers", system),
    Suite("python", 1200, "the Python package, installed from its wheel, against the real programs and databases", python, beside="python"),
    Suite("console", 180, "the web console in Debian's Chromium: its figures, its live updates, its failures, who can use it", console, beside="python"),
    Suite("python-long", 1200, "tests of the Python package that take longer", python_long, long=True),
    Suite("unit-sanitize", 420, "the unit tests under ASan and UBSan", unit_sanitize, beside="work"),
    Suite("system-sanitize", 1500, "the other system tests, with the programs under ASan and UBSan", system_sanitize),
    Suite("sim-coverage", 600, "the simulator under ASan and UBSan; lines of its cores that it reached, printed and held", sim_coverage, beside="work"),
    Suite("coverage", 2400, "lines that the tests under sanitizers reached, printed and held", coverage),
    Suite("fuzz", 420, "every libFuzzer target over its corpus and 20,000 runs", fuzz, beside="work"),
    Suite("fuzz-coverage", 300, "the fuzz targets' corpora under ASan and UBSan; lines of the decoders that they reached, printed and held", fuzz_coverage, beside="work"),
    Suite("system-plain", 2400, "all system tests without sanitizers", system_plain, long=True),
    Suite("guards", 7200, "tests fail when the line is gone that guards what they show", guarded, long=True),
    Suite("unit-thread", 600, "the unit tests under TSan", unit_thread, long=True),
    Suite("unit-valgrind", 1800, "the unit tests under valgrind", unit_valgrind, long=True),
    Suite("fuzz-long", 2400, "every libFuzzer target for a minute", fuzz_long, long=True),
]


BESIDE_NICE = 5
BESIDE_PATIENCE = 4  # budgets of suites that run beside others are so many times as long


def main():
    parser = argparse.ArgumentParser(prog="tests/run")
    parser.add_argument("suites", nargs="*", help="only these")
    parser.add_argument("--list", action="store_true", help="suites and their time budgets")
    parser.add_argument("--long", action="store_true", help="also what takes longer")
    parser.add_argument("--beside", help=argparse.SUPPRESS)  # where the sums go of a process that runs beside another
    arguments = parser.parse_args()
    if arguments.list:
        for suite in SUITES:
            print(f"{suite.name:18} {suite.budget_s:5} s  {suite.what}{' (--long)' if suite.long else ''}")
        return 0
    known = {suite.name: suite for suite in SUITES}
    unknown = [name for name in arguments.suites if name not in known]
    if unknown:
        parser.error(f"no suite {unknown[0]!r}; there are {', '.join(known)}")
    chosen = [known[name] for name in arguments.suites] or [
        suite for suite in SUITES if arguments.long or not suite.long]
    return run_beside(chosen, arguments.beside) if arguments.beside else run_all(chosen)


def run_each(suites, patience=1):
    total = Result()
    for suite in suites:
        print(f"== {suite.name}: {suite.what}", flush=True)
        start = time.monotonic()
        try:
            result = suite.run()
        except (subprocess.CalledProcessError, OSError) as error:
            result = Result(failed=1, notes=[str(error)])
        took_s, budget_s = time.monotonic() - start, patience * suite.budget_s
        if result.passed + result.failed == 0:
            result.failed = 1
            result.notes.append("nothing was run")
        if took_s > budget_s:
            result.failed += 1
            result.notes.append(f"took {took_s:.0f} s, its budget is {budget_s} s")
        for note in result.notes:
            print(note)
        print(f"== {suite.name}: {result.passed} ok, {result.failed} not ok, {result.skipped} left out, "
              f"{took_s:.0f} of {budget_s} s", flush=True)
        total.add(result)
    return total


class Beside:
    """Another process that runs suites with less right to the processors. `end` waits for it and tells what came of it."""

    def __init__(self, lane, suites):
        folder = ROOT / "build"
        folder.mkdir(exist_ok=True)
        self.words, self.sums = folder / f"beside-{lane}.log", folder / f"beside-{lane}.json"
        self.sums.unlink(missing_ok=True)
        with open(self.words, "w", encoding="utf-8") as words:
            self.process = subprocess.Popen(
                ["nice", "-n", str(BESIDE_NICE), sys.executable, __file__, "--beside", self.sums, *[suite.name for suite in suites]],
                stdout=words, stderr=words)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    def end(self):
        code = self.process.wait()
        print(self.words.read_text(encoding="utf-8", errors="replace"), end="", flush=True)
        if not self.sums.exists():
            print(f"the suites beside the others ended with {code} and no sums")
            return Result(failed=1)
        return Result(**json.loads(self.sums.read_text()))


def run_beside(suites, sums):
    total = run_each(suites, BESIDE_PATIENCE)
    Path(sums).write_text(json.dumps({"passed": total.passed, "failed": total.failed, "skipped": total.skipped}))
    return 1 if total.failed else 0


def run_all(chosen):
    """Those that run beside the others do so where there are others; what sums all of them up comes last."""
    forget_measured()
    lanes = {suite.beside: [each for each in chosen if each.beside == suite.beside] for suite in chosen if suite.beside}
    front = [suite for suite in chosen if not suite.beside and suite.run is not coverage]
    last = [suite for suite in chosen if suite.run is coverage]
    if front:
        with contextlib.ExitStack() as stack:
            others = [stack.enter_context(Beside(lane, suites)) for lane, suites in lanes.items()]
            total = run_each(front)
            for each in others:
                total.add(each.end())
    else:
        total = run_each([suite for suites in lanes.values() for suite in suites])
    total.add(run_each(last))
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {total.failed} failed{skipped}")
    return 1 if total.failed else 0


if __name__ == "__main__":
    if shutil.which("meson") is None:
        sys.exit("tests/run: meson is not installed")
    sys.exit(main())
