"""The runs of a disk that have to be read, in portions for threads.

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
"""Most guest bytes of a job, unless a compressed cluster is larger.

What was read is written while it is still in the processor's cache: 2 MiB take a fifth longer.
"""

REMOTE_JOB = 4 << 20
"""The same for bytes from a server: a request costs more than cache misses do."""

STRETCH = 16 << 20
"""Most bytes of data that are read from a server in order, by one request.

A buffer of `JOB` bytes is enough for it.
"""

END = 1 << 64
"""Past all offsets that a file can have: a raw file lacks less than a sector."""

HOLE = 1 << 20
"""Bytes of a run from which on the file's holes are looked up."""


class Job(NamedTuple):
    """Some neighbouring runs of one layer.

    Attributes:
        depth: The layer's.
        start: Guest offset of the first byte.
        end: Guest offset after the last byte.
        runs: Of data or compressed, in guest order; between them are zeros.
        in_order: Whether their data follow one another on a server; if not, they are so close
            together on the disk that they fit into a buffer.
    """

    depth: int
    start: int
    end: int
    runs: list[Run]
    in_order: bool


def jobs(disk: Disk, past_end: Event, start: int, end: int) -> Iterator[Job]:
    """All jobs of a range of a disk whose files are open, in guest order.

    Args:
        disk: The disk.
        past_end: Set when bytes may lie past the end of a file.
        start: Where the range begins, in guest bytes.
        end: Where it ends.
    """
    remote = any(layer.data.is_remote for layer in disk.layers)
    size = REMOTE_JOB if remote else JOB
    held: list[Run] = []
    depth, first, host_end, total, in_order = 0, 0, 0, 0, False
    for at, piece, streams in pieces(disk, size, past_end, start, end, stretch=STRETCH):
        total += piece.length
        follows = in_order and streams and piece.host_offset == host_end and total <= STRETCH
        fits = piece.offset + piece.length - first <= size
        if held and (at != depth or not (follows or fits)):
            yield _job(depth, held, in_order)
            held = []
        if held:
            in_order = follows
        else:
            depth, first, total, in_order = at, piece.offset, piece.length, streams
        held.append(piece)
        host_end = (piece.host_offset or 0) + piece.length
    if held:
        yield _job(depth, held, in_order)


def pieces(
    disk: Disk,
    size: int,
    past_end: Event,
    start: int = 0,
    end: int | None = None,
    *,
    stretch: int | None = None,
) -> Iterator[tuple[int, Run, bool]]:
    """The runs of a range that have to be read, cut at multiples of a size; holes are left out.

    Args:
        disk: The disk.
        size: Most bytes of a piece of data; a power of two.
        past_end: Set when bytes may lie past the end of a file.
        start: Where the range begins, in guest bytes.
        end: Where it ends; None for the disk's end.
        stretch: The same as `size` for data on a server.

    Yields:
        The depth of the layer; a piece of data, or a whole run that is compressed; whether it is of
        data on a server.
    """
    layers = disk.layers
    ends = [layer.data.length if layer.metadata else END for layer in layers]
    remote = [layer.data.is_remote for layer in layers]
    for at, run in disk.runs(start, None if end is None else end - start):
        if run.kind is not Kind.DATA and run.kind is not Kind.COMPRESSED:
            continue
        end_in_file = (run.host_offset or 0) + (run.compressed_length or run.length)
        if end_in_file > ends[at] and not past_end.is_set():
            past_end.set()
        streams = remote[at] and run.kind is Kind.DATA
        for piece in _pieces(layers[at], run, stretch if streams and stretch else size):
            yield at, piece, streams


def _job(depth: int, runs: list[Run], in_order: bool) -> Job:
    return Job(depth, runs[0].offset, runs[-1].offset + runs[-1].length, runs, in_order)


def _pieces(layer: Layer, run: Run, size: int) -> Iterator[Run]:
    """A run in pieces of a buffer's size, without holes of the file."""
    if run.kind is not Kind.DATA or run.length < size:
        yield run
        return
    assert run.host_offset is not None
    host, ahead = int(run.host_offset), run.host_offset - run.offset
    stretches: Iterable[tuple[int, int]] = [(host, host + run.length)]
    if layer.decryptor is None and run.length >= HOLE:
        stretches = layer.data.data_ranges(host, run.length)
    for begin, stop in stretches:
        stretch = Run(run.kind, GuestOffset(begin - ahead), stop - begin, HostOffset(begin))
        yield from cut(stretch, size)


def cut(run: Run, size: int) -> Iterator[Run]:
    """A run of data in pieces that end at multiples of a size, so that whole pages are written."""
    assert run.host_offset is not None
    ahead, start, end = run.host_offset - run.offset, run.offset, run.offset + run.length
    while start < end:
        until = min(end, start // size * size + size)
        yield Run(run.kind, GuestOffset(start), until - start, HostOffset(start + ahead))
        start = GuestOffset(until)
