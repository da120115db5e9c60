"""L2 entries: what they reference, and which rules they break.

In: L2 tables, each once, and how often each counts. Out: references in a `Window`, figures and
findings. Refuses: nothing.

Source: block/qcow2-refcount.c: check_refcounts_l2, check_oflag_copied; block/qcow2.h:
qcow2_get_cluster_type.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.check.counting import Window
from qcowspec.check.figures import Figures
from qcowspec.check.findings import Findings
from qcowspec.check.l1 import L2Tables, Names
from qcowspec.check.l2_batch import Batch
from qcowspec.check.missing import Missing
from qcowspec.check.ownership import Owner
from qcowspec.check.runs import Runs
from qcowspec.check.stored import Numbers, StoredRefcounts
from qcowspec.sources.batches import read_tables
from qcowspec.sources.source import Source
from qcowspec.spec import decoding, units
from qcowspec.spec.entries import Frame, L2Entries
from qcowspec.spec.entry_rules import HOLDS, l2_data_file_offset, l2_zero_in_v2
from qcowspec.spec.units import Geometry

Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

BATCH = 256 << 10
"""Bytes of L2 tables that are held at a time: what the processor's caches hold too."""


STANDARD = "l2/reserved", "l2/compressed-copied", "l2/cluster-offset"
EXTENDED = (*STANDARD, "l2/subcluster-bitmap", "l2/subcluster-unallocated", "l2/compressed-bitmap")
"""The rules that are judged of entries, of 8 bytes and of 16."""


class L2Check:
    """One way through the L2 tables, and what it needs to know.

    Attributes:
        figures: Where allocated, fragmented and compressed clusters are counted.
        findings: Where broken rules go.
        again: Whether the entries were judged before, so that only references are counted.
        missing: What lies past the end of the data file; None where that is not looked at.
    """

    def __init__(
        self,
        source: Source,
        geometry: Geometry,
        stored: StoredRefcounts,
        names: Names,
        *,
        version: int,
        data_file: bool,
        data_length: int | None = None,
        disk: int = 0,
    ) -> None:
        """Take what is known of the image; nothing is read.

        Args:
            source: The image file.
            geometry: The image's sizes.
            stored: The refcounts in the image.
            names: The paths of the tables.
            version: The image's.
            data_file: Whether guest data are in an external data file.
            data_length: Bytes of that; None where it is not looked at.
            disk: Bytes of the virtual disk.
        """
        self._source, self._geometry, self._stored, self._names = source, geometry, stored, names
        self._version, self._data_file = version, data_file
        self._frame = Frame(geometry, data_file)
        self.missing = None if data_length is None else Missing(data_length, disk)
        self._size = np.uint64(geometry.cluster_size)
        self._within = np.uint64(geometry.cluster_size - 1)
        self._shift = np.uint64(geometry.cluster_bits)
        self._limit = units.align_up(source.length, c.BDRV_SECTOR_SIZE) + geometry.cluster_size
        self.figures, self.findings, self.again = Figures(), Findings(), False
        self._low, self._high = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def run(self, tables: L2Tables, window: Window) -> Iterator[int]:
        """Go through all tables; at a later window, through those only that reach into it.

        Yields:
            How many were gone through, now and then.
        """
        size = self._geometry.l2_table_size
        if not self.again:
            self._low = np.full(len(tables), np.iinfo(np.int64).max)
            self._high = np.full(len(tables), -1)
        for active, inactive, chosen in tables.alike():
            here = chosen[tables.offsets[chosen] < np.uint64(self._source.length)]
            if self.again:
                reach = (self._low[here] < window.behind) & (self._high[here] >= window.first)
                here = here[reach]
            runs = Runs(self._geometry, self._source.length)
            for part, rows in read_tables(self._source, tables.offsets[here], size, batch=BATCH):
                some, values = here[part], rows.view(">u8").astype(np.uint64)
                if not self._data_file:
                    taken = runs.take(values, some)
                    self._reach(some[taken], values[taken, 0], values[taken, -1])
                    some, values = some[~taken], values if not taken.any() else values[~taken]
                self._look(Batch(tables, some, active, inactive), values, window)
                yield part.stop - part.start
            kept, again = runs.settle(window, self._stored, active, inactive)
            if not self.again:
                self._count(kept * (1 << self._geometry.l2_bits), 0, 0, active)
            for part, rows in read_tables(self._source, tables.offsets[again], size, batch=BATCH):
                values = rows.view(">u8").astype(np.uint64)
                self._look(Batch(tables, again[part], active, inactive), values, window)

    def _reach(self, tables: Numbers, first: Words, last: Words) -> None:
        """Note which clusters tables reach, if they are not known to reach farther."""
        if not self.again and len(tables) and len(first):
            low = (decoding.l2_offset(first) >> self._shift).astype(np.int64)
            high = (decoding.l2_offset(last) >> self._shift).astype(np.int64)
            self._low[tables], self._high[tables] = low, high

    # --- one batch --------------------------------------------------------------------------------

    def _look(self, batch: Batch, values: Words, window: Window) -> None:
        words = self._geometry.l2_entry_size // c.L2E_SIZE_NORMAL
        if not len(values) or (
            words == 1 and not self._data_file and self._plain(batch, values, window)
        ):
            return
        values = values.reshape(len(values), -1, words)
        used = np.flatnonzero(values.any(axis=2))
        batch.take(used, values.reshape(-1, words), self._geometry)
        self._judge(batch, window)

    def _plain(self, batch: Batch, values: Words, window: Window) -> bool:
        """Tables of nothing but aligned clusters that the file has, which most tables are."""
        every = int(np.bitwise_or.reduce(values, axis=None))
        if every & ~decoding.l2_plain(self._geometry.cluster_size) or not every:
            return False
        flat = values.reshape(-1)
        used: Numbers | None = None
        if not flat.all():
            used = np.flatnonzero(flat)
            flat = flat[used]
        clusters = (decoding.l2_offset(flat) >> self._shift).view(np.int64)
        copied = decoding.is_copied(flat)
        low, high = int(clusters.min()), int(clusters.max())
        if low == 0 or high * self._geometry.cluster_size >= self._source.length:
            return False
        if not self.again:
            self._low[batch.tables], self._high[batch.tables] = low, high
        here, flags = clusters, copied
        if low < window.first or high >= window.behind:
            inside = window.inside(clusters)
            here, flags = clusters[inside], copied[inside]
        if batch.active and not self._clear(here, flags, batch, window):
            return False
        if batch.active and not self.again:
            follows = np.diff(clusters) == 1
            if used is None:
                between = follows[values.shape[1] - 1 :: values.shape[1]]
                broken = len(follows) - int(follows.sum()) - len(between) + int(between.sum())
            else:
                broken = int((~follows & (np.diff(used // values.shape[1]) == 0)).sum())
            self._count(len(clusters), broken, 0, batch.active)
        batch.reference(window, here)
        return True

    def _clear(self, clusters: Numbers, copied: Flags, batch: Batch, window: Window) -> bool:
        """Whether clusters of the window have the refcounts that their flags say."""
        if window.stored is None or self._stored.unreadable.any() or not batch.offsets.all():
            return False
        if not len(clusters):
            return True
        first, behind = int(clusters[0]), int(clusters[-1]) + 1
        if behind - first == len(clusters) and bool((np.diff(clusters) == 1).all()):
            kept = window.stored[first - window.first : behind - window.first]
        else:
            kept = window.stored[clusters - window.first]
        return bool(((kept == 1) == copied).all())

    def _judge(self, batch: Batch, window: Window) -> None:
        """The slow way: every rule, for the entries that are not zero."""
        entry, bits = batch.entries, batch.subclusters
        first = not self.again
        if first:  # as far as any entry could, whichever kind it is of
            self._low[batch.tables], self._high[batch.tables] = 0, np.iinfo(np.int64).max
        guest = batch.guest(self._names) if self._data_file and batch.active else 0
        said = L2Entries(entry, self._frame, guest, 0 if bits is None else bits)
        host, compressed, allocated = said.offset, said.compressed, said.located
        broken = {rule: ~HOLDS[rule](said) for rule in (STANDARD if bits is None else EXTENDED)}
        whole = compressed
        if self._data_file:
            broken["l2/compressed-data-file"], whole = compressed, np.zeros_like(compressed)
        if bits is not None:
            # QEMU says one thing of a bitmap.
            broken["l2/subcluster-unallocated"] &= ~broken["l2/subcluster-bitmap"]
            broken["l2/compressed-bitmap"] &= whole
            whole = whole & ~broken["l2/compressed-bitmap"]
        if first:
            for rule, hit in broken.items():
                batch.report(self.findings, rule, hit, batch.both, self._names)
            self._beyond(batch, said)
            if self.missing is not None and batch.active:
                self._missing(batch, allocated & ~said.fields.zero, host)
            if batch.active:
                self._fragments(batch, allocated, host, int(whole.sum()))
        if not self._data_file:
            self._references(batch, window, allocated, whole, host)
        if batch.active:
            self._copied(batch, window, allocated, said.copied, host)

    def _fragments(self, batch: Batch, allocated: Flags, host: Words, compressed: int) -> None:
        offsets, table = host[allocated], batch.table[allocated]
        apart = offsets[1:] != offsets[:-1] + self._size
        broken = int((apart & (table[1:] == table[:-1])).sum())
        self._count(len(offsets) + compressed, broken + compressed, compressed, batch.active)

    def _count(self, allocated: int, fragmented: int, compressed: int, weight: int) -> None:
        if not self.again:
            self.figures.allocated_clusters += allocated * weight
            self.figures.fragmented_clusters += fragmented * weight
            self.figures.compressed_clusters += compressed * weight

    def _references(
        self, batch: Batch, window: Window, allocated: Flags, whole: Flags, host: Words
    ) -> None:
        """Count what entries reference; QEMU does not count what ends a cluster behind the file."""
        ends = host.astype(np.int64) + self._geometry.cluster_size
        past = allocated & (ends >= self._limit)
        kept = host[allocated & ~past]
        first = (kept >> self._shift).astype(np.int64)
        batch.reference(window, first)
        batch.reference(window, first[kept & self._within != 0] + 1)
        if whole.any():
            entry, shift = batch.entries, self._geometry.cluster_bits
            start = decoding.compressed_offset(entry, shift).astype(np.int64)
            behind = start + decoding.compressed_length(entry, shift).astype(np.int64)
            late = whole & (behind >= self._limit)
            past |= late
            low, high = start[whole & ~late] >> shift, (behind[whole & ~late] - 1) >> shift
            for step in range(int((high - low).max(initial=-1)) + 1):
                window.add((low + step)[low + step <= high], Owner.COMPRESSED, batch.both)
        if not self.again:
            batch.report(self.findings, "check/past-end", past, batch.both, self._names)

    def _copied(
        self, batch: Batch, window: Window, allocated: Flags, copied: Flags, host: Words
    ) -> None:
        """The copied flag says that the refcount is 1; QEMU looks in active tables only."""
        looked_at = batch.offsets != 0  # nor into tables whose own refcount it cannot read
        looked_at &= self._stored.readable((batch.offsets >> self._shift).astype(np.int64))
        allocated = allocated & looked_at[batch.table]
        if self._data_file:
            once, known = np.ones(len(host), bool), allocated & (not self.again)
        else:
            clusters = (host >> self._shift).astype(np.int64)
            values, known = self.refcounts(clusters, allocated, window)
            once = values == 1
        wrong = known & (once != copied)
        batch.report(self.findings, "check/l2-copied", wrong, batch.active, self._names)

    def refcounts(self, clusters: Numbers, wanted: Flags, window: Window) -> tuple[Words, Flags]:
        """Stored refcounts, and of which clusters they are known and this window's to judge."""
        values, known = np.zeros(len(clusters), np.uint64), np.zeros(len(clusters), bool)
        inside = wanted & window.inside(clusters)
        if window.stored is not None:
            values[inside] = window.stored[clusters[inside] - window.first]
            known |= inside
            known &= self._stored.readable(clusters)
        if not self.again:
            far = wanted & (clusters * self._geometry.cluster_size >= self._limit)
            far &= ~inside
            if far.any():
                values[far], known[far] = self._stored.lookup(clusters[far])
        return values, known

    def _beyond(self, batch: Batch, said: L2Entries) -> None:
        """What QEMU's check does not look at."""
        if self._version < c.QCOW2_MAX_VERSION:
            hit = ~l2_zero_in_v2(said)
            batch.report(self.findings, "l2/zero-in-v2", hit, batch.both, self._names)
        if self._data_file and batch.active:
            hit = ~l2_data_file_offset(said)
            batch.report(self.findings, "l2/data-file-offset", hit, batch.active, self._names)

    def _missing(self, batch: Batch, held: Flags, host: Words) -> None:
        """Data past the end of the external data file."""
        assert self.missing is not None
        bits = self._geometry.cluster_bits
        parts, mask = 1, np.ones(len(host), np.uint64)
        if batch.subclusters is not None:
            parts = c.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER
            mask, _ = decoding.subclusters(batch.subclusters)
        size, hit = (1 << bits) // parts, np.zeros(len(host), bool)
        guest = batch.guest(self._names).astype(np.int64)
        for part in range(parts):
            has = held & (mask >> np.uint64(part) & np.uint64(1) != 0)
            hit |= self.missing.take(
                guest + part * size, host.astype(np.int64) + part * size, size, has
            )
        batch.report(self.findings, "backing/data-file-end", hit, batch.active, self._names)
