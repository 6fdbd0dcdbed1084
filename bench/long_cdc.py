"""Rounds of random changes in a PostgreSQL, through Debezium and Kafka into totals, with Connect, Kafka and the aggregator killed in
the middle; after each round the totals are what SQL says of the same tables, in every mode of the connector, and at the end a
rebuild from the log gives the same store. A round waits for JVMs above all, so this may run beside other work."""
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "system")]
from cdc_chain import REWRITES, Chain  # noqa: E402
from cluster import Admin  # noqa: E402
from harness import Broker, Pipeline  # noqa: E402
from postgres import Postgres  # noqa: E402

ROUNDS_A_CHAIN = 8
ROUND_S_MAX = 300


def kill_connect(chain, _):
    chain.connect.kill()
    chain.connect.start()
    chain.connect.wait_streaming()


def kill_kafka(chain, kafka):
    kafka.kill()
    kafka.start()
    chain.connect.wait_streaming()


def kill_aggregator(chain, _):
    chain.pipe.aggregator.restart()


def one_round(chain, kafka, chance):
    kills = 0
    with chain.changing(rate=chance.choice((20, 60, 150)), seed=chance.randrange(2**32)):
        for kill in chance.choices((kill_connect, kill_kafka, kill_aggregator), (2, 1, 3), k=4):
            chain.wait_changes()
            kill(chain, kafka)
            kills += 1
    for statement in chance.choices(REWRITES, k=chance.randrange(5)):
        chain.database.sql(statement)
    chain.assert_equal()
    return kills


def rounds(seed, deadline):
    chance = random.Random(seed)
    while time.monotonic() + ROUND_S_MAX < deadline:
        with tempfile.TemporaryDirectory(prefix="till-cdc-") as folder:
            yield from one_chain(Path(folder), chance, deadline)


def one_chain(folder, chance, deadline):
    kafka, server = Broker(folder / "kafka"), Postgres()
    admin = Admin(kafka.bootstrap, folder / "admin.log")
    pipe = Pipeline(folder, kafka.bootstrap, "c-", edges=())
    chain = Chain(pipe, server.new_database("shop"), admin)
    try:
        for _ in range(ROUNDS_A_CHAIN):
            if time.monotonic() + ROUND_S_MAX > deadline:
                break
            kills = one_round(chain, kafka, chance)
            yield {"rounds": 1, "kills": kills}
        records = pipe.books("read")
        chain.assert_rebuild_is_the_same()
        yield {"rebuilds": 1, "records": records}
    finally:
        chain.close()
        pipe.stop()
        admin.close()
        kafka.down()
        server.stop()
