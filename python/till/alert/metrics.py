"""Metrics for Prometheus, over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..errors import TillError

Labels = tuple[tuple[str, str], ...]


@dataclass
class Numbers:
    """Families by name, each a value for labels. Written by the runner, read by whoever asks."""

    _values: dict[str, dict[Labels, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, more: float = 1, **labels: str) -> None:
        with self._lock:
            family = self._values.setdefault(name, {})
            key = tuple(sorted(labels.items()))
            family[key] = family.get(key, 0) + more

    def replace(self, name: str, values: dict[Labels, float]) -> None:
        with self._lock:
            self._values[name] = {tuple(sorted(labels)): value for labels, value in values.items()}

    def copy(self) -> dict[str, dict[Labels, float]]:
        with self._lock:
            return {name: dict(family) for name, family in self._values.items()}


FAMILIES = {
    "till_alert_firing": ("gauge", "causes that fire now, silenced ones too"),
    "till_alert_pending": ("gauge", "causes that were found off, but not yet for long enough"),
    "till_alert_silenced": ("gauge", "causes that fire and are silenced"),
    "till_alert_judged": ("gauge", "things that the last evaluation judged"),
    "till_alert_not_judged": ("gauge", "things that the last evaluation could not judge, by reason"),
    "till_alert_evaluations_total": ("counter", "evaluations that came to their end"),
    "till_alert_errors_total": ("counter", "evaluations that did not"),
    "till_alert_evaluation_seconds": ("gauge", "how long the last evaluation of all rules took"),
    "till_alert_evaluated_timestamp_seconds": ("gauge", "when the last one ended"),
    "till_alert_announcements_total": ("counter", "causes announced, by type: begin, remind, end"),
    "till_alert_deliveries_total": ("counter", "announcements that a sink took, since the state was made"),
    "till_alert_delivery_failures_total": ("counter", "attempts that failed"),
    "till_alert_waiting": ("gauge", "announcements that a sink has not taken yet"),
    "till_alert_given_up_total": ("counter", "announcements given up because too many waited, since the state was made"),
}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _lines(values: dict[str, dict[Labels, float]]) -> Iterator[str]:
    for name, (kind, words) in FAMILIES.items():
        if name in values:
            yield f"# HELP {name} {words}"
            yield f"# TYPE {name} {kind}"
            for labels, value in sorted(values[name].items()):
                shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
                yield f"{name}{{{shown}}} {value:.15g}" if shown else f"{name} {value:.15g}"


def text_of(values: dict[str, dict[Labels, float]]) -> str:
    return "".join(f"{line}\n" for line in _lines(values))


class Server:
    """Answers /metrics and /livez, each request in a thread of its own."""

    def __init__(self, address: str, numbers: Callable[[], dict[str, dict[Labels, float]]]) -> None:
        host, _, port = address.rpartition(":")

        class Handler(BaseHTTPRequestHandler):
            timeout = 10
            server_version = "till-alert"
            sys_version = ""

            def do_GET(self) -> None:
                pages: dict[str, Callable[[], str]] = {"/metrics": lambda: text_of(numbers()), "/livez": lambda: "ok\n"}
                found = pages.get(self.path.partition("?")[0])
                try:
                    status, body = (200, found()) if found else (404, "there is /metrics and /livez\n")
                except TillError as error:
                    status, body = 503, f"{error}\n"
                data = body.encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments: Any) -> None:
                """Requests are not worth a line each."""

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *arguments: Any) -> None:
                """A reader that goes away in the middle is no event."""

        try:
            self._server = Quiet((host.strip("[]"), int(port)), Handler)
        except (OSError, OverflowError) as error:
            raise TillError(f"can't listen on {address}: {error}") from error
        self.address = f"{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
