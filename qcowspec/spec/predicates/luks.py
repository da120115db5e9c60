"""The rules about the places of a LUKS header's key slots.

Source: crypto/block-luks.c: qcrypto_block_luks_check_header.
"""

from __future__ import annotations

from qcow_parsers import Luks1
from qcow_parsers import constants as c

from qcowspec.spec.metadata import Metadata
from qcowspec.spec.predicates.binding import decides
from qcowspec.spec.units import align_up

UINT32 = 1 << 32
"""QEMU computes with sectors and with the length of key material in this many values."""

HEADER_SECTORS = c.QCRYPTO_BLOCK_LUKS_KEY_SLOT_OFFSET // c.QCRYPTO_BLOCK_LUKS_SECTOR_SIZE
"""Sectors before the first key material, and what the material's length is rounded up to."""


def _end(slot: Luks1.KeySlot, header: Luks1.Header) -> int:
    """The sector behind a slot's material, as QEMU counts it."""
    length = header.master_key_len * slot.stripes % UINT32
    sectors = -(-length // c.QCRYPTO_BLOCK_LUKS_SECTOR_SIZE)
    return (slot.key_offset_sector + align_up(sectors, HEADER_SECTORS)) % UINT32


def _header(image: Metadata) -> Luks1.Header:
    assert image.luks is not None
    return image.luks


@decides("encryption/luks-slot-payload")
def slot_payload(slot: Luks1.KeySlot, image: Metadata) -> bool:
    """The material ends before the payload. Reads the LUKS header."""
    header = _header(image)
    return _end(slot, header) <= header.payload_offset_sector


@decides("encryption/luks-slot-overlap")
def slot_overlap(slot: Luks1.KeySlot, image: Metadata) -> bool:
    """The material lies apart from that of all later slots. Reads the later slots."""
    header = _header(image)
    end = _end(slot, header)
    return not any(
        end > later.key_offset_sector and _end(later, header) > slot.key_offset_sector
        for later in header.key_slots[image.turn.index + 1 :]
    )
