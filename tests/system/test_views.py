"""Every shipped view against an independent calculation, over real sales and over simulated ones; what changes of the declared views do;
and what a store says of itself."""
import os
import re
import subprocess
from decimal import Decimal

import pytest
from harness import Client, Pipeline, Program, Sender, program, till, wait_until
from view_rig import (EDGES, FRAME, OWN, SHIPPED, Retail, Simulated, assert_quantiles, assert_recent, assert_shipped, assert_zones, dump_of,
                      rebuild, send)

EVENTS = int(os.environ.get("TILL_EVENTS", "24000"))


@pytest.fixture
def rig(tmp_path):
    """A pipeline on till-devbroker: rig(views=text of the declared views)."""
    made = []

    def make(views, edges):
        conf = tmp_path / "views.conf"
        conf.write_text(views)
        broker = Program("till-devbroker", ["-o", "devbroker.topics=orders,cart_events,page_views"], tmp_path / "devbroker.log")
        pipe = Pipeline(tmp_path, broker.ready["bootstrap"], "", edges=edges, options={"till-bridge": ["bridge.create_topics=no"]})
        made.extend((pipe.stop, broker.kill))
        pipe.conf = conf
        pipe.start_aggregator("-c", conf)
        return pipe

    yield make
    for end in made:
        end()


def test_simulated_sales_are_in_every_view_to_the_cent(rig):
    """Killed on the way; then counted anew, and the same to the byte."""
    source = Simulated(7, EVENTS)
    pipe = rig(SHIPPED + OWN, EDGES)
    half = len(source.frames) // 2
    send(pipe, source.frames[:half])
    pipe.aggregator.restart()
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    send(pipe, source.frames[half:])
    pipe.wait_settled()
    assert_shipped(pipe.client, source)
    assert_zones(pipe.client, source)
    assert_quantiles(pipe.client, source)
    assert_recent(pipe.client, source)
    assert_metrics(pipe, source)
    rebuild(pipe)
    pipe.aggregator.start()
    assert_metrics(pipe, source)


def assert_metrics(pipe, source):
    """Of each view what `views` says; and nothing is lost between its rows and the rest."""
    metrics, orders = pipe.aggregator.metrics(), sum(event["kind"] == "order" for event in source.events)
    views = {each["name"]: each for each in pipe.client.ask("views")["views"]}
    for name, view in views.items():
        events = {state: metrics[f'till_aggregator_view_events{{view="{name}",state="{state}"}}'] for state in ("in_rows", "unmatched", "held", "expired")}
        assert (events["unmatched"], events["expired"]) == (view["unmatched"], view["expired"]), name
        assert metrics[f'till_aggregator_view_rows{{view="{name}"}}'] == view["stored_rows"], name
        if view["kind"] == "order" and name not in ("returns", "spread"):  # they have conditions
            assert sum(events.values()) == orders, (name, events)
        if name == "cart_to_order":
            assert view["kind"] == "order, cart" and view["measure_types"][-1] == "decimal"
            assert sum(events.values()) == orders + sum(event["kind"] == "cart" for event in source.events), events
    assert metrics['till_aggregator_view_events{view="recent_pages",state="expired"}'] > 0
    assert sum(series.startswith("till_aggregator_view_rows{") for series in metrics) == len(views)


def test_real_sales_are_in_every_view_to_the_cent(rig, retail):
    source = Retail(retail[0])
    pipe = rig(SHIPPED, EDGES)
    for begin in range(0, len(source.frames), 2):  # till-devbroker forgets what is more than some megabytes old
        send(pipe, source.frames[begin:begin + 2])
        pipe.wait_settled()
    assert_shipped(pipe.client, source)


def test_a_store_with_fewer_views_gets_the_new_ones_by_itself(rig):
    """A configuration that declares more: the old views answer on, the new ones come from the log, whoever dies meanwhile."""
    source = Simulated(8, 3 * FRAME)
    pipe = rig("[view.products]\ngroup_by = product_id\nmeasures = order_count = count()\n", EDGES)
    send(pipe, source.frames)
    pipe.wait_settled()
    old = pipe.client.ask("status")["as_of"]["store"]
    assert [each["name"] for each in pipe.client.ask("views")["views"]] == ["products"]
    pipe.aggregator.stop()
    pipe.conf.write_text(SHIPPED + OWN)
    pipe.aggregator.start()
    pipe.aggregator.restart()  # kill -9: it goes on with the shadow
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    wait_until(lambda: pipe.client.ask("status").get("as_of", {}).get("store", old) != old, "the new views", every=0.1)
    assert "till_aggregator_rebuild_progress_ratio 1" in pipe.aggregator.http("/metrics")[1]
    assert_shipped(pipe.client, source)
    assert_quantiles(pipe.client, source)


def send_bulky(pipe, count):
    """Orders of some 60,000 bytes each, in steps that the broker has not forgotten before they are counted."""
    sender = Sender(pipe.endpoint(EDGES[0]))
    for first in range(0, count, 30):
        assert sender.ask([{"order_id": f"o{number}", "product_id": "tea", "quantity": 1, "unit_price": "2.50", "note": "x" * 60000} for number in range(first, first + 30)])["ok"]
        pipe.wait_settled()
    sender.close()


def test_new_views_say_that_the_log_is_too_short_and_the_old_ones_answer_on(rig):
    """A partition of till-devbroker keeps its last 5 MiB."""
    old = "[view.products]\ngroup_by = product_id\nmeasures = order_count = count()\n"
    pipe = rig(old, EDGES[:1])
    send_bulky(pipe, 150)
    store, rows = pipe.client.ask("status")["as_of"]["store"], pipe.client.scan("products")
    assert sum(row["order_count"] for row in rows) == 150
    pipe.aggregator.stop()
    pipe.conf.write_text(old + "[view.stores]\ngroup_by = edge\nmeasures = order_count = count()\n")
    pipe.aggregator.start(wait_ready=False)
    assert pipe.aggregator.wait() == 4
    gap, upto = re.search(r'^missing: (orders/\d:0-(\d+)) \(to go on without it: --rebuild --accept-gap "\1"\)$', pipe.aggregator.log_text(), re.M).groups()
    pipe.conf.write_text(old)
    pipe.aggregator.start()
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    assert pipe.client.scan("products") == rows and pipe.client.ask("status")["as_of"]["store"] == store
    pipe.aggregator.stop()
    pipe.conf.write_text(old + "[view.stores]\ngroup_by = edge\nmeasures = order_count = count()\n")
    pipe.aggregator.args += ["--rebuild", "--accept-gap", gap]
    pipe.aggregator.start()
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    wait_until(lambda: pipe.client.ask("status").get("as_of", {}).get("store", store) != store, "the new views", every=0.1)
    assert pipe.client.ask("status")["as_of"]["gaps"] == [gap]
    assert pipe.client.scan("stores") == [{"edge": EDGES[0], "order_count": 150 - int(upto) - 1}]


@pytest.mark.parametrize("line, words", [
    ("measures = n = quantile(revenu, 0.5)", 'did you mean "revenue"?'),
    ("measures = n = quantile(revenue, 50)", "it lies between 0 and 1, as 0.95 does"),
    ("measures = n = count() where acton = add", 'did you mean "action"?'),
    ("kind = order, basket\nmeasures = n = count()", "a view counts several kinds of order, cart and view alone"),
    ("kind = order, cart\nmeasures = n = count() where kind = crt", 'did you mean "cart"?'),
    ("kind = cart\nmeasures = n = count() where kind = cart", "needs several, such as kind = order, cart"),
    ("measures = n = count(), each = ratio(n, pieces), pieces = sum(quantity)", 'unknown measure before ratio() "pieces"; known are n'),
    ("measures = n = count(), high = max(quantity), each = ratio(high, n)", 'ratio() is of counts and sums, and "high" is max()'),
    ("measures = n = count() where currency = eur", 'did you mean "EUR"?'),
    ("kind = cart\nmeasures = n = count() where action = add_to_cart", 'did you mean "add"?'),
    ("measures = n = count()\nzone = Europe/Berln", 'unknown time zone "Europe/Berln"; did you mean "Europe/Berlin"?'),
    ("measures = n = count()\nzone = berlin", 'did you mean "Europe/Berlin"?'),
    ("measures = n = count()\nretain = 7d", "add day(ts) to group_by"),
    ("measures = n = count()\nretain = a week", "no time span such as 36h or 7d"),
])
def test_a_bad_declaration_is_refused_with_file_line_and_what_was_meant(tmp_path, line, words):
    conf = tmp_path / "views.conf"
    conf.write_text(f"[aggregator]\ndata = {tmp_path}\nbrokers = localhost:1\n\n[view.mine]\ngroup_by = edge\n{line}\n")
    done = subprocess.run([program("till-aggregator"), "-c", conf, "--check"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert str(conf) in done.stderr and words in done.stderr, done.stderr
    assert any(f"{conf}:{number}" in done.stderr for number in (5, 6, 7, 8)), done.stderr


# --- views that are staged ---

STAGED = """
[view.products]
group_by = product_id
measures = order_count = count(), total_quantity = sum(quantity), total_revenue = sum(revenue), dearest = max(unit_price)
where = channel != phone

[view.by_channel]
group_by = channel
measures = order_count = count(), total_revenue = sum(revenue)
"""


def staged_rig(rig, tmp_path, source):
    """Sales are counted; then views are staged and killed on the way, and read what the live ones have read."""
    pipe = rig(SHIPPED, EDGES)
    send(pipe, source.frames)
    pipe.wait_settled()
    pipe.aggregator.stop()
    (tmp_path / "staged.conf").write_text(STAGED)
    pipe.aggregator.args += ["-o", f"aggregator.stage={tmp_path / 'staged.conf'}"]
    pipe.aggregator.start()
    pipe.aggregator.restart()  # kill -9
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    wait_until(lambda: (place := pipe.client.ask("staged").get("staged")) and place["caught_up"] and not place["live_ahead"], "what is staged", every=0.1)
    return pipe


def differences(client, view):
    """What a staged view says otherwise, over all pages."""
    pages, cursor = [], {}
    while True:
        answer = client.ask("staged", view=view, limit=10000, **cursor)
        assert answer["ok"], answer
        pages.append(answer["difference"])
        if "next" not in answer:
            return pages
        cursor = {"cursor": answer["next"]}


def assert_difference(client, live, staged):
    """Against the rows that both sides show."""
    [page] = differences(client, "products")
    columns = ("order_count", "total_quantity", "total_revenue")
    rows = [{(row["product_id"], row["currency"]): {name: row[name] for name in columns} for row in side} for side in (live, staged)]
    assert page["compared"] == list(columns) and page["group_by"] == ["product_id", "currency"]
    assert page["equal"] == sum(rows[1].get(key) == row for key, row in rows[0].items())
    assert page["differing"] == sum(rows[1].get(key, row) != row for key, row in rows[0].items())
    assert page["only_live"] == len(rows[0].keys() - rows[1].keys()) and page["only_staged"] == 0
    told = {tuple(each["key"]): each for each in page["rows"]}
    assert set(told) == {key for key, row in rows[0].items() if rows[1].get(key) != row}
    assert all({name: each["live"][name] for name in columns} == rows[0][key] for key, each in told.items())
    for each in page["sums"]:
        for side, found in (("live", rows[0]), ("staged", rows[1])):
            assert Decimal(each[side]) == sum(Decimal(row[each["measure"]]) for key, row in found.items() if key[1] == each["currency"]), each


def test_staged_views_are_counted_beside_the_live_ones_and_compared(rig, tmp_path):
    """Over a kill; they are no answer of any question that does not ask for them, follow new sales, and take the live ones' place when
    they are accepted."""
    source = Simulated(9, 3 * FRAME)
    pipe = staged_rig(rig, tmp_path, source)
    client, old = pipe.client, pipe.client.ask("status")["as_of"]["store"]
    changes = {each["view"]: each["change"] for each in client.ask("staged")["staged"]["views"]}
    assert {name for name, change in changes.items() if change != "same"} == {"products", "by_channel"} and changes["by_channel"] == "new"
    assert_shipped(client, source)  # the live ones are as they were
    assert client.ask("scan", view="by_channel")["error"]["code"] == "unknown_view"
    live, staged = client.scan("products"), client.scan("products", staged=True)
    assert all("dearest" in row for row in staged) and not any("dearest" in row for row in live)
    assert_difference(client, live, staged)
    assert sum(each["order_count"] for each in client.scan("by_channel", staged=True)) == sum(each["order_count"] for each in live)
    refused = client.ask("staged", view="by_channel")
    assert refused["error"]["code"] == "bad_request" and "it is new" in refused["error"]["message"]
    send(pipe, [source.frames[0]])  # again: other certificates, other sales
    pipe.wait_settled()
    wait_until(lambda: client.ask("staged")["staged"]["live_ahead"] == 0, "the staged ones to follow", every=0.1)
    assert_difference(client, client.scan("products"), staged := client.scan("products", staged=True))
    done = till("staged", pipe.aggregator.ready["listen"][0], "--accept")
    assert done.returncode == 0, done.stderr
    assert client.ask("status")["as_of"]["store"] != old and client.scan("products") == staged
    assert client.ask("staged")["error"]["code"] == "bad_request"
    before = dump_of(pipe)
    pipe.aggregator.start()  # the file is still named: nothing is counted anew
    assert dump_of(pipe) == before


def test_staged_views_that_are_dropped_leave_nothing(rig, tmp_path):
    source = Simulated(10, FRAME)
    pipe = staged_rig(rig, tmp_path, source)
    endpoint, store = pipe.aggregator.ready["listen"][0], pipe.client.ask("status")["as_of"]["store"]
    shown = till("staged", endpoint, "--view", "products")
    assert shown.returncode == 0 and "differing" in shown.stdout, shown
    told = pipe.client.ask("staged", view="products", limit=1)["difference"]
    assert shown.stdout.split()[:3] == ["product_id", "currency", "live.order_count"], shown
    assert shown.stdout.splitlines()[1].split()[:2] == told["rows"][0]["key"], shown
    assert till("staged", endpoint, "--drop").returncode == 0
    wait_until(lambda: pipe.client.ask("staged")["ok"] is False, "nothing staged")
    assert pipe.client.ask("scan", view="products", staged=True)["error"]["code"] == "bad_request"
    assert till("staged", endpoint, "--accept").returncode == 1
    status = pipe.client.ask("status")
    assert status["as_of"]["store"] == store and status["state"] == "serving" and "staging_progress" not in status
    assert_shipped(pipe.client, source)
