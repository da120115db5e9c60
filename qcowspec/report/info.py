"""What ``qemu-img info`` prints about an image, under its keys.

In: an opened image, or a raw backing file. Out: plain data, in QEMU's order. Refuses: a data file
that the gate does not open, where QEMU opens it.

No key is needed, and no second file but for a QEMU without the change ``data-file-later``: all of
it is in the image's own metadata.

Source: block/qapi.c: bdrv_query_image_info; block/qcow2.c: qcow2_get_specific_info;
block/qcow2-bitmap.c: qcow2_get_bitmap_info_list; crypto/block-luks.c: qcrypto_block_luks_get_info.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcow_parsers import constants as c

from qcowspec.chain.layers import open_data_file
from qcowspec.image import Image
from qcowspec.report.names import full_name
from qcowspec.sources.local import LocalFile
from qcowspec.sources.source import Source
from qcowspec.spec.metadata import Format, Metadata
from qcowspec.spec.profiles import OUTPUT, has
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


def described(image: Image, name: str, like: str = OUTPUT, *, given: str | None = None) -> Plain:
    """An image.

    Args:
        image: The image; it breaks no rule for which QEMU refuses it.
        name: Its file name, as it is to be shown.
        like: Whose description: ``qemu``, or ``qemu@10.0`` for a version of it.
        given: Its name before links were followed; None for the name that it was opened by.

    Raises:
        Refused: This QEMU counts the data file's size as well, and the gate does not open it.
        Unsupported: The data file cannot be opened.
        ValueError: There is no such profile.
    """
    header, reference = image.header, image.backing
    if reference is not None and not reference.name:
        reference = None
    data = _children(image.source, name, like)
    if reference is not None and reference.format:
        data["backing-filename-format"] = text(reference.format)
    if len(image.snapshots):
        data["snapshots"] = snapshots(image)
    data["virtual-size"] = image.size
    data["filename"] = name
    data["cluster-size"] = image.geometry.cluster_size
    data["format"] = str(image.format)
    files = [image.source]
    if image.has_data_file and not has(like, "data-file-later"):
        files.append(
            open_data_file(image.metadata, image.source, image.gate, given or image.source.place)
        )
    data |= _actual_size(*files)
    for file in files[1:]:
        file.close()
    if image.format is Format.QCOW2:
        data["format-specific"] = {"type": "qcow2", "data": _specific(image, like)}
    if reference is not None:
        full = full_name(name, reference.name)
        data["full-backing-filename"] = text(reference.name) if full is None else full
    if int(header.crypt_method):
        data["encrypted"] = True
    if reference is not None:
        data["backing-filename"] = text(reference.name)
    data["dirty-flag"] = has(like, "dirty-flag") and bool(getattr(header, "has_dirty", False))
    return data


def snapshots(image: Image) -> list[Plain]:
    """The internal snapshots."""
    return [_snapshot(found) for found in image.snapshots]


def described_raw(source: Source, name: str, like: str = OUTPUT) -> Plain:
    """A raw file, whose size QEMU rounds up to a sector."""
    return {
        **_children(source, name, like),
        "virtual-size": align_up(source.length, c.BDRV_SECTOR_SIZE),
        "filename": name,
        "format": "raw",
        **_actual_size(source),
        "dirty-flag": False,
    }


def text(data: bytes) -> str:
    """Bytes as QEMU makes text of them: a zero byte ends it, and what is no UTF-8 is replaced."""
    return data.partition(b"\0")[0].decode("utf-8", "replace")


def _children(source: Source, name: str, like: str) -> Plain:
    """The file that an image is in, as a node of QEMU's block graph; its name is the image's."""
    if not has(like, "block-graph"):
        return {}
    driver = _driver(source)
    info: Plain = {
        "children": [],
        "virtual-size": align_up(source.length, c.BDRV_SECTOR_SIZE),
        "filename": name,
        "format": driver,
        **_actual_size(source),
    }
    if isinstance(source, LocalFile):
        info |= {"format-specific": {"type": driver, "data": {}}, "dirty-flag": False}
    return {"children": [{"name": "file", "info": info}]}


def _driver(source: Source) -> str:
    """QEMU's name of what reads a file; of a URL its scheme."""
    if isinstance(source, LocalFile):
        return "host_device" if source.is_device else "file"
    scheme, is_url, _ = source.name.partition("://")
    return scheme if is_url else "file"


def _actual_size(*files: Source) -> Plain:
    """What files take on their disk; nothing where a source does not know."""
    sizes = [file.allocated() for file in files]
    known = [size for size in sizes if size is not None]
    return {"actual-size": sum(known)} if len(known) == len(sizes) else {}


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


def _specific(image: Image, like: str) -> Plain:
    """What only versions 2 and 3 have."""
    metadata, header = image.metadata, image.metadata.qcow2_header
    modern = header.version > c.QCOW2_MIN_VERSION
    data: Plain = {"compat": "1.1" if modern else "0.10"}
    data["compression-type"] = COMPRESSIONS[int(header.effective_compression_type)]
    if modern:
        data["lazy-refcounts"] = bool(header.has_lazy_refcounts)
        if len(image.bitmaps):
            data["bitmaps"] = [bitmap(entry) for entry in image.bitmaps]
    data["refcount-bits"] = image.geometry.refcount_bits
    if modern and metadata.data_file is not None:
        data["data-file"] = text(metadata.data_file.name)
    if int(header.crypt_method):
        data["encrypt"] = _encryption(metadata, like)
    if modern:
        if header.has_data_file:
            data["data-file-raw"] = bool(header.has_data_file_raw)
        data["corrupt"] = bool(header.has_corrupt)
        data["extended-l2"] = bool(header.has_extended_l2)
    return data


def bitmap(entry: Qcow2.BitmapDirectoryEntry) -> Plain:
    """An entry of the bitmap directory."""
    bits = c.Qcow2BitmapFlags
    flags = {"in-use": bits.BME_FLAG_IN_USE, "auto": bits.BME_FLAG_AUTO}
    return {
        "flags": [name for name, flag in flags.items() if entry.flags & flag],
        "name": text(entry.name),
        "granularity": 1 << entry.granularity_bits,
    }


def _encryption(metadata: Metadata, like: str) -> Plain:
    method = ENCRYPTIONS[int(metadata.qcow2_header.crypt_method)]
    luks = metadata.luks
    if luks is None:
        return {"format": method}
    mode, _, rest = text(luks.cipher_mode).partition("-")
    generator, _, hashed = rest.partition(":")
    data: Plain = {"ivgen-alg": generator}
    if has(like, "detached-header"):
        data["detached-header"] = False
    data |= {
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
