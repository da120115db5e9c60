"""The rules about the bitmap directory, its entries, and the tables they point at.

They are asked only where the image vouches for its bitmaps (autoclear bit 0).
"""

from __future__ import annotations

from typing import Any

from qcow_parsers import Qcow2
from qcow_parsers import constants as c

from qcowspec.spec.entries import BitmapTableEntries, Frame
from qcowspec.spec.entry_rules import bitmaps_cluster_offset, bitmaps_past_end
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.predicates.binding import decides, places, states
from qcowspec.spec.structures import Part, Place, place
from qcowspec.spec.units import BITS_PER_BYTE, align_up, whole_sectors

INT32_MAX, UINT32 = (1 << 31) - 1, 1 << 32
"""QEMU computes the length of an entry in this many values, half of them negative."""

WORD_BITS = 64
"""Bits of a bitmap that QEMU stores together."""


def _directory(image: Metadata) -> Qcow2.BitmapsExtension:
    assert image.bitmaps_extension is not None
    return image.bitmaps_extension


# --- the extension, while QEMU walks the extensions, and when it comes to the directory -----------


@decides("bitmaps/bitmap-directory-offset")
def directory_offset(extension: Qcow2.BitmapsExtension, image: Metadata) -> bool:
    """The directory begins at a cluster. Reads the header."""
    return extension.bitmap_directory_offset % image.qcow2_header.cluster_size == 0


@decides("bitmaps/untrusted-past-end")
def untrusted_past_end(extension: Qcow2.BitmapsExtension, image: Metadata) -> bool:
    """The file has the whole directory. Reads the file's length."""
    return image.holds(extension.bitmap_directory_offset, extension.bitmap_directory_size)


# --- the directory's end --------------------------------------------------------------------------


@decides("bitmaps/untrusted-tables")
def untrusted_tables(directory: object, image: Metadata) -> bool:
    """The tables are no more than are read here. Reads the sum of all tables."""
    return image.bitmap_tables_length <= c.POLICY_MAX_BITMAP_TABLES


@states("bitmaps/untrusted-tables")
def tables_length(directory: object, image: Metadata) -> int:
    """Bytes of all tables."""
    return image.bitmap_tables_length


@decides("bitmaps/entry-header")
def entry_header(directory: object, image: Metadata) -> bool:
    """The directory does not end in too few bytes for an entry.

    Reads how much of the directory is left.
    """
    return not 0 < image.turn.left < c.QCOW2_BITMAP_DIR_ENTRY_SIZE


@states("bitmaps/entry-header")
def bytes_left(directory: object, image: Metadata) -> int:
    """Bytes after the last entry."""
    return image.turn.left


@places("bitmaps/entry-header")
def unparsed(part: Part[Any], directory: object, image: Metadata) -> Place:
    """The bytes after the last entry."""
    return Place(image.turn.offset, f"{part.name}.unparsed", None)


@decides("bitmaps/count-minimum")
def count_minimum(directory: object, image: Metadata) -> bool:
    """No bitmap is missing; not asked of a directory that was not read to its end.

    Reads the extension, and how many entries there are.
    """
    return image.turn.left > 0 or image.turn.index >= _directory(image).nb_bitmaps


@states("bitmaps/count-minimum")
def entries(directory: object, image: Metadata) -> int:
    """How many entries there are."""
    return image.turn.index


@places("bitmaps/count-minimum", "bitmaps/count-maximum", "bitmaps/untrusted-tables")
def announced(part: Part[Any], structure: object, image: Metadata) -> Place:
    """The number of bitmaps that the extension announces."""
    assert image.bitmaps_part is not None
    return place(image.bitmaps_part, "nb_bitmaps")


# --- an entry -------------------------------------------------------------------------------------


@decides("bitmaps/count-maximum")
def count_maximum(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> bool:
    """The entry is one that the extension announces.

    Reads the extension, and how many entries come before.
    """
    return image.turn.index < _directory(image).nb_bitmaps


@decides("bitmaps/entry-end")
def entry_end(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> bool:
    """The entry ends inside the directory, as QEMU counts: lengths from 2^31 on are negative.

    Reads how much of the directory is left.
    """
    length = entry.entry_size % UINT32
    return length > INT32_MAX or length <= image.turn.left


@states("bitmaps/entry-end")
def entry_length(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> int:
    """Bytes that the entry claims."""
    return entry.entry_size


@states("bitmaps/table-size-exact")
def table_size_needed(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> int:
    """Entries of a table for the whole disk."""
    return _table_size_needed(entry, image)


@decides("bitmaps/coverage")
def coverage(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> bool:
    """The bitmap reaches to the end of the disk.

    A disk of 2^63 bytes and more has no length that QEMU could compare, so that not even a bitmap
    in use passes (block.c: bdrv_getlength).

    Reads the header.
    """
    length = whole_sectors(image.qcow2_header.size)
    if length > c.QCOW2_MAX_TABLE_END:
        return False
    if entry.in_use or not entry.granularity:
        return True
    clusters = entry.bitmap_table_size * image.qcow2_header.cluster_size
    return length <= clusters * BITS_PER_BYTE * entry.granularity


@decides("bitmaps/name-unique")
def name_unique(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> bool:
    """No earlier bitmap has the same name; QEMU passes over one in use that has.

    Reads the earlier names.
    """
    return entry.in_use or not image.turn.repeats


@decides("bitmaps/in-use-bits")
def in_use_bits(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> bool:
    """A bitmap without an own size in the image has few enough bits for QEMU's memory.

    Reads the header and the earlier names.
    """
    if not entry.in_use or image.turn.repeats or not entry.granularity:
        return True
    return _bits(entry, image) <= 1 << c.HBITMAP_LOG_MAX_SIZE


@decides("bitmaps/untrusted-in-use-size")
def untrusted_in_use_size(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> bool:
    """A bitmap without an own size in the image takes no more memory than others.

    Reads the header.
    """
    if not entry.in_use or not entry.granularity:
        return True
    return _bits(entry, image) <= c.BME_MAX_PHYS_SIZE * BITS_PER_BYTE


def _bits(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> int:
    """Bits for the whole disk."""
    return -(-whole_sectors(image.qcow2_header.size) // entry.granularity)


@decides("bitmaps/table-size-exact")
def table_size_exact(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> bool:
    """The table has no entry too many. Reads the header."""
    if entry.in_use or not entry.granularity:
        return True
    return entry.bitmap_table_size == _table_size_needed(entry, image)


def _table_size_needed(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> int:
    """Entries of a table for the whole disk (block/qcow2-bitmap.c: load_bitmap_data)."""
    data = align_up(_bits(entry, image), WORD_BITS) // BITS_PER_BYTE
    return -(-data // image.qcow2_header.cluster_size)


@decides("bitmaps/untrusted-table-past-end")
def untrusted_table_past_end(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> bool:
    """The file has the whole table. Reads the file's length."""
    return image.holds(entry.bitmap_table_offset, entry.bitmap_table_bytes)


# --- an entry of a bitmap table -------------------------------------------------------------------


@decides("bitmaps/cluster-offset")
def cluster_offset(entry: Qcow2.BitmapTableEntry, image: Metadata) -> bool:
    """The bitmap's data begin at a cluster. Reads the header."""
    return bool(bitmaps_cluster_offset(_view(entry, image)))


@decides("bitmaps/untrusted-cluster-past-end")
def untrusted_cluster_past_end(entry: Qcow2.BitmapTableEntry, image: Metadata) -> bool:
    """The bitmap's data begin inside the file. Reads the file's length."""
    return bool(bitmaps_past_end(_view(entry, image)))


def _view(entry: Qcow2.BitmapTableEntry, image: Metadata) -> BitmapTableEntries:
    assert image.geometry is not None
    return BitmapTableEntries(entry.offset, Frame(image.geometry, length=image.length))
