"""A bounded pool of threads.

In: functions. Out: what they return, as futures. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")


class Threads:
    """Threads that start with the first work, end with `close`, and start again when needed."""

    def __init__(self, most: int, name: str) -> None:
        """Start none yet.

        Args:
            most: How many there are, at most.
            name: How their names begin.
        """
        self._most, self._name = most, name
        self._pool: ThreadPoolExecutor | None = None
        self._lock = Lock()

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call a function in a thread; see `concurrent.futures.Executor.submit`."""
        return self._started().submit(work, *args, **kwargs)

    def map(self, work: Callable[[V], T], values: Iterable[V]) -> Iterator[T]:
        """Call a function for each value; see `concurrent.futures.Executor.map`."""
        return self._started().map(work, values)

    def close(self, *, wait: bool = False) -> None:
        """End the threads; work that has not begun is cancelled, unless it is waited for.

        Work that has begun goes on to its end, with `wait` or without.
        """
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=wait, cancel_futures=not wait)

    def _started(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor  # which small images do without

        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._most, thread_name_prefix=self._name)
            return self._pool

    def __enter__(self) -> Threads:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(wait=error is None)
