"""The rules about the entries of the snapshot table."""

from __future__ import annotations

from typing import Any

from qcow_parsers import Qcow2
from qcow_parsers import constants as c

from qcowspec.spec.metadata import Metadata
from qcowspec.spec.predicates.binding import decides, places, states
from qcowspec.spec.structures import Part, Place, place
from qcowspec.spec.units import readable

UINT32 = 1 << 32
"""librbd adds the lengths of an entry's parts in this many values."""


@decides("snapshots/table-read")
def table_read(entry: Qcow2.Snapshot, image: Metadata) -> bool:
    """QEMU's block layer can read the entry, as far as QEMU goes before it looks at its parts.

    Reads the entry's place.
    """
    length = entry.unpadded_size if entry.ok_extra_data_size else c.QCOW2_SNAPSHOT_HEADER_SIZE
    return bool(readable(image.turn.offset, length))


@states("snapshots/table-read", "snapshots/librbd-past-end", "snapshots/untrusted-past-end")
def entry_offset(entry: Qcow2.Snapshot, image: Metadata) -> int:
    """Where the entry starts."""
    return image.turn.offset


@decides("snapshots/table-size")
def table_size(entry: Qcow2.Snapshot, image: Metadata) -> bool:
    """The table is not too large, up to and with this entry.

    Reads the lengths of all earlier entries.
    """
    return table_length(entry, image) <= c.QCOW_MAX_SNAPSHOTS_SIZE


@states("snapshots/table-size")
def table_length(entry: Qcow2.Snapshot, image: Metadata) -> int:
    """Bytes of the table up to the end of this entry."""
    return image.turn.offset - image.qcow2_header.snapshots_offset + entry.unpadded_size


# --- what a check reports -------------------------------------------------------------------------


@decides("snapshots/l1-table-offset")
def l1_table_offset(entry: Qcow2.Snapshot, image: Metadata) -> bool:
    """The snapshot's L1 table begins at a cluster. Reads the header."""
    return entry.l1_table_offset % image.qcow2_header.cluster_size == 0


@decides("snapshots/id-unique")
def id_unique(entry: Qcow2.Snapshot, image: Metadata) -> bool:
    """No earlier entry has the same ID. Reads the earlier IDs."""
    return not image.turn.repeats


# --- librbd ---------------------------------------------------------------------------------------


def _librbd_tail(entry: Qcow2.Snapshot) -> int:
    """Bytes after an entry's fixed part, as librbd counts them."""
    return (entry.extra_data_size + entry.id_str_size + entry.name_size) % UINT32


@decides("snapshots/librbd-count")
def librbd_count(header: Qcow2.Header, image: Metadata) -> bool:
    """The file has as many bytes as the fixed parts of all entries have.

    Reads the file's length.
    """
    if header.snapshots_offset == 0:
        return True
    length = header.nb_snapshots * c.QCOW2_SNAPSHOT_HEADER_SIZE
    return image.holds(header.snapshots_offset, length)


@decides("snapshots/librbd-past-end")
def librbd_past_end(entry: Qcow2.Snapshot, image: Metadata) -> bool:
    """The file has every byte of the entry that librbd reads.

    Reads the file's length and the entry's place.
    """
    if image.qcow2_header.snapshots_offset == 0:
        return True
    return image.holds(image.turn.offset, c.QCOW2_SNAPSHOT_HEADER_SIZE + _librbd_tail(entry))


@decides("snapshots/librbd-l1-past-end")
def librbd_l1_past_end(entry: Qcow2.Snapshot, image: Metadata) -> bool:
    """The file has the snapshot's L1 table, if librbd reads it. Reads the file's length."""
    if image.qcow2_header.snapshots_offset == 0 or _librbd_tail(entry) == 0:
        return True
    return image.holds(entry.l1_table_offset, entry.l1_table_bytes)


# --- the operator's policy ------------------------------------------------------------------------


@places("snapshots/untrusted-vm-state")
def vm_state_size(part: Part[Any], entry: Qcow2.Snapshot, image: Metadata) -> Place:
    """The field that counts: the large one of the extra data, where it is there."""
    large = entry.extra_data.has_vm_state_size_large
    return place(part, "extra_data.vm_state_size_large" if large else "vm_state_size")


@decides("snapshots/untrusted-past-end")
def untrusted_past_end(entry: Qcow2.Snapshot, image: Metadata) -> bool:
    """The file has the whole entry. Reads the file's length and the entry's place."""
    return image.holds(image.turn.offset, entry.unpadded_size)


@decides("snapshots/untrusted-l1-past-end")
def untrusted_l1_past_end(entry: Qcow2.Snapshot, image: Metadata) -> bool:
    """The file has the snapshot's whole L1 table. Reads the file's length."""
    return image.holds(entry.l1_table_offset, entry.l1_table_bytes)
