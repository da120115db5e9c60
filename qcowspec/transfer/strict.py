"""The allocation of each range, which `qemu-img compare -s` compares besides the bytes.

In: two disks of one size; stretches of both. Out: where they are allocated differently. Refuses:
what a mapping refuses.

QEMU compares all flags of the block status, and one of them is whether one query got to the end of
the disk (BDRV_BLOCK_EOF). That depends on where clusters lie in the file: images of equal content
and allocation are not always strictly equal. The result here is QEMU's.

Source: qemu-img.c: img_compare; block/io.c: bdrv_co_common_block_status_above;
block/qcow2-cluster.c: qcow2_get_host_offset.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.chain import Layer
from qcowspec.guest import Disk
from qcowspec.guest.holes import is_preallocated, split_at_holes
from qcowspec.guest.status import Flag, Status
from qcowspec.mapping import NOWHERE, Kind
from qcowspec.spec.metadata import Format
from qcowspec.spec.units import align_up

PLACED = 16
"""One more flag: the status has an offset (BDRV_BLOCK_OFFSET_VALID)."""


class Strict:
    """Compares the allocation of two disks."""

    def __init__(self, one: Disk, other: Disk) -> None:
        """Take two disks of one size; all files that they need are opened."""
        self._layers = []
        for disk in (one, other):
            disk.open_all()
            self._layers.append(list(disk.layers))
        tails = {_tail(layers, 0, one.size) for layers in self._layers} if one.size else set()
        self._tail = min(tails) if len(tails) > 1 else None

    def first_difference(self, one: Status, other: Status) -> int | None:
        """The first guest offset where the status of a range differs; None if it is the same.

        Args:
            one: The status of the first disk.
            other: The same of the second, cut at the same offsets.
        """
        differs = self._flags(one, 0) != self._flags(other, 1)
        found = int(one.starts[int(np.argmax(differs))]) if differs.any() else None
        tail = self._tail
        if tail is not None and one.start <= tail < one.end:
            return tail if found is None else min(found, tail)
        return found

    def _flags(self, status: Status, which: int) -> npt.NDArray[np.uint8]:
        """The flags of bdrv_block_status_above, except for the end of the disk."""
        flags = status.flags & ~np.uint8(Flag.COMPRESSED)
        placed = status.offsets != NOWHERE
        # Zeros past the end of a backing file count as that file's.
        short = (flags == Flag.ZERO) & (status.depths < len(self._layers[which]) - 1)
        flags = np.where(short, np.uint8(Flag.ZERO | Flag.PRESENT), flags)
        flags |= np.where(placed & ~short, np.uint8(PLACED), np.uint8(0))
        return flags


def _tail(layers: list[Layer], depth: int, end: int) -> int:
    """The first offset from which one query gets the status of all that follows, up to `end`."""
    layer = layers[depth]
    if layer.size < end:
        return layer.size  # past its end are only zeros
    start, kind = _last(layer, end)
    if kind is not Kind.BACKING:
        return start
    if layers[depth + 1].size <= start:
        return start
    return max(start, _tail(layers, depth + 1, end))


def _last(layer: Layer, end: int) -> tuple[int, Kind]:
    """Where the last stretch begins that one query of the driver returns, and its kind."""
    span = layer.mapping.cluster_size
    if layer.metadata is None:
        span = end
    elif layer.metadata.format is Format.QCOW2:
        geometry = layer.metadata.geometry
        assert geometry is not None
        tables = align_up(geometry.clusters(layer.size) * geometry.l2_entry_size, span)
        held = geometry.cluster_size
        if tables > c.DEFAULT_L2_CACHE_MAX_SIZE:  # QEMU then reads tables in slices
            held = min(held, c.QCOW2_DEFAULT_L2_CACHE_ENTRY_SIZE)
        span *= held // geometry.l2_entry_size
    low = (end - 1) // span * span
    extents = layer.mapping.extents(low, end - low)
    start, kind = int(extents.offsets[-1]), Kind(int(extents.kinds[-1]))
    asks = layer.metadata is None or is_preallocated(layer)
    if asks and kind is Kind.DATA and layer.decryptor is None:
        last = extents.take(slice(-1, None))
        _, ahead, _, _ = split_at_holes(layer.data, last.hosts, last.lengths, np.array([True]))
        start += int(ahead[-1])
    return start, kind
