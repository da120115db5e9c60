"""The rules about the header's own fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qcow_parsers import Qcow2
from qcow_parsers import constants as c

from qcowspec.spec.metadata import Metadata, Table
from qcowspec.spec.predicates.binding import decides, places, states
from qcowspec.spec.structures import Part, Place, place
from qcowspec.spec.units import HostOffset


@places("header/librbd-v1-version")
def version(part: Part[Any], header: Qcow2.Header, image: Metadata) -> Place:
    """The field after the magic, found without a layout: every v2 and v3 image breaks the rule."""
    return Place(HostOffset(part.offset + VERSION), f"{part.name}.version", header.version)


VERSION = 4
"""Where the version stands in a header, in bytes."""


@places("header/librbd-compression")
def compression(part: Part[Any], header: Qcow2.Header, image: Metadata) -> Place:
    """The compression type, or the bit that announces one where the type is 0 or missing."""
    field = "additional_fields.compression_type" if _has_type(header) else "incompatible_features"
    return place(part, field)


@states("header/librbd-compression")
def compression_words(header: Qcow2.Header, image: Metadata) -> str:
    """What is set."""
    if _has_type(header):
        return f"compression_type is {int(header.effective_compression_type)}"
    return f"incompatible_features is {header.incompatible_features:#x}: bit 3 is set"


def _has_type(header: Qcow2.Header) -> bool:
    zlib = c.Qcow2CompressionType.QCOW2_COMPRESSION_TYPE_ZLIB
    return header.effective_compression_type != zlib


# --- the operator's policy ------------------------------------------------------------------------


@decides("header/untrusted-overlap", reads="the tables")
def untrusted_overlap(header: Qcow2.Header, image: Metadata) -> bool:
    """What the header locates lies apart."""
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
