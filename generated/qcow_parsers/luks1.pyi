# Generated from formats/kaitai/luks1.ksy by tools/generate.py: do not edit.
import os
from enum import IntEnum
from typing import Self

from .runtime import ByteStream, KaitaiStream, KaitaiStruct

class Luks1(KaitaiStruct):
    """The first 592 bytes of a LUKS version 1 volume: which cipher protects the
    payload, how the master key is checked, and eight slots that each hold one
    encrypted copy of it. A qcow2 image with crypt_method 2 stores this header,
    and the key material after it, in clusters of its own. All offsets inside it
    count from the start of this header, not from the start of the image.

    Names are kept as bytes, because a damaged header may hold anything.

    See https://gitlab.com/cryptsetup/cryptsetup/-/wikis/LUKS-standard/on-disk-format.pdf; docs/interop/qcow2: Full disk encryption header pointer; crypto/block-luks-priv.h: QCryptoBlockLUKSHeader
    """

    class KeySlotState(IntEnum):
        disabled = 57005
        """No key here (QCRYPTO_BLOCK_LUKS_KEY_SLOT_DISABLED)."""
        enabled = 11301363
        """A key is here (QCRYPTO_BLOCK_LUKS_KEY_SLOT_ENABLED)."""

    class Header(KaitaiStruct):
        """The partition header, 592 bytes.

        See crypto/block-luks-priv.h: QCryptoBlockLUKSHeader
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Luks1 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Luks1 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        magic: bytes
        """"LUKS" and the bytes 0xba 0xbe."""
        version: int
        """Version of the header. QEMU knows version 1."""
        cipher_name: bytes
        """Name of the cipher, such as "aes", padded with zero bytes."""
        cipher_mode: bytes
        """Mode of the cipher and its generator of initialization vectors, such
        as "xts-plain64", padded with zero bytes.
        """
        hash_spec: bytes
        """Hash used to derive keys, such as "sha256", padded with zero bytes."""
        payload_offset_sector: int
        """Start of the encrypted payload in sectors of 512 bytes. A qcow2 image
        has its payload in its own clusters and never uses this number.
        """
        master_key_len: int
        """Length of the master key in bytes."""
        master_key_digest: bytes
        """Digest by which a recovered master key is checked."""
        master_key_salt: bytes
        """Salt of that digest."""
        master_key_iterations: int
        """Number of PBKDF2 rounds of that digest."""
        uuid: bytes
        """Identifier of the volume as text, padded with zero bytes."""
        key_slots: list[Luks1.KeySlot]
        """The eight key slots (QCRYPTO_BLOCK_LUKS_NUM_KEY_SLOTS)."""
        @property
        def ok_magic(self) -> bool:
            """The magic bytes are those of LUKS (QCRYPTO_BLOCK_LUKS_MAGIC)."""
        @property
        def ok_version(self) -> bool:
            """The version is 1 (QCRYPTO_BLOCK_LUKS_VERSION)."""
        @property
        def payload_offset(self) -> int:
            """Start of the encrypted payload in bytes."""
        @property
        def cipher(self) -> Luks1.CipherWord:
            """The cipher's name as QEMU reads it, up to its first zero byte."""
        @property
        def mode(self) -> Luks1.ModeWords:
            """The cipher's mode as QEMU reads it, up to its first zero byte."""
        @property
        def hash(self) -> Luks1.HashWord:
            """The name of the hash as QEMU reads it, up to its first zero byte."""
        @property
        def len_cipher_key(self) -> int:
            """Length of the cipher's key in bytes; XTS takes two of them."""
        @property
        def len_essiv_key(self) -> int:
            """Length of the key in bytes that essiv makes of its hash, where that is
            not the one of the data's own cipher; 0 where it is, without essiv,
            and where the hash is unknown.
            """
        @property
        def ok_cipher_name_terminated(self) -> bool:
            """The cipher's name ends within its field."""
        @property
        def ok_cipher_mode_terminated(self) -> bool:
            """The cipher's mode ends within its field."""
        @property
        def ok_hash_spec_terminated(self) -> bool:
            """The name of the hash ends within its field."""
        @property
        def ok_payload_offset(self) -> bool:
            """The payload starts at QCRYPTO_BLOCK_LUKS_KEY_SLOT_OFFSET (4096 bytes)
            or after it.
            """
        @property
        def ok_master_key_iterations(self) -> bool:
            """The master key's digest was made with some iterations."""
        @property
        def ok_cipher_mode_format(self) -> bool:
            """The mode has a generator of initialization vectors."""
        @property
        def ok_ivgen_hash(self) -> bool:
            """The hash that the mode names, if any, is known."""
        @property
        def ok_ivgen_hash_sm3(self) -> bool:
            """The hash that the mode names is not SM3, new in QEMU 9.2."""
        @property
        def ok_cipher_mode(self) -> bool:
            """The mode is known."""
        @property
        def ok_cipher_name(self) -> bool:
            """The cipher is known and has keys of this length:
            QCRYPTO_CIPHER_KEY_LEN_AES_128, QCRYPTO_CIPHER_KEY_LEN_AES_192 or
            QCRYPTO_CIPHER_KEY_LEN_AES_256, which Serpent and Twofish have as well
            (16, 24 and 32 bytes), and the first of them for CAST5 and SM4.
            """
        @property
        def ok_cipher_sm4(self) -> bool:
            """The cipher is not SM4, new in QEMU 9.0."""
        @property
        def ok_hash_spec(self) -> bool:
            """The hash is known."""
        @property
        def ok_hash_sm3(self) -> bool:
            """The hash is not SM3, new in QEMU 9.2."""
        @property
        def ok_ivgen(self) -> bool:
            """The generator of initialization vectors is known."""
        @property
        def ok_essiv_hash(self) -> bool:
            """The generator essiv has a hash."""
        @property
        def ok_essiv_cipher(self) -> bool:
            """A cipher of the data's kind has keys as long as essiv's hash:
            QCRYPTO_CIPHER_KEY_LEN_AES_128, QCRYPTO_CIPHER_KEY_LEN_AES_192 or
            QCRYPTO_CIPHER_KEY_LEN_AES_256 (16, 24 or 32 bytes).
            """
        @property
        def ok_essiv_kind(self) -> bool:
            """The data's own cipher has keys as long as essiv's hash, or is of a
            kind with keys of several lengths.
            """

    class CipherWord(KaitaiStruct):
        """The name of a cipher. QEMU knows five.

        See crypto/block-luks.c: qcrypto_block_luks_cipher_name_map
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Luks1 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Luks1 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        name: bytes
        """The name as bytes."""
        @property
        def is_aes(self) -> bool:
            """"aes" (QCRYPTO_BLOCK_LUKS_CIPHER_AES)."""
        @property
        def is_cast5(self) -> bool:
            """"cast5" (QCRYPTO_BLOCK_LUKS_CIPHER_CAST5)."""
        @property
        def is_serpent(self) -> bool:
            """"serpent" (QCRYPTO_BLOCK_LUKS_CIPHER_SERPENT)."""
        @property
        def is_twofish(self) -> bool:
            """"twofish" (QCRYPTO_BLOCK_LUKS_CIPHER_TWOFISH)."""
        @property
        def is_sm4(self) -> bool:
            """"sm4" (QCRYPTO_BLOCK_LUKS_CIPHER_SM4)."""
        @property
        def has_long_keys(self) -> bool:
            """The cipher has keys of 16, 24 and 32 bytes."""

    class ModeWords(KaitaiStruct):
        """A mode, and after a hyphen a generator of initialization vectors, such as
        "xts-plain64" or "cbc-essiv:sha256".

        See crypto/block-luks.c: qcrypto_block_luks_parse_header
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Luks1 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Luks1 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        @property
        def name(self) -> bytes:
            """The name of the mode as bytes, up to the first hyphen."""
        @property
        def has_generator(self) -> bool:
            """There is a hyphen."""
        @property
        def generator(self) -> Luks1.IvgenWords | None:
            """What follows the hyphen."""
        @property
        def is_ecb(self) -> bool:
            """"ecb" (QCRYPTO_CIPHER_MODE_ECB)."""
        @property
        def is_cbc(self) -> bool:
            """"cbc" (QCRYPTO_CIPHER_MODE_CBC)."""
        @property
        def is_xts(self) -> bool:
            """"xts" (QCRYPTO_CIPHER_MODE_XTS)."""
        @property
        def is_ctr(self) -> bool:
            """"ctr" (QCRYPTO_CIPHER_MODE_CTR)."""
        @property
        def is_essiv(self) -> bool:
            """The generator is essiv."""

    class IvgenWords(KaitaiStruct):
        """A generator of initialization vectors, and after a colon the name of a
        hash.

        See crypto/block-luks.c: qcrypto_block_luks_parse_header
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Luks1 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Luks1 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        @property
        def name(self) -> bytes:
            """The name of the generator as bytes, up to the first colon."""
        @property
        def has_hash(self) -> bool:
            """There is a colon."""
        @property
        def hash(self) -> Luks1.HashWord | None:
            """What follows the colon."""
        @property
        def len_digest(self) -> int:
            """Length of what the hash makes, in bytes; 0 where there is none, and
            where it is unknown.
            """
        @property
        def is_plain(self) -> bool:
            """"plain" (QCRYPTO_IVGEN_ALG_PLAIN)."""
        @property
        def is_plain64(self) -> bool:
            """"plain64" (QCRYPTO_IVGEN_ALG_PLAIN64)."""
        @property
        def is_essiv(self) -> bool:
            """"essiv" (QCRYPTO_IVGEN_ALG_ESSIV)."""

    class HashWord(KaitaiStruct):
        """The name of a hash. QEMU knows eight.

        See crypto/block-luks.c: qcrypto_block_luks_parse_header
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Luks1 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Luks1 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        name: bytes
        """The name as bytes."""
        @property
        def is_md5(self) -> bool:
            """"md5" (QCRYPTO_HASH_ALG_MD5)."""
        @property
        def is_sha1(self) -> bool:
            """"sha1" (QCRYPTO_HASH_ALG_SHA1)."""
        @property
        def is_sha224(self) -> bool:
            """"sha224" (QCRYPTO_HASH_ALG_SHA224)."""
        @property
        def is_sha256(self) -> bool:
            """"sha256" (QCRYPTO_HASH_ALG_SHA256)."""
        @property
        def is_sha384(self) -> bool:
            """"sha384" (QCRYPTO_HASH_ALG_SHA384)."""
        @property
        def is_sha512(self) -> bool:
            """"sha512" (QCRYPTO_HASH_ALG_SHA512)."""
        @property
        def is_ripemd160(self) -> bool:
            """"ripemd160" (QCRYPTO_HASH_ALG_RIPEMD160)."""
        @property
        def is_sm3(self) -> bool:
            """"sm3" (QCRYPTO_HASH_ALGO_SM3)."""
        @property
        def len_digest(self) -> int:
            """Length of what the hash makes, in bytes: QCRYPTO_HASH_DIGEST_LEN_MD5,
            QCRYPTO_HASH_DIGEST_LEN_SHA1, QCRYPTO_HASH_DIGEST_LEN_RIPEMD160,
            QCRYPTO_HASH_DIGEST_LEN_SHA224, QCRYPTO_HASH_DIGEST_LEN_SHA256,
            QCRYPTO_HASH_DIGEST_LEN_SM3, QCRYPTO_HASH_DIGEST_LEN_SHA384 or
            QCRYPTO_HASH_DIGEST_LEN_SHA512; 0 where the hash is unknown.
            """

    class KeySlot(KaitaiStruct):
        """One encrypted copy of the master key, 48 bytes.

        See crypto/block-luks-priv.h: QCryptoBlockLUKSKeySlot
        """

        SEQ_FIELDS: list[str]
        _io: KaitaiStream
        _parent: KaitaiStruct | None
        _root: Luks1 | None
        def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Luks1 | None = None) -> None: ...
        @classmethod
        def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
        @classmethod
        def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
        @classmethod
        def from_io(cls, io: ByteStream) -> Self: ...
        active: Luks1.KeySlotState | int
        """Whether the slot holds a key."""
        iterations: int
        """Number of PBKDF2 rounds that turn a passphrase into this slot's key."""
        salt: bytes
        """Salt of that derivation."""
        key_offset_sector: int
        """Start of the slot's key material in sectors of 512 bytes."""
        stripes: int
        """Number of stripes over which the key material is spread."""
        @property
        def is_active(self) -> bool:
            """The slot holds a key."""
        @property
        def ok_striped(self) -> bool:
            """The key is split into some stripes. QEMU from 7.2 on wants 4000."""
        @property
        def key_offset(self) -> int:
            """Start of the slot's key material in bytes."""
        @property
        def ok_stripes(self) -> bool:
            """The key is split into QCRYPTO_BLOCK_LUKS_STRIPES (4000) stripes."""
        @property
        def ok_active(self) -> bool:
            """The slot holds a key or not."""
        @property
        def ok_iterations(self) -> bool:
            """A key that the slot holds was made with some iterations."""
        @property
        def ok_offset(self) -> bool:
            """The key material starts at QCRYPTO_BLOCK_LUKS_KEY_SLOT_OFFSET (4096
            bytes) or after it.
            """

    SEQ_FIELDS: list[str]
    _io: KaitaiStream
    _parent: KaitaiStruct | None
    _root: Luks1
    def __init__(self, _io: KaitaiStream, _parent: KaitaiStruct | None = None, _root: Luks1 | None = None) -> None: ...
    @classmethod
    def from_bytes(cls, buf: bytes | bytearray | memoryview) -> Self: ...
    @classmethod
    def from_file(cls, filename: str | os.PathLike[str]) -> Self: ...
    @classmethod
    def from_io(cls, io: ByteStream) -> Self: ...
    header: Luks1.Header
    """The partition header."""
