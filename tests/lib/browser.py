"""Debian's Chromium, driven by Playwright: one for a session of tests, a page of its own for each. What a page says to the browser's
console as an error, and what it throws, is kept, for a test to find none."""
import contextlib
import importlib.resources
import json
from pathlib import Path

from harness import DEADLINE
from playwright.sync_api import sync_playwright

CHROMIUM = "/usr/bin/chromium"
DESKTOP = {"width": 1360, "height": 900}
PHONE = {"width": 360, "height": 740}
AXE = importlib.resources.files("axe_playwright_python") / "axe.min.js"

# Rows of a table: column -> what the answer said, which <data> keeps beside what people read.
ROWS = """table => [...table.querySelectorAll("tbody tr")].map(row => Object.fromEntries([...row.children]
    .filter(cell => cell.dataset.column).map(cell => [cell.dataset.column, cell.querySelector("data")?.value ?? cell.textContent])))"""


class Browser:
    def __init__(self, downloads):
        if not Path(CHROMIUM).exists():
            raise FileNotFoundError(f"{CHROMIUM} is not there: deploy/install-packages tests")
        self.playwright = sync_playwright().start()
        self.chromium = self.playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], downloads_path=downloads)

    def open(self, address, viewport=None, **settings):
        return Tab(self.chromium.new_context(viewport=viewport or DESKTOP, **settings), address)

    @contextlib.contextmanager
    def tabs(self):
        """`open`, for as long as this lasts; none that was opened may have had anything to complain of."""
        made = []

        def make(address, **settings):
            made.append(self.open(address, **settings))
            return made[-1]

        yield make
        errors = [error for each in made for error in each.errors]
        for each in made:
            each.close()
        assert errors == []

    def close(self):
        self.chromium.close()
        self.playwright.stop()


class Tab:
    """One page of the console. `errors` is what the browser complained of."""

    def __init__(self, context, address):
        context.set_default_timeout(DEADLINE * 1000)
        self.context, self.address, self.errors = context, address, []
        self.page = context.new_page()
        self.page.on("console", lambda message: message.type == "error" and self.errors.append(f"{message.text} {message.location.get('url', '')}"))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def go(self, place, *panels):
        """Opens `#/sales` or another page, and waits until these panels have an answer."""
        self.page.goto(f"{self.address}/#/{place}")
        self.wait_for(*panels)
        return self

    def wait_for(self, *panels):
        for panel in panels:
            self.page.wait_for_selector(f'[data-panel="{panel}"][data-state]')

    def panel(self, name):
        return self.page.locator(f'[data-panel="{name}"]')

    def tile(self, name):
        """The figure of a tile as the answer said it."""
        return self.page.locator(f'[data-tile="{name}"] .value data').first.get_attribute("value")

    def rows(self, panel):
        return self.panel(panel).locator("table.rows").first.evaluate(ROWS)

    def as_table(self, panel):
        """What a chart shows, by the table beside it."""
        self.panel(panel).get_by_role("button", name="as a table").click()
        return self.rows(panel)

    def wait_figure(self, tile, value, deadline=DEADLINE):
        """Until a tile shows a figure: the page changes by itself."""
        self.page.wait_for_function("([tile, value]) => document.querySelector(`[data-tile=\"${tile}\"] .value data`)?.value === value",
                                    arg=[tile, value], timeout=deadline * 1000)

    def wait_text(self, selector, text, deadline=DEADLINE):
        self.page.wait_for_function("([selector, text]) => document.querySelector(selector)?.textContent.includes(text)",
                                    arg=[selector, text], timeout=deadline * 1000)

    def axe(self):
        """What axe-core finds that is serious or critical, each in a line."""
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")["violations"]
        return [f"{each['id']}: {each['help']}: {node['html'][:120]} {json.dumps(node.get('any', [])[:1])[:200]}"
                for each in found if each["impact"] in ("serious", "critical") for node in each["nodes"]]

    def close(self):
        self.context.close()
