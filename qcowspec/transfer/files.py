"""Files and streams from bytes that are at hand: one way to write for every command.

In: a target, a length, bytes and where they stand. Out: the file, whole or not at all; or the same
bytes in order, on a stream. Refuses: what cannot be written, with `Unwritable`.
"""

from __future__ import annotations

from collections.abc import Iterable

from qcowspec.transfer.output import SparseFile
from qcowspec.transfer.places import Target, place_of
from qcowspec.transfer.stream import Stream


def writer(target: Target, size: int) -> SparseFile | Stream:
    """What writes to a target.

    Args:
        target: A path, or a stream that is open already.
        size: All bytes that are to be written.

    Raises:
        Unwritable: It cannot be written.
    """
    if not isinstance(target, str):
        return Stream(target, size)
    place = place_of(target)
    return SparseFile(place, size) if place.is_file else Stream(place, size)


def write_chunks(target: Target, length: int, chunks: Iterable[tuple[int, bytes]]) -> int:
    """Write bytes to a target, in place of those that may be there.

    Args:
        target: Where to.
        length: Bytes of all of it.
        chunks: What stands in it, by rising offset; the rest are zeros.

    Returns:
        How many bytes the chunks had.

    Raises:
        Unwritable: It cannot be written.
    """
    written = 0
    with writer(target, length) as file:
        for offset, data in chunks:
            file.write(offset, memoryview(data))
            written += len(data)
        file.finish()
    return written


def write_bytes(target: Target, data: bytes) -> None:
    """Write bytes to a target; see `write_chunks`."""
    write_chunks(target, len(data), [(0, data)])
