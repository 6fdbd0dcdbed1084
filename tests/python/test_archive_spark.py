"""Spark reads the archive's Parquet: types, sums, and no row twice."""
from decimal import Decimal

from archive_rig import Topics, archive, expected, order


def test_spark_reads_what_the_manifest_names(broker, prefix, tmp_path, spark):
    topics, folder, events = Topics(broker.bootstrap, prefix), tmp_path / "archive", []
    for first in (1, 41):
        for seq in range(first, first + 40):
            events.append(order("berlin-1", 1, seq, amount="0.000001") if seq == 7 else order("berlin-1", 1, seq))
            topics.put("order", 0, events[-1])
            topics.put("order", 0, events[-1])
        topics.flush()
        archive("run", folder, *topics.options(), "--once")
    rows = spark.read.parquet(*archive("list", folder, "--kind", "order").stdout.decode().split())
    types = dict(rows.dtypes)
    assert {name: types[name] for name in ("day", "run", "ts", "revenue", "unit_price", "record", "headers")} == {
        "day": "date", "run": "bigint", "ts": "timestamp", "revenue": "decimal(38,6)", "unit_price": "decimal(38,6)", "record": "binary",
        "headers": "map<string,binary>"}
    (total,) = rows.selectExpr("count(*) AS lines", "sum(revenue) AS revenue",
                               "count(DISTINCT stream, edge, run, seq) AS certificates").collect()
    assert (total.lines, total.certificates) == (80, 80)
    assert {"berlin-1": (total.lines, Decimal(total.revenue))} == expected(events)
    by_folder = spark.read.parquet(str(folder / "data"))  # nothing writes: folders say the same, and are columns
    assert by_folder.where("kind = 'order' AND day = '2010-12-02'").count() == sum(
        event["ts"] // 86_400_000 == 14945 for event in events)
