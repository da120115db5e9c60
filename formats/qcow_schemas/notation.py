"""The few words that Construct lacks and the schemas are written in.

In: Construct's own classes. Out: `Layout` (a Struct from which only Construct's errors leave),
byte strings and substreams bounded by what the stream holds, fields that are present on a
condition, and bit fields in a big-endian word. Refused: a value of the wrong type, a field that
the layout does not have; always with a `ConstructError`.

Two habits hold in every schema:

* Parsing a length reads at most what the stream has left, in pieces, so that a hostile length
  allocates nothing. A byte string cut short by the end of the stream is kept as far as it goes;
  a number cut short is a `StreamError`.
* Building keeps what it is given, contradictions included, and derives what it is not given
  (a missing key and None are the same). A wrong length on purpose is written as it is.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Protocol

from construct import (
    Construct,
    ConstructError,
    Default,
    SizeofError,
    StreamError,
    StringError,
    Struct,
    Subconstruct,
    Transformed,
)
from construct.core import stream_read, stream_seek, stream_tell, stream_write
from construct.lib import bits2bytes, bytes2bits

# How much one read asks for at most: a stream may reserve what it is asked for before it reads.
_PIECE = 1 << 20

# Byte-like things that a byte string is built from; text never is.
_BYTES = (bytes, bytearray, memoryview)


class Schema(Protocol):
    """What the exported schemas offer, for type checkers: Construct itself has no types.

    Parsed structures are `construct.Container`: dictionaries whose keys are also attributes.
    """

    def parse(self, data: bytes, **contextkw: Any) -> Any:
        """Parse the structure at the start of `data`."""

    def parse_stream(self, stream: BinaryIO, **contextkw: Any) -> Any:
        """Parse the structure at the stream's position; the stream must be able to seek."""

    def build(self, obj: Any, **contextkw: Any) -> bytes:
        """Build the bytes of a mapping from field names to values."""

    def build_stream(self, obj: Any, stream: BinaryIO, **contextkw: Any) -> Any:
        """Build the bytes of a mapping into a stream."""

    def sizeof(self, **contextkw: Any) -> int:
        """Return the size in bytes, or raise `construct.SizeofError` where it varies."""

    def __rtruediv__(self, name: str) -> Any:
        """Name the schema, to make it a field of another."""


class Layout(Struct):  # type: ignore[misc]  # construct ships no types
    """A Struct that is strict about what it builds from and lets only Construct's errors out.

    It accepts any mapping, ignores keys that begin with an underscore (Construct's own), and
    refuses a key that is none of its fields: a misspelt field would be dropped without a word.
    The parsed Container holds fields only, not the stream that Construct puts into it.
    """

    def _parse(self, stream: Any, context: Any, path: Any) -> Any:
        try:
            parsed = super()._parse(stream, context, path)
        except ConstructError:
            raise
        except Exception as error:
            raise ConstructError(f"{type(error).__name__}: {error}", path=path) from error
        parsed.pop("_io", None)
        return parsed

    def _build(self, obj: Any, stream: Any, context: Any, path: Any) -> Any:
        try:
            return super()._build(self._fields(obj, path), stream, context, path)
        except ConstructError:
            raise
        except Exception as error:
            raise ConstructError(f"{type(error).__name__}: {error}", path=path) from error

    def _fields(self, obj: Any, path: Any) -> dict[str, Any]:
        if obj is None:
            obj = {}
        if not isinstance(obj, Mapping):
            raise ConstructError(f"built from a mapping, not {type(obj).__name__}", path=path)
        fields = {
            name: value
            for name, value in obj.items()
            if not (isinstance(name, str) and name.startswith("_"))
        }
        if strange := [name for name in fields if name not in self._subcons]:
            raise ConstructError(f"not a field of this layout: {strange!r}", path=path)
        needed = (field.name for field in self.subcons if not field.flagbuildnone)
        if missing := [name for name in needed if name not in fields]:
            raise ConstructError(f"not given, and nothing to derive it from: {missing}", path=path)
        return fields


class BoundedBytes(Construct):  # type: ignore[misc]  # construct ships no types
    """A byte string of `length(context)` bytes, or of fewer where the stream ends before.

    Args:
        length: the length to parse, from the fields before; None means up to the stream's end.
        default: the bytes to build when none are given, from the other fields.
    """

    def __init__(
        self,
        length: Callable[[Any], int] | None = None,
        default: Callable[[Any], bytes] = lambda _: b"",
    ) -> None:
        super().__init__()
        self.length = length
        self.default = default
        self.flagbuildnone = True

    def _parse(self, stream: Any, context: Any, path: Any) -> bytes:
        return read_up_to(stream, self.length(context) if self.length else None, path)

    def _build(self, obj: Any, stream: Any, context: Any, path: Any) -> bytes:
        value = as_bytes(self.default(context) if obj is None else obj, path)
        stream_write(stream, value, len(value), path)
        return value


class FixedBytes(Construct):  # type: ignore[misc]  # construct ships no types
    """Exactly `size` bytes; a shorter value is filled up with zeros, as QEMU fills its arrays."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def _parse(self, stream: Any, context: Any, path: Any) -> bytes:
        return bytes(stream_read(stream, self.size, path))

    def _build(self, obj: Any, stream: Any, context: Any, path: Any) -> bytes:
        value = as_bytes(obj, path).ljust(self.size, b"\0")
        stream_write(stream, value, self.size, path)
        return value

    def _sizeof(self, context: Any, path: Any) -> int:
        return self.size


class Substream(Subconstruct):  # type: ignore[misc]  # construct ships no types
    """Parses `subcon` in a stream of its own: `length(context)` bytes, or what is left of them."""

    def __init__(self, length: Callable[[Any], int], subcon: Any) -> None:
        super().__init__(subcon)
        self.length = length

    def _parse(self, stream: Any, context: Any, path: Any) -> Any:
        window = io.BytesIO(read_up_to(stream, self.length(context), path))
        return self.subcon._parsereport(window, context, path)

    def _sizeof(self, context: Any, path: Any) -> int:
        raise SizeofError("the length comes from the bytes", path=path)


class Present(Subconstruct):  # type: ignore[misc]  # construct ships no types
    """A field that exists `when(context)`; elsewhere it parses to None.

    Building writes a value that is given even where the condition says that there is no field:
    that is how a fuzzer contradicts a version or a length. With no value given, the field gets
    `default(context)` where it exists, and nothing where it does not or where that is None.
    """

    def __init__(
        self,
        when: Callable[[Any], bool],
        subcon: Any,
        default: Callable[[Any], Any] = lambda _: None,
    ) -> None:
        super().__init__(subcon)
        self.when = when
        self.default = default
        self.flagbuildnone = True

    def _parse(self, stream: Any, context: Any, path: Any) -> Any:
        return self.subcon._parsereport(stream, context, path) if self.when(context) else None

    def _build(self, obj: Any, stream: Any, context: Any, path: Any) -> Any:
        if obj is None and self.when(context):
            obj = self.default(context)
        return None if obj is None else self.subcon._build(obj, stream, context, path)

    def _sizeof(self, context: Any, path: Any) -> int:
        raise SizeofError("whether there is a field comes from the bytes", path=path)


def has_room(context: Any, size: int) -> bool:
    """Whether the stream that is being parsed has so many bytes left."""
    start = stream_tell(context._io, "")
    found = len(read_up_to(context._io, size, "")) == size
    stream_seek(context._io, start, io.SEEK_SET, "")
    return found


class WhileRoom(Subconstruct):  # type: ignore[misc]  # construct ships no types
    """A field of fixed size that exists if the (sub)stream has room for it; else None.

    Args:
        subcon: the field.
        before: names of the fields behind this one. They have no place without it, so building
            one of them without this one is refused.
    """

    def __init__(self, subcon: Any, before: tuple[str, ...] = ()) -> None:
        super().__init__(subcon)
        self.before = before
        self.flagbuildnone = True

    def _parse(self, stream: Any, context: Any, path: Any) -> Any:
        start = stream_tell(stream, path)
        size = self.subcon._sizeof(context, path)
        room = len(read_up_to(stream, size, path)) == size
        stream_seek(stream, start, io.SEEK_SET, path)
        return self.subcon._parsereport(stream, context, path) if room else None

    def _build(self, obj: Any, stream: Any, context: Any, path: Any) -> Any:
        if obj is not None:
            return self.subcon._build(obj, stream, context, path)
        if misplaced := [n for n in self.before if context.get(n) not in (None, b"")]:
            raise ConstructError(f"absent, but fields behind it are not: {misplaced}", path=path)
        return None

    def _sizeof(self, context: Any, path: Any) -> int:
        raise SizeofError("whether there is room comes from the bytes", path=path)


class Repeated(Subconstruct):  # type: ignore[misc]  # construct ships no types
    """Elements up to the stream's end, or up to and with the first for which `last` holds.

    An element that the stream no longer holds whole is not taken: its bytes stay in the stream.
    Parsing takes at most `max_entries` where the caller hands that in as context
    (`schema.parse(data, max_entries=1000)`): how much work is too much is the caller's rule.
    """

    def __init__(self, subcon: Any, last: Callable[[Any], bool] = lambda _: False) -> None:
        super().__init__(subcon)
        self.last = last

    def _parse(self, stream: Any, context: Any, path: Any) -> list[Any]:
        elements: list[Any] = []
        most = context._params.get("max_entries")
        while most is None or len(elements) < most:
            start = stream_tell(stream, path)
            try:
                element = self.subcon._parsereport(stream, context, path)
            except StreamError:
                stream_seek(stream, start, io.SEEK_SET, path)
                break
            elements.append(element)
            if self.last(element):
                break
        return elements

    def _build(self, obj: Any, stream: Any, context: Any, path: Any) -> Any:
        for element in obj:
            self.subcon._build(element, stream, context, path)
        return obj


def word(size: int, *fields: Any) -> Schema:
    """Return bit fields in a big-endian word of `size` bytes, the highest bit first."""
    schema: Schema = Transformed(Layout(*fields), bytes2bits, size, bits2bytes, size)
    return schema


def default(subcon: Any, value: Any) -> Any:
    """Return a field that is built from `value` (or `value(context)`) unless it is given."""
    return Default(subcon, value)


def size_of(schema: Schema, obj: Any) -> int:
    """Return how many bytes `obj` builds to."""
    return len(schema.build(obj))


def given_length(context: Any, name: str) -> int:
    """Return the length of the bytes given to build `name` from; 0 if there are none."""
    return len(context.get(name) or b"")


def zeros_to_8(size: int) -> bytes:
    """Return the zeros that round `size` up to a multiple of 8."""
    return bytes(-size % 8)


def as_bytes(value: Any, path: Any) -> bytes:
    """Return a byte-like value as bytes; refuse anything else, text and integers included."""
    if not isinstance(value, _BYTES):
        raise StringError(f"built from bytes, not {type(value).__name__}", path=path)
    return bytes(value)


def read_up_to(stream: Any, length: int | None, path: Any) -> bytes:
    """Read `length` bytes (None: all), or as many as the stream has left."""
    pieces: list[bytes] = []
    left = length
    while left is None or left > 0:
        try:
            piece = stream.read(_PIECE if left is None else min(left, _PIECE))
        except Exception as error:
            raise StreamError(f"the stream cannot be read: {error}", path=path) from error
        if not piece:
            break
        pieces.append(piece)
        left = None if left is None else left - len(piece)
    return b"".join(pieces)
