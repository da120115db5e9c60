"""The rules about the header's own fields."""

from __future__ import annotations

from collections.abc import Iterator

from qcow_parsers import Qcow1, Qcow2
from qcow_parsers import constants as c

from qcowspec.metadata import Metadata, Table
from qcowspec.predicates.binding import decides, tells

# Plain numbers: the operators of enum.Flag take longer than all other predicates together.
UNKNOWN_COMPATIBLE = ~int(c.Qcow2CompatibleFeatures.QCOW2_COMPAT_FEAT_MASK)
UNKNOWN_AUTOCLEAR = ~int(c.Qcow2AutoclearFeatures.QCOW2_AUTOCLEAR_MASK)


@decides("header/corrupt")
def corrupt(header: Qcow2.Header, image: Metadata) -> bool:
    """The corrupt bit is clear."""
    return not header.has_corrupt


# --- librbd ---------------------------------------------------------------------------------------


@decides("header/librbd-length")
def librbd_length(header: Qcow2.Header, image: Metadata) -> bool:
    """The file has the bytes that librbd reads as a header."""
    return image.holds(0, c.QCOW2_HEADER_SIZE)


@decides("header/v1-librbd-length")
def v1_librbd_length(header: Qcow1.Header, image: Metadata) -> bool:
    """The file has the bytes of a version 1 header."""
    return image.holds(0, c.QCOW1_HEADER_SIZE)


@tells("header/librbd-length", "header/v1-librbd-length")
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


@decides("header/untrusted-overlap", after="bitmaps")
def untrusted_overlap(header: Qcow2.Header, image: Metadata) -> bool:
    """What the header locates lies apart."""
    return overlapping(header, image) is None


@tells("header/untrusted-overlap")
def overlapping(header: Qcow2.Header, image: Metadata) -> int | None:
    """The first offset at which two of the header's tables, or a table and the header, meet."""
    end = 0
    for start, length in sorted(_located(header, image)):
        if start < end:
            return start
        end = start + length
    return None


def _located(header: Qcow2.Header, image: Metadata) -> Iterator[tuple[int, int]]:
    """Offset and length of all that the header locates, but for what is empty or not readable."""
    yield 0, header.cluster_size
    for table in (image.l1_table, image.refcount_table):
        if isinstance(table, Table) and table.count:
            yield table.offset, table.length
    if image.snapshots:
        last = image.snapshots.part(-1)
        yield header.snapshots_offset, last.offset + len(last.data) - header.snapshots_offset
    directory = image.bitmaps_extension
    if image.bitmaps and directory is not None:
        yield directory.bitmap_directory_offset, directory.bitmap_directory_size
