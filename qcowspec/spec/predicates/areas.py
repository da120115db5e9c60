"""What is stated of the end of an area of records: the turn stands after the last one."""

from __future__ import annotations

from typing import Any

from qcowspec.spec.metadata import Metadata
from qcowspec.spec.predicates.binding import places, states
from qcowspec.spec.structures import Part, Place


@states("extensions/area-remainder", "bitmaps/entry-header")
def bytes_left(area: object, image: Metadata) -> int:
    """Bytes after the last record."""
    return image.turn.left


@states("extensions/end", "extensions/untrusted-count", "bitmaps/count-minimum")
def records(area: object, image: Metadata) -> int:
    """How many records there are."""
    return image.turn.index


@places("extensions/area-remainder", "bitmaps/entry-header")
def unparsed(part: Part[Any], area: object, image: Metadata) -> Place:
    """The bytes after the last record."""
    return Place(image.turn.offset, f"{part.name}.unparsed", None)
