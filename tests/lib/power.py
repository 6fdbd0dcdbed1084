"""Power losses and damaged files: runs tests/power's programs."""
import contextlib
import json
import os
import signal
import subprocess
import tempfile

from harness import BUILD

SUBJECTS = ("edge", "store")


class Lie(Exception):
    """Something acknowledged was lost, or something else was told as the truth."""


def run_whole(command):
    """(stdout, stderr, exit code). Whoever ends this ends the processes that open images, too, and their files are gone."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="till-power-", dir=memory) as scratch:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                                   env={**os.environ, "TMPDIR": scratch})
        try:
            return (*process.communicate(), process.returncode)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise


def run(subject, **options):
    """The figures of one run; raises with the words of what went wrong, and the command that replays it."""
    program = BUILD / "tests" / "power" / f"till-power-{subject}"
    command = [str(program), *(str(part) for name, value in options.items() for part in (f"--{name}", value))]
    figures, words, code = run_whole(command)
    if code != 0 or not figures:
        raise Lie(f"{' '.join([program.name, *command[1:]])} ended with {code}:\n{words[-3000:]}")
    return json.loads(figures)
