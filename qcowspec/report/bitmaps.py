"""Persistent bitmaps for people and programs: a list of them, and the ranges of one.

In: an opened image, or a bitmap's `Dirty`. Out: plain data, or pieces of text. Refuses: to count
the bits of bitmaps that share clusters for ever: see `listed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from qcowspec.errors import QcowError
from qcowspec.image import Image
from qcowspec.mapping.dirty import BitmapReader, Dirty
from qcowspec.report.info import bitmap as described
from qcowspec.report.words import printable, quoted, size, text

if TYPE_CHECKING:
    from qcow_parsers import Qcow2

Plain = dict[str, Any]

LEAST = 64 << 20
"""Bytes of tables and bits that are read for a list in any case."""

AT_ONCE = 1 << 14
"""Ranges that become text together."""

IN_USE = "in use, not to be trusted"

HEADING = f"{'Offset':<16}{'Length':<16}State\n"


def listed(image: Image, bitmaps: Iterable[Qcow2.BitmapDirectoryEntry]) -> list[Plain]:
    """Bitmaps, under the keys that info has, and with the bytes that are dirty.

    ``dirty-bytes`` is missing where it cannot be counted: ``error`` has the reason. In a sound
    image no two bitmaps share clusters, so that no more bytes are read than the file has; what
    would take more is not counted.
    """
    left = max(LEAST, image.source.length)
    found = list[Plain]()
    for entry in bitmaps:
        reader = BitmapReader(image.metadata, image.source, entry)
        row = described(entry)
        try:
            dirty = _dirty_bytes(reader, left)
            row |= {"error": SHARED} if dirty is None else {"dirty-bytes": dirty}
        except QcowError as error:
            row["error"] = error.message
        left = max(0, left - reader.work)
        found.append(row)
    return found


SHARED = "not counted: the bitmaps share clusters, and have more bytes than the file"


def _dirty_bytes(reader: BitmapReader, most: int) -> int | None:
    """How many bytes a bitmap marks; None if more than `most` bytes had to be read."""
    total = 0
    for batch in reader.read():
        if reader.work > most:
            return None
        total += int(batch.lengths[batch.dirty].sum())
    return total


def list_as_text(found: Iterable[Plain]) -> Iterator[str]:
    """The bitmaps as a table, and after it what could not be counted."""
    yield f"{'Granularity':<13}{'Dirty':<13}{'Flags':<16}Name\n"
    for row in found:
        dirty = row.get("dirty-bytes")
        columns = (
            size(row["granularity"]),
            "unknown" if dirty is None else size(dirty),
            ", ".join(row["flags"]) or "-",
        )
        first, second, third = columns
        yield f"{first:<13}{second:<13}{third:<16}{printable(row['name'])}\n"


def as_json(batches: Iterable[Dirty], *, in_use: bool = False) -> Iterator[str]:
    """A bitmap's ranges as a JSON array, one a line; of one in use, each says so."""
    ending = ', "in-use": true}' if in_use else "}"
    words = [f'{{ "start": %d, "length": %d, "dirty": {word}{ending}' for word in ("false", "true")]
    before = "["
    for batch in _portions(batches):
        line = ",\n".join(words[flag] for flag in batch.dirty.tolist())
        pairs = zip(batch.starts.tolist(), batch.lengths.tolist(), strict=True)
        yield before + line % tuple(number for pair in pairs for number in pair)
        before = ",\n"
    yield ("" if before != "[" else "[") + "]\n"


def as_text(batches: Iterable[Dirty]) -> Iterator[str]:
    """The dirty ranges as a table."""
    yield HEADING
    for batch in _portions(batches):
        shown = batch.take(batch.dirty)
        yield "".join(
            f"{start:<#16x}{length:<#16x}dirty\n" if start else f"{'0':<16}{length:<#16x}dirty\n"
            for start, length in zip(shown.starts.tolist(), shown.lengths.tolist(), strict=True)
        )


def in_use(entry: Qcow2.BitmapDirectoryEntry) -> str:
    """The warning about a bitmap that is in use."""
    return (
        f"the bitmap {text(entry.name)} is in use: it was not saved when the disk was last closed,"
        " and may lack writes; do not trust it"
    )


def heading(entry: Qcow2.BitmapDirectoryEntry) -> str:
    """What the ranges of a bitmap are introduced with."""
    state = f"; {IN_USE}" if entry.in_use else ""
    return f"Bitmap {quoted(entry.name)}: {size(entry.granularity)} a bit{state}\n"


def _portions(batches: Iterable[Dirty]) -> Iterator[Dirty]:
    for batch in batches:
        for first in range(0, len(batch), AT_ONCE):
            yield batch.take(slice(first, first + AT_ONCE))
