"""Ranges of a file on a server, asked for again when a request fails.

In: an `HttpTransport`. Out: whole ranges, in one buffer or in several. Refuses: what the server
refuses, and what takes too long.
"""

from __future__ import annotations

from contextlib import closing
from threading import BoundedSemaphore, Lock

from qcowspec.errors import QcowError, Unreadable
from qcowspec.sources.http import Body, HttpTransport, Identity
from qcowspec.sources.retries import Patience, Transient, retry

IN_FLIGHT = 8
"""Most requests at once."""

PROGRESS = 64 << 10
"""The least bytes of an attempt that counts as progress."""


class Requests:
    """Requests for ranges of one file; any number of threads may make them.

    Attributes:
        name: The file, as it may be shown: without secrets.
        transport: What sends them.
        patience: How long they may take.
        room: Acquired by each request that is under way.
        made: How many ranges were asked for, first attempts only.
        transferred: Bytes that came of them.
    """

    def __init__(self, transport: HttpTransport, patience: Patience) -> None:
        self.name = transport.name
        self.made, self.transferred = 0, 0
        self.transport, self.patience = transport, patience
        self.room = BoundedSemaphore(IN_FLIGHT)
        self._lock = Lock()
        self._is_closed = False

    def open(self, length: int) -> tuple[Identity, bytes]:
        """Find the file; see `HttpTransport.open`.

        Raises:
            Unreadable: It cannot be read.
        """
        found = retry(lambda deadline: self.transport.open(length, deadline), self.patience, length)
        if isinstance(found, Transient):
            raise self.failed(found, None)
        self.count(len(found[1]))
        return found

    def fill(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer with one range.

        Raises:
            Unreadable: The server fails, or the file is no longer the same.
        """
        with closing(InOrder(self, offset, len(buffer))) as stretch:
            stretch.fill(buffer)

    def begin(self, offset: int, length: int, deadline: float) -> Body:
        """Ask for a range.

        Raises:
            Transient, Unreadable: See `HttpTransport.begin`; the latter also after `close`.
        """
        if self._is_closed:  # by another thread: this one has to end
            raise Unreadable("cannot be read: it was closed meanwhile", path=self.name)
        return self.transport.begin(offset, length, deadline)

    def close(self) -> None:
        """Ask for nothing more, and hang up."""
        self._is_closed = True
        self.transport.close()

    def count(self, length: int) -> None:
        """Count a range, and the bytes that came."""
        with self._lock:
            self.made += 1
            self.transferred += length

    def failed(self, failure: Transient, offset: int | None) -> QcowError:
        """The error for a range that cannot be read."""
        return Unreadable(f"cannot be read: {failure.reason}", path=self.name, offset=offset)


class InOrder:
    """A range that is read from its beginning to its end: one request, if nothing fails.

    It counts as a request under way until it is closed; for one thread.
    """

    def __init__(self, requests: Requests, offset: int, length: int) -> None:
        self._requests, self._patience = requests, requests.patience
        self._begun, self._at, self._end = offset, offset, offset + length
        self._body: Body | None = None
        requests.room.acquire()
        self._is_open = True

    def fill(self, buffer: memoryview) -> None:
        """Read the next bytes, to fill the buffer; so many must be left, and it must be open.

        Raises:
            Unreadable: The server fails, or the file is no longer the same.
        """
        done = 0

        def attempt(deadline: float) -> bool | None:
            nonlocal done
            if self._body is None:
                self._body = self._requests.begin(self._at, self._end - self._at, deadline)
            try:
                came = self._body.read_into(buffer[done:])
            except Transient:
                self._let_go()
                raise
            done += came
            self._at += came
            if done == len(buffer):
                return True
            self._let_go()
            if came < PROGRESS:
                raise Transient("what comes ends early")
            return None

        found = retry(attempt, self._patience, self._end - self._at)
        if isinstance(found, Transient):
            raise self._requests.failed(found, self._at)

    def close(self) -> None:
        """End the request; harmless when called again."""
        if self._is_open:
            self._is_open = False
            self._let_go()
            self._requests.room.release()
            self._requests.count(self._at - self._begun)

    def _let_go(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None
