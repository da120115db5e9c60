"""L2 tables whose clusters follow each other in the file: most tables of most large images.

In: L2 tables. Out: references in a `Window`, whole runs at a time. Refuses: tables that may break a
rule; they are handed back for `L2Check` to look at.
"""

from __future__ import annotations

import numpy as np

from qcowspec.check.arrays import Flags, Numbers, Words
from qcowspec.check.counting import Window
from qcowspec.check.ownership import Owner
from qcowspec.check.stored import StoredRefcounts
from qcowspec.spec.decoding import is_copied, l2_offset, l2_plain
from qcowspec.spec.units import Geometry


class Runs:
    """The runs of tables that count equally often."""

    def __init__(self, geometry: Geometry, length: int) -> None:
        """Begin with none.

        Args:
            geometry: The image's sizes.
            length: Bytes of the image file.
        """
        self._geometry = geometry
        self._entries = 1 << geometry.l2_bits
        self._last = length - self._entries * geometry.cluster_size  # where a run starts at most
        self._starts: list[Words] = []
        self._tables: list[Numbers] = []
        self._buffer = np.zeros((0, 0), np.uint64)

    def take(self, values: Words, tables: Numbers) -> Flags:
        """Take those tables that are runs.

        Args:
            values: The tables, shape (tables, entries).
            tables: Their numbers.

        Returns:
            Which were taken.
        """
        taken: Flags = np.zeros(len(values), bool)
        if self._geometry.has_extended_l2 or self._last < 0:
            return taken
        size = self._geometry.cluster_size
        first, last = values[:, 0], values[:, -1]
        offsets = l2_offset(first)
        taken = (first & ~np.uint64(l2_plain(size)) == 0) & (offsets != 0)
        taken &= offsets <= np.uint64(self._last)
        taken &= last - first == np.uint64((self._entries - 1) * size)
        if not taken.any():
            return taken
        if self._buffer.shape != (len(values), self._entries - 1):
            self._buffer = np.empty((len(values), self._entries - 1), np.uint64)
        np.subtract(values[:, 1:], values[:, :-1], out=self._buffer)
        taken &= (self._buffer == np.uint64(size)).all(axis=1)
        self._starts.append(first[taken])
        self._tables.append(tables[taken])
        return taken

    def settle(
        self, window: Window, stored: StoredRefcounts, active: int, inactive: int
    ) -> tuple[int, Numbers]:
        """Count the references of all runs that were taken.

        Args:
            window: Where they are counted.
            stored: The refcounts in the image.
            active: How often the active L1 table locates each of the tables.
            inactive: How often snapshots' L1 tables do.

        Returns:
            How many tables that was, and the numbers of the others: their runs overlap, or a
            refcount is not what a copied flag says.
        """
        if not self._starts:
            return 0, np.zeros(0, np.int64)
        entries, tables = np.concatenate(self._starts), np.concatenate(self._tables)
        order = np.argsort(l2_offset(entries), kind="stable")
        entries, tables = entries[order], tables[order]
        starts = (l2_offset(entries) >> np.uint64(self._geometry.cluster_bits)).astype(np.int64)
        overlap = np.diff(starts) < self._entries
        counted = np.ones(len(starts), bool)
        counted[1:] &= ~overlap
        counted[:-1] &= ~overlap
        if active and stored.unreadable.any():
            counted[:] = False
        elif active:
            counted[counted] = self._agree(starts[counted], is_copied(entries)[counted], window)
        self._count(starts[counted], window, active, inactive)
        return int(counted.sum()), tables[~counted]

    def _agree(self, starts: Numbers, copied: Flags, window: Window) -> Flags:
        """For which runs the window's refcounts are as the copied flags say."""
        low = np.clip(starts - window.first, 0, window.count)
        high = np.clip(starts + self._entries - window.first, 0, window.count)
        agree = np.ones(len(starts), bool)
        inside = np.flatnonzero(high > low)
        if not len(inside):
            return agree
        once = window.stored == 1
        for flag, reduce in ((True, np.logical_and), (False, np.logical_or)):
            chosen = inside[copied[inside] == flag]
            if len(chosen):
                bounds = np.stack([low[chosen], high[chosen]], axis=1).ravel()
                if bounds[-1] == window.count:  # the last piece goes to the end by itself
                    bounds = bounds[:-1]
                agree[chosen] = reduce.reduceat(once, bounds)[::2] == flag
        return agree

    def _count(self, starts: Numbers, window: Window, active: int, inactive: int) -> None:
        """Count references to rising runs that do not overlap."""
        if not len(starts):
            return
        joined = np.diff(starts) == self._entries
        first = starts[np.concatenate([[True], ~joined])]
        last = starts[np.concatenate([~joined, [True]])]
        window.add_runs(first, last + self._entries, Owner.DATA, active, alone=True)
        window.add_runs(first, last + self._entries, Owner.SNAPSHOT_DATA, inactive)
