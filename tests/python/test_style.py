"""The package's source: typed throughout, and as the linter wants it."""
import subprocess
import sys

import pytest
from harness import ROOT


@pytest.mark.parametrize("command", [("mypy", "--config-file", "python/pyproject.toml", "--cache-dir", "build/mypy", "python/till"),
                                     ("ruff", "check", "--no-cache", "--config", "python/pyproject.toml", "python", "tests/python")],
                         ids=["mypy", "ruff"])
def test_source_is_typed_and_tidy(command):
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
