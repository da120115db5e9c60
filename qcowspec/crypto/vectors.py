"""Initialization vectors: one for each sector, from its number.

In: sector numbers. Out: vectors, many in one call. Refuses: nothing.

Source: crypto/ivgen-plain.c, crypto/ivgen-plain64.c, crypto/ivgen-essiv.c.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from qcowspec.crypto.cipher import BlockCipher, Bytes

Sectors = npt.NDArray[np.uint64]
"""Sector numbers: shape (n,)."""

Generator = Callable[[Sectors, int], Bytes]
"""From sector numbers and the bytes of a vector to vectors one after the other."""

NUMBER_SIZE = 8
"""Bytes of a sector number."""

SHORT = np.uint64(0xFFFF_FFFF)
"""The bits of a sector number that ``plain`` uses; ``plain64`` uses all."""


def plain(sectors: Sectors, size: int) -> Bytes:
    """The sector number's low 32 bits, little endian, then zeros."""
    return _padded(sectors & SHORT, size)


def plain64(sectors: Sectors, size: int) -> Bytes:
    """The sector number, little endian, then zeros."""
    return _padded(sectors, size)


def essiv(cipher: BlockCipher) -> Generator:
    """Vectors that are the sector number, encrypted.

    Args:
        cipher: The cipher, with a hash of the data's key as its key.
    """

    def generate(sectors: Sectors, size: int) -> Bytes:
        blocks = cipher.encrypt(_padded(sectors, cipher.block_size))
        if size == cipher.block_size:
            return blocks
        return np.ascontiguousarray(blocks.reshape(len(sectors), -1)[:, :size]).reshape(-1)

    return generate


def _padded(numbers: Sectors, size: int) -> Bytes:
    vectors = np.zeros((len(numbers), size), np.uint8)
    encoded = numbers.astype("<u8").view(np.uint8).reshape(len(numbers), NUMBER_SIZE)
    vectors[:, :NUMBER_SIZE] = encoded[:, :size]
    return vectors.reshape(-1)
