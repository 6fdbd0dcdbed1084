"""`till alert`: the command."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import getpass
import json
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import command
from ..client import Client
from ..command import DONE, FAILED, NOT_REACHED, Stop, UsageError, endpoint_complete, say, span_s
from ..errors import TillError
from ..keys import load_keys
from .check import problems
from .config import DEFAULT_FILE, Config, load, printed
from .delivery import NotTaken
from .engine import ENDED, FIRING, Cause, described, when
from .finding import span_words
from .ini import ConfigError, suggestion
from .rules import AGGREGATOR
from .runner import Runner, Threads, sink_of
from .state import Silence, State, StateError

EPILOG = "Rules, options and what is promised: docs/ALERTS.md"


def parser() -> argparse.ArgumentParser:
    top = command.parser("alert", "Evaluates rules over views; announces each cause once when it begins and once when it ends.", EPILOG)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, what: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=what, description=what, allow_abbrev=False)
        made.add_argument("-c", "--config", type=Path, metavar="FILE", default=Path(DEFAULT_FILE), help=f"default {DEFAULT_FILE}")
        return made
    run = add("run", "evaluate the rules until stopped")
    run.add_argument("--once", action="store_true", help="evaluate once, deliver, end")
    run.add_argument("--print-config", action="store_true", help="print the configuration in effect and end; no secrets are in it")
    run.add_argument("--ready-fd", type=int, metavar="N", help="write one line of JSON to this file descriptor when ready")
    add("check", "hold the rules against the aggregator's views: says line, what is wrong, what was meant")
    show = add("list", "what fires now, since when, and what is silenced")
    show.add_argument("--json", action="store_true", help="one object of JSON a line")
    hush = add("silence", "do not announce a cause, a rule, a rule's edge (RULE:EDGE) or an edge (*:EDGE)")
    hush.add_argument("target", metavar="CAUSE|RULE[:EDGE]")
    hush.add_argument("--for", dest="span", metavar="TIME", type=span_s, required=True, help="such as 30min, 2h, 3d")
    hush.add_argument("--why", metavar="TEXT", default="", help="is shown by till alert list")
    add("unsilence", "announce again").add_argument("target", metavar="CAUSE|RULE[:EDGE]")
    add("test-sinks", "send a test through every sink")
    return top


def open_client(config: Config) -> Client:
    alert = config.alert
    keys = load_keys(alert["key"] or None, alert["server_key"] or None)
    return Client(endpoint_complete(alert["at"]), timeout=alert["timeout"] / 1000, keys=keys)


def now_ms() -> int:
    return round(time.time() * 1000)


def alert(arguments: Sequence[str]) -> int:
    options = parser().parse_args(arguments)
    try:
        config = load(options.config)
    except ConfigError as error:
        raise UsageError(str(error)) from error
    return {"run": _run, "check": _check, "list": _list, "silence": _silence, "unsilence": _unsilence,
            "test-sinks": _test_sinks}[options.command](config, options)


class OneRunner:
    """Holds a lock while it runs: two runners of one state would announce everything twice."""

    def __init__(self, state: str) -> None:
        path = Path(f"{state}.lock")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"{path}: {error}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise StateError(f"{state}: another till alert run has it; one state is for one runner") from error

    def close(self) -> None:
        os.close(self._file)


def _run(config: Config, options: argparse.Namespace) -> int:
    if options.print_config:
        print(printed(config), end="")
        return DONE
    stop = Stop()
    with contextlib.closing(OneRunner(config.alert["state"])), open_client(config) as client:
        runner = Runner(config, client, lambda words: say("alert", words), has_live=not options.once)
        with contextlib.closing(runner):
            return _once(runner) if options.once else _until_stopped(runner, stop, options.ready_fd)


def _once(runner: Runner) -> int:
    found = runner.round()
    code = NOT_REACHED if found.is_not_reached else FAILED if found.away or found.failures else DONE
    for courier in runner.couriers:
        try:
            courier.drain(runner.state)
        except NotTaken as error:
            say("alert", f"{error}; kept for the next run")
            code = code or FAILED
    return code


def _until_stopped(runner: Runner, stop: Stop, ready_fd: int | None) -> int:
    threads = Threads(runner)
    _ready(runner, threads, ready_fd)

    def work() -> int:
        try:
            runner.round()
            runner.state_error = ""
        except StateError as error:
            if runner.state_error != str(error):
                say("alert", f"{error}; nothing is announced until it can be written down")
            runner.state_error = str(error)
        threads.wake()
        return DONE
    try:
        return command.repeat(runner.config.alert["every"] / 1000, stop, work)
    finally:
        threads.stop()


def _ready(runner: Runner, threads: Threads, ready_fd: int | None) -> None:
    """For whoever started us: service managers, tests."""
    words: dict[str, Any] = {"ready": True, "program": "till-alert", "pid": os.getpid(),
                             "http": threads.server.address if threads.server else None,
                             "publish": runner.live.endpoint if runner.live else None}
    if ready_fd is not None:
        with os.fdopen(ready_fd, "w") as file:
            file.write(json.dumps(words) + "\n")
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(b"READY=1", "\0" + address[1:] if address.startswith("@") else address)
    rules = sum(rule.type != AGGREGATOR for rule in runner.config.rules)
    places = [f"metrics on http://{words['http']}/metrics"] * bool(words["http"]) + [f"live on {words['publish']}"] * bool(words["publish"])
    say("alert", f"{rules} rules, {len(runner.config.sinks)} sinks; {', '.join(places) or 'no metrics, no live socket'}")


def _check(config: Config, options: argparse.Namespace) -> int:  # noqa: ARG001
    with open_client(config) as client:
        found = problems(config, client)
    for words in found:
        say("alert", words)
    if found:
        return FAILED
    print(f"{sum(rule.type != AGGREGATOR for rule in config.rules)} rules fit the views of {config.alert['at']}; {len(config.sinks)} sinks")
    return DONE


def _state(config: Config) -> State:
    return State(config.alert["state"], may_create=False)


def _list(config: Config, options: argparse.Namespace) -> int:
    with contextlib.closing(_state(config)) as state:
        causes = [cause for cause in state.causes().values() if cause.phase != ENDED]
        silences, waiting = state.silences(now_ms()), state.waiting()
    for cause in sorted(causes, key=lambda each: (each.phase != FIRING, each.since_ms, each.id)):
        covering = [each for each in silences if each.covers(cause)]
        print(json.dumps(_as_json(cause, covering), ensure_ascii=False) if options.json else _as_text(cause, covering))
    if options.json:
        return DONE
    if not causes:
        print("nothing fires")
    for each in silences:
        if not any(each.covers(cause) for cause in causes):
            print(f"{each.target} is {_silence_words(each)}; nothing of it fires now")
    for sink, count in sorted(waiting.items()):
        print(f"sink {sink}: {count} announcements wait")
    return DONE


def _as_json(cause: Cause, covering: Sequence[Silence]) -> dict[str, Any]:
    return {**described(cause), "state": cause.phase, "announced": None if cause.announced_ms is None else when(cause.announced_ms),
            "fine_since": None if cause.fine_ms is None else when(cause.fine_ms),
            "silenced": [{"target": each.target, "until": when(each.until_ms), "who": each.who, "why": each.why} for each in covering]}


def _as_text(cause: Cause, covering: Sequence[Silence]) -> str:
    span = span_words(max(0, now_ms() - cause.since_ms))
    state = cause.phase if cause.fine_ms is None else f"fine since {when(cause.fine_ms)}, ends if it stays so"
    words = f"{cause.id}  {cause.severity}  {state}  since {when(cause.since_ms)} ({span})\n    {cause.words}"
    return words + "".join(f"\n    {_silence_words(each)}" for each in covering)


def _silence_words(silence: Silence) -> str:
    return f"silenced until {when(silence.until_ms)} by {silence.who}" + (f": {silence.why}" if silence.why else "")


def _silence(config: Config, options: argparse.Namespace) -> int:
    with contextlib.closing(_state(config)) as state:
        _check_target(config, state, options.target)
        begun = now_ms()
        silence = Silence(options.target, begun, begun + round(options.span * 1000), _who(), options.why)
        state.silence(silence)
    print(f"{options.target} is {_silence_words(silence)}")
    return DONE


def _check_target(config: Config, state: State, target: str) -> None:
    """A typing error must not silence nothing in silence."""
    if "/" in target and ":" not in target:
        causes = [cause.id for cause in state.causes().values() if cause.phase != ENDED]
        if target not in causes:
            raise ConfigError(f'no cause "{target}" fires or is pending; {suggestion(target, causes)}')
        return
    rule, colon, edge = target.partition(":")
    if colon and not edge:
        raise UsageError(f'"{target}" names no edge; without one it is {rule}')
    if rule != "*":
        config.rule(rule)
    elif not colon:
        raise UsageError("* alone would silence everything; name a rule, or an edge as *:EDGE")


def _who() -> str:
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _unsilence(config: Config, options: argparse.Namespace) -> int:
    with contextlib.closing(_state(config)) as state:
        targets = [each.target for each in state.silences(now_ms())]
        if not state.unsilence(options.target) or options.target not in targets:
            raise ConfigError(f'"{options.target}" is not silenced; {suggestion(options.target, targets)}')
    print(f"{options.target} is announced again")
    return DONE


def _test_sinks(config: Config, options: argparse.Namespace) -> int:  # noqa: ARG001
    at = when(now_ms())
    message = {"id": f"test@{at}", "type": "test", "at": at, "cause": "test", "rule": "test", "key": {}, "severity": "info", "since": at,
               "text": "a test of this sink; nothing is wrong", "values": {}, "note": ""}
    code = DONE
    for each in config.sinks:
        try:
            words = sink_of(each).send(f"test-{now_ms()}", [message])
            print(f"{each.name}: taken" + (f", but {words}" if words else ""))
        except TillError as error:
            say("alert", str(error))
            code = FAILED
    if not config.sinks:
        print("no sinks are configured")
    return code


def main() -> int:
    return command.run("alert", alert)
