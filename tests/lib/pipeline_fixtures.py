"""Fixtures of the tests on real programs, a plugin of pytest: one real Kafka a session, a pipeline of its own for each test."""
import contextlib
import itertools
import json
import os
from pathlib import Path

import pytest
from cluster import Admin, Cluster
from harness import ROOT, Broker, Pipeline, wait_until
from mariadb import Mariadb
from mosquitto import Mosquitto
from mqtt_ledger import Publisher
from postgres import Postgres
from web_client import lone_aggregator

# deploy/kafka reads it at every start of a broker: the second compiler pays off after minutes, and these live for seconds.
os.environ.setdefault("KAFKA_JAVA_OPTS", "-XX:TieredStopAtLevel=1")
DATA = Path(os.environ.get("TILL_DATA", ROOT.parent / "shared" / "data")) / "online-retail"
_numbers = itertools.count(1)


def pytest_configure(config):
    config.addinivalue_line("markers", "kill: kills programs at random moments; not run under sanitizers")
    config.addinivalue_line("markers", "plain_only: slow, and says little about memory; not run under sanitizers")
    config.addinivalue_line("markers", "long: of the Python package, takes longer; run with --long")
    config.addinivalue_line("markers", "plain_too: measures what sanitizers change; run with them and without")


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """TILL_KAFKA: the folder of one that many sessions share (guards.py)."""
    shared = os.environ.get("TILL_KAFKA")
    kafka = Broker(shared or tmp_path_factory.mktemp("kafka"))
    yield kafka
    if not shared:
        kafka.down()


@pytest.fixture(scope="session")
def admin(broker, tmp_path_factory):
    """The administrator of the one Kafka."""
    made = Admin(broker.bootstrap, tmp_path_factory.mktemp("admin") / "log")
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgres():
    """One real PostgreSQL; `database` gives each test one of its own."""
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture
def database(postgres):
    return postgres.new_database(f"shop_{next(_numbers)}")


@pytest.fixture(scope="session")
def mariadb():
    """One real MariaDB."""
    server = Mariadb()
    yield server
    server.stop()


@pytest.fixture(params=["postgresql", "mysql"])
def sql_database(request):
    """A database of a test's own, once in PostgreSQL and once in MariaDB."""
    server = request.getfixturevalue("postgres" if request.param == "postgresql" else "mariadb")
    return server.new_database(f"mart_{next(_numbers)}")


@pytest.fixture(scope="session")
def three_nodes(tmp_path_factory):
    """A Kafka of three nodes; `cluster` gives it to a test."""
    made = Cluster(tmp_path_factory.mktemp("cluster") / "kafka")
    yield made
    made.down()


@pytest.fixture
def cluster(three_nodes):
    """Three nodes that all run and are in sync, whatever the test before did to them."""
    three_nodes.heal()
    yield three_nodes
    three_nodes.heal()


def new_prefix():
    return f"t{os.getpid()}-{next(_numbers)}-"


@pytest.fixture
def prefix():
    """Topics of one test on the shared broker."""
    return new_prefix()


@contextlib.contextmanager
def maker(broker, folder_of, prefix_of):
    """make(**Pipeline's arguments): started parts end with the context."""
    made = []

    def make(**arguments):
        made.append(Pipeline(folder_of(), arguments.pop("bootstrap", broker.bootstrap), prefix_of(), **arguments))
        return made[-1]

    try:
        yield make
    finally:
        for each in made:
            each.stop()


@pytest.fixture
def pipeline(broker, prefix, tmp_path):
    """pipeline(**Pipeline's arguments): started parts end with the test."""
    with maker(broker, lambda: tmp_path, lambda: prefix) as make:
        yield make


@pytest.fixture(scope="module")
def lasting_pipeline(broker, tmp_path_factory):
    """As `pipeline`, for all tests of a file: those that only ask."""
    with maker(broker, lambda: tmp_path_factory.mktemp("pipeline"), new_prefix) as make:
        yield make


@pytest.fixture
def lone_web(tmp_path):
    """lone_web(options …): an aggregator without Kafka that is ready to answer over HTTP, ended with the test."""
    made = []

    def make(*options, **more):
        made.append(lone_aggregator(tmp_path, *options, **more))
        wait_until(lambda: made[-1].http("/readyz")[0] == 200, "an aggregator that answers")
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture
def mosquitto(tmp_path):
    """mosquitto(**Mosquitto's arguments): each in a folder of its own, ended with the test."""
    made = []

    def make(**arguments):
        made.append(Mosquitto(tmp_path / f"mosquitto-{len(made)}", **arguments))
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture
def publisher(tmp_path):
    """publisher(port, name, **plan): ended with the test."""
    made = []

    def make(port, name, **plan):
        made.append(Publisher(tmp_path, port, name, **plan))
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture(scope="session")
def retail():
    """The real transactions and their exact totals, or a skip that says so."""
    csv, totals = DATA / "2010-12.csv", DATA / "2010-12.totals.json"
    if not csv.exists() or not totals.exists():
        pytest.skip(f"{csv.name} and its totals are not beside the checkout (TILL_DATA names their folder)")
    return csv, json.loads(totals.read_text())
