"""Tables scattered over an image file, read many at a time.

In: a source, and the host offsets of tables of one size. Out: the tables as rows of an array, a
batch at a time, so that memory stays bounded however many there are. Refuses: nothing: bytes past
the end of the file are zeros, as QEMU reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from qcowspec.sources.source import Source

BATCH = 16 << 20
"""Bytes of tables that are held at a time."""

READ = 4 << 20
"""Bytes that are read at once, at most."""

GAP = 64 << 10
"""Bytes between two tables that are rather read than skipped: a request costs more. A source that
asks a server, for several ranges at a time, says itself how many.
"""

Rows = npt.NDArray[np.uint8]


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
    pieces = getattr(source, "read_pieces", None)
    if pieces is not None:  # a file of this machine: a request costs less than a copy
        pieces(_pieces(rows, order, rising))
        return rows
    stretches = list(_stretches(rising, size, getattr(source, "gap", GAP)))
    ranges = [
        (int(rising[first]), int(rising[behind - 1] - rising[first]) + size)
        for first, behind in stretches
    ]
    for (first, behind), data in zip(stretches, _ranges(source, ranges), strict=True):
        begin = int(rising[first])
        held = np.frombuffer(data, np.uint8)
        places = (rising[first:behind] - begin).tolist()
        whole = len(held) - size
        if behind - first > 1 and places[-1] == (behind - first - 1) * size and places[-1] <= whole:
            spaced = np.diff(rising[first:behind])
            if (spaced == size).all():  # neighbours: one copy for all
                rows[order[first:behind]] = held[: (behind - first) * size].reshape(-1, size)
                continue
        for index, place in zip(order[first:behind].tolist(), places, strict=True):
            piece = held[place : place + size]
            rows[index, : len(piece)] = piece
            rows[index, len(piece) :] = 0
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


def _ranges(source: Source, ranges: list[tuple[int, int]]) -> Iterable[bytes]:
    """The bytes of some ranges, one by one, or side by side where the source can do that."""
    together = getattr(source, "read_ranges", None)
    if together is not None:
        found: Iterable[bytes] = together(ranges)
        return found
    return (source.read_at(*each) for each in ranges)


def _stretches(rising: npt.NDArray[np.int64], size: int, gap: int) -> Iterator[tuple[int, int]]:
    """Which neighbours in the file are read together: [first, behind) of each stretch."""
    if not len(rising):
        return
    apart = np.flatnonzero(np.diff(rising) > size + gap) + 1
    bounds = [0, *apart.tolist(), len(rising)]
    for first, behind in pairwise(bounds):
        if behind - first == 1:
            yield first, behind
            continue
        while first < behind:
            limit = int(rising[first]) + max(READ, size) - size
            last = int(np.searchsorted(rising[first:behind], limit, side="right")) + first
            last = max(last, first + 1)
            yield first, last
            first = last
