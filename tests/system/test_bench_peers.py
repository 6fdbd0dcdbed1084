"""bench/run peers, as far as it can be tried without the peers: what is pinned, what is generated, what is called a rate, and that wrong
totals end it."""
import argparse
import collections
import json
import re
import subprocess
import sys
from decimal import Decimal

import pytest
from harness import BUILD, ROOT, Program

sys.path.insert(0, str(ROOT / "bench"))
import peers
import peers_fetch

POM = (ROOT / "bench/peers/pom.xml").read_text()
COUNT = 20_000


def test_bench_run_without_a_name_tells_every_bench():
    benches = {path.stem for path in (ROOT / "bench").glob("*.py") if f'prog="bench/run {path.stem}"' in path.read_text()}
    done = subprocess.run([ROOT / "bench/run"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    lines = dict(line.split(maxsplit=1) for line in done.stderr.splitlines()[1:])
    assert benches > {"chain", "peers", "store"}
    assert set(lines) == benches


def test_every_jar_that_the_pom_names_is_pinned_by_its_digest_and_every_version_is_named_once():
    pinned = peers_fetch.checksums()
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in pinned.values())
    named = dict(re.findall(r"<([\w.]+\.version)>([^<]+)</", POM))
    assert set(named) >= {"streams.version", "flink.version", "flink.kafka.version", "spark.version"}
    for profile in re.findall(r"<profile>.*?</profile>", POM, re.S):
        place = re.search("<id>(.*)</id>", profile)[1]
        wanted = re.findall(r"<artifactId>([^<]+)</artifactId>\s*<version>([^<]+)</version>", profile)
        assert wanted
        for artifact, version in wanted:
            version = re.sub(r"\$\{(.*)\}", lambda found: named[found[1]], version)
            assert f"{place}/{artifact}-{version}.jar" in pinned
    requirements = (ROOT / "bench/peers/requirements.txt").read_text()
    assert f"pyspark=={named['spark.version']} --hash=sha256:" in requirements
    assert peers_fetch.versions() == {
        "Kafka Streams": named["streams.version"], "Flink": named["flink.version"], "flink-connector-kafka": named["flink.kafka.version"],
        "Spark": named["spark.version"], "rsyslog": next(path for path in pinned if path.startswith("debian/rsyslog_")).split("_")[1]}


def test_a_file_that_is_not_the_pinned_one_is_refused(tmp_path):
    for place in ("streams", "flink", "spark", "debian"):
        (tmp_path / place).mkdir()
    for path in peers_fetch.checksums():
        (tmp_path / path).write_bytes(b"another")
    with pytest.raises(SystemExit, match="kafka-streams"):
        peers_fetch.compare(tmp_path)


def fill(*args):
    done = subprocess.run([BUILD / "bench/till-fill", "--count", str(COUNT), "--products", "500", *map(str, args)], capture_output=True, text=True,
                          timeout=120, check=True)
    return json.loads(done.stdout)


def test_the_generators_totals_are_those_of_its_lines_and_products_follow_zipfs_law(tmp_path):
    told = fill("--file", tmp_path / "sales", "--totals", tmp_path / "totals")
    lines = (tmp_path / "sales").read_text().splitlines()
    counts, cents = collections.Counter(), collections.Counter()
    for line in lines:
        sale = json.loads(line, parse_float=Decimal)
        counts[sale["product_id"]] += 1
        cents[sale["product_id"]] += int(sale["quantity"] * sale["unit_price"] * 100)
    assert peers.read_totals(tmp_path / "totals") == {product: (counts[product], cents[product]) for product in counts}
    assert told["records"] == len(lines) == COUNT
    assert 140 < told["bytes_per_record"] < 155
    harmonic = sum(1 / rank for rank in range(1, 501))
    for rank in (1, 2, 10):
        expected = COUNT / rank / harmonic
        assert abs(counts[f"p{rank - 1}"] - expected) < 5 * expected ** 0.5  # five deviations


def test_progress_is_seen_in_the_topic(tmp_path):
    broker = Program("till-devbroker", ["-o", "devbroker.topics=sales"], tmp_path / "devbroker.log")
    try:
        fill("--brokers", broker.ready["bootstrap"], "--topic", "sales")
        done = subprocess.run([BUILD / "bench/till-progress", "--brokers", broker.ready["bootstrap"], "--topic", "sales", "--count", str(COUNT)],
                              capture_output=True, text=True, timeout=120, check=True)
    finally:
        broker.kill()
    assert int(done.stdout.split()[-1]) == COUNT


class Scripted:
    name = "scripted"

    def __init__(self, looks):
        self.looks = looks

    def progress(self, count):
        assert count == 400
        return iter(self.looks)


def test_a_rate_runs_from_the_part_that_warms_to_the_last_record(monkeypatch):
    monkeypatch.setattr(peers, "cpu_of", lambda pids: 0)
    arguments = argparse.Namespace(warm=100, count=300)
    result = peers.rate(Scripted([(1.0, 50), (3.0, 120), (4.0, 300), (5.0, 400)]), [], arguments)
    assert result["per_second"] == 280 / 2.0  # 120 … 400 in 3.0 … 5.0
    with pytest.raises(SystemExit, match="too small"):
        peers.rate(Scripted([(1.0, 50), (3.0, 400)]), [], arguments)


def test_a_total_that_is_a_cent_off_ends_the_run():
    peers.compare("x", {"p1": (2, 500)}, {"p1": (2, 500)})
    for wrong in ({"p1": (2, 501)}, {"p1": (1, 500)}, {}, {"p1": (2, 500), "p2": (1, 1)}):
        with pytest.raises(SystemExit, match="are wrong"):
            peers.compare("x", wrong, {"p1": (2, 500)})


def test_the_limits_are_of_work_that_was_done(tmp_path):
    done = subprocess.run([BUILD / "bench/till-limit", "--folder", tmp_path, "--rows", "100", "--rounds", "2", "--round-trips", "50"],
                          capture_output=True, text=True, timeout=120, check=True)
    told = json.loads(done.stdout)
    assert told["lmdb"]["rows"] == 100 and told["lmdb"]["puts_per_second"] > 0
    assert told["zmq"]["round_trips_per_second"] > 0 and told["zmq"]["p99_us"] >= told["zmq"]["p50_us"] > 0
    assert told["copy"]["bytes_per_record"] == 150 and told["copy"]["records_per_second"] > 0
    stat = subprocess.run(["mdb_stat", tmp_path], capture_output=True, text=True, timeout=60, check=True)
    assert "Entries: 100" in stat.stdout
