"""Programs whose wall clock leaps, stands or is wrong from the start: libfaketime. The monotonic clock goes on, as it does where
somebody sets a clock."""
import glob
import os

import pytest
from harness import BUILD

FOUND = sorted(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1"))
needs_faketime = pytest.mark.skipif(not FOUND, reason="libfaketime is not installed")
HOUR_S, DAY_S, YEAR_S = 3600, 86400, 365 * 86400
LEAPS_S = (HOUR_S, -HOUR_S, DAY_S, -DAY_S, 10 * YEAR_S, -10 * YEAR_S)
FROZEN = "2026-02-03 04:05:06"


class Clock:
    """One program's. `environment` is for its next start; it leaps when it is told."""

    def __init__(self, path):
        self.path = path
        self.environment = {
            **os.environ, "LD_PRELOAD": f"{BUILD}/tests/lib/libcnd-preload.so {FOUND[0]}", "FAKETIME_TIMESTAMP_FILE": str(path), "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_RESET": "1"}
        self.leap(0)

    def set(self, text):
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text + "\n")
        fresh.rename(self.path)  # never read half-written

    def leap(self, seconds):
        """So far from the truth, ahead or behind."""
        self.set(f"{seconds:+d}")

    def freeze(self):
        self.set(FROZEN)


def give(program, path):
    """The program again, by a clock of its own."""
    clock = Clock(path)
    program.stop()
    program.env = clock.environment
    program.start()
    return clock
