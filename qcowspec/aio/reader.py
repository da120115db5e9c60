"""A virtual disk as a file, read from an event loop.

In: seeks and reads. Out: bytes, awaited. Refuses: to be written.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from types import TracebackType

from qcowspec.aio.disk import AsyncDisk


class AsyncReader:
    """A seekable file over a disk, which is opened when it is first needed.

    It has one position: tasks that read in parallel need a reader each, or `AsyncImage.pread`.
    """

    def __init__(self, disk: Callable[[], Awaitable[AsyncDisk]]) -> None:
        self._disk: Callable[[], Awaitable[AsyncDisk]] | None = disk
        self._at = 0

    async def read(self, size: int = -1) -> bytes:
        """Read from the position on; fewer bytes only where the disk ends.

        Args:
            size: Bytes; negative: all that follow, which may be many.
        """
        disk = await self._opened()
        left = max(0, disk.size - self._at)
        data = await disk.pread(self._at, left if size < 0 else min(size, left))
        self._at += len(data)
        return data

    async def readinto(self, buffer: bytearray | memoryview) -> int:
        """Read up to the buffer's size, or the end of the disk; return how many bytes."""
        count = await (await self._opened()).readinto(self._at, buffer)
        self._at += count
        return count

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to an offset; see `io.IOBase.seek`."""
        disk = await self._opened()
        if whence not in (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END):
            raise ValueError(f"whence is {whence}, not 0, 1 or 2")
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: disk.size}[whence]
        if start + offset < 0:
            raise ValueError(f"no offset on a disk: {start + offset}")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """The position."""
        return self._at

    async def aclose(self) -> None:
        """Close the reader; the image stays open."""
        self._disk = None

    async def __aenter__(self) -> AsyncReader:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _opened(self) -> AsyncDisk:
        if self._disk is None:
            raise ValueError("I/O operation on closed file")
        return await self._disk()
