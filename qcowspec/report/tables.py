"""The tables of an image as nodes: a line of figures each, and every entry on demand.

In: an opened image and how much of it to read. Out: `Node`s whose `rows` are made when asked for.
Refuses: to read more than a dump needs, unless the whole is asked for: the tables of a large image
are larger than most images; and to follow an unaligned pointer, which QEMU does not follow either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from qcow_parsers import constants as c

from qcowspec.image import Image
from qcowspec.report import entries
from qcowspec.report.nodes import Node, Row
from qcowspec.report.words import plural, size
from qcowspec.spec import decoding
from qcowspec.spec.metadata import Format, Table
from qcowspec.spec.units import BITS_PER_BYTE, MAX_L1_ENTRIES, HostOffset

TABLES_SHOWN = 32
"""L2 tables, or refcount blocks, that a dump summarises when the whole is not asked for."""

BYTES_READ = 512 << 10
"""Bytes of them that it reads for that."""

Pointer = tuple[int, int]
"""Index of an entry in a table, and the host offset that it points at."""

WORD = 64
"""Bits of an entry of most tables."""


def active(image: Image, *, whole: bool) -> Iterator[Node]:
    """The active L1 table and the L2 tables that it points at."""
    if image.l1_table is not None:
        yield _l1(image, image.l1_table)
        pointers = _l2_pointers(image, image.l1_table)
        yield from _l2_tables(image, "l2_tables", pointers, whole=whole)


def refcounts(image: Image, *, whole: bool) -> Iterator[Node]:
    """The refcount table and the refcount blocks that it points at."""
    table = image.refcount_table
    if table is None:
        return
    geometry = image.geometry
    yield _table(table, "qcow2::refcount_table", entries.refcount_table(geometry))
    offsets = [decoding.refcount_block_offset(entry) for entry in table.values()]

    def block(name: str, index: int, offset: int) -> Node:
        data = image.source.read_at(offset, geometry.cluster_size)
        counts = decoding.refcounts(
            data.ljust(geometry.cluster_size, b"\0"), geometry.refcount_order
        )
        kinds = Counter(counts)
        return Node(
            name,
            offset,
            geometry.cluster_size,
            layout="qcow2::refcount_block",
            summary={"entries": len(counts), "used": len(counts) - kinds[0]},
            meaning=entries.refcount_words(kinds),
            rows=lambda: rows(
                counts, offset, geometry.refcount_bits, entries.refcounts(geometry, index)
            ),
        )

    pointers = _pointers(offsets)
    yield from _each(image, "refcount_blocks", pointers, geometry.cluster_size, block, whole=whole)


def snapshot_tables(image: Image, index: int, *, whole: bool, seen: set[int]) -> Iterator[Node]:
    """A snapshot's L1 table and, with `whole`, the L2 tables that were not `seen` before."""
    snapshot = image.snapshots[index]
    count = min(snapshot.l1_size, MAX_L1_ENTRIES)
    offset = HostOffset(snapshot.l1_table_offset)
    data = image.source.read_at(offset, count * c.L1E_SIZE)
    table = Table(f"snapshots[{index}].l1_table", offset, count, data)
    yield _l1(image, table)
    if whole:
        pointers = [pointer for pointer in _l2_pointers(image, table) if pointer[1] not in seen]
        seen.update(offset for _, offset in pointers)
        yield from _l2_tables(image, f"snapshots[{index}].l2_tables", pointers, whole=True)


def active_l2_offsets(image: Image) -> set[int]:
    """Where the L2 tables of the active L1 table lie."""
    table = image.l1_table
    return set() if table is None else {offset for _, offset in _l2_pointers(image, table)}


def bitmap_table(image: Image, index: int) -> Node:
    """The table of a bitmap."""
    bitmap = image.bitmaps[index]
    count = min(bitmap.bitmap_table_size, c.BME_MAX_PHYS_SIZE // image.geometry.cluster_size)
    offset = HostOffset(bitmap.bitmap_table_offset)
    data = image.source.read_at(offset, count * c.BME_TABLE_ENTRY_SIZE)
    table = Table(f"bitmaps[{index}].bitmap_table", offset, count, data)
    return _table(table, "qcow2::bitmap_table", entries.bitmap_table(image.geometry))


def _l1(image: Image, table: Table) -> Node:
    if image.format is Format.QCOW:
        return _table(table, "qcow1::l1_table", entries.v1_l1(image.geometry))
    return _table(table, "qcow2::l1_table", entries.l1(image.geometry))


def _table(table: Table, layout: str, describe: entries.Describe) -> Node:
    """A table of 64-bit entries; those past the end of the file are zero, and shown as one row."""
    values = table.values()
    used = len(values) - values.count(0)
    return Node(
        table.name,
        table.offset,
        table.length,
        layout=layout,
        summary={"entries": table.count, "used": used},
        meaning=f"{plural(table.count, 'entry')}, {used:,} in use",
        rows=lambda: rows(values, table.offset, WORD, describe, total=table.count),
    )


def _l2_pointers(image: Image, table: Table) -> list[Pointer]:
    """The L2 tables that an L1 table points at."""
    if image.format is Format.QCOW:
        return _pointers(table.values())
    return _pointers([decoding.l1_offset(entry) for entry in table.values()])


def _pointers(offsets: Sequence[int]) -> list[Pointer]:
    """The offsets that point anywhere, each once, with the index of its first entry."""
    found: dict[int, int] = {}
    for index, offset in enumerate(offsets):
        if offset:
            found.setdefault(offset, index)
    return [(index, offset) for offset, index in found.items()]


def _l2_tables(
    image: Image, name: str, pointers: Sequence[Pointer], *, whole: bool
) -> Iterator[Node]:
    geometry, v1 = image.geometry, image.format is Format.QCOW
    length, entry_bits = geometry.l2_table_size, geometry.l2_entry_size * BITS_PER_BYTE

    def table(name: str, index: int, offset: int) -> Node:
        values = _l2_values(image, offset)
        kinds = Counter(_kind(image, value) for value in values if value)
        kinds[entries.Kind.QCOW2_CLUSTER_UNALLOCATED] += values.count(0)
        if v1:
            describe = entries.v1_l2(geometry, index)
        else:
            describe = entries.l2(geometry, index, data_file=image.has_data_file)
        return Node(
            name,
            offset,
            length,
            layout="qcow1::l2_table" if v1 else "qcow2::l2_table",
            summary={"entries": len(values)}
            | {entries.kind_name(kind): kinds[kind] for kind in entries.KIND_WORDS},
            meaning=entries.kind_words(kinds),
            rows=lambda: rows(values, offset, entry_bits, describe),
        )

    yield from _each(image, name, pointers, length, table, whole=whole)


def _l2_values(image: Image, offset: int) -> Sequence[int]:
    """The entries of an L2 table; zeros past the end of the file; 128-bit ones where extended."""
    length = image.geometry.l2_table_size
    data = image.source.read_at(offset, length).ljust(length, b"\0")
    words = Table("l2_table", HostOffset(offset), length // Table.ENTRY_SIZE, data).values()
    if not image.geometry.has_extended_l2:
        return words
    halves = zip(words[::2], words[1::2], strict=True)
    return tuple(entry << entries.L2_ENTRY_BITS | bitmap for entry, bitmap in halves)


def _kind(image: Image, value: int) -> entries.Kind:
    if image.format is Format.QCOW:
        return decoding.v1_l2_type(value)
    if image.geometry.has_extended_l2:
        value >>= entries.L2_ENTRY_BITS
    return decoding.l2_type(value, image.geometry, data_file=image.has_data_file)


def _each(
    image: Image,
    name: str,
    pointers: Sequence[Pointer],
    length: int,
    node: Callable[[str, int, int], Node],
    *,
    whole: bool,
) -> Iterator[Node]:
    """A node for each table of one length that others point at, within the bounds of a dump."""
    shown = len(pointers) if whole else min(TABLES_SHOWN, BYTES_READ // length, len(pointers))
    for index, offset in pointers[:shown]:
        label = f"{name}[{index}]"
        if image.format is Format.QCOW2 and offset % image.geometry.cluster_size:
            yield Node(label, offset, 0, meaning="unaligned: not read")
        elif image.metadata.present(offset, 1) == 0:
            yield Node(label, offset, 0, meaning="past the end of the file: zeros")
        else:
            yield node(label, index, offset)
    if left := len(pointers) - shown:
        words = f"{plural(left, 'table')} more of {size(length)}: not read; --tables reads them"
        yield Node(f"{name}[…]", pointers[shown][1], 0, meaning=words, summary={"left_out": left})


def rows(
    values: Sequence[int],
    offset: int,
    bits: int,
    describe: entries.Describe,
    *,
    total: int | None = None,
) -> Iterator[Row]:
    """The entries of a table, runs of equal ones as one row.

    Args:
        values: The entries.
        offset: Where the first starts in the image file, in bytes.
        bits: Width of an entry.
        describe: What an entry says.
        total: How many entries the table has; those after `values` are zero.
    """
    total = len(values) if total is None else total
    start = 0
    while start < total:
        value = values[start] if start < len(values) else 0
        end = _run_end(values, start, value)
        if end == len(values) and value == 0:
            end = total
        fields, meaning = describe(start, value)
        at = offset + start * bits // BITS_PER_BYTE
        yield Row(start, end - start, at, value, bits, fields, meaning)
        start = end


def _run_end(values: Sequence[int], start: int, value: int) -> int:
    """Where the run of entries equal to `value` ends."""
    end = start
    while end < len(values) and values[end] == value:
        end += 1
    return end
