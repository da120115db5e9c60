"""Sizes as qemu-img takes them: 4096, 64k, 1.5G, 0x10000.

In: a word. Out: bytes. Refuses: what qemu-img refuses: no number, a fraction of a byte, too much.

Source: util/cutils.c: do_strtosz; qemu-img.c: cvtnum.
"""

from __future__ import annotations

import re

LIMIT = 1 << 63
UNITS = "BKMGTPE"
SIZE = re.compile(
    r"\s*(?:0[xX]([0-9a-fA-F]{1,40})|([0-9]{1,40}(?:\.[0-9]{0,40})?))([bkmgtpeBKMGTPE]?)"
)


def size(word: str) -> int:
    """A number of bytes.

    Raises:
        ValueError: The word is not a size.
    """
    from fractions import Fraction

    found = SIZE.fullmatch(word)
    if found is None:
        raise ValueError(
            f"{word!r} is no size: a number, optionally followed by k, M, G, T, P or E"
        )
    hexadecimal, decimal, unit = found.groups()
    number = Fraction(int(hexadecimal, 16) if hexadecimal else decimal.removesuffix("."))
    factor = 1 << 10 * UNITS.index(unit.upper() or "B")
    if factor == 1 and number.denominator != 1:
        raise ValueError(f"{word!r} is no size: bytes have no fractions")
    whole = int(number * factor + Fraction(1, 2))
    if whole >= LIMIT:
        raise ValueError(f"{word!r} is not below 8 EiB")
    return whole
