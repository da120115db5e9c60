"""The threads that work for images on an event loop.

In: functions. Out: what they return, awaited. Refuses: work for an image that was closed.

All images of a process share one set of threads, which ends with the last of them. The files of an
image are closed when the last work on it ends, even if the caller was cancelled or its loop ended:
a file descriptor that is closed during a read could be another file's by then.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import ParamSpec, TypeVar

from qcowspec.errors import Unreadable
from qcowspec.sources.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 32
"""Threads of all images together: the most reads that wait for a disk or a network."""


class _Shared(Threads):
    """The threads, as long as an image needs them."""

    users = 0

    def __init__(self) -> None:
        super().__init__(THREADS, "qcowspec-aio")
        self._count = Lock()

    def enter(self) -> None:
        """Register a user."""
        with self._count:
            self.users += 1

    def leave(self) -> None:
        """The opposite of `enter`; the last user to leave ends the threads."""
        with self._count:
            self.users -= 1
            if not self.users:
                self.close()


_SHARED = _Shared()


class Crew:
    """The work on one image; `end` has to follow.

    Attributes:
        name: The image, for errors, once it is known.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        _SHARED.enter()
        self._lock = Lock()
        self._busy = 0
        self._finish: Callable[[], None] | None = None
        self._ended: Future[None] = Future()

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a thread.

        If the caller is cancelled, work that has begun still runs to its end.

        Raises:
            Unreadable: The image was closed.
        """
        with self._lock:
            if self._finish is not None:
                raise Unreadable("is closed", errno=errno.EBADF, path=self.name)
            self._busy += 1
        future = _SHARED.submit(work, *args, **kwargs)
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def end(self, finish: Callable[[], None]) -> None:
        """Refuse further work, and call a function when all work has ended.

        Args:
            finish: Called once, in a thread; of several calls of `end`, the first one's.
        """
        with self._lock:
            first = self._finish is None
            self._finish = self._finish or finish
            idle = first and not self._busy
        if idle:
            self._begin_end()

    async def ended(self) -> None:
        """Wait until that function has been called; it is called even if this is cancelled."""
        await asyncio.shield(asyncio.wrap_future(self._ended))

    def _leave(self, _: Future[T]) -> None:
        """A piece of work has ended, or was cancelled before it began."""
        with self._lock:
            self._busy -= 1
            last = not self._busy and self._finish is not None
        if last:
            self._begin_end()

    def _begin_end(self) -> None:
        try:
            _SHARED.submit(self._end)
        except RuntimeError:  # the interpreter ends: no thread can be started
            self._end()

    def _end(self) -> None:
        assert self._finish is not None
        try:
            self._finish()
        finally:
            _SHARED.leave()
            self._ended.set_result(None)
