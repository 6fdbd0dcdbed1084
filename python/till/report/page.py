"""One HTML page that needs nothing else: styles and pictures are inside, there is no script, and nothing is fetched."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from datetime import datetime

from .data import Absent, Facts
from .panels import Panel, Table
from .style import DPI, WIDTH_IN, money_text

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1c1c1c; --quiet: #5a5a5a; --line: #d8d8d8; --soft: #f5f5f3; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #16181c; --ink: #e8e8e8; --quiet: #a8abb2; --line: #3a3d44; --soft: #1f2228; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem 1.25rem 3rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 0 0 .25rem; }
p { margin: .25rem 0 .75rem; max-width: 48rem; }
.quiet { color: var(--quiet); font-size: .9rem; }
section { margin-top: 2.25rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
.wide { overflow-x: auto; }
.wide img { display: block; width: 100%; min-width: 38rem; height: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; text-align: left; border-bottom: 1px solid var(--line); }
td { overflow-wrap: anywhere; }
.number { text-align: right; white-space: nowrap; }
.key { width: 100%; max-width: 40rem; margin: 1.25rem 0 .5rem; background: var(--soft); }
.key th { font-weight: normal; }
.key td { font-size: 1.2rem; font-weight: 600; text-align: right; overflow-wrap: normal; }
.key small { font-size: .85rem; font-weight: normal; color: var(--quiet); }
details { margin-top: .5rem; }
summary { cursor: pointer; color: var(--quiet); font-size: .9rem; padding: .25rem 0; }
.empty { background: var(--soft); padding: .75rem 1rem; border-left: 4px solid var(--line); }
@media print {
  :root { --ground: #fff; --ink: #000; --quiet: #444; --line: #ccc; --soft: #fff; color-scheme: light; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  section { break-inside: avoid; margin-top: 1rem; padding-top: .75rem; }
  .wide img { min-width: 0; }
  details { display: none; }
  @page { margin: 15mm; }
}
"""


def text(words: str) -> str:
    """As it stands in HTML; what can't be seen is a blank, for a page has no room for control characters."""
    return html.escape("".join(letter if letter.isprintable() else " " for letter in words))


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _height(png: bytes) -> int:
    return int.from_bytes(png[20:24], "big")


def _picture(panel: Panel, light: bytes, dark: bytes) -> str:
    return (f'<div class="wide" tabindex="0"><picture><source media="screen and (prefers-color-scheme: dark)" srcset="{_uri(dark)}"/>'
            f'<img src="{_uri(light)}" alt="{text(panel.alt)}" width="{int(WIDTH_IN * DPI)}" height="{_height(light)}"/></picture></div>')


def _table(table: Table) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        kinds = ["" if number < table.numbers_from else ' class="number"' for number in range(len(row))]
        return "".join(f"<{tag}{kind}>{text(cell)}</{tag}>" for kind, cell in zip(kinds, row, strict=True))
    rows = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in table.rows)
    return f'<table><thead><tr>{cells("th", table.head)}</tr></thead><tbody>\n{rows}\n</tbody></table>'


def _section(panel: Panel, pictures: Mapping[str, tuple[bytes, bytes]]) -> str:
    parts = [f"<h2>{text(panel.heading)}</h2>"]
    kind = "" if panel.draw else ' class="empty"'
    parts += [f"<p{kind}>{text(words)}</p>" for words in panel.words]
    if panel.draw:
        parts.append(_picture(panel, *pictures[panel.name]))
    if panel.table:
        parts.append(f'<details><summary>The numbers</summary><div class="wide">{_table(panel.table)}</div></details>')
    return f'<section id="{panel.name}">\n' + "\n".join(parts) + "\n</section>"


def key_figures(facts: Facts) -> list[tuple[str, str, str]]:
    """(name, value, remark); the remark may be empty."""
    average = facts.average
    orders = ("–", facts.orders.why) if isinstance(facts.orders, Absent) else (f"{facts.orders:,}", "")
    return [("Revenue", f"{money_text(facts.revenue)} {facts.currency}".strip(), ""), ("Orders", *orders),
            ("Average basket", "–" if average is None else f"{money_text(average)} {facts.currency}".strip(),
             "" if average is None else "revenue / orders, to the cent"),
            ("Lines of orders", f"{facts.lines:,}", "returns are lines, too")]


def as_of_words(facts: Facts) -> str:
    first, last = facts.commits
    newest = facts.as_of.event_time
    parts = [f"Store {facts.as_of.store}, commit {last}" if first == last else f"Store {facts.as_of.store}, commits {first} to {last}",
             "lag unknown: Kafka can't be reached" if facts.as_of.lag is None else f"lag {facts.as_of.lag:,}",
             "no sale yet" if newest is None else f"newest event {newest:%Y-%m-%d %H:%M:%S} UTC"]
    parts += [f"missing by decision: {', '.join(facts.as_of.gaps)}"] if facts.as_of.gaps else []
    return "; ".join(parts) + "."


def _days(facts: Facts) -> str:
    if facts.first_day is None or facts.last_day is None:
        return "no sales"
    days = f"{facts.first_day}" if facts.first_day == facts.last_day else f"{facts.first_day} to {facts.last_day}"
    return f"sales of {days}{f', in {facts.currency}' if facts.currency else ''}"


def page(title: str, facts: Facts, panels: Sequence[Panel], pictures: Mapping[str, tuple[bytes, bytes]], now: datetime) -> str:
    """`pictures`: by panel, light and dark."""
    keys = "\n".join(f'<tr><th scope="row">{text(name)}{f"<br/><small>{text(remark)}</small>" if remark else ""}</th>'
                     f"<td>{text(value)}</td></tr>" for name, value, remark in key_figures(facts))
    sections = "\n".join(_section(panel, pictures) for panel in panels)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"/>
<title>{text(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{text(title)}</h1>
<p>{text(_days(facts))}</p>
<table class="key"><tbody>
{keys}
</tbody></table>
<p class="quiet">{text(as_of_words(facts))} Made {now:%Y-%m-%d %H:%M:%S} UTC.</p>
</header>
<main>
{sections}
</main>
</body>
</html>
"""


def index(title: str, currencies: Sequence[str]) -> str:
    """Of reports in several currencies, which are never added."""
    links = "\n".join(f'<li><a href="{text(each)}/index.html">{text(each)}</a></li>' for each in currencies)
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"/><meta name="viewport" content="width=device-width, initial-scale=1"/><title>{text(title)}</title>
<style>{STYLE}</style></head>
<body><h1>{text(title)}</h1><p>Sales are in several currencies, which are not added: a report for each.</p><ul>
{links}
</ul></body>
</html>
"""
