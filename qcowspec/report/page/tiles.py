"""Runs of many kinds, made few enough for a picture: run by run, or cell by cell.

In: arrays of runs, some at a time, that tile a stretch from its start to its end. Out: `Runs`, few
of them. Refuses: nothing; where cells stand for runs, `Runs.exact` is False.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qcowspec.report.page.room import weight

Numbers = npt.NDArray[np.int64]

MOST_RUNS = 1 << 14
"""Runs that are shown one by one, at most."""

MOST_CELLS = 1 << 13
"""Cells of a picture that stands for more of them, at most."""

NOWHERE = -1
"""The host offset of a run that has none."""


@dataclass(slots=True)
class Runs:
    """Runs that tile a stretch.

    Attributes:
        kinds: What each is: its number in the catalogue.
        lengths: Lengths in units.
        unit: Bytes of a unit.
        exact: Whether each run is as it is in the file; if not, each is of whole cells, whose kind
            is the one that most of a cell's bytes have.
        hosts: Where the first byte of each is in the file, or `NOWHERE`; None for no such array.
    """

    kinds: Numbers
    lengths: Numbers
    unit: int
    exact: bool
    hosts: Numbers | None = None

    def as_json(self, kinds: str) -> dict[str, Any]:
        """The same as JSON has it; `kinds` is the key of the numbers."""
        data: dict[str, Any] = {kinds: self.kinds.tolist(), "lengths": self.lengths.tolist()}
        if self.hosts is not None:
            data["hosts"] = self.hosts.tolist()
        return data | {"unit": self.unit, "exact": self.exact}


class Cells:
    """The bytes of each kind in each cell of a stretch."""

    def __init__(
        self, length: int, kinds: int, most: int, *, least: int = 1, apart: int = NOWHERE
    ) -> None:
        """Cut a stretch into cells, whose length is a power of two.

        Args:
            length: Its bytes.
            kinds: How many kinds there are.
            most: How many cells there may be.
            least: Bytes of a cell, at least; a power of two.
            apart: See `Collected`.
        """
        self._apart = apart
        self.unit = max(least, 1 << max(0, (-(-length // most) - 1).bit_length()))
        self.count = -(-length // self.unit)
        self._length, self._kinds = length, kinds
        self._bytes = np.zeros(self.count * kinds, np.int64)
        self._steps = np.zeros((self.count + 1) * kinds, np.int64)
        self._hosts = np.full(self.count, NOWHERE, np.int64)
        self._host_kinds = np.full(self.count, NOWHERE, np.int64)

    def add(
        self, starts: Numbers, lengths: Numbers, kinds: Numbers, hosts: Numbers | None = None
    ) -> None:
        """Add runs, which have a length above 0."""
        unit, ends = self.unit, starts + lengths
        first, last = starts // unit, (ends - 1) // unit
        head = np.minimum(ends, (first + 1) * unit) - starts
        np.add.at(self._bytes, first * self._kinds + kinds, head)
        longer = np.flatnonzero(last > first)
        start, end, kind = first[longer], last[longer], kinds[longer]
        np.add.at(self._bytes, end * self._kinds + kind, ends[longer] - end * unit)
        np.add.at(self._steps, (start + 1) * self._kinds + kind, unit)
        np.add.at(self._steps, end * self._kinds + kind, -unit)
        if hosts is not None:
            self._locate(starts, lengths, kinds, hosts)

    def _locate(self, starts: Numbers, lengths: Numbers, kinds: Numbers, hosts: Numbers) -> None:
        """Note where the first byte of each cell is that some runs hold."""
        begin, end = int(starts[0]), int(starts[-1] + lengths[-1])
        cells = np.arange(-(-begin // self.unit), -(-end // self.unit), dtype=np.int64)
        at = cells * self.unit
        rows = np.searchsorted(starts, at, side="right") - 1
        fixed = (hosts[rows] == NOWHERE) | (kinds[rows] == self._apart)
        self._hosts[cells] = hosts[rows] + np.where(fixed, 0, at - starts[rows])
        self._host_kinds[cells] = kinds[rows]

    def table(self) -> Numbers:
        """Bytes of each kind in each cell, shape (cells, kinds)."""
        inner = np.cumsum(self._steps.reshape(-1, self._kinds)[:-1], axis=0)
        found: Numbers = self._bytes.reshape(-1, self._kinds) + inner
        return found

    def runs(self, *, located: bool) -> Runs:
        """The cells, equal neighbours as one; with their places in the file if `located`."""
        kinds = self.table().argmax(axis=1).astype(np.int64)
        lengths = np.ones(self.count, np.int64)
        if not located:
            return joined(Runs(kinds, lengths, self.unit, False), self._apart)
        hosts = np.where(self._host_kinds == kinds, self._hosts, NOWHERE)
        return joined(Runs(kinds, lengths, self.unit, False, hosts), self._apart)


class Collected:
    """Takes runs as they come, and keeps them as long as they are few."""

    def __init__(
        self,
        length: int,
        kinds: int,
        *,
        located: bool = False,
        apart: int = NOWHERE,
        most: int = MOST_RUNS,
    ) -> None:
        """Begin with none.

        Args:
            length: Bytes of the stretch that they tile.
            kinds: How many kinds there are.
            located: Whether they have places in the file.
            apart: A kind whose runs are not one byte of the file for each of theirs.
            most: Runs that are kept; cells are half as many.
        """
        self._most, self._located, self._apart = most, located, apart
        self._cells = Cells(length, kinds, max(1, min(most // 2, MOST_CELLS)), apart=apart)
        self._kept: list[tuple[Numbers, ...]] = []
        self._count = 0
        self.sums = np.zeros(kinds, np.int64)

    def add(
        self, starts: Numbers, lengths: Numbers, kinds: Numbers, hosts: Numbers | None = None
    ) -> None:
        """Add runs that follow those before; see `Cells.add`."""
        if not len(starts):
            return
        np.add.at(self.sums, kinds, lengths)
        self._cells.add(starts, lengths, kinds, hosts)
        self._count += len(starts)
        if self._count <= self._most:
            self._kept.append((kinds, lengths) if hosts is None else (kinds, lengths, hosts))
        else:
            self._kept.clear()

    def runs(self, room: int) -> Runs:
        """The runs; or cells, where the runs are too many or do not fit.

        Args:
            room: Bytes of JSON that they may take.
        """
        if self._count <= self._most:
            columns = [np.concatenate(side) for side in zip(*self._kept, strict=True)]
            if not columns:
                empty = np.zeros(0, np.int64)
                return Runs(empty, empty, 1, True, empty if self._located else None)
            kinds, lengths = columns[:2]
            hosts = columns[2] if self._located else None
            unit = int(np.gcd.reduce(lengths))
            found = joined(Runs(kinds, lengths // unit, unit, True, hosts), self._apart)
            if weight(found.as_json("kinds")) <= room:
                return found
        return self._cells.runs(located=self._located)


def joined(runs: Runs, apart: int) -> Runs:
    """Runs with neighbours made one that are of one kind, and follow each other in the file too."""
    kinds, hosts = runs.kinds, runs.hosts
    same = kinds[1:] == kinds[:-1]
    if hosts is not None:
        after = np.where(hosts == NOWHERE, NOWHERE, hosts + runs.lengths * runs.unit)
        same &= (hosts[1:] == after[:-1]) & (kinds[1:] != apart)
    first = np.flatnonzero(np.concatenate(([True], ~same)))
    return Runs(
        kinds[first],
        np.add.reduceat(runs.lengths, first),
        runs.unit,
        runs.exact,
        None if hosts is None else hosts[first],
    )
