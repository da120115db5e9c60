"""The library's entry point: open an image and read it.

In: an image as the user names it. Out: an `Image`. Refuses: what QEMU refuses, with the error of
the rule that QEMU reports first.
"""

from __future__ import annotations

import errno
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from qcowspec.errors import QcowError, Unreadable
from qcowspec.reader import opening
from qcowspec.reader.laid_open import LaidOpen
from qcowspec.reader.machine import Machine
from qcowspec.reader.opening import SnapshotKey, Wanted
from qcowspec.reader.verdict import FOUND, look_at_data_file
from qcowspec.sources import FileName, Target, open_source
from qcowspec.sources.gate import Deny, Gate, gate_of
from qcowspec.sources.moved import Moved
from qcowspec.sources.source import Source
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.profiles import refused_by

if TYPE_CHECKING:
    from qcowspec.chain import Chain
    from qcowspec.guest import Disk, DiskReader
    from qcowspec.mapping import Extents, Mapping, Run
    from qcowspec.mapping.dirty import Dirty
    from qcowspec.mapping.spans import Ranges
    from qcowspec.spec.named import Snapshot


class Image(LaidOpen):
    """An opened image: its structures, by QEMU's names.

    Use it as a context manager, or call `close`. A file that the image names is opened only when
    guest bytes are read, and only if the user allows it.
    """

    def __init__(self, source: Source, machine: Machine, tables: Source | None = None) -> None:
        super().__init__(source, machine)
        self._tables = tables or source
        self.gate: Gate = Deny()
        self.secret: bytes | None = None
        self.like_qemu = False
        self._disks: dict[tuple[Wanted, bool, bool, bool], tuple[Chain, Disk]] = {}

    # --- the guest's bytes ------------------------------------------------------------------------

    def disk(
        self, snapshot: Wanted = None, *, keyless: bool = False, salvage: bool = False
    ) -> Disk:
        """The virtual disk, to read from.

        Args:
            snapshot: The id or the name of an internal snapshot, or its `SnapshotKey`; None for
                the active state.
            keyless: For a look at the tables, which are never encrypted: without a passphrase the
                disk is opened all the same, and fails where encrypted data are asked for.
            salvage: Open the disk however broken the image is, as far as its header and its L1
                table lead, and read zeros in place of what cannot be read. `Disk.losses` has what
                was lost so far, with the reasons; `Disk.lost_ranges` goes through the tables.

        Raises:
            Invalid: The image breaks a rule for which QEMU refuses it, or has no such snapshot.
            Invalid, Unsupported: The snapshot breaks a rule for which QEMU does not load it.
            Refused: The gate does not open its data file.
            Unsupported: It is encrypted, and the passphrase is missing or wrong; or its data file
                cannot be opened.
        """
        keyless = keyless and self.secret is None
        return self._disk(snapshot, keyless, salvage, vm_state=False)

    def vm_state(self, snapshot: str | SnapshotKey) -> DiskReader:
        """The VM state of a snapshot of a running machine, as a file.

        It lies past the end of the snapshot's disk, and no backing file has a part of it.

        Args:
            snapshot: The id or the name of the snapshot, or its `SnapshotKey`.

        Raises:
            Invalid: What `disk` raises; or there is no VM state, or not all of it.
            Refused, Unsupported: What `disk` raises.
        """
        from qcowspec.guest import DiskReader
        from qcowspec.mapping.volume import vm_state_of

        disk = self._disk(snapshot, keyless=False, salvage=False, vm_state=True)
        index = opening.snapshot_index(self.metadata, snapshot, self.source.name)
        found = vm_state_of(self.metadata, self.snapshots[index], self.source.name)
        return DiskReader(disk, *found)

    def _disk(self, snapshot: Wanted, keyless: bool, salvage: bool, vm_state: bool) -> Disk:
        """A disk; opened when it is first asked for."""
        self._check_open()
        key = snapshot, keyless, salvage, vm_state
        if key not in self._disks:
            self._disks[key] = self._opened(*key)
        return self._disks[key][1]

    def _opened(
        self, snapshot: Wanted, keyless: bool, salvage: bool, vm_state: bool
    ) -> tuple[Chain, Disk]:
        from qcowspec.chain import Chain
        from qcowspec.chain.layers import qcow_layer
        from qcowspec.chain.salvage import Tolerant, located
        from qcowspec.guest import Disk

        if salvage:
            machine, tables = self.machine, Tolerant.of(self._tables)
            self._tables = tables
            if machine.image.geometry is None and not machine.image.salvage:
                machine = opening.laid_open(tables, self.format, salvage=True)
            metadata = located(machine, tables)
        else:
            tables = None
            self.check_opened()
            opening.check_readable(self.machine, self.source.name)
            metadata = self.metadata
        others = list(self._disks.items())
        unlocked = [chain.layers[0].decryptor for (_, bare, *_), (chain, _) in others if not bare]
        gate = Moved(allow=self.gate, no_backing=True) if vm_state else self.gate
        top = qcow_layer(
            metadata,
            self.source,
            gate,
            secret=self.secret,
            snapshot=None if snapshot is None else self._state(metadata, snapshot),
            like_qemu=self.like_qemu,
            decryptor=unlocked[0] if unlocked else None,
            keyless=keyless,
            salvage=tables,
            vm_state=vm_state,
        )
        chain = Chain(top, gate, self.secret, keyless=keyless, salvage=salvage)
        return chain, Disk(chain)

    def pread(self, offset: int, length: int, *, snapshot: str | None = None) -> bytes:
        """Read guest bytes; fewer are returned only at the end of the disk. See `Disk.pread`."""
        return self.disk(snapshot).pread(offset, length)

    def readinto(
        self, offset: int, buffer: bytearray | memoryview, *, snapshot: str | None = None
    ) -> int:
        """Read guest bytes into a buffer; returns how many. See `Disk.readinto`."""
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

    def dirty(
        self, name: str | bytes, offset: int = 0, length: int | None = None
    ) -> Iterator[Dirty]:
        """What a persistent bitmap says of each part of the disk, as arrays, some at a time.

        The ranges tile the disk. A bitmap that is in use (see `bitmaps`) is read as it stands in
        the file: it may lack writes.

        Args:
            name: The bitmap's name.
            offset: Where to begin, in bytes.
            length: How far to look, in bytes; None for all that follows.

        Raises:
            Invalid: The image or the bitmap breaks a rule, or there is no such bitmap.
        """
        from qcowspec.mapping.dirty import bitmap_of, dirty

        self._check_open()
        self.check_opened()
        bitmap = bitmap_of(self.metadata, name, self.source.name)
        return dirty(self.metadata, self.source, bitmap, offset, length)

    def _mapping(self, snapshot: str | None) -> Mapping:
        from qcowspec.mapping import mapping_of

        self._check_open()
        self.check_opened()
        chosen = None if snapshot is None else self._state(self.metadata, snapshot)
        return mapping_of(self.metadata, self.source, snapshot=chosen, like_qemu=self.like_qemu)

    def snapshot(self, wanted: str) -> Snapshot:
        """An internal snapshot by its id, or else by its name, as QEMU looks it up.

        Raises:
            Invalid: The image has no such snapshot.
        """
        return self.snapshots[opening.snapshot_index(self.metadata, wanted, self.source.name)]

    def _state(self, metadata: Metadata, wanted: str | SnapshotKey) -> Snapshot:
        """The same, for a snapshot whose state is to be read; a salvage reads any.

        Raises:
            Invalid: The image has no such snapshot.
            Invalid, Unsupported: QEMU does not load it.
        """
        index = opening.snapshot_index(metadata, wanted, self.source.name)
        if metadata is self.metadata:
            opening.check_loadable(self.machine, index, self.source.name)
        return metadata.snapshots[index]

    def check_opened(self, profile: str = "qemu") -> None:
        """Refuse an image that QEMU, or a version such as ``qemu@7.2``, refuses; see `open`."""
        if FOUND in refused_by(profile):
            look_at_data_file(self.judge, self.source.name, self.gate)
        opening.check_opened(self.machine, self.source.name, profile)

    def check_unchanged(self) -> None:
        """Refuse an image file on this machine that was written to since it was opened.

        Raises:
            Changed: It was. `Disk.check_unchanged` checks the other files of a disk too.
        """
        self.source.check_unchanged()

    def forget(self, disk: Disk) -> None:
        """Close a disk that nobody reads any more, and free its memory; the image stays open."""
        for key, (chain, found) in list(self._disks.items()):
            if found is disk:
                del self._disks[key]
                chain.close()

    def _check_open(self) -> None:
        if self.is_closed:
            raise Unreadable("is closed", errno=errno.EBADF, path=self.source.name)

    def close(self) -> None:
        """Close the files; harmless when called again. What has no owner any more closes itself."""
        self.is_closed = True
        for chain, _ in self._disks.values():
            chain.close()
        self._disks.clear()
        self.source.close()

    def __enter__(self) -> Image:
        return self

    def __exit__(self, *_: object) -> None:
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
        format: ``qcow`` or ``qcow2``, if the probe is not to decide.
        allow: Which second files may be opened, when guest bytes are read: ``same-dir``, ``any``,
            directories, or a gate of your own; none where it is left out.
        secret: The passphrase of an encrypted image, and of its backing files.
        like_qemu: Read snapshots at the active state's size, as qemu-img does.

    Raises:
        NotQcow: The probe finds no QCOW image.
        Malformed, Invalid, Unsupported: The first rule, in QEMU's order, that the image breaks.
        Unreadable: The file cannot be read.
    """
    image = lay_open(target, format=format, allow=allow, secret=secret, like_qemu=like_qemu)
    try:
        image.check_opened()
    except QcowError:
        image.close()
        raise
    return image


def lay_open(
    target: Target,
    *,
    format: str | None = None,
    entries: int = 0,
    allow: str | Iterable[str] | Gate | None = None,
    secret: str | bytes | None = None,
    like_qemu: bool = False,
    salvage: bool = False,
) -> Image:
    """Open an image however broken it is, and read all that can be read.

    Args:
        target: The image; see `qcowspec.sources.open_source`.
        format: ``qcow`` or ``qcow2``, if the probe is not to decide.
        entries: Bytes of L2 tables that are read at most, to judge the entries of all tables; 0 to
            judge none.
        allow: See `open`; for a disk that is read in a salvage.
        secret: See `open`.
        like_qemu: See `open`.
        salvage: Read zeros where the file cannot be read and has structures.

    Raises:
        NotQcow: The probe finds no QCOW image.
        Unreadable: The file cannot be read.
        Unsupported: A source spec says that it is raw.
    """
    source = tables = open_source(target)
    if salvage:
        from qcowspec.chain.salvage import Tolerant

        tables = Tolerant(source)
    try:
        stated = target.format if isinstance(target, FileName) else None
        machine = opening.laid_open(tables, format or stated, entries=entries, salvage=salvage)
    except BaseException:
        source.close()
        raise
    image = Image(source, machine, tables)
    image.gate, image.like_qemu = gate_of(allow), like_qemu
    image.secret = opening.passphrase(secret)
    return image
