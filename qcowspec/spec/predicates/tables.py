"""The rules about where the L1 table and the refcount table lie, and how large they are."""

from __future__ import annotations

from typing import Any

from qcow_parsers import Qcow1, Qcow2
from qcow_parsers import constants as c

from qcowspec.spec import decoding
from qcowspec.spec.metadata import Metadata
from qcowspec.spec.predicates.binding import decides, places, states
from qcowspec.spec.structures import Part, Place
from qcowspec.spec.units import HostOffset

# --- librbd ---------------------------------------------------------------------------------------


@decides("l1/librbd-past-end", "l1/v1-librbd-past-end")
def librbd_past_end(header: Qcow1.Header | Qcow2.Header, image: Metadata) -> bool:
    """The file has the L1 entries that librbd reads; a read of none fails on a negative offset.

    Reads the file's length.
    """
    if header.num_librbd_l1_entries == 0:
        return header.l1_table_offset <= c.QCOW2_MAX_TABLE_END
    return image.holds(header.l1_table_offset, header.num_librbd_l1_entries * c.L1E_SIZE)


# --- the operator's policy ------------------------------------------------------------------------


@decides("l1/untrusted-past-end")
def untrusted_past_end(header: Qcow2.Header, image: Metadata) -> bool:
    """The file has the whole active L1 table. Reads the file's length."""
    return image.holds(header.l1_table_offset, header.l1_table_bytes)


@decides("l1/untrusted-l2-past-end")
def untrusted_l2_past_end(header: Qcow2.Header, image: Metadata) -> bool:
    """The last L2 table begins inside the file, and so do all. Reads the L1 table."""
    last = last_l2_table(header, image)
    return last == 0 or image.holds(last, 1)


@states("l1/untrusted-l2-past-end")
def last_l2_table(header: Qcow2.Header, image: Metadata) -> int:
    """Offset of the L2 table that lies furthest into the file; 0 where there is none."""
    return decoding.l1_offset(_last_entry(image)[1])


@places("l1/untrusted-l2-past-end")
def last_l1_entry(part: Part[Any], header: Qcow2.Header, image: Metadata) -> Place:
    """The L1 entry that points at that table."""
    table, (index, entry) = image.l1_table, _last_entry(image)
    assert table is not None
    offset = HostOffset(table.offset + index * table.ENTRY_SIZE)
    return Place(offset, f"{table.name}[{index}]", entry)


def _last_entry(image: Metadata) -> tuple[int, int]:
    """Index and value of the L1 entry that points furthest into the file; zeros without any."""
    table = image.l1_table
    if table is None or len(table.data) < table.ENTRY_SIZE:
        return 0, 0
    if len(table.data) <= LARGE:
        return max(enumerate(table.values()), key=lambda each: decoding.l1_offset(each[1]))
    import numpy as np  # which only a large table is worth waiting for

    entries = np.frombuffer(table.data, dtype=">u8", count=len(table.data) // c.L1E_SIZE)
    pieces = (entries[at : at + LARGE] for at in range(0, len(entries), LARGE))
    last = [int(decoding.l1_offset(piece).argmax()) for piece in pieces]
    indexes = [number * LARGE + within for number, within in enumerate(last)]
    return max(
        ((index, int(entries[index])) for index in indexes),
        key=lambda each: decoding.l1_offset(each[1]),
    )


LARGE = 1 << 16
"""Bytes of a table above which it is looked through as an array; entries that are at a time."""


@decides("l1/v1-untrusted-past-end")
def v1_untrusted_past_end(header: Qcow1.Header, image: Metadata) -> bool:
    """The file has the whole L1 table. Reads the file's length."""
    return image.holds(header.l1_table_offset, header.l1_table_bytes)


@decides("refcounts/untrusted-past-end")
def refcounts_untrusted_past_end(header: Qcow2.Header, image: Metadata) -> bool:
    """The file has the whole refcount table. Reads the file's length."""
    return image.holds(header.refcount_table_offset, header.refcount_table_bytes)
