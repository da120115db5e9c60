"""Many ranges of a disk in one call: no host byte is fetched twice, no cluster inflated twice.

In: guest ranges in any order, which may overlap. Out: their bytes, in the order asked for.
Refuses: what reading one of them refuses.

The ranges are first joined to stretches that do not touch, which share one buffer. Then the tables
of each layer are looked up, and `fetches` reads the bytes in the order of the file.

Memory: the bytes asked for, twice (the buffer and the result), and a few pieces of `fetches.BLOCK`.
The caller bounds it: a range counts up to the end of the disk, and a thousand ranges of the whole
disk are a thousand disks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from qcowspec.errors import Invalid, Malformed, Unsupported
from qcowspec.guest.fetches import Wanted, fetches, run_jobs
from qcowspec.mapping import Extents, Kind, Mapping
from qcowspec.mapping.spans import Offsets

if TYPE_CHECKING:
    from qcowspec.guest.disk import Disk

GAP = 256
"""Clusters between two ranges whose entries are decoded too: that costs less than a second walk."""


def read_extents(disk: Disk, extents: Sequence[tuple[int, int]]) -> list[bytes]:
    """Read many ranges; see `Disk.read_extents`."""
    asked = [_clamped(offset, length, disk.size) for offset, length in extents]
    stretches = Stretches(asked)
    buffer = memoryview(bytearray(stretches.total))
    jobs = []
    for depth, found in _layered(disk, stretches.starts, stretches.ends):
        jobs += fetches(disk.reader_of(depth), Wanted(found, stretches.places(found.offsets)))
    run_jobs(jobs, buffer)
    starts = stretches.places(np.array([start for start, _ in asked], np.uint64)).tolist()
    return [
        bytes(buffer[at : at + length]) if length else b""
        for at, (_, length) in zip(starts, asked, strict=True)
    ]


def _clamped(offset: int, length: int, size: int) -> tuple[int, int]:
    """A range as far as the disk goes: where it starts, and its bytes."""
    if offset < 0:
        raise ValueError(f"no offset on a disk: {offset}")
    if length < 0:
        raise ValueError(f"no length: {length}")
    return min(offset, size), max(0, min(length, size - offset))


class Stretches:
    """The stretches that ranges cover: in guest order, not touching, together in one buffer.

    Attributes:
        starts: Guest offset of each, dtype uint64.
        ends: Guest offset after each.
        total: Bytes of all of them.
    """

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Join ranges, given as offset and length, where they overlap or touch."""
        rising = sorted((start, start + length) for start, length in ranges if length)
        starts = np.array([start for start, _ in rising], np.uint64)
        reach = np.maximum.accumulate(np.array([end for _, end in rising], np.uint64))
        first = np.ones(len(rising), np.bool_)
        first[1:] = starts[1:] > reach[:-1]
        self.starts: Offsets = starts[first]
        self.ends: Offsets = reach[np.append(first[1:], True)] if len(rising) else reach
        lengths = self.ends - self.starts
        self._bases = np.cumsum(lengths) - lengths
        self.total = int(lengths.sum())

    def places(self, offsets: Offsets) -> Offsets:
        """Positions of guest offsets in the buffer; undefined for those outside of it."""
        if not len(self.starts):
            return np.zeros(len(offsets), np.uint64)
        index = np.searchsorted(self.starts, offsets, side="right").clip(1) - 1
        places: Offsets = offsets - self.starts[index] + self._bases[index]
        return places


def _layered(disk: Disk, starts: Offsets, ends: Offsets) -> Iterator[tuple[int, Extents]]:
    """Where the bytes of stretches are: the depth of a layer, and its extents."""
    depth = 0
    while len(starts):
        layer = disk.reader_of(depth).layer
        # Past the end of a backing file are zeros, as in the buffer already.
        inner = starts < layer.size
        starts, ends = starts[inner], np.minimum(ends[inner], np.uint64(layer.size))
        found = _located(layer.mapping, starts, ends)
        yield depth, found
        backing = found.take(found.kinds == Kind.BACKING)
        starts, ends = backing.starts, backing.ends
        depth += 1


def _located(mapping: Mapping, starts: Offsets, ends: Offsets) -> Extents:
    """Extents that tile stretches of one layer."""
    parts: list[Extents] = []
    apart = starts[1:] - ends[:-1] > GAP * mapping.cluster_size
    bounds = [0, *(np.flatnonzero(apart) + 1).tolist(), len(starts)] if len(starts) else [0]
    for first, stop in pairwise(bounds):
        chosen = slice(first, stop)
        try:
            whole = mapping.extents(int(starts[first]), int(ends[stop - 1] - starts[first]))
            parts.append(whole.within(starts[chosen], ends[chosen]))
        except (Invalid, Malformed, Unsupported):
            if stop - first == 1:
                raise
            # The broken entry may lie between the stretches, which is no error here.
            for start, end in zip(starts[chosen].tolist(), ends[chosen].tolist(), strict=True):
                parts.append(mapping.extents(start, end - start))
    return Extents.chained(parts)
