"""Which bytes of some ranges of the image file are not zero.

In: ranges that lie apart, in the order of the file. Out: `Hidden`, as arrays. Refuses: nothing;
what a file that shrinks no longer has counts as zeros.

Holes are not read, and neighbours are read together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from qcowspec.check.arrays import Flags, Numbers
from qcowspec.sources.source import NO_DATA, Source

PIECE = 1 << 20
"""Bytes that are read at once."""

GAP = 16 << 10
"""Bytes between two ranges that are read rather than passed over."""

NOT_READ = -1
"""Stands for the count of a range that was not read."""


class Hidden(NamedTuple):
    """What was found in some ranges, one element of each array a range.

    Attributes:
        counts: Bytes that are not zero; `NOT_READ` where it was not looked.
        firsts: Host offset of the first of them; 0 if there is none.
        lasts: Host offset of the last of them.
    """

    counts: Numbers
    firsts: Numbers
    lasts: Numbers


def nonzero(source: Source, starts: Numbers, ends: Numbers, chosen: Flags) -> Hidden:
    """How many bytes of the chosen ranges are not zero, and where the first and the last are."""
    empty = np.zeros(len(starts), np.int64)
    found = Hidden(np.where(chosen, 0, NOT_READ), empty, empty.copy())
    number = np.flatnonzero(chosen)
    low, high = starts[number], ends[number]
    for at, data in _data(source, low, high):
        there = np.flatnonzero(np.frombuffer(data, np.uint8)) + at
        row = np.searchsorted(low, there, side="right") - 1
        inside = there < high[row]  # else between two ranges
        there, row = there[inside], number[row[inside]]
        if not len(row):
            continue
        edges = np.flatnonzero(row[1:] != row[:-1])
        begins, stops = np.append(0, edges + 1), np.append(edges, len(row) - 1)
        rows = row[begins]
        new = found.counts[rows] == 0
        found.firsts[rows[new]] = there[begins[new]]
        found.lasts[rows] = there[stops]
        found.counts[rows] += stops - begins + 1
    return found


def _data(source: Source, starts: Numbers, ends: Numbers) -> Iterator[tuple[int, bytes]]:
    """The data of ranges, piece by piece, with what lies between near ones."""
    if not len(starts):
        return
    apart = np.flatnonzero(starts[1:] - ends[:-1] > GAP)
    lows, highs = starts[np.append(0, apart + 1)], ends[np.append(apart, len(ends) - 1)]
    data = hole = -1  # where data begin that follow what was passed, and where they end
    row = 0
    while row < len(lows):
        at, end = int(lows[row]), int(highs[row])
        row += 1
        while at < end:
            if at >= hole:
                data = source.next_data(at)
                if data == NO_DATA:
                    return
                hole = source.next_hole(data)
            if data >= end:
                row = max(row, int(np.searchsorted(highs, data, side="right")))
                break
            at = max(at, data)
            piece = source.read_once(at, min(PIECE, hole - at, end - at))
            if not piece:
                return  # the file has shrunk
            yield at, piece
            at += len(piece)
