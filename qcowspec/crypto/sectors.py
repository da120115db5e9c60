"""Decrypts sectors: a mode, fed with the vectors of a generator.

In: stored bytes and the offset at which they stand. Out: the guest's bytes. Refuses: what is no
whole number of sectors, as `ValueError`: a caller's mistake, no image's.
"""

from __future__ import annotations

import numpy as np
from qcow_parsers import constants as c

from qcowspec.crypto.cipher import Bytes
from qcowspec.crypto.decryptor import Buffer
from qcowspec.crypto.modes import Mode
from qcowspec.crypto.vectors import Generator

SECTOR = c.QCRYPTO_BLOCK_LUKS_SECTOR_SIZE
"""The legacy format's sectors have the same size (QCRYPTO_BLOCK_QCOW_SECTOR_SIZE)."""

STRETCH = 512
"""Sectors that are decrypted at once: what goes through several steps stays in the cache."""


class SectorDecryptor:
    """A `Decryptor`; see there.

    Args:
        mode: The cipher's mode, with its key.
        generator: Makes the vectors.
        physical: What offsets count; see `Decryptor`.
    """

    def __init__(self, mode: Mode, generator: Generator, *, physical: bool) -> None:
        self.physical = physical
        self._mode = mode
        self._generator = generator

    def decrypt(self, data: Buffer, offset: int) -> bytes:
        """Decrypt sectors that follow one another; see `Decryptor.decrypt`."""
        stored = np.frombuffer(data, np.uint8)
        out = np.empty(len(stored), np.uint8)
        self._decrypt(stored, offset, out)
        return out.tobytes()

    def decrypt_into(self, data: Buffer, offset: int, out: bytearray | memoryview) -> None:
        """Decrypt sectors into a buffer; see `Decryptor.decrypt_into`."""
        self._decrypt(np.frombuffer(data, np.uint8), offset, np.frombuffer(out, np.uint8))

    def _decrypt(self, stored: Bytes, offset: int, out: Bytes) -> None:
        if offset % SECTOR or len(stored) % SECTOR or len(out) != len(stored):
            raise ValueError(
                f"{len(stored)} bytes at {offset} into {len(out)} are no whole sectors"
            )
        first, count = offset // SECTOR, len(stored) // SECTOR
        numbers = np.arange(first, first + count, dtype=np.uint64)
        for start in range(0, count, STRETCH):
            part = numbers[start : start + STRETCH]
            place = slice(start * SECTOR, (start + len(part)) * SECTOR)
            vectors = self._generator(part, self._mode.vector_size)
            self._mode.decrypt(stored[place], vectors, out[place])
