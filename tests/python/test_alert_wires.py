"""Wires of till alert that others hold: mail by TLS from the first byte, keys to the aggregator, a subscriber that does not read."""
import json
import threading

import zmq
from alert_rig import alert, certificate, write_config
from harness import DEADLINE, Client, wait_until
from keys import Keys
from till.alert.live import HELD_MAX, Live


def test_mail_by_tls_from_the_first_byte(aggregator, mailbox, tmp_path, monkeypatch):
    """Not to somebody who can't show who he is."""
    pair = certificate(tmp_path)
    box = mailbox(tls=pair, password="PA55WORD", is_secure=True)
    secret = tmp_path / "mail.secret"
    secret.write_text("PA55WORD\n")
    secret.chmod(0o600)
    config = write_config(tmp_path, aggregator.endpoint, f"\n[sink.mail]\ntype = mail\nserver = 127.0.0.1:{box.port}\nsecurity = tls\n"
                          f"from = till@example.org\nto = shop@example.org\nuser = till\npassword_file = {secret}\nbackoff = 1s\n")
    refused = alert("test-sinks", "-c", config)
    assert refused.returncode == 1
    assert "certificate verify failed" in refused.stdout + refused.stderr
    assert (box.messages, box.logins) == ([], [])
    monkeypatch.setenv("SSL_CERT_FILE", pair[0])
    assert alert("test-sinks", "-c", config).stdout == "mail: taken\n"
    assert len(box.messages) == len(box.logins) == 1


def test_an_aggregator_that_wants_keys_is_asked_with_them(pipeline, tmp_path):
    keys = Keys(tmp_path)
    for name, rights in (("aggregator", ()), ("boss", ("--views", "*")), ("stranger", ("--views", "*"))):
        keys.make(name, *rights)
    pipe = pipeline(edges=(), options={"till-aggregator": [
        f"security.key_file={keys.secret('aggregator')}", f"security.authorized={keys.directory('aggregator', 'boss')}"]})
    pipe.start_aggregator()
    pipe.client.close()
    at = pipe.aggregator.ready["listen"][0]
    pipe.client = Client(at, keys.pair("boss", "aggregator"))
    wait_until(lambda: pipe.client.ask("views")["ok"], "an answer")

    def check(name):
        own = f"key = {keys.secret(name)}\nserver_key = {keys.public('aggregator')}" if name else ""
        config = write_config(tmp_path, at, alert=own)
        config.write_text(config.read_text().replace("view = v\nmeasure = n", "view = products\nmeasure = order_count")
                          .replace("timeout = 500ms", "timeout = 5s"))
        return alert("check", "-c", config)

    done = check("boss")
    assert (done.returncode, done.stdout.startswith("1 rules fit the views of ")) == (0, True), done.stderr
    stranger = check("stranger")
    assert stranger.returncode == 1
    assert "does not let our key in" in stranger.stderr
    assert check(None).returncode in (1, 3)


def subscriber(endpoint, held):
    socket = zmq.Context.instance().socket(zmq.SUB)
    socket.set(zmq.RCVHWM, held)
    socket.subscribe(b"")
    socket.connect(endpoint)
    return socket


def test_a_subscriber_that_does_not_read_holds_up_nobody_and_may_subscribe_again():
    """It loses some; the other one has every message, in order."""
    live = Live("tcp://127.0.0.1:0", ["many"], list)
    slow, quick = subscriber(live.endpoint, 1), subscriber(live.endpoint, 0)
    count, padding, numbers = 2 * HELD_MAX, "x" * 1000, []
    try:
        for _ in range(2):
            assert live._socket.poll(int(DEADLINE * 1000))
            live._subscribed(live._socket.recv())

        def read():
            while len(numbers) < count:
                assert quick.poll(int(DEADLINE * 1000))
                message = json.loads(quick.recv_multipart()[1])
                if message["type"] != "snapshot":
                    numbers.append(message["number"])
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        for begin in range(0, count, live.batch):
            live.send("", [{"rule": "many", "type": "begin", "number": number, "text": padding}
                           for number in range(begin, begin + live.batch)])
            wait_until(lambda begin=begin: len(numbers) >= begin, "the one that reads", every=0.001)
        reader.join(DEADLINE)
        assert numbers == list(range(count))
        slow.unsubscribe(b"")
        slow.subscribe(b"many\0")
        wait_until(lambda: live._socket.poll(100) and live._socket.recv() == b"\1many\0", "the new subscription")
        held = []
        while slow.poll(200):
            held.append(json.loads(slow.recv_multipart()[1]))
        assert 0 < len(held) < count
        live._subscribed(b"\1many\0")
        assert slow.poll(int(DEADLINE * 1000))
        assert json.loads(slow.recv_multipart()[1]) | {"at": None} == {"type": "snapshot", "rule": "many", "at": None, "firing": []}
    finally:
        for socket in (slow, quick, live._socket):
            socket.close(0)
