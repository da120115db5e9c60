"""Tables of an image file, read a batch at a time, so that memory stays bounded.

In: a source, and a table's bounds, or the host offsets of tables of one size. Out: arrays. Refuses:
nothing: bytes past the end of the file are zeros, as QEMU reads them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from qcowspec.sources.source import Source

BATCH = 16 << 20
"""Bytes of tables that are held at a time."""

PIECE = 1 << 20
"""Bytes of one table that are held at a time."""

WORD = 8

Rows = npt.NDArray[np.uint8]


def read_words(
    source: Source, start: int, end: int, *, piece: int = PIECE
) -> Iterator[tuple[int, npt.NDArray[np.uint64]]]:
    """Read a table of 64-bit big-endian entries, as far as the file goes.

    Yields:
        Host offset of some neighbours, in bytes; the entries, shape (n,), dtype ``uint64``.
    """
    end = min(end, source.length)
    for offset in range(start, end, piece):
        data = source.read_at(offset, min(piece, end - offset))
        padded = data.ljust(-(-len(data) // WORD) * WORD, b"\0")
        yield offset, np.frombuffer(padded, ">u8").astype(np.uint64)


def word_at(source: Source, offset: int) -> int:
    """The 64-bit big-endian entry at a host offset."""
    return int.from_bytes(source.read_at(offset, WORD).ljust(WORD, b"\0"), "big")


def read_tables(
    source: Source, offsets: npt.NDArray[np.uint64], size: int, *, batch: int = BATCH
) -> Iterator[tuple[slice, Rows]]:
    """Read tables of one size, in the order asked for.

    Args:
        source: The image file.
        offsets: Host offsets in bytes, shape (n,); in any order, repeats allowed, below 2^63.
        size: Bytes of each table.
        batch: Bytes of tables to hold at a time.

    Yields:
        Which of the tables, and their bytes: shape (tables, size), dtype uint8, writable.

    Raises:
        Unreadable: The source failed.
    """
    step = max(1, batch // size)
    for start in range(0, len(offsets), step):
        chosen = slice(start, min(start + step, len(offsets)))
        yield chosen, _read(source, offsets[chosen], size)


def _read(source: Source, offsets: npt.NDArray[np.uint64], size: int) -> Rows:
    """Some tables, each stretch of the file read once."""
    rows = np.zeros((len(offsets), size), np.uint8)
    order = np.argsort(offsets, kind="stable")
    rising = offsets[order].astype(np.int64)
    source.read_pieces(_pieces(rows, order, rising))
    return rows


def _pieces(
    rows: Rows, order: npt.NDArray[np.int64], rising: npt.NDArray[np.int64]
) -> Iterator[tuple[int, memoryview]]:
    """Where to read from, and into which rows; neighbours in both are read at once."""
    if not len(order):
        return
    size, view = rows.shape[1], rows.reshape(-1).data
    joined = (np.diff(rising) == size) & (np.diff(order) == 1)
    firsts = np.flatnonzero(np.concatenate([[True], ~joined]))
    counts = np.diff(np.append(firsts, len(order)))
    starts = order[firsts] * size
    for offset, start, end in zip(
        rising[firsts].tolist(), starts.tolist(), (starts + counts * size).tolist(), strict=True
    ):
        yield offset, view[start:end]
