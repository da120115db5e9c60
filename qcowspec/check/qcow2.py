"""The check of versions 2 and 3: references against refcounts, as QEMU has it.

In: an opened image. Out: `Figures` and `Findings`. Refuses: nothing; what makes QEMU give up is a
check that was not completed.

The references are counted in arrays of one element a cluster of the image file, for one `Window`
after the other where the file is large: memory depends neither on the virtual disk's size nor on
what an image claims.

Source: block/qcow2-refcount.c: qcow2_check_refcounts; block/qcow2.c: qcow2_co_check.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.arrays import Counts, Flags
from qcowspec.check.blocks import refcount_blocks
from qcowspec.check.counting import CHUNK, Window
from qcowspec.check.cut import cut_tables
from qcowspec.check.figures import Figures
from qcowspec.check.findings import Progress, silent
from qcowspec.check.l1 import l1_words
from qcowspec.check.l2 import L2Check
from qcowspec.check.layout import Layout
from qcowspec.check.losses import Leaks, Looked, look
from qcowspec.check.ownership import Owner, OwnerMap, overlapping
from qcowspec.check.regions import marks
from qcowspec.spec.decoding import is_copied, l1_offset
from qcowspec.spec.units import whole_sectors

WINDOW = 120 << 20
"""Bytes of the arrays that count the references to a stretch of the image file."""

PER_CLUSTER = 4
"""Bytes of them for each cluster, but for its stored refcount."""

PAST_END = "check/past-end"


class Qcow2Check:
    """One check of one image.

    Attributes:
        layout: The image.
        figures: What was counted so far.
        l2: The way through the L2 tables.
        leaks: The leaked clusters.
        looked: What was looked at for them; None where there are none.
    """

    def __init__(
        self, layout: Layout, progress: Progress = silent, *, data_length: int | None = None
    ) -> None:
        """Begin.

        Args:
            layout: The image.
            progress: Shows how far the check is.
            data_length: Bytes of the external data file; None where it is not looked at.
        """
        self.layout, self.figures, self._progress = layout, Figures(), progress
        self.source, self.geometry, self.stored = layout.source, layout.geometry, layout.stored
        self.findings, self.leaks, self._grown = layout.findings, Leaks(), False
        size = whole_sectors(layout.metadata.qcow2_header.size)
        self.figures.total_clusters = layout.geometry.clusters(size)
        self.l2 = L2Check(layout, self.figures, data_length)
        self.looked: Looked | None = None

    def run(self) -> None:
        """Check everything."""
        marks(self.layout.metadata, self.findings, self.source.length)
        self._misplaced()
        cut_tables(self.layout)
        highest = -1
        for window in self.windows():
            self.fill(window)
            highest = max(highest, self._compare(window))
            self._l1_copied(window)
            self.l2.again = True
        for weight, clusters, counts in self.stored.past(self.end):
            faults = self.layout.places.faults(clusters, counts)
            self.findings.add("check/refcount-past-end", len(clusters) * weight, faults)
            if not self.findings.has(PAST_END):  # else they may be in use
                self.leaks.add_past(clusters)
        if self.leaks.count:
            self.looked = look(self.layout, self.leaks)
        self._settle()
        self.figures.image_end_offset = (max(highest, 0) + 1) * self.geometry.cluster_size

    @property
    def end(self) -> int:
        """Clusters that are compared: the file's, and the next one if anything ends in it."""
        return self.layout.clusters + self._grown

    @property
    def window_size(self) -> int:
        """Clusters that are counted together."""
        return WINDOW // (PER_CLUSTER + self.stored.dtype.itemsize)

    def windows(self) -> Iterator[Window]:
        """The stretches of the file that are counted one after the other; empty arrays first."""
        size, total = self.window_size, self.layout.clusters + 1  # see `end`
        for first in range(0, total, size):
            yield self.window(first, min(size, total - first))

    def window(self, first: int, count: int) -> Window:
        """A stretch of the file, with its stored refcounts, and no reference counted."""
        stored = np.zeros(count, self.stored.dtype)
        self.stored.load(first, stored)
        return Window(first, count, stored)

    def fill(self, window: Window) -> None:
        """Count all references to the clusters of a window."""
        layout, tables, bits = self.layout, self.layout.tables, self.geometry.cluster_bits
        for region in layout.regions:
            if region.length > 0 and not layout.is_past(region.offset, region.length):
                end = ((region.offset + region.length - 1) >> bits) + 1
                window.add_runs(np.array([region.offset >> bits]), np.array([end]), region.owner)
        for active, inactive, chosen in tables.alike():
            offsets = tables.offsets[chosen].astype(np.int64)
            kept = offsets[offsets + self.geometry.cluster_size < layout.limit]
            first = kept >> bits
            second = first[kept % self.geometry.cluster_size != 0] + 1
            for clusters in (first, second):
                window.add(clusters, Owner.L2_TABLE, active, alone=clusters is first)
                window.add(clusters, Owner.SNAPSHOT_L2_TABLE, inactive)
        self._go_through(window)
        for some in layout.bitmaps:
            held = some.offsets[some.offsets != 0]
            held = held[held + self.geometry.cluster_size < layout.limit]
            window.add(held >> bits, Owner.BITMAP_DATA)
        self._grown |= window.end > layout.clusters and bool(window.counts[-1])
        refcount_blocks(layout, window, self.end)

    def _go_through(self, window: Window) -> None:
        """Count what L2 entries reference; each window reads the tables that reach into it."""
        size, tables = self.window_size, len(self.layout.tables)
        rounds, done = -(-(self.layout.clusters + 1) // size), window.first // size * tables
        for some in self.l2.run(window):
            done += some
            self._progress("tables", done, rounds * tables)

    def _misplaced(self) -> None:
        """Structures that end past the end of the file, but for what L2 entries reference."""
        layout, tables, size = self.layout, self.layout.tables, self.geometry.cluster_size
        for region in layout.regions:
            if layout.is_past(region.offset, region.length):
                self.findings.add(PAST_END, 1, region.faults(self.source.length))
        past = np.flatnonzero(tables.offsets.astype(np.int64) + size >= layout.limit)
        count = int((tables.active + tables.inactive)[past].sum())
        self.findings.add(PAST_END, count, map(layout.l2_table, past.tolist()))
        for some in layout.bitmaps:
            hit = np.flatnonzero((some.offsets != 0) & (some.offsets + size >= layout.limit))
            self.findings.add(PAST_END, len(hit), map(some.fault, hit.tolist()))

    # --- references against refcounts -------------------------------------------------------------

    def _compare(self, window: Window) -> int:
        """Hold the references against the refcounts (compare_refcounts).

        Returns:
            The last cluster of the window that either says is in use; -1 if there is none.
        """
        highest = -1
        total = min(window.count, self.end - window.first)
        dark = self._dark(window, total)
        for start in range(0, total, CHUNK):
            chosen = slice(start, min(start + CHUNK, total))
            kept, found = window.stored[chosen], window.counts[chosen]
            if int(found.max(initial=0)) > 1:  # else no cluster has two owners, or one twice
                self._owners(window, start, window.owners[chosen])
                found = self._saturated(window, start, found)
            used = kept
            if dark is not None or not (kept == found).all():
                used = self._differ(window, start, kept, found, dark)
            if used[-1]:
                highest = window.first + start + len(used) - 1
            elif len(in_use := np.flatnonzero(used)):
                highest = window.first + start + int(in_use[-1])
        return highest

    def _saturated(self, window: Window, start: int, found: Counts) -> Counts:
        """Counts no higher than a refcount can be; those that are not are reported."""
        most = self.stored.most
        if int(found.max()) <= most:
            return found
        over = found > most
        excess = int((found[over].astype(object) - most).sum())
        self._clusters("check/refcount-overflow", window, start, over, excess)
        return np.minimum(found, most)

    def _differ(
        self, window: Window, start: int, kept: Counts, found: Counts, dark: Flags | None
    ) -> Flags:
        """Report where references and refcounts differ; which clusters are in use."""
        wrong: Flags = kept != found
        used: Flags = (kept != 0) | (found != 0)
        if dark is not None:
            wrong &= ~dark[start : start + len(kept)]
            used &= ~dark[start : start + len(kept)]
        low = wrong & (kept < found)
        self._clusters("check/refcount-too-low", window, start, low)
        leaked = wrong & ~low
        self._clusters("check/leaked-cluster", window, start, leaked)
        self.leaks.add(window.first + start + np.flatnonzero(leaked), found[leaked] == 0)
        return used

    def _dark(self, window: Window, total: int) -> Flags | None:
        """The clusters whose refcount QEMU cannot read; None if there is none."""
        if total <= 0 or not self.stored.unreadable.any():
            return None
        dark, per = np.zeros(total, bool), self.stored.per_block
        for index in np.flatnonzero(self.stored.unreadable).tolist():
            start, end = index * per - window.first, (index + 1) * per - window.first
            if end > 0 and start < total:
                dark[max(0, start) : min(end, total)] = True
        clusters = window.first + np.flatnonzero(dark)
        entries = self.stored.entries[clusters // self.stored.per_block]
        faults = self.layout.places.faults(clusters, entries)
        self.findings.add("check/refcount-unreadable", len(clusters), faults)
        return dark

    def _clusters(
        self, rule: str, window: Window, start: int, hit: Flags, count: int | None = None
    ) -> None:
        """Report clusters of a window: those of a chunk that a mask says."""
        at = start + np.flatnonzero(hit)
        faults = self.layout.places.faults(window.first + at, window.stored[at], window.counts[at])
        self.findings.add(rule, len(at) if count is None else count, faults)

    def _l1_copied(self, window: Window) -> None:
        """The copied flag of active L1 entries against the refcounts of their tables."""
        table = next((one for one in self.layout.names.tables if one.active), None)
        if table is None:
            return
        held = self.layout.metadata.l1_table
        for at, entries in l1_words(self.source, held, table.offset, table.end):
            offsets = l1_offset(entries)
            clusters = (offsets >> np.uint64(self.geometry.cluster_bits)).astype(np.int64)
            kept, known = self.l2.refcounts(clusters, offsets != 0, window)
            wrong = np.flatnonzero(known & ((kept == 1) != is_copied(entries)))
            columns = (at + wrong * c.L1E_SIZE, entries[wrong], offsets[wrong])
            faults = map(self.layout.names.l1_fault, *(column.tolist() for column in columns))
            self.findings.add("check/l1-copied", len(wrong), faults)

    # --- beyond QEMU ------------------------------------------------------------------------------

    def _owners(self, window: Window, start: int, owners: OwnerMap) -> None:
        """Clusters of two owners, or of one twice, whatever the refcounts say."""
        for rule, hit in (
            ("check/overlap", overlapping(owners)),
            ("check/cluster-shared", owners >= Owner.TWICE),
        ):
            clusters = window.first + start + np.flatnonzero(hit)
            faults = self.layout.places.faults(clusters, owners[hit])
            self.findings.add(rule, len(clusters), faults)

    def _settle(self) -> None:
        self.figures.corruptions = self.findings.count("corruption")
        self.figures.leaks = self.findings.count("leak")
        self.figures.check_errors += self.findings.count("check-error")


def owner_map(layout: Layout, first: int, count: int) -> OwnerMap:
    """Who references each of some clusters; see `qcowspec.check.ownership`."""
    run = Qcow2Check(layout)
    window = run.window(first, count)
    if count:
        run.fill(window)
    return window.owners
