"""`till export` against a real aggregator: formats, options, exit codes."""
import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import till
from export_rig import counted, till_export
from harness import wait_until
from till.export import export

LINES = [{"order_id": f"o{number}", "product_id": ["p0", 'p"1,\n', "p2 é"][number % 3], "quantity": 1 + number, "unit_price": "1.05",
          "currency": "EUR", "ts": 1_291_193_160_000 + number * 86_400_000} for number in range(7)]
NAMES = ["product_id", "currency", "order_count", "total_quantity", "total_revenue"]


def wanted():
    """What the lines add up to, by plain arithmetic: (product, currency, lines, quantity, revenue), by key."""
    rows = {}
    for line in LINES:
        count, quantity, revenue = rows.get(line["product_id"], (0, 0, Decimal(0)))
        rows[line["product_id"]] = (count + 1, quantity + line["quantity"], revenue + Decimal("1.05") * line["quantity"])
    return [(product, "EUR", *rows[product]) for product in sorted(rows)]


@pytest.fixture(scope="module")
def at(lasting_pipeline):
    return counted(lasting_pipeline(), LINES)


def test_each_format_holds_the_exact_rows(at, tmp_path):
    for form in ("csv", "ndjson", "parquet", "arrow"):
        done = till_export("--view", "products", "--to", tmp_path / f"products.{form}", at=at)
        assert done.returncode == 0, done.stderr
        assert "3 rows" in done.stderr
        assert done.stdout == ""
    text = (tmp_path / "products.csv").read_bytes().decode()
    lines = list(csv.reader(io.StringIO(text, newline="")))
    assert lines[0] == NAMES
    assert text.endswith("\r\n")
    assert [(*cells[:2], int(cells[2]), int(cells[3]), Decimal(cells[4])) for cells in lines[1:]] == wanted()
    assert [line[4] for line in lines[1:]] == [f"{row[4]:.2f}" for row in wanted()], "money as answers write it"
    ndjson = [json.loads(line) for line in (tmp_path / "products.ndjson").read_text().splitlines()]
    assert [(*list(row.values())[:4], Decimal(row["total_revenue"])) for row in ndjson] == wanted()
    assert all(isinstance(row["total_revenue"], str) for row in ndjson)
    for table in (pa.parquet.read_table(tmp_path / "products.parquet"), pa.feather.read_table(tmp_path / "products.arrow")):
        assert [tuple(row.values()) for row in table.to_pylist()] == wanted()
        assert table.schema.field("total_revenue").type == pa.decimal128(38, 6)


def test_moments_are_recorded_in_the_file_or_beside_it(at, tmp_path):
    with till.Client(at) as client:
        written = [export(client, "products", tmp_path / f"x.{form}") for form in ("csv", "parquet", "arrow")]
        store = client.status()["as_of"]["store"]
    beside = json.loads((tmp_path / "x.csv.as_of.json").read_text())
    within = [pa.parquet.read_metadata(tmp_path / "x.parquet").metadata[b"till"],
              pa.ipc.open_file(tmp_path / "x.arrow").schema.metadata[b"till"]]
    for told, each in zip([beside, *map(json.loads, within)], written, strict=True):
        assert told["first"] == told["last"] == each.as_of
        assert (told["last"]["store"], told["last"]["lag"], told["rows"], told["consistent"]) == (store, 0, 3, True)
        assert told["question"] == {"query": "scan", "view": "products"}
    assert (beside["file"], beside["bytes"]) == ("x.csv", (tmp_path / "x.csv").stat().st_size)
    assert sorted(path.name for path in tmp_path.glob("x.*")) == ["x.arrow", "x.csv", "x.csv.as_of.json", "x.parquet"]


def test_filters_mean_what_they_mean_to_till_scan(at):
    def rows(*args):
        done = till_export("--to", "-", "--format", "ndjson", *args, at=at)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    assert [row["product_id"] for row in rows("--view", "products", "--where", "total_quantity>=12", "--where", "product_id prefix p")] == [
        row[0] for row in wanted() if row[3] >= 12]
    assert [row["product_id"] for row in rows("--view", "products", "--order-by", "total_quantity:desc", "--limit", "2")] == [
        row[0] for row in sorted(wanted(), key=lambda row: -row[3])[:2]]
    everything = rows("--view", "products", "--group-by", "")
    assert [Decimal(row["total_revenue"]) for row in everything] == [sum(row[4] for row in wanted())]
    days = rows("--view", "stores_per_day", "--group-by", "day", "--from", "2010-12-02", "--until", "2010-12-04")
    assert [(row["day"], Decimal(row["total_revenue"])) for row in days] == [
        (f"2010-12-{1 + number:02}", Decimal("1.05") * LINES[number]["quantity"]) for number in (1, 2)]
    compared = rows("--view", "stores_per_day", "--group-by", "day", "--last", "1d", "--compare", "1d")
    assert [(row["day"], Decimal(row["previous_total_revenue"]), Decimal(row["difference_total_revenue"])) for row in compared] == [
        ("2010-12-07", Decimal("6.30"), Decimal("1.05"))]


def test_queries_are_exported_too(at, tmp_path):
    top = {"query": "top", "view": "products", "by": "total_revenue", "limit": 2, "cumulative": True}
    bands = {"query": "bands", "view": "products", "by": "total_revenue", "edges": ["0", "10"]}
    done = till_export("--query", json.dumps(top), "--to", tmp_path / "top.parquet", at=at)
    assert done.returncode == 0, done.stderr
    whole, best = sum(row[4] for row in wanted()), sorted((row[4] for row in wanted()), reverse=True)
    shares = [(best[0] / whole).quantize(Decimal("0.000001")), ((best[0] + best[1]) / whole).quantize(Decimal("0.000001"))]
    table = pa.parquet.read_table(tmp_path / "top.parquet")
    assert table.column("total_revenue").to_pylist() == best[:2]
    assert table.column("cumulative_share").to_pylist() == shares
    with till.Client(at) as client:
        export(client, bands, tmp_path / "bands.parquet")
    found = duckdb.sql(f"select \"from\", \"to\", rows, sum from '{tmp_path}/bands.parquet'").fetchall()
    assert found == [(None, 0, 0, 0), (0, 10, sum(r < 10 for r in best), sum((r for r in best if r < 10), Decimal(0))),
                     (10, None, sum(r >= 10 for r in best), sum(r for r in best if r >= 10))]


def test_a_table_is_exported_with_its_types(pipeline, admin, prefix, tmp_path):
    topic = f"{prefix}users"
    admin.create(topic=topic, partitions=1)
    pipe = pipeline(edges=(), bridges=0, options={"till-aggregator": (
        "table.users.key=user_id", "table.users.columns=name, credit money, since time, visits integer", f"source.people.topic={topic}",
        "source.people.format=plain", "source.people.table=users")})
    pipe.start_aggregator()
    users = {"u1": {"name": "Ada", "credit": "12.5", "since": "2010-12-01T08:00:00.250Z", "visits": 3}, "u2": {"name": "Jürgen"},
             "u3": None}
    admin.produce(topic, 0, [(user.encode(), b"" if row is None else json.dumps(row).encode()) for user, row in users.items()])
    wait_until(lambda: len(pipe.client.scan("table.users")) == 2, "the users")
    for form in ("parquet", "csv"):
        done = till_export("--table", "users", "--to", tmp_path / f"users.{form}", at=pipe.aggregator.ready["listen"][0])
        assert done.returncode == 0, done.stderr
    table = pa.parquet.read_table(tmp_path / "users.parquet")
    assert table.to_pylist() == [
        {"user_id": "u1", "name": "Ada", "credit": Decimal("12.5"), "since": datetime(2010, 12, 1, 8, 0, 0, 250_000, UTC), "visits": 3},
        {"user_id": "u2", "name": "Jürgen", "credit": None, "since": None, "visits": None}]
    assert table.schema.field("credit").type == pa.decimal128(38, 6)
    with (tmp_path / "users.csv").open(newline="", encoding="utf-8") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["Ada", "Jürgen"]


def test_several_views_are_a_file_each(at, tmp_path):
    done = till_export("--view", "products", "--view", "users", "--to", tmp_path / "out", "--format", "ndjson", at=at)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "products.ndjson", "products.ndjson.as_of.json", "users.ndjson", "users.ndjson.as_of.json"}
    assert (tmp_path / "out" / "users.ndjson").read_bytes() == b"", "nobody was named"


def test_money_is_a_number_with_exactly_its_digits_where_asked(at):
    done = till_export("--view", "products", "--to", "-", "--format", "ndjson", "--numbers", at=at)
    assert [json.loads(line, parse_float=Decimal)["total_revenue"] for line in done.stdout.splitlines()] == [row[4] for row in wanted()]
    assert '"total_revenue":"' not in done.stdout


@pytest.mark.parametrize(("args", "words"), [
    ((), "--to"), (("--to", "x.csv"), "--view"), (("--view", "products", "--to", "x.csv", "--format", "xls"), "csv, ndjson"),
    (("--view", "products", "--view", "users", "--to", "x.csv"), "folder"),
    (("--view", "products", "--view", "products", "--to", "d"), "twice"),
    (("--view", "products", "--to", "-", "--every", "1s"), "stdout"), (("--view", "products", "--to", "d", "--keep", "2"), "--snapshots"),
    (("--view", "products", "--to", "d", "--where", "nonsense"), "total_revenue>=100.00"),
    (("--view", "products", "--to", "d", "--with-missing"), "--join"), (("--view", "products", "--to", "d", "--limit", "0"), "above 0"),
    (("--view", "products", "--to", "d", "--last", "1d", "--from", "2010-12-01"), "--last"),
    (("--query", "{", "--to", "d"), "JSON"), (("--query", '{"query":"views"}', "--to", "d"), "get, top, scan, bands"),
    (("--view", "products", "--to", "s3://key:secret@bucket/x"), "credentials"), (("--view", "products", "--to", "ftp://x/y"), "ftp"),
    (("--view", "products", "--to", "d", "--every", "5"), "30s")])
def test_what_can_not_be_is_a_matter_of_usage(args, words, tmp_path):
    done = till_export(*args, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_refusals_and_silence_have_their_codes(at, tmp_path):
    refused = till_export("--view", "prodcts", "--to", tmp_path / "x.csv", at=at)
    assert refused.returncode == 1
    assert "unknown_view" in refused.stderr
    alone = till_export("--view", "products", "--to", tmp_path / "x.csv", "--timeout", "200ms", at="tcp://127.0.0.1:9")
    assert alone.returncode == 3
    assert "did not answer" in alone.stderr
    assert list(tmp_path.glob("x*")) == []
    assert list(tmp_path.glob(".*")) == []
