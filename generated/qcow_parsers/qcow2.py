# Generated from formats/kaitai/qcow2.ksy by tools/generate.py: do not edit.
# type: ignore

import kaitaistruct
from kaitaistruct import KaitaiStruct, KaitaiStream, BytesIO
from . import luks1
from enum import IntEnum


if getattr(kaitaistruct, 'API_VERSION', (0, 9)) < (0, 11):
    raise Exception("Incompatible Kaitai Struct Python API: 0.11 or later is required, but you have %s" % (kaitaistruct.__version__))

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

    .. seealso::
       Source - https://www.qemu.org/docs/master/interop/qcow2.html


    .. seealso::
       block/qcow2.h
    """
    SEQ_FIELDS = ['header']

    class BitmapType(IntEnum):
        dirty_tracking = 1

    class ClusterType(IntEnum):
        unallocated = 0
        zero_plain = 1
        zero_alloc = 2
        normal = 3
        compressed = 4

    class CompressionType(IntEnum):
        zlib = 0
        zstd = 1

    class CryptMethod(IntEnum):
        none = 0
        aes = 1
        luks = 2

    class ExtensionMagic(IntEnum):
        end_marker = 0
        crypto = 87539319
        bitmaps = 595929205
        data_file = 1145132097
        feature_name_table = 1745090647
        backing_format = 3799591626

    class FeatureType(IntEnum):
        incompatible = 0
        compatible = 1
        autoclear = 2
    def __init__(self, _io, _parent=None, _root=None):
        super(Qcow2, self).__init__(_io)
        self._parent = _parent
        self._root = _root or self
        self._read()

    def _read(self):
        self.header = Qcow2.Header(self._io, self, self._root)


    def _fetch_instances(self):
        pass
        self.header._fetch_instances()
        _ = self.backing_file_name
        if hasattr(self, '_m_backing_file_name'):
            pass
            self._m_backing_file_name._fetch_instances()

        _ = self.bitmap_directory
        if hasattr(self, '_m_bitmap_directory'):
            pass
            self._m_bitmap_directory._fetch_instances()

        _ = self.encryption_header
        if hasattr(self, '_m_encryption_header'):
            pass
            self._m_encryption_header._fetch_instances()

        _ = self.header_extensions
        if hasattr(self, '_m_header_extensions'):
            pass
            self._m_header_extensions._fetch_instances()

        _ = self.l1_table
        if hasattr(self, '_m_l1_table'):
            pass
            self._m_l1_table._fetch_instances()

        _ = self.refcount_table
        if hasattr(self, '_m_refcount_table'):
            pass
            self._m_refcount_table._fetch_instances()

        _ = self.snapshot_table
        if hasattr(self, '_m_snapshot_table'):
            pass
            self._m_snapshot_table._fetch_instances()


    class AdditionalFields(KaitaiStruct):
        """The header's fields past byte 104, at least one byte of them.

        .. seealso::
           docs/interop/qcow2: Additional fields (version 3 and higher)
        """
        SEQ_FIELDS = ['compression_type', 'padding', 'unknown_fields']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.AdditionalFields, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.compression_type = KaitaiStream.resolve_enum(Qcow2.CompressionType, self._io.read_u1())
            self.padding = self._io.read_bytes((self._io.size() - self._io.pos() if self._io.size() - self._io.pos() < 7 else 7))
            self.unknown_fields = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass

        @property
        def ok_padding(self):
            """The padding is zero. The document demands it, QEMU does not look."""
            if hasattr(self, '_m_ok_padding'):
                return self._m_ok_padding

            self._m_ok_padding =  ((len(self.padding) == 0) or (KaitaiStream.byte_array_max(self.padding) == 0))
            return getattr(self, '_m_ok_padding', None)

        @property
        def ok_untrusted_unknown_fields(self):
            """The fields that no version of the document has are zero."""
            if hasattr(self, '_m_ok_untrusted_unknown_fields'):
                return self._m_ok_untrusted_unknown_fields

            self._m_ok_untrusted_unknown_fields =  ((len(self.unknown_fields) == 0) or (KaitaiStream.byte_array_max(self.unknown_fields) == 0))
            return getattr(self, '_m_ok_untrusted_unknown_fields', None)


    class BackingFileName(KaitaiStruct):
        """The name of the backing file.

        .. seealso::
           docs/interop/qcow2: Header
        """
        SEQ_FIELDS = ['name']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.BackingFileName, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.name = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass
            _ = self.path
            if hasattr(self, '_m_path'):
                pass
                self._m_path._fetch_instances()


        @property
        def ok_untrusted_protocol(self):
            """The name is a path and names no protocol."""
            if hasattr(self, '_m_ok_untrusted_protocol'):
                return self._m_ok_untrusted_protocol

            self._m_ok_untrusted_protocol = (not (self.path.has_protocol))
            return getattr(self, '_m_ok_untrusted_protocol', None)

        @property
        def path(self):
            """The name as QEMU reads it, up to its first zero byte."""
            if hasattr(self, '_m_path'):
                return self._m_path

            _pos = self._io.pos()
            self._io.seek(0)
            self._raw__m_path = KaitaiStream.bytes_terminate(self._io.read_bytes_full(), 0, False)
            _io__raw__m_path = KaitaiStream(BytesIO(self._raw__m_path))
            self._m_path = Qcow2.FileName(_io__raw__m_path, self, self._root)
            self._io.seek(_pos)
            return getattr(self, '_m_path', None)


    class BackingFormat(KaitaiStruct):
        """Header extension with the name of the backing file's format.

        .. seealso::
           docs/interop/qcow2: String header extensions
        """
        SEQ_FIELDS = ['format']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.BackingFormat, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.format = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass


    class BitmapDirectory(KaitaiStruct):
        """The bitmap directory, one entry after the other.

        .. seealso::
           docs/interop/qcow2: Bitmap directory



        .. seealso::
           block/qcow2-bitmap.c: bitmap_list_load
        """
        SEQ_FIELDS = ['entries', 'unparsed']
        entries = None
        def __init__(self, nb_bitmaps, cluster_bits, disk_size, _io, _parent=None, _root=None):
            super(Qcow2.BitmapDirectory, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.nb_bitmaps = nb_bitmaps
            self.cluster_bits = cluster_bits
            self.disk_size = disk_size
            self._read()

        def _read(self):
            if self.has_entries:
                pass
                self.entries = []
                i = 0
                while True:
                    _ = Qcow2.BitmapDirectoryEntry(self.cluster_bits, self.disk_size, self._io, self, self._root)
                    self.entries.append(_)
                    if  ((len(self.entries) >= self.nb_bitmaps) or (self._io.size() - self._io.pos() < 24)) :
                        break
                    i += 1

            self.unparsed = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass
            if self.has_entries:
                pass
                for i in range(len(self.entries)):
                    pass
                    self.entries[i]._fetch_instances()


            _ = self.bitmap_tables
            if hasattr(self, '_m_bitmap_tables'):
                pass
                for i in range(len(self._m_bitmap_tables)):
                    pass
                    self._m_bitmap_tables[i]._fetch_instances()



        @property
        def bitmap_tables(self):
            """Where the entries point, in the same order."""
            if hasattr(self, '_m_bitmap_tables'):
                return self._m_bitmap_tables

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_bitmap_tables = []
            for i in range(self.num_entries):
                self._m_bitmap_tables.append(Qcow2.BitmapTableAt(self.entries[i].bitmap_table_offset, self.entries[i].bitmap_table_bytes,  ((self.entries[i].ok_bitmap_table_size_maximum) and (self.entries[i].ok_bitmap_size)) , self._io, self, self._root))

            self._io.seek(_pos)
            return getattr(self, '_m_bitmap_tables', None)

        @property
        def has_entries(self):
            """There are entries, and the stream holds one. It is fixed while the
            directory is read.
            """
            if hasattr(self, '_m_has_entries'):
                return self._m_has_entries

            self._m_has_entries =  ((self.nb_bitmaps > 0) and (self._io.size() - self._io.pos() >= 24))
            return getattr(self, '_m_has_entries', None)

        @property
        def num_entries(self):
            """Number of entries read."""
            if hasattr(self, '_m_num_entries'):
                return self._m_num_entries

            self._m_num_entries = (len(self.entries) if self.has_entries else 0)
            return getattr(self, '_m_num_entries', None)

        @property
        def ok_entry_header(self):
            """The directory does not end in fewer bytes than an entry has, which is
            QCOW2_BITMAP_DIR_ENTRY_SIZE (24 bytes) or more.
            """
            if hasattr(self, '_m_ok_entry_header'):
                return self._m_ok_entry_header

            self._m_ok_entry_header =  ((len(self.unparsed) == 0) or (len(self.unparsed) >= 24))
            return getattr(self, '_m_ok_entry_header', None)


    class BitmapDirectoryEntry(KaitaiStruct):
        """One entry of the bitmap directory: 24 bytes, extra data, name, and
        padding. Parts that the stream ends in are cut short, so that the first 24
        bytes alone tell how long the entry is.

        .. seealso::
           docs/interop/qcow2: Bitmap directory


        .. seealso::
           block/qcow2-bitmap.c: Qcow2BitmapDirEntry


        .. seealso::
           block/qcow2-bitmap.c: check_dir_entry
        """
        SEQ_FIELDS = ['bitmap_table_offset', 'bitmap_table_size', 'flags', 'type', 'granularity_bits', 'name_size', 'extra_data_size', 'extra_data', 'name', 'padding']
        def __init__(self, cluster_bits, disk_size, _io, _parent=None, _root=None):
            super(Qcow2.BitmapDirectoryEntry, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.cluster_bits = cluster_bits
            self.disk_size = disk_size
            self._read()

        def _read(self):
            self.bitmap_table_offset = self._io.read_u8be()
            self.bitmap_table_size = self._io.read_u4be()
            self.flags = self._io.read_u4be()
            self.type = KaitaiStream.resolve_enum(Qcow2.BitmapType, self._io.read_u1())
            self.granularity_bits = self._io.read_u1()
            self.name_size = self._io.read_u2be()
            self.extra_data_size = self._io.read_u4be()
            self.extra_data = self._io.read_bytes((self.extra_data_size if self.extra_data_size < self._io.size() - self._io.pos() else self._io.size() - self._io.pos()))
            self.name = self._io.read_bytes((self.name_size if self.name_size < self._io.size() - self._io.pos() else self._io.size() - self._io.pos()))
            self.padding = self._io.read_bytes((self.entry_size - self.unpadded_size if self.entry_size - self.unpadded_size < self._io.size() - self._io.pos() else self._io.size() - self._io.pos()))


        def _fetch_instances(self):
            pass

        @property
        def bitmap_bits(self):
            """Number of bits that the whole disk needs; 0 where granularity_bits is
            above 63.
            """
            if hasattr(self, '_m_bitmap_bits'):
                return self._m_bitmap_bits

            self._m_bitmap_bits = (0 if self.granularity == 0 else (self.disk_length // self.granularity if (self.disk_length // self.granularity) * self.granularity == self.disk_length else self.disk_length // self.granularity + 1))
            return getattr(self, '_m_bitmap_bits', None)

        @property
        def bitmap_table_bytes(self):
            """Size of the bitmap table in bytes."""
            if hasattr(self, '_m_bitmap_table_bytes'):
                return self._m_bitmap_table_bytes

            self._m_bitmap_table_bytes = (self.bitmap_table_size * 8)
            return getattr(self, '_m_bitmap_table_bytes', None)

        @property
        def bitmap_table_size_needed(self):
            """Number of entries of a table for the whole disk: QEMU stores the bits
            in words of 64. 0 where the cluster's size is unknown.
            """
            if hasattr(self, '_m_bitmap_table_size_needed'):
                return self._m_bitmap_table_size_needed

            self._m_bitmap_table_size_needed = (0 if self.cluster_size == 0 else (((self.bitmap_bits // 64 + (1 if self.bitmap_bits % 64 > 0 else 0)) * 8 + self.cluster_size) - 1) // self.cluster_size)
            return getattr(self, '_m_bitmap_table_size_needed', None)

        @property
        def cluster_size(self):
            """Size of a cluster in bytes; 0 where cluster_bits is out of range."""
            if hasattr(self, '_m_cluster_size'):
                return self._m_cluster_size

            self._m_cluster_size = (1 << self.cluster_bits if self.knows_cluster_size else 0)
            return getattr(self, '_m_cluster_size', None)

        @property
        def disk_length(self):
            """Length of the disk in bytes, whole sectors only."""
            if hasattr(self, '_m_disk_length'):
                return self._m_disk_length

            self._m_disk_length = ((self.disk_size // 512) * 512)
            return getattr(self, '_m_disk_length', None)

        @property
        def entry_size(self):
            """Length that the entry claims, with its padding, in bytes."""
            if hasattr(self, '_m_entry_size'):
                return self._m_entry_size

            self._m_entry_size = (((self.unpadded_size + 7) // 8) * 8)
            return getattr(self, '_m_entry_size', None)

        @property
        def extra_data_compatible(self):
            """Flag bit 2: the bitmap may be used by those who do not know its extra
            data.
            """
            if hasattr(self, '_m_extra_data_compatible'):
                return self._m_extra_data_compatible

            self._m_extra_data_compatible = self.flags & 4 != 0
            return getattr(self, '_m_extra_data_compatible', None)

        @property
        def granularity(self):
            """Number of guest bytes that one bit of the bitmap stands for; 0 where
            granularity_bits is above 63. The power of 2 is made of three, because
            shifts end at 31 bits in some languages.
            """
            if hasattr(self, '_m_granularity'):
                return self._m_granularity

            self._m_granularity = (0 if self.granularity_bits > 63 else ((1 << self.granularity_bits // 3) * (1 << (self.granularity_bits + 1) // 3)) * (1 << (self.granularity_bits + 2) // 3))
            return getattr(self, '_m_granularity', None)

        @property
        def in_use(self):
            """Flag bit 0: the bitmap was not saved in order and may be out of date
            (BME_FLAG_IN_USE).
            """
            if hasattr(self, '_m_in_use'):
                return self._m_in_use

            self._m_in_use = self.flags & 1 != 0
            return getattr(self, '_m_in_use', None)

        @property
        def is_auto(self):
            """Flag bit 1: whoever writes to the disk keeps the bitmap up to date
            (BME_FLAG_AUTO).
            """
            if hasattr(self, '_m_is_auto'):
                return self._m_is_auto

            self._m_is_auto = self.flags & 2 != 0
            return getattr(self, '_m_is_auto', None)

        @property
        def is_complete(self):
            """The stream holds the whole entry but for its padding."""
            if hasattr(self, '_m_is_complete'):
                return self._m_is_complete

            self._m_is_complete =  ((len(self.extra_data) == self.extra_data_size) and (len(self.name) == self.name_size))
            return getattr(self, '_m_is_complete', None)

        @property
        def knows_cluster_size(self):
            """cluster_bits is in range (MIN_CLUSTER_BITS to MAX_CLUSTER_BITS)."""
            if hasattr(self, '_m_knows_cluster_size'):
                return self._m_knows_cluster_size

            self._m_knows_cluster_size =  ((self.cluster_bits >= 9) and (self.cluster_bits <= 21))
            return getattr(self, '_m_knows_cluster_size', None)

        @property
        def ok_bitmap_size(self):
            """The bitmap's data have at most BME_MAX_PHYS_SIZE (512 MiB). True where
            the cluster's size is unknown.
            """
            if hasattr(self, '_m_ok_bitmap_size'):
                return self._m_ok_bitmap_size

            self._m_ok_bitmap_size = self.bitmap_table_size * self.cluster_size <= 536870912
            return getattr(self, '_m_ok_bitmap_size', None)

        @property
        def ok_bitmap_table_offset(self):
            """The bitmap table starts at a cluster."""
            if hasattr(self, '_m_ok_bitmap_table_offset'):
                return self._m_ok_bitmap_table_offset

            self._m_ok_bitmap_table_offset =  ((self.cluster_size == 0) or (self.bitmap_table_offset % self.cluster_size == 0))
            return getattr(self, '_m_ok_bitmap_table_offset', None)

        @property
        def ok_bitmap_table_offset_present(self):
            """The bitmap table does not lie at offset 0."""
            if hasattr(self, '_m_ok_bitmap_table_offset_present'):
                return self._m_ok_bitmap_table_offset_present

            self._m_ok_bitmap_table_offset_present = self.bitmap_table_offset != 0
            return getattr(self, '_m_ok_bitmap_table_offset_present', None)

        @property
        def ok_bitmap_table_size_maximum(self):
            """The bitmap table has at most BME_MAX_TABLE_SIZE entries."""
            if hasattr(self, '_m_ok_bitmap_table_size_maximum'):
                return self._m_ok_bitmap_table_size_maximum

            self._m_ok_bitmap_table_size_maximum = self.bitmap_table_size <= 134217728
            return getattr(self, '_m_ok_bitmap_table_size_maximum', None)

        @property
        def ok_bitmap_table_size_minimum(self):
            """The bitmap table is not empty."""
            if hasattr(self, '_m_ok_bitmap_table_size_minimum'):
                return self._m_ok_bitmap_table_size_minimum

            self._m_ok_bitmap_table_size_minimum = self.bitmap_table_size > 0
            return getattr(self, '_m_ok_bitmap_table_size_minimum', None)

        @property
        def ok_coverage(self):
            """The bitmap reaches to the end of the disk. QEMU cannot compare the
            length of a disk that is longer than INT64_MAX (QCOW2_MAX_TABLE_END):
            there, not even a bitmap in use passes.
            """
            if hasattr(self, '_m_ok_coverage'):
                return self._m_ok_coverage

            self._m_ok_coverage =  ((self.disk_length <= 9223372036854775807) and ( ((self.in_use) or (self.granularity == 0) or (self.cluster_size == 0) or (self.bitmap_bits <= (self.bitmap_table_size * self.cluster_size) * 8)) ))
            return getattr(self, '_m_ok_coverage', None)

        @property
        def ok_extra_data_size(self):
            """There are no extra data. The document allows them, QEMU does not."""
            if hasattr(self, '_m_ok_extra_data_size'):
                return self._m_ok_extra_data_size

            self._m_ok_extra_data_size = self.extra_data_size == 0
            return getattr(self, '_m_ok_extra_data_size', None)

        @property
        def ok_flags(self):
            """No flag is set but BME_FLAG_IN_USE and BME_FLAG_AUTO: none of
            BME_RESERVED_FLAGS. The document allows extra_data_compatible as well.
            """
            if hasattr(self, '_m_ok_flags'):
                return self._m_ok_flags

            self._m_ok_flags = self.flags <= 1 + 2
            return getattr(self, '_m_ok_flags', None)

        @property
        def ok_flags_reserved(self):
            """No flag is set but those that exist, bits 0 to 2
            (QCOW2_BITMAP_FLAG_EXTRA_DATA_COMPATIBLE is the last).
            """
            if hasattr(self, '_m_ok_flags_reserved'):
                return self._m_ok_flags_reserved

            self._m_ok_flags_reserved = self.flags < 2 * 4
            return getattr(self, '_m_ok_flags_reserved', None)

        @property
        def ok_granularity_bits(self):
            """One bit stands for 512 bytes to 2 GiB (BME_MIN_GRANULARITY_BITS to
            BME_MAX_GRANULARITY_BITS). The document allows 0 to 63.
            """
            if hasattr(self, '_m_ok_granularity_bits'):
                return self._m_ok_granularity_bits

            self._m_ok_granularity_bits =  ((self.granularity_bits >= 9) and (self.granularity_bits <= 31))
            return getattr(self, '_m_ok_granularity_bits', None)

        @property
        def ok_granularity_bits_maximum(self):
            """One bit stands for less than 2^64 bytes
            (QCOW2_BITMAP_MAX_GRANULARITY_BITS).
            """
            if hasattr(self, '_m_ok_granularity_bits_maximum'):
                return self._m_ok_granularity_bits_maximum

            self._m_ok_granularity_bits_maximum = self.granularity_bits <= 63
            return getattr(self, '_m_ok_granularity_bits_maximum', None)

        @property
        def ok_name_size(self):
            """The name has at most BME_MAX_NAME_SIZE (1023 bytes)."""
            if hasattr(self, '_m_ok_name_size'):
                return self._m_ok_name_size

            self._m_ok_name_size = self.name_size <= 1023
            return getattr(self, '_m_ok_name_size', None)

        @property
        def ok_name_size_minimum(self):
            """The bitmap has a name. The document demands it, QEMU does not look."""
            if hasattr(self, '_m_ok_name_size_minimum'):
                return self._m_ok_name_size_minimum

            self._m_ok_name_size_minimum = self.name_size > 0
            return getattr(self, '_m_ok_name_size_minimum', None)

        @property
        def ok_padding(self):
            """The padding is zero. The document demands it, QEMU does not look."""
            if hasattr(self, '_m_ok_padding'):
                return self._m_ok_padding

            self._m_ok_padding =  ((len(self.padding) == 0) or (KaitaiStream.byte_array_max(self.padding) == 0))
            return getattr(self, '_m_ok_padding', None)

        @property
        def ok_table_read(self):
            """The bitmap table ends within BDRV_MAX_LENGTH. QEMU reads no table of a
            bitmap that is in use.
            """
            if hasattr(self, '_m_ok_table_read'):
                return self._m_ok_table_read

            self._m_ok_table_read =  ((self.in_use) or (self.bitmap_table_offset <= 9223372035781033984 - self.bitmap_table_bytes))
            return getattr(self, '_m_ok_table_read', None)

        @property
        def ok_table_read_signed(self):
            """The same as QEMU before 6.0 has it: the bitmap table ends at or below
            INT64_MAX, which is QCOW2_MAX_TABLE_END as well.
            """
            if hasattr(self, '_m_ok_table_read_signed'):
                return self._m_ok_table_read_signed

            self._m_ok_table_read_signed =  ((self.in_use) or (self.bitmap_table_offset <= 9223372036854775807 - self.bitmap_table_bytes))
            return getattr(self, '_m_ok_table_read_signed', None)

        @property
        def ok_table_size_exact(self):
            """The bitmap table has no entry too many."""
            if hasattr(self, '_m_ok_table_size_exact'):
                return self._m_ok_table_size_exact

            self._m_ok_table_size_exact =  ((self.in_use) or (self.granularity == 0) or (self.cluster_size == 0) or (self.bitmap_table_size == self.bitmap_table_size_needed))
            return getattr(self, '_m_ok_table_size_exact', None)

        @property
        def ok_type(self):
            """The bitmap is one for dirty tracking (BT_DIRTY_TRACKING_BITMAP)."""
            if hasattr(self, '_m_ok_type'):
                return self._m_ok_type

            self._m_ok_type = self.type == Qcow2.BitmapType.dirty_tracking
            return getattr(self, '_m_ok_type', None)

        @property
        def ok_untrusted_in_use_size(self):
            """A bitmap in use, which QEMU keeps in memory whatever its table has,
            takes no more than others: BME_MAX_PHYS_SIZE (512 MiB).
            """
            if hasattr(self, '_m_ok_untrusted_in_use_size'):
                return self._m_ok_untrusted_in_use_size

            self._m_ok_untrusted_in_use_size =  (((not (self.in_use))) or (self.bitmap_bits <= 536870912 * 8))
            return getattr(self, '_m_ok_untrusted_in_use_size', None)

        @property
        def unpadded_size(self):
            """Length that the entry claims, without its padding, in bytes."""
            if hasattr(self, '_m_unpadded_size'):
                return self._m_unpadded_size

            self._m_unpadded_size = ((self.extra_data_size + self.name_size) + 24)
            return getattr(self, '_m_unpadded_size', None)


    class BitmapTable(KaitaiStruct):
        """A bitmap table, in pages.

        .. seealso::
           docs/interop/qcow2: Bitmap table
        """
        SEQ_FIELDS = ['pages']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.BitmapTable, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.pages = []
            for i in range((self._io.size() + 4088) // 4096):
                self.pages.append(Qcow2.BitmapTablePage(i, self._io, self, self._root))



        def _fetch_instances(self):
            pass
            for i in range(len(self.pages)):
                pass
                self.pages[i]._fetch_instances()



    class BitmapTableAt(KaitaiStruct):
        """The place of a bitmap's table. It has meaning only in a tree that was read
        from a whole file.

        .. seealso::
           docs/interop/qcow2: Bitmap table
        """
        SEQ_FIELDS = []
        def __init__(self, offset, length, ok_length, _io, _parent=None, _root=None):
            super(Qcow2.BitmapTableAt, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.offset = offset
            self.length = length
            self.ok_length = ok_length
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass
            _ = self.table
            if hasattr(self, '_m_table'):
                pass
                self._m_table._fetch_instances()


        @property
        def table(self):
            """The bitmap table, as far as the file holds it."""
            if hasattr(self, '_m_table'):
                return self._m_table

            if  ((self.ok_length) and (self.length > 0) and (self.offset != 0) and (self.offset < self._root._io.size()) and (self._root.header.cluster_size != 0)) :
                pass
                io = self._root._io
                _pos = io.pos()
                io.seek(self.offset)
                self._raw__m_table = io.read_bytes((self._root._io.size() - self.offset if self.length > self._root._io.size() - self.offset else self.length))
                _io__raw__m_table = KaitaiStream(BytesIO(self._raw__m_table))
                self._m_table = Qcow2.BitmapTable(_io__raw__m_table, self, self._root)
                io.seek(_pos)

            return getattr(self, '_m_table', None)


    class BitmapTableEntry(KaitaiStruct):
        """One entry of a bitmap table, 8 bytes. The offset is split in two, so that
        no field has more than 32 bits.

        .. seealso::
           docs/interop/qcow2: Bitmap table
        """
        SEQ_FIELDS = ['reserved1', 'offset_high', 'offset_low', 'reserved0', 'all_ones']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.BitmapTableEntry, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.reserved1 = self._io.read_bits_int_be(8)
            self.offset_high = self._io.read_bits_int_be(24)
            self.offset_low = self._io.read_bits_int_be(23)
            self.reserved0 = self._io.read_bits_int_be(8)
            self.all_ones = self._io.read_bits_int_be(1) != 0


        def _fetch_instances(self):
            pass

        @property
        def offset(self):
            """Offset of a cluster of the bitmap's data in bytes
            (BME_TABLE_ENTRY_OFFSET_MASK); 0 if it is not allocated.
            """
            if hasattr(self, '_m_offset'):
                return self._m_offset

            self._m_offset = (self.offset_sectors * 512)
            return getattr(self, '_m_offset', None)

        @property
        def offset_sectors(self):
            """The whole offset in sectors of 512 bytes."""
            if hasattr(self, '_m_offset_sectors'):
                return self._m_offset_sectors

            self._m_offset_sectors = (self.offset_high * 8388608 + self.offset_low)
            return getattr(self, '_m_offset_sectors', None)

        @property
        def ok_reserved(self):
            """The reserved bits are zero (BME_TABLE_ENTRY_RESERVED_MASK), and so is
            bit 0 if there is an offset.
            """
            if hasattr(self, '_m_ok_reserved'):
                return self._m_ok_reserved

            self._m_ok_reserved =  ((self.reserved1 == 0) and (self.reserved0 == 0) and ((not ( ((self.all_ones) and (self.offset_sectors != 0)) ))))
            return getattr(self, '_m_ok_reserved', None)


    class BitmapTablePage(KaitaiStruct):
        """Up to 512 entries of a bitmap table.

        .. seealso::
           docs/interop/qcow2: Bitmap table
        """
        SEQ_FIELDS = []
        def __init__(self, index, _io, _parent=None, _root=None):
            super(Qcow2.BitmapTablePage, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.index = index
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass
            _ = self.entries
            if hasattr(self, '_m_entries'):
                pass
                for i in range(len(self._m_entries)):
                    pass
                    self._m_entries[i]._fetch_instances()



        @property
        def entries(self):
            """The entries."""
            if hasattr(self, '_m_entries'):
                return self._m_entries

            _pos = self._io.pos()
            self._io.seek(self.index * 4096)
            self._m_entries = []
            for i in range(self.num_entries):
                self._m_entries.append(Qcow2.BitmapTableEntry(self._io, self, self._root))

            self._io.seek(_pos)
            return getattr(self, '_m_entries', None)

        @property
        def num_entries(self):
            """Number of entries in this page."""
            if hasattr(self, '_m_num_entries'):
                return self._m_num_entries

            self._m_num_entries = (512 if self._io.size() // 8 - self.index * 512 > 512 else self._io.size() // 8 - self.index * 512)
            return getattr(self, '_m_num_entries', None)


    class BitmapsExtension(KaitaiStruct):
        """Header extension that points at the bitmap directory, 24 bytes.

        .. seealso::
           docs/interop/qcow2: Bitmaps extension



        .. seealso::
           block/qcow2.h: Qcow2BitmapHeaderExt
        """
        SEQ_FIELDS = ['nb_bitmaps', 'reserved32', 'bitmap_directory_size', 'bitmap_directory_offset', 'unparsed']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.BitmapsExtension, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.nb_bitmaps = self._io.read_u4be()
            self.reserved32 = self._io.read_u4be()
            self.bitmap_directory_size = self._io.read_u8be()
            self.bitmap_directory_offset = self._io.read_u8be()
            self.unparsed = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass

        @property
        def ok_bitmap_directory_read(self):
            """The bitmap directory ends within BDRV_MAX_LENGTH. Not asked of one
            that is too large.
            """
            if hasattr(self, '_m_ok_bitmap_directory_read'):
                return self._m_ok_bitmap_directory_read

            self._m_ok_bitmap_directory_read =  (((not (self.ok_bitmap_directory_size))) or (self.bitmap_directory_offset <= 9223372035781033984 - self.bitmap_directory_size))
            return getattr(self, '_m_ok_bitmap_directory_read', None)

        @property
        def ok_bitmap_directory_size(self):
            """The bitmap directory has at most QCOW2_MAX_BITMAP_DIRECTORY_SIZE
            bytes.
            """
            if hasattr(self, '_m_ok_bitmap_directory_size'):
                return self._m_ok_bitmap_directory_size

            self._m_ok_bitmap_directory_size = self.bitmap_directory_size <= 67107840
            return getattr(self, '_m_ok_bitmap_directory_size', None)

        @property
        def ok_bitmap_directory_size_minimum(self):
            """The bitmap directory is not empty."""
            if hasattr(self, '_m_ok_bitmap_directory_size_minimum'):
                return self._m_ok_bitmap_directory_size_minimum

            self._m_ok_bitmap_directory_size_minimum = self.bitmap_directory_size > 0
            return getattr(self, '_m_ok_bitmap_directory_size_minimum', None)

        @property
        def ok_directory_read_signed(self):
            """The same as QEMU before 6.0 has it: the bitmap directory ends at or
            below INT64_MAX, which is QCOW2_MAX_TABLE_END as well.
            """
            if hasattr(self, '_m_ok_directory_read_signed'):
                return self._m_ok_directory_read_signed

            self._m_ok_directory_read_signed =  (((not (self.ok_bitmap_directory_size))) or (self.bitmap_directory_offset <= 9223372036854775807 - self.bitmap_directory_size))
            return getattr(self, '_m_ok_directory_read_signed', None)

        @property
        def ok_nb_bitmaps_maximum(self):
            """There are at most QCOW2_MAX_BITMAPS bitmaps."""
            if hasattr(self, '_m_ok_nb_bitmaps_maximum'):
                return self._m_ok_nb_bitmaps_maximum

            self._m_ok_nb_bitmaps_maximum = self.nb_bitmaps <= 65535
            return getattr(self, '_m_ok_nb_bitmaps_maximum', None)

        @property
        def ok_nb_bitmaps_minimum(self):
            """There is at least one bitmap."""
            if hasattr(self, '_m_ok_nb_bitmaps_minimum'):
                return self._m_ok_nb_bitmaps_minimum

            self._m_ok_nb_bitmaps_minimum = self.nb_bitmaps >= 1
            return getattr(self, '_m_ok_nb_bitmaps_minimum', None)

        @property
        def ok_reserved32(self):
            """The reserved field is zero."""
            if hasattr(self, '_m_ok_reserved32'):
                return self._m_ok_reserved32

            self._m_ok_reserved32 = self.reserved32 == 0
            return getattr(self, '_m_ok_reserved32', None)


    class CryptoExtension(KaitaiStruct):
        """Header extension that points at the encryption header, 16 bytes.

        .. seealso::
           docs/interop/qcow2: Full disk encryption header pointer



        .. seealso::
           block/qcow2.h: Qcow2CryptoHeaderExtension
        """
        SEQ_FIELDS = ['offset', 'length', 'unparsed']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.CryptoExtension, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.offset = self._io.read_u8be()
            self.length = self._io.read_u8be()
            self.unparsed = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass

        @property
        def ok_luks_length(self):
            """The encryption header has room for a LUKS header,
            QCRYPTO_BLOCK_LUKS_HEADER_SIZE (592 bytes).
            """
            if hasattr(self, '_m_ok_luks_length'):
                return self._m_ok_luks_length

            self._m_ok_luks_length = self.length >= 592
            return getattr(self, '_m_ok_luks_length', None)

        @property
        def ok_luks_read(self):
            """The LUKS header, QCRYPTO_BLOCK_LUKS_HEADER_SIZE (592 bytes), ends
            within BDRV_MAX_LENGTH.
            """
            if hasattr(self, '_m_ok_luks_read'):
                return self._m_ok_luks_read

            self._m_ok_luks_read = self.offset <= 9223372035781033984 - 592
            return getattr(self, '_m_ok_luks_read', None)

        @property
        def ok_luks_read_signed(self):
            """The same as QEMU before 6.0 has it: the LUKS header,
            QCRYPTO_BLOCK_LUKS_HEADER_SIZE (592 bytes), ends at or below
            INT64_MAX, which is QCOW2_MAX_TABLE_END as well.
            """
            if hasattr(self, '_m_ok_luks_read_signed'):
                return self._m_ok_luks_read_signed

            self._m_ok_luks_read_signed = self.offset <= 9223372036854775807 - 592
            return getattr(self, '_m_ok_luks_read_signed', None)


    class DataFile(KaitaiStruct):
        """Header extension with the name of the file that holds the guest's data.

        .. seealso::
           docs/interop/qcow2: String header extensions
        """
        SEQ_FIELDS = ['data_file']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.DataFile, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.data_file = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass
            _ = self.path
            if hasattr(self, '_m_path'):
                pass
                self._m_path._fetch_instances()


        @property
        def ok_untrusted_data_file(self):
            """There is no such extension. It never holds, because this is one."""
            if hasattr(self, '_m_ok_untrusted_data_file'):
                return self._m_ok_untrusted_data_file

            self._m_ok_untrusted_data_file = False
            return getattr(self, '_m_ok_untrusted_data_file', None)

        @property
        def ok_untrusted_data_file_protocol(self):
            """The name is a path and names no protocol."""
            if hasattr(self, '_m_ok_untrusted_data_file_protocol'):
                return self._m_ok_untrusted_data_file_protocol

            self._m_ok_untrusted_data_file_protocol = (not (self.path.has_protocol))
            return getattr(self, '_m_ok_untrusted_data_file_protocol', None)

        @property
        def path(self):
            """The name as QEMU reads it, up to its first zero byte."""
            if hasattr(self, '_m_path'):
                return self._m_path

            _pos = self._io.pos()
            self._io.seek(0)
            self._raw__m_path = KaitaiStream.bytes_terminate(self._io.read_bytes_full(), 0, False)
            _io__raw__m_path = KaitaiStream(BytesIO(self._raw__m_path))
            self._m_path = Qcow2.FileName(_io__raw__m_path, self, self._root)
            self._io.seek(_pos)
            return getattr(self, '_m_path', None)


    class ExtensionPositions(KaitaiStruct):
        """Where the last of those header extensions that point elsewhere stand,
        among the extensions up to a given one. QEMU, too, lets the last one win.

        .. seealso::
           block/qcow2.c: qcow2_read_extensions
        """
        SEQ_FIELDS = []
        def __init__(self, index, layout, previous_bitmaps, previous_crypto, _io, _parent=None, _root=None):
            super(Qcow2.ExtensionPositions, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.index = index
            self.layout = layout
            self.previous_bitmaps = previous_bitmaps
            self.previous_crypto = previous_crypto
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass

        @property
        def bitmaps(self):
            """Index of the last bitmaps extension, or -1."""
            if hasattr(self, '_m_bitmaps'):
                return self._m_bitmaps

            self._m_bitmaps = (self.index if self.layout == Qcow2.ExtensionMagic.bitmaps else self.previous_bitmaps)
            return getattr(self, '_m_bitmaps', None)

        @property
        def crypto(self):
            """Index of the last encryption extension, or -1."""
            if hasattr(self, '_m_crypto'):
                return self._m_crypto

            self._m_crypto = (self.index if self.layout == Qcow2.ExtensionMagic.crypto else self.previous_crypto)
            return getattr(self, '_m_crypto', None)


    class FeatureNameEntry(KaitaiStruct):
        """The name of one feature bit, 48 bytes.

        .. seealso::
           docs/interop/qcow2: Feature name table



        .. seealso::
           block/qcow2.h: Qcow2Feature
        """
        SEQ_FIELDS = ['type', 'bit', 'name']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.FeatureNameEntry, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.type = KaitaiStream.resolve_enum(Qcow2.FeatureType, self._io.read_u1())
            self.bit = self._io.read_u1()
            self.name = self._io.read_bytes(46)


        def _fetch_instances(self):
            pass

        @property
        def ok_feature_name_bit(self):
            """The word of feature bits has such a bit."""
            if hasattr(self, '_m_ok_feature_name_bit'):
                return self._m_ok_feature_name_bit

            self._m_ok_feature_name_bit = self.bit <= 63
            return getattr(self, '_m_ok_feature_name_bit', None)

        @property
        def ok_feature_name_type(self):
            """The word of feature bits is one that exists:
            QCOW2_FEAT_TYPE_INCOMPATIBLE, QCOW2_FEAT_TYPE_COMPATIBLE or
            QCOW2_FEAT_TYPE_AUTOCLEAR.
            """
            if hasattr(self, '_m_ok_feature_name_type'):
                return self._m_ok_feature_name_type

            self._m_ok_feature_name_type =  ((self.type == Qcow2.FeatureType.incompatible) or (self.type == Qcow2.FeatureType.compatible) or (self.type == Qcow2.FeatureType.autoclear))
            return getattr(self, '_m_ok_feature_name_type', None)


    class FeatureNameTable(KaitaiStruct):
        """Header extension that names feature bits, for readers that refuse an image
        because of a bit they have never heard of.

        .. seealso::
           docs/interop/qcow2: Feature name table


        .. seealso::
           block/qcow2.c: report_unsupported_feature
        """
        SEQ_FIELDS = ['entries', 'unparsed']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.FeatureNameTable, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.entries = []
            for i in range(self.num_entries):
                self.entries.append(Qcow2.FeatureNameEntry(self._io, self, self._root))

            self.unparsed = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass
            for i in range(len(self.entries)):
                pass
                self.entries[i]._fetch_instances()


        @property
        def num_entries(self):
            """Number of whole entries in the stream. It is fixed while the table is
            read.
            """
            if hasattr(self, '_m_num_entries'):
                return self._m_num_entries

            self._m_num_entries = (self._io.size() - self._io.pos()) // 48
            return getattr(self, '_m_num_entries', None)


    class FileName(KaitaiStruct):
        """The name of a file, which may begin with a protocol.

        .. seealso::
           block.c: path_has_protocol
        """
        SEQ_FIELDS = []
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.FileName, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass
            _ = self.before_colon
            if hasattr(self, '_m_before_colon'):
                pass

            _ = self.before_slash
            if hasattr(self, '_m_before_slash'):
                pass


        @property
        def before_colon(self):
            """The name up to its first colon, or all of it."""
            if hasattr(self, '_m_before_colon'):
                return self._m_before_colon

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_before_colon = KaitaiStream.bytes_terminate(self._io.read_bytes(self._io.size()), 58, False)
            self._io.seek(_pos)
            return getattr(self, '_m_before_colon', None)

        @property
        def before_slash(self):
            """The name up to its first slash, or all of it."""
            if hasattr(self, '_m_before_slash'):
                return self._m_before_slash

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_before_slash = KaitaiStream.bytes_terminate(self._io.read_bytes(self._io.size()), 47, False)
            self._io.seek(_pos)
            return getattr(self, '_m_before_slash', None)

        @property
        def has_protocol(self):
            """A colon stands before the first slash, so that what is before the
            colon is a protocol.
            """
            if hasattr(self, '_m_has_protocol'):
                return self._m_has_protocol

            self._m_has_protocol =  ((len(self.before_colon) < self._io.size()) and (len(self.before_slash) > len(self.before_colon)))
            return getattr(self, '_m_has_protocol', None)


    class Header(KaitaiStruct):
        """The header at the start of the file: 72 bytes in version 2, at least 104
        from version 3 on.

        .. seealso::
           docs/interop/qcow2: Header


        .. seealso::
           block/qcow2.h: QCowHeader


        .. seealso::
           block/qcow2.c: qcow2_do_open
        """
        SEQ_FIELDS = ['magic', 'version', 'backing_file_offset', 'backing_file_size', 'cluster_bits', 'size', 'crypt_method', 'l1_size', 'l1_table_offset', 'refcount_table_offset', 'refcount_table_clusters', 'nb_snapshots', 'snapshots_offset', 'incompatible_features', 'compatible_features', 'autoclear_features', 'refcount_order', 'header_length', 'additional_fields']
        incompatible_features = None
        compatible_features = None
        autoclear_features = None
        refcount_order = None
        header_length = None
        additional_fields = None
        _raw_additional_fields = None
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.Header, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.magic = self._io.read_u4be()
            self.version = self._io.read_u4be()
            self.backing_file_offset = self._io.read_u8be()
            self.backing_file_size = self._io.read_u4be()
            self.cluster_bits = self._io.read_u4be()
            self.size = self._io.read_u8be()
            self.crypt_method = KaitaiStream.resolve_enum(Qcow2.CryptMethod, self._io.read_u4be())
            self.l1_size = self._io.read_u4be()
            self.l1_table_offset = self._io.read_u8be()
            self.refcount_table_offset = self._io.read_u8be()
            self.refcount_table_clusters = self._io.read_u4be()
            self.nb_snapshots = self._io.read_u4be()
            self.snapshots_offset = self._io.read_u8be()
            if self.version >= 3:
                pass
                self.incompatible_features = self._io.read_u8be()

            if self.version >= 3:
                pass
                self.compatible_features = self._io.read_u8be()

            if self.version >= 3:
                pass
                self.autoclear_features = self._io.read_u8be()

            if self.version >= 3:
                pass
                self.refcount_order = self._io.read_u4be()

            if self.version >= 3:
                pass
                self.header_length = self._io.read_u4be()

            if self.len_additional_fields > 0:
                pass
                self._raw_additional_fields = self._io.read_bytes(self.len_additional_fields)
                _io__raw_additional_fields = KaitaiStream(BytesIO(self._raw_additional_fields))
                self.additional_fields = Qcow2.AdditionalFields(_io__raw_additional_fields, self, self._root)



        def _fetch_instances(self):
            pass
            if self.version >= 3:
                pass

            if self.version >= 3:
                pass

            if self.version >= 3:
                pass

            if self.version >= 3:
                pass

            if self.version >= 3:
                pass

            if self.len_additional_fields > 0:
                pass
                self.additional_fields._fetch_instances()


        @property
        def cluster_size(self):
            """Size of a cluster in bytes; 0 where cluster_bits is out of range."""
            if hasattr(self, '_m_cluster_size'):
                return self._m_cluster_size

            self._m_cluster_size = (1 << self.cluster_bits if self.ok_cluster_bits else 0)
            return getattr(self, '_m_cluster_size', None)

        @property
        def csize_mask(self):
            """Largest count of additional sectors in the L2 entry of a compressed
            cluster; 0 where cluster_bits is out of range.
            """
            if hasattr(self, '_m_csize_mask'):
                return self._m_csize_mask

            self._m_csize_mask = (self.cluster_size // (1 << 8) - 1 if self.ok_cluster_bits else 0)
            return getattr(self, '_m_csize_mask', None)

        @property
        def csize_shift(self):
            """Number of bits that hold the offset in the L2 entry of a compressed
            cluster; the count of sectors is above them. 0 where cluster_bits is
            out of range.
            """
            if hasattr(self, '_m_csize_shift'):
                return self._m_csize_shift

            self._m_csize_shift = ((62 + 8) - self.cluster_bits if self.ok_cluster_bits else 0)
            return getattr(self, '_m_csize_shift', None)

        @property
        def effective_compression_type(self):
            """How compressed clusters are compressed; zlib, which is 0, where the
            header is too short to say.
            """
            if hasattr(self, '_m_effective_compression_type'):
                return self._m_effective_compression_type

            self._m_effective_compression_type = (self.additional_fields.compression_type if self.len_additional_fields > 0 else Qcow2.CompressionType.zlib)
            return getattr(self, '_m_effective_compression_type', None)

        @property
        def effective_header_length(self):
            """Length of the header in bytes; 72 in version 2."""
            if hasattr(self, '_m_effective_header_length'):
                return self._m_effective_header_length

            self._m_effective_header_length = (72 if self.version < 3 else self.header_length)
            return getattr(self, '_m_effective_header_length', None)

        @property
        def effective_refcount_order(self):
            """Logarithm to base 2 of the width of a reference count in bits; 4 in
            version 2.
            """
            if hasattr(self, '_m_effective_refcount_order'):
                return self._m_effective_refcount_order

            self._m_effective_refcount_order = (4 if self.version < 3 else self.refcount_order)
            return getattr(self, '_m_effective_refcount_order', None)

        @property
        def extensions_end(self):
            """Offset at which the room of the header extensions ends, in bytes: the
            backing file's name if there is one, else the end of the first
            cluster; 0 where the cluster's size is unknown.
            """
            if hasattr(self, '_m_extensions_end'):
                return self._m_extensions_end

            self._m_extensions_end = (self.backing_file_offset if  ((self.backing_file_offset != 0) and (self.backing_file_offset < self.cluster_size))  else self.cluster_size)
            return getattr(self, '_m_extensions_end', None)

        @property
        def has_bitmaps(self):
            """Autoclear feature bit 0: the bitmaps extension is up to date
            (QCOW2_AUTOCLEAR_BITMAPS).
            """
            if hasattr(self, '_m_has_bitmaps'):
                return self._m_has_bitmaps

            self._m_has_bitmaps =  ((self.version >= 3) and (self.autoclear_features & 1 != 0))
            return getattr(self, '_m_has_bitmaps', None)

        @property
        def has_compression_type(self):
            """Incompatible feature bit 3: compressed clusters are of another type
            than zlib (QCOW2_INCOMPAT_COMPRESSION).
            """
            if hasattr(self, '_m_has_compression_type'):
                return self._m_has_compression_type

            self._m_has_compression_type =  ((self.version >= 3) and (self.incompatible_features & 8 != 0))
            return getattr(self, '_m_has_compression_type', None)

        @property
        def has_corrupt(self):
            """Incompatible feature bit 1: any structure may be wrong, and writing is
            forbidden (QCOW2_INCOMPAT_CORRUPT).
            """
            if hasattr(self, '_m_has_corrupt'):
                return self._m_has_corrupt

            self._m_has_corrupt =  ((self.version >= 3) and (self.incompatible_features & 2 != 0))
            return getattr(self, '_m_has_corrupt', None)

        @property
        def has_data_file(self):
            """Incompatible feature bit 2: the guest's data lie in another file
            (QCOW2_INCOMPAT_DATA_FILE).
            """
            if hasattr(self, '_m_has_data_file'):
                return self._m_has_data_file

            self._m_has_data_file =  ((self.version >= 3) and (self.incompatible_features & 4 != 0))
            return getattr(self, '_m_has_data_file', None)

        @property
        def has_data_file_raw(self):
            """Autoclear feature bit 1: the external data file is a raw image by
            itself (QCOW2_AUTOCLEAR_DATA_FILE_RAW).
            """
            if hasattr(self, '_m_has_data_file_raw'):
                return self._m_has_data_file_raw

            self._m_has_data_file_raw =  ((self.version >= 3) and (self.autoclear_features & 2 != 0))
            return getattr(self, '_m_has_data_file_raw', None)

        @property
        def has_dirty(self):
            """Incompatible feature bit 0: refcounts may be wrong until they are
            repaired (QCOW2_INCOMPAT_DIRTY).
            """
            if hasattr(self, '_m_has_dirty'):
                return self._m_has_dirty

            self._m_has_dirty =  ((self.version >= 3) and (self.incompatible_features & 1 != 0))
            return getattr(self, '_m_has_dirty', None)

        @property
        def has_extended_l2(self):
            """Incompatible feature bit 4: L2 entries have 16 bytes and describe
            subclusters (QCOW2_INCOMPAT_EXTL2).
            """
            if hasattr(self, '_m_has_extended_l2'):
                return self._m_has_extended_l2

            self._m_has_extended_l2 =  ((self.version >= 3) and (self.incompatible_features & 16 != 0))
            return getattr(self, '_m_has_extended_l2', None)

        @property
        def has_lazy_refcounts(self):
            """Compatible feature bit 0: refcounts may be updated late
            (QCOW2_COMPAT_LAZY_REFCOUNTS).
            """
            if hasattr(self, '_m_has_lazy_refcounts'):
                return self._m_has_lazy_refcounts

            self._m_has_lazy_refcounts =  ((self.version >= 3) and (self.compatible_features & 1 != 0))
            return getattr(self, '_m_has_lazy_refcounts', None)

        @property
        def l1_entry_span(self):
            """Number of guest bytes that one L1 entry maps; 0 where the cluster's
            size is unknown.
            """
            if hasattr(self, '_m_l1_entry_span'):
                return self._m_l1_entry_span

            self._m_l1_entry_span = (self.cluster_size * self.l2_entries)
            return getattr(self, '_m_l1_entry_span', None)

        @property
        def l1_table_bytes(self):
            """Size of the active L1 table in bytes."""
            if hasattr(self, '_m_l1_table_bytes'):
                return self._m_l1_table_bytes

            self._m_l1_table_bytes = (self.l1_size * 8)
            return getattr(self, '_m_l1_table_bytes', None)

        @property
        def l1_vm_state_index(self):
            """Number of L1 entries that map the disk, which is also the index of the
            first one that may hold the state of a virtual machine. QEMU rounds
            the size up in 64 bits, where the largest sizes wrap around to 0; so
            does this.
            """
            if hasattr(self, '_m_l1_vm_state_index'):
                return self._m_l1_vm_state_index

            self._m_l1_vm_state_index = (0 if self.l1_entry_span == 0 else (self.size // self.l1_entry_span if (self.size // self.l1_entry_span) * self.l1_entry_span == self.size else (0 if self.size // self.l1_entry_span + 1 == (4611686018427387904 // self.l1_entry_span) * 4 else self.size // self.l1_entry_span + 1)))
            return getattr(self, '_m_l1_vm_state_index', None)

        @property
        def l2_bits(self):
            """Logarithm to base 2 of the number of entries in an L2 table."""
            if hasattr(self, '_m_l2_bits'):
                return self._m_l2_bits

            self._m_l2_bits = (0 if (not (self.ok_cluster_bits)) else (self.cluster_bits - 4 if self.has_extended_l2 else self.cluster_bits - 3))
            return getattr(self, '_m_l2_bits', None)

        @property
        def l2_entries(self):
            """Number of entries in an L2 table."""
            if hasattr(self, '_m_l2_entries'):
                return self._m_l2_entries

            self._m_l2_entries = (self.cluster_size // self.l2_entry_size)
            return getattr(self, '_m_l2_entries', None)

        @property
        def l2_entry_size(self):
            """Size of an L2 entry in bytes (L2E_SIZE_NORMAL, L2E_SIZE_EXTENDED)."""
            if hasattr(self, '_m_l2_entry_size'):
                return self._m_l2_entry_size

            self._m_l2_entry_size = (16 if self.has_extended_l2 else 8)
            return getattr(self, '_m_l2_entry_size', None)

        @property
        def len_additional_fields(self):
            """Number of bytes read as additional fields: what header_length says,
            within the largest cluster (2^MAX_CLUSTER_BITS, 2 MiB) and within the
            stream. It is fixed while the header is read.
            """
            if hasattr(self, '_m_len_additional_fields'):
                return self._m_len_additional_fields

            self._m_len_additional_fields = (0 if  ((self.version < 3) or (self.header_length <= 104))  else ((1 << 21) - 104 if  ((self.header_length > 1 << 21) and (self._io.size() - self._io.pos() > (1 << 21) - 104))  else (self._io.size() - self._io.pos() if self.header_length - 104 > self._io.size() - self._io.pos() else self.header_length - 104)))
            return getattr(self, '_m_len_additional_fields', None)

        @property
        def librbd_l1_entry_span(self):
            """Number of guest bytes that librbd maps with one L1 entry: it knows L2
            entries of 8 bytes only. Bounded where cluster_bits is out of range.
            """
            if hasattr(self, '_m_librbd_l1_entry_span'):
                return self._m_librbd_l1_entry_span

            self._m_librbd_l1_entry_span = (1 if self.cluster_bits < 2 else (549755813888 if self.cluster_bits > 21 else ((1 << self.cluster_bits) * (1 << self.cluster_bits)) // 8))
            return getattr(self, '_m_librbd_l1_entry_span', None)

        @property
        def num_librbd_l1_entries(self):
            """Number of L1 entries that the disk needs, cut to 32 bits as librbd
            does.
            """
            if hasattr(self, '_m_num_librbd_l1_entries'):
                return self._m_num_librbd_l1_entries

            self._m_num_librbd_l1_entries = ((self.size // self.librbd_l1_entry_span) % 4294967296 if (self.size // self.librbd_l1_entry_span) * self.librbd_l1_entry_span == self.size else (self.size // self.librbd_l1_entry_span + 1) % 4294967296)
            return getattr(self, '_m_num_librbd_l1_entries', None)

        @property
        def ok_backing_data_file_raw(self):
            """An image whose data file is a raw image has no backing file. The
            document demands it, QEMU does not look.
            """
            if hasattr(self, '_m_ok_backing_data_file_raw'):
                return self._m_ok_backing_data_file_raw

            self._m_ok_backing_data_file_raw =  (((not (self.has_data_file_raw))) or (self.backing_file_offset == 0))
            return getattr(self, '_m_ok_backing_data_file_raw', None)

        @property
        def ok_backing_file_offset(self):
            """The backing file's name starts in the first cluster, or at its end,
            where only an empty name has room.
            """
            if hasattr(self, '_m_ok_backing_file_offset'):
                return self._m_ok_backing_file_offset

            self._m_ok_backing_file_offset =  ((self.cluster_size == 0) or (self.backing_file_offset <= self.cluster_size))
            return getattr(self, '_m_ok_backing_file_offset', None)

        @property
        def ok_backing_file_position(self):
            """The backing file's name starts behind the header. The document demands
            it, QEMU does not look.
            """
            if hasattr(self, '_m_ok_backing_file_position'):
                return self._m_ok_backing_file_position

            self._m_ok_backing_file_position =  ((self.backing_file_offset == 0) or (self.backing_file_offset >= self.effective_header_length))
            return getattr(self, '_m_ok_backing_file_position', None)

        @property
        def ok_backing_file_size(self):
            """The backing file's name has at most QCOW_MAX_BACKING_FILE_SIZE (1023
            bytes) and ends within the first cluster. The second part is not asked
            of a name that starts beyond the cluster, which breaks another rule.
            """
            if hasattr(self, '_m_ok_backing_file_size'):
                return self._m_ok_backing_file_size

            self._m_ok_backing_file_size =  ((self.backing_file_offset == 0) or ( ((self.backing_file_size <= 1023) and ( ((self.cluster_size == 0) or (self.backing_file_offset > self.cluster_size) or (self.backing_file_size <= self.cluster_size - self.backing_file_offset)) )) ))
            return getattr(self, '_m_ok_backing_file_size', None)

        @property
        def ok_cluster_bits(self):
            """Clusters have 512 bytes to 2 MiB (MIN_CLUSTER_BITS to
            MAX_CLUSTER_BITS). The lower limit is the format's, the upper QEMU's.
            """
            if hasattr(self, '_m_ok_cluster_bits'):
                return self._m_ok_cluster_bits

            self._m_ok_cluster_bits =  ((self.cluster_bits >= 9) and (self.cluster_bits <= 21))
            return getattr(self, '_m_ok_cluster_bits', None)

        @property
        def ok_compression_bit_clear(self):
            """Where the compression type is 0, the feature bit that announces
            another type is clear.
            """
            if hasattr(self, '_m_ok_compression_bit_clear'):
                return self._m_ok_compression_bit_clear

            self._m_ok_compression_bit_clear =  ((self.version < 3) or ((not (self.has_compression_type))) or (self.effective_compression_type != Qcow2.CompressionType.zlib))
            return getattr(self, '_m_ok_compression_bit_clear', None)

        @property
        def ok_compression_bit_set(self):
            """Where the compression type is not 0, the feature bit that announces it
            is set.
            """
            if hasattr(self, '_m_ok_compression_bit_set'):
                return self._m_ok_compression_bit_set

            self._m_ok_compression_bit_set =  ((self.version < 3) or (self.has_compression_type) or (self.effective_compression_type == Qcow2.CompressionType.zlib))
            return getattr(self, '_m_ok_compression_bit_set', None)

        @property
        def ok_compression_type(self):
            """The compression type is one that exists: QCOW2_COMPRESSION_TYPE_ZLIB,
            or QCOW2_COMPRESSION_TYPE_ZSTD, which QEMU may be built without.
            """
            if hasattr(self, '_m_ok_compression_type'):
                return self._m_ok_compression_type

            self._m_ok_compression_type =  ((self.effective_compression_type == Qcow2.CompressionType.zlib) or (self.effective_compression_type == Qcow2.CompressionType.zstd))
            return getattr(self, '_m_ok_compression_type', None)

        @property
        def ok_corrupt(self):
            """The image is not marked as corrupt. QEMU opens it, but not for
            writing.
            """
            if hasattr(self, '_m_ok_corrupt'):
                return self._m_ok_corrupt

            self._m_ok_corrupt = (not (self.has_corrupt))
            return getattr(self, '_m_ok_corrupt', None)

        @property
        def ok_crypt_method(self):
            """The encryption method is one that exists: QCOW_CRYPT_NONE,
            QCOW_CRYPT_AES or QCOW_CRYPT_LUKS.
            """
            if hasattr(self, '_m_ok_crypt_method'):
                return self._m_ok_crypt_method

            self._m_ok_crypt_method =  ((self.crypt_method == Qcow2.CryptMethod.none) or (self.crypt_method == Qcow2.CryptMethod.aes) or (self.crypt_method == Qcow2.CryptMethod.luks))
            return getattr(self, '_m_ok_crypt_method', None)

        @property
        def ok_data_file_absent(self):
            """The guest's data are in the image itself. librbd asks for it as well.
            """
            if hasattr(self, '_m_ok_data_file_absent'):
                return self._m_ok_data_file_absent

            self._m_ok_data_file_absent = (not (self.has_data_file))
            return getattr(self, '_m_ok_data_file_absent', None)

        @property
        def ok_data_file_raw(self):
            """Only an external data file is called a raw image."""
            if hasattr(self, '_m_ok_data_file_raw'):
                return self._m_ok_data_file_raw

            self._m_ok_data_file_raw =  (((not (self.has_data_file_raw))) or (self.has_data_file))
            return getattr(self, '_m_ok_data_file_raw', None)

        @property
        def ok_header_length_maximum(self):
            """The header fits the first cluster."""
            if hasattr(self, '_m_ok_header_length_maximum'):
                return self._m_ok_header_length_maximum

            self._m_ok_header_length_maximum =  ((self.cluster_size == 0) or (self.effective_header_length <= self.cluster_size))
            return getattr(self, '_m_ok_header_length_maximum', None)

        @property
        def ok_header_length_minimum(self):
            """The header of version 3 has at least QCOW2_V3_MIN_HEADER_LENGTH (104
            bytes).
            """
            if hasattr(self, '_m_ok_header_length_minimum'):
                return self._m_ok_header_length_minimum

            self._m_ok_header_length_minimum =  ((self.version < 3) or (self.header_length >= 104))
            return getattr(self, '_m_ok_header_length_minimum', None)

        @property
        def ok_header_length_multiple(self):
            """The header's length is a multiple of QCOW2_HEADER_ALIGNMENT (8 bytes).
            The document demands it, QEMU does not look.
            """
            if hasattr(self, '_m_ok_header_length_multiple'):
                return self._m_ok_header_length_multiple

            self._m_ok_header_length_multiple =  ((self.version < 3) or (self.header_length % 8 == 0))
            return getattr(self, '_m_ok_header_length_multiple', None)

        @property
        def ok_l1_read(self):
            """The active L1 table ends within BDRV_MAX_LENGTH."""
            if hasattr(self, '_m_ok_l1_read'):
                return self._m_ok_l1_read

            self._m_ok_l1_read =  ((self.l1_size == 0) or (self.l1_table_offset <= 9223372035781033984 - self.l1_table_bytes))
            return getattr(self, '_m_ok_l1_read', None)

        @property
        def ok_l1_size_maximum(self):
            """The active L1 table has at most QCOW_MAX_L1_SIZE (32 MiB)."""
            if hasattr(self, '_m_ok_l1_size_maximum'):
                return self._m_ok_l1_size_maximum

            self._m_ok_l1_size_maximum = self.l1_table_bytes <= 33554432
            return getattr(self, '_m_ok_l1_size_maximum', None)

        @property
        def ok_l1_size_minimum(self):
            """The active L1 table maps the whole disk."""
            if hasattr(self, '_m_ok_l1_size_minimum'):
                return self._m_ok_l1_size_minimum

            self._m_ok_l1_size_minimum = self.l1_size >= self.l1_vm_state_index
            return getattr(self, '_m_ok_l1_size_minimum', None)

        @property
        def ok_l1_table_offset(self):
            """The active L1 table starts at a cluster and ends at or below
            QCOW2_MAX_TABLE_END (INT64_MAX). QEMU looks even if the table is
            empty; an offset of 0 passes.
            """
            if hasattr(self, '_m_ok_l1_table_offset'):
                return self._m_ok_l1_table_offset

            self._m_ok_l1_table_offset =  ((self.l1_table_offset <= 9223372036854775807 - self.l1_table_bytes) and ( ((self.cluster_size == 0) or (self.l1_table_offset % self.cluster_size == 0)) ))
            return getattr(self, '_m_ok_l1_table_offset', None)

        @property
        def ok_librbd_backing_file(self):
            """There is no backing file, or one without a name."""
            if hasattr(self, '_m_ok_librbd_backing_file'):
                return self._m_ok_librbd_backing_file

            self._m_ok_librbd_backing_file =  ((self.backing_file_offset == 0) or (self.backing_file_size == 0))
            return getattr(self, '_m_ok_librbd_backing_file', None)

        @property
        def ok_librbd_compression(self):
            """Neither the compression type nor its feature bit is set."""
            if hasattr(self, '_m_ok_librbd_compression'):
                return self._m_ok_librbd_compression

            self._m_ok_librbd_compression =  ((self.effective_compression_type == Qcow2.CompressionType.zlib) and ((not (self.has_compression_type))))
            return getattr(self, '_m_ok_librbd_compression', None)

        @property
        def ok_librbd_extended_l2(self):
            """L2 entries have 8 bytes."""
            if hasattr(self, '_m_ok_librbd_extended_l2'):
                return self._m_ok_librbd_extended_l2

            self._m_ok_librbd_extended_l2 = (not (self.has_extended_l2))
            return getattr(self, '_m_ok_librbd_extended_l2', None)

        @property
        def ok_librbd_l1_size(self):
            """The L1 entries that the disk needs, as librbd counts them, are at most
            QCOW1_MAX_L1_ENTRIES, and the L1 table has them. The size can be
            rounded up to whole L1 entries: it is at most INV_OFFSET less what one
            maps. The quotients stand for that sum, because not every language has
            more than 64 bits.
            """
            if hasattr(self, '_m_ok_librbd_l1_size'):
                return self._m_ok_librbd_l1_size

            self._m_ok_librbd_l1_size =  ((self.size // self.librbd_l1_entry_span + 1 < (4611686018427387904 // self.librbd_l1_entry_span) * 4) and (self.num_librbd_l1_entries <= 268435455) and (self.num_librbd_l1_entries <= self.l1_size))
            return getattr(self, '_m_ok_librbd_l1_size', None)

        @property
        def ok_librbd_size_sectors(self):
            """The disk ends at a sector (BDRV_SECTOR_SIZE)."""
            if hasattr(self, '_m_ok_librbd_size_sectors'):
                return self._m_ok_librbd_size_sectors

            self._m_ok_librbd_size_sectors = self.size % 512 == 0
            return getattr(self, '_m_ok_librbd_size_sectors', None)

        @property
        def ok_librbd_v1_version(self):
            """The version is 1 (QCOW_VERSION), the only one that librbd's first
            reader knew.
            """
            if hasattr(self, '_m_ok_librbd_v1_version'):
                return self._m_ok_librbd_v1_version

            self._m_ok_librbd_v1_version = self.version == 1
            return getattr(self, '_m_ok_librbd_v1_version', None)

        @property
        def ok_magic(self):
            """The magic number is QCOW_MAGIC."""
            if hasattr(self, '_m_ok_magic'):
                return self._m_ok_magic

            self._m_ok_magic = self.magic == 1363560955
            return getattr(self, '_m_ok_magic', None)

        @property
        def ok_refcount_order(self):
            """A reference count has at most 64 bits (QCOW2_MAX_REFCOUNT_ORDER)."""
            if hasattr(self, '_m_ok_refcount_order'):
                return self._m_ok_refcount_order

            self._m_ok_refcount_order =  ((self.version < 3) or (self.refcount_order <= 6))
            return getattr(self, '_m_ok_refcount_order', None)

        @property
        def ok_refcount_table_offset(self):
            """The refcount table starts at a cluster and ends at or below
            QCOW2_MAX_TABLE_END (INT64_MAX). An offset of 0 passes.
            """
            if hasattr(self, '_m_ok_refcount_table_offset'):
                return self._m_ok_refcount_table_offset

            self._m_ok_refcount_table_offset =  ((self.refcount_table_offset <= 9223372036854775807 - self.refcount_table_bytes) and ( ((self.cluster_size == 0) or (self.refcount_table_offset % self.cluster_size == 0)) ))
            return getattr(self, '_m_ok_refcount_table_offset', None)

        @property
        def ok_refcount_table_present(self):
            """There is a refcount table."""
            if hasattr(self, '_m_ok_refcount_table_present'):
                return self._m_ok_refcount_table_present

            self._m_ok_refcount_table_present = self.refcount_table_clusters > 0
            return getattr(self, '_m_ok_refcount_table_present', None)

        @property
        def ok_refcount_table_read(self):
            """The refcount table ends within BDRV_MAX_LENGTH."""
            if hasattr(self, '_m_ok_refcount_table_read'):
                return self._m_ok_refcount_table_read

            self._m_ok_refcount_table_read =  ((self.refcount_table_bytes == 0) or (self.refcount_table_offset <= 9223372035781033984 - self.refcount_table_bytes))
            return getattr(self, '_m_ok_refcount_table_read', None)

        @property
        def ok_refcount_table_size(self):
            """The refcount table has at most QCOW_MAX_REFTABLE_SIZE (8 MiB). True
            where the cluster's size is unknown.
            """
            if hasattr(self, '_m_ok_refcount_table_size'):
                return self._m_ok_refcount_table_size

            self._m_ok_refcount_table_size = self.refcount_table_bytes <= 8388608
            return getattr(self, '_m_ok_refcount_table_size', None)

        @property
        def ok_size_maximum(self):
            """The disk needs at most QCOW2_MAX_L1_VM_STATE_INDEX (INT_MAX) entries
            in the L1 table.
            """
            if hasattr(self, '_m_ok_size_maximum'):
                return self._m_ok_size_maximum

            self._m_ok_size_maximum = self.l1_vm_state_index <= 2147483647
            return getattr(self, '_m_ok_size_maximum', None)

        @property
        def ok_snapshots_count(self):
            """There are at most QCOW_MAX_SNAPSHOTS snapshots."""
            if hasattr(self, '_m_ok_snapshots_count'):
                return self._m_ok_snapshots_count

            self._m_ok_snapshots_count = self.nb_snapshots <= 65536
            return getattr(self, '_m_ok_snapshots_count', None)

        @property
        def ok_snapshots_data_file(self):
            """An image with an external data file has no snapshots. QEMU opens it
            all the same; its check reports it.
            """
            if hasattr(self, '_m_ok_snapshots_data_file'):
                return self._m_ok_snapshots_data_file

            self._m_ok_snapshots_data_file =  ((self.nb_snapshots == 0) or ((not (self.has_data_file))))
            return getattr(self, '_m_ok_snapshots_data_file', None)

        @property
        def ok_snapshots_offset(self):
            """The snapshot table starts at a cluster, and the fixed parts of its
            entries, QCOW2_SNAPSHOT_HEADER_SIZE (40 bytes) each, end at or below
            QCOW2_MAX_TABLE_END (INT64_MAX). QEMU looks even if there are no
            snapshots.
            """
            if hasattr(self, '_m_ok_snapshots_offset'):
                return self._m_ok_snapshots_offset

            self._m_ok_snapshots_offset =  ((self.snapshots_offset <= 9223372036854775807 - self.nb_snapshots * 40) and ( ((self.cluster_size == 0) or (self.snapshots_offset % self.cluster_size == 0)) ))
            return getattr(self, '_m_ok_snapshots_offset', None)

        @property
        def ok_subcluster_size(self):
            """Subclusters have at least 512 bytes, so that an image with extended L2
            entries has clusters of 16 KiB or more (QCOW2_EXTL2_MIN_CLUSTER_BITS).
            """
            if hasattr(self, '_m_ok_subcluster_size'):
                return self._m_ok_subcluster_size

            self._m_ok_subcluster_size =  (((not (self.has_extended_l2))) or (self.cluster_bits >= 14))
            return getattr(self, '_m_ok_subcluster_size', None)

        @property
        def ok_total_sectors(self):
            """The disk, in whole sectors of 512 bytes, has at most BDRV_MAX_LENGTH,
            here in sectors (BDRV_SECTOR_SIZE).
            """
            if hasattr(self, '_m_ok_total_sectors'):
                return self._m_ok_total_sectors

            self._m_ok_total_sectors = self.size // 512 <= 9223372035781033984 // 512
            return getattr(self, '_m_ok_total_sectors', None)

        @property
        def ok_unencrypted(self):
            """The guest's data are stored as they are (QCOW_CRYPT_NONE). librbd asks
            for it as well.
            """
            if hasattr(self, '_m_ok_unencrypted'):
                return self._m_ok_unencrypted

            self._m_ok_unencrypted = self.crypt_method == Qcow2.CryptMethod.none
            return getattr(self, '_m_ok_unencrypted', None)

        @property
        def ok_unknown_incompatible(self):
            """No incompatible feature is set but those that exist
            (QCOW2_INCOMPAT_MASK, bits 0 to 4).
            """
            if hasattr(self, '_m_ok_unknown_incompatible'):
                return self._m_ok_unknown_incompatible

            self._m_ok_unknown_incompatible =  ((self.version < 3) or (self.incompatible_features <= 31))
            return getattr(self, '_m_ok_unknown_incompatible', None)

        @property
        def ok_untrusted_backing_file(self):
            """There is no backing file, and no name of one, be it empty."""
            if hasattr(self, '_m_ok_untrusted_backing_file'):
                return self._m_ok_untrusted_backing_file

            self._m_ok_untrusted_backing_file = self.backing_file_offset == 0
            return getattr(self, '_m_ok_untrusted_backing_file', None)

        @property
        def ok_untrusted_dirty(self):
            """The image was closed in order."""
            if hasattr(self, '_m_ok_untrusted_dirty'):
                return self._m_ok_untrusted_dirty

            self._m_ok_untrusted_dirty = (not (self.has_dirty))
            return getattr(self, '_m_ok_untrusted_dirty', None)

        @property
        def ok_untrusted_size(self):
            """The disk has at most POLICY_MAX_DISK_SIZE (64 TiB)."""
            if hasattr(self, '_m_ok_untrusted_size'):
                return self._m_ok_untrusted_size

            self._m_ok_untrusted_size = self.size <= 70368744177664
            return getattr(self, '_m_ok_untrusted_size', None)

        @property
        def ok_untrusted_unknown_autoclear(self):
            """No autoclear feature is set but those that exist
            (QCOW2_AUTOCLEAR_MASK, bits 0 and 1).
            """
            if hasattr(self, '_m_ok_untrusted_unknown_autoclear'):
                return self._m_ok_untrusted_unknown_autoclear

            self._m_ok_untrusted_unknown_autoclear =  ((self.version < 3) or (self.autoclear_features <= 3))
            return getattr(self, '_m_ok_untrusted_unknown_autoclear', None)

        @property
        def ok_untrusted_unknown_compatible(self):
            """No compatible feature is set but those that exist
            (QCOW2_COMPAT_FEAT_MASK, bit 0).
            """
            if hasattr(self, '_m_ok_untrusted_unknown_compatible'):
                return self._m_ok_untrusted_unknown_compatible

            self._m_ok_untrusted_unknown_compatible =  ((self.version < 3) or (self.compatible_features <= 1))
            return getattr(self, '_m_ok_untrusted_unknown_compatible', None)

        @property
        def ok_version(self):
            """The version is 2 or 3 (QCOW2_MIN_VERSION to QCOW2_MAX_VERSION)."""
            if hasattr(self, '_m_ok_version'):
                return self._m_ok_version

            self._m_ok_version =  ((self.version == 2) or (self.version == 3))
            return getattr(self, '_m_ok_version', None)

        @property
        def refcount_bits(self):
            """Width of a reference count in bits; 0 where refcount_order is out of
            range.
            """
            if hasattr(self, '_m_refcount_bits'):
                return self._m_refcount_bits

            self._m_refcount_bits = (1 << self.effective_refcount_order if self.ok_refcount_order else 0)
            return getattr(self, '_m_refcount_bits', None)

        @property
        def refcount_block_entries(self):
            """Number of counts in a refcount block; 0 where it cannot be known."""
            if hasattr(self, '_m_refcount_block_entries'):
                return self._m_refcount_block_entries

            self._m_refcount_block_entries = (0 if self.refcount_bits == 0 else (self.cluster_size * 8) // self.refcount_bits)
            return getattr(self, '_m_refcount_block_entries', None)

        @property
        def refcount_table_bytes(self):
            """Size of the refcount table in bytes; 0 where the cluster's size is
            unknown.
            """
            if hasattr(self, '_m_refcount_table_bytes'):
                return self._m_refcount_table_bytes

            self._m_refcount_table_bytes = (self.refcount_table_clusters * self.cluster_size)
            return getattr(self, '_m_refcount_table_bytes', None)

        @property
        def subcluster_size(self):
            """Size of a subcluster in bytes (QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER to a
            cluster); that of the whole cluster where entries are not extended.
            """
            if hasattr(self, '_m_subcluster_size'):
                return self._m_subcluster_size

            self._m_subcluster_size = (self.cluster_size // 32 if self.has_extended_l2 else self.cluster_size)
            return getattr(self, '_m_subcluster_size', None)


    class HeaderExtension(KaitaiStruct):
        """One header extension, its length a multiple of 8 with its padding.

        .. seealso::
           docs/interop/qcow2: Header extensions



        .. seealso::
           block/qcow2.c: qcow2_read_extensions
        """
        SEQ_FIELDS = ['magic', 'len', 'data', 'padding']
        _raw_data = None
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.HeaderExtension, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.magic = KaitaiStream.resolve_enum(Qcow2.ExtensionMagic, self._io.read_u4be())
            self.len = self._io.read_u4be()
            _on = self.layout
            if _on == Qcow2.ExtensionMagic.backing_format:
                pass
                self._raw_data = self._io.read_bytes(self.len_data)
                _io__raw_data = KaitaiStream(BytesIO(self._raw_data))
                self.data = Qcow2.BackingFormat(_io__raw_data, self, self._root)
            elif _on == Qcow2.ExtensionMagic.bitmaps:
                pass
                self._raw_data = self._io.read_bytes(self.len_data)
                _io__raw_data = KaitaiStream(BytesIO(self._raw_data))
                self.data = Qcow2.BitmapsExtension(_io__raw_data, self, self._root)
            elif _on == Qcow2.ExtensionMagic.crypto:
                pass
                self._raw_data = self._io.read_bytes(self.len_data)
                _io__raw_data = KaitaiStream(BytesIO(self._raw_data))
                self.data = Qcow2.CryptoExtension(_io__raw_data, self, self._root)
            elif _on == Qcow2.ExtensionMagic.data_file:
                pass
                self._raw_data = self._io.read_bytes(self.len_data)
                _io__raw_data = KaitaiStream(BytesIO(self._raw_data))
                self.data = Qcow2.DataFile(_io__raw_data, self, self._root)
            elif _on == Qcow2.ExtensionMagic.feature_name_table:
                pass
                self._raw_data = self._io.read_bytes(self.len_data)
                _io__raw_data = KaitaiStream(BytesIO(self._raw_data))
                self.data = Qcow2.FeatureNameTable(_io__raw_data, self, self._root)
            else:
                pass
                self.data = self._io.read_bytes(self.len_data)
            self.padding = self._io.read_bytes(((8 - self.len_data % 8) % 8 if (8 - self.len_data % 8) % 8 < self._io.size() - self._io.pos() else self._io.size() - self._io.pos()))


        def _fetch_instances(self):
            pass
            _on = self.layout
            if _on == Qcow2.ExtensionMagic.backing_format:
                pass
                self.data._fetch_instances()
            elif _on == Qcow2.ExtensionMagic.bitmaps:
                pass
                self.data._fetch_instances()
            elif _on == Qcow2.ExtensionMagic.crypto:
                pass
                self.data._fetch_instances()
            elif _on == Qcow2.ExtensionMagic.data_file:
                pass
                self.data._fetch_instances()
            elif _on == Qcow2.ExtensionMagic.feature_name_table:
                pass
                self.data._fetch_instances()
            else:
                pass

        @property
        def is_end(self):
            """This is the end marker."""
            if hasattr(self, '_m_is_end'):
                return self._m_is_end

            self._m_is_end = self.magic == Qcow2.ExtensionMagic.end_marker
            return getattr(self, '_m_is_end', None)

        @property
        def layout(self):
            """How the data are read: as the magic number says, but as plain bytes
            where they are too short for a fixed layout.
            """
            if hasattr(self, '_m_layout'):
                return self._m_layout

            self._m_layout = (Qcow2.ExtensionMagic.end_marker if  (( ((self.magic == Qcow2.ExtensionMagic.bitmaps) and (self.len_data < 24)) ) or ( ((self.magic == Qcow2.ExtensionMagic.crypto) and (self.len_data < 16)) ))  else self.magic)
            return getattr(self, '_m_layout', None)

        @property
        def len_data(self):
            """Number of bytes read as data: what len says, within the stream. It is
            fixed while the extension is read.
            """
            if hasattr(self, '_m_len_data'):
                return self._m_len_data

            self._m_len_data = (self.len if self.len < self._io.size() - self._io.pos() else self._io.size() - self._io.pos())
            return getattr(self, '_m_len_data', None)

        @property
        def ok_backing_format_len(self):
            """The name of a backing file's format has at most
            QCOW2_MAX_BACKING_FORMAT_SIZE (15 bytes).
            """
            if hasattr(self, '_m_ok_backing_format_len'):
                return self._m_ok_backing_format_len

            self._m_ok_backing_format_len =  ((self.magic != Qcow2.ExtensionMagic.backing_format) or (self.len <= 15))
            return getattr(self, '_m_ok_backing_format_len', None)

        @property
        def ok_bitmaps_len(self):
            """The bitmaps extension has QCOW2_BITMAPS_EXTENSION_SIZE (24 bytes)."""
            if hasattr(self, '_m_ok_bitmaps_len'):
                return self._m_ok_bitmaps_len

            self._m_ok_bitmaps_len =  ((self.magic != Qcow2.ExtensionMagic.bitmaps) or (self.len == 24))
            return getattr(self, '_m_ok_bitmaps_len', None)

        @property
        def ok_crypto_len(self):
            """The pointer to the encryption header has QCOW2_CRYPTO_EXTENSION_SIZE
            (16 bytes).
            """
            if hasattr(self, '_m_ok_crypto_len'):
                return self._m_ok_crypto_len

            self._m_ok_crypto_len =  ((self.magic != Qcow2.ExtensionMagic.crypto) or (self.len == 16))
            return getattr(self, '_m_ok_crypto_len', None)

        @property
        def ok_feature_table_len(self):
            """The feature name table has entries of QCOW2_FEATURE_ENTRY_SIZE (48
            bytes) and nothing else. QEMU fills the last one up with zeros.
            """
            if hasattr(self, '_m_ok_feature_table_len'):
                return self._m_ok_feature_table_len

            self._m_ok_feature_table_len =  ((self.magic != Qcow2.ExtensionMagic.feature_name_table) or (self.len % 48 == 0))
            return getattr(self, '_m_ok_feature_table_len', None)

        @property
        def ok_len(self):
            """The data end within the room for extensions."""
            if hasattr(self, '_m_ok_len'):
                return self._m_ok_len

            self._m_ok_len = self.len <= self.len_data
            return getattr(self, '_m_ok_len', None)

        @property
        def ok_untrusted_unknown(self):
            """The extension is one that the document has."""
            if hasattr(self, '_m_ok_untrusted_unknown'):
                return self._m_ok_untrusted_unknown

            self._m_ok_untrusted_unknown =  ((self.magic == Qcow2.ExtensionMagic.end_marker) or (self.magic == Qcow2.ExtensionMagic.crypto) or (self.magic == Qcow2.ExtensionMagic.bitmaps) or (self.magic == Qcow2.ExtensionMagic.data_file) or (self.magic == Qcow2.ExtensionMagic.feature_name_table) or (self.magic == Qcow2.ExtensionMagic.backing_format))
            return getattr(self, '_m_ok_untrusted_unknown', None)


    class HeaderExtensions(KaitaiStruct):
        """The header extensions, from the end of the header to the end of their
        stream.

        .. seealso::
           docs/interop/qcow2: Header extensions


        .. seealso::
           block/qcow2.c: qcow2_read_extensions
        """
        SEQ_FIELDS = ['entries', 'unparsed']
        entries = None
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.HeaderExtensions, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            if self.is_long_enough:
                pass
                self.entries = []
                i = 0
                while True:
                    _ = Qcow2.HeaderExtension(self._io, self, self._root)
                    self.entries.append(_)
                    if  ((_.is_end) or (len(self.entries) >= self.max_extensions) or (self._io.size() - self._io.pos() < 8)) :
                        break
                    i += 1

            self.unparsed = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass
            if self.is_long_enough:
                pass
                for i in range(len(self.entries)):
                    pass
                    self.entries[i]._fetch_instances()


            _ = self.positions
            if hasattr(self, '_m_positions'):
                pass
                for i in range(len(self._m_positions)):
                    pass
                    self._m_positions[i]._fetch_instances()



        @property
        def has_end(self):
            """The extensions close with an end marker."""
            if hasattr(self, '_m_has_end'):
                return self._m_has_end

            self._m_has_end =  ((self.num_entries > 0) and (self.entries[self.num_entries - 1].is_end))
            return getattr(self, '_m_has_end', None)

        @property
        def is_long_enough(self):
            """There is room for one extension. It is fixed while the extensions are
            read.
            """
            if hasattr(self, '_m_is_long_enough'):
                return self._m_is_long_enough

            self._m_is_long_enough = self._io.size() - self._io.pos() >= 8
            return getattr(self, '_m_is_long_enough', None)

        @property
        def last_bitmaps(self):
            """Index of the last bitmaps extension; -1 if there is none."""
            if hasattr(self, '_m_last_bitmaps'):
                return self._m_last_bitmaps

            self._m_last_bitmaps = (-1 if self.num_entries == 0 else self.positions[self.num_entries - 1].bitmaps)
            return getattr(self, '_m_last_bitmaps', None)

        @property
        def last_crypto(self):
            """Index of the last encryption extension; -1 if there is none."""
            if hasattr(self, '_m_last_crypto'):
                return self._m_last_crypto

            self._m_last_crypto = (-1 if self.num_entries == 0 else self.positions[self.num_entries - 1].crypto)
            return getattr(self, '_m_last_crypto', None)

        @property
        def max_extensions(self):
            """Number of extensions read at once. The limit is our own: QEMU reads as
            many as the first cluster holds.
            """
            if hasattr(self, '_m_max_extensions'):
                return self._m_max_extensions

            self._m_max_extensions = 4096
            return getattr(self, '_m_max_extensions', None)

        @property
        def num_entries(self):
            """Number of extensions, the end marker included."""
            if hasattr(self, '_m_num_entries'):
                return self._m_num_entries

            self._m_num_entries = (len(self.entries) if self.is_long_enough else 0)
            return getattr(self, '_m_num_entries', None)

        @property
        def positions(self):
            """For each extension, where the last ones up to it stand."""
            if hasattr(self, '_m_positions'):
                return self._m_positions

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_positions = []
            for i in range(self.num_entries):
                self._m_positions.append(Qcow2.ExtensionPositions(i, self.entries[i].layout, (-1 if i == 0 else self.positions[i - 1].bitmaps), (-1 if i == 0 else self.positions[i - 1].crypto), self._io, self, self._root))

            self._io.seek(_pos)
            return getattr(self, '_m_positions', None)


    class L1Entry(KaitaiStruct):
        """One entry of an L1 table, 8 bytes. The offset is split in two, so that no
        field has more than 32 bits.

        .. seealso::
           docs/interop/qcow2: Cluster mapping
        """
        SEQ_FIELDS = ['copied', 'reserved1', 'offset_high', 'offset_low', 'reserved0']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.L1Entry, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.copied = self._io.read_bits_int_be(1) != 0
            self.reserved1 = self._io.read_bits_int_be(7)
            self.offset_high = self._io.read_bits_int_be(24)
            self.offset_low = self._io.read_bits_int_be(23)
            self.reserved0 = self._io.read_bits_int_be(9)


        def _fetch_instances(self):
            pass

        @property
        def l2_table_offset(self):
            """Offset of the L2 table in bytes (L1E_OFFSET_MASK); 0 if nothing in its
            span is allocated.
            """
            if hasattr(self, '_m_l2_table_offset'):
                return self._m_l2_table_offset

            self._m_l2_table_offset = (self.offset_sectors * 512)
            return getattr(self, '_m_l2_table_offset', None)

        @property
        def offset_sectors(self):
            """The whole offset in sectors of 512 bytes."""
            if hasattr(self, '_m_offset_sectors'):
                return self._m_offset_sectors

            self._m_offset_sectors = (self.offset_high * 8388608 + self.offset_low)
            return getattr(self, '_m_offset_sectors', None)

        @property
        def ok_copied_unused(self):
            """An entry without an L2 table is not marked as copied. QEMU does not
            look.
            """
            if hasattr(self, '_m_ok_copied_unused'):
                return self._m_ok_copied_unused

            self._m_ok_copied_unused =  ((self.offset_sectors != 0) or ((not (self.copied))))
            return getattr(self, '_m_ok_copied_unused', None)

        @property
        def ok_reserved(self):
            """The reserved bits are zero (L1E_RESERVED_MASK)."""
            if hasattr(self, '_m_ok_reserved'):
                return self._m_ok_reserved

            self._m_ok_reserved =  ((self.reserved1 == 0) and (self.reserved0 == 0))
            return getattr(self, '_m_ok_reserved', None)


    class L1Page(KaitaiStruct):
        """Up to 512 entries of an L1 table.

        .. seealso::
           docs/interop/qcow2: Cluster mapping
        """
        SEQ_FIELDS = []
        def __init__(self, index, _io, _parent=None, _root=None):
            super(Qcow2.L1Page, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.index = index
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass
            _ = self.entries
            if hasattr(self, '_m_entries'):
                pass
                for i in range(len(self._m_entries)):
                    pass
                    self._m_entries[i]._fetch_instances()


            _ = self.l2_tables
            if hasattr(self, '_m_l2_tables'):
                pass
                for i in range(len(self._m_l2_tables)):
                    pass
                    self._m_l2_tables[i]._fetch_instances()



        @property
        def entries(self):
            """The entries."""
            if hasattr(self, '_m_entries'):
                return self._m_entries

            _pos = self._io.pos()
            self._io.seek(self.index * 4096)
            self._m_entries = []
            for i in range(self.num_entries):
                self._m_entries.append(Qcow2.L1Entry(self._io, self, self._root))

            self._io.seek(_pos)
            return getattr(self, '_m_entries', None)

        @property
        def l2_tables(self):
            """Where the entries point, in the same order."""
            if hasattr(self, '_m_l2_tables'):
                return self._m_l2_tables

            _pos = self._io.pos()
            self._io.seek(self.index * 4096)
            self._m_l2_tables = []
            for i in range(self.num_entries):
                self._m_l2_tables.append(Qcow2.L2TableAt(self.entries[i].l2_table_offset, self._io, self, self._root))

            self._io.seek(_pos)
            return getattr(self, '_m_l2_tables', None)

        @property
        def num_entries(self):
            """Number of entries in this page."""
            if hasattr(self, '_m_num_entries'):
                return self._m_num_entries

            self._m_num_entries = (512 if self._io.size() // 8 - self.index * 512 > 512 else self._io.size() // 8 - self.index * 512)
            return getattr(self, '_m_num_entries', None)


    class L1Table(KaitaiStruct):
        """An L1 table, in pages, so that a big one opens at once.

        .. seealso::
           docs/interop/qcow2: Cluster mapping
        """
        SEQ_FIELDS = ['pages']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.L1Table, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.pages = []
            for i in range((self._io.size() + 4088) // 4096):
                self.pages.append(Qcow2.L1Page(i, self._io, self, self._root))



        def _fetch_instances(self):
            pass
            for i in range(len(self.pages)):
                pass
                self.pages[i]._fetch_instances()



    class L1TableAt(KaitaiStruct):
        """The place of a snapshot's L1 table. It has meaning only in a tree that was
        read from a whole file.

        .. seealso::
           docs/interop/qcow2: Snapshots
        """
        SEQ_FIELDS = []
        def __init__(self, offset, length, ok_length, _io, _parent=None, _root=None):
            super(Qcow2.L1TableAt, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.offset = offset
            self.length = length
            self.ok_length = ok_length
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass
            _ = self.table
            if hasattr(self, '_m_table'):
                pass
                self._m_table._fetch_instances()


        @property
        def table(self):
            """The L1 table, as far as the file holds it."""
            if hasattr(self, '_m_table'):
                return self._m_table

            if  ((self.ok_length) and (self.length > 0) and (self.offset < self._root._io.size())) :
                pass
                io = self._root._io
                _pos = io.pos()
                io.seek(self.offset)
                self._raw__m_table = io.read_bytes((self._root._io.size() - self.offset if self.length > self._root._io.size() - self.offset else self.length))
                _io__raw__m_table = KaitaiStream(BytesIO(self._raw__m_table))
                self._m_table = Qcow2.L1Table(_io__raw__m_table, self, self._root)
                io.seek(_pos)

            return getattr(self, '_m_table', None)


    class L2Entry(KaitaiStruct):
        """One entry of an L2 table, 8 bytes, or 16 if extended. It describes a
        standard cluster by its offset and a compressed one by the offset and the
        number of sectors. Wide fields are split in two, so that none has more
        than 32 bits.

        .. seealso::
           docs/interop/qcow2: Cluster mapping


        .. seealso::
           docs/interop/qcow2: Extended L2 Entries


        .. seealso::
           block/qcow2.h: qcow2_get_cluster_type
        """
        SEQ_FIELDS = ['copied', 'compressed', 'reserved1', 'offset_high', 'offset_low', 'reserved0', 'zero', 'descriptor_high', 'descriptor_low', 'zero_bitmap', 'alloc_bitmap']
        reserved1 = None
        offset_high = None
        offset_low = None
        reserved0 = None
        zero = None
        descriptor_high = None
        descriptor_low = None
        zero_bitmap = None
        alloc_bitmap = None
        def __init__(self, cluster_bits, extended, _io, _parent=None, _root=None):
            super(Qcow2.L2Entry, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.cluster_bits = cluster_bits
            self.extended = extended
            self._read()

        def _read(self):
            self.copied = self._io.read_bits_int_be(1) != 0
            self.compressed = self._io.read_bits_int_be(1) != 0
            if (not (self.compressed)):
                pass
                self.reserved1 = self._io.read_bits_int_be(6)

            if (not (self.compressed)):
                pass
                self.offset_high = self._io.read_bits_int_be(24)

            if (not (self.compressed)):
                pass
                self.offset_low = self._io.read_bits_int_be(23)

            if (not (self.compressed)):
                pass
                self.reserved0 = self._io.read_bits_int_be(8)

            if (not (self.compressed)):
                pass
                self.zero = self._io.read_bits_int_be(1) != 0

            if self.compressed:
                pass
                self.descriptor_high = self._io.read_bits_int_be(30)

            if self.compressed:
                pass
                self.descriptor_low = self._io.read_bits_int_be(32)

            if self.extended:
                pass
                self.zero_bitmap = self._io.read_u4be()

            if self.extended:
                pass
                self.alloc_bitmap = self._io.read_u4be()



        def _fetch_instances(self):
            pass
            if (not (self.compressed)):
                pass

            if (not (self.compressed)):
                pass

            if (not (self.compressed)):
                pass

            if (not (self.compressed)):
                pass

            if (not (self.compressed)):
                pass

            if self.compressed:
                pass

            if self.compressed:
                pass

            if self.extended:
                pass

            if self.extended:
                pass


        @property
        def cluster_type(self):
            """What the entry describes, in an image without an external data file.
            With one, an entry that is copied at offset 0 is a normal cluster.
            """
            if hasattr(self, '_m_cluster_type'):
                return self._m_cluster_type

            self._m_cluster_type = (Qcow2.ClusterType.compressed if self.compressed else (Qcow2.ClusterType.zero_alloc if  ((self.zero) and ((not (self.extended))) and (self.offset_sectors != 0))  else (Qcow2.ClusterType.zero_plain if  ((self.zero) and ((not (self.extended))))  else (Qcow2.ClusterType.normal if self.offset_sectors != 0 else Qcow2.ClusterType.unallocated))))
            return getattr(self, '_m_cluster_type', None)

        @property
        def coffset(self):
            """Offset of the compressed data in bytes, not aligned to anything: the
            low 70 - cluster_bits bits. 0 where cluster_bits is out of range.
            """
            if hasattr(self, '_m_coffset'):
                return self._m_coffset

            if self.compressed:
                pass
                self._m_coffset = (0 if (not (self.knows_cluster_size)) else (self.descriptor_high % self.high_offset_span) * 4294967296 + self.descriptor_low)

            return getattr(self, '_m_coffset', None)

        @property
        def csize(self):
            """Largest possible length of the compressed data in bytes: to the end of
            their last sector.
            """
            if hasattr(self, '_m_csize'):
                return self._m_csize

            if self.compressed:
                pass
                self._m_csize = ((self.nb_csectors + 1) * 512 - self.coffset % 512)

            return getattr(self, '_m_csize', None)

        @property
        def high_offset_span(self):
            """How many values the part of a compressed cluster's offset that lies in
            descriptor_high can take: 2^(38 - cluster_bits).
            """
            if hasattr(self, '_m_high_offset_span'):
                return self._m_high_offset_span

            self._m_high_offset_span = (274877906944 // (1 << self.cluster_bits) if self.knows_cluster_size else 1)
            return getattr(self, '_m_high_offset_span', None)

        @property
        def knows_cluster_size(self):
            """cluster_bits is in range (MIN_CLUSTER_BITS to MAX_CLUSTER_BITS)."""
            if hasattr(self, '_m_knows_cluster_size'):
                return self._m_knows_cluster_size

            self._m_knows_cluster_size =  ((self.cluster_bits >= 9) and (self.cluster_bits <= 21))
            return getattr(self, '_m_knows_cluster_size', None)

        @property
        def nb_csectors(self):
            """Number of sectors of 512 bytes (QCOW2_COMPRESSED_SECTOR_SIZE) that
            hold compressed data, beyond the one that coffset lies in.
            """
            if hasattr(self, '_m_nb_csectors'):
                return self._m_nb_csectors

            if self.compressed:
                pass
                self._m_nb_csectors = (0 if (not (self.knows_cluster_size)) else self.descriptor_high // self.high_offset_span)

            return getattr(self, '_m_nb_csectors', None)

        @property
        def offset(self):
            """Offset of a standard cluster in bytes (L2E_OFFSET_MASK); 0 if it is
            not allocated.
            """
            if hasattr(self, '_m_offset'):
                return self._m_offset

            if (not (self.compressed)):
                pass
                self._m_offset = (self.offset_sectors * 512)

            return getattr(self, '_m_offset', None)

        @property
        def offset_sectors(self):
            """The whole offset of a standard cluster in sectors of 512 bytes."""
            if hasattr(self, '_m_offset_sectors'):
                return self._m_offset_sectors

            if (not (self.compressed)):
                pass
                self._m_offset_sectors = (self.offset_high * 8388608 + self.offset_low)

            return getattr(self, '_m_offset_sectors', None)

        @property
        def ok_compressed_bitmap(self):
            """A compressed cluster has no subclusters, and an empty bitmap."""
            if hasattr(self, '_m_ok_compressed_bitmap'):
                return self._m_ok_compressed_bitmap

            self._m_ok_compressed_bitmap =  (((not (self.extended))) or ((not (self.compressed))) or ( ((self.zero_bitmap == 0) and (self.alloc_bitmap == 0)) ))
            return getattr(self, '_m_ok_compressed_bitmap', None)

        @property
        def ok_compressed_offset(self):
            """Compressed data start within QCOW_MAX_CLUSTER_OFFSET (below 2^56)."""
            if hasattr(self, '_m_ok_compressed_offset'):
                return self._m_ok_compressed_offset

            self._m_ok_compressed_offset =  (((not (self.compressed))) or (self.coffset <= 72057594037927935))
            return getattr(self, '_m_ok_compressed_offset', None)

        @property
        def ok_copied(self):
            """A compressed cluster is never marked as copied."""
            if hasattr(self, '_m_ok_copied'):
                return self._m_ok_copied

            self._m_ok_copied = (not ( ((self.compressed) and (self.copied)) ))
            return getattr(self, '_m_ok_copied', None)

        @property
        def ok_extended_zero(self):
            """An extended entry of a standard cluster leaves bit 0 clear, because
            its bitmap says what reads as zeros. QEMU ignores the bit.
            """
            if hasattr(self, '_m_ok_extended_zero'):
                return self._m_ok_extended_zero

            self._m_ok_extended_zero =  (((not (self.extended))) or (self.compressed) or ((not (self.zero))))
            return getattr(self, '_m_ok_extended_zero', None)

        @property
        def ok_offset(self):
            """A standard cluster starts at a multiple of its size."""
            if hasattr(self, '_m_ok_offset'):
                return self._m_ok_offset

            self._m_ok_offset =  ((self.compressed) or ((not (self.knows_cluster_size))) or (self.offset % (1 << self.cluster_bits) == 0))
            return getattr(self, '_m_ok_offset', None)

        @property
        def ok_reserved(self):
            """The reserved bits of a standard cluster are zero
            (L2E_STD_RESERVED_MASK).
            """
            if hasattr(self, '_m_ok_reserved'):
                return self._m_ok_reserved

            self._m_ok_reserved =  ((self.compressed) or ( ((self.reserved1 == 0) and (self.reserved0 == 0)) ))
            return getattr(self, '_m_ok_reserved', None)

        @property
        def ok_subcluster_bitmap(self):
            """No subcluster of a standard cluster is both allocated and zero, and
            none is allocated where the cluster is not. An entry that is copied at
            offset 0 has a cluster if there is an external data file, which the
            entry cannot tell: it passes.
            """
            if hasattr(self, '_m_ok_subcluster_bitmap'):
                return self._m_ok_subcluster_bitmap

            self._m_ok_subcluster_bitmap =  (((not (self.extended))) or (self.compressed) or ( ((self.zero_bitmap & self.alloc_bitmap == 0) and ( ((self.offset_sectors != 0) or (self.copied) or (self.alloc_bitmap == 0)) )) ))
            return getattr(self, '_m_ok_subcluster_bitmap', None)


    class L2Page(KaitaiStruct):
        """Up to 512 entries of an L2 table.

        .. seealso::
           docs/interop/qcow2: Cluster mapping
        """
        SEQ_FIELDS = []
        def __init__(self, index, cluster_bits, extended, _io, _parent=None, _root=None):
            super(Qcow2.L2Page, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.index = index
            self.cluster_bits = cluster_bits
            self.extended = extended
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass
            _ = self.entries
            if hasattr(self, '_m_entries'):
                pass
                for i in range(len(self._m_entries)):
                    pass
                    self._m_entries[i]._fetch_instances()



        @property
        def entries(self):
            """The entries."""
            if hasattr(self, '_m_entries'):
                return self._m_entries

            _pos = self._io.pos()
            self._io.seek((self.index * 512) * self.entry_size)
            self._m_entries = []
            for i in range(self.num_entries):
                self._m_entries.append(Qcow2.L2Entry(self.cluster_bits, self.extended, self._io, self, self._root))

            self._io.seek(_pos)
            return getattr(self, '_m_entries', None)

        @property
        def entry_size(self):
            """Size of an entry in bytes (L2E_SIZE_NORMAL, L2E_SIZE_EXTENDED)."""
            if hasattr(self, '_m_entry_size'):
                return self._m_entry_size

            self._m_entry_size = (16 if self.extended else 8)
            return getattr(self, '_m_entry_size', None)

        @property
        def num_entries(self):
            """Number of entries in this page."""
            if hasattr(self, '_m_num_entries'):
                return self._m_num_entries

            self._m_num_entries = (512 if self._io.size() // self.entry_size - self.index * 512 > 512 else self._io.size() // self.entry_size - self.index * 512)
            return getattr(self, '_m_num_entries', None)


    class L2Table(KaitaiStruct):
        """An L2 table, one cluster, in pages.

        .. seealso::
           docs/interop/qcow2: Cluster mapping



        .. seealso::
           docs/interop/qcow2: Extended L2 Entries
        """
        SEQ_FIELDS = ['pages']
        def __init__(self, cluster_bits, extended, _io, _parent=None, _root=None):
            super(Qcow2.L2Table, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.cluster_bits = cluster_bits
            self.extended = extended
            self._read()

        def _read(self):
            self.pages = []
            for i in range(((self._io.size() + 8176) // 8192 if self.extended else (self._io.size() + 4088) // 4096)):
                self.pages.append(Qcow2.L2Page(i, self.cluster_bits, self.extended, self._io, self, self._root))



        def _fetch_instances(self):
            pass
            for i in range(len(self.pages)):
                pass
                self.pages[i]._fetch_instances()



    class L2TableAt(KaitaiStruct):
        """The place that an L1 entry points at. It has meaning only in a tree that
        was read from a whole file.

        .. seealso::
           docs/interop/qcow2: Cluster mapping
        """
        SEQ_FIELDS = []
        def __init__(self, offset, _io, _parent=None, _root=None):
            super(Qcow2.L2TableAt, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.offset = offset
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass
            _ = self.table
            if hasattr(self, '_m_table'):
                pass
                self._m_table._fetch_instances()


        @property
        def table(self):
            """The L2 table, as far as the file holds it."""
            if hasattr(self, '_m_table'):
                return self._m_table

            if  ((self.offset != 0) and (self.offset < self._root._io.size()) and (self._root.header.cluster_size != 0)) :
                pass
                io = self._root._io
                _pos = io.pos()
                io.seek(self.offset)
                self._raw__m_table = io.read_bytes((self._root._io.size() - self.offset if self._root.header.cluster_size > self._root._io.size() - self.offset else self._root.header.cluster_size))
                _io__raw__m_table = KaitaiStream(BytesIO(self._raw__m_table))
                self._m_table = Qcow2.L2Table(self._root.header.cluster_bits, self._root.header.has_extended_l2, _io__raw__m_table, self, self._root)
                io.seek(_pos)

            return getattr(self, '_m_table', None)


    class RefcountBlock(KaitaiStruct):
        """A refcount block, one cluster of reference counts, in pages.

        .. seealso::
           docs/interop/qcow2: Host cluster management
        """
        SEQ_FIELDS = ['pages']
        def __init__(self, refcount_order, _io, _parent=None, _root=None):
            super(Qcow2.RefcountBlock, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.refcount_order = refcount_order
            self._read()

        def _read(self):
            self.pages = []
            for i in range((self.num_entries + 511) // 512):
                self.pages.append(Qcow2.RefcountPage(i, self.refcount_order, self._io, self, self._root))



        def _fetch_instances(self):
            pass
            for i in range(len(self.pages)):
                pass
                self.pages[i]._fetch_instances()


        @property
        def knows_refcount_width(self):
            """refcount_order is in range (at most QCOW2_MAX_REFCOUNT_ORDER)."""
            if hasattr(self, '_m_knows_refcount_width'):
                return self._m_knows_refcount_width

            self._m_knows_refcount_width = self.refcount_order <= 6
            return getattr(self, '_m_knows_refcount_width', None)

        @property
        def num_entries(self):
            """Number of counts in the block; 0 where their width is unknown."""
            if hasattr(self, '_m_num_entries'):
                return self._m_num_entries

            self._m_num_entries = ((self._io.size() * 8) // (1 << self.refcount_order) if self.knows_refcount_width else 0)
            return getattr(self, '_m_num_entries', None)


    class RefcountBlockAt(KaitaiStruct):
        """The place that an entry of the refcount table points at. It has meaning
        only in a tree that was read from a whole file.

        .. seealso::
           docs/interop/qcow2: Host cluster management
        """
        SEQ_FIELDS = []
        def __init__(self, offset, _io, _parent=None, _root=None):
            super(Qcow2.RefcountBlockAt, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.offset = offset
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass
            _ = self.block
            if hasattr(self, '_m_block'):
                pass
                self._m_block._fetch_instances()


        @property
        def block(self):
            """The refcount block, as far as the file holds it."""
            if hasattr(self, '_m_block'):
                return self._m_block

            if  ((self.offset != 0) and (self.offset < self._root._io.size()) and (self._root.header.cluster_size != 0)) :
                pass
                io = self._root._io
                _pos = io.pos()
                io.seek(self.offset)
                self._raw__m_block = io.read_bytes((self._root._io.size() - self.offset if self._root.header.cluster_size > self._root._io.size() - self.offset else self._root.header.cluster_size))
                _io__raw__m_block = KaitaiStream(BytesIO(self._raw__m_block))
                self._m_block = Qcow2.RefcountBlock(self._root.header.effective_refcount_order, _io__raw__m_block, self, self._root)
                io.seek(_pos)

            return getattr(self, '_m_block', None)


    class RefcountEntry(KaitaiStruct):
        """One count of a refcount block. It is found by its index in the stream of
        the block: several narrow ones share a byte, the first of them in its
        lowest bits.

        .. seealso::
           docs/interop/qcow2: Host cluster management


        .. seealso::
           block/qcow2-refcount.c: get_refcount_ro0
        """
        SEQ_FIELDS = []
        def __init__(self, index, refcount_order, _io, _parent=None, _root=None):
            super(Qcow2.RefcountEntry, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.index = index
            self.refcount_order = refcount_order
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass
            _ = self.cell
            if hasattr(self, '_m_cell'):
                pass
                _on = self.refcount_order
                if _on == 3:
                    pass
                elif _on == 4:
                    pass
                elif _on == 5:
                    pass
                elif _on == 6:
                    pass
                else:
                    pass


        @property
        def bit_offset(self):
            """Number of bits below the count, in the byte that it starts in."""
            if hasattr(self, '_m_bit_offset'):
                return self._m_bit_offset

            self._m_bit_offset = (self.index * self.refcount_bits) % 8
            return getattr(self, '_m_bit_offset', None)

        @property
        def cell(self):
            """The number that holds the count; a byte, if it holds several."""
            if hasattr(self, '_m_cell'):
                return self._m_cell

            if self.refcount_bits != 0:
                pass
                _pos = self._io.pos()
                self._io.seek((self.index * self.refcount_bits) // 8)
                _on = self.refcount_order
                if _on == 3:
                    pass
                    self._m_cell = self._io.read_u1()
                elif _on == 4:
                    pass
                    self._m_cell = self._io.read_u2be()
                elif _on == 5:
                    pass
                    self._m_cell = self._io.read_u4be()
                elif _on == 6:
                    pass
                    self._m_cell = self._io.read_u8be()
                else:
                    pass
                    self._m_cell = self._io.read_u1()
                self._io.seek(_pos)

            return getattr(self, '_m_cell', None)

        @property
        def refcount(self):
            """Number of references to the cluster; absent where the width of the
            count is out of range.
            """
            if hasattr(self, '_m_refcount'):
                return self._m_refcount

            if self.refcount_bits != 0:
                pass
                self._m_refcount = ((self.cell // (1 << self.bit_offset)) % (1 << self.refcount_bits) if self.refcount_order < 3 else self.cell)

            return getattr(self, '_m_refcount', None)

        @property
        def refcount_bits(self):
            """Width of the count in bits; 0 where refcount_order is out of range (at
            most QCOW2_MAX_REFCOUNT_ORDER).
            """
            if hasattr(self, '_m_refcount_bits'):
                return self._m_refcount_bits

            self._m_refcount_bits = (1 << self.refcount_order if self.refcount_order <= 6 else 0)
            return getattr(self, '_m_refcount_bits', None)


    class RefcountPage(KaitaiStruct):
        """Up to 512 counts of a refcount block.

        .. seealso::
           docs/interop/qcow2: Host cluster management
        """
        SEQ_FIELDS = []
        def __init__(self, index, refcount_order, _io, _parent=None, _root=None):
            super(Qcow2.RefcountPage, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.index = index
            self.refcount_order = refcount_order
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass
            _ = self.entries
            if hasattr(self, '_m_entries'):
                pass
                for i in range(len(self._m_entries)):
                    pass
                    self._m_entries[i]._fetch_instances()



        @property
        def entries(self):
            """The counts."""
            if hasattr(self, '_m_entries'):
                return self._m_entries

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_entries = []
            for i in range(self.num_entries):
                self._m_entries.append(Qcow2.RefcountEntry(self.index * 512 + i, self.refcount_order, self._io, self, self._root))

            self._io.seek(_pos)
            return getattr(self, '_m_entries', None)

        @property
        def knows_refcount_width(self):
            """refcount_order is in range (at most QCOW2_MAX_REFCOUNT_ORDER)."""
            if hasattr(self, '_m_knows_refcount_width'):
                return self._m_knows_refcount_width

            self._m_knows_refcount_width = self.refcount_order <= 6
            return getattr(self, '_m_knows_refcount_width', None)

        @property
        def num_entries(self):
            """Number of counts in this page."""
            if hasattr(self, '_m_num_entries'):
                return self._m_num_entries

            self._m_num_entries = (0 if (not (self.knows_refcount_width)) else (512 if (self._io.size() * 8) // (1 << self.refcount_order) - self.index * 512 > 512 else (self._io.size() * 8) // (1 << self.refcount_order) - self.index * 512))
            return getattr(self, '_m_num_entries', None)


    class RefcountTable(KaitaiStruct):
        """The refcount table, in pages.

        .. seealso::
           docs/interop/qcow2: Host cluster management
        """
        SEQ_FIELDS = ['pages']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.RefcountTable, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.pages = []
            for i in range((self._io.size() + 4088) // 4096):
                self.pages.append(Qcow2.RefcountTablePage(i, self._io, self, self._root))



        def _fetch_instances(self):
            pass
            for i in range(len(self.pages)):
                pass
                self.pages[i]._fetch_instances()



    class RefcountTableEntry(KaitaiStruct):
        """One entry of the refcount table, 8 bytes. The offset is split in two, so
        that no field has more than 32 bits.

        .. seealso::
           docs/interop/qcow2: Host cluster management
        """
        SEQ_FIELDS = ['offset_high', 'offset_low', 'reserved0']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.RefcountTableEntry, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.offset_high = self._io.read_bits_int_be(32)
            self.offset_low = self._io.read_bits_int_be(23)
            self.reserved0 = self._io.read_bits_int_be(9)


        def _fetch_instances(self):
            pass

        @property
        def offset_sectors(self):
            """The whole offset in sectors of 512 bytes."""
            if hasattr(self, '_m_offset_sectors'):
                return self._m_offset_sectors

            self._m_offset_sectors = (self.offset_high * 8388608 + self.offset_low)
            return getattr(self, '_m_offset_sectors', None)

        @property
        def ok_reserved(self):
            """The reserved bits are zero (REFT_RESERVED_MASK)."""
            if hasattr(self, '_m_ok_reserved'):
                return self._m_ok_reserved

            self._m_ok_reserved = self.reserved0 == 0
            return getattr(self, '_m_ok_reserved', None)

        @property
        def refcount_block_offset(self):
            """Offset of the refcount block in bytes (REFT_OFFSET_MASK); 0 if all
            counts of the block are 0.
            """
            if hasattr(self, '_m_refcount_block_offset'):
                return self._m_refcount_block_offset

            self._m_refcount_block_offset = (self.offset_sectors * 512)
            return getattr(self, '_m_refcount_block_offset', None)


    class RefcountTablePage(KaitaiStruct):
        """Up to 512 entries of the refcount table.

        .. seealso::
           docs/interop/qcow2: Host cluster management
        """
        SEQ_FIELDS = []
        def __init__(self, index, _io, _parent=None, _root=None):
            super(Qcow2.RefcountTablePage, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.index = index
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass
            _ = self.entries
            if hasattr(self, '_m_entries'):
                pass
                for i in range(len(self._m_entries)):
                    pass
                    self._m_entries[i]._fetch_instances()


            _ = self.refcount_blocks
            if hasattr(self, '_m_refcount_blocks'):
                pass
                for i in range(len(self._m_refcount_blocks)):
                    pass
                    self._m_refcount_blocks[i]._fetch_instances()



        @property
        def entries(self):
            """The entries."""
            if hasattr(self, '_m_entries'):
                return self._m_entries

            _pos = self._io.pos()
            self._io.seek(self.index * 4096)
            self._m_entries = []
            for i in range(self.num_entries):
                self._m_entries.append(Qcow2.RefcountTableEntry(self._io, self, self._root))

            self._io.seek(_pos)
            return getattr(self, '_m_entries', None)

        @property
        def num_entries(self):
            """Number of entries in this page."""
            if hasattr(self, '_m_num_entries'):
                return self._m_num_entries

            self._m_num_entries = (512 if self._io.size() // 8 - self.index * 512 > 512 else self._io.size() // 8 - self.index * 512)
            return getattr(self, '_m_num_entries', None)

        @property
        def refcount_blocks(self):
            """Where the entries point, in the same order."""
            if hasattr(self, '_m_refcount_blocks'):
                return self._m_refcount_blocks

            _pos = self._io.pos()
            self._io.seek(self.index * 4096)
            self._m_refcount_blocks = []
            for i in range(self.num_entries):
                self._m_refcount_blocks.append(Qcow2.RefcountBlockAt(self.entries[i].refcount_block_offset, self._io, self, self._root))

            self._io.seek(_pos)
            return getattr(self, '_m_refcount_blocks', None)


    class Snapshot(KaitaiStruct):
        """One entry of the snapshot table: 40 bytes, extra data, identifier, name,
        and padding. Parts that the stream ends in are cut short, so that the
        first 40 bytes alone tell how long the entry is.

        .. seealso::
           docs/interop/qcow2: Snapshots


        .. seealso::
           block/qcow2.h: QCowSnapshotHeader
        """
        SEQ_FIELDS = ['l1_table_offset', 'l1_size', 'id_str_size', 'name_size', 'date_sec', 'date_nsec', 'vm_clock_nsec', 'vm_state_size', 'extra_data_size', 'extra_data', 'id_str', 'name', 'padding']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.Snapshot, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.l1_table_offset = self._io.read_u8be()
            self.l1_size = self._io.read_u4be()
            self.id_str_size = self._io.read_u2be()
            self.name_size = self._io.read_u2be()
            self.date_sec = self._io.read_u4be()
            self.date_nsec = self._io.read_u4be()
            self.vm_clock_nsec = self._io.read_u8be()
            self.vm_state_size = self._io.read_u4be()
            self.extra_data_size = self._io.read_u4be()
            self._raw_extra_data = self._io.read_bytes(self.len_extra_data)
            _io__raw_extra_data = KaitaiStream(BytesIO(self._raw_extra_data))
            self.extra_data = Qcow2.SnapshotExtraData(_io__raw_extra_data, self, self._root)
            self.id_str = self._io.read_bytes((self.id_str_size if self.id_str_size < self._io.size() - self._io.pos() else self._io.size() - self._io.pos()))
            self.name = self._io.read_bytes((self.name_size if self.name_size < self._io.size() - self._io.pos() else self._io.size() - self._io.pos()))
            self.padding = self._io.read_bytes((self.entry_size - self.unpadded_size if self.entry_size - self.unpadded_size < self._io.size() - self._io.pos() else self._io.size() - self._io.pos()))


        def _fetch_instances(self):
            pass
            self.extra_data._fetch_instances()

        @property
        def disk_size(self):
            """Size of the disk in the snapshot, in bytes; absent if the entry does
            not say, and then it is that of the image.
            """
            if hasattr(self, '_m_disk_size'):
                return self._m_disk_size

            if self.extra_data.has_disk_size:
                pass
                self._m_disk_size = self.extra_data.disk_size

            return getattr(self, '_m_disk_size', None)

        @property
        def effective_vm_state_size(self):
            """Size of the virtual machine's state in bytes."""
            if hasattr(self, '_m_effective_vm_state_size'):
                return self._m_effective_vm_state_size

            self._m_effective_vm_state_size = (self.extra_data.vm_state_size_large if self.extra_data.has_vm_state_size_large else self.vm_state_size)
            return getattr(self, '_m_effective_vm_state_size', None)

        @property
        def entry_size(self):
            """Length that the entry claims, with its padding, in bytes."""
            if hasattr(self, '_m_entry_size'):
                return self._m_entry_size

            self._m_entry_size = (((self.unpadded_size + 7) // 8) * 8)
            return getattr(self, '_m_entry_size', None)

        @property
        def icount(self):
            """Instruction count of record and replay; 2^64 - 1 if it was off, and
            absent if the entry does not say.
            """
            if hasattr(self, '_m_icount'):
                return self._m_icount

            if self.extra_data.has_icount:
                pass
                self._m_icount = self.extra_data.icount

            return getattr(self, '_m_icount', None)

        @property
        def is_complete(self):
            """The stream holds the whole entry but for its padding."""
            if hasattr(self, '_m_is_complete'):
                return self._m_is_complete

            self._m_is_complete =  ((self.len_extra_data == self.extra_data_size) and (len(self.id_str) == self.id_str_size) and (len(self.name) == self.name_size))
            return getattr(self, '_m_is_complete', None)

        @property
        def l1_table_bytes(self):
            """Size of the snapshot's L1 table in bytes."""
            if hasattr(self, '_m_l1_table_bytes'):
                return self._m_l1_table_bytes

            self._m_l1_table_bytes = (self.l1_size * 8)
            return getattr(self, '_m_l1_table_bytes', None)

        @property
        def len_extra_data(self):
            """Number of bytes read as extra data: what extra_data_size says, within
            the stream. It is fixed while the entry is read.
            """
            if hasattr(self, '_m_len_extra_data'):
                return self._m_len_extra_data

            self._m_len_extra_data = (self.extra_data_size if self.extra_data_size < self._io.size() - self._io.pos() else self._io.size() - self._io.pos())
            return getattr(self, '_m_len_extra_data', None)

        @property
        def ok_extra_data_minimum(self):
            """The entry says how large the disk was
            (QCOW2_SNAPSHOT_EXTRA_DISK_SIZE). QEMU's check reports it.
            """
            if hasattr(self, '_m_ok_extra_data_minimum'):
                return self._m_ok_extra_data_minimum

            self._m_ok_extra_data_minimum = self.extra_data_size >= 16
            return getattr(self, '_m_ok_extra_data_minimum', None)

        @property
        def ok_extra_data_size(self):
            """The extra data have at most QCOW_MAX_SNAPSHOT_EXTRA_DATA (1024 bytes).
            """
            if hasattr(self, '_m_ok_extra_data_size'):
                return self._m_ok_extra_data_size

            self._m_ok_extra_data_size = self.extra_data_size <= 1024
            return getattr(self, '_m_ok_extra_data_size', None)

        @property
        def ok_l1_size(self):
            """The snapshot's L1 table has at most QCOW_MAX_L1_SIZE (32 MiB)."""
            if hasattr(self, '_m_ok_l1_size'):
                return self._m_ok_l1_size

            self._m_ok_l1_size = self.l1_table_bytes <= 33554432
            return getattr(self, '_m_ok_l1_size', None)

        @property
        def ok_l1_table_read(self):
            """The snapshot's L1 table ends within BDRV_MAX_LENGTH."""
            if hasattr(self, '_m_ok_l1_table_read'):
                return self._m_ok_l1_table_read

            self._m_ok_l1_table_read = self.l1_table_offset <= 9223372035781033984 - self.l1_table_bytes
            return getattr(self, '_m_ok_l1_table_read', None)

        @property
        def ok_untrusted_vm_state(self):
            """No virtual machine was running."""
            if hasattr(self, '_m_ok_untrusted_vm_state'):
                return self._m_ok_untrusted_vm_state

            self._m_ok_untrusted_vm_state = self.effective_vm_state_size == 0
            return getattr(self, '_m_ok_untrusted_vm_state', None)

        @property
        def unpadded_size(self):
            """Length that the entry claims, without its padding, in bytes."""
            if hasattr(self, '_m_unpadded_size'):
                return self._m_unpadded_size

            self._m_unpadded_size = (((self.extra_data_size + self.id_str_size) + self.name_size) + 40)
            return getattr(self, '_m_unpadded_size', None)


    class SnapshotExtraData(KaitaiStruct):
        """The extra data of a snapshot; each field is there if its bytes are.

        .. seealso::
           docs/interop/qcow2: Snapshots



        .. seealso::
           block/qcow2.h: QCowSnapshotExtraData
        """
        SEQ_FIELDS = ['vm_state_size_large', 'disk_size', 'icount', 'unknown_extra_data']
        vm_state_size_large = None
        disk_size = None
        icount = None
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow2.SnapshotExtraData, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            if self.has_vm_state_size_large:
                pass
                self.vm_state_size_large = self._io.read_u8be()

            if self.has_disk_size:
                pass
                self.disk_size = self._io.read_u8be()

            if self.has_icount:
                pass
                self.icount = self._io.read_u8be()

            self.unknown_extra_data = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass
            if self.has_vm_state_size_large:
                pass

            if self.has_disk_size:
                pass

            if self.has_icount:
                pass


        @property
        def has_disk_size(self):
            """The disk's size is there."""
            if hasattr(self, '_m_has_disk_size'):
                return self._m_has_disk_size

            self._m_has_disk_size = self._io.size() >= 16
            return getattr(self, '_m_has_disk_size', None)

        @property
        def has_icount(self):
            """The instruction count is there."""
            if hasattr(self, '_m_has_icount'):
                return self._m_has_icount

            self._m_has_icount = self._io.size() >= 24
            return getattr(self, '_m_has_icount', None)

        @property
        def has_vm_state_size_large(self):
            """The larger field for the state's size is there."""
            if hasattr(self, '_m_has_vm_state_size_large'):
                return self._m_has_vm_state_size_large

            self._m_has_vm_state_size_large = self._io.size() >= 8
            return getattr(self, '_m_has_vm_state_size_large', None)


    class SnapshotTable(KaitaiStruct):
        """The snapshot table, one entry after the other.

        .. seealso::
           docs/interop/qcow2: Snapshots



        .. seealso::
           block/qcow2-snapshot.c: qcow2_do_read_snapshots
        """
        SEQ_FIELDS = ['entries']
        entries = None
        def __init__(self, nb_snapshots, _io, _parent=None, _root=None):
            super(Qcow2.SnapshotTable, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.nb_snapshots = nb_snapshots
            self._read()

        def _read(self):
            if self.has_entries:
                pass
                self.entries = []
                i = 0
                while True:
                    _ = Qcow2.Snapshot(self._io, self, self._root)
                    self.entries.append(_)
                    if  ((len(self.entries) >= self.nb_snapshots) or (self._io.size() - self._io.pos() < 40)) :
                        break
                    i += 1



        def _fetch_instances(self):
            pass
            if self.has_entries:
                pass
                for i in range(len(self.entries)):
                    pass
                    self.entries[i]._fetch_instances()


            _ = self.l1_tables
            if hasattr(self, '_m_l1_tables'):
                pass
                for i in range(len(self._m_l1_tables)):
                    pass
                    self._m_l1_tables[i]._fetch_instances()



        @property
        def has_entries(self):
            """There are entries, and the stream holds one. It is fixed while the
            table is read.
            """
            if hasattr(self, '_m_has_entries'):
                return self._m_has_entries

            self._m_has_entries =  ((self.nb_snapshots > 0) and (self._io.size() - self._io.pos() >= 40))
            return getattr(self, '_m_has_entries', None)

        @property
        def l1_tables(self):
            """Where the entries point, in the same order."""
            if hasattr(self, '_m_l1_tables'):
                return self._m_l1_tables

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_l1_tables = []
            for i in range(self.num_entries):
                self._m_l1_tables.append(Qcow2.L1TableAt(self.entries[i].l1_table_offset, self.entries[i].l1_table_bytes, self.entries[i].ok_l1_size, self._io, self, self._root))

            self._io.seek(_pos)
            return getattr(self, '_m_l1_tables', None)

        @property
        def num_entries(self):
            """Number of entries read."""
            if hasattr(self, '_m_num_entries'):
                return self._m_num_entries

            self._m_num_entries = (len(self.entries) if self.has_entries else 0)
            return getattr(self, '_m_num_entries', None)


    @property
    def backing_file_name(self):
        """Name of the backing file; absent where the header names none, or where the
        name breaks a rule or lies beyond the file.
        """
        if hasattr(self, '_m_backing_file_name'):
            return self._m_backing_file_name

        if  ((self.header.backing_file_offset != 0) and (self.header.backing_file_offset < self._io.size()) and (self.header.ok_backing_file_size)) :
            pass
            _pos = self._io.pos()
            self._io.seek(self.header.backing_file_offset)
            self._raw__m_backing_file_name = self._io.read_bytes((self._io.size() - self.header.backing_file_offset if self.header.backing_file_size > self._io.size() - self.header.backing_file_offset else self.header.backing_file_size))
            _io__raw__m_backing_file_name = KaitaiStream(BytesIO(self._raw__m_backing_file_name))
            self._m_backing_file_name = Qcow2.BackingFileName(_io__raw__m_backing_file_name, self, self._root)
            self._io.seek(_pos)

        return getattr(self, '_m_backing_file_name', None)

    @property
    def bitmap_directory(self):
        """The bitmap directory, as far as the file holds it."""
        if hasattr(self, '_m_bitmap_directory'):
            return self._m_bitmap_directory

        if  ((self.has_header_extensions) and (self.header_extensions.last_bitmaps >= 0) and (self.bitmaps_extension.ok_nb_bitmaps_maximum) and (self.bitmaps_extension.ok_bitmap_directory_size) and (self.bitmaps_extension.bitmap_directory_offset < self._io.size())) :
            pass
            _pos = self._io.pos()
            self._io.seek(self.bitmaps_extension.bitmap_directory_offset)
            self._raw__m_bitmap_directory = self._io.read_bytes((self._io.size() - self.bitmaps_extension.bitmap_directory_offset if self.bitmaps_extension.bitmap_directory_size > self._io.size() - self.bitmaps_extension.bitmap_directory_offset else self.bitmaps_extension.bitmap_directory_size))
            _io__raw__m_bitmap_directory = KaitaiStream(BytesIO(self._raw__m_bitmap_directory))
            self._m_bitmap_directory = Qcow2.BitmapDirectory(self.bitmaps_extension.nb_bitmaps, self.header.cluster_bits, self.header.size, _io__raw__m_bitmap_directory, self, self._root)
            self._io.seek(_pos)

        return getattr(self, '_m_bitmap_directory', None)

    @property
    def bitmaps_extension(self):
        """The bitmaps extension; the last one, if there are several."""
        if hasattr(self, '_m_bitmaps_extension'):
            return self._m_bitmaps_extension

        if  ((self.has_header_extensions) and (self.header_extensions.last_bitmaps >= 0)) :
            pass
            self._m_bitmaps_extension = self.header_extensions.entries[self.header_extensions.last_bitmaps].data

        return getattr(self, '_m_bitmaps_extension', None)

    @property
    def crypto_extension(self):
        """The pointer to the encryption header; the last one, if several."""
        if hasattr(self, '_m_crypto_extension'):
            return self._m_crypto_extension

        if  ((self.has_header_extensions) and (self.header_extensions.last_crypto >= 0)) :
            pass
            self._m_crypto_extension = self.header_extensions.entries[self.header_extensions.last_crypto].data

        return getattr(self, '_m_crypto_extension', None)

    @property
    def encryption_header(self):
        """The LUKS header, where the file holds all QCRYPTO_BLOCK_LUKS_HEADER_SIZE
        (592 bytes) of it.
        """
        if hasattr(self, '_m_encryption_header'):
            return self._m_encryption_header

        if  ((self.has_header_extensions) and (self.header_extensions.last_crypto >= 0) and (self._io.size() >= 592) and (self.crypto_extension.offset <= self._io.size() - 592)) :
            pass
            _pos = self._io.pos()
            self._io.seek(self.crypto_extension.offset)
            self._raw__m_encryption_header = self._io.read_bytes(592)
            _io__raw__m_encryption_header = KaitaiStream(BytesIO(self._raw__m_encryption_header))
            self._m_encryption_header = luks1.Luks1(_io__raw__m_encryption_header)
            self._io.seek(_pos)

        return getattr(self, '_m_encryption_header', None)

    @property
    def has_header_extensions(self):
        """The header leaves room for extensions, and the file holds some of it."""
        if hasattr(self, '_m_has_header_extensions'):
            return self._m_has_header_extensions

        self._m_has_header_extensions =  ((self.header.effective_header_length < self.header.extensions_end) and (self.header.effective_header_length < self._io.size()))
        return getattr(self, '_m_has_header_extensions', None)

    @property
    def header_extensions(self):
        """The header extensions; absent where the header leaves them no room."""
        if hasattr(self, '_m_header_extensions'):
            return self._m_header_extensions

        if self.has_header_extensions:
            pass
            _pos = self._io.pos()
            self._io.seek(self.header.effective_header_length)
            self._raw__m_header_extensions = self._io.read_bytes((self.header.extensions_end if self.header.extensions_end < self._io.size() else self._io.size()) - self.header.effective_header_length)
            _io__raw__m_header_extensions = KaitaiStream(BytesIO(self._raw__m_header_extensions))
            self._m_header_extensions = Qcow2.HeaderExtensions(_io__raw__m_header_extensions, self, self._root)
            self._io.seek(_pos)

        return getattr(self, '_m_header_extensions', None)

    @property
    def l1_table(self):
        """The active L1 table, as far as the file holds it."""
        if hasattr(self, '_m_l1_table'):
            return self._m_l1_table

        if  ((self.header.l1_size > 0) and (self.header.ok_l1_size_maximum) and (self.header.l1_table_offset < self._io.size())) :
            pass
            _pos = self._io.pos()
            self._io.seek(self.header.l1_table_offset)
            self._raw__m_l1_table = self._io.read_bytes((self._io.size() - self.header.l1_table_offset if self.header.l1_table_bytes > self._io.size() - self.header.l1_table_offset else self.header.l1_table_bytes))
            _io__raw__m_l1_table = KaitaiStream(BytesIO(self._raw__m_l1_table))
            self._m_l1_table = Qcow2.L1Table(_io__raw__m_l1_table, self, self._root)
            self._io.seek(_pos)

        return getattr(self, '_m_l1_table', None)

    @property
    def refcount_table(self):
        """The refcount table, as far as the file holds it."""
        if hasattr(self, '_m_refcount_table'):
            return self._m_refcount_table

        if  ((self.header.refcount_table_bytes > 0) and (self.header.ok_refcount_table_size) and (self.header.refcount_table_offset < self._io.size())) :
            pass
            _pos = self._io.pos()
            self._io.seek(self.header.refcount_table_offset)
            self._raw__m_refcount_table = self._io.read_bytes((self._io.size() - self.header.refcount_table_offset if self.header.refcount_table_bytes > self._io.size() - self.header.refcount_table_offset else self.header.refcount_table_bytes))
            _io__raw__m_refcount_table = KaitaiStream(BytesIO(self._raw__m_refcount_table))
            self._m_refcount_table = Qcow2.RefcountTable(_io__raw__m_refcount_table, self, self._root)
            self._io.seek(_pos)

        return getattr(self, '_m_refcount_table', None)

    @property
    def snapshot_table(self):
        """The snapshot table, as far as the file holds it, and never more than
        QCOW_MAX_SNAPSHOTS_SIZE (64 MiB).
        """
        if hasattr(self, '_m_snapshot_table'):
            return self._m_snapshot_table

        if  ((self.header.nb_snapshots > 0) and (self.header.ok_snapshots_count) and (self.header.snapshots_offset < self._io.size())) :
            pass
            _pos = self._io.pos()
            self._io.seek(self.header.snapshots_offset)
            self._raw__m_snapshot_table = self._io.read_bytes((67108864 if self._io.size() - self.header.snapshots_offset > 67108864 else self._io.size() - self.header.snapshots_offset))
            _io__raw__m_snapshot_table = KaitaiStream(BytesIO(self._raw__m_snapshot_table))
            self._m_snapshot_table = Qcow2.SnapshotTable(self.header.nb_snapshots, _io__raw__m_snapshot_table, self, self._root)
            self._io.seek(_pos)

        return getattr(self, '_m_snapshot_table', None)
