"""What every QCOW image begins with, and all that telling the formats apart takes.

In: the first 8 bytes. Out: magic and version, as numbers. Refused: fewer than 8 bytes. Whether
the magic is right and the version known is for the reader to say; any other value is kept.
"""

from __future__ import annotations

from typing import Final

from construct import Int32ub

from .notation import Layout, Schema, default

# "QFI\xfb", read as a big-endian number: QEMU's QCOW_MAGIC, the same in all versions.
MAGIC: Final = 0x514649FB

# block/qcow.c qcow_probe and block/qcow2.c qcow2_probe look at these two fields only.
probe: Schema = Layout(
    "magic" / default(Int32ub, MAGIC),  #     0 -   3
    "version" / Int32ub,  #     4 -   7; 1 is qcow, 2 and above are for qcow2
)
