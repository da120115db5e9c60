"""A file or block device on this machine.

In: a path. Out: a `Source` over ``pread``, which needs no file position and so no lock.
Refuses: directories, pipes and character devices, which have no bytes by offset.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator

from qcowspec.errors import Unreadable

BLOCK = 512
"""Bytes of a block as ``stat`` counts them."""

END = 1 << 63
"""Behind all offsets that a file can have."""


class LocalFile:
    """A regular file or block device as a `Source`."""

    def __init__(self, path: str, *, follow: bool = True) -> None:
        self.name = path
        try:
            self._fd = os.open(path, FLAGS) if follow else _walked(os.path.abspath(path))
        except (OSError, ValueError) as error:
            raise Unreadable(f"cannot be opened: {_reason(error)}", path=path) from error
        try:
            self.length = _length(self._fd, path)
        except Unreadable:
            os.close(self._fd)
            raise

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
            piece = self._once(offset, length)  # empty where the file shrank since it was opened
            pieces.append(piece)
        return b"".join(pieces)

    def _once(self, offset: int, length: int) -> bytes:
        try:
            return os.pread(self._fd, length, offset)
        except OSError as error:
            raise Unreadable(
                f"cannot be read: {_reason(error)}", path=self.name, offset=offset
            ) from error

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Read bytes straight into a buffer, as many as it holds.

        Returns:
            How many there were; fewer than it holds only where the file ends.
        """
        wanted, done = max(0, min(len(buffer), self.length - offset)), 0
        while done < wanted:
            try:
                count = os.preadv(self._fd, [buffer[done:wanted]], offset + done)
            except OSError as error:
                raise Unreadable(
                    f"cannot be read: {_reason(error)}", path=self.name, offset=offset + done
                ) from error
            if not count:  # the file shrank since it was opened
                break
            done += count
        return done

    def read_pieces(self, pieces: Iterable[tuple[int, memoryview]]) -> None:
        """Fill many buffers, each from its offset; what lies past the end is left as it is."""
        fd, preadv = self._fd, os.preadv
        for offset, buffer in pieces:
            try:
                whole = preadv(fd, (buffer,), offset) == len(buffer)
            except OSError:
                whole = False
            if not whole:  # the end of the file, or an error that is told properly there
                self.read_into(offset, buffer)

    def data_ranges(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """The parts of a range that are not holes of the file: where each starts, and ends.

        A file system that knows no holes has none.
        """
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
        """The first offset, from one on, that is no hole; 2^63 where none follows.

        A file system that knows no holes has none.
        """
        try:
            return os.lseek(self._fd, offset, os.SEEK_DATA)
        except OSError as error:
            no_data = error.errno == errno.ENXIO or offset >= self.length
            return END if no_data else offset

    def next_hole(self, offset: int) -> int:
        """The first offset, from one of data on, that is a hole; the end is one."""
        try:
            return max(offset + 1, os.lseek(self._fd, offset, os.SEEK_HOLE))
        except OSError:  # the file system cannot tell, or the file shrank
            return max(offset + 1, self.length)

    def allocated(self) -> int | None:
        """Bytes of the disk that the file takes, by the file system's word."""
        return os.fstat(self._fd).st_blocks * BLOCK

    def close(self) -> None:
        """Close the file; harmless when called again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
"""Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever."""


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


def _length(fd: int, path: str) -> int:
    """Length in bytes of an open file that can be read by offset."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode):
        raise Unreadable("is a directory, not an image", path=path)
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise Unreadable("is neither a file nor a block device", path=path)
    try:
        return os.lseek(fd, 0, os.SEEK_END)
    except OSError as error:
        raise Unreadable(f"has no length: {_reason(error)}", path=path) from error


def _reason(error: OSError | ValueError) -> str:
    """The system's own words, lower case, as they stand inside a sentence."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return text[:1].lower() + text[1:]
