"""L1, REFCOUNTS, SNAPSHOTS, BITMAPS: the tables that the header and its extensions locate.

In: their offsets and counts, bounded by the rules before a byte is asked for. Out: `Table`s and
`Structures` in `Metadata`. Refuses: to read a table whose bounds break a rule.

Source: docs/interop/qcow2; block/qcow2.c: qcow2_do_open; block/qcow2-snapshot.c:
qcow2_do_read_snapshots; block/qcow2-bitmap.c: bitmap_list_load; block/qcow.c: qcow_open.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from qcow_parsers import Qcow2
from qcow_parsers import constants as c

from qcowspec.metadata import Metadata, Structures, Table
from qcowspec.needs import Reading, Window
from qcowspec.rules import Judge
from qcowspec.structures import Part
from qcowspec.units import HostOffset

Entry = TypeVar("Entry", Qcow2.Snapshot, Qcow2.BitmapDirectoryEntry)


def read_l1(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    """Read the active L1 table."""
    header = image.header
    if not judge.header("l1") or header is None:
        return False
    image.l1_table = yield from _read_table(
        "l1_table", window, header.l1_table_offset, header.l1_size
    )
    return True


def read_refcounts(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    """Read the refcount table."""
    header = image.qcow2_header
    if not judge.header("refcounts"):
        return False
    count = header.refcount_table_clusters * header.cluster_size // Table.ENTRY_SIZE
    offset = header.refcount_table_offset
    image.refcount_table = yield from _read_table("refcount_table", window, offset, count)
    return True


def read_snapshots(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    """Read the entries of the snapshot table."""
    header = image.qcow2_header
    if not judge.header("snapshots"):
        return False
    offset, end, fixed = header.snapshots_offset, c.BDRV_MAX_LENGTH, c.QCOW2_SNAPSHOT_HEADER_SIZE
    for index in range(header.nb_snapshots):
        blank = Part(f"snapshots[{index}]", Qcow2.Snapshot, HostOffset(offset), b"")
        entry = yield from _read_entry(window, image.snapshots, blank, fixed, end)
        if not judge("snapshots", image.snapshots.parts[-1], entry):
            return False
        offset += entry.entry_size
    return True


def read_bitmaps(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    """Read the entries of the bitmap directory, where its consistency is vouched for."""
    header, extension = image.qcow2_header, image.bitmaps_extension
    if extension is None or not header.has_bitmaps:
        return True
    offset, fixed = extension.bitmap_directory_offset, c.QCOW2_BITMAP_DIR_ENTRY_SIZE
    end = offset + min(extension.bitmap_directory_size, c.QCOW2_MAX_BITMAP_DIRECTORY_SIZE)
    while end - offset >= fixed:
        name = f"bitmaps[{len(image.bitmaps)}]"
        layout, arguments = Qcow2.BitmapDirectoryEntry, (header.cluster_bits,)
        blank = Part(name, layout, HostOffset(offset), b"", arguments)
        entry = yield from _read_entry(window, image.bitmaps, blank, fixed, end)
        if not judge("bitmaps", image.bitmaps.parts[-1], entry):
            return False
        offset += entry.entry_size
    return judge.header("bitmaps")


def _read_table(name: str, window: Window, offset: int, count: int) -> Reading[Table]:
    """Read a table of 64-bit entries as far as the file goes.

    `count` is bounded by the rules in v2 and v3. In v1 it may claim 2 GiB: what lies beyond the
    size that v2 allows is left in the file.
    """
    length = min(count * Table.ENTRY_SIZE, c.QCOW_MAX_L1_SIZE)
    data = yield from window.read(offset, length)
    return Table(name, HostOffset(offset), count, data)


def _read_entry(
    window: Window, entries: Structures[Entry], blank: Part[Entry], fixed: int, end: int
) -> Reading[Entry]:
    """Read one entry of variable length.

    Args:
        window: Where its bytes come from.
        entries: Where it is kept.
        blank: Its name, layout and offset.
        fixed: Bytes of it that stand before its extra data and names.
        end: Where the area ends that it lies in.
    """
    head = yield from window.read_zero_filled(blank.offset, fixed)
    length = replace(blank, data=head).parse().entry_size
    # Larger extra data breaks a rule, whose finding needs no more than the entry's beginning.
    data = yield from window.read(blank.offset, min(length, ENTRY_LIMIT, end - blank.offset))
    part = replace(blank, data=data.ljust(fixed, b"\0"))
    entries.parts.append(part)
    return part.parse()


ENTRY_LIMIT = 1 << 18
"""Bytes: above any entry whose extra data QEMU accepts, with the longest id and name."""
