"""What a mapping needs to know about an image, for the arrays and for the walk.

In: what opening read of an image. Out: a `Volume`. Refuses: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qcowspec.errors import Invalid, QcowError, Value, name_of
from qcowspec.mapping.runs import Kind
from qcowspec.sources.source import Source
from qcowspec.spec.entry_rules import aligned
from qcowspec.spec.metadata import Format, Metadata, Table
from qcowspec.spec.rules import BY_ID, error_of
from qcowspec.spec.units import MAX_L1_ENTRIES, Geometry, HostOffset, whole_sectors

if TYPE_CHECKING:
    from qcow_parsers import Qcow2


class Volume(NamedTuple):
    """One state of an image's virtual disk: the active one, or a snapshot.

    Attributes:
        source: The image file.
        geometry: Its sizes.
        l1_table: The L1 table; entries that its data do not hold are read when needed.
        size: Bytes of the virtual disk that are mapped.
        absent: The kind of what is not allocated: `Kind.BACKING`, or `Kind.UNALLOCATED` if the
            image has no backing file.
        data_file: Whether guest data lie in a file of their own.
        salvage: Whether what is broken is mapped as `Kind.LOST`; if not, it is an error.
        unmapped: In a salvage, why the L1 table has no entry for the rest of the disk.
    """

    source: Source
    geometry: Geometry
    l1_table: Table
    size: int
    absent: Kind
    data_file: bool = False
    salvage: bool = False
    unmapped: QcowError | None = None

    def error(self, rule: str, offset: int, value: Value, field: str) -> QcowError:
        """The error of a rule about an entry.

        Args:
            rule: The rule's id.
            offset: Host offset of the entry.
            value: The entry's value.
            field: The structure at fault.
        """
        return error_of(
            rule,
            value,
            offset=offset,
            field=f"{field}.{BY_ID[rule].field}",
            path=self.source.name,
        )


def number_of(rule: str | None) -> int:
    """The number of a rule, above 0; 0 of none."""
    return 0 if rule is None else NUMBERS[rule]


NUMBERS = {rule: number for number, rule in enumerate(BY_ID, start=1)}


def volume_of(
    metadata: Metadata,
    source: Source,
    *,
    snapshot: Qcow2.Snapshot | None = None,
    like_qemu: bool = False,
    salvage: bool = False,
    vm_state: bool = False,
) -> Volume:
    """One state of an opened image.

    Args:
        metadata: What opening read; it breaks no rule for which QEMU refuses the image.
        source: The image file.
        snapshot: The snapshot whose state is mapped; None for the active state.
        like_qemu: Map a snapshot at the active state's size, as qemu-img does; not at its own.
        salvage: Map what is broken as `Kind.LOST`; `metadata` is what `qcowspec.chain.salvage`
            located, and may break rules.
        vm_state: Map the snapshot's VM state too, which lies past the end of its disk.

    Raises:
        Invalid: The snapshot has no VM state, or its L1 table does not map all of it.
        Unreadable: The snapshot's L1 table cannot be read.
    """
    header, geometry, table = metadata.header, metadata.geometry, metadata.l1_table
    assert header is not None
    assert geometry is not None
    assert table is not None
    size = whole_sectors(header.size)
    backed = metadata.backing is not None and bool(metadata.backing.name)
    absent = Kind.BACKING if backed else Kind.UNALLOCATED
    if metadata.format is Format.QCOW:
        return _covered(Volume(source, geometry, table, size, absent, False, salvage))
    if snapshot is not None:
        table = _l1_table(snapshot, source)
        own = getattr(snapshot.extra_data, "disk_size", None)
        size = size if like_qemu or own is None else whole_sectors(own)
        if vm_state:
            start, length = vm_state_of(metadata, snapshot, source.name)
            size = start + length
    data_file = bool(metadata.qcow2_header.has_data_file)
    found = Volume(source, geometry, table, size, absent, data_file, salvage)
    return found if snapshot is not None and like_qemu else _covered(found)


def vm_state_of(metadata: Metadata, snapshot: Qcow2.Snapshot, path: str) -> tuple[int, int]:
    """Where a snapshot's VM state lies, in guest bytes: its start, and its length.

    It begins with the first L2 table past the disk's end (block/qcow2.h: qcow2_vm_state_offset).

    Raises:
        Invalid: The image, which is the file `path`, has no VM state in this snapshot, or an L1
            table that does not map all of it.
    """
    assert metadata.geometry is not None
    span, own = metadata.geometry.l2_span, snapshot.disk_size
    start = -(-(metadata.qcow2_header.size if own is None else own) // span) * span
    length: int = snapshot.effective_vm_state_size
    name = name_of(snapshot.name, MAX_SHOWN)
    if not length:
        raise Invalid(f"has no VM state in the snapshot {name}: no machine was running", path=path)
    mapped = max(0, min(snapshot.l1_size, MAX_L1_ENTRIES) * span - start)
    if length > mapped:
        raise Invalid(
            f"has {length} bytes of VM state in the snapshot {name} by its vm_state_size, and an L1"
            f" table that maps {mapped} of them",
            path=path,
        )
    return start, length


MAX_SHOWN = 64
"""Characters of a snapshot's name that an error has."""


def _covered(volume: Volume) -> Volume:
    """The same; in a salvage, with the error of a disk larger than its L1 table maps."""
    table, geometry = volume.l1_table, volume.geometry
    if not volume.salvage or volume.size <= table.count * geometry.l2_span:
        return volume
    rule = "l1/size-minimum" if volume.geometry.version > 1 else "l1/v1-size"
    value: int = table.count if volume.geometry.version > 1 else volume.size
    if volume.geometry.version > 1 and not aligned(table.offset, geometry):
        rule, value = "l1/table-offset", table.offset
    row = BY_ID[rule]
    error = error_of(rule, value, offset=None, field=f"header.{row.field}", path=volume.source.name)
    return volume._replace(unmapped=error)


def _l1_table(snapshot: Qcow2.Snapshot, source: Source) -> Table:
    """A snapshot's L1 table: the first part; the rest is read when it is needed."""
    offset, count = snapshot.l1_table_offset, snapshot.l1_size
    data = source.read_at(offset, min(count, MAX_L1_ENTRIES) * Table.ENTRY_SIZE)
    return Table("snapshot.l1_table", HostOffset(offset), count, data)
