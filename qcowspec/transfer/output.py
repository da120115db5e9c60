"""A sparse file that appears whole, or not at all; every command writes files with it.

In: pieces of bytes at offsets. Out: a file under its final name. Refuses: a target that cannot be
written, with `Unwritable`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import threading
from contextlib import suppress

from qcowspec.errors import reason_of
from qcowspec.transfer.places import Place, place_of
from qcowspec.transfer.places import Unwritable as Unwritable
from qcowspec.transfer.settling import NEW, PRIVATE, THERE, pour, renamed, temporary

BLOCK = 4096
"""Bytes of zeros that are not written, as with qemu-img's ``-S 4k``."""

ZEROS = bytes(BLOCK)
WORD = 8

RESERVED = 256 << 10
"""Bytes from which on reserving space first is faster."""

FS_IOC_RESVSP = 0x40305828
"""Linux's request to reserve space, for any file system (include/uapi/linux/falloc.h).

posix_fallocate would write zeros block by block on file systems that cannot reserve space."""

SPACE_RESV = struct.Struct("=hh4xqqiI16x")
"""struct space_resv: l_type, l_whence, l_start, l_len, l_sysid, l_pid, l_pad."""


CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}
"""Errors of a folder in which no file can be made."""


class Door:
    """Admits threads that write to a file, until the file is discarded or finished."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside, self._is_shut = 0, False

    def shut(self) -> None:
        """Admit no thread any more, and wait for those that are writing."""
        with self._changed:
            self._is_shut = True
            while self._inside:
                self._changed.wait()

    def __enter__(self) -> None:
        with self._changed:
            if self._is_shut:
                raise Unwritable("was given up")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()


class SparseFile:
    """A file under a temporary name in the folder of its final one, renamed when it is whole.

    Use it as a context manager: after an error nothing is left. If no temporary file can be made
    there, an existing file is written in place, and is truncated after an error.
    """

    _may_reserve = True
    _is_whole = False
    """Whether the temporary file is whole, while the final one may not be."""

    def __init__(self, path: str | Place, size: int) -> None:
        """Make it.

        Args:
            path: Its final name.
            size: Its bytes, all zeros at first.

        Raises:
            Unwritable: It cannot be made.
        """
        self._path = file_place(path).path
        self._door = Door()
        self._partial: str | None = temporary(self._path)
        try:
            self._fd = self._opened(self._partial)
        except OSError as error:
            raise Unwritable(reason_of(error)) from error
        try:
            os.ftruncate(self._fd, 0)
            os.ftruncate(self._fd, size)
        except OSError as error:
            self.discard()
            raise Unwritable(reason_of(error)) from error

    def _opened(self, partial: str) -> int:
        try:
            return os.open(partial, NEW, PRIVATE)
        except OSError as error:
            if error.errno not in CLOSED or not os.path.lexists(self._path):
                raise
        self._partial = None
        return os.open(self._path, THERE)

    def write(self, offset: int, data: memoryview, *, note: bool = True) -> None:
        """Write bytes, but for blocks of zeros. May be called from several threads.

        Args:
            offset: Where they belong, in bytes.
            data: The bytes.
            note: Whether the bytes count as done if the conversion is resumed.

        Raises:
            Unwritable: The file system is full, or fails; or the file was discarded meanwhile.
        """
        with self._door:
            self._put(offset, data)

    def _put(self, offset: int, data: memoryview) -> None:
        try:
            for start, end in _not_zero(data):
                if end - start >= RESERVED:
                    self._reserve(offset + start, end - start)
                while start < end:
                    start += os.pwrite(self._fd, data[start:end], offset + start)
        except OSError as error:
            raise Unwritable(reason_of(error)) from error

    def has(self, start: int, end: int) -> bool:
        """Whether a range was written before: never, except in a resumed file."""
        return False

    def _reserve(self, offset: int, length: int) -> None:
        """Reserve space: writing is a third faster then, and a full disk is found at once."""
        if not self._may_reserve:
            return
        try:
            request = SPACE_RESV.pack(0, os.SEEK_SET, offset, length, 0, 0)
            fcntl.ioctl(self._fd, FS_IOC_RESVSP, request)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            self._may_reserve = False

    def resize(self, size: int) -> None:
        """Set how many bytes the file has.

        Raises:
            Unwritable: The file system refuses.
        """
        try:
            os.ftruncate(self._fd, size)
        except OSError as error:
            raise Unwritable(reason_of(error)) from error

    def allocate(self) -> None:
        """Give every byte a place on the disk; zeros too.

        Raises:
            Unwritable: The file system is full.
        """
        size = os.fstat(self._fd).st_size
        try:
            if size:
                os.posix_fallocate(self._fd, 0, size)
        except OSError as error:
            raise Unwritable(reason_of(error)) from error

    def finish(self) -> None:
        """Rename it to its final name, or copy its bytes to the file there.

        Raises:
            Unwritable: Neither is possible, or the file system fails.
        """
        self._door.shut()
        fd, self._fd = self._fd, -1
        try:
            if self._partial is None:
                os.close(fd)
            elif not renamed(fd, self._partial, self._path):
                self._pour(self._partial)
        except OSError as error:
            raise Unwritable(reason_of(error)) from error

    def _pour(self, partial: str) -> None:
        self._is_whole = True
        try:
            pour(partial, self._path)
        except OSError as error:
            raise Unwritable(f"{reason_of(error)}; all of the result is in {partial}") from error
        os.unlink(partial)

    def discard(self) -> None:
        """Remove it, unless it has its final name."""
        self._door.shut()
        if self._fd >= 0:
            if self._partial is None:
                with suppress(OSError):  # it failed already, and half of it may be written
                    os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1
        if self._partial is not None and not self._is_whole and os.path.lexists(self._partial):
            os.unlink(self._partial)

    def __enter__(self) -> SparseFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


def file_place(path: str | Place) -> Place:
    """The place of a regular file that can be written; the file may not exist yet.

    Raises:
        Unwritable: It is something else, or cannot be written.
    """
    place = place_of(path) if isinstance(path, str) else path
    if not place.is_file:
        raise Unwritable("it is no regular file")
    if place.found is not None:
        try:  # now, not after hours of writing
            os.close(os.open(place.path, THERE))
        except OSError as error:
            raise Unwritable(reason_of(error)) from error
    return place


def _not_zero(data: memoryview) -> list[tuple[int, int]]:
    """The stretches of blocks that are not all zeros: where each starts, and ends."""
    whole = len(data) // BLOCK * BLOCK
    found: list[tuple[int, int]] = []
    start = 0
    # The first word of most blocks of data is not 0; only the other blocks are compared.
    firsts = data[:whole].cast("Q")[:: BLOCK // WORD].tolist() if whole else []
    index = -1
    for _ in range(firsts.count(0)):
        index = firsts.index(0, index + 1)
        at = index * BLOCK
        if data[at : at + BLOCK].tobytes() == ZEROS:
            if start < at:
                found.append((start, at))
            start = at + BLOCK
    if start < whole:
        found.append((start, whole))
    if whole < len(data) and any(data[whole:]):
        found.append((whole, len(data)))
    return found
