"""The check of version 1, of which QEMU has none: what lies where, and on what.

In: an opened image. Out: `Figures` and `Findings`. Refuses: nothing.

Version 1 has no refcounts: its structures lie anywhere, to the byte, and all that can be wrong is
that one lies on another, or where the file is not. Pieces are kept as arrays, neighbours as one.

Source: block/qcow.c: qcow_open, get_cluster_offset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.arrays import Flags, Numbers, Words
from qcowspec.check.figures import Figures
from qcowspec.check.findings import Fault, Findings, Owned, Progress, silent
from qcowspec.check.l1 import Names
from qcowspec.check.regions import L1Table, header_field
from qcowspec.sources.batches import read_tables, read_words, word_at
from qcowspec.sources.source import Source
from qcowspec.spec.entries import Frame, Qcow1L2Entries
from qcowspec.spec.entry_rules import v1_cluster_offset
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.units import whole_sectors

BATCH = 256 << 10
"""Bytes of L2 tables that are held at a time."""

ENTRY = c.QCOW1_TABLE_ENTRY_SIZE

FIELDS = {
    "header": "magic",
    "backing_file_name": "backing_file_offset",
    "l1_table": "l1_table_offset",
}
"""Which field of the header locates each structure that has a name."""


@dataclass(slots=True)
class Pieces:
    """Parts of the file that belong to something: where they start and end, and their paths.

    Attributes:
        starts: Host offsets of their first bytes, an array a batch.
        ends: Host offsets of their ends.
        tables: Index of the L1 entry that they are about; -1 where `index` is one of `names`.
        index: Index of the L2 entry; -1 for the L2 table itself.
        names: Paths of the structures that no L1 or L2 entry locates.
    """

    starts: list[Numbers] = field(default_factory=list)
    ends: list[Numbers] = field(default_factory=list)
    tables: list[Numbers] = field(default_factory=list)
    index: list[Numbers] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def add(self, starts: Numbers, ends: Numbers, tables: Numbers, index: Numbers) -> None:
        """Add pieces."""
        self.starts.append(starts)
        self.ends.append(ends)
        self.tables.append(tables)
        self.index.append(index)

    def add_one(self, name: str, start: int, end: int) -> None:
        """Add a structure that has a name."""
        if end > start:
            number = np.array([len(self.names)])
            self.names.append(name)
            self.add(np.array([start]), np.array([end]), np.array([-1]), number)


class Qcow1Check:
    """One check of one image of version 1."""

    def __init__(
        self,
        metadata: Metadata,
        source: Source,
        findings: Findings,
        progress: Progress = silent,
        *,
        deep: bool = False,
    ) -> None:
        """Take what opening read; see `Layout`. Compressed clusters are inflated if `deep`."""
        assert metadata.geometry is not None
        assert metadata.header is not None
        assert metadata.l1_table is not None
        self.metadata, self.source, self.geometry = metadata, source, metadata.geometry
        self.findings, self.figures, self._progress = findings, Figures(), progress
        findings.step = self.geometry.cluster_size
        self.figures.total_clusters = self.geometry.clusters(whole_sectors(metadata.header.size))
        self.pieces, self._deep = Pieces(), deep
        self.table, pointer = metadata.l1_table, header_field(metadata, FIELDS["l1_table"])
        l1 = L1Table("", self.table.offset, self.table.count, True, pointer)
        self.names = Names([l1], self.geometry)

    def run(self) -> None:
        """Check everything."""
        table, backing = self.table, self.metadata.backing
        self.pieces.add_one("header", 0, c.QCOW1_HEADER_SIZE)
        if backing is not None:
            end = backing.offset + backing.length
            self.pieces.add_one("backing_file_name", backing.offset, end)
        self.pieces.add_one("l1_table", table.offset, table.offset + table.length)
        if table.offset >= self.source.length and table.length:
            self.findings.add("check/v1-past-end", 1, [self._named("l1_table")])
        for places, offsets in self._l2_tables():
            self._tables(places, offsets)
        self._overlaps()
        self.figures.corruptions = self.findings.count("corruption")

    # --- tables -----------------------------------------------------------------------------------

    def _l2_tables(self) -> Iterator[tuple[Numbers, Words]]:
        """Indices of the L1 entries that locate L2 tables in the file, and where."""
        start, length = self.table.offset, np.uint64(self.source.length)
        for at, entries in read_words(self.source, start, start + self.table.length):
            index = np.flatnonzero(entries)
            past = index[entries[index] >= length]
            places, values = (at + past * ENTRY).tolist(), entries[past].tolist()
            faults = map(self.names.l1_fault, places, values, values)
            self.findings.add("check/v1-past-end", len(past), faults)
            index = index[entries[index] < length]
            yield (at - start) // ENTRY + index, entries[index]

    def _tables(self, places: Numbers, offsets: Words) -> None:
        size, starts = self.geometry.l2_table_size, offsets.astype(np.int64)
        self.pieces.add(starts, starts + size, places, np.full(len(places), -1))
        for part, rows in read_tables(self.source, offsets, size, batch=BATCH):
            self._entries(places[part], starts[part], rows.view(">u8").astype(np.uint64))
            self._progress("tables", int(places[part.stop - 1]) + 1, self.table.count)

    def _entries(self, places: Numbers, starts: Numbers, values: Words) -> None:
        """Judge the entries of some L2 tables, and note what they locate."""
        row, index = np.nonzero(values)
        entry = values[row, index]
        decoded = Qcow1L2Entries(entry, Frame(self.geometry))
        compressed = decoded.compressed
        start = decoded.host.astype(np.int64)
        size = self.geometry.cluster_size
        end = start + np.where(compressed, decoded.csize.astype(np.int64), size)
        judged = [
            ("check/v1-past-end", start >= self.source.length),
            ("l2/v1-cluster-offset", ~v1_cluster_offset(decoded)),
        ]
        if self._deep:
            broken = self._not_inflated(compressed, start, end)
            judged.append(("l2/v1-compressed-data", broken))
        l1_entries = self.table.offset + places * ENTRY
        for rule, broken in judged:
            hit = np.flatnonzero(broken)
            columns = (l1_entries[row[hit]], starts[row[hit]], index[hit], entry[hit], start[hit])
            faults = map(self.names.l2_fault, *(column.tolist() for column in columns))
            self.findings.add(rule, len(hit), faults)
        plain = ~compressed
        together = row[plain][1:] == row[plain][:-1]
        follows = (start[plain][1:] == end[plain][:-1]) & together
        squeezed = int(compressed.sum())
        self.figures.allocated_clusters += len(entry)
        self.figures.compressed_clusters += squeezed
        self.figures.fragmented_clusters += squeezed + int((together & ~follows).sum())
        # Neighbours of one table are one piece.
        begins = np.concatenate([[True], ~follows])[: plain.sum()]
        ends = np.concatenate([~follows, [True]])[: plain.sum()]
        first, last = np.flatnonzero(plain)[begins], np.flatnonzero(plain)[ends]
        for low, high in ((first, last), (np.flatnonzero(compressed),) * 2):
            kept = start[low] < self.source.length
            low, high = low[kept], high[kept]
            self.pieces.add(start[low], end[high], places[row[low]], index[low])

    def _not_inflated(self, compressed: Flags, start: Numbers, end: Numbers) -> Flags:
        """The compressed clusters that do not inflate."""
        from qcowspec.check.deep import not_inflated

        hit = np.flatnonzero(compressed)
        payloads = list(zip(start[hit].tolist(), (end - start)[hit].tolist(), strict=True))
        broken: Flags = np.zeros(len(start), bool)
        broken[hit[not_inflated(self.source, payloads, self.geometry.cluster_size)]] = True
        return broken

    # --- what lies on what ------------------------------------------------------------------------

    def _overlaps(self) -> None:
        """Pieces that begin before an earlier one ends."""
        pieces = self.pieces
        starts, ends = np.concatenate(pieces.starts), np.concatenate(pieces.ends)
        tables, index = np.concatenate(pieces.tables), np.concatenate(pieces.index)
        order = np.argsort(starts, kind="stable")
        starts, ends, tables, index = starts[order], ends[order], tables[order], index[order]
        reach = np.maximum.accumulate(ends)
        hit = np.flatnonzero(starts[1:] < reach[:-1]) + 1
        # The earlier piece that reaches farthest: the first of those that the reach is taken from.
        under = np.searchsorted(reach, reach[hit - 1])
        columns = (tables[hit], index[hit], tables[under], index[under], starts[hit])
        faults = map(self._overlap, *(column.tolist() for column in columns))
        self.findings.add("check/v1-overlap", len(hit), faults)
        self.figures.image_end_offset = int(reach[-1]) if len(reach) else 0

    def _overlap(
        self, table: int, index: int, other_table: int, other_index: int, start: int
    ) -> Fault:
        """A piece that begins at `start`, in another one."""
        place, names = self.table.offset + table * ENTRY, self.names
        if table < 0:
            fault = self._named(self.pieces.names[index])
        elif index < 0:
            fault = names.l1_fault(place, word_at(self.source, place), start)
        else:
            offset = word_at(self.source, place)
            value = word_at(self.source, offset + index * ENTRY)
            fault = names.l2_fault(place, offset, index, value)
        owners = self._owner(table, index), self._owner(other_table, other_index)
        return replace(fault, cluster=start, owners=owners)

    def _owner(self, table: int, index: int) -> Owned:
        if table < 0:
            return Owned(self.pieces.names[index])
        place = self.table.offset + table * ENTRY
        return self.names.l2_owner(place, index) if index >= 0 else Owned(self.names.table(place))

    def _named(self, name: str) -> Fault:
        """The fault at the field of the header that locates a structure."""
        field = header_field(self.metadata, FIELDS[name])
        fault = next(field.faults(self.source.length))
        return replace(fault, cluster=fault.value)
