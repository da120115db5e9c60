"""L1, REFCOUNTS, SNAPSHOTS: the tables that the header locates.

In: their offsets and counts, bounded by the rules before a byte is asked for. Out: `Table`s and
`Structures` in `Metadata`. Refuses: to read a table whose bounds break a rule.

Source: docs/interop/qcow2; block/qcow2.c: qcow2_do_open; block/qcow2-snapshot.c:
qcow2_do_read_snapshots; block/qcow.c: qcow_open.
"""

from __future__ import annotations

from typing import Any, TypeVar

from qcow_parsers import Qcow2
from qcow_parsers import constants as c

from qcowspec.reader.needs import Reading, Window
from qcowspec.spec.metadata import Format, Metadata, Names, Table, Turn, parsed
from qcowspec.spec.rules import Judge
from qcowspec.spec.structures import Part
from qcowspec.spec.units import MAX_L1_ENTRIES, HostOffset

Entry = TypeVar("Entry", Qcow2.Snapshot, Qcow2.BitmapDirectoryEntry)


def read_l1(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    """Read the active L1 table."""
    header = image.header
    # In version 1 the size of the disk is the size of the table.
    stages = {"l1", "header"} if image.format is Format.QCOW else {"l1"}
    if header is None or stages & judge.stopped:
        return False
    image.l1_table = yield from _read_table(
        "l1_table", window, header.l1_table_offset, header.l1_size
    )
    return True


def read_refcounts(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    """Read the refcount table."""
    header = image.qcow2_header
    if "refcounts" in judge.stopped:
        return False
    count = header.refcount_table_bytes // Table.ENTRY_SIZE
    offset = header.refcount_table_offset
    image.refcount_table = yield from _read_table("refcount_table", window, offset, count)
    return True


def read_snapshots(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    """Read the entries of the snapshot table."""
    header = image.qcow2_header
    if "snapshots" in judge.stopped:
        return False
    offset, fixed, ids = header.snapshots_offset, c.QCOW2_SNAPSHOT_HEADER_SIZE, Names()
    with image.at(Turn(0, HostOffset(offset))):
        for index in range(header.nb_snapshots):
            blank = Part(f"snapshots[{index}]", Qcow2.Snapshot, HostOffset(offset), b"")
            end = max(offset + fixed, c.BDRV_MAX_LENGTH)
            part, entry = yield from read_entry(window, blank, fixed, end)
            first = ids.add(entry.id_str)
            image.turn = Turn(index, part.offset, repeats=not first)
            if not judge(part, entry):
                image.unfit.append(part)
                return False
            saved = entry.disk_size
            image.snapshots.add(
                part,
                l1_table_offset=entry.l1_table_offset,
                l1_size=entry.l1_size,
                disk_size=header.size if saved is None else saved,
                vm_state_size=entry.effective_vm_state_size,
                unpadded_size=entry.unpadded_size,
            )
            image.reaches(part.offset + len(part.data) - len(entry.padding))
            image.reaches(entry.l1_table_offset + entry.l1_size * c.L1E_SIZE)
            offset += entry.entry_size
    return True


def _read_table(name: str, window: Window, offset: int, count: int) -> Reading[Table]:
    """Read a table of 64-bit entries as far as the file goes.

    `count` is bounded by the rules in v2 and v3. In v1 it may claim 2 GiB: bytes beyond the size
    that v2 allows are not read.
    """
    length = min(count, MAX_L1_ENTRIES) * Table.ENTRY_SIZE
    data = yield from window.read(offset, length)
    return Table(name, HostOffset(offset), count, data)


def read_entry(
    window: Window, blank: Part[Entry], fixed: int, end: int
) -> Reading[tuple[Part[Entry], Entry]]:
    """Read one entry of variable length.

    Args:
        window: Where its bytes come from.
        blank: Its name, layout and offset.
        fixed: Bytes before its extra data and names; the area has as many.
        end: Where its area ends.
    """
    room = end - blank.offset
    data = yield from window.read_zero_filled(blank.offset, min(ORDINARY, room))
    layout: Any = blank.layout  # mypy takes its objects for unhashable
    entry: Entry = parsed(layout, blank.arguments, data)
    # Larger extra data breaks a rule, whose finding needs no more than the entry's beginning.
    length = max(fixed, min(entry.entry_size, ENTRY_LIMIT, room))
    if length > len(data):
        data = yield from window.read_zero_filled(blank.offset, length)
        entry = Part(blank.name, blank.layout, blank.offset, data, blank.arguments).parse()
    part = Part(blank.name, blank.layout, blank.offset, data[:length], blank.arguments)
    return part, entry


ORDINARY = 256
"""Bytes: more than most entries have, so that they are read at once."""

ENTRY_LIMIT = 1 << 18
"""Bytes: above any entry whose extra data QEMU accepts, with the longest id and name."""
