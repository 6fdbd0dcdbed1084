"""The shipped views, computed from the events themselves in plain Python with Decimal: written from the contracts, without a look at
how the aggregator counts. A row is {column: value}; money is Decimal."""
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal

SUMS = ("total_quantity", "total_revenue", "returned_quantity", "returned_revenue")


def utc(event, zone=timezone.utc):
    return datetime.fromtimestamp(event["ts_ms"] // 1000, timezone.utc).astimezone(zone)


def revenue(event):
    return event["amount"] if event.get("amount") is not None else event["quantity"] * event["unit_price"]


def minute(event):
    return utc(event).strftime("%Y-%m-%dT%H:%M")


def hour_in(event, zone):
    """With its offset: an hour that comes twice is two."""
    text = utc(event, zone).strftime("%Y-%m-%dT%H:00%z")
    return text[:-2] + ":" + text[-2:]


def day_in(event, zone=timezone.utc):
    return utc(event, zone).strftime("%Y-%m-%d")


def key_of(event, fields, money):
    """None where the event has no such field."""
    derived = {"minute": minute, "day": day_in, "weekday": lambda each: utc(each).isoweekday(), "hour_of_day": lambda each: utc(each).hour}
    key = tuple(derived[name](event) if name in derived else event.get(name) for name in fields)
    if money:
        key += (event.get("currency") or "XXX",)
    return None if any(part in (None, "") for part in key) else key


def group(events, fields, money, measure):
    """{key: row}; measure(list of events) gives the measures."""
    groups = defaultdict(list)
    for event in events:
        key = key_of(event, fields, money)
        if key is not None:
            groups[key].append(event)
    names = (*fields, "currency") if money else tuple(fields)
    return {key: {**dict(zip(names, key)), **measure(members)} for key, members in groups.items()}


def totals(members):
    return {"order_count": len(members), "total_quantity": sum(each["quantity"] for each in members), "total_revenue": sum(map(revenue, members))}


def takings(members):
    return {"order_count": len(members), "total_revenue": sum(map(revenue, members))}


def baskets(members):
    return len({(each["edge"], each["order_id"]) for each in members if each.get("order_id")})


def of_users(members):
    newest = max(each["ts_ms"] for each in members)
    last = datetime.fromtimestamp(newest // 1000, timezone.utc) + timedelta(milliseconds=newest % 1000)
    return {"basket_count": baskets(members), **totals(members), "last_order": last.strftime("%Y-%m-%dT%H:%M:%S.") + f"{newest % 1000:03d}Z"}


def of_returns(members):
    return {"return_count": len(members), "returned_quantity": sum(each["quantity"] for each in members),
            "returned_revenue": sum(map(revenue, members))}


def of_carts(members):
    return {"added": sum(each["action"] == "add" for each in members), "removed": sum(each["action"] == "remove" for each in members)}


def of_demand(members):
    carts = of_carts([each for each in members if each["kind"] == "cart"])
    ordered = sum(each["kind"] == "order" and each["quantity"] > 0 for each in members)
    return {**carts, "ordered": ordered, "orders_per_add": ratio(ordered, carts["added"])}


def shipped(events, letters=()):
    """{view: {key: row}}. `letters`: (kind, code, edge) of each event that was refused."""
    orders = [each for each in events if each["kind"] == "order"]
    carts = [each for each in events if each["kind"] == "cart"]
    pages = [each for each in events if each["kind"] == "view"]
    counts = defaultdict(int)
    for letter in letters:
        counts[letter] += 1
    return {
        "products": group(orders, ["product_id"], True, totals),
        "users": group(orders, ["user_id"], True, of_users),
        "sales_per_minute": group(orders, ["minute"], True, totals),
        "categories": group(orders, ["category"], True, totals),
        "views_by_category": group(pages, ["category"], False, lambda members: {"view_count": len(members)}),
        "viewed_products": group(pages, ["product_id"], False, lambda members: {"view_count": len(members)}),
        "carts": group(carts, ["product_id"], False, of_carts),
        "cart_to_order": group(orders + carts, ["product_id"], False, of_demand),
        "weekday_hour": group(orders, ["weekday", "hour_of_day"], True, takings),
        "channels": group(orders, ["channel"], True, takings),
        "payments": group(orders, ["payment"], True, takings),
        "returns": group([each for each in orders if each["quantity"] < 0], ["product_id"], True, of_returns),
        "stores": group(orders, ["edge"], True, lambda members: {**takings(members), "basket_count": baskets(members)}),
        "stores_per_day": group(orders, ["edge", "day"], True, takings),
        "dead_letters": {key: dict(zip(("kind", "code", "edge", "count"), (*key, count))) for key, count in counts.items()},
    }


def quantile(numbers, millionths):
    """The smallest number that at least this share does not exceed."""
    ordered = sorted(numbers)
    return ordered[max(1, -(-len(ordered) * millionths // 1_000_000)) - 1]


class Baskets:
    """What a reader of one topic makes of its records: {(edge, order_id): lines} of each partition, by the clock of that partition."""

    def __init__(self, horizon_ms, memory_ms):
        self.horizon_ms, self.memory_ms = horizon_ms, memory_ms
        self.clocks, self.last = defaultdict(int), {}
        self.open = defaultdict(dict)  # of each partition, those that had a line last at the end
        self.closed, self.late = [], 0

    def open_count(self):
        return sum(map(len, self.open.values()))

    def close_until(self, partition):
        mine = self.open[partition]
        while mine and self.clocks[partition] - self.last[first := next(iter(mine))] > self.horizon_ms:
            self.closed.append(mine.pop(first))

    def pass_time(self, partition, append_ms):
        self.clocks[partition] = max(self.clocks[partition], append_ms)
        self.close_until(partition)

    def read(self, partition, append_ms, event):
        self.pass_time(partition, append_ms)
        now_ms = self.clocks[partition]
        key = partition, event["edge"], event["order_id"]
        if key not in self.open[partition] and key in self.last and now_ms - self.last[key] <= self.memory_ms:
            self.late += 1
            return
        self.open[partition][key] = [*self.open[partition].pop(key, ()), event]
        self.last[key] = now_ms


def first_of(lines, name):
    return next((each[name] for each in lines if each.get(name)), None)


def ratio(dividend, divisor):
    """Of integers; None where nothing is to be divided by."""
    return None if divisor == 0 else (Decimal(dividend) / divisor).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)


def average(numbers):
    return (sum(numbers) / Decimal(len(numbers))).quantize(Decimal("0.000001"))


def of_baskets(closed):
    """The shipped view of them, and how many are in no row."""
    amounts, unmatched = defaultdict(list), 0
    for lines in closed:
        by_currency = defaultdict(Decimal)
        for each in lines:
            by_currency[each["currency"]] += revenue(each)
        for currency, amount in by_currency.items():
            key = first_of(lines, "channel"), first_of(lines, "payment"), currency
            unmatched += None in key
            if None not in key:
                amounts[key].append(amount)
    return amounts, unmatched


def as_found(view, key_columns, rows):
    """Rows of an answer, in the oracle's form."""
    found = {}
    for row in rows:
        shown = {name: Decimal(value) if name.endswith(("_revenue", "_per_add")) and value is not None else value for name, value in row.items()}
        key = tuple(row[name] for name in key_columns)
        assert key not in found, (view, key)
        found[key] = shown
    return found
