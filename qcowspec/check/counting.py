"""References to clusters, counted: one array element a cluster, for a stretch of the image file.

In: clusters that something references. Out: how often each is referenced, and by what. Refuses:
nothing; what lies outside the stretch is left to another `Window`.

The arrays are as small as the references allow: counts grow wider only where a count comes near
the limit of the narrow ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qcowspec.check.arrays import Counts, Flags, Numbers
from qcowspec.check.ownership import Owner, OwnerMap

SPREAD = 4
"""Clusters from the first to the last of a batch, per reference, up to which they are counted side
by side."""

CHUNK = 1 << 20
"""Clusters that are compared at a time."""

WIDER: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(np.uint16): np.dtype(np.uint32),
    np.dtype(np.uint32): np.dtype(np.uint64),
}


class Window:
    """Neighbouring clusters, and their references so far.

    Attributes:
        first: The number of the first cluster.
        count: How many there are.
        counts: References to each.
        owners: What references each.
        stored: The refcount of each, as the image has it.
    """

    def __init__(self, first: int, count: int, stored: Counts) -> None:
        self.first, self.count = first, count
        self.counts: Counts = np.zeros(count, np.uint16)
        self.owners: OwnerMap = np.zeros(count, np.uint16)
        self.stored = stored
        self._highest, self._met = 0, Owner(0)

    @property
    def end(self) -> int:
        """The number of the first cluster after it."""
        return self.first + self.count

    def add(self, clusters: Numbers, owner: Owner, weight: int = 1, *, alone: bool = False) -> None:
        """Count references.

        Args:
            clusters: Numbers of clusters, in any order, with repeats, inside or outside.
            owner: What references them.
            weight: How often each reference counts.
            alone: Whether it references no cluster twice in an image without faults.
        """
        if not weight or not len(clusters):
            return
        low, high = int(clusters.min()), int(clusters.max())
        if low < self.first or high >= self.end:
            clusters = clusters[(clusters >= self.first) & (clusters < self.end)]
            if not len(clusters):
                return
            low, high = int(clusters.min()), int(clusters.max())
        size, bit = high - low + 1, np.uint16(owner)
        self._met |= owner
        place = slice(low - self.first, high + 1 - self.first)
        if size == len(clusters) and (size == 1 or bool((np.diff(clusters) == 1).all())):
            self._reserve(weight)
            self.counts[place] += self.counts.dtype.type(weight)
            self._own(self.owners[place], bit, alone=alone, twice=weight > 1)
        elif size <= SPREAD * len(clusters):
            times = np.bincount(clusters - low, minlength=size)
            most = int(times.max())
            self._reserve(most * weight)
            self.counts[place] += (times if weight == 1 else times * weight).astype(
                self.counts.dtype
            )
            here = self.owners[place]
            hit = times > 0
            if alone:
                again = (here & bit != 0) & hit
                if most * weight > 1:
                    again |= hit if weight > 1 else times > 1
                if again.any():
                    here[again] |= np.uint16(Owner.TWICE)
            here |= hit.astype(np.uint16) * bit
        else:
            unique, times = np.unique(clusters - self.first, return_counts=True)
            most = int(times.max())
            self._reserve(most * weight)
            self.counts[unique] += (times * weight).astype(self.counts.dtype)
            marked = np.full(len(unique), bit)
            if alone:
                again = (self.owners[unique] & bit != 0) | (times * weight > 1)
                marked[again] |= np.uint16(Owner.TWICE)
            self.owners[unique] |= marked

    def add_runs(
        self,
        starts: Numbers,
        ends: Numbers,
        owner: Owner,
        weight: int = 1,
        *,
        alone: bool = False,
    ) -> None:
        """Count references to runs of clusters that do not overlap; see `add`.

        Args:
            starts: The first cluster of each, rising.
            ends: The cluster after each.
            owner: What references them.
            weight: How often each reference counts.
            alone: Whether it references no cluster twice in an image without faults.
        """
        if not weight:
            return
        low = np.clip(starts - self.first, 0, self.count).tolist()
        high = np.clip(ends - self.first, 0, self.count).tolist()
        self._reserve(weight)
        counts, owners, bit = self.counts, self.owners, np.uint16(owner)
        more, looks = counts.dtype.type(weight), alone and (owner in self._met or weight > 1)
        self._met |= owner
        for start, end in zip(low, high, strict=True):
            counts[start:end] += more
            if looks:
                self._own(owners[start:end], bit, alone=True, twice=weight > 1)
            else:
                owners[start:end] |= bit

    def inside(self, clusters: Numbers) -> Flags:
        """Which clusters it has."""
        return (clusters >= self.first) & (clusters < self.end)

    def _own(self, here: OwnerMap, bit: np.uint16, *, alone: bool, twice: bool) -> None:
        """Note an owner of neighbours."""
        if alone:
            again = here & bit
            if twice:
                here |= np.uint16(Owner.TWICE)
            elif again.any():
                here[again != 0] |= np.uint16(Owner.TWICE)
        here |= bit

    def _reserve(self, more: int) -> None:
        """Make sure that every count may grow by this much."""
        self._highest += more
        while self._highest > np.iinfo(self.counts.dtype).max:
            highest = int(self.counts.max()) + more
            if highest > np.iinfo(self.counts.dtype).max:
                self.counts = self.counts.astype(WIDER[self.counts.dtype])
            self._highest = highest
