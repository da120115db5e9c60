"""Versions 2 and 3, entry by entry; `qcowspec.mapping.qcow2` is the same for arrays.

In: entries. Out: runs. Refuses: nothing; see `qcowspec.mapping.walk`.

Source: docs/interop/qcow2, Cluster mapping; block/qcow2-cluster.c: qcow2_get_host_offset.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from qcow_parsers import constants as c

from qcowspec.mapping.runs import Kind, Run
from qcowspec.mapping.volume import Volume
from qcowspec.mapping.walk import Slice, TableWalk
from qcowspec.spec import decoding
from qcowspec.spec.units import GuestOffset, HostOffset

if TYPE_CHECKING:
    from qcowspec.mapping.base import Mapping

SUBCLUSTERS = c.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER
UNIFORM = dict(zip((Kind.DATA, Kind.ZERO), decoding.EVERY_SUBCLUSTER, strict=True))
"""The bitmap of a cluster whose subclusters are all of one kind; 0 if they are not allocated."""


class Qcow2Walk(TableWalk):
    """The active state, or a snapshot, of a v2 or v3 image."""

    def __init__(self, volume: Volume) -> None:
        super().__init__(volume)
        self._data_file = volume.data_file
        self._extended = volume.geometry.has_extended_l2
        self.by_cluster = not self._extended
        self._meaning = decoding.l2_meaning(data_file=volume.data_file)
        self._may_be_zero = volume.geometry.version > c.QCOW2_MIN_VERSION
        self._within = self.cluster_size - 1

    @cached_property
    def arrays(self) -> Mapping:
        """See `Walk.arrays`."""
        from qcowspec.mapping.qcow2 import Qcow2Mapping

        return Qcow2Mapping(self._volume)

    def table_offset(self, entry: int) -> int | None:
        """See `TableWalk.table_offset`."""
        offset = decoding.l1_offset(entry)
        return None if offset & self._within else offset

    def in_slice(self, entries: Slice, index: int, offset: int, end: int) -> Run | None:
        """See `TableWalk.in_slice`."""
        if self._extended:
            return self._in_extended(entries, index * self._words, offset, end)
        entry, size = entries[index], self.cluster_size
        stop = (offset | size - 1) + 1  # of this cluster
        fields = decoding.l2_fields(entry, extended=self._extended, data_file=self._data_file)
        if fields.compressed:
            return self._compressed(entry, offset, min(stop, end))
        host, located, meaning = fields.offset, fields.located, self._meaning
        if located and (host & self._within or self._elsewhere(host, offset)):
            return None
        kind = Kind.DATA if fields.normal else self._absent
        if fields.zero:
            if not self._may_be_zero:
                return None
            kind = Kind.ZERO
        step = size if located else 0
        index, following = index + 1, (entry & meaning) + step
        while stop < end and index < len(entries) and entries[index] & meaning == following:
            stop, index, following = stop + size, index + 1, following + step
        length = min(stop, end) - offset
        if not located:
            return Run(kind, GuestOffset(offset), length)
        return Run(kind, GuestOffset(offset), length, HostOffset(host + (offset & size - 1)))

    def _elsewhere(self, host: int, offset: int) -> bool:
        """Whether a cluster of a data file is not at its guest offset."""
        return self._data_file and host != offset & -self.cluster_size

    def _compressed(self, entry: int, offset: int, end: int) -> Run | None:
        if self._data_file:
            return None
        host = decoding.compressed_offset(entry, self._cluster_bits)
        length = decoding.compressed_length(entry, self._cluster_bits)
        return Run(Kind.COMPRESSED, GuestOffset(offset), end - offset, HostOffset(host), length)

    def _in_extended(self, entries: Slice, index: int, offset: int, end: int) -> Run | None:
        """The same with extended L2 entries: up to the next subcluster of another kind."""
        entry, bitmap = entries[index], entries[index + 1]
        cluster = offset & -self.cluster_size
        fields = decoding.l2_fields(entry, extended=self._extended, data_file=self._data_file)
        if fields.compressed:
            return self._compressed(entry, offset, min(cluster + self.cluster_size, end))
        host, located = fields.offset, fields.located
        data, zeros = decoding.subclusters(bitmap)
        if decoding.subclusters_invalid(bitmap, located):
            return None
        if located and (host & self._within or self._elsewhere(host, offset)):
            return None
        step = self.cluster_size // SUBCLUSTERS
        first = (offset - cluster) // step
        kind, marks = self._absent, ~(data | zeros)
        if zeros >> first & 1:
            kind, marks = Kind.ZERO, zeros
        elif data >> first & 1:
            kind, marks = Kind.DATA, data
        alike = min(_ones(marks >> first), SUBCLUSTERS - first)
        stop = cluster + (first + alike) * step
        if stop - cluster == self.cluster_size:
            following = (entry & self._meaning) + (self.cluster_size if located else 0)
            stop = self._uniform_end(entries, index, following, UNIFORM.get(kind, 0), stop, end)
        length = min(stop, end) - offset
        if not located:
            return Run(kind, GuestOffset(offset), length)
        at = host - (cluster - offset)
        return Run(kind, GuestOffset(offset), length, HostOffset(at))

    def _uniform_end(
        self, entries: Slice, index: int, following: int, bitmap: int, stop: int, end: int
    ) -> int:
        """Where the clusters of one kind end that follow a cluster both in guest and file.

        With a data file, what follows in the file is where the next cluster has to be.
        """
        size, words, count = self.cluster_size, self._words, len(entries)
        index, step = index + words, size if decoding.l2_offset(following) else 0
        while (
            stop < end
            and index < count
            and entries[index] & self._meaning == following
            and entries[index + 1] == bitmap
        ):
            stop, index, following = stop + size, index + words, following + step
        return stop


def _ones(bits: int) -> int:
    """How many of the lowest bits are set in a row."""
    return (~bits & bits + 1).bit_length() - 1 if bits != -1 else SUBCLUSTERS
