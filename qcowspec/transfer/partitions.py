"""The partitions of a virtual disk, as the numbers of Linux name them.

In: a disk. Out: where each partition lies, by its number. Refuses: a disk without a partition
table, a table that is broken, and numbers that are not there, with `Invalid`.

Every size and every place in a table is bounded by the disk's before it is used.

Source: UEFI specification 2.10, chapter 5; Linux, block/partitions/msdos.c: parse_extended.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from qcow_schemas import partitions as tables

from qcowspec.errors import Invalid
from qcowspec.guest import Disk

SECTORS = (512, 4096)
"""Sizes of sectors, in bytes, by which a GPT is looked for. An MBR counts in the first."""

MOST = 1024
"""Entries of a GPT that are looked at, and logical partitions; more are refused."""

LARGEST = 4096
"""Bytes of a GPT entry, at most."""

FIRST_LOGICAL = 5


class Partition(NamedTuple):
    """A partition: its number, and its bytes on the disk."""

    number: int
    start: int
    length: int


def partition(disk: Disk, number: int, name: str) -> Partition:
    """A partition of a disk by its number.

    Args:
        disk: The disk, open.
        number: As in /dev/sda1: GPT entries from 1; of an MBR 1 to 4, logical ones from 5.
        name: The image, for errors.

    Raises:
        Invalid: The disk has no such partition, or no table that can be read.
        QcowError: The disk cannot be read.
    """
    found = list(partitions(disk, name))
    for each in found:
        if each.number == number:
            return each
    numbers = ", ".join(str(each.number) for each in found) or "none"
    raise Invalid(f"has no partition {number}; its partitions: {numbers}", path=name)


def partitions(disk: Disk, name: str) -> Iterator[Partition]:
    """The partitions of a disk, in the order of its table.

    Raises:
        Invalid: The disk has no table, or one that is broken.
        QcowError: The disk cannot be read.
    """
    sector = SECTORS[0]
    top = tables.parsed(tables.mbr, disk.pread(0, sector))
    if top is None:
        raise Invalid("has no partition table: its first sector ends without 55 aa", path=name)
    used = [entry.type != tables.EMPTY and entry.sectors > 0 for entry in top.entries]
    entries = [pair for pair, counts in zip(enumerate(top.entries, 1), used, strict=True) if counts]
    if any(entry.type == tables.PROTECTIVE for _, entry in entries):
        yield from _gpt(disk, name)
        return
    for index, entry in entries:
        if entry.type not in tables.EXTENDED:
            yield _whole(disk, name, index, entry.first_sector * sector, entry.sectors * sector)
    number = FIRST_LOGICAL
    for _, entry in entries:
        if entry.type in tables.EXTENDED:
            for each in _logical(disk, name, entry.first_sector, number):
                yield each
                number = each.number + 1


def _logical(disk: Disk, name: str, base: int, number: int) -> Iterator[Partition]:
    """The partitions of an extended one, whose tables form a list."""
    sector, here, met = SECTORS[0], base, set[int]()
    while here not in met:
        met.add(here)
        if len(met) > MOST:
            raise Invalid(f"has more than {MOST} logical partitions", path=name)
        found = tables.parsed(tables.mbr, disk.pread(here * sector, sector))
        if found is None:
            raise Invalid(
                f"has an extended partition whose table at {here * sector:#x} is broken", path=name
            )
        following = None
        for entry in found.entries[:2]:
            if entry.type in tables.EXTENDED and entry.sectors:
                following = base + entry.first_sector
            elif entry.type != tables.EMPTY and entry.sectors:
                start = (here + entry.first_sector) * sector
                yield _whole(disk, name, number, start, entry.sectors * sector)
                number += 1
        if following is None:
            return
        here = following
    raise Invalid("has logical partitions whose tables form a loop", path=name)


def _gpt(disk: Disk, name: str) -> Iterator[Partition]:
    """The partitions of a GPT: by its first header, or else by the copy in the last sector."""
    for sector in SECTORS:
        for at in (sector, disk.size // sector * sector - sector):
            entries = _gpt_entries(disk, at, sector)
            if entries is None:
                continue
            for number, entry in enumerate(entries, 1):
                if any(entry.type) and entry.last_sector >= entry.first_sector:
                    start = entry.first_sector * sector
                    length = (entry.last_sector + 1) * sector - start
                    yield _whole(disk, name, number, start, length)
            return
    raise Invalid("has a GPT, both headers of which are broken", path=name)


def _gpt_entries(disk: Disk, at: int, sector: int) -> list[Any] | None:
    """The entries that a header locates; None if the header or they are broken."""
    data = disk.pread(at, sector) if at >= 0 else b""
    header = tables.parsed(tables.gpt_header, data)
    if header is None or not tables.gpt_header.sizeof() <= header.header_size <= sector:
        return None
    blank = data[:16] + bytes(4) + data[20 : header.header_size]
    size = header.entry_size
    if zlib.crc32(blank) != header.header_crc or header.entries_count > MOST:
        return None
    if not tables.gpt_entry.sizeof() <= size <= LARGEST:
        return None
    start, length = header.entries_sector * sector, header.entries_count * size
    if start + length > disk.size:
        return None
    found = disk.pread(start, length)
    if zlib.crc32(found) != header.entries_crc:
        return None
    return [tables.gpt_entry.parse(found[each : each + size]) for each in range(0, length, size)]


def _whole(disk: Disk, name: str, number: int, start: int, length: int) -> Partition:
    if start + length > disk.size:
        raise Invalid(
            f"has a partition {number} that ends at {start + length:#x}, past the end of the disk"
            f" ({disk.size:#x})",
            path=name,
        )
    return Partition(number, start, length)
