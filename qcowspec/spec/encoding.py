"""Table entries of version 2 and 3, made from what they say: the inverse of `decoding`.

In: host offsets and lengths. Out: entries, as numbers or arrays of them. Refuses: nothing; offsets
are those of clusters, and below `QCOW_MAX_CLUSTER_OFFSET`.

Source: docs/interop/qcow2, Cluster mapping and Refcounts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.spec.decoding import compressed_shift
from qcowspec.spec.units import BITS_PER_BYTE

ALL_SUBCLUSTERS = c.QCOW_L2_BITMAP_ALL_ALLOC
"""The subcluster bitmap of a cluster that has all of its data."""


def located(offset: Any) -> Any:
    """The L1 or standard L2 entry of a cluster that nothing else references."""
    return offset | c.QCOW_OFLAG_COPIED


def compressed(offset: int, length: int, cluster_bits: int) -> int:
    """The L2 entry of a compressed cluster.

    Args:
        offset: Host offset of the payload, in bytes.
        length: Its bytes; above 0.
        cluster_bits: As in the header.
    """
    sector = c.QCOW2_COMPRESSED_SECTOR_SIZE
    more = (offset + length - 1) // sector - offset // sector
    return c.QCOW_OFLAG_COMPRESSED | more << compressed_shift(cluster_bits) | offset


def refcounts(counts: npt.NDArray[Any], order: int) -> bytes:
    """A refcount block, or part of one.

    Args:
        counts: The refcounts, shape (n,), unsigned; n is a multiple of those that a byte holds.
        order: Binary logarithm of their width in bits.
    """
    if (width := 1 << order) >= BITS_PER_BYTE:
        return counts.astype(f">u{width // BITS_PER_BYTE}").tobytes()
    rows = counts.astype(np.uint8).reshape(-1, BITS_PER_BYTE // width)
    shifts = np.arange(0, BITS_PER_BYTE, width, dtype=np.uint8)
    found: npt.NDArray[np.uint8] = np.bitwise_or.reduce(rows << shifts, axis=1).astype(np.uint8)
    return found.tobytes()
