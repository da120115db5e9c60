"""Repeated attempts, for a bounded time.

In: an attempt that may fail for the moment. Out: its result. Refuses: to go on
when time or attempts have run out; the last failure is returned.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a server.

    Attributes:
        connect: Seconds for a connection to be made.
        silence: Seconds without a byte after which a connection counts as lost.
        total: Seconds for one range, all attempts and pauses together, before what `slowest` adds.
        slowest: Bytes a second that a server has to give at least.
        attempts: How often a range is asked for, at most, without getting a byte of it.
        pause: Seconds before the second attempt; doubled before each further one.
    """

    connect: float = 10.0
    silence: float = 20.0
    total: float = 60.0
    slowest: int = 64 << 10
    attempts: int = 5
    pause: float = 0.2

    def deadline(self, length: int) -> float:
        """When to give up on a range, by the monotonic clock."""
        return time.monotonic() + self.total + length / self.slowest


PATIENCE = Patience()


class Transient(Exception):
    """A failure that another attempt may get over; the text says what failed.

    Attributes:
        after: Seconds to wait first, if the server stated them.
    """

    def __init__(self, reason: str, *, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


def retry(attempt: Callable[[float], T | None], patience: Patience, length: int) -> T | Transient:
    """Call until there is a result.

    Args:
        attempt: Takes the deadline; returns the result, or None after some progress, to be called
            again.
        patience: When to give up.
        length: Bytes that are wanted.

    Returns:
        The result, or the last failure. It is returned, not raised, so that the error of the caller
        has no context: that may name secrets.
    """
    deadline = patience.deadline(length)
    tries, pause = 0, patience.pause
    failure = Transient("it takes too long")
    while time.monotonic() < deadline:
        try:
            found = attempt(deadline)
        except Transient as error:
            failure, error.__traceback__, error.__context__ = error, None, None
        else:
            if found is not None:
                return found
            tries, pause = 0, patience.pause
            continue
        tries += 1
        if tries >= patience.attempts:
            return failure
        # Full jitter between a half and the whole: so that clients do not all come back at once.
        wait = failure.after if failure.after is not None else pause * random.uniform(0.5, 1)  # noqa: S311 - no secret
        pause *= 2
        if time.monotonic() + wait >= deadline:
            return failure
        time.sleep(wait)
    return failure
