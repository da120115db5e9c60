"""What else could the file pass for?

In: the file's beginning and its last sector. Out: `Metadata.foreign`, the names of other formats
whose signatures stand where their readers look. Refuses: nothing.

Formats whose signature is at offset 0 cannot be here: QCOW's own magic number is.
"""

from __future__ import annotations

from qcow_parsers import constants as c

from qcowspec.metadata import Metadata
from qcowspec.needs import Reading, Window

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
