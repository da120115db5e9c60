"""The library's front door: open an image and look at it.

In: what the user calls an image. Out: an `Image`. Refuses: what QEMU refuses, with the error of the
rule that QEMU reports first.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING

from qcow_parsers import constants as c

from qcowspec.drivers import drive
from qcowspec.errors import Invalid, NotQcow
from qcowspec.machine import Machine, State, thorough
from qcowspec.metadata import Format, Metadata, Reference, Structures, Table
from qcowspec.profiles import refused_by
from qcowspec.rules import Finding
from qcowspec.source import Source
from qcowspec.sources import open_source
from qcowspec.units import Geometry

if TYPE_CHECKING:
    from qcow_parsers import Qcow1, Qcow2


class Image:
    """An opened image: its structures, by QEMU's names.

    Use it as a context manager, or call `close`. No file that the image names is opened.
    """

    def __init__(self, source: Source, machine: Machine) -> None:
        self.source = source
        self.state: State = machine.state
        self.metadata: Metadata = machine.image
        self.judge = machine.judge

    @property
    def findings(self) -> list[Finding]:
        """The broken rules: those for which QEMU refuses, in its order; then the document's."""
        tolerated = refused_by("spec") - refused_by("qemu")
        others = [finding for finding in self.judge.findings if finding.rule in tolerated]
        return self.judge.in_order("qemu") + others

    @property
    def format(self) -> Format:
        """``qcow`` for version 1, ``qcow2`` for versions 2 and 3."""
        assert self.metadata.format is not None
        return self.metadata.format

    @property
    def header(self) -> Qcow1.Header | Qcow2.Header:
        """The header, field by field, as the generated parser reads it."""
        assert self.metadata.header is not None
        return self.metadata.header

    @property
    def geometry(self) -> Geometry:
        """The sizes that follow from the header.

        Raises:
            Invalid: The header's own sizes break a rule.
        """
        if self.metadata.geometry is None:
            raise Invalid(
                "has a header whose sizes break a rule, so that nothing further can be located",
                path=self.source.name,
            )
        return self.metadata.geometry

    @property
    def size(self) -> int:
        """Size of the virtual disk in bytes; QEMU leaves out an incomplete last sector."""
        size = self.header.size
        return size - size % c.BDRV_SECTOR_SIZE

    @property
    def has_data_file(self) -> bool:
        """Whether guest data lies in a file of its own."""
        return bool(getattr(self.header, "has_data_file", False))

    @property
    def extensions(self) -> Structures[Qcow2.HeaderExtension]:
        """The header extensions, in order."""
        return self.metadata.extensions

    @property
    def l1_table(self) -> Table | None:
        """The active L1 table."""
        return self.metadata.l1_table

    @property
    def refcount_table(self) -> Table | None:
        """The refcount table; version 1 has none."""
        return self.metadata.refcount_table

    @property
    def snapshots(self) -> Structures[Qcow2.Snapshot]:
        """The internal snapshots, in the table's order."""
        return self.metadata.snapshots

    @property
    def bitmaps(self) -> Structures[Qcow2.BitmapDirectoryEntry]:
        """The bitmaps whose directory the image vouches for."""
        return self.metadata.bitmaps

    @property
    def backing(self) -> Reference | None:
        """The backing file that the image names."""
        return self.metadata.backing

    @property
    def data_file(self) -> Reference | None:
        """The external data file that the image names."""
        return self.metadata.data_file

    def close(self) -> None:
        """Give the image file back."""
        self.source.close()

    def __enter__(self) -> Image:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open(  # noqa: A001 - the name that a user expects, as in gzip and tarfile
    target: str | os.PathLike[str] | bytes, *, format: str | None = None
) -> Image:
    """Open an image as QEMU does.

    Args:
        target: A path, ``-`` for standard input, or the image's bytes.
        format: ``qcow`` or ``qcow2``, where the probe is not to decide.

    Raises:
        NotQcow: The probe finds no QCOW image.
        Malformed, Invalid, Unsupported: The first rule, in QEMU's order, that the image breaks.
        Unreadable: The bytes cannot be had.
    """
    image = lay_open(target, format=format)
    refused = image.judge.first("qemu")
    if refused is not None:
        image.close()
        error = refused.error()
        error.path = image.source.name
        raise error
    return image


def lay_open(target: str | os.PathLike[str] | bytes, *, format: str | None = None) -> Image:
    """Open an image however broken it is, and read all that can be read.

    Args:
        target: A path, ``-`` for standard input, or the image's bytes.
        format: ``qcow`` or ``qcow2``, where the probe is not to decide.

    Raises:
        NotQcow: The probe finds no QCOW image.
        Unreadable: The bytes cannot be had.
    """
    source = open_source(target)
    try:
        chosen = None if format is None else Format(format)
        machine = Machine(thorough("qemu"), format=chosen, length=source.length)
        drive(machine, source)
        if machine.image.format is None:
            raise NotQcow(_what_it_is(source, machine), path=source.name)
    except BaseException:
        source.close()
        raise
    return Image(source, machine)


def _what_it_is(source: Source, machine: Machine) -> str:
    """What to say of a file that no QCOW driver claims."""
    if source.length == 0:
        return "is empty, and no QCOW image"
    found = machine.image.probe
    assert found is not None
    if found.magic == c.QCOW_MAGIC:
        return f"has QCOW's magic and version {found.version}, which no version of the format has"
    start = source.read_at(0, PROBED)
    return (
        f"is no QCOW image: it begins with {start.hex(' ')},"
        f" not with {c.QCOW_MAGIC.to_bytes(PROBED, 'big').hex(' ')} ('QFI' and 0xfb)"
    )


PROBED = 4
"""Bytes of the magic number."""
