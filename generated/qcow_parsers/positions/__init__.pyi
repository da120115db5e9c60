# Generated from formats/kaitai by tools/generate.py: do not edit.
"""The same parsers, which also note where each field starts and ends: call `_read()`, then look into `_debug`."""

from typing import Any

Luks1: Any
Qcow: Any
Qcow1: Any
Qcow2: Any

__all__ = ["Luks1", "Qcow", "Qcow1", "Qcow2"]
