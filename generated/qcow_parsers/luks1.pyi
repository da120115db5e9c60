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

    class KeySlot(KaitaiStruct):
        """One encrypted copy of the master key, 48 bytes.

        See crypto/block-luks-priv.h: QCryptoBlockLUKSKeySlot
        """

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
