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
from qcowspec.mapping.heads import heads
from qcowspec.mapping.l1 import Entries, TableMapping
from qcowspec.mapping.volume import Volume
from qcowspec.metadata import Table

Flags = npt.NDArray[np.bool_]
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
        """See `TableMapping.heads`; extended entries have too much to say."""
        if self._geometry.has_extended_l2:
            return super().heads(rows)
        flag, mask = c.QCOW_OFLAG_COMPRESSED, c.L2E_OFFSET_MASK
        return heads(rows[:, 0], self.cluster_size, compressed=flag, offset=mask)

    def decode(self, rows: Entries, places: Offsets, guest: Offsets) -> Extents:
        """See `TableMapping.decode`."""
        entry = rows[:, 0]
        host = units.l2_offset(entry)
        compressed = entry & np.uint64(c.QCOW_OFLAG_COMPRESSED) != 0
        normal = (host != 0) & ~compressed
        if self._data_file:  # a cluster may lie at offset 0; COPIED tells it from an empty entry
            normal |= (entry & np.uint64(c.QCOW_OFLAG_COPIED) != 0) & ~compressed
        bits = self._geometry.cluster_bits
        payload = np.where(compressed, units.compressed_length(entry, bits), 0).astype(np.uint32)
        hosts = np.where(compressed, units.compressed_offset(entry, bits), host)
        if self._geometry.has_extended_l2:
            return self._subclusters(rows, places, guest, compressed, normal, hosts, payload)
        zero = (entry & np.uint64(c.QCOW_OFLAG_ZERO) != 0) & ~compressed
        self._judge(entry, places, guest, compressed, zero, host, normal, None)
        kinds = np.full(len(entry), self._absent, np.uint8)
        kinds[normal] = Kind.DATA
        kinds[zero] = Kind.ZERO
        kinds[compressed] = Kind.COMPRESSED
        placed = compressed | normal
        lengths = np.full(len(entry), self.cluster_size, np.uint64)
        return Extents(kinds, guest, lengths, np.where(placed, hosts, np.uint64(NOWHERE)), payload)

    def _subclusters(
        self,
        rows: Entries,
        places: Offsets,
        guest: Offsets,
        compressed: Flags,
        normal: Flags,
        hosts: Offsets,
        payload: npt.NDArray[np.uint32],
    ) -> Extents:
        """Extents of images with extended L2 entries: one a subcluster, but for compressed ones."""
        entry, bitmap = rows[:, 0], rows[:, 1]
        alloc = bitmap & np.uint64(c.QCOW_OFLAG_SUB_ALLOC_RANGE)
        zeros = bitmap >> np.uint64(SUBCLUSTERS)
        none = np.zeros(len(entry), np.bool_)
        invalid = np.where(normal, alloc & zeros != 0, alloc != 0) & ~compressed
        host = units.l2_offset(entry)
        self._judge(entry, places, guest, compressed, none, host, normal, (invalid, bitmap))
        # One row a cluster, one column a subcluster; bit 0 is the first of them.
        shifts = np.arange(SUBCLUSTERS, dtype=np.uint64)
        is_alloc = (alloc[:, None] >> shifts & np.uint64(1)).astype(np.bool_)
        is_zero = (zeros[:, None] >> shifts & np.uint64(1)).astype(np.bool_)
        kinds = np.full(is_zero.shape, self._absent, np.uint8)
        kinds[is_alloc & normal[:, None]] = Kind.DATA
        kinds[is_zero] = Kind.ZERO
        kinds[compressed] = Kind.COMPRESSED
        size = np.uint64(self.cluster_size // SUBCLUSTERS)
        within = shifts * size
        where = hosts[:, None] + np.where(compressed[:, None], np.uint64(0), within)
        # In an allocated cluster a subcluster without data has its place too, as QEMU reports it.
        placed = np.broadcast_to((compressed | normal)[:, None], kinds.shape)
        lengths = np.full(kinds.shape, size, np.uint64)
        lengths[compressed, 0] = self.cluster_size  # a compressed cluster is one extent
        kept = ~np.repeat(compressed[:, None], SUBCLUSTERS, axis=1)
        kept[:, 0] = True
        kept = kept.ravel()
        return Extents(
            kinds.ravel()[kept],
            (guest[:, None] + within).ravel()[kept],
            lengths.ravel()[kept],
            np.where(placed, where, np.uint64(NOWHERE)).ravel()[kept],
            np.repeat(payload[:, None], SUBCLUSTERS, axis=1).ravel()[kept],
        )

    def _judge(
        self,
        entry: Entries,
        places: Offsets,
        guest: Offsets,
        compressed: Flags,
        zero: Flags,
        host: Offsets,
        normal: Flags,
        subclusters: tuple[Flags, Entries] | None,
    ) -> None:
        """Refuse the first entry, in guest order, for which QEMU fails the read."""
        found: list[tuple[int, str]] = []

        def broken(rule: str, flags: Flags) -> None:
            if flags.any():
                found.append((int(np.argmax(flags)), rule))

        invalid = np.zeros(len(entry), np.bool_)
        if subclusters is not None:
            invalid = subclusters[0]
            broken("l2/subcluster-bitmap", invalid & normal)
            broken("l2/subcluster-unallocated", invalid & ~normal)
        if self._geometry.version == c.QCOW2_MIN_VERSION:
            broken("l2/zero-in-v2", zero)
        located = normal & ~invalid
        if self._data_file:
            broken("l2/compressed-data-file", compressed)
        broken("l2/cluster-offset", located & (host & np.uint64(self.cluster_size - 1) != 0))
        if self._data_file:
            broken("l2/data-file-offset", located & (host != guest))
        if not found:
            return
        index, rule = min(found, key=lambda each: each[0])
        at, value = int(places[index]), int(entry[index])
        if subclusters is not None and rule.startswith("l2/subcluster"):
            at, value = at + Table.ENTRY_SIZE, int(subclusters[1][index])
        self.refuse(rule, at, value, "l2_entry")
