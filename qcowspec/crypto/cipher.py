"""What a block cipher is, whoever brings it.

In: nothing. Out: types. Refuses: nothing.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
"""Bytes one after the other: shape (n,), dtype uint8, contiguous."""


class BlockCipher(Protocol):
    """One cipher under one key. It keeps no state: any number of threads may use it.

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
