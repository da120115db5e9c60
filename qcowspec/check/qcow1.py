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
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.check.figures import Figures
from qcowspec.check.findings import Fault, Findings, Owned, Progress
from qcowspec.check.places import Pointer
from qcowspec.sources.batches import read_tables
from qcowspec.sources.source import Source
from qcowspec.spec import units
from qcowspec.spec.entries import Frame, Qcow1L2Entries
from qcowspec.spec.entry_rules import v1_cluster_offset
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.units import whole_sectors

Numbers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

BATCH = 256 << 10
"""Bytes of L2 tables that are held at a time."""

PIECE = 1 << 20
"""Bytes of the L1 table that are read at once."""

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
        ends: Host offsets behind their last bytes.
        tables: Index of the L1 entry that they are about; -1 where `index` is one of `names`.
        index: Index of the L2 entry; -1 for the L2 table itself.
        names: Paths of the structures that stand in no L2 table.
    """

    starts: list[Numbers] = field(default_factory=list)
    ends: list[Numbers] = field(default_factory=list)
    tables: list[Numbers] = field(default_factory=list)
    index: list[Numbers] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def add(self, starts: Numbers, ends: Numbers, tables: Numbers, index: Numbers) -> None:
        """Add some."""
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
        progress: Progress | None = None,
        *,
        deep: bool = False,
    ) -> None:
        """Take what opening read; see `Qcow2Check`. Compressed clusters are inflated if `deep`."""
        assert metadata.geometry is not None
        assert metadata.header is not None
        assert metadata.l1_table is not None
        self.metadata, self.source, self.geometry = metadata, source, metadata.geometry
        self.findings, self.figures, self._progress = findings, Figures(), progress
        findings.step = self.geometry.cluster_size
        self.figures.total_clusters = self.geometry.clusters(whole_sectors(metadata.header.size))
        self.pieces, self._deep = Pieces(), deep
        self._entries_of_l1 = metadata.l1_table.count

    def run(self) -> None:
        """Check everything."""
        table, backing = self.metadata.l1_table, self.metadata.backing
        assert table is not None
        self.pieces.add_one("header", 0, c.QCOW1_HEADER_SIZE)
        if backing is not None:
            behind = backing.offset + backing.length
            self.pieces.add_one("backing_file_name", backing.offset, behind)
        self.pieces.add_one("l1_table", table.offset, table.offset + table.length)
        if table.offset >= self.source.length and table.length:
            self.findings.add("check/v1-past-end", 1, [self._named("l1_table")])
        for places, offsets in self._l2_tables():
            self._tables(places, offsets)
        self._overlaps()
        self.figures.corruptions = sum(
            group.count for group in self.findings if group.effect == "corruption"
        )

    # --- tables -----------------------------------------------------------------------------------

    def _l2_tables(self) -> Iterator[tuple[Numbers, Words]]:
        """Indices of the L1 entries that locate L2 tables in the file, and where."""
        table = self.metadata.l1_table
        assert table is not None
        behind = min(table.offset + table.length, self.source.length)
        for at in range(table.offset, behind, PIECE):
            data = self.source.read_at(at, min(PIECE, behind - at))
            padded = data.ljust(units.align_up(len(data), c.QCOW1_TABLE_ENTRY_SIZE), b"\0")
            entries = np.frombuffer(padded, ">u8").astype(np.uint64)
            index = np.flatnonzero(entries)
            first = (at - table.offset) // c.QCOW1_TABLE_ENTRY_SIZE
            past = index[entries[index] >= np.uint64(self.source.length)]
            some = ((first + one, int(entries[one])) for one in past.tolist())
            where = table.offset
            faults = (
                Fault(
                    f"l1_table[{one}]",
                    where + one * c.QCOW1_TABLE_ENTRY_SIZE,
                    value,
                    value,
                    guest=one * self.geometry.l2_span,
                )
                for one, value in some
            )
            self.findings.add("check/v1-past-end", len(past), faults)
            index = index[entries[index] < np.uint64(self.source.length)]
            yield first + index, entries[index]

    def _tables(self, places: Numbers, offsets: Words) -> None:
        size, starts = self.geometry.l2_table_size, offsets.astype(np.int64)
        self.pieces.add(starts, starts + size, places, np.full(len(places), -1))
        for part, rows in read_tables(self.source, offsets, size, batch=BATCH):
            self._entries(places[part], starts[part], rows.view(">u8").astype(np.uint64))
            if self._progress is not None:
                self._progress("tables", int(places[part.stop - 1]) + 1, self._entries_of_l1)

    def _entries(self, places: Numbers, starts: Numbers, values: Words) -> None:
        """Judge the entries of some L2 tables, and note what they locate."""
        width = c.QCOW1_TABLE_ENTRY_SIZE
        row, index = np.nonzero(values)
        entry = values[row, index]
        said = Qcow1L2Entries(entry, Frame(self.geometry))
        compressed = said.compressed
        start = said.host.astype(np.int64)
        size = self.geometry.cluster_size
        end = start + np.where(compressed, said.csize.astype(np.int64), size)
        past = start >= self.source.length
        unaligned = ~v1_cluster_offset(said)
        judged = [("check/v1-past-end", past), ("l2/v1-cluster-offset", unaligned)]
        if self._deep:
            judged.append(("l2/v1-compressed-data", self._unsound(compressed, start, end)))
        for rule, broken in judged:
            hit = np.flatnonzero(broken)
            faults = (
                Fault(
                    f"l2_tables[{places[row[one]]}][{index[one]}]",
                    int(starts[row[one]] + index[one] * width),
                    int(entry[one]),
                    int(start[one]),
                    guest=self._guest(int(places[row[one]]), int(index[one])),
                )
                for one in hit.tolist()
            )
            self.findings.add(rule, len(hit), faults)
        plain = ~compressed
        follows = (start[plain][1:] == end[plain][:-1]) & (row[plain][1:] == row[plain][:-1])
        squeezed = int(compressed.sum())
        self.figures.allocated_clusters += len(entry)
        self.figures.compressed_clusters += squeezed
        apart = (row[plain][1:] == row[plain][:-1]) & ~follows
        self.figures.fragmented_clusters += squeezed + int(apart.sum())
        # Neighbours of one table are one piece.
        first = np.flatnonzero(np.concatenate([[True], ~follows])) if plain.any() else row[:0]
        last = np.concatenate([first[1:] - 1, [int(plain.sum()) - 1]]) if len(first) else first
        for chosen, begin, stop in ((plain, first, last), (compressed, None, None)):
            where, behind = start[chosen], end[chosen]
            table, which = places[row[chosen]], index[chosen]
            if begin is not None:
                where, behind, table, which = where[begin], behind[stop], table[begin], which[begin]
            kept = where < self.source.length
            self.pieces.add(where[kept], behind[kept], table[kept], which[kept])

    def _unsound(self, compressed: Flags, start: Numbers, end: Numbers) -> Flags:
        """The compressed clusters that do not inflate."""
        from qcowspec.check.deep import unsound

        hit = np.flatnonzero(compressed)
        payloads = list(zip(start[hit].tolist(), (end - start)[hit].tolist(), strict=True))
        broken: Flags = np.zeros(len(start), bool)
        broken[hit[unsound(self.source, payloads, self.geometry.cluster_size)]] = True
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

        def where(piece: int) -> tuple[int, int]:
            return int(tables[piece]), int(index[piece])

        faults = (
            self._overlap(where(one), where(other), int(starts[one]))
            for one, other in zip(hit.tolist(), under.tolist(), strict=True)
        )
        self.findings.add("check/v1-overlap", len(hit), faults)
        self.figures.image_end_offset = int(reach[-1]) if len(reach) else 0

    def _overlap(self, one: tuple[int, int], other: tuple[int, int], start: int) -> Fault:
        """A piece that begins at `start`, in another one."""
        (table, index), owners = one, (self._owned(*one), self._owned(*other))
        if table < 0:
            return replace(self._named(self.pieces.names[index]), cluster=start, owners=owners)
        offset, path, width = self._l1_entry(table), f"l1_table[{table}]", c.QCOW1_TABLE_ENTRY_SIZE
        if index >= 0:
            offset, path = self._word(offset) + index * width, f"l2_tables[{table}][{index}]"
        guest = self._guest(table, max(0, index))
        return Fault(path, offset, self._word(offset), start, guest=guest, owners=owners)

    def _owned(self, table: int, index: int) -> Owned:
        if table < 0:
            return Owned(self.pieces.names[index])
        if index < 0:
            return Owned(f"l2_tables[{table}]")
        return Owned(f"l2_tables[{table}][{index}]", self._guest(table, index))

    def _named(self, name: str) -> Fault:
        """The fault at the field of the header that locates a structure."""
        part = self.metadata.header_part
        assert part is not None
        place = Pointer(lambda: part, FIELDS[name]).place(self.source.length)
        return Fault(place.path, place.offset, place.value, place.value)

    def _guest(self, table: int, index: int) -> int:
        """Guest offset of what an L2 entry maps."""
        return table * self.geometry.l2_span + index * self.geometry.cluster_size

    def _l1_entry(self, index: int) -> int:
        table = self.metadata.l1_table
        assert table is not None
        return table.offset + index * c.QCOW1_TABLE_ENTRY_SIZE

    def _word(self, offset: int) -> int:
        """The entry of a table at a host offset."""
        width = c.QCOW1_TABLE_ENTRY_SIZE
        return int.from_bytes(self.source.read_at(offset, width).ljust(width, b"\0"), "big")
