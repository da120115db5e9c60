"""BITMAPS: the bitmap directory, and the tables of the bitmaps that are up to date.

In: the bitmaps extension, where the image vouches for it. Out: `Metadata.bitmaps`, and a finding
for entries of a bitmap table that break a rule. Refuses: to read a directory whose bounds break a
rule, tables after a broken one, which QEMU does not read either, and more bytes of tables than any
image has a use for.

Source: docs/interop/qcow2, Bitmaps; block/qcow2-bitmap.c: bitmap_list_load,
qcow2_load_dirty_bitmaps.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from qcow_parsers import Qcow2
from qcow_parsers import constants as c

from qcowspec.reader.needs import Reading, Window
from qcowspec.reader.tables import read_entry
from qcowspec.spec.decoding import FULL, bitmap_plain
from qcowspec.spec.entries import BitmapTableEntries, Frame
from qcowspec.spec.entry_rules import bitmaps_reserved, in_file, on_cluster
from qcowspec.spec.metadata import Leftover, Metadata, Names, Turn
from qcowspec.spec.rules import KEPT_PER_RULE, Judge
from qcowspec.spec.structures import Part
from qcowspec.spec.units import HostOffset, align_up

AT_ONCE = 65536
"""Bytes of a bitmap table that are judged together."""

NAME = "bitmap_directory"

Span = tuple[int, int]
"""Where a bitmap table lies, and how many entries it has."""


def read(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    """Read the directory, and the tables; False where the directory cannot be read to its end."""
    sound = True
    if image.bitmaps_extension is not None and image.qcow2_header.has_bitmaps:
        sound = yield from _read_directory(image, window, judge, image.bitmaps_extension)
    judge.header("bitmaps")
    return sound


def _read_directory(
    image: Metadata, window: Window, judge: Judge, extension: Qcow2.BitmapsExtension
) -> Reading[bool]:
    assert image.bitmaps_part is not None
    judge(image.bitmaps_part, extension, "extensions")
    if "bitmaps" in judge.stopped:
        return False
    known = image.qcow2_header.cluster_bits, image.qcow2_header.size
    fixed, names = c.QCOW2_BITMAP_DIR_ENTRY_SIZE, Names()
    offset, index = extension.bitmap_directory_offset, 0
    end = offset + extension.bitmap_directory_size
    tables: set[Span] = set()
    tables_sound = True
    with image.at(Turn(0, HostOffset(offset))):
        while end - offset >= fixed:
            at = HostOffset(offset)
            blank = Part(f"bitmaps[{index}]", Qcow2.BitmapDirectoryEntry, at, b"", known)
            part, entry = yield from read_entry(window, blank, fixed, end)
            first = names.add(entry.name.partition(b"\0")[0])
            image.turn = Turn(index, at, end - offset, repeats=not first)
            if not judge(part, entry):
                image.unfit.append(part)
                return False
            image.bitmaps.add(part)
            image.reaches(at + len(part.data) - len(entry.padding))
            image.reaches(entry.bitmap_table_offset + entry.bitmap_table_bytes)
            if tables_sound and _has_table(entry, tables):
                tables_sound = yield from _read_table(image, window, judge, part.name, entry)
            offset, index = offset + entry.entry_size, index + 1
        image.turn = Turn(index, HostOffset(offset), end - offset)
        if offset < end:
            image.leftovers.append(Leftover(f"{NAME}.unparsed", image.turn.offset, end - offset))
        rest = yield from window.read_zero_filled(offset, max(0, end - offset))
        arguments = (extension.nb_bitmaps, *known)
        part_left = Part(NAME, Qcow2.BitmapDirectory, HostOffset(offset), rest, arguments)
        return judge(part_left, part_left.parse())


def _has_table(bitmap: Qcow2.BitmapDirectoryEntry, seen: set[Span]) -> bool:
    """Whether a bitmap has a table that QEMU reads, and that was not seen before."""
    span = (bitmap.bitmap_table_offset, bitmap.bitmap_table_size)
    new = span not in seen
    seen.add(span)
    return (
        new
        and not bitmap.in_use
        and bitmap.ok_bitmap_size
        and bitmap.ok_bitmap_table_offset
        and bitmap.ok_bitmap_table_offset_present
        and bitmap.ok_table_read
    )


def _read_table(
    image: Metadata, window: Window, judge: Judge, name: str, bitmap: Qcow2.BitmapDirectoryEntry
) -> Reading[bool]:
    """Read a table as far as the file goes; the zeros that QEMU reads after it break no rule.

    Returns:
        Whether QEMU reads the next table too.
    """
    offset, size = bitmap.bitmap_table_offset, c.BME_TABLE_ENTRY_SIZE
    length = align_up(image.present(offset, bitmap.bitmap_table_bytes), size)
    image.bitmap_tables_length += length
    if image.bitmap_tables_length > c.POLICY_MAX_BITMAP_TABLES:
        return True
    past_end = False
    for start in range(0, length, AT_ONCE):
        data = yield from window.read_zero_filled(offset + start, min(AT_ONCE, length - start))
        broken = list(islice(broken_entries(data, image), KEPT_PER_RULE))
        beyond = [] if past_end else list(islice(past_end_entries(data, image), 1))
        for index in sorted({*broken, *beyond}):
            at = HostOffset(offset + start + index * size)
            part = Part(
                f"{name}.bitmap_table[{start // size + index}]",
                Qcow2.BitmapTableEntry,
                at,
                data[index * size : (index + 1) * size],
            )
            with image.at(Turn(start // size + index, at)):
                judge(part, part.parse())
        if broken:
            return False
        past_end = past_end or bool(beyond)
    return True


def broken_entries(table: bytes, image: Metadata) -> Iterator[int]:
    """Which entries break a rule of QEMU's; for whole tables.

    Source: block/qcow2-bitmap.c: check_table_entry.
    """
    odd = FULL & ~bitmap_plain(image.qcow2_header.cluster_size)
    # One number holds the whole table: most tables have none of the bits that matter here.
    if not int.from_bytes(table, "big") & _repeated(odd, len(table)):
        return
    values = _values(table)
    views = {value: _view(value, image) for value in set(values) if value & odd}
    broken = {
        value
        for value, entry in views.items()
        if not (bitmaps_reserved(entry) and on_cluster(entry))
    }
    if broken:
        yield from (index for index, value in enumerate(values) if value in broken)


def past_end_entries(table: bytes, image: Metadata) -> Iterator[int]:
    """Which entries point at a cluster that begins past the end of the file."""
    values = _values(table)
    if not image.holds(max(values, default=0), 1):
        for index, value in enumerate(values):
            if not in_file(_view(value, image)):
                yield index


def _view(value: int, image: Metadata) -> BitmapTableEntries:
    assert image.geometry is not None
    return BitmapTableEntries(value, Frame(image.geometry, length=image.length))


def _values(table: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(table) // c.BME_TABLE_ENTRY_SIZE}Q", table)


@lru_cache(maxsize=8)
def _repeated(mask: int, length: int) -> int:
    """A mask for each entry of a table of so many bytes, as one number."""
    size = c.BME_TABLE_ENTRY_SIZE
    return int.from_bytes(mask.to_bytes(size, "big") * (length // size), "big")
