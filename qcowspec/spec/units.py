"""Offsets that cannot be confused, and the sizes that follow from a header.

In: integers read from a header. Out: integers with a meaning. Refuses: nothing: these functions are
total, and pure.
"""

from __future__ import annotations

from typing import Any, NamedTuple, NewType

from qcow_parsers import constants as c

GuestOffset = NewType("GuestOffset", int)
"""An offset on the virtual disk, in bytes."""

HostOffset = NewType("HostOffset", int)
"""An offset in the image file, in bytes."""

BITS_PER_BYTE = 8

MAX_L1_ENTRIES = c.QCOW_MAX_L1_SIZE // c.L1E_SIZE
"""Entries of an L1 table that are read at once. Version 1 may have more, which stay in the file."""


class Geometry(NamedTuple):
    """The sizes that follow from an image's header.

    Attributes:
        version: 1, 2 or 3.
        cluster_bits: Binary logarithm of the cluster size.
        l2_bits: Binary logarithm of the number of entries of an L2 table.
        l2_entry_size: Bytes of an L2 entry: 8, or 16 with extended L2 entries.
        refcount_order: Binary logarithm of the width of a refcount in bits; 0 in version 1, which
            has none.
    """

    version: int
    cluster_bits: int
    l2_bits: int
    l2_entry_size: int
    refcount_order: int

    @property
    def cluster_size(self) -> int:
        """Bytes of a cluster."""
        return 1 << self.cluster_bits

    @property
    def l2_table_size(self) -> int:
        """Bytes of an L2 table: one cluster in v2 and v3."""
        return self.l2_entry_size << self.l2_bits

    @property
    def l2_span(self) -> int:
        """Guest bytes that one L2 table maps."""
        return 1 << (self.cluster_bits + self.l2_bits)

    @property
    def has_extended_l2(self) -> bool:
        """Whether L2 entries carry a subcluster bitmap."""
        return self.l2_entry_size == c.L2E_SIZE_EXTENDED

    @property
    def refcount_bits(self) -> int:
        """Width of a refcount, in bits; 0 where its order is out of range."""
        return 1 << self.refcount_order if self.refcount_order <= c.QCOW2_MAX_REFCOUNT_ORDER else 0

    @property
    def refcount_block_entries(self) -> int:
        """Refcounts in a refcount block, which is one cluster."""
        return (self.cluster_size * BITS_PER_BYTE) >> self.refcount_order

    def clusters(self, length: int) -> int:
        """Clusters that `length` bytes touch when they start at a cluster boundary."""
        return (length + self.cluster_size - 1) >> self.cluster_bits


def align_up(value: int, step: int) -> int:
    """The least multiple of `step` that is not below `value`."""
    return -(-value // step) * step


def whole_sectors(size: int) -> int:
    """Bytes of a disk without an incomplete last sector, as QEMU has it.

    Source: block/qcow2.c: qcow2_do_open; block/qcow.c: qcow_open.
    """
    return size - size % c.BDRV_SECTOR_SIZE


# --- numbers and arrays alike ---------------------------------------------------------------------


def readable(offset: Any, length: int) -> Any:
    """Whether `length` bytes at host offsets end where a file of QEMU's block layer can end."""
    return offset <= c.BDRV_MAX_LENGTH - length


def smaller(one: Any, other: Any) -> Any:
    """The lesser of two, element by element."""
    if isinstance(one, int) and isinstance(other, int):
        return min(one, other)
    import numpy as np

    return np.minimum(np.uint64(one) if isinstance(one, int) else one, other)


def within(size: int, guest: Any) -> Any:
    """Bytes of a disk from guest offsets on; 0 past its end."""
    if isinstance(guest, int):
        return max(0, size - guest)
    import numpy as np

    return np.where(guest < size, np.uint64(size) - guest, np.uint64(0))


def bit_length(words: Any) -> Any:
    """The number of the highest bit that is set, counted from 1; of 32-bit words."""
    if isinstance(words, int):
        return words.bit_length()
    import numpy as np

    return np.frexp(words.astype(np.float64))[1].astype(np.uint64)


UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
STEP = 1024


def in_units(count: int) -> str:
    """A number of bytes in the largest unit that keeps it short: ``64 KiB``, ``1.5 MiB``."""
    if count == 1:
        return "1 byte"
    unit, value = 0, float(count)
    while value >= STEP and unit < len(UNITS) - 1:
        unit, value = unit + 1, value / STEP
    if unit == 0:
        return f"{count} bytes"
    exact = count % STEP**unit == 0
    return f"{count // STEP**unit} {UNITS[unit]}" if exact else f"{value:.4g} {UNITS[unit]}"
