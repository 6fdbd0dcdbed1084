"""Shows that tests can fail: for each entry of guards/*.toml the line of the product that guards a promise is changed in a copy of
the tree, the copy is built, and the test that docs/RELIABILITY.md names must fail. `tests/run guards` runs all of them.

    [[guard]]
    test = "test_of_tests_unit_or_system"    as docs/RELIABILITY.md names it; for anything else a name, and
    command = "…"                            what a shell runs in the tree (its build is in build/): it must fail
    file = "edge/sender.c"
    take = "the exact text, once in the file"
    put = "what stands in its place; it compiles"

usage: guards.py [--only TEST_OR_FILE] (by hand, from anywhere)
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LISTS = Path(__file__).with_name("guards")
TREE = ROOT / "build-guards"
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
        subprocess.run(["meson", "setup", "build", "--buildtype=debugoptimized"], cwd=TREE, check=True, capture_output=True)


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
        built = subprocess.run(["ninja", "-C", "build", "--quiet"], cwd=TREE, capture_output=True, text=True, check=False)
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


def run(only=""):
    """[(guard, None or what is wrong)]"""
    copy_tree()
    results = []
    for guard in load():
        if only in guard.test or only in guard.file:
            fault = guard.fault() or try_guard(guard)
            print(f"{'NOT GUARDED' if fault else 'guarded'}: {guard.test} by {guard.file}", flush=True)
            results.append((guard, fault))
    return results


def main():
    parser = argparse.ArgumentParser(prog="guards.py")
    parser.add_argument("--only", default="", help="a part of the test's or the file's name")
    results = run(parser.parse_args().only)
    for guard, fault in results:
        if fault:
            print(f"{guard.test}: {guard.file}: {fault}")
    return 1 if not results or any(fault for _, fault in results) else 0


if __name__ == "__main__":
    sys.exit(main())
