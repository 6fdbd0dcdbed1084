"""Events by HTTP: each answer made to happen, clients that behave badly, and none that holds up another."""
import json
import random
import socket
import subprocess
import threading

import msgpack
import pytest
from certificates import make_certificates
from harness import DEADLINE, free_port, sum_metric, wait_until
from http_source import JSON, MSGPACK, NDJSON, Web, dial, lone_edge, read_all, url_of
from test_spine import order


@pytest.fixture
def edge(tmp_path):
    """edge(options …): one without a bridge, ended with the test."""
    made = []

    def make(*options, **more):
        made.append(lone_edge(tmp_path, *options, **more))
        return made[-1]

    yield make
    for each in made:
        each.kill()


def spooled(edge):
    return edge.metric("till_edge_spool_events")


def requests(edge, status):
    return sum_metric(edge.metrics(), "till_edge_http_requests_total", status=str(status))


def test_one_many_lines_and_msgpack_are_the_same_events(edge):
    edge = edge("set=channel=web")
    web = Web(edge)
    one = web.ask(order(1))
    assert one.status == 200 and one.json["seq"]["order"] == [1, 1] and one.json["durable"], one
    assert one.headers["Content-Type"] == "application/json"
    assert web.ask([order(2), order(3)]).json["seq"]["order"] == [2, 3]
    lines = web.ask("\r\n".join([json.dumps(order(4)), "", json.dumps(order(5)), ""]).encode(), NDJSON)
    assert lines.status == 200 and lines.json["seq"]["order"] == [4, 5], lines
    packed = web.ask(msgpack.packb([order(6)]), MSGPACK)
    assert packed.status == 200 and packed.headers["Content-Type"] == "application/msgpack"
    assert msgpack.unpackb(packed.body)["seq"]["order"] == [6, 6]
    bare = web.ask(msgpack.packb(order(7)), {"Accept": "application/json"})
    assert bare.status == 200 and bare.json["seq"]["order"] == [7, 7], "the first byte says what it is"
    cart = web.ask({"product_id": "tea", "action": "add"}, path="/events?kind=cart")
    assert cart.status == 200 and cart.json["seq"] == {"cart": [1, 1]}, cart
    assert spooled(edge) == 8


def test_a_bad_event_costs_itself_alone(edge):
    edge = edge()
    web = Web(edge)
    some = web.ask([order(1), order(2, price="2,55")])
    assert some.status == 200 and not some.json["ok"], some
    assert [(error["index"], error["code"]) for error in some.json["errors"]] == [(1, "bad_value")]
    body = "\n".join([json.dumps(order(3)), "not JSON", '{"order_id":', json.dumps(order(4))]).encode()
    lines = web.ask(body, NDJSON)
    assert lines.status == 200 and (lines.json["accepted"], lines.json["invalid"]) == (2, 2), lines
    assert [error["index"] for error in lines.json["errors"]] == [1, 2]
    none = web.ask([order(5, price="2,55"), {"order_id": 6}])
    assert none.status == 422 and none.json["invalid"] == 2 and none.json["seq"]["order.dlq"] == [4, 5], none
    assert spooled(edge) == 8, "three orders and five dead letters: all is kept"
    values = edge.metrics()
    parts = {outcome: sum_metric(values, "till_edge_source_events_total", source="web", outcome=outcome)
             for outcome in ("accepted", "invalid", "refused", "repeated")}
    assert parts == {"accepted": 3, "invalid": 5, "refused": 0, "repeated": 0}
    assert sum_metric(values, "till_edge_source_received_total", source="web") == 8


def test_a_key_is_counted_once(edge):
    edge = edge()
    web = Web(edge)
    key = {"Idempotency-Key": '"sale-17"', **JSON}
    first = web.ask(order(1), key)
    again = web.ask(order(1), {"Idempotency-Key": "sale-17", **JSON})
    assert first.status == again.status == 200
    assert not first.json["repeated"] and again.json["repeated"] and again.json["seq"] == first.json["seq"]
    other = web.ask(order(2), key)
    assert other.status == 422 and other.json["error"]["code"] == "bad_value", other
    assert "Idempotency-Key" in other.json["error"]["message"]
    bad = web.ask(order(3, price="2,55"), {"Idempotency-Key": "bad", **JSON})
    assert bad.status == web.ask(order(3, price="2,55"), {"Idempotency-Key": "bad", **JSON}).status == 422
    edge.restart()
    web = Web(edge)
    assert web.ask(order(1), key).json["repeated"], "remembered across kill -9"
    assert spooled(edge) == 2


def test_a_key_that_comes_many_times_at_once_is_counted_once(edge):
    edge = edge()
    answers = []

    def ask():
        web = Web(edge)
        for number in range(20):
            answers.append(web.ask(order(number), {"Idempotency-Key": f"k{number}", **JSON}))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} == {200}
    assert sum(not answer.json["repeated"] for answer in answers) == 20
    assert spooled(edge) == 20


def test_every_refusal_says_what_to_do(edge, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    token.chmod(0o600)
    edge = edge(f"token_file={token}", "body_max=64KiB")
    web = Web(edge)
    bearer = {"Authorization": "Bearer s3cret"}

    def refused(status, code, words, *args, header=None, **kwargs):
        answer = web.ask(*args, **kwargs)
        assert answer.status == status and answer.json["ok"] is False, answer
        assert answer.json["error"]["code"] == code and words in answer.json["error"]["message"], answer
        assert header is None or answer.headers[header[0]] == header[1], answer.headers
        assert answer.headers["Content-Type"] == "application/json"

    refused(401, "forbidden", "a token is needed", order(1), header=("WWW-Authenticate", 'Bearer realm="till"'))
    refused(401, "forbidden", "not the token", order(1), {"Authorization": "Bearer s3cre", **JSON})
    assert web.ask(order(1), {**bearer, **JSON}).status == 200
    refused(404, "bad_request", "there is /events", order(1), path="/event")
    refused(405, "bad_request", "only POST", None, method="GET", header=("Allow", "POST"))
    refused(415, "bad_request", "application/x-ndjson", order(1), {"Content-Type": "text/csv", **bearer},
            header=("Accept-Post", "application/json, application/x-ndjson, application/msgpack"))
    refused(415, "bad_request", "send it plain", b"\x1f\x8b", {"Content-Encoding": "gzip", **bearer, **JSON})
    refused(400, "bad_frame", "the body is empty", b"", {**bearer, **JSON})
    refused(400, "bad_frame", "every line is empty", b"\n\n", {**bearer, **NDJSON})
    refused(400, "bad_frame", "says JSON", msgpack.packb(order(1)), {**bearer, **JSON})
    refused(400, "bad_frame", "says msgpack", order(1), {**bearer, **MSGPACK})
    refused(400, "bad_frame", "", b"[1,", {**bearer, **JSON})
    refused(400, "bad_frame", "?kind=", order(1), {**bearer, **JSON}, path="/events?kind=carts")
    refused(400, "bad_frame", "Idempotency-Key", order(1), {"Idempotency-Key": "k" * 256, **bearer, **JSON})
    refused(400, "bad_frame", "10000 lines", b"{}\n" * 10001, {**bearer, **NDJSON})
    refused(413, "too_large", "larger than 65536 bytes", b" " * 65537, {**bearer, **JSON})
    assert web.ask(order(2), {**bearer, **JSON}).status == 200
    assert spooled(edge) == 2
    for status, count in ((200, 2), (400, 8), (401, 2), (404, 1), (405, 1), (413, 1), (415, 2)):
        assert requests(edge, status) == count, status


def test_a_connection_carries_many_requests_at_once(edge):
    edge = edge()
    body = json.dumps(order(1)).encode()
    request = (b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
               % len(body)) + body
    with dial(edge) as connection:
        connection.sendall(request * 99 + request.replace(b"Host", b"Connection: close\r\nHost"))
        text = read_all(connection).decode()
    assert text.count("HTTP/1.1 200 OK") == 100
    assert [part.split("]")[0] for part in text.split('"order":[')[1:]] == [f"{n},{n}" for n in range(1, 101)]


def test_slow_clients_are_ended_and_hold_up_nobody(edge):
    edge = edge("timeout=2s", "connections_max=40")
    slow = [dial(edge) for _ in range(30)]
    for number, connection in enumerate(slow):
        connection.sendall(b"POST /ev" if number % 2 else
                           b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n[")
    web = Web(edge)
    for number in range(100):
        assert web.ask(order(number)).status == 200
    web.close()
    for connection in slow:
        assert b"408" in read_all(connection).split(b"\r\n")[0]
        connection.close()
    assert requests(edge, 408) == 30
    # All places taken: whoever comes next is served when the time of the others is up.
    slow = [dial(edge) for _ in range(45)]
    assert Web(edge).ask(order(1)).status == 200
    for connection in slow:
        connection.close()
    assert edge.metric("till_edge_http_connections_broken_total") >= 30


def test_a_body_larger_than_the_limit_is_not_read(edge):
    edge = edge()
    for headers in ({}, {"Transfer-Encoding": "chunked"}):
        web = Web(edge)
        body = b" " * 10_000_000
        web.connection.request("POST", web.path, iter([body]) if headers else body, {**JSON, **headers},
                               encode_chunked=bool(headers))
        answer = web.connection.getresponse()
        assert answer.status == 413 and json.loads(answer.read())["error"]["code"] == "too_large"
    done = subprocess.run(["curl", "-sS", "-w", "%{http_code} %{size_upload}", "-o", "/dev/null", "-H",
                           "Content-Type: application/json", "--data-binary", "@-", url_of(edge)],
                          input=b" " * 10_000_000, capture_output=True, check=True, timeout=DEADLINE)
    assert done.stdout == b"413 0", "curl asks before it sends, and is told"
    events = [order(number, note="x" * 300) for number in range(9000)]
    assert Web(edge).ask(events).json["accepted"] == 9000, "nearly 4 MiB"


def test_garbage_hurts_nobody(edge):
    edge = edge()
    chance = random.Random(17)
    web = Web(edge)
    for number in range(60):
        with dial(edge) as connection:
            start = [b"", b"POST /events HTTP/1.1\r\n", b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n",
                     b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"][number % 4]
            try:
                connection.sendall(start + chance.randbytes(chance.randrange(1, 60000)))
                connection.shutdown(socket.SHUT_WR)
                read_all(connection)
            except OSError:
                pass
        assert web.ask(order(number)).status == 200
    assert edge.metric("till_edge_http_connections_broken_total") > 20
    assert spooled(edge) >= 60


def test_clients_that_hang_up_are_counted(edge):
    edge = edge()
    body = json.dumps([order(number) for number in range(5000)]).encode()
    head = b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    for _ in range(5):
        with dial(edge) as connection:
            connection.sendall(head + body)
    wait_until(lambda: spooled(edge) == 25000, "all that was sent whole")
    wait_until(lambda: edge.metric("till_edge_http_clients_gone_total") >= 1, "a client that did not wait")


def test_an_edge_that_ends_says_so(edge):
    edge = edge("edge.drain=20s")
    web = Web(edge)
    assert web.ask(order(1)).status == 200
    edge.signal(15)
    wait_until(lambda: "asked to stop" in edge.log_text(), "the beginning of the end")
    answer = web.ask(order(2))
    assert answer.status == 503 and answer.json["error"]["code"] == "shutting_down", answer
    assert answer.headers["Retry-After"] == "1" and answer.headers["Connection"] == "close"
    edge.signal(15)
    assert edge.wait() == 0


# ---- TLS


def curl(edge, *args):
    done = subprocess.run(["curl", "-sS", "-m", "20", "-w", " %{http_code}", "-H", "Content-Type: application/json", "-d",
                           json.dumps(order(1)), *args, url_of(edge)], capture_output=True, text=True, check=False)
    return done.stdout[-3:]


def test_tls_lets_in_whom_it_should(edge, tmp_path):
    import ssl
    certs = make_certificates(tmp_path)
    edge = edge(f"tls_cert={certs}/server.pem", f"tls_key={certs}/server.key", f"tls_client_ca={certs}/ca.pem", "timeout=2s")
    assert url_of(edge).startswith("https://")
    mine = ["--cacert", certs / "ca.pem", "--cert", certs / "till.pem", "--key", certs / "till.key"]
    assert curl(edge, *mine) == "200"
    assert curl(edge, *mine, "--tls-max", "1.2") == "200"
    assert curl(edge, "--cacert", certs / "ca.pem") == "000", "no certificate"
    assert curl(edge, "--cacert", certs / "ca.pem", "--cert", certs / "stranger.pem", "--key", certs / "stranger.key") == "000"
    assert curl(edge) == "000", "curl does not trust it"
    context = ssl.create_default_context(cafile=certs / "ca.pem")
    context.load_cert_chain(certs / "till.pem", certs / "till.key")
    web = Web(edge, tls=context)
    for number in range(20):
        assert web.ask(order(number)).status == 200
    assert web.ask([order(number, note="x" * 300) for number in range(9000)]).json["accepted"] == 9000
    with dial(edge) as plain:
        plain.sendall(b"POST /events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP" not in read_all(plain)
    with dial(edge) as silent, dial(edge) as half:
        half.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert b"HTTP" not in read_all(half) + read_all(silent), "ended, in no handshake's time"
    assert Web(edge, tls=context).ask(order(1)).status == 200 and spooled(edge) == 9023


@pytest.mark.parametrize("options, words", [
    (["listen=0.0.0.0:0"], "listen: 0.0.0.0:0 is reached by other machines: set tls_cert and tls_key"),
    (["tls_cert=c.pem"], "tls_cert: TLS needs tls_cert and tls_key"),
    (["path=events"], "is no path"),
    (["kind=carts"], 'kind: "carts" is none of order, cart, view'),
    (["set=seq=1"], "set: seq is for the edge alone to set"),
    (["body_max=5MiB"], "body_max"),
    (["token_file=/nonexistent"], "/nonexistent: No such file"),
])
def test_settings_that_make_no_sense_are_refused_in_words(tmp_path, options, words):
    edge = lone_edge(tmp_path, *options, wait_ready=False)
    assert edge.wait() == 2
    assert words in edge.log_text() and "source.web" in edge.log_text()


def test_files_and_addresses_that_can_not_be_used_are_named(tmp_path):
    certs = make_certificates(tmp_path)
    (certs / "open.key").write_bytes((certs / "server.key").read_bytes())
    (certs / "open.key").chmod(0o644)
    taken = socket.create_server(("127.0.0.1", free_port()))
    for options, words in (
            ([f"tls_cert={certs}/none.pem", f"tls_key={certs}/server.key"], "none.pem: No such file or directory"),
            ([f"tls_cert={certs}/server.pem", f"tls_key={certs}/till.key"], "do not match"),
            ([f"tls_cert={certs}/server.pem", f"tls_key={certs}/open.key"], "open to others: chmod 600"),
            ([f"tls_cert={certs}/server.pem", f"tls_key={certs}/server.key", f"tls_client_ca={certs}/names"], "names: "),
            ([f"listen=127.0.0.1:{taken.getsockname()[1]}"], "Address already in use")):
        edge = lone_edge(tmp_path, *options, wait_ready=False)
        assert edge.wait() == 1, options
        assert words in edge.log_tail(3) and "source.web" in edge.log_tail(3), edge.log_tail(3)
