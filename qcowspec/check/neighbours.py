"""Neighbouring faults as one: a lost table has a thousand, and they say the same.

In: faults as arrays, in the order of their places. Out: which of them are runs. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from qcowspec.check.arrays import Flags
from qcowspec.check.findings import Fault

Column = npt.NDArray[Any]


def alike(position: Column, *columns: Column) -> Iterator[tuple[int, int]]:
    """Runs of neighbours that have the same values.

    Args:
        position: Where each is; the next of a run is one farther.
        columns: The values.

    Yields:
        The first and the last of each run.
    """
    joined = np.diff(position) == 1
    for column in columns:
        joined &= column[1:] == column[:-1]
    yield from _runs(joined, len(position))


def evenly(
    position: Column, step: int, value: Column, cluster: Column
) -> Iterator[tuple[int, int]]:
    """Runs of neighbours whose value and cluster both grow by a step, or whose value stays.

    Args:
        position: Where each is; the next of a run is one farther.
        step: Bytes of a cluster.
        value: The values, unsigned.
        cluster: The clusters that they are about, unsigned.

    Yields:
        The first and the last of each run.
    """
    near = np.diff(position) == 1
    values, clusters = np.diff(value), np.diff(cluster)
    moves = near & (clusters == step)
    way = np.where(values == step, 1, np.where(values == 0, 2, 0))
    way = np.where(moves, way, np.where(near & (clusters == 0) & (values == 0), 3, 0))
    joined = way != 0
    joined[1:] &= (way[1:] == way[:-1]) | (way[:-1] == 0)
    yield from _runs(joined, len(position))


def run(one: Callable[[int], Fault], first: int, last: int) -> Fault:
    """A run as one fault; `one` gives each of its neighbours."""
    fault = one(first)
    if first != last:
        fault.count, fault.last = last - first + 1, one(last)
    return fault


def _runs(joined: Flags, count: int) -> Iterator[tuple[int, int]]:
    if not count:
        return
    firsts = np.flatnonzero(np.concatenate([[True], ~joined]))
    lasts = np.flatnonzero(np.concatenate([~joined, [True]]))
    for start in range(0, len(firsts), PIECE):
        some = slice(start, start + PIECE)
        yield from zip(firsts[some].tolist(), lasts[some].tolist(), strict=True)


PIECE = 1 << 12
"""Runs that are made lists at a time: hardly ever are all of them asked for."""
