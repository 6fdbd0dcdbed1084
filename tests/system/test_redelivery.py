"""Dead letters that an administrator has the aggregator send again: into a real edge, through a bridge and Kafka, counted once."""
import contextlib
import json
import subprocess

import pytest
import zmq
from harness import CONTEXT, DEADLINE, Sender, free_port, program, sum_metric, till
from keys import Keys

SALE = {"order_id": "4711", "product_id": "tea", "quantity": 2, "unit_price": "2.50", "currency": "GBP"}
WRONG = [{**SALE, "unit_price": "2,50"}, {**SALE, "order_id": "4712", "unit_price": "2,60"}, {"product_id": "tea", "unit_price": "1"}]
RIGHT = {"unit_price": "2.50"}


@pytest.fixture
def shop(pipeline, tmp_path):
    """shop(port of replay_to, options …): an edge with three letters, and an aggregator that may send them again. Without a port: to the edge."""

    def make(port=None, edge=(), aggregator=(), keys=None):
        pipe = pipeline(edges=("berlin",), options={"till-edge": edge})
        to = f"tcp://127.0.0.1:{port}" if port else pipe.endpoint("berlin")
        pipe.start_aggregator("-o", f"aggregator.replay_to={to}", "-o", f"audit.file={tmp_path / 'audit'}",
                              *[arg for option in aggregator for arg in ("-o", option)])
        with contextlib.closing(Sender(pipe.endpoint("berlin"), keys=keys)) as sender:
            assert sender.ask(WRONG)["invalid"] == 3
        pipe.wait_settled()
        pipe.letters = sorted((letter["offset"], letter["place"]) for letter in pipe.client.ask("letters")["letters"])
        pipe.letters = [place for _, place in pipe.letters]
        return pipe

    return make


def results(answer):
    assert answer["ok"], answer
    return [each["result"] for each in answer["replayed"]]


def tea(pipe):
    pipe.wait_settled()
    rows = pipe.client.rows("get", view="products", key=["tea"])
    return [(row["order_count"], row["total_revenue"]) for row in rows]


def audited(tmp_path):
    lines = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    return [(each["who"], each["arguments"], each["result"]) for each in lines if each["action"] == "dlq-replay"]


def resent(pipe):
    name = "till_aggregator_letters_resent_total"
    return {key.partition('"')[2].partition('"')[0]: value for key, value in pipe.aggregator.metrics().items() if key.startswith(name) and value}


def test_a_letter_sent_again_counts_once_however_often(shop, tmp_path):
    pipe = shop()
    first, second, hopeless = pipe.letters
    gone = [first.rpartition("/")[0] + "/99", f"{pipe.prefix}cart_events.dlq/0/0"]
    assert pipe.client.ask("letters")["replay_to"] == pipe.endpoint("berlin")
    answer = pipe.client.ask("replay", places=[hopeless, first, *gone], set=RIGHT)
    assert results(answer) == ["refused", "accepted", "gone", "gone"] and answer["to"] == pipe.endpoint("berlin")
    assert [each["place"] for each in answer["replayed"]] == [hopeless, first, *gone]
    refused = answer["replayed"][0]
    assert refused["code"] == "missing_field" and "order_id" in refused["message"]
    assert tea(pipe) == [(1, "5.00")]
    assert results(pipe.client.ask("replay", places=[first], set=RIGHT)) == ["repeated"]
    # the command line's is the same deed
    assert results(pipe.client.ask("replay", places=[first, second], set=RIGHT)) == ["repeated", "accepted"]
    done = till("dlq", "replay", second, "--brokers", pipe.bootstrap, "--to", pipe.endpoint("berlin"), "--set", "unit_price=2.50")
    assert done.returncode == 0 and "replayed before" in done.stdout, done
    assert tea(pipe) == [(2, "10.00")]
    assert resent(pipe) == {"accepted": 2, "repeated": 2, "refused": 1, "gone": 2}
    said = audited(tmp_path)
    assert [result for _, _, result in said] == [
        "begun", "done: 4 letters, 2 gone, 1 accepted, 1 refused", "begun", "done: 1 letters, 1 repeated",
        "begun", "done: 2 letters, 1 accepted, 1 repeated"]
    assert {who for who, _, _ in said} == {"anybody"}
    assert said[-1][1] == f"{first}, {second} to {pipe.endpoint('berlin')} set unit_price", "never a value"


def test_what_can_not_be_sent_again_is_refused_and_nothing_is_sent(shop, tmp_path):
    pipe = shop()
    before = sum_metric(pipe.edges["berlin"].metrics(), "till_edge_frames_total")
    for places, code in [([f"{pipe.prefix}orders/0/0"], "forbidden"), (["__consumer_offsets/0/0", pipe.letters[0]], "forbidden"), (["nowhere"], "bad_request"),
                         ([], "bad_request"), (pipe.letters[:1] * 2, "bad_request")]:
        answer = pipe.client.ask("replay", places=places)
        assert answer["error"]["code"] == code, (places, answer)
    (tmp_path / "audit").unlink()
    (tmp_path / "audit").mkdir()  # it can't be written: not done
    answer = pipe.client.ask("replay", places=pipe.letters[:1], set=RIGHT)
    assert answer["error"]["code"] == "internal" and "audit log" in answer["error"]["message"]
    assert sum_metric(pipe.edges["berlin"].metrics(), "till_edge_frames_total") == before
    assert resent(pipe) == {}


def test_an_edge_that_is_dead_has_surely_not_taken_it(shop, tmp_path):
    pipe = shop()
    pipe.edges["berlin"].kill()
    pipe.client.socket.send_multipart([b"again", b"", json.dumps({"query": "replay", "places": pipe.letters[:2], "set": RIGHT}).encode()])
    assert pipe.client.ask("status")["ok"], "the loop answers all the while"
    answer = json.loads(pipe.client.socket.recv_multipart()[-1])
    assert results(answer) == ["unsent", "unsent"] and "no edge answers" in answer["replayed"][0]["message"]
    assert audited(tmp_path)[-1][2] == "done: 2 letters, 2 unsent"


def test_after_a_lost_answer_it_is_unknown_and_sent_again_it_counts_once(shop, tmp_path):
    """The edge took it, and nobody heard: played by a socket between, which keeps the edge's reply to itself."""
    port = free_port()
    pipe = shop(port)
    between = CONTEXT.socket(zmq.ROUTER)
    between.bind(f"tcp://127.0.0.1:{port}")
    request = {"query": "replay", "places": pipe.letters[:2], "set": RIGHT}
    with contextlib.closing(Sender(pipe.endpoint("berlin"))) as sender:

        def ask():
            pipe.client.socket.send_multipart([b"again", b"", json.dumps(request).encode()])

        def carry():
            assert between.poll(int(DEADLINE * 1000))
            frames = between.recv_multipart()
            sender.send_raw(*frames[1:])
            assert sender.socket.poll(int(DEADLINE * 1000))
            return frames[0], sender.socket.recv_multipart()[-1]

        ask()
        carry()
        answer = json.loads(pipe.client.socket.recv_multipart()[-1])
        assert results(answer) == ["unknown", "unsent"] and "nobody knows" in answer["replayed"][0]["message"]
        assert tea(pipe) == [(1, "5.00")]
        ask()
        for _ in request["places"]:
            to, reply = carry()
            between.send_multipart([to, reply])
        assert results(json.loads(pipe.client.socket.recv_multipart()[-1])) == ["repeated", "accepted"]
    assert tea(pipe) == [(2, "10.00")]
    assert [result for _, _, result in audited(tmp_path)][1::2] == ["done: 2 letters, 1 unsent, 1 unknown", "done: 2 letters, 1 accepted, 1 repeated"]
    between.close(0)


def test_an_edge_with_keys_wants_the_aggregator_s(shop, tmp_path):
    keys = Keys(tmp_path)
    for name, rights in (("edge", ()), ("aggregator", ("--send",)), ("till", ("--send",))):
        keys.make(name, *rights)
    secured = (f"security.key_file={keys.secret('edge')}", f"security.authorized={keys.directory('edge', 'till')}")
    pipe = shop(edge=secured, aggregator=(f"security.key_file={keys.secret('aggregator')}", f"security.edge_key={keys.public('edge')}"), keys=keys.pair("till", "edge"))
    answer = pipe.client.ask("replay", places=pipe.letters[:1], set=RIGHT)
    assert results(answer) == ["unsent"] and "does not let our key in" in answer["replayed"][0]["message"]
    keys.authorize("edge", "aggregator")

    def is_taken():
        found = results(pipe.client.ask("replay", places=pipe.letters[:1], set=RIGHT))
        return found in (["accepted"], ["repeated"])

    assert any(is_taken() for _ in range(20)), "the edge looks at its directory every second"
    assert tea(pipe) == [(1, "5.00")]


@pytest.mark.parametrize(("settings", "words"), [
    (["aggregator.replay_to=7170"], "replay_to"), (["aggregator.replay_to=tcp://127.0.0.1"], "replay_to"), (["aggregator.replay_to=tcp://127.0.0.1:70000"], "replay_to"),
    (["aggregator.replay_to=tcp://127.0.0.1:1,tcp://127.0.0.1:2"], "replay_to"), (["aggregator.replay_to=tcp://192.0.2.1:7170"], "keys"),
    (["security.edge_key=edge.pub"], "replay_to"), (["aggregator.replay_to=tcp://127.0.0.1:7170", "security.edge_key=edge.pub"], "key_file")])
def test_where_letters_go_is_checked_before_the_start(settings, words):
    done = subprocess.run([program("till-aggregator"), "--check", "-o", "aggregator.data=.", "-o", "aggregator.brokers=127.0.0.1:1",
                           *[arg for setting in settings for arg in ("-o", setting)]], capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 2 and words in done.stderr, done
