"""One layer: an image file, open, with all that is needed to read it.

In: an opened image. Out: a `Layer`. Refuses: a data file that the gate refuses, and a wrong
passphrase.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, NamedTuple

from qcow_parsers import constants as c

from qcowspec.chain.references import data_file_error
from qcowspec.chain.salvage import Closed, Tolerant
from qcowspec.errors import QcowError, Unreadable, Unsupported
from qcowspec.mapping import LostWalk, RawWalk, Walk, walk_of
from qcowspec.sources import open_sibling
from qcowspec.sources.gate import RAW, Gate
from qcowspec.sources.moved import Moved, admitted
from qcowspec.sources.source import Source
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.units import align_up, in_units

if TYPE_CHECKING:
    from qcow_parsers import Qcow2

    from qcowspec.crypto import Decryptor
    from qcowspec.mapping import Mapping


class Layer(NamedTuple):
    """One file of a chain.

    Attributes:
        name: The file, as it was opened.
        format: ``qcow``, ``qcow2`` or ``raw``.
        source: The image file.
        data: The file that has the data: the image file, or its external data file.
        walk: Where its bytes are, run by run.
        metadata: What opening read; None for a raw file.
        decryptor: Decrypts its data; None if it is not encrypted.
        given: Its name before links were followed: names in it are looked up from there.
    """

    name: str
    format: str
    source: Source
    data: Source
    walk: Walk
    metadata: Metadata | None = None
    decryptor: Decryptor | None = None
    given: str = ""

    def __repr__(self) -> str:
        return f"<Layer {self.format}, {in_units(self.size)}>"

    @property
    def size(self) -> int:
        """Bytes of its disk."""
        return self.walk.size

    @property
    def mapping(self) -> Mapping:
        """Where its bytes are, as arrays."""
        return self.walk.arrays

    def refuse_writers(self) -> None:
        """Refuse files that another program has open for writing.

        Raises:
            Unreadable: One of them is.
        """
        self.source.refuse_writers()
        self.data.refuse_writers()

    def close(self) -> None:
        """Close the files."""
        self.source.close()
        if self.data is not self.source:
            self.data.close()


def raw_layer(source: Source) -> Layer:
    """A raw file; QEMU rounds its size up to a sector, and reads zeros there."""
    size = align_up(source.length, c.BDRV_SECTOR_SIZE)
    return Layer(source.name, RAW, source, source, RawWalk(size, c.BDRV_SECTOR_SIZE))


def qcow_layer(
    metadata: Metadata,
    source: Source,
    gate: Gate,
    *,
    secret: bytes | None = None,
    snapshot: Qcow2.Snapshot | None = None,
    like_qemu: bool = False,
    decryptor: Decryptor | None = None,
    given: str | None = None,
    keyless: bool = False,
    salvage: Tolerant | None = None,
    vm_state: bool = False,
) -> Layer:
    """The layer of an image that opened without a broken rule; in a salvage, of a `located` one.

    Args:
        metadata: What opening read.
        source: The image file.
        gate: Decides whether its data file may be opened.
        secret: The passphrase.
        snapshot: The snapshot whose state is read; None for the active state.
        like_qemu: See `qcowspec.mapping.volume_of`.
        decryptor: That of another layer of this image, so that the passphrase is not tried again.
        given: The image's name before links were followed.
        keyless: Open without a passphrase too, to read the tables only.
        salvage: A source for the tables that continues where the file cannot be read.
        vm_state: See `qcowspec.mapping.volume_of`.

    Raises:
        Refused: The gate does not open its data file.
        Invalid: The passphrase is wrong.
        Unsupported: It is encrypted, and there is no passphrase, or the cipher is not known here;
            or its data file cannot be opened.
    """
    header = metadata.header
    assert header is not None
    assert metadata.format is not None
    if isinstance(gate, Moved) and gate.no_backing:
        metadata = copy(metadata)
        metadata.backing = None
    if int(header.crypt_method) and decryptor is None:
        from qcowspec.crypto import Locked, unlock

        if keyless and secret is None:
            decryptor = Locked(metadata, source)
        else:
            decryptor = unlock(metadata, source, secret)
    is_salvage = salvage is not None
    walk = walk_of(
        metadata,
        salvage or source,
        snapshot=snapshot,
        like_qemu=like_qemu,
        salvage=is_salvage,
        vm_state=vm_state,
    )
    given = given or source.place
    data = source
    if bool(getattr(header, "has_data_file", False)):
        try:
            data = open_data_file(metadata, source, gate, given)
        except QcowError as error:
            if not is_salvage:
                raise
            data = Closed(source.name, error)
    return Layer(source.name, str(metadata.format), source, data, walk, metadata, decryptor, given)


def lost_layer(above: Layer, error: QcowError) -> Layer:
    """The layer in place of a backing file that cannot be read, as large as its overlay's disk."""
    source = Closed(error.path or above.name, error)
    return Layer(source.name, RAW, source, source, LostWalk(above.size, error))


def open_data_file(metadata: Metadata, source: Source, gate: Gate, given: str) -> Source:
    """Open an image's external data file; it is never probed: all of it is data.

    Raises:
        Refused: The gate does not open it.
        Unsupported: It has no name, or cannot be opened.
    """
    reference = metadata.data_file
    if reference is None:
        raise Unsupported("names no external data file, and has one", path=source.name)
    try:
        path, _ = admitted(gate, source.place, given, reference.name, "data file")
        return open_sibling(source, path)
    except Unreadable as error:
        raise data_file_error(metadata, reference, source.name, error) from error
