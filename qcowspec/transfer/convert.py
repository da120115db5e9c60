"""A virtual disk to a raw file.

In: a disk. Out: a sparse raw file of its bytes. Refuses: what reading or writing refuses.

The disk's runs are gathered into jobs of a MiB or two; a few threads each read, inflate, look for
zeros and write a job at a time, in buffers of their own. Python's lock is free through all of that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from qcowspec.chain import Layer
from qcowspec.guest import Disk
from qcowspec.mapping import Kind, Run
from qcowspec.transfer.crew import Crew, default_threads
from qcowspec.transfer.output import SparseFile
from qcowspec.units import GuestOffset, HostOffset

JOB = 1 << 20
"""Guest bytes of a job, at most, but for a larger compressed cluster.

What has been read is written while it is still in the processor's cache: 2 MiB take a fifth longer.
"""

FAR_JOB = 4 << 20
"""The same where bytes come from a server: a request costs more than a cache that is too small."""

FAR_THREADS = 4
"""Threads where bytes come from a server: their jobs fill a gigabit a second over 100 ms; with more
of them the buffers are too large for the processor's cache.
"""

HOLE = 1 << 20
"""Bytes of a run from which on the file is asked for its holes."""

Progress = Callable[[int], None]


class Job(NamedTuple):
    """Some neighbouring runs of one layer, that fit into a buffer together.

    Attributes:
        depth: The layer's.
        start: Guest offset of the first byte.
        end: Guest offset behind the last byte.
        runs: Of data or compressed, in guest order; what lies between them is zeros.
    """

    depth: int
    start: int
    end: int
    runs: list[Run]


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
        threads: How many threads read and write; one for each processor where it is left out, and
            not less than `FAR_THREADS` where bytes come from a server.
        progress: Is told how many guest bytes were done since it was told last.
        resume: Go on with what an interrupted call has written, if the image and these options (a
            snapshot's name, …) are the same; and keep what is written if this one is interrupted.

    Raises:
        QcowError: The disk cannot be read.
        Unwritable: The file cannot be written.
    """
    disk.open_all()
    is_far = any(hasattr(layer.data, "in_flight") for layer in disk.layers)
    count = threads or max(default_threads(), FAR_THREADS if is_far else 1)
    with _file(disk, path, resume) as file:
        work = _Work(disk, file)
        told = 0

        def report() -> None:
            nonlocal told
            if progress is not None and work.passed > told:
                done, told = work.passed - told, work.passed
                progress(done)

        found = jobs(disk, FAR_JOB if is_far else JOB)
        left = (job for job in found if not file.has(job.start, job.end))
        Crew(left, work, count).run(report)
        work.passed = disk.size
        report()
        file.finish()


def _file(disk: Disk, path: str, resume: Mapping[str, Any] | None) -> SparseFile:
    if resume is None:
        return SparseFile(path, disk.size)
    from qcowspec.transfer.resume import ResumableFile, subject

    return ResumableFile(path, disk.size, subject(disk, resume))


class _Work:
    """What a thread does with a job.

    Attributes:
        passed: Guest offset up to which jobs were begun.
    """

    def __init__(self, disk: Disk, file: SparseFile) -> None:
        self._disk, self._file, self._own = disk, file, threading.local()
        self.passed = 0

    def __call__(self, job: Job) -> None:
        buffer, size = getattr(self._own, "buffer", None), job.end - job.start
        if buffer is None or len(buffer) < size:
            buffer = self._own.buffer = memoryview(bytearray(max(JOB, size)))
        view = buffer[:size]
        if sum(run.length for run in job.runs) < len(view):
            view[:] = bytes(len(view))
        self._disk.reader_of(job.depth).fill(job.runs, view, job.start, alone=True)
        self._file.write(job.start, view)
        self.passed = max(self.passed, job.end)


def jobs(disk: Disk, size: int = JOB) -> Iterator[Job]:
    """All that there is to read of a disk, in guest order.

    Args:
        disk: What to read.
        size: Guest bytes of a job, at most, but for a larger compressed cluster.
    """
    held: list[Run] = []
    depth, start = 0, 0
    for at, run in disk.runs():
        if run.kind is not Kind.DATA and run.kind is not Kind.COMPRESSED:
            continue
        for piece in _pieces(disk.layers[at], run, size):
            end = piece.offset + piece.length
            if held and (at != depth or end - start > size):
                yield Job(depth, start, held[-1].offset + held[-1].length, held)
                held = []
            if not held:
                depth, start = at, piece.offset
            held.append(piece)
    if held:
        yield Job(depth, start, held[-1].offset + held[-1].length, held)


def _pieces(layer: Layer, run: Run, size: int) -> Iterator[Run]:
    """A run in pieces of a buffer's size, without the holes of the image file."""
    if run.kind is not Kind.DATA or run.length < size:
        yield run
        return
    assert run.host_offset is not None
    host, ahead = int(run.host_offset), run.host_offset - run.offset
    ranges = getattr(layer.data, "data_ranges", None)
    stretches: Iterable[tuple[int, int]] = [(host, host + run.length)]
    if ranges is not None and layer.decryptor is None and run.length >= HOLE:
        stretches = ranges(host, run.length)
    for begin, behind in stretches:
        while begin < behind:
            # Buffers end at multiples of their size, so that files are written in whole pages.
            until = min(behind, (begin - ahead) // size * size + size + ahead)
            yield Run(run.kind, GuestOffset(begin - ahead), until - begin, HostOffset(begin))
            begin = until
