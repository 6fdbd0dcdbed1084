"""Announcements as mail: all that wait in one, which can be read on a telephone's screen."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any

from .config import SinkConfig
from .delivery import NotTaken

BATCH_MAX = 100
_WORDS = {"begin": "began", "remind": "still so", "end": "ended", "test": "test"}


def one_line(text: str, most: int) -> str:
    """Without what would break a header; product ids come from outside."""
    clean = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return clean if len(clean) <= most else clean[:most - 1] + "…"


def subject_of(prefix: str, messages: Sequence[dict[str, Any]]) -> str:
    """`[till] quiet: berlin-1 has sold …`, or how many of what."""
    if len(messages) == 1:
        message = messages[0]
        return one_line(f"[{prefix}] {message['rule']} {_WORDS[message['type']]}: {message['text']}", 120)
    counts = [f"{count} {_WORDS[kind]}" for kind in _WORDS if (count := sum(each["type"] == kind for each in messages))]
    rules = dict.fromkeys(each["rule"] for each in messages)
    return one_line(f"[{prefix}] {', '.join(counts)}: {', '.join(rules)}", 120)


def text_of(messages: Sequence[dict[str, Any]]) -> str:
    lines = []
    for message in messages:
        lines += [f"{_WORDS[message['type']].upper()}: {one_line(message['text'], 2000)}",
                  f"  {message['severity']}, rule {message['rule']}, since {message['since']}, at {message['at']}"]
        if message["note"]:
            lines.append(f"  {one_line(message['note'], 2000)}")
        lines += [f"  cause {message['cause']}, id {message['id']}", ""]
    if any(message["type"] != "end" for message in messages):
        lines += ["Not now? till alert silence CAUSE --for 2h --why TEXT", ""]
    return "\n".join(lines)


class Mail:
    """Taken is when the server took it for every receiver; one it refuses for good is said and not tried again where others were taken."""

    batch = BATCH_MAX

    def __init__(self, config: SinkConfig) -> None:
        self.name = config.name
        self.backoff_s = config.values["backoff"] / 1000
        self._values = config.values
        self._password = config.secret

    def __repr__(self) -> str:
        return f"Mail({self.name!r})"

    def message(self, batch: str, messages: Sequence[dict[str, Any]]) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = subject_of(self._values["subject"], messages)
        mail["From"], mail["To"] = self._values["from"], ", ".join(self._values["to"])
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{batch}.{self.name}@till-alert>"
        mail["Auto-Submitted"] = "auto-generated"  # no "I am on holiday" comes back (RFC 3834)
        mail.set_content(text_of(messages))
        return mail

    def send(self, batch: str, messages: Sequence[dict[str, Any]]) -> str:
        try:
            with self._connected() as server:
                refused = server.send_message(self.message(batch, messages))
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise NotTaken(f"sink {self.name}: {self._values['server']}: {_words(error)}") from error
        return "; ".join(f"{self._values['server']} refused the receiver {address}: {code} {one_line(str(words), 100)}"
                         for address, (code, words) in refused.items())

    def _connected(self) -> smtplib.SMTP:
        host, _, port = self._values["server"].rpartition(":")
        host, timeout = host.strip("[]"), self._values["timeout"] / 1000
        if self._values["security"] == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, int(port), timeout=timeout, context=ssl.create_default_context())
        else:
            server = smtplib.SMTP(host, int(port), timeout=timeout)
        try:
            if self._values["security"] == "starttls":
                server.starttls(context=ssl.create_default_context())  # raises where the server has none
            if self._values["user"]:
                server.login(self._values["user"], self._password)
        except BaseException:
            server.close()
            raise
        return server


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else str(error.smtp_error)
        return f"{error.smtp_code} {one_line(text, 200)}"
    return one_line(str(error), 200) or type(error).__name__
