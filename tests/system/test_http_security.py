"""Whom the aggregator answers over HTTP, and what it refuses."""
import json
import re
import shlex
import socket
import subprocess

import pytest
from certificates import make_certificates
from harness import DEADLINE, ROOT, program, wait_until
from http_source import read_all
from keys import Keys
from web_client import Events, ask, closed, events_path, lone_aggregator

READER, ADMIN = "a reader of the tests", "an administrator of the tests"
DATA = ["/query", "/views", "/events"]


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def asked(aggregator, path, **headers):
    body = b'{"query":"status"}' if path == "/query" else None
    if path == "/events" and not headers.pop("streams", False):
        return ask(aggregator, path, method="HEAD", **headers)
    return ask(aggregator, path, body, **headers)


@pytest.fixture
def tokens(tmp_path):
    return [f"http.token_file={closed(tmp_path / 'token', READER)}", f"http.admin_token_file={closed(tmp_path / 'admin', ADMIN)}"]


def test_without_the_admin_token_nobody_administers(lone_web, tmp_path, tokens):
    aggregator = lone_web(tokens[1], f"audit.file={tmp_path / 'audit'}")
    refusals = [{"query": "forget", "user": "u1"}, {"query": "forgotten"}, {"query": "quarantine"}, {"query": "accept_staged"},
                {"query": "drop_staged"}, {"query": "records", "topic": "orders", "partition": 0}, {"query": "letters"}, {"query": "replay", "places": ["orders.dlq/0/0"]}]
    for query in refusals:
        refused = ask(aggregator, "/query", query)
        assert refused.status == 403 and refused.code == "forbidden", (query, refused)
    assert ask(aggregator, "/query", {"query": "forget", "user": "u1"}, **bearer("guessed")).status == 401
    said = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    assert [(each["who"], each["action"], each["result"].partition(":")[0]) for each in said if each["action"] != "start"] == [
        ("http token", {"replay": "dlq-replay"}.get(query["query"], query["query"].replace("_", "-")), "refused") for query in refusals]
    assert ask(aggregator, "/query", {"query": "forgotten"}, **bearer(ADMIN)).json["ok"]
    done = ask(aggregator, "/query", {"query": "forget", "user": "u1"}, **bearer(ADMIN))
    assert done.status == 200 and done.json["ok"], done
    assert "http admin_token" in (tmp_path / "audit").read_text()
    assert ADMIN not in (tmp_path / "audit").read_text() + aggregator.log_text()


def test_a_token_is_asked_for_where_one_is_set(lone_web, tokens):
    aggregator = lone_web(*tokens)
    for path in DATA:
        for headers in ({}, bearer("guessed"), bearer(READER + "x"), bearer(""), {"Authorization": "Basic dTpw"}):
            answer = asked(aggregator, path, **headers)
            assert answer.status == 401 and answer.headers["WWW-Authenticate"] == "Bearer", (path, headers, answer)
            assert path == "/events" or answer.code == "forbidden"
        for token in (READER, ADMIN):
            assert asked(aggregator, path, **bearer(token)).status == 200, path
    assert ask(aggregator, f"/views?token={READER.replace(' ', '+')}").status == 401, "never in an address"
    assert Events(aggregator, {"query": "views"}, **bearer(READER)).answer(0)["views"]
    assert ask(aggregator, "/").status == 200 and aggregator.http("/metrics")[0] == 200 and aggregator.http("/readyz")[0] == 200


def test_where_keys_are_asked_for_nobody_reads_without_a_token(lone_web, tmp_path, tokens):
    (tmp_path / "authorized").mkdir()
    pair = Keys(tmp_path)
    keys = [f"security.key_file={pair.secret(pair.make('aggregator'))}", f"security.authorized={tmp_path / 'authorized'}"]
    aggregator = lone_web(*keys)
    for path in DATA:
        answer = asked(aggregator, path)
        assert answer.status == 403, (path, answer)
    assert "token_file" in ask(aggregator, "/views").json["error"]["message"]
    assert aggregator.http("/metrics")[0] == 200
    assert aggregator.stop() == 0
    aggregator = lone_web(*keys, *tokens)
    assert ask(aggregator, "/views", **bearer(READER)).status == 200 and ask(aggregator, "/views").status == 401


def test_pages_and_names_of_others_are_refused_here_too(lone_web):
    aggregator = lone_web()
    own = aggregator.ready["http"]
    for path in [*DATA, "/"]:
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"},
                        {"Host": f"evil.example:{own[10:]}"}, {"Host": "localhost", "Origin": f"http://{own}"}):
            answer = asked(aggregator, path, **headers)
            assert answer.status == 403, (path, headers, answer)
        assert asked(aggregator, path, Origin=f"http://{own}").status == 200
        assert asked(aggregator, path, Sec_Fetch_Site="same-origin").status == 200
        led_here = 200 if path == "/" else 403  # a link may lead to the page
        assert asked(aggregator, path, Sec_Fetch_Site="cross-site").status == led_here
    answers = [ask(aggregator, "/views"), ask(aggregator, "/"), ask(aggregator, "/query", {"query": "nonsense"}),
               ask(aggregator, "/views", Origin="null")]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Referrer-Policy"] == "no-referrer"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")], "no CORS"
    assert answers[0].headers["Cache-Control"] == "no-store"
    assert ask(aggregator, "/query", method="OPTIONS", Origin="https://evil.example").status == 405


def test_there_is_nothing_to_traverse(lone_web):
    aggregator = lone_web()
    for path in ("/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd", "/./index.html", "/index.html",
                 "/main.js/../../secret", "/chart.js/", "/.git/config", "/console", "/..\\..\\etc\\passwd"):
        answer = ask(aggregator, path)
        assert answer.status == 404 and b"root:" not in answer.body, (path, answer)
        assert answer.code == "bad_request", answer


def test_oversized_and_slow_requests_are_refused(lone_web):
    aggregator = lone_web()
    padded = b'{"query":"status"' + b" " * (64 * 1024 - 18) + b"}"
    assert len(padded) == 64 * 1024 and ask(aggregator, "/query", padded).status == 200
    for body in (padded[:-1] + b" }", b" " * 1024 * 1024):
        answer = ask(aggregator, "/query", body)
        assert answer.status == 413 and answer.code == "too_large", answer
    assert ask(aggregator, events_path({"query": "x" * 40000})).status in (413, 414, 431)
    host, port = aggregator.ready["http"].rsplit(":", 1)

    def say(text):
        connection = socket.create_connection((host, int(port)), timeout=DEADLINE)
        connection.sendall(text)
        return connection
    endless = say(b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n")
    assert b" 413 " in read_all(endless).split(b"\r\n")[0]
    takes_nothing = socket.socket()
    takes_nothing.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
    takes_nothing.connect((host, int(port)))
    long = events_path(*[{"query": "views", "timeout_ms": number} for number in range(1, 33)])
    takes_nothing.sendall(f"GET {long} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    wait_until(lambda: aggregator.metric("till_aggregator_sse_clients") == 1, "one who looks")
    slow = [say(b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"),
            say(b"POST /query HTTP/1.1\r\nHost: loc"), say(b"GET /events HTTP/1.1\r\nHost: loc")]
    assert ask(aggregator, "/views").status == 200, "they hold up nobody"
    for each in slow:
        assert b" 408 " in read_all(each).split(b"\r\n")[0]
    wait_until(lambda: aggregator.metric("till_aggregator_sse_clients") == 0, "that who takes nothing is let go")
    takes_nothing.close()
    chunked = say(b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
                  b"Content-Length: 5\r\n\r\n0\r\n\r\n")
    assert b" 400 " in read_all(chunked).split(b"\r\n")[0]


@pytest.mark.parametrize("options, words", [
    (["http.listen=0.0.0.0:0"], "[http] listen: 0.0.0.0:0 can be reached from other machines"),
    (["http.listen=0.0.0.0:0", "TOKEN"], "[http] listen: 0.0.0.0:0 can be reached from other machines"),
    (["http.listen=0.0.0.0:0", "http.tls_cert=c.pem", "http.tls_key=k.pem"], "set tls_cert and tls_key, and token_file or tls_client_ca"),
    (["http.tls_cert=c.pem"], "[http] tls_cert: TLS needs tls_cert and tls_key"),
    (["http.tls_client_ca=c.pem"], "[http] tls_client_ca: TLS needs tls_cert and tls_key too"),
    (["TOKEN", "SAME"], "[http] admin_token: is the same as token"),
    (["http.live_clients=5000"], "http.live_clients"),
    (["http.token=inline"], "token"),
])
def test_settings_that_let_strangers_in_are_refused(tmp_path, options, words):
    files = {"TOKEN": f"http.token_file={closed(tmp_path / 'token', READER)}",
             "SAME": f"http.admin_token_file={closed(tmp_path / 'same', READER)}"}
    arguments = [arg for option in options for arg in ("-o", files.get(option, option))]
    done = subprocess.run([program("till-aggregator"), "-o", "aggregator.data=d", "-o", "aggregator.brokers=b:1", *arguments, "--check"],
                          cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 2 and words in done.stderr, done
    assert READER not in done.stderr and "inline" not in done.stderr


def test_other_machines_are_let_in_with_tls_and_a_token_only(tmp_path, tokens):
    certs = make_certificates(tmp_path, "DNS:till.example")
    aggregator = lone_aggregator(tmp_path, *tokens, "http.hosts=till.example", f"http.tls_cert={certs}/server.pem",
                                 f"http.tls_key={certs}/server.key", listen="0.0.0.0:0")
    port = aggregator.ready["http"].rsplit(":", 1)[1]

    def curl(*args, name="till.example"):
        done = subprocess.run(["curl", "-sS", "-m", "20", "--cacert", certs / "ca.pem", "--resolve", f"{name}:{port}:127.0.0.1",
                               "-w", " %{http_code}", *args, f"https://{name}:{port}/views"], capture_output=True, text=True,
                              check=False)
        return done.stdout[-3:]
    try:
        assert wait_until(lambda: curl("-H", f"Authorization: Bearer {READER}") == "200", "an answer") is not None
        assert curl() == "401"
        assert curl("-H", f"Authorization: Bearer {READER}", "-H", "Host: evil.example") == "403"
        assert curl("-k", "-H", f"Authorization: Bearer {READER}", name="evil.example") == "403"
        with socket.create_connection(("127.0.0.1", int(port)), timeout=DEADLINE) as plain:
            plain.sendall(b"GET /views HTTP/1.1\r\nHost: till.example\r\n\r\n")
            assert b"HTTP" not in read_all(plain)
    finally:
        aggregator.kill()


def test_a_client_s_certificate_reads_without_a_token(tmp_path):
    certs = make_certificates(tmp_path)
    aggregator = lone_aggregator(tmp_path, f"http.tls_cert={certs}/server.pem", f"http.tls_key={certs}/server.key",
                                 f"http.tls_client_ca={certs}/ca.pem")

    def curl(*args):
        done = subprocess.run(["curl", "-sS", "-m", "20", "--cacert", certs / "ca.pem", "-w", " %{http_code}", *args,
                               f"https://{aggregator.ready['http']}/views"], capture_output=True, text=True, check=False)
        return done.stdout[-3:]
    try:
        assert curl("--cert", certs / "till.pem", "--key", certs / "till.key") == "200"
        assert curl() == "000"
        assert curl("--cert", certs / "stranger.pem", "--key", certs / "stranger.key") == "000"
    finally:
        aggregator.kill()


def test_the_text_s_examples_work(lone_web, tmp_path, tokens):
    """docs/HTTP.md: each command of it, at this aggregator's address; the one with TLS at another's."""
    certs = make_certificates(tmp_path, "DNS:till.example")
    commands = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "HTTP.md").read_text(), re.S)
    aggregator = lone_web()
    (tmp_path / "other").mkdir()
    other = lone_aggregator(tmp_path / "other", *tokens, "http.hosts=till.example", f"http.tls_cert={certs}/server.pem",
                            f"http.tls_key={certs}/server.key")
    port = other.ready["http"].rsplit(":", 1)[1]
    answers = []
    try:
        for command in commands:
            command = command.replace("127.0.0.1:9172", aggregator.ready["http"])
            command = command.replace("curl ", f"curl --resolve till.example:{port}:127.0.0.1 -m 2 ", 1).replace(":9172", f":{port}")
            done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE, check=False)
            answers.append(done.stdout)
            assert '"ok":true' in done.stdout, (shlex.split(command), done)
    finally:
        other.kill()
    assert len(commands) == 4 and "event: answer" in answers[2], answers
