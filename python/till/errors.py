"""What can go wrong, as exceptions. Each says what happened, to what, and what to do."""

from __future__ import annotations


class TillError(Exception):
    """Whatever this package raises of its own accord."""


class NotReached(TillError):
    """No answer in time: nobody is there, the network is cut, or the peer is busy. Asking again is safe: a question changes nothing."""

    def __init__(self, endpoint: str, seconds: float) -> None:
        super().__init__(f"{endpoint} did not answer in {seconds:g} s; does it run, and is this its address?")
        self.endpoint = endpoint
        self.seconds = seconds


class Refused(TillError):
    """The peer answered, and said no. `code` is one of PROTOCOL.md's (6.5 of an aggregator, 3.5 of an edge)."""

    def __init__(self, code: str, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry_after_ms = retry_after_ms


class BadAnswer(TillError):
    """What came is no answer of this protocol: another program listens there, or a much newer one."""


class KeyFileError(TillError):
    """A key file can't be read, or holds no such key."""


class NotInstalled(TillError):
    """An optional package is missing; says how to get it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"the Python package {package} is not installed: pip install 'till[{extra}]'")


class KeyRefused(TillError):
    """The server does not let us in: our key is unknown to it, or one side has other keys than the other thinks. Trying again helps only
    after the keys were put right."""

    def __init__(self, endpoint: str, is_known: bool) -> None:
        why = ("it does not let our key in: its directory [security] authorized wants our .pub" if is_known else
               "no handshake: it has another key than we were told, or only one of us uses keys")
        super().__init__(f"{endpoint}: {why}")
        self.endpoint = endpoint


class Closed(TillError):
    """It was closed, perhaps by another thread while we waited."""


class NoStream(TillError):
    """The aggregator publishes nothing: it has no `publish` in its configuration, and none was given."""
