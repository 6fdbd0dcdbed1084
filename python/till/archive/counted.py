"""Which seqs of a stream are in the archive, as intervals: one, nearly always. The rule of aggregator/books/counted.c: a record whose seq
is in the set is a duplicate; the set needs no order and never slides. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from ..record import Stream


class Intervals:
    """A set of positive integers, as first and last of each run of neighbours, rising."""

    __slots__ = ("firsts", "lasts", "size")

    def __init__(self, intervals: Iterable[tuple[int, int]] = ()) -> None:
        self.firsts: list[int] = []
        self.lasts: list[int] = []
        self.size = 0
        for first, last in intervals:
            if first < 1 or last < first or (self.lasts and first <= self.lasts[-1] + 1):
                raise ValueError(f"{first}-{last} is no interval of a set" + (f" behind {self.lasts[-1]}" if self.lasts else ""))
            self.firsts.append(first)
            self.lasts.append(last)
            self.size += last - first + 1

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.firsts, self.lasts, strict=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Intervals) and self.firsts == other.firsts and self.lasts == other.lasts

    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, seq: int) -> bool:
        at = bisect_left(self.lasts, seq)
        return at < len(self.lasts) and self.firsts[at] <= seq

    def add(self, seq: int) -> bool:
        """False: it was there."""
        lasts = self.lasts
        if lasts and seq == lasts[-1] + 1:  # nearly always: the next one
            lasts[-1] = seq
            self.size += 1
            return True
        return self.add_interval(seq, seq)

    def add_interval(self, first: int, last: int) -> bool:
        """False, and nothing is changed: a part of it was there."""
        at = bisect_right(self.lasts, first - 1)
        if at < len(self.lasts) and self.firsts[at] <= last:
            return False
        touches_below = at > 0 and self.lasts[at - 1] == first - 1
        touches_above = at < len(self.lasts) and self.firsts[at] == last + 1
        if touches_below and touches_above:
            self.lasts[at - 1] = self.lasts.pop(at)
            del self.firsts[at]
        elif touches_below:
            self.lasts[at - 1] = last
        elif touches_above:
            self.firsts[at] = first
        else:
            self.firsts.insert(at, first)
            self.lasts.insert(at, last)
        self.size += last - first + 1
        return True


class CountedSets:
    """The sets of all streams, and what was added to them since the last commit."""

    def __init__(self) -> None:
        self.of: dict[Stream, Intervals] = {}
        self.added: dict[Stream, Intervals] = {}

    def add(self, stream: Stream, seq: int) -> bool:
        """False: it is a duplicate."""
        known = self.of.get(stream)
        if known is None:
            known = self.of[stream] = Intervals()
        if not known.add(seq):
            return False
        fresh = self.added.get(stream)
        if fresh is None:
            fresh = self.added[stream] = Intervals()
        fresh.add(seq)
        return True

    def merge(self, stream: Stream, intervals: Iterable[tuple[int, int]]) -> bool:
        """What a manifest adds; False: it is there already, in part."""
        known = self.of.setdefault(stream, Intervals())
        fits = [known.add_interval(first, last) for first, last in intervals]  # all of them, also behind one that does not fit
        return all(fits)

    def take_added(self) -> dict[Stream, Intervals]:
        """What is new, once; for a commit."""
        added, self.added = self.added, {}
        return added
