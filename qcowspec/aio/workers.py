"""The threads that work for images on an event loop.

In: functions. Out: what they return, awaited. Refuses: work for an image that was closed.

All images of a process share one set of threads, which ends with the last of them. An image gives
its files back only when nothing works on it any more, in a thread too: a file descriptor that was
closed under a read could be another file's by then. That holds however the caller leaves, by
cancellation or with its loop: the last piece of work to end closes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import ParamSpec, TypeVar

from qcowspec.errors import Unreadable

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 32
"""Threads of all images together: so many reads wait for a disk or a network at once."""


class _Shared:
    """The threads, as long as somebody needs them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._executor: ThreadPoolExecutor | None = None

    def enter(self) -> ThreadPoolExecutor:
        """Take part."""
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="qcowspec-aio")
            self._users += 1
            return self._executor

    def leave(self) -> None:
        """Take part no more; the last one out ends the threads."""
        with self._lock:
            self._users -= 1
            if not self._users and self._executor is not None:
                self._executor.shutdown(wait=False)
                self._executor = None


_SHARED = _Shared()


class Crew:
    """What works for one image; `end` has to follow.

    Attributes:
        name: The image, for errors, once it is known.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._executor = _SHARED.enter()
        self._lock = Lock()
        self._busy = 0
        self._finish: Callable[[], None] | None = None
        self._ended: Future[None] = Future()

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a thread.

        When the caller is cancelled, work that has begun goes on to its end, unseen.

        Raises:
            Unreadable: The image was closed.
        """
        with self._lock:
            if self._finish is not None:
                raise Unreadable("is closed", path=self.name)
            self._busy += 1
        future = self._executor.submit(work, *args, **kwargs)
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def end(self, finish: Callable[[], None]) -> None:
        """Take no more work, and have a function called when all work has ended.

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
        """Wait until that function has been called; it is, when the caller is cancelled, too."""
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
            self._executor.submit(self._end)
        except RuntimeError:  # the interpreter ends: there are no threads any more
            self._end()

    def _end(self) -> None:
        assert self._finish is not None
        try:
            self._finish()
        finally:
            _SHARED.leave()
            self._ended.set_result(None)
