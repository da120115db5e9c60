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
from qcowspec.mapping.volume import Volume, number_of
from qcowspec.metadata import Table

Flags = npt.NDArray[np.bool_]
Found = list[tuple[str, Flags]]
SUBCLUSTER_RULES = "l2/subcluster"
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

    TABLE_RULE = "l2/table-offset"

    def unlocated(self, offsets: Offsets) -> Flags:
        """See `TableMapping.unlocated`."""
        unaligned: Flags = offsets & np.uint64(self.cluster_size - 1) != 0
        return unaligned

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
        found = self._judge(entry, places, guest, compressed, zero, host, normal, None)
        kinds = np.full(len(entry), self._absent, np.uint8)
        kinds[normal] = Kind.DATA
        kinds[zero] = Kind.ZERO
        kinds[compressed] = Kind.COMPRESSED
        placed = compressed | normal
        lengths = np.full(len(entry), self.cluster_size, np.uint64)
        where = np.where(placed, hosts, np.uint64(NOWHERE))
        return self._lost(Extents(kinds, guest, lengths, where, payload), rows, guest, found)

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
        found = self._judge(entry, places, guest, compressed, none, host, normal, (invalid, bitmap))
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
        extents = Extents(
            kinds.ravel()[kept],
            (guest[:, None] + within).ravel()[kept],
            lengths.ravel()[kept],
            np.where(placed, where, np.uint64(NOWHERE)).ravel()[kept],
            np.repeat(payload[:, None], SUBCLUSTERS, axis=1).ravel()[kept],
        )
        return self._lost(extents, rows, guest, found)

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
    ) -> Found:
        """Refuse the first entry, in guest order, for which QEMU fails the read.

        Returns:
            In a salvage, which refuses nothing, the rules that are broken, and by which entries.
        """
        found: Found = []

        def broken(rule: str, flags: Flags) -> None:
            if flags.any():
                found.append((rule, flags))

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
        if not found or self._volume.salvage:
            return found
        firsts = [(int(np.argmax(flags)), rule) for rule, flags in found]
        index, rule = min(firsts, key=lambda each: each[0])
        at, value = int(places[index]), int(entry[index])
        if subclusters is not None and rule.startswith("l2/subcluster"):
            at, value = at + Table.ENTRY_SIZE, int(subclusters[1][index])
        raise self._volume.error(rule, at, value, "l2_entry")

    def _lost(self, extents: Extents, rows: Entries, guest: Offsets, found: Found) -> Extents:
        """The same with what is broken marked as lost: a cluster, or some of its subclusters."""
        if not found:
            return extents
        of = np.searchsorted(guest, extents.offsets, side="right") - 1
        kinds, hosts = extents.kinds.copy(), extents.hosts.copy()
        payloads = extents.payloads.copy()
        for rule, flags in reversed(found):  # of several, the first counts
            lost = flags[of]
            if rule.startswith(SUBCLUSTER_RULES):
                lost &= self._contradicted(extents.offsets - guest[of], rows[of])
            kinds[lost], hosts[lost], payloads[lost] = Kind.LOST, NOWHERE, number_of(rule)
        return Extents(kinds, extents.offsets, extents.lengths, hosts, payloads)

    def _contradicted(self, within: Offsets, rows: Entries) -> Flags:
        """Whether the subclusters at some offsets in their clusters are those that are at fault."""
        bit = np.uint64(1) << within // np.uint64(self.cluster_size // SUBCLUSTERS)
        alloc = rows[:, 1] & bit != 0
        zero = rows[:, 1] >> np.uint64(SUBCLUSTERS) & bit != 0
        located = units.l2_offset(rows[:, 0]) != 0
        if self._data_file:
            located |= rows[:, 0] & np.uint64(c.QCOW_OFLAG_COPIED) != 0
        contradicted: Flags = alloc & (zero | ~located)
        return contradicted
