"""The holes of a disk's files, as far as QEMU looks for them.

In: a layer; stretches of its file. Out: the same cut where holes begin and end. Refuses: nothing: a
file whose holes are unknown has none but what lies past its end.

Source: block/qcow2-refcount.c: qcow2_detect_metadata_preallocation; block/file-posix.c:
find_allocation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qcowspec.mapping.spans import Flags, Offsets
from qcowspec.sources.batches import read_tables
from qcowspec.sources.source import Source
from qcowspec.spec.decoding import WHOLE_BYTES
from qcowspec.spec.entries import Frame, RefcountTableEntries
from qcowspec.spec.entry_rules import refcounts_block_read
from qcowspec.spec.metadata import Format
from qcowspec.spec.units import BITS_PER_BYTE

if TYPE_CHECKING:
    from qcowspec.chain import Layer

BLOCKS = 1 << 18
"""Bytes of refcount blocks that are counted together: the first blocks mostly decide."""


def is_preallocated(layer: Layer) -> bool:
    """Whether QEMU considers the metadata of a v2 or v3 image preallocated.

    It does if the refcounts show more clusters in use than the file has room for: then clusters
    may be holes of the file, and QEMU looks for them.
    """
    metadata, allocated = layer.metadata, layer.source.allocated()
    if metadata is None or metadata.format is not Format.QCOW2 or allocated is None:
        return False
    geometry = metadata.geometry
    assert geometry is not None
    room = allocated // geometry.cluster_size
    threshold: int = max(room * 10 // 9, room + 2)
    return _used(layer, geometry.clusters(layer.source.length), threshold) >= threshold


def _used(layer: Layer, clusters: int, enough: int) -> int:
    """How many of the first clusters of an image file have a refcount, counted up to `enough`."""
    metadata = layer.metadata
    assert metadata is not None
    geometry, table = metadata.geometry, metadata.refcount_table
    assert geometry is not None
    if table is None:
        return 0
    per_block = geometry.refcount_block_entries
    entries = table.array()[: -(-clusters // per_block)].astype(np.uint64)
    blocks_at = RefcountTableEntries(entries, Frame(geometry))
    offsets: Offsets = blocks_at.offset
    indices = np.flatnonzero(offsets)
    if not refcounts_block_read(blocks_at).all():
        return 0  # QEMU fails to read a refcount, and takes the image for not preallocated
    found = 0
    for chosen, rows in read_tables(
        layer.source, offsets[indices], geometry.cluster_size, batch=BLOCKS
    ):
        blocks = indices[chosen]
        # Only the last block may have refcounts of clusters past the end of the file.
        left = clusters - int(blocks[-1]) * per_block
        found += _nonzero(rows[:-1], geometry.refcount_order)
        found += _nonzero(rows[-1:], geometry.refcount_order, left)
        if found >= enough:
            break
    return found


def _nonzero(rows: npt.NDArray[np.uint8], order: int, first: int | None = None) -> int:
    """How many refcounts are not 0, of all or of the first ones."""
    if order >= WHOLE_BYTES:
        wide = rows.reshape(-1).view(f"u{1 << (order - WHOLE_BYTES)}")
        return int(np.count_nonzero(wide[:first]))
    bits = 1 << order
    shifts = np.arange(0, BITS_PER_BYTE, bits, dtype=np.uint8)
    narrow = rows.reshape(-1, 1) >> shifts & np.uint8((1 << bits) - 1)
    return int(np.count_nonzero(narrow.reshape(-1)[:first]))


def split_at_holes(
    source: Source, offsets: Offsets, lengths: Offsets, wanted: Flags
) -> tuple[npt.NDArray[np.intp], Offsets, Offsets, Flags]:
    """Stretches of a file, cut where its holes begin and end.

    Args:
        source: The file.
        offsets: Where each stretch starts in it, in bytes, shape (n,).
        lengths: Bytes of each, above 0.
        wanted: Which of them are cut; the others stay as they are.

    Returns:
        For each piece, in order: the index of its stretch, its offset in the stretch, its bytes,
        and whether it is a hole.
    """
    if not wanted.any():
        return np.arange(len(offsets)), np.zeros_like(offsets), lengths, wanted
    cuts = _cuts(source, offsets[wanted], lengths[wanted])
    ends = offsets + lengths
    low = np.where(wanted, np.searchsorted(cuts, offsets, side="right"), 0)
    high = np.where(wanted, np.searchsorted(cuts, ends, side="left"), 0)
    counts = high - low + 1
    rows = np.repeat(np.arange(len(offsets)), counts)
    nth = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    at = low[rows] + nth  # for each piece: how many cuts come before its end
    first, last = nth == 0, nth == counts[rows] - 1
    if len(cuts):
        begins = np.where(first, offsets[rows], cuts[np.maximum(at, 1) - 1])
        stops = np.where(last, ends[rows], cuts[np.minimum(at, len(cuts) - 1)])
    else:
        begins, stops = offsets[rows], ends[rows]
    # Data begin at each even cut, and end at each odd one.
    hole = wanted[rows] & (at % 2 == 0)
    return rows, begins - offsets[rows], stops - begins, hole


def _cuts(source: Source, offsets: Offsets, lengths: Offsets) -> Offsets:
    """Where data of the file begin and end, alternately, around the stretches."""
    found: list[int] = []
    file = Holes(source)
    for start, end in _stretches(offsets, lengths):
        at = start
        while at < end and (first := file.data(at)) < end:
            at = file.hole(first)
            if found and found[-1] == first:
                found[-1] = min(at, end)
            else:
                found += (first, min(at, end))
    return np.array(found, np.uint64)


def _stretches(offsets: Offsets, lengths: Offsets) -> Iterator[tuple[int, int]]:
    """The ranges of the file that the stretches cover, rising and apart."""
    order = np.argsort(offsets, kind="stable")
    starts = offsets[order]
    ends = np.maximum.accumulate(starts + lengths[order])
    apart = np.flatnonzero(starts[1:] > ends[:-1])
    first, last = np.concatenate(([0], apart + 1)), np.concatenate((apart, [len(starts) - 1]))
    return zip(starts[first].tolist(), ends[last].tolist(), strict=True)


class Holes:
    """The holes of a file; each is looked up once, as long as the offsets rise."""

    def __init__(self, source: Source) -> None:
        self._next_data, self._next_hole = source.next_data, source.next_hole
        self._hole = self._data = (0, 0)  # the last one found: start and end

    def data(self, offset: int) -> int:
        """The first offset of data, from one on."""
        if self._data[0] <= offset < self._data[1]:
            return offset
        if not self._hole[0] <= offset < self._hole[1]:
            found = self._next_data(offset)
            self._hole = offset, found
            return found
        return self._hole[1]

    def hole(self, offset: int) -> int:
        """The first offset of a hole, from one of data on."""
        if not self._data[0] <= offset < self._data[1]:
            self._data = offset, self._next_hole(offset)
        return self._data[1]

    def alike_until(self, offset: int) -> int:
        """The end of the data, or of the hole, at an offset."""
        first = self.data(offset)
        return first if first > offset else self.hole(offset)
