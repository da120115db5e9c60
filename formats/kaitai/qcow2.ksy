meta:
  id: qcow2
  title: QEMU Copy-On-Write disk image, versions 2 and 3
  application: QEMU
  file-extension:
    - qcow2
    - img
  xref:
    forensicswiki: qcow_image_format
    justsolve: Qcow
    wikidata: Q1052000
  tags:
    - filesystem
  license: CC0-1.0
  ks-version: 0.9
  imports:
    - luks1
  endian: be
doc: |
  QEMU's native disk image format, "qcow2": a sparse virtual disk with
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
doc-ref:
  - https://www.qemu.org/docs/master/interop/qcow2.html
  - block/qcow2.h
seq:
  - id: header
    type: header
    doc: The header at the start of the file.
instances:
  has_header_extensions:
    value: >-
      header.effective_header_length < header.extensions_end
      and header.effective_header_length < _io.size
    doc: The header leaves room for extensions, and the file holds some of it.
  header_extensions:
    pos: header.effective_header_length
    size: >-
      (header.extensions_end < _io.size ? header.extensions_end : _io.size)
      - header.effective_header_length
    type: header_extensions
    if: has_header_extensions
    doc: The header extensions; absent where the header leaves them no room.
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
      : header.l1_table_bytes
    type: l1_table
    if: >-
      header.l1_size > 0 and header.ok_l1_size_maximum
      and header.l1_table_offset < _io.size
    doc: The active L1 table, as far as the file holds it.
  refcount_table:
    pos: header.refcount_table_offset
    size: >-
      header.refcount_table_bytes > _io.size - header.refcount_table_offset
      ? _io.size - header.refcount_table_offset
      : header.refcount_table_bytes
    type: refcount_table
    if: >-
      header.refcount_table_bytes > 0 and header.ok_refcount_table_size
      and header.refcount_table_offset < _io.size
    doc: The refcount table, as far as the file holds it.
  snapshot_table:
    pos: header.snapshots_offset
    size: >-
      _io.size - header.snapshots_offset > QCOW_MAX_SNAPSHOTS_SIZE
      ? QCOW_MAX_SNAPSHOTS_SIZE : _io.size - header.snapshots_offset
    type: snapshot_table(header.nb_snapshots)
    if: >-
      header.nb_snapshots > 0 and header.ok_snapshots_count
      and header.snapshots_offset < _io.size
    doc: |
      The snapshot table, as far as the file holds it, and never more than
      QCOW_MAX_SNAPSHOTS_SIZE (64 MiB).
  bitmaps_extension:
    value: >-
      header_extensions.entries[header_extensions.last_bitmaps]
      .data.as<bitmaps_extension>
    if: has_header_extensions and header_extensions.last_bitmaps >= 0
    doc: The bitmaps extension; the last one, if there are several.
  bitmap_directory:
    pos: bitmaps_extension.bitmap_directory_offset
    size: >-
      bitmaps_extension.bitmap_directory_size
      > _io.size - bitmaps_extension.bitmap_directory_offset
      ? _io.size - bitmaps_extension.bitmap_directory_offset
      : bitmaps_extension.bitmap_directory_size
    type: >-
      bitmap_directory(bitmaps_extension.nb_bitmaps, header.cluster_bits,
      header.size)
    if: >-
      has_header_extensions and header_extensions.last_bitmaps >= 0
      and bitmaps_extension.ok_nb_bitmaps_maximum
      and bitmaps_extension.ok_bitmap_directory_size
      and bitmaps_extension.bitmap_directory_offset < _io.size
    doc: The bitmap directory, as far as the file holds it.
  crypto_extension:
    value: >-
      header_extensions.entries[header_extensions.last_crypto]
      .data.as<crypto_extension>
    if: has_header_extensions and header_extensions.last_crypto >= 0
    doc: The pointer to the encryption header; the last one, if several.
  encryption_header:
    pos: crypto_extension.offset
    size: QCRYPTO_BLOCK_LUKS_HEADER_SIZE
    type: luks1
    if: >-
      has_header_extensions and header_extensions.last_crypto >= 0
      and _io.size >= QCRYPTO_BLOCK_LUKS_HEADER_SIZE
      and crypto_extension.offset <= _io.size - QCRYPTO_BLOCK_LUKS_HEADER_SIZE
    doc: |
      The LUKS header, where the file holds all QCRYPTO_BLOCK_LUKS_HEADER_SIZE
      (592 bytes) of it.
types:
  header:
    doc: |
      The header at the start of the file: 72 bytes in version 2, at least 104
      from version 3 on.
    doc-ref:
      - 'docs/interop/qcow2: Header'
      - 'block/qcow2.h: QCowHeader'
      - 'block/qcow2.c: qcow2_do_open'
    seq:
      - id: magic
        type: u4
        doc: '"QFI" and the byte 0xfb, as one number (QCOW_MAGIC).'
      - id: version
        type: u4
        doc: Version of the format, 2 or 3.
      - id: backing_file_offset
        type: u8
        doc: |
          Offset of the backing file's name in bytes, inside the first cluster;
          0 if there is no backing file.
      - id: backing_file_size
        type: u4
        doc: |
          Length of the backing file's name in bytes; without meaning if there
          is no backing file.
      - id: cluster_bits
        type: u4
        doc: Logarithm to base 2 of the cluster's size in bytes.
      - id: size
        type: u8
        doc: Size of the disk that the guest sees, in bytes.
      - id: crypt_method
        type: u4
        enum: crypt_method
        doc: How the guest's data are encrypted.
      - id: l1_size
        type: u4
        doc: |
          Number of entries in the active L1 table. It may exceed what the disk
          needs: the state of a virtual machine is stored past the disk's end.
      - id: l1_table_offset
        type: u8
        doc: Offset of the active L1 table in bytes.
      - id: refcount_table_offset
        type: u8
        doc: Offset of the refcount table in bytes.
      - id: refcount_table_clusters
        type: u4
        doc: Number of clusters that the refcount table occupies.
      - id: nb_snapshots
        type: u4
        doc: Number of entries in the snapshot table.
      - id: snapshots_offset
        type: u8
        doc: Offset of the snapshot table in bytes.
      - id: incompatible_features
        type: u8
        if: version >= 3
        doc: |
          Feature bits that a reader has to know: it refuses an image with a bit
          that it does not.
      - id: compatible_features
        type: u8
        if: version >= 3
        doc: Feature bits that a reader may ignore.
      - id: autoclear_features
        type: u8
        if: version >= 3
        doc: |
          Feature bits that a writer clears if it does not know them, so that
          others learn that their data were not kept up.
      - id: refcount_order
        type: u4
        if: version >= 3
        doc: Logarithm to base 2 of the width of a reference count in bits.
      - id: header_length
        type: u4
        if: version >= 3
        doc: Length of the header in bytes. The header extensions follow it.
      - id: additional_fields
        size: len_additional_fields
        type: additional_fields
        if: len_additional_fields > 0
        doc: |
          The fields past byte 104, as far as header_length goes; absent where
          it goes no further.
    instances:
      len_additional_fields:
        value: >-
          version < 3 or header_length <= QCOW2_V3_MIN_HEADER_LENGTH ? 0
          : header_length > (1 << MAX_CLUSTER_BITS)
          and _io.size - _io.pos
          > (1 << MAX_CLUSTER_BITS) - QCOW2_V3_MIN_HEADER_LENGTH
          ? (1 << MAX_CLUSTER_BITS) - QCOW2_V3_MIN_HEADER_LENGTH
          : header_length - QCOW2_V3_MIN_HEADER_LENGTH > _io.size - _io.pos
          ? _io.size - _io.pos : header_length - QCOW2_V3_MIN_HEADER_LENGTH
        doc: |
          Number of bytes read as additional fields: what header_length says,
          within the largest cluster (2^MAX_CLUSTER_BITS, 2 MiB) and within the
          stream. It is fixed while the header is read.
      cluster_size:
        value: '(ok_cluster_bits ? 1 << cluster_bits : 0).as<u8>'
        doc: Size of a cluster in bytes; 0 where cluster_bits is out of range.
      effective_header_length:
        value: '(version < 3 ? QCOW2_V2_HEADER_LENGTH : header_length).as<u4>'
        doc: Length of the header in bytes; 72 in version 2.
      extensions_end:
        value: >-
          (backing_file_offset != 0 and backing_file_offset < cluster_size
          ? backing_file_offset : cluster_size).as<u8>
        doc: |
          Offset at which the room of the header extensions ends, in bytes: the
          backing file's name if there is one, else the end of the first
          cluster; 0 where the cluster's size is unknown.
      has_dirty:
        value: >-
          version >= 3 and (incompatible_features & QCOW2_INCOMPAT_DIRTY) != 0
        doc: |
          Incompatible feature bit 0: refcounts may be wrong until they are
          repaired (QCOW2_INCOMPAT_DIRTY).
      has_corrupt:
        value: >-
          version >= 3 and (incompatible_features & QCOW2_INCOMPAT_CORRUPT) != 0
        doc: |
          Incompatible feature bit 1: any structure may be wrong, and writing is
          forbidden (QCOW2_INCOMPAT_CORRUPT).
      has_data_file:
        value: >-
          version >= 3
          and (incompatible_features & QCOW2_INCOMPAT_DATA_FILE) != 0
        doc: |
          Incompatible feature bit 2: the guest's data lie in another file
          (QCOW2_INCOMPAT_DATA_FILE).
      has_compression_type:
        value: >-
          version >= 3
          and (incompatible_features & QCOW2_INCOMPAT_COMPRESSION) != 0
        doc: |
          Incompatible feature bit 3: compressed clusters are of another type
          than zlib (QCOW2_INCOMPAT_COMPRESSION).
      has_extended_l2:
        value: >-
          version >= 3 and (incompatible_features & QCOW2_INCOMPAT_EXTL2) != 0
        doc: |
          Incompatible feature bit 4: L2 entries have 16 bytes and describe
          subclusters (QCOW2_INCOMPAT_EXTL2).
      has_lazy_refcounts:
        value: >-
          version >= 3
          and (compatible_features & QCOW2_COMPAT_LAZY_REFCOUNTS) != 0
        doc: |
          Compatible feature bit 0: refcounts may be updated late
          (QCOW2_COMPAT_LAZY_REFCOUNTS).
      has_bitmaps:
        value: >-
          version >= 3 and (autoclear_features & QCOW2_AUTOCLEAR_BITMAPS) != 0
        doc: |
          Autoclear feature bit 0: the bitmaps extension is up to date
          (QCOW2_AUTOCLEAR_BITMAPS).
      has_data_file_raw:
        value: >-
          version >= 3
          and (autoclear_features & QCOW2_AUTOCLEAR_DATA_FILE_RAW) != 0
        doc: |
          Autoclear feature bit 1: the external data file is a raw image by
          itself (QCOW2_AUTOCLEAR_DATA_FILE_RAW).
      effective_refcount_order:
        value: '(version < 3 ? QCOW2_V2_REFCOUNT_ORDER : refcount_order).as<u4>'
        doc: |
          Logarithm to base 2 of the width of a reference count in bits; 4 in
          version 2.
      refcount_bits:
        value: '(ok_refcount_order ? 1 << effective_refcount_order : 0).as<u8>'
        doc: |
          Width of a reference count in bits; 0 where refcount_order is out of
          range.
      effective_compression_type:
        value: >-
          len_additional_fields > 0
          ? additional_fields.compression_type : compression_type::zlib
        doc: |
          How compressed clusters are compressed; zlib, which is 0, where the
          header is too short to say.
      l2_entry_size:
        value: '(has_extended_l2 ? L2E_SIZE_EXTENDED : L2E_SIZE_NORMAL).as<u8>'
        doc: Size of an L2 entry in bytes (L2E_SIZE_NORMAL, L2E_SIZE_EXTENDED).
      l2_bits:
        value: >-
          (not ok_cluster_bits ? 0
          : has_extended_l2 ? cluster_bits - 4 : cluster_bits - 3).as<u4>
        doc: Logarithm to base 2 of the number of entries in an L2 table.
      l2_entries:
        value: (cluster_size / l2_entry_size).as<u8>
        doc: Number of entries in an L2 table.
      l1_entry_span:
        value: (cluster_size * l2_entries).as<u8>
        doc: |
          Number of guest bytes that one L1 entry maps; 0 where the cluster's
          size is unknown.
      l1_vm_state_index:
        value: >-
          (l1_entry_span == 0 ? 0
          : size / l1_entry_span * l1_entry_span == size ? size / l1_entry_span
          : size / l1_entry_span + 1 == 4611686018427387904 / l1_entry_span * 4
          ? 0 : size / l1_entry_span + 1).as<u8>
        doc: |
          Number of L1 entries that map the disk, which is also the index of the
          first one that may hold the state of a virtual machine. QEMU rounds
          the size up in 64 bits, where the largest sizes wrap around to 0; so
          does this.
      l1_table_bytes:
        value: (l1_size.as<u8> * L1E_SIZE).as<u8>
        doc: Size of the active L1 table in bytes.
      refcount_table_bytes:
        value: (refcount_table_clusters.as<u8> * cluster_size).as<u8>
        doc: |
          Size of the refcount table in bytes; 0 where the cluster's size is
          unknown.
      refcount_block_entries:
        value: >-
          (refcount_bits == 0 ? 0 : cluster_size * 8 / refcount_bits).as<u8>
        doc: Number of counts in a refcount block; 0 where it cannot be known.
      subcluster_size:
        value: >-
          (has_extended_l2 ? cluster_size / QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER
          : cluster_size).as<u8>
        doc: |
          Size of a subcluster in bytes (QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER to a
          cluster); that of the whole cluster where entries are not extended.
      csize_shift:
        value: >-
          (ok_cluster_bits
          ? QCOW2_CSIZE_END_BIT + QCOW2_CSIZE_CLUSTER_BITS - cluster_bits
          : 0).as<u4>
        doc: |
          Number of bits that hold the offset in the L2 entry of a compressed
          cluster; the count of sectors is above them. 0 where cluster_bits is
          out of range.
      csize_mask:
        value: >-
          (ok_cluster_bits ? cluster_size / (1 << QCOW2_CSIZE_CLUSTER_BITS) - 1
          : 0).as<u4>
        doc: |
          Largest count of additional sectors in the L2 entry of a compressed
          cluster; 0 where cluster_bits is out of range.
      # The rules, in the order in which QEMU tests them.
      ok_magic:
        value: magic == QCOW_MAGIC
        doc: The magic number is QCOW_MAGIC.
      ok_version:
        value: version == QCOW2_MIN_VERSION or version == QCOW2_MAX_VERSION
        doc: The version is 2 or 3 (QCOW2_MIN_VERSION to QCOW2_MAX_VERSION).
      ok_cluster_bits:
        value: >-
          cluster_bits >= MIN_CLUSTER_BITS and cluster_bits <= MAX_CLUSTER_BITS
        doc: |
          Clusters have 512 bytes to 2 MiB (MIN_CLUSTER_BITS to
          MAX_CLUSTER_BITS). The lower limit is the format's, the upper QEMU's.
      ok_header_length_minimum:
        value: version < 3 or header_length >= QCOW2_V3_MIN_HEADER_LENGTH
        doc: |
          The header of version 3 has at least QCOW2_V3_MIN_HEADER_LENGTH (104
          bytes).
      ok_header_length_maximum:
        value: cluster_size == 0 or effective_header_length <= cluster_size
        doc: The header fits the first cluster.
      ok_header_length_multiple:
        value: version < 3 or header_length % QCOW2_HEADER_ALIGNMENT == 0
        doc: |
          The header's length is a multiple of QCOW2_HEADER_ALIGNMENT (8 bytes).
          The document demands it, QEMU does not look.
      ok_backing_file_offset:
        value: cluster_size == 0 or backing_file_offset <= cluster_size
        doc: |
          The backing file's name starts in the first cluster, or at its end,
          where only an empty name has room.
      ok_compression_type:
        value: >-
          effective_compression_type == compression_type::zlib
          or effective_compression_type == compression_type::zstd
        doc: |
          The compression type is one that exists: QCOW2_COMPRESSION_TYPE_ZLIB,
          or QCOW2_COMPRESSION_TYPE_ZSTD, which QEMU may be built without.
      ok_compression_bit_clear:
        value: >-
          version < 3 or not has_compression_type
          or effective_compression_type != compression_type::zlib
        doc: |
          Where the compression type is 0, the feature bit that announces
          another type is clear.
      ok_compression_bit_set:
        value: >-
          version < 3 or has_compression_type
          or effective_compression_type == compression_type::zlib
        doc: |
          Where the compression type is not 0, the feature bit that announces it
          is set.
      ok_unknown_incompatible:
        value: version < 3 or incompatible_features <= QCOW2_INCOMPAT_MASK
        doc: |
          No incompatible feature is set but those that exist
          (QCOW2_INCOMPAT_MASK, bits 0 to 4).
      ok_subcluster_size:
        value: >-
          not has_extended_l2 or cluster_bits >= QCOW2_EXTL2_MIN_CLUSTER_BITS
        doc: |
          Subclusters have at least 512 bytes, so that an image with extended L2
          entries has clusters of 16 KiB or more (QCOW2_EXTL2_MIN_CLUSTER_BITS).
      ok_refcount_order:
        value: version < 3 or refcount_order <= QCOW2_MAX_REFCOUNT_ORDER
        doc: A reference count has at most 64 bits (QCOW2_MAX_REFCOUNT_ORDER).
      ok_refcount_table_present:
        value: refcount_table_clusters > 0
        doc: There is a refcount table.
      ok_refcount_table_size:
        value: refcount_table_bytes <= QCOW_MAX_REFTABLE_SIZE
        doc: |
          The refcount table has at most QCOW_MAX_REFTABLE_SIZE (8 MiB). True
          where the cluster's size is unknown.
      ok_refcount_table_offset:
        value: >-
          refcount_table_offset <= QCOW2_MAX_TABLE_END - refcount_table_bytes
          and (cluster_size == 0 or refcount_table_offset % cluster_size == 0)
        doc: |
          The refcount table starts at a cluster and ends at or below
          QCOW2_MAX_TABLE_END (INT64_MAX). An offset of 0 passes.
      ok_snapshots_count:
        value: nb_snapshots <= QCOW_MAX_SNAPSHOTS
        doc: There are at most QCOW_MAX_SNAPSHOTS snapshots.
      ok_snapshots_offset:
        value: >-
          snapshots_offset
          <= QCOW2_MAX_TABLE_END
          - nb_snapshots.as<u8> * QCOW2_SNAPSHOT_HEADER_SIZE
          and (cluster_size == 0 or snapshots_offset % cluster_size == 0)
        doc: |
          The snapshot table starts at a cluster, and the fixed parts of its
          entries, QCOW2_SNAPSHOT_HEADER_SIZE (40 bytes) each, end at or below
          QCOW2_MAX_TABLE_END (INT64_MAX). QEMU looks even if there are no
          snapshots.
      ok_l1_size_maximum:
        value: l1_table_bytes <= QCOW_MAX_L1_SIZE
        doc: The active L1 table has at most QCOW_MAX_L1_SIZE (32 MiB).
      ok_l1_table_offset:
        value: >-
          l1_table_offset <= QCOW2_MAX_TABLE_END - l1_table_bytes
          and (cluster_size == 0 or l1_table_offset % cluster_size == 0)
        doc: |
          The active L1 table starts at a cluster and ends at or below
          QCOW2_MAX_TABLE_END (INT64_MAX). QEMU looks even if the table is
          empty; an offset of 0 passes.
      ok_size_maximum:
        value: l1_vm_state_index <= QCOW2_MAX_L1_VM_STATE_INDEX
        doc: |
          The disk needs at most QCOW2_MAX_L1_VM_STATE_INDEX (INT_MAX) entries
          in the L1 table.
      ok_l1_size_minimum:
        value: l1_size >= l1_vm_state_index
        doc: The active L1 table maps the whole disk.
      ok_l1_read:
        value: >-
          l1_size == 0 or l1_table_offset <= BDRV_MAX_LENGTH - l1_table_bytes
        doc: The active L1 table ends within BDRV_MAX_LENGTH.
      ok_crypt_method:
        value: >-
          crypt_method == crypt_method::none
          or crypt_method == crypt_method::aes
          or crypt_method == crypt_method::luks
        doc: |
          The encryption method is one that exists: QCOW_CRYPT_NONE,
          QCOW_CRYPT_AES or QCOW_CRYPT_LUKS.
      ok_refcount_table_read:
        value: >-
          refcount_table_bytes == 0
          or refcount_table_offset <= BDRV_MAX_LENGTH - refcount_table_bytes
        doc: The refcount table ends within BDRV_MAX_LENGTH.
      ok_data_file_raw:
        value: not has_data_file_raw or has_data_file
        doc: Only an external data file is called a raw image.
      ok_backing_data_file_raw:
        value: not has_data_file_raw or backing_file_offset == 0
        doc: |
          An image whose data file is a raw image has no backing file. The
          document demands it, QEMU does not look.
      ok_backing_file_position:
        value: >-
          backing_file_offset == 0
          or backing_file_offset >= effective_header_length
        doc: |
          The backing file's name starts behind the header. The document demands
          it, QEMU does not look.
      ok_snapshots_data_file:
        value: nb_snapshots == 0 or not has_data_file
        doc: |
          An image with an external data file has no snapshots. QEMU opens it
          all the same; its check reports it.
      ok_backing_file_size:
        value: >-
          backing_file_offset == 0
          or backing_file_size <= QCOW_MAX_BACKING_FILE_SIZE
          and (cluster_size == 0 or backing_file_offset > cluster_size
          or backing_file_size <= cluster_size - backing_file_offset)
        doc: |
          The backing file's name has at most QCOW_MAX_BACKING_FILE_SIZE (1023
          bytes) and ends within the first cluster. The second part is not asked
          of a name that starts beyond the cluster, which breaks another rule.
      ok_total_sectors:
        value: size / BDRV_SECTOR_SIZE <= BDRV_MAX_LENGTH / BDRV_SECTOR_SIZE
        doc: |
          The disk, in whole sectors of 512 bytes, has at most BDRV_MAX_LENGTH,
          here in sectors (BDRV_SECTOR_SIZE).
      ok_corrupt:
        value: not has_corrupt
        doc: |
          The image is not marked as corrupt. QEMU opens it, but not for
          writing.
      # What librbd refuses besides.
      ok_librbd_v1_version:
        value: version == QCOW_VERSION
        doc: |
          The version is 1 (QCOW_VERSION), the only one that librbd's first
          reader knew.
      ok_librbd_size_sectors:
        value: size % BDRV_SECTOR_SIZE == 0
        doc: The disk ends at a sector (BDRV_SECTOR_SIZE).
      ok_librbd_compression:
        value: >-
          effective_compression_type == compression_type::zlib
          and not has_compression_type
        doc: Neither the compression type nor its feature bit is set.
      ok_librbd_extended_l2:
        value: not has_extended_l2
        doc: L2 entries have 8 bytes.
      ok_librbd_backing_file:
        value: backing_file_offset == 0 or backing_file_size == 0
        doc: There is no backing file, or one without a name.
      librbd_l1_entry_span:
        value: >-
          (cluster_bits < 2 ? 1 : cluster_bits > MAX_CLUSTER_BITS ? 549755813888
          : (1 << cluster_bits).as<u8> * (1 << cluster_bits)
          / L2E_SIZE_NORMAL).as<u8>
        doc: |
          Number of guest bytes that librbd maps with one L1 entry: it knows L2
          entries of 8 bytes only. Bounded where cluster_bits is out of range.
      num_librbd_l1_entries:
        value: >-
          (size / librbd_l1_entry_span * librbd_l1_entry_span == size
          ? size / librbd_l1_entry_span % 4294967296
          : (size / librbd_l1_entry_span + 1) % 4294967296).as<u4>
        doc: |
          Number of L1 entries that the disk needs, cut to 32 bits as librbd
          does.
      ok_librbd_l1_size:
        value: >-
          size / librbd_l1_entry_span + 1
          < 4611686018427387904 / librbd_l1_entry_span * 4
          and num_librbd_l1_entries <= QCOW1_MAX_L1_ENTRIES
          and num_librbd_l1_entries <= l1_size
        doc: |
          The L1 entries that the disk needs, as librbd counts them, are at most
          QCOW1_MAX_L1_ENTRIES, and the L1 table has them. The size can be
          rounded up to whole L1 entries: it is at most INV_OFFSET less what one
          maps. The quotients stand for that sum, because not every language has
          more than 64 bits.
      # What a careful operator refuses besides.
      ok_data_file_absent:
        value: not has_data_file
        doc: |
          The guest's data are in the image itself. librbd asks for it as well.
      ok_unencrypted:
        value: crypt_method == crypt_method::none
        doc: |
          The guest's data are stored as they are (QCOW_CRYPT_NONE). librbd asks
          for it as well.
      ok_untrusted_dirty:
        value: not has_dirty
        doc: The image was closed in order.
      ok_untrusted_unknown_compatible:
        value: version < 3 or compatible_features <= QCOW2_COMPAT_FEAT_MASK
        doc: |
          No compatible feature is set but those that exist
          (QCOW2_COMPAT_FEAT_MASK, bit 0).
      ok_untrusted_unknown_autoclear:
        value: version < 3 or autoclear_features <= QCOW2_AUTOCLEAR_MASK
        doc: |
          No autoclear feature is set but those that exist
          (QCOW2_AUTOCLEAR_MASK, bits 0 and 1).
      ok_untrusted_size:
        value: size <= POLICY_MAX_DISK_SIZE
        doc: The disk has at most POLICY_MAX_DISK_SIZE (64 TiB).
      ok_untrusted_backing_file:
        value: backing_file_offset == 0
        doc: There is no backing file, and no name of one, be it empty.
  additional_fields:
    doc: The header's fields past byte 104, at least one byte of them.
    doc-ref: 'docs/interop/qcow2: Additional fields (version 3 and higher)'
    seq:
      - id: compression_type
        type: u1
        enum: compression_type
        doc: How compressed clusters are compressed.
      - id: padding
        size: '_io.size - _io.pos < 7 ? _io.size - _io.pos : 7'
        doc: Fills the header up to a multiple of 8 bytes.
      - id: unknown_fields
        size-eos: true
        doc: Fields that no version of the document has yet, kept as bytes.
    instances:
      ok_padding:
        value: padding.size == 0 or padding.max == 0
        doc: The padding is zero. The document demands it, QEMU does not look.
      ok_untrusted_unknown_fields:
        value: unknown_fields.size == 0 or unknown_fields.max == 0
        doc: The fields that no version of the document has are zero.
  backing_file_name:
    doc: The name of the backing file.
    doc-ref: 'docs/interop/qcow2: Header'
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
        type: file_name
        doc: The name as QEMU reads it, up to its first zero byte.
      ok_untrusted_protocol:
        value: not path.has_protocol
        doc: The name is a path and names no protocol.
  file_name:
    doc: The name of a file, which may begin with a protocol.
    doc-ref: 'block.c: path_has_protocol'
    instances:
      before_colon:
        pos: 0
        size: _io.size
        terminator: 0x3a
        doc: The name up to its first colon, or all of it.
      before_slash:
        pos: 0
        size: _io.size
        terminator: 0x2f
        doc: The name up to its first slash, or all of it.
      has_protocol:
        value: >-
          before_colon.size < _io.size
          and before_slash.size > before_colon.size
        doc: |
          A colon stands before the first slash, so that what is before the
          colon is a protocol.
  header_extensions:
    doc: |
      The header extensions, from the end of the header to the end of their
      stream.
    doc-ref:
      - 'docs/interop/qcow2: Header extensions'
      - 'block/qcow2.c: qcow2_read_extensions'
    seq:
      - id: entries
        type: header_extension
        repeat: until
        repeat-until: >-
          _.is_end or entries.size >= max_extensions
          or _io.size - _io.pos < QCOW2_EXT_HEADER_SIZE
        if: is_long_enough
        doc: |
          The extensions in their order, the end marker included; absent where
          the stream has not even room for one.
      - id: unparsed
        size-eos: true
        doc: |
          What follows the end marker. Without a marker, the bytes left over:
          fewer than 8, which QEMU refuses if there are any, or the rest of an
          area with more than max_extensions, which can be read in the same way.
    instances:
      max_extensions:
        value: POLICY_MAX_HEADER_EXTENSIONS
        doc: |
          Number of extensions read at once. The limit is our own: QEMU reads as
          many as the first cluster holds.
      is_long_enough:
        value: _io.size - _io.pos >= QCOW2_EXT_HEADER_SIZE
        doc: |
          There is room for one extension. It is fixed while the extensions are
          read.
      num_entries:
        value: '(is_long_enough ? entries.size : 0).as<u4>'
        doc: Number of extensions, the end marker included.
      has_end:
        value: num_entries > 0 and entries[num_entries - 1].is_end
        doc: The extensions close with an end marker.
      positions:
        pos: 0
        type: >-
          extension_positions(_index, entries[_index].layout,
          _index == 0 ? -1 : positions[_index - 1].bitmaps,
          _index == 0 ? -1 : positions[_index - 1].crypto)
        repeat: expr
        repeat-expr: num_entries
        doc: For each extension, where the last ones up to it stand.
      last_bitmaps:
        value: 'num_entries == 0 ? -1 : positions[num_entries - 1].bitmaps'
        doc: Index of the last bitmaps extension; -1 if there is none.
      last_crypto:
        value: 'num_entries == 0 ? -1 : positions[num_entries - 1].crypto'
        doc: Index of the last encryption extension; -1 if there is none.
  header_extension:
    doc: One header extension, its length a multiple of 8 with its padding.
    doc-ref:
      - 'docs/interop/qcow2: Header extensions'
      - 'block/qcow2.c: qcow2_read_extensions'
    -webide-representation: '{magic}'
    seq:
      - id: magic
        type: u4
        enum: extension_magic
        doc: What the extension is.
      - id: len
        type: u4
        doc: Length of the data in bytes, without the padding.
      - id: data
        size: len_data
        type:
          switch-on: layout
          cases:
            'extension_magic::backing_format': backing_format
            'extension_magic::feature_name_table': feature_name_table
            'extension_magic::bitmaps': bitmaps_extension
            'extension_magic::crypto': crypto_extension
            'extension_magic::data_file': data_file
        doc: |
          The data, as far as the stream holds them; plain bytes for an unknown
          extension, the end marker, and an extension that is too short.
      - id: padding
        size: >-
          (8 - len_data % 8) % 8 < _io.size - _io.pos
          ? (8 - len_data % 8) % 8 : _io.size - _io.pos
        doc: Fills the extension up to a multiple of 8 bytes; of any content.
    instances:
      is_end:
        value: magic == extension_magic::end_marker
        doc: This is the end marker.
      len_data:
        value: '(len < _io.size - _io.pos ? len : _io.size - _io.pos).as<u4>'
        doc: |
          Number of bytes read as data: what len says, within the stream. It is
          fixed while the extension is read.
      layout:
        value: >-
          magic == extension_magic::bitmaps
          and len_data < QCOW2_BITMAPS_EXTENSION_SIZE
          or magic == extension_magic::crypto
          and len_data < QCOW2_CRYPTO_EXTENSION_SIZE
          ? extension_magic::end_marker : magic
        doc: |
          How the data are read: as the magic number says, but as plain bytes
          where they are too short for a fixed layout.
      ok_len:
        value: len <= len_data
        doc: The data end within the room for extensions.
      ok_backing_format_len:
        value: >-
          magic != extension_magic::backing_format
          or len <= QCOW2_MAX_BACKING_FORMAT_SIZE
        doc: |
          The name of a backing file's format has at most
          QCOW2_MAX_BACKING_FORMAT_SIZE (15 bytes).
      ok_crypto_len:
        value: >-
          magic != extension_magic::crypto or len == QCOW2_CRYPTO_EXTENSION_SIZE
        doc: |
          The pointer to the encryption header has QCOW2_CRYPTO_EXTENSION_SIZE
          (16 bytes).
      ok_bitmaps_len:
        value: >-
          magic != extension_magic::bitmaps
          or len == QCOW2_BITMAPS_EXTENSION_SIZE
        doc: The bitmaps extension has QCOW2_BITMAPS_EXTENSION_SIZE (24 bytes).
      ok_feature_table_len:
        value: >-
          magic != extension_magic::feature_name_table
          or len % QCOW2_FEATURE_ENTRY_SIZE == 0
        doc: |
          The feature name table has entries of QCOW2_FEATURE_ENTRY_SIZE (48
          bytes) and nothing else. QEMU fills the last one up with zeros.
      ok_untrusted_unknown:
        value: >-
          magic == extension_magic::end_marker
          or magic == extension_magic::crypto
          or magic == extension_magic::bitmaps
          or magic == extension_magic::data_file
          or magic == extension_magic::feature_name_table
          or magic == extension_magic::backing_format
        doc: The extension is one that the document has.
  extension_positions:
    doc: |
      Where the last of those header extensions that point elsewhere stand,
      among the extensions up to a given one. QEMU, too, lets the last one win.
    doc-ref: 'block/qcow2.c: qcow2_read_extensions'
    params:
      - id: index
        type: s4
        doc: Index of the given extension.
      - id: layout
        type: u4
        enum: extension_magic
        doc: Its layout.
      - id: previous_bitmaps
        type: s4
        doc: Index of the last bitmaps extension before it, or -1.
      - id: previous_crypto
        type: s4
        doc: Index of the last encryption extension before it, or -1.
    instances:
      bitmaps:
        value: 'layout == extension_magic::bitmaps ? index : previous_bitmaps'
        doc: Index of the last bitmaps extension, or -1.
      crypto:
        value: 'layout == extension_magic::crypto ? index : previous_crypto'
        doc: Index of the last encryption extension, or -1.
  backing_format:
    doc: Header extension with the name of the backing file's format.
    doc-ref: 'docs/interop/qcow2: String header extensions'
    seq:
      - id: format
        size-eos: true
        doc: The format's name as bytes, such as "raw", without a terminator.
  data_file:
    doc: Header extension with the name of the file that holds the guest's data.
    doc-ref: 'docs/interop/qcow2: String header extensions'
    seq:
      - id: data_file
        size-eos: true
        doc: The file's name as bytes, without a terminator.
    instances:
      path:
        pos: 0
        size-eos: true
        terminator: 0
        type: file_name
        doc: The name as QEMU reads it, up to its first zero byte.
      ok_untrusted_data_file:
        value: 'false'
        doc: There is no such extension. It never holds, because this is one.
      ok_untrusted_data_file_protocol:
        value: not path.has_protocol
        doc: The name is a path and names no protocol.
  feature_name_table:
    doc: |
      Header extension that names feature bits, for readers that refuse an image
      because of a bit they have never heard of.
    doc-ref:
      - 'docs/interop/qcow2: Feature name table'
      - 'block/qcow2.c: report_unsupported_feature'
    seq:
      - id: entries
        type: feature_name_entry
        repeat: expr
        repeat-expr: num_entries
        doc: The names. QEMU stops at the first empty one.
      - id: unparsed
        size-eos: true
        doc: Bytes that make up no whole entry.
    instances:
      num_entries:
        value: (_io.size - _io.pos) / QCOW2_FEATURE_ENTRY_SIZE
        doc: |
          Number of whole entries in the stream. It is fixed while the table is
          read.
  feature_name_entry:
    doc: The name of one feature bit, 48 bytes.
    doc-ref:
      - 'docs/interop/qcow2: Feature name table'
      - 'block/qcow2.h: Qcow2Feature'
    -webide-representation: '{type} {bit:dec}'
    seq:
      - id: type
        type: u1
        enum: feature_type
        doc: Which of the three words of feature bits is meant.
      - id: bit
        type: u1
        doc: Number of the bit in that word, from 0 to 63.
      - id: name
        size: QCOW2_FEATURE_NAME_SIZE
        doc: The feature's name, padded with zero bytes.
    instances:
      ok_feature_name_type:
        value: >-
          type == feature_type::incompatible or type == feature_type::compatible
          or type == feature_type::autoclear
        doc: |
          The word of feature bits is one that exists:
          QCOW2_FEAT_TYPE_INCOMPATIBLE, QCOW2_FEAT_TYPE_COMPATIBLE or
          QCOW2_FEAT_TYPE_AUTOCLEAR.
      ok_feature_name_bit:
        value: bit <= 63
        doc: The word of feature bits has such a bit.
  bitmaps_extension:
    doc: Header extension that points at the bitmap directory, 24 bytes.
    doc-ref:
      - 'docs/interop/qcow2: Bitmaps extension'
      - 'block/qcow2.h: Qcow2BitmapHeaderExt'
    seq:
      - id: nb_bitmaps
        type: u4
        doc: Number of bitmaps.
      - id: reserved32
        type: u4
        doc: Zero.
      - id: bitmap_directory_size
        type: u8
        doc: Size of the bitmap directory in bytes.
      - id: bitmap_directory_offset
        type: u8
        doc: Offset of the bitmap directory in bytes.
      - id: unparsed
        size-eos: true
        doc: Bytes past the known fields, if the length is wrong.
    instances:
      # The rules, in the order in which QEMU tests them.
      ok_reserved32:
        value: reserved32 == 0
        doc: The reserved field is zero.
      ok_nb_bitmaps_maximum:
        value: nb_bitmaps <= QCOW2_MAX_BITMAPS
        doc: There are at most QCOW2_MAX_BITMAPS bitmaps.
      ok_nb_bitmaps_minimum:
        value: nb_bitmaps >= 1
        doc: There is at least one bitmap.
      ok_bitmap_directory_size:
        value: bitmap_directory_size <= QCOW2_MAX_BITMAP_DIRECTORY_SIZE
        doc: |
          The bitmap directory has at most QCOW2_MAX_BITMAP_DIRECTORY_SIZE
          bytes.
      ok_bitmap_directory_size_minimum:
        value: bitmap_directory_size > 0
        doc: The bitmap directory is not empty.
      ok_bitmap_directory_read:
        value: >-
          not ok_bitmap_directory_size
          or bitmap_directory_offset <= BDRV_MAX_LENGTH - bitmap_directory_size
        doc: |
          The bitmap directory ends within BDRV_MAX_LENGTH. Not asked of one
          that is too large.
      ok_directory_read_signed:
        value: >-
          not ok_bitmap_directory_size
          or bitmap_directory_offset
          <= QCOW2_MAX_TABLE_END - bitmap_directory_size
        doc: |
          The same as QEMU before 6.0 has it: the bitmap directory ends at or
          below INT64_MAX, which is QCOW2_MAX_TABLE_END as well.
  crypto_extension:
    doc: Header extension that points at the encryption header, 16 bytes.
    doc-ref:
      - 'docs/interop/qcow2: Full disk encryption header pointer'
      - 'block/qcow2.h: Qcow2CryptoHeaderExtension'
    seq:
      - id: offset
        type: u8
        doc: Offset of the encryption header in bytes.
      - id: length
        type: u8
        doc: Length of the encryption header with its key material, in bytes.
      - id: unparsed
        size-eos: true
        doc: Bytes past the known fields, if the length is wrong.
    instances:
      ok_luks_length:
        value: length >= QCRYPTO_BLOCK_LUKS_HEADER_SIZE
        doc: |
          The encryption header has room for a LUKS header,
          QCRYPTO_BLOCK_LUKS_HEADER_SIZE (592 bytes).
      ok_luks_read:
        value: offset <= BDRV_MAX_LENGTH - QCRYPTO_BLOCK_LUKS_HEADER_SIZE
        doc: |
          The LUKS header, QCRYPTO_BLOCK_LUKS_HEADER_SIZE (592 bytes), ends
          within BDRV_MAX_LENGTH.
      ok_luks_read_signed:
        value: offset <= QCOW2_MAX_TABLE_END - QCRYPTO_BLOCK_LUKS_HEADER_SIZE
        doc: |
          The same as QEMU before 6.0 has it: the LUKS header,
          QCRYPTO_BLOCK_LUKS_HEADER_SIZE (592 bytes), ends at or below
          INT64_MAX, which is QCOW2_MAX_TABLE_END as well.
  l1_table:
    doc: An L1 table, in pages, so that a big one opens at once.
    doc-ref: 'docs/interop/qcow2: Cluster mapping'
    seq:
      - id: pages
        type: l1_page(_index)
        repeat: expr
        repeat-expr: (_io.size + 4088) / 4096
        doc: Pages of 512 entries; nothing is read until one is opened.
  l1_page:
    doc: Up to 512 entries of an L1 table.
    doc-ref: 'docs/interop/qcow2: Cluster mapping'
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
    doc: |
      One entry of an L1 table, 8 bytes. The offset is split in two, so that no
      field has more than 32 bits.
    doc-ref: 'docs/interop/qcow2: Cluster mapping'
    -webide-representation: '{l2_table_offset:hex}'
    seq:
      - id: copied
        type: b1
        doc: |
          The L2 table is used once, so that it may be changed in place
          (QCOW_OFLAG_COPIED, bit 63). Exact in the active L1 table only.
      - id: reserved1
        type: b7
        doc: Zero (bits 56 to 62).
      - id: offset_high
        type: b24
        doc: Upper part of the L2 table's offset (bits 32 to 55).
      - id: offset_low
        type: b23
        doc: Lower part of the L2 table's offset (bits 9 to 31).
      - id: reserved0
        type: b9
        doc: Zero (bits 0 to 8).
    instances:
      offset_sectors:
        value: (offset_high.as<u8> * 8388608 + offset_low).as<u8>
        doc: The whole offset in sectors of 512 bytes.
      l2_table_offset:
        value: (offset_sectors * 512).as<u8>
        doc: |
          Offset of the L2 table in bytes (L1E_OFFSET_MASK); 0 if nothing in its
          span is allocated.
      ok_reserved:
        value: reserved1 == 0 and reserved0 == 0
        doc: The reserved bits are zero (L1E_RESERVED_MASK).
      ok_copied_unused:
        value: offset_sectors != 0 or not copied
        doc: |
          An entry without an L2 table is not marked as copied. QEMU does not
          look.
  l2_table_at:
    doc: |
      The place that an L1 entry points at. It has meaning only in a tree that
      was read from a whole file.
    doc-ref: 'docs/interop/qcow2: Cluster mapping'
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
          _root.header.cluster_size > _root._io.size - offset
          ? _root._io.size - offset
          : _root.header.cluster_size
        type: >-
          l2_table(_root.header.cluster_bits, _root.header.has_extended_l2)
        if: >-
          offset != 0 and offset < _root._io.size
          and _root.header.cluster_size != 0
        doc: The L2 table, as far as the file holds it.
  l2_table:
    doc: An L2 table, one cluster, in pages.
    doc-ref:
      - 'docs/interop/qcow2: Cluster mapping'
      - 'docs/interop/qcow2: Extended L2 Entries'
    params:
      - id: cluster_bits
        type: u4
        doc: The header's cluster_bits.
      - id: extended
        type: bool
        doc: The entries are extended ones.
    seq:
      - id: pages
        type: l2_page(_index, cluster_bits, extended)
        repeat: expr
        repeat-expr: >-
          extended ? (_io.size + 8176) / 8192 : (_io.size + 4088) / 4096
        doc: Pages of 512 entries; nothing is read until one is opened.
  l2_page:
    doc: Up to 512 entries of an L2 table.
    doc-ref: 'docs/interop/qcow2: Cluster mapping'
    params:
      - id: index
        type: u4
        doc: Number of the page in its table.
      - id: cluster_bits
        type: u4
        doc: The header's cluster_bits.
      - id: extended
        type: bool
        doc: The entries are extended ones.
    instances:
      entry_size:
        value: 'extended ? L2E_SIZE_EXTENDED : L2E_SIZE_NORMAL'
        doc: Size of an entry in bytes (L2E_SIZE_NORMAL, L2E_SIZE_EXTENDED).
      num_entries:
        value: >-
          _io.size / entry_size - index * 512 > 512 ? 512
          : _io.size / entry_size - index * 512
        doc: Number of entries in this page.
      entries:
        pos: index * 512 * entry_size
        type: l2_entry(cluster_bits, extended)
        repeat: expr
        repeat-expr: num_entries
        doc: The entries.
  l2_entry:
    doc: |
      One entry of an L2 table, 8 bytes, or 16 if extended. It describes a
      standard cluster by its offset and a compressed one by the offset and the
      number of sectors. Wide fields are split in two, so that none has more
      than 32 bits.
    doc-ref:
      - 'docs/interop/qcow2: Cluster mapping'
      - 'docs/interop/qcow2: Extended L2 Entries'
      - 'block/qcow2.h: qcow2_get_cluster_type'
    -webide-representation: '{cluster_type}'
    params:
      - id: cluster_bits
        type: u4
        doc: The header's cluster_bits.
      - id: extended
        type: bool
        doc: The entry is an extended one, with a bitmap of subclusters.
    seq:
      - id: copied
        type: b1
        doc: |
          The cluster is used once, so that it may be changed in place
          (QCOW_OFLAG_COPIED, bit 63). Exact in the active L2 tables only.
      - id: compressed
        type: b1
        doc: The cluster is compressed (QCOW_OFLAG_COMPRESSED, bit 62).
      - id: reserved1
        type: b6
        if: not compressed
        doc: Zero (bits 56 to 61).
      - id: offset_high
        type: b24
        if: not compressed
        doc: Upper part of the cluster's offset (bits 32 to 55).
      - id: offset_low
        type: b23
        if: not compressed
        doc: Lower part of the cluster's offset (bits 9 to 31).
      - id: reserved0
        type: b8
        if: not compressed
        doc: Zero (bits 1 to 8).
      - id: zero
        type: b1
        if: not compressed
        doc: |
          The cluster reads as zeros, whatever its offset (QCOW_OFLAG_ZERO, bit
          0). Invalid in version 2, ignored in an extended entry.
      - id: descriptor_high
        type: b30
        if: compressed
        doc: |
          Number of additional sectors and, below it, the upper part of the
          offset (bits 32 to 61).
      - id: descriptor_low
        type: b32
        if: compressed
        doc: Lower part of the offset (bits 0 to 31).
      - id: zero_bitmap
        type: u4
        if: extended
        doc: |
          Subclusters that read as zeros (QCOW_OFLAG_SUB_ZERO); bit x stands for
          subcluster x.
      - id: alloc_bitmap
        type: u4
        if: extended
        doc: |
          Subclusters that are allocated (QCOW_OFLAG_SUB_ALLOC); bit x stands
          for subcluster x.
    instances:
      knows_cluster_size:
        value: >-
          cluster_bits >= MIN_CLUSTER_BITS and cluster_bits <= MAX_CLUSTER_BITS
        doc: cluster_bits is in range (MIN_CLUSTER_BITS to MAX_CLUSTER_BITS).
      offset_sectors:
        value: (offset_high.as<u8> * 8388608 + offset_low).as<u8>
        if: not compressed
        doc: The whole offset of a standard cluster in sectors of 512 bytes.
      offset:
        value: (offset_sectors * 512).as<u8>
        if: not compressed
        doc: |
          Offset of a standard cluster in bytes (L2E_OFFSET_MASK); 0 if it is
          not allocated.
      high_offset_span:
        value: >-
          (knows_cluster_size ? 274877906944 / (1 << cluster_bits) : 1).as<u8>
        doc: |
          How many values the part of a compressed cluster's offset that lies in
          descriptor_high can take: 2^(38 - cluster_bits).
      coffset:
        value: >-
          (not knows_cluster_size ? 0
          : (descriptor_high % high_offset_span).as<u8> * 4294967296
          + descriptor_low).as<u8>
        if: compressed
        doc: |
          Offset of the compressed data in bytes, not aligned to anything: the
          low 70 - cluster_bits bits. 0 where cluster_bits is out of range.
      nb_csectors:
        value: >-
          (not knows_cluster_size ? 0
          : descriptor_high / high_offset_span).as<u4>
        if: compressed
        doc: |
          Number of sectors of 512 bytes (QCOW2_COMPRESSED_SECTOR_SIZE) that
          hold compressed data, beyond the one that coffset lies in.
      csize:
        value: >-
          ((nb_csectors + 1) * QCOW2_COMPRESSED_SECTOR_SIZE
          - coffset % QCOW2_COMPRESSED_SECTOR_SIZE).as<u8>
        if: compressed
        doc: |
          Largest possible length of the compressed data in bytes: to the end of
          their last sector.
      cluster_type:
        value: >-
          compressed ? cluster_type::compressed
          : zero and not extended and offset_sectors != 0
          ? cluster_type::zero_alloc
          : zero and not extended ? cluster_type::zero_plain
          : offset_sectors != 0 ? cluster_type::normal
          : cluster_type::unallocated
        doc: |
          What the entry describes, in an image without an external data file.
          With one, an entry that is copied at offset 0 is a normal cluster.
      ok_reserved:
        value: compressed or reserved1 == 0 and reserved0 == 0
        doc: |
          The reserved bits of a standard cluster are zero
          (L2E_STD_RESERVED_MASK).
      ok_copied:
        value: not (compressed and copied)
        doc: A compressed cluster is never marked as copied.
      ok_extended_zero:
        value: not extended or compressed or not zero
        doc: |
          An extended entry of a standard cluster leaves bit 0 clear, because
          its bitmap says what reads as zeros. QEMU ignores the bit.
      ok_compressed_offset:
        value: not compressed or coffset <= QCOW_MAX_CLUSTER_OFFSET
        doc: Compressed data start within QCOW_MAX_CLUSTER_OFFSET (below 2^56).
      ok_offset:
        value: >-
          compressed or not knows_cluster_size
          or offset % (1 << cluster_bits) == 0
        doc: A standard cluster starts at a multiple of its size.
      ok_subcluster_bitmap:
        value: >-
          not extended or compressed
          or (zero_bitmap & alloc_bitmap) == 0
          and (offset_sectors != 0 or copied or alloc_bitmap == 0)
        doc: |
          No subcluster of a standard cluster is both allocated and zero, and
          none is allocated where the cluster is not. An entry that is copied at
          offset 0 has a cluster if there is an external data file, which the
          entry cannot tell: it passes.
      ok_compressed_bitmap:
        value: >-
          not extended or not compressed
          or zero_bitmap == 0 and alloc_bitmap == 0
        doc: A compressed cluster has no subclusters, and an empty bitmap.
  refcount_table:
    doc: The refcount table, in pages.
    doc-ref: 'docs/interop/qcow2: Host cluster management'
    seq:
      - id: pages
        type: refcount_table_page(_index)
        repeat: expr
        repeat-expr: (_io.size + 4088) / 4096
        doc: Pages of 512 entries; nothing is read until one is opened.
  refcount_table_page:
    doc: Up to 512 entries of the refcount table.
    doc-ref: 'docs/interop/qcow2: Host cluster management'
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
        type: refcount_table_entry
        repeat: expr
        repeat-expr: num_entries
        doc: The entries.
      refcount_blocks:
        pos: index * 4096
        type: refcount_block_at(entries[_index].refcount_block_offset)
        repeat: expr
        repeat-expr: num_entries
        doc: Where the entries point, in the same order.
  refcount_table_entry:
    doc: |
      One entry of the refcount table, 8 bytes. The offset is split in two, so
      that no field has more than 32 bits.
    doc-ref: 'docs/interop/qcow2: Host cluster management'
    -webide-representation: '{refcount_block_offset:hex}'
    seq:
      - id: offset_high
        type: b32
        doc: Upper part of the refcount block's offset (bits 32 to 63).
      - id: offset_low
        type: b23
        doc: Lower part of the refcount block's offset (bits 9 to 31).
      - id: reserved0
        type: b9
        doc: Zero (bits 0 to 8).
    instances:
      offset_sectors:
        value: (offset_high.as<u8> * 8388608 + offset_low).as<u8>
        doc: The whole offset in sectors of 512 bytes.
      refcount_block_offset:
        value: (offset_sectors * 512).as<u8>
        doc: |
          Offset of the refcount block in bytes (REFT_OFFSET_MASK); 0 if all
          counts of the block are 0.
      ok_reserved:
        value: reserved0 == 0
        doc: The reserved bits are zero (REFT_RESERVED_MASK).
  refcount_block_at:
    doc: |
      The place that an entry of the refcount table points at. It has meaning
      only in a tree that was read from a whole file.
    doc-ref: 'docs/interop/qcow2: Host cluster management'
    -webide-representation: '{offset:hex}'
    params:
      - id: offset
        type: u8
        doc: Offset of the block in the file, in bytes.
    instances:
      block:
        io: _root._io
        pos: offset
        size: >-
          _root.header.cluster_size > _root._io.size - offset
          ? _root._io.size - offset
          : _root.header.cluster_size
        type: refcount_block(_root.header.effective_refcount_order)
        if: >-
          offset != 0 and offset < _root._io.size
          and _root.header.cluster_size != 0
        doc: The refcount block, as far as the file holds it.
  refcount_block:
    doc: A refcount block, one cluster of reference counts, in pages.
    doc-ref: 'docs/interop/qcow2: Host cluster management'
    params:
      - id: refcount_order
        type: u4
        doc: Logarithm to base 2 of the width of a count in bits.
    seq:
      - id: pages
        type: refcount_page(_index, refcount_order)
        repeat: expr
        repeat-expr: (num_entries + 511) / 512
        doc: Pages of 512 counts; nothing is read until one is opened.
    instances:
      knows_refcount_width:
        value: refcount_order <= QCOW2_MAX_REFCOUNT_ORDER
        doc: refcount_order is in range (at most QCOW2_MAX_REFCOUNT_ORDER).
      num_entries:
        value: 'knows_refcount_width ? _io.size * 8 / (1 << refcount_order) : 0'
        doc: Number of counts in the block; 0 where their width is unknown.
  refcount_page:
    doc: Up to 512 counts of a refcount block.
    doc-ref: 'docs/interop/qcow2: Host cluster management'
    params:
      - id: index
        type: u4
        doc: Number of the page in its block.
      - id: refcount_order
        type: u4
        doc: Logarithm to base 2 of the width of a count in bits.
    instances:
      knows_refcount_width:
        value: refcount_order <= QCOW2_MAX_REFCOUNT_ORDER
        doc: refcount_order is in range (at most QCOW2_MAX_REFCOUNT_ORDER).
      num_entries:
        value: >-
          not knows_refcount_width ? 0
          : _io.size * 8 / (1 << refcount_order) - index * 512 > 512 ? 512
          : _io.size * 8 / (1 << refcount_order) - index * 512
        doc: Number of counts in this page.
      entries:
        pos: 0
        type: refcount_entry(index * 512 + _index, refcount_order)
        repeat: expr
        repeat-expr: num_entries
        doc: The counts.
  refcount_entry:
    doc: |
      One count of a refcount block. It is found by its index in the stream of
      the block: several narrow ones share a byte, the first of them in its
      lowest bits.
    doc-ref:
      - 'docs/interop/qcow2: Host cluster management'
      - 'block/qcow2-refcount.c: get_refcount_ro0'
    -webide-representation: '{refcount:dec}'
    params:
      - id: index
        type: u4
        doc: Number of the count in its block.
      - id: refcount_order
        type: u4
        doc: Logarithm to base 2 of the width of a count in bits.
    instances:
      refcount_bits:
        value: >-
          refcount_order <= QCOW2_MAX_REFCOUNT_ORDER ? 1 << refcount_order : 0
        doc: |
          Width of the count in bits; 0 where refcount_order is out of range (at
          most QCOW2_MAX_REFCOUNT_ORDER).
      bit_offset:
        value: index * refcount_bits % 8
        doc: Number of bits below the count, in the byte that it starts in.
      cell:
        pos: index * refcount_bits / 8
        type:
          switch-on: refcount_order.as<s4>
          cases:
            3: u1
            4: u2
            5: u4
            6: u8
            _: u1
        if: refcount_bits != 0
        doc: The number that holds the count; a byte, if it holds several.
      refcount:
        value: >-
          (refcount_order < 3
          ? cell / (1 << bit_offset) % (1 << refcount_bits) : cell).as<u8>
        if: refcount_bits != 0
        doc: |
          Number of references to the cluster; absent where the width of the
          count is out of range.
  snapshot_table:
    doc: The snapshot table, one entry after the other.
    doc-ref:
      - 'docs/interop/qcow2: Snapshots'
      - 'block/qcow2-snapshot.c: qcow2_do_read_snapshots'
    params:
      - id: nb_snapshots
        type: u4
        doc: The header's nb_snapshots.
    seq:
      - id: entries
        type: snapshot
        repeat: until
        repeat-until: >-
          entries.size >= nb_snapshots
          or _io.size - _io.pos < QCOW2_SNAPSHOT_HEADER_SIZE
        if: has_entries
        doc: The entries, as many as there are and the stream holds.
    instances:
      has_entries:
        value: >-
          nb_snapshots > 0 and _io.size - _io.pos >= QCOW2_SNAPSHOT_HEADER_SIZE
        doc: |
          There are entries, and the stream holds one. It is fixed while the
          table is read.
      num_entries:
        value: '(has_entries ? entries.size : 0).as<u4>'
        doc: Number of entries read.
      l1_tables:
        pos: 0
        type: >-
          l1_table_at(entries[_index].l1_table_offset,
          entries[_index].l1_table_bytes, entries[_index].ok_l1_size)
        repeat: expr
        repeat-expr: num_entries
        doc: Where the entries point, in the same order.
  l1_table_at:
    doc: |
      The place of a snapshot's L1 table. It has meaning only in a tree that was
      read from a whole file.
    doc-ref: 'docs/interop/qcow2: Snapshots'
    -webide-representation: '{offset:hex}'
    params:
      - id: offset
        type: u8
        doc: Offset of the table in the file, in bytes.
      - id: length
        type: u8
        doc: Size of the table in bytes.
      - id: ok_length
        type: bool
        doc: The size is one that QEMU accepts.
    instances:
      table:
        io: _root._io
        pos: offset
        size: >-
          length > _root._io.size - offset ? _root._io.size - offset : length
        type: l1_table
        if: ok_length and length > 0 and offset < _root._io.size
        doc: The L1 table, as far as the file holds it.
  snapshot:
    doc: |
      One entry of the snapshot table: 40 bytes, extra data, identifier, name,
      and padding. Parts that the stream ends in are cut short, so that the
      first 40 bytes alone tell how long the entry is.
    doc-ref:
      - 'docs/interop/qcow2: Snapshots'
      - 'block/qcow2.h: QCowSnapshotHeader'
    -webide-representation: '{name:str}'
    seq:
      - id: l1_table_offset
        type: u8
        doc: Offset of the snapshot's L1 table in bytes.
      - id: l1_size
        type: u4
        doc: Number of entries in the snapshot's L1 table.
      - id: id_str_size
        type: u2
        doc: Length of the identifier in bytes.
      - id: name_size
        type: u2
        doc: Length of the name in bytes.
      - id: date_sec
        type: u4
        doc: Time at which the snapshot was taken, in seconds since 1970.
      - id: date_nsec
        type: u4
        doc: Fraction of that time in nanoseconds.
      - id: vm_clock_nsec
        type: u8
        doc: Time that the guest had run, in nanoseconds.
      - id: vm_state_size
        type: u4
        doc: |
          Size of the virtual machine's state in bytes; overridden by the larger
          field in the extra data.
      - id: extra_data_size
        type: u4
        doc: Length of the extra data in bytes.
      - id: extra_data
        size: len_extra_data
        type: snapshot_extra_data
        doc: Fields that were added later.
      - id: id_str
        size: >-
          id_str_size < _io.size - _io.pos ? id_str_size : _io.size - _io.pos
        doc: Identifier of the snapshot as bytes, without a terminator.
      - id: name
        size: 'name_size < _io.size - _io.pos ? name_size : _io.size - _io.pos'
        doc: Name of the snapshot as bytes, without a terminator.
      - id: padding
        size: >-
          entry_size - unpadded_size < _io.size - _io.pos
          ? entry_size - unpadded_size : _io.size - _io.pos
        doc: Fills the entry up to a multiple of 8 bytes.
    instances:
      unpadded_size:
        value: >-
          (extra_data_size.as<u8> + id_str_size + name_size
          + QCOW2_SNAPSHOT_HEADER_SIZE).as<u8>
        doc: Length that the entry claims, without its padding, in bytes.
      entry_size:
        value: ((unpadded_size + 7) / 8 * 8).as<u8>
        doc: Length that the entry claims, with its padding, in bytes.
      len_extra_data:
        value: >-
          (extra_data_size < _io.size - _io.pos
          ? extra_data_size : _io.size - _io.pos).as<u4>
        doc: |
          Number of bytes read as extra data: what extra_data_size says, within
          the stream. It is fixed while the entry is read.
      is_complete:
        value: >-
          len_extra_data == extra_data_size and id_str.size == id_str_size
          and name.size == name_size
        doc: The stream holds the whole entry but for its padding.
      l1_table_bytes:
        value: (l1_size.as<u8> * L1E_SIZE).as<u8>
        doc: Size of the snapshot's L1 table in bytes.
      effective_vm_state_size:
        value: >-
          (extra_data.has_vm_state_size_large
          ? extra_data.vm_state_size_large : vm_state_size).as<u8>
        doc: Size of the virtual machine's state in bytes.
      disk_size:
        value: extra_data.disk_size
        if: extra_data.has_disk_size
        doc: |
          Size of the disk in the snapshot, in bytes; absent if the entry does
          not say, and then it is that of the image.
      icount:
        value: extra_data.icount
        if: extra_data.has_icount
        doc: |
          Instruction count of record and replay; 2^64 - 1 if it was off, and
          absent if the entry does not say.
      ok_extra_data_size:
        value: extra_data_size <= QCOW_MAX_SNAPSHOT_EXTRA_DATA
        doc: |
          The extra data have at most QCOW_MAX_SNAPSHOT_EXTRA_DATA (1024 bytes).
      ok_l1_size:
        value: l1_table_bytes <= QCOW_MAX_L1_SIZE
        doc: The snapshot's L1 table has at most QCOW_MAX_L1_SIZE (32 MiB).
      ok_extra_data_minimum:
        value: extra_data_size >= QCOW2_SNAPSHOT_EXTRA_DISK_SIZE
        doc: |
          The entry says how large the disk was
          (QCOW2_SNAPSHOT_EXTRA_DISK_SIZE). QEMU's check reports it.
      ok_l1_table_read:
        value: l1_table_offset <= BDRV_MAX_LENGTH - l1_table_bytes
        doc: The snapshot's L1 table ends within BDRV_MAX_LENGTH.
      ok_untrusted_vm_state:
        value: effective_vm_state_size == 0
        doc: No virtual machine was running.
  snapshot_extra_data:
    doc: The extra data of a snapshot; each field is there if its bytes are.
    doc-ref:
      - 'docs/interop/qcow2: Snapshots'
      - 'block/qcow2.h: QCowSnapshotExtraData'
    seq:
      - id: vm_state_size_large
        type: u8
        if: has_vm_state_size_large
        doc: Size of the virtual machine's state in bytes.
      - id: disk_size
        type: u8
        if: has_disk_size
        doc: Size of the disk in bytes.
      - id: icount
        type: u8
        if: has_icount
        doc: Instruction count of record and replay; 2^64 - 1 if it was off.
      - id: unknown_extra_data
        size-eos: true
        doc: Fields that no version of the document has yet, kept as bytes.
    instances:
      has_vm_state_size_large:
        value: _io.size >= QCOW2_SNAPSHOT_EXTRA_VM_STATE_SIZE
        doc: The larger field for the state's size is there.
      has_disk_size:
        value: _io.size >= QCOW2_SNAPSHOT_EXTRA_DISK_SIZE
        doc: The disk's size is there.
      has_icount:
        value: _io.size >= QCOW2_SNAPSHOT_EXTRA_ICOUNT_SIZE
        doc: The instruction count is there.
  bitmap_directory:
    doc: The bitmap directory, one entry after the other.
    doc-ref:
      - 'docs/interop/qcow2: Bitmap directory'
      - 'block/qcow2-bitmap.c: bitmap_list_load'
    params:
      - id: nb_bitmaps
        type: u4
        doc: The bitmaps extension's nb_bitmaps.
      - id: cluster_bits
        type: u4
        doc: The header's cluster_bits.
      - id: disk_size
        type: u8
        doc: The header's size.
    seq:
      - id: entries
        type: bitmap_directory_entry(cluster_bits, disk_size)
        repeat: until
        repeat-until: >-
          entries.size >= nb_bitmaps
          or _io.size - _io.pos < QCOW2_BITMAP_DIR_ENTRY_SIZE
        if: has_entries
        doc: The entries, as many as there are and the stream holds.
      - id: unparsed
        size-eos: true
        doc: What follows them, which QEMU refuses if there is anything.
    instances:
      has_entries:
        value: >-
          nb_bitmaps > 0 and _io.size - _io.pos >= QCOW2_BITMAP_DIR_ENTRY_SIZE
        doc: |
          There are entries, and the stream holds one. It is fixed while the
          directory is read.
      num_entries:
        value: '(has_entries ? entries.size : 0).as<u4>'
        doc: Number of entries read.
      bitmap_tables:
        pos: 0
        type: >-
          bitmap_table_at(entries[_index].bitmap_table_offset,
          entries[_index].bitmap_table_bytes,
          entries[_index].ok_bitmap_table_size_maximum
          and entries[_index].ok_bitmap_size)
        repeat: expr
        repeat-expr: num_entries
        doc: Where the entries point, in the same order.
      ok_entry_header:
        value: >-
          unparsed.size == 0 or unparsed.size >= QCOW2_BITMAP_DIR_ENTRY_SIZE
        doc: |
          The directory does not end in fewer bytes than an entry has, which is
          QCOW2_BITMAP_DIR_ENTRY_SIZE (24 bytes) or more.
  bitmap_directory_entry:
    doc: |
      One entry of the bitmap directory: 24 bytes, extra data, name, and
      padding. Parts that the stream ends in are cut short, so that the first 24
      bytes alone tell how long the entry is.
    doc-ref:
      - 'docs/interop/qcow2: Bitmap directory'
      - 'block/qcow2-bitmap.c: Qcow2BitmapDirEntry'
      - 'block/qcow2-bitmap.c: check_dir_entry'
    -webide-representation: '{name:str}'
    params:
      - id: cluster_bits
        type: u4
        doc: The header's cluster_bits.
      - id: disk_size
        type: u8
        doc: The header's size.
    seq:
      - id: bitmap_table_offset
        type: u8
        doc: Offset of the bitmap table in bytes.
      - id: bitmap_table_size
        type: u4
        doc: Number of entries in the bitmap table.
      - id: flags
        type: u4
        doc: Bits 0 to 2 have a meaning of their own, the others are zero.
      - id: type
        type: u1
        enum: bitmap_type
        doc: What the bitmap is for.
      - id: granularity_bits
        type: u1
        doc: |
          Logarithm to base 2 of the number of guest bytes that one bit of the
          bitmap stands for.
      - id: name_size
        type: u2
        doc: Length of the name in bytes.
      - id: extra_data_size
        type: u4
        doc: Length of the extra data in bytes.
      - id: extra_data
        size: >-
          extra_data_size < _io.size - _io.pos
          ? extra_data_size : _io.size - _io.pos
        doc: Data of the bitmap's type. No type has any yet.
      - id: name
        size: 'name_size < _io.size - _io.pos ? name_size : _io.size - _io.pos'
        doc: Name of the bitmap as bytes, without a terminator.
      - id: padding
        size: >-
          entry_size - unpadded_size < _io.size - _io.pos
          ? entry_size - unpadded_size : _io.size - _io.pos
        doc: Fills the entry up to a multiple of 8 bytes.
    instances:
      unpadded_size:
        value: >-
          (extra_data_size.as<u8> + name_size
          + QCOW2_BITMAP_DIR_ENTRY_SIZE).as<u8>
        doc: Length that the entry claims, without its padding, in bytes.
      entry_size:
        value: ((unpadded_size + 7) / 8 * 8).as<u8>
        doc: Length that the entry claims, with its padding, in bytes.
      is_complete:
        value: extra_data.size == extra_data_size and name.size == name_size
        doc: The stream holds the whole entry but for its padding.
      in_use:
        value: (flags & BME_FLAG_IN_USE) != 0
        doc: |
          Flag bit 0: the bitmap was not saved in order and may be out of date
          (BME_FLAG_IN_USE).
      is_auto:
        value: (flags & BME_FLAG_AUTO) != 0
        doc: |
          Flag bit 1: whoever writes to the disk keeps the bitmap up to date
          (BME_FLAG_AUTO).
      extra_data_compatible:
        value: (flags & QCOW2_BITMAP_FLAG_EXTRA_DATA_COMPATIBLE) != 0
        doc: |
          Flag bit 2: the bitmap may be used by those who do not know its extra
          data.
      granularity:
        value: >-
          (granularity_bits > QCOW2_BITMAP_MAX_GRANULARITY_BITS ? 0
          : (1 << granularity_bits / 3).as<u8>
          * (1 << (granularity_bits + 1) / 3)
          * (1 << (granularity_bits + 2) / 3)).as<u8>
        doc: |
          Number of guest bytes that one bit of the bitmap stands for; 0 where
          granularity_bits is above 63. The power of 2 is made of three, because
          shifts end at 31 bits in some languages.
      bitmap_table_bytes:
        value: (bitmap_table_size.as<u8> * BME_TABLE_ENTRY_SIZE).as<u8>
        doc: Size of the bitmap table in bytes.
      knows_cluster_size:
        value: >-
          cluster_bits >= MIN_CLUSTER_BITS and cluster_bits <= MAX_CLUSTER_BITS
        doc: cluster_bits is in range (MIN_CLUSTER_BITS to MAX_CLUSTER_BITS).
      cluster_size:
        value: '(knows_cluster_size ? 1 << cluster_bits : 0).as<u8>'
        doc: Size of a cluster in bytes; 0 where cluster_bits is out of range.
      disk_length:
        value: (disk_size / BDRV_SECTOR_SIZE * BDRV_SECTOR_SIZE).as<u8>
        doc: Length of the disk in bytes, whole sectors only.
      bitmap_bits:
        value: >-
          (granularity == 0 ? 0
          : disk_length / granularity * granularity == disk_length
          ? disk_length / granularity
          : disk_length / granularity + 1).as<u8>
        doc: |
          Number of bits that the whole disk needs; 0 where granularity_bits is
          above 63.
      bitmap_table_size_needed:
        value: >-
          (cluster_size == 0 ? 0
          : ((bitmap_bits / 64 + (bitmap_bits % 64 > 0 ? 1 : 0)) * 8
          + cluster_size - 1) / cluster_size).as<u8>
        doc: |
          Number of entries of a table for the whole disk: QEMU stores the bits
          in words of 64. 0 where the cluster's size is unknown.
      # The rules, in the order in which QEMU tests them.
      ok_extra_data_size:
        value: extra_data_size == 0
        doc: There are no extra data. The document allows them, QEMU does not.
      ok_bitmap_table_size_minimum:
        value: bitmap_table_size > 0
        doc: The bitmap table is not empty.
      ok_bitmap_table_offset_present:
        value: bitmap_table_offset != 0
        doc: The bitmap table does not lie at offset 0.
      ok_bitmap_table_offset:
        value: cluster_size == 0 or bitmap_table_offset % cluster_size == 0
        doc: The bitmap table starts at a cluster.
      ok_bitmap_table_size_maximum:
        value: bitmap_table_size <= BME_MAX_TABLE_SIZE
        doc: The bitmap table has at most BME_MAX_TABLE_SIZE entries.
      ok_granularity_bits:
        value: >-
          granularity_bits >= BME_MIN_GRANULARITY_BITS
          and granularity_bits <= BME_MAX_GRANULARITY_BITS
        doc: |
          One bit stands for 512 bytes to 2 GiB (BME_MIN_GRANULARITY_BITS to
          BME_MAX_GRANULARITY_BITS). The document allows 0 to 63.
      ok_granularity_bits_maximum:
        value: granularity_bits <= QCOW2_BITMAP_MAX_GRANULARITY_BITS
        doc: |
          One bit stands for less than 2^64 bytes
          (QCOW2_BITMAP_MAX_GRANULARITY_BITS).
      ok_flags_reserved:
        value: flags < 2 * QCOW2_BITMAP_FLAG_EXTRA_DATA_COMPATIBLE
        doc: |
          No flag is set but those that exist, bits 0 to 2
          (QCOW2_BITMAP_FLAG_EXTRA_DATA_COMPATIBLE is the last).
      ok_flags:
        value: flags <= BME_FLAG_IN_USE + BME_FLAG_AUTO
        doc: |
          No flag is set but BME_FLAG_IN_USE and BME_FLAG_AUTO: none of
          BME_RESERVED_FLAGS. The document allows extra_data_compatible as well.
      ok_name_size_minimum:
        value: name_size > 0
        doc: The bitmap has a name. The document demands it, QEMU does not look.
      ok_name_size:
        value: name_size <= BME_MAX_NAME_SIZE
        doc: The name has at most BME_MAX_NAME_SIZE (1023 bytes).
      ok_type:
        value: type == bitmap_type::dirty_tracking
        doc: The bitmap is one for dirty tracking (BT_DIRTY_TRACKING_BITMAP).
      ok_bitmap_size:
        value: bitmap_table_size * cluster_size <= BME_MAX_PHYS_SIZE
        doc: |
          The bitmap's data have at most BME_MAX_PHYS_SIZE (512 MiB). True where
          the cluster's size is unknown.
      ok_table_read:
        value: >-
          in_use or bitmap_table_offset <= BDRV_MAX_LENGTH - bitmap_table_bytes
        doc: |
          The bitmap table ends within BDRV_MAX_LENGTH. QEMU reads no table of a
          bitmap that is in use.
      ok_table_read_signed:
        value: >-
          in_use
          or bitmap_table_offset <= QCOW2_MAX_TABLE_END - bitmap_table_bytes
        doc: |
          The same as QEMU before 6.0 has it: the bitmap table ends at or below
          INT64_MAX, which is QCOW2_MAX_TABLE_END as well.
      ok_padding:
        value: padding.size == 0 or padding.max == 0
        doc: The padding is zero. The document demands it, QEMU does not look.
      ok_coverage:
        value: >-
          disk_length <= QCOW2_MAX_TABLE_END
          and (in_use or granularity == 0 or cluster_size == 0
          or bitmap_bits <= bitmap_table_size * cluster_size * 8)
        doc: |
          The bitmap reaches to the end of the disk. QEMU cannot compare the
          length of a disk that is longer than INT64_MAX (QCOW2_MAX_TABLE_END):
          there, not even a bitmap in use passes.
      ok_table_size_exact:
        value: >-
          in_use or granularity == 0 or cluster_size == 0
          or bitmap_table_size == bitmap_table_size_needed
        doc: The bitmap table has no entry too many.
      ok_untrusted_in_use_size:
        value: not in_use or bitmap_bits <= BME_MAX_PHYS_SIZE * 8
        doc: |
          A bitmap in use, which QEMU keeps in memory whatever its table has,
          takes no more than others: BME_MAX_PHYS_SIZE (512 MiB).
  bitmap_table_at:
    doc: |
      The place of a bitmap's table. It has meaning only in a tree that was read
      from a whole file.
    doc-ref: 'docs/interop/qcow2: Bitmap table'
    -webide-representation: '{offset:hex}'
    params:
      - id: offset
        type: u8
        doc: Offset of the table in the file, in bytes.
      - id: length
        type: u8
        doc: Size of the table in bytes.
      - id: ok_length
        type: bool
        doc: The size is one that QEMU accepts.
    instances:
      table:
        io: _root._io
        pos: offset
        size: >-
          length > _root._io.size - offset ? _root._io.size - offset : length
        type: bitmap_table
        if: >-
          ok_length and length > 0 and offset != 0 and offset < _root._io.size
          and _root.header.cluster_size != 0
        doc: The bitmap table, as far as the file holds it.
  bitmap_table:
    doc: A bitmap table, in pages.
    doc-ref: 'docs/interop/qcow2: Bitmap table'
    seq:
      - id: pages
        type: bitmap_table_page(_index)
        repeat: expr
        repeat-expr: (_io.size + 4088) / 4096
        doc: Pages of 512 entries; nothing is read until one is opened.
  bitmap_table_page:
    doc: Up to 512 entries of a bitmap table.
    doc-ref: 'docs/interop/qcow2: Bitmap table'
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
        type: bitmap_table_entry
        repeat: expr
        repeat-expr: num_entries
        doc: The entries.
  bitmap_table_entry:
    doc: |
      One entry of a bitmap table, 8 bytes. The offset is split in two, so that
      no field has more than 32 bits.
    doc-ref: 'docs/interop/qcow2: Bitmap table'
    -webide-representation: '{offset:hex}'
    seq:
      - id: reserved1
        type: b8
        doc: Zero (bits 56 to 63).
      - id: offset_high
        type: b24
        doc: Upper part of the cluster's offset (bits 32 to 55).
      - id: offset_low
        type: b23
        doc: Lower part of the cluster's offset (bits 9 to 31).
      - id: reserved0
        type: b8
        doc: Zero (bits 1 to 8).
      - id: all_ones
        type: b1
        doc: |
          Without an offset: the bits of this cluster are all ones rather than
          all zeros (BME_TABLE_ENTRY_FLAG_ALL_ONES, bit 0). With one: zero.
    instances:
      offset_sectors:
        value: (offset_high.as<u8> * 8388608 + offset_low).as<u8>
        doc: The whole offset in sectors of 512 bytes.
      offset:
        value: (offset_sectors * 512).as<u8>
        doc: |
          Offset of a cluster of the bitmap's data in bytes
          (BME_TABLE_ENTRY_OFFSET_MASK); 0 if it is not allocated.
      ok_reserved:
        value: >-
          reserved1 == 0 and reserved0 == 0
          and not (all_ones and offset_sectors != 0)
        doc: |
          The reserved bits are zero (BME_TABLE_ENTRY_RESERVED_MASK), and so is
          bit 0 if there is an offset.
enums:
  crypt_method:
    QCOW_CRYPT_NONE:
      id: none
      doc: Not encrypted (QCOW_CRYPT_NONE).
    QCOW_CRYPT_AES:
      id: aes
      doc: AES with 128-bit keys in CBC mode (QCOW_CRYPT_AES).
    QCOW_CRYPT_LUKS:
      id: luks
      doc: As the LUKS header says (QCOW_CRYPT_LUKS).
  compression_type:
    QCOW2_COMPRESSION_TYPE_ZLIB:
      id: zlib
      doc: Raw deflate (QCOW2_COMPRESSION_TYPE_ZLIB).
    QCOW2_COMPRESSION_TYPE_ZSTD:
      id: zstd
      doc: Zstandard (QCOW2_COMPRESSION_TYPE_ZSTD).
  extension_magic:
    QCOW2_EXT_MAGIC_END:
      id: end_marker
      doc: End of the extensions (QCOW2_EXT_MAGIC_END).
    QCOW2_EXT_MAGIC_CRYPTO_HEADER:
      id: crypto
      doc: Pointer to the encryption header (QCOW2_EXT_MAGIC_CRYPTO_HEADER).
    QCOW2_EXT_MAGIC_BITMAPS:
      id: bitmaps
      doc: Pointer to the bitmap directory (QCOW2_EXT_MAGIC_BITMAPS).
    QCOW2_EXT_MAGIC_DATA_FILE:
      id: data_file
      doc: Name of the data file (QCOW2_EXT_MAGIC_DATA_FILE).
    QCOW2_EXT_MAGIC_FEATURE_TABLE:
      id: feature_name_table
      doc: Names of feature bits (QCOW2_EXT_MAGIC_FEATURE_TABLE).
    QCOW2_EXT_MAGIC_BACKING_FORMAT:
      id: backing_format
      doc: Format of the backing file (QCOW2_EXT_MAGIC_BACKING_FORMAT).
  feature_type:
    QCOW2_FEAT_TYPE_INCOMPATIBLE:
      id: incompatible
      doc: A bit of incompatible_features (QCOW2_FEAT_TYPE_INCOMPATIBLE).
    QCOW2_FEAT_TYPE_COMPATIBLE:
      id: compatible
      doc: A bit of compatible_features (QCOW2_FEAT_TYPE_COMPATIBLE).
    QCOW2_FEAT_TYPE_AUTOCLEAR:
      id: autoclear
      doc: A bit of autoclear_features (QCOW2_FEAT_TYPE_AUTOCLEAR).
  cluster_type:
    QCOW2_CLUSTER_UNALLOCATED:
      id: unallocated
      doc: Nothing here; the backing file shows (QCOW2_CLUSTER_UNALLOCATED).
    QCOW2_CLUSTER_ZERO_PLAIN:
      id: zero_plain
      doc: Zeros without a cluster (QCOW2_CLUSTER_ZERO_PLAIN).
    QCOW2_CLUSTER_ZERO_ALLOC:
      id: zero_alloc
      doc: Zeros with a cluster kept for later (QCOW2_CLUSTER_ZERO_ALLOC).
    QCOW2_CLUSTER_NORMAL:
      id: normal
      doc: A cluster of data (QCOW2_CLUSTER_NORMAL).
    QCOW2_CLUSTER_COMPRESSED:
      id: compressed
      doc: A compressed cluster (QCOW2_CLUSTER_COMPRESSED).
  bitmap_type:
    BT_DIRTY_TRACKING_BITMAP:
      id: dirty_tracking
      doc: Marks what was written (BT_DIRTY_TRACKING_BITMAP).
