"""Tables as a dump shows them: rows of equal entries, by bytes or by field.

In: the rows of a table, whose fields have the names of a dump. Out: the entries' bytes. Refuses: an
unknown field, a value that does not fit its bits, rows that extend past the end of any file.

Where a row has both `fields` and `raw`, and they differ, `fields` count; bits that belong to no
field are left as `raw` has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from qcow_parsers import constants as c

from qcowspec.build import wording
from qcowspec.build.host import LARGEST
from qcowspec.build.pieces import FILE_END, Chunk, Piece
from qcowspec.build.wording import Plain, wrong
from qcowspec.spec import decoding
from qcowspec.spec.decoding import FULL
from qcowspec.spec.units import BITS_PER_BYTE

WORD = 64
"""Bits of the entries of most tables, and of half an extended L2 entry."""


FOLLOWS = ("guest_offset", "host_offset")
"""Fields of a dump that follow from an entry's index."""

ROW_KEYS = ("index", "count", "offset", "raw", "value", "fields", "meaning")


@dataclass(frozen=True, slots=True)
class Bits:
    """A field of an entry.

    Attributes:
        get: Its value in an entry.
        set: An entry with another value; None if the value does not fit.
    """

    get: Callable[[int], int]
    set: Callable[[int, int], int | None]


Fields = dict[str, Bits]


def table(node: Plain, path: str, cluster_bits: int | None) -> Piece:
    """A table of a dump.

    Args:
        node: The table: ``offset``, ``layout``, ``entries``; ``length`` and ``summary`` say how
            long it is, and ``bits`` how wide its entries are, where that does not follow.
        path: Its name.
        cluster_bits: As in the header, which compressed entries need.

    Raises:
        Invalid: It is not a table.
    """
    offset = wording.number(node.get("offset"), f"{path}.offset", FILE_END)
    length = wording.number(node.get("length", 0), f"{path}.length", FILE_END)
    bits = _width(node, path, length)
    fields = _fields(str(node.get("layout", "")), bits, cluster_bits)
    chunks: list[Chunk] = []
    narrow = bytearray()
    total, moved = 0, None
    for item, at in wording.items(node["entries"], f"{path}.entries"):
        row = wording.mapping(item, at, ROW_KEYS)
        index = wording.number(row.get("index"), f"{at}.index")
        count = wording.number(row.get("count", 1), f"{at}.count")
        end = (index + count) * bits // BITS_PER_BYTE
        if end > FILE_END:
            raise wrong(at, "these entries would stand past the end of every file")
        moved = _place(row, at, index * bits // BITS_PER_BYTE, moved)
        length = max(length, end)
        value = _entry(row, at, fields, bits)
        if not value or not count:
            continue
        total += count * bits // BITS_PER_BYTE
        if total > LARGEST or (bits < BITS_PER_BYTE and end > LARGEST):
            raise wrong(at, f"from here on the table has more than {LARGEST} bytes")
        if bits < BITS_PER_BYTE:
            _put(narrow, index, count, value, bits)
        else:
            data = value.to_bytes(bits // BITS_PER_BYTE, "big") * count
            chunks.append((index * bits // BITS_PER_BYTE, data))
    if narrow:
        chunks.append((0, bytes(narrow)))
        length = max(length, len(narrow))
    return Piece(offset, length, _in_order(chunks, path))


def _in_order(chunks: list[Chunk], path: str) -> list[Chunk]:
    """Chunks in order; two rows about the same entry are refused."""
    chunks.sort(key=lambda chunk: chunk[0])
    end = 0
    for offset, data in chunks:
        if offset < end:
            raise wrong(f"{path}.entries", "two rows say something of one entry")
        end = offset + len(data)
    return chunks


def _place(row: Plain, path: str, within: int, moved: int | None) -> int | None:
    """Where the table starts according to this row; all rows have to agree."""
    if "offset" not in row:
        return moved
    start = wording.number(row["offset"], f"{path}.offset") - within
    if moved not in (None, start):
        raise wrong(f"{path}.offset", "a row's place follows from its index, and this is another")
    return start


def _width(node: Plain, path: str, length: int) -> int:
    """Bits of an entry."""
    if "bits" in node:
        bits = wording.number(node["bits"], f"{path}.bits", 2 * WORD)
        if bits not in WIDTHS:
            raise wrong(f"{path}.bits", f"an entry has {', '.join(map(str, WIDTHS))} bits")
        return bits
    summary = wording.mapping(node.get("summary", {}), f"{path}.summary")
    entries = wording.number(summary.get("entries", 0), f"{path}.summary.entries")
    if entries and length and length * BITS_PER_BYTE // entries in WIDTHS:
        return length * BITS_PER_BYTE // entries
    if node.get("layout") == "qcow2::refcount_block":
        return 1 << c.QCOW2_V2_REFCOUNT_ORDER
    rows = node["entries"] if isinstance(node["entries"], list) else []
    raws = {len(str(row.get("raw", ""))) for row in rows if isinstance(row, Mapping)}
    return 2 * WORD if max(raws, default=0) * HEX_DIGIT_BITS > WORD else WORD


HEX_DIGIT_BITS = 4
WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128)


def _entry(row: Plain, path: str, fields: Fields, bits: int) -> int:
    """The number that stands in the table."""
    most = (1 << bits) - 1
    entry = 0
    if "raw" in row:
        entry = wording.number("0x" + wording.text(row["raw"], f"{path}.raw"), f"{path}.raw", most)
    elif "value" in row:
        entry = wording.number(row["value"], f"{path}.value", most)
    elif "fields" not in row:
        raise wrong(path, "a row says its entries by raw, value or fields")
    said = wording.mapping(row.get("fields", {}), f"{path}.fields")
    for name in sorted(said, key=_late):
        if name in FOLLOWS:
            continue
        at = f"{path}.fields.{name}"
        if name not in fields:
            raise wrong(at, f"such an entry has no such field; it has {', '.join(fields)}")
        value = wording.number(said[name], at)
        if fields[name].get(entry) != value:
            changed = fields[name].set(entry, value)
            if changed is None:
                raise wrong(at, f"{value:#x} does not fit the field's bits; say it by raw")
            entry = changed
    return entry


def _late(name: str) -> int:
    """A sort key: fields that depend on others are set after them."""
    return {"compressed": 0, "coffset": 1, "csize": 2}.get(name, 1)


# --- the fields of an entry -----------------------------------------------------------------------


def _fields(layout: str, bits: int, cluster_bits: int | None) -> Fields:
    """The fields of a table's entries, by the names of a dump."""
    masks = decoding.FIELDS.get(layout, {})
    fields = {name: _flag(m) if m & m - 1 == 0 else _masked(m) for name, m in masks.items()}
    match layout:
        case "qcow1::l2_table":
            return fields | _v1_compressed(cluster_bits)
        case "qcow2::l2_table":
            standard = fields | _compressed(cluster_bits)
            if bits == WORD:
                return standard
            upper = {name: _upper(each) for name, each in standard.items()}
            return upper | {"l2_bitmap": _masked(FULL)}
        case "qcow2::refcount_block":
            return {"refcount": _masked((1 << bits) - 1)}
    return fields


def _masked(mask: int) -> Bits:
    """A field whose bits have the same place in the value."""
    return Bits(
        lambda entry: entry & mask,
        lambda entry, value: None if value & ~mask else (entry & ~mask) | value,
    )


def _flag(mask: int) -> Bits:
    """One bit, written as 0 or 1."""

    def put(entry: int, value: int) -> int | None:
        if value > 1:
            return None
        return entry | mask if value else entry & ~mask

    return Bits(lambda entry: int(bool(entry & mask)), put)


def _upper(each: Bits) -> Bits:
    """A field of the standard half of an extended entry."""

    def put(entry: int, value: int) -> int | None:
        half = each.set(entry >> WORD, value)
        return None if half is None else half << WORD | entry & FULL

    return Bits(lambda entry: each.get(entry >> WORD), put)


def _compressed(cluster_bits: int | None) -> Fields:
    """Offset and length of a compressed cluster, versions 2 and 3."""
    if cluster_bits is None or not c.MIN_CLUSTER_BITS <= cluster_bits <= c.MAX_CLUSTER_BITS:
        return {}
    shift, sector = decoding.compressed_shift(cluster_bits), c.QCOW2_COMPRESSED_SECTOR_SIZE
    low = (1 << shift) - 1
    counted = decoding.compressed_descriptor(FULL) & ~low
    flag = decoding.FIELDS["qcow2::l2_table"]["compressed"]

    def put_offset(entry: int, value: int) -> int | None:
        return None if value & ~low else entry & ~low | value | flag

    def put_size(entry: int, value: int) -> int | None:
        offset = decoding.compressed_offset(entry, cluster_bits)
        more = (offset + max(value, 1) - 1) // sector - offset // sector
        bits = more << shift
        return None if bits & ~counted else entry & ~counted | bits | flag

    return {
        "coffset": Bits(lambda entry: decoding.compressed_offset(entry, cluster_bits), put_offset),
        "csize": Bits(lambda entry: decoding.compressed_length(entry, cluster_bits), put_size),
    }


def _v1_compressed(cluster_bits: int | None) -> Fields:
    """Offset and length of a compressed cluster, version 1."""
    if cluster_bits is None or not c.MIN_CLUSTER_BITS <= cluster_bits <= c.MAX_CLUSTER_BITS:
        return {}
    shift = decoding.v1_compressed_shift(cluster_bits)
    low, counted = (1 << shift) - 1, ((1 << cluster_bits) - 1) << shift
    flag = decoding.FIELDS["qcow1::l2_table"]["compressed"]

    def put_offset(entry: int, value: int) -> int | None:
        return None if value & ~low else entry & ~low | value | flag

    def put_size(entry: int, value: int) -> int | None:
        bits = value << shift
        return None if bits & ~counted else entry & ~counted | bits | flag

    return {
        "coffset": Bits(
            lambda entry: decoding.v1_compressed_offset(entry, cluster_bits), put_offset
        ),
        "csize": Bits(lambda entry: decoding.v1_compressed_length(entry, cluster_bits), put_size),
    }


# --- entries below a byte -------------------------------------------------------------------------


def _put(table: bytearray, index: int, count: int, value: int, bits: int) -> None:
    """Put equal entries into a table whose entries share bytes, the first in the lowest bits."""
    per_byte = BITS_PER_BYTE // bits
    end = index + count
    table.extend(bytes(max(0, -(-end // per_byte) - len(table))))
    whole_from, whole_to = -(-index // per_byte), end // per_byte
    for each in _edges(index, end, whole_from * per_byte, whole_to * per_byte):
        table[each // per_byte] |= value << (each % per_byte * bits)
    if whole_to > whole_from:
        pattern = sum(value << (slot * bits) for slot in range(per_byte))
        table[whole_from:whole_to] = bytes([pattern]) * (whole_to - whole_from)


def _edges(start: int, end: int, whole_from: int, whole_to: int) -> Iterator[int]:
    """The entries before and after the bytes that are filled whole."""
    if whole_from >= whole_to:
        yield from range(start, end)
        return
    yield from range(start, whole_from)
    yield from range(whole_to, end)
