"""An image on a server, whichever protocol leads there.

In: a `Transport`, which fetches ranges. Out: a `Source` that makes few and large requests, several
at once, tries again what fails in passing, and never mixes bytes of two versions of a file.
Refuses: what the server refuses, and what takes too long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock
from typing import Protocol

from qcowspec.errors import QcowError, Unreadable
from qcowspec.source import Source
from qcowspec.sources.blocks import Blocks
from qcowspec.sources.retries import PATIENCE, Patience, Transient, persistently

FIRST = 256 << 10
"""Bytes of the first request: header, refcount table, refcounts and L1 table of most images."""

LARGE = 512 << 10
"""Bytes of a read that goes to the server as it is, and is not kept."""

MOST = 4 << 20
"""Bytes of one request, at most."""

CACHE = 16 << 20
"""Bytes of small reads that are kept."""

ONCE = 128 << 10
"""The same of a read whose bytes nobody wants again, nor those behind it."""

GAP = 16 << 10
"""Bytes between two tables that cost less than a request of its own."""

IN_FLIGHT = 8
"""Requests at once, at most."""

PROGRESS = 64 << 10
"""Bytes that have to come for an attempt to count as a step forward."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which version of a file is read.

    Attributes:
        length: Its bytes.
        etag: What the server calls the version; empty where it does not say.
        modified: When it was changed last, in the server's words; empty where it does not say.
    """

    length: int
    etag: str = ""
    modified: str = ""


class Transport(Protocol):
    """A way to fetch ranges of one file; its methods may be called from several threads.

    Attributes:
        name: The file, as it may be shown.
        seekable: Whether ranges can be had; known once it is open.
    """

    name: str

    def open(self, length: int, deadline: float) -> tuple[Identity, bytes]:
        """Find the file.

        Args:
            length: Bytes of its beginning that are wanted.
            deadline: When to give up, by the monotonic clock.

        Returns:
            What it is, and its beginning; less of it only where the file ends.

        Raises:
            Transient: It may go better the next time.
            Unreadable: It will not.
        """
        ...

    def fetch(self, offset: int, buffer: memoryview, deadline: float) -> int:
        """Read a range of the file that `open` found, or some of it.

        Returns:
            How many bytes are in the buffer; at least one.

        Raises:
            Transient: It may go better the next time.
            Unreadable: It will not, or the file is no longer the same.
        """
        ...

    def beside(self, name: str) -> Source | None:
        """Open another file of this server, with the same credentials; None for other places."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...


class Remote:
    """A file on a server as a `Source`; may be used by several threads.

    Attributes:
        name: The file, as it may be shown: without secrets.
        length: Its bytes.
        identity: Which version of it is read.
        in_flight: How many requests may be under way at once.
        gap: Bytes between two tables that are rather fetched than skipped.
        requests: How many ranges were asked for, first attempts only.
        transferred: Bytes that came of them.
    """

    in_flight = IN_FLIGHT
    gap = GAP

    def __init__(self, transport: Transport, patience: Patience = PATIENCE) -> None:
        """Find the file.

        Raises:
            Unreadable: It cannot be had.
        """
        self.name = transport.name
        self.requests, self.transferred = 0, 0
        self._transport, self._patience = transport, patience
        self._room = BoundedSemaphore(IN_FLIGHT)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = Lock()
        try:
            found = persistently(lambda deadline: transport.open(FIRST, deadline), patience, FIRST)
            if isinstance(found, Transient):
                raise self._failed(found, None)
        except BaseException:
            transport.close()
            raise
        self.identity, start = found
        self.length = self.identity.length
        self._count(len(start))
        self._blocks = Blocks(self.length, self._fetch, self._later, capacity=CACHE)
        self._blocks.put(start)

    def read_at(self, offset: int, length: int) -> bytes:
        """Read bytes; see `Source.read_at`."""
        length = min(length, self.length - offset)
        if length <= 0:
            return b""
        if length < LARGE:
            return self._blocks.read(offset, length)
        buffer = bytearray(length)
        self._fill_wide(offset, memoryview(buffer))
        return bytes(buffer)

    def read_once(self, offset: int, length: int) -> bytes:
        """The same for bytes that are wanted once: they are not kept, and not read ahead of."""
        length = min(length, self.length - offset)
        return self._exact(offset, length) if length >= ONCE else self.read_at(offset, length)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Read bytes straight into a buffer, as many as it holds.

        Returns:
            How many there were; fewer than it holds only where the file ends.
        """
        count = max(0, min(len(buffer), self.length - offset))
        if count < LARGE:
            buffer[:count] = self.read_at(offset, count)
        else:
            self._fill_wide(offset, buffer[:count])
        return count

    def read_ranges(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Read many ranges side by side, and nothing between them.

        Args:
            ranges: Offset and length of each.

        Returns:
            Their bytes, each shorter only where the file ends.
        """
        if len(ranges) < 2:
            return [self._exact(*each) for each in ranges]
        return list(self._executor().map(lambda each: self._exact(*each), ranges))

    def beside(self, name: str) -> Source | None:
        """Open another file of this server, with the same credentials; None for other places."""
        return self._transport.beside(name)

    def close(self) -> None:
        """Hang up; harmless when called again."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
        self._transport.close()

    def _exact(self, offset: int, length: int) -> bytes:
        """A range as it is, from what is here, or else from the server."""
        length = min(length, self.length - offset)
        if length <= 0:
            return b""
        return self._blocks.peek(offset, length) or self._straight(offset, length)

    def _straight(self, offset: int, length: int) -> bytes:
        buffer = bytearray(length)
        self._fill(offset, memoryview(buffer))
        return bytes(buffer)

    def _fill(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer, a request for each piece."""
        for start in range(0, len(buffer), MOST):
            self._request(offset + start, buffer[start : start + MOST])

    def _fill_wide(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer, several requests at a time. Not for threads of our own pool."""
        if len(buffer) <= MOST:
            self._request(offset, buffer)
            return
        starts = range(0, len(buffer), MOST)
        work = [
            self._executor().submit(self._request, offset + at, buffer[at : at + MOST])
            for at in starts
        ]
        wait(work)
        for each in work:
            each.result()

    def _fetch(self, offset: int, length: int) -> bytes:
        return self._straight(offset, length)

    def _request(self, offset: int, buffer: memoryview) -> None:
        """One range, whole, however often it takes."""
        done = 0

        def attempt(deadline: float) -> bool | None:
            nonlocal done
            came = self._transport.fetch(offset + done, buffer[done:], deadline)
            done += came
            if done == len(buffer):
                return True
            if came < PROGRESS:
                raise Transient("what comes ends early")
            return None

        with self._room:
            found = persistently(attempt, self._patience, len(buffer))
        self._count(done)
        if isinstance(found, Transient):
            raise self._failed(found, offset + done)

    def _failed(self, failure: Transient, offset: int | None) -> QcowError:
        return Unreadable(f"cannot be read: {failure.reason}", path=self.name, offset=offset)

    def _count(self, length: int) -> None:
        with self._lock:
            self.requests += 1
            self.transferred += length

    def _later(self, work: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """Do something beside; whoever needs what comes of it meets its errors."""
        future: Future[None] = self._executor().submit(work)
        future.add_done_callback(lambda done: otherwise() if done.cancelled() else None)

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="qcowspec-read")
            return self._pool
