"""Views, orders and random questions for the query language: `check_random` holds an aggregator's answers against query_model.py."""
import datetime
import random

from harness import Sender
from query_model import Question, Refused, View, draw_question

ZONE = "Europe/Berlin"
VIEWS = f"""
[view.lines]
group_by = edge, minute(ts), product_id
measures = n = count(), quantity_sum = sum(quantity), revenue = sum(revenue), low = min(unit_price), high = max(quantity), mean = average(quantity), paid = average(revenue), newest = last(ts), way = last(channel), piece = ratio(revenue, quantity_sum), apart = ratio(n, quantity_sum)
zone = {ZONE}

[view.hours]
group_by = hour(ts), weekday(ts), channel
measures = n = count(), revenue = sum(revenue)
zone = {ZONE}

[view.fine]
group_by = edge, hour(ts), product_id
measures = n = count(), middle = quantile(revenue, 0.5), most = quantile(quantity, 0.95), begin = first(channel), paid = average(revenue), web = count() where channel = web
zone = {ZONE}

[view.coarse]
group_by = product_id, month(ts)
measures = n = count(), middle = quantile(revenue, 0.5), most = quantile(quantity, 0.95), begin = first(channel), paid = average(revenue), web = count() where channel = web
zone = {ZONE}

[view.days]
group_by = edge, day(ts)
measures = n = count(), baskets = distinct(basket)

[view.weeks]
group_by = week(ts)
measures = n = count(), newest = max(ts)

[view.products]
group_by = product_id
measures = n = count(), revenue = sum(revenue), high = max(quantity), line = ratio(revenue, n)
"""
COUNT = ("count", "integer")
REVENUE = ("sum", "money")
MODELS = [
    View("lines", ["edge", "minute", "product_id", "currency"], {
        "n": COUNT, "quantity_sum": ("sum", "integer"), "revenue": REVENUE, "low": ("min", "money"), "high": ("max", "integer"),
        "mean": (("average", "quantity_sum", "n"), "decimal"), "paid": (("average", "revenue", "n"), "money"), "newest": ("max", "time"),
        "way": (("last", "newest"), "text"), "piece": (("average", "revenue", "quantity_sum"), "decimal"),
        "apart": (("average", "n", "quantity_sum"), "decimal")}, ZONE),
    View("hours", ["hour", "weekday", "channel", "currency"], {"n": COUNT, "revenue": REVENUE}, ZONE),
    View("days", ["edge", "day"], {"n": COUNT, "baskets": ("distinct_basket", "integer")}),
    View("weeks", ["week"], {"n": COUNT, "newest": ("max", "time")}),
    View("products", ["product_id", "currency"], {"n": COUNT, "revenue": REVENUE, "high": ("max", "integer"), "line": (("average", "revenue", "n"), "decimal")}),
]
EDGES = ["berlin", "oslo", "New York", "zürich"]


def orders(dice, count, start):
    """Few minutes of few hours, so that rows meet when they are shifted; both changes of the clocks are among the days."""
    days = [datetime.date(2010, 10, 24) + datetime.timedelta(days=each) for each in range(12)] + [
        datetime.date(2010, 3, 27), datetime.date(2010, 3, 28), datetime.date(2009, 10, 31), datetime.date(2010, 9, 30)]
    for number in range(start, start + count):
        day = dice.choice(days)
        moment = datetime.datetime(day.year, day.month, day.day, dice.choice([0, 1, 2, 9, 22, 23]), dice.choice([0, 30]),
                                   number // 1000 % 60, number % 1000 * 1000, tzinfo=datetime.timezone.utc)
        yield {"order_id": f"o{dice.randrange(count // 3 + 1)}", "product_id": dice.choice(["tea", "té", "salt", "p" * 120, "p" * 120 + "q"]),
                 "quantity": dice.choice([-2, 1, 1, 3, 10]), "unit_price": dice.choice(["0", "2.50", "0.333333", "19.99", "1000000"]),
                 "currency": dice.choice(["EUR", "NOK"]), "channel": dice.choice(["web", "store", "web-2"]), "ts": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def send(pipe, dice, count, start=0):
    events = list(orders(dice, count, start))
    for index, edge in enumerate(EDGES):
        sender = Sender(pipe.endpoint(edge))
        assert sender.ask(events[index::len(EDGES)])["ok"]
        sender.close()
    pipe.wait_settled()


def ask_all(client, request):
    """All rows, over its cursors where it has any."""
    rows, cursor = [], {}
    pages = {"limit": 97} if request["query"] == "scan" and "limit" not in request else {}
    while True:
        answer = client.ask(**request, **pages, **cursor)
        if not answer["ok"] or "next" not in answer:
            return answer | {"rows": rows + answer.get("rows", [])}
        rows += answer["rows"]
        cursor = {"cursor": answer["next"]}


def check_question(client, view, request, rows, event_ts):
    answer = ask_all(client, request)
    try:
        wanted = Question(view, request, event_ts).answer(rows)
    except Refused as refused:
        assert not answer["ok"] and answer["error"]["code"] == str(refused), (request, answer)
        return False
    assert answer["ok"], (request, answer)
    assert answer["rows"] == wanted, f"{request}\ngot    {answer['rows'][:3]}\nwanted {wanted[:3]}"
    return True


def check_random(client, seed, count):
    dice = random.Random(seed)
    status = client.ask("status")
    event_ts = datetime.datetime.fromtimestamp(status["as_of"]["event_ts"] / 1000, datetime.timezone.utc)
    rows = {view.name: client.scan(view.name) for view in MODELS}
    answered = 0
    for number in range(count):
        view = dice.choice(MODELS)
        request = draw_question(dice, view, rows[view.name])
        try:
            answered += check_question(client, view, request, rows[view.name], event_ts)
        except AssertionError as error:
            raise AssertionError(f"question {number} of seed {seed}: {error}") from error
    return answered
