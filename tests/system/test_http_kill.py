"""HTTP and kill -9: what was answered 200 is counted, what came under a key is counted once; and a full spool."""
import re
import subprocess

import pytest
from harness import DEADLINE, free_port, sum_metric, wait_until
from http_source import Insister, Web, lone_edge, source_options, url_of
from test_kill import assert_books_add_up
from test_spine import order

KILLS = 6


def web_pipeline(pipeline):
    pipe = pipeline(options={"till-edge": source_options(port=free_port())[1::2]})
    pipe.start_aggregator()
    return pipe, pipe.edges["store-1"]


def count_of(pipe, product="tea"):
    rows = pipe.client.rows("get", view="products", key=[product, "XXX"])
    return rows[0]["order_count"] if rows else 0


def kill_while(edge, running):
    """Kills and restarts, each time after some requests were served."""
    kills = 0
    while kills < KILLS and running():
        served = edge.metric("till_edge_http_requests_total")
        wait_until(lambda served=served: not running() or edge.metric("till_edge_http_requests_total") > served + 100,
                   "requests served", every=0.01)
        edge.restart()
        kills += 1
    return kills


def statuses_of(text):
    """(answered 200, answered otherwise, not answered) from hey's summary."""
    found = {int(status): int(count) for status, count in re.findall(r"^\s*\[(\d{3})\]\s+(\d+) responses", text, re.M)}
    failed = sum(int(count) for count in re.findall(r"^\s*\[(\d+)\]\s+Post", text, re.M))
    return found.pop(200, 0), sum(found.values()), failed


@pytest.mark.kill
def test_what_was_answered_is_counted_though_the_edge_is_killed_under_load(pipeline, tmp_path):
    pipe, edge = web_pipeline(pipeline)
    body = tmp_path / "order.json"
    body.write_text('{"order_id":"o-1","product_id":"tea","quantity":1,"unit_price":"2.55"}')
    load = subprocess.Popen(["hey", "-z", "8s", "-c", "16", "-m", "POST", "-T", "application/json", "-D", str(body),
                             url_of(edge)], stdout=subprocess.PIPE, text=True)
    kills = kill_while(edge, lambda: load.poll() is None)
    text, _ = load.communicate(timeout=DEADLINE)
    answered, other, failed = statuses_of(text)
    assert kills >= 2 and answered > 500 and other == 0, text
    pipe.wait_settled()
    counted = count_of(pipe)
    # hey keeps no more than 200 different errors: what failed is at least what it lists.
    assert answered <= counted, (answered, counted)
    assert counted <= answered + failed, (counted, answered, failed)
    assert_books_add_up(pipe)


@pytest.mark.kill
def test_who_insists_under_a_key_is_counted_once(pipeline):
    pipe, edge = web_pipeline(pipeline)
    clients = [Insister(edge, f"till-{number}", 300, lambda name: order(name)) for number in range(6)]
    for client in clients:
        client.start()
    kills = kill_while(edge, lambda: any(client.is_alive() for client in clients))
    for client in clients:
        client.join(DEADLINE)
    assert kills >= 2
    assert [client.answered for client in clients] == [300] * 6
    assert [client.other for client in clients] == [[]] * 6
    asked = sum(client.asked for client in clients)
    assert asked > 1800, "some were asked more than once"
    pipe.wait_settled()
    assert count_of(pipe) == 1800
    assert_books_add_up(pipe)


def test_a_full_spool_pushes_back_and_takes_up_work_again(pipeline, tmp_path):
    pipe = pipeline(edges=())
    pipe.start_aggregator()
    folder = tmp_path / "lone"
    folder.mkdir()
    bridge = pipe.bridges[0]
    endpoint = pipe.bridge_endpoints()
    bridge.kill()
    edge = lone_edge(folder, "edge.spool_max=4MiB", bridges=endpoint)
    pipe.edges["store-1"] = edge
    web, accepted = Web(edge), 0
    while (answer := web.ask(order(accepted, note="x" * 20000))).status == 200:
        accepted += 1
    assert accepted > 50
    assert answer.status == 429 and answer.headers["Retry-After"] == "1", answer
    assert answer.json["error"]["code"] == "spool_full" and answer.json["error"]["retry_after_ms"] == 1000
    assert web.ask(order(accepted, note="x" * 20000)).status == 429
    bridge.start()
    answer = wait_until(lambda: (again := web.ask(order(accepted))).status == 200 and again, "room again", every=0.2)
    pipe.wait_settled()
    assert count_of(pipe) == accepted + 1
    values = edge.metrics()
    assert sum_metric(values, "till_edge_source_events_total", source="web", outcome="refused") >= 2
    assert_books_add_up(pipe)
