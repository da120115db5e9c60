"""The block status of each stretch of a virtual disk, as ``qemu-img map`` shows it.

In: the layers of a disk. Out: `Status`, arrays that tile a range: the layer that decides, whether
it has data, whether they are known zeros, and where they are. Refuses: what a mapping refuses.

Source: block/io.c: bdrv_co_block_status; block/qcow2.c: qcow2_co_block_status; block/qcow.c:
qcow_co_block_status; block/file-posix.c: raw_co_block_status; qemu-img.c: get_block_status,
entry_mergeable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntFlag

import numpy as np
import numpy.typing as npt

from qcowspec.chain import Layer
from qcowspec.errors import QcowError
from qcowspec.guest.disk import Disk
from qcowspec.guest.holes import Holes, is_preallocated, split_at_holes
from qcowspec.guest.losses import Loss
from qcowspec.mapping import NOWHERE, Extents, Kind, Mapping
from qcowspec.mapping.dirty import Dirty
from qcowspec.mapping.spans import (
    Offsets,
    Ranges,
    Rows,
    Spans,
    adjacent,
    aligned,
    join_batches,
)
from qcowspec.sources.source import Source

FEW = 16
"""Most stretches of the backing file that are looked up there one by one. For more, the backing
file's status of the whole range is computed once, which costs less for each."""

WINDOW = 4 << 30
"""Bytes of data whose holes are looked up at a time: a file may have one every few KiB."""


class Flag(IntFlag):
    """What is known of a stretch; 0 if the backing file decides."""

    DATA = 1
    """Its bytes are to be read: BDRV_BLOCK_DATA."""
    ZERO = 2
    """They are zeros: BDRV_BLOCK_ZERO."""
    PRESENT = 4
    """The layer decides, not its backing file: BDRV_BLOCK_ALLOCATED."""
    COMPRESSED = 8
    """They are compressed: BDRV_BLOCK_COMPRESSED, since QEMU 8.2."""
    LOST = 32
    """They are not what the guest wrote; only in a salvage. 16 is PLACED, in `transfer.strict`."""
    DIRTY = 64
    """A bitmap marks them as written to; see `with_dirty`."""


@dataclass(frozen=True, slots=True)
class Status(Spans):
    """Stretches of a virtual disk that leave no gap, as arrays of shape (n,).

    Attributes:
        starts: Guest offsets in bytes, dtype uint64, rising.
        lengths: Bytes of each, dtype uint64, above 0.
        depths: The layer that decides, dtype uint16; 0 is the image itself.
        flags: Sums of `Flag`, dtype uint8.
        offsets: Host offsets in that layer's data, in bytes, dtype uint64; `NOWHERE` if the bytes
            are not stored as they are, because they are compressed, encrypted or not allocated.
    """

    starts: Offsets
    lengths: Offsets
    depths: npt.NDArray[np.uint16]
    flags: npt.NDArray[np.uint8]
    offsets: Offsets

    def joined(self) -> Status:
        """The same with neighbours made one where QEMU does: qemu-img.c: entry_mergeable."""
        if len(self) < 2:
            return self
        same = (self.flags[1:] == self.flags[:-1]) & (self.depths[1:] == self.depths[:-1])
        return self.merged(same & adjacent(self.offsets, self.lengths))

    def parts(self, rows: Rows, starts: Offsets, lengths: Offsets) -> Status:
        """See `Spans.parts`; `offsets` move along."""
        whole = self.take(rows)
        ahead = np.where(whole.offsets == NOWHERE, np.uint64(0), starts - whole.starts)
        return replace(whole, starts=starts, lengths=lengths, offsets=whole.offsets + ahead)


def block_status(
    disk: Disk,
    offset: int = 0,
    length: int | None = None,
    *,
    holes: bool = True,
    present: bool = True,
    compressed: bool = True,
) -> Iterator[Status]:
    """The status of a range as far as the disk goes, a bounded number of stretches at a time.

    Neighbours are joined as QEMU joins them, from one batch to the next as well.

    Args:
        disk: The virtual disk; all files that it needs are opened.
        offset: Where the range starts, in bytes.
        length: Its bytes; None for all that follow.
        holes: Look for holes in raw files, and in images with preallocated metadata.
        present: Set `Flag.PRESENT`; QEMU's change ``map-present``.
        compressed: Set `Flag.COMPRESSED`; its change ``map-compressed``.

    Raises:
        Invalid: A table entry on the way breaks a rule.
        Refused: A file that the disk needs is not opened by the gate.
        Unreadable: A source failed.
    """
    disk.open_all()
    end = disk.size if length is None else min(disk.size, offset + length)
    if offset >= end:
        return
    kept = np.uint8(
        0xFF - (0 if present else Flag.PRESENT) - (0 if compressed else Flag.COMPRESSED)
    )
    walk = _Walk(disk.layers, holes=holes, kept=kept, sound=disk.losses is None)
    yield from join_batches(walk.walk(0, offset, end))


def within(batches: Iterable[Status], ranges: Iterable[Ranges]) -> Iterator[Status]:
    """The status of some ranges, cut at their ends.

    Args:
        batches: The status of a range that holds them all.
        ranges: The ranges, rising.
    """
    coming = iter(ranges)
    wanted = next(coming, None)
    for batch in batches:
        while wanted is not None and wanted.start < batch.end:
            if len(inner := wanted.cut(batch.start, batch.end)):
                yield batch.within(inner.starts, inner.ends)
            if wanted.end > batch.end:
                break
            wanted = next(coming, None)
        if wanted is None:
            return


def with_losses(batches: Iterable[Status], losses: Iterable[Loss]) -> Iterator[Status]:
    """The same, cut where losses begin and end, and marked where something is lost.

    Args:
        batches: The status of a range.
        losses: What is lost, rising and apart.
    """
    found = [(each.offset, each.end) for each in losses]
    starts = np.array([start for start, _ in found], np.uint64)
    ends = np.array([end for _, end in found], np.uint64)
    for batch in batches:
        low = int(np.searchsorted(ends, np.uint64(batch.start), side="right"))
        high = int(np.searchsorted(starts, np.uint64(batch.end), side="left"))
        if low >= high:
            yield batch
            continue
        marks = np.union1d(batch.starts, np.concatenate((starts[low:high], ends[low:high])))
        part = batch.split(marks[(marks >= batch.start) & (marks < batch.end)])
        lost = np.searchsorted(starts, part.starts, side="right") > np.searchsorted(
            ends, part.starts, side="right"
        )
        part.flags[lost] |= np.uint8(Flag.LOST)
        yield part.joined()


def with_dirty(batches: Iterable[Status], dirty: Iterable[Dirty]) -> Iterator[Status]:
    """The same, cut where a bitmap's dirty ranges begin and end, and marked where it is dirty.

    Args:
        batches: The status of a range.
        dirty: What the bitmap says of the same range.
    """
    for status, marks in aligned(iter(batches), iter(dirty)):
        flags = status.flags | np.where(marks.dirty, np.uint8(Flag.DIRTY), np.uint8(0))
        yield replace(status, flags=flags)


def dirty_only(batches: Iterable[Status]) -> Iterator[Status]:
    """Those of them that are marked as dirty."""
    return (batch.take(batch.flags & Flag.DIRTY != 0) for batch in batches)


class _Walk:
    """Computes the status of a range, layer by layer."""

    def __init__(self, layers: list[Layer], *, holes: bool, kept: np.uint8, sound: bool) -> None:
        self._layers = layers
        self._sound = sound  # if not, refcounts may be anything
        self._holes = holes
        self._kept = kept  # the flags that are set
        self._flags = _FLAGS & kept
        self._looks: dict[int, bool] = {}

    def walk(self, depth: int, start: int, end: int) -> Iterator[Status]:
        """The status of a range that lies within a layer's disk."""
        layer = self._layers[depth]
        limit = self._layers[depth + 1].size if depth + 1 < len(self._layers) else 0
        for batch in self._batches(depth, layer.mapping, start, end):
            if not (batch.kinds == Kind.BACKING).any():
                yield self._own(depth, batch)
                continue
            if batch.start < limit:
                yield from self._through(depth, batch.cut(batch.start, limit))
            if limit < batch.end:
                # Past the end of the backing file the layer itself gives zeros.
                own = self._own(depth, batch.cut(limit, batch.end))
                yield replace(own, flags=np.where(own.flags == 0, np.uint8(Flag.ZERO), own.flags))

    def _batches(self, depth: int, mapping: Mapping, start: int, end: int) -> Iterator[Extents]:
        """A layer's extents, of `WINDOW` bytes of data at a time if holes are looked up."""
        for batch in mapping.batches(start, end - start):
            if self._asks(depth):
                yield from _windows(batch, self._layers[depth].data)
            else:
                yield batch

    def _through(self, depth: int, extents: Extents) -> Iterator[Status]:
        """Extents of a layer, some of which its backing file decides."""
        start, end = extents.start, extents.end
        if np.count_nonzero(extents.kinds == Kind.BACKING) <= FEW:
            yield from self._one_by_one(depth, extents)
            return
        try:
            for lower in self.walk(depth + 1, start, end):
                upper = self._own(depth, extents.cut(lower.start, lower.end))
                start = lower.end
                yield _overlaid(upper, lower)
        except QcowError:
            # The broken part may be hidden by this layer: only what shows is looked up.
            yield from self._one_by_one(depth, extents.cut(start, end))

    def _one_by_one(self, depth: int, extents: Extents) -> Iterator[Status]:
        for part in extents.sections():
            if part.kinds[0] == Kind.BACKING:
                yield from self.walk(depth + 1, part.start, part.end)
            else:
                yield self._own(depth, part)

    def _own(self, depth: int, extents: Extents) -> Status:
        """The status by one layer alone; flags are 0 where its backing file decides."""
        layer = self._layers[depth]
        offsets = extents.hosts
        hidden = extents.kinds == Kind.COMPRESSED
        if layer.decryptor is not None:
            offsets = np.full(len(extents), NOWHERE, np.uint64)
        elif hidden.any():
            offsets = np.where(hidden, np.uint64(NOWHERE), offsets)
        status = Status(
            extents.offsets,
            extents.lengths,
            np.full(len(extents), depth, np.uint16),
            self._flags[extents.kinds],
            offsets,
        ).joined()
        if not self._asks(depth):
            return status
        wanted = (status.flags & Flag.DATA != 0) & (status.offsets != NOWHERE)
        if not wanted.any():
            return status
        return _with_holes(status, wanted, layer, self._kept)

    def _asks(self, depth: int) -> bool:
        """Whether the holes of a layer's file are looked up."""
        if depth not in self._looks:
            layer = self._layers[depth]
            looks = layer.metadata is None or (self._sound and is_preallocated(layer))
            self._looks[depth] = self._holes and looks
        return self._looks[depth]


def _windows(batch: Extents, file: Source) -> Iterator[Extents]:
    """Extents in parts of `WINDOW` bytes of data, so that each part has few holes of the file.

    A part is longer if data end in a hole or in data without one: it goes on to the end of that.
    """
    data = np.where(batch.kinds == Kind.DATA, batch.lengths, np.uint64(0))
    sums, start, enough = np.cumsum(data), batch.start, WINDOW
    while len(batch) and enough < int(sums[-1]):
        index = int(np.searchsorted(sums, np.uint64(enough)))
        left = int(sums[index]) - enough  # of the extent in which the part ends
        host = int(batch.hosts[index] + batch.lengths[index]) - left
        more = min(left, Holes(file).alike_until(host) - host)
        at = int(batch.offsets[index] + batch.lengths[index]) - left + more
        yield batch.cut(start, at)
        start, enough = at, enough + more + WINDOW
    if start < batch.end:
        yield batch.cut(start, batch.end)


_FLAGS = np.zeros(len(Kind), np.uint8)
_FLAGS[Kind.DATA] = Flag.DATA | Flag.PRESENT
_FLAGS[Kind.COMPRESSED] = Flag.DATA | Flag.PRESENT | Flag.COMPRESSED
_FLAGS[Kind.ZERO] = Flag.ZERO | Flag.PRESENT
_FLAGS[Kind.UNALLOCATED] = Flag.ZERO
_FLAGS[Kind.LOST] = Flag.ZERO | Flag.PRESENT | Flag.LOST


def _with_holes(
    status: Status, wanted: npt.NDArray[np.bool_], layer: Layer, kept: np.uint8
) -> Status:
    """Stretches cut where their file has holes, and the holes marked as zeros."""
    rows, ahead, lengths, hole = split_at_holes(layer.data, status.offsets, status.lengths, wanted)
    found = status.parts(rows, status.starts[rows] + ahead, lengths)
    # A hole of a raw file is not data; one in an image's data is both (block/io.c:
    # BDRV_BLOCK_RECURSE).
    zero = Flag.ZERO | Flag.PRESENT | (Flag(0) if layer.metadata is None else Flag.DATA)
    found.flags[hole] = np.uint8(zero) & kept
    return found.joined()


def _overlaid(upper: Status, lower: Status) -> Status:
    """The status of one range by two layers: the lower one's where the upper's flags are 0."""
    marks = np.union1d(upper.starts, lower.starts)
    upper, lower = upper.split(marks), lower.split(marks)
    defers = upper.flags == 0
    columns = zip(lower.columns(), upper.columns(), strict=True)
    return Status(*(np.where(defers, below, own) for below, own in columns)).joined()
