"""Through an L1 table, L2 table by L2 table, for every version.

In: an L1 table and a source. Out: `Extents`. Refuses: what a subclass refuses of an entry.

The subclasses decode the entries of their version; the walk is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from qcowspec.errors import QcowError, Value
from qcowspec.mapping.base import Gap, Mapping
from qcowspec.mapping.extents import Extents, Kind, Run
from qcowspec.mapping.spans import NOWHERE, Flags, Offsets
from qcowspec.mapping.volume import Volume, number_of
from qcowspec.sources.batches import BATCH, read_tables
from qcowspec.spec.entries import Frame, L1Entries, Qcow1L1Entries
from qcowspec.spec.entry_rules import HOLDS
from qcowspec.spec.metadata import Table
from qcowspec.spec.units import GuestOffset

Entries = Offsets

WINDOW = 1 << 16
"""Entries of an L1 table that are looked at together."""

BROKEN = 2
"""In a salvage, the sort of L1 entries whose table offset breaks a rule. Entries without a table
are of sort 0, the others of sort 1.
"""


class TableMapping(Mapping):
    """A mapping by two levels of tables."""

    def __init__(self, volume: Volume) -> None:
        """Take what is known; nothing is read."""
        super().__init__(volume.size, volume.geometry.cluster_size)
        self._source, self._geometry = volume.source, volume.geometry
        self._l1, self._absent, self._volume = volume.l1_table, volume.absent, volume
        self._frame = Frame(volume.geometry, volume.data_file)

    # --- what differs between the versions --------------------------------------------------------

    L1: ClassVar[type[L1Entries | Qcow1L1Entries]]
    """How L1 entries are decoded."""

    TABLE_RULE: ClassVar[str]
    """The rule about the table offset of L1 entries."""

    def decode(self, rows: Entries, places: Offsets, guest: Offsets, lengths: Offsets) -> Extents:
        """The extents of L2 entries.

        Args:
            rows: The entries, shape (n,) or (n, 2) with extended entries, native byte order.
            places: Host offset of each entry, shape (n,).
            guest: Guest offset of each entry's cluster, shape (n,).
            lengths: Guest bytes that each entry stands for, shape (n,): see `heads`.
        """
        raise NotImplementedError

    def heads(self, rows: Entries) -> npt.NDArray[np.intp]:
        """Which entries are to be decoded: see `qcowspec.mapping.heads`; by default, all."""
        return np.arange(len(rows))

    # --- the walk ---------------------------------------------------------------------------------

    def _offsets(self, entries: Entries) -> Offsets:
        """Host offsets of the L2 tables that L1 entries locate; 0 where there is none."""
        offsets: Offsets = self.L1(entries, self._frame).offset
        return offsets

    def _unlocated(self, offsets: Offsets) -> Flags:
        """Which L2 tables break the rule about their offset."""
        unlocated: Flags = ~HOLDS[self.TABLE_RULE](self.L1(offsets, self._frame))
        return unlocated

    def pieces(self, start: int, end: int) -> Iterator[Extents]:
        """See `Mapping.pieces`."""
        span = self._geometry.l2_span
        first, stop = start // span, -(-end // span)
        for window in range(first, stop, WINDOW):
            until = min(stop, window + WINDOW, max(self._l1.count, window))
            entries = self._entries(window, until)
            offsets = self._offsets(entries)
            yield from self._groups(offsets, entries, window, start, end)
            if until >= self._l1.count:  # nothing that follows has a table
                break
            if until >= stop:
                return
        if (rest := max(start, self._l1.count * span)) < end:
            if self._volume.unmapped is not None:
                yield self._all(Kind.LOST, rest, end)
            else:
                yield self.absent(rest, end)

    def _groups(
        self, offsets: Offsets, entries: Entries, window: int, start: int, end: int
    ) -> Iterator[Extents]:
        """Stretches of L1 entries that all have a table, or all have none."""
        span, sorts = self._geometry.l2_span, (offsets != 0).astype(np.uint8)
        if self._volume.salvage:
            sorts[self._unlocated(offsets)] = BROKEN
        bounds = np.flatnonzero(np.diff(sorts)) + 1
        marks = [0, *bounds.tolist(), len(offsets)]
        for low, high in pairwise(marks):
            if low == high:
                continue
            left, right = max(start, (window + low) * span), min(end, (window + high) * span)
            if sorts[low] == BROKEN:
                yield self._all(Kind.LOST, left, right, number_of(self.TABLE_RULE))
            elif offsets[low]:
                yield from self._tables(offsets[low:high], entries, window, low, start, end)
            else:
                yield self.absent(left, right)

    def _tables(
        self, offsets: Offsets, entries: Entries, window: int, low: int, start: int, end: int
    ) -> Iterator[Extents]:
        """Extents of neighbours that all have an L2 table."""
        geometry, span = self._geometry, self._geometry.l2_span
        self._judge_tables(offsets, entries[low : low + len(offsets)], window + low)
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

    def _judge_tables(self, offsets: Offsets, entries: Entries, first: int) -> None:
        """Refuse the first L2 table that breaks the rule about its offset."""
        if (wrong := self._unlocated(offsets)).any():
            index = int(np.argmax(wrong))
            at = self._l1.offset + (first + index) * Table.ENTRY_SIZE
            self.refuse(self.TABLE_RULE, at, int(entries[index]), f"l1_table[{first + index}]")

    def _entries(self, first: int, stop: int) -> Entries:
        """Some L1 entries; read, unless opening has read them."""
        table, size = self._l1, Table.ENTRY_SIZE
        if stop * size <= len(table.data):
            data = table.data[first * size : stop * size]
        else:
            at, length = table.offset + first * size, (stop - first) * size
            data = self._source.read_at(at, length).ljust(length, b"\0")
        return np.frombuffer(data, ">u8").astype(np.uint64)

    def absent(self, start: int, end: int) -> Extents:
        """One extent of what is not allocated."""
        return self._all(self._absent, start, end)

    def _all(self, kind: Kind, start: int, end: int, number: int = 0) -> Extents:
        """One extent without a host offset."""
        return Extents.of([Run(kind, GuestOffset(start), end - start, None, number)])

    # --- what is lost -----------------------------------------------------------------------------

    def why(self, run: Run) -> QcowError | None:
        """See `Mapping.why`."""
        strict = type(self)(self._volume._replace(salvage=False, unmapped=None))
        try:
            for _ in strict.runs(run.offset, min(run.length, self.cluster_size)):
                pass
        except QcowError as error:
            return error
        return self._volume.unmapped

    def without_entries(self) -> Iterator[Gap]:
        """See `Mapping.without_entries`."""
        length, span = self._source.length, self._geometry.l2_span
        held = min(self._l1.count, max(0, length - self._l1.offset) // Table.ENTRY_SIZE)
        missing = [
            (length, NOWHERE, True),
            *((start, end, False) for start, end in self._source.unreadable),
        ]
        for window in range(0, held, WINDOW):
            offsets = self._offsets(self._entries(window, min(held, window + WINDOW)))
            offsets[self._unlocated(offsets)] = 0
            for start, end, is_cut in missing:
                for number, first, stop in self._within(offsets, start, end):
                    at = (window + number) * span
                    low, high = at + first * self.cluster_size, at + stop * self.cluster_size
                    yield from self._gap(low, high, is_cut)
        for start, end, is_cut in missing:
            first, stop = (edge - self._l1.offset for edge in (start, end))
            low, high = max(0, first // Table.ENTRY_SIZE), -(-stop // Table.ENTRY_SIZE)
            yield from self._gap(low * span, min(high, self._l1.count) * span, is_cut)

    def _within(self, offsets: Offsets, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """The L2 tables that overlap a range of the file: the index, and the range of entries."""
        size, entry = self._geometry.l2_table_size, self._geometry.l2_entry_size
        reaches = (offsets != 0) & (offsets < np.uint64(end))
        reaches &= offsets > np.uint64(max(0, start - size))
        for number in np.flatnonzero(reaches).tolist():
            at = int(offsets[number])
            yield number, max(0, start - at) // entry, -(-min(size, end - at) // entry)

    def _gap(self, start: int, end: int, is_cut: bool) -> Iterator[Gap]:
        if start < (end := min(end, self.size)):
            yield Gap(start, end, is_cut)

    def refuse(self, rule: str, offset: int, value: Value, field: str) -> None:
        """Raise the error of a rule about an entry; see `Volume.error`."""
        raise self._volume.error(rule, offset, value, field)
