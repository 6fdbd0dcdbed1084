"""Random questions in the query language against a model of it, thousands a piece, while orders come in between; a piece is a new chain
with one shard or four."""
import random
import shutil
import tempfile
import time
from pathlib import Path

from harness import Broker, Pipeline
from query_rig import EDGES, VIEWS, check_random, send

QUESTIONS = 1000
PARTS = 3
PIECE_S = 120  # what one takes, about


def rounds(seed, deadline):
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="till-query-"))
    kafka = Broker(folder / "kafka")
    number = 0
    try:
        while number == 0 or time.monotonic() + PIECE_S < deadline:
            number += 1
            yield piece(folder / f"piece-{number}", kafka, f"q{number}-", chance.randrange(2**32), 1 if number % 2 else 4)
    finally:
        kafka.down()
    shutil.rmtree(folder)  # kept if anything failed


def piece(folder, kafka, prefix, seed, shards):
    folder.mkdir()
    views = folder / "views.conf"
    views.write_text(VIEWS)
    pipe = Pipeline(folder, kafka.bootstrap, prefix, edges=EDGES, options={"till-aggregator": [f"aggregator.shards={shards}"]})
    dice = random.Random(seed)
    answered = 0
    try:
        pipe.start_aggregator("-c", str(views))
        for part in range(PARTS):
            send(pipe, dice, 600, part * 600)
            answered += check_random(pipe.client, seed + part, QUESTIONS)
        return {"rounds": 1, "questions": PARTS * QUESTIONS, "answered": answered}
    except Exception as error:
        raise AssertionError(f"TILL_SEED={seed} TILL_QUESTIONS={QUESTIONS} in {folder}: {error}") from error
    finally:
        pipe.stop()
