"""The client against a real aggregator: what is asked with values of Python is what was sold, exact and typed."""
import itertools
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
import till
from harness import wait_until
from shop_rig import BEGIN, NAMES, STORES, Shop, revenue

BERLIN = ZoneInfo("Europe/Berlin")
PYTHON_TYPES = {till.Type.TEXT: str, till.Type.INTEGER: int, till.Type.MONEY: Decimal, till.Type.DECIMAL: Decimal,
                till.Type.TIME: datetime, till.Type.INSTANT_BUCKET: datetime, till.Type.DATE_BUCKET: date}


@pytest.fixture(scope="module")
def shop(tmp_path_factory, broker, admin):
    made = Shop(tmp_path_factory.mktemp("shop"), broker, f"shop-{tmp_path_factory.getbasetemp().name}-", admin)
    yield made
    made.stop()


@pytest.fixture
def client(shop):
    with till.Client(shop.endpoint) as made:
        yield made


def moment(sale):
    return datetime.fromisoformat(sale["ts"])


def sums(sold, *names):
    """{values of these columns: (lines, revenue)}"""
    made = defaultdict(lambda: [0, Decimal(0)])
    for sale in sold:
        found = made[tuple(sale[name] if isinstance(name, str) else name(sale) for name in names)]
        found[0] += 1
        found[1] += revenue(sale)
    return {key: tuple(value) for key, value in made.items()}


def test_every_cell_of_every_view_is_of_its_column_s_type(client):
    seen = set()
    names = [view["name"] for view in client.views()] + [f"table.{table['name']}" for table in client.tables()]
    assert {"users", "baskets", "weekday_hour", "months", "local_minutes", "table.products"} <= set(names)
    for name in names:
        rows = client.scan(name)
        for row in rows:
            assert list(row) == [column.name for column in rows.columns]
            for column in rows.columns:
                value = row[column.name]
                assert value is None or type(value) is PYTHON_TYPES[column.type], (name, column, value)
                seen.add(column.type)
        table = rows.to_arrow()
        assert table.to_pylist() == list(rows.flat()), name
        assert rows.to_polars().height == len(rows.to_pandas()) == len(rows)
    assert seen == set(till.Type)


def test_totals_are_exact(client, shop):
    rows = client.scan("products")
    assert {(row["product_id"], row["currency"]): (row["order_count"], row["total_revenue"]) for row in rows} == sums(
        shop.sold, "product_id", "currency")
    assert rows.as_of.lag == 0
    newest = max(moment(sale) for sale in shop.sold)
    assert rows.as_of.event_time == newest
    last = {row["user_id"]: row["last_order"] for row in client.scan("users", where=("currency", "=", "EUR"))}
    assert last == {user: max(moment(sale) for sale in shop.sold if (sale["user_id"], sale["currency"]) == (user, "EUR")) for user in last}
    assert len(last) == 9


def test_local_times_are_the_zone_s(client, shop):
    rows = client.scan("local_minutes", page_rows=97)
    wanted = sums(shop.sold, lambda sale: moment(sale).replace(second=0, microsecond=0))
    assert dict(sums_of(rows, "minute")) == {at: n for (at,), (n, _) in wanted.items()}
    offsets = {row["minute"].utcoffset() for row in rows}
    assert offsets == {timedelta(hours=1), timedelta(hours=2)}  # the night the clocks went back
    assert all(row["minute"].astimezone(BERLIN).replace(tzinfo=None) == row["minute"].replace(tzinfo=None) for row in rows)
    months = {row["month"]: row["n"] for row in client.scan("months", where=[("currency", "=", "EUR")])}
    assert months == {date(2010, month, 1): n for (month,), (n, _) in sums(
        [sale for sale in shop.sold if sale["currency"] == "EUR"], lambda sale: moment(sale).month).items()}


def sums_of(rows, name):
    made = defaultdict(int)
    for row in rows:
        made[row[name]] += row["n"]
    return made


@pytest.mark.parametrize(("begin", "end"), [
    (datetime(2010, 10, 31, 0, 30, tzinfo=UTC), datetime(2010, 10, 31, 1, 30, tzinfo=UTC)),
    (datetime(2010, 10, 31, 6, 0), datetime(2010, 11, 2, 12, 30)),
    (date(2010, 11, 1), date(2010, 11, 3)), (None, date(2010, 11, 1)), (date(2010, 11, 5), None)])
def test_bounds_are_moments_or_the_zone_s_clock(client, shop, begin, end):
    def instant(bound, otherwise):
        if bound is None:
            return otherwise
        if not isinstance(bound, datetime):
            bound = datetime(bound.year, bound.month, bound.day)
        return bound if bound.tzinfo else bound.replace(tzinfo=BERLIN)
    first, last = instant(begin, BEGIN - timedelta(days=1)), instant(end, BEGIN + timedelta(days=30))
    sold = [sale for sale in shop.sold if first <= moment(sale) < last]
    rows = client.scan("local_minutes", range=(begin, end), group_by=["edge"])
    assert sold
    assert sum(row["n"] for row in rows) == len(sold)
    assert sum(row["revenue"] for row in rows) == sum(map(revenue, sold))


def test_keys_are_values_of_python(client, shop):
    store, sold = STORES[0], shop.of(0)
    at = moment(sold[0]).replace(second=0, microsecond=0)
    currency = sold[0]["currency"]
    mine = [sale for sale in sold if moment(sale).replace(second=0, microsecond=0) == at and sale["currency"] == currency]
    for key in ([store, at, currency], [store, at.astimezone(BERLIN), currency]):
        (row,) = client.get("local_minutes", key)
        assert (row["minute"], row["n"], row["revenue"]) == (at, len(mine), sum(map(revenue, mine)))
    (row,) = client.get("months", [date(2010, 11, 1), "EUR"])
    assert row["month"] == date(2010, 11, 1)
    assert {row["currency"] for row in client.get("products", "té")} == {"EUR", "NOK"}
    assert [row["product_id"] for row in client.get_many("products", [["tea", "EUR"], ["nothing"], ["salt", "NOK"]])] == ["tea", "salt"]
    assert not client.get("products", 85124)
    day = client.scan("stores_per_day", from_=[store, date(2010, 11, 2)], to=[store, date(2010, 11, 3)])
    assert {row["day"] for row in day} == {date(2010, 11, 2)}


@pytest.mark.parametrize("where", [
    ("total_revenue", ">=", Decimal("24000000.50")), ("total_revenue", ">=", 24000000), [("order_count", ">", Decimal(40))],
    {"field": "total_revenue", "op": "<", "value": "0.00"},
    [("product_id", "in", ["tea", 85123]), ("currency", "==", "EUR")], ("product_id", "prefix", "t")])
def test_conditions_choose_what_python_would(client, where):
    ops = {">=": lambda a, b: a >= b, ">": lambda a, b: a > b, "<": lambda a, b: a < b, "==": lambda a, b: a == b,
           "in": lambda a, b: a in b, "prefix": lambda a, b: a.startswith(b)}
    listed = where if isinstance(where, list) else [where]
    plain = [tuple(each.values()) if isinstance(each, dict) else each for each in listed]

    def fits(row):
        return all(ops[op](row[field], Decimal(value) if field == "total_revenue" else value) for field, op, value in plain)
    wanted = [row for row in client.scan("products") if fits(row)]
    assert list(client.scan("products", where=where)) == wanted
    assert len(wanted) < 8


def test_periods_are_compared(client, shop):
    rows = client.scan("stores_per_day", compare="1d", range=(date(2010, 11, 2), date(2010, 11, 5)))
    days = sums(shop.sold, lambda sale: moment(sale).date(), "currency")
    per = sums(list(itertools.chain(*[[{**sale, "edge": store} for sale in shop.of(index)] for index, store in enumerate(STORES)])),
               "edge", lambda sale: moment(sale).date(), "currency")
    assert rows
    assert len(days) > 8
    for row in rows:
        mine = per[row["edge"], row["day"], row["currency"]]
        before = per.get((row["edge"], row["day"] - timedelta(days=1), row["currency"]), (0, Decimal(0)))
        assert (row["order_count"], row["total_revenue"]) == mine
        assert row["previous"] == {"order_count": before[0], "total_revenue": before[1]}
        assert row["difference"] == {"order_count": mine[0] - before[0], "total_revenue": mine[1] - before[1]}
    flat = rows.to_arrow().to_pylist()
    assert flat[0]["difference_total_revenue"] == rows[0]["difference"]["total_revenue"]
    whole = client.scan("stores_per_day", group_by=["edge"], range=(date(2010, 11, 2), date(2010, 11, 5)),
                        compare=(date(2010, 10, 31), date(2010, 11, 2)))
    assert {type(row["previous"]["total_revenue"]) for row in whole} == {Decimal}


def test_shares_and_bands_are_typed(client, shop):
    rows = client.top("products", "order_count", cumulative=True, where=("currency", "=", "EUR"))
    lines = [sale for sale in shop.sold if sale["currency"] == "EUR"]
    assert rows[-1]["cumulative_share"] == 1
    assert rows[0]["share"] == (Decimal(rows[0]["order_count"]) / len(lines)).quantize(Decimal("0.000001"))
    short = client.top("products", "order_count", until_share=Decimal("0.5"), where=("currency", "=", "EUR"))
    assert short[-1]["cumulative_share"] >= Decimal("0.5") > short[-2]["cumulative_share"]
    assert len(short) < len(rows)
    bands = client.bands("products", "total_revenue", edges=[Decimal("0.5"), 1000])
    assert [(band["currency"], band["from"], band["to"]) for band in bands][:3] == [
        ("EUR", None, Decimal("0.5")), ("EUR", Decimal("0.5"), Decimal(1000)), ("EUR", Decimal(1000), None)]
    euros = [money for (_, currency), (_, money) in sums(shop.sold, "product_id", "currency").items() if currency == "EUR"]
    assert sum(band["sum"] for band in bands if band["currency"] == "EUR") == sum(euros)
    assert sum(band["rows"] for band in bands if band["currency"] == "EUR") == len(euros)
    assert bands.to_arrow().num_rows == 6
    counted = client.bands("products", "order_count", count=2)
    assert type(counted[0]["from"]) is int


def test_tables_are_joined(client, shop):
    rows = client.scan("products", join="products", with_missing=True)
    for row in rows:
        known = NAMES.get(row["product_id"])
        if known is None:
            assert "name" not in row
            continue
        assert (row["name"], row["weight"], row["price"]) == (known["name"], known["weight"], Decimal(known["price"]))
        assert row["since"] == datetime.fromisoformat(known["since"])
    (soap,) = [row for row in rows if row["product_id"] == "soap"]
    assert (soap["order_count"], soap["total_revenue"], soap["currency"]) == (0, 0, None)
    assert rows.to_arrow().column("weight").to_pylist() == [row.get("weight") for row in rows]
    heavy = client.scan("products", join="products", where=("price", ">=", Decimal("0.333334")))
    assert {row["product_id"] for row in heavy} == {"tea"}
    by_name = client.scan("products", join="products", group_by=["name"])
    assert [column.name for column in by_name.columns] == ["name", "currency", "order_count", "total_quantity", "total_revenue"]
    assert sum(row["order_count"] for row in by_name) == len(shop.sold)
    assert client.get("table.products", "tea")[0]["price"] == Decimal("2.55")


def test_pages_hold_every_row_once_and_limits_are_kept(client):
    whole = client.scan("local_minutes")
    pages = list(client.scan_pages("local_minutes", page_rows=50))
    assert [row for page in pages for row in page] == list(whole)
    assert len(pages) == -(-len(whole) // 50)
    some = client.scan("local_minutes", limit=70, page_rows=50)
    assert (list(some), some.cut) == (list(whole)[:70], True)
    assert not client.scan("local_minutes", limit=len(whole)).cut
    ordered = client.scan("products", order_by=[("total_revenue", "desc"), "product_id"], limit=3)
    assert ordered.cut
    assert [row["total_revenue"] for row in ordered] == sorted((row["total_revenue"] for row in client.scan("products")), reverse=True)[:3]


def test_the_books_are_told(client, shop):
    edges = client.edges(edge="berlin", kind="order")["edges"]
    assert [each["counted"] for each in edges] == [len(shop.of(0))]
    ledger = client.ledger(run=edges[0]["run"])["ledger"]
    assert [each["edge"] for each in ledger] == ["berlin"]
    assert client.trace("berlin", edges[0]["run"], "order", 1)["place"] == "counted"
    assert client.trace("berlin", edges[0]["run"], "order", 10**6)["place"] in ("unknown", "missing")
    assert client.status()["state"] == "serving"
    wait_until(lambda: [each["state"] for each in client.bridges()] == ["ok"], "what the bridge reports of itself", every=0.1)
    assert client.bridges()[0]["program"].startswith("till-bridge ")
    with pytest.raises(till.Refused, match="staged"):
        client.staged()
    with pytest.raises(till.Refused, match="staged"):
        client.scan("products", staged=True)


def test_freshness_is_demanded(client):
    (stream,) = client.edges(edge="oslo")["edges"]
    event = {"edge": "oslo", "run": stream["run"], "kind": "order", "seq": stream["counted"]}
    assert client.scan("products", after=[event], max_lag=0)
    with pytest.raises(till.Refused) as refused:
        client.get("products", "tea", after=[{**event, "seq": 10**6}], timeout_ms=50)
    assert refused.value.code == "timeout"


@pytest.mark.parametrize(("call", "error", "says"), [
    (lambda client: client.scan("prodcts"), till.Refused, "products"),
    (lambda client: client.top("products", "total_revenu"), till.Refused, "total_revenue"),
    (lambda client: client.scan("products", wher=[]), TypeError, "where"),
    (lambda client: client.scan("products", where=[("total_revenue", ">", 0.5)]), TypeError, "Decimal"),
    (lambda client: client.scan("products", where=[("total_revenue", "~", 1)]), ValueError, "prefix"),
    (lambda client: client.scan("products", where=[("total_revenue", ">", Decimal("0.0000001"))]), ValueError, "six decimal places"),
    (lambda client: client.scan("products", where=[("order_count", ">", Decimal("0.5"))]), ValueError, "whole number"),
    (lambda client: client.scan("products", range="a week"), ValueError, "7d"),
    (lambda client: client.scan("products", range="7d"), till.Refused, "minute"),
    (lambda client: client.ask({"query": "nonsense"}), till.Refused, "unknown_query")])
def test_what_can_not_be_asked_says_why(client, call, error, says):
    with pytest.raises(error, match=says):
        call(client)
    assert client.status()["state"] == "serving"  # and the connection is as good as before
