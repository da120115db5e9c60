"""Where guest bytes are, as arrays: many `Run`s at once.

In: arrays of one length, one element an extent. Out: the same joined, cut and walked. Refuses:
nothing.

An extent is a stretch of the virtual disk whose bytes are had in one way. Extents of one `Extents`
are in guest order, have a length above 0 and leave no gap: they tile what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qcowspec.mapping.runs import KINDS, Kind, Run
from qcowspec.spec.units import GuestOffset, HostOffset

__all__ = ["NOWHERE", "Extents", "Kind", "Offsets", "Run"]

Offsets = npt.NDArray[np.uint64]


NOWHERE = 0xFFFF_FFFF_FFFF_FFFF
"""The host offset of an extent that has none."""


@dataclass(frozen=True, slots=True)
class Extents:
    """Many extents, as arrays of shape (n,).

    Attributes:
        kinds: `Kind` of each, dtype uint8.
        offsets: Guest offsets in bytes, dtype uint64, rising.
        lengths: Bytes of each, dtype uint64, above 0.
        hosts: Host offsets in bytes, dtype uint64; `NOWHERE` where there is none. Of data: where
            they are. Of a compressed extent: of its payload, to the byte, wherever in the cluster
            the extent starts. Of others: of the space that is set aside for them.
        payloads: Bytes of a compressed payload at most, dtype uint32. Of what is lost: the number
            of the broken rule, so that neighbours are lost for one reason. 0 for other kinds.
    """

    kinds: npt.NDArray[np.uint8]
    offsets: Offsets
    lengths: Offsets
    hosts: Offsets
    payloads: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def start(self) -> int:
        """Guest offset of the first byte."""
        return int(self.offsets[0]) if len(self) else 0

    @property
    def end(self) -> int:
        """Guest offset behind the last byte."""
        return int(self.offsets[-1] + self.lengths[-1]) if len(self) else 0

    def runs(self) -> Iterator[Run]:
        """Each extent as a `Run`."""
        columns = (self.kinds, self.offsets, self.lengths, self.hosts, self.payloads)
        for kind, offset, length, host, payload in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            where = None if host == NOWHERE else HostOffset(host)
            yield Run(KINDS[kind], GuestOffset(offset), length, where, payload)

    def take(self, chosen: npt.NDArray[np.bool_] | slice) -> Extents:
        """Some of the extents."""
        return Extents(
            self.kinds[chosen],
            self.offsets[chosen],
            self.lengths[chosen],
            self.hosts[chosen],
            self.payloads[chosen],
        )

    def joined(self) -> Extents:
        """The same with neighbours made one: of a kind, and adjacent in the host file too.

        Compressed extents stay apart, each with its payload.
        """
        if len(self) < 2:
            return self
        same = self.kinds[1:] == self.kinds[:-1]
        same &= self.payloads[1:] == self.payloads[:-1]
        placed = self.hosts != NOWHERE
        follows = self.hosts[1:] == self.hosts[:-1] + self.lengths[:-1]
        adjacent = np.where(placed[1:] & placed[:-1], follows, placed[1:] == placed[:-1])
        adjacent &= self.offsets[1:] == self.offsets[:-1] + self.lengths[:-1]
        starts = np.concatenate(([True], ~(same & adjacent & (self.kinds[1:] != Kind.COMPRESSED))))
        first = np.flatnonzero(starts)
        return Extents(
            self.kinds[first],
            self.offsets[first],
            np.add.reduceat(self.lengths, first),
            self.hosts[first],
            self.payloads[first],
        )

    def cut(self, start: int, end: int) -> Extents:
        """What lies in the guest range [start, end)."""
        if not len(self) or start >= end:
            return self.take(slice(0, 0))
        first = max(0, int(np.searchsorted(self.offsets, np.uint64(start), side="right")) - 1)
        behind = int(np.searchsorted(self.offsets, np.uint64(end), side="left"))
        inner = self.take(slice(first, behind))
        if not len(inner) or inner.end <= start:
            return self.take(slice(0, 0))
        offsets, lengths, hosts = inner.offsets.copy(), inner.lengths.copy(), inner.hosts.copy()
        if offsets[0] < start:
            ahead = np.uint64(start) - offsets[0]
            offsets[0] += ahead
            lengths[0] -= ahead
            if hosts[0] != NOWHERE and inner.kinds[0] != Kind.COMPRESSED:
                hosts[0] += ahead
        if offsets[-1] + lengths[-1] > end:
            lengths[-1] = np.uint64(end) - offsets[-1]
        return Extents(inner.kinds, offsets, lengths, hosts, inner.payloads)

    @staticmethod
    def of(runs: Sequence[Run]) -> Extents:
        """Extents from runs in guest order."""
        return Extents(
            np.array([run.kind for run in runs], np.uint8),
            np.array([run.offset for run in runs], np.uint64),
            np.array([run.length for run in runs], np.uint64),
            np.array(
                [NOWHERE if run.host_offset is None else run.host_offset for run in runs], np.uint64
            ),
            np.array([run.compressed_length for run in runs], np.uint32),
        )

    @staticmethod
    def chained(parts: Sequence[Extents]) -> Extents:
        """Extents of ranges that follow one another."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return Extents.of(())
        return Extents(
            np.concatenate([part.kinds for part in parts]),
            np.concatenate([part.offsets for part in parts]),
            np.concatenate([part.lengths for part in parts]),
            np.concatenate([part.hosts for part in parts]),
            np.concatenate([part.payloads for part in parts]),
        )
