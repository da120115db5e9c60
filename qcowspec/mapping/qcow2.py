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

from qcowspec.mapping.extents import NOWHERE, Extents, Kind, Offsets
from qcowspec.mapping.heads import heads, runs_of_zeros
from qcowspec.mapping.l1 import Entries, TableMapping
from qcowspec.mapping.volume import Volume, number_of
from qcowspec.spec import decoding
from qcowspec.spec.metadata import Table

Flags = npt.NDArray[np.bool_]
Said = decoding.L2Fields[Entries]
Found = list[tuple[str, Flags]]
SUBCLUSTER_RULES = "l2/subcluster"
SUBCLUSTERS = c.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER


class Qcow2Mapping(TableMapping):
    """The active state, or a snapshot, of a v2 or v3 image."""

    TABLE_RULE = "l2/table-offset"

    def __init__(self, volume: Volume) -> None:
        """See `TableMapping`."""
        super().__init__(volume)
        self._data_file = volume.data_file

    def table_offsets(self, entries: Entries, first: int) -> Offsets:
        """See `TableMapping.table_offsets`."""
        return decoding.l1_offset(entries)

    def unlocated(self, offsets: Offsets) -> Flags:
        """See `TableMapping.unlocated`."""
        unaligned: Flags = offsets & np.uint64(self.cluster_size - 1) != 0
        return unaligned

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
        said = decoding.l2_fields(entry, extended=extended, data_file=self._data_file)
        bits, compressed = self._geometry.cluster_bits, said.compressed
        payload = np.where(compressed, decoding.compressed_length(entry, bits), 0).astype(np.uint32)
        hosts = np.where(compressed, decoding.compressed_offset(entry, bits), said.offset)
        if extended:
            return self._subclusters(rows, places, guest, lengths, said, hosts, payload)
        found = self._judge(rows, places, guest, said)
        kinds = np.full(len(entry), self._absent, np.uint8)
        kinds[said.normal] = Kind.DATA
        kinds[said.zero] = Kind.ZERO
        kinds[compressed] = Kind.COMPRESSED
        where = np.where(compressed | said.located, hosts, np.uint64(NOWHERE))
        extents = Extents(kinds, guest, lengths, where, payload)
        return self._lost(extents, rows, guest, said, found)

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
        found = self._judge(rows, places, guest, said)
        alloc, zeros = decoding.subclusters(rows[:, 1])
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
        extents = Extents(
            kinds,
            guest[row] + bit * size,
            np.where(whole[row], lengths[row], size),
            np.where(placed, hosts[row] + bit * size, np.uint64(NOWHERE)),
            payload[row],
        )
        return self._lost(extents, rows, guest, said, found)

    def _judge(self, rows: Entries, places: Offsets, guest: Offsets, said: Said) -> Found:
        """Refuse the first entry, in guest order, for which QEMU fails the read.

        Returns:
            In a salvage, which refuses nothing, the rules that are broken, and by which entries.
        """
        entry = rows[:, 0]
        found: Found = []

        def broken(rule: str, flags: Flags) -> None:
            if flags.any():
                found.append((rule, flags))

        located = said.located
        if self._geometry.has_extended_l2:
            invalid = ~said.compressed & decoding.subclusters_invalid(rows[:, 1], located)
            # Of an entry that would be of data with a data file, COPIED is at fault as well.
            lost = invalid & ~located & decoding.is_copied(entry)
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
        if not found or self._volume.salvage:
            return found
        firsts = [(int(np.argmax(flags)), rule) for rule, flags in found]
        index, rule = min(firsts, key=lambda each: each[0])
        at, value = int(places[index]), int(entry[index])
        if rule.startswith(SUBCLUSTER_RULES):
            at, value = at + Table.ENTRY_SIZE, int(rows[index, 1])
        raise self._volume.error(rule, at, value, "l2_entry")

    def _lost(
        self, extents: Extents, rows: Entries, guest: Offsets, said: Said, found: Found
    ) -> Extents:
        """The same with what is broken marked as lost: a cluster, or some of its subclusters."""
        if not found:
            return extents
        of = np.searchsorted(guest, extents.offsets, side="right") - 1
        kinds, hosts = extents.kinds.copy(), extents.hosts.copy()
        payloads = extents.payloads.copy()
        for rule, flags in reversed(found):  # of several, the first counts
            lost = flags[of]
            if rule.startswith(SUBCLUSTER_RULES):
                within = extents.offsets - guest[of]
                lost &= self._contradicted(within, rows[of, 1], said.located[of])
            kinds[lost], hosts[lost], payloads[lost] = Kind.LOST, NOWHERE, number_of(rule)
        return Extents(kinds, extents.offsets, extents.lengths, hosts, payloads)

    def _contradicted(self, within: Offsets, bitmap: Entries, located: Flags) -> Flags:
        """Whether the subclusters at some offsets in their clusters are those that are at fault."""
        bit = np.uint64(1) << within // np.uint64(self.cluster_size // SUBCLUSTERS)
        alloc, zeros = decoding.subclusters(bitmap)
        contradicted: Flags = (alloc & bit != 0) & ((zeros & bit != 0) | ~located)
        return contradicted


def _uniform(bitmap: Entries) -> Flags:
    """Whether all subclusters of a cluster are of one kind."""
    alloc, zeros = decoding.subclusters(bitmap)
    every = np.uint64(c.QCOW_OFLAG_SUB_ALLOC_RANGE)
    none = np.uint64(0)
    alike: Flags = ((alloc == none) | (alloc == every)) & ((zeros == none) | (zeros == every))
    return alike
