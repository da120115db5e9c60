"""Spans of a virtual disk as arrays: what every such type can do.

In: arrays of one length, one element a span. Out: spans chosen, joined and cut. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

Offsets = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[Any] | slice
"""Which spans: their numbers, flags, or a slice."""

NOWHERE = 0xFFFF_FFFF_FFFF_FFFF
"""The host offset of a span that has none."""


class Spans:
    """The base of dataclasses whose fields are arrays of shape (n,).

    Spans are in guest order, do not overlap, and are longer than 0 bytes.
    """

    __slots__ = ()

    if TYPE_CHECKING:  # fields of the subclasses, which are frozen

        @property
        def starts(self) -> Offsets:
            """Guest offsets in bytes, rising."""

        @property
        def lengths(self) -> Offsets:
            """Bytes of each."""

    def parts(self, rows: Rows, starts: Offsets, lengths: Offsets) -> Self:
        """Parts of spans.

        Args:
            rows: The span that each part lies in.
            starts: Guest offset of each part.
            lengths: Its bytes.
        """
        raise NotImplementedError

    def joined(self) -> Self:
        """The same with neighbours made one where nothing is lost by it."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def start(self) -> int:
        """Guest offset of the first byte."""
        return int(self.starts[0]) if len(self) else 0

    @property
    def end(self) -> int:
        """Guest offset after the last byte."""
        return int(self.starts[-1] + self.lengths[-1]) if len(self) else 0

    @property
    def ends(self) -> Offsets:
        """Guest offset after each span."""
        return self.starts + self.lengths

    def columns(self) -> Iterator[npt.NDArray[Any]]:
        """The arrays, in the order of the fields, each of which is a slot."""
        names: Iterable[str] = self.__slots__
        return (getattr(self, name) for name in names)

    def take(self, rows: Rows) -> Self:
        """Some of the spans."""
        return type(self)(*(column[rows] for column in self.columns()))

    def cut(self, start: int, end: int) -> Self:
        """What lies in the guest range [start, end)."""
        if start >= end or not len(self):
            return self.take(slice(0, 0))
        if start <= self.start and self.end <= end:
            return self
        low, high = np.uint64(start), np.uint64(end)
        first = max(0, int(np.searchsorted(self.starts, low, side="right")) - 1)
        if self.starts[first] + self.lengths[first] <= low:
            first += 1
        rows = slice(first, max(first, int(np.searchsorted(self.starts, high, side="left"))))
        starts = np.maximum(self.starts[rows], low)
        ends = np.minimum(self.starts[rows] + self.lengths[rows], high)
        return self.parts(rows, starts, ends - starts)

    def split(self, marks: Offsets) -> Self:
        """The same, cut at more offsets.

        Args:
            marks: Where each part starts, rising; the first is the start of the first span. The
                spans leave no gap.
        """
        rows = np.searchsorted(self.starts, marks, side="right") - 1
        return self.parts(rows, marks, np.diff(marks, append=np.uint64(self.end)))

    def within(self, starts: Offsets, ends: Offsets) -> Self:
        """What lies in some ranges.

        Args:
            starts: Guest offset of each range, rising. The spans tile all of them.
            ends: Where each one ends: after its start, and not after the next one's.
        """
        first = np.searchsorted(self.starts, starts, side="right") - 1
        counts = np.searchsorted(self.starts, ends, side="left") - first
        rows = np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        low = np.maximum(self.starts[rows], np.repeat(starts, counts))
        high = np.minimum(self.ends[rows], np.repeat(ends, counts))
        return self.parts(rows, low, high - low)

    def merged(self, follows: Flags) -> Self:
        """The same with spans made one with the span before.

        Args:
            follows: Which are, shape (n - 1,): the first has none before it.
        """
        first = np.flatnonzero(np.concatenate(([True], ~follows)))
        if len(first) == len(self):
            return self
        lengths = np.add.reduceat(self.lengths, first)
        return type(self)(*(lengths if c is self.lengths else c[first] for c in self.columns()))

    @classmethod
    def chained(cls, parts: Sequence[Self]) -> Self:
        """Spans that follow one another, at least one part of them."""
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(part.columns() for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))


@dataclass(frozen=True, slots=True)
class Ranges(Spans):
    """Ranges of a virtual disk, which may leave gaps; see `Spans`."""

    starts: Offsets
    lengths: Offsets

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Offset and length of each."""
        yield from zip(self.starts.tolist(), self.lengths.tolist(), strict=True)

    def parts(self, rows: Rows, starts: Offsets, lengths: Offsets) -> Ranges:
        """See `Spans.parts`."""
        return Ranges(starts, lengths)

    def joined(self) -> Ranges:
        """The same with those made one that touch."""
        return self.merged(self.starts[1:] == self.ends[:-1]) if len(self) else self


def adjacent(places: Offsets, lengths: Offsets) -> Flags:
    """Which host offsets, but the first, go on where the one before ends.

    Two that are both `NOWHERE` count as adjacent too.
    """
    placed = places != NOWHERE
    follows = places[1:] == places[:-1] + lengths[:-1]
    found: Flags = np.where(placed[1:] & placed[:-1], follows, placed[1:] == placed[:-1])
    return found


S = TypeVar("S", bound=Spans)
T = TypeVar("T", bound=Spans)


def join_batches(batches: Iterable[S]) -> Iterator[S]:
    """The same with neighbours joined, from one batch to the next as well."""
    held: S | None = None
    for batch in batches:
        if not len(batch):
            continue
        found = (batch if held is None else batch.chained([held, batch])).joined()
        if len(found) > 1:
            yield found.take(slice(0, -1))
        held = found.take(slice(-1, None))
    if held is not None:
        yield held


def aligned(one: Iterator[S], other: Iterator[T]) -> Iterator[tuple[S, T]]:
    """Batches that tile the same range, cut so that the spans of both start at the same offsets."""
    left, right = next(one, None), next(other, None)
    while left is not None and right is not None:
        low, high = max(left.start, right.start), min(left.end, right.end)
        mine, others = left.cut(low, high), right.cut(low, high)
        marks = np.union1d(mine.starts, others.starts)
        yield mine.split(marks), others.split(marks)
        if left.end == high:
            left = next(one, None)
        if right.end == high:
            right = next(other, None)
