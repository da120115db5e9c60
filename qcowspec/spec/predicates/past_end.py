"""The rules about what the file does not hold: its length stands in no structure."""

from __future__ import annotations

from typing import Any

from qcow_parsers import Qcow1, Qcow2
from qcow_parsers import constants as c

from qcowspec.spec import decoding
from qcowspec.spec.entry_rules import in_file
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.predicates.binding import decides, places, states
from qcowspec.spec.predicates.bitmaps import entry_view
from qcowspec.spec.structures import Part, Place
from qcowspec.spec.units import HostOffset

# --- the header -----------------------------------------------------------------------------------


@decides("header/librbd-length", reads="the file's length")
def librbd_length(header: Qcow2.Header, image: Metadata) -> bool:
    """The file has the bytes that librbd reads as a header."""
    return image.holds(0, c.QCOW2_HEADER_SIZE)


@decides("header/v1-librbd-length", reads="the file's length")
def v1_librbd_length(header: Qcow1.Header, image: Metadata) -> bool:
    """The file has the bytes of a version 1 header."""
    return image.holds(0, c.QCOW1_HEADER_SIZE)


@states("header/librbd-length", "header/v1-librbd-length")
def file_length(header: Qcow1.Header | Qcow2.Header, image: Metadata) -> int | None:
    """Bytes of the file."""
    return image.length


@decides("header/truncated", "header/v1-truncated", reads="the tables")
def truncated(header: Qcow1.Header | Qcow2.Header, image: Metadata) -> bool:
    """Nothing that was looked at lies past the end of the file."""
    return image.reach == 0


@states("header/truncated", "header/v1-truncated")
def reach(header: Qcow1.Header | Qcow2.Header, image: Metadata) -> int:
    """Where the last of it ends."""
    return image.reach


# --- tables ---------------------------------------------------------------------------------------


@decides(
    "l1/untrusted-past-end",
    "l1/v1-untrusted-past-end",
    "snapshots/untrusted-l1-past-end",
    reads="the file's length",
)
def l1_table(owner: Qcow1.Header | Qcow2.Header | Qcow2.Snapshot, image: Metadata) -> bool:
    """The file has the whole L1 table."""
    return image.holds(owner.l1_table_offset, owner.l1_table_bytes)


@decides("l1/librbd-past-end", "l1/v1-librbd-past-end", reads="the file's length")
def librbd_l1_table(header: Qcow1.Header | Qcow2.Header, image: Metadata) -> bool:
    """The file has the L1 entries that librbd reads; a read of none fails on a negative offset."""
    if header.num_librbd_l1_entries == 0:
        return header.l1_table_offset <= c.QCOW2_MAX_TABLE_END
    return image.holds(header.l1_table_offset, header.num_librbd_l1_entries * c.L1E_SIZE)


@decides("refcounts/untrusted-past-end", reads="the file's length")
def refcount_table(header: Qcow2.Header, image: Metadata) -> bool:
    """The file has the whole refcount table."""
    return image.holds(header.refcount_table_offset, header.refcount_table_bytes)


@decides("l1/untrusted-l2-past-end", reads="the tables")
def l2_tables(header: Qcow2.Header, image: Metadata) -> bool:
    """The last L2 table begins inside the file, and so do all."""
    last = last_l2_table(header, image)
    return last == 0 or image.holds(last, 1)


@states("l1/untrusted-l2-past-end")
def last_l2_table(header: Qcow2.Header, image: Metadata) -> int:
    """Offset of the L2 table that lies furthest into the file; 0 where there is none."""
    return decoding.l1_offset(_last_entry(image)[1])


@places("l1/untrusted-l2-past-end")
def last_l1_entry(part: Part[Any], header: Qcow2.Header, image: Metadata) -> Place:
    """The L1 entry that points at that table."""
    table, (index, entry) = image.l1_table, _last_entry(image)
    assert table is not None
    offset = HostOffset(table.offset + index * table.ENTRY_SIZE)
    return Place(offset, f"{table.name}[{index}]", entry)


def _last_entry(image: Metadata) -> tuple[int, int]:
    """Index and value of the L1 entry that points furthest into the file; zeros without any."""
    table = image.l1_table
    if table is None or len(table.data) < table.ENTRY_SIZE:
        return 0, 0
    if len(table.data) <= LARGE:
        return max(enumerate(table.values()), key=lambda each: decoding.l1_offset(each[1]))
    import numpy as np  # which only a large table is worth waiting for

    entries = np.frombuffer(table.data, dtype=">u8", count=len(table.data) // c.L1E_SIZE)
    pieces = (entries[at : at + LARGE] for at in range(0, len(entries), LARGE))
    last = [int(decoding.l1_offset(piece).argmax()) for piece in pieces]
    indexes = [number * LARGE + within for number, within in enumerate(last)]
    return max(
        ((index, int(entries[index])) for index in indexes),
        key=lambda each: decoding.l1_offset(each[1]),
    )


LARGE = 1 << 16
"""Bytes of a table above which it is searched as an array, in pieces of as many entries."""

# --- snapshots ------------------------------------------------------------------------------------

UINT32 = 1 << 32
"""librbd adds the lengths of an entry's parts in this many values."""


def _librbd_tail(entry: Qcow2.Snapshot) -> int:
    """Bytes after an entry's fixed part, as librbd counts them."""
    return (entry.extra_data_size + entry.id_str_size + entry.name_size) % UINT32


@decides("snapshots/librbd-count", reads="the file's length")
def librbd_snapshots(header: Qcow2.Header, image: Metadata) -> bool:
    """The file has as many bytes as the fixed parts of all entries have."""
    length = header.nb_snapshots * c.QCOW2_SNAPSHOT_HEADER_SIZE
    return header.snapshots_offset == 0 or image.holds(header.snapshots_offset, length)


@decides("snapshots/librbd-past-end", reads="the file's length")
def librbd_snapshot(entry: Qcow2.Snapshot, image: Metadata) -> bool:
    """The file has every byte of the entry that librbd reads."""
    length = c.QCOW2_SNAPSHOT_HEADER_SIZE + _librbd_tail(entry)
    return image.qcow2_header.snapshots_offset == 0 or image.holds(image.turn.offset, length)


@decides("snapshots/librbd-l1-past-end", reads="the file's length")
def librbd_snapshot_l1_table(entry: Qcow2.Snapshot, image: Metadata) -> bool:
    """The file has the snapshot's L1 table, if librbd reads it."""
    if image.qcow2_header.snapshots_offset == 0 or _librbd_tail(entry) == 0:
        return True
    return image.holds(entry.l1_table_offset, entry.l1_table_bytes)


@decides("snapshots/untrusted-past-end", reads="the file's length")
def snapshot(entry: Qcow2.Snapshot, image: Metadata) -> bool:
    """The file has the whole entry."""
    return image.holds(image.turn.offset, entry.unpadded_size)


# --- bitmaps --------------------------------------------------------------------------------------


@decides("bitmaps/untrusted-past-end", reads="the file's length")
def bitmap_directory(extension: Qcow2.BitmapsExtension, image: Metadata) -> bool:
    """The file has the whole directory."""
    return image.holds(extension.bitmap_directory_offset, extension.bitmap_directory_size)


@decides("bitmaps/untrusted-table-past-end", reads="the file's length")
def bitmap_table(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> bool:
    """The file has the whole table."""
    return image.holds(entry.bitmap_table_offset, entry.bitmap_table_bytes)


@decides("bitmaps/untrusted-cluster-past-end", reads="the file's length")
def bitmap_cluster(entry: Qcow2.BitmapTableEntry, image: Metadata) -> bool:
    """The bitmap's data begin inside the file."""
    return bool(in_file(entry_view(entry, image)))
