"""What a mapping needs to know of an image, for the arrays and for the walk alike.

In: what opening read of an image. Out: a `Volume`. Refuses: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qcow_parsers import constants as c

from qcowspec.errors import QcowError, Value
from qcowspec.mapping.runs import Kind
from qcowspec.metadata import Format, Metadata, Table
from qcowspec.rules import BY_ID, error_of
from qcowspec.source import Source
from qcowspec.units import Geometry, HostOffset

if TYPE_CHECKING:
    from qcow_parsers import Qcow2


class Volume(NamedTuple):
    """One state of an image's virtual disk: the active one, or a snapshot.

    Attributes:
        source: The image file.
        geometry: Its sizes.
        l1_table: The L1 table; entries that its data do not hold are read when needed.
        size: Bytes of the virtual disk that are mapped.
        absent: What is not allocated: `Kind.BACKING`, or `Kind.UNALLOCATED` without one.
        data_file: Whether guest data lie in a file of their own.
    """

    source: Source
    geometry: Geometry
    l1_table: Table
    size: int
    absent: Kind
    data_file: bool = False

    def error(self, rule: str, offset: int, value: Value, field: str) -> QcowError:
        """The error of a rule about an entry.

        Args:
            rule: The rule's id.
            offset: Host offset of the entry.
            value: What stands there.
            field: The structure at fault.
        """
        return error_of(
            rule,
            value,
            offset=offset,
            field=f"{field}.{BY_ID[rule].field}",
            path=self.source.name,
        )


def volume_of(
    metadata: Metadata,
    source: Source,
    *,
    snapshot: Qcow2.Snapshot | None = None,
    like_qemu: bool = False,
) -> Volume:
    """One state of an opened image.

    Args:
        metadata: What opening read; no rule is broken for which QEMU refuses the image.
        source: The image file.
        snapshot: The snapshot whose state is mapped; None for the active state.
        like_qemu: Map a snapshot at the active state's size, as qemu-img does; not at its own.

    Raises:
        Unreadable: The snapshot's L1 table cannot be read.
    """
    header, geometry, table = metadata.header, metadata.geometry, metadata.l1_table
    assert header is not None
    assert geometry is not None
    assert table is not None
    size = header.size - header.size % c.BDRV_SECTOR_SIZE
    backed = metadata.backing is not None and bool(metadata.backing.name)
    absent = Kind.BACKING if backed else Kind.UNALLOCATED
    if metadata.format is Format.QCOW:
        return Volume(source, geometry, table, size, absent)
    if snapshot is not None:
        table = _l1_table(snapshot, source)
        own = getattr(snapshot.extra_data, "disk_size", None)
        size = size if like_qemu or own is None else own - own % c.BDRV_SECTOR_SIZE
    data_file = bool(metadata.qcow2_header.has_data_file)
    return Volume(source, geometry, table, size, absent, data_file)


def _l1_table(snapshot: Qcow2.Snapshot, source: Source) -> Table:
    """A snapshot's L1 table, as far as it is held; the rest is read when it is needed."""
    offset, count = snapshot.l1_table_offset, snapshot.l1_size
    data = source.read_at(offset, min(count * Table.ENTRY_SIZE, c.QCOW_MAX_L1_SIZE))
    return Table("snapshot.l1_table", HostOffset(offset), count, data)
