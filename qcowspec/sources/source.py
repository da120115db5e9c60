"""The interface of byte sources.

In: nothing. Out: `Source`, the base of all byte sources, and `AsyncSource`, for an event loop;
`qcowspec.sources` has the sources. Refuses: nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

GAP = 64 << 10
"""Most bytes between two ranges that are read rather than skipped: a request costs more."""

PIECE = 8 << 20
"""Most bytes of one read into the caller's buffer."""

JOINED = 4 << 20
"""Most bytes of one read that fills several buffers."""

NO_DATA = 1 << 63
"""`next_data` where none follows: past all offsets that a file can have."""


@runtime_checkable
class Readable(Protocol):
    """What an object needs to be read as an image; see `Source`."""

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

    A source has to have `name`, `length` and `read_at`. All else has a default that is right for
    any file, and is overridden where a source is faster or knows more.

    Attributes:
        name: The image as the user named it.
        length: Length of the file in bytes.
        in_flight: Most requests at once; 0 if no server is asked.
        gap: Most bytes between two ranges that are read rather than skipped.
        unreadable: The ranges that could not be read so far, and read as zeros: where each starts,
            and ends. Empty for a source that raises an error there.
    """

    name: str
    length: int
    in_flight: int = 0
    gap: int = GAP
    unreadable: Sequence[tuple[int, int]] = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.length:,} bytes>"

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
        """The same for bytes that are wanted once: they need not be cached, nor read ahead of."""
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
        """The file, to read a range of it in order.

        Returns:
            What to read from, in one thread, and then to close; the file stays open.
        """
        return Borrowed(self)

    # --- what the file is -------------------------------------------------------------------------

    @property
    def is_remote(self) -> bool:
        """Whether a server is asked for the bytes: a read that fails there may succeed later."""
        return self.in_flight > 0

    @property
    def place(self) -> str:
        """Where the file is, for the gate: a path, or a URL of a server."""
        return self.name

    @property
    def version(self) -> tuple[Any, ...] | None:
        """What differs between versions of the file; None if that is unknown."""
        return None

    def allocated(self) -> int | None:
        """Bytes of a disk that the file takes; None if unknown."""
        return None

    def data_ranges(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """The parts of a range that are not holes of the file: where each starts, and ends.

        By default there are no holes, except past the end.
        """
        end = min(offset + length, self.length)
        if offset < end:
            yield offset, end

    def next_data(self, offset: int) -> int:
        """The first offset of data at or after an offset; `NO_DATA` if none follows."""
        return offset if offset < self.length else NO_DATA

    def next_hole(self, offset: int) -> int:
        """The first offset of a hole after an offset of data; the end of the file is one."""
        return max(offset + 1, self.length)

    # --- other files, and other programs ----------------------------------------------------------

    def sibling(self, name: str) -> Source | None:
        """Open another file of the same server, with the same credentials.

        Args:
            name: Its URL.

        Returns:
            None where the file is in another place.

        Raises:
            Unreadable: It cannot be read.
        """
        return None

    def check_unchanged(self) -> None:  # noqa: B027
        """Refuse a file that was written to since it was opened, if that can be known.

        Raises:
            Changed: It was.
        """

    def refuse_writers(self) -> None:  # noqa: B027
        """Refuse a file that another program has open for writing, if that can be known.

        Raises:
            Unreadable: One has.
        """

    def close(self) -> None:  # noqa: B027
        """Close what is open; harmless when called again."""


class Borrowed(Source):
    """A file that its opener closes; the base of sources that read from another source.

    It makes a `Source` of an object that is only `Readable`.
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
        after = offset + len(buffer)
        if group and (offset > near or after > far):
            yield group, end
            group = []
        if not group:
            end, far = after, offset + JOINED
        elif after > end:
            end = after
        near = end + gap
        group.append(piece)
    if group:
        yield group, end


def _bounded(pieces: Iterable[tuple[int, memoryview]]) -> Iterator[tuple[int, memoryview]]:
    """The same pieces; those longer than a read may be are split."""
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

    No thread waits while an image is opened from it.
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
