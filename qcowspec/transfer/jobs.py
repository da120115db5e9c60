"""What there is to read of a disk, in portions for threads.

In: a disk. Out: jobs, in guest order. Refuses: what a table on the way refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Event
from typing import NamedTuple

from qcowspec.chain import Layer
from qcowspec.guest import Disk
from qcowspec.mapping import Kind, Run
from qcowspec.spec.units import GuestOffset, HostOffset

JOB = 1 << 20
"""Guest bytes of a job, at most, but for a larger compressed cluster.

What has been read is written while it is still in the processor's cache: 2 MiB take a fifth longer.
"""

REMOTE_JOB = 4 << 20
"""The same where bytes come from a server: a request costs more than a cache that is too small."""

STRETCH = 16 << 20
"""Bytes of data that are read of a server in the order in which they stand there, at most.

One request brings them all, and a buffer of `JOB` bytes is enough for it.
"""

END = 1 << 64
"""After all offsets that a file can have: a raw file is short of no more than a sector."""

HOLE = 1 << 20
"""Bytes of a run from which on the file is asked for its holes."""


class Job(NamedTuple):
    """Some neighbouring runs of one layer.

    Attributes:
        depth: The layer's.
        start: Guest offset of the first byte.
        end: Guest offset behind the last byte.
        runs: Of data or compressed, in guest order; what lies between them is zeros.
        in_order: Whether a server has their data one behind the other; if not, they lie so close
            together on the disk that they fit into a buffer.
    """

    depth: int
    start: int
    end: int
    runs: list[Run]
    in_order: bool


def jobs(disk: Disk, past_end: Event) -> Iterator[Job]:
    """All that there is to read of a disk whose files are open, in guest order.

    Args:
        disk: The disk.
        past_end: Set when bytes may lie past the end of a file.
    """
    layers = disk.layers
    ends = [layer.data.length if layer.metadata else END for layer in layers]
    remote = [layer.data.is_remote for layer in layers]
    size = REMOTE_JOB if any(remote) else JOB
    held: list[Run] = []
    depth, start, behind, total, in_order = 0, 0, 0, 0, False
    for at, run in disk.runs():
        if run.kind is not Kind.DATA and run.kind is not Kind.COMPRESSED:
            continue
        if (run.host_offset or 0) + (run.compressed_length or run.length) > ends[at]:
            past_end.set()
        streams = remote[at] and run.kind is Kind.DATA
        for piece in _pieces(layers[at], run, STRETCH if streams else size):
            total += piece.length
            follows = in_order and streams and piece.host_offset == behind and total <= STRETCH
            fits = piece.offset + piece.length - start <= size
            if held and (at != depth or not (follows or fits)):
                yield _job(depth, held, in_order)
                held = []
            if held:
                in_order = follows
            else:
                depth, start, total, in_order = at, piece.offset, piece.length, streams
            held.append(piece)
            behind = (piece.host_offset or 0) + piece.length
    if held:
        yield _job(depth, held, in_order)


def _job(depth: int, runs: list[Run], in_order: bool) -> Job:
    return Job(depth, runs[0].offset, runs[-1].offset + runs[-1].length, runs, in_order)


def _pieces(layer: Layer, run: Run, size: int) -> Iterator[Run]:
    """A run in pieces of a buffer's size, without the holes of the image file."""
    if run.kind is not Kind.DATA or run.length < size:
        yield run
        return
    assert run.host_offset is not None
    host, ahead = int(run.host_offset), run.host_offset - run.offset
    stretches: Iterable[tuple[int, int]] = [(host, host + run.length)]
    if layer.decryptor is None and run.length >= HOLE:
        stretches = layer.data.data_ranges(host, run.length)
    for begin, behind in stretches:
        stretch = Run(run.kind, GuestOffset(begin - ahead), behind - begin, HostOffset(begin))
        yield from cut(stretch, size)


def cut(run: Run, size: int) -> Iterator[Run]:
    """A run of data in pieces that end at multiples of a size, so that whole pages are written."""
    assert run.host_offset is not None
    ahead, start, end = run.host_offset - run.offset, run.offset, run.offset + run.length
    while start < end:
        until = min(end, start // size * size + size)
        yield Run(run.kind, GuestOffset(start), until - start, HostOffset(start + ahead))
        start = GuestOffset(until)
