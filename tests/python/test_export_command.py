"""The way from `till export` to till-export: arguments, exit codes and signals; and what docs/EXPORT.md shows."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from decimal import Decimal

import duckdb
import pyarrow.feather
import pytest
from export_rig import Exporting, counted, environment, till_export
from harness import BUILD, DEADLINE, ROOT, free_port, program

TEXT = (ROOT / "docs" / "EXPORT.md").read_text()
LINES = [{"order_id": f"o{number}", "product_id": f"p{number % 4}", "quantity": 1 + number, "unit_price": "0.35", "currency": "EUR",
          "ts": 1_291_193_160_000 + number * 40_000_000} for number in range(12)]


def block(language, number=0):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)[number]


@pytest.fixture(scope="module")
def at(lasting_pipeline):
    return counted(lasting_pipeline(), LINES)


def test_arguments_and_exit_codes_pass_through(tmp_path):
    done = till_export("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: till export")
    odd = tmp_path / "a name with 'quotes' and spaces"
    done = till_export("--view", "", "--to", odd, "--format", "no such")
    assert done.returncode == 2
    assert "'no such'" in done.stderr
    assert till_export("--view", "x", "--to", odd, "--timeout", "100ms", at="tcp://127.0.0.1:9").returncode == 3
    nowhere = subprocess.run([str(program("till")), "export", "--help"], env={**os.environ, "PATH": str(tmp_path)}, capture_output=True,
                             text=True, check=False, timeout=DEADLINE)
    assert nowhere.returncode == 2
    assert "pip install" in nowhere.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_it(tmp_path, number):
    exporting = Exporting(tmp_path / "log", "--view", "products", "--to", tmp_path / "out", "--every", "1h", "--timeout", "100ms",
                          at=f"tcp://127.0.0.1:{free_port()}")
    exporting.wait_said("did not answer")
    assert exporting.stop(number) == 3, "as its last round ended"
    killed = Exporting(tmp_path / "log", "--view", "products", "--to", tmp_path / "out", "--every", "1h", "--timeout", "100ms",
                       at=f"tcp://127.0.0.1:{free_port()}")
    killed.wait_said("did not answer", times=2)
    assert killed.stop(signal.SIGKILL) == -signal.SIGKILL


def test_the_example_of_the_page_does_what_it_says(at, tmp_path):
    script = block("sh").replace("tcp://127.0.0.1:7172", at)
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=DEADLINE,
                          env=environment(PATH=f"{BUILD / 'cli'}:{environment()['PATH']}"), stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    revenue = {f"p{product}": sum(Decimal("0.35") * line["quantity"] for line in LINES if line["product_id"] == f"p{product}")
               for product in range(4)}
    shown = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(Decimal(row["total_revenue"]) for row in shown) == sum(revenue.values())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "best.arrow", "daily", "products.csv", "products.csv.as_of.json", "products.parquet", "stores_per_day.parquet"]
    best = pyarrow.feather.read_table(tmp_path / "out" / "best.arrow").column("product_id").to_pylist()
    assert best == sorted(revenue, key=lambda product: -revenue[product])[:3]
    database = duckdb.connect()
    statements = [each.strip() for each in block("sql").replace("'out/", f"'{tmp_path}/out/").split(";") if each.strip()]
    found = [database.sql(each).fetchall() for each in statements]
    assert found == [[("EUR", sum(revenue.values()))], [(4,)]]


def test_the_python_of_the_page_does_what_it_says(at, tmp_path):
    done = subprocess.run([sys.executable, "-c", block("python").replace("tcp://127.0.0.1:7172", at)], cwd=tmp_path, capture_output=True,
                          text=True, check=False, timeout=DEADLINE, env=environment())
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "4"


def test_every_option_is_on_the_page_and_the_page_has_no_other():
    shown = set(re.findall(r"--[a-z][a-z-]+", till_export("--help").stdout))
    written = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT))
    assert written <= shown, written - shown
    assert shown - written <= {"--help", "--version", "--timeout", "--key", "--server-key"}, shown - written
    assert shutil.which("till-export", path=environment()["PATH"])
