"""What a mart's writer wants of a database, whichever it is: addresses, statements, and what went wrong in words."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from ..columns import Type
from ..command import UsageError
from ..errors import TillError
from .plan import Mart, PlanError, Row, Target

T = TypeVar("T")
CONNECT_TIMEOUT_S = 10
LOCK_TIMEOUT_S = 50
# Bytes of the texts that events have (PROTOCOL.md, 2.1); what is not here may have as many as any other text.
TEXT_BYTES = {"currency": 3, "edge": 64, "kind": 16, "code": 64, "product_id": 128, "user_id": 128, "order_id": 128, "event_id": 64}
TEXT_BYTES_MAX = 1024


class Reason(Enum):
    """Of a database that did not do what it was asked."""

    CONFLICT = "another transaction was in the way"  # the same again will do
    AWAY = "the database can't be reached"
    FULL = "the database has no room left"
    DENIED = "the database does not allow it"
    OTHER = "the database refused"


class DatabaseError(TillError):
    def __init__(self, label: str, reason: Reason, words: str) -> None:
        super().__init__(f"{label}: {reason.value}: {words}")
        self.reason = reason


@dataclass(frozen=True)
class Address:
    """A database's URL without a password, which is elsewhere."""

    scheme: str
    url: str
    host: str | None
    port: int | None
    user: str | None
    name: str
    options: tuple[tuple[str, str], ...]
    password: str | None = None

    @property
    def label(self) -> str:
        return f"{self.scheme}://{self.host or ''}{f':{self.port}' if self.port else ''}/{self.name}"

    def __repr__(self) -> str:  # a password is in no traceback
        return f"Address({self.label})"


_SCHEMES = {"postgresql": "postgresql", "postgres": "postgresql", "mysql": "mysql", "mariadb": "mysql"}


def read_address(url: str, password_file: str | None = None) -> Address:
    """Raises UsageError, which never repeats what may be a password."""
    try:
        parts = urlsplit(url)
        scheme, port = _SCHEMES.get(parts.scheme), parts.port
    except ValueError:
        raise UsageError("--to: that is no address such as postgresql://user@host:5432/shop") from None
    options = tuple(parse_qsl(parts.query, keep_blank_values=True))
    if parts.password is not None or any("passw" in name for name, _ in options):
        raise UsageError("--to: a password on the command line can be read by everybody on this machine (ps): put it into --password-file, "
                         "PGPASSWORD, ~/.pgpass or MYSQL_PWD")
    if scheme is None or not parts.path.strip("/") or parts.fragment:
        raise UsageError("--to: an address is postgresql://user@host:5432/database or mysql://user@host:3306/database")
    password = None
    if password_file is not None:
        try:
            password = Path(password_file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--password-file {password_file}: {error}") from error
    elif scheme == "mysql":
        password = os.environ.get("MYSQL_PWD")
    user = unquote(parts.username) if parts.username else None
    return Address(scheme, url, parts.hostname, port, user, unquote(parts.path.strip("/")), options, password)


class Database(ABC):
    """One connection, one transaction at a time. Parameters of statements are %s; a percent sign of a name is doubled by `quote`."""

    makes_tables_in_transactions: bool
    text_time: str  # the type of an instant
    text_number: str  # the type that numbers rows by itself

    def __init__(self, address: Address) -> None:
        self.address = address
        self.label = address.label

    # ---- of the driver

    @abstractmethod
    def reason_of(self, error: BaseException) -> Reason | None:
        """None: no error of this driver."""

    @abstractmethod
    def _execute(self, statement: str, parameters: Sequence[Any]) -> tuple[list[Row], int]:
        """Its rows, and how many rows it changed."""

    @abstractmethod
    def _execute_many(self, statement: str, rows: Sequence[Row]) -> None: ...

    @abstractmethod
    def _insert(self, statement: str, rows: Sequence[Row]) -> None: ...

    @abstractmethod
    def _commit(self) -> None: ...

    @abstractmethod
    def _rollback(self) -> None: ...

    @abstractmethod
    def close(self) -> None:
        """Of a connection that is gone, too."""

    def _asked(self, what: Callable[[], T]) -> T:
        try:
            return what()
        except Exception as error:
            reason = self.reason_of(error)
            if reason is None:
                raise
            raise DatabaseError(self.label, reason, " ".join(str(error).split())) from error

    # ---- statements

    def query(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self._asked(lambda: self._execute(statement, parameters)[0])

    def change(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """How many rows it changed."""
        return self._asked(lambda: self._execute(statement, self.stored_row(parameters))[1])

    def change_many(self, statement: str, rows: Iterable[Row]) -> None:
        held = [self.stored_row(row) for row in rows]
        if held:
            self._asked(lambda: self._execute_many(statement, held))

    def commit(self) -> None:
        self._asked(self._commit)

    def rollback(self) -> None:
        """Of a connection that is gone, too: the database has done it then."""
        try:
            self._rollback()
        except Exception as error:
            if self.reason_of(error) is None:
                raise

    # ---- names and values

    @abstractmethod
    def _quote(self, name: str) -> str: ...

    name_size_max: int
    name_is_counted_in_bytes: bool

    def quote(self, name: str) -> str:
        """A name as it is; one that the database would cut off, perhaps to the name of another table, is refused."""
        size = len(name.encode()) if self.name_is_counted_in_bytes else len(name)
        if size > self.name_size_max or "\0" in name or name != name.strip():
            raise PlanError(f"{self.label}: {name!r} can't be a name: at most {self.name_size_max} "
                            f"{'bytes' if self.name_is_counted_in_bytes else 'characters'}, and no space at its ends")
        return self._quote(name)

    def quoted(self, target: Target) -> str:
        return ".".join(self.quote(name) for name in (target.schema, target.name) if name is not None)

    @abstractmethod
    def types(self, mart: Mart) -> list[str]:
        """Of its columns, as CREATE TABLE wants them."""

    @abstractmethod
    def text_key(self, size: int) -> str:
        """The type of a text of a key."""

    def text(self) -> str:
        """The type of any text, whatever the database's own default is."""
        return "TEXT"

    def stored(self, value: Any) -> Any:
        """A cell as the driver takes it."""
        return value

    def shown(self, type_: Type, value: Any) -> Any:  # noqa: ARG002
        """A cell of a table, as the client gives those of answers."""
        return value

    def stored_row(self, row: Sequence[Any]) -> Row:
        return tuple(self.stored(value) for value in row)

    # ---- what differs

    @abstractmethod
    def columns_of(self, target: Target) -> list[str]:
        """Of a table; none where there is no such table."""

    def check_engine(self, target: Target) -> None:  # noqa: B027
        """Raises PlanError of a table that knows no transactions."""

    @abstractmethod
    def lock(self, name: str) -> None:
        """One writer of a mart at a time: held until `unlock` or the connection's end, over what commits."""

    @abstractmethod
    def unlock(self, name: str) -> None: ...

    # ---- rows

    def read(self, mart: Mart, table: str) -> dict[Row, Row]:
        names = ", ".join(self.quote(column.name) for column in mart.columns)
        size, types = len(mart.keys), [column.source.type for column in mart.columns]
        rows = (tuple(self.shown(type_, value) for type_, value in zip(types, row, strict=True))
                for row in self.query(f"SELECT {names} FROM {table}"))
        return {row[:size]: row for row in rows}

    def insert(self, mart: Mart, table: str, rows: Iterable[Row]) -> None:
        held = [self.stored_row(row) for row in rows]
        if held:
            names = ", ".join(self.quote(column.name) for column in mart.columns)
            self._asked(lambda: self._insert(f"{table} ({names})", held))

    def update(self, mart: Mart, table: str, rows: Iterable[Row]) -> None:
        size = len(mart.keys)
        values = ", ".join(f"{self.quote(column.name)} = %s" for column in mart.columns[size:])
        self.change_many(f"UPDATE {table} SET {values} WHERE {self._key_is(mart)}", (row[size:] + row[:size] for row in rows))

    def delete(self, mart: Mart, table: str, keys: Iterable[Row]) -> None:
        self.change_many(f"DELETE FROM {table} WHERE {self._key_is(mart)}", keys)

    def _key_is(self, mart: Mart) -> str:
        return " AND ".join(f"{self.quote(column.name)} = %s" for column in mart.keys)

    def create(self, mart: Mart, table: str) -> None:
        keys = ", ".join(self.quote(column.name) for column in mart.keys)
        columns = ", ".join(f"{self.quote(column.name)} {type_}" for column, type_ in zip(mart.columns, self.types(mart), strict=True))
        self.change(f"CREATE TABLE {table} ({columns}, PRIMARY KEY ({keys})){self.table_options}")

    table_options = ""
