"""QCOW version 3: the bitmap directory and the entries of a bitmap table.

In: the bytes from `bitmap_directory_offset`, or from an entry's start. Out: Containers of numbers
and bytes. Refused: a directory entry without its first 24 bytes. The layout is that of the
document's section "Bitmaps", with the names of Qcow2BitmapDirEntry in block/qcow2-bitmap.c.
"""

from __future__ import annotations

from typing import Any

from construct import Array, BitsInteger, Int8ub, Int16ub, Int32ub, Int64ub

from .notation import BoundedBytes, Layout, Schema, default, given_length, word, zeros_to_8


def _padding_size(context: Any) -> Any:
    # 24 bytes and then these; 24 is a multiple of 8.
    return -(context.extra_data_size + context.name_size) % 8


def _padding(context: Any) -> bytes:
    return zeros_to_8(given_length(context, "extra_data") + given_length(context, "name"))


# "Structure of a bitmap directory entry". The name comes last, behind the extra data; the sizes
# stand in the other order. They are derived from what is built unless they are given.
bitmap_directory_entry: Schema = Layout(
    "bitmap_table_offset" / Int64ub,  #                                          0 -  7
    "bitmap_table_size" / Int32ub,  #                                            8 - 11; entries
    "flags" / default(Int32ub, 0),  #                                           12 - 15
    "type" / default(Int8ub, 1),  #                                             16; 1: dirty bits
    "granularity_bits" / Int8ub,  #                                             17
    "name_size" / default(Int16ub, lambda c: given_length(c, "name")),  #        18 - 19
    "extra_data_size" / default(Int32ub, lambda c: given_length(c, "extra_data")),  #  20 - 23
    "extra_data" / BoundedBytes(lambda c: c.extra_data_size),
    "name" / BoundedBytes(lambda c: c.name_size),
    "padding" / BoundedBytes(_padding_size, _padding),
)


def bitmap_directory(nb_bitmaps: int) -> Schema:
    """Return the directory of `nb_bitmaps` bitmaps, one entry behind the other."""
    return Layout("entries" / Array(nb_bitmaps, bitmap_directory_entry))


# "Structure of a bitmap table entry". Bit 0 counts only where the offset is 0: the cluster then
# reads as all ones (QEMU's BME_TABLE_ENTRY_FLAG_ALL_ONES), otherwise as all zeros.
bitmap_table_entry: Schema = word(
    8,
    "reserved1" / default(BitsInteger(8), 0),  #        bits 56 - 63
    "offset_sectors" / default(BitsInteger(47), 0),  #  bits  9 - 55: the byte offset / 512
    "reserved0" / default(BitsInteger(8), 0),  #        bits  1 -  8
    "all_ones" / default(BitsInteger(1), 0),  #         bit   0
)
