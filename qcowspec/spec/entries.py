"""Table entries, taken apart: one entry, or an array of them; `entry_rules` judges them.

In: entries as they stand in a table, and what an entry alone does not tell. Out: their fields.
Refuses: nothing: every 64-bit number is some entry.

All of it is written with the operators that an `int` and a NumPy ``uint64`` array share: flags are
a `bool`, or an array of them. The generated entry types say the same of one entry; a property test
compares them.

Source: docs/interop/qcow2, Cluster mapping; block/qcow2.h; block/qcow2-cluster.c:
qcow2_get_host_offset; block/qcow2-refcount.c: check_refcounts_l2; block/qcow.c: get_cluster_offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

from qcow_parsers import constants as c

from qcowspec.spec import units
from qcowspec.spec.units import Geometry

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


KINDS: Mapping[str, type[Any]] = {
    "qcow2::l1_entry": L1Entries,
    "qcow2::l2_entry": L2Entries,
    "qcow2::refcount_table_entry": RefcountTableEntries,
    "qcow1::l1_entry": Qcow1L1Entries,
    "qcow1::l2_entry": Qcow1L2Entries,
}
"""The layouts whose entries are judged here, by the name that the specification gives them."""
