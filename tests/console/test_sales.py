"""The page Sales shows what the answers say, and what an independent program worked out of the same file; new sales come by themselves."""
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal

from console_rig import FORECAST, NEWEST, minutes
from harness import wait_until

GBP = [{"field": "currency", "op": "=", "value": "GBP"}]


def truth_of(console, span):
    """Order lines and revenue of the minutes up to the newest, and what the kiosk sold in that one."""
    end = datetime.fromisoformat(NEWEST)
    inside = {minute: each for minute, each in minutes(console.totals).items() if end - span < datetime.fromisoformat(minute) <= end}
    lines = sum(count for count, _ in inside.values()) + console.lines() - console.totals["rows"]
    return lines, sum((revenue for _, revenue in inside.values()), Decimal()) + console.revenue() - Decimal(console.totals["revenue"])


def test_figures_are_those_of_the_file(tab, console):
    page = tab().go("sales", "times", "products", "pareto", "weekdays", "categories", "funnel", "baskets", "viewed_products")
    page.wait_figure("revenue", console.client.rows("scan", view="stores", group_by=[], where=GBP)[0]["total_revenue"])
    assert Decimal(page.tile("revenue")) == console.revenue()
    assert int(page.tile("purchases")) == console.client.rows("scan", view="stores", group_by=[], where=GBP)[0]["basket_count"]
    lines, revenue = truth_of(console, timedelta(hours=1))
    assert (int(page.tile("hour-orders")), Decimal(page.tile("hour-revenue"))) == (lines, revenue)
    assert Decimal(page.tile("day-revenue")) == truth_of(console, timedelta(days=1))[1]
    assert "2010-12-23 17:41 UTC" in page.page.locator(".lead").inner_text()


def test_minutes_of_the_last_day(tab, console):
    page = tab().go("sales?window=day", "times")
    shown = page.as_table("times")
    assert len(shown) == 1440
    end = datetime.fromisoformat(NEWEST)
    expected = {minute: each for minute, each in minutes(console.totals).items() if end - timedelta(days=1) < datetime.fromisoformat(minute) < end}
    got = {row["minute"].replace(" ", "T"): [int(row["order_count"]), Decimal(row["total_revenue"])] for row in shown}
    assert {minute: each for minute, each in got.items() if each[0] and minute != NEWEST} == expected


def test_days_of_the_last_month(tab, console):
    page = tab().go("sales?window=month", "times")
    days = defaultdict(Decimal)
    for minute, (_, revenue) in minutes(console.totals).items():
        days[minute[:10]] += revenue
    days[NEWEST[:10]] += console.revenue() - Decimal(console.totals["revenue"])
    shown = {row["day"]: Decimal(row["total_revenue"]) for row in page.as_table("times")}
    assert {day: revenue for day, revenue in shown.items() if revenue} == {day: revenue for day, revenue in days.items() if revenue}


def test_products_and_how_few_make_the_revenue(tab, console):
    page = tab().go("sales", "products", "pareto")
    products = {name: Decimal(revenue) for name, (_, _, revenue) in console.totals["products"].items()}
    best = sorted(products.items(), key=lambda each: (-each[1], each[0]))
    assert [(row["product_id"], Decimal(row["total_revenue"])) for row in page.rows("products")] == best[:10]
    answer = console.client.rows("top", view="products", by="total_revenue", limit=10, cumulative=True, where=GBP)
    assert [row["share"] for row in page.rows("products")] == [row["share"] for row in answer]
    so_far, few, whole = Decimal(), 0, console.revenue()
    while so_far < Decimal("0.8") * whole:
        so_far += best[few][1]
        few += 1
    assert f"{few} products make 80." in page.panel("pareto").locator(".note").inner_text()
    assert [row["product_id"] for row in page.as_table("pareto")] == [name for name, _ in best[:few]]


def test_weekdays_and_hours(tab, console):
    page = tab().go("sales", "weekdays")
    hours = defaultdict(Decimal)
    for minute, (_, revenue) in minutes(console.totals).items():
        at = datetime.fromisoformat(minute)
        hours[at.isoweekday(), at.hour] += revenue
    newest = datetime.fromisoformat(NEWEST)
    hours[newest.isoweekday(), newest.hour] += console.revenue() - Decimal(console.totals["revenue"])
    shown = page.panel("weekdays").locator("td[data-weekday]").evaluate_all(
        "cells => cells.map(cell => [Number(cell.dataset.weekday), Number(cell.dataset.hour), cell.querySelector('data').value])")
    assert {(day, hour): Decimal(value) for day, hour, value in shown} == dict(hours)


def test_panels_without_rows_say_why(tab, console):
    page = tab().go("sales", "categories", "funnel", "viewed_products")
    unmatched = next(view for view in console.client.ask("views")["views"] if view["name"] == "categories")["unmatched"]
    page.wait_text('[data-panel="categories"] .state', f"{unmatched:,} events name no category")
    assert "Nothing has been put into a cart yet" in page.panel("funnel").inner_text()
    assert "No page view" in page.panel("viewed_products").inner_text()


def test_a_forecast_where_there_is_one(tab):
    page = tab().go("sales", "forecast")
    assert [(row["day"], Decimal(row["low"]), Decimal(row["expected"]), Decimal(row["high"])) for row in page.as_table("forecast")] == [
        (row["day"], Decimal(str(row["low"])), Decimal(str(row["expected"])), Decimal(str(row["high"]))) for row in FORECAST]


def test_a_sale_shows_by_itself(tab, console):
    page = tab().go("sales", "times")
    before = page.tile("revenue")
    console.sell(unit_price="12.34", quantity=2, channel="web", payment="card", category="drinks")
    page.wait_figure("revenue", f"{console.revenue():.2f}")
    assert page.tile("revenue") != before
    assert page.page.locator('[data-tile="revenue"] .beside data').get_attribute("value") == str(console.lines())
    page.wait_text('[data-panel="channels"] table', "web")
    assert page.rows("channels") == [{"channel": "web", "total_revenue": "24.68", "share": "1.00", "bar": ""}]


def test_carts_views_and_baskets(tab, console):
    page = tab().go("sales", "funnel", "viewed_products", "baskets")
    seen = [{"kind": "view", "product_id": product, "category": category} for product, category in (("tea", "drinks"), ("salt", "food"), ("tea", "drinks"))]
    carts = [{"kind": "cart", "product_id": "tea", "action": action} for action in ("add", "add", "remove")]
    assert console.sender.ask([{**event, "ts": NEWEST} for event in seen + carts])["ok"]
    page.wait_text('[data-panel="viewed_products"] table', "tea")
    assert [(row["product_id"], row["view_count"]) for row in page.rows("viewed_products")] == [("tea", "2"), ("salt", "1")]
    assert [(row["category"], row["view_count"]) for row in page.rows("views_by_category")] == [("drinks", "2"), ("food", "1")]
    page.wait_text('[data-panel="funnel"] .funnel', "Put into carts")
    answer = console.client.rows("scan", view="cart_to_order", group_by=[])[0]
    shown = page.panel("funnel").locator(".funnel data").evaluate_all("all => all.map(each => Number(each.value))")
    assert shown == [3, 2, 1, answer["ordered"]]

    def closed():  # a basket is closed by the append time of what is read later
        console.sell(channel="web", payment="card")
        return console.client.rows("scan", view="baskets", where=GBP)
    wait_until(closed, "a closed basket", every=0.3)
    page.wait_text('[data-panel="baskets"] svg', "web, card")


def test_amounts_of_two_currencies_are_not_added(tab, console):
    page = tab().go("sales", "times")
    console.sell(currency="EUR", unit_price="5.00")
    page.page.get_by_role("button", name="EUR").click()
    page.wait_figure("revenue", "5.00")
    page.page.get_by_role("button", name="GBP").click()
    page.wait_figure("revenue", f"{console.revenue():.2f}")
