"""A virtual disk as a Python file.

In: seeks and reads. Out: bytes. Refuses: writing.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from qcowspec.spec.units import in_units

if TYPE_CHECKING:
    from qcowspec.guest.disk import Disk


class DiskReader(io.RawIOBase):
    """A raw, seekable file over a `Disk`; wrap it in `io.BufferedReader` for small reads.

    Attributes:
        disk: The disk.
        start: Where the file begins on it, in bytes.
        length: Bytes of the file.
    """

    def __init__(self, disk: Disk, start: int = 0, length: int | None = None) -> None:
        super().__init__()
        self.disk, self.start = disk, start
        self.length = disk.size - start if length is None else length
        self._at = 0

    def __repr__(self) -> str:
        return f"<DiskReader {in_units(self.length)}{', closed' * self.closed}>"

    def readable(self) -> bool:
        """Always True."""
        return True

    def seekable(self) -> bool:
        """Always True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to an offset; see `io.IOBase.seek`."""
        self._check()
        if whence not in (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END):
            raise ValueError(f"whence is {whence}, not 0, 1 or 2")
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.length}[whence]
        if start + offset < 0:
            raise ValueError(f"no offset on a disk: {start + offset}")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """The current offset."""
        self._check()
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read as much as the buffer holds, or the disk has left."""
        self._check()
        view = memoryview(buffer).cast("B")[: max(0, self.length - self._at)]
        count = self.disk.readinto(self.start + self._at, view)
        self._at += count
        return count

    def _check(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
