"""The ranges of a disk that cannot be read, or may not be what the guest wrote, and why.

In: ranges in any order, from any thread. Out: the same in guest order, joined where they touch and
are lost for one reason. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from threading import Lock
from typing import NamedTuple

from qcowspec.errors import QcowError

LISTED = 100_000
"""Ranges that are listed; others are only counted, so that a hostile image cannot fill memory."""


class Loss(NamedTuple):
    """A range of a disk that is lost.

    Attributes:
        offset: Where it starts on the disk, in bytes.
        length: Its bytes; above 0.
        path: The file at fault.
        rule: The broken rule; None where no rule of the format is broken.
        reason: One sentence; of neighbours that were joined, about the first.
        place: Host offset of the fault in that file; None if it has no single place.
    """

    offset: int
    length: int
    path: str
    rule: str | None
    reason: str
    place: int | None = None

    @property
    def end(self) -> int:
        """Guest offset after the last byte."""
        return self.offset + self.length

    def within(self, start: int, end: int) -> Loss:
        """The part that lies in a range, which it overlaps."""
        low = max(self.offset, start)
        return self._replace(offset=low, length=min(self.end, end) - low)


def loss(offset: int, length: int, error: QcowError, path: str) -> Loss:
    """A range that is lost because of an error; `path` is the file where the error names none."""
    return Loss(offset, length, error.path or path, error.rule, error.message, error.offset)


class Losses:
    """A list of losses; any number of threads may add to it.

    Attributes:
        met: How often a loss was added.
        more: Ranges that are counted, and not listed.
        more_bytes: Their bytes.
    """

    def __init__(self, found: Iterable[Loss] = ()) -> None:
        self.met = self.more = self.more_bytes = 0
        self._lock = Lock()
        self._found: list[Loss] = []
        for each in found:
            self.add(each)

    def add(self, found: Loss) -> None:
        """Add a loss; one that continues the last one is joined to it."""
        with self._lock:
            self.met += 1
            last = self._found[-1] if self._found else None
            if last is not None and _goes_on(last, found):
                self._found[-1] = last._replace(length=found.end - last.offset)
                return
            if len(self._found) >= LISTED:
                self._found = list(_tidied(self._found))
            if len(self._found) < LISTED:
                self._found.append(found)
            else:
                self.more += 1
                self.more_bytes += found.length

    def __iter__(self) -> Iterator[Loss]:
        """All that are listed, in guest order; they do not overlap."""
        with self._lock:
            self._found = list(_tidied(self._found))
            return iter(tuple(self._found))

    def __len__(self) -> int:
        return sum(1 for _ in self)  # a list would ask for the length first

    def __bool__(self) -> bool:
        return self.met > 0

    @property
    def bytes(self) -> int:
        """Bytes of all of them."""
        return sum(each.length for each in self) + self.more_bytes

    def within(self, start: int, end: int) -> Losses:
        """The parts that lie in a range."""
        return Losses(
            each.within(start, end) for each in self if each.offset < end and each.end > start
        )

    def by_reason(self) -> Mapping[tuple[str, str], tuple[Loss, int]]:
        """For each file and reason, the first loss, and the bytes of all."""
        found: dict[tuple[str, str], tuple[Loss, int]] = {}
        for each in self:
            first, count = found.get((each.path, each.reason), (each, 0))
            found[each.path, each.reason] = (first, count + each.length)
        return found


def _goes_on(one: Loss, other: Loss) -> bool:
    """Whether a loss continues another one."""
    if one.end != other.offset or (one.path, one.rule) != (other.path, other.rule):
        return False
    return one.rule is not None or one.reason == other.reason


def _tidied(found: list[Loss]) -> Iterator[Loss]:
    """Losses in guest order; of two that overlap, the first one keeps the overlap."""
    held: Loss | None = None
    for each in sorted(found, key=lambda each: each.offset):
        if held is not None and each.offset < held.end:
            if each.end <= held.end:
                continue
            each = each._replace(offset=held.end, length=each.end - held.end)
        if held is not None and _goes_on(held, each):
            held = held._replace(length=each.end - held.offset)
            continue
        if held is not None:
            yield held
        held = each
    if held is not None:
        yield held
