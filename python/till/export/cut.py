"""`--consistent`: all rows of a view as they were at one moment (till/moment.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..client import Client
from ..columns import Column
from ..keys import Keys
from ..moment import Pages, Patience, go_on, publish_endpoint, read_at_one_moment
from .questions import Question, view_of
from .reading import Page, pages

_ALONE = {"query", "view", "table", "limit"}


def can_cut(question: Question) -> bool:
    """Messages tell whole rows of a view: of what is filtered, joined or rolled up they don't tell."""
    return question.is_scan and set(question.request) <= _ALONE and question.limit is None


def cut(client: Client, question: Question, columns: tuple[Column, ...], keys: Keys | None, timeout_s: float,
        check: Callable[[], None] = go_on) -> Iterator[Page]:
    """One page with all rows."""
    def read() -> Pages:
        return ((page.rows, page.live) for page in pages(client, question, check))

    endpoint = publish_endpoint(client.endpoint, client.status().get("publish"))
    names = tuple(column.name for column in columns if column.is_key)
    yield Page(*read_at_one_moment(read, view_of(question.request), names, endpoint, keys, Patience(timeout_s, question.name, check)))
