"""Serpent: 32 rounds of a 4-bit S-box, a linear mixing, and a round key.

In: a key, and blocks one after the other. Out: the same blocks, encrypted or decrypted. Refuses: a
key that is not 16, 24 or 32 bytes long, with `ValueError`: the caller's mistake.

A block is four words, and an S-box takes one bit of each: it is computed on whole words, here on
arrays of them, one array for each word of all blocks. The boxes are tables; each is turned into the
polynomials over GF(2) of its four output bits.

Source: Anderson, Biham, Knudsen: Serpent: A Proposal for the Advanced Encryption Standard.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache

import numpy as np

from qcowspec.crypto.cipher import BLOCK, KEY_SIZES, Bytes, Words, blocks_of, words_of

ROUNDS = 32

GOLDEN = 0x9E3779B9
"""The fraction of the golden ratio, which the key schedule mixes in."""

BOXES = (
    (3, 8, 15, 1, 10, 6, 5, 11, 14, 13, 4, 2, 7, 0, 9, 12),
    (15, 12, 2, 7, 9, 0, 5, 10, 1, 11, 14, 8, 6, 13, 3, 4),
    (8, 6, 7, 9, 3, 12, 10, 15, 13, 1, 14, 4, 0, 11, 5, 2),
    (0, 15, 11, 8, 12, 9, 6, 3, 13, 1, 2, 4, 10, 7, 5, 14),
    (1, 15, 8, 3, 12, 0, 11, 6, 2, 5, 4, 10, 9, 14, 7, 13),
    (15, 5, 2, 11, 4, 10, 9, 12, 0, 3, 14, 8, 13, 6, 7, 1),
    (7, 2, 12, 5, 8, 4, 6, 11, 14, 9, 1, 15, 13, 3, 10, 0),
    (1, 13, 15, 0, 14, 8, 2, 11, 7, 4, 12, 10, 9, 3, 5, 6),
)
"""The S-boxes of rounds 0 to 7, and of each eight rounds after."""

INVERSES = tuple(tuple(box.index(value) for value in range(16)) for box in BOXES)

PRODUCTS = tuple(m for m in range(1, 16) if m.bit_count() > 1 and m != 15)
"""The monomials of degree 2 and 3, each a set of input bits, in rising order. A permutation has
none of degree 4."""


class Serpent:
    """Serpent as a `BlockCipher`."""

    block_size = BLOCK

    def __init__(self, key: bytes) -> None:
        if len(key) not in KEY_SIZES:
            raise ValueError(f"Serpent has no keys of {len(key)} bytes")
        self._keys = _round_keys(key)

    def encrypt(self, blocks: Bytes) -> Bytes:
        """Encrypt whole blocks, each by itself, into a new array."""
        words = words_of(blocks)
        for index in range(ROUNDS):
            _mix_key(words, self._keys[index])
            words = _substitute(polynomials(BOXES[index % len(BOXES)]), words)
            if index < ROUNDS - 1:
                _transform(words)
        _mix_key(words, self._keys[ROUNDS])
        return blocks_of(words)

    def decrypt(self, blocks: Bytes) -> Bytes:
        """Decrypt whole blocks, each by itself, into a new array."""
        words = words_of(blocks)
        _mix_key(words, self._keys[ROUNDS])
        for index in reversed(range(ROUNDS)):
            if index < ROUNDS - 1:
                _untransform(words)
            words = _substitute(polynomials(INVERSES[index % len(BOXES)]), words)
            _mix_key(words, self._keys[index])
        return blocks_of(words)


def _round_keys(key: bytes) -> list[list[int]]:
    """The 33 round keys of four words."""
    # A short key is filled up with a one bit and zeros.
    padded = (key + b"\1").ljust(max(KEY_SIZES), b"\0")[: max(KEY_SIZES)]
    made = list(struct.unpack("<8I", padded))
    for index in range(4 * (ROUNDS + 1)):
        word = made[-8] ^ made[-5] ^ made[-3] ^ made[-1] ^ GOLDEN ^ index
        made.append((word << 11 | word >> 21) & 0xFFFF_FFFF)
    words = np.array(made[8:], np.uint32).reshape(-1, 4)
    keys = []
    for index, row in enumerate(words):
        box = BOXES[(3 - index) % len(BOXES)]
        made_of = _substitute(polynomials(box), [row[i : i + 1] for i in range(4)])
        keys.append([int(word[0]) for word in made_of])
    return keys


@cache
def polynomials(box: Sequence[int]) -> tuple[tuple[bool, tuple[int, ...]], ...]:
    """An S-box as four polynomials over GF(2), that of the lowest bit first.

    Returns:
        Of each output bit: whether 1 is added, and the monomials that are, as sets of input bits.
    """
    found = []
    for bit in range(4):
        # The Moebius transform: a coefficient is the sum of the values at all of its subsets.
        values = [box[point] >> bit & 1 for point in range(16)]
        sums = [sum(values[p] for p in range(16) if p & m == p) % 2 for m in range(16)]
        found.append((bool(sums[0]), tuple(m for m in range(1, 16) if sums[m])))
    return tuple(found)


def _substitute(box: Sequence[tuple[bool, tuple[int, ...]]], words: list[Words]) -> list[Words]:
    """Every S-box of a round at once, on whole words."""
    terms = {1 << bit: word for bit, word in enumerate(words)}
    for product in PRODUCTS:
        highest = 1 << product.bit_length() - 1
        terms[product] = terms[product ^ highest] & terms[highest]
    out = []
    for inverted, (first, second, *others) in box:
        word = terms[first] ^ terms[second]
        for product in others:
            word ^= terms[product]
        out.append(np.invert(word, out=word) if inverted else word)
    return out


def _mix_key(words: list[Words], key: Sequence[int]) -> None:
    for word, part in zip(words, key, strict=True):
        word ^= np.uint32(part)


def _transform(words: list[Words]) -> None:
    """The linear mixing between two rounds."""
    a, b, c, d = words
    _rotate(a, 13)
    _rotate(c, 3)
    b ^= a
    b ^= c
    d ^= c
    d ^= a << np.uint32(3)
    _rotate(b, 1)
    _rotate(d, 7)
    a ^= b
    a ^= d
    c ^= d
    c ^= b << np.uint32(7)
    _rotate(a, 5)
    _rotate(c, 22)


def _untransform(words: list[Words]) -> None:
    """The linear mixing, backwards."""
    a, b, c, d = words
    _rotate(c, 10)
    _rotate(a, 27)
    c ^= d
    c ^= b << np.uint32(7)
    a ^= b
    a ^= d
    _rotate(d, 25)
    _rotate(b, 31)
    d ^= c
    d ^= a << np.uint32(3)
    b ^= a
    b ^= c
    _rotate(c, 29)
    _rotate(a, 19)


def _rotate(word: Words, count: int) -> None:
    """Rotate words to the left, in place."""
    low = word >> np.uint32(32 - count)
    word <<= np.uint32(count)
    word |= low
