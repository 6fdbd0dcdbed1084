"""Explore asks what its form says, shows the answer's rows, and gives them along: as CSV, as text for other programs."""
import ast
import csv
import json
import os
import subprocess
import sys
from urllib.parse import quote

from harness import ROOT

COLUMNS = ("product_id", "currency", "order_count", "total_quantity", "total_revenue")


def place(query, **more):
    return "explore?q=" + quote(json.dumps(query)) + "".join(f"&{name}={value}" for name, value in more.items())


def texts(rows, columns):
    return [{name: str(row[name]) for name in columns} for row in rows]


def test_rows_are_the_answer(tab, console):
    page = tab().go("explore", "answer")
    answer = console.client.rows("scan", view="products", order_by=[{"by": "total_revenue", "order": "desc"}], limit=100)
    assert page.rows("answer") == texts(answer, COLUMNS)


def test_asking_with_the_form(tab, console):
    page = tab().go("explore", "answer")
    page.page.get_by_label("Of", exact=True).select_option("view/sales_per_minute")
    page.page.get_by_label("added up").check()
    page.page.get_by_label("day", exact=True).check()
    page.page.get_by_role("button", name="Add a condition").click()
    page.page.get_by_label("Condition 1: column").select_option("total_revenue")
    page.page.get_by_label("Condition 1: comparison").select_option(">=")
    page.page.get_by_label("Condition 1: value").fill("50000")
    where = [{"field": "total_revenue", "op": ">=", "value": "50000"}]
    answer = console.client.rows("scan", view="sales_per_minute", group_by=["day"], where=where)
    assert 0 < len(answer) < 20
    page.wait_text("#explore-status", f"{len(answer)} rows")
    assert page.rows("answer") == texts(answer, ("day", "currency", "order_count", "total_quantity", "total_revenue"))
    page.page.get_by_role("button", name="total_revenue").click()
    page.page.wait_for_selector('th[aria-sort="descending"]')
    asked = json.loads(page.page.locator("#query-text").input_value())
    assert asked["order_by"] == [{"by": "total_revenue", "order": "desc"}]
    page.page.wait_for_function("() => location.hash.includes('order_by')")  # to be kept, and sent to somebody
    page.page.get_by_role("button", name="Chart").click()
    page.page.get_by_role("img", name="total_revenue of").wait_for()


def test_csv_has_every_page(tab, console):
    page = tab(accept_downloads=True).go(place({"query": "scan", "view": "products", "limit": 500}), "answer")
    with page.page.expect_download() as download:
        page.page.get_by_role("button", name="Download CSV").click()
    with open(download.value.path(), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == texts(console.client.scan("products"), COLUMNS)
    assert len(rows) >= len(console.totals["products"])


def test_what_is_copied_gives_the_same_answer(tab, console):
    query = {"query": "scan", "view": "weekday_hour", "group_by": ["weekday"], "where": [{"field": "currency", "op": "=", "value": "GBP"}], "limit": 7}
    page = tab(permissions=["clipboard-read", "clipboard-write"]).go(place(query), "answer")

    def copied(name):
        page.page.get_by_role("button", name=name).click()
        page.wait_text("#explore-copies", "copied")
        return page.page.evaluate("navigator.clipboard.readText()")
    expected = console.client.rows("scan", **{name: value for name, value in query.items() if name != "query"})
    assert [row["weekday"] for row in expected] == [1, 2, 3, 4, 5, 7]
    curl = copied("Copy as curl")
    assert json.loads(subprocess.run(["bash", "-c", curl], capture_output=True, check=True, timeout=60).stdout)["rows"] == expected
    endpoint = console.pipe.aggregator.ready["listen"][0]
    python = copied("Copy for pyzmq").replace("tcp://127.0.0.1:7172", endpoint)
    assert json.loads(subprocess.run([sys.executable, "-c", python], capture_output=True, check=True, timeout=60).stdout)["rows"] == expected
    assert json.loads(copied("Copy the JSON")) == query
    package = copied("Copy for the Python package").replace("tcp://127.0.0.1:7172", endpoint)
    done = subprocess.run([sys.executable, "-c", package], env={**os.environ, "PYTHONPATH": str(ROOT / "python")}, capture_output=True, text=True,
                          check=True, timeout=60)
    assert ast.literal_eval(done.stdout)["rows"] == expected


def test_a_question_by_hand_and_one_that_is_wrong(tab, console):
    page = tab().go(place({"query": "ledger"}), "answer")
    streams = console.client.ask("ledger")["ledger"]
    shown = page.rows("answer")
    assert [(row["edge"], row["kind"], row["counted"]) for row in shown] == [(each["edge"], each["kind"], str(each["counted"])) for each in streams]
    page.page.get_by_text("The query itself").click()
    page.page.locator("#query-text").fill('{"query":"scan","view":"prodcts"}')
    page.page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_text('[data-panel="answer"] [role="alert"]', "prodcts")
    page.page.locator("#query-text").fill('{"query":')
    page.page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_text('[data-panel="answer"] [role="alert"]', "no JSON")
