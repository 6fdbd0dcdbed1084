"""Secrets come from files that others can't read, and are shown nowhere."""
import subprocess

import pytest
from harness import ROOT, program

SECRET = "open-sesame-81b2"
LEAST = {"till-bridge": ["bridge.brokers=127.0.0.1:1"], "till-aggregator": ["aggregator.data=/tmp", "aggregator.brokers=127.0.0.1:1"],
         "till-edge": ["edge.id=a", "edge.data=/tmp"]}
PLACE = {"till-bridge": ("kafka", "sasl.password"), "till-aggregator": ("kafka", "sasl.password"),
         "till-edge": ("source.shop", "token")}
BEFORE = {"till-edge": "type = http\nlisten = 127.0.0.1:0\n"}


def run(name, *args):
    done = subprocess.run([program(name), *(arg for each in LEAST[name] for arg in ("-o", each)), *map(str, args)],
                          capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert SECRET not in done.stdout + done.stderr
    return done


@pytest.mark.parametrize("name", list(LEAST))
def test_a_secret_is_taken_from_a_closed_file_only(name, tmp_path):
    section, key = PLACE[name]
    config, secret = tmp_path / "till.conf", tmp_path / "secret"
    before = f"[{section}]\n{BEFORE.get(name, '')}"
    secret.write_text(SECRET)
    config.write_text(before + f"{key}_file = {secret}\n")
    for mode, code in ((0o644, 2), (0o640, 2), (0o600, 0)):
        secret.chmod(mode)
        done = run(name, "-c", config, "--print-config")
        assert done.returncode == code, done.stderr
        assert f"chmod 600 {secret}" in done.stderr if code else f"# {key} = (hidden)" in done.stdout

    config.write_text(before + f"{key} = {SECRET}\n")
    for mode, code in ((0o644, 2), (0o640, 2), (0o600, 0)):
        config.chmod(mode)
        done = run(name, "-c", config, "--print-config")
        assert done.returncode == code, done.stderr
        assert f"chmod 600 {config}" in done.stderr if code else f"# {key} = (hidden)" in done.stdout

    config.write_text(before)
    done = run(name, "-c", config, "-o", f"{section}.{key}={SECRET}")
    assert done.returncode == 2 and f"{section}.{key}_file=PATH" in done.stderr


def test_the_units_leave_no_core_dump():
    """Which would hold what is in memory: keys, passwords, sales."""
    units = list((ROOT / "deploy" / "systemd").glob("*.service"))
    assert len(units) >= 3 and all("\nLimitCORE=0\n" in unit.read_text() for unit in units)
