"""A file or block device on this machine.

In: a path. Out: a `Source` over ``pread``, which needs no file position and so no lock.
Refuses: directories, pipes and character devices, which have no bytes by offset.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
from collections.abc import Iterable, Iterator
from warnings import warn

from qcow_parsers import constants as c

from qcowspec.errors import Changed, Unreadable, reason_of
from qcowspec.sources.gate import plain_path
from qcowspec.sources.source import NO_DATA, Source

BLOCK = 512
"""Bytes of a block as ``stat`` counts them."""


class LocalFile(Source):
    """A regular file or block device as a `Source`."""

    def __init__(self, path: str, *, follow: bool = True) -> None:
        self.name = path
        try:
            self._fd = _opened(path) if follow else _walked(os.path.abspath(path))
        except Unreadable:
            raise
        except (OSError, ValueError) as error:
            raise Unreadable(f"cannot be opened: {reason_of(error)}", path=path) from error
        try:
            self.length = _length(self._fd, path)
            self._opened = _version(self._fd)
        except Unreadable:
            self.close()
            raise

    @property
    def place(self) -> str:
        """The path, which is never to be taken for a URL; see `Source.place`."""
        return plain_path(self.name)

    @property
    def is_device(self) -> bool:
        """Whether it is a block device."""
        return stat.S_ISBLK(os.fstat(self._fd).st_mode)

    @property
    def version(self) -> tuple[int, int, int] | None:
        """Which file it is, and as of when: device, inode, nanoseconds of its last change."""
        found = os.fstat(self._fd)
        return found.st_dev, found.st_ino, found.st_mtime_ns

    def read_at(self, offset: int, length: int) -> bytes:
        """Read bytes; see `Source.read_at`."""
        length = min(length, self.length - offset)
        if length <= 0:
            return b""
        piece = self._once(offset, length)
        if len(piece) == length:
            return piece
        pieces = [piece]
        while piece and (length := length - len(piece)):  # the system hands out 2 GiB at most
            offset += len(piece)
            piece = self._once(offset, length)
            pieces.append(piece)
        if length:
            raise Changed(SHRANK, path=self.name, offset=offset)
        return b"".join(pieces)

    def _once(self, offset: int, length: int) -> bytes:
        try:
            return os.pread(self._fd, length, offset)
        except OSError as error:
            raise self._failed(error, offset) from error

    def _failed(self, error: OSError, offset: int) -> Unreadable:
        if self._fd < 0:
            return Unreadable("is closed", errno=errno.EBADF, path=self.name)
        return Unreadable(f"cannot be read: {reason_of(error)}", path=self.name, offset=offset)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """See `Source.read_into`."""
        wanted, done = max(0, min(len(buffer), self.length - offset)), 0
        while done < wanted:
            try:
                count = os.preadv(self._fd, [buffer[done:wanted]], offset + done)
            except OSError as error:
                raise self._failed(error, offset + done) from error
            if not count:
                raise Changed(SHRANK, path=self.name, offset=offset + done)
            done += count
        return done

    def read_pieces(self, pieces: Iterable[tuple[int, memoryview]]) -> None:
        """See `Source.read_pieces`. Nothing is joined: a request costs less than a copy."""
        fd, preadv = self._fd, os.preadv
        for offset, buffer in pieces:
            try:
                whole = preadv(fd, (buffer,), offset) == len(buffer)
            except OSError:
                whole = False
            if not whole:  # the end of the file, or an error, which is raised there
                self.read_into(offset, buffer)

    def data_ranges(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """See `Source.data_ranges`. A file system that knows no holes has none."""
        end = min(offset + length, self.length)
        while offset < end:
            try:
                start = os.lseek(self._fd, offset, os.SEEK_DATA)
                stop = os.lseek(self._fd, start, os.SEEK_HOLE)
            except OSError as error:
                if error.errno != errno.ENXIO:  # ENXIO: no data up to the end
                    yield offset, end
                return
            if start >= end:
                return
            yield start, min(stop, end)
            offset = stop

    def next_data(self, offset: int) -> int:
        """See `Source.next_data`. A file system that knows no holes has none."""
        try:
            return os.lseek(self._fd, offset, os.SEEK_DATA)
        except OSError as error:
            no_data = error.errno == errno.ENXIO or offset >= self.length
            return NO_DATA if no_data else offset

    def next_hole(self, offset: int) -> int:
        """See `Source.next_hole`."""
        try:
            return max(offset + 1, os.lseek(self._fd, offset, os.SEEK_HOLE))
        except OSError:  # the file system cannot tell, or the file shrank
            return max(offset + 1, self.length)

    def allocated(self) -> int | None:
        """Bytes of the disk that the file takes, according to the file system."""
        return os.fstat(self._fd).st_blocks * BLOCK

    def check_unchanged(self) -> None:
        """Refuse a file whose bytes are not those that it had when it was opened.

        A file that was replaced by another one of its name is the same here: it stays open.

        Raises:
            Changed: Its length is another, or something was written to it.
        """
        if _version(self._fd) != self._opened:
            raise Changed(CHANGED, path=self.name)

    def refuse_writers(self) -> None:
        """Refuse a file that another program has open for writing, as far as it locks it as QEMU.

        Nothing is locked here. Where the system or the file system has no such locks, none is
        found.

        Raises:
            Unreadable: One has.
        """
        writer = _writer(self._fd)
        if writer is not None:
            who = f"process {writer}" if writer > 0 else "another program"
            raise Unreadable(
                f"is open for writing in {who}, so that what is read may be half old and half new:"
                " read it when that has ended, or as it is (-U, --force-share)",
                path=self.name,
            )

    def close(self) -> None:
        """Close the file; harmless when called again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:  # there is none where opening failed
            warn(f"unclosed image {self.name!r}", ResourceWarning, source=self, stacklevel=2)
            self.close()


SHRANK = "has shrunk while it was read; start again when nothing writes to it"
CHANGED = (
    "has changed while it was read, so that what was read may be of two states; start again when"
    " nothing writes to it, or accept that with -U"
)

FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
"""Without O_NONBLOCK, opening a pipe without a writer would wait for ever."""


def _opened(path: str) -> int:
    """Open a path, but not what has no bytes by offset: opening a device or a pipe can do things.

    What is swapped for one after this look is opened, and refused then.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISSOCK(mode):  # which the system itself refuses to open
        _check_kind(mode, path)
    return os.open(path, FLAGS)


def _walked(path: str) -> int:
    """Open a path one directory at a time, none of which may be a symbolic link.

    What the gate judged had none: one that is met now was put there in between.
    """
    *folders, last = path.strip("/").split("/")
    # With O_PATH a directory need not be readable, only open to passage.
    flags = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
    place = os.open("/", flags)
    try:
        for folder in folders:
            inner = os.open(folder, flags, dir_fd=place)
            os.close(place)
            place = inner
        return os.open(last, FLAGS | os.O_NOFOLLOW, dir_fd=place)
    finally:
        os.close(place)


LOCK = struct.Struct("@hhqqi0q")
"""Linux's ``struct flock``: type, whence, offset, length, process."""

WRITES = c.RAW_LOCK_PERM_BASE + c.BlkPermission.BLK_PERM_WRITE.bit_length() - 1
"""The byte that a writer locks (block/file-posix.c: raw_apply_lock_bytes)."""


def _writer(fd: int) -> int | None:
    """The process that has a file open for writing; -1 if unnamed, None if there is none.

    Asked as QEMU asks (util/osdep.c: qemu_lock_fd_test): would a lock be granted?
    """
    if sys.platform != "linux":
        return None
    import fcntl

    asked = LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, WRITES, 1, 0)
    try:
        kind, *_, process = LOCK.unpack(fcntl.fcntl(fd, fcntl.F_OFD_GETLK, asked))
    except OSError:  # a file system, or a kernel, without such locks
        return None
    return None if kind == fcntl.F_UNLCK else int(process)


def _length(fd: int, path: str) -> int:
    """Length in bytes of an open file that can be read by offset."""
    _check_kind(os.fstat(fd).st_mode, path)
    try:
        return os.lseek(fd, 0, os.SEEK_END)
    except OSError as error:
        raise Unreadable(f"has no length: {reason_of(error)}", path=path) from error


def _check_kind(mode: int, path: str) -> None:
    """Refuse what has no bytes by offset."""
    if stat.S_ISDIR(mode):
        raise Unreadable("is a directory, not an image", errno=errno.EISDIR, path=path)
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise Unreadable("is neither a file nor a block device", errno=errno.EINVAL, path=path)


def _version(fd: int) -> tuple[int, int]:
    """Length of a file, and when it was written to last; a block device does not say."""
    found = os.fstat(fd)
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else (0, 0)
