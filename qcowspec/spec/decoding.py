"""Every shift and mask on a table entry, as plain functions; `entries` has them as views.

In: entries as they stand in a table. Out: their fields. Refuses: nothing: these functions are
total, and pure.

All of it is written with the operators that an `int` and a NumPy ``uint64`` array share, so that
one line serves a small read, a dump and a whole table in a check: flags are a `bool`, or an array
of them. The generated entry types say the same of one entry; a property test compares them.

Source: docs/interop/qcow2, Cluster mapping; block/qcow2.h; block/qcow.c: get_cluster_offset.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias, TypeVar, cast

from qcow_parsers import constants as c

from qcowspec.spec.units import BITS_PER_BYTE, Geometry

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Entries = TypeVar("Entries", int, "npt.NDArray[np.uint64]")
"""One table entry, or an array of them."""

Flags: TypeAlias = Any
"""Yes or no for each: a `bool`, or an array of them."""
FULL = (1 << 64) - 1
"""All bits of an entry."""


def _masked(entry: Entries, mask: int) -> Entries:
    """``entry & mask``, whose type NumPy's stubs lose."""
    words: Any = entry
    found: Entries = words & mask
    return found


def no(flags: Flags) -> Flags:
    """The opposite; ``~`` of a `bool` is a number."""
    return flags ^ True


def l1_offset(entry: Entries) -> Entries:
    """Host offset of the L2 table that a v2/v3 L1 entry points at; 0 where there is none."""
    return _masked(entry, c.L1E_OFFSET_MASK)


class L2Fields(NamedTuple, Generic[Entries]):
    """What v2/v3 L2 entries say, one of them or an array (block/qcow2.h: qcow2_get_cluster_type).

    With extended L2 entries the subcluster bitmap says more.

    Attributes:
        offset: Host cluster offset; without meaning if the cluster is compressed.
        compressed: Whether the cluster is compressed; all others are then false.
        zero: Whether it reads as zeros; with extended entries the bitmap decides that.
        located: Whether `offset` is its place: of data, or of room that is set aside for them.
        normal: Whether it is located, and not zero.
    """

    offset: Entries
    compressed: Flags
    zero: Flags
    located: Flags
    normal: Flags


def l2_fields(entry: Entries, *, extended: bool, data_file: bool) -> L2Fields[Entries]:
    """What a v2/v3 L2 entry says: the one decoder of its flags and its offset."""
    words: Any = entry
    offset = words & c.L2E_OFFSET_MASK
    compressed = words & c.QCOW_OFLAG_COMPRESSED != 0
    plain = compressed ^ True
    zero = plain & (words & c.QCOW_OFLAG_ZERO != 0)
    if extended:
        zero = zero & False
    located = plain & (offset != 0)
    normal = located & (zero ^ True)
    if data_file:
        # A data file may hold a cluster at offset 0; COPIED tells it from an empty entry. QEMU asks
        # for ZERO first: then there is no place at offset 0.
        normal = plain & (zero ^ True) & (is_copied(entry) | (offset != 0))
        located = located | normal
    return L2Fields(offset, compressed, zero, located, normal)


def l2_meaning(*, data_file: bool) -> int:
    """The bits of a v2/v3 standard L2 entry that decide what `l2_fields` says of it."""
    bits = c.L2E_OFFSET_MASK | c.QCOW_OFLAG_COMPRESSED | c.QCOW_OFLAG_ZERO
    return bits | c.QCOW_OFLAG_COPIED if data_file else bits


def l2_placed(entry: Entries) -> Flags:
    """Whether a v2/v3 L2 entry of the image file itself gives a standard cluster a place."""
    words: Any = entry
    return no(is_compressed(words)) & (l2_offset(words) != 0)


def v1_l2_placed(entry: Entries) -> Flags:
    """Whether a v1 L2 entry gives a cluster that is not compressed a place."""
    words: Any = entry
    return (words != 0) & no(v1_is_compressed(words))


def l2_plain(cluster_size: int) -> int:
    """The bits of v2/v3 standard L2 entries of data at aligned places, which have no others."""
    return c.L2E_OFFSET_MASK & -cluster_size | c.QCOW_OFLAG_COPIED


def bitmap_plain(cluster_size: int) -> int:
    """The same of the entries of a bitmap table."""
    return c.BME_TABLE_ENTRY_OFFSET_MASK & -cluster_size


FIELDS: Mapping[str, Mapping[str, int]] = {
    "qcow2::l1_table": {"copied": c.QCOW_OFLAG_COPIED, "l2_table_offset": c.L1E_OFFSET_MASK},
    "qcow2::l2_table": {
        "copied": c.QCOW_OFLAG_COPIED,
        "offset": c.L2E_OFFSET_MASK,
        "zero": c.QCOW_OFLAG_ZERO,
        "compressed": c.QCOW_OFLAG_COMPRESSED,
    },
    "qcow2::refcount_table": {"refcount_block_offset": c.REFT_OFFSET_MASK},
    "qcow2::bitmap_table": {
        "offset": c.BME_TABLE_ENTRY_OFFSET_MASK,
        "all_ones": c.BME_TABLE_ENTRY_FLAG_ALL_ONES,
    },
    "qcow1::l1_table": {"l2_table_offset": FULL},
    "qcow1::l2_table": {"offset": FULL, "compressed": c.QCOW1_OFLAG_COMPRESSED},
}
"""The bits of each field of a table's entries, by the names of a dump; for writing entries."""


def parts(layout: str, entry: int, cluster_bits: int) -> dict[str, int]:
    """The bits of each field of one entry, as `FIELDS`, of a compressed cluster's entry too.

    Args:
        layout: A table that `FIELDS` has.
        entry: The entry; which fields it has depends on its flag `compressed`.
        cluster_bits: Binary logarithm of the cluster size.

    Returns:
        Masks that have no bit in common; bits in none of them are reserved.
    """
    masks = dict(FIELDS[layout])
    packed = masks.get("compressed", 0)
    if entry & packed:
        v1 = layout.startswith("qcow1")
        shift = (v1_compressed_shift if v1 else compressed_shift)(cluster_bits)
        copied, low = masks.get("copied", 0), (1 << shift) - 1
        masks = {"coffset": low, "csize": FULL & ~(low | packed | copied), "compressed": packed}
        masks |= {"copied": copied} if copied else {}
    elif masks.get("offset") == FULL:
        masks["offset"] = FULL & ~packed
    return masks


SUBCLUSTERS: Mapping[str, int] = {
    "l2_bitmap, reads as zeros": c.QCOW_OFLAG_SUB_ZERO_RANGE,
    "l2_bitmap, allocated": c.QCOW_OFLAG_SUB_ALLOC_RANGE,
}
"""The same of the second word of an extended L2 entry."""

RESERVED: Mapping[str, int] = {
    "l1_table": c.L1E_RESERVED_MASK,
    "l2_tables": c.L2E_STD_RESERVED_MASK,
    "refcount_table": c.REFT_RESERVED_MASK,
    "bitmap_table": c.BME_TABLE_ENTRY_RESERVED_MASK,
}
"""Reserved bits of the entries of version 2 and 3, by the name of their table."""

L2_ZERO = c.QCOW_OFLAG_ZERO
"""A standard L2 entry of a cluster that reads as zeros and has no place."""

EVERY_SUBCLUSTER = c.QCOW_OFLAG_SUB_ALLOC_RANGE, c.QCOW_OFLAG_SUB_ZERO_RANGE
"""The bitmaps of clusters all of whose subclusters have data, or are zeros."""


def is_compressed(entry: Entries) -> Flags:
    """Whether a v2/v3 L2 entry is of a compressed cluster."""
    words: Any = entry
    return words & c.QCOW_OFLAG_COMPRESSED != 0


def is_copied(entry: Entries) -> Flags:
    """Whether a v2/v3 L1 or L2 entry says that nothing else references what it points at."""
    words: Any = entry
    return words & c.QCOW_OFLAG_COPIED != 0


def subclusters(bitmap: Entries) -> tuple[Entries, Entries]:
    """The subclusters of an extended L2 entry that have data, and those that are zeros, as bits."""
    words: Any = bitmap
    return words & c.QCOW_OFLAG_SUB_ALLOC_RANGE, words >> c.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER


def subclusters_invalid(bitmap: Entries, located: Flags) -> Flags:
    """Whether a bitmap contradicts itself or its entry (qcow2_get_subcluster_type).

    A compressed cluster's bitmap is ignored.
    """
    words: Any = bitmap
    alloc, zeros = subclusters(words)
    return (located & (alloc & zeros != 0)) | ((located ^ True) & (alloc != 0))


def l2_offset(entry: Entries) -> Entries:
    """Host cluster offset of a v2/v3 standard L2 entry."""
    return _masked(entry, c.L2E_OFFSET_MASK)


def l2_may_touch(stored: Any, cluster: int, cluster_bits: int) -> Flags:
    """Which v2/v3 L2 entries may have bytes in a cluster of the file; too many rather than too few.

    Args:
        stored: The entries as they stand in the file, shape (...), dtype ``uint64``: big-endian
            numbers taken for native ones, which saves the swap of millions of them.
        cluster: Its number.
        cluster_bits: Binary logarithm of the cluster size.
    """
    aligned = c.L2E_OFFSET_MASK & -(1 << cluster_bits)
    placed = stored & _as_stored(aligned)
    found = placed == _as_stored(cluster << cluster_bits & aligned)
    if cluster:  # an unaligned one reaches into the next cluster
        found |= placed == _as_stored(cluster - 1 << cluster_bits & aligned)
    found |= stored & _as_stored(c.QCOW_OFLAG_COMPRESSED) != 0
    return found


def _as_stored(word: int) -> Any:
    """A word whose native bytes are its big-endian ones."""
    import numpy as np

    return np.frombuffer(word.to_bytes(8, "big"), np.uint64)[0]


def compressed_offset(entry: Entries, cluster_bits: int) -> Entries:
    """Host offset, to the byte, of a v2/v3 compressed cluster."""
    return _masked(entry, (1 << compressed_shift(cluster_bits)) - 1)


def compressed_descriptor(entry: Entries) -> Entries:
    """Offset and length of a v2/v3 compressed cluster, without the flags."""
    return _masked(entry, c.L2E_COMPRESSED_OFFSET_SIZE_MASK)


def l2_host(entry: Entries, cluster_bits: int) -> Entries:
    """Host offset of the cluster of a v2/v3 L2 entry, compressed or not; 0 where it has none."""
    compressed: Any = is_compressed(entry)
    payload: Any = compressed_offset(entry, cluster_bits)
    found: Entries = payload * compressed + l2_offset(entry) * no(compressed)
    return found


def compressed_sectors(entry: Entries, cluster_bits: int) -> Entries:
    """Sectors that a v2/v3 compressed cluster touches, the first included."""
    field = compressed_descriptor(entry)
    return cast(Entries, (cast(Any, field) >> compressed_shift(cluster_bits)) + 1)


def compressed_length(entry: Entries, cluster_bits: int) -> Entries:
    """Bytes from a v2/v3 compressed cluster's offset to the end of its last sector.

    The stream may end earlier (block/qcow2.h: qcow2_parse_compressed_l2_entry).
    """
    sector = c.QCOW2_COMPRESSED_SECTOR_SIZE
    ahead = _masked(compressed_offset(entry, cluster_bits), sector - 1)
    return cast(Entries, cast(Any, compressed_sectors(entry, cluster_bits)) * sector - ahead)


def compressed_shift(cluster_bits: int) -> int:
    """First bit of the sector count in a v2/v3 compressed descriptor; QEMU's ``csize_shift``."""
    return c.QCOW2_CSIZE_END_BIT - (cluster_bits - c.QCOW2_CSIZE_CLUSTER_BITS)


def v1_compressed_offset(entry: Entries, cluster_bits: int) -> Entries:
    """Host offset, to the byte, of a v1 compressed cluster."""
    return _masked(entry, (1 << v1_compressed_shift(cluster_bits)) - 1)


def v1_compressed_length(entry: Entries, cluster_bits: int) -> Entries:
    """Bytes of a v1 compressed cluster (block/qcow.c: get_cluster_offset, decompress_cluster)."""
    shifted = cast(Entries, cast(Any, entry) >> v1_compressed_shift(cluster_bits))
    return _masked(shifted, (1 << cluster_bits) - 1)


def v1_compressed_shift(cluster_bits: int) -> int:
    """First bit of the byte count in a v1 compressed descriptor."""
    return c.QCOW1_CSIZE_END_BIT - cluster_bits


def l2_type(entry: int, geometry: Geometry, *, data_file: bool) -> c.QCow2ClusterType:
    """QEMU's type of a v2/v3 L2 entry; see `l2_fields`."""
    kinds, extended = c.QCow2ClusterType, geometry.has_extended_l2
    fields = l2_fields(entry, extended=extended, data_file=data_file)
    if fields.compressed:
        return kinds.QCOW2_CLUSTER_COMPRESSED
    if fields.zero:
        return kinds.QCOW2_CLUSTER_ZERO_ALLOC if fields.located else kinds.QCOW2_CLUSTER_ZERO_PLAIN
    return kinds.QCOW2_CLUSTER_NORMAL if fields.normal else kinds.QCOW2_CLUSTER_UNALLOCATED


def v1_is_compressed(entry: Entries) -> Flags:
    """Whether a v1 L2 entry is of a compressed cluster."""
    words: Any = entry
    return words & c.QCOW1_OFLAG_COMPRESSED != 0


def v1_l2_type(entry: int) -> c.QCow2ClusterType:
    """What a v1 L2 entry says of its cluster (block/qcow.c: get_cluster_offset)."""
    if v1_is_compressed(entry):
        return c.QCow2ClusterType.QCOW2_CLUSTER_COMPRESSED
    if entry:
        return c.QCow2ClusterType.QCOW2_CLUSTER_NORMAL
    return c.QCow2ClusterType.QCOW2_CLUSTER_UNALLOCATED


def refcount_block_offset(entry: Entries) -> Entries:
    """Host offset of the refcount block that a refcount table entry points at."""
    return _masked(entry, c.REFT_OFFSET_MASK)


def refcounts(block: bytes, order: int) -> tuple[int, ...]:
    """The refcounts of a refcount block, or of the beginning of one.

    Widths below a byte start at its least significant bit (docs/interop/qcow2, Host cluster
    management); wider ones are big-endian.
    """
    if order >= WHOLE_BYTES:
        width = 1 << (order - WHOLE_BYTES)
        code = {1: "B", 2: "H", 4: "I", 8: "Q"}[width]
        return struct.unpack_from(f">{len(block) // width}{code}", block)
    bits, mask = 1 << order, (1 << (1 << order)) - 1
    return tuple(byte >> shift & mask for byte in block for shift in range(0, BITS_PER_BYTE, bits))


def refcount_rows(rows: Any, order: int) -> Any:
    """The same of several blocks: shape (blocks, bytes), uint8, to (blocks, refcounts)."""
    import numpy as np

    if order >= WHOLE_BYTES:
        return rows.view(f">u{1 << (order - WHOLE_BYTES)}")
    if order == 0:
        return np.unpackbits(rows, axis=1, bitorder="little")
    bits = 1 << order
    shifts = np.arange(0, BITS_PER_BYTE, bits, dtype=np.uint8)
    spread = rows[:, :, None] >> shifts & np.uint8((1 << bits) - 1)
    return spread.reshape(len(rows), -1)


WHOLE_BYTES = 3
"""The refcount_order of refcounts of one byte."""
