"""Every Nth call of each kind fails in each program, N = 1, 2, 3 … until a pass without a failure: tests/lib/nth.py. The seed is
the order in which programs and kinds of call come. TILL_NTH=till-edge,alloc,22 does that one alone."""
import os
import random
import tempfile
import time
from pathlib import Path

import nth
from harness import Broker

STRIPES = 16  # the many allocations, in portions that reach from start to end each
PIECE = 10


def portions(seed):
    """[(program, call, first N, step)]"""
    found = [(name, call, first, STRIPES if call == "alloc" else 1)
             for name in nth.CALLS for call in nth.CALLS[name] for first in range(1, 1 + (STRIPES if call == "alloc" else 1))]
    random.Random(seed).shuffle(found)
    return found


def numbers(seed):
    """(program, call, N), endless for a portion: who runs them says when it was passed, by sending True."""
    if os.environ.get("TILL_NTH"):
        name, call, number = os.environ["TILL_NTH"].split(",")
        yield name, call, int(number)
        return
    for name, call, number, step in portions(seed):
        is_passed = False
        while not is_passed:
            is_passed = yield name, call, number
            number += step


def outcomes(seed, deadline):
    """(whether a call failed, how the program took it), one after the other."""
    with tempfile.TemporaryDirectory(prefix="till-nth-") as folder:
        broker = Broker(Path(folder) / "kafka")
        rigs = nth.Rigs(Path(folder), broker.bootstrap, "nth-")
        try:
            source, place = numbers(seed), None
            place = next(source)
            while time.monotonic() < deadline:
                try:
                    injected, _, outcome = rigs.round(*place)
                except Exception as error:
                    raise AssertionError(f"TILL_NTH={','.join(map(str, place))} bench/long nth: {error}") from error
                yield injected, outcome
                try:
                    place = source.send(not injected)
                except StopIteration:
                    return
        finally:
            rigs.stop()
            broker.down()


def rounds(seed, deadline):
    piece = {"rounds": 0, "injections": 0, "clean_passes": 0}
    for injected, outcome in outcomes(seed, deadline):
        piece["rounds"] += 1
        piece["injections" if injected else "clean_passes"] += 1
        kind = "in_a_library" if outcome.startswith("died") else outcome.replace(" ", "_")
        piece[kind] = piece.get(kind, 0) + int(injected)
        if piece["rounds"] == PIECE:
            yield piece
            piece = {"rounds": 0, "injections": 0, "clean_passes": 0}
    if piece["rounds"]:
        yield piece
