"""EXTENSIONS: the header extensions, and the LUKS headers that they point at.

In: the area from header_length to the backing file name or the end of the first cluster.
Out: `Metadata.extensions`, the feature names, the data file's name, the LUKS header.
Refuses: to follow an extension that does not fit its area: what comes after it has no known place;
and to judge more extensions, or to read more LUKS headers, than any image needs.

Source: docs/interop/qcow2, Header extensions; block/qcow2.c: qcow2_read_extensions.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from qcow_parsers import Luks1, Qcow2
from qcow_parsers import constants as c

from qcowspec.reader.needs import Reading, Window
from qcowspec.spec.metadata import Leftover, Metadata, Reference, Turn
from qcowspec.spec.rules import Judge
from qcowspec.spec.structures import Part
from qcowspec.spec.units import HostOffset, align_up

HEAD = struct.Struct(">II")
"""A record's magic and len: a hostile area has 262,144 of them, too many to parse them all."""

Area = Part[Qcow2.HeaderExtensions]
Record = Part[Qcow2.HeaderExtension]

NAME = "header_extensions"
UNPARSED = f"{NAME}.unparsed"


class Span(NamedTuple):
    """Where a record stands in its area.

    Attributes:
        start: Its first byte.
        end: The byte after it and its padding, as far as there is room for padding; past the
            area's end if the record does not fit.
        last: Whether the walk ends here: with an end record, or with one that does not fit.
    """

    start: int
    end: int
    last: bool


def read(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    """Read the extensions and the LUKS headers that they point at."""
    header = image.qcow2_header
    located = (
        header.ok_header_length_minimum
        and header.ok_header_length_maximum
        and header.ok_backing_file_offset
    )
    start, end = header.effective_header_length, header.extensions_end
    if located and start < end:
        rest = yield from window.read_zero_filled(start, header.cluster_size - start)
        area = Part(NAME, Qcow2.HeaderExtensions, HostOffset(start), rest[: end - start])
        with image.at(Turn(0, area.offset)):
            yield from _walk(image, window, judge, area)
            name = header.backing_file_size if header.backing_file_offset else 0
            _note_strays(image, "slack", rest, end - start + name, area.offset)
            judge(area, None)
    judge.header("extensions")
    return located


def _walk(image: Metadata, window: Window, judge: Judge, area: Area) -> Reading[None]:
    """Go through the records; in the end `image.turn` is after the last one."""
    index, at, length = 0, 0, len(area.data)
    for span in _spans(area.data):
        if index < c.POLICY_MAX_HEADER_EXTENSIONS or span.last:
            data = area.data[span.start : span.end]
            offset = HostOffset(area.offset + span.start)
            name = f"{NAME}[{len(image.extensions)}]"
            record = Part(name, Qcow2.HeaderExtension, offset, data)
            yield from _read_record(image, window, judge, record)
        index, at = index + 1, min(span.end, length)
    image.turn = Turn(index, HostOffset(area.offset + at), length - at)
    if c.QCOW2_EXT_MAGIC_END in image.extension_types:
        _note_strays(image, UNPARSED, area.data, at, area.offset)
    elif at < length:
        image.leftovers.append(Leftover(UNPARSED, image.turn.offset, length - at))


def _spans(area: bytes) -> Iterator[Span]:
    start, length = 0, len(area)
    while length - start >= HEAD.size:
        magic, size = HEAD.unpack_from(area, start)
        end = start + HEAD.size + size
        if end > length:
            yield Span(start, end, last=True)
            return
        end = min(align_up(end, c.QCOW2_EXT_ALIGNMENT), length)
        yield Span(start, end, last=magic == c.QCOW2_EXT_MAGIC_END)
        if magic == c.QCOW2_EXT_MAGIC_END:
            return
        start = end


def _note_strays(image: Metadata, name: str, data: bytes, start: int, base: int) -> None:
    """Note the bytes from `start` on that are not zero, if there are any."""
    data = data[start:]
    if data == bytes(len(data)):  # nearly always, and ten times as fast as counting
        return
    image.slack += len(data) - data.count(0)
    first = len(data) - len(data.lstrip(b"\0"))
    length = len(data.rstrip(b"\0")) - first
    image.leftovers.append(Leftover(name, HostOffset(base + start + first), length))


def _read_record(image: Metadata, window: Window, judge: Judge, record: Record) -> Reading[None]:
    """Judge one record and what it holds; keep what later stages ask for.

    Of several records of one type QEMU uses the last.
    """
    parsed = _parsed(record.data) if len(record.data) <= SMALL else record.parse()
    magic = int(parsed.magic)
    index = len(image.extensions)
    image.turn = Turn(index, record.offset, repeats=magic in image.extension_types)
    image.extension_types.add(magic)
    image.extensions.add(record)
    judge(record, parsed)
    data, offset = parsed.data, HostOffset(record.offset + HEAD.size)
    inner: Part[Any] = Part(
        f"{record.name}.data", type(data), offset, record.data[HEAD.size :][: parsed.len_data]
    )
    if isinstance(data, Qcow2.FeatureNameTable):
        _read_names(image, judge, inner, data)
    elif isinstance(data, Qcow2.DataFile):
        judge(inner, data)
        name = data.data_file.partition(b"\0")[0]
        image.data_file = Reference(name, offset, len(data.data_file))
    elif isinstance(data, Qcow2.BackingFormat):
        image.backing_format = data.format.partition(b"\0")[0]
    elif isinstance(data, Qcow2.BitmapsExtension) and parsed.ok_bitmaps_len:
        image.bitmaps_extension, image.bitmaps_part = data, inner
        if image.qcow2_header.has_bitmaps:
            judge(inner, data)
    elif isinstance(data, Qcow2.CryptoExtension) and parsed.ok_crypto_len:
        yield from _read_luks(image, window, judge, inner, data)


@lru_cache(maxsize=64)
def _parsed(data: bytes) -> Qcow2.HeaderExtension:
    """A record, parsed once for all images that have it: most have QEMU's feature names."""
    return Part(NAME, Qcow2.HeaderExtension, HostOffset(0), data).parse()


SMALL = 4096
"""Bytes of a record that may be remembered."""


def _read_names(
    image: Metadata, judge: Judge, part: Part[Any], table: Qcow2.FeatureNameTable
) -> None:
    """Judge the entries; QEMU stops at the first one without a name."""
    size, named = c.QCOW2_FEATURE_ENTRY_SIZE, True
    for index, entry in enumerate(table.entries):
        if not judge.sound(Qcow2.FeatureNameEntry, entry):
            data = part.data[index * size : (index + 1) * size]
            offset = HostOffset(part.offset + index * size)
            label = f"{part.name}.entries[{index}]"
            judge(Part(label, Qcow2.FeatureNameEntry, offset, data), entry)
        name = entry.name.partition(b"\0")[0]
        named = named and bool(name)
        if named:
            image.feature_names.setdefault((int(entry.type), entry.bit), name)


def _read_luks(
    image: Metadata,
    window: Window,
    judge: Judge,
    part: Part[Any],
    pointer: Qcow2.CryptoExtension,
) -> Reading[None]:
    """Read the LUKS header that a pointer leads to; QEMU reads one for each pointer."""
    image.crypto_extension, image.crypto_part = pointer, part
    if int(image.qcow2_header.crypt_method) != c.QcowCryptMethod.QCOW_CRYPT_LUKS:
        return
    if not judge(part, pointer):
        return
    known = image.luks_headers.get(pointer.offset)
    if known is None:
        size, offset = c.QCRYPTO_BLOCK_LUKS_HEADER_SIZE, HostOffset(pointer.offset)
        data = yield from window.read_zero_filled(offset, size)
        number = len(image.luks_headers)
        name = f"luks_header[{number}]" if number else "luks_header"
        known = image.luks_headers[offset] = Part(name, Luks1.Header, offset, data)
        image.luks = known.parse()
        if judge(known, image.luks):
            _judge_slots(image, judge, known, image.luks)
    image.luks, image.luks_part = known.parse(), known


def _judge_slots(
    image: Metadata, judge: Judge, part: Part[Luks1.Header], header: Luks1.Header
) -> None:
    size = c.QCRYPTO_BLOCK_LUKS_KEY_SLOT_SIZE
    first = c.QCRYPTO_BLOCK_LUKS_HEADER_SIZE - len(header.key_slots) * size
    for index, slot in enumerate(header.key_slots):
        start = first + index * size
        offset = HostOffset(part.offset + start)
        name = f"{part.name}.key_slots[{index}]"
        with image.at(Turn(index, offset)):
            judge(Part(name, Luks1.KeySlot, offset, part.data[start : start + size]), slot)
