"""The refcount blocks themselves: where the entries of the refcount table say that they are.

In: a check, and a window whose other references are counted. Out: the references to the blocks, and
findings. Refuses: nothing.

Source: block/qcow2-refcount.c: check_refblocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.check.counting import Window
from qcowspec.check.findings import Fault
from qcowspec.check.ownership import Owner

if TYPE_CHECKING:
    from qcowspec.check.qcow2 import Qcow2Check

Flags = npt.NDArray[np.bool_]


def refcount_blocks(check: Qcow2Check, window: Window) -> None:
    """Count the refcount blocks in a window, and judge the entries that locate them."""
    entries, offsets = check.stored.entries, check.stored.offsets
    reserved, unaligned = _broken(check)
    numbers = (offsets >> np.uint64(check.geometry.cluster_bits)).astype(np.int64)
    sound = ~reserved & ~unaligned
    outside = sound & (numbers >= check.behind)
    if window.behind > check.clusters:  # the last: now it is known where the clusters end
        _report(check, "refcounts/reserved", reserved)
        _report(check, "refcounts/block-offset", unaligned)
        _report(check, "check/refcount-block-past-end", outside)
    counted = np.flatnonzero(sound & ~outside & (offsets != 0) & window.inside(numbers))
    if not len(counted):
        return
    here = numbers[counted]
    before = window.counts[here - window.first].astype(np.float64)
    order = np.argsort(here, kind="stable")
    rising = here[order]
    turn = np.arange(len(rising)) - np.searchsorted(rising, rising)
    rank = np.zeros(len(here), np.int64)
    rank[order] = turn
    # The cluster behind the file's last is there if something else reaches into it; a block in it
    # is past the end, and not counted, and yet judged.
    late = here >= check.clusters
    past = np.zeros(len(entries), bool)
    past[counted[late]] = True
    _report(check, "check/past-end", past)
    seen = np.minimum(before + np.where(late, 0, rank + 1), check.stored.most)
    shared = np.zeros(len(entries), bool)
    shared[counted[seen != 1]] = True
    _report(check, "check/refcount-block-shared", shared)
    window.add(here[~late], Owner.REFCOUNT_BLOCK, alone=True)


def located_blocks(check: Qcow2Check) -> npt.NDArray[np.uint64]:
    """Host offsets of the refcount blocks, by entry; 0 where the entry is empty or broken."""
    reserved, unaligned = _broken(check)
    return np.where(reserved | unaligned, np.uint64(0), check.stored.offsets)


def _broken(check: Qcow2Check) -> tuple[Flags, Flags]:
    """Entries of the refcount table with reserved bits, and others that are not aligned."""
    stored = check.stored
    return stored.reserved, stored.unaligned & ~stored.reserved


def _report(check: Qcow2Check, rule: str, hit: Flags) -> None:
    """Report entries of the refcount table."""
    check.findings.add(rule, int(hit.sum()), _faults(check, hit))


def _faults(check: Qcow2Check, hit: Flags) -> Iterator[Fault]:
    table = check.metadata.qcow2_header.refcount_table_offset
    for index in np.flatnonzero(hit).tolist():
        place = table + index * c.REFTABLE_ENTRY_SIZE
        value, at = int(check.stored.entries[index]), int(check.stored.offsets[index])
        yield Fault(f"refcount_table[{index}]", place, value, at or None)
