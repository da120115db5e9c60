"""L2 entries: what they reference, and which rules they break.

In: L2 tables, each once, and how often each counts. Out: references in a `Window`, figures and
findings. Refuses: nothing.

Source: block/qcow2-refcount.c: check_refcounts_l2, check_oflag_copied; block/qcow2.h:
qcow2_get_cluster_type.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.arrays import Flags, Numbers, Words
from qcowspec.check.counting import Window
from qcowspec.check.figures import Figures
from qcowspec.check.l2_batch import Batch
from qcowspec.check.layout import Layout
from qcowspec.check.missing import Missing
from qcowspec.check.ownership import Owner
from qcowspec.check.runs import Runs
from qcowspec.sources.batches import read_tables
from qcowspec.spec import decoding
from qcowspec.spec.entries import Frame, L2Entries
from qcowspec.spec.entry_rules import HOLDS, l2_data_file_offset, l2_zero_in_v2

BATCH = 256 << 10
"""Bytes of L2 tables that are held at a time: what the processor's caches hold too."""


STANDARD = "l2/reserved", "l2/compressed-copied", "l2/cluster-offset"
EXTENDED = (*STANDARD, "l2/subcluster-bitmap", "l2/subcluster-unallocated", "l2/compressed-bitmap")
"""The rules that are judged of entries, of 8 bytes and of 16."""


class L2Check:
    """One way through the L2 tables, and what it needs to know.

    Attributes:
        again: Whether the entries were judged before, so that only references are counted.
        missing: What lies past the end of the data file; None where that is not looked at.
    """

    def __init__(self, layout: Layout, figures: Figures, data_length: int | None = None) -> None:
        """Take what is known of the image; nothing is read.

        Args:
            layout: The image.
            figures: Where allocated, fragmented and compressed clusters are counted.
            data_length: Bytes of the external data file; None where it is not looked at.
        """
        header, geometry = layout.metadata.qcow2_header, layout.geometry
        self._layout, self._geometry, self._stored = layout, geometry, layout.stored
        self._source, self._figures, self.again = layout.source, figures, False
        self._version, self._data_file = header.version, bool(header.has_data_file)
        self._frame = Frame(geometry, self._data_file)
        self.missing = None if data_length is None else Missing(data_length, header.size)
        self._size = np.uint64(geometry.cluster_size)
        self._within = np.uint64(geometry.cluster_size - 1)
        self._shift = np.uint64(geometry.cluster_bits)
        # Which clusters each table reaches: the lowest and the highest.
        self._low = np.full(len(layout.tables), np.iinfo(np.int64).max)
        self._high = np.full(len(layout.tables), -1)

    def run(self, window: Window) -> Iterator[int]:
        """Go through all tables; at a later window, through those only that reach into it.

        Yields:
            How many were gone through, now and then.
        """
        size, tables = self._geometry.l2_table_size, self._layout.tables
        for active, inactive, chosen in tables.alike():
            here = chosen[tables.offsets[chosen] < np.uint64(self._source.length)]
            if self.again:
                reach = (self._low[here] < window.end) & (self._high[here] >= window.first)
                here = here[reach]
            runs = Runs(self._geometry, self._source.length)
            for part, rows in read_tables(self._source, tables.offsets[here], size, batch=BATCH):
                some, values = here[part], rows.view(">u8").astype(np.uint64)
                if not self._data_file:
                    taken = runs.take(values, some)
                    self._reach(some[taken], values[taken, 0], values[taken, -1])
                    some, values = some[~taken], values if not taken.any() else values[~taken]
                self._look(Batch(self._layout, some, active, inactive), values, window)
                yield part.stop - part.start
            kept, again = runs.settle(window, self._stored, active, inactive)
            if not self.again:
                self._count(kept * (1 << self._geometry.l2_bits), 0, 0, active)
            for part, rows in read_tables(self._source, tables.offsets[again], size, batch=BATCH):
                values = rows.view(">u8").astype(np.uint64)
                self._look(Batch(self._layout, again[part], active, inactive), values, window)

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
        batch.take(values.reshape(len(values), -1, words))
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
        if low < window.first or high >= window.end:
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
        if self._stored.unreadable.any() or not batch.offsets.all():
            return False
        if not len(clusters):
            return True
        first, end = int(clusters[0]), int(clusters[-1]) + 1
        if end - first == len(clusters) and bool((np.diff(clusters) == 1).all()):
            kept = window.stored[first - window.first : end - window.first]
        else:
            kept = window.stored[clusters - window.first]
        return bool(((kept == 1) == copied).all())

    def _judge(self, batch: Batch, window: Window) -> None:
        """The slow way: every rule, for the entries that are not zero."""
        entry, bits = batch.entries, batch.subclusters
        first = not self.again
        if first:  # as far as any entry could, whichever kind it is of
            self._low[batch.tables], self._high[batch.tables] = 0, np.iinfo(np.int64).max
        guest = batch.guest() if self._data_file and batch.active else 0
        decoded = L2Entries(entry, self._frame, guest, 0 if bits is None else bits)
        host, compressed, allocated = decoded.offset, decoded.compressed, decoded.located
        broken = {rule: ~HOLDS[rule](decoded) for rule in (STANDARD if bits is None else EXTENDED)}
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
                batch.report(rule, hit, batch.both)
            self._beyond(batch, decoded)
            if self.missing is not None and batch.active:
                self._missing(batch, allocated & ~decoded.fields.zero, host)
            if batch.active:
                self._fragments(batch, allocated, host, int(whole.sum()))
        if not self._data_file:
            self._references(batch, window, allocated, whole, host)
        if batch.active:
            self._copied(batch, window, allocated, decoded.copied, host)

    def _fragments(self, batch: Batch, allocated: Flags, host: Words, compressed: int) -> None:
        offsets, table = host[allocated], batch.table[allocated]
        apart = offsets[1:] != offsets[:-1] + self._size
        broken = int((apart & (table[1:] == table[:-1])).sum())
        self._count(len(offsets) + compressed, broken + compressed, compressed, batch.active)

    def _count(self, allocated: int, fragmented: int, compressed: int, weight: int) -> None:
        if not self.again:
            self._figures.allocated_clusters += allocated * weight
            self._figures.fragmented_clusters += fragmented * weight
            self._figures.compressed_clusters += compressed * weight

    def _references(
        self, batch: Batch, window: Window, allocated: Flags, whole: Flags, host: Words
    ) -> None:
        """Count what entries reference, but for what ends a cluster or more past the file."""
        ends = host.astype(np.int64) + self._geometry.cluster_size
        past = allocated & (ends >= self._layout.limit)
        kept = host[allocated & ~past]
        first = (kept >> self._shift).astype(np.int64)
        batch.reference(window, first)
        batch.reference(window, first[kept & self._within != 0] + 1)
        if whole.any():
            entry, shift = batch.entries, self._geometry.cluster_bits
            start = decoding.compressed_offset(entry, shift).astype(np.int64)
            end = start + decoding.compressed_length(entry, shift).astype(np.int64)
            late = whole & (end >= self._layout.limit)
            past |= late
            low, high = start[whole & ~late] >> shift, (end[whole & ~late] - 1) >> shift
            for step in range(int((high - low).max(initial=-1)) + 1):
                window.add((low + step)[low + step <= high], Owner.COMPRESSED, batch.both)
        if not self.again:
            batch.report("check/past-end", past, batch.both)

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
        batch.report("check/l2-copied", wrong, batch.active)

    def refcounts(self, clusters: Numbers, wanted: Flags, window: Window) -> tuple[Words, Flags]:
        """Stored refcounts, and of which clusters they are known and this window's to judge."""
        values = np.zeros(len(clusters), np.uint64)
        inside = wanted & window.inside(clusters)
        values[inside] = window.stored[clusters[inside] - window.first]
        known = inside & self._stored.readable(clusters)
        if not self.again:
            far = wanted & (clusters * self._geometry.cluster_size >= self._layout.limit)
            far &= ~inside
            if far.any():
                values[far], known[far] = self._stored.lookup(clusters[far])
        return values, known

    def _beyond(self, batch: Batch, decoded: L2Entries) -> None:
        """What QEMU's check does not look at."""
        if self._version < c.QCOW2_MAX_VERSION:
            hit = ~l2_zero_in_v2(decoded)
            batch.report("l2/zero-in-v2", hit, batch.both)
        if self._data_file and batch.active:
            hit = ~l2_data_file_offset(decoded)
            batch.report("l2/data-file-offset", hit, batch.active)

    def _missing(self, batch: Batch, held: Flags, host: Words) -> None:
        """Data past the end of the external data file."""
        assert self.missing is not None
        bits = self._geometry.cluster_bits
        parts, mask = 1, np.ones(len(host), np.uint64)
        if batch.subclusters is not None:
            parts = c.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER
            mask, _ = decoding.subclusters(batch.subclusters)
        size, hit = (1 << bits) // parts, np.zeros(len(host), bool)
        guest = batch.guest().astype(np.int64)
        for part in range(parts):
            has = held & (mask >> np.uint64(part) & np.uint64(1) != 0)
            hit |= self.missing.take(
                guest + part * size, host.astype(np.int64) + part * size, size, has
            )
        batch.report("backing/data-file-end", hit, batch.active)
