"""docs/PYTHON.md does what it says; the package works where nothing but its two dependencies is installed."""
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from harness import ROOT, Client, wait_until
from shop_rig import Shop

PAGE = (ROOT / "docs" / "PYTHON.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
BARE = """
import sys
from decimal import Decimal
import till

with till.Producer(sys.argv[2], "bare", state=sys.argv[3]) as producer:
    ack = producer.send({"order_id": "b1", "product_id": "bare", "unit_price": Decimal("1.25"), "currency": "EUR", "ts": 1_291_193_160_000})
with till.Client(sys.argv[1]) as client:
    (row,) = client.get("products", "bare", after=ack, timeout_ms=60_000)
    print(row["total_revenue"])
    try:
        client.scan("products").to_arrow()
    except till.NotInstalled as error:
        print(error)
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory, broker, admin):
    made = Shop(tmp_path_factory.mktemp("shop"), broker, f"page-{tmp_path_factory.getbasetemp().name}-", admin)
    yield made
    made.stop()


def run(shop, block, folder):
    block = block.replace("tcp://127.0.0.1:7172", shop.endpoint).replace("tcp://127.0.0.1:7170", shop.pipe.endpoint("berlin"))
    done = subprocess.run([sys.executable, "-c", block], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_each_block_runs_and_prints_what_is_so(shop, tmp_path):
    assert len(BLOCKS) == 6
    printed = [run(shop, block, tmp_path) for block in BLOCKS]
    top = Client(shop.endpoint).rows("top", view="products", by="total_revenue", limit=10)
    assert [line.split()[0] for line in printed[0].splitlines()] == [row["product_id"] for row in top]
    assert "berlin 2010-11-01" in printed[1]
    assert "EUR" in printed[2]
    assert "decimal128(38, 6)" in printed[2]
    assert printed[3] == "snapshot 8\n"
    assert len(printed[4].splitlines()) == 8
    assert printed[5].startswith("1 0 {'order': (")


def test_two_dependencies_are_enough(shop, tmp_path):
    clean = tmp_path / "clean"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", clean], check=True, timeout=120)
    (wheel,) = (Path(sys.prefix) / "wheels").glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", clean / "bin" / "python"]
    subprocess.run([*pip, "install", wheel, f"pyzmq=={version('pyzmq')}", f"msgpack=={version('msgpack')}"], check=True, timeout=300)
    done = subprocess.run([clean / "bin" / "python", "-c", BARE, shop.endpoint, shop.pipe.endpoint("oslo"), tmp_path / "state"],
                          cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines() == ["1.25", "the Python package pyarrow is not installed: pip install 'till[arrow]'"], done.stderr
    wait_until(lambda: not (tmp_path / "state.new").exists(), "a state file that is whole")
