# Generated from formats/kaitai/qcow2.ksy by tools/generate.py: do not edit.
import os
from enum import IntEnum
from typing import Self

from .luks1 import Luks1
from .runtime import ByteStream, KaitaiStream, KaitaiStruct

class Qcow2(KaitaiStruct):
    """QEMU's native disk image format, "qcow2": a sparse virtual disk with
    snapshots, backing files, compression, encryption and dirty bitmaps.

    A file is a sequence of clusters of one size. The first holds the header, its
    extensions and the name of the backing file. Guest offsets are translated in
    two steps, the L1 table and the L2 tables; two further levels, the refcount
    table and the refcount blocks, count the users of every cluster. Version 3
    adds feature bits, and with them refcounts of other widths, clusters that read
    as zeros, zstd compression, data in a file of its own, and subclusters.

    All types but those named `..._at` need nothing but their own bytes and
    parameters, and can be used on a slice of an image. Everything the header
    points at hangs on the root as a lazy instance, and is absent where the header
    contradicts itself or points outside the file.

    Nothing here refuses an image. A rule of the format, or a limit of QEMU, is an
    instance named `ok_...`: true where the rule holds and where it does not
    apply. Wherever a size cannot be known, it is 0.

    Numbers of 64 bits are read as the language has them. JavaScript rounds those
    above 2^53 (docs/languages.md: `--target javascript` does not), and Java and
    its kin see those above 2^63 - 1 as negative, so their answers to `ok_...` are
    right only for smaller ones. Entries of tables are split below 32 bits and are
    right everywhere.

    See https://www.qemu.org/docs/master/interop/qcow2.html; block/qcow2.h
    """

    class CryptMethod(IntEnum):
        none = 0
        """Not encrypted (QCOW_CRYPT_NONE)."""
        aes = 1
        """AES with 128-bit keys in CBC mode (QCOW_CRYPT_AES)."""
        luks = 2
        """As the LUKS header says (QCOW_CRYPT_LUKS)."""

    class CompressionType(IntEnum):
        zlib = 0
        """Raw deflate (QCOW2_COMPRESSION_TYPE_ZLIB)."""
        zstd = 1
        """Zstandard (QCOW2_COMPRESSION_TYPE_ZSTD)."""

    class ExtensionMagic(IntEnum):
        end_marker = 0
        """End of the extensions (QCOW2_EXT_MAGIC_END)."""
        crypto = 87539319
        """Pointer to the encryption header (QCOW2_EXT_MAGIC_CRYPTO_HEADER)."""
        bitmaps = 595929205
        """Pointer to the bitmap directory (QCOW2_EXT_MAGIC_BITMAPS)."""
        data_file = 1145132097
        """Name of the data file (QCOW2_EXT_MAGIC_DATA_FILE)."""
        feature_name_table = 1745090647
        """Names of feature bits (QCOW2_EXT_MAGIC_FEATURE_TABLE)."""
        backing_format = 3799591626
        """Format of the backing file (QCOW2_EXT_MAGIC_BACKING_FORMAT)."""

    class FeatureType(IntEnum):
        incompatible = 0
        """A bit of incompatible_features (QCOW2_FEAT_TYPE_INCOMPATIBLE)."""
        compatible = 1
        """A bit of compatible_features (QCOW2_FEAT_TYPE_COMPATIBLE)."""
        autoclear = 2
        """A bit of autoclear_features (QCOW2_FEAT_TYPE_AUTOCLEAR)."""

    class ClusterType(IntEnum):
        unallocated = 0
        """Nothing here; the backing file shows (QCOW2_CLUSTER_UNALLOCATED)."""
        zero_plain = 1
        """Zeros without a cluster (QCOW2_CLUSTER_ZERO_PLAIN)."""
        zero_alloc = 2
        """Zeros with a cluster kept for later (QCOW2_CLUSTER_ZERO_ALLOC)."""
        normal = 3
        """A cluster of data (QCOW2_CLUSTER_NORMAL)."""
        compressed = 4
        """A compressed cluster (QCOW2_CLUSTER_COMPRESSED)."""

    class BitmapType(IntEnum):
        dirty_tracking = 1
        """Marks what was written (BT_DIRTY_TRACKING_BITMAP)."""

    class Header(KaitaiStruct):
        """The header at the start of the file: 72 bytes in version 2, at least 104
        from version 3 on.

        See docs/interop/qcow2: Header; block/qcow2.h: QCowHeader; block/qcow2.c: qcow2_do_open
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        magic: int
        """"QFI" and the byte 0xfb, as one number (QCOW_MAGIC)."""
        version: int
        """Version of the format, 2 or 3."""
        backing_file_offset: int
        """Offset of the backing file's name in bytes, inside the first cluster;
        0 if there is no backing file.
        """
        backing_file_size: int
        """Length of the backing file's name in bytes; without meaning if there
        is no backing file.
        """
        cluster_bits: int
        """Logarithm to base 2 of the cluster's size in bytes."""
        size: int
        """Size of the disk that the guest sees, in bytes."""
        crypt_method: Qcow2.CryptMethod | int
        """How the guest's data are encrypted."""
        l1_size: int
        """Number of entries in the active L1 table. It may exceed what the disk
        needs: the state of a virtual machine is stored past the disk's end.
        """
        l1_table_offset: int
        """Offset of the active L1 table in bytes."""
        refcount_table_offset: int
        """Offset of the refcount table in bytes."""
        refcount_table_clusters: int
        """Number of clusters that the refcount table occupies."""
        nb_snapshots: int
        """Number of entries in the snapshot table."""
        snapshots_offset: int
        """Offset of the snapshot table in bytes."""
        incompatible_features: int | None
        """Feature bits that a reader has to know: it refuses an image with a bit
        that it does not.
        """
        compatible_features: int | None
        """Feature bits that a reader may ignore."""
        autoclear_features: int | None
        """Feature bits that a writer clears if it does not know them, so that
        others learn that their data were not kept up.
        """
        refcount_order: int | None
        """Logarithm to base 2 of the width of a reference count in bits."""
        header_length: int | None
        """Length of the header in bytes. The header extensions follow it."""
        additional_fields: Qcow2.AdditionalFields | None
        """The fields past byte 104, as far as header_length goes; absent where
        it goes no further.
        """
        _raw_additional_fields: bytes | None
        @property
        def len_additional_fields(self) -> int:
            """Number of bytes read as additional fields: what header_length says,
            within the largest cluster (2^MAX_CLUSTER_BITS, 2 MiB) and within the
            stream. It is fixed while the header is read.
            """
        @property
        def cluster_size(self) -> int:
            """Size of a cluster in bytes; 0 where cluster_bits is out of range."""
        @property
        def effective_header_length(self) -> int:
            """Length of the header in bytes; 72 in version 2."""
        @property
        def extensions_end(self) -> int:
            """Offset at which the room of the header extensions ends, in bytes: the
            backing file's name if there is one, else the end of the first
            cluster; 0 where the cluster's size is unknown.
            """
        @property
        def has_dirty(self) -> bool:
            """Incompatible feature bit 0: refcounts may be wrong until they are
            repaired (QCOW2_INCOMPAT_DIRTY).
            """
        @property
        def has_corrupt(self) -> bool:
            """Incompatible feature bit 1: any structure may be wrong, and writing is
            forbidden (QCOW2_INCOMPAT_CORRUPT).
            """
        @property
        def has_data_file(self) -> bool:
            """Incompatible feature bit 2: the guest's data lie in another file
            (QCOW2_INCOMPAT_DATA_FILE).
            """
        @property
        def has_compression_type(self) -> bool:
            """Incompatible feature bit 3: compressed clusters are of another type
            than zlib (QCOW2_INCOMPAT_COMPRESSION).
            """
        @property
        def has_extended_l2(self) -> bool:
            """Incompatible feature bit 4: L2 entries have 16 bytes and describe
            subclusters (QCOW2_INCOMPAT_EXTL2).
            """
        @property
        def has_lazy_refcounts(self) -> bool:
            """Compatible feature bit 0: refcounts may be updated late
            (QCOW2_COMPAT_LAZY_REFCOUNTS).
            """
        @property
        def has_bitmaps(self) -> bool:
            """Autoclear feature bit 0: the bitmaps extension is up to date
            (QCOW2_AUTOCLEAR_BITMAPS).
            """
        @property
        def has_data_file_raw(self) -> bool:
            """Autoclear feature bit 1: the external data file is a raw image by
            itself (QCOW2_AUTOCLEAR_DATA_FILE_RAW).
            """
        @property
        def effective_refcount_order(self) -> int:
            """Logarithm to base 2 of the width of a reference count in bits; 4 in
            version 2.
            """
        @property
        def refcount_bits(self) -> int:
            """Width of a reference count in bits; 0 where refcount_order is out of
            range.
            """
        @property
        def effective_compression_type(self) -> Qcow2.CompressionType | int:
            """How compressed clusters are compressed; zlib, which is 0, where the
            header is too short to say.
            """
        @property
        def l2_entry_size(self) -> int:
            """Size of an L2 entry in bytes (L2E_SIZE_NORMAL, L2E_SIZE_EXTENDED)."""
        @property
        def l2_bits(self) -> int:
            """Logarithm to base 2 of the number of entries in an L2 table."""
        @property
        def l2_entries(self) -> int:
            """Number of entries in an L2 table."""
        @property
        def l1_entry_span(self) -> int:
            """Number of guest bytes that one L1 entry maps; 0 where the cluster's
            size is unknown.
            """
        @property
        def l1_vm_state_index(self) -> int:
            """Number of L1 entries that map the disk, which is also the index of the
            first one that may hold the state of a virtual machine. QEMU rounds
            the size up in 64 bits, where the largest sizes wrap around to 0; so
            does this.
            """
        @property
        def l1_table_bytes(self) -> int:
            """Size of the active L1 table in bytes."""
        @property
        def refcount_table_bytes(self) -> int:
            """Size of the refcount table in bytes; 0 where the cluster's size is
            unknown.
            """
        @property
        def refcount_block_entries(self) -> int:
            """Number of counts in a refcount block; 0 where it cannot be known."""
        @property
        def subcluster_size(self) -> int:
            """Size of a subcluster in bytes (QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER to a
            cluster); that of the whole cluster where entries are not extended.
            """
        @property
        def csize_shift(self) -> int:
            """Number of bits that hold the offset in the L2 entry of a compressed
            cluster; the count of sectors is above them. 0 where cluster_bits is
            out of range.
            """
        @property
        def csize_mask(self) -> int:
            """Largest count of additional sectors in the L2 entry of a compressed
            cluster; 0 where cluster_bits is out of range.
            """
        @property
        def ok_magic(self) -> bool:
            """The magic number is QCOW_MAGIC."""
        @property
        def ok_version(self) -> bool:
            """The version is 2 or 3 (QCOW2_MIN_VERSION to QCOW2_MAX_VERSION)."""
        @property
        def ok_cluster_bits(self) -> bool:
            """Clusters have 512 bytes to 2 MiB (MIN_CLUSTER_BITS to
            MAX_CLUSTER_BITS). The lower limit is the format's, the upper QEMU's.
            """
        @property
        def ok_header_length_minimum(self) -> bool:
            """The header of version 3 has at least QCOW2_V3_MIN_HEADER_LENGTH (104
            bytes).
            """
        @property
        def ok_header_length_maximum(self) -> bool:
            """The header fits the first cluster."""
        @property
        def ok_header_length_multiple(self) -> bool:
            """The header's length is a multiple of QCOW2_HEADER_ALIGNMENT (8 bytes).
            The document demands it, QEMU does not look.
            """
        @property
        def ok_backing_file_offset(self) -> bool:
            """The backing file's name starts in the first cluster, or at its end,
            where only an empty name has room.
            """
        @property
        def ok_compression_type(self) -> bool:
            """The compression type is one that exists: QCOW2_COMPRESSION_TYPE_ZLIB,
            or QCOW2_COMPRESSION_TYPE_ZSTD, which QEMU may be built without.
            """
        @property
        def ok_compression_bit_clear(self) -> bool:
            """Where the compression type is 0, the feature bit that announces
            another type is clear.
            """
        @property
        def ok_compression_bit_set(self) -> bool:
            """Where the compression type is not 0, the feature bit that announces it
            is set.
            """
        @property
        def ok_unknown_incompatible(self) -> bool:
            """No incompatible feature is set but those that exist
            (QCOW2_INCOMPAT_MASK, bits 0 to 4).
            """
        @property
        def ok_subcluster_size(self) -> bool:
            """Subclusters have at least 512 bytes, so that an image with extended L2
            entries has clusters of 16 KiB or more (QCOW2_EXTL2_MIN_CLUSTER_BITS).
            """
        @property
        def ok_refcount_order(self) -> bool:
            """A reference count has at most 64 bits (QCOW2_MAX_REFCOUNT_ORDER)."""
        @property
        def ok_refcount_table_present(self) -> bool:
            """There is a refcount table."""
        @property
        def ok_refcount_table_size(self) -> bool:
            """The refcount table has at most QCOW_MAX_REFTABLE_SIZE (8 MiB). True
            where the cluster's size is unknown.
            """
        @property
        def ok_refcount_table_offset(self) -> bool:
            """The refcount table starts at a cluster and ends at or below
            QCOW2_MAX_TABLE_END (INT64_MAX). An offset of 0 passes.
            """
        @property
        def ok_snapshots_count(self) -> bool:
            """There are at most QCOW_MAX_SNAPSHOTS snapshots."""
        @property
        def ok_snapshots_offset(self) -> bool:
            """The snapshot table starts at a cluster, and the fixed parts of its
            entries, QCOW2_SNAPSHOT_HEADER_SIZE (40 bytes) each, end at or below
            QCOW2_MAX_TABLE_END (INT64_MAX). QEMU looks even if there are no
            snapshots.
            """
        @property
        def ok_l1_size_maximum(self) -> bool:
            """The active L1 table has at most QCOW_MAX_L1_SIZE (32 MiB)."""
        @property
        def ok_l1_table_offset(self) -> bool:
            """The active L1 table starts at a cluster and ends at or below
            QCOW2_MAX_TABLE_END (INT64_MAX). QEMU looks even if the table is
            empty; an offset of 0 passes.
            """
        @property
        def ok_size_maximum(self) -> bool:
            """The disk needs at most QCOW2_MAX_L1_VM_STATE_INDEX (INT_MAX) entries
            in the L1 table.
            """
        @property
        def ok_l1_size_minimum(self) -> bool:
            """The active L1 table maps the whole disk."""
        @property
        def ok_l1_read(self) -> bool:
            """The active L1 table ends within BDRV_MAX_LENGTH."""
        @property
        def ok_crypt_method(self) -> bool:
            """The encryption method is one that exists: QCOW_CRYPT_NONE,
            QCOW_CRYPT_AES or QCOW_CRYPT_LUKS.
            """
        @property
        def ok_refcount_table_read(self) -> bool:
            """The refcount table ends within BDRV_MAX_LENGTH."""
        @property
        def ok_data_file_raw(self) -> bool:
            """Only an external data file is called a raw image."""
        @property
        def ok_backing_data_file_raw(self) -> bool:
            """An image whose data file is a raw image has no backing file. The
            document demands it, QEMU does not look.
            """
        @property
        def ok_backing_file_position(self) -> bool:
            """The backing file's name starts behind the header. The document demands
            it, QEMU does not look.
            """
        @property
        def ok_snapshots_data_file(self) -> bool:
            """An image with an external data file has no snapshots. QEMU opens it
            all the same; its check reports it.
            """
        @property
        def ok_backing_file_size(self) -> bool:
            """The backing file's name has at most QCOW_MAX_BACKING_FILE_SIZE (1023
            bytes) and ends within the first cluster. The second part is not asked
            of a name that starts beyond the cluster, which breaks another rule.
            """
        @property
        def ok_total_sectors(self) -> bool:
            """The disk, in whole sectors of 512 bytes, has at most BDRV_MAX_LENGTH,
            here in sectors (BDRV_SECTOR_SIZE).
            """
        @property
        def ok_corrupt(self) -> bool:
            """The image is not marked as corrupt. QEMU opens it, but not for
            writing.
            """
        @property
        def ok_librbd_v1_version(self) -> bool:
            """The version is 1 (QCOW_VERSION), the only one that librbd's first
            reader knew.
            """
        @property
        def ok_librbd_size_sectors(self) -> bool:
            """The disk ends at a sector (BDRV_SECTOR_SIZE)."""
        @property
        def ok_librbd_compression(self) -> bool:
            """Neither the compression type nor its feature bit is set."""
        @property
        def ok_librbd_extended_l2(self) -> bool:
            """L2 entries have 8 bytes."""
        @property
        def ok_librbd_backing_file(self) -> bool:
            """There is no backing file, or one without a name."""
        @property
        def librbd_l1_entry_span(self) -> int:
            """Number of guest bytes that librbd maps with one L1 entry: it knows L2
            entries of 8 bytes only. Bounded where cluster_bits is out of range.
            """
        @property
        def num_librbd_l1_entries(self) -> int:
            """Number of L1 entries that the disk needs, cut to 32 bits as librbd
            does.
            """
        @property
        def ok_librbd_l1_size(self) -> bool:
            """The L1 entries that the disk needs, as librbd counts them, are at most
            QCOW1_MAX_L1_ENTRIES, and the L1 table has them. The size can be
            rounded up to whole L1 entries: it is at most INV_OFFSET less what one
            maps. The quotients stand for that sum, because not every language has
            more than 64 bits.
            """
        @property
        def ok_data_file_absent(self) -> bool:
            """The guest's data are in the image itself. librbd asks for it as well."""
        @property
        def ok_unencrypted(self) -> bool:
            """The guest's data are stored as they are (QCOW_CRYPT_NONE). librbd asks
            for it as well.
            """
        @property
        def ok_untrusted_dirty(self) -> bool:
            """The image was closed in order."""
        @property
        def ok_untrusted_unknown_compatible(self) -> bool:
            """No compatible feature is set but those that exist
            (QCOW2_COMPAT_FEAT_MASK, bit 0).
            """
        @property
        def ok_untrusted_unknown_autoclear(self) -> bool:
            """No autoclear feature is set but those that exist
            (QCOW2_AUTOCLEAR_MASK, bits 0 and 1).
            """
        @property
        def ok_untrusted_size(self) -> bool:
            """The disk has at most POLICY_MAX_DISK_SIZE (64 TiB)."""
        @property
        def ok_untrusted_backing_file(self) -> bool:
            """There is no backing file, and no name of one, be it empty."""

    class AdditionalFields(KaitaiStruct):
        """The header's fields past byte 104, at least one byte of them.

        See docs/interop/qcow2: Additional fields (version 3 and higher)
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        compression_type: Qcow2.CompressionType | int
        """How compressed clusters are compressed."""
        padding: bytes
        """Fills the header up to a multiple of 8 bytes."""
        unknown_fields: bytes
        """Fields that no version of the document has yet, kept as bytes."""
        @property
        def ok_padding(self) -> bool:
            """The padding is zero. The document demands it, QEMU does not look."""
        @property
        def ok_untrusted_unknown_fields(self) -> bool:
            """The fields that no version of the document has are zero."""

    class BackingFileName(KaitaiStruct):
        """The name of the backing file.

        See docs/interop/qcow2: Header
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        name: bytes
        """The name as bytes, without a terminator. QEMU stops at a zero byte."""
        @property
        def path(self) -> Qcow2.FileName:
            """The name as QEMU reads it, up to its first zero byte."""
        @property
        def ok_untrusted_protocol(self) -> bool:
            """The name is a path and names no protocol."""

    class FileName(KaitaiStruct):
        """The name of a file, which may begin with a protocol.

        See block.c: path_has_protocol
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        @property
        def before_colon(self) -> bytes:
            """The name up to its first colon, or all of it."""
        @property
        def before_slash(self) -> bytes:
            """The name up to its first slash, or all of it."""
        @property
        def has_protocol(self) -> bool:
            """A colon stands before the first slash, so that what is before the
            colon is a protocol.
            """

    class HeaderExtensions(KaitaiStruct):
        """The header extensions, from the end of the header to the end of their
        stream.

        See docs/interop/qcow2: Header extensions; block/qcow2.c: qcow2_read_extensions
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        entries: list[Qcow2.HeaderExtension] | None
        """The extensions in their order, the end marker included; absent where
        the stream has not even room for one.
        """
        unparsed: bytes
        """What follows the end marker. Without a marker, the bytes left over:
        fewer than 8, which QEMU refuses if there are any, or the rest of an
        area with more than max_extensions, which can be read in the same way.
        """
        @property
        def max_extensions(self) -> int:
            """Number of extensions read at once. The limit is our own: QEMU reads as
            many as the first cluster holds.
            """
        @property
        def is_long_enough(self) -> bool:
            """There is room for one extension. It is fixed while the extensions are
            read.
            """
        @property
        def num_entries(self) -> int:
            """Number of extensions, the end marker included."""
        @property
        def has_end(self) -> bool:
            """The extensions close with an end marker."""
        @property
        def positions(self) -> list[Qcow2.ExtensionPositions]:
            """For each extension, where the last ones up to it stand."""
        @property
        def last_bitmaps(self) -> int:
            """Index of the last bitmaps extension; -1 if there is none."""
        @property
        def last_crypto(self) -> int:
            """Index of the last encryption extension; -1 if there is none."""

    class HeaderExtension(KaitaiStruct):
        """One header extension, its length a multiple of 8 with its padding.

        See docs/interop/qcow2: Header extensions; block/qcow2.c: qcow2_read_extensions
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        magic: Qcow2.ExtensionMagic | int
        """What the extension is."""
        len: int
        """Length of the data in bytes, without the padding."""
        data: Qcow2.BackingFormat | Qcow2.FeatureNameTable | Qcow2.BitmapsExtension | Qcow2.CryptoExtension | Qcow2.DataFile | bytes
        """The data, as far as the stream holds them; plain bytes for an unknown
        extension, the end marker, and an extension that is too short.
        """
        _raw_data: bytes | None
        padding: bytes
        """Fills the extension up to a multiple of 8 bytes; of any content."""
        @property
        def is_end(self) -> bool:
            """This is the end marker."""
        @property
        def len_data(self) -> int:
            """Number of bytes read as data: what len says, within the stream. It is
            fixed while the extension is read.
            """
        @property
        def layout(self) -> Qcow2.ExtensionMagic | int:
            """How the data are read: as the magic number says, but as plain bytes
            where they are too short for a fixed layout.
            """
        @property
        def ok_len(self) -> bool:
            """The data end within the room for extensions."""
        @property
        def ok_backing_format_len(self) -> bool:
            """The name of a backing file's format has at most
            QCOW2_MAX_BACKING_FORMAT_SIZE (15 bytes).
            """
        @property
        def ok_crypto_len(self) -> bool:
            """The pointer to the encryption header has QCOW2_CRYPTO_EXTENSION_SIZE
            (16 bytes).
            """
        @property
        def ok_bitmaps_len(self) -> bool:
            """The bitmaps extension has QCOW2_BITMAPS_EXTENSION_SIZE (24 bytes)."""
        @property
        def ok_feature_table_len(self) -> bool:
            """The feature name table has entries of QCOW2_FEATURE_ENTRY_SIZE (48
            bytes) and nothing else. QEMU fills the last one up with zeros.
            """
        @property
        def ok_untrusted_unknown(self) -> bool:
            """The extension is one that the document has."""

    class ExtensionPositions(KaitaiStruct):
        """Where the last of those header extensions that point elsewhere stand,
        among the extensions up to a given one. QEMU, too, lets the last one win.

        See block/qcow2.c: qcow2_read_extensions
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, index: int, layout: Qcow2.ExtensionMagic | int, previous_bitmaps: int, previous_crypto: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        index: int
        """Index of the given extension."""
        layout: Qcow2.ExtensionMagic | int
        """Its layout."""
        previous_bitmaps: int
        """Index of the last bitmaps extension before it, or -1."""
        previous_crypto: int
        """Index of the last encryption extension before it, or -1."""
        @property
        def bitmaps(self) -> int:
            """Index of the last bitmaps extension, or -1."""
        @property
        def crypto(self) -> int:
            """Index of the last encryption extension, or -1."""

    class BackingFormat(KaitaiStruct):
        """Header extension with the name of the backing file's format.

        See docs/interop/qcow2: String header extensions
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        format: bytes
        """The format's name as bytes, such as "raw", without a terminator."""

    class DataFile(KaitaiStruct):
        """Header extension with the name of the file that holds the guest's data.

        See docs/interop/qcow2: String header extensions
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        data_file: bytes
        """The file's name as bytes, without a terminator."""
        @property
        def path(self) -> Qcow2.FileName:
            """The name as QEMU reads it, up to its first zero byte."""
        @property
        def ok_untrusted_data_file(self) -> bool:
            """There is no such extension. It never holds, because this is one."""
        @property
        def ok_untrusted_data_file_protocol(self) -> bool:
            """The name is a path and names no protocol."""

    class FeatureNameTable(KaitaiStruct):
        """Header extension that names feature bits, for readers that refuse an image
        because of a bit they have never heard of.

        See docs/interop/qcow2: Feature name table; block/qcow2.c: report_unsupported_feature
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        entries: list[Qcow2.FeatureNameEntry]
        """The names. QEMU stops at the first empty one."""
        unparsed: bytes
        """Bytes that make up no whole entry."""
        @property
        def num_entries(self) -> int:
            """Number of whole entries in the stream. It is fixed while the table is
            read.
            """

    class FeatureNameEntry(KaitaiStruct):
        """The name of one feature bit, 48 bytes.

        See docs/interop/qcow2: Feature name table; block/qcow2.h: Qcow2Feature
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        type: Qcow2.FeatureType | int
        """Which of the three words of feature bits is meant."""
        bit: int
        """Number of the bit in that word, from 0 to 63."""
        name: bytes
        """The feature's name, padded with zero bytes."""
        @property
        def ok_feature_name_type(self) -> bool:
            """The word of feature bits is one that exists:
            QCOW2_FEAT_TYPE_INCOMPATIBLE, QCOW2_FEAT_TYPE_COMPATIBLE or
            QCOW2_FEAT_TYPE_AUTOCLEAR.
            """
        @property
        def ok_feature_name_bit(self) -> bool:
            """The word of feature bits has such a bit."""

    class BitmapsExtension(KaitaiStruct):
        """Header extension that points at the bitmap directory, 24 bytes.

        See docs/interop/qcow2: Bitmaps extension; block/qcow2.h: Qcow2BitmapHeaderExt
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        nb_bitmaps: int
        """Number of bitmaps."""
        reserved32: int
        """Zero."""
        bitmap_directory_size: int
        """Size of the bitmap directory in bytes."""
        bitmap_directory_offset: int
        """Offset of the bitmap directory in bytes."""
        unparsed: bytes
        """Bytes past the known fields, if the length is wrong."""
        @property
        def ok_reserved32(self) -> bool:
            """The reserved field is zero."""
        @property
        def ok_nb_bitmaps_maximum(self) -> bool:
            """There are at most QCOW2_MAX_BITMAPS bitmaps."""
        @property
        def ok_nb_bitmaps_minimum(self) -> bool:
            """There is at least one bitmap."""
        @property
        def ok_bitmap_directory_size(self) -> bool:
            """The bitmap directory has at most QCOW2_MAX_BITMAP_DIRECTORY_SIZE
            bytes.
            """
        @property
        def ok_bitmap_directory_size_minimum(self) -> bool:
            """The bitmap directory is not empty."""
        @property
        def ok_bitmap_directory_read(self) -> bool:
            """The bitmap directory ends within BDRV_MAX_LENGTH. Not asked of one
            that is too large.
            """
        @property
        def ok_directory_read_signed(self) -> bool:
            """The same as QEMU before 6.0 has it: the bitmap directory ends at or
            below INT64_MAX, which is QCOW2_MAX_TABLE_END as well.
            """

    class CryptoExtension(KaitaiStruct):
        """Header extension that points at the encryption header, 16 bytes.

        See docs/interop/qcow2: Full disk encryption header pointer; block/qcow2.h: Qcow2CryptoHeaderExtension
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        offset: int
        """Offset of the encryption header in bytes."""
        length: int
        """Length of the encryption header with its key material, in bytes."""
        unparsed: bytes
        """Bytes past the known fields, if the length is wrong."""
        @property
        def ok_luks_length(self) -> bool:
            """The encryption header has room for a LUKS header,
            QCRYPTO_BLOCK_LUKS_HEADER_SIZE (592 bytes).
            """
        @property
        def ok_luks_read(self) -> bool:
            """The LUKS header, QCRYPTO_BLOCK_LUKS_HEADER_SIZE (592 bytes), ends
            within BDRV_MAX_LENGTH.
            """
        @property
        def ok_luks_read_signed(self) -> bool:
            """The same as QEMU before 6.0 has it: the LUKS header,
            QCRYPTO_BLOCK_LUKS_HEADER_SIZE (592 bytes), ends at or below
            INT64_MAX, which is QCOW2_MAX_TABLE_END as well.
            """

    class L1Table(KaitaiStruct):
        """An L1 table, in pages, so that a big one opens at once.

        See docs/interop/qcow2: Cluster mapping
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        pages: list[Qcow2.L1Page]
        """Pages of 512 entries; nothing is read until one is opened."""

    class L1Page(KaitaiStruct):
        """Up to 512 entries of an L1 table.

        See docs/interop/qcow2: Cluster mapping
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, index: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        index: int
        """Number of the page in its table."""
        @property
        def num_entries(self) -> int:
            """Number of entries in this page."""
        @property
        def entries(self) -> list[Qcow2.L1Entry]:
            """The entries."""
        @property
        def l2_tables(self) -> list[Qcow2.L2TableAt]:
            """Where the entries point, in the same order."""

    class L1Entry(KaitaiStruct):
        """One entry of an L1 table, 8 bytes. The offset is split in two, so that no
        field has more than 32 bits.

        See docs/interop/qcow2: Cluster mapping
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        copied: bool
        """The L2 table is used once, so that it may be changed in place
        (QCOW_OFLAG_COPIED, bit 63). Exact in the active L1 table only.
        """
        reserved1: int
        """Zero (bits 56 to 62)."""
        offset_high: int
        """Upper part of the L2 table's offset (bits 32 to 55)."""
        offset_low: int
        """Lower part of the L2 table's offset (bits 9 to 31)."""
        reserved0: int
        """Zero (bits 0 to 8)."""
        @property
        def offset_sectors(self) -> int:
            """The whole offset in sectors of 512 bytes."""
        @property
        def l2_table_offset(self) -> int:
            """Offset of the L2 table in bytes (L1E_OFFSET_MASK); 0 if nothing in its
            span is allocated.
            """
        @property
        def ok_reserved(self) -> bool:
            """The reserved bits are zero (L1E_RESERVED_MASK)."""
        @property
        def ok_copied_unused(self) -> bool:
            """An entry without an L2 table is not marked as copied. QEMU does not
            look.
            """

    class L2TableAt(KaitaiStruct):
        """The place that an L1 entry points at. It has meaning only in a tree that
        was read from a whole file.

        See docs/interop/qcow2: Cluster mapping
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, offset: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        offset: int
        """Offset of the table in the file, in bytes."""
        @property
        def table(self) -> Qcow2.L2Table | None:
            """The L2 table, as far as the file holds it."""

    class L2Table(KaitaiStruct):
        """An L2 table, one cluster, in pages.

        See docs/interop/qcow2: Cluster mapping; docs/interop/qcow2: Extended L2 Entries
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, cluster_bits: int, extended: bool, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        cluster_bits: int
        """The header's cluster_bits."""
        extended: bool
        """The entries are extended ones."""
        pages: list[Qcow2.L2Page]
        """Pages of 512 entries; nothing is read until one is opened."""

    class L2Page(KaitaiStruct):
        """Up to 512 entries of an L2 table.

        See docs/interop/qcow2: Cluster mapping
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, index: int, cluster_bits: int, extended: bool, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        index: int
        """Number of the page in its table."""
        cluster_bits: int
        """The header's cluster_bits."""
        extended: bool
        """The entries are extended ones."""
        @property
        def entry_size(self) -> int:
            """Size of an entry in bytes (L2E_SIZE_NORMAL, L2E_SIZE_EXTENDED)."""
        @property
        def num_entries(self) -> int:
            """Number of entries in this page."""
        @property
        def entries(self) -> list[Qcow2.L2Entry]:
            """The entries."""

    class L2Entry(KaitaiStruct):
        """One entry of an L2 table, 8 bytes, or 16 if extended. It describes a
        standard cluster by its offset and a compressed one by the offset and the
        number of sectors. Wide fields are split in two, so that none has more
        than 32 bits.

        See docs/interop/qcow2: Cluster mapping; docs/interop/qcow2: Extended L2 Entries; block/qcow2.h: qcow2_get_cluster_type
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, cluster_bits: int, extended: bool, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        cluster_bits: int
        """The header's cluster_bits."""
        extended: bool
        """The entry is an extended one, with a bitmap of subclusters."""
        copied: bool
        """The cluster is used once, so that it may be changed in place
        (QCOW_OFLAG_COPIED, bit 63). Exact in the active L2 tables only.
        """
        compressed: bool
        """The cluster is compressed (QCOW_OFLAG_COMPRESSED, bit 62)."""
        reserved1: int | None
        """Zero (bits 56 to 61)."""
        offset_high: int | None
        """Upper part of the cluster's offset (bits 32 to 55)."""
        offset_low: int | None
        """Lower part of the cluster's offset (bits 9 to 31)."""
        reserved0: int | None
        """Zero (bits 1 to 8)."""
        zero: bool | None
        """The cluster reads as zeros, whatever its offset (QCOW_OFLAG_ZERO, bit
        0). Invalid in version 2, ignored in an extended entry.
        """
        descriptor_high: int | None
        """Number of additional sectors and, below it, the upper part of the
        offset (bits 32 to 61).
        """
        descriptor_low: int | None
        """Lower part of the offset (bits 0 to 31)."""
        zero_bitmap: int | None
        """Subclusters that read as zeros (QCOW_OFLAG_SUB_ZERO); bit x stands for
        subcluster x.
        """
        alloc_bitmap: int | None
        """Subclusters that are allocated (QCOW_OFLAG_SUB_ALLOC); bit x stands
        for subcluster x.
        """
        @property
        def knows_cluster_size(self) -> bool:
            """cluster_bits is in range (MIN_CLUSTER_BITS to MAX_CLUSTER_BITS)."""
        @property
        def offset_sectors(self) -> int | None:
            """The whole offset of a standard cluster in sectors of 512 bytes."""
        @property
        def offset(self) -> int | None:
            """Offset of a standard cluster in bytes (L2E_OFFSET_MASK); 0 if it is
            not allocated.
            """
        @property
        def high_offset_span(self) -> int:
            """How many values the part of a compressed cluster's offset that lies in
            descriptor_high can take: 2^(38 - cluster_bits).
            """
        @property
        def coffset(self) -> int | None:
            """Offset of the compressed data in bytes, not aligned to anything: the
            low 70 - cluster_bits bits. 0 where cluster_bits is out of range.
            """
        @property
        def nb_csectors(self) -> int | None:
            """Number of sectors of 512 bytes (QCOW2_COMPRESSED_SECTOR_SIZE) that
            hold compressed data, beyond the one that coffset lies in.
            """
        @property
        def csize(self) -> int | None:
            """Largest possible length of the compressed data in bytes: to the end of
            their last sector.
            """
        @property
        def cluster_type(self) -> Qcow2.ClusterType | int:
            """What the entry describes, in an image without an external data file.
            With one, an entry that is copied at offset 0 is a normal cluster.
            """
        @property
        def ok_reserved(self) -> bool:
            """The reserved bits of a standard cluster are zero
            (L2E_STD_RESERVED_MASK).
            """
        @property
        def ok_copied(self) -> bool:
            """A compressed cluster is never marked as copied."""
        @property
        def ok_extended_zero(self) -> bool:
            """An extended entry of a standard cluster leaves bit 0 clear, because
            its bitmap says what reads as zeros. QEMU ignores the bit.
            """
        @property
        def ok_compressed_offset(self) -> bool:
            """Compressed data start within QCOW_MAX_CLUSTER_OFFSET (below 2^56)."""
        @property
        def ok_offset(self) -> bool:
            """A standard cluster starts at a multiple of its size."""
        @property
        def ok_subcluster_bitmap(self) -> bool:
            """No subcluster of a standard cluster is both allocated and zero, and
            none is allocated where the cluster is not. An entry that is copied at
            offset 0 has a cluster if there is an external data file, which the
            entry cannot tell: it passes.
            """
        @property
        def ok_compressed_bitmap(self) -> bool:
            """A compressed cluster has no subclusters, and an empty bitmap."""

    class RefcountTable(KaitaiStruct):
        """The refcount table, in pages.

        See docs/interop/qcow2: Host cluster management
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        pages: list[Qcow2.RefcountTablePage]
        """Pages of 512 entries; nothing is read until one is opened."""

    class RefcountTablePage(KaitaiStruct):
        """Up to 512 entries of the refcount table.

        See docs/interop/qcow2: Host cluster management
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, index: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        index: int
        """Number of the page in its table."""
        @property
        def num_entries(self) -> int:
            """Number of entries in this page."""
        @property
        def entries(self) -> list[Qcow2.RefcountTableEntry]:
            """The entries."""
        @property
        def refcount_blocks(self) -> list[Qcow2.RefcountBlockAt]:
            """Where the entries point, in the same order."""

    class RefcountTableEntry(KaitaiStruct):
        """One entry of the refcount table, 8 bytes. The offset is split in two, so
        that no field has more than 32 bits.

        See docs/interop/qcow2: Host cluster management
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        offset_high: int
        """Upper part of the refcount block's offset (bits 32 to 63)."""
        offset_low: int
        """Lower part of the refcount block's offset (bits 9 to 31)."""
        reserved0: int
        """Zero (bits 0 to 8)."""
        @property
        def offset_sectors(self) -> int:
            """The whole offset in sectors of 512 bytes."""
        @property
        def refcount_block_offset(self) -> int:
            """Offset of the refcount block in bytes (REFT_OFFSET_MASK); 0 if all
            counts of the block are 0.
            """
        @property
        def ok_reserved(self) -> bool:
            """The reserved bits are zero (REFT_RESERVED_MASK)."""

    class RefcountBlockAt(KaitaiStruct):
        """The place that an entry of the refcount table points at. It has meaning
        only in a tree that was read from a whole file.

        See docs/interop/qcow2: Host cluster management
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, offset: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        offset: int
        """Offset of the block in the file, in bytes."""
        @property
        def block(self) -> Qcow2.RefcountBlock | None:
            """The refcount block, as far as the file holds it."""

    class RefcountBlock(KaitaiStruct):
        """A refcount block, one cluster of reference counts, in pages.

        See docs/interop/qcow2: Host cluster management
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, refcount_order: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        refcount_order: int
        """Logarithm to base 2 of the width of a count in bits."""
        pages: list[Qcow2.RefcountPage]
        """Pages of 512 counts; nothing is read until one is opened."""
        @property
        def knows_refcount_width(self) -> bool:
            """refcount_order is in range (at most QCOW2_MAX_REFCOUNT_ORDER)."""
        @property
        def num_entries(self) -> int:
            """Number of counts in the block; 0 where their width is unknown."""

    class RefcountPage(KaitaiStruct):
        """Up to 512 counts of a refcount block.

        See docs/interop/qcow2: Host cluster management
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, index: int, refcount_order: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        index: int
        """Number of the page in its block."""
        refcount_order: int
        """Logarithm to base 2 of the width of a count in bits."""
        @property
        def knows_refcount_width(self) -> bool:
            """refcount_order is in range (at most QCOW2_MAX_REFCOUNT_ORDER)."""
        @property
        def num_entries(self) -> int:
            """Number of counts in this page."""
        @property
        def entries(self) -> list[Qcow2.RefcountEntry]:
            """The counts."""

    class RefcountEntry(KaitaiStruct):
        """One count of a refcount block. It is found by its index in the stream of
        the block: several narrow ones share a byte, the first of them in its
        lowest bits.

        See docs/interop/qcow2: Host cluster management; block/qcow2-refcount.c: get_refcount_ro0
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, index: int, refcount_order: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        index: int
        """Number of the count in its block."""
        refcount_order: int
        """Logarithm to base 2 of the width of a count in bits."""
        @property
        def refcount_bits(self) -> int:
            """Width of the count in bits; 0 where refcount_order is out of range (at
            most QCOW2_MAX_REFCOUNT_ORDER).
            """
        @property
        def bit_offset(self) -> int:
            """Number of bits below the count, in the byte that it starts in."""
        @property
        def cell(self) -> int | None:
            """The number that holds the count; a byte, if it holds several."""
        @property
        def refcount(self) -> int | None:
            """Number of references to the cluster; absent where the width of the
            count is out of range.
            """

    class SnapshotTable(KaitaiStruct):
        """The snapshot table, one entry after the other.

        See docs/interop/qcow2: Snapshots; block/qcow2-snapshot.c: qcow2_do_read_snapshots
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, nb_snapshots: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        nb_snapshots: int
        """The header's nb_snapshots."""
        entries: list[Qcow2.Snapshot] | None
        """The entries, as many as there are and the stream holds."""
        @property
        def has_entries(self) -> bool:
            """There are entries, and the stream holds one. It is fixed while the
            table is read.
            """
        @property
        def num_entries(self) -> int:
            """Number of entries read."""
        @property
        def l1_tables(self) -> list[Qcow2.L1TableAt]:
            """Where the entries point, in the same order."""

    class L1TableAt(KaitaiStruct):
        """The place of a snapshot's L1 table. It has meaning only in a tree that was
        read from a whole file.

        See docs/interop/qcow2: Snapshots
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, offset: int, length: int, ok_length: bool, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        offset: int
        """Offset of the table in the file, in bytes."""
        length: int
        """Size of the table in bytes."""
        ok_length: bool
        """The size is one that QEMU accepts."""
        @property
        def table(self) -> Qcow2.L1Table | None:
            """The L1 table, as far as the file holds it."""

    class Snapshot(KaitaiStruct):
        """One entry of the snapshot table: 40 bytes, extra data, identifier, name,
        and padding. Parts that the stream ends in are cut short, so that the
        first 40 bytes alone tell how long the entry is.

        See docs/interop/qcow2: Snapshots; block/qcow2.h: QCowSnapshotHeader
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        l1_table_offset: int
        """Offset of the snapshot's L1 table in bytes."""
        l1_size: int
        """Number of entries in the snapshot's L1 table."""
        id_str_size: int
        """Length of the identifier in bytes."""
        name_size: int
        """Length of the name in bytes."""
        date_sec: int
        """Time at which the snapshot was taken, in seconds since 1970."""
        date_nsec: int
        """Fraction of that time in nanoseconds."""
        vm_clock_nsec: int
        """Time that the guest had run, in nanoseconds."""
        vm_state_size: int
        """Size of the virtual machine's state in bytes; overridden by the larger
        field in the extra data.
        """
        extra_data_size: int
        """Length of the extra data in bytes."""
        extra_data: Qcow2.SnapshotExtraData
        """Fields that were added later."""
        _raw_extra_data: bytes
        id_str: bytes
        """Identifier of the snapshot as bytes, without a terminator."""
        name: bytes
        """Name of the snapshot as bytes, without a terminator."""
        padding: bytes
        """Fills the entry up to a multiple of 8 bytes."""
        @property
        def unpadded_size(self) -> int:
            """Length that the entry claims, without its padding, in bytes."""
        @property
        def entry_size(self) -> int:
            """Length that the entry claims, with its padding, in bytes."""
        @property
        def len_extra_data(self) -> int:
            """Number of bytes read as extra data: what extra_data_size says, within
            the stream. It is fixed while the entry is read.
            """
        @property
        def is_complete(self) -> bool:
            """The stream holds the whole entry but for its padding."""
        @property
        def l1_table_bytes(self) -> int:
            """Size of the snapshot's L1 table in bytes."""
        @property
        def effective_vm_state_size(self) -> int:
            """Size of the virtual machine's state in bytes."""
        @property
        def disk_size(self) -> int | None:
            """Size of the disk in the snapshot, in bytes; absent if the entry does
            not say, and then it is that of the image.
            """
        @property
        def icount(self) -> int | None:
            """Instruction count of record and replay; 2^64 - 1 if it was off, and
            absent if the entry does not say.
            """
        @property
        def ok_extra_data_size(self) -> bool:
            """The extra data have at most QCOW_MAX_SNAPSHOT_EXTRA_DATA (1024 bytes)."""
        @property
        def ok_l1_size(self) -> bool:
            """The snapshot's L1 table has at most QCOW_MAX_L1_SIZE (32 MiB)."""
        @property
        def ok_extra_data_minimum(self) -> bool:
            """The entry says how large the disk was
            (QCOW2_SNAPSHOT_EXTRA_DISK_SIZE). QEMU's check reports it.
            """
        @property
        def ok_l1_table_read(self) -> bool:
            """The snapshot's L1 table ends within BDRV_MAX_LENGTH."""
        @property
        def ok_untrusted_vm_state(self) -> bool:
            """No virtual machine was running."""

    class SnapshotExtraData(KaitaiStruct):
        """The extra data of a snapshot; each field is there if its bytes are.

        See docs/interop/qcow2: Snapshots; block/qcow2.h: QCowSnapshotExtraData
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        vm_state_size_large: int | None
        """Size of the virtual machine's state in bytes."""
        disk_size: int | None
        """Size of the disk in bytes."""
        icount: int | None
        """Instruction count of record and replay; 2^64 - 1 if it was off."""
        unknown_extra_data: bytes
        """Fields that no version of the document has yet, kept as bytes."""
        @property
        def has_vm_state_size_large(self) -> bool:
            """The larger field for the state's size is there."""
        @property
        def has_disk_size(self) -> bool:
            """The disk's size is there."""
        @property
        def has_icount(self) -> bool:
            """The instruction count is there."""

    class BitmapDirectory(KaitaiStruct):
        """The bitmap directory, one entry after the other.

        See docs/interop/qcow2: Bitmap directory; block/qcow2-bitmap.c: bitmap_list_load
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, nb_bitmaps: int, cluster_bits: int, disk_size: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        nb_bitmaps: int
        """The bitmaps extension's nb_bitmaps."""
        cluster_bits: int
        """The header's cluster_bits."""
        disk_size: int
        """The header's size."""
        entries: list[Qcow2.BitmapDirectoryEntry] | None
        """The entries, as many as there are and the stream holds."""
        unparsed: bytes
        """What follows them, which QEMU refuses if there is anything."""
        @property
        def has_entries(self) -> bool:
            """There are entries, and the stream holds one. It is fixed while the
            directory is read.
            """
        @property
        def num_entries(self) -> int:
            """Number of entries read."""
        @property
        def bitmap_tables(self) -> list[Qcow2.BitmapTableAt]:
            """Where the entries point, in the same order."""
        @property
        def ok_entry_header(self) -> bool:
            """The directory does not end in fewer bytes than an entry has, which is
            QCOW2_BITMAP_DIR_ENTRY_SIZE (24 bytes) or more.
            """

    class BitmapDirectoryEntry(KaitaiStruct):
        """One entry of the bitmap directory: 24 bytes, extra data, name, and
        padding. Parts that the stream ends in are cut short, so that the first 24
        bytes alone tell how long the entry is.

        See docs/interop/qcow2: Bitmap directory; block/qcow2-bitmap.c: Qcow2BitmapDirEntry; block/qcow2-bitmap.c: check_dir_entry
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, cluster_bits: int, disk_size: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        cluster_bits: int
        """The header's cluster_bits."""
        disk_size: int
        """The header's size."""
        bitmap_table_offset: int
        """Offset of the bitmap table in bytes."""
        bitmap_table_size: int
        """Number of entries in the bitmap table."""
        flags: int
        """Bits 0 to 2 have a meaning of their own, the others are zero."""
        type: Qcow2.BitmapType | int
        """What the bitmap is for."""
        granularity_bits: int
        """Logarithm to base 2 of the number of guest bytes that one bit of the
        bitmap stands for.
        """
        name_size: int
        """Length of the name in bytes."""
        extra_data_size: int
        """Length of the extra data in bytes."""
        extra_data: bytes
        """Data of the bitmap's type. No type has any yet."""
        name: bytes
        """Name of the bitmap as bytes, without a terminator."""
        padding: bytes
        """Fills the entry up to a multiple of 8 bytes."""
        @property
        def unpadded_size(self) -> int:
            """Length that the entry claims, without its padding, in bytes."""
        @property
        def entry_size(self) -> int:
            """Length that the entry claims, with its padding, in bytes."""
        @property
        def is_complete(self) -> bool:
            """The stream holds the whole entry but for its padding."""
        @property
        def in_use(self) -> bool:
            """Flag bit 0: the bitmap was not saved in order and may be out of date
            (BME_FLAG_IN_USE).
            """
        @property
        def is_auto(self) -> bool:
            """Flag bit 1: whoever writes to the disk keeps the bitmap up to date
            (BME_FLAG_AUTO).
            """
        @property
        def extra_data_compatible(self) -> bool:
            """Flag bit 2: the bitmap may be used by those who do not know its extra
            data.
            """
        @property
        def granularity(self) -> int:
            """Number of guest bytes that one bit of the bitmap stands for; 0 where
            granularity_bits is above 63. The power of 2 is made of three, because
            shifts end at 31 bits in some languages.
            """
        @property
        def bitmap_table_bytes(self) -> int:
            """Size of the bitmap table in bytes."""
        @property
        def knows_cluster_size(self) -> bool:
            """cluster_bits is in range (MIN_CLUSTER_BITS to MAX_CLUSTER_BITS)."""
        @property
        def cluster_size(self) -> int:
            """Size of a cluster in bytes; 0 where cluster_bits is out of range."""
        @property
        def disk_length(self) -> int:
            """Length of the disk in bytes, whole sectors only."""
        @property
        def bitmap_bits(self) -> int:
            """Number of bits that the whole disk needs; 0 where granularity_bits is
            above 63.
            """
        @property
        def bitmap_table_size_needed(self) -> int:
            """Number of entries of a table for the whole disk: QEMU stores the bits
            in words of 64. 0 where the cluster's size is unknown.
            """
        @property
        def ok_extra_data_size(self) -> bool:
            """There are no extra data. The document allows them, QEMU does not."""
        @property
        def ok_bitmap_table_size_minimum(self) -> bool:
            """The bitmap table is not empty."""
        @property
        def ok_bitmap_table_offset_present(self) -> bool:
            """The bitmap table does not lie at offset 0."""
        @property
        def ok_bitmap_table_offset(self) -> bool:
            """The bitmap table starts at a cluster."""
        @property
        def ok_bitmap_table_size_maximum(self) -> bool:
            """The bitmap table has at most BME_MAX_TABLE_SIZE entries."""
        @property
        def ok_granularity_bits(self) -> bool:
            """One bit stands for 512 bytes to 2 GiB (BME_MIN_GRANULARITY_BITS to
            BME_MAX_GRANULARITY_BITS). The document allows 0 to 63.
            """
        @property
        def ok_granularity_bits_maximum(self) -> bool:
            """One bit stands for less than 2^64 bytes
            (QCOW2_BITMAP_MAX_GRANULARITY_BITS).
            """
        @property
        def ok_flags_reserved(self) -> bool:
            """No flag is set but those that exist, bits 0 to 2
            (QCOW2_BITMAP_FLAG_EXTRA_DATA_COMPATIBLE is the last).
            """
        @property
        def ok_flags(self) -> bool:
            """No flag is set but BME_FLAG_IN_USE and BME_FLAG_AUTO: none of
            BME_RESERVED_FLAGS. The document allows extra_data_compatible as well.
            """
        @property
        def ok_name_size_minimum(self) -> bool:
            """The bitmap has a name. The document demands it, QEMU does not look."""
        @property
        def ok_name_size(self) -> bool:
            """The name has at most BME_MAX_NAME_SIZE (1023 bytes)."""
        @property
        def ok_type(self) -> bool:
            """The bitmap is one for dirty tracking (BT_DIRTY_TRACKING_BITMAP)."""
        @property
        def ok_bitmap_size(self) -> bool:
            """The bitmap's data have at most BME_MAX_PHYS_SIZE (512 MiB). True where
            the cluster's size is unknown.
            """
        @property
        def ok_table_read(self) -> bool:
            """The bitmap table ends within BDRV_MAX_LENGTH. QEMU reads no table of a
            bitmap that is in use.
            """
        @property
        def ok_table_read_signed(self) -> bool:
            """The same as QEMU before 6.0 has it: the bitmap table ends at or below
            INT64_MAX, which is QCOW2_MAX_TABLE_END as well.
            """
        @property
        def ok_padding(self) -> bool:
            """The padding is zero. The document demands it, QEMU does not look."""
        @property
        def ok_coverage(self) -> bool:
            """The bitmap reaches to the end of the disk. QEMU cannot compare the
            length of a disk that is longer than INT64_MAX (QCOW2_MAX_TABLE_END):
            there, not even a bitmap in use passes.
            """
        @property
        def ok_table_size_exact(self) -> bool:
            """The bitmap table has no entry too many."""
        @property
        def ok_untrusted_in_use_size(self) -> bool:
            """A bitmap in use, which QEMU keeps in memory whatever its table has,
            takes no more than others: BME_MAX_PHYS_SIZE (512 MiB).
            """

    class BitmapTableAt(KaitaiStruct):
        """The place of a bitmap's table. It has meaning only in a tree that was read
        from a whole file.

        See docs/interop/qcow2: Bitmap table
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, offset: int, length: int, ok_length: bool, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        offset: int
        """Offset of the table in the file, in bytes."""
        length: int
        """Size of the table in bytes."""
        ok_length: bool
        """The size is one that QEMU accepts."""
        @property
        def table(self) -> Qcow2.BitmapTable | None:
            """The bitmap table, as far as the file holds it."""

    class BitmapTable(KaitaiStruct):
        """A bitmap table, in pages.

        See docs/interop/qcow2: Bitmap table
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        pages: list[Qcow2.BitmapTablePage]
        """Pages of 512 entries; nothing is read until one is opened."""

    class BitmapTablePage(KaitaiStruct):
        """Up to 512 entries of a bitmap table.

        See docs/interop/qcow2: Bitmap table
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, index: int, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        index: int
        """Number of the page in its table."""
        @property
        def num_entries(self) -> int:
            """Number of entries in this page."""
        @property
        def entries(self) -> list[Qcow2.BitmapTableEntry]:
            """The entries."""

    class BitmapTableEntry(KaitaiStruct):
        """One entry of a bitmap table, 8 bytes. The offset is split in two, so that
        no field has more than 32 bits.

        See docs/interop/qcow2: Bitmap table
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Qcow2 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        reserved1: int
        """Zero (bits 56 to 63)."""
        offset_high: int
        """Upper part of the cluster's offset (bits 32 to 55)."""
        offset_low: int
        """Lower part of the cluster's offset (bits 9 to 31)."""
        reserved0: int
        """Zero (bits 1 to 8)."""
        all_ones: bool
        """Without an offset: the bits of this cluster are all ones rather than
        all zeros (BME_TABLE_ENTRY_FLAG_ALL_ONES, bit 0). With one: zero.
        """
        @property
        def offset_sectors(self) -> int:
            """The whole offset in sectors of 512 bytes."""
        @property
        def offset(self) -> int:
            """Offset of a cluster of the bitmap's data in bytes
            (BME_TABLE_ENTRY_OFFSET_MASK); 0 if it is not allocated.
            """
        @property
        def ok_reserved(self) -> bool:
            """The reserved bits are zero (BME_TABLE_ENTRY_RESERVED_MASK), and so is
            bit 0 if there is an offset.
            """

    SEQ_FIELDS: list[str]
    _io: KaitaiStream
    _parent: KaitaiStruct | None
    _root: Qcow2
    def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Qcow2 | None = None) -> None: ...
    @classmethod
    def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
    @classmethod
    def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
    @classmethod
    def from_io(cls, io: ByteStream) -> Self: ...
    header: Qcow2.Header
    """The header at the start of the file."""
    @property
    def has_header_extensions(self) -> bool:
        """The header leaves room for extensions, and the file holds some of it."""
    @property
    def header_extensions(self) -> Qcow2.HeaderExtensions | None:
        """The header extensions; absent where the header leaves them no room."""
    @property
    def backing_file_name(self) -> Qcow2.BackingFileName | None:
        """Name of the backing file; absent where the header names none, or where the
        name breaks a rule or lies beyond the file.
        """
    @property
    def l1_table(self) -> Qcow2.L1Table | None:
        """The active L1 table, as far as the file holds it."""
    @property
    def refcount_table(self) -> Qcow2.RefcountTable | None:
        """The refcount table, as far as the file holds it."""
    @property
    def snapshot_table(self) -> Qcow2.SnapshotTable | None:
        """The snapshot table, as far as the file holds it, and never more than
        QCOW_MAX_SNAPSHOTS_SIZE (64 MiB).
        """
    @property
    def bitmaps_extension(self) -> Qcow2.BitmapsExtension | None:
        """The bitmaps extension; the last one, if there are several."""
    @property
    def bitmap_directory(self) -> Qcow2.BitmapDirectory | None:
        """The bitmap directory, as far as the file holds it."""
    @property
    def crypto_extension(self) -> Qcow2.CryptoExtension | None:
        """The pointer to the encryption header; the last one, if several."""
    @property
    def encryption_header(self) -> Luks1 | None:
        """The LUKS header, where the file holds all QCRYPTO_BLOCK_LUKS_HEADER_SIZE
        (592 bytes) of it.
        """
