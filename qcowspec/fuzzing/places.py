"""Finds the fields, tables and structures of an image, for mutations and patches.

In: the bytes of an image, sound or broken. Out: `Place`s, by the paths that a dump shows, such as
``header.cluster_bits``, ``l1_table[0]`` or ``snapshots[0].extra_data.disk_size``. Refuses: a path
that the image does not have, as `Unfit`.

A header extension is also found by its type: ``header_extensions[bitmaps].len``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from qcow_parsers import constants as c

from qcowspec.errors import QcowError
from qcowspec.reader.drivers import drive
from qcowspec.reader.machine import Machine
from qcowspec.sources.memory import Memory
from qcowspec.spec import decoding
from qcowspec.spec.metadata import Format, Metadata, Structures
from qcowspec.spec.structures import Field, Part, lay_open
from qcowspec.spec.units import BITS_PER_BYTE, align_up

WIDTHS = (1, 2, 4, 8)
"""Bytes of the numbers that can be set."""

FOLLOWED = ("l2_tables", "refcount_blocks")
TABLES = 8
"""L2 tables and refcount blocks whose entries are listed, at most."""

STRUCTURES = 64
"""Extensions, snapshots and bitmaps that are listed, at most of each."""

LOOKED_AT = 65536
"""Bytes of a table that are searched for entries."""

ENTRIES = 32
"""Entries of a table that are listed, at most: those that are not zero, and the first."""


class Unfit(ValueError):
    """The image lacks what a mutation, a patch or a request needs."""


@dataclass(frozen=True, slots=True)
class Place:
    """A field, a table entry or a whole structure in an image.

    Attributes:
        path: Its path, as a dump shows it.
        offset: Offset in the image file, in bytes.
        length: Length in bytes.
        value: A number, or bytes; None for a whole structure.
    """

    path: str
    offset: int
    length: int
    value: int | bytes | None = None

    @property
    def is_number(self) -> bool:
        """Whether it is a number of whole bytes."""
        return isinstance(self.value, int) and self.length in WIDTHS


class Places:
    """The fields, tables and structures of one image, which is read when they are asked for."""

    def __init__(self, data: bytes | bytearray, format: str | None = None) -> None:
        self.data = bytes(data)
        self._format = None if format is None else Format(format)

    @cached_property
    def image(self) -> Metadata:
        """The metadata, as far as they can be read."""
        machine = Machine(lambda state, judge: False, format=self._format, length=len(self.data))
        with suppress(QcowError):  # what was read before the error is kept
            drive(machine, Memory(self.data))
        return machine.image

    @property
    def cluster_size(self) -> int:
        """Bytes of a cluster.

        Raises:
            Unfit: The image has no header, or no valid cluster size.
        """
        if self.image.geometry is None:
            raise Unfit("the image has no sound geometry")
        return self.image.geometry.cluster_size

    @property
    def version(self) -> int | None:
        """The version in the header."""
        return self.image.version

    @property
    def end(self) -> int:
        """The first cluster boundary at or after the end of the file."""
        return align_up(len(self.data), self.cluster_size)

    def extension_area(self) -> int:
        """The offset of the header extensions.

        Raises:
            Unfit: The image has none, or they cannot be located.
        """
        header = self.image.header
        if header is None or self.image.format is not Format.QCOW2:
            raise Unfit("the image has no header extensions")
        start: int = self.image.qcow2_header.effective_header_length
        if not c.QCOW2_V2_HEADER_LENGTH <= start <= self.cluster_size:
            raise Unfit("the image's header length is none")
        return start

    def find(self, path: str) -> Place:
        """The place at a path.

        Raises:
            Unfit: There is none.
        """
        path = BY_TYPE.sub(self._by_type, path)
        found = self._table_entry(path) or self._within_structures(path)
        if found is None:
            raise Unfit(f"the image has no {path}")
        return found

    @cached_property
    def numbers(self) -> list[Place]:
        """Every number of every structure, and the entries of the tables."""
        return [place for place in (*self.fields, *self.entries) if place.is_number]

    @cached_property
    def fields(self) -> tuple[Place, ...]:
        """Every field of every structure, in the order of the structures."""
        return tuple(
            place
            for part in parts(self.image, STRUCTURES)
            for place in _placed(lay_open(part), "")
            if place.length
        )

    @cached_property
    def entries(self) -> tuple[Place, ...]:
        """Entries of the tables: those that are not zero, and the first of each, within bounds."""
        return tuple(self._entries())

    def tables(self) -> dict[str, tuple[int, int, int]]:
        """The tables: offset, number of entries and bytes of an entry, by path."""
        return dict(self._tables())

    # --- structures -------------------------------------------------------------------------------

    def _by_type(self, match: re.Match[str]) -> str:
        magics = {extension.id: extension.magic for extension in c.EXTENSIONS}
        magic = magics.get(match[1])
        kept = range(len(self.image.extensions))
        found = [i for i in kept if int(self.image.extensions[i].magic) == magic]
        if not found:
            raise Unfit(f"the image has no {match[1]} extension")
        return f"header_extensions[{found[-1]}]"  # the one that QEMU uses

    def _within_structures(self, path: str) -> Place | None:
        backing = self.image.backing
        if backing is not None and path == "backing_file_name":
            return Place(path, backing.offset, backing.length, backing.name)
        part = self._part(path)
        if part is not None:
            for place in _placed(lay_open(part), "", whole=True):
                if place.path == path:
                    return place
        return None

    def _part(self, path: str) -> Part[Any] | None:
        """The structure that a path leads into."""
        name, _, rest = path.partition(".")[0].partition("[")
        alone = {"header": self.image.header_part, "luks_header": self.image.luks_part}
        index, listed = rest.removesuffix("]"), _lists(self.image).get(name)
        if listed is None or not index.isdecimal() or int(index) >= len(listed):
            return alone.get(name)
        return listed.part(int(index))

    # --- tables -----------------------------------------------------------------------------------

    def _tables(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        image, geometry = self.image, self.image.geometry
        for table in (image.l1_table, image.refcount_table):
            if table is not None:
                yield table.name, (table.offset, table.count, c.L1E_SIZE)
        for index, snapshot in enumerate(islice(image.snapshots, STRUCTURES)):
            place = (snapshot.l1_table_offset, snapshot.l1_size, c.L1E_SIZE)
            yield f"snapshots[{index}].l1_table", place
        for index, bitmap in enumerate(islice(image.bitmaps, STRUCTURES)):
            size = (bitmap.bitmap_table_offset, bitmap.bitmap_table_size, c.BME_TABLE_ENTRY_SIZE)
            yield f"bitmaps[{index}].bitmap_table", size
        if geometry is None:
            return
        entries = 1 << geometry.l2_bits
        for index, offset in self._pointers("l1_table"):
            yield f"l2_tables[{index}]", (offset, entries, geometry.l2_entry_size)
        width = geometry.refcount_bits // BITS_PER_BYTE
        if width:  # narrower refcounts have less than a byte
            for index, offset in self._pointers("refcount_table"):
                yield (
                    f"refcount_blocks[{index}]",
                    (offset, geometry.refcount_block_entries, width),
                )

    def _pointers(self, table: str) -> list[tuple[int, int]]:
        """Where a table's entries point, by their index; each offset once."""
        kept = self.image.l1_table if table == "l1_table" else self.image.refcount_table
        if kept is None:
            return []
        if self.image.format is Format.QCOW:
            offsets = list(kept.values())
        elif table == "l1_table":
            offsets = [decoding.l1_offset(entry) for entry in kept.values()]
        else:
            offsets = [decoding.refcount_block_offset(entry) for entry in kept.values()]
        found: dict[int, int] = {}
        for index, offset in enumerate(offsets):
            if 0 < offset < len(self.data):
                found.setdefault(offset, index)
        return [(index, offset) for offset, index in found.items()]

    def _table_entry(self, path: str) -> Place | None:
        match = ENTRY.fullmatch(path)
        if match is None or match[1] not in (tables := self.tables()):
            return None
        offset, count, width = tables[match[1]]
        index = int(match[2])
        return self._entry(match[1], offset, index, width) if index < count else None

    def _entry(self, table: str, offset: int, index: int, width: int) -> Place:
        at = offset + index * width
        raw = self.data[at : at + width].ljust(width, b"\0")
        return Place(f"{table}[{index}]", at, width, int.from_bytes(raw, "big"))

    def _entries(self) -> Iterator[Place]:
        followed = 0
        for name, (offset, count, width) in self._tables():
            followed += name.startswith(FOLLOWED)
            if followed <= TABLES or not name.startswith(FOLLOWED):
                raw = self.data[offset : offset + min(count * width, LOOKED_AT)]
                each = range(min(count, len(raw) // width))
                used = (i for i in each if i == 0 or any(raw[i * width : (i + 1) * width]))
                yield from (self._entry(name, offset, i, width) for i in islice(used, ENTRIES))


def parts(image: Metadata, most: int | None = None) -> Iterator[Part[Any]]:
    """The structures that were read, as bytes; of each list of structures the first `most`."""
    yield from (part for part in (image.header_part, image.luks_part) if part is not None)
    for structures in _lists(image).values():
        yield from islice(structures.parts, most)


def _lists(image: Metadata) -> dict[str, Structures[Any]]:
    return {
        "header_extensions": image.extensions,
        "snapshots": image.snapshots,
        "bitmaps": image.bitmaps,
    }


def _placed(field: Field, prefix: str, *, whole: bool = False) -> Iterator[Place]:
    """A field and those inside it, as places; those that have fields inside only with `whole`."""
    path = f"{prefix}{field.name}"
    if whole or not field.fields:
        yield Place(path, field.offset, field.length, field.value)
    for child in field.fields:
        yield from _placed(child, f"{path}.", whole=whole)


ENTRY = re.compile(r"(.+)\[([0-9]+)\]")
BY_TYPE = re.compile(r"header_extensions\[([a-z_]+)\]")
