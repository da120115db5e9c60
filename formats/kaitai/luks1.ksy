meta:
  id: luks1
  title: LUKS1 partition header, as QEMU stores it in disk images
  application:
    - QEMU
    - cryptsetup
  file-extension: luks
  xref:
    forensicswiki: linux_unified_key_setup_(luks)
    justsolve: LUKS
    wikidata: Q29000504
  tags:
    - filesystem
  license: CC0-1.0
  ks-version: 0.9
  endian: be
doc: |
  The first 592 bytes of a LUKS version 1 volume: which cipher protects the
  payload, how the master key is checked, and eight slots that each hold one
  encrypted copy of it. A qcow2 image with crypt_method 2 stores this header,
  and the key material after it, in clusters of its own. All offsets inside it
  count from the start of this header, not from the start of the image.

  Names are kept as bytes, because a damaged header may hold anything.
doc-ref:
  - https://gitlab.com/cryptsetup/cryptsetup/-/wikis/LUKS-standard/on-disk-format.pdf
  - 'docs/interop/qcow2: Full disk encryption header pointer'
  - 'crypto/block-luks-priv.h: QCryptoBlockLUKSHeader'
seq:
  - id: header
    type: header
    doc: The partition header.
types:
  header:
    doc: The partition header, 592 bytes.
    doc-ref: 'crypto/block-luks-priv.h: QCryptoBlockLUKSHeader'
    seq:
      - id: magic
        size: 6
        doc: '"LUKS" and the bytes 0xba 0xbe.'
      - id: version
        type: u2
        doc: Version of the header. QEMU knows version 1.
      - id: cipher_name
        size: 32
        doc: Name of the cipher, such as "aes", padded with zero bytes.
      - id: cipher_mode
        size: 32
        doc: |
          Mode of the cipher and its generator of initialization vectors, such
          as "xts-plain64", padded with zero bytes.
      - id: hash_spec
        size: 32
        doc: Hash used to derive keys, such as "sha256", padded with zero bytes.
      - id: payload_offset_sector
        type: u4
        doc: |
          Start of the encrypted payload in sectors of 512 bytes. A qcow2 image
          has its payload in its own clusters and never uses this number.
      - id: master_key_len
        type: u4
        doc: Length of the master key in bytes.
      - id: master_key_digest
        size: 20
        doc: Digest by which a recovered master key is checked.
      - id: master_key_salt
        size: 32
        doc: Salt of that digest.
      - id: master_key_iterations
        type: u4
        doc: Number of PBKDF2 rounds of that digest.
      - id: uuid
        size: 40
        doc: Identifier of the volume as text, padded with zero bytes.
      - id: key_slots
        type: key_slot
        repeat: expr
        repeat-expr: 8
        doc: The eight key slots (QCRYPTO_BLOCK_LUKS_NUM_KEY_SLOTS).
    instances:
      ok_magic:
        value: magic == [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe]
        doc: The magic bytes are those of LUKS (QCRYPTO_BLOCK_LUKS_MAGIC).
      ok_version:
        value: version == 1
        doc: The version is 1 (QCRYPTO_BLOCK_LUKS_VERSION).
      payload_offset:
        value: (payload_offset_sector.as<u8> * 512).as<u8>
        doc: Start of the encrypted payload in bytes.
  key_slot:
    doc: One encrypted copy of the master key, 48 bytes.
    doc-ref: 'crypto/block-luks-priv.h: QCryptoBlockLUKSKeySlot'
    -webide-representation: '{active}'
    seq:
      - id: active
        type: u4
        enum: key_slot_state
        doc: Whether the slot holds a key.
      - id: iterations
        type: u4
        doc: |
          Number of PBKDF2 rounds that turn a passphrase into this slot's key.
      - id: salt
        size: 32
        doc: Salt of that derivation.
      - id: key_offset_sector
        type: u4
        doc: Start of the slot's key material in sectors of 512 bytes.
      - id: stripes
        type: u4
        doc: Number of stripes over which the key material is spread.
    instances:
      is_active:
        value: active == key_slot_state::enabled
        doc: The slot holds a key.
      ok_striped:
        value: stripes > 0
        doc: The key is split into some stripes. QEMU from 7.2 on wants 4000.
      key_offset:
        value: (key_offset_sector.as<u8> * 512).as<u8>
        doc: Start of the slot's key material in bytes.
enums:
  key_slot_state:
    0x0000dead:
      id: disabled
      doc: No key here (QCRYPTO_BLOCK_LUKS_KEY_SLOT_DISABLED).
    0x00ac71f3:
      id: enabled
      doc: A key is here (QCRYPTO_BLOCK_LUKS_KEY_SLOT_ENABLED).
