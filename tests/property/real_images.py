"""Every structure of the images in tests/data, as bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from qcow_parsers import Qcow1

from qcowspec import lay_open
from qcowspec.fuzzing.places import parts
from qcowspec.image import Image
from qcowspec.spec.decoding import l1_offset, refcount_block_offset
from qcowspec.spec.metadata import Format, Table
from qcowspec.spec.structures import layout_name
from qcowspec.spec.units import HostOffset

DATA = Path(__file__).parents[1] / "data"

IMAGES = sorted(DATA.glob("*.qcow*"))

SMALL = 128 << 10
"""Bytes of an image that is small enough to be mutated thousands of times."""

SMALL_IMAGES = [path for path in IMAGES if path.stat().st_size <= SMALL]


class Found(NamedTuple):
    """The bytes of one structure of an image."""

    name: str
    layout: str
    arguments: tuple[int | bool, ...]
    data: bytes


def structures(image: Image) -> Iterator[Found]:
    """Everything but the entries of the tables."""
    yield Found("probe", "qcow::probe", (), image.source.read_at(0, 8))
    for part in parts(image.metadata):
        yield Found(part.name, layout_name(part.layout), part.arguments, part.data)
    header = image.header
    if isinstance(header, Qcow1.Header):
        return
    start, end = header.effective_header_length, header.extensions_end
    area = image.source.read_at(start, end - start)
    yield Found("header_extensions", "qcow2::header_extensions", (), area)
    yield Found(
        "snapshots",
        "qcow2::snapshot_table",
        (len(image.snapshots),),
        b"".join(part.data for part in image.snapshots.parts),
    )
    bitmaps = image.metadata.bitmaps_extension
    if bitmaps is not None:
        size, offset = bitmaps.bitmap_directory_size, bitmaps.bitmap_directory_offset
        arguments = (bitmaps.nb_bitmaps, header.cluster_bits, header.size)
        directory = image.source.read_at(offset, size)
        yield Found("bitmaps", "qcow2::bitmap_directory", arguments, directory)


def entries(image: Image) -> Iterator[Found]:
    """The entries of every table, each value once, and the refcount blocks."""
    geometry, v1 = image.geometry, image.format is Format.QCOW
    bits, size = geometry.cluster_bits, geometry.l2_entry_size
    l1_tables = [table for table in (image.l1_table,) if table is not None]
    for snapshot in image.snapshots:
        length = snapshot.l1_size * Table.ENTRY_SIZE
        data = image.source.read_at(snapshot.l1_table_offset, length)
        offset = HostOffset(snapshot.l1_table_offset)
        l1_tables.append(Table("l1_table", offset, snapshot.l1_size, data))
    l1_entries = {value for table in l1_tables for value in table.values()}
    yield from _each("l1_entry", "qcow1::l1_entry" if v1 else "qcow2::l1_entry", (), l1_entries)

    l2_entries = set()
    for l2_offset in {value if v1 else l1_offset(value) for value in l1_entries} - {0}:
        data = image.source.read_at(l2_offset, geometry.l2_table_size)
        l2_entries |= {data[i : i + size] for i in range(0, len(data) - size + 1, size)}
    arguments = (bits,) if v1 else (bits, geometry.has_extended_l2)
    name = "qcow1::l2_entry" if v1 else "qcow2::l2_entry"
    for entry in sorted(l2_entries):
        yield Found("l2_entry", name, arguments, entry)
    yield from _refcounts(image)
    yield from _bitmap_tables(image)


def _refcounts(image: Image) -> Iterator[Found]:
    if image.refcount_table is None:
        return
    values = set(image.refcount_table.values())
    yield from _each("refcount_table_entry", "qcow2::refcount_table_entry", (), values)
    order = image.geometry.refcount_order
    for offset in sorted({refcount_block_offset(value) for value in values} - {0}):
        block = image.source.read_at(offset, image.geometry.cluster_size)
        # The clusters behind the last one in use are many, and all of them 0.
        used = block[: len(block.rstrip(b"\0")) // 64 * 64 + 64]
        yield Found("refcount_block", "qcow2::refcount_block", (order,), used)


def _bitmap_tables(image: Image) -> Iterator[Found]:
    for bitmap in image.bitmaps:
        data = image.source.read_at(bitmap.bitmap_table_offset, bitmap.bitmap_table_bytes)
        offset = HostOffset(bitmap.bitmap_table_offset)
        values = Table("bitmap_table", offset, bitmap.bitmap_table_size, data).values()
        yield from _each("bitmap_table_entry", "qcow2::bitmap_table_entry", (), set(values))


def _each(name: str, layout: str, arguments: tuple[int, ...], values: set[int]) -> Iterator[Found]:
    for value in sorted(values):
        yield Found(name, layout, arguments, value.to_bytes(Table.ENTRY_SIZE, "big"))


def everything(path: Path) -> Iterator[Found]:
    """Every structure and every entry of an image."""
    with lay_open(path) as image:
        yield from structures(image)
        yield from entries(image)
