"""What a salvage can locate of a broken image, and its replacements for files it cannot read.

In: what opening read of an image, whatever it found. Out: metadata by which its disk can be mapped
as far as header and L1 table lead; sources that fail, or that read zeros where the file fails.
Refuses: images without a usable header, and those whose encryption breaks a rule.
"""

from __future__ import annotations

from copy import copy
from typing import NoReturn

from qcow_parsers import constants as c

from qcowspec.errors import Changed, Invalid, QcowError, Unreadable
from qcowspec.reader.header import geometry_of
from qcowspec.reader.machine import Machine
from qcowspec.sources.source import Borrowed, Source
from qcowspec.spec.entry_rules import aligned
from qcowspec.spec.metadata import Format, Metadata, Reference, Table
from qcowspec.spec.units import MAX_L1_ENTRIES, Geometry, HostOffset

ENCRYPTION, BACKING = "encryption", "backing"
"""Stages: the rules of the first guard what a passphrase is tried on; the second finds the name of
the backing file."""

UNNAMED = b"\0"
"""The name of a backing file whose name cannot be read; no file has it."""


def located(machine: Machine, source: Source) -> Metadata:
    """What was read of an image, with a geometry and an L1 table wherever the header has them.

    Raises:
        Malformed, Invalid, Unsupported: The header does not say how the disk is mapped, or the
            encryption breaks a rule.
        Unreadable: The source failed.
    """
    image, broken = machine.image, machine.judge.in_order("qemu")
    for finding in broken:
        if finding.stage == ENCRYPTION:
            raise _named(finding.error(), source)
    geometry = image.geometry or (None if image.header is None else geometry_of(image.header))
    if geometry is None:
        error = broken[0].error() if broken else Invalid("has no header that can be read")
        raise _named(error, source)
    table = image.l1_table or _l1_table(image, geometry, source)
    backing = image.backing
    if BACKING in machine.judge.stopped and image.header is not None:
        header = image.header
        offset, length = HostOffset(header.backing_file_offset), header.backing_file_size
        backing = Reference(UNNAMED, offset, length) if offset else None
    found = copy(image)
    found.geometry, found.l1_table, found.backing = geometry, table, backing
    return found


def _named(error: QcowError, source: Source) -> QcowError:
    error.path = source.name
    return error


def _l1_table(image: Metadata, geometry: Geometry, source: Source) -> Table:
    """The L1 table of an image whose header breaks a rule about it; empty where it is nowhere."""
    header = image.header
    assert header is not None
    count = min(-(-header.size // geometry.l2_span), MAX_L1_ENTRIES)
    offset = header.l1_table_offset
    if image.format is not Format.QCOW:
        count = min(count, header.l1_size) if aligned(offset, geometry) else 0
    data = source.read_at(offset, count * Table.ENTRY_SIZE) if count else b""
    return Table("l1_table", HostOffset(offset), count, data)


class Closed(Source):
    """Takes the place of a file that cannot be opened: every read fails for that reason."""

    def __init__(self, name: str, error: QcowError) -> None:
        self.name, self.error = name, error
        self.length = c.BDRV_MAX_LENGTH  # nothing of it counts as past its end

    def read_at(self, offset: int, length: int) -> NoReturn:
        """Fail; see `Source.read_at`."""
        raise self.error


class Tolerant(Borrowed):
    """A file as a `Source` of tables that reads zeros where the file cannot be read."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.unreadable: list[tuple[int, int]] = []
        # What lies between tables is of no interest, and may be what cannot be read.
        self.gap = source.gap if source.is_remote else 0

    @classmethod
    def of(cls, source: Source) -> Tolerant:
        """The source itself if it is tolerant, or else one that is."""
        return source if isinstance(source, Tolerant) else cls(source)

    def read_at(self, offset: int, length: int) -> bytes:
        """Read bytes; see `Source.read_at`. What fails is read again in halves, down to a sector.

        Raises:
            Changed: The file was changed meanwhile.
            Unreadable: A server failed, which is no loss for good.
        """
        try:
            return super().read_at(offset, length)
        except Changed:
            raise
        except Unreadable:
            if self.is_remote:
                raise
        length = min(length, self.length - offset)
        sector = c.BDRV_SECTOR_SIZE
        first, last = offset // sector, (offset + length - 1) // sector
        if first == last:
            bad = first * sector, last * sector + sector
            if bad not in self.unreadable:
                self.unreadable.append(bad)
            return bytes(length)
        middle = (first + last + 1) // 2 * sector
        end = offset + length
        return self.read_at(offset, middle - offset) + self.read_at(middle, end - middle)
