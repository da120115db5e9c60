"""Sectors, decrypted many at a time.

In: whole sectors and the offset of the first. Out: plain bytes. Refuses: ciphers, modes and
generators that are not known here, with `UnknownCipher`.

The block cipher runs once over all blocks of all sectors, in ECB mode; what chains the blocks of a
sector is done on arrays: CBC is an XOR with the block before, XTS with the sector's tweak, which is
multiplied once a block. A library's own CBC and XTS would be called once a sector.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from qcow_parsers import constants as c

SECTOR = c.QCRYPTO_BLOCK_LUKS_SECTOR_SIZE
WORD = 8
"""Bytes of a word; a 128-bit block is two of them."""

XTS_FEEDBACK = 0x87
"""What a tweak is XORed with where its highest bit is carried out (IEEE 1619)."""

Bytes = npt.NDArray[np.uint8]


class UnknownCipher(Exception):
    """No library here has this cipher, mode or generator."""


class Decryptor(Protocol):
    """Turns what an image file holds into what its guest sees."""

    @property
    def physical(self) -> bool:
        """Whether sectors are counted in the image or data file; if not, on the virtual disk."""
        ...

    def decrypt(self, data: bytes | bytearray | memoryview, offset: int) -> bytes:
        """Decrypt whole sectors.

        Args:
            data: Their bytes, a multiple of 512.
            offset: The first one's offset in bytes, a multiple of 512.
        """
        ...


@dataclass(frozen=True, slots=True)
class Mode:
    """A cipher's mode, by LUKS's words: ``cbc-essiv:sha256`` has three.

    Attributes:
        name: cbc, xts, ctr or ecb.
        generator: plain, plain64 or essiv; None of ecb.
        hash: The hash of essiv.
    """

    name: str
    generator: str | None = None
    hash: str | None = None


class SectorCipher:
    """A `Decryptor` by a block cipher."""

    def __init__(self, cipher: str, mode: Mode, key: bytes, *, physical: bool) -> None:
        """Make the key schedules.

        Args:
            cipher: The block cipher, by LUKS's name.
            mode: How it is used.
            key: Its key; two of them, one behind the other, for xts.
            physical: See `Decryptor.physical`.

        Raises:
            UnknownCipher: It is not known here.
        """
        self.physical = physical
        self._mode = mode
        self._tweak: Any = None
        data_key = key
        if mode.name == c.QCRYPTO_CIPHER_MODE_XTS:
            data_key, tweak_key = key[: len(key) // 2], key[len(key) // 2 :]
            self._tweak = _ecb(cipher, tweak_key)
        self._cipher = _ecb(cipher, data_key)
        self._block = self._cipher.algorithm.block_size // 8
        self._salted: Any = None
        if mode.generator == c.QCRYPTO_IVGEN_ALG_ESSIV:
            self._salted = _ecb(cipher, digest(mode.hash or "", key))
        known = {
            c.QCRYPTO_CIPHER_MODE_CBC: self._cbc,
            c.QCRYPTO_CIPHER_MODE_XTS: self._xts,
            c.QCRYPTO_CIPHER_MODE_CTR: self._ctr,
            c.QCRYPTO_CIPHER_MODE_ECB: self._plain_ecb,
        }
        if mode.name not in known:
            raise UnknownCipher(f"mode {mode.name}")
        self._run = known[mode.name]

    def decrypt(self, data: bytes | bytearray | memoryview, offset: int) -> bytes:
        """See `Decryptor.decrypt`."""
        blocks = np.frombuffer(data, np.uint8).reshape(-1, SECTOR // self._block, self._block)
        return self._run(blocks, offset // SECTOR).tobytes()

    # --- modes: arrays of shape (sectors, blocks of a sector, bytes of a block) -------------------

    def _plain_ecb(self, blocks: Bytes, first: int) -> Bytes:
        return _decrypted(self._cipher, blocks)

    def _cbc(self, blocks: Bytes, first: int) -> Bytes:
        before = np.empty_like(blocks)
        before[:, 0] = self._ivs(first, len(blocks))
        before[:, 1:] = blocks[:, :-1]
        before ^= _decrypted(self._cipher, blocks)
        return before

    def _xts(self, blocks: Bytes, first: int) -> Bytes:
        tweaks = np.empty_like(blocks)
        words = tweaks.view("<u8")  # two of them a block, the lower first
        tweak = _encrypted(self._tweak, self._ivs(first, len(blocks))).view("<u8").copy()
        top, one = np.uint64(63), np.uint64(1)
        for index in range(blocks.shape[1]):
            words[:, index] = tweak
            low, high = tweak[:, 0].copy(), tweak[:, 1].copy()
            tweak[:, 0] = (low << one) ^ (high >> top) * np.uint64(XTS_FEEDBACK)
            tweak[:, 1] = (high << one) | (low >> top)
        return _decrypted(self._cipher, blocks ^ tweaks) ^ tweaks

    def _ctr(self, blocks: Bytes, first: int) -> Bytes:
        # The counter is the IV as a big-endian number; a sector has few enough blocks for no carry
        # out of its last word.
        counters = np.repeat(self._ivs(first, len(blocks))[:, None], blocks.shape[1], axis=1)
        last = np.ascontiguousarray(counters[..., -WORD:]).view(">u8")[..., 0]
        sums = last.astype(np.uint64) + np.arange(blocks.shape[1], dtype=np.uint64)
        wraps = sums < last
        counters[..., -WORD:] = sums.astype(">u8")[..., None].view(np.uint8)
        if self._block > WORD and wraps.any():
            front = np.ascontiguousarray(counters[..., :WORD]).view(">u8")[..., 0]
            front = front.astype(np.uint64) + wraps.astype(np.uint64)
            counters[..., :WORD] = front.astype(">u8")[..., None].view(np.uint8)
        return blocks ^ _encrypted(self._cipher, counters)

    # --- initialisation vectors -------------------------------------------------------------------

    def _ivs(self, first: int, count: int) -> Bytes:
        """The IVs of sectors: shape (count, bytes of a block) (crypto/ivgen-*.c)."""
        generator = self._mode.generator
        numbers = np.uint64(first) + np.arange(count, dtype=np.uint64)
        if generator == c.QCRYPTO_IVGEN_ALG_PLAIN:
            numbers &= np.uint64(0xFFFFFFFF)
        elif generator not in (c.QCRYPTO_IVGEN_ALG_PLAIN64, c.QCRYPTO_IVGEN_ALG_ESSIV):
            raise UnknownCipher(f"IV generator {generator}")
        size = self._block
        if self._salted is not None:
            size = self._salted.algorithm.block_size // 8
        ivs = np.zeros((count, max(size, WORD)), np.uint8)
        ivs[:, :WORD] = numbers.astype("<u8")[:, None].view(np.uint8)
        if self._salted is not None:
            ivs = _encrypted(self._salted, ivs)
        return ivs[:, : self._block]


def _ecb(cipher: str, key: bytes) -> Any:
    """A block cipher by LUKS's name, in ECB mode: one block after the other."""
    if cipher == c.QCRYPTO_BLOCK_LUKS_CIPHER_AES and len(key) in (16, 24, 32):
        return Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - the modes are built on it
    if cipher == c.QCRYPTO_BLOCK_LUKS_CIPHER_CAST5:
        try:
            from cryptography.hazmat.decrepit.ciphers.algorithms import CAST5
        except ImportError:  # older versions had it among the others
            from cryptography.hazmat.primitives.ciphers.algorithms import CAST5
        return Cipher(CAST5(key), modes.ECB())  # noqa: S305 - the modes are built on it
    raise UnknownCipher(f"cipher {cipher} with a key of {8 * len(key)} bits")


def _decrypted(cipher: Any, blocks: Bytes) -> Bytes:
    data = cipher.decryptor().update(np.ascontiguousarray(blocks))
    return np.frombuffer(data, np.uint8).reshape(blocks.shape)


def _encrypted(cipher: Any, blocks: Bytes) -> Bytes:
    data = cipher.encryptor().update(np.ascontiguousarray(blocks))
    return np.frombuffer(data, np.uint8).reshape(blocks.shape)


def digest(name: str, data: bytes) -> bytes:
    """A hash by LUKS's name.

    Raises:
        UnknownCipher: It is not known here.
    """
    try:
        return hashlib.new(name, data).digest()
    except ValueError as error:
        raise UnknownCipher(f"hash {name}") from error
