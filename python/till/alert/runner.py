"""Evaluates the rules every so often and writes down what begins and ends; threads bring that to the sinks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..client import AsOf, Client
from ..columns import Column
from ..errors import BadAnswer, NotReached, Refused, TillError
from .config import Config, SinkConfig
from .delivery import Courier, Sink
from .engine import ENDED, FIRING, PENDING, Cause, Notice, Patience, firing, step, without_rule
from .finding import Finding, Key, Row, Verdict, fine, off
from .live import Live
from .mail import Mail
from .metrics import Labels, Numbers, Server
from .rules import AGGREGATOR, Rule
from .state import Silence, State, StateError
from .webhook import Webhook

SEVERITIES = ("info", "warning", "critical")
# Of an aggregator that can't answer anybody now; other refusals are of one rule.
_NOT_NOW = ("not_ready", "rebuilding", "busy", "timeout", "forbidden")


class Stale(TillError):
    """Totals are too far behind to be judged."""


class Asker:
    """The questions of one round of rules after another, and what they keep of history."""

    def __init__(self, client: Client, lag_max: int) -> None:
        self._client = client
        self._lag_max = lag_max
        self._kept: dict[tuple[Any, ...], Any] = {}
        self._asked_for: set[tuple[Any, ...]] = set()
        self._store = ""

    def scan(self, view: str, **more: Any) -> Sequence[Row]:
        rows = self._client.scan(view, **more)
        self._check(rows.as_of)
        return rows

    def columns(self, view: str) -> Sequence[Column]:
        return self._client.columns(view)

    def kept(self, name: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        if name not in self._kept:
            self._kept[name] = make()
        self._asked_for.add(name)
        return self._kept[name]

    def event_ms(self) -> int | None:
        newest: int | None = self._client.ask({"query": "status"})["as_of"]["event_ts"]
        return newest

    def end_round(self, *, is_whole: bool) -> None:
        """What nobody asked for in a whole round is of another day."""
        if is_whole:
            self._kept = {name: value for name, value in self._kept.items() if name in self._asked_for}
        self._asked_for.clear()

    def begin_round(self) -> None:
        """Raises Stale, or what the client raises. Another store may have another history."""
        answer = self._client.ask({"query": "views"})["as_of"]
        self._check(AsOf(answer["store"], answer["commit"], answer["event_ts"], answer["lag"], tuple(answer.get("gaps", ()))))
        if answer["store"] != self._store:
            self._kept.clear()
        self._store = answer["store"]

    def _check(self, as_of: AsOf) -> None:
        if as_of.lag is None:
            raise Stale("the aggregator can't reach Kafka: its totals may be old")
        if as_of.lag > self._lag_max:
            raise Stale(f"the aggregator is {as_of.lag} records behind Kafka, more than {self._lag_max}")


@dataclass
class Round:
    """What one evaluation found."""

    findings: dict[str, list[Finding]] = field(default_factory=dict)  # of rules that were evaluated
    failures: dict[str, str] = field(default_factory=dict)  # of rules that could not be, and why
    away: str = ""  # why the aggregator is of no use now
    is_not_reached: bool = False


def evaluate(rules: Sequence[Rule], asker: Asker, now_ms: Callable[[], int]) -> Round:
    """Every rule, as far as the aggregator answers. Raises nothing."""
    found = Round()
    try:
        asker.begin_round()
        moment = now_ms()
        for rule in rules:
            if rule.type != AGGREGATOR:
                _evaluate_one(rule, asker, moment, found)
    except NotReached as error:
        found.away, found.is_not_reached = str(error), True
    except (Refused, Stale, BadAnswer) as error:
        found.away = str(error)
    asker.end_round(is_whole=not found.away)
    return found


def _evaluate_one(rule: Rule, asker: Asker, now_ms: int, found: Round) -> None:
    try:
        found.findings[rule.name] = rule.judge.look(asker, now_ms)
    except Refused as error:
        if error.code in _NOT_NOW and error.code != "forbidden":
            raise
        found.failures[rule.name] = str(error)
    except (NotReached, Stale):
        raise
    except (TillError, KeyError, TypeError, ValueError, ArithmeticError) as error:  # a view that is otherwise than the rule thinks
        found.failures[rule.name] = str(error) if isinstance(error, TillError) else f"{type(error).__name__}: {error}"


def of_aggregator(found: Round, rules: Sequence[Rule]) -> list[Finding]:
    """What the round says of the aggregator itself, and of rules that it can't answer."""
    own: Key = ()
    if found.away:
        return [off(own, found.away)]
    findings = [fine(own)]
    for rule in rules:
        key = (("rule", rule.name),)
        if rule.name in found.failures:
            findings.append(off(key, f"rule {rule.name} can't be evaluated: {found.failures[rule.name]}"))
        elif rule.name in found.findings:
            findings.append(fine(key))
    return findings


def sink_of(config: SinkConfig) -> Sink:
    return Webhook(config) if config.kind == "webhook" else Mail(config)


def severities_from(least: str) -> tuple[str, ...]:
    return SEVERITIES[SEVERITIES.index(least):]


class Runner:
    """State, rules and sinks of one configuration."""

    def __init__(self, config: Config, client: Client, say: Callable[[str], None], *, has_live: bool) -> None:
        self.config = config
        self.say = say
        self.numbers = Numbers()
        self.path = Path(config.alert["state"])
        self.state = State(self.path)
        self.causes: dict[str, Cause] = self.state.causes()
        self.asker = Asker(client, config.aggregator_rule.judge.max_lag)  # type: ignore[attr-defined]
        self.couriers = [Courier(sink_of(each), self.path, say) for each in config.sinks]
        self.live: Live | None = None
        if has_live and config.alert["publish"]:
            self.live = Live(config.alert["publish"], [rule.name for rule in config.rules], lambda: firing(list(self.causes.values())))
            self.couriers.append(Courier(self.live, self.path, say))
        self._wants = [(each.name, severities_from(each.values["severity"])) for each in config.sinks]
        if self.live is not None:
            self._wants.append((self.live.name, SEVERITIES))
        self._said: dict[str, str] = {}
        self.state_error = ""
        gone = self.state.forget_sinks([name for name, _ in self._wants])
        if gone:
            say(f"{gone} announcements for sinks that are no longer configured are given up")

    def now_ms(self) -> int:
        return round(time.time() * 1000)

    def _judged_at(self) -> int:
        if self.config.alert["clock"] == "host":
            return self.now_ms()
        newest = self.asker.event_ms()
        if newest is None:
            raise Stale("nothing has been counted yet: there is no newest event whose time could be now")
        return newest

    def round(self) -> Round:
        """Evaluates once and writes down what that changes. Raises StateError: then nothing is changed, and nothing announced."""
        begun = time.monotonic()
        found = evaluate(self.config.rules, self.asker, self._judged_at)
        now_ms = self.now_ms()
        silences = self.state.silences(now_ms)
        causes, notices = self.steps(found, now_ms, silences)
        try:
            self.state.commit(causes, notices, self._wants, self.config.alert["queue"])
        except StateError:
            self.numbers.add("till_alert_errors_total", rule="(state)")
            raise
        self.causes = {cause.id: cause for cause in causes}
        self._tell(found, notices)
        self._count(found, notices, silences, now_ms, time.monotonic() - begun)
        return found

    def steps(self, found: Round, now_ms: int, silences: Sequence[Silence]) -> tuple[list[Cause], list[Notice]]:
        patience = Patience(self.config.alert["flap"], self.config.alert["keep"])
        after: list[Cause] = []
        notices: list[Notice] = []
        for rule in self.config.rules:
            own = [cause for cause in self.causes.values() if cause.rule == rule.name]
            findings = of_aggregator(found, self.config.rules) if rule.type == AGGREGATOR else found.findings.get(rule.name, [])
            causes, said = step(rule, own, findings, now_ms, patience, lambda cause: any(each.covers(cause) for each in silences))
            after += causes
            notices += said
        names = {rule.name for rule in self.config.rules}
        return after, notices + without_rule([cause for cause in self.causes.values() if cause.rule not in names], now_ms)

    def _tell(self, found: Round, notices: Sequence[Notice]) -> None:
        """On stderr: each announcement, and what can't be evaluated when that changes."""
        for notice in notices:
            self.say(f"{notice.type} {notice.body['cause']}: {notice.body['text']}")
        now = {"": found.away} if found.away else dict(found.failures)
        for name, words in now.items():
            if self._said.get(name) != words:
                self.say(f"rule {name} can't be evaluated: {words}" if name else words)
        self._said = now

    def _count(self, found: Round, notices: Sequence[Notice], silences: Sequence[Silence], now_ms: int, seconds: float) -> None:
        numbers = self.numbers
        for rule in self.config.rules:
            if rule.name in found.findings or (rule.type == AGGREGATOR):
                numbers.add("till_alert_evaluations_total", rule=rule.name)
            else:
                numbers.add("till_alert_errors_total", rule=rule.name)
        for notice in notices:
            numbers.add("till_alert_announcements_total", rule=notice.body["rule"], type=notice.type)
        judged: dict[Labels, float] = {}
        not_judged: dict[Labels, float] = {}
        for name, findings in found.findings.items():
            judged[(("rule", name),)] = sum(each.verdict is not Verdict.NOT_JUDGED for each in findings)
            for each in findings:
                if each.verdict is Verdict.NOT_JUDGED:
                    labels = (("rule", name), ("reason", each.reason))
                    not_judged[labels] = not_judged.get(labels, 0) + 1
        numbers.replace("till_alert_judged", judged)
        numbers.replace("till_alert_not_judged", not_judged)
        numbers.replace("till_alert_firing", self._by_rule(FIRING))
        numbers.replace("till_alert_pending", self._by_rule(PENDING))
        numbers.replace("till_alert_silenced", self._by_rule(FIRING, silences))
        numbers.replace("till_alert_evaluation_seconds", {(): seconds})
        numbers.replace("till_alert_evaluated_timestamp_seconds", {(): now_ms / 1000})

    def _by_rule(self, phase: str, silences: Sequence[Silence] | None = None) -> dict[Labels, float]:
        counts: dict[Labels, float] = {(("rule", rule.name), ("severity", rule.severity)): 0 for rule in self.config.rules}
        severity = {rule.name: rule.severity for rule in self.config.rules}
        for cause in self.causes.values():
            if cause.phase == phase and cause.phase != ENDED and (silences is None or any(each.covers(cause) for each in silences)):
                counts[(("rule", cause.rule), ("severity", severity[cause.rule]))] += 1
        return counts

    def all_numbers(self) -> dict[str, dict[Labels, float]]:
        """With what the couriers and the state know; by a connection of its own, for it is asked by other threads."""
        values = self.numbers.copy()
        state = State(self.path)
        try:
            waiting, counters = state.waiting(), state.counters()
        finally:
            state.close()
        of_sink = {courier.sink.name: courier for courier in self.couriers}
        values["till_alert_waiting"] = {(("sink", name),): waiting.get(name, 0) for name in of_sink}
        values["till_alert_delivery_failures_total"] = {(("sink", name),): courier.tally.failures for name, courier in of_sink.items()}
        for family, prefix in (("till_alert_deliveries_total", "delivered:"), ("till_alert_given_up_total", "given_up:")):
            values[family] = {(("sink", name),): counters.get(prefix + name, 0) for name in of_sink}
            values[family] |= {(("sink", name.removeprefix(prefix)),): value for name, value in counters.items() if name.startswith(prefix)}
        return values

    def close(self) -> None:
        self.state.close()


class Threads:
    """A runner's couriers and its HTTP server, while it runs."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._stop = threading.Event()
        self._wakes: list[threading.Event] = []
        self._threads: list[threading.Thread] = []
        address = runner.config.alert["http"]
        self.server = Server(address, runner.all_numbers) if address else None
        for courier in runner.couriers:
            wake = threading.Event()
            target: Callable[..., None] = courier.run
            arguments: tuple[Any, ...] = (wake, self._stop)
            if runner.live is not None and courier.sink is runner.live:
                target, arguments = runner.live.run, (courier, *arguments)
            self._wakes.append(wake)
            self._threads.append(threading.Thread(target=target, args=arguments, name=courier.sink.name, daemon=True))
            self._threads[-1].start()

    def wake(self) -> None:
        for each in self._wakes:
            each.set()

    def stop(self, patience_s: float = 2.0) -> None:
        """What is under way to a sink that hangs is sent again after the next start."""
        self._stop.set()
        self.wake()
        end = time.monotonic() + patience_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        if self.server is not None:
            self.server.close()
