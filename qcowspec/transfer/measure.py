"""How large a new image of a disk would be, as ``qemu-img measure`` has it.

In: a disk, and what the image is to be like. Out: `Sizes`. Refuses: a disk too large for the new
image, with `ValueError`. Only tables are read.

Source: block/qcow2.c: qcow2_measure; block/raw-format.c: raw_measure; block/qcow2-bitmap.c:
qcow2_get_persistent_dirty_bitmap_size.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from qcow_parsers import constants as c

from qcowspec.guest import Disk
from qcowspec.guest.status import Flag, Status, block_status
from qcowspec.mapping import Kind
from qcowspec.raw import RawImage
from qcowspec.spec.units import BITS_PER_BYTE, align_up
from qcowspec.transfer.new_image import NewImage

if TYPE_CHECKING:
    from qcow_parsers import Qcow2

    from qcowspec.image import Image


THREE = c.QCOW2_MAX_VERSION
"""The version that has bitmaps."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of a new image.

    Attributes:
        required: With the data that the disk has; all tables are counted as if it were full.
        fully_allocated: When every cluster has been written.
        compressed: An estimate of `required` for compressed clusters, by the tables: those that are
            compressed now count by their payloads, others whole. None if it was not asked for.
        bitmaps: More, if the persistent bitmaps are copied too; None where there can be none.
    """

    required: int
    fully_allocated: int
    bitmaps: int | None = None
    compressed: int | None = None


def empty_sizes(size: int, wanted: NewImage | None) -> Sizes:
    """A new image of a disk without data; `wanted` is None for a raw file.

    Raises:
        ValueError: The disk is too large for it. QEMU looks at that here, and not for an image.
    """
    if wanted is None:
        return _raw(size)
    wanted.check_size(size)
    return _sizes(size, 0, wanted)


def image_sizes(
    image: Image | RawImage, disk: Disk, wanted: NewImage | None, *, compress: bool = False
) -> Sizes:
    """A new image of an image's disk.

    Args:
        image: The image. Its bitmaps count, and not its backing files'.
        disk: Its disk, or a snapshot's, with all files open.
        wanted: What the new image is like; None for a raw file.
        compress: Estimate the size of compressed clusters too.
    """
    if wanted is None:
        return _raw(disk.size)
    cluster = wanted.geometry.cluster_size
    data = align_up(disk.size, cluster)
    if not wanted.has_backing_file:
        data = _clusters(block_status(disk, compressed=False), cluster) * cluster
    found = _sizes(disk.size, data, wanted)
    if compress:
        saved = min(_saved(disk), data)
        found = replace(found, compressed=found.required - saved)
    if isinstance(image, RawImage) or image.geometry.version < THREE or wanted.version < THREE:
        return found
    return replace(found, bitmaps=_bitmaps(image.bitmaps, wanted))


def _raw(size: int) -> Sizes:
    whole = align_up(size, c.BDRV_SECTOR_SIZE)
    return Sizes(whole, whole)


def _sizes(size: int, data: int, image: NewImage) -> Sizes:
    size = align_up(size, image.geometry.cluster_size)
    metadata = image.metadata(size)
    if image.preallocation in ("falloc", "full"):
        data = size
    return Sizes(metadata + data, metadata + size)


def _saved(disk: Disk) -> int:
    """Bytes by which the payloads of a disk are smaller than what is in them."""
    saved = 0
    for _, extents in disk.extents(0, disk.size):
        packed = extents.kinds == Kind.COMPRESSED
        saved += int(extents.lengths[packed].sum()) - int(extents.payloads[packed].sum())
    return max(0, saved)


def _bitmaps(bitmaps: Iterable[Qcow2.BitmapDirectoryEntry], image: NewImage) -> int:
    """Bytes of a directory, its tables and its bitmaps, as if every bit were stored."""
    geometry = image.geometry
    clusters = directory = 0
    for bitmap in bitmaps:
        data = geometry.clusters(-(-bitmap.bitmap_bits // BITS_PER_BYTE))
        clusters += data + geometry.clusters(data * c.BME_TABLE_ENTRY_SIZE)
        length = c.QCOW2_BITMAP_DIR_ENTRY_SIZE + bitmap.name_size
        directory += align_up(length, c.QCOW2_BITMAP_DIR_ALIGNMENT)
    return (clusters + geometry.clusters(directory)) * geometry.cluster_size


def _clusters(batches: Iterable[Status], cluster: int) -> int:
    """Clusters of the new image that data touch."""
    count, last = 0, -1
    for batch in batches:
        wanted = Flag.DATA | Flag.PRESENT
        has_data = (batch.flags & np.uint8(wanted | Flag.ZERO)) == np.uint8(wanted)
        if not has_data.any():
            continue
        firsts = (batch.starts[has_data] // np.uint64(cluster)).astype(np.int64)
        ends = -(-batch.ends[has_data].astype(np.int64) // cluster)
        before = np.concatenate(([last + 1], ends[:-1]))
        count += int((ends - np.maximum(firsts, before)).clip(0).sum())
        last = int(ends[-1]) - 1
    return count
