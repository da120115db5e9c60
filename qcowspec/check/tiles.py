"""What each byte of the image file is, as runs that lie side by side.

In: ranges of a stretch of the file, and what they are; they may overlap. Out: arrays of tiles,
which cover the stretch with no gap and no overlap. Refuses: nothing.

Where ranges of different kinds overlap, the tile is of the first in the order of `Kind`, and the
others are noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from functools import cache

import numpy as np
import numpy.typing as npt

from qcowspec.check.arrays import Numbers

Masks = npt.NDArray[np.uint32]
"""For each tile the kinds of all ranges that cover it: bit `kind` of a ``uint32``."""


class Kind(IntEnum):
    """What a byte is, in the order in which one kind goes before another."""

    HEADER = 0
    HEADER_EXTENSIONS = 1
    BACKING_FILE_NAME = 2
    L1_TABLE = 3
    REFCOUNT_TABLE = 4
    REFCOUNT_BLOCK = 5
    SNAPSHOT_TABLE = 6
    SNAPSHOT_L1_TABLE = 7
    L2_TABLE = 8
    """A table of the active state, which snapshots may share."""
    SNAPSHOT_L2_TABLE = 9
    BITMAP_DIRECTORY = 10
    BITMAP_TABLE = 11
    LUKS_HEADER = 12
    DATA = 13
    """Guest data of the active state only."""
    SHARED_DATA = 14
    """Guest data that the active state and a snapshot have."""
    SNAPSHOT_DATA = 15
    COMPRESSED = 16
    SHARED_COMPRESSED = 17
    SNAPSHOT_COMPRESSED = 18
    VM_STATE = 19
    BITMAP_DATA = 20
    HEADER_PADDING = 21
    """The first cluster's bytes that belong to nothing."""
    TABLE_PADDING = 22
    """Bytes of a structure's clusters before it, after it, or between its entries."""
    COMPRESSED_PADDING = 23
    """Bytes that an entry claims for its payload, or of a payload's clusters, with no payload."""
    BEYOND_DISK = 24
    """Data clusters, or parts of them, past the end of the virtual disk."""
    PREALLOCATED = 25
    """Data clusters, or parts of them, that are set aside: they read as zeros, or from below."""
    LEAKED = 26
    """Clusters with a refcount, which nothing references."""
    TAIL = 27
    """What nothing references of an incomplete last cluster."""
    FREE = 28
    """Clusters that nothing references, without a refcount; of version 1, all unused bytes."""
    NOT_FOLLOWED = 29
    """Bytes that nothing claims, of an image whose structures cannot all be followed."""

    @property
    def word(self) -> str:
        """Its name, as in ``l2-table``."""
        return self.name.lower().replace("_", "-")

    @property
    def is_cavity(self) -> bool:
        """Whether no reader looks at its bytes."""
        return Kind.HEADER_PADDING <= self < Kind.NOT_FOLLOWED


SHARED = {
    Kind.SHARED_DATA: (Kind.DATA, Kind.SNAPSHOT_DATA),
    Kind.SHARED_COMPRESSED: (Kind.COMPRESSED, Kind.SNAPSHOT_COMPRESSED),
}
"""Kinds of what the active state and a snapshot claim, by what each claims."""

FAMILIES = (
    {Kind.L2_TABLE, Kind.SNAPSHOT_L2_TABLE},
    {Kind.DATA, Kind.SNAPSHOT_DATA, Kind.PREALLOCATED, Kind.BEYOND_DISK},
    {Kind.VM_STATE, Kind.PREALLOCATED, Kind.BEYOND_DISK},
    {Kind.COMPRESSED, Kind.SNAPSHOT_COMPRESSED, Kind.COMPRESSED_PADDING, Kind.BEYOND_DISK},
)
"""Kinds that may have the same bytes: states share them, and payloads share sectors."""

UNCLAIMED = {Kind.LEAKED, Kind.FREE, Kind.TAIL, Kind.NOT_FOLLOWED}
"""Kinds of what nothing references: noted of no byte that something does."""


@cache
def meaning(mask: int) -> tuple[Kind, tuple[Kind, ...]]:
    """The kind of a tile that some kinds cover, and those of them that have no right to."""
    kinds = {kind for kind in Kind if mask >> kind & 1}
    first, claimed = min(kinds), kinds - UNCLAIMED
    own = next((family for family in FAMILIES if claimed <= family), None)
    if own is None:
        own = next((family for family in FAMILIES if first in family), {first})
    also = tuple(sorted(claimed - own))
    for kind, states in SHARED.items():
        if first in states and kinds.issuperset(states):
            first = kind
    return first, also


class Meanings:
    """Every meaning that the tiles of a file have, by number.

    Attributes:
        each: The kind, and the kinds that overlap it with no right to.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.each: list[tuple[Kind, tuple[Kind, ...]]] = []
        self._masks, self._number = np.zeros(0, np.uint32), np.zeros(0, np.int64)

    def of(self, masks: Masks) -> Numbers:
        """The numbers of the meanings of some tiles."""
        if not len(masks):
            return np.zeros(0, np.int64)
        if not len(self._masks) or not (self._masks[self._find(masks)] == masks).all():
            self._learn(masks)
        return self._number[self._find(masks)]

    def kinds(self, numbers: Numbers) -> npt.NDArray[np.uint8]:
        """The kinds of some tiles, by the numbers of their meanings."""
        return np.array([kind for kind, _ in self.each], np.uint8)[numbers]

    def _find(self, masks: Masks) -> Numbers:
        return np.minimum(np.searchsorted(self._masks, masks), len(self._masks) - 1)

    def _learn(self, masks: Masks) -> None:
        number = {one: index for index, one in enumerate(self.each)}
        self._masks = np.union1d(self._masks, masks)
        found = map(meaning, self._masks.tolist())
        self._number = np.array([number.setdefault(one, len(number)) for one in found], np.int64)
        self.each = list(number)


UNSURE = {
    Kind.COMPRESSED_PADDING, Kind.BEYOND_DISK, Kind.PREALLOCATED, Kind.LEAKED, Kind.TAIL
}  # fmt: skip
"""Kinds of what others may use: nobody knows while some structures are not followed."""


class Full(Exception):
    """The ranges of a stretch are too many to be held together: a shorter one has fewer."""


class Claims:
    """What claims the bytes of a stretch of the file, by kind; what lies outside is left out.

    Whole clusters of the file are bits in an array, which costs four bytes a cluster, however many
    claim it in whatever order. Other ranges are kept as they are.
    """

    def __init__(self, start: int, end: int, cluster_bits: int, *, followed: bool = True) -> None:
        """Begin with none: all is free, or not followed.

        Args:
            start: Host offset of the stretch, of a whole cluster.
            end: Host offset of its end.
            cluster_bits: Binary logarithm of the cluster size.
            followed: Whether all structures of the image are followed.
        """
        self._unsure: set[Kind] = set() if followed else UNSURE
        base = Kind.FREE if followed else Kind.NOT_FOLLOWED
        self.start, self.end, self._bits = start, end, cluster_bits
        self._size, self._first = 1 << cluster_bits, start >> cluster_bits
        count = -(-(end - start) >> cluster_bits)
        self.masks = np.full(count, 1 << base, np.uint32)
        self._held: dict[Kind, list[tuple[Numbers, Numbers]]] = {}
        self._count: dict[Kind, int] = {}

    def add(self, kind: Kind, starts: Numbers, ends: Numbers) -> None:
        """Add ranges of one kind, in any order; those that overlap or touch are one.

        Raises:
            Full: There are too many.
        """
        if kind in self._unsure:
            return
        whole = ((starts & self._size - 1) == 0) & (ends - starts == self._size)
        if whole.all():
            self.add_clusters(kind, starts >> self._bits)
            return
        self.add_clusters(kind, starts[whole] >> self._bits)
        starts = np.maximum(starts[~whole], self.start)
        ends = np.minimum(ends[~whole], self.end)
        kept = starts < ends
        if kept.any():
            self._keep(kind, *union(starts[kept], ends[kept]))

    def add_one(self, kind: Kind, start: int, end: int) -> None:
        """Add one range."""
        self.add(kind, np.array([start], np.int64), np.array([end], np.int64))

    def add_clusters(self, kind: Kind, clusters: Numbers) -> None:
        """Add clusters by their numbers, in any order."""
        if not len(clusters):
            return
        low, high = int(clusters.min()) - self._first, int(clusters.max()) - self._first
        if low < 0 or high >= len(self.masks):
            clusters = clusters[
                (clusters >= self._first) & (clusters < self._first + len(self.masks))
            ]
        elif high - low + 1 == len(clusters) and bool((np.diff(clusters) == 1).all()):
            self.masks[low : high + 1] |= np.uint32(1 << kind)
            return
        self.masks[clusters - self._first] |= np.uint32(1 << kind)

    def tiles(self) -> Iterator[tuple[Numbers, Numbers, Masks]]:
        """The tiles of the stretch, some at a time; every byte of it has to be claimed.

        Yields:
            Their host offsets, rising; where each ends, which is where the next one starts; and
            what covers each. Neighbours may have the same.
        """
        runs = {kind: self._union(kind) for kind in sorted(self._held)}
        for first in range(0, len(self.masks), CHUNK):
            masks = self.masks[first : first + CHUNK]
            start = self.start + (first << self._bits)
            end = min(start + (len(masks) << self._bits), self.end)
            edges = np.flatnonzero(np.concatenate([[True], masks[1:] != masks[:-1]]))
            here = {kind: _between(run, start, end) for kind, run in runs.items()}
            here = {kind: run for kind, run in here.items() if len(run[0])}
            offsets = start + (edges << self._bits)
            if not here:
                yield offsets, np.append(offsets[1:], end), masks[edges]
                continue
            sides = [side for run in here.values() for side in run]
            offsets = np.sort(np.concatenate([offsets, *sides, [end]]))
            offsets = offsets[np.append(True, offsets[1:] != offsets[:-1])]
            yield offsets[:-1], offsets[1:], self._covering(offsets, masks, here)

    def _covering(
        self, edges: Numbers, clusters: Masks, runs: dict[Kind, tuple[Numbers, Numbers]]
    ) -> Masks:
        """What covers the bytes between some edges."""
        masks: Masks = clusters[edges[:-1] - edges[0] >> self._bits]
        for kind, (starts, ends) in runs.items():
            steps = np.zeros(len(edges), np.int8)
            steps[np.searchsorted(edges, starts)] = 1
            steps[np.searchsorted(edges, ends)] = -1
            inside = np.cumsum(steps[:-1], dtype=np.int8).astype(np.uint32)
            masks |= inside << np.uint32(kind)
        return masks

    def _keep(self, kind: Kind, starts: Numbers, ends: Numbers) -> None:
        held = self._held.setdefault(kind, [])
        held.append((starts, ends))
        count = self._count[kind] = self._count.get(kind, 0) + len(starts)
        if count > HELD:
            merged = self._held[kind] = [self._union(kind)]
            self._count[kind] = len(merged[0][0])
            if self._count[kind] > HELD // 4 * 3 and len(self.masks) > 1:
                raise Full

    def _union(self, kind: Kind) -> tuple[Numbers, Numbers]:
        held = self._held[kind]
        if len(held) == 1:
            return held[0]
        starts, ends = (np.concatenate(side) for side in zip(*held, strict=True))
        return union(starts, ends)


CHUNK = 1 << 18
"""Clusters whose tiles are made together."""

HELD = 1 << 22
"""Ranges of one kind that are held before those that touch are joined."""


def _between(run: tuple[Numbers, Numbers], start: int, end: int) -> tuple[Numbers, Numbers]:
    """The parts of ranges, rising and apart, that lie between two offsets."""
    starts, ends = run
    some = slice(np.searchsorted(ends, start, side="right"), np.searchsorted(starts, end))
    return np.maximum(starts[some], start), np.minimum(ends[some], end)


def union(starts: Numbers, ends: Numbers) -> tuple[Numbers, Numbers]:
    """Ranges, rising and apart, that hold the same bytes as some that are neither."""
    if len(starts) > 1 and not (starts[1:] >= starts[:-1]).all():
        order = np.argsort(starts, kind="stable")
        starts, ends = starts[order], ends[order]
    reach = np.maximum.accumulate(ends)
    apart = starts[1:] > reach[:-1]
    return (
        starts[np.concatenate([[True], apart])],
        reach[np.concatenate([apart, [True]])],
    )
