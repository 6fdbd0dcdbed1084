"""The runs that a database knows of, as a table or as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from .books import RUN_COLUMNS, Books
from .database import Database

_SHOWN = ("started", "seconds", "mart", "outcome", "mode", "rows", "inserted", "updated", "deleted", "commit")


def _instant(value: Any) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _iso(value: Any) -> str | None:
    moment = _instant(value)
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def runs_of(database: Database, limit: int) -> list[dict[str, Any]]:
    """Oldest first; times as text in UTC."""
    runs = Books(database).history(limit)
    database.rollback()
    return [{**run, "started_at": _iso(run["started_at"]), "ended_at": _iso(run["ended_at"]), "seconds": _seconds(run)}
            for run in reversed(runs)]


def _seconds(run: Mapping[str, Any]) -> float | None:
    begun, ended = _instant(run["started_at"]), _instant(run["ended_at"])
    return None if begun is None or ended is None else round((ended - begun).total_seconds(), 3)


def as_json(runs: Sequence[Mapping[str, Any]]) -> str:
    names = (*RUN_COLUMNS, "seconds")
    return "".join(json.dumps({name: run[name] for name in names}, ensure_ascii=False) + "\n" for run in runs)


def as_table(runs: Sequence[Mapping[str, Any]]) -> str:
    """A failed run's error stands on a line of its own."""
    rows = [[_cell(run, name) for name in _SHOWN] for run in runs]
    widths = [max(len(row[place]) for row in [list(_SHOWN), *rows]) for place in range(len(_SHOWN))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(_SHOWN, widths, strict=True)).rstrip()]
    for run, row in zip(runs, rows, strict=True):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if run["error"]:
            lines.append(f"    {run['error']}")
    return "\n".join(lines) + "\n"


def _cell(run: Mapping[str, Any], name: str) -> str:
    value = run[{"started": "started_at", "rows": "rows_shown"}.get(name, name)]
    return "" if value is None else str(value)
