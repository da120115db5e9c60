"""Two virtual disks, byte by byte.

In: two disks. Out: whether they are the same, and where not. Refuses: what reading refuses.

What both disks know to be zeros is not read, however large it is. The rest is read in pieces, from
both disks at once and a piece ahead.

Source: qemu-img.c: img_compare.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

import numpy as np
from qcow_parsers import constants as c

from qcowspec.guest import Disk
from qcowspec.guest.status import Flag, Status, block_status
from qcowspec.mapping.spans import Ranges, aligned
from qcowspec.transfer.strict import Strict

PIECE = 2 << 20
"""Bytes that are compared at a time, as qemu-img does."""

Progress = Callable[[int], None]


class Outcome(Enum):
    """What a comparison comes to."""

    SAME = "same"
    SIZE = "size"
    """The sizes differ, which strict mode does not allow."""
    STATUS = "status"
    """One disk has a range allocated in another way, which strict mode does not allow."""
    CONTENT = "content"


class Step(Enum):
    """What a comparison is at, for whoever has to say what failed."""

    STATUS = "status"
    READING = "reading"


@dataclass(frozen=True, slots=True)
class Answer:
    """How two disks compare.

    Attributes:
        outcome: Whether they are the same, or else what differs first.
        offset: Guest offset of the first difference, in bytes; None where there is none.
        resized: All that both have is the same, and one goes on behind the other's end.
    """

    outcome: Outcome
    offset: int | None = None
    resized: bool = False


@dataclass(frozen=True, slots=True)
class _Piece:
    """Ranges side by side that are being read from both disks."""

    ranges: Ranges
    left: Future[bytes | bytearray]
    right: Future[bytes | bytearray]


@contextmanager
def _one_thread() -> Iterator[ThreadPoolExecutor]:
    """A thread that is not waited for when something fails: a server may let it wait."""
    pool = ThreadPoolExecutor(1)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


class Comparison:
    """A comparison of two disks.

    Attributes:
        step: What it is at.
    """

    def __init__(
        self, one: Disk, other: Disk, *, strict: bool = False, progress: Progress | None = None
    ) -> None:
        """Take two disks.

        Args:
            one: A disk.
            other: Another one.
            strict: Sizes and allocation have to be the same too.
            progress: Is told how many bytes were done, again and again.
        """
        self._one, self._other, self._progress, self._told = one, other, progress, 0
        self._strict = strict
        self.step = Step.STATUS

    def run(self) -> Answer:
        """Compare.

        Raises:
            QcowError: A disk cannot be read; `step` says what was tried.
        """
        one, other = self._one, self._other
        resized = one.size != other.size
        if self._strict and resized:
            return Answer(Outcome.SIZE)
        both = min(one.size, other.size)
        strict = Strict(one, other) if self._strict else None
        found = self._compared(0, both, strict)
        if found is None and resized:
            # Behind the shorter disk's end the longer one has to be zeros.
            found = self._compared(both, max(one.size, other.size), None)
            return found or Answer(Outcome.SAME, resized=True)
        return found or Answer(Outcome.SAME)

    def _compared(self, start: int, end: int, strict: Strict | None) -> Answer | None:
        """The first difference in a range; None where there is none."""
        behind = start >= min(self._one.size, self._other.size)
        # A piece is compared while the next one is read: two buffers for each disk.
        buffers = itertools.cycle([(bytearray(PIECE), bytearray(PIECE)) for _ in range(2)])
        with _one_thread() as left, _one_thread() as right:
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
                        return Answer(Outcome.CONTENT, at, resized=behind)
                    waiting = ahead
                if limit is not None:
                    at = self._differs(waiting)
                    found = Outcome.STATUS if at is None else Outcome.CONTENT
                    return Answer(found, limit if at is None else at)
            at = self._differs(waiting)
        return None if at is None else Answer(Outcome.CONTENT, at, resized=behind)

    def _differs(self, piece: _Piece | None) -> int | None:
        """Where two readings of a piece differ first: the sector, counted as qemu-img does."""
        if piece is None:
            return None
        self.step = Step.READING
        one, other = piece.left.result(), piece.right.result()
        self.step = Step.STATUS
        starts = piece.ranges.starts
        if one == other:
            self._tell(int(starts[-1] + piece.ranges.lengths[-1]))
            return None
        at = int(starts[0]) + _first(one, other)
        start = int(starts[np.searchsorted(starts, at, side="right") - 1])
        return at - (at - start) % c.BDRV_SECTOR_SIZE

    def _tell(self, behind: int) -> None:
        """Tell how far it is: to a guest offset, which may be one that it was at before."""
        if self._progress is not None and behind > self._told:
            self._progress(behind - self._told)
            self._told = behind

    def _batches(
        self, start: int, end: int, strict: Strict | None
    ) -> Iterator[tuple[Ranges, int | None]]:
        """Ranges that are to be read, and where allocation differs first, if strict minds."""
        streams = _statuses(self._one, start, end), _statuses(self._other, start, end)
        for one, other in aligned(*streams):
            limit = None if strict is None else strict.first_difference(one, other)
            wanted = (one.flags & other.flags & Flag.ZERO) == 0
            if limit is not None:
                wanted &= one.starts < limit
            yield Ranges(one.starts[wanted], one.lengths[wanted]), limit
            if limit is not None:
                return
            self._tell(one.end)


def _statuses(disk: Disk, start: int, end: int) -> Iterator[Status]:
    """A disk's status, and zeros behind its end."""
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
    """Neighbours that are read together, and parts of what is too long for that."""
    starts, lengths = ranges.starts.tolist(), ranges.lengths.tolist()
    first = 0
    while first < len(starts):
        begin, behind = starts[first], starts[first] + lengths[first]
        last = first + 1
        while last < len(starts) and starts[last] == behind and behind - begin < PIECE:
            behind += lengths[last]
            last += 1
        if last == first + 1:
            for at in range(begin, behind, PIECE):
                yield Ranges(
                    np.array([at], np.uint64), np.array([min(PIECE, behind - at)], np.uint64)
                )
        else:
            if behind - begin > PIECE and last > first + 1:
                last -= 1
            yield Ranges(ranges.starts[first:last], ranges.lengths[first:last])
        first = last


def _read(disk: Disk, ranges: Ranges, buffer: bytearray) -> bytes | bytearray:
    """Bytes of a disk, in a buffer or by themselves; behind its end they are zeros."""
    offset, length = int(ranges.starts[0]), int(ranges.lengths.sum())
    view = memoryview(buffer)[:length]
    count = disk.readinto(offset, view) if offset < disk.size else 0
    view[count:] = bytes(length - count)
    return buffer if length == len(buffer) else bytes(view)


def _first(left: bytes | bytearray, right: bytes | bytearray) -> int:
    """The index of the first byte in which two strings of one length differ."""
    unequal = np.frombuffer(left, np.uint8) != np.frombuffer(right, np.uint8)
    return int(np.argmax(unequal))
