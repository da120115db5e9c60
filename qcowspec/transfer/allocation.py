"""Where the clusters of a new qcow2 image go, and the tables that say so.

In: the clusters of a disk that have data, in guest order. Out: their host offsets; tables, written
as soon as they are complete, so that memory does not grow with the disk. Refuses: more refcounts
than QEMU reads.

The header has the first cluster. Data follow in guest order, each L2 table after the data that it
maps, each refcount block after the clusters that it counts; then come the L1 table, the last
refcount blocks, and the refcount table.

Source: block/qcow2-refcount.c: qcow2_alloc_bytes, for payloads that share a host cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from qcow_parsers import constants as c

from qcowspec.errors import Unsupported
from qcowspec.spec import encoding
from qcowspec.transfer.new_image import NewImage

Write = Callable[[int, bytes], None]
"""Writes bytes at a host offset."""

ENTRY = ">u8"


class Allocation:
    """The tables of a new image, filled from front to back; not thread-safe.

    Attributes:
        l1: Entries of the L1 table, shape (n,), dtype big-endian uint64.
    """

    def __init__(self, size: int, wanted: NewImage, write: Write) -> None:
        """Begin with the header's cluster.

        Args:
            size: Bytes of the disk.
            wanted: What the image is like.
            write: Writes tables that are complete.

        Raises:
            ValueError: The disk is too large for this cluster size.
        """
        wanted.check_size(size)
        self._wanted, self._geometry, self._write = wanted, wanted.geometry, write
        self._cluster = self._geometry.cluster_size
        self._words = self._geometry.l2_entry_size // c.L2E_SIZE_NORMAL
        self.l1 = np.zeros(wanted.tables(size), ENTRY)
        self._l2 = np.zeros(self._words << self._geometry.l2_bits, ENTRY)
        self._l2_index = -1
        self._next = 1  # the first cluster that is free
        self._packed = 0  # where the last payload ended, if its cluster has room; or 0
        self._blocks: list[int] = []  # offsets of the refcount blocks that are written
        self._base = 0  # the first cluster that the open refcount block counts
        self._per_block = self._geometry.refcount_block_entries
        self._most = (1 << self._geometry.refcount_bits) - 1
        self._counts = np.zeros(
            2 * self._per_block, np.uint64 if self._most > 0xFFFF else np.uint16
        )
        self._counts[0] = 1

    # --- data -------------------------------------------------------------------------------------

    def place(self, first: int, lengths: Sequence[int]) -> list[int]:
        """Give places to neighbouring clusters of the disk, and note them in their L2 tables.

        Args:
            first: Number of the first of these guest clusters.
            lengths: For each its payload's bytes; -1 if it is stored as it is, 0 if it is zeros.

        Returns:
            Their host offsets, in bytes; 0 for zeros.
        """
        return [self._place(first + index, length) for index, length in enumerate(lengths)]

    def _place(self, guest: int, length: int) -> int:
        if length == 0:
            return 0
        table, entry = divmod(guest, 1 << self._geometry.l2_bits)
        if table != self._l2_index:
            self._close_table()
            self._l2_index = table
        if length < 0:
            offset = self._whole()
            word = encoding.located(offset)
        else:
            offset = self._payload(length)
            word = encoding.compressed(offset, length, self._wanted.cluster_bits)
        self._l2[entry * self._words] = word
        if self._words > 1 and length < 0:
            self._l2[entry * self._words + 1] = encoding.ALL_SUBCLUSTERS
        return offset

    def _whole(self) -> int:
        """A cluster of its own; its offset."""
        if self._next >= self._base + self._per_block:
            self._close_block()
        number = self._next
        self._next += 1
        self._counts[number - self._base] = 1
        return number * self._cluster

    def _payload(self, length: int) -> int:
        """Room for a payload: after the last one if it fits there, or in the next cluster."""
        offset = self._packed
        ends = self._next * self._cluster
        within = self._cluster - offset % self._cluster if offset else 0
        grows = bool(offset) and offset + within == ends  # the next cluster follows
        if not offset or (length > within and not grows) or self._is_full(offset):
            offset, within = ends, 0
        if (
            offset + length > ends
            and offset + length > (self._base + self._per_block) * self._cluster
        ):
            self._close_block()  # which takes the next cluster
            offset = self._next * self._cluster
        last = (offset + length - 1) // self._cluster
        for number in range(offset // self._cluster, last + 1):
            self._counts[number - self._base] += 1
        self._next = max(self._next, last + 1)
        end = offset + length
        self._packed = end if end % self._cluster else 0
        return offset

    def _is_full(self, offset: int) -> bool:
        """Whether the cluster at an offset has as many references as a refcount can count."""
        return int(self._counts[offset // self._cluster - self._base]) >= self._most

    # --- tables -----------------------------------------------------------------------------------

    def _close_table(self) -> None:
        """Write the L2 table that is open, if there is one."""
        if self._l2_index < 0:
            return
        offset = self._whole()
        self._write(offset, self._l2.tobytes())
        self.l1[self._l2_index] = encoding.located(offset)
        self._l2[:] = 0

    def _close_block(self) -> None:
        """Write the open refcount block, in the next cluster, which the one after it counts."""
        offset = self._next * self._cluster
        self._next += 1
        self._packed = 0
        self._counts[offset // self._cluster - self._base] = 1
        self._put_block(offset)

    def _put_block(self, offset: int) -> None:
        counts, rest = self._counts[: self._per_block], self._counts[self._per_block :]
        self._write(offset, encoding.refcounts(counts, self._wanted.refcount_order))
        self._blocks.append(offset)
        self._counts = np.concatenate((rest, np.zeros(self._per_block, rest.dtype)))
        self._base += self._per_block

    def finish(self) -> dict[str, int]:
        """Write all tables that are left.

        Returns:
            The header's fields that locate them, and ``end``, the bytes of the file.

        Raises:
            Unsupported: QEMU reads no refcount table that is so large.
        """
        self._close_table()
        l1_offset = self._run(self._geometry.clusters(self.l1.nbytes))
        if l1_offset:
            self._write(l1_offset, self.l1.tobytes())
        table, blocks = self._left()
        if table * self._cluster > c.QCOW_MAX_REFTABLE_SIZE:
            raise Unsupported("would have a larger refcount table than QEMU reads")
        first = self._next
        table_offset = self._run(table)
        offsets = [self._run(1) for _ in range(blocks)]
        assert self._next == first + table + blocks
        for offset in offsets:
            self._put_block(offset)
        entries = np.zeros(table * self._cluster // c.REFTABLE_ENTRY_SIZE, ENTRY)
        entries[: len(self._blocks)] = self._blocks
        self._write(table_offset, entries.tobytes())
        return {
            "l1_size": len(self.l1),
            "l1_table_offset": l1_offset,
            "refcount_table_offset": table_offset,
            "refcount_table_clusters": table,
            "end": self._next * self._cluster,
        }

    def _run(self, clusters: int) -> int:
        """Neighbouring clusters at the end, counted once each; their offset, or 0 for none."""
        first = self._next
        self._next += clusters
        room = self._next - self._base - len(self._counts)
        if room > 0:
            more = -(-room // self._per_block) * self._per_block
            self._counts = np.concatenate((self._counts, np.zeros(more, self._counts.dtype)))
        self._counts[first - self._base : self._next - self._base] = 1
        return first * self._cluster if clusters else 0

    def _left(self) -> tuple[int, int]:
        """Clusters of the refcount table, and blocks to be written; both count themselves."""
        table = blocks = 0
        while True:
            more = -(-(self._next + table + blocks) // self._per_block) - len(self._blocks)
            longer = self._geometry.clusters((len(self._blocks) + more) * c.REFTABLE_ENTRY_SIZE)
            if (longer, more) == (table, blocks):
                return table, blocks
            table, blocks = max(longer, table), max(more, blocks)
