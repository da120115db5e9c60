"""The refcounts that are stored in the image.

In: the refcount table and a source. Out: refcounts as arrays, by cluster. Refuses: nothing: the
clusters whose refcount QEMU cannot read are `unreadable`.

Source: docs/interop/qcow2, Host cluster management; block/qcow2-refcount.c: qcow2_get_refcount.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from qcowspec.check.arrays import Counts, Flags, Numbers, Words
from qcowspec.sources.batches import read_tables
from qcowspec.sources.source import Source
from qcowspec.spec.decoding import refcount_rows
from qcowspec.spec.entries import Frame, RefcountTableEntries
from qcowspec.spec.entry_rules import (
    on_cluster,
    refcounts_block_read,
    unreserved,
)
from qcowspec.spec.metadata import Table
from qcowspec.spec.units import BITS_PER_BYTE, Geometry

BATCH = 1 << 20
"""Bytes of blocks that are held at a time."""


class StoredRefcounts:
    """The refcount table, and the blocks that it locates, read when they are asked for.

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
        decoded = RefcountTableEntries(self.entries, Frame(geometry))
        self.offsets, self.reserved = decoded.offset, ~unreserved(decoded)
        self.unaligned = ~on_cluster(decoded) & ~self.reserved
        self.unreadable = ~refcounts_block_read(decoded)
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
        per, last = self.per_block, first + len(out)
        low, high = first // per, min(len(self.offsets), -(-last // per))
        chosen = self._held(np.arange(low, max(low, high)))
        for part, counts in self._blocks(chosen):
            for row, index in enumerate(chosen[part].tolist()):
                start, end = index * per, index * per + per
                left, right = max(start, first), min(end, last)
                out[left - first : right - first] = counts[row, left - start : right - start]

    def lookup(self, clusters: Numbers) -> tuple[Words, Flags]:
        """The refcounts of clusters anywhere.

        Args:
            clusters: Their numbers, shape (n,).

        Returns:
            Their refcounts, and which of them can be read.
        """
        values, known = np.zeros(len(clusters), np.uint64), self.readable(clusters)
        index = clusters // self.per_block
        wanted = known & (index < len(self.offsets))
        asked = index[wanted]
        if len(asked) > 1:  # NumPy loads its masked arrays for this, which takes 20 ms
            asked = np.unique(asked)
        blocks = self._held(asked)
        for part, counts in self._blocks(blocks):
            here = blocks[part]
            row = np.searchsorted(here, index)
            row[row == len(here)] = 0
            hit = wanted & (here[row] == index)
            values[hit] = counts[row[hit], clusters[hit] % self.per_block]
        return values, known

    def readable(self, clusters: Numbers) -> Flags:
        """Which clusters have a refcount that QEMU can read: 0 where there is no block."""
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
        for part, counts in self._blocks(order):
            for row, index in enumerate(order[part].tolist()):
                skip = max(0, clusters - index * per)
                used = np.flatnonzero(counts[row, skip:]) + skip
                if len(used):
                    yield weights[part.start + row], index * per + used, counts[row, used]

    def place(self, index: int, entry: int) -> int:
        """Host offset of the first byte of a refcount."""
        bits = self.geometry.refcount_bits
        return int(self.offsets[index]) + entry * bits // BITS_PER_BYTE

    def _blocks(self, indices: Numbers) -> Iterator[tuple[slice, Counts]]:
        """The refcounts of some blocks, by their indices; see `read_tables`."""
        size = self.geometry.cluster_size
        for part, rows in read_tables(self._source, self.offsets[indices], size, batch=BATCH):
            yield part, refcount_rows(rows, self.geometry.refcount_order)

    def _held(self, indices: Numbers) -> Numbers:
        """Those entries whose block has bytes in the file; any other one is all zeros."""
        offsets = self.offsets[indices]
        there = (offsets != 0) & (offsets < np.uint64(self._source.length))
        held: Numbers = indices[there & ~self.unreadable[indices]]
        return held
