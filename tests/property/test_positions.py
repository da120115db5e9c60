"""The parsers that keep positions read what the lean ones read, and leave no byte unaccounted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kaitaistruct import KaitaiStruct

from qcowspec.fuzzing import strategies as qcow
from qcowspec.fuzzing.strategies import Structure
from qcowspec.spec.structures import Field, Part, lay_open
from qcowspec.spec.units import HostOffset
from tests.property.notations import (
    Arguments,
    by_kaitai,
    layout,
    plain,
    ran_out,
    with_positions,
)
from tests.property.real_images import IMAGES, everything

BIT_FIELDS = {
    "qcow1::l2_entry",
    "qcow2::l1_entry",
    "qcow2::l2_entry",
    "qcow2::refcount_table_entry",
    "qcow2::bitmap_table_entry",
}
"""Layouts with fields that end within a byte: their spans are those of the bytes they begin in."""

LAZY = "qcow2::refcount_block"
"""A layout whose fields are instances: nothing of it is read until somebody asks."""

BASE = HostOffset(0x12345)


def part(structure: Structure, data: bytes) -> Part[Any]:
    return Part("it", layout(structure.layout), BASE, data, structure.arguments)


@given(qcow.structures())
def test_positions_read_what_the_lean_parsers_read(structure: Structure) -> None:
    same_values(structure.layout, structure.arguments, structure.data)


@given(qcow.structures(), st.binary(max_size=256))
def test_positions_read_any_bytes_as_the_lean_parsers_do(structure: Structure, data: bytes) -> None:
    if ran_out(lambda: by_kaitai(structure.layout, structure.arguments, data)) is None:
        with pytest.raises(EOFError):
            with_positions(structure.layout, structure.arguments, data)
    else:
        same_values(structure.layout, structure.arguments, data)


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_positions_of_a_real_image_read_what_the_lean_parsers_read(path: Path) -> None:
    for found in everything(path):
        same_values(found.layout, found.arguments, found.data)


def same_values(name: str, arguments: Arguments, data: bytes) -> None:
    lean = by_kaitai(name, arguments, data).parsed

    assert plain(lean) == plain(with_positions(name, arguments, data))


@given(qcow.structures())
def test_spans_tile_a_structure(structure: Structure) -> None:
    parsed = with_positions(structure.layout, structure.arguments, structure.data)
    for composite in composites(parsed):
        spans = list(spans_of(composite))

        assert [start for start, _ in spans] == [0, *(end for _, end in spans)][: len(spans)]
        assert all(start <= end for start, end in spans)


def composites(parsed: Any) -> Iterator[Any]:
    """A parsed object and all that is in it and has a stream of its own."""
    yield parsed
    for name in type(parsed).SEQ_FIELDS:
        value = getattr(parsed, name, None)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, KaitaiStruct) and item._io is not parsed._io:
                yield from composites(item)


def spans_of(parsed: Any) -> Iterator[tuple[int, int]]:
    """Where the fields of an object start and end in its stream, in order; elements for lists."""
    for name in type(parsed).SEQ_FIELDS:
        span = parsed._debug.get(name)
        for each in span.get("arr", [span]) if span else ():
            yield each["start"], each["end"]


@given(qcow.structures().filter(lambda structure: structure.layout != LAZY))
def test_a_structure_laid_open_accounts_for_every_byte(structure: Structure) -> None:
    whole = lay_open(part(structure, structure.data))
    end = BASE
    for field in leaves(whole):
        assert field.offset == end, f"{field.name} does not start where the field before ends"
        end = HostOffset(field.offset + field.length)

    taken = by_kaitai(structure.layout, structure.arguments, structure.data).length
    assert end == BASE + taken


@given(qcow.structures())
def test_a_field_laid_open_stands_where_it_says(structure: Structure) -> None:
    for field, name in with_layouts(lay_open(part(structure, structure.data))):
        start = field.offset - BASE
        raw = structure.data[start : start + field.length]
        if isinstance(field.value, bytes):
            assert field.value == raw
        elif field.value is not None and name not in BIT_FIELDS:
            assert field.value == int.from_bytes(raw, "big")


@given(qcow.structures(), st.integers(0, 200))
def test_a_structure_cut_off_is_laid_open_as_far_as_it_goes(
    structure: Structure, length: int
) -> None:
    data = structure.data[:length]
    end = BASE
    for field in leaves(lay_open(part(structure, data))):
        assert field.offset == end
        end = HostOffset(field.offset + field.length)

    assert end <= BASE + len(data)


def leaves(field: Field) -> list[Field]:
    """The fields that are not made of others."""
    return [each for each in field.walk() if not each.fields and each.layout is None]


def with_layouts(field: Field, name: str = "") -> Iterator[tuple[Field, str]]:
    """Each field below a structure, and the layout it belongs to."""
    for child in field.fields:
        yield child, field.layout or name
        yield from with_layouts(child, child.layout or name)
