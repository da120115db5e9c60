"""A file object that the caller has opened: Python's own, or one of fsspec's.

In: a binary file object that can seek. Out: a `Source`, which reads under a lock, because a file
object has one position. Refuses: text files, and what cannot seek.

The file is not closed here.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import Any

from qcowspec.errors import Unreadable, shown
from qcowspec.sources.gate import is_url, plain_path
from qcowspec.sources.names import exists
from qcowspec.sources.source import Source

UNNAMED = "<file>"


class FileObject(Source):
    """A file object as a `Source`."""

    def __init__(self, file: Any) -> None:
        """Measure its length.

        Args:
            file: Anything with ``seek`` and ``read``; its position is changed.

        Raises:
            Unreadable: It cannot seek, or is closed.
        """
        self.name = _name(file)
        self._file: Any = file
        self._lock = Lock()
        self.length = self._guarded(lambda: file.seek(0, os.SEEK_END), "has no length")
        if not isinstance(self.length, int) or self.length < 0:
            raise Unreadable("has no length", path=self.name)

    def read_at(self, offset: int, length: int) -> bytes:
        """Read bytes; see `Source.read_at`."""
        length = min(length, self.length - offset)
        if length <= 0:
            return b""
        with self._lock:
            data = self._guarded(lambda: _read(self._file, offset, length), "cannot be read")
        if not isinstance(data, bytes):
            raise Unreadable("was opened as text; open it as 'rb'", path=self.name)
        return data

    def close(self) -> None:
        """Forget the file, which stays open."""
        self._file = None

    def _guarded(self, work: Any, what: str) -> Any:
        """Call a library, and raise our error for any of its own.

        Its own text may name secrets; only the system's is repeated.
        """
        try:
            return work()
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else type(error).__name__
        except Exception as error:  # a file object may be any library's
            reason = "it is closed" if self._file is None else type(error).__name__
        raise Unreadable(f"{what}: {reason}", path=self.name)


def _read(file: Any, offset: int, length: int) -> Any:
    """Read bytes, in as many reads as it takes; fewer only where the file ends."""
    file.seek(offset)
    first = file.read(length)
    if len(first) == length or not isinstance(first, bytes):
        return first
    pieces, left = [first], length - len(first)
    while left > 0 and (piece := file.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _name(file: Any) -> str:
    """What the file is called, as it may be shown."""
    there = getattr(file, "full_name", None)
    name = there or getattr(file, "name", None)
    if not isinstance(name, (str, os.PathLike)):
        return UNNAMED
    text = os.fsdecode(name)
    if there is None and exists(text):
        return plain_path(text)
    return shown(text) if is_url(text) or "://" in text else text
