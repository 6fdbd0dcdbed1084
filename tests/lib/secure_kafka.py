"""A real Kafka that lets nobody in without TLS and a password, and the certificates for it, made by openssl.

All its secure listeners advertise one relay; which of them answers there is the test's choice, so that a certificate goes
wrong and is mended under running programs. A plain listener beside them is the administrator's."""
import subprocess

import pypi
from harness import Broker, free_port
from relay import Relay

USER, PASSWORD = "till", "correct-horse-7f3a91"
# What the listeners show: (signed by, name in it, days that it is valid).
FACES = {"good": ("ca", "localhost", 2), "stranger": ("other-ca", "localhost", 2), "expired": ("ca", "localhost", -1),
         "misnamed": ("ca", "kafka.example", 2), "locked": ("ca", "localhost", 2)}
OTHER_PASSWORD = "battery-staple-52c0de"


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, timeout=60)


def new_key(folder, name, *args):
    openssl("req", *args, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            folder / f"{name}.key", "-subj", f"/CN={name}")


def make_ca(folder, name):
    new_key(folder, name, "-x509", "-days", 2, "-out", folder / f"{name}.pem")


def make_certificate(folder, name, signed_by, host, days):
    """name.pem: the key and, signed, its certificate."""
    new_key(folder, name, "-out", folder / f"{name}.csr", "-addext", f"subjectAltName=DNS:{host}")
    openssl("x509", "-req", "-in", folder / f"{name}.csr", "-CA", folder / f"{signed_by}.pem", "-CAkey",
            folder / f"{signed_by}.key", "-CAcreateserial", "-copy_extensions", "copy", "-days", days, "-out",
            folder / f"{name}.crt")
    (folder / f"{name}.pem").write_text((folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text())


def newer_library():
    """The librdkafka of a wheel, for LD_PRELOAD: Debian's 2.0.2 repeats the nonce in SCRAM's last message, which a Kafka 4
    no longer forgives."""
    python = pypi.python()
    return str(next((python.parent.parent / "lib").glob("python3*/site-packages/confluent_kafka.libs/librdkafka-*.so*")))


class SecureBroker:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("ca", "other-ca"):
            make_ca(folder, name)
        for name, face in FACES.items():
            make_certificate(folder, name, *face)
        self.ports = {name: free_port() for name in ("plain", "controller", *FACES)}
        self.relay = Relay(("127.0.0.1", self.ports["good"]))
        self.kafka = Broker(folder / "kafka", options=self.options())
        self.admin = f"127.0.0.1:{self.ports['plain']}"
        self.set_password(PASSWORD)

    @property
    def bootstrap(self):
        return f"localhost:{self.relay.port}"

    def options(self):
        secure = [f"{name.upper()}://127.0.0.1:{self.ports[name]}" for name in FACES]
        told = [f"{name.upper()}://localhost:{self.relay.port}" for name in FACES]
        plain = f"PLAINTEXT://127.0.0.1:{self.ports['plain']}"
        controller = f"127.0.0.1:{self.ports['controller']}"
        yield f"listeners={','.join([plain, f'CONTROLLER://{controller}', *secure])}"
        yield f"advertised.listeners={','.join([plain, *told])}"
        yield f"controller.quorum.voters=1@{controller}"
        yield "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT," + ",".join(
            f"{name.upper()}:SASL_SSL" for name in FACES)
        yield "sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN"
        for name in FACES:
            place = f"listener.name.{name}"
            yield (f"{place}.scram-sha-512.sasl.jaas.config="
                   "org.apache.kafka.common.security.scram.ScramLoginModule required;")
            password = OTHER_PASSWORD if name == "locked" else PASSWORD
            yield (f"{place}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
                   f'user_{USER}="{password}";')
            yield f"{place}.ssl.keystore.type=PEM"
            yield f"{place}.ssl.keystore.location={self.folder / name}.pem"

    def set_password(self, password):
        self.kafka.tool("kafka.admin.ConfigCommand", "--bootstrap-server", self.admin, "--alter", "--entity-type", "users",
                        "--entity-name", USER, "--add-config", f"SCRAM-SHA-512=[iterations=4096,password={password}]")

    def show(self, face):
        """From now on clients meet this listener; connections to others end."""
        self.relay.cut()
        self.relay.target = ("127.0.0.1", self.ports[face])
        self.relay.restore()

    def close(self):
        self.relay.close()
        self.kafka.down()
