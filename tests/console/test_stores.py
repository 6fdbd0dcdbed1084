"""The page Stores shows what `edges`, `ledger` and the view of stores say, and an edge that has fallen silent or can't hand on."""
from console_rig import STORES
from harness import wait_until


def test_each_edge_with_its_books(tab, console):
    console.sell()
    wait_until(lambda: len(console.client.ask("edges")["reports"]) == len(STORES), "both edges' reports")
    page = tab().go("stores", "stores", "revenue")
    page.page.wait_for_function("() => document.querySelectorAll('[data-panel=stores] [data-column=books] .good').length === 2")
    edges, ledger = console.client.ask("edges"), console.client.ask("ledger")
    shown = {row["edge"]: row for row in page.rows("stores")}
    assert set(shown) == set(STORES)
    for edge in STORES:
        counted = sum(each["counted"] for each in edges["edges"] if each["edge"] == edge)
        assert shown[edge]["events"] == str(counted)
        assert shown[edge]["state"] == "Live"
        assert shown[edge]["version"] == next(each for each in edges["reports"] if each["edge"] == edge)["program"].split()[-1]
        assert all(each["missing_count"] == 0 for each in ledger["ledger"] if each["edge"] == edge)
        assert shown[edge]["books"] == "add up"
    rows = console.client.rows("scan", view="stores")
    assert [(row["edge"], row["currency"], row["total_revenue"], row["order_count"], row["basket_count"]) for row in page.rows("revenue")] == [
        (row["edge"], row["currency"], row["total_revenue"], str(row["order_count"]), str(row["basket_count"])) for row in rows]


def test_one_store_line_by_line(tab, console):
    page = tab().go("stores", "stores")
    page.page.get_by_role("link", name=STORES[0]).click()
    page.wait_for("books", "days")
    ledger = console.client.ask("ledger", edge=STORES[0])["ledger"]
    assert [{name: row[name] for name in ("kind", "run", "numbered", "counted", "missing_count")} for row in page.rows("books")] == [
        {name: str(row[name]) for name in ("kind", "run", "numbered", "counted", "missing_count")} for row in ledger]
    days = console.client.rows("scan", view="stores_per_day", where=[{"field": "edge", "op": "=", "value": STORES[0]}])
    assert [(row["day"], row["total_revenue"]) for row in page.as_table("days")] == [(row["day"], row["total_revenue"]) for row in reversed(days)]


def test_finding_a_store(tab):
    page = tab().go("stores", "stores")
    page.page.get_by_role("searchbox", name="Find a store").type("kio")
    page.page.wait_for_function("() => document.querySelectorAll('[data-panel=stores] tbody tr').length === 1")
    assert [row["edge"] for row in page.rows("stores")] == ["kiosk"]


def test_states_of_edges(tab):
    """An edge that is silent, one that buffers, one with missing events: as the answers would say it."""
    page = tab()
    report = {"edge": "a", "run": 1, "number": 3, "program": "till-edge 0.1.0", "problems": ["buffering"], "reported_ms": 1000000, "heard_ms": 1200,
              "clock_skew_ms": -15, "started_ms": 1, "interval_ms": 30000, "oldest_ms": 700000, "received": 20, "accepted": 20, "invalid": 0, "refused": 0,
              "repeated": 0, "spool_bytes": 81920, "spool_max": 1073741824, "disk_room": 1, "waiting": 3, "damaged": 0, "damaged_blocks_unread": 0, "cut": False,
              "stopping": False}
    edges = {"edges": [{"edge": "c", "run": 1, "kind": "order", "counted": 7, "rejected": 1, "max_seq": 9}],
             "reports": [report, {**report, "edge": "b", "problems": ["silent", "full"], "oldest_ms": None}]}
    books = {"numbered": 9, "unread": 0, "on_disk": 0, "damaged": 0, "missing_count": 1}
    ledger = {"ledger": [{**edges["edges"][0], **books}]}
    page.go("stores", "stores")
    stores = page.page.evaluate("""async ([edges, ledger]) => {
        const { storesOf } = await import("./stores_model.js");
        return storesOf(edges, ledger).map(({ edge, state, age_ms, events, books }) => [edge, state, age_ms, events, books.missing_count, books.balanced]);
    }""", [edges, ledger])
    assert stores == [["b", "silent", None, 0, 0, True], ["a", "buffering", 299985, 0, 0, True], ["c", "unheard", None, 8, 1, True]]
