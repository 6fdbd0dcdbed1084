"""kill -9 of every part, at random moments and at named points, over a Kafka of three nodes of which one may be dead too. A piece
is a new chain: some hundred deaths while tills sell and rows of a database change, then exact totals in all views, of four shards
as well, and a store rebuilt to the same bytes."""
import random
import shutil
import tempfile
import time
from pathlib import Path

from cluster import Admin
from harness import Broker
from kill_rig import KillRig

PIECE = 250
SETTLE_S = 60  # what a piece takes after its deaths, about


def rounds(seed, deadline):
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="till-kill-"))
    kafka = Broker(folder / "kafka", nodes=3)
    admin = Admin(kafka.bootstrap, folder / "admin.log")
    number = 0
    try:
        while time.monotonic() + 2 * SETTLE_S < deadline:
            number += 1
            piece_seed = chance.randrange(2**32)
            yield piece(folder / f"piece-{number}", (kafka, admin), f"k{number}-", piece_seed, deadline - SETTLE_S)
            shutil.rmtree(folder / f"piece-{number}")
    finally:
        admin.close()
        kafka.down()
    shutil.rmtree(folder)  # kept if anything failed


def piece(folder, cluster, prefix, seed, deadline):
    kafka, admin = cluster
    folder.mkdir()
    rig = KillRig(folder, kafka.bootstrap, prefix, seed, admin, kafka=kafka)
    try:
        rig.run(PIECE, deadline)
        rig.settle()
        rig.judge()
        figures = rig.figures()
        rig.rebuild()
        return figures
    except Exception as error:
        raise AssertionError(f"TILL_SEED={seed} in {folder}: {error}") from error
    finally:
        rig.stop()
