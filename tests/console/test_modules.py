"""The modules without elements, in the browser, against calculations in Python."""
import random
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest
from browser import PHONE


@pytest.fixture
def run(tab):
    """run(module, expression, argument): evaluates with the module's exports as `m`."""
    page = tab().go("stores", "stores")

    def evaluate(module, expression, argument=None):
        return page.page.evaluate(f"async (argument) => {{ const m = await import('./{module}'); return ({expression})(argument); }}", argument)
    return evaluate


def amounts(count):
    dice = random.Random(11)
    return [f"{dice.choice(['', '-'])}{dice.randrange(10 ** dice.randrange(1, 24))}.{dice.randrange(10 ** 6):06d}" for _ in range(count)]


def plain(value):
    """As answers write money."""
    text = f"{value:.6f}".rstrip("0")
    whole, part = text.split(".")
    return f"{whole}.{part:0<2}"


def test_money_never_goes_through_a_float(run):
    texts = amounts(200)
    pairs = list(zip(texts, reversed(texts)))
    with localcontext(prec=60):
        exact = [plain(Decimal(left) - Decimal(right)) for left, right in pairs]
    assert run("decimal.js", "pairs => pairs.map(([left, right]) => m.difference(left, right))", pairs) == exact


def test_averages_are_rounded_half_to_even(run):
    dice = random.Random(12)
    asked = [(text[-20:].lstrip("-"), dice.choice([1, 2, 3, 7, 8, 2025])) for text in amounts(200)]
    exact = [plain((Decimal(text) / count).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)) for text, count in asked]
    assert run("decimal.js", "asked => asked.map(([text, count]) => m.average(text, count))", asked) == exact
    assert run("decimal.js", "texts => texts.map(text => m.toPlaces(text, 2))", ["0.125", "0.135", "-0.125", "2.00"]) == ["0.12", "0.14", "-0.12", "2.00"]


def test_figures_are_grouped(run):
    assert run("format.js", "values => values.map(m.grouped)", ["748957.02", "-1234.5", 999, 1000, "123456789012345678901.00"]) == [
        "748,957.02", "\u22121,234.5", "999", "1,000", "123,456,789,012,345,678,901.00"]


@pytest.mark.parametrize("piece", [1, 2, 7, 1000])
def test_events_in_pieces_of_any_size(run, piece):
    text = ': hello\n\nevent: answer\ndata: {"q":0}\n\nevent: alive\r\ndata: one\r\ndata: two\r\n\r\ndata:three\n\nevent: none\n\n'
    heard = run("stream.js", """([text, piece]) => { const heard = []; const take = m.parser((event, data) => heard.push([event, data]));
        for (let at = 0; at < text.length; at += piece) take(text.slice(at, at + piece)); return heard; }""", [text, piece])
    assert heard == [["answer", '{"q":0}'], ["alive", "one\ntwo"], ["message", "three"]]


def test_csv_keeps_what_needs_quotes(run):
    rows = [{"a": 'say "so"', "b": "x,y"}, {"a": None, "b": "two\nlines"}, {"a": -5, "b": "-5.00"}]
    assert run("csv.js", "rows => m.csv(['a', 'b'], rows)", rows) == 'a,b\r\n"say ""so""","x,y"\r\n,"two\nlines"\r\n-5,-5.00\r\n'


def test_a_shell_and_python_take_what_is_copied(run):
    query = {"query": "scan", "view": "it's", "explain": True, "where": [{"field": "a", "op": "=", "value": None}]}
    assert run("snippets.js", "query => m.asCurl(query, 'http://h:1/x/#/sales')", query).endswith("'http://h:1/x/query'\n")
    assert "it'\\''s" in run("snippets.js", "query => m.asCurl(query)", query)
    text = run("snippets.js", "m.asPython", query)
    assert eval(text, {}) == query  # noqa: S307 - what a person would paste


def test_minutes_without_a_sale_are_zeros(run):
    rows = [{"minute": "2010-12-23T17:41", "n": 4}, {"minute": "2010-12-23T17:39", "n": 2}]
    filled = run("buckets.js", "rows => m.filled(rows, 'minute', 4, Date.UTC(2010, 11, 23, 17, 41, 59), { n: 0 })", rows)
    assert [(row["minute"], row["n"]) for row in filled] == [("2010-12-23T17:38", 0), ("2010-12-23T17:39", 2), ("2010-12-23T17:40", 0), ("2010-12-23T17:41", 4)]


NAMES = ["   ", "", "\u05e9\u05d5\u05e7\u05d5\u05dc\u05d3", "x" * 90, "a very long name of many words " * 4, "<b>bold</b>", "\U0001f355 mega pack"]


def test_names_of_any_length_and_script_have_room_on_a_phone(tab):
    page = tab(viewport=PHONE).go("sales", "products")
    shown = page.page.evaluate("""async names => {
        const { ranking } = await import("./tables.js");
        const rows = names.map((name, index) => ({ name, total_revenue: `${123456789 - index}.00`, share: "0.142857" }));
        const columns = [{ key: "name", label: "Product" }, { key: "total_revenue", label: "Revenue", kind: "money" }, { key: "share", label: "Share", kind: "share" }];
        const box = document.querySelector("[data-panel=products] .box");
        box.replaceChildren(ranking(columns, rows, "total_revenue", "Names"));
        return { texts: [...box.querySelectorAll("tbody th")].map(cell => cell.textContent), titles: [...box.querySelectorAll("[title]")].map(each => each.title),
            heights: [...box.querySelectorAll("tbody tr")].map(row => row.clientHeight), over: box.scrollWidth - box.clientWidth };
    }""", NAMES)
    assert shown["texts"] == ["(blank)", "(empty)", *NAMES[2:]] and shown["titles"] == NAMES
    assert shown["over"] <= 0 and max(shown["heights"]) <= 3 * min(shown["heights"])


def test_a_few_baskets_far_out_leave_boxes_to_be_seen(run):
    row = {"name": "web, card", "min": "-5000000.00", "q25": "-10.00", "q50": "20.00", "q75": "90.00", "max": "5000000.00", "average": "25.00"}
    far, near = (run("boxes.js", """row => { const svg = m.boxes([row], "Boxes", 600);
        return [Number(svg.querySelector(".quartiles").getAttribute("width")), svg.querySelectorAll(".cut").length, svg.querySelector("title").textContent]; }""", each)
                 for each in (row, {**row, "min": "-100.00", "max": "200.00"}))
    assert far[0] > 25 and far[1] == 2 and "-5000000.00 to 5000000.00" in far[2]
    assert near[1] == 0
    assert run("boxes.js", "names => names.map(name => m.short(name, 12))", ["web, card", "a very long channel, card"]) == ["web, card", "a very\u2026 card"]


def test_a_change_is_said_as_people_say_it(run):
    asked = [["12.00", "10.00"], ["5.00", "10.00"], ["10.00", "10.00"], ["2280.00", "10.00"], ["1.00", "0.00"]]
    assert run("tile.js", "asked => asked.map(([now, before]) => m.change(now, before, 'the hour before').map(each => each.textContent ?? each).join(''))", asked) == [
        "\u25b2 +20.0 % on the hour before (10.00)", "\u25bc \u221250.0 % on the hour before (10.00)", "0.0 % on the hour before (10.00)",
        "\u25b2 228 times the hour before (10.00)", "nothing in the hour before"]
