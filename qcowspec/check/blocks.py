"""The refcount blocks themselves: where the entries of the refcount table locate them.

In: an image's layout, and a window whose other references are counted. Out: the references to the
blocks, and findings. Refuses: nothing.

Source: block/qcow2-refcount.c: check_refblocks.
"""

from __future__ import annotations

import numpy as np

from qcowspec.check.arrays import Flags
from qcowspec.check.counting import Window
from qcowspec.check.layout import Layout
from qcowspec.check.ownership import Owner


def refcount_blocks(layout: Layout, window: Window, clusters: int) -> None:
    """Count the refcount blocks in a window, and judge the entries that locate them.

    Args:
        layout: The image.
        window: Where they are counted.
        clusters: Clusters that are compared: the file's, and the next one if anything ends in it.
    """
    stored, offsets = layout.stored, layout.stored.offsets

    def report(rule: str, hit: Flags) -> None:
        entries = np.flatnonzero(hit)
        faults = (layout.places.entry(index) for index in entries.tolist())
        layout.findings.add(rule, len(entries), faults)

    numbers = (offsets >> np.uint64(layout.geometry.cluster_bits)).astype(np.int64)
    valid = ~stored.reserved & ~stored.unaligned
    outside = valid & (numbers >= clusters)
    if window.end > layout.clusters:  # the last: now it is known where the clusters end
        report("refcounts/reserved", stored.reserved)
        report("refcounts/block-offset", stored.unaligned)
        report("check/refcount-block-past-end", outside)
    counted = np.flatnonzero(valid & ~outside & (offsets != 0) & window.inside(numbers))
    if not len(counted):
        return
    here = numbers[counted]
    before = window.counts[here - window.first].astype(np.float64)
    order = np.argsort(here, kind="stable")
    rising = here[order]
    rank = np.zeros(len(here), np.int64)
    rank[order] = np.arange(len(rising)) - np.searchsorted(rising, rising)
    # The cluster after the file's last is there if something else reaches into it; a block in it
    # is past the end, and not counted, and yet judged.
    late = here >= layout.clusters
    past, shared = np.zeros(len(offsets), bool), np.zeros(len(offsets), bool)
    past[counted[late]] = True
    report("check/past-end", past)
    seen = np.minimum(before + np.where(late, 0, rank + 1), stored.most)
    shared[counted[seen != 1]] = True
    report("check/refcount-block-shared", shared)
    window.add(here[~late], Owner.REFCOUNT_BLOCK, alone=True)
