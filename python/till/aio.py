"""The clients for asyncio: the same questions, answers and changes, awaited. What they do is in core.py and live.py; here is the input and
output alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import zmq
import zmq.asyncio
from zmq.utils.monitor import parse_monitor_message

from . import line, questions
from .answers import Rows, checked
from .client import DEFAULT_ENDPOINT, DEFAULT_TIMEOUT_S
from .columns import Column
from .core import Ask, Core, Pause, Steps
from .errors import Closed, NotReached
from .keys import Keys
from .live import QUEUE, Change, Follower, Hear, Subscribe, Tell
from .questions import BandsOptions, GetOptions, ScanOptions, TopOptions

__all__ = ["AsyncClient", "AsyncSubscription"]

Result = TypeVar("Result")


class AsyncLine:
    """One socket and its monitor, opened when it is needed. For one task at a time."""

    def __init__(self, kind: int, endpoint: str, keys: Keys | None, closed: asyncio.Event,
                 prepare: Callable[[Any], None] = lambda _: None) -> None:
        self.endpoint = endpoint
        self._kind, self._keys, self._closed, self._prepare = kind, keys, closed, prepare
        self._socket: Any = None
        self._monitor: Any = None
        self._handshakes = line.Handshakes(endpoint)

    def open(self) -> Any:
        if self._socket is None:
            socket: Any = zmq.asyncio.Context.instance().socket(self._kind)
            try:
                line.set_up(socket, self._keys)
                self._prepare(socket)
                self._monitor = socket.get_monitor_socket(line.EVENTS, line.monitor_address())
                self._handshakes = line.Handshakes(self.endpoint)
                socket.connect(self.endpoint)
            except BaseException:
                socket.disable_monitor()
                socket.close(0)
                raise
            self._socket = socket
        return self._socket

    def close(self) -> None:
        socket, monitor, self._socket, self._monitor = self._socket, self._monitor, None, None
        if socket is not None:
            socket.disable_monitor()
            socket.close(0)
        if monitor is not None:
            monitor.close(0)

    async def send(self, frames: Sequence[bytes]) -> None:
        """What finds no room is left out: who waits for an answer hears of it in time."""
        try:
            await self.open().send_multipart(frames, zmq.DONTWAIT)
        except zmq.Again:
            return

    async def wait(self, end: float) -> tuple[list[bytes] | None, bool]:
        """The next message, None when none came in time; and whether a lost connection is there again. Raises KeyRefused and Closed."""
        socket = self.open()
        poller = zmq.asyncio.Poller()
        poller.register(socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        while True:
            if self._closed.is_set():
                raise Closed(f"{self.endpoint}: closed while it was waited for")
            ready = dict(await self._polled(poller, end))
            if socket in ready:
                return await socket.recv_multipart(zmq.DONTWAIT), False
            if self._monitor in ready and await self._is_back():
                return None, True
            if time.monotonic() >= end and not self._closed.is_set():
                return None, False

    async def _polled(self, poller: Any, end: float) -> Any:
        """What is ready; nothing when the time is over or we are closed."""
        left = max(0, int((end - time.monotonic()) * 1000 + 0.999))
        polling, closing = asyncio.ensure_future(poller.poll(left)), asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait((polling, closing), return_when=asyncio.FIRST_COMPLETED)
            return polling.result() if polling.done() else ()
        finally:
            for each in (polling, closing):
                each.cancel()

    async def _is_back(self) -> bool:
        event = parse_monitor_message(await self._monitor.recv_multipart())["event"]
        try:
            return self._handshakes.take(event)
        except BaseException:
            self.close()  # libzmq does not try again by itself
            raise


class AsyncClient:
    """As `Client`, for asyncio: `async with till.AsyncClient(endpoint) as client: rows = await client.top("products", "total_revenue")`.
    Several tasks may use one client: their questions are asked one after another."""

    def __init__(self, endpoint: str = DEFAULT_ENDPOINT, *, timeout: float = DEFAULT_TIMEOUT_S, keys: Keys | None = None) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        self._keys = keys
        self._core = Core()
        self._tags = line.Tags()
        self._closed = asyncio.Event()
        self._line = AsyncLine(zmq.DEALER, endpoint, keys, self._closed)
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection, also under a question that another task waits for. Further questions raise Closed."""
        self._closed.set()
        async with self._lock:
            self._line.close()

    async def _run(self, steps: Steps[Result]) -> Result:
        async with self._lock:
            until = time.monotonic() + self.timeout
            try:
                want = next(steps)
                while True:
                    try:
                        told = await self._answer(want) if isinstance(want, Ask) else await self._pause(want, until)
                    except Exception as error:
                        want = steps.throw(error)
                    else:
                        want = steps.send(told)
            except StopIteration as end:
                result: Result = end.value
                return result

    async def _pause(self, want: Pause, until: float) -> bool:
        if time.monotonic() + want.seconds > until:
            return False
        await asyncio.sleep(want.seconds)
        return True

    async def _answer(self, want: Ask) -> dict[str, Any]:
        if self._closed.is_set():
            raise Closed(f"{self.endpoint}: the client is closed")
        timeout = self.timeout + questions.waits_s(want.request)
        question = [self._tags.next(), b"", line.packed(want.request)]
        end = time.monotonic() + timeout
        await self._line.send(question)
        while True:
            frames, is_back = await self._line.wait(end)
            if frames is not None and frames[0] == question[0]:
                return checked(self.endpoint, frames[-1])
            if is_back and want.may_repeat:
                await self._line.send(question)
            elif frames is None and not is_back:
                self._line.close()  # what was sent is not to be asked when nobody waits any more
                raise NotReached(self.endpoint, timeout)

    # ---- questions

    async def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request as PROTOCOL.md writes both, untyped."""
        return await self._run(self._core.ask(request))

    async def get(self, view: str, key: Sequence[Any] | str | int, **options: Unpack[GetOptions]) -> Rows:
        """The rows of a key: several where it leaves the currency out, none where there is none."""
        return await self._run(self._core.get(view, key, options))

    async def get_many(self, view: str, keys: Sequence[Any], **options: Unpack[GetOptions]) -> Rows:
        """The rows of up to 1,000 keys, in their order; a missing one is left out."""
        return await self._run(self._core.get_many(view, keys, options))

    async def top(self, view: str, by: str, limit: int | None = None, **options: Unpack[TopOptions]) -> Rows:
        """The leading rows by a measure, largest first; 10 unless told otherwise."""
        return await self._run(self._core.top(view, by, limit, options))

    async def scan(self, view: str, **options: Unpack[ScanOptions]) -> Rows:
        """All rows, by as many questions as it takes; `as_of` is the last one's. Each row that is there all the while comes once."""
        return await self._run(self._core.scan(view, options))

    async def scan_pages(self, view: str, **options: Unpack[ScanOptions]) -> AsyncIterator[Rows]:
        """The same, page by page as they are read, for what does not fit into memory."""
        pages = self._core.pages(view, options)
        while (page := await self._run(pages.next())) is not None:
            yield page

    async def bands(self, view: str, by: str, **options: Unpack[BandsOptions]) -> Rows:
        """How many rows have how much of a measure."""
        return await self._run(self._core.bands(view, by, options))

    async def columns(self, view: str) -> tuple[Column, ...]:
        """Of a view, or of a table (`table.NAME`); asked for once a store."""
        return await self._run(self._core.columns(view))

    async def views(self) -> list[dict[str, Any]]:
        """The views, as `{"query":"views"}` answers them."""
        return list(await self._run(self._core.part({"query": "views"}, "views")))

    async def tables(self) -> list[dict[str, Any]]:
        """The tables, likewise. Their rows are those of the view `table.NAME`."""
        return list(await self._run(self._core.part({"query": "tables"}, "tables")))

    async def status(self) -> dict[str, Any]:
        """How the aggregator is: its state, its partitions, its problems."""
        return await self.ask({"query": "status"})

    async def edges(self, *, edge: str | None = None, run: int | None = None, kind: str | None = None) -> dict[str, Any]:
        """`edges`: what was counted of each stream; `reports`: what each edge last said of itself."""
        return await self.ask(questions.filtered("edges", {"edge": edge, "run": run, "kind": kind}))

    async def bridges(self) -> list[dict[str, Any]]:
        """What each bridge last reported of itself, and how it is."""
        return list((await self.ask({"query": "bridges"}))["bridges"])

    async def ledger(self, *, edge: str | None = None, run: int | None = None, kind: str | None = None) -> dict[str, Any]:
        """`ledger`: where each event is that an edge numbered; `reports` as of `edges`."""
        return await self.ask(questions.filtered("ledger", {"edge": edge, "run": run, "kind": kind}))

    async def trace(self, edge: str, run: int, kind: str, seq: int) -> dict[str, Any]:
        """Where one event is, by its certificate."""
        request = {"query": "trace", "edge": edge, "run": run, "kind": kind, "seq": seq}
        made: dict[str, Any] = await self._run(self._core.part(request, "trace"))
        return made

    async def staged(self, view: str | None = None, *, limit: int | None = None, cursor: str | None = None) -> dict[str, Any]:
        """The views that are staged, or how the rows of one differ from the live ones."""
        return await self.ask(questions.filtered("staged", {"view": view, "limit": limit, "cursor": cursor}))

    async def forget(self, user: str, *, revoke: bool = False) -> dict[str, Any]:
        """Takes a user out of all views, for good; `revoke`: counts his events again, from now on. For keys with the right `admin`."""
        made: dict[str, Any] = await self._run(self._core.part({"query": "forget", "user": user, "revoke": revoke}, "forget"))
        return made

    async def forgotten(self, *, limit: int | None = None, cursor: str | None = None) -> dict[str, Any]:
        """Who was forgotten, by hash; `next` goes back as `cursor`. For keys with the right `admin`."""
        return await self.ask(questions.filtered("forgotten", {"limit": limit, "cursor": cursor}))

    async def quarantine(self, *, limit: int | None = None, cursor: str | None = None) -> dict[str, Any]:
        """Records that could not be read: where they lie in Kafka, and why. `next` goes back as `cursor`; for keys with `admin`."""
        return await self.ask(questions.filtered("quarantine", {"limit": limit, "cursor": cursor}))

    def subscribe(self, view: str, *, publish: str | None = None) -> AsyncSubscription:
        """All rows of a view, and from then on its changes: `async for change in client.subscribe("products")`. By a connection of its own,
        which has to be closed, or used in an `async with`. `publish`: the endpoint of the changes, where `status` does not tell it."""
        return AsyncSubscription(self.endpoint, view, publish=publish, timeout=self.timeout, keys=self._keys)


class AsyncSubscription:
    """As `Subscription`, for asyncio."""

    def __init__(self, endpoint: str, view: str, *, publish: str | None = None, timeout: float = DEFAULT_TIMEOUT_S,
                 keys: Keys | None = None) -> None:
        self._client = AsyncClient(endpoint, timeout=timeout, keys=keys)
        self._keys = keys
        self._line: AsyncLine | None = None
        self._follower = Follower(self._client._core, view, publish, endpoint)
        self._steps = self._follower.steps()
        self._want = next(self._steps)
        self._hear_until: float | None = None
        self._is_ended = False  # by an error that was raised

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[Change]:
        return self

    async def __anext__(self) -> Change:
        try:
            change = await self.next()
        except Closed:
            raise StopAsyncIteration from None
        assert change is not None
        return change

    @property
    def is_cut_off(self) -> bool:
        """Nothing was heard for three seconds: what is known may be old."""
        return self._follower.is_cut_off

    def rows(self) -> Rows | None:
        """All rows as they are known, whichever changes brought them; None before the first snapshot, and while the view is read anew."""
        return self._follower.rows()

    async def close(self) -> None:
        """Any task may; an iteration that waits ends."""
        await self._client.close()
        async with self._client._lock:
            if self._line is not None:
                self._line.close()

    async def next(self, timeout: float | None = None) -> Change | None:
        """The next change; None when there is none in so many seconds (and what a question takes that is under way)."""
        async with self._client._lock:
            end = None if timeout is None else time.monotonic() + timeout
            while not isinstance(self._want, Tell):
                if self._client._closed.is_set() or self._is_ended:
                    raise Closed("the subscription is closed, or ended with an error")
                try:
                    told = await (self._heard(self._want, end) if isinstance(self._want, Hear) else self._do(self._want))
                except _NotYet:
                    return None
                except Exception as error:
                    self._step(self._steps.throw, error)
                else:
                    self._step(self._steps.send, told)
            change = self._want.change
            self._want = next(self._steps)
            return change

    def _step(self, step: Callable[[Any], Any], told: Any) -> None:
        self._is_ended = True
        self._want = step(told)
        self._is_ended = False

    async def _do(self, want: Any) -> Any:
        if isinstance(want, Ask):
            return await self._client._answer(want)
        if isinstance(want, Pause):
            return await self._client._pause(want, time.monotonic() + self._client.timeout)
        assert isinstance(want, Subscribe)
        if self._line is not None:
            self._line.close()

        def prepare(socket: Any) -> None:
            socket.set(zmq.RCVHWM, QUEUE)
            socket.subscribe(want.topic)
        self._line = AsyncLine(zmq.SUB, want.endpoint, self._keys, self._client._closed, prepare)
        self._line.open()
        return None

    async def _heard(self, want: Hear, end: float | None) -> list[bytes] | None:
        """A message, or None when the time of `want` is over. Raises _NotYet when that of who waits is; the hearing goes on with the next
        call."""
        assert self._line is not None
        if self._hear_until is None:
            self._hear_until = time.monotonic() + want.seconds
        until = self._hear_until if end is None else min(self._hear_until, end)
        is_back = True
        while is_back:
            message, is_back = await self._line.wait(until)
        if message is None and time.monotonic() < self._hear_until:
            raise _NotYet
        self._hear_until = None
        return message


class _NotYet(Exception):
    pass
