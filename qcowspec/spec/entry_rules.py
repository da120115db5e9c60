"""The rules about table entries: for one entry, or for each of an array.

In: decoded entries. Out: whether each rule holds, a `bool` or an array of them. Refuses: nothing.

The row in formats/rules says what a rule means; where the generated entry type has an instance for
it, a property test holds both equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from qcow_parsers import constants as c

from qcowspec.spec import decoding
from qcowspec.spec.decoding import Flags, no
from qcowspec.spec.entries import (
    BitmapTableEntries,
    Frame,
    L1Entries,
    L2Entries,
    Qcow1L1Entries,
    Qcow1L2Entries,
    RefcountTableEntries,
    Words,
)
from qcowspec.spec.units import Geometry, align_up, readable

View = TypeVar("View", L1Entries, L2Entries, Qcow1L1Entries, Qcow1L2Entries, RefcountTableEntries)
Rules = Mapping[str, Callable[[View], Flags]]
Located = L1Entries | L2Entries | RefcountTableEntries | BitmapTableEntries
"""Entries with an offset that is a multiple of the cluster size."""


def aligned(offset: Words, geometry: Geometry) -> Flags:
    """Host offsets are multiples of the cluster size."""
    return offset & (geometry.cluster_size - 1) == 0


def on_cluster(entries: Located) -> Flags:
    """What an entry points at begins at a cluster boundary."""
    return aligned(entries.offset, entries.frame.geometry)


def in_file(entries: RefcountTableEntries | BitmapTableEntries) -> Flags:
    """What an entry points at begins within the file."""
    return (entries.offset == 0) | entries.frame.holds(entries.offset, 1)


def unreserved(entries: Located) -> Flags:
    """The reserved bits are zero."""
    return entries.reserved == 0


# --- L1 tables ------------------------------------------------------------------------------------

L1: Rules[L1Entries] = {
    "l1/reserved": unreserved,
    "l1/copied-unused": lambda entries: (entries.offset != 0) | no(entries.copied),
    "l2/table-offset": on_cluster,
    "l1/librbd-reserved": lambda entries: entries.librbd_offset == entries.offset,
    "l1/librbd-l2-past-end": lambda entries: _has_table(entries.librbd_offset, entries.frame),
}

V1_L1: Rules[Qcow1L1Entries] = {
    "l2/v1-table-read": lambda entries: readable(
        entries.offset, entries.frame.geometry.l2_table_size
    ),
    "l1/v1-librbd-l2-past-end": lambda entries: _has_table(entries.words, entries.frame),
}


def _has_table(offset: Words, frame: Frame) -> Flags:
    """The file has the whole L2 table."""
    return (offset == 0) | frame.holds(offset, frame.geometry.l2_table_size)


# --- Refcount tables and bitmap tables ------------------------------------------------------------

REFCOUNTS: Rules[RefcountTableEntries] = {
    "refcounts/reserved": unreserved,
    "refcounts/block-offset": on_cluster,
    "refcounts/untrusted-block-past-end": in_file,
}


def refcounts_block_read(entries: RefcountTableEntries) -> Flags:
    """QEMU can read the refcount block: it is aligned, and ends where a file can."""
    return on_cluster(entries) & readable(entries.offset, entries.frame.geometry.cluster_size)


def bitmaps_reserved(entries: BitmapTableEntries) -> Flags:
    """The reserved bits are zero; bit 0 is one where there is a cluster with the bits.

    The rules about bitmap tables are judged when the image is opened: see `predicates.bitmaps`.
    """
    return unreserved(entries) & no(entries.all_ones & (entries.offset != 0))


# --- L2 tables ------------------------------------------------------------------------------------


def l2_zero_in_v2(entries: L2Entries) -> Flags:
    """No standard entry has bit 0."""
    return no(entries.zero)


def l2_cluster_offset(entries: L2Entries) -> Flags:
    """A standard cluster begins at a cluster boundary."""
    return entries.compressed | on_cluster(entries)


def l2_data_file_offset(entries: L2Entries) -> Flags:
    """With a data file a cluster's host offset is its guest offset."""
    if not entries.frame.data_file:
        return _always(entries)
    return no(entries.located) | (entries.offset == entries.guest)


def _l2_subcluster_bitmap(entries: L2Entries) -> Flags:
    """No subcluster is allocated and zero, and none is allocated in an unallocated cluster."""
    placed = (entries.offset != 0) | entries.copied
    apart = entries.allocated_subclusters & entries.zero_subclusters == 0
    return entries.compressed | (apart & (placed | (entries.allocated_subclusters == 0)))


def _l2_subcluster_unallocated(entries: L2Entries) -> Flags:
    """Without a data file no subcluster is allocated at host offset 0."""
    # One that is not copied either contradicts its bitmap already, whatever data file there is.
    own = entries.compressed | entries.located | no(entries.copied)
    return own | (entries.allocated_subclusters == 0)


def _l2_compressed_offset(entries: L2Entries) -> Flags:
    """A compressed cluster's offset has no bits above 55."""
    return entries.standard | (entries.coffset <= c.QCOW_MAX_CLUSTER_OFFSET)


def _l2_compressed_copied(entries: L2Entries) -> Flags:
    """A compressed entry is not marked as the only reference."""
    return no(entries.compressed & entries.copied)


def l2_reserved(entries: L2Entries) -> Flags:
    """The reserved bits of a standard entry are zero."""
    return entries.compressed | unreserved(entries)


def _l2_copied_unallocated(entries: L2Entries) -> Flags:
    """Without a data file an entry at host offset 0 is not marked as the only reference."""
    if entries.frame.data_file:
        return _always(entries)
    return entries.compressed | (entries.offset != 0) | no(entries.copied)


def _librbd_uncompressed(entries: L2Entries | Qcow1L2Entries) -> Flags:
    """No cluster that librbd reads is compressed."""
    return no(entries.compressed & entries.librbd_reads)


def _l2_librbd_offset(entries: L2Entries) -> Flags:
    """Librbd reads a standard cluster where it is; bits 0 to 8 and 56 to 61 move it elsewhere."""
    placed = entries.librbd_offset == entries.offset
    return entries.compressed | no(entries.librbd_reads) | placed


def _l2_librbd_past_end(entries: L2Entries) -> Flags:
    """The file has the whole cluster that librbd reads."""
    size = entries.frame.geometry.cluster_size
    return no(entries.librbd_reads) | entries.frame.holds(entries.librbd_offset, size)


L2: Rules[L2Entries] = {
    "l2/zero-in-v2": l2_zero_in_v2,
    "l2/compressed-data-file": lambda entries: (
        entries.standard if entries.frame.data_file else _always(entries)
    ),
    "l2/cluster-offset": l2_cluster_offset,
    "l2/data-file-offset": l2_data_file_offset,
    "l2/subcluster-bitmap": _l2_subcluster_bitmap,
    "l2/subcluster-unallocated": _l2_subcluster_unallocated,
    "l2/compressed-offset": _l2_compressed_offset,
    "l2/compressed-copied": _l2_compressed_copied,
    "l2/compressed-bitmap": lambda entries: entries.standard | (entries.bitmap == 0),
    "l2/reserved": l2_reserved,
    "l2/copied-unallocated": _l2_copied_unallocated,
    "l2/extended-zero": lambda entries: no(entries.zero) if entries.extended else _always(entries),
    "l2/untrusted-past-end": lambda entries: (
        _always(entries) if entries.frame.data_file else _has_bytes(entries)
    ),
    "l2/librbd-compressed": _librbd_uncompressed,
    "l2/librbd-offset": _l2_librbd_offset,
    "l2/librbd-past-end": _l2_librbd_past_end,
}


def v1_cluster_offset(entries: Qcow1L2Entries) -> Flags:
    """A plain cluster begins at a sector boundary."""
    return entries.compressed | v1_on_sector(entries.words)


def v1_on_sector(offset: Words) -> Flags:
    """A host offset is one that QEMU reads data at."""
    return offset & (c.BDRV_SECTOR_SIZE - 1) == 0


def _v1_cluster_read(entries: Qcow1L2Entries) -> Flags:
    """A plain cluster ends where a file can."""
    return entries.compressed | readable(entries.words, entries.frame.geometry.cluster_size)


def _v1_librbd_past_end(entries: Qcow1L2Entries) -> Flags:
    """The file has the whole cluster that librbd reads."""
    whole = entries.frame.holds(entries.words, entries.frame.geometry.cluster_size)
    return entries.compressed | no(entries.librbd_reads) | whole


V1_L2: Rules[Qcow1L2Entries] = {
    "l2/v1-cluster-offset": v1_cluster_offset,
    "l2/v1-cluster-read": _v1_cluster_read,
    "l2/v1-librbd-compressed": _librbd_uncompressed,
    "l2/v1-librbd-past-end": _v1_librbd_past_end,
    "l2/v1-untrusted-past-end": lambda entries: _has_bytes(entries),
}

HOLDS: Mapping[str, Callable[[Any], Flags]] = {**L1, **V1_L1, **REFCOUNTS, **L2, **V1_L2}
"""For each rule about entries, by its id, whether it holds for each entry."""


def _always(entries: L2Entries) -> Flags:
    """The rule holds, whatever the entry is."""
    return entries.words >= 0


def _has_bytes(entries: L2Entries | Qcow1L2Entries) -> Flags:
    """Whether the file has what entries map; a payload's length is said in whole sectors."""
    frame = entries.frame
    sectors = None if frame.length is None else align_up(frame.length, c.BDRV_SECTOR_SIZE)
    payload = frame._replace(length=sectors).holds(entries.coffset, entries.csize)
    data = no(entries.data) | frame.holds(entries.offset, entries.data_length)
    return data & (no(entries.compressed) | (payload & frame.holds(entries.coffset, 1)))


def all_plain(words: Words, frame: Frame) -> bool:
    """Whether entries are all of data, whole and aligned in the file: then none breaks a rule.

    A quick look at many, which the tables of most images pass; of one entry it is not worth it.
    """
    geometry = frame.geometry
    if isinstance(words, int) or frame.data_file or frame.length is None:
        return False
    if geometry.version < c.QCOW2_MIN_VERSION or geometry.has_extended_l2:
        return False
    offsets, last = decoding.l2_offset(words), frame.length - geometry.cluster_size
    if (words & (decoding.FULL ^ decoding.l2_plain(geometry.cluster_size))).any():
        return False
    return int(offsets.min()) > 0 and int(offsets.max()) <= last


def reach(entries: L2Entries | Qcow1L2Entries) -> int:
    """Host offset where the bytes end that entries map and the file has not; 0 where it has all."""
    missing = no(_has_bytes(entries)) & _plausible(entries)
    if missing is False or not (missing is True or missing.any()):
        return 0
    data = (entries.offset + entries.data_length) * (missing & entries.data)
    payload = (entries.coffset + entries.csize) * (missing & entries.compressed)
    return max(int(end) if isinstance(end, int) else int(end.max()) for end in (data, payload))


def _plausible(entries: L2Entries | Qcow1L2Entries) -> Flags:
    """Whether entries break no rule of the format: noise tells nothing of a file that was cut."""
    if isinstance(entries, Qcow1L2Entries):
        return v1_cluster_offset(entries) & _v1_cluster_read(entries)
    offset = l2_cluster_offset(entries) & _l2_compressed_offset(entries)
    return offset & l2_reserved(entries) & _l2_compressed_copied(entries)
