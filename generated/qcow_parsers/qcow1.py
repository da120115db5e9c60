# Generated from formats/kaitai/qcow1.ksy by tools/generate.py: do not edit.
# type: ignore

import kaitaistruct
from kaitaistruct import KaitaiStruct, KaitaiStream, BytesIO
from enum import IntEnum


if getattr(kaitaistruct, 'API_VERSION', (0, 9)) < (0, 11):
    raise Exception("Incompatible Kaitai Struct Python API: 0.11 or later is required, but you have %s" % (kaitaistruct.__version__))

class Qcow1(KaitaiStruct):
    """The first version of QEMU's copy-on-write format, which QEMU still reads and
    writes under the name "qcow". It has no document: QEMU's source is the
    specification.

    A guest offset is translated in two steps: the L1 table, whose size follows
    from the size of the disk, points at L2 tables, and these point at clusters.
    There are no reference counts, snapshots, feature bits or extensions.

    .. seealso::
       block/qcow.c
    """
    SEQ_FIELDS = ['header']

    class CryptMethod(IntEnum):
        none = 0
        aes = 1
    def __init__(self, _io, _parent=None, _root=None):
        super(Qcow1, self).__init__(_io)
        self._parent = _parent
        self._root = _root or self
        self._read()

    def _read(self):
        self.header = Qcow1.Header(self._io, self, self._root)


    def _fetch_instances(self):
        pass
        self.header._fetch_instances()
        _ = self.backing_file_name
        if hasattr(self, '_m_backing_file_name'):
            pass
            self._m_backing_file_name._fetch_instances()

        _ = self.l1_table
        if hasattr(self, '_m_l1_table'):
            pass
            self._m_l1_table._fetch_instances()


    class BackingFileName(KaitaiStruct):
        """The name of the backing file.

        .. seealso::
           block/qcow.c: qcow_open
        """
        SEQ_FIELDS = ['name']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow1.BackingFileName, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.name = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass
            _ = self.before_colon
            if hasattr(self, '_m_before_colon'):
                pass

            _ = self.before_slash
            if hasattr(self, '_m_before_slash'):
                pass

            _ = self.path
            if hasattr(self, '_m_path'):
                pass


        @property
        def before_colon(self):
            """The name up to its first colon, or all of it."""
            if hasattr(self, '_m_before_colon'):
                return self._m_before_colon

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_before_colon = KaitaiStream.bytes_terminate(self._io.read_bytes(len(self.path)), 58, False)
            self._io.seek(_pos)
            return getattr(self, '_m_before_colon', None)

        @property
        def before_slash(self):
            """The name up to its first slash, or all of it."""
            if hasattr(self, '_m_before_slash'):
                return self._m_before_slash

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_before_slash = KaitaiStream.bytes_terminate(self._io.read_bytes(len(self.path)), 47, False)
            self._io.seek(_pos)
            return getattr(self, '_m_before_slash', None)

        @property
        def ok_untrusted_protocol(self):
            """The name is a path: no colon stands before its first slash, which
            would make what is before the colon a protocol.
            """
            if hasattr(self, '_m_ok_untrusted_protocol'):
                return self._m_ok_untrusted_protocol

            self._m_ok_untrusted_protocol =  ((len(self.before_colon) == len(self.path)) or (len(self.before_slash) < len(self.before_colon)))
            return getattr(self, '_m_ok_untrusted_protocol', None)

        @property
        def path(self):
            """The name as QEMU reads it, up to its first zero byte."""
            if hasattr(self, '_m_path'):
                return self._m_path

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_path = KaitaiStream.bytes_terminate(self._io.read_bytes_full(), 0, False)
            self._io.seek(_pos)
            return getattr(self, '_m_path', None)


    class Header(KaitaiStruct):
        """The header, 48 bytes at the start of the file.

        .. seealso::
           block/qcow.c: QCowHeader



        .. seealso::
           block/qcow.c: qcow_open
        """
        SEQ_FIELDS = ['magic', 'version', 'backing_file_offset', 'backing_file_size', 'mtime', 'size', 'cluster_bits', 'l2_bits', 'padding', 'crypt_method', 'l1_table_offset']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow1.Header, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.magic = self._io.read_u4be()
            self.version = self._io.read_u4be()
            self.backing_file_offset = self._io.read_u8be()
            self.backing_file_size = self._io.read_u4be()
            self.mtime = self._io.read_u4be()
            self.size = self._io.read_u8be()
            self.cluster_bits = self._io.read_u1()
            self.l2_bits = self._io.read_u1()
            self.padding = self._io.read_u2be()
            self.crypt_method = KaitaiStream.resolve_enum(Qcow1.CryptMethod, self._io.read_u4be())
            self.l1_table_offset = self._io.read_u8be()


        def _fetch_instances(self):
            pass

        @property
        def cluster_size(self):
            """Size of a cluster in bytes; 0 where cluster_bits is out of range."""
            if hasattr(self, '_m_cluster_size'):
                return self._m_cluster_size

            self._m_cluster_size = (1 << self.cluster_bits if self.ok_cluster_bits else 0)
            return getattr(self, '_m_cluster_size', None)

        @property
        def l1_entry_span(self):
            """Number of guest bytes that one L1 entry maps; 0 where it cannot be
            known.
            """
            if hasattr(self, '_m_l1_entry_span'):
                return self._m_l1_entry_span

            self._m_l1_entry_span = (self.cluster_size * self.l2_size)
            return getattr(self, '_m_l1_entry_span', None)

        @property
        def l1_size(self):
            """Number of entries in the L1 table: as many as map the whole disk; 0
            where the span of an entry is unknown.
            """
            if hasattr(self, '_m_l1_size'):
                return self._m_l1_size

            self._m_l1_size = (0 if self.l1_entry_span == 0 else (self.size // self.l1_entry_span if (self.size // self.l1_entry_span) * self.l1_entry_span == self.size else self.size // self.l1_entry_span + 1))
            return getattr(self, '_m_l1_size', None)

        @property
        def l1_table_bytes(self):
            """Size of the L1 table in bytes."""
            if hasattr(self, '_m_l1_table_bytes'):
                return self._m_l1_table_bytes

            self._m_l1_table_bytes = (self.l1_size * 8)
            return getattr(self, '_m_l1_table_bytes', None)

        @property
        def l2_size(self):
            """Number of entries in an L2 table; 0 where l2_bits is out of range."""
            if hasattr(self, '_m_l2_size'):
                return self._m_l2_size

            self._m_l2_size = (1 << self.l2_bits if self.ok_l2_bits else 0)
            return getattr(self, '_m_l2_size', None)

        @property
        def librbd_l1_entry_span(self):
            """Number of guest bytes that librbd maps with one L1 entry. Its bounds,
            within which this is, are wider than QEMU's.
            """
            if hasattr(self, '_m_librbd_l1_entry_span'):
                return self._m_librbd_l1_entry_span

            self._m_librbd_l1_entry_span = ((1 << (21 if self.cluster_bits > 21 else self.cluster_bits)) * (1 << (21 - 3 if self.l2_bits > 21 - 3 else self.l2_bits)))
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
        def ok_backing_file_offset(self):
            """The backing file's name ends within BDRV_MAX_LENGTH."""
            if hasattr(self, '_m_ok_backing_file_offset'):
                return self._m_ok_backing_file_offset

            self._m_ok_backing_file_offset =  ((self.backing_file_offset == 0) or (self.backing_file_offset <= 9223372035781033984 - self.backing_file_size))
            return getattr(self, '_m_ok_backing_file_offset', None)

        @property
        def ok_backing_file_offset_signed(self):
            """The same as QEMU before 6.0 has it: the backing file's name ends at or
            below INT64_MAX, which is QCOW2_MAX_TABLE_END as well.
            """
            if hasattr(self, '_m_ok_backing_file_offset_signed'):
                return self._m_ok_backing_file_offset_signed

            self._m_ok_backing_file_offset_signed =  ((self.backing_file_offset == 0) or (self.backing_file_offset <= 9223372036854775807 - self.backing_file_size))
            return getattr(self, '_m_ok_backing_file_offset_signed', None)

        @property
        def ok_backing_file_size(self):
            """The backing file's name has at most QCOW_MAX_BACKING_FILE_SIZE (1023
            bytes).
            """
            if hasattr(self, '_m_ok_backing_file_size'):
                return self._m_ok_backing_file_size

            self._m_ok_backing_file_size =  ((self.backing_file_offset == 0) or (self.backing_file_size <= 1023))
            return getattr(self, '_m_ok_backing_file_size', None)

        @property
        def ok_cluster_bits(self):
            """Clusters have 512 bytes to 64 KiB (QCOW1_MIN_CLUSTER_BITS to
            QCOW1_MAX_CLUSTER_BITS).
            """
            if hasattr(self, '_m_ok_cluster_bits'):
                return self._m_ok_cluster_bits

            self._m_ok_cluster_bits =  ((self.cluster_bits >= 9) and (self.cluster_bits <= 16))
            return getattr(self, '_m_ok_cluster_bits', None)

        @property
        def ok_crypt_method(self):
            """The data are not encrypted (QCOW_CRYPT_NONE), or with AES
            (QCOW_CRYPT_AES).
            """
            if hasattr(self, '_m_ok_crypt_method'):
                return self._m_ok_crypt_method

            self._m_ok_crypt_method =  ((self.crypt_method == Qcow1.CryptMethod.none) or (self.crypt_method == Qcow1.CryptMethod.aes))
            return getattr(self, '_m_ok_crypt_method', None)

        @property
        def ok_l1_read(self):
            """The L1 table can be read with one request: it has at most
            BDRV_REQUEST_MAX_BYTES and ends within BDRV_MAX_LENGTH.
            """
            if hasattr(self, '_m_ok_l1_read'):
                return self._m_ok_l1_read

            self._m_ok_l1_read =  ((self.l1_table_bytes <= 2147483136) and (self.l1_table_offset <= 9223372035781033984 - self.l1_table_bytes))
            return getattr(self, '_m_ok_l1_read', None)

        @property
        def ok_l1_read_signed(self):
            """The same as QEMU before 6.0 has it: the L1 table has at most
            BDRV_REQUEST_MAX_BYTES and ends at or below INT64_MAX, which is
            QCOW2_MAX_TABLE_END as well.
            """
            if hasattr(self, '_m_ok_l1_read_signed'):
                return self._m_ok_l1_read_signed

            self._m_ok_l1_read_signed =  ((self.l1_table_bytes <= 2147483136) and (self.l1_table_offset <= 9223372036854775807 - self.l1_table_bytes))
            return getattr(self, '_m_ok_l1_read_signed', None)

        @property
        def ok_l1_size(self):
            """The L1 table has at most QCOW1_MAX_L1_ENTRIES, which QEMU writes as
            INT_MAX / 8.
            """
            if hasattr(self, '_m_ok_l1_size'):
                return self._m_ok_l1_size

            self._m_ok_l1_size = self.l1_size <= 268435455
            return getattr(self, '_m_ok_l1_size', None)

        @property
        def ok_l2_bits(self):
            """L2 tables have 512 bytes to 64 KiB, in entries of 8 bytes
            (QCOW1_MIN_L2_BITS to QCOW1_MAX_L2_BITS).
            """
            if hasattr(self, '_m_ok_l2_bits'):
                return self._m_ok_l2_bits

            self._m_ok_l2_bits =  ((self.l2_bits >= 6) and (self.l2_bits <= 13))
            return getattr(self, '_m_ok_l2_bits', None)

        @property
        def ok_librbd_backing_file(self):
            """There is no backing file, or one without a name."""
            if hasattr(self, '_m_ok_librbd_backing_file'):
                return self._m_ok_librbd_backing_file

            self._m_ok_librbd_backing_file =  ((self.backing_file_offset == 0) or (self.backing_file_size == 0))
            return getattr(self, '_m_ok_librbd_backing_file', None)

        @property
        def ok_librbd_cluster_bits(self):
            """librbd has the bounds of version 2 (MIN_CLUSTER_BITS to
            MAX_CLUSTER_BITS) for all versions.
            """
            if hasattr(self, '_m_ok_librbd_cluster_bits'):
                return self._m_ok_librbd_cluster_bits

            self._m_ok_librbd_cluster_bits =  ((self.cluster_bits >= 9) and (self.cluster_bits <= 21))
            return getattr(self, '_m_ok_librbd_cluster_bits', None)

        @property
        def ok_librbd_l1_size(self):
            """The L1 entries that the disk needs, as librbd counts them, are at most
            QCOW1_MAX_L1_ENTRIES.
            """
            if hasattr(self, '_m_ok_librbd_l1_size'):
                return self._m_ok_librbd_l1_size

            self._m_ok_librbd_l1_size = self.num_librbd_l1_entries <= 268435455
            return getattr(self, '_m_ok_librbd_l1_size', None)

        @property
        def ok_librbd_l2_bits(self):
            """An L2 table is as large as a cluster of version 2 may be
            (MIN_CLUSTER_BITS to MAX_CLUSTER_BITS), in entries of 8 bytes.
            """
            if hasattr(self, '_m_ok_librbd_l2_bits'):
                return self._m_ok_librbd_l2_bits

            self._m_ok_librbd_l2_bits =  ((self.l2_bits + 3 >= 9) and (self.l2_bits + 3 <= 21))
            return getattr(self, '_m_ok_librbd_l2_bits', None)

        @property
        def ok_librbd_size_sectors(self):
            """The disk ends at a sector (BDRV_SECTOR_SIZE)."""
            if hasattr(self, '_m_ok_librbd_size_sectors'):
                return self._m_ok_librbd_size_sectors

            self._m_ok_librbd_size_sectors = self.size % 512 == 0
            return getattr(self, '_m_ok_librbd_size_sectors', None)

        @property
        def ok_magic(self):
            """The magic number is QCOW_MAGIC."""
            if hasattr(self, '_m_ok_magic'):
                return self._m_ok_magic

            self._m_ok_magic = self.magic == 1363560955
            return getattr(self, '_m_ok_magic', None)

        @property
        def ok_size_maximum(self):
            """The size can be rounded up to what whole L1 entries map without
            leaving 64 bits: it is at most 2^64 - 1 less that span. The quotients
            stand for the sums, because not every language has more than 64 bits.
            True where the span is unknown.
            """
            if hasattr(self, '_m_ok_size_maximum'):
                return self._m_ok_size_maximum

            self._m_ok_size_maximum =  ((self.l1_entry_span == 0) or (self.size // self.l1_entry_span + 1 < (4611686018427387904 // self.l1_entry_span) * 4))
            return getattr(self, '_m_ok_size_maximum', None)

        @property
        def ok_size_minimum(self):
            """The disk has at least QCOW1_MIN_SIZE (2 bytes)."""
            if hasattr(self, '_m_ok_size_minimum'):
                return self._m_ok_size_minimum

            self._m_ok_size_minimum = self.size >= 2
            return getattr(self, '_m_ok_size_minimum', None)

        @property
        def ok_unencrypted(self):
            """The guest's data are stored as they are (QCOW_CRYPT_NONE). librbd asks
            for it as well.
            """
            if hasattr(self, '_m_ok_unencrypted'):
                return self._m_ok_unencrypted

            self._m_ok_unencrypted = self.crypt_method == Qcow1.CryptMethod.none
            return getattr(self, '_m_ok_unencrypted', None)

        @property
        def ok_untrusted_backing_file(self):
            """There is no backing file, and no name of one, be it empty."""
            if hasattr(self, '_m_ok_untrusted_backing_file'):
                return self._m_ok_untrusted_backing_file

            self._m_ok_untrusted_backing_file = self.backing_file_offset == 0
            return getattr(self, '_m_ok_untrusted_backing_file', None)

        @property
        def ok_untrusted_l1_size(self):
            """The L1 table has at most QCOW_MAX_L1_SIZE (32 MiB), as in version 2.
            """
            if hasattr(self, '_m_ok_untrusted_l1_size'):
                return self._m_ok_untrusted_l1_size

            self._m_ok_untrusted_l1_size = self.l1_table_bytes <= 33554432
            return getattr(self, '_m_ok_untrusted_l1_size', None)

        @property
        def ok_untrusted_size(self):
            """The disk has at most POLICY_MAX_DISK_SIZE (64 TiB)."""
            if hasattr(self, '_m_ok_untrusted_size'):
                return self._m_ok_untrusted_size

            self._m_ok_untrusted_size = self.size <= 70368744177664
            return getattr(self, '_m_ok_untrusted_size', None)

        @property
        def ok_untrusted_version(self):
            """The image is not of version 1. It never holds: what has this header is
            read as version 1.
            """
            if hasattr(self, '_m_ok_untrusted_version'):
                return self._m_ok_untrusted_version

            self._m_ok_untrusted_version = False
            return getattr(self, '_m_ok_untrusted_version', None)

        @property
        def ok_version(self):
            """The version is 1 (QCOW_VERSION)."""
            if hasattr(self, '_m_ok_version'):
                return self._m_ok_version

            self._m_ok_version = self.version == 1
            return getattr(self, '_m_ok_version', None)


    class L1Entry(KaitaiStruct):
        """One entry of the L1 table.

        .. seealso::
           block/qcow.c: get_cluster_offset
        """
        SEQ_FIELDS = ['l2_table_offset']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow1.L1Entry, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.l2_table_offset = self._io.read_u8be()


        def _fetch_instances(self):
            pass


    class L1Page(KaitaiStruct):
        """Up to 512 entries of the L1 table.

        .. seealso::
           block/qcow.c: get_cluster_offset
        """
        SEQ_FIELDS = []
        def __init__(self, index, _io, _parent=None, _root=None):
            super(Qcow1.L1Page, self).__init__(_io)
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
                self._m_entries.append(Qcow1.L1Entry(self._io, self, self._root))

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
                self._m_l2_tables.append(Qcow1.L2TableAt(self.entries[i].l2_table_offset, self._io, self, self._root))

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
        """The L1 table, in pages, so that a big one opens at once.

        .. seealso::
           block/qcow.c: qcow_open
        """
        SEQ_FIELDS = ['pages']
        def __init__(self, _io, _parent=None, _root=None):
            super(Qcow1.L1Table, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.pages = []
            for i in range((self._io.size() + 4088) // 4096):
                self.pages.append(Qcow1.L1Page(i, self._io, self, self._root))



        def _fetch_instances(self):
            pass
            for i in range(len(self.pages)):
                pass
                self.pages[i]._fetch_instances()



    class L2Entry(KaitaiStruct):
        """One entry of an L2 table. A plain entry is the offset of a cluster; a
        compressed one holds the offset and the length of deflated data.

        The fields are the halves of the 64 bits, so that languages whose bit
        operations stop at 32 bits read them too.

        .. seealso::
           block/qcow.c: get_cluster_offset


        .. seealso::
           block/qcow.c: decompress_cluster
        """
        SEQ_FIELDS = ['is_compressed', 'descriptor_high', 'descriptor_low']
        def __init__(self, cluster_bits, _io, _parent=None, _root=None):
            super(Qcow1.L2Entry, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.cluster_bits = cluster_bits
            self._read()

        def _read(self):
            self.is_compressed = self._io.read_bits_int_be(1) != 0
            self.descriptor_high = self._io.read_bits_int_be(31)
            self.descriptor_low = self._io.read_bits_int_be(32)


        def _fetch_instances(self):
            pass

        @property
        def coffset(self):
            """Offset of the compressed data in bytes: the low 63 - cluster_bits
            bits. 0 where cluster_bits is out of range.
            """
            if hasattr(self, '_m_coffset'):
                return self._m_coffset

            if self.is_compressed:
                pass
                self._m_coffset = (0 if (not (self.knows_cluster_size)) else (self.descriptor_high % self.high_offset_span) * 4294967296 + self.descriptor_low)

            return getattr(self, '_m_coffset', None)

        @property
        def csize(self):
            """Length of the compressed data in bytes: the cluster_bits bits above
            the offset. 0 where cluster_bits is out of range.
            """
            if hasattr(self, '_m_csize'):
                return self._m_csize

            if self.is_compressed:
                pass
                self._m_csize = (0 if (not (self.knows_cluster_size)) else self.descriptor_high // self.high_offset_span)

            return getattr(self, '_m_csize', None)

        @property
        def high_offset_span(self):
            """How many values the part of a compressed cluster's offset that lies in
            descriptor_high can take: 2^(31 - cluster_bits).
            """
            if hasattr(self, '_m_high_offset_span'):
                return self._m_high_offset_span

            self._m_high_offset_span = (2147483648 // (1 << self.cluster_bits) if self.knows_cluster_size else 1)
            return getattr(self, '_m_high_offset_span', None)

        @property
        def knows_cluster_size(self):
            """cluster_bits is in range (QCOW1_MIN_CLUSTER_BITS to
            QCOW1_MAX_CLUSTER_BITS).
            """
            if hasattr(self, '_m_knows_cluster_size'):
                return self._m_knows_cluster_size

            self._m_knows_cluster_size =  ((self.cluster_bits >= 9) and (self.cluster_bits <= 16))
            return getattr(self, '_m_knows_cluster_size', None)

        @property
        def offset(self):
            """Offset of a plain cluster in bytes, 63 bits wide; 0 if it is not
            allocated.
            """
            if hasattr(self, '_m_offset'):
                return self._m_offset

            if (not (self.is_compressed)):
                pass
                self._m_offset = (self.descriptor_high * 4294967296 + self.descriptor_low)

            return getattr(self, '_m_offset', None)

        @property
        def ok_cluster_read(self):
            """A plain cluster ends within BDRV_MAX_LENGTH."""
            if hasattr(self, '_m_ok_cluster_read'):
                return self._m_ok_cluster_read

            self._m_ok_cluster_read =  ((self.is_compressed) or ((not (self.knows_cluster_size))) or (self.offset <= 9223372035781033984 - (1 << self.cluster_bits)))
            return getattr(self, '_m_ok_cluster_read', None)

        @property
        def ok_offset(self):
            """A plain cluster starts at a multiple of QCOW1_CLUSTER_ALIGNMENT (512
            bytes).
            """
            if hasattr(self, '_m_ok_offset'):
                return self._m_ok_offset

            self._m_ok_offset =  ((self.is_compressed) or (self.offset % 512 == 0))
            return getattr(self, '_m_ok_offset', None)


    class L2Page(KaitaiStruct):
        """Up to 512 entries of an L2 table.

        .. seealso::
           block/qcow.c: get_cluster_offset
        """
        SEQ_FIELDS = []
        def __init__(self, index, cluster_bits, _io, _parent=None, _root=None):
            super(Qcow1.L2Page, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.index = index
            self.cluster_bits = cluster_bits
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
                self._m_entries.append(Qcow1.L2Entry(self.cluster_bits, self._io, self, self._root))

            self._io.seek(_pos)
            return getattr(self, '_m_entries', None)

        @property
        def num_entries(self):
            """Number of entries in this page."""
            if hasattr(self, '_m_num_entries'):
                return self._m_num_entries

            self._m_num_entries = (512 if self._io.size() // 8 - self.index * 512 > 512 else self._io.size() // 8 - self.index * 512)
            return getattr(self, '_m_num_entries', None)


    class L2Table(KaitaiStruct):
        """An L2 table, in pages.

        .. seealso::
           block/qcow.c: get_cluster_offset
        """
        SEQ_FIELDS = ['pages']
        def __init__(self, cluster_bits, _io, _parent=None, _root=None):
            super(Qcow1.L2Table, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.cluster_bits = cluster_bits
            self._read()

        def _read(self):
            self.pages = []
            for i in range((self._io.size() + 4088) // 4096):
                self.pages.append(Qcow1.L2Page(i, self.cluster_bits, self._io, self, self._root))



        def _fetch_instances(self):
            pass
            for i in range(len(self.pages)):
                pass
                self.pages[i]._fetch_instances()



    class L2TableAt(KaitaiStruct):
        """The place that an L1 entry points at. It has meaning only in a tree that
        was read from a whole file.

        .. seealso::
           block/qcow.c: get_cluster_offset
        """
        SEQ_FIELDS = []
        def __init__(self, offset, _io, _parent=None, _root=None):
            super(Qcow1.L2TableAt, self).__init__(_io)
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

            if  ((self.offset != 0) and (self.offset < self._root._io.size()) and (self._root.header.l1_entry_span != 0)) :
                pass
                io = self._root._io
                _pos = io.pos()
                io.seek(self.offset)
                self._raw__m_table = io.read_bytes((self._root._io.size() - self.offset if self._root.header.l2_size * 8 > self._root._io.size() - self.offset else self._root.header.l2_size * 8))
                _io__raw__m_table = KaitaiStream(BytesIO(self._raw__m_table))
                self._m_table = Qcow1.L2Table(self._root.header.cluster_bits, _io__raw__m_table, self, self._root)
                io.seek(_pos)

            return getattr(self, '_m_table', None)


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
            self._m_backing_file_name = Qcow1.BackingFileName(_io__raw__m_backing_file_name, self, self._root)
            self._io.seek(_pos)

        return getattr(self, '_m_backing_file_name', None)

    @property
    def l1_table(self):
        """The L1 table, as far as the file holds it. QEMU allows tables of nearly 2
        GiB; this tree shows the first 64 MiB of one (our own limit).
        """
        if hasattr(self, '_m_l1_table'):
            return self._m_l1_table

        if  ((self.header.l1_table_bytes > 0) and (self.header.l1_table_offset < self._io.size())) :
            pass
            _pos = self._io.pos()
            self._io.seek(self.header.l1_table_offset)
            self._raw__m_l1_table = self._io.read_bytes((self._io.size() - self.header.l1_table_offset if self.header.l1_table_bytes > self._io.size() - self.header.l1_table_offset else (67108864 if self.header.l1_table_bytes > 67108864 else self.header.l1_table_bytes)))
            _io__raw__m_l1_table = KaitaiStream(BytesIO(self._raw__m_l1_table))
            self._m_l1_table = Qcow1.L1Table(_io__raw__m_l1_table, self, self._root)
            self._io.seek(_pos)

        return getattr(self, '_m_l1_table', None)
