"""till report on a made shop: baskets by channel and payment in two currencies, through real programs."""
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import till
from harness import Sender, wait_until
from pictures import size_of_png
from till.report import Period, currencies, gather

DAY_MS = 86_400_000
BEGIN_MS = 1_709_546_400_000  # 2024-03-04, 10:00 UTC
REPORT = Path(sys.executable).parent / "till-report"


def baskets():
    """Sixty of two lines each: (order, currency, channel, payment, prices of its lines)."""
    for number in range(60):
        currency = "EUR" if number % 3 else "NOK"
        prices = Decimal(100 + 7 * number) / 100, Decimal(250 + number * number) / 100
        yield f"o{number}", currency, "web" if number % 2 else "store", "card" if number % 4 < 2 else "cash", prices


def lines():
    for at, (order, currency, channel, payment, prices) in enumerate(baskets()):
        for price in prices:
            yield {"order_id": order, "product_id": f"p{at % 5}", "quantity": 1, "unit_price": f"{price}", "currency": currency,
                   "channel": channel, "payment": payment, "user_id": f"u{at % 9}", "ts": BEGIN_MS + at * DAY_MS // 4}


def by_group(currency):
    found = defaultdict(list)
    for _, of, channel, payment, prices in baskets():
        if of == currency:
            found[channel, payment].append(sum(prices))
    return found


def close_baskets(pipe, sender):
    """An order that names no channel, again and again, until time has passed over all baskets before it."""
    def are_closed():
        later = {"order_id": "later", "product_id": "p0", "quantity": 1, "unit_price": "0", "currency": "EUR", "ts": BEGIN_MS}
        assert sender.ask([later])["ok"]
        return sum(row["basket_count"] for row in pipe.client.scan("baskets")) == 60
    wait_until(are_closed, "sixty closed baskets", every=0.3)


def test_baskets_of_each_currency_are_drawn_by_channel_and_payment(pipeline, tmp_path):
    pipe = pipeline(options={"till-aggregator": ("aggregator.basket_horizon=1s",)})
    pipe.start_aggregator()
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask(list(lines()))["ok"]
    close_baskets(pipe, sender)
    sender.close()
    at = pipe.aggregator.ready["listen"][0]
    with till.Client(at) as client:
        assert currencies(client, Period()) == ["EUR", "NOK"]
        for currency in ("EUR", "NOK"):
            told, wanted = gather(client, currency, Period()), by_group(currency)
            assert told.revenue == sum(map(sum, wanted.values()))
            boxes = {(box.channel, box.payment): box for box in told.boxes.rows}
            assert {key: (box.count, box.minimum, box.maximum) for key, box in boxes.items()} == {
                key: (len(values), min(values), max(values)) for key, values in wanted.items()}
            for key, values in wanted.items():
                assert abs(boxes[key].average - sum(values) / len(values)) < Decimal("0.000001")
                assert min(values) <= boxes[key].q25 <= boxes[key].q50 <= boxes[key].q75 <= max(values)
    out = tmp_path / "report"
    done = subprocess.run([REPORT, "--at", at, "--out", out], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [f"{out}/EUR/index.html", f"{out}/NOK/index.html", f"{out}/index.html"]
    for currency in ("EUR", "NOK"):
        page = (out / currency / "index.html").read_text()
        assert all(f"<td>{word}</td>" in page for word in ("web", "store", "card", "cash"))
        assert f"in {currency}" in page
        assert min(size_of_png((out / currency / "boxes.png").read_bytes())) > 300
