"""The rules about the encryption method, where the LUKS header lies, and its key slots.

Source of those about key slots: crypto/block-luks.c: qcrypto_block_luks_check_header.
"""

from __future__ import annotations

from qcow_parsers import Luks1, Qcow2
from qcow_parsers import constants as c

from qcowspec.spec.metadata import Metadata
from qcowspec.spec.predicates.binding import decides
from qcowspec.spec.units import align_up

LUKS = int(c.QcowCryptMethod.QCOW_CRYPT_LUKS)


@decides("encryption/crypto-method", reads="the header")
def crypto_method(extension: Qcow2.HeaderExtension, image: Metadata) -> bool:
    """Only an image encrypted with LUKS points at a LUKS header."""
    return (
        int(extension.magic) != c.QCOW2_EXT_MAGIC_CRYPTO_HEADER
        or int(image.qcow2_header.crypt_method) == LUKS
    )


@decides("encryption/crypto-present", "encryption/crypto-followed", reads="the extensions")
def crypto_present(header: Qcow2.Header, image: Metadata) -> bool:
    """An image encrypted with LUKS points at a LUKS header."""
    return (
        int(header.crypt_method) != LUKS or c.QCOW2_EXT_MAGIC_CRYPTO_HEADER in image.extension_types
    )


@decides("encryption/crypto-offset", reads="the header")
def crypto_offset(pointer: Qcow2.CryptoExtension, image: Metadata) -> bool:
    """The LUKS header begins at a cluster."""
    return pointer.offset % image.qcow2_header.cluster_size == 0


@decides("encryption/untrusted-headers", reads="the extensions")
def untrusted_headers(pointer: Qcow2.CryptoExtension, image: Metadata) -> bool:
    """Earlier extensions point at fewer LUKS headers than are read here, or at this one."""
    known = image.luks_headers
    return len(known) < c.POLICY_MAX_LUKS_HEADERS or pointer.offset in known


# --- key slots ------------------------------------------------------------------------------------

UINT32 = 1 << 32
"""QEMU computes with sectors and with the length of key material in this many values."""

HEADER_SECTORS = c.QCRYPTO_BLOCK_LUKS_KEY_SLOT_OFFSET // c.QCRYPTO_BLOCK_LUKS_SECTOR_SIZE
"""Sectors before the first key material, and what the material's length is rounded up to."""


def _end(slot: Luks1.KeySlot, header: Luks1.Header) -> int:
    """The sector where a slot's material ends, as QEMU counts it."""
    length = header.master_key_len * slot.stripes % UINT32
    sectors = -(-length // c.QCRYPTO_BLOCK_LUKS_SECTOR_SIZE)
    return (slot.key_offset_sector + align_up(sectors, HEADER_SECTORS)) % UINT32


@decides("encryption/luks-slot-payload", reads="the LUKS header")
def slot_payload(slot: Luks1.KeySlot, image: Metadata) -> bool:
    """The material ends before the payload."""
    assert image.luks is not None
    return _end(slot, image.luks) <= image.luks.payload_offset_sector


@decides("encryption/luks-slot-overlap", reads="the other entries of its table")
def slot_overlap(slot: Luks1.KeySlot, image: Metadata) -> bool:
    """The material lies apart from that of all later slots."""
    header = image.luks
    assert header is not None
    end = _end(slot, header)
    return not any(
        end > later.key_offset_sector and _end(later, header) > slot.key_offset_sector
        for later in header.key_slots[image.turn.index + 1 :]
    )
