"""What may differ between two states of one image, by their tables alone.

In: the mappings of two snapshots, or of one and the active state. Out: ranges outside of which the
bytes of both are the same. Refuses: what a mapping refuses.

Both states are one file's, with one backing file behind it: clusters at one place have the same
bytes, and what neither state has is the same in both. No data are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qcowspec.mapping.base import Mapping
from qcowspec.mapping.extents import NOWHERE, Extents, Kind

Offsets = npt.NDArray[np.uint64]

ZEROS = (Kind.ZERO, Kind.UNALLOCATED)
"""Kinds that read as zeros."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """Ranges of a virtual disk, as arrays of shape (n,); rising, apart, and above 0 in length.

    Attributes:
        starts: Guest offsets in bytes, dtype uint64.
        lengths: Bytes of each, dtype uint64.
    """

    starts: Offsets
    lengths: Offsets

    def __len__(self) -> int:
        return len(self.starts)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Offset and length of each."""
        yield from zip(self.starts.tolist(), self.lengths.tolist(), strict=True)

    def joined(self) -> Ranges:
        """The same with those made one that touch."""
        if len(self) < 2:
            return self
        apart = self.starts[1:] != self.starts[:-1] + self.lengths[:-1]
        first = np.flatnonzero(np.concatenate(([True], apart)))
        return Ranges(self.starts[first], np.add.reduceat(self.lengths, first))

    @staticmethod
    def chained(parts: Sequence[Ranges]) -> Ranges:
        """Some that follow one another."""
        return Ranges(
            np.concatenate([part.starts for part in parts]),
            np.concatenate([part.lengths for part in parts]),
        )


def changes(
    since: Mapping, until: Mapping, offset: int = 0, length: int | None = None
) -> Iterator[Ranges]:
    """Ranges of the later state that may differ from the earlier one, some at a time.

    Where the earlier disk has ended, its bytes count as zeros; what the later disk has no more is
    not listed.

    Args:
        since: The earlier state.
        until: The later state, of the same image.
        offset: Where to begin, in bytes.
        length: How far to look, in bytes; None for all that follows.

    Raises:
        Invalid: A table entry on the way breaks a rule.
        Unreadable: The source failed.
    """
    end = until.size if length is None else min(until.size, offset + length)
    held: Ranges | None = None
    for one, other in _aligned(since, until, offset, end):
        found = _compared(one, other)
        if not len(found):
            continue
        joined = (found if held is None else Ranges.chained([held, found])).joined()
        if len(joined) > 1:
            yield Ranges(joined.starts[:-1], joined.lengths[:-1])
        held = Ranges(joined.starts[-1:], joined.lengths[-1:])
    if held is not None:
        yield held


def _aligned(
    since: Mapping, until: Mapping, start: int, end: int
) -> Iterator[tuple[Extents, Extents]]:
    """Extents of both states that tile the same ranges, one after the other."""
    earlier, later = _batches(since, start, end), _batches(until, start, end)
    one, other = next(earlier, None), next(later, None)
    while one is not None and other is not None:
        low, high = max(one.start, other.start), min(one.end, other.end)
        yield one.cut(low, high), other.cut(low, high)
        if one.end == high:
            one = next(earlier, None)
        if other.end == high:
            other = next(later, None)


def _batches(mapping: Mapping, start: int, end: int) -> Iterator[Extents]:
    """A state's extents, and zeros where its disk has ended."""
    if start < (inner := min(end, mapping.size)):
        yield from mapping.batches(start, inner - start)
    if (outer := max(start, mapping.size)) < end:
        yield Extents(
            np.array([Kind.UNALLOCATED], np.uint8),
            np.array([outer], np.uint64),
            np.array([end - outer], np.uint64),
            np.array([NOWHERE], np.uint64),
            np.zeros(1, np.uint32),
        )


def _compared(one: Extents, other: Extents) -> Ranges:
    """Where two states of one range may differ."""
    starts = np.union1d(one.offsets, other.offsets)
    lengths = np.diff(starts, append=np.uint64(one.end))
    earlier = np.searchsorted(one.offsets, starts, side="right") - 1
    later = np.searchsorted(other.offsets, starts, side="right") - 1
    kinds = one.kinds[earlier], other.kinds[later]
    zeros = np.isin(kinds[0], ZEROS) & np.isin(kinds[1], ZEROS)
    # Of compressed extents, the place is the payload's, wherever in the cluster the extent starts.
    places = _places(one, earlier, starts), _places(other, later, starts)
    stored = (kinds[0] == Kind.DATA) | (kinds[0] == Kind.COMPRESSED)
    same = (kinds[0] == kinds[1]) & (
        (stored & (places[0] == places[1]) & (one.payloads[earlier] == other.payloads[later]))
        | (kinds[0] == Kind.BACKING)
    )
    differ = ~(zeros | same)
    return Ranges(starts[differ], lengths[differ]).joined()


def _places(extents: Extents, index: npt.NDArray[np.intp], starts: Offsets) -> Offsets:
    """Host offsets of the bytes at some guest offsets; of the payload where they are compressed."""
    ahead = np.where(extents.kinds[index] == Kind.COMPRESSED, 0, starts - extents.offsets[index])
    return extents.hosts[index] + ahead
