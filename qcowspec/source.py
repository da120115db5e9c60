"""Where an image's bytes come from, as the rest of the package sees it.

In: what the user named. Out: a `Source`: bytes by offset. Refuses: what is no image at all
(a directory, a missing file, a device that has no length) with `Unreadable`.
"""

from __future__ import annotations

import os
from typing import Protocol


class Source(Protocol):
    """Random access to the bytes of one image file."""

    @property
    def name(self) -> str:
        """The image as the user named it."""
        ...

    @property
    def length(self) -> int:
        """Length of the file in bytes."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Read bytes at an offset.

        Args:
            offset: First byte, from the start of the file; may lie past its end.
            length: Number of bytes wanted.

        Returns:
            The bytes; fewer than `length` only where the file ends, none past its end.

        Raises:
            Unreadable: The device or the network failed.
        """
        ...

    def close(self) -> None:
        """Give the file back."""
        ...


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
