"""The library's front door: open an image and look at it.

In: what the user calls an image. Out: an `Image`. Refuses: what QEMU refuses, with the error of the
rule that QEMU reports first.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from qcow_parsers import constants as c

from qcowspec.errors import Invalid, QcowError
from qcowspec.gate import Deny, Gate, gate_of
from qcowspec.machine import Machine, State
from qcowspec.metadata import Format, Metadata, Reference, Structures, Table
from qcowspec.opening import check_loadable, check_opened, check_readable, laid_open
from qcowspec.profiles import refused_by
from qcowspec.rules import Finding
from qcowspec.source import Source
from qcowspec.sources import Target, open_source
from qcowspec.units import Geometry

if TYPE_CHECKING:
    from qcow_parsers import Qcow1, Qcow2

    from qcowspec.chain import Chain
    from qcowspec.guest import Disk
    from qcowspec.mapping import Extents, Mapping, Run
    from qcowspec.mapping.changes import Ranges


class Image:
    """An opened image: its structures, by QEMU's names.

    Use it as a context manager, or call `close`. A file that the image names is opened only when
    guest bytes are read, and only if the user allows it.
    """

    def __init__(self, source: Source, machine: Machine) -> None:
        self.source = source
        self.machine = machine
        self.gate: Gate = Deny()
        self.secret: bytes | None = None
        self.like_qemu = False
        self._disks: dict[str | None, tuple[Chain, Disk]] = {}
        self._locked: dict[str | None, tuple[Chain, Disk]] = {}
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

    # --- the guest's bytes ------------------------------------------------------------------------

    def disk(self, snapshot: str | None = None, *, keyless: bool = False) -> Disk:
        """The virtual disk, to read from.

        Args:
            snapshot: The id or the name of an internal snapshot; None for the active state.
            keyless: For a look at the tables, which are never encrypted: without a passphrase the
                disk is opened all the same, and fails where encrypted data are asked for.

        Raises:
            Invalid: The image breaks a rule for which QEMU refuses it, or has no such snapshot.
            Invalid, Unsupported: The snapshot breaks a rule for which QEMU does not load it.
            Refused: The gate does not open its data file.
            Unsupported: It is encrypted, and the passphrase is missing or wrong; or its data file
                cannot be opened.
        """
        disks = self._locked if keyless and self.secret is None else self._disks
        known = disks.get(snapshot)
        if known is None:
            known = disks[snapshot] = self._opened(snapshot, keyless=disks is self._locked)
        return known[1]

    def _opened(self, snapshot: str | None, *, keyless: bool) -> tuple[Chain, Disk]:
        from qcowspec.chain import Chain
        from qcowspec.chain.layers import qcow_layer
        from qcowspec.guest import Disk

        self.check_opened()
        check_readable(self.machine, self.source.name)
        unlocked = [chain.layers[0].decryptor for chain, _ in list(self._disks.values())]
        top = qcow_layer(
            self.metadata,
            self.source,
            self.gate,
            secret=self.secret,
            snapshot=None if snapshot is None else self._loaded(snapshot),
            like_qemu=self.like_qemu,
            decryptor=unlocked[0] if unlocked else None,
            keyless=keyless,
        )
        chain = Chain(top, self.gate, self.secret, keyless=keyless)
        return chain, Disk(chain)

    def pread(self, offset: int, length: int, *, snapshot: str | None = None) -> bytes:
        """Read guest bytes; fewer come only where the disk ends. See `Disk.pread`."""
        return self.disk(snapshot).pread(offset, length)

    def readinto(
        self, offset: int, buffer: bytearray | memoryview, *, snapshot: str | None = None
    ) -> int:
        """Read guest bytes into a buffer, and say how many. See `Disk.readinto`."""
        return self.disk(snapshot).readinto(offset, buffer)

    def read_extents(
        self, extents: Sequence[tuple[int, int]], *, snapshot: str | None = None
    ) -> list[bytes]:
        """Read many ranges, given as offset and length. See `Disk.read_extents`."""
        return self.disk(snapshot).read_extents(extents)

    def reader(self, *, snapshot: str | None = None) -> io.RawIOBase:
        """The virtual disk as a file."""
        from qcowspec.guest import DiskReader

        return DiskReader(self.disk(snapshot))

    def runs(
        self, offset: int = 0, length: int | None = None, *, snapshot: str | None = None
    ) -> Iterator[Run]:
        """Where the bytes of a guest range are, in this image alone; no second file is opened.

        Raises:
            Invalid: The image or a table entry on the way breaks a rule, or there is no such
                snapshot.
            Invalid, Unsupported: The snapshot breaks a rule for which QEMU does not load it.
        """
        return self._mapping(snapshot).runs(offset, length)

    def extents(
        self, offset: int = 0, length: int | None = None, *, snapshot: str | None = None
    ) -> Iterator[Extents]:
        """The same as arrays, a bounded number at a time. See `Mapping.batches`."""
        return self._mapping(snapshot).batches(offset, length)

    def changes(
        self,
        since: str | None,
        until: str | None = None,
        *,
        offset: int = 0,
        length: int | None = None,
    ) -> Iterator[Ranges]:
        """Ranges that may differ between two states, as arrays; no second file is opened.

        Outside of them the bytes of both states are the same. Where the earlier disk has ended, its
        bytes count as zeros; what the later one has no more is not listed.

        Args:
            since: The id or the name of the earlier snapshot; None for the active state.
            until: The same of the later one.
            offset: Where to begin, in bytes.
            length: How far to look, in bytes; None for all that follows.

        Raises:
            Invalid: The image or a table entry on the way breaks a rule, or there is no such
                snapshot.
            Invalid, Unsupported: The snapshot breaks a rule for which QEMU does not load it.
        """
        from qcowspec.mapping.changes import changes

        return changes(self._mapping(since), self._mapping(until), offset, length)

    def _mapping(self, snapshot: str | None) -> Mapping:
        from qcowspec.mapping import mapping_of

        self.check_opened()
        chosen = None if snapshot is None else self._loaded(snapshot)
        return mapping_of(self.metadata, self.source, snapshot=chosen, like_qemu=self.like_qemu)

    def snapshot(self, wanted: str) -> Qcow2.Snapshot:
        """An internal snapshot by its id, or else by its name, as QEMU looks it up.

        Raises:
            Invalid: The image has none of them.
        """
        return self.snapshots[self._index(wanted)]

    def _loaded(self, wanted: str) -> Qcow2.Snapshot:
        """The same, of a snapshot whose state is to be read.

        Raises:
            Invalid: The image has none of them.
            Invalid, Unsupported: QEMU does not load it.
        """
        index = self._index(wanted)
        check_loadable(self.machine, index, self.source.name)
        return self.snapshots[index]

    def _index(self, wanted: str) -> int:
        """Where a snapshot stands in the table."""
        key = os.fsencode(wanted)
        for name in ("id_str", "name"):
            for index, found in enumerate(self.snapshots):
                if getattr(found, name) == key:
                    return index
        raise Invalid(f"has no snapshot {wanted!r}", path=self.source.name)

    def check_opened(self) -> None:
        """Refuse an image that QEMU refuses; see `open`."""
        check_opened(self.machine, self.source.name)

    def close(self) -> None:
        """Give the files back."""
        for disks in (self._disks, self._locked):
            for chain, _ in disks.values():
                chain.close()
            disks.clear()
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
    target: Target,
    *,
    format: str | None = None,
    allow: str | Iterable[str] | Gate | None = None,
    secret: str | bytes | None = None,
    like_qemu: bool = False,
) -> Image:
    """Open an image as QEMU does.

    Args:
        target: The image; see `qcowspec.sources.open_source`.
        format: ``qcow`` or ``qcow2``, where the probe is not to decide.
        allow: Which second files may be opened, when guest bytes are read: ``same-dir``, ``any``,
            directories, or a gate of your own; none where it is left out.
        secret: The passphrase of an encrypted image, and of the layers behind it.
        like_qemu: Read snapshots at the active state's size, as qemu-img does.

    Raises:
        NotQcow: The probe finds no QCOW image.
        Malformed, Invalid, Unsupported: The first rule, in QEMU's order, that the image breaks.
        Unreadable: The bytes cannot be had.
    """
    image = lay_open(target, format=format)
    image.gate, image.like_qemu = gate_of(allow), like_qemu
    # What is no text becomes bytes that are no UTF-8, which `unlock` refuses without showing them.
    image.secret = secret.encode("utf-8", "surrogatepass") if isinstance(secret, str) else secret
    try:
        image.check_opened()
    except QcowError:
        image.close()
        raise
    return image


def lay_open(target: Target, *, format: str | None = None) -> Image:
    """Open an image however broken it is, and read all that can be read.

    Args:
        target: The image; see `qcowspec.sources.open_source`.
        format: ``qcow`` or ``qcow2``, where the probe is not to decide.

    Raises:
        NotQcow: The probe finds no QCOW image.
        Unreadable: The bytes cannot be had.
        Unsupported: A source spec says that it is raw.
    """
    source = open_source(target)
    try:
        machine = laid_open(source, format)
    except BaseException:
        source.close()
        raise
    return Image(source, machine)
