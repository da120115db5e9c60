"""L1 entries, of all L1 tables together, and the L2 tables that they locate.

In: L1 tables. Out: `L2Tables`: each table once, and how often it is referenced. Refuses: nothing.

Snapshots share most of what they have. Tables that overlap in the file, or that many entries
locate, are read once, whatever an image does to make a reader go through them again and again.

Source: block/qcow2-refcount.c: check_refcounts_l1.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import groupby
from operator import itemgetter

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.arrays import Numbers, Words
from qcowspec.check.findings import Fault, Findings, Owned
from qcowspec.check.regions import L1Table
from qcowspec.sources.batches import read_words
from qcowspec.sources.memory import Memory
from qcowspec.sources.source import Source
from qcowspec.spec import decoding
from qcowspec.spec.entries import Frame, L1Entries
from qcowspec.spec.entry_rules import HOLDS
from qcowspec.spec.metadata import Table
from qcowspec.spec.units import Geometry


@dataclass(frozen=True, slots=True)
class L2Tables:
    """L2 tables, each once, by offset.

    Attributes:
        offsets: Host offsets, shape (n,), rising.
        active: How many entries of the active L1 table locate each.
        inactive: How many entries of snapshots' L1 tables do.
        places: Host offset of an entry that does; one of the active table's, if there is one.
    """

    offsets: Words
    active: Numbers
    inactive: Numbers
    places: Numbers

    def __len__(self) -> int:
        return len(self.offsets)

    def alike(self) -> Iterator[tuple[int, int, Numbers]]:
        """Tables that are referenced equally often: by the active table, by snapshots, which."""
        if not len(self):
            return
        first = int(self.active[0]), int(self.inactive[0])
        if (self.active == first[0]).all() and (self.inactive == first[1]).all():
            yield *first, np.arange(len(self))
            return
        pairs = np.stack([self.active, self.inactive], axis=1)
        kinds, kind = np.unique(pairs, axis=0, return_inverse=True)
        order = np.argsort(kind.ravel(), kind="stable")
        bounds = np.searchsorted(kind.ravel()[order], np.arange(len(kinds) + 1))
        for index, (active, inactive) in enumerate(kinds.tolist()):
            yield active, inactive, order[bounds[index] : bounds[index + 1]]


def segments(tables: list[L1Table]) -> Iterator[tuple[int, int, int, int]]:
    """The parts of the file that L1 tables take: start, end, how many active, how many not."""
    changes = defaultdict[int, list[int]](lambda: [0, 0])
    for table in tables:
        changes[table.offset][not table.active] += 1
        changes[table.end][not table.active] -= 1
    start = active = inactive = 0
    for at, (more_active, more_inactive) in sorted(changes.items()):
        if active or inactive:
            yield start, at, active, inactive
        active, inactive, start = active + more_active, inactive + more_inactive, at


class Names:
    """The paths of L1 entries and of the L2 tables that they locate, by the entries' host offsets.

    Attributes:
        tables: The L1 tables, in the order in which they are named.
        geometry: The image's sizes.
    """

    def __init__(self, tables: list[L1Table], geometry: Geometry) -> None:
        self.tables, self.geometry = tables, geometry
        self._starts, self._firsts = _firsts(tables)

    def entry(self, place: int) -> str:
        """Path of the entry at a host offset: of the first table that has it."""
        return self._path(place, "l1_table")

    def table(self, place: int) -> str:
        """Path of the L2 table that the entry at a host offset locates."""
        return self._path(place, "l2_tables")

    def index(self, place: int) -> int:
        """Index of the entry at a host offset in the first table that has it."""
        table = self._first(place)
        return 0 if table is None else (place - table.offset) // c.L1E_SIZE

    def prefix(self, place: int) -> str:
        """What the paths of the table begin with that has the entry at a host offset."""
        table = self._first(place)
        return "" if table is None else table.prefix

    def guest(self, place: int, index: int = 0) -> int:
        """Guest offset of what the entry at a host offset maps, or one of its L2 table's."""
        return self.index(place) * self.geometry.l2_span + index * self.geometry.cluster_size

    def l1_fault(self, place: int, value: int, cluster: int, note: str = "") -> Fault:
        """The L1 entry at a host offset as a fault; see `Fault`."""
        guest = self.guest(place)
        return Fault(self.entry(place), place, value, cluster, guest=guest, note=note)

    def l2_owner(self, place: int, index: int) -> Owned:
        """An entry of the L2 table that the L1 entry at a host offset locates."""
        return Owned(f"{self.table(place)}[{index}]", self.guest(place, index))

    def l2_fault(
        self,
        place: int,
        table: int,
        index: int,
        value: int,
        cluster: int | None = None,
        note: str = "",
    ) -> Fault:
        """An entry of the L2 table at a host offset, which the L1 entry at `place` locates."""
        entry, offset = self.l2_owner(place, index), table + index * self.geometry.l2_entry_size
        return Fault(entry.path, offset, value, cluster, guest=entry.guest, note=note)

    def _path(self, place: int, name: str) -> str:
        table = self._first(place)
        if table is None:
            return f"{name}[?]"
        return f"{table.prefix}{name}[{(place - table.offset) // c.L1E_SIZE}]"

    def _first(self, place: int) -> L1Table | None:
        """The first table that has an entry at a host offset."""
        number = self._firsts[bisect_right(self._starts, place) - 1]
        return None if number is None else self.tables[number]


def _firsts(tables: list[L1Table]) -> tuple[list[int], list[int | None]]:
    """Where the first table that has an offset is another one than before, and which it is.

    A hostile image has 65,536 tables, on each other, and asks for their names a million times.
    """
    marks = [(table.offset, number) for number, table in enumerate(tables)]
    marks += [(table.end, -1) for table in tables]
    starts, firsts, open_ = [-1], list[int | None]([None]), list[int]()
    for at, group in groupby(sorted(marks), key=itemgetter(0)):
        for _, number in group:
            if number >= 0:
                heappush(open_, number)
        while open_ and tables[open_[0]].end <= at:
            heappop(open_)
        starts.append(at)
        firsts.append(open_[0] if open_ else None)
    return starts, firsts


def l1_words(
    source: Source, active: Table | None, start: int, end: int
) -> Iterator[tuple[int, Words]]:
    """Entries of L1 tables; see `read_words`. Those of the active one were read at opening."""
    if active is None or not active.offset <= start <= end <= active.offset + active.length:
        yield from read_words(source, start, end)
        return
    held, base = Memory(active.data), active.offset
    for at, entries in read_words(held, start - base, end - base):
        yield base + at, entries


def l2_tables(
    source: Source, active_table: Table | None, names: Names, findings: Findings
) -> L2Tables:
    """Judge the entries of all L1 tables, and collect the L2 tables that they locate."""
    found, held = [NOTHING], 0
    for start, end, active, inactive in segments(names.tables):
        for at, values in l1_words(source, active_table, start, end):
            used = np.flatnonzero(values)
            entries, places = values[used], at + used * c.L1E_SIZE
            _judge(entries, places, active + inactive, names, findings)
            offsets = decoding.l1_offset(entries)
            now, then = (np.broadcast_to(np.int64(n), len(entries)) for n in (active, inactive))
            found.append(L2Tables(offsets, now, then, places))
            held += len(entries)
            if held > HELD:
                found = [_merged(found)]
                held = len(found[0])
    return _merged(found)


def _merged(found: list[L2Tables]) -> L2Tables:
    """Some tables, each once."""
    offsets = np.concatenate([some.offsets for some in found])
    active = _joined([some.active for some in found])
    inactive = _joined([some.inactive for some in found])
    places = np.concatenate([some.places for some in found])
    if len(offsets) < 2 or ((offsets[1:] > offsets[:-1]).all() and (active > 0).all()):
        return L2Tables(offsets, active, inactive, places)
    order = np.lexsort([places, active == 0, offsets])  # an active entry first
    rising = offsets[order]
    starts = np.flatnonzero(np.concatenate([[True], rising[1:] != rising[:-1]]))
    return L2Tables(
        rising[starts],
        np.add.reduceat(active[order], starts),
        np.add.reduceat(inactive[order], starts),
        places[order][starts],
    )


def _joined(pieces: list[Numbers]) -> Numbers:
    """Pieces as one array, which takes no memory where all of it is one number."""
    kept = [piece for piece in pieces if len(piece)]
    if kept and all(not any(piece.strides) and piece[0] == kept[0][0] for piece in kept):
        return np.broadcast_to(kept[0][0], sum(map(len, kept)))
    return np.concatenate(pieces)


def _judge(entries: Words, places: Numbers, weight: int, names: Names, findings: Findings) -> None:
    """Judge some entries; those of tables that share their place count for each of them."""
    decoded = L1Entries(entries, Frame(names.geometry))
    for rule in ("l1/reserved", "l2/table-offset"):
        hit = np.flatnonzero(~HOLDS[rule](decoded))
        columns = (one[hit].tolist() for one in (places, entries, decoded.offset))
        findings.add(rule, len(hit) * weight, map(names.l1_fault, *columns))


HELD = 1 << 22
"""Entries of L1 tables that are held before they are put together."""

NOTHING = L2Tables(
    np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
)
