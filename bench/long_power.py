"""Power losses of edge and store, some thousand images of each life: all is lost that no sync has made safe, or some of it, torn at
sectors, in any order. Now and then LMDB's syncs are taken out, and the losses must be seen."""
import random
import time

import power

IMAGES = 2000
WEAK_EVERY = 10  # lives


def rounds(seed, deadline):
    chance = random.Random(seed)
    number = 0
    while time.monotonic() < deadline:
        subject, life = power.SUBJECTS[number % 2], chance.randrange(2**32)
        figures = power.run(subject, seed=life, images=IMAGES)
        piece = {"rounds": 1, "images": figures["images"], f"images_{subject}": figures["images"], "changes": figures["changes"]}
        if number % WEAK_EVERY == 0:
            weak = power.run(subject, seed=life, images=IMAGES // 10, weak=chance.choice(["nosync", "nometasync"]))
            piece |= {"weak_images": weak["images"], "weak_losses": weak["wrong"]}
        number += 1
        yield piece
