"""Sequences of L2 entries for clusters that follow one another: most of a table, in most images.

In: entries of L2 tables. Out: the first of each sequence, which stands for all of it. Refuses:
nothing: entries that may differ are sequences of one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Entries = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

FLAGS = 56
"""The lowest bit of those that are equal in a sequence: they are flags or reserved."""


def heads(
    entries: Entries, cluster_size: int, is_placed: Callable[[Entries], Flags], empty: int = 0
) -> npt.NDArray[np.intp]:
    """The indices of entries that begin a sequence, rising from 0.

    A sequence is of entries that are 0, of entries that are `empty`, or of clusters that follow one
    another in the file, have the same flags and are not compressed.

    Args:
        entries: Entries of one word, shape (n,), n > 0.
        cluster_size: Bytes of a cluster.
        is_placed: Whether entries have host offsets of clusters that are not compressed.
        empty: Another entry without a host offset, whose clusters are all alike.
    """
    step = entries[1:] - entries[:-1]
    goes_on = step == cluster_size
    if not goes_on.all():
        goes_on |= (step == 0) & ((entries[1:] == 0) | (entries[1:] == empty))
    first = np.concatenate(([0], np.flatnonzero(~goes_on) + 1))
    if len(first) == len(entries):
        return first
    counts = np.diff(first, append=len(entries)).astype(np.uint64)
    head = entries[first]
    tail = entries[first + counts.astype(np.intp) - 1]
    placed = (
        is_placed(head)
        & (tail == head + (counts - 1) * np.uint64(cluster_size))
        & ((head ^ tail) >> np.uint64(FLAGS) == 0)
    )
    nowhere = (head == tail) & ((head == 0) | (head == empty))
    alike = placed | nowhere | (counts == 1)
    return first if alike.all() else np.arange(len(entries))


def runs_of_zeros(rows: Entries) -> npt.NDArray[np.intp]:
    """The same for entries of several words, shape (n, words): sequences are of zeros only."""
    some: npt.NDArray[np.bool_] = np.any(rows != 0, axis=1)
    begins = np.concatenate(([True], some[1:] | some[:-1]))
    return np.flatnonzero(begins)
