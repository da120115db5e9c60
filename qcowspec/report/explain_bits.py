"""What the bits of one byte are: flags and fields of a table's entry, feature bits, other flags.

In: a field or an entry, and which of its bits the byte is. Out: plain data, from the highest bit
down. Refuses: nothing; of other numbers, whose bits have no names, it has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qcowspec.image import Image
from qcowspec.report.explain_structures import WORD, Inside
from qcowspec.report.meaning import bit_names
from qcowspec.report.nodes import Node, Row
from qcowspec.spec import decoding
from qcowspec.spec.units import BITS_PER_BYTE

Plain = dict[str, Any]


def span(start: int, length: int, offset: int) -> list[int]:
    """The highest and the lowest bit that a byte is of a big-endian number."""
    low = (start + length - 1 - offset) * BITS_PER_BYTE
    return [low + BITS_PER_BYTE - 1, low]


def of_field(image: Image, parent: Node, field: Node, offset: int) -> list[Plain]:
    """The flags of a byte that have a name or are set."""
    value = field.value
    if parent.layout is None or not isinstance(value, int):
        return []
    high, low = span(field.offset, field.length, offset)
    bits = range(high, low - 1, -1)
    names = bit_names(parent.layout, field.name, bits, image.metadata)
    return [
        {"name": name or "unknown", "bits": [bit, bit], "value": value >> bit & 1}
        for bit, name in names.items()
        if name or value >> bit & 1
    ]


def of_entry(image: Image, inside: Inside, row: Row, offset: int) -> list[Plain]:
    """The fields of an entry that have bits of a byte, each with its bits in that byte."""
    table = inside.table
    if table is None or table.layout not in decoding.FIELDS:
        return []
    high, low = span(row.offset, row.bits // BITS_PER_BYTE, offset)
    value, second = row.value, row.bits > WORD and high < WORD
    if second:
        masks = dict(decoding.SUBCLUSTERS)
    else:
        shift = row.bits - WORD
        high, low, value = high - shift, low - shift, value >> shift
        masks = decoding.parts(table.layout, value, image.geometry.cluster_bits)
    return list(_parts(masks, value, high, low, 0 if second else row.bits - WORD))


def _parts(masks: dict[str, int], value: int, high: int, low: int, shift: int) -> Iterator[Plain]:
    """The runs of bits of one field each, from the highest bit down."""
    names = [_name(masks, bit) for bit in range(high, low - 1, -1)]
    top = high
    for bit in range(high, low - 1, -1):
        if bit > low and names[high - bit + 1] == names[high - bit]:
            continue
        own = value >> bit & ((1 << (top - bit + 1)) - 1)
        yield {"name": names[high - bit], "bits": [top + shift, bit + shift], "value": own}
        top = bit - 1


def _name(masks: dict[str, int], bit: int) -> str:
    return next((name for name, mask in masks.items() if mask >> bit & 1), "reserved")
