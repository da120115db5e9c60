"""A sparse raw file that appears whole, or not at all.

In: pieces of bytes at offsets. Out: a file under its final name. Refuses: a target that cannot be
written, with `Unwritable`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import threading
from types import TracebackType

BLOCK = 4096
"""Bytes of zeros that are left out, as qemu-img's ``-S 4k``."""

ZEROS = bytes(BLOCK)
WORD = 8

RESERVED = 256 << 10
"""Bytes from which on it pays to have the file system set space aside first."""

FS_IOC_RESVSP = 0x40305828
"""Linux's request to set space aside, of whatever file system (include/uapi/linux/falloc.h).

posix_fallocate would write zeros, block by block, where the file system knows no such thing."""

SPACE_RESV = struct.Struct("=hh4xqqiI16x")
"""struct space_resv: l_type, l_whence, l_start, l_len, l_sysid, l_pid, l_pad."""


class Unwritable(Exception):
    """The output cannot be written; says why in a few words."""


class Door:
    """Lets in whoever writes to a file, until the file is given up or done."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside, self._is_shut = 0, False

    def shut(self) -> None:
        """Let nobody in any more, and wait for those who are inside."""
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
    """A file under a temporary name beside its final one, renamed when it is whole.

    Use it as a context manager: whatever goes wrong, nothing stays.
    """

    _may_reserve = True

    def __init__(self, path: str, size: int) -> None:
        """Make it.

        Args:
            path: Its final name.
            size: Its bytes, all zeros at first.

        Raises:
            Unwritable: It cannot be made.
        """
        self._path = path
        self._door = Door()
        if os.path.exists(path) and not os.path.isfile(path):
            raise Unwritable("is no regular file")
        self._partial = f"{path}.{os.urandom(4).hex()}.partial"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._fd = os.open(self._partial, flags, 0o666)
        except OSError as error:
            raise Unwritable(reason_of(error)) from error
        try:
            os.ftruncate(self._fd, size)
        except OSError as error:
            self.discard()
            raise Unwritable(reason_of(error)) from error

    def write(self, offset: int, data: memoryview, *, note: bool = True) -> None:
        """Write bytes, but for blocks of zeros. May be called from several threads.

        Args:
            offset: Where they belong, in bytes.
            data: The bytes.
            note: Whether they need not be read again when the work is gone on with.

        Raises:
            Unwritable: The file system is full, or fails; or the file was given up meanwhile.
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
        """Whether a range need not be written: never, but of a file that is gone on with."""
        return False

    def _reserve(self, offset: int, length: int) -> None:
        """Set space aside: writing goes a third faster then, and a full disk is found at once."""
        if not self._may_reserve:
            return
        try:
            request = SPACE_RESV.pack(0, os.SEEK_SET, offset, length, 0, 0)
            fcntl.ioctl(self._fd, FS_IOC_RESVSP, request)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            self._may_reserve = False

    def finish(self) -> None:
        """Give it its final name.

        Raises:
            Unwritable: It cannot be renamed, or the file system fails.
        """
        self._door.shut()
        try:
            os.close(self._fd)
            self._fd = -1
            os.replace(self._partial, self._path)
        except OSError as error:
            raise Unwritable(reason_of(error)) from error

    def discard(self) -> None:
        """Take it away, unless it has its final name."""
        self._door.shut()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if os.path.lexists(self._partial):
            os.unlink(self._partial)

    def __enter__(self) -> SparseFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()


def _not_zero(data: memoryview) -> list[tuple[int, int]]:
    """The stretches of blocks that are not all zeros: where each starts, and ends."""
    whole = len(data) // BLOCK * BLOCK
    found: list[tuple[int, int]] = []
    start = 0
    # Most blocks of data tell by their first word; only the others are looked at.
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


def reason_of(error: OSError) -> str:
    """The system's own words, lower case."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
