"""Leaked clusters against the tables that could have referenced them: was a mapping lost?

In: a check that has run, and found leaks. Out: findings, and a `Looked`: what was looked at.
Refuses: to look into more leaked clusters than a bound.

A writer that was killed leaves leaks. So does a table that was wiped, and then the leaked clusters
are the only copy of what it mapped: a repair would free them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.check.findings import Fault
from qcowspec.check.regions import L1Table, l1_pointer
from qcowspec.sources.batches import read_tables
from qcowspec.spec import units
from qcowspec.spec.entries import Frame, L2Entries
from qcowspec.spec.entry_rules import l2_cluster_offset, l2_reserved
from qcowspec.spec.rules import BY_ID

if TYPE_CHECKING:
    from qcowspec.check.qcow2 import Qcow2Check

Numbers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

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
    """What was looked at before anything is said of leaks.

    Attributes:
        leaked: Leaked clusters, those past the end of the file among them.
        past: Those past the end of the file.
        loose: Those of the others that nothing references.
        into: How many of these were read: is one of them a table?
        zero: How many of these hold nothing but zeros.
        l1_tables: L1 tables.
        l1_entries: Their entries.
        l1_empty: Those of them that are zero.
        l2_tables: L2 tables.
        found: The rules that were found broken.
    """

    leaked: int
    past: int = 0
    loose: int = 0
    into: int = 0
    zero: int = 0
    l1_tables: int = 0
    l1_entries: int = 0
    l1_empty: int = 0
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
        return self.leaked - self.past - self.zero


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


def look(check: Qcow2Check) -> Looked:
    """Look for what may have referenced the leaked clusters, and report it."""
    looked = Looked(check.leaks.count)
    before = {group.rule.id: group.count for group in check.findings}
    _contents(check, looked)
    _l1_tables(check, looked)
    _l2_tables(check, looked)
    after = {group.rule.id: group.count for group in check.findings}
    looked.found = {rule for rule, count in after.items() if count != before.get(rule, 0)}
    return looked


# --- tables that are empty ------------------------------------------------------------------------


def _l1_tables(check: Qcow2Check, looked: Looked) -> None:
    for table in check.names.tables:
        if table.prefix and len(check.names.tables) > SNAPSHOTS:
            break
        used = _entries_in_use(check, table)
        looked.l1_tables += 1
        looked.l1_entries += table.count
        looked.l1_empty += table.count - used
        if not used and looked.held:
            check.findings.add("check/l1-table-empty", 1, _empty_l1(check, table))


SNAPSHOTS = 1 << 10
"""L1 tables that are all counted; of an image with more, and hostile, the active one alone is."""


def _entries_in_use(check: Qcow2Check, table: L1Table) -> int:
    end = min(table.offset + table.count * c.L1E_SIZE, check.source.length)
    used = 0
    for at in range(table.offset, end, BATCH):
        data = check.source.read_at(at, min(BATCH, end - at))
        padded = data.ljust(units.align_up(len(data), c.L1E_SIZE), b"\0")
        used += int(np.count_nonzero(np.frombuffer(padded, ">u8")))
    return used


def _empty_l1(check: Qcow2Check, table: L1Table) -> Iterator[Fault]:
    place = l1_pointer(check.metadata, table).place(check.source.length)
    where = "" if table.active else f" of snapshots[{table.index}]"
    note = check.lost_range(0, table.count * check.geometry.l2_span) + where
    yield Fault(place.path, place.offset, place.value, table.offset, guest=0, note=note)


def _l2_tables(check: Qcow2Check, looked: Looked) -> None:
    tables, geometry = check.tables, check.geometry
    looked.l2_tables = len(tables)
    if not looked.held:
        return
    there = tables.offsets < np.uint64(check.source.length)
    _report_empty(check, np.flatnonzero(~there & (tables.offsets != 0)))
    here = np.flatnonzero(there & (tables.offsets != 0))
    size = geometry.l2_table_size
    for part, rows in read_tables(check.source, tables.offsets[here], size, batch=BATCH):
        words = rows.view(np.uint64)
        used = words.any(axis=1)
        _report_empty(check, here[part][~used])
        if used.any():
            _parts(check, here[part][used], words[used], ABOUT * looked.held)


def _report_empty(check: Qcow2Check, tables: Numbers) -> None:
    """Report L2 tables that map nothing."""
    both = check.tables.active + check.tables.inactive
    check.findings.add("check/l2-table-empty", int(both[tables].sum()), _empty_l2(check, tables))


def _empty_l2(check: Qcow2Check, tables: Numbers) -> Iterator[Fault]:
    for table in tables.tolist():
        place, offset = int(check.tables.places[table]), int(check.tables.offsets[table])
        guest, path = check.names.guest(place), check.names.entry(place)
        note = check.lost_range(guest, guest + check.geometry.l2_span)
        yield Fault(path, place, check.word(place), offset, guest=guest, note=note)


def _parts(check: Qcow2Check, tables: Numbers, words: Words, longest: int) -> None:
    """Report whole sectors of tables in use that are zero, up to so many entries."""
    sectors = words.reshape(len(words), -1, SECTOR)
    empty = ~sectors.any(axis=2)
    if not empty.any():
        return
    per_entry = check.geometry.l2_entry_size // c.L2E_SIZE_NORMAL
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
    check.findings.add("check/l2-entries-empty", len(hit), (_part(check, *one) for one in found))


def _part(check: Qcow2Check, table: int, index: int, count: int) -> Fault:
    bits = check.geometry.cluster_bits
    l1_entry = int(check.tables.places[table])
    guest = check.names.guest(l1_entry, index)
    place = int(check.tables.offsets[table]) + index * check.geometry.l2_entry_size
    lost = check.lost_range(guest, guest + (count << bits))
    note = f"{count} entries from there on are zero: {lost}"
    return Fault(f"{check.names.table(l1_entry)}[{index}]", place, 0, guest=guest, note=note)


# --- tables among the leaked clusters -------------------------------------------------------------


def _contents(check: Qcow2Check, looked: Looked) -> None:
    """Look into leaked clusters: one that holds a table was lost together with what it maps."""
    starts, ends, loose = check.leaks.runs()
    size = check.geometry.cluster_size
    clusters = _first(starts[loose], ends[loose], LOOKED_INTO // size)
    looked.into, looked.past, looked.loose = len(clusters), check.leaks.past, check.leaks.loose
    offsets = clusters.astype(np.uint64) * np.uint64(size)
    for part, rows in read_tables(check.source, offsets, size, batch=BATCH):
        words = rows.view(">u8").astype(np.uint64)
        looked.zero += int((~words.any(axis=1)).sum())
        for row, located in _tables_among(check, words, starts, ends):
            fault = check.places.fault(int(clusters[part][row]), located)
            fault.note = f"holds a table with {located:,} entries in use, which nothing locates"
            check.findings.add("check/table-lost", 1, [fault])


def _first(starts: Numbers, ends: Numbers, most: int) -> Numbers:
    """The first clusters of runs, as many as are looked into."""
    lengths = np.maximum(0, ends - starts)
    before = np.cumsum(lengths) - lengths
    lengths = np.clip(most - before, 0, lengths)
    clusters: Numbers = np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
    return clusters + np.arange(len(clusters))


def _tables_among(
    check: Qcow2Check, words: Words, starts: Numbers, ends: Numbers
) -> Iterator[tuple[int, int]]:
    """Which rows are tables by what they hold, and how many entries they have in use."""
    geometry, length = check.geometry, np.uint64(check.source.length)
    data_file = bool(check.metadata.qcow2_header.has_data_file)
    bits = geometry.cluster_bits
    words = words[:, :: geometry.l2_entry_size // c.L2E_SIZE_NORMAL]
    used = words != 0
    said = L2Entries(words, Frame(geometry))
    host = said.host
    sound = l2_reserved(said) & l2_cluster_offset(said)
    sound &= (host < length) | data_file
    located = used & (host != 0)
    rows = np.flatnonzero((sound | ~used).all(axis=1) & located.any(axis=1))
    for row in rows.tolist():
        leads = (host[row][located[row]] >> np.uint64(bits)).astype(np.int64)
        index = np.searchsorted(starts, leads, side="right") - 1
        leaked = (index >= 0) & (leads < ends[np.maximum(index, 0)])
        copied = said.copied[row][located[row]]
        if copied.all() if data_file else int(leaked.sum()) * ABOUT >= len(leads):
            yield row, len(leads)
