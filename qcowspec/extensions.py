"""EXTENSIONS: what stands between the header and the end of its area, and the LUKS header.

In: the area from header_length to the backing file name or the end of the first cluster.
Out: `Metadata.extensions`, the feature names, the data file's name, the LUKS header.
Refuses: to follow an extension that does not fit its area: what comes after it has no known place.

Source: docs/interop/qcow2, Header extensions; block/qcow2.c: qcow2_read_extensions.
"""

from __future__ import annotations

from qcow_parsers import Luks1, Qcow2
from qcow_parsers import constants as c

from qcowspec.metadata import Metadata, Reference
from qcowspec.needs import Reading, Window
from qcowspec.rules import Judge
from qcowspec.structures import Part
from qcowspec.units import HostOffset, align_up

HEAD = 8
"""Bytes of an extension's magic and length, and the step to which extensions are padded."""


def read(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    """Read the extensions, then what they point at."""
    header = image.qcow2_header
    start, end = header.effective_header_length, min(header.extensions_end, header.cluster_size)
    offset, sound = start, True
    while sound and end - offset >= HEAD:
        extension = yield from _read_one(image, window, offset, end)
        sound = judge("extensions", image.extensions.parts[-1], extension)
        _note(image, extension, HostOffset(offset + HEAD))
        if int(extension.magic) == c.QCOW2_EXT_MAGIC_END:
            break
        offset += align_up(HEAD + extension.len, HEAD)
    judge.header("extensions")
    sound = judge.header("encryption") and sound
    return (yield from _read_luks(image, window, judge)) and sound


def _read_one(
    image: Metadata, window: Window, offset: int, end: int
) -> Reading[Qcow2.HeaderExtension]:
    head = yield from window.read_zero_filled(offset, HEAD)
    name = f"header_extensions[{len(image.extensions)}]"
    claimed = Part(name, Qcow2.HeaderExtension, HostOffset(offset), head).parse().len
    # One that claims more than its area holds is cut there; the rule about it then says so.
    length = min(align_up(HEAD + claimed, HEAD), end - offset)
    data = yield from window.read_zero_filled(offset, length)
    part = Part(name, Qcow2.HeaderExtension, HostOffset(offset), data)
    image.extensions.parts.append(part)
    return part.parse()


def _note(image: Metadata, extension: Qcow2.HeaderExtension, offset: HostOffset) -> None:
    """Keep what later stages ask for; of several of one kind QEMU heeds the last."""
    data = extension.data
    if isinstance(data, Qcow2.FeatureNameTable):
        for entry in data.entries:
            name = entry.name.partition(b"\0")[0]
            if not name:  # QEMU stops at the first unnamed entry
                break
            image.feature_names.setdefault((int(entry.type), entry.bit), name)
    elif isinstance(data, Qcow2.DataFile):
        name = data.data_file.partition(b"\0")[0]
        image.data_file = Reference(name, offset, len(data.data_file))
    elif isinstance(data, Qcow2.BackingFormat):
        image.backing_format = data.format.partition(b"\0")[0]
    elif isinstance(data, Qcow2.BitmapsExtension):
        image.bitmaps_extension = data
    elif isinstance(data, Qcow2.CryptoExtension):
        image.crypto_extension = data


def _read_luks(image: Metadata, window: Window, judge: Judge) -> Reading[bool]:
    pointer = image.crypto_extension
    if pointer is None or int(image.qcow2_header.crypt_method) != c.QcowCryptMethod.QCOW_CRYPT_LUKS:
        return True
    if pointer.offset > c.BDRV_MAX_LENGTH - c.QCRYPTO_BLOCK_LUKS_HEADER_SIZE:
        return False
    data = yield from window.read_zero_filled(pointer.offset, c.QCRYPTO_BLOCK_LUKS_HEADER_SIZE)
    part = Part("luks_header", Luks1.Header, HostOffset(pointer.offset), data)
    image.luks, image.luks_part = part.parse(), part
    return judge("encryption", part, image.luks)
