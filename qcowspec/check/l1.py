"""L1 entries, of all L1 tables together, and the L2 tables that they locate.

In: L1 tables. Out: `L2Tables`: each table once, and how often it is referenced. Refuses: nothing.

Snapshots share most of what they have. Tables that overlap in the file, or that many entries
locate, are read once, whatever an image does to make a reader go through them again and again.

Source: block/qcow2-refcount.c: check_refcounts_l1.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import groupby
from operator import itemgetter

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.check.findings import Fault, Findings
from qcowspec.check.regions import L1Table
from qcowspec.sources.source import Source
from qcowspec.spec import decoding, units
from qcowspec.spec.entries import Frame, L1Entries
from qcowspec.spec.entry_rules import HOLDS
from qcowspec.spec.units import Geometry

Offsets = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]

PIECE = 1 << 20
"""Bytes of L1 tables that are read at once."""


@dataclass(frozen=True, slots=True)
class L2Tables:
    """L2 tables, each once, by offset.

    Attributes:
        offsets: Host offsets, shape (n,), rising.
        active: How many entries of the active L1 table locate each.
        inactive: How many entries of snapshots' L1 tables do.
        places: Host offset of an entry that does; one of the active table's, if there is one.
    """

    offsets: Offsets
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
    marks: dict[int, list[int]] = {}
    for table in tables:
        change = (1, 0) if table.active else (0, 1)
        for at, sign in ((table.offset, 1), (table.offset + table.count * c.L1E_SIZE, -1)):
            mark = marks.setdefault(at, [0, 0])
            mark[0] += sign * change[0]
            mark[1] += sign * change[1]
    active = inactive = 0
    start = 0
    for at in sorted(marks):
        if active or inactive:
            yield start, at, active, inactive
        active, inactive, start = active + marks[at][0], inactive + marks[at][1], at


class Names:
    """The paths of L1 entries and of the L2 tables behind them, by where the entries stand.

    Attributes:
        tables: The L1 tables, in the order in which they are named.
    """

    def __init__(self, tables: list[L1Table], geometry: Geometry) -> None:
        """Take the tables, in the order in which they are named, and the image's sizes."""
        self.tables, self._geometry = tables, geometry
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

    def guest(self, place: int, index: int = 0) -> int:
        """Guest offset of what the entry at a host offset maps, or one of its L2 table's."""
        geometry = self._geometry
        return self.index(place) * geometry.l2_span + index * geometry.cluster_size

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
    marks += [(table.offset + table.count * c.L1E_SIZE, -1) for table in tables]
    starts, firsts, open_ = [-1], list[int | None]([None]), list[int]()
    for at, group in groupby(sorted(marks), key=itemgetter(0)):
        for _, number in group:
            if number >= 0:
                heappush(open_, number)
        while open_ and tables[open_[0]].offset + tables[open_[0]].count * c.L1E_SIZE <= at:
            heappop(open_)
        starts.append(at)
        firsts.append(open_[0] if open_ else None)
    return starts, firsts


def l2_tables(
    source: Source, geometry: Geometry, tables: list[L1Table], names: Names, findings: Findings
) -> L2Tables:
    """Judge the entries of all L1 tables, and collect the L2 tables that they locate."""
    found, held = [NOTHING], 0
    for start, end, active, inactive in segments(tables):
        behind = min(end, source.length)  # and from there on are zeros
        for at in range(start, behind, PIECE):
            data = source.read_at(at, min(PIECE, behind - at))
            padded = data.ljust(units.align_up(len(data), c.L1E_SIZE), b"\0")
            values = np.frombuffer(padded, ">u8")
            used = np.flatnonzero(values)
            entries, places = values[used].astype(np.uint64), at + used * c.L1E_SIZE
            _judge(entries, places, active + inactive, geometry, names, findings)
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


def _judge(
    entries: Offsets,
    places: Numbers,
    weight: int,
    geometry: Geometry,
    names: Names,
    findings: Findings,
) -> None:
    """Judge some entries; those of tables that share their place count for each of them."""
    said = L1Entries(entries, Frame(geometry))
    for rule in ("l1/reserved", "l2/table-offset"):
        hit = np.flatnonzero(~HOLDS[rule](said))
        some = zip(*(one[hit].tolist() for one in (places, entries, said.offset)), strict=True)
        faults = (
            Fault(names.entry(at), at, value, cluster, guest=names.guest(at))
            for at, value, cluster in some
        )
        findings.add(rule, len(hit) * weight, faults)


HELD = 1 << 22
"""Entries of L1 tables that are held before they are put together."""

NOTHING = L2Tables(
    np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
)
