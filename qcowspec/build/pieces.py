"""An image before it is written: a file in pieces, most of it holes.

In: bytes and where they stand, the later over the earlier. Out: what to write where, in order, each
byte once, zeros left out. Refuses: more bytes than `LARGEST`, and offsets past the end of any file.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge

from qcowspec.build.host import LARGEST
from qcowspec.build.wording import wrong

FILE_END = (1 << 63) - 1
"""Bytes of a file at most, as the operating system counts."""

BLOCK = 1 << 12
"""Bytes that are searched for zeros at a time."""

Chunk = tuple[int, bytes]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the file, zeros but for its chunks.

    Attributes:
        offset: Where it starts, in bytes.
        length: How long it is, in bytes.
        chunks: Bytes in it, by their offset from its start; they do not overlap.
    """

    offset: int
    length: int
    chunks: Sequence[Chunk] = ()


@dataclass(slots=True)
class Pieces:
    """A whole file.

    Attributes:
        length: Its length in bytes; None if it ends where its last piece does.
        list: The pieces, in the order in which they are laid over each other.
    """

    length: int | None = None
    list: list[Piece] = field(default_factory=list)
    _bytes: int = 0

    def add(self, offset: int, data: bytes, path: str) -> None:
        """Lay bytes over what is there."""
        self.lay(Piece(offset, len(data), ((0, data),)), path)

    def lay(self, piece: Piece, path: str) -> None:
        """Lay a piece over what is there.

        Raises:
            Invalid: It ends past the end of any file, or the pieces have too many bytes by now.
        """
        if piece.offset < 0 or piece.offset + piece.length > FILE_END:
            raise wrong(path, f"it would end past byte {FILE_END}, where every file ends")
        self._bytes += sum(len(data) for _, data in piece.chunks)
        if self._bytes > LARGEST:
            raise wrong(path, f"from here on the spec has more than {LARGEST} bytes")
        self.list.append(piece)

    @property
    def end(self) -> int:
        """The file's length in bytes."""
        if self.length is not None:
            return self.length
        return max((piece.offset + piece.length for piece in self.list), default=0)

    def written(
        self, below: Callable[[int, int], Iterator[Chunk]] | None = None
    ) -> Iterator[Chunk]:
        """What to write into a file of holes: offsets and bytes, in order, zeros left out.

        Args:
            below: What lies below all pieces: called with the start and the end of a stretch that
                no piece covers.
        """
        covered, end = Covered(), self.end
        own: list[Chunk] = []
        for piece in reversed(self.list):
            start, stop = piece.offset, min(piece.offset + piece.length, end)
            free = covered.claim(start, stop)
            for at, data in piece.chunks:
                own += _cut(start + at, data, free)
        own.sort()
        if below is None:
            return iter(own)
        others = (chunk for span in covered.claim(0, end) for chunk in below(*span))
        return merge(own, others)

    def image(self) -> bytes:
        """The whole file in memory.

        Raises:
            Invalid: It is too large for that.
        """
        if self.end > LARGEST:
            raise wrong("", f"{self.end} bytes are too many to be kept in memory")
        data = bytearray(self.end)
        for offset, chunk in self.written():
            data[offset : offset + len(chunk)] = chunk
        return bytes(data)


class Covered:
    """Stretches of a file that are taken, disjoint and in order."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def claim(self, start: int, end: int) -> list[Span]:
        """Take a stretch, and return the parts of it that were free, as starts and ends."""
        if end <= start:
            return []
        first, last = bisect_left(self._ends, start), bisect_right(self._starts, end)
        free, at = [], start
        for index in range(first, last):
            if self._starts[index] > at:
                free.append((at, self._starts[index]))
            at = max(at, self._ends[index])
        if at < end:
            free.append((at, end))
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last], self._ends[first:last] = [start], [end]
        return free


def solid(offset: int, data: bytes) -> Iterator[Chunk]:
    """The stretches of some bytes that are not zeros, by whole blocks of the file."""
    start = at = 0
    while at < len(data):
        end = min(at + BLOCK - (offset + at) % BLOCK, len(data))
        if not data[at:end].strip(b"\0"):
            if start < at:
                yield offset + start, data[start:at]
            start = end
        at = end
    if start < at:
        yield offset + start, data[start:at]


def _cut(offset: int, data: bytes, free: Sequence[Span]) -> Iterator[Chunk]:
    """The parts of some bytes that fall into free stretches."""
    end = offset + len(data)
    index = bisect_right(free, (offset, FILE_END)) - 1
    for start, stop in free[max(index, 0) :]:
        if start >= end:
            return
        low, high = max(start, offset), min(stop, end)
        if low < high:
            yield from solid(low, data[low - offset : high - offset])
