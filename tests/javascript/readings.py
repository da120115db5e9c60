"""What Python reads of a structure, in the shape in which read.js answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any, NamedTuple

from kaitaistruct import KaitaiStruct, KaitaiStructError

from qcowspec import lay_open
from qcowspec.errors import NotQcow
from qcowspec.fuzzing.places import parts
from qcowspec.spec.structures import layout_name
from tests.property.notations import by_kaitai

ENTRIES: dict[str, list[tuple[int | bool, ...]]] = {
    "qcow1::l1_entry": [()],
    "qcow1::l2_entry": [(bits,) for bits in (0, 9, 12, 16, 17)],
    "qcow2::l1_entry": [()],
    "qcow2::l2_entry": [(bits, wide) for bits in (0, 9, 16, 21, 22, 63) for wide in (False, True)],
    "qcow2::refcount_table_entry": [()],
    "qcow2::bitmap_table_entry": [()],
}
"""The entries of tables, and parameters that they are read with, wrong ones among them."""


class Slice(NamedTuple):
    """The bytes of one structure."""

    layout: str
    arguments: tuple[int | bool, ...]
    data: bytes

    def as_json(self) -> dict[str, Any]:
        """The request for it."""
        return {"layout": self.layout, "arguments": self.arguments, "data": self.data.hex()}


def slices(images: Iterable[bytes]) -> list[Slice]:
    """The structures of some images, each one once."""
    return list(dict.fromkeys(each for image in images for each in _slices(image)))


def _slices(data: bytes) -> Iterator[Slice]:
    yield Slice("qcow::probe", (), data[:8])
    try:
        image = lay_open(data)
    except NotQcow:
        return
    for part in parts(image.metadata):
        yield Slice(layout_name(part.layout), part.arguments, part.data)


def entries(count: int) -> list[Slice]:
    """Entries of tables: values at an edge, and by chance."""
    random = Random("entries")
    edges = [1 << bit for bit in range(64)] + [(1 << 64) - (1 << bit) for bit in range(64)]
    return [
        Slice(layout, arguments, value.to_bytes(8, "big") + random.randbytes(8))
        for layout, choices in ENTRIES.items()
        for arguments in choices
        for value in [0, *edges, *(random.getrandbits(64) for _ in range(count))]
    ]


def read(each: Slice) -> Any:
    """What Python reads of a structure."""
    try:
        return _tree(by_kaitai(each.layout, each.arguments, each.data).parsed)
    except EOFError:
        return "EOFError"


def _tree(parsed: KaitaiStruct) -> dict[str, Any]:
    fields = {_camel(n): _plain(v) for n, v in vars(parsed).items() if not n.startswith("_")}
    for name, kind in vars(type(parsed)).items():
        if not isinstance(kind, property):
            continue
        try:
            value = getattr(parsed, name)
        except (EOFError, KaitaiStructError) as error:
            value = type(error).__name__.encode()
        except AttributeError:  # it hangs on a whole file, and this is one structure of it
            continue
        if value is None or isinstance(value, int):
            fields[_camel(name)] = _plain(value)
    return fields


def _plain(value: Any) -> Any:
    if isinstance(value, KaitaiStruct):
        return _tree(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return f"x{value.hex()}"
    return None if value is None else str(int(value))


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
