"""Pictures and pages of made-up facts: extremes, names that are hard to draw, and nothing at all."""
import json
import random
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from pictures import assert_readable
from till import AsOf
from till.forecast import DAY, Series
from till.forecast.predict import forecast
from till.report import Absent, Facts, Period, figures
from till.report.command import files_of
from till.report.data import Band, Bands, Box, Boxes, Product, Products, Return, Returns, Timeline, band_edges
from till.report.folder import MANIFEST, NotOurs, write_folder
from till.report.style import LIGHT, money_text

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
AS_OF = AsOf("5f0c", 17, 1_717_200_000_000, 0)
NOTHING = Absent("Nothing was sold.")
EMPTY = Facts("", Period(), None, None, Decimal(0), 0, 0, {}, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING,
              replace(AS_OF, event_ts=None), (17, 17))
HARD = ("$5 & <b>", "x" * 96, "Käse\u0007\n\u202eabc", "_^{}\\frac", " ", "1")


def box(channel, payment, low, *rest):
    return Box(channel, payment, 1234, Decimal("20.858847"), Decimal(low), *map(Decimal, rest))


def made_up(names=HARD, factor=1):
    """Facts of 40 days, with everything that a report shows."""
    draw, first = random.Random(3), date(2024, 4, 1)
    days = [first + timedelta(days=number) for number in range(40)]
    revenues = sorted((factor * Decimal(draw.randrange(100, 10 ** 6)) / 100 for _ in names), reverse=True)
    whole = sum(revenues)
    products = tuple(Product(name, 3, revenue, (sum(revenues[:number + 1]) / whole).quantize(Decimal("0.000001")))
                     for number, (name, revenue) in enumerate(zip(names, revenues, strict=True)))
    minute = datetime(2024, 4, 3, 12, 1, tzinfo=UTC)
    boxes = tuple(box(name, payment, "-3.5", "1.01", "2.02", "4.04", "808.08") for name in names[:3] for payment in ("card", "cash"))
    bands = tuple(Band(*edges, 3, 10 * factor * Decimal("1.5"), Decimal("0.25")) for edges in (
        (None, Decimal(0)), (Decimal(0), Decimal("0.5")), (Decimal("0.5"), Decimal(1_000_000)), (Decimal(1_000_000), None)))
    returned = tuple(Return(name, 1, -2, -factor * Decimal("2.123456")) for name in names)
    series = Series(first, DAY, tuple(Decimal(100 + 10 * (number % 7)) for number in range(40)))
    hours = {(1, 8): Decimal("1.5"), (7, 23): factor * Decimal("-2.25")}
    return Facts("EUR", Period(), days[0], days[-1], whole, 12, 6, hours,
                 Timeline("day", tuple((day, factor * Decimal("3.3")) for day in days[::2])),
                 (minute.date(), Timeline("minute", ((minute, whole),))),
                 Products(products, len(products), None), Boxes(boxes, 2, None), Bands(bands, 0, None),
                 Returns(returned, 6, -12, -factor * Decimal("12.740736"), None), AS_OF, (16, 17), forecast("revenue", series, 7))


def drawn(name, facts):
    figure = figures.drawn(getattr(figures, name), facts, LIGHT)
    figures.png(figure, LIGHT, facts)
    return figure


@pytest.mark.parametrize("name", ["heatmap", "surface", "pareto", "timeline", "minutes", "boxes", "bands", "returns", "forecast"])
@pytest.mark.parametrize(("names", "factor"), [(HARD, 1), (("tea",), 1), (tuple(f"product number {n}" for n in range(15)), 10 ** 9)],
                         ids=["hard", "one", "large"])
def test_pictures_can_be_read_whatever_is_in_them(name, names, factor):
    assert_readable(drawn(name, made_up(names, factor)))


def test_boxes_are_the_quartiles_that_were_answered():
    rows = (box("shop", "card", "-3.5", "1.01", "2.02", "4.04", "8.08"), box("web", "invoice", "0.00", "5.5", "6.25", "7", "9.75"))
    figure = drawn("boxes", replace(made_up(), boxes=Boxes(rows, 0, None)))
    axes = figure.axes[0]
    assert axes.get_xscale() == "linear"
    for number, row in enumerate(rows):
        points = axes.patches[number].get_path().vertices[:, 0]
        assert (min(points), max(points)) == (float(row.q25), float(row.q75))
        low, high, low_cap, high_cap, middle, mean = (line.get_xdata() for line in axes.lines[number * 6:number * 6 + 6])
        assert list(low) == [float(row.q25), float(row.minimum)]
        assert list(high) == [float(row.q75), float(row.maximum)]
        assert (set(low_cap), set(high_cap)) == ({float(row.minimum)}, {float(row.maximum)})
        assert set(middle) == {float(row.q50)}
        assert list(mean) == [float(row.average)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["shop · card\n1,234 baskets", "web · invoice\n1,234 baskets"]
    assert drawn("boxes", made_up()).axes[0].get_xscale() == "symlog"  # 808.08 is far from 4.04


def test_the_forecast_is_drawn_as_it_was_made():
    facts = made_up()
    axes = drawn("forecast", facts).axes[0]
    assert list(axes.lines[1].get_ydata()) == [point.mean for point in facts.forecast.points]
    assert list(axes.lines[0].get_ydata()) == [float(value) for value in facts.forecast.history.values[-35:]]


def test_a_week_or_month_is_a_step_from_its_first_day():
    line = Timeline("month", ((date(2023, 12, 1), Decimal("5.5")), (date(2024, 2, 1), Decimal(7))))
    edges, values = figures.stairs_of(line, date(2023, 12, 9), date(2024, 2, 29))
    assert (edges, values) == ([datetime(2023, 12, 1), datetime(2024, 1, 1), datetime(2024, 2, 1), datetime(2024, 3, 1)], [5.5, 0, 7])
    edges, _ = figures.stairs_of(Timeline("week", ()), date(2024, 5, 1), date(2024, 5, 8))
    assert edges == [datetime(2024, 4, 29), datetime(2024, 5, 6), datetime(2024, 5, 13)]


def test_without_a_sale_every_panel_is_a_sentence():
    files = files_of("None", EMPTY, NOW)
    assert sorted(files) == ["index.html", MANIFEST]
    tree = ElementTree.fromstring(files["index.html"].decode().removeprefix("<!DOCTYPE html>\n"))
    sections = list(tree.iter("section"))
    assert len(sections) == 9
    assert all(section.find("p").get("class") == "empty" for section in sections)
    assert json.loads(files[MANIFEST])["revenue"] == "0"


def test_names_are_text_and_nothing_else():
    page = files_of("<script>alert(1)</script>", made_up(), NOW)["index.html"].decode()
    tree = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    pareto = next(each for each in tree.iter("section") if each.get("id") == "pareto")
    shown = [row.findall("td")[1].text for row in pareto.iter("tr") if row.find("td") is not None]
    assert shown == ["$5 & <b>", "x" * 96, "Käse   abc", "_^{}\\frac", " ", "1"]
    assert not list(tree.iter("script"))
    assert "commits 16 to 17" in page
    assert not re.search(r"[\u202e\u0007]", page)


@pytest.mark.parametrize(("amount", "shown"), [("0", "0.00"), ("1234.5", "1,234.50"), ("-1234567.000001", "-1,234,567.000001"),
                                               ("1E+3", "1,000.00"), ("2.500000", "2.50")])
def test_amounts_keep_every_digit(amount, shown):
    assert money_text(Decimal(amount)) == shown


@pytest.mark.parametrize(("average", "edges"), [("590", "0 100 200 500 1000 2000 5000"), ("0.05", "0 0.005 0.01 0.02 0.05 0.1 0.2 0.5"),
                                                ("100000", "0 10000 20000 50000 100000 200000 500000 1000000")])
def test_bands_are_round(average, edges):
    assert band_edges(Decimal(average)) == [Decimal(each) for each in edges.split()]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    out = tmp_path / "out"
    write_folder(out, {"index.html": b"1", "old.png": b"", MANIFEST: b"{}", "EUR/index.html": b""})
    (tmp_path / ".out.till-999999999").mkdir()  # of a run that was killed
    write_folder(out, {"index.html": b"2", MANIFEST: b"{}"})
    assert sorted(path.name for path in out.iterdir()) == ["index.html", MANIFEST]
    assert (out / "index.html").read_bytes() == b"2"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_folders_of_others_are_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(NotOurs, match="holds files"):
        write_folder(tmp_path, {MANIFEST: b""})
    with pytest.raises(NotOurs, match="is no folder"):
        write_folder(tmp_path / "letter.txt", {MANIFEST: b""})
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_what_can_not_be_written_leaves_the_old_report(tmp_path):
    """A name that no file system takes, in the middle of the files."""
    out = tmp_path / "out"
    write_folder(out, {"index.html": b"1", MANIFEST: b"{}"})
    with pytest.raises(OSError, match="name too long"):
        write_folder(out, {"index.html": b"2", "x" * 300: b"", MANIFEST: b"{}"})
    assert (out / "index.html").read_bytes() == b"1"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_whoever_reads_meanwhile_sees_one_report_or_the_other(tmp_path):
    """A writer that is killed at any moment leaves a whole report."""
    out = tmp_path / "out"
    write_folder(out, {"a": b"0", "b": b"0", MANIFEST: b"{}"})
    script = ("import sys, pathlib\nfrom till.report.folder import write_folder\nn = 0\nwhile True:\n    n += 1\n"
              "    write_folder(pathlib.Path(sys.argv[1]), {'a': str(n).encode(), 'b': str(n).encode(), 'report.json': b'{}'})\n"
              "    print(n, flush=True)\n")
    for kill_after in (1, 3, 7):
        with subprocess.Popen([sys.executable, "-c", script, out], stdout=subprocess.PIPE, text=True) as writer:
            for _ in range(kill_after):
                writer.stdout.readline()
            for _ in range(50):
                folder = out.resolve()
                assert {path.name for path in folder.iterdir()} <= {"a", "b", MANIFEST}
            writer.kill()
        assert (out / "a").read_bytes() == (out / "b").read_bytes()
    write_folder(out, {"a": b"end", "b": b"end", MANIFEST: b"{}"})
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
