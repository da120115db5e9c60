"""Who references some clusters, by name: the second look, at what the first one found.

In: a check that has run. Out: the owners of each cluster that its findings are about, as paths.
Refuses: to name more than a few owners of one cluster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.check.findings import Fault, Findings, Owned, Progress, Sink
from qcowspec.check.qcow2 import Qcow2Check
from qcowspec.check.regions import bitmap_clusters
from qcowspec.sources.batches import read_tables
from qcowspec.spec.entries import Frame, L2Entries

if TYPE_CHECKING:
    from qcowspec.image import Image

Numbers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64] | npt.NDArray[np.uint64]

BATCH = 256 << 10
"""Bytes of L2 tables that are held at a time."""

NAMED = 16
"""Owners of one cluster that are named."""


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of some L2 tables that are not zero.

    Attributes:
        table: Which table each is of, by its number in the check's `tables`.
        index: Which entry of the table.
        values: The entries.
        done: Tables that were gone through so far.
        of: Tables that there are.
    """

    table: Numbers
    index: Numbers
    values: Words
    done: int
    of: int


def entries(check: Qcow2Check) -> Iterator[Entries]:
    """The entries of all L2 tables, each table once."""
    geometry, tables = check.geometry, check.tables
    here = np.flatnonzero(tables.offsets < np.uint64(check.source.length))
    words = geometry.l2_entry_size // c.L2E_SIZE_NORMAL
    size = geometry.l2_table_size
    for part, rows in read_tables(check.source, tables.offsets[here], size, batch=BATCH):
        values = rows.view(">u8").reshape(len(rows), -1, words)[:, :, 0]
        row, index = np.nonzero(values)
        used = values[row, index].astype(np.uint64)
        yield Entries(here[part][row], index, used, part.stop, len(here))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Stretches of clusters whose owners are wanted, rising and apart.

    Attributes:
        starts: The first cluster of each.
        ends: The cluster after the last of each.
    """

    starts: Numbers
    ends: Numbers

    def touched(self, first: Numbers, end: Numbers) -> tuple[Numbers, Numbers]:
        """Which stretches some ranges of clusters touch: from one, up to another."""
        low = np.searchsorted(self.ends, first, side="right")
        return low, np.maximum(low, np.searchsorted(self.starts, end, side="left"))


def explain(check: Qcow2Check, progress: Progress | None = None) -> None:
    """Fill in the owners of every cluster that a finding is about."""
    about = [
        fault
        for group in check.findings
        if group.rule.judged != "data"  # who else has payloads in that cluster is not concerned
        for fault in group.faults
    ]
    name_owners(check, about, progress)


class Namer:
    """Names the owners of faults that come one by one, many at a time, and hands them on."""

    def __init__(self, image: Image, sink: Sink) -> None:
        """Open a check of its own to look owners up in; nothing is gone through yet."""
        self._check = Qcow2Check(image.metadata, image.source, Findings(0))
        self._sink, self._held = sink, list[Fault]()

    def __call__(self, fault: Fault) -> None:
        """Take a fault."""
        self._held.append(fault)
        if len(self._held) >= TOGETHER:
            self.settle()

    def settle(self) -> None:
        """Hand on all faults that are held."""
        name_owners(self._check, self._held)
        for fault in self._held:
            self._sink(fault)
        self._held.clear()


TOGETHER = 1 << 16
"""Faults whose owners are looked for in one way through the tables."""


def name_owners(check: Qcow2Check, faults: list[Fault], progress: Progress | None = None) -> None:
    """Fill in the owners of the clusters that some faults are about."""
    bits = check.geometry.cluster_bits
    about = [fault for fault in faults if fault.cluster is not None]
    if not about:
        return
    starts = np.array([(fault.cluster or 0) >> bits for fault in about], np.int64)
    ends = np.array([((fault.end.cluster or 0) >> bits) + 1 for fault in about], np.int64)
    wanted = _apart(starts, ends)
    owners: dict[int, list[Owned]] = defaultdict(list)
    for owner, stretch in _references(check, wanted, progress):
        if len(owners[stretch]) < NAMED:
            owners[stretch].append(owner)
    for fault, low, end in zip(about, *wanted.touched(starts, ends), strict=True):
        named = [owner for stretch in range(low, end) for owner in owners.get(stretch, ())]
        fault.owners = tuple(dict.fromkeys(named))[:NAMED]


def _apart(starts: Numbers, ends: Numbers) -> Wanted:
    """Stretches of clusters, in pieces that each lie in one of them, or in several, as a whole."""
    edges = np.unique(np.concatenate([starts, ends]))
    opened = np.searchsorted(np.sort(starts), edges[:-1], side="right")
    closed = np.searchsorted(np.sort(ends), edges[:-1], side="right")
    covered = opened > closed
    return Wanted(edges[:-1][covered], edges[1:][covered])


def _references(
    check: Qcow2Check, wanted: Wanted, progress: Progress | None
) -> Iterator[tuple[Owned, int]]:
    """All that has a cluster of some stretches, and the stretch."""
    names, tables, size = check.names, check.tables, check.geometry.cluster_size
    held = [region for region in check.regions if region.length > 0]
    for region in held:
        yield from _each(check, Owned(region.path), region.offset, region.length, wanted)
    for index in _among(check, check.stored.offsets, check.stored.offsets, wanted).tolist():
        if at := int(check.stored.offsets[index]):
            yield from _each(check, Owned(f"refcount_blocks[{index}]"), at, 1, wanted)
    lasts = tables.offsets + np.uint64(size - 1)
    for table in _among(check, tables.offsets, lasts, wanted).tolist():
        owner = Owned(names.table(int(tables.places[table])))
        yield from _each(check, owner, int(tables.offsets[table]), size, wanted)
    for number, first, offsets in bitmap_clusters(check.metadata, check.source):
        for one in _among(check, offsets, offsets, wanted).tolist():
            path = f"bitmaps[{number}].bitmap_table[{first + one}]"
            if at := int(offsets[one]):
                yield from _each(check, Owned(path), at, 1, wanted)
    if not check.metadata.qcow2_header.has_data_file:
        yield from _guest(check, wanted, progress)


def _guest(
    check: Qcow2Check, wanted: Wanted, progress: Progress | None
) -> Iterator[tuple[Owned, int]]:
    """The L2 entries that reference a cluster of some stretches."""
    for batch in entries(check):
        if progress is not None:
            progress("owners", batch.done, batch.of)
        said = L2Entries(batch.values, Frame(check.geometry))
        start = said.host
        length = np.where(said.compressed, said.csize, check.geometry.cluster_size)
        held = np.flatnonzero(start)
        lasts = start[held] + length[held] - 1
        for one in held[_among(check, start[held], lasts, wanted)].tolist():
            l1_entry, index = int(check.tables.places[batch.table[one]]), int(batch.index[one])
            path, guest = (
                f"{check.names.table(l1_entry)}[{index}]",
                check.names.guest(l1_entry, index),
            )
            owner = Owned(path, guest)
            yield from _each(check, owner, int(start[one]), int(length[one]), wanted)


def _among(check: Qcow2Check, starts: Offsets, lasts: Offsets, wanted: Wanted) -> Numbers:
    """Which of some ranges, from their first byte to their last, touch one of the stretches."""
    bits = check.geometry.cluster_bits
    first, last = (offsets.astype(np.int64) >> bits for offsets in (starts, lasts))
    low, end = wanted.touched(first, last + 1)
    found: Numbers = np.flatnonzero(end > low)
    return found


def _each(
    check: Qcow2Check, owner: Owned, start: int, length: int, wanted: Wanted
) -> Iterator[tuple[Owned, int]]:
    """An owner with each of the stretches that its bytes touch."""
    bits = check.geometry.cluster_bits
    first, end = np.array([start >> bits]), np.array([((start + length - 1) >> bits) + 1])
    low, behind = wanted.touched(first, end)
    yield from ((owner, one) for one in range(int(low[0]), int(behind[0])))
