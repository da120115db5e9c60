"""Which other image formats could a file be?

In: the beginning and the last sector of a QCOW image; or the beginning and the name of another
file. Out: `Metadata.foreign`, the formats whose signatures stand where their readers look; or
QEMU's driver that claims the file. Refuses: nothing.

A QCOW image has no signature of another format at offset 0, where QCOW's own magic number is. Any
other file may have one, and QEMU then does not take it for raw.

Source: block.c: find_image_format, bdrv_probe_all; the probe functions of block/*.c.
"""

from __future__ import annotations

from collections.abc import Callable

from qcow_parsers import constants as c

from qcowspec.reader.needs import Reading, Window
from qcowspec.spec.metadata import Metadata

SIGNATURES: dict[str, tuple[int, bytes]] = {
    "ISO 9660": (c.FOREIGN_ISO9660_OFFSET, c.FOREIGN_ISO9660.encode()),
    "VDI": (c.FOREIGN_VDI_OFFSET, c.FOREIGN_VDI.to_bytes(4, "little")),
    "VHD": (-c.FOREIGN_VHD_FROM_END, c.FOREIGN_VHD.encode()),
    "DMG": (-c.FOREIGN_DMG_FROM_END, c.FOREIGN_DMG.encode()),
    "GPT": (c.FOREIGN_GPT_OFFSET, c.FOREIGN_GPT.encode()),
    "MBR": (c.FOREIGN_MBR_OFFSET, c.FOREIGN_MBR.to_bytes(2, "little")),
}
"""Each format's signature: its offset, from the end of the file where it is negative."""

BEGINNING = max(offset + len(magic) for offset, magic in SIGNATURES.values())
"""Bytes of the file's beginning that hold all signatures that stand there."""

END = -min(offset for offset, _ in SIGNATURES.values())
"""The same of its end."""


def read(image: Metadata, window: Window) -> Reading[None]:
    """Look for the signatures of others; at the end only where the file's length is known."""
    beginning = yield from window.read(0, BEGINNING)
    end, start_of_end = b"", 0
    if image.length is not None and image.length >= END:
        start_of_end = image.length - END
        end = yield from window.read(start_of_end, END)
    for name, (offset, magic) in SIGNATURES.items():
        there = end[offset + END :] if offset < 0 else beginning[offset:]
        if there.startswith(magic):
            image.foreign.add(name)


PROBED = c.BLOCK_PROBE_BUF_SIZE
"""Bytes of a file's beginning by which QEMU's drivers claim it."""


def claimant(start: bytes, name: str | None) -> str | None:
    """QEMU's driver that claims a file of unstated format, which no QCOW driver claims.

    Args:
        start: Its first `PROBED` bytes; fewer only where it ends.
        name: Its name, links not followed; None if a ``json:`` description names it.

    Returns:
        The driver's name; None if the file is raw, as an empty one always is.
    """
    if not start:
        return None
    found = start.ljust(PROBED, b"\0")
    for driver, claims in PROBES.items():
        if claims(found):
            return driver
    # These two bid less than any signature, and dmg was registered later, which decides.
    if name is not None and len(name) > len(SUFFIX) and name.endswith(SUFFIX):
        return "dmg"
    return "cloop" if found.startswith(f"{c.FOREIGN_CLOOP}\n".encode()) else None


SUFFIX = c.FOREIGN_DMG_SUFFIX


def _bochs(found: bytes) -> bool:
    texts = (
        (0, c.FOREIGN_BOCHS),
        (c.FOREIGN_BOCHS_TYPE_OFFSET, c.FOREIGN_BOCHS_TYPE),
        (c.FOREIGN_BOCHS_SUBTYPE_OFFSET, c.FOREIGN_BOCHS_SUBTYPE),
    )
    at = c.FOREIGN_BOCHS_VERSION_OFFSET
    version = int.from_bytes(found[at : at + 4], "little")
    return version in (c.FOREIGN_BOCHS_V1, c.FOREIGN_BOCHS_V2) and all(
        found.startswith(text.encode() + b"\0", offset) for offset, text in texts
    )


def _luks(found: bytes) -> bool:
    end = c.QCRYPTO_BLOCK_LUKS_MAGIC_LEN
    version = int.from_bytes(found[end : end + 2])
    return (found[:end], version) == (
        c.QCRYPTO_BLOCK_LUKS_MAGIC,
        c.QCRYPTO_BLOCK_LUKS_VERSION,
    )


def _parallels(found: bytes) -> bool:
    texts = (c.FOREIGN_PARALLELS.encode(), c.FOREIGN_PARALLELS_EXT.encode())
    behind = len(texts[0])
    version = int.from_bytes(found[behind : behind + 4], "little")
    return found.startswith(texts) and version == c.FOREIGN_PARALLELS_VERSION


def _vmdk(found: bytes) -> bool:
    if int.from_bytes(found[:4]) in (c.VMDK3_MAGIC, c.VMDK4_MAGIC):
        return True
    # A descriptor is a text; comments and lines of spaces come before its first line.
    for line in found.split(b"\n")[:-1]:
        if line.startswith(b"#"):
            continue
        if line.startswith(b" ") and line.lstrip(b" ") in (b"", b"\r"):
            continue
        first = c.FOREIGN_VMDK_DESCRIPTOR
        texts = {f"{first}{n}".encode() for n in range(1, c.FOREIGN_VMDK_VERSION_MAXIMUM + 1)}
        return line.removesuffix(b"\r") in texts
    return False


PROBES: dict[str, Callable[[bytes], bool]] = {
    "bochs": _bochs,
    "luks": _luks,
    "parallels": _parallels,
    "qed": lambda found: int.from_bytes(found[:4], "little") == c.QED_MAGIC,
    "vdi": lambda found: found.startswith(SIGNATURES["VDI"][1], c.FOREIGN_VDI_OFFSET),
    "vhdx": lambda found: found.startswith(c.FOREIGN_VHDX.encode()),
    "vmdk": _vmdk,
    "vpc": lambda found: found.startswith(c.FOREIGN_VHD.encode()),
}
"""What each driver looks for in the first 512 bytes; each bids 100 where it finds it."""

DRIVERS = frozenset({*PROBES, "cloop", "dmg"})
"""QEMU's drivers of image formats that are not read here."""
