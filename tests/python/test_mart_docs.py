"""What docs/MART.md shows and deploy/marts/ holds: run, or verified."""
import os
import re
import runpy
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
from harness import ROOT, Sender, program
from mart_rig import TILL_MART, address_of, environment, history

TEXT = (ROOT / "docs" / "MART.md").read_text()
FOLDER = ROOT / "deploy" / "marts"


def block(language):
    return re.search(rf"```{language}\n(.*?)```", TEXT, re.S)[1]


@pytest.fixture
def shop(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask([{"order_id": f"o{number // 2}", "product_id": f"p{number}", "user_id": "u1", "quantity": 1, "unit_price": "2.50",
                        "ts": 1_291_193_160_000} for number in range(4)])["ok"]
    sender.close()
    pipe.wait_settled()
    return pipe


def run_commands(shop, database, tmp_path):
    """The page's shell block, where till and till-mart are ours."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "till").symlink_to(program("till"))
    commands = block("sh").replace("tcp://127.0.0.1:7172", shop.aggregator.ready["listen"][0])
    commands = commands.replace("postgresql://till@127.0.0.1:5432/shop", address_of(database))
    commands = commands.replace("--brokers 127.0.0.1:9092", f"--brokers {shop.bootstrap} --topic {shop.prefix}orders")
    path = f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(["bash", "-euc", commands], capture_output=True, text=True, check=False, timeout=120, env=environment(PATH=path))


def test_the_pages_example_does_what_it_says(shop, database, tmp_path):
    done = run_commands(shop, database, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ProductSales: created, 4 rows: 4 inserted, 0 updated, 0 deleted" in done.stdout
    assert "events of" in done.stdout
    assert [run["mart"] for run in history(database)] == ["UserOrders", "ProductSales", "store_days", "order_events"]
    sales, marts = (statement for statement in block("sql").split(";") if statement.strip())
    assert database.sql(sales)[0][1:] == ["1", "2.500000"]
    assert {row[0] for row in database.sql(marts)} == {"UserOrders", "ProductSales", "store_days", "order_events"}
    assert database.sql('SELECT * FROM "UserOrders"') == [["u1", "2", "10.000000", "2010-12-01 08:46:00+00"]]


def test_units_are_as_systemd_wants_them(tmp_path):
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("systemd is not installed")
    for name in ("till-marts.service", "till-marts.timer"):  # till may not be installed where this runs
        (tmp_path / name).write_text((FOLDER / name).read_text().replace("/usr/bin/till ", "/bin/true "))
    done = subprocess.run([verifier, "verify", "--man=no", tmp_path / "till-marts.timer", tmp_path / "till-marts.service"],
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "till-marts" not in done.stderr, done.stderr


def options_of(line):
    """What till mart makes of a command line of ours: its exit code when the aggregator and the database are not there."""
    words = line.split()
    assert words[:2] in (["till", "mart"], ["/usr/bin/till", "mart"]), line
    found = [word if not word.startswith(("tcp://", "postgresql://")) else re.sub(r":\d+", ":9", word) for word in words[2:]]
    return subprocess.run([TILL_MART, "--timeout", "1s", *found], capture_output=True, text=True, check=False, timeout=60,
                          env=environment())


def test_the_units_command_is_one_that_till_mart_takes(tmp_path):
    line = re.search(r"^ExecStart=(.*)$", (FOLDER / "till-marts.service").read_text(), re.M)[1]
    (tmp_path / "database").write_text("secret")
    done = options_of(line.replace("%d", str(tmp_path)))
    assert done.returncode == 3, done.stderr
    assert "can't be reached" in done.stderr


class Operator:
    """As much of Airflow's as the example takes; anything else is a TypeError."""

    made = None

    def __init__(self, *, task_id, bash_command):
        self.task_id, self.bash_command, self.after = task_id, bash_command, []
        Operator.made.append(self)

    def __rshift__(self, other):
        other.after.append(self.task_id)
        return other


class Dag:
    def __init__(self, *, dag_id, schedule, start_date, catchup, max_active_runs, default_args):
        assert start_date.tzinfo is not None
        self.dag_id, self.schedule, self.catchup, self.max_active_runs, self.default_args = (dag_id, schedule, catchup, max_active_runs,
                                                                                             default_args)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize("place", ["airflow.providers.standard.operators.bash", "airflow.operators.bash"])
def test_the_dag_has_a_task_for_each_mart_and_the_history_behind_them(place, monkeypatch):
    Operator.made = []
    names = place.split(".")
    for depth in range(1, len(names) + 1):
        monkeypatch.setitem(sys.modules, ".".join(names[:depth]), types.ModuleType(".".join(names[:depth])))
    sys.modules["airflow"].DAG = Dag
    sys.modules[place].BashOperator = Operator
    dag = runpy.run_path(str(FOLDER / "till_marts_dag.py"))["dag"]
    assert (dag.dag_id, dag.catchup, dag.max_active_runs) == ("till_marts", False, 1)
    tasks = {task.task_id: task for task in Operator.made}
    assert sorted(tasks) == ["history", "write_ProductSales", "write_UserOrders"]
    assert sorted(tasks["history"].after) == ["write_ProductSales", "write_UserOrders"]
    for task in tasks.values():
        assert options_of(task.bash_command).returncode == 3
