"""The command line of `till mart`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from .. import command
from ..command import UsageError, add_aggregator_options, endpoint_complete, open_client, span_s
from ..keys import load_keys
from .database import Address, DatabaseError, read_address
from .events import EventsJob
from .history import as_json, as_table, runs_of
from .plan import Target, Wish
from .reader import Reader
from .records import TOPICS
from .runner import Job, MartJob, Runner, addresses_of, code_of, open_database
from .topic import Topic, read_settings
from .writer import Surroundings

_EPILOG = """examples:
  till mart --to postgresql://till@127.0.0.1/shop --view users=UserOrders --view products=ProductSales
  till mart --to mysql://till@127.0.0.1/shop --table users --every 1min --password-file /etc/till/mysql
  till mart --to postgresql://till@127.0.0.1/shop --events order --brokers 127.0.0.1:9092
  till mart --to postgresql://till@127.0.0.1/shop --history

Tables are made where they are not there. A run is one transaction for each table: readers see the state before it or the state after it.
UserOrders and ProductSales have the columns that these marts always have; others have their view's. docs/MART.md tells more."""


def _parser() -> argparse.ArgumentParser:
    made = command.parser("mart", "Keeps tables of PostgreSQL, MariaDB or MySQL equal to views and tables of the aggregator.", _EPILOG)
    add_aggregator_options(made)
    made.add_argument("--live", metavar="ENDPOINT", help="its live socket, for views of more than 100,000 rows; default: where it says")
    made.add_argument("--to", metavar="URL", action="append", required=True,
                      help="postgresql://user@host:port/database or mysql://…; again for another database")
    made.add_argument("--password-file", metavar="FILE", action="append",
                      help="holds the password; else PGPASSWORD, ~/.pgpass, MYSQL_PWD; once, or once for each --to")
    made.add_argument("--view", metavar="VIEW=TABLE", action="append", default=[], help="a view, and the table that shows it")
    made.add_argument("--table", metavar="NAME[=TABLE]", action="append", default=[], help="a declared table, copied with its deletions")
    made.add_argument("--events", metavar="KIND[=TABLE]", action="append", default=[],
                      help="raw events from Kafka, each once: order, cart or view; the table is KIND_events unless named")
    made.add_argument("--columns", metavar="[TABLE:]NEW=OLD,…", action="append", default=[],
                      help="which columns of the view, under which names; TABLE: where there are several")
    made.add_argument("--currency", metavar="CODE", help="only amounts in this currency")
    made.add_argument("--with-currency", action="store_true", help="a row for each currency, and a column that names it")
    made.add_argument("--join", metavar="NAME", help="rows of this declared table without sales are there, with zeros")
    made.add_argument("--brokers", metavar="LIST", default="127.0.0.1:9092", help="Kafka, for --events; default 127.0.0.1:9092")
    made.add_argument("--topic", metavar="[KIND:]NAME", action="append", default=[], help="default orders, cart_events, page_views")
    made.add_argument("--kafka-config", metavar="FILE", help="properties of librdkafka, such as TLS and passwords")
    made.add_argument("--accept-gap", metavar="GAP", action="append", default=[], help="go on without just this, as a refusal words it")
    made.add_argument("--every", metavar="TIME", type=span_s, help="again and again, such as every 30s; else once")
    made.add_argument("--history", action="store_true", help="show the runs that the database knows of, and write nothing")
    made.add_argument("--limit", metavar="N", type=int, default=50, help="of --history, default 50")
    made.add_argument("--json", action="store_true", help="of --history: a map a line")
    made.add_argument("--keep-history", metavar="TIME", type=span_s, default="90d", help="forget older runs, default 90d")
    return made


def target_of(text: str) -> Target:
    """TABLE, or SCHEMA.TABLE."""
    schema, point, name = text.partition(".")
    if not text or (point and not (schema and name)):
        raise UsageError(f"{text!r} is no name of a table")
    return Target(name, schema) if point else Target(text)


def _pair(option: str, text: str) -> tuple[str, str]:
    left, sign, right = text.partition("=")
    if not (left and sign and right):
        raise UsageError(f"{option} {text}: that is no NAME=NAME")
    return left, right


def _columns_by_table(options: argparse.Namespace, tables: Sequence[str]) -> dict[str, tuple[tuple[str, str], ...]]:
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for text in options.columns:
        table, colon, names = text.partition(":")
        if not colon:
            table, names = tables[0] if len(tables) == 1 else "", text
        if table not in tables:
            raise UsageError(f"--columns {text}: begin with TABLE: for one of {', '.join(tables)}")
        found[table] = tuple(_pair("--columns", each) if "=" in each else (each, each) for each in names.split(","))
    return found


def wishes_of(options: argparse.Namespace) -> list[Wish]:
    pairs = [(view, table, False) for view, table in (_pair("--view", each) for each in options.view)]
    for each in options.table:
        name, _, table = each.partition("=")
        pairs.append((f"table.{name}", table or name, True))
    tables = [table for _, table, _ in pairs]
    columns = _columns_by_table(options, tables)
    return [Wish(view, target_of(table), columns.get(table), None if is_table else options.currency,
                 False if is_table else options.with_currency, None if is_table else options.join) for view, table, is_table in pairs]


def _topics(options: argparse.Namespace, kinds: Sequence[str]) -> dict[str, str]:
    topics = dict(TOPICS)
    for text in options.topic:
        kind, colon, name = text.partition(":")
        if not colon and len(kinds) == 1:
            kind, name = kinds[0], text
        if kind not in kinds or not name:
            raise UsageError(f"--topic {text}: begin with KIND: for one of {', '.join(kinds) or 'those of --events'}")
        topics[kind] = name
    return topics


def event_jobs_of(options: argparse.Namespace, around: Surroundings) -> list[Job]:
    pairs = [(kind, table or f"{kind}_events") for kind, _, table in (each.partition("=") for each in options.events)]
    strange = [kind for kind, _ in pairs if kind not in TOPICS]
    if strange:
        raise UsageError(f"--events {strange[0]}: the kinds are {', '.join(TOPICS)}")
    topics, settings = _topics(options, [kind for kind, _ in pairs]), read_settings(options.kafka_config)
    return [EventsJob(kind, target_of(table), partial(Topic, options.brokers, topics[kind], settings, options.timeout), options.accept_gap,
                      around) for kind, table in pairs]


def _runs(address: Address, limit: int) -> list[dict[str, Any]]:
    database = open_database(address)
    try:
        return runs_of(database, limit)
    finally:
        database.close()


def _show_history(addresses: Sequence[Address], options: argparse.Namespace) -> int:
    for address in addresses:
        try:
            runs = _runs(address, options.limit)
        except DatabaseError as error:
            command.say("mart", str(error))
            return code_of(error)
        if len(addresses) > 1 and not options.json:
            print(address.label)
        sys.stdout.write(as_json(runs) if options.json else as_table(runs))
    return command.DONE


def _check(jobs: Sequence[Job]) -> None:
    names = [job.name for job in jobs]
    if not names:
        raise UsageError("nothing to write: name a --view, a --table or --events")
    if len(set(names)) < len(names):
        raise UsageError(f"one table can't show two things: {', '.join(names)}")


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)  # what every database keeps


def _mart(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    addresses = addresses_of(options, read_address)
    if options.history:
        return _show_history(addresses, options)
    wishes, stop = wishes_of(options), command.Stop()
    around = Surroundings(_now, stop.wait, timedelta(seconds=options.keep_history))
    with open_client(options) as client:
        reader = Reader(client, load_keys(options.key, options.server_key), options.live and endpoint_complete(options.live))
        jobs: list[Job] = [*(MartJob(wish, reader, around) for wish in wishes), *event_jobs_of(options, around)]
        _check(jobs)
        runner = Runner(addresses, jobs, stop, _now)
        try:
            return command.repeat(options.every, stop, runner.round)
        finally:
            runner.close()


def main() -> None:
    sys.exit(command.run("mart", _mart))
