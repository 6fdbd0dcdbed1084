"""`till export`: options, rounds, words."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from .. import command
from ..client import Client
from ..command import DONE, FAILED, Stop, UsageError
from ..keys import load_keys
from .job import STDOUT, How, Target, Written, target_of, write_all, write_snapshot, write_to_stdout
from .questions import Question, add_filter_options, of_options
from .reading import Interrupted

NAME = "export"
_EPILOG = """examples:
  till export --view products --to products.csv
  till export --view products --view users --to s3://shop/daily --format parquet --every 5min
  till export --view stores_per_day --group-by edge --last 7d --to - --format ndjson
  till export --query '{"query":"top","view":"products","by":"total_revenue"}' --to top.arrow

Each file is there whole or not at all. docs/EXPORT.md says what is promised of the rows."""


def _parser() -> argparse.ArgumentParser:
    made = command.parser(NAME, "Writes the rows of views, tables and queries into files: CSV, NDJSON, Parquet, Arrow.", _EPILOG)
    what = made.add_argument_group("what")
    what.add_argument("--view", metavar="VIEW", action="append", default=[], help="a view; repeatable: one file each")
    what.add_argument("--table", metavar="TABLE", action="append", default=[], help="a table; repeatable")
    what.add_argument("--query", metavar="JSON", action="append", default=[], help="a request: get, top, scan or bands; repeatable")
    add_filter_options(made.add_argument_group("which rows (as of till scan; for all --view and --table)"))
    where = made.add_argument_group("where and how")
    where.add_argument("--to", metavar="PLACE", required=True,
                       help="a file (by its ending), a folder (NAME.FORMAT in it), a URL (s3://, hdfs://, gs://, abfs://), or - for stdout")
    where.add_argument("--format", metavar="FORMAT", help="csv, ndjson, parquet, arrow; default: by the file's ending, else csv")
    where.add_argument("--numbers", action="store_true", help="ndjson: money as numbers with exactly its digits, not as text")
    where.add_argument("--consistent", action="store_true", help="all rows of a file of one moment, though sales come in")
    where.add_argument("--every", metavar="TIME", type=command.span_s, help="again and again, such as 30s, until stopped")
    where.add_argument("--snapshots", action="store_true", help="a folder for each round, and latest, which names the last")
    where.add_argument("--keep", metavar="N", type=int, help="with --snapshots: so many are kept; default all")
    command.add_aggregator_options(made.add_argument_group("the aggregator"))  # type: ignore[arg-type]
    return made


def _check(options: argparse.Namespace, questions: Sequence[Question]) -> None:
    if options.to == STDOUT and (options.every or options.snapshots):
        raise UsageError("--every and --snapshots want a file or a folder, not stdout")
    if options.to == STDOUT and len(questions) > 1:
        raise UsageError("stdout takes one view, table or query")
    if options.keep is not None and (not options.snapshots or options.keep < 1):
        raise UsageError("--keep wants --snapshots, and a number above 0")


def _tell(words: str) -> None:
    command.say(NAME, words)


def _report(written: Written) -> None:
    moment = "" if written.is_consistent else ", of several moments up to it"
    lag = written.as_of.get("lag")
    behind = "" if lag == 0 else ", Kafka can't be reached" if lag is None else f", {lag} records behind"
    _tell(f"{written.where}: {written.rows} rows, {written.bytes} bytes, as of commit {written.as_of['commit']}{moment}{behind}")


def _round(client: Client, questions: Sequence[Question], target: Target | None, options: argparse.Namespace, how: How) -> int:
    if target is None:
        _report(write_to_stdout(client, questions[0], options.format or "csv", how, _tell))
        return DONE
    if options.snapshots:
        written = write_snapshot(client, questions, target, how, options.keep, datetime.now(UTC), _tell)
    else:
        written = write_all(client, questions, target, how, _tell)
    for each in written:
        _report(each)
    return DONE


def _stopper(stop: Stop) -> Callable[[], None]:
    def check() -> None:
        if stop:
            raise Interrupted
    return check


def _command(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    questions = of_options(options)
    _check(options, questions)
    stop = Stop()
    keys = load_keys(options.key, options.server_key)
    how = How(options.numbers, options.consistent, keys, max(60.0, options.timeout), _stopper(stop))
    if options.to == STDOUT:
        with command.open_client(options) as client:
            return _round(client, questions, None, options, how)
    target = target_of(options.to, options.format, len(questions) > 1 or options.snapshots)
    with command.open_client(options) as client:
        def once(_: Sequence[str]) -> int:
            return _round(client, questions, target, options, how)
        if options.every is None:
            return once(())
        code = command.repeat(options.every, stop, lambda: command.run(NAME, once, ()))
        return DONE if stop and code == FAILED else code


def main() -> int:
    return command.run(NAME, _command)
