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
