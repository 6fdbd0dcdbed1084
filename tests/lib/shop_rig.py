"""A shop for the tests of python/: known sales, all shipped views, a view with local times, and a table of products; what is in it is
worked out here, without the package."""
import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from harness import ROOT, Pipeline, Sender, wait_until

STORES = ("berlin", "oslo")
PRODUCTS = ("tea", "té", "salt", "85123A")
DECLARED = (ROOT / "deploy" / "views.conf").read_text() + """
[view.local_minutes]
group_by = edge, minute(ts)
measures = n = count(), revenue = sum(revenue), mean = average(quantity), apart = ratio(revenue, n), newest = last(ts), way = last(channel)
zone = Europe/Berlin

[view.months]
group_by = month(ts)
measures = n = count(), revenue = sum(revenue)

[view.weeks]
group_by = week(ts), hour_of_day(ts)
measures = n = count()

[table.products]
key = product_id
columns = name, weight integer, price money, since time
[source.goods]
topic = {prefix}goods
format = plain
table = products
"""
NAMES = {"tea": {"name": "Tea", "weight": 100, "price": "2.55", "since": "2010-01-02T03:04:05Z"},
         "salt": {"name": "Salt", "weight": 500, "price": "0.333333", "since": "2010-06-01T00:00:00Z"},
         "soap": {"name": "Soap", "weight": 90, "price": "1.20", "since": "2010-06-01T00:00:00Z"}}
BEGIN = datetime(2010, 10, 30, 20, 0, tzinfo=UTC)  # Berlin's clocks go back that night


def sales(count, seed=7):
    """As a till sends them; `ts` is text."""
    dice = random.Random(seed)
    for number in range(count):
        moment = BEGIN + timedelta(minutes=dice.randrange(60 * 24 * 8), milliseconds=number)
        yield {"order_id": f"o{number // 3}", "product_id": dice.choice(PRODUCTS), "quantity": dice.choice([-2, 1, 1, 3, 10]),
               "unit_price": dice.choice(["0", "2.50", "0.333333", "19.99", "1000000"]), "currency": dice.choice(["EUR", "NOK"]),
               "user_id": f"u{dice.randrange(9)}", "channel": dice.choice(["web", "store"]), "payment": dice.choice(["card", "cash"]),
               "category": dice.choice(["a", "b"]), "ts": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def revenue(sale):
    return sale["quantity"] * Decimal(sale["unit_price"])


class Shop:
    """A pipeline that has counted `sold`."""

    def __init__(self, folder, broker, prefix, hand, count=400):
        self.pipe = Pipeline(folder, broker.bootstrap, prefix, edges=STORES)
        (folder / "views.conf").write_text(DECLARED.replace("{prefix}", prefix))
        self.sold = list(sales(count))
        self.name_products(hand, f"{prefix}goods")
        self.pipe.start_aggregator("-c", folder / "views.conf")
        for index, store in enumerate(STORES):
            sender = Sender(self.pipe.endpoint(store))
            assert sender.ask(self.of(index))["ok"]
            sender.close()
        self.pipe.wait_settled()
        wait_until(lambda: len(self.pipe.client.scan("table.products")) == len(NAMES), "the names of products")

    def of(self, index):
        """The sales of a store."""
        return self.sold[index::len(STORES)]

    @staticmethod
    def name_products(hand, topic):
        hand.create(topic=topic, partitions=1)
        hand.produce(topic=topic, partition=0, records=[
            (name.encode(), json.dumps({"product_id": name, **row}).encode()) for name, row in NAMES.items()])

    @property
    def endpoint(self):
        return self.pipe.aggregator.ready["listen"][0]

    def stop(self):
        self.pipe.stop()
