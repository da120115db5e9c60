"""The rules about the header's own fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qcow_parsers import Qcow1, Qcow2
from qcow_parsers import constants as c

from qcowspec.spec.metadata import Metadata, Table
from qcowspec.spec.predicates.binding import decides, places, states
from qcowspec.spec.structures import Part, Place, place

# Plain numbers: the operators of enum.Flag take longer than all other predicates together.
UNKNOWN_COMPATIBLE = ~int(c.Qcow2CompatibleFeatures.QCOW2_COMPAT_FEAT_MASK)
UNKNOWN_AUTOCLEAR = ~int(c.Qcow2AutoclearFeatures.QCOW2_AUTOCLEAR_MASK)


@decides("header/corrupt")
def corrupt(header: Qcow2.Header, image: Metadata) -> bool:
    """The corrupt bit is clear."""
    return not header.has_corrupt


# --- librbd ---------------------------------------------------------------------------------------


@decides("header/librbd-v1-version")
def librbd_v1_version(header: Qcow2.Header, image: Metadata) -> bool:
    """No image of version 2 or 3 is one of version 1."""
    return False


@decides("header/librbd-length")
def librbd_length(header: Qcow2.Header, image: Metadata) -> bool:
    """The file has the bytes that librbd reads as a header."""
    return image.holds(0, c.QCOW2_HEADER_SIZE)


@decides("header/v1-librbd-length")
def v1_librbd_length(header: Qcow1.Header, image: Metadata) -> bool:
    """The file has the bytes of a version 1 header."""
    return image.holds(0, c.QCOW1_HEADER_SIZE)


@states("header/librbd-length", "header/v1-librbd-length")
def file_length(header: Qcow1.Header | Qcow2.Header, image: Metadata) -> int | None:
    """Bytes of the file."""
    return image.length


@decides("header/librbd-size-sectors", "header/v1-librbd-size-sectors")
def librbd_size_sectors(header: Qcow1.Header | Qcow2.Header, image: Metadata) -> bool:
    """The disk ends at a sector."""
    return header.size % c.BDRV_SECTOR_SIZE == 0


@decides("header/librbd-compression")
def librbd_compression(header: Qcow2.Header, image: Metadata) -> bool:
    """Neither the compression type nor its bit is set."""
    deflate = c.Qcow2CompressionType.QCOW2_COMPRESSION_TYPE_ZLIB
    return header.effective_compression_type == deflate and not header.has_compression_type


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


@decides("header/librbd-data-file", "header/untrusted-data-file")
def data_file(header: Qcow2.Header, image: Metadata) -> bool:
    """The guest's data are in the image itself."""
    return not header.has_data_file


@decides("header/librbd-extended-l2")
def librbd_extended_l2(header: Qcow2.Header, image: Metadata) -> bool:
    """L2 entries are plain ones."""
    return not header.has_extended_l2


@decides("header/v1-librbd-cluster-bits")
def v1_librbd_cluster_bits(header: Qcow1.Header, image: Metadata) -> bool:
    """The bounds are those of version 2: librbd has no others."""
    return c.MIN_CLUSTER_BITS <= header.cluster_bits <= c.MAX_CLUSTER_BITS


@decides("header/v1-librbd-l2-bits")
def v1_librbd_l2_bits(header: Qcow1.Header, image: Metadata) -> bool:
    """An L2 table is as large as a cluster may be in version 2: librbd has no other bounds."""
    entries = c.L2E_SIZE_NORMAL.bit_length() - 1
    return c.MIN_CLUSTER_BITS <= header.l2_bits + entries <= c.MAX_CLUSTER_BITS


# --- the operator's policy ------------------------------------------------------------------------


@decides("header/untrusted-dirty")
def untrusted_dirty(header: Qcow2.Header, image: Metadata) -> bool:
    """The image was closed in order."""
    return not header.has_dirty


@decides("header/untrusted-unknown-compatible")
def untrusted_unknown_compatible(header: Qcow2.Header, image: Metadata) -> bool:
    """All compatible features have a name."""
    return not (header.compatible_features or 0) & UNKNOWN_COMPATIBLE


@decides("header/untrusted-unknown-autoclear")
def untrusted_unknown_autoclear(header: Qcow2.Header, image: Metadata) -> bool:
    """All autoclear features have a name."""
    return not (header.autoclear_features or 0) & UNKNOWN_AUTOCLEAR


@decides("header/untrusted-unknown-fields")
def untrusted_unknown_fields(fields: Qcow2.AdditionalFields, image: Metadata) -> bool:
    """What follows the known fields is zero."""
    return not any(fields.unknown_fields)


@decides("header/untrusted-size", "header/v1-untrusted-size")
def untrusted_size(header: Qcow1.Header | Qcow2.Header, image: Metadata) -> bool:
    """The disk is one that somebody could have."""
    return header.size <= c.POLICY_MAX_DISK_SIZE


@decides("header/untrusted-overlap")
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


# --- the whole file -------------------------------------------------------------------------------


@decides("header/truncated", "header/v1-truncated")
def truncated(header: Qcow1.Header | Qcow2.Header, image: Metadata) -> bool:
    """Nothing that was looked at lies past the end of the file."""
    return image.reach == 0


@states("header/truncated", "header/v1-truncated")
def reach(header: Qcow1.Header | Qcow2.Header, image: Metadata) -> int:
    """Where the last of it ends."""
    return image.reach
