"""Sends sales to an edge so that each is counted once, whatever dies in between.

Frames are numbered (PROTOCOL.md, 3.2): the edge remembers, on disk, the highest number that it has counted of each producer, and takes a
frame that comes again for a repeat. A frame whose reply was lost is therefore sent again under its number, by this program or, after it
died, by the next one, which needs to know number and frame. Two ways:

- `state="till-7.state"`: a small file with the last number and the frames that are not acknowledged, written (to disk, at once whole)
  before a frame is sent. The next Producer with this file sends them again before anything else; `recovered` has their acks, `n` is the
  last number handed over.
- `send(events, n=…)`: the caller's own number, such as that of a receipt or of a line of input, rising from frame to frame; the caller
  sends again what it is not sure of.

An edge takes everything up to its highest number for a repeat, so a producer never has two frames in the air: were the first refused and
the second counted, the first could never be brought again. With `lanes=4` four frames may be in the air; each lane is a producer of its own
to the edge (`till-7/1` … `till-7/4`). Frames of different lanes may be counted in any order."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from types import TracebackType
from typing import Any, Self

import msgpack  # type: ignore[import-untyped]
import zmq

from . import wire
from .client import Line, Wake
from .errors import BadAnswer, Closed, NotReached, Refused, TillError
from .keys import Keys
from .producer_state import Frame, State, StateFile

DEFAULT_EDGE = "tcp://127.0.0.1:7170"
DEADLINE_S = 30.0
REPLY_S = 10.0  # no reply for so long: the connection is opened anew and the frame sent again
LANES_MAX = 16
EVENTS_MAX = 10_000
FRAME_BYTES_MAX = 4 << 20
RETRY_DEFAULT_MS = 1_000
WAITING = ("spool_full", "busy", "shutting_down")  # refused for now
_CERTIFICATES_MAX = 200

Events = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class FrameRefused(Refused):
    """The edge said no to frame `n`, for good: nothing of it was kept."""

    def __init__(self, n: int, code: str, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(code, f"frame {n}: {message}", retry_after_ms)
        self.n = n


class NumberBehind(TillError):
    """The edge has counted higher numbers of this producer than we ever gave it: its state file is an old one or was lost, or another
    program sends under the same name. What was sent now is not counted."""

    def __init__(self, producer: str, n: int, last_n: int) -> None:
        super().__init__(f"the edge has counted frames of producer {producer!r} up to {last_n}, and took our new frame {n} for a repeat: "
                         f"is the state file an old one, or does another program send as {producer!r}? Go on under another name")
        self.producer, self.n, self.last_n = producer, n, last_n


@dataclass(frozen=True)
class Invalid:
    """An event that the edge could not take, by its index in the frame. It is kept as a dead letter."""

    index: int
    code: str
    message: str
    field: str | None = None


@dataclass(frozen=True)
class Ack:
    """What the edge said of a frame. `accepted` and `invalid` count its events; `errors` names the first 100 invalid ones; `seq` is what
    they were numbered, by kind. `is_repeated`: it was counted before, and this is what was said then (of the last frame; of an
    earlier one only that it was counted). `is_durable` is false where the edge is told not to wait for its disk."""

    n: int
    accepted: int
    invalid: int
    is_repeated: bool
    is_durable: bool
    edge: str
    run: int
    seq: Mapping[str, tuple[int, int]]
    errors: tuple[Invalid, ...] = ()
    repeated_events: int = 0
    last_n: int | None = None
    events: int = field(default=0, compare=False)

    @property
    def ok(self) -> bool:
        """Every event was accepted, now or before."""
        return self.invalid == 0

    def certificates(self) -> list[dict[str, Any]]:
        """Of the events, the last 200 of each kind: as `after` of a question takes them, which then counts these sales."""
        return [{"edge": self.edge, "run": self.run, "kind": kind, "seq": seq} for kind, (first, last) in self.seq.items()
                for seq in range(max(first, last - _CERTIFICATES_MAX + 1), last + 1)]


def ack_of(frame: Frame, reply: Mapping[str, Any]) -> Ack:
    """The result of a frame that was not refused."""
    errors = tuple(Invalid(each["index"], each["code"], each["message"], each.get("field")) for each in reply.get("errors", ()))
    return Ack(frame.n, reply["accepted"], reply["invalid"], reply["repeated"], reply["durable"], reply["edge"], reply["run"],
               {kind: (first, last) for kind, (first, last) in reply["seq"].items()}, errors, reply.get("repeated_events", 0),
               reply.get("last_n"), frame.count)


def reply_of(endpoint: str, body: bytes) -> dict[str, Any]:
    """A reply as a map. Raises BadAnswer where it is none."""
    try:
        reply = msgpack.unpackb(body)
        if "error" in reply:
            reply["error"]["code"], reply["error"]["message"]
        else:
            ack_of(Frame(1, b"", 0), reply)
        return dict(reply)
    except (ValueError, KeyError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise BadAnswer(f"{endpoint}: what came is no reply of an edge") from error


def packed(events: Events) -> tuple[bytes, int]:
    """Events as a frame, and how many they are. Raises ValueError and TypeError for what an edge would refuse whole, or count wrongly."""
    listed = [events] if isinstance(events, Mapping) else list(events)
    if not 1 <= len(listed) <= EVENTS_MAX:
        raise ValueError(f"a frame has 1 to {EVENTS_MAX:,} events, this one {len(listed):,}")
    body: bytes = msgpack.packb([wire.event(each) for each in listed])
    if len(body) > FRAME_BYTES_MAX:
        raise ValueError(f"a frame has at most {FRAME_BYTES_MAX:,} bytes, this one {len(body):,}: send fewer events at once")
    return body, len(listed)


@dataclass
class Lane:
    """A producer as the edge knows it, with at most one frame in the air."""

    name: str
    frame: Frame | None = None
    attempts: int = 0
    first_sent: float = 0.0
    due: float = 0.0  # it waits until then
    is_in_air: bool = False
    retry: Refused | None = None  # why it waits


class Window:
    """The lanes, without input and output; time comes in. Replies come in the order in which frames went out on their connection."""

    def __init__(self, producer: str, lanes: int) -> None:
        if not 1 <= lanes <= LANES_MAX:
            raise ValueError(f"there are 1 to {LANES_MAX} lanes")
        if not 1 <= len(producer.encode()) <= 64:
            raise ValueError("a producer's name has 1 to 64 bytes")
        self.lanes = [Lane(producer)] if lanes == 1 else [Lane(f"{producer}/{number}") for number in range(1, lanes + 1)]
        self._sent: list[Lane] = []  # in the order in which they went out

    def free(self) -> Lane | None:
        return next((lane for lane in self.lanes if lane.frame is None), None)

    def named(self, name: str) -> Lane | None:
        return next((lane for lane in self.lanes if lane.name == name), None)

    @property
    def pending(self) -> list[tuple[str, Frame]]:
        return [(lane.name, lane.frame) for lane in self.lanes if lane.frame is not None]

    @staticmethod
    def put(lane: Lane, frame: Frame, attempts: int = 0) -> None:
        """`attempts`: how often it may have been sent before."""
        lane.frame, lane.attempts, lane.due, lane.is_in_air, lane.retry = frame, attempts, 0.0, False, None

    def next(self, now: float) -> Lane | None:
        """The oldest frame that is to be sent now."""
        ready = [lane for lane in self.lanes if lane.frame is not None and not lane.is_in_air and lane.due <= now]
        return min(ready, key=lambda lane: lane.frame.n if lane.frame else 0, default=None)

    def sent(self, lane: Lane, now: float) -> None:
        lane.is_in_air, lane.attempts, lane.first_sent = True, lane.attempts + 1, now
        self._sent.append(lane)

    def lost(self) -> None:
        """The connection is gone: what was in the air goes out again, at once."""
        for lane in self._sent:
            lane.is_in_air = False
        self._sent = []

    def wakes_at(self, end: float) -> float:
        """When there is something to do, unless a reply comes first."""
        times = [lane.first_sent + REPLY_S if lane.is_in_air else lane.due for lane in self.lanes if lane.frame is not None]
        return min([end, *times])

    def is_silent(self, now: float) -> bool:
        return bool(self._sent) and now >= self._sent[0].first_sent + REPLY_S

    def reply(self, reply: Mapping[str, Any], now: float) -> Ack | Refused | None:
        """What became of the frame that this answers; None while it waits for another try. Its lane is free where it is settled."""
        if not self._sent:
            raise BadAnswer("a reply came to a frame that was not sent")
        lane = self._sent.pop(0)
        assert lane.frame is not None
        lane.is_in_air = False
        if "error" in reply:
            error = reply["error"]
            refusal = FrameRefused(lane.frame.n, error["code"], error["message"], error.get("retry_after_ms"))
            if refusal.code in WAITING:
                lane.due = now + (refusal.retry_after_ms or RETRY_DEFAULT_MS) / 1000
                lane.retry = refusal
                return None
            lane.frame = None
            return refusal
        frame, lane.frame = lane.frame, None
        ack = ack_of(frame, reply)
        if ack.is_repeated and ((ack.last_n or 0) > frame.n or lane.attempts == 1) and not frame.is_callers:
            raise NumberBehind(lane.name, frame.n, ack.last_n or 0)
        return ack


class Producer:
    """A connection to one edge, for one program that sends under a name of its own (`producer`; two that share a name would count each
    other's frames as repeats). Several threads may use it; each call waits for the one before.

    `deadline`: seconds that `send` and `flush` try, over lost connections, restarts of the edge and full spools, before they raise. What is
    not acknowledged then stays: the next `send` or `flush` goes on with it."""

    def __init__(self, endpoint: str = DEFAULT_EDGE, producer: str = "", *, state: str | PathLike[str] | None = None, lanes: int = 1,
                 deadline: float = DEADLINE_S, keys: Keys | None = None) -> None:
        self.endpoint, self.producer, self.deadline = endpoint, producer, deadline
        self._window = Window(producer, lanes)
        self._file = None if state is None else StateFile(state)
        self._wake = Wake()
        self._line = Line(zmq.DEALER, endpoint, keys, self._wake)
        self._lock = threading.Lock()
        self._is_closed = False
        self._acks: list[Ack] = []
        self._n = 0
        self.recovered: list[int] = []
        try:
            self._recover()
        except BaseException:
            self._wake.close()
            if self._file is not None:
                self._file.close()
            raise

    def _recover(self) -> None:
        if self._file is None:
            return
        state = self._file.read(self.producer)
        self._n = state.n
        for name, frame in state.pending:
            lane = self._window.named(name)
            if lane is None:
                raise ValueError(f"{self._file.path} has a frame of {name!r} without an ack: open it with as many lanes")
            self._window.put(lane, frame, attempts=1)
            self.recovered.append(frame.n)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None and not self._is_closed:
                self.flush()
        finally:
            self.close()

    @property
    def n(self) -> int:
        """The last number that was given to a frame."""
        return self._n

    @property
    def pending(self) -> int:
        """Frames that are not acknowledged."""
        return len(self._window.pending)

    def close(self) -> None:
        """Without waiting: what is not acknowledged stays in the state file. Any thread may; who waits hears Closed."""
        if self._is_closed:
            return
        self._is_closed = True
        self._wake.set()
        with self._lock:
            self._line.close()
            self._wake.close()
            if self._file is not None:
                self._file.close()

    # ---- sending

    def send(self, events: Events, *, n: int | None = None, deadline: float | None = None) -> Ack:
        """Sends one frame, an event or up to 10,000, and waits until the edge has it on disk. What was posted before is waited for, too.

        Raises TypeError, ValueError and OSError (of the state file) where it was not sent; FrameRefused where nothing of it is kept.
        NotReached (no reply before the deadline), KeyRefused, and FrameRefused whose code is in WAITING (the edge had no room until the
        deadline): the frame stays, and the next `send` or `flush` goes on with it under its number, so don't hand it over once more."""
        with self._lock:
            end = time.monotonic() + (self.deadline if deadline is None else deadline)
            number = self._put(events, n, end)
            self._work(end, lambda: not self._window.pending)
            ack = next(ack for ack in self._acks if ack.n == number)
            self._acks.remove(ack)
            return ack

    def post(self, events: Events, *, n: int | None = None) -> int:
        """Hands over a frame and returns its number without waiting for the reply, but for a free lane. `flush` tells what became of it.
        Raises as `send` does."""
        with self._lock:
            return self._put(events, n, time.monotonic() + self.deadline)

    def flush(self, *, deadline: float | None = None) -> list[Ack]:
        """Waits until all frames are acknowledged; returns the acks since the last flush, in the order in which they came."""
        with self._lock:
            self._work(time.monotonic() + (self.deadline if deadline is None else deadline), lambda: not self._window.pending)
            acks, self._acks = self._acks, []
            return acks

    def _put(self, events: Any, n: int | None, end: float) -> int:
        if self._is_closed:
            raise Closed(f"{self.endpoint}: the producer is closed")
        if n is None and self._file is None:
            raise ValueError("a frame needs a number that survives a restart of this program: give the producer a state file "
                             "(state=…) or each frame its number (n=…)")
        if n is not None and self._file is not None:
            raise ValueError("the state file numbers the frames; leave n out")
        if n is not None and (isinstance(n, bool) or not 1 <= n < 2**63):
            raise ValueError(f"a frame's number is 1 or above, not {n!r}")
        if n is not None and len(self._window.lanes) > 1:
            raise ValueError("own numbers need lanes=1: an edge takes what is below the highest number for a repeat")
        body, count = packed(events)
        self._work(end, lambda: self._window.free() is not None)
        lane = self._window.free()
        assert lane is not None
        frame = Frame(self._n + 1 if n is None else n, body, count, n is not None)
        if self._file is not None:
            self._file.write(State(self.producer, frame.n, [*self._window.pending, (lane.name, frame)]))
        self._n = frame.n
        self._window.put(lane, frame)
        self._send_due()
        return frame.n

    def _send_due(self) -> None:
        while (lane := self._window.next(time.monotonic())) is not None:
            assert lane.frame is not None
            header = msgpack.packb({"producer": lane.name, "n": lane.frame.n})
            self._line.send([b"", header, lane.frame.body])
            self._window.sent(lane, time.monotonic())

    def _work(self, end: float, is_done: Any) -> None:
        while not is_done():
            if self._is_closed:
                raise Closed(f"{self.endpoint}: the producer is closed")
            self._send_due()
            message = self._wait(self._window.wakes_at(end))
            now = time.monotonic()
            if message is not None:
                self._take(message, now)
            elif self._window.is_silent(now):
                self._reconnect()
            if now >= end and not is_done():
                raise self._out_of_time()

    def _wait(self, until: float) -> list[bytes] | None:
        try:
            message = self._line.wait(until, ends_when_lost=True)
        except TillError:
            self._window.lost()
            raise
        if message is None and self._line.is_lost:
            self._reconnect()
        return message

    def _reconnect(self) -> None:
        """Replies bear no number: those of the connection before must not come to frames of the next."""
        self._line.close()
        self._window.lost()

    def _take(self, message: Sequence[bytes], now: float) -> None:
        try:
            settled = self._window.reply(reply_of(self.endpoint, message[-1]), now)
        except BadAnswer:
            self._reconnect()
            raise
        if isinstance(settled, Refused):
            raise settled
        if settled is not None:
            self._acks.append(settled)

    def _out_of_time(self) -> TillError:
        waiting = next((lane.retry for lane in self._window.lanes if lane.frame is not None and lane.retry is not None), None)
        return waiting if waiting is not None else NotReached(self.endpoint, self.deadline)
