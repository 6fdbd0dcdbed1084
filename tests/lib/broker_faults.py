"""Tills that sell while a Kafka of three nodes is killed, frozen, robbed of its quorum and its rules; and the ledger of what they
were told, which the totals must equal."""
import concurrent.futures
import contextlib
import random
import threading
import time

from cluster import money, totals_of
from harness import DEADLINE, Client, Sender, wait_until
from test_spine import order

PRODUCTS = ("tea", "salt", "rice", "oil")
FRAMES_A_SECOND = 10  # of each till
FRAME_MAX = 10


starters = concurrent.futures.ThreadPoolExecutor(4)


class Tills:
    """One producer an edge, on threads of their own; counts what the edges said ok to. Nothing is refused, for no edge dies."""

    def __init__(self, pipe, seed):
        self.pipe, self.seed = pipe, seed
        self.sold = {}  # product -> [count, quantity, millionths]
        self.numbers = dict.fromkeys(pipe.edges, 0)
        self.errors, self.threads = [], []
        self.lock, self.stop = threading.Lock(), threading.Event()

    def sell(self, edge):
        chance = random.Random(f"{self.seed}-{edge}-{self.numbers[edge]}")
        sender = Sender(self.pipe.endpoint(edge))
        try:
            while not self.stop.wait(1 / FRAMES_A_SECOND):
                self.numbers[edge] += 1
                frame = [(chance.choice(PRODUCTS), chance.randint(1, 9), chance.randint(1, 10**7))
                         for _ in range(chance.randint(1, FRAME_MAX))]
                events = [order(f"{edge}-{self.numbers[edge]}-{at}", product, quantity, money(micros))
                          for at, (product, quantity, micros) in enumerate(frame)]
                reply = sender.ask(events, {"producer": f"till-{edge}", "n": self.numbers[edge]})
                assert reply["ok"] and reply["accepted"] == len(frame) and not reply["repeated"], reply
                self.enter(frame)
        except Exception as error:  # told by the thread that joins
            self.errors.append(error)
        finally:
            sender.close()

    def enter(self, frame):
        with self.lock:
            for product, quantity, micros in frame:
                sums = self.sold.setdefault(product, [0, 0, 0])
                for at, more in enumerate((1, quantity, quantity * micros)):
                    sums[at] += more

    def __enter__(self):
        self.stop.clear()
        self.threads = [threading.Thread(target=self.sell, args=(edge,), daemon=True) for edge in self.pipe.edges]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(DEADLINE)
        if self.errors:
            raise self.errors[0]

    def totals(self):
        return {product: (count, quantity, money(micros)) for product, (count, quantity, micros) in self.sold.items()}

    def events(self):
        return sum(count for count, _, _ in self.sold.values())


class Faults:
    """What happens to the brokers, each by its name. `pipe` comes to them as cluster.USER, whom rules concern."""

    NAMES = ("kill", "kill_leader", "freeze", "freeze_leader", "too_few_in_sync", "deny_write", "deny_read", "move_leaders")

    def __init__(self, cluster, pipe, chance):
        self.cluster, self.pipe, self.chance = cluster, pipe, chance
        self.orders = f"{pipe.prefix}orders"
        self.done = dict.fromkeys(self.NAMES, 0)
        self.starting = {}  # a node takes seconds to start: other faults go on meanwhile

    def wait_started(self, left=0):
        """Until at most so many nodes are about to start."""
        self.starting = {node: start for node, start in self.starting.items() if not (start.done() and start.result() is not None)}
        while len(self.starting) > left:
            node = next(iter(self.starting))
            self.starting.pop(node).result()

    def do(self, name):
        getattr(self, name)()
        self.done[name] += 1

    def rest(self, most_s, least_s=0.2):
        """The time that a fault lasts: what is tested is what happens in it, and nothing waits for its end."""
        time.sleep(self.chance.uniform(least_s, most_s))

    def any_node(self):
        self.wait_started(left=1)
        return self.chance.choice([node for node in self.cluster.all_nodes() if node not in self.starting])

    def leaders(self):
        """[[leader, in sync], …]; a node that has just started may not know the topic yet."""
        return wait_until(lambda: self.cluster.admin.leaders(prefix=self.orders).get(self.orders), "the topic's leaders")

    def leader(self):
        leaders = [leader for leader, _ in self.leaders() if leader > 0]
        return self.chance.choice(leaders) if leaders else self.any_node()

    def kill(self, node=None):
        self.wait_started(left=1)
        node = node if node and node not in self.starting else self.any_node()
        self.cluster.kill(node)
        self.rest(2)
        self.starting[node] = starters.submit(self.cluster.start, node)

    def kill_leader(self):
        self.kill(self.leader())

    def freeze(self, node=None):
        node = node if node and node not in self.starting else self.any_node()
        self.cluster.freeze(node)
        self.rest(4, 1)
        self.cluster.thaw(node)

    def freeze_leader(self):
        self.freeze(self.leader())

    def too_few_in_sync(self):
        """More copies are asked for than there are: Kafka refuses every record of orders, and takes it again."""
        self.cluster.admin.configure(topic=self.orders, **{"min.insync.replicas": "3"})
        node = self.any_node()
        self.cluster.freeze(node)
        with contextlib.suppress(AssertionError):  # on a busy machine it may take longer until the others notice
            wait_until(lambda: any(len(in_sync) < 3 for _, in_sync in self.leaders()), "a copy that is behind", 10, every=0.1)
        self.rest(1)
        self.cluster.thaw(node)
        self.cluster.admin.configure(topic=self.orders, **{"min.insync.replicas": "2"})

    def deny(self, operation):
        self.cluster.admin.deny(topic=self.orders, operation=operation)
        self.rest(2)
        self.cluster.admin.allow(topic=self.orders)

    def deny_write(self):
        self.deny("WRITE")

    def deny_read(self):
        self.deny("READ")

    def move_leaders(self):
        """Back to where they were before a node died, by the controller's word: nobody is down."""
        before = self.leaders()
        self.cluster.admin.elect()
        self.rest(1)
        if [leader for leader, _ in before] == [leader for leader, _ in self.leaders()]:
            self.freeze_leader()


def assert_equals_ledger(pipe, tills, cluster, deadline=300):
    """After everything, and when all brokers run again: what tills were told = what is counted = what an independent reader finds in the log."""
    cluster.heal(pipe.prefix)
    pipe.wait_settled(deadline)
    told = totals_of(pipe.client)
    assert told == tills.totals(), f"counted {told}, sold {tills.totals()}"
    log = cluster.admin.scan(topic=f"{pipe.prefix}orders")
    found = {product: (count, quantity, money(micros)) for product, (count, quantity, micros) in log["products"].items()}
    assert found == told, f"the log has {found}, counted {told}"
    assert log["foreign"] == log["rejected"] == 0, log
    return log


def rebuilt_dump(pipe, run_dump):
    """The dump before, and that of a store which was counted anew from the log."""
    store = pipe.client.ask("status")["as_of"]["store"]
    pipe.aggregator.stop()
    before = run_dump()
    pipe.aggregator.args.append("--rebuild")
    pipe.aggregator.start()
    pipe.aggregator.args.remove("--rebuild")
    client = Client(pipe.aggregator.ready["listen"][0])
    wait_until(lambda: client.ask("status").get("as_of", {}).get("store", store) != store, "the rebuilt store", 300)
    client.close()
    pipe.aggregator.stop()
    return before, run_dump()
