"""The rules about table entries: for one entry, or for each of an array.

In: decoded entries. Out: whether each rule holds, a `bool` or an array of them. Refuses: nothing.

The row in formats/rules says what a rule means; where the generated entry type has an instance for
it, a property test holds both equal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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

Holds = Callable[[Any], Flags]

HOLDS: dict[str, Holds] = {}
"""For each rule about entries, by its id, whether it holds for each entry."""


def rule(name: str) -> Callable[[Holds], Holds]:
    """The function decides this rule."""

    def bind(holds: Holds) -> Holds:
        HOLDS[name] = holds
        return holds

    return bind


def aligned(offset: Words, geometry: Geometry) -> Flags:
    """Host offsets are multiples of the cluster size."""
    return offset & (geometry.cluster_size - 1) == 0


@rule("l1/reserved")
def l1_reserved(entries: L1Entries) -> Flags:
    """The reserved bits are zero."""
    return entries.reserved == 0


@rule("l1/copied-unused")
def l1_copied_unused(entries: L1Entries) -> Flags:
    """An entry without an L2 table is not marked as the owner of one."""
    return (entries.offset != 0) | no(entries.copied)


@rule("l2/table-offset")
def l2_table_offset(entries: L1Entries) -> Flags:
    """The L2 table begins at a cluster boundary."""
    return aligned(entries.offset, entries.frame.geometry)


@rule("l2/v1-table-read")
def v1_table_read(entries: Qcow1L1Entries) -> Flags:
    """The L2 table ends where a file can."""
    return readable(entries.offset, entries.frame.geometry.l2_table_size)


@rule("l1/librbd-reserved")
def librbd_reserved(entries: L1Entries) -> Flags:
    """Librbd reads the L2 table where it is."""
    return entries.librbd_offset == entries.offset


@rule("l1/librbd-l2-past-end")
def librbd_l2_past_end(entries: L1Entries) -> Flags:
    """The file has the whole L2 table that librbd reads."""
    return _has_table(entries.librbd_offset, entries.frame)


@rule("l1/v1-librbd-l2-past-end")
def v1_librbd_l2_past_end(entries: Qcow1L1Entries) -> Flags:
    """The file has the whole L2 table."""
    return _has_table(entries.words, entries.frame)


def _has_table(offset: Words, frame: Frame) -> Flags:
    return (offset == 0) | frame.holds(offset, frame.geometry.l2_table_size)


@rule("refcounts/reserved")
def refcounts_reserved(entries: RefcountTableEntries) -> Flags:
    """The reserved bits are zero."""
    return entries.reserved == 0


@rule("refcounts/block-offset")
def refcounts_block_offset(entries: RefcountTableEntries) -> Flags:
    """The refcount block begins at a cluster boundary."""
    return aligned(entries.offset, entries.frame.geometry)


def refcounts_block_read(entries: RefcountTableEntries) -> Flags:
    """QEMU can read the refcount block: it is aligned, and ends where a file can."""
    size = entries.frame.geometry.cluster_size
    return refcounts_block_offset(entries) & readable(entries.offset, size)


@rule("refcounts/untrusted-block-past-end")
def refcounts_block_past_end(entries: RefcountTableEntries) -> Flags:
    """The refcount block begins within the file."""
    return (entries.offset == 0) | entries.frame.holds(entries.offset, 1)


# The rules about bitmap tables are judged as the image is opened: see `predicates.bitmaps`.


def bitmaps_reserved(entries: BitmapTableEntries) -> Flags:
    """The reserved bits are zero; bit 0 is one where there is a cluster with the bits."""
    return (entries.reserved == 0) & no(entries.all_ones & (entries.offset != 0))


def bitmaps_cluster_offset(entries: BitmapTableEntries) -> Flags:
    """The bits begin at a cluster boundary."""
    return aligned(entries.offset, entries.frame.geometry)


def bitmaps_past_end(entries: BitmapTableEntries) -> Flags:
    """The bits begin within the file."""
    return (entries.offset == 0) | entries.frame.holds(entries.offset, 1)


@rule("l2/zero-in-v2")
def l2_zero_in_v2(entries: L2Entries) -> Flags:
    """No standard entry has bit 0."""
    return no(entries.zero)


@rule("l2/compressed-data-file")
def l2_compressed_data_file(entries: L2Entries) -> Flags:
    """With a data file no cluster is compressed."""
    return entries.standard if entries.frame.data_file else entries.words >= 0


@rule("l2/cluster-offset")
def l2_cluster_offset(entries: L2Entries) -> Flags:
    """A standard cluster begins at a cluster boundary."""
    return entries.compressed | aligned(entries.offset, entries.frame.geometry)


@rule("l2/data-file-offset")
def l2_data_file_offset(entries: L2Entries) -> Flags:
    """With a data file a cluster's host offset is its guest offset."""
    if not entries.frame.data_file:
        return entries.words >= 0
    return no(entries.located) | (entries.offset == entries.guest)


@rule("l2/subcluster-bitmap")
def l2_subcluster_bitmap(entries: L2Entries) -> Flags:
    """No subcluster is allocated and zero, and none is allocated in an unallocated cluster."""
    placed = (entries.offset != 0) | entries.copied
    apart = entries.allocated_subclusters & entries.zero_subclusters == 0
    return entries.compressed | (apart & (placed | (entries.allocated_subclusters == 0)))


@rule("l2/subcluster-unallocated")
def l2_subcluster_unallocated(entries: L2Entries) -> Flags:
    """Without a data file no subcluster is allocated at host offset 0."""
    # One that is not copied either contradicts its bitmap already, whatever data file there is.
    own = entries.compressed | entries.located | no(entries.copied)
    return own | (entries.allocated_subclusters == 0)


@rule("l2/compressed-offset")
def l2_compressed_offset(entries: L2Entries) -> Flags:
    """A compressed cluster's offset has no bits above 55."""
    return entries.standard | (entries.coffset <= c.QCOW_MAX_CLUSTER_OFFSET)


@rule("l2/compressed-copied")
def l2_compressed_copied(entries: L2Entries) -> Flags:
    """A compressed entry is not marked as the only reference."""
    return no(entries.compressed & entries.copied)


@rule("l2/compressed-bitmap")
def l2_compressed_bitmap(entries: L2Entries) -> Flags:
    """A compressed entry's subcluster bitmap is zero."""
    return entries.standard | (entries.bitmap == 0)


@rule("l2/reserved")
def l2_reserved(entries: L2Entries) -> Flags:
    """The reserved bits of a standard entry are zero."""
    return entries.compressed | (entries.reserved == 0)


@rule("l2/copied-unallocated")
def l2_copied_unallocated(entries: L2Entries) -> Flags:
    """Without a data file an entry at host offset 0 is not marked as the only reference."""
    if entries.frame.data_file:
        return entries.words >= 0
    return entries.compressed | (entries.offset != 0) | no(entries.copied)


@rule("l2/extended-zero")
def l2_extended_zero(entries: L2Entries) -> Flags:
    """An extended entry leaves bit 0 to its bitmap."""
    return no(entries.zero) if entries.extended else entries.words >= 0


@rule("l2/untrusted-past-end")
def l2_untrusted_past_end(entries: L2Entries) -> Flags:
    """The file has all the bytes of the disk that the entry maps."""
    return _has_bytes(entries) if not entries.frame.data_file else entries.words >= 0


@rule("l2/v1-untrusted-past-end")
def v1_untrusted_past_end(entries: Qcow1L2Entries) -> Flags:
    """The file has all the bytes of the disk that the entry maps."""
    return _has_bytes(entries)


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
        return v1_cluster_offset(entries) & v1_cluster_read(entries)
    offset = l2_cluster_offset(entries) & l2_compressed_offset(entries)
    return offset & l2_reserved(entries) & l2_compressed_copied(entries)


@rule("l2/librbd-compressed")
def l2_librbd_compressed(entries: L2Entries) -> Flags:
    """No cluster that librbd reads is compressed."""
    return no(entries.compressed & entries.librbd_reads)


@rule("l2/librbd-offset")
def l2_librbd_offset(entries: L2Entries) -> Flags:
    """Librbd reads a standard cluster where it is; bits 0 to 8 and 56 to 61 move it elsewhere."""
    placed = entries.librbd_offset == entries.offset
    return entries.compressed | no(entries.librbd_reads) | placed


@rule("l2/librbd-past-end")
def l2_librbd_past_end(entries: L2Entries) -> Flags:
    """The file has the whole cluster that librbd reads."""
    size = entries.frame.geometry.cluster_size
    return no(entries.librbd_reads) | entries.frame.holds(entries.librbd_offset, size)


@rule("l2/v1-librbd-compressed")
def v1_librbd_compressed(entries: Qcow1L2Entries) -> Flags:
    """No cluster that librbd reads is compressed."""
    return no(entries.compressed & entries.librbd_reads)


@rule("l2/v1-librbd-past-end")
def v1_librbd_past_end(entries: Qcow1L2Entries) -> Flags:
    """The file has the whole cluster that librbd reads."""
    whole = entries.frame.holds(entries.words, entries.frame.geometry.cluster_size)
    return entries.compressed | no(entries.librbd_reads) | whole


@rule("l2/v1-cluster-offset")
def v1_cluster_offset(entries: Qcow1L2Entries) -> Flags:
    """A plain cluster begins at a sector boundary."""
    return entries.compressed | v1_on_sector(entries.words)


def v1_on_sector(offset: Words) -> Flags:
    """A host offset is one that QEMU reads data at."""
    return offset & (c.BDRV_SECTOR_SIZE - 1) == 0


@rule("l2/v1-cluster-read")
def v1_cluster_read(entries: Qcow1L2Entries) -> Flags:
    """A plain cluster ends where a file can."""
    size = entries.frame.geometry.cluster_size
    return entries.compressed | readable(entries.words, size)
