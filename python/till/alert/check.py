"""Holds rules against the views that the aggregator has: which line asks for what is not there, and what was meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..client import Client
from ..columns import Column, Type, columns_by_name
from ..errors import Refused
from .asking import Misfit, Need
from .config import Config
from .ini import suggestion
from .rules import AGGREGATOR, Rule
from .threshold import Threshold

SHIPPED = "deploy/examples/alerts-views.conf declares the views that rules use unless told otherwise"


def problems(config: Config, client: Client) -> list[str]:
    """A sentence of each thing that is wrong, with file and line. Raises NotReached."""
    views = columns_by_name(client.views(), ())
    found = []
    for rule in config.rules:
        if rule.type != AGGREGATOR:
            wrong = list(of_rule(rule, views))
            found += wrong or _asked(rule, views, client)
    return found


def of_rule(rule: Rule, views: Mapping[str, Sequence[Column]]) -> Iterator[str]:
    for need in rule.judge.needs():
        if need.view not in views:
            where = rule.place_of(need.option)
            yield f'{where}: [rule.{rule.name}] {need.option}: no view "{need.view}"; {suggestion(need.view, views)}' \
                  + ("" if need.option in rule.section.values else f"; {SHIPPED}")
        else:
            yield from _of_view(rule, need, views[need.view])


def _of_view(rule: Rule, need: Need, columns: Sequence[Column]) -> Iterator[str]:
    keys = [column.name for column in columns if column.is_key]
    measures = [column.name for column in columns if not column.is_key]
    head = f'[rule.{rule.name}]'
    for key in need.keys:
        if key not in keys:
            yield f'{rule.place_of(need.option)}: {head} {need.option}: view "{need.view}" is not by {key}; it is by {", ".join(keys)}'
    if need.buckets and not set(need.buckets) & set(keys):
        yield f'{rule.place_of(need.option)}: {head} {need.option}: view "{need.view}" is not by {" or ".join(need.buckets)}; ' \
              f'it is by {", ".join(keys)}'
    for option, name in need.measures:
        if name not in measures:
            yield f'{rule.place_of(option)}: {head} {option}: view "{need.view}" has no measure "{name}"; {suggestion(name, measures)}'
        elif next(column for column in columns if column.name == name).type is Type.TEXT:
            yield f'{rule.place_of(option)}: {head} {option}: measure "{name}" of view "{need.view}" is text, which is no number'


def _asked(rule: Rule, views: Mapping[str, Sequence[Column]], client: Client) -> list[str]:
    """A threshold's question is asked as it stands, for one row: the aggregator knows best what is wrong with it."""
    judge = rule.judge
    if not isinstance(judge, Threshold):
        return []
    try:
        client.ask({"query": "scan", "view": judge.view, "limit": 1, **judge.question(views[judge.view])})
    except (Refused, Misfit) as error:
        words = error.message if isinstance(error, Refused) else str(error)
        options = [name for name in ("where", "group_by", "range", "compare") if name in rule.section.values]
        option = next((name for name in options if name in words), options[0] if options else "view")
        return [f"{rule.place_of(option)}: [rule.{rule.name}] {option}: {words}"]
    return []
