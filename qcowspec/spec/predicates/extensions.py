"""The rules about the extension area, its records, and what they name."""

from __future__ import annotations

from typing import Any

from qcow_parsers import Qcow2
from qcow_parsers import constants as c

from qcowspec.spec.metadata import Metadata
from qcowspec.spec.predicates.areas import unparsed
from qcowspec.spec.predicates.binding import decides, places, states
from qcowspec.spec.structures import Part, Place

# --- the area as a whole: the turn stands after its last record -----------------------------------


def _is_closed(image: Metadata) -> bool:
    """Whether the walk ended at an end record, and not where the area does."""
    return c.QCOW2_EXT_MAGIC_END in image.extension_types


@decides("extensions/area-remainder", reads="its place in its table or area")
def area_remainder(area: object, image: Metadata) -> bool:
    """The area does not end in too few bytes for a record."""
    return _is_closed(image) or not 0 < image.turn.left < c.QCOW2_EXT_HEADER_SIZE


@decides("extensions/end", reads="its place in its table or area")
def end(area: object, image: Metadata) -> bool:
    """An area that is not empty is closed."""
    return _is_closed(image) or not (image.turn.index or image.turn.left)


@decides("extensions/untrusted-count", reads="its place in its table or area")
def untrusted_count(area: object, image: Metadata) -> bool:
    """The records are no more than are judged here."""
    return image.turn.index <= c.POLICY_MAX_HEADER_EXTENSIONS


@places("extensions/end", "extensions/untrusted-count")
def last_record(part: Part[Any], area: object, image: Metadata) -> Place:
    """The last record that is kept; without any, the bytes that are too few for one."""
    if not image.extensions:
        return unparsed(part, area, image)
    last = image.extensions.part(-1)
    return Place(last.offset, last.name, None)


@decides("extensions/slack", reads="the first cluster")
def slack(area: object, image: Metadata) -> bool:
    """What is neither header, record nor name is zero in the first cluster."""
    return image.slack == 0


@states("extensions/slack")
def stray_bytes(area: object, image: Metadata) -> int:
    """Bytes in the first cluster that belong to nothing."""
    return image.slack


@places("extensions/slack")
def first_stray(part: Part[Any], area: object, image: Metadata) -> Place:
    """The first of the stretches with such bytes."""
    stretch = image.leftovers[0]
    return Place(stretch.offset, stretch.name, None)


@decides("extensions/bitmaps-present", reads="the extensions")
def bitmaps_present(header: Qcow2.Header, image: Metadata) -> bool:
    """Bitmaps that are declared up to date are there."""
    return not header.has_bitmaps or c.QCOW2_EXT_MAGIC_BITMAPS in image.extension_types


# --- one record -----------------------------------------------------------------------------------


@decides("extensions/once", reads="the extensions")
def once(extension: Qcow2.HeaderExtension, image: Metadata) -> bool:
    """No earlier record is of this type."""
    return not image.turn.repeats
