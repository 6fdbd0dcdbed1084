"""One export: questions, a client, a place; what was written is told. `export` is for programs."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from ..client import PAGE_ROWS, Client
from ..command import UsageError
from ..errors import TillError
from ..keys import Keys
from ..moment import go_on
from .cut import can_cut, cut
from .formats import check_form, form_of, has_place_for_metadata, open_writer
from .local import LocalFolder, Output, guarded
from .questions import ROWS_OF_ONE_ANSWER, Question, of_request, of_view
from .reading import Moments, Page, StoreChanged, columns_of, pages
from .remote import RemoteFolder, connect

STDOUT = "-"
SIDECAR = ".as_of.json"
_TRIES = 5  # of a reading that a rebuild comes into
_SNAPSHOT = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z-commit-\d+")


class Folder(Protocol):
    """Where files go; LocalFolder and RemoteFolder are such."""

    def prepare(self) -> list[str]: ...

    def where(self, name: str) -> str: ...

    def writing(self, name: str) -> AbstractContextManager[Output]: ...

    def snapshot(self, name: str) -> AbstractContextManager[Folder]: ...

    def names(self) -> list[str]: ...

    def is_complete(self, name: str) -> bool: ...

    def remove_snapshot(self, name: str) -> None: ...


@dataclass(frozen=True)
class Target:
    """A folder, and in it one file of this name, or a file for each question (`name` None)."""

    folder: Folder
    name: str | None
    form: str

    def name_of(self, question: Question) -> str:
        return self.name or f"{question.name}.{self.form}"


@dataclass(frozen=True)
class How:
    """What can be chosen besides question and place. `check` raises when it is time to stop."""

    is_numeric: bool = False
    is_consistent: bool = False
    keys: Keys | None = None
    timeout_s: float = 60.0
    check: Callable[[], None] = go_on


@dataclass(frozen=True)
class Written:
    """One file that was written. `as_of` is the last page's (with `is_consistent`: that of all rows)."""

    question: str
    where: str
    rows: int
    bytes: int
    as_of: Mapping[str, Any]
    is_consistent: bool


def target_of(to: str, form: str | None, is_folder: bool) -> Target:
    """What `--to` names: a file if it ends like one of a known format, else a folder. `is_folder`: there is more than one file."""
    if "://" not in to or to.startswith("file://"):
        path = to.removeprefix("file://")
        ended = None if Path(path).is_dir() else form_of(path)
        folder, name = _parted(path, ended)
        return Target(LocalFolder(Path(folder or ("/" if path.startswith("/") else "."))), *_named(to, name, form or ended, is_folder))
    path, mark, settings = to.partition("?")
    folder, name = _parted(path, form_of(path))
    named = _named(path, name, form or form_of(path), is_folder)
    files, inside = connect(folder + mark + settings)
    return Target(RemoteFolder(files, inside, folder), *named)


def _parted(path: str, ended: str | None) -> tuple[str, str | None]:
    folder, _, name = path.rpartition("/")
    return (folder, name) if ended else (path, None)


def _named(to: str, name: str | None, form: str | None, is_folder: bool) -> tuple[str | None, str]:
    if name and is_folder:
        raise UsageError(f"{to} is one file; several of them, and snapshots, want a folder")
    return name, check_form(form or "csv")


def _read(client: Client, question: Question, columns: tuple[Any, ...], how: How) -> Iterator[Page]:
    if how.is_consistent and can_cut(question):
        return _at_one_moment(client, question, columns, how)
    if how.is_consistent and question.is_scan and "order_by" not in question.request:
        bounded = min(question.limit or ROWS_OF_ONE_ANSWER, ROWS_OF_ONE_ANSWER)
        return _in_one_answer(client, question, bounded, how)
    return pages(client, question, how.check)


def _at_one_moment(client: Client, question: Question, columns: tuple[Any, ...], how: How) -> Iterator[Page]:
    """One answer is of one moment; only where there are more, the changes in between must be heard."""
    first = client.ask({**question.request, "limit": PAGE_ROWS})
    if "next" in first:
        yield from cut(client, question, columns, how.keys, how.timeout_s, how.check)
    else:
        yield Page(first["rows"], first["as_of"])


def _in_one_answer(client: Client, question: Question, bounded: int, how: How) -> Iterator[Page]:
    """An answer is of one moment. What does not fit into one can't be had of one moment once it is filtered or rolled up."""
    how.check()
    answer = client.ask({**question.request, "limit": bounded})
    if "next" in answer and len(answer["rows"]) != question.limit:
        raise TillError(f"{question.name}: more than the {len(answer['rows'])} rows of one answer, and of rows that are filtered, joined "
                        "or rolled up no changes are told: --consistent can't be had; ask for less, or without it")
    yield Page(answer["rows"], answer["as_of"])


def _write(client: Client, question: Question, form: str, output: Output, how: How) -> tuple[Moments, dict[str, Any]]:
    columns = columns_of(client, question.request)
    writer, moments = open_writer(form, output, columns, is_numeric=how.is_numeric), Moments()
    for page in _read(client, question, columns, how):
        moments.add(page)
        writer.add(page.rows)
    moments.is_consistent = moments.pages == 1
    metadata = {"question": dict(question.request), "limit": question.limit, "rows": moments.rows, "pages": moments.pages,
                "consistent": moments.is_consistent, "first": moments.first, "last": moments.last,
                "columns": [{"name": column.name, "type": column.type.name.lower(), "key": column.is_key} for column in columns]}
    writer.finish(metadata)
    return moments, metadata


def _again_if_rebuilt(work: Callable[[], Written], tell: Callable[[str], None]) -> Written:
    for _ in range(_TRIES - 1):
        try:
            return work()
        except StoreChanged as error:
            tell(f"{error}; reading anew")
    return work()


def _sidecar(folder: Folder, name: str, metadata: Mapping[str, Any], output: Output) -> None:
    with folder.writing(name + SIDECAR) as beside:
        said = {"file": name, "bytes": output.bytes, "sha256": output.sha256(), **metadata}
        beside.write(json.dumps(said, indent=1).encode() + b"\n")


def _write_file(client: Client, question: Question, target: Target, folder: Folder, how: How) -> Written:
    name = target.name_of(question)
    with folder.writing(name) as output:
        moments, metadata = _write(client, question, target.form, output, how)
    if not has_place_for_metadata(target.form):
        _sidecar(folder, name, metadata, output)
    return Written(question.name, folder.where(name), moments.rows, output.bytes, moments.last or {}, moments.is_consistent)


def write_all(client: Client, questions: Sequence[Question], target: Target, how: How, tell: Callable[[str], None] = lambda _: None,
              folder: Folder | None = None) -> list[Written]:
    """A file for each question, each whole or not at all."""
    into = folder or target.folder
    if folder is None:
        _tell_left_over(into, tell)
    return [_again_if_rebuilt(lambda question=question: _write_file(client, question, target, into, how), tell)  # type: ignore[misc]
            for question in questions]


def _tell_left_over(folder: Folder, tell: Callable[[str], None]) -> None:
    for name in folder.prepare():
        tell(f"{folder.where(name)} was left by a run that was killed: removed")


def snapshot_name(as_of: Mapping[str, Any], now: datetime) -> str:
    """Sorts by time: commits of another store begin anew."""
    return f"{now.astimezone(UTC):%Y-%m-%dT%H-%M-%S}.{now.microsecond // 1000:03}Z-commit-{as_of['commit']}"


def snapshots_over(names: Sequence[str], keep: int) -> list[str]:
    """The oldest ones, of which there are more than are to be kept. Names of any other form are none of ours."""
    ours = sorted(name for name in names if _SNAPSHOT.fullmatch(name))
    return ours[:max(0, len(ours) - keep)]


def write_snapshot(client: Client, questions: Sequence[Question], target: Target, how: How, keep: int | None, now: datetime,
                   tell: Callable[[str], None] = lambda _: None) -> list[Written]:
    """A folder with a file for each question, that is there whole or not at all; the latest is known by a name of its own."""
    folder = target.folder
    _tell_left_over(folder, tell)
    for name in [name for name in folder.names() if _SNAPSHOT.fullmatch(name) and not folder.is_complete(name)]:
        folder.remove_snapshot(name)
        tell(f"{folder.where(name)} was left unfinished by a run that was killed: removed")
    name = snapshot_name(client.status()["as_of"], now)
    with folder.snapshot(name) as inside:
        written = write_all(client, questions, target, how, tell, inside)
    for old in snapshots_over(folder.names(), keep) if keep else ():
        folder.remove_snapshot(old)
    return [replace(each, where=f"{folder.where(name)}/{target.name_of(question)}")
            for each, question in zip(written, questions, strict=True)]


def write_to_stdout(client: Client, question: Question, form: str, how: How, tell: Callable[[str], None]) -> Written:
    """Nothing is put out before all is read: what goes out can't be taken back."""
    def attempt() -> Written:
        with tempfile.SpooledTemporaryFile(max_size=1 << 26) as spooled, guarded(spooled) as output:  # type: ignore[arg-type]
            moments, _ = _write(client, question, form, output, how)
            spooled.seek(0)
            shutil.copyfileobj(spooled, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        return Written(question.name, "stdout", moments.rows, output.bytes, moments.last or {}, moments.is_consistent)
    return _again_if_rebuilt(attempt, tell)


def export(client: Client, what: str | Mapping[str, Any], to: str | os.PathLike[str], *, format: str | None = None,
           numbers: bool = False, consistent: bool = False, keys: Keys | None = None, timeout: float = 60.0) -> Written:
    """Writes the rows of a view (`"products"`, `"table.users"`) or of a request (`{"query":"top", …}`) into a file or folder, as
    `till export` does: whole or not at all."""
    question = of_view(what) if isinstance(what, str) else of_request(what)
    how = How(numbers, consistent, keys, timeout)
    return write_all(client, [question], target_of(os.fspath(to), format, False), how)[0]
