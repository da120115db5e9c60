"""Readers of the values in a spec: numbers, bytes, mappings, lists.

In: values as YAML or JSON has them, and the path at which each stands in the spec. Out: numbers in
bytes, `bytes`, plain containers. Refuses, as `Invalid` whose message begins with the path: a value
of another kind, an unknown key, more bytes than an image that is built here may have.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from qcowspec.build.host import LARGEST
from qcowspec.errors import Invalid

Plain = Mapping[str, Any]
Reader = Callable[[Any, str], Any]
"""Reads a value that stands at a path; raises `Invalid`."""

BYTE_KEYS = ("text", "hex", "base64", "fill", "noise")
"""The ways to write bytes; `fill` and `noise` need a `length` too."""

SUFFIXES = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40, "P": 50, "E": 60}
NUMBER = re.compile(r"([0-9]+)([KMGTPE]?)(?:i?B)?", re.IGNORECASE)
HEXADECIMAL = re.compile(r"0x[0-9a-f]+", re.IGNORECASE)
ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")

LONGEST = 40
"""Characters of a wrong value that a message shows."""

MOST_VALUES = 8_000_000
DEEPEST = 64
"""Values in a spec, and levels of it, at most: aliases in YAML multiply what a few bytes say."""


def wrong(path: str, says: str) -> Invalid:
    """An error about a place in the spec."""
    return Invalid(f"{path}: {says}" if path else says, stage="build", field=path or None)


def shown(value: object) -> str:
    """A wrong value, short enough for a sentence."""
    if isinstance(value, int) and value.bit_length() > 4 * LONGEST:
        return f"a number of {value.bit_length()} bits"  # Python writes no longer ones as decimals
    if isinstance(value, (Mapping, list, tuple)) and value:
        return "a mapping" if isinstance(value, Mapping) else "a list"
    text = ascii(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def bounded(value: object) -> None:
    """Refuse a spec whose aliases make it endless, too deep or too large, as `Invalid`."""
    left, waiting = MOST_VALUES, [(value, 0)]
    while waiting:
        each, depth = waiting.pop()
        inner: Collection[Any] = ()
        if isinstance(each, Mapping):
            inner = each.values()
        elif isinstance(each, list):
            inner = each
        left -= len(inner)
        if left < 0 or depth > DEEPEST:
            raise wrong("", "the spec holds too many values, or too many levels of them")
        waiting += [(item, depth + 1) for item in inner if isinstance(item, (Mapping, list))]


def mapping(value: object, path: str, known: Collection[str] | None = None) -> Plain:
    """A mapping with text for keys, and with no other keys than those known."""
    if not isinstance(value, Mapping):
        raise wrong(path, f"a mapping is wanted, not {shown(value)}")
    for key in value:
        if not isinstance(key, str):
            raise wrong(path, f"the key {shown(key)} is no text")
        if known is not None and key not in known:
            raise wrong(_joined(path, key), f"nobody knows this key; known are {', '.join(known)}")
    return value


def record(
    value: object, path: str, readers: Mapping[str, Reader], others: Collection[str] = ()
) -> dict[str, Any]:
    """A mapping of known keys, each read by its own reader.

    Args:
        value: The mapping.
        path: Where it stands.
        readers: What reads the value of each key.
        others: Keys that it may have besides, and that are left out.
    """
    said = mapping(value, path, (*readers, *others))
    present = (name for name in readers if name in said)
    return {name: readers[name](said[name], _joined(path, name)) for name in present}


def each(read: Reader) -> Reader:
    """A reader of lists, whose items another one reads."""
    return lambda value, path: tuple(read(item, at) for item, at in items(value, path))


def items(value: object, path: str) -> Iterator[tuple[Any, str]]:
    """The items of a list, each with its path."""
    if not isinstance(value, (list, tuple)):
        raise wrong(path, f"a list is wanted, not {shown(value)}")
    for index, item in enumerate(value):
        yield item, f"{path}[{index}]"


def number(value: object, path: str, most: int = (1 << 64) - 1) -> int:
    """A number, or a text such as ``64K``, ``1M`` or ``0x10000``; from 0 to `most`."""
    found: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        found = value
    elif isinstance(value, str):
        match = NUMBER.fullmatch(value.strip())
        if match is not None and len(value) <= LONGEST:
            found = int(match[1]) << SUFFIXES[match[2].upper()]
        elif HEXADECIMAL.fullmatch(value.strip()):
            found = int(value, 16)
    if found is None:
        raise wrong(path, f"a number is wanted, not {shown(value)}")
    if not 0 <= found <= most:
        raise wrong(path, f"{shown(found)} is not within 0 and {most}")
    return found


def text(value: object, path: str) -> str:
    """A text."""
    if not isinstance(value, str):
        raise wrong(path, f"a text is wanted, not {shown(value)}; put it in quotes")
    return value


def flag(value: object, path: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise wrong(path, f"true or false is wanted, not {shown(value)}")
    return value


def encoded(value: str, path: str) -> bytes:
    r"""A text as bytes: UTF-8, in which ``\xff`` stands for a byte, as in a dump."""
    try:
        data = value.encode()
    except UnicodeEncodeError as error:
        raise wrong(path, "the text has a character that UTF-8 has not") from error
    return ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), data)


def digits(value: object, path: str) -> bytes:
    """Hexadecimal digits as bytes."""
    try:
        return bytes.fromhex(text(value, path))
    except ValueError as error:
        raise wrong(path, f"pairs of hexadecimal digits are wanted, not {shown(value)}") from error


def content(value: object, path: str, most: int = LARGEST) -> bytes:
    """Bytes, `most` at most: a text, or one of `BYTE_KEYS`, perhaps with ``times``."""
    if isinstance(value, str):
        return repeated(encoded(value, path), 1, path, most)
    said = mapping(value, path)
    ways = [key for key in BYTE_KEYS if key in said]
    if len(ways) != 1:
        raise wrong(path, f"bytes are wanted, by one of {', '.join(BYTE_KEYS)}")
    way = ways[0]
    data = _content(said, way, path, _joined(path, way), most)
    times = number(said.get("times", 1), _joined(path, "times"))
    return repeated(data, times, _joined(path, "times"), most)


def repeated(data: bytes, times: int, path: str, most: int = LARGEST) -> bytes:
    """Bytes, repeated; `most` in all."""
    if len(data) * times > most:
        raise wrong(path, f"{len(data) * times} bytes are more than the {most} there is room for")
    return data * times


def _content(said: Plain, way: str, path: str, at: str, most: int) -> bytes:
    if way == "text":
        return encoded(text(said[way], at), at)
    if way == "hex":
        return digits(said[way], at)
    if way == "base64":
        try:
            return base64.b64decode(text(said[way], at), validate=True)
        except (binascii.Error, ValueError) as error:
            raise wrong(at, "this is no base64") from error
    if "length" not in said:
        raise wrong(path, f"{way} wants a length")
    length = number(said["length"], _joined(path, "length"), most)
    if way == "fill":
        return bytes([number(said[way], at, 0xFF)]) * length
    seed = str(number(said[way], at)).encode()
    return hashlib.shake_256(seed).digest(length)


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
