"""Where guest bytes are, as arrays: many `Run`s at once.

In: arrays of one length, one element an extent. Out: the same joined, cut and walked. Refuses:
nothing.

An extent is a stretch of the virtual disk whose bytes are read in one way. Extents of one `Extents`
are in guest order, have a length above 0 and leave no gap: they tile what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from qcowspec.mapping.runs import KINDS, Kind, Run
from qcowspec.mapping.spans import NOWHERE, Offsets, Rows, Spans, adjacent
from qcowspec.spec.units import GuestOffset, HostOffset

__all__ = ["NOWHERE", "Extents", "Kind", "Run"]


@dataclass(frozen=True, slots=True)
class Extents(Spans):
    """Many extents, as arrays of shape (n,).

    Attributes:
        kinds: `Kind` of each, dtype uint8.
        offsets: Guest offsets in bytes, dtype uint64, rising.
        lengths: Bytes of each, dtype uint64, above 0.
        hosts: Host offsets in bytes, dtype uint64; `NOWHERE` if there is none. For data: of the
            bytes. For a compressed extent: of its payload, to the byte, wherever in the cluster the
            extent starts. For others: of the space that is preallocated.
        payloads: Most bytes of a compressed payload, dtype uint32. For what is lost: the number of
            the broken rule, so that neighbours are lost for one reason. 0 for other kinds.
    """

    kinds: npt.NDArray[np.uint8]
    offsets: Offsets
    lengths: Offsets
    hosts: Offsets
    payloads: npt.NDArray[np.uint32]

    @property
    def starts(self) -> Offsets:
        """The same as `offsets`; see `Spans`."""
        return self.offsets

    def runs(self) -> Iterator[Run]:
        """Each extent as a `Run`."""
        for kind, offset, length, host, payload in zip(
            *(column.tolist() for column in self.columns()), strict=True
        ):
            where = None if host == NOWHERE else HostOffset(host)
            yield Run(KINDS[kind], GuestOffset(offset), length, where, payload)

    def joined(self) -> Extents:
        """The same with neighbours made one: of a kind, and adjacent in the host file too.

        Compressed extents stay apart, each with its payload.
        """
        if len(self) < 2:
            return self
        same = (self.kinds[1:] == self.kinds[:-1]) & (self.kinds[1:] != Kind.COMPRESSED)
        same &= self.payloads[1:] == self.payloads[:-1]
        same &= self.offsets[1:] == self.ends[:-1]
        return self.merged(same & adjacent(self.hosts, self.lengths))

    def parts(self, rows: Rows, starts: Offsets, lengths: Offsets) -> Extents:
        """See `Spans.parts`; host offsets move along, but for payloads'."""
        whole = self.take(rows)
        moves = (whole.hosts != NOWHERE) & (whole.kinds != Kind.COMPRESSED)
        hosts = whole.hosts + np.where(moves, starts - whole.offsets, np.uint64(0))
        return replace(whole, offsets=starts, lengths=lengths, hosts=hosts)

    def sections(self) -> Iterator[Extents]:
        """The same in parts, each with all of its extents from the backing file, or with none."""
        edges = np.flatnonzero(np.diff(self.kinds == Kind.BACKING)) + 1
        for low, high in pairwise([0, *edges.tolist(), len(self)]):
            if low < high:
                yield self.take(slice(low, high))

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

    @classmethod
    def chained(cls, parts: Sequence[Extents]) -> Extents:
        """Extents of ranges that follow one another; none of no parts."""
        return super(Extents, cls).chained(parts) if parts else Extents.of(())
