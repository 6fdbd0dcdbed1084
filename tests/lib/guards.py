"""Shows that tests can fail: for each entry of guards/*.toml the line of the product that guards a promise is changed in a copy of
the tree, the copy is built, and the test that docs/RELIABILITY.md names must fail. `tests/run guards` runs all of them.

    [[guard]]
    test = "test_of_tests_unit_or_system"    as docs/RELIABILITY.md names it; for anything else a name, and
    command = "…"                            what a shell runs in the tree (its build is in build/): it must fail
    file = "edge/sender.c"
    take = "the exact text, once in the file"
    put = "what stands in its place; it compiles"

What was shown is kept in build-guards/shown.json and not shown again until the entry, its file or its test changes, so that
a run may end after so many minutes and the next one goes on.

usage: guards.py [--only TEST_OR_FILE] [--minutes M] [--units] (by hand, from anywhere)
"""
import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import astuple, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LISTS = Path(__file__).with_name("guards")
TREE = ROOT / "build-guards"
SHOWN = TREE / "shown.json"
TEST_DEADLINE_S = 600


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
        """What it was shown with: another mark must be shown again."""
        parts = [*astuple(self), (root / self.file).read_text()]
        if (unit := find_unit(self.test, root)) is not None:
            parts.append((root / "tests" / "unit" / unit[0] / f"test_{unit[1]}.c").read_text())
        elif (path := find_system(self.test, root)) is not None:
            parts.append(path.read_text())
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def targets(self, root=ROOT):
        """What must be built for its test: the one program of a unit test, else everything."""
        unit = None if self.command else find_unit(self.test, root)
        return [f"tests/unit/{unit[0]}/test-{unit[0]}-{unit[1]}"] if unit is not None else []


def load():
    return [Guard(**entry) for path in sorted(LISTS.glob("*.toml")) for entry in tomllib.loads(path.read_text())["guard"]]


def find_unit(test, root=ROOT):
    """(folder, name) of the program that holds it."""
    for path in sorted((root / "tests" / "unit").rglob("test_*.c")):
        if re.search(rf"^static void {test}\(", path.read_text(), re.M):
            return path.parent.name, path.stem.removeprefix("test_")
    return None


def find_system(test, root=ROOT):
    for path in sorted((root / "tests" / "system").glob("test_*.py")):
        if re.search(rf"^def {test}\(", path.read_text(), re.M):
            return path
    return None


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
    return ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{path}", "-k", guard.test], env, (
        lambda code, out: code == 1)


def try_guard(guard):
    """None if the test failed without its guard, else what happened."""
    path = TREE / guard.file
    whole = path.read_text()
    try:
        path.write_text(whole.replace(guard.take, guard.put))
        built = subprocess.run(["ninja", "-C", "build", "--quiet", *guard.targets()], cwd=TREE, capture_output=True, text=True, check=False)
        if built.returncode != 0:
            return f"does not compile: {built.stdout[-1500:]}"
        command, env, has_failed = test_command(guard)
        try:
            done = subprocess.run(command, cwd=TREE, env=env, capture_output=True, text=True, check=False, timeout=TEST_DEADLINE_S)
        except subprocess.TimeoutExpired:
            return None  # without its guard it does not come to an end
        if has_failed(done.returncode, done.stdout):
            return None
        return f"passes all the same (it ended with {done.returncode}): {done.stdout[-500:]}"
    finally:
        path.write_text(whole)


def show(guard, shown):
    """None or what is wrong; in `shown`, and on disk, once it was shown."""
    fault = guard.fault()
    if fault is None and shown.get(mark := guard.mark()) is None:
        fault = try_guard(guard)
        if fault is None:
            shown[mark] = guard.test
            SHOWN.write_text(json.dumps(shown, indent=1))
    print(f"{'NOT GUARDED' if fault else 'guarded'}: {guard.test} by {guard.file}", flush=True)
    return fault


def run(only="", minutes=None, units=False):
    """[(guard, None or what is wrong)] of those that there was time for, units first."""
    end = time.monotonic() + 60 * minutes if minutes is not None else float("inf")
    copy_tree()
    shown = json.loads(SHOWN.read_text()) if SHOWN.exists() else {}
    chosen = [guard for guard in load() if only in guard.test or only in guard.file]
    if units:
        chosen = [guard for guard in chosen if guard.targets()]
    results = []
    for guard in sorted(chosen, key=lambda guard: not guard.targets()):
        if time.monotonic() >= end:
            print(f"{len(chosen) - len(results)} of {len(chosen)} are left for another time", flush=True)
            break
        results.append((guard, show(guard, shown)))
    return results


def main():
    parser = argparse.ArgumentParser(prog="guards.py")
    parser.add_argument("--only", default="", help="a part of the test's or the file's name")
    parser.add_argument("--minutes", type=float, help="then the rest is left for another time")
    parser.add_argument("--units", action="store_true", help="only those whose test is a unit test")
    arguments = parser.parse_args()
    results = run(arguments.only, arguments.minutes, arguments.units)
    for guard, fault in results:
        if fault:
            print(f"{guard.test}: {guard.file}: {fault}")
    return 1 if not results or any(fault for _, fault in results) else 0


if __name__ == "__main__":
    sys.exit(main())
