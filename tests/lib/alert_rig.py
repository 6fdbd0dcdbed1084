"""till alert as its users run it, and receivers of announcements that fail when they are told to."""
import contextlib
import hashlib
import hmac
import json
import os
import re
import select
import signal
import socketserver
import ssl
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgpack
import pytest
import zmq
from forks import forks
from harness import DEADLINE, parse_metrics

PROGRAM = Path(sys.executable).parent / "till-alert"


def alert(*arguments, deadline=DEADLINE):
    """Runs the command to its end."""
    return forks("alert").run_text(*arguments, deadline=deadline)


class Running:
    """`till alert run`, with its ready line."""

    def __init__(self, config, log):
        self.log = Path(log)
        read_end, write_end = os.pipe()
        with self.log.open("ab") as file:
            self.process = subprocess.Popen([PROGRAM, "run", "-c", str(config), "--ready-fd", str(write_end)], pass_fds=[write_end],
                                            stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        os.close(write_end)
        data = b""
        while not data.endswith(b"\n"):
            assert select.select([read_end], [], [], DEADLINE)[0], self.log.read_text()
            chunk = os.read(read_end, 4096)
            assert chunk, f"ended before it was ready\n{self.log.read_text()}"
            data += chunk
        os.close(read_end)
        self.ready = json.loads(data)

    def metrics(self):
        with urllib.request.urlopen(f"http://{self.ready['http']}/metrics", timeout=DEADLINE) as answer:
            return parse_metrics(answer.read().decode())

    def kill(self):
        self.process.kill()
        self.process.wait(DEADLINE)

    close = kill

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE)


class Hook:
    """A webhook's receiver; keeps what it took. `fails(number)` says what to do with the number-th POST: None takes it, a status refuses
    it, "drop" takes it and closes without an answer."""

    def __init__(self, fails=lambda _: None, secret=None, tls=None):
        self.taken, self.refused, self.wrong_signatures = [], 0, 0
        self._lock, self._count = threading.Lock(), 0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.receive(self, body, fails, secret)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/till"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def receive(self, handler, body, fails, secret):
        with self._lock:
            self._count += 1
            verdict = fails(self._count)
            if secret is not None:
                wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
                self.wrong_signatures += handler.headers.get("X-Till-Signature") != wanted
            if verdict in (None, "drop"):
                self.taken.append(json.loads(body))
            else:
                self.refused += 1
        if verdict == "drop":
            handler.close_connection = True
            return
        handler.send_response(verdict or 204)
        if verdict in (301, 302, 307, 308):
            handler.send_header("Location", "http://127.0.0.2:1/elsewhere")
        handler.end_headers()

    def ids(self):
        """What is left when each id is looked at once."""
        with self._lock:
            return list(dict.fromkeys(each["id"] for each in self.taken))

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Mailbox:
    """A small SMTP server: keeps messages, wants a login where it has a password, speaks STARTTLS where it has a certificate, or TLS from
    the first byte where it `is_secure`."""

    def __init__(self, tls=None, password=None, refuse=(), fails=lambda _: False, is_secure=False):
        self.messages, self.logins, self.transactions, self.ids = [], [], 0, []
        box = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError, ConnectionError):
                    box.talk(self, tls, password, refuse, fails, is_secure)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self.server.daemon_threads = True
        if is_secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def talk(self, session, tls, password, refuse, fails, is_secure):
        reader, writer = session.rfile, session.wfile
        receivers = []

        def say(line):
            writer.write(f"{line}\r\n".encode())
            writer.flush()
        say("220 mailbox")
        while line := reader.readline().decode().strip():
            word = line.split(" ")[0].upper()
            if word == "EHLO":
                say("250-mailbox" + ("\r\n250-STARTTLS" if tls and not is_secure else "") + "\r\n250-AUTH PLAIN\r\n250 8BITMIME")
            elif word == "STARTTLS":
                say("220 go on")
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*tls)
                secured = context.wrap_socket(session.request, server_side=True)
                reader, writer, is_secure = secured.makefile("rb"), secured.makefile("wb"), True
            elif word == "AUTH":
                self.logins.append((line, is_secure))
                say("235 in")
            elif word == "MAIL":
                receivers = []
                say("250 ok" if password is None or self.logins else "530 log in first")
            elif word == "RCPT":
                if any(each in line for each in refuse):
                    say("550 nobody here")
                else:
                    receivers.append(line)
                    say("250 ok")
            elif word == "DATA":
                say("354 go on")
                data = b""
                while (part := reader.readline()) != b".\r\n":
                    data += part
                self.transactions += 1
                self.ids.append(re.search(rb"^Message-ID: (\S+)", data, re.M)[1])
                if fails(self.transactions):
                    say("451 not now")
                else:
                    self.messages.append((receivers, data))
                    say("250 taken")
            elif word == "QUIT":
                say("221 bye")
                return
            else:
                say("250 ok")

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class FakeAggregator:
    """Answers as an aggregator would that has one view, v (edge | n); its rows, lag and refusals are the test's to set."""

    def __init__(self):
        self.rows, self.lag, self.refusal, self.asked = {}, 0, None, 0
        self._socket = zmq.Context.instance().socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 0)
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = f"tcp://127.0.0.1:{port}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while not self._stop.is_set():
            if self._socket.poll(20):
                *envelope, body = self._socket.recv_multipart()
                self._socket.send_multipart([*envelope, msgpack.packb(self.answer(msgpack.unpackb(body)))])
        self._socket.close(0)

    def answer(self, request):
        as_of = {"store": "5f", "commit": 1, "event_ts": 1_291_193_160_000, "lag": self.lag, "gaps": []}
        if self.refusal and request["query"] in self.refusal:
            return {"ok": False, "error": self.refusal[request["query"]]}
        if request["query"] == "views":
            view = {"name": "v", "kind": "order", "group_by": ["edge"], "group_types": ["text"], "measures": ["n"], "measure_types": ["integer"],
                    "measure_errors": [None], "retain_ms": None, "stored_rows": 1, "unmatched": 0, "expired": 0}
            return {"ok": True, "views": [view], "as_of": as_of}
        if request["query"] == "tables":
            return {"ok": True, "tables": [], "as_of": as_of}
        if request["query"] == "scan":
            self.asked += 1
            return {"ok": True, "rows": [{"edge": edge, "n": count} for edge, count in sorted(dict(self.rows).items())], "as_of": as_of}
        return {"ok": True, "as_of": as_of}

    def close(self):
        self._stop.set()
        self._thread.join(DEADLINE)


CONFIG = """[alert]
at = {at}
timeout = 500ms
state = {folder}/state.db
every = {every}
http = 127.0.0.1:0
publish = tcp://127.0.0.1:0
{alert}

[rule.many]
type = threshold
view = v
measure = n
above = 10
for = {hold}
{rule}
"""


def write_config(folder, at, sinks="", alert="", rule="", every="50ms", hold="0"):
    path = Path(folder) / "alerts.conf"
    path.write_text(CONFIG.format(at=at, folder=folder, every=every, alert=alert, rule=rule, hold=hold) + sinks)
    return path


def hook_sink(hook, name="hook", more=""):
    return f"\n[sink.{name}]\ntype = webhook\nurl = {hook.url}\nbackoff = 1s\n{more}\n"


def certificate(folder, host="127.0.0.1"):
    """(certificate, key) of its own issue; to trust it, SSL_CERT_FILE names the first."""
    paths = Path(folder) / "server.pem", Path(folder) / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    f"/CN={host}", "-addext", f"subjectAltName=IP:{host}", "-out", paths[0], "-keyout", paths[1]], check=True,
                   capture_output=True, timeout=DEADLINE)
    return tuple(map(str, paths))

# ---- fixtures; conftest.py makes this file a plugin


def _maker(make):
    """Makes any number, and ends them with the test."""
    made = []

    def one(*arguments, **named):
        made.append(make(*arguments, **named))
        return made[-1]
    yield one
    for each in made:
        each.close()


@pytest.fixture
def aggregator():
    made = FakeAggregator()
    yield made
    made.close()


@pytest.fixture
def hook():
    """hook(**Hook's arguments)"""
    yield from _maker(Hook)


@pytest.fixture
def mailbox():
    """mailbox(**Mailbox's arguments)"""
    yield from _maker(Mailbox)


@pytest.fixture
def runner(tmp_path):
    """runner(config): `till alert run`."""
    yield from _maker(lambda config: Running(config, tmp_path / "alert.log"))
