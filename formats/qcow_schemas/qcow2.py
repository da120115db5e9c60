"""QCOW versions 2 and 3: the header.

In: the bytes from offset 0. Out: a Container of numbers. Refused: fewer bytes than the version's
fixed part has. The layout is that of the document's sections "Header", "Additional fields" and
"Header padding", with the field names of struct QCowHeader in block/qcow2.h. All numbers are
big-endian. What follows the header is in `qcow2_extensions`.
"""

from __future__ import annotations

from typing import Any

from construct import Int8ub, Int32ub, Int64ub
from qcow_parsers.constants import QCOW2_V3_MIN_HEADER_LENGTH, QCOW_MAGIC

from .notation import (
    BoundedBytes,
    Layout,
    Present,
    Schema,
    Substream,
    WhileRoom,
    default,
    has_room,
    size_of,
    zeros_to_8,
)

# Where a version 3 header ends at least: the byte behind `header_length`.
_FIXED_LENGTH = QCOW2_V3_MIN_HEADER_LENGTH


def _is_version_3(context: Any) -> bool:
    # "For version 3 or higher": versions to come are taken to keep these fields.
    return bool(context.version >= 3)


def _has_additional_fields(context: Any) -> bool:
    if not _is_version_3(context) or context.header_length <= _FIXED_LENGTH:
        return False
    # A header that claims more than its stream holds has none of what is not there.
    return not context._parsing or has_room(context, 1)


def _header_length(context: Any) -> int:
    given = context.get("additional_fields")
    return _FIXED_LENGTH + (0 if given is None else size_of(additional_fields, given))


def _padding(context: Any) -> bytes:
    # Behind compression_type at 104 comes 105, which 7 bytes round up to 112.
    return b"" if context.compression_type is None else zeros_to_8(_FIXED_LENGTH + 1)


# "Additional fields (version 3 and higher)". A field is present if it begins before
# header_length, so a length that is no multiple of 8 cuts the padding short.
additional_fields: Schema = Layout(
    "compression_type" / WhileRoom(Int8ub, before=("padding", "unknown_fields")),  # 104
    "padding" / BoundedBytes(lambda _: 7, _padding),  #                          105 - 111
    "unknown_fields" / BoundedBytes(),  #                                        112 - header_length
)

# "Header". 72 bytes in version 2, `header_length` bytes in version 3, which is then derived from
# the additional fields unless it is given.
qcow2_header: Schema = Layout(
    "magic" / default(Int32ub, QCOW_MAGIC),  #               0 -   3
    "version" / Int32ub,  #                                    4 -   7
    "backing_file_offset" / default(Int64ub, 0),  #            8 -  15; 0: no backing file
    "backing_file_size" / default(Int32ub, 0),  #             16 -  19; bytes of its name
    "cluster_bits" / Int32ub,  #                              20 -  23
    "size" / Int64ub,  #                                      24 -  31; virtual size in bytes
    "crypt_method" / default(Int32ub, 0),  #                  32 -  35; 0 none, 1 AES, 2 LUKS
    "l1_size" / Int32ub,  #                                   36 -  39; entries
    "l1_table_offset" / Int64ub,  #                           40 -  47
    "refcount_table_offset" / Int64ub,  #                     48 -  55
    "refcount_table_clusters" / Int32ub,  #                   56 -  59
    "nb_snapshots" / default(Int32ub, 0),  #                  60 -  63
    "snapshots_offset" / default(Int64ub, 0),  #              64 -  71; the end of version 2
    "incompatible_features" / Present(_is_version_3, Int64ub, lambda _: 0),  #   72 -  79
    "compatible_features" / Present(_is_version_3, Int64ub, lambda _: 0),  #     80 -  87
    "autoclear_features" / Present(_is_version_3, Int64ub, lambda _: 0),  #      88 -  95
    "refcount_order" / Present(_is_version_3, Int32ub, lambda _: 4),  #          96 -  99
    "header_length" / Present(_is_version_3, Int32ub, _header_length),  #       100 - 103
    "additional_fields"
    / Present(
        _has_additional_fields,
        Substream(lambda c: c.header_length - _FIXED_LENGTH, additional_fields),
    ),
)
