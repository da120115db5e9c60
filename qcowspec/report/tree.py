"""Lays an image open: every structure that the reader met, and the tables that they locate.

In: an opened image. Out: `Node`s, in the order in which a reader meets the structures, each made
when it is asked for. Refuses: nothing; see `qcowspec.report.tables` for what is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from qcowspec.image import Image
from qcowspec.reader.l1 import Seen
from qcowspec.report import tables, words
from qcowspec.report.meaning import in_short, meaning, title
from qcowspec.report.nodes import Node
from qcowspec.spec.metadata import Leftover, Structures
from qcowspec.spec.structures import Field, Part, lay_open

BACKING_FILE_NAME = "backing_file_name"


MANY = 48
"""Header extensions, snapshots and bitmaps that a dump in short shows of each."""


def structures(image: Image, *, whole: bool, most: int | None = None) -> Iterator[Node]:
    """All structures of an image.

    Args:
        image: The image.
        whole: Whether every L2 table and refcount block is read, or as many as keep a dump short.
        most: How many header extensions, snapshots and bitmaps are shown of each; None for all.
    """
    metadata = image.metadata
    if metadata.header_part is not None:
        yield structure(image, metadata.header_part)
    for part in islice(metadata.extensions.parts, most):
        yield structure(image, part)
    yield from _left(metadata.extensions, "header_extensions", most)
    if metadata.backing is not None:
        yield backing_file_name(image)
    for luks in metadata.luks_headers.values():
        yield structure(image, luks)
    yield from tables.active(image, whole=whole)
    yield from tables.refcounts(image, whole=whole)
    seen = tables.active_l2_tables(image) if whole and metadata.snapshots else Seen()
    for index, snapshot in enumerate(islice(metadata.snapshots.parts, most)):
        yield structure(image, snapshot)
        yield from tables.snapshot_tables(image, index, whole=whole, seen=seen)
    yield from _left(metadata.snapshots, "snapshots", most)
    for index, bitmap in enumerate(islice(metadata.bitmaps.parts, most)):
        yield structure(image, bitmap)
        yield tables.bitmap_table(image, index)
    yield from _left(metadata.bitmaps, "bitmaps", most)
    for part in metadata.unfit:
        yield structure(image, part)
    for left in metadata.leftovers:
        yield leftover(image, left)


def _left(kept: Structures[Any], name: str, most: int | None) -> Iterator[Node]:
    """How many structures of a kind are not shown, if there are any, and where they lie."""
    if most is None or len(kept) <= most:
        return
    first, last = kept.part(most), kept.part(-1)
    left, end = len(kept) - most, last.offset + len(last.data)
    says = f"{left:,} more, up to {last.name}: not shown; --all shows them"
    yield Node(f"{name}[…]", first.offset, end - first.offset, meaning=says)


def structure(image: Image, part: Part[Any]) -> Node:
    """One structure with all its fields, as far as the file holds it."""
    present = image.metadata.present(part.offset, len(part.data))
    cut = part._replace(data=part.data[:present])
    node = _node(lay_open(cut), "", cut, image)
    node.meaning = title(part, image.metadata)
    return node


def _node(field: Field, layout: str, part: Part[Any], image: Image) -> Node:
    """A field as a node; `layout` is that of the structure it belongs to."""
    start = field.offset - part.offset
    says = in_short(field) if field.fields else meaning(layout, field, image.metadata)
    return Node(
        field.name,
        field.offset,
        field.length,
        layout=field.layout,
        raw=part.data[start : start + field.length],
        value=field.value,
        meaning=says,
        children=[_node(child, field.layout or "", part, image) for child in field.fields],
    )


def leftover(image: Image, left: Leftover) -> Node:
    """Bytes that belong to no structure, as far as the file holds them."""
    raw = image.source.read_at(left.offset, left.length)
    says = "belongs to no structure"
    return Node(left.name, left.offset, len(raw), raw=raw, value=raw, meaning=says)


def backing_file_name(image: Image) -> Node:
    """The name of the backing file, in an image that has one."""
    backing = image.metadata.backing
    assert backing is not None
    raw = image.source.read_at(backing.offset, backing.length)
    return Node(
        BACKING_FILE_NAME,
        backing.offset,
        len(raw),
        raw=raw,
        value=backing.name,
        meaning=words.text(backing.name),
    )
