"""Version 1: L1 and L2 entries to extents.

In: entries as arrays. Out: `Extents`. Refuses: L2 tables at offsets that no file has.

Source: block/qcow.c: get_cluster_offset.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qcowspec.mapping.extents import Extents, Kind
from qcowspec.mapping.heads import heads
from qcowspec.mapping.l1 import Entries, TableMapping
from qcowspec.mapping.spans import NOWHERE, Offsets
from qcowspec.spec.decoding import v1_l2_placed
from qcowspec.spec.entries import Qcow1L1Entries, Qcow1L2Entries


class Qcow1Mapping(TableMapping):
    """A v1 image, whose entries have only one flag."""

    L1, TABLE_RULE = Qcow1L1Entries, "l2/v1-table-read"

    def heads(self, rows: Entries) -> npt.NDArray[np.intp]:
        """See `TableMapping.heads`."""
        return heads(rows[:, 0], self.cluster_size, v1_l2_placed)

    def decode(self, rows: Entries, places: Offsets, guest: Offsets, lengths: Offsets) -> Extents:
        """See `TableMapping.decode`.

        A cluster that is not aligned to a sector is mapped, as ``qemu-img map`` shows it; reading
        it is refused.
        """
        entries = Qcow1L2Entries(rows[:, 0], self._frame)
        compressed, data = entries.compressed, entries.data
        kinds = np.full(len(rows), self._absent, np.uint8)
        kinds[data] = Kind.DATA
        kinds[compressed] = Kind.COMPRESSED
        hosts = entries.host.copy()
        hosts[~(data | compressed)] = NOWHERE
        payload = (entries.csize * compressed).astype(np.uint32)
        return Extents(kinds, guest, lengths, hosts, payload)
