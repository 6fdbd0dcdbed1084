"""INI files as all programs of till read them: every value knows its file and line, and nothing unknown or doubled is passed over."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import TillError

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class ConfigError(TillError):
    """The configuration can't be used; says file, line, what is wrong and what was meant."""


@dataclass(frozen=True)
class Place:
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Value:
    text: str
    place: Place


@dataclass(frozen=True)
class Section:
    name: str
    place: Place
    values: dict[str, Value]


def suggestion(word: str, known: Iterable[str]) -> str:
    """What was meant, or what there is; to be put behind "unknown …"."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"there is {', '.join(known)}" if known else "there is none"


def parse(text: str, file: str) -> dict[str, Section]:
    """Sections by name. A line is a comment (# or ;), a [section], or `key = value`; comments behind values are part of them."""
    sections: dict[str, Section] = {}
    section: Section | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line, place = raw.strip(), Place(file, number)
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            section = _begin(line, place, sections)
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not _NAME.fullmatch(key):
            raise ConfigError(f'{place}: "{line[:60]}" is no [section], no "key = value" and no comment')
        if section is None:
            raise ConfigError(f"{place}: {key} stands before the first [section]")
        if key in section.values:
            raise ConfigError(f"{place}: [{section.name}] {key} was set before, in line {section.values[key].place.line}")
        section.values[key] = Value(value, place)
    return sections


def _begin(line: str, place: Place, sections: dict[str, Section]) -> Section:
    name = line[1:-1].strip()
    if not line.endswith("]") or not _NAME.fullmatch(name):
        raise ConfigError(f'{place}: "{line[:60]}" is no [section]')
    if name in sections:
        raise ConfigError(f"{place}: [{name}] was begun before, in line {sections[name].place.line}")
    sections[name] = Section(name, place, {})
    return sections[name]


def read(path: Path) -> dict[str, Section]:
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
