"""Baskets against an independent calculation over real sales: it reads the topic's records with the times at which the broker appended
them, so that it knows which lines were late, however loaded the machine was."""
import csv
import json
import subprocess
from collections import defaultdict

import basket_rig
import pytest
from harness import ROOT, Client, Pipeline, Program, Sender, program, wait_until

LINES = 6000  # more than till-devbroker would forget before a rebuild are too many
FRAME = 500
HORIZON_MS, MEMORY_MS = 1000, 3_600_000
EDGES = ("berlin", "paris")
COUNTRIES = {"United Kingdom": "berlin"}
CHANNELS, PAYMENTS = ("web", "shop", "phone"), ("card", "cash", None)
SPANS = [f"aggregator.basket_horizon={HORIZON_MS}ms", f"aggregator.basket_memory={MEMORY_MS}ms"]


@pytest.fixture
def pipe(tmp_path):
    broker = Program("till-devbroker", ["-o", "devbroker.topics=orders,cart_events,page_views"], tmp_path / "devbroker.log")
    made = Pipeline(tmp_path, broker.ready["bootstrap"], "", edges=EDGES, options={
        "till-bridge": ["bridge.create_topics=no"], "till-aggregator": SPANS})
    made.start_aggregator("-c", ROOT / "deploy" / "views.conf")
    yield made
    made.stop()
    broker.kill()


def line_of(row):
    """The invoice says where and how it was sold; of some nobody knows how they were paid."""
    number = int("".join(filter(str.isdigit, row["InvoiceNo"])))
    channel, payment = CHANNELS[number % 3], PAYMENTS[number // 3 % 3]
    event = {"kind": "order", "order_id": row["InvoiceNo"], "product_id": row["StockCode"], "quantity": int(row["Quantity"]),
             "unit_price": row["UnitPrice"], "channel": channel, "ts": row["InvoiceDate"]}
    if payment is not None:
        event["payment"] = payment
    return COUNTRIES.get(row["Country"], "paris"), event


def real_sales(path):
    by_edge = defaultdict(list)
    with open(path, newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file)):
            if number == LINES:
                break
            edge, event = line_of(row)
            by_edge[edge].append(event)
    return by_edge


class Till:
    """Sends what it is given, and now and then a purchase that nobody looks at, so that the clocks of partitions go on."""

    def __init__(self, pipe):
        self.senders = {edge: Sender(pipe.endpoint(edge)) for edge in EDGES}
        self.probes = 0

    def send(self, edge, lines):
        for begin in range(0, len(lines), FRAME):
            frame = lines[begin:begin + FRAME]
            reply = self.senders[edge].ask(frame)
            assert reply["accepted"] == len(frame), reply

    def probe(self):
        self.probes += 1
        for edge in EDGES:
            self.send(edge, [sale(f"probe-{self.probes}", 1)])

    def close(self):
        for sender in self.senders.values():
            sender.close()


def sale(order_id, price, **more):
    return {"order_id": order_id, "product_id": "tea", "unit_price": str(price), "channel": "web", "payment": "card", **more}


def close_all(pipe, tills, opened):
    """Until so many baskets have closed, at least."""

    def are_closed():
        tills.probe()
        return basket_rig.books(pipe)["closed"] >= opened

    wait_until(are_closed, "the baskets to close", every=0.3)


def dump_of(args):
    return subprocess.run([program("till-aggregator"), *args, "--dump"], capture_output=True, text=True, timeout=120, check=True).stdout


def without_shares(dump):
    """What does not depend on how rows are spread over shards."""
    lines = [json.loads(line) for line in dump.splitlines()]
    return [{name: value for name, value in line.items() if name not in ("rows", "hashes")} for line in lines]


def assert_rebuilt(pipe, folder):
    """Counted anew, and by four shards: the same to the byte."""
    pipe.aggregator.stop()
    before = dump_of(pipe.aggregator.args)
    data = folder / "four"
    data.mkdir()
    pipe.aggregator.args += ["-o", f"aggregator.data={data}", "-o", "aggregator.shards=4"]
    pipe.aggregator.start()
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    pipe.wait_applied()
    pipe.aggregator.stop()
    assert without_shares(dump_of(pipe.aggregator.args)) == without_shares(before)
    pipe.aggregator.args = pipe.aggregator.args[:-4] + ["-o", f"aggregator.data={folder / 'anew'}"]
    (folder / "anew").mkdir()
    pipe.aggregator.start()
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    pipe.wait_applied()
    pipe.aggregator.stop()
    assert dump_of(pipe.aggregator.args) == before


def test_baskets_of_real_sales_are_right_to_the_cent_and_late_lines_are_counted(pipe, retail, tmp_path):
    sales, tills = real_sales(retail[0]), Till(pipe)
    halves = {edge: len(lines) // 2 for edge, lines in sales.items()}
    for edge, lines in sales.items():
        tills.send(edge, lines[:halves[edge]])
    pipe.aggregator.restart()  # kill -9, with baskets open
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    for edge, lines in sales.items():
        tills.send(edge, lines[halves[edge]:])
    tills.send("paris", [sale("returned", 30, quantity=-1), sale("returned", 10), sale("two", 1, currency="EUR"), sale("two", 2, currency="USD"),
                         sale("exchanged", 5, quantity=2), sale("exchanged", 5, quantity=-2)])
    pipe.wait_settled()
    opened = sum(len({each["order_id"] for each in lines}) for lines in sales.values()) + 3
    close_all(pipe, tills, opened)
    late = basket_rig.books(pipe)["late"]
    tills.send("paris", [sale("returned", 7), sale("two", 9, currency="EUR")])
    tills.send("berlin", sales["berlin"][:50])
    pipe.aggregator.restart()  # the closed ones are known
    pipe.client = Client(pipe.aggregator.ready["listen"][0])
    pipe.wait_settled()
    assert basket_rig.books(pipe)["late"] >= late + 52
    tills.send("berlin", [sale("last", 3)])
    pipe.wait_settled()
    close_all(pipe, tills, basket_rig.books(pipe)["closed"] + basket_rig.books(pipe)["open"])
    tills.close()
    pipe.wait_settled()
    hand, count = basket_rig.count_by_hand(pipe, HORIZON_MS, MEMORY_MS)
    basket_rig.assert_same(pipe, hand, count)
    assert_rebuilt(pipe, tmp_path)


@pytest.mark.parametrize("line, words", [
    ("measures = n = sum(product_id)", 'events of kind basket have no field "product_id"'),
    ("measures = n = sum(line)", 'did you mean "lines"?'),
    ("measures = n = sum(quantity * unit_price)", '")" was expected'),
    ("measures = n = distinct(user_id)", "distinct(user_id) needs a view of kind order"),
    ("measures = n = count() where category = tea", 'events of kind basket have no field "category"'),
])
def test_what_no_basket_has_is_refused_with_file_and_line(tmp_path, line, words):
    conf = tmp_path / "views.conf"
    conf.write_text(f"[aggregator]\ndata = {tmp_path}\nbrokers = localhost:1\n\n[view.mine]\nkind = basket\ngroup_by = edge\n{line}\n")
    done = subprocess.run([program("till-aggregator"), "-c", conf, "--check"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"{conf}:8" in done.stderr and words in done.stderr, done.stderr


def test_a_memory_shorter_than_the_horizon_is_refused(tmp_path):
    done = subprocess.run([program("till-aggregator"), "-o", f"aggregator.data={tmp_path}", "-o", "aggregator.brokers=localhost:1",
                           "-o", "aggregator.basket_horizon=1h", "-o", "aggregator.basket_memory=1m", "--check"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "basket_memory is shorter than basket_horizon" in done.stderr, done.stderr
