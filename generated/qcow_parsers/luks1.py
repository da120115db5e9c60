# Generated from formats/kaitai/luks1.ksy by tools/generate.py: do not edit.
# type: ignore

import kaitaistruct
from kaitaistruct import KaitaiStruct, KaitaiStream, BytesIO
from enum import IntEnum


if getattr(kaitaistruct, 'API_VERSION', (0, 9)) < (0, 11):
    raise Exception("Incompatible Kaitai Struct Python API: 0.11 or later is required, but you have %s" % (kaitaistruct.__version__))

class Luks1(KaitaiStruct):
    """The first 592 bytes of a LUKS version 1 volume: which cipher protects the
    payload, how the master key is checked, and eight slots that each hold one
    encrypted copy of it. A qcow2 image with crypt_method 2 stores this header,
    and the key material after it, in clusters of its own. All offsets inside it
    count from the start of this header, not from the start of the image.

    Names are kept as bytes, because a damaged header may hold anything.

    .. seealso::
       Source - https://gitlab.com/cryptsetup/cryptsetup/-/wikis/LUKS-standard/on-disk-format.pdf


    .. seealso::
       docs/interop/qcow2: Full disk encryption header pointer


    .. seealso::
       crypto/block-luks-priv.h: QCryptoBlockLUKSHeader
    """
    SEQ_FIELDS = ['header']

    class KeySlotState(IntEnum):
        disabled = 57005
        enabled = 11301363
    def __init__(self, _io, _parent=None, _root=None):
        super(Luks1, self).__init__(_io)
        self._parent = _parent
        self._root = _root or self
        self._read()

    def _read(self):
        self.header = Luks1.Header(self._io, self, self._root)


    def _fetch_instances(self):
        pass
        self.header._fetch_instances()

    class CipherWord(KaitaiStruct):
        """The name of a cipher. QEMU knows five.

        .. seealso::
           crypto/block-luks.c: qcrypto_block_luks_cipher_name_map
        """
        SEQ_FIELDS = ['name']
        def __init__(self, _io, _parent=None, _root=None):
            super(Luks1.CipherWord, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.name = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass

        @property
        def has_long_keys(self):
            """The cipher has keys of 16, 24 and 32 bytes."""
            if hasattr(self, '_m_has_long_keys'):
                return self._m_has_long_keys

            self._m_has_long_keys =  ((self.is_aes) or (self.is_serpent) or (self.is_twofish))
            return getattr(self, '_m_has_long_keys', None)

        @property
        def is_aes(self):
            """"aes" (QCRYPTO_BLOCK_LUKS_CIPHER_AES)."""
            if hasattr(self, '_m_is_aes'):
                return self._m_is_aes

            self._m_is_aes = self.name == b"\x61\x65\x73"
            return getattr(self, '_m_is_aes', None)

        @property
        def is_cast5(self):
            """"cast5" (QCRYPTO_BLOCK_LUKS_CIPHER_CAST5)."""
            if hasattr(self, '_m_is_cast5'):
                return self._m_is_cast5

            self._m_is_cast5 = self.name == b"\x63\x61\x73\x74\x35"
            return getattr(self, '_m_is_cast5', None)

        @property
        def is_serpent(self):
            """"serpent" (QCRYPTO_BLOCK_LUKS_CIPHER_SERPENT)."""
            if hasattr(self, '_m_is_serpent'):
                return self._m_is_serpent

            self._m_is_serpent = self.name == b"\x73\x65\x72\x70\x65\x6E\x74"
            return getattr(self, '_m_is_serpent', None)

        @property
        def is_sm4(self):
            """"sm4" (QCRYPTO_BLOCK_LUKS_CIPHER_SM4)."""
            if hasattr(self, '_m_is_sm4'):
                return self._m_is_sm4

            self._m_is_sm4 = self.name == b"\x73\x6D\x34"
            return getattr(self, '_m_is_sm4', None)

        @property
        def is_twofish(self):
            """"twofish" (QCRYPTO_BLOCK_LUKS_CIPHER_TWOFISH)."""
            if hasattr(self, '_m_is_twofish'):
                return self._m_is_twofish

            self._m_is_twofish = self.name == b"\x74\x77\x6F\x66\x69\x73\x68"
            return getattr(self, '_m_is_twofish', None)


    class HashWord(KaitaiStruct):
        """The name of a hash. QEMU knows eight.

        .. seealso::
           crypto/block-luks.c: qcrypto_block_luks_parse_header
        """
        SEQ_FIELDS = ['name']
        def __init__(self, _io, _parent=None, _root=None):
            super(Luks1.HashWord, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.name = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass

        @property
        def is_md5(self):
            """"md5" (QCRYPTO_HASH_ALG_MD5)."""
            if hasattr(self, '_m_is_md5'):
                return self._m_is_md5

            self._m_is_md5 = self.name == b"\x6D\x64\x35"
            return getattr(self, '_m_is_md5', None)

        @property
        def is_ripemd160(self):
            """"ripemd160" (QCRYPTO_HASH_ALG_RIPEMD160)."""
            if hasattr(self, '_m_is_ripemd160'):
                return self._m_is_ripemd160

            self._m_is_ripemd160 = self.name == b"\x72\x69\x70\x65\x6D\x64\x31\x36\x30"
            return getattr(self, '_m_is_ripemd160', None)

        @property
        def is_sha1(self):
            """"sha1" (QCRYPTO_HASH_ALG_SHA1)."""
            if hasattr(self, '_m_is_sha1'):
                return self._m_is_sha1

            self._m_is_sha1 = self.name == b"\x73\x68\x61\x31"
            return getattr(self, '_m_is_sha1', None)

        @property
        def is_sha224(self):
            """"sha224" (QCRYPTO_HASH_ALG_SHA224)."""
            if hasattr(self, '_m_is_sha224'):
                return self._m_is_sha224

            self._m_is_sha224 = self.name == b"\x73\x68\x61\x32\x32\x34"
            return getattr(self, '_m_is_sha224', None)

        @property
        def is_sha256(self):
            """"sha256" (QCRYPTO_HASH_ALG_SHA256)."""
            if hasattr(self, '_m_is_sha256'):
                return self._m_is_sha256

            self._m_is_sha256 = self.name == b"\x73\x68\x61\x32\x35\x36"
            return getattr(self, '_m_is_sha256', None)

        @property
        def is_sha384(self):
            """"sha384" (QCRYPTO_HASH_ALG_SHA384)."""
            if hasattr(self, '_m_is_sha384'):
                return self._m_is_sha384

            self._m_is_sha384 = self.name == b"\x73\x68\x61\x33\x38\x34"
            return getattr(self, '_m_is_sha384', None)

        @property
        def is_sha512(self):
            """"sha512" (QCRYPTO_HASH_ALG_SHA512)."""
            if hasattr(self, '_m_is_sha512'):
                return self._m_is_sha512

            self._m_is_sha512 = self.name == b"\x73\x68\x61\x35\x31\x32"
            return getattr(self, '_m_is_sha512', None)

        @property
        def is_sm3(self):
            """"sm3" (QCRYPTO_HASH_ALGO_SM3)."""
            if hasattr(self, '_m_is_sm3'):
                return self._m_is_sm3

            self._m_is_sm3 = self.name == b"\x73\x6D\x33"
            return getattr(self, '_m_is_sm3', None)

        @property
        def len_digest(self):
            """Length of what the hash makes, in bytes: QCRYPTO_HASH_DIGEST_LEN_MD5,
            QCRYPTO_HASH_DIGEST_LEN_SHA1, QCRYPTO_HASH_DIGEST_LEN_RIPEMD160,
            QCRYPTO_HASH_DIGEST_LEN_SHA224, QCRYPTO_HASH_DIGEST_LEN_SHA256,
            QCRYPTO_HASH_DIGEST_LEN_SM3, QCRYPTO_HASH_DIGEST_LEN_SHA384 or
            QCRYPTO_HASH_DIGEST_LEN_SHA512; 0 where the hash is unknown.
            """
            if hasattr(self, '_m_len_digest'):
                return self._m_len_digest

            self._m_len_digest = (16 if self.is_md5 else (20 if self.is_sha1 else (20 if self.is_ripemd160 else (28 if self.is_sha224 else (32 if self.is_sha256 else (32 if self.is_sm3 else (48 if self.is_sha384 else (64 if self.is_sha512 else 0))))))))
            return getattr(self, '_m_len_digest', None)


    class Header(KaitaiStruct):
        """The partition header, 592 bytes.

        .. seealso::
           crypto/block-luks-priv.h: QCryptoBlockLUKSHeader
        """
        SEQ_FIELDS = ['magic', 'version', 'cipher_name', 'cipher_mode', 'hash_spec', 'payload_offset_sector', 'master_key_len', 'master_key_digest', 'master_key_salt', 'master_key_iterations', 'uuid', 'key_slots']
        def __init__(self, _io, _parent=None, _root=None):
            super(Luks1.Header, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.magic = self._io.read_bytes(6)
            self.version = self._io.read_u2be()
            self.cipher_name = self._io.read_bytes(32)
            self.cipher_mode = self._io.read_bytes(32)
            self.hash_spec = self._io.read_bytes(32)
            self.payload_offset_sector = self._io.read_u4be()
            self.master_key_len = self._io.read_u4be()
            self.master_key_digest = self._io.read_bytes(20)
            self.master_key_salt = self._io.read_bytes(32)
            self.master_key_iterations = self._io.read_u4be()
            self.uuid = self._io.read_bytes(40)
            self.key_slots = []
            for i in range(8):
                self.key_slots.append(Luks1.KeySlot(self._io, self, self._root))



        def _fetch_instances(self):
            pass
            for i in range(len(self.key_slots)):
                pass
                self.key_slots[i]._fetch_instances()

            _ = self.cipher
            if hasattr(self, '_m_cipher'):
                pass
                self._m_cipher._fetch_instances()

            _ = self.hash
            if hasattr(self, '_m_hash'):
                pass
                self._m_hash._fetch_instances()

            _ = self.mode
            if hasattr(self, '_m_mode'):
                pass
                self._m_mode._fetch_instances()


        @property
        def cipher(self):
            """The cipher's name as QEMU reads it, up to its first zero byte."""
            if hasattr(self, '_m_cipher'):
                return self._m_cipher

            _pos = self._io.pos()
            self._io.seek(8)
            self._raw__m_cipher = KaitaiStream.bytes_terminate(self._io.read_bytes(32), 0, False)
            _io__raw__m_cipher = KaitaiStream(BytesIO(self._raw__m_cipher))
            self._m_cipher = Luks1.CipherWord(_io__raw__m_cipher, self, self._root)
            self._io.seek(_pos)
            return getattr(self, '_m_cipher', None)

        @property
        def hash(self):
            """The name of the hash as QEMU reads it, up to its first zero byte."""
            if hasattr(self, '_m_hash'):
                return self._m_hash

            _pos = self._io.pos()
            self._io.seek(72)
            self._raw__m_hash = KaitaiStream.bytes_terminate(self._io.read_bytes(32), 0, False)
            _io__raw__m_hash = KaitaiStream(BytesIO(self._raw__m_hash))
            self._m_hash = Luks1.HashWord(_io__raw__m_hash, self, self._root)
            self._io.seek(_pos)
            return getattr(self, '_m_hash', None)

        @property
        def len_cipher_key(self):
            """Length of the cipher's key in bytes; XTS takes two of them."""
            if hasattr(self, '_m_len_cipher_key'):
                return self._m_len_cipher_key

            self._m_len_cipher_key = (self.master_key_len // 2 if self.mode.is_xts else self.master_key_len)
            return getattr(self, '_m_len_cipher_key', None)

        @property
        def len_essiv_key(self):
            """Length of the key in bytes that essiv makes of its hash, where that is
            not the one of the data's own cipher; 0 where it is, without essiv,
            and where the hash is unknown.
            """
            if hasattr(self, '_m_len_essiv_key'):
                return self._m_len_essiv_key

            self._m_len_essiv_key = (self.mode.generator.len_digest if  ((self.mode.is_essiv) and (self.mode.generator.len_digest != self.len_cipher_key))  else 0)
            return getattr(self, '_m_len_essiv_key', None)

        @property
        def mode(self):
            """The cipher's mode as QEMU reads it, up to its first zero byte."""
            if hasattr(self, '_m_mode'):
                return self._m_mode

            _pos = self._io.pos()
            self._io.seek(40)
            self._raw__m_mode = KaitaiStream.bytes_terminate(self._io.read_bytes(32), 0, False)
            _io__raw__m_mode = KaitaiStream(BytesIO(self._raw__m_mode))
            self._m_mode = Luks1.ModeWords(_io__raw__m_mode, self, self._root)
            self._io.seek(_pos)
            return getattr(self, '_m_mode', None)

        @property
        def ok_cipher_mode(self):
            """The mode is known."""
            if hasattr(self, '_m_ok_cipher_mode'):
                return self._m_ok_cipher_mode

            self._m_ok_cipher_mode =  ((self.mode.is_ecb) or (self.mode.is_cbc) or (self.mode.is_xts) or (self.mode.is_ctr))
            return getattr(self, '_m_ok_cipher_mode', None)

        @property
        def ok_cipher_mode_format(self):
            """The mode has a generator of initialization vectors."""
            if hasattr(self, '_m_ok_cipher_mode_format'):
                return self._m_ok_cipher_mode_format

            self._m_ok_cipher_mode_format = self.mode.has_generator
            return getattr(self, '_m_ok_cipher_mode_format', None)

        @property
        def ok_cipher_mode_terminated(self):
            """The cipher's mode ends within its field."""
            if hasattr(self, '_m_ok_cipher_mode_terminated'):
                return self._m_ok_cipher_mode_terminated

            self._m_ok_cipher_mode_terminated = KaitaiStream.byte_array_min(self.cipher_mode) == 0
            return getattr(self, '_m_ok_cipher_mode_terminated', None)

        @property
        def ok_cipher_name(self):
            """The cipher is known and has keys of this length:
            QCRYPTO_CIPHER_KEY_LEN_AES_128, QCRYPTO_CIPHER_KEY_LEN_AES_192 or
            QCRYPTO_CIPHER_KEY_LEN_AES_256, which Serpent and Twofish have as well
            (16, 24 and 32 bytes), and the first of them for CAST5 and SM4.
            """
            if hasattr(self, '_m_ok_cipher_name'):
                return self._m_ok_cipher_name

            self._m_ok_cipher_name =  (( ((self.len_cipher_key == 16) and ( ((self.cipher.is_cast5) or (self.cipher.is_sm4)) )) ) or ( ((self.cipher.has_long_keys) and ( ((self.len_cipher_key == 16) or (self.len_cipher_key == 24) or (self.len_cipher_key == 32)) )) ))
            return getattr(self, '_m_ok_cipher_name', None)

        @property
        def ok_cipher_name_terminated(self):
            """The cipher's name ends within its field."""
            if hasattr(self, '_m_ok_cipher_name_terminated'):
                return self._m_ok_cipher_name_terminated

            self._m_ok_cipher_name_terminated = KaitaiStream.byte_array_min(self.cipher_name) == 0
            return getattr(self, '_m_ok_cipher_name_terminated', None)

        @property
        def ok_cipher_sm4(self):
            """The cipher is not SM4, new in QEMU 9.0."""
            if hasattr(self, '_m_ok_cipher_sm4'):
                return self._m_ok_cipher_sm4

            self._m_ok_cipher_sm4 = (not (self.cipher.is_sm4))
            return getattr(self, '_m_ok_cipher_sm4', None)

        @property
        def ok_essiv_cipher(self):
            """A cipher of the data's kind has keys as long as essiv's hash:
            QCRYPTO_CIPHER_KEY_LEN_AES_128, QCRYPTO_CIPHER_KEY_LEN_AES_192 or
            QCRYPTO_CIPHER_KEY_LEN_AES_256 (16, 24 or 32 bytes).
            """
            if hasattr(self, '_m_ok_essiv_cipher'):
                return self._m_ok_essiv_cipher

            self._m_ok_essiv_cipher =  ((self.len_essiv_key == 0) or ((not (self.cipher.has_long_keys))) or (self.len_essiv_key == 16) or (self.len_essiv_key == 24) or (self.len_essiv_key == 32))
            return getattr(self, '_m_ok_essiv_cipher', None)

        @property
        def ok_essiv_hash(self):
            """The generator essiv has a hash."""
            if hasattr(self, '_m_ok_essiv_hash'):
                return self._m_ok_essiv_hash

            self._m_ok_essiv_hash =  (((not (self.mode.is_essiv))) or (self.mode.generator.has_hash))
            return getattr(self, '_m_ok_essiv_hash', None)

        @property
        def ok_essiv_kind(self):
            """The data's own cipher has keys as long as essiv's hash, or is of a
            kind with keys of several lengths.
            """
            if hasattr(self, '_m_ok_essiv_kind'):
                return self._m_ok_essiv_kind

            self._m_ok_essiv_kind =  ((self.len_essiv_key == 0) or (self.cipher.has_long_keys))
            return getattr(self, '_m_ok_essiv_kind', None)

        @property
        def ok_hash_sm3(self):
            """The hash is not SM3, new in QEMU 9.2."""
            if hasattr(self, '_m_ok_hash_sm3'):
                return self._m_ok_hash_sm3

            self._m_ok_hash_sm3 = (not (self.hash.is_sm3))
            return getattr(self, '_m_ok_hash_sm3', None)

        @property
        def ok_hash_spec(self):
            """The hash is known."""
            if hasattr(self, '_m_ok_hash_spec'):
                return self._m_ok_hash_spec

            self._m_ok_hash_spec = self.hash.len_digest > 0
            return getattr(self, '_m_ok_hash_spec', None)

        @property
        def ok_hash_spec_terminated(self):
            """The name of the hash ends within its field."""
            if hasattr(self, '_m_ok_hash_spec_terminated'):
                return self._m_ok_hash_spec_terminated

            self._m_ok_hash_spec_terminated = KaitaiStream.byte_array_min(self.hash_spec) == 0
            return getattr(self, '_m_ok_hash_spec_terminated', None)

        @property
        def ok_ivgen(self):
            """The generator of initialization vectors is known."""
            if hasattr(self, '_m_ok_ivgen'):
                return self._m_ok_ivgen

            self._m_ok_ivgen =  ((self.mode.has_generator) and ( ((self.mode.generator.is_plain) or (self.mode.generator.is_plain64) or (self.mode.generator.is_essiv)) ))
            return getattr(self, '_m_ok_ivgen', None)

        @property
        def ok_ivgen_hash(self):
            """The hash that the mode names, if any, is known."""
            if hasattr(self, '_m_ok_ivgen_hash'):
                return self._m_ok_ivgen_hash

            self._m_ok_ivgen_hash =  (((not (self.mode.has_generator))) or ((not (self.mode.generator.has_hash))) or (self.mode.generator.len_digest > 0))
            return getattr(self, '_m_ok_ivgen_hash', None)

        @property
        def ok_ivgen_hash_sm3(self):
            """The hash that the mode names is not SM3, new in QEMU 9.2."""
            if hasattr(self, '_m_ok_ivgen_hash_sm3'):
                return self._m_ok_ivgen_hash_sm3

            self._m_ok_ivgen_hash_sm3 =  (((not (self.mode.has_generator))) or ((not (self.mode.generator.has_hash))) or ((not (self.mode.generator.hash.is_sm3))))
            return getattr(self, '_m_ok_ivgen_hash_sm3', None)

        @property
        def ok_magic(self):
            """The magic bytes are those of LUKS (QCRYPTO_BLOCK_LUKS_MAGIC)."""
            if hasattr(self, '_m_ok_magic'):
                return self._m_ok_magic

            self._m_ok_magic = self.magic == b"\x4C\x55\x4B\x53\xBA\xBE"
            return getattr(self, '_m_ok_magic', None)

        @property
        def ok_master_key_iterations(self):
            """The master key's digest was made with some iterations."""
            if hasattr(self, '_m_ok_master_key_iterations'):
                return self._m_ok_master_key_iterations

            self._m_ok_master_key_iterations = self.master_key_iterations > 0
            return getattr(self, '_m_ok_master_key_iterations', None)

        @property
        def ok_payload_offset(self):
            """The payload starts at QCRYPTO_BLOCK_LUKS_KEY_SLOT_OFFSET (4096 bytes)
            or after it.
            """
            if hasattr(self, '_m_ok_payload_offset'):
                return self._m_ok_payload_offset

            self._m_ok_payload_offset = self.payload_offset >= 4096
            return getattr(self, '_m_ok_payload_offset', None)

        @property
        def ok_version(self):
            """The version is 1 (QCRYPTO_BLOCK_LUKS_VERSION)."""
            if hasattr(self, '_m_ok_version'):
                return self._m_ok_version

            self._m_ok_version = self.version == 1
            return getattr(self, '_m_ok_version', None)

        @property
        def payload_offset(self):
            """Start of the encrypted payload in bytes."""
            if hasattr(self, '_m_payload_offset'):
                return self._m_payload_offset

            self._m_payload_offset = (self.payload_offset_sector * 512)
            return getattr(self, '_m_payload_offset', None)


    class IvgenWords(KaitaiStruct):
        """A generator of initialization vectors, and after a colon the name of a
        hash.

        .. seealso::
           crypto/block-luks.c: qcrypto_block_luks_parse_header
        """
        SEQ_FIELDS = []
        def __init__(self, _io, _parent=None, _root=None):
            super(Luks1.IvgenWords, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass
            _ = self.hash
            if hasattr(self, '_m_hash'):
                pass
                self._m_hash._fetch_instances()

            _ = self.name
            if hasattr(self, '_m_name'):
                pass


        @property
        def has_hash(self):
            """There is a colon."""
            if hasattr(self, '_m_has_hash'):
                return self._m_has_hash

            self._m_has_hash = len(self.name) < self._io.size()
            return getattr(self, '_m_has_hash', None)

        @property
        def hash(self):
            """What follows the colon."""
            if hasattr(self, '_m_hash'):
                return self._m_hash

            if self.has_hash:
                pass
                _pos = self._io.pos()
                self._io.seek(len(self.name) + 1)
                self._raw__m_hash = self._io.read_bytes_full()
                _io__raw__m_hash = KaitaiStream(BytesIO(self._raw__m_hash))
                self._m_hash = Luks1.HashWord(_io__raw__m_hash, self, self._root)
                self._io.seek(_pos)

            return getattr(self, '_m_hash', None)

        @property
        def is_essiv(self):
            """"essiv" (QCRYPTO_IVGEN_ALG_ESSIV)."""
            if hasattr(self, '_m_is_essiv'):
                return self._m_is_essiv

            self._m_is_essiv = self.name == b"\x65\x73\x73\x69\x76"
            return getattr(self, '_m_is_essiv', None)

        @property
        def is_plain(self):
            """"plain" (QCRYPTO_IVGEN_ALG_PLAIN)."""
            if hasattr(self, '_m_is_plain'):
                return self._m_is_plain

            self._m_is_plain = self.name == b"\x70\x6C\x61\x69\x6E"
            return getattr(self, '_m_is_plain', None)

        @property
        def is_plain64(self):
            """"plain64" (QCRYPTO_IVGEN_ALG_PLAIN64)."""
            if hasattr(self, '_m_is_plain64'):
                return self._m_is_plain64

            self._m_is_plain64 = self.name == b"\x70\x6C\x61\x69\x6E\x36\x34"
            return getattr(self, '_m_is_plain64', None)

        @property
        def len_digest(self):
            """Length of what the hash makes, in bytes; 0 where there is none, and
            where it is unknown.
            """
            if hasattr(self, '_m_len_digest'):
                return self._m_len_digest

            self._m_len_digest = (self.hash.len_digest if self.has_hash else 0)
            return getattr(self, '_m_len_digest', None)

        @property
        def name(self):
            """The name of the generator as bytes, up to the first colon."""
            if hasattr(self, '_m_name'):
                return self._m_name

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_name = KaitaiStream.bytes_terminate(self._io.read_bytes_full(), 58, False)
            self._io.seek(_pos)
            return getattr(self, '_m_name', None)


    class KeySlot(KaitaiStruct):
        """One encrypted copy of the master key, 48 bytes.

        .. seealso::
           crypto/block-luks-priv.h: QCryptoBlockLUKSKeySlot
        """
        SEQ_FIELDS = ['active', 'iterations', 'salt', 'key_offset_sector', 'stripes']
        def __init__(self, _io, _parent=None, _root=None):
            super(Luks1.KeySlot, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.active = KaitaiStream.resolve_enum(Luks1.KeySlotState, self._io.read_u4be())
            self.iterations = self._io.read_u4be()
            self.salt = self._io.read_bytes(32)
            self.key_offset_sector = self._io.read_u4be()
            self.stripes = self._io.read_u4be()


        def _fetch_instances(self):
            pass

        @property
        def is_active(self):
            """The slot holds a key."""
            if hasattr(self, '_m_is_active'):
                return self._m_is_active

            self._m_is_active = self.active == Luks1.KeySlotState.enabled
            return getattr(self, '_m_is_active', None)

        @property
        def key_offset(self):
            """Start of the slot's key material in bytes."""
            if hasattr(self, '_m_key_offset'):
                return self._m_key_offset

            self._m_key_offset = (self.key_offset_sector * 512)
            return getattr(self, '_m_key_offset', None)

        @property
        def ok_active(self):
            """The slot holds a key or not."""
            if hasattr(self, '_m_ok_active'):
                return self._m_ok_active

            self._m_ok_active =  ((self.active == Luks1.KeySlotState.disabled) or (self.active == Luks1.KeySlotState.enabled))
            return getattr(self, '_m_ok_active', None)

        @property
        def ok_iterations(self):
            """A key that the slot holds was made with some iterations."""
            if hasattr(self, '_m_ok_iterations'):
                return self._m_ok_iterations

            self._m_ok_iterations =  ((self.iterations > 0) or ((not (self.is_active))))
            return getattr(self, '_m_ok_iterations', None)

        @property
        def ok_offset(self):
            """The key material starts at QCRYPTO_BLOCK_LUKS_KEY_SLOT_OFFSET (4096
            bytes) or after it.
            """
            if hasattr(self, '_m_ok_offset'):
                return self._m_ok_offset

            self._m_ok_offset = self.key_offset >= 4096
            return getattr(self, '_m_ok_offset', None)

        @property
        def ok_striped(self):
            """The key is split into some stripes. QEMU from 7.2 on wants 4000."""
            if hasattr(self, '_m_ok_striped'):
                return self._m_ok_striped

            self._m_ok_striped = self.stripes > 0
            return getattr(self, '_m_ok_striped', None)

        @property
        def ok_stripes(self):
            """The key is split into QCRYPTO_BLOCK_LUKS_STRIPES (4000) stripes."""
            if hasattr(self, '_m_ok_stripes'):
                return self._m_ok_stripes

            self._m_ok_stripes = self.stripes == 4000
            return getattr(self, '_m_ok_stripes', None)


    class ModeWords(KaitaiStruct):
        """A mode, and after a hyphen a generator of initialization vectors, such as
        "xts-plain64" or "cbc-essiv:sha256".

        .. seealso::
           crypto/block-luks.c: qcrypto_block_luks_parse_header
        """
        SEQ_FIELDS = []
        def __init__(self, _io, _parent=None, _root=None):
            super(Luks1.ModeWords, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass
            _ = self.generator
            if hasattr(self, '_m_generator'):
                pass
                self._m_generator._fetch_instances()

            _ = self.name
            if hasattr(self, '_m_name'):
                pass


        @property
        def generator(self):
            """What follows the hyphen."""
            if hasattr(self, '_m_generator'):
                return self._m_generator

            if self.has_generator:
                pass
                _pos = self._io.pos()
                self._io.seek(len(self.name) + 1)
                self._raw__m_generator = self._io.read_bytes_full()
                _io__raw__m_generator = KaitaiStream(BytesIO(self._raw__m_generator))
                self._m_generator = Luks1.IvgenWords(_io__raw__m_generator, self, self._root)
                self._io.seek(_pos)

            return getattr(self, '_m_generator', None)

        @property
        def has_generator(self):
            """There is a hyphen."""
            if hasattr(self, '_m_has_generator'):
                return self._m_has_generator

            self._m_has_generator = len(self.name) < self._io.size()
            return getattr(self, '_m_has_generator', None)

        @property
        def is_cbc(self):
            """"cbc" (QCRYPTO_CIPHER_MODE_CBC)."""
            if hasattr(self, '_m_is_cbc'):
                return self._m_is_cbc

            self._m_is_cbc = self.name == b"\x63\x62\x63"
            return getattr(self, '_m_is_cbc', None)

        @property
        def is_ctr(self):
            """"ctr" (QCRYPTO_CIPHER_MODE_CTR)."""
            if hasattr(self, '_m_is_ctr'):
                return self._m_is_ctr

            self._m_is_ctr = self.name == b"\x63\x74\x72"
            return getattr(self, '_m_is_ctr', None)

        @property
        def is_ecb(self):
            """"ecb" (QCRYPTO_CIPHER_MODE_ECB)."""
            if hasattr(self, '_m_is_ecb'):
                return self._m_is_ecb

            self._m_is_ecb = self.name == b"\x65\x63\x62"
            return getattr(self, '_m_is_ecb', None)

        @property
        def is_essiv(self):
            """The generator is essiv."""
            if hasattr(self, '_m_is_essiv'):
                return self._m_is_essiv

            self._m_is_essiv =  ((self.has_generator) and (self.generator.is_essiv))
            return getattr(self, '_m_is_essiv', None)

        @property
        def is_xts(self):
            """"xts" (QCRYPTO_CIPHER_MODE_XTS)."""
            if hasattr(self, '_m_is_xts'):
                return self._m_is_xts

            self._m_is_xts = self.name == b"\x78\x74\x73"
            return getattr(self, '_m_is_xts', None)

        @property
        def name(self):
            """The name of the mode as bytes, up to the first hyphen."""
            if hasattr(self, '_m_name'):
                return self._m_name

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_name = KaitaiStream.bytes_terminate(self._io.read_bytes_full(), 45, False)
            self._io.seek(_pos)
            return getattr(self, '_m_name', None)
