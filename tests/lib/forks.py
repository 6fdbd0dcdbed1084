"""Starts commands of the Python package many times without waiting for Python each time: imports once what a command needs, then forks for
every call. A program of its own, so that nothing but the imports has happened before a fork: one request a line in JSON, one answer a line.
That the installed commands themselves start is shown where their pages' examples are run, and where they are killed."""
import atexit
import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

# Of each command: its entry point, and what takes long to import, some of it only when it is used first.
COMMANDS = {"archive": ("till.archive", "till.archive.cli", "till.archive.run", "confluent_kafka.admin", "pandas"),
            "mart": ("till.mart", "till.mart.postgres", "till.mart.mysql", "confluent_kafka", "psycopg", "pymysql"),
            "alert": ("till.alert.cli", "till.alert.runner", "till.alert.check", "zmq")}


class Forks:
    """The other end."""

    def __init__(self, command):
        self.process = subprocess.Popen([sys.executable, __file__, command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, *arguments, out=os.devnull, err=os.devnull, env=None):
        """The process's number; `wait` must follow."""
        os.umask(mask := os.umask(0))
        return self.ask(do="start", arguments=[str(part) for part in arguments], out=str(out), err=str(err),
                        env=dict(os.environ if env is None else env), mask=mask)

    def wait(self, pid):
        """Its exit code; -9: it was killed."""
        return self.ask(do="wait", pid=pid)

    def run(self, *arguments, deadline, env=None):
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            pid = self.start(*arguments, out=out, err=err, env=env)
            late = threading.Timer(deadline, os.kill, (pid, 9))
            late.start()
            code = self.wait(pid)
            late.cancel()
            return subprocess.CompletedProcess(arguments, code, out.read_bytes(), err.read_bytes())

    def run_text(self, *arguments, deadline, env=None):
        done = self.run(*arguments, deadline=deadline, env=env)
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


@functools.cache
def forks(command):
    """One for all tests."""
    made = Forks(command)
    atexit.register(made.close)
    return made


def alive(pid):
    """Not dead, though nobody may have waited for it yet."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def start(main, arguments, out, err, env, mask):
    pid = os.fork()
    if pid:
        return pid
    for number, path in ((0, os.devnull), (1, out), (2, err)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644), number)
    os.umask(mask)
    os.environ.clear()
    os.environ.update(env)
    sys.argv[1:] = arguments
    sys.exit(main())  # as an installed script does it


def serve(command):
    entry, *modules = COMMANDS[command]
    for name in modules:
        importlib.import_module(name)
    main = importlib.import_module(entry).main
    for line in sys.stdin:
        request = json.loads(line)
        if request.pop("do") == "start":
            answer = start(main, **request)
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["pid"], 0)[1])
        print(answer, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
