"""What the commands that are written in Python have in common: options, exit codes, words on stderr, work that is done every so often.

`till X` runs the program `till-X` (cli/external.c), so `till export --help` is `till-export --help`. Exit codes are those of `till`:
0 done; 1 refused or failed; 2 usage; 3 peer not reached. Data goes to stdout, messages go to stderr."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from types import FrameType

from .client import DEFAULT_ENDPOINT, Client
from .errors import NotInstalled as NotInstalled
from .errors import NotReached, TillError
from .keys import load_keys

DONE, FAILED, USAGE, NOT_REACHED = 0, 1, 2, 3
_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


class UsageError(Exception):
    """The command line asks for what can't be; says what and what was meant."""


def span_s(text: str) -> float:
    """A span of time such as 500ms, 30s, 5min, 1h, 7d, in seconds; for `type=` of an option."""
    found = re.fullmatch(r"([0-9]{1,9})(ms|s|min|h|d)", text)
    if found is None or int(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no span of time, such as 30s, 5min, 1h or 7d")
    return int(found[1]) * _UNITS_S[found[2]]


def parser(name: str, what: str, epilog: str = "") -> argparse.ArgumentParser:
    """Of `till NAME`; options can't be abbreviated, lest a new one break a script."""
    made = argparse.ArgumentParser(prog=f"till {name}", description=what, epilog=epilog, allow_abbrev=False,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--version", action="version", version=f"till {name} {version('till')}")
    return made


def add_aggregator_options(to: argparse.ArgumentParser) -> None:
    """Where to ask, and with which keys; `open_client` reads them."""
    to.add_argument("--at", metavar="ENDPOINT", default=DEFAULT_ENDPOINT, help=f"the aggregator, default {DEFAULT_ENDPOINT}")
    to.add_argument("--timeout", metavar="TIME", type=span_s, default="10s", help="wait so long for an answer, default 10s")
    to.add_argument("--key", metavar="FILE", help="our secret key, for servers that want one; default TILL_KEY")
    to.add_argument("--server-key", metavar="FILE", help="the server's public key; default TILL_SERVER_KEY")


def endpoint_complete(text: str) -> str:
    """With tcp:// in front where no transport is named."""
    return text if "://" in text else f"tcp://{text}"


def open_client(options: argparse.Namespace) -> Client:
    return Client(endpoint_complete(options.at), timeout=options.timeout, keys=load_keys(options.key, options.server_key))


def say(name: str, words: str) -> None:
    print(f"till {name}: {words}", file=sys.stderr, flush=True)


class Stop:
    """Set by SIGTERM and SIGINT: what runs for long looks at it between two pieces of work."""

    def __init__(self) -> None:
        self._event = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._event.set()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """True when it is time to stop."""
        return self._event.wait(max(0.0, seconds))


def repeat(every_s: float | None, stop: Stop, work: Callable[[], int], now: Callable[[], float] = time.monotonic) -> int:
    """Does the work once (`every_s` None), or every so often until stopped, from start to start; a round that takes longer is followed
    at once by the next. The exit code is the last round's."""
    while True:
        begun = now()
        code = work()
        if every_s is None or stop or stop.wait(begun + every_s - now()):
            return code


def run(name: str, command: Callable[[Sequence[str]], int], arguments: Sequence[str] | None = None) -> int:
    """Runs a command and turns what it raises into a sentence and an exit code. For an entry point: `sys.exit(run("export", command))`."""
    try:
        code = command(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
        return code
    except UsageError as error:
        say(name, f"{error}; see till {name} --help")
        return USAGE
    except NotReached as error:
        say(name, str(error))
        return NOT_REACHED
    except TillError as error:
        say(name, str(error))
        return FAILED
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        say(name, str(error))
        return FAILED
