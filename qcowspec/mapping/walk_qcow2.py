"""Versions 2 and 3, entry by entry; `qcowspec.mapping.qcow2` is the same for arrays.

In: entries. Out: runs. Refuses: nothing; see `qcowspec.mapping.walk`.

Source: docs/interop/qcow2, Cluster mapping; block/qcow2-cluster.c: qcow2_get_host_offset.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from qcow_parsers import constants as c

from qcowspec import units
from qcowspec.mapping.runs import Kind, Run
from qcowspec.mapping.volume import Volume
from qcowspec.mapping.walk import Slice, TableWalk
from qcowspec.units import GuestOffset, HostOffset

if TYPE_CHECKING:
    from qcowspec.mapping.base import Mapping

SUBCLUSTERS = c.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER
ALL_ALLOCATED = c.QCOW_OFLAG_SUB_ALLOC_RANGE
OF_DATA = c.L2E_OFFSET_MASK | c.QCOW_OFLAG_COMPRESSED
"""Bits that tell clusters of data from one another: where, and that it is not compressed."""


class Qcow2Walk(TableWalk):
    """The active state, or a snapshot, of a v2 or v3 image."""

    def __init__(self, volume: Volume) -> None:
        super().__init__(volume)
        self._extended = volume.geometry.has_extended_l2
        self.by_cluster = not self._extended
        # A data file may hold a cluster at offset 0; COPIED tells it from an empty entry.
        self._located = OF_DATA | (c.QCOW_OFLAG_COPIED if volume.data_file else 0)
        self._may_be_zero = volume.geometry.version > c.QCOW2_MIN_VERSION
        # Bits of a host offset that an aligned cluster has not.
        self._within = self.cluster_size - 1 & c.L2E_OFFSET_MASK

    @cached_property
    def arrays(self) -> Mapping:
        """See `Walk.arrays`."""
        from qcowspec.mapping.qcow2 import Qcow2Mapping

        return Qcow2Mapping(self._volume)

    def table_offset(self, entry: int) -> int | None:
        """See `TableWalk.table_offset`."""
        offset = entry & c.L1E_OFFSET_MASK
        return None if offset & self._within else offset

    def in_slice(self, entries: Slice, index: int, offset: int, end: int) -> Run | None:
        """See `TableWalk.in_slice`."""
        if self._extended:
            return self._in_extended(entries, index * self._words, offset, end)
        entry, size = entries[index], self.cluster_size
        behind = (offset | size - 1) + 1  # of this cluster
        if entry & c.QCOW_OFLAG_COMPRESSED:
            return self._compressed(entry, offset, min(behind, end))
        host, located = entry & c.L2E_OFFSET_MASK, entry & self._located
        if host & self._within or (located and self._elsewhere(host, offset)):
            return None
        kind, alike = self._absent, self._located | c.QCOW_OFLAG_ZERO
        if entry & c.QCOW_OFLAG_ZERO:
            if not self._may_be_zero:
                return None
            kind = Kind.ZERO
        elif located:
            kind = Kind.DATA
        step = size if located else 0
        index, following = index + 1, (entry & alike) + step
        while behind < end and index < len(entries) and entries[index] & alike == following:
            behind, index, following = behind + size, index + 1, following + step
        length = min(behind, end) - offset
        if not located:
            return Run(kind, GuestOffset(offset), length)
        return Run(kind, GuestOffset(offset), length, HostOffset(host + (offset & size - 1)))

    def _elsewhere(self, host: int, offset: int) -> bool:
        """Whether a cluster of a data file is not where it has to be."""
        return self._volume.data_file and host != offset & -self.cluster_size

    def _compressed(self, entry: int, offset: int, end: int) -> Run | None:
        if self._volume.data_file:
            return None
        host = units.compressed_offset(entry, self._cluster_bits)
        length = units.compressed_length(entry, self._cluster_bits)
        return Run(Kind.COMPRESSED, GuestOffset(offset), end - offset, HostOffset(host), length)

    def _in_extended(self, entries: Slice, index: int, offset: int, end: int) -> Run | None:
        """The same with extended L2 entries: up to the next subcluster of another kind."""
        entry, bitmap = entries[index], entries[index + 1]
        cluster = offset & -self.cluster_size
        if entry & c.QCOW_OFLAG_COMPRESSED:
            return self._compressed(entry, offset, min(cluster + self.cluster_size, end))
        host, located = entry & c.L2E_OFFSET_MASK, entry & self._located
        data, zeros = bitmap & c.QCOW_OFLAG_SUB_ALLOC_RANGE, bitmap >> SUBCLUSTERS
        sound = not data & zeros if located else not data
        if not sound or host & self._within or (located and self._elsewhere(host, offset)):
            return None
        step = self.cluster_size // SUBCLUSTERS
        first = (offset - cluster) // step
        kind, marks = self._absent, ~(data | zeros)
        if zeros >> first & 1:
            kind, marks = Kind.ZERO, zeros
        elif data >> first & 1:
            kind, marks = Kind.DATA, data
        alike = min(_ones(marks >> first), SUBCLUSTERS - first)
        behind = cluster + (first + alike) * step
        if kind is Kind.DATA and behind - cluster == self.cluster_size:
            behind = self._whole_behind(entries, index, host, behind, end)
        length = min(behind, end) - offset
        if not located:
            return Run(kind, GuestOffset(offset), length)
        at = host - (cluster - offset)
        return Run(kind, GuestOffset(offset), length, HostOffset(at))

    def _whole_behind(self, entries: Slice, index: int, host: int, behind: int, end: int) -> int:
        """Where whole clusters of data end that follow a cluster, in the guest and in the file.

        With a data file, what follows in the file is where the next cluster has to be.
        """
        size, words, count = self.cluster_size, self._words, len(entries)
        index, following = index + words, host + size
        while (
            behind < end
            and index < count
            and entries[index] & OF_DATA == following
            and entries[index + 1] == ALL_ALLOCATED
        ):
            behind, index, following = behind + size, index + words, following + size
        return behind


def _ones(bits: int) -> int:
    """How many of the lowest bits are set in a row."""
    return (~bits & bits + 1).bit_length() - 1 if bits != -1 else SUBCLUSTERS
