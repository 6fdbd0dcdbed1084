"""The package as it is built and installed: from the tree, into which that writes nothing."""
import shutil
import subprocess
import sys

from harness import ROOT


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
    from importlib.metadata import entry_points, version
    commands = [point for point in entry_points(group="console_scripts") if point.name.startswith("till-")]
    assert len(commands) == 6
    for point in commands:
        done = subprocess.run([sys.executable, "-c", f"import sys; from {point.module} import {point.attr}; sys.exit({point.attr}())",
                               "--version"], capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stdout) == (0, f"{point.name.replace('-', ' ')} {version('till')}\n"), (point.name, done)
