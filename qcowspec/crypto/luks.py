"""LUKS1 inside a qcow2 image: from a passphrase to the master key.

In: the LUKS header that opening read and judged, and a passphrase. Out: a decryptor. Refuses: a
passphrase that opens no key slot, and work without bounds.

Source: crypto/block-luks.c: qcrypto_block_luks_load_key, qcrypto_block_luks_find_key;
crypto/afsplit.c: qcrypto_afsplit_decode.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import TYPE_CHECKING

import numpy as np
from qcow_parsers import constants as c

from qcowspec.crypto.sectors import SECTOR, Mode, SectorCipher, UnknownCipher, digest
from qcowspec.errors import BY_KIND, Malformed, Unsupported
from qcowspec.metadata import Metadata
from qcowspec.rules import BY_ID
from qcowspec.source import Source
from qcowspec.units import align_up

if TYPE_CHECKING:
    from qcow_parsers import Luks1


def open_luks(metadata: Metadata, source: Source, passphrase: bytes) -> SectorCipher:
    """The decryptor of a LUKS image; see `qcowspec.crypto.unlock`."""
    header, where = metadata.luks, metadata.crypto_extension
    if header is None or where is None:
        raise Malformed("is encrypted with LUKS, and has no LUKS header", path=source.name)
    name, mode = word(header.cipher_name), mode_of(header)
    try:
        enabled = [slot for slot in header.key_slots if slot.is_active]
        for slot in enabled:
            key = _opened(header, slot, source, where.offset, passphrase)
            if key is not None:
                return SectorCipher(name, mode, key, physical=True)
    except UnknownCipher as error:
        raise Unsupported(
            f"is encrypted with {error}, which is not known here", path=source.name
        ) from error
    row = BY_ID["encryption/luks-unlock"]
    raise BY_KIND[row.kind](
        row.message.format(value=len(enabled)).rstrip("."),
        rule=row.id,
        stage=row.stage,
        field=f"luks_header.{row.field}",
        value=len(enabled),
        path=source.name,
    )


def word(field: bytes) -> str:
    """A text field up to its zero byte."""
    return field.partition(b"\0")[0].decode("latin-1")


def mode_of(header: Luks1.Header) -> Mode:
    """The cipher's mode, taken apart."""
    name, _, rest = word(header.cipher_mode).partition("-")
    generator, _, hashed = rest.partition(":")
    return Mode(name, generator or None, hashed or None)


def _opened(
    header: Luks1.Header, slot: Luks1.KeySlot, source: Source, start: int, passphrase: bytes
) -> bytes | None:
    """The master key, if the passphrase opens a key slot."""
    name, size = word(header.hash_spec), header.master_key_len
    key = _derived(name, passphrase, slot.salt, slot.iterations, size, source)
    length = size * slot.stripes
    if slot.stripes > c.QCRYPTO_BLOCK_LUKS_STRIPES:
        raise Malformed(f"has a key slot of {slot.stripes} stripes", path=source.name)
    padded = align_up(length, SECTOR)
    material = source.read_at(start + slot.key_offset, padded).ljust(padded, b"\0")
    # The material's sectors count from its own beginning, with a key of their own.
    cipher = SectorCipher(word(header.cipher_name), mode_of(header), key, physical=True)
    merged = _merged(cipher.decrypt(material, 0)[:length], size, slot.stripes, name)
    proof = _derived(
        name,
        merged,
        header.master_key_salt,
        header.master_key_iterations,
        c.QCRYPTO_BLOCK_LUKS_DIGEST_LEN,
        source,
    )
    return merged if hmac.compare_digest(proof, header.master_key_digest) else None


def _derived(
    name: str, secret: bytes, salt: bytes, iterations: int, size: int, source: Source
) -> bytes:
    """PBKDF2, with a bound on what an image may have us compute."""
    if iterations > c.POLICY_MAX_PBKDF2_ITERATIONS:
        raise Unsupported(
            f"has a key that takes {iterations} iterations, more than"
            f" {c.POLICY_MAX_PBKDF2_ITERATIONS}",
            path=source.name,
        )
    try:
        return hashlib.pbkdf2_hmac(name, secret, salt, iterations, size)
    except ValueError as error:
        raise UnknownCipher(f"hash {name}") from error


def _merged(material: bytes, size: int, stripes: int, name: str) -> bytes:
    """The key that stripes were split from: each is XORed and diffused, but the last."""
    rows = np.frombuffer(material, np.uint8).reshape(stripes, size)
    block = np.zeros(size, np.uint8)
    for row in rows[:-1]:
        block = np.frombuffer(_diffused((block ^ row).tobytes(), name), np.uint8)
    key: bytes = (block ^ rows[-1]).tobytes()
    return key


def _diffused(block: bytes, name: str) -> bytes:
    """A block, hashed piece by piece with the piece's number before it."""
    size = len(digest(name, b""))
    pieces = [
        digest(name, struct.pack(">I", index) + block[at : at + size])[: len(block) - at]
        for index, at in enumerate(range(0, len(block), size))
    ]
    return b"".join(pieces)
