"""Modes of a block cipher, over whole sectors, many in one call.

In: sectors as they are stored, and their initialization vectors. Out: the sectors in the clear.
Refuses: nothing: the caller checks lengths.

A mode chains blocks within a sector only: all blocks of all sectors go through the cipher in one
call, and the chained blocks are XORed in afterwards.

Source: crypto/cipher.c and its back ends, crypto/xts.c; NIST SP 800-38A and 38E.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from qcow_parsers import constants as c

from qcowspec.crypto.cipher import BlockCipher, Bytes

SECTOR = c.QCRYPTO_BLOCK_LUKS_SECTOR_SIZE

Words = npt.NDArray[np.uint64]

WORD = 8
"""Bytes of the words in which XOR is done."""

WORD_BITS = np.uint64(63)
"""The shift that leaves a word's top bit."""


class Mode(Protocol):
    """One mode, with its cipher and key.

    Attributes:
        vector_size: Bytes of an initialization vector; 0 if the mode has none.
    """

    vector_size: int

    def decrypt(self, sectors: Bytes, vectors: Bytes, out: Bytes) -> None:
        """Decrypt n sectors.

        Args:
            sectors: n times 512 bytes.
            vectors: n times `vector_size` bytes.
            out: n times 512 bytes; may be `sectors` itself.
        """
        ...


class Ecb:
    """Each block by itself."""

    vector_size = 0

    def __init__(self, cipher: BlockCipher) -> None:
        self._cipher = cipher

    def decrypt(self, sectors: Bytes, vectors: Bytes, out: Bytes) -> None:
        """Decrypt n sectors; there are no vectors."""
        out[:] = self._cipher.decrypt(sectors)


class Cbc:
    """Each block XORed with the stored block before it, the first one with the vector."""

    def __init__(self, cipher: BlockCipher) -> None:
        self._cipher = cipher
        self.vector_size = cipher.block_size

    def decrypt(self, sectors: Bytes, vectors: Bytes, out: Bytes) -> None:
        """Decrypt n sectors."""
        n, ahead = len(vectors) // self.vector_size, self.vector_size // WORD
        clear = _words(self._cipher.decrypt(sectors)).reshape(n, -1)
        stored, into = _words(sectors).reshape(n, -1), _words(out).reshape(n, -1)
        # The chained part first: `out` may be `sectors`, which is read here.
        clear[:, ahead:] ^= stored[:, :-ahead]
        clear[:, :ahead] ^= _words(vectors).reshape(n, -1)
        into[:] = clear


class Ctr:
    """The encrypted values of a counter that starts at the vector, big endian, are XORed in."""

    def __init__(self, cipher: BlockCipher) -> None:
        self._cipher = cipher
        self.vector_size = cipher.block_size

    def decrypt(self, sectors: Bytes, vectors: Bytes, out: Bytes) -> None:
        """Decrypt n sectors."""
        size = self.vector_size
        start = vectors.view(">u8").astype(np.uint64).reshape(-1, size // WORD)
        steps = np.arange(SECTOR // size, dtype=np.uint64)
        counters = np.empty((len(start), len(steps), size // WORD), ">u8")
        low = start[:, -1:] + steps
        counters[:, :, -1] = low
        if size > WORD:
            counters[:, :, 0] = start[:, :1] + (low < start[:, -1:])  # the carry
        stream = self._cipher.encrypt(counters.reshape(-1).view(np.uint8))
        np.bitwise_xor(_words(stream), _words(sectors), out=_words(out))


class Xts:
    """Each block XORed before and after with a tweak: the encrypted vector times alpha^block.

    alpha is the element x of GF(2^128) modulo x^128 + x^7 + x^2 + x + 1, in which a block's first
    byte is the lowest.
    """

    def __init__(self, data: BlockCipher, tweak: BlockCipher) -> None:
        self._data = data
        self._tweak = tweak
        self.vector_size = data.block_size

    def decrypt(self, sectors: Bytes, vectors: Bytes, out: Bytes) -> None:
        """Decrypt n sectors."""
        tweaks = tweaks_of(self._tweak.encrypt(vectors), SECTOR // self.vector_size)
        masked = _words(sectors) ^ tweaks
        clear = self._data.decrypt(masked.view(np.uint8))
        np.bitwise_xor(_words(clear), tweaks, out=_words(out))


def tweaks_of(encrypted: Bytes, blocks: int) -> Words:
    """The tweaks of all blocks of n sectors.

    Args:
        encrypted: The encrypted vectors: n times 16 bytes.
        blocks: Blocks of a sector; at most 56, so that no bit shifted out is shifted out again.

    Returns:
        Words of shape (n * blocks * 2,), in the order of the bytes.
    """
    halves = encrypted.view("<u8").reshape(-1, 1, 2)
    low, high = halves[:, :, 0], halves[:, :, 1]
    steps = np.arange(blocks, dtype=np.uint64)
    up, down = steps, WORD_BITS - steps
    one = np.uint64(1)
    # alpha^k shifts by k bits; the bits shifted out come back, times 1 + x + x^2 + x^7.
    carried = (high >> one) >> down
    tweaks = np.empty((len(halves), blocks, 2), "<u8")
    tweaks[:, :, 0] = (low << up) ^ carried ^ (carried << one) ^ (carried << np.uint64(2))
    tweaks[:, :, 0] ^= carried << np.uint64(7)
    tweaks[:, :, 1] = (high << up) | ((low >> one) >> down)
    return tweaks.reshape(-1)


def _words(data: Bytes) -> Words:
    """Bytes as words, for XOR: their order does not matter."""
    return data.view(np.uint64)
