"""An Airflow DAG that brings marts up to date: each in a task of its own, then one that shows the last runs in its log.

Copy it into the folder of DAGs. `till` and its package must be installed where the tasks run; the database's password comes from the
environment (PGPASSWORD) or from the file that TILL_MART_PASSWORD_FILE names. Airflow 2.4 and later, and 3."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

from airflow import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator  # Airflow 3
except ImportError:
    from airflow.operators.bash import BashOperator

AGGREGATOR = os.environ.get("TILL_AGGREGATOR", "tcp://127.0.0.1:7172")
DATABASE = os.environ.get("TILL_MART_DATABASE", "postgresql://till@127.0.0.1:5432/shop")
PASSWORD_FILE = os.environ.get("TILL_MART_PASSWORD_FILE")
MARTS = {"UserOrders": "users", "ProductSales": "products"}


def command_of(*options: str) -> str:
    """The shell's line; nothing in it is secret."""
    words = ["till", "mart", "--at", AGGREGATOR, "--to", DATABASE, *options]
    if PASSWORD_FILE:
        words += ["--password-file", PASSWORD_FILE]
    return " ".join(words)


with DAG(
    dag_id="till_marts",
    schedule=timedelta(minutes=10),
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,  # a mart shows the present: there is nothing to make up for
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=30)},
) as dag:
    history = BashOperator(task_id="history", bash_command=command_of("--history", "--limit", str(len(MARTS))))
    for table, view in MARTS.items():
        BashOperator(task_id=f"write_{table}", bash_command=command_of("--view", f"{view}={table}")) >> history
