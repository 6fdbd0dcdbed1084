"""What long runs compute, where it can be seen without an hour."""
import importlib.util

import pytest
from harness import ROOT


def runner(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "bench" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_growth_is_told_in_percent_an_hour():
    soak = runner("long_soak")
    assert soak.slope_percent([(t, 1000) for t in range(0, 3600, 5)]) == 0
    growing = [(t, 1000 + t / 36) for t in range(0, 3601, 5)]  # a tenth in an hour
    assert soak.slope_percent(growing) == pytest.approx(100 / 1050 * 100, rel=1e-3)
    assert soak.slope_percent([(5, 7)]) == 0
    busy = [(t, 5000 + t % 7 * 100) for t in range(0, 3600, 5)]  # what is under way comes and goes
    assert len(soak.least(busy)) == soak.PIECES and {value for _, value in soak.least(busy)} == {5000}


def test_a_leak_is_told_from_a_table_that_fills_and_a_queue_that_takes_a_block():
    leak = runner("long_leak")
    assert leak.growth([100, 900, 1000, 1000, 1000, 17000, 17000, 17000]) == 0
    assert leak.growth([100, 900, 1000, 1224, 1448, 1448, 1672, 1896]) == 224


def test_every_runner_can_be_loaded_and_says_what_it_does():
    names = sorted(path.stem for path in (ROOT / "bench").glob("long_*.py"))
    assert len(names) >= 5
    for name in names:
        module = runner(name)
        assert module.__doc__ and callable(module.rounds), name
