"""From the bytes of one structure to its fields: the door to the generated parsers.

In: a `Part`: bytes, where they stand in the image, and which layout they have.
Out: the parsed object, or a tree of `Field`s with every offset. Refuses: bytes that end before the
structure does, as `Malformed`; no error of the parsers' own library passes this door.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from io import BytesIO
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

from kaitaistruct import KaitaiStream, KaitaiStruct, KaitaiStructError
from qcow_parsers import positions

from qcowspec.errors import Malformed
from qcowspec.spec.units import HostOffset

Layout = TypeVar("Layout")

FOREIGN = (EOFError, KaitaiStructError, ValueError, OverflowError)
"""What a generated parser raises when bytes run out or do not decode."""


class Part(NamedTuple, Generic[Layout]):
    """The bytes of one structure, not yet read.

    Attributes:
        name: Path of the structure in the image, such as ``snapshots[0]``.
        layout: The generated class that reads it.
        offset: Where it starts in the image file.
        data: Its bytes; zeros past the end of the file, as QEMU reads it.
        arguments: The layout's parameters, such as cluster_bits.
    """

    name: str
    layout: type[Layout]
    offset: HostOffset
    data: bytes
    arguments: tuple[int | bool, ...] = ()

    def __repr__(self) -> str:
        return f"<Part {self.name} at {self.offset:#x}, {len(self.data):,} bytes>"

    def parse(self) -> Layout:
        """Read the structure.

        Raises:
            Malformed: The bytes end before the structure does.
        """
        try:
            return self.layout(*self.arguments, KaitaiStream(BytesIO(self.data)))  # type: ignore[call-arg]
        except FOREIGN as error:
            raise Malformed(
                f"{self.name} needs more than the {len(self.data)} bytes there are",
                offset=self.offset,
                field=self.name,
            ) from error


@dataclass(slots=True)
class Field:
    """One field of a structure, laid open.

    Attributes:
        name: QEMU's name.
        offset: Where it starts in the image file, in bytes.
        length: Its length in bytes.
        value: Number, flag or bytes; None for a field made of other fields, but for an entry of a
            table whose fields are bits: it is one number.
        fields: Its own fields, in order.
        layout: Name of the layout, such as ``qcow2::header``, of a field made of other fields.
    """

    name: str
    offset: HostOffset
    length: int
    value: int | bytes | None = None
    fields: list[Field] = field(default_factory=list)
    layout: str | None = None

    def walk(self) -> Iterator[Field]:
        """This field and all below it, in order."""
        yield self
        for child in self.fields:
            yield from child.walk()

    def at(self, path: str) -> Field:
        """A field below this one, by its path; this one if the path is empty or leads nowhere.

        Args:
            path: Names joined by dots, such as ``additional_fields.compression_type``.
        """
        field = self
        for name in filter(None, path.split(".")):
            found = next((child for child in field.fields if child.name == name), None)
            if found is None:
                return self
            field = found
        return field


def lay_open(part: Part[Any]) -> Field:
    """Read a structure with the offset of every field.

    A structure whose bytes end early is read as far as they go.
    """
    layout: Any = attrgetter(part.layout.__qualname__)(positions)
    parsed = layout(*part.arguments, KaitaiStream(BytesIO(part.data)))
    whole = _composite(parsed, part.name, part.offset, 0)
    whole.length = len(part.data)
    if any(field.length == 0 and isinstance(field.value, int) for field in whole.fields):
        whole.value = int.from_bytes(part.data, "big")  # bit fields have no bytes of their own
    return whole


class Place(NamedTuple):
    """Where a value that a rule is about stands.

    Attributes:
        offset: Where it starts in the image file, in bytes.
        field: Its path, as a dump has it, such as ``header.cluster_bits``.
        value: The value there; None if it is made of several fields.
    """

    offset: HostOffset
    field: str
    value: int | bytes | None


def place(part: Part[Any], path: str = "", laid_open: Field | None = None) -> Place:
    """Where a field of a structure stands.

    Args:
        part: The structure.
        path: The field's path in it; the whole structure where it is empty.
        laid_open: What `lay_open` returned for it, if that is at hand.
    """
    found = (lay_open(part) if laid_open is None else laid_open).at(path)
    return Place(found.offset, f"{part.name}.{path}" if path else part.name, found.value)


def layout_name(layout: type[Any]) -> str:
    """Name of a generated class as the specification writes it: ``qcow2::l2_entry``."""
    return _spelt(layout.__qualname__)


@cache
def _spelt(qualname: str) -> str:
    return re.sub(r"\B([A-Z])", r"_\1", qualname).replace(".", "::").lower()


def _composite(parsed: Any, name: str, base: int, start: int) -> Field:
    """Lay open a parsed object whose stream position 0 is at `base` in the image file."""
    whole = Field(name, HostOffset(base + start), 0, layout=layout_name(type(parsed)))
    for name_, span in parsed._debug.items():
        value = getattr(parsed, name_)
        if isinstance(value, list):
            for i, (item, item_span) in enumerate(zip(value, span["arr"], strict=True)):
                whole.fields += _field(parsed, f"{name_}[{i}]", base, item_span, item)
        else:
            whole.fields += _field(parsed, name_, base, span, value)
    last = whole.fields[-1] if whole.fields else whole
    whole.length = last.offset + last.length - whole.offset
    return whole


def _field(parent: Any, name: str, base: int, span: dict[str, int], value: Any) -> list[Field]:
    """One field laid open; none where the bytes ended before it did."""
    start, end = span["start"], span.get("end")
    if isinstance(value, KaitaiStruct):
        if value._io is parent._io:
            inner = _composite(value, name, base, start)
        else:  # a sub-stream counts from its own start
            inner = _composite(value, name, base + start, 0)
        if end is not None:
            inner.length = end - start
        return [inner]
    if end is None:
        return []
    if not isinstance(value, (int, bytes)):
        raise TypeError(f"{name} is a {type(value).__name__}: layouts hold numbers and bytes only")
    plain = int(value) if isinstance(value, IntEnum) else value
    return [Field(name, HostOffset(base + start), end - start, plain)]
