"""Where an image's bytes come from, as the rest of the package sees it.

In: nothing. Out: `Source`, the class of all byte sources, and what a loop awaits in its place;
`qcowspec.sources` has the sources. Refuses: nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

GAP = 64 << 10
"""Bytes between two ranges of a file that are rather read than skipped: a request costs more."""

PIECE = 8 << 20
"""Bytes that are read at once, at most, where the caller has the buffer."""

JOINED = 4 << 20
"""The same where several buffers share a read."""

NO_DATA = 1 << 63
"""The next data where no more follow: after all offsets that a file can have."""


@runtime_checkable
class Readable(Protocol):
    """The least that an object has to offer to be read as an image; see `Source`."""

    @property
    def name(self) -> str:
        """The image as the user named it."""
        ...

    @property
    def length(self) -> int:
        """Length of the file in bytes."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Read bytes; see `Source.read_at`."""
        ...


class Source(ABC):
    """Random access to the bytes of one image file.

    Only `name`, `length` and `read_at` are a source's own to give. All else has an answer that is
    true of any file, and is overridden where a source can do better or knows more.

    Attributes:
        name: The image as the user named it.
        length: Length of the file in bytes.
        in_flight: How many requests may be under way at once; 0 where no server is asked.
        gap: Bytes between two ranges that are rather read than skipped.
        unreadable: The ranges that could not be read so far, and read as zeros: where each starts,
            and ends. None of a source that fails there.
    """

    name: str
    length: int
    in_flight: int = 0
    gap: int = GAP
    unreadable: Sequence[tuple[int, int]] = ()

    # --- bytes ------------------------------------------------------------------------------------

    @abstractmethod
    def read_at(self, offset: int, length: int) -> bytes:
        """Read bytes at an offset.

        Args:
            offset: First byte, from the start of the file; may lie past its end.
            length: Number of bytes wanted.

        Returns:
            The bytes; fewer than `length` only where the file ends, none past its end.

        Raises:
            Changed: The file is no longer the one that was opened.
            Unreadable: The device or the network failed.
        """

    def read_once(self, offset: int, length: int) -> bytes:
        """The same for bytes that are wanted once: they need not be kept, nor read ahead of."""
        return self.read_at(offset, length)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Read bytes into a buffer, as many as it holds.

        Returns:
            How many there were; fewer than it holds only where the file ends.

        Raises:
            Changed, Unreadable: See `read_at`.
        """
        done = 0
        while wanted := min(len(buffer) - done, PIECE):
            data = self.read_at(offset + done, wanted)
            buffer[done : done + len(data)] = data
            done += len(data)
            if len(data) < wanted:
                break
        return done

    def read_ranges(self, ranges: Sequence[tuple[int, int]]) -> Iterable[bytes]:
        """Read many ranges, and nothing between them.

        Args:
            ranges: Offset and length of each.

        Returns:
            Their bytes, each shorter only where the file ends.

        Raises:
            Changed, Unreadable: See `read_at`.
        """
        return (self.read_at(*each) for each in ranges)

    def read_pieces(self, pieces: Iterable[tuple[int, memoryview]]) -> None:
        """Fill many buffers, each from its offset; what lies past the end is left as it is.

        Args:
            pieces: Offsets that rise, and the buffers. Those that lie close together, see `gap`,
                share a read.

        Raises:
            Changed, Unreadable: See `read_at`.
        """
        groups = list(_joined(pieces, self.gap))
        ranges = [(group[0][0], end - group[0][0]) for group, end in groups]
        for (group, _), data in zip(groups, self.read_ranges(ranges), strict=True):
            held, start = memoryview(data), group[0][0]
            for offset, buffer in group:
                begin, length = offset - start, len(buffer)
                if begin + length <= len(held):
                    buffer[:] = held[begin : begin + length]
                else:  # the file ends before
                    found = held[begin:]
                    buffer[: len(found)] = found

    def in_order(self, offset: int, length: int) -> Source:
        """The file, for one who reads so many bytes of it in order, from an offset on.

        Returns:
            What to read from, in one thread, and to close after that; the file stays open.
        """
        return Borrowed(self)

    # --- what the file is -------------------------------------------------------------------------

    @property
    def is_remote(self) -> bool:
        """Whether a server is asked for the bytes: what fails there may go better another time."""
        return self.in_flight > 0

    @property
    def place(self) -> str:
        """Where the file is, as the gate has to know it: a path, or the URL of one on a server."""
        return self.name

    @property
    def version(self) -> tuple[Any, ...] | None:
        """What tells the file from an older or newer one of its name; None where nothing does."""
        return None

    def allocated(self) -> int | None:
        """Bytes of a disk that the file takes; None where nobody says so."""
        return None

    def data_ranges(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """The parts of a range that are not holes of the file: where each starts, and ends.

        A file of which no holes are known has none but what lies past its end.
        """
        end = min(offset + length, self.length)
        if offset < end:
            yield offset, end

    def next_data(self, offset: int) -> int:
        """The first offset, from one on, that is no hole; `NO_DATA` where none follows."""
        return offset if offset < self.length else NO_DATA

    def next_hole(self, offset: int) -> int:
        """The first offset, from one of data on, that is a hole; the end is one."""
        return max(offset + 1, self.length)

    # --- the world around it ----------------------------------------------------------------------

    def sibling(self, name: str) -> Source | None:
        """Open another file of the same server, with the same credentials.

        Args:
            name: Its URL.

        Returns:
            None where the file is in another place.

        Raises:
            Unreadable: It cannot be had.
        """
        return None

    def check_unchanged(self) -> None:  # noqa: B027
        """Refuse a file that was written to since it was opened, where that is known.

        Raises:
            Changed: It was.
        """

    def refuse_writers(self) -> None:  # noqa: B027
        """Refuse a file that another program has open for writing, where that is known.

        Raises:
            Unreadable: One has.
        """

    def close(self) -> None:  # noqa: B027
        """Give back what is held open; harmless when called again."""


class Borrowed(Source):
    """A file that somebody else has opened, and closes; the base of sources that read of another.

    An object that offers no more than `Readable` becomes a `Source` by it.
    """

    def __init__(self, file: Readable) -> None:
        self.name, self.length, self._file = file.name, file.length, file
        if isinstance(file, Source):
            self.in_flight = file.in_flight

    def read_at(self, offset: int, length: int) -> bytes:
        """See `Source.read_at`."""
        return self._file.read_at(offset, length)


def _joined(
    pieces: Iterable[tuple[int, memoryview]], gap: int
) -> Iterator[tuple[list[tuple[int, memoryview]], int]]:
    """Pieces that share a read, and where that ends."""
    group: list[tuple[int, memoryview]] = []
    end = near = far = 0
    for piece in _bounded(pieces):
        offset, buffer = piece
        behind = offset + len(buffer)
        if group and (offset > near or behind > far):
            yield group, end
            group = []
        if not group:
            end, far = behind, offset + JOINED
        elif behind > end:
            end = behind
        near = end + gap
        group.append(piece)
    if group:
        yield group, end


def _bounded(pieces: Iterable[tuple[int, memoryview]]) -> Iterator[tuple[int, memoryview]]:
    """The same pieces, those that are longer than a read may be in parts."""
    for piece in pieces:
        if len(piece[1]) <= JOINED:
            yield piece
            continue
        offset, buffer = piece
        for at in range(0, len(buffer), JOINED):
            yield offset + at, buffer[at : at + JOINED]


@runtime_checkable
class AsyncSource(Protocol):
    """Random access to the bytes of one image file, awaited on an event loop.

    No thread waits then while an image is opened.
    """

    @property
    def name(self) -> str:
        """The image as the user named it."""
        ...

    @property
    def length(self) -> int:
        """Length of the file in bytes."""
        ...

    async def read_at_async(self, offset: int, length: int) -> bytes:
        """Read bytes at an offset; see `Source.read_at`. May run many times at once."""
        ...
