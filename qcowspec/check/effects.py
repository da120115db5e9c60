"""What each rule that a check goes by counts as.

In: nothing. Out: a table. Refuses: nothing.

Source: block/qcow2-refcount.c: qcow2_check_refcounts and what it calls; block/qcow2-bitmap.c:
qcow2_check_bitmaps_refcounts; block/qcow2-snapshot.c: qcow2_check_read_snapshot_table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from qcowspec.check.figures import CORRUPT, LEAKED


class Effect(StrEnum):
    """What a broken rule adds to."""

    CORRUPTION = "corruption"
    LEAK = "leak"
    ERROR = "check-error"
    BEYOND = "beyond-qemu"


EFFECTS: Mapping[str, Effect] = {
    # In QEMU's order.
    "snapshots/extra-data-minimum": Effect.CORRUPTION,
    "l1/reserved": Effect.CORRUPTION,
    "check/past-end": Effect.CORRUPTION,
    "check/refcount-overflow": Effect.CORRUPTION,
    "l2/table-offset": Effect.CORRUPTION,
    "l2/reserved": Effect.CORRUPTION,
    "l2/compressed-copied": Effect.CORRUPTION,
    "l2/compressed-data-file": Effect.CORRUPTION,
    "l2/compressed-bitmap": Effect.CORRUPTION,
    "l2/subcluster-bitmap": Effect.CORRUPTION,
    "l2/cluster-offset": Effect.CORRUPTION,
    "l2/subcluster-unallocated": Effect.CORRUPTION,
    "snapshots/data-file": Effect.CORRUPTION,
    "snapshots/l1-table-offset": Effect.CORRUPTION,
    "snapshots/l1-size": Effect.CORRUPTION,
    "refcounts/reserved": Effect.CORRUPTION,
    "refcounts/block-offset": Effect.CORRUPTION,
    "check/refcount-block-past-end": Effect.CORRUPTION,
    "check/refcount-block-shared": Effect.CORRUPTION,
    "check/refcount-unreadable": Effect.ERROR,
    "check/refcount-too-low": Effect.CORRUPTION,
    "check/leaked-cluster": Effect.LEAK,
    "check/l1-copied": Effect.CORRUPTION,
    "check/l2-copied": Effect.CORRUPTION,
    # What QEMU does not look at.
    "header/corrupt": Effect.BEYOND,
    "header/untrusted-dirty": Effect.BEYOND,
    "check/overlap": Effect.BEYOND,
    "check/cluster-shared": Effect.BEYOND,
    "check/refcount-past-end": Effect.BEYOND,
    "check/table-cut": Effect.BEYOND,
    "backing/data-file-end": Effect.BEYOND,
    "check/l1-table-empty": Effect.BEYOND,
    "check/l2-table-empty": Effect.BEYOND,
    "check/l2-entries-empty": Effect.BEYOND,
    "check/table-lost": Effect.BEYOND,
    "l2/zero-in-v2": Effect.BEYOND,
    "l2/data-file-offset": Effect.BEYOND,
    "l2/compressed-data": Effect.BEYOND,
    "backing/loop": Effect.BEYOND,
    # Version 1, of which QEMU has no check.
    "check/v1-overlap": Effect.CORRUPTION,
    "check/v1-past-end": Effect.CORRUPTION,
    "l2/v1-cluster-offset": Effect.CORRUPTION,
    "l2/v1-compressed-data": Effect.BEYOND,
    "backing/v1-loop": Effect.BEYOND,
}
"""The rules, by id."""

LEAST: Mapping[str, int] = {
    "check/table-cut": CORRUPT,
    "backing/data-file-end": CORRUPT,
    "check/refcount-past-end": LEAKED,
}
"""Rules that qemu-img does not look at, and whose breach is nothing to end with 0 for: a file that
was cut short. With the exit status of each, where nothing else gives another one than 0 or 3."""
