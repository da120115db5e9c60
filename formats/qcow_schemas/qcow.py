"""What every QCOW image begins with, and all that telling the formats apart takes.

In: the first 8 bytes. Out: magic and version, as numbers. Refused: fewer than 8 bytes. Whether
the magic is right and the version known is for the reader to say; any other value is kept.
"""

from __future__ import annotations

from construct import Int32ub
from qcow_parsers.constants import QCOW_MAGIC

from .notation import Layout, Schema, default

# block/qcow.c qcow_probe and block/qcow2.c qcow2_probe look at these two fields only.
probe: Schema = Layout(
    "magic" / default(Int32ub, QCOW_MAGIC),  #     0 -   3
    "version" / Int32ub,  #     4 -   7; 1 is qcow, 2 and above are for qcow2
)
