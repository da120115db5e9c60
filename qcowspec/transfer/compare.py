"""Two virtual disks, byte by byte.

In: two disks. Out: whether they are the same, or the first difference. Refuses: what reading
refuses.

What both disks know to be zeros is not read. The rest is read in pieces, from both disks at once
and one piece ahead.

Source: qemu-img.c: img_compare.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum

import numpy as np
from qcow_parsers import constants as c

from qcowspec.guest import Disk
from qcowspec.guest.status import Flag, Status, block_status
from qcowspec.mapping.spans import Ranges, aligned
from qcowspec.sources.threads import Threads
from qcowspec.transfer.strict import Strict

PIECE = 2 << 20
"""Bytes that are compared at a time, as qemu-img does."""

Progress = Callable[[int], None]


class Outcome(Enum):
    """The result of a comparison."""

    SAME = "same"
    SIZE = "size"
    """The sizes differ; in strict mode only."""
    STATUS = "status"
    """A range is allocated differently; in strict mode only."""
    CONTENT = "content"


class Step(Enum):
    """What a comparison is doing, for messages about errors."""

    STATUS = "status"
    READING = "reading"


@dataclass(frozen=True, slots=True)
class Answer:
    """How two disks compare.

    Attributes:
        outcome: Whether they are the same, or else what differs first.
        offset: Guest offset of the first difference, in bytes; None if there is none.
        resized: The sizes differ, and all bytes up to the shorter disk's end are the same.
    """

    outcome: Outcome
    offset: int | None = None
    resized: bool = False


@dataclass(frozen=True, slots=True)
class _Piece:
    """Adjacent ranges that are being read from both disks."""

    ranges: Ranges
    left: Future[bytes | bytearray]
    right: Future[bytes | bytearray]


class Comparison:
    """A comparison of two disks.

    Attributes:
        step: What it is doing.
    """

    def __init__(
        self, one: Disk, other: Disk, *, strict: bool = False, progress: Progress | None = None
    ) -> None:
        """Take two disks.

        Args:
            one: A disk.
            other: Another one.
            strict: Compare sizes and allocation too.
            progress: Called with the number of bytes that were compared since the last call.
        """
        self._one, self._other, self._progress, self._reported = one, other, progress, 0
        self._strict = strict
        self.step = Step.STATUS

    def run(self) -> Answer:
        """Compare.

        Raises:
            QcowError: A disk cannot be read; `step` is what failed.
        """
        one, other = self._one, self._other
        resized = one.size != other.size
        if self._strict and resized:
            return Answer(Outcome.SIZE)
        both = min(one.size, other.size)
        strict = Strict(one, other) if self._strict else None
        found = self._compared(0, both, strict)
        if found is None and resized:
            # Past the end of the shorter disk the longer one has to be zeros.
            found = self._compared(both, max(one.size, other.size), None)
            return found or Answer(Outcome.SAME, resized=True)
        return found or Answer(Outcome.SAME)

    def _compared(self, start: int, end: int, strict: Strict | None) -> Answer | None:
        """The first difference in a range; None if there is none."""
        is_past = start >= min(self._one.size, self._other.size)
        # A piece is compared while the next one is read: two buffers for each disk.
        buffers = itertools.cycle([(bytearray(PIECE), bytearray(PIECE)) for _ in range(2)])
        with Threads(1, "qcowspec-left") as left, Threads(1, "qcowspec-right") as right:
            waiting: _Piece | None = None
            for batch, limit in self._batches(start, end, strict):
                for piece in _pieces(batch):
                    mine, others = next(buffers)
                    ahead = _Piece(
                        piece,
                        left.submit(_read, self._one, piece, mine),
                        right.submit(_read, self._other, piece, others),
                    )
                    if (at := self._differs(waiting)) is not None:
                        return Answer(Outcome.CONTENT, at, resized=is_past)
                    waiting = ahead
                if limit is not None:
                    at = self._differs(waiting)
                    found = Outcome.STATUS if at is None else Outcome.CONTENT
                    return Answer(found, limit if at is None else at)
            at = self._differs(waiting)
        return None if at is None else Answer(Outcome.CONTENT, at, resized=is_past)

    def _differs(self, piece: _Piece | None) -> int | None:
        """Where two readings of a piece differ first: the sector, counted as in qemu-img."""
        if piece is None:
            return None
        self.step = Step.READING
        one, other = piece.left.result(), piece.right.result()
        self.step = Step.STATUS
        starts = piece.ranges.starts
        if one == other:
            self._report(int(starts[-1] + piece.ranges.lengths[-1]))
            return None
        at = int(starts[0]) + _first(one, other)
        start = int(starts[np.searchsorted(starts, at, side="right") - 1])
        return at - (at - start) % c.BDRV_SECTOR_SIZE

    def _report(self, stop: int) -> None:
        """Report progress up to a guest offset, unless that was reported before."""
        if self._progress is not None and stop > self._reported:
            self._progress(stop - self._reported)
            self._reported = stop

    def _batches(
        self, start: int, end: int, strict: Strict | None
    ) -> Iterator[tuple[Ranges, int | None]]:
        """Ranges to read; and where allocation differs first, in strict mode."""
        streams = _statuses(self._one, start, end), _statuses(self._other, start, end)
        for one, other in aligned(*streams):
            limit = None if strict is None else strict.first_difference(one, other)
            wanted = (one.flags & other.flags & Flag.ZERO) == 0
            if limit is not None:
                wanted &= one.starts < limit
            yield Ranges(one.starts[wanted], one.lengths[wanted]), limit
            if limit is not None:
                return
            self._report(one.end)


def _statuses(disk: Disk, start: int, end: int) -> Iterator[Status]:
    """A disk's status, and zeros past its end."""
    inner = min(end, disk.size)
    if start < inner:
        yield from block_status(disk, start, inner - start)
    if (outer := max(start, disk.size)) < end:
        yield Status(
            np.array([outer], np.uint64),
            np.array([end - outer], np.uint64),
            np.zeros(1, np.uint16),
            np.array([Flag.ZERO], np.uint8),
            np.zeros(1, np.uint64),
        )


def _pieces(ranges: Ranges) -> Iterator[Ranges]:
    """Ranges in portions that are read together: neighbours, or parts of a long one."""
    starts, lengths = ranges.starts.tolist(), ranges.lengths.tolist()
    first = 0
    while first < len(starts):
        begin, stop = starts[first], starts[first] + lengths[first]
        last = first + 1
        while last < len(starts) and starts[last] == stop and stop - begin < PIECE:
            stop += lengths[last]
            last += 1
        if last == first + 1:
            for at in range(begin, stop, PIECE):
                yield Ranges(
                    np.array([at], np.uint64), np.array([min(PIECE, stop - at)], np.uint64)
                )
        else:
            if stop - begin > PIECE and last > first + 1:
                last -= 1
            yield Ranges(ranges.starts[first:last], ranges.lengths[first:last])
        first = last


def _read(disk: Disk, ranges: Ranges, buffer: bytearray) -> bytes | bytearray:
    """Bytes of a disk, in the buffer if they fill it; past its end are zeros."""
    offset, length = int(ranges.starts[0]), int(ranges.lengths.sum())
    view = memoryview(buffer)[:length]
    count = disk.readinto(offset, view) if offset < disk.size else 0
    view[count:] = bytes(length - count)
    return buffer if length == len(buffer) else bytes(view)


def _first(left: bytes | bytearray, right: bytes | bytearray) -> int:
    """The index of the first byte in which two byte strings of one length differ."""
    unequal = np.frombuffer(left, np.uint8) != np.frombuffer(right, np.uint8)
    return int(np.argmax(unequal))
