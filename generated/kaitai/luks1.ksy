# Generated from formats/kaitai/luks1.ksy by tools/generate.py: do not edit.
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
        value: >-
          (payload_offset_sector.as<u8> * 512).as<u8>
        doc: Start of the encrypted payload in bytes.
      cipher:
        pos: 8
        size: 32
        terminator: 0
        type: cipher_word
        doc: The cipher's name as QEMU reads it, up to its first zero byte.
      mode:
        pos: 40
        size: 32
        terminator: 0
        type: mode_words
        doc: The cipher's mode as QEMU reads it, up to its first zero byte.
      hash:
        pos: 72
        size: 32
        terminator: 0
        type: hash_word
        doc: The name of the hash as QEMU reads it, up to its first zero byte.
      len_cipher_key:
        value: '(mode.is_xts ? master_key_len / 2 : master_key_len).as<u4>'
        doc: Length of the cipher's key in bytes; XTS takes two of them.
      len_essiv_key:
        value: >-
          (mode.is_essiv and mode.generator.len_digest != len_cipher_key
          ? mode.generator.len_digest : 0).as<u4>
        doc: |
          Length of the key in bytes that essiv makes of its hash, where that is
          not the one of the data's own cipher; 0 where it is, without essiv,
          and where the hash is unknown.
      # The rules, in the order in which QEMU tests them.
      ok_cipher_name_terminated:
        value: cipher_name.min == 0
        doc: The cipher's name ends within its field.
      ok_cipher_mode_terminated:
        value: cipher_mode.min == 0
        doc: The cipher's mode ends within its field.
      ok_hash_spec_terminated:
        value: hash_spec.min == 0
        doc: The name of the hash ends within its field.
      ok_payload_offset:
        value: payload_offset >= 4096
        doc: |
          The payload starts at QCRYPTO_BLOCK_LUKS_KEY_SLOT_OFFSET (4096 bytes)
          or after it.
      ok_master_key_iterations:
        value: master_key_iterations > 0
        doc: The master key's digest was made with some iterations.
      ok_cipher_mode_format:
        value: mode.has_generator
        doc: The mode has a generator of initialization vectors.
      ok_ivgen_hash:
        value: >-
          not mode.has_generator or not mode.generator.has_hash
          or mode.generator.len_digest > 0
        doc: The hash that the mode names, if any, is known.
      ok_ivgen_hash_sm3:
        value: >-
          not mode.has_generator or not mode.generator.has_hash
          or not mode.generator.hash.is_sm3
        doc: The hash that the mode names is not SM3, new in QEMU 9.2.
      ok_cipher_mode:
        value: mode.is_ecb or mode.is_cbc or mode.is_xts or mode.is_ctr
        doc: The mode is known.
      ok_cipher_name:
        value: >-
          len_cipher_key == 16
          and (cipher.is_cast5 or cipher.is_sm4)
          or cipher.has_long_keys
          and (len_cipher_key == 16
          or len_cipher_key == 24
          or len_cipher_key == 32)
        doc: |
          The cipher is known and has keys of this length:
          QCRYPTO_CIPHER_KEY_LEN_AES_128, QCRYPTO_CIPHER_KEY_LEN_AES_192 or
          QCRYPTO_CIPHER_KEY_LEN_AES_256, which Serpent and Twofish have as well
          (16, 24 and 32 bytes), and the first of them for CAST5 and SM4.
      ok_cipher_sm4:
        value: not cipher.is_sm4
        doc: The cipher is not SM4, new in QEMU 9.0.
      ok_hash_spec:
        value: hash.len_digest > 0
        doc: The hash is known.
      ok_hash_sm3:
        value: not hash.is_sm3
        doc: The hash is not SM3, new in QEMU 9.2.
      ok_ivgen:
        value: >-
          mode.has_generator and (mode.generator.is_plain
          or mode.generator.is_plain64 or mode.generator.is_essiv)
        doc: The generator of initialization vectors is known.
      ok_essiv_hash:
        value: not mode.is_essiv or mode.generator.has_hash
        doc: The generator essiv has a hash.
      ok_essiv_cipher:
        value: >-
          len_essiv_key == 0 or not cipher.has_long_keys
          or len_essiv_key == 16
          or len_essiv_key == 24
          or len_essiv_key == 32
        doc: |
          A cipher of the data's kind has keys as long as essiv's hash:
          QCRYPTO_CIPHER_KEY_LEN_AES_128, QCRYPTO_CIPHER_KEY_LEN_AES_192 or
          QCRYPTO_CIPHER_KEY_LEN_AES_256 (16, 24 or 32 bytes).
      ok_essiv_kind:
        value: len_essiv_key == 0 or cipher.has_long_keys
        doc: |
          The data's own cipher has keys as long as essiv's hash, or is of a
          kind with keys of several lengths.
  cipher_word:
    doc: The name of a cipher. QEMU knows five.
    doc-ref: 'crypto/block-luks.c: qcrypto_block_luks_cipher_name_map'
    seq:
      - id: name
        size-eos: true
        doc: The name as bytes.
    instances:
      is_aes:
        value: name == [0x61, 0x65, 0x73]
        doc: '"aes" (QCRYPTO_BLOCK_LUKS_CIPHER_AES).'
      is_cast5:
        value: name == [0x63, 0x61, 0x73, 0x74, 0x35]
        doc: '"cast5" (QCRYPTO_BLOCK_LUKS_CIPHER_CAST5).'
      is_serpent:
        value: name == [0x73, 0x65, 0x72, 0x70, 0x65, 0x6e, 0x74]
        doc: '"serpent" (QCRYPTO_BLOCK_LUKS_CIPHER_SERPENT).'
      is_twofish:
        value: name == [0x74, 0x77, 0x6f, 0x66, 0x69, 0x73, 0x68]
        doc: '"twofish" (QCRYPTO_BLOCK_LUKS_CIPHER_TWOFISH).'
      is_sm4:
        value: name == [0x73, 0x6d, 0x34]
        doc: '"sm4" (QCRYPTO_BLOCK_LUKS_CIPHER_SM4).'
      has_long_keys:
        value: is_aes or is_serpent or is_twofish
        doc: The cipher has keys of 16, 24 and 32 bytes.
  mode_words:
    doc: |
      A mode, and after a hyphen a generator of initialization vectors, such as
      "xts-plain64" or "cbc-essiv:sha256".
    doc-ref: 'crypto/block-luks.c: qcrypto_block_luks_parse_header'
    instances:
      name:
        pos: 0
        size-eos: true
        terminator: 0x2d
        doc: The name of the mode as bytes, up to the first hyphen.
      has_generator:
        value: name.size < _io.size
        doc: There is a hyphen.
      generator:
        pos: name.size + 1
        size-eos: true
        type: ivgen_words
        if: has_generator
        doc: What follows the hyphen.
      is_ecb:
        value: name == [0x65, 0x63, 0x62]
        doc: '"ecb" (QCRYPTO_CIPHER_MODE_ECB).'
      is_cbc:
        value: name == [0x63, 0x62, 0x63]
        doc: '"cbc" (QCRYPTO_CIPHER_MODE_CBC).'
      is_xts:
        value: name == [0x78, 0x74, 0x73]
        doc: '"xts" (QCRYPTO_CIPHER_MODE_XTS).'
      is_ctr:
        value: name == [0x63, 0x74, 0x72]
        doc: '"ctr" (QCRYPTO_CIPHER_MODE_CTR).'
      is_essiv:
        value: has_generator and generator.is_essiv
        doc: The generator is essiv.
  ivgen_words:
    doc: |
      A generator of initialization vectors, and after a colon the name of a
      hash.
    doc-ref: 'crypto/block-luks.c: qcrypto_block_luks_parse_header'
    instances:
      name:
        pos: 0
        size-eos: true
        terminator: 0x3a
        doc: The name of the generator as bytes, up to the first colon.
      has_hash:
        value: name.size < _io.size
        doc: There is a colon.
      hash:
        pos: name.size + 1
        size-eos: true
        type: hash_word
        if: has_hash
        doc: What follows the colon.
      len_digest:
        value: '(has_hash ? hash.len_digest : 0).as<u4>'
        doc: |
          Length of what the hash makes, in bytes; 0 where there is none, and
          where it is unknown.
      is_plain:
        value: name == [0x70, 0x6c, 0x61, 0x69, 0x6e]
        doc: '"plain" (QCRYPTO_IVGEN_ALG_PLAIN).'
      is_plain64:
        value: name == [0x70, 0x6c, 0x61, 0x69, 0x6e, 0x36, 0x34]
        doc: '"plain64" (QCRYPTO_IVGEN_ALG_PLAIN64).'
      is_essiv:
        value: name == [0x65, 0x73, 0x73, 0x69, 0x76]
        doc: '"essiv" (QCRYPTO_IVGEN_ALG_ESSIV).'
  hash_word:
    doc: The name of a hash. QEMU knows eight.
    doc-ref: 'crypto/block-luks.c: qcrypto_block_luks_parse_header'
    seq:
      - id: name
        size-eos: true
        doc: The name as bytes.
    instances:
      is_md5:
        value: name == [0x6d, 0x64, 0x35]
        doc: '"md5" (QCRYPTO_HASH_ALG_MD5).'
      is_sha1:
        value: name == [0x73, 0x68, 0x61, 0x31]
        doc: '"sha1" (QCRYPTO_HASH_ALG_SHA1).'
      is_sha224:
        value: name == [0x73, 0x68, 0x61, 0x32, 0x32, 0x34]
        doc: '"sha224" (QCRYPTO_HASH_ALG_SHA224).'
      is_sha256:
        value: name == [0x73, 0x68, 0x61, 0x32, 0x35, 0x36]
        doc: '"sha256" (QCRYPTO_HASH_ALG_SHA256).'
      is_sha384:
        value: name == [0x73, 0x68, 0x61, 0x33, 0x38, 0x34]
        doc: '"sha384" (QCRYPTO_HASH_ALG_SHA384).'
      is_sha512:
        value: name == [0x73, 0x68, 0x61, 0x35, 0x31, 0x32]
        doc: '"sha512" (QCRYPTO_HASH_ALG_SHA512).'
      is_ripemd160:
        value: name == [0x72, 0x69, 0x70, 0x65, 0x6d, 0x64, 0x31, 0x36, 0x30]
        doc: '"ripemd160" (QCRYPTO_HASH_ALG_RIPEMD160).'
      is_sm3:
        value: name == [0x73, 0x6d, 0x33]
        doc: '"sm3" (QCRYPTO_HASH_ALGO_SM3).'
      len_digest:
        value: >-
          (is_md5 ? 16
          : is_sha1 ? 20
          : is_ripemd160 ? 20
          : is_sha224 ? 28
          : is_sha256 ? 32
          : is_sm3 ? 32
          : is_sha384 ? 48
          : is_sha512 ? 64 : 0).as<u4>
        doc: |
          Length of what the hash makes, in bytes: QCRYPTO_HASH_DIGEST_LEN_MD5,
          QCRYPTO_HASH_DIGEST_LEN_SHA1, QCRYPTO_HASH_DIGEST_LEN_RIPEMD160,
          QCRYPTO_HASH_DIGEST_LEN_SHA224, QCRYPTO_HASH_DIGEST_LEN_SHA256,
          QCRYPTO_HASH_DIGEST_LEN_SM3, QCRYPTO_HASH_DIGEST_LEN_SHA384 or
          QCRYPTO_HASH_DIGEST_LEN_SHA512; 0 where the hash is unknown.
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
        value: >-
          (key_offset_sector.as<u8> * 512).as<u8>
        doc: Start of the slot's key material in bytes.
      ok_stripes:
        value: stripes == 4000
        doc: The key is split into QCRYPTO_BLOCK_LUKS_STRIPES (4000) stripes.
      ok_active:
        value: >-
          active == key_slot_state::disabled
          or active == key_slot_state::enabled
        doc: The slot holds a key or not.
      ok_iterations:
        value: iterations > 0 or not is_active
        doc: A key that the slot holds was made with some iterations.
      ok_offset:
        value: key_offset >= 4096
        doc: |
          The key material starts at QCRYPTO_BLOCK_LUKS_KEY_SLOT_OFFSET (4096
          bytes) or after it.
enums:
  key_slot_state:
    0xdead:
      id: disabled
      doc: No key here (QCRYPTO_BLOCK_LUKS_KEY_SLOT_DISABLED).
    0x00ac71f3:
      id: enabled
      doc: A key is here (QCRYPTO_BLOCK_LUKS_KEY_SLOT_ENABLED).
