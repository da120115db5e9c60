"""What each byte of the image file is, as runs that lie side by side.

In: ranges of a stretch of the file, and what they are; they may overlap. Out: arrays of tiles,
which cover the stretch with no gap and no overlap. Refuses: nothing.

Where ranges of different kinds overlap, the tile is of the first in the order of `Kind`, and the
others are noted.
"""

from __future__ import annotations

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

    @property
    def word(self) -> str:
        """Its name, as in ``l2-table``."""
        return self.name.lower().replace("_", "-")

    @property
    def is_cavity(self) -> bool:
        """Whether no reader looks at its bytes."""
        return self >= Kind.HEADER_PADDING


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

UNCLAIMED = {Kind.LEAKED, Kind.FREE, Kind.TAIL}
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


class Claims:
    """Ranges of a stretch of the file, by kind; parts of them outside the stretch are left out."""

    def __init__(self, start: int, end: int) -> None:
        """Begin with none, for the host offsets from `start` to `end`."""
        self.start, self.end = start, end
        self._held: dict[Kind, list[tuple[Numbers, Numbers]]] = {}
        self._count: dict[Kind, int] = {}

    def add(self, kind: Kind, starts: Numbers, ends: Numbers) -> None:
        """Add ranges of one kind, in any order; those that overlap or touch are one."""
        starts, ends = np.maximum(starts, self.start), np.minimum(ends, self.end)
        kept = starts < ends
        if not kept.any():
            return
        run = union(starts[kept], ends[kept])
        held = self._held.setdefault(kind, [])
        held.append(run)
        count = self._count[kind] = self._count.get(kind, 0) + len(run[0])
        if count > HELD and len(held) > 1:
            merged = self._held[kind] = [self._union(kind)]
            # What does not join is left alone until as much again was added.
            self._count[kind] = min(len(merged[0][0]), HELD // 2)

    def add_one(self, kind: Kind, start: int, end: int) -> None:
        """Add one range."""
        self.add(kind, np.array([start], np.int64), np.array([end], np.int64))

    def tiles(self) -> tuple[Numbers, Numbers, Masks]:
        """The tiles of the stretch; every byte of it has to be claimed.

        Returns:
            Their host offsets, rising; where each ends, which is where the next one starts; and
            what covers each.
        """
        runs = {kind: self._union(kind) for kind in sorted(self._held)}
        edges = np.unique(np.concatenate([side for run in runs.values() for side in run]))
        masks = np.zeros(len(edges) - 1, np.uint32)
        for kind, (starts, ends) in runs.items():
            steps = np.zeros(len(edges), np.int8)
            steps[np.searchsorted(edges, starts)] = 1
            steps[np.searchsorted(edges, ends)] = -1
            inside = np.cumsum(steps[:-1], dtype=np.int8).astype(np.uint32)
            masks |= inside << np.uint32(kind)
        firsts = np.flatnonzero(np.concatenate([[True], masks[1:] != masks[:-1]]))
        starts = edges[firsts]
        return starts, np.append(starts[1:], edges[-1]), masks[firsts]

    def _union(self, kind: Kind) -> tuple[Numbers, Numbers]:
        held = self._held[kind]
        if len(held) == 1:
            return held[0]
        starts, ends = (np.concatenate(side) for side in zip(*held, strict=True))
        return union(starts, ends)


HELD = 1 << 21
"""Ranges of one kind that are held before those that touch are joined."""


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
