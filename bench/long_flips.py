"""Flipped bits, and now and then worse, in files of spools and stores: refused, or known to be damaged, or without effect, and never
something else told as the truth."""
import random
import time

import power

DAMAGES = 1000


def rounds(seed, deadline):
    chance = random.Random(seed)
    number = 0
    while time.monotonic() < deadline:
        subject = power.SUBJECTS[number % 2]
        figures = power.run(subject, seed=chance.randrange(2**32), flips=DAMAGES)
        number += 1
        yield {"rounds": 1, f"flips_{subject}": figures["flips"], **figures}
