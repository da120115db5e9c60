"""Guest range to extents, for every version.

In: what opening read of an image. Out: a `Mapping`. Refuses: a snapshot whose L1 table QEMU would
not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcow_parsers import constants as c

from qcowspec.mapping.base import Mapping, RawMapping
from qcowspec.mapping.extents import NOWHERE, Extents, Kind, Run
from qcowspec.mapping.l1 import TableMapping
from qcowspec.mapping.qcow1 import Qcow1Mapping
from qcowspec.mapping.qcow2 import Qcow2Mapping
from qcowspec.metadata import Format, Metadata, Table
from qcowspec.source import Source
from qcowspec.units import HostOffset

if TYPE_CHECKING:
    from qcow_parsers import Qcow2

__all__ = [
    "NOWHERE",
    "Extents",
    "Kind",
    "Mapping",
    "Qcow1Mapping",
    "Qcow2Mapping",
    "RawMapping",
    "Run",
    "TableMapping",
    "mapping_of",
]


def mapping_of(
    metadata: Metadata,
    source: Source,
    *,
    snapshot: Qcow2.Snapshot | None = None,
    like_qemu: bool = False,
) -> Mapping:
    """The mapping of an opened image.

    Args:
        metadata: What opening read; no rule is broken for which QEMU refuses the image.
        source: The image file.
        snapshot: The snapshot whose state is mapped; None for the active state.
        like_qemu: Map a snapshot at the active state's size, as qemu-img does; not at its own.
    """
    header, geometry, table = metadata.header, metadata.geometry, metadata.l1_table
    assert header is not None
    assert geometry is not None
    assert table is not None
    size = header.size - header.size % c.BDRV_SECTOR_SIZE
    backed = metadata.backing is not None and bool(metadata.backing.name)
    if metadata.format is Format.QCOW:
        return Qcow1Mapping(source, geometry, table, size, backed=backed)
    if snapshot is not None:
        table = _l1_table(snapshot, source)
        own = getattr(snapshot.extra_data, "disk_size", None)
        size = size if like_qemu or own is None else own - own % c.BDRV_SECTOR_SIZE
    data_file = bool(metadata.qcow2_header.has_data_file)
    return Qcow2Mapping(source, geometry, table, size, backed=backed, data_file=data_file)


def _l1_table(snapshot: Qcow2.Snapshot, source: Source) -> Table:
    """A snapshot's L1 table, as far as it is held; the rest is read when it is needed."""
    offset, count = snapshot.l1_table_offset, snapshot.l1_size
    data = source.read_at(offset, min(count * Table.ENTRY_SIZE, c.QCOW_MAX_L1_SIZE))
    return Table("snapshot.l1_table", HostOffset(offset), count, data)
