# Generated from formats/kaitai/qcow1.ksy by tools/generate.py: do not edit.
meta:
  id: qcow1
  title: QEMU Copy-On-Write disk image, version 1
  application: QEMU
  file-extension:
    - qcow
    - img
  xref:
    forensicswiki: qcow_image_format
    justsolve: Qcow
    wikidata: Q1052000
  tags:
    - filesystem
  license: CC0-1.0
  ks-version: 0.9
  endian: be
doc: |
  The first version of QEMU's copy-on-write format, which QEMU still reads and
  writes under the name "qcow". It has no document: QEMU's source is the
  specification.

  A guest offset is translated in two steps: the L1 table, whose size follows
  from the size of the disk, points at L2 tables, and these point at clusters.
  There are no reference counts, snapshots, feature bits or extensions.
doc-ref: block/qcow.c
seq:
  - id: header
    type: header
    doc: The header at the start of the file.
instances:
  backing_file_name:
    pos: header.backing_file_offset
    size: >-
      header.backing_file_size > _io.size - header.backing_file_offset
      ? _io.size - header.backing_file_offset
      : header.backing_file_size
    type: backing_file_name
    if: >-
      header.backing_file_offset != 0
      and header.backing_file_offset < _io.size
      and header.ok_backing_file_size
    doc: |
      Name of the backing file; absent where the header names none, or where the
      name breaks a rule or lies beyond the file.
  l1_table:
    pos: header.l1_table_offset
    size: >-
      header.l1_table_bytes > _io.size - header.l1_table_offset
      ? _io.size - header.l1_table_offset
      : header.l1_table_bytes > 67108864 ? 67108864
      : header.l1_table_bytes
    type: l1_table
    if: header.l1_table_bytes > 0 and header.l1_table_offset < _io.size
    doc: |
      The L1 table, as far as the file holds it. QEMU allows tables of nearly 2
      GiB; this tree shows the first 64 MiB of one (our own limit).
types:
  header:
    doc: The header, 48 bytes at the start of the file.
    doc-ref:
      - 'block/qcow.c: QCowHeader'
      - 'block/qcow.c: qcow_open'
    seq:
      - id: magic
        type: u4
        doc: '"QFI" and the byte 0xfb, as one number (QCOW_MAGIC).'
      - id: version
        type: u4
        doc: Version of the format, 1.
      - id: backing_file_offset
        type: u8
        doc: |
          Offset of the backing file's name in bytes, anywhere in the file; 0 if
          there is no backing file.
      - id: backing_file_size
        type: u4
        doc: Length of the backing file's name in bytes.
      - id: mtime
        type: u4
        doc: |
          Time at which the backing file was last changed, in seconds since
          1970. QEMU writes 0 and never looks at it.
      - id: size
        type: u8
        doc: Size of the disk that the guest sees, in bytes.
      - id: cluster_bits
        type: u1
        doc: Logarithm to base 2 of the cluster's size in bytes.
      - id: l2_bits
        type: u1
        doc: Logarithm to base 2 of the number of entries in an L2 table.
      - id: padding
        type: u2
        doc: Unused.
      - id: crypt_method
        type: u4
        enum: crypt_method
        doc: How the guest's data are encrypted.
      - id: l1_table_offset
        type: u8
        doc: Offset of the L1 table in bytes; it need not be aligned.
    instances:
      cluster_size:
        value: '(ok_cluster_bits ? 1 << cluster_bits : 0).as<u8>'
        doc: Size of a cluster in bytes; 0 where cluster_bits is out of range.
      l2_size:
        value: '(ok_l2_bits ? 1 << l2_bits : 0).as<u8>'
        doc: Number of entries in an L2 table; 0 where l2_bits is out of range.
      l1_entry_span:
        value: (cluster_size * l2_size).as<u8>
        doc: |
          Number of guest bytes that one L1 entry maps; 0 where it cannot be
          known.
      l1_size:
        value: >-
          (l1_entry_span == 0 ? 0
          : size / l1_entry_span * l1_entry_span == size ? size / l1_entry_span
          : size / l1_entry_span + 1).as<u8>
        doc: |
          Number of entries in the L1 table: as many as map the whole disk; 0
          where the span of an entry is unknown.
      l1_table_bytes:
        value: (l1_size * 8).as<u8>
        doc: Size of the L1 table in bytes.
      # The rules, in the order in which QEMU tests them.
      ok_magic:
        value: magic == 0x514649fb
        doc: The magic number is QCOW_MAGIC.
      ok_version:
        value: version == 1
        doc: The version is 1 (QCOW_VERSION).
      ok_size_minimum:
        value: size >= 2
        doc: The disk has at least QCOW1_MIN_SIZE (2 bytes).
      ok_cluster_bits:
        value: >-
          cluster_bits >= 9
          and cluster_bits <= 16
        doc: |
          Clusters have 512 bytes to 64 KiB (QCOW1_MIN_CLUSTER_BITS to
          QCOW1_MAX_CLUSTER_BITS).
      ok_l2_bits:
        value: l2_bits >= 6 and l2_bits <= 13
        doc: |
          L2 tables have 512 bytes to 64 KiB, in entries of 8 bytes
          (QCOW1_MIN_L2_BITS to QCOW1_MAX_L2_BITS).
      ok_crypt_method:
        value: >-
          crypt_method == crypt_method::none
          or crypt_method == crypt_method::aes
        doc: |
          The data are not encrypted (QCOW_CRYPT_NONE), or with AES
          (QCOW_CRYPT_AES).
      ok_size_maximum:
        value: >-
          l1_entry_span == 0
          or size / l1_entry_span + 1 < 4611686018427387904 / l1_entry_span * 4
        doc: |
          The size can be rounded up to what whole L1 entries map without
          leaving 64 bits: it is at most 2^64 - 1 less that span. The quotients
          stand for the sums, because not every language has more than 64 bits.
          True where the span is unknown.
      ok_l1_size:
        value: l1_size <= 268435455
        doc: |
          The L1 table has at most QCOW1_MAX_L1_ENTRIES, which QEMU writes as
          INT_MAX / 8.
      ok_l1_read:
        value: >-
          l1_table_bytes <= 2147483136
          and l1_table_offset <= 9223372035781033984 - l1_table_bytes
        doc: |
          The L1 table can be read with one request: it has at most
          BDRV_REQUEST_MAX_BYTES and ends within BDRV_MAX_LENGTH.
      ok_l1_read_signed:
        value: >-
          l1_table_bytes <= 2147483136
          and l1_table_offset <= 9223372036854775807 - l1_table_bytes
        doc: |
          The same as QEMU before 6.0 has it: the L1 table has at most
          BDRV_REQUEST_MAX_BYTES and ends at or below INT64_MAX, which is
          QCOW2_MAX_TABLE_END as well.
      ok_backing_file_size:
        value: >-
          backing_file_offset == 0
          or backing_file_size <= 1023
        doc: |
          The backing file's name has at most QCOW_MAX_BACKING_FILE_SIZE (1023
          bytes).
      ok_backing_file_offset:
        value: >-
          backing_file_offset == 0
          or backing_file_offset <= 9223372035781033984 - backing_file_size.as<u8>
        doc: The backing file's name ends within BDRV_MAX_LENGTH.
      ok_backing_file_offset_signed:
        value: >-
          backing_file_offset == 0
          or backing_file_offset
          <= 9223372036854775807 - backing_file_size.as<u8>
        doc: |
          The same as QEMU before 6.0 has it: the backing file's name ends at or
          below INT64_MAX, which is QCOW2_MAX_TABLE_END as well.
      # What librbd refuses besides.
      ok_librbd_size_sectors:
        value: size % 512 == 0
        doc: The disk ends at a sector (BDRV_SECTOR_SIZE).
      ok_librbd_cluster_bits:
        value: >-
          cluster_bits >= 9 and cluster_bits <= 21
        doc: |
          librbd has the bounds of version 2 (MIN_CLUSTER_BITS to
          MAX_CLUSTER_BITS) for all versions.
      ok_librbd_l2_bits:
        value: >-
          l2_bits + 3 >= 9 and l2_bits + 3 <= 21
        doc: |
          An L2 table is as large as a cluster of version 2 may be
          (MIN_CLUSTER_BITS to MAX_CLUSTER_BITS), in entries of 8 bytes.
      ok_librbd_backing_file:
        value: backing_file_offset == 0 or backing_file_size == 0
        doc: There is no backing file, or one without a name.
      librbd_l1_entry_span:
        value: >-
          ((1 << (cluster_bits > 21 ? 21
          : cluster_bits)).as<u8> * (1 << (l2_bits > 21 - 3
          ? 21 - 3 : l2_bits))).as<u8>
        doc: |
          Number of guest bytes that librbd maps with one L1 entry. Its bounds,
          within which this is, are wider than QEMU's.
      num_librbd_l1_entries:
        value: >-
          (size / librbd_l1_entry_span * librbd_l1_entry_span == size
          ? size / librbd_l1_entry_span % 4294967296
          : (size / librbd_l1_entry_span + 1) % 4294967296).as<u4>
        doc: |
          Number of L1 entries that the disk needs, cut to 32 bits as librbd
          does.
      ok_librbd_l1_size:
        value: num_librbd_l1_entries <= 268435455
        doc: |
          The L1 entries that the disk needs, as librbd counts them, are at most
          QCOW1_MAX_L1_ENTRIES.
      # What a careful operator refuses besides.
      ok_unencrypted:
        value: crypt_method == crypt_method::none
        doc: |
          The guest's data are stored as they are (QCOW_CRYPT_NONE). librbd asks
          for it as well.
      ok_untrusted_version:
        value: 'false'
        doc: |
          The image is not of version 1. It never holds: what has this header is
          read as version 1.
      ok_untrusted_size:
        value: size <= 70368744177664
        doc: The disk has at most POLICY_MAX_DISK_SIZE (64 TiB).
      ok_untrusted_l1_size:
        value: l1_table_bytes <= 33554432
        doc: |
          The L1 table has at most QCOW_MAX_L1_SIZE (32 MiB), as in version 2.
      ok_untrusted_backing_file:
        value: backing_file_offset == 0
        doc: There is no backing file, and no name of one, be it empty.
  backing_file_name:
    doc: The name of the backing file.
    doc-ref: 'block/qcow.c: qcow_open'
    -webide-representation: '{name:str}'
    seq:
      - id: name
        size-eos: true
        doc: The name as bytes, without a terminator. QEMU stops at a zero byte.
    instances:
      path:
        pos: 0
        size-eos: true
        terminator: 0
        doc: The name as QEMU reads it, up to its first zero byte.
      before_colon:
        pos: 0
        size: path.size
        terminator: 0x3a
        doc: The name up to its first colon, or all of it.
      before_slash:
        pos: 0
        size: path.size
        terminator: 0x2f
        doc: The name up to its first slash, or all of it.
      ok_untrusted_protocol:
        value: >-
          before_colon.size == path.size
          or before_slash.size < before_colon.size
        doc: |
          The name is a path: no colon stands before its first slash, which
          would make what is before the colon a protocol.
  l1_table:
    doc: The L1 table, in pages, so that a big one opens at once.
    doc-ref: 'block/qcow.c: qcow_open'
    seq:
      - id: pages
        type: l1_page(_index)
        repeat: expr
        repeat-expr: (_io.size + 4088) / 4096
        doc: Pages of 512 entries each; nothing is read until one is opened.
  l1_page:
    doc: Up to 512 entries of the L1 table.
    doc-ref: 'block/qcow.c: get_cluster_offset'
    params:
      - id: index
        type: u4
        doc: Number of the page in its table.
    instances:
      num_entries:
        value: >-
          _io.size / 8 - index * 512 > 512 ? 512 : _io.size / 8 - index * 512
        doc: Number of entries in this page.
      entries:
        pos: index * 4096
        type: l1_entry
        repeat: expr
        repeat-expr: num_entries
        doc: The entries.
      l2_tables:
        pos: index * 4096
        type: l2_table_at(entries[_index].l2_table_offset)
        repeat: expr
        repeat-expr: num_entries
        doc: Where the entries point, in the same order.
  l1_entry:
    doc: One entry of the L1 table.
    doc-ref: 'block/qcow.c: get_cluster_offset'
    -webide-representation: '{l2_table_offset:hex}'
    seq:
      - id: l2_table_offset
        type: u8
        doc: |
          Offset of an L2 table in bytes, all 64 bits of it and not necessarily
          aligned; 0 if nothing in its span is allocated.
  l2_table_at:
    doc: |
      The place that an L1 entry points at. It has meaning only in a tree that
      was read from a whole file.
    doc-ref: 'block/qcow.c: get_cluster_offset'
    -webide-representation: '{offset:hex}'
    params:
      - id: offset
        type: u8
        doc: Offset of the table in the file, in bytes.
    instances:
      table:
        io: _root._io
        pos: offset
        size: >-
          _root.header.l2_size * 8
          > _root._io.size - offset ? _root._io.size - offset
          : _root.header.l2_size * 8
        type: l2_table(_root.header.cluster_bits)
        if: >-
          offset != 0 and offset < _root._io.size
          and _root.header.l1_entry_span != 0
        doc: The L2 table, as far as the file holds it.
  l2_table:
    doc: An L2 table, in pages.
    doc-ref: 'block/qcow.c: get_cluster_offset'
    params:
      - id: cluster_bits
        type: u1
        doc: The header's cluster_bits.
    seq:
      - id: pages
        type: l2_page(_index, cluster_bits)
        repeat: expr
        repeat-expr: (_io.size + 4088) / 4096
        doc: Pages of 512 entries each; nothing is read until one is opened.
  l2_page:
    doc: Up to 512 entries of an L2 table.
    doc-ref: 'block/qcow.c: get_cluster_offset'
    params:
      - id: index
        type: u4
        doc: Number of the page in its table.
      - id: cluster_bits
        type: u1
        doc: The header's cluster_bits.
    instances:
      num_entries:
        value: >-
          _io.size / 8 - index * 512 > 512 ? 512 : _io.size / 8 - index * 512
        doc: Number of entries in this page.
      entries:
        pos: index * 4096
        type: l2_entry(cluster_bits)
        repeat: expr
        repeat-expr: num_entries
        doc: The entries.
  l2_entry:
    doc: |
      One entry of an L2 table. A plain entry is the offset of a cluster; a
      compressed one holds the offset and the length of deflated data.

      The fields are the halves of the 64 bits, so that languages whose bit
      operations stop at 32 bits read them too.
    doc-ref:
      - 'block/qcow.c: get_cluster_offset'
      - 'block/qcow.c: decompress_cluster'
    params:
      - id: cluster_bits
        type: u1
        doc: The header's cluster_bits.
    seq:
      - id: is_compressed
        type: b1
        doc: The cluster is compressed (QCOW_OFLAG_COMPRESSED, bit 63).
      - id: descriptor_high
        type: b31
        doc: Bits 32 to 62.
      - id: descriptor_low
        type: b32
        doc: Bits 0 to 31.
    instances:
      knows_cluster_size:
        value: >-
          cluster_bits >= 9
          and cluster_bits <= 16
        doc: |
          cluster_bits is in range (QCOW1_MIN_CLUSTER_BITS to
          QCOW1_MAX_CLUSTER_BITS).
      offset:
        value: (descriptor_high.as<u8> * 4294967296 + descriptor_low).as<u8>
        if: not is_compressed
        doc: |
          Offset of a plain cluster in bytes, 63 bits wide; 0 if it is not
          allocated.
      high_offset_span:
        value: >-
          (knows_cluster_size ? 2147483648 / (1 << cluster_bits) : 1).as<u8>
        doc: |
          How many values the part of a compressed cluster's offset that lies in
          descriptor_high can take: 2^(31 - cluster_bits).
      coffset:
        value: >-
          (not knows_cluster_size ? 0
          : (descriptor_high % high_offset_span).as<u8> * 4294967296
          + descriptor_low).as<u8>
        if: is_compressed
        doc: |
          Offset of the compressed data in bytes: the low 63 - cluster_bits
          bits. 0 where cluster_bits is out of range.
      csize:
        value: >-
          (not knows_cluster_size ? 0
          : descriptor_high / high_offset_span).as<u8>
        if: is_compressed
        doc: |
          Length of the compressed data in bytes: the cluster_bits bits above
          the offset. 0 where cluster_bits is out of range.
      ok_offset:
        value: is_compressed or offset % 512 == 0
        doc: |
          A plain cluster starts at a multiple of QCOW1_CLUSTER_ALIGNMENT (512
          bytes).
      ok_cluster_read:
        value: >-
          is_compressed or not knows_cluster_size
          or offset <= 9223372035781033984 - (1 << cluster_bits)
        doc: A plain cluster ends within BDRV_MAX_LENGTH.
enums:
  crypt_method:
    0:
      id: none
      doc: Not encrypted (QCOW_CRYPT_NONE).
    1:
      id: aes
      doc: AES with 128-bit keys in CBC mode (QCOW_CRYPT_AES).
