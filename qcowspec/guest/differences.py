"""The parts of ranges in which two disks differ, by their bytes.

In: two disks, and ranges. Out: the sectors that differ. Refuses: what reading refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from qcow_parsers import constants as c

from qcowspec.guest.disk import Disk
from qcowspec.mapping.spans import Ranges

PIECE = 4 << 20
"""Bytes that are read at a time."""


def differences(one: Disk, other: Disk, ranges: Iterable[Ranges]) -> Iterator[Ranges]:
    """The sectors that differ, a bounded number at a time; past the end of a disk are zeros.

    Args:
        one: A disk.
        other: Another one.
        ranges: Where to look.

    Raises:
        QcowError: A disk cannot be read.
    """
    for batch in ranges:
        for start, length in batch.pairs():
            for at in range(start, start + length, PIECE):
                size = min(PIECE, start + length - at)
                found = _differ(_read(one, at, size), _read(other, at, size), at)
                if len(found):
                    yield found


def _read(disk: Disk, offset: int, length: int) -> bytes:
    """Bytes of a disk; zeros past its end."""
    return disk.pread(offset, length).ljust(length, b"\0")


def _differ(left: bytes, right: bytes, base: int) -> Ranges:
    """The sectors in which two byte strings of one length differ; the last may be short."""
    sector, length = c.BDRV_SECTOR_SIZE, len(left)
    if left == right:
        return Ranges(np.zeros(0, np.uint64), np.zeros(0, np.uint64))
    unequal = np.frombuffer(left, np.uint8) != np.frombuffer(right, np.uint8)
    padded = np.zeros(-(-length // sector) * sector, np.bool_)
    padded[:length] = unequal
    which = np.flatnonzero(padded.reshape(-1, sector).any(axis=1)).astype(np.uint64)
    starts = which * np.uint64(sector)
    lengths = np.minimum(np.uint64(sector), np.uint64(length) - starts)
    return Ranges(starts + np.uint64(base), lengths).joined()
