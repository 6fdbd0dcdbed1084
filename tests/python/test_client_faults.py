"""The client among failures: it always ends, says what is wrong, and is as good as new when the aggregator is."""
import signal
import threading
import time

import msgpack
import pytest
import till
import zmq
from harness import DEADLINE, Sender, wait_until
from keys import Keys
from till import line

LINES = [{"order_id": "o1", "product_id": "tea", "unit_price": "1.05", "currency": "EUR", "ts": 1_291_193_160_000}]
GOOD = {"ok": True, "as_of": {"store": "s", "commit": 1, "event_ts": None, "lag": 0, "gaps": []}}


class Scripted(threading.Thread):
    """A peer that answers each question with what a function makes of it: a list of (after seconds, answer)."""

    def __init__(self, answers):
        super().__init__(daemon=True)
        self.socket = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.set(zmq.LINGER, 0)
        self.endpoint = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"
        self.answers, self.asked, self.is_ended = answers, [], False
        self.start()

    def run(self):
        waiting = []
        while not self.is_ended:
            now = time.monotonic()
            for each in [each for each in waiting if each[0] <= now]:
                waiting.remove(each)
                self.socket.send_multipart(each[1])
            if self.socket.poll(5):
                *envelope, request = self.socket.recv_multipart()
                self.asked.append(msgpack.unpackb(request))
                waiting += [(time.monotonic() + after, [*envelope, answer if isinstance(answer, bytes) else msgpack.packb(answer)])
                            for after, answer in self.answers(self.asked)]
        self.socket.close(0)


@pytest.fixture
def scripted():
    made = []

    def make(answers):
        made.append(Scripted(answers))
        return made[-1]
    yield make
    for each in made:
        each.is_ended = True
        each.join(DEADLINE)


@pytest.fixture
def pipe(pipeline):
    made = pipeline()
    made.start_aggregator()
    sender = Sender(made.endpoint("store-1"))
    assert sender.ask(LINES)["ok"]
    sender.close()
    made.wait_settled()
    return made


def test_nobody_there_ends_in_time():
    with till.Client("tcp://127.0.0.1:9", timeout=0.2) as client, pytest.raises(till.NotReached, match=r"tcp://127\.0\.0\.1:9"):
        client.status()


def test_one_that_stands_still_and_one_that_comes_back_are_asked_by_the_same_client(pipe):
    with till.Client(pipe.aggregator.ready["listen"][0], timeout=DEADLINE) as client:
        assert client.get("products", "tea")[0]["order_count"] == 1
        pipe.aggregator.signal(signal.SIGSTOP)
        try:
            client.timeout = 0.3
            with pytest.raises(till.NotReached):
                client.get("products", "tea")
        finally:
            pipe.aggregator.signal(signal.SIGCONT)
        client.timeout = DEADLINE
        assert client.get("products", "tea")[0]["order_count"] == 1
        for _ in range(2):
            pipe.aggregator.restart()
            wait_until(lambda: client.status()["state"] == "serving", "a state of serving")
            assert client.get("products", "tea")[0]["order_count"] == 1


@pytest.mark.kill
def test_a_question_in_the_air_is_asked_again_of_the_next_process(pipe):
    with till.Client(pipe.aggregator.ready["listen"][0], timeout=DEADLINE) as client:
        client.status()
        pipe.aggregator.signal(signal.SIGSTOP)  # it takes the question and never answers
        found = []
        thread = threading.Thread(target=lambda: found.append(client.views()), daemon=True)
        thread.start()
        pipe.aggregator.restart()
        thread.join(DEADLINE)
        assert "products" in {view["name"] for view in found[0]}


def test_a_late_answer_answers_no_later_question(scripted):
    def answers(asked):
        return [(0.4 if len(asked) == 1 else 0.6, {**GOOD, "number": len(asked)})]
    peer = scripted(answers)
    with till.Client(peer.endpoint, timeout=0.2) as client:
        with pytest.raises(till.NotReached):
            client.status()
        client.timeout = DEADLINE
        assert client.status()["number"] == 2


def test_one_who_is_busy_is_asked_again_when_it_says(scripted):
    def answers(asked):
        busy = {"ok": False, "error": {"code": "busy", "message": "too many", "retry_after_ms": 150}}
        return [(0, busy if len(asked) < 3 else GOOD)]
    peer = scripted(answers)
    with till.Client(peer.endpoint, timeout=DEADLINE) as client:
        begun = time.monotonic()
        assert client.status()["ok"]
        assert time.monotonic() - begun >= 0.3  # twice what it asked for
        assert len(peer.asked) == 3
    peer = scripted(answers)
    with till.Client(peer.endpoint, timeout=0.1) as client, pytest.raises(till.Refused) as refused:
        client.status()
    assert (refused.value.code, refused.value.retry_after_ms, len(peer.asked)) == ("busy", 150, 1)


@pytest.mark.parametrize("answer", [b"", b"\xc1", b"hello", b"\x80", b"\x91\x01", {"ok": False}, {"ok": True}, {"ok": True, "views": 3},
                                    {**GOOD, "views": [{"name": "products"}], "tables": []}])
def test_what_is_no_answer_is_said_to_be_none(scripted, answer):
    with till.Client(scripted(lambda _: [(0, answer)]).endpoint, timeout=DEADLINE) as client, pytest.raises(till.BadAnswer):
        client.scan("products")


def test_another_thread_ends_a_question_and_what_comes_after():
    client, raised = till.Client("tcp://127.0.0.1:9", timeout=10 * DEADLINE), []

    def ask():
        try:
            client.status()
        except till.Closed as error:
            raised.append(error)
    threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
    for each in threads:
        each.start()
    client.close()
    client.close()
    for each in threads:
        each.join(DEADLINE)
    assert len(raised) == 3


def test_several_threads_ask_by_one_client(pipe):
    with till.Client(pipe.aggregator.ready["listen"][0]) as client:
        found = []
        threads = [threading.Thread(target=lambda: found.append(client.get("products", "tea")[0]["order_count"])) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(DEADLINE)
        assert found == [1] * 8


def test_keys_that_are_not_let_in_are_an_error_at_once(pipeline, tmp_path):
    keys = Keys(tmp_path)
    for name, rights in (("aggregator", ()), ("other", ()), ("boss", ("--views", "*")), ("stranger", ("--views", "*"))):
        keys.make(name, *rights)
    pipe = pipeline(edges=(), options={"till-aggregator": [
        f"security.key_file={keys.secret('aggregator')}", f"security.authorized={keys.directory('aggregator', 'boss')}"]})
    pipe.start_aggregator()
    endpoint = pipe.aggregator.ready["listen"][0]

    def pair(name, server="aggregator"):
        return till.load_keys(keys.secret(name), keys.public(server))
    with till.Client(endpoint, timeout=DEADLINE, keys=pair("boss")) as client:
        wait_until(lambda: client.status()["state"] == "serving", "a state of serving")
    for given, says in ((pair("stranger"), r"\.pub"), (pair("boss", "other"), "another key"), (None, "another key")):
        begun = time.monotonic()
        with till.Client(endpoint, timeout=10 * DEADLINE, keys=given) as client:
            for _ in range(2):
                with pytest.raises(till.KeyRefused, match=says):
                    client.status()
        assert time.monotonic() - begun < 10 * DEADLINE  # no timeout


def test_what_libzmq_does_not_try_again_is_an_error_at_once():
    with pytest.raises(till.KeyRefused, match="another key"):
        line.Handshakes("tcp://shop:7172").take(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
    by_chance = line.Handshakes("tcp://shop:7172")
    for _ in range(line.FAILURES_BY_CHANCE - 1):
        assert not by_chance.take(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
    with pytest.raises(till.KeyRefused):
        by_chance.take(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
