"""Starts `till archive` many times without waiting for Python each time: imports everything once, then forks for every command. A program
of its own, so that nothing but the imports has happened before a fork: one request a line in JSON, one answer a line."""
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path


class Forks:
    """The other end."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, *arguments, out=os.devnull, err=os.devnull):
        """The process's number; `wait` must follow."""
        return self.ask(do="start", arguments=[str(part) for part in arguments], out=str(out), err=str(err))

    def wait(self, pid):
        """Its exit code; -9: it was killed."""
        return self.ask(do="wait", pid=pid)

    def run(self, *arguments, deadline):
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            pid = self.start(*arguments, out=out, err=err)
            late = threading.Timer(deadline, os.kill, (pid, 9))
            late.start()
            code = self.wait(pid)
            late.cancel()
            return subprocess.CompletedProcess(arguments, code, out.read_bytes(), err.read_bytes())

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def alive(pid):
    """Not dead, though nobody may have waited for it yet."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def start(arguments, out, err):
    pid = os.fork()
    if pid:
        return pid
    for number, path in ((0, os.devnull), (1, out), (2, err)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644), number)
    sys.argv[1:] = arguments
    from till import archive
    archive.main()
    raise AssertionError


def main():
    from till.archive import cli, run  # noqa: F401  what takes long to import
    for line in sys.stdin:
        request = json.loads(line)
        if request.pop("do") == "start":
            answer = start(**request)
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["pid"], 0)[1])
        print(answer, flush=True)


if __name__ == "__main__":
    main()
