"""Live answers over HTTP, as server-sent events."""
from harness import Sender, wait_until
from test_spine import order
from web_client import Events, Http, ask, closed, events_path

TOP = {"query": "top", "view": "products", "by": "total_revenue", "limit": 5}


def revenues(answer):
    return {row["product_id"]: row["total_revenue"] for row in answer["rows"]}


def test_live_answers_follow_what_is_sold(pipeline):
    pipe = pipeline()
    aggregator = pipe.start_aggregator()
    sender = Sender(pipe.endpoint("store-1"))
    wait_until(lambda: aggregator.http("/readyz")[0] == 200, "an aggregator that answers")
    events = Events(aggregator, TOP, {"query": "nonsense"}, {"query": "get", "view": "products", "key": ["salt", "XXX"]})
    assert events.status == 200 and events.response.headers["Content-Type"] == "text/event-stream"
    assert events.response.headers["Cache-Control"] == "no-store"
    assert revenues(events.answer(0)) == {}
    assert sender.ask([order(1), order(2)])["ok"]
    assert revenues(events.answer(0, lambda answer: len(answer["rows"]) > 0)) == {"tea": "10.00"}
    assert sender.ask([order(3, "salt", 1, "0.30")])["ok"]
    live = events.answer(0, lambda answer: len(answer["rows"]) > 1)
    assert revenues(live) == {"tea": "10.00", "salt": "0.30"}
    assert live["rows"] == Http(aggregator).ask("/query", TOP).json["rows"]
    late = Events(aggregator, {"query": "get", "view": "products", "key": ["salt", "XXX"]}, {"query": "nonsense"})
    assert revenues(late.answer(0)) == {"salt": "0.30"}
    assert late.answer(1)["error"]["code"] == "unknown_query", "an error is an answer"
    alive = late.next("alive")
    assert alive["state"] == "serving" and alive["as_of"]["lag"] == 0
    assert pipe.aggregator.stop() == 0
    assert list(iter(late.any, None)) is not None, "the stream ends with the server"


def test_all_who_look_at_one_query_share_its_answers(lone_web):
    aggregator = lone_web()
    crowd = [Events(aggregator, {"query": "views"}, {"query": "tables"}) for _ in range(30)]
    for each in crowd:
        first, second = each.answer(0), each.answer(1)
        assert first["views"] and "tables" in second
    metrics = aggregator.metrics()
    assert metrics["till_aggregator_sse_clients"] == 30 and metrics["till_aggregator_sse_queries"] == 2
    assert metrics["till_aggregator_sse_answers_total"] == 60, "each once: they have not changed"
    for each in crowd:
        assert each.next("alive")["state"] == "serving"
    spent = aggregator.metrics()["till_aggregator_sse_evaluations_total"]
    assert spent < 60, "one for each client would be more"
    for each in crowd:
        each.close()
    wait_until(lambda: aggregator.metric("till_aggregator_sse_clients") == 0, "that they are gone")
    assert aggregator.metric("till_aggregator_sse_queries") == 0


def test_more_than_may_look_are_told_so(lone_web):
    aggregator = lone_web("http.live_clients=2")
    first, second = Events(aggregator), Events(aggregator, {"query": "views"})
    assert first.next("alive")["as_of"]["commit"] == 0
    refused = ask(aggregator, events_path({"query": "views"}))
    assert refused.status == 503 and refused.code == "busy" and refused.headers["Retry-After"] == "1", refused
    assert "live_clients" in refused.json["error"]["message"]
    assert aggregator.metric("till_aggregator_sse_refused_total") == 1
    second.close()
    wait_until(lambda: aggregator.metric("till_aggregator_sse_clients") == 1, "that one is gone")
    third = Events(aggregator, {"query": "views"})
    assert third.answer(0)["views"]
    assert aggregator.stop() == 0, "whoever looks"


def test_what_can_not_be_looked_at_is_said(lone_web):
    aggregator = lone_web()
    for path in (events_path(*[{"query": "views"}] * 33), events_path("\x81"), events_path("")):
        answer = ask(aggregator, path)
        assert answer.status == 400 and answer.code == "bad_request", answer
    assert ask(aggregator, events_path(*["{}"] * 32), method="HEAD").status == 200


def test_an_administrator_s_queries_are_not_asked_live(lone_web, tmp_path):
    token = "an administrator of the test"
    aggregator = lone_web(f"http.admin_token_file={closed(tmp_path / 'admin', token)}")
    events = Events(aggregator, {"query": "forget", "user": "u1"}, {"query": "quarantine"}, Authorization=f"Bearer {token}")
    assert events.answer(0)["error"]["code"] == "forbidden"
    assert events.answer(1)["error"]["code"] == "forbidden"
