"""Queries over HTTP: the socket's answers, each with a status that fits it."""
import threading

import msgpack
from harness import DEADLINE, ROOT, Sender, sum_metric, wait_until
from test_spine import order
from web_client import Http, ask

TIMEOUT_MS_MAX = 60000  # of a query


def without_freshness(answer):
    return {key: value for key, value in answer.items() if key != "as_of"}


def test_answers_are_the_socket_s(pipeline):
    pipe = pipeline()
    aggregator = pipe.start_aggregator()
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask([order(1), order(2, "salt", 3, "0.333333"), order(3, quantity=-1)])["ok"]
    pipe.wait_settled()
    web = Http(aggregator)
    top = web.query("top", view="products", by="total_revenue", limit=2)
    assert top.status == 200 and top.headers["Content-Type"] == "application/json", top
    assert [(row["product_id"], row["total_revenue"]) for row in top.json["rows"]] == [("tea", "2.50"), ("salt", "0.999999")]
    for query in ({"query": "top", "view": "products", "by": "total_revenue"}, {"query": "scan", "view": "sales_per_minute"},
                  {"query": "get", "view": "products", "key": ["tea", "XXX"]}, {"query": "views"}, {"query": "tables"}):
        packed = web.ask("/query", msgpack.packb(query), Content_Type="application/msgpack")
        over_socket = pipe.client.ask(**query)
        assert without_freshness(web.ask("/query", query).json) == without_freshness(over_socket), query
        assert packed.headers["Content-Type"] == "application/msgpack"
        assert without_freshness(msgpack.unpackb(packed.body)) == without_freshness(over_socket), query
    assert without_freshness(web.ask("/views").json) == without_freshness(pipe.client.ask("views"))
    missing = web.query("get", view="products", key=["error", "XXX"])  # a word in a row is no error
    assert missing.status == 200, missing
    fresh = web.query("top", view="products", by="total_revenue", max_lag=0, timeout_ms=TIMEOUT_MS_MAX)
    assert fresh.status == 200 and fresh.json["as_of"]["lag"] == 0


ERRORS = [
    ({"query": "top", "view": "products", "by": "total_revenue", "limti": 3}, 400, "bad_request"),
    ({"query": "topp"}, 400, "unknown_query"),
    ({"query": "top", "view": "prodcts", "by": "total_revenue"}, 404, "unknown_view"),
    ({"query": "top", "view": "products", "by": "revenue"}, 400, "unknown_field"),
    ({"query": "get", "view": "products", "key": [1, 2, 3, 4]}, 400, "bad_key"),
    ({"query": "forget", "user": "u1"}, 403, "forbidden"),
    ({"query": "status", "max_lag": 0, "timeout_ms": 1}, 504, "timeout"),
    (b'{"query":', 400, "bad_request"),
    (b"{}", 400, "bad_request"),
]


def test_each_error_has_its_status(lone_web):
    aggregator = lone_web()
    for query, status, code in ERRORS:
        answer = ask(aggregator, "/query", query)
        assert (answer.status, answer.code) == (status, code), (query, answer)
        assert answer.json["error"]["message"]


def test_what_is_no_query_is_refused(lone_web):
    aggregator = lone_web()
    query = b'{"query":"status"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp"):
        assert ask(aggregator, "/query", query, Content_Type=kind).status == 415, kind
    assert ask(aggregator, "/query", query, Content_Type="application/msgpack").status == 415, "it is JSON"
    assert ask(aggregator, "/query", msgpack.packb({"query": "status"})).status == 415, "it is msgpack"
    assert ask(aggregator, "/query", query, Content_Type="application/json; charset=utf-8").status == 200
    assert ask(aggregator, "/query", b"").status == 415
    wrong = ask(aggregator, "/query")
    assert wrong.status == 405 and wrong.headers["Allow"] == "POST"
    assert ask(aggregator, "/views", b"{}").status == 405
    assert ask(aggregator, "/views", method="HEAD").body == b""
    metrics = aggregator.metrics()
    assert sum_metric(metrics, "till_aggregator_http_requests_total", route="/query", status="415") == 7
    assert sum_metric(metrics, "till_aggregator_http_requests_total", route="none", status="405") == 2


def test_who_asks_too_much_is_told_when_to_come_again(lone_web):
    aggregator = lone_web("limits.queries=1")
    web = Http(aggregator)
    answers = [web.query("status") for _ in range(4)]  # a burst is two seconds' worth
    assert answers[0].status == 200 and answers[-1].status == 429, answers
    assert answers[-1].code == "busy" and int(answers[-1].headers["Retry-After"]) >= 1
    assert ask(aggregator, "/views").status == 200, "another connection of this machine is another peer"


def test_one_that_waits_holds_up_nobody_and_hears_of_the_end(lone_web):
    aggregator = lone_web()
    answers = []
    certificate = {"edge": "store-1", "run": 1, "kind": "order", "seq": 1}
    threads = [threading.Thread(target=lambda: answers.append(Http(aggregator).query("status", after=[certificate], timeout_ms=60000)))
               for _ in range(3)]
    gone = Http(aggregator)
    gone.connection.request("POST", "/query", b'{"query":"status","max_lag":0,"timeout_ms":60000}', {"Content-Type": "application/json"})
    for thread in threads:
        thread.start()
    wait_until(lambda: aggregator.metric("till_aggregator_queries_waiting") == 4, "queries that wait")
    gone.close()
    assert ask(aggregator, "/views").status == 200
    assert aggregator.stop() == 0
    for thread in threads:
        thread.join(DEADLINE)
    assert [(answer.status, answer.code) for answer in answers] == [(503, "not_ready")] * 3
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)


def test_the_console_s_files_are_served(lone_web):
    aggregator = lone_web()
    page = ask(aggregator, "/")
    assert page.status == 200 and page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.body == (ROOT / "aggregator" / "console" / "index.html").read_bytes()
    assert page.headers["Cache-Control"] == "no-cache" and "script-src 'self'" in page.headers["Content-Security-Policy"]
    again = ask(aggregator, "/", If_None_Match=page.headers["ETag"])
    assert again.status == 304 and again.body == b"" and again.headers["ETag"] == page.headers["ETag"]
    packed = ask(aggregator, "/chart.js", Accept_Encoding="gzip, br")
    plain = ask(aggregator, "/chart.js")
    assert packed.headers["Content-Encoding"] == "gzip" and plain.headers["Content-Encoding"] is None
    assert packed.headers["ETag"] != plain.headers["ETag"] and len(packed.body) < len(plain.body) / 2
    assert plain.headers["Content-Type"] == "text/javascript; charset=utf-8" and b"Chart" in plain.body
