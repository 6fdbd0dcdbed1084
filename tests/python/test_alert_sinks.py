"""The ways out: webhook, mail, live socket, metrics. A fake aggregator answers what a test wants; the runner is the real one."""
import email
import email.policy
import json
import os

import pytest
import zmq
from alert_rig import alert, certificate, hook_sink, write_config
from harness import DEADLINE, free_port, sum_metric, wait_until


def mail_sink(box, more="", security="none"):
    return f"\n[sink.mail]\ntype = mail\nserver = 127.0.0.1:{box.port}\nsecurity = {security}\nfrom = till@example.org\n" \
           f"to = shop@example.org, boss@example.org\nbackoff = 1s\n{more}\n"


def secret_file(folder, text):
    path = folder / "a.secret"
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


# ---- webhook


def test_a_webhook_gets_begin_and_end_signed_until_it_takes_them(aggregator, hook, runner, tmp_path):
    """It refuses the first, drops the answer of the second: the same id comes again, and nothing else twice."""
    taker = hook(fails=lambda number: {1: 500, 2: "drop"}.get(number), secret="S1GNATURE")
    config = write_config(tmp_path, aggregator.endpoint, hook_sink(taker, more=f"secret_file = {secret_file(tmp_path, 'S1GNATURE')}"))
    aggregator.rows = {"uk": 11, "fr": 10}
    running = runner(config)
    wait_until(lambda: len(taker.taken) == 2, "the same begin twice")
    aggregator.rows = {"uk": 10, "fr": 10}
    wait_until(lambda: len(taker.taken) == 3, "the end")
    first, again, end = taker.taken
    assert first == again
    assert (first["type"], first["rule"], first["key"], first["severity"]) == ("begin", "many", {"edge": "uk"}, "warning")
    assert first["text"] == "n of uk is 11, above 10"
    assert (end["type"], end["cause"]) == ("end", first["cause"])
    assert end["id"] != first["id"]
    assert (taker.refused, taker.wrong_signatures) == (1, 0)
    assert running.stop() == 0
    assert "S1GNATURE" not in running.log.read_text()


def test_a_redirect_is_not_followed_and_nothing_is_lost_by_it(aggregator, hook, runner, tmp_path):
    taker = hook(fails=lambda number: 302 if number == 1 else None)
    aggregator.rows = {"uk": 11}
    running = runner(write_config(tmp_path, aggregator.endpoint, hook_sink(taker)))
    wait_until(lambda: taker.taken, "the begin")
    assert "answered 302, a redirect, which is not followed" in running.log.read_text()


def test_https_is_verified(aggregator, hook, tmp_path, monkeypatch):
    pair = certificate(tmp_path)
    taker = hook(tls=pair)
    config = write_config(tmp_path, aggregator.endpoint, hook_sink(taker))
    done = alert("test-sinks", "-c", config)
    assert done.returncode == 1
    assert "certificate verify failed" in done.stderr
    monkeypatch.setenv("SSL_CERT_FILE", pair[0])
    done = alert("test-sinks", "-c", config)
    assert (done.returncode, done.stdout) == (0, "hook: taken\n")
    assert [each["type"] for each in taker.taken] == ["test"]


def test_a_sink_that_is_down_stops_no_other_and_is_given_up_for_the_newest(aggregator, hook, runner, tmp_path):
    taker = hook()
    dead = f"\n[sink.dead]\ntype = webhook\nurl = http://127.0.0.1:{free_port()}/\nbackoff = 1s\n"
    running = runner(write_config(tmp_path, aggregator.endpoint, dead + hook_sink(taker), alert="queue = 5\n"))
    aggregator.rows = {f"e{each}": 11 for each in range(20)}

    def number(family, **labels):
        return sum_metric(running.metrics(), f"till_alert_{family}", **labels)
    wait_until(lambda: number("given_up_total", sink="dead"), "a loss")
    numbers = running.metrics()
    assert sum_metric(numbers, "till_alert_announcements_total", rule="many") == 20
    assert sum_metric(numbers, "till_alert_given_up_total", sink="dead") == 15
    assert sum_metric(numbers, "till_alert_waiting", sink="dead") == 5
    wait_until(lambda: number("delivery_failures_total", sink="dead") >= 2, "another attempt")
    evaluations = number("evaluations_total", rule="many")
    wait_until(lambda: number("evaluations_total", rule="many") > evaluations + 5, "evaluations that go on")
    wait_until(lambda: len(taker.ids()) == 5, "what waited for the sink that is well")  # all came at once, and its queue is as short
    assert "sink dead: 5 announcements wait" in alert("list", "-c", tmp_path / "alerts.conf").stdout


def test_a_sink_hears_nothing_below_its_severity(aggregator, hook, runner, tmp_path):
    low, high = hook(), hook()
    sinks = hook_sink(low, "low") + hook_sink(high, "high", "severity = critical")
    runner(write_config(tmp_path, aggregator.endpoint, sinks))
    aggregator.rows = {"uk": 11}
    wait_until(lambda: low.taken, "the warning")
    aggregator.refusal = {"views": {"code": "not_ready", "message": "starting"}}
    # rule aggregator has for = 5min: its time comes in test_alert_run.py
    assert high.taken == []


# ---- mail


def read(data):
    return email.message_from_bytes(data, policy=email.policy.default)


def test_mail_is_one_a_batch_with_a_subject_that_says_it(aggregator, mailbox, runner, tmp_path):
    """The server refuses the first attempt: what waits is sent again as the same mail."""
    box = mailbox(fails=lambda number: number == 1)
    running = runner(write_config(tmp_path, aggregator.endpoint, mail_sink(box), rule="note = Ask the shop\nseverity = critical"))
    aggregator.rows = {"uk": 11, "fr\r\nBcc: x@example.org": 12, "Café": 13}
    wait_until(lambda: box.messages, "a mail")
    receivers, data = box.messages[0]
    mail = read(data)
    assert len(receivers) == 2
    assert mail["Subject"] == "[till] 3 began: many"
    assert mail["To"] == "shop@example.org, boss@example.org"
    assert mail["Bcc"] is None
    text = mail.get_content()
    assert "BEGAN: n of Café is 13, above 10" in text
    assert text.count("Ask the shop") == 3
    aggregator.rows = {"uk": 11, "fr\r\nBcc: x@example.org": 12, "Café": 1}
    wait_until(lambda: len(box.messages) == 2, "the end")
    assert read(box.messages[1][1])["Subject"] == "[till] many ended: n of Café is 13, above 10"
    assert running.stop() == 0


def test_a_mail_that_is_tried_again_has_the_same_id(aggregator, mailbox, tmp_path):
    """So that a server that took it, and whose answer was lost, can tell; also when more waits by then, and after a kill."""
    seen = []
    box = mailbox(fails=lambda number: number < 3)
    config = write_config(tmp_path, aggregator.endpoint, mail_sink(box))
    for rows in ({"uk": 11}, {"uk": 11, "fr": 11}, {"uk": 11, "fr": 11}):
        aggregator.rows = rows
        seen.append(alert("run", "--once", "-c", config).returncode)
    assert seen == [1, 1, 0]
    assert box.transactions == 4
    assert [read(data)["Subject"] for _, data in box.messages] == ["[till] many began: n of uk is 11, above 10",
                                                                  "[till] many began: n of fr is 11, above 10"]
    assert len(set(box.ids[:3])) == 1
    assert box.ids[3] != box.ids[0]


def test_mail_is_sent_by_tls_after_a_login(aggregator, mailbox, tmp_path, monkeypatch):
    pair = certificate(tmp_path)
    box = mailbox(tls=pair, password="PA55WORD")
    config = write_config(tmp_path, aggregator.endpoint, mail_sink(
        box, f"user = till\npassword_file = {secret_file(tmp_path, 'PA55WORD')}", "starttls"))
    done = alert("test-sinks", "-c", config)
    assert done.returncode == 1
    assert "certificate verify failed" in done.stderr
    assert box.logins == []  # not to somebody who can't show who he is
    monkeypatch.setenv("SSL_CERT_FILE", pair[0])
    assert alert("test-sinks", "-c", config).stdout == "mail: taken\n"
    assert len(box.logins) == 1
    assert box.logins[0][1]
    assert "PA55WORD" not in read(box.messages[0][1]).as_string()


def test_no_mail_goes_to_a_server_without_tls_that_was_to_have_it(aggregator, mailbox, tmp_path):
    box = mailbox()
    done = alert("test-sinks", "-c", write_config(tmp_path, aggregator.endpoint, mail_sink(box, security="starttls")))
    assert done.returncode == 1
    assert box.messages == []


def test_a_receiver_that_is_refused_is_said(aggregator, mailbox, tmp_path):
    box = mailbox(refuse=("boss@",))
    done = alert("test-sinks", "-c", write_config(tmp_path, aggregator.endpoint, mail_sink(box)))
    assert done.returncode == 0
    assert "refused the receiver boss@example.org: 550" in done.stdout
    assert len(box.messages[0][0]) == 1


# ---- live socket and metrics


class Subscriber:
    def __init__(self, endpoint, topic=b""):
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.setsockopt(zmq.SUBSCRIBE, topic)
        self.socket.connect(endpoint)

    def next(self):
        assert self.socket.poll(int(DEADLINE * 1000)), "nothing came"
        topic, body = self.socket.recv_multipart()
        message = json.loads(body)
        assert topic == message["rule"].encode() + b"\0"
        return message

    def close(self):
        self.socket.close(0)


def test_each_new_subscriber_is_told_what_fires_and_then_what_changes(aggregator, runner, tmp_path):
    running = runner(write_config(tmp_path, aggregator.endpoint))
    first = Subscriber(running.ready["publish"], b"many\0")
    assert first.next()["firing"] == []
    aggregator.rows = {"uk": 11}
    begin = first.next()
    assert (begin["type"], begin["key"]) == ("begin", {"edge": "uk"})
    second = Subscriber(running.ready["publish"])
    shown = {message["rule"]: message for message in (second.next(), second.next())}
    assert set(shown) == {"many", "aggregator"}
    assert [each["cause"] for each in shown["many"]["firing"]] == [begin["cause"]]
    assert shown["aggregator"]["firing"] == []
    aggregator.rows = {"uk": 1}
    assert second.next()["type"] == "end"
    first.close()
    second.close()


def test_metrics_are_what_prometheus_reads(aggregator, runner, tmp_path):
    running = runner(write_config(tmp_path, aggregator.endpoint))
    aggregator.rows = {"uk": 11, "fr": 12, "it": 1, "es": None}
    wait_until(lambda: running.metrics().get('till_alert_firing{rule="many",severity="warning"}'), "two causes")
    numbers = running.metrics()
    assert numbers['till_alert_firing{rule="many",severity="warning"}'] == 2
    assert numbers['till_alert_firing{rule="aggregator",severity="critical"}'] == 0
    assert numbers['till_alert_judged{rule="many"}'] == 3
    assert numbers['till_alert_not_judged{reason="no value",rule="many"}'] == 1
    assert numbers['till_alert_announcements_total{rule="many",type="begin"}'] == 2
    wait_until(lambda: running.metrics()['till_alert_deliveries_total{sink="live"}'] == 2, "both published")
    import urllib.error
    import urllib.request
    with urllib.request.urlopen(f"http://{running.ready['http']}/livez", timeout=DEADLINE) as answer:
        assert answer.read() == b"ok\n"
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"http://{running.ready['http']}/state.db", timeout=DEADLINE)


def test_an_address_that_is_taken_is_said(aggregator, runner, tmp_path):
    running = runner(write_config(tmp_path, aggregator.endpoint))
    for option, address in (("http", running.ready["http"]), ("publish", running.ready["publish"])):
        other = tmp_path / option
        other.mkdir()
        config = write_config(other, aggregator.endpoint)
        config.write_text(config.read_text().replace(f"{option} = {'tcp://' * (option == 'publish')}127.0.0.1:0", f"{option} = {address}"))
        done = alert("run", "-c", config)
        assert done.returncode == 1
        assert f"can't listen on {address}" in done.stderr


def test_the_state_is_for_its_owner_only(aggregator, tmp_path):
    old = os.umask(0)
    try:
        assert alert("run", "--once", "-c", write_config(tmp_path, aggregator.endpoint)).returncode == 0
    finally:
        os.umask(old)
    assert [path.name for path in tmp_path.glob("state.db*") if path.stat().st_mode & 0o077] == []
