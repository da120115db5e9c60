"""An image on a server, whichever protocol leads there.

In: a `Transport`, which fetches ranges. Out: a `Source` that makes few and large requests, several
at once, tries again what fails in passing, and never mixes bytes of two versions of a file.
Refuses: what the server refuses, and what takes too long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from threading import Lock
from typing import TYPE_CHECKING

from qcowspec.sources.blocks import Blocks
from qcowspec.sources.requests import IN_FLIGHT, InOrder, Requests
from qcowspec.sources.retries import PATIENCE, Patience
from qcowspec.sources.source import Borrowed, Source
from qcowspec.sources.transport import Transport

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

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


class Remote(Source):
    """A file on a server as a `Source`; may be used by several threads.

    Attributes:
        name: The file, as it may be shown: without secrets.
        length: Its bytes.
        identity: Which version of it is read.
    """

    in_flight = IN_FLIGHT
    gap = GAP

    def __init__(self, transport: Transport, patience: Patience = PATIENCE) -> None:
        """Find the file.

        Raises:
            Unreadable: It cannot be had.
        """
        self.name = transport.name
        self._requests = Requests(transport, patience)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = Lock()
        try:
            self.identity, start = self._requests.open(FIRST)
        except BaseException:
            transport.close()
            raise
        self.length = self.identity.length
        self._blocks = Blocks(self.length, self._straight, self._later, capacity=CACHE)
        self._blocks.put(start)

    @property
    def requests(self) -> int:
        """How many ranges were asked for, first attempts only."""
        return self._requests.made

    @property
    def transferred(self) -> int:
        """Bytes that came of them."""
        return self._requests.transferred

    @property
    def version(self) -> tuple[str, str] | None:
        """What the server calls the version, and when it was changed last, in the server's words.

        None where it says neither.
        """
        known = self.identity
        return (known.etag, known.modified) if known.etag or known.modified else None

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
        """See `Source.read_once`: they are not kept, and not read ahead of."""
        length = min(length, self.length - offset)
        return self._exact(offset, length) if length >= ONCE else self.read_at(offset, length)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """See `Source.read_into`."""
        count = max(0, min(len(buffer), self.length - offset))
        if count < LARGE:
            buffer[:count] = self.read_at(offset, count)
        else:
            self._fill_wide(offset, buffer[:count])
        return count

    def read_ranges(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """See `Source.read_ranges`; several are asked for at once."""
        if len(ranges) < 2:
            return [self._exact(*each) for each in ranges]
        return list(self._executor().map(lambda each: self._exact(*each), ranges))

    def in_order(self, offset: int, length: int) -> Stretch:
        """See `Source.in_order`: one request brings all."""
        return Stretch(self, self._requests, offset, length)

    def sibling(self, name: str) -> Source | None:
        """See `Source.sibling`."""
        return self._requests.transport.sibling(name)

    def close(self) -> None:
        """Hang up; harmless when called again."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
        self._requests.close()

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
            self._requests.fill(offset + start, buffer[start : start + MOST])

    def _fill_wide(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer, several requests at a time. Not for threads of our own pool."""
        if len(buffer) <= MOST:
            self._requests.fill(offset, buffer)
            return
        starts = range(0, len(buffer), MOST)
        work = [
            self._executor().submit(self._requests.fill, offset + at, buffer[at : at + MOST])
            for at in starts
        ]
        wait(work)
        for each in work:
            each.result()

    def _later(self, work: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """Do something beside; whoever needs what comes of it meets its errors."""
        future: Future[None] = self._executor().submit(work)
        future.add_done_callback(lambda done: otherwise() if done.cancelled() else None)

    def _executor(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor  # which small images do without

        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="qcowspec-read")
            return self._pool


class Stretch(Borrowed):
    """A file on a server as a `Source`, for one who reads a stretch of it once, and in order.

    For one thread. It holds a request's place until it is closed.
    """

    def __init__(self, file: Remote, requests: Requests, offset: int, length: int) -> None:
        super().__init__(file)
        self._remote, self._at, self._end = file, offset, min(offset + length, file.length)
        self._range: InOrder | None = None
        if self._at < self._end:
            self._range = requests.in_order(offset, self._end - offset)

    def read_at(self, offset: int, length: int) -> bytes:
        """Read bytes; see `Source.read_at`."""
        buffer = bytearray(max(0, min(length, self.length - offset)))
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """See `Source.read_into`. What is not next ends the stretch, and is fetched by itself."""
        count = max(0, min(len(buffer), self.length - offset))
        if self._range is None or offset != self._at or count > self._end - offset:
            self.close()
            return self._remote.read_into(offset, buffer)
        self._range.fill(buffer[:count])
        self._at += count
        return count

    def close(self) -> None:
        """Be done with the stretch; harmless when called again. The file stays open."""
        if self._range is not None:
            self._range.close()
            self._range = None
