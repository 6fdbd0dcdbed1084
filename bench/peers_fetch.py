"""What bench/run peers measures beside till, brought here when it is asked for and never part of till: jars by Maven (peers/pom.xml),
PySpark by pip (peers/requirements.txt), rsyslog from Debian, unpacked and not installed. All of it lies in one folder beside Kafka's jars,
and is compared with peers/checksums.sha256 before the folder gets its name."""
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent / "peers"
CHECKSUMS = HERE / "checksums.sha256"
LISTS = (HERE / "pom.xml", HERE / "requirements.txt", CHECKSUMS)
PROFILES = ("streams", "flink", "spark")
PROGRAMS = {"streams": "StreamsTotals", "flink": "FlinkTotals"}  # what javac makes
FETCH_SECONDS = 3600


def run(*command, cwd=None):
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")


def checksums():
    """{path in the folder: SHA-256}"""
    pairs = [line.split("  ", 1) for line in CHECKSUMS.read_text().splitlines() if line]
    return {path: digest for digest, path in pairs}


def versions():
    """{what: version}, from the one place that names it."""
    pom = (HERE / "pom.xml").read_text()
    named = dict(re.findall(r"<(\w[\w.]*)\.version>([^<]+)</", pom))
    debian = next(path for path in checksums() if path.startswith("debian/rsyslog_"))
    return {"Kafka Streams": named["streams"], "Flink": named["flink"], "flink-connector-kafka": named["flink.kafka"], "Spark": named["spark"],
            "rsyslog": debian.split("_")[1]}


def compare(folder):
    wanted = checksums()
    found = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
             for place in (*PROFILES, "debian") for path in (folder / place).iterdir() if path.is_file()}
    wrong = sorted(path for path in {*wanted, *found} if wanted.get(path) != found.get(path))
    if wrong:
        raise SystemExit(f"not what {CHECKSUMS.name} names: {', '.join(wrong)}")


def fetch_debian(folder):
    """By the names of the files: NAME_VERSION_ARCHITECTURE.deb."""
    packages = [path.split("/")[1].split("_") for path in checksums() if path.startswith("debian/")]
    (folder / "debian").mkdir()
    run("apt-get", "-o", "APT::Sandbox::User=root", "download", *(f"{name}={version}" for name, version, _ in packages), cwd=folder / "debian")
    for package in (folder / "debian").glob("*.deb"):
        run("dpkg", "-x", package, folder / "rsyslog")


def fetch(folder):
    for profile in PROFILES:
        run("mvn", "-B", "-q", "-f", HERE / "pom.xml", "-P", profile, "dependency:copy-dependencies", "-DincludeScope=runtime",
            f"-DoutputDirectory={folder / profile}")
    fetch_debian(folder)
    compare(folder)
    run("/usr/bin/python3", "-m", "venv", folder / "python")
    run(folder / "python/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r",
        HERE / "requirements.txt")


def digest_of(*paths):
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def compile_programs(folder):
    """Our few lines of Java; anew when they have changed."""
    sources = [HERE / f"{name}.java" for name in PROGRAMS.values()]
    classes = folder / f"classes-{digest_of(*sources)}"
    if not classes.exists():
        part = classes.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        for place, name in PROGRAMS.items():
            run("javac", "-d", part / place, "-cp", f"{folder / place}/*", HERE / f"{name}.java")
        part.rename(classes)
    return classes


def peers():
    """(the folder, the folder of our classes), after a fetch where there is none yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "till"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"peers-{digest_of(*LISTS)}"
    with open(cache / "peers.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            print(f"fetching the peers into {folder}: 800 MB, once", file=sys.stderr)
            part = cache / "peers.part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            fetch(part)
            part.rename(folder)
        return folder, compile_programs(folder)
