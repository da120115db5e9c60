"""SHA-256 of files, and of virtual disks.

In: sources and disks. Out: hexadecimal digits. Refuses: what reading refuses.

hashlib works without Python's lock, so several digests are made at once, each by a thread of its
own that reads its bytes once, in order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from qcowspec.errors import Changed
from qcowspec.guest import Disk
from qcowspec.sources.source import Source
from qcowspec.transfer.crew import Crew, default_threads

if TYPE_CHECKING:
    from qcowspec.image import Image

STEP = 4 << 20
"""Bytes that are read at a time."""

Progress = Callable[[int], None]


class Stretch(NamedTuple):
    """Bytes that a digest is made of.

    Attributes:
        name: What has them.
        read_into: Fills a buffer with the bytes at an offset, and returns how many there were.
        start: Offset of the first byte.
        length: How many they are.
    """

    name: str
    read_into: Callable[[int, memoryview], int]
    start: int
    length: int


def of_file(source: Source) -> Stretch:
    """All bytes of a file."""
    return Stretch(source.name, source.read_into, 0, source.length)


def of_disk(disk: Disk, start: int = 0, length: int | None = None) -> Stretch:
    """The bytes of a disk, or of a range of it."""
    left = disk.size - start if length is None else length
    return Stretch(disk.layers[0].name, disk.readinto, start, left)


def disk_sha256(image: Image) -> str:
    """SHA-256 of an image's disk, made in this thread; a disk without bytes is not opened.

    Raises:
        QcowError: It cannot be read.
    """
    if not image.size:
        return sha256().hexdigest()
    return _digest(of_disk(image.disk()), threading.Event(), lambda _: None)


def sha256_of(stretches: Sequence[Stretch], progress: Progress | None = None) -> list[str]:
    """SHA-256 of each stretch; several are made at once.

    Args:
        stretches: What to read.
        progress: Called with the number of bytes that were read since the last call.

    Raises:
        QcowError: One of them cannot be read.
    """
    found = [""] * len(stretches)
    done = [0] * len(stretches)
    stop = threading.Event()
    reported = 0

    def work(index: int) -> None:
        def passed(count: int) -> None:
            done[index] += count

        found[index] = _digest(stretches[index], stop, passed)

    def report() -> None:
        nonlocal reported
        if progress is not None and sum(done) > reported:
            count, reported = sum(done) - reported, sum(done)
            progress(count)

    # The longest first: the shorter ones fit in beside it.
    order = sorted(range(len(stretches)), key=lambda index: -stretches[index].length)
    try:
        Crew(iter(order), work, min(len(stretches), default_threads())).run(report)
    finally:
        stop.set()
    report()
    return found


def _digest(stretch: Stretch, stop: threading.Event, passed: Progress) -> str:
    digest = sha256()
    buffer = memoryview(bytearray(min(STEP, stretch.length)))
    end = stretch.start + stretch.length
    for offset in range(stretch.start, end, STEP):
        if stop.is_set():
            break
        view = buffer[: min(STEP, end - offset)]
        if stretch.read_into(offset, view) < len(view):
            raise Changed("has fewer bytes than it had", path=stretch.name, offset=offset)
        digest.update(view)
        passed(len(view))
    return digest.hexdigest()
