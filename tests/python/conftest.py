"""Tests of python/, as it is installed from its wheel; fixtures are those of the system tests."""
from pathlib import Path

import pytest
import till

pytest_plugins = ["pipeline_fixtures", "alert_rig"]


@pytest.fixture(autouse=True, scope="session")
def _is_the_installed_one():
    assert "site-packages" in Path(till.__file__).parts, f"{till.__file__} is not what the wheel installed"
