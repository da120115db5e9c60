"""The rules about the bitmap directory, its entries, and the tables they point at.

They are asked only where the image vouches for its bitmaps (autoclear bit 0).
"""

from __future__ import annotations

from typing import Any

from qcow_parsers import Qcow2
from qcow_parsers import constants as c

from qcowspec.spec.entries import BitmapTableEntries, Frame
from qcowspec.spec.entry_rules import on_cluster
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.predicates.binding import decides, places, states
from qcowspec.spec.structures import Part, Place, place

INT32_MAX, UINT32 = (1 << 31) - 1, 1 << 32
"""QEMU computes the length of an entry in this many values, half of them negative."""


@decides("bitmaps/bitmap-directory-offset", reads="the header")
def directory_offset(extension: Qcow2.BitmapsExtension, image: Metadata) -> bool:
    """The directory begins at a cluster."""
    return extension.bitmap_directory_offset % image.qcow2_header.cluster_size == 0


# --- the directory's end --------------------------------------------------------------------------


@decides("bitmaps/untrusted-tables", reads="the tables")
def untrusted_tables(directory: object, image: Metadata) -> bool:
    """All tables together are no more than are read here."""
    return image.bitmap_tables_length <= c.POLICY_MAX_BITMAP_TABLES


@states("bitmaps/untrusted-tables")
def tables_length(directory: object, image: Metadata) -> int:
    """Bytes of all tables."""
    return image.bitmap_tables_length


@decides("bitmaps/count-minimum", reads="the extensions")
def count_minimum(directory: object, image: Metadata) -> bool:
    """No bitmap is missing; not asked of a directory that was not read to its end."""
    assert image.bitmaps_extension is not None
    return image.turn.left > 0 or image.turn.index >= image.bitmaps_extension.nb_bitmaps


@places("bitmaps/count-minimum", "bitmaps/count-maximum", "bitmaps/untrusted-tables")
def announced(part: Part[Any], structure: object, image: Metadata) -> Place:
    """The number of bitmaps that the extension announces."""
    assert image.bitmaps_part is not None
    return place(image.bitmaps_part, "nb_bitmaps")


# --- an entry -------------------------------------------------------------------------------------


@decides("bitmaps/count-maximum", reads="the extensions")
def count_maximum(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> bool:
    """The entry is one that the extension announces."""
    assert image.bitmaps_extension is not None
    return image.turn.index < image.bitmaps_extension.nb_bitmaps


@decides("bitmaps/entry-end", reads="its place in its table or area")
def entry_end(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> bool:
    """The entry ends inside the directory, as QEMU counts: lengths from 2^31 on are negative."""
    length = entry.entry_size % UINT32
    return length > INT32_MAX or length <= image.turn.left


@states("bitmaps/entry-end")
def entry_length(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> int:
    """Bytes that the entry claims."""
    return entry.entry_size


@states("bitmaps/table-size-exact")
def table_size_needed(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> int:
    """Entries of a table for the whole disk."""
    return entry.bitmap_table_size_needed


@decides("bitmaps/name-unique", reads="the other entries of its table")
def name_unique(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> bool:
    """No earlier bitmap has the same name; QEMU passes over one in use that has."""
    return entry.in_use or not image.turn.repeats


@decides("bitmaps/in-use-bits", reads="the other entries of its table")
def in_use_bits(entry: Qcow2.BitmapDirectoryEntry, image: Metadata) -> bool:
    """A bitmap in use has few enough bits for QEMU's memory, unless an earlier one has its name."""
    few = entry.bitmap_bits <= 1 << c.HBITMAP_LOG_MAX_SIZE
    return few or not entry.in_use or image.turn.repeats


# --- an entry of a bitmap table -------------------------------------------------------------------


@decides("bitmaps/cluster-offset", reads="the header")
def cluster_offset(entry: Qcow2.BitmapTableEntry, image: Metadata) -> bool:
    """The bitmap's data begin at a cluster."""
    return bool(on_cluster(entry_view(entry, image)))


def entry_view(entry: Qcow2.BitmapTableEntry, image: Metadata) -> BitmapTableEntries:
    """The entry as the rules about arrays of entries take it."""
    assert image.geometry is not None
    return BitmapTableEntries(entry.offset, Frame(image.geometry, length=image.length))
