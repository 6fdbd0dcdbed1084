"""Real transactions, one edge a country, all at once, through a real Kafka: totals to the cent."""
import subprocess
from decimal import Decimal

from harness import program

MAPPING = ("order_id=InvoiceNo,product_id=StockCode,quantity=Quantity,unit_price=UnitPrice,ts=InvoiceDate,"
           "user_id=CustomerID")


def start_sender(endpoint, csv, country, *more):
    return subprocess.Popen([str(program("till")), "send", "--to", endpoint, "--csv", "--map", MAPPING, "--where",
                             f"Country={country}", "--set", "currency=GBP", "--json", *map(str, more), str(csv)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)


def assert_equals_truth(client, totals):
    """Every product, every minute, every store: exactly what the independent program computed."""
    products = {row["product_id"]: [row["order_count"], row["total_quantity"], Decimal(row["total_revenue"])]
                for row in client.scan("products")}
    assert products == {key: [count, quantity, Decimal(revenue)]
                        for key, (count, quantity, revenue) in totals["products"].items()}
    minutes = {row["minute"]: [row["order_count"], Decimal(row["total_revenue"])]
               for row in client.scan("sales_per_minute")}
    assert minutes == {key.replace(" ", "T")[:16]: [count, Decimal(revenue)]
                       for key, (count, revenue) in totals["minutes"].items()}
    stores = {row["edge"]: row["order_count"] for row in client.scan("stores")}
    assert stores == totals["stores"]


def test_totals_of_real_sales_are_exact(pipeline, retail):
    csv, totals = retail
    countries = sorted(totals["stores"])
    pipe = pipeline(edges=countries, bridges=2)
    pipe.start_aggregator()
    senders = [start_sender(pipe.endpoint(country), csv, country) for country in countries]
    for country, sender in zip(countries, senders):
        out, err = sender.communicate(timeout=300)
        assert sender.returncode == 0, f"{country}: {out}{err}"
    pipe.wait_settled(180)
    assert_equals_truth(pipe.client, totals)
