"""The structures of one piece that the image file is made of, and the entries of bitmap tables.

In: what opening read of an image. Out: `Region`s, L1 tables, bitmap table entries. Refuses: as
`Aborted`, what makes QEMU give up a check before it has counted anything.

Source: block/qcow2-refcount.c: calculate_refcounts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from qcow_parsers import constants as c
from qcow_parsers.catalogue import RULES, Rule

from qcowspec.check.arrays import Numbers
from qcowspec.check.findings import Fault, Findings
from qcowspec.check.ownership import Owner
from qcowspec.check.places import Pointer
from qcowspec.sources.batches import read_words
from qcowspec.sources.source import Source
from qcowspec.spec.entries import BitmapTableEntries, Frame
from qcowspec.spec.entry_rules import bitmaps_reserved, on_cluster
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.rules import BY_ID, holds
from qcowspec.spec.units import readable

if TYPE_CHECKING:
    from qcow_parsers import Qcow2

EXTRA_DATA = ("snapshots/extra-data-minimum",)
"""What QEMU's check reports of a snapshot's entry, and walks its L1 table all the same."""

L1_TABLE = ("snapshots/l1-table-offset", "snapshots/l1-size")
"""For what it does not walk a snapshot's L1 table; it reports the first that is broken."""

WORK = 16 << 30
"""Bytes of tables that are read of any image; of a larger one as many as it has. Tables that lie on
each other could ask for any number."""

KEPT = 1 << 20
"""Entries of bitmap tables that are kept in memory; where there are more, they are read anew."""


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


GiveUp = Callable[[Aborted], None]
"""What is done where QEMU gives up; if it returns, that structure is left out."""


def give_up(reason: Aborted) -> None:
    """End as QEMU's check does."""
    raise reason


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

    def faults(self, file_length: int, note: str = "") -> Iterator[Fault]:
        """The structure at fault, at the field that locates it."""
        if not note and self.offset < file_length:
            note = f"{self.path} has {self.length:,} bytes from there on"
        return self.pointer.faults(file_length, self.offset, note)


@dataclass(frozen=True, slots=True)
class L1Table:
    """An L1 table, active or a snapshot's.

    Attributes:
        prefix: What the paths of its structures begin with: empty, or ``snapshots[3].``.
        offset: Where it starts in the image file, in bytes.
        count: Its entries.
        active: Whether it is the active one.
        pointer: The field that says where it starts.
    """

    prefix: str
    offset: int
    count: int
    active: bool
    pointer: Pointer

    @property
    def end(self) -> int:
        """Host offset of its end, in bytes."""
        return self.offset + self.count * c.L1E_SIZE


def header_field(metadata: Metadata, name: str) -> Pointer:
    """A field of the header."""
    part = metadata.header_part
    assert part is not None
    return Pointer(lambda: part, name)


def marks(metadata: Metadata, findings: Findings, length: int) -> None:
    """Report that an image is marked corrupt, or as one that was not closed."""
    pointer = header_field(metadata, "incompatible_features")
    for rule in RULES:
        if rule.check is not None and rule.check.note is not None:
            broken = not holds(rule, metadata.qcow2_header, metadata)
            findings.add(rule.id, int(broken), pointer.faults(length, note=rule.check.note))


def _first_broken(rules: Iterable[str], entry: Qcow2.Snapshot, metadata: Metadata) -> Rule | None:
    asked = (BY_ID[rule] for rule in rules if metadata.version in BY_ID[rule].versions)
    return next((rule for rule in asked if not holds(rule, entry, metadata)), None)


def l1_tables(
    metadata: Metadata, findings: Findings, length: int, lost: GiveUp = give_up
) -> list[L1Table]:
    """The L1 tables that QEMU walks; of a snapshot only if its entry breaks no rule about it.

    Args:
        metadata: The image.
        findings: Where broken rules go.
        length: Bytes of the image file.
        lost: Takes the reason why one of them cannot be read.

    Raises:
        Aborted: QEMU cannot read one of them.
    """
    header, table = metadata.qcow2_header, header_field(metadata, "snapshots_offset")
    active = header_field(metadata, "l1_table_offset")
    tables = list[L1Table]()
    if metadata.l1_table is not None:  # else nobody knows where it ends
        tables.append(L1Table("", header.l1_table_offset, header.l1_size, True, active))
    if header.has_data_file and header.nb_snapshots:
        count = header_field(metadata, "nb_snapshots")
        findings.add("snapshots/data-file", 1, count.faults(length))
    judged: Qcow2.Snapshot | None = None
    broken: list[Rule | None] = []
    for index, entry in enumerate(metadata.snapshots):
        part = partial(metadata.snapshots.part, index)
        if entry is not judged:  # equal neighbours are one object
            broken = [_first_broken(rules, entry, metadata) for rules in (EXTRA_DATA, L1_TABLE)]
            judged = entry
        if broken[-1] is None:
            prefix, pointer = f"snapshots[{index}].", Pointer(part, L1_OFFSET, table)
            own = L1Table(prefix, entry.l1_table_offset, entry.l1_size, False, pointer)
            tables.append(own)
        for rule in filter(None, broken):
            findings.add(rule.id, 1, Pointer(part, rule.field or "", table).faults(length))
    kept = list[L1Table]()
    for one in tables:
        if one.count and not readable(one.offset, one.count * c.L1E_SIZE):
            place = one.pointer.place(length)
            says = f"{one.prefix}l1_table ends at an offset that no file has"
            lost(Aborted(says, place.offset))
        elif one.count:
            kept.append(one)
    return kept


L1_OFFSET = "l1_table_offset"


def regions(
    metadata: Metadata, tables: list[L1Table], length_of_file: int, lost: GiveUp = give_up
) -> Iterator[Region]:
    """Every structure of one piece, in the order in which QEMU counts them.

    Args:
        metadata: The image.
        tables: Its L1 tables.
        length_of_file: Bytes of the image file, in whole sectors.
        lost: Takes the reason why one is left out.

    Raises:
        Aborted: QEMU would count clusters until its memory is full.
    """
    header, geometry, field = metadata.qcow2_header, metadata.geometry, header_field
    assert geometry is not None
    yield Region("header", Owner.HEADER, 0, geometry.cluster_size, field(metadata, "magic"))
    for table in tables:
        owner = Owner.L1_TABLE if table.active else Owner.SNAPSHOT_L1_TABLE
        length = table.count * c.L1E_SIZE
        yield Region(f"{table.prefix}l1_table", owner, table.offset, length, table.pointer)
    if len(metadata.snapshots):
        last = metadata.snapshots.part(len(metadata.snapshots) - 1)
        offset, pointer = header.snapshots_offset, field(metadata, "snapshots_offset")
        length = last.offset + last.parse().unpadded_size - offset
        yield Region("snapshots", Owner.SNAPSHOT_TABLE, offset, length, pointer)
    if metadata.refcount_table is not None:
        offset, length = header.refcount_table_offset, header.refcount_table_bytes
        pointer = field(metadata, "refcount_table_offset")
        yield Region("refcount_table", Owner.REFCOUNT_TABLE, offset, length, pointer)
    yield from _luks_header(metadata, length_of_file, lost)
    extension = metadata.bitmaps_extension
    if extension is None or not bitmaps(metadata):
        return
    offset, length = extension.bitmap_directory_offset, extension.bitmap_directory_size
    yield Region("bitmaps", Owner.BITMAP_DIRECTORY, offset, length, _directory(metadata))
    for index, entry in enumerate(bitmaps(metadata)):
        path, offset = f"bitmaps[{index}].bitmap_table", entry.bitmap_table_offset
        length = entry.bitmap_table_size * c.BME_TABLE_ENTRY_SIZE
        yield Region(path, Owner.BITMAP_TABLE, offset, length, _bitmap_table(metadata, index))


def _luks_header(metadata: Metadata, length_of_file: int, lost: GiveUp) -> Iterator[Region]:
    luks, part = metadata.crypto_extension, metadata.crypto_part
    if luks is None or part is None:
        return
    # QEMU takes the file's length from the sum, in 64 bits: what is left may pass for negative.
    past = luks.offset + luks.length - length_of_file
    if past > c.QCOW2_MAX_TABLE_END >= luks.length:
        place = Pointer(lambda: part, "length").place(length_of_file)
        lost(Aborted("the LUKS header ends at an offset that no file has", place.offset))
        return
    if luks.length <= c.QCOW2_MAX_TABLE_END:  # beyond, QEMU takes it for less than nothing
        pointer = Pointer(lambda: part, "offset")
        yield Region("luks_header", Owner.LUKS_HEADER, luks.offset, luks.length, pointer)


def _directory(metadata: Metadata) -> Pointer:
    """The field that says where the bitmap directory starts."""
    part = metadata.bitmaps_part
    assert part is not None
    return Pointer(lambda: part, "bitmap_directory_offset")


def _bitmap_table(metadata: Metadata, index: int) -> Pointer:
    """The field that says where a bitmap's table starts."""
    part = partial(metadata.bitmaps.part, index)
    return Pointer(part, "bitmap_table_offset", _directory(metadata))


def bitmaps(metadata: Metadata) -> list[Qcow2.BitmapDirectoryEntry]:
    """The bitmaps that QEMU counts: those that the image vouches for."""
    return list(metadata.bitmaps) if metadata.qcow2_header.has_bitmaps else []


class BitmapEntries(NamedTuple):
    """Some neighbours of a bitmap table.

    Attributes:
        bitmap: Index of the bitmap.
        first: Index of the first of them.
        place: Host offset of the first of them.
        offsets: Host offsets of the clusters with the bits; 0 where there is none.
    """

    bitmap: int
    first: int
    place: int
    offsets: Numbers

    def path(self, entry: int) -> str:
        """The path of one of them."""
        return f"bitmaps[{self.bitmap}].bitmap_table[{self.first + entry}]"

    def fault(self, entry: int) -> Fault:
        """One of them as a fault; it holds an offset, and nothing else."""
        place, value = self.place + entry * c.BME_TABLE_ENTRY_SIZE, int(self.offsets[entry])
        return Fault(self.path(entry), place, value, value)


class BitmapTables:
    """The entries of all bitmap tables, judged and read once; of a hostile image, at each walk."""

    def __init__(self, metadata: Metadata, source: Source, lost: GiveUp = give_up) -> None:
        """Read them.

        Args:
            metadata: The image.
            source: The image file.
            lost: Takes the reason why the rest of a table is left out.

        Raises:
            Aborted: An entry breaks a rule, or QEMU cannot read a table; opening does not look at
                the table of a bitmap that is in use.
        """
        self._metadata, self._source, self._lost = metadata, source, lost
        self._kept, count = list[BitmapEntries](), 0
        for some in self._read():
            count += len(some.offsets)
            if count <= KEPT:
                self._kept.append(some)
        self._are_kept = count <= KEPT

    def __iter__(self) -> Iterator[BitmapEntries]:
        return iter(self._kept) if self._are_kept else self._read()

    def _read(self) -> Iterator[BitmapEntries]:
        geometry, source = self._metadata.geometry, self._source
        assert geometry is not None
        width, room = c.BME_TABLE_ENTRY_SIZE, max(WORK, source.length)
        for index, bitmap in enumerate(bitmaps(self._metadata)):
            start, length = bitmap.bitmap_table_offset, bitmap.bitmap_table_size * width
            if not readable(start, length):
                place = _bitmap_table(self._metadata, index).place(source.length)
                says = f"bitmaps[{index}].bitmap_table ends at an offset that no file has"
                self._lost(Aborted(says, place.offset))
                continue
            room -= min(length, max(0, source.length - start))
            if room < 0:
                says = "the bitmap tables lie on each other, more often than is looked at"
                self._lost(Aborted(says))
                return
            for at, values in read_words(source, start, start + length):
                entries = BitmapTableEntries(values, Frame(geometry))
                offsets = entries.offset.astype(np.int64)
                some = BitmapEntries(index, (at - start) // width, at, offsets)
                reserved = ~bitmaps_reserved(entries)
                bad = reserved | ~on_cluster(entries)
                if bad.any():
                    first = int(np.argmax(bad))
                    rule = "bitmaps/reserved" if reserved[first] else "bitmaps/cluster-offset"
                    says = f"{some.path(first)} is {int(values[first]):#x}"
                    says += ", where QEMU gives the check up"
                    self._lost(Aborted(says, at + first * width, rule))
                    break
                yield some
