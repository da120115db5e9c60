"""Leaked clusters against the tables that could have referenced them: was a mapping lost?

In: an image's layout, and leaks. Out: findings, and a `Looked`: what was looked at.
Refuses: to look into more leaked clusters than a bound.

A writer that was killed leaves leaks. So does a table that was wiped, and then the leaked clusters
are the only copy of what it mapped: a repair would free them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.arrays import Flags, Numbers, Words
from qcowspec.check.findings import Fault
from qcowspec.check.l1 import l1_words
from qcowspec.check.layout import Layout
from qcowspec.check.regions import L1Table
from qcowspec.sources.batches import read_tables
from qcowspec.spec.entries import Frame, L2Entries
from qcowspec.spec.entry_rules import l2_cluster_offset, l2_reserved
from qcowspec.spec.rules import BY_ID

BATCH = 1 << 20
"""Bytes of tables, or of leaked clusters, that are held at a time."""

LOOKED_INTO = 64 << 20
"""Bytes of leaked clusters that are read at most: is one of them a table?"""

SECTOR = c.BDRV_SECTOR_SIZE // c.L2E_SIZE_NORMAL
"""Words of a table in a sector: disks lose no less."""

ABOUT = 2
"""A part of a table may be lost if no less than one in so many of its entries can have leaked."""


@dataclass(slots=True)
class Looked:
    """What was read to find out what leaks mean.

    Attributes:
        leaked_clusters: Leaked clusters, those past the end of the file among them.
        leaked_clusters_past_end: Those past the end of the file.
        leaked_clusters_unreferenced: Those of the others that nothing references.
        leaked_clusters_read: How many of these were read: is one of them a table?
        leaked_clusters_zero: How many of these hold nothing but zeros.
        l1_tables: L1 tables.
        l1_entries: Their entries.
        l1_entries_zero: Those of them that are zero.
        l2_tables: L2 tables.
        found: The rules that were found broken.
    """

    leaked_clusters: int
    leaked_clusters_past_end: int = 0
    leaked_clusters_unreferenced: int = 0
    leaked_clusters_read: int = 0
    leaked_clusters_zero: int = 0
    l1_tables: int = 0
    l1_entries: int = 0
    l1_entries_zero: int = 0
    l2_tables: int = 0
    found: set[str] = field(default_factory=set)

    @property
    def loss(self) -> str | None:
        """How the rules that were found broken speak of lost guest data: likely, or possible."""
        checks = [BY_ID[rule].check for rule in self.found]
        return min((check.loss for check in checks if check and check.loss), default=None)

    @property
    def held(self) -> int:
        """Leaked clusters that may hold what was lost: those that are not known for zeros."""
        return self.leaked_clusters - self.leaked_clusters_past_end - self.leaked_clusters_zero


class Leaks:
    """Leaked clusters, as runs.

    Attributes:
        count: How many there are.
        past: How many of them lie past the end of the file.
        loose: How many of the others nothing references.
    """

    def __init__(self) -> None:
        self.count = self.past = self.loose = 0
        self._starts, self._ends, self._loose = list[Numbers](), list[Numbers](), list[Flags]()
        self._kept = 0

    def add(self, clusters: Numbers, loose: Flags) -> None:
        """Add some, rising, and which of them nothing references.

        More runs than are kept are only counted.
        """
        self.count += len(clusters)
        self.loose += int(np.count_nonzero(loose))
        if not len(clusters) or self._kept >= KEPT:
            return
        apart = (np.diff(clusters) != 1) | (loose[1:] != loose[:-1])
        starts = clusters[np.concatenate([[True], apart])]
        self._starts.append(starts)
        self._ends.append(clusters[np.concatenate([apart, [True]])] + 1)
        self._loose.append(loose[np.concatenate([[True], apart])])
        self._kept += len(starts)

    def add_past(self, clusters: Numbers) -> None:
        """Add some that lie past the end of the file."""
        self.past += len(clusters)
        self.add(clusters, np.zeros(len(clusters), bool))

    def runs(self) -> tuple[Numbers, Numbers, Flags]:
        """The first cluster of each run, the one after its last, whether it is loose; rising."""
        starts = np.concatenate([np.zeros(0, np.int64), *self._starts])
        ends = np.concatenate([np.zeros(0, np.int64), *self._ends])
        order = np.argsort(starts, kind="stable")
        loose = np.concatenate([np.zeros(0, bool), *self._loose])
        return starts[order], ends[order], loose[order]


KEPT = 1 << 20
"""Runs of leaked clusters that are kept at least, before more are only counted."""


def look(layout: Layout, leaks: Leaks) -> Looked:
    """Look for what may have referenced the leaked clusters, and report it."""
    looked = Looked(leaks.count)
    before = {group.rule.id: group.count for group in layout.findings}
    _contents(layout, leaks, looked)
    _l1_tables(layout, looked)
    _l2_tables(layout, looked)
    after = {group.rule.id: group.count for group in layout.findings}
    looked.found = {rule for rule, count in after.items() if count != before.get(rule, 0)}
    return looked


# --- tables that are empty ------------------------------------------------------------------------


def _l1_tables(layout: Layout, looked: Looked) -> None:
    tables = layout.names.tables
    for table in tables:
        if table.prefix and len(tables) > SNAPSHOTS:
            break
        words = l1_words(layout.source, layout.metadata.l1_table, table.offset, table.end)
        used = sum(int(np.count_nonzero(entries)) for _, entries in words)
        looked.l1_tables += 1
        looked.l1_entries += table.count
        looked.l1_entries_zero += table.count - used
        if not used and looked.held:
            layout.findings.add("check/l1-table-empty", 1, _empty_l1(layout, table))


SNAPSHOTS = 1 << 10
"""L1 tables that are all counted; of an image with more, and hostile, the active one alone is."""


def _empty_l1(layout: Layout, table: L1Table) -> Iterator[Fault]:
    lost = layout.lost_range(0, table.count * layout.geometry.l2_span)
    note = lost if table.active else f"{lost} of {table.prefix.removesuffix('.')}"
    for fault in table.pointer.faults(layout.source.length, table.offset):
        yield replace(fault, guest=0, note=note)


def _l2_tables(layout: Layout, looked: Looked) -> None:
    tables = layout.tables
    looked.l2_tables = len(tables)
    if not looked.held:
        return
    there = tables.offsets < np.uint64(layout.source.length)
    _report_empty(layout, np.flatnonzero(~there & (tables.offsets != 0)))
    here = np.flatnonzero(there & (tables.offsets != 0))
    size = layout.geometry.l2_table_size
    for part, rows in read_tables(layout.source, tables.offsets[here], size, batch=BATCH):
        words = rows.view(np.uint64)
        used = words.any(axis=1)
        _report_empty(layout, here[part][~used])
        if used.any():
            _parts(layout, here[part][used], words[used], ABOUT * looked.held)


def _report_empty(layout: Layout, tables: Numbers) -> None:
    """Report L2 tables that map nothing."""
    count = int((layout.tables.active + layout.tables.inactive)[tables].sum())
    layout.findings.add("check/l2-table-empty", count, _empty_l2(layout, tables))


def _empty_l2(layout: Layout, tables: Numbers) -> Iterator[Fault]:
    for table in tables.tolist():
        guest = layout.names.guest(int(layout.tables.places[table]))
        yield layout.l2_table(table, layout.lost_range(guest, guest + layout.geometry.l2_span))


def _parts(layout: Layout, tables: Numbers, words: Words, longest: int) -> None:
    """Report whole sectors of tables in use that are zero, up to so many entries."""
    sectors = words.reshape(len(words), -1, SECTOR)
    empty = ~sectors.any(axis=2)
    if not empty.any():
        return
    per_entry = layout.geometry.l2_entry_size // c.L2E_SIZE_NORMAL
    edges = np.diff(empty.astype(np.int8), axis=1, prepend=0, append=0)
    (row, first), (_, end) = np.nonzero(edges == 1), np.nonzero(edges == -1)
    # On both sides an entry in use, right at the sector's edge: what was never used ends anywhere.
    before = (first == 0) | (words[row, first * SECTOR - per_entry] != 0)
    last = words.shape[1]
    after = (end * SECTOR == last) | (words[row, np.minimum(end * SECTOR, last - 1)] != 0)
    length = (end - first) * SECTOR // per_entry
    hit = np.flatnonzero(before & after & (length <= longest))
    firsts, lengths = first[hit] * SECTOR // per_entry, length[hit]
    found = zip(tables[row[hit]].tolist(), firsts.tolist(), lengths.tolist(), strict=True)
    layout.findings.add("check/l2-entries-empty", len(hit), (_part(layout, *one) for one in found))


def _part(layout: Layout, table: int, index: int, count: int) -> Fault:
    fault = layout.l2_entry(table, index, 0)
    assert fault.guest is not None
    lost = layout.lost_range(fault.guest, fault.guest + count * layout.geometry.cluster_size)
    fault.note = f"{count} entries from there on are zero: {lost}"
    return fault


# --- tables among the leaked clusters -------------------------------------------------------------


def _contents(layout: Layout, leaks: Leaks, looked: Looked) -> None:
    """Look into leaked clusters: one that holds a table was lost together with what it maps."""
    starts, ends, loose = leaks.runs()
    size = layout.geometry.cluster_size
    clusters = _first(starts[loose], ends[loose], LOOKED_INTO // size)
    looked.leaked_clusters_read = len(clusters)
    looked.leaked_clusters_past_end, looked.leaked_clusters_unreferenced = leaks.past, leaks.loose
    offsets = clusters.astype(np.uint64) * np.uint64(size)
    for part, rows in read_tables(layout.source, offsets, size, batch=BATCH):
        words = rows.view(">u8").astype(np.uint64)
        looked.leaked_clusters_zero += int((~words.any(axis=1)).sum())
        for row, located in _tables_among(layout, words, starts, ends):
            fault = layout.places.fault(int(clusters[part][row]), located)
            fault.note = f"holds a table with {located:,} entries in use, which nothing locates"
            layout.findings.add("check/table-lost", 1, [fault])


def _first(starts: Numbers, ends: Numbers, most: int) -> Numbers:
    """The first clusters of runs, as many as are looked into."""
    lengths = np.maximum(0, ends - starts)
    before = np.cumsum(lengths) - lengths
    lengths = np.clip(most - before, 0, lengths)
    clusters: Numbers = np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
    return clusters + np.arange(len(clusters))


def _tables_among(
    layout: Layout, words: Words, starts: Numbers, ends: Numbers
) -> Iterator[tuple[int, int]]:
    """Which rows are tables by what they hold, and how many entries they have in use."""
    geometry, length = layout.geometry, np.uint64(layout.source.length)
    data_file = bool(layout.metadata.qcow2_header.has_data_file)
    bits = geometry.cluster_bits
    words = words[:, :: geometry.l2_entry_size // c.L2E_SIZE_NORMAL]
    used = words != 0
    decoded = L2Entries(words, Frame(geometry))
    host = decoded.host
    valid = l2_reserved(decoded) & l2_cluster_offset(decoded)
    valid &= (host < length) | data_file
    located = used & (host != 0)
    rows = np.flatnonzero((valid | ~used).all(axis=1) & located.any(axis=1))
    for row in rows.tolist():
        leads = (host[row][located[row]] >> np.uint64(bits)).astype(np.int64)
        index = np.searchsorted(starts, leads, side="right") - 1
        leaked = (index >= 0) & (leads < ends[np.maximum(index, 0)])
        copied = decoded.copied[row][located[row]]
        if copied.all() if data_file else int(leaked.sum()) * ABOUT >= len(leads):
            yield row, len(leads)
