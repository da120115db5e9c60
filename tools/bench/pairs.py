"""Two programs, run in turn: seconds, processor seconds, and the ratio of each pair.

In: commands. Out: `Pair`. Each run begins with a sync, so that none pays for what another wrote.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Run(NamedTuple):
    """Seconds of a whole process: on the clock, and of the processors."""

    seconds: float
    busy: float


class Pair(NamedTuple):
    """What came of some pairs: medians, and the least and largest ratio."""

    ours: Run
    theirs: Run
    ratio: float
    low: float
    high: float
    note: str = ""


def run(command: Sequence[str], before: Callable[[], None]) -> Run:
    """Run a program once; what it prints is dropped."""
    before()
    os.sync()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Run(seconds, now.ru_utime - used.ru_utime + now.ru_stime - used.ru_stime)


def pairs(
    ours: Sequence[str], theirs: Sequence[str], count: int, before: Callable[[], None]
) -> Pair:
    """Run both in turn, and hold each of ours against the run of theirs beside it.

    Args:
        ours: Our command.
        theirs: The other program's.
        count: Pairs.
        before: Called before each run, to remove what the last one has written.
    """
    found = [(run(theirs, before), run(ours, before)) for _ in range(count)]
    ratios = [mine.seconds / other.seconds for other, mine in found]
    return Pair(
        _median([mine for _, mine in found]),
        _median([other for other, _ in found]),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
    )


def _median(runs: Sequence[Run]) -> Run:
    return Run(
        statistics.median(each.seconds for each in runs),
        statistics.median(each.busy for each in runs),
    )
