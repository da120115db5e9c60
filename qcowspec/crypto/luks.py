"""LUKS1: from a passphrase through a key slot to the master key.

In: a LUKS header that breaks no rule, the image's bytes, a passphrase. Out: a `Decryptor`, by
offsets in the file that holds the data. Refuses: a passphrase that opens no enabled key slot, key
material outside the encryption header, and too many PBKDF2 iterations.

Source: crypto/block-luks.c: qcrypto_block_luks_find_key, qcrypto_block_luks_load_key;
crypto/afsplit.c; LUKS on-disk format 1.2.1.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, NamedTuple

from qcow_parsers import constants as c

from qcowspec.crypto.blocks import block_cipher
from qcowspec.crypto.decryptor import Decryptor
from qcowspec.crypto.modes import Cbc, Ctr, Ecb, Mode, Xts
from qcowspec.crypto.sectors import SectorDecryptor
from qcowspec.crypto.vectors import Generator, essiv, plain, plain64
from qcowspec.errors import QcowError, Unsupported, Value
from qcowspec.sources.source import Source
from qcowspec.spec.rules import BY_ID, error_of
from qcowspec.spec.sentences import sentence
from qcowspec.spec.structures import Part, place
from qcowspec.spec.units import align_up

if TYPE_CHECKING:
    from qcow_parsers import Luks1, Qcow2

SECTOR = c.QCRYPTO_BLOCK_LUKS_SECTOR_SIZE

INDEX_SIZE = 4
"""Bytes of a chunk's index, big endian, as the anti-forensic splitter hashes it."""


class Suite(NamedTuple):
    """The algorithms of one LUKS volume, by their names in the header.

    Attributes:
        cipher: Such as ``aes``.
        mode: Such as ``xts``.
        generator: Such as ``essiv``.
        generator_hash: The hash of essiv; else empty.
        hash: The hash that derives keys.
    """

    cipher: str
    mode: str
    generator: str
    generator_hash: str = ""
    hash: str = ""


class Volume(NamedTuple):
    """What all key slots of one image share.

    Attributes:
        part: The LUKS header as bytes.
        header: The same, parsed.
        pointer: Where it is in the image file, and how long it is with its key material.
        source: The image file.
        suite: How the volume encrypts.
        key_size: Bytes of the master key; two keys with XTS.
    """

    part: Part[Luks1.Header]
    header: Luks1.Header
    pointer: Qcow2.CryptoExtension
    source: Source
    suite: Suite
    key_size: int

    @classmethod
    def of(cls, part: Part[Luks1.Header], pointer: Qcow2.CryptoExtension, source: Source) -> Volume:
        """The volume of a header that breaks no rule."""
        header = part.parse()
        return cls(part, header, pointer, source, suite_of(header), header.master_key_len)

    def error(self, message: str, field: str, value: Value) -> QcowError:
        """Why no slot opens."""
        at = place(self.part, field)
        rule = "encryption/luks-unlock"
        return error_of(rule, value, offset=at.offset, field=at.field, message=message)


def unlock_luks(
    part: Part[Luks1.Header], pointer: Qcow2.CryptoExtension, source: Source, passphrase: bytes
) -> Decryptor:
    """Find the master key, and make the decryptor.

    Args:
        part: The LUKS header; it breaks no rule of QEMU's.
        pointer: Where the header is in the image file, and how long it is with its key material.
        source: The image file.
        passphrase: UTF-8 text without a zero byte.

    Raises:
        Unsupported: No enabled key slot opens.
    """
    volume = Volume.of(part, pointer, source)
    _hash(volume.suite.hash, b"")
    return decryptor_of(volume.suite, _find_key(volume, passphrase))


def suite_of(header: Luks1.Header) -> Suite:
    """The suite of a header that breaks no rule."""
    cipher, mode, digest = (
        field.partition(b"\0")[0].decode("ascii")
        for field in (header.cipher_name, header.cipher_mode, header.hash_spec)
    )
    mode, _, rest = mode.partition("-")
    generator, _, generator_hash = rest.partition(":")
    return Suite(cipher, mode, generator, generator_hash, digest)


def decryptor_of(suite: Suite, key: bytes, *, physical: bool = True) -> SectorDecryptor:
    """The decryptor under one key, which is two keys with XTS.

    Args:
        suite: How sectors are encrypted.
        key: The key.
        physical: See `Decryptor`.

    Raises:
        Unsupported: The libraries here lack the cipher or the hash.
    """
    return SectorDecryptor(_mode(suite, key), _generator(suite, key), physical=physical)


def _mode(suite: Suite, key: bytes) -> Mode:
    name = suite.cipher
    if suite.mode == c.QCRYPTO_CIPHER_MODE_XTS:
        half = len(key) // 2
        data = block_cipher(name, key[:half])
        if data.block_size != XTS_BLOCK:
            raise Unsupported(
                f"The mode {suite.mode} takes blocks of {XTS_BLOCK} bytes; those of {suite.cipher}"
                f" have {data.block_size}.",
                rule="encryption/luks-cipher-mode",
                stage="encryption",
                field="luks_header.cipher_mode",
                value=suite.mode,
            )
        return Xts(data, block_cipher(name, key[half:]))
    cipher = block_cipher(name, key)
    if suite.mode == c.QCRYPTO_CIPHER_MODE_CBC:
        return Cbc(cipher)
    return Ctr(cipher) if suite.mode == c.QCRYPTO_CIPHER_MODE_CTR else Ecb(cipher)


XTS_BLOCK = 16
"""Bytes of a block that XTS is defined for (crypto/xts.h: XTS_BLOCK_SIZE)."""


def _generator(suite: Suite, key: bytes) -> Generator:
    if suite.generator == c.QCRYPTO_IVGEN_ALG_ESSIV:
        # The hash's length is the key length: aes-128 with sha256 makes its vectors with aes-256
        # (qcrypto_block_luks_essiv_cipher). Both keys of XTS are hashed.
        return essiv(block_cipher(suite.cipher, _hash(suite.generator_hash, key)))
    return plain if suite.generator == c.QCRYPTO_IVGEN_ALG_PLAIN else plain64


# --- the key slots --------------------------------------------------------------------------------


def _find_key(volume: Volume, passphrase: bytes) -> bytes:
    """The master key, from the first slot that the passphrase opens."""
    enabled = [(i, slot) for i, slot in enumerate(volume.header.key_slots) if slot.is_active]
    left, passed_over = c.POLICY_MAX_PBKDF2_ROUNDS, None
    for index, slot in enabled:
        work = _rounds(volume, slot)
        if work > left:
            passed_over = passed_over or (index, slot)
            continue
        left -= work
        key = _open_slot(volume, index, slot, passphrase)
        if key is not None:
            return key
    if passed_over is not None:
        index, slot = passed_over
        raise volume.error(
            f"Key slot {index} takes {slot.iterations} iterations, and the master key's digest"
            f" {volume.header.master_key_iterations}: more work than this reader does for one"
            " image. qemu-img amend can write the slot anew.",
            f"key_slots[{index}].iterations",
            slot.iterations,
        )
    message = sentence(BY_ID["encryption/luks-unlock"], len(enabled))
    if passphrase.endswith(b"\n"):
        message += " The passphrase ends with a line feed, which counts."
    raise volume.error(message, "key_slots", len(enabled))


def _rounds(volume: Volume, slot: Luks1.KeySlot) -> int:
    """The cost of trying a slot: each block of the hash in a key takes all iterations."""
    block = hashlib.new(volume.suite.hash, usedforsecurity=False).digest_size
    digest_blocks = -(-c.QCRYPTO_BLOCK_LUKS_DIGEST_LEN // block)
    digest: int = volume.header.master_key_iterations * digest_blocks
    return digest + slot.iterations * -(-volume.key_size // block)


def _open_slot(volume: Volume, index: int, slot: Luks1.KeySlot, passphrase: bytes) -> bytes | None:
    """The master key from one slot; None if the passphrase does not open it."""
    size, header, suite = volume.key_size, volume.header, volume.suite
    material = _material(volume, index, slot)
    slot_key = _derive(suite.hash, passphrase, slot.salt, slot.iterations, size)
    split = decryptor_of(suite, slot_key).decrypt(material, 0)
    key = merge(suite.hash, split[: size * slot.stripes], size)
    digest = _derive(
        suite.hash,
        key,
        header.master_key_salt,
        header.master_key_iterations,
        c.QCRYPTO_BLOCK_LUKS_DIGEST_LEN,
    )
    return key if hmac.compare_digest(digest, header.master_key_digest) else None


def _material(volume: Volume, index: int, slot: Luks1.KeySlot) -> bytes:
    """A slot's encrypted stripes, with zeros to a whole sector."""
    length = volume.key_size * slot.stripes
    start, pointer = slot.key_offset, volume.pointer
    if start + length > pointer.length:
        # QEMU gives up here, even if a later slot would open (qcow2_crypto_hdr_read_func).
        raise volume.error(
            f"The material of key slot {index} ends behind the encryption header of"
            f" {pointer.length} bytes.",
            f"key_slots[{index}].key_offset_sector",
            slot.key_offset_sector,
        )
    # The rule encryption/luks-slot-stripes bounds the length: 4000 times a key of 64 bytes.
    data = volume.source.read_at(pointer.offset + start, length)
    return data.ljust(align_up(length, SECTOR), b"\0")


def merge(hash_name: str, split: bytes, size: int) -> bytes:
    """Join a key that was split into stripes (crypto/afsplit.c: qcrypto_afsplit_decode).

    Args:
        hash_name: The hash that spreads each bit over the key.
        split: The stripes, one after the other.
        size: Bytes of the key, and of a stripe.
    """
    block = 0
    last = len(split) - size
    for start in range(0, last, size):
        block ^= int.from_bytes(split[start : start + size], "big")
        block = int.from_bytes(_diffuse(hash_name, block.to_bytes(size, "big")), "big")
    return (block ^ int.from_bytes(split[last:], "big")).to_bytes(size, "big")


def _diffuse(hash_name: str, block: bytes) -> bytes:
    """Each chunk of a hash's length becomes its hash (crypto/afsplit.c)."""
    step = hashlib.new(hash_name, usedforsecurity=False).digest_size
    return b"".join(
        _hash(hash_name, index.to_bytes(INDEX_SIZE, "big") + block[start : start + step])[
            : len(block) - start
        ]
        for index, start in enumerate(range(0, len(block), step))
    )


def _derive(hash_name: str, secret: bytes, salt: bytes, iterations: int, size: int) -> bytes:
    try:
        return hashlib.pbkdf2_hmac(hash_name, secret, salt, iterations, size)
    except ValueError as error:
        raise _no_hash(hash_name) from error


def _hash(name: str, data: bytes) -> bytes:
    try:
        return hashlib.new(name, data, usedforsecurity=False).digest()
    except ValueError as error:
        raise _no_hash(name) from error


def _no_hash(name: str) -> Unsupported:
    return Unsupported(
        f"The hash {name!r} is missing from the OpenSSL that this Python uses.",
        rule="encryption/luks-hash-spec",
        stage="encryption",
        field="luks_header.hash_spec",
        value=name,
    )
