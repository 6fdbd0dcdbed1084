"""Rounds of broker faults on a Kafka of three nodes, under load, with two bridges. Each round: some faults, one after the other, then
everything heals by itself, and what tills were told, the totals and the log agree to the cent. Now and then the store is rebuilt
from the log and must be the same, byte for byte. A round waits for Kafka above all, so this may run beside other work."""
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "system")]
from broker_faults import Faults, Tills, assert_equals_ledger, rebuilt_dump  # noqa: E402
from cluster import Cluster  # noqa: E402
from harness import Pipeline, program, sum_metric, wait_until  # noqa: E402

FAULTS_A_ROUND = 20
ROUNDS_A_PIPE = 4  # then new topics: reading all of them at each round's end would take ever longer
ROUND_S_MAX = 240


def new_pipe(folder, cluster, number):
    folder = folder / f"pipe-{number}"
    folder.mkdir()
    bootstrap, options = cluster.as_user(folder)
    pipe = Pipeline(folder, bootstrap, f"p{number}-", edges=("store-1", "store-2", "store-3"), bridges=2,
                    options={"till-bridge": options, "till-aggregator": options})
    pipe.start_aggregator()
    pipe.bootstrap = cluster.bootstrap  # for who only looks
    wait_until(lambda: len(cluster.admin.leaders(prefix=pipe.prefix)) == 6, "the topics")
    return pipe


def dump(pipe):
    return subprocess.run([program("till-aggregator"), *pipe.aggregator.args, "--dump"], capture_output=True, text=True,
                          timeout=300, check=True).stdout


def provoked(pipe, log):
    """What the faults of a pipe's whole life led to."""
    bridges = [bridge.metrics() for bridge in pipe.bridges]
    edges = [edge.metrics() for edge in pipe.edges.values()]
    return {"events": log["events"], "duplicates": log["duplicates"],
            "producers_rebuilt": int(sum(sum_metric(each, "till_bridge_producer_rebuilds_total") for each in bridges)),
            "resends": int(sum(sum_metric(each, "till_edge_batches_resent_total") for each in edges)),
            "failovers": int(sum(sum_metric(each, "till_edge_bridge_failovers_total") for each in edges))}


def one_pipe(cluster, pipe, chance, deadline):
    tills, log = Tills(pipe, chance.random()), None
    faults = Faults(cluster, pipe, chance)
    for _ in range(ROUNDS_A_PIPE):
        if time.monotonic() + ROUND_S_MAX > deadline:
            break
        begun = sum(faults.done.values())
        with tills:
            for name in chance.choices(Faults.NAMES, k=FAULTS_A_ROUND):
                faults.do(name)
            faults.wait_started()
        log = assert_equals_ledger(pipe, tills, cluster)
        yield {"rounds": 1, "broker_faults": sum(faults.done.values()) - begun}
    if log is not None:
        before, after = rebuilt_dump(pipe, lambda: dump(pipe))
        assert before == after, "the rebuilt store is another"
        yield {"rebuilds": 1, **faults.done, **provoked(pipe, log)}


def rounds(seed, deadline):
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder) / "kafka")
        try:
            number = 0
            while time.monotonic() + ROUND_S_MAX < deadline:
                number += 1
                pipe = new_pipe(Path(folder), cluster, number)
                try:
                    yield from one_pipe(cluster, pipe, chance, deadline)
                except AssertionError as error:
                    raise AssertionError(f"{error}\nagain: bench/long broker --seed {seed}") from error
                finally:
                    pipe.stop()
                for topic in cluster.admin.leaders(prefix=pipe.prefix):
                    cluster.admin.delete(topic=topic)
        finally:
            cluster.down()
