"""PostgreSQL, Debezium, Kafka, till: what docs/CDC.md says, as it stands there, and what SQL says of the same tables."""
import os
import re
import shlex

import pytest
from cdc_chain import REWRITES, TEXT, Chain, by_sql
from harness import till
from postgres import PASSWORD

pytestmark = pytest.mark.plain_only


@pytest.fixture
def chain(pipeline, admin, database):
    made = Chain(pipeline(edges=()), database, admin)
    yield made
    made.close()


def test_totals_equal_sql_while_connect_is_killed(chain, database):
    """A sample of bench/long cdc."""
    with chain.changing(rate=100, seed=2):
        for _ in range(2):
            chain.wait_changes()
            chain.connect.kill()
            chain.pipe.aggregator.restart()
            chain.connect.start()
            chain.connect.wait_streaming()
    for statement in REWRITES:
        database.sql(statement)
    chain.assert_equal()
    users, products = by_sql(database)
    assert len(users) >= 30 and len(products) > 5
    assert any(count == 0 for count, *_ in users.values()), "somebody has no order"
    assert_commands_of_the_page_work(chain)
    chain.assert_equal()
    chain.assert_truncation_is_followed()
    chain.assert_rebuild_is_the_same()


def assert_commands_of_the_page_work(chain):
    folder, server = chain.pipe.folder, chain.database.server
    (folder / "regions.csv").write_text("region_id,name\n1,north\n")
    (folder / "pgpass").write_text(f"*:*:*:*:{PASSWORD}\n")
    (folder / "pgpass").chmod(0o600)
    commands = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.S) for line in block.splitlines()]
    assert len(commands) == 5
    for line in commands:
        line = line.replace("127.0.0.1:5432/shop", f"127.0.0.1:{server.port}/{chain.database.name}")
        line = line.replace("tcp://127.0.0.1:7172", chain.pipe.aggregator.ready["listen"][0])
        line = re.sub(r"\b(product_sales|user_orders|customers(?=\"))\b", r"\1_rich", line)
        done = till(*shlex.split(line)[1:], cwd=folder, env={**os.environ, "PGPASSFILE": str(folder / "pgpass")})
        assert done.returncode == 0, f"{line}: {done.stderr}"
