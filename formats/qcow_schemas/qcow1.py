"""QCOW version 1: its header and the entries of its two tables.

In: the bytes of one structure. Out: a Container of numbers. Refused: fewer bytes than the
structure has. Version 1 has no document; the layout is that of block/qcow.c, and numbers are
big-endian. There are no extensions, snapshots, feature bits or reference counts. The backing
file's name is `backing_file_size` bare bytes at `backing_file_offset`, which may be anywhere.
"""

from __future__ import annotations

from construct import BitsInteger, If, Int8ub, Int16ub, Int32ub, Int64ub, RangeError, this
from qcow_parsers.constants import QCOW_MAGIC, QCOW_VERSION

from .notation import Layout, Schema, default, word

# block/qcow.c: struct QCowHeader (packed), 48 bytes.
qcow1_header: Schema = Layout(
    "magic" / default(Int32ub, QCOW_MAGIC),  #               0 -  3
    "version" / default(Int32ub, QCOW_VERSION),  #           4 -  7
    "backing_file_offset" / default(Int64ub, 0),  #            8 - 15; 0: no backing file
    "backing_file_size" / default(Int32ub, 0),  #             16 - 19; bytes of its name
    "mtime" / default(Int32ub, 0),  #                         20 - 23; nothing in QEMU reads it
    "size" / Int64ub,  #                                      24 - 31; virtual size in bytes
    "cluster_bits" / Int8ub,  #                               32;      a byte here, 32 bits in v2
    "l2_bits" / Int8ub,  #                                    33;      log2 of entries an L2 table
    "padding" / default(Int16ub, 0),  #                       34 - 35; kept, whatever it holds
    "crypt_method" / default(Int32ub, 0),  #                  36 - 39; 0 none, 1 AES
    "l1_table_offset" / Int64ub,  #                           40 - 47; any byte offset
)

# block/qcow.c get_cluster_offset: a bare byte offset. No flag, no reserved bit, no alignment;
# 0 means that the L2 table is not allocated.
qcow1_l1_entry: Schema = Layout(
    "l2_table_offset" / Int64ub,  # bits 0 - 63
)


def qcow1_l2_entry(cluster_bits: int) -> Schema:
    """Return the L2 entry of an image with clusters of 2^`cluster_bits` bytes.

    block/qcow.c get_cluster_offset and decompress_cluster. Bit 63 (QCOW_OFLAG_COMPRESSED) says
    which of two layouts the other 63 bits have; the fields of the other one are None. An entry
    that is built with a `coffset` is compressed unless `is_compressed` says otherwise.

    The version 2 entry differs in everything: its flag is bit 62 and its length counts sectors.

    Raises:
        construct.RangeError: the two fields of a compressed entry do not share 63 bits so.
    """
    if not 0 < cluster_bits < 63:
        raise RangeError(f"no compressed L2 entry has {cluster_bits} bits of length")

    return word(
        8,
        "is_compressed" / default(BitsInteger(1), lambda c: int(c.get("coffset") is not None)),
        # Plain: the byte offset of the cluster; all 63 bits, aligned or not. 0: not allocated.
        "offset" / If(this.is_compressed == 0, default(BitsInteger(63), 0)),  # bits 0 - 62
        # Compressed, x = 63 - cluster_bits: the length in bytes, then the byte offset.
        "csize" / If(this.is_compressed, default(BitsInteger(cluster_bits), 0)),  # bits x - 62
        "coffset" / If(this.is_compressed, default(BitsInteger(63 - cluster_bits), 0)),  # 0 - x-1
    )
