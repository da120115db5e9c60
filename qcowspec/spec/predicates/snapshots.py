"""The rules about the entries of the snapshot table."""

from __future__ import annotations

from typing import Any

from qcow_parsers import Qcow2
from qcow_parsers import constants as c

from qcowspec.spec.metadata import Metadata
from qcowspec.spec.predicates.binding import decides, places, states
from qcowspec.spec.structures import Part, Place, place
from qcowspec.spec.units import readable


@decides("snapshots/table-read", reads="its place in its table or area")
def table_read(entry: Qcow2.Snapshot, image: Metadata) -> bool:
    """QEMU's block layer can read the entry, as far as QEMU goes before it looks at its parts."""
    length = entry.unpadded_size if entry.ok_extra_data_size else c.QCOW2_SNAPSHOT_HEADER_SIZE
    return bool(readable(image.turn.offset, length))


@states("snapshots/table-read", "snapshots/librbd-past-end", "snapshots/untrusted-past-end")
def entry_offset(entry: Qcow2.Snapshot, image: Metadata) -> int:
    """Where the entry starts."""
    return image.turn.offset


@decides("snapshots/table-size", reads="its place in its table or area")
def table_size(entry: Qcow2.Snapshot, image: Metadata) -> bool:
    """The table is not too large, up to and with this entry."""
    return table_length(entry, image) <= c.QCOW_MAX_SNAPSHOTS_SIZE


@states("snapshots/table-size")
def table_length(entry: Qcow2.Snapshot, image: Metadata) -> int:
    """Bytes of the table up to the end of this entry."""
    return image.turn.offset - image.qcow2_header.snapshots_offset + entry.unpadded_size


# --- what a check reports -------------------------------------------------------------------------


@decides("snapshots/l1-table-offset", reads="the header")
def l1_table_offset(entry: Qcow2.Snapshot, image: Metadata) -> bool:
    """The snapshot's L1 table begins at a cluster."""
    return entry.l1_table_offset % image.qcow2_header.cluster_size == 0


@decides("snapshots/id-unique", reads="the other entries of its table")
def id_unique(entry: Qcow2.Snapshot, image: Metadata) -> bool:
    """No earlier entry has the same ID."""
    return not image.turn.repeats


# --- the operator's policy ------------------------------------------------------------------------


@places("snapshots/untrusted-vm-state")
def vm_state_size(part: Part[Any], entry: Qcow2.Snapshot, image: Metadata) -> Place:
    """The field that counts: the large one of the extra data, where it is there."""
    large = entry.extra_data.has_vm_state_size_large
    return place(part, "extra_data.vm_state_size_large" if large else "vm_state_size")
