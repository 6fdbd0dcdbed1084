"""till report on the real sales: what is drawn and written equals what an independent calculation over the file says."""
import base64
import csv
import json
import random
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import till
from harness import ROOT, Pipeline, program, wait_until
from harness import till as run_till
from matplotlib.container import BarContainer
from pictures import assert_readable, size_of_png
from till.report import Absent, Period, currencies, figures, gather
from till.report.style import DARK, LIGHT

PAGE = (ROOT / "docs" / "REPORT.md").read_text()
BIN = Path(sys.executable).parent
MAP = "order_id=InvoiceNo,product_id=StockCode,quantity=Quantity,unit_price=UnitPrice,ts=InvoiceDate,user_id=CustomerID"


@pytest.fixture(scope="module")
def shop(broker, retail, tmp_path_factory):
    """A pipeline that has counted the real sales."""
    pipe = Pipeline(tmp_path_factory.mktemp("report"), broker.bootstrap, f"report-{random.randrange(10 ** 9)}-")
    pipe.start_aggregator("-c", ROOT / "deploy/views.conf", "-c", ROOT / "deploy/examples/views-of-products.conf")
    done = run_till("send", "--to", pipe.endpoint("store-1"), "--csv", "--map", MAP, "--set", "currency=GBP", retail[0])
    assert done.returncode == 0, done.stderr
    pipe.wait_settled()
    wait_until(lambda: pipe.client.ask("status")["uncommitted"] == 0, "unmatched lines, which are those of the last commit", every=0.05)
    yield pipe
    pipe.stop()


def endpoint(pipe):
    return pipe.aggregator.ready["listen"][0]


@pytest.fixture(scope="module")
def facts(shop):
    with till.Client(endpoint(shop)) as client:
        assert currencies(client, Period()) == ["GBP"]
        return gather(client, "GBP", Period())


@pytest.fixture(scope="module")
def written(shop, tmp_path_factory):
    """The folder that the command writes."""
    out = tmp_path_factory.mktemp("out") / "december"
    done = subprocess.run([BIN / "till-report", "--at", endpoint(shop), "--out", out, "--title", "Five < six & \"seven\""],
                          capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{out}/index.html\n", "")
    return out


@pytest.fixture(scope="module")
def lines(retail):
    """Of the file: (time, product, customer, invoice, quantity, revenue)."""
    with retail[0].open(newline="", encoding="utf-8") as file:
        return [(datetime.fromisoformat(row["InvoiceDate"]), row["StockCode"], row["CustomerID"], row["InvoiceNo"], int(row["Quantity"]),
                 int(row["Quantity"]) * Decimal(row["UnitPrice"])) for row in csv.DictReader(file)]


def drawn(name, facts, theme=LIGHT):
    figure = figures.drawn(getattr(figures, name), facts, theme)
    return figure, figures.png(figure, theme, facts)


def sums(pairs):
    found = defaultdict(Decimal)
    for key, value in pairs:
        found[key] += value
    return found


def test_the_heat_map_s_cells_are_the_sums_of_the_file(facts, lines):
    wanted = sums(((at.isoweekday(), at.hour), revenue) for at, *_, revenue in lines)
    assert facts.hours == wanted
    figure, _ = drawn("heatmap", facts)
    cells = figure.axes[0].collections[0].get_array()
    assert cells.shape == (7, 24)
    assert cells.count() == len(wanted) == 64
    assert all(cells[day - 1, hour] == float(revenue) for (day, hour), revenue in wanted.items())
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def test_the_surface_has_the_same_heights(facts, lines):
    wanted = sums(((at.isoweekday(), at.hour), revenue) for at, *_, revenue in lines)
    figure, _ = drawn("surface", facts)
    assert (figures.grid_of(facts).filled(0) == np.array(
        [[float(wanted.get((day, hour), 0)) for hour in range(24)] for day in range(1, 8)])).all()
    axes = figure.axes[0]
    assert axes.zz_dataLim.intervalx[1] == float(max(wanted.values()))
    assert len(axes.collections[0].get_facecolor()) == 6 * 23


def test_the_curve_and_the_bars_are_the_products_of_the_truth(facts, retail):
    revenues = sorted((Decimal(each[2]) for each in retail[1]["products"].values()), reverse=True)
    whole, so_far, shares = sum(revenues), Decimal(0), []
    for each in revenues:
        so_far += each
        shares.append(so_far / whole)
    figure, _ = drawn("pareto", facts)
    bars, curve = figure.axes
    ranks, percents = curve.lines[0].get_data()
    assert len(percents) == len(revenues) == facts.products.count
    assert np.abs(percents - 100 * np.array(shares, float)).max() < 1e-4  # shares have six places
    assert list(ranks) == list(range(1, len(revenues) + 1))
    assert curve.lines[1].get_ydata()[0] == 80
    rank = next(number for number, share in enumerate(shares, 1) if share >= Decimal("0.8"))
    assert f"{rank:,} of {len(revenues):,} products" in curve.texts[0].get_text()
    assert [patch.get_width() for patch in bars.patches] == [float(each) for each in revenues[:15]]


def test_the_line_of_hours_has_no_holes(facts, lines):
    wanted = sums((at.replace(minute=0, second=0), revenue) for at, *_, revenue in lines)
    figure, _ = drawn("timeline", facts)
    values = figure.axes[0].patches[0].get_data().values
    assert len(values) == 23 * 24
    start = datetime(2010, 12, 1)
    assert {int((at - start).total_seconds() // 3600): float(revenue) for at, revenue in wanted.items() if revenue} == {
        hour: value for hour, value in enumerate(values) if value}


def test_the_minutes_are_those_of_the_best_day(facts, lines):
    days = sums((at.date(), revenue) for at, *_, revenue in lines)
    best = max(days, key=days.get)
    minutes = sums((at.replace(second=0), revenue) for at, *_, revenue in lines if at.date() == best)
    assert facts.busiest[0] == best
    assert {at.replace(tzinfo=None): revenue for at, revenue in facts.busiest[1].rows} == minutes
    figure, _ = drawn("minutes", facts)
    values = figure.axes[0].patches[0].get_data().values
    assert sorted(value for value in values if value) == sorted(float(revenue) for revenue in minutes.values() if revenue)


def test_the_bands_hold_every_customer(facts, lines):
    spent = sums((user, revenue) for _, _, user, _, _, revenue in lines if user)
    assert facts.bands.unmatched == sum(not user for _, _, user, *_ in lines) == 15_631
    for band in facts.bands.rows:
        members = [each for each in spent.values() if (band.start is None or each >= band.start) and (band.end is None or each < band.end)]
        assert (band.customers, band.revenue) == (len(members), sum(members))
    figure, _ = drawn("bands", facts)
    customers, revenue = ([patch.get_width() for patch in axes.patches] for axes in figure.axes)
    assert sum(customers) == len(spent)
    assert sum(revenue) == pytest.approx(float(sum(spent.values())))


def test_the_returns_are_those_of_the_file(facts, lines):
    back = [(product, quantity, revenue) for _, product, _, _, quantity, revenue in lines if quantity < 0]
    assert (facts.returns.lines, facts.returns.quantity, facts.returns.revenue) == (
        len(back), sum(quantity for _, quantity, _ in back), sum(revenue for *_, revenue in back))
    worst = sorted(sums((product, revenue) for product, _, revenue in back).items(), key=lambda item: (item[1], item[0]))[:12]
    assert [(row.product_id, row.revenue) for row in facts.returns.rows] == worst
    figure, _ = drawn("returns", facts)
    (bars,) = (each for each in figure.axes[0].containers if isinstance(each, BarContainer))
    assert [patch.get_width() for patch in bars] == [float(-revenue) for _, revenue in worst]


def test_a_panel_without_data_says_so(facts, written):
    assert facts.boxes == Absent("No closed basket names a channel and a payment.")
    assert not (written / "boxes.png").exists()
    page = (written / "index.html").read_text()
    assert '<p class="empty">No closed basket names a channel and a payment.</p>' in page
    assert "Revenue: no forecast: there are 22 finished days, and 35 are needed" in page


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["heatmap", "surface", "pareto", "timeline", "minutes", "bands", "returns"])
def test_every_picture_can_be_read(facts, name, theme):
    figure, content = drawn(name, facts, theme)
    assert_readable(figure)
    width, height = size_of_png(content)
    assert width == 1440
    assert 400 < height < 1000


def tree_of(page):
    return ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))


def test_the_page_is_whole_and_fetches_nothing(written):
    page = (written / "index.html").read_text(encoding="utf-8")
    tree = tree_of(page)
    assert not re.findall(r"""(?:src|srcset|href|url)\s*[=(]\s*["']?(?!data:image/png;base64,)[^"'\s]""", page.split("</style>")[1])
    assert "http" not in re.sub(r'base64,[^"]*|http-equiv', "", page)
    assert {each.tag for each in tree.iter()}.isdisjoint({"script", "link", "iframe", "object"})
    assert tree.find("head/title").text == 'Five < six & "seven"'
    images = list(tree.iter("img"))
    assert len(images) == 7
    for image in images:
        assert len(image.get("alt")) > 30
        content = base64.b64decode(image.get("src").partition(",")[2])
        assert size_of_png(content) == (int(image.get("width")), int(image.get("height")))
    pictures = {path.read_bytes() for path in written.glob("*.png")}
    assert {base64.b64decode(image.get("src").partition(",")[2]) for image in images} == pictures
    assert len({each.get("id") for each in tree.iter("section")}) == 9


def test_the_key_figures_are_the_truth_s(written, retail, lines, shop):
    truth = retail[1]
    tree = tree_of((written / "index.html").read_text())
    keys = {row.find("th").text: row.find("td").text for row in tree.find("body/header/table").iter("tr")}
    orders = len({invoice for _, _, _, invoice, *_ in lines})
    average = (Decimal(truth["revenue"]) / orders).quantize(Decimal("0.01"))
    assert keys == {"Revenue": f"{Decimal(truth['revenue']):,.2f} GBP", "Orders": f"{orders:,}", "Average basket": f"{average} GBP",
                    "Lines of orders": f"{truth['rows']:,}"}
    as_of = shop.client.ask("status")["as_of"]
    words = "".join(tree.find("body/header/p[@class='quiet']").itertext())
    assert f"Store {as_of['store']}, commit {as_of['commit']}; lag 0; newest event 2010-12-23 " in words
    assert re.search(r"Made \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.$", words)
    said = json.loads((written / "report.json").read_text())
    assert (Decimal(said["revenue"]), said["orders"], said["lines"]) == (Decimal(truth["revenue"]), orders, truth["rows"])
    assert sorted(said["files"]) == sorted(path.name for path in written.iterdir())
    heat = next(each for each in tree.iter("section") if each.get("id") == "heatmap")
    cells = [Decimal(cell.text.replace(",", "")) for row in heat.iter("tr") for cell in row.findall("td")[1:] if cell.text]
    assert sum(cells) == Decimal(truth["revenue"])


def test_a_period_is_of_its_days_alone(shop, lines):
    with till.Client(endpoint(shop)) as client:
        first, after = datetime(2010, 12, 6), datetime(2010, 12, 8)
        found = gather(client, "GBP", Period(first.date(), after.date()))
    within = [line for line in lines if first <= line[0] < after]
    assert found.revenue == sum(line[-1] for line in within)
    assert found.lines == len(within)
    assert {row.product_id: row.revenue for row in found.products.rows} == sums((line[1], line[-1]) for line in within)
    assert found.products.note is None
    assert found.bands.note.startswith("Of all sales, not of the period alone")
    baskets = Counter(max(line[0] for line in within if line[3] == invoice).date() for invoice in {line[3] for line in within})
    assert isinstance(found.orders, int)
    assert found.orders <= baskets.total()  # those of them that are closed


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["--currency", "EUR"], 1, "nothing was sold in EUR; there is GBP"), (["--last", "24h"], 2, "28d, 4w, 1mo or 1y"),
    (["--last", "7d", "--to", "2010-12-09"], 2, "--last goes without --from and --to"),
    (["--from", "2010-12-09", "--to", "2010-12-09"], 2, "--to must be after --from"), (["--from", "9.12.2010"], 2, "is no day"),
    (["--from", "2011-02-01", "--currency", "GBP"], 1, "nothing was sold in GBP, nor in any other currency")])
def test_what_can_not_be_is_refused_in_a_sentence(shop, tmp_path, arguments, code, words):
    done = subprocess.run([BIN / "till-report", "--at", endpoint(shop), "--out", tmp_path / "out", *arguments], capture_output=True,
                          text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_december_alone_is_too_short_for_a_forecast(shop):
    done = subprocess.run([BIN / "till-forecast", "--at", endpoint(shop)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr in (ROOT / "docs" / "FORECAST.md").read_text()


def test_without_matplotlib_it_says_how_to_get_it(shop, tmp_path):
    script = "import sys; sys.modules['matplotlib'] = None\nfrom till.report.command import main; main()"
    done = subprocess.run([sys.executable, "-c", script, "--at", endpoint(shop), "--out", tmp_path / "out"], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == "till report: the Python package matplotlib is not installed: pip install 'till[report]'\n"


def test_the_page_s_commands_run_as_they_stand(shop, tmp_path):
    block = re.search(r"```sh\n(.*?)```", PAGE, re.S)[1].replace("tcp://127.0.0.1:7172", endpoint(shop))
    commands = [shlex.split(line, comments=True) for line in block.splitlines() if line.startswith("till ")]
    assert len(commands) == 2
    for words in commands:
        done = subprocess.run([program("till"), *words[1:]], capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path,
                              env={"PATH": f"{BIN}:/usr/bin:/bin"})
        assert done.returncode == 0, done.stderr
        assert (tmp_path / done.stdout.strip()).is_file()
