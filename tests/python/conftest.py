"""Tests of python/, as it is installed from its wheel; fixtures are those of the system tests."""
from pathlib import Path

import pytest
import till

pytest_plugins = ["pipeline_fixtures", "alert_rig"]


@pytest.fixture(autouse=True, scope="session")
def _is_the_installed_one():
    assert "site-packages" in Path(till.__file__).parts, f"{till.__file__} is not what the wheel installed"


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """One Spark for all that it reads."""
    from pyspark.sql import SparkSession

    made = (SparkSession.builder.master("local[1]").appName("till").config("spark.ui.enabled", "false")
            .config("spark.driver.memory", "512m").config("spark.sql.shuffle.partitions", "1")
            .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("spark"))).getOrCreate())
    yield made
    made.stop()
