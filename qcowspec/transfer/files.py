"""Writing bytes in memory to files and streams.

In: a target, a length, bytes and their offsets. Out: the file, whole or not at all; or the same
bytes in order, on a stream. Refuses: what cannot be written, with `Unwritable`.
"""

from __future__ import annotations

from collections.abc import Iterable

from qcowspec.transfer.output import SparseFile
from qcowspec.transfer.places import Target, place_of
from qcowspec.transfer.stream import Stream


def writer(target: Target, size: int) -> SparseFile | Stream:
    """The writer for a target.

    Args:
        target: A path, or a stream that is open already.
        size: All bytes that will be written.

    Raises:
        Unwritable: It cannot be written.
    """
    if not isinstance(target, str):
        return Stream(target, size)
    place = place_of(target)
    return SparseFile(place, size) if place.is_file else Stream(place, size)


def write_chunks(target: Target, length: int, chunks: Iterable[tuple[int, bytes]]) -> int:
    """Write bytes to a target, and replace what it has.

    Args:
        target: A path, or a stream that is open already.
        length: Its bytes.
        chunks: Offsets, rising, and bytes; the rest are zeros.

    Returns:
        The bytes of all chunks.

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
