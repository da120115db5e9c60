"""The refcounts that stand in the image.

In: the refcount table and a source. Out: refcounts as arrays, by cluster. Refuses: nothing: where
QEMU cannot read a block it is told which clusters that leaves in the dark.

Source: docs/interop/qcow2, Host cluster management; block/qcow2-refcount.c: qcow2_get_refcount.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from qcowspec.sources.batches import read_tables
from qcowspec.sources.source import Source
from qcowspec.spec.decoding import WHOLE_BYTES
from qcowspec.spec.entries import Frame, RefcountTableEntries
from qcowspec.spec.entry_rules import (
    refcounts_block_offset,
    refcounts_block_read,
    refcounts_reserved,
)
from qcowspec.spec.metadata import Table
from qcowspec.spec.units import BITS_PER_BYTE, Geometry

Counts = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]

BATCH = 1 << 20
"""Bytes of blocks that are held at a time."""


class StoredRefcounts:
    """The refcount table, and the blocks behind it, read when they are asked for.

    Attributes:
        geometry: The image's sizes.
        count: Entries of the refcount table.
        entries: The refcount table, shape (entries,), dtype ``uint64``.
        offsets: Host offsets of the blocks, in bytes; 0 where there is none.
        reserved: Which entries have reserved bits.
        unaligned: Which others locate no cluster boundary.
        located: The offsets, but for those of these two kinds of entries: 0.
        unreadable: Which blocks QEMU fails to read.
        dtype: The type of a refcount.
        most: The highest refcount that an entry can hold.
    """

    def __init__(self, source: Source, geometry: Geometry, table: Table) -> None:
        """Take the refcount table.

        Args:
            source: The image file.
            geometry: Its sizes.
            table: The refcount table, as far as the file goes.
        """
        self._source, self.geometry, self.count = source, geometry, table.count
        self.entries = table.array().astype(np.uint64)
        said = RefcountTableEntries(self.entries, Frame(geometry))
        self.offsets, self.reserved = said.offset, ~refcounts_reserved(said)
        self.unaligned = ~refcounts_block_offset(said) & ~self.reserved
        self.unreadable = ~refcounts_block_read(said)
        self.located = np.where(self.reserved | self.unaligned, np.uint64(0), self.offsets)
        self.dtype = np.dtype(f"u{max(1, geometry.refcount_bits // BITS_PER_BYTE)}")
        self.most = (1 << geometry.refcount_bits) - 1

    @property
    def per_block(self) -> int:
        """Refcounts in a block."""
        return self.geometry.refcount_block_entries

    def load(self, first: int, out: Counts) -> None:
        """Fill an array of zeros with the refcounts of neighbouring clusters.

        Args:
            first: The number of the first cluster.
            out: Shape (clusters,), dtype `dtype`, all zeros.
        """
        per, behind = self.per_block, first + len(out)
        low, high = first // per, min(len(self.offsets), -(-behind // per))
        chosen = self._held(np.arange(low, max(low, high)))
        size = self.geometry.cluster_size
        for part, rows in read_tables(self._source, self.offsets[chosen], size, batch=BATCH):
            counts = self.unpacked(rows)
            for row, index in enumerate(chosen[part].tolist()):
                start, end = index * per, index * per + per
                left, right = max(start, first), min(end, behind)
                out[left - first : right - first] = counts[row, left - start : right - start]

    def lookup(self, clusters: Numbers) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
        """The refcounts of clusters anywhere.

        Args:
            clusters: Their numbers, shape (n,).

        Returns:
            Their refcounts, and which of them can be read.
        """
        values, known = np.zeros(len(clusters), np.uint64), self.readable(clusters)
        index = clusters // self.per_block
        wanted = known & (index < len(self.offsets))
        blocks = self._held(np.unique(index[wanted]))
        size = self.geometry.cluster_size
        for part, rows in read_tables(self._source, self.offsets[blocks], size, batch=BATCH):
            counts, here = self.unpacked(rows), blocks[part]
            row = np.searchsorted(here, index)
            row[row == len(here)] = 0
            hit = wanted & (here[row] == index)
            values[hit] = counts[row[hit], clusters[hit] % self.per_block]
        return values, known

    def readable(self, clusters: Numbers) -> npt.NDArray[np.bool_]:
        """Of which clusters QEMU can read the refcount, were it 0 for want of a block."""
        known = np.ones(len(clusters), bool)
        if self.unreadable.any():
            index = clusters // self.per_block
            within = index < len(self.offsets)
            known[within] = ~self.unreadable[index[within]]
        return known

    def past(self, clusters: int) -> Iterator[tuple[int, Numbers, Counts]]:
        """Refcounts that are not zero, of clusters that the file does not have.

        Args:
            clusters: How many clusters it has.

        Yields:
            How often a block counts, the clusters, and their refcounts, block by block.
        """
        per = self.per_block
        blocks = self._held(np.arange(clusters // per, len(self.offsets)))
        # Many entries may point at one block: it is read once, and counts for each of them.
        whole = blocks[blocks * per >= clusters]
        _, at, times = np.unique(self.offsets[whole], return_index=True, return_counts=True)
        split = blocks[blocks * per < clusters]
        order = np.concatenate([split, whole[at]])
        weights = [1] * len(split) + times.tolist()
        size = self.geometry.cluster_size
        for part, rows in read_tables(self._source, self.offsets[order], size, batch=BATCH):
            counts = self.unpacked(rows)
            for row, index in enumerate(order[part].tolist()):
                skip = max(0, clusters - index * per)
                used = np.flatnonzero(counts[row, skip:]) + skip
                if len(used):
                    yield weights[part.start + row], index * per + used, counts[row, used]

    def place(self, index: int, entry: int) -> int:
        """Host offset of the byte that a refcount stands in, or starts in."""
        bits = self.geometry.refcount_bits
        return int(self.offsets[index]) + entry * bits // BITS_PER_BYTE

    def unpacked(self, rows: npt.NDArray[np.uint8]) -> Counts:
        """Refcounts of blocks, shape (blocks, bytes) to (blocks, refcounts)."""
        order = self.geometry.refcount_order
        if order >= WHOLE_BYTES:
            return rows.view(f">u{1 << (order - WHOLE_BYTES)}")
        if order == 0:
            return np.unpackbits(rows, axis=1, bitorder="little")
        bits = 1 << order
        shifts = np.arange(0, BITS_PER_BYTE, bits, dtype=np.uint8)
        spread = rows[:, :, None] >> shifts & np.uint8((1 << bits) - 1)
        return spread.reshape(len(rows), -1)

    def _held(self, indices: Numbers) -> Numbers:
        """Those entries whose block has bytes in the file; any other one is all zeros."""
        offsets = self.offsets[indices]
        there = (offsets != 0) & (offsets < np.uint64(self._source.length))
        held: Numbers = indices[there & ~self.unreadable[indices]]
        return held
