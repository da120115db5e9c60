"""Structures that users meet, as they print and with their names as text.

In: what the generated parsers read. Out: the same objects, of classes that a type checker can tell
apart. Refuses: nothing.
"""

from __future__ import annotations

import os

from qcow_parsers import Qcow1, Qcow2
from qcow_parsers import constants as c

from qcowspec.spec.units import in_units

LONGEST = 60
"""Characters of a name that are shown: an image's has up to 64 KiB."""


class HeaderV1(Qcow1.Header):
    """A header that was read by the layout of version 1."""

    def __repr__(self) -> str:
        return _header(self)


class HeaderV2(Qcow2.Header):
    """A header that was read by the layout of version 2, which ends before the feature bits."""

    def __repr__(self) -> str:
        return _header(self)


class HeaderV3(Qcow2.Header):
    """A header that was read by the layout of version 3, as those of unknown versions are too."""

    incompatible_features: int
    compatible_features: int
    autoclear_features: int
    refcount_order: int
    header_length: int

    def __repr__(self) -> str:
        return _header(self)


Header = HeaderV1 | HeaderV2 | HeaderV3
"""Any header; ask with `isinstance` which."""


def _header(header: Header) -> str:
    return f"<{type(header).__name__} of version {header.version}, {in_units(header.size)} disk>"


class Extension(Qcow2.HeaderExtension):
    """A header extension."""

    def __repr__(self) -> str:
        known = (row.name for row in c.EXTENSIONS if row.magic == int(self.magic))
        return f"<Extension {next(known, 'unknown')} {int(self.magic):#x}, {self.len} bytes>"


class Snapshot(Qcow2.Snapshot):
    """An entry of the snapshot table."""

    @property
    def id_text(self) -> str:
        """The ID as text; `Image.pread` and others take it for a snapshot."""
        return os.fsdecode(self.id_str)

    @property
    def name_text(self) -> str:
        """The name as text."""
        return os.fsdecode(self.name)

    def __repr__(self) -> str:
        return f"<Snapshot {_shown(self.id_text)} {_shown(self.name_text)}>"


class Bitmap(Qcow2.BitmapDirectoryEntry):
    """An entry of the bitmap directory."""

    @property
    def name_text(self) -> str:
        """The name as text; `Image.dirty` takes it for a bitmap."""
        return os.fsdecode(self.name.partition(b"\0")[0])

    def __repr__(self) -> str:
        in_use = ", in use" if self.in_use else ""
        return f"<Bitmap {_shown(self.name_text)}, {in_units(self.granularity)} a bit{in_use}>"


def _shown(name: str) -> str:
    return repr(name if len(name) <= LONGEST else f"{name[:LONGEST]}…")
