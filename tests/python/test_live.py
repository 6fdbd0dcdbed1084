"""Live changes against real programs: who follows a view has every row in the end, whatever is killed, stopped or restarted."""
import signal
import threading

import pytest
import till
from harness import DEADLINE, Client, Sender, wait_until
from keys import Keys
from relay import Relay
from tills import Till


class Load(threading.Thread):
    """A till that sells until it is told to stop."""

    def __init__(self, pipe, edge):
        super().__init__(daemon=True)
        self.till, self.is_ended, self.error = Till(pipe, edge), False, None
        self.start()

    def run(self):
        try:
            while not self.is_ended:
                self.till.sell(20, patience=3)
        except Exception as error:
            self.error = error

    def end(self):
        self.is_ended = True
        self.join()
        self.till.close()
        assert self.error is None, self.error


def key_of(row):
    return row["product_id"], row["currency"]


class Reader:
    """Applies changes as the page of documentation says; nothing else."""

    def __init__(self, endpoint, view="products", **more):
        self.subscription = till.Subscription(endpoint, view, timeout=2, **more)
        self.rows, self.kinds, self.reasons = {}, [], []

    def take(self, change):
        self.kinds.append(change.kind)
        self.reasons.append(change.why)
        if change.kind == "snapshot":
            self.rows = {}
        self.rows.update({key_of(row): row for row in change.rows})
        for key in change.gone:
            del self.rows[key]

    def step(self, timeout=0.2):
        change = self.subscription.next(timeout)
        if change is not None:
            self.take(change)
        return change

    def until(self, condition, what):
        def holds():
            self.step()
            return condition(self)
        wait_until(holds, what, every=0)


def scanned(pipe):
    with till.Client(pipe.aggregator.ready["listen"][0]) as client:
        return {key_of(row): row for row in client.scan("products")}


@pytest.fixture
def pipe(pipeline):
    made = pipeline()
    made.start_aggregator()
    return made


@pytest.fixture
def reader(pipe):
    made = Reader(pipe.aggregator.ready["listen"][0])
    yield made
    made.subscription.close()


def assert_equal_in_the_end(pipe, reader):
    pipe.wait_settled()
    wanted = scanned(pipe)
    assert wanted
    reader.until(lambda each: each.rows == wanted, "the rows that a scan has")
    known = reader.subscription.rows()
    assert {key_of(row): row for row in known} == wanted
    assert known.to_arrow().num_rows == len(wanted)


def test_a_snapshot_comes_first_and_then_the_changes(pipe, reader):
    teller = Till(pipe, "store-1")
    teller.sell(3)
    pipe.wait_settled()
    reader.until(lambda each: each.kinds, "a snapshot")
    assert reader.kinds == ["snapshot"]
    before = dict(reader.rows)
    teller.sell(1)
    reader.until(lambda each: each.rows != before, "a change")
    assert reader.kinds[:2] == ["snapshot", "changes"]
    assert_equal_in_the_end(pipe, reader)
    assert "snapshot" not in reader.kinds[1:]
    teller.close()


@pytest.mark.kill
def test_the_rows_are_those_of_a_scan_after_kills_under_load(pipe, reader):
    load = Load(pipe, "store-1")
    for kills in range(3):
        reader.until(lambda each, kills=kills: each.kinds.count("snapshot") > kills and each.kinds[-1] == "changes", "changes")
        if kills < 2:
            pipe.aggregator.restart()
        else:
            pipe.edges["store-1"].restart()
    load.end()
    assert_equal_in_the_end(pipe, reader)
    assert reader.reasons.count("stream") == 2
    assert load.till.told == sum(row["order_count"] for row in reader.rows.values())


def test_an_aggregator_that_stands_still_is_said_to(pipe, reader):
    teller = Till(pipe, "store-1")
    teller.sell(1)
    pipe.wait_settled()
    reader.until(lambda each: each.kinds == ["snapshot"], "a snapshot")
    pipe.aggregator.signal(signal.SIGSTOP)
    try:
        teller.sell(5)
        reader.until(lambda each: "cut_off" in each.kinds, "a cut-off")
        assert reader.subscription.is_cut_off
    finally:
        pipe.aggregator.signal(signal.SIGCONT)
    assert_equal_in_the_end(pipe, reader)
    assert not reader.subscription.is_cut_off
    assert reader.kinds.count("cut_off") == 1
    teller.close()


def test_what_was_missed_while_the_cable_was_cut_is_read_anew(pipe, reader):
    """`reader` hears all the while, so that messages are made; the other one misses them, and the process stays the same."""
    publish = pipe.aggregator.ready["publish"].removeprefix("tcp://").split(":")
    relay, teller = Relay((publish[0], int(publish[1]))), Till(pipe, "store-1")
    cut = Reader(pipe.aggregator.ready["listen"][0], publish=f"tcp://{relay.address}")
    try:
        teller.sell(1)
        pipe.wait_settled()
        for each in (reader, cut):
            each.until(lambda each: each.kinds, "a snapshot")
        relay.cut()
        teller.sell(7)
        pipe.wait_settled()
        wanted = scanned(pipe)
        reader.until(lambda each: each.rows == wanted, "the changes")
        relay.restore()
        cut.until(lambda each: "gap" in each.reasons, "a snapshot after a gap")
        assert cut.rows == wanted
    finally:
        cut.subscription.close()
        relay.close()
        teller.close()


def test_rows_that_are_told_to_be_read_anew_are(pipe):
    """A user is forgotten: what follows from it in the views, no message tells."""
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask([{"order_id": f"o{number}", "product_id": f"p{number}", "user_id": f"u{number}", "unit_price": "1.25", "quantity": 1,
                        "currency": "EUR"} for number in range(3)])["ok"]
    sender.close()
    pipe.wait_settled()
    users = till.Subscription(pipe.aggregator.ready["listen"][0], "users", timeout=2)
    try:
        changes = [users.next(DEADLINE)]
        assert {row["user_id"] for row in changes[0].rows} == {"u0", "u1", "u2"}
        with till.Client(pipe.aggregator.ready["listen"][0]) as client:
            told = client.forget("u1")
            assert (told["rows"], told["events"], told["was_so"]) == (1, 1, False)
            assert client.forget("u1")["was_so"]
            assert [(each["hash"], each["in_force"]) for each in client.forgotten()["forgotten"]] == [(told["hash"], True)]
        wait_until(lambda: changes.append(users.next(0.2)) or (changes[-1] and changes[-1].kind == "snapshot"), "a snapshot", every=0)
        assert changes[-1].why == "reset"
        assert {row["user_id"] for row in changes[-1].rows} == {"u0", "u2"}
        assert {row["user_id"] for row in users.rows()} == {"u0", "u2"}
    finally:
        users.close()


def test_rows_that_are_gone_are_told(pipeline, admin, prefix):
    topic = f"{prefix}users"
    admin.create(topic=topic, partitions=1)
    pipe = pipeline(edges=(), bridges=0, options={"till-aggregator": (
        "table.users.key=user_id", "table.users.columns=name", f"source.people.topic={topic}", "source.people.format=plain",
        "source.people.table=users")})
    pipe.start_aggregator()
    admin.produce(topic, 0, [(f"u{number}".encode(), b'{"name":"n"}') for number in range(4)])
    wait_until(lambda: len(pipe.client.scan("table.users")) == 4, "the users")
    with till.Subscription(pipe.aggregator.ready["listen"][0], "table.users", timeout=2) as users:
        assert len(users.next(DEADLINE).rows) == 4
        admin.produce(topic, 0, [(b"u1", b""), (b"u3", b"")])
        gone = set()
        wait_until(lambda: ((change := users.next(0.2)) is not None and gone.update(change.gone)) or len(gone) == 2, "two gone", every=0)
        assert gone == {("u1",), ("u3",)}
        assert {row["user_id"] for row in users.rows()} == {"u0", "u2"}


def test_who_reads_nothing_during_a_flood_has_every_row_in_the_end(pipe, reader):
    reader.until(lambda each: each.kinds, "a snapshot")
    sender, count = Sender(pipe.endpoint("store-1")), 30_000
    for first in range(0, count, 5000):
        assert sender.ask([{"order_id": f"o{number}", "product_id": f"{number:05}{'x' * 100}", "unit_price": "1", "quantity": 1,
                            "currency": "EUR"} for number in range(first, first + 5000)])["ok"]
    sender.close()
    assert_equal_in_the_end(pipe, reader)
    assert len(reader.rows) == count


def test_it_moves_with_an_aggregator_that_publishes_elsewhere(pipe, reader):
    reader.until(lambda each: each.kinds, "a snapshot")
    args = pipe.aggregator.args
    at = next(index for index, each in enumerate(args) if each.startswith("aggregator.publish="))
    args[at] = "aggregator.publish=tcp://127.0.0.1:0"
    pipe.aggregator.restart()
    assert pipe.aggregator.ready["publish"] not in ("", None)
    reader.until(lambda each: each.kinds.count("snapshot") == 2, "a snapshot from the new address")
    teller = Till(pipe, "store-1")
    teller.sell(3)
    assert_equal_in_the_end(pipe, reader)
    teller.close()


def test_what_can_not_be_followed_says_why(pipe):
    endpoint = pipe.aggregator.ready["listen"][0]
    with till.Client(endpoint, timeout=2) as client, client.subscribe("prodcts") as changes, pytest.raises(till.Refused, match="products"):
        next(changes)
    assert list(changes) == []
    with till.Client("tcp://127.0.0.1:9", timeout=0.3) as client, client.subscribe("products") as changes, pytest.raises(till.NotReached):
        next(changes)
    args = pipe.aggregator.args
    at = next(index for index, each in enumerate(args) if each.startswith("aggregator.publish="))
    args[at] = "aggregator.publish="
    pipe.aggregator.restart()
    with till.Client(endpoint, timeout=5) as client, client.subscribe("products") as changes, pytest.raises(till.NoStream, match="publish"):
        next(changes)


def test_another_thread_ends_an_iteration(reader):
    reader.until(lambda each: each.kinds, "a snapshot")
    ended = []
    thread = threading.Thread(target=lambda: ended.append(list(reader.subscription)), daemon=True)
    thread.start()
    reader.subscription.close()
    thread.join(DEADLINE)
    assert ended == [[]]


def test_a_key_that_may_not_listen_is_told_so(pipeline, tmp_path):
    keys = Keys(tmp_path)
    for name, rights in (("aggregator", ()), ("boss", ("--views", "*")), ("analyst", ("--views", "products"))):
        keys.make(name, *rights)
    pipe = pipeline(edges=(), options={"till-aggregator": [
        f"security.key_file={keys.secret('aggregator')}", f"security.authorized={keys.directory('aggregator', 'boss', 'analyst')}"]})
    pipe.start_aggregator()
    pipe.client.close()
    endpoint = pipe.aggregator.ready["listen"][0]
    pipe.client = Client(endpoint, keys.pair("boss", "aggregator"))
    boss, analyst = (till.load_keys(keys.secret(name), keys.public("aggregator")) for name in ("boss", "analyst"))
    wait_until(lambda: pipe.client.ask("views")["ok"], "an answer")
    reader = Reader(endpoint, keys=boss)
    reader.until(lambda each: each.kinds, "a snapshot")
    reader.subscription.close()
    with till.Subscription(endpoint, "products", publish=pipe.aggregator.ready["publish"], keys=analyst) as changes, \
            pytest.raises(till.KeyRefused, match=r"\.pub"):
        changes.next(DEADLINE)
