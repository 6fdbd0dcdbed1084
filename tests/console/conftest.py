"""One browser and one loaded pipeline for all tests of the console."""
import functools
import os

import pytest
from browser import Browser
from console_rig import Console

pytest_plugins = ["pipeline_fixtures"]


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    made = Browser(tmp_path_factory.mktemp("downloads"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def console(broker, admin, retail, tmp_path_factory):
    made = Console(tmp_path_factory.mktemp("console"), broker, admin, f"c{os.getpid()}-", *retail)
    yield made
    made.stop()


@pytest.fixture
def tab(browser, console):
    """tab(**Browser.open's arguments); whatever was opened must have had nothing to complain of."""
    with browser.tabs() as make:
        yield functools.partial(make, console.address)
