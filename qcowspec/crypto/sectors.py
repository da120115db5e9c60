"""Decryption of sectors by a mode and the vectors of a generator.

In: stored bytes and the offset at which they stand. Out: the guest's bytes. Refuses: what is not
a whole number of sectors, with `ValueError`: the caller's mistake.
"""

from __future__ import annotations

import numpy as np
from qcow_parsers import constants as c

from qcowspec.crypto.decryptor import Buffer, Decryptor
from qcowspec.crypto.modes import Mode
from qcowspec.crypto.vectors import Generator

SECTOR = c.QCRYPTO_BLOCK_LUKS_SECTOR_SIZE
"""The legacy format's sectors have the same size (QCRYPTO_BLOCK_QCOW_SECTOR_SIZE)."""

STRETCH = 512
"""Sectors that are decrypted at once: few enough for the processor's cache."""


class SectorDecryptor(Decryptor):
    """A `Decryptor` of one mode.

    Args:
        mode: The cipher's mode, with its key.
        generator: Makes the vectors.
        physical: What offsets count; see `Decryptor`.
    """

    def __init__(self, mode: Mode, generator: Generator, *, physical: bool) -> None:
        self.physical = physical
        self._mode = mode
        self._generator = generator

    def decrypt_into(self, data: Buffer, offset: int, out: bytearray | memoryview) -> None:
        """See `Decryptor.decrypt_into`."""
        if offset % SECTOR or len(data) % SECTOR or len(out) != len(data):
            raise ValueError(f"{len(data)} bytes at {offset} into {len(out)} are no whole sectors")
        stored, clear = np.frombuffer(data, np.uint8), np.frombuffer(out, np.uint8)
        first, count = offset // SECTOR, len(stored) // SECTOR
        numbers = np.arange(first, first + count, dtype=np.uint64)
        for start in range(0, count, STRETCH):
            part = numbers[start : start + STRETCH]
            place = slice(start * SECTOR, (start + len(part)) * SECTOR)
            vectors = self._generator(part, self._mode.vector_size)
            self._mode.decrypt(stored[place], vectors, clear[place])
