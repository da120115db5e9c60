"""The target of a command's output: what OUT is, and whether it exists.

In: a path. Out: a `Place`. Refuses: what can be neither written nor made, with `Unwritable`.

Links at the end of the path are followed: the link stays, and the file that it leads to is written.
A device, a pipe and one of the process's own descriptors (``/dev/stdout``, ``/dev/fd/3``) are
written in order, and never replaced by a file.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from typing import BinaryIO

from qcowspec.errors import reason_of

Target = str | BinaryIO
"""A path, or a stream that is open already, such as standard output."""

MOST_LINKS = 40
"""Most links that are followed, as in Linux (MAXSYMLINKS in include/linux/namei.h)."""

SYSTEM = ("/dev", "/proc", "/sys")
"""Folders of the system, where no file is made or replaced."""

MEMORY = ("/dev/shm",)  # noqa: S108 - a name to compare with
"""Folders below `SYSTEM` that are for users' files."""

DESCRIPTORS = re.compile(r"/proc/(\d+)(?:/task/\d+)?/fd")
"""The folder of a process's open files, all links followed."""


class Unwritable(OSError):
    """The output cannot be written, for a reason in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.strerror = reason


@dataclass(frozen=True)
class Place:
    """What a path names.

    Attributes:
        path: The path, its last links followed.
        found: The status of the file; None if it does not exist.
        descriptor: The descriptor of this process that it names, if it does.
    """

    path: str
    found: os.stat_result | None
    descriptor: int | None = None

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file, or will be one."""
        return self.descriptor is None and (self.found is None or stat.S_ISREG(self.found.st_mode))


def place_of(path: str) -> Place:
    """What a path names.

    Raises:
        Unwritable: It can never be written.
    """
    try:
        return _place(path)
    except OSError as error:
        raise Unwritable(reason_of(error)) from error
    except ValueError as error:  # a zero byte in it
        raise Unwritable(str(error)) from error


def _place(path: str) -> Place:
    for _ in range(MOST_LINKS):
        # The kernel resolves the path's folders: below /proc/PID/root their names lead elsewhere.
        folder, name = os.path.split(path)
        where = os.path.realpath(folder)
        if opened := DESCRIPTORS.fullmatch(where):
            return _descriptor(path, int(opened[1]), name)
        if not os.path.islink(path):
            break
        _check_link(path, folder)
        path = os.path.join(folder, os.readlink(path))
    else:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        if name in ("", ".", ".."):
            raise
        found = None
    _check(found, where)
    return Place(path, found)


def _descriptor(path: str, process: int, name: str) -> Place:
    """The place of an open file, which must belong to this process."""
    if process != os.getpid() or not name.isdecimal():
        raise Unwritable("it is a file that another process has open; name the file itself")
    return Place(path, os.fstat(int(name)), int(name))


def _check_link(path: str, folder: str) -> None:
    """Refuse a link that another user has put into a folder that is open to all, such as /tmp.

    Linux does the same where fs.protected_symlinks is set (may_follow_link in fs/namei.c).
    """
    around, owner = os.stat(folder or "."), os.lstat(path).st_uid
    is_open = around.st_mode & stat.S_ISVTX and around.st_mode & stat.S_IWOTH
    if is_open and owner not in (os.geteuid(), around.st_uid):
        raise Unwritable("it is a link that somebody else has put into a folder open to all")


def _check(found: os.stat_result | None, folder: str) -> None:
    """Refuse what is neither a file nor can be written in order, and files of the system."""
    mode = 0 if found is None else found.st_mode
    if stat.S_ISDIR(mode):
        raise Unwritable("it is a directory; name a file")
    if stat.S_ISSOCK(mode):
        raise Unwritable("it is a socket; name a file")
    if (found is None or stat.S_ISREG(mode)) and _is_below(folder, SYSTEM):
        if _is_below(folder, MEMORY):
            return
        if found is None:
            raise Unwritable("there is no such device, and no file is made there")
        raise Unwritable("it is a file of the system, which is not replaced")


def _is_below(folder: str, roots: tuple[str, ...]) -> bool:
    return any(folder == root or folder.startswith(f"{root}/") for root in roots)


def is_same(target: Target, other: str) -> bool:
    """Whether a target is the file or disk at another path, or - for standard input.

    Pipes and the like do not count: writing to them does not change what is read.
    """
    try:
        ours = os.stat(target) if isinstance(target, str) else os.fstat(target.fileno())
        theirs = os.fstat(0) if other == "-" else os.stat(other)
    except (OSError, ValueError):  # one of them is no file of this machine's, or not there yet
        return isinstance(target, str) and os.path.realpath(target) == os.path.realpath(other)
    if stat.S_ISBLK(ours.st_mode) and stat.S_ISBLK(theirs.st_mode):
        return ours.st_rdev == theirs.st_rdev
    return stat.S_ISREG(ours.st_mode) and os.path.samestat(ours, theirs)
