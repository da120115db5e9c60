"""Tables that the file ends in, or just before: QEMU reads zeros there and reports nothing.

In: an image's layout. Out: findings. Refuses: nothing.

What ends a whole cluster or more past the end of the file is `check/past-end`, as in QEMU. A table
that starts past the end of the file and ends nearer than that is as lost.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.arrays import Numbers
from qcowspec.check.findings import Fault
from qcowspec.check.layout import Layout
from qcowspec.check.ownership import Owner

RULE = "check/table-cut"


def cut_tables(layout: Layout) -> None:
    """Report tables that have less than all their bytes in the file."""
    length, span = layout.source.length, layout.geometry.l2_span
    for region in layout.regions:
        end = region.offset + region.length
        if region.owner is Owner.HEADER or region.length <= 0 or end <= length:
            continue
        if not layout.is_past(region.offset, region.length):
            note = f"{region.path} goes on to {end:#x}; the file ends at {length:#x}"
            if region.owner is Owner.L1_TABLE:  # of what is in the file the entries are there
                index = max(0, length - region.offset) // c.L1E_SIZE
                note += f"; {layout.lost_range(index * span, region.length // c.L1E_SIZE * span)}"
            layout.findings.add(RULE, 1, region.faults(length, note))
    size = np.int64(layout.geometry.cluster_size)
    for offsets, faults in (
        (layout.tables.offsets, _l2_tables),
        (layout.stored.located, _refcount_blocks),
    ):
        ends = offsets.astype(np.int64) + size
        hit = np.flatnonzero((offsets != 0) & (ends > length) & (ends < layout.limit))
        layout.findings.add(RULE, len(hit), faults(layout, hit))


def _l2_tables(layout: Layout, hit: Numbers) -> Iterator[Fault]:
    geometry = layout.geometry
    for table in hit.tolist():
        guest = layout.names.guest(int(layout.tables.places[table]))
        offset = int(layout.tables.offsets[table])
        first = (layout.source.length - offset) // geometry.l2_entry_size * geometry.cluster_size
        lost = layout.lost_range(guest + first, guest + geometry.l2_span)
        yield layout.l2_table(table, f"{_note(layout, 'L2 table', offset)}; {lost}")


def _refcount_blocks(layout: Layout, hit: Numbers) -> Iterator[Fault]:
    for index in hit.tolist():
        note = _note(layout, "refcount block", int(layout.stored.offsets[index]))
        yield layout.places.entry(index, note)


def _note(layout: Layout, what: str, offset: int) -> str:
    end = offset + layout.geometry.cluster_size
    return f"the {what} goes on to {end:#x}; the file ends at {layout.source.length:#x}"
