"""The L2 tables that L1 tables locate: each once, for a reader that goes through all of them.

In: the entries of tables of 64-bit words. Out: those in use, some at a time; `Place`s. Refuses:
nothing. A table is taken in pieces, so that no more than a piece is ever copied.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from qcow_parsers import constants as c

from qcowspec.spec.entries import KINDS, Frame, Words
from qcowspec.spec.entry_rules import aligned
from qcowspec.spec.metadata import Table
from qcowspec.spec.units import Geometry, readable

FEW = 1 << 10
"""Entries of a table that are judged one by one; more are worth importing NumPy for."""

SOME = 1 << 13
"""The same where nothing but their offsets is needed."""

PIECE = 1 << 16
"""Entries of a table that are taken together, at most."""

HELD = 1 << 16
"""Offsets that are remembered one by one; more become an array."""


class Place(NamedTuple):
    """Where the L2 tables of one state of the disk are.

    Attributes:
        prefix: What their paths begin with: empty, or ``snapshots[3].``.
        offsets: Host offset of each, rising; a table of an earlier state is not repeated.
        indices: Index of the L1 entry that locates each.
        size: Bytes of the state's disk.
    """

    prefix: str
    offsets: Sequence[int]
    indices: Sequence[int]
    size: int


def words(data: bytes, few: int = FEW) -> Iterator[tuple[Words, Any]]:
    """The entries that are not zero, and the index of each: a few one by one, or many as arrays."""
    size = Table.ENTRY_SIZE
    count = len(data) // size
    if "numpy" not in sys.modules and count - data.count(bytes(size)) <= few:
        one_by_one = array("Q", data[: count * size])
        if sys.byteorder == "little":
            one_by_one.byteswap()
        for index, word in enumerate(one_by_one):
            if word:
                yield word, (index,)
        return
    import numpy as np

    for first in range(0, count, PIECE):
        stored = np.frombuffer(data, ">u8", min(PIECE, count - first), first * size)
        used = np.flatnonzero(stored)
        if len(used):
            yield stored[used].astype(np.uint64), (used + first).astype(np.uint64)


def followed(geometry: Geometry, layout: str, entries: Words, indices: Any) -> tuple[Any, Any]:
    """The host offsets, above 0, that entries name and a reader follows; the index of each.

    Of arrays they are arrays.
    """
    offsets: Any = KINDS[layout](entries, Frame(geometry)).offset
    kept = (offsets != 0) & readable(offsets, 0)
    if geometry.version != c.QCOW_VERSION:
        kept &= aligned(offsets, geometry)
    if isinstance(offsets, int):
        return ((offsets,), indices) if kept else ((), ())
    return offsets[kept], indices[kept]


def highest(geometry: Geometry, table: Table, layout: str) -> int:
    """The highest host offset that a table's entries name and a reader follows, or 0."""
    found = (followed(geometry, layout, *some)[0] for some in words(table.data, SOME))
    farthest = (
        max(some) if isinstance(some, tuple) else int(some.max()) for some in found if len(some)
    )
    return max(farthest, default=0)


class Seen:
    """The offsets of L2 tables that some state has; a hostile image has millions of them."""

    def __init__(self) -> None:
        self._few: set[int] = set()
        self._many: list[Any] = []  # arrays, rising, each more than twice as long as the next

    def new(self, offsets: Any, indices: Any) -> tuple[Any, Any]:
        """Add some, and return those that were not there: each once, rising, with its first index.

        Args:
            offsets: Some, as a list or an array.
            indices: The index of each.
        """
        if isinstance(offsets, list):
            located: dict[int, int] = {}
            for offset, index in zip(offsets, indices, strict=True):
                if offset not in self._few and not self._has(offset):
                    located.setdefault(offset, index)
            found = sorted(located)
            self._few.update(found)
            if len(self._few) > HELD:
                self._put_away()
            return found, [located[offset] for offset in found]
        import numpy as np

        self._put_away()
        offsets, first = np.unique(offsets, return_index=True)
        for known in self._many:
            at = np.minimum(np.searchsorted(known, offsets), len(known) - 1)
            fresh = known[at] != offsets
            offsets, first = offsets[fresh], first[fresh]
        self._add(offsets)
        return offsets, indices[first]

    def _has(self, offset: int) -> bool:
        return any(
            known[min(int(known.searchsorted(offset)), len(known) - 1)] == offset
            for known in self._many
        )

    def _put_away(self) -> None:
        """Make an array of those that are held one by one."""
        if self._few:
            import numpy as np

            self._add(np.array(sorted(self._few), np.uint64))
            self._few.clear()

    def _add(self, offsets: Any) -> None:
        """Keep an array, joined with those of its length: each is copied a few times at most."""
        import numpy as np

        while self._many and len(self._many[-1]) <= 2 * len(offsets):
            offsets = np.union1d(self._many.pop(), offsets)
        if len(offsets):
            self._many.append(offsets)


class Passed:
    """Ranges of the file that were gone through, and hold nothing that is wrong."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def gaps(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of a range that are in none of them."""
        at = bisect_right(self._ends, start)
        while start < end:
            known = self._starts[at] if at < len(self._starts) else end
            if start < known:
                yield start, min(known, end)
            if known >= end:
                return
            start, at = self._ends[at], at + 1

    def add(self, start: int, end: int) -> None:
        """Add one; those that touch it become one with it."""
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]


def runs(offsets: Sequence[int], size: int, most: int) -> Iterator[range]:
    """Neighbours that are read together: tables that follow one another in the file.

    Args:
        offsets: Where tables start, rising.
        size: Bytes of a table.
        most: Bytes that are read together, at most.
    """
    first, together = 0, max(1, most // size)
    for end in _breaks(offsets, size):
        for start in range(first, end, together):
            yield range(start, min(start + together, end))
        first = end


def _breaks(offsets: Any, size: int) -> Iterator[int]:
    """Before which tables there is something else than another one, and how many there are."""
    if isinstance(offsets, list):
        yield from (n for n, (one, other) in enumerate(pairwise(offsets), 1) if other != one + size)
    else:
        for first in range(1, len(offsets), PIECE):
            some = offsets[first - 1 : first + PIECE]
            yield from (first + (some[1:] - some[:-1] != size).nonzero()[0]).tolist()
    yield len(offsets)
