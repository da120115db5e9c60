"""The interface of everything that decrypts sectors.

In: nothing. Out: `Decryptor`. Refuses: nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

Buffer = bytes | bytearray | memoryview
"""Bytes of an image, however they are held."""


class Decryptor(ABC):
    """Turns the stored sectors of one image into the guest's.

    One object serves any number of threads at once.

    Attributes:
        physical: What offsets count. True: bytes of the file that holds the guest data, which is
            the image or its data file (LUKS). False: bytes of the virtual disk (legacy AES).
    """

    physical: bool

    @abstractmethod
    def decrypt_into(self, data: Buffer, offset: int, out: bytearray | memoryview) -> None:
        """Decrypt sectors that follow one another into a buffer.

        Args:
            data: The sectors as they are stored: a multiple of 512 bytes.
            offset: Where the first one stands, in bytes, by the attribute `physical`.
            out: Where the clear bytes go: as many; may be `data` itself.

        Raises:
            ValueError: A length or the offset is not a multiple of 512 bytes, or the lengths
                differ.
        """

    def decrypt(self, data: Buffer, offset: int) -> bytes:
        """The same, returning the clear bytes; see `decrypt_into`."""
        out = bytearray(len(data))
        self.decrypt_into(data, offset, out)
        return bytes(out)
