"""The interface of block ciphers, and what those of four words a block share.

In: nothing. Out: types; blocks as words, and back. Refuses: nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
"""Bytes one after the other: shape (n,), dtype uint8, contiguous."""

Words = npt.NDArray[np.uint32]
"""One word of n blocks: shape (n,)."""

BLOCK = 16
"""Bytes of a block of four words."""

KEY_SIZES = (16, 24, 32)
"""Bytes of the keys that Serpent and Twofish take."""


class BlockCipher(Protocol):
    """One cipher with one key. It has no state: any number of threads may use it.

    Attributes:
        block_size: Bytes of a block.
    """

    block_size: int

    def encrypt(self, blocks: Bytes) -> Bytes:
        """Encrypt whole blocks, each by itself, into a new array."""
        ...

    def decrypt(self, blocks: Bytes) -> Bytes:
        """Decrypt whole blocks, each by itself, into a new array."""
        ...


def words_of(blocks: Bytes) -> list[Words]:
    """The four words of each block, little endian: four new arrays."""
    rows = blocks.view("<u4").reshape(-1, 4)
    return [rows[:, i].astype(np.uint32) for i in range(4)]


def blocks_of(words: Sequence[Words]) -> Bytes:
    """The blocks that four arrays of words make up; see `words_of`."""
    rows = np.empty((len(words[0]), 4), "<u4")
    for index, word in enumerate(words):
        rows[:, index] = word
    return rows.view(np.uint8).reshape(-1)
