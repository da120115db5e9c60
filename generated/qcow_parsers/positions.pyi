# Generated from tools/generator/positions.py by tools/generate.py: do not edit.
from typing import Any

Luks1: Any
Qcow: Any
Qcow1: Any
Qcow2: Any
