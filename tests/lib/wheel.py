"""A virtual environment that holds python/ as its users get it, installed from a wheel, and what its tests take from PyPI
(requirements-python.txt): made once beside the builds; the wheel is made and installed anew whenever python/ has changed."""
import hashlib
import os
import shutil
import sys
from pathlib import Path

from pypi import run

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python"
REQUIREMENTS = ROOT / "tests" / "lib" / "requirements-python.txt"
UV = "uv==0.9.9"  # takes a third of the time that pip takes for some hundred packages
FOLDER = Path(os.environ.get("TILL_WHEEL_VENV", ROOT / "build-venv-python"))


def digest_of_package():
    digest = hashlib.sha256()
    for path in sorted(path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix in (".py", ".toml", ".typed", ".md", ".html")):
        digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def holds(stamp, text):
    return stamp.exists() and stamp.read_text() == text


def install_requirements(interpreter):
    stamp, wanted = FOLDER / "requirements.txt", REQUIREMENTS.read_text()
    if holds(stamp, wanted):
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    run("/usr/bin/python3", "-m", "venv", FOLDER)
    run(interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV)
    run(interpreter, "-m", "uv", "pip", "install", "--quiet", "--python", interpreter, "-r", REQUIREMENTS)
    stamp.write_text(wanted)


def install_package(interpreter):
    stamp, wanted = FOLDER / "package.txt", digest_of_package()
    if holds(stamp, wanted):
        return
    source, wheels = FOLDER / "source", FOLDER / "wheels"  # a copy: a build leaves things in the folder that it builds
    for folder in (source, wheels):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    pip = [interpreter, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, source)
    run(*pip, "install", "--no-deps", "--force-reinstall", *wheels.glob("*.whl"))
    stamp.write_text(wanted)


def python():
    """The interpreter of the environment."""
    interpreter = FOLDER / "bin" / "python"
    install_requirements(interpreter)
    install_package(interpreter)
    return interpreter


if __name__ == "__main__":
    print(python(), file=sys.stdout)
