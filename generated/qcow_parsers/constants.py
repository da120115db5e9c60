# Generated from formats/{constants,features,extensions}.toml by tools/generate.py: do not edit.
"""QEMU's constants, feature bits and header extensions."""

from enum import KEEP, IntEnum, IntFlag
from typing import TYPE_CHECKING, Final, Literal, NamedTuple


class Feature(NamedTuple):
    """A feature bit of the version 3 header."""

    id: str
    type: Literal["incompatible", "compatible", "autoclear"]
    bit: int
    name: str  # as QEMU writes it into the feature name table
    constant: str
    since: str  # the first QEMU with it
    versions: tuple[int, ...]
    obliges: str  # what the bit asks of whoever reads the image
    source: tuple[str, ...]

    @property
    def mask(self) -> int:
        """The bit's place in its feature word."""
        return 1 << self.bit


class Extension(NamedTuple):
    """A header extension."""

    id: str
    magic: int
    name: str
    layout: str | None  # the type of its data in the .ksy
    versions: tuple[int, ...]
    once: bool  # whether a second one in the same image is wrong
    constant: str
    source: tuple[str, ...]

QCOW_MAGIC: Final[int] = 0x514649fb  # number
"""The four bytes Q, F, I and 0xfb open every QCOW file, whatever its version. Set by the format. Source: docs/interop/qcow2: Header; block/qcow2.h and block/qcow.c."""
QCOW_VERSION: Final[int] = 1  # number
"""The version number of the first format, which QEMU calls qcow. Set by the format. Source: block/qcow.c."""
QCOW2_MIN_VERSION: Final[int] = 2  # number
"""The lowest version number of the second format, which QEMU calls qcow2. Set by the format. Source: docs/interop/qcow2: Header; block/qcow2.c: literal in qcow2_do_open."""
QCOW2_MAX_VERSION: Final[int] = 3  # number
"""The highest version number of qcow2; probing claims higher ones, opening refuses them. Set by the format. Source: docs/interop/qcow2: Header; block/qcow2.c: literal in qcow2_do_open."""
BLOCK_PROBE_BUF_SIZE: Final[int] = 512  # bytes
"""What QEMU reads from the start of a file, zero-filled past its end, to probe it. QEMU's own. Source: include/block/block_int-common.h."""
QCOW1_FORMAT_NAME: Final[str] = "qcow"
"""QEMU's name for version 1, as in -f qcow. QEMU's own. Source: block/qcow.c: literal in bdrv_qcow."""
QCOW2_FORMAT_NAME: Final[str] = "qcow2"
"""QEMU's name for versions 2 and 3, as in -f qcow2. QEMU's own. Source: block/qcow2.c: literal in bdrv_qcow2."""
QCOW2_COMPAT_LEVEL_V2: Final[str] = "0.10"
"""The compatibility level that stands for version 2, after the QEMU that first read it. QEMU's own. Source: block/qcow2.c: literal in qcow2_co_create_opts and qcow2_amend_options."""
QCOW2_COMPAT_LEVEL_V3: Final[str] = "1.1"
"""The compatibility level that stands for version 3, after the QEMU that first read it. QEMU's own. Source: block/qcow2.c: literal in qcow2_co_create_opts and qcow2_amend_options."""
QCOW2_V2_HEADER_LENGTH: Final[int] = 72  # bytes
"""The whole header of version 2, where the field header_length does not exist. Set by the format. Source: docs/interop/qcow2: Header; block/qcow2.c: literal in qcow2_do_open."""
QCOW2_V3_MIN_HEADER_LENGTH: Final[int] = 104  # bytes
"""The least header_length of version 3: every field up to header_length itself. Set by the format. Source: docs/interop/qcow2: Header; block/qcow2.h: sizeof up to compression_type."""
QCOW2_HEADER_SIZE: Final[int] = 112  # bytes
"""The header as QEMU knows it; what a longer one adds is kept and written back verbatim. QEMU's own. Source: block/qcow2.h: sizeof(QCowHeader)."""
QCOW2_HEADER_ALIGNMENT: Final[int] = 8  # bytes
"""header_length is a multiple of this in version 3; QEMU writes it so and does not check. Set by the format. Source: docs/interop/qcow2: Header; block/qcow2.h: literal in a build assertion."""
MIN_CLUSTER_BITS: Final[int] = 9  # bits
"""The smallest cluster is 2^9 = 512 bytes. Set by the format. Source: docs/interop/qcow2: Header; block/qcow2.h."""
MAX_CLUSTER_BITS: Final[int] = 21  # bits
"""The largest cluster QEMU opens is 2^21 bytes = 2 MiB. QEMU's own. Source: block/qcow2.h."""
DEFAULT_CLUSTER_SIZE: Final[int] = 65536  # bytes
"""The cluster size of a new image when nothing else is asked for: 64 KiB. QEMU's own. Source: block/qcow2.h."""
QCOW_MAX_BACKING_FILE_SIZE: Final[int] = 1023  # bytes
"""The longest backing file name, in any version. Set by the format. Source: docs/interop/qcow2: Header; literal in qcow2_do_open and block/qcow.c: qcow_open."""
QCOW2_MAX_TABLE_END: Final[int] = 9223372036854775807  # bytes
"""No table of the header ends past this offset, the largest signed 64-bit number. QEMU's own. Source: block/qcow2.c: literal INT64_MAX in qcow2_validate_table."""
QCOW2_DEFLATE_WINDOW_BITS: Final[int] = 12  # bits
"""Deflated clusters are written and read with a window of 2^12 bytes, in all versions. QEMU's own. Source: block/qcow2-threads.c and block/qcow.c: literal -12, whose sign means raw."""
QCOW2_EXT_HEADER_SIZE: Final[int] = 8  # bytes
"""Magic and length in front of an extension's data. Set by the format. Source: docs/interop/qcow2: Header extensions; block/qcow2.c: sizeof(QCowExtension)."""
QCOW2_EXT_ALIGNMENT: Final[int] = 8  # bytes
"""An extension's data is padded to a multiple of this; the padding can hold anything. Set by the format. Source: docs/interop/qcow2: Header extensions; block/qcow2.c: literal in qcow2_read_extensions."""
QCOW2_EXT_MAGIC_END: Final[int] = 0  # number
"""No more extensions follow. Set by the format. Source: docs/interop/qcow2: Header extensions; block/qcow2.c."""
QCOW2_EXT_MAGIC_BACKING_FORMAT: Final[int] = 0xe2792aca  # number
"""The name of the backing file's format. Set by the format. Source: docs/interop/qcow2: Header extensions; block/qcow2.c."""
QCOW2_EXT_MAGIC_FEATURE_TABLE: Final[int] = 0x6803f857  # number
"""Names for feature bits, for the error messages of programs that lack them. Set by the format. Source: docs/interop/qcow2: Header extensions; block/qcow2.c."""
QCOW2_EXT_MAGIC_CRYPTO_HEADER: Final[int] = 0x0537be77  # number
"""Where the LUKS header is and how long it is. Set by the format. Source: docs/interop/qcow2: Header extensions; block/qcow2.c."""
QCOW2_EXT_MAGIC_BITMAPS: Final[int] = 0x23852875  # number
"""Where the bitmap directory is and how many bitmaps it lists. Set by the format. Source: docs/interop/qcow2: Header extensions; block/qcow2.c."""
QCOW2_EXT_MAGIC_DATA_FILE: Final[int] = 0x44415441  # number
"""The name of the external data file; the magic reads DATA. Set by the format. Source: docs/interop/qcow2: Header extensions; block/qcow2.c."""
QCOW2_MAX_BACKING_FORMAT_SIZE: Final[int] = 15  # bytes
"""The longest backing format name QEMU takes. QEMU's own. Source: include/block/block_int-common.h: sizeof(backing_format) is 16, one of them a NUL."""
QCOW2_CRYPTO_EXTENSION_SIZE: Final[int] = 16  # bytes
"""The data of the encryption header pointer, never more or less. Set by the format. Source: docs/interop/qcow2; block/qcow2.h: sizeof(Qcow2CryptoHeaderExtension)."""
QCOW2_BITMAPS_EXTENSION_SIZE: Final[int] = 24  # bytes
"""The data of the bitmaps extension, never more or less. Set by the format. Source: docs/interop/qcow2: Bitmaps extension; block/qcow2.h: sizeof(Qcow2BitmapHeaderExt)."""
QCOW2_FEATURE_ENTRY_SIZE: Final[int] = 48  # bytes
"""One entry of the feature name table: type, bit and name. Set by the format. Source: docs/interop/qcow2: Feature name table; block/qcow2.h: sizeof(Qcow2Feature)."""
QCOW2_FEATURE_NAME_SIZE: Final[int] = 46  # bytes
"""The name in such an entry, zero-padded, without a NUL when it is full. Set by the format. Source: docs/interop/qcow2: Feature name table; block/qcow2.h: literal in Qcow2Feature."""
QCOW1_HEADER_SIZE: Final[int] = 48  # bytes
"""The whole header of version 1. Set by the format. Source: block/qcow.c: sizeof(QCowHeader)."""
QCOW1_MIN_SIZE: Final[int] = 2  # bytes
"""The smallest disk QEMU opens; what does not fill a sector is cut off. QEMU's own. Source: block/qcow.c: literal in qcow_open."""
QCOW1_MIN_CLUSTER_BITS: Final[int] = 9  # bits
"""The smallest cluster is 2^9 = 512 bytes. Set by the format. Source: block/qcow.c: literal in qcow_open."""
QCOW1_MAX_CLUSTER_BITS: Final[int] = 16  # bits
"""The largest cluster is 2^16 bytes = 64 KiB. Set by the format. Source: block/qcow.c: literal in qcow_open."""
QCOW1_MIN_L2_BITS: Final[int] = 6  # bits
"""The smallest L2 table has 2^6 entries, 512 bytes. Set by the format. Source: block/qcow.c: literal 9 - 3 in qcow_open."""
QCOW1_MAX_L2_BITS: Final[int] = 13  # bits
"""The largest L2 table has 2^13 entries, 64 KiB. Set by the format. Source: block/qcow.c: literal 16 - 3 in qcow_open."""
QCOW1_TABLE_ENTRY_SIZE: Final[int] = 8  # bytes
"""One entry of an L1 or L2 table. Set by the format. Source: block/qcow.c: sizeof(uint64_t)."""
QCOW1_OFLAG_COMPRESSED: Final[int] = 0x8000000000000000  # mask
"""Marks an L2 entry as a compressed cluster. Set by the format. Source: block/qcow.c, where it is named QCOW_OFLAG_COMPRESSED as version 2's bit 62 is."""
QCOW1_CSIZE_END_BIT: Final[int] = 63  # bits
"""A compressed entry holds its size, in bytes, in the cluster_bits bits below this one. Set by the format. Source: block/qcow.c: literal in qcow_open (cluster_offset_mask) and decompress_cluster."""
QCOW1_CLUSTER_ALIGNMENT: Final[int] = 512  # bytes
"""QEMU reads a plain cluster only from a multiple of this offset. QEMU's own. Source: block/qcow.c: literal 511 in qcow_co_preadv."""
QCOW1_MAX_L1_ENTRIES: Final[int] = 268435455  # entries
"""The most L1 entries a disk size may need: the largest int, divided by 8. QEMU's own. Source: block/qcow.c: literal INT_MAX / sizeof(uint64_t) in qcow_open."""
QCOW1_MAX_READ_L1_ENTRIES: Final[int] = 268435392  # entries
"""The most L1 entries one read can fetch; a table a little larger fails to open with EIO. QEMU's own. Source: block/qcow.c: qcow_open reads it at once; a literal consequence of BDRV_REQUEST_MAX_BYTES."""
QCOW1_DEFAULT_CLUSTER_BITS: Final[int] = 12  # bits
"""QEMU makes an image without a backing file with clusters of 4 KiB. QEMU's own. Source: block/qcow.c: literal in qcow_co_create."""
QCOW1_DEFAULT_L2_BITS: Final[int] = 9  # bits
"""QEMU makes an image without a backing file with L2 tables of 4 KiB. QEMU's own. Source: block/qcow.c: literal in qcow_co_create."""
QCOW1_BACKED_CLUSTER_BITS: Final[int] = 9  # bits
"""QEMU makes an image with a backing file with clusters of one sector, to copy nothing. QEMU's own. Source: block/qcow.c: literal in qcow_co_create."""
QCOW1_BACKED_L2_BITS: Final[int] = 12  # bits
"""QEMU makes an image with a backing file with L2 tables of 32 KiB. QEMU's own. Source: block/qcow.c: literal in qcow_co_create."""
QCOW1_L1_TABLE_ALIGNMENT: Final[int] = 8  # bytes
"""QEMU puts a new L1 table at the next such multiple behind the header and backing name. QEMU's own. Source: block/qcow.c: literal in qcow_co_create."""
L2_CACHE_SIZE: Final[int] = 16  # entries
"""The L2 tables the version 1 driver holds, the least used giving way. QEMU's own. Source: block/qcow.c."""
QCOW_RC_CACHE_SIZE: Final[int] = 16  # entries
"""librbd's size for a refcount cache it has no use for: L2_CACHE_SIZE again. QEMU's own. Source: librbd: migration/QCOW.h, where it is named; in no QEMU source at hand."""
L1E_SIZE: Final[int] = 8  # bytes
"""One L1 entry. Set by the format. Source: block/qcow2.h."""
L1E_OFFSET_MASK: Final[int] = 0x00fffffffffffe00  # mask
"""Where the L2 table is; zero when there is none. Set by the format. Source: docs/interop/qcow2: Cluster mapping; block/qcow2.h."""
L1E_RESERVED_MASK: Final[int] = 0x7f000000000001ff  # mask
"""Zero by the format; masked off when read, reported by a check. Set by the format. Source: docs/interop/qcow2: Cluster mapping; block/qcow2.h."""
QCOW_OFLAG_COPIED: Final[int] = 0x8000000000000000  # mask
"""The table or cluster an L1 or L2 entry points at has a refcount of exactly one. Set by the format. Source: docs/interop/qcow2: Cluster mapping; block/qcow2.h."""
QCOW_MAX_L1_SIZE: Final[int] = 33554432  # bytes
"""The largest L1 table, active or a snapshot's, that QEMU takes: 32 MiB. QEMU's own. Source: block/qcow2.h."""
QCOW2_MAX_L1_VM_STATE_INDEX: Final[int] = 2147483647  # entries
"""The most L1 entries a disk size may need before QEMU calls the image too big. QEMU's own. Source: block/qcow2.c: literal INT_MAX in qcow2_do_open."""
L2E_SIZE_NORMAL: Final[int] = 8  # bytes
"""One L2 entry. Set by the format. Source: block/qcow2.h."""
L2E_SIZE_EXTENDED: Final[int] = 16  # bytes
"""One extended L2 entry: a plain one, then the subcluster bitmap. Set by the format. Source: docs/interop/qcow2: Extended L2 Entries; block/qcow2.h."""
L2E_OFFSET_MASK: Final[int] = 0x00fffffffffffe00  # mask
"""Where the cluster is, in a standard entry. Set by the format. Source: docs/interop/qcow2: Cluster mapping; block/qcow2.h."""
L2E_STD_RESERVED_MASK: Final[int] = 0x3f000000000001fe  # mask
"""Zero by the format in a standard entry; masked off when read, reported by a check. Set by the format. Source: docs/interop/qcow2: Cluster mapping; block/qcow2.h."""
QCOW_OFLAG_COMPRESSED: Final[int] = 0x4000000000000000  # mask
"""The entry is of the compressed kind; tested before all else, never with COPIED. Set by the format. Source: docs/interop/qcow2: Cluster mapping; block/qcow2.h."""
QCOW_OFLAG_ZERO: Final[int] = 0x1  # mask
"""The cluster reads as zeros, offset or not; unset in version 2 and in extended entries. Set by the format. Source: docs/interop/qcow2: Cluster mapping; block/qcow2.h."""
L2E_COMPRESSED_OFFSET_SIZE_MASK: Final[int] = 0x3fffffffffffffff  # mask
"""Sector count and offset of a compressed entry together. Set by the format. Source: block/qcow2.h up to QEMU 6.1."""
QCOW2_CSIZE_END_BIT: Final[int] = 62  # bits
"""The sector count of a compressed entry ends just below this bit. Set by the format. Source: docs/interop/qcow2: Cluster mapping; block/qcow2.c: literal for csize_shift."""
QCOW2_CSIZE_CLUSTER_BITS: Final[int] = 8  # bits
"""cluster_bits less this is the width of that sector count. Set by the format. Source: docs/interop/qcow2: Cluster mapping; block/qcow2.c: literal for csize_mask."""
QCOW2_COMPRESSED_SECTOR_SIZE: Final[int] = 512  # bytes
"""The sector in which compressed sizes are counted. Set by the format. Source: docs/interop/qcow2: Cluster mapping; block/qcow2.h."""
QCOW2_COMPRESSED_SECTOR_MASK: Final[int] = 0xfffffffffffffe00  # mask
"""Takes the offset of compressed data down to the start of its sector. Set by the format. Source: block/qcow2.h up to QEMU 6.1."""
QCOW_MAX_CLUSTER_OFFSET: Final[int] = 0x00ffffffffffffff  # bytes
"""The last host byte an L1 or L2 entry can reach: 64 PiB less one. Set by the format. Source: docs/interop/qcow2: Cluster mapping; block/qcow2.h."""
INV_OFFSET: Final[int] = 0xffffffffffffffff  # bytes
"""QEMU's mark for no offset at all: every bit set. QEMU's own. Source: block/qcow2.h."""
QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER: Final[int] = 32  # count
"""The subclusters of one cluster. Set by the format. Source: docs/interop/qcow2: Extended L2 Entries; block/qcow2.h."""
QCOW2_EXTL2_MIN_CLUSTER_BITS: Final[int] = 14  # bits
"""The smallest cluster with subclusters: 32 of them, of at least 512 bytes. Set by the format. Source: docs/interop/qcow2: Header; block/qcow2.c: qcow2_do_open; named by us."""
QCOW_OFLAG_SUB_ALLOC: Final[int] = 0x1  # mask
"""Subcluster 0 holds data; for subcluster X, shift left by X. Set by the format. Source: docs/interop/qcow2: Extended L2 Entries; block/qcow2.h."""
QCOW_OFLAG_SUB_ZERO: Final[int] = 0x0000000100000000  # mask
"""Subcluster 0 reads as zeros; for subcluster X, shift left by X. Set by the format. Source: docs/interop/qcow2: Extended L2 Entries; block/qcow2.h."""
QCOW_OFLAG_SUB_ALLOC_RANGE: Final[int] = 0xffffffff  # mask
"""Where the span macro sets bits: subclusters [X, Y) are the bits X to Y - 1. Set by the format. Source: docs/interop/qcow2: Extended L2 Entries; block/qcow2.h."""
QCOW_OFLAG_SUB_ZERO_RANGE: Final[int] = 0xffffffff00000000  # mask
"""Where the span macro sets bits: subclusters [X, Y) are the bits 32 + X to 31 + Y. Set by the format. Source: docs/interop/qcow2: Extended L2 Entries; block/qcow2.h."""
QCOW_L2_BITMAP_ALL_ALLOC: Final[int] = 0xffffffff  # mask
"""Every subcluster holds data. Set by the format. Source: docs/interop/qcow2: Extended L2 Entries; block/qcow2.h."""
QCOW_L2_BITMAP_ALL_ZEROES: Final[int] = 0xffffffff00000000  # mask
"""Every subcluster reads as zeros. Set by the format. Source: docs/interop/qcow2: Extended L2 Entries; block/qcow2.h."""
REFTABLE_ENTRY_SIZE: Final[int] = 8  # bytes
"""One entry of the refcount table. Set by the format. Source: block/qcow2.h."""
REFT_OFFSET_MASK: Final[int] = 0xfffffffffffffe00  # mask
"""Where the refcount block is; zero when all its counters are zero. Set by the format. Source: docs/interop/qcow2: Host cluster management; block/qcow2.h."""
REFT_RESERVED_MASK: Final[int] = 0x1ff  # mask
"""Zero by the format; masked off when read, reported by a check. Set by the format. Source: docs/interop/qcow2: Host cluster management; block/qcow2.h."""
QCOW_MAX_REFTABLE_SIZE: Final[int] = 8388608  # bytes
"""The largest refcount table QEMU takes: 8 MiB. QEMU's own. Source: block/qcow2.h."""
QCOW2_V2_REFCOUNT_ORDER: Final[int] = 4  # bits
"""refcount_order in version 2, which has no such field: 16-bit counters. Set by the format. Source: docs/interop/qcow2: Header; block/qcow2.c: literal in qcow2_do_open."""
QCOW2_MAX_REFCOUNT_ORDER: Final[int] = 6  # bits
"""The highest refcount_order: 64-bit counters. Set by the format. Source: docs/interop/qcow2: Header; block/qcow2.c: literal in qcow2_do_open."""
QCOW2_DEFAULT_REFCOUNT_BITS: Final[int] = 16  # bits
"""The counter width of a new image when nothing else is asked for. QEMU's own. Source: block/qcow2.c: literal in qcow2_opt_get_refcount_bits_del."""
QCOW2_SNAPSHOT_HEADER_SIZE: Final[int] = 40  # bytes
"""The fixed part of an entry, up to extra_data_size. Set by the format. Source: docs/interop/qcow2: Snapshots; block/qcow2.h: sizeof(QCowSnapshotHeader)."""
QCOW2_SNAPSHOT_ALIGNMENT: Final[int] = 8  # bytes
"""Every entry starts at a multiple of this. Set by the format. Source: docs/interop/qcow2: Snapshots; block/qcow2-snapshot.c: literal in qcow2_do_read_snapshots."""
QCOW2_SNAPSHOT_EXTRA_VM_STATE_SIZE: Final[int] = 8  # bytes
"""Extra data this long holds vm_state_size_large, which replaces the 32-bit field. Set by the format. Source: docs/interop/qcow2: Snapshots; block/qcow2-snapshot.c: sizeof in qcow2_do_read_snapshots."""
QCOW2_SNAPSHOT_EXTRA_DISK_SIZE: Final[int] = 16  # bytes
"""Extra data this long holds disk_size too; version 3 demands this much. Set by the format. Source: docs/interop/qcow2: Snapshots; block/qcow2-snapshot.c: sizeof in qcow2_do_read_snapshots."""
QCOW2_SNAPSHOT_EXTRA_ICOUNT_SIZE: Final[int] = 24  # bytes
"""Extra data this long holds icount too; what lies beyond is kept verbatim. Set by the format. Source: docs/interop/qcow2: Snapshots; block/qcow2.h: sizeof(QCowSnapshotExtraData)."""
QCOW2_SNAPSHOT_NO_ICOUNT: Final[int] = 0xffffffffffffffff  # number
"""The icount of a snapshot taken while instructions were not counted. Set by the format. Source: docs/interop/qcow2: Snapshots; block/qcow2-snapshot.c: literal -1."""
QCOW_MAX_SNAPSHOTS: Final[int] = 65536  # count
"""The most snapshots QEMU takes. QEMU's own. Source: block/qcow2.h."""
QCOW_MAX_SNAPSHOTS_SIZE: Final[int] = 67108864  # bytes
"""The largest snapshot table QEMU takes: 64 MiB, 1024 bytes for each possible entry. QEMU's own. Source: block/qcow2.h."""
QCOW_MAX_SNAPSHOT_EXTRA_DATA: Final[int] = 1024  # bytes
"""The most extra data QEMU takes in one entry. QEMU's own. Source: block/qcow2.h."""
QCOW2_MAX_BITMAPS: Final[int] = 65535  # count
"""The most bitmaps QEMU takes. QEMU's own. Source: block/qcow2.h."""
QCOW2_MAX_BITMAP_DIRECTORY_SIZE: Final[int] = 67107840  # bytes
"""The largest bitmap directory QEMU takes: 1024 bytes for each possible bitmap. QEMU's own. Source: block/qcow2.h."""
QCOW2_BITMAP_DIR_ENTRY_SIZE: Final[int] = 24  # bytes
"""The fixed part of a directory entry, up to extra_data_size. Set by the format. Source: docs/interop/qcow2: Bitmap directory; block/qcow2-bitmap.c: sizeof(Qcow2BitmapDirEntry)."""
QCOW2_BITMAP_DIR_ALIGNMENT: Final[int] = 8  # bytes
"""A directory entry is padded with zeros to a multiple of this. Set by the format. Source: docs/interop/qcow2: Bitmap directory; block/qcow2-bitmap.c: literal in its size."""
BME_MAX_TABLE_SIZE: Final[int] = 134217728  # entries
"""The most entries QEMU takes in one bitmap table. QEMU's own. Source: block/qcow2-bitmap.c."""
BME_MAX_PHYS_SIZE: Final[int] = 536870912  # bytes
"""The most clusters of bits QEMU takes for one bitmap, in bytes: 512 MiB. QEMU's own. Source: block/qcow2-bitmap.c."""
BME_MIN_GRANULARITY_BITS: Final[int] = 9  # bits
"""The finest granularity QEMU takes: a bit for 512 bytes. QEMU's own. Source: block/qcow2-bitmap.c."""
BME_MAX_GRANULARITY_BITS: Final[int] = 31  # bits
"""The coarsest granularity QEMU takes: a bit for 2 GiB. QEMU's own. Source: block/qcow2-bitmap.c."""
QCOW2_BITMAP_MAX_GRANULARITY_BITS: Final[int] = 63  # bits
"""The coarsest granularity the format knows; its finest is 0, a bit for a byte. Set by the format. Source: docs/interop/qcow2: Bitmap directory, a literal."""
BME_MAX_NAME_SIZE: Final[int] = 1023  # bytes
"""The longest bitmap name QEMU takes. QEMU's own. Source: block/qcow2-bitmap.c."""
BDRV_BITMAP_MAX_NAME_SIZE: Final[int] = 1023  # bytes
"""The same limit as the block layer states it. QEMU's own. Source: include/block/dirty-bitmap.h."""
BME_RESERVED_FLAGS: Final[int] = 0xfffffffc  # mask
"""The flags QEMU refuses; the format reserves only bits 3 to 31. QEMU's own. Source: block/qcow2-bitmap.c."""
BME_TABLE_ENTRY_SIZE: Final[int] = 8  # bytes
"""One entry of a bitmap table. Set by the format. Source: block/qcow2-bitmap.c."""
BME_TABLE_ENTRY_OFFSET_MASK: Final[int] = 0x00fffffffffffe00  # mask
"""Where the cluster of bits is; zero when there is none. Set by the format. Source: docs/interop/qcow2: Bitmap table; block/qcow2-bitmap.c."""
BME_TABLE_ENTRY_RESERVED_MASK: Final[int] = 0xff000000000001fe  # mask
"""Zero by the format; QEMU refuses the bitmap otherwise. Set by the format. Source: docs/interop/qcow2: Bitmap table; block/qcow2-bitmap.c."""
BME_TABLE_ENTRY_FLAG_ALL_ONES: Final[int] = 0x1  # mask
"""Without an offset: this stretch of bits is all ones; with one: reserved. Set by the format. Source: docs/interop/qcow2: Bitmap table; block/qcow2-bitmap.c."""
QCRYPTO_BLOCK_QCOW_SECTOR_SIZE: Final[int] = 512  # bytes
"""The unit of encryption: each sector has its own initialization vector. Set by the format. Source: crypto/block-qcow.c."""
QCRYPTO_BLOCK_QCOW_KEY_SIZE: Final[int] = 16  # bytes
"""The key of AES-128, taken from the password. Set by the format. Source: crypto/block-qcow.c: literal in qcrypto_block_qcow_init."""
QCOW_MAX_CRYPT_CLUSTERS: Final[int] = 32  # clusters
"""The most clusters QEMU encrypted in one go. QEMU's own. Source: block/qcow2.h."""
QCRYPTO_BLOCK_LUKS_MAGIC: Final[bytes] = b'LUKS\xba\xbe'
"""The six bytes L, U, K, S, 0xba and 0xbe open the header. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h, named qcrypto_block_luks_magic."""
QCRYPTO_BLOCK_LUKS_VERSION: Final[int] = 1  # number
"""The one version QEMU reads. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_HEADER_SIZE: Final[int] = 592  # bytes
"""The header with its eight key slots. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h: sizeof(QCryptoBlockLUKSHeader)."""
QCRYPTO_BLOCK_LUKS_KEY_SLOT_SIZE: Final[int] = 48  # bytes
"""One key slot of the header. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h: sizeof(QCryptoBlockLUKSKeySlot)."""
QCRYPTO_BLOCK_LUKS_MAGIC_LEN: Final[int] = 6  # bytes
"""The field magic. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_CIPHER_NAME_LEN: Final[int] = 32  # bytes
"""The field cipher_name. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_CIPHER_MODE_LEN: Final[int] = 32  # bytes
"""The field cipher_mode. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_HASH_SPEC_LEN: Final[int] = 32  # bytes
"""The field hash_spec. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_DIGEST_LEN: Final[int] = 20  # bytes
"""The digest by which a master key is recognized. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_SALT_LEN: Final[int] = 32  # bytes
"""Each salt. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_UUID_LEN: Final[int] = 40  # bytes
"""The field uuid, as text. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_NUM_KEY_SLOTS: Final[int] = 8  # count
"""The key slots of a header. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_STRIPES: Final[int] = 4000  # count
"""The stripes over which a key is split, so that losing any destroys it. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_MIN_SLOT_KEY_ITERS: Final[int] = 1000  # count
"""The fewest PBKDF2 iterations of a key slot that QEMU writes. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_MIN_MASTER_KEY_ITERS: Final[int] = 1000  # count
"""The fewest PBKDF2 iterations of the master key digest that QEMU writes. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_KEY_SLOT_OFFSET: Final[int] = 4096  # bytes
"""Where the key material starts, and what each stretch of it is aligned to. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_SECTOR_SIZE: Final[int] = 512  # bytes
"""The sector in which offsets are counted, and the unit of encryption. Set by the format. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_DEFAULT_ITER_TIME_MS: Final[int] = 2000  # milliseconds
"""How long PBKDF2 is made to take in a new header. QEMU's own. Source: crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_ERASE_ITERATIONS: Final[int] = 40  # count
"""How often the key material of an erased slot is overwritten. QEMU's own. Source: crypto/block-luks-priv.h."""
QCRYPTO_BLOCK_LUKS_CIPHER_AES: Final[str] = "aes"
"""AES; a key of 16, 24 or 32 bytes, two of them with XTS. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_name_map."""
QCRYPTO_BLOCK_LUKS_CIPHER_CAST5: Final[str] = "cast5"
"""CAST5; a key of 16 bytes. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_name_map."""
QCRYPTO_BLOCK_LUKS_CIPHER_SERPENT: Final[str] = "serpent"
"""Serpent; a key of 16, 24 or 32 bytes, two of them with XTS. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_name_map."""
QCRYPTO_BLOCK_LUKS_CIPHER_TWOFISH: Final[str] = "twofish"
"""Twofish; a key of 16, 24 or 32 bytes, two of them with XTS. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_name_map."""
QCRYPTO_BLOCK_LUKS_CIPHER_SM4: Final[str] = "sm4"
"""SM4; a key of 16 bytes; since QEMU 9.0, and only in a build with it. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_name_map."""
QCRYPTO_CIPHER_MODE_ECB: Final[str] = "ecb"
"""Electronic code book: no vector. QEMU's own. Source: qapi/crypto.json: QCryptoCipherMode; the number by that name reaches no image."""
QCRYPTO_CIPHER_MODE_CBC: Final[str] = "cbc"
"""Cipher block chaining. QEMU's own. Source: qapi/crypto.json: QCryptoCipherMode; the number by that name reaches no image."""
QCRYPTO_CIPHER_MODE_XTS: Final[str] = "xts"
"""XEX with ciphertext stealing, the default; two keys. QEMU's own. Source: qapi/crypto.json: QCryptoCipherMode; the number by that name reaches no image."""
QCRYPTO_CIPHER_MODE_CTR: Final[str] = "ctr"
"""Counter mode. QEMU's own. Source: qapi/crypto.json: QCryptoCipherMode; the number by that name reaches no image."""
QCRYPTO_IVGEN_ALG_PLAIN: Final[str] = "plain"
"""Vectors are the sector number, cut to 32 bits. QEMU's own. Source: qapi/crypto.json: QCryptoIVGenAlgorithm; the number by that name reaches no image."""
QCRYPTO_IVGEN_ALG_PLAIN64: Final[str] = "plain64"
"""Vectors are the sector number, of 64 bits; the default. QEMU's own. Source: qapi/crypto.json: QCryptoIVGenAlgorithm; the number by that name reaches no image."""
QCRYPTO_IVGEN_ALG_ESSIV: Final[str] = "essiv"
"""Vectors are the sector number, encrypted under a hash of the key. QEMU's own. Source: qapi/crypto.json: QCryptoIVGenAlgorithm; the number by that name reaches no image."""
QCRYPTO_HASH_ALG_MD5: Final[str] = "md5"
"""MD5. QEMU's own. Source: qapi/crypto.json: QCryptoHashAlgorithm; the number by that name reaches no image."""
QCRYPTO_HASH_ALG_SHA1: Final[str] = "sha1"
"""SHA-1. QEMU's own. Source: qapi/crypto.json: QCryptoHashAlgorithm; the number by that name reaches no image."""
QCRYPTO_HASH_ALG_SHA224: Final[str] = "sha224"
"""SHA-224. QEMU's own. Source: qapi/crypto.json: QCryptoHashAlgorithm; the number by that name reaches no image."""
QCRYPTO_HASH_ALG_SHA256: Final[str] = "sha256"
"""SHA-256, the default. QEMU's own. Source: qapi/crypto.json: QCryptoHashAlgorithm; the number by that name reaches no image."""
QCRYPTO_HASH_ALG_SHA384: Final[str] = "sha384"
"""SHA-384. QEMU's own. Source: qapi/crypto.json: QCryptoHashAlgorithm; the number by that name reaches no image."""
QCRYPTO_HASH_ALG_SHA512: Final[str] = "sha512"
"""SHA-512. QEMU's own. Source: qapi/crypto.json: QCryptoHashAlgorithm; the number by that name reaches no image."""
QCRYPTO_HASH_ALG_RIPEMD160: Final[str] = "ripemd160"
"""RIPEMD-160. QEMU's own. Source: qapi/crypto.json: QCryptoHashAlgorithm; the number by that name reaches no image."""
QCRYPTO_HASH_ALGO_SM3: Final[str] = "sm3"
"""SM3; since QEMU 9.2, and only in a build with it. QEMU's own. Source: qapi/crypto.json: QCryptoHashAlgo; the number by that name reaches no image."""
QCRYPTO_CIPHER_KEY_LEN_AES_128: Final[int] = 16  # bytes
"""A key that AES may have: 128 bits. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_size_map, named by us."""
QCRYPTO_CIPHER_KEY_LEN_AES_192: Final[int] = 24  # bytes
"""A key that AES may have: 192 bits. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_size_map, named by us."""
QCRYPTO_CIPHER_KEY_LEN_AES_256: Final[int] = 32  # bytes
"""A key that AES may have: 256 bits. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_size_map, named by us."""
QCRYPTO_CIPHER_KEY_LEN_CAST5_128: Final[int] = 16  # bytes
"""A key that CAST5 may have: 128 bits. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_size_map, named by us."""
QCRYPTO_CIPHER_KEY_LEN_SERPENT_128: Final[int] = 16  # bytes
"""A key that Serpent may have: 128 bits. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_size_map, named by us."""
QCRYPTO_CIPHER_KEY_LEN_SERPENT_192: Final[int] = 24  # bytes
"""A key that Serpent may have: 192 bits. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_size_map, named by us."""
QCRYPTO_CIPHER_KEY_LEN_SERPENT_256: Final[int] = 32  # bytes
"""A key that Serpent may have: 256 bits. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_size_map, named by us."""
QCRYPTO_CIPHER_KEY_LEN_TWOFISH_128: Final[int] = 16  # bytes
"""A key that Twofish may have: 128 bits. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_size_map, named by us."""
QCRYPTO_CIPHER_KEY_LEN_TWOFISH_192: Final[int] = 24  # bytes
"""A key that Twofish may have: 192 bits. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_size_map, named by us."""
QCRYPTO_CIPHER_KEY_LEN_TWOFISH_256: Final[int] = 32  # bytes
"""A key that Twofish may have: 256 bits. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_size_map, named by us."""
QCRYPTO_CIPHER_KEY_LEN_SM4: Final[int] = 16  # bytes
"""A key that SM4 may have: 128 bits. QEMU's own. Source: crypto/block-luks.c: literal in qcrypto_block_luks_cipher_size_map, named by us."""
QCRYPTO_HASH_DIGEST_LEN_MD5: Final[int] = 16  # bytes
"""The digest of MD5, and so the key of the cipher in essiv. QEMU's own. Source: include/crypto/hash.h."""
QCRYPTO_HASH_DIGEST_LEN_SHA1: Final[int] = 20  # bytes
"""The digest of SHA-1, and so the key of the cipher in essiv. QEMU's own. Source: include/crypto/hash.h."""
QCRYPTO_HASH_DIGEST_LEN_SHA224: Final[int] = 28  # bytes
"""The digest of SHA-224, and so the key of the cipher in essiv. QEMU's own. Source: include/crypto/hash.h."""
QCRYPTO_HASH_DIGEST_LEN_SHA256: Final[int] = 32  # bytes
"""The digest of SHA-256, and so the key of the cipher in essiv. QEMU's own. Source: include/crypto/hash.h."""
QCRYPTO_HASH_DIGEST_LEN_SHA384: Final[int] = 48  # bytes
"""The digest of SHA-384, and so the key of the cipher in essiv. QEMU's own. Source: include/crypto/hash.h."""
QCRYPTO_HASH_DIGEST_LEN_SHA512: Final[int] = 64  # bytes
"""The digest of SHA-512, and so the key of the cipher in essiv. QEMU's own. Source: include/crypto/hash.h."""
QCRYPTO_HASH_DIGEST_LEN_RIPEMD160: Final[int] = 20  # bytes
"""The digest of RIPEMD-160, and so the key of the cipher in essiv. QEMU's own. Source: include/crypto/hash.h."""
QCRYPTO_HASH_DIGEST_LEN_SM3: Final[int] = 32  # bytes
"""The digest of SM3, and so the key of the cipher in essiv. QEMU's own. Source: include/crypto/hash.h."""
BDRV_SECTOR_BITS: Final[int] = 9  # bits
"""The block layer's sector is 2^9 bytes. QEMU's own. Source: include/block/block-common.h."""
BDRV_SECTOR_SIZE: Final[int] = 512  # bytes
"""The block layer's sector; a disk size is rounded down to it. QEMU's own. Source: include/block/block-common.h."""
RAW_LOCK_PERM_BASE: Final[int] = 100  # bytes
"""Who uses a local file locks the byte at this offset plus each permission's bit number. QEMU's own. Source: block/file-posix.c."""
BDRV_REQUEST_MAX_SECTORS: Final[int] = 4194303  # sectors
"""The most one request moves: the largest int of bytes, in whole sectors. QEMU's own. Source: include/block/block-common.h."""
BDRV_REQUEST_MAX_BYTES: Final[int] = 2147483136  # bytes
"""The same in bytes; a longer request fails with EIO. QEMU's own. Source: include/block/block-common.h."""
BDRV_MAX_ALIGNMENT: Final[int] = 1073741824  # bytes
"""The coarsest alignment the block layer plans for: 1 GiB. QEMU's own. Source: include/block/block-common.h."""
BDRV_MAX_LENGTH: Final[int] = 9223372035781033984  # bytes
"""No request and no disk ends past this: 2^63 less 1 GiB. QEMU's own. Source: include/block/block-common.h."""
HBITMAP_LOG_MAX_SIZE: Final[int] = 41  # bits
"""Logarithm to base 2 of the most bits that a bitmap in memory has, on 64-bit machines. QEMU's own. Source: util/hbitmap.c."""
MIN_L2_CACHE_SIZE: Final[int] = 2  # entries
"""The fewest entries of the L2 cache: a copy on write needs two. QEMU's own. Source: block/qcow2.h."""
MIN_REFCOUNT_CACHE_SIZE: Final[int] = 4  # clusters
"""The fewest refcount blocks cached: growing the refcount table needs four. QEMU's own. Source: block/qcow2.h."""
DEFAULT_L2_CACHE_MAX_SIZE: Final[int] = 33554432  # bytes
"""The L2 cache's default bound, 32 MiB; it shrinks to what the disk needs. QEMU's own. Source: block/qcow2.h, Linux."""
DEFAULT_L2_CACHE_MAX_SIZE_ELSEWHERE: Final[int] = 8388608  # bytes
"""The same bound on other systems than Linux: 8 MiB. QEMU's own. Source: block/qcow2.h, where it is named DEFAULT_L2_CACHE_MAX_SIZE in the other branch."""
QCOW2_DEFAULT_L2_CACHE_ENTRY_SIZE: Final[int] = 4096  # bytes
"""The part of an L2 table cached as a whole, when the cache cannot hold every table. QEMU's own. Source: block/qcow2.c: literal in read_cache_sizes."""
DEFAULT_CACHE_CLEAN_INTERVAL: Final[int] = 600  # seconds
"""After this long, unused cache entries are dropped. QEMU's own. Source: block/qcow2.h, Linux."""
DEFAULT_CACHE_CLEAN_INTERVAL_ELSEWHERE: Final[int] = 0  # seconds
"""Never, on other systems than Linux. QEMU's own. Source: block/qcow2.h, where it is named DEFAULT_CACHE_CLEAN_INTERVAL in the other branch."""
QCOW2_MAX_WORKERS: Final[int] = 8  # count
"""The most parts of one guest request in progress at once. QEMU's own. Source: block/qcow2.h."""
QCOW2_MAX_THREADS: Final[int] = 4  # count
"""The most threads that compress or encrypt for one image. QEMU's own. Source: block/qcow2.h."""
QCOW2_OVERLAP_TEMPLATE_NONE: Final[str] = "none"
"""The value of overlap-check that stands for QCOW2_OL_NONE. QEMU's own. Source: block/qcow2.c: literal in qcow2_update_options_prepare."""
QCOW2_OVERLAP_TEMPLATE_CONSTANT: Final[str] = "constant"
"""The value of overlap-check that stands for QCOW2_OL_CONSTANT. QEMU's own. Source: block/qcow2.c: literal in qcow2_update_options_prepare."""
QCOW2_OVERLAP_TEMPLATE_CACHED: Final[str] = "cached"
"""The value of overlap-check that stands for QCOW2_OL_CACHED; the default. QEMU's own. Source: block/qcow2.c: literal in qcow2_update_options_prepare."""
QCOW2_OVERLAP_TEMPLATE_ALL: Final[str] = "all"
"""The value of overlap-check that stands for QCOW2_OL_ALL. QEMU's own. Source: block/qcow2.c: literal in qcow2_update_options_prepare."""
QCOW2_OPT_DATA_FILE: Final[str] = "data-file"
"""Open this as the external data file. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_LAZY_REFCOUNTS: Final[str] = "lazy-refcounts"
"""Put off refcount updates, whatever the image's compatible bit says. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_DISCARD_REQUEST: Final[str] = "pass-discard-request"
"""Pass the guest's discards on; by default as the node's discard option says. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_DISCARD_SNAPSHOT: Final[str] = "pass-discard-snapshot"
"""Pass on what deleting snapshots frees; on by default. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_DISCARD_OTHER: Final[str] = "pass-discard-other"
"""Pass on what anything else frees; off by default. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_DISCARD_NO_UNREF: Final[str] = "discard-no-unref"
"""Keep the host cluster of a discarded one, to fragment less; since QEMU 8.1. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_OVERLAP: Final[str] = "overlap-check"
"""Which overlap checks run: a template's name. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_OVERLAP_TEMPLATE: Final[str] = "overlap-check.template"
"""The same, beside switches for single checks. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_OVERLAP_MAIN_HEADER: Final[str] = "overlap-check.main-header"
"""Switch for QCOW2_OL_MAIN_HEADER. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_OVERLAP_ACTIVE_L1: Final[str] = "overlap-check.active-l1"
"""Switch for QCOW2_OL_ACTIVE_L1. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_OVERLAP_ACTIVE_L2: Final[str] = "overlap-check.active-l2"
"""Switch for QCOW2_OL_ACTIVE_L2. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_OVERLAP_REFCOUNT_TABLE: Final[str] = "overlap-check.refcount-table"
"""Switch for QCOW2_OL_REFCOUNT_TABLE. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_OVERLAP_REFCOUNT_BLOCK: Final[str] = "overlap-check.refcount-block"
"""Switch for QCOW2_OL_REFCOUNT_BLOCK. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_OVERLAP_SNAPSHOT_TABLE: Final[str] = "overlap-check.snapshot-table"
"""Switch for QCOW2_OL_SNAPSHOT_TABLE. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_OVERLAP_INACTIVE_L1: Final[str] = "overlap-check.inactive-l1"
"""Switch for QCOW2_OL_INACTIVE_L1. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_OVERLAP_INACTIVE_L2: Final[str] = "overlap-check.inactive-l2"
"""Switch for QCOW2_OL_INACTIVE_L2. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_OVERLAP_BITMAP_DIRECTORY: Final[str] = "overlap-check.bitmap-directory"
"""Switch for QCOW2_OL_BITMAP_DIRECTORY. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_CACHE_SIZE: Final[str] = "cache-size"
"""Bytes for both metadata caches together. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_L2_CACHE_SIZE: Final[str] = "l2-cache-size"
"""Bytes for the L2 cache. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_L2_CACHE_ENTRY_SIZE: Final[str] = "l2-cache-entry-size"
"""Bytes of one L2 cache entry: a power of two, from 512 to a cluster. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_REFCOUNT_CACHE_SIZE: Final[str] = "refcount-cache-size"
"""Bytes for the refcount block cache. QEMU's own. Source: block/qcow2.h."""
QCOW2_OPT_CACHE_CLEAN_INTERVAL: Final[str] = "cache-clean-interval"
"""Seconds after which unused cache entries are dropped; 0 for never. QEMU's own. Source: block/qcow2.h."""
QCOW_OPT_ENCRYPT_PREFIX: Final[str] = "encrypt."
"""Stands before every option of this group. QEMU's own. Source: block/qcow2.c and block/qcow.c: literal."""
BLOCK_CRYPTO_OPT_QCOW_KEY_SECRET: Final[str] = "key-secret"
"""Which secret object holds the AES password. QEMU's own. Source: block/crypto.h."""
BLOCK_CRYPTO_OPT_LUKS_KEY_SECRET: Final[str] = "key-secret"
"""Which secret object holds a LUKS passphrase. QEMU's own. Source: block/crypto.h."""
BLOCK_CRYPTO_OPT_LUKS_CIPHER_ALG: Final[str] = "cipher-alg"
"""Cipher and key length of a new image; aes-256 by default. QEMU's own. Source: block/crypto.h."""
BLOCK_CRYPTO_OPT_LUKS_CIPHER_MODE: Final[str] = "cipher-mode"
"""Cipher mode of a new image; xts by default. QEMU's own. Source: block/crypto.h."""
BLOCK_CRYPTO_OPT_LUKS_IVGEN_ALG: Final[str] = "ivgen-alg"
"""Vector generator of a new image; plain64 by default. QEMU's own. Source: block/crypto.h."""
BLOCK_CRYPTO_OPT_LUKS_IVGEN_HASH_ALG: Final[str] = "ivgen-hash-alg"
"""Hash of that generator, where it needs one. QEMU's own. Source: block/crypto.h."""
BLOCK_CRYPTO_OPT_LUKS_HASH_ALG: Final[str] = "hash-alg"
"""Hash of PBKDF2 in a new image; sha256 by default. QEMU's own. Source: block/crypto.h."""
BLOCK_CRYPTO_OPT_LUKS_ITER_TIME: Final[str] = "iter-time"
"""Milliseconds PBKDF2 is made to take. QEMU's own. Source: block/crypto.h."""
BLOCK_CRYPTO_OPT_LUKS_KEYSLOT: Final[str] = "keyslot"
"""Which key slot an amend changes. QEMU's own. Source: block/crypto.h."""
BLOCK_CRYPTO_OPT_LUKS_STATE: Final[str] = "state"
"""What an amend makes of it: active or inactive. QEMU's own. Source: block/crypto.h."""
BLOCK_CRYPTO_OPT_LUKS_OLD_SECRET: Final[str] = "old-secret"
"""An amend changes the slots that this secret opens. QEMU's own. Source: block/crypto.h."""
BLOCK_CRYPTO_OPT_LUKS_NEW_SECRET: Final[str] = "new-secret"
"""The secret that an amend puts into them. QEMU's own. Source: block/crypto.h."""
BLOCK_OPT_SIZE: Final[str] = "size"
"""Size of the disk. QEMU's own. Source: include/block/block_int-common.h."""
BLOCK_OPT_BACKING_FILE: Final[str] = "backing_file"
"""Backing file name. QEMU's own. Source: include/block/block_int-common.h."""
BLOCK_OPT_BACKING_FMT: Final[str] = "backing_fmt"
"""Backing file format; stored in an extension, and not at all in version 1. QEMU's own. Source: include/block/block_int-common.h."""
BLOCK_OPT_ENCRYPT: Final[str] = "encryption"
"""Encrypt with AES: an older form of encrypt.format=aes. QEMU's own. Source: include/block/block_int-common.h."""
BLOCK_OPT_ENCRYPT_FORMAT: Final[str] = "encrypt.format"
"""Encryption method: aes, or from version 2 luks. QEMU's own. Source: include/block/block_int-common.h."""
BLOCK_OPT_COMPAT_LEVEL: Final[str] = "compat"
"""Version: 0.10 or v2, 1.1 or v3. QEMU's own. Source: include/block/block_int-common.h."""
BLOCK_OPT_CLUSTER_SIZE: Final[str] = "cluster_size"
"""Cluster size in bytes. QEMU's own. Source: include/block/block_int-common.h."""
BLOCK_OPT_PREALLOC: Final[str] = "preallocation"
"""What is allocated beforehand: a PreallocMode. QEMU's own. Source: include/block/block_int-common.h."""
BLOCK_OPT_LAZY_REFCOUNTS: Final[str] = "lazy_refcounts"
"""Sets the compatible bit. QEMU's own. Source: include/block/block_int-common.h."""
BLOCK_OPT_REFCOUNT_BITS: Final[str] = "refcount_bits"
"""Width of a refcount: 1, 2, 4, 8, 16, 32 or 64. QEMU's own. Source: include/block/block_int-common.h."""
BLOCK_OPT_DATA_FILE: Final[str] = "data_file"
"""External data file name; sets the incompatible bit. QEMU's own. Source: include/block/block_int-common.h."""
BLOCK_OPT_DATA_FILE_RAW: Final[str] = "data_file_raw"
"""Sets the autoclear bit for raw external data. QEMU's own. Source: include/block/block_int-common.h."""
BLOCK_OPT_COMPRESSION_TYPE: Final[str] = "compression_type"
"""Method of compressed clusters: zlib or zstd. QEMU's own. Source: include/block/block_int-common.h."""
BLOCK_OPT_EXTL2: Final[str] = "extended_l2"
"""Sets the incompatible bit for extended L2 entries. QEMU's own. Source: include/block/block_int-common.h."""
LIBRBD_OFFSET_MASK: Final[int] = 0x3fffffffffffffff  # mask
"""The bits of an L1 or L2 entry that librbd takes for an offset in versions 2 and 3. librbd's own. Source: librbd QCOWFormat.cc: handle_read_v2_header (m_cluster_mask); named by us."""
POLICY_MAX_DISK_SIZE: Final[int] = 70368744177664  # bytes
"""The largest disk that the untrusted profile accepts: 64 TiB. qcowspec's own. Source: qcowspec: untrusted profile; named by us."""
POLICY_MAX_HEADER_EXTENSIONS: Final[int] = 4096  # count
"""Header extensions that are judged one by one; QEMU takes as many as fit a cluster. qcowspec's own. Source: qcowspec: qcowspec/reader/extensions; named by us."""
POLICY_MAX_BITMAP_TABLES: Final[int] = 67108864  # bytes
"""Bitmap tables that are read when an image is opened, all together: 64 MiB. qcowspec's own. Source: qcowspec: qcowspec/reader/bitmaps; named by us."""
POLICY_MAX_LUKS_HEADERS: Final[int] = 64  # count
"""LUKS headers that are read when an image is opened; an image has one. qcowspec's own. Source: qcowspec: qcowspec/reader/extensions; named by us."""
POLICY_MAX_CHAIN: Final[int] = 256  # count
"""Layers of a backing chain that are opened; QEMU knows no bound. qcowspec's own. Source: qcowspec: qcowspec/chain; named by us."""
POLICY_MAX_PBKDF2_ROUNDS: Final[int] = 268435456  # count
"""PBKDF2 iterations, times blocks of the hash, to open one image: some minutes; QEMU has no bound. qcowspec's own. Source: qcowspec: qcowspec/crypto/luks; named by us."""
POLICY_MAX_SECRET_SIZE: Final[int] = 8388608  # bytes
"""The longest passphrase that is read from a file: 8 MiB, as cryptsetup has it. qcowspec's own. Source: qcowspec: qcowspec/crypto/secret; named by us."""
FOREIGN_ISO9660: Final[str] = "CD001"
"""An ISO 9660 file system's first volume descriptor says this behind its type byte. qcowspec's own. Source: ECMA-119: Volume Descriptors; named by us."""
FOREIGN_ISO9660_OFFSET: Final[int] = 32769  # bytes
"""Where it stands in the file. qcowspec's own. Source: ECMA-119: Volume Descriptors; named by us."""
FOREIGN_VHD: Final[str] = "conectix"
"""A VHD disk's footer begins so, in the last sector of the file. qcowspec's own. Source: block/vpc.c: VHDFooter; named by us."""
FOREIGN_VHD_FROM_END: Final[int] = 512  # bytes
"""How far before the end of the file it stands. qcowspec's own. Source: block/vpc.c: VHDFooter; named by us."""
FOREIGN_DMG: Final[str] = "koly"
"""An Apple disk image's trailer begins so, in the last sector of the file. qcowspec's own. Source: block/dmg.c: dmg_find_koly_offset; named by us."""
FOREIGN_DMG_FROM_END: Final[int] = 512  # bytes
"""How far before the end of the file it stands. qcowspec's own. Source: block/dmg.c: dmg_find_koly_offset; named by us."""
FOREIGN_GPT: Final[str] = "EFI PART"
"""A GUID partition table's header begins so, in the second sector. qcowspec's own. Source: UEFI: GPT Header; named by us."""
FOREIGN_GPT_OFFSET: Final[int] = 512  # bytes
"""Where it stands in the file. qcowspec's own. Source: UEFI: GPT Header; named by us."""
FOREIGN_VDI: Final[int] = 0xbeda107f  # number
"""A VirtualBox disk's header has this 32-bit number, little endian. qcowspec's own. Source: block/vdi.c: VDI_SIGNATURE; named by us."""
FOREIGN_VDI_OFFSET: Final[int] = 64  # bytes
"""Where it stands in the file. qcowspec's own. Source: block/vdi.c: VdiHeader; named by us."""
FOREIGN_MBR: Final[int] = 43605  # number
"""A boot sector, and with it a DOS partition table, ends in this 16-bit number, little endian. qcowspec's own. Source: the PC's boot convention; named by us."""
FOREIGN_MBR_OFFSET: Final[int] = 510  # bytes
"""Where it stands in the file. qcowspec's own. Source: the PC's boot convention; named by us."""
VMDK3_MAGIC: Final[int] = 0x434f5744  # number
"""A sparse extent of VMware's first kind begins with COWD. QEMU's own. Source: block/vmdk.c."""
VMDK4_MAGIC: Final[int] = 0x4b444d56  # number
"""A sparse extent of VMware's later kinds begins with KDMV. QEMU's own. Source: block/vmdk.c."""
FOREIGN_VMDK_DESCRIPTOR: Final[str] = "version="
"""A VMDK descriptor's first line that is neither comment nor blank; a digit and the line's end follow. QEMU's own. Source: block/vmdk.c: vmdk_probe; literal, named by us."""
FOREIGN_VMDK_VERSION_MAXIMUM: Final[int] = 3  # number
"""The highest version that this line may name; the lowest is 1. QEMU's own. Source: block/vmdk.c: vmdk_probe; literal, named by us."""
FOREIGN_VHDX: Final[str] = "vhdxfile"
"""A VHDX disk's file begins so. QEMU's own. Source: block/vhdx.c: vhdx_probe; literal, named by us."""
QED_MAGIC: Final[int] = 0x00444551  # number
"""A QED image begins with this 32-bit number, little endian: QED and a zero byte. QEMU's own. Source: block/qed.h."""
FOREIGN_PARALLELS: Final[str] = "WithoutFreeSpace"
"""A Parallels disk begins so, with sectors in its table. QEMU's own. Source: block/parallels.c: HEADER_MAGIC; named by us."""
FOREIGN_PARALLELS_EXT: Final[str] = "WithouFreSpacExt"
"""A Parallels disk begins so, with clusters in its table. QEMU's own. Source: block/parallels.c: HEADER_MAGIC2; named by us."""
FOREIGN_PARALLELS_VERSION: Final[int] = 2  # number
"""The version behind it, 32 bits, little endian. QEMU's own. Source: block/parallels.c: HEADER_VERSION; named by us."""
FOREIGN_BOCHS: Final[str] = "Bochs Virtual HD Image"
"""A Bochs disk begins with this and a zero byte, in 32 bytes. QEMU's own. Source: block/bochs.c: HEADER_MAGIC; named by us."""
FOREIGN_BOCHS_TYPE: Final[str] = "Redolog"
"""What follows, with a zero byte, in 16 bytes. QEMU's own. Source: block/bochs.c: REDOLOG_TYPE; named by us."""
FOREIGN_BOCHS_SUBTYPE: Final[str] = "Growing"
"""What follows that, with a zero byte, in 16 bytes. QEMU's own. Source: block/bochs.c: GROWING_TYPE; named by us."""
FOREIGN_BOCHS_TYPE_OFFSET: Final[int] = 32  # bytes
"""Where the type stands. QEMU's own. Source: block/bochs.c: struct bochs_header; literal, named by us."""
FOREIGN_BOCHS_SUBTYPE_OFFSET: Final[int] = 48  # bytes
"""Where the subtype stands. QEMU's own. Source: block/bochs.c: struct bochs_header; literal, named by us."""
FOREIGN_BOCHS_VERSION_OFFSET: Final[int] = 64  # bytes
"""Where the version stands, 32 bits, little endian. QEMU's own. Source: block/bochs.c: struct bochs_header; literal, named by us."""
FOREIGN_BOCHS_V1: Final[int] = 0x00010000  # number
"""One of two versions. QEMU's own. Source: block/bochs.c: HEADER_V1; named by us."""
FOREIGN_BOCHS_V2: Final[int] = 0x00020000  # number
"""The other. QEMU's own. Source: block/bochs.c: HEADER_VERSION; named by us."""
FOREIGN_CLOOP: Final[str] = "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1"
"""A compressed loop file begins with this script and a line's end. QEMU's own. Source: block/cloop.c: cloop_probe; literal, named by us."""
FOREIGN_DMG_SUFFIX: Final[str] = ".dmg"
"""A file whose name ends so, and is longer, is dmg's if no signature is there. QEMU's own. Source: block/dmg.c: dmg_probe; literal, named by us."""


if TYPE_CHECKING:

    class BlockdevQcow2Version(IntEnum):
        """The versions as QMP names them; these numbers are no version numbers and reach no image. Source: qapi/block-core.json."""

        BLOCKDEV_QCOW2_VERSION_V2 = 0
        """Version 2, spelled v2."""
        BLOCKDEV_QCOW2_VERSION_V3 = 1
        """Version 3, spelled v3."""

    class QcowCryptMethod(IntEnum):
        """How guest data is encrypted: the header field crypt_method. Source: docs/interop/qcow2: Header; block/qcow2.h: defines, the enum is named by us."""

        QCOW_CRYPT_NONE = 0
        """Not encrypted."""
        QCOW_CRYPT_AES = 1
        """AES-CBC under the password itself; kept to free old data."""
        QCOW_CRYPT_LUKS = 2
        """LUKS, its header found by an extension; not in version 1."""

    class Qcow2CompressionType(IntEnum):
        """How compressed clusters are compressed: the header field compression_type. Source: docs/interop/qcow2: Additional fields; qapi/block-core.json."""

        QCOW2_COMPRESSION_TYPE_ZLIB = 0
        """Raw deflate, no zlib header; QEMU spells it zlib."""
        QCOW2_COMPRESSION_TYPE_ZSTD = 1
        """Zstandard frames; QEMU spells it zstd."""

    class Qcow2FeatureType(IntEnum):
        """Which of the three words an entry of the feature name table is about. Source: docs/interop/qcow2: Feature name table; block/qcow2.h: anonymous enum, named by us."""

        QCOW2_FEAT_TYPE_INCOMPATIBLE = 0
        """incompatible_features."""
        QCOW2_FEAT_TYPE_COMPATIBLE = 1
        """compatible_features."""
        QCOW2_FEAT_TYPE_AUTOCLEAR = 2
        """autoclear_features."""

    class Qcow2IncompatibleBitnr(IntEnum):
        """The bit numbers in incompatible_features. Source: docs/interop/qcow2: Header; block/qcow2.h: anonymous enum, named by us."""

        QCOW2_INCOMPAT_DIRTY_BITNR = 0
        """Dirty bit."""
        QCOW2_INCOMPAT_CORRUPT_BITNR = 1
        """Corrupt bit."""
        QCOW2_INCOMPAT_DATA_FILE_BITNR = 2
        """External data file bit."""
        QCOW2_INCOMPAT_COMPRESSION_BITNR = 3
        """Compression type bit."""
        QCOW2_INCOMPAT_EXTL2_BITNR = 4
        """Extended L2 entries bit."""

    class Qcow2IncompatibleFeatures(IntFlag, boundary=KEEP):
        """The header field incompatible_features. Source: docs/interop/qcow2: Header; block/qcow2.h: anonymous enum, named by us."""

        QCOW2_INCOMPAT_DIRTY = 0x1
        """Refcounts may be wrong: recount before a write."""
        QCOW2_INCOMPAT_CORRUPT = 0x2
        """Any structure may be wrong: only a repair may write."""
        QCOW2_INCOMPAT_DATA_FILE = 0x4
        """Guest clusters live in another file."""
        QCOW2_INCOMPAT_COMPRESSION = 0x8
        """compression_type is present and not deflate."""
        QCOW2_INCOMPAT_EXTL2 = 0x10
        """L2 entries are twice as wide and have subclusters."""
        QCOW2_INCOMPAT_MASK = QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT | QCOW2_INCOMPAT_DATA_FILE | QCOW2_INCOMPAT_COMPRESSION | QCOW2_INCOMPAT_EXTL2
        """The incompatible bits QEMU knows; it refuses any other."""

    class Qcow2CompatibleBitnr(IntEnum):
        """The bit numbers in compatible_features. Source: docs/interop/qcow2: Header; block/qcow2.h: anonymous enum, named by us."""

        QCOW2_COMPAT_LAZY_REFCOUNTS_BITNR = 0
        """Lazy refcounts bit."""

    class Qcow2CompatibleFeatures(IntFlag, boundary=KEEP):
        """The header field compatible_features. Source: docs/interop/qcow2: Header; block/qcow2.h: anonymous enum, named by us."""

        QCOW2_COMPAT_LAZY_REFCOUNTS = 0x1
        """A writer may set dirty and put off refcounts."""
        QCOW2_COMPAT_FEAT_MASK = QCOW2_COMPAT_LAZY_REFCOUNTS
        """The compatible bits QEMU knows; it keeps the others as they are."""

    class Qcow2AutoclearBitnr(IntEnum):
        """The bit numbers in autoclear_features. Source: docs/interop/qcow2: Header; block/qcow2.h: anonymous enum, named by us."""

        QCOW2_AUTOCLEAR_BITMAPS_BITNR = 0
        """Bitmaps extension bit."""
        QCOW2_AUTOCLEAR_DATA_FILE_RAW_BITNR = 1
        """Raw external data bit."""

    class Qcow2AutoclearFeatures(IntFlag, boundary=KEEP):
        """The header field autoclear_features. Source: docs/interop/qcow2: Header; block/qcow2.h: anonymous enum, named by us."""

        QCOW2_AUTOCLEAR_BITMAPS = 0x1
        """The stored bitmaps agree with the image."""
        QCOW2_AUTOCLEAR_DATA_FILE_RAW = 0x2
        """The external data file alone is a raw image."""
        QCOW2_AUTOCLEAR_MASK = QCOW2_AUTOCLEAR_BITMAPS | QCOW2_AUTOCLEAR_DATA_FILE_RAW
        """The autoclear bits QEMU knows; it clears the others when it opens for writing."""

    class QCow2ClusterType(IntEnum):
        """What an L2 entry says of its cluster. Source: block/qcow2.h: qcow2_get_cluster_type."""

        QCOW2_CLUSTER_UNALLOCATED = 0
        """Nothing here: the backing file's data, or zeros."""
        QCOW2_CLUSTER_ZERO_PLAIN = 1
        """Zeros, and no host cluster."""
        QCOW2_CLUSTER_ZERO_ALLOC = 2
        """Zeros, with a host cluster held ready."""
        QCOW2_CLUSTER_NORMAL = 3
        """Data at the host offset."""
        QCOW2_CLUSTER_COMPRESSED = 4
        """Compressed data."""

    class QCow2SubclusterType(IntEnum):
        """What an L2 entry says of one subcluster; without extended entries, of the one there is. Source: block/qcow2.h: qcow2_get_subcluster_type."""

        QCOW2_SUBCLUSTER_UNALLOCATED_PLAIN = 0
        """Nothing here, and no host cluster."""
        QCOW2_SUBCLUSTER_UNALLOCATED_ALLOC = 1
        """Nothing here, in a host cluster."""
        QCOW2_SUBCLUSTER_ZERO_PLAIN = 2
        """Zeros, and no host cluster."""
        QCOW2_SUBCLUSTER_ZERO_ALLOC = 3
        """Zeros, with a host cluster."""
        QCOW2_SUBCLUSTER_NORMAL = 4
        """Data at the host offset."""
        QCOW2_SUBCLUSTER_COMPRESSED = 5
        """Part of a compressed cluster."""
        QCOW2_SUBCLUSTER_INVALID = 6
        """Entry and bitmap contradict each other."""

    class BitmapType(IntEnum):
        """The sort of a bitmap: the directory field type. Source: docs/interop/qcow2: Bitmap directory; block/qcow2-bitmap.c."""

        BT_DIRTY_TRACKING_BITMAP = 1
        """Tracks what was written; the only sort there is."""

    class Qcow2BitmapFlags(IntFlag, boundary=KEEP):
        """The directory field flags. Source: docs/interop/qcow2: Bitmap directory; block/qcow2-bitmap.c: defines, the enum is named by us."""

        BME_FLAG_IN_USE = 0x1
        """Not saved after use: stale."""
        BME_FLAG_AUTO = 0x2
        """Enabled: records every write."""
        QCOW2_BITMAP_FLAG_EXTRA_DATA_COMPATIBLE = 0x4
        """Usable in spite of extra data."""

    class QCryptoBlockLUKSKeySlotActive(IntEnum):
        """The state of a key slot: its field active. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h: defines, the enum is named by us."""

        QCRYPTO_BLOCK_LUKS_KEY_SLOT_DISABLED = 57005
        """The slot holds no key."""
        QCRYPTO_BLOCK_LUKS_KEY_SLOT_ENABLED = 11301363
        """The slot holds a key."""

    class BlockdevQcowEncryptionFormat(IntEnum):
        """The value of encrypt.format for version 1; the number reaches no image. Source: qapi/block-core.json."""

        BLOCKDEV_QCOW_ENCRYPTION_FORMAT_AES = 0
        """crypt_method 1, spelled aes."""

    class BlockdevQcow2EncryptionFormat(IntEnum):
        """The value of encrypt.format for versions 2 and 3; the number reaches no image. Source: qapi/block-core.json."""

        BLOCKDEV_QCOW2_ENCRYPTION_FORMAT_AES = 0
        """crypt_method 1, spelled aes."""
        BLOCKDEV_QCOW2_ENCRYPTION_FORMAT_LUKS = 1
        """crypt_method 2, spelled luks."""

    class QCryptoBlockFormat(IntEnum):
        """The two methods as QEMU's crypto layer numbers them; the number reaches no image. Source: qapi/crypto.json; with a prefix Q_CRYPTO up to QEMU 9.1."""

        QCRYPTO_BLOCK_FORMAT_QCOW = 0
        """crypt_method 1, spelled qcow in this layer."""
        QCRYPTO_BLOCK_FORMAT_LUKS = 1
        """crypt_method 2, spelled luks."""

    class QCryptoBlockLUKSKeyslotState(IntEnum):
        """What an amend asks of key slots; the number reaches no image. Source: qapi/crypto.json; with a prefix Q_CRYPTO up to QEMU 9.1."""

        QCRYPTO_BLOCK_LUKS_KEYSLOT_STATE_ACTIVE = 0
        """Hold a key, spelled active."""
        QCRYPTO_BLOCK_LUKS_KEYSLOT_STATE_INACTIVE = 1
        """Be erased, spelled inactive."""

    class BlkPermission(IntFlag, boundary=KEEP):
        """What a user of a file may do with it, as far as QEMU locks a byte for it. Source: include/block/block-common.h; the enum has no name there, and is named by us."""

        BLK_PERM_CONSISTENT_READ = 0x1
        """Read what no writer is in the middle of."""
        BLK_PERM_WRITE = 0x2
        """Change what a guest sees."""
        BLK_PERM_WRITE_UNCHANGED = 0x4
        """Write, and change nothing that a guest sees."""
        BLK_PERM_RESIZE = 0x8
        """Change the length."""

    class BdrvOpenFlags(IntFlag, boundary=KEEP):
        """The flags of an open that decide which of QEMU's rules are applied. Source: include/block/block-common.h: defines, a selection, the enum is named by us."""

        BDRV_O_RDWR = 0x2
        """For writing: repair, refuse what is marked corrupt."""
        BDRV_O_NO_BACKING = 0x100
        """Leave the backing file closed."""
        BDRV_O_INACTIVE = 0x800
        """Another process still owns the image: load no bitmaps."""
        BDRV_O_CHECK = 0x1000
        """To check: no rules on snapshots, refcounts, corrupt bit."""
        BDRV_O_NO_IO = 0x00010000
        """For metadata alone: no data file, no key."""

    class BdrvBlockStatus(IntFlag, boundary=KEEP):
        """What QEMU's map says of a range; of these flags a QCOW driver sets some, the layer others. Source: include/block/block-common.h: defines, the enum is named by us."""

        BDRV_BLOCK_DATA = 0x1
        """The range has data in this layer."""
        BDRV_BLOCK_ZERO = 0x2
        """The range reads as zeros."""
        BDRV_BLOCK_OFFSET_VALID = 0x4
        """The host offset given is where its bytes are."""
        BDRV_BLOCK_RAW = 0x8
        """Ask the file below instead."""
        BDRV_BLOCK_ALLOCATED = 0x10
        """This layer, not the backing file, determines the range."""
        BDRV_BLOCK_EOF = 0x20
        """The range reaches the end of this layer."""
        BDRV_BLOCK_RECURSE = 0x40
        """Zeros may hide in the file below: look there too."""
        BDRV_BLOCK_COMPRESSED = 0x80
        """The range is compressed; since QEMU 8.2."""

    class BdrvCheckMode(IntFlag, boundary=KEEP):
        """What a check repairs. Source: include/block/block-common.h."""

        BDRV_FIX_LEAKS = 0x1
        """Clusters counted and not used: qemu-img check -r leaks."""
        BDRV_FIX_ERRORS = 0x2
        """Everything else: with the above, qemu-img check -r all."""

    class Qcow2CheckRefcountsFlags(IntFlag, boundary=KEEP):
        """What the walk over an L1 table does besides counting references. Source: block/qcow2-refcount.c: anonymous enum, named by us."""

        CHECK_FRAG_INFO = 0x2
        """Count allocated, fragmented and compressed clusters."""

    class QCow2MetadataOverlapBitnr(IntEnum):
        """The bit number of each sort of metadata. Source: block/qcow2.h: QCow2MetadataOverlap, its bit numbers, named by us."""

        QCOW2_OL_MAIN_HEADER_BITNR = 0
        """The header, which is the first cluster."""
        QCOW2_OL_ACTIVE_L1_BITNR = 1
        """The active L1 table."""
        QCOW2_OL_ACTIVE_L2_BITNR = 2
        """The L2 tables of the active L1 table."""
        QCOW2_OL_REFCOUNT_TABLE_BITNR = 3
        """The refcount table."""
        QCOW2_OL_REFCOUNT_BLOCK_BITNR = 4
        """The refcount blocks."""
        QCOW2_OL_SNAPSHOT_TABLE_BITNR = 5
        """The snapshot table."""
        QCOW2_OL_INACTIVE_L1_BITNR = 6
        """The L1 tables of snapshots."""
        QCOW2_OL_INACTIVE_L2_BITNR = 7
        """The L2 tables of snapshots."""
        QCOW2_OL_BITMAP_DIRECTORY_BITNR = 8
        """The bitmap directory."""
        QCOW2_OL_MAX_BITNR = 9
        """How many sorts there are."""

    class QCow2MetadataOverlap(IntFlag, boundary=KEEP):
        """Sorts of metadata a write is checked against. Source: block/qcow2.h: QCow2MetadataOverlap."""

        QCOW2_OL_NONE = 0x0
        """Nothing is checked."""
        QCOW2_OL_MAIN_HEADER = 0x1
        """The header, which is the first cluster."""
        QCOW2_OL_ACTIVE_L1 = 0x2
        """The active L1 table."""
        QCOW2_OL_ACTIVE_L2 = 0x4
        """The L2 tables of the active L1 table."""
        QCOW2_OL_REFCOUNT_TABLE = 0x8
        """The refcount table."""
        QCOW2_OL_REFCOUNT_BLOCK = 0x10
        """The refcount blocks."""
        QCOW2_OL_SNAPSHOT_TABLE = 0x20
        """The snapshot table."""
        QCOW2_OL_INACTIVE_L1 = 0x40
        """The L1 tables of snapshots."""
        QCOW2_OL_INACTIVE_L2 = 0x80
        """The L2 tables of snapshots, read for the purpose."""
        QCOW2_OL_BITMAP_DIRECTORY = 0x100
        """The bitmap directory."""
        QCOW2_OL_CONSTANT = QCOW2_OL_MAIN_HEADER | QCOW2_OL_ACTIVE_L1 | QCOW2_OL_REFCOUNT_TABLE | QCOW2_OL_SNAPSHOT_TABLE | QCOW2_OL_BITMAP_DIRECTORY
        """What takes constant time."""
        QCOW2_OL_CACHED = QCOW2_OL_CONSTANT | QCOW2_OL_ACTIVE_L2 | QCOW2_OL_REFCOUNT_BLOCK | QCOW2_OL_INACTIVE_L1
        """What takes no reading, because QEMU has it in memory."""
        QCOW2_OL_ALL = QCOW2_OL_CACHED | QCOW2_OL_INACTIVE_L2
        """Everything."""

    class Qcow2OverlapCheckMode(IntEnum):
        """The templates as QMP numbers them. Source: qapi/block-core.json."""

        QCOW2_OVERLAP_CHECK_MODE_NONE = 0
        """QCOW2_OL_NONE."""
        QCOW2_OVERLAP_CHECK_MODE_CONSTANT = 1
        """QCOW2_OL_CONSTANT."""
        QCOW2_OVERLAP_CHECK_MODE_CACHED = 2
        """QCOW2_OL_CACHED."""
        QCOW2_OVERLAP_CHECK_MODE_ALL = 3
        """QCOW2_OL_ALL."""

    class qcow2_discard_type(IntEnum):
        """Why a cluster is freed, hence which option passes the discard on. Source: block/qcow2.h."""

        QCOW2_DISCARD_NEVER = 0
        """Never passed on."""
        QCOW2_DISCARD_ALWAYS = 1
        """Always passed on."""
        QCOW2_DISCARD_REQUEST = 2
        """The guest discarded it: pass-discard-request."""
        QCOW2_DISCARD_SNAPSHOT = 3
        """A snapshot was deleted: pass-discard-snapshot."""
        QCOW2_DISCARD_OTHER = 4
        """Anything else: pass-discard-other."""
        QCOW2_DISCARD_MAX = 5
        """How many reasons there are."""

    class Qcow2AmendOperation(IntEnum):
        """What an amend is doing. Source: block/qcow2.c."""

        QCOW2_NO_OPERATION = 0
        """Not begun."""
        QCOW2_UPGRADING = 1
        """From version 2 to 3."""
        QCOW2_UPDATING_ENCRYPTION = 2
        """Key slots."""
        QCOW2_CHANGING_REFCOUNT_ORDER = 3
        """The refcount width."""
        QCOW2_DOWNGRADING = 4
        """From version 3 to 2."""

    class PreallocMode(IntEnum):
        """What is allocated before a guest writes. Source: qapi/common.json or qapi/block-core.json, by QEMU version."""

        PREALLOC_MODE_OFF = 0
        """Nothing; spelled off."""
        PREALLOC_MODE_METADATA = 1
        """Tables and host offsets; spelled metadata."""
        PREALLOC_MODE_FALLOC = 2
        """That, and the file's space reserved; spelled falloc."""
        PREALLOC_MODE_FULL = 3
        """That, and the space written with zeros; spelled full."""

    class Qcow2BitmapInfoFlags(IntEnum):
        """The bitmap flags as qemu-img info spells them. Source: qapi/block-core.json."""

        QCOW2_BITMAP_INFO_FLAGS_IN_USE = 0
        """BME_FLAG_IN_USE, spelled in-use."""
        QCOW2_BITMAP_INFO_FLAGS_AUTO = 1
        """BME_FLAG_AUTO, spelled auto."""


_ENUMS: Final[dict[str, tuple[bool, str, dict[str, int]]]] = {
    "BlockdevQcow2Version": (
        False,
        """The versions as QMP names them; these numbers are no version numbers and reach no image. Source: qapi/block-core.json.""",
        {"BLOCKDEV_QCOW2_VERSION_V2": 0, "BLOCKDEV_QCOW2_VERSION_V3": 1},
    ),
    "QcowCryptMethod": (
        False,
        """How guest data is encrypted: the header field crypt_method. Source: docs/interop/qcow2: Header; block/qcow2.h: defines, the enum is named by us.""",
        {"QCOW_CRYPT_NONE": 0, "QCOW_CRYPT_AES": 1, "QCOW_CRYPT_LUKS": 2},
    ),
    "Qcow2CompressionType": (
        False,
        """How compressed clusters are compressed: the header field compression_type. Source: docs/interop/qcow2: Additional fields; qapi/block-core.json.""",
        {"QCOW2_COMPRESSION_TYPE_ZLIB": 0, "QCOW2_COMPRESSION_TYPE_ZSTD": 1},
    ),
    "Qcow2FeatureType": (
        False,
        """Which of the three words an entry of the feature name table is about. Source: docs/interop/qcow2: Feature name table; block/qcow2.h: anonymous enum, named by us.""",
        {"QCOW2_FEAT_TYPE_INCOMPATIBLE": 0, "QCOW2_FEAT_TYPE_COMPATIBLE": 1, "QCOW2_FEAT_TYPE_AUTOCLEAR": 2},
    ),
    "Qcow2IncompatibleBitnr": (
        False,
        """The bit numbers in incompatible_features. Source: docs/interop/qcow2: Header; block/qcow2.h: anonymous enum, named by us.""",
        {"QCOW2_INCOMPAT_DIRTY_BITNR": 0, "QCOW2_INCOMPAT_CORRUPT_BITNR": 1, "QCOW2_INCOMPAT_DATA_FILE_BITNR": 2, "QCOW2_INCOMPAT_COMPRESSION_BITNR": 3, "QCOW2_INCOMPAT_EXTL2_BITNR": 4},
    ),
    "Qcow2IncompatibleFeatures": (
        True,
        """The header field incompatible_features. Source: docs/interop/qcow2: Header; block/qcow2.h: anonymous enum, named by us.""",
        {"QCOW2_INCOMPAT_DIRTY": 1, "QCOW2_INCOMPAT_CORRUPT": 2, "QCOW2_INCOMPAT_DATA_FILE": 4, "QCOW2_INCOMPAT_COMPRESSION": 8, "QCOW2_INCOMPAT_EXTL2": 16, "QCOW2_INCOMPAT_MASK": 31},
    ),
    "Qcow2CompatibleBitnr": (
        False,
        """The bit numbers in compatible_features. Source: docs/interop/qcow2: Header; block/qcow2.h: anonymous enum, named by us.""",
        {"QCOW2_COMPAT_LAZY_REFCOUNTS_BITNR": 0},
    ),
    "Qcow2CompatibleFeatures": (
        True,
        """The header field compatible_features. Source: docs/interop/qcow2: Header; block/qcow2.h: anonymous enum, named by us.""",
        {"QCOW2_COMPAT_LAZY_REFCOUNTS": 1, "QCOW2_COMPAT_FEAT_MASK": 1},
    ),
    "Qcow2AutoclearBitnr": (
        False,
        """The bit numbers in autoclear_features. Source: docs/interop/qcow2: Header; block/qcow2.h: anonymous enum, named by us.""",
        {"QCOW2_AUTOCLEAR_BITMAPS_BITNR": 0, "QCOW2_AUTOCLEAR_DATA_FILE_RAW_BITNR": 1},
    ),
    "Qcow2AutoclearFeatures": (
        True,
        """The header field autoclear_features. Source: docs/interop/qcow2: Header; block/qcow2.h: anonymous enum, named by us.""",
        {"QCOW2_AUTOCLEAR_BITMAPS": 1, "QCOW2_AUTOCLEAR_DATA_FILE_RAW": 2, "QCOW2_AUTOCLEAR_MASK": 3},
    ),
    "QCow2ClusterType": (
        False,
        """What an L2 entry says of its cluster. Source: block/qcow2.h: qcow2_get_cluster_type.""",
        {"QCOW2_CLUSTER_UNALLOCATED": 0, "QCOW2_CLUSTER_ZERO_PLAIN": 1, "QCOW2_CLUSTER_ZERO_ALLOC": 2, "QCOW2_CLUSTER_NORMAL": 3, "QCOW2_CLUSTER_COMPRESSED": 4},
    ),
    "QCow2SubclusterType": (
        False,
        """What an L2 entry says of one subcluster; without extended entries, of the one there is. Source: block/qcow2.h: qcow2_get_subcluster_type.""",
        {"QCOW2_SUBCLUSTER_UNALLOCATED_PLAIN": 0, "QCOW2_SUBCLUSTER_UNALLOCATED_ALLOC": 1, "QCOW2_SUBCLUSTER_ZERO_PLAIN": 2, "QCOW2_SUBCLUSTER_ZERO_ALLOC": 3, "QCOW2_SUBCLUSTER_NORMAL": 4, "QCOW2_SUBCLUSTER_COMPRESSED": 5, "QCOW2_SUBCLUSTER_INVALID": 6},
    ),
    "BitmapType": (
        False,
        """The sort of a bitmap: the directory field type. Source: docs/interop/qcow2: Bitmap directory; block/qcow2-bitmap.c.""",
        {"BT_DIRTY_TRACKING_BITMAP": 1},
    ),
    "Qcow2BitmapFlags": (
        True,
        """The directory field flags. Source: docs/interop/qcow2: Bitmap directory; block/qcow2-bitmap.c: defines, the enum is named by us.""",
        {"BME_FLAG_IN_USE": 1, "BME_FLAG_AUTO": 2, "QCOW2_BITMAP_FLAG_EXTRA_DATA_COMPATIBLE": 4},
    ),
    "QCryptoBlockLUKSKeySlotActive": (
        False,
        """The state of a key slot: its field active. Source: LUKS on-disk format 1.2.1; crypto/block-luks-priv.h: defines, the enum is named by us.""",
        {"QCRYPTO_BLOCK_LUKS_KEY_SLOT_DISABLED": 57005, "QCRYPTO_BLOCK_LUKS_KEY_SLOT_ENABLED": 11301363},
    ),
    "BlockdevQcowEncryptionFormat": (
        False,
        """The value of encrypt.format for version 1; the number reaches no image. Source: qapi/block-core.json.""",
        {"BLOCKDEV_QCOW_ENCRYPTION_FORMAT_AES": 0},
    ),
    "BlockdevQcow2EncryptionFormat": (
        False,
        """The value of encrypt.format for versions 2 and 3; the number reaches no image. Source: qapi/block-core.json.""",
        {"BLOCKDEV_QCOW2_ENCRYPTION_FORMAT_AES": 0, "BLOCKDEV_QCOW2_ENCRYPTION_FORMAT_LUKS": 1},
    ),
    "QCryptoBlockFormat": (
        False,
        """The two methods as QEMU's crypto layer numbers them; the number reaches no image. Source: qapi/crypto.json; with a prefix Q_CRYPTO up to QEMU 9.1.""",
        {"QCRYPTO_BLOCK_FORMAT_QCOW": 0, "QCRYPTO_BLOCK_FORMAT_LUKS": 1},
    ),
    "QCryptoBlockLUKSKeyslotState": (
        False,
        """What an amend asks of key slots; the number reaches no image. Source: qapi/crypto.json; with a prefix Q_CRYPTO up to QEMU 9.1.""",
        {"QCRYPTO_BLOCK_LUKS_KEYSLOT_STATE_ACTIVE": 0, "QCRYPTO_BLOCK_LUKS_KEYSLOT_STATE_INACTIVE": 1},
    ),
    "BlkPermission": (
        True,
        """What a user of a file may do with it, as far as QEMU locks a byte for it. Source: include/block/block-common.h; the enum has no name there, and is named by us.""",
        {"BLK_PERM_CONSISTENT_READ": 1, "BLK_PERM_WRITE": 2, "BLK_PERM_WRITE_UNCHANGED": 4, "BLK_PERM_RESIZE": 8},
    ),
    "BdrvOpenFlags": (
        True,
        """The flags of an open that decide which of QEMU's rules are applied. Source: include/block/block-common.h: defines, a selection, the enum is named by us.""",
        {"BDRV_O_RDWR": 2, "BDRV_O_NO_BACKING": 256, "BDRV_O_INACTIVE": 2048, "BDRV_O_CHECK": 4096, "BDRV_O_NO_IO": 65536},
    ),
    "BdrvBlockStatus": (
        True,
        """What QEMU's map says of a range; of these flags a QCOW driver sets some, the layer others. Source: include/block/block-common.h: defines, the enum is named by us.""",
        {"BDRV_BLOCK_DATA": 1, "BDRV_BLOCK_ZERO": 2, "BDRV_BLOCK_OFFSET_VALID": 4, "BDRV_BLOCK_RAW": 8, "BDRV_BLOCK_ALLOCATED": 16, "BDRV_BLOCK_EOF": 32, "BDRV_BLOCK_RECURSE": 64, "BDRV_BLOCK_COMPRESSED": 128},
    ),
    "BdrvCheckMode": (
        True,
        """What a check repairs. Source: include/block/block-common.h.""",
        {"BDRV_FIX_LEAKS": 1, "BDRV_FIX_ERRORS": 2},
    ),
    "Qcow2CheckRefcountsFlags": (
        True,
        """What the walk over an L1 table does besides counting references. Source: block/qcow2-refcount.c: anonymous enum, named by us.""",
        {"CHECK_FRAG_INFO": 2},
    ),
    "QCow2MetadataOverlapBitnr": (
        False,
        """The bit number of each sort of metadata. Source: block/qcow2.h: QCow2MetadataOverlap, its bit numbers, named by us.""",
        {"QCOW2_OL_MAIN_HEADER_BITNR": 0, "QCOW2_OL_ACTIVE_L1_BITNR": 1, "QCOW2_OL_ACTIVE_L2_BITNR": 2, "QCOW2_OL_REFCOUNT_TABLE_BITNR": 3, "QCOW2_OL_REFCOUNT_BLOCK_BITNR": 4, "QCOW2_OL_SNAPSHOT_TABLE_BITNR": 5, "QCOW2_OL_INACTIVE_L1_BITNR": 6, "QCOW2_OL_INACTIVE_L2_BITNR": 7, "QCOW2_OL_BITMAP_DIRECTORY_BITNR": 8, "QCOW2_OL_MAX_BITNR": 9},
    ),
    "QCow2MetadataOverlap": (
        True,
        """Sorts of metadata a write is checked against. Source: block/qcow2.h: QCow2MetadataOverlap.""",
        {"QCOW2_OL_NONE": 0, "QCOW2_OL_MAIN_HEADER": 1, "QCOW2_OL_ACTIVE_L1": 2, "QCOW2_OL_ACTIVE_L2": 4, "QCOW2_OL_REFCOUNT_TABLE": 8, "QCOW2_OL_REFCOUNT_BLOCK": 16, "QCOW2_OL_SNAPSHOT_TABLE": 32, "QCOW2_OL_INACTIVE_L1": 64, "QCOW2_OL_INACTIVE_L2": 128, "QCOW2_OL_BITMAP_DIRECTORY": 256, "QCOW2_OL_CONSTANT": 299, "QCOW2_OL_CACHED": 383, "QCOW2_OL_ALL": 511},
    ),
    "Qcow2OverlapCheckMode": (
        False,
        """The templates as QMP numbers them. Source: qapi/block-core.json.""",
        {"QCOW2_OVERLAP_CHECK_MODE_NONE": 0, "QCOW2_OVERLAP_CHECK_MODE_CONSTANT": 1, "QCOW2_OVERLAP_CHECK_MODE_CACHED": 2, "QCOW2_OVERLAP_CHECK_MODE_ALL": 3},
    ),
    "qcow2_discard_type": (
        False,
        """Why a cluster is freed, hence which option passes the discard on. Source: block/qcow2.h.""",
        {"QCOW2_DISCARD_NEVER": 0, "QCOW2_DISCARD_ALWAYS": 1, "QCOW2_DISCARD_REQUEST": 2, "QCOW2_DISCARD_SNAPSHOT": 3, "QCOW2_DISCARD_OTHER": 4, "QCOW2_DISCARD_MAX": 5},
    ),
    "Qcow2AmendOperation": (
        False,
        """What an amend is doing. Source: block/qcow2.c.""",
        {"QCOW2_NO_OPERATION": 0, "QCOW2_UPGRADING": 1, "QCOW2_UPDATING_ENCRYPTION": 2, "QCOW2_CHANGING_REFCOUNT_ORDER": 3, "QCOW2_DOWNGRADING": 4},
    ),
    "PreallocMode": (
        False,
        """What is allocated before a guest writes. Source: qapi/common.json or qapi/block-core.json, by QEMU version.""",
        {"PREALLOC_MODE_OFF": 0, "PREALLOC_MODE_METADATA": 1, "PREALLOC_MODE_FALLOC": 2, "PREALLOC_MODE_FULL": 3},
    ),
    "Qcow2BitmapInfoFlags": (
        False,
        """The bitmap flags as qemu-img info spells them. Source: qapi/block-core.json.""",
        {"QCOW2_BITMAP_INFO_FLAGS_IN_USE": 0, "QCOW2_BITMAP_INFO_FLAGS_AUTO": 1},
    ),
}


if not TYPE_CHECKING:  # so that a type checker still finds a wrong name

    def __getattr__(name: str) -> object:
        # An enum is made when it is first used: all of them take longer than the rest together.
        if name not in _ENUMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        is_flags, doc, members = _ENUMS[name]
        options = {"boundary": KEEP} if is_flags else {}
        kind = IntFlag if is_flags else IntEnum
        globals()[name] = made = kind(name, members, module=__name__, **options)
        made.__doc__ = doc
        return made




FEATURES: Final[tuple[Feature, ...]] = (
    Feature(
        id="dirty",
        type="incompatible",
        name="dirty bit",
        constant="QCOW2_INCOMPAT_DIRTY",
        since="1.2",
        versions=(3,),
        obliges="Trust no refcount: rebuild them from the L1 and L2 tables before a write. Reads need none.",
        source=("docs/interop/qcow2: Header; block/qcow2.c: qcow2_open, qcow2_mark_dirty",),
        bit=0,
    ),
    Feature(
        id="corrupt",
        type="incompatible",
        name="corrupt bit",
        constant="QCOW2_INCOMPAT_CORRUPT",
        since="1.7",
        versions=(3,),
        obliges="Write nothing but a repair, and clear the bit only once the image is consistent.",
        source=("docs/interop/qcow2: Header; block/qcow2.c: qcow2_do_open, qcow2_mark_corrupt",),
        bit=1,
    ),
    Feature(
        id="data_file",
        type="incompatible",
        name="external data file",
        constant="QCOW2_INCOMPAT_DATA_FILE",
        since="4.0",
        versions=(3,),
        obliges="Read guest clusters from the external data file, each at its guest offset.",
        source=("docs/interop/qcow2: Header; block/qcow2.c: qcow2_do_open",),
        bit=2,
    ),
    Feature(
        id="compression_type",
        type="incompatible",
        name="compression type",
        constant="QCOW2_INCOMPAT_COMPRESSION",
        since="5.1",
        versions=(3,),
        obliges="Decompress by the method in compression_type, which is present and not 0.",
        source=("docs/interop/qcow2: Header; block/qcow2.c: validate_compression_type",),
        bit=3,
    ),
    Feature(
        id="extended_l2",
        type="incompatible",
        name="extended L2 entries",
        constant="QCOW2_INCOMPAT_EXTL2",
        since="5.2",
        versions=(3,),
        obliges="Read L2 entries of 128 bits, and the state of each subcluster from the second half.",
        source=("docs/interop/qcow2: Extended L2 Entries; block/qcow2.h: qcow2_get_subcluster_type",),
        bit=4,
    ),
    Feature(
        id="lazy_refcounts",
        type="compatible",
        name="lazy refcounts",
        constant="QCOW2_COMPAT_LAZY_REFCOUNTS",
        since="1.2",
        versions=(3,),
        obliges="Nothing: it allows a writer to set the dirty bit and put off updating refcounts.",
        source=("docs/interop/qcow2: Header; block/qcow2.c: qcow2_update_options_prepare",),
        bit=0,
    ),
    Feature(
        id="bitmaps",
        type="autoclear",
        name="bitmaps",
        constant="QCOW2_AUTOCLEAR_BITMAPS",
        since="2.10",
        versions=(3,),
        obliges="Keep the bitmaps in step with every write. Where the bit is clear, take them for stale.",
        source=("docs/interop/qcow2: Header, Bitmaps extension; block/qcow2.c: qcow2_read_extensions",),
        bit=0,
    ),
    Feature(
        id="data_file_raw",
        type="autoclear",
        name="raw external data",
        constant="QCOW2_AUTOCLEAR_DATA_FILE_RAW",
        since="4.0",
        versions=(3,),
        obliges="Keep the external data file a raw image: zeros are written to it, and nothing is backed.",
        source=("docs/interop/qcow2: Header; block/qcow2.c: qcow2_do_open",),
        bit=1,
    ),
)


EXTENSIONS: Final[tuple[Extension, ...]] = (
    Extension(
        id="backing_format",
        name="Backing file format name",
        layout="qcow2::backing_format",
        versions=(2, 3),
        once=True,
        constant="QCOW2_EXT_MAGIC_BACKING_FORMAT",
        source=("docs/interop/qcow2: String header extensions; block/qcow2.c: qcow2_read_extensions",),
        magic=0xe2792aca,
    ),
    Extension(
        id="data_file",
        name="External data file name",
        layout="qcow2::data_file",
        versions=(3,),
        once=True,
        constant="QCOW2_EXT_MAGIC_DATA_FILE",
        source=("docs/interop/qcow2: String header extensions; block/qcow2.c: qcow2_read_extensions",),
        magic=0x44415441,
    ),
    Extension(
        id="crypto",
        name="Full disk encryption header pointer",
        layout="qcow2::crypto_extension",
        versions=(2, 3),
        once=True,
        constant="QCOW2_EXT_MAGIC_CRYPTO_HEADER",
        source=("docs/interop/qcow2: Full disk encryption header pointer; block/qcow2.h: Qcow2CryptoHeaderExtension",),
        magic=0x0537be77,
    ),
    Extension(
        id="feature_name_table",
        name="Feature name table",
        layout="qcow2::feature_name_table",
        versions=(3,),
        once=True,
        constant="QCOW2_EXT_MAGIC_FEATURE_TABLE",
        source=("docs/interop/qcow2: Feature name table; block/qcow2.h: Qcow2Feature",),
        magic=0x6803f857,
    ),
    Extension(
        id="bitmaps",
        name="Bitmaps extension",
        layout="qcow2::bitmaps_extension",
        versions=(3,),
        once=True,
        constant="QCOW2_EXT_MAGIC_BITMAPS",
        source=("docs/interop/qcow2: Bitmaps extension; block/qcow2.h: Qcow2BitmapHeaderExt",),
        magic=0x23852875,
    ),
    Extension(
        id="end",
        name="End of the header extensions",
        layout=None,
        versions=(2, 3),
        once=True,
        constant="QCOW2_EXT_MAGIC_END",
        source=("docs/interop/qcow2: Header extensions; block/qcow2.c: qcow2_read_extensions",),
        magic=0x0,
    ),
)
