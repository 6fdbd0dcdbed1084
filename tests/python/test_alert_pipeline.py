"""Each rule against the real chain, edges to aggregator: nothing is off, then something is made to be, and just that is announced. The page
of the command is run, too."""
import contextlib
import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from alert_rig import Hook, alert
from harness import ROOT, Sender

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
VIEWS = ("-c", ROOT / "deploy" / "views.conf", "-c", ROOT / "deploy" / "examples" / "alerts-views.conf")
PAGE = (ROOT / "docs" / "ALERTS.md").read_text()


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.close()


@pytest.fixture
def shop(pipeline):
    """Two edges, and an aggregator that has the views of rules."""
    pipe = pipeline(edges=("uk", "fr"))
    pipe.start_aggregator(*VIEWS)
    return pipe


def wednesday_noon():
    """Of the last one that is over: views keep rows for so long, by Kafka's clock."""
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    return round((today - timedelta(days=(today.weekday() - 2) % 7 or 7)).timestamp() * 1000)


def written(ms, form):
    return datetime.fromtimestamp(ms / 1000, UTC).strftime(form)


class Line:
    """Sends events of an edge, in frames."""

    def __init__(self, pipe):
        self.pipe, self.number = pipe, 0

    def send(self, edge, events):
        with contextlib.closing(Sender(self.pipe.endpoint(edge))) as sender:
            for start in range(0, len(events), 5000):
                frame = events[start:start + 5000]
                reply = sender.ask(frame)
                assert reply["accepted"] + reply["invalid"] == len(frame), reply

    def sale(self, ts_ms, product="tea", price="2.50", quantity=1):
        self.number += 1
        return {"order_id": f"o{self.number}", "product_id": product, "quantity": quantity, "unit_price": price, "currency": "EUR",
                "ts": ts_ms}


def config_of(folder, pipe, rules, hook):
    path = folder / "alerts.conf"
    path.write_text(f"[alert]\nat = {pipe.aggregator.ready['listen'][0]}\nstate = {folder}/state.db\nhttp =\npublish =\n{rules}\n"
                    f"[sink.hook]\ntype = webhook\nurl = {hook.url}\n")
    return path


def round_of(config):
    done = alert("run", "--once", "-c", config)
    assert done.returncode == 0, done.stderr


def told(hook):
    return [(each["type"], each["rule"], tuple(each["key"].values())) for each in hook.taken]


def test_invalid_events_of_an_edge_are_announced(shop, hook, tmp_path):
    line, now = Line(shop), round(time.time() * 1000)
    for edge in ("uk", "fr"):
        line.send(edge, [line.sale(now - number * 1000) for number in range(95)])
    bad = [{"order_id": "x", "product_id": "tea", "unit_price": "2,55"}] * 6
    line.send("uk", bad[:5])
    shop.wait_settled()
    config = config_of(tmp_path, shop, "[rule.invalid]\ntype = invalid_share\nfor = 0\nmin_events = 50\n", hook)
    assert alert("check", "-c", config).returncode == 0
    round_of(config)
    assert told(hook) == []  # 5 of 100
    line.send("uk", bad[5:])
    shop.wait_settled()
    round_of(config)
    assert told(hook) == [("begin", "invalid", ("uk",))]
    assert hook.taken[0]["text"] == "6 of 101 events of uk were invalid: 5.9 %, more than 5 %; most often bad_value"
    line.send("uk", [line.sale(now) for _ in range(19)])
    shop.wait_settled()
    round_of(config)  # 6 of 120
    assert told(hook) == [("begin", "invalid", ("uk",)), ("end", "invalid", ("uk",))]


def test_a_till_that_falls_silent_is_announced_and_a_closed_one_is_not(shop, hook, tmp_path):
    """By the time of events: uk and fr sold each five minutes around this time for four weeks, fr not at this hour. Then fr's clock-like
    sales go on elsewhere (they make the time), and uk is silent."""
    line, noon = Line(shop), wednesday_noon()
    weeks = [noon - week * 7 * DAY for week in range(5)]
    for week in weeks:
        before = range(week - 2 * HOUR, week + 1, 5 * MINUTE)
        after = range(week + 5 * MINUTE, week + 3 * HOUR, 5 * MINUTE) if week != noon else ()
        line.send("uk", [line.sale(ts) for ts in (*before, *after)])
        line.send("fr", [line.sale(ts) for ts in range(week - 11 * HOUR, week - 6 * HOUR, 5 * MINUTE)])
    shop.wait_settled()
    config = config_of(tmp_path, shop, "clock = event\n[rule.quiet]\ntype = silent_till\nfor = 0\n", hook)
    assert alert("check", "-c", config).returncode == 0
    round_of(config)
    assert told(hook) == []
    line.send("fr", [line.sale(noon + 10 * MINUTE)])  # the minute of uk's last sale ended at 12:01: silent for nine minutes, of ten
    shop.wait_settled()
    round_of(config)
    assert told(hook) == []
    line.send("fr", [line.sale(noon + 12 * MINUTE)])
    shop.wait_settled()
    round_of(config)
    assert told(hook) == [("begin", "quiet", ("uk",))]
    assert written(noon, "uk has sold nothing since %Y-%m-%d 12:01") in hook.taken[0]["text"]
    line.send("uk", [line.sale(noon + 12 * MINUTE)])
    shop.wait_settled()
    round_of(config)
    assert told(hook)[1:] == [("end", "quiet", ("uk",))]


def test_a_price_off_its_own_history_is_announced(shop, hook, tmp_path):
    line, noon = Line(shop), wednesday_noon()
    for day in range(1, 11):
        line.send("uk", [line.sale(noon - day * DAY, product, price) for product, price in (("tea", "2.50"), ("salt", "0.99"))])
    line.send("uk", [line.sale(noon, "tea", "3.00"), line.sale(noon, "salt", "1.10"), line.sale(noon, "new", "99")])
    shop.wait_settled()
    config = config_of(tmp_path, shop, "clock = event\n[rule.price]\ntype = price\nfor = 0\n", hook)
    assert alert("check", "-c", config).returncode == 0
    round_of(config)
    assert told(hook) == []  # 3.00 is just one fifth above
    line.send("fr", [line.sale(noon, "tea", "25.00")])  # one line of two: the average is 14.00
    shop.wait_settled()
    round_of(config)
    assert told(hook) == [("begin", "price", ("tea", "EUR"))]
    assert hook.taken[0]["text"] == written(noon, "average_price of tea EUR was 14.00 on %Y-%m-%d; "
                                                  "usual of 10 days before is 2.50, at most 0.50 off")


def test_a_drop_of_revenue_is_announced_by_edge_and_in_total(shop, hook, tmp_path):
    """Monday to Wednesday noon: each edge sold 100 an hour in the week before. This week fr did so, too, and uk nothing since Tuesday."""
    line, noon = Line(shop), wednesday_noon()
    monday = noon - 2 * DAY - 12 * HOUR
    hours = range(monday, noon, HOUR)
    for edge in ("uk", "fr"):
        line.send(edge, [line.sale(ts - 7 * DAY, price="100") for ts in hours])
    line.send("uk", [line.sale(ts, price="100") for ts in hours[:31]])  # of 60
    line.send("fr", [line.sale(ts, price="100") for ts in hours])
    line.send("fr", [line.sale(noon, price="100")])  # makes it noon
    shop.wait_settled()
    rules = "clock = event\n[rule.drop]\ntype = revenue_drop\nfor = 0\ndrop = {drop}\n"
    config = config_of(tmp_path, shop, rules.format(drop="0.5"), hook)
    assert alert("check", "-c", config).returncode == 0
    round_of(config)
    assert told(hook) == []  # 29 of 60
    line.send("uk", [line.sale(hours[0], price="100", quantity=-1)])
    shop.wait_settled()
    round_of(config)
    assert told(hook) == [("begin", "drop", ("uk", "EUR"))]  # half
    assert hook.taken[0]["text"] == "uk: 3000.00 EUR this week so far, 6000.00 EUR in the same span a week ago: 50 % less"
    config_of(tmp_path, shop, rules.format(drop="0.25"), hook)
    round_of(config)
    assert told(hook)[1:] == [("begin", "drop", ("EUR",))]  # 9000 of 12000


def test_a_threshold_may_ask_whatever_a_question_may(shop, hook, tmp_path):
    line, noon = Line(shop), wednesday_noon()
    line.send("uk", [line.sale(noon - 7 * DAY, price="100"), line.sale(noon, price="40")])
    line.send("fr", [line.sale(noon - 7 * DAY, price="100"), line.sale(noon, price="60")])
    shop.wait_settled()
    rules = """
[rule.halved]
type = threshold
view = edge_hours
measure = total_revenue
where = edge != it and total_revenue > 1
group_by = edge
range = 24h
compare = 7d
of = change
below = -0.5
for = 0
[rule.all]
type = threshold
view = stores
measure = order_count
group_by = -
above = 3
for = 0
"""
    config = config_of(tmp_path, shop, rules, hook)
    assert alert("check", "-c", config).returncode == 0
    round_of(config)
    assert sorted(told(hook)) == [("begin", "all", ("EUR",)), ("begin", "halved", ("uk", "EUR"))]
    assert {each["rule"]: each["text"] for each in hook.taken}["halved"] == "change of total_revenue of uk EUR is -0.600000, below -0.5"
    config.write_text(config.read_text().replace("where = edge != it", "where = edg != it"))
    done = alert("check", "-c", config)
    assert done.returncode == 1
    assert re.search(r"alerts\.conf:11: \[rule\.halved\] where: .*edge", done.stderr)


# ---- the page


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


def test_the_example_of_the_page_announces_what_it_says(shop, hook, tmp_path):
    """Its configuration and its commands, on two edges of which one sent too much that did not fit."""
    line, now = Line(shop), round(time.time() * 1000)
    line.send("uk", [line.sale(now) for _ in range(100)] + [{"order_id": "x"}] * 20)
    line.send("fr", [line.sale(now) for _ in range(100)])
    shop.wait_settled()
    config = tmp_path / "alerts.conf"
    text = blocks("ini")[0]
    for old, new in (("tcp://127.0.0.1:7172", shop.aggregator.ready["listen"][0]), ("/var/lib/till-alert", str(tmp_path)),
                     ("https://alerts.example.org/till", hook.url), ("/etc/till/alert-webhook.secret", str(tmp_path / "hook.secret"))):
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    (tmp_path / "hook.secret").write_text("S1GNATURE\n")
    (tmp_path / "hook.secret").chmod(0o600)
    commands = [words.split(" #")[0].split() for words in blocks("sh")[0].splitlines()]
    assert [words[2] for words in commands] == ["check", "test-sinks", "run", "list", "silence"]
    for words in commands:
        arguments = [str(config) if word == "alerts.conf" else word for word in words[2:]]
        arguments += ["--once"] if words[2] == "run" else []
        done = alert(*arguments)
        assert done.returncode == 0, done.stderr
        if words[2] == "list":
            assert "uk were invalid" in done.stdout
    assert [each["type"] for each in hook.taken] == ["test", "begin"]
    assert hook.taken[1]["key"] == {"edge": "uk"}


def test_every_option_is_on_the_page_with_its_default():
    from till.alert.config import ALERT, MAIL, WEBHOOK
    from till.alert.options import REQUIRED
    from till.alert.rules import COMMON, JUDGES
    sections = {"[alert]": ALERT, "webhook": WEBHOOK, "mail": MAIL, "every rule": COMMON,
                **{name: kind.OPTIONS for name, kind in JUDGES.items()}}
    for name, options in sections.items():
        found = re.search(rf"^### Options of {re.escape(name)}\n(.*?)(?=^#|\Z)", PAGE, re.M | re.S)
        assert found, name
        documented = dict(re.findall(r"^\| `([\w]+)` \| ([^|]*?) \|", found[1], re.M))
        assert documented == {option.key: "required" if option.default is REQUIRED or option.key == "type" else
                              f"`{option.default}`" if option.default else "" for option in options}, name


def test_every_metric_is_on_the_page():
    from till.alert.metrics import FAMILIES
    assert set(re.findall(r"^\| `(till_alert_\w+)`", PAGE, re.M)) == set(FAMILIES)


