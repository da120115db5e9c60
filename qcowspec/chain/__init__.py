"""The layers of a virtual disk: an image, its data file, and its chain of backing files.

In: an opened image, and a gate. Out: `Layer`s, each opened when it is needed. Refuses: what the
gate refuses, loops, chains that are too long, and files that QEMU would not open.
"""

from __future__ import annotations

from qcowspec.chain.layers import Layer
from qcowspec.chain.links import Chain

__all__ = ["Chain", "Layer"]
