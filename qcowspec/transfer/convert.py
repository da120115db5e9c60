"""A virtual disk to a raw file, or in order to a pipe or device.

In: a disk. Out: a sparse raw file of its bytes. Refuses: what reading or writing refuses.

The disk's runs are gathered into jobs of a MiB or more. A few threads each read, inflate, look for
zeros and write one job at a time, in their own buffers, mostly without Python's lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from itertools import dropwhile
from typing import Any

from qcowspec.guest import Disk
from qcowspec.guest.layers import LayerReader
from qcowspec.guest.losses import Losses
from qcowspec.mapping import Run
from qcowspec.transfer.crew import Crew, default_threads
from qcowspec.transfer.files import writer
from qcowspec.transfer.jobs import JOB, Job, cut, jobs
from qcowspec.transfer.output import SparseFile
from qcowspec.transfer.places import Target, Unwritable, place_of
from qcowspec.transfer.stream import Stream, copy_forward

REMOTE_THREADS = 4
"""Least threads for bytes from a server: they fill a gigabit a second at a latency of 100 ms."""

Progress = Callable[[int], None]


def convert(
    disk: Disk,
    path: Target,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
    resume: Mapping[str, Any] | None = None,
    share: bool = False,
    sparse: bool = True,
    start: int = 0,
    length: int | None = None,
) -> Losses:
    """Write a disk's bytes to a raw file, or to a target that is written in order.

    Args:
        disk: What to read.
        path: The file's final name; it appears when all is written. Or a pipe, a device, or a
            stream that is open already, which are written from front to back.
        threads: How many threads read and write; by default one a processor, and at least
            `REMOTE_THREADS` if bytes come from a server.
        progress: Called with the number of guest bytes that were done since the last call.
        resume: Continue what an interrupted call has written, if the image and these options (a
            snapshot's name, …) are the same; and keep what is written if this one is interrupted.
        share: Accept that other programs write to the files meanwhile.
        sparse: Leave blocks of zeros out of a regular file; otherwise all of it is allocated.
        start: Where to begin, in guest bytes; within the disk.
        length: How many bytes to write, as far as the disk goes; None for all that follow.

    Returns:
        The ranges that lie past the end of a file; in a salvage, all losses.

    Raises:
        QcowError: The disk cannot be read.
        Unwritable: The file cannot be written.
    """
    disk.open_all()
    count = threads or threads_for(disk)
    end = disk.size if length is None else min(disk.size, start + length)
    with _file(disk, path, end - start, resume) as file:
        reported = start

        def report(passed: int) -> None:
            nonlocal reported
            if progress is not None and passed > reported:
                done, reported = passed - reported, passed
                progress(done)

        past_end = threading.Event()
        if isinstance(file, Stream):
            past_end.set()  # so that the tables are searched
            copy_forward(disk, file, report, start, end)
        else:
            work = _Work(disk, file, start)
            watch = None if progress is None else lambda: report(work.passed)
            Crew(jobs(disk, past_end, start, end), work, count).run(watch)
        losses = losses_of(disk, past_end.is_set(), start, end)
        if not share:
            disk.check_unchanged()
        report(end)
        if not sparse and isinstance(file, SparseFile):
            file.allocate()
        file.finish()
    return losses


def threads_for(disk: Disk) -> int:
    """How many threads read a disk, whose files are open, if the user does not say."""
    is_remote = any(layer.data.is_remote for layer in disk.layers)
    return max(default_threads(), REMOTE_THREADS if is_remote else 1)


def losses_of(disk: Disk, past_end: bool, start: int, end: int) -> Losses:
    """The losses of a range while reading, and those by the tables.

    Args:
        disk: The disk.
        past_end: Whether bytes may lie past the end of a file.
        start: Where the range begins, in guest bytes.
        end: Where it ends.
    """
    if past_end or disk.losses is not None or any(layer.walk.is_cut() for layer in disk.layers):
        found = disk.lost_ranges()
        return found if (start, end) == (0, disk.size) else found.within(start, end)
    return Losses()


def _file(
    disk: Disk, path: Target, size: int, resume: Mapping[str, Any] | None
) -> SparseFile | Stream:
    if resume is None:
        return writer(path, size)
    from qcowspec.transfer.resume import ResumableFile, subject

    if not isinstance(path, str) or not place_of(path).is_file:
        raise Unwritable("only a regular file can be resumed")
    return ResumableFile(path, size, subject(disk, resume))


class _Work:
    """Copies the bytes of a job; called by several threads.

    Attributes:
        passed: The highest guest offset that was copied.
    """

    def __init__(self, disk: Disk, file: SparseFile, start: int) -> None:
        self._disk, self._file, self._own = disk, file, threading.local()
        self._start = self.passed = start

    def __call__(self, job: Job) -> None:
        if job.in_order and (len(job.runs) > 1 or job.end - job.start > JOB):
            self._copy_in_order(job)
        elif not self._file.has(job.start - self._start, job.end - self._start):
            self._copy(self._disk.reader_of(job.depth), job.runs, job.start, job.end - job.start)

    def _copy_in_order(self, job: Job) -> None:
        pieces = [piece for run in job.runs for piece in cut(run, JOB)]
        left = list(dropwhile(self._is_done, pieces))
        if not left:
            return
        layer = self._disk.reader_of(job.depth).layer
        length, host = sum(piece.length for piece in left), left[0].host_offset
        assert host is not None
        with closing(layer.data.in_order(host, length)) as stretch:
            reader = self._disk.reader_of(job.depth).over(layer._replace(data=stretch))
            for piece in left:
                self._copy(reader, [piece], piece.offset, piece.length)

    def _is_done(self, piece: Run) -> bool:
        offset = piece.offset - self._start
        return self._file.has(offset, offset + piece.length)

    def _copy(self, reader: LayerReader, runs: list[Run], start: int, size: int) -> None:
        buffer = getattr(self._own, "buffer", None)
        if buffer is None or len(buffer) < size:
            buffer = self._own.buffer = memoryview(bytearray(max(JOB, size)))
        view = buffer[:size]
        if sum(run.length for run in runs) < size:
            view[:] = bytes(size)
        met = 0 if self._disk.losses is None else self._disk.losses.met
        reader.fill(runs, view, start, alone=True)
        # A range with losses is read again by a resumed conversion, which lists them again.
        lost = self._disk.losses is not None and self._disk.losses.met > met
        self._file.write(start - self._start, view, note=not lost)
        self.passed = max(self.passed, start + size)
