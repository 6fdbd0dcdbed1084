"""What a first look costs: bytes over the network, and the way to the first chart by Chromium's own trace."""
import json

BYTES_MAX = 160 * 1024  # compressed, Chart.js among them; docs/CONSOLE.md says what it is
SENT = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter(entry => !entry.name.includes("/events") && !entry.name.includes("/query")).map(entry => [entry.name, entry.transferSize])"""


def test_a_first_look(browser, console, tmp_path):
    page = browser.open(console.address)
    browser.chromium.start_tracing(page=page.page, path=tmp_path / "trace.json", categories=["blink.user_timing", "devtools.timeline"])
    page.go("sales", "times")
    page.page.wait_for_function("() => performance.getEntriesByName('first-chart').length > 0")
    sizes = dict(page.page.evaluate(SENT))
    browser.chromium.stop_tracing()
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    begin = max(event["ts"] for event in events if event["name"] == "navigationStart")
    chart = next(event["ts"] for event in events if event["name"] == "first-chart")
    print(f"first look: {len(sizes)} files, {sum(sizes.values()):,} bytes; first chart after {(chart - begin) / 1000:.0f} ms")
    assert sum(size > 0 for size in sizes.values()) > 15
    assert sum(sizes.values()) <= BYTES_MAX, sizes
    assert page.errors == []
    page.close()
