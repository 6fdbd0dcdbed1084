"""`till export` as a user runs it: the C program finds till-export beside the interpreter that the wheel was installed for."""
import os
import signal
import subprocess
import sys
from pathlib import Path

from harness import DEADLINE, Sender, program, wait_until

SCRIPTS = Path(sys.executable).parent


def counted(pipe, lines):
    """Where an aggregator answers that has counted these."""
    pipe.start_aggregator()
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask(lines)["ok"]
    sender.close()
    pipe.wait_settled()
    return pipe.aggregator.ready["listen"][0]


def environment(**more):
    return {**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}", **{name: str(value) for name, value in more.items()}}


def command(*args, at=None):
    return [str(program("till")), "export", *map(str, args), *(["--at", at] if at else [])]


def till_export(*args, at=None, deadline=DEADLINE, env=None, **kwargs):
    """Runs it to its end; text unless told otherwise."""
    kwargs.setdefault("text", True)
    return subprocess.run(command(*args, at=at), env=environment(**(env or {})), stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=deadline, check=False, **kwargs)


class Exporting:
    """One that runs until it is stopped; what it says goes into a file."""

    def __init__(self, log, *args, at=None, env=None, deadline_s=DEADLINE):
        self.log, self.deadline = Path(log), deadline_s
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(command(*args, at=at), env=environment(**(env or {})), stdin=subprocess.DEVNULL, stdout=file,
                                            stderr=file)

    def said(self):
        return self.log.read_text()

    def wait_said(self, words, times=1):
        wait_until(lambda: self.said().count(words) >= times or self.process.poll() is not None, f"{words!r} in {self.log}", self.deadline)
        assert self.said().count(words) >= times, self.said()

    def kill(self):
        self.process.kill()
        self.process.wait(self.deadline)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(self.deadline)

    def close(self):
        if self.process.poll() is None:
            self.kill()
