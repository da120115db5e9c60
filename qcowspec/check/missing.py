"""Data that an external data file ought to have, and is too short for.

In: clusters, by guest offset and by their place in the data file. Out: which of them are not whole,
and how many bytes that is. Refuses: nothing; QEMU reads zeros there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qcowspec.check.arrays import Flags, Numbers


@dataclass(slots=True)
class Missing:
    """The bytes of the disk that lie past the end of its data file.

    Attributes:
        data_length: Bytes of the data file.
        disk: Bytes of the virtual disk.
        count: How many are missing.
        first: Guest offset of the first of them; None if none is.
    """

    data_length: int
    disk: int
    count: int = 0
    first: int | None = None

    def take(self, guest: Numbers, host: Numbers, size: int, held: Flags) -> Flags:
        """Add pieces of one size, of which some are held; which of them are not whole."""
        end = np.minimum(host + size, host + self.disk - guest)
        start = np.maximum(host, self.data_length)
        lost = np.where(held, np.maximum(0, end - start), 0)
        hit: Flags = lost > 0
        if hit.any():
            self.count += int(lost.sum())
            first = int((guest + start - host)[hit].min())
            self.first = first if self.first is None else min(first, self.first)
        return hit
