"""Announcements as JSON to an address, one POST each."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from .config import SinkConfig
from .delivery import NotTaken


def signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Webhook:
    """Taken is an answer of 200 to 299; redirects are not followed. Certificates are verified."""

    batch = 1

    def __init__(self, config: SinkConfig) -> None:
        self.name = config.name
        self.backoff_s = config.values["backoff"] / 1000
        self._timeout_s = config.values["timeout"] / 1000
        self._secret = config.secret
        self._parts = urlsplit(config.url)

    def __repr__(self) -> str:
        return f"Webhook({self.name!r})"

    def send(self, batch: str, messages: Sequence[dict[str, Any]]) -> str:  # noqa: ARG002
        for message in messages:
            self._post(message)
        return ""

    def _post(self, message: dict[str, Any]) -> None:
        body = json.dumps(message, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "till-alert", "X-Till-Id": message["id"].encode("utf-8")}
        if self._secret:
            headers["X-Till-Signature"] = signature(self._secret, body)
        connection = self._connection()
        try:
            connection.request("POST", (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else ""), body, headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:  # ssl.SSLError is an OSError
            raise NotTaken(f"sink {self.name}: {self._host}: {error or type(error).__name__}") from error
        finally:
            connection.close()
        if not 200 <= status < 300:
            more = ", a redirect, which is not followed" if 300 <= status < 400 else ""
            raise NotTaken(f"sink {self.name}: {self._host} answered {status}{more}")

    @property
    def _host(self) -> str:
        return f"{self._parts.scheme}://{self._parts.hostname}"  # the path may be a secret

    def _connection(self) -> http.client.HTTPConnection:
        host = self._parts.hostname or ""
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, self._parts.port, timeout=self._timeout_s, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, self._parts.port, timeout=self._timeout_s)
