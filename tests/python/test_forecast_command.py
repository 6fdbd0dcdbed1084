"""till forecast on sales that went through a real pipeline."""
import json
import random
import re
import shlex
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import till
from harness import ROOT, Pipeline, Sender, program
from till.forecast import DAY, HOUR, source

PAGE = (ROOT / "docs" / "FORECAST.md").read_text()
START = datetime(2024, 3, 4, tzinfo=UTC)  # a Monday
COUNT = 65  # days; the last one is not over
PRODUCTS = {"tea": 1, "salt": 2, "cup": 3}
BIN = Path(sys.executable).parent


def made_sales():
    """{(product, day): pieces}: none on Sundays, no cup on Mondays, a product that appeared yesterday."""
    draw = random.Random(11)
    sold = {(product, day): draw.randrange(5, 9) * (1 + day % 7) for product in PRODUCTS for day in range(COUNT)
            if day % 7 != 6 and (product, day % 7) != ("cup", 0)}
    sold["new", COUNT - 2] = 4
    return sold


SOLD = made_sales()


def lines():
    """Each day's pieces as two lines, one in dollars."""
    for (product, day), pieces in SOLD.items():
        ts = int((START + timedelta(days=day, hours=9 + day % 7)).timestamp() * 1000)
        for part, currency in ((pieces - 1, "EUR"), (1, "USD")):
            yield {"order_id": f"{product}-{day}-{currency}", "product_id": product, "quantity": part, "unit_price": "2.50",
                   "currency": currency, "ts": ts}


@pytest.fixture(scope="module")
def shop(broker, tmp_path_factory):
    """A pipeline that has counted all lines, with the views that docs/FORECAST.md points to."""
    pipe = Pipeline(tmp_path_factory.mktemp("forecast"), broker.bootstrap, f"forecast-{random.randrange(10 ** 9)}-")
    pipe.start_aggregator("-c", ROOT / "deploy/views.conf", "-c", ROOT / "deploy/examples/views-of-products.conf")
    sender = Sender(pipe.endpoint("store-1"))
    assert sender.ask(list(lines()))["ok"]
    sender.close()
    pipe.wait_settled()
    yield pipe
    pipe.stop()


def endpoint(pipe):
    return pipe.aggregator.ready["listen"][0]


def forecast(pipe, *arguments):
    command = [BIN / "till-forecast", "--at", endpoint(pipe), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def of_days(product=None):
    """What was sold, by hand, on the finished days."""
    return [sum(pieces for (name, at), pieces in SOLD.items() if at == day and product in (None, name)) for day in range(COUNT - 1)]


def test_the_series_are_what_was_sold(shop):
    now = datetime(2024, 5, 8, tzinfo=UTC)
    with till.Client(endpoint(shop)) as client:
        views = client.views()
        found = source.find_view(views, step=DAY, measure="total_quantity", of_products=False)
        assert found["name"] == "sales_per_minute"
        past = source.history(client, source.source_of(client, found, DAY, "total_quantity", None), now)
        assert list(past.shop.values) == of_days()
        assert past.shop.start == START.date()
        found = source.find_view(views, step=DAY, measure="total_quantity", of_products=True)
        assert found["name"] == "product_days"
        by_product = source.source_of(client, found, DAY, "total_quantity", None)
        for product in PRODUCTS:
            wanted = of_days(product)
            first = next(day for day, pieces in enumerate(wanted) if pieces)
            series = source.of_product(client, by_product, product, past.shop.at(COUNT - 1))
            assert (series.start, list(series.values)) == (START.date() + timedelta(days=first), wanted[first:])
        found = source.find_view(views, step=HOUR, measure="total_quantity", of_products=True)
        assert found["name"] == "product_hours"
        hours = source.history(client, source.source_of(client, found, HOUR, "total_quantity", None), now)
        wanted = {9 + 24 * day + day % 7 - 9: pieces for day, pieces in enumerate(of_days()) if pieces}
        assert {at: value for at, value in enumerate(hours.shop.values) if value} == wanted
        assert hours.shop.at(0) == START + timedelta(hours=9)


def test_the_command_prints_the_figures(shop):
    done = forecast(shop)
    assert done.returncode == 0, done.stderr
    assert f"{START:%Y-%m-%d} to 2024-05-06: 64 days, 9 of them without a sale" in done.stdout
    assert re.search(r"back-test  7 rounds of 7 days: MASE \d\.\d\d, sMAPE [\d.]+ %; [\d.]+ of the naive seasonal "
                     r"forecast's error(, which is no better)?; \d+ % of the values lay within the 80 % interval", done.stdout), done.stdout
    sunday = re.search(r"^ +Sun 2024-05-12 .*$", done.stdout, re.M)[0].split()
    assert sunday == ["Sun", "2024-05-12", "0.0", "0.0", "..", "0.0"]
    assert done.stderr == ""


def test_json_has_the_same_of_the_leading_products_and_says_what_was_declined(shop):
    done = forecast(shop, "--top", "4", "--json", "--level", "95")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    ranking = sorted(PRODUCTS, key=lambda product: -sum(of_days(product)))
    assert [each["product_id"] for each in said["forecasts"]] == ranking
    assert [row["day"] for row in said["forecasts"][0]["rows"]] == [f"2024-05-{day:02}" for day in range(7, 14)]
    assert {each["level"] for each in said["forecasts"]} == {0.95}
    assert said["as_of"]["lag"] == 0
    assert [each["product_id"] for each in said["declined"]] == ["new"]
    assert "product new: no forecast: there is 1 finished day, and 35 are needed" in done.stderr


def test_hours_are_forecast_by_the_command(shop):
    """All is sold in one hour of a day, another one each weekday, and on Sundays nothing."""
    done = forecast(shop, "--by", "hour", "--horizon", "7d", "--json")
    assert done.returncode == 0, done.stderr
    (said,) = json.loads(done.stdout)["forecasts"]
    begin = START + timedelta(days=COUNT - 1, hours=9 + (COUNT - 1) % 7)  # the hour of the last sale, which is not over
    assert said["history"]["buckets"] == (begin - START - timedelta(hours=9)) // timedelta(hours=1)
    hours = {datetime.fromisoformat(row["hour"]).replace(tzinfo=UTC): Decimal(str(row["expected"])) for row in said["rows"]}
    assert list(hours) == [begin + timedelta(hours=hour) for hour in range(7 * 24)]
    sold = {hour for hour, pieces in hours.items() if pieces > 2}
    assert sold == {hour for hour in hours if hour.hour == 9 + hour.weekday() and hour.weekday() != 6}
    assert said["back_test"]["rounds"] > 1


def test_products_without_a_fitting_view_are_told_which_one_to_declare(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    done = forecast(pipe, "--product", "tea")
    assert done.returncode == 1
    assert "[view.product_days]\nkind = order\ngroup_by = product_id, day(ts)\n" in done.stderr
    assert forecast(pipe).stderr == "till forecast: the view sales_per_minute has no row: nothing was counted yet\n"


def test_what_a_till_sells_in_the_future_is_left_out_and_told(pipeline):
    pipe = pipeline()
    pipe.start_aggregator()
    sender, now_ms = Sender(pipe.endpoint("store-1")), int(datetime.now(UTC).timestamp() * 1000)
    assert sender.ask([{"order_id": f"o{day}", "product_id": "tea", "unit_price": "1", "ts": now_ms + day * 86_400_000}
                       for day in (*range(-40, 1), 900)])["ok"]
    sender.close()
    pipe.wait_settled()
    done = forecast(pipe, "--json")
    assert done.returncode == 0, done.stderr
    assert "1 day with sales after now" in done.stderr
    assert date.fromisoformat(json.loads(done.stdout)["forecasts"][0]["rows"][0]["day"]) <= datetime.now(UTC).date()


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["--measure", "total_revenue"], 1, "total_revenue is in EUR, USD, which can't be added: choose one with --currency"),
    (["--product", "nothing"], 1, "product nothing: no forecast: the view product_days has no sale of it"),
    (["--view", "users"], 1, "the view users is not grouped by day or hour or minute"),
    (["--view", "sales"], 1, "no view 'sales'"),
    (["--view", "product_days", "--measure", "sum"], 1, "the view product_days has no measure sum; it has order_count"),
    (["--currency", "GBP"], 1, "has no row in GBP"),
    (["--horizon", "36h"], 2, "--horizon: whole days, at most 56d"),
    (["--product", "tea", "--top", "3"], 2, "--product and --top: one of them"),
    (["--level", "100"], 2, "from 1 to 99")])
def test_what_can_not_be_is_refused_in_a_sentence(shop, arguments, code, words):
    done = forecast(shop, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_without_statsmodels_it_says_how_to_get_it(shop):
    script = "import sys; sys.modules['statsmodels'] = None\nfrom till.forecast.command import main; main()"
    done = subprocess.run([sys.executable, "-c", script, "--at", endpoint(shop)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == "till forecast: the Python package statsmodels is not installed: pip install 'till[forecast]'\n"


def test_the_page_s_commands_run_as_they_stand(shop):
    block = re.search(r"```sh\n(.*?)```", PAGE, re.S)[1].replace("tcp://127.0.0.1:7172", endpoint(shop))
    commands = [shlex.split(line, comments=True) for line in block.splitlines() if line.startswith("till ")]
    assert len(commands) == 4
    paths = {"PATH": f"{BIN}:/usr/bin:/bin"}
    for words in commands:
        done = subprocess.run([program("till"), *words[1:]], capture_output=True, text=True, timeout=120, check=False, env=paths)
        assert done.returncode == 0, done.stderr
        assert "2024-05-12" in done.stdout


def test_the_page_s_view_is_the_one_of_the_examples():
    section = re.search(r"```ini\n(.*?)```", PAGE, re.S)[1]
    assert section.strip() in (ROOT / "deploy/examples/views-of-products.conf").read_text()
    assert section.strip() == source.declaration(DAY)
