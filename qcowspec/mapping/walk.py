"""One run at a time, in plain integers: for small reads, and for small disks.

In: a guest offset. Out: the run that starts there. Refuses: nothing itself: an entry that may break
a rule is left to the arrays, which judge it.

The arrays of `qcowspec.mapping.extents` are fastest for a hundred thousand entries and more. A read
of 4 KiB needs one entry, and a small disk is copied before NumPy is imported: those walk the tables
here, as QEMU does, slice by slice (block/qcow2-cache.c).
"""

from __future__ import annotations

import sys
from array import array
from collections import OrderedDict
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

from qcow_parsers import constants as c

from qcowspec.errors import QcowError
from qcowspec.mapping.runs import Kind, Run
from qcowspec.mapping.volume import Volume
from qcowspec.spec.metadata import Table
from qcowspec.spec.units import GuestOffset, HostOffset

if TYPE_CHECKING:
    from qcowspec.mapping.base import Mapping

SLICE = 64 << 10
"""Bytes of a table that are read and kept together, at most."""

Slice: TypeAlias = "array[int]"
"""Entries of a table, as native integers."""


class Walk:
    """Where the bytes of one layer of a virtual disk are, run by run.

    Attributes:
        size: Bytes of the virtual disk that are mapped.
        cluster_size: Bytes of a cluster.
        by_cluster: Whether all bytes of a cluster of data are in one place.
    """

    by_cluster = True

    def __init__(self, size: int, cluster_size: int) -> None:
        self.size = size
        self.cluster_size = cluster_size

    @cached_property
    def arrays(self) -> Mapping:
        """The same as arrays, which import NumPy."""
        raise NotImplementedError

    def is_cut(self) -> bool:
        """Whether a table may lie past the end of the file; see `Mapping.without_entries`."""
        return False

    def run_at(self, offset: int, end: int) -> Run:
        """The run that starts at an offset.

        Args:
            offset: A guest offset in bytes, below `end`.
            end: Where to stop looking, at most the disk's size.

        Returns:
            A run that starts at `offset` and ends at `end` or before it. What follows may be of the
            same kind: a run does not extend past one slice of one table.

        Raises:
            Invalid: The entry breaks a rule.
            Unreadable: The source failed.
        """
        raise NotImplementedError


class RawWalk(Walk):
    """A raw file: every byte of the disk stands at its own offset.

    Attributes:
        error: Why all of it is lost; None if it can be read.
    """

    error: QcowError | None = None

    @cached_property
    def arrays(self) -> Mapping:
        """See `Walk.arrays`."""
        from qcowspec.mapping.base import RawMapping

        return RawMapping(self.size, self.cluster_size, self.run_at, self.error)

    def run_at(self, offset: int, end: int) -> Run:
        """See `Walk.run_at`."""
        return Run(Kind.DATA, GuestOffset(offset), end - offset, HostOffset(offset))


class LostWalk(RawWalk):
    """A layer that cannot be read: all of it is lost."""

    def __init__(self, size: int, error: QcowError) -> None:
        super().__init__(size, c.BDRV_SECTOR_SIZE)
        self.error = error

    def run_at(self, offset: int, end: int) -> Run:
        """See `Walk.run_at`."""
        return Run(Kind.LOST, GuestOffset(offset), end - offset)


class TableWalk(Walk):
    """A walk through two levels of tables; subclasses decode the entries."""

    def __init__(self, volume: Volume) -> None:
        geometry = volume.geometry
        super().__init__(volume.size, geometry.cluster_size)
        self._volume = volume
        self._absent = volume.absent
        self._cluster_bits = geometry.cluster_bits
        self._span_bits = geometry.cluster_bits + geometry.l2_bits
        self._words = geometry.l2_entry_size // Table.ENTRY_SIZE
        self._slice_size = min(geometry.l2_table_size, SLICE)
        # Clusters that one slice maps, as bits.
        entries = self._slice_size // geometry.l2_entry_size
        self._slice_bits = entries.bit_length() - 1
        self._slices: OrderedDict[int, Slice] = OrderedDict()
        self._l1_slices: dict[int, Slice] = {}  # by number: MAX_L1_ENTRIES bounds all
        self._most = max(2, c.DEFAULT_L2_CACHE_MAX_SIZE // self._slice_size)
        self._lock = Lock()

    # --- what the versions differ in --------------------------------------------------------------

    def table_offset(self, entry: int) -> int | None:
        """Where an L1 entry's L2 table is; 0 if it has none, None if it breaks a rule."""
        raise NotImplementedError

    def in_slice(self, entries: Slice, index: int, offset: int, end: int) -> Run | None:
        """The run that starts at an offset.

        Args:
            entries: A slice of an L2 table.
            index: The offset's cluster, counted from the slice's first.
            offset: See `run_at`.
            end: See `run_at`.

        Returns:
            A run; None if the entry may break a rule.
        """
        raise NotImplementedError

    # --- the walk ---------------------------------------------------------------------------------

    def run_at(self, offset: int, end: int) -> Run:
        """See `Walk.run_at`."""
        number = offset >> self._span_bits
        table = self._table(number)
        if not table:
            if table is None:
                span = self._span_bits
                return self._judged(offset, end, (offset >> span) + 1 << span)
            return self._without_table(number, offset, end)
        cluster = (offset >> self._cluster_bits) - (number << self._span_bits - self._cluster_bits)
        piece = cluster >> self._slice_bits
        at = table + piece * self._slice_size
        entries = self._slices.get(at)
        if entries is None:
            entries = self._read(at, self._slice_size)
        run = self.in_slice(entries, cluster - (piece << self._slice_bits), offset, end)
        return run or self._judged(offset, end, (offset | self.cluster_size - 1) + 1)

    def is_cut(self) -> bool:
        """See `Walk.is_cut`."""
        table, length = self._volume.l1_table, self._volume.source.length
        if table.offset + table.length > length:
            return True
        if table.count > FEW_TABLES:
            return next(self.arrays.without_entries(), None) is not None
        last = max(0, length - self._volume.geometry.l2_table_size)
        return any((self._table(number) or last) > last for number in range(table.count))

    def absent(self, offset: int, end: int) -> Run:
        """What is not allocated."""
        return Run(self._absent, GuestOffset(offset), end - offset)

    def _judged(self, offset: int, end: int, until: int) -> Run:
        """The first run by the arrays, up to the end of a cluster or of what a table maps.

        They raise an error if an entry breaks a rule; in a salvage, the run is lost.
        """
        return next(self.arrays.runs(offset, min(end, until) - offset))

    def _table(self, number: int) -> int | None:
        """Where the L2 table of an L1 entry is; see `table_offset`."""
        table = self._volume.l1_table
        if number >= table.count:
            return 0
        piece, index = divmod(number, SLICE // Table.ENTRY_SIZE)
        entries = self._l1_slices.get(piece)
        if entries is None:
            entries = self._l1_slices[piece] = self._l1_slice(piece)
        return self.table_offset(entries[index]) if index < len(entries) else 0

    def _l1_slice(self, piece: int) -> Slice:
        table, start = self._volume.l1_table, piece * SLICE
        stop = min(start + SLICE, table.length)
        if stop <= len(table.data):
            return _native(table.data[start:stop])
        data = self._volume.source.read_at(table.offset + start, stop - start)
        return _native(data.ljust(stop - start, b"\0"))

    def _without_table(self, number: int, offset: int, end: int) -> Run:
        """The run of L1 entries without a table, from one of them on."""
        count = self._volume.l1_table.count
        if self._volume.unmapped is not None:
            if number >= count:
                return Run(Kind.LOST, GuestOffset(offset), end - offset)
            end = min(end, count << self._span_bits)
        last = (end - 1 >> self._span_bits) + 1
        after = number + 1
        most = min(last, count, number + LOOK_AHEAD)
        while after < most and self._table(after) == 0:
            after += 1
        if after >= count:  # nothing that follows has a table
            after = last
        return self.absent(offset, min(end, after << self._span_bits))

    def _read(self, at: int, length: int) -> Slice:
        """Read a slice of an L2 table, and cache it; past the end of the file are zeros."""
        entries = _native(self._volume.source.read_at(at, length).ljust(length, b"\0"))
        with self._lock:
            self._slices[at] = entries
            if len(self._slices) > self._most:
                self._slices.popitem(last=False)
        return entries


FEW_TABLES = 1 << 12
"""L1 entries that are checked faster one by one than NumPy is imported."""

LOOK_AHEAD = 1 << 16
"""Most L1 entries that are searched for the end of one run."""


def _native(data: bytes) -> Slice:
    """Big-endian words as native ones."""
    entries = array("Q", data)
    if sys.byteorder == "little":
        entries.byteswap()
    return entries
