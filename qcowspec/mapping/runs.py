"""The types for one stretch of a virtual disk.

In: nothing. Out: `Kind` and `Run`; `qcowspec.mapping.extents` has many of them as arrays. Refuses:
nothing.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from qcowspec.spec.units import GuestOffset, HostOffset


class Kind(IntEnum):
    """How the bytes of an extent are read."""

    DATA = 0
    """They are stored at the host offset, in the image or its data file."""
    COMPRESSED = 1
    """They are inflated from a payload at the host offset; the extent is one whole cluster."""
    ZERO = 2
    """The image says that they are zeros; a host offset, if any, is preallocated space."""
    BACKING = 3
    """They are the backing file's, and zeros past its end."""
    UNALLOCATED = 4
    """They are zeros: nothing is allocated, and there is no backing file."""
    LOST = 5
    """An entry on the way breaks a rule; only in a salvage, which reads them as zeros."""


KINDS = tuple(Kind)
"""The kinds by number: a faster lookup than the enumeration's."""


class Run(NamedTuple):
    """One extent.

    Attributes:
        kind: How its bytes are read.
        offset: Where it starts on the virtual disk, in bytes.
        length: Its bytes; above 0.
        host_offset: Where it starts in the image or data file, in bytes; None if it has no place.
        compressed_length: Most bytes of a compressed cluster's payload. For what is lost: the
            number of the broken rule (`qcowspec.mapping.volume.number_of`). 0 for other kinds.
    """

    kind: Kind
    offset: GuestOffset
    length: int
    host_offset: HostOffset | None = None
    compressed_length: int = 0
