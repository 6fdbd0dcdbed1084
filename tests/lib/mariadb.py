"""A real MariaDB (Debian's) in a folder of its own, on a free port of this machine alone.

It does not run as root: started by root, it is the user mysql, whom its packages made."""
import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from harness import free_port, wait_until
from own_server import become_user, handed_over

PASSWORD = "till-in-trials"
SETTINGS = {"bind-address": "127.0.0.1", "innodb-flush-log-at-trx-commit": "0", "innodb-buffer-pool-size": "32M",
            "innodb-log-file-size": "16M", "skip-name-resolve": "1", "lower-case-table-names": "0", "performance-schema": "0", "innodb-lock-wait-timeout": "10"}


class Mariadb:
    """The user till comes with PASSWORD, over TCP as over the socket in `folder`."""

    def __init__(self, tls=None):
        """`tls`: (certificate, key); who comes by TCP must use it then."""
        server = shutil.which("mariadbd", path="/usr/sbin:/usr/bin:" + os.environ.get("PATH", ""))
        if server is None:
            pytest.skip("no MariaDB server is installed (Debian: mariadb-server)")
        self.folder = Path(tempfile.mkdtemp(prefix="till-mariadb-"))
        self.data, self.port, self.server, self.process = self.folder / "data", free_port(), server, None
        self.socket = self.folder / "socket"
        self.as_user = become_user("mysql", "MariaDB", self.folder)
        self.settings = SETTINGS | dict(zip(("ssl-cert", "ssl-key"), handed_over(tls or (), self.folder), strict=False))
        self.run(["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--auth-root-authentication-method=normal",
                  "--skip-test-db", "--skip-name-resolve"])
        self.start()
        self.sql(f"CREATE USER 'till'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO 'till'@'127.0.0.1'; "
                 f"ALTER USER 'till'@'127.0.0.1' REQUIRE {'SSL' if tls else 'NONE'}; ALTER USER 'root'@'localhost' IDENTIFIED BY '{PASSWORD}'; DROP USER IF EXISTS ''@'localhost'", password="")

    def run(self, command):
        done = subprocess.run([*self.as_user, *map(str, command)], capture_output=True, text=True, timeout=300, check=False,
                              cwd=self.folder)
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"

    def start(self):
        settings = [f"--{name}={value}" for name, value in self.settings.items()]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.as_user, self.server, "--no-defaults", f"--datadir={self.data}", f"--port={self.port}", f"--socket={self.socket}",
                 f"--pid-file={self.folder / 'pid'}", *settings], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        wait_until(self.answers, "MariaDB to answer", 120, every=0.1)

    def answers(self):
        assert self.process.poll() is None, f"MariaDB ended with {self.process.returncode}: {(self.folder / 'log').read_text()[-2000:]}"
        done = subprocess.run(["mariadb-admin", "--no-defaults", f"--socket={self.socket}", "-u", "nobody", "ping"], capture_output=True,
                              check=False, timeout=60)
        return done.returncode == 0  # also when it answers that we are not let in

    def new_database(self, name):
        self.sql(f"CREATE DATABASE `{name}`")
        return Database(self, name)

    def sql(self, text, database="mysql", password=PASSWORD):
        """Rows of texts; NULL is None."""
        done = subprocess.run(["mariadb", "--no-defaults", f"--socket={self.socket}", "-u", "root", "-N", "-B",
                               "--default-character-set=utf8mb4", database], input=text.encode(), capture_output=True, timeout=120,
                              check=False, env={**os.environ, "MYSQL_PWD": password})
        assert done.returncode == 0, f"{text}: {done.stderr.decode()}"
        rows = done.stdout.decode().splitlines()
        return [[None if cell == "NULL" else cell for cell in row.split("\t")] for row in rows]

    def stop(self, for_good=True):
        if self.process is not None and self.process.poll() is None:
            (self.process.kill if for_good else self.process.terminate)()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(60)
        if for_good:
            shutil.rmtree(self.folder, ignore_errors=True)


class Database:
    """One of it, for one test."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.address = f"mysql://till@127.0.0.1:{server.port}/{name}"

    def sql(self, text):
        return self.server.sql(text, self.name)

    def columns(self, table):
        """{column: type}."""
        return dict(self.sql("SELECT column_name, column_type FROM information_schema.columns WHERE table_schema = database() "
                             f"AND table_name = '{table}' ORDER BY ordinal_position"))
