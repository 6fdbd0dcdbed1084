"""The vectors of queries, for make.py. `form` writes a request in JSON and in msgpack."""


def refined_vectors(form, good):
    """where, order_by, group_by, range, compare, explain."""
    ops = ["=", "!=", "<", "<=", ">", ">=", "prefix"]
    yield good({"query": "scan", "view": "v", "where": [{"field": "edge", "op": op, "value": "a"} for op in ops]}, type="scan", view="v", limit=100,
               where=[["edge", op] for op in ops])
    yield good({"query": "get", "view": "v", "key": ["a"], "where": [{"field": "n", "op": "in", "value": [1, "2", 3]}], "explain": True}, type="get", view="v",
               key=1, where=[["n", "in"]], explain=True)
    yield good({"query": "scan", "view": "v", "where": [], "group_by": [], "explain": False}, type="scan", view="v", limit=100, group_by=[])
    yield good({"query": "scan", "view": "v", "order_by": [{"by": "n", "order": "desc"}, {"by": "edge"}, {"by": "m", "order": "asc"}]}, type="scan",
               view="v", limit=100, order_by=[["n", "desc"], ["edge", "asc"], ["m", "asc"]])
    yield good({"query": "top", "view": "v", "by": "m", "group_by": ["month", "edge"], "range": {"from": "2010-12-01"}}, type="top", view="v", by="m", limit=10,
               ascending=False, group_by=["month", "edge"], range={"from": "2010-12-01"})
    yield good({"query": "scan", "view": "v", "range": {"from": "2010-12", "to": "2011-01"}, "compare": {"to": {"from": "2009-12", "to": "2010-01"}}},
               type="scan", view="v", limit=100, range={"from": "2010-12", "to": "2011-01"}, earlier={"from": "2009-12", "to": "2010-01"})
    for span, count, unit in [("7d", 7, "d"), ("30min", 30, "min"), ("24h", 24, "h"), ("2w", 2, "w"), ("1mo", 1, "mo"), ("2y", 24, "mo")]:
        yield good({"query": "scan", "view": "v", "range": {"last": span}, "compare": {"shift": span}}, type="scan", view="v", limit=100,
                   range={"last": [count, unit]}, shift=[count, unit])
    condition = {"field": "n", "op": "=", "value": 1}
    for rest, code in [({"where": condition}, "bad_request"), ({"where": [condition] * 17}, "too_large"), ({"where": [{"field": "n", "op": "="}]}, "bad_request"),
                       ({"where": [{**condition, "or": 1}]}, "bad_request"), ({"where": [{**condition, "op": "=="}]}, "bad_request"),
                       ({"where": [{**condition, "value": [1]}]}, "bad_request"), ({"where": [{**condition, "op": "in"}]}, "bad_request"),
                       ({"where": [{**condition, "op": "in", "value": []}]}, "bad_request"), ({"where": [{**condition, "value": None}]}, "bad_request"),
                       ({"where": [{**condition, "op": "in", "value": [1] * 1001}]}, "too_large"), ({"where": [{**condition, "field": ""}]}, "bad_request"),
                       ({"order_by": []}, "bad_request"), ({"order_by": ["n"]}, "bad_request"), ({"order_by": [{"by": "n", "order": "up"}]}, "bad_request"),
                       ({"order_by": [{"by": "n"}] * 5}, "too_large"), ({"order_by": [{"by": "n"}], "cursor": "c"}, "bad_request"),
                       ({"order_by": [{"by": "n", "ascending": True}]}, "bad_request"), ({"group_by": "n"}, "bad_request"), ({"group_by": [1]}, "bad_request"),
                       ({"group_by": ["a"] * 6}, "too_large"), ({"range": {}}, "bad_request"), ({"range": {"last": "7"}}, "bad_request"),
                       ({"range": {"last": "7d", "to": "2010"}}, "bad_request"), ({"range": {"from": 1}}, "bad_request"), ({"range": {"since": "2010"}}, "bad_request"),
                       ({"compare": {}}, "bad_request"), ({"compare": {"shift": "1d", "to": {}}}, "bad_request"), ({"compare": {"shift": 7}}, "bad_request"),
                       ({"compare": {"to": {"from": "2010-12"}}}, "bad_request"), ({"compare": {"to": {"last": "1d"}}}, "bad_request"),
                       ({"explain": 1}, "bad_request")]:
        request = {"query": "scan", "view": "v", **rest}
        yield {**form(request), "code": code}
    for request in [{"query": "views", "where": []}, {"query": "top", "view": "v", "by": "m", "order_by": [{"by": "n"}]}, {"query": "status", "explain": True},
                    {"query": "get", "view": "v", "key": ["a"], "order_by": [{"by": "n"}]}]:
        yield {**form(request), "code": "bad_request"}


def replay_vectors(form, good):
    """Letters to be sent again."""
    many = [f"orders.dlq/{number % 3}/{number}" for number in range(20)]
    largest = "o" * 249 + f"/{2**31 - 1}/{2**63 - 1}"
    for places, fields in [(["orders.dlq/0/0"], {}), (many, {}), ([largest], {"unit_price": "2.50"}), (["a/1/2", "a/2/1", "b/1/2"], {"note": ""}),
                           (["a.dlq/0/7"], {f"f{number}": "=" for number in range(16)})]:
        yield good({"query": "replay", "places": places, **({"set": fields} if fields else {})}, type="replay", timeout_ms=30000, places=places, set=fields)
    for more, code in [({}, "bad_request"), ({"places": []}, "bad_request"), ({"places": "a/0/0"}, "bad_request"), ({"places": [["a/0/0"]]}, "bad_request"),
                       ({"places": ["a/0/0"], "limit": 1}, "bad_request"), ({"places": ["a/0/0"], "timeout_ms": 1}, "bad_request"),
                       ({"places": ["a/0/0", "a/0/1", "a/0/0"]}, "bad_request"), ({"places": [f"a/0/{number}" for number in range(21)]}, "too_large"),
                       *(({"places": [place]}, "bad_request") for place in ["", "a", "a/0", "/0/0", "a/0/", "a//0", "a/-1/0", "a/0/-1", "a/+1/0", "a/00/1", "a/0/01", "a/0/1x",
                                                                            "a/ 0/1", "a/0/0\x00", "a/0/1/2", "a/0x1/1", "a/b/0", "o" * 250 + "/0/0"]),
                       ({"places": ["a/0/0"], "set": []}, "bad_request"), ({"places": ["a/0/0"], "set": {"n": 1}}, "bad_request"),
                       ({"places": ["a/0/0"], "set": {"": "1"}}, "bad_request"), ({"places": ["a/0/0"], "set": {"event_id": "1"}}, "bad_request"),
                       ({"places": ["a/0/0"], "set": {f"f{number}": "1" for number in range(17)}}, "too_large")]:
        yield {**form({"query": "replay", **more}), "code": code}
    for place in [f"a/{2**31}/0", f"a/0/{2**63}"]:
        yield {**form({"query": "replay", "places": [place]}), "code": "bad_request", "beyond_schema": True}


def whole_vectors(form, good):
    """bands, shares, tables, joins, staged views."""
    def refused(code, *requests, **more):
        for request in requests:
            yield {**form(request), "code": code, **more}

    bands, top = {"query": "bands", "view": "v", "by": "m"}, {"query": "top", "view": "v", "by": "m"}
    yield good({**bands, "edges": ["-0.5", "0", 50, "100.25"]}, type="bands", view="v", by="m", edges=["-500000", "0", "50000000", "100250000"])
    yield good({**bands, "count": 101, "group_by": ["edge"], "range": {"last": "1d"}}, type="bands", view="v", by="m", bands=101, group_by=["edge"],
               range={"last": [1, "d"]})
    yield good({**bands, "edges": ["170141183460469231731687303715.88"]}, type="bands", view="v", by="m", edges=["170141183460469231731687303715880000"])
    yield good({**top, "cumulative": True}, type="top", view="v", by="m", limit=10, ascending=False, cumulative=True)
    for share, part in [("0.80", 800000), ("1", 1000000), (1, 1000000), ("0.000001", 1)]:
        yield good({**top, "until_share": share}, type="top", view="v", by="m", limit=10000, ascending=False, cumulative=True, until_share=part)
    yield good({**top, "until_share": "0.5", "limit": 3, "order": "asc"}, type="top", view="v", by="m", limit=3, ascending=True, cumulative=True, until_share=500000)
    yield good({"query": "tables"}, type="tables")
    yield good({"query": "get", "table": "users", "key": ["17850"]}, type="get", view="table.users", key=1)
    yield good({"query": "scan", "table": "u" * 34}, type="scan", view="table." + "u" * 34, limit=100)
    joined = {"view": "v", "join": "products"}
    yield good({"query": "scan", **joined}, type="scan", view="v", limit=100, join="table.products")
    for query, more, meaning in [("scan", {}, {"limit": 100}), ("get", {"key": ["a"]}, {"key": 1}), ("top", {"by": "m"}, {"by": "m", "limit": 10}),
                                 ("bands", {"by": "m", "count": 1}, {"by": "m", "bands": 1})]:
        yield good({"query": query, **joined, "with_missing": True, **more}, type=query, view="v", join="table.products", with_missing=True, **meaning)
    yield good({"query": "scan", **joined, "with_missing": True, "group_by": ["category"], "range": {"last": "1w"}, "compare": {"shift": "1w"},
                "order_by": [{"by": "revenue", "order": "desc"}]}, type="scan", view="v", limit=100, join="table.products", with_missing=True, group_by=["category"],
               range={"last": [1, "w"]}, shift=[1, "w"], order_by=[["revenue", "desc"]])
    yield good({"query": "scan", "view": "v", "staged": True}, type="scan", view="v", limit=100, staged=True)
    yield good({"query": "staged"}, type="staged", limit=100)
    yield good({"query": "staged", "view": "v", "limit": 10000, "cursor": "c"}, type="staged", view="v", limit=10000, cursor="c")
    for name in ["accept_staged", "drop_staged"]:
        yield good({"query": name}, type=name)
        yield from refused("bad_request", {"query": name, "timeout_ms": 1}, {"query": name, "view": "v"})
    yield from refused("bad_request", bands, {**bands, "count": 1, "edges": [1]}, {**bands, "count": 0}, {**bands, "edges": []}, {**bands, "edges": [True]},
                       {**bands, "edges": [1] * 101}, {"query": "bands", "view": "v", "count": 1}, {**bands, "count": 1, "compare": {"shift": "1d"}}, {**bands, "count": 1, "limit": 1},
                       {**top, "cumulative": 1}, {**top, "until_share": True}, {"query": "scan", "view": "v", "cumulative": True}, {"query": "tables", "view": "v"},
                       {"query": "scan", "view": "v", "table": "t"}, {"query": "scan"}, {"query": "scan", "table": "t" * 35}, {"query": "scan", "view": "v", "join": ""},
                       {"query": "scan", "view": "v", "join": "t" * 35}, {"query": "scan", **joined, "with_missing": 1}, {"query": "views", "with_missing": True},
                       {"query": "scan", "view": "v", "staged": "yes"}, {"query": "staged", "limit": 0}, {"query": "views", "staged": True})
    yield from refused("too_large", {**bands, "count": 102}, {"query": "staged", "limit": 10001})
    # what the schema can't say
    yield from refused("bad_request", {**bands, "edges": [2, 1]}, {**bands, "edges": ["1", "1.00"]}, {**bands, "edges": ["a"]}, {**top, "until_share": "0"},
                       {**top, "until_share": "1.000001"}, {**top, "until_share": -1}, {"query": "scan", "table": "t", "join": "u"},
                       {"query": "scan", "view": "v", "with_missing": True}, beyond_schema=True)


def query_vectors(form):
    def good(request, **meaning):
        return {"request": request, **form(request), **meaning}

    yield good({"query": "get", "view": "products", "key": ["85123A"]}, type="get", view="products", key=1)
    yield good({"query": "get", "view": "v", "key": [None, "GBP"]}, type="get", view="v", key=2)
    yield good({"query": "get", "view": "products", "keys": [["85123A", "GBP"], ["x"]]}, type="get", view="products", keys=2)
    yield good({"query": "top", "view": "products", "by": "total_revenue"}, type="top", view="products", by="total_revenue", limit=10, ascending=False)
    yield good({"query": "top", "view": "v", "by": "m", "limit": 10000, "order": "asc"}, type="top", view="v", by="m", limit=10000, ascending=True)
    yield good({"query": "scan", "view": "v"}, type="scan", view="v", limit=100)
    yield good({"query": "scan", "view": "v", "from": ["2010-12-01T08:00"], "to": ["a", 1], "limit": 5, "cursor": "c"}, type="scan", view="v", limit=5,
               cursor="c", **{"from": 1, "to": 2})
    for name in ["views", "status", "bridges", "edges", "ledger"]:
        yield good({"query": name}, type=name)
    yield good({"query": "ledger", "edge": "New York", "run": 4711, "kind": "view.dlq"}, type="ledger", edge="New York", run=4711, seq=0)
    yield good({"query": "edges", "edge": "uk"}, type="edges", edge="uk", run=0, seq=0)
    yield good({"query": "trace", "edge": "uk", "run": 2**53 - 1, "kind": "order", "seq": 17}, type="trace", edge="uk", run=2**53 - 1, seq=17)
    yield good({"query": "status", "timeout_ms": 60000, "max_lag": 0, "after": [{"edge": "uk", "run": 4711, "kind": "order", "seq": 17}]},
               type="status", timeout_ms=60000, max_lag=0, after=1)
    yield good({"query": "forget", "user": "17850"}, type="forget", user="17850", revoke=False)
    yield good({"query": "forget", "user": "Zoë", "revoke": True}, type="forget", user="Zoë", revoke=True)
    yield good({"query": "vitals"}, type="vitals", limit=720, by_minute=False)
    yield good({"query": "vitals", "period": "5s", "limit": 1}, type="vitals", limit=1, by_minute=False)
    yield good({"query": "vitals", "period": "1m", "limit": 1440}, type="vitals", limit=1440, by_minute=True)
    for name in ["forgotten", "quarantine"]:
        yield good({"query": name}, type=name, limit=100)
        yield good({"query": name, "limit": 10000, "cursor": "0.17"}, type=name, limit=10000, cursor="0.17")
    yield good({"query": "topics"}, type="topics", timeout_ms=5000)
    place = {"query": "records", "topic": "orders", "partition": 3}
    for more, begins, at in [({}, "newest", 0), ({"from": "newest"}, "newest", 0), ({"offset": 0}, "offset", 0), ({"offset": 2**53}, "offset", 2**53),
                             ({"from": 1290000000000}, "time", 1290000000000)]:
        yield good({**place, **more}, type="records", limit=20, timeout_ms=5000, topic="orders", partition=3, begins=begins, at=str(at))
    yield good({**place, "limit": 100, "timeout_ms": 1}, type="records", limit=100, timeout_ms=1, topic="orders", partition=3, begins="newest", at="0")
    yield good({"query": "letters"}, type="letters", limit=20, timeout_ms=5000)
    yield good({"query": "letters", "code": "bad_value", "edge": "New York", "limit": 1}, type="letters", limit=1, timeout_ms=5000, of_code="bad_value",
               of_edge="New York")
    yield from refined_vectors(form, good)
    yield from whole_vectors(form, good)
    yield from replay_vectors(form, good)
    for request, code in [([], "bad_request"), ({}, "bad_request"), ({"query": 1}, "bad_request"), ({"query": "gett"}, "unknown_query"),
                          ({"query": "views", "veiw": 1}, "bad_request"),
                          ({"query": "views", "edge": "uk"}, "bad_request"), ({"query": "bridges", "edge": "uk"}, "bad_request"), ({"query": "ledger", "seq": 1}, "bad_request"),
                          ({"query": "ledger", "edge": " uk"}, "bad_request"), ({"query": "ledger", "kind": "orders"}, "bad_request"),
                          ({"query": "ledger", "run": 0}, "bad_request"), ({"query": "ledger", "run": 2**53}, "too_large"),
                          ({"query": "trace", "edge": "uk", "run": 1, "kind": "order"}, "bad_request"),
                          ({"query": "trace", "edge": "uk", "run": 1, "kind": "order", "seq": 0}, "bad_request"), ({"query": "views", "limit": 1}, "bad_request"),
                          ({"query": "get", "view": "v"}, "bad_request"), ({"query": "get", "key": ["a"]}, "bad_request"),
                          ({"query": "get", "view": "v", "key": ["a"], "keys": [["a"]]}, "bad_request"), ({"query": "get", "view": "v", "key": "a"}, "bad_request"),
                          ({"query": "get", "view": "v", "key": []}, "bad_request"), ({"query": "get", "view": "v", "key": [True]}, "bad_request"),
                          ({"query": "get", "view": "v", "keys": [["a"]] * 1001}, "too_large"), ({"query": "top", "view": "v"}, "bad_request"),
                          ({"query": "top", "view": "v", "by": "m", "limit": 0}, "bad_request"), ({"query": "top", "view": "v", "by": "m", "limit": 10001}, "too_large"),
                          ({"query": "top", "view": "v", "by": "m", "order": "up"}, "bad_request"), ({"query": "scan", "view": "v", "limit": 100001}, "too_large"),
                          ({"query": "views", "timeout_ms": 60001}, "too_large"), ({"query": "views", "max_lag": -1}, "bad_request"),
                          ({"query": "views", "after": [{"edge": "e", "run": 1, "kind": "order"}]}, "bad_request"),
                          ({"query": "vitals", "period": "1h"}, "bad_request"), ({"query": "vitals", "period": 5}, "bad_request"),
                          ({"query": "vitals", "limit": 0}, "bad_request"), ({"query": "vitals", "limit": 1441}, "too_large"),
                          ({"query": "vitals", "cursor": "c"}, "bad_request"), ({"query": "status", "period": "5s"}, "bad_request"),
                          ({"query": "forget"}, "bad_request"), ({"query": "forget", "user": 17850}, "bad_request"),
                          ({"query": "forget", "user": "a" * 129}, "too_large"), ({"query": "forget", "user": "a", "revoke": 1}, "bad_request"),
                          ({"query": "forget", "user": "a", "timeout_ms": 1}, "bad_request"), ({"query": "quarantine", "limit": 10001}, "too_large"),
                          ({"query": "topics", "limit": 1}, "bad_request"), ({"query": "records", "topic": "orders"}, "bad_request"),
                          ({"query": "records", "partition": 0}, "bad_request"), ({**place, "partition": -1}, "bad_request"), ({**place, "topic": ""}, "bad_request"),
                          ({**place, "topic": "o" * 250}, "bad_request"), ({**place, "partition": 2**31}, "too_large"), ({**place, "offset": "newest"}, "bad_request"),
                          ({**place, "offset": 1, "from": "newest"}, "bad_request"), ({**place, "from": "oldest"}, "bad_request"), ({**place, "from": -1}, "bad_request"),
                          ({**place, "from": [1]}, "bad_request"), ({**place, "limit": 101}, "too_large"), ({**place, "limit": 0}, "bad_request"),
                          ({"query": "letters", "edge": " uk"}, "bad_request"), ({"query": "letters", "topic": "orders.dlq"}, "bad_request"),
                          ({"query": "letters", "limit": 101}, "too_large"),
                          ({"query": "get", "view": "v", "key": [[[[1]]]]}, "bad_request")]:
        yield {**form(request), "code": code}
