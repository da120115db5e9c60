"""Some L2 tables that count equally often, and those of their entries that are in use.

In: tables, as they are read. Out: references in a `Window`, and faults, each at its entry. Refuses:
nothing; what is judged is said by `qcowspec.check.l2`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.check.counting import Window
from qcowspec.check.findings import Fault, Findings
from qcowspec.check.l1 import L2Tables, Names
from qcowspec.check.neighbours import evenly, run
from qcowspec.check.ownership import Owner
from qcowspec.check.stored import Numbers
from qcowspec.spec import decoding
from qcowspec.spec.rules import BITMAP, BY_ID
from qcowspec.spec.units import Geometry

Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]


class Batch:
    """Some L2 tables that count equally often, and their entries that are not zero.

    Attributes:
        tables: Their numbers.
        offsets: Host offsets of the tables.
        places: Host offset of an L1 entry that locates each.
        active: How often the active L1 table locates each of them.
        both: How often any L1 table does.
        entries: Their entries that are not zero, or have a subcluster bitmap that is not.
        subclusters: The bitmaps of these; None without extended L2 entries.
        table: Which of the tables each belongs to.
        index: Which entry of the table each is.
    """

    def __init__(self, tables: L2Tables, some: Numbers, active: int, inactive: int) -> None:
        self.tables = some
        self.offsets, self.places = tables.offsets[some], tables.places[some]
        self.active, self.inactive, self.both = active, inactive, active + inactive
        self.entries: Words = np.zeros(0, np.uint64)
        self.subclusters: Words | None = None
        self.table: npt.NDArray[Any] = np.zeros(0, np.int64)
        self.index: npt.NDArray[Any] = np.zeros(0, np.int64)
        self._width, self._cluster_bits = c.L2E_SIZE_NORMAL, 0

    def take(self, used: Numbers, values: Words, geometry: Geometry) -> None:
        """Note the entries: which of them, and all, shape (entries, words)."""
        self.entries = values[used, 0]
        self.subclusters = values[used, 1] if values.shape[1] > 1 else None
        self.table, self.index = used >> geometry.l2_bits, used & ((1 << geometry.l2_bits) - 1)
        self._width, self._cluster_bits = geometry.l2_entry_size, geometry.cluster_bits

    def reference(self, window: Window, clusters: Numbers) -> None:
        """Count a reference to each of some clusters, as often as the tables count."""
        if self.active:
            window.add(clusters, Owner.DATA, self.active, alone=True)
        if self.inactive:
            window.add(clusters, Owner.SNAPSHOT_DATA, self.inactive)

    def guest(self, names: Names) -> Words:
        """Guest offset of the cluster that each entry is about, in the active state."""
        first = np.array([names.guest(place) for place in self.places.tolist()], np.uint64)
        shift = np.uint64(self._cluster_bits)
        guest: Words = first[self.table] + (self.index.astype(np.uint64) << shift)
        return guest

    def report(self, to: Findings, rule: str, hit: Flags, weight: int, names: Names) -> None:
        """Report the entries that break a rule."""
        count = int(np.count_nonzero(hit)) * weight
        if count:
            to.add(rule, count, self._faults(rule, np.flatnonzero(hit), names))

    def _faults(self, rule: str, hit: Numbers, names: Names) -> Iterator[Fault]:
        value = self.entries[hit]
        host = decoding.l2_host(value, self._cluster_bits)
        second = BY_ID[rule].field == BITMAP and self.subclusters is not None
        if second:
            assert self.subclusters is not None
            value = self.subclusters[hit]
        table, index = self.table[hit], self.index[hit]

        def one(at: int) -> Fault:
            fault = self._fault(
                int(table[at]), int(index[at]), int(value[at]), int(host[at]), names
            )
            fault.offset += c.L2E_SIZE_NORMAL if second else 0
            return fault

        position = table * (1 << self._cluster_bits) + index  # no table has so many entries
        for first, last in evenly(position, 1 << self._cluster_bits, value, host):
            yield run(one, first, last)

    def _fault(self, table: int, index: int, value: int, host: int, names: Names) -> Fault:
        """An entry as a fault, by its table and index."""
        l1_entry = int(self.places[table])
        place = int(self.offsets[table]) + index * self._width
        guest = names.guest(l1_entry, index)
        return Fault(f"{names.table(l1_entry)}[{index}]", place, value, host, guest=guest)
