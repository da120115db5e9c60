"""Encrypts the guest data of an image that was built in the clear.

In: the bytes of an image, a passphrase, names of a cipher. Out: the same image, its data clusters
encrypted in place; for LUKS the header and the key material that go into it. Refuses: ciphers other
than AES.

Keys and salts are the same every time, and protect nothing. The code shares nothing with
`qcowspec.crypto`, which decrypts, so that neither hides the other's mistakes.

Source: block/qcow.c, block/qcow2-cluster.c; crypto/block-qcow.c, block-luks.c, afsplit.c,
ivgen-*.c.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from qcow_parsers import constants as c

from qcowspec.build import structure
from qcowspec.image import lay_open
from qcowspec.mapping.extents import Kind

SECTOR = c.BDRV_SECTOR_SIZE
STRIPES, FIRST, SLOTS = 4000, 8, 8
"""Of LUKS version 1: stripes of a split key, the sector where the first slot's begins, slots."""

ACTIVE, INACTIVE = 0x00AC71F3, 0x0000DEAD
ITERATIONS = 1000
MODES = {"xts-plain64": "xts", "cbc-plain64": "cbc", "cbc-essiv:sha256": "essiv"}


@dataclass(frozen=True, slots=True)
class Luks:
    """How an image is encrypted.

    Attributes:
        passphrase: The passphrase of `slot`, the only active key slot.
        key_size: Bytes of the key; that of XTS consists of two keys.
        mode: As in the header, such as ``xts-plain64``.
        digest: Name of the hash.
    """

    passphrase: bytes
    key_size: int = 64
    mode: str = "xts-plain64"
    digest: str = "sha256"
    slot: int = 0

    @property
    def key(self) -> bytes:
        """The key of the data."""
        return noise("key", self.key_size)


def noise(name: str, size: int) -> bytes:
    """Bytes that look random, and are the same every time."""
    return hashlib.shake_256(f"qcowspec kit {name}".encode()).digest(size)


def with_aes(image: bytes, passphrase: bytes) -> bytes:
    """An image encrypted by AES-128 without LUKS: the key is the passphrase."""
    key = passphrase[:16].ljust(16, b"\0")
    return _encrypted(image, key, "cbc", physical=False)


def with_luks(image: bytes, luks: Luks) -> bytes:
    """An image whose LUKS header is in place already, its data encrypted."""
    return _encrypted(image, luks.key, MODES[luks.mode], physical=True)


def _encrypted(image: bytes, key: bytes, mode: str, *, physical: bool) -> bytes:
    made = bytearray(image)
    with lay_open(image) as opened:
        runs = [run for run in opened.runs() if run.kind is Kind.DATA]
    for run in runs:
        assert run.host_offset is not None
        first = run.host_offset if physical else run.offset
        # The last cluster is encrypted whole, past the end of the disk.
        plain = bytes(made[run.host_offset : run.host_offset + run.length])
        made[run.host_offset : run.host_offset + run.length] = sectors(
            plain, key, mode, first // SECTOR
        )
    return bytes(made)


def sectors(plain: bytes, key: bytes, mode: str, first: int) -> bytes:
    """Sectors encrypted one by one, from number `first` on.

    `mode` is ``cbc`` or ``xts``, whose initialisation vector is the sector's number, or ``essiv``.
    """
    pieces = []
    for number, start in enumerate(range(0, len(plain), SECTOR), first):
        vector: Any = number.to_bytes(8, "little").ljust(16, b"\0")
        if mode == "essiv":
            salt = hashlib.sha256(key).digest()
            vector = _run(algorithms.AES(salt), modes.ECB(), vector)  # noqa: S305 - the format's
        chosen = modes.XTS(vector) if mode == "xts" else modes.CBC(vector)
        pieces.append(_run(algorithms.AES(key), chosen, plain[start : start + SECTOR]))
    return b"".join(pieces)


def _run(algorithm: Any, mode: Any, data: bytes) -> bytes:
    encryptor = Cipher(algorithm, mode).encryptor()
    return bytes(encryptor.update(data) + encryptor.finalize())


def luks_header(luks: Luks) -> bytes:
    """The LUKS header, and the key material up to the end of the slot that is used."""
    material = -(-luks.key_size * STRIPES // (SECTOR * FIRST)) * FIRST
    salt, key_salt = noise("slot salt", 32), noise("key salt", 32)
    places = [FIRST + number * material for number in range(SLOTS)]
    slots = [
        {
            "active": ACTIVE if number == luks.slot else INACTIVE,
            "iterations": ITERATIONS if number == luks.slot else 0,
            "salt": salt if number == luks.slot else bytes(32),
            "key_offset_sector": place,
            "stripes": STRIPES,
        }
        for number, place in enumerate(places)
    ]
    header = structure(
        "luks1::header",
        {
            "cipher_name": b"aes".ljust(32, b"\0"),
            "cipher_mode": luks.mode.encode().ljust(32, b"\0"),
            "hash_spec": luks.digest.encode().ljust(32, b"\0"),
            "payload_offset_sector": places[-1] + material,
            "master_key_len": luks.key_size,
            "master_key_digest": hashlib.pbkdf2_hmac(
                luks.digest, luks.key, key_salt, ITERATIONS, 20
            ),
            "master_key_salt": key_salt,
            "master_key_iterations": ITERATIONS,
            "uuid": b"00000000-0000-4000-8000-000000000000".ljust(40, b"\0"),
            "key_slots": slots,
        },
    )
    slot_key = hashlib.pbkdf2_hmac(luks.digest, luks.passphrase, salt, ITERATIONS, luks.key_size)
    split = _split(luks.key, luks.digest)
    split = split.ljust(-(-len(split) // SECTOR) * SECTOR, b"\0")
    at = places[luks.slot] * SECTOR
    return header.ljust(at, b"\0") + sectors(split, slot_key, MODES[luks.mode], 0)


def _split(key: bytes, digest: str) -> bytes:
    """A key spread over many stripes, all of which are needed (crypto/afsplit.c)."""
    stripes = []
    block = bytes(len(key))
    filling = noise("stripes", len(key) * (STRIPES - 1))
    for start in range(0, len(filling), len(key)):
        stripe = filling[start : start + len(key)]
        stripes.append(stripe)
        block = _diffused(_xor(block, stripe), digest)
    return b"".join((*stripes, _xor(block, key)))


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _diffused(block: bytes, digest: str) -> bytes:
    size = hashlib.new(digest).digest_size
    pieces = [
        hashlib.new(digest, number.to_bytes(4, "big") + block[start : start + size]).digest()[
            : len(block) - start
        ]
        for number, start in enumerate(range(0, len(block), size))
    ]
    return b"".join(pieces)
