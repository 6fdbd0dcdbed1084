"""Changed rows as they are published: who joins has every row, whatever happens to the aggregator, to the link, or to him."""
import json
import os
import random
import re
import select
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from clocks import give, needs_faketime
from harness import DEADLINE, ROOT, Client, Program, Sender, program, wait_until
from harness import till as run_till
from keys import Keys
from live import Replica, Subscription, topic
from test_changed_rows import Shop, draw_row
from tills import Till, sale

VIEWS = {  # what names a row; money, several group fields, distinct()
    "products": lambda row: (row["product_id"], row["currency"]),
    "days": lambda row: (row["edge"], row["product_id"], row["day"], row["currency"]),
    "users": lambda row: (row["user_id"], row["currency"]),
}


DECLARED = (ROOT / "deploy" / "views.conf").read_text() + """
[view.days]
kind = order
group_by = edge, product_id, day(ts)
measures = order_count = count(), revenue = sum(revenue), baskets = distinct(basket), average = average(unit_price), last = last(order_id)
zone = Europe/Berlin
"""


class Load(threading.Thread):
    """A till that sells until it is told to stop."""

    def __init__(self, pipe, edge, size=20):
        super().__init__(daemon=True)
        self.till, self.size, self.is_ended, self.error = Till(pipe, edge), size, False, None
        self.start()

    def run(self):
        try:
            while not self.is_ended:
                self.till.sell(self.size)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def end(self):
        self.is_ended = True
        self.join()
        self.till.close()
        assert self.error is None, self.error


def scanned(pipe, view):
    return {VIEWS[view](row): row for row in pipe.client.scan(view)}


def replica(pipe, view="products", encoding="j", **arguments):
    return Replica(pipe, view, VIEWS[view], encoding, **arguments)


def join(made, joins=1):
    """Until it has read the view so often."""
    def has_joined():
        made.step()
        return made.is_whole and made.joins >= joins
    wait_until(has_joined, "a snapshot and its stream", every=0)
    return made


def assert_equal_in_the_end(pipe, replicas):
    pipe.wait_settled()
    for each in replicas:
        expected = scanned(pipe, each.view)

        def is_equal(each=each, expected=expected):
            each.step()
            return each.is_whole and each.values() == expected
        wait_until(is_equal, f"{each.view} as a scan shows it", every=0)


def metric(pipe, name, label=""):
    return pipe.aggregator.metrics().get(name + label, 0)


def assert_between(pipe, made):
    """Whatever an answer shows now lies between what was told before it and what is told next: rows never go back."""
    answer = pipe.client.ask("scan", view="products", limit=1000)
    n = answer["live"]["n"]
    wait_until(lambda: made.step() or not made.is_whole or made.n >= n, "the messages before an answer", every=0)
    before = {key: row["order_count"] for key, (row, as_of) in made.rows.items() if as_of <= n}
    shown = {VIEWS["products"](row): row["order_count"] for row in answer["rows"]}
    assert all(count <= shown[key] for key, count in before.items()), (before, shown)


def test_who_joins_under_load_misses_nothing(pipeline):
    pipe = pipeline(edges=("store-1", "Ärmel, \"süd\""))
    views = pipe.folder / "views.conf"
    views.write_text(DECLARED)
    pipe.start_aggregator("-c", views, "-o", "aggregator.live_rate=50", "-o", "aggregator.commit_interval=20ms")
    loads = [Load(pipe, edge) for edge in pipe.edges]
    chance = random.Random(11)
    replicas = []
    for view, encoding in (("products", "j"), ("days", "m"), ("users", "j"), ("products", "m")):
        replicas.append(join(replica(pipe, view, encoding)))
        for _ in range(3):
            for each in replicas:
                each.step(chance.random() / 50)
            assert_between(pipe, replicas[0])
    assert all(not load.is_ended and load.error is None for load in loads)
    for load in loads:
        load.end()
    assert_equal_in_the_end(pipe, replicas)
    assert [each.gaps for each in replicas] == [0] * 4
    assert all(each.messages > 3 for each in replicas)
    for each in replicas:
        each.close()


def test_a_killed_and_a_rebuilt_aggregator_are_noticed(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    till = Till(pipe, "store-1")
    till.sell(50)
    replicas = [join(replica(pipe, "products")), join(replica(pipe, "users", "m"))]
    first = replicas[0].stream
    pipe.aggregator.kill()
    till.sell(50)
    pipe.aggregator.start()
    pipe.client.connect()
    for each in replicas:
        join(each, 2)
    assert replicas[0].stream != first
    assert_equal_in_the_end(pipe, replicas)
    store = pipe.client.ask("status")["as_of"]["store"]
    gaps = replicas[0].gaps
    pipe.aggregator.stop()
    pipe.aggregator.args.append("--rebuild")
    pipe.aggregator.start()
    pipe.client.connect()

    def is_other_store():
        till.sell(5)
        for each in replicas:
            each.step()
        return pipe.client.ask("status")["as_of"]["store"] != store
    wait_until(is_other_store, "the rebuilt store")
    assert_equal_in_the_end(pipe, replicas)
    # the first gap is the restart, the second the switch: unless it was so quick that nobody had joined before it
    assert replicas[0].gaps > gaps
    till.close()
    for each in replicas:
        each.close()


def test_a_slow_reader_loses_messages_and_knows_it(pipeline):
    pipe = pipeline()
    pipe.start_aggregator("-o", "aggregator.live_rate=100")
    till = Till(pipe, "store-1")
    products = [{**sale(number), "product_id": f"product {'with a long name ' * 5}number {number}"} for number in range(100)]
    assert till.sender.ask(products)["ok"]
    quick, slow = join(replica(pipe)), replica(pipe)
    slow.subscription.close()
    slow.subscription = Subscription(pipe.aggregator.ready["publish"], slow.topic, queue=1)
    join(slow)

    def lagging():
        return metric(pipe, "till_aggregator_live_lagging_total")

    def is_full(before):
        """The quick one never has more than some messages to come, fewer than its queue holds, so that only the slow one can miss any: of
        its own view, as nobody listens to another."""
        assert all(till.sender.ask(products)["ok"] for _ in range(10))
        n = pipe.client.ask("scan", view="products", limit=1)["live"]["n"]
        wait_until(lambda: quick.step() or quick.n >= n, "the messages so far", every=0)
        return lagging() > before

    def has_lost():  # a sign of life may be what it missed, which is no gap
        before = lagging()
        wait_until(lambda: is_full(before), "a full queue", 5 * DEADLINE, every=0)
        wait_until(lambda: slow.step() or slow.n >= quick.n, "what the slow one was sent", every=0)
        return slow.gaps > 0
    wait_until(has_lost, "a gap", every=0)
    join(slow, 2)
    assert slow.gaps >= 1
    assert_equal_in_the_end(pipe, [quick, slow])
    assert quick.gaps == 0  # it lost nothing for the slow one's sake
    till.close()
    quick.close()
    slow.close()


def test_two_hundred_readers_hear_of_one_sale(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    till = Till(pipe, "store-1")
    till.sell(1)
    pipe.wait_settled()
    readers = [Subscription(pipe.aggregator.ready["publish"], topic("products", "jm"[number % 2])) for number in range(200)]
    for each in readers:
        each.wait(lambda message: message["type"] == "hello", "a hello")
    assert metric(pipe, "till_aggregator_live_subscribers") == 200
    assert metric(pipe, "till_aggregator_live_views") == 1
    till.sell(1)
    for each in readers:
        message = each.wait(lambda message: message["type"] == "rows", "a row")
        assert [row["order_count"] for row in message["rows"]] == [1]
        each.close()
    wait_until(lambda: metric(pipe, "till_aggregator_live_views") == 0, "nobody to listen")
    till.close()


def resident_bytes(process):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[1]) * 1024


def test_who_subscribes_to_what_there_is_not_is_let_go(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    endpoint = pipe.aggregator.ready["publish"]
    pipe.wait_settled()
    honest = join(replica(pipe))
    before = resident_bytes(pipe.aggregator)
    stranger = Subscription(endpoint, topic("prodcts"), *(f"garbage {number}".encode() for number in range(200)))
    message = stranger.wait(lambda message: message["type"] == "error", "an error")
    assert message["error"] == {"code": "unknown_view", "message": 'no view "prodcts"; did you mean "products"?'}
    greedy = [Subscription(endpoint, *(f"j/{'x' * 30}{number}".encode() for number in range(place * 1000, place * 1000 + 1000)))
              for place in range(10)]  # a socket of libzmq's sends no more at once
    wait_until(lambda: metric(pipe, "till_peers_cut_total", '{why="asks"}') >= len(greedy), "an end of each connection")
    for each in greedy:
        each.close()
    assert resident_bytes(pipe.aggregator) < before + 64 * 1024 * 1024
    till = Till(pipe, "store-1")
    till.sell(10)
    assert_equal_in_the_end(pipe, [honest])
    assert honest.gaps == 0
    assert stranger.next(0) is None  # it was within its bounds, and hears of nothing that it did not ask for
    for each in (till, honest, stranger):
        each.close()


def test_all_views_come_by_one_subscription(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    pipe.wait_settled()
    names = {view["name"] for view in pipe.client.ask("views")["views"]}
    everything = Subscription(pipe.aggregator.ready["publish"], b"")
    hellos = set()
    while len(hellos) < 2 * len(names):
        name, message = everything.next()
        assert message["type"] in ("hello", "idle"), message
        hellos |= {name} if message["type"] == "hello" else set()
    assert hellos == {topic(name, encoding) for name in names for encoding in "jm"}
    everything.wait(lambda message: message["type"] == "idle", "a sign of life")
    everything.close()


@pytest.fixture
def keys(tmp_path):
    return Keys(tmp_path)


def test_only_keys_that_see_all_views_may_listen(pipeline, keys):
    for name, rights in (("aggregator", ()), ("boss", ("--views", "*")), ("analyst", ("--views", "products")), ("admin", ("--admin",))):
        keys.make(name, *rights)
    directory = keys.directory("aggregator", "boss", "analyst", "admin")
    pipe = pipeline(edges=(), options={"till-aggregator": [f"security.key_file={keys.secret('aggregator')}",
                                                            f"security.authorized={directory}"]})
    pipe.start_aggregator()
    pipe.client.close()
    pipe.client = Client(pipe.aggregator.ready["listen"][0], keys.pair("boss", "aggregator"))
    wait_until(lambda: pipe.client.ask("views")["ok"], "an answer")
    endpoint = pipe.aggregator.ready["publish"]
    readers = {name: Subscription(endpoint, topic("products"), keys=keys.pair(name, "aggregator"))
               for name in ("boss", "analyst", "admin")}
    for name in ("boss", "admin"):
        readers[name].wait(lambda message: message["type"] == "hello", f"a hello to {name}")
    refused = 'till_key_forbidden_total{socket="live"}'
    wait_until(lambda: pipe.aggregator.metrics().get(refused, 0) == 1, "a refusal")
    assert "socket=live wish=connect name=\"analyst\"" in pipe.aggregator.log_text()
    assert readers["analyst"].next(0) is None
    # a right that is taken away ends the connection; who still has it comes again
    (Path(directory) / "boss.pub").unlink()
    wait_until(lambda: metric(pipe, "till_peers_cut_total", '{why="rights"}') == 2, "an end of both connections")
    readers["admin"].wait(lambda message: message["type"] == "hello", "a hello again")
    while readers["boss"].next(0) is not None:
        pass
    end = time.monotonic() + 1.5  # an idle message comes each second
    assert readers["boss"].next(end - time.monotonic()) is None
    for each in readers.values():
        each.close()


# ---- till watch


class Watch:
    """`till watch` with its output in a pipe, or in a terminal of its own."""

    def __init__(self, pipe, *args, in_terminal=False):
        own, other = os.openpty() if in_terminal else os.pipe()
        self.process = subprocess.Popen([str(program("till")), "watch", pipe.aggregator.ready["listen"][0], *args],
                                        stdin=subprocess.DEVNULL, stdout=other, stderr=subprocess.PIPE)
        os.close(other)
        self.output, self.text = own, ""

    def wait_for(self, condition, what):
        """Until what was printed so far meets a condition."""
        def is_met():
            while select.select([self.output], [], [], 0.01)[0]:
                chunk = os.read(self.output, 65536)
                if not chunk:
                    break
                self.text += chunk.decode()
            return condition(self.text)
        wait_until(is_met, what, every=0)

    def rows(self):
        """The last word on each product, of lines of JSON."""
        rows = {}
        for line in self.text.splitlines():
            change = json.loads(line)
            if "row" in change:
                rows[VIEWS["products"](change["row"])] = change["row"]
            else:
                rows.pop(tuple(change["gone"]))
        return rows

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        os.close(self.output)
        return code


def test_watch_prints_every_change_and_outlives_the_aggregator(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    till = Till(pipe, "store-1")
    till.sell(7)
    pipe.wait_settled()
    watch = Watch(pipe, "--json")
    lines = Watch(pipe, "--row", "p3")
    watch.wait_for(lambda text: text.count("\n") == 7, "the rows as they are")
    till.sell(7)
    watch.wait_for(lambda text: text.endswith("\n") and watch.rows() == scanned(pipe, "products"), "the changes")
    pipe.aggregator.kill()
    till.sell(7)
    pipe.aggregator.start()
    pipe.client.connect()
    pipe.wait_settled()
    watch.wait_for(lambda text: text.endswith("\n") and watch.rows() == scanned(pipe, "products"), "what came meanwhile")
    lines.wait_for(lambda text: "order_count=3" in text, "the line of one row")
    assert all(line.startswith("product_id=p3 ") for line in lines.text.splitlines())
    assert watch.stop() == 0 and lines.stop() == 0
    assert "\x1b" not in lines.text
    bad = run_till("watch", pipe.aggregator.ready["listen"][0], "--view", "prodcts")
    assert bad.returncode == 1 and 'no view "prodcts"; did you mean "products"?' in bad.stderr, bad
    bad = run_till("watch", pipe.aggregator.ready["listen"][0], "--by", "total_revenu")
    assert bad.returncode == 1 and 'did you mean "total_revenue"?' in bad.stderr, bad
    till.close()


def test_watch_redraws_a_picture_and_says_when_it_is_stale(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    till = Till(pipe, "store-1")
    till.sell(7)
    pipe.wait_settled()
    watch = Watch(pipe, "-n", "3", in_terminal=True)
    watch.wait_for(lambda text: "live" in text and "p6" in text, "a picture")
    picture = watch.text.rpartition("\x1b[3J")[2]
    assert sum(f"p{number}" in picture for number in range(7)) == 3 and "stores by" in picture, picture
    till.sell(70)
    watch.wait_for(lambda text: " 77 " in text.rpartition("\x1b[3J")[2], "the new total of the store")
    pipe.aggregator.signal(signal.SIGSTOP)
    watch.wait_for(lambda text: "stale: nothing heard for" in text, "a word about silence")
    pipe.aggregator.signal(signal.SIGCONT)
    watch.wait_for(lambda text: "live" in text.rpartition("\x1b[3J")[2], "a picture that is live")
    assert watch.stop() == 0
    till.close()


@pytest.mark.plain_only
@needs_faketime
def test_who_follows_a_view_sees_its_rows_end(pipeline, prefix, tmp_path):
    """By the append times of the log, which are the bridge's here: in a view whose key begins with the time, and in one where it does not."""
    topics = ",".join(f"{prefix}{name}" for name in ("orders", "cart_events", "page_views"))
    kafka = Program("till-devbroker", ["-o", f"devbroker.topics={topics}"], tmp_path / "devbroker.log")
    conf = tmp_path / "views.conf"
    conf.write_text("".join(f"""
[view.{name}]
group_by = {groups}
measures = order_count = count()
retain = 5m
""" for name, groups in (("minutes", "minute(ts), product_id"), ("of_products", "product_id, minute(ts)"))))
    pipe = pipeline(bootstrap=kafka.ready["bootstrap"], edges=("uk",), options={"till-bridge": ["bridge.create_topics=no"]})
    clock = give(pipe.bridges[0], tmp_path / "clock")
    pipe.start_aggregator("-c", conf)
    sender = Sender(pipe.endpoint("uk"))
    assert sender.ask([{**sale(each), "product_id": "tea", "ts": int(time.time() * 1000)} for each in range(3)])["ok"]
    pipe.wait_settled()
    followers = [join(Replica(pipe, "minutes", lambda row: (row["minute"], row["product_id"]))),
                 join(Replica(pipe, "of_products", lambda row: (row["product_id"], row["minute"])))]
    assert all(any("tea" in key for key in each.rows) for each in followers)
    clock.leap(10 * 60)
    assert sender.ask([{**sale(0), "product_id": "salt", "ts": int(time.time() * 1000) + 600_000}])["ok"]

    def have_ended():
        for each in followers:
            each.step()
        return all({"salt"} == {part for key in each.rows for part in key if part in ("tea", "salt")} for each in followers)
    wait_until(have_ended, "the rows to end", every=0)
    assert all(each.joins == 1 and each.gaps == 0 for each in followers)  # told, not read anew
    sender.close()
    kafka.kill()


class Told(Replica):
    """Keeps which keys it was told to be gone, too."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.gone = set()

    def take(self, message):
        self.gone |= set(map(tuple, message.get("gone", ())))
        super().take(message)


def test_who_follows_a_view_hears_which_rows_changes_and_forgetting_end(pipeline, admin, tmp_path):
    """Rows of views of which everything was taken back, one by one and by a truncation, and of a table; and who was forgotten."""
    pipe, chance = pipeline(edges=(), bridges=0), random.Random(3)
    shop = Shop(pipe, admin, tmp_path, partitions=1)
    pipe.start_aggregator("-c", str(shop.conf), "-o", "aggregator.live_rate=50")

    def insert(numbers):
        for number in numbers:
            shop.table.insert(number, {**draw_row(chance), "sku": f"p{number % 5}", "who": f"u{number % 3}"})

    def tell(*changes):
        for change in changes:
            change()
        shop.send()
        shop.wait_read()
    tell(lambda: insert(range(30)))
    sales = Told(pipe, "product_sales", lambda row: (row["product_id"], row["currency"]))
    orders = Told(pipe, "user_orders", lambda row: (row["user_id"], row["currency"]))
    for each in (sales, orders):
        join(each)
    assert len(sales.rows) == 5 and len(orders.rows) == 3
    tell(*(lambda number=number: shop.table.delete(number) for number in range(2, 30, 5)))  # all of p2
    assert_same_as_scanned(pipe, sales, orders)
    assert sales.gone == {("p2", "XXX")} and not orders.gone
    tell(shop.table.truncate, lambda: insert(range(30, 31)))
    assert_same_as_scanned(pipe, sales, orders)
    assert set(sales.rows) == {("p0", "XXX")} and sales.gone >= {(f"p{number}", "XXX") for number in range(1, 5)}
    assert orders.gone >= {("u1", "XXX"), ("u2", "XXX")} and set(orders.rows) == {("u0", "XXX")}
    assert [(each.joins, each.gaps) for each in (sales, orders)] == [(1, 0)] * 2  # told, not read anew
    tell(lambda: insert(range(31, 40)))
    assert_same_as_scanned(pipe, sales, orders)
    assert pipe.client.ask("forget", user="u1")["ok"]  # a reset: what he was called is not said once more
    join(orders, 2)
    assert_same_as_scanned(pipe, sales, orders)
    assert ("u1", "XXX") not in orders.rows and len(orders.rows) == 2
    for each in (sales, orders):
        each.close()


def assert_same_as_scanned(pipe, *replicas):
    def are_same():
        for each in replicas:
            each.step()
        return all(each.is_whole and each.values() == {each.key_of(row): row for row in pipe.client.scan(each.view)} for each in replicas)
    wait_until(are_same, "replicas to be as a scan shows them", every=0)
