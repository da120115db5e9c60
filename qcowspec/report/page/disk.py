"""Where the bytes of the guest's disk are, in the active state and in each snapshot.

In: an opened image, however broken. Out: the runs of each state, their sums, and plots. Refuses:
nothing; what was not looked at is said. No second file is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from qcow_parsers import constants as c

from qcowspec.chain.salvage import Tolerant, located
from qcowspec.errors import QcowError
from qcowspec.mapping import Extents, Kind, Mapping, volume_of, walk_of
from qcowspec.mapping.spans import join_batches
from qcowspec.report.page import room, tiles
from qcowspec.report.page.catalogue import NOT_LOOKED_AT, STATE_WORDS
from qcowspec.report.page.tiles import Collected, Numbers, Runs
from qcowspec.report.words import moment, plural, quoted
from qcowspec.spec.units import whole_sectors

if TYPE_CHECKING:
    from qcow_parsers import Qcow2

    from qcowspec.image import Image
    from qcowspec.mapping import Volume
    from qcowspec.spec.metadata import Metadata

MOST_STATES = 64
"""States that are shown, the active one among them."""

WORK = 1 << 26
"""L2 entries that are looked at, of all states together."""

FARTHEST = 1 << 53
"""No disk is mapped that ends past this: a page's numbers are exact up to here."""

WORDS = {
    Kind.DATA: "data",
    Kind.COMPRESSED: "compressed",
    Kind.ZERO: "zero",
    Kind.BACKING: "unallocated",
    Kind.UNALLOCATED: "unallocated",
    Kind.LOST: "lost",
}
"""The state of a run, by the mapping's kind; with a data file, data are there."""

NUMBERS = np.array([STATE_WORDS.index(WORDS[kind]) for kind in Kind], np.int64)
COMPRESSED, DATA_FILE, UNSEEN = map(STATE_WORDS.index, ("compressed", "data-file", NOT_LOOKED_AT))

PERCENT = 10
"""The steps of the plot of payloads."""

Took = Callable[[Extents], None]


@dataclass(slots=True)
class State:
    """One state of the disk.

    Attributes:
        name: Its name; None for the active state.
        id: Its ID; None for the active state.
        date: When it was taken.
        size: Bytes of its disk.
        runs: The disk, run by run.
        sums: Bytes of each state of runs.
    """

    name: str | None
    id: str | None
    date: str | None
    size: int
    runs: Runs
    sums: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """The same as JSON has it."""
        who = {"name": self.name, "id": self.id, "date": self.date, "size": self.size}
        return {**who, "runs": self.runs.as_json("states"), "sums": self.sums}


@dataclass(slots=True)
class Plots:
    """What the plots are drawn from: the active state's runs of data, and its payloads."""

    lengths: Numbers = field(default_factory=lambda: np.zeros(65, np.int64))
    ratios: Numbers = field(default_factory=lambda: np.zeros(256, np.int64))
    payload: int = 0
    guest: int = 0

    def add(self, batch: Extents, cluster_size: int) -> None:
        """Add some runs of the active state."""
        data = batch.lengths[batch.kinds == Kind.DATA].astype(np.float64)
        powers = np.ceil(np.log2(data)).astype(np.int64)
        self.lengths += np.bincount(powers, minlength=len(self.lengths))
        chosen = batch.kinds == Kind.COMPRESSED
        payloads = batch.payloads[chosen].astype(np.int64)
        self.payload += int(payloads.sum())
        self.guest += int(batch.lengths[chosen].sum())
        steps = -(-payloads * 100 // (cluster_size * PERCENT))
        steps = np.minimum(steps, len(self.ratios) - 1)
        self.ratios += np.bincount(steps, minlength=len(self.ratios))

    def as_json(self, states: list[State]) -> dict[str, Any]:
        """The plots as JSON has them."""
        lengths, ratios = np.flatnonzero(self.lengths), np.flatnonzero(self.ratios)
        compression = {
            "clusters": int(self.ratios.sum()),
            "payload": self.payload,
            "guest": self.guest,
            "histogram": [[step * PERCENT, int(self.ratios[step])] for step in _all(ratios)],
        }
        return {
            "extents": {
                "count": int(self.lengths.sum()),
                "histogram": [[1 << power, int(self.lengths[power])] for power in _all(lengths)],
            },
            "compression": compression if len(ratios) else None,
            "allocation": [[_named(state), state.sums] for state in states],
        }


def _all(found: Numbers) -> range:
    """From the first number to the last."""
    return range(int(found[0]), int(found[-1]) + 1) if len(found) else range(0)


def _named(state: State) -> str:
    return "active" if state.id is None else room.short(f"{state.id} {state.name}", 24)


class Disk:
    """The states of an image's disk.

    Attributes:
        states: The active state, and the first snapshots.
        states_left: How many snapshots are not among them.
        plots: What the plots are drawn from.
        left_out: What was not looked at, a sentence each.
    """

    def __init__(self, image: Image) -> None:
        """Look at the tables of all states, as far as `WORK` reaches."""
        self.states: list[State] = []
        self.plots = Plots()
        self.left_out: list[str] = []
        self._work = WORK
        self._known: dict[tuple[int, int, int], State] = {}
        snapshots = image.snapshots
        shown = min(len(snapshots), MOST_STATES - 1)
        self.states_left = len(snapshots) - shown
        self._room, self._most = room.DISK // (shown + 1), tiles.MOST_RUNS // (shown + 1)
        self.size = 0 if image.metadata.header is None else whole_sectors(image.header.size)
        tables = Tolerant(image.source)
        try:
            metadata = located(image.machine, tables)
        except QcowError as error:
            self.left_out.append(f"The guest's disk: {error.args[0]}.")
            self.states_left += shown
            return
        for index in range(-1, shown):
            try:
                self._add(metadata, tables, None if index < 0 else snapshots[index])
            except QcowError as error:
                what = "The active state" if index < 0 else f"Snapshot {index + 1}"
                self.left_out.append(f"{what}: {error.args[0]}.")
                self.states_left += index >= 0
        if self.states_left:
            self.left_out.append(
                f"The disk's state in {plural(self.states_left, 'more snapshot')}."
            )

    def as_json(self) -> dict[str, Any]:
        """The disk as JSON has it."""
        states = [state.as_json() for state in self.states]
        return {"size": self.size, "states": states, "states_left": self.states_left}

    def _add(self, metadata: Metadata, tables: Tolerant, snapshot: Qcow2.Snapshot | None) -> None:
        """Look at one state."""
        volume = volume_of(metadata, tables, snapshot=snapshot, salvage=True)
        name = identity = date = None
        if snapshot is not None:
            name, identity = (room.short(quoted(each)) for each in (snapshot.name, snapshot.id_str))
            date = moment(snapshot.date_sec)
        table = volume.l1_table
        key = int(table.offset), table.count, volume.size
        known = self._known.get(key)
        if known is None:
            walk = walk_of(metadata, tables, snapshot=snapshot, salvage=True)
            runs, sums = self._looked_at(volume, walk.arrays, active=snapshot is None)
            known = State(None, None, None, volume.size, runs, sums)
            self._known[key] = known
        self.states.append(State(name, identity, date, known.size, known.runs, known.sums))

    def _looked_at(
        self, volume: Volume, mapping: Mapping, *, active: bool
    ) -> tuple[Runs, dict[str, int]]:
        """The runs of a state, and their sums."""
        size = volume.size
        numbers = NUMBERS.copy()
        if volume.data_file:
            numbers[Kind.DATA] = DATA_FILE
        if size > FARTHEST:
            self.left_out.append(f"A disk of {size:,} bytes: it is larger than a page can show.")
            return _unseen(size), {NOT_LOOKED_AT: size}
        end = min(self._within(volume), size)
        found = Collected(
            size, len(STATE_WORDS), located=True, apart=COMPRESSED, most=max(2, self._most)
        )
        for batch in join_batches(mapping.batches(0, end)) if end else ():
            found.add(
                batch.starts.astype(np.int64),
                batch.lengths.astype(np.int64),
                numbers[batch.kinds],
                batch.hosts.astype(np.int64),  # NOWHERE becomes -1
            )
            if active:
                self.plots.add(batch, volume.geometry.cluster_size)
        if end < size:
            rest = [np.array([each], np.int64) for each in (end, size - end, UNSEEN, tiles.NOWHERE)]
            found.add(*rest)
            what = "the active state" if active else "a snapshot"
            self.left_out.append(f"The disk of {what} from guest offset {end:#x} on.")
        sums = {STATE_WORDS[index]: int(found.sums[index]) for index in np.flatnonzero(found.sums)}
        return found.runs(self._room), sums

    def _within(self, volume: Volume) -> int:
        """The guest offset up to which the tables may be looked at; takes the work off `_work`."""
        table, span = volume.l1_table, volume.geometry.l2_span
        words = np.frombuffer(table.data, np.uint64, len(table.data) // 8)
        entries = span // volume.geometry.cluster_size
        work = np.cumsum(np.where(words != 0, entries, 1))
        most = int(np.searchsorted(work, self._work, side="right"))
        if most < len(words):
            self._work = 0
            return most * span
        self._work -= int(work[-1]) if len(words) else 0
        return volume.size


def _unseen(size: int) -> Runs:
    """A disk that was not looked at."""
    unit = c.BDRV_SECTOR_SIZE
    kinds, lengths, hosts = (np.array([n]) for n in (UNSEEN, size // unit, tiles.NOWHERE))
    return Runs(kinds, lengths, unit, True, hosts)
