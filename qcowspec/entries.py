"""Table entries, taken apart and judged: one entry, or an array of them.

In: entries as they stand in a table, and what an entry alone does not tell. Out: their fields, and
for each rule about them whether it holds. Refuses: nothing: every 64-bit number is some entry.

All of it is written with the operators that an `int` and a NumPy ``uint64`` array share: flags are
a `bool`, or an array of them. The generated entry types say the same of one entry; a property test
compares them.

Source: docs/interop/qcow2, Cluster mapping; block/qcow2.h; block/qcow2-cluster.c:
qcow2_get_host_offset; block/qcow2-refcount.c: check_refcounts_l2; block/qcow.c: get_cluster_offset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from qcow_parsers import constants as c

from qcowspec import units
from qcowspec.units import Geometry

Words = Any
"""64-bit words: an `int`, or a NumPy array of dtype uint64."""

Flags = Any
"""Yes or no for each: a `bool`, or an array of them."""


class Frame(NamedTuple):
    """What an entry alone does not tell.

    Attributes:
        geometry: The sizes that follow from the header.
        data_file: Whether guest data lie in an external data file.
        length: Bytes of the image file; None where only a stream is there.
        size: Bytes of the virtual disk that the table maps.
    """

    geometry: Geometry
    data_file: bool = False
    length: int | None = None
    size: int = 0

    def holds(self, offset: Words, length: Words) -> Flags:
        """Whether the file has `length` bytes from these offsets on; so it is of a stream."""
        if self.length is None:
            return offset >= 0
        # Not a sum, which wraps around in an array.
        return (length <= self.length) & (offset <= self.length - smaller(length, self.length))


def no(flags: Flags) -> Flags:
    """The opposite; ``~`` of a `bool` is a number."""
    return flags ^ True


class L1Entries:
    """Entries of an L1 table of version 2 or 3."""

    def __init__(self, words: Words, frame: Frame) -> None:
        self.words, self.frame = words, frame

    @cached_property
    def offset(self) -> Words:
        """Host offset of the L2 table; 0 where there is none."""
        return units.l1_offset(self.words)

    @cached_property
    def librbd_offset(self) -> Words:
        """The same as librbd has it: it masks bits 62 and 63 off, and no other."""
        return self.words & c.LIBRBD_OFFSET_MASK


class L2Entries:
    """Entries of an L2 table of version 2 or 3.

    Attributes:
        words: The entries.
        bitmap: Their subcluster bitmaps; 0 without extended L2 entries.
        guest: Guest offset of each one's cluster.
        frame: What they do not tell.
    """

    def __init__(self, words: Words, frame: Frame, guest: Words = 0, bitmap: Words = 0) -> None:
        self.words, self.bitmap, self.guest, self.frame = words, bitmap, guest, frame
        self.extended = frame.geometry.has_extended_l2

    @cached_property
    def compressed(self) -> Flags:
        """The cluster is compressed."""
        return self.words & c.QCOW_OFLAG_COMPRESSED != 0

    @cached_property
    def standard(self) -> Flags:
        """The cluster is not compressed."""
        return no(self.compressed)

    @cached_property
    def copied(self) -> Flags:
        """The entry is marked as the only reference to its cluster."""
        return self.words & c.QCOW_OFLAG_COPIED != 0

    @cached_property
    def zero(self) -> Flags:
        """A standard entry has bit 0."""
        return (self.words & c.QCOW_OFLAG_ZERO != 0) & self.standard

    @cached_property
    def offset(self) -> Words:
        """Host offset of a standard cluster; 0 where it has none."""
        return units.l2_offset(self.words)

    @cached_property
    def coffset(self) -> Words:
        """Host offset of a compressed cluster's payload."""
        return units.compressed_offset(self.words, self.frame.geometry.cluster_bits)

    @cached_property
    def csize(self) -> Words:
        """Bytes of that payload, at most."""
        return units.compressed_length(self.words, self.frame.geometry.cluster_bits)

    @cached_property
    def located(self) -> Flags:
        """A standard cluster has a place; in a data file COPIED tells offset 0 from no place."""
        placed = self.offset != 0
        if self.frame.data_file:
            own = self.copied if self.extended else self.copied & no(self.zero)
            placed = placed | own
        return placed & self.standard

    @cached_property
    def allocated_subclusters(self) -> Words:
        """The subclusters that are allocated, a bit each."""
        return self.bitmap & c.QCOW_OFLAG_SUB_ALLOC_RANGE

    @cached_property
    def zero_subclusters(self) -> Words:
        """The subclusters that read as zeros, a bit each."""
        return self.bitmap >> c.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER

    @cached_property
    def data(self) -> Flags:
        """Bytes of a standard cluster are stored."""
        if self.extended:
            return self.located & (self.allocated_subclusters != 0)
        return self.located & no(self.zero)

    @cached_property
    def data_length(self) -> Words:
        """Bytes from a standard cluster's start to its data's end; none past the disk's end."""
        geometry = self.frame.geometry
        length: Words = geometry.cluster_size
        if self.extended:
            step = geometry.cluster_size // c.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER
            length = bit_length(self.allocated_subclusters) * step
        return smaller(length, within(self.frame.size, self.guest))

    @cached_property
    def librbd_offset(self) -> Words:
        """The offset that librbd reads a cluster at: it masks bits 62 and 63 off, and no other."""
        return self.words & c.LIBRBD_OFFSET_MASK

    @cached_property
    def librbd_reads(self) -> Flags:
        """Librbd reads a cluster of the file: the entry is neither empty nor exactly bit 0."""
        inside = self.guest < self.frame.size
        offset = self.librbd_offset
        return (offset != 0) & (offset != c.QCOW_OFLAG_ZERO) & inside


class Qcow1L2Entries:
    """Entries of an L2 table of version 1; see `L2Entries`."""

    def __init__(self, words: Words, frame: Frame, guest: Words = 0, bitmap: Words = 0) -> None:
        self.words, self.guest, self.frame = words, guest, frame

    @cached_property
    def compressed(self) -> Flags:
        """The cluster is compressed."""
        return self.words & c.QCOW1_OFLAG_COMPRESSED != 0

    @cached_property
    def data(self) -> Flags:
        """The cluster is stored as it is."""
        return (self.words != 0) & no(self.compressed)

    @cached_property
    def coffset(self) -> Words:
        """Host offset of a compressed cluster's payload."""
        return units.v1_compressed_offset(self.words, self.frame.geometry.cluster_bits)

    @cached_property
    def csize(self) -> Words:
        """Bytes of that payload."""
        return units.v1_compressed_length(self.words, self.frame.geometry.cluster_bits)

    @cached_property
    def offset(self) -> Words:
        """Host offset of a plain cluster."""
        return self.words

    @cached_property
    def data_length(self) -> Words:
        """Bytes from a plain cluster's start to the end of its data; none past the disk's end."""
        return smaller(self.frame.geometry.cluster_size, within(self.frame.size, self.guest))

    @cached_property
    def librbd_reads(self) -> Flags:
        """Librbd reads a cluster of the file: the entry is neither empty nor exactly 1."""
        inside = self.guest < self.frame.size
        return (self.words != 0) & (self.words != c.QCOW_OFLAG_ZERO) & inside


class Qcow1L1Entries:
    """Entries of an L1 table of version 1: bare offsets."""

    def __init__(self, words: Words, frame: Frame) -> None:
        self.words, self.offset, self.frame = words, words, frame


class RefcountTableEntries:
    """Entries of the refcount table."""

    def __init__(self, words: Words, frame: Frame) -> None:
        self.words, self.frame = words, frame

    @cached_property
    def offset(self) -> Words:
        """Host offset of the refcount block; 0 where there is none."""
        return units.refcount_block_offset(self.words)


# --- numbers and arrays alike ---------------------------------------------------------------------


def smaller(one: Words, other: Words) -> Words:
    """The lesser of two, element by element."""
    if isinstance(one, int) and isinstance(other, int):
        return min(one, other)
    import numpy as np

    return np.minimum(np.uint64(one) if isinstance(one, int) else one, other)


def within(size: int, guest: Words) -> Words:
    """Bytes of a disk from guest offsets on; 0 past its end."""
    if isinstance(guest, int):
        return max(0, size - guest)
    import numpy as np

    return np.where(guest < size, np.uint64(size) - guest, np.uint64(0))


def bit_length(words: Words) -> Words:
    """The number of the highest bit that is set, counted from 1; of 32-bit words."""
    if isinstance(words, int):
        return words.bit_length()
    import numpy as np

    return np.frexp(words.astype(np.float64))[1].astype(np.uint64)


# --- the rules ------------------------------------------------------------------------------------

Holds = Callable[[Any], Flags]

HOLDS: dict[str, Holds] = {}
"""For each rule about entries, by its id, whether it holds for each entry."""


def rule(name: str) -> Callable[[Holds], Holds]:
    """The function decides this rule."""

    def bind(holds: Holds) -> Holds:
        HOLDS[name] = holds
        return holds

    return bind


def _aligned(offset: Words, geometry: Geometry) -> Flags:
    return offset & (geometry.cluster_size - 1) == 0


@rule("l1/reserved")
def l1_reserved(entries: L1Entries) -> Flags:
    """The reserved bits are zero."""
    return units.l1_reserved(entries.words) == 0


@rule("l1/copied-unused")
def l1_copied_unused(entries: L1Entries) -> Flags:
    """An entry without an L2 table is not marked as the owner of one."""
    return (entries.offset != 0) | (entries.words & c.QCOW_OFLAG_COPIED == 0)


@rule("l2/table-offset")
def l2_table_offset(entries: L1Entries) -> Flags:
    """The L2 table begins at a cluster boundary."""
    return _aligned(entries.offset, entries.frame.geometry)


@rule("l2/v1-table-read")
def v1_table_read(entries: Qcow1L1Entries) -> Flags:
    """The L2 table ends where a file can."""
    return entries.offset <= c.BDRV_MAX_LENGTH - entries.frame.geometry.l2_table_size


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
    return units.refcount_table_reserved(entries.words) == 0


@rule("refcounts/block-offset")
def refcounts_block_offset(entries: RefcountTableEntries) -> Flags:
    """The refcount block begins at a cluster boundary."""
    return _aligned(entries.offset, entries.frame.geometry)


@rule("refcounts/untrusted-block-past-end")
def refcounts_block_past_end(entries: RefcountTableEntries) -> Flags:
    """The refcount block begins within the file."""
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
    return entries.compressed | _aligned(entries.offset, entries.frame.geometry)


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
    return entries.compressed | entries.located | (entries.allocated_subclusters == 0)


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
    return entries.compressed | (units.l2_reserved(entries.words) == 0)


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
    sectors = None if frame.length is None else units.align_up(frame.length, c.BDRV_SECTOR_SIZE)
    payload = frame._replace(length=sectors).holds(entries.coffset, entries.csize)
    data = no(entries.data) | frame.holds(entries.offset, entries.data_length)
    return data & (no(entries.compressed) | (payload & frame.holds(entries.coffset, 1)))


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
    return entries.compressed | (entries.words & (c.BDRV_SECTOR_SIZE - 1) == 0)


@rule("l2/v1-cluster-read")
def v1_cluster_read(entries: Qcow1L2Entries) -> Flags:
    """A plain cluster ends where a file can."""
    limit = c.BDRV_MAX_LENGTH - entries.frame.geometry.cluster_size
    return entries.compressed | (entries.words <= limit)


KINDS: Mapping[str, type[Any]] = {
    "qcow2::l1_entry": L1Entries,
    "qcow2::l2_entry": L2Entries,
    "qcow2::refcount_table_entry": RefcountTableEntries,
    "qcow1::l1_entry": Qcow1L1Entries,
    "qcow1::l2_entry": Qcow1L2Entries,
}
"""The layouts whose entries are judged here, by the name that the specification gives them."""
