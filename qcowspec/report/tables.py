"""The tables of an image as nodes: a line of figures each, and every entry on demand.

In: an opened image and how much of it to read. Out: `Node`s whose `rows` are made when asked for.
Refuses: to read more than a dump needs, unless the whole is asked for: the tables of a large image
are larger than most images; and to follow an unaligned pointer, which QEMU does not follow either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple

from qcow_parsers import constants as c

from qcowspec.image import Image
from qcowspec.reader.l1 import Seen
from qcowspec.reader.l1 import words as located
from qcowspec.report import entries
from qcowspec.report.nodes import Node, Row
from qcowspec.report.words import plural, size
from qcowspec.spec import decoding
from qcowspec.spec.entries import KINDS, Frame
from qcowspec.spec.metadata import Format, Table
from qcowspec.spec.units import BITS_PER_BYTE, MAX_L1_ENTRIES, HostOffset

TABLES_SHOWN = 32
"""L2 tables, or refcount blocks, that a dump summarises when the whole is not asked for."""

BYTES_READ = 512 << 10
"""Bytes of them that it reads for that."""


class Pointers(NamedTuple):
    """What a table's entries point at, in the order of the entries, each once.

    Attributes:
        total: How many there are.
        indices: Indices of the entries, of the first of them or of all.
        offsets: The host offsets that they point at.
    """

    total: int
    indices: Any
    offsets: Any


LARGE = 1 << 13
"""Entries of a table above which they are an array, which only a large one is worth waiting for."""

WORD = 64
"""Bits of an entry of most tables."""


def active(image: Image, *, whole: bool) -> Iterator[Node]:
    """The active L1 table and the L2 tables that it points at."""
    if image.l1_table is not None:
        yield _l1(image, image.l1_table)
        pointers = _pointers(image, image.l1_table, _l1_layout(image), whole=whole)
        yield from _l2_tables(image, "l2_tables", pointers, whole=whole)


def refcounts(image: Image, *, whole: bool) -> Iterator[Node]:
    """The refcount table and the refcount blocks that it points at."""
    table = image.refcount_table
    if table is None:
        return
    geometry = image.geometry
    yield _table(table, "qcow2::refcount_table", entries.refcount_table(geometry))

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

    pointers = _pointers(image, table, "qcow2::refcount_table_entry", whole=whole)
    yield from _each(image, "refcount_blocks", pointers, geometry.cluster_size, block, whole=whole)


def snapshot_tables(image: Image, index: int, *, whole: bool, seen: Seen) -> Iterator[Node]:
    """A snapshot's L1 table and, with `whole`, the L2 tables that were not `seen` before."""
    kept = image.snapshots.numbers
    count = min(kept["l1_size"][index], MAX_L1_ENTRIES)
    offset = HostOffset(kept["l1_table_offset"][index])
    data = image.source.read_at(offset, count * c.L1E_SIZE)
    table = Table(f"snapshots[{index}].l1_table", offset, count, data)
    yield _l1(image, table)
    if whole:
        pointers = _pointers(image, table, _l1_layout(image), whole=True, seen=seen)
        yield from _l2_tables(image, f"snapshots[{index}].l2_tables", pointers, whole=True)


def active_l2_tables(image: Image) -> Seen:
    """Where the L2 tables of the active L1 table lie."""
    seen = Seen()
    if image.l1_table is not None:
        _pointers(image, image.l1_table, _l1_layout(image), whole=True, seen=seen)
    return seen


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
    values = _values(table)
    used = _count_used(values)
    return Node(
        table.name,
        table.offset,
        table.length,
        layout=layout,
        summary={"entries": table.count, "used": used},
        meaning=f"{plural(table.count, 'entry')}, {used:,} in use",
        rows=lambda: rows(values, table.offset, WORD, describe, total=table.count),
    )


def _values(table: Table) -> Any:
    """The entries that stand in the file; those of a large table as an array."""
    if len(table.data) <= LARGE * Table.ENTRY_SIZE:
        return table.values()
    import numpy as np

    whole = -(-len(table.data) // Table.ENTRY_SIZE) * Table.ENTRY_SIZE
    padded = table.data if len(table.data) == whole else table.data.ljust(whole, b"\0")
    return np.frombuffer(padded, ">u8")


def _count_used(values: Any) -> int:
    if isinstance(values, tuple):
        return len(values) - values.count(0)
    import numpy as np

    return int(np.count_nonzero(values))


def _l1_layout(image: Image) -> str:
    return f"{'qcow1' if image.format is Format.QCOW else 'qcow2'}::l1_entry"


def _pointers(
    image: Image, table: Table, layout: str, *, whole: bool, seen: Seen | None = None
) -> Pointers:
    """What a table's entries point at; the first of them only, unless the whole is asked for.

    Args:
        image: The image.
        table: The table.
        layout: The layout of its entries.
        whole: Whether all are read.
        seen: What earlier tables point at, which is left out, and added to.
    """
    frame, most = Frame(image.geometry), None if whole else TABLES_SHOWN + 1
    values = _values(table)
    if isinstance(values, tuple):
        each = [KINDS[layout](entry, frame).offset for entry in values]
        used = [index for index, offset in enumerate(each) if offset]
        new = Seen() if seen is None else seen
        indices = sorted(new.new([each[index] for index in used], used)[1])
        return Pointers(len(indices), indices[:most], [each[index] for index in indices[:most]])
    import numpy as np

    # A part of the offsets at a time: sorting takes some times the memory of what is sorted.
    parts, is_first = -(-len(values) // PART), np.zeros(len(values), bool)
    for part in range(parts):
        found = list[Any]()
        for words, at in located(table.data):
            offsets = KINDS[layout](words, frame).offset
            kept = (offsets != 0) & ((offsets * MIXED >> np.uint64(32)) % parts == part)
            found.append((offsets[kept], at[kept]))
        new = Seen() if seen is None else seen
        if found:
            is_first[new.new(*map(np.concatenate, zip(*found, strict=True)))[1]] = True
    chosen, left = list[Any](), len(values) if most is None else most
    for start in range(0, len(values), PART):
        if left > 0:
            chosen.append(start + is_first[start : start + PART].nonzero()[0][:left])
            left -= len(chosen[-1])
    numbers = np.concatenate(chosen)
    offsets = KINDS[layout](values[numbers].astype(np.uint64), frame).offset
    return Pointers(int(np.count_nonzero(is_first)), numbers, offsets)


PART = 1 << 18
"""Entries of a large table of which it is found out together which are the first of their kind."""

MIXED = 0x9E3779B97F4A7C15
"""An odd factor, which spreads offsets over the parts."""


def _l2_tables(image: Image, name: str, pointers: Pointers, *, whole: bool) -> Iterator[Node]:
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
    pointers: Pointers,
    length: int,
    node: Callable[[str, int, int], Node],
    *,
    whole: bool,
) -> Iterator[Node]:
    """A node for each table of one length that others point at, within the bounds of a dump."""
    count, indices, offsets = pointers
    shown = count if whole else min(TABLES_SHOWN, BYTES_READ // length, count)
    for at in range(shown):
        index, offset = int(indices[at]), int(offsets[at])
        label = f"{name}[{index}]"
        if image.format is Format.QCOW2 and offset % image.geometry.cluster_size:
            yield Node(label, offset, 0, meaning="unaligned: not read")
        elif image.metadata.present(offset, 1) == 0:
            yield Node(label, offset, 0, meaning="past the end of the file: zeros")
        else:
            yield node(label, index, offset)
    if left := count - shown:
        words = f"{plural(left, 'table')} more of {size(length)}: not read; --tables reads them"
        yield Node(f"{name}[…]", int(offsets[shown]), 0, meaning=words, summary={"left_out": left})


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
    total, held = len(values) if total is None else total, 0
    for start, end, value in chain(_runs(values), [(len(values), total, 0)]):
        if end == len(values) < total and value == 0:  # the zeros after them belong to it
            held = end - start
            continue
        if start - held == end:
            continue
        fields, meaning = describe(start - held, value)
        at = offset + (start - held) * bits // BITS_PER_BYTE
        yield Row(start - held, end - start + held, at, value, bits, fields, meaning)


def _runs(values: Any) -> Iterator[tuple[int, int, int]]:
    """Runs of equal entries: where each starts and ends, and what the entries are."""
    start, count = 0, len(values)
    for first in range(0, count, TOGETHER):
        some = values[first : first + TOGETHER + 1]
        for at in _changes(some):
            yield start, first + at, int(values[start])
            start = first + at
    if count:
        yield start, count, int(values[start])


TOGETHER = 1 << 16
"""Entries of a table that are compared together."""


def _changes(values: Any) -> Iterable[int]:
    """Where an entry stands that is not equal to the one before it."""
    if isinstance(values, tuple):
        return (at for at, (one, other) in enumerate(pairwise(values), 1) if one != other)
    found: list[int] = ((values[1:] != values[:-1]).nonzero()[0] + 1).tolist()
    return found
