"""QCOW versions 2 and 3: the entries of the mapping tables and of the reference counts.

In: the bytes of one entry (of one refcount block). Out: a Container of bit fields. Refused: fewer
bytes than that. The layout is that of the document's sections "Host cluster management",
"Cluster mapping" and "Extended L2 Entries".

Offsets whose low 9 bits are other fields are held as bits 9 and up, in `offset_sectors`: the byte
offset is 512 times that. Reserved bits are kept: `reserved0` are those below the offset and
`reserved1` those above it.
"""

from __future__ import annotations

from typing import Any, Final

from construct import (
    Array,
    BitsInteger,
    Construct,
    If,
    Int8ub,
    Int16ub,
    Int32ub,
    Int64ub,
    IntegerError,
    Pass,
    RangeError,
    this,
)
from construct.core import stream_read, stream_write

from .notation import Layout, Schema, default, word


def _bits(width: int, value: Any = 0) -> Any:
    return default(BitsInteger(width), value)


# "L1 table entry".
l1_entry: Schema = word(
    8,
    "copied" / _bits(1),  #            bit 63; the L2 table's refcount is exactly one
    "reserved1" / _bits(7),  #         bits 56 - 62
    "offset_sectors" / _bits(47),  #   bits  9 - 55, of the L2 table; 0: not allocated
    "reserved0" / _bits(9),  #         bits  0 -  8
)

# "Refcount table entry". Its offset has no upper limit but the word: nothing is reserved above.
refcount_table_entry: Schema = word(
    8,
    "offset_sectors" / _bits(55),  #   bits  9 - 63, of the refcount block; 0: not allocated
    "reserved0" / _bits(9),  #         bits  0 -  8
)


def _flags(compressed: Any) -> tuple[Any, ...]:
    # "L2 table entry", the two bits above the descriptor.
    return (
        "copied" / _bits(1),  #                  bit 63; the cluster's refcount is exactly one
        "compressed" / _bits(1, compressed),  #  bit 62
    )


def _standard(wrap: Any) -> tuple[Any, ...]:
    # "Standard Cluster Descriptor".
    return (
        "reserved1" / wrap(_bits(6)),  #        bits 56 - 61
        "offset_sectors" / wrap(_bits(47)),  #  bits  9 - 55, of the cluster
        "reserved0" / wrap(_bits(8)),  #        bits  1 -  8
        "zero" / wrap(_bits(1)),  #             bit   0; reads as zeros, offset or not
    )


def _compressed(wrap: Any, cluster_bits: int) -> tuple[Any, ...]:
    # "Compressed Clusters Descriptor", x = 62 - (cluster_bits - 8). The document numbers the
    # count of sectors x - 61 and the offset 0 - x-1; the sector of the offset is not counted.
    x = 62 - (cluster_bits - 8)
    if not 0 < x < 62:
        raise RangeError(f"no compressed descriptor has clusters of {cluster_bits} bits")
    return (
        "nb_csectors" / wrap(_bits(62 - x)),  #  bits x - 61; 512-byte sectors after the first
        "coffset" / wrap(_bits(x)),  #           bits 0 - x-1; a byte offset, not aligned
    )


def _always(subcon: Any) -> Any:
    return subcon


# An L2 entry of which it is known what it describes: all 8 bytes, flags included.
standard_descriptor: Schema = word(8, *_flags(0), *_standard(_always))


def compressed_descriptor(cluster_bits: int) -> Schema:
    """Return the L2 entry of a compressed cluster of 2^`cluster_bits` bytes, flags included.

    Raises:
        construct.RangeError: the two fields of the descriptor do not share 62 bits so.
    """
    return word(8, *_flags(1), *_compressed(_always, cluster_bits))


def l2_entry(cluster_bits: int, extended: bool = False) -> Schema:
    """Return the L2 entry of an image with clusters of 2^`cluster_bits` bytes.

    8 bytes, or 16 in an image with extended L2 entries. Which descriptor the low 62 bits are is
    said by bit 62; the fields of the other one are None. An entry that is built with a `coffset`
    is compressed unless `compressed` says otherwise. The document says that bit 0 is always 0 in
    extended entries, but it is a bit all the same, and is kept as `zero`.

    In an extended entry the bitmaps follow, as one big-endian word: bits 32 - 63 of it, which
    come first, say which of the 32 subclusters read as zeros, bits 0 - 31 which are allocated.
    Otherwise they are None.

    Raises:
        construct.RangeError: the two fields of the compressed descriptor do not share 62 bits so.
    """

    def standard(subcon: Any) -> Any:
        return If(this.compressed == 0, subcon)

    def compressed(subcon: Any) -> Any:
        return If(this.compressed, subcon)

    return word(
        16 if extended else 8,
        *_flags(lambda c: int(c.get("coffset") is not None)),
        *_standard(standard),
        *_compressed(compressed, cluster_bits),
        "zero_bitmap" / (_bits(32) if extended else Pass),  #   second word, bits 32 - 63
        "alloc_bitmap" / (_bits(32) if extended else Pass),  #  second word, bits  0 - 31
    )


class _PackedCounters(Construct):  # type: ignore[misc]  # construct ships no types
    """Counters smaller than a byte, the least significant bits of a byte first.

    "Refcount block entry": "bit 0 means the least significant bit in this context". Construct's
    own bit fields begin with the most significant bit.
    """

    def __init__(self, bits: int, count: int) -> None:
        super().__init__()
        self.bits = bits
        self.count = count
        if count < 0 or count * bits % 8:
            raise RangeError(f"{count} counters of {bits} bits do not fill bytes")

    def _parse(self, stream: Any, context: Any, path: Any) -> list[int]:
        packed = stream_read(stream, self.count * self.bits // 8, path)
        shifts, mask = range(0, 8, self.bits), (1 << self.bits) - 1
        return [byte >> shift & mask for byte in packed for shift in shifts]

    def _build(self, obj: Any, stream: Any, context: Any, path: Any) -> Any:
        if len(obj) != self.count:
            raise RangeError(f"expected {self.count} counters, found {len(obj)}", path=path)
        packed = bytearray(self.count * self.bits // 8)
        for index, counter in enumerate(obj):
            if not isinstance(counter, int) or not 0 <= counter < 1 << self.bits:
                raise IntegerError(f"{counter!r} is no {self.bits}-bit counter", path=path)
            packed[index * self.bits // 8] |= counter << index * self.bits % 8
        stream_write(stream, bytes(packed), len(packed), path)
        return obj

    def _sizeof(self, context: Any, path: Any) -> int:
        return self.count * self.bits // 8


# By refcount_order: 1, 2 and 4 bits in bytes, then whole big-endian numbers of 8 to 64 bits.
_COUNTERS: Final = (1, 2, 4, Int8ub, Int16ub, Int32ub, Int64ub)


def refcount_block(refcount_order: int, entries: int) -> Schema:
    """Return a block of `entries` reference counts of 2^`refcount_order` bits each.

    A block is a cluster: `entries` is cluster_size * 8 / refcount_bits.

    Raises:
        construct.RangeError: there are no such counters, or that many of them do not fill bytes.
    """
    if refcount_order not in range(len(_COUNTERS)):
        raise RangeError(f"no reference count has 2^{refcount_order} bits")
    counter: Any = _COUNTERS[refcount_order]
    if isinstance(counter, int):
        return Layout("entries" / _PackedCounters(counter, entries))
    return Layout("entries" / Array(entries, counter))
