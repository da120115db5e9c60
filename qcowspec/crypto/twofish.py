"""Twofish: 16 rounds of a Feistel network, with S-boxes that the key makes.

In: a key, and blocks one after the other. Out: the same blocks, encrypted or decrypted. Refuses: a
key that is not 16, 24 or 32 bytes long, with `ValueError`: the caller's mistake.

The function g of a word is looked up half a word at a time, for all blocks at once: two tables of
2^16 words hold the key's S-boxes with the matrix applied.

Source: Schneier, Kelsey, Whiting, Wagner, Hall, Ferguson: Twofish: A 128-Bit Block Cipher, 1998.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache

import numpy as np

from qcowspec.crypto.cipher import BLOCK, KEY_SIZES, Bytes, Words, blocks_of, words_of

ROUNDS = 16
WHITENING = 4
"""Words of a key that is added before the first round, and of one after the last."""

NIBBLES = (
    (
        (8, 1, 7, 13, 6, 15, 3, 2, 0, 11, 5, 9, 14, 12, 10, 4),
        (14, 12, 11, 8, 1, 2, 3, 5, 15, 4, 10, 6, 7, 0, 9, 13),
        (11, 10, 5, 14, 6, 13, 9, 0, 12, 8, 15, 3, 2, 4, 7, 1),
        (13, 7, 15, 4, 1, 2, 6, 14, 9, 11, 3, 0, 8, 5, 12, 10),
    ),
    (
        (2, 8, 11, 13, 15, 7, 6, 14, 3, 1, 9, 4, 0, 10, 12, 5),
        (1, 14, 2, 11, 4, 12, 3, 7, 6, 13, 10, 5, 15, 9, 0, 8),
        (4, 12, 7, 5, 1, 6, 9, 10, 0, 14, 13, 8, 2, 11, 3, 15),
        (11, 9, 5, 1, 12, 3, 13, 14, 6, 4, 7, 15, 2, 0, 8, 10),
    ),
)
"""The tables t0 to t3 of the byte permutations q0 and q1 (section 4.3.5)."""

ORDER = ((1, 0, 1, 0), (0, 0, 1, 1), (0, 1, 0, 1), (1, 1, 0, 0), (1, 0, 0, 1))
"""Which of q0 and q1 each byte of a word goes through: after the last stage, and before the key's
words 0, 1, 2, 3 (section 4.3.2, figure 4)."""

MDS = (
    (0x01, 0xEF, 0x5B, 0x5B),
    (0x5B, 0xEF, 0xEF, 0x01),
    (0xEF, 0x5B, 0x01, 0xEF),
    (0xEF, 0x01, 0xEF, 0x5B),
)
MDS_MODULUS = 0x169
"""The matrix that spreads a byte over a word, and its field: x^8 + x^6 + x^5 + x^3 + 1."""

RS = (
    (0x01, 0xA4, 0x55, 0x87, 0x5A, 0x58, 0xDB, 0x9E),
    (0xA4, 0x56, 0x82, 0xF3, 0x1E, 0xC6, 0x68, 0xE5),
    (0x02, 0xA1, 0xFC, 0xC1, 0x47, 0xAE, 0x3D, 0x19),
    (0xA4, 0x55, 0x87, 0x5A, 0x58, 0xDB, 0x9E, 0x03),
)
RS_MODULUS = 0x14D
"""The code that makes the S-boxes' words from the key, and its field: x^8 + x^6 + x^3 + x^2 + 1."""

STEP = 0x01010101
"""Copies a byte to all four bytes of a word."""

MASK = 0xFFFF_FFFF


class Twofish:
    """Twofish as a `BlockCipher`."""

    block_size = BLOCK

    def __init__(self, key: bytes) -> None:
        if len(key) not in KEY_SIZES:
            raise ValueError(f"Twofish has no keys of {len(key)} bytes")
        words = struct.unpack(f"<{len(key) // 4}I", key)
        self._keys = _subkeys(words[0::2], words[1::2])
        groups = [key[start : start + 8] for start in range(0, len(key), 8)]
        self._low, self._high = _halves([_reed_solomon(group) for group in reversed(groups)])

    def encrypt(self, blocks: Bytes) -> Bytes:
        """Encrypt whole blocks, each by itself, into a new array."""
        a, b, c, d = self._whitened(words_of(blocks), 0)
        for index in range(ROUNDS):
            first, second = self._f(a, b, index)
            c ^= first
            c = _rotated(c, 31)
            d = _rotated(d, 1)
            d ^= second
            a, b, c, d = c, d, a, b
        return blocks_of(self._whitened((c, d, a, b), WHITENING))

    def decrypt(self, blocks: Bytes) -> Bytes:
        """Decrypt whole blocks, each by itself, into a new array."""
        c, d, a, b = self._whitened(words_of(blocks), WHITENING)
        for index in reversed(range(ROUNDS)):
            a, b, c, d = c, d, a, b
            first, second = self._f(a, b, index)
            c = _rotated(c, 1)
            c ^= first
            d ^= second
            d = _rotated(d, 31)
        return blocks_of(self._whitened((a, b, c, d), 0))

    def _f(self, a: Words, b: Words, index: int) -> tuple[Words, Words]:
        """The round function of two words."""
        first, second = self._g(a), self._g(_rotated(b, 8))
        first += second
        second += first
        at = 2 * WHITENING + 2 * index
        first += np.uint32(self._keys[at])
        second += np.uint32(self._keys[at + 1])
        return first, second

    def _g(self, word: Words) -> Words:
        # A table of 2^16 words has every index: "wrap" skips the check of bounds.
        low = np.take(self._low, (word & np.uint32(0xFFFF)).astype(np.intp), mode="wrap")
        low ^= np.take(self._high, (word >> np.uint32(16)).astype(np.intp), mode="wrap")
        return low

    def _whitened(self, words: Sequence[Words], at: int) -> list[Words]:
        return [word ^ np.uint32(self._keys[at + i]) for i, word in enumerate(words)]


def _subkeys(even: Sequence[int], odd: Sequence[int]) -> list[int]:
    """The 40 subkeys: whitening before and after, then two a round (section 4.3.4)."""
    keys = []
    for index in range(WHITENING + ROUNDS):
        a = _h(2 * index * STEP, even)
        b = _turned(_h((2 * index + 1) * STEP, odd), 8)
        keys += [(a + b) & MASK, _turned(a + 2 * b & MASK, 9)]
    return keys


def _h(word: int, key: Sequence[int]) -> int:
    """The function h of one word (section 4.3.2)."""
    tables, out = _spread(), 0
    for place in range(4):
        out ^= int(tables[place][_boxed(word >> 8 * place & 0xFF, place, key)])
    return out


def _boxed(value: int, place: int, key: Sequence[int]) -> int:
    """One byte through the key's S-box for its place in a word."""
    for stage in reversed(range(len(key))):
        value = _q()[ORDER[stage + 1][place]][value] ^ key[stage] >> 8 * place & 0xFF
    return _q()[ORDER[0][place]][value]


def _halves(key: Sequence[int]) -> tuple[Words, Words]:
    """The function g, as a table of a word's lower half and one of its upper half."""
    columns = [
        _spread()[place][[_boxed(value, place, key) for value in range(256)]] for place in range(4)
    ]
    low, high = ((columns[at + 1][:, None] ^ columns[at][None, :]).reshape(-1) for at in (0, 2))
    return low, high


@cache
def _q() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The byte permutations q0 and q1 (section 4.3.5)."""
    first, second = (tuple(_mixed(value, t) for value in range(256)) for t in NIBBLES)
    return first, second


def _mixed(value: int, t: Sequence[Sequence[int]]) -> int:
    a, b = value >> 4, value & 15
    for left, right in (t[:2], t[2:]):
        # b is rotated by one bit, in four bits.
        a, b = a ^ b, a ^ (b >> 1 | b << 3 & 15) ^ 8 * a & 15
        a, b = left[a], right[b]
    return 16 * b + a


@cache
def _spread() -> tuple[Words, ...]:
    """The MDS matrix, by columns: 256 words for each place of a byte in a word."""
    return tuple(
        np.array(
            [
                sum(_product(MDS[row][place], v, MDS_MODULUS) << 8 * row for row in range(4))
                for v in range(256)
            ],
            np.uint32,
        )
        for place in range(4)
    )


def _reed_solomon(group: bytes) -> int:
    """The word of the S-boxes that eight bytes of the key make (section 4.3.1)."""
    word = 0
    for row, factors in enumerate(RS):
        byte = 0
        for factor, value in zip(factors, group, strict=True):
            byte ^= _product(factor, value, RS_MODULUS)
        word |= byte << 8 * row
    return word


def _product(a: int, b: int, modulus: int) -> int:
    """The product of two bytes in GF(2^8)."""
    out = 0
    for bit in range(8):
        if b >> bit & 1:
            out ^= a << bit
    for bit in reversed(range(8, 15)):
        if out >> bit & 1:
            out ^= modulus << bit - 8
    return out


def _turned(word: int, count: int) -> int:
    return (word << count | word >> 32 - count) & MASK


def _rotated(words: Words, count: int) -> Words:
    out = words << np.uint32(count)
    out |= words >> np.uint32(32 - count)
    return out
