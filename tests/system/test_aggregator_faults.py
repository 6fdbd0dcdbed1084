"""The store: killed, corrupt, foreign, behind a log that changed. It answers right, or says what is missing; never a guess."""
import contextlib
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import BUILD, DEADLINE, Broker, Client, Sender, program, wait_until
from process import start_work
from test_kill import assert_books_add_up
from test_spine import order


@pytest.fixture
def own_broker(tmp_path):
    kafka = Broker(tmp_path / "kafka")
    yield kafka
    kafka.down()


def send(pipe, first, count, **more):
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask([order(number, **more) for number in range(first, first + count)])["ok"]
    sender.close()


def caught_up(pipe):
    wait_until(lambda: pipe.client.ask("status").get("as_of", {}).get("lag") == 0, "caught up")


def dump(pipe):
    done = subprocess.run([program("till-aggregator"), *pipe.aggregator.args, "--dump"], capture_output=True, text=True,
                          timeout=DEADLINE, check=True)
    return done.stdout


def test_a_rebuild_gives_the_same_bytes(pipeline):
    pipe = pipeline(edges=("store-1", "store-2"))
    pipe.start_aggregator()
    for number in range(0, 400, 20):
        send(pipe, number, 20, product=f"p{number % 7}", price=f"{number}.0{number % 10}")
        Sender(pipe.endpoint("store-2")).ask([order(number, quantity=-3), {"kind": "cart"}])
    pipe.wait_settled()
    pipe.aggregator.stop()
    before = dump(pipe)
    assert before.count("\n") > 15
    commit_before = pipe.aggregator.start() and Client(pipe.aggregator.ready["listen"][0]).ask("status")["as_of"]["store"]
    pipe.aggregator.stop()
    pipe.aggregator.args.append("--rebuild")
    pipe.aggregator.start()
    client = Client(pipe.aggregator.ready["listen"][0])
    wait_until(lambda: client.ask("status").get("as_of", {}).get("store", commit_before) != commit_before,
               "the rebuilt store switched in")
    pipe.aggregator.stop()
    pipe.aggregator.args.remove("--rebuild")
    assert dump(pipe) == before


def test_a_rebuild_goes_on_after_kill_and_answers_meanwhile(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    for number in range(0, 2000, 100):
        send(pipe, number, 100)
    pipe.wait_settled()
    store = pipe.client.ask("status")["as_of"]["store"]
    pipe.aggregator.stop()
    before = dump(pipe)
    pipe.aggregator.args.append("--rebuild")
    pipe.aggregator.start(wait_ready=True)
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 2000
    pipe.aggregator.kill()
    pipe.aggregator.args.remove("--rebuild")
    pipe.aggregator.start()
    wait_until(lambda: pipe.client.ask("status").get("as_of", {}).get("store", store) != store, "the rebuild's end")
    pipe.aggregator.stop()
    assert dump(pipe) == before


def test_a_changed_view_is_rebuilt_beside_the_others(pipeline, tmp_path):
    pipe = pipeline()
    pipe.start_aggregator()
    send(pipe, 0, 10, channel="web")
    pipe.wait_settled()
    pipe.aggregator.stop()
    views = tmp_path / "views.conf"
    views.write_text("[view.products]\nkind = order\ngroup_by = product_id\nmeasures = order_count = count(), "
                     "total_quantity = sum(quantity), total_revenue = sum(revenue)\n"
                     "[view.by_channel]\nkind = order\ngroup_by = channel\nmeasures = order_count = count()\n")
    pipe.aggregator.args += ["-c", str(views)]
    pipe.aggregator.start()

    def rows():
        answer = pipe.client.ask("get", view="by_channel", key=["web"])
        assert answer["ok"] or answer["error"]["code"] in ("rebuilding", "not_ready"), answer
        return answer.get("rows")
    assert wait_until(rows, "the new view")[0]["order_count"] == 10


def test_a_topic_created_anew_is_a_decision(pipeline, own_broker):
    pipe = pipeline(bootstrap=own_broker.bootstrap)
    pipe.start_aggregator()
    send(pipe, 0, 30)
    pipe.wait_settled()
    pipe.aggregator.stop()
    orders = f"{pipe.prefix}orders"

    def topic_id():
        with contextlib.suppress(AssertionError):  # there is none
            return re.search(r"TopicId: (\S+)", own_broker.topics("--describe", "--topic", orders))[1]

    before = topic_id()
    own_broker.topics("--delete", "--topic", orders)

    def recreated():  # by us or by the bridge, which makes what it misses
        with contextlib.suppress(AssertionError):
            own_broker.topics("--create", "--if-not-exists", "--topic", orders, "--partitions", "4", "--replication-factor", "1")
        return topic_id() not in (None, before)

    wait_until(recreated, "the topic, made anew", 180, every=0.3)
    pipe.aggregator.start(wait_ready=False)
    assert pipe.aggregator.wait() == 4, pipe.aggregator.log_tail()
    missing = re.search(rf"(topic:{pipe.prefix}orders re-created|{pipe.prefix}orders/\d:\d+-\d+)", pipe.aggregator.log_text())
    assert missing, pipe.aggregator.log_tail()
    pipe.aggregator.args += ["--accept-gap", "orders/0:1-2"]
    pipe.aggregator.start(wait_ready=False)
    assert pipe.aggregator.wait() == 4, "another gap than the accepted one is refused as before"
    audited = re.findall(r"action=accept-gap .*result=(.*)", pipe.aggregator.log_text())
    assert audited[0].strip('"') == "begun" and audited[1].startswith('"refused: '), audited
    pipe.aggregator.args[-1] = missing[0]
    pipe.aggregator.start()
    caught_up(pipe)
    assert missing[0] in pipe.client.ask("status")["as_of"]["gaps"]
    wait_until(lambda: re.search(r'action=accept-gap .*result="?done"?$', pipe.aggregator.log_text(), re.M), "what became of it")
    send(pipe, 30, 5)
    wait_until(lambda: pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 35, "35 orders")


def delete_records(pipe, kafka):
    """All orders that the topic holds, as retention would."""
    plan = pipe.folder / "delete.json"
    parts = ",".join(f'{{"topic":"{pipe.prefix}orders","partition":{part},"offset":-1}}' for part in range(4))
    plan.write_text(f'{{"partitions":[{parts}],"version":1}}')
    kafka.tool("org.apache.kafka.tools.DeleteRecordsCommand", "--bootstrap-server", kafka.bootstrap,
               "--offset-json-file", str(plan))


def test_records_that_retention_removed_before_they_were_read_are_a_gap(pipeline, own_broker):
    pipe = pipeline(bootstrap=own_broker.bootstrap)
    pipe.start_aggregator()
    send(pipe, 0, 10)
    pipe.wait_settled()
    pipe.aggregator.stop()
    for number in range(10, 40):
        send(pipe, number, 1)
    pipe.wait_drained()
    delete_records(pipe, own_broker)
    pipe.aggregator.start(wait_ready=False)
    assert pipe.aggregator.wait() == 4
    gap = re.search(rf"{pipe.prefix}orders/\d:10-39", pipe.aggregator.log_text())
    assert gap, pipe.aggregator.log_tail()
    pipe.aggregator.args += ["--accept-gap", gap[0]]
    pipe.aggregator.start()
    caught_up(pipe)
    assert pipe.client.ask("status")["as_of"]["gaps"] == [gap[0]]
    assert pipe.client.rows("get", view="products", key=["tea", "XXX"])[0]["order_count"] == 10


def test_records_that_are_removed_while_it_falls_behind_are_never_jumped_over(pipeline, own_broker):
    """librdkafka would move to the next record that there is, if it were allowed to."""
    pipe = pipeline(bootstrap=own_broker.bootstrap)
    pipe.start_aggregator()
    send(pipe, 0, 10)
    pipe.wait_settled()
    pipe.aggregator.signal(signal.SIGSTOP)
    for number in range(10, 40):  # each a batch of its own: the fetch that is under way takes only the first ones
        send(pipe, number, 1)
    pipe.wait_drained()
    delete_records(pipe, own_broker)
    send(pipe, 40, 5)
    pipe.wait_drained()
    pipe.aggregator.signal(signal.SIGCONT)
    assert pipe.aggregator.wait() == 4, "records are missing, and nobody has accepted that"
    assert re.search(rf"{pipe.prefix}orders/\d:\d+-39", pipe.aggregator.log_text()), pipe.aggregator.log_tail()


def test_what_was_read_before_retention_overtook_is_not_lost(pipeline, own_broker):
    """Stopped in the middle of a stream: what lies in its memory is counted and written before it asks for a decision."""
    many = 200000  # more than the one fetch that is under way may bring
    pipe = pipeline(bootstrap=own_broker.bootstrap, partitions=1)
    pipe.start_aggregator()
    send(pipe, 0, 10)
    pipe.wait_settled()
    pipe.aggregator.signal(signal.SIGSTOP)
    load = subprocess.run([BUILD / "bench/till-load", "--brokers", own_broker.bootstrap, "--topic", f"{pipe.prefix}orders",
                           "--edge", "store-2", "--count", str(many), "--partitions", "1"], check=False, timeout=DEADLINE)
    assert load.returncode == 0
    plan = pipe.folder / "delete.json"
    plan.write_text(f'{{"partitions":[{{"topic":"{pipe.prefix}orders","partition":0,"offset":{many + 5}}}],"version":1}}')
    own_broker.tool("org.apache.kafka.tools.DeleteRecordsCommand", "--bootstrap-server", own_broker.bootstrap,
                    "--offset-json-file", str(plan))
    pipe.aggregator.signal(signal.SIGCONT)
    assert pipe.aggregator.wait() == 4
    gap = re.search(rf"{pipe.prefix}orders/0:(\d+)-{many + 4}", pipe.aggregator.log_text())
    assert gap, pipe.aggregator.log_tail()
    pipe.aggregator.args += ["--accept-gap", gap[0]]
    pipe.aggregator.start()
    caught_up(pipe)
    assert pipe.client.ask("status")["as_of"]["gaps"] == [gap[0]]
    counted = sum(row["order_count"] for row in pipe.client.rows("scan", view="stores"))
    assert counted == int(gap[1]) + 5


def test_another_cluster_is_a_decision(pipeline, own_broker, broker):
    pipe = pipeline(bootstrap=own_broker.bootstrap)
    pipe.start_aggregator()
    send(pipe, 0, 5)
    pipe.wait_settled()
    pipe.aggregator.stop()
    pipe.aggregator.args = [f"aggregator.brokers={broker.bootstrap}" if arg.startswith("aggregator.brokers=") else arg
                            for arg in pipe.aggregator.args]
    pipe.aggregator.start(wait_ready=False)
    assert pipe.aggregator.wait() == 4
    assert re.search(r"cluster:\S+->\S+", pipe.aggregator.log_text()), pipe.aggregator.log_tail()


@pytest.mark.parametrize("content", [b"no store " * 2000, os.urandom(65536)], ids=["text", "noise"])
def test_a_foreign_store_file_is_refused_clearly(pipeline, content):
    pipe = pipeline()
    pipe.start_aggregator()
    pipe.aggregator.stop()
    for path in (pipe.folder / "store").rglob("data.mdb"):
        path.write_bytes(content)
    pipe.aggregator.start(wait_ready=False)
    assert pipe.aggregator.wait() == 4, pipe.aggregator.log_tail()
    assert "store" in pipe.aggregator.log_text()


def test_a_flipped_bit_in_a_row_is_never_given_as_an_answer(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    send(pipe, 0, 10, product="needle-in-the-store")
    pipe.wait_settled()
    pipe.aggregator.stop()
    flipped = 0
    for path in (pipe.folder / "store").rglob("data.mdb"):
        data = bytearray(path.read_bytes())
        at = data.find(b"needle-in-the-store")
        while at >= 0:
            data[at + 30] ^= 1  # in the row's value, behind its key
            flipped += 1
            at = data.find(b"needle-in-the-store", at + 1)
        path.write_bytes(data)
    assert flipped
    pipe.aggregator.start(wait_ready=False)
    try:
        pipe.aggregator.wait_ready()
    except AssertionError:
        assert pipe.aggregator.wait() == 4 and "corrupt" in pipe.aggregator.log_text(), pipe.aggregator.log_tail()
        return
    caught_up(pipe)
    answer = pipe.client.ask("get", view="products", key=["needle-in-the-store", "XXX"])
    if answer["ok"]:
        assert answer["rows"] == [] or answer["rows"][0]["order_count"] == 10, answer
    else:
        assert answer["error"]["code"] == "internal", answer
        status, text = pipe.aggregator.http("/readyz")
        assert status == 503 and re.search("corrupt: view (products|cart_to_order): ", text), text


def test_two_shards_answer_as_one(pipeline):
    stores = ["store-1", "store-2", "store-3", "store-4", "store-5"]
    pipe = pipeline(edges=stores, options={"till-aggregator": ["aggregator.shards=2"]})
    pipe.start_aggregator()
    for store in stores:
        assert Sender(pipe.endpoint(store)).ask([order(number, product=f"p{number % 5}") for number in range(100)])["ok"]
    pipe.wait_settled()
    assert {row["product_id"]: row["order_count"] for row in pipe.client.scan("products")} == {
        f"p{number}": 100 for number in range(5)}
    assert len(pipe.client.rows("top", view="products", by="total_revenue", limit=3)) == 3
    pipe.aggregator.restart()
    caught_up(pipe)
    assert sum(row["order_count"] for row in pipe.client.scan("stores")) == 500
    pipe.aggregator.stop()
    pipe.aggregator.args = ["aggregator.shards=3" if arg == "aggregator.shards=2" else arg for arg in pipe.aggregator.args]
    pipe.aggregator.start(wait_ready=False)
    assert pipe.aggregator.wait() == 4, "the number of shards is fixed at creation"


def test_a_question_can_wait_for_its_own_event(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    reply = Sender(pipe.endpoint("store-1")).ask([order(1)])
    after = [{"edge": "store-1", "run": reply["run"], "kind": "order", "seq": reply["seq"]["order"][1]}]
    answer = pipe.client.ask("get", view="products", key=["tea", "XXX"], after=after, timeout_ms=20000)
    assert answer["ok"] and answer["rows"][0]["order_count"] == 1, answer
    after[0]["seq"] += 1000
    answer = pipe.client.ask("get", view="products", key=["tea", "XXX"], after=after, timeout_ms=200)
    assert not answer["ok"] and answer["error"]["code"] == "timeout", answer
    assert_books_add_up(pipe)


def counted(pipe):
    return sum(row["order_count"] for row in pipe.client.ask("scan", view="stores").get("rows", ()))


def load_users(pipe, users):
    """So many orders, of a user each, counted and on disk."""
    before = counted(pipe)
    subprocess.run([BUILD / "bench" / "till-load", "--brokers", pipe.bootstrap, "--topic", f"{pipe.prefix}orders",
                    "--count", str(users), "--users", str(users), "--lines", "1", "--partitions", "4"], check=True)
    wait_until(lambda: counted(pipe) == before + users, f"{users} orders counted", 400)
    wait_until(lambda: pipe.aggregator.metrics().get("till_aggregator_uncommitted_events") == 0, "all committed")


def start_after_kill(pipe):
    """Pages that it met until it was ready."""
    pipe.aggregator.kill()
    pipe.aggregator.start(wait_ready=False, is_held=True)
    wait_until(pipe.aggregator.is_held, "all that is done before it is ready")
    pages = start_work(pipe.aggregator.pid)["pages"]
    pipe.aggregator.wait_ready()
    pipe.client.connect()
    return pages


@pytest.mark.plain_only
def test_a_start_after_a_kill_does_no_more_for_many_users_than_for_few(pipeline):
    """How long it takes: bench/run restart."""
    pipe = pipeline(edges=())
    pipe.start_aggregator()
    caught_up(pipe)
    load_users(pipe, 1000)
    few = start_after_kill(pipe)
    load_users(pipe, 300_000)
    many = start_after_kill(pipe)
    assert pipe.client.ask("get", view="users", key=["u299999", "XXX"])["rows"][0]["order_count"] == 1
    assert many < few + 1000, f"{many} pages instead of {few}: it read or kept something of each user"


def test_who_waits_is_told_when_the_aggregator_stops(pipeline):
    pipe = pipeline(edges=())
    pipe.start_aggregator()
    caught_up(pipe)
    never = [{"edge": "store-1", "run": 1, "kind": "order", "seq": 1}]
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(Client(pipe.aggregator.ready["listen"][0]).ask, "get", view="products", key=["tea"],
                              after=never, timeout_ms=60000)
        wait_until(lambda: pipe.aggregator.metric("till_aggregator_queries_waiting") == 1, "the query to wait")
        assert pipe.aggregator.stop() == 0
        assert waiting.result()["error"]["code"] == "not_ready"
