"""The producer against a real edge: each sale is counted once, whoever is killed in between."""
import os
import random
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import till
import zmq
from harness import DEADLINE, wait_until
from till.producer_state import Frame, State, StateFile

SALE = {"order_id": "o1", "product_id": "tea", "quantity": 2, "unit_price": Decimal("2.55"), "currency": "EUR",
        "ts": datetime(2010, 12, 1, 8, 26, tzinfo=UTC)}

# A program of a till: its n-th frame is its n-th sale, so it goes on after the last that it handed over. It is killed at random.
PROGRAM = """
import sys
from decimal import Decimal
import till

endpoint, state, count, lanes = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with till.Producer(endpoint, "till-7", state=state, lanes=lanes, deadline=120) as producer:
    print("from", producer.n, flush=True)
    for number in range(producer.n + 1, count + 1):
        if not sys.stdin.readline():
            break
        producer.post({"order_id": f"o{number}", "product_id": "tea", "unit_price": Decimal(number) / 100, "currency": "EUR",
                       "ts": 1_291_193_160_000})
        print("posted", number, flush=True)
"""


@pytest.fixture
def pipe(pipeline):
    return pipeline()


@pytest.fixture
def producer(pipe, tmp_path):
    with till.Producer(pipe.endpoint("store-1"), "till-7", state=tmp_path / "till-7.state") as made:
        yield made


def totals(pipe):
    """(lines, revenue) that were counted."""
    if pipe.aggregator is None:
        pipe.start_aggregator()
    pipe.wait_settled()
    with till.Client(pipe.aggregator.ready["listen"][0]) as client:
        rows = client.scan("stores")
    return sum(row["order_count"] for row in rows), sum(row["total_revenue"] for row in rows)


def test_an_ack_says_what_became_of_a_frame(pipe, producer):
    ack = producer.send([SALE, {**SALE, "unit_price": "2,55"}, {"kind": "cart", "action": "add", "product_id": "tea"}])
    assert (ack.n, ack.accepted, ack.invalid, ack.ok, ack.is_repeated, ack.is_durable, ack.edge) == (1, 2, 1, False, False, True, "store-1")
    assert [(each.index, each.code, each.field) for each in ack.errors] == [(1, "bad_value", "unit_price")]
    assert ack.seq == {"order": (1, 1), "cart": (1, 1), "order.dlq": (1, 1)}
    assert (producer.send(SALE).n, producer.n, producer.pending) == (2, 2, 0)
    pipe.start_aggregator()
    with till.Client(pipe.aggregator.ready["listen"][0]) as client:  # what was sent can be waited for in a question
        rows = client.scan("products", after=ack, timeout_ms=int(DEADLINE * 1000))
        assert rows[0]["total_revenue"] >= Decimal("5.10")
    assert totals(pipe) == (2, Decimal("10.20"))


@pytest.mark.parametrize(("event", "error", "says"), [
    ({**SALE, "unit_price": 2.55}, TypeError, r"Decimal\('2\.55'\)"), ({**SALE, "amount": Decimal("0.0000001")}, ValueError, "six decimal"),
    ({**SALE, "tax": Decimal("NaN")}, ValueError, "NaN"), ({**SALE, "unit_price": Decimal("1e13")}, ValueError, "10\\^12"),
    ({**SALE, "ts": datetime(2010, 12, 1)}, ValueError, "zone"), ([], ValueError, "1 to 10,000"),
    ([SALE] * 10_001, ValueError, "10,001"), ({**SALE, "note": "x" * (4 << 20)}, ValueError, "bytes")])
def test_what_is_not_exact_is_not_sent(producer, event, error, says):
    with pytest.raises(error, match=says):
        producer.send(event)
    assert (producer.n, producer.pending) == (0, 0)


def test_numbers_are_asked_for_where_none_would_survive(pipe):
    with till.Producer(pipe.endpoint("store-1"), "till-8") as producer:
        with pytest.raises(ValueError, match="state"):
            producer.send(SALE)
        assert not producer.send(SALE, n=536365).is_repeated
        again = producer.send(SALE, n=536365)
        assert (again.is_repeated, again.accepted, again.seq) == (True, 1, {"order": (1, 1)})
        assert producer.send(SALE, n=536366).accepted == 1
        assert producer.send(SALE, n=1).last_n == 536366
        for wrong in (0, -1, 2**63, True):
            with pytest.raises(ValueError, match="1 or above"):
                producer.send(SALE, n=wrong)
    assert totals(pipe) == (2, Decimal("10.20"))


def test_a_lost_state_file_is_noticed(pipe, tmp_path):
    endpoint, state = pipe.endpoint("store-1"), tmp_path / "state"
    with till.Producer(endpoint, "till-7", state=state) as producer:
        for _ in range(3):
            producer.send(SALE)
    state.unlink()
    with till.Producer(endpoint, "till-7", state=state) as producer, pytest.raises(till.NumberBehind, match="up to 3"):
        producer.send(SALE)
    assert totals(pipe) == (3, Decimal("15.30"))


def test_state_files_are_whole_or_refused(tmp_path):
    path = tmp_path / "state"
    file = StateFile(path)
    kept = State("till-7", 12, [("till-7", Frame(12, b"\x91\x80", 1))])
    file.write(kept)
    assert file.read("till-7") == kept
    with pytest.raises(till.StateFileError, match="another producer uses it"):
        StateFile(path)
    with pytest.raises(till.StateFileError, match="'till-7'"):
        file.read("till-8")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(till.StateFileError, match="another name"):
        file.read("till-7")
    file.close()


def test_a_disk_without_room_sends_nothing(pipe, tmp_path):
    state = tmp_path / "state"
    with till.Producer(pipe.endpoint("store-1"), "till-7", state=state) as producer:
        producer.send(SALE)
        (tmp_path / "state.new").symlink_to("/dev/full")
        with pytest.raises(OSError, match="space"):
            producer.send(SALE)
        assert (producer.n, producer.pending) == (1, 0)
        assert producer.send(SALE).n == 2  # what was in the way is gone
    assert totals(pipe) == (2, Decimal("10.20"))


def test_an_edge_that_stands_still_or_is_gone_is_waited_for(pipe, producer):
    producer.send(SALE)
    edge = pipe.edges["store-1"]
    edge.signal(signal.SIGSTOP)
    try:
        with pytest.raises(till.NotReached):
            producer.send(SALE, deadline=0.3)
        assert producer.pending == 1
    finally:
        edge.signal(signal.SIGCONT)
    assert [ack.n for ack in producer.flush()] == [2]
    edge.kill()
    with pytest.raises(till.NotReached):
        producer.send(SALE, deadline=0.3)
    edge.start()
    assert producer.send(SALE).n == 4
    assert [ack.n for ack in producer.flush()] == [3]
    assert totals(pipe) == (4, Decimal("20.40"))


def test_a_full_spool_pushes_back(pipe, tmp_path):
    pipe.bridges[0].kill()  # nothing leaves the spool
    edge = pipe.edges["store-1"]
    edge.kill()
    edge.args += ["-o", "edge.spool_max=4MiB"]
    edge.start()
    sales = [{**SALE, "note": "x" * 900}] * 300
    with till.Producer(pipe.endpoint("store-1"), "till-7", state=tmp_path / "state") as producer:
        def fill():
            for count in range(0, 10_000, 300):
                try:
                    producer.send(sales, deadline=0.5)
                except till.FrameRefused as refused:
                    return count, refused
            raise AssertionError("it is never full")
        sent, refused = fill()
        assert (refused.code, refused.n, producer.pending) == ("spool_full", producer.n, 1)
        assert refused.retry_after_ms > 0
        pipe.bridges[0].start()
        assert [ack.accepted for ack in producer.flush(deadline=DEADLINE)] == [300]
    assert totals(pipe) == (sent + 300, 5 * Decimal("1.02") * (sent + 300))


def test_another_thread_closes_it(pipe, tmp_path):
    edge, raised = pipe.edges["store-1"], []
    producer = till.Producer(pipe.endpoint("store-1"), "till-7", state=tmp_path / "state")
    edge.signal(signal.SIGSTOP)
    try:
        def send():
            try:
                producer.send(SALE)
            except till.Closed as error:
                raised.append(error)
        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        wait_until(lambda: producer.pending == 1, "a frame in the air")
        producer.close()
        thread.join(DEADLINE)
    finally:
        edge.signal(signal.SIGCONT)
    assert len(raised) == 1
    with till.Producer(pipe.endpoint("store-1"), "till-7", state=tmp_path / "state") as again:
        assert again.recovered == [1]
    assert totals(pipe) == (1, Decimal("5.10"))


def test_a_reply_that_is_none_is_refused(tmp_path):
    with zmq.Context.instance().socket(zmq.ROUTER) as server:
        port = server.bind_to_random_port("tcp://127.0.0.1")
        with till.Producer(f"tcp://127.0.0.1:{port}", "till-7", state=tmp_path / "state") as producer:
            producer.post(SALE)
            assert server.poll(DEADLINE * 1000)
            server.send_multipart([server.recv_multipart()[0], b"", b"\xc1nonsense"])
            with pytest.raises(till.BadAnswer, match=str(port)):
                producer.flush()
            producer.close()


@pytest.mark.kill
@pytest.mark.parametrize("lanes", [1, 4])
def test_each_sale_is_counted_once_whoever_is_killed(pipe, tmp_path, lanes):
    count, dice = 200, random.Random(lanes)
    program, state, edge = tmp_path / "program.py", tmp_path / "state", pipe.edges["store-1"]
    program.write_text(PROGRAM)

    def begin():
        process = subprocess.Popen([sys.executable, program, pipe.endpoint("store-1"), state, str(count), str(lanes)], cwd=Path("/"),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": ""})
        return process, int(process.stdout.readline().split()[1])

    def post(process, frames, heard):
        """Lets it post so many, and waits until it says so of some."""
        process.stdin.write("\n" * frames)
        process.stdin.flush()
        for _ in range(heard):
            assert process.stdout.readline().startswith("posted")

    begun = []
    for _ in range(3):  # the edge dies in the middle of its work, then the program
        process, number = begin()
        begun.append(number)
        post(process, 20, dice.randrange(1, 10))
        edge.kill()
        edge.start()
        post(process, 20, dice.randrange(10, 25))
        process.kill()
        process.communicate()
    process, number = begin()
    begun.append(number)
    process.communicate("\n" * count, DEADLINE)
    assert process.returncode == 0
    assert begun[0] == 0 < begun[1] < begun[2] < begun[3] < count
    assert totals(pipe) == (count, sum(Decimal(number) / 100 for number in range(1, count + 1)))
