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
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.check.blocks import refcount_blocks
from qcowspec.check.counting import CHUNK, Window
from qcowspec.check.cut import cut_tables
from qcowspec.check.figures import Figures
from qcowspec.check.findings import Fault, Findings, Progress
from qcowspec.check.l1 import L2Tables, Names, l2_tables
from qcowspec.check.l2 import L2Check
from qcowspec.check.losses import Leaks, Looked, look
from qcowspec.check.ownership import Owner, OwnerMap, overlapping
from qcowspec.check.places import RefcountPlaces
from qcowspec.check.regions import (
    WORK,
    Aborted,
    Region,
    bitmap_clusters,
    fault,
    l1_tables,
    marks,
    regions,
)
from qcowspec.check.stored import Counts, Numbers, StoredRefcounts
from qcowspec.sources.source import Source
from qcowspec.spec.decoding import is_copied, l1_offset
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.units import align_up, whole_sectors

Flags = npt.NDArray[np.bool_]

WINDOW = 120 << 20
"""Bytes of the arrays that count the references to a stretch of the image file."""

PER_CLUSTER = 4
"""Bytes of them for each cluster, but for its stored refcount."""

INT_MAX = (1 << 31) - 1
"""Clusters of the largest file that QEMU checks."""


class Qcow2Check:
    """One check of one image.

    Attributes:
        figures: What was counted so far.
        findings: What was found so far.
        stored: The refcounts in the image.
        leaks: The leaked clusters.
        looked: What was looked at for them; None where there are none.
    """

    def __init__(
        self,
        metadata: Metadata,
        source: Source,
        findings: Findings,
        progress: Progress | None = None,
        *,
        data_length: int | None = None,
    ) -> None:
        """Take what opening read.

        Args:
            metadata: The image; it breaks no rule for which QEMU gives a check up.
            source: The image file.
            findings: Where broken rules go.
            progress: Is told how far the check is.
            data_length: Bytes of the external data file; None where it is not looked at.
        """
        assert metadata.geometry is not None
        header, geometry = metadata.qcow2_header, metadata.geometry
        self.metadata, self.source, self.geometry = metadata, source, geometry
        self.findings, self.figures = findings, Figures()
        findings.step = geometry.cluster_size
        self._progress = progress
        self._length = align_up(source.length, c.BDRV_SECTOR_SIZE)  # as QEMU's block layer has it
        self.clusters = geometry.clusters(self._length)
        self.figures.total_clusters = geometry.clusters(whole_sectors(header.size))
        if self.clusters > INT_MAX:
            self.figures.check_errors += 1
            raise Aborted("the file has more clusters than QEMU counts")
        count = header.refcount_table_bytes // c.REFTABLE_ENTRY_SIZE
        self.stored = StoredRefcounts(source, geometry, header.refcount_table_offset, count)
        self.places = RefcountPlaces(self.stored, metadata, source.length)
        tables = l1_tables(metadata, findings, source.length)
        self.regions = list(regions(metadata, tables, self._length))
        for _ in bitmap_clusters(metadata, source):  # refuses what QEMU does
            pass
        self.names = Names(tables, geometry)
        self.tables: L2Tables = l2_tables(source, geometry, tables, self.names, findings)
        held = int((self.tables.offsets < np.uint64(source.length)).sum())
        if held * geometry.l2_table_size > max(WORK, source.length):
            raise Aborted("the L2 tables lie on each other, more often than is looked at")
        self.l2 = L2Check(
            source,
            geometry,
            self.stored,
            self.names,
            version=header.version,
            data_file=bool(header.has_data_file),
            data_length=data_length,
            disk=header.size,
        )
        self.l2.figures, self.l2.findings = self.figures, findings
        self.leaks, self._grown = Leaks(), False
        self.looked: Looked | None = None

    def run(self) -> None:
        """Check everything."""
        marks(self.metadata, self.findings, self.source.length)
        self._misplaced()
        cut_tables(self)
        highest = -1
        for window in self.windows():
            self.fill(window)
            highest = max(highest, self._compare(window))
            self._l1_copied(window)
            self.l2.again = True
        for weight, clusters, counts in self.stored.past(self.behind):
            faults = self.places.faults(clusters, counts)
            self.findings.add("check/refcount-past-end", len(clusters) * weight, faults)
            if not self.findings.has("check/past-end"):  # else they may be in use
                self.leaks.add_past(clusters)
        if self.leaks.count:
            self.looked = look(self)
        self._settle()
        self.figures.image_end_offset = (max(highest, 0) + 1) * self.geometry.cluster_size

    @property
    def behind(self) -> int:
        """Clusters that are compared: the file's, and the next one if anything ends in it."""
        return self.clusters + self._grown

    @property
    def window_size(self) -> int:
        """Clusters that are counted together."""
        return WINDOW // (PER_CLUSTER + self.stored.dtype.itemsize)

    def windows(self) -> Iterator[Window]:
        """The stretches of the file that are counted one after the other; empty arrays first."""
        size, total = self.window_size, self.clusters + 1  # see `behind`
        for first in range(0, total, size):
            yield self.window(first, min(size, total - first))

    def window(self, first: int, count: int) -> Window:
        """A stretch of the file, with its stored refcounts, and no reference counted."""
        stored = np.zeros(count, self.stored.dtype)
        self.stored.load(first, stored)
        return Window(first, count, stored)

    def fill(self, window: Window) -> None:
        """Count all references to the clusters of a window."""
        for region in self.regions:
            if not self.is_past(region.offset, region.length):
                window.add_run(*self._span(region.offset, region.length), region.owner)
        for active, inactive, chosen in self.tables.alike():
            offsets = self.tables.offsets[chosen].astype(np.int64)
            kept = offsets[offsets + self.geometry.cluster_size < self.limit]
            first = kept >> self.geometry.cluster_bits
            second = first[kept % self.geometry.cluster_size != 0] + 1
            for clusters in (first, second):
                if active:
                    window.add(clusters, Owner.L2_TABLE, active, alone=clusters is first)
                if inactive:
                    window.add(clusters, Owner.SNAPSHOT_L2_TABLE, inactive)
        self._go_through(window)
        for _, _, offsets in bitmap_clusters(self.metadata, self.source):
            bits = offsets[(offsets != 0) & (offsets + self.geometry.cluster_size < self.limit)]
            window.add(bits >> self.geometry.cluster_bits, Owner.BITMAP_DATA)
        self._grown |= window.behind > self.clusters and bool(window.counts[-1])
        refcount_blocks(self, window)

    def _go_through(self, window: Window) -> None:
        """Count what L2 entries reference; each window reads the tables that reach into it."""
        size = self.window_size
        rounds, done = -(-(self.clusters + 1) // size), window.first // size * len(self.tables)
        for some in self.l2.run(self.tables, window):
            done += some
            if self._progress is not None:
                self._progress("tables", done, rounds * len(self.tables))

    # --- what lies where --------------------------------------------------------------------------

    @property
    def limit(self) -> int:
        """A structure that ends here or later has a cluster or more behind the file's end."""
        return self._length + self.geometry.cluster_size

    def word(self, place: int) -> int:
        """The entry of a table at a host offset."""
        width = c.L1E_SIZE
        return int.from_bytes(self.source.read_at(place, width).ljust(width, b"\0"), "big")

    def lost_range(self, start: int, end: int) -> str:
        """A range of the disk whose mapping may be lost, in words: its first byte and its last."""
        last = max(start, min(end, self.metadata.qcow2_header.size) - 1)
        return f"guest range {start:#x} to {last:#x} may be lost"

    def is_past(self, offset: int, length: int) -> bool:
        """Whether a structure ends a whole cluster or more past the end of the file."""
        return length > 0 and offset + length >= self.limit

    def _span(self, offset: int, length: int) -> tuple[int, int]:
        """The clusters that bytes touch: the first, and the one behind the last."""
        bits = self.geometry.cluster_bits
        return offset >> bits, ((offset + length - 1) >> bits) + 1 if length > 0 else offset >> bits

    def _misplaced(self) -> None:
        """Structures that end past the end of the file, but for what L2 entries reference."""
        for region in self.regions:
            if self.is_past(region.offset, region.length):
                at = fault(region.pointer, self.source.length, region)
                self.findings.add("check/past-end", 1, at)
        tables = self.tables
        past = tables.offsets.astype(np.int64) + self.geometry.cluster_size >= self.limit
        count = int((tables.active + tables.inactive)[past].sum())
        self.findings.add("check/past-end", count, self._late_tables(np.flatnonzero(past)))
        for index, first, offsets in bitmap_clusters(self.metadata, self.source):
            late = (offsets != 0) & (offsets + self.geometry.cluster_size >= self.limit)
            path, bits = f"bitmaps[{index}].bitmap_table", offsets
            table = self.metadata.bitmaps[index].bitmap_table_offset
            hit = np.flatnonzero(late)
            faults = (
                Fault(f"{path}[{entry}]", table + entry * c.BME_TABLE_ENTRY_SIZE, at, at)
                for entry, at in zip((first + hit).tolist(), bits[hit].tolist(), strict=True)
            )
            self.findings.add("check/past-end", len(hit), faults)

    def _late_tables(self, hit: Numbers) -> Iterator[Fault]:
        for one in hit.tolist():
            place, offset = int(self.tables.places[one]), int(self.tables.offsets[one])
            guest = self.names.guest(place)
            yield Fault(self.names.entry(place), place, offset, offset, guest=guest)

    # --- references against refcounts -------------------------------------------------------------

    def _compare(self, window: Window) -> int:
        """Hold the references against the refcounts (compare_refcounts).

        Returns:
            The last cluster of the window that either says is in use; -1 if there is none.
        """
        highest = -1
        assert window.stored is not None
        total = min(window.count, self.behind - window.first)
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
        faults = self.places.faults(clusters, entries)
        self.findings.add("check/refcount-unreadable", len(clusters), faults)
        return dark

    def _clusters(
        self, rule: str, window: Window, start: int, hit: Flags, count: int | None = None
    ) -> None:
        """Report clusters of a window: those of a chunk that a mask says."""
        at = start + np.flatnonzero(hit)
        assert window.stored is not None
        faults = self.places.faults(window.first + at, window.stored[at], window.counts[at])
        self.findings.add(rule, len(at) if count is None else count, faults)

    def _l1_copied(self, window: Window) -> None:
        """The copied flag of active L1 entries against the refcounts of their tables."""
        header = self.metadata.qcow2_header
        start, behind = header.l1_table_offset, header.l1_table_offset + header.l1_table_bytes
        behind = min(behind, self.source.length)
        for at in range(start, behind, CHUNK):
            data = self.source.read_at(at, min(CHUNK, behind - at))
            values = np.frombuffer(data.ljust(align_up(len(data), c.L1E_SIZE), b"\0"), ">u8")
            entries = values.astype(np.uint64)
            offsets = l1_offset(entries)
            clusters = (offsets >> np.uint64(self.geometry.cluster_bits)).astype(np.int64)
            kept, known = self.l2.refcounts(clusters, offsets != 0, window)
            wrong = np.flatnonzero(known & ((kept == 1) != is_copied(entries)))
            some = zip((at + wrong * c.L1E_SIZE).tolist(), entries[wrong].tolist(), strict=True)
            faults = (
                Fault(
                    self.names.entry(place),
                    place,
                    value,
                    l1_offset(value),
                    guest=self.names.guest(place),
                )
                for place, value in some
            )
            self.findings.add("check/l1-copied", len(wrong), faults)

    # --- beyond QEMU ------------------------------------------------------------------------------

    def _owners(self, window: Window, start: int, owners: OwnerMap) -> None:
        """Clusters of two owners, or of one twice, whatever the refcounts say."""
        for rule, hit in (
            ("check/overlap", overlapping(owners)),
            ("check/cluster-shared", owners >= Owner.TWICE),
        ):
            clusters = window.first + start + np.flatnonzero(hit)
            faults = self.places.faults(clusters, owners[hit])
            self.findings.add(rule, len(clusters), faults)

    def _settle(self) -> None:
        self.figures.corruptions = self.findings.count("corruption")
        self.figures.leaks = self.findings.count("leak")
        self.figures.check_errors += self.findings.count("check-error")


def owner_map(check: Qcow2Check, first: int, count: int) -> OwnerMap:
    """Who references each of some clusters; see `qcowspec.check.ownership`."""
    window = check.window(first, count)
    if count:
        check.fill(window)
    return window.owners


__all__ = ["Qcow2Check", "Region", "owner_map"]
