"""QCOW versions 2 and 3: the snapshot table.

In: the bytes from `snapshots_offset`, or from an entry's start. Out: Containers of numbers and
bytes. Refused: an entry without its first 40 bytes. The layout is that of the document's section
"Snapshots", with the names of QCowSnapshotHeader and QCowSnapshotExtraData in block/qcow2.h.
"""

from __future__ import annotations

from typing import Any

from construct import Array, Int16ub, Int32ub, Int64ub

from .notation import (
    BoundedBytes,
    Layout,
    Schema,
    Substream,
    WhileRoom,
    default,
    given_length,
    size_of,
    zeros_to_8,
)

# Each field is present if `extra_data_size` reaches its end; what is left over is kept. A size
# that ends within a field leaves the field's bytes in unknown_extra_data.
snapshot_extra_data: Schema = Layout(
    "vm_state_size_large" / WhileRoom(Int64ub, before=("disk_size", "icount")),  #  40 - 47
    "disk_size" / WhileRoom(Int64ub, before=("icount",)),  #                        48 - 55
    "icount" / WhileRoom(Int64ub),  #                              56 - 63; -1 (all ones): none
    "unknown_extra_data" / BoundedBytes(),  #                      64 - 40 + extra_data_size
)


def _extra_data_size(context: Any) -> int:
    return size_of(snapshot_extra_data, context.get("extra_data"))


def _padding_size(context: Any) -> Any:
    # 40 bytes and then these; 40 is a multiple of 8.
    return -(context.extra_data_size + context.id_str_size + context.name_size) % 8


def _padding(context: Any) -> bytes:
    return zeros_to_8(
        _extra_data_size(context) + given_length(context, "id_str") + given_length(context, "name")
    )


# "Snapshot table entry". Sizes are derived from what is built unless they are given.
snapshot: Schema = Layout(
    "l1_table_offset" / Int64ub,  #                                              0 -  7
    "l1_size" / Int32ub,  #                                                      8 - 11; entries
    "id_str_size" / default(Int16ub, lambda c: given_length(c, "id_str")),  #    12 - 13
    "name_size" / default(Int16ub, lambda c: given_length(c, "name")),  #        14 - 15
    "date_sec" / default(Int32ub, 0),  #                                        16 - 19
    "date_nsec" / default(Int32ub, 0),  #                                       20 - 23
    "vm_clock_nsec" / default(Int64ub, 0),  #                                   24 - 31
    "vm_state_size" / default(Int32ub, 0),  #                                   32 - 35
    "extra_data_size" / default(Int32ub, _extra_data_size),  #                  36 - 39
    "extra_data" / Substream(lambda c: c.extra_data_size, snapshot_extra_data),
    "id_str" / BoundedBytes(lambda c: c.id_str_size),
    "name" / BoundedBytes(lambda c: c.name_size),
    "padding" / BoundedBytes(_padding_size, _padding),
)


def snapshot_table(nb_snapshots: int) -> Schema:
    """Return the table of `nb_snapshots` snapshots, one behind the other."""
    return Layout("entries" / Array(nb_snapshots, snapshot))
