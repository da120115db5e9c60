"""What is known of an image: plain data, filled in stage by stage.

In: what the stages read. Out: the same, under the names QEMU uses. Refuses: nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from qcowspec.structures import Part
from qcowspec.units import Geometry, HostOffset

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from qcow_parsers import Luks1, Qcow, Qcow1, Qcow2


T = TypeVar("T")


class Format(StrEnum):
    """The formats that the probe tells apart, by the names of QEMU's drivers."""

    QCOW = "qcow"
    QCOW2 = "qcow2"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of 64-bit big-endian entries, as it stands in the file.

    Attributes:
        name: Its path in the image, such as ``l1_table``.
        offset: Where it starts in the image file.
        count: Number of entries that the image claims; bounded before the table is read.
        data: Its bytes as far as the file goes; the entries past the end of the file are zero.
    """

    name: str
    offset: HostOffset
    count: int
    data: bytes

    ENTRY_SIZE = 8

    @property
    def length(self) -> int:
        """Bytes of the whole table."""
        return self.count * self.ENTRY_SIZE

    def values(self) -> tuple[int, ...]:
        """The entries that stand in the file, as integers: for small tables and for people."""
        whole = len(self.data) // self.ENTRY_SIZE
        return struct.unpack_from(f">{whole}Q", self.data)

    def array(self) -> npt.NDArray[np.uint64]:
        """All entries: shape (count,), dtype ``>u8``; a view where the file holds them all."""
        import numpy as np

        padded = self.data.ljust(self.length, b"\0")
        return np.frombuffer(padded, dtype=">u8", count=self.count)


class Structures(Sequence[T]):
    """Structures of one layout, kept as bytes and parsed when looked at.

    A hostile image may claim 65,536 snapshots: their bytes are kept, their objects are not.
    """

    def __init__(self) -> None:
        self.parts: list[Part[T]] = []

    def __len__(self) -> int:
        return len(self.parts)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [part.parse() for part in self.parts[index]]
        return self.parts[index].parse()


@dataclass(frozen=True, slots=True)
class Reference:
    """Another file that an image names; nothing here opens it.

    Attributes:
        name: The name, verbatim, up to its first zero byte.
        offset: Where the name starts in the image file, in bytes.
        length: Bytes that the name occupies there.
        format: The format that the image claims the file has, if any.
    """

    name: bytes
    offset: HostOffset
    length: int
    format: bytes | None = None


@dataclass(slots=True)
class Metadata:
    """All that the stages have read of one image so far; None or empty where they have not.

    Attributes:
        length: Bytes of the image file; None where only a stream is there.
        format: The driver that QEMU would take, by the probe or by the user's word.
        probe: Magic and version.
        header: The header, by version.
        header_part: The same as bytes.
        geometry: The sizes that follow from the header.
        extensions: The header extensions, in order; the unknown ones and END included.
        feature_names: The image's own feature names, by (type, bit).
        backing_format: The backing file's format, as its extension names it.
        bitmaps_extension: Where the bitmap directory lies.
        crypto_extension: Where the LUKS header lies.
        luks: The LUKS header that the encryption extension points at.
        luks_part: The same as bytes.
        l1_table: The active L1 table.
        refcount_table: The refcount table.
        snapshots: The entries of the snapshot table.
        bitmaps: The entries of the bitmap directory.
        backing: The backing file's name and format.
        data_file: The external data file's name.
    """

    length: int | None = None
    format: Format | None = None
    probe: Qcow.Probe | None = None
    header: Qcow1.Header | Qcow2.Header | None = None
    header_part: Part[Any] | None = None
    geometry: Geometry | None = None
    extensions: Structures[Qcow2.HeaderExtension] = field(default_factory=Structures)
    feature_names: dict[tuple[int, int], bytes] = field(default_factory=dict)
    backing_format: bytes | None = None
    bitmaps_extension: Qcow2.BitmapsExtension | None = None
    crypto_extension: Qcow2.CryptoExtension | None = None
    luks: Luks1.Header | None = None
    luks_part: Part[Luks1.Header] | None = None
    l1_table: Table | None = None
    refcount_table: Table | None = None
    snapshots: Structures[Qcow2.Snapshot] = field(default_factory=Structures)
    bitmaps: Structures[Qcow2.BitmapDirectoryEntry] = field(default_factory=Structures)
    backing: Reference | None = None
    data_file: Reference | None = None

    @property
    def qcow2_header(self) -> Qcow2.Header:
        """The header, in the stages that only v2 and v3 have."""
        return cast("Qcow2.Header", self.header)

    def present(self, offset: int, length: int) -> int:
        """How many of the bytes [offset, offset + length) stand in the file."""
        if self.length is None:
            return length
        return max(0, min(length, self.length - offset))
