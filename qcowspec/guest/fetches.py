"""The bytes that many ranges need from one layer, read in the order of the file.

In: extents of a layer, and where their bytes belong in a buffer. Out: jobs that read them, which
may run in parallel. Refuses: what `LayerReader` refuses.

The file is read in aligned blocks, so that extents that share host bytes, as in a damaged image,
share the read too. What lies close together is one read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.guest.layers import INFLATING, LayerReader
from qcowspec.mapping import Extents, Kind, Run
from qcowspec.mapping.spans import Offsets
from qcowspec.sources.source import GAP, Borrowed, Source
from qcowspec.sources.threads import Threads
from qcowspec.spec.units import GuestOffset

BLOCK = 4 << 20
"""Bytes of a block; no read crosses its bounds, except for payloads."""

PAYLOADS = 1 << 20
"""Most bytes of payloads in one read, unless a single one is larger."""

BATCH = 32
"""Small reads that are worth a task of the thread pool."""

SMALL = 64 << 10
"""Bytes of a small read."""

Fill = Callable[[memoryview], None]
"""Reads some bytes into the buffer; may raise what a source or a layer raises."""


@dataclass(frozen=True, slots=True)
class Job:
    """Some bytes to fetch.

    Attributes:
        fill: Fetches them.
        weight: 1 if it is worth its own task of the thread pool; less if not.
        source: What is read.
    """

    fill: Fill
    weight: float
    source: Source


@dataclass(frozen=True, slots=True)
class Wanted:
    """Extents of one layer, and where each one's bytes start in the buffer (dtype uint64)."""

    extents: Extents
    places: Offsets

    def take(self, chosen: npt.NDArray[Any]) -> Wanted:
        """Some of them, by flags or by index."""
        return Wanted(self.extents.take(chosen), self.places[chosen])

    def __len__(self) -> int:
        return len(self.places)


def fetches(reader: LayerReader, wanted: Wanted) -> list[Job]:
    """The jobs that read a layer's bytes; zeros need none."""
    kinds = wanted.extents.kinds
    jobs: list[Job] = []
    if (data := kinds == Kind.DATA).any():
        jobs += _data(reader, wanted.take(data))
    if (packed := kinds == Kind.COMPRESSED).any():
        jobs += _packed(reader, wanted.take(packed))
    return jobs


# --- plain data -----------------------------------------------------------------------------------


def _data(reader: LayerReader, wanted: Wanted) -> Iterator[Job]:
    """One job for each read of data."""
    blocks = _by_blocks(wanted)
    hosts, ends = blocks.extents.hosts, blocks.extents.hosts + blocks.extents.lengths
    reach = np.maximum.accumulate(ends)
    apart = (hosts[1:] > reach[:-1] + np.uint64(GAP)) | (hosts[1:] // BLOCK != hosts[:-1] // BLOCK)
    bounds = [0, *(np.flatnonzero(apart) + 1).tolist(), len(blocks)]
    rows = list(zip(blocks.extents.runs(), blocks.places.tolist(), strict=True))
    for first, stop in pairwise(bounds):
        begin, end = int(hosts[first]), int(reach[stop - 1])
        chosen = rows[first:stop]
        weight = min(1.0, (end - begin) / SMALL + 1 / BATCH)
        yield Job(_reading(reader, chosen, begin, end), weight, reader.layer.data)


def _by_blocks(wanted: Wanted) -> Wanted:
    """The same in host order, cut at the bounds of blocks."""
    extents = wanted.extents
    first = extents.hosts // BLOCK
    counts = ((extents.hosts + extents.lengths - 1) // BLOCK - first + 1).astype(np.int64)
    index = np.repeat(np.arange(len(counts)), counts)
    ordinal = np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)
    block = (first[index] + ordinal.astype(np.uint64)) * np.uint64(BLOCK)
    hosts, lengths = extents.hosts[index], extents.lengths[index]
    low = np.maximum(hosts, block)
    high = np.minimum(hosts + lengths, block + np.uint64(BLOCK))
    ahead = low - hosts
    cut = extents.parts(index, extents.starts[index] + ahead, high - low)
    return Wanted(cut, wanted.places[index] + ahead).take(np.argsort(low, kind="stable"))


def _reading(reader: LayerReader, chosen: Sequence[tuple[Run, int]], begin: int, end: int) -> Fill:
    """One read of the file, in whole sectors, for runs and their places in the buffer."""
    sector, source = c.BDRV_SECTOR_SIZE, reader.layer.data
    begin, end = begin - begin % sector, end + -end % sector

    def fill(buffer: memoryview) -> None:
        alone = reader
        if len(chosen) > 1 or not reader.is_direct:
            fetched = Fetched(source, begin, source.read_at(begin, end - begin))
            alone = reader.over(reader.layer._replace(data=fetched))
        for run, at in chosen:
            alone.read_into(run, buffer[at : at + run.length])

    return fill


class Fetched(Borrowed):
    """A part of a file that was read already, as a `Source`; no other part is asked for."""

    def __init__(self, source: Source, offset: int, data: bytes) -> None:
        super().__init__(source)
        self._offset, self._data = offset, memoryview(data)

    def read_at(self, offset: int, length: int) -> bytes:
        """Read bytes; see `Source.read_at`."""
        # An unaligned v1 cluster is refused before it is read: no offset lies before the part.
        return bytes(self._data[offset - self._offset :][:length])

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Read bytes into a buffer; see `Source.read_into`."""
        piece = self._data[offset - self._offset :][: len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)


# --- compressed clusters --------------------------------------------------------------------------


def _packed(reader: LayerReader, wanted: Wanted) -> Iterator[Job]:
    """One job for some payloads that lie close together; each is inflated once."""
    source = reader.layer.source
    groups: dict[tuple[int, int], list[tuple[Run, int]]] = {}
    for run, at in zip(wanted.extents.runs(), wanted.places.tolist(), strict=True):
        assert run.host_offset is not None
        groups.setdefault((run.host_offset, run.compressed_length), []).append((run, at))
    payloads = sorted(groups)
    whole = sum(length for _, length in payloads)
    limit = PAYLOADS if source.is_remote else min(PAYLOADS, whole // (2 * (os.cpu_count() or 1)))
    first = 0
    while first < len(payloads):
        begin, end = payloads[first][0], sum(payloads[first])
        stop = first + 1
        while stop < len(payloads):
            host, length = payloads[stop]
            if host > end + GAP or max(end, host + length) - begin > limit:
                break
            end, stop = max(end, host + length), stop + 1
        chosen = [groups[payload] for payload in payloads[first:stop]]
        yield Job(_payloads(reader, chosen, begin, end), 1.0, source)
        first = stop


def _payloads(
    reader: LayerReader, chosen: Sequence[Sequence[tuple[Run, int]]], begin: int, end: int
) -> Fill:
    """Read payloads and inflate each."""
    size = reader.layer.mapping.cluster_size

    def fill(buffer: memoryview) -> None:
        source, alone = reader.layer.source, reader
        if len(chosen) > 1:  # a single one is read by the layer, which caches it
            fetched = Fetched(source, begin, source.read_at(begin, end - begin))
            alone = reader.over(reader.layer._replace(source=fetched))
        for group in chosen:
            run = group[0][0]
            start = GuestOffset(run.offset - run.offset % size)
            whole = Run(Kind.COMPRESSED, start, size, run.host_offset, run.compressed_length)
            cluster = alone.packed(whole)
            for piece, place in group:
                within = piece.offset % size
                buffer[place : place + piece.length] = cluster[within : within + piece.length]

    return fill


# --- in parallel ----------------------------------------------------------------------------------


def run_jobs(jobs: Sequence[Job], buffer: memoryview) -> None:
    """Run jobs, in threads if that is faster.

    Raises:
        QcowError: The error of the first job, in the order given, that failed; all jobs have
            ended then.
    """
    batches = list(_batches(jobs))
    if len(batches) < 2:
        _run(jobs, buffer)
        return
    threads = max(job.source.in_flight for job in jobs)
    executor = Threads(threads, "qcowspec-fetch") if threads else INFLATING
    futures = [executor.submit(_run, batch, buffer) for batch in batches]
    try:
        for future in futures:
            future.result()
    finally:
        for future in futures:
            future.cancel()
        wait(futures)
        if threads:
            executor.close()


def _run(batch: Sequence[Job], buffer: memoryview) -> None:
    for job in batch:
        job.fill(buffer)


def _batches(jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
    """Jobs in groups, each of them worth a task of the thread pool."""
    batch: list[Job] = []
    weight = 0.0
    for job in jobs:
        batch.append(job)
        weight += 1.0 if job.source.is_remote else job.weight
        if weight >= 1:
            yield batch
            batch, weight = [], 0.0
    if batch:
        yield batch
