"""Two virtual disks, byte by byte.

In: two disks. Out: the first sector in which they differ. Refuses: what reading refuses.

Source: qemu-img.c: img_compare.
"""

from __future__ import annotations

from qcow_parsers import constants as c

from qcowspec.guest import Disk

PIECE = 4 << 20
"""Bytes that are compared at a time."""


def first_difference(one: Disk, other: Disk) -> int | None:
    """The guest offset of the first sector that differs; None where all are equal.

    Where one disk ends before the other, it is compared as if zeros followed.
    """
    for start in range(0, max(one.size, other.size), PIECE):
        end = min(start + PIECE, max(one.size, other.size))
        left = one.pread(start, end - start).ljust(end - start, b"\0")
        right = other.pread(start, end - start).ljust(end - start, b"\0")
        if left != right:
            at = start + _first(left, right)
            return at - at % c.BDRV_SECTOR_SIZE  # qemu-img compares sectors
    return None


def _first(left: bytes, right: bytes) -> int:
    """The index of the first byte in which two strings of one length differ."""
    low, high = 0, len(left)
    while high - low > 1:
        middle = (low + high) // 2
        if left[low:middle] != right[low:middle]:
            high = middle
        else:
            low = middle
    return low
