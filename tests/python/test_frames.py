"""Rows as tables of pyarrow, pandas and polars: exact, whatever is in them."""
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pyarrow
import pytest
from till import Column, NotInstalled, Type, frames
from till.columns import compared

COLUMNS = (Column("product_id", Type.TEXT, True), Column("minute", Type.INSTANT_BUCKET, True), Column("day", Type.DATE_BUCKET, True),
           Column("order_count", Type.INTEGER, False), Column("total_revenue", Type.MONEY, False), Column("mean", Type.DECIMAL, False),
           Column("last_order", Type.TIME, False))
BERLIN = timezone(timedelta(hours=1))
LARGEST = Decimal("99999999999999999999999999999999.999999")
ROWS = [
    {"product_id": "té", "minute": datetime(2010, 12, 1, 9, 26, tzinfo=BERLIN), "day": date(2010, 12, 1), "order_count": 2**63 - 1,
     "total_revenue": LARGEST, "mean": Decimal("0.333333"), "last_order": datetime(2010, 12, 1, 8, 26, 0, 123000, tzinfo=UTC)},
    {"product_id": None, "minute": None, "day": None, "order_count": 0, "total_revenue": Decimal("-0.10"), "mean": None,
     "last_order": None},
    {"product_id": "lacks what a join adds", "order_count": -1, "total_revenue": Decimal("0.20")},
]


def test_arrow_has_every_value_to_the_last_digit():
    table = frames.to_arrow(COLUMNS, ROWS)
    assert table.schema == pyarrow.schema([
        ("product_id", pyarrow.string()), ("minute", pyarrow.timestamp("ms", "UTC")), ("day", pyarrow.date32()),
        ("order_count", pyarrow.int64()), ("total_revenue", pyarrow.decimal128(38, 6)), ("mean", pyarrow.decimal128(38, 6)),
        ("last_order", pyarrow.timestamp("ms", "UTC"))])
    assert table.to_pylist() == [{column.name: row.get(column.name) for column in COLUMNS} for row in ROWS]
    assert table.column("minute")[0].as_py().hour == 8  # the instant, in UTC


def test_no_rows_have_all_columns():
    assert frames.to_arrow(COLUMNS, []).schema == frames.arrow_schema(COLUMNS)
    assert frames.to_pandas(COLUMNS, []).columns.tolist() == [column.name for column in COLUMNS]


def test_sums_in_pandas_and_polars_are_exact():
    rows = [{"total_revenue": Decimal("0.1")}] * 10 + [{"total_revenue": Decimal("12345678901234567890.000001")}]
    columns, wanted = COLUMNS[4:5], Decimal("12345678901234567891.000001")
    assert frames.to_pandas(columns, rows)["total_revenue"].sum() == wanted
    assert frames.to_polars(columns, rows)["total_revenue"].sum() == wanted


def test_a_comparison_lies_flat():
    row = {"product_id": "tea", "total_revenue": Decimal("12"), "previous": {"total_revenue": Decimal("14.5")},
           "difference": {"total_revenue": Decimal("-2.5")}}
    columns = compared((COLUMNS[0], COLUMNS[4], COLUMNS[6]))
    assert frames.to_arrow(columns, [row]).to_pylist() == [{
        "product_id": "tea", "total_revenue": Decimal("12"), "last_order": None, "previous_total_revenue": Decimal("14.5"),
        "previous_last_order": None, "difference_total_revenue": Decimal("-2.5")}]


@pytest.mark.parametrize("column", [(3, 2**63), (4, Decimal("0.0000001")), (4, LARGEST * 10)])
def test_what_has_no_place_is_refused_by_name(column):
    at, value = COLUMNS[column[0]], column[1]
    with pytest.raises(frames.NotInArrow, match=at.name):
        frames.to_arrow([at], [{at.name: value}])


@pytest.mark.parametrize(("package", "extra", "call"), [("pyarrow", "arrow", frames.to_arrow), ("pandas", "pandas", frames.to_pandas),
                                                        ("polars", "polars", frames.to_polars)])
def test_a_missing_package_names_its_extra(monkeypatch, package, extra, call):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(NotInstalled, match=rf"{package} .*till\[{extra}\]"):
        call(COLUMNS, ROWS)
