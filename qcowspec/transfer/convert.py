"""A virtual disk to a raw file.

In: a disk. Out: a sparse raw file of its bytes. Refuses: what reading or writing refuses.

The extents are cut into jobs of a few MiB; a few threads each read, inflate, look for zeros and
write a job at a time, in buffers of their own. Python's lock is free through all of that.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from qcowspec.chain import Layer
from qcowspec.guest import Disk
from qcowspec.mapping import Extents, Kind, Run
from qcowspec.transfer.output import SparseFile

JOB = 2 << 20
"""Guest bytes of a job, at most; a buffer has as many."""

HOLE = 1 << 20
"""Bytes of an extent from which on the file is asked for its holes."""

Progress = Callable[[int], None]


def convert(
    disk: Disk,
    path: str,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
    resume: Mapping[str, Any] | None = None,
) -> None:
    """Write a disk's bytes to a raw file.

    Args:
        disk: What to read.
        path: The file's final name; it appears when all is written.
        threads: How many threads read and write; twice the processors where it is left out, and
            not less than the requests that a server may be sent at once.
        progress: Is told how many guest bytes were done, again and again.
        resume: Go on with what an interrupted call has written, if the image and these options (a
            snapshot's name, …) are the same; and keep what is written if this one is interrupted.

    Raises:
        QcowError: The disk cannot be read.
        Unwritable: The file cannot be written.
    """
    disk.open_all()
    at_once = max(getattr(layer.data, "in_flight", 0) for layer in disk.layers)
    count = threads or max(2 * (os.cpu_count() or 1), at_once)
    with _file(disk, path, resume) as file, ThreadPoolExecutor(count) as pool:
        waiting: deque[Future[int]] = deque()
        work = _Work(disk, file)
        try:
            for depth, extents, passed in _jobs(disk):
                if len(extents) and not file.has(extents.start, extents.end):
                    waiting.append(pool.submit(work, depth, extents))
                if progress is not None:
                    progress(passed)
                while len(waiting) > 2 * count:
                    waiting.popleft().result()
            while waiting:
                waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
        file.finish()


def _file(disk: Disk, path: str, resume: Mapping[str, Any] | None) -> SparseFile:
    if resume is None:
        return SparseFile(path, disk.size)
    from qcowspec.transfer.resume import ResumableFile, subject

    return ResumableFile(path, disk.size, subject(disk, resume))


class _Work:
    """What a thread does with a job."""

    def __init__(self, disk: Disk, file: SparseFile) -> None:
        self._disk, self._file, self._own = disk, file, threading.local()

    def __call__(self, depth: int, extents: Extents) -> int:
        buffer = getattr(self._own, "buffer", None)
        if buffer is None:
            buffer = self._own.buffer = memoryview(bytearray(JOB))
        base, end = extents.start, extents.end
        view = buffer[: end - base]
        if int(extents.lengths.sum()) < len(view):  # what lies between extents is zeros
            np.frombuffer(view, np.uint8)[:] = 0
        self._disk.reader_of(depth).fill(extents, view, base, alone=True)
        self._file.write(base, view)
        return end - base


def _jobs(disk: Disk) -> Iterator[tuple[int, Extents, int]]:
    """What there is to read, in pieces of a buffer's size, and how many guest bytes each passes."""
    for depth, extents in disk.resolved():
        left = int(extents.end) - int(extents.start)
        wanted = _present(disk.layers[depth], extents)
        for job in _pieces(wanted):
            done = min(left, job.end - job.start)
            left -= done
            yield depth, job, done
        yield depth, wanted.take(slice(0, 0)), left


def _present(layer: Layer, extents: Extents) -> Extents:
    """The extents that have bytes; holes of the image file are left out of long ones."""
    chosen = extents.take(
        (extents.kinds == Kind.DATA) | (extents.kinds == Kind.COMPRESSED)
    ).joined()
    ranges = getattr(layer.data, "data_ranges", None)
    long = (chosen.lengths >= HOLE) & (chosen.kinds == Kind.DATA)
    if ranges is None or layer.decryptor is not None or not long.any():
        return chosen
    runs: list[Run] = []
    for run in chosen.runs():
        if run.kind is not Kind.DATA or run.length < HOLE or run.host_offset is None:
            runs.append(run)
            continue
        for start, end in ranges(run.host_offset, run.length):
            at = run.offset + start - run.host_offset
            runs.append(Run(Kind.DATA, type(run.offset)(at), end - start, start))
    return Extents.of(runs)


def _pieces(extents: Extents) -> Iterator[Extents]:
    """Extents in groups that fit a buffer; long ones are cut."""
    start, end = 0, 0
    if not len(extents):
        return
    offsets, lengths = extents.offsets.tolist(), extents.lengths.tolist()
    first = 0
    while first < len(offsets):
        start = offsets[first]
        last, limit = first, start + JOB
        while last < len(offsets) and offsets[last] + lengths[last] <= limit:
            last += 1
        if last > first:
            yield extents.take(slice(first, last))
            first = last
            continue
        end = start + lengths[first]
        whole = extents.take(slice(first, first + 1))
        for at in range(start, end, JOB):
            yield whole.cut(at, min(at + JOB, end))
        first += 1
