"""Partition tables of a virtual disk: MBR, its extended partitions, and GPT.

These are no part of QCOW: a converter that copies one partition has to find it.

Source: UEFI specification 2.10, chapter 5: Legacy MBR, GPT header, GPT partition entry array.
"""

from __future__ import annotations

from typing import Any

from construct import (
    Array,
    Bytes,
    Const,
    ConstructError,
    Int8ul,
    Int16ul,
    Int32ul,
    Int64ul,
    Padding,
    Struct,
)

mbr_entry = Struct(
    "status" / Int8ul,
    "first_chs" / Bytes(3),
    "type" / Int8ul,
    "last_chs" / Bytes(3),
    "first_sector" / Int32ul,
    "sectors" / Int32ul,
)
"""One of the four entries of an MBR, 16 bytes; sectors count from the MBR, or from an EBR."""

mbr = Struct(
    "boot_code" / Bytes(446),
    "entries" / Array(4, mbr_entry),
    "signature" / Const(0xAA55, Int16ul),
)
"""The first 512 bytes of a disk, or of an extended partition."""

gpt_header = Struct(
    "signature" / Const(b"EFI PART"),
    "revision" / Int32ul,
    "header_size" / Int32ul,
    "header_crc" / Int32ul,
    "reserved" / Padding(4),
    "own_sector" / Int64ul,
    "other_sector" / Int64ul,
    "first_usable" / Int64ul,
    "last_usable" / Int64ul,
    "disk_guid" / Bytes(16),
    "entries_sector" / Int64ul,
    "entries_count" / Int32ul,
    "entry_size" / Int32ul,
    "entries_crc" / Int32ul,
)
"""The header of a GPT, 92 bytes."""

gpt_entry = Struct(
    "type" / Bytes(16),
    "guid" / Bytes(16),
    "first_sector" / Int64ul,
    "last_sector" / Int64ul,
    "attributes" / Int64ul,
    "name" / Bytes(72),
)
"""What every version has of a GPT entry, 128 bytes; `last_sector` belongs to the partition."""

EMPTY, EXTENDED, PROTECTIVE = 0x00, {0x05, 0x0F, 0x85}, 0xEE
"""Types of MBR entries: not used; holds logical partitions; the disk has a GPT."""


def parsed(layout: Any, data: bytes) -> Any:
    """A structure; None if the bytes are too few, or lack its signature."""
    try:
        return layout.parse(data)
    except ConstructError:
        return None
