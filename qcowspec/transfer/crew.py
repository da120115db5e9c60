"""A few threads that take jobs from one iterator until it is empty.

In: jobs, and a function for each. Out: nothing. Refuses: nothing: the first error ends the work,
and is raised to the caller.

`concurrent.futures` would do, but its import takes a tenth of the time of a small conversion.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Job = TypeVar("Job")

GRACE = 1.0
"""Seconds in which threads may end their jobs, after an error or an interrupt.

A thread that waits for a server may wait for minutes. It is abandoned, and takes no other job.
"""

POLL = 0.1
"""Seconds between two checks whether all is done, if no job ends meanwhile."""


def default_threads() -> int:
    """One a processor, at least two: one reads while the other writes."""
    return max(2, os.cpu_count() or 1)


class Crew(Generic[Job]):
    """Threads for the jobs of one iterator, which one of them calls at a time."""

    def __init__(self, jobs: Iterator[Job], work: Callable[[Job], None], threads: int) -> None:
        self._jobs, self._work = jobs, work
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._stop = self._reports = False
        self._done = threading.Event()
        self._working = threads
        self._threads = [
            threading.Thread(target=self._work_on, name=f"qcowspec-{number}", daemon=True)
            for number in range(threads)
        ]

    def run(self, report: Callable[[], None] | None = None) -> None:
        """Do all jobs.

        Args:
            report: Called in this thread when jobs were done. With None no job wakes it,
                so that it does not take Python's lock from those that work.

        Raises:
            BaseException: The first that a job, or the iterator, raised. A job that waits for a
                server may still run then.
        """
        self._reports = report is not None
        for thread in self._threads:
            thread.start()
        try:
            # Counted: a thread whose work is done may still be alive.
            while self._working and not self._stop:
                self._done.wait(POLL)
                self._done.clear()
                if report is not None:
                    report()
        finally:  # also of an interrupt
            self._stop = True
            end = time.monotonic() + GRACE
            for thread in self._threads:
                thread.join(max(0.0, end - time.monotonic()))
        if self._error is not None:
            raise self._error

    def _work_on(self) -> None:
        try:
            while self._one():
                if self._reports:
                    self._done.set()
        except BaseException as error:
            self._error = self._error or error
            self._stop = True
        finally:
            with self._lock:
                self._working -= 1
            self._done.set()

    def _one(self) -> bool:
        """Do one job; whether there was one."""
        with self._lock:
            job = None if self._stop else next(self._jobs, None)
        if job is None:
            return False
        self._work(job)
        return True
