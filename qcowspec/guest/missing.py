"""The ranges of a disk that lie past the end of a file, or are lost, by the tables alone.

In: a disk. Out: losses, in no order: ranges whose data, payload or table entries lie past the end
of the image, of its data file or of a backing file; and in a salvage those that are mapped as lost.
Refuses: what a mapping refuses.

Three things do not count: the range that a backing file is smaller than its overlay's disk, the
bytes that a raw file lacks to a whole sector, and what the last payload claims past the end of its
stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from qcowspec.chain import Layer
from qcowspec.chain.salvage import Closed
from qcowspec.guest.losses import Loss, loss
from qcowspec.mapping import Extents, Kind, Run
from qcowspec.mapping.spans import Flags, Offsets
from qcowspec.sources.source import Source

if TYPE_CHECKING:
    from qcowspec.guest.disk import Disk


def missing(disk: Disk, end: int | None = None) -> Iterator[Loss]:
    """The losses that show on a disk, up to a guest offset.

    Args:
        disk: The disk.
        end: Where to stop, in bytes; None for its end.

    Raises:
        QcowError: A table cannot be read.
    """
    disk.open_all()
    limit = disk.size if end is None else min(end, disk.size)
    for depth, extents in disk.extents(0, limit):
        layer = disk.layers[depth]
        for run in _suspects(layer, extents).runs():
            if run.kind is Kind.LOST:
                yield disk.lost(depth, run)
            elif isinstance(layer.data, Closed):
                yield loss(run.offset, run.length, layer.data.error, layer.name)
            elif run.kind is Kind.DATA:
                yield _data(layer, run)
            elif disk.reader_of(depth).is_cut(run):
                yield _loss(run.offset, run.length, layer.source, PAYLOAD)
    for depth, layer in enumerate(disk.layers):
        for gap in layer.mapping.without_entries():
            source, words = layer.source, TABLE if gap.is_cut else UNREADABLE
            length = min(gap.end, limit) - gap.start
            for at, run in disk.runs(gap.start, max(0, length)):
                if at >= depth:  # not hidden by a layer above
                    yield _loss(run.offset, run.length, source, words)


DATA = "The file ends at byte {0} ({0:#x}), before these data."
PAYLOAD = "The file ends at byte {0} ({0:#x}), before the end of these compressed data."
TABLE = "The file ends at byte {0} ({0:#x}), before the table entries for this range."
UNREADABLE = "The file cannot be read where the table entries for this range are."


def _suspects(layer: Layer, extents: Extents) -> Extents:
    """The extents that are lost, and those whose data or payload may extend past the file's end."""
    chosen = extents.kinds == Kind.LOST
    if layer.metadata is not None:
        data = extents.kinds == Kind.DATA
        if isinstance(layer.data, Closed):
            chosen |= data
        chosen |= data & _above(extents.hosts, extents.lengths, layer.data)
        packed = extents.kinds == Kind.COMPRESSED
        chosen |= packed & _above(extents.hosts, extents.payloads.astype(np.uint64), layer.source)
    return extents.take(chosen)


def _above(hosts: Offsets, lengths: Offsets, source: Source) -> Flags:
    above: Flags = hosts + lengths > np.uint64(source.length)
    return above


def _data(layer: Layer, run: Run) -> Loss:
    """The part of a run of data that lies past the end of its file."""
    assert run.host_offset is not None
    within = max(0, layer.data.length - run.host_offset)
    return _loss(run.offset + within, run.length - within, layer.data, DATA)


def _loss(offset: int, length: int, source: Source, words: str) -> Loss:
    length_of = source.length
    return Loss(offset, length, source.name, None, words.format(length_of), length_of)
