"""PostgreSQL, by psycopg 3."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from ..columns import MONEY_DIGITS, MONEY_PLACES, Type
from ..command import NotInstalled
from .database import CONNECT_TIMEOUT_S, LOCK_TIMEOUT_S, Address, Database, Reason
from .plan import Mart, Row, Target

_NUMERIC = f"NUMERIC({MONEY_DIGITS},{MONEY_PLACES})"
TYPES = {Type.TEXT: "TEXT", Type.INTEGER: "BIGINT", Type.MONEY: _NUMERIC, Type.DECIMAL: _NUMERIC, Type.TIME: "TIMESTAMPTZ",
         Type.INSTANT_BUCKET: "TIMESTAMPTZ", Type.DATE_BUCKET: "DATE"}
# A database whose machine is gone without a word is noticed by these, in half a minute.
_NOTICE = {"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "4", "tcp_user_timeout": "30000"}
_CONFLICTS = ("40001", "40P01", "55P03")
_AWAY = ("08", "57P")
_FULL = ("53",)
_DENIED = ("42501", "28")


class Postgres(Database):
    makes_tables_in_transactions = True
    text_time = "TIMESTAMPTZ"
    name_size_max, name_is_counted_in_bytes = 63, True
    text_number = "BIGINT GENERATED ALWAYS AS IDENTITY"

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        try:
            import psycopg
        except ImportError as error:
            raise NotInstalled("psycopg", "sql") from error
        self._driver = psycopg
        given = dict(address.options)
        more: dict[str, Any] = {name: value for name, value in _NOTICE.items() if name not in given}
        if "connect_timeout" not in given:
            more["connect_timeout"] = CONNECT_TIMEOUT_S
        if address.password is not None:
            more["password"] = address.password
        self._connection = self._asked(lambda: psycopg.connect(address.url, application_name="till-mart", **more))
        self._connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        self.query(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'")
        self.commit()

    def reason_of(self, error: BaseException) -> Reason | None:
        if not isinstance(error, self._driver.Error):
            return None
        state = error.sqlstate or ""
        if state.startswith(_CONFLICTS):
            return Reason.CONFLICT
        if state.startswith(_FULL):
            return Reason.FULL
        if state.startswith(_DENIED) or (not state and "authentication failed" in str(error)) or "no password supplied" in str(error):
            return Reason.DENIED
        lost = isinstance(error, self._driver.OperationalError | self._driver.InterfaceError) and not state
        return Reason.AWAY if lost or state.startswith(_AWAY) else Reason.OTHER

    def _execute(self, statement: str, parameters: Sequence[Any]) -> tuple[list[Row], int]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, tuple(parameters))
            return (cursor.fetchall() if cursor.description else []), cursor.rowcount

    def _execute_many(self, statement: str, rows: Sequence[Row]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(statement, rows)

    def _insert(self, statement: str, rows: Sequence[Row]) -> None:
        with self._connection.cursor() as cursor, cursor.copy(f"COPY {statement.replace('%%', '%')} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def _commit(self) -> None:
        self._connection.commit()

    def _rollback(self) -> None:
        self._connection.rollback()

    def close(self) -> None:
        self._connection.close()

    def _quote(self, name: str) -> str:
        return '"' + name.replace('"', '""').replace("%", "%%") + '"'

    def types(self, mart: Mart) -> list[str]:
        return [TYPES[column.source.type] for column in mart.columns]

    def text_key(self, size: int) -> str:  # noqa: ARG002
        return "TEXT"

    def columns_of(self, target: Target) -> list[str]:
        found = self.query("SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped "
                           "ORDER BY attnum", [self.quoted(target).replace("%%", "%")])
        return [str(name) for (name,) in found]

    def lock(self, name: str) -> None:
        self.query("SELECT pg_advisory_lock(%s)", [_number(name)])

    def unlock(self, name: str) -> None:
        self.query("SELECT pg_advisory_unlock(%s)", [_number(name)])


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"till mart {name}".encode()).digest()[:8], "big", signed=True)
