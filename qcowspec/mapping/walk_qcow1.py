"""Version 1, entry by entry; `qcowspec.mapping.qcow1` is the same for arrays.

In: entries. Out: runs. Refuses: nothing; see `qcowspec.mapping.walk`.

Source: block/qcow.c: get_cluster_offset.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from qcowspec.mapping.runs import Kind, Run
from qcowspec.mapping.walk import Slice, TableWalk
from qcowspec.spec import decoding
from qcowspec.spec.units import GuestOffset, HostOffset, readable

if TYPE_CHECKING:
    from qcowspec.mapping.base import Mapping


class Qcow1Walk(TableWalk):
    """A v1 image, whose entries have only one flag."""

    @cached_property
    def arrays(self) -> Mapping:
        """See `Walk.arrays`."""
        from qcowspec.mapping.qcow1 import Qcow1Mapping

        return Qcow1Mapping(self._volume)

    def table_offset(self, entry: int) -> int | None:
        """See `TableWalk.table_offset`: the whole entry is the offset."""
        return entry if readable(entry, self._volume.geometry.l2_table_size) else None

    def in_slice(self, entries: Slice, index: int, offset: int, end: int) -> Run:
        """See `TableWalk.in_slice`."""
        entry, size = entries[index], self.cluster_size
        stop = (offset | size - 1) + 1  # of this cluster
        index += 1
        if decoding.v1_is_compressed(entry):
            host = decoding.v1_compressed_offset(entry, self._cluster_bits)
            length = decoding.v1_compressed_length(entry, self._cluster_bits)
            until = min(stop, end) - offset
            return Run(Kind.COMPRESSED, GuestOffset(offset), until, HostOffset(host), length)
        if not entry:
            while stop < end and index < len(entries) and not entries[index]:
                stop, index = stop + size, index + 1
            return self.absent(offset, min(stop, end))
        ahead, following = offset & size - 1, entry + size
        # A sum cannot reach the flag of a compressed cluster before QEMU's longest file ends.
        end = end if readable(entry, 1) else min(stop, end)
        while stop < end and index < len(entries) and entries[index] == following:
            stop, index, following = stop + size, index + 1, following + size
        length = min(stop, end) - offset
        return Run(Kind.DATA, GuestOffset(offset), length, HostOffset(entry + ahead))
