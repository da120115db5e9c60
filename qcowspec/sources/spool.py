"""Streams, copied to temporary files, so that they can be read in any order.

In: a stream. Out: a `Source` over an unnamed temporary file. Refuses: streams that are larger than
there is room for.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from typing import IO

from qcowspec.errors import Unreadable, reason_of
from qcowspec.sources.local import LocalFile
from qcowspec.sources.source import Source

PIECE = 1 << 20
"""Bytes that are copied at a time."""


class Spooled(LocalFile):
    """An unnamed temporary file with the bytes of a stream, and its name."""

    def __init__(
        self,
        pieces: Iterable[bytes],
        name: str,
        sibling: Callable[[str], Source | None] | None = None,
    ) -> None:
        """Copy a stream.

        Args:
            pieces: Its bytes, in order.
            name: Its name, as it may be shown.
            sibling: Opens other files of the same server; see `Source.sibling`.

        Raises:
            Unreadable: There is no room for it.
        """
        with tempfile.TemporaryFile() as file:
            try:
                _copy(pieces, file, name)
            except Unreadable:
                raise
            except OSError as error:
                reason = f"cannot be copied to a temporary file: {reason_of(error)}"
                raise Unreadable(reason, path=name) from error
            super().__init__(f"/dev/fd/{file.fileno()}")
        self.name = name
        self._sibling = sibling

    @property
    def version(self) -> None:
        """None: each copy is a file of its own."""

    @property
    def place(self) -> str:
        """The name of the stream: a URL."""
        return self.name

    def allocated(self) -> None:
        """None: what the copy takes is not what the image takes."""

    def sibling(self, name: str) -> Source | None:
        """See `Source.sibling`."""
        return None if self._sibling is None else self._sibling(name)


def _copy(pieces: Iterable[bytes], file: IO[bytes], name: str) -> None:
    """Write a stream, up to half of the disk's free space; zeros become holes."""
    room = shutil.disk_usage(tempfile.gettempdir()).free // 2
    size = written = 0
    for piece in pieces:
        size += len(piece)
        if piece.count(0) == len(piece):
            file.seek(size)
            if size > LARGEST:
                raise Unreadable(f"gives more than {LARGEST} bytes", path=name)
            continue
        written += len(piece)
        if written > room:
            raise Unreadable(
                f"gives more than the {room} bytes for which there is room"
                f" in {tempfile.gettempdir()}",
                path=name,
            )
        file.write(piece)
    file.truncate(size)
    file.flush()


LARGEST = 1 << 46
"""Bytes of a stream, zeros included: 64 TiB."""
