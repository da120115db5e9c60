"""The byte sources, one module each, and the choice among them.

In: what the user calls an image. Out: a `Source`: bytes by offset. Refuses: what is no image at all
(a directory, a missing file, a device that has no length) with `Unreadable`.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from qcowspec.source import Source

Target = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""What a user calls an image."""


def open_source(target: Target) -> Source:
    """Open what a user calls an image.

    Args:
        target: A path, ``-`` for standard input, the image's bytes themselves, or a binary file
            object, which stays its owner's to close.

    Raises:
        Unreadable: It cannot be opened or read.
    """
    # Each kind of source is imported when it is asked for: start-up time is a promise.
    if isinstance(target, (bytes, bytearray, memoryview)):
        from qcowspec.sources.memory import Memory

        return Memory(target)
    if not isinstance(target, (str, os.PathLike)):
        from qcowspec.sources.file_object import FileObject

        return FileObject(target)
    name = os.fspath(target)
    if name == "-":
        from qcowspec.sources.standard_input import open_standard_input

        return open_standard_input()
    from qcowspec.sources.local import LocalFile

    return LocalFile(name)
