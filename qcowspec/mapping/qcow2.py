"""Versions 2 and 3: what L1 and L2 entries say.

In: entries as arrays. Out: `Extents`. Refuses: entries for which QEMU fails a read, by the rule
that it meets first.

Source: docs/interop/qcow2, Cluster mapping; block/qcow2-cluster.c: qcow2_get_host_offset;
block/qcow2.h: qcow2_get_cluster_type, qcow2_get_subcluster_type.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec import units
from qcowspec.mapping.extents import NOWHERE, Extents, Kind, Offsets
from qcowspec.mapping.heads import heads, runs_of_zeros
from qcowspec.mapping.l1 import Entries, TableMapping
from qcowspec.mapping.volume import Volume
from qcowspec.metadata import Table

Flags = npt.NDArray[np.bool_]
Said = units.L2Fields[Entries]
SUBCLUSTERS = c.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER


class Qcow2Mapping(TableMapping):
    """The active state, or a snapshot, of a v2 or v3 image."""

    def __init__(self, volume: Volume) -> None:
        """See `TableMapping`."""
        super().__init__(volume)
        self._data_file = volume.data_file

    def table_offsets(self, entries: Entries, first: int) -> Offsets:
        """See `TableMapping.table_offsets`."""
        return units.l1_offset(entries)

    def judge_tables(self, offsets: Offsets, entries: Entries, first: int) -> None:
        """See `TableMapping.judge_tables`."""
        unaligned = offsets & np.uint64(self.cluster_size - 1) != 0
        if unaligned.any():
            index = int(np.argmax(unaligned))
            at = self._l1.offset + (first + index) * Table.ENTRY_SIZE
            self.refuse("l2/table-offset", at, int(entries[index]), f"l1_table[{first + index}]")

    def heads(self, rows: Entries) -> npt.NDArray[np.intp]:
        """See `TableMapping.heads`; of extended entries, only those that are 0 are passed over."""
        if self._geometry.has_extended_l2:
            return runs_of_zeros(rows)
        flag, mask = c.QCOW_OFLAG_COMPRESSED, c.L2E_OFFSET_MASK
        empty = c.QCOW_OFLAG_ZERO
        return heads(rows[:, 0], self.cluster_size, compressed=flag, offset=mask, empty=empty)

    def decode(self, rows: Entries, places: Offsets, guest: Offsets, lengths: Offsets) -> Extents:
        """See `TableMapping.decode`."""
        entry = rows[:, 0]
        extended = self._geometry.has_extended_l2
        said = units.l2_fields(entry, extended=extended, data_file=self._data_file)
        bits, compressed = self._geometry.cluster_bits, said.compressed
        payload = np.where(compressed, units.compressed_length(entry, bits), 0).astype(np.uint32)
        hosts = np.where(compressed, units.compressed_offset(entry, bits), said.offset)
        if extended:
            return self._subclusters(rows, places, guest, lengths, said, hosts, payload)
        self._judge(rows, places, guest, said)
        kinds = np.full(len(entry), self._absent, np.uint8)
        kinds[said.normal] = Kind.DATA
        kinds[said.zero] = Kind.ZERO
        kinds[compressed] = Kind.COMPRESSED
        where = np.where(compressed | said.located, hosts, np.uint64(NOWHERE))
        return Extents(kinds, guest, lengths, where, payload)

    def _subclusters(
        self,
        rows: Entries,
        places: Offsets,
        guest: Offsets,
        lengths: Offsets,
        said: Said,
        hosts: Offsets,
        payload: npt.NDArray[np.uint32],
    ) -> Extents:
        """Extents of images with extended L2 entries: one a subcluster, or one a cluster.

        A compressed cluster is one extent, and so are those whose subclusters are all alike.
        """
        compressed, located = said.compressed, said.located
        self._judge(rows, places, guest, said)
        alloc, zeros = units.subclusters(rows[:, 1])
        whole = compressed | _uniform(rows[:, 1])
        # One row a cluster, one column a subcluster; bit 0 is the first of them.
        shifts = np.arange(SUBCLUSTERS, dtype=np.uint64)
        kept = np.broadcast_to(~whole[:, None], (len(rows), SUBCLUSTERS)).copy()
        kept[:, 0] = True
        row, column = np.nonzero(kept)
        bit = shifts[column]
        kinds = np.full(len(row), self._absent, np.uint8)
        kinds[(alloc[row] >> bit & np.uint64(1)).astype(np.bool_) & located[row]] = Kind.DATA
        kinds[(zeros[row] >> bit & np.uint64(1)).astype(np.bool_)] = Kind.ZERO
        kinds[compressed[row]] = Kind.COMPRESSED
        size = np.uint64(self.cluster_size // SUBCLUSTERS)
        # In an allocated cluster a subcluster without data has its place too, as QEMU reports it.
        placed = (compressed | located)[row]
        return Extents(
            kinds,
            guest[row] + bit * size,
            np.where(whole[row], lengths[row], size),
            np.where(placed, hosts[row] + bit * size, np.uint64(NOWHERE)),
            payload[row],
        )

    def _judge(self, rows: Entries, places: Offsets, guest: Offsets, said: Said) -> None:
        """Refuse the first entry, in guest order, for which QEMU fails the read."""
        entry = rows[:, 0]
        found: list[tuple[int, str]] = []

        def broken(rule: str, flags: Flags) -> None:
            if flags.any():
                found.append((int(np.argmax(flags)), rule))

        located = said.located
        if self._geometry.has_extended_l2:
            invalid = ~said.compressed & units.subclusters_invalid(rows[:, 1], located)
            # Of an entry that would be of data with a data file, COPIED is at fault as well.
            lost = invalid & ~located & units.is_copied(entry)
            broken("l2/subcluster-bitmap", invalid & ~lost)
            broken("l2/subcluster-unallocated", lost)
            located = located & ~invalid
        if self._geometry.version == c.QCOW2_MIN_VERSION:
            broken("l2/zero-in-v2", said.zero)
        if self._data_file:
            broken("l2/compressed-data-file", said.compressed)
        broken("l2/cluster-offset", located & (said.offset & np.uint64(self.cluster_size - 1) != 0))
        if self._data_file:
            broken("l2/data-file-offset", located & (said.offset != guest))
        if not found:
            return
        index, rule = min(found, key=lambda each: each[0])
        at, value = int(places[index]), int(entry[index])
        if rule.startswith("l2/subcluster"):
            at, value = at + Table.ENTRY_SIZE, int(rows[index, 1])
        self.refuse(rule, at, value, "l2_entry")


def _uniform(bitmap: Entries) -> Flags:
    """Whether all subclusters of a cluster are of one kind."""
    alloc, zeros = units.subclusters(bitmap)
    every = np.uint64(c.QCOW_OFLAG_SUB_ALLOC_RANGE)
    none = np.uint64(0)
    alike: Flags = ((alloc == none) | (alloc == every)) & ((zeros == none) | (zeros == every))
    return alike
