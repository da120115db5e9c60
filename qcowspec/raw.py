"""A raw file in place of an image: all of its bytes are the guest's.

In: a source. Out: a `RawImage`, which has a disk as an `Image` has one. Refuses: snapshots.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import TYPE_CHECKING

from qcowspec.chain import Chain
from qcowspec.chain.layers import raw_layer
from qcowspec.errors import Invalid, Unreadable
from qcowspec.guest import Disk
from qcowspec.sources import Target, open_source
from qcowspec.sources.gate import Deny
from qcowspec.spec.units import in_units

if TYPE_CHECKING:
    from qcowspec.mapping.spans import Ranges
    from qcowspec.reader.opening import Wanted


class RawImage:
    """A file of guest bytes; a context manager."""

    def __init__(self, target: Target) -> None:
        """Open it.

        Raises:
            Unreadable: The file cannot be read.
        """
        self.source = open_source(target, raw=True)
        self.size = self.source.length
        self.is_closed = False
        self._disk = Disk(Chain(raw_layer(self.source), Deny()))

    def __repr__(self) -> str:
        return f"<RawImage {in_units(self.size)}{', closed' * self.is_closed}>"

    def disk(
        self, snapshot: Wanted = None, *, keyless: bool = False, salvage: bool = False
    ) -> Disk:
        """The virtual disk, which needs no passphrase; see `Image.disk`.

        Raises:
            Invalid: A snapshot is asked for.
        """
        if self.is_closed:
            raise Unreadable("is closed", errno=errno.EBADF, path=self.source.name)
        if snapshot is not None:
            raise Invalid("is raw, and has no snapshot", path=self.source.name)
        if salvage and self._disk.losses is None:
            self._disk = Disk(Chain(self._disk.layers[0], Deny(), salvage=True))
        return self._disk

    def changes(
        self,
        since: str | None,
        until: str | None = None,
        *,
        offset: int = 0,
        length: int | None = None,
    ) -> Iterator[Ranges]:
        """Ranges that may differ between two states; there is only one.

        Raises:
            Invalid: A snapshot is asked for.
        """
        self.disk(since)
        self.disk(until)
        return iter(())

    def close(self) -> None:
        """Close the file."""
        self.is_closed = True
        self.source.close()

    def __enter__(self) -> RawImage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
