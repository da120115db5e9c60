"""One structure read by both notations, and what each says of every field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from io import BytesIO
from itertools import zip_longest
from types import ModuleType
from typing import Any, NamedTuple

import qcow_parsers
from construct import StreamError
from kaitaistruct import KaitaiStream, KaitaiStruct
from qcow_parsers import positions

from qcowspec import build
from qcowspec.spec.structures import layout_name

Arguments = tuple[int | bool, ...]
Fields = Mapping[str, Any]

ENTRY_COUNT = "qcow2::refcount_block"
"""The layout whose schema has to be told how many entries there are; Kaitai counts its bytes."""


class Read(NamedTuple):
    """What one notation made of some bytes."""

    parsed: Any
    length: int  # bytes taken


def layout(name: str, package: ModuleType = qcow_parsers) -> type[Any]:
    """The generated class of a layout; of `qcow_parsers.positions`, the one that keeps spans."""
    found: Any = package
    for step in name.split("::"):
        found = getattr(found, "".join(word.capitalize() for word in step.split("_")))
    chosen: type[Any] = found
    return chosen


def by_kaitai(name: str, arguments: Arguments, data: bytes) -> Read:
    stream = KaitaiStream(BytesIO(data))
    return Read(layout(name)(*arguments, stream), stream.pos())


def with_positions(name: str, arguments: Arguments, data: bytes) -> Any:
    parsed = layout(name, positions)(*arguments, KaitaiStream(BytesIO(data)))
    parsed._read()
    return parsed


def by_construct(name: str, arguments: Arguments, data: bytes) -> Read:
    stream = BytesIO(data)
    # As many extensions as Kaitai takes at once (header_extensions.max_extensions).
    parsed = schema_for(name, arguments, data).parse_stream(stream, max_entries=4096)
    return Read(parsed, stream.tell())


def schema_for(name: str, arguments: Arguments, data: bytes) -> Any:
    if name == ENTRY_COUNT:
        arguments = (*arguments, len(data) * 8 >> arguments[0])
    return build.schema(name, *arguments)


def ran_out(read: Callable[[], Read]) -> Read | None:
    """What was read, or None where the bytes ended before the structure did."""
    try:
        return read()
    except (EOFError, StreamError):
        return None


# --- what each says -------------------------------------------------------------------------------

LOW_BITS = 23
"""Bits of an offset, in sectors, that Kaitai reads as `offset_low`: bits 9 to 31 of the entry."""


def _high(fields: Fields, arguments: Arguments, rest: bytes) -> int | None:
    sectors = fields["offset_sectors"]
    return None if sectors is None else int(sectors) >> LOW_BITS


def _low(fields: Fields, arguments: Arguments, rest: bytes) -> int | None:
    sectors = fields["offset_sectors"]
    return None if sectors is None else int(sectors) % (1 << LOW_BITS)


def _v1_descriptor(fields: Fields, arguments: Arguments) -> int:
    if not fields["is_compressed"]:
        return int(fields["offset"])
    return int(fields["csize"]) << (63 - arguments[0]) | int(fields["coffset"])


def _v2_descriptor(fields: Fields, arguments: Arguments) -> int:
    return int(fields["nb_csectors"]) << (70 - arguments[0]) | int(fields["coffset"])


Derived = Callable[[Fields, Arguments, bytes], Any]

ONLY_IN_KAITAI: Mapping[str, Mapping[str, Derived]] = {
    "qcow1::l2_entry": {
        "descriptor_high": lambda fields, args, _: _v1_descriptor(fields, args) >> 32,
        "descriptor_low": lambda fields, args, _: _v1_descriptor(fields, args) % (1 << 32),
    },
    "qcow2::l1_entry": {"offset_high": _high, "offset_low": _low},
    "qcow2::l2_entry": {
        "offset_high": _high,
        "offset_low": _low,
        "descriptor_high": lambda fields, args, _: (
            _v2_descriptor(fields, args) >> 32 if fields["compressed"] else None
        ),
        "descriptor_low": lambda fields, args, _: (
            _v2_descriptor(fields, args) % (1 << 32) if fields["compressed"] else None
        ),
    },
    "qcow2::refcount_table_entry": {"offset_high": _high, "offset_low": _low},
    "qcow2::bitmap_table_entry": {"offset_high": _high, "offset_low": _low},
    # Construct leaves these bytes in the stream.
    "qcow2::bitmap_directory": {"unparsed": lambda fields, args, rest: rest},
}
"""Fields that Kaitai reads and Construct does not: what they are, in terms of Construct's.

Kaitai halves wide fields, because some languages have no bit operations above 32 bits, and puts
them together again in instances that have Construct's names.
"""


def both(kaitai: Any, construct: Any, arguments: Arguments, rest: bytes = b"") -> tuple[Any, Any]:
    """What both notations say, in the same shape: equal if and only if they agree.

    Args:
        kaitai: What Kaitai read.
        construct: What Construct read.
        arguments: The layout's parameters.
        rest: The bytes that Construct left over.
    """
    if isinstance(kaitai, KaitaiStruct) and isinstance(construct, Mapping):
        name = layout_name(type(kaitai))
        if name == ENTRY_COUNT:
            return {"entries": list(refcounts(kaitai))}, plain(construct)
        derived = ONLY_IN_KAITAI.get(name, {})
        pairs = {
            field: both(
                getattr(kaitai, field),
                derived[field](construct, arguments, rest)
                if field in derived
                else construct.get(field, "no such field"),
                arguments,
            )
            for field in dict.fromkeys([*kaitai.SEQ_FIELDS, *construct])
        }
        return {f: p[0] for f, p in pairs.items()}, {f: p[1] for f, p in pairs.items()}
    if isinstance(construct, list):
        # Where there is no room for one entry, Kaitai has no list.
        items = [both(*pair, arguments) for pair in zip_longest(kaitai or [], construct)]
        return [item[0] for item in items], [item[1] for item in items]
    return plain(kaitai), plain(construct)


def refcounts(block: Any) -> Iterator[int]:
    """The counts of a refcount block, which Kaitai reads page by page."""
    for page in block.pages:
        for entry in page.entries:
            yield int(entry.refcount)


def plain(value: Any) -> Any:
    """A value without the types that only one notation has: enums, flags, containers."""
    if isinstance(value, KaitaiStruct):
        return {field: plain(getattr(value, field)) for field in value.SEQ_FIELDS}
    if isinstance(value, Mapping):
        return {field: plain(item) for field, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, (bool, IntEnum)) else value
