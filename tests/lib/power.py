"""Power losses and damaged files: runs tests/power's programs."""
import json
import subprocess

from harness import BUILD

SUBJECTS = ("edge", "store")


class Lie(Exception):
    """Something acknowledged was lost, or something else was told as the truth."""


def run(subject, **options):
    """The figures of one run; raises with the words of what went wrong, and the command that replays it."""
    program = BUILD / "tests" / "power" / f"till-power-{subject}"
    command = [str(program), *(str(part) for name, value in options.items() for part in (f"--{name}", value))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not done.stdout:
        raise Lie(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout)
