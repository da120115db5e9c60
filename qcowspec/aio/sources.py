"""Adapters between sources for threads and sources for an event loop.

In: a source of one kind. Out: the same for the other. Refuses: nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from threading import Lock
from typing import Any

from qcowspec.aio.workers import Crew
from qcowspec.errors import Unreadable
from qcowspec.sources.source import AsyncSource, Source


class Threaded:
    """A `Source`, awaited: each read is done in a thread."""

    def __init__(self, source: Source, crew: Crew) -> None:
        self._source, self._crew = source, crew
        self.name, self.length = source.name, source.length

    async def read_at_async(self, offset: int, length: int) -> bytes:
        """Read bytes; see `AsyncSource.read_at_async`."""
        return await self._crew.run(self._source.read_at, offset, length)


class OnLoop(Source):
    """An `AsyncSource`, for threads: each read is done on the loop, while the thread waits."""

    def __init__(self, source: AsyncSource, loop: asyncio.AbstractEventLoop) -> None:
        self._source, self._loop = source, loop
        self.name, self.length = source.name, source.length
        self._lock = Lock()
        self._closed = False
        self._reads: set[Future[bytes]] = set()

    async def read_at_async(self, offset: int, length: int) -> bytes:
        """Read bytes; see `AsyncSource.read_at_async`."""
        return await self._source.read_at_async(offset, length)

    def read_at(self, offset: int, length: int) -> bytes:
        """Read bytes, from any thread but the loop's; see `Source.read_at`."""
        read = self._source.read_at_async(offset, length)
        try:
            future = self._begin(read)
        except RuntimeError as error:  # the loop was closed
            read.close()
            raise self._lost(offset) from error
        try:
            return future.result()
        except CancelledError as error:  # by `abandon`, or by the loop when it ends
            raise self._lost(offset) from error
        finally:
            with self._lock:
                self._reads.discard(future)

    def abandon(self) -> None:
        """End all reads; threads that wait for one get `Unreadable`."""
        with self._lock:
            self._closed = True
            reads = list(self._reads)
        for read in reads:
            read.cancel()

    def _begin(self, read: Coroutine[Any, Any, bytes]) -> Future[bytes]:
        with self._lock:
            if self._closed:
                raise RuntimeError
            future = asyncio.run_coroutine_threadsafe(read, self._loop)
            self._reads.add(future)
            return future

    def _lost(self, offset: int) -> Unreadable:
        return Unreadable("was closed while it was read", path=self.name, offset=offset)
