"""What the image file is made of, but for the entries of L2 tables: every structure and its place.

In: what opening read of an image. Out: `Region`s, and the L1 tables. Refuses: as `Aborted`, what
makes QEMU give up a check before it has counted anything.

Source: block/qcow2-refcount.c: calculate_refcounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qcow_parsers import constants as c
from qcow_parsers.catalogue import RULES, Rule

from qcowspec.check.findings import Fault, Findings
from qcowspec.check.ownership import Owner
from qcowspec.check.places import Pointer
from qcowspec.sources.source import Source
from qcowspec.spec.entries import BitmapTableEntries, Frame
from qcowspec.spec.entry_rules import bitmaps_cluster_offset, bitmaps_reserved
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.rules import BY_ID, holds
from qcowspec.spec.units import readable

if TYPE_CHECKING:
    from qcow_parsers import Qcow2

    from qcowspec.check.stored import Numbers

SLICE = 1 << 20
"""Bytes of a bitmap table that are looked at together."""


EXTRA_DATA = ("snapshots/extra-data-minimum",)
"""What QEMU's check reports of a snapshot's entry, and walks its L1 table all the same."""

L1_TABLE = ("snapshots/l1-table-offset", "snapshots/l1-size")
"""For what it does not walk a snapshot's L1 table; it reports the first that is broken."""

WORK = 16 << 30
"""Bytes of tables that are read of any image; of a larger one as many as it has. Tables that lie on
each other could ask for any number."""


class Aborted(Exception):
    """QEMU gives the check up here, without a figure; the message says where and why."""

    def __init__(self, says: str, offset: int | None = None, rule: str | None = None) -> None:
        """Put the sentence together.

        Args:
            says: Why.
            offset: The byte in the image file that is at fault; None if no single one is.
            rule: The rule that it breaks, if it breaks one.
        """
        where = "" if offset is None else f"at {offset:#x}: "
        super().__init__(where + says + ("" if rule is None else f" [{rule}]"))


@dataclass(frozen=True, slots=True)
class Region:
    """A structure of one piece.

    Attributes:
        path: Its path, as a dump shows it.
        owner: What it is.
        offset: Where it starts in the image file, in bytes.
        length: Its bytes; nothing is counted for 0 or less.
        pointer: The field that says where it starts.
    """

    path: str
    owner: Owner
    offset: int
    length: int
    pointer: Pointer


@dataclass(frozen=True, slots=True)
class L1Table:
    """An L1 table, active or a snapshot's.

    Attributes:
        prefix: What the paths of its structures begin with: empty, or ``snapshots[3].``.
        offset: Where it starts in the image file, in bytes.
        count: Its entries.
        active: Whether it is the active one.
        index: Index of the snapshot that it is of; -1 for the active one.
    """

    prefix: str
    offset: int
    count: int
    active: bool
    index: int = -1


def header_field(metadata: Metadata, name: str) -> Pointer:
    """A field of the header."""
    part = metadata.header_part
    assert part is not None
    return Pointer(lambda: part, name)


def snapshot_field(metadata: Metadata, index: int, name: str) -> Pointer:
    """A field of a snapshot."""
    table = header_field(metadata, "snapshots_offset")
    return Pointer(partial(metadata.snapshots.part, index), name, table)


def marks(metadata: Metadata, findings: Findings, length: int) -> None:
    """Report that an image is marked corrupt, or as one that was not closed."""
    pointer = header_field(metadata, "incompatible_features")
    for rule in RULES:
        if rule.check is not None and rule.check.note is not None:
            broken = not holds(rule, metadata.qcow2_header, metadata)
            findings.add(rule.id, int(broken), fault(pointer, length, note=rule.check.note))


def _first_broken(rules: Iterable[str], entry: Qcow2.Snapshot, metadata: Metadata) -> Rule | None:
    asked = (BY_ID[rule] for rule in rules if metadata.version in BY_ID[rule].versions)
    return next((rule for rule in asked if not holds(rule, entry, metadata)), None)


def l1_tables(metadata: Metadata, findings: Findings, length: int) -> list[L1Table]:
    """The L1 tables that QEMU walks; of a snapshot only if its entry is sound.

    Args:
        metadata: The image.
        findings: Where broken rules go.
        length: Bytes of the image file.

    Raises:
        Aborted: QEMU cannot read one of them.
    """
    header = metadata.qcow2_header
    tables = [L1Table("", header.l1_table_offset, header.l1_size, active=True)]
    if header.has_data_file and header.nb_snapshots:
        pointer = header_field(metadata, "nb_snapshots")
        findings.add("snapshots/data-file", 1, fault(pointer, length))
    for index, entry in enumerate(metadata.snapshots):
        broken = [_first_broken(rules, entry, metadata) for rules in (EXTRA_DATA, L1_TABLE)]
        if broken[-1] is None:
            at, count = entry.l1_table_offset, entry.l1_size
            tables.append(L1Table(f"snapshots[{index}].", at, count, active=False, index=index))
        for rule in filter(None, broken):
            pointer = snapshot_field(metadata, index, rule.field or "")
            findings.add(rule.id, 1, fault(pointer, length))
    for table in tables:
        if table.count and not readable(table.offset, table.count * c.L1E_SIZE):
            place = l1_pointer(metadata, table).place(length)
            path = f"{table.prefix}l1_table"
            raise Aborted(f"{path} ends at an offset that no file has", place.offset)
    return [table for table in tables if table.count]


def l1_pointer(metadata: Metadata, table: L1Table) -> Pointer:
    """The field that says where an L1 table starts."""
    if table.active:
        return header_field(metadata, "l1_table_offset")
    return snapshot_field(metadata, table.index, "l1_table_offset")


def regions(metadata: Metadata, tables: list[L1Table], length_of_file: int) -> Iterator[Region]:
    """Every structure of one piece, in the order in which QEMU counts them.

    Args:
        metadata: The image.
        tables: Its L1 tables.
        length_of_file: Bytes of the image file, in whole sectors.

    Raises:
        Aborted: QEMU would count clusters until its memory is full.
    """
    header, geometry = metadata.qcow2_header, metadata.geometry
    assert geometry is not None
    magic = header_field(metadata, "magic")
    yield Region("header", Owner.HEADER, 0, geometry.cluster_size, magic)
    for table in tables:
        path, size = f"{table.prefix}l1_table", table.count * c.L1E_SIZE
        owner = Owner.L1_TABLE if table.active else Owner.SNAPSHOT_L1_TABLE
        yield Region(path, owner, table.offset, size, l1_pointer(metadata, table))
    if len(metadata.snapshots):
        last = metadata.snapshots.part(len(metadata.snapshots) - 1)
        behind = last.offset + last.parse().unpadded_size
        offset = header.snapshots_offset
        pointer = header_field(metadata, "snapshots_offset")
        yield Region("snapshots", Owner.SNAPSHOT_TABLE, offset, behind - offset, pointer)
    offset, size = header.refcount_table_offset, header.refcount_table_bytes
    pointer = header_field(metadata, "refcount_table_offset")
    yield Region("refcount_table", Owner.REFCOUNT_TABLE, offset, size, pointer)
    yield from _luks_header(metadata, length_of_file)
    yield from _bitmap_regions(metadata)


def _luks_header(metadata: Metadata, length_of_file: int) -> Iterator[Region]:
    luks, part = metadata.crypto_extension, metadata.crypto_part
    if luks is None or part is None:
        return
    # QEMU takes the file's length from the sum, in 64 bits: what is left may pass for negative.
    behind = luks.offset + luks.length - length_of_file
    if behind > c.QCOW2_MAX_TABLE_END >= luks.length:
        place = Pointer(lambda: part, "length").place(length_of_file)
        raise Aborted("the LUKS header ends at an offset that no file has", place.offset)
    if luks.length <= c.QCOW2_MAX_TABLE_END:  # beyond, QEMU takes it for less than nothing
        pointer = Pointer(lambda: part, "offset")
        yield Region("luks_header", Owner.LUKS_HEADER, luks.offset, luks.length, pointer)


def _bitmap_regions(metadata: Metadata) -> Iterator[Region]:
    extension = metadata.bitmaps_extension
    if extension is None or not bitmaps(metadata):
        return
    offset, size = extension.bitmap_directory_offset, extension.bitmap_directory_size
    yield Region("bitmaps", Owner.BITMAP_DIRECTORY, offset, size, _directory_pointer(metadata))
    for index, entry in enumerate(bitmaps(metadata)):
        path, size = f"bitmaps[{index}].bitmap_table", entry.bitmap_table_size
        length, pointer = size * c.BME_TABLE_ENTRY_SIZE, _bitmap_pointer(metadata, index)
        yield Region(path, Owner.BITMAP_TABLE, entry.bitmap_table_offset, length, pointer)


def _directory_pointer(metadata: Metadata) -> Pointer:
    """The field that says where the bitmap directory starts."""
    part = metadata.bitmaps_part
    assert part is not None
    return Pointer(lambda: part, "bitmap_directory_offset")


def _bitmap_pointer(metadata: Metadata, index: int) -> Pointer:
    """The field that says where a bitmap's table starts."""
    directory = _directory_pointer(metadata)
    return Pointer(partial(metadata.bitmaps.part, index), "bitmap_table_offset", directory)


def bitmaps(metadata: Metadata) -> list[Qcow2.BitmapDirectoryEntry]:
    """The bitmaps that QEMU counts: those that the image vouches for."""
    return list(metadata.bitmaps) if metadata.qcow2_header.has_bitmaps else []


def bitmap_clusters(metadata: Metadata, source: Source) -> Iterator[tuple[int, int, Numbers]]:
    """The clusters that hold bits of bitmaps.

    Yields:
        Index of the bitmap, index of the first of some entries of its table, and the entries.

    Raises:
        Aborted: An entry breaks a rule, or QEMU cannot read the table; of a bitmap that is in use
            opening does not look at it.
    """
    geometry = metadata.geometry
    assert geometry is not None
    width = c.BME_TABLE_ENTRY_SIZE
    room = max(WORK, source.length)
    for index, entry in enumerate(bitmaps(metadata)):
        start, length = entry.bitmap_table_offset, entry.bitmap_table_size * width
        if not readable(start, length):
            place = _bitmap_pointer(metadata, index).place(source.length)
            says = f"bitmaps[{index}].bitmap_table ends at an offset that no file has"
            raise Aborted(says, place.offset)
        length = min(length, max(0, source.length - start))  # behind the end are zeros
        room -= length
        if room < 0:
            raise Aborted("the bitmap tables lie on each other, more often than is looked at")
        for at in range(0, length, SLICE):
            data = source.read_at(start + at, min(SLICE, length - at))
            values = np.frombuffer(data.ljust(-(-len(data) // width) * width, b"\0"), ">u8")
            values = values.astype(np.uint64)
            entries = BitmapTableEntries(values, Frame(geometry))
            reserved = ~bitmaps_reserved(entries)
            bad = reserved | ~bitmaps_cluster_offset(entries)
            if bad.any():
                first = int(np.argmax(bad))
                path = f"bitmaps[{index}].bitmap_table[{at // width + first}]"
                rule = "bitmaps/reserved" if reserved[first] else "bitmaps/cluster-offset"
                says = f"{path} is {int(values[first]):#x}, where QEMU gives the check up"
                raise Aborted(says, start + at + first * width, rule)
            yield index, at // width, entries.offset.astype(np.int64)


def fault(
    pointer: Pointer, length: int, region: Region | None = None, note: str = ""
) -> Iterator[Fault]:
    """The fault at a field, if anybody asks for it.

    Args:
        pointer: The field.
        length: Bytes of the image file.
        region: What it locates, if that is at fault.
        note: What else there is to say.
    """
    place = pointer.place(length)
    note, cluster = place.note or note, None if region is None else region.offset
    if region is not None and not note and region.offset < length:
        note = f"{region.path} has {region.length:,} bytes from there on"
    yield Fault(place.path, place.offset, place.value, cluster, note=note)
