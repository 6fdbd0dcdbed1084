"""Real sales, exported, and read by programs that others wrote: sums are exact to the cent, and money is decimal to all of them."""
import csv
import json
from collections import defaultdict
from decimal import Decimal

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from export_rig import till_export
from harness import Pipeline, till

MAPPING = "order_id=InvoiceNo,product_id=StockCode,quantity=Quantity,unit_price=UnitPrice,ts=InvoiceDate,user_id=CustomerID"


@pytest.fixture(scope="module")
def sold(retail):
    """{product: (lines, quantity, revenue)}, and their sum, as the independent program computed them."""
    totals = retail[1]
    products = {product: (count, quantity, Decimal(revenue)) for product, (count, quantity, revenue) in totals["products"].items()}
    return products, Decimal(totals["revenue"])


@pytest.fixture(scope="module")
def exported(retail, broker, tmp_path_factory):
    """Where the real sales lie, exported in each format; all of them came through one till."""
    folder = tmp_path_factory.mktemp("retail")
    pipe = Pipeline(folder, broker.bootstrap, f"retail-export-{folder.name}-")
    try:
        pipe.start_aggregator()
        done = till("send", "--to", pipe.endpoint("store-1"), "--csv", "--map", MAPPING, "--set", "currency=GBP", retail[0], deadline=300)
        assert done.returncode == 0, done.stderr
        pipe.wait_settled(180)
        for form in ("csv", "ndjson", "parquet", "arrow"):
            done = till_export("--view", "products", "--view", "sales_per_minute", "--view", "stores_per_day", "--to", folder / form,
                               "--format", form, at=pipe.aggregator.ready["listen"][0])
            assert done.returncode == 0, done.stderr
    finally:
        pipe.stop()
    return folder


def by_product(rows):
    return {row["product_id"]: (int(row["order_count"]), int(row["total_quantity"]), Decimal(row["total_revenue"])) for row in rows}


def test_csv_and_ndjson_equal_the_totals(exported, sold):
    with (exported / "csv" / "products.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert by_product(rows) == sold[0]
    lines = [json.loads(line) for line in (exported / "ndjson" / "products.ndjson").read_text().splitlines()]
    assert by_product(lines) == sold[0]


def test_parquet_and_arrow_equal_the_totals_and_are_decimal(exported, sold):
    for table in (pa.parquet.read_table(exported / "parquet" / "products.parquet"),
                  pa.ipc.open_file(exported / "arrow" / "products.arrow").read_all()):
        assert by_product(table.to_pylist()) == sold[0]
        assert [str(field.type) for field in table.schema] == ["string", "string", "int64", "int64", "decimal128(38, 6)"]
    file = pa.parquet.ParquetFile(exported / "parquet" / "stores_per_day.parquet")
    assert str(file.schema_arrow.field("day").type) == "date32[day]"
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    minutes = pa.parquet.read_schema(exported / "parquet" / "sales_per_minute.parquet")
    assert str(minutes.field("minute").type) == "timestamp[ms, tz=UTC]"


def test_duckdb_reads_exact_sums(exported, sold):
    for path in ("parquet/products.parquet", "parquet/sales_per_minute.parquet"):
        relation = duckdb.sql(f"select sum(total_revenue), any_value(typeof(total_revenue)) from '{exported / path}'")
        assert relation.fetchall() == [(sold[1], "DECIMAL(38,6)")]
    found = duckdb.sql(f"select product_id, order_count, total_quantity, total_revenue from '{exported}/parquet/products.parquet'")
    assert {row[0]: row[1:] for row in found.fetchall()} == sold[0]
    text = duckdb.sql(f"select sum(total_revenue::decimal(38,6)) from read_csv('{exported}/csv/products.csv', all_varchar=true)")
    assert text.fetchall() == [(sold[1],)]
    told = duckdb.sql(f"select decode(value) from parquet_kv_metadata('{exported}/parquet/products.parquet') where decode(key) = 'till'")
    assert json.loads(told.fetchall()[0][0])["rows"] == len(sold[0])


def test_pandas_and_polars_read_exact_sums(exported, sold):
    frame = pd.read_parquet(exported / "parquet" / "products.parquet", dtype_backend="pyarrow")
    assert str(frame["total_revenue"].dtype) == "decimal128(38, 6)[pyarrow]"
    assert frame["total_revenue"].sum() == sold[1]
    plain = pd.read_parquet(exported / "parquet" / "products.parquet")
    assert sum(plain["total_revenue"], Decimal(0)) == sold[1]
    polar = pl.read_parquet(exported / "parquet" / "products.parquet")
    assert polar.schema["total_revenue"] == pl.Decimal(38, 6)
    assert polar["total_revenue"].sum() == sold[1]
    assert pl.read_ipc(exported / "arrow" / "products.arrow")["total_revenue"].sum() == sold[1]


@pytest.mark.plain_only
def test_spark_reads_exact_sums(exported, sold, spark):
    frame = spark.read.parquet(str(exported / "parquet" / "products.parquet"))
    assert dict(frame.dtypes)["total_revenue"] == "decimal(38,6)"
    assert frame.agg({"total_revenue": "sum"}).collect()[0][0] == sold[1]
    minutes = spark.read.parquet(str(exported / "parquet" / "sales_per_minute.parquet")).selectExpr(
        "date_format(minute, 'yyyy-MM-dd') as day", "total_revenue").groupBy("day").sum("total_revenue").collect()
    days = defaultdict(Decimal)
    with (exported / "csv" / "stores_per_day.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            days[row["day"]] += Decimal(row["total_revenue"])
    assert {row[0]: row[1] for row in minutes} == days
