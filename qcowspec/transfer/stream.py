"""Targets that are written from front to back: a pipe, a device, standard output.

In: pieces of bytes, by rising offset. Out: all bytes of a disk, holes as zeros. Refuses: a
terminal, a file that is not open for writing, and a block device that is too small, with
`Unwritable`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from qcowspec.errors import reason_of
from qcowspec.transfer.places import Place, Unwritable

if TYPE_CHECKING:
    from qcowspec.guest import Disk

STEP = 1 << 20
"""Bytes that are read and written at a time."""

ZEROS = bytes(STEP)


class Stream:
    """A target that takes bytes only in order; what was written stays written."""

    def __init__(self, target: BinaryIO | Place, size: int) -> None:
        """Open it.

        Args:
            target: What to write to. A file that is open already stays open.
            size: All bytes that will be written.

        Raises:
            Unwritable: It cannot be written.
        """
        self._size, self._at = size, 0
        self._is_ours = isinstance(target, Place)
        self._file = _opened(target, size) if isinstance(target, Place) else target

    def write(self, offset: int, data: memoryview) -> None:
        """Write bytes, after zeros for the gap since the last ones.

        Raises:
            Unwritable: The pipe is closed, or the device is full or fails.
        """
        assert offset >= self._at, "a stream is written in order"
        while self._at < offset:
            self._put(memoryview(ZEROS)[: offset - self._at])
        self._put(data)

    def _put(self, data: memoryview) -> None:
        try:
            while data:
                done = self._file.write(data)
                if done is None:  # a full pipe in non-blocking mode
                    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
                self._at, data = self._at + done, data[done:]
        except OSError as error:
            raise Unwritable(reason_of(error)) from error

    def finish(self) -> None:
        """Write the zeros that are left, and flush.

        Raises:
            Unwritable: See `write`.
        """
        self.write(self._size, memoryview(b""))
        try:
            self._file.flush()
            if self._is_ours and stat.S_ISBLK(os.fstat(self._file.fileno()).st_mode):
                os.fsync(self._file.fileno())
        except OSError as error:
            raise Unwritable(reason_of(error)) from error

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_ours:
            self._file.close()


def copy_forward(
    disk: Disk, stream: Stream, passed: Callable[[int], None], start: int, end: int
) -> None:
    """Write the bytes of a range of a disk in order.

    Args:
        disk: What to read.
        stream: What to write to.
        passed: Called with the guest offset up to which all is written.
        start: Where the range begins, in guest bytes.
        end: Where it ends.

    Raises:
        QcowError: The disk cannot be read.
        Unwritable: The stream cannot be written.
    """
    buffer = memoryview(bytearray(STEP))
    for offset in range(start, end, STEP):
        count = disk.readinto(offset, buffer[: min(STEP, end - offset)])
        stream.write(offset - start, buffer[:count])
        passed(offset + count)


def _opened(place: Place, size: int) -> BinaryIO:
    try:
        fd = _descriptor(place)
        try:
            _check(fd, size)
            return os.fdopen(fd, "wb", buffering=0)
        except BaseException:
            os.close(fd)
            raise
    except OSError as error:
        raise Unwritable(reason_of(error)) from error


def _descriptor(place: Place) -> int:
    if place.descriptor is not None:
        return os.dup(place.descriptor)
    assert place.found is not None
    kind = stat.S_IFMT(place.found.st_mode)
    flags = os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NOFOLLOW
    if stat.S_ISBLK(kind):
        flags |= os.O_EXCL  # refuses one that is mounted
    fd = os.open(place.path, flags)
    if stat.S_IFMT(os.fstat(fd).st_mode) != kind:
        os.close(fd)
        raise Unwritable("it was replaced by something else")
    return fd


def _check(fd: int, size: int) -> None:
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise Unwritable("it is not open for writing")
    if os.isatty(fd):
        raise Unwritable("it is a terminal; name a file, or redirect the output")
    if stat.S_ISBLK(os.fstat(fd).st_mode):
        room = os.lseek(fd, 0, os.SEEK_END)
        os.lseek(fd, 0, os.SEEK_SET)
        if room < size:
            raise Unwritable(f"the device has {room} bytes, and {size} are to be written")
