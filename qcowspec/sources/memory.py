"""An image whose bytes are in memory already.

In: bytes. Out: a `Source`. Refuses: nothing.
"""

from __future__ import annotations

from qcowspec.sources.source import Source


class Memory(Source):
    """Bytes as a `Source`, without copying them."""

    def __init__(self, data: bytes | bytearray | memoryview, name: str = "<memory>") -> None:
        self._data = memoryview(data).cast("B")
        self.name = name
        self.length = len(self._data)

    def read_at(self, offset: int, length: int) -> bytes:
        """Read bytes; see `Source.read_at`."""
        return bytes(self._data[offset : offset + length])

    def close(self) -> None:
        """Release the buffer."""
        self._data.release()
