"""What the structures and the table entries of an image claim of the image file, byte by byte.

In: an image's layout, or the metadata of version 1. Out: `Claims` on a stretch of the file.
Refuses: nothing; what lies past the end of the file claims nothing.

The tables are read again for each stretch, but only those that reach into it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.arrays import Flags, Numbers, Words
from qcowspec.check.tiles import Claims, Kind
from qcowspec.guest.inflate import stream_end
from qcowspec.guest.layers import INFLATING
from qcowspec.sources.source import Source
from qcowspec.spec.entries import Frame, L2Entries, Qcow1L2Entries
from qcowspec.spec.units import Geometry

FARTHEST = 1 << 62
"""No guest or host offset that is counted with lies past this one: sums stay within 64 bits."""


class Claimant(ABC):
    """An image whose claims are asked for, stretch by stretch."""

    @abstractmethod
    def fill(self, claims: Claims) -> None:
        """Claim bytes of a stretch of the file; what is left is free, or was not followed."""


class HeaderClaims(Claimant):
    """The claims of an image of which nothing is known but its header."""

    def __init__(self, length: int) -> None:
        """Take the header's bytes."""
        self._length = length

    def fill(self, claims: Claims) -> None:
        """See `Claimant`."""
        claims.add_one(Kind.HEADER, 0, self._length)


class ClusterClaims(Claimant):
    """An image whose entries locate clusters and payloads."""

    def __init__(self, source: Source, geometry: Geometry, *, deep: bool, zstd: bool) -> None:
        self.source, self.geometry = source, geometry
        self.size = geometry.cluster_size
        self._deep, self._zstd = deep, zstd

    def _clusters(
        self,
        claims: Claims,
        view: L2Entries | Qcow1L2Entries,
        left: Numbers,
        states: tuple[Flags, Flags],
    ) -> None:
        """Claim the clusters that some L2 entries locate.

        Args:
            claims: The claims on a stretch.
            view: The entries.
            left: Bytes of the disk from each one's guest offset on, or 0 past its end.
            states: Which the active state has, and which the snapshots.
        """
        active, inactive = states
        host, wanted = view.offset.astype(np.int64), left > 0
        used = np.minimum(left, self.size)
        plain = view.data
        for kind, chosen in ((Kind.DATA, active), (Kind.SNAPSHOT_DATA, inactive)):
            hit = np.flatnonzero(plain & chosen & wanted)
            if isinstance(view, L2Entries) and view.extended:
                self._subclusters(claims, kind, host[hit], used[hit], view.bitmap[hit])
            else:
                claims.add(kind, host[hit], host[hit] + used[hit])
        cut = plain & (left < self.size)
        claims.add(Kind.BEYOND_DISK, (host + used)[cut], host[cut] + self.size)
        self._payloads(claims, view, wanted, states)

    def _subclusters(
        self, claims: Claims, kind: Kind, host: Numbers, used: Numbers, bitmap: Words
    ) -> None:
        """Claim the allocated subclusters of some clusters."""
        view = L2Entries(np.zeros_like(bitmap), Frame(self.geometry), 0, bitmap)
        parts = c.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER
        shifts = np.arange(parts, dtype=np.uint64)
        has = (view.allocated_subclusters[:, None] >> shifts & np.uint64(1)).astype(bool)
        edge = np.zeros((len(has), 1), bool)
        steps = np.diff(np.hstack([edge, has, edge]).astype(np.int8), axis=1)
        row, first = np.nonzero(steps == 1)
        last = np.nonzero(steps == -1)[1]
        step = self.size // parts
        ends = np.minimum(last * step, used[row])
        claims.add(kind, host[row] + first * step, host[row] + ends)

    def _payloads(
        self,
        claims: Claims,
        view: L2Entries | Qcow1L2Entries,
        wanted: Flags,
        states: tuple[Flags, Flags],
    ) -> None:
        """Claim compressed clusters: the payload, and what the entry claims after it."""
        start, end = view.coffset.astype(np.int64), view.csize.astype(np.int64)
        end += start
        inside = view.compressed & (start < claims.end)
        if self.geometry.version == 1:
            inside &= end > claims.start
        else:  # whole clusters are taken
            inside &= end > claims.start - self.size
        hit = np.flatnonzero(inside)
        if not len(hit):
            return
        start, end, wanted = start[hit], end[hit], wanted[hit]
        stops = self._stops(start, end) if self._deep else end
        kinds = Kind.COMPRESSED, Kind.SNAPSHOT_COMPRESSED
        for kind, chosen in zip(kinds, states, strict=True):
            mine = chosen[hit] & wanted
            claims.add(kind, start[mine], stops[mine])
        claims.add(Kind.BEYOND_DISK, start[~wanted], end[~wanted])
        if self.geometry.version == 1:
            claims.add(Kind.COMPRESSED_PADDING, start, end)
        else:
            mask = -self.size
            claims.add(Kind.COMPRESSED_PADDING, start & mask, (end + self.size - 1) & mask)

    def _stops(self, start: Numbers, end: Numbers) -> Numbers:
        """Where payloads end that entries claim to reach from `start` to `end`."""
        pairs, inverse = np.unique(np.stack([start, end], axis=1), axis=0, return_inverse=True)

        def stop(pair: list[int]) -> int:
            first, last = pair
            data = self.source.read_at(first, last - first).ljust(last - first, b"\0")
            return first + stream_end(data, self.size, zstd=self._zstd)

        found = np.fromiter(INFLATING.map(stop, pairs.tolist()), np.int64, len(pairs))
        stops: Numbers = found[inverse.ravel()]
        return stops
