"""An image on a server.

In: an `HttpTransport`, which fetches ranges. Out: a `Source` that makes few and large requests,
several at once, repeats those that fail, and never mixes bytes of two versions of a file.
Refuses: what the server refuses, and what takes too long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait

from qcowspec.errors import Unreadable
from qcowspec.sources.blocks import Blocks
from qcowspec.sources.http import HttpTransport, RangesIgnored
from qcowspec.sources.locations import located
from qcowspec.sources.requests import IN_FLIGHT, InOrder, Requests
from qcowspec.sources.retries import PATIENCE, Patience, Transient, retry
from qcowspec.sources.source import Borrowed, Source
from qcowspec.sources.threads import Threads

FIRST = 256 << 10
"""Bytes of the first request: header, refcount table, refcounts and L1 table of most images."""

LARGE = 512 << 10
"""Bytes from which on a read is not cached."""

MOST = 4 << 20
"""Bytes of one request, at most."""

CACHE = 16 << 20
"""Bytes of small reads that are kept."""

ONCE = 128 << 10
"""The same for `read_once`, whose bytes and the next ones are not wanted again."""

GAP = 16 << 10
"""Most bytes between two ranges that are read rather than skipped: a request costs more."""


class Remote(Source):
    """A file on a server as a `Source`; may be used by several threads.

    Attributes:
        name: The file, as it may be shown: without secrets.
        length: Its bytes.
        identity: Which version of it is read.
    """

    in_flight = IN_FLIGHT
    gap = GAP

    def __init__(self, transport: HttpTransport, patience: Patience) -> None:
        """Find the file.

        Raises:
            Unreadable: It cannot be read.
            RangesIgnored: The server sends the whole file.
        """
        self.name = transport.name
        self._requests = Requests(transport, patience)
        self._threads = Threads(IN_FLIGHT, "qcowspec-read")
        self.identity, start = self._requests.open(FIRST)
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
        """The ETag, and the date of the last change; None if the server states neither."""
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
        return list(self._threads.map(lambda each: self._exact(*each), ranges))

    def in_order(self, offset: int, length: int) -> Stretch:
        """See `Source.in_order`: one request brings all."""
        return Stretch(self, self._requests, offset, length)

    def sibling(self, name: str) -> Source | None:
        """See `Source.sibling`."""
        return sibling_of(self._requests.transport, name, self._requests.patience)

    def close(self) -> None:
        """Hang up; harmless when called again."""
        self._threads.close()
        self._requests.close()

    def _exact(self, offset: int, length: int) -> bytes:
        """A range, from the cache or else from the server; it is not cached."""
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
            self._threads.submit(self._requests.fill, offset + at, buffer[at : at + MOST])
            for at in starts
        ]
        wait(work)
        for each in work:
            each.result()

    def _later(self, work: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """Call a function in another thread; those who need its result get its errors."""
        future: Future[None] = self._threads.submit(work)
        future.add_done_callback(lambda done: otherwise() if done.cancelled() else None)


class Stretch(Borrowed):
    """A file on a server as a `Source`, a stretch of which is read once, and in order.

    For one thread. It counts as a request under way until it is closed.
    """

    def __init__(self, file: Remote, requests: Requests, offset: int, length: int) -> None:
        super().__init__(file)
        self._remote, self._at, self._end = file, offset, min(offset + length, file.length)
        self._range: InOrder | None = None
        if self._at < self._end:
            self._range = InOrder(requests, offset, self._end - offset)

    def read_at(self, offset: int, length: int) -> bytes:
        """Read bytes; see `Source.read_at`."""
        buffer = bytearray(max(0, min(length, self.length - offset)))
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """See `Source.read_into`. A read out of order ends the stretch, and is another request."""
        count = max(0, min(len(buffer), self.length - offset))
        if self._range is None or offset != self._at or count > self._end - offset:
            self.close()
            return self._remote.read_into(offset, buffer)
        self._range.fill(buffer[:count])
        self._at += count
        return count

    def close(self) -> None:
        """End the request; harmless when called again. The file stays open."""
        if self._range is not None:
            self._range.close()
            self._range = None


WHOLE = 32 << 20
"""Bytes of a file, at most, that is downloaded whole where the server ignores ranges."""


def open_http(url: str, patience: Patience = PATIENCE) -> Source:
    """Open an image on an HTTP server.

    Raises:
        Unreadable: It cannot be read.
    """
    return opened(HttpTransport(located(url), patience), patience)


def opened(transport: HttpTransport, patience: Patience) -> Source:
    """A file on a server as a `Source`; a small one is downloaded if the server ignores ranges.

    Raises:
        Unreadable: It cannot be read.
    """
    try:
        return Remote(transport, patience)
    except RangesIgnored:
        pass
    except BaseException:
        transport.close()
        raise
    from qcowspec.sources.spool import Spooled  # which few servers need

    try:
        pieces = retry(lambda deadline: transport.whole(WHOLE, deadline), patience, WHOLE)
    finally:
        transport.close()
    if isinstance(pieces, Transient):
        raise Unreadable(f"cannot be read: {pieces.reason}", path=transport.name)
    return Spooled(pieces, transport.name, lambda name: sibling_of(transport, name, patience))


def sibling_of(transport: HttpTransport, name: str, patience: Patience) -> Source | None:
    """Another file of the same server; see `Source.sibling`."""
    found = transport.sibling(name)
    return None if found is None else opened(found, patience)
