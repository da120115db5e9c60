"""How a stage asks for bytes without reading any.

In: offsets and lengths. Out: `Need`s, answered from outside. Refuses: nothing.

A stage is a generator: it yields a `Need`, is sent the bytes, and goes on. It does not know where
they come from: a file, a socket, a test that feeds byte by byte; see `qcowspec.reader.machine`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, TypeVar

from qcowspec.spec.units import HostOffset, align_up

T = TypeVar("T")


class Need(NamedTuple):
    """A request for the bytes [offset, offset + length) of the image file.

    The answer is shorter only where the file ends.

    Attributes:
        offset: Where they start in the image file, in bytes.
        length: Their number.
        optional: Nothing depends on them: a stream that did not keep them answers with none.
    """

    offset: HostOffset
    length: int
    optional: bool = False


Reading = Generator[Need, bytes, T]
"""A stage at work: yields needs, is sent bytes, returns a `T`."""


class Window:
    """The bytes read last; a stage reads through it.

    A request is rounded up to whole steps of the file, so that small structures that lie together
    (header, extensions, backing file name) cost one request; bytes of the window cost none.
    """

    STEP = 4096  # bytes: a page, and more than any header that QEMU writes
    LARGE = 65536  # bytes: a table of this size is passed through and not kept

    def __init__(self) -> None:
        self._offset = 0
        self._data = b""
        self._ended = False  # the file ends where the window ends

    def read(self, offset: int, length: int) -> Reading[bytes]:
        """The bytes at an offset; short where the file ends."""
        if length > self.LARGE:
            return (yield Need(HostOffset(offset), length))
        if not self._holds(offset, length):
            start = offset - offset % self.STEP
            wanted = align_up(offset + length, self.STEP) - start
            self._data = yield Need(HostOffset(start), wanted)
            self._offset, self._ended = start, len(self._data) < wanted
        within = offset - self._offset
        return self._data[within : within + length]

    def read_zero_filled(self, offset: int, length: int) -> Reading[bytes]:
        """The bytes at an offset; zeros past the end of the file, as QEMU's block layer has it.

        `length` is bounded by the caller: that many bytes are allocated.
        """
        data = yield from self.read(offset, length)
        return data.ljust(length, b"\0")

    def _holds(self, offset: int, length: int) -> bool:
        if offset < self._offset:
            return False
        return self._ended or offset + length <= self._offset + len(self._data)
