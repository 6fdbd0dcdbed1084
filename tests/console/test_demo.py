"""`till demo` as somebody starts it who has just built till: the address that it prints, every page there, and figures that are those
of the queries."""
import contextlib
import json
import os
import re
import signal
import subprocess

import pytest
from harness import Client, program, wait_until

PAGES = {"sales": ("times", "products", "pareto", "weekdays", "categories", "channels", "payments", "baskets", "funnel", "viewed_products"),
         "stores": ("stores", "revenue"), "pipeline": ("rate", "latency", "lag", "room"), "topics": ("topics",), "explore": ("answer",)}
RANKED = {"products": ("product_id", "total_revenue"), "categories": ("category", "total_revenue"), "channels": ("channel", "total_revenue"),
          "payments": ("payment", "total_revenue"), "viewed_products": ("product_id", "view_count"), "views_by_category": ("category", "view_count")}


class Demo:
    def __init__(self):
        self.process = subprocess.Popen([str(program("till")), "demo", "--rate", "100"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, text=True)
        self.said = []

    def wait_sales(self):
        wait_until(lambda: self.said.append(self.process.stdout.readline()) or "orders counted" in self.said[-1], "its first line of sales", 120)

    def printed(self, name):
        return re.search(rf"^{name}  +(?:.* )?(\S+)$", "".join(self.said), re.M)[1]

    def stop(self):
        for number in (signal.SIGCONT, signal.SIGINT):
            self.process.send_signal(number)
        self.process.communicate(timeout=60)


@pytest.fixture
def demo():
    with contextlib.ExitStack() as stack:
        made = Demo()
        stack.callback(made.stop)
        made.wait_sales()
        yield made


def ranked(client, view):
    key, by = RANKED[view]
    return [(row[key], str(row[by])) for row in client.rows("top", view=view, by=by, limit=10)]


def sales(client, page):
    for view, (key, by) in RANKED.items():
        wait_until(lambda view=view, key=key, by=by: [(row[key], row[by]) for row in page.rows(view)] == ranked(client, view), f"{view} as answered")
    total = client.rows("scan", view="stores", group_by=[])[0]
    page.wait_figure("revenue", total["total_revenue"])
    page.wait_figure("purchases", str(total["basket_count"]))


def stores(client, page):
    rows = client.rows("scan", view="stores")
    wait_until(lambda: [(row["edge"], row["total_revenue"], row["order_count"]) for row in page.rows("revenue")] == [
        (row["edge"], row["total_revenue"], str(row["order_count"])) for row in rows], "revenue as answered")
    counted = {row["edge"]: sum(each["counted"] + each["rejected"] for each in client.ask("edges")["edges"]
                                if each["edge"] == row["edge"] and not each["kind"].endswith(".refused")) for row in rows}
    assert {row["edge"]: int(row["events"]) for row in page.rows("stores")} == counted


def pipeline(client, page):
    parts = {f"{part['topic']}/{part['partition']}": (str(part["next"]), str(part["end"])) for part in client.ask("status")["partitions"]}
    wait_until(lambda: {row["topic"]: (row["next"], row["end"]) for row in page.rows("lag")} == parts, "partitions as answered")


def topics(client, page):
    records = {topic["name"]: sum(part["latest"] - part["earliest"] for part in topic["partitions"]) for topic in client.ask("topics")["topics"]}
    wait_until(lambda: {row["name"]: int(row["records"]) for row in page.rows("topics") if row["name"] != "telemetry"}
               == {name: count for name, count in records.items() if name != "telemetry"}, "records as answered")


def explore(client, page):
    rows = client.rows("scan", view="products", order_by=[{"by": "total_revenue", "order": "desc"}], limit=100)
    wait_until(lambda: [(row["product_id"], row["total_revenue"]) for row in page.rows("answer")] == [
        (row["product_id"], row["total_revenue"]) for row in rows], "rows as answered")


def test_every_page_of_the_demo(browser, demo):
    client = Client(demo.printed("queries"))
    with browser.tabs() as make:
        page = make(demo.printed("console").rstrip("/"))
        page.page.goto(demo.printed("console"))
        page.wait_text('[data-panel="channels"]', "online")  # while it sells
        demo.process.send_signal(signal.SIGSTOP)  # nothing more is sold, and all that was is counted
        for place, panels in PAGES.items():
            page.page.locator(f'#nav a[data-page="{place}"]').click()
            page.wait_for(*panels)
            page.wait_text("#fresh", "nothing left to read")
            {"sales": sales, "stores": stores, "pipeline": pipeline, "topics": topics, "explore": explore}[place](client, page)
            assert page.page.locator('[data-state="trouble"]').evaluate_all("all => all.map(each => each.dataset.panel)") in ([], ["forecast"])
            page.wait_text("#link", "Live")
        with open(demo.printed("admin"), encoding="ascii") as file:
            assert file.seek(0, 2) == 33 and os.stat(file.fileno()).st_mode & 0o777 == 0o600
            file.seek(0)
            token = file.read().strip()
        page.page.locator('#nav a[data-page="topics"]').click()
        page.page.get_by_role("link", name="orders", exact=True).click()
        page.page.get_by_role("button", name="Give the token").click()
        page.page.locator("#token").fill(token)
        page.page.keyboard.press("Enter")
        page.page.locator("details.record summary").first.click()
        assert json.loads(page.page.locator("details.record pre").first.inner_text())["product_id"].startswith("sku-")
        page.page.locator('#nav a[data-page="pipeline"]').click()
        page.page.locator("details.letter").first.wait_for()
    client.close()
