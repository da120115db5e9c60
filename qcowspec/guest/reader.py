"""A virtual disk as a Python file.

In: seeks and reads. Out: bytes. Refuses: writing.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qcowspec.guest.disk import Disk


class DiskReader(io.RawIOBase):
    """A raw, seekable file over a `Disk`; wrap it in `io.BufferedReader` for small reads."""

    def __init__(self, disk: Disk) -> None:
        super().__init__()
        self._disk = disk
        self._at = 0

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
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._disk.size}[whence]
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
        count = self._disk.readinto(self._at, memoryview(buffer))
        self._at += count
        return count

    def _check(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
