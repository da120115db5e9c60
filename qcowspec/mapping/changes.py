"""The ranges that may differ between two states of one image, by their tables alone.

In: the mappings of two snapshots, or of one and the active state. Out: ranges outside of which the
bytes of both are the same. Refuses: what a mapping refuses.

Both states share the image file and its backing file: clusters at one host offset have the same
bytes, and what neither state has allocated is the same in both. No data are read.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from qcowspec.mapping.base import Mapping
from qcowspec.mapping.extents import Extents, Kind, Run
from qcowspec.mapping.spans import Ranges, aligned, join_batches
from qcowspec.spec.units import GuestOffset

ZEROS = (Kind.ZERO, Kind.UNALLOCATED)
"""Kinds that read as zeros."""


def changes(
    since: Mapping, until: Mapping, offset: int = 0, length: int | None = None
) -> Iterator[Ranges]:
    """Ranges of the later state that may differ from the earlier one, some at a time.

    Past the end of the earlier disk are zeros; what is past the end of the later one is not listed.

    Args:
        since: The earlier state.
        until: The later state, of the same image.
        offset: Where to begin, in bytes.
        length: How far to look, in bytes; None for all that follows.

    Raises:
        Invalid: A table entry on the way breaks a rule.
        Unreadable: The source failed.
    """
    end = until.size if length is None else min(until.size, offset + length)
    states = _batches(since, offset, end), _batches(until, offset, end)
    return join_batches(_compared(one, other) for one, other in aligned(*states))


def _batches(mapping: Mapping, start: int, end: int) -> Iterator[Extents]:
    """A state's extents, and zeros past its end."""
    if start < (inner := min(end, mapping.size)):
        yield from mapping.batches(start, inner - start)
    if (outer := max(start, mapping.size)) < end:
        yield Extents.of([Run(Kind.UNALLOCATED, GuestOffset(outer), end - outer)])


def _compared(one: Extents, other: Extents) -> Ranges:
    """Where two states may differ, given extents of both that start at the same offsets."""
    zeros = np.isin(one.kinds, ZEROS) & np.isin(other.kinds, ZEROS)
    stored = (one.kinds == Kind.DATA) | (one.kinds == Kind.COMPRESSED)
    stored &= (one.hosts == other.hosts) & (one.payloads == other.payloads)
    same = (one.kinds == other.kinds) & (stored | (one.kinds == Kind.BACKING))
    differ = ~(zeros | same)
    return Ranges(one.offsets[differ], one.lengths[differ])
