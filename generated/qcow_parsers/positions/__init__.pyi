# Generated from formats/kaitai by tools/generate.py: do not edit.
"""The same parsers, which also note where each field starts and ends: call `_read()`, then look into `_debug`."""

from .luks1 import Luks1 as Luks1
from .qcow import Qcow as Qcow
from .qcow1 import Qcow1 as Qcow1
from .qcow2 import Qcow2 as Qcow2

__all__ = ["Luks1", "Qcow", "Qcow1", "Qcow2"]
