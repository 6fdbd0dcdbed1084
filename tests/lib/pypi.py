"""The Python environment with what the tests take from PyPI (requirements.txt): made once beside the builds, used by
programs that tests start. pytest itself runs on Debian's packages alone."""
import fcntl
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "tests" / "lib" / "requirements.txt"
FOLDER = ROOT / "build-venv"
STAMP = FOLDER / "installed.txt"
INSTALL_SECONDS = 300


class NoRegistry(Exception):
    """What the tests need from PyPI could not be installed; says why."""


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        why = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise NoRegistry(f"can't install {REQUIREMENTS.name} into {FOLDER.name}: {' '.join(map(str, command))} ended with "
                         f"{done.returncode}:\n{why}\nThe machine must reach PyPI once, or a mirror that pip is told of.")


def make(interpreter):
    wanted = REQUIREMENTS.read_text()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    run("/usr/bin/python3", "-m", "venv", "--system-site-packages", FOLDER)
    run(interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes",
        "-r", REQUIREMENTS)
    STAMP.write_text(wanted)  # last: an environment without it is half made


def python():
    """The interpreter of the environment, which is made, or made anew, if requirements.txt asks for it."""
    interpreter = FOLDER / "bin" / "python"
    with open(REQUIREMENTS, encoding="utf-8") as lock:  # suites that run beside each other want it at the same moment
        fcntl.flock(lock, fcntl.LOCK_EX)
        make(interpreter)
    return interpreter
