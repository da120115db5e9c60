"""The rules about the header's own fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qcow_parsers import Qcow1, Qcow2
from qcow_parsers import constants as c

from qcowspec.spec.metadata import Metadata, Table
from qcowspec.spec.predicates.binding import decides, places, states
from qcowspec.spec.structures import Part, Place, place
from qcowspec.spec.units import HostOffset

# --- librbd ---------------------------------------------------------------------------------------


@places("header/librbd-v1-version")
def version(part: Part[Any], header: Qcow2.Header, image: Metadata) -> Place:
    """The field after the magic, found without a layout: every v2 and v3 image breaks the rule."""
    return Place(HostOffset(part.offset + VERSION), f"{part.name}.version", header.version)


VERSION = 4
"""Where the version stands in a header, in bytes."""


@decides("header/librbd-length")
def librbd_length(header: Qcow2.Header, image: Metadata) -> bool:
    """The file has the bytes that librbd reads as a header. Reads the file's length."""
    return image.holds(0, c.QCOW2_HEADER_SIZE)


@decides("header/v1-librbd-length")
def v1_librbd_length(header: Qcow1.Header, image: Metadata) -> bool:
    """The file has the bytes of a version 1 header. Reads the file's length."""
    return image.holds(0, c.QCOW1_HEADER_SIZE)


@states("header/librbd-length", "header/v1-librbd-length")
def file_length(header: Qcow1.Header | Qcow2.Header, image: Metadata) -> int | None:
    """Bytes of the file."""
    return image.length


@places("header/librbd-compression")
def compression(part: Part[Any], header: Qcow2.Header, image: Metadata) -> Place:
    """The compression type, or the bit that announces one where the type is 0 or missing."""
    is_bit = header.effective_compression_type == c.Qcow2CompressionType.QCOW2_COMPRESSION_TYPE_ZLIB
    return place(part, "incompatible_features" if is_bit else COMPRESSION_TYPE)


@states("header/librbd-compression")
def compression_words(header: Qcow2.Header, image: Metadata) -> str:
    """What is set."""
    if header.effective_compression_type == c.Qcow2CompressionType.QCOW2_COMPRESSION_TYPE_ZLIB:
        return f"incompatible_features is {header.incompatible_features:#x}: bit 3 is set"
    return f"compression_type is {int(header.effective_compression_type)}"


COMPRESSION_TYPE = "additional_fields.compression_type"


# --- the operator's policy ------------------------------------------------------------------------


@decides("header/untrusted-overlap")
def untrusted_overlap(header: Qcow2.Header, image: Metadata) -> bool:
    """What the header locates lies apart. Reads the places of all tables."""
    return overlapping(header, image) is None


@states("header/untrusted-overlap")
def overlapping(header: Qcow2.Header, image: Metadata) -> str | None:
    """The field that locates the first table which begins inside another one, or in the header."""
    end = header.cluster_size
    for start, length, field in sorted(_located(header, image)):
        if start < end:
            return field
        end = start + length
    return None


@places("header/untrusted-overlap")
def overlap(part: Part[Any], header: Qcow2.Header, image: Metadata) -> Place:
    """That field; the bitmap directory's stands in an extension."""
    field = overlapping(header, image)
    assert field is not None
    in_extension = field == BITMAP_DIRECTORY and image.bitmaps_part is not None
    return place(image.bitmaps_part if in_extension else part, field)  # type: ignore[arg-type]


BITMAP_DIRECTORY = "bitmap_directory_offset"


def _located(header: Qcow2.Header, image: Metadata) -> Iterator[tuple[int, int, str]]:
    """Offset, length and locating field of all tables that are not empty."""
    tables = {"l1_table_offset": image.l1_table, "refcount_table_offset": image.refcount_table}
    for field, table in tables.items():
        if isinstance(table, Table) and table.count:
            yield table.offset, table.length, field
    if image.snapshots:
        start, last = header.snapshots_offset, image.snapshots.part(-1)
        yield start, last.offset + len(last.data) - start, "snapshots_offset"
    directory = image.bitmaps_extension
    if image.bitmaps and directory is not None:
        start = directory.bitmap_directory_offset
        yield start, directory.bitmap_directory_size, BITMAP_DIRECTORY


# --- the whole file -------------------------------------------------------------------------------


@decides("header/truncated", "header/v1-truncated")
def truncated(header: Qcow1.Header | Qcow2.Header, image: Metadata) -> bool:
    """Nothing that was looked at lies past the end of the file.

    Reads the file's length and the places of all tables.
    """
    return image.reach == 0


@states("header/truncated", "header/v1-truncated")
def reach(header: Qcow1.Header | Qcow2.Header, image: Metadata) -> int:
    """Where the last of it ends."""
    return image.reach
