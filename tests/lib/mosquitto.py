"""A real mosquitto as a fixture: on a port and in a folder of its own, configured as docs/SOURCES.md demands. It can be
killed and started again over what it had saved, and its log says what it sent to whom."""
import contextlib
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
from collections import Counter
from pathlib import Path

from harness import ROOT, free_port, wait_until

PROGRAM = shutil.which("mosquitto") or "/usr/sbin/mosquitto"  # not in the path of everybody but root


def demanded():
    """What docs/SOURCES.md tells a store to write into its broker's configuration, but for listeners and places."""
    text = (ROOT / "docs" / "SOURCES.md").read_text()
    block = re.search(r"```\n([^`]*\npersistence true\n.*?)per_listener_settings", text, re.S)[1]
    return [line for line in block.splitlines() if line and not line.startswith(("#", "persistence_location"))]


class Mosquitto:
    """`settings` replace what is demanded under the same name; `tls` adds a listener with certificates."""

    def __init__(self, folder, settings=(), tls=None, start=True):
        self.folder = Path(folder)
        self.saved = self.folder / "saved"
        self.saved.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "mosquitto.log"
        self.output = self.folder / "mosquitto.out"  # what it says before it has its log
        self.port = free_port()
        self.tls_port = free_port() if tls else None
        self.config = self.folder / "mosquitto.conf"
        self.config.write_text("\n".join(self.lines(settings, tls)) + "\n")
        self.process = None
        if start:
            self.start()

    def lines(self, settings, tls):
        chosen = {line.split()[0]: line for line in (*demanded(), *settings)}
        yield from chosen.values()
        yield f"persistence_location {self.saved}/"
        yield f"user {getpass.getuser()}"  # else root becomes another, who may not write here
        yield f"log_dest file {self.log}"
        yield "log_type all"
        yield "connection_messages true"
        yield "log_timestamp_format %Y-%m-%dT%H:%M:%S"
        yield f"listener {self.port} 127.0.0.1"
        yield "allow_anonymous true"
        if tls:
            yield f"listener {self.tls_port} 127.0.0.1"
            yield f"cafile {tls.authority}"
            yield f"certfile {tls.certificate}"
            yield f"keyfile {tls.key}"
            yield f"require_certificate {'true' if tls.clients else 'false'}"
            yield "allow_anonymous true"

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        with open(self.output, "ab") as out:
            self.process = subprocess.Popen([PROGRAM, "-c", str(self.config)], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=out)
        wait_until(self.answers, f"mosquitto on port {self.port}", every=0.005)
        return self

    def answers(self):
        assert self.running(), f"mosquitto ended with {self.process.returncode}: {self.output.read_text()}{self.log_text()}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9."""
        if self.running():
            self.process.kill()
        self.process.wait(30)

    def stop(self):
        """SIGTERM: it saves what it holds."""
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def restart(self):
        self.kill()
        return self.start()

    def forget(self):
        """Sessions and queued messages are gone; not while it runs."""
        assert not self.running()
        shutil.rmtree(self.saved)
        self.saved.mkdir()

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def sendings(self, client):
        """[(dup, qos, retain, packet id, topic)]: every PUBLISH that it ever sent to a client."""
        found = re.findall(rf"Sending PUBLISH to {re.escape(client)} \(d(\d), q(\d), r(\d), m(\d+), '([^']*)',", self.log_text())
        return [(int(dup), int(qos), int(retain), int(packet), topic) for dup, qos, retain, packet, topic in found]

    def acknowledged(self, client):
        """Topics of the messages that a client acknowledged, by PUBACK or PUBREC, one by one."""
        sent, topics = {}, []
        who = re.escape(client)
        lines = rf"Sending PUBLISH to {who} \(d\d, q[12], r\d, m(\d+), '([^']*)'|Received PUB(?:ACK|REC) from {who} \(Mid: (\d+)"
        for packet, topic, answered in re.findall(lines, self.log_text()):
            if packet:
                sent[packet] = topic
            elif answered in sent:
                topics.append(sent.pop(answered))
        return topics

    def sent_after_release(self, client):
        """{topic: how often} a QoS 2 message was sent again although the client's PUBREC had been received: 2.0.11 does so
        when a second connection breaks before PUBREL is through. The standard forbids it, and the client can't know it."""
        sent, released, again = {}, {}, Counter()
        who = re.escape(client)
        lines = rf"Sending PUBLISH to {who} \(d\d, q2, r\d, m(\d+), '([^']*)'|Received PUB(REC|COMP) from {who} \(Mid: (\d+)"
        for packet, topic, answer, answered in re.findall(lines, self.log_text()):
            if packet:
                sent[packet] = topic
                again[topic] += released.pop(packet, None) == topic
            elif answer == "REC":
                released[answered] = sent.get(answered)
            else:
                released.pop(answered, None)
        return again

    def count(self, pattern):
        """Lines of its log in which a pattern occurs."""
        return len(re.findall(pattern, self.log_text()))

    def publish(self, topic, payload, *options):
        """One message by mosquitto_pub, QoS 1; returns when the broker acknowledged it."""
        done = subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-t", topic, "-s",
                               *(() if "-q" in options else ("-q", "1")), *options],
                              input=payload, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


class Certificates:
    """An authority, and a server's certificate for 127.0.0.1 and localhost, made by openssl in `folder`. `names` is the
    subjectAltName; `days` < 0: it has expired. With `clients` the broker demands a certificate: client() makes one."""

    def __init__(self, folder, names="IP:127.0.0.1,DNS:localhost", days=2, clients=False):
        self.clients = clients
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.authority, self.authority_key = self.folder / "ca.pem", self.folder / "ca.key"
        self.certificate, self.key = self.folder / "server.pem", self.folder / "server.key"
        self.openssl("req", "-x509", *NEW_KEY, "-keyout", self.authority_key, "-out", self.authority, "-days", "2",
                     "-subj", "/CN=till test authority", "-addext", "basicConstraints=critical,CA:TRUE")
        self.issue(names, days)

    def issue(self, names, days=2):
        """Another certificate for the same key's place: what a reload or restart of the broker then shows."""
        self.sign("server", "till test broker", f"subjectAltName={names}", days)

    def client(self, name="till"):
        """(certificate, key) of a client."""
        self.sign("client", name, "extendedKeyUsage=clientAuth", 2)
        return self.folder / "client.pem", self.folder / "client.key"

    def sign(self, file, subject, extension, days):
        request, extensions = self.folder / f"{file}.csr", self.folder / f"{file}.ext"
        extensions.write_text(extension + "\n")
        self.openssl("req", *NEW_KEY, "-keyout", self.folder / f"{file}.key", "-out", request, "-subj", f"/CN={subject}")
        self.openssl("x509", "-req", "-in", request, "-CA", self.authority, "-CAkey", self.authority_key,
                     "-CAcreateserial", "-days", str(days), "-extfile", extensions, "-out", self.folder / f"{file}.pem")

    @staticmethod
    def openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False,
                              stdin=subprocess.DEVNULL, env={**os.environ, "OPENSSL_CONF": os.devnull})
        assert done.returncode == 0, done.stderr


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
