"""A disk in windows: ranges of one size that begin at its multiples, and have data.

In: a disk. Out: windows, in guest order. Refuses: what a table on the way refuses.

A window holds whole clusters of the image that is written, and of every image that is read, so that
threads inflate each payload once and write whole clusters.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import NamedTuple

from qcowspec.guest import Disk
from qcowspec.mapping import Kind, Run
from qcowspec.transfer.jobs import JOB, REMOTE_JOB, cut, pieces


class Window(NamedTuple):
    """A range of a disk that has data.

    Attributes:
        number: How many windows came before it.
        start: Guest offset of the first byte.
        length: Its bytes; fewer than others have at the end of the disk.
        runs: Runs of data or compressed in it, with the depth of each one's layer. Between them are
            zeros.
    """

    number: int
    start: int
    length: int
    runs: list[tuple[int, Run]]

    def read(self, disk: Disk, buffer: memoryview) -> None:
        """Fill a buffer that is as long as the window.

        Raises:
            QcowError: The disk cannot be read.
        """
        if sum(run.length for _, run in self.runs) < self.length:
            buffer[:] = bytes(len(buffer))
        for depth in {depth for depth, _ in self.runs}:
            runs = [run for at, run in self.runs if at == depth]
            disk.reader_of(depth).fill(runs, buffer, self.start, alone=True)


def window_size(disk: Disk, cluster_size: int) -> int:
    """Bytes of a window of this disk, for an image with clusters of this size."""
    clusters = [
        layer.metadata.geometry.cluster_size
        for layer in disk.layers
        if layer.metadata is not None and layer.metadata.geometry is not None
    ]
    is_remote = any(layer.data.is_remote for layer in disk.layers)
    return max(REMOTE_JOB if is_remote else JOB, cluster_size, *clusters)


def windows(disk: Disk, size: int, past_end: Event) -> Iterator[Window]:
    """All windows of a disk whose files are open, but for those that have only zeros.

    Args:
        disk: The disk.
        size: See `window_size`.
        past_end: Set when bytes may lie past the end of a file.
    """
    held: list[tuple[int, Run]] = []
    number = start = 0
    for depth, piece, _ in pieces(disk, size, past_end):
        for run in cut(piece, size) if piece.kind is Kind.DATA else (piece,):
            here = run.offset // size * size
            if held and here != start:
                yield Window(number, start, min(size, disk.size - start), held)
                number, held = number + 1, []
            start = here
            held.append((depth, run))
    if held:
        yield Window(number, start, min(size, disk.size - start), held)
