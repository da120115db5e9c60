"""Tables that the file ends in, or just before: QEMU reads zeros there and says nothing.

In: a check. Out: findings. Refuses: nothing.

What ends a whole cluster or more past the end of the file is `check/past-end`, as in QEMU. A table
may lie past the end of the file and be nearer than that: it is as lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from qcow_parsers import constants as c

from qcowspec.check.blocks import located_blocks
from qcowspec.check.findings import Fault
from qcowspec.check.ownership import Owner
from qcowspec.check.regions import fault

if TYPE_CHECKING:
    from qcowspec.check.qcow2 import Qcow2Check
    from qcowspec.check.stored import Numbers

RULE = "check/table-cut"


def cut_tables(check: Qcow2Check) -> None:
    """Report tables that have less than all their bytes in the file."""
    length, span = check.source.length, check.geometry.l2_span
    for region in check.regions:
        end = region.offset + region.length
        if region.owner is Owner.HEADER or region.length <= 0 or end <= length:
            continue
        if not check.is_past(region.offset, region.length):
            note = f"{region.path} goes on to {end:#x}; the file ends at {length:#x}"
            if region.owner is Owner.L1_TABLE:  # of what is in the file the entries are there
                index = max(0, length - region.offset) // c.L1E_SIZE
                note += f"; {check.lost_range(index * span, region.length // c.L1E_SIZE * span)}"
            check.findings.add(RULE, 1, fault(region.pointer, length, region, note))
    size = np.int64(check.geometry.cluster_size)
    for offsets, faults in (
        (check.tables.offsets, _l2_tables),
        (located_blocks(check), _refcount_blocks),
    ):
        ends = offsets.astype(np.int64) + size
        hit = np.flatnonzero((offsets != 0) & (ends > length) & (ends < check.limit))
        check.findings.add(RULE, len(hit), faults(check, hit))


def _l2_tables(check: Qcow2Check, hit: Numbers) -> Iterator[Fault]:
    bits = check.geometry.cluster_bits
    for one in hit.tolist():
        place, offset = int(check.tables.places[one]), int(check.tables.offsets[one])
        path, guest = check.names.entry(place), check.names.guest(place)
        index = (check.source.length - offset) // check.geometry.l2_entry_size
        note = _note(check, "L2 table", offset)
        note += "; " + check.lost_range(guest + (index << bits), guest + check.geometry.l2_span)
        yield Fault(path, place, check.word(place), offset, guest=guest, note=note)


def _refcount_blocks(check: Qcow2Check, hit: Numbers) -> Iterator[Fault]:
    table = check.metadata.qcow2_header.refcount_table_offset
    for index in hit.tolist():
        offset = int(check.stored.offsets[index])
        place, note = table + index * c.REFTABLE_ENTRY_SIZE, _note(check, "refcount block", offset)
        yield Fault(f"refcount_table[{index}]", place, offset, offset, note=note)


def _note(check: Qcow2Check, what: str, offset: int) -> str:
    end = offset + check.geometry.cluster_size
    return f"the {what} goes on to {end:#x}; the file ends at {check.source.length:#x}"
