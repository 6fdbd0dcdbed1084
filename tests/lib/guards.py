"""Shows that tests can fail: for each entry of guards/*.toml the line of the product that guards a promise is changed in a copy of
the tree, the copy is built, and the test that docs/RELIABILITY.md names must fail. `tests/run guards` runs all of them.

    [[guard]]
    test = "test_of_tests_unit_or_system"    as docs/RELIABILITY.md names it; for anything else a name, and
    command = "…"                            what a shell runs in the tree (its build is in build/): it must fail
    file = "edge/sender.c"
    take = "the exact text, once in the file"
    put = "what stands in its place; it compiles"

What was seen is kept in guards/SEEN, one line a guard, which is committed. A guard is open, and replayed by the next run, until
it stands there with its entry and its test's text as they are now; so a run may end after so many minutes and another goes on.

usage: guards.py [--only TEST_OR_FILE] [--minutes M] [--units] [--again] [--open] (by hand, from anywhere)
"""
import argparse
import ast
import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import astuple, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LISTS = Path(__file__).with_name("guards")
TREE = ROOT / "build-guards"
SEEN = LISTS / "SEEN"
SEEN_HEAD = """\
# Guards that were seen: without its line the test failed. Written by tests/lib/guards.py; its --open lists the others.
# A hash is that of the guard's entry and of its test: what changed since is open again.
"""
TEST_DEADLINE_S = 300
BUILT_FOR_UNITS_ONLY = ("tests/unit", "tests/fuzz", "tests/vectors", "tests/sim")


@dataclass
class Guard:
    test: str
    file: str
    take: str
    put: str
    command: str = ""  # instead of the unit or system test of that name: run in the tree by a shell, it must fail

    def fault(self, root=ROOT):
        """What is wrong with the entry itself, or None."""
        path = root / self.file
        if not path.is_file():
            return f"{self.file} does not exist"
        found = path.read_text().count(self.take)
        if found != 1:
            return f"{self.file}: {self.take!r} is there {found} times, not once"
        if not self.command and find_unit(self.test, root) is None and find_system(self.test, root) is None:
            return f"no test is called {self.test}"
        return None

    def mark(self, root=ROOT):
        """What it was seen with: under another mark it is open again."""
        parts = [*astuple(self), "" if self.command else test_text(self.test, root)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def line(self, root=ROOT):
        """As it stands in SEEN."""
        return f"{self.mark(root)} {self.test} {self.file}"

    def is_unit(self, root=ROOT):
        return not self.command and find_unit(self.test, root) is not None


def load():
    return [Guard(**entry) for path in sorted(LISTS.glob("*.toml")) for entry in tomllib.loads(path.read_text())["guard"]]


@functools.cache
def units(root):
    """Unit test -> (folder, name) of the program that holds it."""
    return {test: (path.parent.name, path.stem.removeprefix("test_")) for path in sorted((root / "tests" / "unit").rglob("test_*.c"))
            for test in re.findall(r"^static void (test_\w+)\(", path.read_text(), re.M)}


@functools.cache
def systems(root):
    """System test -> its file."""
    return {test: path for path in sorted((root / "tests" / "system").glob("test_*.py"))
            for test in re.findall(r"^def (test_\w+)\(", path.read_text(), re.M)}


def find_unit(test, root=ROOT):
    return units(root).get(test)


def find_system(test, root=ROOT):
    return systems(root).get(test)


def test_text(test, root=ROOT):
    """The function itself, with its decorators."""
    if (unit := find_unit(test, root)) is not None:
        text = (root / "tests" / "unit" / unit[0] / f"test_{unit[1]}.c").read_text()
        return re.search(rf"^static void {test}\(.*?^}}$", text, re.M | re.S)[0]
    if (path := find_system(test, root)) is not None:
        text = path.read_text()
        found = next(each for each in ast.parse(text).body if getattr(each, "name", "") == test)
        first = min([found.lineno, *(each.lineno for each in found.decorator_list)])
        return "\n".join(text.splitlines()[first - 1:found.end_lineno])
    return ""


def seen_lines():
    if not SEEN.exists():
        return set()
    return {line for line in SEEN.read_text().splitlines() if line and not line.startswith("#")}


def note_seen(guard):
    """Keeps it on disk, and drops what stands there of guards that are no more."""
    current = {each.line() for each in load()}
    lines = (seen_lines() | {guard.line()}) & current
    SEEN.write_text(SEEN_HEAD + "".join(f"{line}\n" for line in sorted(lines, key=lambda line: line.split()[1:])))


def open_guards():
    seen = seen_lines()
    return [guard for guard in load() if guard.line() not in seen]


def copy_tree():
    """Every file that git knows of, as it is now; what is there already and equal keeps its time, so little is built again."""
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, check=True,
                           text=True).stdout.split("\0")
    for name in filter(None, names):
        source, copy = ROOT / name, TREE / name
        if not source.is_file() or (copy.is_file() and copy.read_bytes() == source.read_bytes()):
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)
    if not (TREE / "build" / "build.ninja").exists():
        compiler = {"CC": "ccache gcc", "CCACHE_BASEDIR": str(TREE), "CCACHE_NOHASHDIR": "1"} if shutil.which("ccache") else {}
        subprocess.run(["meson", "setup", "build", "--buildtype=debugoptimized"], cwd=TREE, env={**os.environ, **compiler}, check=True,
                       capture_output=True)


def targets(guard):
    """What must be built for its test: the one program of a unit test; else all that is no test of units."""
    if guard.is_unit():
        unit = find_unit(guard.test)
        return [f"tests/unit/{unit[0]}/test-{unit[0]}-{unit[1]}"]
    known = subprocess.run(["meson", "introspect", "--targets", "build"], cwd=TREE, capture_output=True, check=True, text=True).stdout
    return [str(Path(target["filename"][0]).relative_to(TREE / "build")) for target in json.loads(known)
            if target["build_by_default"] and not str(Path(target["defined_in"]).relative_to(TREE)).startswith(BUILT_FOR_UNITS_ONLY)]


def test_command(guard):
    """(command, environment, whether what it printed and its code mean that the test ran and failed)."""
    env = {**os.environ, "TILL_BUILD": str(TREE / "build"), "PYTHONPATH": str(TREE / "tests" / "lib"),
           "PYTHONDONTWRITEBYTECODE": "1"}
    if guard.command:
        return ["bash", "-c", guard.command], env, lambda code, out: code != 0
    if (unit := find_unit(guard.test)) is not None:
        program = TREE / "build" / "tests" / "unit" / unit[0] / f"test-{unit[0]}-{unit[1]}"
        return [program], {**env, "CMOCKA_MESSAGE_OUTPUT": "TAP"}, lambda code, out: (
            code < 0 or f"ok - {guard.test}" not in re.sub(r"not ok \d+ - ", "not-", re.sub(r"^ok \d+ - ", "ok - ", out, flags=re.M)))
    path = find_system(guard.test).relative_to(ROOT)
    return ["/usr/bin/python3", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"{path}::{guard.test}"], env, (
        lambda code, out: code == 1)


def run_test(command, env):
    """(exit code, what it printed), None if it did not come to an end; what it started ends with it."""
    with subprocess.Popen(command, cwd=TREE, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          start_new_session=True) as process:
        try:
            printed, _ = process.communicate(timeout=TEST_DEADLINE_S)
        except subprocess.TimeoutExpired:
            printed = None
        with contextlib.suppress(ProcessLookupError):  # a test that fails may leave what it started
            os.killpg(process.pid, signal.SIGKILL)
        if printed is None:
            process.communicate()
            return None
    return process.returncode, printed


def try_guard(guard):
    """None if the test failed without its guard, else what happened."""
    path = TREE / guard.file
    whole = path.read_text()
    try:
        path.write_text(whole.replace(guard.take, guard.put))
        built = subprocess.run(["ninja", "-C", "build", "--quiet", *targets(guard)], cwd=TREE, capture_output=True, text=True, check=False)
        if built.returncode != 0:
            return f"does not compile: {built.stdout[-1500:]}"
        command, env, has_failed = test_command(guard)
        done = run_test(command, env)
        if done is None or has_failed(*done):  # without its guard it may not come to an end
            return None
        return f"passes all the same (it ended with {done[0]}): {done[1][-500:]}"
    finally:
        path.write_text(whole)


def show(guard):
    """None or what is wrong; noted once it was seen."""
    begun = time.monotonic()
    fault = guard.fault() or try_guard(guard)
    if fault is None:
        note_seen(guard)
    print(f"{'NOT GUARDED' if fault else 'guarded'}: {guard.test} by {guard.file}, {time.monotonic() - begun:.0f} s", flush=True)
    return fault


def run(only="", minutes=None, units_only=False, again=False):
    """[(guard, None or what is wrong)] of the open ones that there was time for, units first, what needs three brokers last; `again`: of all."""
    end = time.monotonic() + 60 * minutes if minutes is not None else float("inf")
    copy_tree()
    chosen = [guard for guard in (load() if again else open_guards()) if only in guard.test or only in guard.file]
    if units_only:
        chosen = [guard for guard in chosen if guard.is_unit()]
    results = []
    for guard in sorted(chosen, key=lambda guard: (not guard.is_unit(), "three_nodes" in f"{find_system(guard.test)}")):
        if time.monotonic() >= end:
            break
        results.append((guard, show(guard)))
    print(f"{len(load()) - len(open_guards())} of {len(load())} guards were seen to guard", flush=True)
    return results


def main():
    parser = argparse.ArgumentParser(prog="guards.py")
    parser.add_argument("--only", default="", help="a part of the test's or the file's name")
    parser.add_argument("--minutes", type=float, help="then the rest is left for another time")
    parser.add_argument("--units", action="store_true", help="only those whose test is a unit test")
    parser.add_argument("--again", action="store_true", help="also those that were seen")
    parser.add_argument("--open", action="store_true", help="runs nothing; lists those that are open")
    arguments = parser.parse_args()
    if arguments.open:
        for guard in open_guards():
            print(f"{guard.test}: {guard.file}")
        return 0
    results = run(arguments.only, arguments.minutes, arguments.units, arguments.again)
    for guard, fault in results:
        if fault:
            print(f"{guard.test}: {guard.file}: {fault}")
    return 1 if any(fault for _, fault in results) else 0


if __name__ == "__main__":
    sys.exit(main())
