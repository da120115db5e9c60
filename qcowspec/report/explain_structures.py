"""Which structures a byte of the image file lies in, from the outside in.

In: an opened image and a host offset. Out: `Inside`s, one for each structure or table that has the
byte, as a dump shows it; and from a dump's path to an offset. Refuses: a path that nothing has.

Only what has the byte is laid open, and of a table only the entry: an image of 1 TiB has sixteen
million of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from qcow_parsers import constants as c

from qcowspec.errors import COMPARED
from qcowspec.image import Image
from qcowspec.report import entries, tree
from qcowspec.report.nodes import Node, Row
from qcowspec.report.paths import UnknownPath, resolve, unknown
from qcowspec.report.words import plural
from qcowspec.sources.source import Source
from qcowspec.spec import decoding
from qcowspec.spec.metadata import Format, Metadata, Structures, Table
from qcowspec.spec.structures import Part
from qcowspec.spec.units import BITS_PER_BYTE, MAX_L1_ENTRIES, HostOffset

if TYPE_CHECKING:
    from qcow_parsers import Qcow2

NAMED = 16
"""Structures of one byte that are shown at most: those of hostile images lie on each other."""

L1_READ = 64 << 20
"""Bytes of snapshots' L1 tables that are read at most."""

TABLES = 1 << 10
"""Snapshots, and bitmaps, whose tables are looked at, at most of each."""


Cuts = dict[str, str]
"""What a bound left out: by the bound's name, a sentence."""


@dataclass(frozen=True, slots=True)
class Span:
    """A table's place: enough to describe one entry.

    Attributes:
        path: Its path, as a dump shows it.
        layout: The specification's name of its layout.
        offset: Where it starts in the image file, in bytes.
        count: Its entries.
        bits: Width of an entry.
        describe: What an entry says.
    """

    path: str
    layout: str
    offset: int
    count: int
    bits: int
    describe: entries.Describe

    @property
    def length(self) -> int:
        """Its bytes."""
        return self.count * self.bits // BITS_PER_BYTE

    def has(self, offset: int) -> bool:
        """Whether a byte of the file is one of its own."""
        return self.offset <= offset < self.offset + self.length

    def at(self, index: int) -> int:
        """Host offset of the first byte of an entry."""
        return self.offset + index * self.bits // BITS_PER_BYTE

    def row(self, source: Source, index: int) -> Row:
        """One entry; what lies past the end of the file is zeros."""
        width = max(1, self.bits // BITS_PER_BYTE)
        raw = source.read_at(self.at(index), width).ljust(width, b"\0")
        value = int.from_bytes(raw, "big")
        if self.bits < BITS_PER_BYTE:
            order = self.bits.bit_length() - 1
            value = decoding.refcounts(raw, order)[index % (BITS_PER_BYTE // self.bits)]
        fields, meaning = self.describe(index, value)
        return Row(index, 1, self.at(index), value, self.bits, fields, meaning)

    def rows_of(self, source: Source, offset: int) -> list[Row]:
        """The entries that have a byte: more than one where refcounts are narrower than it."""
        first = (offset - self.offset) * BITS_PER_BYTE // self.bits
        return [self.row(source, first + i) for i in range(max(1, BITS_PER_BYTE // self.bits))]


@dataclass(frozen=True, slots=True)
class Inside:
    """One structure that has a byte.

    Attributes:
        levels: The structure, and its field, and the field's field, and so on.
        table: The table, where it is one.
        rows: The entries that have the byte.
        part: The structure as bytes, where it is no table.
    """

    levels: list[Node]
    table: Span | None = None
    rows: tuple[Row, ...] = ()
    part: Part[Any] | None = None

    @property
    def path(self) -> str:
        """The path of the innermost field, or of the first entry."""
        if self.rows:
            return f"{self.levels[0].name}[{self.rows[0].index}]"
        return ".".join(level.name for level in self.levels)


def around(image: Image, offset: int, cuts: Cuts | None = None) -> list[Inside]:
    """The structures that have a byte, as the dump has them, in its order.

    Args:
        image: The image.
        offset: The byte's host offset.
        cuts: Where it is noted what a bound left out.
    """
    found = chain(_structures(image, offset), _tables(image, offset, cuts))
    shown = list(islice(found, NAMED))
    if cuts is not None and next(found, None) is not None:
        cuts["structures"] = (
            f"more than {NAMED} structures have this byte; the others are not shown"
        )
    return shown


# --- structures -----------------------------------------------------------------------------------


def _parts(image: Image, offset: int | None = None) -> Iterator[Part[Any]]:
    """The structures as bytes; of those that may be many, the ones that have a byte."""
    metadata = image.metadata
    if metadata.header_part is not None:
        yield metadata.header_part
    lists: tuple[Structures[Any], ...] = metadata.extensions, metadata.snapshots, metadata.bitmaps
    extensions, snapshots, bitmaps = (
        each.parts if offset is None else each.at(offset) for each in lists
    )
    yield from extensions
    yield from metadata.luks_headers.values()
    yield from snapshots
    yield from bitmaps
    yield from metadata.unfit


def _structures(image: Image, offset: int) -> Iterator[Inside]:
    for part in _parts(image, offset):
        if part.offset <= offset < part.offset + len(part.data):
            yield Inside(list(_levels(tree.structure(image, part), offset)), part=part)
    backing = image.metadata.backing
    if backing is not None and backing.offset <= offset < backing.offset + backing.length:
        yield Inside([tree.backing_file_name(image)])
    for leftover in image.metadata.leftovers:
        if leftover.offset <= offset < leftover.offset + leftover.length:
            yield Inside([tree.leftover(image, leftover)])


def _levels(node: Node, offset: int) -> Iterator[Node]:
    """A structure, and what has the byte in it, down to a value."""
    yield node
    for child in node.children:
        if child.offset <= offset < child.offset + child.length:
            yield from _levels(child, offset)
            return


# --- tables ---------------------------------------------------------------------------------------


def _tables(image: Image, offset: int, cuts: Cuts | None) -> Iterator[Inside]:
    if image.metadata.geometry is None:
        return
    for table in _near(image, offset, {} if cuts is None else cuts):
        if table.has(offset):
            count = plural(table.count, "entry")
            node = Node(table.path, table.offset, table.length, table.layout, meaning=count)
            yield Inside([node], table, tuple(table.rows_of(image.source, offset)))


def _near(image: Image, offset: int, cuts: Cuts) -> Iterator[Span]:
    """Tables that may have a byte."""
    for prefix, table in l1_tables(image, cuts):
        yield l1_span(image.metadata, table)
        yield from _l2_near(image, prefix, table, offset)
    if (blocks := image.refcount_table) is not None:
        yield refcount_span(image, blocks)
        size, places = image.geometry.cluster_size, blocks.array().astype(np.uint64)
        for index, at in _around(decoding.refcount_block_offset(places), offset, size):
            if at % size == 0:
                yield block_span(image, index, at)
    if (left := len(image.bitmaps) - TABLES) > 0:
        cuts["bitmaps"] = f"the tables of {plural(left, 'bitmap')} were not looked at"
    for index in range(min(len(image.bitmaps), TABLES)):
        yield bitmap_span(image, index)


def _l2_near(image: Image, prefix: str, table: Table, offset: int) -> Iterator[Span]:
    """The L2 tables of one L1 table that have a byte; QEMU follows no unaligned one."""
    geometry = image.geometry
    begun = -(-len(table.data) // table.ENTRY_SIZE) * table.ENTRY_SIZE
    words: Any = np.frombuffer(table.data.ljust(begun, b"\0"), ">u8").astype(np.uint64)
    v1 = image.format is Format.QCOW
    places = words if v1 else decoding.l1_offset(words)
    for index, at in _around(places, offset, geometry.l2_table_size):
        if v1 or at % geometry.cluster_size == 0:
            yield l2_span(image.metadata, prefix, index, at)


def _around(places: Any, offset: int, length: int) -> Iterator[tuple[int, int]]:
    """The first entry for each place from which `length` bytes have the offset."""
    low, high = np.uint64(max(1, offset - length + 1)), np.uint64(offset)
    seen: set[int] = set()
    for index in np.flatnonzero((places >= low) & (places <= high)).tolist():
        if (at := int(places[index])) not in seen:
            seen.add(at)
            yield index, at


def l1_tables(image: Image, cuts: Cuts) -> Iterator[tuple[str, Table]]:
    """The L1 tables, the active one first, each with what the paths of its L2 tables begin with."""
    if image.l1_table is not None:
        yield "", image.l1_table
    room = L1_READ
    for index, snapshot in enumerate(image.snapshots):
        room -= min(snapshot.l1_size, MAX_L1_ENTRIES) * c.L1E_SIZE
        if room < 0 or index == TABLES:
            left = plural(len(image.snapshots) - index, "snapshot")
            cuts["snapshots"] = f"the tables of {left} were not looked at"
            return
        yield f"snapshots[{index}].", _l1_of(image, index, snapshot)


def snapshot_l1(image: Image, index: int) -> Table:
    """The L1 table of a snapshot."""
    return _l1_of(image, index, image.snapshots[index])


def _l1_of(image: Image, index: int, snapshot: Qcow2.Snapshot) -> Table:
    count, at = min(snapshot.l1_size, MAX_L1_ENTRIES), HostOffset(snapshot.l1_table_offset)
    data = image.source.read_at(at, count * c.L1E_SIZE)
    return Table(f"snapshots[{index}].l1_table", at, count, data)


def l1_span(image: Metadata, table: Table) -> Span:
    """An L1 table."""
    geometry = image.geometry
    assert geometry is not None
    if image.format is Format.QCOW:
        layout, describe = "qcow1::l1_table", entries.v1_l1(geometry)
    else:
        layout, describe = "qcow2::l1_table", entries.l1(geometry)
    return Span(table.name, layout, table.offset, table.count, WORD, describe)


def l2_span(image: Metadata, prefix: str, index: int, offset: int) -> Span:
    """An L2 table, by the index of the L1 entry that locates it."""
    geometry = image.geometry
    assert geometry is not None
    if image.format is Format.QCOW:
        layout, describe = "qcow1::l2_table", entries.v1_l2(geometry, index)
    else:
        layout = "qcow2::l2_table"
        describe = entries.l2(geometry, index, data_file=bool(image.qcow2_header.has_data_file))
    path, bits = f"{prefix}l2_tables[{index}]", geometry.l2_entry_size * BITS_PER_BYTE
    return Span(path, layout, offset, 1 << geometry.l2_bits, bits, describe)


def refcount_span(image: Image, table: Table) -> Span:
    """The refcount table."""
    describe = entries.refcount_table(image.geometry)
    return Span(table.name, "qcow2::refcount_table", table.offset, table.count, WORD, describe)


def block_span(image: Image, index: int, offset: int) -> Span:
    """A refcount block, by the index of the entry that locates it."""
    geometry = image.geometry
    path, describe = f"refcount_blocks[{index}]", entries.refcounts(geometry, index)
    count, bits = geometry.refcount_block_entries, geometry.refcount_bits
    return Span(path, "qcow2::refcount_block", offset, count, bits, describe)


def bitmap_span(image: Image, index: int) -> Span:
    """The table of a bitmap."""
    bitmap = image.bitmaps[index]
    count = min(bitmap.bitmap_table_size, c.BME_MAX_PHYS_SIZE // image.geometry.cluster_size)
    path, at = f"bitmaps[{index}].bitmap_table", bitmap.bitmap_table_offset
    return Span(path, "qcow2::bitmap_table", at, count, WORD, entries.bitmap_table(image.geometry))


WORD = 64
"""Bits of an entry of most tables."""


# --- paths ----------------------------------------------------------------------------------------


def offset_of(image: Image, path: str) -> int:
    """Where the structure, field or entry that a path names starts in the image file, in bytes.

    Args:
        image: The image.
        path: As a dump shows it, such as ``header.cluster_bits`` or ``l2_tables[3][17]``.

    Raises:
        UnknownPath: Nothing has this path.
    """
    if match := TABLE.fullmatch(path):
        table, entry = _table(image, **match.groupdict()), match["entry"]
        if table is None:
            raise _unknown(image, path)
        if entry is not None and int(entry) >= table.count:
            has = plural(table.count, "entry")
            raise UnknownPath(f"the image has no {path!r}; that table has {has}")
        return table.offset if entry is None else table.at(int(entry))
    name = path.partition(".")[0]
    if name == tree.BACKING_FILE_NAME and image.metadata.backing is not None:
        return image.metadata.backing.offset
    for leftover in image.metadata.leftovers:
        if leftover.name == path:
            return leftover.offset
    nodes = (tree.structure(image, part) for part in _parts(image) if part.name == name)
    try:
        return resolve(nodes, path).offset
    except UnknownPath as error:
        if str(error).startswith("the image"):
            raise _unknown(image, path) from None
        raise


def _unknown(image: Image, path: str) -> UnknownPath:
    names = [part.name for part in islice(_parts(image), COMPARED)]
    return UnknownPath(unknown(path, [*names, "l1_table", "l2_tables[…]", "refcount_table"]))


TABLE = re.compile(
    r"(?:(?P<of>snapshots|bitmaps)\[(?P<number>[0-9]{1,20})\]\.)?"
    r"(?P<name>l1_table|refcount_table|bitmap_table"
    r"|(?:l2_tables|refcount_blocks)\[(?P<index>[0-9]{1,20})\])"
    r"(?:\[(?P<entry>[0-9]{1,20})\])?"
)


def _table(
    image: Image,
    of: str | None,
    number: str | None,
    name: str,
    index: str | None,
    entry: str | None,
) -> Span | None:
    """The table that the parts of a path name; None if the image has none."""
    if image.metadata.geometry is None:
        return None
    if of == "bitmaps":
        there = name == "bitmap_table" and int(number or 0) < len(image.bitmaps)
        return bitmap_span(image, int(number or 0)) if there else None
    table, prefix = image.l1_table, ""
    if of == "snapshots":
        if int(number or 0) >= len(image.snapshots):
            return None
        table, prefix = snapshot_l1(image, int(number or 0)), f"snapshots[{int(number or 0)}]."
    elif name.startswith("refcount"):
        table = image.refcount_table
    if table is None or name == "bitmap_table" or (prefix and name.startswith("refcount")):
        return None
    if index is None:
        return (
            refcount_span(image, table)
            if table is image.refcount_table
            else l1_span(image.metadata, table)
        )
    return _located(image, prefix, table, name, int(index))


def _located(image: Image, prefix: str, table: Table, name: str, index: int) -> Span | None:
    """The table that an entry of an L1 table, or of the refcount table, locates."""
    if index >= table.count:
        return None
    above = l1_span(image.metadata, table) if name.startswith("l2") else refcount_span(image, table)
    fields = above.row(image.source, index).fields
    offset = fields["l2_table_offset" if name.startswith("l2") else "refcount_block_offset"]
    if not offset:
        return None
    if name.startswith("l2"):
        return l2_span(image.metadata, prefix, index, offset)
    return block_span(image, index, offset)
