"""The frame of every page: what it says of the connection, keys, screen readers, narrow screens, tokens."""
import json
from urllib.parse import quote

import pytest
from browser import DESKTOP, PHONE

# Pages, and a panel of each that has an answer when the page is whole.
PAGES = {"sales": "weekdays", "stores": "stores", "pipeline": "lag", "topics": "topics", "explore": "answer"}


def test_cut_and_back(browser, console):
    page = browser.open(console.address).go("sales", "times")
    page.wait_text("#link", "Live")
    shown = page.tile("revenue")
    console.pipe.aggregator.kill()
    page.wait_text("#link", "Disconnected")
    assert page.tile("revenue") == shown  # what was true stays, and is said to be old
    assert "as they were at" in page.page.locator("#link").inner_text()
    console.sell(unit_price="7.00")
    address = console.address
    console.pipe.aggregator.args[console.pipe.aggregator.args.index("http.listen=127.0.0.1:0")] = f"http.listen={address.removeprefix('http://')}"
    console.pipe.aggregator.start()
    assert console.address == address
    page.wait_figure("revenue", f"{console.revenue():.2f}")
    page.wait_text("#link", "Live")
    assert all("ERR_CONNECTION_REFUSED" in error or "ERR_INCOMPLETE_CHUNKED" in error or "ERR_CONNECTION_RESET" in error for error in page.errors), page.errors
    page.close()


@pytest.mark.parametrize("scheme, viewport", [("light", DESKTOP), ("dark", PHONE)])
@pytest.mark.parametrize("place", PAGES)
def test_nothing_serious_keeps_people_out(tab, place, scheme, viewport):
    few = "?q=" + quote('{"query":"scan","view":"products","limit":5}') if place == "explore" else ""
    page = tab(color_scheme=scheme, viewport=viewport).go(place + few, PAGES[place])
    assert page.axe() == []
    assert page.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_every_page_by_keys_alone(tab):
    page = tab().go("sales", "weekdays")
    keys = page.page.keyboard
    keys.press("Tab")
    assert page.page.evaluate("document.activeElement.className") == "skip"
    keys.press("Enter")
    assert page.page.evaluate("document.activeElement.id") == "main"
    assert page.page.url.endswith("#/sales") or page.page.url.endswith("#main")
    page.go("sales", "weekdays")
    for place, panel in list(PAGES.items())[1:]:
        link = page.page.locator(f'#nav a[data-page="{place}"]')
        while not link.evaluate("link => link === document.activeElement"):
            keys.press("Tab")
        keys.press("Enter")
        page.wait_for(panel)
        assert page.page.evaluate("document.activeElement.id") == "title"  # screen readers say where they are
        assert link.get_attribute("aria-current") == "page"
        page.page.evaluate("document.querySelector('.skip').focus()")


def test_everything_that_can_be_pressed_is_reached_by_tab(tab):
    page = tab().go("sales", "times", "products", "weekdays", "pareto", "baskets", "funnel", "forecast")
    wanted = page.page.evaluate("""() => [...document.querySelectorAll("a[href], button, input, select, textarea")]
        .filter(each => each.checkVisibility()).map((each, index) => each.dataset.nth = index).length""")
    met = set()
    page.page.evaluate("document.activeElement.blur()")
    for _ in range(wanted + 20):
        page.page.keyboard.press("Tab")
        met.add(page.page.evaluate("document.activeElement.dataset.nth ?? null"))
    assert len(met - {None}) == wanted


def test_dialogs_close_with_escape_and_give_the_focus_back(tab):
    page = tab().go("sales", "products")
    button = page.panel("products").get_by_role("button", name="the query")
    button.press("Enter")
    assert json.loads(page.page.locator("dialog pre").inner_text())["view"] == "products"
    page.page.keyboard.press("Escape")
    page.page.wait_for_function("() => !document.querySelector('dialog').open")
    assert button.evaluate("button => button === document.activeElement")


def test_a_focus_outlives_the_next_answer(tab, console):
    page = tab().go("stores", "stores")
    link = page.page.get_by_role("link", name="kiosk")
    link.focus()
    events = page.rows("stores")[1]["events"]
    console.sell()
    page.page.wait_for_function("before => ![...document.querySelectorAll('[data-panel=stores] [data-column=events] data')].some(each => each.value === before)", arg=events)
    assert link.evaluate("link => link === document.activeElement")


def test_light_and_dark(tab):
    page = tab(color_scheme="light").go("sales", "products")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.page.evaluate(colour)
    page.page.emulate_media(color_scheme="dark")
    dark = page.page.evaluate(colour)
    assert light != dark
    page.page.get_by_role("button", name="Theme: auto").click()
    page.page.get_by_role("button", name="Theme: light").wait_for()
    assert page.page.evaluate(colour) == light
    page.page.reload()
    page.page.get_by_role("button", name="Theme: light").click()  # it was kept
    assert page.page.evaluate(colour) == dark


STATES = {
    "starting": ("Not ready", {"state": "starting", "as_of": {"store": "5f", "commit": 1, "event_ts": 1, "lag": 3, "gaps": []}}),
    "blind": ("Without Kafka", {"state": "serving", "as_of": {"store": "5f", "commit": 1, "event_ts": 1, "lag": None, "gaps": []}}),
    "rebuilding": ("Rebuilding", {"state": "rebuilding", "as_of": {"store": "5f", "commit": 1, "event_ts": 1, "lag": 0, "gaps": []}}),
    "broken": ("Broken", {"state": "broken", "as_of": {"store": "5f", "commit": 1, "event_ts": 1, "lag": 0, "gaps": []}}),
}


def heard(page, events, place="stores"):
    """Opens a page whose stream of events says this, and then nothing more."""
    page.page.add_init_script("""(() => {
        const fetched = window.fetch;
        window.fetch = (path, options) => (String(path).startsWith("events") ? Promise.resolve(new Response(new ReadableStream({
            start: (stream) => stream.enqueue(new TextEncoder().encode(%s)) }))) : fetched(path, options));
    })()""" % json.dumps("".join(events)))
    page.page.goto(f"{page.address}/#/{place}")
    return page


@pytest.mark.parametrize("state", STATES)
def test_what_the_aggregator_says_of_itself_is_said(tab, state):
    words, status = STATES[state]
    page = heard(tab(), [f"event: alive\ndata: {json.dumps(status)}\n\n"])
    page.wait_text("#link", words)


def test_refusals_are_said_in_the_panel(tab):
    codes = ("not_ready", "unknown_view", "forbidden", "busy")
    refusals = [{"ok": False, "error": {"code": code, "message": "m"}} for code in codes]
    page = heard(tab(), [f"event: answer\ndata: {json.dumps({'q': index, 'answer': refusals[index % 4]})}\n\n" for index in range(12)], "sales")
    for words in ("The aggregator is starting.", "keeps no view", "This may not be asked here.", "asked for more than it allows"):
        page.wait_text("main", words)
