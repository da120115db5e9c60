"""Patches: changes to an image written down as data, as the vectors have them.

In: an image, and operations as TOML tables. Out: the image changed, with a record. Refuses: what
does not fit the image, as `Unfit`; an invalid operation, with `ValueError`.

An operation is one of::

    { field = "header.cluster_bits", value = 22 }           a number, as wide as its field
    { field = "header.incompatible_features", set = [5] }   bits set, or cleared with `clear`
    { field = "luks_header.cipher_mode", text = "xts" }     the field's bytes, filled up with zeros
    { at = 20, u32 = 22 }                                   a number of u8, u16, u32 or u64
    { at = "end", hex = "00ff", times = 8 }                 bytes, or `text`, perhaps repeated
    { at = "end", structure = "qcow2::snapshot", fields = { l1_size = 1 } }
    { at = "end", copy = "luks_header" }                    a copy of a field or structure
    { extension = "data_file", text = "disk.raw" }          a header extension before the END; its
                                                            type by name or number, its data as
                                                            `text`, `hex` or `fields`, another `len`
    { truncate = "cluster_size" }

A number may be an expression: ``"cluster_size + 1"``, ``"old + 8"``, ``"header.l1_table_offset"``,
``"offset(snapshots[0])"``. Paths are those of a dump, and are looked up when their operation is
applied; `end` is the first cluster boundary after the original image. An operation with
``repeat = 8`` is applied 8 times, and `index` counts.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from qcow_parsers import constants as c

from qcowspec.build import structure
from qcowspec.fuzzing.drafts import LARGEST, Draft
from qcowspec.fuzzing.places import Place, Unfit
from qcowspec.spec.units import align_up

Operation = Mapping[str, Any]
Number = int | str

LARGEST_SHIFT = 128
LONGEST_EXPRESSION = 500
"""Bounds on expressions, far above any that is useful."""

OPERATORS: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}

WIDTHS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}

EXTENSIONS = {extension.id: extension for extension in c.EXTENSIONS}


def apply(draft: Draft, patch: Iterable[Operation]) -> None:
    """Apply a patch; if it fails, the image stays as it was.

    Raises:
        Unfit: An operation does not fit the image.
        ValueError: An operation is invalid.
    """
    with draft.all_or_nothing():
        for operation in patch:
            for draft.index in range(operation.get("repeat", 1)):
                _apply(draft, operation)


def evaluate(number: Number, draft: Draft, old: int | None = None) -> int:
    """The value of a number, or of an expression.

    Args:
        number: The number or expression.
        draft: The image in which its paths are looked up.
        old: The value of the name ``old``.

    Raises:
        Unfit: The image lacks what the expression names.
        ValueError: The expression is invalid.
    """
    if isinstance(number, int):
        return number
    if len(number) > LONGEST_EXPRESSION:
        raise ValueError(f"an expression has {LONGEST_EXPRESSION} characters at most")
    try:
        tree = ast.parse(number, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{number[:80]!r} is no expression") from error
    return _value(tree, draft, old)


def _apply(draft: Draft, operation: Operation) -> None:
    match operation:
        case {"field": path}:
            _set(draft, draft.find(path), operation)
        case {"truncate": length}:
            draft.truncate(evaluate(length, draft))
        case {"extension": kind}:
            _add_extension(draft, kind, operation)
        case {"at": offset}:
            draft.write(evaluate(offset, draft), _bytes(draft, operation))
        case _:
            raise ValueError(f"{dict(operation)} is no operation")


def _set(draft: Draft, place: Place, operation: Operation) -> None:
    if "value" not in operation and not operation.keys() & {"set", "clear"}:
        data = _bytes(draft, operation)
        if len(data) > place.length:
            raise Unfit(f"{len(data)} bytes do not fit {place.path}")
        draft.write(place.offset, data.ljust(place.length, b"\0"), place.path)
        return
    if not isinstance(place.value, int):
        raise Unfit(f"{place.path} is no number")
    value = evaluate(operation.get("value", place.value), draft, place.value)
    for bit in _bits(operation, "set", place):
        value |= 1 << bit
    for bit in _bits(operation, "clear", place):
        value &= ~(1 << bit)
    draft.set(place, value)


def _bits(operation: Operation, what: str, place: Place) -> tuple[int, ...]:
    """The bits to set or clear, checked before anything is shifted by them."""
    bits = tuple(operation.get(what, ()))
    for bit in bits:
        if not 0 <= bit < 8 * place.length:
            raise Unfit(f"{place.path} has no bit {bit}")
    return bits


def _bytes(draft: Draft, operation: Operation) -> bytes:
    """The bytes that an operation writes."""
    match operation:
        case {"hex": digits}:
            data = bytes.fromhex(digits)
        case {"text": text}:
            data = text.encode()
        case {"copy": path}:
            place = draft.find(path)
            data = bytes(draft.data[place.offset : place.offset + place.length])
        case {"structure": layout, "fields": fields}:
            data = structure(layout, as_fields(fields), *operation.get("arguments", ()))
        case _:
            numbers = [name for name in WIDTHS if name in operation]
            if len(numbers) != 1:
                raise ValueError(f"{dict(operation)} says not what to write")
            width = WIDTHS[numbers[0]]
            value = evaluate(operation[numbers[0]], draft)
            if not 0 <= value < 1 << 8 * width:
                raise Unfit(f"{value} does not fit {width} bytes")
            data = value.to_bytes(width, "big")
    times = evaluate(operation.get("times", 1), draft)
    if not 0 <= times * len(data) <= LARGEST:
        raise Unfit(f"{times} times {len(data)} bytes are too many")
    return data * times


def as_fields(value: Any) -> Any:
    """Fields for `qcowspec.build.structure`: text becomes bytes."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, Mapping):
        return {name: as_fields(item) for name, item in value.items()}
    if isinstance(value, list):
        return [as_fields(item) for item in value]
    return value


def _add_extension(draft: Draft, kind: Number, operation: Operation) -> None:
    """Insert a header extension before the END, or after the last one; what follows moves."""
    known = EXTENSIONS.get(str(kind))
    magic = known.magic if known is not None else evaluate(kind, draft)
    if "fields" in operation and known is not None:
        data = structure(str(known.layout), as_fields(operation["fields"]))
    elif operation.keys() & {"hex", "text"}:
        data = _bytes(draft, operation)
    else:
        data = b""
    length = evaluate(operation.get("len", len(data)), draft)
    insert_extension(draft, extension_record(magic, length, data))


def extension_record(magic: int, length: int, data: bytes) -> bytes:
    """The bytes of a header extension, its data padded."""
    head = magic.to_bytes(4, "big") + length.to_bytes(4, "big")
    return head + data.ljust(align_up(len(data), c.QCOW2_EXT_ALIGNMENT), b"\0")


def insert_extension(draft: Draft, record: bytes) -> None:
    """Insert the bytes of an extension before the END, or after the last one.

    Raises:
        Unfit: The image has no extensions, or no room for one more.
    """
    image, cluster = draft.places.image, draft.places.cluster_size
    area = draft.places.extension_area()
    count = len(image.extensions)
    at, closing = area, 0
    if count:
        last = image.extensions.part(-1)
        if int(image.extensions[count - 1].magic) == c.QCOW2_EXT_MAGIC_END:
            at, closing = last.offset, len(last.data)
        else:
            at = last.offset + len(last.data)
    name = draft.find("header.backing_file_offset"), draft.find("header.backing_file_size")
    offset, size = (int(place.value or 0) for place in name)
    used = len(bytes(draft.data[:cluster]).rstrip(b"\0"))
    used = max(used, at + closing, offset + size if offset else 0)
    if used + len(record) > cluster:
        raise Unfit("the first cluster has no room for one more extension")
    draft.write(at, record + bytes(draft.data[at:used]), "header_extensions")
    if offset >= at:
        draft.set(name[0], offset + len(record))


# --- expressions ----------------------------------------------------------------------------------


def _value(tree: ast.expr, draft: Draft, old: int | None) -> int:
    match tree:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id="old") if old is not None:
            return old
        case ast.Name(id="index"):
            return draft.index
        case ast.Name(id="cluster_size"):
            return draft.base.cluster_size
        case ast.Name(id="end"):
            return draft.base.end
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, draft, old)
        case ast.BinOp(left=left, op=ast.LShift(), right=right):
            shift = _value(right, draft, old)
            if not 0 <= shift <= LARGEST_SHIFT:
                raise Unfit(f"a shift by {shift} bits")
            return _value(left, draft, old) << shift
        case ast.BinOp(left=left, op=symbol, right=right) if type(symbol) in OPERATORS:
            values = _value(left, draft, old), _value(right, draft, old)
            try:
                return OPERATORS[type(symbol)](*values)
            except ZeroDivisionError as error:
                raise Unfit(f"{ast.unparse(tree)} divides by zero") from error
        case ast.Call(func=ast.Name(id="offset"), args=[path], keywords=[]):
            return draft.find(ast.unparse(path)).offset
        case ast.Call(func=ast.Name(id="length"), args=[path], keywords=[]):
            return draft.find(ast.unparse(path)).length
        case ast.Attribute() | ast.Subscript():
            found = draft.find(ast.unparse(tree)).value
            if isinstance(found, int):
                return found
    raise ValueError(f"{ast.unparse(tree)} is no number")
