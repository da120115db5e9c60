"""Who references a cluster, as bits.

In: nothing. Out: `Owner`, and which owners go together. Refuses: nothing.
"""

from __future__ import annotations

from enum import IntFlag
from functools import cache

import numpy as np
import numpy.typing as npt

from qcowspec.check.arrays import Flags

OwnerMap = npt.NDArray[np.uint16]
"""For each cluster of a stretch of the image file what references it: `Owner` bits, ``uint16``."""


class Owner(IntFlag):
    """What references a host cluster; a cluster that nothing references has no bit."""

    HEADER = 1 << 0
    L1_TABLE = 1 << 1
    L2_TABLE = 1 << 2
    DATA = 1 << 3
    COMPRESSED = 1 << 4
    REFCOUNT_TABLE = 1 << 5
    REFCOUNT_BLOCK = 1 << 6
    SNAPSHOT_TABLE = 1 << 7
    SNAPSHOT_L1_TABLE = 1 << 8
    SNAPSHOT_L2_TABLE = 1 << 9
    SNAPSHOT_DATA = 1 << 10
    BITMAP_DIRECTORY = 1 << 11
    BITMAP_TABLE = 1 << 12
    BITMAP_DATA = 1 << 13
    LUKS_HEADER = 1 << 14
    TWICE = 1 << 15
    """One of them references it more than once, and has no reason to."""


GO_TOGETHER = (
    Owner.L2_TABLE | Owner.SNAPSHOT_L2_TABLE,
    Owner.DATA | Owner.SNAPSHOT_DATA,
)
"""Owners that may share clusters: a snapshot and the active state."""


def words(owners: int) -> list[str]:
    """The owners' names, as in ``l2-table``."""
    return [str(one.name).lower().replace("_", "-") for one in Owner if owners & one]


def overlapping(owners: OwnerMap) -> Flags:
    """Which clusters have owners that do not go together."""
    several: Flags = owners & (owners - np.uint16(1)) != 0
    if several.any():
        several[several] = _forbidden()[owners[several]]
    return several


@cache
def _forbidden() -> Flags:
    """For every combination of bits, whether its owners may not share a cluster."""
    bits = np.arange(1 << 16, dtype=np.uint32) & ~np.uint32(Owner.TWICE)
    alone = bits & (bits - (bits > 0)) == 0
    for pair in GO_TOGETHER:
        alone |= bits & ~np.uint32(pair) == 0
    forbidden: Flags = ~alone
    return forbidden
