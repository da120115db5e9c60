"""LUKS version 1: the partition header, inside a QCOW image.

In: the bytes at the full disk encryption header pointer's `offset`. Out: a Container of numbers
and bytes. Refused: fewer than 592 bytes. The layout is that of QCryptoBlockLUKSHeader and
QCryptoBlockLUKSKeySlot in crypto/block-luks-priv.h, which follow the LUKS on-disk format 1.2.1;
the document counts the same 592 bytes. All numbers are big-endian.

Names of ciphers and hashes are arrays filled up with zeros, which are kept. Sectors have 512
bytes and count from the start of this header, not of the image.
"""

from __future__ import annotations

from construct import Array, Int16ub, Int32ub
from qcow_parsers.constants import QCRYPTO_BLOCK_LUKS_MAGIC, QCRYPTO_BLOCK_LUKS_VERSION

from .notation import FixedBytes, Layout, Schema, default

# QCryptoBlockLUKSKeySlot, 48 bytes.
luks1_key_slot: Schema = Layout(
    "active" / Int32ub,  #             0 -  3; 0x0000dead or 0x00ac71f3
    "iterations" / Int32ub,  #         4 -  7
    "salt" / FixedBytes(32),  #        8 - 39
    "key_offset_sector" / Int32ub,  # 40 - 43
    "stripes" / Int32ub,  #           44 - 47
)

# QCryptoBlockLUKSHeader, 592 bytes.
luks1_header: Schema = Layout(
    "magic" / default(FixedBytes(6), QCRYPTO_BLOCK_LUKS_MAGIC),  #    0 -   5
    "version" / default(Int16ub, QCRYPTO_BLOCK_LUKS_VERSION),  #      6 -   7
    "cipher_name" / FixedBytes(32),  #                 8 -  39
    "cipher_mode" / FixedBytes(32),  #                40 -  71
    "hash_spec" / FixedBytes(32),  #                  72 - 103
    "payload_offset_sector" / Int32ub,  #            104 - 107
    "master_key_len" / Int32ub,  #                   108 - 111
    "master_key_digest" / FixedBytes(20),  #         112 - 131
    "master_key_salt" / FixedBytes(32),  #           132 - 163
    "master_key_iterations" / Int32ub,  #            164 - 167
    "uuid" / FixedBytes(40),  #                      168 - 207
    "key_slots" / Array(8, luks1_key_slot),  #       208 - 591
)
