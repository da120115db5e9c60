"""The byte sources, one module each, and the choice among them.

In: what the user calls an image. Out: a `Source`: bytes by offset. Refuses: what is no image at all
(a directory, a missing file, a device that has no length) with `Unreadable`.
"""

from __future__ import annotations

import os

from qcowspec.source import Source


def open_admitted(path: str) -> Source:
    """Open what a gate let pass: a plain file, where it really is, through no symbolic link.

    Raises:
        Unreadable: It cannot be opened, or was swapped for a link since the gate looked at it.
    """
    from qcowspec.sources.local import LocalFile

    return LocalFile(path, follow=False)


def open_source(target: str | os.PathLike[str] | bytes | bytearray | memoryview) -> Source:
    """Open what a user calls an image.

    Args:
        target: A path, ``-`` for standard input, or the image's bytes themselves.

    Raises:
        Unreadable: It cannot be opened or read.
    """
    # Each kind of source is imported when it is asked for: start-up time is a promise.
    if isinstance(target, (bytes, bytearray, memoryview)):
        from qcowspec.sources.memory import Memory

        return Memory(target)
    name = os.fspath(target)
    if name == "-":
        from qcowspec.sources.standard_input import open_standard_input

        return open_standard_input()
    from qcowspec.sources.local import LocalFile

    return LocalFile(name)
