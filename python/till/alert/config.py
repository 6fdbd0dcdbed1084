"""The configuration: [alert], [rule.NAME], [sink.NAME]. Secrets are in files of their own, which not everybody may read."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .ini import ConfigError, Section, Value, read, suggestion
from .options import REQUIRED, Option, one_of, some_span, span, text, values_of, whole, words, written, yes_no
from .rules import AGGREGATOR, COMMON, JUDGES, Rule, rule_of

DEFAULT_FILE = "/etc/till/alerts.conf"
_RULE_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
ALERT = (Option("at", text, "tcp://127.0.0.1:7172", "the aggregator"),
         Option("timeout", some_span, "10s", "wait so long for an answer"),
         Option("key", text, "", "file of our secret key, for an aggregator that wants one"),
         Option("server_key", text, "", "file of its public key"),
         Option("state", text, "/var/lib/till-alert/state.db", "what was announced, and what is to be"),
         Option("every", some_span, "1min", "evaluate so often"),
         Option("clock", one_of("host", "event"), "host", "what is now: this machine's clock, or the newest event's time"),
         Option("flap", span, "1h", "what begins again within that of its end must be fine for twice as long, each time; at most so long"),
         Option("keep", some_span, "48h", "what can't be judged any more goes on for so long"),
         Option("http", text, "127.0.0.1:9173", "metrics; empty: none"),
         Option("publish", text, "tcp://127.0.0.1:7174", "live socket; empty: none"),
         Option("queue", whole(1, 1_000_000), "1000", "announcements that wait for one sink; the oldest are given up for more"),
         Option("insecure", yes_no, "no", "listen on other addresses than loopback, and send over plain text"))
WEBHOOK = (Option("type", one_of("webhook", "mail"), "webhook", "webhook or mail"),
           Option("url", text, "", "where to POST; https, or http of this machine"),
           Option("url_file", text, "", "file that holds it, where it is a secret"),
           Option("secret_file", text, "", "file of the secret that signs the body (X-Till-Signature: sha256=…)"),
           Option("timeout", some_span, "10s", "wait so long for an answer"),
           Option("backoff", some_span, "1min", "longest pause between two attempts"),
           Option("severity", one_of("info", "warning", "critical"), "info", "announce nothing below"))
MAIL = (Option("type", one_of("webhook", "mail"), "mail", "webhook or mail"),
        Option("server", text, REQUIRED, "host:port of the SMTP server"),
        Option("security", one_of("starttls", "tls", "none"), "starttls", "none only on this machine"),
        Option("from", text, REQUIRED, "sender"),
        Option("to", words, REQUIRED, "receivers, separated by commas"),
        Option("user", text, "", "log in as"),
        Option("password_file", text, "", "file of its password"),
        Option("subject", text, "till", "subjects begin with this, in brackets"),
        Option("timeout", some_span, "30s", "wait so long for an answer"),
        Option("backoff", some_span, "5min", "longest pause between two attempts"),
        Option("severity", one_of("info", "warning", "critical"), "info", "announce nothing below"))


@dataclass(frozen=True)
class SinkConfig:
    name: str
    kind: str
    values: dict[str, Any]
    secret: str = ""  # of the webhook's signature, or the mail's password
    url: str = ""

    def __repr__(self) -> str:  # secrets are in no traceback and no log
        return f"SinkConfig({self.name!r}, {self.kind!r})"


@dataclass(frozen=True)
class Config:
    file: str
    alert: dict[str, Any]
    rules: tuple[Rule, ...]
    sinks: tuple[SinkConfig, ...]
    sections: dict[str, Section]

    @property
    def aggregator_rule(self) -> Rule:
        return next(rule for rule in self.rules if rule.type == AGGREGATOR)

    def rule(self, name: str) -> Rule:
        for each in self.rules:
            if each.name == name:
                return each
        raise ConfigError(f'{self.file}: no rule "{name}"; {suggestion(name, [each.name for each in self.rules])}')


def load(path: Path) -> Config:
    """Raises ConfigError at the first thing that is wrong."""
    sections = read(path)
    alert = sections.get("alert") or Section("alert", next(iter(sections.values())).place, {}) if sections else None
    if alert is None:
        raise ConfigError(f"{path}: is empty; docs/ALERTS.md has an example")
    rules, sinks = [], []
    for name, section in sections.items():
        kind, dot, own = name.partition(".")
        if dot and kind in ("rule", "sink"):
            if not _RULE_NAME.fullmatch(own):
                raise ConfigError(f'{section.place}: "{own}" is no name: letters, digits, _ and -, at most 40')
            if kind == "rule":
                rules.append(rule_of(own, section))
            else:
                sinks.append(_sink_of(own, section, alert))
        elif name != "alert":
            raise ConfigError(f'{section.place}: no section [{name}]; {_section_meant(kind, own)}')
    values = values_of(alert, ALERT)
    _check_addresses(alert, values)
    return Config(str(path), values, _with_aggregator(rules, alert), tuple(sinks), sections)


def _section_meant(kind: str, own: str) -> str:
    meant = suggestion(kind, ("alert", "rule", "sink"))
    return meant.replace('"?', f'.{own}"?') if own and "alert" not in meant else meant.replace("there is", "there are")


def _with_aggregator(rules: list[Rule], alert: Section) -> tuple[Rule, ...]:
    own = [rule for rule in rules if rule.type == AGGREGATOR]
    if len(own) > 1:
        raise ConfigError(f"{own[1].place_of('type')}: [rule.{own[1].name}] is the second of type aggregator; "
                          f"the first is [rule.{own[0].name}] in line {own[0].section.place.line}")
    if own:
        return tuple(rules)
    taken = next((rule for rule in rules if rule.name == AGGREGATOR), None)
    if taken is not None:
        raise ConfigError(f"{taken.section.place}: [rule.{AGGREGATOR}] is the name of the rule that watches the aggregator; choose another")
    section = _implied(alert)
    return (*rules, rule_of(AGGREGATOR, section))


def _implied(alert: Section) -> Section:
    """The rule that is there without being written."""
    return Section(f"rule.{AGGREGATOR}", alert.place, {"type": Value(AGGREGATOR, alert.place), "severity": Value("critical", alert.place)})


def _sink_of(name: str, section: Section, alert: Section) -> SinkConfig:
    given = section.values.get("type")
    kind = one_of("webhook", "mail")
    try:
        chosen = kind(given.text if given else "")
    except ValueError as error:
        raise ConfigError(f"{given.place if given else section.place}: [{section.name}] type: {error}") from error
    values = values_of(section, WEBHOOK if chosen == "webhook" else MAIL)
    insecure = alert.values.get("insecure")
    is_insecure = insecure is not None and insecure.text == "yes"
    if chosen == "mail":
        return _mail(name, section, values, is_insecure)
    return _webhook(name, section, values, is_insecure)


def _fail(section: Section, option: str, what: str) -> ConfigError:
    value = section.values.get(option)
    return ConfigError(f"{value.place if value else section.place}: [{section.name}] {option} {what}")


def _webhook(name: str, section: Section, values: dict[str, Any], is_insecure: bool) -> SinkConfig:
    if bool(values["url"]) == bool(values["url_file"]):
        raise _fail(section, "url", "or url_file is required, one of them")
    option = "url" if values["url"] else "url_file"
    url = values["url"] or secret_of(section, option, values["url_file"])
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0) and url.isascii() \
            and not re.search(r"[\x00-\x20\x7f]", url)
    except ValueError:
        good = False
    if not good:
        raise _fail(section, option, "is no address such as https://example.org/hook")
    if parts.username or parts.password:
        raise _fail(section, option, "holds a password: put the address into a file and name that with url_file, or sign with secret_file"
                    if option == "url" else "holds a user or a password, which is not sent: sign with secret_file")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not is_insecure:
        raise _fail(section, option, "is not https; [alert] insecure = yes would send it in plain text")
    secret = secret_of(section, "secret_file", values["secret_file"]) if values["secret_file"] else ""
    return SinkConfig(name, "webhook", values, secret, url)


def _mail(name: str, section: Section, values: dict[str, Any], is_insecure: bool) -> SinkConfig:
    host, colon, port = values["server"].rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise _fail(section, "server", f'"{values["server"]}" is not host:port')
    for option in ("from", "to"):
        for address in [values[option]] if option == "from" else values[option] or [""]:
            if not re.fullmatch(r"[^\s@<>,]+@[^\s@<>,]+", address):
                raise _fail(section, option, f'"{address}" is no address such as shop@example.org')
    if values["security"] == "none" and host not in _LOOPBACK and not is_insecure:
        raise _fail(section, "security", "none is only for a server on this machine; [alert] insecure = yes would send in plain text")
    if bool(values["user"]) != bool(values["password_file"]):
        raise _fail(section, "user" if values["user"] else "password_file", "goes with the other: user and password_file")
    secret = secret_of(section, "password_file", values["password_file"]) if values["password_file"] else ""
    return SinkConfig(name, "mail", values, secret)


def secret_of(section: Section, option: str, path: str) -> str:
    """The first line of a file that the world may not read."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _fail(section, option, f"{path} is no file")
            if status.st_mode & stat.S_IRWXO:
                raise _fail(section, option, f"{path} may be read by everybody: chmod o= {path}")
            secret = file.read(4097).removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise _fail(section, option, f"{path}: {error}") from error
    if not secret or len(secret) > 4096 or "\n" in secret:
        raise _fail(section, option, f"{path} does not hold one line of at most 4,096 characters")
    return secret


def _check_addresses(section: Section, values: dict[str, Any]) -> None:
    for option in ("http", "publish"):
        value: str = values[option]
        if not value:
            continue
        transport, _, rest = value.rpartition("://")
        if option == "publish" and transport in ("ipc", "inproc"):
            continue
        host, colon, port = rest.rpartition(":")
        wanted, example = ("tcp", "tcp://127.0.0.1:7174") if option == "publish" else ("", "127.0.0.1:9173")
        if not colon or not host or transport != wanted or not re.fullmatch(r"[0-9]{1,5}", port):
            raise _fail(section, option, f'"{value}" is no address such as {example}')
        if host not in _LOOPBACK and not values["insecure"]:
            raise _fail(section, option, f"{value} is not of this machine; [alert] insecure = yes would let everybody read there")


def printed(config: Config) -> str:
    """The configuration in effect, as a file; secrets are only the names of their files, and of an address not what follows its ?."""
    lines = []
    for name, options in _sections(config):
        section = config.sections.get(name)
        values = {key: value.text for key, value in section.values.items()} if section else {}
        if "url" in values:
            values["url"] = values["url"].partition("?")[0] + ("?hidden" if "?" in values["url"] else "")
        lines += [f"[{name}]", *written(options, values), ""]
    return "\n".join(lines)


def _sections(config: Config) -> list[tuple[str, tuple[Option, ...]]]:
    found: list[tuple[str, tuple[Option, ...]]] = [("alert", ALERT)]
    for rule in config.rules:
        if rule.section.name in config.sections:
            found.append((rule.section.name, (*COMMON, *JUDGES[rule.type].OPTIONS)))
    return found + [(f"sink.{sink.name}", WEBHOOK if sink.kind == "webhook" else MAIL) for sink in config.sinks]

