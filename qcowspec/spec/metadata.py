"""What is known of an image: plain data, filled in stage by stage.

In: what the stages read. Out: the same, under the names QEMU uses. Refuses: nothing.
"""

from __future__ import annotations

import struct
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast, overload

from qcowspec.spec.named import Bitmap, Extension, Header, Snapshot
from qcowspec.spec.structures import Part
from qcowspec.spec.units import Geometry, HostOffset

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from qcow_parsers import Luks1, Qcow, Qcow2


T = TypeVar("T")


class Format(StrEnum):
    """The formats that the probe tells apart, by the names of QEMU's drivers."""

    QCOW = "qcow"
    QCOW2 = "qcow2"


@dataclass(frozen=True, repr=False)  # slots would make the class twice, and start-up slower
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

    def __repr__(self) -> str:
        entries = "entry" if self.count == 1 else "entries"
        return f"<Table {self.name} at {self.offset:#x}, {self.count:,} {entries}>"

    @property
    def length(self) -> int:
        """Bytes of the whole table."""
        return self.count * self.ENTRY_SIZE

    def values(self) -> tuple[int, ...]:
        """The entries that stand in the file, as integers: for small tables and for people.

        What the file's end cuts off of an entry is zeros, as QEMU reads it.
        """
        begun = -(-len(self.data) // self.ENTRY_SIZE)
        return struct.unpack(f">{begun}Q", self.data.ljust(begun * self.ENTRY_SIZE, b"\0"))

    def array(self) -> npt.NDArray[np.uint64]:
        """All entries: shape (count,), dtype ``>u8``; a view where the file holds them all."""
        import numpy as np

        padded = self.data.ljust(self.length, b"\0")
        return np.frombuffer(padded, dtype=">u8", count=self.count)


class Structures(Sequence[T]):
    """Structures of one layout, kept as bytes and parsed when they are used.

    A hostile image may claim 65,536 snapshots, or 262,144 header extensions: their bytes are kept,
    one after the other, and no object for any of them.

    Attributes:
        numbers: Fields that are asked for of all of them, by name, as they were at their reading.
    """

    def __init__(self, kind: type[T]) -> None:
        """Begin.

        Args:
            kind: What one is parsed as: its layout, or a class that is derived from it.
        """
        self.numbers: defaultdict[str, array[int]] = defaultdict(partial(array, "Q"))
        self._kind = kind
        self._like: Part[Any] | None = None
        self._kept = bytearray()
        self._ends = array("Q")
        self._offsets = array("Q")

    def add(self, part: Part[Any], **numbers: int) -> None:
        """Keep one more; all have one layout, and names that differ in their index."""
        for name, number in numbers.items():
            self.numbers[name].append(number)
        self._like = self._like or part._replace(data=b"", name=part.name.partition("[")[0])
        self._kept += part.data
        self._ends.append(len(self._kept))
        self._offsets.append(part.offset)

    def part(self, index: int) -> Part[Any]:
        """One of them as bytes."""
        index = range(len(self))[index]
        assert self._like is not None
        start = self._ends[index - 1] if index else 0
        return self._like._replace(
            name=f"{self._like.name}[{index}]",
            offset=HostOffset(self._offsets[index]),
            data=bytes(self._kept[start : self._ends[index]]),
        )

    @property
    def parts(self) -> Iterator[Part[Any]]:
        """All of them as bytes, each made when it is looked at."""
        return map(self.part, range(len(self)))

    def at(self, offset: int) -> Iterator[Part[Any]]:
        """Those that have a byte of the image file, as bytes; no other is looked at."""
        import numpy as np

        ends, starts = (np.array(each, np.uint64) for each in (self._ends, self._offsets))
        lengths, wanted = np.diff(ends, prepend=np.uint64(0)), np.uint64(offset)
        # Not a sum, which wraps around in an array.
        has = (starts <= wanted) & (wanted - np.minimum(starts, wanted) < lengths)
        return map(self.part, np.flatnonzero(has).tolist())

    def __iter__(self) -> Iterator[T]:
        """All of them, parsed; neighbours of equal bytes are one object."""
        start, last = 0, None
        for index, end in enumerate(self._ends):
            data = self._kept[start:end]
            if last is None or data != last[0]:
                last = data, self[index]
            yield last[1]
            start = end

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        part = self.part(index)
        kind: Any = self._kind  # mypy takes its objects for unhashable
        found: T = parsed(kind, part.arguments, part.data)
        return found

    def __repr__(self) -> str:
        inner = ", ".join(map(repr, self[:SHOWN]))
        return f"[{inner}{f', … {len(self):,} in all' if len(self) > SHOWN else ''}]"


SHOWN = 4
"""Structures that a `repr` shows."""


@lru_cache(maxsize=64)
def parsed(layout: Any, arguments: tuple[int | bool, ...], data: bytes) -> Any:
    """A structure, parsed once for all that are equal: a hostile table has 65,536 of zeros."""
    return Part("structure", layout, HostOffset(0), data, arguments).parse()


class Names:
    """The names met so far; long ones are kept as a digest, so that memory stays bounded."""

    LONG = 64

    def __init__(self) -> None:
        self._met: set[bytes | tuple[bytes]] = set()

    def add(self, name: bytes) -> bool:
        """Note a name.

        Returns:
            Whether it is the first of its kind.
        """
        before = len(self._met)
        if len(name) > self.LONG:
            from hashlib import sha256  # few images have such names

            self._met.add((sha256(name).digest(),))
        else:
            self._met.add(name)
        return len(self._met) > before


class Reference(NamedTuple):
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


class Leftover(NamedTuple):
    """Bytes that stand where a structure should be, or nothing.

    Attributes:
        name: Their path in the image, such as ``header_extensions.unparsed``.
        offset: Where they start in the image file, in bytes.
        length: How many they are.
    """

    name: str
    offset: HostOffset
    length: int


@dataclass(frozen=True)  # slots would make the class twice, and start-up slower
class Turn:
    """How far a stage has come through structures that repeat.

    Attributes:
        index: How many structures it has passed.
        offset: Where the next one starts in the image file, in bytes.
        left: Bytes from there to the end of the area that they lie in.
        repeats: Whether the structure has a name or type that an earlier one has.
    """

    index: int
    offset: HostOffset
    left: int = 0
    repeats: bool = False


class Metadata:
    """All that the stages have read of one image so far; None or empty where they have not."""

    def __init__(
        self,
        *,
        length: int | None = None,
        format: Format | None = None,
        entries: int = 0,
        salvage: bool = False,
    ) -> None:
        self.length = length  # bytes of the image file; None of a stream
        self.format = format  # the driver that QEMU would take, as probed or as the user states
        self.beginning = b""  # the bytes that decide the format, as far as the file has them
        self.probe: Qcow.Probe | None = None  # magic and version
        self.probe_part: Part[Any] | None = None  # the same as bytes
        self.foreign: set[str] = set()  # other formats whose signatures stand in the file
        self.header: Header | None = None
        self.header_part: Part[Any] | None = None  # the same as bytes
        self.geometry: Geometry | None = None  # the sizes that follow from the header
        # The header extensions, in order; the unknown ones and END included.
        self.extensions: Structures[Extension] = Structures(Extension)
        # The image's own feature names, by (type, bit).
        self.feature_names: dict[tuple[int, int], bytes] = {}
        # The backing file's format, as its extension names it.
        self.backing_format: bytes | None = None
        # Where the bitmap directory lies.
        self.bitmaps_extension: Qcow2.BitmapsExtension | None = None
        self.bitmaps_part: Part[Qcow2.BitmapsExtension] | None = None  # the same as bytes
        self.crypto_extension: Qcow2.CryptoExtension | None = None  # where the LUKS header lies
        self.crypto_part: Part[Qcow2.CryptoExtension] | None = None  # the same as bytes
        # The LUKS header that the encryption extension points at.
        self.luks: Luks1.Header | None = None
        self.luks_part: Part[Luks1.Header] | None = None  # the same as bytes
        self.l1_table: Table | None = None  # the active L1 table
        self.refcount_table: Table | None = None
        # The entries of the snapshot table.
        self.snapshots: Structures[Snapshot] = Structures(Snapshot)
        # The entries of the bitmap directory.
        self.bitmaps: Structures[Bitmap] = Structures(Bitmap)
        self.backing: Reference | None = None  # the backing file's name and format
        self.data_file: Reference | None = None  # the external data file's name
        # How far the stages have come through structures that repeat; the innermost last.
        self.turns: list[Turn] = []
        self.extension_types: set[int] = set()  # the types of header extension that were met
        self.slack = 0  # bytes of the first cluster that are not zero and belong to nothing
        # Where those bytes stand, and those after the last extension, or the last entry of the
        # bitmap directory, that are too few for another one.
        self.leftovers: list[Leftover] = []
        # Entries of the snapshot table and the bitmap directory whose broken rule stops the walk:
        # what follows them has no known place.
        self.unfit: list[Part[Any]] = []
        # The LUKS headers that the extensions point at, by their offset.
        self.luks_headers: dict[int, Part[Luks1.Header]] = {}
        # Bytes of all bitmap tables that are up to date, each counted once.
        self.bitmap_tables_length = 0
        # Bytes of L2 tables that are read at most, to judge the entries of all tables; 0 where
        # entries are not judged.
        self.entries = entries
        # Whether some L2 tables were not read all the same: they are more than that, or a stream
        # has passed them.
        self.entries_left = False
        # Host offset where the last structure or cluster ends that lies past the end of the file,
        # as far as that was looked at; 0 where none does.
        self.reach = 0
        # Whether features that are not known are passed over, so that all is read that the known
        # fields locate.
        self.salvage = salvage

    @property
    def turn(self) -> Turn:
        """How far the running stage has come through structures that repeat."""
        return self.turns[-1]

    @turn.setter
    def turn(self, turn: Turn) -> None:
        self.turns[-1] = turn

    @contextmanager
    def at(self, turn: Turn) -> Iterator[None]:
        """Set `turn` for the time of the context."""
        self.turns.append(turn)
        try:
            yield
        finally:
            self.turns.pop()

    def holds(self, offset: int, length: int) -> bool:
        """Whether the file has all of the bytes [offset, offset + length); of a stream: True."""
        return self.length is None or length <= 0 or offset + length <= self.length

    @property
    def version(self) -> int | None:
        """The header's version."""
        return None if self.header is None else self.header.version

    @property
    def qcow2_header(self) -> Qcow2.Header:
        """The header, in the stages that only v2 and v3 have."""
        return cast("Qcow2.Header", self.header)

    def reaches(self, end: int) -> None:
        """Note where a structure or a cluster ends, in bytes."""
        if self.length is not None and end > self.length:
            self.reach = max(self.reach, end)

    def present(self, offset: int, length: int) -> int:
        """How many of the bytes [offset, offset + length) stand in the file."""
        if self.length is None:
            return length
        return max(0, min(length, self.length - offset))
