"""The virtual disk as the guest sees it.

In: a chain of layers. Out: bytes. Refuses: what QEMU fails to read, and what the gate refuses.
"""

from __future__ import annotations

from qcowspec.guest.disk import Disk
from qcowspec.guest.reader import DiskReader

__all__ = ["Disk", "DiskReader"]
