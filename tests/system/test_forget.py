"""Forgetting a user: his rows are gone from every answer and stay gone, whatever dies; what is not about him keeps its cents."""
import json
import re
import subprocess

import pytest
from harness import BUILD, DEADLINE, Client, Sender, program, sum_metric, till, wait_until
from keys import Keys
from scripted_edge import ScriptedEdge

NAME = "anna-forget-me-17850"
VIEWS = """
[view.products]
group_by = product_id
measures = order_count = count(), total_revenue = sum(revenue)
[view.users]
group_by = user_id
measures = basket_count = distinct(basket), order_count = count(), total_revenue = sum(revenue)
[view.days]
group_by = day(ts), user_id
measures = order_count = count()
[view.lasts]
group_by = product_id
measures = who = last(user_id), people = distinct(user_id), median = quantile(revenue, 0.5)
"""
PERSONAL = {"users", "days"}


def order(number, user, cents=100, **more):
    return {"order_id": f"o{number // 2}", "product_id": f"p{number % 3}", "quantity": 1, "user_id": user, "currency": "EUR",
            "unit_price": f"{cents // 100}.{cents % 100:02}", "ts": f"2010-12-0{1 + number % 3}T08:26:00Z", **more}


def start(pipeline, tmp_path, shards=1, **more):
    conf = tmp_path / "views.conf"
    conf.write_text(VIEWS if shards == 1 else VIEWS[:VIEWS.index("[view.users]")] + "[view.users]\ngroup_by = user_id\n"
                    "measures = order_count = count()\n")
    pipe = pipeline(**more)
    pipe.start_aggregator("-c", conf, "-o", f"aggregator.shards={shards}")
    return pipe


def sell(pipe, numbers, user, edge="store-1"):
    reply = Sender(pipe.endpoint(edge)).ask([order(number, user, 100 + number) for number in numbers])
    assert reply["ok"], reply
    pipe.wait_settled()


def forget(pipe, *args):
    done = till("forget", pipe.aggregator.ready["listen"][0], *args)
    assert NAME not in done.stdout + done.stderr
    return done


def answers(pipe):
    return {view["name"]: pipe.client.scan(view["name"]) for view in pipe.client.ask("views")["views"]}


def impersonal(rows):
    """What is not about anybody: totals by product, and how many people bought it."""
    return rows["products"], [{**row, "who": None} for row in rows["lasts"]]


def dump(pipe):
    return subprocess.run([program("till-aggregator"), *pipe.aggregator.args, "--dump"], capture_output=True, text=True,
                          timeout=DEADLINE, check=True).stdout


def rebuilt(pipe):
    """The dumps of the stopped store before and after it was counted anew from the log."""
    assert pipe.aggregator.stop() == 0
    before = dump(pipe)
    pipe.aggregator.args.append("--rebuild")
    pipe.aggregator.start()
    store = pipe.client.ask("status")["as_of"]["store"]
    wait_until(lambda: "the rebuilt store is live" in pipe.aggregator.log_text() and
               pipe.client.ask("status")["as_of"]["store"], f"another store than {store}")
    assert pipe.aggregator.stop() == 0
    pipe.aggregator.args.remove("--rebuild")
    return before, dump(pipe)


def test_a_forgotten_user_is_in_no_answer_and_no_other_cent_moves(pipeline, tmp_path):
    pipe = start(pipeline, tmp_path)
    sell(pipe, range(8), "u1")
    sell(pipe, range(8, 20), NAME)
    before = answers(pipe)
    assert NAME in json.dumps(before)

    done = forget(pipe, NAME)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^forgotten: 4 rows with 24 events, 3 texts", done.stdout), done.stdout  # 1 of users, 3 of days
    after = answers(pipe)
    assert NAME not in json.dumps(after) and impersonal(after) == impersonal(before)
    assert {row["who"] for row in after["lasts"]} == {"(forgotten)"}
    assert [row["user_id"] for row in after["users"]] == ["u1"] and len(after["days"]) == 3
    assert pipe.client.rows("get", view="users", key=[NAME]) == []
    assert NAME not in json.dumps(pipe.client.ask("top", view="users", by="total_revenue"))
    assert pipe.client.ask("status")["forgotten"] == {"in_force": 1, "revoked": 0, "held": {"users": 12, "days": 12}}
    assert sum_metric(pipe.aggregator.metrics(), "till_aggregator_users_forgotten") == 1
    done = forget(pipe, NAME)  # again
    assert done.returncode == 0 and "it was so before" in done.stdout and "0 rows" in done.stdout

    # he buys again: it counts, and not under his name
    sell(pipe, range(20, 26), NAME)
    later = answers(pipe)
    assert NAME not in json.dumps(later) and later["users"] == after["users"]
    assert sum(row["order_count"] for row in later["products"]) == 26
    pipe.aggregator.restart()  # kill -9
    pipe.wait_applied()
    assert answers(pipe) == later
    assert pipe.client.ask("status")["forgotten"]["held"] == {"users": 18, "days": 18}
    assert pipe.client.ask("status")["problems"] == []

    # he may come back, and what was before does not; nor at a rebuild
    done = forget(pipe, NAME, "--revoke")
    assert done.returncode == 0 and done.stdout.startswith("counts again from now on"), done.stdout
    sell(pipe, range(18, 22), NAME)  # the first two are of a basket that counted in the row that went
    row, = pipe.client.rows("get", view="users", key=[NAME])
    assert (row["order_count"], row["basket_count"]) == (4, 2)
    assert pipe.client.ask("status")["forgotten"] == {"in_force": 0, "revoked": 1, "held": {"users": 18, "days": 18}}
    listed = till("forget", pipe.aggregator.ready["listen"][0], "--list")
    assert listed.returncode == 0 and "0 forgotten, 1 revoked" in listed.stderr and "anybody" in listed.stdout
    live, anew = rebuilt(pipe)
    assert anew == live and anew.count(NAME) == 1 + 3 + 3 and '"held":18' in anew  # of users, days, lasts
    assert NAME not in pipe.aggregator.log_text()
    assert till("verify", "store", pipe.folder / "store").returncode == 0


def is_consistent(pipe, user, rows):
    """Forgotten, or as before: nothing between. Says which."""
    found = pipe.client.rows("get", view="users", key=[user])
    status = pipe.client.ask("status")
    assert status["problems"] == [] and status["state"] != "broken"
    forgotten = status["forgotten"]["in_force"] == 1
    assert found == ([] if forgotten else rows)
    assert status["forgotten"]["held"]["users"] == (rows[0]["order_count"] if forgotten else 0)
    return forgotten


@pytest.mark.kill
def test_a_kill_between_question_and_answer_forgets_wholly_or_not_at_all(pipeline, tmp_path):
    shards = 2
    pipe = start(pipeline, tmp_path, shards, edges=("store-1", "store-2"))
    for edge in ("store-1", "store-2"):  # they lie in partitions of different shards
        sell(pipe, range(6), NAME, edge)
    rows = pipe.client.rows("get", view="users", key=[NAME])
    assert rows[0]["order_count"] == 12

    def kill_at(point):
        assert pipe.aggregator.stop() == 0
        pipe.aggregator.env["TILL_FAILPOINT"] = point
        pipe.aggregator.env["LD_PRELOAD"] = str(BUILD / "tests" / "lib" / "libfailpoints-preload.so")
        pipe.aggregator.start()
        dying = Client(pipe.aggregator.ready["listen"][0])
        dying.socket.send_multipart([b"1", b"", json.dumps({"query": "forget", "user": NAME}).encode()])
        assert pipe.aggregator.wait() == -9, pipe.aggregator.log_tail()
        dying.close()
        pipe.aggregator.env["TILL_FAILPOINT"] = ""
        pipe.aggregator.start()
        pipe.wait_applied()
        return is_consistent(pipe, NAME, rows)

    # in the first shard's transaction, at its end; that a shard is opened is a commit, too
    assert not kill_at("mdb_put:before:2")
    assert not kill_at(f"mdb_txn_commit:before:{shards + 1}")
    # and behind it, before the second one's; on a slow machine something else may be committed first
    assert any(kill_at(f"mdb_txn_commit:after:{shards + number}") for number in range(1, 5))
    done = forget(pipe, NAME)
    assert done.returncode == 0 and is_consistent(pipe, NAME, rows)


def audited(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [(each["who"], each["result"].split(":")[0]) for each in lines if each["action"] == "forget"]


def test_only_an_admin_forgets_and_each_try_is_written_down(pipeline, tmp_path):
    keys, audit = Keys(tmp_path), tmp_path / "audit.ndjson"
    keys.make("aggregator")
    keys.make("boss", "--admin")
    keys.make("analyst", "--views", "*")
    secured = [f"security.key_file={keys.secret('aggregator')}",
               f"security.authorized={keys.directory('aggregator', 'boss', 'analyst')}", f"audit.file={audit}"]
    pipe = start(pipeline, tmp_path, bridges=0, edges=(), options={"till-aggregator": secured})
    endpoint = pipe.aggregator.ready["listen"][0]
    for command in (["forget", endpoint, NAME], ["forget", endpoint, "--list"], ["quarantine", endpoint]):
        done = till(*command, *keys.flags("analyst", "aggregator"))
        assert done.returncode == 1 and "right admin" in done.stderr, done.stderr
    done = till("forget", endpoint, "-", *keys.flags("boss", "aggregator"), stdin=None, input=NAME + "\n")
    assert done.returncode == 0, done.stderr
    hash_of = re.search(r"^hash ([0-9a-f]{32})$", done.stdout, re.M)[1]
    assert audited(audit) == [("analyst", "refused"), ("boss", "begun"), ("boss", "done")]
    assert NAME not in audit.read_text() and hash_of in audit.read_text()
    listed = till("forget", endpoint, "--list", "--json", *keys.flags("boss", "aggregator"))
    entry, = json.loads(listed.stdout)["forgotten"]
    assert (entry["hash"], entry["by"], entry["in_force"], entry["until"]) == (hash_of, "boss", True, None)
    done = till("forget", endpoint, "nobody", "--revoke", *keys.flags("boss", "aggregator"))
    assert done.returncode == 1 and "was not forgotten" in done.stderr
    assert till("forget", "tcp://127.0.0.1:1", NAME, "--timeout", "1s").returncode == 3
    assert till("forget").returncode == 2 and till("forget", endpoint, "x" * 129).returncode == 2

    # what can't be written down is not done
    audit.unlink()
    audit.mkdir()
    done = till("forget", endpoint, "somebody", *keys.flags("boss", "aggregator"))
    assert done.returncode == 1 and "audit log can't be written" in done.stderr, done.stderr
    listed = till("forget", endpoint, "--list", *keys.flags("boss", "aggregator"))
    assert "1 forgotten, 0 revoked" in listed.stderr


def test_a_pseudonym_is_found_by_its_key_and_without_keys_only_this_machine_forgets(pipeline, tmp_path):
    key = tmp_path / "key"
    key.write_text("a-key-of-the-stores-5b1e90d2\n")
    key.chmod(0o600)
    pipe = start(pipeline, tmp_path, options={"till-edge": [f"privacy.pseudonym_key_file={key}"]})
    sell(pipe, range(4), NAME)
    assert len(pipe.client.scan("users")) == 1
    assert "0 rows" in forget(pipe, NAME).stdout
    done = forget(pipe, NAME, "--pseudonym-key", key)
    assert done.returncode == 0 and pipe.client.scan("users") == [], done.stderr
    key.chmod(0o644)
    done = forget(pipe, NAME, "--pseudonym-key", key)
    assert done.returncode == 2 and f"chmod 600 {key}" in done.stderr

    pipe.aggregator.stop()
    endpoint = pipe.aggregator.ready["listen"][0]
    pipe.aggregator.args += ["-o", "security.insecure=yes", "-o", f"aggregator.listen={endpoint},tcp://0.0.0.0:0"]
    pipe.aggregator.start()
    done = forget(pipe, "somebody")
    assert done.returncode == 1 and "set up keys" in done.stderr, done.stderr
    assert pipe.client.ask("quarantine")["error"]["code"] == "forbidden"
    assert pipe.client.ask("status")["forgotten"]["in_force"] == 2


def store_has(pipe, word):
    return any(word in path.read_bytes() for path in (pipe.folder / "store").rglob("data.mdb"))


def test_the_quarantine_is_listed_and_brings_no_name_back(pipeline, tmp_path):
    pipe = start(pipeline, tmp_path, edges=())
    bridge = pipe.bridges[0].ready["listen"][0]
    for session, product in ((1, "tea"), (2, "salt")):  # the second image sells other things under the same numbers
        edge = ScriptedEdge(bridge, "store-1", 4711, session)
        edge.send(range(1, 4), product)
        edge.close()
    subprocess.run(["kcat", "-P", "-b", pipe.bootstrap, "-t", f"{pipe.prefix}orders", "-p", "0", "-k", "store-1"],
                   input=f'{{"edge":"store-1","run":1,"seq":"{NAME}"}}'.encode(), timeout=60, check=True)
    pipe.wait_applied()

    def listed():
        answer = pipe.client.ask("quarantine")
        assert answer["ok"], answer
        return len(answer["quarantine"]) == 4 and answer["quarantine"]
    entries = wait_until(listed, "the next commit")
    conflicts = [each for each in entries if each["reason"].startswith("certificate_conflict")]
    assert [(each["edge"], each["run"], each["kind"], each["seq"]) for each in conflicts] == [
        ("store-1", 4711, "order", seq) for seq in (1, 2, 3)]
    assert {each["topic"] for each in entries} == {f"{pipe.prefix}orders"} and not any(each["hidden"] for each in entries)
    page = pipe.client.ask("quarantine", limit=3)
    rest = pipe.client.ask("quarantine", cursor=page["next"])
    assert page["quarantine"] + rest["quarantine"] == entries and "next" not in rest and page["set_aside"] == 4
    assert pipe.client.ask("quarantine", cursor="x")["error"]["code"] == "bad_request"
    done = till("quarantine", pipe.aggregator.ready["listen"][0])
    place = f"{pipe.prefix}orders/{conflicts[0]['partition']}/{conflicts[0]['offset']}"
    assert done.returncode == 0 and "4 set aside" in done.stderr
    assert re.search(rf"^{place} .* store-1 +4711 +order +1 +\d+ +certificate_conflict", done.stdout, re.M), done.stdout

    # u1 sold these; what can't be read may be anybody's
    done = forget(pipe, "u1")
    assert "4 records of the quarantine" in done.stdout, done.stdout
    hidden = pipe.client.ask("quarantine")["quarantine"]
    assert all(each["hidden"] and each["edge"] is None and each["size"] > 0 for each in hidden)
    assert [each["offset"] for each in hidden] == [each["offset"] for each in entries]
    assert NAME not in json.dumps(hidden)
    assert not store_has(pipe, b"pepper")
    edge = ScriptedEdge(bridge, "store-1", 4711, 3)  # and what is set aside later
    edge.send(range(1, 3), "pepper")
    edge.close()
    pipe.wait_applied()
    wait_until(lambda: len(pipe.client.ask("quarantine")["quarantine"]) == 6, "the next commit")
    assert all(each["hidden"] for each in pipe.client.ask("quarantine")["quarantine"])
    assert not store_has(pipe, b"pepper")
