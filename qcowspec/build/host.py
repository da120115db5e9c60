"""The image file as it grows: clusters handed out in order, and counted.

In: bytes to be placed. Out: their offsets, and at last the refcount structures. Refuses: more
references than a refcount of the chosen width can count, and images larger than `LARGEST`.

Source: docs/interop/qcow2, Host cluster management.
"""

from __future__ import annotations

from collections import Counter

from qcow_parsers import constants as c

from qcowspec.build.layouts import structure
from qcowspec.errors import Invalid
from qcowspec.spec.units import BITS_PER_BYTE, HostOffset, align_up

LARGEST = 256 << 20
"""Bytes of an image that is built here at most: the whole of it is kept in memory."""


class Host:
    """The clusters of an image file.

    Attributes:
        cluster_size: Bytes of a cluster.
        data: The file so far, whole clusters.
        counts: References to each cluster, by its index.
    """

    def __init__(self, cluster_bits: int, refcount_order: int) -> None:
        self.cluster_size = 1 << cluster_bits
        self.data = bytearray()
        self.counts: Counter[int] = Counter()
        self._order = refcount_order
        self._most = (1 << (1 << refcount_order)) - 1
        self._packed = 0  # where the last compressed cluster ended

    def reserve(self, length: int, references: int = 1) -> HostOffset:
        """Hand out new clusters, zeros so far; for no bytes there are none, which is offset 0."""
        if length == 0:
            return HostOffset(0)
        offset = self._grow(length)
        self._count(offset, length, references)
        return offset

    def place(self, data: bytes, references: int = 1) -> HostOffset:
        """Put bytes into new clusters of their own."""
        offset = self.reserve(len(data), references)
        self.write(offset, data)
        return offset

    def pack(self, data: bytes, references: int) -> HostOffset:
        """Put a compressed cluster where the last one ended, as QEMU does."""
        start = HostOffset(self._packed)
        room = -start % self.cluster_size
        is_last = start + room == len(self.data)
        is_full = self.counts[start // self.cluster_size] + references > self._most
        if not room or is_full or (room < len(data) and not is_last):
            start = self._grow(len(data))
        elif room < len(data):
            self._grow(len(data) - room)
        self.write(start, data)
        self._count(start, len(data), references)
        self._packed = start + len(data)
        return start

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes into clusters that are there already."""
        self.data[offset : offset + len(data)] = data

    def finish(self) -> tuple[HostOffset, int]:
        """Append the refcount table and its blocks, which count themselves as well.

        Returns:
            Offset of the table, and its length in clusters.
        """
        blocks, table = self._refcount_clusters()
        offset = self.reserve(table * self.cluster_size)
        first = self.reserve(blocks * self.cluster_size)
        for index in range(blocks):
            block = first + index * self.cluster_size
            sectors = block // c.BDRV_SECTOR_SIZE
            entry = structure("qcow2::refcount_table_entry", {"offset_sectors": sectors})
            self.write(offset + index * c.REFTABLE_ENTRY_SIZE, entry)
            self.write(block, self._refcounts(index))
        return offset, table

    @property
    def _block_entries(self) -> int:
        return self.cluster_size * BITS_PER_BYTE >> self._order

    def _grow(self, length: int) -> HostOffset:
        offset = len(self.data)
        whole = align_up(length, self.cluster_size)
        if offset + whole > LARGEST:
            raise Invalid(f"the image would be larger than {LARGEST} bytes", stage="build")
        self.data += bytes(whole)
        return HostOffset(offset)

    def _count(self, offset: int, length: int, references: int) -> None:
        last = (offset + length - 1) // self.cluster_size
        for cluster in range(offset // self.cluster_size, last + 1):
            self.counts[cluster] += references
            if self.counts[cluster] > self._most:
                raise Invalid(
                    f"{self.counts[cluster]} references do not fit {1 << self._order} bits",
                    stage="build",
                    field="refcount_order",
                    value=self._order,
                )

    def _refcount_clusters(self) -> tuple[int, int]:
        """How many clusters the refcount blocks and the refcount table take."""
        used, entries = len(self.data) // self.cluster_size, self._block_entries
        blocks = table = 1
        while blocks * entries < used + blocks + table:
            blocks = -(-(used + blocks + table) // entries)
            table = -(-blocks * c.REFTABLE_ENTRY_SIZE // self.cluster_size)
        return blocks, table

    def _refcounts(self, index: int) -> bytes:
        """The used beginning of a refcount block; the rest of it is zeros."""
        first = index * self._block_entries
        used = len(self.data) // self.cluster_size - first
        # Narrow refcounts share bytes, and a byte is written whole.
        written = min(self._block_entries, align_up(used, BITS_PER_BYTE))
        counts = [self.counts[first + i] for i in range(written)]
        return structure("qcow2::refcount_block", {"entries": counts}, self._order)
