"""What the structures and table entries of an image of version 1 claim of the image file.

In: the metadata of an image. Out: `Claims` on a stretch of the file. Refuses: nothing; what lies
past the end of the file claims nothing.
"""

from __future__ import annotations

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.arrays import Numbers, Words
from qcowspec.check.claims import FARTHEST, ClusterClaims
from qcowspec.check.explain import BATCH
from qcowspec.check.tiles import Claims, Kind
from qcowspec.sources.batches import read_tables, read_words
from qcowspec.sources.source import Source
from qcowspec.spec.entries import Frame, Qcow1L1Entries, Qcow1L2Entries
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.units import whole_sectors


class Qcow1Claims(ClusterClaims):
    """The claims of an image of version 1."""

    def __init__(self, metadata: Metadata, source: Source, *, deep: bool = False) -> None:
        """Take what opening read."""
        assert metadata.geometry is not None
        assert metadata.header is not None
        super().__init__(source, metadata.geometry, deep=deep, zstd=False)
        self._metadata = metadata
        self._disk = min(whole_sectors(metadata.header.size), FARTHEST)

    def fill(self, claims: Claims) -> None:
        """See `Claimant`."""
        metadata, geometry = self._metadata, self.geometry
        claims.add_one(Kind.HEADER, 0, c.QCOW1_HEADER_SIZE)
        if metadata.backing is not None:
            start = metadata.backing.offset
            claims.add_one(Kind.BACKING_FILE_NAME, start, start + metadata.backing.length)
        table = metadata.l1_table
        if table is None:
            return
        start, end = table.offset, table.offset + table.length
        claims.add_one(Kind.L1_TABLE, start, min(end, FARTHEST))
        for at, words in read_words(self.source, start, end):
            offsets = Qcow1L1Entries(words, Frame(geometry)).offset
            # A table that several entries locate is of use as far as the first of them reaches.
            offsets, index = np.unique(offsets, return_index=True)
            held = (offsets != 0) & (offsets < np.uint64(self.source.length))
            offsets, index = offsets[held], index[held]
            starts = offsets.astype(np.int64)
            claims.add(Kind.L2_TABLE, starts, starts + geometry.l2_table_size)
            base = ((at - start) // c.QCOW1_TABLE_ENTRY_SIZE + index) * geometry.l2_span
            size = geometry.l2_table_size
            for part, rows in read_tables(self.source, offsets, size, batch=BATCH):
                self._entries(claims, base[part], rows.view(">u8").astype(np.uint64))

    def _entries(self, claims: Claims, base: Numbers, values: Words) -> None:
        """Claim what the entries of some L2 tables locate."""
        row, index = np.nonzero(values)
        guest = base[row] + (index << self.geometry.cluster_bits)
        view = Qcow1L2Entries(values[row, index], Frame(self.geometry))
        everyone = np.ones(len(row), bool)
        left = np.maximum(self._disk - guest, 0)
        self._clusters(claims, view, left, (everyone, ~everyone))
