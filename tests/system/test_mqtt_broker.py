"""What the tests of the MQTT source stand on: mosquitto as a store runs it, publishers that keep a ledger, and a judgement
that can fail. And the facts about mosquitto that docs/SOURCES.md tells."""
import json
import subprocess

import pytest
from mosquitto import Certificates
from mqtt_ledger import judge

TOPIC = "stores/{name}/orders"
KINDS = {
    "paho-1": {"qos": 1},
    "paho-2": {"qos": 2, "version": 5, "encoding": "msgpack", "event_id": "property"},
    "pub-1": {"qos": 1, "client": "mosquitto_pub", "event_id": "payload"},
    "pub-2": {"qos": 2, "client": "mosquitto_pub", "version": 5},
}


def subscribe(broker, *more):
    """mosquitto_sub with a session that outlives it."""
    return subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-i", "reader", "-c", "-q", "2",
                           "-t", "stores/#", *more], capture_output=True, timeout=60, check=False).stdout


def read(broker, count):
    """Payloads that wait for the session, until `count` are there or nothing has come for a while."""
    return subscribe(broker, "-F", "%x", "-C", str(count), "-W", "2").split()


def times(payloads, name):
    """{number: how often} of a publisher's JSON orders."""
    numbers = {}
    for payload in payloads:
        order = json.loads(bytes.fromhex(payload.decode()))
        publisher, _, number = order["product_id"].rpartition("/")
        if publisher == name:
            numbers[int(number)] = numbers.get(int(number), 0) + 1
    return {name: numbers}


@pytest.mark.parametrize("kind", KINDS)
def test_a_ledger_holds_what_the_broker_acknowledged_and_that_is_delivered(mosquitto, publisher, kind):
    broker = mosquitto()
    subscribe(broker, "-E")
    pub = publisher(broker.port, kind, count=50, rate=1000, **KINDS[kind])
    pub.wait()
    assert pub.published() == pub.acknowledged() == set(range(1, 51))
    assert len(read(broker, 50)) == 50
    assert {(dup, qos, topic) for dup, qos, _, _, topic in broker.sendings("reader")} == {
        (0, KINDS[kind]["qos"], TOPIC.format(name=kind))}


@pytest.mark.parametrize("settings, kept", [((), True), (("autosave_on_changes false", "autosave_interval 1800"), False)],
                         ids=["as-documented", "default"])
def test_a_killed_broker_keeps_what_it_saved(mosquitto, publisher, settings, kept):
    """It acknowledges before it saves, in one round of its loop: with the settings that are demanded the last
    acknowledgements of a round may be lost; with its defaults half an hour of them."""
    broker = mosquitto(settings=settings)
    subscribe(broker, "-E")
    pub = publisher(broker.port, "killed", rate=300)
    pub.wait_acknowledged(100)
    broker.kill()
    pub.kill()
    broker.start()
    if not kept:
        subscribe(broker, "-E")
    verdict = judge(pub, times(read(broker, len(pub.acknowledged()) + 1), "killed"))
    print(verdict)
    assert not verdict.foreign
    if kept:
        assert len(verdict.lost) <= 0.05 * verdict.acknowledged
    else:
        assert len(verdict.lost) == verdict.acknowledged, "a judgement that never finds a loss would prove nothing"


def test_certificates_are_what_a_client_checks(mosquitto, tmp_path):
    good, late = Certificates(tmp_path / "good"), Certificates(tmp_path / "late", days=-1)
    for made, works in ((good, True), (late, False)):
        broker = mosquitto(tls=made)
        done = subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.tls_port), "--cafile", made.authority,
                               "-t", "x", "-m", "y", "-q", "1"], capture_output=True, timeout=60, check=False)
        assert (done.returncode == 0) == works, done
