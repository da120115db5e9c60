"""Mutations: bytes that were an image a moment ago.

In: images. Out: strategies of what becomes of them. Refuses: nothing.

A mutation is a function that draws what it does and does it to a `bytearray`; to add one, decorate
it with `mutation`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from qcowspec.errors import QcowError
from qcowspec.fuzzing.strategies.values import numbers
from qcowspec.reader.drivers import drive
from qcowspec.reader.machine import Machine
from qcowspec.sources.memory import Memory
from qcowspec.spec.metadata import Metadata, Structures
from qcowspec.spec.structures import Part, lay_open
from qcowspec.spec.units import BITS_PER_BYTE

Place = tuple[int, int]
"""Offset and length of a field, in bytes."""

Mutation = Callable[[DrawFn, bytearray, Sequence[Place]], None]
"""Changes some bytes; is told where the image's fields were."""

MUTATIONS: list[Mutation] = []
"""Every mutation there is."""

WIDTHS = (1, 2, 4, 8)
"""Bytes of a number."""

GROWTH = 4096
"""Bytes that one mutation adds at most."""

HEADER = 128
"""Bytes at the start that are aimed at even where the fields are not known."""


def mutants(
    images: SearchStrategy[bytes], *, fields: bool = True, most: int = 4
) -> SearchStrategy[bytes]:
    """Images with a few mutations.

    Args:
        images: What they are made from.
        fields: Whether numbers are overwritten where the image has its fields, which takes opening
            it, or anywhere.
        most: Mutations of one image at most.
    """
    return images.flatmap(lambda image: _mutants(image, fields, most))


@st.composite
def _mutants(draw: DrawFn, image: bytes, fields: bool, most: int) -> bytes:
    places = fields_of(image) if fields else ()
    data = bytearray(image)
    for mutate in draw(st.lists(st.sampled_from(MUTATIONS), min_size=1, max_size=most)):
        mutate(draw, data, places)
    return bytes(data)


def mutation(mutate: Mutation) -> Mutation:
    """Add a mutation to the others."""
    MUTATIONS.append(mutate)
    return mutate


@mutation
def flip(draw: DrawFn, data: bytearray, places: Sequence[Place]) -> None:
    """Flip one bit."""
    if data:
        offset = _offset(draw, data, places)
        data[offset] ^= 1 << draw(st.integers(0, BITS_PER_BYTE - 1))


@mutation
def overwrite(draw: DrawFn, data: bytearray, places: Sequence[Place]) -> None:
    """Overwrite a number with one at an edge."""
    anywhere = st.tuples(st.just(_offset(draw, data, ())), st.sampled_from(WIDTHS))
    offset, width = draw(st.sampled_from(places) | anywhere if places else anywhere)
    value = draw(numbers(width * BITS_PER_BYTE, st.integers(0, 32)))
    end = min(offset + width, len(data))
    data[offset:end] = value.to_bytes(width, "big")[: max(0, end - offset)]


@mutation
def truncate(draw: DrawFn, data: bytearray, places: Sequence[Place]) -> None:
    """Cut the end off."""
    del data[_offset(draw, data, places) :]


@mutation
def splice(draw: DrawFn, data: bytearray, places: Sequence[Place]) -> None:
    """Overwrite a piece with another piece of the same image."""
    start, length = _piece(draw, data)
    target = _offset(draw, data, places)
    piece = data[start : start + length][: len(data) - target]
    data[target : target + len(piece)] = piece


@mutation
def duplicate(draw: DrawFn, data: bytearray, places: Sequence[Place]) -> None:
    """Insert a piece again behind itself, so that the rest moves."""
    start, length = _piece(draw, data)
    data[start:start] = data[start : start + length]


@mutation
def remove(draw: DrawFn, data: bytearray, places: Sequence[Place]) -> None:
    """Take a piece out, so that the rest moves."""
    start, length = _piece(draw, data)
    del data[start : start + length]


@mutation
def fill(draw: DrawFn, data: bytearray, places: Sequence[Place]) -> None:
    """Overwrite a piece with one byte."""
    start, length = _piece(draw, data)
    length = min(length, len(data) - start)
    data[start : start + length] = bytes([draw(st.sampled_from([0x00, 0x01, 0x7F, 0xFF]))]) * length


def _offset(draw: DrawFn, data: bytearray, places: Sequence[Place]) -> int:
    """An offset: where a field is, near the start, or anywhere."""
    last = max(len(data) - 1, 0)
    anywhere = [st.integers(0, min(HEADER, last)), st.integers(0, last)]
    if places:
        anywhere.append(st.sampled_from(places).map(lambda place: min(place[0], last)))
    return draw(st.one_of(anywhere))


def _piece(draw: DrawFn, data: bytearray) -> Place:
    return _offset(draw, data, ()), draw(st.integers(1, GROWTH))


@lru_cache(maxsize=64)
def fields_of(image: bytes) -> tuple[Place, ...]:
    """Where the numbers of an image's structures and tables stand.

    Args:
        image: A whole image, without a fault if all its structures are to be found.
    """
    source = Memory(image)
    machine = Machine(lambda state, judge: False, length=source.length)
    with suppress(QcowError):  # what was read before stands in the metadata
        drive(machine, source)
    found = [
        (field.offset, field.length)
        for part in parts(machine.image)
        for field in lay_open(part).walk()
        if field.length in WIDTHS and isinstance(field.value, int)
    ]
    return tuple(sorted({*found, *_entries(machine.image)}))


def parts(image: Metadata) -> list[Part[Any]]:
    """Every structure that was read, as bytes."""
    alone: list[Part[Any] | None] = [image.header_part, image.luks_part]
    listed: list[Structures[Any]] = [image.extensions, image.snapshots, image.bitmaps]
    found = [part for part in alone if part is not None]
    return found + [part for structures in listed for part in structures.parts]


def _entries(image: Metadata) -> list[Place]:
    """The entries of the tables that are not zero, and the first of each."""
    tables = [table for table in (image.l1_table, image.refcount_table) if table is not None]
    return [
        (table.offset + index * table.ENTRY_SIZE, table.ENTRY_SIZE)
        for table in tables
        for index, entry in enumerate(table.values())
        if entry or index == 0
    ]
