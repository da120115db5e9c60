# Generated from formats/kaitai/qcow1.ksy by tools/generate.py: do not edit.
import os
from enum import IntEnum
from typing import Self

from .runtime import ByteStream, KaitaiStream, KaitaiStruct

class Qcow1(KaitaiStruct):
    """The first version of QEMU's copy-on-write format, which QEMU still reads and
    writes under the name "qcow". It has no document: QEMU's source is the
    specification.

    A guest offset is translated in two steps: the L1 table, whose size follows
    from the size of the disk, points at L2 tables, and these point at clusters.
    There are no reference counts, snapshots, feature bits or extensions.

    See block/qcow.c
    """

    class CryptMethod(IntEnum):
        none = 0
        """Not encrypted (QCOW_CRYPT_NONE)."""
        aes = 1
        """AES with 128-bit keys in CBC mode (QCOW_CRYPT_AES)."""

    class Header(KaitaiStruct):
        """The header, 48 bytes at the start of the file.

        See block/qcow.c: QCowHeader; block/qcow.c: qcow_open
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow1 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow1 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        magic: int
        """"QFI" and the byte 0xfb, as one number (QCOW_MAGIC)."""
        version: int
        """Version of the format, 1."""
        backing_file_offset: int
        """Offset of the backing file's name in bytes, anywhere in the file; 0 if
        there is no backing file.
        """
        backing_file_size: int
        """Length of the backing file's name in bytes."""
        mtime: int
        """Time at which the backing file was last changed, in seconds since
        1970. QEMU writes 0 and never looks at it.
        """
        size: int
        """Size of the disk that the guest sees, in bytes."""
        cluster_bits: int
        """Logarithm to base 2 of the cluster's size in bytes."""
        l2_bits: int
        """Logarithm to base 2 of the number of entries in an L2 table."""
        padding: int
        """Unused."""
        crypt_method: Qcow1.CryptMethod | int
        """How the guest's data are encrypted."""
        l1_table_offset: int
        """Offset of the L1 table in bytes; it need not be aligned."""
        @property
        def cluster_size(self) -> int:
            """Size of a cluster in bytes; 0 where cluster_bits is out of range."""
        @property
        def l2_size(self) -> int:
            """Number of entries in an L2 table; 0 where l2_bits is out of range."""
        @property
        def l1_entry_span(self) -> int:
            """Number of guest bytes that one L1 entry maps; 0 where it cannot be
            known.
            """
        @property
        def l1_size(self) -> int:
            """Number of entries in the L1 table: as many as map the whole disk; 0
            where the span of an entry is unknown.
            """
        @property
        def l1_table_bytes(self) -> int:
            """Size of the L1 table in bytes."""
        @property
        def ok_magic(self) -> bool:
            """The magic number is QCOW_MAGIC."""
        @property
        def ok_version(self) -> bool:
            """The version is 1 (QCOW_VERSION)."""
        @property
        def ok_size_minimum(self) -> bool:
            """The disk has at least QCOW1_MIN_SIZE (2 bytes)."""
        @property
        def ok_cluster_bits(self) -> bool:
            """Clusters have 512 bytes to 64 KiB (QCOW1_MIN_CLUSTER_BITS to
            QCOW1_MAX_CLUSTER_BITS).
            """
        @property
        def ok_l2_bits(self) -> bool:
            """L2 tables have 512 bytes to 64 KiB, in entries of 8 bytes
            (QCOW1_MIN_L2_BITS to QCOW1_MAX_L2_BITS).
            """
        @property
        def ok_crypt_method(self) -> bool:
            """The data are not encrypted (QCOW_CRYPT_NONE), or with AES
            (QCOW_CRYPT_AES).
            """
        @property
        def ok_size_maximum(self) -> bool:
            """The size can be rounded up to what whole L1 entries map without
            leaving 64 bits: it is at most 2^64 - 1 less that span. The quotients
            stand for the sums, because not every language has more than 64 bits.
            True where the span is unknown.
            """
        @property
        def ok_l1_size(self) -> bool:
            """The L1 table has at most QCOW1_MAX_L1_ENTRIES, which QEMU writes as
            INT_MAX / 8.
            """
        @property
        def ok_l1_read(self) -> bool:
            """The L1 table can be read with one request: it has at most
            BDRV_REQUEST_MAX_BYTES and ends within BDRV_MAX_LENGTH.
            """
        @property
        def ok_l1_read_signed(self) -> bool:
            """The same as QEMU before 6.0 has it: the L1 table has at most
            BDRV_REQUEST_MAX_BYTES and ends at or below INT64_MAX, which is
            QCOW2_MAX_TABLE_END as well.
            """
        @property
        def ok_backing_file_size(self) -> bool:
            """The backing file's name has at most QCOW_MAX_BACKING_FILE_SIZE (1023
            bytes).
            """
        @property
        def ok_backing_file_offset(self) -> bool:
            """The backing file's name ends within BDRV_MAX_LENGTH."""
        @property
        def ok_backing_file_offset_signed(self) -> bool:
            """The same as QEMU before 6.0 has it: the backing file's name ends at or
            below INT64_MAX, which is QCOW2_MAX_TABLE_END as well.
            """
        @property
        def ok_librbd_size_sectors(self) -> bool:
            """The disk ends at a sector (BDRV_SECTOR_SIZE)."""
        @property
        def ok_librbd_cluster_bits(self) -> bool:
            """librbd has the bounds of version 2 (MIN_CLUSTER_BITS to
            MAX_CLUSTER_BITS) for all versions.
            """
        @property
        def ok_librbd_l2_bits(self) -> bool:
            """An L2 table is as large as a cluster of version 2 may be
            (MIN_CLUSTER_BITS to MAX_CLUSTER_BITS), in entries of 8 bytes.
            """
        @property
        def ok_librbd_backing_file(self) -> bool:
            """There is no backing file, or one without a name."""
        @property
        def librbd_l1_entry_span(self) -> int:
            """Number of guest bytes that librbd maps with one L1 entry. Its bounds,
            within which this is, are wider than QEMU's.
            """
        @property
        def num_librbd_l1_entries(self) -> int:
            """Number of L1 entries that the disk needs, cut to 32 bits as librbd
            does.
            """
        @property
        def ok_librbd_l1_size(self) -> bool:
            """The L1 entries that the disk needs, as librbd counts them, are at most
            QCOW1_MAX_L1_ENTRIES.
            """
        @property
        def ok_unencrypted(self) -> bool:
            """The guest's data are stored as they are (QCOW_CRYPT_NONE). librbd asks
            for it as well.
            """
        @property
        def ok_untrusted_version(self) -> bool:
            """The image is not of version 1. It never holds: what has this header is
            read as version 1.
            """
        @property
        def ok_untrusted_size(self) -> bool:
            """The disk has at most POLICY_MAX_DISK_SIZE (64 TiB)."""
        @property
        def ok_untrusted_l1_size(self) -> bool:
            """The L1 table has at most QCOW_MAX_L1_SIZE (32 MiB), as in version 2."""
        @property
        def ok_untrusted_backing_file(self) -> bool:
            """There is no backing file, and no name of one, be it empty."""

    class BackingFileName(KaitaiStruct):
        """The name of the backing file.

        See block/qcow.c: qcow_open
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow1 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow1 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        name: bytes
        """The name as bytes, without a terminator. QEMU stops at a zero byte."""
        @property
        def path(self) -> bytes:
            """The name as QEMU reads it, up to its first zero byte."""
        @property
        def before_colon(self) -> bytes:
            """The name up to its first colon, or all of it."""
        @property
        def before_slash(self) -> bytes:
            """The name up to its first slash, or all of it."""
        @property
        def ok_untrusted_protocol(self) -> bool:
            """The name is a path: no colon stands before its first slash, which
            would make what is before the colon a protocol.
            """

    class L1Table(KaitaiStruct):
        """The L1 table, in pages, so that a big one opens at once.

        See block/qcow.c: qcow_open
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow1 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow1 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        pages: list[Qcow1.L1Page]
        """Pages of 512 entries each; nothing is read until one is opened."""

    class L1Page(KaitaiStruct):
        """Up to 512 entries of the L1 table.

        See block/qcow.c: get_cluster_offset
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow1 | None
        def __init__(self, index: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow1 | None = None) -> None: ...
        index: int
        """Number of the page in its table."""
        @property
        def num_entries(self) -> int:
            """Number of entries in this page."""
        @property
        def entries(self) -> list[Qcow1.L1Entry]:
            """The entries."""
        @property
        def l2_tables(self) -> list[Qcow1.L2TableAt]:
            """Where the entries point, in the same order."""

    class L1Entry(KaitaiStruct):
        """One entry of the L1 table.

        See block/qcow.c: get_cluster_offset
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow1 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow1 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        l2_table_offset: int
        """Offset of an L2 table in bytes, all 64 bits of it and not necessarily
        aligned; 0 if nothing in its span is allocated.
        """

    class L2TableAt(KaitaiStruct):
        """The place that an L1 entry points at. It has meaning only in a tree that
        was read from a whole file.

        See block/qcow.c: get_cluster_offset
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow1 | None
        def __init__(self, offset: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow1 | None = None) -> None: ...
        offset: int
        """Offset of the table in the file, in bytes."""
        @property
        def table(self) -> Qcow1.L2Table | None:
            """The L2 table, as far as the file holds it."""

    class L2Table(KaitaiStruct):
        """An L2 table, in pages.

        See block/qcow.c: get_cluster_offset
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow1 | None
        def __init__(self, cluster_bits: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow1 | None = None) -> None: ...
        cluster_bits: int
        """The header's cluster_bits."""
        pages: list[Qcow1.L2Page]
        """Pages of 512 entries each; nothing is read until one is opened."""

    class L2Page(KaitaiStruct):
        """Up to 512 entries of an L2 table.

        See block/qcow.c: get_cluster_offset
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow1 | None
        def __init__(self, index: int, cluster_bits: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow1 | None = None) -> None: ...
        index: int
        """Number of the page in its table."""
        cluster_bits: int
        """The header's cluster_bits."""
        @property
        def num_entries(self) -> int:
            """Number of entries in this page."""
        @property
        def entries(self) -> list[Qcow1.L2Entry]:
            """The entries."""

    class L2Entry(KaitaiStruct):
        """One entry of an L2 table. A plain entry is the offset of a cluster; a
        compressed one holds the offset and the length of deflated data.

        The fields are the halves of the 64 bits, so that languages whose bit
        operations stop at 32 bits read them too.

        See block/qcow.c: get_cluster_offset; block/qcow.c: decompress_cluster
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow1 | None
        def __init__(self, cluster_bits: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow1 | None = None) -> None: ...
        cluster_bits: int
        """The header's cluster_bits."""
        is_compressed: bool
        """The cluster is compressed (QCOW_OFLAG_COMPRESSED, bit 63)."""
        descriptor_high: int
        """Bits 32 to 62."""
        descriptor_low: int
        """Bits 0 to 31."""
        @property
        def knows_cluster_size(self) -> bool:
            """cluster_bits is in range (QCOW1_MIN_CLUSTER_BITS to
            QCOW1_MAX_CLUSTER_BITS).
            """
        @property
        def offset(self) -> int | None:
            """Offset of a plain cluster in bytes, 63 bits wide; 0 if it is not
            allocated.
            """
        @property
        def high_offset_span(self) -> int:
            """How many values the part of a compressed cluster's offset that lies in
            descriptor_high can take: 2^(31 - cluster_bits).
            """
        @property
        def coffset(self) -> int | None:
            """Offset of the compressed data in bytes: the low 63 - cluster_bits
            bits. 0 where cluster_bits is out of range.
            """
        @property
        def csize(self) -> int | None:
            """Length of the compressed data in bytes: the cluster_bits bits above
            the offset. 0 where cluster_bits is out of range.
            """
        @property
        def ok_offset(self) -> bool:
            """A plain cluster starts at a multiple of QCOW1_CLUSTER_ALIGNMENT (512
            bytes).
            """
        @property
        def ok_cluster_read(self) -> bool:
            """A plain cluster ends within BDRV_MAX_LENGTH."""

    SEQ_FIELDS: list[str]
    _io: KaitaiStream
    _parent: KaitaiStruct | None
    _root: Qcow1
    def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow1 | None = None) -> None: ...
    @classmethod
    def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
    @classmethod
    def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
    @classmethod
    def from_io(cls, io: ByteStream) -> Self: ...
    header: Qcow1.Header
    """The header at the start of the file."""
    @property
    def backing_file_name(self) -> Qcow1.BackingFileName | None:
        """Name of the backing file; absent where the header names none, or where the
        name breaks a rule or lies beyond the file.
        """
    @property
    def l1_table(self) -> Qcow1.L1Table | None:
        """The L1 table, as far as the file holds it. QEMU allows tables of nearly 2
        GiB; this tree shows the first 64 MiB of one (our own limit).
        """
