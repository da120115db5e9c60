"""The rules about the LUKS header and its key slots.

Source: crypto/block-luks.c: qcrypto_block_luks_check_header, qcrypto_block_luks_parse_header.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from qcow_parsers import Luks1
from qcow_parsers import constants as c

from qcowspec.spec.metadata import Metadata
from qcowspec.spec.predicates.binding import decides
from qcowspec.spec.units import align_up

UINT32 = 1 << 32
"""QEMU computes with sectors and with the length of key material in this many values."""

HEADER_SECTORS = c.QCRYPTO_BLOCK_LUKS_KEY_SLOT_OFFSET // c.QCRYPTO_BLOCK_LUKS_SECTOR_SIZE
"""Sectors before the first key material, and what the material's length is rounded up to."""

KEY_LENGTHS: Mapping[str, frozenset[int]] = {
    c.QCRYPTO_BLOCK_LUKS_CIPHER_AES: frozenset(
        {
            c.QCRYPTO_CIPHER_KEY_LEN_AES_128,
            c.QCRYPTO_CIPHER_KEY_LEN_AES_192,
            c.QCRYPTO_CIPHER_KEY_LEN_AES_256,
        }
    ),
    c.QCRYPTO_BLOCK_LUKS_CIPHER_CAST5: frozenset({c.QCRYPTO_CIPHER_KEY_LEN_CAST5_128}),
    c.QCRYPTO_BLOCK_LUKS_CIPHER_SERPENT: frozenset(
        {
            c.QCRYPTO_CIPHER_KEY_LEN_SERPENT_128,
            c.QCRYPTO_CIPHER_KEY_LEN_SERPENT_192,
            c.QCRYPTO_CIPHER_KEY_LEN_SERPENT_256,
        }
    ),
    c.QCRYPTO_BLOCK_LUKS_CIPHER_TWOFISH: frozenset(
        {
            c.QCRYPTO_CIPHER_KEY_LEN_TWOFISH_128,
            c.QCRYPTO_CIPHER_KEY_LEN_TWOFISH_192,
            c.QCRYPTO_CIPHER_KEY_LEN_TWOFISH_256,
        }
    ),
    c.QCRYPTO_BLOCK_LUKS_CIPHER_SM4: frozenset({c.QCRYPTO_CIPHER_KEY_LEN_SM4}),
}
"""The ciphers, and the lengths that their keys may have."""

DIGEST_LENGTHS: Mapping[str, int] = {
    c.QCRYPTO_HASH_ALG_MD5: c.QCRYPTO_HASH_DIGEST_LEN_MD5,
    c.QCRYPTO_HASH_ALG_SHA1: c.QCRYPTO_HASH_DIGEST_LEN_SHA1,
    c.QCRYPTO_HASH_ALG_SHA224: c.QCRYPTO_HASH_DIGEST_LEN_SHA224,
    c.QCRYPTO_HASH_ALG_SHA256: c.QCRYPTO_HASH_DIGEST_LEN_SHA256,
    c.QCRYPTO_HASH_ALG_SHA384: c.QCRYPTO_HASH_DIGEST_LEN_SHA384,
    c.QCRYPTO_HASH_ALG_SHA512: c.QCRYPTO_HASH_DIGEST_LEN_SHA512,
    c.QCRYPTO_HASH_ALG_RIPEMD160: c.QCRYPTO_HASH_DIGEST_LEN_RIPEMD160,
    c.QCRYPTO_HASH_ALGO_SM3: c.QCRYPTO_HASH_DIGEST_LEN_SM3,
}
"""The hashes, and the lengths of what they make."""

MODES = frozenset(
    {
        c.QCRYPTO_CIPHER_MODE_ECB,
        c.QCRYPTO_CIPHER_MODE_CBC,
        c.QCRYPTO_CIPHER_MODE_XTS,
        c.QCRYPTO_CIPHER_MODE_CTR,
    }
)
GENERATORS = frozenset(
    {c.QCRYPTO_IVGEN_ALG_PLAIN, c.QCRYPTO_IVGEN_ALG_PLAIN64, c.QCRYPTO_IVGEN_ALG_ESSIV}
)
ESSIV_CIPHERS = frozenset(
    {
        c.QCRYPTO_BLOCK_LUKS_CIPHER_AES,
        c.QCRYPTO_BLOCK_LUKS_CIPHER_SERPENT,
        c.QCRYPTO_BLOCK_LUKS_CIPHER_TWOFISH,
    }
)
"""Ciphers of which essiv may use another one, of a longer or shorter key, than the data."""


class Mode(NamedTuple):
    """The parts of a cipher mode such as ``cbc-essiv:sha256``; None where they are missing."""

    name: str
    generator: str | None
    hash: str | None


def _word(field: bytes) -> str:
    """A text field up to its zero byte; bytes that no name has stay different from all names."""
    return field.partition(b"\0")[0].decode("latin-1")


def _mode(header: Luks1.Header) -> Mode:
    name, hyphen, rest = _word(header.cipher_mode).partition("-")
    generator, colon, digest = rest.partition(":")
    return Mode(name, generator if hyphen else None, digest if colon else None)


def _key_length(header: Luks1.Header) -> int:
    """Bytes of the cipher's key; XTS takes two of them."""
    keys = 2 if _mode(header).name == c.QCRYPTO_CIPHER_MODE_XTS else 1
    return header.master_key_len // keys


# --- the header -----------------------------------------------------------------------------------


@decides("encryption/luks-cipher-name-terminated")
def cipher_name_terminated(header: Luks1.Header, image: Metadata) -> bool:
    """The cipher's name ends in its field."""
    return b"\0" in header.cipher_name


@decides("encryption/luks-cipher-mode-terminated")
def cipher_mode_terminated(header: Luks1.Header, image: Metadata) -> bool:
    """The cipher mode ends in its field."""
    return b"\0" in header.cipher_mode


@decides("encryption/luks-hash-spec-terminated")
def hash_spec_terminated(header: Luks1.Header, image: Metadata) -> bool:
    """The hash's name ends in its field."""
    return b"\0" in header.hash_spec


@decides("encryption/luks-payload-offset")
def payload_offset(header: Luks1.Header, image: Metadata) -> bool:
    """The payload begins behind the header."""
    return header.payload_offset_sector >= HEADER_SECTORS


@decides("encryption/luks-master-key-iterations")
def master_key_iterations(header: Luks1.Header, image: Metadata) -> bool:
    """The digest was made with iterations."""
    return header.master_key_iterations > 0


@decides("encryption/luks-cipher-mode-format")
def cipher_mode_format(header: Luks1.Header, image: Metadata) -> bool:
    """The cipher mode has a generator."""
    return _mode(header).generator is not None


@decides("encryption/luks-ivgen-hash")
def ivgen_hash(header: Luks1.Header, image: Metadata) -> bool:
    """The hash that the cipher mode names, if any, is known."""
    digest = _mode(header).hash
    return digest is None or digest in DIGEST_LENGTHS


@decides("encryption/luks-ivgen-hash-sm3")
def ivgen_hash_sm3(header: Luks1.Header, image: Metadata) -> bool:
    """The hash that the cipher mode names is one that QEMU has always known."""
    return _mode(header).hash != c.QCRYPTO_HASH_ALGO_SM3


@decides("encryption/luks-cipher-mode")
def cipher_mode(header: Luks1.Header, image: Metadata) -> bool:
    """The mode is known."""
    return _mode(header).name in MODES


@decides("encryption/luks-cipher-name")
def cipher_name(header: Luks1.Header, image: Metadata) -> bool:
    """The cipher is known, and has keys of this length."""
    return _key_length(header) in KEY_LENGTHS.get(_word(header.cipher_name), ())


@decides("encryption/luks-cipher-sm4")
def cipher_sm4(header: Luks1.Header, image: Metadata) -> bool:
    """The cipher is one that QEMU has always known."""
    return _word(header.cipher_name) != c.QCRYPTO_BLOCK_LUKS_CIPHER_SM4


@decides("encryption/luks-hash-spec")
def hash_spec(header: Luks1.Header, image: Metadata) -> bool:
    """The hash is known."""
    return _word(header.hash_spec) in DIGEST_LENGTHS


@decides("encryption/luks-hash-sm3")
def hash_sm3(header: Luks1.Header, image: Metadata) -> bool:
    """The hash is one that QEMU has always known."""
    return _word(header.hash_spec) != c.QCRYPTO_HASH_ALGO_SM3


@decides("encryption/luks-ivgen")
def ivgen(header: Luks1.Header, image: Metadata) -> bool:
    """The generator is known."""
    return _mode(header).generator in GENERATORS


@decides("encryption/luks-essiv-hash")
def essiv_hash(header: Luks1.Header, image: Metadata) -> bool:
    """The generator essiv has a hash."""
    mode = _mode(header)
    return mode.generator != c.QCRYPTO_IVGEN_ALG_ESSIV or mode.hash is not None


def _essiv_digest(header: Luks1.Header) -> int | None:
    """Bytes of essiv's hash; None where the data's own cipher has such keys, or without essiv."""
    mode = _mode(header)
    digest = DIGEST_LENGTHS.get(mode.hash or "")
    if mode.generator != c.QCRYPTO_IVGEN_ALG_ESSIV or digest == _key_length(header):
        return None
    return digest


@decides("encryption/luks-essiv-cipher")
def essiv_cipher(header: Luks1.Header, image: Metadata) -> bool:
    """A cipher of the data's kind has keys as long as essiv's hash."""
    digest, name = _essiv_digest(header), _word(header.cipher_name)
    return digest is None or name not in ESSIV_CIPHERS or digest in KEY_LENGTHS[name]


@decides("encryption/luks-essiv-kind")
def essiv_kind(header: Luks1.Header, image: Metadata) -> bool:
    """The data's cipher itself has keys as long as essiv's hash, or others of its kind may."""
    return _essiv_digest(header) is None or _word(header.cipher_name) in ESSIV_CIPHERS


# --- the key slots, one turn each -----------------------------------------------------------------


def _end(slot: Luks1.KeySlot, header: Luks1.Header) -> int:
    """The sector behind a slot's material, as QEMU counts it."""
    length = header.master_key_len * slot.stripes % UINT32
    sectors = -(-length // c.QCRYPTO_BLOCK_LUKS_SECTOR_SIZE)
    return (slot.key_offset_sector + align_up(sectors, HEADER_SECTORS)) % UINT32


def _header(image: Metadata) -> Luks1.Header:
    assert image.luks is not None
    return image.luks


@decides("encryption/luks-slot-stripes")
def slot_stripes(slot: Luks1.KeySlot, image: Metadata) -> bool:
    """The key is split into as many stripes as LUKS has it."""
    return slot.stripes == c.QCRYPTO_BLOCK_LUKS_STRIPES


@decides("encryption/luks-slot-active")
def slot_active(slot: Luks1.KeySlot, image: Metadata) -> bool:
    """The slot is in use or not."""
    return isinstance(slot.active, Luks1.KeySlotState)


@decides("encryption/luks-slot-iterations")
def slot_iterations(slot: Luks1.KeySlot, image: Metadata) -> bool:
    """A slot in use was made with iterations."""
    return slot.iterations > 0 or not slot.is_active


@decides("encryption/luks-slot-offset")
def slot_offset(slot: Luks1.KeySlot, image: Metadata) -> bool:
    """The material begins behind the header."""
    return slot.key_offset_sector >= HEADER_SECTORS


@decides("encryption/luks-slot-payload")
def slot_payload(slot: Luks1.KeySlot, image: Metadata) -> bool:
    """The material ends before the payload."""
    header = _header(image)
    return _end(slot, header) <= header.payload_offset_sector


@decides("encryption/luks-slot-overlap")
def slot_overlap(slot: Luks1.KeySlot, image: Metadata) -> bool:
    """The material lies apart from that of all later slots."""
    header = _header(image)
    end = _end(slot, header)
    return not any(
        end > later.key_offset_sector and _end(later, header) > slot.key_offset_sector
        for later in header.key_slots[image.turn.index + 1 :]
    )
