"""A finished temporary file gets its final name, and replaces the file that has it.

In: the temporary file, and its final name. Out: that name with the new bytes. Refuses: what the
file system refuses, with `OSError`.

A new file gets the mode of any new file. An existing file keeps its owner, group, mode, access
control list and other attributes: the new one gets them before it gets the name. If they cannot be
set, or the old file has other names (hard links) or is a mount point, the bytes are copied into the
old file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress

PRIVATE = 0o600
"""Mode of an unfinished file: other users must not read a disk that was encrypted."""

NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
"""Flags to create a file that must not exist."""

THERE = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""Flags to open an existing file that is written in place."""

OF_CONTENT = {"security.capability", "security.evm", "security.ima"}
"""Attributes that describe the old bytes; the system removes them when a file is written."""

NOT_RENAMED = {errno.EACCES, errno.EBUSY, errno.EPERM}
"""Errors of a rename onto a file that can still be written, such as a mount point."""

LONGEST = 200
"""Bytes of a name that a temporary name repeats: a name has 255 at most."""

STEP = 4 << 20
"""Bytes that are copied at a time."""

BLOCK = 512
"""Bytes of a block as ``stat`` counts them."""


def temporary(path: str) -> str:
    """A new name in the folder of a path."""
    folder, name = os.path.split(path)
    short = os.fsdecode(os.fsencode(name)[:LONGEST])
    return os.path.join(folder, f"{short}.{os.urandom(4).hex()}.partial")


def renamed(fd: int, partial: str, path: str) -> bool:
    """Give a finished file its final name, if no attribute of an existing file is lost by that.

    Args:
        fd: The file; it is closed before it is renamed, so that a late error is seen.
        partial: Its name.
        path: Its final name.

    Returns:
        Whether it was renamed; if not, `pour` copies the bytes.

    Raises:
        OSError: It cannot be renamed.
    """
    try:
        found = _there(path)
        if found is None:
            mode = _usual_mode(path)
            with suppress(OSError):  # on file systems where all files have the same mode
                os.fchmod(fd, mode)
        may_rename = found is None or (found.st_nlink == 1 and _made_like(fd, path, found))
    finally:
        os.close(fd)
    if not may_rename:
        return False
    try:
        os.replace(partial, path)
    except OSError as error:
        if found is None or error.errno not in NOT_RENAMED:
            raise
        return False
    return True


def _there(path: str) -> os.stat_result | None:
    """The regular file at a path; None if it does not exist."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EEXIST, "it is no regular file any more")
    return found


def _usual_mode(path: str) -> int:
    """The mode of a new file in the folder of a path, by umask and the folder's default list."""
    probe = temporary(path)
    fd = os.open(probe, NEW, 0o666)
    try:
        return stat.S_IMODE(os.fstat(fd).st_mode)
    finally:
        os.close(fd)
        os.unlink(probe)


def _made_like(fd: int, path: str, found: os.stat_result) -> bool:
    """Give an open file the owner, attributes and mode of another; whether all could be set."""
    try:
        own = os.fstat(fd)
        if (own.st_uid, own.st_gid) != (found.st_uid, found.st_gid):
            os.fchown(fd, found.st_uid, found.st_gid)
        has, wanted = _attributes(fd), _attributes(path)
        for name in has.keys() - wanted.keys():
            os.removexattr(fd, name)
        for name, value in wanted.items():
            if has.get(name) != value:
                os.setxattr(fd, name, value)
        # After both: a change of owner clears bits, and an access control list sets the group's.
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_IMODE(os.fstat(fd).st_mode) != mode:
            os.fchmod(fd, mode)
    except OSError:
        return False
    return True


def _attributes(file: int | str) -> dict[str, bytes]:
    """The extended attributes of a file, its access control list among them."""
    try:
        names = os.listxattr(file)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return {}
        raise
    return {name: os.getxattr(file, name) for name in names if name not in OF_CONTENT}


def pour(partial: str, path: str) -> None:
    """Copy a finished file over the bytes of an existing one; holes stay holes.

    Raises:
        OSError: Nothing was copied, or not all of it.
    """
    source = os.open(partial, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        target = os.open(path, THERE)
        try:
            _copy(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def data_ranges(fd: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of a range of a file that are not holes: where each starts, and ends."""
    while start < end:
        try:
            start = os.lseek(fd, start, os.SEEK_DATA)
        except OSError:  # a hole up to the end of the file
            return
        if start >= end:
            return
        stop = min(end, os.lseek(fd, start, os.SEEK_HOLE))
        yield start, stop
        start = stop


def _copy(source: int, target: int) -> None:
    new, old, free = os.fstat(source), os.fstat(target), os.fstatvfs(target)
    if not stat.S_ISREG(old.st_mode):
        raise OSError(errno.EEXIST, "it is no regular file any more")
    if (new.st_blocks - old.st_blocks) * BLOCK > free.f_bavail * free.f_frsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.ftruncate(target, 0)
    os.ftruncate(target, new.st_size)
    for at, stop in data_ranges(source, 0, new.st_size):
        while at < stop:
            data = memoryview(os.pread(source, min(STEP, stop - at), at))
            while data:
                done = os.pwrite(target, data, at)
                at, data = at + done, data[done:]
