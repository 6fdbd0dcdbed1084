"""A Kafka that wants TLS and a password: everything works with the right ones; with wrong ones each program says what is
wrong, loses nothing and goes on by itself when it is mended."""
import re

import pytest
from harness import Program, Sender, till, wait_until
from secure_kafka import OTHER_PASSWORD, PASSWORD, USER, SecureBroker, newer_library

pytestmark = pytest.mark.plain_only  # JVMs and relays; a preloaded library is not for sanitizers
UNREACHABLE = {"till-bridge": "Kafka can not be reached", "till-aggregator": "Kafka unreachable"}


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    broker = SecureBroker(tmp_path_factory.mktemp("secure"))
    yield broker
    broker.close()


@pytest.fixture
def password_file(tmp_path):
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    path.chmod(0o600)
    return path


def properties(secure, password_file, mechanism):
    return {"security.protocol": "SASL_SSL", "ssl.ca.location": secure.folder / "ca.pem", "sasl.mechanism": mechanism,
            "sasl.username": USER, "sasl.password_file": password_file}


def start(pipeline, secure, password_file, mechanism, env=None):
    secure.show("good")
    chosen = [f"kafka.{name}={value}" for name, value in properties(secure, password_file, mechanism).items()]
    line = pipeline(bootstrap=secure.bootstrap, options={"till-bridge": chosen, "till-aggregator": chosen}, env=env)
    line.start_aggregator()
    line.bootstrap = secure.admin  # from here on only the test's own questions need it
    return line


class Tills:
    """Sells and compares: what was accepted is what is counted."""

    def __init__(self, line):
        self.line = line
        self.sender = Sender(line.endpoint("store-1"))
        self.sold = 0

    def sell(self, count=10):
        orders = [{"order_id": f"o{self.sold + i}", "product_id": "tea", "quantity": 1, "unit_price": "2.50"}
                  for i in range(count)]
        answer = self.sender.ask(orders)
        assert answer["ok"], answer
        self.sold += count

    def settle(self):
        self.line.wait_settled()
        rows = self.line.client.rows("get", view="products", key=["tea"])
        assert [row["order_count"] for row in rows] == [self.sold]
        assert rows[0]["total_revenue"] == f"{self.sold * 2.5:.2f}"


def both(line):
    return [line.bridges[0], line.aggregator]


def await_words(line, words):
    """Both say so in /readyz, and in one line of the log."""
    for program in both(line):
        wait_until(lambda program=program: re.search(words, program.http("/readyz")[1]), f"{words!r} of {program.name}")
        wait_until(lambda program=program: [each for each in program.log_text().splitlines()
                                            if UNREACHABLE[program.name] in each and re.search(words, each)],
                   f"a line of {program.name}'s log with {words!r}")


def await_mended(line):
    for program in both(line):
        wait_until(lambda program=program: program.http("/readyz") == (200, "ok\n"), f"{program.name} to be well")


def leaks(line, folder):
    """Where a password can be read that should not be."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "password" and
             any(secret.encode() in path.read_bytes() for secret in (PASSWORD, OTHER_PASSWORD))]
    commands = [program.pid for program in [*both(line), *line.edges.values()] if program.running() and
                PASSWORD.encode() in open(f"/proc/{program.pid}/cmdline", "rb").read()]
    return files + commands


def test_wrong_certificates_and_passwords_are_named_and_lose_nothing(pipeline, secure, password_file, tmp_path):
    line = start(pipeline, secure, password_file, "PLAIN")
    tills = Tills(line)
    tills.sell()
    tills.settle()
    for face, words in (("stranger", "no CA in ssl.ca.location has signed"), ("expired", "the certificate has expired"),
                        ("misnamed", "certificate is for another host's name"), ("locked", "Authentication failed")):
        secure.show(face)
        tills.sell()
        await_words(line, words)
        secure.show("good")
        await_mended(line)
        tills.settle()
    assert leaks(line, tmp_path) == []


def test_scram_with_a_library_that_knows_it(pipeline, secure, password_file, tmp_path):
    line = start(pipeline, secure, password_file, "SCRAM-SHA-512", {"LD_PRELOAD": newer_library()})
    tills = Tills(line)
    tills.sell()
    tills.settle()
    secure.set_password(OTHER_PASSWORD)
    secure.show("good")
    tills.sell()
    await_words(line, "Authentication failed")
    secure.set_password(PASSWORD)
    await_mended(line)
    tills.settle()
    assert leaks(line, tmp_path) == []


def test_scram_that_this_library_can_not_is_said_to_be_that(secure, password_file, prefix, tmp_path):
    secure.show("good")
    chosen = properties(secure, password_file, "SCRAM-SHA-512")
    bridge = Program("till-bridge", ["-o", "bridge.listen=tcp://127.0.0.1:0", "-o", f"bridge.brokers={secure.bootstrap}",
                                     "-o", f"bridge.topic.order={prefix}orders", "-o", "http.listen=127.0.0.1:0",
                                     "-o", "kafka.debug=all",
                                     *(arg for name, value in chosen.items() for arg in ("-o", f"kafka.{name}={value}"))],
                     tmp_path / "bridge.log", {"TILL_LOG": "debug"})
    try:
        wait_until(lambda: "older than 2.6.1" in bridge.http("/readyz")[1], "the hint")
        wait_until(lambda: "SCRAM" in bridge.log_text(), "librdkafka's own words about SCRAM")
        assert PASSWORD not in bridge.log_text()
    finally:
        bridge.kill()


def test_the_command_line_reads_such_a_kafka_too(pipeline, secure, password_file, prefix):
    line = start(pipeline, secure, password_file, "PLAIN")
    tills = Tills(line)
    tills.sell(3)
    assert not tills.sender.ask([{"order_id": "bad", "product_id": "tea", "unit_price": "2,55"}])["ok"]
    tills.settle()
    flags = [arg for name, value in properties(secure, password_file, "PLAIN").items()
             for arg in ("--kafka", f"{name}={value}")]
    tail = ("tail", f"{prefix}orders", "--brokers", secure.bootstrap, "--from", "beginning", "--until-end", "--json")
    done = till(*tail, *flags)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 3, done.stderr
    letters = till("dlq", "list", "--brokers", secure.bootstrap, "--topic", f"{prefix}orders", "--json", *flags)
    assert letters.returncode == 0 and len(letters.stdout.splitlines()) == 1, letters.stderr

    inline = till(*tail, *flags[:-1], f"sasl.password={PASSWORD}")
    assert inline.returncode == 2 and "sasl.password_file=PATH" in inline.stderr and PASSWORD not in inline.stderr
    secure.show("expired")
    done = till(*tail, *flags, "--timeout", "5s")
    assert done.returncode == 3 and "the certificate has expired" in done.stderr
