"""Values as Python source.

Comes in: what TOML and YAML hold. Goes out: literals that read back as the same value.
"""

import json


def literal(value: object) -> str:
    """A value as Python; texts in double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        inner = ", ".join(literal(each) for each in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def hexadecimal(value: int) -> str:
    """A mask or a magic: as wide as the word that it is for."""
    digits = 16 if value >= 1 << 32 else 8 if value >= 1 << 16 else 0
    return f"0x{value:0{digits}x}" if digits else f"{value:#x}"
