"""A virtual disk, read from an event loop.

In: guest ranges. Out: bytes, awaited. Refuses: what `qcowspec.guest.Disk` refuses.
"""

from __future__ import annotations

from collections.abc import Sequence

from qcowspec.aio.workers import Crew
from qcowspec.guest import Disk

PIECE = 4 << 20
"""Bytes of one read in a thread: other reads, and a cancellation, get their turn between two."""


class AsyncDisk:
    """A readable virtual disk: the active state or a snapshot, with its backing files.

    Attributes:
        size: Its bytes.
    """

    def __init__(self, disk: Disk, crew: Crew) -> None:
        self._disk, self._crew = disk, crew
        self.size = disk.size

    def __repr__(self) -> str:
        return f"<Async{repr(self._disk)[1:]}"

    async def open_all(self) -> None:
        """Open every file that the disk needs, so that none is refused halfway."""
        await self._crew.run(self._disk.open_all)

    async def pread(self, offset: int, length: int) -> bytes:
        """Read a range; see `qcowspec.guest.Disk.pread`."""
        left = min(length, self.size - offset)
        if left <= PIECE:
            return await self._crew.run(self._disk.pread, offset, length)
        pieces = []
        while left > 0:
            pieces.append(await self._crew.run(self._disk.pread, offset, min(left, PIECE)))
            offset, left = offset + PIECE, left - PIECE
        return await self._crew.run(b"".join, pieces)

    async def readinto(self, offset: int, buffer: bytearray | memoryview) -> int:
        """Read into a buffer; see `qcowspec.guest.Disk.readinto`.

        Nothing writes into the buffer after this has ended, by cancellation too.
        """
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view):
            wanted = min(PIECE, len(view) - done)
            piece = await self._crew.run(self._disk.pread, offset + done, wanted)
            view[done : done + len(piece)] = piece
            done += len(piece)
            if len(piece) < wanted:
                break
        return done

    async def read_extents(self, extents: Sequence[tuple[int, int]]) -> list[bytes]:
        """Read many ranges; see `qcowspec.guest.Disk.read_extents`.

        It is one piece of work: once begun, it goes on to its end even if cancelled.
        """
        return await self._crew.run(self._disk.read_extents, extents)
