"""Versions 2 and 3: L1 and L2 entries to extents.

In: entries as arrays. Out: `Extents`. Refuses: entries for which QEMU fails a read, by the rule
that it checks first.

Source: docs/interop/qcow2, Cluster mapping; block/qcow2-cluster.c: qcow2_get_host_offset;
block/qcow2.h: qcow2_get_cluster_type, qcow2_get_subcluster_type.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.mapping.extents import Extents, Kind
from qcowspec.mapping.heads import heads, runs_of_zeros
from qcowspec.mapping.l1 import Entries, TableMapping
from qcowspec.mapping.spans import NOWHERE, Flags, Offsets
from qcowspec.mapping.volume import number_of
from qcowspec.spec.decoding import EVERY_SUBCLUSTER, L2_ZERO, l2_placed
from qcowspec.spec.entries import L1Entries, L2Entries
from qcowspec.spec.metadata import Table
from qcowspec.spec.rules import met_when_located

Found = list[tuple[str, Flags]]
SUBCLUSTER_RULES = "l2/subcluster"
SUBCLUSTERS = c.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER


class Qcow2Mapping(TableMapping):
    """The active state, or a snapshot, of a v2 or v3 image."""

    L1, TABLE_RULE = L1Entries, "l2/table-offset"

    def heads(self, rows: Entries) -> npt.NDArray[np.intp]:
        """See `TableMapping.heads`; of extended entries, only those that are 0 are skipped."""
        if self._geometry.has_extended_l2:
            return runs_of_zeros(rows)
        return heads(rows[:, 0], self.cluster_size, l2_placed, empty=L2_ZERO)

    def decode(self, rows: Entries, places: Offsets, guest: Offsets, lengths: Offsets) -> Extents:
        """See `TableMapping.decode`."""
        bitmap = rows[:, 1] if self._geometry.has_extended_l2 else 0
        entries = L2Entries(rows[:, 0], self._frame, guest, bitmap)
        found, compressed = self._judge(entries, places), entries.compressed
        payload = (entries.csize * compressed).astype(np.uint32)
        hosts = entries.host.copy()
        hosts[~(compressed | entries.located)] = NOWHERE
        if entries.extended:
            extents = self._subclusters(entries, lengths, hosts, payload)
        else:
            kinds = np.full(len(rows), self._absent, np.uint8)
            kinds[entries.data] = Kind.DATA
            kinds[entries.zero] = Kind.ZERO
            kinds[compressed] = Kind.COMPRESSED
            extents = Extents(kinds, guest, lengths, hosts, payload)
        return self._lost(extents, entries, found)

    def _subclusters(
        self,
        entries: L2Entries,
        lengths: Offsets,
        hosts: Offsets,
        payload: npt.NDArray[np.uint32],
    ) -> Extents:
        """Extents of images with extended L2 entries: one a subcluster, or one a cluster.

        A compressed cluster is one extent, and so is one whose subclusters are all alike.
        """
        compressed, located, guest = entries.compressed, entries.located, entries.guest
        alloc, zeros = entries.allocated_subclusters, entries.zero_subclusters
        whole = compressed | _uniform(alloc) & _uniform(zeros)
        # One row a cluster, one column a subcluster; bit 0 is the first of them.
        shifts = np.arange(SUBCLUSTERS, dtype=np.uint64)
        kept = np.broadcast_to(~whole[:, None], (len(whole), SUBCLUSTERS)).copy()
        kept[:, 0] = True
        row, column = np.nonzero(kept)
        bit = shifts[column]
        kinds = np.full(len(row), self._absent, np.uint8)
        kinds[(alloc[row] >> bit & np.uint64(1)).astype(np.bool_) & located[row]] = Kind.DATA
        kinds[(zeros[row] >> bit & np.uint64(1)).astype(np.bool_)] = Kind.ZERO
        kinds[compressed[row]] = Kind.COMPRESSED
        size = np.uint64(self.cluster_size // SUBCLUSTERS)
        # In an allocated cluster a subcluster without data has a host offset too, as in QEMU.
        placed = (compressed | located)[row]
        return Extents(
            kinds,
            guest[row] + bit * size,
            np.where(whole[row], lengths[row], size),
            np.where(placed, hosts[row] + bit * size, np.uint64(NOWHERE)),
            payload[row],
        )

    def _judge(self, entries: L2Entries, places: Offsets) -> Found:
        """Refuse the first entry, in guest order, for which QEMU fails the read.

        Returns:
            In a salvage, which refuses nothing, the broken rules and the entries that break them:
            for each entry, the first that QEMU checks.
        """
        found: Found = []
        sound: Flags = np.ones(len(places), bool)
        for rule, holds in met_when_located("qcow2::l2_entry", self._geometry.version):
            broken = sound & ~holds(entries)
            if broken.any():
                found.append((rule, broken))
                sound &= ~broken
        if not found or self._volume.salvage:
            return found
        index, rule = min((int(np.argmax(broken)), rule) for rule, broken in found)
        at, value = int(places[index]), int(entries.words[index])
        if rule.startswith(SUBCLUSTER_RULES):
            at, value = at + Table.ENTRY_SIZE, int(entries.bitmap[index])
        raise self._volume.error(rule, at, value, "l2_entry")

    def _lost(self, extents: Extents, entries: L2Entries, found: Found) -> Extents:
        """The same with broken clusters, or some of their subclusters, marked as lost."""
        if not found:
            return extents
        of = np.searchsorted(entries.guest, extents.offsets, side="right") - 1
        kinds, hosts = extents.kinds.copy(), extents.hosts.copy()
        payloads = extents.payloads.copy()
        for rule, broken in found:
            lost = broken[of]
            if rule.startswith(SUBCLUSTER_RULES):
                lost &= self._contradicted(extents.offsets - entries.guest[of], entries, of)
            kinds[lost], hosts[lost], payloads[lost] = Kind.LOST, NOWHERE, number_of(rule)
        return Extents(kinds, extents.offsets, extents.lengths, hosts, payloads)

    def _contradicted(self, within: Offsets, entries: L2Entries, of: npt.NDArray[np.intp]) -> Flags:
        """Whether the subclusters at some offsets in their clusters break a rule."""
        bit = np.uint64(1) << within // np.uint64(self.cluster_size // SUBCLUSTERS)
        alloc, zeros = entries.allocated_subclusters[of], entries.zero_subclusters[of]
        contradicted: Flags = (alloc & bit != 0) & ((zeros & bit != 0) | ~entries.located[of])
        return contradicted


def _uniform(subclusters: Entries) -> Flags:
    """Whether the bits of all subclusters of a cluster are equal."""
    alike: Flags = (subclusters == 0) | (subclusters == np.uint64(EVERY_SUBCLUSTER[0]))
    return alike
