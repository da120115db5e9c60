"""Version 1: what L1 and L2 entries say.

In: entries as arrays. Out: `Extents`. Refuses: L2 tables at offsets that no file has.

Source: block/qcow.c: get_cluster_offset.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.mapping.extents import NOWHERE, Extents, Kind, Offsets
from qcowspec.mapping.heads import heads
from qcowspec.mapping.l1 import Entries, TableMapping
from qcowspec.spec import decoding


class Qcow1Mapping(TableMapping):
    """A v1 image, whose entries have no flags but one."""

    def table_offsets(self, entries: Entries, first: int) -> Offsets:
        """See `TableMapping.table_offsets`: the whole entry is the offset."""
        return entries

    TABLE_RULE = "l2/v1-table-read"

    def unlocated(self, offsets: Offsets) -> npt.NDArray[np.bool_]:
        """See `TableMapping.unlocated`."""
        return offsets > np.uint64(c.BDRV_MAX_LENGTH - self._geometry.l2_table_size)

    def heads(self, rows: Entries) -> npt.NDArray[np.intp]:
        """See `TableMapping.heads`."""
        flag = c.QCOW1_OFLAG_COMPRESSED
        return heads(rows[:, 0], self.cluster_size, compressed=flag, offset=flag - 1)

    def decode(self, rows: Entries, places: Offsets, guest: Offsets, lengths: Offsets) -> Extents:
        """See `TableMapping.decode`.

        A cluster that is not aligned to a sector is mapped, as ``qemu-img map`` shows it; whoever
        reads it refuses it.
        """
        entry = rows[:, 0]
        bits = self._geometry.cluster_bits
        compressed = entry & np.uint64(c.QCOW1_OFLAG_COMPRESSED) != 0
        kinds = np.full(len(entry), self._absent, np.uint8)
        kinds[entry != 0] = Kind.DATA
        kinds[compressed] = Kind.COMPRESSED
        hosts = np.where(compressed, decoding.v1_compressed_offset(entry, bits), entry)
        payload = np.where(compressed, decoding.v1_compressed_length(entry, bits), 0)
        return Extents(
            kinds,
            guest,
            lengths,
            np.where(entry != 0, hosts, np.uint64(NOWHERE)),
            payload.astype(np.uint32),
        )
