"""The package as it is built and installed: from the tree, into which that writes nothing."""
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import entry_points, version

import pytest
from harness import ROOT

COMMANDS = {point.name.removeprefix("till-"): point for point in entry_points(group="console_scripts") if point.name.startswith("till-")}
IN_README = [line for line in re.findall(r"^till (\w+ .*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
             if line.split()[0] in COMMANDS]


def run(name, *arguments):
    point = COMMANDS[name]
    code = f"import sys; from {point.module} import {point.attr}; sys.exit({point.attr}())"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, timeout=60)


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_building_leaves_nothing_in_the_tree_that_it_builds_from(tmp_path):
    tree = tmp_path / "python"
    shutil.copytree(ROOT / "python", tree, ignore=shutil.ignore_patterns("__pycache__"))
    before = files_of(tree)
    done = subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir",
                           tmp_path / "wheels", tree], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [path.suffix for path in (tmp_path / "wheels").iterdir()] == [".whl"]
    assert files_of(tree) == before


def test_each_command_says_its_version():
    assert len(COMMANDS) == 6
    for name in COMMANDS:
        done = run(name, "--version")
        assert (done.returncode, done.stdout) == (0, f"till {name} {version('till')}\n"), done


@pytest.mark.parametrize("line", IN_README)
def test_each_command_of_the_readme_has_these_options(line):
    name, *words = shlex.split(line, comments=True)
    options = {word for word in words if word.startswith("-")}
    verb = words[:1] if words and re.fullmatch("[a-z]+", words[0]) else []
    said = run(name, *verb, "--help")
    assert said.returncode == 0, said
    assert options <= set(re.findall(r"(?<!\S)-{1,2}[a-z][a-z-]*", said.stdout)), (options, said.stdout)


def test_the_readme_shows_every_command():
    assert {line.split()[0] for line in IN_README} == set(COMMANDS)
