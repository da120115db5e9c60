"""The constants, feature bits and header extensions as one typed Python module.

Comes in: the tables. Goes out: the text of ``qcow_parsers/constants.py``.
"""

from collections.abc import Iterable

from .literals import hexadecimal, literal
from .rows import Row
from .tables import EXTENSION, FEATURE, Tables, members_of, sources, value_of


def _sentence(text: str) -> str:
    return text if text[-1] in ".!?" else f"{text}."


def _doc(*sentences: str) -> str:
    text = " ".join(_sentence(each) for each in sentences)
    return '"""' + text.replace("\\", "\\\\").replace('"', '\\"') + '"""'


_HEAD = '''\
"""QEMU's constants, feature bits and header extensions."""

from enum import KEEP, IntEnum, IntFlag
from typing import TYPE_CHECKING, Final, Literal, NamedTuple


class Feature(NamedTuple):
    """A feature bit of the version 3 header."""

    id: str
    type: Literal["incompatible", "compatible", "autoclear"]
    bit: int
    name: str  # as QEMU writes it into the feature name table
    constant: str
    since: str  # the first QEMU with it
    versions: tuple[int, ...]
    obliges: str  # what the bit asks of whoever reads the image
    source: tuple[str, ...]

    @property
    def mask(self) -> int:
        """The bit's place in its feature word."""
        return 1 << self.bit


class Extension(NamedTuple):
    """A header extension."""

    id: str
    magic: int
    name: str
    layout: str | None  # the type of its data in the .ksy
    versions: tuple[int, ...]
    once: bool  # whether a second one in the same image is wrong
    constant: str
    source: tuple[str, ...]
'''


_LAZY = """

if not TYPE_CHECKING:  # so that a type checker still finds a wrong name

    def __getattr__(name: str) -> object:
        # An enum is made when it is first used: all of them take longer than the rest together.
        if name not in _ENUMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        is_flags, doc, members = _ENUMS[name]
        options = {"boundary": KEEP} if is_flags else {}
        kind = IntFlag if is_flags else IntEnum
        globals()[name] = made = kind(name, members, module=__name__, **options)
        made.__doc__ = doc
        return made

"""

_LIMITS = {
    "format": "Set by the format.",
    "qemu": "QEMU's own.",
    "librbd": "librbd's own.",
    "policy": "qcowspec's own.",
}


def _constant(row: Row) -> list[str]:
    value = value_of(row)
    if not isinstance(value, int):
        kind = type(value).__name__
        return [f"{row['name']}: Final[{kind}] = {literal(value)}", _row_doc(row)]
    # What is made of bits, and numbers that nobody counts up to, are read in hexadecimal.
    is_mask = "value" not in row or row["unit"] == "mask"
    is_magic = row["unit"] == "number" and value > 0xFFFF
    shown = hexadecimal(value) if is_mask or is_magic else str(value)
    return [f"{row['name']}: Final[int] = {shown}  # {row['unit']}", _row_doc(row)]


def _row_doc(row: Row) -> str:
    limit = _LIMITS[row["limit"]]
    return _doc(row["meaning"], limit, f"Source: {'; '.join(sources(row))}")


def _enum(enum: Row) -> list[str]:
    is_flags = enum["kind"] == "flags"
    base = "IntFlag, boundary=KEEP" if is_flags else "IntEnum"
    lines = ["", f"class {enum['name']}({base}):"]
    lines += [f"    {_enum_doc(enum)}", ""]
    for name, value, row in members_of(enum):
        shown = " | ".join(row["of"]) if "of" in row else value
        if is_flags and "of" not in row:
            shown = hexadecimal(value)
        lines += [f"    {name} = {shown}", f"    {_doc(row['meaning'])}"]
    return [f"    {line}".rstrip() for line in lines]


def _enum_doc(enum: Row) -> str:
    return _doc(enum["meaning"], "Source: " + "; ".join(sources(enum)))


def _lazy_enum(enum: Row) -> list[str]:
    """The same as data."""
    members = ", ".join(f'"{name}": {value}' for name, value, _ in members_of(enum))
    return [
        f'    "{enum["name"]}": (',
        f"        {enum['kind'] == 'flags'},",
        f"        {_enum_doc(enum)},",
        f"        {{{members}}},",
        "    ),",
    ]


def _tuple(name: str, kind: str, table: list[Row], keys: Iterable[str]) -> list[str]:
    lines = ["", "", f"{name}: Final[tuple[{kind}, ...]] = ("]
    for row in table:
        lines.append(f"    {kind}(")
        for key in keys:
            value = sources(row) if key == "source" else row.get(key)
            shown = hexadecimal(row[key]) if key == "magic" else literal(value)
            lines.append(f"        {key}={shown},")
        lines.append("    ),")
    return [*lines, ")"]


def text(tables: Tables, header: str) -> str:
    """The module."""
    lines = [header, _HEAD]
    for row in tables.constants:
        lines += _constant(row)
    lines += ["", "", "if TYPE_CHECKING:"]
    for enum in tables.enums:
        lines += _enum(enum)
    lines += ["", "", "_ENUMS: Final[dict[str, tuple[bool, str, dict[str, int]]]] = {"]
    for enum in tables.enums:
        lines += _lazy_enum(enum)
    lines += ["}", _LAZY]
    features = [
        {**row, "bit": tables.number(row["constant"]).bit_length() - 1} for row in tables.features
    ]
    extensions = [{**row, "magic": tables.number(row["constant"])} for row in tables.extensions]
    lines += _tuple("FEATURES", "Feature", features, [*FEATURE, "bit"])
    lines += _tuple("EXTENSIONS", "Extension", extensions, [*EXTENSION, "magic"])
    return "\n".join(lines) + "\n"
