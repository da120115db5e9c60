"""Some L2 tables that count equally often, and those of their entries that are in use.

In: tables, as they are read. Out: references in a `Window`, and faults, each at its entry. Refuses:
nothing; `qcowspec.check.l2` judges them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.arrays import Counts, Flags, Numbers, Words
from qcowspec.check.counting import Window
from qcowspec.check.findings import Fault
from qcowspec.check.layout import Layout
from qcowspec.check.neighbours import evenly, run
from qcowspec.check.ownership import Owner
from qcowspec.spec import decoding
from qcowspec.spec.rules import BITMAP, BY_ID


class Batch:
    """Some L2 tables that count equally often, and their entries that are not zero.

    Attributes:
        tables: Their numbers in the layout.
        active: How often the active L1 table locates each of them.
        inactive: How often snapshots' L1 tables do.
        both: How often any L1 table does.
        entries: Their entries that are not zero, or have a subcluster bitmap that is not.
        subclusters: The bitmaps of these; None without extended L2 entries.
        table: Which of the tables each belongs to, by its place in `tables`.
        index: Which entry of the table each is.
    """

    def __init__(self, layout: Layout, tables: Numbers, active: int, inactive: int) -> None:
        self._layout, self.tables = layout, tables
        self.active, self.inactive, self.both = active, inactive, active + inactive
        self.entries: Words = np.zeros(0, np.uint64)
        self.subclusters: Words | None = None
        self.table: Counts = np.zeros(0, np.int64)
        self.index: Counts = np.zeros(0, np.int64)

    @property
    def offsets(self) -> Words:
        """Host offsets of the tables."""
        return self._layout.tables.offsets[self.tables]

    def take(self, values: Words) -> None:
        """Note the entries that are not zero, of all; shape (tables, entries, words)."""
        used, bits = np.flatnonzero(values.any(axis=2)), self._layout.geometry.l2_bits
        values = values.reshape(-1, values.shape[2])
        self.entries = values[used, 0]
        self.subclusters = values[used, 1] if values.shape[1] > 1 else None
        self.table, self.index = used >> bits, used & ((1 << bits) - 1)

    def reference(self, window: Window, clusters: Numbers) -> None:
        """Count a reference to each of some clusters, as often as the tables count."""
        window.add(clusters, Owner.DATA, self.active, alone=True)
        window.add(clusters, Owner.SNAPSHOT_DATA, self.inactive)

    def guest(self) -> Words:
        """Guest offset of the cluster that each entry is about, in the active state."""
        places = self._layout.tables.places[self.tables].tolist()
        first = np.array([self._layout.names.guest(place) for place in places], np.uint64)
        shift = np.uint64(self._layout.geometry.cluster_bits)
        guest: Words = first[self.table] + (self.index.astype(np.uint64) << shift)
        return guest

    def report(self, rule: str, hit: Flags, weight: int) -> None:
        """Report the entries that break a rule."""
        count = int(np.count_nonzero(hit)) * weight
        if count:
            self._layout.findings.add(rule, count, self._faults(rule, np.flatnonzero(hit)))

    def _faults(self, rule: str, hit: Numbers) -> Iterator[Fault]:
        layout, bits = self._layout, self._layout.geometry.cluster_bits
        value = self.entries[hit]
        host = decoding.l2_host(value, bits)
        second = BY_ID[rule].field == BITMAP and self.subclusters is not None
        if second:
            assert self.subclusters is not None
            value = self.subclusters[hit]
        table, index = self.tables[self.table[hit]], self.index[hit]

        def one(at: int) -> Fault:
            fault = layout.l2_entry(int(table[at]), int(index[at]), int(value[at]), int(host[at]))
            fault.offset += c.L2E_SIZE_NORMAL if second else 0
            return fault

        position = self.table[hit] * (1 << bits) + index  # no table has so many entries
        for first, last in evenly(position, 1 << bits, value, host):
            yield run(one, first, last)
