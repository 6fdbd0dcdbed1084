"""A rebuild, or a new store, from an archive where retention has cut the log: the same totals, to the byte, as from a log that was never
cut; and whatever is wrong with the archive's stream switches nothing in."""
import base64
import re
import subprocess

import replay_rig
import msgpack
import pytest
from basket_rig import books as baskets_of
from harness import DEADLINE, Client, Sender, program, wait_until
from test_spine import order

pytestmark = pytest.mark.plain_only
TOPICS = ("orders", "cart_events", "page_views", "orders.dlq", "cart_events.dlq", "page_views.dlq")
SPANS = ["aggregator.basket_horizon=1s", "aggregator.basket_memory=1h"]
PARTITIONS = 2


@pytest.fixture
def pipe(pipeline):
    made = pipeline(edges=("store-1", "store-2"), partitions=PARTITIONS, options={"till-aggregator": SPANS})
    made.start_aggregator()
    return made


def send(pipe, edge, events):
    sender = Sender(pipe.endpoint(edge))
    reply = sender.ask(events)
    assert reply["durable"] and reply["accepted"] + reply["invalid"] == len(events), reply
    sender.close()


def sell(pipe, first, count):
    """Orders of both edges, of two lines each; something of each other kind, and events that are none."""
    for edge in pipe.edges:
        send(pipe, edge, [order(f"{edge}-{number // 2}", product=f"p{number % 7}", price=f"{number % 11}.25", user_id=f"u{number % 5}")
                          for number in range(first, first + count)])
        send(pipe, edge, [{"kind": "cart", "user_id": "u1", "product_id": "tea", "action": "add", "ts": 1291191960},
                          {"kind": "view", "user_id": "u1", "product_id": "tea", "page": "/tea", "ts": 1291191960},
                          {**order("bad"), "quantity": "many"}, {"kind": "cart", "action": "fly", "user_id": "u2", "product_id": "tea"}])
    pipe.wait_settled()


def again(pipe, admin, count=5):
    """The first records of a partition of orders once more: their certificates were counted."""
    topic = f"{pipe.prefix}orders"
    for partition in range(PARTITIONS):
        first = [record[3:5] for record in admin.records(topic=topic) if record[0] == partition][:count]
        if first:
            admin.produce(topic=topic, partition=partition, records=[[base64.b64decode(each) for each in pair] for pair in first])


def disturb(pipe, admin):
    """What others write, and what nobody can read; last come repeated sales, by whose time baskets close that nothing else closes."""
    topic = f"{pipe.prefix}orders"
    admin.produce(topic=topic, partition=0, records=[[b"somebody", msgpack.packb({"hello": 1})], [b"store-1", msgpack.packb({
        "edge": "store-1", "run": 1, "kind": "order", "seq": "many"})]])
    pipe.wait_applied()
    books = baskets_of(pipe)
    opened = books["closed"] + books["open"]

    def are_closed():
        again(pipe, admin)
        return baskets_of(pipe)["closed"] == opened

    wait_until(are_closed, f"{opened} closed baskets", every=0.3)
    pipe.wait_applied()


def topics(pipe):
    return [f"{pipe.prefix}{name}" for name in TOPICS]


def dump_of(pipe):
    return subprocess.run([program("till-aggregator"), *pipe.aggregator.args, "--dump"], capture_output=True, text=True, timeout=120, check=True).stdout


def books_of(pipe):
    return {(each["topic"], each["partition"]): [each[name] for name in ("next", "read", "counted", "rejected", "duplicates", "foreign", "unreadable")]
            for each in pipe.client.ask("status")["partitions"]}


def store_of(pipe):
    return pipe.client.ask("status")["as_of"]["store"]


def refused(pipe):
    """It ended because it needs a decision: what is missing."""
    assert pipe.aggregator.wait() == 4, pipe.aggregator.log_tail()
    return re.findall(r'^missing: (.*) \(to go on without it: (?:--rebuild )?--accept-gap "\1"\)$', pipe.aggregator.log_text(), re.M)[-1]


class Extra:
    """Arguments of one start."""

    def __init__(self, pipe, *args):
        self.pipe, self.args = pipe, [str(arg) for arg in args]

    def __enter__(self):
        self.pipe.aggregator.args += self.args

    def __exit__(self, *_):
        args = self.pipe.aggregator.args
        del args[len(args) - len(self.args):]


def start(pipe, *args, wait_ready=True, wrap=()):
    with Extra(pipe, *args):
        pipe.aggregator.wrap = list(wrap)
        pipe.aggregator.start(wait_ready=wait_ready)
        pipe.aggregator.wrap = []
    if wait_ready:
        pipe.client = Client(pipe.aggregator.ready["listen"][0])


def wait_rebuilt(pipe, old):
    wait_until(lambda: pipe.client.ask("status").get("as_of", {}).get("store", old) != old, "the rebuilt store")


def finish(pipe):
    """Its books and its dump, and stopped."""
    pipe.wait_applied()
    wait_until(lambda: pipe.client.ask("status")["uncommitted"] == 0, "a commit")
    found = books_of(pipe)
    assert pipe.aggregator.stop() == 0
    return found, dump_of(pipe)


def archived(pipe, admin, folder):
    """A log with all that there is, its archive, what came later, and the log cut behind the archive: the stream, and books and dump of
    before the cut."""
    sell(pipe, 0, 300)
    disturb(pipe, admin)
    stream = replay_rig.Stream(admin, topics(pipe))
    (folder / "stream").write_bytes(stream.whole())
    sell(pipe, 1000, 40)
    found, dump = finish(pipe)
    assert stream.left_out("duplicates") >= 5 and stream.left_out("foreign") == stream.left_out("unreadable") == 1, stream.parts
    replay_rig.cut(admin, stream)
    return stream, found, dump


def test_a_rebuild_from_an_archive_is_one_from_a_log_that_was_never_cut(pipe, admin, tmp_path):
    sell(pipe, 0, 300)
    disturb(pipe, admin)
    store = store_of(pipe)
    before = finish(pipe)
    start(pipe, "--rebuild")
    wait_rebuilt(pipe, store)
    assert finish(pipe) == before  # whatever follows is held against a log that is whole

    start(pipe)
    stream = replay_rig.Stream(admin, topics(pipe))
    (tmp_path / "stream").write_bytes(stream.whole())
    sell(pipe, 1000, 40)
    before = finish(pipe)
    replay_rig.cut(admin, stream)
    start(pipe, "--rebuild", wait_ready=False)
    assert re.fullmatch(rf"{pipe.prefix}\S+/\d:0-\d+", refused(pipe))

    for wrap, path in ((), tmp_path / "stream"), (("bash", "-c", f'exec "$@" < <(cat {tmp_path / "stream"})', "bash"), "-"):
        start(pipe)
        store = store_of(pipe)
        pipe.aggregator.stop()
        start(pipe, "--rebuild", "--archive", path, wrap=wrap)
        wait_rebuilt(pipe, store)
        assert finish(pipe) == before
    start(pipe)  # and nothing is asked of it any more
    sell(pipe, 2000, 10)
    assert finish(pipe) != before


def test_a_new_store_begins_with_the_archive(pipe, admin, tmp_path):
    _, found, dump = archived(pipe, admin, tmp_path)
    (tmp_path / "anew").mkdir()
    with Extra(pipe, "-o", f"aggregator.data={tmp_path / 'anew'}"):
        start(pipe, wait_ready=False)
        assert re.fullmatch(rf"{pipe.prefix}\S+/\d:0-\d+", refused(pipe))
        start(pipe, "--archive", tmp_path / "stream")
        assert finish(pipe) == (found, dump)
        start(pipe)
        assert finish(pipe) == (found, dump)
    with Extra(pipe, "-o", f"aggregator.data={tmp_path / 'two'}", "-o", "aggregator.shards=2"):
        (tmp_path / "two").mkdir()
        start(pipe, "--archive", tmp_path / "stream")
        assert finish(pipe)[0] == found


def written(pipe):
    return (pipe.folder / "store" / "shard-0" / "data.mdb").stat().st_mtime_ns


def test_a_rebuild_that_is_killed_takes_up_the_stream_where_it_was(pipe, admin, tmp_path):
    stream, found, dump = archived(pipe, admin, tmp_path)
    fifo = replay_rig.Pipe(tmp_path / "fifo")
    start(pipe)
    store = store_of(pipe)
    pipe.aggregator.stop()
    start(pipe, "--rebuild", "--archive", fifo.path)
    data = stream.whole()
    fifo.write(data[:-100]).join(DEADLINE)
    wait_until(lambda: pipe.aggregator.metric("till_aggregator_rebuild_progress_ratio") > 0.3, "progress")
    assert store_of(pipe) == store  # answers, however long the stream stands still
    assert pipe.client.rows("top", view="products", by="order_count", limit=3)
    looks = []
    wait_until(lambda: looks.append(written(pipe)) or len(looks) > 25 and len(set(looks[-25:])) == 1, "the rebuild's last commit")
    pipe.aggregator.kill()
    fifo.close()

    start(pipe, "--rebuild", "--archive", fifo.path)
    assert store_of(pipe) == store
    writer = fifo.write(data)
    wait_rebuilt(pipe, store)
    writer.join(DEADLINE)
    known = int(re.findall(r"the archive was read, the log is next. counted=\d+ known=(\d+)", pipe.aggregator.log_text())[-1])
    assert known > len(stream.records) // 2
    assert finish(pipe) == (found, dump)


def broken_streams(stream):
    whole = stream.whole()
    yield whole[:-1], "it ended after"
    yield whole[:len(whole) // 2], "it ended after"
    yield b"", "it ended after 0 records"
    yield stream.head() + b"".join(map(msgpack.packb, stream.records[:-1])) + stream.end(), "its end speaks of"
    yield b"not an archive", "it does not begin like an archive"
    yield stream.head() + msgpack.packb(stream.records[1]) + msgpack.packb(stream.records[0]), "has offset"
    yield stream.head(**{"from": 7}) + stream.end(), "at offset 7, and the store has read to 0"
    yield stream.head(archived=10**6) + whole[len(stream.head()):], "and its head speaks of 1000000"


def test_what_is_wrong_with_a_stream_is_named_and_switches_nothing_in(pipe, admin, tmp_path):
    stream, found, dump = archived(pipe, admin, tmp_path)
    for data, words in broken_streams(stream):
        (tmp_path / "broken").write_bytes(data)
        start(pipe, "--rebuild", "--archive", tmp_path / "broken", wait_ready=False)
        assert pipe.aggregator.wait() == 4, pipe.aggregator.log_tail()
        assert re.search(rf"the archive can't be used. .*{words}", pipe.aggregator.log_text()), pipe.aggregator.log_tail()
        assert dump_of(pipe) == dump, words
    start(pipe)
    assert finish(pipe) == (found, dump)
    start(pipe, "--rebuild", "--archive", tmp_path, wait_ready=False)
    assert pipe.aggregator.wait() == 1 and "Is a directory" in pipe.aggregator.log_tail()


def test_what_neither_the_archive_nor_the_log_has_is_missing(pipe, admin, tmp_path):
    stream, found, dump = archived(pipe, admin, tmp_path)
    topic, partition = next(place for place, part in stream.parts.items() if place[0] == f"{pipe.prefix}orders" and part.next > 10)
    begin = stream.parts[topic, partition].next
    admin.purge(topic=topic, partition=partition, before=begin + 3)
    start(pipe, "--rebuild", "--archive", tmp_path / "stream", wait_ready=False)
    assert refused(pipe) == f"{topic}/{partition}:{begin}-{begin + 2}"
    assert dump_of(pipe) == dump

    strange = replay_rig.Stream(admin, [])
    strange.cluster, strange.parts, strange.records = "another-cluster", stream.parts, stream.records
    (tmp_path / "strange").write_bytes(strange.whole())
    start(pipe, "--rebuild", "--archive", tmp_path / "strange", wait_ready=False)
    assert refused(pipe) == f"cluster:another-cluster->{stream.cluster}"
    start(pipe)
    assert finish(pipe) == (found, dump)


def test_a_store_that_was_down_too_long_reads_on_in_the_archive(pipe, admin, tmp_path):
    """Its own positions say from where, and what it counted by itself stays in its books."""
    sell(pipe, 0, 100)
    again(pipe, admin)
    pipe.wait_applied()
    pipe.aggregator.kill()
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask([order(number) for number in range(500, 600)])["ok"]
    sender.close()
    pipe.wait_drained()
    again(pipe, admin, 9)
    (tmp_path / "other").mkdir()
    with Extra(pipe, "-o", f"aggregator.data={tmp_path / 'other'}"):
        start(pipe)
        expected = finish(pipe)
    stream = replay_rig.Stream(admin, topics(pipe))
    (tmp_path / "stream").write_bytes(stream.whole())
    replay_rig.cut(admin, stream)
    start(pipe, wait_ready=False)
    refused(pipe)
    start(pipe, "--archive", tmp_path / "stream")
    assert finish(pipe) == expected
