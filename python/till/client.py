"""Questions to an aggregator, one at a time, and its changes as they come."""

from __future__ import annotations

import socket as sockets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import zmq
from zmq.utils.monitor import parse_monitor_message

from . import line, questions
from .answers import AsOf, Rows, checked
from .columns import Column
from .core import Ask, Core, Pause, Steps
from .errors import Closed, NotReached
from .keys import Keys
from .live import QUEUE, Change, Follower, Hear, Subscribe, Tell
from .questions import SCAN_PAGE_ROWS as PAGE_ROWS
from .questions import BandsOptions, GetOptions, ScanOptions, TopOptions

__all__ = ["DEFAULT_ENDPOINT", "PAGE_ROWS", "AsOf", "Client", "Rows"]

DEFAULT_ENDPOINT = "tcp://127.0.0.1:7172"
DEFAULT_TIMEOUT_S = 10.0

Result = TypeVar("Result")


class Wake:
    """Lets another thread end a wait."""

    def __init__(self) -> None:
        self._mine, self._theirs = sockets.socketpair()
        self.is_set = False

    def set(self) -> None:
        self.is_set = True
        self._theirs.send(b"x")

    def fileno(self) -> int:
        return self._mine.fileno()

    def close(self) -> None:
        self._mine.close()
        self._theirs.close()


class Line:
    """One socket and its monitor, opened when it is needed. For one thread at a time."""

    def __init__(self, kind: int, endpoint: str, keys: Keys | None, wake: Wake, prepare: Callable[[Any], None] = lambda _: None) -> None:
        self.endpoint = endpoint
        self._kind, self._keys, self._wake, self._prepare = kind, keys, wake, prepare
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._poller = zmq.Poller()
        self._handshakes = line.Handshakes(endpoint)

    def open(self) -> zmq.Socket[bytes]:
        if self._socket is None:
            socket: zmq.Socket[bytes] = zmq.Context.instance().socket(self._kind)
            try:
                line.set_up(socket, self._keys)
                self._prepare(socket)
                self._monitor = socket.get_monitor_socket(line.EVENTS, line.monitor_address())
                self._handshakes = line.Handshakes(self.endpoint)
                socket.connect(self.endpoint)
            except BaseException:
                socket.disable_monitor()
                socket.close(0)
                self._monitor = None
                raise
            self._socket = socket
            self._poller = zmq.Poller()
            for each in (socket, self._monitor, self._wake):
                self._poller.register(each, zmq.POLLIN)
        return self._socket

    def close(self) -> None:
        socket, monitor, self._socket, self._monitor = self._socket, self._monitor, None, None
        if socket is not None:
            socket.disable_monitor()
            socket.close(0)
        if monitor is not None:
            monitor.close(0)

    def send(self, frames: Sequence[bytes]) -> None:
        """What finds no room (a peer that does not read) is left out: who waits for an answer asks again or hears of it in time."""
        try:
            self.open().send_multipart(frames, zmq.DONTWAIT)
        except zmq.Again:
            return

    def wait(self, end: float, is_back: Callable[[], None] = lambda: None, ends_when_lost: bool = False) -> list[bytes] | None:
        """The next message; None when none came in time. `is_back` is called when a lost connection is there again. Raises KeyRefused and
        Closed."""
        socket = self.open()
        while True:
            ready = dict(self._poller.poll(max(0, int((end - time.monotonic()) * 1000 + 0.999))))
            if self._wake.is_set:
                raise Closed(f"{self.endpoint}: closed while it was waited for")
            if socket in ready:
                return socket.recv_multipart(zmq.DONTWAIT)
            if self._monitor in ready:
                self._take_events(is_back)
            if time.monotonic() >= end or (ends_when_lost and self.is_lost):
                return None

    @property
    def is_lost(self) -> bool:
        """Was it lost since it was opened?"""
        return self._handshakes.was_lost

    def _take_events(self, is_back: Callable[[], None]) -> None:
        assert self._monitor is not None
        while self._monitor.poll(0):
            event = parse_monitor_message(self._monitor.recv_multipart())["event"]
            try:
                if self._handshakes.take(event):
                    is_back()
            except BaseException:
                self.close()  # libzmq does not try again by itself
                raise


class Client:
    """A connection to one aggregator; opened by the first question, and again by the next one after it was lost.

    `timeout`: seconds that a question may take (and besides what `timeout_ms` of a question lets the aggregator wait). Several threads may
    use one client: their questions are asked one after another. `close` may be called from any thread; who waits then hears Closed.

    Every method raises NotReached (nobody answered in time), Refused (the answer is no), KeyRefused (not let in), BadAnswer and Closed."""

    def __init__(self, endpoint: str = DEFAULT_ENDPOINT, *, timeout: float = DEFAULT_TIMEOUT_S, keys: Keys | None = None) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        self._keys = keys
        self._core = Core()
        self._tags = line.Tags()
        self._wake = Wake()
        self._line = Line(zmq.DEALER, endpoint, keys, self._wake)
        self._lock = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection, also under a question that another thread waits for. Further questions raise Closed."""
        self._close(lambda: None)

    def _close(self, more: Callable[[], None]) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._wake.set()
        with self._lock:
            self._line.close()
            more()
            self._wake.close()

    # ---- how a question is asked

    def _run(self, steps: Steps[Result]) -> Result:
        with self._lock:
            pauses_until = time.monotonic() + self.timeout
            try:
                want = next(steps)
                while True:
                    try:
                        told = self._answer(want) if isinstance(want, Ask) else self._pause(want, pauses_until)
                    except Exception as error:
                        want = steps.throw(error)
                    else:
                        want = steps.send(told)
            except StopIteration as end:
                result: Result = end.value
                return result

    def _pause(self, want: Pause, until: float) -> bool:
        if time.monotonic() + want.seconds > until:
            return False
        poller = zmq.Poller()
        poller.register(self._wake, zmq.POLLIN)
        poller.poll(int(want.seconds * 1000))
        return True

    def _answer(self, want: Ask) -> dict[str, Any]:
        if self._is_closed:
            raise Closed(f"{self.endpoint}: the client is closed")
        timeout = self.timeout + questions.waits_s(want.request)
        tag, body = self._tags.next(), line.packed(want.request)
        end = time.monotonic() + timeout
        self._line.send([tag, b"", body])

        def ask_again() -> None:
            if want.may_repeat:
                self._line.send([tag, b"", body])

        while (frames := self._line.wait(end, ask_again)) is not None:
            if frames[0] == tag:
                return checked(self.endpoint, frames[-1])
        self._line.close()  # what was sent is not to be asked when nobody waits any more
        raise NotReached(self.endpoint, timeout)

    # ---- questions

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request as PROTOCOL.md writes both, untyped."""
        return self._run(self._core.ask(request))

    def get(self, view: str, key: Sequence[Any] | str | int, **options: Unpack[GetOptions]) -> Rows:
        """The rows of a key: several where it leaves the currency out, none where there is none."""
        return self._run(self._core.get(view, key, options))

    def get_many(self, view: str, keys: Sequence[Any], **options: Unpack[GetOptions]) -> Rows:
        """The rows of up to 1,000 keys, in their order; a missing one is left out."""
        return self._run(self._core.get_many(view, keys, options))

    def top(self, view: str, by: str, limit: int | None = None, **options: Unpack[TopOptions]) -> Rows:
        """The leading rows by a measure, largest first; 10 unless told otherwise."""
        return self._run(self._core.top(view, by, limit, options))

    def scan(self, view: str, **options: Unpack[ScanOptions]) -> Rows:
        """All rows, by as many questions as it takes; `as_of` is the last one's. Each row that is there all the while comes once."""
        return self._run(self._core.scan(view, options))

    def scan_pages(self, view: str, **options: Unpack[ScanOptions]) -> Iterator[Rows]:
        """The same, page by page as they are read, for what does not fit into memory."""
        pages = self._core.pages(view, options)
        while (page := self._run(pages.next())) is not None:
            yield page

    def bands(self, view: str, by: str, **options: Unpack[BandsOptions]) -> Rows:
        """How many rows have how much of a measure."""
        return self._run(self._core.bands(view, by, options))

    def columns(self, view: str) -> tuple[Column, ...]:
        """Of a view, or of a table (`table.NAME`); asked for once a store."""
        return self._run(self._core.columns(view))

    def views(self) -> list[dict[str, Any]]:
        """The views, as `{"query":"views"}` answers them."""
        return list(self._run(self._core.part({"query": "views"}, "views")))

    def tables(self) -> list[dict[str, Any]]:
        """The tables, likewise. Their rows are those of the view `table.NAME`."""
        return list(self._run(self._core.part({"query": "tables"}, "tables")))

    def status(self) -> dict[str, Any]:
        """How the aggregator is: its state, its partitions, its problems."""
        return self.ask({"query": "status"})

    def edges(self, *, edge: str | None = None, run: int | None = None, kind: str | None = None) -> dict[str, Any]:
        """`edges`: what was counted of each stream; `reports`: what each edge last said of itself."""
        return self.ask(questions.filtered("edges", {"edge": edge, "run": run, "kind": kind}))

    def bridges(self) -> list[dict[str, Any]]:
        """What each bridge last reported of itself, and how it is."""
        return list((self.ask({"query": "bridges"}))["bridges"])

    def ledger(self, *, edge: str | None = None, run: int | None = None, kind: str | None = None) -> dict[str, Any]:
        """`ledger`: where each event is that an edge numbered; `reports` as of `edges`."""
        return self.ask(questions.filtered("ledger", {"edge": edge, "run": run, "kind": kind}))

    def trace(self, edge: str, run: int, kind: str, seq: int) -> dict[str, Any]:
        """Where one event is, by its certificate."""
        made: dict[str, Any] = self._run(self._core.part({"query": "trace", "edge": edge, "run": run, "kind": kind, "seq": seq}, "trace"))
        return made

    def staged(self, view: str | None = None, *, limit: int | None = None, cursor: str | None = None) -> dict[str, Any]:
        """The views that are staged, or how the rows of one differ from the live ones."""
        return self.ask(questions.filtered("staged", {"view": view, "limit": limit, "cursor": cursor}))

    def forget(self, user: str, *, revoke: bool = False) -> dict[str, Any]:
        """Takes a user out of all views, for good; `revoke`: counts his events again, from now on. For keys with the right `admin`."""
        made: dict[str, Any] = self._run(self._core.part({"query": "forget", "user": user, "revoke": revoke}, "forget"))
        return made

    def forgotten(self, *, limit: int | None = None, cursor: str | None = None) -> dict[str, Any]:
        """Who was forgotten, by hash; `next` goes back as `cursor`. For keys with the right `admin`."""
        return self.ask(questions.filtered("forgotten", {"limit": limit, "cursor": cursor}))

    def quarantine(self, *, limit: int | None = None, cursor: str | None = None) -> dict[str, Any]:
        """Records that could not be read: where they lie in Kafka, and why. `next` goes back as `cursor`; for keys with `admin`."""
        return self.ask(questions.filtered("quarantine", {"limit": limit, "cursor": cursor}))

    def subscribe(self, view: str, *, publish: str | None = None) -> Subscription:
        """All rows of a view, and from then on its changes as they come: `for change in client.subscribe("products")`. By a connection of
        its own, which has to be closed, or used in a `with`. `publish`: the endpoint of the changes, where `status` does not tell it."""
        return Subscription(self.endpoint, view, publish=publish, timeout=self.timeout, keys=self._keys)


class Subscription:
    """The changes of a view (live.Change), an iterator that ends when it is closed. It recovers by itself from lost messages, lost
    connections and restarts, by reading the view anew. Who reads too slowly loses messages and so gets a snapshot instead of them.

    Raises Refused (no such view, or none any more), KeyRefused, NoStream, and, before the first snapshot, NotReached."""

    def __init__(self, endpoint: str, view: str, *, publish: str | None = None, timeout: float = DEFAULT_TIMEOUT_S,
                 keys: Keys | None = None) -> None:
        self._client = Client(endpoint, timeout=timeout, keys=keys)
        self._keys = keys
        self._line: Line | None = None
        self._follower = Follower(self._client._core, view, publish, endpoint)
        self._steps = self._follower.steps()
        self._want = next(self._steps)
        self._hear_until: float | None = None
        self._is_ended = False  # by an error that was raised

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Iterator[Change]:
        return self

    def __next__(self) -> Change:
        try:
            change = self.next()
        except Closed:
            raise StopIteration from None
        assert change is not None
        return change

    @property
    def is_cut_off(self) -> bool:
        """Nothing was heard for three seconds: what is known may be old."""
        return self._follower.is_cut_off

    def rows(self) -> Rows | None:
        """All rows as they are known, whichever changes brought them; None before the first snapshot, and while the view is read anew."""
        return self._follower.rows()

    def close(self) -> None:
        """Any thread may; an iteration that waits ends."""
        self._client._close(lambda: self._line.close() if self._line is not None else None)

    def next(self, timeout: float | None = None) -> Change | None:
        """The next change; None when there is none in so many seconds (and what a question takes that is under way)."""
        with self._client._lock:
            end = None if timeout is None else time.monotonic() + timeout
            while not isinstance(self._want, Tell):
                if self._client._is_closed or self._is_ended:
                    raise Closed("the subscription is closed, or ended with an error")
                if not isinstance(self._want, Hear):
                    self._step(lambda: self._do(self._want))
                elif not self._is_heard(self._want, end):
                    return None
            change = self._want.change
            self._want = next(self._steps)
            return change

    def _step(self, work: Callable[[], Any]) -> None:
        self._is_ended = True
        try:
            told = work()
        except Exception as error:
            self._want = self._steps.throw(error)
        else:
            self._want = self._steps.send(told)
        self._is_ended = False

    def _do(self, want: Any) -> Any:
        if isinstance(want, Ask):
            return self._client._answer(want)
        if isinstance(want, Pause):
            return self._client._pause(want, time.monotonic() + self._client.timeout)
        assert isinstance(want, Subscribe)
        if self._line is not None:
            self._line.close()

        def prepare(socket: Any) -> None:
            socket.set(zmq.RCVHWM, QUEUE)
            socket.subscribe(want.topic)
        self._line = Line(zmq.SUB, want.endpoint, self._keys, self._client._wake, prepare)
        self._line.open()
        return None

    def _is_heard(self, want: Hear, end: float | None) -> bool:
        """False when the time of who waits is over; the hearing goes on with the next call."""
        assert self._line is not None
        line, now = self._line, time.monotonic()
        if self._hear_until is None:
            self._hear_until = now + want.seconds
        until = self._hear_until
        message: list[bytes] | None = None
        failure: Exception | None = None
        try:
            message = line.wait(until if end is None else min(until, end))
        except Closed:
            raise
        except Exception as error:
            failure = error
        if failure is None and message is None and time.monotonic() < until:
            return False
        self._hear_until = None

        def outcome() -> list[bytes] | None:
            if failure is not None:
                raise failure
            return message
        self._step(outcome)
        return True
