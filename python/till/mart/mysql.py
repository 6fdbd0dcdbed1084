"""MariaDB and MySQL, by PyMySQL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from ..columns import MONEY_DIGITS, MONEY_PLACES, Type
from ..command import NotInstalled, UsageError
from .database import CONNECT_TIMEOUT_S, LOCK_TIMEOUT_S, TEXT_BYTES, TEXT_BYTES_MAX, Address, Database, DatabaseError, Reason
from .plan import Mart, PlanError, Row, Target

_DECIMAL = f"DECIMAL({MONEY_DIGITS},{MONEY_PLACES})"
TYPES = {Type.INTEGER: "BIGINT", Type.MONEY: _DECIMAL, Type.DECIMAL: _DECIMAL, Type.TIME: "DATETIME(3)",
         Type.INSTANT_BUCKET: "DATETIME(3)", Type.DATE_BUCKET: "DATE"}
KEY_BYTES_MAX = 3072  # of InnoDB, over all columns of a key
_CHARACTER_BYTES = 4
_NUMBER_BYTES = 8
_NAME_CHARACTER_MAX = 0xFFFF
_ANSWER_TIMEOUT_S = 120  # longer than InnoDB waits for a lock
_KEYS_PER_STATEMENT = 500
_CONFLICTS = (1205, 1213, 1020)
_AWAY = (1053, 1077, 1927, 2002, 2003, 2006, 2013, 2055)
_FULL = (1021, 1114, 1041, 1037)
_DENIED = (1044, 1045, 1142, 1143, 1227, 1290, 1370, 1698, 1410)
_OPTIONS = ("unix_socket", "ssl_ca", "ssl_cert", "ssl_key")


class Mysql(Database):
    makes_tables_in_transactions = False
    text_time = "DATETIME(3)"
    name_size_max, name_is_counted_in_bytes = 64, False
    text_number = "BIGINT NOT NULL AUTO_INCREMENT"
    table_options = " ENGINE=InnoDB"

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        try:
            import pymysql  # type: ignore[import-untyped]
        except ImportError as error:
            raise NotInstalled("PyMySQL", "sql") from error
        self._driver = pymysql
        strange = [name for name, _ in address.options if name not in _OPTIONS]
        if strange:
            raise UsageError(f"--to: a mysql address has no option {strange[0]}; there are {', '.join(_OPTIONS)}")
        where: dict[str, Any] = {"host": address.host or "localhost", "port": address.port or 3306, **dict(address.options)}
        is_by_tls = any(name.startswith("ssl_") for name in where)
        if is_by_tls:  # the driver looks at neither by itself, so that anybody could be the server
            where |= {"ssl_verify_cert": True, "ssl_verify_identity": True}
        self._connection = self._asked(lambda: pymysql.connect(
            user=address.user, password=address.password or "", database=address.name, charset="utf8mb4", autocommit=False,
            client_flag=pymysql.constants.CLIENT.FOUND_ROWS,
            connect_timeout=CONNECT_TIMEOUT_S, read_timeout=_ANSWER_TIMEOUT_S, write_timeout=_ANSWER_TIMEOUT_S, **where))
        if is_by_tls and not self.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0][1]:  # PyMySQL before 1.2 goes on without
            self.close()
            raise DatabaseError(self.label, Reason.OTHER, "the server does not support SSL, and the address asks for it")
        # What does not fit is an error, never cut; times are UTC.
        self.query("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'")
        self.collation = "utf8mb4_nopad_bin" if "mariadb" in str(self.query("SELECT VERSION()")[0][0]).lower() else "utf8mb4_0900_bin"

    def reason_of(self, error: BaseException) -> Reason | None:
        if isinstance(error, OSError):
            return Reason.AWAY
        if not isinstance(error, self._driver.err.Error):
            return None
        code = error.args[0] if error.args else 0
        for codes, reason in ((_CONFLICTS, Reason.CONFLICT), (_AWAY, Reason.AWAY), (_FULL, Reason.FULL), (_DENIED, Reason.DENIED)):
            if code in codes:
                return reason
        return Reason.AWAY if isinstance(error, self._driver.err.InterfaceError) else Reason.OTHER

    def _execute(self, statement: str, parameters: Sequence[Any]) -> tuple[list[Row], int]:
        with self._connection.cursor() as cursor:
            changed = cursor.execute(statement, tuple(parameters))
            return list(cursor.fetchall()), changed

    def _execute_many(self, statement: str, rows: Sequence[Row]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(statement, rows)

    def _insert(self, statement: str, rows: Sequence[Row]) -> None:
        self._execute_many(f"INSERT INTO {statement} VALUES ({', '.join(['%s'] * len(rows[0]))})", rows)

    def _commit(self) -> None:
        self._connection.commit()

    def _rollback(self) -> None:
        self._connection.rollback()

    def close(self) -> None:
        try:
            self._connection.close()
        except self._driver.err.Error:
            self._connection._force_close()

    def _quote(self, name: str) -> str:
        if any(ord(character) > _NAME_CHARACTER_MAX for character in name):
            raise PlanError(f"{self.label}: names have no characters beyond U+FFFF here, as {name!r} has")
        return "`" + name.replace("`", "``").replace("%", "%%") + "`"

    def text_key(self, size: int) -> str:
        return f"VARCHAR({size}) CHARACTER SET utf8mb4 COLLATE {self.collation}"

    def text(self) -> str:
        return f"TEXT CHARACTER SET utf8mb4 COLLATE {self.collation}"

    def types(self, mart: Mart) -> list[str]:
        size = _size_of_long_texts(mart)
        return [self._type(column.is_key, column.source.name, column.source.type, size) for column in mart.columns]

    def _type(self, is_key: bool, name: str, type_: Type, long_size: int) -> str:
        if type_ is not Type.TEXT:
            return TYPES[type_]
        if is_key or name in TEXT_BYTES:
            return self.text_key(TEXT_BYTES.get(name, long_size))
        return self.text()

    def stored(self, value: Any) -> Any:
        return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value

    def shown(self, type_: Type, value: Any) -> Any:  # noqa: ARG002
        return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value

    def columns_of(self, target: Target) -> list[str]:
        self.quoted(target)  # that it can be a name
        found = self.query("SELECT column_name FROM information_schema.columns WHERE table_schema = coalesce(%s, database()) "
                           "AND table_name = %s ORDER BY ordinal_position", [target.schema, target.name])
        return [str(name) for (name,) in found]

    def check_engine(self, target: Target) -> None:
        found = self.query("SELECT engine FROM information_schema.tables WHERE table_schema = coalesce(%s, database()) AND table_name = %s",
                           [target.schema, target.name])
        if found and found[0][0] != "InnoDB":
            raise PlanError(f"table {target} is of the engine {found[0][0]}, which knows no transactions: ALTER TABLE … ENGINE=InnoDB")

    def _lock_name(self, name: str) -> str:
        return "till-mart-" + hashlib.sha256(f"{self.address.name} {name}".encode()).hexdigest()[:40]

    def lock(self, name: str) -> None:
        if self.query("SELECT GET_LOCK(%s, %s)", [self._lock_name(name), LOCK_TIMEOUT_S])[0][0] != 1:
            raise DatabaseError(self.label, Reason.CONFLICT, f"another till mart has been writing {name} for {LOCK_TIMEOUT_S} s")

    def unlock(self, name: str) -> None:
        self.query("SELECT RELEASE_LOCK(%s)", [self._lock_name(name)])

    def update(self, mart: Mart, table: str, rows: Iterable[Row]) -> None:
        """In statements of many rows: one by one would take a journey each."""
        names = [self.quote(column.name) for column in mart.columns]
        values = ", ".join(f"{name} = VALUES({name})" for name in names[len(mart.keys):])
        self.change_many(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))}) "
                         f"ON DUPLICATE KEY UPDATE {values}", rows)

    def delete(self, mart: Mart, table: str, keys: Iterable[Row]) -> None:
        held = [self.stored_row(key) for key in keys]
        names = ", ".join(self.quote(column.name) for column in mart.keys)
        one = "(" + ", ".join(["%s"] * len(mart.keys)) + ")"
        for at in range(0, len(held), _KEYS_PER_STATEMENT):
            some = held[at:at + _KEYS_PER_STATEMENT]
            self.change(f"DELETE FROM {table} WHERE ({names}) IN ({', '.join([one] * len(some))})", [cell for key in some for cell in key])


def _size_of_long_texts(mart: Mart) -> int:
    """Characters for each text of the key that has no bound of its own: what an index of InnoDB leaves them."""
    texts = [column for column in mart.keys if column.source.type is Type.TEXT]
    bounded = [TEXT_BYTES[column.source.name] for column in texts if column.source.name in TEXT_BYTES]
    taken = _CHARACTER_BYTES * sum(bounded) + _NUMBER_BYTES * (len(mart.keys) - len(texts))
    long = len(texts) - len(bounded)
    return min(TEXT_BYTES_MAX, (KEY_BYTES_MAX - taken) // (_CHARACTER_BYTES * long)) if long else 0
