"""An image that is being changed, and the record of every change.

In: the bytes of an image. Out: the changed bytes, and the changes. Refuses: what does not fit the
image, and more bytes than a mutant may have, as `Unfit`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from qcowspec.errors import Value
from qcowspec.fuzzing.places import Place, Places, Unfit

LARGEST = 256 << 20
"""Bytes of a mutant, at most."""

MOST_WRITTEN = 1 << 30
"""Bytes written to a draft in all, at most; rewritten bytes count again."""

SHOWN = 32
"""Bytes of a change that a manifest shows."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of some bytes.

    Attributes:
        path: The field, as a dump shows it; None if the field is not known.
        offset: Offset in the image file, in bytes.
        old: The bytes before; shorter than `new` if the file ended there.
        new: The bytes after; empty if the file was cut at `offset`.
    """

    path: str | None
    offset: int
    old: bytes
    new: bytes

    def as_json(self) -> dict[str, Value]:
        """The change with the keys of a manifest; long byte strings are cut."""
        return {
            "field": self.path,
            "offset": self.offset,
            "length": max(len(self.old), len(self.new)),
            "old": _shown(self.old),
            "new": _shown(self.new),
        }


class Draft:
    """An image that is being changed.

    Attributes:
        base: The image before the first change.
        data: The bytes now.
        changes: The changes, in order.
        format: The format of the image; None if the probe decides.
        index: The number of the current turn of a repeated operation.
    """

    def __init__(self, base: Places | bytes, format: str | None = None) -> None:
        self.base = base if isinstance(base, Places) else Places(base, format)
        self.data = bytearray(self.base.data)
        self.changes: list[Change] = []
        self.format = format
        self.index = 0
        self._written = 0
        self._places: Places | None = self.base

    @property
    def places(self) -> Places:
        """The fields, tables and structures as they are now."""
        if self._places is None:
            self._places = Places(self.data, self.format)
        return self._places

    def find(self, path: str) -> Place:
        """The place at a path now.

        Raises:
            Unfit: There is none.
        """
        return self.places.find(path)

    def write(self, offset: int, new: bytes, path: str | None = None) -> None:
        """Overwrite bytes; if the file is too short, it grows, with zeros before them.

        Raises:
            Unfit: The file would be too large.
        """
        if not 0 <= offset <= LARGEST - len(new):
            raise Unfit(f"{len(new)} bytes at {offset:#x} would make too large a file")
        self._written += len(new)
        if self._written > MOST_WRITTEN:
            raise Unfit(f"more than {MOST_WRITTEN} bytes are written in all")
        old = bytes(self.data[offset : offset + len(new)])
        if offset > len(self.data):
            self.data.extend(bytes(offset - len(self.data)))
        self.data[offset : offset + len(new)] = new
        self._changed(Change(path, offset, old, new))

    def set(self, place: Place, value: int) -> None:
        """Set the number at a place.

        Raises:
            Unfit: It does not fit the field.
        """
        if not 0 <= value < 1 << 8 * place.length:
            raise Unfit(f"{value} does not fit the {place.length} bytes of {place.path}")
        self.write(place.offset, value.to_bytes(place.length, "big"), place.path)

    def truncate(self, length: int) -> None:
        """Cut the end off.

        Raises:
            Unfit: The file is not longer.
        """
        if not 0 <= length < len(self.data):
            raise Unfit(f"the file is not longer than {length} bytes")
        old = bytes(self.data[length:])
        del self.data[length:]
        self._changed(Change(None, length, old, b""))

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Undo the changes made inside if `Unfit` is raised."""
        length, count, places = len(self.data), len(self.changes), self._places
        try:
            yield
        except Unfit:
            for change in reversed(self.changes[count:]):
                end = change.offset + len(change.new) if change.new else len(self.data)
                # What was added is cut off once, below: each cut may move the file.
                self.data[change.offset : end] = change.old.ljust(len(change.new), b"\0")
            del self.data[length:], self.changes[count:]
            self._places = places
            raise

    def _changed(self, change: Change) -> None:
        if change.old != change.new:
            self.changes.append(change)
            self._places = None


def _shown(data: bytes) -> str:
    """Bytes as hexadecimal digits."""
    return data[:SHOWN].hex() + ("…" if len(data) > SHOWN else "")
