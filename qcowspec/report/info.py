"""What ``qemu-img info`` prints about an image, under its keys.

In: an opened image, or a raw backing file. Out: plain data, in QEMU's order. Refuses: nothing.

No second file is opened and no key is needed: all of it is in the image's own metadata.

Source: block/qapi.c: bdrv_query_image_info; block/qcow2.c: qcow2_get_specific_info;
block/qcow2-bitmap.c: qcow2_get_bitmap_info_list; crypto/block-luks.c: qcrypto_block_luks_get_info.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcow_parsers import constants as c

from qcowspec.image import Image
from qcowspec.report.names import full_name
from qcowspec.sources.source import Source
from qcowspec.spec.metadata import Format, Metadata
from qcowspec.spec.units import BITS_PER_BYTE, align_up

if TYPE_CHECKING:
    from qcow_parsers import Luks1, Qcow2

Plain = dict[str, Any]

SECOND = 1_000_000_000
"""Nanoseconds."""

WORD = 1 << 64

NO_ICOUNT = WORD - 1
"""The instruction count of a snapshot that has none: -1 in the file."""

ID_ROOM, NAME_ROOM = 127, 255
"""Bytes of a snapshot's id and name that are shown: QEMUSnapshotInfo has no room for more."""

COMPRESSIONS = {
    int(c.Qcow2CompressionType.QCOW2_COMPRESSION_TYPE_ZLIB): "zlib",
    int(c.Qcow2CompressionType.QCOW2_COMPRESSION_TYPE_ZSTD): "zstd",
}
ENCRYPTIONS = {
    int(c.QcowCryptMethod.QCOW_CRYPT_AES): "aes",
    int(c.QcowCryptMethod.QCOW_CRYPT_LUKS): "luks",
}
"""QEMU's names of the header's numbers."""


def described(image: Image, name: str) -> Plain:
    """An image.

    Args:
        image: The image; it breaks no rule for which QEMU refuses it.
        name: Its file name, as it is to be shown.
    """
    header, reference = image.header, image.backing
    if reference is not None and not reference.name:
        reference = None
    data: Plain = {}
    if reference is not None and reference.format:
        data["backing-filename-format"] = text(reference.format)
    if len(image.snapshots):
        data["snapshots"] = [_snapshot(found) for found in image.snapshots]
    data["virtual-size"] = image.size
    data["filename"] = name
    data["cluster-size"] = image.geometry.cluster_size
    data["format"] = str(image.format)
    data |= _actual_size(image.source)
    if image.format is Format.QCOW2:
        data["format-specific"] = {"type": "qcow2", "data": _specific(image)}
    if reference is not None:
        full = full_name(name, reference.name)
        data["full-backing-filename"] = text(reference.name) if full is None else full
    if int(header.crypt_method):
        data["encrypted"] = True
    if reference is not None:
        data["backing-filename"] = text(reference.name)
    data["dirty-flag"] = bool(getattr(header, "has_dirty", False))
    return data


def described_raw(source: Source, name: str) -> Plain:
    """A raw file, whose size QEMU rounds up to a sector."""
    return {
        "virtual-size": align_up(source.length, c.BDRV_SECTOR_SIZE),
        "filename": name,
        "format": "raw",
        **_actual_size(source),
        "dirty-flag": False,
    }


def text(data: bytes) -> str:
    """Bytes as QEMU makes text of them: a zero byte ends it, and what is no UTF-8 is replaced."""
    return data.partition(b"\0")[0].decode("utf-8", "replace")


def _actual_size(source: Source) -> Plain:
    """What the file takes on its disk; nothing where the source does not know."""
    allocated = source.allocated()
    return {} if allocated is None else {"actual-size": allocated}


def _snapshot(entry: Qcow2.Snapshot) -> Plain:
    data: Plain = {}
    icount = getattr(entry.extra_data, "icount", None)
    if icount is not None and icount != NO_ICOUNT:
        data["icount"] = _signed(icount)
    seconds, rest = divmod(entry.vm_clock_nsec, SECOND)
    data["vm-clock-nsec"] = rest
    data["name"] = text(entry.name[:NAME_ROOM])
    data["date-sec"] = entry.date_sec
    data["date-nsec"] = entry.date_nsec
    data["vm-clock-sec"] = seconds
    data["id"] = text(entry.id_str[:ID_ROOM])
    data["vm-state-size"] = _signed(entry.effective_vm_state_size)
    return data


def _signed(number: int) -> int:
    """A 64-bit number as QEMU's schema has it."""
    return number - WORD if number >= WORD // 2 else number


def _specific(image: Image) -> Plain:
    """What only versions 2 and 3 have."""
    metadata, header = image.metadata, image.metadata.qcow2_header
    modern = header.version > c.QCOW2_MIN_VERSION
    data: Plain = {"compat": "1.1" if modern else "0.10"}
    data["compression-type"] = COMPRESSIONS[int(header.effective_compression_type)]
    if modern:
        data["lazy-refcounts"] = bool(header.has_lazy_refcounts)
        if len(image.bitmaps):
            data["bitmaps"] = [_bitmap(entry) for entry in image.bitmaps]
    data["refcount-bits"] = image.geometry.refcount_bits
    if modern and metadata.data_file is not None:
        data["data-file"] = text(metadata.data_file.name)
    if int(header.crypt_method):
        data["encrypt"] = _encryption(metadata)
    if modern:
        if header.has_data_file:
            data["data-file-raw"] = bool(header.has_data_file_raw)
        data["corrupt"] = bool(header.has_corrupt)
        data["extended-l2"] = bool(header.has_extended_l2)
    return data


def _bitmap(entry: Qcow2.BitmapDirectoryEntry) -> Plain:
    bits = c.Qcow2BitmapFlags
    flags = {"in-use": bits.BME_FLAG_IN_USE, "auto": bits.BME_FLAG_AUTO}
    return {
        "flags": [name for name, flag in flags.items() if entry.flags & flag],
        "name": text(entry.name),
        "granularity": 1 << entry.granularity_bits,
    }


def _encryption(metadata: Metadata) -> Plain:
    method = ENCRYPTIONS[int(metadata.qcow2_header.crypt_method)]
    luks = metadata.luks
    if luks is None:
        return {"format": method}
    mode, _, rest = text(luks.cipher_mode).partition("-")
    generator, _, hashed = rest.partition(":")
    data: Plain = {
        "ivgen-alg": generator,
        "hash-alg": text(luks.hash_spec),
        "cipher-alg": _cipher(text(luks.cipher_name), luks.master_key_len, mode),
        "uuid": text(luks.uuid),
    }
    if generator == c.QCRYPTO_IVGEN_ALG_ESSIV:  # the others have none, whatever the field holds
        data["ivgen-hash-alg"] = hashed
    data["format"] = method
    data["cipher-mode"] = mode
    data["slots"] = [_slot(slot) for slot in luks.key_slots]
    data["payload-offset"] = luks.payload_offset
    data["master-key-iters"] = luks.master_key_iterations
    return data


def _cipher(name: str, key_size: int, mode: str) -> str:
    """What QEMU calls a cipher with keys of so many bytes (qapi/crypto.json: QCryptoCipherAlgo)."""
    if name == c.QCRYPTO_BLOCK_LUKS_CIPHER_SM4:  # it has keys of one length, and no number
        return name
    keys = 2 if mode == c.QCRYPTO_CIPHER_MODE_XTS else 1
    return f"{name}-{key_size // keys * BITS_PER_BYTE}"


def _slot(slot: Luks1.KeySlot) -> Plain:
    if not slot.is_active:
        return {"active": False, "key-offset": slot.key_offset}
    return {
        "active": True,
        "iters": slot.iterations,
        "key-offset": slot.key_offset,
        "stripes": slot.stripes,
    }
