"""Through an L1 table, L2 table by L2 table, for every version.

In: an L1 table and a source. Out: `Extents`. Refuses: what a subclass refuses of an entry.

What differs between the versions (how an L1 entry locates its table, what an L2 entry says) stands
in the subclasses; here is only the walk.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from qcowspec.batches import BATCH, read_tables
from qcowspec.errors import Value
from qcowspec.mapping.base import Mapping
from qcowspec.mapping.extents import NOWHERE, Extents, Offsets
from qcowspec.mapping.volume import Volume
from qcowspec.metadata import Table

Entries = npt.NDArray[np.uint64]

WINDOW = 1 << 16
"""Entries of an L1 table that are looked at together."""


class TableMapping(Mapping):
    """A mapping by two levels of tables."""

    def __init__(self, volume: Volume) -> None:
        """Take what is known; nothing is read."""
        super().__init__(volume.size, volume.geometry.cluster_size)
        self._source, self._geometry = volume.source, volume.geometry
        self._l1, self._absent, self._volume = volume.l1_table, volume.absent, volume

    # --- what the versions differ in --------------------------------------------------------------

    def table_offsets(self, entries: Entries, first: int) -> Offsets:
        """Host offsets of the L2 tables that L1 entries locate; 0 where there is none."""
        raise NotImplementedError

    def judge_tables(self, offsets: Offsets, entries: Entries, first: int) -> None:
        """Refuse L2 tables that cannot be where they are said to be."""
        raise NotImplementedError

    def decode(self, rows: Entries, places: Offsets, guest: Offsets, lengths: Offsets) -> Extents:
        """What L2 entries say.

        Args:
            rows: The entries, shape (n,) or (n, 2) with extended entries, native byte order.
            places: Host offset of each entry, shape (n,).
            guest: Guest offset of each entry's cluster, shape (n,).
            lengths: Bytes that each entry speaks for, shape (n,): see `heads`.
        """
        raise NotImplementedError

    def heads(self, rows: Entries) -> npt.NDArray[np.intp]:
        """Which entries are to be decoded: see `qcowspec.mapping.heads`; all, unless one knows."""
        return np.arange(len(rows))

    # --- the walk ---------------------------------------------------------------------------------

    def pieces(self, start: int, end: int) -> Iterator[Extents]:
        """See `Mapping.pieces`."""
        span = self._geometry.l2_span
        first, behind = start // span, -(-end // span)
        for window in range(first, behind, WINDOW):
            until = min(behind, window + WINDOW, max(self._l1.count, window))
            entries = self._entries(window, until)
            offsets = self.table_offsets(entries, window)
            yield from self._groups(offsets, entries, window, start, end)
            if until >= self._l1.count:  # nothing that follows has a table
                break
            if until >= behind:
                return
        if (rest := max(start, self._l1.count * span)) < end:
            yield self.absent(rest, end)

    def _groups(
        self, offsets: Offsets, entries: Entries, window: int, start: int, end: int
    ) -> Iterator[Extents]:
        """Stretches of L1 entries that all have a table, or all have none."""
        span, bounds = self._geometry.l2_span, np.flatnonzero(np.diff(offsets != 0)) + 1
        marks = [0, *bounds.tolist(), len(offsets)]
        for low, high in pairwise(marks):
            if low == high:
                continue
            if offsets[low]:
                yield from self._tables(offsets[low:high], entries, window, low, start, end)
            else:
                left, right = max(start, (window + low) * span), min(end, (window + high) * span)
                yield self.absent(left, right)

    def _tables(
        self, offsets: Offsets, entries: Entries, window: int, low: int, start: int, end: int
    ) -> Iterator[Extents]:
        """Extents of neighbours that all have an L2 table."""
        geometry, span = self._geometry, self._geometry.l2_span
        self.judge_tables(offsets, entries[low : low + len(offsets)], window + low)
        count, size = 1 << geometry.l2_bits, geometry.l2_table_size
        words = geometry.l2_entry_size // Table.ENTRY_SIZE
        for chosen, data in read_tables(self._source, offsets, size, batch=BATCH // 16):
            rows = data.view(">u8").astype(np.uint64).reshape(-1, words)
            begin = (window + low + chosen.start) * span
            left = max(start, begin)
            right = min(end, begin + (chosen.stop - chosen.start) * span)
            cluster = geometry.cluster_size
            from_, to = (left - begin) // cluster, -(-(right - begin) // cluster)
            first = self.heads(rows[from_:to]) + from_
            numbers = first.astype(np.uint64)
            tables = offsets[chosen][numbers // np.uint64(count)]
            places = tables + numbers % np.uint64(count) * np.uint64(geometry.l2_entry_size)
            guest = np.uint64(begin) + numbers * np.uint64(cluster)
            lengths = np.diff(first, append=to).astype(np.uint64) * np.uint64(cluster)
            yield self.decode(rows[first], places, guest, lengths).cut(left, right)

    def _entries(self, first: int, behind: int) -> Entries:
        """Some L1 entries; those that are not held are read."""
        table, size = self._l1, Table.ENTRY_SIZE
        if behind * size <= len(table.data):
            data = table.data[first * size : behind * size]
        else:
            at, length = table.offset + first * size, (behind - first) * size
            data = self._source.read_at(at, length).ljust(length, b"\0")
        return np.frombuffer(data, ">u8").astype(np.uint64)

    def absent(self, start: int, end: int) -> Extents:
        """One extent of what nothing is allocated for."""
        return Extents(
            np.array([self._absent], np.uint8),
            np.array([start], np.uint64),
            np.array([end - start], np.uint64),
            np.array([NOWHERE], np.uint64),
            np.zeros(1, np.uint32),
        )

    def refuse(self, rule: str, offset: int, value: Value, field: str) -> None:
        """Raise the error of a rule about an entry; see `Volume.error`."""
        raise self._volume.error(rule, offset, value, field)
