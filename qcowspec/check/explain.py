"""Who references some clusters, by name: the second look, at what the first one found.

In: an image's layout, and faults. Out: the owners of each cluster that they are about, as paths.
Refuses: to name more than a few owners of one cluster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.arrays import Flags, Numbers, Words
from qcowspec.check.findings import Fault, Findings, Owned, Progress, Sink, silent
from qcowspec.check.layout import Layout
from qcowspec.sources.batches import read_tables
from qcowspec.spec.entries import Frame, L2Entries

if TYPE_CHECKING:
    from qcowspec.image import Image

Offsets = Numbers | Words

BATCH = 256 << 10
"""Bytes of L2 tables that are held at a time."""

NAMED = 16
"""Owners of one cluster that are named."""


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of some L2 tables that are not zero.

    Attributes:
        table: Which table each is of, by its number in the layout's `tables`.
        index: Which entry of the table.
        values: The entries.
        subclusters: Their subcluster bitmaps; 0 without extended L2 entries.
        done: Tables that were read so far.
        total: All tables.
    """

    table: Numbers
    index: Numbers
    values: Words
    subclusters: Words
    done: int
    total: int


def entries(layout: Layout, chosen: Flags | None = None) -> Iterator[Entries]:
    """The entries of all L2 tables, or of those that are chosen, each table once."""
    geometry, tables = layout.geometry, layout.tables
    held = tables.offsets < np.uint64(layout.source.length)
    here = np.flatnonzero(held if chosen is None else held & chosen)
    words = geometry.l2_entry_size // c.L2E_SIZE_NORMAL
    size = geometry.l2_table_size
    for part, rows in read_tables(layout.source, tables.offsets[here], size, batch=BATCH):
        values = rows.view(">u8").reshape(len(rows), -1, words)
        row, index = np.nonzero(values[:, :, 0])
        used = values[row, index].astype(np.uint64)
        bits = used[:, 1] if words > 1 else np.zeros_like(used[:, 0])
        yield Entries(here[part][row], index, used[:, 0], bits, part.stop, len(here))


class Wanted:
    """Stretches of clusters whose owners are wanted, rising and apart."""

    def __init__(self, starts: Numbers, ends: Numbers, cluster_bits: int) -> None:
        """Take stretches of clusters, which may overlap, and cut them where any begins or ends.

        Args:
            starts: The first cluster of each.
            ends: The cluster after the last of each.
            cluster_bits: Binary logarithm of the cluster size.
        """
        edges = np.unique(np.concatenate([starts, ends]))
        opened = np.searchsorted(np.sort(starts), edges[:-1], side="right")
        closed = np.searchsorted(np.sort(ends), edges[:-1], side="right")
        covered = opened > closed
        self._starts, self._ends = edges[:-1][covered], edges[1:][covered]
        self._bits = cluster_bits

    def touched(self, first: Numbers, end: Numbers) -> tuple[Numbers, Numbers]:
        """Which stretches some ranges of clusters touch: from one, up to another."""
        low = np.searchsorted(self._ends, first, side="right")
        return low, np.maximum(low, np.searchsorted(self._starts, end, side="left"))

    def among(self, starts: Offsets, lasts: Offsets) -> list[int]:
        """Which of some ranges, from their first byte to their last, touch one of them."""
        first, last = (offsets.astype(np.int64) >> self._bits for offsets in (starts, lasts))
        low, end = self.touched(first, last + 1)
        found: list[int] = np.flatnonzero(end > low).tolist()
        return found

    def each(self, owner: Owned, start: int, length: int) -> Iterator[tuple[Owned, int]]:
        """An owner with each of the stretches that its bytes touch."""
        first, last = start >> self._bits, (start + length - 1) >> self._bits
        low, end = self.touched(np.array([first]), np.array([last + 1]))
        yield from ((owner, one) for one in range(int(low[0]), int(end[0])))


def explain(layout: Layout, progress: Progress) -> None:
    """Fill in the owners of every cluster that a finding is about."""
    about = [
        fault
        for group in layout.findings
        if group.rule.judged != "data"  # who else has payloads in that cluster is not concerned
        for fault in group.faults
    ]
    name_owners(layout, about, progress)


class Namer:
    """Names the owners of faults that come one by one, many at a time, and hands them on."""

    def __init__(self, image: Image, sink: Sink) -> None:
        """Collect a layout of its own to look owners up in."""
        self._layout = Layout(image.metadata, image.source, Findings(0))
        self._sink, self._held = sink, list[Fault]()

    def __call__(self, fault: Fault) -> None:
        """Take a fault."""
        self._held.append(fault)
        if len(self._held) >= TOGETHER:
            self.settle()

    def settle(self) -> None:
        """Hand on all faults that are held."""
        name_owners(self._layout, self._held, silent)
        for fault in self._held:
            self._sink(fault)
        self._held.clear()


TOGETHER = 1 << 16
"""Faults whose owners are looked for in one way through the tables."""


def name_owners(layout: Layout, faults: list[Fault], progress: Progress) -> None:
    """Fill in the owners of the clusters that some faults are about."""
    bits = layout.geometry.cluster_bits
    about = [fault for fault in faults if fault.cluster is not None]
    if not about:
        return
    starts = np.array([(fault.cluster or 0) >> bits for fault in about], np.int64)
    ends = np.array([((fault.end.cluster or 0) >> bits) + 1 for fault in about], np.int64)
    wanted = Wanted(starts, ends, bits)
    owners: dict[int, list[Owned]] = defaultdict(list)
    for owner, stretch in _references(layout, wanted, progress):
        if len(owners[stretch]) < NAMED:
            owners[stretch].append(owner)
    for fault, low, end in zip(about, *wanted.touched(starts, ends), strict=True):
        named = [owner for stretch in range(low, end) for owner in owners.get(stretch, ())]
        fault.owners = tuple(dict.fromkeys(named))[:NAMED]


def _references(layout: Layout, wanted: Wanted, progress: Progress) -> Iterator[tuple[Owned, int]]:
    """All that has a cluster of some stretches, and the stretch."""
    names, tables, size = layout.names, layout.tables, layout.geometry.cluster_size
    for region in layout.regions:
        if region.length > 0:
            yield from wanted.each(Owned(region.path), region.offset, region.length)
    blocks = layout.stored.offsets
    for index in wanted.among(blocks, blocks):
        if at := int(blocks[index]):
            yield from wanted.each(Owned(f"refcount_blocks[{index}]"), at, 1)
    for table in wanted.among(tables.offsets, tables.offsets + np.uint64(size - 1)):
        owner = Owned(names.table(int(tables.places[table])))
        yield from wanted.each(owner, int(tables.offsets[table]), size)
    for some in layout.bitmaps:
        for entry in wanted.among(some.offsets, some.offsets):
            if at := int(some.offsets[entry]):
                yield from wanted.each(Owned(some.path(entry)), at, 1)
    if layout.metadata.qcow2_header.has_data_file:
        return
    for batch in entries(layout):
        progress("owners", batch.done, batch.total)
        decoded = L2Entries(batch.values, Frame(layout.geometry))
        start = decoded.host
        length = np.where(decoded.compressed, decoded.csize, size)
        held = np.flatnonzero(start)
        for one in held[wanted.among(start[held], start[held] + length[held] - 1)].tolist():
            owner = names.l2_owner(int(tables.places[batch.table[one]]), int(batch.index[one]))
            yield from wanted.each(owner, int(start[one]), int(length[one]))
