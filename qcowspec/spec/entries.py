"""Table entries as objects: one entry, or an array of them; `entry_rules` judges them.

In: entries as they stand in a table, and what an entry alone does not tell. Out: their fields, by
`decoding`. Refuses: nothing: every 64-bit number is some entry.

Flags are a `bool`, or an array of them. The generated entry types say the same of one entry; a
property test compares them.

Source: docs/interop/qcow2, Cluster mapping; block/qcow2-cluster.c: qcow2_get_host_offset;
block/qcow2-refcount.c: check_refcounts_l2; block/qcow.c: get_cluster_offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, TypeAlias

from qcow_parsers import constants as c

from qcowspec.spec import decoding
from qcowspec.spec.decoding import Flags, L2Fields, no
from qcowspec.spec.units import Geometry, bit_length, smaller, within

Words: TypeAlias = Any
"""64-bit words: an `int`, or a NumPy array of dtype uint64."""


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
        """Whether the file has `length` bytes from these offsets on; of a stream: True."""
        if self.length is None:
            return offset >= 0
        # Not a sum, which wraps around in an array.
        return (length <= self.length) & (offset <= self.length - smaller(length, self.length))


class Entries:
    """Entries of any table."""

    RESERVED: ClassVar[int] = 0
    """Their reserved bits."""

    def __init__(self, words: Words, frame: Frame) -> None:
        self.words, self.frame = words, frame

    @cached_property
    def reserved(self) -> Words:
        """The reserved bits that are set."""
        return self.words & self.RESERVED

    @cached_property
    def copied(self) -> Flags:
        """An L1 or L2 entry is marked as the only reference to what it points at."""
        return decoding.is_copied(self.words)

    @cached_property
    def librbd_offset(self) -> Words:
        """An L1 or L2 entry's offset as librbd has it: without bits 62 and 63, and no others."""
        return self.words & c.LIBRBD_OFFSET_MASK


class L1Entries(Entries):
    """Entries of an L1 table of version 2 or 3."""

    RESERVED = c.L1E_RESERVED_MASK

    @cached_property
    def offset(self) -> Words:
        """Host offset of the L2 table; 0 where there is none."""
        return decoding.l1_offset(self.words)


class L2Entries(Entries):
    """Entries of an L2 table of version 2 or 3.

    Attributes:
        words: The entries.
        bitmap: Their subcluster bitmaps; 0 without extended L2 entries.
        guest: Guest offset of each one's cluster.
        frame: What the entries alone do not tell.
    """

    RESERVED = c.L2E_STD_RESERVED_MASK  # of a standard entry

    def __init__(self, words: Words, frame: Frame, guest: Words = 0, bitmap: Words = 0) -> None:
        super().__init__(words, frame)
        self.bitmap, self.guest = bitmap, guest
        self.extended = frame.geometry.has_extended_l2

    @cached_property
    def fields(self) -> L2Fields[Any]:
        """What they say; see `l2_fields`."""
        data_file = self.frame.data_file
        return decoding.l2_fields(self.words, extended=self.extended, data_file=data_file)

    @property
    def compressed(self) -> Flags:
        """The cluster is compressed."""
        return self.fields.compressed

    @cached_property
    def standard(self) -> Flags:
        """The cluster is not compressed."""
        return no(self.compressed)

    @cached_property
    def zero(self) -> Flags:
        """A standard entry has bit 0."""
        return (self.words & c.QCOW_OFLAG_ZERO != 0) & self.standard

    @property
    def offset(self) -> Words:
        """Host offset of a standard cluster; 0 where it has none."""
        return self.fields.offset

    @cached_property
    def coffset(self) -> Words:
        """Host offset of a compressed cluster's payload."""
        return decoding.compressed_offset(self.words, self.frame.geometry.cluster_bits)

    @cached_property
    def host(self) -> Words:
        """Host offset of a standard cluster, or of a payload; 0 where there is neither."""
        return decoding.l2_host(self.words, self.frame.geometry.cluster_bits)

    @cached_property
    def csize(self) -> Words:
        """Bytes of that payload, at most."""
        return decoding.compressed_length(self.words, self.frame.geometry.cluster_bits)

    @property
    def located(self) -> Flags:
        """A standard cluster has a place; in a data file COPIED tells offset 0 from no place."""
        return self.fields.located

    @property
    def allocated_subclusters(self) -> Words:
        """The subclusters that are allocated, a bit each."""
        return decoding.subclusters(self.bitmap)[0]

    @property
    def zero_subclusters(self) -> Words:
        """The subclusters that read as zeros, a bit each."""
        return decoding.subclusters(self.bitmap)[1]

    @cached_property
    def data(self) -> Flags:
        """Bytes of a standard cluster are stored."""
        if self.extended:
            return self.located & (self.allocated_subclusters != 0)
        return self.fields.normal

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
    def librbd_reads(self) -> Flags:
        """Librbd reads a cluster of the file: the entry is neither empty nor exactly bit 0."""
        inside = self.guest < self.frame.size
        offset = self.librbd_offset
        return (offset != 0) & (offset != c.QCOW_OFLAG_ZERO) & inside


class Qcow1L2Entries(Entries):
    """Entries of an L2 table of version 1; see `L2Entries`."""

    def __init__(self, words: Words, frame: Frame, guest: Words = 0, bitmap: Words = 0) -> None:
        super().__init__(words, frame)
        self.guest = guest

    @cached_property
    def compressed(self) -> Flags:
        """The cluster is compressed."""
        return decoding.v1_is_compressed(self.words)

    @cached_property
    def data(self) -> Flags:
        """The cluster is stored as it is."""
        return decoding.v1_l2_placed(self.words)

    @cached_property
    def coffset(self) -> Words:
        """Host offset of a compressed cluster's payload."""
        return decoding.v1_compressed_offset(self.words, self.frame.geometry.cluster_bits)

    @cached_property
    def host(self) -> Words:
        """Host offset of a plain cluster, or of a payload; 0 where there is neither."""
        return self.coffset * self.compressed + self.offset * no(self.compressed)

    @cached_property
    def csize(self) -> Words:
        """Bytes of that payload."""
        return decoding.v1_compressed_length(self.words, self.frame.geometry.cluster_bits)

    @property
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


class Qcow1L1Entries(Entries):
    """Entries of an L1 table of version 1: bare offsets."""

    @property
    def offset(self) -> Words:
        """Host offset of the L2 table; 0 where there is none."""
        return self.words


class RefcountTableEntries(Entries):
    """Entries of the refcount table."""

    RESERVED = c.REFT_RESERVED_MASK

    @cached_property
    def offset(self) -> Words:
        """Host offset of the refcount block; 0 where there is none."""
        return decoding.refcount_block_offset(self.words)


class BitmapTableEntries(Entries):
    """Entries of the table of a bitmap."""

    RESERVED = c.BME_TABLE_ENTRY_RESERVED_MASK

    @cached_property
    def offset(self) -> Words:
        """Host offset of the cluster with the bits; 0 where there is none."""
        return self.words & c.BME_TABLE_ENTRY_OFFSET_MASK

    @cached_property
    def all_ones(self) -> Flags:
        """Bit 0 is set: without a cluster, all bits are ones."""
        return self.words & c.BME_TABLE_ENTRY_FLAG_ALL_ONES != 0


KINDS: Mapping[str, type[Any]] = {
    "qcow2::l1_entry": L1Entries,
    "qcow2::l2_entry": L2Entries,
    "qcow2::refcount_table_entry": RefcountTableEntries,
    "qcow2::bitmap_table_entry": BitmapTableEntries,
    "qcow1::l1_entry": Qcow1L1Entries,
    "qcow1::l2_entry": Qcow1L2Entries,
}
"""The layouts whose entries are judged here, by the name that the specification gives them."""
