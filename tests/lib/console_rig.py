"""What the console is shown with: a pipeline that has counted the real sales, and what they come to by an independent calculation."""
import json
import subprocess
from decimal import Decimal

from harness import ROOT, Pipeline, Sender, program

MAPPING = ("order_id=InvoiceNo,product_id=StockCode,quantity=Quantity,unit_price=UnitPrice,ts=InvoiceDate,"
           "user_id=CustomerID")
STORES = ("high street", "kiosk")
TABLE = """
[table.forecast]
key = day
columns = expected money, low money, high money

[source.forecast]
topic = {prefix}forecast
format = plain
table = forecast
"""
FORECAST = [{"day": "2010-12-24", "expected": 14210.55, "low": 9000.1, "high": 19000.25}, {"day": "2010-12-25", "expected": 0, "low": 0, "high": 120.5}]
NEWEST = "2010-12-23T17:41"  # the last minute of the data


class Console:
    """A pipeline with two edges; `high street` sold what the file says, `kiosk` what a test lets it sell."""

    def __init__(self, folder, broker, admin, prefix, csv, totals):
        self.totals, self.sold = totals, []
        self.pipe = Pipeline(folder, broker.bootstrap, prefix, edges=STORES)
        self.pipe.options = {"till-aggregator": ("aggregator.basket_horizon=1s",)}
        (folder / "tables.conf").write_text((ROOT / "deploy" / "views.conf").read_text() + TABLE.replace("{prefix}", prefix))
        admin.create(topic=f"{prefix}forecast", partitions=1)
        admin.produce(topic=f"{prefix}forecast", partition=0, records=[(row["day"].encode(), json.dumps(row).encode()) for row in FORECAST])
        self.pipe.start_aggregator("-c", folder / "tables.conf")
        done = subprocess.run([str(program("till")), "send", "--to", self.pipe.endpoint(STORES[0]), "--csv", "--map", MAPPING,
                               "--set", "currency=GBP", "--json", str(csv)],
                              capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stdout + done.stderr
        self.pipe.wait_settled(180)
        self.sender = Sender(self.pipe.endpoint(STORES[1]))

    @property
    def client(self):
        return self.pipe.client

    @property
    def address(self):
        return f"http://{self.pipe.aggregator.ready['http']}"

    def sell(self, **order):
        """A sale at the kiosk; in pounds, and a moment after the newest, unless it says otherwise."""
        number = len(self.sold) + 1
        event = {"order_id": f"kiosk-{number}", "product_id": "tea", "quantity": 1, "unit_price": "0.01", "currency": "GBP",
                 "ts": f"{NEWEST}:{number % 60:02}", **order}
        reply = self.sender.ask(event)
        assert reply["ok"], reply
        self.sold.append(event)
        return event

    def revenue(self, currency="GBP"):
        """By the file's own totals, and what was sold since."""
        since = sum((Decimal(each["unit_price"]) * each["quantity"] for each in self.sold if each["currency"] == currency), Decimal())
        return since + (Decimal(self.totals["revenue"]) if currency == "GBP" else 0)

    def lines(self, currency="GBP"):
        return sum(each["currency"] == currency for each in self.sold) + (self.totals["rows"] if currency == "GBP" else 0)

    def stop(self):
        self.sender.close()
        self.pipe.stop()


def minutes(totals):
    """{minute: [order lines, revenue]}, as answers write minutes."""
    return {key.replace(" ", "T")[:16]: [count, Decimal(revenue)] for key, (count, revenue) in totals["minutes"].items()}
