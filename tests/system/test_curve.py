"""Keys: who may speak with whom, as what, and what is said to those who may not."""
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import zmq
from harness import ROOT, Client, Sender, free_port, program, show_keys, sum_metric, till, wait_until
from keys import Keys

NOTHING_HEARD_MS = 1500  # how long a peer that must not get in is listened to


def order(number, **more):
    return {"order_id": f"o-{number}", "product_id": "tea", "quantity": 2, "unit_price": "2.50", "currency": "EUR", **more}


@pytest.fixture
def keys(tmp_path):
    return Keys(tmp_path)


def edge_settings(keys, name):
    """An edge whose producers show keys, and which shows its own to the bridge."""
    return [f"security.key_file={keys.secret(name)}", f"security.authorized={keys.directory(name)}",
            f"security.bridge_keys={keys.public('bridge')}"]


def start_chain(pipeline, keys, stores=("store-1",)):
    """One bridge and aggregator, some stores, a till in each, an analyst and the boss; each with a key of its own."""
    for name in ("bridge", "aggregator"):
        keys.make(name)
    keys.make("boss", "--views", "*", "--send")
    keys.make("analyst", "--views", "products")
    for store in stores:
        keys.make(store, "--edges", store)
        keys.make(f"till-{store}", "--send")
        keys.directory(store, f"till-{store}")
    keys.directory("bridge", *stores)
    keys.directory("aggregator", "boss", "analyst")
    pipe = pipeline(edges=(), options={
        "till-bridge": [f"security.key_file={keys.secret('bridge')}", f"security.authorized={keys.directory('bridge')}"],
        "till-aggregator": [f"security.key_file={keys.secret('aggregator')}",
                            f"security.authorized={keys.directory('aggregator')}"]})
    for store in stores:
        pipe.options["till-edge"] = edge_settings(keys, store)
        pipe.start_edge(store)
    return pipe


def ask_as(pipe, keys, name):
    return Client(pipe.aggregator.ready["listen"][0], keys.pair(name, "aggregator"))


def start_aggregator(pipe, keys):
    pipe.start_aggregator()
    pipe.client.close()
    pipe.client = ask_as(pipe, keys, "boss")


def sender(pipe, keys, store, name=None):
    return Sender(pipe.endpoint(store), keys=keys.pair(name or f"till-{store}", store))


def hears_nothing(socket, milliseconds=NOTHING_HEARD_MS):
    return socket.poll(milliseconds) == 0


def in_session(edge):
    return edge.http("/readyz")[1].startswith("ready")


def test_a_chain_runs_on_keys_and_shows_no_secret(pipeline, keys):
    stores = ("store-1", "store-2", "store-3")
    pipe = start_chain(pipeline, keys, stores)
    start_aggregator(pipe, keys)
    for number, store in enumerate(stores):
        reply = sender(pipe, keys, store).ask([order(n, quantity=number + 1) for n in range(10)])
        assert reply["ok"] and reply["accepted"] == 10, reply
    # the command line: the same keys as files, and by the environment
    csv = pipe.folder / "sales.csv"
    csv.write_text("order_id,product_id,quantity,unit_price,currency\nc1,tea,1,2.50,EUR\n")
    done = till("send", "--to", pipe.endpoint("store-1"), *keys.flags("till-store-1", "store-1"), csv)
    assert done.returncode == 0, done.stderr
    pipe.wait_settled()
    rows = pipe.client.rows("scan", view="stores")
    assert {row["edge"]: row["total_revenue"] for row in rows} == {
        "store-1": "27.50", "store-2": "50.00", "store-3": "75.00"}
    endpoint = pipe.aggregator.ready["listen"][0]
    done = till("top", endpoint, "--json", *keys.flags("analyst", "aggregator"))
    assert done.returncode == 0 and '"152.50"' in done.stdout, done.stderr
    environment = {**os.environ, "TILL_KEY": str(keys.secret("boss")), "TILL_SERVER_KEY": str(keys.public("aggregator"))}
    done = till("status", endpoint, env=environment)
    assert done.returncode == 0, done.stderr

    # no secret in a log, a configuration that is printed, a metric, a command line
    parts = [*pipe.bridges, *pipe.edges.values(), pipe.aggregator]
    for part in parts:
        printed = subprocess.run([program(part.name), *part.args, "--print-config"], capture_output=True, text=True, check=True)
        assert f"key_file = {keys.folder}" in printed.stdout
        seen = [part.log_text(), printed.stdout, printed.stderr, part.http("/metrics")[1], part.http("/readyz")[1],
                Path(f"/proc/{part.pid}/cmdline").read_text(), Path(f"/proc/{part.pid}/environ").read_text()]
        for secret in keys.secrets():
            assert not any(secret in text for text in seen), part.name
    assert sum_metric(pipe.bridges[0].metrics(), "till_key_handshakes_total", socket="bridge", result="accepted") >= 3
    assert sum_metric(pipe.edges["store-1"].metrics(), "till_key_handshakes_total", socket="producers", result="accepted") == 2


def test_an_edge_can_not_speak_as_another(pipeline, keys):
    pipe = start_chain(pipeline, keys)
    keys.make("thief", "--edges", "thief")
    keys.directory("bridge", "thief")
    pipe.options["till-edge"] = edge_settings(keys, "thief")
    keys.directory("thief", "till-store-1")
    wait_until(lambda: sum_metric(pipe.bridges[0].metrics(), "till_keys_authorized") == 2, "the thief's own key")
    # it has a key that is let in, and says that it is store-1
    thief = pipe.start_edge("thief")
    thief.kill()
    thief.args[thief.args.index("edge.id=thief")] = "edge.id=store-1"
    (pipe.folder / "edge-thief").rename(pipe.folder / "edge-thief-before")
    (pipe.folder / "edge-thief").mkdir()
    thief.start()
    forged = Sender(thief.ready["listen"][0], keys=keys.pair("till-store-1", "thief"))
    assert forged.ask([order(n) for n in range(5)])["ok"], "its own disk takes what its own till sends"
    wait_until(lambda: "refuses this edge" in thief.http("/readyz")[1] and "forbidden" in thief.http("/readyz")[1],
               "the refusal in /readyz")
    assert "code=forbidden" in thief.log_text()
    assert sum_metric(pipe.bridges[0].metrics(), "till_bridge_sessions_forbidden_total") >= 1
    assert 'edge="store-1" name="thief"' in pipe.bridges[0].log_text()
    # the store itself sells on, and nothing of the thief's is counted
    assert sender(pipe, keys, "store-1").ask([order(1)])["ok"]
    start_aggregator(pipe, keys)
    pipe.edges.pop("thief")
    try:
        pipe.wait_settled()
        assert [(row["edge"], row["order_count"]) for row in pipe.client.rows("scan", view="stores")] == [("store-1", 1)]
        assert sum_metric(thief.metrics(), "till_edge_spool_events") == 5, "what is refused stays on its disk"
    finally:
        thief.kill()


def test_a_removed_key_is_refused_at_once_and_an_added_one_works_without_a_restart(pipeline, keys):
    pipe = start_chain(pipeline, keys)
    start_aggregator(pipe, keys)
    edge, bridge = pipe.edges["store-1"], pipe.bridges[0]
    seller = sender(pipe, keys, "store-1")
    assert seller.ask([order(1)])["ok"]
    pipe.wait_settled()
    analyst = ask_as(pipe, keys, "analyst")
    assert analyst.ask("scan", view="products")["ok"]

    # the session of an edge ends, though its connection lives
    keys.remove("bridge", "store-1")
    wait_until(lambda: not in_session(edge), "the end of the session")
    assert seller.ask([order(2)])["ok"], "the edge keeps what it can not bring away"
    wait_until(lambda: "does not let our key in" in edge.http("/readyz")[1], "what /readyz says of the key")
    keys.authorize("bridge", "store-1")
    bridge.signal(signal.SIGHUP)
    pipe.wait_settled()
    assert analyst.ask("get", view="products", key=["tea", "EUR"])["rows"][0]["order_count"] == 2

    # producers: refused on the connection they have, then at the handshake; served again when the key is back
    keys.remove("store-1", "till-store-1")
    reply = wait_until(lambda: (lambda answer: not answer["ok"] and answer)(seller.ask([order(3)], {"producer": "t", "n": 3})),
                       "the producer's refusal")
    assert reply["error"]["code"] == "forbidden" and reply["accepted"] == 0, reply
    newcomer = sender(pipe, keys, "store-1")
    newcomer.send([order(4)])
    assert hears_nothing(newcomer.socket)
    newcomer.close()  # libzmq does not try again by itself after such a refusal
    keys.authorize("store-1", "till-store-1")
    edge.signal(signal.SIGHUP)
    wait_until(lambda: sum_metric(edge.metrics(), "till_keys_authorized") == 1, "the key's return")
    assert sender(pipe, keys, "store-1").ask([order(4)])["ok"]

    # rights that shrink count for the next question
    keys.authorize("aggregator", "analyst", "views = users")
    wait_until(lambda: not analyst.ask("scan", view="products")["ok"], "the analyst's new rights")
    assert analyst.ask("scan", view="products")["error"]["code"] == "forbidden"
    assert analyst.ask("scan", view="users")["ok"]
    # a file with a mistake leaves in force what it said before
    keys.authorize("aggregator", "analyst", "veiws = *")
    wait_until(lambda: sum_metric(pipe.aggregator.metrics(), "till_key_files_bad") == 1, "the bad file's alarm")
    assert analyst.ask("scan", view="users")["ok"] and not analyst.ask("scan", view="products")["ok"]
    assert "veiws: unknown right" in pipe.aggregator.log_text()
    keys.remove("aggregator", "analyst")
    wait_until(lambda: analyst.ask("scan", view="users").get("error", {}).get("code") == "forbidden", "the analyst's end")


def test_another_servers_key_is_said_and_not_waited_for(pipeline, keys):
    pipe = start_chain(pipeline, keys)
    start_aggregator(pipe, keys)
    keys.make("impostor")
    endpoint = pipe.aggregator.ready["listen"][0]
    done = till("query", endpoint, '{"query":"status"}', "--timeout", "60s", *keys.flags("boss", "impostor"))
    assert done.returncode == 1 and "no handshake: it has another key" in done.stderr, done.stderr
    done = till("query", endpoint, '{"query":"status"}', "--timeout", "60s", *keys.flags("till-store-1", "aggregator"))
    assert done.returncode == 1 and "does not let our key in" in done.stderr, done.stderr
    done = till("query", endpoint, '{"query":"status"}', "--timeout", "60s")
    assert done.returncode == 1 and "only one of us uses keys" in done.stderr, done.stderr
    done = till("query", endpoint, '{"query":"status"}', "--key", keys.secret("boss"))
    assert done.returncode == 2 and "--server-key" in done.stderr, done.stderr
    csv = pipe.folder / "one.csv"
    csv.write_text("order_id,product_id,unit_price\nc1,tea,2.50\n")
    done = till("send", "--to", pipe.endpoint("store-1"), "--timeout", "5s", *keys.flags("till-store-1", "impostor"), csv)
    assert done.returncode == 3 and "no handshake" in done.stderr, done.stderr

    edge = pipe.edges["store-1"]
    edge.stop()
    edge.args = [arg.replace(str(keys.public("bridge")), str(keys.public("impostor"))) for arg in edge.args]
    edge.start()
    wait_until(lambda: "no handshake with the bridge" in edge.http("/readyz")[1], "what /readyz says")
    assert "no handshake with the bridge" in edge.log_text()


def test_plain_peers_get_nowhere_and_honest_ones_are_served(pipeline, keys):
    pipe = start_chain(pipeline, keys)
    start_aggregator(pipe, keys)
    plain = [Client(pipe.aggregator.ready["listen"][0]), Sender(pipe.endpoint("store-1")),
             Sender(pipe.bridges[0].ready["listen"][0])]
    for each in plain:
        each.socket.send_multipart([b"", b'{"query":"status"}'])
    assert sender(pipe, keys, "store-1").ask([order(1)])["ok"]
    pipe.wait_settled()
    for each in plain:
        assert hears_nothing(each.socket, 300)
        each.close()
    # while the loop that answers for keys stands, nobody gets in, not even with the right one
    aggregator = pipe.aggregator
    aggregator.signal(signal.SIGSTOP)
    late = ask_as(pipe, keys, "boss")
    late.socket.send_multipart([b"1", b"", b'{"query":"status"}'])
    nothing = hears_nothing(late.socket)
    aggregator.signal(signal.SIGCONT)
    assert nothing and late.socket.poll(60000), "and then it goes on"


CROWD = 100


def come_with_unknown_keys(pipe, keys, context):
    """A crowd at each port that asks for keys; each has a pair of its own, and knows the server's."""
    crowd = []
    for endpoint, server in ((pipe.endpoint("store-1"), "store-1"), (pipe.bridges[0].ready["listen"][0], "bridge"),
                             (pipe.aggregator.ready["listen"][0], "aggregator")):
        for _ in range(CROWD):
            public, secret = zmq.curve_keypair()
            peer = context.socket(zmq.DEALER)
            show_keys(peer, (secret.decode(), public.decode(), keys.public_text(server)))
            peer.connect(endpoint)
            peer.send_multipart([b"", b'{"query":"status"}'], zmq.DONTWAIT)
            crowd.append(peer)
    return crowd


def refused(part):
    return sum_metric(part.metrics(), "till_key_handshakes_total", result="unknown_key")


@pytest.mark.plain_only
def test_a_crowd_with_wrong_keys_is_refused_and_costs_nothing(pipeline, keys):
    pipe = start_chain(pipeline, keys)
    start_aggregator(pipe, keys)
    parts = [pipe.edges["store-1"], pipe.bridges[0], pipe.aggregator]
    seller = sender(pipe, keys, "store-1")
    assert seller.ask([order(0)])["ok"]
    pipe.wait_settled()
    before = {part: part.metric("process_open_fds") for part in parts}
    for number in (1, 2):
        context = zmq.Context()
        context.linger = 0
        crowd = come_with_unknown_keys(pipe, keys, context)
        for part in parts:
            wait_until(lambda part=part, least=number * CROWD: refused(part) >= least, f"{part.name} to refuse them all")
        assert seller.ask([order(number)])["ok"] and sender(pipe, keys, "store-1").ask([order(10 + number)])["ok"]
        assert pipe.client.ask("views")["ok"]
        for peer in crowd:
            peer.close()
        context.term()
        for part in parts:
            wait_until(lambda part=part: part.metric("process_open_fds") <= before[part] + 10, f"descriptors of {part.name}")
    pipe.wait_settled()
    assert pipe.client.rows("get", view="stores", key=["store-1", "EUR"])[0]["order_count"] == 5
    for part in parts:
        assert part.metric("process_resident_memory_bytes") < 200 * 2**20


def test_what_a_key_may_ask(pipeline, keys):
    pipe = start_chain(pipeline, keys, ("store-1", "store-2"))
    keys.make("manager", "--stores", "store-1")
    keys.make("janitor", "--send")
    keys.directory("aggregator", "manager", "janitor")
    start_aggregator(pipe, keys)
    for store in ("store-1", "store-2"):
        assert sender(pipe, keys, store).ask([order(n) for n in range(3)])["ok"]
    pipe.wait_settled()

    def code(answer):
        return answer["error"]["code"] if not answer["ok"] else "ok"
    analyst, manager, janitor = (ask_as(pipe, keys, name) for name in ("analyst", "manager", "janitor"))
    assert code(analyst.ask("scan", view="products")) == "ok"
    for query in ({"query": "scan", "view": "users"}, {"query": "top", "view": "no_such", "by": "n"}, {"query": "edges"},
                  {"query": "ledger"}):
        assert code(analyst.ask(**query)) == "forbidden", query
    assert [view["name"] for view in analyst.ask("views")["views"]] == ["products"]

    rows = manager.rows("scan", view="stores")
    assert [row["edge"] for row in rows] == ["store-1"]
    assert [row["edge"] for row in manager.rows("top", view="stores", by="order_count")] == ["store-1"]
    assert manager.rows("get", view="stores", key=["store-1"])[0]["order_count"] == 3
    assert code(manager.ask("get", view="stores", key=["store-2"])) == "forbidden"
    assert code(manager.ask("scan", view="products")) == "forbidden"
    assert {row["edge"] for row in manager.ask("edges")["edges"]} == {"store-1"}
    assert {row["edge"] for row in manager.ask("ledger")["ledger"]} == {"store-1"}
    assert {row["edge"] for row in pipe.client.ask("edges")["edges"]} == {"store-1", "store-2"}

    for query in ({"query": "status"}, {"query": "views"}, {"query": "scan", "view": "products"}):
        assert code(janitor.ask(**query)) == "forbidden", query
    assert sum_metric(pipe.aggregator.metrics(), "till_key_forbidden_total", socket="queries") == 9


def test_push_takes_only_from_keys_that_may_send(pipeline, keys):
    import zmq
    from harness import CONTEXT, show_keys
    pipe = start_chain(pipeline, keys)
    keys.make("looker", "--views", "*")
    keys.directory("store-1", "looker")
    edge = pipe.edges["store-1"]
    edge.stop()
    port = free_port()
    edge.args += ["-o", f"edge.listen_push=tcp://127.0.0.1:{port}"]
    edge.start()
    sockets = []
    for name in ("looker", "till-store-1"):
        socket = CONTEXT.socket(zmq.PUSH)
        socket.setsockopt(zmq.LINGER, 0)
        show_keys(socket, keys.pair(name, "store-1"))
        socket.connect(f"tcp://127.0.0.1:{port}")
        sockets.append(socket)
        socket.send_json([order(1)])
    wait_until(lambda: sum_metric(edge.metrics(), "till_edge_received_by_push_total") == 2, "both frames")
    values = edge.metrics()
    assert sum_metric(values, "till_edge_source_events_total", source="push", outcome="accepted") == 1
    assert sum_metric(values, "till_edge_source_events_total", source="push", outcome="refused") == 1
    assert sum_metric(values, "till_key_forbidden_total", socket="push") == 1
    looker = sender(pipe, keys, "store-1", "looker")
    assert looker.ask([order(2)])["error"]["code"] == "forbidden"
    for socket in sockets:
        socket.close()


def view(number):
    return {"kind": "view", "page": f"/{number}"}


def test_a_key_sends_as_its_producers_and_of_its_kinds(pipeline, keys):
    """At the ROUTER, where it hears so, and at the PULL, where it is counted; by the rights of now."""
    import zmq
    from harness import CONTEXT, show_keys
    pipe = start_chain(pipeline, keys)
    keys.make("till-7", "--send", "--producers", "till-7, till-8", "--kinds", "order")
    keys.directory("store-1", "till-7")
    edge = pipe.edges["store-1"]
    edge.stop()
    port = free_port()
    edge.args += ["-o", f"edge.listen_push=tcp://127.0.0.1:{port}"]
    edge.start()
    till_7, another = sender(pipe, keys, "store-1", "till-7"), sender(pipe, keys, "store-1")

    def said(events, header=None):
        reply = till_7.ask(events, header)
        if reply["ok"]:
            return "ok"
        assert reply["error"]["code"] == "forbidden" and reply["accepted"] == 0 and "retry_after_ms" not in reply["error"]
        return reply["error"]["message"]
    assert said([order(1)], {"producer": "till-7", "n": 1}) == "ok"
    assert 'may not send as producer "till-9"' in said([order(2)], {"producer": "till-9", "n": 1})
    assert "number the frame" in said([order(2)])
    assert "may not send events of kind view" in said([order(2), view(2)], {"producer": "till-8", "n": 1})
    # whom it would have spoken for can go on with the number
    reply = another.ask([order(3)], {"producer": "till-9", "n": 1})
    assert reply["ok"] and not reply["repeated"], reply
    # what it was refused it may send when the right is there
    keys.authorize("store-1", "till-7", "send = yes\nproducers = till-8")
    wait_until(lambda: said([view(2)], {"producer": "till-8", "n": 1}) == "ok", "the right to views")
    assert 'may not send as producer "till-7"' in said([order(4)], {"producer": "till-7", "n": 2})

    push = CONTEXT.socket(zmq.PUSH)
    push.setsockopt(zmq.LINGER, 0)
    show_keys(push, keys.pair("till-7", "store-1"))
    push.connect(f"tcp://127.0.0.1:{port}")

    def outcomes():
        values = edge.metrics()
        return [sum_metric(values, "till_edge_source_events_total", source="push", outcome=outcome)
                for outcome in ("accepted", "invalid", "refused", "repeated")]
    before = sum_metric(edge.metrics(), "till_key_forbidden_total", socket="push")
    for header, body in (('{"producer":"till-8","n":2}', '[{"order_id":"p1","product_id":"tea","unit_price":"1.00"}]'),
                         ('{"producer":"till-9","n":2}', '[{"order_id":"p2","product_id":"tea","unit_price":"1.00"}]'),
                         ('{"producer":"till-7","n":3}', "[{")):
        push.send_multipart([header.encode(), body.encode()])
    wait_until(lambda: sum(outcomes()) == 3, "three frames")
    assert outcomes() == [1, 0, 2, 0]
    values = edge.metrics()
    assert before == 0 and sum_metric(values, "till_key_forbidden_total", socket="push") == 2
    assert sum_metric(values, "till_key_forbidden_total", socket="producers") >= 4
    received = sum_metric(values, "till_edge_events_received_total")
    refused = sum_metric(values, "till_edge_events_refused_total", code="forbidden")
    assert received == refused + sum_metric(values, "till_edge_events_accepted_total") and refused >= 7
    assert "wish=producers" in edge.log_text() and "wish=kinds" in edge.log_text()
    push.close()


def test_a_key_with_producers_uses_up_no_event_id_of_another(pipeline, keys):
    """It knows the ids of the sales to come, at the ROUTER and at the PULL; a restart of the edge changes nothing."""
    import zmq
    from harness import CONTEXT, show_keys
    pipe = start_chain(pipeline, keys)
    for name in ("till-7", "till-8"):
        keys.make(name, "--send", "--producers", name)
        keys.directory("store-1", name)
    edge = pipe.edges["store-1"]
    edge.stop()
    port = free_port()
    edge.args += ["-o", f"edge.listen_push=tcp://127.0.0.1:{port}"]
    edge.start()

    def ids(*numbers):
        return [order(number, event_id=f"sale-{number}") for number in numbers]
    assert sender(pipe, keys, "store-1", "till-7").ask(ids(1, 2, 3), {"producer": "till-7", "n": 1})["ok"]
    push = CONTEXT.socket(zmq.PUSH)
    push.setsockopt(zmq.LINGER, 0)
    show_keys(push, keys.pair("till-7", "store-1"))
    push.connect(f"tcp://127.0.0.1:{port}")
    push.send_multipart([b'{"producer":"till-7","n":2}', json.dumps(ids(4)).encode()])
    wait_until(lambda: sum_metric(edge.metrics(), "till_edge_events_accepted_total") == 4, "what was pushed")
    push.close()
    edge.kill()
    edge.start()
    honest = sender(pipe, keys, "store-1", "till-8").ask(ids(1, 2, 4), {"producer": "till-8", "n": 1})
    assert honest["ok"] and honest["accepted"] == 3, honest
    trusted = sender(pipe, keys, "store-1").ask(ids(3, 4))
    assert trusted["ok"] and trusted["accepted"] == 2, trusted
    again = sender(pipe, keys, "store-1", "till-8").ask(ids(1, 2), {"producer": "till-8", "n": 2})
    assert again["ok"] and again["repeated_events"] == 2, again


def test_keygen_writes_no_right_that_is_none(tmp_path):
    def said(*flags):
        done = till("keygen", "till-7", "--dir", tmp_path, *flags)
        assert done.returncode == 2 and not list(tmp_path.iterdir()), done.stderr
        return done.stderr
    assert "give it too" in said("--kinds", "order")
    assert "give it too" in said("--producers", "till-7")
    assert '"orders" is none of order, cart, view' in said("--send", "--kinds", "order, orders")


def refused_at_start(name, *settings):
    """The last line of what a program says when its configuration is refused."""
    args = [arg for setting in settings for arg in ("-o", setting)]
    done = subprocess.run([program(name), *args], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, (done.returncode, done.stderr)
    return done.stderr


def test_files_that_give_too_much_away_are_refused_at_start(tmp_path, keys):
    keys.make("bridge")
    keys.make("store-1", "--edges", "store-1")
    directory = keys.directory("bridge", "store-1")
    settings = ["bridge.brokers=127.0.0.1:1", f"bridge.listen=tcp://127.0.0.1:{free_port()}", "http.listen=",
                f"security.key_file={keys.secret('bridge')}", f"security.authorized={directory}"]
    secret = keys.secret_text("bridge")

    def said(*more):
        text = refused_at_start("till-bridge", *settings, *more)
        assert secret not in text
        return text
    keys.secret("bridge").chmod(0o644)
    assert "is open to others: chmod 600" in said()
    keys.secret("bridge").chmod(0o600)
    keys.folder.chmod(0o777)
    assert "others may replace files in it" in said()
    keys.folder.chmod(0o755)
    directory.chmod(0o775)
    assert "others may write it: chmod go-w" in said()
    directory.chmod(0o755)
    (directory / "store-1.pub").chmod(0o666)
    assert "others may write it: chmod go-w" in said()
    (directory / "store-1.pub").chmod(0o644)
    (directory / "bad.pub").write_text("[key]\npublic = none\n")
    assert "bad.pub:2: [key] public: is no public key" in said()
    (directory / "bad.pub").unlink()
    keys.secret("bridge").write_text(f"[key]\nsecret {secret}\n")
    assert "is not a secret key as" in said()
    assert "[security] key_file is missing" in said("security.key_file=")
    assert "key_file alone lets nobody in" in said("security.authorized=")
    # without keys other machines are not listened to, nor spoken to
    assert "asks for no keys" in refused_at_start("till-bridge", "bridge.brokers=127.0.0.1:1", "bridge.listen=tcp://0.0.0.0:7171")
    assert "asks for no keys" in refused_at_start("till-edge", "edge.id=a", f"edge.data={tmp_path}", "edge.bridges=tcp://10.0.0.1:7171")
    edge = [f"edge.id=a", f"edge.data={tmp_path}", "edge.bridges=tcp://10.0.0.1:7171,tcp://10.0.0.2:7171",
            f"security.key_file={keys.secret('store-1')}"]
    pub = keys.public("store-1")
    assert "3 files for 2 bridges" in refused_at_start("till-edge", *edge, f"security.bridge_keys={pub},{pub},{pub}")
    done = subprocess.run([program("till-edge"), *[arg for each in [*edge, f"security.bridge_keys={pub},{pub}"]
                                                   for arg in ("-o", each)], "--check"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_keygen_takes_nobodys_key_away(tmp_path, keys):
    keys.make("store-1", "--edges", "store-1", "--send")
    before = keys.secret("store-1").read_text()
    assert oct(keys.secret("store-1").stat().st_mode & 0o777) == "0o600"
    done = till("keygen", "store-1", "--dir", keys.folder)
    assert done.returncode == 1 and "is there already" in done.stderr, done.stderr
    assert keys.secret("store-1").read_text() == before
    for path in (keys.secret("store-1"), keys.public("store-1")):
        done = till("keygen", "--public", path)
        assert done.stdout == keys.public_text("store-1") + "\n", done.stderr
    for name in ("../x", "a/b", "", ".x", "-x", "x" * 64):
        assert till("keygen", "--dir", tmp_path, "--", name).returncode == 2
    done = till("keygen", "x", "--dir", tmp_path, "--edges", "*, a")
    assert done.returncode == 2 and "it stands alone" in done.stderr, done.stderr
    assert not list(tmp_path.glob("x.*"))


def block_of(path, heading, language):
    """The first block of that language under the heading."""
    text = path.read_text()
    return re.search(rf"^```{language}\n(.*?)^```", text[text.index(heading):], re.M | re.S)[1]


def test_the_manuals_five_lines_bring_a_store_in(pipeline, tmp_path):
    """Each machine is a folder; scp copies between them."""
    machines = {name: tmp_path / name for name in ("central", "store")}
    for folder in machines.values():
        (folder / "etc" / "till").mkdir(parents=True)
    (machines["central"] / "etc" / "till" / "authorized").mkdir(mode=0o755)
    for line in block_of(ROOT / "docs" / "OPERATIONS.md", "### Keys\n", "sh").splitlines():
        where, command = line.split("$ ", 1)
        command = re.sub(r"(?:(\w+):)?(/etc/till\S*)", lambda at: f"{machines[at[1] or where]}{at[2]}", command)
        command = command.replace("scp ", "cp ").replace("till keygen", f"{program('till')} keygen")
        subprocess.run(command, shell=True, check=True, cwd=tmp_path, capture_output=True)
    at_center, at_store = (machines[name] / "etc" / "till" for name in ("central", "store"))
    pipe = pipeline(edges=(), options={
        "till-bridge": [f"security.key_file={at_center}/bridge.key", f"security.authorized={at_center}/authorized"]})
    conf = (at_store / "edge.conf").read_text()
    conf = re.sub(r"= /etc/till", f"= {at_store}", conf)
    (at_store / "edge.conf").write_text(conf)
    pipe.options["till-edge"] = [f"security.{line.replace(' = ', '=')}" for line in conf.splitlines() if " = " in line]
    edge = pipe.start_edge("store-17")
    wait_until(lambda: in_session(edge), "a session")
    assert Sender(pipe.endpoint("store-17")).ask([order(1)])["ok"], "on its own machine a till needs no key"
    pipe.wait_drained()


def test_the_manuals_example_in_python_is_answered(pipeline, keys):
    pipe = start_chain(pipeline, keys)
    start_aggregator(pipe, keys)
    script = pipe.folder / "example.py"
    script.write_text(block_of(ROOT / "proto" / "PROTOCOL.md", "## 10. Keys\n", "python"))
    done = subprocess.run([sys.executable, script, pipe.aggregator.ready["listen"][0], keys.secret("boss"),
                           keys.public("aggregator")], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "True\n", done.stderr
