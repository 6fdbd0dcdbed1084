"""A real PostgreSQL (Debian's) in a folder of its own, on a free port, with what Debezium needs (wal_level=logical).

It does not run as root: started by root, it is the user postgres, whom its packages made."""
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from harness import free_port, wait_until
from own_server import become_user, handed_over

PASSWORD = "till-in-trials"
SETTINGS = {"wal_level": "logical", "fsync": "off", "max_wal_senders": 8, "max_replication_slots": 8, "shared_buffers": "32MB",
            "listen_addresses": "127.0.0.1", "logging_collector": "off", "password_encryption": "scram-sha-256"}


def find_binaries():
    """The folder of initdb and postgres, of the newest version; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class Postgres:
    """The superuser postgres comes with PASSWORD, over TCP as over the socket in `folder`."""

    def __init__(self, tls=None):
        """`tls`: (certificate, key)."""
        binaries = find_binaries()
        if binaries is None:
            pytest.skip("no PostgreSQL server is installed (Debian: postgresql-15)")
        self.folder = Path(tempfile.mkdtemp(prefix="till-postgres-"))  # where its user may walk to; pytest's folders are our own
        self.data, self.port = self.folder / "data", free_port()
        self.postgres, self.process = binaries / "postgres", None
        self.as_user = become_user("postgres", "PostgreSQL", self.folder)
        files = dict(zip(("ssl_cert_file", "ssl_key_file"), handed_over(tls or (), self.folder), strict=False))
        self.settings = SETTINGS | ({"ssl": "on", **files} if tls else {})
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        self.run([binaries / "initdb", "-D", self.data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", secret, "-N", "-E", "UTF8",
                  "--locale=C"])
        self.start()

    def run(self, command):
        done = subprocess.run([*self.as_user, *map(str, command)], capture_output=True, text=True, timeout=300, check=False, cwd=self.folder)
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"

    def start(self):
        settings = [arg for key, value in {**self.settings, "port": self.port, "unix_socket_directories": self.folder}.items()
                    for arg in ("-c", f"{key}={value}")]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([*self.as_user, str(self.postgres), "-D", str(self.data), *settings], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=self.folder)
        wait_until(self.answers, "PostgreSQL to answer", 120, every=0.1)

    def answers(self):
        assert self.process.poll() is None, f"PostgreSQL ended with {self.process.returncode}"
        return subprocess.run([self.postgres.parent / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False,
                              timeout=60).returncode == 0

    def new_database(self, name):
        self.sql(f'CREATE DATABASE "{name}"')
        return Database(self, name)

    def sql(self, text, database="postgres"):
        """Rows of texts; NULL is None."""
        done = subprocess.run([self.postgres.parent / "psql", "-X", "-q", "-A", "-t", "-F", "\x1f", "-R", "\x1e", "-P", "null=\x1d", "-v",
                               "ON_ERROR_STOP=1", "-c", text, self.address(database)], capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, f"{text}: {done.stderr.decode()}"
        rows = done.stdout.decode().removesuffix("\n").removesuffix("\x1e")
        return [[None if cell == "\x1d" else cell for cell in row.split("\x1f")] for row in rows.split("\x1e")] if rows else []

    def address(self, database, password=PASSWORD):
        return f"postgresql://postgres:{password}@127.0.0.1:{self.port}/{database}"

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)  # "immediate": nobody will start it again
            self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


class Database:
    """One of it, for one test."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.address = server.address(name)

    def sql(self, text):
        return self.server.sql(text, self.name)

    def columns(self, table):
        """{column: type}, as psql's \\d says it."""
        return dict(self.sql("SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped "
                             f"AND attrelid = '\"{table}\"'::regclass ORDER BY attnum"))
