"""An image whose bytes are in memory already.

In: bytes. Out: a `Source`. Refuses: nothing.
"""

from __future__ import annotations

import errno

from qcowspec.errors import Unreadable
from qcowspec.sources.source import Source


class Memory(Source):
    """Bytes as a `Source`, without copying them."""

    def __init__(self, data: bytes | bytearray | memoryview, name: str = "<memory>") -> None:
        self._data = memoryview(data).cast("B")
        self.name = name
        self.length = len(self._data)

    def read_at(self, offset: int, length: int) -> bytes:
        """Read bytes; see `Source.read_at`."""
        try:
            return bytes(self._data[offset : offset + length])
        except ValueError as error:  # it was released
            raise Unreadable("is closed", errno=errno.EBADF, path=self.name) from error

    def close(self) -> None:
        """Release the buffer."""
        self._data.release()
