"""The modules without elements, in the browser, against calculations in Python."""
import random
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest


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
