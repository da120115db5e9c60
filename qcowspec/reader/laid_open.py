"""What opening reads of an image: its structures, by QEMU's names.

In: a source, and the machine that was driven to its end. Out: `LaidOpen`. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from qcowspec.errors import Invalid
from qcowspec.reader.looked import Looked, looked
from qcowspec.reader.machine import Machine, State
from qcowspec.sources.source import Source
from qcowspec.spec.metadata import Format, Metadata, Reference, Structures, Table
from qcowspec.spec.profiles import refused_by
from qcowspec.spec.rules import Finding
from qcowspec.spec.units import Geometry, in_units, whole_sectors

if TYPE_CHECKING:
    from qcowspec.spec.named import Bitmap, Extension, Header, Snapshot


class LaidOpen:
    """The structures of an image; the base of `Image`."""

    def __init__(self, source: Source, machine: Machine) -> None:
        self.source, self.machine = source, machine
        self.state: State = machine.state
        self.metadata: Metadata = machine.image
        self.judge = machine.judge
        self.is_closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self.facts())}>"

    def facts(self) -> Iterator[str]:
        """What it is, in a few words each; no name is among them, which could hold a secret."""
        header = self.metadata.header
        yield f"{self.format}" if header is None else f"{self.format} v{header.version}"
        if header is not None:
            yield in_units(self.size)
            if int(header.crypt_method):
                yield "encrypted"
        for count, noun in ((len(self.snapshots), "snapshot"), (len(self.bitmaps), "bitmap")):
            if count:
                yield f"{count:,} {noun}{'s' * (count > 1)}"
        if self.is_closed:
            yield "closed"

    @property
    def findings(self) -> list[Finding]:
        """The broken rules: those for which QEMU refuses, in its order; then the document's."""
        tolerated = refused_by("spec") - refused_by("qemu")
        others = [finding for finding in self.judge.findings if finding.rule in tolerated]
        return self.judge.in_order("qemu") + others

    @property
    def looked(self) -> Looked:
        """How much of the image opening checked, by the rules of QEMU and of the document."""
        return looked(self.machine, refused_by("qemu") | refused_by("spec"))

    @property
    def format(self) -> Format:
        """``qcow`` for version 1, ``qcow2`` for versions 2 and 3."""
        assert self.metadata.format is not None
        return self.metadata.format

    @property
    def header(self) -> Header:
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
        return whole_sectors(self.header.size)

    @property
    def has_data_file(self) -> bool:
        """Whether guest data lies in a file of its own."""
        return bool(getattr(self.header, "has_data_file", False))

    @property
    def extensions(self) -> Structures[Extension]:
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
    def snapshots(self) -> Structures[Snapshot]:
        """The internal snapshots, in the table's order."""
        return self.metadata.snapshots

    @property
    def bitmaps(self) -> Structures[Bitmap]:
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


def check_image(image: object) -> None:
    """Refuse what is no image: a path, most often.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(image, LaidOpen):
        raise TypeError(f"an opened image is wanted, not {type(image).__name__}: qcowspec.open")
