"""The query language (PROTOCOL.md, 6.6) against a model that knows only a view's plain rows; cursors while events come in."""
import json
import os
import random

import jsonschema
import pytest
import query_schema
from harness import ROOT, till, wait_until
from query_rig import EDGES, MODELS, VIEWS, check_random, send

def start(pipeline, tmp_path, shards=1):
    views = tmp_path / "views.conf"
    views.write_text(VIEWS)
    pipe = pipeline(edges=EDGES, options={"till-aggregator": [f"aggregator.shards={shards}"]})
    pipe.start_aggregator("-c", str(views))
    return pipe


@pytest.mark.parametrize("shards", [1, 4])
def test_random_questions_are_answered_as_the_model_does(pipeline, tmp_path, shards):
    """With what is committed, and with what has come since. TILL_QUESTIONS asks more, TILL_SEED others."""
    pipe = start(pipeline, tmp_path, shards)
    seed, count = int(os.environ.get("TILL_SEED", "1")), int(os.environ.get("TILL_QUESTIONS", "120"))
    dice = random.Random(seed)
    answered = 0
    for part in range(2):
        send(pipe, dice, 600, part * 600)
        answered += check_random(pipe.client, seed + part, count)
    assert answered > count, "most questions make sense"
    finer = pipe.client.rows("scan", view="fine", group_by=["product_id", "month"], limit=1000)
    assert finer == pipe.client.scan("coarse") != [], "a roll-up is what the coarser view would be, quantiles too"


def test_a_cursor_misses_no_row_and_doubles_none_while_events_come_in(pipeline, tmp_path):
    """Also over commits, a kill and a rebuild: it names a key. Another question's, or another declaration's, is refused."""
    pipe = start(pipeline, tmp_path)
    dice = random.Random(7)
    send(pipe, dice, 300)
    before = [tuple(row[name] for name in MODELS[0].groups) for row in pipe.client.scan("lines")]
    seen, cursor, page = [], {}, 0
    while True:
        answer = pipe.client.ask("scan", view="lines", limit=25, **cursor)
        assert answer["ok"], answer
        seen += [tuple(row[name] for name in MODELS[0].groups) for row in answer["rows"]]
        if "next" not in answer:
            break
        cursor = {"cursor": answer["next"]}
        page += 1
        if page <= 4:
            send(pipe, dice, 60, 1000 * page)
        if page == 3:
            pipe.aggregator.restart()
        if page == 5:
            store = answer["as_of"]["store"]
            pipe.aggregator.stop()
            pipe.aggregator.args.append("--rebuild")
            pipe.aggregator.start()
            pipe.aggregator.args.remove("--rebuild")
            pipe.wait_settled()
            wait_until(lambda store=store: pipe.client.ask("status").get("as_of", {}).get("store", store) != store, "the rebuild's end")
    assert len(seen) == len(set(seen)), "a row came twice"
    assert set(before) <= set(seen), "a row is missing"
    for other in ({"view": "days"}, {"view": "lines", "where": [{"field": "edge", "op": "=", "value": "oslo"}]}, {"view": "lines", "group_by": ["edge"]}):
        answer = pipe.client.ask("scan", **other, **cursor)
        assert answer["error"]["code"] == "bad_request" and "begin the scan anew" in answer["error"]["message"], answer


def test_the_command_line_asks_the_same(pipeline, tmp_path):
    pipe = start(pipeline, tmp_path)
    send(pipe, random.Random(3), 200)
    endpoint = pipe.aggregator.ready["listen"][0]
    where = [{"field": "edge", "op": "in", "value": ["oslo", "berlin"]}, {"field": "product_id", "op": "prefix", "value": "t"},
             {"field": "revenue", "op": ">=", "value": "0.50"}]
    arguments = ["--where", "edge in oslo,berlin", "--where", "product_id prefix t", "--where", "revenue >= 0.50", "--group-by", "day", "--from", "2010-10-25",
                 "--to", "2010-11-01", "--json"]
    refined = {"where": where, "group_by": ["day"], "range": {"from": "2010-10-25", "to": "2010-11-01"}}
    for more, asked in [(["--compare", "1d"], {"compare": {"shift": "1d"}}), (["--explain"], {"explain": True}),
                        (["--order-by", "n:desc,day", "-n", "2"], {"order_by": [{"by": "n", "order": "desc"}, {"by": "day"}], "limit": 2})]:
        done = till("scan", endpoint, "lines", *arguments, *more)
        wanted = pipe.client.ask("scan", view="lines", **refined, **asked)
        assert done.returncode == 0 and {**json.loads(done.stdout), "as_of": 0} == {**wanted, "as_of": 0}, done
    done = till("top", endpoint, "--view", "hours", "--by", "n", "--group-by", "weekday", "--last", "7d", "--compare", "2010-10-25..2010-11-01", "--json")
    wanted = pipe.client.ask("top", view="hours", by="n", group_by=["weekday"], range={"last": "7d"},
                             compare={"to": {"from": "2010-10-25", "to": "2010-11-01"}})
    assert done.returncode == 0 and json.loads(done.stdout)["rows"] == wanted["rows"] != [], done
    table = till("scan", endpoint, "hours", "--group-by", "", "--last", "2d", "--compare", "2d").stdout
    assert table.split()[:7] == ["currency", "n", "revenue", "previous.n", "previous.revenue", "difference.n", "difference.revenue"], table
    assert '"access": "full_walk"' in till("scan", endpoint, "lines", "--explain").stdout
    page = till("scan", endpoint, "lines", "-n", "3")
    assert "there are more rows: --cursor" in page.stderr
    on = till("scan", endpoint, "lines", "-n", "3", "--cursor", page.stderr.split()[-1], "--json")
    assert json.loads(on.stdout)["rows"] == pipe.client.rows("scan", view="lines", limit=6)[3:]
    done = till("bands", endpoint, "hours", "--by", "n", "--count", "3", "--json")
    wanted = pipe.client.ask("bands", view="hours", by="n", count=3)
    assert done.returncode == 0 and wanted["ok"] and {**json.loads(done.stdout), "as_of": 0} == {**wanted, "as_of": 0}, done
    shown = till("bands", endpoint, "hours", "--by", "n", "--edges", "0,1,5")
    assert shown.returncode == 0 and ["1", "5"] in [line.split()[:2] for line in shown.stdout.splitlines()], shown
    assert till("bands", endpoint, "hours", "--by", "n").returncode == 2
    assert "1,000.00" in till("bands", endpoint, "products", "--by", "revenue", "--edges", "1000").stdout, "as other amounts are"
    assert pipe.client.ask("topp")["error"] == {"code": "unknown_query", "message": 'there is no query "topp"; did you mean "top"?'}
    unseen = [{"edge": "berlin", "run": 1, "kind": "order", "seq": 1}]
    late = pipe.client.ask("get", view="days", key=["berlin"], after=unseen, timeout_ms=0)["error"]
    assert late["code"] == "timeout" and late["message"].startswith('after 0 ms an event of "after" was neither counted nor rejected'), late
    assert pipe.client.ask("frobnicate")["error"]["message"] == 'there is no query "frobnicate"'
    for command, *rest in (["scan"], ["bands", "--by", "n", "--count", "3"]):
        forgotten = till(command, endpoint, *rest)
        assert forgotten.returncode == 2 and "the view is missing" in forgotten.stderr, forgotten
    typed = till("query", endpoint, "products")
    assert typed.returncode == 2 and typed.stdout == "" and '"products" is no question' in typed.stderr, typed
    for bad, code in [(["--where", "edge"], 2), (["--where", "egde=oslo"], 1), (["--last", "1d", "--to", "2010-11-01"], 2), (["--compare", "1x"], 1)]:
        done = till("scan", endpoint, "lines", *bad)
        assert done.returncode == code and done.stderr, done


def test_the_schema_says_what_the_vectors_say():
    """Good requests fit it, refused ones don't; answers of other forms don't either."""
    jsonschema.Draft202012Validator.check_schema(query_schema.SCHEMA)
    vectors = [json.loads(line) for line in (ROOT / "tests/vectors/queries.ndjson").read_text().splitlines()]
    for vector in vectors:
        why = query_schema.fault("request", json.loads(vector["json"]))
        assert (why is None) == ("code" not in vector or "beyond_schema" in vector), f"{vector['json'][:200]}: {why}"
    as_of = {"store": "s", "commit": 1, "event_ts": None, "lag": None, "gaps": []}
    assert query_schema.fault("answer", {"ok": True, "rows": [{"n": 1, "previous": {"n": 1}, "difference": {"n": None}}], "as_of": as_of}) is None
    for answer in ({"ok": True, "rows": []}, {"ok": True, "rows": [{"n": [1]}], "as_of": as_of}, {"ok": False, "error": {"code": "eclipse", "message": "x"}},
                   {"ok": True, "as_of": as_of}, {"ok": True, "explain": {}, "as_of": as_of}, {"ok": True, "rows": [], "as_of": {**as_of, "lag": -1}}):
        assert query_schema.fault("answer", answer), answer


def test_every_member_of_an_answer_is_in_the_schema(pipeline, tmp_path):
    """The real program's answers, of each type but staged ones (test_views.py holds those against the schema): it says nothing that is not written down."""
    pipe = start(pipeline, tmp_path)
    send(pipe, random.Random(5), 40)
    client = pipe.client
    wait_until(lambda: client.ask("edges")["reports"], "a report of an edge")
    stream = client.ask("edges", kind="order")["edges"][0]
    event = {name: stream[name] for name in ("edge", "run", "kind")}
    range_ = {"from": "2010-10-25", "to": "2010-11-01"}
    asked = [{"query": "views"}, {"query": "tables"}, {"query": "status"}, {"query": "edges"}, {"query": "ledger"}, {"query": "trace", **event, "seq": 1}, {"query": "vitals"},
             {"query": "get", "view": "products", "key": ["tea"]}, {"query": "top", "view": "products", "by": "n", "cumulative": True},
             {"query": "scan", "view": "days", "group_by": ["edge", "day"], "range": range_, "compare": {"shift": "1w"}, "limit": 1},
             {"query": "scan", "view": "lines", "limit": 1}, {"query": "scan", "view": "lines", "explain": True}, {"query": "bands", "view": "hours", "by": "n", "count": 3},
             {"query": "forget", "user": "nobody"}, {"query": "forgotten"}, {"query": "quarantine"}, {"query": "scan", "view": "line"}]
    for request in asked:
        answer = client.ask(**request)
        name = query_schema.answer_of(request)[1] if answer["ok"] else "error"
        assert not (found := query_schema.undescribed(query_schema.SCHEMA["$defs"][name], answer)), f"{request}: {found}"
    assert not answer["ok"] and "next" in client.ask("scan", view="lines", limit=1)
