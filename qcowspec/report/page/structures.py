"""The structures of an image, and their bytes: as many as fit into a page.

In: an opened image. Out: a dump's nodes as plain data, and stretches of bytes. Refuses: nothing;
what does not fit is counted.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from qcowspec.image import Image
from qcowspec.report import tree
from qcowspec.report.nodes import Node
from qcowspec.report.page import room
from qcowspec.report.text import bare

MOST_NODES = 2_000
"""Structures and fields that are shown, at most."""

MOST_RAW = 32
"""Bytes of a field that stand in its node, at most."""

FIRST = 512
"""Bytes of each structure that are shown beside the tree, at most."""

MOST_HEADER = 4096
"""The same of the first cluster."""

Plain = dict[str, Any]


class Structures:
    """Structures that fit into a page.

    Attributes:
        nodes: The structures, with their fields.
        left: How many structures there are more.
    """

    def __init__(self, image: Image) -> None:
        """Lay an image open, as far as there is room."""
        self.nodes: list[Plain] = []
        self.left = 0
        self._image = image
        nodes, left = MOST_NODES, room.STRUCTURES
        for met, item in enumerate(tree.structures(image, whole=False)):
            found = plain(item)
            nodes, left = nodes - _count(found), left - room.weight(found) - 1
            if min(nodes, left) < 0:
                self.left = max(1, _number(image) - met)
                return
            self.nodes.append(found)

    def bytes(self) -> Iterator[list[Any]]:
        """Stretches of the file: offset, and the bytes as base64."""
        left = room.BYTES
        for start, end in _merged(self._ranges()):
            data = self._image.source.read_at(start, min(end - start, left))
            if not data:
                continue
            left -= len(data)
            yield [start, b64encode(data).decode("ascii")]
            if left <= 0:
                return

    def _ranges(self) -> Iterator[tuple[int, int]]:
        """What is worth seeing: the used part of the first cluster, the start of each structure."""
        metadata = self._image.metadata
        parts = [metadata.header_part, *metadata.extensions.parts]
        ends = [part.offset + len(part.data) for part in parts if part is not None]
        yield 0, min(max([FIRST, *ends]), MOST_HEADER)
        for found in self.nodes:
            yield found["offset"], found["offset"] + min(found["length"], FIRST)


def plain(item: Node) -> Plain:
    """A structure or a field, but for a table's entries."""
    data: Plain = {"name": room.short(item.name), "offset": item.offset, "length": item.length}
    if item.layout is not None:
        data["layout"] = item.layout
    if item.raw is not None and not item.children:
        data["raw"] = item.raw[:MOST_RAW].hex()
        data["value"] = room.short(bare(item))
    if item.meaning:
        data["meaning"] = room.short(item.meaning)
    if item.children:
        data["fields"] = [plain(child) for child in item.children]
    if item.summary:
        data["summary"] = item.summary
    return data


def _count(node: Plain) -> int:
    return 1 + sum(map(_count, node.get("fields", ())))


def _number(image: Image) -> int:
    """How many structures an image has, at least: those of which there may be many."""
    metadata = image.metadata
    return (
        1
        + len(metadata.extensions)
        + 2 * len(metadata.snapshots)
        + 2 * len(metadata.bitmaps)
        + len(metadata.unfit)
        + len(metadata.leftovers)
    )


def _merged(ranges: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Ranges in the order of the file, those that touch as one."""
    held: tuple[int, int] | None = None
    for start, end in sorted(ranges):
        if held is not None and start <= held[1]:
            held = held[0], max(held[1], end)
            continue
        if held is not None:
            yield held
        held = start, end
    if held is not None:
        yield held
