"""The command line of `till archive`. Exit codes are those of `till`, and 4 where a person must decide, as of daemons."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Container, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from .. import command
from ..command import DONE, FAILED, UsageError
from ..kafka import OURS, partition_text
from . import compact as compacting
from . import stream, verify
from .files import File
from .manifest import COUNTS, Folder, NeedsDecision, State

NEEDS_DECISION = 4
_TOPICS = {"order": "orders", "cart": "cart_events", "view": "page_views"}
_EPILOG = """The folder's manifest says what is in the archive; `list` shows its files. Files that it does not name are not part of it.
Exit codes: 0 done, 1 failed, 2 usage, 3 Kafka not reached, 4 needs a decision (what, is said)."""


def archive(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        code: int = options.do(options)
    except NeedsDecision as error:
        command.say("archive", str(error))
        return NEEDS_DECISION
    return code


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("archive", "Writes Kafka's events and dead letters into Parquet or NDJSON files, each event once.", _EPILOG)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, do: Callable[[argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=words, description=words, allow_abbrev=False)
        made.add_argument("dir", metavar="DIR", type=Path, help="the archive's folder")
        made.set_defaults(do=do)
        return made

    _run_options(add("run", _run, "read Kafka and write files, until stopped"))
    add("verify", _verify, "compare every file, sum and set with the manifest")
    _list_options(add("list", _list, "the files of the manifest, one a line"))
    compact = add("compact", _compact, "small files of a day become one")
    compact.add_argument("--target", metavar="SIZE", type=_size, default="128MiB", help="no file becomes larger, default 128MiB")
    cat = add("cat", _cat, "the records as a stream of msgpack, for till-aggregator --rebuild --archive -")
    cat.add_argument("--from", metavar="TOPIC/PARTITION:OFFSET", dest="begin", action="append", default=[], help="skip what lies below")
    cat.add_argument("--epoch", metavar="N", type=int, help="where the log began anew: which one")
    add("status", _status, "what was read and written").add_argument("--json", action="store_true", help="one object")
    return parser


def _size(text: str) -> int:
    for unit, factor in (("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)):
        if text.endswith(unit) and text.removesuffix(unit).isdecimal() and int(text.removesuffix(unit)) > 0:
            return int(text.removesuffix(unit)) * factor
    raise argparse.ArgumentTypeError(f"{text!r} is no size, such as 64MiB or 1GiB")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day, such as 2010-12-01") from error


# run


def _run_options(to: argparse.ArgumentParser) -> None:
    to.add_argument("--brokers", metavar="HOST:PORT,…", required=True, help="Kafka")
    for kind, topic in _TOPICS.items():
        to.add_argument(f"--topic.{kind}", metavar="TOPIC", dest=f"topic_{kind}", default=topic, help=f"default {topic}; and {topic}.dlq")
    to.add_argument("--format", choices=("parquet", "ndjson"), default="parquet", help="of new files, default parquet")
    to.add_argument("--every", metavar="TIME", type=command.span_s, default="60s", help="commit so often, default 60s")
    to.add_argument("--rows", metavar="N", type=int, default=500_000, help="or after so many records, default 500000 (or 256 MiB)")
    to.add_argument("--once", action="store_true", help="up to the log's end as it is now, then stop")
    to.add_argument("--compact", metavar="TIME", type=command.span_s, help="make small files of a day one, so often")
    to.add_argument("--target", metavar="SIZE", type=_size, default="128MiB", help="of --compact, default 128MiB")
    to.add_argument("--accept-gap", metavar="TEXT", action="append", default=[], help="go on without exactly this, which the log has lost")
    to.add_argument("--kafka", metavar="NAME=VALUE", action="append", default=[], help="a property of librdkafka: security.protocol=ssl")
    to.add_argument("--timeout", metavar="TIME", type=command.span_s, default="30s", help="wait so long for Kafka, default 30s")


def _settings(texts: Sequence[str], refused: Container[str]) -> dict[str, str]:
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--kafka {text!r} is no NAME=VALUE")
        if name in refused:
            raise UsageError(f"--kafka {name} would switch a guarantee off")
        settings[name] = value
    return settings


def _kinds(options: argparse.Namespace) -> dict[str, str]:
    kinds = {}
    for kind in _TOPICS:
        topic = getattr(options, f"topic_{kind}")
        for name, of in ((topic, kind), (f"{topic}.dlq", f"{kind}.dlq")):
            if name in kinds:
                raise UsageError(f"topic {name} is given for two kinds")
            kinds[name] = of
    return kinds


def _run(options: argparse.Namespace) -> int:
    from . import run  # confluent-kafka is needed here alone

    if options.rows < 1:
        raise UsageError("--rows must be 1 or more")
    plan = run.Plan(options.brokers, _kinds(options), options.format, options.every, options.rows, once=options.once,
                    compact_s=options.compact, compact_bytes=options.target, accepted=options.accept_gap,
                    settings=_settings(options.kafka, OURS), timeout_s=options.timeout)
    done = run.run(options.dir, plan, command.Stop(), lambda words: command.say("archive", words))
    rate = f", {done.records / done.seconds:,.0f}/s" if options.once and done.seconds > 0 else ""
    command.say("archive", f"{done.records} records in {done.commits} commits{rate}")
    return DONE


# what is there


def _verify(options: argparse.Namespace) -> int:
    found = 0
    for problem in verify.problems(options.dir):
        found += 1
        print(problem)
    if found:
        command.say("archive", f"{options.dir}: {found} problems")
        return FAILED
    state = Folder(options.dir).load()
    print(f"{options.dir}: {len(state.files)} files, {sum(file.rows for file in state.files.values())} rows: all as the manifest says")
    return DONE


def _list_options(to: argparse.ArgumentParser) -> None:
    to.add_argument("--kind", action="append", help="of these kinds only: order, cart, view, order.dlq, …")
    to.add_argument("--from", metavar="DAY", dest="first", type=_day, help="from this day on, in UTC")
    to.add_argument("--to", metavar="DAY", dest="last", type=_day, help="before this day")
    to.add_argument("--aside", action="store_true", help="what was set aside instead: foreign and unreadable records")
    how = to.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="with rows, bytes and checksum: one object a line")
    how.add_argument("--duckdb", action="store_true", help="as a table function for DuckDB's FROM")
    how.add_argument("--glob", action="store_true", help="as a pattern: simple, but see docs/ARCHIVE.md")


def _chosen(state: State, options: argparse.Namespace) -> list[File]:
    first, last = (day.isoformat() if day else "" for day in (options.first, options.last))
    return sorted((file for file in state.files.values() if bool(file.kind) != options.aside
                   and (not options.kind or file.kind in options.kind) and file.day >= first and (not last or file.day < last)),
                  key=lambda file: file.path)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_NDJSON_TYPES = {"day": "DATE", "run": "BIGINT", "seq": "BIGINT", "ts": "TIMESTAMPTZ", "quantity": "BIGINT", "appended": "TIMESTAMPTZ",
                 "partition": "INTEGER", "offset": "BIGINT", "headers": "JSON",
                 **dict.fromkeys(("unit_price", "amount", "discount", "tax", "revenue"), "DECIMAL(38,6)")}


def _duckdb(root: Path, chosen: Sequence[File], is_aside: bool) -> str:
    """Columns of NDJSON have their types from us: guessed ones would be doubles."""
    from . import rows

    formats = {file.format for file in chosen}
    if len(formats) > 1:
        raise UsageError(f"the archive has files of {' and '.join(sorted(formats))}; choose by --kind, --from and --to")
    if not chosen:
        raise UsageError("there are no such files")
    paths = ", ".join(_quoted(str(root / file.path)) for file in chosen)
    if formats == {"parquet"}:
        return f"read_parquet([{paths}], hive_partitioning = false)"
    names = (rows.ASIDE if is_aside else rows.ROWS).names
    columns = ", ".join(f"{_quoted(name)}: {_quoted(_NDJSON_TYPES.get(name, 'VARCHAR'))}" for name in names)
    return f"read_json([{paths}], format = 'newline_delimited', hive_partitioning = false, columns = {{{columns}}})"


def _list(options: argparse.Namespace) -> int:
    root = options.dir.resolve()
    if options.glob:
        print(f"{root}/{'aside' if options.aside else 'data/kind=*'}/day=*/*")
        return DONE
    chosen = _chosen(Folder(root).load(), options)
    if options.duckdb:
        print(_duckdb(root, chosen, options.aside))
        return DONE
    for file in chosen:
        if options.json:
            print(json.dumps({"path": str(root / file.path), "kind": file.kind, "day": file.day, "rows": file.rows, "bytes": file.bytes,
                              "sha256": file.sha256}))
        else:
            print(root / file.path)
    return DONE


def _compact(options: argparse.Namespace) -> int:
    folder = Folder(options.dir)
    folder.load()  # refuses a folder that is none before it makes a lock there
    with folder.locked():
        done = compacting.compact(folder, folder.open(), options.target, lambda: datetime.now(UTC))
    command.say("archive", f"{options.dir}: {done.before} files became {done.after}")
    return DONE


def _cat(options: argparse.Namespace) -> int:
    try:
        begin = stream.begins(options.begin)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if sys.stdout.isatty():
        raise UsageError("the stream is no text: write it into a pipe or a file")
    stream.write(options.dir, begin, options.epoch, sys.stdout.buffer)
    return DONE


def _status(options: argparse.Namespace) -> int:
    state = Folder(options.dir).load()
    files = list(state.files.values())
    said = {"commit": state.number, "cluster": state.cluster, "epoch": state.epoch, "gaps": state.gaps, "files": len(files),
            "rows": sum(file.rows for file in files if file.kind), "bytes": sum(file.bytes for file in files),
            "partitions": [{"topic": part[0], "partition": part[1], "begin": at.begin, "next": at.next, **at.counts}
                           for part, at in sorted(state.partitions.items())]}
    if options.json:
        print(json.dumps(said))
        return DONE
    print(f"commit {said['commit']}, {said['files']} files, {said['rows']} rows, {said['bytes']} bytes, cluster {said['cluster']}")
    for text in state.gaps:
        print(f"missing, accepted: {text}")
    width = max([len(partition_text(part)) for part in state.partitions], default=9)
    print(f"{'partition':{width}} {'next':>12} " + " ".join(f"{name:>12}" for name in COUNTS))
    for part, at in sorted(state.partitions.items()):
        print(f"{partition_text(part):{width}} {at.next:>12} " + " ".join(f"{at.counts[name]:>12}" for name in COUNTS))
    return DONE
