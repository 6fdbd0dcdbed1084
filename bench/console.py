"""bench/run console: what people wait for who look at the console, in Debian's Chromium on this machine: from the edge's answer to a
sale until the page has drawn the new figure, while nothing else is sold and while many others sell; what the first look at each page
loads, and when it shows something, by Chromium's own trace; and, asked for with --minutes, what a tab keeps that is open for long."""
import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from browser import Browser
from cluster import Admin
from console_rig import Console
from harness import Broker, program
from pipeline_fixtures import DATA

PAGES = ("sales", "stores", "pipeline", "topics", "explore")
CURRENCY = "GBP"  # of what is measured; those who sell beside it take euros
SALE_MAX_S = 30
# When each value of the tile was drawn: the frame after the one that it is in begins.
WATCH = """() => { window.drawn = {}; const tile = document.querySelector('[data-tile="revenue"]');
    new MutationObserver(() => { const value = tile.querySelector(".value data")?.value;
        requestAnimationFrame(() => requestAnimationFrame(() => { drawn[value] ??= performance.timeOrigin + performance.now(); })); })
        .observe(tile, { subtree: true, childList: true, attributes: true, characterData: true }); }"""
FIRST = """new MutationObserver((_, observer) => { if (document.querySelector("[data-state]")) { performance.mark("first-panel"); observer.disconnect(); } })
    .observe(document, { subtree: true, childList: true, attributes: true });"""
SENT = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter(entry => !/\\/(events|query|views)/.test(entry.name)).map(entry => entry.transferSize)"""


def drawn_ms(console, page):
    """From the answer to one sale until its sum is drawn."""
    console.sell(currency=CURRENCY)
    told = time.time() * 1000
    seen = page.page.wait_for_function("value => window.drawn[value]", arg=f"{console.revenue(CURRENCY):.2f}", timeout=SALE_MAX_S * 1000)
    return seen.json_value() - told


def latencies(console, page, count):
    """At moments that have nothing to do with the second at which answers come."""
    dice, seen = random.Random(1), []
    for _ in range(count):
        time.sleep(dice.uniform(0.1, 2.5))
        seen.append(drawn_ms(console, page))
    return {"median_ms": statistics.median(seen), "p90_ms": statistics.quantiles(seen, n=10)[-1], "worst_ms": max(seen), "sales": count}


def others(console, rate):
    return subprocess.Popen([str(program("till")), "simulate", "--to", console.pipe.endpoint("high street"), "--rate", str(rate)],
                            stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)


def first_look(browser, address, place, folder):
    tab = browser.open(address)
    tab.page.add_init_script(FIRST)
    path = folder / f"{place}.json"
    browser.chromium.start_tracing(page=tab.page, path=path, categories=["blink.user_timing", "devtools.timeline"])
    tab.page.goto(f"{address}/#/{place}")
    tab.page.wait_for_function("""() => performance.getEntriesByName("first-panel").length > 0
        && (!document.querySelector("[data-panel=times], [data-panel=rate]") || performance.getEntriesByName("first-chart").length > 0)""")
    sizes = tab.page.evaluate(SENT)
    browser.chromium.stop_tracing()
    tab.close()
    events = json.loads(path.read_text())["traceEvents"]
    at = {name: min(event["ts"] for event in events if event["name"] == name)
          for name in ("first-panel", "first-chart") if any(event["name"] == name for event in events)}
    begin = max(event["ts"] for event in events if event["name"] == "navigationStart" and event["ts"] < at["first-panel"])
    moments = {name: (moment - begin) / 1000 for name, moment in at.items()}
    return {"files": len(sizes), "bytes": sum(sizes), **moments}


def kept(browser, address, minutes):
    """Of tabs that are all open at once: bytes of JavaScript's heap after a collection, elements and listeners, each half minute."""
    tabs = {place: browser.open(address).go(place, panel) for place, panel in (("sales", "times"), ("stores", "stores"), ("pipeline", "rate"))}
    tools = {place: tab.context.new_cdp_session(tab.page) for place, tab in tabs.items()}
    seen, begin = {place: [] for place in tabs}, time.monotonic()
    while time.monotonic() < begin + minutes * 60:
        tabs["sales"].page.wait_for_timeout(30000)
        for place, devtools in tools.items():
            devtools.send("HeapProfiler.collectGarbage")
            counters = devtools.send("Memory.getDOMCounters")
            seen[place].append({"minutes": (time.monotonic() - begin) / 60, "heap": devtools.send("Runtime.getHeapUsage")["usedSize"], "nodes": counters["nodes"],
                                "listeners": counters["jsEventListeners"]})
    return seen


def measure(folder, arguments):
    kafka = Broker(folder / "kafka")
    admin = Admin(kafka.bootstrap, folder / "admin.log")
    browser = Browser(folder)
    csv = DATA / "2010-12.csv"
    console = Console(folder, kafka, admin, "bench-", csv, json.loads((DATA / "2010-12.totals.json").read_text()))
    try:
        looks = {place: sorted((first_look(browser, console.address, place, folder) for _ in range(arguments.looks)),
                               key=lambda look: look["first-panel"])[arguments.looks // 2] for place in PAGES}
        page = browser.open(console.address).go(f"sales?currency={CURRENCY}", "times")
        page.page.evaluate(WATCH)
        result = {"first_look": looks, "alone": latencies(console, page, arguments.sales)}
        selling = others(console, arguments.rate)
        try:
            result["beside_others"] = {"rate": arguments.rate, **latencies(console, page, arguments.sales)}
            result["kept"] = kept(browser, console.address, arguments.minutes) if arguments.minutes > 0 else {}
        finally:
            selling.kill()
            selling.wait()
        return result
    finally:
        browser.close()
        console.stop()
        admin.close()
        kafka.down()


def report(result):
    print(f"{'first look':12}{'files':>7}{'KiB':>8}{'first panel':>14}{'first chart':>14}")
    for place, look in result["first_look"].items():
        chart = f"{look['first-chart']:11,.0f} ms" if "first-chart" in look else f"{'none':>14}"
        print(f"{place:12}{look['files']:7}{look['bytes'] / 1024:8.0f}{look['first-panel']:11,.0f} ms{chart}")
    print(f"\n{'from the answer to a sale until it is drawn':46}{'median':>10}{'90 %':>10}{'worst':>10}")
    for name, each in (("nothing else is sold", result["alone"]), (f"{result['beside_others']['rate']:,} others a second", result["beside_others"])):
        print(f"{name + ', ' + str(each['sales']) + ' sales':46}{each['median_ms']:7,.0f} ms{each['p90_ms']:7,.0f} ms{each['worst_ms']:7,.0f} ms")
    for place, seen in result["kept"].items():
        print(f"\n{place}, open for")
        for each in [*seen[:-1:4], seen[-1]]:
            print(f"{each['minutes']:7.1f} minutes {each['heap'] / 1e6:9.2f} MB of heap {each['nodes']:8,} nodes {each['listeners']:8,} listeners")


def main():
    parser = argparse.ArgumentParser(prog="bench/run console")
    parser.add_argument("--sales", type=int, default=30, help="that are waited for, each way")
    parser.add_argument("--rate", type=int, default=300, help="events a second that others send beside them")
    parser.add_argument("--looks", type=int, default=3, help="at each page, with an empty cache; the middle one counts")
    parser.add_argument("--minutes", type=float, default=0, help="how long three tabs are left open")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="till-bench-", dir=os.environ.get("TILL_BENCH_DIR")) as name:
        result = measure(Path(name), arguments)
    print(json.dumps(result)) if arguments.json else report(result)


if __name__ == "__main__":
    main()
